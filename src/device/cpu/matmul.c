/* The matrix product op: batches of products; of integers the plain one. */
#include "device/cpu/gemm.h"
#include "device/kernels.h"
#include "tensor/dtype.h"

static struct gemm product_of(const struct kernel_call *c) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    return (struct gemm){.m = a->dim[r],
                         .n = b->dim[r + 1],
                         .k = a->dim[r + 1],
                         .a = a->data,
                         .b = b->data,
                         .c = c->out.data,
                         .rsa = a->stride[r],
                         .csa = a->stride[r + 1],
                         .rsb = b->stride[r],
                         .csb = b->stride[r + 1],
                         .rsc = b->dim[r + 1],
                         .csc = 1,
                         .is_f64 = c->out.dtype == CR_F64};
}

size_t kernel_matmul_scratch(const struct kernel_call *c) {
    struct gemm p = product_of(c);
    return dtype_is_float(c->out.dtype) ? gemm_scratch(&p) : 0;
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
    int64_t size = (int64_t)cr_dtype_size(c->out.dtype);
    if (!dtype_is_float(c->out.dtype)) return kernel_matmul_plain(c);
    struct gemm p = product_of(c);
    int64_t batches = shape_count(a->rank - 2, a->dim);
    for (int64_t i = 0; i < batches; i++) {
        p.a = (const char *)a->data + batch_offset(a, i) * size;
        p.b = (const char *)b->data + batch_offset(b, i) * size;
        p.c = (char *)c->out.data + i * p.m * p.n * size;
        gemm_run(&p, c->team);
    }
    return CR_OK;
}
