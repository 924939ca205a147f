/* The bound on what rounding does holds, is not far off, and the node that loses the digits is named. */
#include "support/test.h"
#include "support/nist.h"
#include "support/rows.h"

#include "ops/build.h"

/* ---- NIST's problems, against mpmath ---- */

struct reference {
    const char *file;
    double part[2 * (nist_most_params + 1)]; /* high and low, of the loss and its gradient */
};
static const struct reference references[] = {
#define NIST(file, ...) {file, {__VA_ARGS__}},
#include "../data/digits.inc"
#undef NIST
};
enum { reference_count = sizeof references / sizeof *references };

struct problem {
    cr_graph *g;
    cr_eval *e;
    cr_node y[nist_most_params + 1]; /* the loss, and its gradient */
    int n;
};

static void set(struct problem *q, const char *name, const double *data, int n) {
    cr_node x = cr_find(q->g, name);
    if (cr_eval_set(q->e, x, CR_F64, data, (size_t)n * sizeof *data))
        fail_msg("%s: %s", name, cr_eval_error(q->e));
}

static void open_problem(struct problem *q, const struct nist *p) {
    cr_node b[nist_most_params];
    *q = (struct problem){.g = cr_graph_new(NULL), .n = 1 + p->params};
    assert_int_equal(cr_eval_new(&q->e, q->g, NULL), CR_OK);
    cr_formula(q->g, p->model);
    for (int k = 0; k < p->columns; k++) set(q, p->column[k], p->data[k], p->rows);
    for (int k = 0; k < p->params; k++) {
        bool linear = p->start[0][k] == 0 && p->start[1][k] == 0;
        set(q, p->param[k], linear ? &p->certified[k] : &p->start[0][k], 1);
        b[k] = cr_find(q->g, p->param[k]);
    }
    q->y[0] = cr_find(q->g, "loss");
    if (cr_grad(q->y + 1, q->y[0], p->params, b)) fail_msg("%s: %s", p->name, cr_graph_error(q->g));
}

static void close_problem(struct problem *q) {
    cr_eval_free(q->e);
    cr_graph_free(q->g);
}

/* Half of all bounds are at most so many times the error that was seen: 16 roundings for each that shows. The cruellest case of a
 * bound that always holds is rare. */
static const double usual_slack = 1e3;

TEST(the_error_seen_with_mpmath_is_below_the_bound_on_nists_problems) {
    (void)state;
    int bounds = 0, close = 0;
    double worst = 0;
    for (int i = 0; i < reference_count; i++) {
        struct nist p;
        struct problem q;
        nist_read(&p, references[i].file);
        open_problem(&q, &p);
        for (int k = 0; k < q.n; k++) {
            double bound = NAN, value = cr_eval_number(q.e, q.y[k]);
            const double *exact = &references[i].part[2 * k];
            double error = fabs((value - exact[0]) - exact[1]);
            if (cr_rounding_bound(&bound, q.e, q.y[k], 0)) fail_msg("%s: %s", p.name, cr_graph_error(q.g));
            if (!(error <= bound))
                fail_msg("%s: %s: %.17g is off by %.3g, bound %.3g", p.name, k ? p.param[k - 1] : "loss",
                         value, error, bound);
            bounds++, close += bound <= usual_slack * error;
            worst = fmax(worst, error / bound);
        }
        close_problem(&q);
    }
    print_message("%d bounds hold, %d within %g of the error; the largest share of a bound was %.2f\n",
                  bounds, close, usual_slack, worst);
    assert_true(reference_count == 38);
    assert_true(2 * close > bounds);
}

/* ---- Every row: f32 against f64 ---- */

/* Numbers that no sum is exact of. */
static void roughen(cr_array *a) {
    float *x = cr_array_data(a);
    for (int64_t i = 0; i < cr_array_count(a) && cr_array_dtype(a) == CR_F32; i++)
        x[i] *= 1 + 1e-3f * (float)row_spread((int)i);
}

static void set_input(const struct row_case *c, int k, const cr_array *value) {
    cr_array *a = NULL;
    assert_int_equal(cr_array_cast(&a, value, cr_dtype_of(c->x[k])), CR_OK);
    assert_int_equal(cr_eval_set(c->e, c->x[k], cr_array_dtype(a), cr_array_data(a), cr_array_bytes(a)),
                     CR_OK);
    cr_array_free(a);
}

