/* Newton's method with exact products of the Hessian: along lines, and within a region of trust. */
#include <math.h>
#include <string.h>

#include "train/fit.h"
#include "train/qr.h"
#include "train/search.h"
#include "train/steihaug.h"

/* How far each step is solved: min(1/2, sqrt of how much the gradient has shrunk), for superlinear convergence (Dembo, Eisenstat and
 * Steihaug 1982). The norm at the start is kept in rho[0]. */
static double forcing(struct cr_fit *f) {
    double norm = sqrt(fit_scaled_dot(f, f->g, f->g));
    if (!(f->rho[0] > 0)) f->rho[0] = norm;
    return fmin(0.5, sqrt(norm / f->rho[0]));
}

/* ---- Along lines ---- */

static double direction(struct cr_fit *f) {
    struct newton_step step;
    if (!steihaug(f, INFINITY, forcing(f), &step)) return 1;
    memcpy(f->d, step.p, (size_t)f->n * sizeof *f->d);
    if (!(qr_dot(f->n, f->g, f->d) < 0)) return fit_gradient_direction(f);
    return 1;
}

cr_status fit_newton(struct cr_fit *f) {
    f->rho[0] = 0;
    return fit_by_lines(f, &(struct lines){direction, NULL, false});
}

/* ---- Within a region of trust (Nocedal and Wright, 4.1 and 7.2) ---- */

static const double blur = 1e-13;

struct region {
    double delta, length; /* of the region, and of the last step */
    double loss, predicted;
    bool at_edge;
};

static double norm_of(const struct cr_fit *f, const double *x, const double *g) {
    double sum = 0;
    for (int64_t i = 0; i < f->n; i++)
        if (!f->held[i] && !(f->bounded && fit_at_bound(f, i, x[i], g[i]))) sum += g[i] * g[i];
    return sqrt(sum);
}

/* Cuts the step in f->d to the bounds. Was there anything to cut? */
static bool cut(struct cr_fit *f) {
    bool cut = false;
    fit_step_to(f, 1);
    for (int64_t i = 0; f->bounded && i < f->n; i++) {
        cut = cut || f->trial[i] != f->x[i] + f->d[i];
        f->d[i] = f->trial[i] - f->x[i];
    }
    return cut;
}

/* The step into f->trial and f->d. Cut to the bounds it may promise nothing: then a shorter one is bent less. False: f->status, or no
 * step promises anything. */
static bool find_step(struct cr_fit *f, struct region *r) {
    struct newton_step step;
    for (int i = 0; i < 200; i++, r->delta = fmin(r->delta, r->length) / 4) {
        if (!steihaug(f, r->delta, forcing(f), &step)) return false;
        memcpy(f->d, step.p, (size_t)f->n * sizeof *f->d);
        r->length = steihaug_length(f, f->d);
        r->predicted = step.predicted;
        r->at_edge = step.at_edge;
        bool was_cut = cut(f);
        if (was_cut && !steihaug_model(f, f->d, &r->predicted)) return false;
        if (r->predicted < 0) return true;
        if (!was_cut) return false;
    }
    return false;
}

static bool try_step(struct cr_fit *f, struct region *r) {
    if (!find_step(f, r)) return false;
    r->length = steihaug_length(f, f->d);
    r->loss = fit_evaluate(f, f->trial, f->trial_g);
    return !f->status;
}

/* Is the step as good as the model promised? Where the loss no longer resolves what was promised, the gradient tells. */
static double agreement(const struct cr_fit *f, const struct region *r) {
    if (-r->predicted > blur * fabs(f->loss))
        return isfinite(r->loss) ? (r->loss - f->loss) / r->predicted : -1;
    bool level = r->loss <= f->loss + blur * fabs(f->loss);
    return level && norm_of(f, f->trial, f->trial_g) < norm_of(f, f->x, f->g) ? 1 : -1;
}

static void resize(struct region *r, double rho) {
    if (rho < 0.25) r->delta = r->length / 4;
    else if (rho > 0.75 && r->at_edge) r->delta = fmax(r->delta, 2 * r->length);
}

static double first_region(const struct cr_fit *f) {
    double size = steihaug_length(f, f->x);
    return size > 0 ? size : 1;
}

cr_status fit_trust(struct cr_fit *f) {
    f->rho[0] = 0;
    fit_find_scale(f);
    struct region r = {.delta = first_region(f)};
    struct mark mark = {f->loss, INFINITY, 0};
    while (f->iterations < f->most_iterations) {
        if (fit_converged(f, f->x, f->loss, f->g)) return fit_ended(f, fit_tolerance_reached, CR_OK);
        bool tried = try_step(f, &r);
        if (f->status) return fit_ended(f, "an evaluation failed", f->status);
        if (!tried || fit_stands(f)) return fit_ended(f, fit_no_decrease, CR_OK);
        double rho = agreement(f, &r);
        resize(&r, rho);
        if (isfinite(r.loss)) fit_keep_best(f, f->trial, r.loss, f->trial_g);
        if (rho > 1e-4) fit_move(f, r.loss);
        if (fit_circles(&mark, f->loss, f->best_norm)) return fit_ended(f, fit_no_decrease, CR_OK);
        if (!fit_report(f, f->loss, f->best_norm)) return fit_ended(f, "stopped", CR_ESTOPPED);
    }
    return fit_ended(f, fit_out_of_iterations, CR_EFAIL);
}
