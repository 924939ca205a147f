/* Kernels that every device may use. */
#ifndef DEVICE_KERNELS_H
#define DEVICE_KERNELS_H

#include "device/device.h"

cr_status kernel_unslice(struct kernel_call *c);
cr_status kernel_concat(struct kernel_call *c);
cr_status kernel_gather(struct kernel_call *c);
cr_status kernel_scatter_add(struct kernel_call *c);
cr_status kernel_cumsum(struct kernel_call *c);
cr_status kernel_recur(struct kernel_call *c);
cr_status kernel_extreme(struct kernel_call *c);
cr_status kernel_uniform(struct kernel_call *c);
cr_status kernel_sort(struct kernel_call *c);
cr_status kernel_matmul(struct kernel_call *c);
size_t kernel_matmul_scratch(const struct kernel_call *c);
cr_status kernel_matmul_plain(struct kernel_call *c); /* the oracle's: three loops */

/* n elements of this size, strided both ways. */
void kernel_copy_row(void *out, int64_t out_stride, const void *in, int64_t in_stride, size_t size,
                     int64_t n);

#endif
