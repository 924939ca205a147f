/* The residual and its Jacobian: two programs, the second with a column for every number that may be fitted. */
#include "train/residual.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "ops/build.h"
#include "train/fit.h"

/* ---- Building ---- */

cr_node residual_one_hot(cr_node param, int64_t k) {
    cr_graph *g = param.graph;
    int64_t count = cr_count(param);
    struct shape s = ops_shape(param);
    double *one = mem_zero(&g->mem, mem_mul((size_t)count, sizeof *one));
    if (!one) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    one[k] = 1;
    cr_node t = cr_cast(cr_const(g, CR_F64, s.rank, s.dim, one), cr_dtype_of(param));
    mem_free(&g->mem, one, (size_t)count * sizeof *one);
    return t;
}

static cr_status add_columns(cr_target *t, const struct squares *q, int n, const cr_node params[]) {
    cr_status status = CR_OK;
    char name[32];
    int column = 0;
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < cr_count(params[i]) && !status; k++) {
            cr_node y, tangent = residual_one_hot(params[i], k);
            status = cr_jvp(&y, 1, &q->residual, 1, &params[i], &tangent);
            snprintf(name, sizeof name, "column %d", column++);
            if (!status) status = cr_target_output(t, name, y);
        }
    return status;
}

static cr_status make_programs(struct residual *s, cr_store *store, const struct squares *q, int n,
                               const cr_node params[]) {
    cr_target *value = cr_target_new(q->residual.graph), *jacobian = cr_target_new(q->residual.graph);
    cr_status status = value && jacobian ? cr_target_output(value, "residual", q->residual) : CR_ENOMEM;
    if (!status) status = add_columns(jacobian, q, n, params);
    if (!status && s->has_observed) status = cr_target_output(jacobian, "observed", q->observed);
    if (!status && s->has_weight) status = cr_target_output(jacobian, "weight", q->weight);
    if (status) return cr_target_free(value), cr_target_free(jacobian), status;
    status = function_make(&s->value, value, store);
    if (status) return cr_target_free(jacobian), status;
    return function_make(&s->jacobian_function, jacobian, store);
}

static cr_status make_room(struct residual *s, const struct mem *mem) {
    size_t m = (size_t)s->m, n = (size_t)s->n, rows = (size_t)s->rows;
    struct {
        double **at;
        size_t count;
    } part[] = {{&s->r, m},
                {&s->jacobian, m * n},
                {&s->observed, m},
                {&s->weight, m},
                {&s->over_sigma, m},
                {&s->w, rows * n},
                {&s->rhs, rows},
                {&s->trial_r, m},
                {&s->along, rows},
                {&s->stack, 2 * n * n},
                {&s->stack_rhs, 2 * n},
                {&s->tau, n},
                {&s->d, n},
                {&s->norm, n},
                {&s->p, n},
                {&s->step, n},
                {&s->trial, n},
                {&s->u, n},
                {&s->v, n},
                {&s->covariance, n * n}};
    size_t parts = sizeof part / sizeof *part;
    for (size_t i = 0; i < parts; i++) s->room_count += part[i].count;
    s->room = mem_zero(mem, mem_mul(s->room_count, sizeof *s->room));
    s->index = mem_zero(mem, mem_mul(3 * n, sizeof *s->index));
    if (!s->room || !s->index) return CR_ENOMEM;
    double *next = s->room;
    for (size_t i = 0; i < parts; next += part[i++].count) *part[i].at = next;
    s->perm = s->index, s->in = s->index + n, s->undetermined = s->index + 2 * n;
    return CR_OK;
}

static cr_status bind_outputs(struct residual *s) {
    size_t bytes = (size_t)s->m * sizeof(double);
    char name[32];
    cr_status status = cr_bind(s->value.run, "residual", CR_F64, s->r, bytes);
    for (int k = 0; k < s->n && !status; k++) {
        snprintf(name, sizeof name, "column %d", k);
        status = cr_bind(s->jacobian_function.run, name, CR_F64, s->jacobian + k * s->m, bytes);
    }
    if (!status && s->has_observed)
        status = cr_bind(s->jacobian_function.run, "observed", CR_F64, s->observed, bytes);
    if (!status && s->has_weight)
        status = cr_bind(s->jacobian_function.run, "weight", CR_F64, s->weight, bytes);
    return status;
}

static int64_t count_numbers(int n, const cr_node params[]) {
    int64_t count = 0;
    for (int i = 0; i < n; i++) count += cr_count(params[i]);
    return count;
}

cr_status residual_new(struct residual **out, const struct mem *m, cr_store *store, cr_node loss, int n,
                       const cr_node params[]) {
    struct squares q;
    int64_t numbers = count_numbers(n, params);
    *out = NULL;
    if (numbers < 1 || numbers > most_lm_params || !squares_of(&q, loss, n, params))
        return cr_graph_status(loss.graph);
    if (cr_count(q.residual) > most_lm_numbers / numbers) return CR_OK;
    struct residual *s = mem_zero(m, sizeof *s);
    if (!s) return CR_ENOMEM;
    s->m = cr_count(q.residual);
    s->n = (int)numbers;
    s->rows = s->m > numbers ? s->m : numbers;
    s->factor = q.factor;
    s->has_observed = cr_ok(q.observed), s->has_weight = cr_ok(q.weight);
    s->robust.scale = 1;
    cr_status status = make_room(s, m);
    if (!status) status = make_programs(s, store, &q, n, params);
    if (!status) status = bind_outputs(s);
    if (status) residual_free(s, m);
    else *out = s;
    return status;
}

void residual_free(struct residual *s, const struct mem *m) {
    if (!s) return;
    function_free(&s->value);
    function_free(&s->jacobian_function);
    mem_free(m, s->room, s->room_count * sizeof *s->room);
    mem_free(m, s->index, 3 * (size_t)s->n * sizeof *s->index);
    mem_free(m, s, sizeof *s);
}

/* ---- Evaluating ---- */

static bool step(struct cr_fit *f, struct function *of, const double *x) {
    fit_scatter(f, x);
    f->evaluations++;
    f->status = cr_step(of->run);
    if (f->status) fit_failed(f, f->status, cr_run_error(of->run));
    return !f->status;
}

static bool finite(int64_t n, const double *x) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static void weigh(const struct residual *s, double *column) {
    for (int64_t i = 0; s->has_sigma && i < s->m; i++) column[i] *= s->over_sigma[i];
}

bool residual_at(struct cr_fit *f, const double *x, double *r) {
    struct residual *s = f->residual;
    cr_bind(s->value.run, "residual", CR_F64, r, (size_t)s->m * sizeof *r);
    if (!step(f, &s->value, x)) return false;
    weigh(s, r);
    return finite(s->m, r);
}

bool residual_jacobian(struct cr_fit *f, const double *x) {
    struct residual *s = f->residual;
    if (!step(f, &s->jacobian_function, x)) return false;
    for (int k = 0; k < s->n; k++) weigh(s, s->jacobian + k * s->m);
    return finite(s->m * s->n, s->jacobian);
}
