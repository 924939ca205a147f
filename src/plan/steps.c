/* Steps: every node becomes a leaf, a view of another's numbers, an instruction of a loop, or a step of its
 * own. */
#include "plan/plan.h"

#include <string.h>

#include "tensor/dtype.h"

enum { open_loops = 8 };

struct builder {
    struct plan *p;
    const struct plan_wish *wish;
    uint8_t *tail;             /* by node: only updates need it */
    uint8_t *early;            /* by node: a leaf, or one number made of such: it keeps no loop waiting */
    uint32_t open[open_loops]; /* newest loops, for nodes to join */
    size_t opened;
    uint32_t *next;       /* by node: the next node of its loop, until the loops are laid out */
    uint32_t *head, *end; /* by step: first and last node */
    uint32_t *into;       /* by step: the one it has become part of, or itself */
    size_t head_cap, end_cap, into_cap;
};

/* Where the node is computed by now. */
static uint32_t step_of(const struct builder *b, uint32_t node) {
    uint32_t step = b->p->step_of[node];
    while (step != no_slot && b->into[step] != step) step = b->into[step];
    return step;
}

/* ---- Slots and views ---- */

static uint32_t new_slot(struct plan *p, enum slot_kind kind, uint32_t node) {
    if (!mem_grow(&p->mem, &p->slot, &p->slot_cap, p->slots, sizeof *p->slot)) return no_slot;
    p->slot[p->slots] =
        (struct slot){.kind = kind, .node = node, .bytes = plan_node_bytes(p->g, node), .first = no_slot};
    return (uint32_t)p->slots++;
}

static bool set_view(struct plan *p, uint32_t node, uint32_t slot, int64_t offset, const int64_t stride[]) {
    const struct node *n = graph_at(p->g, node);
    struct shape s = graph_shape(p->g, n);
    int64_t row_major[CR_MAX_RANK];
    shape_strides(&s, row_major);
    uint32_t strides =
        intern_put(&p->g->shape, stride ? stride : row_major, (size_t)s.rank * sizeof *row_major);
    p->view[node] = (struct view){slot, n->shape, strides, offset};
    return slot != no_slot && strides != intern_none;
}

static bool own_slot(struct plan *p, enum slot_kind kind, uint32_t node) {
    return set_view(p, node, new_slot(p, kind, node), 0, NULL);
}

static bool plan_leaf(struct plan *p, uint32_t id) {
    const struct node *n = graph_at(p->g, id);
    enum slot_kind kind = n->op == OP_input                       ? SLOT_INPUT
                          : n->op == OP_param                     ? SLOT_PARAM
                          : n->op == OP_const || n->op == OP_iota ? SLOT_CONST
                                                                  : SLOT_SOURCE;
    if (!own_slot(p, kind, id)) return false;
    if (n->op == OP_const) p->slot[p->view[id].slot].data = graph_attr(p->g, n);
    return true;
}

/* ---- Which nodes only updates need ---- */

/* An elementwise node, whose operands may be computed anew with it; or a product that would be kept for the update, if what it
 * reads, which is kept then, is no larger. */
static bool may_wait(const cr_graph *g, const struct node *n) {
    if (plan_elementwise(n->op) || n->op == OP_variable || n->op == OP_stop_gradient) return true;
    if (n->op != OP_matmul || !dtype_is_float((cr_dtype)n->dtype)) return false;
    return graph_elements(g, graph_at(g, n->arg[0])) + graph_elements(g, graph_at(g, n->arg[1])) <=
           graph_elements(g, n);
}

static bool mark_tail(struct builder *b) {
    cr_graph *g = b->p->g;
    b->tail = mem_zero(&b->p->mem, g->count);
    uint8_t *used = mem_zero(&b->p->mem, g->count); /* by something outside of the tail */
    if (!b->tail || !used) return mem_free(&b->p->mem, used, g->count), false;
    for (size_t i = 0; i < b->wish->outputs; i++) used[b->wish->output[i]] = 1;
    for (size_t i = 0; i < b->wish->updates; i++) b->tail[b->wish->update[i].value] = 1;
    for (uint32_t id = g->count; id-- > 1;) {
        const struct node *n = graph_at(g, id);
        const uint32_t *args = graph_args(g, n);
        b->tail[id] = b->tail[id] && !used[id] && may_wait(g, n) && b->wish->fuse;
        for (uint32_t k = 0; k < n->n; k++) (b->tail[id] ? b->tail : used)[args[k]] = 1;
    }
    mem_free(&b->p->mem, used, g->count);
    return true;
}

