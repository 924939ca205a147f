/* Nonlinear conjugate gradients (Hager and Zhang, SIAM J. Optim. 16, 2005), scaled by the Hessian's diagonal D^2: the method in the
 * variables D x. */
#include <math.h>

#include "train/fit.h"
#include "train/qr.h"
#include "train/search.h"

/* What is remembered of the last step: the change of the gradient, and what its slope promised. */
static double *change(struct cr_fit *f) { return f->y[0]; }
static double *promise(struct cr_fit *f) { return &f->rho[0]; }

static void remember(struct cr_fit *f, bool plain) {
    (void)plain;
    *promise(f) = 0;
    for (int64_t i = 0; i < f->n; i++) {
        change(f)[i] = f->trial_g[i] - f->g[i];
        *promise(f) += f->g[i] * (f->trial[i] - f->x[i]);
    }
}

/* (y - 2 d |y|^2/(d y)) g / (d y), but not below -1/(|d| min(0.01, |g|)), which keeps far directions from coming back (their 1.6). */
static double beta(struct cr_fit *f) {
    const double *y = change(f);
    double dy = qr_dot(f->n, f->d, y), dg = qr_dot(f->n, f->d, f->g), dd = 0;
    if (!(dy > 0)) return 0;
    for (int64_t i = 0; i < f->n; i++) dd += (f->scale[i] * f->d[i]) * (f->scale[i] * f->d[i]);
    double value = (fit_scaled_dot(f, y, f->g) - 2 * fit_scaled_dot(f, y, y) * dg / dy) / dy;
    double least = -1 / (sqrt(dd) * fmin(0.01, sqrt(fit_scaled_dot(f, f->g, f->g))));
    return isfinite(value) ? fmax(value, least) : 0;
}

/* The first step is such that the loss would fall by what it fell the last time (Nocedal and Wright, 3.60). */
static double direction(struct cr_fit *f) {
    double b = beta(f);
    for (int64_t i = 0; i < f->n; i++) f->d[i] = b * f->d[i] - f->g[i] / f->scale[i] / f->scale[i];
    fit_drop_held(f, f->d);
    double slope = qr_dot(f->n, f->g, f->d);
    if (!(slope < 0)) return fit_gradient_direction(f);
    return *promise(f) < 0 ? *promise(f) / slope : 1;
}

cr_status fit_cg(struct cr_fit *f) { return fit_by_lines(f, &(struct lines){direction, remember, true}); }
