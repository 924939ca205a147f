/* A layer by hand, forward and backward on one thread, behind the line protocol: layer_reference QUESTION SIZES.., see
 * bench/common/layer.h. A row goes through in a few passes, each a loop that the compiler makes vectors of, and stays in the
 * cache from one to the next: memory sees each tensor once. Floors: bench/run.py has the bytes and the operations. */
#include "reference/layer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"
#include "reference/vector.h"

static float greatest(const float *x, size_t n) {
    float most = x[0];
#pragma omp simd reduction(max : most)
    for (size_t k = 0; k < n; k++) most = x[k] > most ? x[k] : most;
    return most;
}

/* dx = e^(x - most); gives the sum. */
static float exponentials(float *restrict dx, const float *restrict x, float most, size_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < n; k++) sum += dx[k] = exponential(x[k] - most);
    return sum;
}

static void softmax(struct layer *l) {
    size_t columns = (size_t)l->in[0].dim[1];
    double loss = 0;
    for (int64_t i = 0; i < l->rows; i++) {
        const float *x = l->in[0].at + (size_t)i * columns;
        float *dx = l->out[1].at + (size_t)i * columns;
        float most = greatest(x, columns), sum = exponentials(dx, x, most, columns), inverse = 1 / sum;
        for (size_t k = 0; k < columns; k++) dx[k] *= inverse;
        dx[l->classes[i]] -= 1;
        loss += (double)(logf(sum) + most - x[l->classes[i]]);
    }
    l->out[0].at[0] = (float)loss;
}

/* With z = (x - mean)/deviation and h = gain g: dx = (h - mean(h) - z mean(h z))/deviation. */
static void layer_norm_row(struct layer *l, size_t at, size_t n) {
    const float *restrict x = l->in[0].at + at, *restrict g = l->in[3].at + at, *restrict gain = l->in[1].at;
    const float *restrict bias = l->in[2].at;
    float *restrict y = l->out[0].at + at, *restrict dx = l->out[1].at + at;
    float *restrict dgain = l->out[2].at, *restrict dbias = l->out[3].at;
    float sum = 0, squares = 0, h = 0, hz = 0, inverse_n = 1 / (float)n;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < n; k++) sum += x[k];
    float mean = sum * inverse_n;
#pragma omp simd reduction(+ : squares)
    for (size_t k = 0; k < n; k++) squares += (x[k] - mean) * (x[k] - mean);
    float r = 1 / sqrtf(squares * inverse_n + 1e-5f);
#pragma omp simd reduction(+ : h, hz)
    for (size_t k = 0; k < n; k++) {
        float z = (x[k] - mean) * r, gk = g[k];
        y[k] = z * gain[k] + bias[k];
        h += gk * gain[k];
        hz += gk * gain[k] * z;
        dgain[k] += gk * z;
        dbias[k] += gk;
    }
    h *= inverse_n, hz *= inverse_n;
    for (size_t k = 0; k < n; k++) dx[k] = (g[k] * gain[k] - h - (x[k] - mean) * r * hz) * r;
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
