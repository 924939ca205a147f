/* The training loop: epochs of batches, validation, the best parameters, when to stop. */
#include "train/train.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "train/optimiser.h"

cr_status train_fail(struct cr_train *t, cr_status status, const char *format, ...) {
    char s[600];
    va_list ap;
    va_start(ap, format);
    vsnprintf(s, sizeof s, format, ap);
    va_end(ap);
    if (!t->error.n) text_str(&t->error, s);
    return status;
}

cr_status train_memory(struct cr_train *t) { return train_fail(t, CR_ENOMEM, "out of memory"); }

struct called train_called(const char *source, const char *name) {
    struct called c;
    snprintf(c.s, sizeof c.s, "%s%s'%s'", source ? source : "", source ? ": " : "", name);
    return c;
}

/* ---- Life ---- */

static cr_status set_text(cr_train *t, const char *name, char *to, size_t room, const char *value) {
    if (strlen(value) >= room) return train_fail(t, CR_ELIMIT, "%s: too long", name);
    strcpy(to, value);
    return CR_OK;
}

cr_status cr_train_new(cr_train **out, cr_model *model, cr_store *store, cr_context *ctx) {
    if (out) *out = NULL;
    if (!out || !model || !store) return CR_EINVAL;
    struct mem m = context_mem(ctx);
    cr_train *t = mem_zero(&m, sizeof *t);
    if (!t) return CR_ENOMEM;
    t->mem = m;
    t->ctx = ctx;
    t->model = model;
    t->store = store;
    t->error = text_make(&m);
    t->batch = 32;
    t->epochs = 10;
    t->shuffle = true;
    t->reason = "not run";
    strcpy(t->method, "adam");
    strcpy(t->best, "loss");
    strcpy(t->compiler, "0");
    *out = t;
    const char *named = cr_model_optimiser(model, &t->method_line);
    return named ? t->status = set_text(t, "optimiser", t->method, sizeof t->method, named) : CR_OK;
}

void cr_train_free(cr_train *t) {
    if (!t) return;
    struct mem m = t->mem;
    for (int i = 0; i < 4; i++) phase_drop(&t->phase[i]);
    for (int i = 0; i < t->gradients; i++) text_drop(&t->gradient[i].name);
    mem_free(&m, t->gradient, (size_t)t->gradients * sizeof *t->gradient);
    for (size_t i = 0; i < t->columns; i++) {
        cr_array_free(t->column[i].own);
        mem_free_aligned(&m, t->column[i].batch, t->column[i].batch_bytes);
    }
    mem_free(&m, t->column, t->column_cap * sizeof *t->column);
    mem_free(&m, t->order, (size_t)t->order_count * sizeof *t->order);
    text_drop(&t->error);
    mem_free(&m, t, sizeof *t);
}

/* ---- Data and options ---- */

static int input_rank(const cr_model *m, const char *name) {
    bool param;
    int rank;
    const char *leaf;
    for (int i = 0; (leaf = cr_model_leaf(m, i, &param, NULL, &rank)); i++)
        if (!param && strcmp(leaf, name) == 0) return rank;
    return -1;
}

/* How many windows there are in n rows. */
static int64_t windows(const struct column *c, int64_t n) {
    return n < c->window ? 0 : (n - c->window) / c->step + 1;
}

/* Observations in a column. */
static int64_t rows_of(const struct column *c) {
    if (c->text) return windows(c, (int64_t)c->text_bytes);
    int64_t n = cr_array_dims(c->array)[0];
    return c->window ? windows(c, n) : n;
}

static cr_status differ(cr_train *t, struct called it, int64_t rows, const struct column *other) {
    return train_fail(
        t, CR_ESHAPE,
        "%s has %lld observations, %s has %lld: expected as many: give both for the same observations", it.s,
        (long long)rows, train_called(other->source, other->name).s, (long long)t->rows);
}

