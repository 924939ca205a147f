/* Roundings in functions of a graph, step by step: the bound holds, and the node that loses the digits is named where it stands. */
#include "support/test.h"

/* ---- f32 beside f64 ---- */

struct graph_of {
    cr_graph *g;
    cr_eval *e;
    cr_node x[3], y, d[3];
};

/* x: [6] in (-1, 1); w: [3]; a: a number. Numbers of f32 that no sum is exact of. */
static void open_graph(struct graph_of *o, const char *formula, cr_dtype dtype) {
    static const int64_t dims[3][1] = {{6}, {3}, {0}};
    static const char *const names[3] = {"x", "w", "a"};
    static const int rank[3] = {1, 1, 0};
    float narrow[3][6] = {
        {0.317f, -0.761f, 0.923f, 0.113f, -0.277f, 0.541f}, {0.703f, -0.389f, 0.211f}, {0.3711f}};
    *o = (struct graph_of){.g = cr_graph_new(NULL)};
    assert_int_equal(cr_eval_new(&o->e, o->g, NULL), CR_OK);
    for (int k = 0; k < 3; k++) {
        double wide[6];
        o->x[k] = cr_input(o->g, names[k], dtype, rank[k], dims[k]);
        size_t n = (size_t)cr_count(o->x[k]);
        for (size_t i = 0; i < n; i++) wide[i] = narrow[k][i];
        const void *data = dtype == CR_F32 ? (const void *)narrow[k] : wide;
        assert_int_equal(cr_eval_set(o->e, o->x[k], dtype, data, n * cr_dtype_size(dtype)), CR_OK);
    }
    o->y = cr_sum(cr_formula(o->g, formula), 0, NULL, false);
    if (cr_grad(o->d, o->y, 3, o->x)) fail_msg("%s: %s", formula, cr_graph_error(o->g));
}

static void close_graph(struct graph_of *o) {
    cr_eval_free(o->e);
    cr_graph_free(o->g);
}

/* Terms of second order: small where few digits are lost. */
static const double slack = 1.01;

static double compare(const char *formula, const struct graph_of *a, cr_node x, const struct graph_of *b,
                      cr_node y) {
    float found[6];
    double expected[6], share = 0;
    size_t n = (size_t)cr_count(x);
    if (cr_eval_value(a->e, x, CR_F32, found, n * sizeof *found)) fail_msg("%s", cr_eval_error(a->e));
    if (cr_eval_value(b->e, y, CR_F64, expected, n * sizeof *expected)) fail_msg("%s", cr_eval_error(b->e));
    for (size_t i = 0; i < n; i++) {
        double bound = NAN, error = fabs(found[i] - expected[i]);
        if (cr_rounding_bound(&bound, a->e, x, (int64_t)i)) fail_msg("%s: %s", formula, cr_graph_error(a->g));
        if (!(error <= slack * bound))
            fail_msg("%s, element %zu: %.9g, expected %.17g: off by %.3g, bound %.3g", formula, i, found[i],
                     expected[i], error, bound);
        if (bound > 0) share = fmax(share, error / bound);
    }
    return share;
}

