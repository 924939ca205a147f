/* Steps in blocks of rows: what an attention and its gradients come to is what the oracle says, with and without a mask, whatever the
 * shape; the bits are those of any number of threads and of compiled loops; no matrix of scores is in memory. */
#include "support/alloc.h"
#include "support/compiled.h"
#include "support/emitted.h"

#include <string.h>
#include <time.h>

enum { operands = 4, results = 4 };

/* heads x n queries over m keys of width d, values of width e, and the cotangent of the result. */
struct question {
    int64_t batch[2], n, m, d, e;
    bool causal;
    cr_dtype dtype;
};

struct answer {
    char *at[results];
    size_t bytes[results], workspace;
    bool grouped, bounded;
};

static const char *const operand_name[] = {"q", "k", "v", "c"}, *const result_name[] = {"y", "dq", "dk",
                                                                                        "dv"};

static void operand_dims(const struct question *q, int i, int64_t dim[4]) {
    dim[0] = q->batch[0], dim[1] = q->batch[1];
    dim[2] = i == 1 || i == 2 ? q->m : q->n;
    dim[3] = i < 2 ? q->d : q->e;
}

static int64_t count(const struct question *q, int i) {
    int64_t dim[4];
    operand_dims(q, i, dim);
    return dim[0] * dim[1] * dim[2] * dim[3];
}

/* The attention, or a call of a function that it is. */
static cr_node attention(const cr_node x[3], bool causal, bool called) {
    cr_node y = cr_attention(x[0], x[1], x[2], causal);
    cr_function *f = NULL;
    if (!called) return y;
    assert_int_equal(cr_function_new(&f, 3, x, 1, &y), CR_OK);
    cr_call(&y, f, 3, x);
    cr_function_free(f);
    return y;
}

static cr_program *build(cr_context *ctx, const struct question *q, const char *option, const char *value,
                         bool called) {
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = cr_target_new(g);
    cr_node x[operands], d[3];
    for (int i = 0; i < operands; i++) {
        int64_t dim[4];
        operand_dims(q, i, dim);
        x[i] = q->batch[0] > 1 ? cr_input(g, operand_name[i], q->dtype, 4, dim)
                               : cr_input(g, operand_name[i], q->dtype, 3, dim + 1);
    }
    cr_node y = attention(x, q->causal, called);
    cr_grad(d, cr_sum(cr_mul(y, x[3]), 0, NULL, false), 3, x);
    cr_target_output(t, result_name[0], y);
    for (int i = 0; i < 3; i++) cr_target_output(t, result_name[i + 1], d[i]);
    return compiled_with(ctx, g, t, option, value);
}

static cr_program *program(cr_context *ctx, const struct question *q, const char *option, const char *value) {
    return build(ctx, q, option, value, false);
}

static cr_program *of_a_call(const struct question *q) { return build(NULL, q, NULL, NULL, true); }

/* Does the plan say so? */
static bool says(const cr_program *p, const char *what) {
    cr_text *text = NULL;
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(cr_program_print(text, p), CR_OK);
    bool found = strstr(cr_text_str(text), what) != NULL;
    cr_text_free(text);
    return found;
}

static char *operand_data(const struct question *q, int i) {
    int64_t n = count(q, i);
    char *data = malloc((size_t)n * cr_dtype_size(q->dtype));
    for (int64_t k = 0; k < n; k++) {
        double v = 2 * sin((double)(k * k % 9973) + i);
        if (q->dtype == CR_F32) ((float *)(void *)data)[k] = (float)v;
        else ((double *)(void *)data)[k] = v;
    }
    return data;
}

/* wanted: bits of the results that are bound. */
static struct answer answer_of(cr_program *p, const struct question *q, unsigned wanted) {
    struct answer a = {.workspace = cr_program_workspace(p),
                       .grouped = says(p, " in blocks of "),
                       .bounded = says(p, " up to the diagonal")};
    size_t size = cr_dtype_size(q->dtype);
    char *data[operands];
    cr_run *r = NULL;
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < operands; i++) {
        data[i] = operand_data(q, i);
        assert_int_equal(cr_bind(r, operand_name[i], q->dtype, data[i], (size_t)count(q, i) * size), CR_OK);
    }
    for (int i = 0; i < results; i++) {
        a.bytes[i] = (size_t)count(q, (i + 3) % 4) * size; /* y as c, dq as q .. */
        a.at[i] = malloc(a.bytes[i]);
        memset(a.at[i], wanted >> i & 1 ? 0x7f : 0, a.bytes[i]); /* large: what no block writes would show */
        if (wanted >> i & 1)
            assert_int_equal(cr_bind(r, result_name[i], q->dtype, a.at[i], a.bytes[i]), CR_OK);
    }
    if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
    cr_program_free(p);
    for (int i = 0; i < operands; i++) free(data[i]);
    return a;
}

