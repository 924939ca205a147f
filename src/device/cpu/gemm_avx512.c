/* Micro-kernels for AVX-512: 28 of the 32 registers are sums. */
#include "device/cpu/gemm.h"
#ifdef GEMM_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC target("avx512f")
#endif
#include <immintrin.h>

#define NAME    micro_f32
#define T       float
#define VECTOR  __m512
#define LANES   16
#define ROWS    14
#define COLUMNS 2
#define LOAD    _mm512_loadu_ps
#define STORE   _mm512_storeu_ps
#define ZERO    _mm512_setzero_ps
#define SPREAD  _mm512_set1_ps
#define FMA     _mm512_fmadd_ps
#include "device/cpu/gemm_micro.inc"

#define NAME    micro_f64
#define T       double
#define VECTOR  __m512d
#define LANES   8
#define ROWS    14
#define COLUMNS 2
#define LOAD    _mm512_loadu_pd
#define STORE   _mm512_storeu_pd
#define ZERO    _mm512_setzero_pd
#define SPREAD  _mm512_set1_pd
#define FMA     _mm512_fmadd_pd
#include "device/cpu/gemm_micro.inc"

struct gemm_shape gemm_shape_avx512(bool is_f64) {
    return is_f64 ? (struct gemm_shape){14, 16, micro_f64} : (struct gemm_shape){14, 32, micro_f32};
}
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
