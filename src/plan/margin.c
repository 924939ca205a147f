/* Values that are another one moved along it, with something before or behind: y[:-1] behind one more number, what a slice leaves
 * of a gradient between zeros. They stand where the other one does, in a slot with margins: only those are written, nothing is
 * copied. */
#include "plan/join.h"

#include "tensor/dtype.h"

enum { line = 64 };

/* Of a slot, on one side. What a concat puts there is its own; zeros serve all that want them. */
enum use { UNUSED, ZEROS, OWN };
struct margin {
    enum use use;
    int64_t n; /* numbers */
};

struct margins {
    struct joiner *j;
    struct margin (*side)[2]; /* by slot: before, behind */
};

static int64_t count_of(const struct plan *p, uint32_t id) {
    return graph_elements(p->g, graph_at(p->g, id));
}

/* Does operand k lie in the result in one run? */
static bool runs_on(const cr_graph *g, const struct node *n, uint32_t k) {
    const int rank = graph_rank(g, n);
    const int64_t *dim = graph_dims(g, n), *own = graph_dims(g, graph_at(g, graph_args(g, n)[k]));
    int axis = 0;
    while (axis < rank - 1 && dim[axis] == 1) axis++;
    for (int i = axis + 1; i < rank; i++)
        if (own[i] != dim[i]) return false;
    for (int i = 0; n->op == OP_unslice && i < rank; i++)
        if (graph_attr(g, n)[2 * (rank - 1 - i) + 1] != 1) return false; /* turned over, perhaps */
    return rank > 0;
}

static bool may_be_wider(const struct margins *m, uint32_t slot) {
    const struct joiner *j = m->j;
    return m->side[slot][0].n || m->side[slot][1].n || join_can_move(j, slot);
}

static bool has_room(const struct margin *side, int64_t n, enum use use) {
    return n == 0 || side->use == UNUSED || (side->use == ZEROS && use == ZEROS);
}

static void widen(struct margin *side, int64_t n, enum use use) {
    if (n == 0) return;
    side->use = use;
    if (n > side->n) side->n = n;
}

/* Operand k of this concat or unslice makes the most of it, and its slot has room for the rest: the result stands there. What is all of a
 * slot is rather made where it is joined. */
static bool stands(const struct margins *m, uint32_t id, uint32_t k) {
    const struct plan *p = m->j->p;
    const struct node *n = graph_at(p->g, id);
    uint32_t x = graph_args(p->g, n)[k];
    const struct view *v = &p->view[x];
    int64_t count = count_of(p, x), low = plan_place_of(p->g, n, k), high = count_of(p, id) - low - count;
    if (count == 0 || low + high > count || !runs_on(p->g, n, k) || !plan_contiguous(p, x)) return false;
    if (v->slot == no_slot || !may_be_wider(m, v->slot) || join_is_short(count_of(p, id))) return false;
    int64_t all = count_of(p, p->slot[v->slot].node);
    enum use use = n->op == OP_unslice ? ZEROS : OWN;
    struct margin *side = m->side[v->slot];
    if (use == OWN && count == all) return false;
    if (low > 0 && (v->offset != 0 || !has_room(&side[0], low, use))) return false;
    if (high > 0 && (v->offset + count != all || !has_room(&side[1], high, use))) return false;
    widen(&side[0], low, use);
    widen(&side[1], high, use);
    m->j->to[p->view[id].slot] = (struct view){.slot = v->slot, .offset = v->offset - low};
    return true;
}

static bool is_moved(const struct joiner *j, const struct step *s) {
    const struct plan *p = j->p;
    uint32_t id = p->node[s->first], slot = p->view[id].slot;
    int op = graph_at(p->g, id)->op;
    return s->kind == STEP_KERNEL && s->way == WAY_WHOLE && !s->tail &&
           (op == OP_concat || op == OP_unslice) && join_is_work(p, slot) && !j->kept[slot];
}

/* The slot with its margins: whole lines before its own numbers, so that vectors stand as they did. False: too many bytes. */
static bool make_room(const struct margins *m, uint32_t slot) {
    struct plan *p = m->j->p;
    const struct margin *side = m->side[slot];
    int64_t size = (int64_t)cr_dtype_size((cr_dtype)graph_at(p->g, p->slot[slot].node)->dtype);
    int64_t lead = (side[0].n * size + line - 1) / line * line / size;
    if (!side[0].n && !side[1].n) return true;
    p->slot[slot].bytes = mem_add(p->slot[slot].bytes, (size_t)((lead + side[1].n) * size));
    m->j->to[slot] = (struct view){.slot = slot, .offset = lead};
    return p->slot[slot].bytes != SIZE_MAX;
}

bool join_margins(struct joiner *j) {
    struct plan *p = j->p;
    struct margins m = {j, mem_zero(&p->mem, mem_mul(p->slots, sizeof *m.side))};
    bool ok = m.side != NULL;
    for (uint32_t s = 0; s < p->steps && ok; s++) {
        uint32_t id = p->node[p->step[s].first];
        for (uint32_t k = 0; is_moved(j, &p->step[s]) && k < graph_at(p->g, id)->n; k++)
            if (stands(&m, id, k)) break;
    }
    for (uint32_t i = 0; i < p->slots && ok; i++) ok = make_room(&m, i);
    for (uint32_t i = 0; i < p->slots && ok; i++) {
        struct view *to = &j->to[i];
        if (to->slot != no_slot && to->slot != i) to->offset += j->to[to->slot].offset;
    }
    mem_free(&p->mem, m.side, p->slots * sizeof *m.side);
    return ok;
}