static void answer_free(struct answer *a) {
    for (int i = 0; i < results; i++) free(a->at[i]);
}

static double number(const struct question *q, const struct answer *a, int i, int64_t k) {
    return q->dtype == CR_F32 ? (double)((const float *)(const void *)a->at[i])[k]
                              : ((const double *)(const void *)a->at[i])[k];
}

/* Sums of at most some 200 terms in another order: some sqrt(200) u of the largest. */
static void assert_close(const struct question *q, const struct answer *a, const struct answer *b) {
    double bound = q->dtype == CR_F32 ? 4e-6 : 1e-14;
    for (int i = 0; i < results; i++) {
        double error = 0, size = 0;
        for (int64_t k = 0; k < count(q, (i + 3) % 4); k++) {
            double e = fabs(number(q, a, i, k) - number(q, b, i, k));
            if (!(e <= error)) error = e;
            size = fmax(size, fabs(number(q, b, i, k)));
        }
        if (!(error <= bound * size))
            fail_msg("%d queries, %d keys, width %d: %s errs by %g of %g", (int)q->n, (int)q->m, (int)q->d,
                     result_name[i], error, size);
    }
}

static void assert_bits(const struct answer *a, const struct answer *b) {
    for (int i = 0; i < results; i++) assert_memory_equal(a->at[i], b->at[i], a->bytes[i]);
}

static const struct question questions[] = {
    {{1, 6}, 128, 128, 64, 64, true, CR_F32},
    {{1, 6}, 128, 128, 64, 64, false, CR_F32},
    {{1, 4}, 131, 131, 9, 9, true, CR_F32},
    {{1, 3}, 129, 200, 16, 8, true, CR_F32},
    {{1, 3}, 200, 129, 16, 8, true, CR_F32},
    {{1, 5}, 97, 161, 7, 33, false, CR_F32},
    {{1, 3}, 150, 150, 20, 20, true, CR_F64},
    {{2, 3}, 110, 110, 12, 12, true, CR_F32},
    {{2, 2}, 101, 103, 10, 6, false, CR_F64},
    {{1, 300}, 17, 17, 3, 3, true, CR_F32},
    {{1, 70}, 65, 65, 8, 8, true, CR_F32},
    {{1, 1}, 600, 600, 8, 64, true, CR_F32}, /* of several threads whole */
    {{1, 1}, 128, 128, 64, 70, true, CR_F64},
    {{1, 2}, 48, 48, 5, 7, true, CR_F32},
};
enum { question_count = sizeof questions / sizeof *questions };

TEST(attention_in_blocks_is_what_the_oracle_says) {
    (void)state;
    for (int i = 0; i < question_count; i++) {
        const struct question *q = &questions[i];
        struct answer a = answer_of(program(NULL, q, NULL, NULL), q, 15),
                      b = answer_of(program(NULL, q, "device", "reference"), q, 15);
        if (!a.grouped || a.bounded != q->causal || b.grouped) fail_msg("question %d: other blocks", i);
        assert_close(q, &a, &b);
        answer_free(&a), answer_free(&b);
    }
}

TEST(threads_do_not_change_a_bit) {
    (void)state;
    for (int i = 0; i < question_count; i++) {
        const struct question *q = &questions[i];
        struct answer one = answer_of(program(NULL, q, NULL, NULL), q, 15);
        for (int threads = 2; threads <= 4; threads++) {
            cr_context *ctx;
            assert_int_equal(cr_context_new(&ctx), CR_OK);
            assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
            struct answer a = answer_of(program(ctx, q, NULL, NULL), q, 15);
            assert_bits(&one, &a);
            answer_free(&a);
            cr_context_free(ctx);
        }
        answer_free(&one);
    }
}

