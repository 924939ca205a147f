/* A node printed as text: precedence, attributes, what goes without saying, labels, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "formula/print.h"
#include "ops/build.h"

struct world {
    cr_graph *g;
    cr_node x, y, z;       /* scalars */
    cr_node v, m, q, flag; /* [3], [2, 3], [4, 2, 3], a bool */
    cr_node i, f;          /* i32 and f32 scalars */
};

static int set_up(void **state) {
    static struct world w;
    w.g = cr_graph_new(NULL);
    w.x = cr_input(w.g, "x", CR_F64, 0, NULL);
    w.y = cr_input(w.g, "y", CR_F64, 0, NULL);
    w.z = cr_input(w.g, "z", CR_F64, 0, NULL);
    w.v = cr_input(w.g, "v", CR_F64, 1, (int64_t[]){3});
    w.m = cr_input(w.g, "m", CR_F64, 2, (int64_t[]){2, 3});
    w.q = cr_input(w.g, "q", CR_F64, 3, (int64_t[]){4, 2, 3});
    w.flag = cr_input(w.g, "flag", CR_BOOL, 0, NULL);
    w.i = cr_input(w.g, "i", CR_I32, 0, NULL);
    w.f = cr_input(w.g, "f", CR_F32, 0, NULL);
    *state = &w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    cr_graph_free(w->g);
    return 0;
}

static void expect(cr_node x, const char *text) {
    struct cr_text t = text_make(&x.graph->mem);
    assert_null(cr_graph_error(x.graph));
    assert_int_equal(cr_print(&t, x), CR_OK);
    assert_string_equal(cr_text_str(&t), text);
    text_drop(&t);
}

#define NUM(value) cr_number(w->g, value)

static void parentheses_stand_only_where_they_must(void **state) {
    const struct world *w = *state;
    cr_node x = w->x, y = w->y, z = w->z;
    expect(cr_add(cr_mul(x, y), z), "x*y + z");
    expect(cr_mul(cr_add(x, y), z), "(x + y)*z");
    expect(cr_add(x, cr_add(y, z)), "x + (y + z)");
    expect(cr_sub(cr_sub(x, y), z), "x - y - z");
    expect(cr_sub(x, cr_sub(y, z)), "x - (y - z)");
    expect(cr_div(x, cr_mul(y, z)), "x/(y*z)");
    expect(cr_mul(cr_div(x, y), z), "x/y*z");
    expect(cr_powi(cr_sub(cr_mul(x, y), z), 2), "(x*y - z)^2");
    expect(cr_mod(cr_floordiv(x, y), z), "x // y % z");
}

static void unary_minus_stands_between_products_and_powers(void **state) {
    const struct world *w = *state;
    cr_node x = w->x, y = w->y;
    expect(cr_neg(cr_powi(x, 2)), "-x^2");
    expect(cr_powi(cr_neg(x), 2), "(-x)^2");
    expect(cr_mul(cr_neg(x), y), "-x*y");
    expect(cr_neg(cr_mul(x, y)), "-(x*y)");
    expect(cr_mul(x, cr_neg(y)), "x*-y");
    expect(cr_neg(cr_neg(x)), "-(-x)");
    expect(cr_sub(x, NUM(-2)), "x - -2");
    expect(cr_powi(cr_mul(NUM(-2), x), 3), "(-2*x)^3");
}

static void powers_lean_to_the_right(void **state) {
    const struct world *w = *state;
    cr_node x = w->x, y = w->y, z = w->z;
    expect(cr_pow(x, cr_pow(y, z)), "x^y^z");
    expect(cr_pow(cr_pow(x, y), z), "(x^y)^z");
    expect(cr_pow(NUM(2), cr_neg(x)), "2^-x");
    expect(cr_pow(NUM(-2), x), "(-2)^x");
    expect(cr_powi(x, -1), "x^-1");
    expect(cr_powi(cr_powi(x, 2), 3), "(x^2)^3");
    expect(cr_square(cr_sin(x)), "sin(x)^2");
    expect(cr_pow(x, cr_add(y, NUM(1))), "x^(y + 1)");
    expect(cr_pow(x, NUM(0.5)), "x^0.5");
    expect(cr_pow(x, NUM(3)), "pow(x, 3)"); /* x^3 is powi */
}