/* Numbers such as 1/n, and a few numbers of leaves put together, which would else be computed when they come up: between two loops
 * that could be one, or in a loop behind the one that could have used them. */
static int64_t early_most(const struct node *n) {
    enum { few = 256 };
    if (plan_elementwise(n->op)) return 1;
    return op_kind(n->op) == KIND_VIEW || n->op == OP_concat || n->op == OP_unslice ? few : -1;
}

static bool mark_early(struct builder *b) {
    const cr_graph *g = b->p->g;
    b->early = mem_zero(&b->p->mem, g->count);
    for (uint32_t id = 1; b->early && id < g->count; id++) {
        const struct node *n = graph_at(g, id);
        bool early = op_kind(n->op) == KIND_LEAF ||
                     (b->wish->fuse && !b->tail[id] && graph_elements(g, n) <= early_most(n));
        for (uint32_t k = 0; k < n->n; k++) early = early && b->early[graph_args(g, n)[k]];
        b->early[id] = early;
    }
    return b->early != NULL;
}

/* ---- Steps ---- */

static uint32_t new_step(struct builder *b, enum step_kind kind, bool tail) {
    struct plan *p = b->p;
    if (!mem_grow(&p->mem, &p->step, &p->step_cap, p->steps, sizeof *p->step)) return no_slot;
    if (!mem_grow(&p->mem, &b->head, &b->head_cap, p->steps, sizeof *b->head)) return no_slot;
    if (!mem_grow(&p->mem, &b->end, &b->end_cap, p->steps, sizeof *b->end)) return no_slot;
    if (!mem_grow(&p->mem, &b->into, &b->into_cap, p->steps, sizeof *b->into)) return no_slot;
    p->step[p->steps] = (struct step){.kind = kind, .tail = tail};
    b->into[p->steps] = (uint32_t)p->steps;
    b->head[p->steps] = b->end[p->steps] = 0;
    return (uint32_t)p->steps++;
}

static void step_takes(struct builder *b, uint32_t step, uint32_t node) {
    b->next[node] = 0;
    if (b->p->step[step].n++) b->next[b->end[step]] = node;
    else b->head[step] = node;
    b->end[step] = node;
    b->p->step_of[node] = step;
}

static bool step_alone(struct builder *b, enum step_kind kind, uint32_t node) {
    uint32_t step = new_step(b, kind, b->tail[node]);
    if (step == no_slot || !own_slot(b->p, SLOT_WORK, node)) return false;
    step_takes(b, step, node);
    return true;
}

/* The step that must be over before this operand can be read as numbers in memory; and, for an instruction of
 * an open loop, the loop itself. -1: there from the start. */
static int64_t ready_after(const struct builder *b, uint32_t arg) {
    uint32_t step = step_of(b, plan_real(b->p->g, arg));
    return step == no_slot ? -1 : (int64_t)step;
}

/* Is it a value that instructions of this loop hand on without memory? */
static bool in_loop(const struct builder *b, uint32_t arg, uint32_t loop) {
    uint32_t x = plan_real(b->p->g, arg);
    return step_of(b, x) == loop && plan_elementwise(graph_at(b->p->g, x)->op);
}

/* Is element i of row r of this view, of the loop's shape, number r of its slot? */
static bool repeats_rows(const struct plan *p, const struct step *loop, uint32_t x) {
    struct shape s = graph_shape(p->g, graph_at(p->g, x));
    const int64_t *stride = plan_strides(p, x);
    int64_t within = 1, next = 1;
    for (int i = s.rank - 1; i >= 0; i--) {
        if (s.dim[i] == 1) continue;
        if (within < loop->run) {
            within *= s.dim[i];
            if (stride[i] != 0) return false;
        } else {
            if (stride[i] != next) return false;
            next *= s.dim[i];
        }
    }
    return within == loop->run && p->view[x].offset == 0;
}