static cr_status add_column(cr_train *t, const char *name, struct column c) {
    struct called it = train_called(t->source, name);
    c.rank = input_rank(t->model, name);
    c.source = t->source;
    if (strlen(name) >= sizeof c.name) return train_fail(t, CR_ELIMIT, "a name is too long");
    if (c.rank < 0) return train_fail(t, CR_ENAME, "the model declares no input '%s'", name);
    if (c.array && !c.whole && cr_array_rank(c.array) == 0)
        return train_fail(t, CR_ESHAPE, "%s: expected a row for each observation, found one number", it.s);
    int64_t rows = c.whole ? t->rows : rows_of(&c);
    if (c.window && !rows)
        return train_fail(t, CR_ESHAPE, "%s is shorter than a window of %lld", it.s, (long long)c.window);
    for (size_t i = 0; i < t->columns && !c.whole; i++)
        if (!t->column[i].whole && rows != t->rows) return differ(t, it, rows, &t->column[i]);
    if (!mem_grow(&t->mem, &t->column, &t->column_cap, t->columns, sizeof c)) return train_memory(t);
    strcpy(c.name, name);
    t->rows = rows;
    t->column[t->columns++] = c;
    return CR_OK;
}

cr_status cr_train_data(cr_train *t, const char *input, const cr_array *array) {
    if (!t || !input || !array) return CR_EINVAL;
    return t->status ? t->status : (t->status = add_column(t, input, (struct column){.array = array}));
}

void cr_train_source(cr_train *t, const char *file) {
    if (t) t->source = file;
}

cr_status cr_train_constant(cr_train *t, const char *input, const cr_array *array) {
    if (!t || !input || !array) return CR_EINVAL;
    return t->status ? t->status
                     : (t->status = add_column(t, input, (struct column){.array = array, .whole = true}));
}

static cr_status add_windows(cr_train *t, const char *input, struct column c) {
    if (t->status) return t->status;
    if (c.window < 1 || c.step < 1)
        return t->status = train_fail(t, CR_EINVAL, "a window of %lld, every %lld: expected positive numbers",
                                      (long long)c.window, (long long)c.step);
    return t->status = add_column(t, input, c);
}

cr_status cr_train_windows(cr_train *t, const char *input, const cr_array *sequence, int64_t length,
                           int64_t step) {
    if (!t || !input || !sequence) return CR_EINVAL;
    return add_windows(t, input, (struct column){.array = sequence, .window = length, .step = step});
}

cr_status cr_train_text(cr_train *t, const char *input, const void *text, size_t size, int64_t length,
                        int64_t step) {
    if (!t || !input || !text || size > INT64_MAX) return CR_EINVAL;
    return add_windows(t, input,
                       (struct column){.text = text, .text_bytes = size, .window = length, .step = step});
}

static cr_status set_best(cr_train *t, const char *value) {
    t->best_is_most = strncmp(value, "max ", 4) == 0;
    bool said = t->best_is_most || strncmp(value, "min ", 4) == 0;
    return set_text(t, "best", t->best, sizeof t->best, said ? value + 4 : value);
}

static cr_status set_number(cr_train *t, const char *name, const char *value) {
    const struct {
        const char *name;
        int64_t *to, least;
    } whole[] = {{"batch", &t->batch, 1},
                 {"epochs", &t->epochs, 0},
                 {"patience", &t->patience, 0},
                 {"seed", &t->seed, 0}};
    double x;
    size_t n = strlen(value);
    bool number = n && text_parse_number(value, n, &x) == n;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        if (strcmp(whole[i].name, name) != 0) continue;
        if (!number || x != floor(x) || x < (double)whole[i].least || x >= 0x1p53)
            return train_fail(t, CR_EINVAL, "%s: expected an integer from %lld to 2^53, found '%s'", name,
                              (long long)whole[i].least, value);
        *whole[i].to = (int64_t)x;
        return CR_OK;
    }
    if (strcmp(name, "validation") != 0) return train_fail(t, CR_ENAME, "there is no option '%s'", name);
    if (!number || !(x >= 0 && x < 0x1p53 && (x < 1 || x == floor(x))))
        return train_fail(
            t, CR_EINVAL,
            "validation: expected a share from 0 to below 1, or a number of observations, found '%s'", value);
    t->validation = x;
    return CR_OK;
}

