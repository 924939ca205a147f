/* The gradient of a weight that only its update needs runs with the update, block by block, and is never in memory: the bits are those
 * of the nodes one by one, for any number of threads, and of compiled loops. */
#include "support/files.h"

#include "run/program.h"

struct question {
    const char *formula; /* the loss; or what W becomes */
    const char *method;  /* NULL: no gradient */
    int64_t k, m, n;     /* x[k, m], W[m, n], y[k, n] */
    cr_dtype dtype;
};

/* Rows that are whole blocks, that leave some, that would leave one. */
static const struct question questions[] = {
    {"mean((x @ W - y)^2)", "adam(rate=0.1)", 20, 336, 300, CR_F32},
    {"mean(relu(x @ W + y))", "adam(rate=0.1)", 64, 300, 301, CR_F32},
    {"mean((x @ W - y)^2)", "sgd(rate=0.1)", 7, 281, 320, CR_F64},
    {"mean((x @ W + relu(x @ V) - y)^2)", "adam(rate=0.1)", 20, 300, 300,
     CR_F32}, /* one loop, two products */
    {"mean(tanh(x @ W)*y)", "sgd(rate=0.1)", 9, 3000, 30, CR_F64},
    {"W - 0.1*(W[:, :8] @ y[:8, :]) + x[0, 0]", NULL, 20, 300, 400, CR_F32}, /* products of what is updated */
    {"W - 0.1*(t(x)[:, :8] @ W[:8, :]) + y[0, 0]", NULL, 20, 300, 400, CR_F32},
    {"W - 0.1*(t(x) @ y) + W[::-1, :]", NULL, 20, 300, 400, CR_F32},
};
enum { question_count = sizeof questions / sizeof *questions };

struct way {
    int threads;
    const char *option, *value;
};

static void build(const struct question *q, cr_graph *g, cr_target *t) {
    cr_node w[2] = {cr_param(g, "W", q->dtype, 2, (int64_t[]){q->m, q->n})};
    bool two = strchr(q->formula, 'V') != NULL;
    if (two) w[1] = cr_param(g, "V", q->dtype, 2, (int64_t[]){q->m, q->n});
    cr_input(g, "x", q->dtype, 2, (int64_t[]){q->k, q->m});
    cr_input(g, "y", q->dtype, 2, (int64_t[]){q->k, q->n});
    cr_node y = cr_formula(g, q->formula);
    cr_status s = q->method ? cr_minimise(t, q->method, y, 1 + two, w) : cr_target_update(t, w[0], y);
    if (s) fail_msg("%s", cr_graph_error(g));
    cr_target_output(t, "norm", cr_sum(cr_square(w[0]), 0, NULL, false));
}

/* store: gets what the optimiser remembers; or NULL. */
static cr_program *program(cr_context *ctx, cr_store *store, const struct question *q, const struct way *w) {
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = cr_target_new(g);
    cr_options *o = cr_options_new(ctx);
    cr_program *p = NULL;
    build(q, g, t);
    if (w->option) assert_int_equal(cr_options_set(o, w->option, w->value), CR_OK);
    assert_int_equal(cr_options_set(o, "cache", temp_path("cache")), CR_OK);
    if (cr_compile(&p, t, o)) fail_msg("%s", cr_graph_error(g));
    if (store) assert_int_equal(cr_store_init(store, g, 1), CR_OK);
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return p;
}

static double sample(int64_t i, int which) { return sin((double)(i * i % 9973) + which); }

static void *data(cr_dtype dtype, int64_t n, int which) {
    char *x = malloc((size_t)n * cr_dtype_size(dtype));
    for (int64_t i = 0; i < n; i++)
        if (dtype == CR_F32) ((float *)(void *)x)[i] = (float)sample(i, which);
        else ((double *)(void *)x)[i] = sample(i, which);
    return x;
}

/* W after three steps; and whether the plan had blocks. */
static void *after_steps(const struct question *q, const struct way *w, bool *blocks) {
    cr_context *ctx = NULL;
    cr_store *store = NULL;
    cr_run *r = NULL;
    size_t size = cr_dtype_size(q->dtype), of_w = (size_t)(q->m * q->n) * size;
    void *x = data(q->dtype, q->k * q->m, 1), *y = data(q->dtype, q->k * q->n, 2),
         *weights = data(q->dtype, q->m * q->n, 3);
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, w->threads), CR_OK);
    assert_int_equal(cr_store_new(&store, ctx), CR_OK);
    cr_program *p = program(ctx, store, q, w);
    *blocks = p->plan.groups > 0;
    assert_int_equal(cr_store_set(store, "W", q->dtype, weights, of_w), CR_OK);
    if (strchr(q->formula, 'V')) assert_int_equal(cr_store_set(store, "V", q->dtype, weights, of_w), CR_OK);
    assert_int_equal(cr_run_new(&r, p, store, NULL, 0), CR_OK);
    assert_int_equal(cr_bind(r, "x", q->dtype, x, (size_t)(q->k * q->m) * size), CR_OK);
    assert_int_equal(cr_bind(r, "y", q->dtype, y, (size_t)(q->k * q->n) * size), CR_OK);
    for (int i = 0; i < 3; i++)
        if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    assert_int_equal(cr_store_get(store, "W", q->dtype, weights, of_w), CR_OK);
    cr_run_free(r);
    cr_store_free(store);
    cr_program_free(p);
    cr_context_free(ctx);
    free(x);
    free(y);
    return weights;
}

static void compare(int first, int end, const struct way *way) {
    for (int i = first; i < end; i++) {
        bool blocks;
        size_t bytes = (size_t)(questions[i].m * questions[i].n) * cr_dtype_size(questions[i].dtype);
        void *expected = after_steps(&questions[i], &(struct way){1, "fuse", "0"}, &blocks);
        assert_false(blocks);
        void *found = after_steps(&questions[i], way, &blocks);
        if (!blocks) fail_msg("%s has no blocks", questions[i].formula);
        if (memcmp(expected, found, bytes) != 0) fail_msg("%s: bits differ", questions[i].formula);
        free(expected);
        free(found);
    }
}

TEST(an_update_in_blocks_has_the_bits_of_nodes_one_by_one) {
    (void)state;
    compare(0, question_count, &(struct way){1, "fuse", "1"});
}

TEST(threads_do_not_change_a_bit) {
    (void)state;
    compare(0, question_count, &(struct way){3, "fuse", "1"});
}

TEST(compiled_loops_do_not_change_a_bit) {
    (void)state;
    compare(0, 3, &(struct way){2, "compile", "cc"});
}

TEST(a_gradient_that_only_its_update_needs_is_not_in_the_workspace) {
    (void)state;
    struct question big = {"mean((x @ W - y)^2)", "adam(rate=0.1)", 8, 2000, 1000, CR_F32};
    cr_program *whole = program(NULL, NULL, &big, &(struct way){1, "fuse", "0"}),
               *p = program(NULL, NULL, &big, &(struct way){1, "fuse", "1"});
    assert_true(cr_program_workspace(whole) > 2000 * 1000 * sizeof(float));
    assert_true(cr_program_workspace(p) < 2000 * 1000 * sizeof(float) / 2);
    cr_program_free(whole);
    cr_program_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(an_update_in_blocks_has_the_bits_of_nodes_one_by_one),
        RUN(threads_do_not_change_a_bit),
        RUN(compiled_loops_do_not_change_a_bit),
        RUN(a_gradient_that_only_its_update_needs_is_not_in_the_workspace),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
