/* Causal attention by hand, 64 queries at a time, whose rows of scores stay in the second-level cache, forward and backward as one
 * pass. With E not yet divided by the sums of its rows, and g' the cotangent divided by them, nothing is computed twice:
 *
 *     S = Q K'    E_ij = e^((S_ij - max_j S_ij)/8) where j <= i    O = E V / sum_j E    g'_i = g_i / sum_j E_ij
 *     dV = E' g'    dS = E (g' V' - g'O)/8    dQ = dS K    dK = dS' Q
 *
 * Matrices of 64 columns, and of scores such blocks, lie without gaps. Along the diagonal STEP rows go together, as far as they see. */
#include "reference/layer.h"
#include <stdio.h>
#include <stdlib.h>

#include "reference/vector.h"

enum { T = 64, ACROSS = T / LANES, STEP = 16, BLOCK = T * T, HALF_LINE = 8 };

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define ALWAYS static inline __attribute__((always_inline))

static struct {
    float *kt, *vt;       /* [blocks][T][T]: blocks of K and V, transposed */
    float *s, *e;         /* [blocks][T][T]: of the present queries S, then dS; and E */
    float g[BLOCK];       /* g' */
    const float *next[8]; /* the next head's tensors, */
    size_t asked, length; /* how much was asked for, of each how much there is */
} scratch;

int reference_attention_begin(const struct layer *l) {
    size_t length = (size_t)l->in[0].dim[1], bytes = length * T * sizeof(float);
    if (l->in[0].dim[2] != T || length % T)
        return fprintf(stderr,
                       "attention by hand is written for width 64 and a length of whole blocks of 64\n"),
               -1;
    scratch.kt = aligned_alloc(64, bytes);
    scratch.vt = aligned_alloc(64, bytes);
    scratch.s = aligned_alloc(64, bytes);
    scratch.e = aligned_alloc(64, bytes);
    return scratch.kt && scratch.vt && scratch.s && scratch.e ? 0 : -1;
}

void reference_attention_end(void) {
    free(scratch.kt);
    free(scratch.vt);
    free(scratch.s);
    free(scratch.e);
}

/* ---- Products ---- */

/* A's element (i, k) is a[i row + k column]. */
struct left {
    const float *a;
    size_t row, column;
};

/* The next head is not in the caches yet: tiles ask for it, half a line for each k. */
static inline const float *ask(size_t k) {
    size_t tensor = scratch.asked / scratch.length;
    if (tensor >= 8) return scratch.g; /* all is asked for */
    const float *from = scratch.next[tensor] + scratch.asked % scratch.length;
    scratch.asked += k * HALF_LINE;
    return from;
}

ALWAYS void tile(float *c, bool keep, struct left l, const float *b, size_t k, const size_t rows,
                 const size_t vectors) {
    vector acc[16][ACROSS];
    UNROLL for (size_t i = 0; i < rows; i++) UNROLL for (size_t j = 0; j < vectors; j++) acc[i][j] =
        keep ? vector_load(c + i * T + j * LANES) : vector_of(0);
    const float *ahead = ask(k);
    for (; k > 0; k--, b += T, l.a += l.column, ahead += HALF_LINE) {
        __builtin_prefetch(ahead, 0, 2);
        vector bk[ACROSS];
        UNROLL for (size_t j = 0; j < vectors; j++) bk[j] = vector_load(b + j * LANES);
        UNROLL for (size_t i = 0; i < rows; i++) {
            const vector each = vector_of(l.a[i * l.row]);
            UNROLL for (size_t j = 0; j < vectors; j++) acc[i][j] += each * bk[j];
        }
    }
    UNROLL for (size_t i = 0; i < rows; i++) UNROLL for (size_t j = 0; j < vectors; j++)
        vector_store(c + i * T + j * LANES, acc[i][j]);
}

ALWAYS void tiles(float *c, bool keep, struct left l, const float *b, size_t k, size_t from, size_t end,
                  const size_t rows, const size_t vectors) {
    for (size_t i = from; i + rows <= end; i += rows)
        tile(c + i * T, keep, (struct left){l.a + i * l.row, l.row, l.column}, b, k, rows, vectors);
}

/* n rows of C, 16 or 64, so many vectors wide, = or += A B: some 24 sums in registers, of 32; 12 of 16. */
static void product(float *c, bool keep, struct left l, const float *b, size_t k, size_t n, size_t vectors) {
    if (LANES < 16) {
        for (size_t j = 0; j < vectors * LANES; j += (size_t)2 * LANES) {
            tiles(c + j, keep, l, b + j, k, 0, n - 4, 6, 2);
            tiles(c + j, keep, l, b + j, k, n - 4, n, 4, 2);
        }
        return;
    }
    switch (vectors) {
    case 1: tiles(c, keep, l, b, k, 0, n, 16, 1); break;
    case 2: tiles(c, keep, l, b, k, 0, n, 8, 2); break;
    case 3: tiles(c, keep, l, b, k, 0, n, 8, 3); break;
    default: tiles(c, keep, l, b, k, 0, n - 4, 6, 4); tiles(c, keep, l, b, k, n - 4, n, 4, 4);
    }
}

