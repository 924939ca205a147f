/* Matrix products. The node has operands [b.., m, k] and [b.., k, n] with equal leading axes. */
#include "ops/build.h"

static cr_node inner_sizes(cr_node x, cr_node y) {
    struct shape sx = ops_shape(x), sy = ops_shape(y);
    struct shape_text a, b;
    return graph_fail(x.graph, CR_ESHAPE, "matmul", "inner sizes differ: %s x %s", ops_show(&a, &sx),
                      ops_show(&b, &sy));
}

/* An unbatched right operand: the batch of the left one folds into its rows, one large product for many
 * small. */
static cr_node fold_rows(cr_node x, cr_node y) {
    struct shape s = ops_shape(x), rows = {.rank = 2, .dim = {1, s.dim[s.rank - 1]}};
    for (int i = 0; i < s.rank - 1; i++) rows.dim[0] *= s.dim[i];
    cr_node z = cr_matmul(ops_reshape(x, &rows), y);
    s.dim[s.rank - 1] = cr_dims(y)[1];
    return ops_reshape(z, &s);
}

/* Leading axes broadcast; the two matrix axes of each stay. */
bool ops_broadcast_batch(cr_node *x, cr_node *y) {
    struct shape sx = ops_shape(*x), sy = ops_shape(*y);
    int rank = sx.rank > sy.rank ? sx.rank : sy.rank;
    if (rank == 2) return true;
    struct shape tx = {.rank = rank}, ty = {.rank = rank};
    for (int k = 1; k <= rank; k++) {
        int64_t dx = k <= sx.rank ? sx.dim[sx.rank - k] : 1, dy = k <= sy.rank ? sy.dim[sy.rank - k] : 1;
        bool matrix = k <= 2;
        if (!matrix && dx != dy && dx != 1 && dy != 1) return false;
        tx.dim[rank - k] = matrix || dx != 1 ? dx : dy;
        ty.dim[rank - k] = matrix || dy != 1 ? dy : dx;
    }
    *x = ops_expand(*x, &tx);
    *y = ops_expand(*y, &ty);
    return cr_ok(*x) && cr_ok(*y);
}

static cr_node matrix_product(cr_node x, cr_node y) {
    if (cr_rank(y) == 2 && cr_rank(x) > 2 && cr_count(x) > 0) return fold_rows(x, y);
    if (!ops_broadcast_batch(&x, &y)) {
        struct shape sx = ops_shape(x), sy = ops_shape(y);
        struct shape_text a, b;
        return graph_fail(x.graph, CR_ESHAPE, "matmul", "leading axes differ: %s x %s", ops_show(&a, &sx),
                          ops_show(&b, &sy));
    }
    struct shape s = ops_shape(x);
    s.dim[s.rank - 1] = cr_dims(y)[s.rank - 1];
    return ops_node(OP_matmul, cr_dtype_of(x), &s, 0, NULL, 2, (cr_node[]){x, y});
}