/* Can an instruction of this role read a value of its own loop that is no element of the same row and place? */
static bool has_row_result(const struct builder *b, uint32_t x, uint32_t loop, enum loop_role role) {
    const struct plan *p = b->p;
    const struct step *s = &p->step[loop];
    int64_t rows, run;
    if (!plan_whole_rows(s)) return false;
    if (role == ROLE_NARROW && in_loop(b, x, loop)) return plan_role(p->g, s, x) == ROLE_NARROW;
    uint32_t from = p->view[x].slot == no_slot ? x : p->slot[p->view[x].slot].node;
    enum loop_role made = plan_role(p->g, s, from);
    if (made == ROLE_WIDE || (made == ROLE_FOLD && plan_fold(p->g, from, &rows, &run) != FOLD_LINES))
        return false;
    if (role != ROLE_NARROW) return graph_at(p->g, x)->shape == s->shape && repeats_rows(p, s, x);
    return p->view[x].offset == 0 && plan_contiguous(p, x);
}

static bool available(const struct builder *b, uint32_t arg, uint32_t loop, enum loop_role role) {
    if (ready_after(b, arg) < (int64_t)loop) return true;
    if (ready_after(b, arg) > (int64_t)loop) return false;
    uint32_t x = plan_real(b->p->g, arg);
    if (in_loop(b, x, loop) && role != ROLE_NARROW && plan_role(b->p->g, &b->p->step[loop], x) == ROLE_WIDE)
        return true;
    return has_row_result(b, x, loop, role);
}

/* A loop goes through its elements in one way: as rows that are all at hand, in blocks of one line, or in blocks of
 * rows. */
static bool fold_fits(const struct plan *p, const struct step *s, uint32_t id) {
    int64_t rows, run;
    enum fold_kind kind = plan_fold(p->g, id, &rows, &run);
    if (graph_at(p->g, graph_at(p->g, id)->arg[0])->shape != s->shape) return false;
    if (!s->lines && !s->rows_too) return true;
    if (rows != s->rows || run != s->run) return false;
    return plan_keeps_whole(rows, run) || (kind == FOLD_LINES ? !s->rows_too : !s->lines);
}

static bool may_join(const struct builder *b, uint32_t id, uint32_t loop) {
    const struct plan *p = b->p;
    const struct step *s = &p->step[loop];
    const struct node *n = graph_at(p->g, id);
    enum loop_role role = plan_role(p->g, s, id);
    if (s->n >= loop_most || s->tail != (bool)b->tail[id]) return false;
    if (role == ROLE_FOLD && !fold_fits(p, s, id)) return false;
    if (role == ROLE_NARROW && !(plan_whole_rows(s) && graph_elements(p->g, n) == s->rows)) return false;
    for (uint32_t k = 0; k < n->n; k++)
        if (!available(b, n->arg[k], loop, role)) return false;
    return true;
}

static bool repeats_one(const struct plan *p, uint32_t x) {
    if (p->view[x].slot == no_slot) return false;
    const int64_t *dim = graph_dims(p->g, graph_at(p->g, x)), *stride = plan_strides(p, x);
    for (int i = 0; i < graph_rank(p->g, graph_at(p->g, x)); i++)
        if (dim[i] != 1 && stride[i] != 0) return false;
    return true;
}

/* Does the loop make an operand of it? */
static bool goes_on(const struct builder *b, uint32_t id, uint32_t loop) {
    const struct node *n = graph_at(b->p->g, id);
    for (uint32_t k = 0; k < n->n; k++)
        if (ready_after(b, n->arg[k]) == (int64_t)loop) return true;
    return false;
}

