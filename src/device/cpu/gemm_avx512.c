/* Tiles for AVX-512: up to 28 of the 32 registers are sums. */
#include "device/cpu/gemm.h"
#ifdef GEMM_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC target("avx512f")
#endif
#include <immintrin.h>

/* clang-format off */
#define UP_TO_3(v)  X(1, v) X(2, v) X(3, v)
#define UP_TO_6(v)  UP_TO_3(v) X(4, v) X(5, v) X(6, v)
#define UP_TO_14(v) UP_TO_6(v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v) X(13, v) X(14, v)
#define CASES       UP_TO_14(1) UP_TO_14(2) UP_TO_6(4) UP_TO_3(8)
/* clang-format on */

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
#define CHAINS        8
#define ROW_VECTORS   7
#define ROW_CASES     X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define FMA_ONE       __builtin_fmaf
#define ALONG_COLUMNS gemm_columns_f32
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

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
#define CHAINS        4
#define ROW_VECTORS   7
#define ROW_CASES     X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define FMA_ONE       __builtin_fma
#define ALONG_COLUMNS gemm_columns_f64
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

/* What moves half as much at a time, twice as often, is AVX2's. */
const struct gemm_kernel gemm_avx512[2] = {{4, {14, 14, 6, 3}, any_f32, vector_f32, gemm_weave_f32},
                                           {3, {14, 14, 6, 3}, any_f64, vector_f64, gemm_weave_f64}};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
