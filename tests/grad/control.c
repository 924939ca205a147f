/* Functions as nodes: loops, conditions and roots, with all their derivatives, beside the same written out or a
 * closed form. */
#include "support/functions.h"
#include "support/written_out.h"

static cr_node scalar(cr_graph *g, const char *name) { return cr_input(g, name, CR_F64, 0, NULL); }

/* ---- scan ---- */

/* h = sin(h) x + k p, p = p cos(h); y = h^2 p, of width n (0: numbers), steps times, beside the loop written out. */
static void scan_beside_unrolled(cr_dtype dtype, int64_t n, int steps, bool reverse, bool strided,
                                 double tolerance) {
    cr_function *f =
        function_of(dtype, n, NAMES("h", "p", "x", "k"), 3, NAMES("sin(h)*x + k*p", "p*cos(h)", "h^2*p"));
    cr_graph *g = cr_graph_new(NULL);
    int64_t rows[2] = {steps, n}, columns[2] = {n, steps};
    cr_node h0 = cr_input(g, "h", dtype, n > 0, &n), p0 = cr_input(g, "p", dtype, n > 0, &n),
            k = cr_input(g, "k", dtype, n > 0, &n),
            given = cr_input(g, "x", dtype, n ? 2 : 1, strided && n ? columns : rows),
            x = strided && n ? cr_t(given) : given;
    cr_node out[3], h = h0, p = p0, y[64];
    assert_int_equal(cr_scan(out, f, steps, reverse, 2, (cr_node[]){h0, p0}, 1, &x, 1, &k), CR_OK);
    for (int i = 0; i < steps; i++) {
        int at = reverse ? steps - 1 - i : i;
        cr_node row = n ? cr_slice(x, 2, (int64_t[]){at, 0}, (int64_t[]){1, 1}, (int64_t[]){1, n})
                        : cr_slice(x, 1, (int64_t[]){at}, (int64_t[]){1}, (int64_t[]){1});
        row = cr_reshape(row, n > 0, &n);
        y[at] = cr_mul(cr_square(h), p);
        cr_node next = cr_add(cr_mul(cr_sin(h), row), cr_mul(k, p));
        p = cr_mul(p, cr_cos(h));
        h = next;
    }
    cr_node stacked = steps ? cr_stack(steps, y, 0) : out[2];
    static double data[4][4096];
    struct given in[4] = {{"h", dtype, n > 0, &n, data[0], NULL},
                          {"p", dtype, n > 0, &n, data[1], NULL},
                          {"k", dtype, n > 0, &n, data[2], NULL},
                          {"x", dtype, n ? 2 : 1, strided && n ? columns : rows, data[3], NULL}};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4096; j++) {
            double v = 0.9 * sin(1.7 * i + 0.37 * j + 1);
            if (dtype == CR_F64) data[i][j] = v;
            else ((float *)data[i])[j] = (float)v;
        }
    equal_everywhere(out[0], h, 4, in, tolerance);
    equal_everywhere(out[1], p, 4, in, tolerance);
    if (steps) equal_everywhere(out[2], stacked, 4, in, tolerance);
    cr_node loss = cr_add(total(cr_mul(out[0], out[1])), total(cr_sin(out[2]))),
            written = cr_add(total(cr_mul(h, p)), total(cr_sin(stacked)));
    same_derivatives(loss, written, 4, (cr_node[]){h0, p0, k, given}, 4, in, tolerance);
    for (int forward = 0; forward < 2 && n < 10; forward++) { /* all directions at once, through the loop */
        cr_node a, b;
        assert_int_equal(cr_jacobian(&a, out[2], 1, &given, forward ? CR_FORWARD : CR_REVERSE), CR_OK);
        assert_int_equal(cr_jacobian(&b, stacked, 1, &given, forward ? CR_FORWARD : CR_REVERSE), CR_OK);
        if (steps) equal_everywhere(a, b, 4, in, tolerance);
        assert_int_equal(cr_hessian(&a, loss, 1, &given), CR_OK);
        assert_int_equal(cr_hessian(&b, written, 1, &given), CR_OK);
        equal_everywhere(a, b, 4, in, tolerance);
    }
    assert_null(cr_graph_error(g));
    cr_graph_free(g);
    cr_function_free(f);
}

