/* Words of the derivative column that are longer than an expression. */
#include "grad/helpers.h"

#define NUM(v) cr_number(a.graph, v)

/* ---- Elementwise ---- */

/* n a^(n-1): 0 for n = 0, 1 for n = 1, and 2*a, not 2*a^1, for n = 2. */
cr_node powi_local(cr_node a, int64_t n) {
    if (n == 0 || n == 1) return NUM((double)n);
    cr_node power = n == 2 ? a : cr_powi(a, n - 1);
    return cr_mul(NUM((double)n), power);
}

/* c_k' = (k c_(k+2) - c_(k+1)) / 2. */
cr_node stumpff_local(cr_node a, int64_t n) {
    cr_node next = cr_stumpff(a, n + 1);
    if (n == 0) return cr_mul(NUM(-0.5), next);
    return cr_mul(NUM(0.5), cr_sub(cr_mul(NUM((double)n), cr_stumpff(a, n + 2)), next));
}

/* b a^(b-1), and 0 for b = 0 although a^(-1) may be inf. */
cr_node pow_local_base(cr_node a, cr_node b) {
    double power;
    cr_node d = cr_mul(b, cr_pow(a, cr_sub(b, NUM(1))));
    if (ops_literal(b, &power) && power != 0) return d;
    return cr_where(cr_ne(b, NUM(0)), d, NUM(0));
}

/* y log a, and 0 at a = 0. */
cr_node pow_local_exponent(cr_node a, cr_node y) {
    return cr_where(cr_ne(a, NUM(0)), cr_mul(y, cr_log(a)), NUM(0));
}

/* Numbers of a's dtype: a choice between literals alone would have the default float's. */
cr_node tie_local(cr_node a, cr_node other) {
    cr_node half = ops_scalar(a.graph, cr_dtype_of(a), 0.5), one = ops_scalar(a.graph, cr_dtype_of(a), 1);
    return cr_where(cr_le(other, a), cr_where(cr_eq(a, other), half, one), NUM(0));
}

cr_node unit_local(cr_node a, cr_node y) { return cr_where(cr_ne(y, NUM(0)), cr_div(a, y), NUM(0)); }

/* ---- Shapes ---- */

cr_node like_shape(cr_node g, cr_node a) {
    struct shape s = ops_shape(a);
    return ops_reshape(g, &s);
}

cr_node sum_to(cr_node g, cr_node a) {
    struct shape s = ops_shape(a);
    cr_node sum;
    return sum_about_mean(g, &s, &sum) ? sum : ops_sum_to(g, &s);
}

static const int64_t *attributes(cr_node y) { return graph_attr(y.graph, graph_get(y)); }

static int reduced_axes(cr_node y, int axes[]) {
    int n = (int)graph_attr_count(y.graph, graph_get(y));
    for (int i = 0; i < n; i++) axes[i] = (int)attributes(y)[i];
    return n;
}

cr_node unreduce(cr_node g, cr_node y, cr_node a) {
    struct shape s = ops_shape(a), kept = s;
    int axes[CR_MAX_RANK], n = reduced_axes(y, axes);
    for (int i = 0; i < n; i++) kept.dim[s.rank + axes[i]] = 1;
    return ops_expand(ops_reshape(g, &kept), &s);
}

cr_node reduce_sum(cr_node y, cr_node x) {
    int axes[CR_MAX_RANK], n = reduced_axes(y, axes);
    return cr_sum(x, n, axes, false);
}

cr_node permute_back(cr_node g, cr_node y) {
    int rank = cr_rank(y), order[CR_MAX_RANK];
    for (int i = 0; i < rank; i++) order[attributes(y)[rank - 1 - i] + rank] = i;
    return cr_permute(g, rank, order);
}

static void slice_attributes(cr_node y, int64_t start[], int64_t step[]) {
    int rank = cr_rank(y);
    for (int i = 0; i < rank; i++) {
        start[i] = attributes(y)[2 * (rank - 1 - i)];
        step[i] = attributes(y)[2 * (rank - 1 - i) + 1];
    }
}

cr_node slice_back(cr_node g, cr_node y, cr_node a) {
    int64_t start[CR_MAX_RANK], step[CR_MAX_RANK];
    struct shape s = ops_shape(a);
    slice_attributes(y, start, step);
    return ops_unslice(g, start, step, &s);
}

