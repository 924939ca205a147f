/* Profile likelihood: how far a parameter can go before the best fit with it held there is too bad. */
#include <math.h>
#include <string.h>

#include "train/fit.h"

/* sqrt((S(x_i) - S) / s^2): on a linear problem |x_i - estimate| / error. Starts from, and leaves in f->x, the rest's best. nan: the fit
 * with it held did not come to an end. */
static double profile_t(struct cr_fit *f, int64_t i, double x) {
    struct residual *s = f->residual;
    f->x[i] = x;
    cr_status status = fit_least_squares(f);
    if (status != CR_OK && status != CR_EFAIL) return NAN;
    return sqrt(fmax(s->cost - f->profile_base, 0) / f->statistics.scale);
}

/* From the estimate outwards by steps that double until t is passed, then between (regula falsi, Illinois). */
static double end_of(struct cr_fit *f, int64_t i, double t, double step, double limit) {
    double inner = f->winner[i], inner_t = 0, outer = inner + step, outer_t = NAN;
    memcpy(f->x, f->winner, (size_t)f->n * sizeof *f->x);
    for (int k = 0;; k++) {
        if (isfinite(limit) && (outer - limit) * step > 0) outer = limit;
        outer_t = profile_t(f, i, outer);
        if (isnan(outer_t)) return NAN;
        if (outer_t >= t) break;
        if (outer == limit) return limit;
        if (k == 40) return copysign(INFINITY, step);
        inner = outer, inner_t = outer_t;
        outer += step *= 2;
    }
    double a = inner_t - t, b = outer_t - t;
    for (int k = 0; k < 60 && fabs(outer - inner) > 1e-10 * fabs(outer); k++) {
        double x = inner - a * (outer - inner) / (b - a), at = profile_t(f, i, x) - t;
        if (isnan(at) || fabs(at) < 1e-9 * t) return isnan(at) ? NAN : x;
        if (at > 0) outer = x, b = at, a /= 2;
        else inner = x, a = at, b /= 2;
    }
    return outer;
}

/* What a refit changes and the result must keep. */
struct kept {
    cr_fit_progress_fn *progress;
    int64_t iterations, evaluations;
    double best_loss, best_norm;
    const char *reason;
    struct statistics statistics;
    char warning[sizeof((struct cr_fit *)0)->warning];
};

static struct kept keep(struct cr_fit *f) {
    struct kept k = {f->progress,  f->iterations, f->evaluations, f->best_loss,
                     f->best_norm, f->reason,     f->statistics,  {0}};
    memcpy(k.warning, f->warning, sizeof k.warning);
    f->progress = NULL;
    f->profile_base = robust_cost(&f->residual->robust, f->residual->m, f->residual->r);
    return k;
}

static void restore(struct cr_fit *f, const struct kept *k) {
    f->progress = k->progress;
    f->iterations = k->iterations;
    f->error[0] = f->warning[0] = 0;
    statistics_find(f); /* residuals and covariance too */
    fit_scatter(f, f->winner);
    f->evaluations = k->evaluations, f->best_loss = k->best_loss, f->best_norm = k->best_norm,
    f->reason = k->reason;
    f->statistics = k->statistics;
    memcpy(f->warning, k->warning, sizeof k->warning);
}

cr_status cr_fit_profile(cr_fit *f, int64_t i, double confidence, double *low, double *high) {
    if (low) *low = NAN;
    if (high) *high = NAN;
    if (!f || !low || !high || strcmp(cr_fit_state(f, i), "free") != 0) return CR_EINVAL;
    double error = cr_fit_standard_error(f, i), t = cr_fit_quantile(f, confidence);
    if (!(error > 0) || !isfinite(error) || !(t > 0)) return CR_EFAIL;
    struct kept k = keep(f);
    f->held[i] = 1;
    f->iterations = 0;
    *low = end_of(f, i, t, -t * error, f->low[i]);
    f->iterations = 0;
    *high = end_of(f, i, t, t * error, f->high[i]);
    f->held[i] = 0;
    restore(f, &k);
    return isnan(*low) || isnan(*high) ? CR_EFAIL : CR_OK;
}
