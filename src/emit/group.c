/* Steps that run block by block: for each batch element its blocks of rows, one after the other, for each block the steps. A sum over
 * rows adds up what its blocks come to: terms are added in the order of steps that run whole, and so the bits are theirs. */
#include <stdio.h>
#include <string.h>

#include "emit/emit.h"
#include "tensor/dtype.h"

const char *emit_block_row(const struct emitter *e, bool shared) {
    return e->group->batch > 1 && !shared ? "row_start" : "first_row";
}

/* ---- Operands and results of a product ---- */

struct block_product {
    struct emitter *e;
    const struct step *s;
    uint32_t id, in[2];
    const struct node *n;
    int axes;                     /* of the batch */
    int64_t rows, columns, terms; /* of a batch element */
};

static struct block_product product_of(struct emitter *e, const struct step *s) {
    struct block_product p = {.e = e, .s = s, .id = e->p->node[s->first]};
    p.n = graph_at(e->g, p.id);
    for (int k = 0; k < 2; k++) p.in[k] = p.n->arg[k];
    p.axes = graph_rank(e->g, p.n) - 2;
    const int64_t *a = graph_dims(e->g, graph_at(e->g, p.in[0])),
                  *b = graph_dims(e->g, graph_at(e->g, p.in[1]));
    p.rows = a[p.axes], p.terms = a[p.axes + 1], p.columns = b[p.axes + 1];
    return p;
}

/* Indices with their strides: what an element is found by. */
struct place {
    int n;
    int64_t stride[CR_MAX_RANK + 2];
    const char *index[CR_MAX_RANK + 2];
    char of_batch[CR_MAX_RANK][64];
};

static void step_by(struct place *at, int64_t stride, const char *index) {
    if (!index) return;
    at->stride[at->n] = stride;
    at->index[at->n++] = index;
}

static void step_by_batch(struct place *at, const struct block_product *p, const int64_t stride[]) {
    const int64_t *dim = graph_dims(p->e->g, p->n), batch = p->e->group->batch;
    int64_t behind = 1;
    for (int i = p->axes; i-- > 0; behind *= dim[i]) {
        struct cr_text t = text_make(&p->e->mem);
        bool part = dim[i] < batch;
        if (dim[i] == 1) continue;
        text_str(&t, part ? "(batch_number" : "batch_number");
        if (behind > 1) text_add(&t, " / %lld", (long long)behind);
        if (behind * dim[i] < batch) text_add(&t, " %% %lld", (long long)dim[i]);
        if (part) text_char(&t, ')');
        snprintf(at->of_batch[i], sizeof at->of_batch[i], "%.63s", emit_take(p->e, &t).s);
        step_by(at, stride[i], at->of_batch[i]);
    }
}

/* Where an operand begins for this block: its last axis but one, or (across) its last, is cut into blocks, or (whole) none; then `more`
 * along that axis, and `other` along the other one: variables, or NULL. */
enum cut { WHOLE, DOWN, ACROSS };

static struct expression operand_at(const struct block_product *p, int k, enum cut cut, const char *more,
                                    const char *other) {
    struct emitter *e = p->e;
    const struct view *v = &e->p->view[p->in[k]];
    const int64_t *stride = plan_strides(e->p, p->in[k]), *last = stride + p->axes;
    const bool block = e->p->slot[v->slot].kind == SLOT_BLOCK; /* it begins where the block does */
    struct place at = {0};
    if (!block) step_by_batch(&at, p, stride);
    if (!block && cut != WHOLE) step_by(&at, last[cut == ACROSS], "first_row");
    step_by(&at, last[cut == ACROSS], more);
    step_by(&at, last[cut != ACROSS], other);
    if (!block) return emit_pointer_of(e, p->in[k], at.n, at.stride, at.index);
    struct cr_text t = text_make(&e->mem);
    const char *name = emit_name(e, e->p->slot[v->slot].node);
    text_add(&t, v->offset || at.n ? "&%s[" : "%s", name);
    if (v->offset || at.n) emit_index(&t, v->offset, at.n, at.stride, at.index), text_char(&t, ']');
    return emit_take(e, &t);
}

/* An element of the result: number `column` of row number `row` from there on, or NULL. */
static struct expression result(const struct block_product *p, const char *row, const char *column) {
    struct emitter *e = p->e;
    uint32_t slot = e->p->view[p->id].slot;
    struct cr_text t = text_make(&e->mem);
    struct place at = {0};
    if (p->s->way == WAY_SUMS && e->group->batch > 1) step_by(&at, p->rows * p->columns, "batch_number");
    if (p->s->way != WAY_SUMS && e->p->slot[slot].kind != SLOT_BLOCK)
        step_by(&at, p->columns, emit_block_row(e, false));
    step_by(&at, p->columns, row);
    step_by(&at, 1, column);
    text_add(&t, "%s[", emit_name(e, e->p->slot[slot].node));
    emit_index(&t, 0, at.n, at.stride, at.index);
    text_char(&t, ']');
    return emit_take(e, &t);
}

