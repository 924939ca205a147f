/* What is computed again. A value that is made early and read late stands in memory in between, is written there and read from there. Where it
 * follows by few operations from what is there anyway, or is small, it is made a second time beside its late readers: the weights of an attention,
 * say, from queries, keys, and each row's maximum and sum. */
#include "plan/again.h"

#include <string.h>

#include "tensor/dtype.h"

enum {
    apart = 4,                   /* steps between neighbours: those farther from each other are no group */
    least_bytes = 4 << 20,       /* of a value: as much as a core has of a last-level cache, at most */
    least_of_leaves = 256 << 10, /* the same of what a loop makes of leaves alone, such as a mask of places */
    few_leaf_nodes = 8,
    most_nodes = 64, /* that one value takes to be made */
    ratio = 4,       /* what else is kept for it is so many times smaller, all together */
    operations_a_byte =
        16 /* take as long as a byte from memory: a core's 100 GFlop/s beside its share of some 6 GB/s */
};

/* A node met by a question is to be computed again, or its slot is read. */
enum met { MET_TAKEN, MET_READ };

struct finder {
    struct again *a;
    const struct plan *p;
    uint32_t *start, *reader; /* by slot: where its readers begin, steps in order */
    uint32_t *kept;           /* by slot: it is wanted at the end */
    uint8_t *at_home;         /* by slot: the step that makes it reads it too */
    uint32_t *seen;           /* by node: MET of the last question that met it */
    uint32_t question;
    uint32_t cone[most_nodes + 1]; /* what is to be computed for the value that is looked at */
    uint32_t n;
    double operations;
    size_t read, held; /* bytes: of what that reads, and of what has to be kept for it */
    bool of_leaves;
};

static const struct node *node_at(const struct finder *f, uint32_t id) { return graph_at(f->p->g, id); }
static const struct slot *slot_at(const struct finder *f, uint32_t slot) { return &f->p->slot[slot]; }
static uint32_t readers(const struct finder *f, uint32_t slot) { return f->start[slot + 1] - f->start[slot]; }
static uint32_t reader(const struct finder *f, uint32_t slot, uint32_t i) {
    return f->reader[f->start[slot] + i];
}

/* ---- Who reads what ---- */

typedef void each_read_fn(struct finder *f, uint32_t slot, uint32_t step);

static void count_read(struct finder *f, uint32_t slot, uint32_t step) { (void)step, f->start[slot + 1]++; }
static void note_read(struct finder *f, uint32_t slot, uint32_t step) { f->reader[f->start[slot]++] = step; }

/* Each slot once for each step, but for the step that makes it. last: by slot. */
static void each_read(struct finder *f, uint32_t *last, each_read_fn *each) {
    const struct plan *p = f->p;
    memset(last, 0xff, p->slots * sizeof *last);
    for (uint32_t s = 0; s < p->steps; s++)
        for (uint32_t i = 0; i < p->step[s].n; i++) {
            const struct node *n = node_at(f, p->node[p->step[s].first + i]);
            for (uint32_t k = 0; k < n->n; k++) {
                uint32_t slot = p->view[graph_args(p->g, n)[k]].slot;
                if (slot == no_slot || last[slot] == s) continue;
                last[slot] = s;
                if (p->step_of[p->slot[slot].node] == s) f->at_home[slot] = 1;
                else each(f, slot, s);
            }
        }
}

static bool find_readers(struct finder *f) {
    const struct plan *p = f->p;
    f->start = mem_zero(&p->mem, mem_mul(p->slots + 1, sizeof *f->start));
    uint32_t *last = mem_alloc(&p->mem, mem_mul(p->slots, sizeof *last));
    if (f->start && last) {
        each_read(f, last, count_read);
        for (size_t i = 0; i < p->slots; i++) f->start[i + 1] += f->start[i];
        f->reader = mem_alloc(&p->mem, mem_mul(f->start[p->slots], sizeof *f->reader));
        if (f->reader) each_read(f, last, note_read);
        for (size_t i = p->slots; i-- > 0 && f->reader;) f->start[i + 1] = f->start[i];
        f->start[0] = 0;
    }
    mem_free(&p->mem, last, p->slots * sizeof *last);
    return f->reader != NULL;
}

