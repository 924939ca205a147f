/* Fitting: one program gives loss and gradients; parameters are one flat vector while they move. */
#include "train/fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "graph/graph.h"
#include "run/program.h"
#include "tensor/dtype.h"

void cr_fit_free(cr_fit *f) {
    if (!f) return;
    struct mem m = f->mem;
    for (int i = 0; f->place && i < f->places; i++)
        mem_free_aligned(&m, f->place[i].gradient, f->place[i].bytes);
    cr_run_free(f->run);
    cr_program_free(f->program);
    mem_free(&m, f->place, (size_t)f->places * sizeof *f->place);
    mem_free(&m, f->room, f->room_count * sizeof *f->room);
    mem_free(&m, f, sizeof *f);
}

static cr_status compile(cr_fit *f, cr_node loss, int n, const cr_node params[]) {
    cr_graph *g = loss.graph;
    cr_node *d = mem_alloc(&f->mem, mem_mul((size_t)n, sizeof *d));
    cr_target *t = cr_target_new(g);
    cr_status status = d && t ? cr_grad(d, loss, n, params) : CR_ENOMEM;
    char name[32];
    if (!status) status = cr_target_output(t, "loss", cr_cast(loss, CR_F64));
    for (int i = 0; i < n && !status; i++) {
        snprintf(name, sizeof name, "gradient %d", i);
        status = cr_target_output(t, name, d[i]);
    }
    if (!status) status = cr_compile(&f->program, t, NULL);
    cr_target_free(t);
    mem_free(&f->mem, d, (size_t)n * sizeof *d);
    return status;
}

static cr_status place_params(cr_fit *f, int n, const cr_node params[]) {
    f->place = mem_zero(&f->mem, mem_mul((size_t)n, sizeof *f->place));
    f->places = f->place ? n : 0;
    for (int i = 0; i < f->places; i++) {
        struct tensor_place *p = &f->place[i];
        size_t bytes;
        p->data = cr_store_data(f->store, cr_name(params[i]), &p->dtype, &bytes);
        p->count = cr_count(params[i]);
        p->bytes = (size_t)p->count * cr_dtype_size(cr_dtype_of(params[i]));
        if (!p->data)
            return graph_fail(params[i].graph, CR_EUNBOUND, "fit", "parameter '%s' has no starting value",
                              cr_name(params[i])),
                   CR_EUNBOUND;
        if (p->dtype != cr_dtype_of(params[i]) || bytes != p->bytes)
            return graph_fail(params[i].graph, CR_ESHAPE, "fit",
                              "parameter '%s': the store has another dtype or size", cr_name(params[i])),
                   CR_ESHAPE;
        p->gradient = mem_alloc_aligned(&f->mem, p->bytes);
        if (!p->gradient) return CR_ENOMEM;
        f->n += p->count;
    }
    return f->place ? CR_OK : CR_ENOMEM;
}

static cr_status make_room(cr_fit *f) {
    double **vectors[] = {&f->x, &f->g, &f->best, &f->start, &f->trial, &f->trial_g, &f->d};
    size_t count = sizeof vectors / sizeof *vectors, n = (size_t)f->n;
    f->room_count = mem_mul(count + 2 * memory, n);
    f->room = mem_zero(&f->mem, mem_mul(f->room_count, sizeof *f->room));
    if (!f->room) return CR_ENOMEM;
    for (size_t i = 0; i < count; i++) *vectors[i] = f->room + i * n;
    for (size_t i = 0; i < memory; i++)
        f->s[i] = f->room + (count + i) * n, f->y[i] = f->room + (count + memory + i) * n;
    return CR_OK;
}

static cr_status bind_outputs(cr_fit *f) {
    char name[32];
    cr_status status = cr_run_new(&f->run, f->program, f->store, NULL, 0);
    if (!status) status = cr_bind(f->run, "loss", CR_F64, &f->loss64, sizeof f->loss64);
    for (int i = 0; i < f->places && !status; i++) {
        snprintf(name, sizeof name, "gradient %d", i);
        status = cr_bind(f->run, name, f->place[i].dtype, f->place[i].gradient, f->place[i].bytes);
    }
    return status;
}

static bool params_good(int n, const cr_node params[]) {
    for (int i = 0; i < n; i++)
        if (strcmp(cr_op_of(params[i]), "param") != 0 ||
            (cr_dtype_of(params[i]) != CR_F64 && cr_dtype_of(params[i]) != CR_F32)) {
            graph_fail(params[i].graph, CR_EINVAL, "fit",
                       "what is fitted are parameters of f32 or f64, found %s of %s", cr_op_of(params[i]),
                       cr_dtype_name(cr_dtype_of(params[i])));
            return false;
        }
    return true;
}

cr_status cr_fit_new(cr_fit **out, cr_node loss, int n, const cr_node params[], cr_store *store) {
    if (out) *out = NULL;
    if (!out || n < 1 || !params || !store || !loss.graph) return CR_EINVAL;
    if (!params_good(n, params)) return cr_graph_status(loss.graph);
    struct mem m = loss.graph->mem;
    cr_fit *f = mem_zero(&m, sizeof *f);
    if (!f) return CR_ENOMEM;
    f->mem = m;
    f->store = store;
    f->most_iterations = 10000;
    f->tolerance = 1e-11;
    f->reason = "not run";
    cr_status status = compile(f, loss, n, params);
    if (!status) status = cr_store_init(store, loss.graph, 0);
    if (!status) status = place_params(f, n, params);
    if (!status) status = make_room(f);
    if (!status) status = bind_outputs(f);
    if (status) cr_fit_free(f);
    else *out = f;
    return status;
}

