/* Tiles in plain C, for processors without vectors that we know: rows of 8, which compilers turn into what vectors there are. */
#include "device/cpu/gemm.h"

#include <string.h>

#define CASES X(1, 1) X(2, 1) X(3, 1) X(4, 1)

#define GEMM_KERNEL static
#include "device/cpu/gemm_plain.inc"

#include "device/cpu/gemm_plain_f32.inc"
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_tiles.inc"
#define ALONG_COLUMNS NAME(one_by_one)
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

#include "device/cpu/gemm_plain_f64.inc"
#include "device/cpu/gemm_tile.inc"
#include "device/cpu/gemm_tiles.inc"
#define ALONG_COLUMNS NAME(one_by_one)
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

const struct gemm_kernel gemm_plain[2] = {{3, {4}, 0, any_f32, vector_f32, weave_f32},
                                          {3, {4}, 0, any_f64, vector_f64, weave_f64}};
