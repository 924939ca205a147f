/* cr_run_ready walks through small programs; what is bound, what is counted and the host's modes are as they were. */
#define _GNU_SOURCE /* feenableexcept, MAP_ANONYMOUS */
#include "support/test.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run/program.h"
#include "support/compiled.h"
#include "support/files.h"

enum { ways = 2, n = 6 };

/* f64 inputs x, y [n], index i64 [n], parameter w [n]; output `out`, and an update of w, if any. */
struct bound {
    cr_store *store;
    cr_program *p;
    cr_run *r;
    double x[n], y[n], out[n];
    int64_t index[n];
};

/* What the program does not need is no name of it. */
static void bind(struct bound *b, const char *name, cr_dtype dtype, void *data) {
    for (int i = 0; cr_program_input(b->p, i); i++)
        if (strcmp(cr_program_input(b->p, i), name) == 0)
            assert_int_equal(cr_bind(b->r, name, dtype, data, n * cr_dtype_size(dtype)), CR_OK);
}

static void start(struct bound *b, cr_context *ctx, const char *out, const char *update, int way) {
    const double w[n] = {1, 2, 3, 4, 5, 6};
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = cr_target_new(g);
    cr_input(g, "x", CR_F64, 1, (int64_t[]){n}), cr_input(g, "y", CR_F64, 1, (int64_t[]){n});
    cr_input(g, "index", CR_I64, 1, (int64_t[]){n});
    cr_named(cr_cast(cr_step_number(g), CR_F64), "count");
    cr_node param = cr_param(g, "w", CR_F64, 1, (int64_t[]){n});
    if (cr_target_output(t, "out", cr_formula(g, out))) fail_msg("%s", cr_graph_error(g));
    if (update && cr_target_update(t, param, cr_formula(g, update))) fail_msg("%s", cr_graph_error(g));
    *b = (struct bound){.p = compiled_with(ctx, g, t, way ? "compile" : NULL, "cc")};
    cr_store_new(&b->store, ctx);
    cr_store_set(b->store, "w", CR_F64, w, sizeof w);
    assert_int_equal(cr_run_new(&b->r, b->p, b->store, NULL, 0), CR_OK);
    for (int i = 0; i < n; i++) b->x[i] = i + 1, b->y[i] = 7 - i, b->index[i] = n - 1 - i, b->out[i] = -1;
    bind(b, "x", CR_F64, b->x), bind(b, "y", CR_F64, b->y), bind(b, "index", CR_I64, b->index);
    assert_int_equal(cr_bind(b->r, "out", CR_F64, b->out, sizeof b->out), CR_OK);
}

static void end(struct bound *b) {
    cr_run_free(b->r);
    cr_program_free(b->p);
    cr_store_free(b->store);
}

static void ready(cr_run *r) {
    if (cr_run_ready(r)) fail_msg("%s", cr_run_error(r));
    assert_null(cr_run_error(r));
}

/* Each with an update of w, or none; the first few compiled too. */
static const char *const programs[][2] = {
    {"x*y + w", NULL},
    {"exp(x) + log(y) + 1/w", "w + exp(-y)*sum(w)"},
    {"normal(3, shape=[6]) + uniform(4, shape=[6])*w + count", "normal(5, shape=[6]) + count"},
    {"x/y", "w - 0.5*x"},
    {"outer(x, y) @ w", "w - outer(y, x) @ w"},
    {"x[index]", "w[index]"},
    {"cumsum(sort(x)) + cast(argmax(y), f64)", NULL},
};
enum { compiled = 3 };

