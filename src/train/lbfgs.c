/* L-BFGS (Nocedal 1980; Nocedal and Wright, Numerical Optimization, 7.2), scaled by the Hessian's diagonal. */
#include <math.h>
#include <string.h>

#include "train/fit.h"
#include "train/qr.h"
#include "train/search.h"

/* d = -H g by the two loops over the pairs kept, from H = gamma D^-2. A bound holds a parameter: it takes no part in this step, and
 * the pairs too are taken without it. */
static double direction(struct cr_fit *f) {
    if (!f->kept) return fit_gradient_direction(f);
    memcpy(f->d, f->g, (size_t)f->n * sizeof *f->d);
    fit_drop_held(f, f->d);
    for (int k = 0; k < f->kept; k++) {
        int i = (f->newest - k + memory) % memory;
        f->alpha[i] = f->rho[i] * qr_dot(f->n, f->s[i], f->d);
        for (int64_t j = 0; j < f->n; j++) f->d[j] -= f->alpha[i] * f->y[i][j];
        fit_drop_held(f, f->d);
    }
    const double *y = f->y[f->newest];
    double gamma = 1 / (f->rho[f->newest] * fit_scaled_dot(f, y, y));
    for (int64_t j = 0; j < f->n; j++) f->d[j] *= gamma / f->scale[j] / f->scale[j];
    for (int k = f->kept; k-- > 0;) {
        int i = (f->newest - k + memory) % memory;
        double beta = f->rho[i] * qr_dot(f->n, f->y[i], f->d);
        for (int64_t j = 0; j < f->n; j++) f->d[j] += (f->alpha[i] - beta) * f->s[i][j];
        fit_drop_held(f, f->d);
    }
    for (int64_t j = 0; j < f->n; j++) f->d[j] = -f->d[j];
    return 1;
}

/* After a step along the gradient alone the pairs before it are forgotten. */
static void remember(struct cr_fit *f, bool plain) {
    if (plain) f->kept = 0;
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

cr_status fit_lbfgs(struct cr_fit *f) {
    f->kept = f->newest = 0;
    return fit_by_lines(f, &(struct lines){direction, remember, true});
}
