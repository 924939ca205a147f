/* The matrix product that needs no proof: three loops. The oracle uses it; the tests compare all others with
 * it. */
#include "device/kernels.h"

#define PLAIN(T)                                                                              \
    for (int64_t i = 0; i < m; i++)                                                           \
        for (int64_t j = 0; j < n; j++) {                                                     \
            T sum = 0;                                                                        \
            for (int64_t l = 0; l < k; l++)                                                   \
                sum += ((const T *)a->data)[at_a + i * a->stride[r] + l * a->stride[r + 1]] * \
                       ((const T *)b->data)[at_b + l * b->stride[r] + j * b->stride[r + 1]];  \
            ((T *)c->out.data)[(batch * m + i) * n + j] = sum;                                \
        }

cr_status kernel_matmul_plain(struct kernel_call *c) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    int64_t m = a->dim[r], k = a->dim[r + 1], n = b->dim[r + 1], batches = shape_count(r, a->dim);
    for (int64_t batch = 0; batch < batches; batch++) {
        int64_t at_a = 0, at_b = 0, rest = batch;
        for (int d = r - 1; d >= 0; d--) {
            at_a += rest % a->dim[d] * a->stride[d];
            at_b += rest % a->dim[d] * b->stride[d];
            rest /= a->dim[d];
        }
        switch (c->out.dtype) {
        case CR_F64: PLAIN(double) break;
        case CR_F32: PLAIN(float) break;
        case CR_I64: PLAIN(int64_t) break;
        default: PLAIN(int32_t) break;
        }
    }
    return CR_OK;
}
