/* The loop around the worked example in C, behind the line protocol: loss = (w*x - y)^2, dloss/dw = 2 (w*x - y) x. Who includes it defines
 *
 *     static inline double worked(double *dw, const double *w, const double *x, const double *y);   gives the loss
 *
 * before. A step is 1e6 evaluations, inlined as a C programmer's own would be, each with its operands from memory and its results to
 * memory; the time is that of one. Step i gives the loss at w = 1 + (i % 64) / 16, x = 1, y = 2. */
#ifndef BENCH_WORKED_H
#define BENCH_WORKED_H
#include "common/protocol.h"
#include <stdlib.h>

enum { CALLS = 1000000, EXAMPLES = 64 };

struct side {
    double w[EXAMPLES], x[EXAMPLES], y[EXAMPLES], loss[EXAMPLES], dw[EXAMPLES];
};

static void reset(void *self) {
    struct side *s = self;
    for (int k = 0; k < EXAMPLES; k++) {
        s->w[k] = 1 + k / 16.0;
        s->x[k] = 1;
        s->y[k] = 2;
    }
}

static double step(void *self, size_t i) {
    struct side *s = self;
    for (size_t c = 0; c < CALLS; c++) {
        size_t k = c % EXAMPLES;
        s->loss[k] = worked(&s->dw[k], &s->w[k], &s->x[k], &s->y[k]);
        /* All memory may have been read and written here: no evaluation is dropped, merged with another, or
         * vectorised. */
        __asm__ volatile("" : : "r"(s) : "memory");
    }
    return s->loss[i % EXAMPLES];
}

static int worked_serve(const char *name, const char *note) {
    struct side *s = calloc(1, sizeof *s);
    if (!s) return EXIT_FAILURE;
    int status = protocol_serve(&(struct protocol_bench){name, note, s, reset, NULL, step, CALLS});
    free(s);
    return status;
}

#endif
