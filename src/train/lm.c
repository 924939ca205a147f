/* Least squares by the Levenberg-Marquardt method (More 1978), with exact Jacobians, bounds by projection, and an end where floating
 * point has no more to give. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "train/fit.h"
#include "train/qr.h"
#include "train/trust.h"

/* ---- The linear problem at x ---- */

/* The gradient of half the cost by parameter k. */
static double gradient(const struct residual *s, int k) {
    const double *column = s->jacobian + k * s->m;
    double sum = 0;
    for (int64_t i = 0; i < s->m; i++) {
        double row = 1, by = 1;
        if (s->robust.kind) robust_factors(&s->robust, s->r[i], &row, &by);
        sum += column[i] * (row * by) * s->r[i];
    }
    return sum;
}

/* Who may move: neither held nor pushed against a bound. */
static void find_in(struct cr_fit *f) {
    struct residual *s = f->residual;
    s->in_n = 0;
    for (int k = 0; k < s->n; k++)
        if (!f->held[k] && !(f->bounded && fit_at_bound(f, k, f->x[k], gradient(s, k)))) s->in[s->in_n++] = k;
}

static void fill(struct residual *s) {
    memset(s->w, 0, (size_t)s->rows * (size_t)s->in_n * sizeof *s->w);
    memset(s->rhs, 0, (size_t)s->rows * sizeof *s->rhs);
    for (int k = 0; k < s->in_n; k++)
        memcpy(s->w + k * s->rows, s->jacobian + s->in[k] * s->m, (size_t)s->m * sizeof *s->w);
    memcpy(s->rhs, s->r, (size_t)s->m * sizeof *s->rhs);
    for (int64_t i = 0; s->robust.kind && i < s->m; i++) {
        double row, by;
        robust_factors(&s->robust, s->r[i], &row, &by);
        s->rhs[i] *= by;
        for (int k = 0; k < s->in_n; k++) s->w[k * s->rows + i] *= row;
    }
}

/* Scales only grow (More): a parameter that once mattered keeps its say. */
static void update_scales(struct residual *s) {
    for (int k = 0; k < s->in_n; k++) {
        s->norm[k] = qr_norm(s->rows, s->w + k * s->rows);
        double *d = &s->d[s->in[k]];
        *d = fmax(*d, s->norm[k]);
    }
    for (int k = 0; k < s->n; k++)
        if (s->d[k] == 0) s->d[k] = 1;
}

/* Q^T r, mended. Householder's Q is off by rounding, which the whole residual, where it is large, turns into an error far above that of
 * the small Q_1^T r sought (an error that grows with the square of the condition number). So the part s of r that should be orthogonal to
 * the columns is multiplied by them again, in twice the precision: Q_1^T r += R^-T J^T s (a step of Bjorck's refinement, BIT 7, 1967). */
static void mend(struct residual *s) {
    if (s->robust.kind || trust_rank(s) < s->in_n) return;
    memcpy(s->along, s->rhs, (size_t)s->rows * sizeof *s->along);
    memset(s->along, 0, (size_t)s->in_n * sizeof *s->along);
    qr_apply(s->rows, s->in_n, s->w, s->tau, s->along);
    for (int k = 0; k < s->in_n; k++)
        s->v[k] = qr_dot_exact(s->m, s->jacobian + s->in[s->perm[k]] * s->m, s->along);
    qr_solve_transpose(s->rows, s->in_n, s->w, s->v);
    for (int k = 0; k < s->in_n; k++) s->rhs[k] += s->v[k];
}

bool lm_linearise(struct cr_fit *f) {
    struct residual *s = f->residual;
    if (!residual_jacobian(f, f->x)) return false;
    find_in(f);
    fill(s);
    update_scales(s);
    double whole = qr_norm(s->rows, s->rhs);
    qr_factor(s->rows, s->in_n, s->w, s->tau, s->perm);
    qr_apply_transpose(s->rows, s->in_n, s->w, s->tau, s->rhs);
    mend(s);
    s->offset = whole > 0 ? qr_norm(s->in_n, s->rhs) / whole : 0;
    return true;
}

/* ---- A trial ---- */

