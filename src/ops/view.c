/* Builders of views: the same numbers in another arrangement. Attributes count axes from the end, so that a new leading
 * axis changes none: permute has for each axis, last first, where it comes from; slice and unslice have start
 * and step, last first. */
#include "ops/build.h"

#include "tensor/dtype.h"

cr_node ops_reshape(cr_node x, const struct shape *s) {
    if (!ops_good("reshape", 1, &x)) return graph_error_node(x.graph);
    if (ops_has_shape(x, s)) return x;
    struct shape from = ops_shape(x);
    if (shape_count(s->rank, s->dim) != shape_count(from.rank, from.dim)) {
        struct shape_text a, b;
        return graph_fail(x.graph, CR_ESHAPE, "reshape", "%s does not have as many elements as %s",
                          ops_show(&a, s), ops_show(&b, &from));
    }
    return ops_node(OP_reshape, cr_dtype_of(x), s, 0, NULL, 1, &x);
}

/* One size may be -1: what is left. */
static bool infer_size(cr_node x, struct shape *s) {
    int open = -1;
    int64_t known = 1, count = cr_count(x);
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] != -1)
            known = s->dim[i] < 0 || (s->dim[i] && known > count / s->dim[i] + 1) ? -1 : known * s->dim[i];
        else if (open >= 0)
            return graph_fail(x.graph, CR_ESHAPE, "reshape", "only one size may be -1"), false;
        else open = i;
        if (known < 0) break;
    }
    if (open < 0) return true;
    if (known <= 0 || count % known) {
        graph_fail(x.graph, CR_ESHAPE, "reshape", "%lld elements do not divide into the sizes given",
                   (long long)count);
        return false;
    }
    s->dim[open] = count / known;
    return true;
}

static bool good_rank(cr_node x, const char *op, int rank, const void *sizes) {
    if (rank >= 0 && rank <= CR_MAX_RANK && (!rank || sizes)) return true;
    graph_fail(x.graph, CR_ELIMIT, op, "rank %d is outside of 0 .. %d", rank, CR_MAX_RANK);
    return false;
}

cr_node cr_reshape(cr_node x, int rank, const int64_t dims[]) {
    if (!ops_good("reshape", 1, &x) || !good_rank(x, "reshape", rank, dims)) return graph_error_node(x.graph);
    struct shape s = shape_of(rank, dims);
    return infer_size(x, &s) ? ops_reshape(x, &s) : graph_error_node(x.graph);
}

cr_node ops_expand(cr_node x, const struct shape *s) {
    if (!ops_good("expand", 1, &x)) return graph_error_node(x.graph);
    if (ops_has_shape(x, s)) return x;
    struct shape from = ops_shape(x);
    bool fits = from.rank <= s->rank;
    for (int k = 1; fits && k <= from.rank; k++) {
        int64_t d = from.dim[from.rank - k];
        fits = d == 1 || d == s->dim[s->rank - k];
    }
    if (fits) return ops_node(OP_expand, cr_dtype_of(x), s, 0, NULL, 1, &x);
    struct shape_text a, b;
    return graph_fail(x.graph, CR_ESHAPE, "expand", "%s does not repeat to %s", ops_show(&a, &from),
                      ops_show(&b, s));
}

cr_node cr_expand(cr_node x, int rank, const int64_t dims[]) {
    if (!ops_good("expand", 1, &x) || !good_rank(x, "expand", rank, dims)) return graph_error_node(x.graph);
    struct shape s = shape_of(rank, dims);
    return ops_expand(x, &s);
}

/* from[i]: which axis of x axis i of the result is. */
static cr_node permute(cr_node x, const int from[]) {
    struct shape s = ops_shape(x), out = s;
    int64_t attr[CR_MAX_RANK];
    bool same = true;
    for (int i = 0; i < s.rank; i++) {
        out.dim[i] = s.dim[from[i]];
        attr[s.rank - 1 - i] = from[i] - s.rank;
        same = same && from[i] == i;
    }
    return same ? x : ops_node(OP_permute, cr_dtype_of(x), &out, s.rank, attr, 1, &x);
}

