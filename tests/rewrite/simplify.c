/* Formulas made simple: derivatives as a textbook has them, and what stays as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "ops/build.h"
#include "rewrite/rewrite.h"

struct world {
    cr_graph *g;
    cr_node w, x, y, a, b, v, u;
};

static int set_up(void **state) {
    static struct world s;
    s.g = cr_graph_new(NULL);
    s.w = cr_param(s.g, "w", CR_F64, 0, NULL);
    s.x = cr_input(s.g, "x", CR_F64, 0, NULL);
    s.y = cr_input(s.g, "y", CR_F64, 0, NULL);
    s.a = cr_input(s.g, "a", CR_F64, 0, NULL);
    s.b = cr_input(s.g, "b", CR_F64, 0, NULL);
    s.v = cr_input(s.g, "v", CR_F64, 1, (int64_t[]){3});
    s.u = cr_input(s.g, "u", CR_F64, 1, (int64_t[]){3});
    *state = &s;
    return 0;
}

static int tear_down(void **state) {
    struct world *s = *state;
    cr_graph_free(s->g);
    return 0;
}

/* printing stands beside rewriting: only its public call is used */
static void expect_text(cr_node x, const char *text) {
    cr_text *t;
    assert_int_equal(cr_text_new(&t, NULL), CR_OK);
    assert_null(cr_graph_error(x.graph));
    assert_int_equal(cr_print(t, x), CR_OK);
    assert_string_equal(cr_text_str(t), text);
    cr_text_free(t);
}

static void simple(cr_node x, const char *text) {
    cr_node y = cr_simplify(x);
    expect_text(y, text);
    assert_true(cr_same(cr_simplify(y), y));
    assert_int_equal(cr_dtype_of(x), cr_dtype_of(y));
    assert_int_equal(cr_rank(x), cr_rank(y));
}

static void derivative(cr_node f, cr_node by, const char *text) {
    cr_node d;
    assert_int_equal(cr_grad(&d, f, 1, &by), CR_OK);
    simple(d, text);
}

#define NUM(value) cr_number(s->g, value)

static void the_worked_example_reads_as_on_paper(void **state) {
    const struct world *s = *state;
    cr_node loss = cr_powi(cr_sub(cr_mul(s->w, s->x), s->y), 2);
    derivative(loss, s->w, "2*x*(w*x - y)");
    derivative(loss, s->y, "-2*(w*x - y)");
}

static void derivatives_read_like_a_textbook(void **state) {
    const struct world *s = *state;
    cr_node x = s->x, y = s->y, one = NUM(1), x2 = cr_powi(x, 2);
    derivative(cr_powi(x, 3), x, "3*x^2");
    derivative(cr_mul(x, x), x, "2*x");
    derivative(cr_div(one, x), x, "-1/x^2");
    derivative(cr_div(NUM(3), x2), x, "-6/x^3");
    derivative(cr_sqrt(x), x, "1/(2*sqrt(x))");
    derivative(cr_rsqrt(x), x, "-1/(2*x*sqrt(x))");
    derivative(cr_sqrt(cr_add(one, x2)), x, "x/sqrt(x^2 + 1)");
    derivative(cr_add(cr_add(cr_powi(x, 3), cr_mul(NUM(2), x2)), cr_add(cr_mul(NUM(5), x), NUM(7))), x,
               "3*x^2 + 4*x + 5");
    derivative(cr_pow(x, y), x, "y*x^(y - 1)");
    derivative(cr_pow(x, y), y, "x^y*log(x)");
    derivative(cr_pow(x, NUM(2.5)), x, "2.5*x^1.5");
    derivative(cr_exp(cr_neg(x2)), x, "-2*x*exp(-x^2)");
    derivative(cr_log(x), x, "1/x");
    derivative(cr_div(cr_log(x), x), x, "(1 - log(x))/x^2");
    derivative(cr_mul(x, cr_log(x)), x, "log(x) + 1");
    derivative(cr_log(cr_exp(x)), x, "1");
    derivative(cr_mul(cr_sin(x), cr_exp(x)), x, "cos(x)*exp(x) + sin(x)*exp(x)");
    derivative(cr_div(cr_sin(x), x), x, "(x*cos(x) - sin(x))/x^2");
    derivative(cr_log(cr_sin(x)), x, "cos(x)/sin(x)");
    derivative(cr_powi(cr_cos(x), 2), x, "-2*cos(x)*sin(x)");
    derivative(cr_tan(x), x, "tan(x)^2 + 1");
    derivative(cr_asin(x), x, "1/sqrt(1 - x^2)");
    derivative(cr_atan(x), x, "1/(x^2 + 1)");
    derivative(cr_tanh(x), x, "1 - tanh(x)^2");
    derivative(cr_sigmoid(x), x, "sigmoid(x)*(1 - sigmoid(x))");
    derivative(cr_softplus(x), x, "sigmoid(x)");
    derivative(cr_div(x, cr_add(one, x)), x, "1/(x + 1)^2");
    derivative(cr_div(x, cr_add(one, x2)), x, "(1 - x^2)/(x^2 + 1)^2");
    derivative(cr_relu(x), x, "where(0 < x, 1, 0)");
    derivative(cr_hypot(x, y), x, "x/hypot(x, y)");
    derivative(cr_atan2(y, x), x, "-y/(y^2 + x^2)");
    cr_node exponent = cr_div(cr_powi(cr_sub(x, s->a), 2), cr_mul(NUM(2), cr_powi(s->b, 2)));
    derivative(cr_exp(cr_neg(exponent)), s->a, "(x - a)*exp(-(x - a)^2/(2*b^2))/b^2");
}

