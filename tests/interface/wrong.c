/* Objects of another graph, cut or out of range, and sizes at and past their limits: a status and a sentence, never a crash. */
#include "support/refuses.h"

#include <limits.h>

static const cr_node none = {0};

struct world {
    cr_graph *g, *other;
    cr_node x, w, y, there, gone, error;
    cr_eval *e;
    cr_store *store;
    cr_text *text;
};

static struct world world_new(void) {
    struct world v = {.g = cr_graph_new(NULL), .other = cr_graph_new(NULL)};
    assert_int_equal(cr_text_new(&v.text, NULL), CR_OK);
    assert_int_equal(cr_store_new(&v.store, NULL), CR_OK);
    v.x = cr_input(v.g, "x", CR_F64, 1, (int64_t[]){3});
    v.w = cr_param(v.g, "w", CR_F64, 1, (int64_t[]){3});
    v.y = cr_sum(cr_square(cr_mul(v.w, v.x)), 0, NULL, false);
    v.there = cr_input(v.other, "x", CR_F64, 0, NULL);
    size_t mark = cr_graph_mark(v.g);
    v.gone = cr_exp(v.y);
    assert_int_equal(cr_graph_cut(v.g, mark), CR_OK);
    v.error = cr_find(v.g, "nobody");
    assert_int_equal(cr_eval_new(&v.e, v.g, v.store), CR_OK);
    return v;
}

static void world_free(struct world *v) {
    cr_eval_free(v->e);
    cr_store_free(v->store);
    cr_text_free(v->text);
    cr_graph_free(v->g);
    cr_graph_free(v->other);
}

/* The call failed, and the graph has a sentence. */
static void told(cr_graph *g, cr_status status) {
    assert_int_not_equal(status, CR_OK);
    if (!cr_graph_status(g) || !*cr_graph_error(g)) fail_msg("the graph says nothing");
    cr_graph_clear_error(g);
}

TEST(a_node_that_is_none_is_refused_by_every_derivative) {
    (void)state;
    struct world v = world_new();
    cr_node bad[] = {v.error, v.gone, v.there, none}, out[2];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_node both[2] = {v.w, bad[i]};
        told(v.g, cr_grad(out, v.y, 2, both));
        assert_false(cr_ok(out[0]) || cr_ok(out[1]));
        told(v.g, cr_vjp(out, 1, &v.y, &bad[i], 1, &v.w));
        told(v.g, cr_jvp(out, 1, &v.y, 2, both, both));
        assert_false(cr_ok(out[0]));
        told(v.g, cr_jacobian(out, v.y, 2, both, CR_BY_SHAPE));
        assert_false(cr_ok(out[0]) || cr_ok(out[1]));
        cr_node four[4];
        told(v.g, cr_hessian(four, v.y, 2, both));
        assert_false(cr_ok(four[0]) || cr_ok(four[3]));
        told(v.g, cr_hvp(out, v.y, 1, &v.w, &bad[i]));
        assert_false(cr_ok(out[0]));
        told(v.g, cr_vmap(out, 1, &v.y, 1, &v.w, &bad[i]));
        told(v.g, cr_vmap(out, 1, &v.y, 2, both, both));
        assert_false(cr_ok(out[0]));
        cr_pattern *pattern = NULL;
        told(v.g, cr_sparse_jacobian(out, &pattern, v.y, bad[i]));
        assert_false(pattern || cr_ok(out[0]));
        told(v.g, cr_sparse_hessian(out, &pattern, v.y, bad[i]));
        assert_false(pattern || cr_ok(out[0]));
        refuses("cr_sparse_jacobian", cr_sparse_jacobian(out, &pattern, bad[i], v.w));
        refuses("cr_sparse_hessian", cr_sparse_hessian(out, &pattern, bad[i], v.w));
        assert_false(pattern || cr_ok(out[0]) || cr_ok(cr_spmm(NULL, v.y, bad[i])));
        assert_false(cr_ok(cr_sparse_values(NULL, bad[i])));
        refuses("cr_grad", cr_grad(out, bad[i], 1, &v.w)); /* a loss of another graph: that graph is told */
        assert_false(cr_ok(out[0]));
        cr_graph_clear_error(v.g);
        cr_graph_clear_error(v.other);
    }
    cr_pattern *pattern = NULL;
    refuses("cr_pattern_of", cr_pattern_of(&pattern, v.error));
    refuses("cr_pattern_of", cr_pattern_of(&pattern, v.gone));
    assert_null(pattern);
    told(v.g, cr_grad(out, v.y, -1, &v.w));
    told(v.g, cr_grad(out, v.y, 1, NULL));
    told(v.g, cr_jacobian(out, v.y, -1, &v.w, CR_FORWARD));
    told(v.g, cr_hessian(out, v.y, INT_MIN, &v.w));
    told(v.g, cr_hessian(out, v.y, INT_MAX, &v.w));
    told(v.g, cr_hvp(out, v.y, 1, &v.w, NULL));
    told(v.g, cr_vmap(out, 1, &v.y, -1, &v.w, &v.w));
    told(v.g, cr_vjp(out, -1, &v.y, &v.y, 1, &v.w));
    told(v.g, cr_vjp(out, 1, &v.y, NULL, 1, &v.w));
    told(v.g, cr_jvp(out, 1, &v.y, INT_MIN, &v.w, &v.w));
    told(v.g, cr_jvp(out, 1, &v.y, 1, &v.w, NULL));
    told(v.g, cr_grad(out, v.y, 1, &v.y));            /* neither leaf nor variable */
    told(v.g, cr_grad(out, cr_square(v.x), 1, &v.w)); /* not one number */
    world_free(&v);
}