cr_node cr_permute(cr_node x, int n, const int axes[]) {
    if (!ops_good("permute", 1, &x)) return graph_error_node(x.graph);
    int rank = cr_rank(x), from[CR_MAX_RANK];
    bool seen[CR_MAX_RANK] = {false};
    if (n != rank || (n && !axes))
        return graph_fail(x.graph, CR_EAXIS, "permute", "expected %d axes, found %d", rank, n);
    for (int i = 0; i < n; i++) {
        int axis = ops_axis("permute", x, axes[i]);
        if (!axis) return graph_error_node(x.graph);
        from[i] = axis + rank;
        if (seen[from[i]]) return graph_fail(x.graph, CR_EAXIS, "permute", "axis %d is given twice", axes[i]);
        seen[from[i]] = true;
    }
    return permute(x, from);
}

cr_node ops_move_axis(cr_node x, int from, int to) {
    int rank = cr_rank(x), order[CR_MAX_RANK], k = 0;
    if (!cr_ok(x)) return graph_error_node(x.graph);
    for (int i = 0; i < rank; i++) {
        if (i == to + rank) order[i] = from + rank;
        else {
            if (k == from + rank) k++;
            order[i] = k++;
        }
    }
    return permute(x, order);
}

cr_node cr_t(cr_node x) {
    if (!ops_good("t", 1, &x)) return graph_error_node(x.graph);
    if (cr_rank(x) < 2)
        return graph_fail(x.graph, CR_EAXIS, "t", "a transpose needs rank 2 or more, found rank %d",
                          cr_rank(x));
    return ops_move_axis(x, -2, -1);
}

/* Are start, start + step ... all inside of size? */
static bool inside(cr_node x, const char *op, int axis, int64_t start, int64_t step, int64_t count,
                   int64_t size) {
    if (count == 0) return true;
    int64_t span = count - 1;
    bool ok = count > 0 && start >= 0 && start < size && (span == 0 || step != 0) &&
              step > -INT32_MAX * INT64_C(1024) && step < INT32_MAX * INT64_C(1024);
    if (ok && span && step > 0) ok = span <= (size - 1 - start) / step;
    if (ok && span && step < 0) ok = span <= start / -step;
    if (!ok)
        graph_fail(x.graph, CR_EINDEX, op,
                   "axis %d of size %lld: start %lld, step %lld, count %lld reach outside", axis,
                   (long long)size, (long long)start, (long long)step, (long long)count);
    return ok;
}

static cr_node strided(int op, cr_node x, const int64_t start[], const int64_t step[],
                       const struct shape *out) {
    int64_t attr[2 * CR_MAX_RANK];
    struct shape s = ops_shape(x);
    bool whole = shape_equal(&s, out);
    for (int i = 0; i < s.rank; i++) {
        int64_t count = op == OP_slice ? out->dim[i] : s.dim[i],
                size = op == OP_slice ? s.dim[i] : out->dim[i];
        if (!inside(x, op_name(op), i, start[i], step[i], count, size)) return graph_error_node(x.graph);
        int64_t *at = &attr[2 * (s.rank - 1 - i)];
        at[0] = count ? start[i] : 0; /* one way to say one thing, so that equal slices merge */
        at[1] = count > 1 ? step[i] : 1;
        whole = whole && at[0] == 0 && at[1] == 1;
    }
    return whole ? x : ops_node(op, cr_dtype_of(x), out, 2 * s.rank, attr, 1, &x);
}

cr_node ops_slice(cr_node x, const int64_t start[], const int64_t step[], const struct shape *count) {
    return ops_good("slice", 1, &x) ? strided(OP_slice, x, start, step, count) : graph_error_node(x.graph);
}

cr_node ops_unslice(cr_node x, const int64_t start[], const int64_t step[], const struct shape *size) {
    return ops_good("unslice", 1, &x) ? strided(OP_unslice, x, start, step, size) : graph_error_node(x.graph);
}

static cr_node slice_of(int op, cr_node x, int n, const int64_t start[], const int64_t step[],
                        const int64_t size[]) {
    if (!ops_good(op_name(op), 1, &x)) return graph_error_node(x.graph);
    if (n != cr_rank(x) || (n && (!start || !step || !size)))
        return graph_fail(x.graph, CR_EAXIS, op_name(op),
                          "expected start, step and size for each of %d axes, found %d", cr_rank(x), n);
    struct shape s = shape_of(n, size);
    return strided(op, x, start, step, &s);
}

