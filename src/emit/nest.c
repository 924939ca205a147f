/* The nest of loops of a step: its axes, its passes over a row, what its instructions read and give. */
#include "emit/nest.h"

#include <stdio.h>
#include <string.h>

/* ---- The nest of a loop ---- */

static int member(const struct loop_of *l, uint32_t node) {
    uint32_t x = plan_real(l->e->g, node);
    for (uint32_t i = 0; i < l->s->n; i++)
        if (nest_node(l, i) == x) return (int)i;
    return -1;
}

enum loop_role nest_role(const struct loop_of *l, uint32_t node) { return plan_role(l->e->g, l->s, node); }

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

/* ---- Which pass over a row computes what: one that needs a row's result comes after the pass that made it ---- */

void nest_parts(struct loop_of *l) {
    for (uint32_t i = 0; i < l->s->n; i++) {
        uint32_t id = nest_node(l, i);
        const struct node *n = graph_at(l->e->g, id);
        l->part[i] = 0;
        for (uint32_t k = 0; k < n->n; k++) {
            int j = made_here(l, n->arg[k]);
            if (j < 0) continue;
            bool waits =
                nest_role(l, nest_node(l, (uint32_t)j)) != ROLE_WIDE && nest_role(l, id) != ROLE_NARROW;
            uint8_t part = (uint8_t)(l->part[j] + waits);
            if (part > l->part[i]) l->part[i] = part;
        }
        if (l->part[i] >= l->parts) l->parts = l->part[i] + 1;
    }
}

/* Is its number, which has no place in memory, needed in a later pass? */
static bool needs_row(const struct loop_of *l, uint32_t i) {
    uint32_t id = nest_node(l, i);
    if (nest_role(l, id) != ROLE_WIDE || l->e->p->view[id].slot != no_slot) return false;
    for (uint32_t j = i + 1; j < l->s->n; j++) {
        const struct node *n = graph_at(l->e->g, nest_node(l, j));
        for (uint32_t k = 0; k < n->n; k++)
            if (member(l, n->arg[k]) == (int)i && l->part[j] > l->part[i]) return true;
    }
    return false;
}

/* ---- Operands and results ---- */

const char *nest_local(struct emitter *e, uint32_t node) {
    return e->local[node] == intern_none ? "x"
                                         : intern_bytes(&e->used, e->local[node]); /* x: out of memory */
}

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

struct expression nest_operand(struct loop_of *l, uint32_t i, uint32_t x) {
    struct emitter *e = l->e;
    struct cr_text t = text_make(&e->mem);
    int j = made_here(l, x);
    uint32_t made = j < 0 ? 0 : nest_node(l, (uint32_t)j);
    bool earlier = j >= 0 && nest_role(l, made) == ROLE_WIDE && l->part[j] < l->part[i];
    if (j < 0 && nest_role(l, nest_node(l, i)) == ROLE_NARROW) write_narrow(e, &t, x);
    else if (j < 0) write_wide(e, &t, x);
    else if (!earlier) text_str(&t, nest_local(e, made));
    else if (e->p->view[made].slot != no_slot) write_wide(e, &t, made);
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
void nest_result(struct loop_of *l, uint32_t i, bool narrow) {
    struct emitter *e = l->e;
    uint32_t id = nest_node(l, i);
    char type[80];
    struct expression value = value_of(l, i);
    const char *name = nest_make_local(e, id);
    emit_line(e, "const %s %s = %s;", emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type), name, value.s);
    struct cr_text t = text_make(&e->mem);
    if (e->p->view[id].slot != no_slot) narrow ? write_narrow(e, &t, id) : write_wide(e, &t, id);
    else if (needs_row(l, i)) text_add(&t, "%s_row[%s]", emit_name(e, id), nest_place(e).s);
    if (t.n) emit_line(e, "%s = %s;", t.s, name);
    text_drop(&t);
}

bool nest_folds_lines(const struct loop_of *l, uint32_t id) {
    int64_t rows, run;
    return plan_fold(l->e->g, id, &rows, &run) == FOLD_LINES;
}

void nest_declare_rows(struct loop_of *l) {
    struct emitter *e = l->e;
    for (uint32_t i = 0; i < l->s->n; i++) {
        uint32_t id = nest_node(l, i);
        if (!needs_row(l, i)) continue;
        char type[80], name[96];
        snprintf(name, sizeof name, "%.80s_row", emit_name(e, id));
        emit_scratch(e, emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type), name, l->s->run);
    }
}
