/* JSON, dot, LaTeX; and every format with each allocation failing. */
#include "support/alloc.h"
#include "support/test.h"

static const char *explained(struct fixture *f, cr_text *out, const char *format, const char *by) {
    cr_node wrt = by ? cr_find(f->g, by) : f->y;
    cr_text_clear(out);
    if (cr_explain(out, format, f->e, f->y, by != NULL, &wrt, 0.1, false))
        fail_msg("%s", cr_graph_error(f->g) ? cr_graph_error(f->g) : cr_eval_error(f->e));
    return cr_text_str(out);
}

static cr_text *new_text(void) {
    cr_text *t = NULL;
    assert_int_equal(cr_text_new(&t, NULL), CR_OK);
    return t;
}

/* By hand, as in text.c. */
TEST(the_worked_example_as_json) {
    (void)state;
    static const char expected[] =
        "{\"nodes\": [\n"
        "  {\"id\": 1, \"name\": \"w\", \"op\": \"input\", \"formula\": \"w\", \"operands\": [], \"value\": "
        "1, "
        "\"local\": [], \"cotangent\": -2},\n"
        "  {\"id\": 2, \"name\": \"x\", \"op\": \"input\", \"formula\": \"x\", \"operands\": [], \"value\": "
        "1, "
        "\"local\": [], \"cotangent\": null},\n"
        "  {\"id\": 3, \"name\": \"y\", \"op\": \"input\", \"formula\": \"y\", \"operands\": [], \"value\": "
        "2, "
        "\"local\": [], \"cotangent\": null},\n"
        "  {\"id\": 4, \"name\": \"n1\", \"op\": \"mul\", \"formula\": \"w*x\", \"operands\": [1, 2], "
        "\"value\": 1, "
        "\"local\": [{\"operand\": 1, \"formula\": \"x\", \"value\": 1}, {\"operand\": 2, \"formula\": "
        "\"w\", "
        "\"value\": 1}], \"cotangent\": -2},\n"
        "  {\"id\": 5, \"name\": \"n2\", \"op\": \"sub\", \"formula\": \"n1 - y\", \"operands\": [4, 3], "
        "\"value\": -1, "
        "\"local\": [{\"operand\": 4, \"formula\": \"1\", \"value\": 1}, {\"operand\": 3, \"formula\": "
        "\"-1\", "
        "\"value\": -1}], \"cotangent\": -2},\n"
        "  {\"id\": 6, \"name\": \"n3\", \"op\": \"square\", \"formula\": \"n2^2\", \"operands\": [5], "
        "\"value\": 1, "
        "\"local\": [{\"operand\": 5, \"formula\": \"2*n2\", \"value\": -2}], \"cotangent\": 1}\n"
        "], \"value\": 1, \"gradients\": {\"w\": -2}}\n";
    struct fixture f = fixture_of("(w*x - y)^2", "w", 1., "x", 1., "y", 2., NULL);
    cr_text *out = new_text();
    assert_string_equal(explained(&f, out, "json", "w"), expected);
    cr_text_free(out);
    fixture_free(&f);
}

