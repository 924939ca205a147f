/* See floor_work.h. */
#include "common/floor_work.h"
#include <string.h>

#include "reference/vector.h"

enum { CHAINS = LANES == 16 ? 16 : 12 };

void floor_hot_fill(struct floor_hot *h) {
    for (size_t k = 0; k < FLOOR_HOT; k++) {
        h->in[0][k] = (float)(k % 17) / 4 - 2;
        for (int i = 0; i < 2; i++) h->in[i + 1][k] = h->out[i][k] = (float)(k % 7 + 1) / 8;
    }
    h->one = 1;
    h->half = 0.5f;
}

/* j of 0, LANES .. up to n; `at`: where in the first cache. */
#define EACH(j, at, n) for (size_t j = 0, at = 0; j < (n); j += LANES, at = j % FLOOR_HOT)

static void fma_work(struct floor_hot *h, size_t n) {
    vector acc[CHAINS], a = vector_of(h->half), b = vector_of(h->one);
    for (size_t j = 0; j < CHAINS; j++) acc[j] = vector_of(h->in[0][j]);
    for (size_t k = 0; k < n; k += (size_t)CHAINS * LANES)
        for (size_t j = 0; j < CHAINS; j++) acc[j] = acc[j] * a + b;
    for (size_t j = 1; j < CHAINS; j++) acc[0] += acc[j];
    h->sum[0] = vector_sum(acc[0]);
}

static void exponentials(struct floor_hot *h, size_t n) {
    EACH(j, at, n) vector_store(h->out[0] + at, vector_exponential(vector_load(h->in[0] + at)));
}

/* With the maximum and the quotient that a row before gave: rows go one behind the other. */
static void softmax(struct floor_hot *h, size_t n) {
    vector m = vector_of(h->one), factor = vector_of(h->half), most = m, sum = {0};
    EACH(j, at, n) {
        vector x = vector_load(h->in[0] + at), e = vector_exponential(x - m);
        most = vector_most(most, x);
        sum += e;
        vector_store(h->out[0] + at, e * factor);
    }
    h->sum[0] = vector_sum(sum);
    h->sum[1] = vector_greatest(most);
}

static void gelu(struct floor_hot *h, size_t n) {
    EACH(j, at, n) {
        vector dx, y = vector_gelu(vector_load(h->in[0] + at), vector_load(h->in[1] + at), &dx);
        vector_store(h->out[0] + at, y);
        vector_store(h->out[1] + at, dx);
    }
}

/* With t = tanh(ax + b) and s = sigmoid(cx): dt = (1 - t^2) s, ds = t s (1 - s). */
static void tanh_sigmoid(struct floor_hot *h, size_t n) {
    const vector a = vector_of(h->half), b = a, c = vector_of(h->one), one = c;
    vector value = {0}, da = {0}, db = {0}, dc = {0};
    EACH(j, at, n) {
        vector x = vector_load(h->in[0] + at);
        vector t = one - 2 / (vector_exponential((a + a) * x + (b + b)) + one);
        vector s = one / (vector_exponential(-c * x) + one);
        vector ts = t * s, dt = s - ts * t, ds = ts - ts * s;
        vector_store(h->out[0] + at, a * dt + c * ds);
        value += ts;
        da += x * dt;
        db += dt;
        dc += x * ds;
    }
    h->sum[0] = vector_sum(value), h->sum[1] = vector_sum(da);
    h->sum[2] = vector_sum(db), h->sum[3] = vector_sum(dc);
}

static inline vector root_of(vector x) {
#if defined(__AVX512F__)
    return (vector)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX__)
    return (vector)_mm256_sqrt_ps((__m256)x);
#else
    for (int i = 0; i < LANES; i++) x[i] = sqrtf(x[i]);
    return x;
#endif
}

/* 1/x by a step of Newton's from a first guess, where there is one: the divider has the roots to find. */
static inline vector inverse(vector x) {
#ifdef __AVX512F__
    vector y = (vector)_mm512_rcp14_ps((__m512)x);
    return (1 - x * y) * y + y;
#else
    return 1 / x;
#endif
}

/* Of the gradient s g_j, where s and s^2 are of the row and g_j^2 of the column; the learning rate is in root and eps. */
static void adam(struct floor_hot *h, size_t n) {
    const vector s = vector_of(0.1f * h->half), squared = vector_of(1e-3f * h->half),
                 root = vector_of(h->one), eps = vector_of(1e-8f * h->one);
    EACH(j, at, n) {
        vector m = vector_load(h->out[0] + at) * 0.9f + s * vector_load(h->in[0] + at);
        vector v = vector_load(h->out[1] + at) * 0.999f + squared * vector_load(h->in[1] + at);
        vector_store(h->out[0] + at, m);
        vector_store(h->out[1] + at, v);
        vector_store(h->in[2] + at, vector_load(h->in[2] + at) - m * inverse(root_of(v) * root + eps));
    }
}

floor_work *floor_work_of(const char *name) {
    static const struct {
        const char *name;
        floor_work *work;
    } known[] = {{"fma", fma_work}, {"exp", exponentials},          {"softmax", softmax},
                 {"gelu", gelu},    {"tanh_sigmoid", tanh_sigmoid}, {"adam", adam}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) return known[i].work;
    return NULL;
}
