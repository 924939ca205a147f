/* The MLP by hand: see mlp.h. Matrices lie row by row; a weight is [inputs, outputs].
 *
 *     h1 = relu(x W1 + b1)    h2 = relu(h1 W2 + b2)    z = h2 W3 + b3    loss = mean(log(sum(exp(z))) - z[y])
 *     gz = (softmax(z) - onehot(y)) / batch    g2 = gz W3' where h2 > 0    g1 = g2 W2' where h1 > 0
 *     dW3 = h2' gz    dW2 = h1' g2    dW1 = x' g1    db = the sum of the g's rows
 *
 * Threads split the rows of the batch on the way to g1, then, after one barrier, the rows of each weight: a
 * thread takes the products for its rows and updates them at once. At batch 1 they split outputs and inputs
 * instead, and the weights' gradient, which is an outer product there, goes into the update without being
 * stored. */
#define _POSIX_C_SOURCE 200809L
#include "reference/mlp.h"
#include "common/mlp_data.h"
#include "reference/team.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined __SSE__
#include <immintrin.h>
#endif

enum { LINE = 64 };

struct adam {
    float rate, root;
}; /* lr / (1 - b1^t), 1 / sqrt(1 - b2^t) */

struct mlp {
    size_t batch;
    int threads;
    unsigned step;
    struct team *team;
    float *p, *g, *m, *v;         /* parameters, gradient, moments: [MLP_PARAMETERS] */
    float *h1, *h2, *z, *g1, *g2; /* [batch, ..] */
    float *loss;                  /* [threads], a cache line each */
    struct adam adam;
    const float *x;
    const int32_t *y;
};

static const float b1 = 0.9f, b2 = 0.999f, eps = 1e-8f;

/* Part i of n things among so many threads, in multiples of 16 floats (a cache line) but for the rest. */
static size_t cut(size_t n, int i, int threads) {
    return i == threads ? n : n * (size_t)i / (size_t)threads / 16 * 16;
}

/* Adam (Kingma, Ba 2015, algorithm 1), the bias corrections folded into two factors, as PyTorch does:
 * p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps). */
static inline void adam_one(float *p, float *m, float *v, float g, struct adam a) {
    *m += (1 - b1) * (g - *m);
    *v = b2 * *v + (1 - b2) * g * g;
    *p -= a.rate * *m / (sqrtf(*v) * a.root + eps);
}

static void adam(float *restrict p, float *restrict m, float *restrict v, const float *restrict g, size_t n,
                 struct adam a) {
    for (size_t k = 0; k < n; k++) adam_one(&p[k], &m[k], &v[k], g[k], a);
}

/* The same with the gradient s * g. */
static void adam_scaled(float *restrict p, float *restrict m, float *restrict v, float s,
                        const float *restrict g, size_t n, struct adam a) {
    for (size_t k = 0; k < n; k++) adam_one(&p[k], &m[k], &v[k], s * g[k], a);
}

static void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const float *a,
                    size_t lda, const float *b, size_t ldb, float *c, size_t ldc) {
    cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, 0, c, (int)ldc);
}

static void bias_relu(float *restrict h, const float *restrict b, size_t rows, size_t n) {
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n; j++) {
            float s = h[r * n + j] + b[j];
            h[r * n + j] = s > 0 ? s : 0;
        }
}

/* g where h > 0, else 0. */
static void mask(float *restrict g, const float *restrict h, size_t n) {
    for (size_t k = 0; k < n; k++) g[k] = h[k] > 0 ? g[k] : 0;
}

/* z [rows, 10] without its bias becomes gz. Gives the sum of the rows' losses. */
static float softmax(float *z, const float *b, const int32_t *y, size_t rows, float scale) {
    float loss = 0;
    for (size_t r = 0; r < rows; r++, z += MLP_OUT) {
        float most = -INFINITY, sum = 0, chosen;
        for (size_t j = 0; j < MLP_OUT; j++) {
            z[j] += b[j];
            most = z[j] > most ? z[j] : most;
        }
        chosen = z[y[r]] - most;
        for (size_t j = 0; j < MLP_OUT; j++) sum += z[j] = expf(z[j] - most);
        for (size_t j = 0; j < MLP_OUT; j++) z[j] *= scale / sum;
        z[y[r]] -= scale;
        loss += logf(sum) - chosen;
    }
    return loss;
}

/* h = x W + b for rows of the batch; relu but for the last layer, whose bias softmax adds. */
static void forward(const float *x, size_t in, const float *w, float *h, size_t out, size_t rows) {
    product(CblasNoTrans, CblasNoTrans, rows, out, in, x, in, w, out, h, out);
}

static void backward(const float *g, size_t out, const float *w, const float *h, float *gx, size_t in,
                     size_t rows) {
    product(CblasNoTrans, CblasTrans, rows, in, out, g, out, w, out, gx, in);
    mask(gx, h, rows * in);
}

