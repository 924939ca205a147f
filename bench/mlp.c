/* A training step of the MLP 784-512-256-10, batch 128 and 1, Adam: milliseconds, and gigaflops of its matrix products.
 *   bench_mlp [batch] [threads] */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "chainrule.h"

enum { layers = 3 };
static const int64_t sizes[layers + 1] = {784, 512, 256, 10};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static cr_node number(cr_graph *g, double v) { return cr_number(g, v); }

/* Kingma and Ba 2015; the corrections of both moments are scalars. */
static void adam(cr_target *t, cr_graph *g, cr_node w, cr_node dw, int i) {
    char m_name[16], v_name[16];
    snprintf(m_name, sizeof m_name, "m%d", i);
    snprintf(v_name, sizeof v_name, "v%d", i);
    cr_node m = cr_param(g, m_name, CR_F32, cr_rank(w), cr_dims(w)),
            v = cr_param(g, v_name, CR_F32, cr_rank(w), cr_dims(w));
    cr_node step = cr_cast(cr_add(cr_step_number(g), number(g, 1)), CR_F32);
    cr_node m2 = cr_add(cr_mul(number(g, 0.9), m), cr_mul(number(g, 0.1), dw));
    cr_node v2 = cr_add(cr_mul(number(g, 0.999), v), cr_mul(number(g, 0.001), cr_square(dw)));
    cr_node rate = cr_div(number(g, 1e-3), cr_sub(number(g, 1), cr_pow(number(g, 0.9), step)));
    cr_node scale = cr_rsqrt(cr_sub(number(g, 1), cr_pow(number(g, 0.999), step)));
    cr_node change = cr_div(cr_mul(rate, m2), cr_add(cr_mul(scale, cr_sqrt(v2)), number(g, 1e-8)));
    cr_param_init(m, number(g, 0));
    cr_param_init(v, number(g, 0));
    cr_target_update(t, m, m2);
    cr_target_update(t, v, v2);
    cr_target_update(t, w, cr_sub(w, change));
}

static cr_program *compile(cr_graph *g, int64_t batch) {
    cr_node h = cr_input(g, "x", CR_F32, 2, (int64_t[]){batch, sizes[0]}),
            y = cr_input(g, "y", CR_I32, 1, &batch), w[2 * layers], d[2 * layers];
    for (int i = 0; i < layers; i++) {
        char name[16];
        snprintf(name, sizeof name, "W%d", i);
        w[2 * i] = cr_param(g, name, CR_F32, 2, &sizes[i]);
        snprintf(name, sizeof name, "b%d", i);
        w[2 * i + 1] = cr_param(g, name, CR_F32, 1, &sizes[i + 1]);
        cr_param_init(w[2 * i], cr_he_normal(cr_fold_in(cr_seed(g), number(g, i)), 2, &sizes[i], CR_F32));
        cr_param_init(w[2 * i + 1], number(g, 0));
        h = cr_add(cr_matmul(h, w[2 * i]), w[2 * i + 1]);
        if (i + 1 < layers) h = cr_relu(h);
    }
    cr_node loss = cr_mean(cr_cross_entropy(h, y), 0, NULL, false);
    cr_grad(d, loss, 2 * layers, w);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", loss);
    for (int i = 0; i < 2 * layers; i++) adam(t, g, w[i], d[i], i);
    cr_program *p = NULL;
    if (cr_compile(&p, t, NULL)) fprintf(stderr, "%s\n", cr_graph_error(g));
    cr_target_free(t);
    return p;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    int64_t batch = argc > 1 ? atol(argv[1]) : 128;
    int threads = argc > 2 ? atoi(argv[2]) : 1, rounds = 60;
    cr_context *ctx = NULL;
    cr_store *store = NULL;
    cr_run *r = NULL;
    float *x = malloc((size_t)batch * 784 * sizeof *x), loss = 0;
    int32_t *y = malloc((size_t)batch * sizeof *y);
    double time[60];
    if (cr_context_new(&ctx) || cr_context_threads(ctx, threads) || cr_store_new(&store, ctx) || !x || !y)
        return 1;
    for (int64_t i = 0; i < batch * 784; i++)
        x[i] = (float)fmod((double)i * 0.61803398874989 * (double)(1 + i % 7), 1);
    for (int64_t i = 0; i < batch; i++) y[i] = (int32_t)(i * 7 % 10);
    cr_graph *g = cr_graph_new(ctx);
    cr_program *p = compile(g, batch);
    if (!p || cr_store_init(store, g, 1) || cr_run_new(&r, p, store, NULL, 0)) return 1;
    cr_bind(r, "x", CR_F32, x, (size_t)batch * 784 * sizeof *x);
    cr_bind(r, "y", CR_I32, y, (size_t)batch * sizeof *y);
    cr_bind(r, "loss", CR_F32, &loss, sizeof loss);
    for (int i = 0; i < rounds; i++) {
        double start = now();
        if (cr_step(r)) return fprintf(stderr, "%s\n", cr_run_error(r)), 1;
        time[i] = now() - start;
    }
    qsort(time, (size_t)rounds, sizeof *time, by_value);
    double flops = 0; /* forward, and backward by weights; by inputs for all layers but the first */
    for (int i = 0; i < layers; i++)
        flops += (i ? 3. : 2.) * 2 * (double)batch * (double)sizes[i] * (double)sizes[i + 1];
    printf("batch %lld, %d threads: %.3f ms a step (median of %d), %.1f GFLOP/s, %zu kernels, %zu bytes of "
           "workspace, loss %.4f\n",
           (long long)batch, cr_context_thread_count(ctx), time[rounds / 2] * 1e3, rounds,
           flops / time[rounds / 2] * 1e-9, cr_program_steps(p), cr_program_workspace(p), (double)loss);
    cr_run_free(r);
    cr_program_free(p);
    cr_graph_free(g);
    cr_store_free(store);
    cr_context_free(ctx);
    free(x), free(y);
    return 0;
}
