/* Matrix products in tiles. C = A B for f32 or f64; A and B with any strides, C row-major without gaps. The
 * order of summation is a function of k alone: equal bits for any strides, alignment and number of threads.
 */
#ifndef DEVICE_CPU_GEMM_H
#define DEVICE_CPU_GEMM_H

#include "device/device.h"

struct gemm {
    int64_t m, n, k;
    const void *a, *b;
    void *c;
    int64_t rsa, csa, rsb, csb; /* strides in elements */
    bool is_f64;
};

/* Scratch for all tasks together, to be given to gemm_run by the team. */
size_t gemm_scratch(int64_t m, int64_t n, int64_t k, bool is_f64);
void gemm_run(const struct gemm *p, const struct team *team);

/* A panel of mr rows times a panel of nr columns over kc: both packed, k outermost; out row-major mr by nr.
 */
typedef void gemm_micro(int64_t kc, const void *a, const void *b, void *out);
struct gemm_shape {
    int64_t mr, nr;
    gemm_micro *micro;
};
struct gemm_shape gemm_shape_plain(bool is_f64);
#if defined(__x86_64__) && defined(__GNUC__)
#define GEMM_X86
struct gemm_shape gemm_shape_avx2(bool is_f64);
struct gemm_shape gemm_shape_avx512(bool is_f64);
#endif

#endif
