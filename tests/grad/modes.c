/* Both modes, every order, and the conventions. */
#include "support/rows.h"
#include "support/test.h"

#include <pthread.h>

#include "ops/build.h"

TEST(the_worked_example_has_gradient_minus_two) {
    (void)state;
    struct fixture f = fixture_of("(w*x - y)^2", "w", 1., "x", 1., "y", 2., NULL);
    assert_true(cr_eval_number(f.e, f.y) == 1);
    assert_true(derivative(&f, "w", 1) == -2);
    assert_true(derivative_forward(&f, "w", 1) == -2);
    assert_true(derivative(&f, "w", 2) == 2);
    assert_true(derivative(&f, "w", 3) == 0);
    fixture_free(&f);
}

TEST(a_node_used_twice_gets_both_cotangents) {
    (void)state;
    struct fixture f = fixture_of("sin(x)*sin(x) + x*x", "x", 0.7, NULL);
    assert_near(derivative(&f, "x", 1), sin(1.4) + 1.4, 1e-15);
    fixture_free(&f);
}

/* exp(sin x) at 0.5: derivatives by mpmath.diff at 50 digits. */
TEST(orders_to_six_agree_with_mpmath_in_both_modes) {
    (void)state;
    static const double expected[] = {1.6151462964420837,  1.4174242246593912,  0.46956439926573405,
                                      -2.3644414408552015, -5.7077340361773342, 1.1884191301934935,
                                      43.171432177436078};
    struct fixture f = fixture_of("exp(sin(x))", "x", 0.5, NULL);
    for (int k = 0; k <= 6; k++) {
        assert_near(derivative(&f, "x", k), expected[k], 1e-12 * fmax(1, fabs(expected[k])));
        assert_near(derivative_forward(&f, "x", k), expected[k], 1e-12 * fmax(1, fabs(expected[k])));
    }
    fixture_free(&f);
}

TEST(conventions_at_kinks_hold) {
    (void)state;
    static const struct {
        const char *formula;
        double at, expected;
    } cases[] = {
        {"relu(x)", 0, 0},
        {"abs(x)", 0, 0},
        {"maximum(x, 0)", 0, 0.5},
        {"minimum(x, 0)", 0, 0.5},
        {"sqrt(x)", 0, INFINITY},
        {"norm(x)", 0, 0},
        {"x^2", 0, 0},
        {"x^0", 0, 0},
        {"x^1", 0, 1},
        {"pow(x, 2)", 0, 0},
        {"hypot(x, x)", 0, 0},
        {"floor(x)", 0.5, 0},
        {"sign(x)", 2, 0},
        {"std([x, x])", 1, 0},
        {"pow(2, x)*0 + pow(0, x)", 1, 0},
        {"stop_gradient(x)*x", 3, 3},
        {"max([x, x, 0])", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = fixture_of(cases[i].formula, "x", cases[i].at, NULL);
        double d = derivative(&f, "x", 1);
        if (!(d == cases[i].expected))
            fail_msg("%s at %g: %g, expected %g", cases[i].formula, cases[i].at, d, cases[i].expected);
        fixture_free(&f);
    }
}

/* d/dx (x * d/dy (x + y) at y = 1) = 1: nested derivatives do not see each other's variable (Siskind and
 * Pearlmutter 2005). */
TEST(nested_derivatives_do_not_get_confused) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e;
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = cr_variable(x), inner, d, one = cr_number(g, 1);
    double at = 1;
    cr_eval_new(&e, g, NULL);
    cr_eval_set(e, x, CR_F64, &at, sizeof at);
    assert_int_equal(cr_jvp(&inner, 1, (cr_node[]){cr_add(x, y)}, 1, &y, &one), CR_OK);
    assert_true(cr_eval_number(e, inner) == 1); /* by y, not by the x it equals */
    assert_int_equal(cr_grad(&d, cr_mul(x, inner), 1, &x), CR_OK);
    assert_true(cr_eval_number(e, d) == 1);
    cr_eval_free(e);
    cr_graph_free(g);
}

TEST(what_does_not_depend_has_zeros_of_the_right_shape) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), v = cr_input(g, "v", CR_F64, 2, (int64_t[]){2, 3}), d;
    assert_int_equal(cr_grad(&d, cr_sin(x), 1, &v), CR_OK);
    assert_int_equal(cr_rank(d), 2);
    assert_int_equal(cr_dims(d)[1], 3);
    cr_graph_free(g);
}

