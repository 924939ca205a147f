/* Lifetimes of slots, updates in place, and the place of each slot in the workspace. */
#include "plan/plan.h"

#include <string.h>

#include "tensor/dtype.h"

enum { grain = 16, line = 64, small_most = 4096 }; /* bytes: malloc's alignment, a cache line, a page */

/* ---- Lifetimes ---- */

static void touches(struct plan *p, uint32_t node, uint32_t step) {
    uint32_t slot = p->view[node].slot;
    if (slot == no_slot) return;
    uint32_t first = step, last = step;
    if (p->step[step].way != WAY_WHOLE) {
        const struct group *g = &p->group[p->step[step].group];
        bool all = p->slot[slot].kind != SLOT_BLOCK; /* all of it as long as its group runs */
        if (all) first = g->first;
        if (all || plan_runs_once(p, &p->step[step])) last = g->first + g->n - 1;
    }
    if (p->slot[slot].first == no_slot) p->slot[slot].first = first;
    if (p->slot[slot].last < last) p->slot[slot].last = last;
}

static void touches_at_end(struct plan *p, uint32_t node) {
    uint32_t slot = p->view[node].slot;
    if (slot == no_slot) return;
    if (p->slot[slot].first == no_slot) p->slot[slot].first = (uint32_t)p->steps;
    p->slot[slot].last = (uint32_t)p->steps;
}

static void lifetimes(struct plan *p, const struct plan_wish *wish) {
    for (uint32_t s = 0; s < p->steps; s++)
        for (uint32_t i = 0; i < p->step[s].n; i++) {
            uint32_t id = p->node[p->step[s].first + i];
            const struct node *n = graph_at(p->g, id);
            for (uint32_t k = 0; k < n->n; k++) touches(p, graph_args(p->g, n)[k], s);
            touches(p, id, s);
        }
    for (size_t i = 0; i < wish->outputs; i++) touches_at_end(p, wish->output[i]);
    for (size_t i = 0; i < p->updates; i++)
        if (!p->update[i].in_place) touches_at_end(p, p->update[i].value);
    for (size_t i = 0; wish->keep && i < p->slots; i++) p->slot[i].last = (uint32_t)p->steps;
}

/* ---- Updates in place ---- */

/* Where a slot is last read: by node number `place` of a step; after all steps, if it is kept. */
struct reader {
    uint32_t step, place;
};

static void note_readers(const struct plan *p, const struct plan_wish *wish, struct reader *last) {
    for (uint32_t s = 0; s < p->steps; s++)
        for (uint32_t i = 0; i < p->step[s].n; i++) {
            const struct node *n = graph_at(p->g, p->node[p->step[s].first + i]);
            for (uint32_t k = 0; k < n->n; k++) {
                uint32_t slot = p->view[graph_args(p->g, n)[k]].slot;
                if (slot != no_slot) last[slot] = (struct reader){s, i};
            }
        }
    for (size_t i = 0; i < wish->outputs; i++) {
        uint32_t slot = p->view[wish->output[i]].slot;
        if (slot != no_slot) last[slot].step = (uint32_t)p->steps;
    }
    for (size_t i = 0; i < p->updates; i++) {
        uint32_t slot = p->view[p->update[i].value].slot;
        if (slot != no_slot) last[slot].step = (uint32_t)p->steps;
    }
}

/* Is it read behind that node of that step? A reader before, in the same loop, reads each element before it is written, if it
 * reads it where it stands. */
static bool read_later(struct reader last, uint32_t step, uint32_t place) {
    return last.step > step || (last.step == step && last.place > place);
}

static bool step_reads(const struct plan *p, uint32_t slot, uint32_t s) {
    for (uint32_t i = 0; i < p->step[s].n; i++) {
        const struct node *n = graph_at(p->g, p->node[p->step[s].first + i]);
        for (uint32_t k = 0; k < n->n; k++)
            if (p->view[graph_args(p->g, n)[k]].slot == slot) return true;
    }
    return false;
}

static bool read_elsewhere(const struct plan *p, uint32_t slot, uint32_t s) {
    for (uint32_t i = 0; i < p->step[s].n; i++) {
        const struct node *n = graph_at(p->g, p->node[p->step[s].first + i]);
        for (uint32_t k = 0; k < n->n; k++) {
            const struct view *v = &p->view[n->arg[k]];
            if (v->slot == slot && (v->offset || !plan_contiguous(p, n->arg[k]))) return true;
        }
    }
    return false;
}

/* Its group goes block by block: does any step there read more of this slot than the rows of its block? */
static bool read_by_group(const struct plan *p, uint32_t slot, uint32_t s) {
    if (p->step[s].way == WAY_WHOLE) return false;
    const struct group *g = &p->group[p->step[s].group];
    for (uint32_t t = g->first; t < g->first + g->n; t++)
        if (p->step[t].kind == STEP_KERNEL ? step_reads(p, slot, t) : read_elsewhere(p, slot, t)) return true;
    return false;
}

