/* Loops that end in reductions, and reductions that loops go on from: the bits of the same nodes one by one, for any number
 * of threads; what the oracle says; and so many steps and bytes as there have to be. */
#include "support/test.h"

#include "run/program.h"

struct model {
    const char *text; /* of x[m, n], g[n] and b[n]; differentiated by all three */
};
static const struct model models[] = {
    {"sum(x)"},
    {"mean((x - g)^2)"},
    {"sum(tanh(x*g + b)*sigmoid(x))"},
    {"softmax(x)"},
    {"log_softmax(x)"},
    {"softmax(t(x))"},
    {"layer_norm(x, g, b)"},
    {"rms_norm(x, g)"},
    {"logsumexp(x, axis=0)"},
    {"logsumexp(x, axis=1)"},
    {"sum(x*g, axis=0)"},
    {"sum(x*g, axis=1)"},
    {"max(x*g, axis=1) + min(x, axis=1)"},
    {"max(abs(x), axis=0)"},
    {"prod(1 + x/100, axis=1)"},
    {"sum(exp(x), axis=0) + g*sum(x, axis=0)"},
    {"exp(x - mean(x, axis=1, keep=true))*var(x)"},
    {"x/sum(x^2, axis=0, keep=true)"},
    {"sum(x[:, ::-1]*x, axis=1)"},
    {"sum(where(x > 0, x, 0), axis=1)*sum(x > 0)"},
    {"norm(x) + norm(g*b)"},
    {"mean(cross_entropy(x, softmax(x*g)))"},
    {"tanh(sum(x, axis=1, keep=true) @ g[None, :]) + b"},
    {"x*any(x > 2, axis=1, keep=true) + all(x < 2)"},
    {"sum(sum(x, axis=1)*max(x, axis=1)) + sum(x[None, :, :]*g[:2][:, None, None], axis=[0, 2])"},
};
/* Of slices, and of what is put together: gradients in pieces. */
static const struct model pieces[] = {
    {"stack(exp(x[0]), x[-1]*g, tanh(b)*g, axis=0)*x[0]"},
    {"concat(x*g, exp(x), x[:1] + b, axis=0)"},
    {"concat(x, 2*x[:, :1], tanh(x), axis=1)"},
    {"sum(x[:, 0]*x[:, -1]) + sum(x[::2])^2 + sum(x[0]*g)"},
    {"y = exp(x[0])\nstack(y, y*g, y, axis=0) + stack(y, b, y^2, axis=0)"},
    {"x[:1, ::-1]*x[1:2]*g"}, /* turned around */
};
/* Of x[n, n]: what needs the results of other rows waits for them. */
static const struct model squares[] = {
    {"x*sum(x, axis=1)"},
    {"x*sum(x, axis=1)[::-1, None]"},
    {"sum(x, axis=1) + sum(x, axis=1)[::-1]"},
    {"x*exp(sum(x/9, axis=1))[None, :]"},
    {"softmax(x)*t(softmax(x))"},
    {"w = x[:, :, None]*g[:3][None, None, :]\nw*t(sum(w, axis=2))[:, :, None]"},
    {"x*sum(x, axis=1)[:, None]*sum(x, axis=0)[:, None]"},
};
enum { model_count = sizeof models / sizeof *models, results = 4 };

struct way {
    int threads;
    const char *fuse, *device;
};

struct outcome {
    char *data[results]; /* value, and the derivatives of its sum of squares */
    size_t bytes[results];
    size_t steps;
};

static void outcome_free(struct outcome *o) {
    for (int i = 0; i < results; i++) free(o->data[i]);
}

static cr_node built(cr_graph *g, const char *expression, cr_dtype dtype, int64_t m, int64_t n,
                     cr_node wrt[3]) {
    char text[512];
    cr_text *why = NULL;
    cr_model *model = NULL;
    cr_node y = {0};
    const char *d = cr_dtype_name(dtype);
    snprintf(text, sizeof text, "input x: %s[m, n]\ninput g: %s[n]\ninput b: %s[n]\n%s", d, d, d, expression);
    cr_text_new(&why, NULL);
    if (cr_model_new(&model, text, strlen(text), NULL, NULL, why) || cr_model_size(model, "m", m) ||
        cr_model_size(model, "n", n) || cr_model_build(&y, model, g, why))
        fail_msg("%s: %s", expression, cr_text_str(why));
    for (int i = 0; i < 3; i++) wrt[i] = cr_find(g, (const char *[]){"x", "g", "b"}[i]);
    cr_model_free(model);
    cr_text_free(why);
    return y;
}

