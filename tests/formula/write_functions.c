/* Functions of a graph written as functions of the formula language: what is read again is the same graph. */
#include "support/functions.h"
#include "support/same_graph.h"
#include "support/test.h"

TEST(each_function_is_written_once_before_what_runs_it) {
    (void)state;
    assert_written("input x: f64[n]\ninput k: f64\nfn step(h, x, k) = tanh(h*k + x)\nscan(step, 0, x, k=k)",
                   "fn step_1(h, x, k) {\n  tanh(h*k + x)\n}\n"
                   "input x: f64[3]\ninput k: f64\nn1 = scan(step_1, [cast(0, f64)], x, k=k)\nn1\n");
    assert_written(
        "input x: f64\nfn in(v) = v*v\nfn out(v) { s = in(v); checkpoint(in, s) + checkpoint(in, v) }\n"
        "a = checkpoint(out, x)\nb = checkpoint(in, a)\na + b",
        "fn in_1(v) {\n  v*v\n}\n"
        "fn out_2(v) {\n  n1 = checkpoint(in_1, v*v)\n  n2 = checkpoint(in_1, v)\n  n1 + n2\n}\n"
        "input x: f64\na = checkpoint(out_2, x)\nb = checkpoint(in_1, a)\na + b\n");
    assert_written(
        "input x: f64\nfn sin_1(n1, n2) = [n1*n2 + n2^2, n1*n2]\nfn f(steps) = steps + 1\n"
        "r = checkpoint(sin_1, x, x)\nr[0]*r[1] + scan(f, x, steps=2)",
        "fn sin_1(n1, n2) {\n  n3 = n1*n2\n  [n3 + n2^2, n3]\n}\n"
        "fn f_2(x0) {\n  x0 + 1\n}\n"
        "input x: f64\nn1 = checkpoint(sin_1, x, x)\nn2 = scan(f_2, [x], steps=2)\nn1[0]*n1[1] + n2\n");
}

/* A model that is written again is the same text. */
TEST(what_is_written_twice_does_not_change) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL), *again = cr_graph_new(NULL);
    cr_text *second = NULL;
    cr_node y;
    read_model(&y, g,
               "input x: f64[n]\ninput k: f64\nfn step(h, x, k) = tanh(h*k + x) + h*k\nfn sq(x) = x^2\n"
               "s = scan(step, k, x, k=k)\ngrad(s, k) + sum(map(sq, x))");
    cr_text *first = assert_reads_back(g, y, "twice");
    cr_text_new(&second, NULL);
    read_model(&y, again, cr_text_str(first));
    assert_int_equal(cr_print_model(second, again, y), CR_OK);
    assert_string_equal(cr_text_str(second), cr_text_str(first));
    cr_text_free(first), cr_text_free(second);
    cr_graph_free(g), cr_graph_free(again);
}