/* Where the step leads, bounds kept; s->step is what was gone. False: a bound cut it short. */
static bool go(struct cr_fit *f) {
    struct residual *s = f->residual;
    bool whole = true;
    memcpy(s->trial, f->x, (size_t)s->n * sizeof *s->trial);
    for (int k = 0; k < s->in_n; k++) {
        int j = s->in[k];
        double to = f->x[j] + s->p[k];
        s->trial[j] = fmin(fmax(to, f->low[j]), f->high[j]);
        whole = whole && s->trial[j] == to;
    }
    for (int k = 0; k < s->n; k++) s->step[k] = s->trial[k] - f->x[k];
    return whole;
}

/* How far rounding moves the cost, about: each residual is a sum of terms as large as the parameters' shares in it. */
static double blur(const struct cr_fit *f) {
    const struct residual *s = f->residual;
    double sum = 0;
    for (int64_t i = 0; i < s->m; i++) {
        double size = fabs(s->r[i]);
        for (int k = 0; k < s->n; k++) size += fabs(s->jacobian[k * s->m + i] * f->x[k]);
        sum += fabs(s->r[i]) * size;
    }
    return 2 * DBL_EPSILON * sum;
}

/* By how much the linear problem says the cost falls along s->step. */
static double foretold(struct cr_fit *f) {
    struct residual *s = f->residual;
    memset(s->along, 0, (size_t)s->m * sizeof *s->along);
    for (int k = 0; k < s->n; k++)
        for (int64_t i = 0; i < s->m; i++) s->along[i] += s->jacobian[k * s->m + i] * s->step[k];
    double sum = 0;
    for (int64_t i = 0; i < s->m; i++) {
        double row = 1, by = 1;
        if (s->robust.kind) robust_factors(&s->robust, s->r[i], &row, &by);
        sum -= row * s->along[i] * (2 * by * s->r[i] + row * s->along[i]);
    }
    return sum;
}

/* The same for a step that no bound cut: |R p|^2 + 2 par |D p|^2, which has no cancellation. */
static double foretold_whole(const struct residual *s, double length) {
    double sum = 2 * s->par * length * length;
    for (int i = 0; i < s->in_n; i++) {
        double row = 0;
        for (int k = i; k < s->in_n; k++) row += s->w[k * s->rows + i] * s->p[s->perm[k]];
        sum += row * row;
    }
    return sum;
}

static double length_of(const struct residual *s, const double *x) {
    double most = 0, sum = 0;
    for (int k = 0; k < s->n; k++) most = fmax(most, fabs(s->d[k] * x[k]));
    for (int k = 0; most > 0 && k < s->n; k++) sum += (s->d[k] * x[k] / most) * (s->d[k] * x[k] / most);
    return most * sqrt(sum);
}

/* More's rule: the region shrinks by a tenth to a half where the linear problem foretold badly, and grows where well. */
static void resize_region(struct residual *s, double drop, double fall, double length) {
    double ratio = fall > 0 ? drop / fall : 0;
    if (ratio <= 0.25) {
        double by =
            drop >= 0 ? 0.5 : fmax(0.5 * fall / (fall - 0.5 * drop), 0.1); /* the parabola's minimum */
        if (!isfinite(drop)) by = 0.1;
        s->delta = by * fmin(s->delta, 10 * length);
        s->par /= by;
    } else if (s->par == 0 || ratio >= 0.75) {
        s->delta = 2 * length;
        s->par /= 2;
    }
}

/* The trial becomes the point, the point the trial. */
static void accept(struct cr_fit *f) {
    struct residual *s = f->residual;
    double *x = f->x, *r = s->r;
    f->x = s->trial, s->trial = x;
    s->r = s->trial_r, s->trial_r = r;
    s->cost = robust_cost(&s->robust, s->m, s->r);
}

/* ---- Where the cost no longer tells ---- */

/* The step foretells less than rounding moves the cost by. It is taken if it brings the offset down; else x is where floating point
 * ends, and stays. */
static bool refine(struct cr_fit *f) {
    struct residual *s = f->residual;
    double before = s->offset;
    accept(f); /* the point before is the trial now */
    if (lm_linearise(f) && s->offset < before) return true;
    accept(f);
    lm_linearise(f);
    return false;
}