static void bind_input(cr_run *r, const char *name, cr_dtype dtype, void *data, int64_t n, double phase) {
    for (int64_t i = 0; i < n; i++) {
        double v = 2 * sin((double)i * 0.7 + phase);
        if (dtype == CR_F32) ((float *)data)[i] = (float)v;
        else ((double *)data)[i] = v;
    }
    cr_status s = cr_bind(r, name, dtype, data, (size_t)n * cr_dtype_size(dtype));
    if (s && s != CR_ENAME) fail_msg("%s", cr_run_error(r)); /* a model may have no g */
}

static struct outcome run(const char *expression, cr_dtype dtype, int64_t m, int64_t n, struct way way) {
    static double x[600000], gain[20000], bias[20000];
    struct outcome o = {0};
    cr_context *ctx;
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_node wrt[3], out[results];
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, way.threads), CR_OK);
    cr_graph *g = cr_graph_new(ctx);
    out[0] = built(g, expression, dtype, m, n, wrt);
    if (cr_grad(out + 1, cr_sum(cr_square(out[0]), 0, NULL, false), 3, wrt))
        fail_msg("%s", cr_graph_error(g));
    cr_target *t = cr_target_new(g);
    cr_options *options = cr_options_new(ctx);
    cr_options_set(options, "fuse", way.fuse);
    cr_options_set(options, "device", way.device);
    if (strcmp(way.device, "reference") == 0) cr_options_set(options, "rewrite", "none");
    for (int i = 0; i < results; i++) cr_target_output(t, (const char *[]){"y", "dx", "dg", "db"}[i], out[i]);
    if (cr_compile(&p, t, options)) fail_msg("%s", cr_graph_error(g));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    bind_input(r, "x", dtype, x, m * n, 0);
    bind_input(r, "g", dtype, gain, n, 1);
    bind_input(r, "b", dtype, bias, n, 2);
    for (int i = 0; i < results; i++) {
        o.bytes[i] = (size_t)cr_count(out[i]) * cr_dtype_size(cr_dtype_of(out[i]));
        o.data[i] = calloc(1, o.bytes[i] + 1);
        cr_bind(r, (const char *[]){"y", "dx", "dg", "db"}[i], cr_dtype_of(out[i]), o.data[i], o.bytes[i]);
    }
    if (cr_step(r)) fail_msg("%s: %s", expression, cr_run_error(r));
    o.steps = cr_program_steps(p);
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(options);
    cr_target_free(t);
    cr_graph_free(g);
    cr_context_free(ctx);
    return o;
}

static const int64_t shapes[][2] = {{1, 1},    {1, 3},    {3, 1},     {5, 17},   {64, 16},
                                    {65, 300}, {130, 7},  {2, 4096},  {3, 4097}, {1, 9000},
                                    {40, 700}, {3000, 3}, {67, 4500}, {0, 4},    {9, 8193}};
enum { all_shapes = sizeof shapes / sizeof *shapes };

static void same_bits(const char *text, cr_dtype dtype, int64_t m, int64_t n) {
    static const struct way ways[] = {{1, "1", "cpu"}, {1, "0", "cpu"}, {2, "1", "cpu"}, {3, "1", "cpu"}};
    struct outcome first = run(text, dtype, m, n, ways[0]);
    for (int w = 1; w < 4; w++) {
        struct outcome o = run(text, dtype, m, n, ways[w]);
        assert_true(w == 1 || o.steps == first.steps);
        for (int j = 0; j < results; j++)
            if (o.bytes[j] != first.bytes[j] || memcmp(o.data[j], first.data[j], o.bytes[j]) != 0)
                fail_msg("%s, %s[%d, %d], %d threads, fuse=%s: result %d has other bits", text,
                         cr_dtype_name(dtype), (int)m, (int)n, ways[w].threads, ways[w].fuse, j);
        outcome_free(&o);
    }
    outcome_free(&first);
}

