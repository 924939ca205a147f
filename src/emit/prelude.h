/* How kernels compiled at run time begin; what stands behind it is the library's own text. */
#define _DEFAULT_SOURCE
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tgmath.h>

/* LANES: a loop over the lanes of a fold, as many as a vector or two has; gcc would unroll it before it makes vectors. */
#if defined(__clang__)
#define VECTOR   _Pragma("clang loop vectorize(assume_safety)")
#define LANES    VECTOR
#define AHEAD(x) __builtin_prefetch(x)
#define ALWAYS   static inline __attribute__((always_inline))
#elif defined(__GNUC__)
#define VECTOR   _Pragma("GCC ivdep")
#define LANES    _Pragma("GCC unroll 1") _Pragma("GCC ivdep")
#define AHEAD(x) __builtin_prefetch(x)
#define ALWAYS   static inline __attribute__((always_inline))
#else
#define VECTOR
#define LANES
#define AHEAD(x) ((void)0)
#define ALWAYS   static inline
#endif
