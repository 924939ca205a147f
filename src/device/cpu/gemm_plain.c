/* Tiles in plain C, for processors without vectors that we know: rows of 8, which compilers turn into what vectors there are. */
#include "device/cpu/gemm.h"

#include <string.h>

#define CASES X(1, 1) X(2, 1) X(3, 1) X(4, 1)

#define PLAIN(T)                                                                                     \
    struct eight_##T {                                                                               \
        T x[8];                                                                                      \
    };                                                                                               \
    static inline struct eight_##T load_##T(const T *from) {                                         \
        struct eight_##T v;                                                                          \
        memcpy(&v, from, sizeof v);                                                                  \
        return v;                                                                                    \
    } static inline struct eight_##T load_some_##T(const T *from, int n) {                           \
        struct eight_##T v = {{0}};                                                                  \
        memcpy(&v, from, (size_t)n * sizeof *from);                                                  \
        return v;                                                                                    \
    } static inline void store_##T(T *to, struct eight_##T v) { memcpy(to, &v, sizeof v); }          \
    static inline void store_some_##T(T *to, struct eight_##T v, int n) {                            \
        memcpy(to, &v, (size_t)n * sizeof *to);                                                      \
    }                                                                                                \
    static inline struct eight_##T zero_##T(void) {                                                  \
        return (struct eight_##T){{0}};                                                              \
    } static inline struct eight_##T multiply_add_##T(T a, struct eight_##T b, struct eight_##T c) { \
        for (int i = 0; i < 8; i++) c.x[i] += a * b.x[i];                                            \
        return c;                                                                                    \
    } static inline struct eight_##T add_##T(struct eight_##T a, struct eight_##T b) {               \
        for (int i = 0; i < 8; i++) a.x[i] += b.x[i];                                                \
        return a;                                                                                    \
    } static void weave_##T(void *to, int64_t width, const void *from, int64_t stride, int64_t k,    \
                            int64_t columns) {                                                       \
        for (int64_t i = 0; i < k; i++)                                                              \
            for (int64_t j = 0; j < columns; j++)                                                    \
                ((T *)to)[i * width + j] = ((const T *)from)[j * stride + i];                        \
    }
PLAIN(float)
PLAIN(double)

#define NAME(x)     x##_f32
#define T           float
#define VECTOR      struct eight_float
#define LANES       8
#define MASK        int
#define MASK_OF(n)  (n)
#define LOAD        load_float
#define LOAD_SOME   load_some_float
#define STORE       store_float
#define STORE_SOME  store_some_float
#define ZERO        zero_float
#define SPREAD_TYPE float
#define SPREAD(x)   (x)
#define FMA         multiply_add_float
#define ADD         add_float
#include "device/cpu/gemm_tile.inc"
#define CHAINS           8
#define ROW_VECTORS      1
#define ROW_CASES        X(1)
#define FMA_ONE(a, b, c) ((c) + (a) * (b))
#define ALONG_COLUMNS    NAME(one_by_one)
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

#define NAME(x)     x##_f64
#define T           double
#define VECTOR      struct eight_double
#define LANES       8
#define MASK        int
#define MASK_OF(n)  (n)
#define LOAD        load_double
#define LOAD_SOME   load_some_double
#define STORE       store_double
#define STORE_SOME  store_some_double
#define ZERO        zero_double
#define SPREAD_TYPE double
#define SPREAD(x)   (x)
#define FMA         multiply_add_double
#define ADD         add_double
#include "device/cpu/gemm_tile.inc"
#define CHAINS           4
#define ROW_VECTORS      1
#define ROW_CASES        X(1)
#define FMA_ONE(a, b, c) ((c) + (a) * (b))
#define ALONG_COLUMNS    NAME(one_by_one)
#include "device/cpu/gemm_vector.inc"
#include "device/cpu/gemm_undef.inc"

const struct gemm_kernel gemm_plain[2] = {{3, {4}, any_f32, vector_f32, weave_float},
                                          {3, {4}, any_f64, vector_f64, weave_double}};
