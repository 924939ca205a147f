/* Groups: products and loops over the same rows run block by block, so that what one makes for another (the weights of an
 * attention, say) needs room for a block alone. A group grows from a product of batches, forward over the steps that read it,
 * then back over the loops that nothing else reads; it stays if it keeps more from memory than it reads and writes there. Or from a
 * product that only updates need, such as the gradient of a weight: with the loop of the update, which reads it once. */
#include "plan/plan.h"

#include <string.h>

#include "tensor/dtype.h"

enum {
    look_ahead = 64,          /* steps: what stands farther apart is kept in memory */
    cheap_shared = 8,         /* instructions that may run again for each batch element */
    block_bytes = 1024 << 10, /* of a block's values: half of a second-level cache */
    block_least = 32,
    block_most = 64,       /* rows; powers of two */
    block_tiles = 56,      /* rows: of a product alone, four tiles of a kernel for AVX-512 */
    short_row = 512,       /* numbers: the built-in way computes several such rows at once, to their ends */
    seed_bytes = 256 << 10 /* of its result: what is smaller stays in the cache as it is */
};

/* Where a step stands to the group being found. MEMBER + way: in it. */
enum { BEFORE, AFTER, MEMBER };

struct finder {
    struct plan *p;
    const struct plan_wish *wish;
    uint8_t *mark;          /* by node: of plan_mark_causal */
    uint8_t *at;            /* by step */
    uint32_t *now;          /* by the number that step_of gives: its place since steps were reordered */
    uint32_t *was, *number; /* by step: that number, and room for it */
    uint32_t
        *last_read; /* by slot: the last step that reads it; the number of steps: it is kept to the end */
    uint32_t *seen; /* by slot: the last question that met it */
    uint32_t question;
    struct step *room;               /* by step */
    uint32_t seed, first, last, end; /* steps; no step from the last one on was looked at */
    bool tail;                       /* of updates alone */
    struct group g;
};

static const struct node *node_at(const struct finder *f, uint32_t id) { return graph_at(f->p->g, id); }

static const struct node *step_node(const struct finder *f, uint32_t s) {
    return node_at(f, f->p->node[f->p->step[s].first]);
}

static uint32_t step_of(const struct finder *f, uint32_t id) {
    uint32_t s = f->p->step_of[id];
    return s == no_slot ? no_slot : f->now[s];
}

/* The step that makes this node's numbers, if it is of the group, else no_slot. */
static uint32_t maker(const struct finder *f, uint32_t id) {
    uint32_t s = f->p->view[id].slot == no_slot ? no_slot : step_of(f, id);
    return s != no_slot && f->at[s] >= MEMBER ? s : no_slot;
}

static enum group_way way_at(const struct finder *f, uint32_t s) {
    return (enum group_way)(f->at[s] - MEMBER);
}

/* ---- Do rows stay rows? ---- */

/* How many of the first axes make up this many rows; -1: none. */
static int axes_of_rows(int rank, const int64_t dim[], int64_t rows) {
    int64_t n = 1;
    int i = 0;
    while (i < rank && n < rows) n *= dim[i++];
    return n == rows ? i : -1;
}

/* Axes before `axes`, from the last one on: each number steps over one row of the slot, `width` wide; the axes of a batch that
 * shares its rows over none. */
static bool steps_over_rows(const struct finder *f, int axes, const int64_t dim[], const int64_t stride[],
                            int64_t width, bool shared) {
    int64_t rows = 1;
    for (int i = axes; i-- > 0; rows *= dim[i]) {
        bool again = shared && rows == f->g.rows;
        if (dim[i] != 1 && stride[i] != (again ? 0 : rows * width)) return false;
    }
    return true;
}

