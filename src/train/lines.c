/* Methods that step along lines: L-BFGS, conjugate gradients and Newton's method differ in the direction alone. */
#include <math.h>

#include "train/fit.h"
#include "train/qr.h"
#include "train/search.h"

void fit_drop_held(const struct cr_fit *f, double *v) {
    for (int64_t i = 0; i < f->n; i++)
        if (f->held[i] || (f->bounded && fit_at_bound(f, i, f->x[i], f->g[i]))) v[i] = 0;
}

void fit_scaled(const struct cr_fit *f, const double *v, double *out) {
    for (int64_t i = 0; i < f->n; i++) out[i] = v[i] / f->scale[i] / f->scale[i];
}

double fit_scaled_dot(const struct cr_fit *f, const double *a, const double *b) {
    double sum = 0;
    for (int64_t i = 0; i < f->n; i++) sum += (a[i] / f->scale[i]) * (b[i] / f->scale[i]);
    return sum;
}

double fit_gradient_direction(struct cr_fit *f) {
    fit_scaled(f, f->g, f->d);
    fit_drop_held(f, f->d);
    double size = 0, length = 0;
    for (int64_t i = 0; i < f->n; i++) {
        f->d[i] = -f->d[i];
        double x = f->scale[i] * f->x[i], d = f->scale[i] * f->d[i];
        size += x * x, length += d * d;
    }
    if (!f->scaled) return fit_first_step(f);
    return size > 0 && length > size ? sqrt(size / length) : 1;
}

/* The next point, in f->trial. */
static bool find_step(struct cr_fit *f, double rate, double *loss) {
    struct end at;
    if (f->bounded) return fit_backtrack(f, &rate, loss);
    bool found = fit_search(f, rate, &at);
    *loss = at.f;
    return found;
}

/* Where rounding blurs the loss, steps by slopes alone may go in circles. So many without a loss lower by more than the blur, or a
 * gradient half as large, end it. */
static const double blur = 1e-13;
enum { most_idle = 100 };

bool fit_circles(struct mark *m, double loss, double norm) {
    if (loss < m->loss - blur * fabs(m->loss) || norm < m->norm / 2) *m = (struct mark){loss, norm, 0};
    else m->idle++;
    return m->idle == most_idle;
}

/* A step below the last bit of the parameters by this much, in their scale, leads nowhere: only what is 0 in the end still moves. */
static const double nothing = 1e-30;

bool fit_stands(const struct cr_fit *f) {
    double size = 0, length = 0;
    for (int64_t i = 0; i < f->n; i++) {
        double x = f->scale[i] * f->x[i], d = f->scale[i] * (f->trial[i] - f->x[i]);
        size += x * x, length += d * d;
    }
    return length < nothing * nothing * size;
}

cr_status fit_by_lines(struct cr_fit *f, const struct lines *by) {
    double loss;
    struct mark mark = {f->loss, INFINITY, 0};
    fit_find_scale(f);
    for (bool plain = by->plain_first; f->iterations < f->most_iterations;) {
        if (fit_converged(f, f->x, f->loss, f->g)) return fit_ended(f, fit_tolerance_reached, CR_OK);
        double rate = plain ? fit_gradient_direction(f) : by->direction(f);
        if (f->status || !find_step(f, rate, &loss)) {
            if (f->status) return fit_ended(f, "an evaluation failed", f->status);
            if (plain) return fit_ended(f, fit_no_decrease, CR_OK);
            fit_find_scale(f); /* once more, along the gradient, by the curvature here */
            plain = true;
            continue;
        }
        bool stands = fit_stands(f);
        if (by->remember) by->remember(f, plain);
        fit_move(f, loss);
        fit_keep_best(f, f->x, loss, f->g);
        plain = false;
        if (stands || fit_circles(&mark, loss, f->best_norm)) return fit_ended(f, fit_no_decrease, CR_OK);
        if (!fit_report(f, f->loss, f->best_norm)) return fit_ended(f, "stopped", CR_ESTOPPED);
    }
    return fit_ended(f, fit_out_of_iterations, CR_EFAIL);
}
