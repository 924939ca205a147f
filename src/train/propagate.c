/* Values that follow from fitted parameters, with their errors. */
#include <math.h>
#include <string.h>

#include "tensor/dtype.h"
#include "train/fit.h"

static cr_status set_params(const cr_fit *f, cr_eval *e, cr_graph *g) {
    for (int i = 0; i < f->places; i++) {
        const struct tensor_place *p = &f->place[i];
        cr_node x = cr_find(g, p->name);
        if (!cr_ok(x)) continue; /* y does without it */
        cr_status status = cr_eval_set(e, x, p->dtype, p->data, p->bytes);
        if (status) return status;
    }
    return CR_OK;
}

static cr_status numbers(cr_eval *e, cr_node x, double *out) {
    return cr_eval_value(e, cr_cast(x, CR_F64), CR_F64, out, (size_t)cr_count(x) * sizeof *out);
}

/* Column k: d y / d number k; 0 where y does without the parameter, or the number did not move. */
static cr_status find_columns(const cr_fit *f, cr_eval *e, cr_node y, double *column) {
    for (int i = 0; i < f->places; i++) {
        cr_node x = cr_find(y.graph, f->place[i].name);
        for (int64_t k = 0; k < f->place[i].count && cr_ok(x); k++) {
            int64_t at = f->place[i].first + k;
            if (f->residual->covariance[at * f->n + at] == 0) continue;
            cr_node t = residual_one_hot(x, k), d;
            cr_status status = cr_jvp(&d, 1, &y, 1, &x, &t);
            if (!status) status = numbers(e, d, column + at * cr_count(y));
            if (status) return status;
        }
    }
    return CR_OK;
}

/* sqrt(j C j^T) for every element of y. */
static void find_errors(const cr_fit *f, int64_t count, const double *column, double *error) {
    const double *c = f->residual->covariance;
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int64_t k = 0; k < f->n; k++)
            for (int64_t j = 0; j < f->n; j++)
                sum += column[k * count + i] * c[k * f->n + j] * column[j * count + i];
        error[i] = sqrt(fmax(sum, 0) * f->statistics.scale);
    }
}

cr_status cr_fit_predict(const cr_fit *f, cr_eval *e, cr_node y, double value[], double error[]) {
    if (!f || !f->ran || !e || !cr_ok(y) || !dtype_is_float(cr_dtype_of(y))) return CR_EINVAL;
    int64_t count = cr_count(y);
    size_t size = mem_mul(mem_mul((size_t)count, (size_t)f->n), sizeof(double));
    cr_status status = set_params(f, e, y.graph);
    if (!status && value) status = numbers(e, y, value);
    if (status || !error) return status;
    if (!f->statistics.known) return CR_EINVAL;
    double *column = mem_zero(&f->mem, size);
    if (!column) return CR_ENOMEM;
    status = find_columns(f, e, y, column);
    if (!status) find_errors(f, count, column, error);
    mem_free(&f->mem, column, size);
    return status;
}
