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
