/* The elementwise kernels of each instruction set. */
#ifndef DEVICE_CPU_ELEMENT_H
#define DEVICE_CPU_ELEMENT_H

#include "device/device.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define ELEMENT_X86
element_fn *element_avx2(int op, cr_dtype dtype);
element_fn *element_avx512(int op, cr_dtype dtype);
const struct fold *fold_avx2(int op, cr_dtype dtype);
const struct fold *fold_avx512(int op, cr_dtype dtype);
extreme_fn *extreme_avx2(int op, cr_dtype dtype);
extreme_fn *extreme_avx512(int op, cr_dtype dtype);
scatter_fn *scatter_avx2(cr_dtype dtype);
scatter_fn *scatter_avx512(cr_dtype dtype);
#endif
element_fn *element_base(int op, cr_dtype dtype);
element_fn *element_reference(int op, cr_dtype dtype); /* of the oracle */
const struct fold *fold_base(int op, cr_dtype dtype);
extreme_fn *extreme_base(int op, cr_dtype dtype);
scatter_fn *scatter_base(cr_dtype dtype);

#endif
