/* The host's own threads and its floating-point mode: runs under the thread sanitizer too, which sees these threads whole. */
#include "support/test.h"

#include <pthread.h>

#include "support/fpenv.h"

enum { workers = 3 };

/* A parallel-for as a host may have it: workers take the next i; each notes whether a body changed its floating-point mode. */
struct loop {
    void (*body)(void *arg, size_t i);
    void *arg;
    size_t count, next;
    pthread_mutex_t lock;
    int rounding;
    bool flush;
    struct host *host;
};
struct host {
    int calls, changed;
    int rounding;
    bool flush;
};

static void *work(void *arg) {
    struct loop *l = arg;
    fpenv_set(l->flush, l->rounding);
    struct fpenv before = fpenv_now();
    for (;;) {
        pthread_mutex_lock(&l->lock);
        size_t i = l->next++;
        pthread_mutex_unlock(&l->lock);
        if (i >= l->count) break;
        l->body(l->arg, i);
    }
    struct fpenv after = fpenv_now();
    pthread_mutex_lock(&l->lock);
    if (memcmp(&before, &after, sizeof before) != 0) l->host->changed++;
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void parallel(void *user, void (*body)(void *arg, size_t i), void *arg, size_t count) {
    struct host *h = user;
    struct loop l = {
        .body = body, .arg = arg, .count = count, .rounding = h->rounding, .flush = h->flush, .host = h};
    pthread_t thread[workers];
    h->calls++;
    pthread_mutex_init(&l.lock, NULL);
    for (int i = 0; i < workers; i++)
        if (pthread_create(&thread[i], NULL, work, &l)) abort();
    for (int i = 0; i < workers; i++) pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&l.lock);
}

/* mean(tanh(x @ W)^2) and its gradients, large enough that every kernel on the way is shared out. */
enum { rows = 256, inner = 300, columns = 200 };
struct result {
    float loss, dx[rows * inner], dw[inner * columns];
};

static cr_status compute(struct result *out, cr_context *ctx, const char *flush) {
    static float x[rows * inner], w[inner * columns];
    for (int i = 0; i < rows * inner; i++) x[i] = (float)sin(i * 0.7) / 8;
    for (int i = 0; i < inner * columns; i++) w[i] = (float)cos(i * 0.3) / 8;
    cr_graph *g = cr_graph_new(ctx);
    cr_node leaf[2] = {cr_input(g, "x", CR_F32, 2, (int64_t[]){rows, inner}),
                       cr_input(g, "w", CR_F32, 2, (int64_t[]){inner, columns})};
    cr_node d[2], loss = cr_mean(cr_square(cr_tanh(cr_matmul(leaf[0], leaf[1]))), 0, NULL, false);
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_grad(d, loss, 2, leaf);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", loss);
    cr_target_output(t, "dx", d[0]);
    cr_target_output(t, "dw", d[1]);
    cr_options *o = cr_options_new(NULL);
    cr_status s = cr_options_set(o, "flush_denormals", flush);
    if (!s) s = cr_compile(&p, t, o);
    cr_options_free(o);
    if (!s) s = cr_run_new(&r, p, NULL, NULL, 0);
    cr_bind(r, "x", CR_F32, x, sizeof x);
    cr_bind(r, "w", CR_F32, w, sizeof w);
    cr_bind(r, "loss", CR_F32, &out->loss, sizeof out->loss);
    cr_bind(r, "dx", CR_F32, out->dx, sizeof out->dx);
    cr_bind(r, "dw", CR_F32, out->dw, sizeof out->dw);
    if (!s) s = cr_step(r);
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return s;
}

TEST(the_hosts_threads_compute_the_bits_of_one_thread) {
    (void)state;
    static struct result one, many;
    struct host h = {.rounding = FE_TONEAREST};
    cr_context *ctx;
    assert_int_equal(compute(&one, NULL, "0"), CR_OK);
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_parallel(ctx, parallel, &h, workers), CR_OK);
    assert_int_equal(compute(&many, ctx, "0"), CR_OK);
    cr_context_free(ctx);
    assert_true(h.calls > 0);
    assert_memory_equal(&one, &many, sizeof one);
}

