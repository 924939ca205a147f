/* Scans in pieces: the bits of the whole, in a part of the memory. */
#include "support/test.h"

#include "graph/function.h"

/* h = tanh(w h + x + b h), of width n: a constant that a step uses twice, and one that it uses once. y = h x. */
static cr_function *step_of(int64_t width) {
    cr_graph *b = cr_graph_new(NULL);
    cr_function *f = NULL;
    cr_node in[4], out[2];
    static const char *const names[] = {"h", "x", "w", "b"};
    for (int i = 0; i < 4; i++) in[i] = cr_input(b, names[i], CR_F64, 1, &width);
    out[0] = cr_formula(b, "tanh(w*h + sin(w)*x + b*h)");
    out[1] = cr_formula(b, "h*x");
    assert_int_equal(cr_function_new(&f, 4, in, 2, out), CR_OK);
    cr_graph_free(b);
    return f;
}

/* A program of the loss and its gradients by h, x, w, b and a direction's second derivative. */
struct subject {
    cr_graph *g;
    cr_program *p;
    size_t bytes;
};
enum { outputs = 6 };

static struct subject subject_of(cr_function *f, int64_t width, int64_t steps, bool reverse, size_t bytes,
                                 bool second) {
    struct subject s = {.g = cr_graph_new(NULL)};
    int64_t rows[2] = {steps, width};
    cr_node x[4] = {cr_input(s.g, "h", CR_F64, 1, &width), cr_input(s.g, "x", CR_F64, 2, rows),
                    cr_input(s.g, "w", CR_F64, 1, &width), cr_input(s.g, "b", CR_F64, 1, &width)};
    cr_node out[2], y[outputs];
    if (cr_scan_within(out, bytes, f, steps, reverse, 1, x, 1, x + 1, 2, x + 2))
        fail_msg("%s", cr_graph_error(s.g));
    assert_int_equal(cr_dims(out[1])[0], steps);
    cr_node loss = cr_add(cr_sum(cr_square(out[0]), 0, NULL, false), cr_sum(cr_sin(out[1]), 0, NULL, false));
    y[0] = cr_add(loss, cr_sum(cr_cos(cr_mul(x[2], x[2])), 0, NULL, false)); /* w is used elsewhere too */
    if (cr_grad(y + 1, y[0], 4, x)) fail_msg("%s", cr_graph_error(s.g));
    y[5] = cr_sum(y[3], 0, NULL, false);
    if (second && cr_jvp(&y[5], 1, &y[5], 4, x, x)) fail_msg("%s", cr_graph_error(s.g));
    cr_target *t = cr_target_new(s.g);
    static const char *const names[] = {"loss", "dh", "dx", "dw", "db", "second"};
    for (int i = 0; i < outputs; i++) assert_int_equal(cr_target_output(t, names[i], y[i]), CR_OK);
    if (cr_compile(&s.p, t, NULL)) fail_msg("%s", cr_graph_error(s.g));
    cr_target_free(t);
    s.bytes = cr_program_workspace(s.p);
    return s;
}

static void subject_free(struct subject *s) {
    cr_program_free(s->p);
    cr_graph_free(s->g);
}

enum { most = 1 << 16 };

