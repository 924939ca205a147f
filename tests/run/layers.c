/* Dense layers and their gradients in blocks of rows: products, biases, activations, residuals, norms and sums over rows have the bits of
 * steps that run whole, whatever the sizes, threads and way of running; what only a block needs is in memory for a block. */
#include "support/alloc.h"
#include "support/compiled.h"
#include "support/files.h"
#include "support/test.h"

#include <string.h>

enum { most_layers = 3, most_values = 4 * most_layers + 4 };

/* x of rows x width[0]; each layer is wide[i + 1] and has its activation. */
struct net {
    int64_t rows, width[most_layers + 1];
    int layers, activation; /* of the first layer; the others have the next ones */
    bool norm, residual, turned, dropout;
    cr_dtype dtype;
};

static const struct net nets[] = {
    {900, {96, 400, 64}, 2, 0, .dtype = CR_F32},
    {1025, {40, 515, 33, 300}, 3, 1, .dtype = CR_F32},
    {1281, {64, 256, 64}, 2, 2, .norm = true, .residual = true, .dtype = CR_F32},
    {832, {50, 211, 50}, 2, 3, .residual = true, .turned = true, .dtype = CR_F64},
    {1793, {24, 180, 190, 1}, 3, 0, .turned = true, .dtype = CR_F32},
    {2113, {16, 130, 16}, 2, 1, .norm = true, .dropout = true, .dtype = CR_F32},
    {640, {160, 300, 10}, 2, 2, .turned = true, .dtype = CR_F64},
    {1090, {130, 384, 5}, 2, 0, .dropout = true, .dtype = CR_F32},
};
enum { net_count = sizeof nets / sizeof *nets };

/* What goes in, and what comes out: the result, the cotangent of x, those of all parameters. */
struct values {
    int n;
    struct value {
        char name[16];
        cr_node in, out;
        size_t bytes;
        char *data, *result;
    } at[most_values];
};

static cr_node value(struct values *v, cr_graph *g, const struct net *net, const char *name, int layer,
                     int64_t m, int64_t n) {
    struct value *x = &v->at[v->n++];
    snprintf(x->name, sizeof x->name, "%s%d", name, layer);
    x->bytes = (size_t)(m ? m * n : n) * cr_dtype_size(net->dtype);
    return x->in = m ? cr_input(g, x->name, net->dtype, 2, (int64_t[]){m, n})
                     : cr_input(g, x->name, net->dtype, 1, &n);
}

static cr_node activation(cr_node z, int which) {
    switch (which % 4) {
    case 0: return cr_relu(z);
    case 1: return cr_tanh(z);
    case 2: return cr_gelu(z);
    default: return cr_softplus(z);
    }
}

static cr_node layer(struct values *v, cr_graph *g, const struct net *net, cr_node x, int i) {
    int64_t k = net->width[i], n = net->width[i + 1];
    cr_node y = x;
    if (net->norm) y = cr_layer_norm(x, value(v, g, net, "s", i, 0, k), value(v, g, net, "t", i, 0, k), 1e-5);
    cr_node w = net->turned ? cr_permute(value(v, g, net, "w", i, n, k), 2, (int[]){1, 0})
                            : value(v, g, net, "w", i, k, n);
    y = activation(cr_add(cr_matmul(y, w), value(v, g, net, "b", i, 0, n)), net->activation + i);
    return net->dropout ? cr_dropout(y, cr_number(g, i + 3), 0.25) : y;
}

/* The loss is a sum of squares, so the last layer's loop ends in a sum over each row. */
static cr_target *target(struct values *v, cr_graph *g, const struct net *net) {
    *v = (struct values){0};
    cr_target *t = cr_target_new(g);
    cr_node x = value(v, g, net, "x", 0, net->rows, net->width[0]), y = x, in[most_values], out[most_values];
    for (int i = 0; i < net->layers; i++) y = layer(v, g, net, y, i);
    if (net->residual) y = cr_add(x, y);
    cr_node loss = cr_mean(cr_sum(cr_square(y), 1, (int[]){-1}, false), 0, NULL, false);
    if (!t) return NULL;
    for (int i = 0; i < v->n; i++) in[i] = v->at[i].in;
    cr_grad(out, loss, v->n, in);
    for (int i = 0; i < v->n; i++) {
        char name[24];
        snprintf(name, sizeof name, "d%s", v->at[i].name);
        cr_target_output(t, name, out[i]);
    }
    cr_target_output(t, "loss", loss);
    return t;
}

static cr_program *program(struct values *v, cr_context *ctx, const struct net *net, const char *option,
                           const char *value) {
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = target(v, g, net);
    return compiled_with(ctx, g, t, option, value);
}

static cr_text *text_of(const cr_program *p) {
    cr_text *text = NULL;
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(cr_program_print(text, p), CR_OK);
    return text;
}