cr_node unslice_back(cr_node g, cr_node y, cr_node a) {
    int64_t start[CR_MAX_RANK], step[CR_MAX_RANK];
    struct shape s = ops_shape(a);
    slice_attributes(y, start, step);
    return ops_slice(g, start, step, &s);
}

/* The same windows of an operand whose windowed axes, or windows, are as those of a. */
static cr_node windowed(cr_node (*op)(cr_node, int, const int64_t[], const int64_t[], const int64_t[]),
                        cr_node g, cr_node y, const int64_t size[]) {
    int64_t stride[CR_MAX_RANK], dilation[CR_MAX_RANK];
    int n = (int)graph_attr_count(y.graph, graph_get(y)) / 3;
    for (int i = 0; i < n; i++) {
        stride[i] = attributes(y)[3 * (n - 1 - i) + 1];
        dilation[i] = attributes(y)[3 * (n - 1 - i) + 2];
    }
    return op(g, n, size, stride, dilation);
}

/* What arrives of a mask is counted: in i32, where there are no more numbers than that holds. */
cr_node window_back(cr_node g, cr_node y, cr_node a) {
    if (cr_ok(g) && cr_dtype_of(g) == CR_BOOL && cr_count(y) <= INT32_MAX) g = cr_cast(g, CR_I32);
    return windowed(cr_window_add, g, y, cr_dims(a) + cr_rank(a) - (cr_rank(y) - cr_rank(a)));
}

/* Of the places that there are, those that were added. No window at all may be longer than the axis. */
cr_node window_add_back(cr_node g, cr_node y, cr_node a) {
    int64_t start[CR_MAX_RANK] = {0}, step[CR_MAX_RANK];
    struct shape s = ops_shape(a);
    if (!cr_count(a)) return ops_zeros(g.graph, cr_dtype_of(g), &s);
    for (int i = 0; i < s.rank; i++) step[i] = 1;
    return ops_slice(windowed(cr_window, g, y, cr_dims(a) + cr_rank(y)), start, step, &s);
}

/* Where operand k starts in the joined axis. */
static int64_t concat_start(cr_node y, int axis, int k) {
    int64_t start = 0;
    for (int i = 0; i < k; i++) {
        cr_node x = cr_operand(y, i);
        start += cr_dims(x)[cr_rank(x) + axis];
    }
    return start;
}

cr_node concat_back(cr_node g, cr_node y, int k) {
    int axis = (int)attributes(y)[0];
    cr_node x = cr_operand(y, k);
    return ops_slice_axis(g, axis, concat_start(y, axis, k), 1, cr_dims(x)[cr_rank(x) + axis]);
}

cr_node concat_place(cr_node t, cr_node y, int k) {
    int64_t start[CR_MAX_RANK] = {0}, step[CR_MAX_RANK];
    struct shape s = ops_shape(y);
    int axis = (int)attributes(y)[0];
    for (int i = 0; i < s.rank; i++) step[i] = 1;
    start[s.rank + axis] = concat_start(y, axis, k);
    return ops_unslice(t, start, step, &s);
}

/* ---- Reductions ---- */

/* Ties share: the mask of those that equal the result, over how many they are. */
static cr_node winners(cr_node y, cr_node a) { return cr_eq(a, unreduce(y, y, a)); }

static cr_node winner_count(cr_node y, cr_node a) {
    return cr_cast(reduce_sum(y, winners(y, a)), cr_dtype_of(a));
}

cr_node tie_vjp(cr_node g, cr_node y, cr_node a) {
    return cr_where(winners(y, a), unreduce(cr_div(g, winner_count(y, a)), y, a), NUM(0));
}

cr_node tie_jvp(cr_node t, cr_node y, cr_node a) {
    return cr_div(reduce_sum(y, cr_where(winners(y, a), t, NUM(0))), winner_count(y, a));
}

/* ---- Along an axis ---- */

/* z moved one place along the axis: forwards, so that element k gets k-1 and the first 0, or backwards. */
static cr_node shifted(cr_node z, int axis, bool forwards) {
    struct shape s = ops_shape(z);
    int64_t n = s.dim[s.rank + axis], start[CR_MAX_RANK] = {0}, step[CR_MAX_RANK];
    if (n == 0) return z;
    for (int i = 0; i < s.rank; i++) step[i] = 1;
    start[s.rank + axis] = forwards && n > 1;
    return ops_unslice(ops_slice_axis(z, axis, !forwards && n > 1, 1, n - 1), start, step, &s);
}