static void conditions_are_words_and_comparisons_do_not_chain(void **state) {
    const struct world *w = *state;
    cr_node less = cr_lt(w->x, w->y), same = cr_eq(w->x, w->z);
    expect(cr_or(cr_and(less, same), cr_not(less)), "x < y and x == z or not x < y");
    expect(cr_and(less, cr_or(same, w->flag)), "x < y and (x == z or flag)");
    expect(cr_eq(less, w->flag), "(x < y) == flag");
    expect(cr_not(cr_not(w->flag)), "not not flag");
    expect(cr_where(cr_le(w->x, NUM(0)), w->x, w->y), "where(x <= 0, x, y)");
    expect(cr_xor(less, w->flag), "xor(x < y, flag)");
}

static void attributes_are_keywords_and_defaults_are_left_out(void **state) {
    const struct world *w = *state;
    cr_node v = w->v, m = w->m, q = w->q;
    expect(cr_sum(q, 0, NULL, false), "sum(q)");
    expect(cr_sum(q, 1, (int[]){2}, false), "sum(q, axis=-1)");
    expect(cr_max(q, 2, (int[]){0, 2}, false), "max(q, axis=[-3, -1])");
    expect(cr_sum(m, 1, (int[]){1}, true), "sum(m, axis=-1, keep=true)");
    expect(cr_sum(m, 0, NULL, true), "sum(m, keep=true)");
    expect(cr_argmax(m, -1), "argmax(m)");
    expect(cr_cumsum(m, 0, true), "cumsum(m, axis=-2, reverse=true)");
    expect(cr_cumsum(m, 1, false), "cumsum(m)");
    expect(cr_polygamma(w->x, 2), "polygamma(x, n=2)");
    expect(cr_polygamma(w->x, 0), "polygamma(x)");
    expect(cr_reshape(m, 1, (int64_t[]){6}), "reshape(m, shape=[6])");
    expect(cr_concat(2, (cr_node[]){m, m}, 0), "concat(m, m)");
    expect(cr_concat(2, (cr_node[]){m, m}, 1), "concat(m, m, axis=-1)");
    expect(cr_concat(4, (cr_node[]){v, v, v, v}, 0), "concat(v, v, v, v)");
    expect(cr_sort(v, -1, true), "sort(v, descending=true)");
    expect(cr_argsort(v, -1, false), "argsort(v)");
    expect(cr_iota(w->g, 4), "iota(n=4)");
    expect(cr_gather(m, cr_iota(w->g, 2), 1), "gather(m, iota(n=2), batch=1)");
    expect(cr_scatter_add(v, cr_iota(w->g, 3), 9, 0), "scatter_add(v, iota(n=3), size=9)");
    expect(cr_uniform(cr_seed(w->g), 1, (int64_t[]){4}, CR_F32), "uniform(seed(), shape=[4], dtype=f32)");
}

