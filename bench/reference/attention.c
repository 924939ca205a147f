/* Causal attention by hand, in tiles of 64 by 64 that stay in the cache (Dao et al. 2022, "FlashAttention"): for each head
 *
 *     S = Q K'/sqrt(d), row i where j <= i    L_i = log(sum_j e^S_ij)    P = e^(S - L)    O = P V
 *     D_i = sum(g_i O_i)    dV = P' g    dS = P (g V' - D)/sqrt(d)    dQ = dS K    dK = dS' Q
 *
 * No buffer is LENGTH by LENGTH: backward makes P anew. Seven products of tiles for each pair of blocks. */
#include "reference/layer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/vector.h"

enum { T = 64, ROWS = 4, LANES = 16 };

static struct {
    float *kt, *vt;            /* [blocks][T][T]: blocks of K and V, transposed */
    float *log_sum, *weighted; /* L and D, [length] */
    float s[T * T], p[T * T];
} scratch;

int reference_attention_begin(const struct layer *l) {
    size_t length = (size_t)l->in[0].dim[1];
    if (l->in[0].dim[2] != T || length % T)
        return fprintf(stderr,
                       "attention by hand is written for width 64 and a length of whole blocks of 64\n"),
               -1;
    scratch.kt = malloc(length * T * sizeof(float));
    scratch.vt = malloc(length * T * sizeof(float));
    scratch.log_sum = malloc(length * sizeof(float));
    scratch.weighted = malloc(length * sizeof(float));
    return scratch.kt && scratch.vt && scratch.log_sum && scratch.weighted ? 0 : -1;
}

void reference_attention_end(void) {
    free(scratch.kt);
    free(scratch.vt);
    free(scratch.log_sum);
    free(scratch.weighted);
}

/* c = keep c + a b, a's element (i, k) at a[i row + k column]; four rows of c in sixteen registers. */
static inline void product(float *restrict c, float keep, const float *restrict a, size_t row, size_t column,
                           const float *restrict b) {
    for (size_t i = 0; i < T; i += ROWS) {
        vector acc[ROWS][T / LANES];
        for (size_t r = 0; r < ROWS; r++)
            for (size_t j = 0; j < T / LANES; j++)
                acc[r][j] = keep != 0 ? vector_load(c + (i + r) * T + j * LANES) : vector_of(0);
        for (size_t k = 0; k < T; k++) {
            vector bk[T / LANES];
            for (size_t j = 0; j < T / LANES; j++) bk[j] = vector_load(b + k * T + j * LANES);
            for (size_t r = 0; r < ROWS; r++)
                for (size_t j = 0; j < T / LANES; j++) acc[r][j] += a[(i + r) * row + k * column] * bk[j];
        }
        for (size_t r = 0; r < ROWS; r++)
            for (size_t j = 0; j < T / LANES; j++) vector_store(c + (i + r) * T + j * LANES, acc[r][j]);
    }
}

static void transpose(float *restrict out, const float *restrict in) {
    for (size_t i = 0; i < T; i++)
        for (size_t j = 0; j < T; j++) out[j * T + i] = in[i * T + j];
}

/* scratch.s, scaled. */
static void scores(const float *q, size_t block) {
    product(scratch.s, 0, q, T, 1, scratch.kt + block * T * T);
    for (size_t i = 0; i < T * T; i++) scratch.s[i] *= 0.125f;
}

/* p = e^(s - by) for the first n of a row, and 0 beyond; gives the sum. */
static float weights(float *restrict p, const float *restrict s, float by, size_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < n; j++) sum += p[j] = exponential(s[j] - by);
    memset(p + n, 0, (T - n) * sizeof *p);
    return sum;
}

static float row_greatest(const float *s, float most, size_t n) {
#pragma omp simd reduction(max : most)
    for (size_t j = 0; j < n; j++) most = s[j] > most ? s[j] : most;
    return most;
}

/* The rows of one block: o, and scratch.log_sum at first. */
static void forward_block(float *o, const float *q, const float *v, size_t block) {
    float most[T], sum[T];
    for (size_t i = 0; i < T; i++) most[i] = -1e30f, sum[i] = 0;
    memset(o, 0, T * T * sizeof(float));
    for (size_t b = 0; b <= block; b++) {
        scores(q, b);
        for (size_t i = 0; i < T; i++) {
            size_t n = b == block ? i + 1 : T; /* seen */
            float m = row_greatest(scratch.s + i * T, most[i], n), fade = expf(most[i] - m);
            sum[i] = sum[i] * fade + weights(scratch.p + i * T, scratch.s + i * T, m, n);
            most[i] = m;
            for (size_t j = 0; j < T; j++) o[i * T + j] *= fade;
        }
        product(o, 1, scratch.p, T, 1, v + b * T * T);
    }
    for (size_t i = 0; i < T; i++) {
        float inverse = 1 / sum[i];
        for (size_t j = 0; j < T; j++) o[i * T + j] *= inverse;
        scratch.log_sum[block * T + i] = most[i] + logf(sum[i]);
    }
}

static void weigh(const float *g, const float *o, size_t length) {
    for (size_t i = 0; i < length; i++) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t j = 0; j < T; j++) sum += g[i * T + j] * o[i * T + j];
        scratch.weighted[i] = sum;
    }
}

/* What the block of queries q owes to block b of keys. */
static void backward_pair(const float *q, const float *k, const float *g, float *dq, float *dk, float *dv,
                          size_t block, size_t b) {
    scores(q + block * T * T, b);
    for (size_t i = 0; i < T; i++)
        weights(scratch.p + i * T, scratch.s + i * T, scratch.log_sum[block * T + i], b == block ? i + 1 : T);
    product(dv + b * T * T, 1, scratch.p, 1, T, g + block * T * T);
    product(scratch.s, 0, g + block * T * T, T, 1, scratch.vt + b * T * T);
    for (size_t i = 0; i < T; i++)
        for (size_t j = 0; j < T; j++)
            scratch.s[i * T + j] =
                scratch.p[i * T + j] * (scratch.s[i * T + j] - scratch.weighted[block * T + i]) * 0.125f;
    product(dq + block * T * T, 1, scratch.s, T, 1, k + b * T * T);
    product(dk + b * T * T, 1, scratch.s, 1, T, q + block * T * T);
}

void reference_attention(struct layer *l) {
    size_t length = (size_t)l->in[0].dim[1], blocks = length / T;
    for (size_t h = 0, at = 0; h < (size_t)l->rows; h++, at += length * T) {
        const float *q = l->in[0].at + at, *k = l->in[1].at + at, *v = l->in[2].at + at,
                    *g = l->in[3].at + at;
        float *o = l->out[0].at + at, *d[3];
        for (int i = 0; i < 3; i++) memset(d[i] = l->out[i + 1].at + at, 0, length * T * sizeof(float));
        for (size_t b = 0; b < blocks; b++) {
            transpose(scratch.kt + b * T * T, k + b * T * T);
            transpose(scratch.vt + b * T * T, v + b * T * T);
            forward_block(o + b * T * T, q + b * T * T, v, b);
        }
        weigh(g, o, length);
        for (size_t b = 0; b < blocks; b++)
            for (size_t c = 0; c <= b; c++) backward_pair(q, k, g, d[0], d[1], d[2], b, c);
    }
}
