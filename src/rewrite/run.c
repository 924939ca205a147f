/* What runs faster in another form that nobody wants to read: it joins the loops around it. */
#include "rewrite/rewrite.h"

#include "ops/build.h"

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

cr_node rewrite_run(struct rewrite *r, cr_node x) {
    const struct node *n = graph_get(x);
    cr_node y = !r->to_run                      ? x
                : n->op == OP_matmul            ? outer_product(x)
                : n->op == OP_permute           ? turned_product(x)
                : op_kind(n->op) == KIND_REDUCE ? lone(x)
                : op_kind(n->op) == KIND_ELEM   ? sum_or_repeated(r, x)
                                                : x;
    return cr_ok(y) && !cr_same(x, y) ? rewrite_fit(r, y, x) : x;
}