TEST(a_run_got_ready_between_steps_takes_the_steps_of_one_that_was_not) {
    (void)state;
    for (size_t k = 0; k < sizeof programs / sizeof *programs; k++)
        for (int way = 0; way < (k < compiled ? ways : 1); way++) {
            struct bound a, b;
            double w[2][n], old[n];
            start(&a, NULL, programs[k][0], programs[k][1], way);
            start(&b, NULL, programs[k][0], programs[k][1], way);
            for (int i = 0; i < 4; i++) {
                double out[n], x[n], y[n];
                memcpy(out, b.out, sizeof out), memcpy(x, b.x, sizeof x), memcpy(y, b.y, sizeof y);
                cr_store_get(b.store, "w", CR_F64, old, sizeof old);
                ready(b.r);
                cr_store_get(b.store, "w", CR_F64, w[1], sizeof w[1]);
                assert_memory_equal(out, b.out, sizeof out), assert_memory_equal(x, b.x, sizeof x);
                assert_memory_equal(y, b.y, sizeof y), assert_memory_equal(old, w[1], sizeof old);
                assert_int_equal(cr_step(a.r), CR_OK);
                assert_int_equal(cr_step(b.r), CR_OK);
                cr_store_get(a.store, "w", CR_F64, w[0], sizeof w[0]);
                cr_store_get(b.store, "w", CR_F64, w[1], sizeof w[1]);
                assert_memory_equal(a.out, b.out, sizeof a.out);
                assert_memory_equal(w[0], w[1], sizeof w[0]);
                if (i == 1) bind(&a, "x", CR_F64, a.y), bind(&b, "x", CR_F64, b.y);
                if (i == 2) cr_bind(a.r, "out", CR_F64, a.x, sizeof a.x);
                if (i == 2) cr_bind(b.r, "out", CR_F64, b.x, sizeof b.x);
            }
            end(&a), end(&b);
        }
}

/* Memory that nobody may touch yet. */
TEST(what_is_bound_is_neither_read_nor_written) {
    (void)state;
    for (int way = 0; way < ways; way++) {
        struct bound b;
        start(&b, NULL, programs[0][0], programs[0][1], way);
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        double *x = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(x != MAP_FAILED);
        double *out = x + page / sizeof *x;
        bind(&b, "x", CR_F64, x);
        assert_int_equal(cr_bind(b.r, "out", CR_F64, out, sizeof b.out), CR_OK);
        ready(b.r);
        assert_int_equal(mprotect(x, 2 * page, PROT_READ | PROT_WRITE), 0);
        memcpy(x, b.x, sizeof b.x);
        assert_int_equal(cr_step(b.r), CR_OK);
        for (int i = 0; i < n; i++) assert_true(out[i] == b.x[i] * b.y[i] + i + 1);
        end(&b);
        munmap(x, 2 * page);
    }
}

/* 1/x and log(x) are made of the 0 that stands for x. */
TEST(what_stands_for_inputs_raises_nothing) {
    (void)state;
    for (int way = 0; way < ways; way++) {
        struct bound b;
        start(&b, NULL, "1/x + log(y) + sqrt(x - 1) + lgamma(x)", NULL, way);
        feclearexcept(FE_ALL_EXCEPT);
        errno = 42;
        ready(b.r);
        assert_int_equal(errno, 42);
        assert_int_equal(fetestexcept(FE_ALL_EXCEPT), 0);
#if defined(__GLIBC__) && defined(__x86_64__)
        assert_int_equal(feenableexcept(FE_DIVBYZERO | FE_INVALID), 0);
        ready(b.r);
        assert_int_equal(fedisableexcept(FE_DIVBYZERO | FE_INVALID), FE_DIVBYZERO | FE_INVALID);
#endif
        end(&b);
    }
}

TEST(an_index_that_0_makes_wrong_fails_nothing) {
    (void)state;
    for (int way = 0; way < ways; way++) {
        struct bound b;
        start(&b, NULL, "x[6 - index]", "w + x[6 - index]", way);
        for (int i = 0; i < n; i++) b.index[i] = 1;
        ready(b.r);
        assert_int_equal(cr_step(b.r), CR_OK);
        b.index[0] = 0; /* and what fails does so as ever */
        ready(b.r);
        assert_int_equal(cr_step(b.r), CR_EINDEX);
        char told[512];
        snprintf(told, sizeof told, "%s", cr_run_error(b.r));
        assert_non_null(strstr(told, "6"));
        ready(b.r);
        assert_int_equal(cr_step(b.r), CR_EINDEX);
        assert_string_equal(cr_run_error(b.r), told);
        b.index[0] = 1;
        assert_int_equal(cr_step(b.r), CR_OK);
        assert_null(cr_run_error(b.r));
        end(&b);
    }
}

/* ---- What is not walked through ---- */

