/* Steps that go through elements, sums one after the other: loops of elementwise nodes and the reductions that end them, reductions by
 * themselves, copies. */
#include "emit/nest.h"

/* ---- Folds ---- */

static void declare_start(struct emitter *e, uint32_t id, const char *name) {
    char type[80];
    emit_line(e, "%s %s = %s;", emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type), name,
              emit_start(e, id));
}

static void start_fold(struct loop_of *l, uint32_t id) {
    struct emitter *e = l->e;
    if (nest_folds_lines(l, id)) declare_start(e, id, nest_make_local(e, id));
    else
        emit_line(e, "for (long i = 0; i < %lld; i++) %s[i] = %s;",
                  (long long)graph_elements(e->g, graph_at(e->g, id)),
                  emit_name(e, e->p->slot[e->p->view[id].slot].node), emit_start(e, id));
}

static void fold(struct loop_of *l, uint32_t i) {
    struct emitter *e = l->e;
    uint32_t id = nest_node(l, i);
    struct expression next = nest_operand(l, i, graph_at(e->g, id)->arg[0]);
    struct cr_text so_far = text_make(&e->mem), t = text_make(&e->mem);
    if (nest_folds_lines(l, id)) text_str(&so_far, nest_local(e, id));
    else text_add(&so_far, "%s[%s]", emit_name(e, e->p->slot[e->p->view[id].slot].node), nest_place(e).s);
    emit_combine(e, &t, id, so_far.failed ? "" : so_far.s, next.s);
    if (!t.failed && !so_far.failed) emit_line(e, "%s = %s;", so_far.s, t.s);
    text_drop(&so_far);
    text_drop(&t);
}

static void end_fold(struct loop_of *l, uint32_t id) {
    struct emitter *e = l->e;
    if (nest_folds_lines(l, id) && e->p->view[id].slot != no_slot)
        emit_line(e, "%s = %s;", nest_narrow(e, id).s, nest_local(e, id));
}

/* ---- Lines of several axes ---- */

/* The innermost axis has a number of its own, which joins the whole's: gcc 12 at -O3 makes another sum of one over several axes, the last of which is short and
 * read backwards. */

static bool folds_line(const struct loop_of *l, uint32_t i, int pass) {
    uint32_t id = nest_node(l, i);
    return nest_pass(l, i) == pass && nest_role(l, id) == ROLE_FOLD && nest_folds_lines(l, id);
}

static bool has_inner(const struct loop_of *l, int pass) {
    bool some = false;
    for (uint32_t i = 0; i < l->s->n; i++) some = some || folds_line(l, i, pass);
    return some && l->s->way == WAY_WHOLE && l->e->nest.n - l->e->nest.rows > 1;
}

static void start_inner(struct loop_of *l, int pass, uint32_t whole[loop_most]) {
    struct emitter *e = l->e;
    for (uint32_t i = 0; i < l->s->n; i++) {
        if (!folds_line(l, i, pass)) continue;
        uint32_t id = nest_node(l, i);
        whole[i] = e->local[id];
        e->local[id] = emit_reserve(e, "line");
        declare_start(e, id, nest_local(e, id));
    }
}

static void end_inner(struct loop_of *l, int pass, const uint32_t whole[loop_most]) {
    struct emitter *e = l->e;
    for (uint32_t i = 0; i < l->s->n; i++) {
        if (!folds_line(l, i, pass)) continue;
        uint32_t id = nest_node(l, i), inner = e->local[id];
        struct cr_text t = text_make(&e->mem);
        e->local[id] = whole[i];
        emit_combine(e, &t, id, nest_local(e, id), emit_reserved(e, inner));
        if (!t.failed) emit_line(e, "%s = %s;", nest_local(e, id), t.s);
        text_drop(&t);
    }
}

/* ---- The whole ---- */