static cr_status set(cr_train *t, const char *name, const char *value) {
    if (strcmp(name, "optimiser") == 0) {
        t->method_line = 0;
        return set_text(t, name, t->method, sizeof t->method, value);
    }
    if (strcmp(name, "best") == 0) return set_best(t, value);
    if (strcmp(name, "compile") == 0 && !*value)
        return train_fail(t, CR_EINVAL, "compile: expected auto, 0 or the name of a compiler, found ''");
    if (strcmp(name, "compile") == 0) return set_text(t, name, t->compiler, sizeof t->compiler, value);
    if (strcmp(name, "cache") == 0) return set_text(t, name, t->cache, sizeof t->cache, value);
    bool *to = strcmp(name, "shuffle") == 0 ? &t->shuffle : strcmp(name, "gradients") == 0 ? &t->tells : NULL;
    if (!to) return set_number(t, name, value);
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return train_fail(t, CR_EINVAL, "%s: expected 0 or 1, found '%s'", name, value);
    *to = *value == '1';
    return CR_OK;
}

cr_status cr_train_set(cr_train *t, const char *name, const char *value) {
    if (!t || !name || !value) return CR_EINVAL;
    return t->status ? t->status : (t->status = set(t, name, value));
}

void cr_train_progress(cr_train *t, cr_train_progress_fn *fn, void *user) {
    if (t) t->progress = fn, t->user = user;
}

/* ---- What it says ---- */

const char *cr_train_error(const cr_train *t) { return t && t->error.n ? cr_text_str(&t->error) : NULL; }
const char *cr_train_way(const cr_train *t) { return t ? cr_program_way(t->phase[0].program) : ""; }
const char *cr_train_reason(const cr_train *t) { return t ? t->reason : ""; }
int64_t cr_train_epoch(const cr_train *t) { return t ? t->epoch : 0; }
int64_t cr_train_epochs(const cr_train *t) { return t ? t->epochs : 0; }
int64_t cr_train_best_epoch(const cr_train *t) { return t ? t->best_epoch : 0; }
int64_t cr_train_step(const cr_train *t) { return t ? t->step : 0; }
int64_t cr_train_position(const cr_train *t) { return t ? t->position : 0; }
int64_t cr_train_observations(const cr_train *t, bool validation) {
    return !t ? 0 : validation ? t->validated : t->trained;
}

const char *cr_train_metric(const cr_train *t, int i, double *training, double *validation) {
    if (!t || i < 0 || i >= t->metrics) return NULL;
    if (training) *training = t->metric[i].training;
    if (validation) *validation = t->metric[i].validation;
    return t->metric[i].name;
}

double cr_train_last(const cr_train *t, int i) {
    return t && i >= 0 && i < t->metrics && t->step ? t->value[i] : NAN;
}

const char *cr_train_gradient(const cr_train *t, int i, double *norm) {
    if (!t || i < 0 || i >= t->gradients) return NULL;
    if (norm) *norm = told_number(t->gradient[i].norm);
    return cr_text_str(&t->gradient[i].name);
}

double cr_train_rate(const cr_train *t) { return t && t->gradients ? told_number(t->rate) : NAN; }

/* ---- Passes over observations ---- */

/* Sums of metrics times rows over n observations, in prediction. */
static cr_status predict_all(cr_train *t, const int64_t *order, int64_t n, double sum[train_metrics]) {
    memset(sum, 0, train_metrics * sizeof *sum);
    for (int64_t at = 0; at < n;) {
        int64_t rows = n - at < t->batch ? n - at : t->batch;
        struct phase *p;
        cr_status status = train_phase(&p, t, rows, false);
        if (!status) status = phase_step(t, p, order + at);
        if (status) return status;
        for (int i = 0; i < t->metrics; i++) sum[i] += p->value[i] * (double)rows;
        at += rows;
    }
    return CR_OK;
}

static cr_status train_batch(cr_train *t) {
    int64_t left = t->trained - t->position, rows = left < t->batch ? left : t->batch;
    struct phase *p;
    cr_status status = train_phase(&p, t, rows, true);
    if (!status) status = phase_step(t, p, t->order + t->rows + t->position);
    if (status) return status;
    for (int i = 0; i < t->metrics; i++) {
        t->value[i] = p->value[i];
        t->sum[i] += p->value[i] * (double)rows;
        t->metric[i].training = t->sum[i] / (double)(t->position + rows);
    }
    t->position += rows;
    t->step++;
    return CR_OK;
}