TEST(fusing_and_threads_change_no_bit) {
    (void)state;
    for (int i = 0; i < model_count; i++)
        for (int k = i % 2; k < all_shapes; k += 2) /* each shape with every other model */
            same_bits(models[i].text, (i / 2 + k / 2) % 2 ? CR_F32 : CR_F64, shapes[k][0], shapes[k][1]);
}

TEST(results_of_other_rows_are_awaited) {
    (void)state;
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
        same_bits(squares[i].text, CR_F64, 17, 17);
        same_bits(squares[i].text, CR_F32, 300, 300);
    }
}

TEST(pieces_are_joined_in_the_same_bits) {
    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        same_bits(pieces[i].text, CR_F64, 5, 14); /* short vectors */
        same_bits(pieces[i].text, CR_F64, 3, 96);
        same_bits(pieces[i].text, CR_F32, 2, 5000);
    }
}

/* The oracle adds one after the other: in f64 the two differ by the rounding of some thousand additions of numbers of
 * the size of the largest result. */
static void oracle_agrees(const char *text, int64_t m, int64_t n) {
    struct outcome a = run(text, CR_F64, m, n, (struct way){1, "1", "cpu"}),
                   b = run(text, CR_F64, m, n, (struct way){1, "1", "reference"});
    for (int j = 0; j < results; j++) {
        const double *u = (double *)(void *)a.data[j], *v = (double *)(void *)b.data[j];
        double size = 1;
        for (size_t e = 0; e < a.bytes[j] / 8; e++) size = isfinite(v[e]) ? fmax(size, fabs(v[e])) : size;
        for (size_t e = 0; e < a.bytes[j] / 8; e++)
            if (!(fabs(u[e] - v[e]) <= 1e-11 * size) && u[e] != v[e] && !(isnan(u[e]) && isnan(v[e])))
                fail_msg("%s, [%d, %d]: result %d is %.17g at %d, by the oracle %.17g", text, (int)m, (int)n,
                         j, u[e], (int)e, v[e]);
    }
    outcome_free(&a);
    outcome_free(&b);
}

TEST(the_oracle_agrees) {
    (void)state;
    for (int i = 0; i < model_count; i++)
        for (int k = i % 3; k < all_shapes; k += 3) /* each shape with every third model */
            oracle_agrees(models[i].text, shapes[k][0], shapes[k][1]);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) oracle_agrees(pieces[i].text, 4, 80);
}

/* ---- Steps and bytes ---- */

struct cost {
    size_t steps, bytes;
};

/* Of value and gradient by x: the value's own, not of a sum of its squares, if it is one number. */
static struct cost cost_of(const char *expression, int64_t m, int64_t n, const char *option,
                           const char *value) {
    cr_graph *g = cr_graph_new(NULL);
    cr_node wrt[3], d;
    cr_program *p = NULL;
    cr_node y = built(g, expression, CR_F32, m, n, wrt);
    cr_target *t = cr_target_new(g);
    cr_options *o = cr_options_new(NULL);
    assert_int_equal(cr_options_set(o, option, value), CR_OK);
    cr_grad(&d, cr_rank(y) ? cr_sum(cr_square(y), 0, NULL, false) : y, 1, wrt);
    cr_target_output(t, "y", y);
    cr_target_output(t, "dx", d);
    assert_int_equal(cr_compile(&p, t, o), CR_OK);
    struct cost cost = {cr_program_steps(p), cr_program_workspace(p)};
    cr_program_free(p);
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return cost;
}

TEST(a_chain_its_sum_and_its_gradient_are_one_loop) {
    (void)state;
    enum { n = 1 << 20 };
    struct cost c = cost_of("sum(tanh(x*2 + 1)*sigmoid(x*3))", 1, n, "fuse", "1");
    assert_int_equal(c.steps, 1);
    assert_true(c.bytes < 4 * n + 64 * 1024); /* dx stands in memory; nothing else of its size */
    c = cost_of("mean((x - g)^2)", 1, n, "fuse", "1");
    assert_int_equal(c.steps, 3); /* 1/n before, the sum by n after */
    assert_true(c.bytes < 4 * n + 64 * 1024);
}

