/* Gradient descent, with a fixed rate or a step found by backtracking. */
#include <math.h>

#include "train/fit.h"
#include "train/search.h"

/* The first step of a fresh start goes as far as the parameters are large, or 1. */
double fit_first_step(const struct cr_fit *f) {
    double size = 0, slope = 0;
    for (int64_t i = 0; i < f->n; i++) size = fmax(size, fabs(f->x[i])), slope = fmax(slope, fabs(f->g[i]));
    return slope > 0 ? fmin(1, fmax(size, 1) / slope) : 1;
}

cr_status fit_descend(struct cr_fit *f) {
    double rate = f->rate > 0 ? f->rate : fit_first_step(f), loss;
    while (f->iterations < f->most_iterations) {
        if (fit_converged(f, f->x, f->loss, f->g)) return fit_ended(f, fit_tolerance_reached, CR_OK);
        for (int64_t i = 0; i < f->n; i++) f->d[i] = -f->g[i];
        if (f->rate > 0) {
            fit_step_to(f, rate);
            loss = fit_evaluate(f, f->trial, f->trial_g);
            if (!f->status && isinf(loss))
                return fit_ended(f, "the loss is not finite any more: the rate is too large", CR_EFAIL);
        } else if (!fit_backtrack(f, &rate, &loss) && !f->status) {
            return fit_ended(f, fit_no_decrease, CR_OK);
        }
        if (f->status) return fit_ended(f, "an evaluation failed", f->status);
        if (f->rate <= 0) rate *= 2;
        fit_keep_best(f, f->trial, loss, f->trial_g);
        fit_move(f, loss);
        if (!fit_report(f, f->loss, f->best_norm)) return fit_ended(f, "stopped", CR_ESTOPPED);
    }
    return fit_ended(f, fit_out_of_iterations, CR_EFAIL);
}
