/* The matrix product op: batches of products in tiles; of integers the plain one. */
#include "device/cpu/gemm.h"
#include "device/kernels.h"
#include "tensor/dtype.h"

size_t kernel_matmul_scratch(const struct kernel_call *c) {
    int r = c->in[0].rank - 2;
    if (!dtype_is_float(c->out.dtype)) return 0;
    return gemm_scratch(c->in[0].dim[r], c->in[1].dim[r + 1], c->in[0].dim[r + 1], c->out.dtype == CR_F64);
}

static int64_t batch_offset(const struct tensor *x, int64_t i) {
    int64_t offset = 0;
    for (int d = x->rank - 3; d >= 0; d--) {
        offset += i % x->dim[d] * x->stride[d];
        i /= x->dim[d];
    }
    return offset;
}

cr_status kernel_matmul(struct kernel_call *c) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    size_t size = cr_dtype_size(c->out.dtype);
    if (!dtype_is_float(c->out.dtype)) return kernel_matmul_plain(c);
    struct gemm p = {.m = a->dim[r],
                     .n = b->dim[r + 1],
                     .k = a->dim[r + 1],
                     .rsa = a->stride[r],
                     .csa = a->stride[r + 1],
                     .rsb = b->stride[r],
                     .csb = b->stride[r + 1],
                     .is_f64 = c->out.dtype == CR_F64};
    int64_t batches = shape_count(r, a->dim);
    for (int64_t i = 0; i < batches; i++) {
        p.a = (const char *)a->data + batch_offset(a, i) * (int64_t)size;
        p.b = (const char *)b->data + batch_offset(b, i) * (int64_t)size;
        p.c = (char *)c->out.data + i * p.m * p.n * (int64_t)size;
        gemm_run(&p, c->team);
    }
    return CR_OK;
}