static void views_print_as_one_writes_them(void **state) {
    const struct world *w = *state;
    cr_node m = w->m, q = w->q;
    expect(cr_t(m), "t(m)");
    expect(cr_t(q), "t(q)");
    expect(cr_permute(q, 3, (int[]){1, 0, 2}), "permute(q, axes=[1, 0, 2])");
    expect(cr_slice(m, 2, (int64_t[]){0, 2}, (int64_t[]){1, -1}, (int64_t[]){2, 3}), "m[:, ::-1]");
    expect(cr_slice(m, 2, (int64_t[]){0, 1}, (int64_t[]){1, 1}, (int64_t[]){2, 2}), "m[:, 1:]");
    expect(cr_slice(m, 2, (int64_t[]){1, 0}, (int64_t[]){1, 1}, (int64_t[]){1, 3}), "m[1:]");
    expect(cr_slice(m, 2, (int64_t[]){0, 0}, (int64_t[]){1, 2}, (int64_t[]){1, 2}), "m[:1, ::2]");
    expect(cr_slice(cr_neg(w->v), 1, (int64_t[]){2}, (int64_t[]){-1}, (int64_t[]){2}), "(-v)[:0:-1]");
    cr_node row = cr_slice(m, 2, (int64_t[]){1, 0}, (int64_t[]){1, 1}, (int64_t[]){1, 3});
    expect(cr_squeeze(row, 1, (int[]){0}, false), "m[1]");
    cr_node entry = cr_slice(m, 2, (int64_t[]){1, 2}, (int64_t[]){1, 1}, (int64_t[]){1, 1});
    expect(cr_squeeze(entry, 0, NULL, false), "m[1, 2]");
    cr_node column = cr_slice(m, 2, (int64_t[]){0, 2}, (int64_t[]){1, 1}, (int64_t[]){2, 1});
    expect(cr_squeeze(column, 0, NULL, false), "m[:, 2]");
    expect(cr_reshape(column, 2, (int64_t[]){1, 2}), "reshape(m[:, 2:], shape=[1, 2])");
    expect(cr_pad(w->v, 1, (int64_t[]){1}, (int64_t[]){2}), "pad(v, before=[1], after=[2])");
    expect(cr_unslice(w->v, 1, (int64_t[]){0}, (int64_t[]){2}, (int64_t[]){6}),
           "unslice(v, start=[0], step=[2], size=[6])");
}

static void broadcasting_that_happens_anyway_is_not_shown(void **state) {
    const struct world *w = *state;
    expect(cr_add(w->m, w->x), "m + x");
    expect(cr_mul(w->m, w->v), "m*v");
    expect(cr_mul(w->m, NUM(2)), "m*2");
    expect(cr_expand(w->x, 1, (int64_t[]){3}), "expand(x, shape=[3])");
    cr_node both = cr_add(cr_expand(w->x, 1, (int64_t[]){3}), cr_expand(w->y, 1, (int64_t[]){3}));
    expect(both, "expand(x, shape=[3]) + y");
}

static void products_of_vectors_show_no_reshapes(void **state) {
    const struct world *w = *state;
    expect(cr_matmul(w->m, w->v), "m @ v");
    expect(cr_matmul(w->v, cr_t(w->m)), "v @ t(m)");
    expect(cr_matmul(w->v, w->v), "v @ v");
    expect(cr_matmul(w->q, cr_t(w->m)), "q @ t(m)");
    expect(cr_matmul(w->q, cr_t(w->q)), "q @ t(q)");
    expect(cr_matmul(cr_div(w->q, NUM(255)), w->v), "q/255 @ v");
}

static void casts_that_happen_anyway_are_not_shown(void **state) {
    const struct world *w = *state;
    expect(cr_add(w->x, w->i), "x + i");
    expect(cr_div(w->i, NUM(2)), "i/2");
    expect(cr_mul(w->f, NUM(2.5)), "f*2.5");
    expect(cr_cast(w->i, CR_F64), "cast(i, f64)");
    expect(cr_sin(cr_cast(w->i, CR_F32)), "sin(cast(i, f32))");
    expect(cr_sum(cr_lt(w->v, w->x), 0, NULL, false), "sum(v < x)");
}

static void numbers_have_the_fewest_digits_that_read_back(void **state) {
    const struct world *w = *state;
    expect(NUM(0.1), "0.1");
    expect(NUM(1e300), "1e+300");
    expect(NUM(-INFINITY), "-inf");
    expect(ops_scalar(w->g, CR_BOOL, 1), "true");
    expect(ops_scalar(w->g, CR_F32, 0.1), "cast(0.1, f32)");
    expect(cr_const(w->g, CR_F64, 2, (int64_t[]){2, 2}, (double[]){1, 2, 3, 4.5}), "[[1, 2], [3, 4.5]]");
    expect(cr_const(w->g, CR_F64, 2, (int64_t[]){2, 1}, (double[]){1, 2}), "[[1.0], [2]]");
}

