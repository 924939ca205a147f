/* What does a first step wait for? bench_first [ROUNDS]: for some small programs, built in and compiled, the median time of a run's first step
 * without cr_run_ready, after it, and after it where the second cache holds other data; then of the tenth step. Each round builds its
 * program anew. Times have that of reading the clock in them, which the last column has alone. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chainrule/compile.h"

enum { columns = 5, most_rounds = 10000, n = 16, other_bytes = 2 << 20, cache_line = 64 };

static const char *const models[] = {
    "x[0]^2",
    "sum(exp(x)*w)",
    "tanh(outer(x, w) @ x) @ w",
    "sort(x) @ w",
};

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

static cr_program *program_of(const char *model, const char *compiler) {
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){n}), d;
    cr_input(g, "w", CR_F64, 1, (int64_t[]){n});
    cr_node y = cr_formula(g, model);
    cr_grad(&d, y, 1, &x);
    cr_target_output(t, "y", y);
    cr_target_output(t, "d", d);
    if (bench_compile(&p, g, t, compiler)) exit(EXIT_FAILURE);
    return p;
}

static long long step(cr_run *r) {
    long long since = now_ns();
    if (cr_step(r)) fprintf(stderr, "%s\n", cr_run_error(r)), exit(EXIT_FAILURE);
    return now_ns() - since;
}

static void use_cache(void) {
    static volatile char other[other_bytes];
    for (size_t i = 0; i < sizeof other; i += cache_line) other[i]++;
    now_ns();
}

/* 0: not got ready; 1: got ready; 2: and then others use the cache. last: of the tenth step. */
static long long first(const cr_program *p, int how, long long *last) {
    double x[n], w[n], y, d[n];
    cr_run *r = NULL;
    for (int i = 0; i < n; i++) x[i] = 1.0 / (i + 1), w[i] = i;
    if (cr_run_new(&r, p, NULL, NULL, 0)) exit(EXIT_FAILURE);
    cr_bind(r, "x", CR_F64, x, sizeof x);
    for (int i = 0; cr_program_input(p, i); i++)
        if (!strcmp(cr_program_input(p, i), "w")) cr_bind(r, "w", CR_F64, w, sizeof w);
    cr_bind(r, "y", CR_F64, &y, sizeof y);
    cr_bind(r, "d", CR_F64, d, sizeof d);
    if (how) cr_run_ready(r);
    if (how == 2) use_cache();
    now_ns();
    long long ns = step(r);
    for (int i = 0; i < 9; i++) *last = step(r);
    cr_run_free(r);
    return ns;
}

int main(int argc, char **argv) {
    static long long ns[columns][most_rounds];
    int rounds = argc > 1 ? atoi(argv[1]) : 200;
    if (rounds < 1 || rounds > most_rounds)
        return fprintf(stderr, "bench_first: 1 to %d rounds\n", most_rounds), 1;
    printf("| model and gradient, ns | way | first | ready | ready, cold | tenth | clock "
           "|\n|---|---|---:|---:|---:|---:|---:|\n");
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (int way = 0; way < 2; way++) {
            for (int i = 0; i < rounds; i++)
                for (int how = 0; how < 3; how++) {
                    cr_program *p = program_of(models[m], way ? "cc" : NULL);
                    ns[how][i] = first(p, how, &ns[3][i]);
                    long long since = now_ns();
                    ns[4][i] = now_ns() - since;
                    cr_program_free(p);
                }
            printf("| `%s` | %s ", models[m], way ? "compiled" : "built in");
            for (int c = 0; c < columns; c++) {
                qsort(ns[c], (size_t)rounds, sizeof **ns, compare);
                printf("| %lld ", ns[c][rounds / 2]);
            }
            puts("|");
        }
    return 0;
}