/* Does a reader stand apart from the one before it? It does where a group begins. */
static bool stands_apart(const struct finder *f, uint32_t before, uint32_t s) {
    const struct step *a = &f->p->step[before], *b = &f->p->step[s];
    bool same = a->way != WAY_WHOLE && b->way != WAY_WHOLE && a->group == b->group;
    return !same && (s - before >= apart || b->way != WAY_WHOLE);
}

/* Does a cluster of readers begin with number i? The first one is that of the value itself: with the step that makes it, if that
 * reads it too. */
static bool begins(const struct finder *f, uint32_t slot, uint32_t i) {
    uint32_t s = reader(f, slot, i), maker = f->p->step_of[slot_at(f, slot)->node];
    if (i > 0) return stands_apart(f, reader(f, slot, i - 1), s);
    return f->at_home[slot] && stands_apart(f, maker, s);
}

/* ---- What a value follows from ---- */

static bool is_product(const struct node *n) {
    return n->op == OP_matmul && dtype_is_float((cr_dtype)n->dtype);
}

/* The node that is computed, behind views of it. */
static bool is_shown(int op) {
    return op_kind(op) == KIND_VIEW || op == OP_variable || op == OP_stop_gradient;
}

static double operations(const struct finder *f, uint32_t id) {
    const struct node *n = node_at(f, id);
    double size = (double)graph_elements(f->p->g, n);
    if (is_shown(n->op)) return 0;
    if (!is_product(n)) return size;
    const struct node *a = node_at(f, n->arg[0]);
    return 2 * size * (double)graph_dims(f->p->g, a)[graph_rank(f->p->g, a) - 1];
}

static uint32_t met(const struct finder *f, enum met how) { return 2 * f->question + how; }

static bool take(struct finder *f, uint32_t id) {
    const struct node *n = node_at(f, id);
    if (f->seen[id] == met(f, MET_TAKEN)) return true;
    if (f->n == most_nodes || !(plan_elementwise(n->op) || is_shown(n->op) || is_product(n))) return false;
    f->seen[id] = met(f, MET_TAKEN);
    f->cone[f->n++] = id;
    f->operations += operations(f, id);
    return true;
}

/* An operand is there, small enough to be kept, or taken too. late: the step that reads the value late first. */
static bool have(struct finder *f, uint32_t id, size_t bytes, uint32_t late) {
    uint32_t slot = f->p->view[id].slot;
    if (slot == no_slot) return take(f, id);
    const struct slot *s = slot_at(f, slot);
    if (s->kind == SLOT_BLOCK || f->a->chosen[slot]) return take(f, id);
    if (s->kind != SLOT_WORK) return true;
    uint32_t n = readers(f, slot), end = n ? reader(f, slot, n - 1) : 0;
    bool there = f->kept[slot] || end >= late;
    if (!there && s->bytes > bytes / ratio) return take(f, id);
    f->of_leaves = false;
    if (f->seen[s->node] == met(f, MET_READ)) return true;
    f->seen[s->node] = met(f, MET_READ);
    f->read += s->bytes;
    if (!there) f->held += s->bytes;
    return true;
}

static bool follows(struct finder *f, uint32_t value, uint32_t late) {
    f->question++;
    f->n = 0;
    f->operations = 0;
    f->read = f->held = 0;
    f->of_leaves = true;
    if (!take(f, value)) return false;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct node *n = node_at(f, f->cone[i]);
        for (uint32_t k = 0; k < n->n; k++)
            if (!have(f, graph_args(f->p->g, n)[k], plan_node_bytes(f->p->g, value), late)) return false;
    }
    return true;
}

/* ---- Is it worth it? ---- */

