/* Fitting: the object, its options, and the run. Parameters are one flat vector while they move. */
#include "train/fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "train/curvature.h"

void cr_fit_free(cr_fit *f) {
    if (!f) return;
    struct mem m = f->mem;
    product_free(&f->product, f);
    for (int i = 0; i < f->places; i++) {
        mem_free_aligned(&m, f->place[i].gradient, f->place[i].bytes);
        mem_free(&m, f->place[i].name, f->place[i].name ? strlen(f->place[i].name) + 1 : 0);
    }
    function_free(&f->loss_function);
    function_free(&f->curvature_function);
    residual_free(f->residual, &m);
    for (size_t i = 0; i < f->bindings; i++) mem_free(&m, f->binding[i].name, strlen(f->binding[i].name) + 1);
    mem_free(&m, f->binding, f->binding_cap * sizeof *f->binding);
    mem_free(&m, f->place, (size_t)f->places * sizeof *f->place);
    mem_free(&m, f->room, f->room_count * sizeof *f->room);
    mem_free(&m, f->held, (size_t)f->n);
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
    mem_free(&f->mem, d, (size_t)n * sizeof *d);
    if (status) return cr_target_free(t), status;
    return function_make(&f->loss_function, t, f->store);
}

static char *copy_name(const struct mem *m, const char *name) {
    char *copy = mem_alloc(m, strlen(name) + 1);
    return copy ? strcpy(copy, name) : NULL;
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
        p->name = copy_name(&f->mem, cr_name(params[i]));
        if (!p->gradient || !p->name) return CR_ENOMEM;
        p->first = f->n;
        p->rank = cr_rank(params[i]);
        memcpy(p->dims, cr_dims(params[i]), (size_t)p->rank * sizeof *p->dims);
        f->n += p->count;
    }
    return f->place ? CR_OK : CR_ENOMEM;
}

static cr_status make_room(cr_fit *f) {
    double **vectors[] = {&f->x, &f->g,   &f->best, &f->start, &f->trial, &f->trial_g,
                          &f->d, &f->low, &f->high, &f->scale, &f->winner};
    size_t count = sizeof vectors / sizeof *vectors, n = (size_t)f->n;
    f->room_count = mem_mul(count + 2 * memory, n);
    f->room = mem_zero(&f->mem, mem_mul(f->room_count, sizeof *f->room));
    f->held = mem_zero(&f->mem, n);
    if (!f->room || !f->held) return CR_ENOMEM;
    for (size_t i = 0; i < count; i++) *vectors[i] = f->room + i * n;
    for (size_t i = 0; i < memory; i++)
        f->s[i] = f->room + (count + i) * n, f->y[i] = f->room + (count + memory + i) * n;
    for (size_t i = 0; i < n; i++) f->low[i] = -INFINITY, f->high[i] = INFINITY;
    return CR_OK;
}

static cr_status bind_outputs(cr_fit *f) {
    char name[32];
    cr_status status = cr_bind(f->loss_function.run, "loss", CR_F64, &f->loss64, sizeof f->loss64);
    for (int i = 0; i < f->places && !status; i++) {
        snprintf(name, sizeof name, "gradient %d", i);
        status =
            cr_bind(f->loss_function.run, name, f->place[i].dtype, f->place[i].gradient, f->place[i].bytes);
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

/* A tensor called residual stands for the sum of its squares. */
static cr_node one_number(cr_node loss) {
    const char *name = cr_name(loss);
    bool residual = cr_count(loss) != 1 && name && strcmp(name, "residual") == 0;
    return residual ? cr_sum(cr_square(loss), 0, NULL, false) : loss;
}

static cr_status build(cr_fit *f, cr_node loss, int n, const cr_node params[]) {
    cr_status status = compile(f, loss, n, params);
    if (!status) status = cr_store_init(f->store, loss.graph, 0);
    if (!status) status = place_params(f, n, params);
    if (!status) status = make_room(f);
    if (!status) status = bind_outputs(f);
    if (!status) status = residual_new(&f->residual, &f->mem, f->store, loss, n, params);
    if (!status) status = product_new(&f->product, &f->mem, loss, n, params);
    if (!status && !f->residual) status = curvature_new(&f->curvature_function, f->store, loss, n, params);
    return status;
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
    f->tolerance = -1;
    f->starts = 1;
    f->reason = "not run";
    cr_status status = build(f, one_number(loss), n, params);
    if (status) cr_fit_free(f);
    else *out = f;
    return status;
}

/* For programs that are compiled later. */
static cr_status keep_binding(cr_fit *f, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    struct bound_input *b = NULL;
    for (size_t i = 0; i < f->bindings && !b; i++)
        if (strcmp(f->binding[i].name, name) == 0) b = &f->binding[i];
    if (!b) {
        if (!mem_grow(&f->mem, &f->binding, &f->binding_cap, f->bindings, sizeof *b)) return CR_ENOMEM;
        b = &f->binding[f->bindings];
        if (!(b->name = copy_name(&f->mem, name))) return CR_ENOMEM;
        f->bindings++;
    }
    b->dtype = dtype, b->data = data, b->bytes = bytes;
    return function_bind(&f->product.function, name, dtype, data, bytes);
}

cr_status cr_fit_bind(cr_fit *f, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    if (!f) return CR_EINVAL;
    cr_status status = cr_bind(f->loss_function.run, name, dtype, data, bytes);
    if (status) return fit_failed(f, status, cr_run_error(f->loss_function.run));
    status = keep_binding(f, name, dtype, data, bytes);
    if (!status) status = function_bind(&f->curvature_function, name, dtype, data, bytes);
    if (!status && f->residual) status = function_bind(&f->residual->value, name, dtype, data, bytes);
    if (!status && f->residual)
        status = function_bind(&f->residual->jacobian_function, name, dtype, data, bytes);
    return status ? fit_failed(f, status, NULL) : CR_OK;
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
