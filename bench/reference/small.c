/* A step of the small net by hand, behind the line protocol: see bench/common/small.h. A layer is 16 wide, so that its
 * numbers are one vector; a point goes forward and backward before the next one comes, and gradients gather in arrays that
 * stay in the first cache. W2 is kept transposed beside itself for the way back. Floor: 100 points of 16 + 16 + 16 vector
 * multiply-adds for W2, about 6 more for the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"
#include "common/small.h"
#include "reference/vector.h"

static struct side {
    float x[SMALL_POINTS][2], y[SMALL_POINTS], p[SMALL_PARAMETERS], d[SMALL_PARAMETERS];
    float transposed[SMALL_H][SMALL_H];
} s;

static void reset(void *self) { small_parameters(((struct side *)self)->p); }

/* A comparison of vectors gives all bits or none, element by element. */
static inline vector where_positive(vector h, vector g) {
    int32_t __attribute__((vector_size(64))) bits;
    memcpy(&bits, &g, sizeof bits);
    bits &= h > 0;
    memcpy(&g, &bits, sizeof g);
    return g;
}
static inline vector relu(vector v) { return where_positive(v, v); }

static inline vector through(vector bias, const float h[SMALL_H], const float *w) {
    vector even = bias, odd = {0};
    for (int k = 0; k < SMALL_H; k += 2) {
        even += h[k] * vector_load(w + k * SMALL_H);
        odd += h[k + 1] * vector_load(w + (k + 1) * SMALL_H);
    }
    return even + odd;
}

/* Its part of the loss, and of the gradients of all weights. */
static inline float point(size_t i, vector dw2[SMALL_H], vector rest[5]) {
    const float *p = s.p;
    float h1[SMALL_H], g2[SMALL_H];
    vector a = relu(s.x[i][0] * vector_load(p + SMALL_W1) + s.x[i][1] * vector_load(p + SMALL_W1 + SMALL_H) +
                    vector_load(p + SMALL_B1));
    vector_store(h1, a);
    vector b = relu(through(vector_load(p + SMALL_B2), h1, p + SMALL_W2));
    float score = vector_sum(b * vector_load(p + SMALL_W3)) + p[SMALL_B3], margin = 1 - s.y[i] * score;
    if (margin <= 0) return 0;
    float g = -s.y[i] / SMALL_POINTS;
    vector gb = where_positive(b, g * vector_load(p + SMALL_W3));
    vector_store(g2, gb);
    vector ga = where_positive(a, through((vector){0}, g2, s.transposed[0]));
    for (int k = 0; k < SMALL_H; k++) dw2[k] += h1[k] * gb;
    rest[0] += s.x[i][0] * ga;
    rest[1] += s.x[i][1] * ga;
    rest[2] += ga;
    rest[3] += gb;
    rest[4] += g * b;
    s.d[SMALL_B3] += g;
    return margin;
}

static float all_points(void) {
    vector dw2[SMALL_H] = {{0}}, rest[5] = {{0}};
    float loss = 0;
    s.d[SMALL_B3] = 0;
    for (int i = 0; i < SMALL_H; i++)
        for (int j = 0; j < SMALL_H; j++) s.transposed[j][i] = s.p[SMALL_W2 + i * SMALL_H + j];
    for (size_t i = 0; i < SMALL_POINTS; i++) loss += point(i, dw2, rest);
    for (int k = 0; k < SMALL_H; k++) vector_store(s.d + SMALL_W2 + k * SMALL_H, dw2[k]);
    vector_store(s.d + SMALL_W1, rest[0]);
    vector_store(s.d + SMALL_W1 + SMALL_H, rest[1]);
    vector_store(s.d + SMALL_B1, rest[2]);
    vector_store(s.d + SMALL_B2, rest[3]);
    vector_store(s.d + SMALL_W3, rest[4]);
    return loss / SMALL_POINTS;
}

static double step(void *self, size_t i) {
    (void)self, (void)i;
    float loss = all_points(), squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int k = 0; k < SMALL_PARAMETERS; k++) {
        squares += s.p[k] * s.p[k];
        s.p[k] -= 0.05f * (s.d[k] + 2e-4f * s.p[k]);
    }
    return (double)(loss + 1e-4f * squares);
}

/* A step of the protocol is a hundred: one is too short for the clock. */
enum { CALLS = 100 };
static double steps(void *self, size_t i) {
    double loss = 0;
    for (int c = 0; c < CALLS; c++) loss = step(self, i);
    return loss;
}

int main(void) {
    small_points(s.x, s.y);
    struct protocol_bench bench = {
        .name = "C", .note = "1 thread", .self = &s, .reset = reset, .step = steps, .calls = CALLS};
    return protocol_serve(&bench);
}