/* 1/3 has 16 digits; 1/0 is inf; inf - inf is nan. */
TEST(json_numbers_read_back_the_same_and_the_others_are_strings) {
    (void)state;
    struct fixture f = fixture_of("x/3 + (1/y - 1/y)", "x", 1., "y", 0., NULL);
    cr_text *out = new_text();
    const char *json = explained(&f, out, "json", "x");
    assert_non_null(strstr(json, "\"value\": 0.3333333333333333,"));
    assert_non_null(strstr(json, "\"value\": \"inf\","));
    assert_non_null(strstr(json, "], \"value\": \"nan\", \"gradients\": {\"x\": 0.3333333333333333}}\n"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(json_of_tensors_is_nested_lists_and_a_rule_in_g_has_no_number) {
    (void)state;
    struct fixture f = fixture_of("k", "k", 2., NULL);
    const int64_t dims[] = {2, 2};
    const double x[] = {1, 2, 3, 4};
    cr_text *out = new_text();
    cr_node a = cr_param(f.g, "A", CR_F64, 2, dims);
    assert_int_equal(cr_eval_set(f.e, a, CR_F64, x, sizeof x), CR_OK);
    f.y = cr_formula(f.g, "sum(A @ A)");
    const char *json = explained(&f, out, "json", "A");
    assert_non_null(strstr(json, "\"value\": [[1, 2], [3, 4]]"));
    assert_non_null(strstr(json, "\"local\": [{\"operand\": 1, \"formula\": \"g @ t(A)\", \"value\": null}, "
                                 "{\"operand\": 1, \"formula\": \"t(A) @ g\", \"value\": null}]"));
    /* g = ones: g A' = [[3, 7], [3, 7]], A' g = [[4, 4], [6, 6]] */
    assert_non_null(strstr(json, "\"gradients\": {\"A\": [[7, 11], [9, 13]]}}"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(names_are_escaped_as_each_format_needs_it) {
    (void)state;
    struct fixture f = fixture_of("k", "k", 2., NULL);
    cr_text *out = new_text();
    cr_node x = cr_param(f.g, "a\"b\\c<i>&\n_%", CR_F64, 0, NULL);
    double one = 1;
    assert_int_equal(cr_eval_set(f.e, x, CR_F64, &one, sizeof one), CR_OK);
    f.y = cr_mul(x, cr_find(f.g, "k"));
    const char *by = "a\"b\\c<i>&\n_%";
    assert_non_null(strstr(explained(&f, out, "json", by), "\"name\": \"a\\\"b\\\\c<i>&\\u000a_%\""));
    assert_non_null(strstr(explained(&f, out, "dot", by), "<B>a&quot;b\\c&lt;i&gt;&amp; _%</B>"));
    assert_null(strstr(explained(&f, out, "latex", by), "&\n_"));
    explained(&f, out, "text", by);
    cr_text_free(out);
    fixture_free(&f);
}

TEST(shapes_tell_what_a_node_is) {
    (void)state;
    struct fixture f = fixture_of("x", "x", 2., NULL);
    cr_text *out = new_text();
    double one = 1, many[] = {1, 2, 3, 4, 5, 6, 7, 8};
    cr_node p = cr_param(f.g, "p", CR_F64, 0, NULL), c = cr_const(f.g, CR_F64, 1, (int64_t[]){8}, many);
    assert_int_equal(cr_eval_set(f.e, p, CR_F64, &one, sizeof one), CR_OK);
    f.y = cr_named(cr_sum(cr_mul(cr_mul(p, f.y), c), 0, NULL, false), "loss");
    const char *dot = explained(&f, out, "dot", "p");
    assert_non_null(strstr(dot, "[shape=box, fillcolor=\"#e8e8e8\", label=<<B>x</B>"));
    assert_non_null(strstr(dot, "[shape=box, style=\"filled,bold\", fillcolor=\"#d3e4f7\", label=<<B>p</B>"));
    assert_non_null(strstr(dot, "[shape=note, fillcolor=\"#fdf6d8\", label=<<B>n1</B>"));
    assert_non_null(strstr(dot, "[shape=ellipse, fillcolor=\"#ffffff\", label=<<B>n2</B>"));
    assert_non_null(strstr(dot, "[shape=doubleoctagon, fillcolor=\"#f9ddd8\", label=<<B>loss</B>"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(without_values_the_graph_alone_is_drawn) {
    (void)state;
    struct fixture f = fixture_of("x^2", "x", 2., NULL);
    cr_text *out = new_text();
    assert_int_equal(cr_explain(out, "dot", NULL, f.y, 0, NULL, 0.1, false), CR_OK);
    assert_non_null(strstr(cr_text_str(out), "label=<<B>n1</B>&#160;= x^2>];\n  n0 -> n1;\n"));
    cr_text_free(out);
    fixture_free(&f);
}

static const char model[] = "input x: f64[2, 3]\nh1 = dense(x, 4)\na1 = softmax(h1)\nh2 = dense(a1, 4)\n"
                            "a2 = softmax(h2)\nh3 = dense(a2, 4)\na3 = softmax(h3)\nh4 = dense(a3, 4)\n"
                            "a4 = softmax(h4)\nh5 = dense(a4, 4)\na5 = softmax(h5)\nloss = mean(a5^2)\n";

TEST(a_layer_stands_in_a_box_and_many_layers_are_folded) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_model *m = NULL;
    cr_node loss;
    cr_text *out = new_text();
    assert_int_equal(cr_model_new(&m, model, sizeof model - 1, NULL, NULL, out), CR_OK);
    assert_int_equal(cr_model_build(&loss, m, g, out), CR_OK);
    assert_int_equal(cr_explain(out, "dot", NULL, loss, 0, NULL, 0.1, true), CR_OK);
    assert_non_null(strstr(cr_text_str(out), "label=<h1>;\n"));
    assert_non_null(strstr(cr_text_str(out), "x @ h1.W"));
    cr_text_clear(out);
    assert_int_equal(cr_explain(out, "dot", NULL, loss, 0, NULL, 0.1, false), CR_OK);
    assert_non_null(strstr(cr_text_str(out), "<B>h1.W</B>"));
    assert_null(strstr(cr_text_str(out), "x @ h1.W"));
    cr_text_clear(out);
    assert_int_equal(cr_explain(out, "text", NULL, loss, 0, NULL, 0.1, false), CR_OK);
    assert_non_null(strstr(cr_text_str(out), "(and 5 inside their scopes; in full: each of them)\n"));
    cr_model_free(m);
    cr_text_free(out);
    cr_graph_free(g);
}

static cr_status explain_all(cr_context *ctx, void *arg) {
    (void)arg;
    static const char *const formats[] = {"text", "json", "dot", "latex"};
    cr_graph *g = cr_graph_new(ctx);
    cr_eval *e = NULL;
    cr_text *out = NULL;
    double x[] = {1, 2};
    cr_status status = cr_eval_new(&e, g, NULL);
    if (!g) return CR_ENOMEM;
    if (!status) status = cr_text_new(&out, ctx);
    cr_node a = cr_input(g, "x", CR_F64, 1, (int64_t[]){2}), y = cr_formula(g, "sum(x*x*3) + x[1]"),
            b = cr_input(g, "b", CR_F64, 0,
                         NULL); /* what is checked is small: each check has thousands of allocations */
    if (!status) status = cr_graph_status(g);
    if (!status) status = cr_eval_set(e, a, CR_F64, x, sizeof x);
    for (size_t i = 0; i < 4 && !status; i++) status = cr_explain(out, formats[i], e, y, 1, &a, 0.1, false);
    if (!status) status = cr_eval_set(e, b, CR_F64, x, sizeof *x);
    if (!status) status = cr_check(out, e, cr_square(b), 1, &b, 1e-6, 1e-8);
    cr_text_free(out);
    cr_eval_free(e);
    cr_graph_free(g);
    return status;
}

TEST(each_failed_allocation_is_a_status) {
    (void)state;
    alloc_fail_each_told(explain_all, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_worked_example_as_json),
        RUN(json_numbers_read_back_the_same_and_the_others_are_strings),
        RUN(json_of_tensors_is_nested_lists_and_a_rule_in_g_has_no_number),
        RUN(names_are_escaped_as_each_format_needs_it),
        RUN(shapes_tell_what_a_node_is),
        RUN(without_values_the_graph_alone_is_drawn),
        RUN(a_layer_stands_in_a_box_and_many_layers_are_folded),
        RUN(each_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
