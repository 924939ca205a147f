/* The pool: each task runs once, whoever takes it, with threads that spin, that sleep, and that come late; in a forked process too. */
#ifdef __linux__
#define _GNU_SOURCE /* stacks of threads, as they are */
#else
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/pool.h"

#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* As a child has it: without threads, whether they spun or slept when it was forked, until it has work for them. */
static void live_on(struct pool *p, bool work) {
    struct meeting m = {0};
    alarm(10);
    for (size_t k = 0; k < 3 * kinds && work; k++)
        if (!run_round(p, counts[k % kinds])) _exit(1);
    for (int k = 0; k < 3 && work && !m.met; k++) { /* the first call may find that they are gone */
        m = (struct meeting){0};
        pool_run(p, meet, &m, 2);
    }
    pool_free(p);
    _exit(work && !m.met ? 2 : 0);
}

TEST(a_forked_process_has_threads_of_its_own) {
    (void)state;
    struct pool *p = pool_new(&plain, 3);
    for (int k = 0; k < 12; k++) {
        int status = 0;
        assert_true(run_round(p, most));
        rest(k % 4 * 100);
        pid_t child = fork();
        if (child == 0) live_on(p, k % 3 > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    assert_true(run_round(p, most));
    pool_free(p);
}

/* What kills where it is blocked. */
static void look_at_faults(void *arg, size_t i) {
    sigset_t mask;
    if (i == 1 && pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGFPE) &&
        !sigismember(&mask, SIGSEGV))
        meet(arg, i);
    else if (i == 0) meet(arg, i);
}

static atomic_int handled;
static void handle(int number) {
    (void)number;
    handled++;
}

/* It stays pending for a thread of the host's. */
TEST(signals_are_left_to_the_hosts_threads) {
    (void)state;
    struct sigaction ours = {.sa_handler = handle}, before;
    struct meeting m = {0};
    sigset_t one, mask, pending;
    struct pool *p = pool_new(&plain, 2);
    assert_int_equal(sigaction(SIGUSR1, &ours, &before), 0);
    pool_run(p, look_at_faults, &m, 2);
    assert_true(m.met);
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &one, &mask);
    assert_int_equal(sigismember(&mask, SIGUSR1), 0); /* the caller's mask is as it was */
    kill(getpid(), SIGUSR1);
    rest(20000);
    sigpending(&pending);
    assert_int_equal(handled, 0);
    assert_int_equal(sigismember(&pending, SIGUSR1), 1);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    assert_int_equal(handled, 1);
    sigaction(SIGUSR1, &before, NULL);
    pool_free(p);
}

#ifdef __GLIBC__
static void measure(void *arg, size_t i) {
    struct meeting *m = arg;
    pthread_attr_t attr;
    size_t stack = 0;
    if (i == 1 && pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstacksize(&attr, &stack);
        pthread_attr_destroy(&attr);
        if (stack < 1 << 20) atomic_fetch_add(&m->here, -2);
    }
    meet(arg, i);
}

/* Where the system gives threads little of it. */
TEST(a_task_has_stack) {
    (void)state;
    pthread_attr_t before, small;
    struct meeting m = {0};
    struct pool *p = pool_new(&plain, 2);
    assert_int_equal(pthread_getattr_default_np(&before), 0);
    assert_int_equal(pthread_getattr_default_np(&small), 0);
    pthread_attr_setstacksize(&small, 1 << 17);
    assert_int_equal(pthread_setattr_default_np(&small), 0);
    pool_run(p, measure, &m, 2);
    pthread_setattr_default_np(&before);
    assert_true(m.met);
    pool_free(p);
}
#endif

TEST(a_pool_that_had_no_work_has_no_threads_to_end) {
    (void)state;
    pool_free(pool_new(&plain, 4));
    pool_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_task_runs_once_and_the_first_on_the_callers_thread),
        RUN(threads_that_sleep_are_woken),
        RUN(another_thread_takes_part_awake_or_asleep),
        RUN(several_threads_may_call_one_pool),
        RUN(a_forked_process_has_threads_of_its_own),
        RUN(signals_are_left_to_the_hosts_threads),
#ifdef __GLIBC__
        RUN(a_task_has_stack),
#endif
        RUN(a_pool_that_had_no_work_has_no_threads_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
