/* A layer by hand, forward and backward on one thread, behind the line protocol: layer_reference QUESTION SIZES.., see
 * bench/common/layer.h. A row goes through in a few passes, and stays in the cache from one to the next: memory sees
 * each tensor once, and is asked for what comes next while this is computed. Floors: bench/run.py has the bytes and the operations. */
#include "reference/layer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"
#include "reference/vector.h"

/* Numbers of a row that are gone through at a time: what the first cache holds beside all else; with 256 bits more, since each block begins
 * anew in ten places of memory, which the processor's asking ahead takes some lines to see (64 x 50257 on a Zen 3: 1.38 times its floor, 1.24). */
enum { BLOCK = LANES == 16 ? 1024 : 4096, ROOM = 1 << 16 };

static float greatest(const float *x, size_t n) {
    vector most[4];
    size_t k = 0;
    for (size_t j = 0; j < 4; j++) most[j] = vector_of(x[0]);
    for (; k + 4 * LANES <= n; k += 4 * LANES)
        for (size_t j = 0; j < 4; j++) most[j] = vector_most(most[j], vector_load(x + k + j * LANES));
    float all = vector_greatest(vector_most(vector_most(most[0], most[1]), vector_most(most[2], most[3])));
    for (; k < n; k++) all = x[k] > all ? x[k] : all;
    return all;
}

/* Results that stand ready: factor times from goes to `to`, past the caches. */
struct ready {
    float *to, factor;
    const float *from;
    size_t n, at; /* so many are stored */
};

/* Up to where a line of the cache begins in them. */
static void store_head(struct ready *r) {
    for (r->at = 0; r->at < r->n && (uintptr_t)(r->to + r->at) % VECTOR_BYTES; r->at++)
        r->to[r->at] = r->factor * r->from[r->at];
}
static inline void store_some(struct ready *r) {
    if (r->at + LANES > r->n) return;
    vector_store_past(r->to + r->at, r->factor * vector_load(r->from + r->at));
    r->at += LANES;
}
static void store_rest(struct ready *r) {
    while (r->at + LANES <= r->n) store_some(r);
    for (; r->at < r->n; r->at++) r->to[r->at] = r->factor * r->from[r->at];
}

/* y = e^(x - most), the sum of which it gives; asks for the next row and stores the one before meanwhile, so that memory always has something to do. */
static float exponentials(float *restrict y, const float *restrict x, float most, size_t n,
                          struct ready *before) {
    vector sum[4] = {{0}}, m = vector_of(most);
    struct ready r = *before;
    size_t k = 0;
    store_head(&r);
    for (; k + 4 * LANES <= n; k += 4 * LANES)
        for (size_t j = 0; j < 4; j++) {
            __builtin_prefetch(x + n + k + j * LANES);
            vector e = vector_exponential(vector_load(x + k + j * LANES) - m);
            sum[j] += e;
            vector_store(y + k + j * LANES, e);
            store_some(&r);
        }
    store_rest(&r);
    float all = vector_sum(sum[0] + sum[1] + (sum[2] + sum[3]));
    for (; k < n; k++) all += y[k] = exponential(x[k] - most);
    return all;
}

/* Rooms begin a third of a page from the rows and from each other: a number that is read soon after one was written at its place in another page waits for
 * that one. */
static float *room_of(const float *x, size_t n, int which) {
    static _Alignas(4096) float room[2][ROOM + 1024];
    size_t apart = ((uintptr_t)x + (size_t)(which + 1) * 1344) % 4096 / VECTOR_BYTES * LANES;
    return n <= ROOM ? room[which] + apart : NULL;
}

