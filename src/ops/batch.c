/* Batching follows from the kind: every op takes leading axes, and attributes count from the end. So a node for n slices is the same
 * op with the same attributes on operands with one more leading axis. What differs stands below: views whose attributes name every
 * axis, and products and solves, whose operand that all slices share is not repeated. */
#include "ops/batch.h"

struct slices {
    cr_node y; /* of one slice */
    int64_t n;
    cr_node *x;
    const bool *batched;
};

struct shape ops_lead(int64_t n, struct shape s) {
    struct shape out = {.rank = s.rank + 1, .dim = {n}};
    for (int i = 0; i < s.rank && i + 1 < CR_MAX_RANK; i++) out.dim[i + 1] = s.dim[i];
    return out;
}

cr_node ops_repeat(cr_node x, int64_t n) {
    struct shape s = ops_lead(n, ops_shape(x));
    if (!cr_ok(x)) return x;
    return s.rank > CR_MAX_RANK ? ops_node(OP_expand, cr_dtype_of(x), &s, 0, NULL, 1, &x) : ops_expand(x, &s);
}

static int64_t *attributes(const struct slices *s, size_t *n) {
    const struct node *y = graph_get(s->y);
    *n = graph_attr_count(s->y.graph, y);
    return (int64_t *)graph_attr(s->y.graph, y);
}

static cr_node again(const struct slices *s, size_t n_attr, const int64_t attr[]) {
    const struct node *y = graph_get(s->y);
    struct shape out = ops_lead(s->n, graph_shape(s->y.graph, y));
    return ops_node(y->op, (cr_dtype)y->dtype, &out, (int)n_attr, attr, (int)y->n, s->x);
}

/* The same op on operands that all have the leading axis. */
static cr_node plain(const struct slices *s) {
    size_t n;
    for (int k = 0; k < cr_operand_count(s->y); k++)
        if (!s->batched[k]) s->x[k] = ops_repeat(s->x[k], s->n);
    const int64_t *attr = attributes(s, &n);
    return again(s, n, attr);
}

/* ---- Views whose attributes name every axis, last first ---- */

static cr_node with_axis(const struct slices *s, size_t more, const int64_t added[]) {
    int64_t attr[2 * CR_MAX_RANK + 2];
    size_t n;
    const int64_t *old = attributes(s, &n);
    if (n + more > sizeof attr / sizeof *attr) return again(s, n, old); /* too many axes, which it tells */
    for (size_t i = 0; i < n + more; i++) attr[i] = i < n ? old[i] : added[i - n];
    return again(s, n + more, attr);
}

static cr_node permute(const struct slices *s) { return with_axis(s, 1, (int64_t[]){-1 - cr_rank(s->y)}); }

static cr_node slice(const struct slices *s) { return with_axis(s, 2, (int64_t[]){0, 1}); }

/* Axes that expand adds come between the new one and those that there were. */
static cr_node expand(const struct slices *s) {
    struct shape from = ops_shape(cr_operand(s->y, 0)), to = ops_shape(s->y), apart = {.rank = to.rank};
    for (int i = 0; i < to.rank; i++)
        apart.dim[i] = i < to.rank - from.rank ? 1 : from.dim[i - (to.rank - from.rank)];
    struct shape lead = ops_lead(s->n, apart);
    if (lead.rank <= CR_MAX_RANK) s->x[0] = ops_reshape(s->x[0], &lead);
    return cr_ok(s->x[0]) ? again(s, 0, NULL) : s->x[0];
}

/* One table, many indices: their axes are one more. */
static cr_node gather(const struct slices *s) {
    size_t n;
    int64_t axes = attributes(s, &n)[0] + 1;
    bool shared = !s->batched[0] && axes - 1 == cr_rank(cr_operand(s->y, 1));
    return shared ? again(s, 1, &axes) : plain(s);
}

/* ---- Products and solves with a matrix that all slices share: x [n, b.., r, c] becomes one matrix more rows or columns ---- */

/* The leading axis goes to stand before axis `to` (from the end, of the result), or back. */
static cr_node move(cr_node x, int to, bool back) {
    int rank = cr_rank(x);
    return back ? ops_move_axis(x, to, -rank) : ops_move_axis(x, -rank, to);
}

static struct shape merged(const struct shape *s, int axis) { /* with the one behind it */
    struct shape out = {.rank = s->rank - 1};
    for (int i = 0; i < out.rank; i++) out.dim[i] = s->dim[i + (i > axis)];
    out.dim[axis] = s->dim[axis] * s->dim[axis + 1];
    return out;
}

static cr_node node_like(cr_node y, const struct shape *s, cr_node a, cr_node b) {
    const struct node *n = graph_get(y);
    return ops_node(n->op, (cr_dtype)n->dtype, s, (int)graph_attr_count(y.graph, n), graph_attr(y.graph, n),
                    2, (cr_node[]){a, b});
}

/* The axis -3 or -2 of x [.., n, r, c] or [.., r, n, c] merged with its neighbour, the op, and the two apart again. */
static cr_node fold(const struct slices *s, int k, int at) {
    cr_node x = move(s->x[k], at, false);
    if (!cr_ok(x)) return x;
    struct shape apart = ops_shape(x), out = ops_shape(s->y), flat = merged(&apart, apart.rank + at);
    cr_node one = ops_reshape(x, &flat);
    out.dim[out.rank + at + 1] *= s->n;
    cr_node z = cr_ok(one) ? node_like(s->y, &out, k ? s->x[0] : one, k ? one : s->x[1]) : one;
    struct shape y = ops_shape(s->y), wide = {.rank = y.rank + 1};
    for (int i = 0; i < wide.rank; i++) {
        int split = wide.rank + at;
        wide.dim[i] = i < split ? y.dim[i] : i == split ? s->n : y.dim[i - 1];
    }
    return cr_ok(z) ? move(ops_reshape(z, &wide), at, true) : z;
}

/* One column in each slice: [n, b.., r, 1] is [b.., r, n] without moving a number. */
static cr_node columns(const struct slices *s) {
    cr_node x = s->x[1];
    struct shape in = ops_shape(x), out = ops_shape(s->y);
    if (in.dim[in.rank - 1] != 1) return fold(s, 1, -2);
    in.rank--;
    cr_node side_by_side = ops_move_axis(ops_reshape(x, &in), -in.rank, -1);
    out.dim[out.rank - 1] = s->n;
    if (!cr_ok(side_by_side)) return side_by_side;
    cr_node z = node_like(s->y, &out, s->x[0], side_by_side);
    out.dim[out.rank++] = 1;
    return cr_ok(z) ? ops_move_axis(ops_reshape(z, &out), -2, -out.rank) : z;
}

static cr_node matmul(const struct slices *s) {
    if (s->batched[0] && s->batched[1]) return plain(s);
    return s->batched[0] ? fold(s, 0, -3) : columns(s);
}

static cr_node solve(const struct slices *s) { return s->batched[0] ? plain(s) : columns(s); }

static cr_node (*const own[OP_COUNT])(const struct slices *) = {
    [OP_permute] = permute, [OP_slice] = slice,   [OP_unslice] = slice, [OP_expand] = expand,
    [OP_gather] = gather,   [OP_matmul] = matmul, [OP_solve] = solve,   [OP_triangular_solve] = solve,
};

cr_node ops_batch(cr_node y, int64_t n, cr_node x[], const bool batched[]) {
    struct slices s = {y, n, x, batched};
    int op = graph_get(y)->op;
    return own[op] ? own[op](&s) : plain(&s);
}
