/* Groups: what lies beyond a causal mask's diagonal is left out. */
#include "plan/group.h"

enum { short_row = 512 /* numbers: the built-in way computes several such rows at once, to their ends */ };

/* ---- Products ---- */

/* The slot's node, where the view shows it as it is. */
static uint32_t shown(const struct finder *f, uint32_t id, bool across) {
    const struct view *v = &f->p->view[id];
    uint32_t from = f->p->slot[v->slot].node;
    const struct node *n = node_at(f, id), *m = node_at(f, from);
    int rank = graph_rank(f->p->g, n);
    const int64_t *stride = plan_strides(f->p, id), *have = plan_strides(f->p, from);
    if (v->offset || graph_rank(f->p->g, m) != rank) return 0;
    for (int i = 0; i < rank; i++) {
        int at = across && i >= rank - 2 ? 2 * rank - 3 - i : i;
        int64_t size = graph_dims(f->p->g, n)[i];
        if (size != graph_dims(f->p->g, m)[at] || (size > 1 && stride[i] != have[at])) return 0;
    }
    return from;
}

static bool is_zero_beyond(const struct finder *f, uint32_t id, bool across) {
    return f->mark[shown(f, id, across)] & BEYOND_ZERO;
}

static enum group_bound bound_of(const struct finder *f, uint32_t s) {
    const struct node *n = step_node(f, s);
    if (f->p->step[s].way == WAY_SUMS)
        return is_zero_beyond(f, n->arg[0], true)    ? BOUND_ROWS
               : is_zero_beyond(f, n->arg[1], false) ? BOUND_COLUMNS
                                                     : BOUND_NONE;
    if (is_zero_beyond(f, n->arg[0], false)) return BOUND_TERMS;
    return f->mark[f->p->node[f->p->step[s].first]] & BEYOND_FREE ? BOUND_COLUMNS : BOUND_NONE;
}

/* ---- Loops ---- */

/* Does step t look at no column of this slot beyond the diagonal, or just behind it? */
static bool stops_reading(const struct finder *f, uint32_t t, uint32_t slot) {
    const struct step *step = &f->p->step[t];
    for (uint32_t i = 0; i < step->n; i++) {
        const struct node *n = node_at(f, f->p->node[step->first + i]);
        for (uint32_t k = 0; k < n->n; k++) {
            if (f->p->view[graph_args(f->p->g, n)[k]].slot != slot) continue;
            bool product = step->kind == STEP_KERNEL,
                 left = step->bound == BOUND_TERMS || step->bound == BOUND_ROWS,
                 right = step->way == WAY_SUMS && step->bound == BOUND_COLUMNS;
            if (product ? !(k == 0 ? left : right) : step->bound == BOUND_NONE) return false;
        }
    }
    return true;
}

static bool all_stop_reading(const struct finder *f, uint32_t s, uint32_t slot) {
    for (uint32_t t = s + 1; t <= f->last && t <= f->last_read[slot]; t++)
        if (!stops_reading(f, t, slot)) return false;
    return true;
}

/* Would its results be the same, and what it stores be all that is read, if each row ended behind the diagonal? */
static bool loop_may_stop(const struct finder *f, uint32_t s) {
    const struct step *loop = &f->p->step[s];
    const int64_t *dim = intern_bytes(&f->p->g->shape, loop->shape);
    int rank = (int)(intern_size(&f->p->g->shape, loop->shape) / sizeof *dim);
    if (rank < 2 || dim[rank - 1] != loop->run || dim[rank - 2] != f->g.rows) return false;
    if (loop->run <= short_row && !f->wish->compiled) return false;
    if (loop->run > fold_block) return false; /* a line of several blocks goes to its end */
    for (uint32_t i = 0; i < loop->n; i++) {
        uint32_t id = f->p->node[loop->first + i], slot = f->p->view[id].slot;
        const struct node *n = node_at(f, id);
        enum loop_role role = plan_role(f->p->g, loop, id);
        if (role == ROLE_FOLD && !(n->op == OP_sum && f->mark[n->arg[0]] & BEYOND_ZERO) &&
            !(n->op == OP_max && f->mark[n->arg[0]] & BEYOND_LEAST))
            return false;
        if (role == ROLE_WIDE && slot != no_slot &&
            (f->p->slot[slot].kind != SLOT_BLOCK || !all_stop_reading(f, s, slot)))
            return false;
    }
    return true;
}

/* From the last step back, since what one stores depends on who reads it. */
void group_find_bounds(struct finder *f) {
    for (uint32_t s = f->last + 1; s-- > f->first;) {
        struct step *step = &f->p->step[s];
        if (f->at[s] < MEMBER) continue;
        if (step->kind == STEP_LOOP) {
            if (loop_may_stop(f, s)) step->bound = BOUND_COLUMNS;
            continue;
        }
        uint32_t slot = f->p->view[f->p->node[step->first]].slot;
        step->bound = bound_of(f, s);
        step->filled = f->p->slot[slot].kind != SLOT_BLOCK || !all_stop_reading(f, s, slot);
    }
}
