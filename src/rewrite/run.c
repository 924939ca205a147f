/* What runs faster in another form that nobody wants to read: it joins the loops around it. */
#include "rewrite/rewrite.h"

#include "graph/copy.h"
#include "ops/control.h"

/* A column times a row: each element is one product (where that is -0, a sum would be 0). */
static cr_node outer_product(cr_node x) {
    cr_node a = cr_operand(x, 0), b = cr_operand(x, 1);
    struct shape s = ops_shape(x);
    if (cr_dims(a)[cr_rank(a) - 1] != 1) return x;
    return cr_mul(ops_expand(a, &s), ops_expand(b, &s));
}

/* x without the turn of its last two axes, or with it. */
static cr_node turned(cr_node x) {
    cr_node a = graph_get(x)->op == OP_permute ? cr_operand(x, 0) : x;
    return !cr_same(a, x) && cr_same(cr_t(a), x) ? a : cr_t(x);
}

/* (A B)' = B' A', the same sums, where this undoes a turn too: the gradient of what stands turned in a product needs no copy. */
static cr_node turned_product(cr_node x) {
    cr_node y = cr_operand(x, 0);
    if (graph_get(y)->op != OP_matmul || !cr_same(turned(x), y)) return x;
    cr_node a = cr_operand(y, 0), b = cr_operand(y, 1);
    if (graph_get(a)->op != OP_permute && graph_get(b)->op != OP_permute) return x;
    return cr_matmul(turned(b), turned(a));
}

/* One number combined with nothing. */
static cr_node lone(cr_node x) {
    cr_node a = cr_operand(x, 0);
    struct shape s = ops_shape(x);
    if (cr_dtype_of(a) != cr_dtype_of(x) || cr_count(a) != cr_count(x)) return x;
    return ops_reshape(a, &s);
}

/* Of operands that repeat the numbers of one smaller shape, the operation is done before repeating: 1/sum of a line, once. */
static cr_node before_repeating(struct rewrite *r, cr_node x) {
    const cr_graph *g = x.graph;
    const struct node *n = graph_get(x);
    struct shape small = {.rank = -1}, all = ops_shape(x);
    cr_node a[3];
    for (uint32_t i = 0; i < n->n; i++) {
        if (i >= 3 || graph_at(g, graph_args(g, n)[i])->op != OP_expand) return x;
        a[i] = cr_operand(cr_operand(x, (int)i), 0);
        struct shape s = ops_shape(a[i]);
        if (small.rank < 0 || cr_count(a[i]) > shape_count(small.rank, small.dim)) small = s;
    }
    if (n->n < 1 || shape_count(small.rank, small.dim) >= cr_count(x)) return x;
    for (uint32_t i = 0; i < n->n; i++) {
        if (!ops_has_shape(a[i], &small)) {
            if (cr_rank(a[i])) return x; /* another smaller shape */
            a[i] = ops_expand(a[i], &small);
        }
        if (!cr_ok(a[i])) return x;
    }
    cr_node y = ops_node(n->op, (cr_dtype)n->dtype, &small, (int)graph_attr_count(g, n), graph_attr(g, n),
                         (int)n->n, a);
    return cr_ok(y) ? ops_expand(rewrite_fold(r, y), &all) : x;
}

static cr_node sum_or_repeated(struct rewrite *r, cr_node x) {
    cr_node y = graph_get(x)->op == OP_add ? rewrite_join(r, x) : x;
    return cr_same(x, y) ? before_repeating(r, x) : y;
}

/* x without its leading axis, which is of size 1, or with one. */
static cr_node without_row(cr_node x) { return cr_reshape(x, cr_rank(x) - 1, cr_dims(x) + 1); }

static cr_node with_row(cr_node x) {
    int64_t dim[CR_MAX_RANK] = {1};
    for (int i = 0; i < cr_rank(x); i++) dim[i + 1] = cr_dims(x)[i];
    return cr_reshape(x, cr_rank(x) + 1, dim);
}

/* Result k of f for the operands x, each node in simple form. */
static cr_node inlined(struct rewrite *r, const cr_function *f, const cr_node x[], int k) {
    size_t bytes = mem_mul(f->g->count, sizeof(uint32_t));
    uint32_t *map = mem_zero(&r->g->mem, bytes);
    if (!map) return graph_error_node(r->g);
    for (uint32_t i = 0; i < f->n_in; i++) map[f->in[i]] = x[i].id;
    for (uint32_t id = 1; id < f->g->count && !r->g->status; id++)
        if (!map[id]) map[id] = rewrite_node(r, graph_copy_node(r->g, f->g, id, map)).id;
    uint32_t y = map[f->out[k]];
    mem_free(&r->g->mem, map, bytes);
    return r->g->status ? graph_error_node(r->g) : graph_handle(r->g, y);
}

/* Part k of a loop of one step. x: room for the operands of its body. */
static cr_node step_part(struct rewrite *r, cr_node loop, const struct loop_attr *l, int k, cr_node x[]) {
    const cr_function *f = control_function(loop.graph, graph_get(loop), 0);
    if (k == loop_count(f, l)) return ops_scalar(loop.graph, CR_I64, 1);
    for (uint32_t i = 0; i < f->n_in; i++) {
        bool row = i >= (uint32_t)l->carry && i < (uint32_t)(l->carry + l->xs);
        x[i] = cr_operand(loop, (int)i);
        if (row) x[i] = rewrite_node(r, without_row(x[i]));
    }
    if (k >= loop_kept(f)) return with_row(x[k - loop_kept(f)]);
    cr_node y = inlined(r, f, x, k);
    return k < l->carry ? y : with_row(y);
}

/* A variable would be another in each copy, and all that is made of it. A body is copied for each part that is read: of functions in
 * functions there would be as many copies as their numbers of parts multiplied. */
static bool may_be_copied(const cr_graph *g) {
    for (uint32_t id = 1; id < g->count; id++) {
        int op = graph_at(g, id)->op;
        if (op == OP_variable || op_kind(op) == KIND_CONTROL) return false;
    }
    return true;
}

/* A loop of one step is its body: nothing is handed from step to step, and what others compute too is computed once. */
static cr_node only_step(struct rewrite *r, cr_node x) {
    cr_node loop = cr_operand(x, 0);
    const struct node *n = graph_get(loop);
    if (n->op != OP_scan) return x;
    const struct loop_attr l = loop_attr(x.graph, n);
    const cr_function *f = control_function(x.graph, n, 0);
    if (l.n != 1 || l.counted || control_function(x.graph, n, 1) || f->callback || !may_be_copied(f->g))
        return x;
    size_t bytes = mem_mul(f->n_in, sizeof(cr_node));
    cr_node *room = mem_alloc(&x.graph->mem, bytes);
    if (!room) return x;
    cr_node part = step_part(r, loop, &l, (int)graph_attr(x.graph, graph_get(x))[0], room);
    mem_free(&x.graph->mem, room, bytes);
    return part;
}

cr_node rewrite_run(struct rewrite *r, cr_node x) {
    const struct node *n = graph_get(x);
    cr_node y = !r->to_run                      ? x
                : n->op == OP_matmul            ? outer_product(x)
                : n->op == OP_permute           ? turned_product(x)
                : n->op == OP_part              ? only_step(r, x)
                : op_kind(n->op) == KIND_REDUCE ? lone(x)
                : op_kind(n->op) == KIND_ELEM   ? sum_or_repeated(r, x)
                                                : x;
    return cr_ok(y) && !cr_same(x, y) ? rewrite_fit(r, y, x) : x;
}