TEST(a_scan_and_its_derivatives_are_those_of_the_loop_written_out) {
    (void)state;
    scan_beside_unrolled(CR_F64, 0, 5, false, false, 1e-11);
    scan_beside_unrolled(CR_F64, 0, 5, true, false, 1e-11);
    scan_beside_unrolled(CR_F64, 3, 4, false, true, 1e-11);
    scan_beside_unrolled(CR_F64, 3, 1, true, false, 1e-11);
    scan_beside_unrolled(CR_F64, 2, 0, false, false, 1e-11);
    scan_beside_unrolled(CR_F32, 3, 4, false, false, 2e-4);
}

/* Fibonacci's numbers: each carry takes what the next was. Then the same with carries that are parts of another, turned round, and
 * with a carry as it was among what each step gives. */
static void carries_that_move(int64_t n) {
    static const double fibonacci[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55};
    enum { steps = 8 };
    const char *const formula[] = {"b", "c", n ? "b[[1, 0]] + c" : "b + c", "a"};
    cr_function *f = function_of(CR_F64, n, NAMES("a", "b", "c"), 4, formula);
    cr_graph *g = cr_graph_new(NULL);
    cr_node start[3], out[4];
    double value[2 * steps];
    size_t width = n ? (size_t)n : 1;
    for (int i = 0; i < 3; i++) { /* 0, 1, 1 */
        start[i] = cr_cast(cr_number(g, i > 0), CR_F64);
        if (n) start[i] = cr_expand(start[i], 1, &n);
    }
    assert_int_equal(cr_scan(out, f, steps, false, 3, start, 0, NULL, 0, NULL), CR_OK);
    cr_function_free(f);
    for (enum way way = 0; way < WAYS; way++)
        for (int i = 0; i < 4; i++) {
            compute(way, out[i], 0, NULL, value, (i == 3 ? steps : 1) * width * sizeof *value);
            for (size_t k = 0; k < (i == 3 ? steps : 1) * width; k++)
                if (value[k] != fibonacci[i == 3 ? k / width : steps + (size_t)i])
                    fail_msg("%s: result %d, element %d: %g", way_name(way), i, (int)k, value[k]);
        }
    cr_graph_free(g);
}

TEST(a_carry_may_take_what_another_was) {
    (void)state;
    carries_that_move(0);
    carries_that_move(2);
}

TEST(large_carries_are_not_copied_and_still_right) {
    (void)state;
    scan_beside_unrolled(CR_F64, 200, 3, false, false, 1e-10);
    scan_beside_unrolled(CR_F64, 200, 3, true, true, 1e-10);
}

TEST(functions_of_many_slices_are_each_slice_of_its_own) {
    (void)state;
    enum { slices = 3, steps = 4 };
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "x", "k"), 2, NAMES("sin(h)*x + k", "h*x")),
                *root = function_of(CR_F64, 0, NAMES("y", "k"), 1, NAMES("y^3 - k")),
                *other = function_of(CR_F64, 0, NAMES("h", "x", "k"), 2, NAMES("h - x", "k"));
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = steps, many[2] = {slices, steps}, row = slices;
    cr_node x = cr_input(g, "x", CR_F64, 1, &n), k = scalar(g, "k"), c = cr_input(g, "c", CR_BOOL, 0, NULL),
            y[8], xs = cr_input(g, "xs", CR_F64, 2, many), ks = cr_input(g, "ks", CR_F64, 1, &row), all[8];
    cr_scan(y, f, steps, true, 1, &k, 1, &x, 1, &k);
    cr_node first = cr_reshape(cr_slice(x, 1, (int64_t[]){0}, (int64_t[]){1}, (int64_t[]){1}), 0, NULL);
    cr_call(y + 2, f, 3, (cr_node[]){k, first, k});
    cr_cond(y + 4, c, f, other, 3, (cr_node[]){k, first, k});
    y[6] = cr_implicit(root, cr_pow(k, cr_number(g, 1. / 3)), 1, &k);
    cr_grad(&y[7], cr_add(y[6], cr_sum(y[1], 0, NULL, false)), 1, &k);
    assert_int_equal(cr_vmap(all, 8, y, 2, (cr_node[]){x, k}, (cr_node[]){xs, ks}), CR_OK);
    double xv[slices * steps], kv[slices] = {0.5, 1.25, 2}, got[slices * steps], one[steps];
    bool cv = true;
    for (int i = 0; i < slices * steps; i++) xv[i] = cos(i);
    for (int i = 0; i < 8; i++)
        for (int s = 0; s < slices; s++) {
            struct given in[] = {{"x", CR_F64, 1, &n, xv + s * steps, NULL},
                                 {"k", CR_F64, 0, NULL, kv + s, NULL},
                                 {"c", CR_BOOL, 0, NULL, &cv, NULL},
                                 {"xs", CR_F64, 2, many, xv, NULL},
                                 {"ks", CR_F64, 1, &row, kv, NULL}};
            size_t each = (size_t)cr_count(y[i]);
            compute(WAY_CPU, all[i], 5, in, got, slices * each * sizeof *got);
            compute(WAY_CPU, y[i], 5, in, one, each * sizeof *one);
            for (size_t j = 0; j < each; j++) assert_near(got[(size_t)s * each + j], one[j], 1e-13);
        }
    cr_graph_free(g);
    cr_function_free(f), cr_function_free(root), cr_function_free(other);
}

