/* Linear algebra on batches of matrices. The nodes have [b.., n, n] and, of a solve, [b.., n, k]. */
#include "ops/build.h"

#include <math.h>

static cr_node square_needed(const char *op, cr_node x) {
    struct shape s = ops_shape(x);
    struct shape_text t;
    return graph_fail(x.graph, CR_ESHAPE, op, "expected a square matrix, found %s", ops_show(&t, &s));
}

static bool is_square(cr_node x) {
    int rank = cr_rank(x);
    return rank >= 2 && cr_dims(x)[rank - 1] == cr_dims(x)[rank - 2];
}

/* The op of one square matrix; `less` axes fewer in the result. */
static cr_node of_matrix(int op, cr_node x, int less) {
    if (!ops_good(op_name(op), 1, &x)) return graph_error_node(x.graph);
    if (!is_square(x)) return square_needed(op_name(op), x);
    x = ops_arithmetic(x, true);
    if (!cr_ok(x)) return x;
    struct shape s = ops_shape(x);
    s.rank -= less;
    return ops_node(op, cr_dtype_of(x), &s, 0, NULL, 1, &x);
}

cr_node cr_cholesky(cr_node x) { return of_matrix(OP_cholesky, x, 0); }

cr_node cr_logabsdet(cr_node x) { return cr_part(of_matrix(OP_logabsdet, x, 2), 0); }

cr_node cr_detsign(cr_node x) { return cr_part(of_matrix(OP_logabsdet, x, 2), 1); }

cr_node cr_det(cr_node x) { return cr_mul(cr_detsign(x), cr_exp(cr_logabsdet(x))); }

cr_node cr_eigh(cr_node x) { return cr_part(of_matrix(OP_eigh, x, 1), 0); }

cr_node cr_eigh_vectors(cr_node x) { return cr_part(of_matrix(OP_eigh, x, 1), 1); }

static cr_node rows_differ(int op, cr_node x, cr_node y) {
    struct shape sx = ops_shape(x), sy = ops_shape(y);
    struct shape_text a, b;
    return graph_fail(x.graph, CR_ESHAPE, op_name(op), "%s and %s do not fit", ops_show(&a, &sx),
                      ops_show(&b, &sy));
}

/* A vector y is one column. */
static cr_node solved(int op, cr_node x, cr_node y, int n_attr, const int64_t attr[]) {
    cr_node both[2] = {x, y};
    if (!ops_good(op_name(op), 2, both)) return graph_error_node(x.graph);
    if (!is_square(x)) return square_needed(op_name(op), x);
    if (!ops_unify(op_name(op), 2, both, true)) return graph_error_node(x.graph);
    bool vector = cr_rank(y) == 1;
    if (vector) both[1] = cr_expand_dims(both[1], -1);
    int rank = cr_rank(both[1]);
    if (rank < 2 || cr_dims(both[1])[rank - 2] != cr_dims(x)[cr_rank(x) - 1] ||
        !ops_broadcast_batch(&both[0], &both[1]))
        return rows_differ(op, x, y);
    struct shape s = ops_shape(both[1]);
    cr_node z = ops_node(op, cr_dtype_of(both[1]), &s, n_attr, attr, 2, both);
    return vector && cr_ok(z) ? cr_squeeze(z, 1, (int[]){-1}, false) : z;
}

cr_node cr_solve(cr_node x, cr_node y) { return solved(OP_solve, x, y, 0, NULL); }

cr_node cr_triangular_solve(cr_node x, cr_node y, bool flag) {
    return solved(OP_triangular_solve, x, y, 1, (int64_t[]){flag});
}

cr_node cr_inv(cr_node x) {
    if (!ops_good("inv", 1, &x)) return graph_error_node(x.graph);
    if (!is_square(x)) return square_needed("inv", x);
    x = ops_arithmetic(x, true);
    int64_t n = cr_dims(x)[cr_rank(x) - 1];
    cr_node ones = ops_expand(ops_scalar(x.graph, cr_dtype_of(x), 1), &(struct shape){1, {n}});
    return cr_solve(x, cr_diag(ones));
}

cr_node cr_logdet(cr_node x) {
    cr_node sign = cr_detsign(x), size = cr_logabsdet(x);
    return cr_where(cr_lt(sign, cr_number(x.graph, 0)), cr_number(x.graph, NAN), size);
}

/* By squaring; of a negative power, that of the inverse. */
cr_node cr_matrix_power(cr_node x, int64_t n) {
    if (!ops_good("matrix_power", 1, &x)) return graph_error_node(x.graph);
    if (!is_square(x)) return square_needed("matrix_power", x);
    cr_node square = n < 0 ? cr_inv(x) : ops_arithmetic(x, false), y = square;
    uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
    if (left == 0) { /* ones, of x's shape */
        struct shape s = ops_shape(square), row = s;
        if (!cr_ok(square)) return square;
        row.rank--;
        return cr_diag(ops_expand(ops_scalar(x.graph, cr_dtype_of(square), 1), &row));
    }
    for (bool any = false; left && cr_ok(square); left /= 2) {
        if (left % 2) y = any ? cr_matmul(y, square) : square, any = true;
        if (left > 1) square = cr_matmul(square, square);
    }
    return y;
}

cr_node cr_trace(cr_node x) { return cr_sum(cr_diagonal(x), 1, (int[]){-1}, false); }