TEST(the_error_of_f32_is_below_the_bound_through_every_kind_of_function) {
    (void)state;
    static const char *const formulas[] = {
        "fn step(z, r) = r*z*(1 - z); scan(step, a, steps=12, r=3.9)",
        "fn step(i, n) = 1 - n*i; scan(step, a, 1 + iota(6))",
        "fn step(z, v) { s = z*0.9 + v; [s, exp(s)] }; r = scan(step, a, x); r[0] + sum(r[1]*x)",
        "fn step(z, v) { s = z*0.9 + v; [s, exp(s)] }; r = scan(step, a, x, reverse=true); r[0] + "
        "sum(r[1]*x)",
        "fn step(z, v) = tanh(z*v + v); scan(step, a, x, memory=8)",
        "fn big(v, w) = log(v)*w; fn small(v, w) = v - w^2; cond(a > 0.3, big, small, a, w)",
        "fn big(v, w) = log(v)*w; fn small(v, w) = v - w^2; cond(a > 0.5, big, small, a, w)",
        "fn more(z, a) = abs(z*z - a) > 1e-4*a; fn newton(z, a) = (z + a/z)/2; "
        "while(more, newton, 1, most=20, a=a)",
        "fn f(v, w) = sum(exp(v*w)) - 3; map(f, x, w=w)",
        "fn f(v, w) = sum(exp(v*w))^2; checkpoint(f, a, w)",
        "fn inner(s, k) = s + k*s; fn outer(h, v) { q = scan(inner, h, steps=3, k=v); q - 0.5*h }; "
        "scan(outer, a, x)",
        "fn inner(v, k) = sin(v*k); fn outer(h, v, w) = h + sum(map(inner, w, k=v)); scan(outer, a, x, w=w)",
        "fn cell(h, c, v, w) { q = h*w + v; i = sigmoid(q + 0.1); f = sigmoid(q - 0.2); o = sigmoid(2*q); "
        "n = f*c + i*tanh(q*w); [o*tanh(n), n] }; r = scan(cell, [w, w*a], x, w=w); sum(r[0]*w + r[1])",
        "fn f(z, a) = z^3 + z - a; fn g(z, a) = z - (z^3 + z - a)/(3*z^2 + 1); "
        "fn on(z, a) = abs(z^3 + z - a) > 1e-3; fn go(z, a) = g(g(z, a), a); z = while(on, go, a, most=9, "
        "a=a);"
        "implicit(f, z, a=a)*w",
    };
    double most = 0;
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        struct graph_of a, b;
        open_graph(&a, formulas[i], CR_F32);
        open_graph(&b, formulas[i], CR_F64);
        double share = compare(formulas[i], &a, a.y, &b, b.y);
        for (int k = 0; k < 3; k++) share = fmax(share, compare(formulas[i], &a, a.d[k], &b, b.d[k]));
        if (!(share > 1e-3)) fail_msg("%s: the bound is %.0f times the error", formulas[i], 1 / share);
        most = fmax(most, share);
        close_graph(&a);
        close_graph(&b);
    }
    print_message("the largest share of a bound was %.2f\n", most);
}

/* ---- f64 beside closed forms in long double ---- */

struct closed {
    const char *formula;
    double x;
    long double value, slope;
};

/* x_n = sin^2(2^n t), x_0 = sin^2 t, of the map 4x(1 - x) (Ulam and von Neumann 1947). */
static struct closed logistic(int n, double x) {
    long double t = asinl(sqrtl(x)), s = sinl(ldexpl(t, n));
    return (struct closed){"fn step(z) = 4*z*(1 - z); scan(step, x, steps=30)", x, s * s,
                           ldexpl(sinl(2 * ldexpl(t, n)), n) /
                               (2 * sqrtl((long double)x * (1 - (long double)x)))};
}

/* z_n = x/4^n solves z_(n+1) = 9/4 z_n - z_(n-1)/2, and so does 2^n, which rounding brings in (Kahan). */
static struct closed falling(int n, double x) {
    return (struct closed){"fn step(p, q) = [q, 2.25*q - 0.5*p]; scan(step, [x, x/4], steps=24)[1]", x,
                           ldexpl(x, -2 * (n + 1)), ldexpl(1, -2 * (n + 1))};
}

static void check_closed(struct closed c) {
    struct fixture f = fixture_of(c.formula, "x", c.x, NULL);
    cr_node x = cr_find(f.g, "x"), d;
    assert_int_equal(cr_grad(&d, f.y, 1, &x), CR_OK);
    const long double exact[2] = {c.value, c.slope};
    for (int k = 0; k < 2; k++) {
        double bound = NAN, value = cr_eval_number(f.e, k ? d : f.y);
        if (cr_rounding_bound(&bound, f.e, k ? d : f.y, 0)) fail_msg("%s", cr_graph_error(f.g));
        double error = (double)fabsl(value - exact[k]);
        if (!(error <= bound && (k || bound <= 1e3 * error + 0x1p-50)))
            fail_msg("%s, %d: %.17g is off by %.3g, bound %.3g", c.formula, k, value, error, bound);
    }
    fixture_free(&f);
}

TEST(the_error_of_f64_is_below_the_bound_where_there_is_a_closed_form) {
    (void)state;
    check_closed(logistic(30, 0.3));
    check_closed(falling(24, 1.0 / 3));
    check_closed((struct closed){"fn more(z, a) = abs(z*z - a) > 1e-14*a; fn newton(z, a) = (z + a/z)/2; "
                                 "while(more, newton, 1, most=40, a=x)",
                                 2, sqrtl(2), 1 / (2 * sqrtl(2))});
}

