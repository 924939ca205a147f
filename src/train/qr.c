/* Dense QR by Householder reflections, and one-sided Jacobi. */
#include "train/qr.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

double qr_dot(int64_t n, const double *a, const double *b) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

double qr_dot_exact(int64_t n, const double *a, const double *b) {
    double sum = 0, rest = 0;
    for (int64_t i = 0; i < n; i++) {
        double p = a[i] * b[i], t = sum + p, z = t - sum;
        rest += fma(a[i], b[i], -p) + ((sum - (t - z)) + (p - z));
        sum = t;
    }
    return sum + rest;
}

double qr_norm(int64_t n, const double *a) {
    double most = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(a[i]));
    if (most == 0 || isinf(most)) return most;
    for (int64_t i = 0; i < n; i++) sum += (a[i] / most) * (a[i] / most);
    return most * sqrt(sum);
}

/* ---- Reflections: I - tau v v^T, v[0] = 1 not stored ---- */

/* Makes the reflection that takes a [n] to (beta, 0, ..). */
static double reflect(int64_t n, double *a) {
    double norm = qr_norm(n, a);
    if (norm == 0 || !isfinite(norm)) return 0;
    double beta = -copysign(norm, a[0]), pivot = a[0] - beta, tau = -pivot / beta;
    for (int64_t i = 1; i < n; i++) a[i] /= pivot;
    a[0] = beta;
    return tau;
}

static void apply(int64_t n, const double *v, double tau, double *b) {
    double sum = b[0] + qr_dot(n - 1, v + 1, b + 1);
    b[0] -= tau * sum;
    for (int64_t i = 1; i < n; i++) b[i] -= tau * sum * v[i];
}

static void exchange(int64_t n, double *a, double *b) {
    for (int64_t i = 0; i < n; i++) {
        double t = a[i];
        a[i] = b[i], b[i] = t;
    }
}

/* The column from k on whose part below row k is longest. */
static int longest(int64_t rows, int n, const double *a, int k) {
    int best = k;
    double most = -1;
    for (int j = k; j < n; j++) {
        double norm = qr_norm(rows - k, a + j * rows + k);
        if (norm > most) most = norm, best = j;
    }
    return best;
}

void qr_factor(int64_t rows, int n, double *a, double *tau, int *perm) {
    for (int k = 0; perm && k < n; k++) perm[k] = k;
    for (int k = 0; k < n; k++) {
        double *column = a + k * rows + k;
        int j = perm ? longest(rows, n, a, k) : k;
        if (j != k) {
            int t = perm[k];
            perm[k] = perm[j], perm[j] = t;
            exchange(rows, a + k * rows, a + j * rows);
        }
        tau[k] = reflect(rows - k, column);
        for (int i = k + 1; i < n; i++) apply(rows - k, column, tau[k], a + i * rows + k);
    }
}

void qr_apply(int64_t rows, int n, const double *a, const double *tau, double *b) {
    for (int k = n; k-- > 0;) apply(rows - k, a + k * rows + k, tau[k], b + k);
}

void qr_apply_transpose(int64_t rows, int n, const double *a, const double *tau, double *b) {
    for (int k = 0; k < n; k++) apply(rows - k, a + k * rows + k, tau[k], b + k);
}

void qr_solve(int64_t lead, int n, const double *r, double *b) {
    for (int k = n; k-- > 0;) {
        b[k] /= r[k * lead + k];
        for (int i = 0; i < k; i++) b[i] -= r[k * lead + i] * b[k];
    }
}

void qr_solve_transpose(int64_t lead, int n, const double *r, double *b) {
    for (int k = 0; k < n; k++) b[k] = (b[k] - qr_dot(k, r + k * lead, b)) / r[k * lead + k];
}

/* ---- One-sided Jacobi ---- */

static void rotate(int n, double *a, double *b, double c, double s) {
    for (int i = 0; i < n; i++) {
        double t = a[i];
        a[i] = c * t - s * b[i];
        b[i] = s * t + c * b[i];
    }
}

/* Makes columns p and q orthogonal. False: they were. */
static bool orthogonalise(int n, double *a, double *v, int p, int q) {
    double *x = a + p * n, *y = a + q * n;
    double alpha = qr_dot(n, x, x), beta = qr_dot(n, y, y), gamma = qr_dot(n, x, y);
    if (!(fabs(gamma) > DBL_EPSILON * sqrt(alpha) * sqrt(beta))) return false;
    double zeta = (beta - alpha) / (2 * gamma);
    double t = copysign(1, zeta) / (fabs(zeta) + hypot(1, zeta)), c = 1 / hypot(1, t);
    rotate(n, x, y, c, c * t);
    rotate(n, v + p * n, v + q * n, c, c * t);
    return true;
}

void qr_svd(int n, double *a, double *s, double *v) {
    enum { most_sweeps = 60 }; /* some ten are usual; the bound is against numbers that are not finite */
    for (int i = 0; i < n * n; i++) v[i] = i % (n + 1) == 0;
    bool more = true;
    for (int sweep = 0; more && sweep < most_sweeps; sweep++) {
        more = false;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) more |= orthogonalise(n, a, v, p, q);
    }
    for (int k = 0; k < n; k++) s[k] = qr_norm(n, a + k * n);
}
