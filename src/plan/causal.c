/* Which numbers right of a diagonal are zeros or are not wanted: what is left of a causal mask, from where it is compared to
 * where it has become an exact 0. Known from the graph alone, so attention needs no op of its own. */
#include "plan/plan.h"

#include <math.h>
#include <string.h>

struct marker {
    const struct plan *p;
    uint8_t *mark;
};

/* ---- What a node shows ---- */

/* Element (i, j) of the last two axes is number i*row + j*column of the slot, whatever the axes before. */
static bool shows(const struct plan *p, uint32_t id, int64_t row, int64_t column) {
    const struct node *n = graph_at(p->g, id);
    int rank = graph_rank(p->g, n);
    const int64_t *dim = graph_dims(p->g, n), *stride = plan_strides(p, id);
    for (int i = 0; i < rank - 2; i++)
        if (dim[i] != 1 && stride[i] != 0) return false;
    return rank >= 2 && p->view[id].offset == 0 && (dim[rank - 2] == 1 || stride[rank - 2] == row) &&
           (dim[rank - 1] == 1 || stride[rank - 1] == column);
}

/* 0, 1, 2 .. down the rows, or along them. */
static bool counts(const struct plan *p, uint32_t id, bool rows) {
    uint32_t slot = p->view[id].slot;
    return slot != no_slot && graph_at(p->g, p->slot[slot].node)->op == OP_iota && shows(p, id, rows, !rows);
}

/* One number, in every place. */
static bool is_number(const struct plan *p, uint32_t id, double *value) {
    uint32_t slot = p->view[id].slot;
    const struct node *n = graph_at(p->g, id);
    if (slot == no_slot || p->slot[slot].kind != SLOT_CONST || !p->slot[slot].data) return false;
    for (int i = 0; i < graph_rank(p->g, n); i++)
        if (graph_dims(p->g, n)[i] != 1 && plan_strides(p, id)[i] != 0) return false;
    if (n->dtype == CR_F32) *value = ((const float *)p->slot[slot].data)[p->view[id].offset];
    else if (n->dtype == CR_F64) *value = ((const double *)p->slot[slot].data)[p->view[id].offset];
    else return false;
    return true;
}

static bool is_this(const struct plan *p, uint32_t id, double value) {
    double x;
    return is_number(p, id, &x) && x == value;
}

/* ---- From operands to results ---- */

/* |x| < inf */
static bool tells_finite(const struct plan *p, uint32_t condition, uint32_t x) {
    const struct node *c = graph_at(p->g, condition);
    if (c->op != OP_lt || !is_this(p, c->arg[1], (double)INFINITY)) return false;
    const struct node *size = graph_at(p->g, c->arg[0]);
    return size->op == OP_abs && size->arg[0] == x;
}

static uint8_t of_choice(const struct marker *m, const struct node *n) {
    const uint8_t *mark = m->mark;
    double other;
    bool number = is_number(m->p, n->arg[2], &other);
    uint8_t to = number && isfinite(other) && tells_finite(m->p, n->arg[0], n->arg[1]) ? ALL_FINITE : 0;
    bool zero = mark[n->arg[2]] & BEYOND_ZERO || (number && other == 0);
    if (mark[n->arg[0]] & BEYOND_UNSEEN) {
        if (zero) to |= BEYOND_ZERO;
        if (number && other == -(double)INFINITY) to |= BEYOND_LEAST;
    } else if (zero && mark[n->arg[1]] & BEYOND_ZERO) to |= BEYOND_ZERO;
    return to;
}