static int axis_of(cr_node y) { return (int)attributes(y)[0]; }
static bool reversed(cr_node y) { return attributes(y)[1] != 0; }

cr_node cumsum_back(cr_node g, cr_node y) { return cr_cumsum(g, axis_of(y), !reversed(y)); }

/* lambda_k = g_k + a_(k+1) lambda_(k+1). */
cr_node recur_back(cr_node g, cr_node y, cr_node a) {
    return cr_recur(shifted(a, axis_of(y), reversed(y)), g, axis_of(y), !reversed(y));
}

cr_node recur_mask(cr_node m, cr_node y, bool back) { return cr_cumsum(m, axis_of(y), reversed(y) != back); }

cr_node recur_before(cr_node y, cr_node z) { return shifted(z, axis_of(y), !reversed(y)); }

cr_node recur_again(cr_node y, cr_node a, cr_node b) { return cr_recur(a, b, axis_of(y), reversed(y)); }

/* Products of all before (or after) each element of the last axis: e_k = x_(k-1) e_(k-1), e_0 = 1. */
static cr_node exclusive_product(cr_node a, bool backwards) {
    struct shape s = ops_shape(a);
    int64_t n = s.dim[s.rank - 1];
    cr_node first = cr_eq(cr_iota(a.graph, n), NUM(backwards ? (double)(n - 1) : 0));
    cr_node start = ops_expand(cr_cast(first, cr_dtype_of(a)), &s);
    return cr_recur(shifted(a, -1, !backwards), start, -1, backwards);
}

/* No division, so that zeros do no harm. The axes go last and become one. */
cr_node prod_others(cr_node y, cr_node a) {
    struct shape s = ops_shape(a), flat = {0};
    int axes[CR_MAX_RANK], n = reduced_axes(y, axes), order[CR_MAX_RANK], back[CR_MAX_RANK], k = 0;
    bool gone[CR_MAX_RANK] = {false};
    if (cr_count(a) == 0) return a;
    for (int i = 0; i < n; i++) gone[s.rank + axes[i]] = true;
    for (int i = 0; i < s.rank; i++)
        if (!gone[i]) order[k++] = i, flat.dim[flat.rank++] = s.dim[i];
    flat.dim[flat.rank++] = 1;
    for (int i = 0; i < s.rank; i++)
        if (gone[i]) order[k++] = i, flat.dim[flat.rank - 1] *= s.dim[i];
    for (int i = 0; i < s.rank; i++) back[order[i]] = i;
    cr_node moved = cr_permute(a, s.rank, order);
    struct shape apart = ops_shape(moved);
    cr_node line = ops_reshape(moved, &flat);
    cr_node others = cr_mul(exclusive_product(line, false), exclusive_product(line, true));
    return cr_permute(ops_reshape(others, &apart), s.rank, back);
}

/* ---- By indices ---- */

/* One index for each line of a, its last axis: what a line gets stands where the index is, which is elementwise and so
 * becomes part of loops beside it. */
cr_node gather_back(cr_node g, cr_node y, cr_node a, cr_node index) {
    int batch = cr_rank(index) - (int)attributes(y)[0];
    if (batch > 0 && batch == cr_rank(index) && batch == cr_rank(a) - 1)
        return cr_where(ops_is_index(index, cr_dims(a)[batch]), cr_expand_dims(g, -1), NUM(0));
    return cr_scatter_add(g, index, cr_dims(a)[batch], batch);
}

int scatter_batch(cr_node y) { return cr_rank(cr_operand(y, 1)) - (int)attributes(y)[0]; }

cr_node sort_back(cr_node g, cr_node y) {
    int rank = cr_rank(y);
    return cr_scatter_add(g, cr_part(y, 1), cr_dims(y)[rank - 1], rank - 1);
}

cr_node sort_along(cr_node t, cr_node y, int part) {
    return part == 0 ? cr_gather(t, cr_part(y, 1), cr_rank(y) - 1) : graph_error_node(y.graph);
}
