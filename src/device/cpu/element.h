/* The kernels of each instruction set: elementwise, reducing, of argmax and of scatter_add. */
#ifndef DEVICE_CPU_ELEMENT_H
#define DEVICE_CPU_ELEMENT_H

#include "device/device.h"

struct kernel_set {
    element_fn *(*element)(int op, cr_dtype dtype); /* as find_element says */
    const struct fold *(*fold)(int op, cr_dtype dtype);
    extreme_fn *(*extreme)(int op, cr_dtype dtype);
    scatter_fn *(*scatter)(cr_dtype dtype);
};
#define KERNEL_SET \
    { find_element, find_fold, find_extreme, find_scatter }

#if defined(__x86_64__) && defined(__GNUC__)
#define ELEMENT_X86
extern const struct kernel_set kernels_avx2, kernels_avx512;
#endif
extern const struct kernel_set kernels_base; /* of the processor that the library was built for */

const struct kernel_set *cpu_kernels(void); /* the widest that this processor runs */
/* C that only a compiler passes whose code has the bits of those: it fuses what they fuse, and has their tables. */
const char *cpu_kernels_guard(void);

element_fn *element_reference(int op, cr_dtype dtype); /* of the oracle */

#endif