/* c[n] = a b[n]', up to the diagonal of the last block. */
static void scores(float *c, const float *a, const float *b, size_t n) {
    for (; n > 1; n--, b += BLOCK, c += BLOCK) product(c, false, (struct left){a, T, 1}, b, T, T, ACROSS);
    for (size_t i = 0; i < T; i += STEP)
        product(c + i * T, false, (struct left){a + i * T, T, 1}, b, T, STEP, (i + STEP) / LANES);
}

/* c = sum_n a[n] b[n] */
static void sum_of(float *c, const float *a, const float *b, size_t n) {
    for (size_t m = 0; m + 1 < n; m++, a += BLOCK, b += BLOCK)
        product(c, m > 0, (struct left){a, T, 1}, b, T, T, ACROSS);
    for (size_t i = 0; i < T; i += STEP)
        product(c + i * T, n > 1, (struct left){a + i * T, T, 1}, b, i + STEP, STEP, ACROSS);
}

/* c[n] += a[n]' b; to the last block nothing came before. */
static void add_to(float *c, const float *a, const float *b, size_t n) {
    for (; n > 1; n--, a += BLOCK, c += BLOCK) product(c, true, (struct left){a, 1, T}, b, T, T, ACROSS);
    for (size_t i = 0; i < T; i += STEP)
        product(c + i * T, false, (struct left){a + i * T + i, 1, T}, b + i * T, T - i, STEP, ACROSS);
}

/* ---- Transposing: lanes whose number has a bit change places with rows ---- */

#define LANE(bit, l, up) ((l) & (bit) ? LANES + (l) - ((up) ? 0 : (bit)) : (l) + ((up) ? (bit) : 0))
#define FOUR(bit, l, up) \
    LANE(bit, (l), up), LANE(bit, (l) + 1, up), LANE(bit, (l) + 2, up), LANE(bit, (l) + 3, up)
#if VECTOR_BYTES == 64
#define LANES_OF(bit, up) FOUR(bit, 0, up), FOUR(bit, 4, up), FOUR(bit, 8, up), FOUR(bit, 12, up)
#elif VECTOR_BYTES == 32
#define LANES_OF(bit, up) FOUR(bit, 0, up), FOUR(bit, 4, up)
#else
#define LANES_OF(bit, up) FOUR(bit, 0, up)
#endif
#define EXCHANGE(bit)                                                     \
    UNROLL for (int row = 0; row < LANES; row++) {                        \
        if (row & (bit)) continue;                                        \
        vector a = r[row], b = r[row + (bit)];                            \
        r[row] = __builtin_shufflevector(a, b, LANES_OF(bit, 0));         \
        r[row + (bit)] = __builtin_shufflevector(a, b, LANES_OF(bit, 1)); \
    }

static void transpose(float *out, const float *in) {
    for (size_t i = 0; i < T; i += LANES)
        for (size_t j = 0; j < T; j += LANES) {
            vector r[LANES];
            UNROLL for (size_t k = 0; k < LANES; k++) r[k] = vector_load(in + (i + k) * T + j),
                                                      __builtin_prefetch(in + (i + k + LANES) * T + j);
            EXCHANGE(1)
            EXCHANGE(2)
#if VECTOR_BYTES >= 32
            EXCHANGE(4)
#endif
#if VECTOR_BYTES >= 64
            EXCHANGE(8)
#endif
            UNROLL for (size_t k = 0; k < LANES; k++) vector_store(out + (j + k) * T + i, r[k]);
        }
}

/* ---- Rows ---- */

/* e^x, x <= 0 */
static inline vector exponential_below(vector x) {
    vector z, p = vector_exp_series(vector_most(vector_of(-87), x), &z);
    return vector_scaled(p, z);
}

