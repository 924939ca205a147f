/* The model compiled for batches of one size, and a step of it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "run/program.h"
#include "tensor/dtype.h"
#include "train/optimiser.h"
#include "train/train.h"

/* ---- The graph ---- */

/* The shape that a column shows the model: rows, then what an observation is, its last axes merged where the input has
 * fewer. */
static struct shape shown(const struct column *c, int64_t rows) {
    if (c->text) return (struct shape){.rank = 2, .dim = {rows, c->window}};
    struct shape s = shape_of(cr_array_rank(c->array), cr_array_dims(c->array));
    if (c->whole) return s;
    if (c->window && s.rank < CR_MAX_RANK) {
        for (int i = s.rank++; i > 1; i--) s.dim[i] = s.dim[i - 1];
        s.dim[1] = c->window;
    }
    s.dim[0] = rows;
    for (; s.rank > c->rank && s.rank > 2 && c->rank > 1; s.rank--) s.dim[s.rank - 2] *= s.dim[s.rank - 1];
    return s;
}

static cr_status declare(struct cr_train *t, int64_t rows) {
    for (size_t i = 0; i < t->columns; i++) {
        const struct column *c = &t->column[i];
        struct shape s = shown(c, rows);
        cr_dtype dtype = c->text ? CR_I32 : cr_array_dtype(c->array);
        if (cr_model_declare(t->model, c->name, false, dtype, s.rank, s.dim)) return train_memory(t);
    }
    return CR_OK;
}

cr_status train_build(struct cr_train *t, int64_t rows, bool training, cr_graph **g, cr_node *loss) {
    struct cr_text why = text_make(&t->mem);
    *g = cr_graph_new(t->ctx);
    if (!*g || declare(t, rows)) return train_memory(t);
    cr_model_training(t->model, training);
    cr_status status = cr_model_build(loss, t->model, *g, &why);
    cr_model_training(t->model, false);
    if (status) train_fail(t, status, "%s", why.n ? cr_text_str(&why) : cr_status_text(status));
    text_drop(&why);
    cr_node named = cr_find(*g, "loss");
    if (!status && cr_ok(named)) *loss = named;
    return status;
}

/* ---- Data ---- */

/* A missing label is no label 0. */
static cr_status check_whole(struct cr_train *t, const struct column *c, cr_dtype to) {
    cr_dtype from = cr_array_dtype(c->array);
    if ((to != CR_I32 && to != CR_I64) || from < CR_F16) return CR_OK;
    const void *data = cr_array_data((cr_array *)(uintptr_t)c->array); /* only read */
    double most = to == CR_I32 ? 0x1p31 : 0x1p63;
    for (int64_t i = 0; i < cr_array_count(c->array); i++) {
        double x = dtype_get(from, data, i);
        if (x == floor(x) && x >= -most && x < most) continue;
        return train_fail(
            t, CR_EFORMAT,
            "%s: number %lld is %g, expected whole numbers of %s: mend or leave out that observation",
            train_called(c->source, c->name).s, (long long)i + 1, x, cr_dtype_name(to));
    }
    return CR_OK;
}

/* How far apart observations stand, and how large they are. */
static cr_status measure(struct cr_train *t, struct column *c) {
    size_t size = cr_dtype_size(c->dtype);
    if (c->text) return c->row_bytes = mem_mul((size_t)c->window, size), CR_OK;
    if (c->dtype != cr_array_dtype(c->array)) {
        cr_array *cast = NULL;
        cr_status status = check_whole(t, c, c->dtype);
        if (status) return status;
        if (cr_array_cast(&cast, c->array, c->dtype)) return train_memory(t);
        cr_array_free(c->own);
        c->array = c->own = cast;
    }
    size_t bytes = cr_array_bytes(c->array),
           row = c->whole ? bytes : bytes / (size_t)cr_array_dims(c->array)[0];
    c->row_bytes = c->window ? (size_t)c->window * row : row;
    c->step_bytes = c->window ? (size_t)c->step * row : row;
    return CR_OK;
}

