/* The step within a region of trust, from the factorised Jacobian (More, The Levenberg-Marquardt algorithm, 1978). */
#include "train/trust.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "train/qr.h"

/* The scale of the parameter in column k of R. */
static double scale(const struct residual *s, int k) { return s->d[s->in[s->perm[k]]]; }

/* |D p|, p in the order of the columns of R. */
static double length(struct residual *s, const double *p) {
    for (int k = 0; k < s->in_n; k++) s->v[k] = scale(s, k) * p[k];
    return qr_norm(s->in_n, s->v);
}

int trust_rank(const struct residual *s) {
    for (int k = 0; k < s->in_n; k++) {
        double whole = qr_norm(k + 1, s->w + k * s->rows);
        if (!(fabs(s->w[k * s->rows + k]) > 4 * DBL_EPSILON * whole)) return k;
    }
    return s->in_n;
}

static void gauss_newton(struct residual *s, int r, double *p) {
    for (int k = 0; k < s->in_n; k++) p[k] = k < r ? -s->rhs[k] : 0;
    qr_solve(s->rows, r, s->w, p);
}

/* R over sqrt(par) D, factorised, gives p. */
static void damped(struct residual *s, double par, double *p) {
    int n = s->in_n, rows = 2 * n;
    memset(s->stack, 0, (size_t)rows * (size_t)n * sizeof *s->stack);
    for (int k = 0; k < n; k++) {
        memcpy(s->stack + k * rows, s->w + k * s->rows, (size_t)(k + 1) * sizeof *s->w);
        s->stack[k * rows + n + k] = sqrt(par) * scale(s, k);
        s->stack_rhs[k] = -s->rhs[k];
        s->stack_rhs[n + k] = 0;
    }
    qr_factor(rows, n, s->stack, s->tau, NULL);
    qr_apply_transpose(rows, n, s->stack, s->tau, s->stack_rhs);
    memcpy(p, s->stack_rhs, (size_t)n * sizeof *p);
    qr_solve(rows, n, s->stack, p);
}

/* |R^-T D (D p)| / |D p|: what Newton's step for par divides by. */
static double slope(struct residual *s, int64_t lead, const double *r, const double *p, double norm) {
    for (int k = 0; k < s->in_n; k++) s->v[k] = scale(s, k) * (scale(s, k) * p[k] / norm);
    qr_solve_transpose(lead, s->in_n, r, s->v);
    return qr_norm(s->in_n, s->v);
}

/* |D^-1 J^T r|. */
static double scaled_gradient(struct residual *s) {
    for (int k = 0; k < s->in_n; k++) s->v[k] = qr_dot(k + 1, s->w + k * s->rows, s->rhs) / scale(s, k);
    return qr_norm(s->in_n, s->v);
}

/* Newton's iteration for |D p(par)| = delta, kept between bounds. */
static void find_par(struct residual *s, double delta, double low, double high, double excess, double *p) {
    double par = fmin(fmax(s->par, low), high);
    if (par == 0) par = scaled_gradient(s) / (excess + delta);
    for (int i = 0; i < 10; i++) {
        if (par == 0) par = fmax(DBL_MIN, 0.001 * high);
        damped(s, par, p);
        double norm = length(s, p), before = excess;
        excess = norm - delta;
        if (fabs(excess) <= 0.1 * delta || (low == 0 && excess <= before && before < 0)) break;
        double by = slope(s, 2 * s->in_n, s->stack, p, norm);
        if (excess > 0) low = fmax(low, par);
        else high = fmin(high, par);
        if (i < 9) par = fmax(low, par + excess / delta / by / by);
    }
    s->par = par;
}

void trust_step(struct residual *s, double delta, double *p) {
    int r = trust_rank(s);
    double *q = s->u; /* p in the order of the columns of R */
    gauss_newton(s, r, q);
    double norm = length(s, q), excess = norm - delta;
    if (excess <= 0.1 * delta) {
        s->par = 0;
    } else {
        double by = r == s->in_n ? slope(s, s->rows, s->w, q, norm) : 0;
        double low = by > 0 ? excess / delta / by / by : 0, gradient = scaled_gradient(s);
        double high = gradient > 0 ? gradient / delta : DBL_MIN / fmin(delta, 0.1);
        find_par(s, delta, low, high, excess, q);
    }
    for (int k = 0; k < s->in_n; k++) p[s->perm[k]] = q[k];
}