/* Does the node share something with the loop, or is it so small that company costs nothing? */
static bool worth_joining(const struct builder *b, uint32_t id, uint32_t loop) {
    const struct node *n = graph_at(b->p->g, id);
    if (goes_on(b, id, loop)) return true;
    if (b->wish->again && b->wish->again[id]) return false; /* it is for others, who come later */
    bool numbers = true;                                    /* nothing but numbers that are repeated */
    for (uint32_t k = 0; k < n->n && numbers; k++) numbers = repeats_one(b->p, n->arg[k]);
    if (numbers) return true;
    if (plan_role(b->p->g, &b->p->step[loop], id) == ROLE_NARROW) return false;
    if (graph_elements(b->p->g, graph_at(b->p->g, n->arg[0])) <= 64 || b->tail[id]) return true;
    for (uint32_t m = b->head[loop]; m; m = b->next[m])
        for (uint32_t k = 0; k < graph_at(b->p->g, m)->n; k++)
            for (uint32_t j = 0; j < n->n; j++)
                if (graph_at(b->p->g, m)->arg[k] == n->arg[j] && !repeats_one(b->p, n->arg[j])) return true;
    return false;
}

/* The newest loop that the node may join, one that makes its operands before others, or a new one of this shape;
 * no_slot: out of memory. */
static uint32_t loop_for(struct builder *b, uint32_t id, uint32_t shape) {
    uint32_t other = no_slot;
    for (size_t i = b->opened; i-- > 0 && b->opened - i <= open_loops && b->wish->fuse;) {
        uint32_t open = b->open[i % open_loops];
        if (!may_join(b, id, open) || !worth_joining(b, id, open)) continue;
        if (goes_on(b, id, open)) return open;
        if (other == no_slot) other = open;
    }
    if (other != no_slot) return other;
    uint32_t loop = new_step(b, STEP_LOOP, b->tail[id]);
    if (loop == no_slot) return loop;
    b->open[b->opened++ % open_loops] = loop;
    b->p->step[loop].shape = shape;
    return loop;
}

static void loop_takes(struct builder *b, uint32_t loop, uint32_t id) {
    struct step *s = &b->p->step[loop];
    int64_t rows, run;
    enum fold_kind kind = plan_fold(b->p->g, id, &rows, &run);
    if (kind != FOLD_NO) s->rows = rows, s->run = run;
    if (kind == FOLD_LINES) s->lines = true;
    if (kind == FOLD_ROWS) s->rows_too = true;
    step_takes(b, loop, id);
}

static bool plan_element(struct builder *b, uint32_t id) {
    uint32_t loop = loop_for(b, id, graph_at(b->p->g, id)->shape);
    if (loop == no_slot) return false;
    step_takes(b, loop, id);
    return true;
}

/* An elementwise value that someone reads as numbers in memory gets a slot. */
static bool need_memory(struct plan *p, uint32_t arg) {
    uint32_t x = plan_real(p->g, arg);
    if (p->view[x].slot == no_slot && !own_slot(p, SLOT_WORK, x)) return false;
    p->view[arg] = p->view[x];
    return true;
}

static bool plan_view(struct builder *b, uint32_t id) {
    struct plan *p = b->p;
    const struct node *n = graph_at(p->g, id);
    uint32_t x = n->arg[0];
    int64_t stride[CR_MAX_RANK], offset;
    if (!need_memory(p, x)) return false;
    if (!ops_view(p->g, n, plan_strides(p, x), stride, &offset)) return step_alone(b, STEP_COPY, id);
    p->step_of[id] = p->step_of[plan_real(p->g, x)];
    return set_view(p, id, p->view[x].slot, p->view[x].offset + offset, stride);
}

static bool plan_alias(struct builder *b, uint32_t id) {
    struct plan *p = b->p;
    const struct node *n = graph_at(p->g, id);
    uint32_t x = n->arg[0];
    if (n->op == OP_part && op_kind(graph_at(p->g, x)->op) == KIND_CONTROL)
        return step_takes(b, p->step_of[x], id), own_slot(p, SLOT_WORK, id);
    p->step_of[id] = p->step_of[x];
    if (n->op != OP_part) return p->view[id] = p->view[x], true;
    size_t before = ops_part_offset(p->g, graph_at(p->g, x), (int)graph_attr(p->g, n)[0], 0);
    return set_view(p, id, p->view[x].slot, (int64_t)(before / cr_dtype_size((cr_dtype)n->dtype)), NULL);
}

