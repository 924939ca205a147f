/* L-BFGS (Nocedal 1980; Nocedal and Wright, Numerical Optimization, 7.2), scaled by the Hessian's diagonal. */
#include <math.h>
#include <string.h>

#include "train/fit.h"
#include "train/qr.h"
#include "train/search.h"

/* y^T D^-2 y. */
static double scaled_square(const struct cr_fit *f, const double *y) {
    double sum = 0;
    for (int64_t i = 0; i < f->n; i++) sum += (y[i] / f->scale[i]) * (y[i] / f->scale[i]);
    return sum;
}

/* A bound holds the parameter: it takes no part in this step. */
static void drop_bound(const struct cr_fit *f, double *d) {
    for (int64_t i = 0; f->bounded && i < f->n; i++)
        if (fit_at_bound(f, i, f->x[i], f->g[i])) d[i] = 0;
}

/* d = -H g by the two loops over the pairs kept, from H = gamma D^-2. */
static void direction(struct cr_fit *f) {
    memcpy(f->d, f->g, (size_t)f->n * sizeof *f->d);
    drop_bound(f, f->d);
    for (int k = 0; k < f->kept; k++) {
        int i = (f->newest - k + memory) % memory;
        f->alpha[i] = f->rho[i] * qr_dot(f->n, f->s[i], f->d);
        for (int64_t j = 0; j < f->n; j++) f->d[j] -= f->alpha[i] * f->y[i][j];
        drop_bound(f, f->d); /* the pairs too are taken without it */
    }
    double gamma = f->kept ? 1 / (f->rho[f->newest] * scaled_square(f, f->y[f->newest])) : 1;
    for (int64_t j = 0; j < f->n; j++) f->d[j] *= gamma / f->scale[j] / f->scale[j];
    for (int k = f->kept; k-- > 0;) {
        int i = (f->newest - k + memory) % memory;
        double beta = f->rho[i] * qr_dot(f->n, f->y[i], f->d);
        for (int64_t j = 0; j < f->n; j++) f->d[j] += (f->alpha[i] - beta) * f->s[i][j];
        drop_bound(f, f->d);
    }
    for (int64_t j = 0; j < f->n; j++) f->d[j] = -f->d[j];
}

static void remember(struct cr_fit *f) {
    int i = (f->newest + 1) % memory;
    for (int64_t j = 0; j < f->n; j++) {
        f->s[i][j] = f->trial[j] - f->x[j];
        f->y[i][j] = f->trial_g[j] - f->g[j];
    }
    double sy = qr_dot(f->n, f->s[i], f->y[i]);
    if (!(sy > 1e-16 * sqrt(qr_dot(f->n, f->s[i], f->s[i]) * qr_dot(f->n, f->y[i], f->y[i]))))
        return; /* no curvature to learn from */
    f->rho[i] = 1 / sy;
    f->newest = i;
    if (f->kept < memory) f->kept++;
}

/* With the Hessian's diagonal the first step is Newton's, but no longer than the parameters are, both in its scale. */
static double first_step(const struct cr_fit *f) {
    double size = 0, length = 0;
    for (int64_t i = 0; i < f->n; i++) {
        double x = f->scale[i] * f->x[i], d = f->scale[i] * f->d[i];
        size += x * x, length += d * d;
    }
    return size > 0 && length > size ? sqrt(size / length) : 1;
}

/* The next point, in f->trial. */
static bool find_step(struct cr_fit *f, double *loss) {
    struct end at;
    double rate = f->kept ? 1 : f->scaled ? first_step(f) : fit_first_step(f);
    if (f->bounded) return fit_backtrack(f, &rate, loss);
    bool found = fit_search(f, rate, &at);
    *loss = at.f;
    return found;
}

/* Where rounding blurs the loss, steps by slopes alone may go in circles. So many without a loss lower by more than the blur, or a
 * gradient half as large, end it. */
struct mark {
    double loss, norm;
    int idle;
};
static const double blur = 1e-13;
enum { most_idle = 100 };

static bool circles(struct mark *m, double loss, double norm) {
    if (loss < m->loss - blur * fabs(m->loss) || norm < m->norm / 2) *m = (struct mark){loss, norm, 0};
    else m->idle++;
    return m->idle == most_idle;
}

cr_status fit_lbfgs(struct cr_fit *f) {
    double loss;
    struct mark mark = {f->loss, INFINITY, 0};
    f->kept = f->newest = 0;
    fit_find_scale(f);
    for (bool fresh = true; f->iterations < f->most_iterations;) {
        if (fit_converged(f, f->x, f->loss, f->g)) return fit_ended(f, fit_tolerance_reached, CR_OK);
        direction(f);
        if (!find_step(f, &loss)) {
            if (f->status) return fit_ended(f, "an evaluation failed", f->status);
            if (fresh) return fit_ended(f, fit_no_decrease, CR_OK);
            f->kept = 0; /* once more, along the gradient, by the curvature here */
            fit_find_scale(f);
            fresh = true;
            continue;
        }
        remember(f);
        fit_move(f, loss);
        fit_keep_best(f, f->x, loss, f->g);
        fresh = false;
        if (circles(&mark, loss, f->best_norm)) return fit_ended(f, fit_no_decrease, CR_OK);
        if (!fit_report(f, f->loss, f->best_norm)) return fit_ended(f, "stopped", CR_ESTOPPED);
    }
    return fit_ended(f, fit_out_of_iterations, CR_EFAIL);
}