static uint32_t place_in_step(const struct plan *p, uint32_t step, uint32_t node) {
    uint32_t i = 0;
    while (i < p->step[step].n && p->node[p->step[step].first + i] != node) i++;
    return i;
}

static void in_place(struct plan *p, const struct reader last[], struct update *u) {
    uint32_t value = plan_real(p->g, u->value), step = p->step_of[value], slot = p->view[u->param].slot;
    const struct node *n = graph_at(p->g, value), *param = graph_at(p->g, u->param);
    if (step == no_slot || !p->step[step].tail || n->shape != param->shape || n->dtype != param->dtype)
        return;
    if (p->slot[p->view[value].slot].kind != SLOT_WORK) return;
    if (read_elsewhere(p, slot, step) || read_later(last[slot], step, place_in_step(p, step, value))) return;
    if (read_by_group(p, slot, step)) return;
    p->view[value] = p->view[u->param];
    p->view[u->value] = p->view[u->param];
    u->in_place = true;
}

static bool all_in_place(struct plan *p, const struct plan_wish *wish) {
    size_t bytes = mem_mul(p->slots, sizeof(struct reader));
    struct reader *last = mem_zero(&p->mem, bytes);
    if (!last) return false;
    note_readers(p, wish, last);
    for (size_t i = 0; i < p->updates; i++) in_place(p, last, &p->update[i]);
    mem_free(&p->mem, last, bytes);
    return true;
}

/* ---- The workspace ---- */

struct block {
    size_t offset, size;
};

struct heap {
    struct plan *p;
    size_t end;
    struct block *free; /* large ones, by offset, never two that touch */
    size_t n, cap;
    uint32_t bin[small_most / grain + 1]; /* small ones by size: a slot that held it, chained through chain */
    uint32_t *chain;
};

static size_t rounded(size_t bytes) {
    size_t to = bytes < line ? grain : line;
    return bytes ? (bytes + to - 1) / to * to : grain;
}

static size_t to_line(size_t bytes) { return mem_add(bytes, line - 1) / line * line; }

static size_t extend(struct heap *h, size_t size) {
    size_t at = size < line ? h->end : to_line(h->end);
    h->end = mem_add(at, size);
    return at;
}

static size_t take_large(struct heap *h, size_t size) {
    size_t best = h->n;
    for (size_t i = 0; i < h->n; i++)
        if (h->free[i].size >= size && (best == h->n || h->free[i].size < h->free[best].size)) best = i;
    if (best == h->n) return extend(h, size);
    size_t at = h->free[best].offset;
    h->free[best].offset += size;
    h->free[best].size -= size;
    if (h->free[best].size == 0)
        memmove(&h->free[best], &h->free[best + 1], (--h->n - best) * sizeof *h->free);
    return at;
}

static bool give_large(struct heap *h, size_t offset, size_t size) {
    size_t i = 0;
    while (i < h->n && h->free[i].offset < offset) i++;
    bool left = i > 0 && h->free[i - 1].offset + h->free[i - 1].size == offset;
    bool right = i < h->n && offset + size == h->free[i].offset;
    if (left) h->free[i - 1].size += size;
    if (left && right) {
        h->free[i - 1].size += h->free[i].size;
        memmove(&h->free[i], &h->free[i + 1], (--h->n - i) * sizeof *h->free);
    } else if (right) {
        h->free[i] = (struct block){offset, size + h->free[i].size};
    } else if (!left) {
        if (!mem_grow(&h->p->mem, &h->free, &h->cap, h->n, sizeof *h->free)) return false;
        memmove(&h->free[i + 1], &h->free[i], (h->n++ - i) * sizeof *h->free);
        h->free[i] = (struct block){offset, size};
    }
    return true;
}

/* Of a value that is cut, a block. */
static size_t size_of(const struct plan *p, const struct slot *s) {
    if (s->kind != SLOT_BLOCK) return rounded(s->bytes);
    const struct group *g = &p->group[p->step[s->first].group];
    return rounded(s->bytes / (size_t)plan_cut_rows(p, s) * (size_t)g->block);
}

static void take(struct heap *h, uint32_t slot) {
    struct slot *s = &h->p->slot[slot];
    size_t size = size_of(h->p, s);
    if (size > small_most) {
        s->offset = take_large(h, size);
        return;
    }
    uint32_t held = h->bin[size / grain];
    s->offset = held != no_slot ? h->p->slot[held].offset : extend(h, size);
    if (held != no_slot) h->bin[size / grain] = h->chain[held];
}