/* Whatever mode the host has chosen, it finds it again: on the calling thread, on its own workers, and with our pool at work. */
TEST(the_floating_point_mode_and_locale_are_left_as_they_are) {
    (void)state;
    static const int rounding[] = {FE_TONEAREST, FE_UPWARD, FE_TOWARDZERO};
    static struct result out;
    struct fpenv ours = fpenv_now();
    setlocale(LC_ALL, "C.UTF-8");
    for (size_t i = 0; i < 2 * sizeof rounding / sizeof *rounding; i++) {
        struct host h = {.rounding = rounding[i / 2], .flush = i % 2};
        if (!fpenv_set(h.flush, h.rounding)) continue;
        struct fpenv before = fpenv_now();
        for (int k = 0; k < 4; k++) {
            int threads = k % 2 * workers; /* 0: the host's own */
            cr_context *ctx;
            assert_int_equal(cr_context_new(&ctx), CR_OK);
            assert_int_equal(threads ? cr_context_threads(ctx, threads)
                                     : cr_context_parallel(ctx, parallel, &h, workers),
                             CR_OK);
            assert_int_equal(compute(&out, ctx, k / 2 ? "1" : "0"), CR_OK);
            cr_context_free(ctx);
            fpenv_assert_same(before);
        }
        assert_int_equal(h.changed, 0);
    }
    fpenv_set(false, FE_TONEAREST);
    setlocale(LC_ALL, ours.locale);
    fpenv_assert_same(ours);
}

/* 2^-1030 is denormal. Halved and doubled again it is itself, and 0 where denormals are flushed. Every thread's part. */
enum { tiny_count = 1 << 20 };
static int64_t kept(cr_context *ctx, const char *flush, const char *device, const char *compiler) {
    static double x[tiny_count], y[tiny_count];
    cr_graph *g = cr_graph_new(ctx);
    cr_node in = cr_input(g, "x", CR_F64, 1, (int64_t[]){tiny_count});
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "y", cr_mul(cr_mul(in, cr_number(g, 0.5)), cr_number(g, 2)));
    cr_options *o = cr_options_new(ctx);
    assert_int_equal(cr_options_set(o, "flush_denormals", flush), CR_OK);
    assert_int_equal(cr_options_set(o, "device", device), CR_OK);
    if (compiler) assert_int_equal(cr_options_set(o, "compile", compiler), CR_OK);
    cr_program *p;
    cr_run *r;
    int64_t count = 0;
    for (int64_t i = 0; i < tiny_count; i++) x[i] = 0x1p-1030;
    assert_int_equal(cr_compile(&p, t, o), CR_OK);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F64, x, sizeof x);
    cr_bind(r, "y", CR_F64, y, sizeof y);
    assert_int_equal(cr_step(r), CR_OK);
    for (int64_t i = 0; i < tiny_count; i++) count += y[i] == x[i];
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return count;
}

static double evaluated(const char *flush) {
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_number(g, 0x1p-1030), y = cr_mul(cr_cast(x, CR_F64), cr_number(g, 0.5));
    cr_eval *e;
    cr_eval_new(&e, g, NULL);
    assert_int_equal(cr_eval_option(e, "flush_denormals", flush), CR_OK);
    double value = cr_eval_number(e, y);
    assert_int_equal(cr_eval_option(e, "fuse", "1"), CR_EINVAL);
    assert_int_equal(cr_eval_option(e, "trap_nan", "yes"), CR_EINVAL);
    cr_eval_free(e);
    cr_graph_free(g);
    return value;
}

TEST(denormals_are_flushed_on_every_thread_when_asked_and_kept_otherwise) {
    (void)state;
    if (!fpenv_set(true, FE_TONEAREST)) skip(); /* this processor has no such mode, or we do not know it */
    fpenv_set(false, FE_TONEAREST);
    struct fpenv before = fpenv_now();
    struct host h = {.rounding = FE_TONEAREST};
    cr_context *own, *pool;
    assert_int_equal(cr_context_new(&own), CR_OK);
    assert_int_equal(cr_context_parallel(own, parallel, &h, workers), CR_OK);
    assert_int_equal(cr_context_new(&pool), CR_OK);
    assert_int_equal(cr_context_threads(pool, workers), CR_OK);
    cr_context *const contexts[] = {NULL, own, pool};
    for (int i = 0; i < 3; i++) {
        for (int compiled = 0; compiled < 2; compiled++) {
            const char *compiler = compiled ? "cc" : NULL;
            assert_int_equal(kept(contexts[i], "1", "cpu", compiler), 0);
            fpenv_assert_same(before);
            assert_int_equal(kept(contexts[i], "0", "cpu", compiler), tiny_count);
        }
    }
    assert_int_equal(kept(NULL, "1", "reference", NULL), 0);
    assert_int_equal(kept(NULL, "0", "reference", NULL), tiny_count);
    assert_true(evaluated("1") == 0);
    assert_true(evaluated("0") == 0x1p-1031);
    assert_true(h.calls > 0);
    assert_int_equal(h.changed, 0);
    cr_context_free(own);
    cr_context_free(pool);
    fpenv_assert_same(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_hosts_threads_compute_the_bits_of_one_thread),
        RUN(the_floating_point_mode_and_locale_are_left_as_they_are),
        RUN(denormals_are_flushed_on_every_thread_when_asked_and_kept_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
