/* Values that are only made to be joined are made where the joined one has them. */
#include "plan/join.h"

#include <string.h>

bool join_is_short(int64_t n) {
    enum { lanes = 16, most = 64 };
    return n <= most && n % lanes != 0;
}

/* Does it write each number of its results where it stands, once? */
static bool writes_all(const struct plan *p, const struct step *s, uint32_t maker) {
    int op = graph_at(p->g, maker)->op;
    if (s->kind == STEP_KERNEL) return op == OP_matmul;
    return s->kind == STEP_LOOP && plan_elementwise(op) && plan_role(p->g, s, maker) == ROLE_WIDE;
}

bool join_can_move(const struct joiner *j, uint32_t slot) {
    const struct plan *p = j->p;
    if (!join_is_work(p, slot) || j->kept[slot] || j->to[slot].slot != no_slot) return false;
    uint32_t maker = p->slot[slot].node, step = p->step_of[maker];
    const struct step *s = step == no_slot ? NULL : &p->step[j->now[step]];
    return s && s->way == WAY_WHOLE && !s->tail && writes_all(p, s, maker) &&
           !join_is_short(graph_elements(p->g, graph_at(p->g, maker)));
}

/* Is it all of a slot that can move? */
static bool is_all(const struct joiner *j, uint32_t id) {
    const struct plan *p = j->p;
    const struct view *v = &p->view[id];
    return join_can_move(j, v->slot) && v->offset == 0 && plan_contiguous(p, id) &&
           plan_node_bytes(p->g, id) == p->slot[v->slot].bytes;
}

/* Operands one behind the other. */
static bool is_stack(const struct joiner *j, uint32_t id) {
    const struct plan *p = j->p;
    const struct node *n = graph_at(p->g, id);
    int axes = n->op == OP_concat ? graph_rank(p->g, n) + (int)graph_attr(p->g, n)[0] : -1;
    return axes >= 0 && shape_count(axes, graph_dims(p->g, n)) == 1 && join_is_work(p, p->view[id].slot) &&
           j->to[p->view[id].slot].slot == no_slot;
}

/* True: nothing is left to copy; last: the step that makes the last operand. */
static bool join(struct joiner *j, uint32_t id, uint32_t *last) {
    const struct plan *p = j->p;
    const struct node *n = graph_at(p->g, id);
    int64_t at = 0;
    bool all = true, any = false;
    *last = 0;
    for (uint32_t k = 0; k < n->n; k++) {
        uint32_t x = graph_args(p->g, n)[k], slot = p->view[x].slot;
        int64_t count = graph_elements(p->g, graph_at(p->g, x));
        if (count && is_all(j, x)) {
            j->to[slot] = (struct view){.slot = p->view[id].slot, .offset = at};
            uint32_t step = p->step_of[p->slot[slot].node];
            if (step > *last) *last = step;
            any = true;
        } else all = all && count == 0;
        at += count;
    }
    return all && any;
}

int64_t plan_place_of(const cr_graph *g, const struct node *n, uint32_t k) {
    const int rank = graph_rank(g, n);
    const int64_t *dim = graph_dims(g, n), *attr = graph_attr(g, n);
    int64_t at = 0, each = 1;
    for (uint32_t i = 0; n->op == OP_concat && i < k; i++)
        at += graph_elements(g, graph_at(g, graph_args(g, n)[i]));
    for (int i = rank; n->op == OP_unslice && i-- > 0; each *= dim[i]) at += attr[2 * (rank - 1 - i)] * each;
    return at;
}

/* What is joined twice is copied once: it stands in the joined one, but elsewhere. */
bool plan_joined(const struct plan *p, uint32_t id, uint32_t k) {
    const struct node *n = graph_at(p->g, id);
    if (n->op != OP_concat && n->op != OP_unslice) return false;
    uint32_t x = graph_args(p->g, n)[k];
    const struct view *v = &p->view[x], *to = &p->view[id];
    return v->slot == to->slot && plan_contiguous(p, x) &&
           v->offset == to->offset + plan_place_of(p->g, n, k);
}

/* A step that is gone has the number of the one that took its place. */
static void renumber(struct plan *p, const uint32_t now[]) {
    for (uint32_t id = 1; id < p->g->count; id++)
        if (p->step_of[id] != no_slot) p->step_of[id] = now[p->step_of[id]];
    for (size_t i = 0; i < p->groups; i++) p->group[i].first = now[p->group[i].first];
}

static void move_views(const struct joiner *j) {
    struct plan *p = j->p;
    for (uint32_t id = 1; id < p->g->count; id++) {
        struct view *v = &p->view[id];
        if (v->slot == no_slot || j->to[v->slot].slot == no_slot) continue;
        v->offset += j->to[v->slot].offset;
        v->slot = j->to[v->slot].slot;
    }
}

static void join_all(struct joiner *j) {
    struct plan *p = j->p;
    uint32_t kept = 0, last, *now = j->now;
    for (uint32_t s = 0; s < p->steps; s++) {
        uint32_t id = p->node[p->step[s].first];
        if (p->step[s].kind == STEP_KERNEL && !p->step[s].tail && is_stack(j, id) && join(j, id, &last)) {
            now[s] = now[last];
            continue;
        }
        now[s] = kept;
        p->step[kept++] = p->step[s];
    }
    if (kept < p->steps) renumber(p, now);
    p->steps = kept;
    move_views(j);
}

static void keep(struct joiner *j, uint32_t id) {
    if (j->p->view[id].slot != no_slot) j->kept[j->p->view[id].slot] = true;
}

cr_status plan_join(struct plan *p, const struct plan_wish *wish) {
    struct joiner j = {.p = p};
    const size_t steps = p->steps;
    if (wish->keep || !wish->fuse) return CR_OK;
    j.to = mem_alloc(&p->mem, mem_mul(p->slots, sizeof *j.to));
    j.kept = mem_zero(&p->mem, p->slots + 1);
    j.now = mem_alloc(&p->mem, mem_mul(steps, sizeof *j.now));
    for (uint32_t s = 0; j.now && s < steps; s++) j.now[s] = s;
    for (size_t i = 0; j.to && i < p->slots; i++) j.to[i] = (struct view){.slot = no_slot};
    for (size_t i = 0; j.kept && i < wish->outputs; i++) keep(&j, wish->output[i]);
    for (size_t i = 0; j.kept && i < p->updates; i++) keep(&j, p->update[i].value);
    bool ok = j.to && j.kept && j.now;
    ok = ok && join_margins(&j);
    if (ok) join_all(&j);
    mem_free(&p->mem, j.to, p->slots * sizeof *j.to);
    mem_free(&p->mem, j.kept, p->slots + 1);
    mem_free(&p->mem, j.now, steps * sizeof *j.now);
    return ok ? CR_OK : CR_ENOMEM;
}
