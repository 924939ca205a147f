/* What every kernel of a matrix product works on; those that are compiled at run time have this text too. */
#ifndef DEVICE_CPU_GEMM_TILE_H
#define DEVICE_CPU_GEMM_TILE_H

#include <stdbool.h>
#include <stdint.h>

/* C[rows, columns] = A[rows, k] B[k, columns], or to what C holds: A with any strides, rows of B and of C without gaps. */
struct gemm_tile {
    int64_t k;
    const void *a, *b;
    void *c;
    int64_t rsa, csa, rsb, csb, rsc;
    int64_t rows, columns;
    bool add, on;      /* the sum is added to what C holds, or goes on from it */
    const char *ahead; /* a wide tile asks memory for this (NULL: nothing), which lies so many bytes on for */
    int64_t ahead_step, ahead_vector; /* the next k, and for the next vector to the right */
};
enum {
    half_line = 32,        /* bytes */
    first_level = 16 << 10 /* half of a first-level cache of 32 KiB */
};

/* The cache line so many bytes after p, which need not be there. */
#if defined(__GNUC__)
#define PREFETCH(p, bytes) __builtin_prefetch((const void *)((uintptr_t)(p) + (uintptr_t)(bytes)))
#else
#define PREFETCH(p, bytes) (void)0
#endif

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define TWICE  _Pragma("unroll 2")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#define TWICE  _Pragma("GCC unroll 2")
#else
#define UNROLL
#define TWICE
#endif

#endif
