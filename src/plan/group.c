/* Groups: products and loops over the same rows run block by block, so that what one makes for another (the weights of an
 * attention, say) needs room for a block alone. A group grows from a product of batches, forward over the steps that read it,
 * then back over the loops that nothing else reads; it stays if it keeps more from memory than it reads and writes there, or leaves out
 * what a causal mask hides. Or from a
 * single product (a dense layer), as far as the right operands, which every block reads, stay in a second-level cache together. Or from a
 * product that only updates need, such as the gradient of a weight: with the loop of the update, which reads it once. */
#include "plan/group.h"

#include <string.h>

#include "base/whole.h"
#include "tensor/dtype.h"

enum {
    look_ahead = 64,          /* steps: what stands farther apart is kept in memory */
    block_bytes = 1024 << 10, /* of a block's values: half of a second-level cache */
    block_least = 32,
    block_most = 64,         /* rows; powers of two; */
    block_twice = 512 << 10, /* twice as many, if that is all and takes no more bytes */
    block_tiles = 56,        /* rows: of a product alone, four tiles of a kernel for AVX-512 */
    dense_bytes = 256 << 10, /* of a block's values, beside right operands that every block reads: */
    weights_most = 1 << 20,  /* bytes */
    dense_least = 1 << 20,   /* bytes kept from memory: what is less stays in a second-level cache as it is */
    half_most =
        4 << 20, /* bytes, of which a core's part of the caches holds all: there operations count alone */
    few_columns = woven_gap / 2
};

/* ---- Finding one ---- */

/* What the operands of a step say of where it stands: it reads the group, or what comes behind it. */
static void look_at_operands(const struct finder *f, uint32_t s, bool *reads, bool *behind) {
    const struct step *step = &f->p->step[s];
    *reads = *behind = false;
    for (uint32_t i = 0; i < step->n; i++) {
        const struct node *n = node_at(f, f->p->node[step->first + i]);
        for (uint32_t k = 0; k < n->n; k++) {
            uint32_t id = graph_args(f->p->g, n)[k], from = step_of(f, id);
            if (from == no_slot || from == s) continue;
            *reads = *reads || f->at[from] >= MEMBER;
            *behind = *behind || f->at[from] == AFTER || f->at[from] == MEMBER + WAY_SUMS;
        }
    }
}

static size_t weights_of(const struct finder *f, uint32_t s) {
    return f->dense && group_is_product(f, s) ? plan_node_bytes(f->p->g, step_node(f, s)->arg[1]) : 0;
}

static bool has_room(const struct finder *f, uint32_t s) {
    return f->weights + weights_of(f, s) <= weights_most;
}

static void take_in(struct finder *f, uint32_t s, enum group_way way) {
    f->at[s] = (uint8_t)(MEMBER + way);
    f->weights += weights_of(f, s);
    f->last = s;
}

static void grow(struct finder *f) {
    take_in(f, f->seed, WAY_ROWS);
    f->end = f->seed + 1;
    for (uint32_t s = f->end; s < f->p->steps && s - f->last < look_ahead && f->p->step[s].tail == f->tail;
         f->end = ++s) {
        if (f->p->step[s].way != WAY_WHOLE) break; /* no group within another */
        bool reads, behind;
        look_at_operands(f, s, &reads, &behind);
        enum group_way way = behind || !has_room(f, s) ? WAY_WHOLE : group_way_of(f, s);
        if (way != WAY_WHOLE && (reads || (group_is_product(f, s) && !f->tail))) take_in(f, s, way);
        else if (reads || behind) f->at[s] = AFTER;
    }
}

/* Does a step of the group read what this one makes? */
static bool read_within(const struct finder *f, uint32_t s) {
    for (uint32_t t = s + 1; t <= f->last; t++) {
        const struct step *other = &f->p->step[t];
        for (uint32_t i = 0; i < other->n && f->at[t] >= MEMBER; i++) {
            const struct node *n = node_at(f, f->p->node[other->first + i]);
            for (uint32_t k = 0; k < n->n; k++)
                if (step_of(f, graph_args(f->p->g, n)[k]) == s) return true;
        }
    }
    return false;
}