TEST(a_long_scan_holds_its_body_once) {
    (void)state;
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "k"), 1, NAMES("sin(h)*k + h"));
    cr_graph *g = cr_graph_new(NULL);
    cr_node h = scalar(g, "h"), k = scalar(g, "k"), y, d[2];
    assert_int_equal(cr_scan(&y, f, 10000, false, 1, &h, 0, NULL, 1, &k), CR_OK);
    assert_int_equal(cr_grad(d, y, 2, (cr_node[]){h, k}), CR_OK);
    assert_true(cr_graph_count(g) < 20);
    double hv = 0.1, kv = -1e-3, expected_h = 1, expected_k = 0, at = hv,
           got[2]; /* closed recurrences of d/dh, d/dk */
    for (int i = 0; i < 10000; i++) {
        expected_k = expected_k * (1 + kv * cos(at)) + sin(at);
        expected_h *= 1 + kv * cos(at);
        at += kv * sin(at);
    }
    struct given in[] = {{"h", CR_F64, 0, NULL, &hv, NULL}, {"k", CR_F64, 0, NULL, &kv, NULL}};
    for (int i = 0; i < 2; i++) compute(WAY_CPU, d[i], 2, in, &got[i], 8);
    assert_near(got[0], expected_h, 1e-9 * fabs(expected_h));
    assert_near(got[1], expected_k, 1e-9 * fabs(expected_k));
    cr_graph_free(g);
    cr_function_free(f);
}

TEST(scans_nest_and_bodies_may_hold_gradients) {
    (void)state;
    cr_graph *b = cr_graph_new(NULL), *g = cr_graph_new(NULL);
    cr_function *inner = function_of(CR_F64, 0, NAMES("h", "k"), 1, NAMES("h + k*sin(h)")), *outer = NULL;
    cr_node h = scalar(b, "h"), k = scalar(b, "k"), y, d; /* three steps, then down their own gradient */
    assert_int_equal(cr_scan(&y, inner, 3, false, 1, &h, 0, NULL, 1, &k), CR_OK);
    assert_int_equal(cr_grad(&d, cr_square(y), 1, &h), CR_OK);
    y = cr_sub(y, cr_mul(cr_number(b, 0.1), d));
    assert_int_equal(cr_function_new(&outer, 2, (cr_node[]){h, k}, 1, &y), CR_OK);
    cr_node h0 = scalar(g, "h"), k0 = scalar(g, "k"), scanned, written = h0;
    assert_int_equal(cr_scan(&scanned, outer, 2, false, 1, &h0, 0, NULL, 1, &k0), CR_OK);
    for (int i = 0; i < 2; i++) {
        cr_node v = cr_variable(written), at = v, slope;
        for (int j = 0; j < 3; j++) at = cr_add(at, cr_mul(k0, cr_sin(at)));
        assert_int_equal(cr_grad(&slope, cr_square(at), 1, &v), CR_OK);
        written = cr_sub(at, cr_mul(cr_number(g, 0.1), slope));
    }
    double hv = 0.4, kv = 0.3;
    struct given in[] = {{"h", CR_F64, 0, NULL, &hv, NULL}, {"k", CR_F64, 0, NULL, &kv, NULL}};
    equal_everywhere(scanned, written, 2, in, 1e-12);
    same_derivatives(scanned, written, 2, (cr_node[]){h0, k0}, 2, in, 1e-9);
    assert_null(cr_graph_error(g));
    cr_graph_free(b), cr_graph_free(g);
    cr_function_free(inner), cr_function_free(outer);
}