/* A view that repeats a matrix for other axes, or a vector for others than its own, keeps what is known. */
static uint8_t of_view(const struct marker *m, uint32_t id) {
    const struct plan *p = m->p;
    if (p->view[id].slot == no_slot) return 0;
    uint32_t from = p->slot[p->view[id].slot].node;
    if (from == id) return 0;
    const struct node *n = graph_at(p->g, from);
    int rank = graph_rank(p->g, n), last = graph_rank(p->g, graph_at(p->g, id)) - 1;
    uint8_t to = m->mark[from] & ALL_FINITE;
    bool matrix = rank == 2 && last > 0 && shows(p, id, graph_dims(p->g, n)[1], 1);
    if (matrix && graph_dims(p->g, graph_at(p->g, id))[last] == graph_dims(p->g, n)[1])
        to |= m->mark[from] & (BEYOND_UNSEEN | BEYOND_ZERO | BEYOND_LEAST);
    return to;
}

/* -inf times a number above 0 is -inf. */
static uint8_t of_product(const struct marker *m, const struct node *n) {
    const uint8_t *mark = m->mark;
    uint8_t to = (mark[n->arg[0]] | mark[n->arg[1]]) & BEYOND_ZERO;
    for (int k = 0; k < 2; k++) {
        double other;
        if (mark[n->arg[k]] & BEYOND_LEAST && is_number(m->p, n->arg[!k], &other) && other > 0)
            to |= BEYOND_LEAST;
    }
    return to;
}

/* A zero times what stands beside it is 0: of an infinity it would be nan (docs/design.md). */
static uint8_t of_node(const struct marker *m, uint32_t id) {
    const struct node *n = graph_at(m->p->g, id);
    const uint8_t *mark = m->mark;
    switch (n->op) {
    case OP_le: return counts(m->p, n->arg[0], false) && counts(m->p, n->arg[1], true) ? BEYOND_UNSEEN : 0;
    case OP_where: return of_choice(m, n);
    case OP_sub:
    case OP_add: return mark[n->arg[1]] & ALL_FINITE ? mark[n->arg[0]] & BEYOND_LEAST : 0;
    case OP_exp: return mark[n->arg[0]] & BEYOND_LEAST ? BEYOND_ZERO : 0;
    case OP_mul: return of_product(m, n);
    case OP_neg: return mark[n->arg[0]] & BEYOND_ZERO;
    default: return op_kind(n->op) == KIND_VIEW || op_kind(n->op) == KIND_ALIAS ? of_view(m, id) : 0;
    }
}

/* ---- From results to operands ---- */

/* Does reader n leave out, or let others leave out, what operand k has beyond the diagonal? */
static bool leaves_out(const struct marker *m, uint32_t reader, uint32_t k) {
    const struct node *n = graph_at(m->p->g, reader);
    if (!plan_elementwise(n->op) || n->shape != graph_at(m->p->g, n->arg[k])->shape) return false;
    if (m->mark[reader] & BEYOND_FREE) return true;
    if (n->op == OP_where) return k == 1 && m->mark[n->arg[0]] & BEYOND_UNSEEN;
    return n->op == OP_mul && n->arg[0] != n->arg[1] && m->mark[n->arg[!k]] & BEYOND_ZERO;
}

void plan_mark_causal(const struct plan *p, const struct plan_wish *wish, uint8_t *mark) {
    struct marker m = {p, mark};
    bool any = false;
    memset(mark, 0, p->g->count);
    for (uint32_t id = 1; id < p->g->count; id++) any = (mark[id] = of_node(&m, id)) & BEYOND_UNSEEN || any;
    if (!any) return;
    for (uint32_t id = 1; id < p->g->count; id++)
        if (graph_rank(p->g, graph_at(p->g, id)) >= 2) mark[id] |= BEYOND_FREE;
    for (size_t i = 0; i < wish->outputs; i++) mark[wish->output[i]] &= (uint8_t)~BEYOND_FREE;
    for (size_t i = 0; i < wish->updates; i++) mark[wish->update[i].value] &= (uint8_t)~BEYOND_FREE;
    for (uint32_t id = p->g->count; id-- > 1;) {
        const struct node *n = graph_at(p->g, id);
        for (uint32_t k = 0; k < n->n; k++)
            if (!leaves_out(&m, id, k)) mark[graph_args(p->g, n)[k]] &= (uint8_t)~BEYOND_FREE;
    }
}