static void gradients_of_means_have_their_factor_in_front(void **state) {
    const struct world *s = *state;
    cr_node loss = cr_mean(cr_square(cr_sub(cr_mul(s->w, s->v), s->u)), 0, NULL, false);
    derivative(loss, s->w, "2*sum(v*(w*v - u))/3");
    derivative(loss, s->v, "2*w*(w*v - u)/3");
    derivative(cr_sum(cr_add(s->v, s->w), 0, NULL, false), s->w, "3");
}

static void literals_gather_in_front(void **state) {
    const struct world *s = *state;
    cr_node x = s->x;
    simple(cr_mul(NUM(2), cr_mul(NUM(3), x)), "6*x");
    simple(cr_mul(cr_mul(x, NUM(2)), s->y), "2*x*y");
    simple(cr_add(cr_mul(NUM(2), x), cr_mul(NUM(3), x)), "5*x");
    simple(cr_sub(x, x), "0");
    simple(cr_div(cr_mul(NUM(2), x), NUM(4)), "x/2");
    simple(cr_add(NUM(2), cr_mul(NUM(3), NUM(4))), "14");
    simple(cr_div(NUM(1), NUM(3)), "1/3");
    simple(cr_sub(cr_mul(NUM(2), cr_sub(x, NUM(1))), NUM(1)), "2*x - 3");
    simple(cr_add(cr_mul(NUM(2), cr_sub(x, s->y)), s->a), "2*(x - y) + a");
    simple(cr_exp(NUM(0)), "1");
    simple(cr_sin(NUM(2)), "sin(2)");
    simple(cr_mul(x, cr_powi(x, 4)), "x^5");
    simple(cr_div(cr_powi(x, 3), x), "x^2");
    simple(cr_mul(cr_sqrt(x), cr_sqrt(x)), "x");
    simple(cr_add(cr_powi(cr_sin(x), 2), cr_powi(cr_cos(x), 2)), "1");
}

static void signs_move_to_the_front_and_positive_terms_lead(void **state) {
    const struct world *s = *state;
    cr_node x = s->x, y = s->y;
    simple(cr_neg(cr_neg(x)), "x");
    simple(cr_add(x, cr_neg(y)), "x - y");
    simple(cr_mul(x, cr_neg(y)), "-x*y");
    simple(cr_mul(cr_neg(x), cr_neg(y)), "x*y");
    simple(cr_add(cr_neg(x), y), "y - x");
    simple(cr_neg(cr_sub(x, y)), "y - x");
    simple(cr_sub(cr_neg(x), y), "-x - y");
    simple(cr_sub(s->a, cr_mul(NUM(1), cr_sub(x, y))), "a - x + y");
}

