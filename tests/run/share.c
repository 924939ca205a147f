/* Kernels that move, scan and draw numbers are shared out among threads, and give the bits of one. */
#include "support/test.h"

struct host {
    size_t calls, most;
};

static void parallel(void *user, void (*body)(void *arg, size_t i), void *arg, size_t count) {
    struct host *h = user;
    h->calls++;
    if (count > h->most) h->most = count;
    for (size_t i = count; i-- > 0;) body(arg, i); /* any order must do */
}

enum { n = 1 << 18, most = 1 << 20 };

/* Of x[n], a[512, 512] and the indices i[n] below 1000. */
static const char *const cases[] = {
    "x[i]",
    "a[i[:300] // 2, :]",
    "scatter_add(x, i, 1000)",
    "scatter_add(a, i[:512] // 25, 40)",
    "scatter_add(a, reshape(i, [512, 512]) % 7, 7, batch=1)",
    "cumsum(a)",
    "cumsum(a, axis=0, reverse=true)",
    "recur(a/4, a)",
    "argmax(t(a))",
    "sort(a)",
    "argsort(a, axis=0)",
    "uniform(7, [100000])",
    "reshape(t(a), [262144])",
    "reshape(window(reshape(x[:65536], [16, 64, 64]), [3, 3]), [553536])",
    "window_add(window(reshape(x[:65536], [16, 64, 64]), [3, 5], stride=[2, 1]), [64, 64], stride=[2, 1])",
    "x[:512] @ a",
    "a @ x[:512]",
};

static cr_node built(cr_graph *g, const char *expression) {
    char text[512];
    cr_text *why = NULL;
    cr_model *m = NULL;
    cr_node y = {0};
    snprintf(text, sizeof text, "input x: f64[%d]\ninput a: f64[512, 512]\ninput i: i64[%d]\n%s", n, n,
             expression);
    cr_text_new(&why, NULL);
    if (cr_model_new(&m, text, strlen(text), NULL, NULL, why) || cr_model_build(&y, m, g, why))
        fail_msg("%s: %s", expression, cr_text_str(why));
    cr_model_free(m);
    cr_text_free(why);
    return y;
}

static double x[n];
static int64_t is[n];

static void fill(void) {
    for (int k = 0; k < n; k++) {
        x[k] = sin(k * 0.7) * (k % 5 ? 1 : 1e9); /* sums of these depend on their order */
        is[k] = (k * 7919LL + k / 3) % 1000;
    }
}

static cr_status step(cr_context *ctx, const char *expression, double out[most], size_t *bytes,
                      char said[256]) {
    cr_graph *g = cr_graph_new(ctx);
    cr_node y = built(g, expression);
    cr_target *t = cr_target_new(g);
    cr_program *p;
    cr_run *r;
    cr_target_output(t, "y", y);
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(g));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F64, x, sizeof x);
    cr_bind(r, "a", CR_F64, x, sizeof x);
    cr_bind(r, "i", CR_I64, is, sizeof is);
    *bytes = (size_t)cr_count(y) * cr_dtype_size(cr_dtype_of(y));
    assert_true(*bytes <= most * sizeof *out);
    assert_int_equal(cr_bind(r, "y", cr_dtype_of(y), out, *bytes), CR_OK);
    cr_status s = cr_step(r);
    snprintf(said, 256, "%s", cr_run_error(r) ? cr_run_error(r) : "");
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return s;
}

static double one[most], many[most];

TEST(any_number_of_tasks_gives_the_same_bits) {
    (void)state;
    fill();
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int tasks = 2; tasks <= 7; tasks += 5) {
            struct host h = {0, 0};
            cr_context *ctx;
            size_t bytes, same;
            char said[256];
            assert_int_equal(cr_context_new(&ctx), CR_OK);
            assert_int_equal(cr_context_parallel(ctx, parallel, &h, tasks), CR_OK);
            memset(many, 0x55, sizeof many);
            if (step(NULL, cases[k], one, &bytes, said) || step(ctx, cases[k], many, &same, said))
                fail_msg("%s: %s", cases[k], said);
            if (memcmp(one, many, bytes) != 0) fail_msg("%s: %d tasks give other bits", cases[k], tasks);
            if (h.most < 2) fail_msg("%s: is not shared out", cases[k]);
            cr_context_free(ctx);
        }
}

/* One after the other, in index order. */
TEST(colliding_sums_are_made_in_index_order) {
    (void)state;
    static double expected[1000];
    size_t bytes;
    char said[256];
    fill();
    for (int k = 0; k < n; k++) expected[is[k]] += x[k];
    assert_int_equal(step(NULL, "scatter_add(x, i, 1000)", one, &bytes, said), CR_OK);
    assert_memory_equal(one, expected, sizeof expected);
}

TEST(the_first_index_out_of_range_is_told_by_any_number_of_tasks) {
    (void)state;
    static const char *const texts[] = {"x[:1000][i]", "scatter_add(x, i, 1000)"};
    for (int k = 0; k < 2; k++)
        for (int tasks = 1; tasks <= 7; tasks += 3) {
            struct host h = {0, 0};
            cr_context *ctx;
            size_t bytes;
            char said[256];
            fill();
            is[200000] = 1234, is[100001] = -1001, is[250000] = 5678;
            assert_int_equal(cr_context_new(&ctx), CR_OK);
            assert_int_equal(cr_context_parallel(ctx, parallel, &h, tasks), CR_OK);
            assert_int_equal(step(ctx, texts[k], one, &bytes, said), CR_EINDEX);
            assert_true(tasks == 1 || h.most > 1);
            if (!strstr(said, "index -1001 is out of range for a size of 1000"))
                fail_msg("%s: %s", texts[k], said);
            cr_context_free(ctx);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(any_number_of_tasks_gives_the_same_bits),
        RUN(colliding_sums_are_made_in_index_order),
        RUN(the_first_index_out_of_range_is_told_by_any_number_of_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
