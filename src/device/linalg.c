/* Factorisations, matrix by matrix in double: small unblocked kernels (Golub and Van Loan, Matrix Computations, 4th ed.). A
 * matrix is worked on by one task, so bits do not change with their number. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "device/kernels.h"
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

/* A symmetric part is what counts. */
static void load_symmetric(double *a, const struct kernel_call *c, int64_t batch) {
    int64_t n = order_of(c);
    load(a, c->in, batch);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = 0.5 * (a[i * n + j] + a[j * n + i]);
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

/* ---- Cholesky: l_ij = (a_ij - sum of l_ik l_jk) / l_jj (4.2.5) ---- */

static int64_t cholesky(const struct kernel_call *c, int64_t batch, double *l) {
    int64_t n = order_of(c);
    load_symmetric(l, c, batch);
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = j; i < n; i++) {
            double s = l[i * n + j];
            for (int64_t k = 0; k < j; k++) s -= l[i * n + k] * l[j * n + k];
            if (i == j && s <= 0) return j;
            l[i * n + j] = i == j ? sqrt(s) : s / l[j * n + j];
        }
        for (int64_t i = 0; i < j; i++) l[i * n + j] = 0;
    }
    store(c, c->out.data, batch * n * n, l, n * n);
    return -1;
}

cr_status kernel_cholesky(struct kernel_call *c) { return each_matrix(c, cholesky); }

/* ---- Substitution: rows of b, each divided and taken from those that need it (3.1) ---- */

static void take_row(double *b, int64_t columns, int64_t i, int64_t j, double factor) {
    for (int64_t k = 0; k < columns; k++) b[i * columns + k] -= factor * b[j * columns + k];
}

static int64_t substitute(const double *a, int64_t n, double *b, int64_t columns, bool upper, bool unit) {
    for (int64_t step = 0; step < n; step++) {
        int64_t i = upper ? n - 1 - step : step;
        for (int64_t j = upper ? i + 1 : 0; j < (upper ? n : i); j++)
            take_row(b, columns, i, j, a[i * n + j]);
        if (unit) continue;
        if (a[i * n + i] == 0) return i;
        for (int64_t k = 0; k < columns; k++) b[i * columns + k] /= a[i * n + i];
    }
    return -1;
}

static int64_t triangular_solve(const struct kernel_call *c, int64_t batch, double *a) {
    int64_t n = order_of(c), columns = columns_of(c);
    double *b = a + n * n;
    load(a, &c->in[0], batch);
    load(b, &c->in[1], batch);
    int64_t failed = substitute(a, n, b, columns, c->attr[0] != 0, false);
    if (failed < 0) store(c, c->out.data, batch * n * columns, b, n * columns);
    return failed;
}

cr_status kernel_triangular_solve(struct kernel_call *c) { return each_matrix(c, triangular_solve); }

/* ---- LU with row exchanges (3.4.4) ---- */

static void exchange(double *a, int64_t columns, int64_t i, int64_t j) {
    for (int64_t k = 0; k < columns && i != j; k++) {
        double t = a[i * columns + k];
        a[i * columns + k] = a[j * columns + k];
        a[j * columns + k] = t;
    }
}

static int64_t pivot(const double *a, int64_t n, int64_t j) {
    int64_t best = j;
    for (int64_t i = j + 1; i < n; i++)
        if (fabs(a[i * n + j]) > fabs(a[best * n + j])) best = i;
    return best;
}

/* a becomes L below and U; b's rows move along. Gives the first column without a pivot, or -1; *sign turns with each exchange. */
static int64_t factor(double *a, int64_t n, double *b, int64_t columns, double *sign) {
    for (int64_t j = 0; j < n; j++) {
        int64_t p = pivot(a, n, j);
        if (a[p * n + j] == 0) return j;
        if (p != j) *sign = -*sign;
        exchange(a, n, j, p);
        exchange(b, columns, j, p);
        for (int64_t i = j + 1; i < n; i++) {
            double l = a[i * n + j] /= a[j * n + j];
            for (int64_t k = j + 1; k < n; k++) a[i * n + k] -= l * a[j * n + k];
        }
    }
    return -1;
}

static int64_t solve(const struct kernel_call *c, int64_t batch, double *a) {
    int64_t n = order_of(c), columns = columns_of(c);
    double *b = a + n * n, sign = 1;
    load(a, &c->in[0], batch);
    load(b, &c->in[1], batch);
    int64_t failed = factor(a, n, b, columns, &sign);
    if (failed >= 0) return failed;
    substitute(a, n, b, columns, false, true);
    substitute(a, n, b, columns, true, false);
    store(c, c->out.data, batch * n * columns, b, n * columns);
    return -1;
}