/* Rows first..end of W [in, out] from x [batch, in] and g [batch, out]. */
static void update_weight(struct mlp *n, size_t offset, const float *x, size_t in, const float *g, size_t out,
                          size_t first, size_t end) {
    size_t at = offset + first * out;
    product(CblasTrans, CblasNoTrans, end - first, out, n->batch, x + first, in, g, out, n->g + at, out);
    adam(n->p + at, n->m + at, n->v + at, n->g + at, (end - first) * out, n->adam);
}

static void update_bias(struct mlp *n, size_t offset, const float *g, size_t out, size_t first, size_t end) {
    float *sum = n->g + offset;
    for (size_t j = first; j < end; j++) sum[j] = 0;
    for (size_t r = 0; r < n->batch; r++)
        for (size_t j = first; j < end; j++) sum[j] += g[r * out + j];
    offset += first;
    adam(n->p + offset, n->m + offset, n->v + offset, n->g + offset, end - first, n->adam);
}

static void update_layer(struct mlp *n, size_t offset, const float *x, size_t in, const float *g, size_t out,
                         int i) {
    update_weight(n, offset, x, in, g, out, cut(in, i, n->threads), cut(in, i + 1, n->threads));
    update_bias(n, offset + in * out, g, out, cut(out, i, n->threads), cut(out, i + 1, n->threads));
}

/* Thread i's part of a step with a batch. */
static void step_batch(void *arg, int i) {
    struct mlp *n = arg;
    const float *p = n->p;
    size_t r = n->batch * (size_t)i / (size_t)n->threads,
           rows = n->batch * (size_t)(i + 1) / (size_t)n->threads - r;
    float *h1 = n->h1 + r * MLP_H1, *h2 = n->h2 + r * MLP_H2, *z = n->z + r * MLP_OUT;

    forward(n->x + r * MLP_IN, MLP_IN, p + MLP_W1, h1, MLP_H1, rows);
    bias_relu(h1, p + MLP_B1, rows, MLP_H1);
    forward(h1, MLP_H1, p + MLP_W2, h2, MLP_H2, rows);
    bias_relu(h2, p + MLP_B2, rows, MLP_H2);
    forward(h2, MLP_H2, p + MLP_W3, z, MLP_OUT, rows);
    n->loss[i * LINE] = softmax(z, p + MLP_B3, n->y + r, rows, 1 / (float)n->batch);
    backward(z, MLP_OUT, p + MLP_W3, h2, n->g2 + r * MLP_H2, MLP_H2, rows);
    backward(n->g2 + r * MLP_H2, MLP_H2, p + MLP_W2, h1, n->g1 + r * MLP_H1, MLP_H1, rows);
    team_meet(n->team);
    update_layer(n, MLP_W3, n->h2, MLP_H2, n->z, MLP_OUT, i);
    update_layer(n, MLP_W2, n->h1, MLP_H1, n->g2, MLP_H2, i);
    update_layer(n, MLP_W1, n->x, MLP_IN, n->g1, MLP_H1, i);
}

/* h[first..end] = relu(b + x W) for one row x; ROWS rows of W at a time, so that h is read and written less
 * often. */
static void vector_forward(const float *restrict x, size_t in, const float *restrict w, size_t out,
                           const float *restrict b, float *restrict h, size_t first, size_t end) {
    enum { ROWS = 8 };
    for (size_t j = first; j < end; j++) h[j] = b[j];
    for (size_t i = 0; i < in; i += ROWS)
        for (size_t j = first; j < end; j++) {
            float s = h[j];
            for (size_t k = 0; k < ROWS; k++) s += x[i + k] * w[(i + k) * out + j];
            h[j] = s;
        }
    for (size_t j = first; j < end; j++) h[j] = h[j] > 0 ? h[j] : 0;
}

/* gx[i] = W[i, :] . g where h[i] > 0. */
static void vector_backward(const float *g, size_t out, const float *w, const float *h, float *gx,
                            size_t first, size_t end) {
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)(end - first), (int)out, 1, w + first * out, (int)out, g, 1,
                0, gx + first, 1);
    mask(gx + first, h + first, end - first);
}

static void vector_update(struct mlp *n, size_t offset, const float *x, size_t in, const float *g, size_t out,
                          int i) {
    for (size_t r = cut(in, i, n->threads); r < cut(in, i + 1, n->threads); r++) {
        size_t at = offset + r * out;
        adam_scaled(n->p + at, n->m + at, n->v + at, x[r], g, out, n->adam);
    }
    size_t first = cut(out, i, n->threads), at = offset + in * out + first;
    adam(n->p + at, n->m + at, n->v + at, g + first, cut(out, i + 1, n->threads) - first, n->adam);
}

/* Thread i's part of a step with one example. The last layer is so small that each thread computes all of it:
 * its z is its own. */
