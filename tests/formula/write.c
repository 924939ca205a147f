/* A graph written as a model and read again is the same graph: names, parameters with their initial values, shared
 * values, variables; scopes stay as names with dots. */
#include "support/test.h"
#include "support/same_graph.h"

/* ---- Models ---- */

TEST(declarations_names_and_the_result_are_written) {
    (void)state;
    assert_written(
        "input x: f64[n]\ninput y: f64[n]\nparam b0: f64 = 0\nparam b1: f64 = 0.5\ny_hat = b0 + b1*x\nloss "
        "= mean((y_hat - y)^2)",
        "input x: f64[3]\ninput y: f64[3]\nparam b0: f64 = 0\nparam b1: f64 = 0.5\ny_hat = b0 + b1*x\n"
        "loss = sum((y_hat - y)^2)/3\nloss\n");
    assert_written("input a: f64\ns = maximum(2, 1.5)\ns*a + s - a",
                   "input a: f64\ns = maximum(2, 1.5)\ns*a + s - a\n");
    assert_written("a*b", "input a: f64\ninput b: f64\na*b\n");
}

TEST(functions_are_written_out_and_layers_become_names_with_dots) {
    (void)state;
    assert_written(
        "fn f(x, k=2) = k*x + 1\ninput x: f64[n, 2]\nh = dense(f(x), 4)\nk = dense(x, 4, like=h)\nsum(h*k)",
        NULL);
    assert_written("input x: f32[n, 2]\nparam W: f32[2, 3] = 0\nh = x @ W\nh",
                   "input x: f32[3, 2]\nparam W: f32[2, 3] = 0\nh = x @ W\nh\n");
}

TEST(what_is_used_twice_gets_a_name_of_its_own) {
    (void)state;
    assert_written("input x: f64[n]\nsum(sin(x)*sin(x))", "input x: f64[3]\nn1 = sin(x)\nsum(n1*n1)\n");
    assert_written("input n1: f64\nsin(n1)*sin(n1)", "input n1: f64\nn2 = sin(n1)\nn2*n2\n");
}

TEST(every_construct_survives) {
    (void)state;
    static const char *const models[] = {
        "input x: f64[n, 4]\nx[1:, ::-1][0] + x[-1, :]",
        "input x: f32[n]\nparam w: f32[n] = normal()*0.1\nu = uniform(shape=[3], dtype=f32)\nz = "
        "dropout(w*x, rate=0.25) + u\nsum(z)",
        "input i: i32[n]\ninput m: f64[n, 4]\nm[i][:, None] + take(m, i, axis=0)[None]",
        "input x: f64\nv = variable(x)\nw = variable(x)\nv*w + grad(v^3*w, v)",
        "c = 2\nd = c + 1\ne = true\nf = [1, 2, 3]\ng = [0.5, 1]\ninput x: f64\nwhere(e, x, c)*d + sum(f*x) "
        "+ sum(g)",
        "input x: f64[n]\na = x\nb = a\nsum(b)",
        "input x: f64[n]\ns = sort(x)\nk = argsort(x)\nsum(s*k)",
        "input x: f64[n]\nsum(sort(x) + argsort(x))",
        "param w: f64[2, 3] = he_normal()\nparam v: f64[3] = [1, 2, 3]\nparam u: f64 = 2^0.5\nsum(w @ v)*u",
        "fn mlp(x, n) { a = dense(x, n); b = dense(tanh(a), n, like=a); b }\ninput x: f64[n, 3]\nh = mlp(x, "
        "3)\nk = mlp(h, 3, like=h)\nmean(k)",
        "input x: bool[n]\ninput k: i64\nnot x and (k == 2 or x)",
        "input x: f64[n]\nloss = sum(x^3)\ng = grad(loss, x)\nh = grad(sum(g), x)\nsum(h)",
    };
    for (size_t n = 0; n < sizeof models / sizeof *models; n++) assert_written(models[n], NULL);
}

/* 2^60 leaves if it were one expression, and 30000 deep. */
TEST(shared_and_deep_expressions_stay_as_long_as_the_graph) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = x;
    for (int n = 0; n < 60; n++) y = cr_add(cr_sin(y), y);
    for (int n = 0; n < 30000; n++) y = cr_sin(y);
    cr_text *text = assert_reads_back(g, y, "deep");
    assert_true(cr_text_size(text) < 400000);
    cr_text_free(text);
    cr_graph_free(g);
}

TEST(a_name_that_the_language_cannot_write_is_refused) {
    (void)state;
    static const char *const names[] = {"two words", "1x", "pi", "a-b", "f32", "param", "caf\u00e9"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_text *text = NULL;
        cr_text_new(&text, NULL);
        cr_node x = cr_input(g, names[n], CR_F64, 0, NULL);
        assert_int_equal(cr_print_model(text, g, x), CR_ENAME);
        cr_text_free(text);
        cr_graph_free(g);
    }
    assert_int_equal(cr_print_model(NULL, NULL, (cr_node){0}), CR_EINVAL);
}

static cr_status print_it(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_text *text = NULL;
    cr_status s = g ? cr_text_new(&text, ctx) : CR_ENOMEM;
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = cr_named(cr_sin(x), "y");
    cr_named(y, "z");
    if (!s) s = cr_graph_status(g);
    if (!s) s = cr_print_model(text, g, cr_mul(cr_exp(y), cr_exp(y)));
    cr_text_free(text);
    cr_graph_free(g);
    return s;
}

TEST(no_memory_is_a_status) {
    (void)state;
    alloc_fail_each(print_it, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(declarations_names_and_the_result_are_written),
        RUN(functions_are_written_out_and_layers_become_names_with_dots),
        RUN(what_is_used_twice_gets_a_name_of_its_own),
        RUN(every_construct_survives),
        RUN(shared_and_deep_expressions_stay_as_long_as_the_graph),
        RUN(a_name_that_the_language_cannot_write_is_refused),
        RUN(no_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
