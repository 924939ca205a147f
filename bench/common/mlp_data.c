/* The data of the MLP benchmark: see mlp_data.h. */
#include "common/mlp_data.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static size_t x_count(size_t batch) { return (size_t)MLP_BATCHES * batch * MLP_IN; }
static size_t y_count(size_t batch) { return (size_t)MLP_BATCHES * batch; }

static int allocate(struct mlp_data *d, size_t batch) {
    *d = (struct mlp_data){.batch = batch};
    d->parameters = malloc(MLP_PARAMETERS * sizeof *d->parameters);
    d->x = malloc(x_count(batch) * sizeof *d->x);
    d->y = malloc(y_count(batch) * sizeof *d->y);
    if (d->parameters && d->x && d->y) return 0;
    mlp_data_free(d);
    return -1;
}

void mlp_data_free(struct mlp_data *d) {
    free(d->parameters);
    free(d->x);
    free(d->y);
    *d = (struct mlp_data){0};
}

/* SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", fig. 16). */
static uint64_t draw(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In [0, 1): the 24 bits that a float holds. */
static float uniform(uint64_t *state) { return (float)(draw(state) >> 40) * 0x1p-24f; }

static void layer(float *w, size_t in, size_t out, uint64_t *state) {
    float bound = sqrtf(6.0f / (float)in);
    for (size_t k = 0; k < in * out; k++) w[k] = bound * (2 * uniform(state) - 1);
    for (size_t k = 0; k < out; k++) w[in * out + k] = 0;
}

int mlp_data_make(struct mlp_data *d, size_t batch) {
    uint64_t state = 1;
    if (allocate(d, batch)) return -1;
    layer(d->parameters + MLP_W1, MLP_IN, MLP_H1, &state);
    layer(d->parameters + MLP_W2, MLP_H1, MLP_H2, &state);
    layer(d->parameters + MLP_W3, MLP_H2, MLP_OUT, &state);
    for (size_t k = 0; k < x_count(batch); k++) d->x[k] = uniform(&state);
    for (size_t k = 0; k < y_count(batch); k++) d->y[k] = (int32_t)(draw(&state) % MLP_OUT);
    return 0;
}

static int transfer(const char *folder, const char *name, const char *mode, void *data, size_t n,
                    size_t size) {
    char path[4096];
    size_t done = 0;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = length > 0 && (size_t)length < sizeof path ? fopen(path, mode) : NULL;
    if (f) {
        done = mode[0] == 'r' ? fread(data, size, n, f) : fwrite(data, size, n, f);
        if (fclose(f)) done = 0;
    }
    if (done == n) return 0;
    fprintf(stderr, "%s/%s: could not %s %zu numbers\n", folder, name, mode[0] == 'r' ? "read" : "write", n);
    return -1;
}

static int all(const struct mlp_data *d, const char *folder, const char *mode) {
    return transfer(folder, "parameters.f32", mode, d->parameters, MLP_PARAMETERS, sizeof *d->parameters) ||
                   transfer(folder, "x.f32", mode, d->x, x_count(d->batch), sizeof *d->x) ||
                   transfer(folder, "y.i32", mode, d->y, y_count(d->batch), sizeof *d->y)
               ? -1
               : 0;
}

int mlp_data_write(const struct mlp_data *d, const char *folder) { return all(d, folder, "wb"); }

int mlp_data_read(struct mlp_data *d, const char *folder, size_t batch) {
    if (allocate(d, batch)) return -1;
    if (all(d, folder, "rb") == 0) return 0;
    mlp_data_free(d);
    return -1;
}
