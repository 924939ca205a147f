/* Threads that meet: see team.h. */
#define _POSIX_C_SOURCE 200809L
#include "reference/team.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/* About 50 us of pauses (65 cycles each on Zen 4) before a thread gives way. */
enum { SPINS = 3000 };

struct team {
    int threads, started;
    void (*body)(void *arg, int i);
    void *arg;
    atomic_uint task;         /* grows by one with each task */
    atomic_uint waiting, met; /* the barrier: how many are here, how often all were */
    atomic_int sleepers, ending;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct member {
        struct team *team;
        int i;
        pthread_t thread;
    } member[];
};

static void pause_a_moment(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#endif
}

void team_meet(struct team *t) {
    if (t->threads == 1) return;
    unsigned round = atomic_load(&t->met);
    if (atomic_fetch_add(&t->waiting, 1) + 1 == (unsigned)t->threads) {
        atomic_store(&t->waiting, 0);
        atomic_fetch_add(&t->met, 1);
        return;
    }
    for (int spins = 0; atomic_load(&t->met) == round; spins++) {
        if (spins < SPINS) pause_a_moment();
        else sched_yield();
    }
}

static void await_task(struct team *t, unsigned last) {
    for (int spins = 0; spins < SPINS; spins++) {
        if (atomic_load(&t->task) != last) return;
        pause_a_moment();
    }
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->sleepers, 1);
    while (atomic_load(&t->task) == last) pthread_cond_wait(&t->wake, &t->lock);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->lock);
}

/* The order matters: the task grows before sleepers are looked for, and they count themselves before they
 * look at it. */
static void announce(struct team *t) {
    atomic_fetch_add(&t->task, 1);
    if (atomic_load(&t->sleepers) == 0) return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

static void *work(void *arg) {
    struct member *me = arg;
    struct team *t = me->team;
    for (unsigned last = 0;; last++) {
        await_task(t, last);
        if (atomic_load(&t->ending)) return NULL;
        t->body(t->arg, me->i);
        team_meet(t);
    }
}

void team_run(struct team *t, void (*body)(void *arg, int i), void *arg) {
    t->body = body;
    t->arg = arg;
    if (t->threads > 1) announce(t);
    body(arg, 0);
    team_meet(t);
}

struct team *team_create(int threads) {
    struct team *t = calloc(1, sizeof *t + (size_t)threads * sizeof t->member[0]);
    if (!t) return NULL;
    t->threads = threads;
    t->started = 1;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    for (int i = 1; i < threads; i++, t->started++) {
        t->member[i] = (struct member){.team = t, .i = i};
        if (pthread_create(&t->member[i].thread, NULL, work, &t->member[i])) {
            team_destroy(t);
            return NULL;
        }
    }
    return t;
}

void team_destroy(struct team *t) {
    if (!t) return;
    atomic_store(&t->ending, 1);
    announce(t);
    for (int i = 1; i < t->started; i++) pthread_join(t->member[i].thread, NULL);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->wake);
    free(t);
}
