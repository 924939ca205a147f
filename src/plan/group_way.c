/* Groups: which way a step can go, row by row or not. */
#include "plan/group.h"

#include "tensor/dtype.h"

enum { cheap_shared = 8 /* instructions that may run again for each batch element */ };

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
        bool again = shared && rows >= f->g.rows;
        if (dim[i] != 1 && stride[i] != (again ? 0 : rows * width)) return false;
    }
    return true;
}

bool group_ends_later(const struct finder *f, uint32_t node) {
    int64_t rows, run;
    return plan_fold(f->p->g, node, &rows, &run) == FOLD_ROWS;
}

/* A view of what step `from` made, as a reader goes through it that has `rows` rows in all. */
static bool row_by_row(const struct finder *f, uint32_t from, uint32_t id, int64_t rows, const int64_t dim[],
                       const int64_t stride[]) {
    const struct view *v = &f->p->view[id];
    bool shared = way_at(f, from) == WAY_SHARED;
    int64_t all = shared ? f->g.rows : f->g.rows * f->g.batch;
    int64_t width = graph_elements(f->p->g, node_at(f, f->p->slot[v->slot].node)) / all, reach = v->offset;
    int rank = graph_rank(f->p->g, node_at(f, id)), axes = axes_of_rows(rank, dim, rows);
    if (group_ends_later(f, f->p->slot[v->slot].node)) return false;
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
    if (loop->kind != STEP_LOOP || (loop->rows_too && !f->dense)) return false;
    if (loop->lines) return loop->rows == rows && plan_whole_rows(loop);
    if (loop->rows_too) return loop->rows == rows;
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

bool group_is_product(const struct finder *f, uint32_t s) {
    const struct node *n = step_node(f, s);
    return f->p->step[s].kind == STEP_KERNEL && n->op == OP_matmul && dtype_is_float((cr_dtype)n->dtype) &&
           graph_elements(f->p->g, n) > 0;
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

/* Every block reads all of a right operand: one that is turned over for none, or once for all. */
static bool can_be_shared(const struct finder *f, uint32_t id) {
    const int64_t *stride = plan_strides(f->p, id) + graph_rank(f->p->g, node_at(f, id)) - 2;
    return stride[0] == 1 || stride[1] == 1;
}

static enum group_way product_way(const struct finder *f, uint32_t s) {
    const struct node *n = step_node(f, s);
    uint32_t a = n->arg[0], b = n->arg[1];
    int64_t rows = f->g.batch * f->g.rows;
    if (batch_of(f, n) != f->g.batch) return WAY_WHOLE;
    if (f->dense && !can_be_shared(f, b)) return WAY_WHOLE;
    if (sides(f, a)[0] == f->g.rows && maker(f, b) == no_slot && reads_rows(f, a, rows)) return WAY_ROWS;
    if (f->dense) return WAY_WHOLE; /* sums over blocks would be cut into as many as there are threads */
    if (sides(f, a)[0] == 1 || sides(f, b)[1] == 1)
        return WAY_WHOLE; /* they add up in an order of their own */
    if (sides(f, a)[1] == f->g.rows && (maker(f, a) != no_slot || maker(f, b) != no_slot) &&
        reads_terms(f, a) && reads_rows(f, b, rows))
        return WAY_SUMS;
    return WAY_WHOLE;
}

/* Its right operand is read for each block. */
bool group_waits_for_update(const struct finder *f, uint32_t s, int64_t rows) {
    const struct node *n = step_node(f, s);
    return batch_of(f, n) == 1 && sides(f, n->arg[0])[0] == rows && can_be_shared(f, n->arg[1]) &&
           step_bytes(f, s) >= group_seed_bytes;
}

enum group_way group_way_of(const struct finder *f, uint32_t s) {
    int64_t rows = f->g.batch * f->g.rows;
    if (f->p->step[s].way != WAY_WHOLE || f->p->step[s].tail != f->tail) return WAY_WHOLE;
    if (group_is_product(f, s) && f->tail)
        return group_waits_for_update(f, s, rows) && reads_whole(f, s) ? WAY_ROWS : WAY_WHOLE;
    if (group_is_product(f, s)) return product_way(f, s);
    if (loop_has_rows(f, s, rows)) return loop_reads_rows(f, s, rows) ? WAY_ROWS : WAY_WHOLE;
    if (loop_has_rows(f, s, f->g.rows) && f->p->step[s].n <= cheap_shared)
        return loop_reads_rows(f, s, f->g.rows) ? WAY_SHARED : WAY_WHOLE;
    return WAY_WHOLE;
}
