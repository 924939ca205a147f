/* sum(tanh(a*x + b)*sigmoid(c*x)) and its gradient by hand, one loop on one thread, behind the line protocol:
 *
 *     reduce_reference [N]     1e6
 *
 * Floor: x is read and dx is written, 8 bytes an element; two exponentials and two quotients. */
#include <stdio.h>
#include <stdlib.h>

#include "common/protocol.h"
#include "reference/vector.h"

enum { BLOCK = 4096 };

struct side {
    long n;
    float *x, *dx, a, b, c;
};

static void reset(void *self) { ((struct side *)self)->a = 0.5f; }

struct sums {
    float value, da, db, dc;
};

/* With t = tanh(ax + b) and s = sigmoid(cx): dt = (1 - t^2) s, ds = t s (1 - s). */
static struct sums block(const float *restrict x, float *restrict dx, long n, float a, float b, float c) {
    float value = 0, da = 0, db = 0, dc = 0;
#pragma omp simd reduction(+ : value, da, db, dc)
    for (long k = 0; k < n; k++) {
        float t = 1 - 2 / (exponential(2 * (a * x[k] + b)) + 1), s = 1 / (1 + exponential(-c * x[k]));
        float ts = t * s, dt = (1 - t * t) * s, ds = ts * (1 - s);
        dx[k] = a * dt + c * ds;
        value += ts;
        da += x[k] * dt;
        db += dt;
        dc += x[k] * ds;
    }
    return (struct sums){value, da, db, dc};
}

/* Sums of blocks in f64. */
static double step(void *self, size_t i) {
    struct side *p = self;
    double value = 0, da = 0, db = 0, dc = 0;
    float a = p->a = 0.5f + (float)(i % 8) / 16;
    for (long k = 0; k < p->n; k += BLOCK) {
        struct sums s = block(p->x + k, p->dx + k, p->n - k < BLOCK ? p->n - k : BLOCK, a, p->b, p->c);
        value += (double)s.value, da += (double)s.da, db += (double)s.db, dc += (double)s.dc;
    }
    return value + da + db + dc;
}

int main(int argc, char **argv) {
    struct side s = {.n = argc > 1 ? (long)strtod(argv[1], NULL) : 1000000, .b = 0.25f, .c = 0.75f};
    if (s.n < 1)
        return fprintf(stderr, "reduce_reference: expected a number of elements, found '%s'\n", argv[1]),
               EXIT_FAILURE;
    s.x = malloc((size_t)s.n * sizeof *s.x);
    s.dx = malloc((size_t)s.n * sizeof *s.dx);
    if (!s.x || !s.dx) return EXIT_FAILURE;
    for (long i = 0; i < s.n; i++) s.x[i] = (float)(i % 8191) / 2048 - 2;
    struct protocol_bench bench = {.name = "C",
                                   .note = "1 thread, vector mathematics",
                                   .self = &s,
                                   .reset = reset,
                                   .step = step,
                                   .calls = 1};
    int status = protocol_serve(&bench);
    free(s.x);
    free(s.dx);
    return status;
}
