/* How kernels compiled at run time begin; what stands behind it is the library's own text. */
#define _DEFAULT_SOURCE
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tgmath.h>

#if defined(__clang__)
#define VECTOR _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define VECTOR _Pragma("GCC ivdep")
#else
#define VECTOR
#endif
