/* The nest of loops of a step: its axes, its passes over a row, what its instructions read and give. */
#include "emit/nest.h"

#include <stdio.h>
#include <string.h>

#include "base/whole.h"

/* ---- The nest of a loop ---- */

enum loop_role nest_role(const struct loop_of *l, uint32_t node) { return plan_role(l->e->g, l->s, node); }

static int made_here(const struct loop_of *l, uint32_t operand) {
    return plan_made_here(l->e->p, l->s, operand);
}

/* Do neighbours p < q among the step's axes run on into each other, for all that is read and written by element? */
static bool runs_on(const struct loop_of *l, int p, int q, int64_t size) {
    const struct plan *plan = l->e->p;
    for (uint32_t i = 0; i < l->s->n; i++) {
        uint32_t id = nest_node(l, i);
        const struct node *n = graph_at(l->e->g, id);
        enum loop_role role = nest_role(l, id);
        if (role == ROLE_NARROW) continue;
        for (uint32_t k = 0; k <= n->n; k++) {
            uint32_t x = k < n->n ? n->arg[k] : id;
            if (k == n->n && role == ROLE_FOLD) continue;
            if ((k < n->n && made_here(l, x) >= 0) || plan->view[x].slot == no_slot) continue;
            const int64_t *stride = plan_strides(plan, x);
            if (stride[p] != stride[q] * size) return false;
        }
    }
    return true;
}

void nest_make(const struct loop_of *l) {
    struct nest *nest = &l->e->nest;
    const int64_t *dim = intern_bytes(&l->e->g->shape, l->s->shape);
    int rank = (int)(intern_size(&l->e->g->shape, l->s->shape) / sizeof *dim);
    bool folds = l->s->lines || l->s->rows_too;
    int64_t before = 1;
    *nest = (struct nest){0};
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 1) continue;
        bool first = nest->n == 0,
             edge = folds && before == l->s->rows && !first && nest->rows == 0 && l->s->rows > 1;
        if (edge) nest->rows = nest->n;
        struct axis *last = first ? NULL : &nest->axis[nest->n - 1];
        if (last && !edge && runs_on(l, last->from, i, dim[i])) {
            last->size *= dim[i];
            last->from = i;
        } else nest->axis[nest->n++] = (struct axis){dim[i], i};
        before *= dim[i];
    }
    if (folds && l->s->run == 1) nest->rows = nest->n;
}

/* The number of the row, or of the place in a row, in row-major order. */
static struct expression number_of(struct emitter *e, int first, int end) {
    int64_t dim[CR_MAX_RANK];
    for (int i = first; i < end; i++) dim[i - first] = e->nest.axis[i].size;
    return emit_number(e, end - first, dim, emit_axis + first);
}
struct expression nest_row(struct emitter *e) {
    if (e->group && e->nest.rows != 1) return (struct expression){"at"}; /* nest_open_rows */
    return number_of(e, 0, e->nest.rows);
}
struct expression nest_place(struct emitter *e) {
    return number_of(e, e->nest.rows, e->nest.n);
}

void nest_open(struct emitter *e, int first, int end) {
    for (int i = first; i < end; i++) emit_open_axis(e, i, e->nest.axis[i].size);
}
void nest_close(struct emitter *e, int first, int end) {
    for (int i = first; i < end; i++) emit_close(e);
}

void nest_row_indices(struct emitter *e, const char *type, const char *row) {
    long long behind = 1;
    for (int i = 1; i < e->nest.rows; i++) behind *= e->nest.axis[i].size;
    for (int i = 0; i < e->nest.rows; behind /= ++i < e->nest.rows ? e->nest.axis[i].size : 1) {
        struct cr_text t = text_make(&e->mem);
        text_str(&t, row);
        if (behind > 1) text_add(&t, " / %lld", behind);
        if (i > 0) text_add(&t, " %% %lld", (long long)e->nest.axis[i].size);
        emit_line(e, "const %s %s = %s;", type, emit_axis[i], emit_take(e, &t).s);
    }
}

static bool stops_at_diagonal(const struct loop_of *l) {
    return l->e->group && l->s->bound && l->e->nest.n > l->e->nest.rows;
}

/* Row number `row` of the batch element goes up to the diagonal, or its end. */
static void declare_past(const struct loop_of *l, const char *row, const char *start) {
    struct emitter *e = l->e;
    struct cr_text t = text_make(&e->mem);
    if (strcmp(start, "first_row") == 0) text_add(&t, "%s + 1", row);
    else text_add(&t, "%s - %s + first_row + 1", row, start);
    struct expression past = emit_take(e, &t);
    if (l->s->run >= e->group->rows) emit_line(e, "const long row_past = %s;", past.s);
    else
        emit_line(e, "const long row_past = %s < %lld ? %s : %lld;", past.s, (long long)l->s->run, past.s,
                  (long long)l->s->run);
}

