/* Products of a group, a block of rows at a time. */
#include <string.h>

#include "base/whole.h"
#include "device/cpu/gemm.h"
#include "tensor/dtype.h"

struct block {
    struct gemm g;
    const char *a, *b;
    char *c;
    int64_t row; /* of the batch element, of the first row */
    bool filled;
};

static char *at(const struct tensor *x, int64_t offset) {
    return (char *)x->data + offset * (int64_t)cr_dtype_size(x->dtype);
}

/* Rows first .. first+n-1 of the result. */
static struct block rows_of(const struct kernel_call *c, const struct matmul_block *m, int64_t first,
                            int64_t n) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    int64_t columns = b->dim[r + 1], upto = first + n;
    struct block x = {.g = {n, columns, a->dim[r + 1], a->stride[r], a->stride[r + 1], b->stride[r],
                            b->stride[r + 1], c->out.dtype == CR_F64, false, columns,
                            a->dim[r] > 1 && columns > 1, false, m->ahead}};
    x.a = at(a, matmul_offset(a, m->batch) + first * a->stride[r]);
    x.b = at(b, matmul_offset(b, m->batch));
    x.c = at(&c->out, (m->batch * c->out.dim[r] + first) * columns);
    x.row = first, x.filled = m->filled;
    if (m->woven) x.b = m->woven, x.g.rsb = columns + woven_gap, x.g.csb = 1;
    if (m->bound == BOUND_COLUMNS) x.g.n = least(columns, upto);
    if (m->bound == BOUND_TERMS) x.g.k = least(x.g.k, upto);
    return x;
}

/* The terms first .. first+n-1 of the rows or, as the bound says, columns from..to-1 of the result. fresh: the first of their terms. */
static struct block terms_of(const struct kernel_call *c, const struct matmul_block *m, int64_t first,
                             int64_t n, int64_t from, int64_t to, bool fresh) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    int64_t rows = a->dim[r], columns = b->dim[r + 1];
    struct block x = {.g = {rows, columns, n, a->stride[r], a->stride[r + 1], b->stride[r], b->stride[r + 1],
                            c->out.dtype == CR_F64, true, columns, false, fresh, m->ahead}};
    int64_t batch = m->partial ? 0 : m->batch;
    int64_t row = m->bound == BOUND_ROWS ? from : 0, column = m->bound == BOUND_COLUMNS ? from : 0;
    x.a = at(a, matmul_offset(a, m->batch) + first * a->stride[r + 1] + row * a->stride[r]);
    x.b = at(b, matmul_offset(b, m->batch) + first * b->stride[r] + column * b->stride[r + 1]);
    x.c = at(&c->out, (batch * rows + row) * columns + column);
    if (m->bound == BOUND_ROWS) x.g.m = to - from;
    if (m->bound == BOUND_COLUMNS) x.g.n = to - from;
    return x;
}

typedef void each_fn(const struct block *x, void *arg);

/* Along the diagonal rows go in steps of a tile's, each up to its own last one. */
static void each_rows(const struct kernel_call *c, const struct matmul_block *m, each_fn *each, void *arg) {
    int64_t steps = m->bound == BOUND_NONE ? 1 : pieces(m->n, diagonal_rows), first, end;
    for (int64_t i = 0; i < steps; i++) {
        team_part(m->n, (size_t)steps, (size_t)i, &first, &end);
        struct block x = rows_of(c, m, m->first + first, end - first);
        each(&x, arg);
    }
}

/* What lies left of the diagonal of the block has all its terms. */
static void each_terms(const struct kernel_call *c, const struct matmul_block *m, each_fn *each, void *arg) {
    int r = c->out.rank - 2;
    int64_t side = m->bound == BOUND_NONE ? 0 : c->out.dim[m->bound == BOUND_ROWS ? r : r + 1];
    int64_t left = least(side, m->first), end = least(side, m->first + m->n);
    if (m->bound == BOUND_NONE || left > 0) {
        struct block x = terms_of(c, m, m->first, m->n, 0, left, m->bound == BOUND_NONE && m->first == 0);
        each(&x, arg);
    }
    for (int64_t at = left; at < end; at += diagonal_rows) {
        struct block x = terms_of(c, m, at, m->first + m->n - at, at, least(at + diagonal_rows, end), true);
        each(&x, arg);
    }
}