static bool can_be(const struct finder *f, uint32_t slot) {
    const struct slot *s = slot_at(f, slot);
    const struct node *n = node_at(f, s->node);
    uint32_t step = f->p->step_of[s->node], count = readers(f, slot);
    if (s->kind != SLOT_WORK || s->bytes < least_of_leaves || f->kept[slot] || f->a->refused[slot])
        return false;
    if (!count || f->p->step[step].tail || f->p->step[reader(f, slot, count - 1)].tail) return false;
    return plan_elementwise(n->op) || is_product(n);
}

/* How often it would be computed again; late: the first step that reads it then. */
static uint32_t times_again(const struct finder *f, uint32_t slot, uint32_t *late) {
    uint32_t times = 0;
    for (uint32_t i = 0; i < readers(f, slot); i++)
        if (begins(f, slot, i) && times++ == 0) *late = reader(f, slot, i);
    return times;
}

/* Kept, it is written (a line is read first) and read; again, what it follows from is read, and operations are made. */
static bool is_worth(const struct finder *f, uint32_t slot, uint32_t times) {
    const struct slot *s = slot_at(f, slot);
    double moved = (double)s->bytes * (2 + readers(f, slot)), again = (double)f->read * times;
    bool cheap_leaves = f->of_leaves && f->n <= few_leaf_nodes;
    if (s->bytes < least_bytes && !cheap_leaves) return false;
    return f->held <= s->bytes / ratio && moved > again &&
           f->operations * times <= operations_a_byte * (moved - again);
}

/* ---- Where it is made ---- */

/* The place that a cluster of readers belongs to: one beside which it does not stand apart, or a new one. */
static struct again_place *place_at(struct finder *f, uint32_t first, uint32_t last) {
    struct again *a = f->a;
    uint32_t from = first < apart ? 0 : first - apart, end = last + apart, number = 0;
    for (uint32_t s = from; s <= end && s < f->p->steps && !number; s++)
        if (a->at[s] && !(s < first && stands_apart(f, s, first)) && !(s > last && stands_apart(f, last, s)))
            number = a->at[s];
    if (!number) {
        if (!mem_grow(&a->mem, &a->place, &a->place_cap, a->places, sizeof *a->place)) return NULL;
        a->place[a->places++] = (struct again_place){.first = first, .last = last};
        number = (uint32_t)a->places;
    }
    struct again_place *x = &a->place[number - 1];
    if (first < x->first) x->first = first;
    if (last > x->last) x->last = last;
    for (uint32_t s = x->first; s <= x->last; s++)
        if (!a->at[s]) a->at[s] = number;
    return x;
}

static bool put(struct again *a, struct again_place *x, uint32_t node) {
    size_t at = again_find(x, node);
    if (at < x->n && x->node[at] == node) return true;
    if (!mem_grow(&a->mem, &x->node, &x->node_cap, x->n, sizeof *x->node)) return false;
    if (!mem_grow(&a->mem, &x->twin, &x->twin_cap, x->n, sizeof *x->twin)) return false;
    memmove(x->node + at + 1, x->node + at, (x->n++ - at) * sizeof *x->node);
    x->node[at] = node;
    return true;
}

/* The views of the slot's node that this step reads. */
static bool put_views(struct finder *f, struct again_place *x, uint32_t slot, uint32_t s) {
    const struct plan *p = f->p;
    for (uint32_t i = 0; i < p->step[s].n; i++) {
        const struct node *n = node_at(f, p->node[p->step[s].first + i]);
        for (uint32_t k = 0; k < n->n; k++)
            for (uint32_t id = graph_args(p->g, n)[k];
                 p->view[id].slot == slot && id != slot_at(f, slot)->node; id = node_at(f, id)->arg[0])
                if (!put(f->a, x, id)) return false;
    }
    return true;
}

/* For readers number first .. end-1 of the slot. */
static bool choose_for(struct finder *f, uint32_t slot, uint32_t first, uint32_t end) {
    struct again_place *x = place_at(f, reader(f, slot, first), reader(f, slot, end - 1));
    for (uint32_t k = 0; x && k < f->n; k++)
        if (!put(f->a, x, f->cone[k])) return false;
    for (uint32_t i = first; x && i < end; i++)
        if (!put_views(f, x, slot, reader(f, slot, i))) return false;
    return x != NULL;
}