TEST(every_way_to_run_a_function_survives) {
    (void)state;
    static const char *const models[] = {
        "input x: f64[n]\nfn run(h, x) { s = h + x; [s, s^2] }\nr = scan(run, 0, x)\nr[0] + sum(r[1])",
        "input x: f64[n]\nfn run(h, x) { s = h + x; [s, s^2] }\nr = scan(run, 0, x, reverse=true)\nsum(r[1])",
        "input x: f64[n, 2]\nfn run(a, b, x, k) = [b*k, a + x]\nr = scan(run, [x[0], [1.5, 2]], x, "
        "k=x[1])\nr[0] @ r[1]",
        "input z: f64\nfn run(z) = 4*z*(1 - z)\nscan(run, z, steps=7)",
        "input z: f64[n]\nfn run(z, x) = tanh(z + x)\nsum(scan(run, z, iota(9)[:, None] + z[None], "
        "memory=24))",
        "input x: f64[n]\ninput k: f64[2]\nfn f(x, k) = x*k\nsum(map(f, x, k=k))",
        "input x: f64[n]\nfn f(x, y) = [x > y, x + 1]\nr = map(f, x, [1, 2, 3]*x)\nwhere(r[0], r[1], x)",
        "input a: f64\nfn more(x, a) = abs(x^2 - a) > 1e-12*a\nfn newton(x, a) = (x + a/x)/2\n"
        "while(more, newton, 1, most=50, a=a) + while(more, newton, 1, a=a)",
        "input x: f64\nfn f(x) = log(x)\nfn g(x) = x^2\ny = cond(x > 0, f, g, x)\ny",
        "input a: f64\nfn f(x, a) = x^3 - a\nimplicit(f, 2, a=a)",
        "input x: f64[n]\nfn f(x, a) = [sum(x)*a, x]\nr = checkpoint(f, x, 3)\nr[0] + r[1]",
        "input x: f32[n]\nfn f(h, x) = h*cast(0.5, f32) + x*2 + [1, 2, 3][0]\nscan(f, 1, x)",
        "input x: f64[n]\ninput k: i64\ninput i: i64[n]\nfn f(h, x, i, k) = h*x + sum(uniform(fold_in(k, i), "
        "shape=[2]))\nscan(f, 0, x, i, k=k)",
        "input x: f64[n]\nfn in(v, h) = sin(v*h)\nfn out(h, v) = h + sum(map(in, v*[1, 2, 3], "
        "h=h))\nscan(out, 0, x)",
        "param w: f64 = 2\ninput x: f64[n]\nfn f(h, x, w) = h*w + x\nloss = scan(f, 0, x, w=w)^2\nupdate w = "
        "w - 0.1*loss\nloss",
        /* what a loop kept, and counted loops, which gradients have */
        "input x: f64[n]\ninput k: f64\nfn step(h, x, k) = tanh(h*k + x)\ny = scan(step, k, x, k=k)\ngrad(y, "
        "k) + grad(y, x)",
        "input x: f64[n]\ninput k: f64\nfn step(h, x, k) { s = h*k + x; [s, s^3] }\nr = scan(step, k, x, "
        "k=k)\n"
        "g = grad(r[0] + sum(r[1]), k)\ngrad(g, x)",
        "input a: f64\nfn more(x, a) = abs(x^2 - a) > 1e-12*a\nfn newton(x, a) = (x + a/x)/2\n"
        "y = while(more, newton, a, most=50, a=a)\ng = grad(y, a)\ngrad(g, a)",
        "input x: f64\nfn f(x, y) = log(x)*y\nfn g(x, y) = x^2\ny = cond(x > 0, f, g, x, x)\ngrad(grad(y, "
        "x), x)",
        "input a: f64\nfn f(x, a) = x^3 - a\ny = implicit(f, 2, a=a)\ngrad(y, a)",
        "input x: f64[n]\nfn f(v) = [sin(v), 2]\nr = map(f, x)\nsum(grad(sum(r[0]*r[1]), x))",
        "input x: f64[n]\nfn step(h, x) = h*x\nr = scan(step, 1, x, kept=true)\nr[0] + sum(r[1])*r[2]",
        "input x: f64[n]\ninput c: i64\nfn step(h, x) = h*x\nscan(step, 1, x, steps=c) + scan(step, 2, "
        "x[0]*[1, 1], most=2, steps=c)",
        "input c: i64\nfn step(h) = h*1.5\nscan(step, 2, most=9, steps=c)",
    };
    for (size_t n = 0; n < sizeof models / sizeof *models; n++) assert_written(models[n], NULL);
}

/* ---- Random ones ---- */

static uint64_t seed;
static int pick(int n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)n);
}

/* An expression of the numbers a, b, and [3] c. */
static void expression(cr_text *to, int depth) {
    static const char *const around[][3] = {{"(", " + ", ")"},
                                            {"(", "*", ")"},
                                            {"maximum(", ", ", ")"},
                                            {"where(a > b, ", ", ", ")"},
                                            {"(", " - ", "^3)"}},
                             *const leaf[] = {"a", "b", "2", "sum(c)", "sin(a*b)", "c[1]", "1.5"};
    if (depth == 0) {
        cr_text_append(to, leaf[pick(7)]);
        return;
    }
    const char *const *form = around[pick(5)];
    for (int i = 0; i < 3; i++) {
        cr_text_append(to, form[i]);
        if (i < 2) expression(to, depth - 1);
    }
}

