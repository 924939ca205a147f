/* Libraries whose matrix product may stand in for our own: one file for each, product_NAME.c. */
#ifndef DEVICE_CPU_PRODUCT_H
#define DEVICE_CPU_PRODUCT_H

#include "device/cpu/gemm.h"

/* A tile of f32 or of f64, on the calling thread, without a setting of the process: its bits depend on sizes and strides alone.
 * Neither side is 0; A, B and C each have one stride of 1. NULL: the library is not in this build. */
typedef void product_fn(const struct gemm_tile *t);
struct product {
    const char *name;
    product_fn *tile[2];
};
extern const struct product product_blis;

/* The call's product in tiles cut by shape alone, by the library that its team names. False: an operand's numbers lie as no
 * library takes them, and nothing was done. */
bool product_matmul(struct kernel_call *c);

#endif
