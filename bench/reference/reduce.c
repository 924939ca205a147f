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

/* With t = tanh(ax + b) and s = sigmoid(cx): dt = (1 - t^2) s, ds = t s (1 - s). A last vector that is not whole is added up by what it has. */
struct lanes {
    vector value, da, db, dc;
};
static inline vector lanes(struct lanes *sum, vector x, vector a, vector b, vector c, vector_bits some) {
    const vector one = vector_of(1);
    vector t = one - 2 / (vector_exponential((a + a) * x + (b + b)) + one),
           s = one / (vector_exponential(-c * x) + one);
    vector ts = t * s, dt = s - ts * t, ds = ts - ts * s;
    sum->value += (vector)((vector_bits)ts & some);
    sum->da += (vector)((vector_bits)(x * dt) & some);
    sum->db += (vector)((vector_bits)dt & some);
    sum->dc += (vector)((vector_bits)(x * ds) & some);
    return a * dt + c * ds;
}

static struct sums block(const float *restrict x, float *restrict dx, long n, float a, float b, float c) {
    const vector va = vector_of(a), vb = vector_of(b), vc = vector_of(c);
    const vector_bits all = vector_of(0) == vector_of(0);
    struct lanes sum = {{0}, {0}, {0}, {0}};
    long k = 0;
    for (; k + LANES <= n; k += LANES) vector_store(dx + k, lanes(&sum, vector_load(x + k), va, vb, vc, all));
    if (k < n) {
        float last[LANES] = {0}, present[LANES] = {0};
        memcpy(last, x + k, (size_t)(n - k) * sizeof *last);
        for (long j = 0; j < n - k; j++) present[j] = 1;
        vector_store(last, lanes(&sum, vector_load(last), va, vb, vc, vector_load(present) > 0));
        memcpy(dx + k, last, (size_t)(n - k) * sizeof *last);
    }
    return (struct sums){vector_sum(sum.value), vector_sum(sum.da), vector_sum(sum.db), vector_sum(sum.dc)};
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
