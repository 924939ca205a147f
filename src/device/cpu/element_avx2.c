/* The elementwise and reducing kernels for AVX2. */
#include "device/cpu/element.h"
#ifdef ELEMENT_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
/* A Zen 3 takes two cycles or more for a turn: a sum of a tile takes 29 ns with two vectors each, 50 with one. */
#define TURNS  _Pragma("GCC unroll 2")
#define FUSED  /* clang tells it by no macro */
#define TABLES 3
#include "device/cpu/element.inc"
#include "device/cpu/fold.inc"
#include "device/cpu/extreme.inc"
#include "device/cpu/scatter.inc"
const struct kernel_set kernels_avx2 = KERNEL_SET;
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
