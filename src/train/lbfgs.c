/* L-BFGS (Nocedal 1980; Nocedal and Wright, Numerical Optimization, 7.2), its line search, and gradient
 * descent. */
#include <math.h>
#include <string.h>

#include "train/fit.h"

static double dot(int64_t n, const double *a, const double *b) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void step_to(const struct cr_fit *f, double a) {
    for (int64_t i = 0; i < f->n; i++) f->trial[i] = f->x[i] + a * f->d[i];
}

/* ---- The line search ---- */

/* Constants of Nocedal and Wright (c1, c2), and of Hager and Zhang for how much the loss may rise where it no
 * longer resolves the step. */
static const double c1 = 1e-4, c2 = 0.9, blur = 1e-13;

struct end {
    double a, f, slope;
};

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

/* Finds a step along f->d; f->trial, f->trial_g and at are then its end. False: none. */
static bool search(struct cr_fit *f, double first, struct end *at) {
    struct end start = {0, f->loss, dot(f->n, f->g, f->d)}, low = start, high = {0, 0, 0};
    bool bounded = false;
    if (!(start.slope < 0)) return false;
    at->a = first;
    for (int i = 0; i < 60; i++) {
        step_to(f, at->a);
        at->f = fit_evaluate(f, f->trial, f->trial_g);
        if (f->status) return false;
        at->slope = isfinite(at->f) ? dot(f->n, f->trial_g, f->d) : INFINITY;
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

/* ---- Directions ---- */

/* d = -H g by the two loops over the pairs kept. */
static void direction(struct cr_fit *f) {
    memcpy(f->d, f->g, (size_t)f->n * sizeof *f->d);
    for (int k = 0; k < f->kept; k++) {
        int i = (f->newest - k + memory) % memory;
        f->alpha[i] = f->rho[i] * dot(f->n, f->s[i], f->d);
        for (int64_t j = 0; j < f->n; j++) f->d[j] -= f->alpha[i] * f->y[i][j];
    }
    double scale = 1;
    if (f->kept) scale = 1 / (f->rho[f->newest] * dot(f->n, f->y[f->newest], f->y[f->newest]));
    for (int64_t j = 0; j < f->n; j++) f->d[j] *= scale;
    for (int k = f->kept; k-- > 0;) {
        int i = (f->newest - k + memory) % memory;
        double beta = f->rho[i] * dot(f->n, f->y[i], f->d);
        for (int64_t j = 0; j < f->n; j++) f->d[j] += (f->alpha[i] - beta) * f->s[i][j];
    }
    for (int64_t j = 0; j < f->n; j++) f->d[j] = -f->d[j];
}

static void remember(struct cr_fit *f) {
    int i = (f->newest + 1) % memory;
    for (int64_t j = 0; j < f->n; j++) {
        f->s[i][j] = f->trial[j] - f->x[j];
        f->y[i][j] = f->trial_g[j] - f->g[j];
    }
    double sy = dot(f->n, f->s[i], f->y[i]);
    if (!(sy > 1e-16 * sqrt(dot(f->n, f->s[i], f->s[i]) * dot(f->n, f->y[i], f->y[i]))))
        return; /* no curvature to learn from */
    f->rho[i] = 1 / sy;
    f->newest = i;
    if (f->kept < memory) f->kept++;
}

static void move(struct cr_fit *f, double loss) {
    memcpy(f->x, f->trial, (size_t)f->n * sizeof *f->x);
    memcpy(f->g, f->trial_g, (size_t)f->n * sizeof *f->g);
    f->loss = loss;
}

/* The first step of a fresh start goes as far as the parameters are large, or 1. */
static double first_step(const struct cr_fit *f) {
    double size = 0, slope = 0;
    for (int64_t i = 0; i < f->n; i++) size = fmax(size, fabs(f->x[i])), slope = fmax(slope, fabs(f->g[i]));
    return slope > 0 ? fmin(1, fmax(size, 1) / slope) : 1;
}

cr_status fit_lbfgs(struct cr_fit *f) {
    f->kept = 0;
    f->newest = 0;
    for (bool fresh = true; f->iterations < f->most_iterations;) {
        struct end at;
        if (fit_converged(f, f->x, f->loss, f->g)) return fit_ended(f, fit_tolerance_reached, CR_OK);
        direction(f);
        if (!search(f, f->kept ? 1 : first_step(f), &at)) {
            if (f->status) return fit_ended(f, "an evaluation failed", f->status);
            if (fresh) return fit_ended(f, fit_no_decrease, CR_OK);
            f->kept = 0; /* once more, along the gradient */
            fresh = true;
            continue;
        }
        remember(f);
        move(f, at.f);
        fresh = false;
        if (!fit_report(f, f->loss, f->best_norm)) return fit_ended(f, "stopped", CR_ESTOPPED);
    }
    return fit_ended(f, fit_out_of_iterations, CR_EFAIL);
}

/* ---- Gradient descent ---- */

/* A step that lowers the loss enough (Armijo), from twice the last one down. */
static bool backtrack(struct cr_fit *f, double *rate, double *loss) {
    double slope = dot(f->n, f->g, f->d);
    for (int i = 0; i < 80; i++, *rate /= 2) {
        step_to(f, *rate);
        *loss = fit_evaluate(f, f->trial, f->trial_g);
        if (f->status) return false;
        if (*loss <= f->loss + c1 * *rate * slope && *loss < f->loss) return true;
    }
    return false;
}

cr_status fit_descend(struct cr_fit *f) {
    double rate = f->rate > 0 ? f->rate : first_step(f), loss;
    while (f->iterations < f->most_iterations) {
        if (fit_converged(f, f->x, f->loss, f->g)) return fit_ended(f, fit_tolerance_reached, CR_OK);
        for (int64_t i = 0; i < f->n; i++) f->d[i] = -f->g[i];
        if (f->rate > 0) {
            step_to(f, rate);
            loss = fit_evaluate(f, f->trial, f->trial_g);
            if (!f->status && isinf(loss))
                return fit_ended(f, "the loss is not finite any more: the rate is too large", CR_EFAIL);
        } else if (!backtrack(f, &rate, &loss) && !f->status) {
            return fit_ended(f, fit_no_decrease, CR_OK);
        }
        if (f->status) return fit_ended(f, "an evaluation failed", f->status);
        if (f->rate <= 0) rate *= 2;
        fit_keep_best(f, f->trial, loss, f->trial_g);
        move(f, loss);
        if (!fit_report(f, f->loss, f->best_norm)) return fit_ended(f, "stopped", CR_ESTOPPED);
    }
    return fit_ended(f, fit_out_of_iterations, CR_EFAIL);
}
