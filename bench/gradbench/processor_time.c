/* For LD_PRELOAD: who asks for the monotonic clock gets the process's own processor time, so that programs can be compared while others run. It
 * goes through the kernel, which takes some hundred ns: what usually lies between two readings is taken off, so that it is in nobody's time. */
#define _GNU_SOURCE /* syscall */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { tries = 1001 };
static atomic_llong readings, last;
static long long usual;

static long long read_ns(void) {
    struct timespec t;
    syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
    const long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

__attribute__((constructor)) static void find_usual(void) {
    long long between[tries], before = read_ns();
    for (int i = 0; i < tries; i++) {
        const long long now = read_ns();
        between[i] = now - before;
        before = now;
    }
    qsort(between, tries, sizeof *between, by_size);
    usual = between[tries / 2];
}

int clock_gettime(clockid_t clock, struct timespec *t) {
    if (clock != CLOCK_MONOTONIC) return (int)syscall(SYS_clock_gettime, clock, t);
    long long now = read_ns() - usual * atomic_fetch_add(&readings, 1);
    if (now < last) now = last; /* it never goes back */
    last = now;
    *t = (struct timespec){now / 1000000000, now % 1000000000};
    return 0;
}