TEST(only_paths_from_what_is_wanted_are_built) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = cr_input(g, "y", CR_F64, 0, NULL), long_way = y, d;
    for (int i = 0; i < 1000; i++) long_way = cr_sin(long_way);
    cr_node loss = cr_mul(cr_square(x), long_way);
    size_t before = cr_graph_count(g);
    assert_int_equal(cr_grad(&d, loss, 1, &x), CR_OK);
    assert_true(cr_graph_count(g) - before < 10);
    cr_graph_free(g);
}

TEST(what_has_no_derivative_says_so) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){3}), i = cr_input(g, "i", CR_I64, 0, NULL),
            s = cr_sum(x, 0, NULL, false), d;
    assert_int_equal(cr_grad(&d, s, 1, &i), CR_ENODERIV);
    cr_graph_clear_error(g);
    assert_int_equal(cr_grad(&d, s, 1, (cr_node[]){cr_sin(x)}), CR_ENODERIV);
    assert_non_null(strstr(cr_graph_error(g), "variable(x)"));
    cr_graph_clear_error(g);
    assert_int_equal(cr_grad(&d, x, 1, &x), CR_ESHAPE);
    assert_false(cr_ok(d));
    cr_graph_free(g);
}

/* ---- A chain of a million nodes ---- */

enum { links = 1000000 };
static struct failing memory;
static double chain_value, chain_slope;
static size_t chain_nodes;

static void *chain(void *arg) {
    cr_context *ctx = NULL;
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_context_new_with(&ctx, failing_realloc, &memory);
    cr_graph *g = cr_graph_new(ctx);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = x, d;
    for (int i = 0; i < links; i++) y = cr_sin(y);
    cr_status s = cr_grad(&d, y, 1, &x);
    chain_nodes = cr_graph_count(g);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "y", y);
    cr_target_output(t, "d", d);
    if (!s) s = cr_compile(&p, t, NULL);
    cr_target_free(t);
    if (!s) s = cr_run_new(&r, p, NULL, NULL, 0);
    double at = 0.5;
    cr_bind(r, "x", CR_F64, &at, sizeof at);
    cr_bind(r, "y", CR_F64, &chain_value, sizeof chain_value);
    cr_bind(r, "d", CR_F64, &chain_slope, sizeof chain_slope);
    if (!s) s = cr_step(r);
    cr_run_free(r);
    cr_program_free(p);
    cr_graph_free(g);
    cr_context_free(ctx);
    *(cr_status *)arg = s;
    return NULL;
}

TEST(a_chain_of_a_million_nodes_runs_on_a_small_stack) {
    (void)state;
    pthread_t thread;
    pthread_attr_t attr;
    cr_status s = CR_EINVAL;
    size_t stack = sanitized ? 1 << 20 : 64 << 10;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack);
    assert_int_equal(pthread_create(&thread, &attr, chain, &s), 0);
    pthread_join(thread, NULL);
    assert_int_equal(s, CR_OK);
    double value = 0.5, slope = 1;
    for (int i = 0; i < links; i++) slope *= cos(value), value = sin(value);
    /* Link k's relative error, 2 ulp here and 1 there, shrinks by k/links: links/2 * 3 * 2^-53 in all. */
    assert_near(chain_value, value, 2e-10 * value);
    assert_near(chain_slope, slope, 1e-9 * fabs(slope));
    assert_int_equal(memory.live, 0);
    if (memory.peak >
        320 *
            chain_nodes) /* the key by which the program is found again among them, and half a block of nodes */
        fail_msg("%zu bytes a node, more than 320", memory.peak / chain_nodes);
    print_message("%zu nodes, at most %zu bytes a node\n", chain_nodes, memory.peak / chain_nodes);
}

/* Of f32 operands, by both modes, and again. */
static void check_dtypes(struct row_case *c) {
    cr_node v[1] = {cr_input(c->g, "v", CR_F32, cr_rank(c->y), cr_dims(c->y))}, d[3], again[3], t[1];
    cr_vjp(d, 1, &c->y, v, c->n_wrt, c->wrt);
    cr_vjp(again, c->n_wrt, d, c->wrt, c->n_wrt, c->wrt);
    cr_jvp(t, 1, &c->y, c->n_wrt, c->wrt, c->wrt);
    if (cr_graph_error(c->g)) fail_msg("%s: %s", c->label, cr_graph_error(c->g));
    assert_int_equal(cr_dtype_of(t[0]), CR_F32);
    for (int k = 0; k < c->n_wrt; k++) {
        assert_int_equal(cr_dtype_of(d[k]), CR_F32);
        assert_int_equal(cr_dtype_of(again[k]), CR_F32);
    }
}