/* The inputs of a case in f32, rough, for the case in f64 too. */
static void share_inputs(const struct row_case *from, const struct row_case *to) {
    for (int k = 0; k < from->n; k++) {
        cr_array *value = NULL;
        assert_int_equal(cr_eval_array(&value, from->e, from->x[k]), CR_OK);
        roughen(value);
        set_input(from, k, value);
        set_input(to, k, value);
        cr_array_free(value);
    }
}

enum { most = 64 };

/* f64's own error is 2^-29 of f32's; terms of second order are below that. */
static const double slack = 1 + 1e-5;

/* Each element of a (f32) is as near to b (f64) as the bound says. */
static void compare(const struct row_case *a, cr_node x, const struct row_case *b, cr_node y, int *compared) {
    double found[most], expected[most], bound;
    size_t bytes = (size_t)cr_count(x) * sizeof *found;
    cr_node wide = cr_cast(x, CR_F64);
    assert_true(cr_count(x) <= most && cr_count(x) == cr_count(y));
    if (cr_eval_value(a->e, wide, CR_F64, found, bytes) || cr_eval_value(b->e, y, CR_F64, expected, bytes))
        return;
    for (int64_t i = 0; i < cr_count(x); i++) {
        if (!isfinite(expected[i])) continue;
        cr_status s = cr_rounding_bound(&bound, a->e, x, i);
        cr_graph_clear_error(s == CR_ESINGULAR ? a->g : NULL);
        if (s == CR_ESINGULAR) continue; /* a case of a matrix without a derivative */
        if (s) fail_msg("%s: %s", a->label, cr_graph_error(a->g));
        if (fabs(found[i] - expected[i]) > slack * bound)
            fail_msg("%s, element %d: %.9g, expected %.17g: off by %.3g, bound %.3g", a->label, (int)i,
                     found[i], expected[i], fabs(found[i] - expected[i]), bound);
        ++*compared;
    }
}

/* The gradients by all operands, of a sum with equal weights. */
static void gradients(const struct row_case *c, cr_node d[]) {
    cr_node weight = cr_number(c->g, 1.25);
    if (cr_vjp(d, 1, &c->y, &weight, c->n_wrt, c->wrt)) fail_msg("%s: %s", c->label, cr_graph_error(c->g));
}

static int compare_cases(const struct row_case *a, const struct row_case *b) {
    int compared = 0;
    cr_node da[3], db[3];
    share_inputs(a, b);
    if (cr_dtype_of(a->y) != CR_F32 || cr_dtype_of(b->y) != CR_F64) return 0;
    compare(a, a->y, b, b->y, &compared);
    if (!a->n_wrt) return compared;
    gradients(a, da), gradients(b, db);
    for (int k = 0; k < a->n_wrt; k++) compare(a, da[k], b, db[k], &compared);
    return compared;
}

TEST(the_bound_holds_for_every_row_in_f32_for_values_and_gradients) {
    (void)state;
    int compared = 0;
    struct row_case a, b;
    for (int op = 1; op < OP_COUNT; op++)
        for (int i = 0; op_kind(op) != KIND_CONTROL && row_case_make(&a, op, i, CR_F32); i++) {
            assert_true(row_case_make(&b, op, i, CR_F64));
            compared += compare_cases(&a, &b);
            row_case_free(&a);
            row_case_free(&b);
        }
    print_message("%d numbers compared\n", compared);
    assert_true(compared > 1000);
}

/* ---- Many terms, and matrices ---- */

/* A formula of x, whose numbers are spread over (-1, 1). */
static void make_large(struct row_case *c, const char *formula, int rank, const int64_t dims[],
                       cr_dtype dtype) {
    cr_array *x = NULL;
    *c = (struct row_case){.g = cr_graph_new(NULL), .n = 1, .n_wrt = 1};
    snprintf(c->label, sizeof c->label, "%s", formula);
    assert_int_equal(cr_eval_new(&c->e, c->g, NULL), CR_OK);
    c->wrt[0] = c->x[0] = cr_input(c->g, "x", dtype, rank, dims);
    c->y = cr_formula(c->g, formula);
    if (!cr_ok(c->y)) fail_msg("%s", cr_graph_error(c->g));
    assert_int_equal(cr_array_new(&x, NULL, CR_F32, rank, dims), CR_OK);
    for (int64_t i = 0; i < cr_array_count(x); i++)
        ((float *)cr_array_data(x))[i] = (float)(2 * row_spread((int)i) - 0.9);
    set_input(c, 0, x);
    cr_array_free(x);
}

