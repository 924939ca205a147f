/* Matrix products. C = A B for f32 or f64, operands with any strides. The order of summation is a function of k alone: k is
 * cut into slices, each element's sum over a slice is one chain of fused multiply-adds, slices are added in order. So the bits
 * are equal for any strides, alignment, number of threads, and tile: an element does not know what stands beside it. */
#ifndef DEVICE_CPU_GEMM_H
#define DEVICE_CPU_GEMM_H

#include "device/device.h"

struct gemm {
    int64_t m, n, k;
    const void *a, *b;
    void *c;
    int64_t rsa, csa, rsb, csb, rsc, csc; /* strides of rows and columns, in elements */
    bool is_f64;
};

/* Scratch of a task. */
size_t gemm_scratch(const struct gemm *p);
/* In at most team->tasks parts. */
void gemm_run(const struct gemm *p, const struct team *team);
/* On this thread, with a task's scratch. */
void gemm_serial(const struct gemm *p, void *scratch);

/* C[rows, columns] = A[rows, k] B[k, columns], or += : A with any strides, rows of B and of C without gaps. */
struct gemm_tile {
    int64_t k;
    const void *a, *b;
    void *c;
    int64_t rsa, csa, rsb, rsc;
    int rows, columns;
    bool add;
};

/* What an instruction set computes with. A tile has sums of at most rows[v] rows by 2^v vectors of so many lanes in registers;
 * 0: there is none of this width. weave: B[k, columns] from k elements side by side in each of the columns, which stand
 * `stride` apart, to rows of `width`. */
struct gemm_kernel {
    int lanes, rows[4];
    void (*tile)(const struct gemm_tile *t);
    void (*weave)(void *to, int64_t width, const void *from, int64_t stride, int64_t k, int64_t columns);
};
extern const struct gemm_kernel gemm_plain[2]; /* of f32, of f64 */
#if defined(__x86_64__) && defined(__GNUC__)
#define GEMM_X86
void gemm_weave_f32(void *to, int64_t width, const void *from, int64_t stride, int64_t k, int64_t columns);
void gemm_weave_f64(void *to, int64_t width, const void *from, int64_t stride, int64_t k, int64_t columns);
extern const struct gemm_kernel gemm_avx2[2], gemm_avx512[2];
#endif

#endif
