/* Factorisations, matrix by matrix in double. A matrix is worked on by one task, so bits do not change with their number. */
#include "base/mem.h"
#include "device/kernels.h"
#include "device/matrix.h"
#include "tensor/dtype.h"

/* ---- Matrices in and out ---- */

static int64_t order_of(const struct kernel_call *c) { return c->in->dim[c->in->rank - 1]; }

static int64_t columns_of(const struct kernel_call *c) {
    return c->n > 1 ? c->in[1].dim[c->in[1].rank - 1] : 0;
}

/* For what went wrong; two square matrices; the right-hand sides; a line. */
enum { notes = 2 };
size_t kernel_matrix_scratch(const struct kernel_call *c) {
    size_t n = (size_t)order_of(c), numbers = mem_add(mem_mul(2 * n, n), mem_mul(n, (size_t)columns_of(c)));
    return mem_mul(mem_add(numbers, n + notes), sizeof(double));
}

static double number_at(const struct tensor *x, int64_t at) {
    return x->dtype == CR_F64 ? ((const double *)x->data)[at] : (double)((const float *)x->data)[at];
}

/* Matrix number `batch` of x, row by row. */
static void load(double *to, const struct tensor *x, int64_t batch) {
    int r = x->rank - 2;
    int64_t at = 0, rows = x->dim[r], columns = x->dim[r + 1];
    for (int k = r - 1; k >= 0; k--) at += batch % x->dim[k] * x->stride[k], batch /= x->dim[k];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            to[i * columns + j] = number_at(x, at + i * x->stride[r] + j * x->stride[r + 1]);
}

static void store(const struct kernel_call *c, void *out, int64_t first, const double *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (c->out.dtype == CR_F64) ((double *)out)[first + i] = from[i];
        else ((float *)out)[first + i] = (float)from[i];
    }
}

/* ---- All matrices of a batch ---- */

/* Works on one; gives the column in which it failed, or -1. */
typedef int64_t matrix_fn(const struct kernel_call *c, int64_t batch, double *work);

struct batch {
    const struct kernel_call *c;
    matrix_fn *body;
    int64_t count;
    size_t parts;
};

static void run_part(void *arg, size_t i) {
    const struct batch *b = arg;
    double *scratch = team_scratch(b->c->team, i);
    int64_t first, end, column = -1, *failed = (int64_t *)(void *)scratch;
    team_part(b->count, b->parts, i, &first, &end);
    for (; first < end && column < 0; first++) column = b->body(b->c, first, scratch + notes);
    failed[0] = first - 1;
    failed[1] = column;
}

/* The first matrix that failed is told, whoever came to it. */
static cr_status each_matrix(struct kernel_call *c, matrix_fn *body) {
    const struct tensor *x = c->in;
    int64_t n = order_of(c), count = shape_count(x->rank - 2, x->dim);
    struct batch b = {c, body, count, 1};
    if (count > 1 && n * n * n * count > 1 << 17)
        b.parts = (size_t)count < c->team->tasks ? (size_t)count : c->team->tasks;
    if (count == 0) return CR_OK;
    team_run(c->team, b.parts, run_part, &b);
    for (size_t i = 0; i < b.parts; i++) {
        const int64_t *failed = team_scratch(c->team, i);
        if (failed[1] < 0) continue;
        c->bad = failed[0];
        c->limit = failed[1];
        return CR_ESINGULAR;
    }
    return CR_OK;
}

/* ---- One matrix: in, worked on, out ---- */

static int64_t cholesky(const struct kernel_call *c, int64_t batch, double *l) {
    int64_t n = order_of(c);
    load(l, c->in, batch);
    matrix_symmetric(l, n); /* a symmetric part is what counts */
    int64_t failed = matrix_cholesky(l, n);
    if (failed < 0) store(c, c->out.data, batch * n * n, l, n * n);
    return failed;
}

static int64_t triangular_solve(const struct kernel_call *c, int64_t batch, double *a) {
    int64_t n = order_of(c), columns = columns_of(c);
    double *b = a + n * n;
    load(a, &c->in[0], batch);
    load(b, &c->in[1], batch);
    int64_t failed = matrix_substitute(a, n, b, columns, c->attr[0] != 0, 0);
    if (failed < 0) store(c, c->out.data, batch * n * columns, b, n * columns);
    return failed;
}

static int64_t solve(const struct kernel_call *c, int64_t batch, double *a) {
    int64_t n = order_of(c), columns = columns_of(c);
    double *b = a + n * n;
    load(a, &c->in[0], batch);
    load(b, &c->in[1], batch);
    int64_t failed = matrix_solve(a, n, b, columns);
    if (failed < 0) store(c, c->out.data, batch * n * columns, b, n * columns);
    return failed;
}

static int64_t logabsdet(const struct kernel_call *c, int64_t batch, double *a) {
    double size, sign;
    load(a, c->in, batch);
    matrix_logabsdet(a, order_of(c), &size, &sign);
    store(c, c->out_part[0], batch, &size, 1);
    store(c, c->out_part[1], batch, &sign, 1);
    return -1;
}

static int64_t eigh(const struct kernel_call *c, int64_t batch, double *a) {
    int64_t n = order_of(c);
    double *v = a + n * n, *value = v + n * n;
    load(a, c->in, batch);
    matrix_symmetric(a, n);
    matrix_eigh(a, n, value, v);
    store(c, c->out_part[0], batch * n, value, n);
    store(c, c->out_part[1], batch * n * n, v, n * n);
    return -1;
}

cr_status kernel_cholesky(struct kernel_call *c) { return each_matrix(c, cholesky); }
cr_status kernel_triangular_solve(struct kernel_call *c) { return each_matrix(c, triangular_solve); }
cr_status kernel_solve(struct kernel_call *c) { return each_matrix(c, solve); }
cr_status kernel_logabsdet(struct kernel_call *c) { return each_matrix(c, logabsdet); }
cr_status kernel_eigh(struct kernel_call *c) { return each_matrix(c, eigh); }
