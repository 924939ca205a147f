/* Tiles for AVX-512. */
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

#include "device/cpu/gemm_avx512_f32.inc"
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_tiles.inc"
#define ALONG_COLUMNS gemm_columns_f32
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

#include "device/cpu/gemm_avx512_f64.inc"
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_tiles.inc"
#define ALONG_COLUMNS gemm_columns_f64
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

/* What moves half as much at a time, twice as often, is AVX2's. */
const struct gemm_kernel gemm_avx512[2] = {{4, {14, 14, 6, 3}, 0, any_f32, vector_f32, gemm_weave_f32},
                                           {3, {14, 14, 6, 3}, 0, any_f64, vector_f64, gemm_weave_f64}};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
