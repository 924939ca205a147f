/* Micro-kernels for AVX2 with FMA: 12 of the 16 registers are sums. */
#include "device/cpu/gemm.h"
#ifdef GEMM_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>

#define NAME    micro_f32
#define T       float
#define VECTOR  __m256
#define LANES   8
#define ROWS    6
#define COLUMNS 2
#define LOAD    _mm256_loadu_ps
#define STORE   _mm256_storeu_ps
#define ZERO    _mm256_setzero_ps
#define SPREAD  _mm256_set1_ps
#define FMA     _mm256_fmadd_ps
#include "device/cpu/gemm_micro.inc"

#define NAME    micro_f64
#define T       double
#define VECTOR  __m256d
#define LANES   4
#define ROWS    6
#define COLUMNS 2
#define LOAD    _mm256_loadu_pd
#define STORE   _mm256_storeu_pd
#define ZERO    _mm256_setzero_pd
#define SPREAD  _mm256_set1_pd
#define FMA     _mm256_fmadd_pd
#include "device/cpu/gemm_micro.inc"

struct gemm_shape gemm_shape_avx2(bool is_f64) {
    return is_f64 ? (struct gemm_shape){6, 8, micro_f64} : (struct gemm_shape){6, 16, micro_f32};
}
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