/* A view of what step `from` made, as a reader goes through it that has `rows` rows in all. */
static bool row_by_row(const struct finder *f, uint32_t from, uint32_t id, int64_t rows, const int64_t dim[],
                       const int64_t stride[]) {
    const struct view *v = &f->p->view[id];
    bool shared = way_at(f, from) == WAY_SHARED;
    int64_t all = shared ? f->g.rows : f->g.rows * f->g.batch;
    int64_t width = graph_elements(f->p->g, node_at(f, f->p->slot[v->slot].node)) / all, reach = v->offset;
    int rank = graph_rank(f->p->g, node_at(f, id)), axes = axes_of_rows(rank, dim, rows);
    if (axes < 0 || way_at(f, from) == WAY_SUMS || rows < all) return false;
    for (int i = axes; i < rank; i++) {
        if (stride[i] < 0) return false;
        reach += (dim[i] - 1) * stride[i];
    }
    return v->offset >= 0 && reach < width && steps_over_rows(f, axes, dim, stride, width, shared);
}

static bool reads_rows(const struct finder *f, uint32_t id, int64_t rows) {
    uint32_t from = maker(f, id);
    return from == no_slot ||
           row_by_row(f, from, id, rows, graph_dims(f->p->g, node_at(f, id)), plan_strides(f->p, id));
}

/* ---- Which way a step can go ---- */

static bool loop_has_rows(const struct finder *f, uint32_t s, int64_t rows) {
    const struct step *loop = &f->p->step[s];
    const int64_t *dim = intern_bytes(&f->p->g->shape, loop->shape);
    int rank = (int)(intern_size(&f->p->g->shape, loop->shape) / sizeof *dim), axes;
    if (loop->kind != STEP_LOOP || loop->rows_too) return false;
    if (loop->lines) return loop->rows == rows && plan_whole_rows(loop);
    axes = axes_of_rows(rank, dim, rows);
    return axes >= 0 && shape_count(rank - axes, dim + axes) <= fold_block;
}

static bool loop_reads_rows(const struct finder *f, uint32_t s, int64_t rows) {
    const struct step *loop = &f->p->step[s];
    for (uint32_t i = 0; i < loop->n; i++) {
        const struct node *n = node_at(f, f->p->node[loop->first + i]);
        for (uint32_t k = 0; k < n->n; k++)
            if (step_of(f, n->arg[k]) != s && !reads_rows(f, n->arg[k], rows)) return false;
    }
    return true;
}

static bool is_product(const struct finder *f, uint32_t s) {
    const struct node *n = step_node(f, s);
    return f->p->step[s].kind == STEP_KERNEL && n->op == OP_matmul && dtype_is_float((cr_dtype)n->dtype) &&
           graph_elements(f->p->g, n) > 0;
}

static int64_t batch_of(const struct finder *f, const struct node *product) {
    return shape_count(graph_rank(f->p->g, product) - 2, graph_dims(f->p->g, product));
}

/* The last two sizes of an operand. */
static const int64_t *sides(const struct finder *f, uint32_t id) {
    return graph_dims(f->p->g, node_at(f, id)) + graph_rank(f->p->g, node_at(f, id)) - 2;
}

/* The left operand with its rows where they are in the group's values: across. */
static bool reads_terms(const struct finder *f, uint32_t id) {
    int64_t dim[CR_MAX_RANK], stride[CR_MAX_RANK];
    int rank = graph_rank(f->p->g, node_at(f, id));
    uint32_t from = maker(f, id);
    if (from == no_slot) return true;
    for (int i = 0; i < rank; i++) {
        int at = i == rank - 2 ? rank - 1 : i == rank - 1 ? rank - 2 : i;
        dim[i] = graph_dims(f->p->g, node_at(f, id))[at];
        stride[i] = plan_strides(f->p, id)[at];
    }
    return row_by_row(f, from, id, f->g.batch * f->g.rows, dim, stride);
}

static bool reads_whole(const struct finder *f, uint32_t s) {
    const struct node *n = step_node(f, s);
    return maker(f, n->arg[0]) == no_slot && maker(f, n->arg[1]) == no_slot;
}