/* The column in its input's dtype, and room for a batch of it. */
static cr_status fit_column(struct cr_train *t, struct column *c, cr_node input) {
    c->dtype = cr_dtype_of(input);
    if (c->text && c->dtype != CR_I32 && c->dtype != CR_I64)
        return train_fail(t, CR_EDTYPE, "'%s' is %s: text is numbers of bytes, expected i32 or i64", c->name,
                          cr_dtype_name(c->dtype));
    cr_status status = measure(t, c);
    if (status || c->whole || c->batch) return status;
    c->batch_bytes = mem_mul(c->row_bytes, (size_t)train_most_rows(t));
    c->batch = mem_alloc_aligned(&t->mem, c->batch_bytes);
    return c->batch ? CR_OK : train_memory(t);
}

cr_status train_fit_columns(struct cr_train *t, cr_graph *g) {
    for (size_t i = 0; i < t->columns; i++) {
        cr_node x = cr_find(g, t->column[i].name);
        if (!cr_ok(x) || strcmp(cr_op_of(x), "input") != 0)
            return train_fail(t, CR_ENAME, "the model has no input '%s'", t->column[i].name);
        cr_status status = fit_column(t, &t->column[i], x);
        if (status) return status;
    }
    return CR_OK;
}

static bool reads(const cr_program *p, const char *name) {
    for (int i = 0; cr_program_input(p, i); i++)
        if (strcmp(cr_program_input(p, i), name) == 0) return true;
    return false;
}

static bool has_column(const struct cr_train *t, const char *name) {
    for (size_t i = 0; i < t->columns; i++)
        if (strcmp(t->column[i].name, name) == 0) return true;
    return false;
}

/* An input that nobody gave data for, with the shape that is expected. */
static cr_status no_data(struct cr_train *t, cr_graph *g, const char *name, int64_t rows) {
    cr_node x = cr_find(g, name);
    struct cr_text s = text_make(&t->mem);
    if (cr_rank(x)) text_dims(&s, cr_rank(x), cr_dims(x));
    else text_str(&s, ", one number");
    if (cr_rank(x) && cr_dims(x)[0] == rows) text_add(&s, " for %lld observations", (long long)rows);
    cr_status status = train_fail(t, CR_EUNBOUND, "the input '%s' has no data: expected %s%s", name,
                                  cr_dtype_name(cr_dtype_of(x)), cr_text_str(&s));
    text_drop(&s);
    return status;
}

cr_status train_bind(struct cr_train *t, const cr_program *program, cr_run *run, cr_graph *g, int64_t rows) {
    for (int i = 0; cr_program_input(program, i); i++)
        if (!has_column(t, cr_program_input(program, i)))
            return no_data(t, g, cr_program_input(program, i), rows);
    for (size_t i = 0; i < t->columns; i++) {
        struct column *c = &t->column[i];
        if (!reads(program, c->name)) continue;
        void *data = c->whole ? cr_array_data((cr_array *)(uintptr_t)c->array) : c->batch; /* only read */
        size_t bytes = c->whole ? c->row_bytes : c->row_bytes * (size_t)rows;
        cr_status status = cr_bind(run, c->name, c->dtype, data, bytes);
        if (status) return train_fail(t, status, "%s", cr_run_error(run));
    }
    return CR_OK;
}

static void widen(const struct column *c, char *to, const unsigned char *from) {
    for (int64_t i = 0; i < c->window; i++)
        if (c->dtype == CR_I32) ((int32_t *)(void *)to)[i] = from[i];
        else ((int64_t *)(void *)to)[i] = from[i];
}

void train_gather(struct cr_train *t, int64_t rows, const int64_t *order) {
    for (size_t k = 0; k < t->columns; k++) {
        struct column *c = &t->column[k];
        const char *from = c->whole || c->text ? NULL : cr_array_data((cr_array *)(uintptr_t)c->array);
        for (int64_t i = 0; i < rows && !c->whole; i++) {
            char *to = c->batch + (size_t)i * c->row_bytes;
            if (c->text) widen(c, to, c->text + order[i] * c->step);
            else memcpy(to, from + (size_t)order[i] * c->step_bytes, c->row_bytes);
        }
    }
}

