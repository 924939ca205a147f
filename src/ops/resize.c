/* Composites that change the sizes of the last axes, axis by axis: pools of a given number of places, and interpolation. */
#include "ops/build.h"

#include <math.h>

#define NUM(v) cr_number(x.graph, v)

/* One axis, x being [.., n], to [.., m]. */
typedef cr_node axis_fn(cr_node x, int64_t n, int64_t m, bool flag);

static cr_node each_axis(const char *op, cr_node x, int rank, const int64_t dims[], bool flag, axis_fn *f) {
    if (!ops_good(op, 1, &x)) return graph_error_node(x.graph);
    if (rank < 0 || rank > cr_rank(x) || (rank && !dims))
        return graph_fail(x.graph, CR_EAXIS, op, "%d sizes of rank %d", rank, cr_rank(x));
    x = ops_arithmetic(x, true);
    for (int i = 0; i < rank && cr_ok(x); i++) {
        int at = i - rank;
        int64_t n = cr_dims(x)[cr_rank(x) + at], m = dims[i];
        if (m < 0 || m > INT32_MAX || n > INT32_MAX || (n == 0 && m > 0))
            return graph_fail(x.graph, CR_EINVAL, op, "an axis of size %lld to %lld", (long long)n,
                              (long long)m);
        x = ops_move_axis(f(ops_move_axis(x, at, -1), n, m, flag), -1, at);
    }
    return x;
}

/* ---- Adaptive pools: place i is over the elements from floor(i n/m) to ceil((i + 1) n/m), as PyTorch divides them ---- */

/* [m, n]: is element k in place i? */
static cr_node inside(cr_graph *g, int64_t n, int64_t m) {
    struct shape column = {.rank = 2, .dim = {m, 1}};
    cr_node i = ops_reshape(cr_iota(g, m), &column), k = cr_expand_dims(cr_iota(g, n), 0);
    cr_node size = cr_number(g, (double)n), places = cr_number(g, (double)m), one = cr_number(g, 1);
    cr_node first = cr_floordiv(cr_mul(i, size), places);
    cr_node end = cr_neg(cr_floordiv(cr_neg(cr_mul(cr_add(i, one), size)), places));
    return cr_and(cr_le(first, k), cr_lt(k, end));
}

/* As a product with a matrix of weights. */
static cr_node mean_places(cr_node x, int64_t n, int64_t m, bool flag) {
    (void)flag;
    cr_node in = cr_cast(inside(x.graph, n, m), cr_dtype_of(x));
    return cr_matmul(x, cr_t(cr_div(in, cr_sum(in, 1, (int[]){-1}, true))));
}

static cr_node max_places(cr_node x, int64_t n, int64_t m, bool flag) {
    (void)flag;
    struct shape s = ops_shape(x);
    if (s.rank == CR_MAX_RANK) return graph_fail(x.graph, CR_ELIMIT, "adaptive_max_pool", "rank %d", s.rank);
    s.dim[s.rank - 1] = m, s.dim[s.rank++] = n;
    cr_node all = cr_where(ops_expand(inside(x.graph, n, m), &s), ops_expand(cr_expand_dims(x, -2), &s),
                           NUM(-HUGE_VAL));
    if (!cr_ok(all)) return all;
    cr_node first = cr_argmax(all, -1);
    return cr_gather(all, first, cr_rank(first));
}

cr_node cr_adaptive_avg_pool(cr_node x, int rank, const int64_t dims[]) {
    return each_axis("adaptive_avg_pool", x, rank, dims, false, mean_places);
}

cr_node cr_adaptive_max_pool(cr_node x, int rank, const int64_t dims[]) {
    return each_axis("adaptive_max_pool", x, rank, dims, false, max_places);
}

/* ---- Interpolation ---- */

/* Element i of m is the one at floor(i n/m). */
static cr_node nearest(cr_node x, int64_t n, int64_t m, bool flag) {
    (void)flag;
    cr_node i = cr_floordiv(cr_mul(cr_iota(x.graph, m), NUM((double)n)), NUM((double)m));
    return cr_take(x, i, -1);
}

/* Element i stands at i (n-1)/(m-1) where corners stay corners, else at (i + 1/2) n/m - 1/2, not before the first. */
static cr_node linear(cr_node x, int64_t n, int64_t m, bool corners) {
    cr_node i = cr_cast(cr_iota(x.graph, m), cr_dtype_of(x));
    double step = !corners ? (double)n / (double)m : m > 1 ? (double)(n - 1) / (double)(m - 1) : 0;
    cr_node at = corners ? cr_mul(i, NUM(step)) : cr_sub(cr_mul(cr_add(i, NUM(0.5)), NUM(step)), NUM(0.5));
    at = cr_clip(at, 0, (double)(n - 1));
    cr_node low = cr_cast(cr_floor(at), CR_I64), high = cr_minimum(cr_add(low, NUM(1)), NUM((double)(n - 1)));
    return cr_lerp(cr_take(x, low, -1), cr_take(x, high, -1), cr_sub(at, cr_floor(at)));
}

cr_node cr_resize_nearest(cr_node x, int rank, const int64_t dims[]) {
    return each_axis("resize_nearest", x, rank, dims, false, nearest);
}

cr_node cr_resize_linear(cr_node x, int rank, const int64_t dims[], bool flag) {
    return each_axis("resize_linear", x, rank, dims, flag, linear);
}
