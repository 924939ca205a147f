/* The least time that work can take on this machine, one thread, behind the line protocol:
 *
 *     floor READ WRITE MULTIPLY_ADDS EXPONENTIALS      bytes, bytes, operations of f32, operations of f32
 *
 * A step does what takes longer: it reads and writes so many bytes of arrays of those sizes, one pass each, in the fastest of three
 * ways (one after the other, in turns, in turns past the caches), or does so many multiply-adds in registers and so many vector
 * exponentials on numbers in the first cache. Which one, its name says. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"
#include "reference/vector.h"

enum { CHAINS = LANES == 16 ? 16 : 12, HOT = 2048, TURN = 4096 };

struct side {
    size_t read, write, fma, exp;
    float *in, *out, hot[2][HOT];
    void (*move)(struct side *);
};

static volatile float sink;

static void read(const float *x, size_t n, vector sum[4]) {
    for (size_t k = 0; k + 4 * LANES <= n; k += 4 * LANES)
        for (size_t j = 0; j < 4; j++) sum[j] += vector_load(x + k + j * LANES);
}

/* All that is read, then all that is written: whole streams. */
static void move_apart(struct side *s) {
    vector sum[4] = {{0}};
    read(s->in, s->read, sum);
    memset(s->out, (int)s->in[0], s->write * sizeof(float));
    sink = vector_sum(sum[0] + sum[1] + sum[2] + sum[3]);
}

/* In turns, as work does that fits a cache: some of the one, some of the other. */
static void move_mixed(struct side *s, bool past) {
    vector sum[4] = {{0}};
    size_t blocks = (s->read + TURN - 1) / TURN;
    for (size_t i = 0; i < blocks; i++) {
        size_t from = s->read * i / blocks, to = s->write * i / blocks, end = s->write * (i + 1) / blocks;
        read(s->in + from, s->read * (i + 1) / blocks - from, sum);
        if (!past) memset(s->out + to, (int)s->in[0], (end - to) * sizeof(float));
        for (; past && to < end; to += HOT)
            vector_stream(s->out + to, s->hot[0], end - to < HOT ? end - to : HOT);
    }
    sink = vector_sum(sum[0] + sum[1] + sum[2] + sum[3]);
}

static void move_in_turns(struct side *s) { move_mixed(s, false); }
static void move_past_caches(struct side *s) { move_mixed(s, true); }

static void compute(struct side *s) {
    vector acc[CHAINS], a = vector_of(sink), b = vector_of(sink);
    for (size_t j = 0; j < CHAINS; j++) acc[j] = vector_of(s->hot[0][j]);
    for (size_t k = 0; k < s->fma; k += (size_t)CHAINS * LANES)
        for (size_t j = 0; j < CHAINS; j++) acc[j] = acc[j] * a + b;
    for (size_t k = 0; k < s->exp; k += HOT) {
        for (size_t j = 0; j < HOT; j += LANES)
            vector_store(s->hot[1] + j, vector_exponential(vector_load(s->hot[0] + j)));
        s->hot[0][0] = s->hot[1][1]; /* needed, so it is done */
    }
    for (size_t j = 1; j < CHAINS; j++) acc[0] += acc[j];
    sink = 0 * vector_sum(acc[0]) + s->hot[1][0];
}

static void reset(void *self) { (void)self; }

static double step_move(void *self, size_t i) {
    const struct side *s = self;
    return s->move(self), (double)i;
}
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

static double fastest_move(struct side *s) {
    static void (*const way[])(struct side *) = {move_apart, move_in_turns, move_past_caches};
    double best = HUGE_VAL;
    for (int i = 0; i < 3; i++) {
        double ns = time_of(way[i], s);
        if (ns < best) best = ns, s->move = way[i];
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
    s.in = aligned_alloc(64, (s.read / 16 + 4) * 64);
    s.out = aligned_alloc(64, (s.write / 16 + 4) * 64);
    if (!s.in || !s.out) return EXIT_FAILURE;
    memset(s.in, 1, s.read * sizeof(float)); /* pages of their own, not the one of zeros */
    memset(s.out, 1, s.write * sizeof(float));
    for (size_t k = 0; k < HOT; k++) s.hot[0][k] = (float)(k % 17) - 8;
    bool moves = fastest_move(&s) > time_of(compute, &s);
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
