/* Robust losses. */
#include "train/robust.h"

#include <float.h>
#include <math.h>
#include <string.h>

int robust_parse(const char *name) {
    static const char *const names[] = {"none", "huber", "soft_l1", "cauchy"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

void robust_rho(enum robust_kind kind, double z, double rho[3]) {
    double t = sqrt(1 + z), root = sqrt(z);
    rho[0] = z, rho[1] = 1, rho[2] = 0;
    if (kind == ROBUST_HUBER && z > 1) rho[0] = 2 * root - 1, rho[1] = 1 / root, rho[2] = -0.5 / (z * root);
    if (kind == ROBUST_SOFT_L1) rho[0] = 2 * z / (t + 1), rho[1] = 1 / t, rho[2] = -0.5 / (t * t * t);
    if (kind == ROBUST_CAUCHY) rho[0] = log1p(z), rho[1] = 1 / (1 + z), rho[2] = -rho[1] * rho[1];
}

static double cost(const struct robust *b, double r) {
    double rho[3], u = r / b->scale;
    robust_rho(b->kind, u * u, rho);
    return b->scale * b->scale * rho[0];
}

double robust_cost(const struct robust *b, int64_t m, const double *r) {
    double sum = 0;
    for (int64_t i = 0; i < m; i++) sum += b->kind ? cost(b, r[i]) : r[i] * r[i];
    return sum;
}

double robust_drop(const struct robust *b, int64_t m, const double *r, const double *t) {
    double sum = 0;
    for (int64_t i = 0; i < m; i++)
        sum += b->kind ? cost(b, r[i]) - cost(b, t[i]) : (r[i] - t[i]) * (r[i] + t[i]);
    return sum;
}

void robust_factors(const struct robust *b, double r, double *row, double *residual) {
    double rho[3], u = r / b->scale;
    robust_rho(b->kind, u * u, rho);
    *row = sqrt(fmax(rho[1] + 2 * rho[2] * u * u, DBL_EPSILON));
    *residual = rho[1] / *row;
}

void robust_influence(const struct robust *b, double r, double *psi, double *slope) {
    double rho[3], u = r / b->scale;
    robust_rho(b->kind, u * u, rho);
    *psi = rho[1] * r;
    *slope = rho[1] + 2 * rho[2] * u * u;
}