static bool give(struct heap *h, uint32_t slot) {
    struct slot *s = &h->p->slot[slot];
    size_t size = size_of(h->p, s);
    if (size > small_most) return give_large(h, s->offset, size);
    h->chain[slot] = h->bin[size / grain];
    h->bin[size / grain] = slot;
    return true;
}

/* Of slots of one kind; by step: the first slot that comes or goes there; by slot: the next. */
struct chains {
    uint32_t *come, *go, *come_next, *go_next;
};

static void chain_by(const struct plan *p, enum slot_kind kind, bool by_last, uint32_t *head,
                     uint32_t *next) {
    for (size_t s = 0; s <= p->steps; s++) head[s] = no_slot;
    for (uint32_t i = 0; i < p->slots; i++) {
        const struct slot *slot = &p->slot[i];
        if (slot->kind != kind || slot->first >= p->steps) continue;
        uint32_t *at = &head[by_last ? slot->last : slot->first];
        next[i] = *at;
        *at = i;
    }
}

static void chain(const struct plan *p, enum slot_kind kind, const struct chains *c) {
    chain_by(p, kind, false, c->come, c->come_next);
    chain_by(p, kind, true, c->go, c->go_next);
}

/* What is chained and comes in steps first .. end-1. */
static bool place_range(struct heap *h, size_t first, size_t end, const struct chains *c) {
    memset(h->bin, 0xff, sizeof h->bin);
    h->end = h->n = 0;
    for (size_t s = first; s < end; s++) {
        for (uint32_t i = c->come[s]; i != no_slot; i = c->come_next[i]) take(h, i);
        for (uint32_t i = c->go[s]; i != no_slot; i = c->go_next[i])
            if (!give(h, i)) return false;
    }
    return true;
}

/* Rows of an operand that is turned over have a gap after them: lines a power of two apart compete for the cache. */
static void place_woven(struct plan *p, struct group *g, struct step *step) {
    uint32_t b = graph_at(p->g, p->node[step->first])->arg[1];
    const int64_t *dim = graph_dims(p->g, graph_at(p->g, b)) + graph_rank(p->g, graph_at(p->g, b)) - 2;
    size_t size = cr_dtype_size((cr_dtype)graph_at(p->g, b)->dtype);
    size_t *end = g->batch > 1 ? &g->bytes : &g->shared;
    step->woven_at = *end;
    *end = mem_add(*end, to_line(mem_mul((size_t)dim[0] * size, (size_t)dim[1] + woven_gap)));
}

/* Room behind the values of a block. */
static void place_behind(struct plan *p, struct group *g) {
    for (size_t s = g->first; s < g->first + g->n; s++) {
        if (p->step[s].woven) place_woven(p, g, &p->step[s]);
    }
    for (size_t s = g->first; s < g->first + g->n; s++) {
        struct step *step = &p->step[s];
        if (!step->partial) continue;
        step->partial_at = mem_add(g->bytes, g->partial);
        g->partial =
            mem_add(g->partial, to_line(plan_node_bytes(p->g, p->node[step->first]) / (size_t)g->batch));
    }
}

static bool place_all(struct heap *h, const struct chains *c) {
    struct plan *p = h->p;
    chain(p, SLOT_BLOCK, c);
    for (size_t i = 0; i < p->groups; i++) {
        struct group *g = &p->group[i];
        if (!place_range(h, g->first, g->first + g->n, c)) return false;
        g->bytes = to_line(h->end);
        place_behind(p, g);
    }
    chain(p, SLOT_WORK, c);
    return place_range(h, 0, p->steps, c);
}

cr_status plan_place(struct plan *p, const struct plan_wish *wish) {
    if (p->updates && !all_in_place(p, wish)) return CR_ENOMEM;
    lifetimes(p, wish);
    struct heap h = {.p = p};
    size_t steps = mem_mul(p->steps + 1, 4), slots = mem_mul(p->slots, 4);
    struct chains c = {mem_alloc(&p->mem, steps), mem_alloc(&p->mem, steps), mem_alloc(&p->mem, slots),
                       mem_alloc(&p->mem, slots)};
    h.chain = mem_alloc(&p->mem, slots);
    bool ok = c.come && c.go && c.come_next && c.go_next && h.chain && place_all(&h, &c);
    p->workspace = to_line(h.end);
    mem_free(&p->mem, c.come, steps);
    mem_free(&p->mem, c.go, steps);
    mem_free(&p->mem, c.come_next, slots);
    mem_free(&p->mem, c.go_next, slots);
    mem_free(&p->mem, h.chain, slots);
    mem_free(&p->mem, h.free, h.cap * sizeof *h.free);
    if (!ok) return CR_ENOMEM;
    return h.end > PTRDIFF_MAX ? CR_ELIMIT : CR_OK;
}