TEST(the_bound_holds_for_sums_of_many_terms) {
    (void)state;
    static const struct {
        const char *formula;
        int rank;
        int64_t dims[3];
    } cases[] = {
        {"sum(x)", 1, {100000}},
        {"sum(x, axis=0)", 2, {3000, 3}},
        {"sum(x, axis=1)", 3, {5, 500, 3}},
        {"mean(x*x) - mean(x)^2", 1, {1000}},
        {"cumsum(x)[::97]", 1, {5000}},
        {"x @ t(x)", 2, {3, 700}},
        {"prod(1 + x/100)", 1, {500}},
        {"recur(x, x)[::40]", 1, {1000}},
        {"logsumexp(9*x)", 1, {3000}},
        {"scatter_add(x, iota(1000) % 3, 3)", 1, {1000}},
        {"window_add(window(x, 50), 300)[::9]", 1, {300}},
        {"cumsum(x, reverse=true)[::97] @ x[::97]", 1, {3000}},
    };
    int compared = 0;
    struct row_case a, b;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_large(&a, cases[i].formula, cases[i].rank, cases[i].dims, CR_F32);
        make_large(&b, cases[i].formula, cases[i].rank, cases[i].dims, CR_F64);
        compare(&a, a.y, &b, b.y, &compared);
        row_case_free(&a);
        row_case_free(&b);
    }
    assert_true(compared > 100);
}

/* The matrix with 2 on the diagonal and -1 beside it: eigenvalues 4 sin^2(k pi / 2(n+1)), determinant n + 1, and as its solution for
 * ones k (n+1-k) / 2; condition some n^2 / 2. */
TEST(the_bound_holds_for_factored_matrices) {
    (void)state;
    enum { n = 40 };
    static const char *const formulas[] = {
        "eigh(a)", "logabsdet(a)", "solve(a, ones)",
        "triangular_solve(t(cholesky(a)), triangular_solve(cholesky(a), ones), upper=true)"};
    double a[n][n] = {{0}}, ones[n], found[n], exact[4][n];
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    for (int k = 0; k < n; k++) {
        a[k][k] = 2, ones[k] = 1;
        if (k) a[k][k - 1] = a[k - 1][k] = -1;
        long double s = sinl((long double)(k + 1) * acosl(-1) / (2 * (n + 1)));
        exact[0][k] = (double)(4 * s * s);
        exact[2][k] = exact[3][k] = (k + 1) * (n - k) / 2.0;
    }
    exact[1][0] = (double)logl(n + 1);
    cr_eval_set(e, cr_input(g, "a", CR_F64, 2, (int64_t[]){n, n}), CR_F64, a, sizeof a);
    cr_eval_set(e, cr_input(g, "ones", CR_F64, 1, (int64_t[]){n}), CR_F64, ones, sizeof ones);
    for (int f = 0; f < 4; f++) {
        cr_node y = cr_formula(g, formulas[f]);
        size_t count = (size_t)cr_count(y);
        if (cr_eval_value(e, y, CR_F64, found, count * sizeof *found)) fail_msg("%s", cr_eval_error(e));
        for (size_t i = 0; i < count; i++) {
            double bound = NAN, error = fabs(found[i] - exact[f][i]);
            assert_int_equal(cr_rounding_bound(&bound, e, y, (int64_t)i), CR_OK);
            if (!(error <= bound + 0x1p-53 * fabs(exact[f][i])) || bound > 1e-7)
                fail_msg("%s, element %d: off by %.3g, bound %.3g", formulas[f], (int)i, error, bound);
        }
    }
    cr_eval_free(e);
    cr_graph_free(g);
}

/* ---- Which node ---- */

static char *digits_of(struct fixture *f, const char *format, int n, const cr_node wrt[]) {
    static char report[4096];
    cr_text *out = NULL;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    if (cr_digits(out, format, f->e, f->y, n, wrt)) fail_msg("%s", cr_graph_error(f->g));
    snprintf(report, sizeof report, "%s", cr_text_str(out));
    cr_text_free(out);
    return report;
}

/* The textbook cases (Goldberg 1991; Higham 2002, chapter 1; Kahan 2014 for the triangle), and how many digits go there: log10 of
 * the larger operand over the difference. */
