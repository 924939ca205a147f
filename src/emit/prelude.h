/* How kernels compiled at run time begin; what stands behind it is the library's own text. */
#define _DEFAULT_SOURCE
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tgmath.h>

/* APART: stays a function. FAR_AHEAD: not yet into the first cache. LANES: a loop over the 16 lanes of a fold, as many as a vector or two has; gcc would
 * unroll it before it makes vectors, and so would clang, which then finds few of them. FEW_LANES: over fewer, or a short line's. STAGE: over the
 * lanes of a pass in stages. clang before 16 keeps in memory what such loops fold, unless it unrolls them. AROUND: a loop around LANES, of which clang would write
 * out a few turns and make vectors of the first alone. IN_A_LINE: lanes that clang keeps in memory; where they cross a line of the cache, what was stored is waited for. */
#if defined(__clang__)
#define VECTOR _Pragma("clang loop vectorize(assume_safety)")
#define STAGE  _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) unroll(disable)")
#if __clang_major__ >= 16
#define LANES STAGE
#else
#define LANES VECTOR
#endif
#define FEW_LANES         VECTOR
#define AROUND            _Pragma("clang loop unroll(disable)")
#define IN_A_LINE         _Alignas(64)
#define SLOTS_TAKEN       /* emit/slots.c */
#define AHEAD(x)          __builtin_prefetch(x)
#define FAR_AHEAD(x)      __builtin_prefetch(x, 0, 2)
#define AHEAD_TO_WRITE(x) __builtin_prefetch(x, 1)
#define ALWAYS            static inline __attribute__((always_inline))
#define APART             static __attribute__((noinline))
#elif defined(__GNUC__)
#define VECTOR    _Pragma("GCC ivdep")
#define LANES     _Pragma("GCC unroll 1") _Pragma("GCC ivdep")
#define FEW_LANES LANES
#define STAGE     LANES
#define AROUND
#define IN_A_LINE
#define AHEAD(x)          __builtin_prefetch(x)
#define FAR_AHEAD(x)      __builtin_prefetch(x, 0, 2)
#define AHEAD_TO_WRITE(x) __builtin_prefetch(x, 1)
#define ALWAYS            static inline __attribute__((always_inline))
#define APART             static __attribute__((noinline))
#else
#define VECTOR
#define LANES
#define FEW_LANES
#define AROUND
#define STAGE
#define IN_A_LINE
#define AHEAD(x)          ((void)0)
#define FAR_AHEAD(x)      ((void)0)
#define AHEAD_TO_WRITE(x) ((void)0)
#define ALWAYS            static inline
#define APART             static
#endif

/* The later where neither is greater, or less. */
ALWAYS float greater_f32(float a, float b) { return a > b ? a : b; }
ALWAYS float less_f32(float a, float b) { return a < b ? a : b; }
ALWAYS double greater_f64(double a, double b) { return a > b ? a : b; }
ALWAYS double less_f64(double a, double b) { return a < b ? a : b; }

/* The nearest to a whole number. AVX2 converts whole numbers of 64 bits one at a time, and gcc then makes no vectors of the whole loop:
 * so the halves are put into numbers of 2^52 and 2^84, and one sum rounds. Of f32: what no f64 holds exactly first becomes a number that
 * is no tie and on the same side of all. */
#if defined(__AVX2__) && !defined(__AVX512DQ__)
ALWAYS double f64_of_i64(int64_t x) {
    const uint64_t low = ((uint64_t)x & 0xffffffff) | 0x4330000000000000,
                   high = (uint64_t)x >> 32 ^ 0x4530000080000000;
    double a, b;
    memcpy(&a, &low, sizeof a);
    memcpy(&b, &high, sizeof b);
    return (b - 0x1.00000801p84) + a; /* 2^84 + 2^63 + 2^52 */
}
ALWAYS float f32_of_i64(int64_t x) {
    const int64_t most = (int64_t)1 << 53, odd = (x & -2048) | (((x & 2047) + 2047) & 2048);
    return (float)f64_of_i64((x > most) | (x < -most) ? odd : x);
}
#else
ALWAYS double f64_of_i64(int64_t x) { return (double)x; }
ALWAYS float f32_of_i64(int64_t x) { return (float)x; }
#endif

/* Numbers that nobody reads soon, to memory past the caches: a plain store would first read the line that it changes. */
#if defined(__SSE2__)
#if defined(__AVX512F__)
enum { part_bytes = 64 };
#define STREAM_PART __builtin_ia32_movntps512
#elif defined(__AVX__)
enum { part_bytes = 32 };
#define STREAM_PART __builtin_ia32_movntps256
#else
enum { part_bytes = 16 };
#define STREAM_PART __builtin_ia32_movntps
#endif
typedef float part_of_line __attribute__((vector_size(part_bytes)));
typedef part_of_line part_anywhere __attribute__((aligned(1), may_alias));
#if defined(__clang__)
#undef STREAM_PART
#define STREAM_PART(to, x) __builtin_nontemporal_store(x, (part_of_line *)(void *)(to))
#endif
ALWAYS void stream(void *out, const void *in, size_t bytes) {
    const bool lines = (uintptr_t)out % part_bytes == 0;
    for (size_t at = 0; at < bytes; at += part_bytes) {
        const part_of_line x = *(const part_anywhere *)(const void *)((const char *)in + at);
        if (lines) STREAM_PART((float *)(void *)((char *)out + at), x);
        else *(part_anywhere *)(void *)((char *)out + at) = x;
    }
}
#define STREAMED __builtin_ia32_sfence()
#else
ALWAYS void stream(void *out, const void *in, size_t bytes) { memcpy(out, in, bytes); }
#define STREAMED ((void)0)
#endif

/* Some of the lanes of a fold, in a register where it has as many bytes. */
typedef float lanes_anywhere __attribute__((vector_size(64), aligned(4), may_alias));