TEST(every_row_of_f32_operands_has_f32_derivatives) {
    (void)state;
    int cases = 0;
    for (int op = 1; op < OP_COUNT; op++) {
        struct row_case c;
        for (int i = 0; row_case_make(&c, op, i, CR_F32); i++) {
            if (cr_dtype_of(c.y) == CR_F32 && c.n_wrt) check_dtypes(&c), cases++;
            row_case_free(&c);
        }
    }
    assert_true(cases > 100);
}

/* ---- f32 against f64 ---- */

/* The same numbers for the operands of both: those that f32 has. */
static void share_operands(const struct row_case *from, const struct row_case *to) {
    for (int k = 0; k < from->n; k++) {
        cr_array *value = NULL, *wide = NULL;
        assert_int_equal(cr_eval_array(&value, from->e, from->x[k]), CR_OK);
        assert_int_equal(cr_array_cast(&wide, value, cr_dtype_of(to->x[k])), CR_OK);
        assert_int_equal(
            cr_eval_set(to->e, to->x[k], cr_array_dtype(wide), cr_array_data(wide), cr_array_bytes(wide)),
            CR_OK);
        cr_array_free(value);
        cr_array_free(wide);
    }
}

/* Of the largest element: some tens of half units of f32, 2^-24 each. Seen: 4 of them. */
static const double narrow_tolerance = 2e-6;

/* How far the f32 tensor x is from y, over the largest of y; below 0 where either has no value. */
static double apart(const struct row_case *a, cr_node x, const struct row_case *b, cr_node y) {
    enum { most = 64 };
    double found[most], expected[most], size = 1e-30, error = 0;
    size_t bytes = (size_t)cr_count(y) * sizeof *found;
    assert_true(cr_count(y) <= most && cr_count(x) == cr_count(y));
    if (cr_eval_value(a->e, cr_cast(x, CR_F64), CR_F64, found, bytes) ||
        cr_eval_value(b->e, y, CR_F64, expected, bytes))
        return -1; /* a matrix without a derivative */
    for (int64_t i = 0; i < cr_count(y); i++)
        if (isfinite(expected[i])) size = fmax(size, fabs(expected[i]));
    for (int64_t i = 0; i < cr_count(y); i++)
        if (isfinite(expected[i])) error = fmax(error, fabs(found[i] - expected[i]));
    return error / size;
}

TEST(gradients_in_f32_are_those_of_f64_to_five_digits_for_every_row) {
    (void)state;
    int compared = 0;
    double worst = 0;
    for (int op = 1; op < OP_COUNT; op++) {
        struct row_case a, b;
        for (int i = 0; row_case_make(&a, op, i, CR_F32); i++) {
            cr_node da[3], db[3], weight;
            assert_true(row_case_make(&b, op, i, CR_F64));
            share_operands(&a, &b);
            bool both = cr_dtype_of(a.y) == CR_F32 && cr_dtype_of(b.y) == CR_F64 && a.n_wrt;
            weight = cr_number(a.g, 1.25);
            if (both) assert_int_equal(cr_vjp(da, 1, &a.y, &weight, a.n_wrt, a.wrt), CR_OK);
            weight = cr_number(b.g, 1.25);
            if (both) assert_int_equal(cr_vjp(db, 1, &b.y, &weight, b.n_wrt, b.wrt), CR_OK);
            for (int k = 0; both && k < a.n_wrt; k++) {
                double error = apart(&a, da[k], &b, db[k]);
                worst = fmax(worst, error), compared += error >= 0;
                if (!(error <= narrow_tolerance)) fail_msg("%s, operand %d: off by %.3g", a.label, k, error);
            }
            row_case_free(&a);
            row_case_free(&b);
        }
    }
    print_message("%d gradients, the worst off by %.1e of its largest element\n", compared, worst);
    assert_true(compared > 150);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_worked_example_has_gradient_minus_two),
        RUN(a_node_used_twice_gets_both_cotangents),
        RUN(orders_to_six_agree_with_mpmath_in_both_modes),
        RUN(conventions_at_kinks_hold),
        RUN(nested_derivatives_do_not_get_confused),
        RUN(what_does_not_depend_has_zeros_of_the_right_shape),
        RUN(only_paths_from_what_is_wanted_are_built),
        RUN(what_has_no_derivative_says_so),
        RUN(every_row_of_f32_operands_has_f32_derivatives),
        RUN(gradients_in_f32_are_those_of_f64_to_five_digits_for_every_row),
        RUN(a_chain_of_a_million_nodes_runs_on_a_small_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