/* ---- Metrics: the loss, and every number that the model names ---- */

static bool is_metric(const cr_graph *g, uint32_t id, const char *name) {
    const struct node *n = graph_at(g, id);
    return name && !strchr(name, '.') && strlen(name) < train_name && graph_rank(g, n) == 0 && !n->weak &&
           op_kind(n->op) != KIND_LEAF && n->dtype >= CR_F16;
}

static cr_status find_metrics(struct cr_train *t, cr_graph *g, cr_node loss) {
    t->metrics = 1;
    strcpy(t->metric[0].name, "loss");
    for (uint32_t id = 1; id < g->count; id++) {
        const char *name = cr_name(graph_handle(g, id));
        if (id == loss.id || !is_metric(g, id, name)) continue;
        if (t->metrics == train_metrics)
            return train_fail(t, CR_ELIMIT, "more than %d metrics", train_metrics - 1);
        strcpy(t->metric[t->metrics++].name, name);
    }
    return CR_OK;
}

/* ---- The program ---- */

static cr_status target_metrics(struct cr_train *t, cr_target *target, cr_graph *g, cr_node loss) {
    cr_status status = t->metrics ? CR_OK : find_metrics(t, g, loss);
    for (int i = 0; i < t->metrics && !status; i++) {
        cr_node x = i ? cr_find(g, t->metric[i].name) : loss;
        status = cr_target_output(target, t->metric[i].name, cr_cast(x, CR_F64));
    }
    return status;
}

/* Outputs that a model cannot have names for: they hold blanks. */
static const char rate_output[] = "the rate";
static const char *gradient_output(char name[32], int i) {
    snprintf(name, 32, "gradient %d", i);
    return name;
}

/* The gradients are those that the updates are made of: nothing is computed twice. */
static cr_status tell(struct cr_train *t, cr_target *target, const struct telling *told) {
    char name[32];
    if (!t->gradient) {
        t->gradient = mem_zero(&t->mem, mem_mul((size_t)told->n, sizeof *t->gradient));
        if (!t->gradient) return CR_ENOMEM;
        t->gradients = told->n;
        for (int i = 0; i < told->n; i++) {
            t->gradient[i].name = text_make(&t->mem);
            text_str(&t->gradient[i].name, cr_name(told->param[i]));
            if (t->gradient[i].name.failed) return CR_ENOMEM;
        }
    }
    cr_status status = cr_target_output(target, rate_output, told->rate);
    for (int i = 0; i < told->n && !status; i++)
        status = cr_target_output(target, gradient_output(name, i), told->norm[i]);
    return status;
}

static cr_status minimise_told(struct cr_train *t, cr_target *target, cr_node loss, int n,
                               const cr_node param[]) {
    size_t room = mem_mul(2 * sizeof(cr_node), (size_t)n);
    struct telling told = {.norm = mem_alloc(&t->mem, room)};
    if (!told.norm) return CR_ENOMEM;
    told.param = told.norm + n;
    cr_status status = optimiser_minimise(target, t->method, loss, n, param, &told);
    if (!status) status = tell(t, target, &told);
    mem_free(&t->mem, told.norm, room);
    return status;
}

/* The parameters of the model: all that the graph has before an optimiser adds its own. */
static cr_status minimise(struct cr_train *t, cr_target *target, cr_graph *g, cr_node loss) {
    int n = 0;
    cr_node *param = mem_alloc(&t->mem, mem_mul(g->count, sizeof *param));
    size_t room = g->count * sizeof *param;
    if (!param) return CR_ENOMEM;
    t->own_nodes = g->count;
    for (uint32_t id = 1; id < g->count; id++)
        if (graph_at(g, id)->op == OP_param &&
            (graph_at(g, id)->dtype >= CR_F32 || cr_ok(cr_param_next(graph_handle(g, id)))))
            param[n++] = graph_handle(g, id);
    cr_status status = !n         ? train_fail(t, CR_EINVAL, "the model has no parameter to train")
                       : t->tells ? minimise_told(t, target, loss, n, param)
                                  : cr_minimise(target, t->method, loss, n, param);
    if (status && t->method_line && cr_graph_error(g))
        train_fail(t, status, "the optimiser in line %d of the model: %s", t->method_line, cr_graph_error(g));
    mem_free(&t->mem, param, room);
    return status;
}