TEST(compiled_loops_do_not_change_a_bit) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        const struct question *q = &questions[i];
        cr_program *p = program(NULL, q, "compile", "cc");
        if (!cr_program_compiled(p)) {
            cr_program_free(p);
            skip();
        }
        struct answer a = answer_of(program(NULL, q, NULL, NULL), q, 15), b = answer_of(p, q, 15);
        assert_bits(&a, &b);
        answer_free(&a), answer_free(&b);
    }
}

TEST(a_result_alone_is_what_it_is_with_the_others) {
    (void)state;
    const struct question *q = &questions[0];
    struct answer all = answer_of(program(NULL, q, NULL, NULL), q, 15);
    for (int i = 0; i < results; i++) {
        struct answer a = answer_of(program(NULL, q, NULL, NULL), q, 1u << i);
        assert_memory_equal(a.at[i], all.at[i], a.bytes[i]);
        answer_free(&a);
    }
    answer_free(&all);
}

/* Scores are scaled behind the mask: -inf times a number above 0 is -inf, so no product goes beyond. */
TEST(a_scaled_mask_hides_as_much_as_a_mask) {
    (void)state;
    cr_program *p = program(NULL, &questions[0], NULL, NULL);
    assert_true(says(p, "kernel up to the diagonal"));
    assert_false(says(p, ": kernel,"));
    cr_program_free(p);
}

/* The mask, if a block has all of its rows, so that it stays where it is. */
TEST(what_all_batch_elements_share_is_made_once) {
    (void)state;
    const struct question more_blocks = {{1, 3}, 600, 600, 16, 16, true, CR_F32};
    cr_program *one = program(NULL, &questions[0], NULL, NULL),
               *more = program(NULL, &more_blocks, NULL, NULL);
    assert_true(says(one, "\n1: loop once,"));
    assert_true(says(more, " in blocks of "));
    assert_false(says(more, " once,"));
    cr_program_free(one), cr_program_free(more);
}

/* Of 8 heads the results take 2 MiB; a matrix of scores, of bytes, of one head alone 1 MiB. */
TEST(no_matrix_of_the_length_is_in_memory) {
    (void)state;
    const struct question q = {{1, 8}, 1024, 1024, 16, 16, true, CR_F32};
    cr_program *p = program(NULL, &q, NULL, NULL);
    size_t outside = 4 * (size_t)(8 * 1024 * 16) * sizeof(float), matrix = 1024 * 1024;
    if (cr_program_workspace(p) >= outside + matrix) fail_msg("%zu bytes", cr_program_workspace(p));
    cr_program_free(p);
}

/* What stands right of the diagonal must not be computed from what was there before: an infinity there would become nan. */
TEST(what_is_masked_may_be_infinite_in_the_scores) {
    (void)state;
    enum { heads = 8, n = 128, d = 4 };
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_node q = cr_input(g, "q", CR_F32, 3, (int64_t[]){heads, n, d}),
            k = cr_input(g, "k", CR_F32, 3, (int64_t[]){heads, n, d});
    cr_target_output(t, "y", cr_attention(q, k, q, true));
    static float x[heads * n * d], z[heads * n * d], y[heads * n * d];
    for (int i = 0; i < heads * n * d; i++) x[i] = 1, z[i] = i / d % n < n / 2 ? 1 : INFINITY;
    cr_program *p = NULL;
    cr_run *r = NULL;
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "q", CR_F32, x, sizeof x);
    cr_bind(r, "k", CR_F32, z, sizeof z);
    cr_bind(r, "y", CR_F32, y, sizeof y);
    assert_int_equal(cr_step(r), CR_OK);
    for (int i = 0; i < heads * n * d; i++)
        if (i / d % n < n / 2) assert_float_equal(y[i], 1, 1e-6); /* a mean of ones */
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

