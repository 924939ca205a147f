/* Stable forms: values and derivatives where the formula as it is written loses all digits, against closed forms. */
#include <math.h>

#include "support/evaluated.h"

/* At x: the value and the derivative, by a closed form that loses nothing. */
static const struct point {
    const char *formula;
    double x, value, derivative;
} points[] = {
    {"log(1 + x)", 1e-20, 1e-20, 1},
    {"log(1 - x)", 1e-20, -1e-20, -1},
    {"exp(x) - 1", 1e-20, 1e-20, 1},
    {"1 - exp(x)", 1e-20, -1e-20, -1},
    {"log(1 + exp(x))", 1000, 1000, 1},
    {"log(exp(x) + exp(2*x))", 1000, 2000, 2},
    {"log(exp(x) + exp(-1000000*x))", 1e-3, 1e-3, 1},
    {"log(exp(x) + exp(log(0)))", 1, 1, 1},
    {"log(exp(log(0)) + exp(x))", 1, 1, 1},
    {"log(exp(x)*3)", 1000, 1001.0986122886682, 1},
    {"log(3/exp(x))", 1000, -998.9013877113319, -1},
    {"log(sigmoid(x))", -1000, -1000, 1},
    {"log(1 - sigmoid(x))", 1000, -1000, -1},
    {"1/(1 + exp(x))", 800, 0, 0},
    {"exp(x)/(1 + exp(x))", 800, 1, 0},
    {"1 - erf(x)", 6, 2.1519736712498913e-17, -2.617301239249265e-16},
    {"log(sum(exp([x, 2*x])))", 1000, 2000, 2},
    {"log(mean(exp([x, 2*x])))", 1000, 1999.3068528194402, 2},
    {"log(0.5*sum(exp([x, 2*x])))", 1000, 1999.3068528194402, 2},
    {"log(sum(exp([x, 2*x] - max([x, 2*x]))))", 1000, 0, 0},
    {"log(softmax([x, 2*x]))[0]", 1000, -1000, -1},
    {"log(softmax([x, 2*x])[0])", 1000, -1000, -1},
    {"-log(softmax([x, 2*x])[[1, 0]])[1]", 1000, 1000, 1},
    {"sum(log(softmax([[x, 2*x], [0, x]], axis=0)[0]))", 1000, 0, 0},
    {"log(1/exp(x))", 1000, -1000, -1},
};

static bool near(double a, double b) { return fabs(a - b) <= 1e-14 * fabs(b); }

/* A name within is no boundary. */
TEST(what_is_stable_has_all_digits_in_value_and_derivative) {
    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const struct point *p = &points[i];
        struct problem w = open_problem();
        cr_node x = cr_input(w.g, "x", CR_F64, 0, NULL), y = cr_named(cr_formula(w.g, p->formula), "y"), d;
        cr_node stable = cr_stable(y), again = cr_stable(stable);
        assert_int_equal(cr_eval_set(w.e, x, CR_F64, &p->x, sizeof p->x), CR_OK);
        assert_int_equal(cr_grad(&d, stable, 1, &x), CR_OK);
        if (!cr_same(stable, again)) fail_msg("%s: not the same form again", p->formula);
        assert_int_equal(cr_dtype_of(stable), CR_F64);
        double value = cr_eval_number(w.e, stable), derivative = cr_eval_number(w.e, d);
        if (!near(value, p->value) || !near(derivative, p->derivative))
            fail_msg("%s: %.17g and %.17g, not %.17g and %.17g", p->formula, value, derivative, p->value,
                     p->derivative);
        close_problem(&w);
    }
}

TEST(names_within_are_no_boundaries_and_stay_with_what_had_them) {
    (void)state;
    struct problem w = open_problem();
    double value = 1000;
    cr_node x = cr_input(w.g, "x", CR_F64, 0, NULL), p = cr_named(cr_formula(w.g, "softmax([x, 2*x])"), "p");
    cr_node y = cr_formula(w.g, "stable(log(p[0]))");
    assert_int_equal(cr_eval_set(w.e, x, CR_F64, &value, sizeof value), CR_OK);
    assert_true(cr_eval_number(w.e, y) == -1000);
    assert_string_equal(cr_name(p), "p");
    close_problem(&w);
}

TEST(what_loses_nothing_stays_the_same_node) {
    (void)state;
    static const char *const fine[] = {"log(x)", "x + 1", "sin(x)*exp(x)", "log(2 + x)", "2 - exp(x)", "x"};
    struct problem w = open_problem();
    cr_input(w.g, "x", CR_F64, 0, NULL);
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        cr_node y = cr_formula(w.g, fine[i]);
        assert_true(cr_same(cr_stable(y), y));
    }
    close_problem(&w);
}

/* A program rewritten at the level "all" has them, at "exact" not. */
TEST(programs_take_stable_forms_at_level_all) {
    (void)state;
    for (int all = 0; all < 2; all++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_input(g, "x", CR_F64, 0, NULL);
        cr_target *t = cr_target_new(g);
        cr_options *o = cr_options_new(NULL);
        cr_program *p = NULL;
        cr_run *r = NULL;
        double x = 1000, y = 0;
        assert_int_equal(cr_options_set(o, "rewrite", all ? "all" : "exact"), CR_OK);
        assert_int_equal(cr_target_output(t, "y", cr_formula(g, "log(softmax([x, 2*x])[0])")), CR_OK);
        assert_int_equal(cr_compile(&p, t, o), CR_OK);
        assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
        assert_int_equal(cr_bind(r, "x", CR_F64, &x, sizeof x), CR_OK);
        assert_int_equal(cr_bind(r, "y", CR_F64, &y, sizeof y), CR_OK);
        assert_int_equal(cr_step(r), CR_OK);
        assert_true(all ? y == -1000 : isinf(y));
        cr_run_free(r);
        cr_program_free(p);
        cr_options_free(o);
        cr_target_free(t);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {RUN(what_is_stable_has_all_digits_in_value_and_derivative),
                                       RUN(names_within_are_no_boundaries_and_stay_with_what_had_them),
                                       RUN(what_loses_nothing_stays_the_same_node),
                                       RUN(programs_take_stable_forms_at_level_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
