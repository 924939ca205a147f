/* Products of a group, a block of rows at a time. */
#include <string.h>

#include "base/whole.h"
#include "device/cpu/gemm.h"
#include "tensor/dtype.h"

/* A product, or its block of rows or terms, as if there were no bound, and how it is computed; where its operands begin. */
struct block {
    struct gemm_plan plan;
    const char *a, *b;
    char *c;
    int64_t size; /* of an element */
};

static char *at(const struct tensor *x, int64_t offset) {
    return (char *)x->data + offset * (int64_t)cr_dtype_size(x->dtype);
}

/* The rows of the result, or all of it from the terms. low: never more than a low tile's rows at once. */
static struct block block_of(const struct kernel_call *c, const struct matmul_block *m, bool low) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    int64_t rows = a->dim[r], columns = b->dim[r + 1], skipped = m->terms ? 0 : m->first,
            most = m->terms ? rows : m->n;
    struct gemm g = {.m = low ? least(most, gemm_low) : most,
                     .n = columns,
                     .k = m->terms ? m->n : a->dim[r + 1],
                     .rsa = a->stride[r],
                     .csa = a->stride[r + 1],
                     .rsb = m->woven ? columns + woven_gap : b->stride[r],
                     .csb = m->woven ? 1 : b->stride[r + 1],
                     .is_f64 = c->out.dtype == CR_F64,
                     .on = m->terms,
                     .rsc = columns,
                     .part = !m->terms && rows > 1 && columns > 1,
                     .fresh = m->bound == BOUND_NONE && m->first == 0,
                     .ahead = m->ahead};
    struct block x = {.plan = gemm_plan_of(&g), .size = (int64_t)cr_dtype_size(c->out.dtype)};
    x.a = at(a, matmul_offset(a, m->batch) + m->first * a->stride[m->terms ? r + 1 : r]);
    x.b = m->woven ? m->woven : at(b, matmul_offset(b, m->batch) + (m->terms ? m->first * b->stride[r] : 0));
    x.c = at(&c->out, ((m->partial ? 0 : m->batch) * c->out.dim[r] + skipped) * columns);
    return x;
}

size_t cpu_matmul_block_scratch(const struct kernel_call *c, const struct matmul_block *m) {
    struct block x = block_of(c, m, false), low = block_of(c, m, true);
    size_t high_bytes = gemm_scratch(&x.plan), low_bytes = gemm_scratch(&low.plan);
    return high_bytes > low_bytes ? high_bytes : low_bytes;
}

/* Rows that go together, of so many that are left along the diagonal: those of a tile, where these are rows. */
static int64_t height(const struct block *x, int64_t left) {
    return x->plan.turned ? left : gemm_height(&x->plan, left);
}

/* So many rows, columns and terms, where operands begin so many elements on. */
static void run(struct block *x, int64_t m, int64_t n, int64_t k, int64_t a, int64_t b, int64_t c,
                void *scratch) {
    gemm_run_some(&x->plan, m, n, k, x->a + a * x->size, x->b + b * x->size, x->c + c * x->size, scratch);
}

/* Zeros in the columns that nothing is computed in, if they are read. */
static void fill(const struct block *x, const struct matmul_block *m, int64_t columns) {
    for (int64_t i = 0; m->filled && i < m->n; i++) {
        int64_t from = plan_up_to(m->first + i, columns);
        memset(x->c + (i * columns + from) * x->size, 0, (size_t)((columns - from) * x->size));
    }
}

/* Each has the terms up to its own. */
static void run_left_terms(struct block *x, const struct kernel_call *c, const struct matmul_block *m,
                           void *scratch) {
    const struct tensor *a = &c->in[0];
    int r = a->rank - 2;
    int64_t columns = c->out.dim[r + 1], terms = a->dim[r + 1], rows;
    for (int64_t i = 0; i < m->n; i += rows) {
        rows = height(x, least(m->n, plan_unit_end(m->first + i) - m->first) - i);
        run(x, rows, columns, least(terms, m->first + i + rows), i * a->stride[r], 0, i * columns, scratch);
    }
}