/* Of a function that the attention is a call of, too. */
static void assert_emitted(bool called) {
    const struct question *q = &questions[0];
    struct answer a = answer_of(program(NULL, q, NULL, NULL), q, 15),
                  b = answer_of(program(NULL, q, NULL, NULL), q, 0);
    struct emitted_set set;
    char *data[operands];
    emitted_start(&set);
    cr_program *p = called ? of_a_call(q) : program(NULL, q, NULL, NULL);
    emitted_add(&set, p);
    emitted_build(&set, "-O2");
    struct emitted e = emitted_at(&set, 0);
    void *port[operands + results], *work = malloc(e.work);
    assert_int_equal(e.ports, operands + results);
    for (int i = 0; i < operands; i++) data[i] = operand_data(q, i);
    for (int k = 0; k < e.ports; k++)
        for (int i = 0; i < operands; i++) {
            if (strcmp(e.port[k].name, operand_name[i]) == 0) port[k] = data[i];
            if (strcmp(e.port[k].name, result_name[i]) == 0) port[k] = b.at[i];
        }
    assert_int_equal(e.call(port, 0, 0, work), 0);
    assert_close(q, &b, &a);
    free(work);
    for (int i = 0; i < operands; i++) free(data[i]);
    cr_program_free(p);
    emitted_free(&set);
    answer_free(&a), answer_free(&b);
}

TEST(emitted_c_gives_what_the_program_gives) {
    (void)state;
    assert_emitted(false);
    assert_emitted(true);
}

/* An update that its own product reads is not in place. */
TEST(to_emit_a_program_changes_nothing_in_it) {
    (void)state;
    enum { m = 256, n = 1024, k = 8 };
    static float w[2][m * n], a[m * k];
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_node p = cr_param(g, "w", CR_F32, 2, (int64_t[]){m, n}),
            x = cr_input(g, "x", CR_F32, 2, (int64_t[]){m, k}),
            top = cr_slice(p, 2, (int64_t[]){0, 0}, (int64_t[]){1, 1}, (int64_t[]){k, n});
    cr_target_update(t, p, cr_sub(p, cr_matmul(x, top)));
    for (int i = 0; i < m * k; i++) a[i] = (float)sin(i);
    for (int round = 0; round < 2; round++) {
        cr_program *program = NULL;
        cr_store *s = NULL;
        cr_run *r = NULL;
        cr_text *source = NULL, *header = NULL;
        for (int i = 0; i < m * n; i++) w[round][i] = (float)cos(i);
        assert_int_equal(cr_compile(&program, t, NULL), CR_OK);
        assert_true(says(program, " in blocks of "));
        assert_int_equal(cr_text_new(&source, NULL) || cr_text_new(&header, NULL), 0);
        if (round) assert_int_equal(cr_program_emit(source, header, program, "step", NULL), CR_OK);
        assert_int_equal(cr_store_new(&s, NULL), CR_OK);
        assert_int_equal(cr_store_set(s, "w", CR_F32, w[round], sizeof w[round]), CR_OK);
        assert_int_equal(cr_run_new(&r, program, s, NULL, 0), CR_OK);
        assert_int_equal(cr_bind(r, "x", CR_F32, a, sizeof a), CR_OK);
        assert_int_equal(cr_step(r), CR_OK);
        assert_int_equal(cr_store_get(s, "w", CR_F32, w[round], sizeof w[round]), CR_OK);
        cr_run_free(r), cr_store_free(s), cr_program_free(program);
        cr_text_free(source), cr_text_free(header);
    }
    double sum =
        cos(n * (m - 1)); /* of the last row, whose product read rows that are updated in other blocks */
    for (int j = 0; j < k; j++) sum -= (double)a[(m - 1) * k + j] * (double)(float)cos(j * n);
    assert_float_equal(w[0][(m - 1) * n], sum, 1e-5);
    assert_memory_equal(w[0], w[1], sizeof w[0]);
    cr_target_free(t);
    cr_graph_free(g);
}

/* Processor time to compile n updates, each behind its gradient's product, of which every one is a group. */
static double seconds_to_plan(int n) {
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_node x = cr_input(g, "x", CR_F32, 2, (int64_t[]){256, 8}),
            y = cr_input(g, "y", CR_F32, 2, (int64_t[]){8, 256});
    for (int i = 0; i < n; i++) {
        char name[24];
        snprintf(name, sizeof name, "w%d", i);
        cr_node w = cr_param(g, name, CR_F32, 2, (int64_t[]){256, 256});
        cr_target_update(t, w, cr_sub(w, cr_matmul(cr_mul(x, cr_number(g, i + 2)), y)));
    }
    cr_program *p = NULL;
    clock_t start = clock();
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    if (n < 1000) assert_true(says(p, " in blocks of "));
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return seconds;
}