static bool says(const cr_program *p, const char *what) {
    cr_text *text = text_of(p);
    bool found = strstr(cr_text_str(text), what) != NULL;
    cr_text_free(text);
    return found;
}

static void fill(struct value *x, cr_dtype dtype, int number) {
    size_t n = x->bytes / cr_dtype_size(dtype);
    x->data = malloc(x->bytes);
    for (size_t k = 0; k < n; k++) {
        double y = 0.3 * sin((double)(k * k % 9973) + number);
        if (dtype == CR_F32) ((float *)(void *)x->data)[k] = (float)y;
        else ((double *)(void *)x->data)[k] = y;
    }
}

/* wanted: bits of the gradients that are bound. */
static void run(struct values *v, cr_program *p, const struct net *net, unsigned wanted) {
    cr_run *r = NULL;
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < v->n; i++) {
        char name[24];
        struct value *x = &v->at[i];
        fill(x, net->dtype, i);
        x->result = calloc(1, x->bytes);
        snprintf(name, sizeof name, "d%s", x->name);
        assert_int_equal(cr_bind(r, x->name, net->dtype, x->data, x->bytes), CR_OK);
        if (wanted >> i & 1) assert_int_equal(cr_bind(r, name, net->dtype, x->result, x->bytes), CR_OK);
    }
    for (int i = 0; i < 2; i++)
        if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
    cr_program_free(p);
}

static void values_free(struct values *v) {
    for (int i = 0; i < v->n; i++) free(v->at[i].data), free(v->at[i].result);
}

static void assert_bits(const struct values *a, const struct values *b, int net) {
    for (int i = 0; i < a->n; i++)
        if (memcmp(a->at[i].result, b->at[i].result, a->at[i].bytes))
            fail_msg("net %d: d%s differs", net, a->at[i].name);
}

TEST(blocks_have_the_bits_of_whole_steps) {
    (void)state;
    for (int i = 0; i < net_count; i++) {
        struct values whole, blocks;
        run(&whole, program(&whole, NULL, &nets[i], "fuse", "0"), &nets[i], ~0u);
        cr_program *p = program(&blocks, NULL, &nets[i], NULL, NULL);
        if (!says(p, " in blocks of ")) fail_msg("net %d: no blocks", i);
        run(&blocks, p, &nets[i], ~0u);
        assert_bits(&whole, &blocks, i);
        values_free(&whole), values_free(&blocks);
    }
}

TEST(threads_do_not_change_a_bit) {
    (void)state;
    for (int i = 0; i < net_count; i++) {
        struct values whole;
        run(&whole, program(&whole, NULL, &nets[i], NULL, NULL), &nets[i], ~0u);
        for (int threads = 2; threads <= 4; threads++) {
            struct values other;
            cr_context *ctx;
            assert_int_equal(cr_context_new(&ctx), CR_OK);
            assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
            run(&other, program(&other, ctx, &nets[i], NULL, NULL), &nets[i], ~0u);
            assert_bits(&whole, &other, i);
            values_free(&other);
            cr_context_free(ctx);
        }
        values_free(&whole);
    }
}

TEST(compiled_loops_do_not_change_a_bit) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct values built_in, compiled;
        cr_program *p = program(&compiled, NULL, &nets[i], "compile", "cc");
        if (!cr_program_compiled(p)) {
            cr_program_free(p);
            skip();
        }
        run(&built_in, program(&built_in, NULL, &nets[i], NULL, NULL), &nets[i], ~0u);
        run(&compiled, p, &nets[i], ~0u);
        assert_bits(&built_in, &compiled, i);
        values_free(&built_in), values_free(&compiled);
    }
}

/* Steps of a group of which nothing is wanted do not run, and nobody misses them. */
TEST(a_gradient_alone_is_what_it_is_with_the_others) {
    (void)state;
    for (int i = 1; i < 4; i += 2) {
        struct values all;
        run(&all, program(&all, NULL, &nets[i], NULL, NULL), &nets[i], ~0u);
        for (int k = 0; k < all.n; k++) {
            struct values one;
            run(&one, program(&one, NULL, &nets[i], NULL, NULL), &nets[i], 1u << k);
            assert_memory_equal(one.at[k].result, all.at[k].result, all.at[k].bytes);
            values_free(&one);
        }
        values_free(&all);
    }
}

