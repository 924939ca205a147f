/* The diagonal of the Hessian: a tangent of the gradient along each number. */
#include "train/curvature.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "train/fit.h"
#include "train/qr.h"

/* d g[k] / d param[k], g the gradient by param: one number. */
static cr_node second(cr_node g, cr_node param, int64_t k) {
    cr_node tangent = residual_one_hot(param, k), h;
    if (cr_jvp(&h, 1, &g, 1, &param, &tangent)) return h;
    return cr_cast(cr_sum(cr_mul(h, tangent), 0, NULL, false), CR_F64);
}

static cr_status add_outputs(cr_target *t, cr_node loss, int n, const cr_node params[]) {
    cr_status status = CR_OK;
    char name[32];
    int number = 0;
    for (int i = 0; i < n && !status; i++) {
        cr_node g;
        status = cr_grad(&g, loss, 1, &params[i]);
        for (int64_t k = 0; k < cr_count(params[i]) && !status; k++) {
            snprintf(name, sizeof name, "curvature %d", number++);
            status = cr_target_output(t, name, second(g, params[i], k));
        }
    }
    return status;
}

cr_status curvature_new(struct function *f, cr_store *store, cr_node loss, int n, const cr_node params[]) {
    int64_t count = 0;
    for (int i = 0; i < n; i++) count += cr_count(params[i]);
    if (count > most_curvature_params) return CR_OK;
    cr_target *t = cr_target_new(loss.graph);
    cr_status status = t ? add_outputs(t, loss, n, params) : CR_ENOMEM;
    if (!status) return function_make(f, t, store);
    cr_target_free(t);
    if (status == CR_ENOMEM) return status;
    cr_graph_clear_error(loss.graph); /* L-BFGS does without */
    return CR_OK;
}

static void from_hessian(struct cr_fit *f) {
    char name[32];
    for (int64_t i = 0; i < f->n; i++) {
        snprintf(name, sizeof name, "curvature %d", (int)i);
        cr_bind(f->curvature_function.run, name, CR_F64, &f->scale[i], sizeof f->scale[i]);
    }
    fit_scatter(f, f->x);
    f->evaluations++;
    if (cr_step(f->curvature_function.run)) memset(f->scale, 0, (size_t)f->n * sizeof *f->scale);
    for (int64_t i = 0; i < f->n; i++) f->scale[i] = sqrt(fabs(f->scale[i]));
}

/* Of a sum of squares the Hessian's diagonal is about that of 2 J^T J, which is never negative. */
static void from_jacobian(struct cr_fit *f) {
    const struct residual *s = f->residual;
    if (residual_jacobian(f, f->x))
        for (int k = 0; k < s->n; k++)
            f->scale[k] = sqrt(2 * s->factor) * qr_norm(s->m, s->jacobian + k * s->m);
    f->status = CR_OK;
}

void fit_find_scale(struct cr_fit *f) {
    memset(f->scale, 0, (size_t)f->n * sizeof *f->scale);
    if (f->residual && f->residual->factor > 0) from_jacobian(f);
    else if (f->curvature_function.run) from_hessian(f);
    double most = 0;
    f->scaled = f->residual || f->curvature_function.run;
    for (int64_t i = 0; i < f->n; i++)
        if (isfinite(f->scale[i])) most = fmax(most, f->scale[i]);
    for (int64_t i = 0; i < f->n; i++) /* a direction without curvature is as any other */
        if (!isfinite(f->scale[i]) || f->scale[i] <= DBL_EPSILON * most) f->scale[i] = most > 0 ? most : 1;
}