static enum group_way product_way(const struct finder *f, uint32_t s) {
    const struct node *n = step_node(f, s);
    uint32_t a = n->arg[0], b = n->arg[1];
    int64_t rows = f->g.batch * f->g.rows;
    if (batch_of(f, n) != f->g.batch) return WAY_WHOLE;
    if (sides(f, a)[0] == f->g.rows && maker(f, b) == no_slot && reads_rows(f, a, rows)) return WAY_ROWS;
    if (sides(f, a)[1] == f->g.rows && (maker(f, a) != no_slot || maker(f, b) != no_slot) &&
        reads_terms(f, a) && reads_rows(f, b, rows))
        return WAY_SUMS;
    return WAY_WHOLE;
}

/* A product that only updates need. Its right operand is read for each block, as it lies. */
static bool waits_for_update(const struct finder *f, uint32_t s, int64_t rows) {
    const struct node *n = step_node(f, s);
    return batch_of(f, n) == 1 && sides(f, n->arg[0])[0] == rows &&
           plan_strides(f->p, n->arg[1])[graph_rank(f->p->g, n) - 1] == 1 &&
           plan_node_bytes(f->p->g, f->p->node[f->p->step[s].first]) >= seed_bytes;
}

static enum group_way way_of(const struct finder *f, uint32_t s) {
    int64_t rows = f->g.batch * f->g.rows;
    if (f->p->step[s].way != WAY_WHOLE || f->p->step[s].tail != f->tail) return WAY_WHOLE;
    if (is_product(f, s) && f->tail)
        return waits_for_update(f, s, rows) && reads_whole(f, s) ? WAY_ROWS : WAY_WHOLE;
    if (is_product(f, s)) return product_way(f, s);
    if (loop_has_rows(f, s, rows)) return loop_reads_rows(f, s, rows) ? WAY_ROWS : WAY_WHOLE;
    if (loop_has_rows(f, s, f->g.rows) && f->p->step[s].n <= cheap_shared)
        return loop_reads_rows(f, s, f->g.rows) ? WAY_SHARED : WAY_WHOLE;
    return WAY_WHOLE;
}

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

static void grow(struct finder *f) {
    f->end = f->seed + 1;
    for (uint32_t s = f->end; s < f->p->steps && s - f->last < look_ahead && f->p->step[s].tail == f->tail;
         f->end = ++s) {
        if (f->tail && f->p->step[s].way != WAY_WHOLE) break; /* no group within another */
        bool reads, behind;
        look_at_operands(f, s, &reads, &behind);
        enum group_way way = behind ? WAY_WHOLE : way_of(f, s);
        if (way != WAY_WHOLE && (reads || (is_product(f, s) && !f->tail)))
            f->at[s] = (uint8_t)(MEMBER + way), f->last = s;
        else if (reads || behind) f->at[s] = AFTER;
    }
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
        if (reads && (f->at[t] < MEMBER || way_of(f, t) != way_at(f, t))) return false;
    }
    return true;
}

static void absorb(struct finder *f) {
    uint32_t end = f->seed > look_ahead ? f->seed - look_ahead : 0;
    for (uint32_t s = f->last; s-- > end;) {
        enum group_way way = f->at[s] == BEFORE ? way_of(f, s) : WAY_WHOLE;
        if (way == WAY_WHOLE || (f->p->step[s].kind != STEP_LOOP && !f->tail)) continue;
        f->at[s] = (uint8_t)(MEMBER + way);
        if (!all_read_rows(f, s)) f->at[s] = BEFORE;
        else if (s < f->first) f->first = s;
    }
}

/* ---- Is it worth it? ---- */