static void tensors_of_one_number_are_numbers(void **state) {
    const struct world *s = *state;
    struct shape shape = {.rank = 1, .dim = {3}};
    simple(cr_add(s->v, ops_zeros(s->g, CR_F64, &shape)), "v");
    simple(cr_mul(ops_expand(ops_scalar(s->g, CR_F64, 1), &shape), s->v), "v");
    cr_node zero = cr_simplify(cr_mul(s->v, NUM(0)));
    assert_int_equal(cr_rank(zero), 1);
    simple(zero, "expand(0, shape=[3])");
    simple(cr_sum(zero, 0, NULL, false), "0");
}

static void a_view_of_a_view_is_one_view(void **state) {
    const struct world *s = *state;
    cr_node q = cr_input(s->g, "q", CR_F64, 3, (int64_t[]){4, 2, 3});
    simple(cr_t(cr_t(q)), "q");
    simple(cr_permute(cr_permute(q, 3, (int[]){1, 2, 0}), 3, (int[]){1, 2, 0}), "permute(q, axes=[2, 0, 1])");
    simple(cr_reshape(cr_reshape(q, 1, (int64_t[]){24}), 3, (int64_t[]){4, 2, 3}), "q");
    simple(cr_expand(cr_reshape(s->x, 1, (int64_t[]){1}), 1, (int64_t[]){5}), "expand(x, shape=[5])");
}

static void choices_that_are_none_go(void **state) {
    const struct world *s = *state;
    cr_node c = cr_lt(s->x, s->y);
    simple(cr_where(c, s->x, s->x), "x");
    simple(cr_where(cr_lt(NUM(1), NUM(2)), s->x, s->y), "x");
    simple(cr_not(cr_not(c)), "x < y");
    simple(cr_and(c, c), "x < y");
}

static void named_nodes_and_variables_stay_as_they_are(void **state) {
    const struct world *s = *state;
    cr_node n = cr_named(cr_mul(s->x, NUM(1)), "n"), v = cr_variable(cr_add(s->x, NUM(0)));
    assert_true(cr_same(cr_simplify(cr_add(cr_mul(n, NUM(1)), NUM(0))), n));
    simple(cr_add(cr_mul(n, NUM(3)), n), "4*n");
    assert_true(cr_same(cr_simplify(v), cr_simplify(cr_mul(v, NUM(1)))));
    simple(n, "x"); /* itself it is rewritten */
}

static void f32_stays_f32(void **state) {
    const struct world *s = *state;
    cr_node f = cr_input(s->g, "f", CR_F32, 0, NULL);
    simple(cr_mul(cr_mul(NUM(2), f), NUM(0.5)), "f");
    simple(cr_add(cr_mul(f, NUM(0.1)), cr_mul(f, NUM(0.5))), "0.6*f");
    derivative(cr_powi(f, 3), f, "3*f^2");
}

static void integers_do_not_wrap_or_divide(void **state) {
    const struct world *s = *state;
    cr_node i = cr_input(s->g, "i", CR_I32, 0, NULL), big = ops_scalar(s->g, CR_I32, 2147483647);
    simple(cr_mul(i, NUM(1)), "i");
    cr_node sum = cr_add(big, ops_scalar(s->g, CR_I32, 1));
    assert_true(cr_same(cr_simplify(sum), sum));
}

static void a_whole_number_keeps_all_its_bits(void **state) {
    const struct world *s = *state;
    int64_t big = INT64_MIN + 1, found; /* no double */
    cr_node c = cr_simplify(cr_mul(cr_const(s->g, CR_I64, 0, NULL, &big), ops_scalar(s->g, CR_I64, 1)));
    cr_eval *e;
    assert_int_equal(cr_eval_new(&e, s->g, NULL), CR_OK);
    assert_int_equal(cr_eval_value(e, c, CR_I64, &found, sizeof found), CR_OK);
    assert_true(found == big);
    cr_eval_free(e);
}

static void the_exact_level_changes_no_bit(void **state) {
    const struct world *s = *state;
    struct rewrite r;
    rewrite_begin(&r, s->g, 1, REWRITE_EXACT);
    cr_node kept = cr_mul(s->x, NUM(0)), gone = cr_neg(cr_neg(cr_mul(s->x, NUM(1))));
    assert_true(cr_same(rewrite_graph(&r, kept), kept));
    assert_true(cr_same(rewrite_graph(&r, gone), s->x));
    cr_node sum = cr_add(cr_add(NUM(1), s->x), s->y);
    assert_true(cr_same(rewrite_graph(&r, sum), sum));
    rewrite_end(&r);
}