int nest_open_rows(const struct loop_of *l) {
    struct emitter *e = l->e;
    if (!e->group) {
        nest_open(e, 0, e->nest.rows);
        return e->nest.rows;
    }
    const bool one = e->nest.rows == 1;
    const char *row = one ? emit_axis[0] : "at", *start = emit_block_row(e, l->s->way == WAY_SHARED);
    emit_open(e, "for (long %s = %s; %s < %s + row_count; %s++)", row, start, row, start, row);
    if (!one) nest_row_indices(e, "long", row);
    if (stops_at_diagonal(l)) declare_past(l, row, start);
    return 1;
}

void nest_open_line(const struct loop_of *l) {
    struct emitter *e = l->e;
    const char *i = emit_axis[e->nest.rows];
    if (stops_at_diagonal(l)) emit_open(e, "for (long %s = 0; %s < row_past; %s++)", i, i, i);
    else nest_open(e, e->nest.rows, e->nest.n);
}

/* ---- What a later pass computes again ---- */

/* Does it take no longer than to store a number and load it again? */
static bool is_quick(int op) {
    switch (op) {
    case OP_add:
    case OP_sub:
    case OP_mul:
    case OP_neg:
    case OP_square:
    case OP_eq:
    case OP_lt:
    case OP_where: return true;
    default: return false;
    }
}

/* How many instructions give number i again, of what the loop reads and what rows came to; more than `most`: it is stored. */
static int again(const struct loop_of *l, uint32_t i, int most) {
    uint32_t id = nest_node(l, i);
    const struct node *n = graph_at(l->e->g, id);
    int all = 1;
    if (most < 1 || !is_quick(n->op) || l->e->p->view[id].slot != no_slot) return most + 1;
    for (uint32_t k = 0; k < n->n && all <= most; k++) {
        int j = made_here(l, n->arg[k]);
        if (j < 0 || nest_role(l, nest_node(l, (uint32_t)j)) != ROLE_WIDE) continue;
        all += again(l, (uint32_t)j, most - all);
    }
    return all;
}

static bool comes_again(const struct loop_of *l, uint32_t i) {
    enum { most = 2 };
    return nest_role(l, nest_node(l, i)) == ROLE_WIDE && again(l, i, most) <= most;
}

bool nest_in_pass(const struct loop_of *l, uint32_t i, int pass) {
    bool own = nest_pass(l, i) == pass;
    if (nest_pass(l, i) > pass || !comes_again(l, i)) return own;
    for (uint32_t j = i + 1; j < l->s->n; j++) {
        const struct node *n = graph_at(l->e->g, nest_node(l, j));
        for (uint32_t k = 0; k < n->n; k++)
            if (made_here(l, n->arg[k]) == (int)i && nest_in_pass(l, j, pass)) return true;
    }
    return false;
}

/* Has its number a room of a row? */
static bool has_room(const struct loop_of *l, uint32_t i) {
    return plan_crosses(l->e->p, l->s, i) && !comes_again(l, i);
}

/* ---- Operands and results ---- */

void nest_forget(struct loop_of *l) {
    for (uint32_t i = 0; i < l->s->n; i++) {
        const struct node *n = graph_at(l->e->g, nest_node(l, i));
        l->e->local[nest_node(l, i)] = intern_none;
        for (uint32_t k = 0; k < n->n; k++) l->e->local[n->arg[k]] = intern_none;
    }
}

const char *nest_local(struct emitter *e, uint32_t node) { return emit_reserved(e, e->local[node]); }

const char *nest_make_local(struct emitter *e, uint32_t node) {
    struct cr_text t = text_make(&e->mem);
    text_add(&t, "%s_", emit_name(e, node));
    if (e->p->view[node].slot != no_slot) e->local[node] = emit_reserve(e, t.failed ? "x" : t.s);
    else e->local[node] = e->name[node];
    text_drop(&t);
    return nest_local(e, node);
}

/* By the axes of the nest. */
static void write_wide(struct emitter *e, struct cr_text *out, uint32_t node) {
    int64_t stride[CR_MAX_RANK];
    for (int i = 0; i < e->nest.n; i++) stride[i] = plan_strides(e->p, node)[e->nest.axis[i].from];
    emit_element_of(e, out, node, e->nest.n, stride, emit_axis);
}

static bool repeats_along(const struct emitter *e, uint32_t node) {
    return e->nest.n && plan_strides(e->p, node)[e->nest.axis[e->nest.n - 1].from] == 0;
}

