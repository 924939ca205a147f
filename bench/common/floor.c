/* The least time that work can take on this machine, one thread, behind the line protocol:
 *
 *     floor READ WRITE MULTIPLY_ADDS EXPONENTIALS      bytes, bytes, operations of f32, operations of f32
 *
 * A step does what takes longer: it reads and writes so many bytes of arrays of those sizes, one pass each, or does so many
 * multiply-adds in registers and so many vector exponentials on numbers in the first cache. Which one, its name says. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"
#include "reference/vector.h"

enum { CHAINS = 16, HOT = 2048 };

struct side {
    size_t read, write, fma, exp;
    float *in, *out, hot[2][HOT];
};

static volatile float sink;

static void move(struct side *s) {
    vector sum[4] = {{0}};
    for (size_t k = 0; k + 64 <= s->read; k += 64)
        for (size_t j = 0; j < 4; j++) sum[j] += vector_load(s->in + k + 16 * j);
    memset(s->out, (int)s->in[0], s->write * sizeof(float));
    sink = vector_sum(sum[0] + sum[1] + sum[2] + sum[3]);
}

static void compute(struct side *s) {
    vector acc[CHAINS], a = vector_of(sink), b = vector_of(sink);
    for (size_t j = 0; j < CHAINS; j++) acc[j] = vector_of(s->hot[0][j]);
    for (size_t k = 0; k < s->fma; k += (size_t)CHAINS * 16)
        for (size_t j = 0; j < CHAINS; j++) acc[j] = acc[j] * a + b;
    for (size_t k = 0; k < s->exp; k += HOT) {
        for (size_t j = 0; j < HOT; j++) s->hot[1][j] = exponential(s->hot[0][j]);
        s->hot[0][0] = s->hot[1][1]; /* needed, so it is done */
    }
    for (size_t j = 1; j < CHAINS; j++) acc[0] += acc[j];
    sink = 0 * vector_sum(acc[0]) + s->hot[1][0];
}

static void reset(void *self) { (void)self; }

static double step_move(void *self, size_t i) { return move(self), (double)i; }
static double step_compute(void *self, size_t i) { return compute(self), (double)i; }

static double time_of(void (*work)(struct side *), struct side *s) {
    double best = HUGE_VAL;
    for (int i = 0; i < 5; i++) {
        double start = protocol_clock_ns();
        work(s);
        double ns = protocol_clock_ns() - start;
        if (ns < best) best = ns;
    }
    return best;
}

int main(int argc, char **argv) {
    static struct side s;
    if (argc != 5) return fprintf(stderr, "usage: floor READ WRITE MULTIPLY_ADDS EXPONENTIALS\n"), 2;
    s.read = (size_t)strtod(argv[1], NULL) / sizeof(float);
    s.write = (size_t)strtod(argv[2], NULL) / sizeof(float);
    s.fma = (size_t)strtod(argv[3], NULL);
    s.exp = (size_t)strtod(argv[4], NULL);
    s.in = calloc(s.read + 64, sizeof(float));
    s.out = calloc(s.write + 64, sizeof(float));
    if (!s.in || !s.out) return EXIT_FAILURE;
    memset(s.in, 1, s.read * sizeof(float)); /* pages of its own, not the one of zeros */
    for (size_t k = 0; k < HOT; k++) s.hot[0][k] = (float)(k % 17) - 8;
    bool moves = time_of(move, &s) > time_of(compute, &s);
    char note[96];
    snprintf(note, sizeof note, "%s", moves ? "bytes" : "operations");
    struct protocol_bench bench = {.name = "floor",
                                   .note = note,
                                   .self = &s,
                                   .reset = reset,
                                   .step = moves ? step_move : step_compute,
                                   .calls = 1};
    int status = protocol_serve(&bench);
    free(s.in);
    free(s.out);
    return status;
}
