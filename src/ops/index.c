/* Movement by indices, joining, and order. gather's and scatter_add's attribute is how many axes of the index
 * follow the batch axes; sort's node works along the last axis: -1, then whether it descends. */
#include "ops/build.h"

#include <math.h>

#include "tensor/dtype.h"

static cr_node bad_index(cr_node x, const char *op, cr_node index) {
    struct shape sx = ops_shape(x), si = ops_shape(index);
    struct shape_text a, b;
    return graph_fail(x.graph, CR_ESHAPE, op, "shapes %s and index %s do not fit", ops_show(&a, &sx),
                      ops_show(&b, &si));
}

/* The index as i64. */
static cr_node as_index(const char *op, cr_node index) {
    if (dtype_is_int(cr_dtype_of(index))) return ops_to_dtype(index, CR_I64);
    double v;
    if (graph_get(index)->weak && ops_literal(index, &v) && fabs(v) <= 0x1p53 && v == floor(v))
        return ops_to_dtype(index, CR_I64);
    return graph_fail(index.graph, CR_EDTYPE, op,
                      "an index must be an integer, found %s: cast it, as in cast(i, i32)",
                      cr_dtype_name(cr_dtype_of(index)));
}

static bool same_batch(const struct shape *a, const struct shape *b, int batch) {
    for (int i = 0; i < batch; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

cr_node cr_gather(cr_node x, cr_node y, int count) {
    if (!ops_good("gather", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    cr_node index = as_index("gather", y);
    if (!cr_ok(index)) return index;
    struct shape sx = ops_shape(x), si = ops_shape(index), out = si;
    if (count < 0 || sx.rank <= count || si.rank < count || !same_batch(&sx, &si, count))
        return bad_index(x, "gather", index);
    int rest = sx.rank - count - 1;
    if (out.rank + rest > CR_MAX_RANK)
        return graph_fail(x.graph, CR_ELIMIT, "gather", "the result's rank is above %d", CR_MAX_RANK);
    for (int i = 0; i < rest; i++) out.dim[out.rank++] = sx.dim[count + 1 + i];
    return ops_node(OP_gather, cr_dtype_of(x), &out, 1, (int64_t[]){si.rank - count}, 2,
                    (cr_node[]){x, index});
}

cr_node cr_scatter_add(cr_node x, cr_node y, int64_t size, int count) {
    if (!ops_good("scatter_add", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    cr_node index = as_index("scatter_add", y);
    x = ops_arithmetic(x, false);
    if (!cr_ok(index) || !cr_ok(x)) return graph_error_node(x.graph);
    struct shape sx = ops_shape(x), si = ops_shape(index), out = {0};
    if (count < 0 || si.rank < count || sx.rank < si.rank || !same_batch(&sx, &si, si.rank) || size < 0)
        return bad_index(x, "scatter_add", index);
    if (count + 1 + sx.rank - si.rank > CR_MAX_RANK)
        return graph_fail(x.graph, CR_ELIMIT, "scatter_add", "the result's rank is above %d", CR_MAX_RANK);
    for (int i = 0; i < count; i++) out.dim[out.rank++] = sx.dim[i];
    out.dim[out.rank++] = size;
    for (int i = si.rank; i < sx.rank; i++) out.dim[out.rank++] = sx.dim[i];
    return ops_node(OP_scatter_add, cr_dtype_of(x), &out, 1, (int64_t[]){si.rank - count}, 2,
                    (cr_node[]){x, index});
}

cr_node cr_embedding(cr_node x, cr_node y) { return cr_gather(x, y, 0); }

/* The axis goes first, the index's axes come first in the result and move to where the axis was. */
cr_node cr_take(cr_node x, cr_node y, int axis) {
    if (!ops_good("take", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    int at = ops_axis("take", x, axis), rank = cr_rank(x), before = rank + at, k = cr_rank(y);
    if (!at) return graph_error_node(x.graph);
    cr_node z = cr_gather(ops_move_axis(x, at, -rank), y, 0);
    if (!cr_ok(z) || before == 0) return z;
    int order[CR_MAX_RANK], n = 0;
    for (int i = 0; i < before; i++) order[n++] = k + i;
    for (int i = 0; i < k; i++) order[n++] = i;
    for (int i = k + before; i < cr_rank(z); i++) order[n++] = i;
    return cr_permute(z, n, order);
}

cr_node cr_take_along(cr_node x, cr_node y, int axis) {
    if (!ops_good("take_along", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    int at = ops_axis("take_along", x, axis);
    if (!at) return graph_error_node(x.graph);
    if (cr_rank(x) != cr_rank(y)) return bad_index(x, "take_along", y);
    cr_node z = cr_gather(ops_move_axis(x, at, -1), ops_move_axis(y, at, -1), cr_rank(x) - 1);
    return ops_move_axis(z, -1, at);
}

/* The transpose of take_along, added to x. */
cr_node cr_add_along(cr_node x, cr_node y, cr_node z, int axis) {
    if (!ops_good("add_along", 3, (cr_node[]){x, y, z})) return graph_error_node(x.graph);
    int at = ops_axis("add_along", x, axis);
    if (!at) return graph_error_node(x.graph);
    if (cr_rank(x) != cr_rank(y) || cr_rank(x) != cr_rank(z)) return bad_index(x, "add_along", y);
    int64_t size = cr_dims(x)[cr_rank(x) + at];
    cr_node added = cr_scatter_add(ops_move_axis(z, at, -1), ops_move_axis(y, at, -1), size, cr_rank(x) - 1);
    return cr_add(x, ops_move_axis(added, -1, at));
}

/* ---- Joining ---- */

/* All in one dtype and alike but for the axis. */
static bool join_fits(cr_node *x, cr_node first, const struct shape *s, int at) {
    struct shape t = ops_shape(*x);
    bool ok = t.rank == s->rank;
    for (int i = 0; ok && i < t.rank; i++) ok = i == t.rank + at || t.dim[i] == s->dim[i];
    if (ok && cr_dtype_of(*x) == cr_dtype_of(first)) return true;
    struct shape_text a, b;
    if (ok)
        graph_fail(x->graph, CR_EDTYPE, "concat", "%s meets %s: say which is meant with cast",
                   cr_dtype_name(cr_dtype_of(first)), cr_dtype_name(cr_dtype_of(*x)));
    else
        graph_fail(x->graph, CR_ESHAPE, "concat", "shapes differ beside the axis: %s and %s", ops_show(&a, s),
                   ops_show(&b, &t));
    return false;
}

/* Literals take the dtype of the first that has one. */
static bool join_literals(int n, cr_node x[]) {
    cr_dtype dtype = x[0].graph->default_float;
    for (int i = n; i-- > 0;)
        if (!graph_get(x[i])->weak) dtype = cr_dtype_of(x[i]);
    for (int i = 0; i < n; i++) {
        if (graph_get(x[i])->weak) x[i] = ops_to_dtype(x[i], dtype);
        if (!cr_ok(x[i])) return false;
    }
    return true;
}

static cr_node concat_ready(int n, cr_node x[], int axis) {
    cr_graph *g = x[0].graph;
    int at = ops_axis("concat", x[0], axis);
    if (!at || !join_literals(n, x)) return graph_error_node(g);
    struct shape s = ops_shape(x[0]);
    int64_t size = 0;
    for (int i = 0; i < n; i++) {
        if (!join_fits(&x[i], x[0], &s, at)) return graph_error_node(g);
        size +=
            size > INT64_MAX / 2 ? 0 : cr_dims(x[i])[s.rank + at]; /* too large already, and refused below */
    }
    if (n == 1) return x[0];
    s.dim[s.rank + at] = size;
    int64_t attr = at;
    return ops_node(OP_concat, cr_dtype_of(x[0]), &s, 1, &attr, n, x);
}

/* Runs f on a copy of the operands that it may change. */
static cr_node with_copy(const char *op, int n, const cr_node x[], int axis,
                         cr_node (*f)(int n, cr_node x[], int axis)) {
    if (n < 1 || !x) return graph_error_node(NULL); /* there is no graph that could be told */
    cr_graph *g = x[0].graph;
    if (!ops_good(op, n, x)) return graph_error_node(g);
    cr_node *copy = mem_alloc(&g->mem, mem_mul((size_t)n, sizeof *copy));
    if (!copy) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    for (int i = 0; i < n; i++) copy[i] = x[i];
    cr_node y = f(n, copy, axis);
    mem_free(&g->mem, copy, (size_t)n * sizeof *copy);
    return y;
}

cr_node cr_concat(int n, const cr_node x[], int axis) {
    return with_copy("concat", n, x, axis, concat_ready);
}

static cr_node stack_ready(int n, cr_node x[], int axis) {
    if (!join_literals(n, x)) return graph_error_node(x[0].graph);
    for (int i = 0; i < n; i++) {
        x[i] = cr_expand_dims(x[i], axis);
        if (!cr_ok(x[i])) return x[i];
    }
    return concat_ready(n, x, axis);
}

cr_node cr_stack(int n, const cr_node x[], int axis) { return with_copy("stack", n, x, axis, stack_ready); }

/* ---- Order ---- */

cr_node cr_part(cr_node x, int k) {
    const struct node *n = graph_get(x);
    if (!n) return graph_error_node(x.graph);
    struct shape s = ops_part_shape(x.graph, n, k);
    int64_t attr = k;
    return ops_node(OP_part, ops_part_dtype(x.graph, n, k), &s, 1, &attr, 1, &x);
}

static cr_node sorted_part(const char *op, cr_node x, int axis, bool descending, int k) {
    if (!ops_good(op, 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis(op, x, axis);
    if (!at) return graph_error_node(x.graph);
    cr_node last = ops_move_axis(ops_arithmetic(x, false), at, -1);
    if (!cr_ok(last)) return last;
    struct shape s = ops_shape(last);
    cr_node sorted = ops_node(OP_sort, cr_dtype_of(last), &s, 2, (int64_t[]){-1, descending}, 1, &last);
    return ops_move_axis(cr_part(sorted, k), -1, at);
}

cr_node cr_sort(cr_node x, int axis, bool flag) { return sorted_part("sort", x, axis, flag, 0); }

cr_node cr_argsort(cr_node x, int axis, bool flag) { return sorted_part("argsort", x, axis, flag, 1); }

cr_node cr_topk(cr_node x, int64_t n, int axis) {
    cr_node y = cr_sort(x, axis, true);
    if (!cr_ok(y)) return y;
    int at = ops_axis("topk", y, axis);
    int64_t size = cr_dims(y)[cr_rank(y) + at];
    if (n < 0 || n > size)
        return graph_fail(x.graph, CR_EINDEX, "topk", "%lld of an axis of size %lld", (long long)n,
                          (long long)size);
    return ops_slice_axis(y, at, 0, 1, n);
}

/* ---- By the place in a matrix ---- */

/* [n] as a column (k = 2) or row (k = 1) of a matrix. */
static cr_node place(cr_graph *g, int64_t n, int k) {
    struct shape s = {.rank = k, .dim = {n, 1}};
    return ops_reshape(cr_iota(g, n), &s);
}

cr_node ops_is_index(cr_node index, int64_t n) {
    struct shape s = {.rank = cr_rank(index) + 1};
    for (int i = 0; i < s.rank && i < CR_MAX_RANK; i++) s.dim[i] = i < s.rank - 1 ? 1 : n;
    cr_node places = cr_iota(index.graph, n), column = cr_expand_dims(index, -1);
    if (!cr_ok(places) || !cr_ok(column)) return graph_error_node(index.graph);
    return cr_eq(column, ops_reshape(places, &s));
}

cr_node cr_one_hot(cr_node x, int64_t n) {
    if (!ops_good("one_hot", 1, &x)) return graph_error_node(x.graph);
    cr_node index = as_index("one_hot", x);
    if (n < 0 || !cr_ok(index))
        return n < 0 ? graph_fail(x.graph, CR_EINVAL, "one_hot", "%lld classes", (long long)n) : index;
    return cr_cast(ops_is_index(index, n), x.graph->default_float);
}

/* Elements with (column - row) <= k (lower) or >= k; the rest is 0. */
static cr_node triangle(const char *op, cr_node x, int64_t k, bool lower) {
    if (!ops_good(op, 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    if (s.rank < 2) return graph_fail(x.graph, CR_EAXIS, op, "expected a matrix, found rank %d", s.rank);
    cr_node row = place(x.graph, s.dim[s.rank - 2], 2), column = place(x.graph, s.dim[s.rank - 1], 1);
    struct shape matrix = {.rank = 2, .dim = {s.dim[s.rank - 2], s.dim[s.rank - 1]}};
    cr_node offset = cr_sub(ops_expand(column, &matrix), ops_expand(row, &matrix)),
            limit = cr_number(x.graph, (double)k);
    cr_node keep = lower ? cr_le(offset, limit) : cr_le(limit, offset);
    return cr_where(ops_expand(keep, &s), x, ops_zeros(x.graph, cr_dtype_of(x), &s));
}

cr_node cr_tril(cr_node x, int64_t n) { return triangle("tril", x, n, true); }

cr_node cr_triu(cr_node x, int64_t n) { return triangle("triu", x, n, false); }

/* Row-major, the diagonal of an n by n matrix stands n + 1 apart. */
cr_node cr_diag(cr_node x) {
    if (!ops_good("diag", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x), flat = s;
    if (s.rank < 1 || s.rank >= CR_MAX_RANK)
        return graph_fail(x.graph, CR_EAXIS, "diag", "rank %d is outside of 1 .. %d", s.rank,
                          CR_MAX_RANK - 1);
    int64_t n = s.dim[s.rank - 1], start[CR_MAX_RANK] = {0}, step[CR_MAX_RANK];
    if (n > INT32_MAX)
        return graph_fail(x.graph, CR_ELIMIT, "diag", "a matrix of %lld rows is too large", (long long)n);
    for (int i = 0; i < s.rank; i++) step[i] = 1;
    step[s.rank - 1] = n + 1;
    flat.dim[s.rank - 1] = n * n;
    cr_node spread = ops_unslice(x, start, step, &flat);
    s.dim[s.rank++] = n;
    return ops_reshape(spread, &s);
}

cr_node cr_diagonal(cr_node x) {
    if (!ops_good("diagonal", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    if (s.rank < 2)
        return graph_fail(x.graph, CR_EAXIS, "diagonal", "expected a matrix, found rank %d", s.rank);
    int64_t rows = s.dim[s.rank - 2], columns = s.dim[s.rank - 1];
    struct shape flat = s;
    flat.rank--;
    flat.dim[flat.rank - 1] = rows * columns;
    return ops_slice_axis(ops_reshape(x, &flat), -1, 0, columns + 1, rows < columns ? rows : columns);
}