static void softmax(struct layer *l) {
    size_t n = (size_t)l->in[0].dim[1];
    double loss = 0;
    struct ready before = {0};
    for (size_t i = 0; i < (size_t)l->rows; i++) {
        const float *x = l->in[0].at + i * n;
        float *dx = l->out[1].at + i * n, *room = room_of(l->in[0].at, n, (int)(i % 2)),
              *y = room ? room : dx;
        float most = greatest(x, n), sum = exponentials(y, x, most, n, &before);
        y[l->classes[i]] -= sum; /* 1 times it */
        before = (struct ready){.to = dx, .factor = 1 / sum, .from = y, .n = n};
        if (!room) {
            for (size_t k = 0; k < n; k++) dx[k] *= 1 / sum;
            before.n = 0;
        }
        loss += (double)(logf(sum) + most - x[l->classes[i]]);
    }
    store_head(&before);
    store_rest(&before);
    l->out[0].at[0] = (float)loss;
}

/* With z = (x - mean)/deviation and h = gain g: dx = (h - mean(h) - z mean(h z))/deviation. What a row's mean, deviation and
 * those come to is merged from blocks (Chan, Golub and LeVeque 1983); and the next row's blocks are
 * gone through behind this row's, so that memory has something to do all the time. */
struct moments {
    float n, mean, squares, h, hc; /* c = x - mean: sums of c^2, h and h c */
};
struct row {
    float mean, r, h, hz; /* r = 1/deviation */
};

static float mean_of(const float *x, size_t n) {
    vector sum[4] = {{0}};
    size_t k = 0;
    for (; k + 4 * LANES <= n; k += 4 * LANES)
        for (size_t j = 0; j < 4; j++) sum[j] += vector_load(x + k + j * LANES);
    float all = vector_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; k < n; k++) all += x[k];
    return all / (float)n;
}

static struct moments block_moments(const float *x, const float *g, const float *gain, size_t n) {
    struct moments m = {.n = (float)n, .mean = mean_of(x, n)};
    vector squares[2] = {{0}}, h[2] = {{0}}, hc[2] = {{0}};
    size_t k = 0;
    for (; k + 2 * LANES <= n; k += 2 * LANES)
        for (size_t j = 0; j < 2; j++) {
            size_t at = k + j * LANES;
            vector c = vector_load(x + at) - m.mean, hk = vector_load(g + at) * vector_load(gain + at);
            squares[j] += c * c, h[j] += hk, hc[j] += hk * c;
        }
    m.squares = vector_sum(squares[0] + squares[1]);
    m.h = vector_sum(h[0] + h[1]);
    m.hc = vector_sum(hc[0] + hc[1]);
    for (; k < n; k++) {
        float c = x[k] - m.mean, hk = g[k] * gain[k];
        m.squares += c * c, m.h += hk, m.hc += hk * c;
    }
    return m;
}

static void merge(struct moments *a, struct moments b) {
    float n = a->n + b.n, apart = b.mean - a->mean, mean = a->mean + apart * (b.n / n);
    a->squares += b.squares + apart * apart * (a->n * b.n / n);
    a->hc += b.hc + (a->mean - mean) * a->h + (b.mean - mean) * b.h;
    a->h += b.h;
    a->mean = mean;
    a->n = n;
}

static struct row row_of(struct moments m) {
    float r = 1 / sqrtf(m.squares / m.n + 1e-5f);
    return (struct row){m.mean, r, m.h / m.n, m.hc * r / m.n};
}

/* A block of a row, from number `at` of all and number `first` of the row on; n: of a row, which is how far the next row's is. Results go past the
 * caches from registers, from where a line of the cache begins in them. */
static void layer_norm_block(struct layer *l, const struct row *m, size_t at, size_t first, size_t count,
                             size_t n) {
    const float *x = l->in[0].at + at, *g = l->in[3].at + at;
    const float *gain = l->in[1].at + first, *bias = l->in[2].at + first;
    float *dgain = l->out[2].at + first, *dbias = l->out[3].at + first;
    float *y = l->out[0].at + at, *dx = l->out[1].at + at; /* alike in their lines */
    size_t k = 0;
    for (;; k++) {
        for (; k + LANES <= count && (uintptr_t)(y + k) % VECTOR_BYTES == 0; k += LANES) {
            vector z = (vector_load(x + k) - m->mean) * m->r, gk = vector_load(g + k),
                   w = vector_load(gain + k);
            __builtin_prefetch(x + k + n + LANES), __builtin_prefetch(g + k + n + LANES);
            vector_store_past(y + k, z * w + vector_load(bias + k));
            vector_store_past(dx + k, (gk * w - m->h - z * m->hz) * m->r);
            vector_store(dgain + k, vector_load(dgain + k) + gk * z);
            vector_store(dbias + k, vector_load(dbias + k) + gk);
        }
        if (k == count) return;
        float z = (x[k] - m->mean) * m->r;
        y[k] = z * gain[k] + bias[k];
        dx[k] = (g[k] * gain[k] - m->h - z * m->hz) * m->r;
        dgain[k] += g[k] * z;
        dbias[k] += g[k];
    }
}

