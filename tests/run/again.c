/* What is computed again: the weights of an attention whose backward stands far from its forward, and masks of places. No bit changes, no
 * matrix of the length stays in memory, and the plan says what it is. */
#include "support/alloc.h"
#include "support/compiled.h"
#include "support/files.h"

#include <string.h>

enum { most_params = 64, steps = 2 };

/* A training step of two layers on batch x length bytes of text. */
struct net {
    int batch, length, width;
    const char *layer;
};

/* Weights of an attention that are drawn to be left out: a layer of its own. */
static const char dropped[] = "fn dropped(x, heads=1) {\n"
                              "    b = size(x, axis=0)\n"
                              "    n = size(x, axis=1)\n"
                              "    d = size(x, axis=2)\n"
                              "    q = dense(x, d)\n"
                              "    z = permute(reshape(q, [b, n, heads, d//heads]), [0, 2, 1, 3])\n"
                              "    w = dropout(softmax(z @ permute(z, [0, 1, 3, 2]) / 4), rate=0.25)\n"
                              "    y = dense(reshape(permute(w @ z, [0, 2, 1, 3]), [b, n, d]), d)\n"
                              "    x + y\n"
                              "}\n";

static cr_node loss_of(cr_context *ctx, cr_graph *g, const struct net *net) {
    char h1[80], h2[80], text[2048];
    cr_model *m = NULL;
    cr_text *why = NULL;
    cr_node loss = {0};
    snprintf(h1, sizeof h1, net->layer, "h0");
    snprintf(h2, sizeof h2, net->layer, "h1");
    snprintf(text, sizeof text,
             "%sinput text: i32[batch, length]\n"
             "h0 = embedding_layer(text[:, :-1], 64, %d, dtype=f32)\n"
             "h1 = %s\n"
             "h2 = %s\n"
             "h = layer_norm_layer(h2)\n"
             "logits = dense(h, 64)\n"
             "loss = mean(cross_entropy(logits, text[:, 1:]))\n",
             dropped, net->width, h1, h2);
    assert_int_equal(cr_text_new(&why, ctx), CR_OK);
    cr_status s = cr_model_new(&m, text, strlen(text), "net", ctx, why);
    if (!s) cr_model_training(m, true);
    if (!s) s = cr_model_declare(m, "text", false, CR_I32, 2, (int64_t[]){net->batch, net->length + 1});
    if (!s) s = cr_model_build(&loss, m, g, why);
    if (s) fail_msg("%s", cr_text_str(why));
    cr_model_free(m);
    cr_text_free(why);
    return loss;
}

static cr_graph *target(cr_context *ctx, const struct net *net, cr_target **t) {
    cr_graph *g = cr_graph_new(ctx);
    cr_node loss = loss_of(ctx, g, net), param[most_params], x;
    int n = 0;
    for (int i = 0; cr_ok(x = cr_leaf(g, i)); i++)
        if (strcmp(cr_op_of(x), "param") == 0) param[n++] = x;
    *t = cr_target_new(g);
    cr_target_output(*t, "loss", loss);
    if (cr_minimise(*t, "adam(rate=0.01)", loss, n, param)) fail_msg("%s", cr_graph_error(g));
    return g;
}

/* Some steps: the loss of each, and all parameters. */
struct course {
    float loss[steps];
    cr_store *store;
    bool again;
    size_t workspace;
};

static bool says(const cr_program *p, const char *what) {
    cr_text *text = NULL;
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(cr_program_print(text, p), CR_OK);
    bool found = strstr(cr_text_str(text), what) != NULL;
    cr_text_free(text);
    return found;
}

static void run(struct course *c, const cr_program *p, const struct net *net) {
    size_t count = (size_t)net->batch * (size_t)(net->length + 1), bytes = count * sizeof(int32_t);
    int32_t *text = malloc(bytes);
    cr_run *r = NULL;
    for (size_t i = 0; i < count; i++) text[i] = (int32_t)(i * i * 7919 % 61);
    assert_int_equal(cr_run_new(&r, p, c->store, NULL, 0), CR_OK);
    assert_int_equal(cr_bind(r, "text", CR_I32, text, bytes), CR_OK);
    for (int i = 0; i < steps; i++) {
        assert_int_equal(cr_bind(r, "loss", CR_F32, &c->loss[i], sizeof(float)), CR_OK);
        if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    }
    cr_run_free(r);
    free(text);
}

