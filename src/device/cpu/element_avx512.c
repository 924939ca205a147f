/* The elementwise and reducing kernels for AVX-512. */
#include "device/cpu/element.h"
#ifdef ELEMENT_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,fma,prefer-vector-width=512")
#endif
#define FUSED  /* clang tells it by no macro */
#define TABLES 4
#include "device/cpu/element.inc"
#include "device/cpu/fold.inc"
#include "device/cpu/extreme.inc"
#include "device/cpu/scatter.inc"
const struct kernel_set kernels_avx512 = KERNEL_SET;
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
