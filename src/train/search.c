/* Steps along a direction: a line search that meets the strong Wolfe conditions, and backtracking. */
#include <math.h>
#include <string.h>

#include "train/fit.h"
#include "train/qr.h"
#include "train/search.h"

/* Constants of Nocedal and Wright (c1, c2), and of Hager and Zhang for how much the loss may rise where it no
 * longer resolves the step. */
static const double c1 = 1e-4, c2 = 0.9, blur = 1e-13;

/* Does the step meet the Wolfe conditions, or, within the blur of the loss, their approximate form by slopes
 * alone? */
static bool acceptable(const struct end *at, const struct end *start) {
    bool curvature = fabs(at->slope) <= c2 * fabs(start->slope);
    bool decrease = at->f <= start->f + c1 * at->a * start->slope;
    bool level =
        at->f <= start->f + blur * fmax(fabs(start->f), 1e-300) && at->slope <= (2 * c1 - 1) * start->slope;
    return curvature && (decrease || level);
}

/* Between the ends: where a cubic through both has its minimum, kept away from the ends; halfway if that is
 * none. */
static double between(const struct end *low, const struct end *high) {
    double width = high->a - low->a, at = low->a + width / 2;
    if (isfinite(high->f)) {
        double d1 = low->slope + high->slope - 3 * (low->f - high->f) / (low->a - high->a);
        double d2 = d1 * d1 - low->slope * high->slope;
        double secant = low->a - low->slope * width / (high->slope - low->slope);
        if (d2 >= 0)
            at = high->a - width * (high->slope + copysign(sqrt(d2), width) - d1) /
                               (high->slope - low->slope + 2 * copysign(sqrt(d2), width));
        if (fabs(high->f - low->f) <= 1e-10 * fabs(low->f) && high->slope > 0)
            at = secant; /* the loss is blurred: slopes are not */
    }
    double margin = 0.1 * width;
    if (!(at > low->a + margin)) at = low->a + margin;
    return at < high->a - margin ? at : high->a - margin;
}

bool fit_search(struct cr_fit *f, double first, struct end *at) {
    struct end start = {0, f->loss, qr_dot(f->n, f->g, f->d)}, low = start, high = {0, 0, 0};
    bool bounded = false;
    if (!(start.slope < 0)) return false;
    at->a = first;
    for (int i = 0; i < 60; i++) {
        fit_step_to(f, at->a);
        at->f = fit_evaluate(f, f->trial, f->trial_g);
        if (f->status) return false;
        at->slope = isfinite(at->f) ? qr_dot(f->n, f->trial_g, f->d) : INFINITY;
        if (isfinite(at->f)) fit_keep_best(f, f->trial, at->f, f->trial_g);
        if (isfinite(at->f) && acceptable(at, &start)) return true;
        bool up = !isfinite(at->f) || at->f > start.f + c1 * at->a * start.slope + blur * fabs(start.f) ||
                  at->slope >= 0;
        if (up) high = *at, bounded = true;
        else low = *at;
        if (bounded && !(high.a - low.a > 1e-16 * high.a)) return false;
        double next =
            bounded ? isfinite(high.f) ? between(&low, &high) : low.a + (high.a - low.a) / 4 : at->a * 4;
        at->a = next;
    }
    return false;
}

/* ---- Backtracking ---- */

/* Bounds bend the path: what is gone counts, not the step. */
static double slope_gone(const struct cr_fit *f) {
    double sum = 0;
    for (int64_t i = 0; i < f->n; i++) sum += f->g[i] * (f->trial[i] - f->x[i]);
    return sum;
}

bool fit_backtrack(struct cr_fit *f, double *rate, double *loss) {
    for (int i = 0; i < 80; i++, *rate /= 2) {
        fit_step_to(f, *rate);
        *loss = fit_evaluate(f, f->trial, f->trial_g);
        if (f->status) return false;
        if (*loss <= f->loss + c1 * slope_gone(f) && *loss < f->loss) return true;
    }
    return false;
}

void fit_step_to(struct cr_fit *f, double a) {
    for (int64_t i = 0; i < f->n; i++) f->trial[i] = fmin(fmax(f->x[i] + a * f->d[i], f->low[i]), f->high[i]);
}

void fit_move(struct cr_fit *f, double loss) {
    memcpy(f->x, f->trial, (size_t)f->n * sizeof *f->x);
    memcpy(f->g, f->trial_g, (size_t)f->n * sizeof *f->g);
    f->loss = loss;
}