TEST(the_node_that_loses_the_digits_is_named_in_textbook_cases) {
    (void)state;
    static const struct {
        const char *formula;
        double x, y, z;
        const char *says;
    } cases[] = {
        {"(-y + sqrt(y^2 - 4*x*z))/(2*x)", 1, 1e6, 1, "11.7 lost at -y + sqrt(y^2 - 4*x*z) (cancellation)"},
        {"1 - cos(x)", 1e-4, 0, 0, "8.3 lost at 1 - cos(x) (cancellation)"},
        {"exp(x) - 1", 1e-5, 0, 0, "5 lost at exp(x) - 1 (cancellation)"},
        {"m = mean([x, y, z]); q = mean([x^2, y^2, z^2]); v = q - m^2", 1000.1, 1000.2, 1000.3,
         "8.2 lost at v = q - m^2 (cancellation)"},
        {"log(1 + x)", 1e-9, 0, 0, "9 lost at log(1 + x) (ill-conditioned)"},
        {"s = (x + y + z)/2; area = sqrt(s*(s - x)*(s - y)*(s - z))", 9.0000001, 4.5, 4.50001,
         "6.3 lost at s - x (cancellation)"},
        {"sqrt(x + 1) - sqrt(x)", 1e8, 0, 0, "8.3 lost at sqrt(x + 1) - sqrt(x) (cancellation)"},
        {"t = 3*[x, y, z]; e = exp(t); sum(e/sum(e)*[1, 2, 3])", 100.1, 100.2, 99,
         "2.5 lost at e = exp(t) (ill-conditioned)"},
        {"x^2 - y^2", 1.00001, 1, 0, "4.7 lost at x^2 - y^2 (cancellation)"},
        {"k = iota(60); sum((-x)^k/exp(lgamma(k + 1)))", 20, 0, 0,
         "12.7 lost at sum((-x)^k/exp(lgamma(k + 1))) (cancellation)"},             /* e^-20 by its series */
        {"(1 - cos(x))/x^2", 1e-6, 0, 0, "12.3 lost at 1 - cos(x) (cancellation)"}, /* Kahan's 1/2 */
        {"tan(x*y)", 1.5707963, 1, 0, "at tan(x*y) (ill-conditioned)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f =
            fixture_of(cases[i].formula, "x", cases[i].x, "y", cases[i].y, "z", cases[i].z, NULL);
        const char *report = digits_of(&f, "text", 0, NULL), *lost = strstr(report, "; ");
        if (!lost || !strstr(lost, cases[i].says)) fail_msg("%s: %s", cases[i].formula, report);
        fixture_free(&f);
    }
}

TEST(the_same_mathematics_written_well_loses_none) {
    (void)state;
    static const char *const formulas[] = {
        "2*sin(x/2)^2",
        "expm1(x)",
        "log1p(x)",
        "1/(sqrt(x + 1) + sqrt(x))",
        "(x - y)*(x + y)",
        "sum(softmax([x, y, 700*y])*[1, 2, 3])",
        "logsumexp([700*x, 700*y])",
    };
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        struct fixture f = fixture_of(formulas[i], "x", 1e-5, "y", 1., NULL);
        const char *report = digits_of(&f, "text", 0, NULL);
        if (!strstr(report, ": 15 of 16 digits\n") && !strstr(report, ": 14 of 16 digits\n"))
            fail_msg("%s: %s", formulas[i], report);
        fixture_free(&f);
    }
}

/* ---- What is said ---- */

TEST(values_and_gradients_each_have_a_line) {
    (void)state;
    struct fixture f =
        fixture_of("y_hat = w*x; s = y_hat - y; loss = s^2", "w", 1.01, "x", 1.1, "y", 1.1, NULL);
    cr_node wrt[2] = {cr_find(f.g, "w"), cr_find(f.g, "x")};
    size_t before = cr_graph_mark(f.g);
    assert_string_equal(digits_of(&f, "text", 2, wrt),
                        "loss: 13 of 16 digits; 2 lost at s = y_hat - y (cancellation)\n"
                        "dloss/dw: 13 of 16 digits; 2 lost at s = y_hat - y (cancellation)\n"
                        "dloss/dx: 13 of 16 digits; 2 lost at s = y_hat - y (cancellation)\n");
    assert_true(cr_graph_mark(f.g) == before);
    fixture_free(&f);
}

