/* A training step of an MLP 784-512-256-10 by hand: what one would write in plain C if this net were all
 * there was. Forward, backward and Adam; relu; softmax cross-entropy, averaged over the batch; f32; no graph,
 * no allocation. */
#ifndef BENCH_REFERENCE_MLP_H
#define BENCH_REFERENCE_MLP_H
#include <stddef.h>
#include <stdint.h>

struct mlp;

/* batch >= 1, threads >= 1. NULL when memory or threads can't be had, or when there is to be more than one
 * thread and the OpenBLAS loaded is its sequential build (libopenblas-serial), which two threads may not call
 * at once. */
struct mlp *mlp_create(size_t batch, int threads);
void mlp_destroy(struct mlp *mlp);

/* All parameters, flat, in the order of common/mlp_data.h. Setting them also forgets Adam's moments and step
 * count. */
void mlp_set(struct mlp *mlp, const float *parameters);
void mlp_get(const struct mlp *mlp, float *parameters);

/* One step on x [batch, 784] and y [batch], classes from 0 to 9. Gives the loss before the update. Denormals
 * count as zero within the call, on all its threads; the caller's mode is as before when it returns. */
float mlp_step(struct mlp *mlp, const float *x, const int32_t *y);

/* Version and build of the OpenBLAS in use, and the processor it takes this one for. */
const char *mlp_library(void);

#endif