/* How loops are run: as the training was begun, else as the options say. */
static cr_status ask_for_compiler(const struct cr_train *t, cr_options *o) {
    bool automatic = strcmp(t->compiler, "auto") == 0 || strcmp(t->compiler, "0") == 0;
    char steps[40];
    if (t->compiled == 0 || (t->compiled < 0 && strcmp(t->compiler, "0") == 0)) return CR_OK;
    cr_status status = cr_options_set(o, "compile", automatic ? "cc" : t->compiler);
    if (!status && *t->cache) status = cr_options_set(o, "cache", t->cache);
    if (status || t->compiled > 0 || !automatic) return status;
    snprintf(steps, sizeof steps, "%lld", (long long)(t->epochs * ((t->trained + t->batch - 1) / t->batch)));
    return cr_options_set(o, "compile_for", steps);
}

static cr_status compile(struct cr_train *t, cr_program **out, cr_graph *g, cr_node loss, bool training,
                         const char *option) {
    cr_target *target = cr_target_new(g);
    cr_options *o = cr_options_new(t->ctx);
    cr_status status = target && o ? target_metrics(t, target, g, loss) : CR_ENOMEM;
    if (!status && training) status = minimise(t, target, g, loss);
    if (!status && training) status = cr_options_set(o, option, "1");
    if (!status) status = ask_for_compiler(t, o);
    if (!status) status = cr_compile(out, target, o);
    if (status) train_fail(t, status, "%s", cr_graph_error(g) ? cr_graph_error(g) : cr_status_text(status));
    cr_options_free(o);
    cr_target_free(target);
    return status;
}

static cr_status bind_told(struct cr_train *t, cr_run *run) {
    char name[32];
    cr_status status = cr_bind(run, rate_output, CR_F64, &t->rate, sizeof t->rate);
    for (int i = 0; i < t->gradients && !status; i++)
        status = cr_bind(run, gradient_output(name, i), CR_F64, &t->gradient[i].norm, sizeof(double));
    return status;
}

static cr_status start(struct cr_train *t, struct phase *p) {
    cr_status status = cr_run_new(&p->run, p->program, t->store, NULL, 0);
    if (status) return train_memory(t);
    for (int i = 0; i < t->metrics && !status; i++)
        status = cr_bind(p->run, t->metric[i].name, CR_F64, &p->value[i], sizeof p->value[i]);
    if (!status && p->training && t->tells) status = bind_told(t, p->run);
    if (status) return train_fail(t, status, "%s", cr_run_error(p->run));
    cr_run_seed(p->run, t->seed);
    return train_bind(t, p->program, p->run, p->g, p->rows);
}

void phase_drop(struct phase *p) {
    cr_run_free(p->run);
    cr_program_free(p->program);
    cr_graph_free(p->g);
    *p = (struct phase){0};
}

static cr_status make(struct cr_train *t, struct phase *p, const char *option) {
    cr_node loss;
    cr_status status = train_build(t, p->rows, p->training, &p->g, &loss);
    if (!status) status = train_fit_columns(t, p->g);
    if (!status) status = compile(t, &p->program, p->g, loss, p->training, option);
    if (!status && p->training && (status = cr_store_init(t->store, p->g, t->seed)))
        train_fail(t, status, "%s", cr_store_error(t->store));
    return status ? status : start(t, p);
}

