/* Products of a group, a block of rows at a time. */
#include <string.h>

#include "device/cpu/gemm.h"
#include "tensor/dtype.h"

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

struct block {
    struct gemm g;
    const char *a, *b;
    char *c;
    size_t size;
};

static char *at(const struct tensor *x, int64_t offset) {
    return (char *)x->data + offset * (int64_t)cr_dtype_size(x->dtype);
}

static struct block rows_of(const struct kernel_call *c, const struct matmul_block *m) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    int64_t columns = b->dim[r + 1], upto = m->first + m->n;
    struct block x = {.g = {m->n, columns, a->dim[r + 1], a->stride[r], a->stride[r + 1], b->stride[r],
                            b->stride[r + 1], c->out.dtype == CR_F64, false, columns}};
    x.a = at(a, matmul_offset(a, m->batch) + m->first * a->stride[r]);
    x.b = at(b, matmul_offset(b, m->batch));
    x.c = at(&c->out, (m->batch * c->out.dim[r] + m->first) * columns);
    if (m->woven) x.b = m->woven, x.g.rsb = columns + woven_gap, x.g.csb = 1;
    if (m->bound == BOUND_COLUMNS) x.g.n = least(columns, upto);
    if (m->bound == BOUND_TERMS) x.g.k = least(x.g.k, upto);
    return x;
}

static struct block terms_of(const struct kernel_call *c, const struct matmul_block *m) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    int64_t rows = a->dim[r], columns = b->dim[r + 1], upto = m->first + m->n;
    struct block x = {.g = {rows, columns, m->n, a->stride[r], a->stride[r + 1], b->stride[r],
                            b->stride[r + 1], c->out.dtype == CR_F64, true, columns}};
    x.a = at(a, matmul_offset(a, m->batch) + m->first * a->stride[r + 1]);
    x.b = at(b, matmul_offset(b, m->batch) + m->first * b->stride[r]);
    x.c = at(&c->out, m->batch * rows * columns);
    if (m->bound == BOUND_ROWS) x.g.m = least(rows, upto);
    if (m->bound == BOUND_COLUMNS) x.g.n = least(columns, upto);
    return x;
}

static struct block block_of(const struct kernel_call *c, const struct matmul_block *m) {
    struct block x = m->terms ? terms_of(c, m) : rows_of(c, m);
    x.size = cr_dtype_size(c->out.dtype);
    return x;
}

size_t cpu_matmul_block_scratch(const struct kernel_call *c, const struct matmul_block *m) {
    struct block x = block_of(c, m);
    struct gemm_plan p = gemm_plan_of(&x.g);
    return gemm_scratch(&p);
}

void cpu_matmul_block(const struct kernel_call *c, const struct matmul_block *m, void *scratch) {
    struct block x = block_of(c, m);
    struct gemm_plan p = gemm_plan_of(&x.g);
    gemm_run(&p, x.a, x.b, x.c, scratch);
    if (m->terms || x.g.n == x.g.rsc) return;
    for (int64_t i = 0; i < m->n; i++) /* numbers that are finite, whatever stood there */
        memset(x.c + (size_t)(i * x.g.rsc + x.g.n) * x.size, 0, (size_t)(x.g.rsc - x.g.n) * x.size);
}

void cpu_matmul_weave(const struct kernel_call *c, int64_t batch, void *to) {
    const struct tensor *b = &c->in[1];
    int r = b->rank - 2;
    struct gemm g = {1, 1, 1, 1, 1, 1, 1, c->out.dtype == CR_F64, false, 1};
    gemm_plan_of(&g).kernel->weave(to, b->dim[r + 1] + woven_gap, at(b, matmul_offset(b, batch)), b->stride[r + 1],
                                   b->dim[r], b->dim[r + 1]);
}

void *cpu_matmul_result(const struct kernel_call *c, int64_t batch, size_t *bytes) {
    int r = c->out.rank - 2;
    int64_t n = c->out.dim[r] * c->out.dim[r + 1];
    *bytes = (size_t)n * cr_dtype_size(c->out.dtype);
    return at(&c->out, batch * n);
}