/* Rows first .. first+rows-1 of the block, n columns from this one on. */
static void run_columns(struct block *x, const struct kernel_call *c, const struct matmul_block *m,
                        int64_t first, int64_t rows, int64_t column, int64_t n, void *scratch) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    int64_t csb = m->woven ? 1 : b->stride[r + 1];
    run(x, rows, n, a->dim[r + 1], first * a->stride[r], column * csb, first * c->out.dim[r + 1] + column,
        scratch);
}

/* Each has the columns up to its own. A strip of columns after the other: those of its rows that end within it, then the others. */
static void run_left_columns(struct block *x, const struct kernel_call *c, const struct matmul_block *m,
                             void *scratch) {
    int64_t columns = c->out.dim[c->out.rank - 1], end = least(columns, m->first + m->n);
    int64_t wide = x->plan.turned || x->plan.columns < diagonal_rows ? diagonal_rows : x->plan.columns;
    for (int64_t from = 0, to; from < end; from = to) {
        int64_t i = from < m->first ? 0 : from - m->first, upto;
        for (to = least(from + wide, columns); i < m->n && (upto = plan_unit_end(m->first + i)) < to;
             i = upto - m->first)
            run_columns(x, c, m, i, least(m->n, upto - m->first) - i, from, upto - from, scratch);
        if (i < m->n) run_columns(x, c, m, i, m->n - i, from, to - from, scratch);
    }
    fill(x, m, columns);
}

/* The terms from number `skipped` of the block on, of the result's rows or, as the bound says, columns from .. to-1. */
static void run_side(struct block *x, const struct kernel_call *c, const struct matmul_block *m,
                     int64_t skipped, int64_t from, int64_t to, void *scratch) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    int64_t rows = a->dim[r], columns = b->dim[r + 1], k = m->n - skipped;
    int64_t beside = skipped * a->stride[r + 1], below = skipped * b->stride[r];
    if (m->bound == BOUND_ROWS)
        run(x, to - from, columns, k, beside + from * a->stride[r], below, from * columns, scratch);
    else run(x, rows, to - from, k, beside, below + from * b->stride[r + 1], from, scratch);
}

/* What lies left of the diagonal of the block has all its terms. */
static void run_left(const struct kernel_call *c, const struct matmul_block *m, int64_t left, void *scratch) {
    struct block x = block_of(c, m, false);
    run_side(&x, c, m, 0, 0, left, scratch);
}

/* The others are the first that come there. */
static void run_terms(struct block *x, const struct kernel_call *c, const struct matmul_block *m,
                      void *scratch) {
    int64_t side = c->out.dim[c->out.rank - (m->bound == BOUND_ROWS ? 2 : 1)], step;
    int64_t left = least(side, m->first), end = least(side, m->first + m->n);
    if (left > 0) run_left(c, m, left, scratch);
    x->plan.p.fresh = true;
    for (int64_t i = left; i < end; i += step) {
        step = least(end, plan_unit_end(i)) - i;
        if (m->bound == BOUND_ROWS) step = height(x, step);
        run_side(x, c, m, i - m->first, i, i + step, scratch);
    }
}

static void run_block(const struct kernel_call *c, const struct matmul_block *m, void *scratch) {
    struct block x = block_of(c, m, m->bound == BOUND_TERMS || m->bound == BOUND_ROWS);
    if (m->bound == BOUND_NONE) gemm_run(&x.plan, x.a, x.b, x.c, scratch);
    else if (m->terms) run_terms(&x, c, m, scratch);
    else if (m->bound == BOUND_TERMS) run_left_terms(&x, c, m, scratch);
    else run_left_columns(&x, c, m, scratch);
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
    run_block(&there, m, scratch);
    if (end % plan_slice && end < a->dim[r + 1]) return;
    void *to = at(&c->out, m->batch * n);
    if (c->out.dtype == CR_F64) add_f64(to, m->partial, n);
    else add_f32(to, m->partial, n);
}

void cpu_matmul_block(const struct kernel_call *c, const struct matmul_block *m, void *scratch) {
    struct matmul_block direct = *m;
    direct.partial = NULL;
    if (m->partial && m->first >= plan_slice) run_behind(c, m, scratch);
    else run_block(c, &direct, scratch);
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
