/* The mathematics of emitted C, in place of <tgmath.h> and libm: what PREFIX.c includes where PREFIX_NO_LIBM is defined. One file for all
 * such programs. At most 4 ulp; fabs, floor, ceil, rint, trunc, fmod and sqrt are exact or correctly rounded. Those at the end that are
 * called _f64 compute in double for float too. C99. Rounding must be to nearest, without excess precision. Needs memcpy alone. */
#ifndef CHAINRULE_MATH_H
#define CHAINRULE_MATH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __GNUC__
#undef INFINITY
#undef NAN
#define INFINITY __builtin_inff()
#define NAN      __builtin_nanf("")
#define memcpy   __builtin_memcpy /* of a number's bits: no call, with -ffreestanding too */
#else
#include <math.h>
#endif

/* There clang calls fma, for the sake of errno. */
#if defined(__clang__) && !defined(__GLIBC__) && !defined(__NO_MATH_ERRNO__)
#define UNFUSED
#endif

struct turn;
static inline struct turn turn_far(double x);
#define SIN_FAR(x) NAME(at_turn)(turn_far(x), 0)
#define COS_FAR(x) NAME(at_turn)(turn_far(x), 1)
#include "device/cpu/math.inc"

/* The instruction where there is one: sqrt of <math.h> may call the function for the sake of errno. Among others of AVX that of SSE would wait
 * for what stands in the upper halves of registers. */
#define T       double
#define U       uint64_t
#define NAME(f) f##_f64
#define F(c)    F64_##c
#if defined(__GNUC__) && defined(__AVX__)
#define SQRT(y, x) __asm__("vsqrtsd %1, %1, %0" : "=x"(y) : "x"(x))
#elif defined(__GNUC__) && defined(__SSE2__)
#define SQRT(y, x) __asm__("sqrtsd %1, %0" : "=x"(y) : "x"(x))
#elif defined(__GNUC__) && defined(__aarch64__)
#define SQRT(y, x) __asm__("fsqrt %d0, %d1" : "=w"(y) : "w"(x))
#elif defined(__GNUC__) && defined(__arm__) && defined(__ARM_FP) && defined(__ARM_PCS_VFP) && __ARM_FP & 8
#define SQRT(y, x) __asm__("vsqrt.f64 %P0, %P1" : "=w"(y) : "w"(x))
#endif
#include "device/cpu/math_round.inc"
#undef T
#undef U
#undef NAME
#undef F
#undef SQRT
#define T       float
#define U       uint32_t
#define NAME(f) f##_f32
#define F(c)    F32_##c
#if defined(__GNUC__) && defined(__AVX__)
#define SQRT(y, x) __asm__("vsqrtss %1, %1, %0" : "=x"(y) : "x"(x))
#elif defined(__GNUC__) && defined(__SSE2__)
#define SQRT(y, x) __asm__("sqrtss %1, %0" : "=x"(y) : "x"(x))
#elif defined(__GNUC__) && defined(__aarch64__)
#define SQRT(y, x) __asm__("fsqrt %s0, %s1" : "=w"(y) : "w"(x))
#elif defined(__GNUC__) && defined(__arm__) && defined(__ARM_FP) && defined(__ARM_PCS_VFP) && __ARM_FP & 4
#define SQRT(y, x) __asm__("vsqrt.f32 %0, %1" : "=t"(y) : "t"(x))
#endif
#include "device/cpu/math_round.inc"
#undef T
#undef U
#undef NAME
#undef F
#undef SQRT
#include "device/cpu/math_alone.inc"

/* Of float where the operand is float, else of double. */
#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define OF_FORMAT(name, x) _Generic((x), float : name##_f32, default : name##_f64)(x)
#define OF_TWO(name, x, y) _Generic((x) + (y), float : name##_f32, default : name##_f64)(x, y)
#elif defined(__GNUC__)
#define OF_FORMAT(name, x) __builtin_choose_expr(sizeof(x) == sizeof(float), name##_f32, name##_f64)(x)
#define OF_TWO(name, x, y) \
    __builtin_choose_expr(sizeof((x) + (y)) == sizeof(float), name##_f32, name##_f64)(x, y)
#else
#define OF_FORMAT(name, x) (sizeof(x) == sizeof(float) ? name##_f32((float)(x)) : name##_f64((double)(x)))
#define OF_TWO(name, x, y)                                                   \
    (sizeof((x) + (y)) == sizeof(float) ? name##_f32((float)(x), (float)(y)) \
                                        : name##_f64((double)(x), (double)(y)))
#endif
#undef isnan
#undef isinf
#define isnan(x)       ((x) != (x))
#define isinf(x)       ((x) - (x) != 0 && (x) == (x))
#define fabs(x)        OF_FORMAT(magnitude, x)
#define exp(x)         OF_FORMAT(exp, x)
#define exp2(x)        OF_FORMAT(exp2, x)
#define expm1(x)       OF_FORMAT(expm1, x)
#define log(x)         OF_FORMAT(log, x)
#define log2(x)        OF_FORMAT(log2, x)
#define log1p(x)       OF_FORMAT(log1p, x)
#define sinh(x)        OF_FORMAT(sinh, x)
#define cosh(x)        OF_FORMAT(cosh, x)
#define tanh(x)        OF_FORMAT(tanh, x)
#define sin(x)         OF_FORMAT(sin, x)
#define cos(x)         OF_FORMAT(cos, x)
#define erf(x)         OF_FORMAT(erf, x)
#define erfc(x)        OF_FORMAT(erfc, x)
#define sqrt(x)        OF_FORMAT(sqrt, x)
#define floor(x)       OF_FORMAT(floor, x)
#define ceil(x)        OF_FORMAT(ceil, x)
#define rint(x)        OF_FORMAT(rint, x)
#define trunc(x)       OF_FORMAT(trunc, x)
#define pow(x, y)      OF_TWO(pow, x, y)
#define fmod(x, y)     OF_TWO(fmod, x, y)
#define tan(x)         tan_f64((double)(x))
#define asin(x)        asin_f64((double)(x))
#define acos(x)        acos_f64((double)(x))
#define atan(x)        atan_f64((double)(x))
#define asinh(x)       asinh_f64((double)(x))
#define acosh(x)       acosh_f64((double)(x))
#define atanh(x)       atanh_f64((double)(x))
#define log10(x)       log10_f64((double)(x))
#define lgamma(x)      lgamma_f64((double)(x))
#define atan2(x, y)    atan2_f64((double)(x), (double)(y))
#define hypot(x, y)    hypot_f64((double)(x), (double)(y))
#define copysign(x, y) copysign_f64((double)(x), (double)(y))
#ifdef __GNUC__
#undef memcpy
#endif

#endif
