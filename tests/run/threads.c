/* Threads: equal bits for any number of them; one program in many threads; the host's floating-point state.
 */
#ifdef __linux__
#define _GNU_SOURCE /* which processors a thread may use */
#endif
#include "support/test.h"

#include <dirent.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>

/* relu(x @ W) @ V and its gradients: products of the shapes given, reductions, loops. */
static cr_program *program_on(cr_context *ctx, int64_t m, int64_t k, int64_t n, cr_dtype dtype,
                              const char *device) {
    cr_graph *g = cr_graph_new(ctx);
    cr_node x = cr_input(g, "x", dtype, 2, (int64_t[]){m, k}),
            w = cr_input(g, "w", dtype, 2, (int64_t[]){k, n}), d[2];
    cr_node loss = cr_mean(cr_square(cr_tanh(cr_matmul(x, w))), 0, NULL, false);
    cr_grad(d, loss, 2, (cr_node[]){x, w});
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", loss);
    cr_target_output(t, "dx", d[0]);
    cr_target_output(t, "dw", d[1]);
    cr_program *p = NULL;
    cr_options *o = cr_options_new(ctx);
    cr_options_set(o, "device", device);
    if (cr_compile(&p, t, o)) fail_msg("%s", cr_graph_error(g));
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return p;
}

static cr_program *program(cr_context *ctx, int64_t m, int64_t k, int64_t n, cr_dtype dtype) {
    return program_on(ctx, m, k, n, dtype, "cpu");
}

static void fill(void *data, cr_dtype dtype, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double v = sin((double)i * 0.7) / 8;
        if (dtype == CR_F32) ((float *)data)[i] = (float)v;
        else ((double *)data)[i] = v;
    }
}

struct values {
    char *x, *w, *loss, *dx, *dw;
    size_t a, b, one;
};

static struct values values_of(int64_t m, int64_t k, int64_t n, cr_dtype dtype) {
    size_t one = cr_dtype_size(dtype), a = (size_t)(m * k) * one, b = (size_t)(k * n) * one;
    struct values v = {
        malloc(a + 1), malloc(b + 1), malloc(one), calloc(1, a + 1), calloc(1, b + 1), a, b, one};
    fill(v.x, dtype, m * k);
    fill(v.w, dtype, k * n);
    return v;
}

static void values_free(struct values *v) { free(v->x), free(v->w), free(v->loss), free(v->dx), free(v->dw); }

static cr_status run(const cr_program *p, struct values *v, cr_dtype dtype) {
    cr_run *r = NULL;
    cr_status s = cr_run_new(&r, p, NULL, NULL, 0);
    cr_bind(r, "x", dtype, v->x, v->a);
    cr_bind(r, "w", dtype, v->w, v->b);
    cr_bind(r, "loss", dtype, v->loss, v->one);
    cr_bind(r, "dx", dtype, v->dx, v->a);
    cr_bind(r, "dw", dtype, v->dw, v->b);
    if (!s) s = cr_step(r);
    cr_run_free(r);
    return s;
}

static const int64_t shapes[][3] = {{128, 784, 512}, {1, 784, 512},  {784, 1, 512},   {128, 512, 10},
                                    {64, 64, 64},    {37, 301, 113}, {300, 257, 129}, {5, 3, 2},
                                    {0, 4, 3},       {3, 0, 4}};

TEST(bits_are_equal_for_one_two_and_three_threads) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (cr_dtype dtype = CR_F32; dtype <= CR_F64; dtype++) {
            const int64_t *s = shapes[i];
            struct values v[3];
            for (int threads = 1; threads <= 3; threads++) {
                cr_context *ctx;
                assert_int_equal(cr_context_new(&ctx), CR_OK);
                assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
                v[threads - 1] = values_of(s[0], s[1], s[2], dtype);
                cr_program *p = program(ctx, s[0], s[1], s[2], dtype);
                assert_int_equal(run(p, &v[threads - 1], dtype), CR_OK);
                cr_program_free(p);
                cr_context_free(ctx);
            }
            for (int k = 1; k < 3; k++) {
                assert_memory_equal(v[0].loss, v[k].loss, v[0].one);
                assert_memory_equal(v[0].dx, v[k].dx, v[0].a);
                assert_memory_equal(v[0].dw, v[k].dw, v[0].b);
            }
            for (int k = 0; k < 3; k++) values_free(&v[k]);
        }
}