cr_status kernel_solve(struct kernel_call *c) { return each_matrix(c, solve); }

/* The logarithm, then the sign; of a singular matrix -inf and 0. */
static int64_t logabsdet(const struct kernel_call *c, int64_t batch, double *a) {
    int64_t n = order_of(c);
    double sign = 1, log_size = 0;
    load(a, c->in, batch);
    if (factor(a, n, NULL, 0, &sign) >= 0) sign = 0, log_size = -INFINITY;
    for (int64_t i = 0; i < n && sign != 0; i++) {
        log_size += log(fabs(a[i * n + i]));
        if (a[i * n + i] < 0) sign = -sign;
    }
    if (isnan(log_size)) sign = NAN;
    store(c, c->out_part[0], batch, &log_size, 1);
    store(c, c->out_part[1], batch, &sign, 1);
    return -1;
}

cr_status kernel_logabsdet(struct kernel_call *c) { return each_matrix(c, logabsdet); }

/* ---- Eigenvalues by cyclic Jacobi rotations (8.5) ---- */

static void rotate_rows(double *x, int64_t n, int64_t step, int64_t p, int64_t q, double cosine,
                        double sine) {
    for (int64_t k = 0; k < n; k++) {
        double u = x[p + k * step], v = x[q + k * step];
        x[p + k * step] = cosine * u - sine * v;
        x[q + k * step] = sine * u + cosine * v;
    }
}

/* Makes a_pq zero; false if it was, to the last bit of a_pp and a_qq. v collects the rotations in its columns. */
static bool rotate(double *a, double *v, int64_t n, int64_t p, int64_t q) {
    double x = a[p * n + q], app = fabs(a[p * n + p]), aqq = fabs(a[q * n + q]);
    if (x == 0 || (app + fabs(x) == app && aqq + fabs(x) == aqq)) return false;
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * x);
    double t = copysign(1, theta) / (fabs(theta) + hypot(theta, 1)), cosine = 1 / hypot(t, 1),
           sine = t * cosine;
    rotate_rows(a, n, n, p, q, cosine, sine);
    rotate_rows(a, n, 1, p * n, q * n, cosine, sine);
    rotate_rows(v, n, n, p, q, cosine, sine);
    a[p * n + q] = a[q * n + p] = 0;
    return true;
}

enum { most_sweeps = 64 }; /* convergence is quadratic: six to ten in practice */

static void diagonalise(double *a, double *v, int64_t n) {
    bool moved = true;
    for (int64_t i = 0; i < n * n; i++) v[i] = i % (n + 1) == 0;
    for (int sweep = 0; sweep < most_sweeps && moved; sweep++) {
        moved = false;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++) moved = rotate(a, v, n, p, q) || moved;
    }
}

/* By insertion, columns along. */
static void sort_pairs(double *value, double *v, int64_t n) {
    for (int64_t i = 1; i < n; i++)
        for (int64_t j = i; j > 0 && value[j] < value[j - 1]; j--) {
            double t = value[j];
            value[j] = value[j - 1];
            value[j - 1] = t;
            for (int64_t k = 0; k < n; k++) {
                t = v[k * n + j];
                v[k * n + j] = v[k * n + j - 1];
                v[k * n + j - 1] = t;
            }
        }
}

/* One of the two: the first of the elements that are largest in size is positive. */
static void choose_signs(double *v, int64_t n) {
    for (int64_t j = 0; j < n; j++) {
        int64_t best = 0;
        for (int64_t i = 1; i < n; i++)
            if (fabs(v[i * n + j]) > fabs(v[best * n + j])) best = i;
        if (!(v[best * n + j] < 0)) continue;
        for (int64_t i = 0; i < n; i++) v[i * n + j] = -v[i * n + j];
    }
}

static int64_t eigh(const struct kernel_call *c, int64_t batch, double *a) {
    int64_t n = order_of(c);
    double *v = a + n * n, *value = v + n * n;
    bool finite = true;
    load_symmetric(a, c, batch);
    for (int64_t i = 0; i < n * n; i++) finite = finite && isfinite(a[i]);
    if (finite) diagonalise(a, v, n);
    for (int64_t i = 0; i < n; i++) value[i] = finite ? a[i * n + i] : NAN;
    for (int64_t i = 0; i < n * n && !finite; i++) v[i] = NAN;
    sort_pairs(value, v, n);
    choose_signs(v, n);
    store(c, c->out_part[0], batch * n, value, n);
    store(c, c->out_part[1], batch * n * n, v, n * n);
    return -1;
}

cr_status kernel_eigh(struct kernel_call *c) { return each_matrix(c, eigh); }