/* Where that row begins. */
static struct expression result_at(const struct block_product *p, const char *row) {
    struct expression first = result(p, row, NULL);
    struct cr_text t = text_make(&p->e->mem);
    size_t n = strlen(first.s);
    if (n > 3 && strcmp(first.s + n - 3, "[0]") == 0) text_bytes(&t, first.s, n - 3);
    else text_add(&t, "&%s", first.s);
    return emit_take(p->e, &t);
}

/* ---- Products ---- */

/* The helper's call: m rows, n columns, k terms. */
static void call(const struct block_product *p, const char *helper, const char *m, const char *n,
                 const char *k, struct expression a, struct expression b, struct expression c) {
    struct emitter *e = p->e;
    const int64_t *x = plan_strides(e->p, p->in[0]) + p->axes, *y = plan_strides(e->p, p->in[1]) + p->axes;
    struct cr_text name = text_make(&e->mem);
    emit_helper(e, &name, helper, (cr_dtype)p->n->dtype);
    if (!name.failed && name.n)
        emit_line(e, "%s(%s, %s, %s, %s, %lld, %lld, %s, %lld, %lld, %s);", name.s, m, n, k, a.s,
                  (long long)x[0], (long long)x[1], b.s,
                  (long long)(p->s->woven ? p->columns + woven_gap : y[0]),
                  (long long)(p->s->woven ? 1 : y[1]), c.s);
    text_drop(&name);
}

struct number {
    char s[24];
};

static struct number number(int64_t n) {
    struct number x;
    snprintf(x.s, sizeof x.s, "%lld", (long long)n);
    return x;
}

/* const long row_past = first_row + i + 1: so many numbers of row i of the block go up to the diagonal, or all `most` of it. */
static void declare_past(const struct block_product *p, const char *i, int64_t most) {
    if (most >= p->e->group->rows) emit_line(p->e, "const long row_past = first_row + %s + 1;", i);
    else
        emit_line(p->e, "const long row_past = first_row + %s + 1 < %lld ? first_row + %s + 1 : %lld;", i,
                  (long long)most, i, (long long)most);
}

/* What lies in columns was turned over. */
static struct expression right(const struct block_product *p) {
    struct expression x = {""};
    if (!p->s->woven) return operand_at(p, 1, WHOLE, NULL, NULL);
    snprintf(x.s, sizeof x.s, "%s", emit_reserved(p->e, p->e->local[p->id]));
    return x;
}

/* Rows of the result. */
static void rows(const struct block_product *p) {
    struct emitter *e = p->e;
    const bool columns = p->s->bound == BOUND_COLUMNS;
    const struct number n = number(p->columns), k = number(p->terms);
    if (p->s->bound == BOUND_NONE) {
        call(p, "matmul", "row_count", n.s, k.s, operand_at(p, 0, DOWN, NULL, NULL), right(p),
             result_at(p, NULL));
        return;
    }
    emit_open(e, "for (long i = 0; i < row_count; i++)");
    declare_past(p, "i", columns ? p->columns : p->terms);
    call(p, "matmul", "1", columns ? "row_past" : n.s, columns ? k.s : "row_past",
         operand_at(p, 0, DOWN, "i", NULL), right(p), result_at(p, "i"));
    if (columns && p->s->filled)
        emit_line(e, "for (long j = row_past; j < %s; j++) %s = 0;", n.s, result(p, "i", "j").s);
    emit_close(e);
}

/* Terms of all rows of the result; of a row up to the diagonal those from it on; or of each term the columns up to it. */
static void sums(const struct block_product *p) {
    struct emitter *e = p->e;
    const struct number m = number(p->rows), n = number(p->columns);
    switch (p->s->bound) {
    case BOUND_ROWS:
        emit_open(e, "for (long i = 0; i < %s && i < first_row + row_count; i++)", m.s);
        emit_line(e, "const long j = i > first_row ? i - first_row : 0;");
        call(p, "matmul_add", "1", n.s, "row_count - j", operand_at(p, 0, ACROSS, "j", "i"),
             operand_at(p, 1, DOWN, "j", NULL), result_at(p, "i"));
        emit_close(e);
        return;
    case BOUND_COLUMNS:
        emit_open(e, "for (long i = 0; i < %s; i++)", m.s);
        emit_open(e, "for (long j = 0; j < row_count; j++)");
        declare_past(p, "j", p->columns);
        call(p, "matmul_add", "1", "row_past", "1", operand_at(p, 0, ACROSS, "j", "i"),
             operand_at(p, 1, DOWN, "j", NULL), result_at(p, "i"));
        emit_close(e);
        emit_close(e);
        return;
    default:
        call(p, "matmul_add", m.s, n.s, "row_count", operand_at(p, 0, ACROSS, NULL, NULL),
             operand_at(p, 1, DOWN, NULL, NULL), result_at(p, NULL));
    }
}