TEST(what_has_no_digits_says_why) {
    (void)state;
    static const struct {
        const char *formula, *says;
    } cases[] = {
        {"x - x", "value: 16 of 16 digits\n"}, /* exactly 0 */
        {"sin(x) - sin(x + y)", "value: 0 of 16 digits, since it is 0, off by at most"},
        {"log(y)", "value: 0 of 16 digits, since it is -inf"},
        {"sqrt(y)*log(y)", "value: 0 of 16 digits, since it is nan"},
        {"x + y", "value: 15 of 16 digits\n"},
        {"-x", "value: 16 of 16 digits\n"},
        {"cast(x, f32)", "value: 7 of 7 digits\n"},
        {"[x, y][2:2]", "value: no number\n"},
        {"[x, x - 0.9*(x + 1e-9)*1.1111]", "at [1]; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = fixture_of(cases[i].formula, "x", 1., "y", 0., NULL);
        const char *report = digits_of(&f, "text", 0, NULL);
        if (!strstr(report, cases[i].says)) fail_msg("%s: %s", cases[i].formula, report);
        fixture_free(&f);
    }
}

/* What stop_gradient hides from derivatives is rounded all the same. */
TEST(errors_pass_stop_gradient) {
    (void)state;
    struct fixture f = fixture_of("stop_gradient(exp(x)) - 1", "x", 1e-5, NULL);
    const char *report = digits_of(&f, "text", 0, NULL);
    if (!strstr(report, "value: 10 of 16 digits; 5 lost at stop_gradient(exp(x)) - 1"))
        fail_msg("%s", report);
    fixture_free(&f);
}

TEST(mistakes_have_a_sentence) {
    (void)state;
    struct fixture f = fixture_of("floor(x) == 1", "x", 1.5, NULL);
    cr_text *out = NULL;
    double bound;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    assert_int_equal(cr_digits(out, "text", f.e, f.y, 0, NULL), CR_EDTYPE);
    assert_string_equal(cr_graph_error(f.g),
                        "digits: integers and bools are exact: expected fractions, found bool");
    cr_graph_clear_error(f.g);
    assert_int_equal(cr_digits(out, "xml", f.e, cr_find(f.g, "x"), 0, NULL), CR_EINVAL);
    assert_string_equal(cr_graph_error(f.g), "digits: expected text or json, found 'xml'");
    assert_int_equal(cr_rounding_bound(&bound, f.e, cr_find(f.g, "x"), 1), CR_EINVAL);
    assert_int_equal(cr_rounding_bound(&bound, NULL, f.y, 0), CR_EINVAL);
    cr_text_free(out);
    fixture_free(&f);
}

static cr_status all_of_it(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    if (!g) return CR_ENOMEM;
    cr_eval *e = NULL;
    cr_text *out = NULL;
    double x[4] = {1, 2, 3, 4.5};
    cr_node a = cr_input(g, "a", CR_F64, 2, (int64_t[]){2, 2}),
            y = cr_formula(g, "sum(solve(a, a @ [1, 2]) - sum(a))");
    cr_status s = cr_eval_new(&e, g, NULL);
    if (!s) s = cr_text_new(&out, ctx);
    if (!s && !cr_ok(y)) s = CR_ENOMEM;
    if (!s) s = cr_eval_set(e, a, CR_F64, x, sizeof x);
    if (!s) s = cr_digits(out, "json", e, y, 1, &a);
    cr_text_free(out);
    cr_eval_free(e);
    cr_graph_free(g);
    return s;
}

TEST(each_failed_allocation_is_a_status) {
    (void)state;
    alloc_fail_each(all_of_it, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_error_seen_with_mpmath_is_below_the_bound_on_nists_problems),
        RUN(the_bound_holds_for_every_row_in_f32_for_values_and_gradients),
        RUN(the_bound_holds_for_sums_of_many_terms),
        RUN(the_bound_holds_for_factored_matrices),
        RUN(the_node_that_loses_the_digits_is_named_in_textbook_cases),
        RUN(the_same_mathematics_written_well_loses_none),
        RUN(values_and_gradients_each_have_a_line),
        RUN(what_has_no_digits_says_why),
        RUN(errors_pass_stop_gradient),
        RUN(mistakes_have_a_sentence),
        RUN(each_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
