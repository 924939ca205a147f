/* Functions of a loop's steps that the loop keeps for the way back: how often they are computed, and the same bits. */
#include "rewrite/keep.h"
#include "run/control.h"
#include "support/alloc.h"
#include "support/test.h"

enum { size = 3 };

/* How many nodes of this op a program has, in the functions that its steps run too. */
static int count_of(const cr_program *p, int op) {
    int n = 0;
    for (uint32_t id = 1; id < p->plan.g->count; id++) n += graph_at(p->plan.g, id)->op == op;
    for (size_t s = 0; p->control && s < p->plan.steps; s++)
        for (int i = 0; p->control[s] && i < 2; i++)
            if (p->control[s]->inner[i].program) n += count_of(p->control[s]->inner[i].program, op);
    return n;
}

/* x, w: f64[size], xs: f64[steps, size]; value and gradients of a formula of them. */
static cr_status compile(cr_program **p, cr_context *ctx, const char *text, int64_t steps,
                         const char *level) {
    static const char *const name[] = {"y", "dx", "dw", "dxs"};
    cr_graph *g = cr_graph_new(ctx);
    if (!g) return CR_ENOMEM;
    const int64_t n = size;
    cr_node x[3] = {cr_input(g, "x", CR_F64, 1, &n), cr_input(g, "w", CR_F64, 1, &n),
                    cr_input(g, "xs", CR_F64, 2, (int64_t[]){steps, n})};
    cr_node y[4] = {cr_formula(g, text)};
    cr_grad(y + 1, y[0], 3, x);
    cr_target *t = cr_target_new(g);
    cr_options *o = cr_options_new(ctx);
    cr_status s = t && o ? cr_options_set(o, "rewrite", level) : CR_ENOMEM;
    for (int i = 0; i < 4 && !s; i++) s = cr_target_output(t, name[i], y[i]);
    if (!s) s = cr_compile(p, t, o);
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return s;
}

static void run(const cr_program *p, int64_t steps, double out[]) {
    double x[size] = {0.3, -0.7, 1.1}, w[size] = {0.9, 1.2, -0.4}, xs[16 * size];
    cr_run *r = NULL;
    for (int i = 0; i < 16 * size; i++) xs[i] = sin(i + 1.0);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F64, x, sizeof x), cr_bind(r, "w", CR_F64, w, sizeof w);
    cr_bind(r, "xs", CR_F64, xs, (size_t)steps * sizeof x);
    cr_bind(r, "y", CR_F64, out, sizeof *out);
    cr_bind(r, "dx", CR_F64, out + 1, sizeof x), cr_bind(r, "dw", CR_F64, out + 4, sizeof w);
    cr_bind(r, "dxs", CR_F64, out + 7, (size_t)steps * sizeof x);
    if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
}

static int tanhs(const char *text, int64_t steps, const char *level) {
    cr_program *p = NULL;
    assert_int_equal(compile(&p, NULL, text, steps, level), CR_OK);
    int n = count_of(p, OP_tanh);
    cr_program_free(p);
    return n;
}

#define STEP  "fn step(c, v, w) { a = tanh(c*w + v); [a*v + exp(-c*c), a] }\n"
#define WHILE "fn more(c, w) = sum(c*c) > 0.1\nfn next(c, w) = 0.5*tanh(c*w) + 0.1*c\n"

/* Forwards, to the first, with results besides carries, kept carries, and under a condition. */
static const char *const texts[] = {
    STEP "r = scan(step, x, xs, w=w); sum(r[0]) + sum(r[1]^2)",
    STEP "r = scan(step, x, xs, w=w, reverse=true); sum(r[0]) + sum(r[1]^3)",
    STEP "r = scan(step, x, xs, w=w, kept=true); sum(r[0]*r[2][1]) + sum(r[1]*r[2])",
    WHILE "sum(while(more, next, x, most=16, w=w)) + sum(xs)",
};

TEST(the_way_back_computes_no_function_again_and_no_bit_changes) {
    (void)state;
    enum { steps = 16, most = 7 + steps * size };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_program *p[2] = {NULL, NULL};
        double out[2][most];
        for (int k = 0; k < 2; k++) {
            assert_int_equal(compile(&p[k], NULL, texts[i], steps, k ? "exact" : "none"), CR_OK);
            run(p[k], steps, out[k]);
        }
        assert_int_equal(count_of(p[0], OP_tanh), 2);
        assert_int_equal(count_of(p[1], OP_tanh), 1);
        for (int k = 0; k < most; k++)
            if (out[0][k] != out[1][k]) fail_msg("%zu: number %d is %a, not %a", i, k, out[1][k], out[0][k]);
        for (int k = 0; k < 2; k++) cr_program_free(p[k]);
    }
}

/* What would take more than 16 MiB is computed again. */
TEST(much_is_computed_again) {
    (void)state;
    const char *text = "fn step(c, v, w) = tanh(c*w + v)\nsum(scan(step, x, xs, w=w))";
    assert_int_equal(tanhs(text, (16 << 20) / (size * 8), "exact"), 1);
    assert_int_equal(tanhs(text, (16 << 20) / (size * 8) + 1, "exact"), 2);
}

static cr_status compile_one(cr_context *ctx, void *arg) {
    cr_program *p = NULL;
    (void)arg;
    cr_status s = compile(&p, ctx, texts[0], 4, "exact");
    cr_program_free(p);
    return s;
}

TEST(every_failed_allocation_is_a_status) {
    (void)state;
    alloc_fail_each(compile_one, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_way_back_computes_no_function_again_and_no_bit_changes),
        RUN(much_is_computed_again),
        RUN(every_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