void emit_block_product(struct emitter *e, const struct step *s) {
    const struct block_product p = product_of(e, s);
    if (s->way == WAY_SUMS) sums(&p);
    else rows(&p);
}

/* ---- Before the blocks ---- */

/* float *const k_turned = ..: a name for the room of each operand that is turned over. */
static void declare_turned(struct emitter *e, const struct step *s) {
    const struct block_product p = product_of(e, s);
    char type[80], name[96];
    const char *t = emit_type(e, (cr_dtype)p.n->dtype, type);
    snprintf(name, sizeof name, "%.80s_turned", emit_name(e, e->p->slot[e->p->view[p.in[1]].slot].node));
    e->local[p.id] = emit_reserve(e, name);
    text_add(e->out, "%*s%s *const %s = (%s *)(void *)((char *)work + ", 4 * e->depth, "", t,
             emit_reserved(e, e->local[p.id]), t);
    emit_place(e, e->out, emit_group_work(e) + (e->group->batch > 1 ? 0 : e->group->bytes) + s->woven_at);
    text_str(e->out, ");\n");
}

static void turn(struct emitter *e, const struct step *s) {
    const struct block_product p = product_of(e, s);
    const int64_t *y = plan_strides(e->p, p.in[1]) + p.axes;
    struct cr_text name = text_make(&e->mem);
    emit_helper(e, &name, "turn", (cr_dtype)p.n->dtype);
    if (!name.failed && name.n)
        emit_line(e, "%s(%lld, %lld, %s, %lld, %lld, %s, %lld);", name.s, (long long)p.terms,
                  (long long)p.columns, operand_at(&p, 1, WHOLE, NULL, NULL).s, (long long)y[0],
                  (long long)y[1], emit_reserved(e, e->local[p.id]), (long long)(p.columns + woven_gap));
    text_drop(&name);
}

static void clear(struct emitter *e, const struct step *s) {
    const struct block_product p = product_of(e, s);
    emit_line(e, "for (long i = 0; i < %lld; i++) %s = 0;", (long long)(p.rows * p.columns),
              result(&p, NULL, "i").s);
}

/* Sums begin, and operands of the batch element are turned over. */
static void start_batch(struct emitter *e) {
    for (size_t i = e->group->first; i < e->group->first + e->group->n; i++) {
        const struct step *s = &e->p->step[i];
        if (s->kind == STEP_KERNEL && s->woven) turn(e, s);
        if (s->way == WAY_SUMS) clear(e, s);
    }
}

/* ---- The blocks ---- */

static void open_blocks(struct emitter *e) {
    const long long rows = e->group->rows, block = e->group->block;
    emit_open(e, "for (long first_row = 0; first_row < %lld; first_row += %lld)", rows, block);
    if (rows % block == 0) emit_line(e, "const long row_count = %lld;", block);
    else
        emit_line(e, "const long row_count = %lld - first_row < %lld ? %lld - first_row : %lld;", rows, block,
                  rows, block);
}

static void each_step(struct emitter *e) {
    struct cr_text steps = text_make(&e->mem), *out = e->out;
    e->out = &steps;
    for (size_t s = e->group->first; s < e->group->first + e->group->n && !e->status; s++) {
        const bool once = plan_runs_once(e->p, &e->p->step[s]);
        if (once) emit_open(e, "if (batch_number == 0)");
        emit_step(e, s);
        if (once) emit_close(e);
    }
    e->out = out;
    if (emit_mentions(&steps, "row_start"))
        emit_line(e, "const long row_start = batch_number * %lld + first_row; /* of all rows */",
                  (long long)e->group->rows);
    text_bytes(out, steps.s ? steps.s : "", steps.n);
    text_end(&steps, out);
}

void emit_group(struct emitter *e, const struct group *g) {
    const struct step *step = e->p->step;
    e->group = g;
    text_add(e->out, "\n%*s/* In blocks of %lld of %lld rows", 4 * e->depth, "", (long long)g->block,
             (long long)g->rows);
    text_add(e->out, g->batch > 1 ? ", %lld times. */\n" : ". */\n", (long long)g->batch);
    emit_open_braces(e);
    for (size_t s = g->first; s < g->first + g->n; s++) {
        if (step[s].kind == STEP_LOOP) emit_start_sums(e, &step[s]);
        else if (step[s].woven) declare_turned(e, &step[s]);
    }
    if (g->batch > 1)
        emit_open(e, "for (long batch_number = 0; batch_number < %lld; batch_number++)", (long long)g->batch);
    start_batch(e);
    open_blocks(e);
    each_step(e);
    emit_close(e);
    if (g->batch > 1) emit_close(e);
    emit_close(e);
    e->group = NULL;
}
