/* sum(tanh(a*x + b)*sigmoid(c*x)) and its gradient by hand, one loop on one thread, behind the line protocol:
 *
 *     reduce_reference [N]     1e6
 *
 * exp is the C library's expf: what a C programmer has at hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/protocol.h"

struct side {
    long n;
    float *x, *dx, a, b, c;
};

static void reset(void *self) { ((struct side *)self)->a = 0.5f; }

/* With t = tanh(ax + b) and s = sigmoid(cx): dt = (1 - t^2) s, ds = t s (1 - s). */
static double step(void *self, size_t i) {
    struct side *p = self;
    double value = 0, da = 0, db = 0, dc = 0;
    float a = p->a = 0.5f + (float)(i % 8) / 16;
    for (long k = 0; k < p->n; k++) {
        float x = p->x[k], t = 1 - 2 / (expf(2 * (a * x + p->b)) + 1), s = 1 / (1 + expf(-p->c * x));
        float dt = (1 - t * t) * s, ds = t * s * (1 - s);
        p->dx[k] = a * dt + p->c * ds;
        value += (double)(t * s);
        da += (double)(x * dt);
        db += (double)dt;
        dc += (double)(x * ds);
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
                                   .note = "1 thread, expf of the C library",
                                   .self = &s,
                                   .reset = reset,
                                   .step = step,
                                   .calls = 1};
    int status = protocol_serve(&bench);
    free(s.x);
    free(s.dx);
    return status;
}
