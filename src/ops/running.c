/* Composites that run along an axis. What has no recurrence of one product and one sum is doubled: after step k each element has what
 * it and the 2^k - 1 before it come to, so log2 n steps make all of it. */
#include "ops/build.h"

#include <math.h>

typedef cr_node combine_fn(cr_node x, cr_node y);

/* x moved d places along the axis, what comes in filled. */
static cr_node moved(cr_node x, int at, int64_t d, bool reverse, double fill) {
    struct shape s = ops_shape(x), gap = s;
    int64_t n = s.dim[s.rank + at];
    gap.dim[s.rank + at] = d;
    cr_node rest = ops_slice_axis(x, at, reverse ? d : 0, 1, n - d);
    cr_node hole = ops_expand(ops_scalar(x.graph, cr_dtype_of(x), fill), &gap);
    return cr_concat(2, reverse ? (cr_node[]){rest, hole} : (cr_node[]){hole, rest}, at);
}

static cr_node running(const char *op, cr_node x, int axis, bool reverse, combine_fn *combine,
                       double neutral) {
    if (!ops_good(op, 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis(op, x, axis);
    x = ops_arithmetic(x, true);
    if (!at || !cr_ok(x)) return graph_error_node(x.graph);
    int64_t n = cr_dims(x)[cr_rank(x) + at];
    for (int64_t d = 1; d < n && cr_ok(x); d *= 2) x = combine(moved(x, at, d, reverse, neutral), x);
    return x;
}

cr_node cr_logcumsumexp(cr_node x, int axis, bool flag) {
    return running("logcumsumexp", x, axis, flag, cr_logaddexp, -HUGE_VAL);
}

cr_node cr_cummax(cr_node x, int axis, bool flag) {
    return running("cummax", x, axis, flag, cr_maximum, -HUGE_VAL);
}

cr_node cr_cummin(cr_node x, int axis, bool flag) {
    return running("cummin", x, axis, flag, cr_minimum, HUGE_VAL);
}

cr_node cr_diff(cr_node x, int axis) {
    if (!ops_good("diff", 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis("diff", x, axis);
    if (!at) return graph_error_node(x.graph);
    int64_t n = cr_dims(x)[cr_rank(x) + at], left = n > 0 ? n - 1 : 0;
    return cr_sub(ops_slice_axis(x, at, n - left, 1, left), ops_slice_axis(x, at, 0, 1, left));
}