TEST(map_is_the_function_on_each_element) {
    (void)state;
    cr_function *f = function_of(CR_F64, 0, NAMES("x", "k"), 1, NAMES("exp(k*x)"));
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = 9;
    cr_node x = cr_input(g, "x", CR_F64, 1, &n), k = scalar(g, "k"), y;
    double xv[9] = {-2, -1, -.5, 0, .1, .2, .7, 1, 2}, kv = 0.8;
    assert_int_equal(cr_map(&y, f, 9, 1, &x, 1, &k), CR_OK);
    struct given in[] = {{"x", CR_F64, 1, &n, xv, NULL}, {"k", CR_F64, 0, NULL, &kv, NULL}};
    cr_node written = cr_exp(cr_mul(k, x));
    equal_everywhere(y, written, 2, in, 1e-14);
    same_derivatives(total(y), total(written), 2, (cr_node[]){x, k}, 2, in, 1e-10);
    cr_graph_free(g);
    cr_function_free(f);
}

/* ---- cond ---- */

TEST(a_condition_differentiates_the_branch_that_runs) {
    (void)state;
    cr_function *yes = function_of(CR_F64, 0, NAMES("x", "k"), 1, NAMES("log(x)*k")),
                *no = function_of(CR_F64, 0, NAMES("x", "k"), 1, NAMES("k^3 + x"));
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = scalar(g, "x"), k = scalar(g, "k"), y;
    assert_int_equal(cr_cond(&y, cr_lt(cr_number(g, 0), x), yes, no, 2, (cr_node[]){x, k}), CR_OK);
    double xv = 0.7, kv = 1.3;
    struct given in[] = {{"x", CR_F64, 0, NULL, &xv, NULL}, {"k", CR_F64, 0, NULL, &kv, NULL}};
    equal_everywhere(y, cr_mul(cr_log(x), k), 2, in, 1e-15);
    same_derivatives(y, cr_mul(cr_log(x), k), 2, (cr_node[]){x, k}, 2, in, 1e-12);
    xv = -2; /* the logarithm never runs: no nan comes of it */
    same_derivatives(y, cr_add(cr_powi(k, 3), x), 2, (cr_node[]){x, k}, 2, in, 1e-12);
    cr_graph_free(g);
    cr_function_free(yes), cr_function_free(no);
}

/* ---- while ---- */

/* Newton's iteration for sqrt(a), until it is exact to 1e-14: with a bound, both modes; the closed form is a^(1/2). */
static cr_node newton_sqrt(cr_graph *g, cr_node a, int64_t max_trips) {
    cr_function *step = function_of(CR_F64, 0, NAMES("x", "a"), 1, NAMES("(x + a/x)/2"));
    cr_graph *c = cr_graph_new(NULL);
    cr_node in[2] = {scalar(c, "x"), scalar(c, "a")}, y;
    cr_node more = cr_formula(c, "abs(x*x - a) > 1e-14*a");
    cr_function *condition = NULL;
    assert_int_equal(cr_function_new(&condition, 2, in, 1, &more), CR_OK);
    cr_node start = cr_add(a, cr_number(g, 1));
    cr_while(&y, condition, step, max_trips, 1, &start, 1, &a);
    cr_graph_free(c);
    cr_function_free(step), cr_function_free(condition);
    return y;
}

