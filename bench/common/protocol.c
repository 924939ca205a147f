/* The line protocol of the benchmarks: see protocol.h. */
#define _POSIX_C_SOURCE 200809L
#include "common/protocol.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Before the clock is read: caches, page tables and the branch predictor settle, and threads wake. */
enum { WARM_UP = 2, MOST_STEPS = 1000000 };

double protocol_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run(const struct protocol_bench *b, double *ns, size_t n) {
    b->reset(b->self);
    if (b->timed) b->timed(b->self);
    for (size_t i = 0; i < WARM_UP; i++) b->step(b->self, i);
    for (size_t i = 0; i < n; i++) {
        double start = protocol_clock_ns();
        b->step(b->self, WARM_UP + i);
        ns[i] = (protocol_clock_ns() - start) / b->calls;
    }
    qsort(ns, n, sizeof *ns, by_value);
    printf("{\"ns\": %.9g}\n", 0.5 * (ns[(n - 1) / 2] + ns[n / 2]));
}

static void losses(const struct protocol_bench *b, size_t n) {
    b->reset(b->self);
    printf("{\"losses\": [");
    for (size_t i = 0; i < n; i++) printf("%s%.9g", i ? ", " : "", b->step(b->self, i));
    printf("]}\n");
}

/* ---- Memory ---- */

static size_t idle; /* bytes resident; 0: unknown */

/* A size of /proc/self/status in bytes: VmRSS, what is resident, or VmHWM, the most that was. 0 where there is none. */
static size_t resident(const char *name) {
    char line[128];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name))) sscanf(line + strlen(name), ": %zu kB", &kib);
    if (f) fclose(f);
    return 1024 * kib;
}

void protocol_idle(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f) fputs("5", f), fclose(f); /* what was most so far is forgotten: proc(5) */
    idle = resident("VmRSS");
}

static void memory(const struct protocol_bench *b, size_t n) {
    size_t most = resident("VmHWM");
    if (!idle || !most) {
        printf("{\"error\": \"not known here\"}\n");
        return;
    }
    b->reset(b->self);
    for (size_t i = 0; i < n; i++) b->step(b->self, i);
    most = resident("VmHWM");
    printf("{\"bytes\": %zu}\n", most > idle ? most - idle : 0);
}

static void answer(const struct protocol_bench *b, const char *line) {
    char verb[8] = "";
    size_t n = 0;
    int words = sscanf(line, "%7s %zu", verb, &n);
    if (words != 2 || n < 1 || n > MOST_STEPS) {
        printf("{\"error\": \"expected: run N, losses N, memory N, or quit; N from 1 to %d\"}\n", MOST_STEPS);
    } else if (!strcmp(verb, "losses")) {
        losses(b, n);
    } else if (!strcmp(verb, "memory")) {
        memory(b, n);
    } else if (!strcmp(verb, "run")) {
        double *ns = malloc(n * sizeof *ns);
        if (ns) run(b, ns, n);
        else printf("{\"error\": \"out of memory\"}\n");
        free(ns);
    } else {
        printf("{\"error\": \"unknown command: %s\"}\n", verb);
    }
}

int protocol_serve(const struct protocol_bench *b) {
    char line[64];
    printf("{\"ready\": \"%s\", \"note\": \"%s\"}\n", b->name, b->note);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && strncmp(line, "quit", 4) != 0) {
        answer(b, line);
        fflush(stdout);
    }
    return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