TEST(what_works_row_by_row_is_one_loop) {
    (void)state;
    enum { m = 1000, n = 512 };
    static const char *const rows[] = {"softmax(x)", "log_softmax(x)", "layer_norm(x, g, b)",
                                       "rms_norm(x, g)"};
    for (int i = 0; i < 4; i++) {
        struct cost c = cost_of(rows[i], m, n, "fuse", "1"), apart = cost_of(rows[i], m, n, "fuse", "0");
        if (c.steps != 1) fail_msg("%s: %zu steps", rows[i], c.steps);
        if (!(c.bytes < 8 * m * n + 160 * 1024)) fail_msg("%s: %zu bytes", rows[i], c.bytes);
        assert_true(apart.steps >= 14 && apart.bytes > 12 * m * n);
    }
}

TEST(a_column_times_a_row_joins_the_loop_around_it) {
    (void)state;
    enum { m = 300, n = 500 };
    static const char text[] = "sum(tanh(sum(x, axis=1, keep=true) @ g[None, :]))";
    struct cost joined = cost_of(text, m, n, "rewrite", "exact"),
                apart = cost_of(text, m, n, "rewrite", "none");
    assert_true(joined.steps < apart.steps);
    assert_true(joined.bytes <= apart.bytes);
}

/* Four rows are read where they stand; their gradients are made where the whole's has them. */
TEST(rows_and_their_gradients_take_no_steps_of_their_own) {
    (void)state;
    enum { m = 4, n = 512 };
    static const char text[] = "sum(exp(x[0])*x[1] + tanh(x[2])*x[3])";
    struct cost joined = cost_of(text, m, n, "fuse", "1"), apart = cost_of(text, m, n, "rewrite", "none");
    assert_int_equal(joined.steps, 1);
    assert_true(joined.bytes < 4 * m * n + 64 * 1024);
    assert_true(apart.steps >= 8);
}

/* ---- Threads ---- */

struct shared_out {
    size_t calls, most; /* of the loops shared out: how many parts the widest had */
};

static void parallel(void *user, void (*body)(void *arg, size_t i), void *arg, size_t count) {
    struct shared_out *s = user;
    s->calls++;
    if (count > s->most) s->most = count;
    for (size_t i = count; i-- > 0;) body(arg, i); /* any order must do */
}

static float total_of(cr_context *ctx, int64_t m, int64_t n, const char *expression, float out[]) {
    static float x[1 << 20];
    for (int i = 0; i < 1 << 20; i++) x[i] = (float)sin(i * 0.37);
    cr_graph *g = cr_graph_new(ctx);
    cr_node wrt[3], y = built(g, expression, CR_F32, m, n, wrt);
    cr_target *t = cr_target_new(g);
    cr_program *p;
    cr_run *r;
    cr_target_output(t, "y", y);
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F32, x, sizeof x);
    cr_bind(r, "y", CR_F32, out, (size_t)cr_count(y) * sizeof *out);
    assert_int_equal(cr_step(r), CR_OK);
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return out[0];
}