bool nest_is_of_row(const struct loop_of *l, uint32_t operand, uint32_t *named) {
    int made = made_here(l, operand);
    *named = made < 0 ? operand : nest_node(l, (uint32_t)made);
    return made < 0 ? repeats_along(l->e, operand) : nest_role(l, *named) != ROLE_WIDE;
}

/* As an operand: lanes beyond the line read nothing. */
static void read_wide(struct emitter *e, struct cr_text *out, uint32_t node) {
    bool guarded = e->within && !repeats_along(e, node);
    if (guarded) text_add(out, "(%s ? ", e->within);
    write_wide(e, out, node);
    if (guarded) text_str(out, " : 0)");
}

void nest_read_repeated(struct loop_of *l, uint32_t i, bool forget) {
    struct emitter *e = l->e;
    const struct node *n = graph_at(e->g, nest_node(l, i));
    for (uint32_t k = 0; k < n->n; k++) {
        uint32_t x = n->arg[k];
        char type[80], name[96];
        if (made_here(l, x) >= 0 || nest_role(l, nest_node(l, i)) == ROLE_NARROW || !repeats_along(e, x))
            continue;
        if (forget || e->local[x] != intern_none) {
            if (forget) e->local[x] = intern_none;
            continue;
        }
        struct cr_text t = text_make(&e->mem);
        write_wide(e, &t, x);
        snprintf(name, sizeof name, "%.80s_all", emit_name(e, e->p->slot[e->p->view[x].slot].node));
        e->local[x] = emit_reserve(e, name);
        if (!t.failed)
            emit_line(e, "const %s %s = %s;", emit_type(e, (cr_dtype)graph_at(e->g, x)->dtype, type),
                      nest_local(e, x), t.s);
        text_drop(&t);
    }
}

/* ---- Comparisons of places ---- */

/* Which axis of a node without gaps an axis of the nest steps along, that has this stride; -1: none. */
static int axis_with(const struct emitter *e, const struct node *n, int64_t stride, int64_t size) {
    const int64_t *dim = graph_dims(e->g, n);
    int64_t have = 1;
    for (int d = graph_rank(e->g, n); d-- > 0; have *= dim[d])
        if (stride == have && dim[d] >= size) return d;
    return -1;
}

/* By axis of node n: the variable that stands for it where a view of n is read. False: none does. */
static bool places_of(const struct emitter *e, uint32_t view, const struct node *n, const char *index[]) {
    const int64_t *stride = plan_strides(e->p, view);
    for (int d = 0; d < graph_rank(e->g, n); d++) index[d] = "0";
    for (int i = 0; i < e->nest.n; i++) {
        const struct axis *a = &e->nest.axis[i];
        int d = axis_with(e, n, stride[a->from], a->size);
        if (stride[a->from] == 0) continue;
        if (d < 0 || *index[d] != '0') return false;
        index[d] = emit_axis[i];
    }
    return e->p->view[view].offset == 0;
}

static bool counts(const struct emitter *e, uint32_t node) {
    uint32_t slot = e->p->view[node].slot;
    return slot != no_slot && graph_at(e->g, e->p->slot[slot].node)->op == OP_iota;
}

/* A mask that an earlier step made of places alone is made again where it is read: bytes would cut vectors of numbers to a part of
 * their length. False: it is none. */
static bool write_places(struct emitter *e, struct cr_text *out, uint32_t operand) {
    uint32_t from = e->p->slot[e->p->view[operand].slot].node;
    const struct node *n = graph_at(e->g, from);
    const char *index[CR_MAX_RANK];
    struct expression x[3] = {{""}};
    if (!e->exact || (n->op != OP_eq && n->op != OP_lt && n->op != OP_le)) return false;
    if (!counts(e, n->arg[0]) || !counts(e, n->arg[1]) || !places_of(e, operand, n, index)) return false;
    for (int k = 0; k < 2; k++) {
        struct cr_text t = text_make(&e->mem);
        emit_element(e, &t, n->arg[k], graph_rank(e->g, n), index);
        x[k] = emit_take(e, &t);
    }
    emit_value(e, out, from, x);
    return true;
}

static void write_read(struct emitter *e, struct cr_text *out, uint32_t operand) {
    if (write_places(e, out, operand)) return;
    if (e->local[operand] != intern_none) text_str(out, nest_local(e, operand)); /* nest_read_repeated */
    else read_wide(e, out, operand);
}

/* ---- Results, and operands by row ---- */

