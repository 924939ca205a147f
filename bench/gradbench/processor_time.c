/* For LD_PRELOAD: who asks for the monotonic clock gets one that stands still while others have the processor, so that programs can be compared beside
 * other work. What has passed since it was asked before, if no other has had it, is by the monotonic clock, which is read
 * without the kernel, in some 25 ns, as if this file were not there; else by the process's own processor time, which takes the kernel
 * some hundred ns. For programs of one thread. */
#define _GNU_SOURCE /* RTLD_NEXT, syscall */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The kernel is asked at least so often, that the two clocks do not drift apart by more than some ns; what it takes is less than 0.1 % of that. */
enum { often_ns = 1000000 };

static long long ns_of(struct timespec t) { return (long long)t.tv_sec * 1000000000 + t.tv_nsec; }

static long long processor_ns(void) {
    struct timespec t;
    syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &t);
    return ns_of(t);
}

/* A restartable sequence (man 2 rseq) is taken off a thread that loses the processor outside of it; no instruction is inside of this one. */
static const uint32_t nowhere[2] = {RSEQ_SIG};
static struct rseq_cs sequence;

static volatile uint64_t *place_of_sequence(void) {
    char *thread = __builtin_thread_pointer();
    return __rseq_size
               ? (volatile uint64_t *)(void *)(thread + __rseq_offset + offsetof(struct rseq, rseq_cs))
               : NULL;
}

static void watch(void) {
    sequence = (struct rseq_cs){
        .start_ip = (uintptr_t)nowhere, .post_commit_offset = 1, .abort_ip = (uintptr_t)(nowhere + 1)};
    if (place_of_sequence()) *place_of_sequence() = (uintptr_t)&sequence;
}

static bool was_alone(void) { return place_of_sequence() && *place_of_sequence() == (uintptr_t)&sequence; }

int clock_gettime(clockid_t clock, struct timespec *t) {
    static int (*monotonic)(clockid_t, struct timespec *);
    static long long told, last; /* what was said, and what the monotonic clock was, the time before */
    static long long asked, told_then,
        processor_then; /* when the kernel was asked: the same, and what it said */
    struct timespec now;
    if (clock != CLOCK_MONOTONIC) return (int)syscall(SYS_clock_gettime, clock, t);
    if (!monotonic) *(void **)(void *)&monotonic = dlsym(RTLD_NEXT, "clock_gettime");
    monotonic(clock, &now);
    const bool alone = was_alone();
    const long long passed = ns_of(now) - last;
    if (alone) told += passed;
    if (!alone || ns_of(now) - asked > often_ns) {
        const long long processor = processor_ns(),
                        by_processor = told_then + processor - processor_then - told;
        if (!alone) told += by_processor > 0 ? by_processor : passed;
        monotonic(clock, &now);
        asked = ns_of(now), told_then = told, processor_then = processor;
        watch();
    }
    last = ns_of(now);
    *t = (struct timespec){told / 1000000000, told % 1000000000};
    return 0;
}
