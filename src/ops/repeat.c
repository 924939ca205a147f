/* Composites that repeat or rotate what is there: slices, joined. */
#include "ops/build.h"

cr_node cr_roll(cr_node x, int64_t n, int axis) {
    if (!ops_good("roll", 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis("roll", x, axis);
    if (!at) return graph_error_node(x.graph);
    int64_t size = cr_dims(x)[cr_rank(x) + at], back = size ? n % size : 0;
    if (back < 0) back += size;
    if (back == 0) return x;
    cr_node last = ops_slice_axis(x, at, size - back, 1, back),
            first = ops_slice_axis(x, at, 0, 1, size - back);
    return cr_concat(2, (cr_node[]){last, first}, at);
}

/* The product of two sizes, or -1 where it is none. */
static int64_t sized(int64_t a, int64_t b) { return b < 0 || (a && b > INT64_MAX / a) ? -1 : a * b; }

/* x with a new axis before `at` (after it: -1 of `at`) repeated n times, and both made one. */
static cr_node repeated(const char *op, cr_node x, int64_t n, int axis, bool each) {
    struct shape one = ops_shape(x), wide, flat = one;
    int k = one.rank + axis;
    flat.dim[k] = sized(one.dim[k], n);
    if (flat.dim[k] < 0)
        return graph_fail(x.graph, CR_EINVAL, op, "axis %d of size %lld, %lld times", k,
                          (long long)one.dim[k], (long long)n);
    if (n == 1) return x;
    if (one.rank >= CR_MAX_RANK) return graph_fail(x.graph, CR_ELIMIT, op, "rank %d", one.rank);
    int place = each ? k + 1 : k;
    for (int i = one.rank++; i > place; i--) one.dim[i] = one.dim[i - 1];
    one.dim[place] = 1;
    wide = one;
    wide.dim[place] = n;
    return ops_reshape(ops_expand(ops_reshape(x, &one), &wide), &flat);
}

cr_node cr_repeat(cr_node x, int64_t n, int axis) {
    if (!ops_good("repeat", 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis("repeat", x, axis);
    return at ? repeated("repeat", x, n, at, true) : graph_error_node(x.graph);
}

cr_node cr_tile(cr_node x, int rank, const int64_t dims[]) {
    if (!ops_good("tile", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    if (rank < s.rank || rank > CR_MAX_RANK || (rank && !dims))
        return graph_fail(x.graph, CR_EAXIS, "tile", "expected a count for each of %d axes or more, found %d",
                          s.rank, rank);
    struct shape wide = {.rank = rank};
    for (int i = 0; i < rank; i++) wide.dim[i] = i < rank - s.rank ? 1 : s.dim[i - (rank - s.rank)];
    x = ops_reshape(x, &wide);
    for (int i = 0; i < rank && cr_ok(x); i++) x = repeated("tile", x, dims[i], i - rank, false);
    return x;
}

/* ---- Padding with what is there ---- */

enum border { REFLECT, REPLICATE, CIRCULAR };

/* What stands before the axis (first) or after it: n elements. */
static cr_node border(cr_node x, int at, enum border how, bool first, int64_t n) {
    struct shape s = ops_shape(x);
    int64_t size = s.dim[s.rank + at];
    if (how == REFLECT) return ops_slice_axis(x, at, first ? n : size - 2, -1, n);
    if (how == CIRCULAR) return ops_slice_axis(x, at, first ? size - n : 0, 1, n);
    s.dim[s.rank + at] = n;
    return ops_expand(ops_slice_axis(x, at, first ? 0 : size - 1, 1, 1), &s);
}

static cr_node padded_axis(const char *op, cr_node x, int at, enum border how, int64_t before,
                           int64_t after) {
    int64_t size = cr_dims(x)[cr_rank(x) + at], wider = before > after ? before : after;
    int64_t most = how == REFLECT ? size - 1 : how == CIRCULAR ? size : size ? INT64_C(1) << 56 : 0;
    if (before < 0 || after < 0 || wider > most)
        return graph_fail(x.graph, CR_EINVAL, op,
                          "axis %d of size %lld takes widths of 0 .. %lld, found %lld and %lld",
                          cr_rank(x) + at, (long long)size, (long long)(most < 0 ? 0 : most),
                          (long long)before, (long long)after);
    cr_node parts[3];
    int n = 0;
    if (before) parts[n++] = border(x, at, how, true, before);
    parts[n++] = x;
    if (after) parts[n++] = border(x, at, how, false, after);
    return cr_concat(n, parts, at);
}

static cr_node padded(const char *op, cr_node x, enum border how, int n, const int64_t before[],
                      const int64_t after[]) {
    if (!ops_good(op, 1, &x)) return graph_error_node(x.graph);
    if (n != cr_rank(x) || (n && (!before || !after)))
        return graph_fail(x.graph, CR_EAXIS, op, "expected before and after for each of %d axes, found %d",
                          cr_rank(x), n);
    for (int i = 0; i < n && cr_ok(x); i++)
        if (before[i] || after[i]) x = padded_axis(op, x, i - n, how, before[i], after[i]);
    return x;
}

cr_node cr_pad_reflect(cr_node x, int n, const int64_t before[], const int64_t after[]) {
    return padded("pad_reflect", x, REFLECT, n, before, after);
}

cr_node cr_pad_replicate(cr_node x, int n, const int64_t before[], const int64_t after[]) {
    return padded("pad_replicate", x, REPLICATE, n, before, after);
}

cr_node cr_pad_circular(cr_node x, int n, const int64_t before[], const int64_t after[]) {
    return padded("pad_circular", x, CIRCULAR, n, before, after);
}