TEST(a_while_is_differentiated_in_both_modes) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node a = scalar(g, "a"), y = newton_sqrt(g, a, 60), free_y = newton_sqrt(g, a, -1), t,
            one = cr_number(g, 1);
    double av = 7.3, got;
    struct given in[] = {{"a", CR_F64, 0, NULL, &av, NULL}};
    equal_everywhere(y, cr_sqrt(a), 1, in, 1e-13);
    same_derivatives(y, cr_sqrt(a), 1, &a, 1, in, 1e-9);
    assert_int_equal(cr_jvp(&t, 1, &free_y, 1, &a, &one), CR_OK);
    assert_int_equal(cr_jvp(&t, 1, &t, 1, &a, &one), CR_OK); /* forward over forward, without a bound */
    compute(WAY_CPU, t, 1, in, &got, 8);
    assert_near(got, -0.25 * pow(av, -1.5), 1e-10);
    assert_int_equal(cr_grad(&t, free_y, 1, &a), CR_ENODERIV);
    assert_non_null(strstr(cr_graph_error(g), "max_trips"));
    cr_graph_free(g);
}

TEST(more_trips_than_allowed_fail_the_step_and_change_nothing) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node a = cr_param(g, "a", CR_F64, 0, NULL), y = newton_sqrt(g, a, 3);
    for (int reference = 0; reference < 2; reference++) {
        cr_target *t = cr_target_new(g);
        cr_program *p = NULL;
        cr_store *s = NULL;
        cr_run *r = NULL;
        cr_options *o = cr_options_new(NULL);
        cr_options_set(o, "device", reference ? "reference" : "cpu");
        double av = 7.3;
        cr_target_update(t, a, y);
        assert_int_equal(cr_compile(&p, t, o), CR_OK);
        assert_int_equal(cr_store_new(&s, NULL), CR_OK);
        cr_store_set(s, "a", CR_F64, &av, sizeof av);
        assert_int_equal(cr_run_new(&r, p, s, NULL, 0), CR_OK);
        assert_int_equal(cr_step(r), CR_ELIMIT);
        if (!strstr(cr_run_error(r),
                    "step 3: the condition still holds after max_trips (of a formula: most), 3"))
            fail_msg("%s", cr_run_error(r));
        cr_store_get(s, "a", CR_F64, &av, sizeof av);
        assert_true(av == 7.3);
        cr_run_free(r), cr_program_free(p), cr_store_free(s), cr_target_free(t), cr_options_free(o);
    }
    cr_graph_free(g);
}

TEST(what_fails_or_is_trapped_in_a_body_is_named) {
    (void)state;
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "x"), 1, NAMES("log(x) + h"));
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = 4;
    cr_node h = scalar(g, "h"), x = cr_input(g, "x", CR_F64, 1, &n), y;
    cr_scan(&y, f, 4, false, 1, &h, 1, &x, 0, NULL);
    for (int reference = 0; reference < 2; reference++) {
        cr_target *t = cr_target_new(g);
        cr_program *p = NULL;
        cr_run *r = NULL;
        cr_options *o = cr_options_new(NULL);
        double hv = 0, xv[4] = {1, 2, -3, 4}, out;
        cr_options_set(o, "device", reference ? "reference" : "cpu");
        cr_options_set(o, "trap_nan", "1");
        cr_target_output(t, "y", y);
        assert_int_equal(cr_compile(&p, t, o), CR_OK);
        assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
        cr_bind(r, "h", CR_F64, &hv, sizeof hv);
        cr_bind(r, "x", CR_F64, xv, sizeof xv);
        cr_bind(r, "y", CR_F64, &out, sizeof out);
        assert_int_equal(cr_step(r), CR_ENAN);
        if (!strstr(cr_run_error(r), "scan of h, x: step 2: 1:1: log of x: made the first nan"))
            fail_msg("%d: %s", reference, cr_run_error(r));
        cr_run_free(r), cr_program_free(p), cr_target_free(t), cr_options_free(o);
    }
    cr_graph_free(g);
    cr_function_free(f);
}

/* ---- call ---- */

