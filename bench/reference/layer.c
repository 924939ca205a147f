/* A layer by hand, forward and backward on one thread, behind the line protocol: layer_reference QUESTION SIZES.., see
 * bench/common/layer.h. A row goes through in a few passes, and stays in the cache from one to the next: memory sees
 * each tensor once, and is asked for the next row while this one is computed. Floors: bench/run.py has the bytes and the operations. */
#include "reference/layer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"
#include "reference/vector.h"

enum { LANES = 16, NEAR = 1024, BLOCK = 1024, ROOM = 1 << 16 };

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

/* y = e^(x - most), the sum of which it gives; asks for the next row meanwhile. */
static float exponentials(float *restrict y, const float *restrict x, float most, size_t n) {
    vector sum[4] = {{0}}, m = vector_of(most);
    size_t k = 0;
    for (; k + 4 * LANES <= n; k += 4 * LANES)
        for (size_t j = 0; j < 4; j++) {
            __builtin_prefetch(x + n + k + j * LANES);
            vector e = vector_exponential(vector_load(x + k + j * LANES) - m);
            sum[j] += e;
            vector_store(y + k + j * LANES, e);
        }
    float all = vector_sum(sum[0] + sum[1] + (sum[2] + sum[3]));
    for (; k < n; k++) all += y[k] = exponential(x[k] - most);
    return all;
}

static void softmax(struct layer *l) {
    static _Alignas(64) float room[ROOM];
    size_t n = (size_t)l->in[0].dim[1];
    double loss = 0;
    for (size_t i = 0; i < (size_t)l->rows; i++) {
        const float *x = l->in[0].at + i * n;
        float *dx = l->out[1].at + i * n, *y = n <= ROOM ? room : dx, most = greatest(x, n);
        float sum = exponentials(y, x, most, n);
        y[l->classes[i]] -= sum; /* 1 times it */
        if (y == room) vector_stream_times(dx, room, 1 / sum, n);
        else
            for (size_t k = 0; k < n; k++) dx[k] *= 1 / sum;
        loss += (double)(logf(sum) + most - x[l->classes[i]]);
    }
    l->out[0].at[0] = (float)loss;
}

/* With z = (x - mean)/deviation and h = gain g: dx = (h - mean(h) - z mean(h z))/deviation. */
struct moments {
    float mean, r, h, hz; /* r = 1/deviation */
};

static struct moments moments_of(const float *restrict x, const float *restrict g, const float *restrict gain,
                                 size_t n) {
    struct moments m;
    float sum = 0, squares = 0, h = 0, hz = 0, inverse_n = 1 / (float)n;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < n; k++) sum += x[k];
    float mean = m.mean = sum * inverse_n;
#pragma omp simd reduction(+ : squares, h, hz)
    for (size_t k = 0; k < n; k++) {
        float c = x[k] - mean, hk = g[k] * gain[k];
        squares += c * c, h += hk, hz += hk * c;
    }
    m.r = 1 / sqrtf(squares * inverse_n + 1e-5f);
    m.h = h * inverse_n;
    m.hz = hz * m.r * inverse_n;
    return m;
}

static void layer_norm_row(struct layer *l, size_t at, size_t n) {
    const float *restrict x = l->in[0].at + at, *restrict g = l->in[3].at + at, *restrict gain = l->in[1].at;
    const float *restrict bias = l->in[2].at;
    float *restrict dgain = l->out[2].at, *restrict dbias = l->out[3].at, y[BLOCK], dx[BLOCK];
    struct moments m = moments_of(x, g, gain, n);
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t count = n - first < BLOCK ? n - first : BLOCK;
        size_t k = 0, ahead = n <= NEAR ? n : 0;
        for (; k + LANES <= count; k += LANES) {
            size_t j = first + k;
            vector z = (vector_load(x + j) - m.mean) * m.r, gj = vector_load(g + j),
                   w = vector_load(gain + j);
            if (ahead) __builtin_prefetch(x + j + ahead), __builtin_prefetch(g + j + ahead);
            vector_store(y + k, z * w + vector_load(bias + j));
            vector_store(dx + k, (gj * w - m.h - z * m.hz) * m.r);
            vector_store(dgain + j, vector_load(dgain + j) + gj * z);
            vector_store(dbias + j, vector_load(dbias + j) + gj);
        }
        for (; k < count; k++) {
            size_t j = first + k;
            float z = (x[j] - m.mean) * m.r, gj = g[j];
            y[k] = z * gain[j] + bias[j];
            dx[k] = (gj * gain[j] - m.h - z * m.hz) * m.r;
            dgain[j] += gj * z;
            dbias[j] += gj;
        }
        vector_stream(l->out[0].at + at + first, y, count);
        vector_stream(l->out[1].at + at + first, dx, count);
    }
}

static void layer_norm(struct layer *l) {
    size_t n = (size_t)l->in[0].dim[1];
    memset(l->out[2].at, 0, n * sizeof(float));
    memset(l->out[3].at, 0, n * sizeof(float));
    for (size_t i = 0; i < (size_t)l->rows; i++) layer_norm_row(l, i * n, n);
}

/* x Phi(x), Phi to 1e-7 by Abramowitz and Stegun, Handbook, 7.1.26; the exponential there is that of the density too. */
static void gelu(struct layer *l) {
    const float *restrict x = l->in[0].at, *restrict g = l->in[1].at;
    float *restrict y = l->out[0].at, *restrict dx = l->out[1].at;
    for (size_t k = 0; k < l->in[0].count; k++) {
        float v = x[k], a = fabsf(v) * 0.70710678f, e = exponential(-a * a), t = 1 / fmaf(0.3275911f, a, 1);
        float p = fmaf(t, 1.061405429f, -1.453152027f);
        p = fmaf(p, t, 1.421413741f);
        p = fmaf(p, t, -0.284496736f);
        p = fmaf(p, t, 0.254829592f);
        float tail = 0.5f * p * t * e, phi = v < 0 ? tail : 1 - tail;
        y[k] = v * phi;
        dx[k] = g[k] * (phi + v * 0.39894228f * e);
    }
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