static struct course course_of(const struct net *net, int threads, const char *option, const char *value) {
    struct course c = {.again = false};
    cr_context *ctx = NULL;
    cr_target *t = NULL;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
    cr_graph *g = target(ctx, net, &t);
    assert_int_equal(cr_store_new(&c.store, NULL), CR_OK);
    assert_int_equal(cr_store_init(c.store, g, 3), CR_OK);
    cr_program *p = compiled_with(ctx, g, t, option, value);
    c.again = says(p, " again)");
    c.workspace = cr_program_workspace(p);
    run(&c, p, net);
    cr_program_free(p);
    cr_context_free(ctx);
    return c;
}

static void assert_bits(const struct course *a, const struct course *b) {
    assert_memory_equal(a->loss, b->loss, sizeof a->loss);
    for (int i = 0; cr_store_name(a->store, i); i++) {
        cr_dtype dtype;
        size_t bytes;
        const char *name = cr_store_name(a->store, i);
        const void *x = cr_store_data(a->store, name, &dtype, &bytes);
        if (memcmp(x, cr_store_data(b->store, name, &dtype, &bytes), bytes) != 0)
            fail_msg("%s differs", name);
    }
}

static const char causal[] = "transformer_layer(%s, heads=3, causal=true)",
                  open[] = "transformer_layer(%s, heads=8, rate=0.1)", by_chance[] = "dropped(%s, heads=8)";

TEST(what_is_computed_again_has_the_bits_of_what_is_kept) {
    (void)state;
    const struct net nets[] = {{1, 600, 24, causal}, {1, 400, 32, open}, {1, 400, 32, by_chance}};
    for (int i = 0; i < 3; i++) {
        struct course a = course_of(&nets[i], 1, NULL, NULL), b = course_of(&nets[i], 1, "recompute", "0"),
                      c = course_of(&nets[i], 2, NULL, NULL);
        if (!a.again || b.again || a.workspace >= b.workspace)
            fail_msg("net %d: %d %d, %zu and %zu bytes", i, a.again, b.again, a.workspace, b.workspace);
        assert_bits(&a, &b), assert_bits(&a, &c);
        cr_store_free(a.store), cr_store_free(b.store), cr_store_free(c.store);
    }
}

/* A length that is a prime number: no other value has so many bytes. */
TEST(no_value_of_length_times_length_is_in_memory) {
    (void)state;
    const struct net net = {2, 523, 64, "transformer_layer(%s, heads=4, causal=true)"};
    cr_target *t = NULL;
    cr_graph *g = target(NULL, &net, &t);
    cr_text *text = NULL;
    int places = 0;
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(cr_compile_print(text, t, NULL), CR_OK);
    const char *line = strstr(cr_text_str(text), "\nmemory: "), *end = strstr(line, "\nloops: ");
    for (line = strchr(line + 1, '\n'); line && line < end; line = strchr(line + 1, '\n'), places++) {
        unsigned long from, to;
        if (sscanf(line, " %lu to %lu", &from, &to) != 2) continue;
        if ((to - from) % (523 * 523) == 0) fail_msg("%.80s", line);
    }
    assert_true(places > 50);
    cr_text_free(text);
    cr_target_free(t);
    cr_graph_free(g);
}

enum { heads = 5, length = 520, each = 4, numbers = heads * length * each };

/* The gradient of a square waits for all of the attention. */
static cr_graph *far_apart(cr_context *ctx, cr_target **t) {
    static const char *const name[] = {"q", "k", "v"}, *const result[] = {"dq", "dk", "dv"};
    cr_graph *g = cr_graph_new(ctx);
    cr_node x[3], d[3];
    *t = g ? cr_target_new(g) : NULL;
    if (!*t) return g;
    for (int i = 0; i < 3; i++) x[i] = cr_input(g, name[i], CR_F32, 3, (int64_t[]){heads, length, each});
    cr_node y = cr_attention(x[0], x[1], x[2], true);
    if (cr_grad(d, cr_square(cr_mean(cr_square(y), 0, NULL, false)), 3, x)) return g;
    for (int i = 0; i < 3; i++) cr_target_output(*t, result[i], d[i]);
    return g;
}

