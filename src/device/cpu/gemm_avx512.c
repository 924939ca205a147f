/* Tiles for AVX-512: up to 28 of the 32 registers are sums. */
#include "device/cpu/gemm.h"
#ifdef GEMM_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC target("avx512f")
#endif
#include <immintrin.h>

#define CASES                                                                                               \
    X(1, 1)                                                                                                 \
    X(2, 1)                                                                                                 \
    X(3, 1)                                                                                                 \
    X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1) X(13, 1) X(14, 1) X(1, 2)    \
        X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2) X(7, 2) X(8, 2) X(9, 2) X(10, 2) X(11, 2) X(12, 2) X(13, 2) \
            X(14, 2) X(1, 4) X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4) X(1, 8) X(2, 8) X(3, 8)

#define NAME(x)             x##_f32
#define T                   float
#define VECTOR              __m512
#define LANES               16
#define MASK                __mmask16
#define MASK_OF(n)          ((__mmask16)((1u << (n)) - 1))
#define LOAD                _mm512_loadu_ps
#define LOAD_SOME(p, m)     _mm512_maskz_loadu_ps(m, p)
#define STORE               _mm512_storeu_ps
#define STORE_SOME(p, v, m) _mm512_mask_storeu_ps(p, m, v)
#define ZERO                _mm512_setzero_ps
#define SPREAD_TYPE         __m512
#define SPREAD              _mm512_set1_ps
#define FMA                 _mm512_fmadd_ps
#define ADD                 _mm512_add_ps
#include "device/cpu/gemm_tile.inc"

#define NAME(x)             x##_f64
#define T                   double
#define VECTOR              __m512d
#define LANES               8
#define MASK                __mmask8
#define MASK_OF(n)          ((__mmask8)((1u << (n)) - 1))
#define LOAD                _mm512_loadu_pd
#define LOAD_SOME(p, m)     _mm512_maskz_loadu_pd(m, p)
#define STORE               _mm512_storeu_pd
#define STORE_SOME(p, v, m) _mm512_mask_storeu_pd(p, m, v)
#define ZERO                _mm512_setzero_pd
#define SPREAD_TYPE         __m512d
#define SPREAD              _mm512_set1_pd
#define FMA                 _mm512_fmadd_pd
#define ADD                 _mm512_add_pd
#include "device/cpu/gemm_tile.inc"

/* Weaving moves half as much at a time, twice as often: AVX2's does. */
const struct gemm_kernel gemm_avx512[2] = {{4, {14, 14, 6, 3}, 0, any_f32, NULL, gemm_weave_f32},
                                           {3, {14, 14, 6, 3}, 0, any_f64, NULL, gemm_weave_f64}};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