static void one_pass(struct loop_of *l, int pass) {
    struct emitter *e = l->e;
    bool along = false;
    for (uint32_t i = 0; i < l->s->n; i++) {
        if (nest_pass(l, i) != pass || nest_role(l, nest_node(l, i)) == ROLE_NARROW) continue;
        along = true;
        if (nest_role(l, nest_node(l, i)) == ROLE_FOLD && nest_folds_lines(l, nest_node(l, i)))
            start_fold(l, nest_node(l, i));
    }
    const int rows = e->nest.rows, last = e->nest.n - 1;
    uint32_t whole[loop_most];
    const bool inner = has_inner(l, pass);
    if (inner) {
        nest_open(e, rows, last);
        start_inner(l, pass, whole);
        nest_open(e, last, e->nest.n);
    } else if (along) nest_open_line(l);
    for (uint32_t i = 0; i < l->s->n && along; i++) {
        if (!nest_in_pass(l, i, pass)) continue;
        if (nest_role(l, nest_node(l, i)) == ROLE_WIDE) nest_result(l, i, false);
        else if (nest_role(l, nest_node(l, i)) == ROLE_FOLD) fold(l, i);
    }
    if (inner) {
        nest_close(e, last, e->nest.n);
        end_inner(l, pass, whole);
        nest_close(e, rows, last);
    } else if (along) nest_close(e, rows, e->nest.n);
    for (uint32_t i = 0; i < l->s->n; i++) {
        if (nest_pass(l, i) != pass) continue;
        if (nest_role(l, nest_node(l, i)) == ROLE_FOLD) end_fold(l, nest_node(l, i));
        else if (nest_role(l, nest_node(l, i)) == ROLE_NARROW) nest_result(l, i, true);
    }
}

void emit_start_sums(struct emitter *e, const struct step *s) {
    struct loop_of l = {.e = e, .s = s};
    for (uint32_t i = 0; i < s->n; i++)
        if (nest_role(&l, nest_node(&l, i)) == ROLE_FOLD && !nest_folds_lines(&l, nest_node(&l, i)))
            start_fold(&l, nest_node(&l, i));
}

void emit_loop(struct emitter *e, const struct step *s) {
    struct loop_of l = {.e = e, .s = s};
    nest_forget(&l);
    nest_make(&l);
    if (!s->lines && !s->rows_too) e->nest.rows = 0;
    nest_declare_rows(&l);
    if (s->way == WAY_WHOLE) emit_start_sums(e, s);
    const int opened = nest_open_rows(&l);
    for (int pass = 0; pass < plan_passes(e->p, s); pass++) one_pass(&l, pass);
    nest_close(e, 0, opened);
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
    const bool inner = rank > 1 && gone[rank - 1]; /* as above */
    nest_open(e, 0, inner ? rank - 1 : rank);
    struct cr_text at = text_make(&e->mem), next = text_make(&e->mem), t = text_make(&e->mem),
                   all = text_make(&e->mem);
    if (inner) {
        declare_start(e, node, "line");
        nest_open(e, rank - 1, rank);
    }
    text_add(&at, "%s[", name);
    emit_index(&at, 0, rank, stride, emit_axis);
    text_char(&at, ']');
    emit_element(e, &next, x, rank, emit_axis);
    emit_combine(e, &t, node, inner ? "line" : at.failed ? "" : at.s, next.failed ? "" : next.s);
    if (!at.failed && !t.failed) emit_line(e, "%s = %s;", inner ? "line" : at.s, t.s);
    if (inner) {
        nest_close(e, rank - 1, rank);
        emit_combine(e, &all, node, at.failed ? "" : at.s, "line");
        if (!at.failed && !all.failed) emit_line(e, "%s = %s;", at.s, all.s);
    }
    text_drop(&at);
    text_drop(&next);
    text_drop(&t);
    text_drop(&all);
    nest_close(e, 0, inner ? rank - 1 : rank);
}

/* A reshape whose operand does not run on: its elements in row-major order, into a place of their own. */
void emit_copy(struct emitter *e, uint32_t node) {
    uint32_t x = graph_at(e->g, node)->arg[0];
    int rank = nest_over(e, x);
    int64_t stride[CR_MAX_RANK], size = 1;
    for (int i = rank; i-- > 0; size *= e->nest.axis[i].size) stride[i] = size;
    struct cr_text to = text_make(&e->mem), from = text_make(&e->mem);
    nest_open(e, 0, rank);
    text_add(&to, "%s[", emit_name(e, e->p->slot[e->p->view[node].slot].node));
    emit_index(&to, 0, rank, stride, emit_axis);
    emit_element(e, &from, x, rank, emit_axis);
    if (!to.failed && !from.failed) emit_line(e, "%s] = %s;", to.s, from.s);
    text_drop(&to);
    text_drop(&from);
    nest_close(e, 0, rank);
}