static cr_status count_calls(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    (void)n_in, (void)n_out;
    ++*(int *)user;
    *(double *)out[0].data = 2 * *(const double *)in[0].data;
    return CR_OK;
}

static cr_run *run_of(cr_program **p, cr_graph *g, cr_node y, double *x, double *out) {
    cr_run *r = NULL;
    cr_target *t = cr_target_new(g);
    if (cr_target_output(t, "out", y)) fail_msg("%s", cr_graph_error(g));
    *p = compiled_with(NULL, g, t, NULL, NULL);
    assert_int_equal(cr_run_new(&r, *p, NULL, NULL, 0), CR_OK);
    assert_int_equal(cr_bind(r, "x", CR_F64, x, sizeof *x), CR_OK);
    assert_int_equal(cr_bind(r, "out", CR_F64, out, sizeof *out), CR_OK);
    return r;
}

TEST(no_callback_is_called_even_within_a_function) {
    (void)state;
    int calls = 0;
    double x = 3, out = 0;
    cr_graph *h = cr_graph_new(NULL), *g = cr_graph_new(NULL);
    cr_function *f, *around;
    cr_program *p;
    cr_node a = cr_input(h, "a", CR_F64, 0, NULL), y;
    assert_int_equal(cr_function_callback(&f, "twice", 1, &a, 1, &a, count_calls, NULL, NULL, &calls), CR_OK);
    assert_int_equal(cr_call(&y, f, 1, &a), CR_OK);
    assert_int_equal(cr_function_new(&around, 1, &a, 1, &y), CR_OK);
    y = cr_input(g, "x", CR_F64, 0, NULL);
    assert_int_equal(cr_scan(&y, around, 3, false, 1, &y, 0, NULL, 0, NULL), CR_OK);
    cr_run *r = run_of(&p, g, y, &x, &out);
    ready(r);
    assert_int_equal(calls, 0);
    assert_int_equal(cr_step(r), CR_OK);
    assert_true(calls == 3 && out == 24);
    cr_run_free(r), cr_program_free(p);
    cr_function_free(f), cr_function_free(around), cr_graph_free(h);
}

/* while x < 1: x = 2 x */
TEST(a_while_that_0_would_never_end_is_left_alone) {
    (void)state;
    double x = 0.125, out = 0;
    cr_graph *h = cr_graph_new(NULL), *g = cr_graph_new(NULL);
    cr_function *more, *twice;
    cr_program *p;
    cr_node a = cr_input(h, "a", CR_F64, 0, NULL), less = cr_lt(a, cr_number(h, 1)), two = cr_add(a, a), y;
    assert_int_equal(cr_function_new(&more, 1, &a, 1, &less), CR_OK);
    assert_int_equal(cr_function_new(&twice, 1, &a, 1, &two), CR_OK);
    y = cr_input(g, "x", CR_F64, 0, NULL);
    assert_int_equal(cr_while(&y, more, twice, -1, 1, &y, 0, NULL), CR_OK);
    cr_run *r = run_of(&p, g, y, &x, &out);
    ready(r);
    assert_true(out == 0);
    assert_int_equal(cr_step(r), CR_OK);
    assert_true(out == 1);
    cr_run_free(r), cr_program_free(p);
    cr_function_free(more), cr_function_free(twice), cr_graph_free(h);
}

/* Where it walks through a program it asks for memory; where there is none, it does not. */
static long asked_for(int64_t size, long fail_at) {
    struct failing f = {0};
    cr_context *ctx = NULL;
    cr_run *r = NULL;
    double *x = calloc((size_t)size, sizeof *x), sum = -1;
    cr_context_new_with(&ctx, failing_realloc, &f);
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = cr_target_new(g);
    cr_node y = cr_input(g, "x", CR_F64, 1, &size);
    cr_target_output(t, "sum", cr_sum(cr_mul(y, y), 0, NULL, false));
    cr_program *p = compiled_with(ctx, g, t, NULL, NULL);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F64, x, (size_t)size * sizeof *x), cr_bind(r, "sum", CR_F64, &sum, sizeof sum);
    long before = f.count;
    if (fail_at) f.fail_at = f.count + fail_at;
    ready(r);
    assert_true(sum == -1);
    long asked = f.count - before;
    assert_int_equal(cr_step(r), CR_OK);
    assert_true(sum == 0);
    cr_run_free(r), cr_program_free(p), cr_context_free(ctx);
    assert_int_equal(f.live, 0);
    free(x);
    return asked;
}