/* Is it all computed again? */
static bool is_twin(const struct finder *f, uint32_t s) {
    const struct step *step = &f->p->step[s];
    bool all = true;
    for (uint32_t i = 0; i < step->n && all; i++) all = f->wish->again[f->p->node[step->first + i]];
    return all;
}

static void cut_end(struct finder *f) {
    while (f->last > f->seed && f->at[f->last] < MEMBER) f->last--;
}

/* What is computed again is so for its readers, not for the group of those that it was computed for at first. */
static void leave_twins(struct finder *f) {
    for (uint32_t s = f->last + 1; s-- > f->seed + 1;)
        if (f->at[s] >= MEMBER && is_twin(f, s) && !read_within(f, s)) f->at[s] = BEFORE;
    cut_end(f);
}

/* A product that neither reads what the group makes nor makes what it reads is better whole. */
static void prune(struct finder *f) {
    for (uint32_t s = f->last + 1; s-- > f->seed;) {
        if (f->at[s] < MEMBER || !group_is_product(f, s)) continue;
        if (maker(f, step_node(f, s)->arg[0]) == no_slot && !read_within(f, s)) f->at[s] = BEFORE;
    }
    cut_end(f);
    while (f->first < f->last && f->at[f->first] < MEMBER) f->first++;
}

/* Is all that the step stores read by the group alone, where it reads anything else row by row? */
static bool all_read_rows(struct finder *f, uint32_t s) {
    const struct step *step = &f->p->step[s];
    uint32_t last = s;
    for (uint32_t i = 0; i < step->n; i++) {
        uint32_t slot = f->p->view[f->p->node[step->first + i]].slot;
        if (slot != no_slot && f->last_read[slot] > last) last = f->last_read[slot];
    }
    if (last > f->last) return false;
    for (uint32_t t = s + 1; t <= last; t++) {
        bool reads = false;
        const struct step *other = &f->p->step[t];
        for (uint32_t i = 0; i < other->n; i++) {
            const struct node *n = node_at(f, f->p->node[other->first + i]);
            for (uint32_t k = 0; k < n->n; k++) {
                uint32_t id = graph_args(f->p->g, n)[k];
                reads = reads || (step_of(f, id) == s && f->p->view[id].slot != no_slot);
            }
        }
        if (reads && (f->at[t] < MEMBER || group_way_of(f, t) != way_at(f, t))) return false;
    }
    return true;
}

static void absorb(struct finder *f) {
    uint32_t end = f->seed > look_ahead ? f->seed - look_ahead : 0;
    for (uint32_t s = f->last; s-- > end;) {
        enum group_way way = f->at[s] == BEFORE ? group_way_of(f, s) : WAY_WHOLE;
        if (way == WAY_WHOLE || (f->p->step[s].kind != STEP_LOOP && !f->tail)) continue;
        f->at[s] = (uint8_t)(MEMBER + way);
        if (!all_read_rows(f, s)) f->at[s] = BEFORE;
        else if (s < f->first) f->first = s;
    }
}

/* ---- Is it worth it? ---- */

static bool is_local(const struct finder *f, uint32_t slot, uint32_t s) {
    if (f->p->slot[slot].kind != SLOT_WORK || f->at[s] == MEMBER + WAY_SUMS) return false;
    if (group_ends_later(f, f->p->slot[slot].node)) return false;
    if (f->last_read[slot] > f->last) return false;
    for (uint32_t t = s + 1; t <= f->last_read[slot]; t++) {
        const struct step *other = &f->p->step[t];
        for (uint32_t i = 0; i < other->n && f->at[t] < MEMBER; i++) {
            const struct node *n = node_at(f, f->p->node[other->first + i]);
            for (uint32_t k = 0; k < n->n; k++)
                if (f->p->view[graph_args(f->p->g, n)[k]].slot == slot) return false;
        }
    }
    return true;
}

struct worth {
    size_t local, outside; /* bytes of values */
    size_t row;            /* of those that are local */
};

