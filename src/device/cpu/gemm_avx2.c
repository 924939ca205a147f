/* Tiles for AVX2 with FMA. */
#include "device/cpu/gemm.h"
#ifdef GEMM_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>
#include <string.h>

/* clang-format off */
#define UP_TO_2(v)  X(1, v) X(2, v)
#define UP_TO_6(v)  UP_TO_2(v) X(3, v) X(4, v) X(5, v) X(6, v)
#define UP_TO_12(v) UP_TO_6(v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v)
#define CASES       UP_TO_12(1) UP_TO_6(2) UP_TO_2(4) X(1, 8)
/* clang-format on */

#define GEMM_KERNEL
#include "device/cpu/gemm_avx2.inc"

#include "device/cpu/gemm_avx2_f32.inc"
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_tiles.inc"
#define ALONG_COLUMNS gemm_columns_f32
#include "device/cpu/gemm_columns.inc"
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

#include "device/cpu/gemm_avx2_f64.inc"
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_tiles.inc"
#define ALONG_COLUMNS gemm_columns_f64
#include "device/cpu/gemm_columns.inc"
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

/* Not 3 rows of four vectors: with those and a number of A that is a register more than there are. */
const struct gemm_kernel gemm_avx2[2] = {{3, {12, 6, 2, 1}, 6, any_f32, vector_f32, gemm_weave_f32},
                                         {2, {12, 6, 2, 1}, 6, any_f64, vector_f64, gemm_weave_f64}};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