static void step_one(void *arg, int i) {
    struct mlp *n = arg;
    const float *p = n->p;
    float z[MLP_OUT] = {0};
    int t = n->threads;

    vector_forward(n->x, MLP_IN, p + MLP_W1, MLP_H1, p + MLP_B1, n->h1, cut(MLP_H1, i, t),
                   cut(MLP_H1, i + 1, t));
    team_meet(n->team);
    vector_forward(n->h1, MLP_H1, p + MLP_W2, MLP_H2, p + MLP_B2, n->h2, cut(MLP_H2, i, t),
                   cut(MLP_H2, i + 1, t));
    team_meet(n->team);
    for (size_t k = 0; k < MLP_H2; k++)
        for (size_t j = 0; j < MLP_OUT; j++) z[j] += n->h2[k] * p[MLP_W3 + k * MLP_OUT + j];
    n->loss[i * LINE] = softmax(z, p + MLP_B3, n->y, 1, 1) / (float)t;
    vector_backward(z, MLP_OUT, p + MLP_W3, n->h2, n->g2, cut(MLP_H2, i, t), cut(MLP_H2, i + 1, t));
    team_meet(n->team);
    vector_backward(n->g2, MLP_H2, p + MLP_W2, n->h1, n->g1, cut(MLP_H1, i, t), cut(MLP_H1, i + 1, t));
    team_meet(n->team);
    vector_update(n, MLP_W3, n->h2, MLP_H2, z, MLP_OUT, i);
    vector_update(n, MLP_W2, n->h1, MLP_H1, n->g2, MLP_H2, i);
    vector_update(n, MLP_W1, n->x, MLP_IN, n->g1, MLP_H1, i);
}

/* Denormals as zero, both read and written; a net that fits its data drives its gradients through them. */
static void step_part(void *arg, int i) {
    struct mlp *n = arg;
#if defined __SSE__
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040); /* FTZ and DAZ: Intel's manual, volume 1, 10.2.3 */
#endif
    (n->batch == 1 ? step_one : step_batch)(n, i);
#if defined __SSE__
    _mm_setcsr(mode);
#endif
}

float mlp_step(struct mlp *n, const float *x, const int32_t *y) {
    double t = ++n->step, loss = 0;
    n->adam = (struct adam){.rate = (float)(1e-3 / (1 - pow(0.9, t))),
                            .root = (float)(1 / sqrt(1 - pow(0.999, t)))};
    n->x = x;
    n->y = y;
    team_run(n->team, step_part, n);
    for (int i = 0; i < n->threads; i++) loss += (double)n->loss[i * LINE];
    return (float)(loss / (double)n->batch);
}

void mlp_set(struct mlp *n, const float *parameters) {
    memcpy(n->p, parameters, MLP_PARAMETERS * sizeof(float));
    memset(n->m, 0, MLP_PARAMETERS * sizeof(float));
    memset(n->v, 0, MLP_PARAMETERS * sizeof(float));
    n->step = 0;
}

void mlp_get(const struct mlp *n, float *parameters) {
    memcpy(parameters, n->p, MLP_PARAMETERS * sizeof(float));
}

/* All arrays in one block, each on a page of its own. */
static int allocate(struct mlp *n) {
    enum { PAGE = 4096 / sizeof(float) };
    size_t b = n->batch,
           size[] = {
               MLP_PARAMETERS, MLP_PARAMETERS, MLP_PARAMETERS, MLP_PARAMETERS, b * MLP_H1,
               b * MLP_H2,     b * MLP_OUT,    b * MLP_H1,     b * MLP_H2,     (size_t)n->threads * LINE};
    float **out[] = {&n->p, &n->g, &n->m, &n->v, &n->h1, &n->h2, &n->z, &n->g1, &n->g2, &n->loss};
    size_t total = 0, count = sizeof size / sizeof *size;
    for (size_t k = 0; k < count; k++) total += size[k] = (size[k] + PAGE - 1) / PAGE * PAGE;
    float *block = aligned_alloc(4096, total * sizeof *block);
    if (!block) return -1;
    memset(block, 0, total * sizeof *block);
    for (size_t k = 0; k < count; block += size[k++]) *out[k] = block;
    return 0;
}

/* Our threads call OpenBLAS at once, each for its own part, so OpenBLAS itself must use one, and be a build
 * that allows it: its sequential build takes no lock where it hands out packing buffers (seen: one of 4,000
 * products wrong on two threads, and a loss off by 1 %). */
struct mlp *mlp_create(size_t batch, int threads) {
    struct mlp *n = calloc(1, sizeof *n);
    if (!n) return NULL;
    n->batch = batch;
    n->threads = threads;
    openblas_set_num_threads(1);
    if ((threads > 1 && openblas_get_parallel() == OPENBLAS_SEQUENTIAL) || allocate(n) ||
        !(n->team = team_create(threads))) {
        mlp_destroy(n);
        return NULL;
    }
    return n;
}

const char *mlp_library(void) {
    static char text[64];
    char name[16] = "", version[16] = "";
    sscanf(openblas_get_config(), "%15s %15s", name, version);
    snprintf(text, sizeof text, "%s %s, %s", name, version, openblas_get_corename());
    return text;
}

void mlp_destroy(struct mlp *n) {
    if (!n) return;
    team_destroy(n->team);
    free(n->p);
    free(n);
}