static bool plan_reduce(struct builder *b, uint32_t id) {
    struct plan *p = b->p;
    int64_t rows, run;
    uint32_t x = graph_at(p->g, id)->arg[0];
    enum fold_kind kind = plan_fold(p->g, id, &rows, &run);
    if (kind == FOLD_NO) return need_memory(p, x) && step_alone(b, STEP_REDUCE, id);
    uint32_t loop = loop_for(b, id, graph_at(p->g, x)->shape);
    if (loop == no_slot || !own_slot(p, SLOT_WORK, id)) return false;
    loop_takes(b, loop, id);
    return true;
}

static bool plan_control(struct builder *b, uint32_t id) {
    uint32_t step = new_step(b, STEP_CONTROL, false);
    if (step != no_slot) step_takes(b, step, id);
    return step != no_slot;
}

static bool plan_node(struct builder *b, uint32_t id) {
    const struct node *n = graph_at(b->p->g, id);
    if (plan_elementwise(n->op)) return plan_element(b, id);
    switch (op_kind(n->op)) {
    case KIND_LEAF: return plan_leaf(b->p, id);
    case KIND_ALIAS: return plan_alias(b, id);
    case KIND_VIEW: return plan_view(b, id);
    case KIND_REDUCE: return plan_reduce(b, id);
    default: break;
    }
    for (uint32_t k = 0; k < n->n; k++)
        if (!need_memory(b->p, graph_args(b->p->g, n)[k])) return false;
    if (op_kind(n->op) == KIND_CONTROL) return plan_control(b, id);
    return step_alone(b, STEP_KERNEL, id);
}

/* Operands of loops that come from elsewhere, and all that is wanted, must stand in memory. */
static bool loops_need_memory(struct builder *b) {
    struct plan *p = b->p;
    for (uint32_t id = 1; id < p->g->count; id++) {
        const struct node *n = graph_at(p->g, id);
        if (b->wish->keep && plan_elementwise(n->op) && !need_memory(p, id)) return false;
        bool looped = plan_elementwise(n->op) || op_kind(n->op) == KIND_REDUCE;
        for (uint32_t k = 0; looped && k < n->n; k++)
            if (!in_loop(b, n->arg[k], step_of(b, id)) && !need_memory(p, n->arg[k])) return false;
    }
    for (size_t i = 0; i < b->wish->outputs; i++)
        if (!need_memory(p, b->wish->output[i])) return false;
    for (size_t i = 0; i < b->wish->updates; i++)
        if (!need_memory(p, b->wish->update[i].value)) return false;
    for (uint32_t id = 1; id < p->g->count; id++) /* aliases follow what they stand for */
        if (graph_at(p->g, id)->op == OP_variable || graph_at(p->g, id)->op == OP_stop_gradient)
            p->view[id] = p->view[plan_real(p->g, id)];
    return true;
}

/* ---- Loops that became neighbours ---- */

static bool share_operand(const struct builder *b, uint32_t one, uint32_t other) {
    for (uint32_t m = b->head[one]; m; m = b->next[m])
        if (worth_joining(b, m, other)) return true;
    return false;
}

/* Moves all nodes of a loop to the end of an earlier one, or none. */
static bool move_loop(struct builder *b, uint32_t from, uint32_t to) {
    struct plan *p = b->p;
    const struct step before = p->step[to];
    uint32_t end = b->end[to], node[loop_most], n = 0;
    for (uint32_t m = b->head[from]; m; m = b->next[m]) node[n++] = m;
    b->into[from] = to;
    for (uint32_t i = 0; i < n; i++) {
        if (may_join(b, node[i], to)) {
            loop_takes(b, to, node[i]);
            continue;
        }
        b->into[from] = from;
        p->step[to] = before;
        b->end[to] = end;
        b->next[end] = 0;
        for (uint32_t k = 0; k < n; k++)
            p->step_of[node[k]] = from, b->next[node[k]] = k + 1 < n ? node[k + 1] : 0;
        return false;
    }
    p->step[from].n = 0;
    return true;
}

