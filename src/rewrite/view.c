/* A view of a view is one view, every bit of it. */
#include "rewrite/rewrite.h"

#include "ops/build.h"

/* permute(permute(x)): for each axis, last first, where it comes from, counted from the end. */
static cr_node permuted_twice(cr_node outer, cr_node inner) {
    const struct node *o = graph_get(outer), *i = graph_get(inner);
    int rank = graph_rank(outer.graph, o), axes[CR_MAX_RANK];
    for (int k = 0; k < rank; k++) {
        int64_t middle = graph_attr(outer.graph, o)[k];
        axes[rank - 1 - k] = (int)graph_attr(outer.graph, i)[-1 - middle];
    }
    return cr_permute(cr_operand(inner, 0), rank, axes);
}

/* One number, repeated to whatever shape. */
static bool number_repeated(int outer, int inner, cr_node x) {
    bool both = (outer == OP_expand && inner == OP_reshape) || (outer == OP_reshape && inner == OP_expand);
    return both && cr_rank(x) == 0;
}

cr_node rewrite_views(struct rewrite *r, cr_node x) {
    int outer = graph_get(x)->op;
    if (outer != OP_permute && outer != OP_reshape && outer != OP_expand) return x;
    cr_node a = cr_operand(x, 0), b = cr_operand(a, 0);
    int inner = graph_get(a)->op;
    struct shape s = ops_shape(x);
    if (rewrite_opaque(r, a.id)) return x;
    if (outer == OP_permute && inner == OP_permute) return permuted_twice(x, a);
    if (outer == OP_reshape && inner == OP_reshape) return ops_reshape(b, &s);
    if (number_repeated(outer, inner, b) || (outer == OP_expand && inner == OP_expand))
        return ops_expand(b, &s);
    return x;
}