/* Unbounded, and nothing differentiates it but the analysis. */
TEST(a_while_without_a_bound_has_one_for_what_it_did) {
    (void)state;
    struct fixture f = fixture_of("fn more(z, a) = abs(z*z - a) > 1e-14*a; fn newton(z, a) = (z + a/z)/2; "
                                  "while(more, newton, 1, a=x)",
                                  "x", 3., NULL);
    double bound = NAN, error = (double)fabsl(cr_eval_number(f.e, f.y) - sqrtl(3));
    size_t before = cr_graph_mark(f.g);
    if (cr_rounding_bound(&bound, f.e, f.y, 0)) fail_msg("%s", cr_graph_error(f.g));
    assert_true(error <= bound && bound < 1e-15);
    assert_true(cr_graph_mark(f.g) == before);
    fixture_free(&f);
}

/* ---- Which node ---- */

static char *digits_of(cr_eval *e, cr_node y, int n, const cr_node wrt[]) {
    static char report[4096];
    cr_text *out = NULL;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    if (cr_digits(out, "text", e, y, n, wrt)) fail_msg("%s", cr_graph_error(y.graph));
    snprintf(report, sizeof report, "%s", cr_text_str(out));
    cr_text_free(out);
    return report;
}

TEST(the_node_that_loses_the_digits_is_named_with_its_step) {
    (void)state;
    static const struct {
        const char *formula, *says;
    } cases[] = {
        {"fn step(p, q) = [q, 2.25*q - 0.5*p]; scan(step, [x, x/4], steps=5)[1]",
         "lost at 2.25*q - 0.5*p in step"},
        {"fn f(v) = 1 - cos(v); map(f, 1e-4*x*(1 + iota(3)))[1]", "6.8 lost at 1 - cos(v) in step 1 of map"},
        {"fn f(v) = 1 - cos(v); checkpoint(f, x*1e-4)", "at 1 - cos(v) (cancellation)"},
        {"fn f(v) = 1 - cos(v); fn g(v) = v; cond(x > 0, f, g, x*1e-4)", "at 1 - cos(v) (cancellation)"},
        {"fn f(v) = 1 - cos(v); fn g(v) = v; cond(x > 9, f, g, x*1e-4)", "value: 15 of 16 digits\n"},
        {"fn in(s) = s + 1e-3*s; fn out(h) { q = scan(in, h, steps=3); q - 1.003*h }; scan(out, x, steps=2)",
         "- 1.003*h in step 1 of scan (cancellation)"},
        {"fn in(v, h) = h*v - v; fn out(h, v) = h + sum(map(in, v*(1 + iota(2)), h=1 + 1e-6*v)); scan(out, "
         "0, x*(1 + iota(2)))",
         "5.2 lost at h*v - v in step 0 of map in step 1 of scan"},
        {"fn on(z) = z < 100; fn go(z) = 2*z; z = while(on, go, x, most=20); z - 0.9999*z", "4 lost at"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = fixture_of(cases[i].formula, "x", 2.9, NULL);
        const char *report = digits_of(f.e, f.y, 0, NULL);
        if (!strstr(report, cases[i].says)) fail_msg("%s: %s", cases[i].formula, report);
        fixture_free(&f);
    }
}

/* Cotangents of a chaotic scan overflow on their way back: a product by a number loses nothing for that. */
TEST(cotangents_that_overflow_name_no_node) {
    (void)state;
    struct fixture f = fixture_of("fn f(h) = 3.9*h*(1 - h); scan(f, x, steps=3000)", "x", 0.3, NULL);
    const char *report = digits_of(f.e, f.y, 0, NULL);
    if (!strstr(report, "value: 0 of 16 digits") || strstr(report, "ill-conditioned")) fail_msg("%s", report);
    fixture_free(&f);
}

TEST(a_gradient_names_the_step_on_its_way_back) {
    (void)state;
    struct fixture f =
        fixture_of("fn step(z, r) = r*z*(1 - z); scan(step, x, steps=3, r=3.9)", "x", 0.5001, NULL);
    cr_node x = cr_find(f.g, "x");
    const char *report = digits_of(f.e, f.y, 1, &x), *line = strstr(report, "dvalue/dx");
    assert_non_null(line);
    if (!strstr(line, "3.4 lost at -(z'*(3.9*z)) + z'*(1 - z)*3.9 in step 0 of scan (cancellation)"))
        fail_msg("%s", report);
    fixture_free(&f);
}

/* ---- Callbacks ---- */

/* 1/3 more than its operand, off by as many units in the last place as user says. */
static cr_status thirds(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    (void)n_in, (void)n_out;
    const float *x = in[0].data;
    float *y = out[0].data;
    *y = *x * (4.0f / 3);
    for (int i = 0; i < *(int *)user; i++) *y = nextafterf(*y, INFINITY);
    return CR_OK;
}

static cr_status thirds_vjp(void *user, cr_node grads[], int n_in, const cr_node x[], int n_out,
                            const cr_node y[], const cr_node g[]) {
    (void)user, (void)n_in, (void)n_out, (void)y;
    grads[0] = cr_mul(g[0], cr_number(x[0].graph, 4.0 / 3));
    return CR_OK;
}

TEST(a_callback_is_one_op_of_as_many_ulps_as_its_author_says) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    cr_function *f = NULL;
    int off = 5;
    float xv = 1.4f;
    double one = NAN, more = NAN;
    cr_node x = cr_input(g, "x", CR_F32, 0, NULL), y;
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    assert_int_equal(cr_eval_set(e, x, CR_F32, &xv, sizeof xv), CR_OK);
    assert_int_equal(cr_function_callback(&f, "thirds", 1, &x, 1, &x, thirds, thirds_vjp, NULL, &off), CR_OK);
    assert_int_equal(cr_scan(&y, f, 2, false, 1, &x, 0, NULL, 0, NULL), CR_OK);
    assert_int_equal(cr_rounding_bound(&one, e, y, 0), CR_OK);
    assert_int_equal(cr_function_ulps(f, 6), CR_OK);
    assert_int_equal(cr_rounding_bound(&more, e, y, 0), CR_OK);
    double error = fabs(cr_eval_number(e, y) - xv * 16.0 / 9);
    assert_true(error > one && error <= more);
    assert_near(more, 6 * one, 1e-3 * more);
    assert_int_equal(cr_function_ulps(f, -1), CR_EINVAL);
    assert_int_equal(cr_function_ulps(NULL, 1), CR_EINVAL);
    cr_function_free(f);
    cr_eval_free(e);
    cr_graph_free(g);
}