cr_status cr_fit_bind(cr_fit *f, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    if (!f) return CR_EINVAL;
    cr_status status = cr_bind(f->run, name, dtype, data, bytes);
    if (status)
        snprintf(f->error, sizeof f->error, "%s",
                 cr_run_error(f->run) ? cr_run_error(f->run) : cr_status_text(status));
    return status;
}

cr_status cr_fit_set(cr_fit *f, const char *name, const char *value) {
    double x;
    if (!f || !name || !value) return CR_EINVAL;
    if (strcmp(name, "method") == 0) {
        if (strcmp(value, "lbfgs") != 0 && strcmp(value, "gd") != 0) return CR_EINVAL;
        f->descent = strcmp(value, "gd") == 0;
        return CR_OK;
    }
    if (strcmp(name, "flush_denormals") == 0) {
        if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0) return CR_EINVAL;
        return f->program->flush = *value == '1', CR_OK;
    }
    size_t n = strlen(value);
    if (n == 0 || text_parse_number(value, n, &x) != n) return CR_EINVAL;
    if (strcmp(name, "iterations") == 0 && x < 0x1p53) return f->most_iterations = (int64_t)x, CR_OK;
    if (strcmp(name, "tolerance") == 0) return f->tolerance = x, CR_OK;
    return strcmp(name, "rate") == 0 && x > 0 ? (f->rate = x, CR_OK) : CR_EINVAL;
}

void cr_fit_progress(cr_fit *f, cr_fit_progress_fn *fn, void *user) {
    if (f) f->progress = fn, f->user = user;
}

double cr_fit_loss(const cr_fit *f) { return f ? f->best_loss : NAN; }
double cr_fit_gradient_norm(const cr_fit *f) { return f ? f->best_norm : NAN; }
int64_t cr_fit_iterations(const cr_fit *f) { return f ? f->iterations : 0; }
int64_t cr_fit_evaluations(const cr_fit *f) { return f ? f->evaluations : 0; }
const char *cr_fit_reason(const cr_fit *f) { return f ? f->reason : ""; }
const char *cr_fit_error(const cr_fit *f) { return f && f->error[0] ? f->error : NULL; }

/* ---- The function ---- */

static void scatter(struct cr_fit *f, const double *x) {
    for (int i = 0; i < f->places; i++)
        for (int64_t k = 0; k < f->place[i].count; k++)
            dtype_put(f->place[i].dtype, f->place[i].data, k, *x++);
}

static void gather(const struct cr_fit *f, bool gradient, double *x) {
    for (int i = 0; i < f->places; i++)
        for (int64_t k = 0; k < f->place[i].count; k++)
            *x++ = dtype_get(f->place[i].dtype, gradient ? f->place[i].gradient : f->place[i].data, k);
}

double fit_evaluate(struct cr_fit *f, const double *x, double *g) {
    scatter(f, x);
    f->evaluations++;
    f->status = cr_step(f->run);
    if (f->status)
        return snprintf(f->error, sizeof f->error, "%s",
                        cr_run_error(f->run) ? cr_run_error(f->run) : cr_status_text(f->status)),
               INFINITY;
    gather(f, true, g);
    double loss = f->loss64;
    for (int64_t i = 0; i < f->n; i++)
        if (!isfinite(g[i])) loss = INFINITY;
    return isnan(loss) || loss == -INFINITY ? INFINITY : loss;
}

static double largest(int64_t n, const double *g) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(g[i]));
    return most;
}

void fit_keep_best(struct cr_fit *f, const double *x, double loss, const double *g) {
    double norm = largest(f->n, g);
    if (!(loss < f->best_loss || (loss == f->best_loss && norm < f->best_norm) ||
          (loss <= f->best_loss + 1e-14 * fabs(loss) && norm < f->best_norm)))
        return;
    memcpy(f->best, x, (size_t)f->n * sizeof *x);
    f->best_loss = loss;
    f->best_norm = norm;
}

bool fit_converged(const struct cr_fit *f, const double *x, double loss, const double *g) {
    double bound = f->tolerance * fmax(fabs(loss), 1);
    for (int64_t i = 0; i < f->n; i++)
        if (!(fabs(g[i]) * fmax(fabs(x[i]), 1) <= bound)) return false;
    return true;
}

bool fit_report(struct cr_fit *f) {
    f->iterations++;
    if (!f->progress || f->progress(f->user, f->iterations, f->loss, largest(f->n, f->g))) return true;
    f->reason = "stopped";
    return false;
}

cr_status cr_fit_run(cr_fit *f) {
    if (!f) return CR_EINVAL;
    f->error[0] = 0;
    f->iterations = f->evaluations = 0;
    f->best_loss = f->best_norm = INFINITY;
    gather(f, false, f->start);
    memcpy(f->x, f->start, (size_t)f->n * sizeof *f->x);
    f->loss = fit_evaluate(f, f->x, f->g);
    cr_status status = f->status;
    if (!status && isinf(f->loss)) {
        f->reason = "the loss or its gradient is not finite at the starting values";
        snprintf(f->error, sizeof f->error, "%s", f->reason);
        status = CR_ENAN;
    }
    if (!status) fit_keep_best(f, f->x, f->loss, f->g);
    if (!status) status = f->descent ? fit_descend(f) : fit_lbfgs(f);
    bool keep = status == CR_OK || status == CR_ESTOPPED || status == CR_EFAIL;
    scatter(f, keep ? f->best : f->start);
    return status;
}