TEST(reductions_to_few_numbers_are_shared_out) {
    (void)state;
    static const struct {
        const char *text;
        int64_t m, n;
    } cases[] = {{"sum(x)", 1 << 10, 1 << 10},          {"max(x)", 1, 1 << 20},
                 {"sum(x, axis=1)", 4, 1 << 18},        {"sum(x, axis=0)", 1 << 18, 4},
                 {"sum(x[:, ::-1])", 1 << 10, 1 << 10}, {"sum(exp(x), axis=0)", 1 << 10, 1 << 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static float one[1 << 10], many[1 << 10];
        struct shared_out s = {0, 0};
        cr_context *ctx;
        assert_int_equal(cr_context_new(&ctx), CR_OK);
        assert_int_equal(cr_context_parallel(ctx, parallel, &s, 7), CR_OK);
        total_of(NULL, cases[i].m, cases[i].n, cases[i].text, one);
        total_of(ctx, cases[i].m, cases[i].n, cases[i].text, many);
        if (s.calls != 1 || s.most != 7)
            fail_msg("%s: shared out %zu times, in %zu parts", cases[i].text, s.calls, s.most);
        assert_memory_equal(one, many, sizeof one);
        cr_context_free(ctx);
    }
}

/* Layer norm and its gradients go over a row three times; of its cotangent, what needs no row's result waits for the second. */
TEST(folds_wait_for_a_pass_that_reads_their_operands) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_node x = cr_input(g, "x", CR_F32, 2, (int64_t[]){100, 300}), v[3] = {x}, d[3];
    for (int i = 1; i < 3; i++) v[i] = cr_input(g, i == 1 ? "gain" : "bias", CR_F32, 1, (int64_t[]){300});
    cr_node c = cr_input(g, "c", CR_F32, 2, (int64_t[]){100, 300});
    cr_node y = cr_layer_norm(v[0], v[1], v[2], 1e-5);
    assert_int_equal(cr_grad(d, cr_sum(cr_mul(y, c), 0, NULL, false), 3, v), CR_OK);
    cr_target_output(t, "y", y);
    for (int i = 0; i < 3; i++) cr_target_output(t, i == 0 ? "dx" : i == 1 ? "dgain" : "dbias", d[i]);
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    int loops = 0, first = 0, second = 0;
    for (size_t s = 0; s < p->plan.steps; s++) {
        const struct step *step = &p->plan.step[s];
        if (step->n < 10) continue;
        loops++;
        assert_int_equal(plan_passes(&p->plan, step), 3);
        for (uint32_t i = 0; i < step->n; i++)
            if (graph_at(p->plan.g, p->plan.node[step->first + i])->op == OP_sum) {
                first += p->plan.pass[step->first + i] == 0;
                second += p->plan.pass[step->first + i] == 1;
            }
    }
    assert_int_equal(loops, 1);
    assert_int_equal(first, 1); /* of x */
    assert_int_equal(second,
                     4); /* of the squares, of c, of c gain, and of that times what x is about its mean */
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

/* y = x (y + 1), `times` times; how many steps that is. */
static size_t chain(int times, const char *fuse, double y[100]) {
    double x[100];
    for (int i = 0; i < 100; i++) x[i] = (i - 50) / 60.;
    cr_graph *g = cr_graph_new(NULL);
    cr_node in = cr_input(g, "x", CR_F64, 1, (int64_t[]){100}), all = in;
    for (int k = 0; k < times; k++) all = cr_mul(in, cr_add(all, cr_number(g, 1)));
    cr_target *t = cr_target_new(g);
    cr_options *o = cr_options_new(NULL);
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_options_set(o, "fuse", fuse);
    cr_target_output(t, "y", all);
    assert_int_equal(cr_compile(&p, t, o), CR_OK);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F64, x, sizeof x);
    cr_bind(r, "y", CR_F64, y, sizeof x);
    assert_int_equal(cr_step(r), CR_OK);
    size_t steps = cr_program_steps(p);
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return steps;
}

TEST(some_hundred_nodes_are_one_loop) {
    (void)state;
    double y[100], alone[100];
    assert_int_equal(chain(150, "1", y), 1);
    assert_int_equal(chain(150, "0", alone), 300);
    assert_memory_equal(y, alone, sizeof y);
    assert_int_equal(chain(300, "1", y), 2); /* not any number of them */
    chain(300, "0", alone);
    assert_memory_equal(y, alone, sizeof y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(fusing_and_threads_change_no_bit),
        RUN(results_of_other_rows_are_awaited),
        RUN(pieces_are_joined_in_the_same_bits),
        RUN(the_oracle_agrees),
        RUN(a_chain_its_sum_and_its_gradient_are_one_loop),
        RUN(what_works_row_by_row_is_one_loop),
        RUN(a_column_times_a_row_joins_the_loop_around_it),
        RUN(rows_and_their_gradients_take_no_steps_of_their_own),
        RUN(reductions_to_few_numbers_are_shared_out),
        RUN(folds_wait_for_a_pass_that_reads_their_operands),
        RUN(some_hundred_nodes_are_one_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
