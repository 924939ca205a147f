/* Threads that share tasks. They spin a little before they sleep, since a step's next tasks mostly come within microseconds; and nobody waits
 * for a thread that has taken no task: where one is late, who is there does its share. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/pool.h"

#ifdef CR_WITH_THREADS
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mode.h"

/* To wake a thread takes 5 to 50 us: it pays to wait as long before it sleeps. */
enum { spin_ns = 50000, spins_a_look = 64 };

/* A task's stack, at least, in bytes: systems give threads 128 KiB and up. */
enum { stack_least = 1 << 20 };

struct pool {
    struct mem mem;
    size_t size;          /* bytes */
    int threads;          /* that are to be there besides the caller */
    int started;          /* of them */
    bool tried;           /* to start them */
    pid_t process;        /* whose threads they are */
    uint64_t mode;        /* theirs */
    pthread_mutex_t turn; /* of those who call pool_run */
    /* How many tasks of the present round nobody has taken, below the number of that round. Who takes one finds it unchanged since they read what
     * the task is, so a thread that comes late takes none of another round. */
    _Alignas(64) _Atomic uint64_t open;
    _Atomic(void (*)(void *arg, size_t i)) body;
    _Atomic(void *) arg;
    _Alignas(64) atomic_size_t left; /* tasks that are not done */
    atomic_bool waiting;             /* the caller sleeps until all are */
    atomic_int sleepers;
    atomic_bool ending;
    pthread_mutex_t lock;
    pthread_cond_t come, done;
    pthread_t thread[];
};