/* h is 4 MiB, a block of it and of what it is made of 2 x 56 x 2 KiB; y and nothing else is whole. */
TEST(a_product_bias_relu_and_product_are_one_group) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_node x = cr_input(g, "x", CR_F32, 2, (int64_t[]){2048, 64}),
            w = cr_input(g, "w", CR_F32, 2, (int64_t[]){64, 512}),
            b = cr_input(g, "b", CR_F32, 1, (int64_t[]){512}),
            v = cr_input(g, "v", CR_F32, 2, (int64_t[]){32, 512});
    cr_node h = cr_relu(cr_add(cr_matmul(x, w), b));
    cr_target_output(t, "y", cr_matmul(h, cr_permute(v, 2, (int[]){1, 0})));
    cr_program *p = NULL;
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    if (!says(p, "\n1 to 3 in blocks of 56 of 2048 rows: 229376 bytes for a block, 98304 for operands turned "
                 "over\n")) {
        cr_text *text = text_of(p);
        fail_msg("%s", cr_text_str(text));
    }
    assert_in_range(cr_program_workspace(p), 0, (size_t)(2048 * 32 * 4 + 229376 + 98304 + (128 << 10)));
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

/* The right operand of the product that the update waits for lies in columns, and is turned over once for all blocks. */
TEST(an_update_behind_a_product_that_turns_its_operand_over_has_the_same_bits) {
    (void)state;
    enum { m = 601, n = 256, k = 20 };
    static float w[2][m * n], a[m * k], b[n * k];
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_node p = cr_param(g, "w", CR_F32, 2, (int64_t[]){m, n}),
            x = cr_input(g, "x", CR_F32, 2, (int64_t[]){m, k}),
            y = cr_permute(cr_input(g, "y", CR_F32, 2, (int64_t[]){n, k}), 2, (int[]){1, 0});
    cr_target_update(t, p, cr_sub(p, cr_tanh(cr_matmul(x, y))));
    for (int i = 0; i < m * k; i++) a[i] = (float)sin(i);
    for (int i = 0; i < n * k; i++) b[i] = (float)cos(i);
    for (int round = 0; round < 2; round++) {
        cr_program *program = NULL;
        cr_options *o = cr_options_new(NULL);
        cr_store *s = NULL;
        cr_run *r = NULL;
        if (round) assert_int_equal(cr_options_set(o, "fuse", "0"), CR_OK);
        assert_int_equal(cr_compile(&program, t, o), CR_OK);
        assert_true(says(program, " for operands turned over\n") == !round);
        assert_int_equal(cr_store_new(&s, NULL), CR_OK);
        assert_int_equal(cr_store_set(s, "w", CR_F32, w[round], sizeof w[round]), CR_OK);
        assert_int_equal(cr_run_new(&r, program, s, NULL, 0), CR_OK);
        assert_int_equal(cr_bind(r, "x", CR_F32, a, sizeof a), CR_OK);
        assert_int_equal(cr_bind(r, "y", CR_F32, b, sizeof b), CR_OK);
        assert_int_equal(cr_step(r), CR_OK);
        assert_int_equal(cr_store_get(s, "w", CR_F32, w[round], sizeof w[round]), CR_OK);
        cr_run_free(r), cr_store_free(s), cr_program_free(program), cr_options_free(o);
    }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
    cr_target_free(t);
    cr_graph_free(g);
}

/* More threads than there are whole blocks for: a product is better cut itself. */
TEST(a_product_of_fewer_blocks_than_threads_stays_whole) {
    (void)state;
    for (int threads = 1; threads <= 64; threads += 63) {
        cr_context *ctx;
        struct values v;
        assert_int_equal(cr_context_new(&ctx), CR_OK);
        assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
        cr_program *p = program(&v, ctx, &nets[0], NULL, NULL);
        if (cr_context_thread_count(ctx) == threads) assert_true(says(p, " in blocks of ") == (threads == 1));
        cr_program_free(p);
        cr_context_free(ctx);
    }
}

static cr_status plan_and_run(cr_context *ctx, void *arg) {
    const struct net *net = arg;
    struct values v;
    cr_graph *g = cr_graph_new(ctx);
    if (!g) return CR_ENOMEM;
    cr_target *t = target(&v, g, net);
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_status s = t ? cr_compile(&p, t, NULL) : CR_ENOMEM;
    if (!s) s = cr_run_new(&r, p, NULL, NULL, 0);
    if (!s) assert_true(says(p, " in blocks of "));
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return s;
}

TEST(every_failed_allocation_is_a_status) {
    (void)state;
    static const struct net net = {1100, {16, 256, 3}, 2, 0, .dtype = CR_F32};
    alloc_fail_each(plan_and_run, (void *)(uintptr_t)&net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(blocks_have_the_bits_of_whole_steps),
        RUN(threads_do_not_change_a_bit),
        RUN(compiled_loops_do_not_change_a_bit),
        RUN(a_gradient_alone_is_what_it_is_with_the_others),
        RUN(a_product_bias_relu_and_product_are_one_group),
        RUN(an_update_behind_a_product_that_turns_its_operand_over_has_the_same_bits),
        RUN(a_product_of_fewer_blocks_than_threads_stays_whole),
        RUN(every_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
