/* What a node of the model is for every observation. */
#include <math.h>
#include <string.h>

#include "device/special.h"
#include "graph/graph.h"
#include "train/train.h"

struct predicting {
    struct cr_train *t;
    const char *name;
    int64_t rows; /* of the program; 0: none yet */
    cr_graph *g;
    cr_program *program;
    cr_run *run;
    cr_array *out;
    size_t row_bytes;
};

static void drop(struct predicting *p) {
    cr_run_free(p->run);
    cr_program_free(p->program);
    cr_graph_free(p->g);
    p->run = NULL;
    p->program = NULL;
    p->g = NULL;
}

static cr_status compile(struct predicting *p, cr_node x) {
    cr_target *target = cr_target_new(p->g);
    cr_status status = target ? cr_target_output(target, p->name, x) : CR_ENOMEM;
    if (!status) status = cr_compile(&p->program, target, NULL);
    cr_target_free(target);
    if (!status) status = cr_run_new(&p->run, p->program, p->t->store, NULL, 0);
    if (status)
        return train_fail(p->t, status, "%s",
                          cr_graph_error(p->g) ? cr_graph_error(p->g) : cr_status_text(status));
    return train_bind(p->t, p->program, p->run, p->g, p->rows);
}

/* All of the result, once its shape is known. */
static cr_status make_out(struct predicting *p, cr_node x) {
    int64_t dim[CR_MAX_RANK];
    int rank = cr_rank(x);
    for (int i = 0; i < rank; i++) dim[i] = cr_dims(x)[i];
    if (rank == 0 || dim[0] != p->rows)
        return train_fail(p->t, CR_ESHAPE, "'%s' has no row for each observation", p->name);
    dim[0] = p->t->rows;
    if (!p->out && cr_array_new(&p->out, p->t->ctx, cr_dtype_of(x), rank, dim)) return train_memory(p->t);
    p->row_bytes = cr_array_bytes(p->out) / (size_t)p->t->rows;
    return CR_OK;
}

/* With what there is: what has a row for each observation, and is no input. */
static cr_status no_node(struct predicting *p) {
    struct cr_text names = text_make(&p->t->mem);
    for (uint32_t id = 1; id < p->g->count && names.n < 200; id++) {
        cr_node x = graph_handle(p->g, id);
        const char *name = cr_name(x);
        bool rows = cr_rank(x) && cr_dims(x)[0] == p->rows && strcmp(cr_op_of(x), "input") != 0;
        if (name && rows && !strchr(name, '.')) text_add(&names, names.n ? ", %s" : "%s", name);
    }
    cr_status status = train_fail(p->t, CR_ENAME, "the model has no '%s'%s%s", p->name,
                                  names.n ? ": for each observation there are " : "", cr_text_str(&names));
    text_drop(&names);
    return status;
}

static cr_status make(struct predicting *p, int64_t rows) {
    cr_node result;
    drop(p);
    p->rows = rows;
    cr_status status = train_build(p->t, rows, false, &p->g, &result);
    if (!status) status = train_fit_columns(p->t, p->g);
    cr_node x = status ? result : cr_find(p->g, p->name);
    if (!status && !cr_ok(x)) status = no_node(p);
    if (!status) status = make_out(p, x);
    return status ? status : compile(p, x);
}

static cr_status step(struct predicting *p, int64_t at, int64_t rows, int64_t *order) {
    cr_status status = rows == p->rows ? CR_OK : make(p, rows);
    if (status) return status;
    for (int64_t i = 0; i < rows; i++) order[i] = at + i;
    train_gather(p->t, rows, order);
    status = cr_bind(p->run, p->name, cr_array_dtype(p->out),
                     (char *)cr_array_data(p->out) + (size_t)at * p->row_bytes, (size_t)rows * p->row_bytes);
    if (!status) status = cr_step(p->run);
    if (status == CR_ESHAPE || status == CR_EDTYPE) return train_bad_parameter(p->t, status, p->run);
    return status ? train_fail(p->t, status, "%s", cr_run_error(p->run)) : CR_OK;
}

cr_status cr_train_predict(cr_array **out, cr_train *t, const char *name) {
    if (out) *out = NULL;
    if (!out || !t || !name) return CR_EINVAL;
    if (t->status) return t->status;
    cr_text_clear(&t->error);
    if (t->rows < 1) return train_fail(t, CR_ESHAPE, "there are no observations");
    struct predicting p = {.t = t, .name = name};
    size_t room = (size_t)train_most_rows(t) * sizeof(int64_t);
    int64_t *order = mem_alloc(&t->mem, room);
    cr_status status = order ? CR_OK : train_memory(t);
    for (int64_t at = 0; at < t->rows && !status; at += t->batch)
        status = step(&p, at, t->rows - at < t->batch ? t->rows - at : t->batch, order);
    mem_free(&t->mem, order, room);
    drop(&p);
    if (status) cr_array_free(p.out);
    else *out = p.out;
    return status;
}

/* ---- A text that goes on ---- */

/* Of n scores, the number of one drawn with probability softmax(score / temperature), by u in (0, 1); at temperature 0 the
 * greatest. */
static int64_t draw(const double score[], int64_t n, double temperature, double u) {
    int64_t top = 0;
    double sum = 0, below = 0;
    for (int64_t i = 1; i < n; i++)
        if (score[i] > score[top]) top = i;
    for (int64_t i = 0; i < n && temperature > 0; i++) sum += exp((score[i] - score[top]) / temperature);
    for (int64_t i = 0; i < n && temperature > 0; i++) {
        below += exp((score[i] - score[top]) / temperature);
        if (u * sum < below) return i;
    }
    return top;
}

