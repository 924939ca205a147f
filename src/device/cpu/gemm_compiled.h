/* Small matrix products in kernels that are compiled at run time: the tiles of the built-in ones, with all sizes known. Kernels
 * that have any begin with this text. */
#ifdef PRODUCTS
#include "device/cpu/gemm_tile.h"

#include <string.h>

#define GEMM_KERNEL static

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#include "device/cpu/gemm_avx2.inc"

#include "device/cpu/gemm_avx2_f32.inc"
#define ALONG_COLUMNS gemm_columns_f32
#include "device/cpu/gemm_columns.inc"
#ifdef __AVX512F__
#include "device/cpu/gemm_undef.inc"

#include "device/cpu/gemm_avx512_f32.inc"
#define ALONG_COLUMNS gemm_columns_f32
#endif
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_compiled.inc"
#include "device/cpu/gemm_undef.inc"

#include "device/cpu/gemm_avx2_f64.inc"
#define ALONG_COLUMNS gemm_columns_f64
#include "device/cpu/gemm_columns.inc"
#ifdef __AVX512F__
#include "device/cpu/gemm_undef.inc"

#include "device/cpu/gemm_avx512_f64.inc"
#define ALONG_COLUMNS gemm_columns_f64
#endif
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_compiled.inc"
#include "device/cpu/gemm_undef.inc"

#else
#include "device/cpu/gemm_plain.inc"

#include "device/cpu/gemm_plain_f32.inc"
#define ALONG_COLUMNS NAME(one_by_one)
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_compiled.inc"
#include "device/cpu/gemm_undef.inc"

#include "device/cpu/gemm_plain_f64.inc"
#define ALONG_COLUMNS NAME(one_by_one)
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_compiled.inc"
#include "device/cpu/gemm_undef.inc"
#endif
#endif