TEST(a_call_is_the_function) {
    (void)state;
    cr_function *f = function_of(CR_F64, 5, NAMES("x", "k"), 2, NAMES("sin(x*k)", "x^2 + k"));
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = 5;
    cr_node x = cr_input(g, "x", CR_F64, 1, &n), k = cr_input(g, "k", CR_F64, 1, &n), y[2], again[2];
    double xv[5] = {-2, -1, .5, 0, 1}, kv[5] = {1, .3, 2, -1, .1};
    struct given in[] = {{"x", CR_F64, 1, &n, xv, NULL}, {"k", CR_F64, 1, &n, kv, NULL}};
    assert_int_equal(cr_call(y, f, 2, (cr_node[]){x, k}), CR_OK);
    assert_int_equal(cr_call(again, f, 2, (cr_node[]){x, k}), CR_OK);
    assert_true(cr_same(y[1], again[1])); /* equal nodes are one */
    cr_node written = total(cr_mul(cr_sin(cr_mul(x, k)), cr_add(cr_square(x), k)));
    same_derivatives(total(cr_mul(y[0], y[1])), written, 2, (cr_node[]){x, k}, 2, in, 1e-10);
    size_t count = cr_graph_count(g);
    cr_node d[4];
    cr_grad(d, total(y[0]), 2, (cr_node[]){x, k});
    cr_grad(d + 2, total(y[0]), 2, (cr_node[]){x, k});
    assert_true(cr_same(d[0], d[2]) && cr_graph_count(g) < count + 10); /* derivatives of functions too */
    cr_graph_free(g);
    cr_function_free(f);
}

/* Twenty layers, each a chain whose derivative needs all of it: written out, or called. */
static size_t workspace_of_layers(bool called, double *slope) {
    enum { layers = 20, length = 30, n = 1000 };
    int64_t dims[1] = {n};
    cr_graph *b = cr_graph_new(NULL), *g = cr_graph_new(NULL);
    cr_node in = cr_input(b, "x", CR_F64, 1, dims), out = in, x = cr_input(g, "x", CR_F64, 1, dims), y = x, d;
    cr_function *f = NULL;
    for (int i = 0; i < length; i++) out = cr_sin(cr_sort(out, -1, false)); /* sort: fused with nothing */
    assert_int_equal(cr_function_new(&f, 1, &in, 1, &out), CR_OK);
    for (int i = 0; i < layers; i++) {
        if (called) cr_call(&y, f, 1, &y);
        for (int k = 0; k < length && !called; k++) y = cr_sin(cr_sort(y, -1, false));
    }
    assert_int_equal(cr_grad(&d, total(y), 1, &x), CR_OK);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_run *r = NULL;
    static double xv[n], dv[n];
    for (int i = 0; i < n; i++) xv[i] = sin(i);
    cr_target_output(t, "d", d);
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F64, xv, sizeof xv);
    cr_bind(r, "d", CR_F64, dv, sizeof dv);
    assert_int_equal(cr_step(r), CR_OK);
    *slope = 0;
    for (int i = 0; i < n; i++) *slope += dv[i];
    size_t bytes = cr_program_workspace(p);
    cr_run_free(r), cr_program_free(p), cr_target_free(t);
    cr_graph_free(b), cr_graph_free(g);
    cr_function_free(f);
    return bytes;
}

TEST(a_call_keeps_its_operands_alone_for_the_way_back) {
    (void)state;
    double written, called;
    size_t all = workspace_of_layers(false, &written), few = workspace_of_layers(true, &called);
    assert_true(called == written);
    if (few > all / 5) fail_msg("called: %zu bytes, written out: %zu", few, all);
}

/* ---- implicit ---- */

TEST(a_root_has_the_derivatives_of_the_root) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_function *f = function_of(CR_F64, 0, NAMES("x", "a"), 1, NAMES("x^3 - a"));
    cr_node a = scalar(g, "a"), found = scalar(g, "found"), x = cr_implicit(f, found, 1, &a);
    double av = 5, root = cbrt(5);
    struct given in[] = {{"a", CR_F64, 0, NULL, &av, NULL}, {"found", CR_F64, 0, NULL, &root, NULL}};
    cr_node closed = cr_pow(a, cr_div(cr_number(g, 1), cr_number(g, 3)));
    equal_everywhere(x, closed, 2, in, 1e-15);
    same_derivatives(x, closed, 1, &a, 2, in, 1e-11);
    cr_graph_free(g);
    cr_function_free(f);
}

/* argmin over x of |x - b|^2/2 + |x|^4/4 in the plane, by its gradient; x is found by hand for b = (3, 0.5) s: x = s' b with
 * s' + s'^3 |b|^2 = 1. */
