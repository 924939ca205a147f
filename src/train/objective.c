/* The loss and its gradient as a function of one flat vector. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tensor/dtype.h"
#include "train/fit.h"

const char fit_tolerance_reached[] = "the gradient is within the tolerance";
const char fit_no_decrease[] = "no step lowers the loss any further in floating point";
const char fit_out_of_iterations[] = "the iterations ran out";

cr_status fit_ended(struct cr_fit *f, const char *reason, cr_status status) {
    f->reason = reason;
    return status;
}

cr_status fit_failed(struct cr_fit *f, cr_status status, const char *sentence) {
    snprintf(f->error, sizeof f->error, "%s", sentence ? sentence : cr_status_text(status));
    return status;
}

void fit_scatter(struct cr_fit *f, const double *x) {
    for (int i = 0; i < f->places; i++)
        for (int64_t k = 0; k < f->place[i].count; k++)
            dtype_put(f->place[i].dtype, f->place[i].data, k, *x++);
}

void fit_gather(const struct cr_fit *f, bool gradient, double *x) {
    for (int i = 0; i < f->places; i++)
        for (int64_t k = 0; k < f->place[i].count; k++)
            *x++ = dtype_get(f->place[i].dtype, gradient ? f->place[i].gradient : f->place[i].data, k);
}

double fit_evaluate(struct cr_fit *f, const double *x, double *g) {
    fit_scatter(f, x);
    f->evaluations++;
    f->status = cr_step(f->loss_function.run);
    if (f->status) return fit_failed(f, f->status, cr_run_error(f->loss_function.run)), INFINITY;
    fit_gather(f, true, g);
    double loss = f->loss64;
    for (int64_t i = 0; i < f->n; i++) {
        if (f->held[i]) g[i] = 0;
        if (!isfinite(g[i])) loss = INFINITY;
    }
    return isnan(loss) || loss == -INFINITY ? INFINITY : loss;
}

bool fit_at_bound(const struct cr_fit *f, int64_t i, double x, double g) {
    return (x <= f->low[i] && g > 0) || (x >= f->high[i] && g < 0);
}

/* Of the components that a bound does not hold. */
static double largest(const struct cr_fit *f, const double *x, const double *g) {
    double most = 0;
    for (int64_t i = 0; i < f->n; i++)
        if (!fit_at_bound(f, i, x[i], g[i])) most = fmax(most, fabs(g[i]));
    return most;
}

void fit_keep_best(struct cr_fit *f, const double *x, double loss, const double *g) {
    double norm = largest(f, x, g);
    if (!(loss < f->best_loss || (loss <= f->best_loss + 1e-14 * fabs(loss) && norm < f->best_norm))) return;
    memcpy(f->best, x, (size_t)f->n * sizeof *x);
    f->best_loss = loss;
    f->best_norm = norm;
}

bool fit_converged(const struct cr_fit *f, const double *x, double loss, const double *g) {
    double tolerance = f->tolerance >= 0 ? f->tolerance : 1e-11, least = f->residual ? 0 : 1,
           bound = tolerance *
                   fmax(fabs(loss), least); /* squares may be small; another loss may be 0 by chance */
    for (int64_t i = 0; i < f->n; i++)
        if (!(fabs(g[i]) * fmax(fabs(x[i]), 1) <= bound || fit_at_bound(f, i, x[i], g[i]))) return false;
    return true;
}

bool fit_report(struct cr_fit *f, double loss, double gradient_norm) {
    f->iterations++;
    return !f->progress || f->progress(f->user, f->iterations, loss, gradient_norm);
}