cr_node cr_slice(cr_node x, int n, const int64_t start[], const int64_t step[], const int64_t count[]) {
    return slice_of(OP_slice, x, n, start, step, count);
}

cr_node cr_unslice(cr_node x, int n, const int64_t start[], const int64_t step[], const int64_t count[]) {
    return slice_of(OP_unslice, x, n, start, step, count);
}

cr_node ops_slice_axis(cr_node x, int axis, int64_t start, int64_t step, int64_t count) {
    if (!cr_ok(x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    int64_t starts[CR_MAX_RANK], steps[CR_MAX_RANK];
    for (int i = 0; i < s.rank; i++) starts[i] = 0, steps[i] = 1;
    starts[s.rank + axis] = start;
    steps[s.rank + axis] = step;
    s.dim[s.rank + axis] = count;
    return ops_slice(x, starts, steps, &s);
}

cr_node cr_pad(cr_node x, int n, const int64_t before[], const int64_t after[]) {
    if (!ops_good("pad", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    if (n != s.rank || (n && (!before || !after)))
        return graph_fail(x.graph, CR_EAXIS, "pad", "expected before and after for each of %d axes, found %d",
                          s.rank, n);
    int64_t step[CR_MAX_RANK];
    for (int i = 0; i < n; i++) {
        const int64_t limit = INT64_C(1) << 56;
        step[i] = 1;
        if (before[i] < 0 || after[i] < 0 || before[i] > limit || after[i] > limit)
            return graph_fail(x.graph, CR_EINVAL, "pad", "axis %d: a width must not be negative", i);
        s.dim[i] += before[i] + after[i];
    }
    return ops_unslice(x, before, step, &s);
}

cr_node cr_flip(cr_node x, int n, const int axes[], bool keep) {
    (void)keep;
    if (!ops_good("flip", 1, &x)) return graph_error_node(x.graph);
    bool flipped[CR_MAX_RANK];
    int rank = cr_rank(x);
    if (!ops_mark_axes("flip", x, n, axes, flipped)) return graph_error_node(x.graph);
    for (int axis = -rank; axis < 0; axis++) {
        if (!flipped[rank + axis]) continue;
        int64_t size = cr_dims(x)[rank + axis];
        if (size > 1) x = ops_slice_axis(x, axis, size - 1, -1, size);
    }
    return x;
}

cr_node cr_expand_dims(cr_node x, int axis) {
    if (!ops_good("expand_dims", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    int at = axis < 0 ? axis + s.rank + 1 : axis;
    if (at < 0 || at > s.rank || s.rank >= CR_MAX_RANK)
        return graph_fail(x.graph, CR_EAXIS, "expand_dims", "axis %d is outside of rank %d", axis,
                          s.rank + 1);
    for (int i = s.rank++; i > at; i--) s.dim[i] = s.dim[i - 1];
    s.dim[at] = 1;
    return ops_reshape(x, &s);
}

cr_node cr_squeeze(cr_node x, int n, const int axes[], bool keep) {
    (void)keep;
    if (!ops_good("squeeze", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x), out = {0};
    bool marked[CR_MAX_RANK];
    if (!ops_mark_axes("squeeze", x, n, axes, marked)) return graph_error_node(x.graph);
    for (int i = 0; i < s.rank; i++) {
        if (axes && marked[i] && s.dim[i] != 1)
            return graph_fail(x.graph, CR_ESHAPE, "squeeze", "axis %d has size %lld, not 1", i,
                              (long long)s.dim[i]);
        if (!marked[i] || s.dim[i] != 1) out.dim[out.rank++] = s.dim[i];
    }
    return ops_reshape(x, &out);
}

cr_node cr_flatten(cr_node x) {
    if (!ops_good("flatten", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x), out = {.rank = s.rank ? 2 : 1, .dim = {s.rank ? s.dim[0] : 1, 1}};
    for (int i = 1; i < s.rank; i++) out.dim[1] *= s.dim[i];
    return ops_reshape(x, &out);
}
