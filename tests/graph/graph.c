/* The graph: equal nodes, names, errors, marks. */
#include "support/test.h"

TEST(equal_nodes_are_one_node) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = cr_input(g, "y", CR_F64, 0, NULL);
    assert_true(cr_same(cr_mul(x, y), cr_mul(x, y)));
    assert_false(cr_same(cr_mul(x, y), cr_mul(y, x)));
    assert_true(cr_same(cr_number(g, 0.5), cr_number(g, 0.5)));
    assert_false(cr_same(cr_number(g, 0.0), cr_number(g, -0.0)));
    cr_graph_free(g);
}

/* x[k] for many k: more users of one node than its list of users takes. */
static cr_node pick(cr_node x, int64_t k) { return cr_slice(x, 1, &k, (int64_t[]){1}, (int64_t[]){1}); }

TEST(each_of_a_thousand_users_of_one_node_is_found_again) {
    (void)state;
    enum { many = 1000 };
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){many}), first[many];
    for (int64_t k = 0; k < many; k++) first[k] = pick(x, k);
    size_t count = cr_graph_count(g);
    for (int64_t k = 0; k < many; k++) assert_true(cr_same(first[k], pick(x, k)));
    for (int64_t k = 1; k < many; k++) assert_false(cr_same(first[k], first[k - 1]));
    assert_int_equal(cr_graph_count(g), count);
    cr_graph_free(g);
}

TEST(cutting_leaves_the_older_users_of_a_node_and_forgets_the_newer) {
    (void)state;
    for (int64_t kept = 0; kept <= 40; kept++) { /* of 40 users: in the list, at its end, beyond it */
        cr_graph *g = cr_graph_new(NULL);
        cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){40}), first[40];
        for (int64_t k = 0; k < kept; k++) first[k] = pick(x, k);
        size_t mark = cr_graph_mark(g);
        for (int64_t k = kept; k < 40; k++) first[k] = pick(x, k);
        assert_int_equal(cr_graph_cut(g, mark), CR_OK);
        for (int64_t k = 0; k < kept; k++) assert_true(cr_same(first[k], pick(x, k)));
        for (int64_t k = kept; k < 40; k++) assert_false(cr_ok(first[k]));
        assert_int_equal(cr_graph_count(g), mark);
        for (int64_t k = 40; k-- > kept;) first[k] = pick(x, k); /* the other way round */
        for (int64_t k = 0; k < 40; k++) assert_true(cr_same(first[k], pick(x, k)));
        assert_int_equal(cr_graph_count(g), mark + (size_t)(40 - kept));
        cr_graph_free(g);
    }
}

TEST(equal_nodes_with_many_operands_are_one_node) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x[9], last;
    for (int64_t k = 0; k < 9; k++) x[k] = cr_variable(cr_expand_dims(cr_number(g, (double)k), 0));
    cr_node all = cr_concat(9, x, 0);
    size_t count = cr_graph_count(g);
    assert_true(cr_same(all, cr_concat(9, x, 0)));
    assert_int_equal(cr_graph_count(g), count);
    last = x[7], x[7] = x[6], x[6] = last;
    assert_false(cr_same(all, cr_concat(9, x, 0)));
    assert_false(cr_same(all, cr_concat(8, x, 0)));
    cr_graph_free(g);
}

TEST(a_variable_never_merges) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL);
    assert_false(cr_same(cr_variable(x), cr_variable(x)));
    cr_graph_free(g);
}

TEST(the_first_error_sticks_and_says_where) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node a = cr_input(g, "a", CR_F64, 2, (int64_t[]){64, 128}),
            b = cr_input(g, "b", CR_F64, 2, (int64_t[]){100, 10});
    cr_graph_at(g, "mlp.cr", 7, 12);
    cr_node bad = cr_exp(cr_matmul(a, b));
    cr_add(a, b);
    assert_false(cr_ok(bad));
    assert_string_equal(cr_graph_error(g), "mlp.cr:7:12: matmul: inner sizes differ: [64, 128] x [100, 10]");
    assert_int_equal(cr_graph_status(g), CR_ESHAPE);
    cr_graph_free(g);
}

TEST(an_axis_added_and_one_stretched_is_an_error) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node a = cr_input(g, "a", CR_F64, 2, (int64_t[]){5, 1}),
            b = cr_input(g, "b", CR_F64, 1, (int64_t[]){5});
    assert_false(cr_ok(cr_sub(a, b)));
    assert_non_null(strstr(cr_graph_error(g), "y[:, None]"));
    cr_graph_free(g);
}

