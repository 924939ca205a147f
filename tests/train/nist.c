/* NIST's Statistical Reference Datasets: certified results, at default settings, no hint per problem. The tables are printed. */
#include "support/nist.h"

struct fitted {
    cr_graph *g;
    cr_store *store;
    cr_fit *f;
    cr_status status;
};

static struct fitted fit(struct nist *p, int start, const char *method) {
    struct fitted t = {.g = cr_graph_new(NULL)};
    cr_model *m;
    cr_text *why;
    cr_node loss, params[nist_most_params];
    cr_text_new(&why, NULL);
    if (cr_model_new(&m, p->model, strlen(p->model), p->name, NULL, why) || cr_model_build(&loss, m, t.g, why))
        fail_msg("%s", cr_text_str(why));
    cr_store_new(&t.store, NULL);
    for (int k = 0; k < p->params; k++) {
        params[k] = cr_find(t.g, p->param[k]);
        cr_store_set(t.store, p->param[k], CR_F64, &p->start[start][k], sizeof(double));
    }
    if (cr_fit_new(&t.f, loss, p->params, params, t.store)) fail_msg("%s", cr_graph_error(t.g));
    for (int k = 0; k < p->columns; k++)
        assert_int_equal(
            cr_fit_bind(t.f, p->column[k], CR_F64, p->data[k], (size_t)p->rows * sizeof(double)), CR_OK);
    if (method) cr_fit_set(t.f, "method", method);
    t.status = cr_fit_run(t.f);
    cr_model_free(m);
    cr_text_free(why);
    return t;
}

static void fitted_free(struct fitted *t) {
    cr_fit_free(t->f);
    cr_store_free(t->store);
    cr_graph_free(t->g);
}

/* The worst parameter's digits. */
static double worst_digits(const struct nist *p, const struct fitted *t) {
    double worst = 15;
    for (int k = 0; k < p->params; k++) {
        double x = NAN;
        cr_store_get(t->store, p->param[k], CR_F64, &x, sizeof x);
        worst = fmin(worst, isnan(x) ? 0 : nist_digits(x, p->certified[k]));
    }
    return fmax(worst, 0);
}

static const char *const nonlinear[] = {
    "Misra1a", "Chwirut2", "Chwirut1", "Lanczos3", "Gauss1",  "Gauss2",  "DanWood", "Misra1b", "Kirby2",
    "Hahn1",   "Nelson",   "MGH17",    "Lanczos1", "Lanczos2", "Gauss3", "Misra1c", "Misra1d", "Roszman1",
    "ENSO",    "MGH09",    "Thurber",  "BoxBOD",   "Rat42",   "MGH10",   "Eckerle4", "Rat43",  "Bennett5",
};
static const char *const linear[] = {"Norris",   "Pontius",  "NoInt1",   "NoInt2",   "Filip",   "Longley",
                                     "Wampler1", "Wampler2", "Wampler3", "Wampler4", "Wampler5"};

struct counts {
    int six, eight, errors_four;
};

static struct counts run_nonlinear(const char *method) {
    struct counts c = {0, 0, 0};
    for (size_t i = 0; i < sizeof nonlinear / sizeof *nonlinear; i++) {
        struct nist p;
        char path[64];
        snprintf(path, sizeof path, "nls/%s.dat", nonlinear[i]);
        nist_read(&p, path);
        for (int start = 0; start < 2; start++) {
            struct fitted t = fit(&p, start, method);
            double digits = worst_digits(&p, &t);
            c.six += digits >= 6, c.eight += digits >= 8;
            printf("  %-9s %d  %4.1f digits  %4d iterations %4d evaluations  %s\n", p.name, start + 1, digits,
                   (int)cr_fit_iterations(t.f), (int)cr_fit_evaluations(t.f), cr_fit_reason(t.f));
            fitted_free(&t);
        }
    }
    return c;
}

TEST(nonlinear_problems_are_solved_from_both_starts) {
    (void)state;
    struct counts c = run_nonlinear(NULL);
    printf("  %d of 54 to 6 digits, %d to 8\n", c.six, c.eight);
    assert_true(c.six >= 53);
    assert_true(c.eight >= 46);
}

TEST(linear_problems_are_solved) {
    (void)state;
    for (size_t i = 0; i < sizeof linear / sizeof *linear; i++) {
        struct nist p;
        char path[64];
        snprintf(path, sizeof path, "lls/%s.dat", linear[i]);
        nist_read(&p, path);
        struct fitted t = fit(&p, 0, NULL);
        double digits = worst_digits(&p, &t);
        printf("  %-9s %4.1f digits  %4d iterations  %s\n", p.name, digits, (int)cr_fit_iterations(t.f),
               cr_fit_reason(t.f));
        fitted_free(&t);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        RUN(nonlinear_problems_are_solved_from_both_starts),
        RUN(linear_problems_are_solved),
    };
    if (argc > 1) return run_nonlinear(argv[1]).six < 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