TEST(an_argmin_is_a_root_of_its_gradient) {
    (void)state;
    cr_graph *body = cr_graph_new(NULL), *g = cr_graph_new(NULL);
    int64_t n = 2;
    cr_node in[2] = {cr_input(body, "x", CR_F64, 1, &n), cr_input(body, "b", CR_F64, 1, &n)}, slope;
    cr_node energy = cr_formula(body, "sum((x - b)^2)/2 + sum(x^2)^2/4");
    cr_function *f = NULL;
    assert_int_equal(cr_grad(&slope, energy, 1, in), CR_OK);
    assert_int_equal(cr_function_new(&f, 2, in, 1, &slope), CR_OK);
    cr_node b = cr_input(g, "b", CR_F64, 1, &n), found = cr_input(g, "found", CR_F64, 1, &n),
            x = cr_implicit(f, found, 1, &b), d;
    double bv[2] = {3, 0.5}, bb = 9.25, s = 0.5, xv[2], got[2];
    for (int i = 0; i < 50; i++) s -= (s + s * s * s * bb - 1) / (1 + 3 * s * s * bb);
    xv[0] = s * bv[0], xv[1] = s * bv[1];
    struct given given[] = {{"b", CR_F64, 1, &n, bv, NULL}, {"found", CR_F64, 1, &n, xv, NULL}};
    assert_int_equal(cr_grad(&d, cr_sum(cr_square(x), 0, NULL, false), 1, &b), CR_OK);
    double ds = -s * s * s / (1 + 3 * s * s * bb); /* ds/d|b|^2; |x|^2 = s^2 |b|^2 */
    for (enum way way = 0; way < WAYS; way++) {
        compute(way, d, 2, given, got, sizeof got);
        for (int i = 0; i < 2; i++) assert_near(got[i], 2 * bv[i] * (s * s + 2 * s * ds * bb), 1e-13);
    }
    cr_graph_free(body), cr_graph_free(g);
    cr_function_free(f);
}

/* ---- What does not fit ---- */

static void says(cr_graph *g, cr_status status, cr_status expected, const char *sentence) {
    assert_int_equal(status, expected);
    if (!cr_graph_error(g) || !strstr(cr_graph_error(g), sentence))
        fail_msg("%s, expected %s", cr_graph_error(g), sentence);
    cr_graph_clear_error(g);
}

TEST(mistakes_are_told_with_what_was_expected) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = 3, m = 4;
    cr_function *wide = function_of(CR_F64, 0, NAMES("h", "x"), 1, NAMES("[h, x]")),
                *two = function_of(CR_F64, 0, NAMES("h", "x"), 1, NAMES("h*x")),
                *single = function_of(CR_F32, 0, NAMES("h", "x"), 1, NAMES("h*x")), *none = NULL;
    cr_node h = scalar(g, "h"), x = cr_input(g, "x", CR_F64, 1, &n), y = cr_input(g, "y", CR_F64, 1, &m),
            out[3], p = cr_param(g, "p", CR_F64, 0, NULL);
    says(g, cr_scan(out, wide, 3, false, 1, &h, 1, &x, 0, NULL), CR_ESHAPE,
         "scan: a step changes carry 1: expected [] of f64, found [2] of f64");
    says(g, cr_scan(out, two, 3, false, 1, &h, 1, &y, 0, NULL), CR_ESHAPE,
         "scan: operand 1: expected [3] of f64, found [4] of f64");
    says(g, cr_scan(out, single, 3, false, 1, &h, 1, &x, 0, NULL), CR_EDTYPE,
         "scan: carry 1: expected [] of f32, found [] of f64");
    says(g, cr_scan(out, two, -1, false, 1, &h, 1, &x, 0, NULL), CR_EINVAL, "a count of steps below 0: -1");
    says(g, cr_scan(out, two, (int64_t)1 << 60, false, 1, &h, 1, &h, 0, NULL), CR_ELIMIT, "too large");
    says(g, cr_call(out, two, 1, &h), CR_EINVAL, "call: the function has 2 operands, found 1");
    says(g, cr_cond(out, h, two, two, 2, (cr_node[]){h, p}), CR_EDTYPE,
         "cond: condition 1: expected [] of bool, found [] of f64");
    says(g, cr_while(out, two, two, 5, 1, &h, 1, &p), CR_EINVAL,
         "while: expected a condition that gives one bool, found [] of f64");
    cr_node sum = cr_add(h, p);
    says(g, cr_function_new(&none, 1, &h, 1, &sum), CR_EINVAL,
         "function: 'p' is needed, and is none of the function's inputs");
    says(g, cr_function_new(&none, 2, (cr_node[]){h, h}, 1, &h), CR_EINVAL,
         "function: input 2 is input 1 again: 'h'");
    assert_null(none);
    assert_int_equal(cr_call(out, NULL, 1, &h), CR_EINVAL);
    assert_int_equal(cr_scan(NULL, two, 3, false, 1, &h, 1, &x, 0, NULL), CR_EINVAL);
    cr_graph_free(g);
    cr_function_free(wide), cr_function_free(two), cr_function_free(single);
}

