/* Which dtype an op computes in, row by row where the table decides it. */
#include "support/test.h"

#include "ops/build.h"

static cr_node leaf(cr_graph *g, const char *name, cr_dtype dtype) {
    return cr_input(g, name, dtype, 1, (int64_t[]){2});
}

/* f16 and bf16 store numbers: what computes with them yields f32; what moves them keeps them. */
TEST(halves_are_storage_and_arithmetic_yields_f32) {
    (void)state;
    static const cr_dtype halves[] = {CR_F16, CR_BF16};
    for (int i = 0; i < 2; i++)
        for (int op = 1; op < OP_COUNT; op++) {
            const struct op_row *row = ops_row(op);
            bool number = row->dtype == DTYPE_NUMBER || row->dtype == DTYPE_FLOAT;
            bool two = strncmp(row->arguments, "x, y", 4) == 0;
            if (op_kind(op) == KIND_LEAF || (!number && row->dtype != DTYPE_ANY)) continue;
            if (op_kind(op) != KIND_ELEM && op_kind(op) != KIND_REDUCE && op_kind(op) != KIND_ALIAS) continue;
            if (op == OP_variable) continue;
            cr_graph *g = cr_graph_new(NULL);
            cr_node x[2] = {leaf(g, "x", halves[i]), leaf(g, "y", halves[i])};
            double two_ = 2;
            cr_attr n = {"n", 1, &two_, NULL};
            cr_node y = cr_op(g, row->name, two ? 2 : 1, x, strstr(row->arguments, ", n") != NULL, &n);
            if (!cr_ok(y)) fail_msg("%s", cr_graph_error(g));
            if (cr_dtype_of(y) != (op_kind(op) == KIND_ALIAS ? halves[i] : CR_F32))
                fail_msg("%s of %s is %s", row->name, cr_dtype_name(halves[i]),
                         cr_dtype_name(cr_dtype_of(y)));
            cr_graph_free(g);
        }
}

TEST(halves_move_without_a_cast) {
    (void)state;
    static const char *const moves[] = {"reshape(x, [2, 1])", "expand(x, [3, 2])", "x[::-1]",
                                        "pad(x, 1, 1)",       "concat(x, x)",      "gather(x, [1, 0, 0])",
                                        "permute(x, 0)",      "cast(x, f16)"};
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        cr_graph *g = cr_graph_new(NULL);
        leaf(g, "x", CR_F16);
        cr_node y = cr_formula(g, moves[i]);
        if (!cr_ok(y)) fail_msg("%s: %s", moves[i], cr_graph_error(g));
        if (cr_dtype_of(y) != CR_F16) fail_msg("%s of f16 is %s", moves[i], cr_dtype_name(cr_dtype_of(y)));
        cr_graph_free(g);
    }
}

/* A tensor of literals, looked at in another way or summed, is still literals. */
TEST(what_is_made_of_literals_takes_the_dtype_of_what_it_meets) {
    (void)state;
    static const char *const formulas[] = {"x * [1, 2.5]",
                                           "x * [1, 2.5][::-1]",
                                           "x * reshape([[1], [2.5]], [2])",
                                           "x * sum([1, 2.5])",
                                           "x * exp(t([[1, 2.5], [3, 4]]))[0]",
                                           "[[1, 2.5], [3, 4]] @ x",
                                           "recur(x, [1, 2.5])",
                                           "where(x > 0, x, [1, 2.5][::-1])"};
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        cr_graph *g = cr_graph_new(NULL);
        leaf(g, "x", CR_F32);
        cr_node y = cr_formula(g, formulas[i]);
        if (!cr_ok(y)) fail_msg("%s: %s", formulas[i], cr_graph_error(g));
        if (cr_dtype_of(y) != CR_F32) fail_msg("%s is %s", formulas[i], cr_dtype_name(cr_dtype_of(y)));
        cr_graph_free(g);
    }
}

TEST(integers_that_meet_a_fraction_become_the_graphs_default_float) {
    (void)state;
    for (int f = 0; f < 2; f++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_dtype expected = f ? CR_F32 : CR_F64;
        assert_int_equal(cr_graph_default_float(g, expected), CR_OK);
        leaf(g, "i", CR_I32), leaf(g, "l", CR_I64), leaf(g, "b", CR_BOOL);
        static const char *const fractions[] = {
            "i * 0.5", "l + [0.5, 1][::-1]", "i / l", "sqrt(l)", "mean(i)", "b / 2"};
        static const char *const wholes[] = {"i + l", "l - 2", "i // l", "max(i) * l", "i ^ 2 + l", "sum(b)"};
        for (size_t k = 0; k < 6; k++) {
            cr_node y = cr_formula(g, fractions[k]), z = cr_formula(g, wholes[k]);
            if (cr_dtype_of(y) != expected || !cr_ok(y))
                fail_msg("%s is %s", fractions[k], cr_dtype_name(cr_dtype_of(y)));
            if (cr_dtype_of(z) != CR_I64 || !cr_ok(z))
                fail_msg("%s is %s", wholes[k], cr_dtype_name(cr_dtype_of(z)));
        }
        cr_graph_free(g);
    }
}

/* The message names the op that was called, both dtypes, and the way out. */
TEST(f32_with_f64_names_the_op_and_offers_cast) {
    (void)state;
    static const char *const calls[] = {"add: x + y",    "atan2: atan2(x, y)", "where: where(x > 0, x, y)",
                                        "matmul: x @ y", "recur: recur(x, y)", "concat: concat(x, y)"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        cr_graph *g = cr_graph_new(NULL);
        leaf(g, "x", CR_F32), leaf(g, "y", CR_F64);
        const char *formula = strchr(calls[i], ' ') + 1;
        size_t name = (size_t)(formula - calls[i]) - 1;
        assert_false(cr_ok(cr_formula(g, formula)));
        assert_int_equal(cr_graph_status(g), CR_EDTYPE);
        const char *said = cr_graph_error(g);
        char op[32];
        snprintf(op, sizeof op, "%.*s", (int)name, calls[i]);
        if (!strstr(said, op) || !strstr(said, "cast") || !strstr(said, "f32") || !strstr(said, "f64"))
            fail_msg("%s: %s", formula, said);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(halves_are_storage_and_arithmetic_yields_f32),
        RUN(halves_move_without_a_cast),
        RUN(what_is_made_of_literals_takes_the_dtype_of_what_it_meets),
        RUN(integers_that_meet_a_fraction_become_the_graphs_default_float),
        RUN(f32_with_f64_names_the_op_and_offers_cast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