static double at(const char *data, cr_dtype dtype, int64_t i) {
    return dtype == CR_F32 ? (double)((const float *)(const void *)data)[i]
                           : ((const double *)(const void *)data)[i];
}

/* The largest difference over the largest value: sums of k products of random sign err by some sqrt(k) u of their size. */
static double error_of(const char *found, const char *expected, cr_dtype dtype, int64_t n) {
    double error = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        error = fmax(error, fabs(at(found, dtype, i) - at(expected, dtype, i)));
        size = fmax(size, fabs(at(expected, dtype, i)));
    }
    return size > 0 ? error / size : error;
}

TEST(products_and_their_gradients_agree_with_the_oracle) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (cr_dtype dtype = CR_F32; dtype <= CR_F64; dtype++) {
            const int64_t *s = shapes[i];
            struct values a = values_of(s[0], s[1], s[2], dtype), b = values_of(s[0], s[1], s[2], dtype);
            cr_program *p = program(NULL, s[0], s[1], s[2], dtype),
                       *q = program_on(NULL, s[0], s[1], s[2], dtype, "reference");
            assert_int_equal(run(p, &a, dtype), CR_OK);
            assert_int_equal(run(q, &b, dtype), CR_OK);
            double bound = dtype == CR_F32 ? 4e-6 : 1e-13; /* the oracle adds one after the other */
            double errors[3] = {s[0] && s[1] && s[2] ? error_of(a.loss, b.loss, dtype, 1) : 0,
                                error_of(a.dx, b.dx, dtype, s[0] * s[1]),
                                error_of(a.dw, b.dw, dtype, s[1] * s[2])};
            for (int k = 0; k < 3; k++)
                if (!(errors[k] <= bound))
                    fail_msg("%d x %d x %d, %s: error %g in result %d", (int)s[0], (int)s[1], (int)s[2],
                             cr_dtype_name(dtype), errors[k], k);
            values_free(&a), values_free(&b);
            cr_program_free(p), cr_program_free(q);
        }
}

struct job {
    const cr_program *p;
    struct values v;
    cr_status status;
};

static void *job(void *arg) {
    struct job *j = arg;
    for (int i = 0; i < 20 && !j->status; i++) j->status = run(j->p, &j->v, CR_F32);
    return NULL;
}

TEST(one_program_runs_in_many_threads) {
    (void)state;
    enum { threads = 6 };
    cr_context *ctx;
    struct job jobs[threads];
    pthread_t thread[threads];
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, 2), CR_OK);
    cr_program *p = program(ctx, 64, 100, 80, CR_F32);
    for (int i = 0; i < threads; i++) {
        jobs[i] = (struct job){p, values_of(64, 100, 80, CR_F32), CR_OK};
        assert_int_equal(pthread_create(&thread[i], NULL, job, &jobs[i]), 0);
    }
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < threads; i++) {
        assert_int_equal(jobs[i].status, CR_OK);
        assert_memory_equal(jobs[i].v.dw, jobs[0].v.dw, jobs[0].v.b);
    }
    for (int i = 0; i < threads; i++) values_free(&jobs[i].v);
    cr_program_free(p);
    cr_context_free(ctx);
}

/* Of this process, where the system shows them as files; else 0. */
static int threads_now(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

/* A thread sanitizer starts a thread of its own beside the first that it sees: another context's is there before we count. */
TEST(threads_start_with_the_first_work_for_them) {
    (void)state;
    cr_context *ctx[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cr_context_new(&ctx[i]), CR_OK);
        assert_int_equal(cr_context_threads(ctx[i], 3), CR_OK);
    }
    if (!threads_now() || cr_context_thread_count(ctx[1]) == 1) skip(); /* or built without threads */
    assert_int_equal(cr_context_thread_count(ctx[1]), 3);
    struct values v = values_of(4, 4, 4, CR_F32), large = values_of(128, 784, 512, CR_F32);
    cr_program *first = program(ctx[0], 128, 784, 512, CR_F32);
    cr_program *p = program(ctx[1], 4, 4, 4, CR_F32), *q = program(ctx[1], 128, 784, 512, CR_F32);
    assert_int_equal(run(first, &large, CR_F32), CR_OK);
    int before = threads_now();
    assert_int_equal(run(p, &v, CR_F32), CR_OK);
    assert_int_equal(threads_now(), before);
    assert_int_equal(run(q, &large, CR_F32), CR_OK);
    assert_int_equal(threads_now(), before + 2); /* the caller is the third */
    values_free(&v), values_free(&large);
    cr_program_free(first), cr_program_free(p), cr_program_free(q);
    cr_context_free(ctx[0]), cr_context_free(ctx[1]);
}

