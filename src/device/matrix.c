/* Small unblocked kernels (Golub and Van Loan, Matrix Computations, 4th ed.). Blocks are parted by blank lines: emitted C takes
 * those it needs. */
#include "device/matrix.h"

#include <math.h>

void matrix_symmetric(double *a, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = 0.5 * (a[i * n + j] + a[j * n + i]);
}

/* l_ij = (a_ij - sum of l_ik l_jk) / l_jj (4.2.5) */
int64_t matrix_cholesky(double *l, int64_t n) {
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = j; i < n; i++) {
            double s = l[i * n + j];
            for (int64_t k = 0; k < j; k++) s -= l[i * n + k] * l[j * n + k];
            if (i == j && s <= 0) return j;
            l[i * n + j] = i == j ? sqrt(s) : s / l[j * n + j];
        }
        for (int64_t i = 0; i < j; i++) l[i * n + j] = 0;
    }
    return -1;
}

/* Rows of b, each divided and taken from those that need it (3.1). */
int64_t matrix_substitute(const double *a, int64_t n, double *b, int64_t columns, int upper, int unit) {
    for (int64_t step = 0; step < n; step++) {
        int64_t i = upper ? n - 1 - step : step;
        for (int64_t j = upper ? i + 1 : 0; j < (upper ? n : i); j++)
            for (int64_t k = 0; k < columns; k++) b[i * columns + k] -= a[i * n + j] * b[j * columns + k];
        if (unit) continue;
        if (a[i * n + i] == 0) return i;
        for (int64_t k = 0; k < columns; k++) b[i * columns + k] /= a[i * n + i];
    }
    return -1;
}

static void matrix_exchange(double *a, int64_t columns, int64_t i, int64_t j) {
    for (int64_t k = 0; k < columns && i != j; k++) {
        double t = a[i * columns + k];
        a[i * columns + k] = a[j * columns + k];
        a[j * columns + k] = t;
    }
}

static int64_t matrix_pivot(const double *a, int64_t n, int64_t j) {
    int64_t best = j;
    for (int64_t i = j + 1; i < n; i++)
        if (fabs(a[i * n + j]) > fabs(a[best * n + j])) best = i;
    return best;
}

/* LU with row exchanges (3.4.4): a becomes L below and U; b's rows move along. Gives the first column without a pivot, or -1; *sign
 * turns with each exchange. */
static int64_t matrix_factor(double *a, int64_t n, double *b, int64_t columns, double *sign) {
    for (int64_t j = 0; j < n; j++) {
        int64_t p = matrix_pivot(a, n, j);
        if (a[p * n + j] == 0) return j;
        if (p != j) *sign = -*sign;
        matrix_exchange(a, n, j, p);
        matrix_exchange(b, columns, j, p);
        for (int64_t i = j + 1; i < n; i++) {
            double l = a[i * n + j] /= a[j * n + j];
            for (int64_t k = j + 1; k < n; k++) a[i * n + k] -= l * a[j * n + k];
        }
    }
    return -1;
}

int64_t matrix_solve(double *a, int64_t n, double *b, int64_t columns) {
    double sign = 1;
    int64_t failed = matrix_factor(a, n, b, columns, &sign);
    if (failed >= 0) return failed;
    matrix_substitute(a, n, b, columns, 0, 1);
    matrix_substitute(a, n, b, columns, 1, 0);
    return -1;
}

void matrix_logabsdet(double *a, int64_t n, double *size, double *sign) {
    *sign = 1;
    *size = 0;
    if (matrix_factor(a, n, a, 0, sign) >= 0) *sign = 0, *size = -INFINITY;
    for (int64_t i = 0; i < n && *sign != 0; i++) {
        *size += log(fabs(a[i * n + i]));
        if (a[i * n + i] < 0) *sign = -*sign;
    }
    if (*size != *size) *sign = NAN;
}

static void matrix_turn(double *x, int64_t n, int64_t step, int64_t p, int64_t q, double cosine,
                        double sine) {
    for (int64_t k = 0; k < n; k++) {
        double u = x[p + k * step], v = x[q + k * step];
        x[p + k * step] = cosine * u - sine * v;
        x[q + k * step] = sine * u + cosine * v;
    }
}

/* Makes a_pq zero (8.5); 0 if it was, to the last bit of a_pp and a_qq. v collects the rotations in its columns. */
static int matrix_rotate(double *a, double *v, int64_t n, int64_t p, int64_t q) {
    double x = a[p * n + q], app = fabs(a[p * n + p]), aqq = fabs(a[q * n + q]);
    if (x == 0 || (app + fabs(x) == app && aqq + fabs(x) == aqq)) return 0;
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * x);
    double t = copysign(1.0, theta) / (fabs(theta) + hypot(theta, 1.0)), cosine = 1 / hypot(t, 1.0),
           sine = t * cosine;
    matrix_turn(a, n, n, p, q, cosine, sine);
    matrix_turn(a, n, 1, p * n, q * n, cosine, sine);
    matrix_turn(v, n, n, p, q, cosine, sine);
    a[p * n + q] = a[q * n + p] = 0;
    return 1;
}

/* By cyclic rotations; convergence is quadratic: six to ten sweeps in practice, 64 at most. */
static void matrix_diagonalise(double *a, double *v, int64_t n) {
    int moved = 1;
    for (int64_t i = 0; i < n * n; i++) v[i] = i % (n + 1) == 0;
    for (int sweep = 0; sweep < 64 && moved; sweep++) {
        moved = 0;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++) moved = matrix_rotate(a, v, n, p, q) || moved;
    }
}

/* By insertion, columns along. */
static void matrix_sort_pairs(double *value, double *v, int64_t n) {
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

static void matrix_choose_signs(double *v, int64_t n) {
    for (int64_t j = 0; j < n; j++) {
        int64_t best = 0;
        for (int64_t i = 1; i < n; i++)
            if (fabs(v[i * n + j]) > fabs(v[best * n + j])) best = i;
        if (!(v[best * n + j] < 0)) continue;
        for (int64_t i = 0; i < n; i++) v[i * n + j] = -v[i * n + j];
    }
}

void matrix_eigh(double *a, int64_t n, double *value, double *v) {
    int finite = 1;
    for (int64_t i = 0; i < n * n; i++) finite = finite && a[i] - a[i] == 0;
    if (finite) matrix_diagonalise(a, v, n);
    for (int64_t i = 0; i < n; i++) value[i] = finite ? a[i * n + i] : NAN;
    for (int64_t i = 0; i < n * n && !finite; i++) v[i] = NAN;
    matrix_sort_pairs(value, v, n);
    matrix_choose_signs(v, n);
}