cr_node cr_matmul(cr_node x, cr_node y) {
    if (!ops_good("matmul", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    int rx = cr_rank(x), ry = cr_rank(y);
    if (rx == 0 || ry == 0)
        return graph_fail(x.graph, CR_ESHAPE, "matmul", "a scalar operand: use * for a product by a number");
    cr_node both[2] = {x, y};
    if (!ops_unify("matmul", 2, both, false)) return graph_error_node(x.graph);
    x = both[0], y = both[1];
    if (cr_dims(x)[rx - 1] != cr_dims(y)[ry == 1 ? 0 : ry - 2]) return inner_sizes(x, y);
    cr_node z = matrix_product(rx == 1 ? cr_expand_dims(x, 0) : x, ry == 1 ? cr_expand_dims(y, 1) : y);
    if (!cr_ok(z)) return z;
    if (ry == 1) z = cr_squeeze(z, 1, (int[]){-1}, false);
    if (rx == 1) z = cr_squeeze(z, 1, (int[]){ry == 1 ? -1 : -2}, false);
    return z;
}

cr_node cr_outer(cr_node x, cr_node y) {
    if (!ops_good("outer", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    if (cr_rank(x) != 1 || cr_rank(y) != 1)
        return graph_fail(x.graph, CR_ESHAPE, "outer", "expected two vectors, found ranks %d and %d",
                          cr_rank(x), cr_rank(y));
    return cr_mul(cr_expand_dims(x, 1), cr_expand_dims(y, 0));
}

cr_node cr_dot(cr_node x, cr_node y) {
    cr_node z = cr_mul(x, y);
    if (cr_ok(z) && cr_rank(z) == 0) return graph_fail(z.graph, CR_ESHAPE, "dot", "two scalars: use *");
    return cr_sum(z, 1, (int[]){-1}, false);
}

/* Each element of x times all of y. */
cr_node cr_kron(cr_node x, cr_node y) {
    if (!ops_good("kron", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    struct shape sx = ops_shape(x), sy = ops_shape(y), left = {0}, right = {0}, out = {0};
    int rank = sx.rank > sy.rank ? sx.rank : sy.rank;
    if (2 * rank > CR_MAX_RANK) return graph_fail(x.graph, CR_ELIMIT, "kron", "rank %d", rank);
    for (int i = 0; i < rank; i++) {
        int64_t dx = i < rank - sx.rank ? 1 : sx.dim[i - (rank - sx.rank)],
                dy = i < rank - sy.rank ? 1 : sy.dim[i - (rank - sy.rank)];
        left.dim[left.rank++] = dx, left.dim[left.rank++] = 1;
        right.dim[right.rank++] = 1, right.dim[right.rank++] = dy;
        out.dim[out.rank++] = dx && dy > INT64_MAX / dx ? -1 : dx * dy; /* refused by mul before it is used */
    }
    cr_node z = cr_mul(ops_reshape(x, &left), ops_reshape(y, &right));
    return cr_ok(z) ? ops_reshape(z, &out) : z;
}

/* The vector product along an axis of three. */
cr_node cr_cross(cr_node x, cr_node y, int axis) {
    cr_node both[2] = {x, y}, part[3];
    if (!ops_good("cross", 2, both) || !ops_align(OP_mul, 2, both)) return graph_error_node(x.graph);
    int at = ops_axis("cross", both[0], axis);
    if (!at) return graph_error_node(x.graph);
    int64_t n = cr_dims(both[0])[cr_rank(both[0]) + at];
    if (n != 3) return graph_fail(x.graph, CR_ESHAPE, "cross", "an axis of size %lld, not 3", (long long)n);
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        part[i] = cr_sub(cr_mul(ops_slice_axis(both[0], at, j, 1, 1), ops_slice_axis(both[1], at, k, 1, 1)),
                         cr_mul(ops_slice_axis(both[0], at, k, 1, 1), ops_slice_axis(both[1], at, j, 1, 1)));
    }
    return cr_concat(3, part, at);
}

/* Over the last n axes of x and the first n of y. */
cr_node cr_tensordot(cr_node x, cr_node y, int64_t n) {
    if (!ops_good("tensordot", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    struct shape sx = ops_shape(x), sy = ops_shape(y), out = {0};
    bool fits = n >= 0 && n <= sx.rank && n <= sy.rank && sx.rank + sy.rank - 2 * n <= CR_MAX_RANK;
    for (int i = 0; fits && i < n; i++) fits = sx.dim[sx.rank - (int)n + i] == sy.dim[i];
    if (!fits) {
        struct shape_text a, b;
        return graph_fail(x.graph, CR_ESHAPE, "tensordot", "%s and %s over %lld axes", ops_show(&a, &sx),
                          ops_show(&b, &sy), (long long)n);
    }
    int left = sx.rank - (int)n;
    struct shape rows = {.rank = 2, .dim = {shape_count(left, sx.dim), shape_count((int)n, sy.dim)}},
                 columns = {.rank = 2, .dim = {rows.dim[1], shape_count(sy.rank - (int)n, sy.dim + n)}};
    for (int i = 0; i < left; i++) out.dim[out.rank++] = sx.dim[i];
    for (int i = (int)n; i < sy.rank; i++) out.dim[out.rank++] = sy.dim[i];
    cr_node z = cr_matmul(ops_reshape(x, &rows), ops_reshape(y, &columns));
    return cr_ok(z) ? ops_reshape(z, &out) : z;
}