/* 16 times the steps: some 16 times as long, with room for caches that are too small and other people's work; not 256. */
TEST(planning_takes_as_long_as_there_are_steps) {
    (void)state;
    double few = 1;
    for (int i = 0; i < 3; i++) few = fmin(few, seconds_to_plan(300));
    double many = fmin(seconds_to_plan(4800), seconds_to_plan(4800));
    if (many > 64 * few + 0.05) fail_msg("%g s for 300 updates, %g s for 4800", few, many);
}

/* A block of 4 rows of 2^51 numbers, and the other operand: each of 1024 threads has room for 3/2 2^55 bytes. */
TEST(rooms_of_all_threads_that_are_more_than_memory_are_told) {
    (void)state;
    const int64_t n = (int64_t)1 << 51;
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    for (int threads = 1; threads <= 1024; threads += 1023) {
        assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
        cr_graph *g = cr_graph_new(ctx);
        cr_target *t = cr_target_new(g);
        cr_node q = cr_input(g, "q", CR_F32, 3, (int64_t[]){2, 4, 1}),
                k = cr_input(g, "k", CR_F32, 3, (int64_t[]){2, 1, 1}),
                scores = cr_matmul(q, cr_expand(k, 3, (int64_t[]){2, 1, n}));
        cr_target_output(t, "y", cr_matmul(scores, cr_expand(k, 3, (int64_t[]){2, n, 1})));
        cr_program *p = NULL;
        cr_options *o = cr_options_new(ctx);
        cr_options_set(o, "rewrite", "none");
        cr_status s = cr_compile(&p, t, o);
        if (!s) assert_in_range(cr_program_workspace(p), (size_t)n * 16, PTRDIFF_MAX);
        assert_true(s == CR_OK || s == CR_ELIMIT);
        assert_true(s == CR_ELIMIT || (size_t)cr_context_thread_count(ctx) <= PTRDIFF_MAX / ((size_t)n * 16));
        cr_program_free(p);
        cr_options_free(o);
        cr_target_free(t);
        cr_graph_free(g);
    }
    cr_context_free(ctx);
}

static cr_status plan_and_emit(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = g ? cr_target_new(g) : NULL;
    cr_program *p = NULL;
    cr_text *source = NULL, *header = NULL;
    cr_node x[3];
    cr_status s = t ? CR_OK : CR_ENOMEM;
    for (int i = 0; i < 3 && !s; i++) x[i] = cr_input(g, operand_name[i], CR_F32, 3, (int64_t[]){8, 128, 8});
    if (!s) s = cr_target_output(t, "y", cr_attention(x[0], x[1], x[2], true));
    cr_node w = s ? (cr_node){0} : cr_param(g, "w", CR_F32, 2, (int64_t[]){256, 256});
    cr_node u = s ? (cr_node){0} : cr_input(g, "u", CR_F32, 2, (int64_t[]){256, 4});
    if (!s) s = cr_target_update(t, w, cr_sub(w, cr_matmul(u, cr_permute(u, 2, (int[]){1, 0}))));
    if (!s) s = cr_compile(&p, t, NULL);
    if (!s) s = cr_text_new(&source, ctx);
    if (!s) s = cr_text_new(&header, ctx);
    if (!s) s = cr_program_emit(source, header, p, "step", NULL);
    if (!s) assert_true(says(p, " in blocks of "));
    cr_text_free(source), cr_text_free(header);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return s;
}

TEST(every_failed_allocation_is_a_status) {
    (void)state;
    alloc_fail_each(plan_and_emit, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(attention_in_blocks_is_what_the_oracle_says),
        RUN(threads_do_not_change_a_bit),
        RUN(compiled_loops_do_not_change_a_bit),
        RUN(a_result_alone_is_what_it_is_with_the_others),
        RUN(a_scaled_mask_hides_as_much_as_a_mask),
        RUN(what_all_batch_elements_share_is_made_once),
        RUN(no_matrix_of_the_length_is_in_memory),
        RUN(what_is_masked_may_be_infinite_in_the_scores),
        RUN(emitted_c_gives_what_the_program_gives),
        RUN(to_emit_a_program_changes_nothing_in_it),
        RUN(planning_takes_as_long_as_there_are_steps),
        RUN(rooms_of_all_threads_that_are_more_than_memory_are_told),
        RUN(every_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