/* All outputs, one behind the other. How many numbers. */
static size_t run(const struct subject *s, int64_t width, int64_t steps, double out[]) {
    static double in[4][most];
    static const char *const inputs[] = {"h", "x", "w", "b"}, *const results[] = {"loss", "dh", "dx",
                                                                                  "dw",   "db", "second"};
    cr_run *r = NULL;
    size_t w = (size_t)width, rows = w * (size_t)steps, counts[] = {w, rows, w, w},
           sizes[] = {1, w, rows, w, w, 1}, n = 0;
    assert_true(rows <= most);
    for (int i = 0; i < 4; i++)
        for (size_t k = 0; k < counts[i]; k++) in[i][k] = 0.7 * sin(1.3 * i + 0.37 * (double)k + 1);
    assert_int_equal(cr_run_new(&r, s->p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(cr_bind(r, inputs[i], CR_F64, in[i], counts[i] * sizeof(double)), CR_OK);
    for (int i = 0; i < outputs; n += sizes[i++])
        assert_int_equal(cr_bind(r, results[i], CR_F64, out + n, sizes[i] * sizeof(double)), CR_OK);
    if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
    return n;
}

static void same_bits(int64_t width, int64_t steps, bool reverse, size_t carries) {
    static double whole[2 * most], cut[2 * most];
    cr_function *f = step_of(width);
    struct subject a = subject_of(f, width, steps, reverse, SIZE_MAX, true),
                   b = subject_of(f, width, steps, reverse, carries * (size_t)width * sizeof(double), true);
    size_t n = run(&a, width, steps, whole);
    assert_int_equal(run(&b, width, steps, cut), n);
    for (size_t i = 0; i + 1 < n; i++) /* == for the sign of a zero */
        if (!(whole[i] == cut[i]))
            fail_msg("%d steps, %d carries, number %d: %.17g, in pieces %.17g", (int)steps, (int)carries,
                     (int)i, whole[i], cut[i]);
    assert_near(cut[n - 1], whole[n - 1], 1e-11 * fabs(whole[n - 1]));
    subject_free(&a), subject_free(&b);
    cr_function_free(f);
}

TEST(values_and_gradients_in_pieces_have_the_bits_of_the_whole) {
    (void)state;
    for (int reverse = 0; reverse < 2; reverse++) {
        same_bits(3, 16, reverse, 8);  /* four pieces of four */
        same_bits(3, 17, reverse, 10); /* one is longer */
        same_bits(2, 31, reverse, 0);  /* pieces of pieces, as small as they come */
        same_bits(1, 100, reverse, 14);
        same_bits(3, 4, reverse, 4); /* not cut: all fit */
        same_bits(3, 5, reverse, 1);
    }
}

/* 10,000 steps of 64 numbers are 5 MB; two hundred of them, with what a step needs, a fiftieth. xs and ys of numbers alone, so that
 * carries are what is kept. */
TEST(ten_thousand_steps_keep_what_the_budget_allows_and_hold_the_body_once) {
    (void)state;
    enum { steps = 10000, width = 64, carry = width * sizeof(double) };
    const size_t budgets[] = {SIZE_MAX, 200 * carry, 70 * carry},
                 most_bytes[] = {0, 240 * carry, 120 * carry};
    size_t before = 0, nodes = 0;
    double value[3][2];
    int64_t w = width;
    for (int i = 0; i < 3; i++) {
        cr_graph *b = cr_graph_new(NULL), *g = cr_graph_new(NULL);
        cr_function *f = NULL;
        cr_node in[2] = {cr_input(b, "h", CR_F64, 1, &w), cr_input(b, "k", CR_F64, 1, &w)},
                next = cr_formula(b, "h + 0.001*sin(h*k)"), x[2], out, dx[2];
        assert_int_equal(cr_function_new(&f, 2, in, 1, &next), CR_OK);
        x[0] = cr_input(g, "h", CR_F64, 1, &w), x[1] = cr_input(g, "k", CR_F64, 1, &w);
        assert_int_equal(cr_scan_within(&out, budgets[i], f, steps, false, 1, x, 0, NULL, 1, x + 1), CR_OK);
        cr_node loss = cr_sum(out, 0, NULL, false);
        assert_int_equal(cr_grad(dx, loss, 2, x), CR_OK);
        if (i == 0) nodes = cr_graph_count(g);
        assert_true(cr_graph_count(g) <= nodes + 20);
        cr_target *t = cr_target_new(g);
        cr_program *p = NULL;
        cr_run *r = NULL;
        assert_int_equal(cr_target_output(t, "dh", cr_sum(dx[0], 0, NULL, false)), CR_OK);
        assert_int_equal(cr_target_output(t, "dk", cr_sum(dx[1], 0, NULL, false)), CR_OK);
        assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
        size_t bytes = cr_program_workspace(p);
        print_message("budget %zu carries: workspace %.1f carries\n", i ? budgets[i] / carry : steps,
                      (double)bytes / carry);
        if (i == 0) assert_true(bytes >= steps * (size_t)carry);
        else assert_true(bytes <= most_bytes[i] && bytes < before);
        before = bytes;
        double h[width], k[width];
        for (int j = 0; j < width; j++) h[j] = sin(j), k[j] = cos(j);
        assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
        assert_int_equal(cr_bind(r, "h", CR_F64, h, sizeof h), CR_OK);
        assert_int_equal(cr_bind(r, "k", CR_F64, k, sizeof k), CR_OK);
        assert_int_equal(cr_bind(r, "dh", CR_F64, &value[i][0], sizeof(double)), CR_OK);
        assert_int_equal(cr_bind(r, "dk", CR_F64, &value[i][1], sizeof(double)), CR_OK);
        assert_int_equal(cr_step(r), CR_OK);
        assert_true(value[i][0] == value[0][0] && value[i][1] == value[0][1]);
        cr_run_free(r), cr_program_free(p), cr_target_free(t), cr_function_free(f);
        cr_graph_free(b), cr_graph_free(g);
    }
}

/* A scan in as many levels as there are, none of whose lengths is a power; h loses a thousandth at each step. */
TEST(the_fewest_bytes_do_not_make_thousands_of_programs) {
    (void)state;
    enum { steps = 10007 };
    struct failing memory = {0};
    cr_context *ctx;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    cr_graph *b = cr_graph_new(ctx), *g = cr_graph_new(ctx);
    cr_function *f = NULL;
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_node in = cr_input(b, "h", CR_F64, 0, NULL), next = cr_formula(b, "h*0.999"),
            h = cr_input(g, "h", CR_F64, 0, NULL), out, dh;
    assert_int_equal(cr_function_new(&f, 1, &in, 1, &next), CR_OK);
    assert_int_equal(cr_scan_within(&out, 1, f, steps, false, 1, &h, 0, NULL, 0, NULL), CR_OK);
    assert_int_equal(cr_grad(&dh, out, 1, &h), CR_OK);
    cr_target *t = cr_target_new(g);
    assert_int_equal(cr_target_output(t, "dh", dh), CR_OK);
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    print_message("%d steps: %zu bytes at most, workspace %zu\n", steps, memory.peak,
                  cr_program_workspace(p));
    assert_true(memory.peak < 160 << 20 && cr_program_workspace(p) < 3 << 10);
    double x = 1, d = 0;
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    assert_int_equal(cr_bind(r, "h", CR_F64, &x, sizeof x), CR_OK);
    assert_int_equal(cr_bind(r, "dh", CR_F64, &d, sizeof d), CR_OK);
    assert_int_equal(cr_step(r), CR_OK);
    double expected = pow(0.999, steps);
    assert_near(d, expected, steps * 0x1p-52 * expected);
    cr_run_free(r), cr_program_free(p), cr_target_free(t), cr_function_free(f);
    cr_graph_free(b), cr_graph_free(g), cr_context_free(ctx);
}

enum { most_functions = 100 };

/* The functions that g runs, each once. */
static int functions_of(const cr_graph *g, const cr_function *met[], int n) {
    for (size_t i = 0; i < g->control_n; i++) {
        const cr_function *f = control_function(g, graph_at(g, g->control[i]), 0);
        int k = 0;
        while (k < n && met[k] != f) k++;
        if (k < n) continue;
        assert_true(n < most_functions);
        met[n++] = f;
        n = functions_of(f->g, met, n);
    }
    return n;
}

TEST(each_level_of_pieces_has_two_functions) {
    (void)state;
    const int64_t steps[] = {16, 100, 10007, 999999, INT64_C(1) << 40};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const cr_function *met[most_functions];
        cr_graph *b = cr_graph_new(NULL), *g = cr_graph_new(NULL);
        cr_function *f = NULL;
        cr_node in = cr_input(b, "h", CR_F64, 0, NULL), next = cr_formula(b, "h*0.999"),
                h = cr_input(g, "h", CR_F64, 0, NULL), out;
        assert_int_equal(cr_function_new(&f, 1, &in, 1, &next), CR_OK);
        if (cr_scan_within(&out, 1, f, steps[i], false, 1, &h, 0, NULL, 0, NULL))
            fail_msg("%s", cr_graph_error(g));
        int levels = (int)ceil(log2((double)steps[i]) / 2), found = functions_of(g, met, 0);
        if (found > 2 * levels) fail_msg("%lld steps: %d functions", (long long)steps[i], found);
        cr_function_free(f);
        cr_graph_free(b), cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(values_and_gradients_in_pieces_have_the_bits_of_the_whole),
        RUN(ten_thousand_steps_keep_what_the_budget_allows_and_hold_the_body_once),
        RUN(each_level_of_pieces_has_two_functions),
        RUN(the_fewest_bytes_do_not_make_thousands_of_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