/* ---- Mistakes and memory ---- */

TEST(a_while_within_a_function_needs_a_bound) {
    (void)state;
    struct fixture f = fixture_of(
        "fn on(z) = z < 100; fn go(z) = 2*z; fn f(z) = while(on, go, z); checkpoint(f, x)", "x", 3., NULL);
    double bound;
    assert_int_equal(cr_rounding_bound(&bound, f.e, f.y, 0), CR_ENODERIV);
    assert_non_null(strstr(cr_graph_error(f.g), "while: reverse mode needs a bound on the number of steps"));
    fixture_free(&f);
}

static cr_status all_of_it(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    if (!g) return CR_ENOMEM;
    cr_eval *e = NULL;
    cr_text *out = NULL;
    double v = 0.7;
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL),
            y = cr_formula(g, "fn f(h, v) = h - v; fn h(v) = 2*v; fn on(z) = z < 3; z = while(on, h, x); "
                              "scan(f, x, 1 + iota(2)) + cond(x > 0, h, h, x) + z");
    cr_status s = cr_eval_new(&e, g, NULL);
    if (!s) s = cr_text_new(&out, ctx);
    if (!s && !cr_ok(y)) s = CR_ENOMEM;
    if (!s) s = cr_eval_set(e, x, CR_F64, &v, sizeof v);
    if (!s) s = cr_digits(out, "json", e, y, 0, NULL);
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
        RUN(the_error_of_f32_is_below_the_bound_through_every_kind_of_function),
        RUN(the_error_of_f64_is_below_the_bound_where_there_is_a_closed_form),
        RUN(a_while_without_a_bound_has_one_for_what_it_did),
        RUN(the_node_that_loses_the_digits_is_named_with_its_step),
        RUN(cotangents_that_overflow_name_no_node),
        RUN(a_gradient_names_the_step_on_its_way_back),
        RUN(a_callback_is_one_op_of_as_many_ulps_as_its_author_says),
        RUN(a_while_within_a_function_needs_a_bound),
        RUN(each_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
