/* The graph: equal nodes, names, errors, marks. */
#include "graph/graph.h"
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

/* A loop that builds, looks and cuts holds what one turn needs. */
TEST(cutting_gives_memory_back) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){1});
    double numbers[3000];
    size_t mark = cr_graph_mark(g), bytes = 0;
    for (int turn = 0; turn < 200; turn++) {
        for (int i = 0; i < 3000; i++) numbers[i] = turn + i;
        cr_node y = cr_mul(x, cr_number(g, turn + 0.5));
        for (int i = 0; i < 10; i++)
            y = cr_concat(2, (cr_node[]){y, cr_const(g, CR_F64, 1, (int64_t[]){300}, numbers + i)}, 0);
        cr_expand(y, 2, (int64_t[]){turn + 2, cr_count(y)});
        cr_const(g, CR_F64, 1, (int64_t[]){3000}, numbers);
        if (cr_graph_error(g)) fail_msg("%s", cr_graph_error(g));
        if (turn == 1) bytes = cr_graph_bytes(g);
        if (turn > 1 && cr_graph_bytes(g) != bytes)
            fail_msg("turn %d: %zu bytes, %zu in turn 1", turn, cr_graph_bytes(g), bytes);
        cr_graph_cut(g, mark);
        assert_true(cr_ok(x) && cr_dims(x)[0] == 1);
    }
    cr_graph_free(g);
}

/* A program refers to a large constant; it does not copy it, and may outlive the graph. */
TEST(large_constants_are_referred_to) {
    (void)state;
    struct failing memory = {0};
    cr_context *ctx;
    enum { n = 100000 };
    double *numbers = calloc(n, sizeof *numbers), sum = 0;
    cr_program *p[3];
    for (int i = 0; i < n; i++) numbers[i] = 1;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    cr_graph *g = cr_graph_new(ctx);
    cr_node c = cr_const(g, CR_F64, 1, (int64_t[]){n}, numbers);
    assert_true(cr_same(c, cr_const(g, CR_F64, 1, (int64_t[]){n}, numbers)));
    numbers[n - 1] = -0.0;
    assert_false(cr_same(c, cr_const(g, CR_F64, 1, (int64_t[]){n}, numbers)));
    for (int i = 0; i < 3; i++) {
        cr_target *t = cr_target_new(g);
        cr_target_output(t, "sum", cr_sum(c, 0, NULL, false));
        assert_int_equal(cr_compile(&p[i], t, NULL), CR_OK);
        cr_target_free(t);
    }
    assert_true(memory.peak < 4 * n * sizeof *numbers); /* two constants, and one more while it is made */
    cr_graph_free(g);
    for (int i = 0; i < 3; i++) {
        cr_run *r;
        assert_int_equal(cr_run_new(&r, p[i], NULL, NULL, 0), CR_OK);
        cr_bind(r, "sum", CR_F64, &sum, sizeof sum);
        assert_int_equal(cr_step(r), CR_OK);
        assert_true(sum == n);
        cr_run_free(r);
        cr_program_free(p[i]);
    }
    cr_context_free(ctx);
    assert_int_equal(memory.live, 0);
    free(numbers);
}

/* The same reduction of a batch has the same attributes: axes count from the end. */
TEST(a_leading_axis_changes_no_attribute) {
    (void)state;
    static const char *const formulas[] = {"sum(X, axis=-1)", "cumsum(X, axis=-2)",
                                           "sort(X)",         "concat(X, X, axis=-1)",
                                           "argmax(X)",       "sum(X, axis=[-2, -1])"};
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_input(g, "a", CR_F64, 2, (int64_t[]){3, 4});
        cr_input(g, "b", CR_F64, 3, (int64_t[]){2, 3, 4});
        cr_node y[2];
        for (int k = 0; k < 2; k++) {
            char formula[64];
            snprintf(formula, sizeof formula, "%s", formulas[i]);
            for (char *s = formula; *s; s++)
                if (*s == 'X') *s = k ? 'b' : 'a';
            y[k] = cr_formula(g, formula);
            if (strcmp(cr_op_of(y[k]), "part") == 0) y[k] = cr_operand(y[k], 0);
        }
        const struct node *n = graph_get(y[0]), *m = graph_get(y[1]);
        size_t count = graph_attr_count(g, n);
        if (count != graph_attr_count(g, m) ||
            memcmp(graph_attr(g, n), graph_attr(g, m), count * sizeof(int64_t)))
            fail_msg("%s: other attributes with a leading axis", formulas[i]);
        cr_graph_free(g);
    }
}

TEST(all_names_and_positions_are_kept) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL);
    const char *file;
    int line, column, positions = 0;
    cr_graph_at(g, "a.cr", 1, 2);
    cr_node y = cr_named(cr_sin(x), "first");
    cr_graph_at(g, "b.cr", 3, 4);
    assert_true(cr_same(y, cr_named(cr_sin(x), "second")));
    assert_true(cr_same(cr_find(g, "first"), y) && cr_same(cr_find(g, "second"), y));
    assert_string_equal(cr_name(y), "first");
    cr_position(y, &file, &line, &column);
    assert_string_equal(file, "a.cr");
    assert_int_equal(line * 10 + column, 12);
    for (uint32_t i = graph_get(y)->note; i; i = g->note[i].next)
        positions += g->note[i].kind == NOTE_POSITION;
    assert_int_equal(positions, 2);
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
        RUN(cutting_gives_memory_back),
        RUN(large_constants_are_referred_to),
        RUN(a_leading_axis_changes_no_attribute),
        RUN(all_names_and_positions_are_kept),
        RUN(a_name_is_given_once),
        RUN(a_node_of_another_graph_is_refused),
        RUN(null_and_zero_are_answered_everywhere),
        RUN(shapes_whose_size_overflows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
