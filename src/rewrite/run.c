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

/* One number combined with nothing. */
static cr_node lone(cr_node x) {
    cr_node a = cr_operand(x, 0);
    struct shape s = ops_shape(x);
    if (cr_dtype_of(a) != cr_dtype_of(x) || cr_count(a) != cr_count(x)) return x;
    return ops_reshape(a, &s);
}

cr_node rewrite_run(struct rewrite *r, cr_node x) {
    const struct node *n = graph_get(x);
    cr_node y = !r->to_run                      ? x
                : n->op == OP_matmul            ? outer_product(x)
                : op_kind(n->op) == KIND_REDUCE ? lone(x)
                                                : x;
    return cr_ok(y) && !cr_same(x, y) ? rewrite_fit(r, y, x) : x;
}