/* More threads than that would spin on time that others need. */
TEST(one_thread_per_processor_that_we_may_use) {
    (void)state;
#ifdef CPU_COUNT
    cpu_set_t before, one;
    cr_context *ctx;
    if (sched_getaffinity(0, sizeof before, &before)) skip();
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, 0), CR_OK);
    assert_int_equal(cr_context_thread_count(ctx), 1);
    sched_setaffinity(0, sizeof before, &before);
    assert_int_equal(cr_context_threads(ctx, 0), CR_OK);
    assert_in_range(cr_context_thread_count(ctx), 1, CPU_COUNT(&before));
    cr_context_free(ctx);
#else
    skip();
#endif
}

static void host_parallel(void *user, void (*body)(void *arg, size_t i), void *arg, size_t count) {
    ++*(int *)user;
    for (size_t i = count; i-- > 0;) body(arg, i); /* any order must do */
}

TEST(the_hosts_own_parallel_for_gives_the_same_bits) {
    (void)state;
    cr_context *ctx;
    int calls = 0;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_parallel(ctx, host_parallel, &calls, 5), CR_OK);
    struct values a = values_of(128, 784, 512, CR_F32), b = values_of(128, 784, 512, CR_F32);
    cr_program *p = program(ctx, 128, 784, 512, CR_F32), *q = program(NULL, 128, 784, 512, CR_F32);
    assert_int_equal(run(p, &a, CR_F32), CR_OK);
    assert_int_equal(run(q, &b, CR_F32), CR_OK);
    assert_true(calls > 0);
    assert_memory_equal(a.dw, b.dw, a.b);
    assert_memory_equal(a.dx, b.dx, a.a);
    values_free(&a), values_free(&b);
    cr_program_free(p), cr_program_free(q);
    cr_context_free(ctx);
}

/* One row forward and back: its two products, each of 401,408 numbers read, which are shared before a product of as many terms would be
 * whose numbers are read again and again; and the gradient of w. Of a row of 256 nothing is. */
TEST(what_is_shared_is_decided_by_counts_of_work) {
    (void)state;
    static const struct {
        int64_t k, n;
        int calls;
    } cases[] = {{784, 512, 3}, {256, 10, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_context *ctx;
        int calls = 0;
        assert_int_equal(cr_context_new(&ctx), CR_OK);
        assert_int_equal(cr_context_parallel(ctx, host_parallel, &calls, 2), CR_OK);
        struct values v = values_of(1, cases[i].k, cases[i].n, CR_F32);
        cr_program *p = program(ctx, 1, cases[i].k, cases[i].n, CR_F32);
        assert_int_equal(run(p, &v, CR_F32), CR_OK);
        assert_int_equal(calls, cases[i].calls);
        values_free(&v);
        cr_program_free(p);
        cr_context_free(ctx);
    }
}

TEST(the_hosts_rounding_and_locale_stay) {
    (void)state;
    char locale[64];
    snprintf(locale, sizeof locale, "%s", setlocale(LC_ALL, NULL));
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    int rounding = fegetround();
    struct values v = values_of(64, 64, 64, CR_F32);
    cr_program *p = program(NULL, 64, 64, 64, CR_F32);
    assert_int_equal(run(p, &v, CR_F32), CR_OK);
    assert_int_equal(fegetround(), rounding);
    volatile double tiny = 0x1p-1074; /* denormals are not flushed behind the host's back */
    assert_true(tiny * 1 > 0);
    assert_string_equal(setlocale(LC_ALL, NULL), locale);
    values_free(&v);
    cr_program_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(threads_start_with_the_first_work_for_them), /* first: there are no other threads yet */
        RUN(one_thread_per_processor_that_we_may_use),
        RUN(bits_are_equal_for_one_two_and_three_threads),
        RUN(products_and_their_gradients_agree_with_the_oracle),
        RUN(one_program_runs_in_many_threads),
        RUN(the_hosts_own_parallel_for_gives_the_same_bits),
        RUN(what_is_shared_is_decided_by_counts_of_work),
        RUN(the_hosts_rounding_and_locale_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