TEST(large_programs_are_not_walked_through_nor_those_for_which_there_is_no_memory) {
    (void)state;
    assert_int_equal(asked_for(100, 0), 1);
    assert_int_equal(asked_for(100, 1), 1);
    assert_int_equal(asked_for(100000, 0), 0);
}

/* ---- Straight steps ---- */

/* The least normal number, halved: 0 where denormals are flushed. */
TEST(a_run_that_went_straight_sees_that_denormals_are_flushed_from_now_on) {
    (void)state;
    for (int way = 0; way < ways; way++) {
        struct bound b;
        start(&b, NULL, "x*0.5", NULL, way);
        b.x[0] = 0x1p-1022;
        ready(b.r);
        assert_int_equal(cr_step(b.r), CR_OK);
        assert_true(b.out[0] == 0x1p-1023);
        b.p->flush = true;
        run_look_again(b.r);
        assert_int_equal(cr_step(b.r), CR_OK);
#if defined(__SSE2__) || defined(__aarch64__)
        assert_true(b.out[0] == 0);
#endif
        end(&b);
    }
}

/* 40 calls are more than a list of them has room for; an output that nobody wants takes its own along. */
TEST(steps_of_many_calls_and_of_few_give_the_same) {
    (void)state;
    for (int some = 0; some < 2; some++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_target *t = cr_target_new(g);
        cr_run *r = NULL;
        double x = 1, out[40] = {0};
        char name[8];
        cr_node y = cr_input(g, "x", CR_F64, 0, NULL);
        for (int i = 0; i < 40; i++) {
            snprintf(name, sizeof name, "y%d", i);
            y = cr_add(y, cr_number(g, 1));
            cr_target_output(t, name, y);
        }
        cr_program *p = compiled_with(NULL, g, t, "fuse", "0");
        assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
        cr_bind(r, "x", CR_F64, &x, sizeof x);
        for (int i = 0; i < (some ? 20 : 40); i++) {
            snprintf(name, sizeof name, "y%d", i);
            cr_bind(r, name, CR_F64, &out[i], sizeof out[i]);
        }
        ready(r);
        assert_int_equal(cr_step(r), CR_OK);
        for (int i = 0; i < 40; i++) assert_true(out[i] == (some && i >= 20 ? 0 : i + 2));
        cr_run_free(r), cr_program_free(p);
    }
}

/* ---- Beside another thread ---- */

static void *write_numbers(void *arg) {
    struct bound *b = arg;
    for (int k = 0; k < 1000; k++)
        for (int i = 0; i < n; i++) b->x[i] = k, b->out[i] = k;
    return NULL;
}

/* For the thread sanitizer. */
TEST(what_is_bound_may_change_while_a_run_gets_ready) {
    (void)state;
    for (int way = 0; way < ways; way++) {
        struct bound b;
        pthread_t writer;
        start(&b, NULL, "x*y + w", NULL, way);
        assert_int_equal(pthread_create(&writer, NULL, write_numbers, &b), 0);
        for (int i = 0; i < 20; i++) ready(b.r);
        pthread_join(writer, NULL);
        assert_true(b.out[n - 1] == 999);
        end(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_run_got_ready_between_steps_takes_the_steps_of_one_that_was_not),
        RUN(what_is_bound_is_neither_read_nor_written),
        RUN(what_stands_for_inputs_raises_nothing),
        RUN(an_index_that_0_makes_wrong_fails_nothing),
        RUN(no_callback_is_called_even_within_a_function),
        RUN(a_while_that_0_would_never_end_is_left_alone),
        RUN(large_programs_are_not_walked_through_nor_those_for_which_there_is_no_memory),
        RUN(a_run_that_went_straight_sees_that_denormals_are_flushed_from_now_on),
        RUN(steps_of_many_calls_and_of_few_give_the_same),
        RUN(what_is_bound_may_change_while_a_run_gets_ready),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