static void each_block(const struct kernel_call *c, const struct matmul_block *m, each_fn *each, void *arg) {
    if (m->terms) each_terms(c, m, each, arg);
    else each_rows(c, m, each, arg);
}

static void need_scratch(const struct block *x, void *most) {
    struct gemm_plan p = gemm_plan_of(&x->g);
    size_t bytes = gemm_scratch(&p);
    if (bytes > *(size_t *)most) *(size_t *)most = bytes;
}

size_t cpu_matmul_block_scratch(const struct kernel_call *c, const struct matmul_block *m) {
    size_t most = 0;
    each_block(c, m, need_scratch, &most);
    return most;
}

/* As far as rows are read beyond what is computed, there stand numbers that are finite, whatever stood there. */
static void fill(const struct block *x) {
    size_t size = x->g.is_f64 ? 8 : 4;
    for (int64_t i = 0; i < x->g.m; i++) {
        int64_t end = x->filled ? x->g.rsc : plan_up_to(x->row + i, x->g.rsc);
        if (end > x->g.n)
            memset(x->c + (size_t)(i * x->g.rsc + x->g.n) * size, 0, (size_t)(end - x->g.n) * size);
    }
}

static void run(const struct block *x, void *scratch) {
    struct gemm_plan p = gemm_plan_of(&x->g);
    gemm_run(&p, x->a, x->b, x->c, scratch);
    if (!x->g.on && x->g.n < x->g.rsc) fill(x);
}

static void add_f32(float *to, const float *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
}
static void add_f64(double *to, const double *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

/* Terms of a slice behind the first: they add up by themselves, and then to the result. */
static void run_behind(const struct kernel_call *c, const struct matmul_block *m, void *scratch) {
    const struct tensor *a = &c->in[0];
    int r = c->out.rank - 2;
    int64_t n = c->out.dim[r] * c->out.dim[r + 1], end = m->first + m->n;
    struct kernel_call there = *c;
    there.out.data = m->partial;
    if (m->first % plan_slice == 0) memset(m->partial, 0, (size_t)n * cr_dtype_size(c->out.dtype));
    each_block(&there, m, run, scratch);
    if (end % plan_slice && end < a->dim[r + 1]) return;
    void *to = at(&c->out, m->batch * n);
    if (c->out.dtype == CR_F64) add_f64(to, m->partial, n);
    else add_f32(to, m->partial, n);
}

void cpu_matmul_block(const struct kernel_call *c, const struct matmul_block *m, void *scratch) {
    struct matmul_block direct = *m;
    direct.partial = NULL;
    if (m->partial && m->first >= plan_slice) run_behind(c, m, scratch);
    else each_block(c, &direct, run, scratch);
}

void cpu_matmul_weave(const struct kernel_call *c, int64_t batch, int64_t first, int64_t n, void *to) {
    const struct tensor *b = &c->in[1];
    int r = b->rank - 2;
    struct gemm g = {.m = 1, .n = 1, .k = 1, .is_f64 = c->out.dtype == CR_F64};
    gemm_plan_of(&g).kernel->weave(
        (char *)to + (size_t)first * cr_dtype_size(b->dtype), b->dim[r + 1] + woven_gap,
        at(b, matmul_offset(b, batch) + first * b->stride[r + 1]), b->stride[r + 1], b->dim[r], n);
}

void cpu_matmul_clear(const struct kernel_call *c, int64_t batch, enum group_bound bound, int64_t rows) {
    int r = c->out.rank - 2;
    int64_t m = c->out.dim[r], n = c->out.dim[r + 1];
    size_t size = cr_dtype_size(c->out.dtype);
    if (bound == BOUND_ROWS && m > rows)
        memset(at(&c->out, (batch * m + rows) * n), 0, (size_t)((m - rows) * n) * size);
    for (int64_t i = 0; bound == BOUND_COLUMNS && i < m && n > rows; i++)
        memset(at(&c->out, (batch * m + i) * n + rows), 0, (size_t)(n - rows) * size);
}