static bool is_local(const struct finder *f, uint32_t slot, uint32_t s) {
    if (f->p->slot[slot].kind != SLOT_WORK || f->at[s] == MEMBER + WAY_SUMS) return false;
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

/* A right operand that lies in columns is turned over once, not for each block. */
static bool is_woven(const struct finder *f, uint32_t s) {
    const struct node *n = step_node(f, s);
    const int64_t *stride = plan_strides(f->p, n->arg[1]) + graph_rank(f->p->g, n) - 2,
                  *dim = sides(f, n->arg[1]);
    return f->p->step[s].way == WAY_ROWS && dim[1] > 1 && stride[1] != 1 && stride[0] == 1;
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
    for (uint32_t i = 0; i < step->n; i++) {
        uint32_t slot = f->p->view[f->p->node[step->first + i]].slot;
        if (slot != no_slot && is_local(f, slot, s)) f->p->slot[slot].kind = SLOT_BLOCK;
    }
}

/* ---- Loops up to the diagonal ---- */

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
static void find_bounds(struct finder *f) {
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

/* Those before the group, the group, those behind it. */
static void reorder(struct finder *f) {
    struct plan *p = f->p;
    uint32_t to = f->first, *number = f->number;
    for (uint32_t s = f->first; s <= f->last; s++) f->room[s] = p->step[s], number[s] = f->was[s];
    for (int kind = 0; kind < 3; kind++)
        for (uint32_t s = f->first; s <= f->last; s++) {
            int at = f->at[s] >= MEMBER ? 1 : f->at[s] == AFTER ? 2 : 0;
            if (at != kind) continue;
            p->step[to] = f->room[s];
            f->was[to] = number[s];
            f->now[number[s]] = to++;
        }
    note_reads(f, f->first, f->last + 1);
}

/* Not so that a row is left over: a product of one row adds up in another order. */
static int64_t rows_of_block(const struct finder *f, size_t row) {
    int64_t block = f->tail ? block_tiles : block_most;
    while (block > block_least && (size_t)block * row > block_bytes) block /= 2;
    while (f->g.rows % block == 1) block--;
    return block < f->g.rows ? block : f->g.rows;
}

static bool make(struct finder *f, size_t row) {
    struct plan *p = f->p;
    if (!mem_grow(&p->mem, &p->group, &p->group_cap, p->groups, sizeof *p->group)) return false;
    f->g.block = rows_of_block(f, row);
    for (uint32_t s = f->first; s <= f->last; s++)
        if (f->at[s] >= MEMBER) join(f, s, (uint32_t)p->groups);
    find_bounds(f);
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

static bool is_seed(struct finder *f, uint32_t s) {
    if (!is_product(f, s) || f->p->step[s].way != WAY_WHOLE) return false;
    const struct node *n = step_node(f, s);
    f->tail = f->p->step[s].tail;
    f->g = (struct group){.batch = batch_of(f, n), .rows = sides(f, n->arg[0])[0]};
    if (f->g.rows < 2 || (f->tail && !waits_for_update(f, s, f->g.rows))) return false;
    return f->tail ||
           (differs(f, n) && plan_node_bytes(f->p->g, f->p->node[f->p->step[s].first]) >= seed_bytes);
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
static bool take(struct finder *f, const struct worth *w, uint32_t *next) {
    uint32_t members = 0, before = 0;
    for (uint32_t s = f->first; s <= f->last; s++)
        members += f->at[s] >= MEMBER, before += f->at[s] == BEFORE;
    if (!make(f, w->row)) return false;
    reorder(f);
    *next = f->tail ? f->first : f->first + before + members; /* of updates, those before are tried too */
    return true;
}

/* next: the step to go on from. False: out of memory. */
static bool find_one(struct finder *f, uint32_t seed, uint32_t *next) {
    uint32_t from = seed > look_ahead ? seed - look_ahead : 0;
    *next = seed + 1;
    if (!is_seed(f, seed)) return true;
    f->seed = f->first = f->last = seed;
    f->at[seed] = MEMBER + WAY_ROWS;
    grow(f);
    absorb(f);
    struct worth w = weigh(f);
    bool ok = (f->tail ? w.local == 0 : w.local <= w.outside) || take(f, &w, next);
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