static void layer_norm(struct layer *l) {
    size_t n = (size_t)l->in[0].dim[1], rows = (size_t)l->rows;
    struct row now = {0};
    memset(l->out[2].at, 0, n * sizeof(float));
    memset(l->out[3].at, 0, n * sizeof(float));
    for (size_t i = 0; i <= rows; i++) { /* row i - 1 is finished while row i comes in */
        struct moments next = {0};
        for (size_t first = 0; first < n; first += BLOCK) {
            size_t count = n - first < BLOCK ? n - first : BLOCK, at = i * n + first;
            if (i) layer_norm_block(l, &now, at - n, first, count, n);
            if (i < rows)
                merge(&next, block_moments(l->in[0].at + at, l->in[3].at + at, l->in[1].at + first, count));
        }
        now = row_of(next);
    }
}

static inline void gelu_lanes(float *y, float *dx, const float *x, const float *g) {
    vector d;
    vector_store(y, vector_gelu(vector_load(x), vector_load(g), &d));
    vector_store(dx, d);
}

/* Lines are asked for some time before their turn, where the processor's own asking ahead ends with each page; on a Zen that costs 0.1 to 0.2. */
#if defined(__znver3__) || defined(__znver4__)
#define ASK(line, to_write) ((void)0)
#else
#define ASK(line, to_write) __builtin_prefetch(line, to_write)
#endif
static void gelu(struct layer *l) {
    enum { AHEAD = 512 };
    const float *restrict x = l->in[0].at, *restrict g = l->in[1].at;
    float *restrict y = l->out[0].at, *restrict dx = l->out[1].at, last[4][LANES] = {{0}};
    size_t n = l->in[0].count, k = 0, rest = n % LANES;
    for (; k + LANES <= n; k += LANES) {
        ASK(x + k + AHEAD, 0), ASK(g + k + AHEAD, 0), ASK(y + k + AHEAD, 1), ASK(dx + k + AHEAD, 1);
        gelu_lanes(y + k, dx + k, x + k, g + k);
    }
    memcpy(last[0], x + k, rest * sizeof(float));
    memcpy(last[1], g + k, rest * sizeof(float));
    gelu_lanes(last[2], last[3], last[0], last[1]);
    memcpy(y + k, last[2], rest * sizeof(float));
    memcpy(dx + k, last[3], rest * sizeof(float));
}

struct side {
    struct layer layer;
    void (*compute)(struct layer *);
};

static void reset(void *self) { (void)self; }

static double step(void *self, size_t i) {
    struct side *s = self;
    s->compute(&s->layer);
    return layer_sample(&s->layer, i);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*compute)(struct layer *);
    } known[] = {
        {"softmax", softmax}, {"layer_norm", layer_norm}, {"gelu", gelu}, {"attention", reference_attention}};
    struct side s = {0};
    if (layer_make(&s.layer, argc - 1, argv + 1)) return EXIT_FAILURE;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, s.layer.name)) s.compute = known[i].compute;
    if (s.compute == reference_attention && reference_attention_begin(&s.layer)) return EXIT_FAILURE;
    struct protocol_bench bench = {
        .name = "C", .note = "1 thread", .self = &s, .reset = reset, .step = step, .calls = 1};
    int status = protocol_serve(&bench);
    reference_attention_end();
    layer_free(&s.layer);
    return status;
}
