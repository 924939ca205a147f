/* Tiles for AVX2 with FMA: up to 12 of the 16 registers are sums. */
#include "device/cpu/gemm.h"
#ifdef GEMM_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>

/* clang-format off */
#define UP_TO_3(v)  X(1, v) X(2, v) X(3, v)
#define UP_TO_6(v)  UP_TO_3(v) X(4, v) X(5, v) X(6, v)
#define UP_TO_12(v) UP_TO_6(v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v)
#define CASES       UP_TO_12(1) UP_TO_6(2) UP_TO_3(4) X(1, 8)
/* clang-format on */

/* n lanes from the first on: all bits set, then none. */
static const int32_t lanes_of[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
static inline __m256i mask_f32(int n) {
    return _mm256_loadu_si256((const __m256i *)(const void *)(lanes_of + 8 - n));
}
static inline __m256i mask_f64(int n) {
    return _mm256_loadu_si256((const __m256i *)(const void *)(lanes_of + 8 - 2 * n));
}

/* Rows to columns: first within halves of 128 bits, then these. */
static inline void transpose_f32(__m256 r[8]) {
    __m256 u[8], v[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        u[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        u[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        v[i] = _mm256_shuffle_ps(u[i], u[i + 2], 0x44);
        v[i + 1] = _mm256_shuffle_ps(u[i], u[i + 2], 0xee);
        v[i + 2] = _mm256_shuffle_ps(u[i + 1], u[i + 3], 0x44);
        v[i + 3] = _mm256_shuffle_ps(u[i + 1], u[i + 3], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
    }
}

static inline void transpose_f64(__m256d r[4]) {
    __m256d u[4];
    UNROLL for (int i = 0; i < 4; i += 2) {
        u[i] = _mm256_unpacklo_pd(r[i], r[i + 1]);
        u[i + 1] = _mm256_unpackhi_pd(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        r[i] = _mm256_permute2f128_pd(u[i], u[i + 2], 0x20);
        r[i + 2] = _mm256_permute2f128_pd(u[i], u[i + 2], 0x31);
    }
}

/* The totals of vectors of chains, side by side. */
static inline __m256 total_f32(const __m256 s[8]) {
    __m256 t[4], u[2];
    UNROLL for (int i = 0; i < 4; i++) t[i] = _mm256_add_ps(_mm256_permute2f128_ps(s[i], s[i + 4], 0x20),
                                                            _mm256_permute2f128_ps(s[i], s[i + 4], 0x31));
    UNROLL for (int i = 0; i < 2; i++) u[i] = _mm256_add_ps(_mm256_shuffle_ps(t[2 * i], t[2 * i + 1], 0x44),
                                                            _mm256_shuffle_ps(t[2 * i], t[2 * i + 1], 0xee));
    return _mm256_add_ps(_mm256_shuffle_ps(u[0], u[1], 0x88), _mm256_shuffle_ps(u[0], u[1], 0xdd));
}

static inline __m256d total_f64(const __m256d s[4]) {
    __m256d t[2];
    UNROLL for (int i = 0; i < 2; i++) t[i] = _mm256_add_pd(_mm256_permute2f128_pd(s[i], s[i + 2], 0x20),
                                                            _mm256_permute2f128_pd(s[i], s[i + 2], 0x31));
    return _mm256_add_pd(_mm256_unpacklo_pd(t[0], t[1]), _mm256_unpackhi_pd(t[0], t[1]));
}

#define NAME(x)             x##_f32
#define T                   float
#define VECTOR              __m256
#define LANES               8
#define MASK                __m256i
#define MASK_OF             mask_f32
#define LOAD                _mm256_loadu_ps
#define LOAD_SOME           _mm256_maskload_ps
#define STORE               _mm256_storeu_ps
#define STORE_SOME(p, v, m) _mm256_maskstore_ps(p, m, v)
#define ZERO                _mm256_setzero_ps
#define SPREAD_TYPE         __m256
#define SPREAD              _mm256_set1_ps
#define FMA                 _mm256_fmadd_ps
#define ADD                 _mm256_add_ps
#define TOTAL               total_f32
#include "device/cpu/gemm_tile.inc"
#define ALONG_COLUMNS gemm_columns_f32
#include "device/cpu/gemm_columns.inc"
#define CHAINS      8
#define ROW_VECTORS 3
#define ROW_CASES   X(1) X(2) X(3)
#define FMA_ONE     __builtin_fmaf
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

#define NAME(x)             x##_f64
#define T                   double
#define VECTOR              __m256d
#define LANES               4
#define MASK                __m256i
#define MASK_OF             mask_f64
#define LOAD                _mm256_loadu_pd
#define LOAD_SOME           _mm256_maskload_pd
#define STORE               _mm256_storeu_pd
#define STORE_SOME(p, v, m) _mm256_maskstore_pd(p, m, v)
#define ZERO                _mm256_setzero_pd
#define SPREAD_TYPE         __m256d
#define SPREAD              _mm256_set1_pd
#define FMA                 _mm256_fmadd_pd
#define ADD                 _mm256_add_pd
#define TOTAL               total_f64
#include "device/cpu/gemm_tile.inc"
#define ALONG_COLUMNS gemm_columns_f64
#include "device/cpu/gemm_columns.inc"
#define CHAINS      4
#define ROW_VECTORS 3
#define ROW_CASES   X(1) X(2) X(3)
#define FMA_ONE     __builtin_fma
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

/* The last block of columns or of k begins early, so that it is whole. */
#define DEFINE_WEAVE(T, name, VECTOR, lanes, load, store)                                          \
    void gemm_weave_##name(void *pto, int64_t width, const void *pfrom, int64_t stride, int64_t k, \
                           int64_t columns) {                                                      \
        T *to = pto;                                                                               \
        const T *from = pfrom;                                                                     \
        if (k < lanes || columns < lanes) {                                                        \
            for (int64_t i = 0; i < k; i++)                                                        \
                for (int64_t j = 0; j < columns; j++) to[i * width + j] = from[j * stride + i];    \
            return;                                                                                \
        }                                                                                          \
        for (int64_t j = 0; j < columns; j += lanes) {                                             \
            int64_t c = j < columns - lanes ? j : columns - lanes;                                 \
            for (int64_t i = 0; i < k; i += lanes) {                                               \
                int64_t r = i < k - lanes ? i : k - lanes;                                         \
                VECTOR v[lanes];                                                                   \
                for (int l = 0; l < lanes; l++) v[l] = load(from + (c + l) * stride + r);          \
                transpose_##name(v);                                                               \
                for (int l = 0; l < lanes; l++) store(to + (r + l) * width + c, v[l]);             \
            }                                                                                      \
        }                                                                                          \
    }
DEFINE_WEAVE(float, f32, __m256, 8, _mm256_loadu_ps, _mm256_storeu_ps)
DEFINE_WEAVE(double, f64, __m256d, 4, _mm256_loadu_pd, _mm256_storeu_pd)

const struct gemm_kernel gemm_avx2[2] = {{3, {12, 6, 3, 1}, any_f32, vector_f32, gemm_weave_f32},
                                         {2, {12, 6, 3, 1}, any_f64, vector_f64, gemm_weave_f64}};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