static inline vector_bits seen(size_t row) {
    static const int32_t lane[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    vector_bits lanes;
    memcpy(&lanes, lane, sizeof lanes);
    return lanes <= (int)(row % LANES);
}

/* Row i of E by that of S, n blocks of which the last has the diagonal; gives 1/sum. */
static float weights(size_t i, size_t n) {
    const float *s = scratch.s + i * T, *last = s + (n - 1) * BLOCK;
    float *e = scratch.e + i * T, *e_last = e + (n - 1) * BLOCK;
    size_t whole = i / LANES;
    vector_bits some = seen(i);
    vector edge = vector_load(last + whole * LANES),
           most = (vector)(((vector_bits)edge & some) | (~some & (vector_bits)vector_of(-1e30f)));
    for (size_t m = 0; m + 1 < n; m++)
        UNROLL for (size_t j = 0; j < ACROSS; j++) most =
            vector_most(most, vector_load(s + m * BLOCK + j * LANES));
    for (size_t j = 0; j < whole; j++) most = vector_most(most, vector_load(last + j * LANES));
    vector top = vector_of(-0.125f * vector_greatest(most));
    vector sum = (vector)((vector_bits)exponential_below(edge * 0.125f + top) & some);
    vector_store(e_last + whole * LANES, sum);
    for (size_t m = 0; m + 1 < n; m++) UNROLL for (size_t j = 0; j < ACROSS; j++) {
            vector x = exponential_below(vector_load(s + m * BLOCK + j * LANES) * 0.125f + top);
            vector_store(e + m * BLOCK + j * LANES, x);
            sum += x;
        }
    for (size_t j = 0; j < whole; j++) {
        vector x = exponential_below(vector_load(last + j * LANES) * 0.125f + top);
        vector_store(e_last + j * LANES, x);
        sum += x;
    }
    for (size_t j = (whole + 1) * LANES; j % STEP; j += LANES) vector_store(e_last + j, vector_of(0));
    return 1 / vector_sum(sum);
}

/* o = o/sum; gives g'o/8. */
static float output(float *o, const float *g, float inverse) {
    vector sum = vector_of(0);
    UNROLL for (size_t j = 0; j < T; j += LANES) {
        vector x = vector_load(o + j) * inverse;
        vector_store(o + j, x);
        sum += x * vector_load(g + j);
    }
    return 0.125f * vector_sum(sum);
}

/* Row i of dS, of what g'V' is. */
static void score_gradients(size_t i, size_t n, float weighted) {
    const float *e = scratch.e + i * T;
    float *s = scratch.s + i * T;
    for (size_t m = 0; m < n; m++, e += BLOCK, s += BLOCK) {
        size_t end = m + 1 < n ? T : i / STEP * STEP + STEP;
        for (size_t j = 0; j < end; j += LANES)
            vector_store(s + j, vector_load(e + j) * (vector_load(s + j) * 0.125f - weighted));
    }
}

/* ---- The whole ---- */

struct head {
    const float *q, *k, *v, *g;
    float *o, *dq, *dk, *dv;
};

/* The queries of block n - 1, which see n blocks of keys. */
static void queries(const struct head *h, size_t n) {
    const size_t at = (n - 1) * BLOCK;
    float inverse[T];
    scores(scratch.s, h->q + at, scratch.kt, n);
    for (size_t i = 0; i < T; i++) {
        inverse[i] = weights(i, n);
        UNROLL for (size_t j = i * T; j < i * T + T; j += LANES)
            vector_store(scratch.g + j, vector_load(h->g + at + j) * inverse[i]);
    }
    sum_of(h->o + at, scratch.e, h->v, n);
    scores(scratch.s, scratch.g, scratch.vt, n);
    for (size_t i = 0; i < T; i++)
        score_gradients(i, n, output(h->o + at + i * T, scratch.g + i * T, inverse[i]));
    add_to(h->dv, scratch.e, scratch.g, n);
    sum_of(h->dq + at, scratch.s, h->k, n);
    add_to(h->dk, scratch.s, h->q + at, n);
}

void reference_attention(struct layer *l) {
    size_t length = (size_t)l->in[0].dim[1], blocks = length / T;
    for (size_t i = 0, at = 0; i < (size_t)l->rows; i++, at += length * T) {
        const struct head h = {l->in[0].at + at,  l->in[1].at + at,  l->in[2].at + at,  l->in[3].at + at,
                               l->out[0].at + at, l->out[1].at + at, l->out[2].at + at, l->out[3].at + at};
        bool last = i + 1 == (size_t)l->rows;
        for (int t = 0; t < 4; t++) {
            scratch.next[t] = l->in[t].at + at + length * T;
            scratch.next[t + 4] = l->out[t].at + at + length * T;
        }
        scratch.length = length * T;
        scratch.asked = last ? 8 * scratch.length : 0;
        for (size_t n = 0; n < blocks; n++) {
            transpose(scratch.kt + n * BLOCK, h.k + n * BLOCK);
            transpose(scratch.vt + n * BLOCK, h.v + n * BLOCK);
        }
        for (size_t n = 1; n <= blocks; n++) queries(&h, n);
    }
}