static void nodes_before_the_first_are_taken_as_they_are(void **state) {
    const struct world *s = *state;
    cr_node p = cr_mul(s->x, NUM(1));
    struct rewrite r;
    rewrite_begin(&r, s->g, s->g->count, REWRITE_ALL);
    expect_text(rewrite_graph(&r, cr_mul(NUM(1), cr_mul(NUM(2), p))), "2*(x*1)");
    rewrite_end(&r);
}

static void a_long_chain_is_rewritten_in_linear_time(void **state) {
    const struct world *s = *state;
    cr_node x = s->x;
    for (int k = 0; k < 100000; k++) x = cr_add(cr_mul(cr_sin(x), NUM(1)), cr_mul(s->y, NUM(2)));
    uint32_t before = s->g->count;
    cr_node y = cr_simplify(x);
    assert_true(cr_ok(y));
    assert_true(s->g->count - before < 4 * 100000);
}

static void long_sums_and_products_are_rewritten_in_linear_time(void **state) {
    const struct world *s = *state;
    cr_node sum = s->x, product = s->x;
    for (int k = 0; k < 100000; k++) {
        sum = cr_add(sum, cr_powi(s->y, 2 + k % 900));
        product = cr_mul(product, cr_sin(cr_add(s->y, NUM(k))));
    }
    uint32_t before = s->g->count;
    assert_true(cr_ok(cr_simplify(sum)) && cr_ok(cr_simplify(product)));
    assert_true(s->g->count - before < 40 * 100000); /* at most 12 parts anew at each of 3 * 100000 nodes */
}

/* ---- Memory ---- */

struct ration {
    long left; /* allocations still granted; negative: all */
};

static void *rationed(void *user, void *ptr, size_t old_size, size_t size) {
    struct ration *r = user;
    struct mem m = {0};
    if (!size) return mem_free(&m, ptr, old_size), NULL;
    if (r->left == 0) return NULL;
    if (r->left > 0) r->left--;
    return mem_resize(&m, ptr, old_size, size);
}

static bool simplify_within(long allocations) {
    struct ration ration = {-1};
    cr_context *ctx;
    assert_int_equal(cr_context_new_with(&ctx, rationed, &ration), CR_OK);
    cr_graph *g = cr_graph_new(ctx);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), d;
    assert_int_equal(cr_grad(&d, cr_div(cr_sin(x), cr_add(x, cr_number(g, 1))), 1, &x), CR_OK);
    ration.left = allocations;
    cr_node y = cr_simplify(d);
    cr_text *t = NULL;
    cr_status status = cr_text_new(&t, ctx);
    if (!status) status = cr_print(t, y);
    ration.left = -1;
    bool done = cr_ok(y) && !status;
    assert_true(done || cr_graph_status(g) == CR_ENOMEM || status == CR_ENOMEM);
    cr_text_free(t);
    cr_graph_free(g);
    cr_context_free(ctx);
    return done;
}

static void out_of_memory_is_an_error_like_any_other(void **state) {
    (void)state;
    long n = 0;
    while (!simplify_within(n)) n++;
    assert_true(n > 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_worked_example_reads_as_on_paper),
        TEST(derivatives_read_like_a_textbook),
        TEST(gradients_of_means_have_their_factor_in_front),
        TEST(literals_gather_in_front),
        TEST(signs_move_to_the_front_and_positive_terms_lead),
        TEST(tensors_of_one_number_are_numbers),
        TEST(a_view_of_a_view_is_one_view),
        TEST(choices_that_are_none_go),
        TEST(named_nodes_and_variables_stay_as_they_are),
        TEST(f32_stays_f32),
        TEST(integers_do_not_wrap_or_divide),
        TEST(a_whole_number_keeps_all_its_bits),
        TEST(the_exact_level_changes_no_bit),
        TEST(nodes_before_the_first_are_taken_as_they_are),
        TEST(a_long_chain_is_rewritten_in_linear_time),
        TEST(long_sums_and_products_are_rewritten_in_linear_time),
        cmocka_unit_test(out_of_memory_is_an_error_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
