/* Robust losses: what large residuals count. */
#ifndef TRAIN_ROBUST_H
#define TRAIN_ROBUST_H

#include <stdbool.h>
#include <stdint.h>

enum robust_kind { ROBUST_NONE, ROBUST_HUBER, ROBUST_SOFT_L1, ROBUST_CAUCHY };

/* scale^2 rho((r/scale)^2): residuals far below the scale count as their squares. */
struct robust {
    enum robust_kind kind;
    double scale;
};

/* By its name ("none", "huber", "soft_l1", "cauchy"): -1 if there is none. */
int robust_parse(const char *name);
/* rho, rho', rho'' at z. */
void robust_rho(enum robust_kind kind, double z, double rho[3]);
double robust_cost(const struct robust *b, int64_t m, const double *r);
/* cost(r) - cost(t), term by term, so that what is alike does not blur the difference. */
double robust_drop(const struct robust *b, int64_t m, const double *r, const double *t);
/* The factors of row and residual that make a linear least-squares problem with the gradient and (kept positive) curvature of
 * the robust one (Triggs et al. 2000, as SciPy has it). */
void robust_factors(const struct robust *b, double r, double *row, double *residual);
/* psi = rho'(z) r, and its derivative by r: what a standard error is made of (Huber 1981, 7.6). */
void robust_influence(const struct robust *b, double r, double *psi, double *slope);

#endif