/* A function of the numbers a and b and of c, which may run one of those before it. */
static void function(cr_text *to, int number) {
    static const char *const calls[] = {
        "q%d(b, a, c)",
        "checkpoint(q%d, b, a, c)",
        "scan(q%d, b, c, c=c)",
        "scan(q%d, a, c, reverse=true, c=c)",
        "sum(map(q%d, c, c*b, c=c))",
        "cond(a < b, q%d, q0, b, a, c)",
        "while(on, q%d, a, most=3, b=b, c=c)",
        "sum(scan(q%d, a, c, c=c, kept=true)[1])",
    };
    char text[100];
    snprintf(text, sizeof text, "fn q%d(a, b, c) { s = ", number);
    cr_text_append(to, text);
    expression(to, 2);
    snprintf(text, sizeof text, number ? calls[pick(8)] : "a", pick(number ? number : 1));
    cr_text_append(to, "; t = "), cr_text_append(to, text);
    cr_text_append(to, "; s*t + s - t }\n");
}

TEST(random_functions_survive_and_their_gradients) {
    (void)state;
    cr_text *model = NULL;
    cr_text_new(&model, NULL);
    for (int i = 0; i < rounds(60); i++) {
        seed = (uint64_t)i + 1;
        cr_text_clear(model);
        cr_text_append(model, "input a: f64\ninput b: f64\ninput c: f64[n]\nfn on(a, b, c) = a < 0\n");
        for (int k = 0; k < 4; k++) function(model, k);
        cr_text_append(model, "y = q3(a, b, c)\n");
        cr_text_append(model, i % 2 ? "y" : "grad(y, a) + sum(grad(y, c))");
        assert_written(cr_text_str(model), NULL);
    }
    cr_text_free(model);
}

/* ---- What has no text ---- */

static cr_status halves(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    (void)user, (void)n_in, (void)n_out;
    *(double *)out[0].data = *(double *)in[0].data / 2;
    return CR_OK;
}

TEST(what_has_no_text_is_a_sentence) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_text *text = NULL;
    cr_function *f = NULL;
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y;
    cr_text_new(&text, NULL);
    assert_int_equal(cr_function_callback(&f, "halves", 1, &x, 1, &x, halves, NULL, NULL, NULL), CR_OK);
    assert_int_equal(cr_call(&y, f, 1, &x), CR_OK);
    assert_int_equal(cr_print_model(text, g, y), CR_EINVAL);
    assert_string_equal(cr_graph_error(g),
                        "print_model: 'halves' is a function of the host's, which has no text");
    cr_function_free(f);
    cr_graph_free(g);
    g = cr_graph_new(NULL);
    f = function_of(CR_F64, 0, NAMES(NULL), 1, NAMES("2"));
    assert_int_equal(cr_cond(&y, cr_formula(g, "true"), f, f, 0, NULL), CR_OK);
    assert_int_equal(cr_print_model(text, g, y), CR_EINVAL);
    assert_string_equal(cr_graph_error(g), "print_model: a function without operands has no text");
    cr_function_free(f);
    cr_graph_free(g);
    g = cr_graph_new(NULL);
    f = function_of(CR_F32, 0, NAMES("h"), 1, NAMES("h*2"));
    x = cr_input(g, "x", CR_F32, 0, NULL);
    assert_int_equal(cr_graph_default_float(g, CR_F32), CR_OK);
    assert_int_equal(cr_call(&y, f, 1, &x), CR_OK);
    assert_int_equal(cr_print_model(text, g, y), CR_EINVAL);
    assert_string_equal(cr_graph_error(g),
                        "print_model: literals of a function are f64, those of the model f32");
    cr_function_free(f);
    cr_graph_free(g);
    cr_text_free(text);
}

static cr_status print_it(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_text *text = NULL;
    cr_status s = g ? cr_text_new(&text, ctx) : CR_ENOMEM;
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL),
            y = cr_formula(
                g, "fn f(h) = [h*2, h]; fn q(h) = checkpoint(f, h)[1]; r = checkpoint(f, x); r[0]*q(r[1])");
    (void)x;
    if (!s) s = cr_graph_status(g);
    if (!s) s = cr_print_model(text, g, y);
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
        RUN(each_function_is_written_once_before_what_runs_it),
        RUN(what_is_written_twice_does_not_change),
        RUN(every_way_to_run_a_function_survives),
        RUN(random_functions_survive_and_their_gradients),
        RUN(what_has_no_text_is_a_sentence),
        RUN(no_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
