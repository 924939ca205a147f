/* Reductions over axes. The node's attributes are the axes, counted from the end, ascending. */
#include "ops/build.h"

#include "tensor/dtype.h"

static cr_node reduce(int op, cr_node x, int n, const int axes[], bool keep) {
    bool reduced[CR_MAX_RANK];
    int64_t attr[CR_MAX_RANK];
    int n_attr = 0;
    if (!ops_good(op_name(op), 1, &x) || !ops_mark_axes(op_name(op), x, n, axes, reduced))
        return graph_error_node(x.graph);
    struct shape s = ops_shape(x), kept = s, left = {0};
    for (int i = 0; i < s.rank; i++) {
        if (reduced[i]) attr[n_attr++] = i - s.rank, kept.dim[i] = 1;
        else left.dim[left.rank++] = s.dim[i];
    }
    if (ops_row(op)->dtype == DTYPE_NUMBER || dtype_is_half(cr_dtype_of(x))) x = ops_arithmetic(x, false);
    if (!cr_ok(x)) return graph_error_node(x.graph);
    cr_node y = n_attr ? ops_node(op, cr_dtype_of(x), &left, n_attr, attr, 1, &x) : x;
    return keep ? ops_reshape(y, &kept) : y;
}

#define REDUCTION(name)                                                \
    cr_node cr_##name(cr_node x, int n, const int axes[], bool keep) { \
        return reduce(OP_##name, x, n, axes, keep);                    \
    }
REDUCTION(sum)
REDUCTION(prod)
REDUCTION(max)
REDUCTION(min)

cr_node cr_any(cr_node x, int n, const int axes[], bool keep) {
    if (!ops_good("any", 1, &x)) return graph_error_node(x.graph);
    return cr_max(ops_to_dtype(x, CR_BOOL), n, axes, keep);
}

cr_node cr_all(cr_node x, int n, const int axes[], bool keep) {
    if (!ops_good("all", 1, &x)) return graph_error_node(x.graph);
    return cr_min(ops_to_dtype(x, CR_BOOL), n, axes, keep);
}

/* The last axis is the one that goes; the kernel sees no other. */
static cr_node arg_extreme(int op, cr_node x, int axis) {
    if (!ops_good(op_name(op), 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis(op_name(op), x, axis);
    if (!at) return graph_error_node(x.graph);
    cr_node last = ops_move_axis(ops_arithmetic(x, false), at, -1);
    struct shape s = ops_shape(last);
    if (!cr_ok(last)) return last;
    if (s.dim[s.rank - 1] == 0)
        return graph_fail(x.graph, CR_ESHAPE, op_name(op), "axis %d has size 0", axis);
    s.rank--;
    return ops_node(op, CR_I64, &s, 0, NULL, 1, &last);
}

cr_node cr_argmax(cr_node x, int axis) { return arg_extreme(OP_argmax, x, axis); }

cr_node cr_argmin(cr_node x, int axis) { return arg_extreme(OP_argmin, x, axis); }

cr_node ops_sum_to(cr_node x, const struct shape *s) {
    struct shape from = ops_shape(x);
    int axes[CR_MAX_RANK], n = 0;
    for (int i = 0; i < from.rank; i++) {
        int j = i - (from.rank - s->rank); /* the same axis in s, counted from the end */
        if (j < 0 || (s->dim[j] == 1 && from.dim[i] != 1)) axes[n++] = i - from.rank;
    }
    return ops_reshape(n ? cr_sum(x, n, axes, false) : x, s);
}

/* ---- Along an axis: the node's attributes are the axis from the end, and whether it runs backwards ---- */

cr_node cr_cumsum(cr_node x, int axis, bool flag) {
    if (!ops_good("cumsum", 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis("cumsum", x, axis);
    x = ops_arithmetic(x, false);
    if (!at || !cr_ok(x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    return ops_node(OP_cumsum, cr_dtype_of(x), &s, 2, (int64_t[]){at, flag}, 1, &x);
}

cr_node cr_recur(cr_node x, cr_node y, int axis, bool flag) {
    cr_node both[2] = {x, y};
    if (!ops_good("recur", 2, both) || !ops_align(OP_recur, 2, both)) return graph_error_node(x.graph);
    int at = ops_axis("recur", both[0], axis);
    if (!at) return graph_error_node(x.graph);
    struct shape s = ops_shape(both[0]);
    return ops_node(OP_recur, cr_dtype_of(both[0]), &s, 2, (int64_t[]){at, flag}, 2, both);
}

/* p_k = x_k p_(k-1): the recurrence whose driving term is x at the start and 0 elsewhere. */
cr_node cr_cumprod(cr_node x, int axis, bool flag) {
    x = ops_arithmetic(x, false);
    if (!ops_good("cumprod", 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis("cumprod", x, axis);
    if (!at) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    int64_t n = s.dim[s.rank + at];
    if (n == 0) return x;
    struct shape line = {.rank = -at};
    for (int i = 0; i < -at; i++) line.dim[i] = i ? 1 : n;
    cr_node place = ops_reshape(cr_iota(x.graph, n), &line);
    cr_node first = cr_eq(place, cr_number(x.graph, flag ? (double)(n - 1) : 0));
    return cr_recur(x, cr_where(ops_expand(first, &s), x, ops_zeros(x.graph, cr_dtype_of(x), &s)), at, flag);
}