static void run_far_apart(const cr_program *p, float out[3][numbers]) {
    static float in[3][numbers];
    cr_run *r = NULL;
    for (int i = 0; i < 3 * numbers; i++) in[i / numbers][i % numbers] = (float)sin(i * i % 9973);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "q", CR_F32, in[0], sizeof in[0]), cr_bind(r, "dq", CR_F32, out[0], sizeof out[0]);
    cr_bind(r, "k", CR_F32, in[1], sizeof in[1]), cr_bind(r, "dk", CR_F32, out[1], sizeof out[1]);
    cr_bind(r, "v", CR_F32, in[2], sizeof in[2]), cr_bind(r, "dv", CR_F32, out[2], sizeof out[2]);
    if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
}

/* With what is kept instead, with steps that run whole, with compiled loops. */
TEST(every_way_of_running_has_its_bits) {
    (void)state;
    static const char *const way[][2] = {{NULL, NULL}, {"recompute", "0"}, {"fuse", "0"}, {"compile", "cc"}};
    static float out[4][3][numbers];
    for (int i = 0; i < 4; i++) {
        cr_target *t = NULL;
        cr_graph *g = far_apart(NULL, &t);
        cr_program *p = compiled_with(NULL, g, t, way[i][0], way[i][1]);
        assert_int_equal(says(p, " again)"), i == 0 || i == 3);
        run_far_apart(p, out[i]);
        assert_memory_equal(out[i], out[0], sizeof out[0]);
        cr_program_free(p);
    }
}

/* The same for each of two, as a function of a loop. */
static cr_graph *each_far_apart(cr_target **t) {
    static const char *const name[] = {"q", "k", "v"}, *const result[] = {"dq", "dk", "dv"};
    cr_graph *g = cr_graph_new(NULL), *body = cr_graph_new(NULL);
    cr_node x[3], y[3], d[3];
    cr_function *f = NULL;
    for (int i = 0; i < 3; i++) {
        x[i] = cr_input(g, name[i], CR_F32, 4, (int64_t[]){2, heads, length, each});
        y[i] = cr_input(body, name[i], CR_F32, 3, (int64_t[]){heads, length, each});
    }
    cr_node a = cr_attention(y[0], y[1], y[2], true);
    assert_int_equal(cr_grad(d, cr_square(cr_mean(cr_square(a), 0, NULL, false)), 3, y), CR_OK);
    assert_int_equal(cr_function_new(&f, 3, y, 3, d), CR_OK);
    assert_int_equal(cr_map(d, f, 2, 3, x, 0, NULL), CR_OK);
    *t = cr_target_new(g);
    for (int i = 0; i < 3; i++) cr_target_output(*t, result[i], d[i]);
    cr_function_free(f);
    cr_graph_free(body);
    return g;
}

static void run_each(float out[3][2 * numbers], const char *option, const char *value) {
    static const char *const name[] = {"q", "k", "v"}, *const result[] = {"dq", "dk", "dv"};
    static float in[3][2 * numbers];
    cr_target *t = NULL;
    cr_run *r = NULL;
    cr_graph *g = each_far_apart(&t);
    cr_program *p = compiled_with(NULL, g, t, option, value);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 2 * numbers; k++) in[i][k] = (float)sin((i + k) * k % 9973);
        cr_bind(r, name[i], CR_F32, in[i], sizeof in[i]);
        cr_bind(r, result[i], CR_F32, out[i], sizeof out[i]);
    }
    if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
    cr_program_free(p);
}

TEST(functions_compute_again_too) {
    (void)state;
    static float with[3][2 * numbers], without[3][2 * numbers];
    run_each(with, NULL, NULL), run_each(without, "recompute", "0");
    assert_memory_equal(with, without, sizeof with);
}

static cr_status plan_far_apart(cr_context *ctx, void *arg) {
    (void)arg;
    cr_target *t = NULL;
    cr_program *p = NULL;
    cr_graph *g = far_apart(ctx, &t);
    cr_status s = t ? cr_compile(&p, t, NULL) : CR_ENOMEM;
    if (!s) assert_true(says(p, " again)"));
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return s;
}

TEST(every_failed_allocation_is_a_status) {
    (void)state;
    alloc_fail_each(plan_far_apart, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(what_is_computed_again_has_the_bits_of_what_is_kept),
        RUN(no_value_of_length_times_length_is_in_memory),
        RUN(every_way_of_running_has_its_bits),
        RUN(functions_compute_again_too),
        RUN(every_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
