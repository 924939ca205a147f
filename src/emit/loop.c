/* Steps that go through elements: loops of elementwise nodes and the reductions that end them, reductions by themselves, copies. */
#include <stdio.h>
#include <string.h>

#include "emit/emit.h"
#include "tensor/dtype.h"

const char *const emit_axis[CR_MAX_RANK] = {"i",  "j",  "k",   "l",   "m",   "n",   "i6",  "i7",
                                            "i8", "i9", "i10", "i11", "i12", "i13", "i14", "i15"};

/* ---- Elements of views ---- */

/* "2 + i * 3 + j", or 0. */
static void write_index(struct cr_text *out, int64_t offset, int n, const int64_t stride[],
                        const char *const index[]) {
    size_t before = out->n;
    if (offset) text_add(out, "%lld", (long long)offset);
    for (int i = 0; i < n; i++) {
        if (stride[i] == 0) continue;
        if (out->n > before) text_str(out, stride[i] < 0 ? " - " : " + ");
        else if (stride[i] < 0) text_str(out, "-");
        text_str(out, index[i]);
        int64_t size = stride[i] < 0 ? -stride[i] : stride[i];
        if (size != 1) text_add(out, " * %lld", (long long)size);
    }
    if (out->n == before) text_char(out, '0');
}

/* What the array is called that a node's numbers are in: the first or second result of an op. *offset: from its start. */
static const char *array_of(struct emitter *e, uint32_t node, int64_t *offset) {
    const struct view *v = &e->p->view[node];
    const struct node *from = graph_at(e->g, e->p->slot[v->slot].node);
    int64_t size = (int64_t)cr_dtype_size((cr_dtype)graph_at(e->g, node)->dtype), start = 0;
    if (ops_has_parts(from->op)) start = (int64_t)ops_part_offset(e->g, from, 1, 0);
    if (start == 0 || *offset * size < start) return emit_name(e, e->p->slot[v->slot].node);
    *offset -= start / size;
    return emit_second_name(e, e->p->slot[v->slot].node);
}

static void write_element(struct emitter *e, struct cr_text *out, uint32_t node, int n,
                          const int64_t stride[], const char *const index[]) {
    const struct view *v = &e->p->view[node];
    const struct slot *s = &e->p->slot[v->slot];
    bool one = s->bytes == cr_dtype_size((cr_dtype)graph_at(e->g, s->node)->dtype);
    int64_t offset = v->offset;
    const char *array = array_of(e, node, &offset);
    if (s->kind == SLOT_SOURCE) text_str(out, array);
    else if (s->kind == SLOT_CONST && one && graph_at(e->g, s->node)->op == OP_const)
        emit_literal(e, out, (cr_dtype)graph_at(e->g, s->node)->dtype, s->data, 0);
    else {
        bool counted = graph_at(e->g, s->node)->op == OP_iota; /* element i is i */
        if (counted) text_str(out, "(int64_t)(");
        else text_add(out, "%s[", array);
        write_index(out, offset, n, stride, index);
        text_char(out, counted ? ')' : ']');
    }
}

void emit_element(struct emitter *e, struct cr_text *out, uint32_t node, int rank,
                  const char *const index[]) {
    write_element(e, out, node, rank, plan_strides(e->p, node), index);
}

struct expression emit_take(struct emitter *e, struct cr_text *t) {
    struct expression x = {""};
    if (t->failed) e->status = CR_ENOMEM;
    else if (t->n >= sizeof x.s) emit_refuse(e, "an expression is too long");
    else memcpy(x.s, t->s ? t->s : "", t->n + (t->s != NULL));
    text_drop(t);
    return x;
}

struct expression emit_number(struct emitter *e, int n, const int64_t dim[], const char *const index[]) {
    int64_t stride[CR_MAX_RANK], size = 1;
    struct cr_text t = text_make(&e->mem);
    for (int i = n; i-- > 0; size *= dim[i]) stride[i] = size;
    write_index(&t, 0, n, stride, index);
    return emit_take(e, &t);
}

void emit_open_axis(struct emitter *e, int axis, int64_t size) {
    const char *i = emit_axis[axis];
    emit_open(e, "for (long %s = 0; %s < %lld; %s++)", i, i, (long long)size, i);
}

/* ---- The nest of a loop ---- */

struct loop_of {
    struct emitter *e;
    const struct step *s;
    uint8_t part[128]; /* by node of the step: in which pass over a row it is computed */
    int parts;
};

static uint32_t node_of(const struct loop_of *l, uint32_t i) { return l->e->p->node[l->s->first + i]; }

static int member(const struct loop_of *l, uint32_t node) {
    uint32_t x = plan_real(l->e->g, node);
    for (uint32_t i = 0; i < l->s->n; i++)
        if (node_of(l, i) == x) return (int)i;
    return -1;
}