TEST(f32_with_f64_is_an_error_that_offers_cast) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node a = cr_input(g, "a", CR_F32, 0, NULL), b = cr_input(g, "b", CR_F64, 0, NULL);
    assert_false(cr_ok(cr_mul(a, b)));
    assert_non_null(strstr(cr_graph_error(g), "cast"));
    cr_graph_free(g);
}

TEST(a_literal_takes_the_dtype_of_what_it_meets) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node f = cr_input(g, "f", CR_F32, 0, NULL), i = cr_input(g, "i", CR_I32, 0, NULL),
            l = cr_input(g, "l", CR_I64, 0, NULL);
    assert_int_equal(cr_dtype_of(cr_mul(f, cr_number(g, 0.5))), CR_F32);
    assert_int_equal(cr_dtype_of(cr_mul(i, cr_number(g, 2))), CR_I32);
    assert_int_equal(cr_dtype_of(cr_mul(i, cr_number(g, 0.5))), CR_F64);
    assert_int_equal(cr_dtype_of(cr_add(i, l)), CR_I64);
    assert_int_equal(cr_dtype_of(cr_div(i, i)), CR_F64);
    cr_graph_free(g);
}

TEST(cutting_makes_handles_stale) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL);
    size_t mark = cr_graph_mark(g);
    cr_node y = cr_named(cr_sin(x), "y");
    assert_int_equal(cr_graph_cut(g, mark), CR_OK);
    assert_false(cr_ok(y));
    cr_node z = cr_cos(x); /* takes the place of y */
    assert_true(cr_ok(z));
    assert_false(cr_ok(y));
    assert_false(cr_ok(cr_find(g, "y")));
    assert_true(cr_ok(cr_named(z, "y")));
    assert_true(cr_ok(x));
    cr_graph_free(g);
}

TEST(a_name_is_given_once) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL);
    assert_false(cr_ok(cr_input(g, "x", CR_F64, 0, NULL)));
    assert_int_equal(cr_graph_status(g), CR_ENAME);
    cr_graph_clear_error(g);
    assert_true(cr_ok(cr_named(cr_sin(x), "s")));
    assert_true(cr_same(cr_find(g, "s"), cr_sin(x)));
    cr_graph_free(g);
}

TEST(a_node_of_another_graph_is_refused) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL), *h = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = cr_input(h, "y", CR_F64, 0, NULL);
    assert_false(cr_ok(cr_add(x, y)));
    assert_int_equal(cr_graph_status(g), CR_EINVAL);
    cr_graph_free(g);
    cr_graph_free(h);
}

TEST(null_and_zero_are_answered_everywhere) {
    (void)state;
    cr_node none = {NULL, 0, 0};
    assert_false(cr_ok(cr_sin(none)));
    assert_false(cr_ok(cr_add(none, none)));
    assert_int_equal(cr_rank(none), 0);
    assert_null(cr_name(none));
    cr_graph_free(NULL);
    cr_program_free(NULL);
    cr_run_free(NULL);
    cr_store_free(NULL);
    cr_eval_free(NULL);
    assert_int_equal(cr_step(NULL), CR_EINVAL);
    assert_int_equal(cr_compile(NULL, NULL, NULL), CR_EINVAL);
}

TEST(shapes_whose_size_overflows_are_refused) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    assert_false(cr_ok(cr_input(g, "x", CR_F64, 3, (int64_t[]){INT64_MAX, INT64_MAX, 4})));
    cr_graph_clear_error(g);
    assert_false(cr_ok(cr_input(g, "x", CR_F64, 1, (int64_t[]){-1})));
    cr_graph_clear_error(g);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){1});
    assert_false(cr_ok(cr_expand(x, 2, (int64_t[]){INT64_MAX, INT64_MAX})));
    cr_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(equal_nodes_are_one_node),
        RUN(each_of_a_thousand_users_of_one_node_is_found_again),
        RUN(cutting_leaves_the_older_users_of_a_node_and_forgets_the_newer),
        RUN(equal_nodes_with_many_operands_are_one_node),
        RUN(a_variable_never_merges),
        RUN(the_first_error_sticks_and_says_where),
        RUN(an_axis_added_and_one_stretched_is_an_error),
        RUN(f32_with_f64_is_an_error_that_offers_cast),
        RUN(a_literal_takes_the_dtype_of_what_it_meets),
        RUN(cutting_makes_handles_stale),
        RUN(a_name_is_given_once),
        RUN(a_node_of_another_graph_is_refused),
        RUN(null_and_zero_are_answered_everywhere),
        RUN(shapes_whose_size_overflows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
