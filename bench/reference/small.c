/* A step of the small net by hand, behind the line protocol: see bench/common/small.h. A layer is 16 wide, one vector
 * of AVX-512; a point goes forward and backward before the next one comes, and W2, whose gradient is a product over all
 * points then, is kept transposed beside itself for the way back. Floor: 19 vector multiply-adds
 * for each of 100 points forward, and 35 for each within the margin, few after some hundred steps. */
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

/* A layer: one vector, or as many as it takes; and of W2's gradient so many rows as registers hold. */
enum { PARTS = SMALL_H / LANES, ROWS = LANES == 16 ? 16 : 4 };
#define EACH _Pragma("GCC unroll 4") for (size_t i = 0; i < PARTS; i++)

/* A comparison of vectors gives all bits or none, element by element. */
static inline vector where_positive(vector h, vector g) { return (vector)((vector_bits)g & (h > 0)); }

/* v += h W */
static inline void through(vector v[PARTS], const float h[SMALL_H], const float *w) {
    vector odd[PARTS] = {{0}};
    _Pragma("GCC unroll 8") for (int k = 0; k < SMALL_H; k += 2) EACH {
        v[i] += h[k] * vector_load(w + k * SMALL_H + i * LANES);
        odd[i] += h[k + 1] * vector_load(w + (k + 1) * SMALL_H + i * LANES);
    }
    EACH v[i] += odd[i];
}

/* What the points within the margin leave for the weights between the layers. */
static struct {
    size_t n;
    float h1[SMALL_POINTS][SMALL_H], g2[SMALL_POINTS][SMALL_H];
} kept;

/* Its part of the loss, and of the gradients of the weights before and behind. */
static inline float point(size_t at, vector rest[5][PARTS]) {
    const float *p = s.p, *x = s.x[at];
    float *h1 = kept.h1[kept.n], *g2 = kept.g2[kept.n];
    vector a[PARTS], b[PARTS], ga[PARTS] = {{0}}, gb[PARTS], scores = {0};
    EACH {
        const float *w = p + i * LANES;
        a[i] = x[0] * vector_load(w + SMALL_W1) + x[1] * vector_load(w + SMALL_W1 + SMALL_H) +
               vector_load(w + SMALL_B1);
        a[i] = where_positive(a[i], a[i]);
        vector_store(h1 + i * LANES, a[i]);
        b[i] = vector_load(w + SMALL_B2);
    }
    through(b, h1, p + SMALL_W2);
    EACH b[i] = where_positive(b[i], b[i]), scores += b[i] * vector_load(p + SMALL_W3 + i * LANES);
    float margin = 1 - s.y[at] * (vector_sum(scores) + p[SMALL_B3]);
    if (margin <= 0) return 0;
    float g = -s.y[at] / SMALL_POINTS;
    EACH {
        gb[i] = where_positive(b[i], g * vector_load(p + SMALL_W3 + i * LANES));
        vector_store(g2 + i * LANES, gb[i]);
    }
    through(ga, g2, s.transposed[0]);
    EACH {
        ga[i] = where_positive(a[i], ga[i]);
        rest[0][i] += x[0] * ga[i];
        rest[1][i] += x[1] * ga[i];
        rest[2][i] += ga[i];
        rest[3][i] += gb[i];
        rest[4][i] += g * b[i];
    }
    s.d[SMALL_B3] += g;
    kept.n++;
    return margin;
}

/* dW2 = h1' g2 */
static void between(void) {
    for (int from = 0; from < SMALL_H; from += ROWS) {
        vector dw[ROWS][PARTS] = {{{0}}};
        for (size_t n = 0; n < kept.n; n++)
            _Pragma("GCC unroll 16") for (int k = 0; k < ROWS; k++) EACH dw[k][i] +=
                kept.h1[n][from + k] * vector_load(kept.g2[n] + i * LANES);
        _Pragma("GCC unroll 16") for (int k = 0; k < ROWS; k++)
            EACH vector_store(s.d + SMALL_W2 + (from + k) * SMALL_H + i * LANES, dw[k][i]);
    }
}

static float all_points(void) {
    static const int where[] = {SMALL_W1, SMALL_W1 + SMALL_H, SMALL_B1, SMALL_B2, SMALL_W3};
    vector rest[5][PARTS] = {{{0}}};
    float loss = 0;
    s.d[SMALL_B3] = 0;
    kept.n = 0;
    for (int i = 0; i < SMALL_H; i++)
        for (int j = 0; j < SMALL_H; j++) s.transposed[j][i] = s.p[SMALL_W2 + i * SMALL_H + j];
    for (size_t i = 0; i < SMALL_POINTS; i++) loss += point(i, rest);
    between();
    _Pragma("GCC unroll 5") for (int r = 0; r < 5; r++)
        EACH vector_store(s.d + where[r] + i * LANES, rest[r][i]);
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
