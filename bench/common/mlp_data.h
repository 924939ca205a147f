/* What every side of the MLP benchmark starts from: the same parameters and examples, in raw files, little
 * endian.
 *
 *     parameters.f32   W1 [784, 512], b1 [512], W2 [512, 256], b2 [256], W3 [256, 10], b3 [10], row by row
 *     x.f32            [MLP_BATCHES, batch, 784]
 *     y.i32            [MLP_BATCHES, batch], classes from 0 to 9
 *
 * Step i trains on batch i % MLP_BATCHES. */
#ifndef BENCH_MLP_DATA_H
#define BENCH_MLP_DATA_H
#include <stddef.h>
#include <stdint.h>

enum {
    MLP_IN = 784,
    MLP_H1 = 512,
    MLP_H2 = 256,
    MLP_OUT = 10,
    MLP_W1 = 0,
    MLP_B1 = MLP_W1 + MLP_IN * MLP_H1, /* where each begins in the flat vector */
    MLP_W2 = MLP_B1 + MLP_H1,
    MLP_B2 = MLP_W2 + MLP_H1 * MLP_H2,
    MLP_W3 = MLP_B2 + MLP_H2,
    MLP_B3 = MLP_W3 + MLP_H2 * MLP_OUT,
    MLP_PARAMETERS = MLP_B3 + MLP_OUT,
    MLP_BATCHES = 8
};

struct mlp_data {
    size_t batch;
    float *parameters; /* [MLP_PARAMETERS] */
    float *x;          /* [MLP_BATCHES, batch, MLP_IN] */
    int32_t *y;        /* [MLP_BATCHES, batch] */
};

/* Made from a fixed seed: weights uniform within +-sqrt(6/inputs) (He et al., 2015, "Delving deep into
 * rectifiers", eq. 10), biases 0, inputs uniform in [0, 1), classes uniform. 0, or -1 when memory is out. */
int mlp_data_make(struct mlp_data *out, size_t batch);

/* To or from the three files in a folder that exists. 0, or -1 (the reason is on standard error). */
int mlp_data_write(const struct mlp_data *data, const char *folder);
int mlp_data_read(struct mlp_data *out, const char *folder, size_t batch);

void mlp_data_free(struct mlp_data *data);

#endif