enum outcome { MOVED, REFINED, ENDED, BROKEN };

/* One iteration: regions of trust, from s->delta down, until a step is taken. The first is as large as the start, so that no parameter
 * is thrown far beyond its own size (MINPACK allows a hundred times that, from where BoxBOD, start 1, never comes back); from 0, where
 * that says nothing, as large as the residuals ask. */
static enum outcome iterate(struct cr_fit *f, bool first) {
    struct residual *s = f->residual;
    double size = length_of(s, f->x), noise = blur(f);
    if (first) s->delta = size > 0 ? size : 100 * sqrt(s->cost);
    for (;;) {
        trust_step(s, s->delta, s->p);
        bool whole = go(f);
        double length = length_of(s, s->step);
        if (first) s->delta = fmin(s->delta, length);
        bool good = residual_at(f, s->trial, s->trial_r);
        if (f->status) return BROKEN;
        double drop = good ? robust_drop(&s->robust, s->m, s->r, s->trial_r) : -INFINITY;
        if (isnan(drop)) drop = -INFINITY; /* of squares that overflow */
        double fall = whole ? foretold_whole(s, length) : foretold(f);
        if (good && fall <= noise && drop >= -10 * noise) return refine(f) ? REFINED : ENDED;
        resize_region(s, drop, fall, length);
        if (fall > 0 && drop >= 1e-4 * fall) return accept(f), MOVED;
        if (!(s->delta > DBL_EPSILON * size) || length == 0) return ENDED;
        first = false;
    }
}

static double largest_gradient(const struct cr_fit *f) {
    const struct residual *s = f->residual;
    double most = 0;
    for (int k = 0; k < s->in_n; k++) most = fmax(most, fabs(gradient(s, s->in[k])));
    return 2 * s->factor * most;
}

static cr_status stopped_at(struct cr_fit *f, const char *reason, cr_status status) {
    struct residual *s = f->residual;
    memcpy(f->best, f->x, (size_t)f->n * sizeof *f->best);
    f->best_loss = s->factor * s->cost;
    f->best_norm = largest_gradient(f);
    return fit_ended(f, reason, status);
}

/* Refinements each of which brings the offset down by less than a half: so many in a row are rounding's play. Where residuals are large
 * Gauss and Newton's steps are no faster (ENSO, Thurber and MGH09 need 12 to 40), so the number is no smaller. */
static const double slow = 0.5;
enum { most_slow = 60 };

cr_status fit_least_squares(struct cr_fit *f) {
    struct residual *s = f->residual;
    double tolerance =
        fmax(f->tolerance, 0); /* by default as far as floating point goes: the last steps are few */
    memset(s->d, 0, (size_t)s->n * sizeof *s->d);
    s->par = 0;
    bool finite = residual_at(f, f->x, s->r);
    if (f->status) return f->status;
    if (!finite) return CR_ENAN;
    s->cost = robust_cost(&s->robust, s->m, s->r);
    if (!isfinite(s->cost)) return CR_ENAN; /* squares of residuals overflow: no step could be compared */
    if (!lm_linearise(f)) return f->status ? f->status : CR_ENAN;
    for (int dawdled = 0, first = true; f->iterations < f->most_iterations; first = false) {
        if (s->offset <= tolerance || s->cost == 0) return stopped_at(f, fit_tolerance_reached, CR_OK);
        double before = s->offset;
        enum outcome o = iterate(f, first);
        if (o == BROKEN) return f->status;
        if (o == ENDED) return stopped_at(f, fit_no_decrease, CR_OK);
        if (o == MOVED && !lm_linearise(f))
            return f->status ? f->status : stopped_at(f, "the Jacobian is not finite any more", CR_EFAIL);
        dawdled = o == REFINED && s->offset > slow * before ? dawdled + 1 : 0;
        if (dawdled == most_slow) return stopped_at(f, fit_no_decrease, CR_OK);
        if (!fit_report(f, s->factor * s->cost, largest_gradient(f)))
            return stopped_at(f, "stopped", CR_ESTOPPED);
    }
    return stopped_at(f, fit_out_of_iterations, CR_EFAIL);
}