TEST(leaves_and_names_of_wrong_form_are_refused_with_a_sentence) {
    (void)state;
    struct world v = world_new();
    int64_t dims[32] = {0};
    const struct {
        const char *name;
        int dtype, rank;
        int64_t size;
    } wrong[] = {{NULL, CR_F64, 0, 1},
                 {"", CR_F64, 0, 1},
                 {"a", -1, 0, 1},
                 {"a", 7, 0, 1},
                 {"a", CR_F64, -1, 1},
                 {"a", CR_F64, CR_MAX_RANK + 1, 1},
                 {"a", CR_F64, INT_MAX, 1},
                 {"a", CR_F64, 2, -1},
                 {"a", CR_F64, 2, INT64_MAX},
                 {"a", CR_F64, 3, (int64_t)1 << 40},
                 {"x", CR_F64, 0, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        for (int k = 0; k < 32; k++) dims[k] = wrong[i].size;
        cr_dtype dtype;
        memcpy(&dtype, &wrong[i].dtype, sizeof dtype);
        assert_false(cr_ok(cr_input(v.g, wrong[i].name, dtype, wrong[i].rank, dims)));
        told(v.g, CR_EINVAL);
        assert_false(cr_ok(cr_param(v.g, wrong[i].name, dtype, wrong[i].rank, dims)));
        told(v.g, CR_EINVAL);
    }
    assert_false(cr_ok(cr_input(v.g, "a", CR_F64, 1, NULL)));
    told(v.g, CR_EINVAL);
    assert_false(cr_ok(cr_const(v.g, CR_F64, 1, (int64_t[]){2}, NULL)));
    told(v.g, CR_EINVAL);
    assert_false(cr_ok(cr_named(v.y, "x")));
    told(v.g, CR_ENAME);
    assert_false(cr_ok(cr_named(v.y, NULL)));
    told(v.g, CR_EINVAL);
    told(v.g, cr_param_init(v.x, v.y));
    told(v.g, cr_param_init(v.w, v.error));
    told(v.g, cr_param_update(v.x, v.y));
    told(v.g, cr_param_update(v.w, v.error));
    world_free(&v);
}

TEST(an_op_by_name_tells_what_is_wrong_with_its_attributes) {
    (void)state;
    struct world v = world_new();
    const double half = 0.5, huge = 1e300, minus = -1, many[64] = {0}, nan = NAN, two[2] = {0, 1};
    const struct {
        const char *op;
        cr_attr attr;
    } wrong[] = {
        {"sum", {"axis", 1, &half, NULL}},       {"sum", {"axis", 1, &huge, NULL}},
        {"sum", {"axis", 1, &nan, NULL}},        {"sum", {"axis", 64, many, NULL}},
        {"sum", {"axis", -1, many, NULL}},       {"sum", {"axis", 1, NULL, NULL}},
        {"sum", {"axis", 0, NULL, "f32"}},       {"sum", {NULL, 1, &minus, NULL}},
        {"sum", {"axes", 1, &minus, NULL}},      {"sum", {"keep", 0, NULL, "maybe"}},
        {"sum", {"keep", 1, &half, NULL}},       {"sum", {"keep", 0, NULL, "f64"}},
        {"powi", {"n", 1, &half, NULL}},         {"powi", {"n", 1, &huge, NULL}},
        {"powi", {"n", 2, two, NULL}},           {"powi", {"n", 0, NULL, "all"}},
        {"cast", {"dtype", 1, &minus, NULL}},    {"cast", {"dtype", 0, NULL, "f33"}},
        {"cast", {"dtype", 0, NULL, "true"}},    {"softmax", {"axis", 2, two, NULL}},
        {"softmax", {"axis", 0, NULL, "all"}},   {"leaky_relu", {"slope", 0, NULL, "x"}},
        {"leaky_relu", {"slope", 2, two, NULL}}, {"reshape", {"shape", 0, NULL, "all"}},
        {"reshape", {"shape", 1, &half, NULL}},  {"polygamma", {"n", 1, &half, NULL}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (cr_ok(cr_op(v.g, wrong[i].op, 1, &v.x, 1, &wrong[i].attr)))
            fail_msg("%s took its attribute %s, case %zu", wrong[i].op,
                     wrong[i].attr.name ? wrong[i].attr.name : "NULL", i);
        told(v.g, CR_EINVAL);
    }
    const cr_attr twice[2] = {{"axis", 1, &minus, NULL}, {"axis", 0, NULL, "all"}};
    assert_false(cr_ok(cr_op(v.g, "sum", 1, &v.x, 2, twice)));
    told(v.g, CR_EINVAL);
    world_free(&v);
}

TEST(an_op_by_name_refuses_operands_and_counts_that_make_no_sense) {
    (void)state;
    struct world v = world_new();
    cr_node pair[2] = {v.x, v.there};
    const struct {
        const char *op;
        int n;
        const cr_node *x;
        int attrs;
    } wrong[] = {{NULL, 1, &v.x, 0},      {"", 1, &v.x, 0},        {"nosuch", 1, &v.x, 0},
                 {"sin", 0, NULL, 0},     {"sin", -1, &v.x, 0},    {"sin", 1, NULL, 0},
                 {"sin", 2, pair, 0},     {"add", 2, pair, 0},     {"concat", 0, NULL, 0},
                 {"sin", 1, &v.x, -1},    {"sin", 1, &v.x, 3},     {"sin", 1, &v.gone, 0},
                 {"sin", 1, &v.error, 0}, {"sin", 1, &v.there, 0}, {"input", 0, NULL, 0},
                 {"part", 1, &v.x, 0},    {"iota", 0, NULL, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (cr_ok(cr_op(v.g, wrong[i].op, wrong[i].n, wrong[i].x, wrong[i].attrs, NULL)))
            fail_msg("case %zu was taken", i);
        told(v.g, CR_EINVAL);
    }
    world_free(&v);
}

TEST(a_target_refuses_what_was_cut_though_other_nodes_have_its_place) {
    (void)state;
    struct world v = world_new();
    cr_program *p = NULL;
    cr_target *output = cr_target_new(v.g), *update = cr_target_new(v.g);
    size_t mark = cr_graph_mark(v.g);
    cr_node value = cr_mul(v.w, cr_number(v.g, 3));
    assert_int_equal(cr_target_output(output, "y", value), CR_OK);
    assert_int_equal(cr_target_update(update, v.w, value), CR_OK);
    assert_int_equal(cr_graph_cut(v.g, mark), CR_OK);
    for (int i = 0; i < 2; i++) {
        told(v.g, cr_compile(&p, output, NULL));
        told(v.g, cr_compile(&p, update, NULL));
        assert_null(p);
        for (int k = 0; k < 8; k++) cr_exp(cr_number(v.g, 10 + k));
    }
    refuses("cr_graph_cut", cr_graph_cut(v.g, 0));
    refuses("cr_graph_cut", cr_graph_cut(v.g, cr_graph_mark(v.g) + 1));
    refuses("cr_graph_cut", cr_graph_cut(v.g, SIZE_MAX));
    cr_target_free(output);
    cr_target_free(update);
    world_free(&v);
}

TEST(a_start_that_was_cut_starts_nothing_though_other_nodes_have_its_place) {
    (void)state;
    struct world v = world_new();
    size_t mark = cr_graph_mark(v.g);
    assert_int_equal(cr_param_init(v.w, cr_exp(cr_number(v.g, 2))), CR_OK);
    assert_int_equal(cr_graph_cut(v.g, mark), CR_OK);
    assert_int_equal(cr_store_init(v.store, v.g, 0), CR_OK);
    for (int k = 0; k < 8; k++) cr_exp(cr_number(v.g, 10 + k));
    assert_int_equal(cr_store_init(v.store, v.g, 0), CR_OK);
    assert_null(cr_store_data(v.store, "w", NULL, NULL));
    world_free(&v);
}

TEST(an_evaluator_tells_what_it_cannot_know) {
    (void)state;
    struct world v = world_new();
    double three[3] = {1, 2, 3}, number;
    cr_array *array;
    const cr_node bad[] = {v.error, v.gone, v.there, none};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses("set", cr_eval_set(v.e, bad[i], CR_F64, &number, sizeof number));
        refuses("value", cr_eval_value(v.e, bad[i], CR_F64, &number, sizeof number));
        assert_non_null(cr_eval_error(v.e));
        refuses("array", cr_eval_array(&array, v.e, bad[i]));
        assert_null(array);
        assert_true(isnan(cr_eval_number(v.e, bad[i])));
    }
    refuses("not a leaf", cr_eval_set(v.e, v.y, CR_F64, &number, sizeof number));
    refuses("too few bytes", cr_eval_set(v.e, v.x, CR_F64, three, sizeof three - 1));
    refuses("no bytes", cr_eval_set(v.e, v.x, CR_F64, NULL, sizeof three));
    refuses("too many bytes", cr_eval_set(v.e, v.x, CR_F64, three, SIZE_MAX));
    refuses("unbound", cr_eval_value(v.e, v.y, CR_F64, &number, sizeof number));
    assert_non_null(strstr(cr_eval_error(v.e), "has no value"));
    assert_int_equal(cr_eval_set(v.e, v.x, CR_F64, three, sizeof three), CR_OK);
    assert_int_equal(cr_eval_set(v.e, v.w, CR_F64, three, sizeof three), CR_OK);
    refuses("dtype", cr_eval_value(v.e, v.y, CR_F32, &number, sizeof number));
    refuses("bytes", cr_eval_value(v.e, v.y, CR_F64, &number, 0));
    assert_true(cr_eval_number(v.e, v.y) == 1 + 16 + 81);
    assert_true(isnan(cr_eval_number(v.e, v.x)));
    assert_non_null(strstr(cr_eval_error(v.e), "expected a node of one number, found [3]"));
    world_free(&v);
}

TEST(explain_and_check_refuse_what_they_cannot_show) {
    (void)state;
    struct world v = world_new();
    const cr_node bad[] = {v.error, v.gone, v.there, none};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses("explain", cr_explain(v.text, "text", v.e, bad[i], 0, NULL, 0.1, false));
        refuses("explain", cr_explain(v.text, "text", v.e, v.y, 1, &bad[i], 0.1, false));
        refuses("check", cr_check(v.text, v.e, bad[i], 1, &v.w, 1e-6, 1e-8));
        refuses("check", cr_check(v.text, v.e, v.y, 1, &bad[i], 1e-6, 1e-8));
        double bound;
        refuses("digits", cr_digits(v.text, "text", v.e, bad[i], 1, &v.w));
        refuses("digits", cr_digits(v.text, "text", v.e, v.y, 1, &bad[i]));
        refuses("bound", cr_rounding_bound(&bound, v.e, bad[i], 0));
        cr_graph_clear_error(v.g);
        cr_graph_clear_error(v.other);
    }
    refuses("a format", cr_explain(v.text, "pdf", v.e, v.y, 1, &v.w, 0.1, false));
    refuses("no format", cr_explain(v.text, NULL, v.e, v.y, 1, &v.w, 0.1, false));
    refuses("a count", cr_explain(v.text, "text", v.e, v.y, -1, &v.w, 0.1, false));
    refuses("no evaluator", cr_explain(v.text, "text", NULL, v.y, 1, &v.w, 0.1, false));
    refuses("no values", cr_explain(v.text, "text", v.e, v.y, 1, &v.w, 0.1, false));
    refuses("no values", cr_check(v.text, v.e, v.y, 1, &v.w, 1e-6, 1e-8));
    refuses("no values", cr_digits(v.text, "text", v.e, v.y, 1, &v.w));
    world_free(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_node_that_is_none_is_refused_by_every_derivative),
        RUN(leaves_and_names_of_wrong_form_are_refused_with_a_sentence),
        RUN(an_op_by_name_tells_what_is_wrong_with_its_attributes),
        RUN(an_op_by_name_refuses_operands_and_counts_that_make_no_sense),
        RUN(a_target_refuses_what_was_cut_though_other_nodes_have_its_place),
        RUN(a_start_that_was_cut_starts_nothing_though_other_nodes_have_its_place),
        RUN(an_evaluator_tells_what_it_cannot_know),
        RUN(explain_and_check_refuse_what_they_cannot_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