/* A node joins the newest loop that it may; so two loops can come about where, with all nodes known, one will do: what
 * is read by both is then read once, and what the first makes for the second needs no memory. */
static void join_loops(struct builder *b) {
    struct plan *p = b->p;
    uint32_t loop[open_loops] = {0};
    size_t loops = 0;
    for (uint32_t s = 0; s < p->steps && b->wish->fuse; s++) {
        if (p->step[s].kind != STEP_LOOP) continue;
        bool moved = false;
        for (size_t i = loops; i-- > 0 && loops - i <= open_loops && !moved;) {
            uint32_t to = loop[i % open_loops];
            moved = p->step[to].shape == p->step[s].shape && p->step[to].n + p->step[s].n <= loop_most &&
                    share_operand(b, s, to) && move_loop(b, s, to);
        }
        if (!moved) loop[loops++ % open_loops] = s;
    }
}

/* Steps that have become parts of others leave no gap. */
static void drop_empty(struct builder *b) {
    struct plan *p = b->p;
    uint32_t kept = 0;
    for (uint32_t id = 1; id < p->g->count; id++) p->step_of[id] = step_of(b, id);
    for (uint32_t s = 0; s < p->steps; s++) {
        bool empty = b->into[s] != s;
        b->into[s] = kept;
        if (empty) continue;
        p->step[kept] = p->step[s];
        b->head[kept++] = b->head[s];
    }
    for (uint32_t id = 1; id < p->g->count; id++)
        if (p->step_of[id] != no_slot) p->step_of[id] = b->into[p->step_of[id]];
    p->steps = kept;
}

static bool lay_out(struct builder *b) {
    struct plan *p = b->p;
    for (size_t s = 0; s < p->steps; s++) {
        p->step[s].first = (uint32_t)p->nodes;
        for (uint32_t id = b->head[s]; id; id = b->next[id]) {
            if (!mem_grow(&p->mem, &p->node, &p->node_cap, p->nodes, sizeof *p->node)) return false;
            if (!mem_grow(&p->mem, &p->pass, &p->pass_cap, p->nodes, sizeof *p->pass)) return false;
            p->pass[p->nodes] = 0;
            p->node[p->nodes++] = id;
        }
        if (p->step[s].kind == STEP_LOOP && plan_whole_rows(&p->step[s])) plan_order(p, &p->step[s]);
    }
    return true;
}

cr_status plan_steps(struct plan *p, const struct plan_wish *wish) {
    struct builder b = {.p = p, .wish = wish};
    uint32_t count = p->g->count;
    b.next = mem_zero(&p->mem, mem_mul(count, sizeof *b.next));
    bool ok = b.next && mark_tail(&b) && mark_early(&b);
    for (uint32_t id = 1; id < count && ok; id++)
        if (b.early[id]) ok = plan_node(&b, id);
    for (uint32_t id = 1; id < count && ok; id++)
        if (!b.early[id] && !b.tail[id]) ok = plan_node(&b, id);
    for (uint32_t id = 1; id < count && ok;
         id++) /* the tail waits: it may not start before all else is done */
        if (b.tail[id]) ok = plan_node(&b, id);
    if (ok) join_loops(&b);
    ok = ok && loops_need_memory(&b);
    if (ok) drop_empty(&b);
    ok = ok && lay_out(&b);
    mem_free(&p->mem, b.tail, count);
    mem_free(&p->mem, b.early, count);
    mem_free(&p->mem, b.next, count * sizeof *b.next);
    mem_free(&p->mem, b.head, b.head_cap * sizeof *b.head);
    mem_free(&p->mem, b.end, b.end_cap * sizeof *b.end);
    mem_free(&p->mem, b.into, b.into_cap * sizeof *b.into);
    return ok ? CR_OK : CR_ENOMEM;
}