/* For each cluster of late readers. */
static bool choose(struct finder *f, uint32_t slot) {
    uint32_t n = readers(f, slot), first = n;
    f->a->chosen[slot] = 1;
    f->a->any = true;
    for (uint32_t i = 0; i <= n; i++) {
        if (i < n && !begins(f, slot, i)) continue;
        if (first < n && !choose_for(f, slot, first, i)) return false;
        first = i;
    }
    return true;
}

static bool find_all(struct finder *f) {
    const struct plan *p = f->p;
    for (uint32_t id = 1; id < p->g->count; id++) {
        uint32_t slot = p->view[id].slot, late = 0;
        if (slot == no_slot || p->slot[slot].node != id || !can_be(f, slot)) continue;
        uint32_t times = times_again(f, slot, &late);
        if (times && follows(f, id, late) && is_worth(f, slot, times) && !choose(f, slot)) return false;
    }
    return true;
}

static void note_kept(struct finder *f, const struct plan_wish *wish) {
    for (size_t i = 0; i < wish->outputs; i++) f->kept[f->p->view[wish->output[i]].slot] = 1;
    for (size_t i = 0; i < wish->updates; i++) f->kept[f->p->view[wish->update[i].value].slot] = 1;
}

static bool any_large(const struct plan *p) {
    for (size_t i = 0; i < p->slots; i++)
        if (p->slot[i].kind == SLOT_WORK && p->slot[i].bytes >= least_bytes) return true;
    return false;
}

/* What one search found; what was refused stays. */
static void forget(struct again *a) {
    for (size_t i = 0; i < a->places; i++) {
        mem_free(&a->mem, a->place[i].node, a->place[i].node_cap * sizeof *a->place->node);
        mem_free(&a->mem, a->place[i].twin, a->place[i].twin_cap * sizeof *a->place->twin);
    }
    mem_free(&a->mem, a->place, a->place_cap * sizeof *a->place);
    mem_free(&a->mem, a->chosen, a->slots);
    mem_free(&a->mem, a->at, a->steps * sizeof *a->at);
    a->place = NULL;
    a->places = a->place_cap = 0;
    a->chosen = NULL;
    a->at = NULL;
    a->any = false;
}

void plan_drop_again(struct again *a) {
    if (!a->p) return;
    forget(a);
    mem_free(&a->mem, a->refused, a->slots);
    a->refused = NULL;
}

cr_status plan_find_again(struct again *a, const struct plan *p, const struct plan_wish *wish) {
    struct finder f = {.a = a, .p = p};
    a->mem = p->mem;
    a->p = p;
    a->slots = p->slots, a->steps = p->steps;
    if (!any_large(p)) return CR_OK;
    forget(a);
    if (!a->refused) a->refused = mem_zero(&p->mem, p->slots);
    a->chosen = mem_zero(&p->mem, p->slots);
    a->at = mem_zero(&p->mem, mem_mul(p->steps, sizeof *a->at));
    f.kept = mem_zero(&p->mem, mem_mul(p->slots, sizeof *f.kept));
    f.at_home = mem_zero(&p->mem, p->slots);
    f.seen = mem_zero(&p->mem, mem_mul(p->g->count, sizeof *f.seen));
    bool ok = a->refused && a->chosen && a->at && f.kept && f.at_home && f.seen && find_readers(&f);
    if (ok) {
        note_kept(&f, wish);
        ok = find_all(&f);
    }
    mem_free(&p->mem, f.reader, f.start ? f.start[p->slots] * sizeof *f.reader : 0);
    mem_free(&p->mem, f.start, (p->slots + 1) * sizeof *f.start);
    mem_free(&p->mem, f.kept, p->slots * sizeof *f.kept);
    mem_free(&p->mem, f.at_home, p->slots);
    mem_free(&p->mem, f.seen, p->g->count * sizeof *f.seen);
    return ok ? CR_OK : CR_ENOMEM;
}