/* The bytes that the window shows: as many of the last as it has scores for, then zeros, which nothing before them
 * sees. Gives where the score of the next byte stands. */
static int64_t show(unsigned char *window, int64_t length, int64_t scores, const unsigned char *text,
                    size_t n) {
    size_t shown = n < (size_t)scores ? n : (size_t)scores;
    memset(window, 0, (size_t)length);
    memcpy(window, text + n - shown, shown);
    return (int64_t)shown - 1;
}

static cr_status scores_good(const struct predicting *p, int64_t length) {
    const int64_t *dim = cr_array_dims(p->out);
    if (cr_array_rank(p->out) == 3 && dim[1] >= 1 && dim[1] <= length && dim[2] >= 1 && dim[2] <= 256)
        return CR_OK;
    return train_fail(p->t, CR_ESHAPE,
                      "'%s': expected scores [1, at most %lld, at most 256] of each next byte", p->name,
                      (long long)length);
}

static cr_status go_on(struct predicting *p, unsigned char *window, int64_t length, double temperature,
                       unsigned char *text, size_t begun, size_t size) {
    int64_t zero = 0;
    cr_status status = make(p, 1);
    if (!status) status = scores_good(p, length);
    for (size_t n = begun; n < size && !status; n++) {
        const int64_t *dim = cr_array_dims(p->out);
        cr_array *wide = NULL;
        int64_t at = show(window, length, dim[1], text, n);
        status = step(p, 0, 1, &zero);
        if (!status && cr_array_cast(&wide, p->out, CR_F64)) status = train_memory(p->t);
        double u = ((double)(philox_bits(p->t->seed, (int64_t)n) >> 11) + 0.5) * 0x1p-53;
        if (!status)
            text[n] =
                (unsigned char)draw((double *)cr_array_data(wide) + at * dim[2], dim[2], temperature, u);
        cr_array_free(wide);
    }
    return status;
}

cr_status cr_train_continue(cr_train *t, const char *input, const char *scores, int64_t window,
                            double temperature, void *text, size_t begun, size_t size) {
    if (!t || !input || !scores || !text || begun > size) return CR_EINVAL;
    if (t->status) return t->status;
    cr_text_clear(&t->error);
    if (t->columns) return train_fail(t, CR_EINVAL, "a text goes on without data");
    if (begun < 1 || window < 1 || !(temperature >= 0))
        return train_fail(t, CR_EINVAL, "a text goes on from its first byte, at a temperature from 0");
    struct predicting p = {.t = t, .name = scores};
    unsigned char *shown = mem_zero(&t->mem, (size_t)window);
    cr_status status = shown ? cr_train_text(t, input, shown, (size_t)window, window, 1) : train_memory(t);
    if (!status) status = go_on(&p, shown, window, temperature, text, begun, size);
    drop(&p);
    cr_array_free(p.out);
    for (size_t i = 0; i < t->columns; i++)
        mem_free_aligned(&t->mem, t->column[i].batch, t->column[i].batch_bytes);
    t->columns = 0;
    t->rows = 0;
    mem_free(&t->mem, shown, (size_t)window);
    return status;
}

/* ---- A batch to look at ---- */

static cr_status set_columns(struct cr_train *t, cr_eval *e, cr_graph *g, int64_t rows) {
    for (size_t i = 0; i < t->columns; i++) {
        const struct column *c = &t->column[i];
        const void *data =
            c->whole ? cr_array_data((cr_array *)(uintptr_t)c->array) : c->batch; /* only read */
        size_t bytes = c->whole ? c->row_bytes : c->row_bytes * (size_t)rows;
        cr_status status = cr_eval_set(e, cr_find(g, c->name), c->dtype, data, bytes);
        if (status) return train_fail(t, status, "%s", cr_eval_error(e));
    }
    return CR_OK;
}

static cr_status first_batch(struct cr_train *t, cr_eval **e, cr_graph **g, cr_node *loss, int64_t rows) {
    cr_status status = train_build(t, rows, false, g, loss);
    if (!status) status = train_fit_columns(t, *g);
    if (status) return status;
    for (int64_t i = 0; i < t->rows; i++) t->order[i] = i;
    train_gather(t, rows, t->order);
    status = cr_store_init(t->store, *g, t->seed);
    if (status) return train_fail(t, status, "%s", cr_store_error(t->store));
    return cr_eval_new(e, *g, t->store) ? train_memory(t) : set_columns(t, *e, *g, rows);
}

cr_status cr_train_eval(cr_eval **e, cr_node *loss, cr_train *t) {
    if (e) *e = NULL;
    if (loss) *loss = (cr_node){0};
    if (!e || !loss || !t) return CR_EINVAL;
    cr_graph *g = NULL;
    cr_status status = t->status;
    if (!status && t->rows < 1) status = train_fail(t, CR_ESHAPE, "there are no observations");
    if (!status) status = train_split(t);
    if (!status) status = first_batch(t, e, &g, loss, t->rows < t->batch ? t->rows : t->batch);
    if (!status) return CR_OK;
    cr_eval_free(*e);
    cr_graph_free(g);
    *e = NULL;
    *loss = (cr_node){0};
    return status;
}