static void add_slot(struct finder *f, uint32_t id, struct worth *w) {
    uint32_t slot = f->p->view[id].slot;
    if (slot == no_slot || f->seen[slot] == f->question) return;
    f->seen[slot] = f->question;
    uint32_t from = maker(f, id);
    if (from == no_slot || !is_local(f, slot, from)) {
        w->outside += f->p->slot[slot].bytes;
        return;
    }
    int64_t rows = way_at(f, from) == WAY_SHARED ? f->g.rows : f->g.rows * f->g.batch;
    w->local += f->p->slot[slot].bytes;
    w->row += f->p->slot[slot].bytes / (size_t)rows;
}

static struct worth weigh(struct finder *f) {
    struct worth w = {0};
    f->question++;
    for (uint32_t s = f->first; s <= f->last; s++) {
        const struct step *step = &f->p->step[s];
        for (uint32_t i = 0; i < step->n && f->at[s] >= MEMBER; i++) {
            uint32_t id = f->p->node[step->first + i];
            const struct node *n = node_at(f, id);
            for (uint32_t k = 0; k < n->n; k++) add_slot(f, graph_args(f->p->g, n)[k], &w);
            add_slot(f, id, &w);
        }
    }
    return w;
}

/* ---- Making it ---- */

/* A right operand that lies in columns is turned over once, not for each block; not of so few that gaps behind rows take more. */
static bool is_woven(const struct finder *f, uint32_t s) {
    const struct node *n = step_node(f, s);
    const int64_t *stride = plan_strides(f->p, n->arg[1]) + graph_rank(f->p->g, n) - 2,
                  *dim = sides(f, n->arg[1]);
    return f->p->step[s].way == WAY_ROWS && dim[1] >= few_columns && stride[1] != 1 && stride[0] == 1;
}

static void join(struct finder *f, uint32_t s, uint32_t group) {
    struct step *step = &f->p->step[s];
    step->way = way_at(f, s);
    step->group = group;
    if (step->kind == STEP_LOOP && !step->lines) {
        const int64_t *dim = intern_bytes(&f->p->g->shape, step->shape);
        int64_t all = shape_count((int)(intern_size(&f->p->g->shape, step->shape) / sizeof *dim), dim);
        step->rows = step->way == WAY_SHARED ? f->g.rows : f->g.rows * f->g.batch;
        step->run = all / step->rows;
        step->lines = step->split = true;
    }
    if (step->kind == STEP_KERNEL) step->woven = is_woven(f, s);
    step->partial = step->way == WAY_SUMS && f->g.rows > plan_slice;
    for (uint32_t i = 0; i < step->n; i++) {
        uint32_t slot = f->p->view[f->p->node[step->first + i]].slot;
        if (slot != no_slot && is_local(f, slot, s)) f->p->slot[slot].kind = SLOT_BLOCK;
    }
}

/* Which steps read what, of first .. end-1. */
static void note_reads(struct finder *f, uint32_t first, uint32_t end) {
    const struct plan *p = f->p;
    for (uint32_t s = first; s < end; s++)
        for (uint32_t i = 0; i < p->step[s].n; i++) {
            const struct node *n = node_at(f, p->node[p->step[s].first + i]);
            for (uint32_t k = 0; k < n->n; k++) {
                uint32_t slot = p->view[graph_args(p->g, n)[k]].slot;
                if (slot != no_slot && f->last_read[slot] < end) f->last_read[slot] = s;
            }
        }
}

/* Of the group, what runs once comes first: what it leaves is not in the place of anything that comes and goes. */
static int turn_of(const struct finder *f, uint32_t s) {
    if (f->at[s] < MEMBER) return f->at[s] == AFTER ? 3 : 0;
    return plan_runs_once(f->p, &f->room[s]) ? 1 : 2;
}

/* Those before the group, the group, those behind it. */
static void reorder(struct finder *f) {
    struct plan *p = f->p;
    uint32_t to = f->first, *number = f->number;
    for (uint32_t s = f->first; s <= f->last; s++) f->room[s] = p->step[s], number[s] = f->was[s];
    for (int turn = 0; turn < 4; turn++)
        for (uint32_t s = f->first; s <= f->last; s++) {
            if (turn_of(f, s) != turn) continue;
            p->step[to] = f->room[s];
            f->was[to] = number[s];
            f->now[number[s]] = to++;
        }
    note_reads(f, f->first, f->last + 1);
}

