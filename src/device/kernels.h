/* Kernels that every device may use. */
#ifndef DEVICE_KERNELS_H
#define DEVICE_KERNELS_H

#include <string.h>

#include "device/device.h"

/* kernel_NAME for each name in the table. */
typedef size_t scratch_fn(const struct kernel_call *c);
#define DECLARE_ELEM(value)
#define DECLARE_REDUCE(start, combine)
#define DECLARE_VIEW(map)
#define DECLARE_OPAQUE(kernel, scratch)              kernel_fn kernel_##kernel;
#define DECLARE_PARTS(kernel, scratch, second, name) kernel_fn kernel_##kernel;
#define DECLARE_CONTROL(kernel)
#define DECLARE_ALIAS
#define DECLARE_LEAF
#define ROW(name, form, arguments, kind, ...) DECLARE_##kind
#include "ops/ops.def"
#undef ROW

/* Bytes of scratch a task: 8 for each element of a line along the last axis; tiles of a product; copies of matrices. */
scratch_fn kernel_line_scratch, kernel_matmul_scratch, kernel_matrix_scratch;
cr_status kernel_matmul_plain(struct kernel_call *c); /* the oracle's: three loops */

/* n elements of this size, strided both ways. */
void kernel_copy_row(void *out, int64_t out_stride, const void *in, int64_t in_stride, size_t size,
                     int64_t n);

/* Where the i-th element, in row-major order over the first `rank` axes, stands. */
static inline int64_t offset_of(const struct tensor *x, int rank, int64_t i) {
    int64_t offset = 0;
    for (int k = rank - 1; k >= 0; k--) {
        offset += i % x->dim[k] * x->stride[k];
        i /= x->dim[k];
    }
    return offset;
}

/* The first `rank` axes of a tensor as one: where element i of them stands, in elements. even: how far apart neighbours
 * are, where that is always the same, which saves the divisions; else -1. */
struct axes {
    const struct tensor *x;
    int rank;
    int64_t even;
};

static inline struct axes axes_of(const struct tensor *x, int rank) {
    struct axes a = {x, rank, rank ? x->stride[rank - 1] : 0};
    for (int k = 0; k + 1 < rank; k++)
        if (x->stride[k] != x->dim[k + 1] * x->stride[k + 1]) a.even = -1;
    return a;
}

static inline int64_t axes_offset(const struct axes *a, int64_t i) {
    return a->even >= 0 ? i * a->even : offset_of(a->x, a->rank, i);
}

/* Runs of usual lengths without a call. */
static inline void copy_run(char *to, const char *from, size_t bytes) {
    switch (bytes) {
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    case 16: memcpy(to, from, 16); break;
    case 24: memcpy(to, from, 24); break;
    case 32: memcpy(to, from, 32); break;
    case 64: memcpy(to, from, 64); break;
    case 128: memcpy(to, from, 128); break;
    default: memcpy(to, from, bytes); break;
    }
}

#endif