static int best_metric(const cr_train *t) {
    for (int i = 0; i < t->metrics; i++)
        if (strcmp(t->metric[i].name, t->best) == 0) return i;
    return -1;
}

static cr_status look_at_best(cr_train *t) {
    const struct metric *m = &t->metric[best_metric(t)];
    double value = t->validated ? m->validation : m->training, sign = t->best_is_most ? -1 : 1;
    if (t->best_epoch && !(sign * value < sign * t->best_value)) return CR_OK;
    t->best_epoch = t->epoch;
    t->best_value = value;
    return train_keep_best(t);
}

static cr_status end_epoch(cr_train *t) {
    double sum[train_metrics];
    cr_status status = predict_all(t, t->order + t->trained, t->validated, sum);
    for (int i = 0; i < t->metrics; i++)
        t->metric[i].validation = t->validated ? sum[i] / (double)t->validated : NAN;
    t->epoch++;
    t->position = 0;
    memset(t->sum, 0, sizeof t->sum);
    if (!status) status = look_at_best(t);
    return status ? status : train_save_state(t);
}

static bool go_on(cr_train *t, bool epoch_ended) {
    if (!t->progress || t->progress(t->user, t, epoch_ended)) return true;
    t->reason = "stopped";
    return false;
}

static cr_status run_epoch(cr_train *t) {
    train_shuffle(t, t->epoch);
    while (t->position < t->trained) {
        cr_status status = train_batch(t);
        if (status) return status;
        if (!go_on(t, false)) return CR_ESTOPPED;
    }
    cr_status status = end_epoch(t);
    if (status) return status;
    return go_on(t, true) ? CR_OK : CR_ESTOPPED;
}

static bool patience_over(const cr_train *t) {
    return t->patience && t->best_epoch && t->epoch - t->best_epoch >= t->patience;
}

/* ---- Running ---- */

static cr_status no_metric(cr_train *t) {
    char names[400] = "";
    size_t n = 0;
    for (int i = 0; i < t->metrics && n < sizeof names - train_name - 2; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", t->metric[i].name);
    return train_fail(t, CR_ENAME, "best: the model has no metric '%s': there are %s", t->best, names);
}

static cr_status open(cr_train *t, bool training) {
    if (t->status) return t->status;
    cr_text_clear(&t->error);
    if (t->rows < 1) return train_fail(t, CR_ESHAPE, "there are no observations");
    cr_status status = train_split(t);
    int64_t rows = training ? t->trained : t->rows;
    struct phase *first;
    if (training) t->compiled = train_begun_compiled(t);
    if (!status) status = train_phase(&first, t, rows < t->batch ? rows : t->batch, training);
    if (!status && best_metric(t) < 0) status = no_metric(t);
    return status;
}

cr_status cr_train_run(cr_train *t) {
    if (!t) return CR_EINVAL;
    cr_status status = open(t, true);
    if (!status) status = train_load_state(t);
    if (!status && t->compiled < 0) t->compiled = cr_program_compiled(t->phase[0].program);
    t->reason = "all epochs are done";
    while (!status && t->epoch < t->epochs) {
        if (patience_over(t)) {
            t->reason = "no better epoch within the patience";
            break;
        }
        status = run_epoch(t);
    }
    if (status && status != CR_ESTOPPED) t->reason = "it failed";
    if (status && status != CR_ESTOPPED && status != CR_ENAN) return status;
    cr_status saved = train_save_state(t);
    return status ? status : saved;
}

cr_status cr_train_evaluate(cr_train *t) {
    double sum[train_metrics];
    if (!t) return CR_EINVAL;
    cr_status status = open(t, false);
    if (status) return status;
    train_shuffle(t, 0);
    for (int64_t i = 0; i < t->rows; i++) t->order[i] = i;
    status = predict_all(t, t->order, t->rows, sum);
    for (int i = 0; i < t->metrics && !status; i++) t->metric[i].validation = sum[i] / (double)t->rows;
    return status;
}