/* Number r of a tensor that has one for each row. */
static void write_narrow(struct emitter *e, struct cr_text *out, uint32_t node) {
    const struct node *n = graph_at(e->g, node);
    struct expression row = nest_row(e);
    const int64_t *dim = graph_dims(e->g, n), *have = plan_strides(e->p, node);
    if (plan_contiguous(e->p, node)) {
        emit_element_of(e, out, node, 1, (int64_t[]){1}, (const char *const[]){row.s});
        return;
    }
    char index[CR_MAX_RANK][600];
    const char *at[CR_MAX_RANK];
    int64_t behind = 1;
    for (int i = graph_rank(e->g, n); i-- > 0; behind *= dim[i]) {
        struct cr_text t = text_make(&e->mem);
        text_add(&t, "(%s) / %lld %% %lld", row.s, (long long)behind, (long long)dim[i]);
        struct expression x = emit_take(e, &t);
        memcpy(index[i], x.s, sizeof x.s);
        at[i] = index[i];
    }
    emit_element_of(e, out, node, graph_rank(e->g, n), have, at);
}

struct expression nest_narrow(struct emitter *e, uint32_t node) {
    struct cr_text t = text_make(&e->mem);
    write_narrow(e, &t, node);
    return emit_take(e, &t);
}

struct expression nest_operand(struct loop_of *l, uint32_t i, uint32_t x) {
    struct emitter *e = l->e;
    struct cr_text t = text_make(&e->mem);
    int j = made_here(l, x);
    uint32_t made = j < 0 ? 0 : nest_node(l, (uint32_t)j);
    bool earlier = j >= 0 && nest_role(l, made) == ROLE_WIDE && !comes_again(l, (uint32_t)j) &&
                   nest_pass(l, (uint32_t)j) < nest_pass(l, i);
    if (j < 0 && nest_role(l, nest_node(l, i)) == ROLE_NARROW) write_narrow(e, &t, x);
    else if (j < 0) write_read(e, &t, x);
    else if (!earlier) text_str(&t, nest_local(e, made));
    else if (e->p->view[made].slot != no_slot) read_wide(e, &t, made);
    else text_add(&t, "%s_row[%s]", emit_name(e, made), nest_place(e).s);
    return emit_take(e, &t);
}

static struct expression value_of(struct loop_of *l, uint32_t i) {
    uint32_t id = nest_node(l, i);
    const struct node *n = graph_at(l->e->g, id);
    struct expression operand[3] = {{""}};
    for (uint32_t k = 0; k < n->n; k++) operand[k] = nest_operand(l, i, n->arg[k]);
    struct cr_text t = text_make(&l->e->mem);
    emit_value(l->e, &t, id, operand);
    return emit_take(l->e, &t);
}

/* const float h_ = ...; h[i] = h_; */
void nest_keep(struct loop_of *l, uint32_t i, const char *value, bool narrow) {
    struct emitter *e = l->e;
    uint32_t id = nest_node(l, i);
    char type[80];
    const char *name = nest_make_local(e, id);
    emit_line(e, "const %s %s = %s;", emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type), name, value);
    struct cr_text t = text_make(&e->mem);
    if (l->streamed[i] && l->streams) text_add(&t, "%s_out[lane]", emit_name(e, id));
    else if (e->p->view[id].slot != no_slot) narrow ? write_narrow(e, &t, id) : write_wide(e, &t, id);
    else if (has_room(l, i)) text_add(&t, "%s_row[%s]", emit_name(e, id), nest_place(e).s);
    bool guarded = e->within && e->p->view[id].slot != no_slot;
    if (t.n && guarded) emit_line(e, "if (%s) %s = %s;", e->within, t.s, name);
    else if (t.n) emit_line(e, "%s = %s;", t.s, name);
    text_drop(&t);
}

void nest_result(struct loop_of *l, uint32_t i, bool narrow) { nest_keep(l, i, value_of(l, i).s, narrow); }

bool nest_folds_lines(const struct loop_of *l, uint32_t id) {
    int64_t rows, run;
    return plan_fold(l->e->g, id, &rows, &run) == FOLD_LINES;
}

/* Lanes that a line does not fill have room too. */
static int64_t whole_lanes(int64_t run) { return pieces(run, fold_lanes) * fold_lanes; }

static int64_t room_numbers(const struct loop_of *l) {
    return l->e->exact ? whole_lanes(l->s->run) : l->s->run;
}

size_t nest_rooms(const struct loop_of *l) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < l->s->n; i++)
        if (has_room(l, i)) bytes += emit_scratch_bytes(room_numbers(l));
    return bytes;
}

void nest_declare_rows(struct loop_of *l) {
    struct emitter *e = l->e;
    for (uint32_t i = 0; i < l->s->n; i++) {
        uint32_t id = nest_node(l, i);
        if (!has_room(l, i)) continue;
        char type[80], name[96];
        snprintf(name, sizeof name, "%.80s_row", emit_name(e, id));
        emit_scratch(e, emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type), name, room_numbers(l));
    }
}