/* What no gradient asks for, a formula may: fewer than none, more than there are rows. */
TEST(a_count_of_steps_out_of_range_fails_the_step_in_every_way) {
    (void)state;
    static const int64_t counts[] = {2, 0, 3, -1, INT64_MIN, INT64_MAX}, rows[1] = {2};
    double h = 1, v[2] = {10, 100}, y = 0;
    int64_t c;
    for (int way = 0; way < 2; way++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_options *options = cr_options_new(NULL);
        cr_program *p = NULL;
        cr_run *r = NULL;
        cr_input(g, "h", CR_F64, 0, NULL), cr_input(g, "v", CR_F64, 1, rows),
            cr_input(g, "c", CR_I64, 0, NULL);
        cr_node z = cr_formula(g, "fn f(h, v) = h + v; scan(f, h, v, steps=c)");
        cr_target *t = cr_target_new(g);
        assert_int_equal(cr_target_output(t, "y", z), CR_OK);
        assert_int_equal(cr_options_set(options, "device", way ? "reference" : "cpu"), CR_OK);
        if (cr_compile(&p, t, options)) fail_msg("%s", cr_graph_error(g));
        assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
        assert_int_equal(cr_bind(r, "h", CR_F64, &h, sizeof h), CR_OK);
        assert_int_equal(cr_bind(r, "v", CR_F64, v, sizeof v), CR_OK);
        assert_int_equal(cr_bind(r, "c", CR_I64, &c, sizeof c), CR_OK);
        assert_int_equal(cr_bind(r, "y", CR_F64, &y, sizeof y), CR_OK);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            char expected[100];
            c = counts[i];
            cr_status s = cr_step(r);
            assert_int_equal(s, i < 2 ? CR_OK : CR_EINDEX);
            if (!s) assert_true(y == (i ? 1 : 111));
            snprintf(expected, sizeof expected, "a count of %lld steps, expected 0 to 2", (long long)c);
            if (s && !strstr(cr_run_error(r), expected)) fail_msg("%s", cr_run_error(r));
        }
        cr_run_free(r), cr_program_free(p), cr_target_free(t), cr_options_free(options);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_scan_and_its_derivatives_are_those_of_the_loop_written_out),
        RUN(a_carry_may_take_what_another_was),
        RUN(large_carries_are_not_copied_and_still_right),
        RUN(functions_of_many_slices_are_each_slice_of_its_own),
        RUN(a_long_scan_holds_its_body_once),
        RUN(scans_nest_and_bodies_may_hold_gradients),
        RUN(map_is_the_function_on_each_element),
        RUN(a_condition_differentiates_the_branch_that_runs),
        RUN(a_while_is_differentiated_in_both_modes),
        RUN(more_trips_than_allowed_fail_the_step_and_change_nothing),
        RUN(what_fails_or_is_trapped_in_a_body_is_named),
        RUN(a_call_is_the_function),
        RUN(a_call_keeps_its_operands_alone_for_the_way_back),
        RUN(a_root_has_the_derivatives_of_the_root),
        RUN(an_argmin_is_a_root_of_its_gradient),
        RUN(a_count_of_steps_out_of_range_fails_the_step_in_every_way),
        RUN(mistakes_are_told_with_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