static void printing_stops_at_named_nodes_but_not_at_the_root(void **state) {
    const struct world *w = *state;
    cr_node s = cr_named(cr_sub(w->x, w->y), "s");
    expect(cr_named(cr_powi(s, 2), "loss"), "s^2");
    expect(s, "x - y");
    expect(w->x, "x");
}

static const char *label(void *user, cr_node x) {
    const cr_node *of = user;
    return cr_same(x, *of) ? "n1" : NULL;
}

static void labels_of_the_caller_take_the_place_of_names(void **state) {
    const struct world *w = *state;
    cr_node s = cr_named(cr_sub(w->x, w->y), "s"), p = cr_mul(w->x, w->z);
    struct print_labels labels = {label, &p};
    struct cr_text t = text_make(&w->g->mem);
    print_formula(&t, cr_mul(s, p), &labels, true);
    assert_string_equal(cr_text_str(&t), "(x - y)*n1");
    cr_text_clear(&t);
    print_formula(&t, p, &labels, false);
    assert_string_equal(cr_text_str(&t), "n1");
    cr_text_clear(&t);
    print_formula(&t, p, &labels, true);
    assert_string_equal(cr_text_str(&t), "x*z");
    text_drop(&t);
}

static void a_formula_that_doubles_at_each_node_is_cut(void **state) {
    const struct world *w = *state;
    cr_node x = w->x;
    for (int k = 0; k < 200; k++) x = cr_mul(x, x);
    struct cr_text t = text_make(&w->g->mem);
    assert_int_equal(cr_print(&t, x), CR_OK);
    assert_true(t.n > print_limit && t.n < print_limit + 100);
    assert_string_equal(cr_text_str(&t) + t.n - 3, "...");
    text_drop(&t);
}

static void a_chain_of_a_million_nodes_prints_without_recursion(void **state) {
    const struct world *w = *state;
    cr_node x = w->x;
    for (int k = 0; k < 1000000; k++) x = cr_add(cr_sin(x), w->y);
    struct cr_text t = text_make(&w->g->mem);
    assert_int_equal(cr_print(&t, x), CR_OK);
    assert_memory_equal(cr_text_str(&t), "sin(sin(", 8);
    text_drop(&t);
}

static void an_error_node_says_so(void **state) {
    const struct world *w = *state;
    struct cr_text t = text_make(&w->g->mem);
    assert_int_equal(cr_print(&t, cr_find(w->g, "nobody")), CR_EINVAL);
    assert_string_equal(cr_text_str(&t), "error");
    assert_int_equal(cr_print(NULL, w->x), CR_EINVAL);
    text_drop(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(parentheses_stand_only_where_they_must),
        TEST(unary_minus_stands_between_products_and_powers),
        TEST(powers_lean_to_the_right),
        TEST(conditions_are_words_and_comparisons_do_not_chain),
        TEST(attributes_are_keywords_and_defaults_are_left_out),
        TEST(views_print_as_one_writes_them),
        TEST(broadcasting_that_happens_anyway_is_not_shown),
        TEST(products_of_vectors_show_no_reshapes),
        TEST(casts_that_happen_anyway_are_not_shown),
        TEST(numbers_have_the_fewest_digits_that_read_back),
        TEST(printing_stops_at_named_nodes_but_not_at_the_root),
        TEST(labels_of_the_caller_take_the_place_of_names),
        TEST(a_formula_that_doubles_at_each_node_is_cut),
        TEST(a_chain_of_a_million_nodes_prints_without_recursion),
        TEST(an_error_node_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