static bool folds_rows(const struct finder *f) {
    for (uint32_t s = f->first; s <= f->last; s++)
        if (f->at[s] >= MEMBER && f->p->step[s].rows_too) return true;
    return false;
}

/* Do threads that take such blocks, whole ones each, have nearly the same to do? */
static bool is_even(const struct finder *f, int64_t block) {
    int64_t tasks = (int64_t)f->wish->tasks;
    int64_t most = least(pieces(pieces(f->g.rows, block), tasks) * block, f->g.rows);
    return (double)most * (double)tasks <= 1.125 * (double)f->g.rows;
}

/* Whole units of what a sum over rows leaves, so that its bits are those of one that runs alone. 0: there is no such block. */
static int64_t rows_of_dense(const struct finder *f, size_t row) {
    int64_t unit = folds_rows(f) ? fold_rows : block_tiles,
            block = least(dense_bytes / (int64_t)row, pieces(f->g.rows, (int64_t)f->wish->tasks));
    block = block < unit ? unit : block / unit * unit;
    if (mem_mul((size_t)block, row) > block_bytes) return 0;
    while (block > unit && !is_even(f, block)) block -= unit;
    return is_even(f, block) ? block : 0;
}

static int64_t rows_of_block(const struct finder *f, size_t row) {
    int64_t block = f->tail ? block_tiles : block_most;
    if (!f->tail && f->g.rows <= 2 * block && (size_t)f->g.rows * row <= block_twice) block *= 2;
    while (block > block_least && (size_t)block * row > block_bytes) block /= 2;
    return least(block, f->g.rows);
}

/* Does it keep more from memory than it costs? */
static bool is_worth(struct finder *f, const struct worth *w) {
    f->g.block = f->dense && w->row ? rows_of_dense(f, w->row) : rows_of_block(f, w->row);
    if (f->tail) return w->local > 0;
    if (f->dense) return w->local >= dense_least && f->g.block > 0 && f->g.block < f->g.rows;
    return w->local > w->outside || (f->half && w->local + w->outside <= half_most);
}

static bool make(struct finder *f) {
    struct plan *p = f->p;
    if (!mem_grow(&p->mem, &p->group, &p->group_cap, p->groups, sizeof *p->group)) return false;
    for (uint32_t s = f->first; s <= f->last; s++)
        if (f->at[s] >= MEMBER) join(f, s, (uint32_t)p->groups);
    group_find_bounds(f);
    p->group[p->groups++] = f->g;
    return true;
}

/* ---- All of them ---- */

/* Both sides of the product differ from one batch element to the next. */
static bool differs(const struct finder *f, const struct node *n) {
    bool side[2] = {false, false};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < graph_rank(f->p->g, n) - 2; i++)
            side[k] = side[k] || (graph_dims(f->p->g, n)[i] > 1 && plan_strides(f->p, n->arg[k])[i]);
    return side[0] && side[1];
}

/* Half of the product is not wanted, and a group leaves it out; unless threads are better served by steps that all of them share. */
static bool stops_halfway(const struct finder *f, uint32_t s, const struct node *n) {
    return f->mark[f->p->node[f->p->step[s].first]] & BEYOND_FREE && f->g.rows > 2 * diagonal_rows &&
           sides(f, n->arg[1])[1] > 2 * diagonal_rows && 2 * f->g.batch >= (int64_t)f->wish->tasks;
}

static bool is_seed(struct finder *f, uint32_t s) {
    if (!group_is_product(f, s) || f->p->step[s].way != WAY_WHOLE) return false;
    const struct node *n = step_node(f, s);
    f->tail = f->p->step[s].tail;
    f->g = (struct group){.batch = batch_of(f, n), .rows = sides(f, n->arg[0])[0]};
    f->half = !f->tail && stops_halfway(f, s, n);
    f->dense = !f->tail && !f->half && f->g.batch == 1;
    f->weights = 0;
    if (f->g.rows < 2 || (f->tail && !group_waits_for_update(f, s, f->g.rows))) return false;
    if (f->dense && !(has_room(f, s) && group_way_of(f, s) == WAY_ROWS)) return false;
    return f->tail || f->half || ((f->dense || differs(f, n)) && step_bytes(f, s) >= group_seed_bytes);
}

