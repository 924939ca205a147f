/* The pool: each task runs once, whoever takes it, with threads that spin, that sleep, and that come late. */
#define _POSIX_C_SOURCE 200809L
#include "base/pool.h"

#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN
#endif
#endif

enum { most = 1000 };

struct round {
    atomic_int ran[most];
    int64_t sum; /* of task 0, the caller's */
    pthread_t caller;
};

static void count_up(void *arg, size_t i) {
    struct round *r = arg;
    atomic_fetch_add_explicit(&r->ran[i], 1, memory_order_relaxed);
    if (i == 0) r->sum += pthread_equal(r->caller, pthread_self()) != 0;
}

static void rest(long us) { nanosleep(&(struct timespec){0, us * 1000}, NULL); }

static bool run_round(struct pool *p, size_t count) {
    static _Thread_local struct round r;
    memset(&r, 0, sizeof r);
    r.caller = pthread_self();
    pool_run(p, count_up, &r, count);
    bool right = r.sum == (count > 0);
    for (size_t i = 0; i < most; i++) right = right && r.ran[i] == (i < count);
    return right;
}

static const size_t counts[] = {0, 1, 2, 3, 4, 17, most};
enum { kinds = sizeof counts / sizeof *counts };
static const struct mem plain = {0};

TEST(every_task_runs_once_and_the_first_on_the_callers_thread) {
    (void)state;
    for (int threads = 2; threads <= 5; threads++) {
        struct pool *p = pool_new(&plain, threads);
        assert_non_null(p);
        for (size_t k = 0; k < 70; k++) assert_true(run_round(p, counts[k % kinds]));
        pool_free(p);
    }
}

/* Around the time for which threads spin, and well beyond it. */
TEST(threads_that_sleep_are_woken) {
    (void)state;
    struct pool *p = pool_new(&plain, 3);
    for (size_t k = 0; k < 200; k++) {
        rest((long)(k % 5) * 40);
        assert_true(run_round(p, counts[k % kinds]));
    }
    pool_free(p);
}

/* Both get there only if two threads are at it; who waits gives up after a second. */
struct meeting {
    atomic_int here;
    bool met;
};
static void meet(void *arg, size_t i) {
    struct meeting *m = arg;
    atomic_fetch_add(&m->here, 1);
    for (int k = 0; i == 0 && k < 10000 && !m->met; k++) {
        m->met = atomic_load(&m->here) == 2;
        rest(100);
    }
}

TEST(another_thread_takes_part_awake_or_asleep) {
    (void)state;
    struct pool *p = pool_new(&plain, 2);
    for (int k = 0; k < 6; k++) {
        struct meeting m = {0};
        pool_run(p, meet, &m, 2);
        assert_true(m.met);
        rest(k % 2 * 300);
    }
    pool_free(p);
}

static void *call(void *arg) { /* NULL: all was right */
    bool right = true;
    for (size_t k = 0; k < 100; k++) right = run_round(arg, counts[k % kinds]) && right;
    return right ? NULL : arg;
}

TEST(several_threads_may_call_one_pool) {
    (void)state;
    pthread_t thread[4];
    struct pool *p = pool_new(&plain, 3);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&thread[i], NULL, call, p), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    pool_free(p);
}

TEST(a_pool_that_had_no_work_has_no_threads_to_end) {
    (void)state;
    pool_free(pool_new(&plain, 4));
    pool_free(NULL);
}

/* Also while another thread holds the pool's locks. A child that hangs is ended by its alarm. */
static bool works_in_a_child(struct pool *p) {
    int status = 1;
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        bool right = true;
        for (size_t k = 0; k < kinds; k++) right = run_round(p, counts[k]) && right;
        pool_free(p);
#ifndef UNDER_TSAN /* which ends a process that fork made when it starts threads */
        struct pool *own = pool_new(&plain, 3);
        right = own && run_round(own, most) && right;
        pool_free(own);
#endif
        _exit(!right);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

TEST(a_process_that_fork_made_works_without_the_threads) {
    (void)state;
    pthread_t other;
    void *wrong;
    struct pool *p = pool_new(&plain, 3);
    assert_true(works_in_a_child(p)); /* before they were started */
    assert_true(run_round(p, most));
    assert_true(works_in_a_child(p));
    assert_int_equal(pthread_create(&other, NULL, call, p), 0);
    for (int k = 0; k < 20; k++) assert_true(works_in_a_child(p));
    pthread_join(other, &wrong);
    assert_null(wrong);
    assert_true(run_round(p, most));
    pool_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_task_runs_once_and_the_first_on_the_callers_thread),
        RUN(threads_that_sleep_are_woken),
        RUN(another_thread_takes_part_awake_or_asleep),
        RUN(several_threads_may_call_one_pool),
        RUN(a_pool_that_had_no_work_has_no_threads_to_end),
        RUN(a_process_that_fork_made_works_without_the_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