cr_status train_phase(struct phase **out, struct cr_train *t, int64_t rows, bool training) {
    struct phase *p = &t->phase[training ? 0 : 2];
    if (p->rows && p->rows != rows) p++; /* of each kind two sizes are kept */
    *out = p;
    if (p->rows == rows) return CR_OK;
    phase_drop(p);
    p->rows = rows;
    p->training = training;
    cr_status status = make(t, p, "finite");
    if (status) phase_drop(p);
    return status;
}

/* A number of the batch that is not finite, which may be why a loss is not. */
static bool told_of_data(struct cr_train *t, const struct phase *p, const int64_t *order) {
    for (size_t k = 0; k < t->columns; k++) {
        const struct column *c = &t->column[k];
        int64_t width = (int64_t)(c->row_bytes / cr_dtype_size(c->dtype));
        for (int64_t i = 0; i < p->rows * width && !c->whole && dtype_is_float(c->dtype); i++) {
            double x = dtype_get(c->dtype, c->batch, i);
            if (isfinite(x)) continue;
            train_fail(t, CR_ENAN,
                       "step %lld: the loss is not finite: %s, observation %lld: a number is %g: mend or "
                       "leave out that observation",
                       (long long)t->step, train_called(c->source, c->name).s,
                       (long long)order[i / width] + 1, x);
            return true;
        }
    }
    return false;
}

/* The batch that gave a loss which is no finite number, once more, node by node. Nothing has been updated. */
static cr_status trace(struct cr_train *t, const struct phase *p) {
    struct phase again = {.rows = p->rows, .training = true};
    cr_status status = make(t, &again, "trap_nan");
    if (!status) {
        cr_run_set_step(again.run, t->step);
        status = cr_step(again.run);
        const char *where = status && cr_run_error(again.run) ? cr_run_error(again.run) : "it overflowed";
        status = train_fail(t, CR_ENAN, "step %lld: the loss is not finite: %s", (long long)t->step, where);
    }
    phase_drop(&again);
    return status;
}

/* Which row of a batch has the number x; -1: none. */
static int64_t find_row(const struct column *c, int64_t rows, int64_t x) {
    int64_t width = (int64_t)(c->row_bytes / cr_dtype_size(c->dtype));
    if (c->whole || (c->dtype != CR_I32 && c->dtype != CR_I64)) return -1;
    for (int64_t i = 0; i < rows * width; i++)
        if ((int64_t)dtype_get(c->dtype, c->batch, i) == x) return i / width;
    return -1;
}

/* An index that the model has no place for, most often a label: the observation that it came with. */
static cr_status out_of_range(struct cr_train *t, const struct phase *p, const int64_t *order) {
    int64_t bad = run_bad_index(p->run), row;
    for (size_t k = 0; k < t->columns; k++)
        if ((row = find_row(&t->column[k], p->rows, bad)) >= 0)
            return train_fail(t, CR_EINDEX, "%s, observation %lld: %s: mend or leave out that observation",
                              train_called(t->column[k].source, t->column[k].name).s,
                              (long long)order[row] + 1, cr_run_error(p->run));
    return train_fail(t, CR_EINDEX, "step %lld: %s", (long long)t->step, cr_run_error(p->run));
}

/* What the store has does not fit the model: all inputs were checked as they were bound. */
cr_status train_bad_parameter(struct cr_train *t, cr_status status, const cr_run *run) {
    return train_fail(t, status, "the parameter %s: are these the weights of another model?",
                      cr_run_error(run));
}

cr_status phase_step(struct cr_train *t, struct phase *p, const int64_t *order) {
    train_gather(t, p->rows, order);
    if (p->training) cr_run_set_step(p->run, t->step);
    cr_status status = cr_step(p->run);
    if (status == CR_ENAN && p->training) return told_of_data(t, p, order) ? CR_ENAN : trace(t, p);
    if (status == CR_EINDEX) return out_of_range(t, p, order);
    if (status == CR_ESHAPE || status == CR_EDTYPE) return train_bad_parameter(t, status, p->run);
    return status ? train_fail(t, status, "step %lld: %s", (long long)t->step, cr_run_error(p->run)) : CR_OK;
}