static void note_kept(struct finder *f) {
    const struct plan *p = f->p;
    const struct plan_wish *wish = f->wish;
    for (size_t i = 0; i < wish->outputs; i++)
        f->last_read[p->view[wish->output[i]].slot] = (uint32_t)p->steps;
    for (size_t i = 0; i < wish->updates; i++)
        f->last_read[p->view[wish->update[i].value].slot] = (uint32_t)p->steps;
}

/* The group of this seed. False: out of memory. */
static bool take(struct finder *f, uint32_t *next) {
    uint32_t members = 0, before = 0;
    for (uint32_t s = f->first; s <= f->last; s++)
        members += f->at[s] >= MEMBER, before += f->at[s] == BEFORE;
    if (!make(f)) return false;
    reorder(f);
    *next = f->tail || f->dense ? f->first : f->first + before + members; /* those before are tried too */
    return true;
}

/* next: the step to go on from. False: out of memory. */
static bool find_one(struct finder *f, uint32_t seed, uint32_t *next) {
    uint32_t from = seed > look_ahead ? seed - look_ahead : 0;
    *next = seed + 1;
    if (!is_seed(f, seed)) return true;
    f->seed = f->first = f->last = seed;
    grow(f);
    if (f->wish->again) leave_twins(f);
    absorb(f);
    if (f->dense) prune(f);
    struct worth w = weigh(f);
    bool ok = !is_worth(f, &w) || take(f, next);
    memset(f->at + from, BEFORE, f->end - from);
    return ok;
}

static void number_steps(struct plan *p) {
    for (uint32_t s = 0; s < p->steps; s++) {
        if (p->step[s].way == WAY_WHOLE) continue;
        struct group *g = &p->group[p->step[s].group];
        if (g->n++ == 0) g->first = s;
    }
}

static void number_nodes(struct finder *f) {
    uint32_t *of = f->p->step_of;
    for (uint32_t id = 1; id < f->p->g->count; id++)
        if (of[id] != no_slot) of[id] = f->now[of[id]];
}

static bool find_all(struct finder *f) {
    struct plan *p = f->p;
    bool ok = true;
    plan_mark_causal(p, f->wish, f->mark);
    for (uint32_t s = 0; s < p->steps; s++) f->now[s] = f->was[s] = s;
    note_reads(f, 0, (uint32_t)p->steps);
    note_kept(f);
    for (uint32_t s = 0; s < p->steps && ok;) ok = find_one(f, s, &s);
    number_nodes(f);
    number_steps(p);
    return ok;
}

cr_status plan_groups(struct plan *p, const struct plan_wish *wish) {
    struct finder f = {.p = p, .wish = wish};
    size_t steps = p->steps, slots = p->slots;
    f.room = mem_alloc(&p->mem, mem_mul(steps, sizeof *f.room));
    f.now = mem_alloc(&p->mem, mem_mul(steps, 3 * sizeof *f.now));
    f.seen = mem_zero(&p->mem, mem_mul(slots, sizeof *f.seen));
    f.last_read = mem_zero(&p->mem, mem_mul(slots, sizeof *f.last_read));
    f.mark = mem_alloc(&p->mem, p->g->count);
    f.at = mem_zero(&p->mem, steps);
    bool ok = f.room && f.now && f.seen && f.last_read && f.mark && f.at;
    if (ok) f.was = f.now + steps, f.number = f.was + steps;
    ok = ok && find_all(&f);
    mem_free(&p->mem, f.room, steps * sizeof *f.room);
    mem_free(&p->mem, f.now, steps * 3 * sizeof *f.now);
    mem_free(&p->mem, f.seen, slots * sizeof *f.seen);
    mem_free(&p->mem, f.last_read, slots * sizeof *f.last_read);
    mem_free(&p->mem, f.mark, p->g->count);
    mem_free(&p->mem, f.at, steps);
    return ok ? CR_OK : CR_ENOMEM;
}