static enum loop_role role_of(const struct loop_of *l, uint32_t node) {
    return plan_role(l->e->g, l->s, node);
}

/* The node of this step whose numbers an operand is, read where they stand or as a view of them; -1: none. */
static int made_here(const struct loop_of *l, uint32_t operand) {
    int i = member(l, operand);
    if (i >= 0) return i;
    const struct view *v = &l->e->p->view[operand];
    return v->slot == no_slot ? -1 : member(l, l->e->p->slot[v->slot].node);
}

/* Do neighbours p < q among the step's axes run on into each other, for all that is read and written by element? */
static bool runs_on(const struct loop_of *l, int p, int q, int64_t size) {
    const struct plan *plan = l->e->p;
    for (uint32_t i = 0; i < l->s->n; i++) {
        uint32_t id = node_of(l, i);
        const struct node *n = graph_at(l->e->g, id);
        enum loop_role role = role_of(l, id);
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

static void make_nest(const struct loop_of *l) {
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
static struct expression row_number(struct emitter *e) { return number_of(e, 0, e->nest.rows); }
static struct expression place_in_row(struct emitter *e) { return number_of(e, e->nest.rows, e->nest.n); }

static void open_loops(struct emitter *e, int first, int end) {
    for (int i = first; i < end; i++) emit_open_axis(e, i, e->nest.axis[i].size);
}
static void close_loops(struct emitter *e, int first, int end) {
    for (int i = first; i < end; i++) emit_close(e);
}

/* ---- Which pass over a row computes what: one that needs a row's result comes after the pass that made it ---- */

static void find_parts(struct loop_of *l) {
    for (uint32_t i = 0; i < l->s->n; i++) {
        uint32_t id = node_of(l, i);
        const struct node *n = graph_at(l->e->g, id);
        l->part[i] = 0;
        for (uint32_t k = 0; k < n->n; k++) {
            int j = made_here(l, n->arg[k]);
            if (j < 0) continue;
            bool waits = role_of(l, node_of(l, (uint32_t)j)) != ROLE_WIDE && role_of(l, id) != ROLE_NARROW;
            uint8_t part = (uint8_t)(l->part[j] + waits);
            if (part > l->part[i]) l->part[i] = part;
        }
        if (l->part[i] >= l->parts) l->parts = l->part[i] + 1;
    }
}

/* Is its number, which has no place in memory, needed in a later pass? */
static bool needs_row(const struct loop_of *l, uint32_t i) {
    uint32_t id = node_of(l, i);
    if (role_of(l, id) != ROLE_WIDE || l->e->p->view[id].slot != no_slot) return false;
    for (uint32_t j = i + 1; j < l->s->n; j++) {
        const struct node *n = graph_at(l->e->g, node_of(l, j));
        for (uint32_t k = 0; k < n->n; k++)
            if (member(l, n->arg[k]) == (int)i && l->part[j] > l->part[i]) return true;
    }
    return false;
}

/* ---- Operands and results ---- */

static const char *local(struct emitter *e, uint32_t node) {
    return e->local[node] == intern_none ? NULL : intern_bytes(&e->used, e->local[node]);
}

static const char *make_local(struct emitter *e, uint32_t node) {
    struct cr_text t = text_make(&e->mem);
    text_add(&t, "%s_", emit_name(e, node));
    if (e->p->view[node].slot != no_slot) e->local[node] = emit_reserve(e, t.failed ? "x" : t.s);
    else e->local[node] = e->name[node];
    text_drop(&t);
    return local(e, node) ? local(e, node) : "x";
}

/* By the axes of the nest. */
static void write_wide(struct emitter *e, struct cr_text *out, uint32_t node) {
    int64_t stride[CR_MAX_RANK];
    for (int i = 0; i < e->nest.n; i++) stride[i] = plan_strides(e->p, node)[e->nest.axis[i].from];
    write_element(e, out, node, e->nest.n, stride, emit_axis);
}

/* Number r of a tensor that has one for each row. */
static void write_narrow(struct emitter *e, struct cr_text *out, uint32_t node) {
    const struct node *n = graph_at(e->g, node);
    struct expression row = row_number(e);
    const int64_t *dim = graph_dims(e->g, n), *have = plan_strides(e->p, node);
    if (plan_contiguous(e->p, node)) {
        write_element(e, out, node, 1, (int64_t[]){1}, (const char *const[]){row.s});
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
    write_element(e, out, node, graph_rank(e->g, n), have, at);
}

static struct expression operand_of(struct loop_of *l, uint32_t i, uint32_t x) {
    struct emitter *e = l->e;
    struct cr_text t = text_make(&e->mem);
    int j = made_here(l, x);
    uint32_t made = j < 0 ? 0 : node_of(l, (uint32_t)j);
    bool earlier = j >= 0 && role_of(l, made) == ROLE_WIDE && l->part[j] < l->part[i];
    if (j < 0 && role_of(l, node_of(l, i)) == ROLE_NARROW) write_narrow(e, &t, x);
    else if (j < 0) write_wide(e, &t, x);
    else if (!earlier) text_str(&t, local(e, made) ? local(e, made) : "x");
    else if (e->p->view[made].slot != no_slot) write_wide(e, &t, made);
    else text_add(&t, "%s_row[%s]", emit_name(e, made), place_in_row(e).s);
    return emit_take(e, &t);
}

static struct expression value_of(struct loop_of *l, uint32_t i) {
    uint32_t id = node_of(l, i);
    const struct node *n = graph_at(l->e->g, id);
    struct expression operand[3] = {{""}};
    for (uint32_t k = 0; k < n->n; k++) operand[k] = operand_of(l, i, n->arg[k]);
    struct cr_text t = text_make(&l->e->mem);
    emit_value(l->e, &t, id, operand);
    return emit_take(l->e, &t);
}

/* const float h_ = ...; h[i] = h_; */
static void write_result(struct loop_of *l, uint32_t i, bool narrow) {
    struct emitter *e = l->e;
    uint32_t id = node_of(l, i);
    char type[80];
    struct expression value = value_of(l, i);
    const char *name = make_local(e, id);
    emit_line(e, "const %s %s = %s;", emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type), name, value.s);
    struct cr_text t = text_make(&e->mem);
    if (e->p->view[id].slot != no_slot) narrow ? write_narrow(e, &t, id) : write_wide(e, &t, id);
    else if (needs_row(l, i)) text_add(&t, "%s_row[%s]", emit_name(e, id), place_in_row(e).s);
    if (t.n) emit_line(e, "%s = %s;", t.s, name);
    text_drop(&t);
}

/* ---- Folds ---- */

static bool of_lines(const struct loop_of *l, uint32_t id) {
    int64_t rows, run;
    return plan_fold(l->e->g, id, &rows, &run) == FOLD_LINES;
}

static void start_fold(struct loop_of *l, uint32_t id) {
    struct emitter *e = l->e;
    char type[80];
    if (of_lines(l, id))
        emit_line(e, "%s %s = %s;", emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type),
                  make_local(e, id), emit_start(e, id));
    else
        emit_line(e, "for (long i = 0; i < %lld; i++) %s[i] = %s;",
                  (long long)graph_elements(e->g, graph_at(e->g, id)),
                  emit_name(e, e->p->slot[e->p->view[id].slot].node), emit_start(e, id));
}

static void fold(struct loop_of *l, uint32_t i) {
    struct emitter *e = l->e;
    uint32_t id = node_of(l, i);
    struct expression next = operand_of(l, i, graph_at(e->g, id)->arg[0]);
    struct cr_text so_far = text_make(&e->mem), t = text_make(&e->mem);
    if (of_lines(l, id)) text_str(&so_far, local(e, id));
    else text_add(&so_far, "%s[%s]", emit_name(e, e->p->slot[e->p->view[id].slot].node), place_in_row(e).s);
    emit_combine(e, &t, id, so_far.failed ? "" : so_far.s, next.s);
    if (!t.failed && !so_far.failed) emit_line(e, "%s = %s;", so_far.s, t.s);
    text_drop(&so_far);
    text_drop(&t);
}

static void end_fold(struct loop_of *l, uint32_t id) {
    struct emitter *e = l->e;
    if (of_lines(l, id) && e->p->view[id].slot != no_slot)
        emit_line(e, "%s[%s] = %s;", emit_name(e, e->p->slot[e->p->view[id].slot].node), row_number(e).s,
                  local(e, id));
}

/* ---- The whole ---- */

static bool in_part(const struct loop_of *l, uint32_t i, int part) { return l->part[i] == part; }

static void one_part(struct loop_of *l, int part) {
    struct emitter *e = l->e;
    bool along = false;
    for (uint32_t i = 0; i < l->s->n; i++) {
        if (!in_part(l, i, part) || role_of(l, node_of(l, i)) == ROLE_NARROW) continue;
        along = true;
        if (role_of(l, node_of(l, i)) == ROLE_FOLD && of_lines(l, node_of(l, i)))
            start_fold(l, node_of(l, i));
    }
    if (along) open_loops(e, e->nest.rows, e->nest.n);
    for (uint32_t i = 0; i < l->s->n && along; i++) {
        if (!in_part(l, i, part)) continue;
        if (role_of(l, node_of(l, i)) == ROLE_WIDE) write_result(l, i, false);
        else if (role_of(l, node_of(l, i)) == ROLE_FOLD) fold(l, i);
    }
    if (along) close_loops(e, e->nest.rows, e->nest.n);
    for (uint32_t i = 0; i < l->s->n; i++) {
        if (!in_part(l, i, part)) continue;
        if (role_of(l, node_of(l, i)) == ROLE_FOLD) end_fold(l, node_of(l, i));
        else if (role_of(l, node_of(l, i)) == ROLE_NARROW) write_result(l, i, true);
    }
}

void emit_scratch(struct emitter *e, const char *type, const char *name, int64_t n) {
    emit_line(e, "%s *const %s = (%s *)(void *)(row + %zu);", type, name, type, e->rows_now);
    e->rows_now += ((size_t)n * 8 + 64) / 64 * 64;
    if (e->rows_now > e->row_numbers) e->row_numbers = e->rows_now;
}

static void declare_rows(struct loop_of *l) {
    struct emitter *e = l->e;
    for (uint32_t i = 0; i < l->s->n; i++) {
        uint32_t id = node_of(l, i);
        if (!needs_row(l, i)) continue;
        char type[80], name[96];
        snprintf(name, sizeof name, "%.80s_row", emit_name(e, id));
        emit_scratch(e, emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type), name, l->s->run);
    }
}

void emit_loop(struct emitter *e, const struct step *s) {
    struct loop_of l = {.e = e, .s = s};
    if (s->n > sizeof l.part) {
        emit_refuse(e, "a loop is too long");
        return;
    }
    for (uint32_t i = 0; i < s->n; i++) e->local[node_of(&l, i)] = intern_none;
    make_nest(&l);
    find_parts(&l);
    if (!s->lines && !s->rows_too) e->nest.rows = 0;
    declare_rows(&l);
    for (uint32_t i = 0; i < s->n; i++)
        if (role_of(&l, node_of(&l, i)) == ROLE_FOLD && !of_lines(&l, node_of(&l, i)))
            start_fold(&l, node_of(&l, i));
    open_loops(e, 0, e->nest.rows);
    for (int part = 0; part < l.parts; part++) one_part(&l, part);
    close_loops(e, 0, e->nest.rows);
}

/* A nest over all axes of a node. */
static int nest_over(struct emitter *e, uint32_t node) {
    const struct node *n = graph_at(e->g, node);
    int rank = graph_rank(e->g, n);
    e->nest = (struct nest){.n = rank};
    for (int i = 0; i < rank; i++) e->nest.axis[i] = (struct axis){graph_dims(e->g, n)[i], i};
    return rank;
}

void emit_reduce(struct emitter *e, uint32_t node) {
    const struct node *n = graph_at(e->g, node);
    uint32_t x = n->arg[0];
    int rank = nest_over(e, x);
    int64_t stride[CR_MAX_RANK] = {0}, size = 1;
    bool gone[CR_MAX_RANK] = {false};
    for (size_t i = 0; i < graph_attr_count(e->g, n); i++) gone[rank + graph_attr(e->g, n)[i]] = true;
    for (int i = rank; i-- > 0;)
        if (!gone[i]) stride[i] = size, size *= graph_dims(e->g, graph_at(e->g, x))[i];
    const char *name = emit_name(e, e->p->slot[e->p->view[node].slot].node);
    emit_line(e, "for (long i = 0; i < %lld; i++) %s[i] = %s;", (long long)size, name, emit_start(e, node));
    open_loops(e, 0, rank);
    struct cr_text at = text_make(&e->mem), next = text_make(&e->mem), t = text_make(&e->mem);
    text_add(&at, "%s[", name);
    write_index(&at, 0, rank, stride, emit_axis);
    text_char(&at, ']');
    emit_element(e, &next, x, rank, emit_axis);
    emit_combine(e, &t, node, at.failed ? "" : at.s, next.failed ? "" : next.s);
    if (!at.failed && !t.failed) emit_line(e, "%s = %s;", at.s, t.s);
    text_drop(&at);
    text_drop(&next);
    text_drop(&t);
    close_loops(e, 0, rank);
}

/* A reshape whose operand does not run on: its elements in row-major order, into a place of their own. */
void emit_copy(struct emitter *e, uint32_t node) {
    uint32_t x = graph_at(e->g, node)->arg[0];
    int rank = nest_over(e, x);
    int64_t stride[CR_MAX_RANK], size = 1;
    for (int i = rank; i-- > 0; size *= e->nest.axis[i].size) stride[i] = size;
    struct cr_text to = text_make(&e->mem), from = text_make(&e->mem);
    open_loops(e, 0, rank);
    text_add(&to, "%s[", emit_name(e, e->p->slot[e->p->view[node].slot].node));
    write_index(&to, 0, rank, stride, emit_axis);
    emit_element(e, &from, x, rank, emit_axis);
    if (!to.failed && !from.failed) emit_line(e, "%s] = %s;", to.s, from.s);
    text_drop(&to);
    text_drop(&from);
    close_loops(e, 0, rank);
}