static void pause_a_moment(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- Tasks ---- */

static bool take(struct pool *p, size_t *i, void (**body)(void *arg, size_t i), void **arg) {
    uint64_t open = atomic_load(&p->open);
    while (open % pool_most) {
        *i = open % pool_most;
        *body = atomic_load_explicit(&p->body, memory_order_relaxed);
        *arg = atomic_load_explicit(&p->arg, memory_order_relaxed);
        if (atomic_compare_exchange_weak(&p->open, &open, open - 1)) return true;
    }
    return false;
}

/* The order matters: tasks are counted before one looks whether the caller sleeps, which says so before it looks at the count. */
static void finish(struct pool *p) {
    if (atomic_fetch_sub(&p->left, 1) > 1 || !atomic_load(&p->waiting)) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

/* How many they were; 0: there was none left. */
static size_t run_open(struct pool *p) {
    size_t i, ran = 0;
    void (*body)(void *arg, size_t i);
    void *arg;
    for (; take(p, &i, &body, &arg); ran++) {
        body(arg, i);
        finish(p);
    }
    return ran;
}

/* ---- Waiting ---- */

static bool is_open(struct pool *p) {
    return atomic_load(&p->open) % pool_most || atomic_load_explicit(&p->ending, memory_order_relaxed);
}
static bool is_done(struct pool *p) { return atomic_load(&p->left) == 0; }

static int64_t spin_end(void) { return now_ns() + spin_ns; }
static bool spin(struct pool *p, bool (*over)(struct pool *p), int64_t end) {
    do {
        for (int k = 0; k < spins_a_look; k++) {
            if (over(p)) return true;
            pause_a_moment();
        }
    } while (now_ns() < end);
    return false;
}

/* Until the next round, or the end: woken, one spins anew, also where the tasks are gone by then, since the next ones come soon. */
static void sleep_a_round(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    const uint64_t last = atomic_load(&p->open);
    while (!is_open(p) && atomic_load(&p->open) == last) pthread_cond_wait(&p->come, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void await_others(struct pool *p) {
    if (is_done(p) || spin(p, is_done, spin_end())) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->waiting, true);
    while (!is_done(p)) pthread_cond_wait(&p->done, &p->lock);
    atomic_store(&p->waiting, false);
    pthread_mutex_unlock(&p->lock);
}

/* Who finds open tasks but gets none spins on to the same end: small rounds need not all of many threads. */
static void *work(void *arg) {
    struct pool *p = arg;
    mode_restore(p->mode);
    for (int64_t end = spin_end(); !atomic_load(&p->ending);) {
        bool open = spin(p, is_open, end);
        if (!open) sleep_a_round(p);
        if (run_open(p) || !open) end = spin_end();
    }
    return NULL;
}

/* ---- Starting ---- */

/* Signals are for the host's threads, whose handlers expect them there; but for those that tell what the thread itself did. */
static void signals_of_others(sigset_t *set) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigfillset(set);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(set, own[i]);
}

static bool start_one(struct pool *p, pthread_t *thread) {
    pthread_attr_t attr;
    sigset_t others, before;
    size_t stack;
    if (pthread_attr_init(&attr)) return false;
    if (pthread_attr_getstacksize(&attr, &stack) == 0 && stack < stack_least)
        pthread_attr_setstacksize(&attr, stack_least);
    signals_of_others(&others);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    bool ok = pthread_create(thread, &attr, work, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return ok;
}

/* By whoever first has work for them: small programs never do. */
static void start(struct pool *p) {
    p->tried = true;
    p->process = getpid();
    while (p->started < p->threads && start_one(p, &p->thread[p->started])) p->started++;
}

static void init_sleep(struct pool *p) {
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->come, NULL);
    pthread_cond_init(&p->done, NULL);
}

/* Of a process that was forked since: it has none of the threads, and what they held or slept on is as they left it. */
static bool is_orphan(const struct pool *p) { return p->started && p->process != getpid(); }
static void forget(struct pool *p) {
    p->started = 0;
    p->tried = false;
    atomic_store(&p->sleepers, 0);
    atomic_store(&p->waiting, false);
    init_sleep(p);
}

/* ---- A round ---- */

/* Likewise: tasks are open before one looks for sleepers, who count themselves before they look for tasks. As many are woken as there are
 * tasks that none of those awake will take. */
static void wake(struct pool *p, int tasks) {
    int sleepers = atomic_load(&p->sleepers);
    tasks -= p->started - sleepers;
    if (tasks <= 0 || !sleepers) return;
    if (is_orphan(p)) {
        forget(p);
        start(p);
        return;
    }
    pthread_mutex_lock(&p->lock);
    if (tasks >= sleepers) pthread_cond_broadcast(&p->come);
    else
        for (; tasks > 0; tasks--) pthread_cond_signal(&p->come);
    pthread_mutex_unlock(&p->lock);
}

/* To ask for the process is a call to the system: only before another one, and where nobody came. */
void pool_run(struct pool *p, void (*body)(void *arg, size_t i), void *arg, size_t count) {
    if (count == 0) return;
    pthread_mutex_lock(&p->turn);
    if (!p->tried) start(p);
    atomic_store_explicit(&p->body, body, memory_order_relaxed);
    atomic_store_explicit(&p->arg, arg, memory_order_relaxed);
    atomic_store(&p->left, count);
    uint64_t round = atomic_load_explicit(&p->open, memory_order_relaxed) / pool_most + 1;
    atomic_store(&p->open, round * pool_most + (count - 1));
    wake(p, (int)count - 1);
    body(arg, 0);
    finish(p);
    if (run_open(p) + 1 < count) await_others(p);
    else if (is_orphan(p)) forget(p);
    pthread_mutex_unlock(&p->turn);
}

/* ---- Life ---- */

struct pool *pool_new(const struct mem *mem, int threads) {
    size_t size = sizeof(struct pool) + (size_t)(threads - 1) * sizeof(pthread_t);
    struct pool *p = mem_alloc_aligned(mem, size);
    if (!p) return NULL;
    memset(p, 0, size);
    p->mem = *mem;
    p->size = size;
    p->threads = threads - 1;
    p->mode = mode_flush();
    mode_restore(p->mode);
    pthread_mutex_init(&p->turn, NULL);
    init_sleep(p);
    return p;
}

void pool_free(struct pool *p) {
    if (!p) return;
    struct mem m = p->mem;
    if (is_orphan(p)) forget(p);
    atomic_store(&p->ending, true);
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->come);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++) pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->come);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->turn);
    mem_free_aligned(&m, p, p->size);
}
#endif
