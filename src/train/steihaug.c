/* Newton's step by conjugate gradients within a region of trust. */
#include "train/steihaug.h"

#include <math.h>
#include <string.h>

#include "train/fit.h"
#include "train/qr.h"
#include "train/search.h"

/* Conjugate gradients end in n steps, but for rounding; far fewer serve where n is large. */
enum { most_inner = 1000 };

/* Vectors of L-BFGS's room. */
struct inner {
    double *p, *r, *z, *d, *hd;
    double rz, pp, pd, dd; /* r z; |D p|^2, (D p)(D d), |D d|^2 */
    double delta;
};

static void add(int64_t n, double a, const double *x, double *y) {
    for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

/* tau >= 0 with |D (p + tau d)| = delta. */
static double to_edge(const struct inner *c) {
    double room = c->delta * c->delta - c->pp, root = sqrt(c->pd * c->pd + c->dd * room);
    return c->pd > 0 ? room / (c->pd + root) : (root - c->pd) / c->dd;
}

static void begin(struct cr_fit *f, struct inner *c) {
    memset(c->p, 0, (size_t)f->n * sizeof *c->p);
    memcpy(c->r, f->g, (size_t)f->n * sizeof *c->r);
    fit_drop_held(f, c->r);
    fit_scaled(f, c->r, c->z);
    for (int64_t i = 0; i < f->n; i++) c->d[i] = -c->z[i];
    c->rz = c->dd = qr_dot(f->n, c->r, c->z);
    c->pp = c->pd = 0;
}

static void next_direction(struct cr_fit *f, struct inner *c, double alpha) {
    c->pp += alpha * (2 * c->pd + alpha * c->dd);
    fit_scaled(f, c->r, c->z);
    double rz = qr_dot(f->n, c->r, c->z), beta = rz / c->rz;
    for (int64_t i = 0; i < f->n; i++) c->d[i] = beta * c->d[i] - c->z[i];
    c->pd = beta * (c->pd + alpha * c->dd);
    c->dd = rz + beta * beta * c->dd;
    c->rz = rz;
}

/* r = g + H p all along, so the model is (g p + r p) / 2. */
static void finish(const struct cr_fit *f, const struct inner *c, bool at_edge, struct newton_step *step) {
    *step = (struct newton_step){c->p, (qr_dot(f->n, f->g, c->p) + qr_dot(f->n, c->r, c->p)) / 2, at_edge};
}

static void go(const struct cr_fit *f, struct inner *c, double alpha) {
    add(f->n, alpha, c->d, c->p);
    add(f->n, alpha, c->hd, c->r);
}

bool steihaug(struct cr_fit *f, double delta, double tolerance, struct newton_step *step) {
    struct inner c = {.p = f->s[0], .r = f->s[1], .z = f->s[2], .d = f->s[3], .hd = f->s[4], .delta = delta};
    begin(f, &c);
    double enough = tolerance * tolerance * c.rz;
    for (int64_t j = 0; c.rz > enough && j < 2 * f->n + 10 && j < most_inner; j++) {
        bool finite = fit_product(f, f->x, c.d, c.hd);
        if (f->status) return false;
        fit_drop_held(f, c.hd);
        double bend = finite ? qr_dot(f->n, c.d, c.hd) : 0, alpha = c.rz / bend;
        bool edge = !(bend > 0) || c.pp + alpha * (2 * c.pd + alpha * c.dd) >= delta * delta;
        if (edge && (isfinite(delta) || j == 0)) {
            if (!finite) memset(c.hd, 0, (size_t)f->n * sizeof *c.hd);
            go(f, &c, isfinite(delta) ? to_edge(&c) : 1);
        }
        if (edge) return finish(f, &c, true, step), true;
        go(f, &c, alpha);
        next_direction(f, &c, alpha);
    }
    return finish(f, &c, false, step), true;
}

double steihaug_length(const struct cr_fit *f, const double *v) {
    double sum = 0;
    for (int64_t i = 0; i < f->n; i++) sum += (f->scale[i] * v[i]) * (f->scale[i] * v[i]);
    return sqrt(sum);
}

bool steihaug_model(struct cr_fit *f, const double *p, double *value) {
    double *hp = f->s[4];
    if (!fit_product(f, f->x, p, hp)) return false;
    *value = qr_dot(f->n, f->g, p) + qr_dot(f->n, p, hp) / 2;
    return true;
}
