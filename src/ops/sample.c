/* Random draws: pure functions of an explicit key. */
#include "ops/build.h"

#include <math.h>

#include "tensor/dtype.h"

cr_node cr_uniform(cr_node key, int rank, const int64_t dims[], cr_dtype dtype) {
    if (!ops_good("uniform", 1, &key)) return graph_error_node(key.graph);
    if (rank < 0 || rank > CR_MAX_RANK || (rank && !dims))
        return graph_fail(key.graph, CR_ELIMIT, "uniform", "rank %d is outside of 0 .. %d", rank,
                          CR_MAX_RANK);
    if (dtype != CR_F32 && dtype != CR_F64)
        return graph_fail(key.graph, CR_EDTYPE, "uniform", "expected f32 or f64, found %s",
                          cr_dtype_name(dtype));
    if (!dtype_is_int(cr_dtype_of(key)) && !graph_get(key)->weak)
        return graph_fail(key.graph, CR_EDTYPE, "uniform", "a key must be an integer, found %s",
                          cr_dtype_name(cr_dtype_of(key)));
    struct shape s = ops_shape(key);
    if (s.rank + rank > CR_MAX_RANK)
        return graph_fail(key.graph, CR_ELIMIT, "uniform", "%d axes for keys of rank %d are more than %d",
                          rank, s.rank, CR_MAX_RANK);
    cr_node k = ops_to_dtype(key, CR_I64);
    for (int i = 0; i < rank; i++) s.dim[s.rank++] = dims[i];
    return cr_ok(k) ? ops_node(OP_uniform, dtype, &s, 0, NULL, 1, &k) : k;
}

static cr_node fold(cr_node key, double n) { return cr_fold_in(key, cr_number(key.graph, n)); }

/* Box and Muller (1958): sqrt(-2 log u) cos(2 pi v). */
cr_node cr_normal(cr_node key, int rank, const int64_t dims[], cr_dtype dtype) {
    if (!ops_good("normal", 1, &key)) return graph_error_node(key.graph);
    cr_node u = cr_uniform(fold(key, 1), rank, dims, dtype), v = cr_uniform(fold(key, 2), rank, dims, dtype);
    if (!cr_ok(u) || !cr_ok(v)) return graph_error_node(key.graph);
    cr_node radius = cr_sqrt(cr_mul(cr_number(key.graph, -2), cr_log(u)));
    return cr_mul(radius, cr_cos(cr_mul(cr_number(key.graph, 6.283185307179586477), v)));
}

/* Of a weight [in, out] as in x @ W; of more axes [out, in, window..] as conv has it; of a vector both are its size. */
static void fans(int rank, const int64_t dims[], double *in, double *out) {
    double window = 1;
    for (int i = 2; i < rank; i++) window *= (double)dims[i];
    double first = rank > 0 ? (double)dims[0] : 1, second = rank > 1 ? (double)dims[1] : first;
    *in = rank > 2 ? second * window : first;
    *out = rank > 2 ? first * window : second;
}

static cr_node scaled(cr_node x, double scale) { return cr_mul(x, cr_number(x.graph, scale)); }

/* From (0, 1) to (-r, r). */
static cr_node within(cr_node u, double r) { return scaled(cr_sub(u, cr_number(u.graph, 0.5)), 2 * r); }

static bool shape_given(cr_node key, const char *op, int rank, const int64_t dims[]) {
    if (!ops_good(op, 1, &key)) return false;
    if (rank >= 0 && rank <= CR_MAX_RANK && (!rank || dims)) return true;
    graph_fail(key.graph, CR_ELIMIT, op, "rank %d is outside of 0 .. %d", rank, CR_MAX_RANK);
    return false;
}

cr_node cr_he_normal(cr_node key, int rank, const int64_t dims[], cr_dtype dtype) {
    double in, out;
    if (!shape_given(key, "he_normal", rank, dims)) return graph_error_node(key.graph);
    fans(rank, dims, &in, &out);
    return scaled(cr_normal(key, rank, dims, dtype), sqrt(2 / fmax(in, 1)));
}

cr_node cr_he_uniform(cr_node key, int rank, const int64_t dims[], cr_dtype dtype) {
    double in, out;
    if (!shape_given(key, "he_uniform", rank, dims)) return graph_error_node(key.graph);
    fans(rank, dims, &in, &out);
    return within(cr_uniform(key, rank, dims, dtype), sqrt(6 / fmax(in, 1)));
}

cr_node cr_glorot_normal(cr_node key, int rank, const int64_t dims[], cr_dtype dtype) {
    double in, out;
    if (!shape_given(key, "glorot_normal", rank, dims)) return graph_error_node(key.graph);
    fans(rank, dims, &in, &out);
    return scaled(cr_normal(key, rank, dims, dtype), sqrt(2 / fmax(in + out, 1)));
}

cr_node cr_glorot_uniform(cr_node key, int rank, const int64_t dims[], cr_dtype dtype) {
    double in, out;
    if (!shape_given(key, "glorot_uniform", rank, dims)) return graph_error_node(key.graph);
    fans(rank, dims, &in, &out);
    return within(cr_uniform(key, rank, dims, dtype), sqrt(6 / fmax(in + out, 1)));
}

/* Q of A = Q R by Cholesky's factor of t(A) A = t(R) R, rows of A no fewer than its columns: t(Q) = t(R)^-1 t(A). */
static cr_node orthonormal(cr_node a) {
    cr_node at = cr_t(a);
    return cr_t(cr_triangular_solve(cr_cholesky(cr_matmul(at, a)), at, false));
}

/* With a positive diagonal of R, which Cholesky's factor has, Q of a normal draw is uniformly distributed over all orthonormal ones
 * (Mezzadri 2007). Once more, since the first Q is off by the square of the draw's condition (Yamamoto et al. 2015). */
cr_node cr_orthogonal(cr_node key, int rank, const int64_t dims[], cr_dtype dtype) {
    if (!shape_given(key, "orthogonal", rank, dims)) return graph_error_node(key.graph);
    if (rank < 2)
        return graph_fail(key.graph, CR_ESHAPE, "orthogonal", "expected a matrix or more axes, found rank %d",
                          rank);
    int64_t matrix[2] = {dims[0], 1};
    for (int i = 1; i < rank; i++) matrix[1] *= dims[i];
    bool wide = matrix[0] < matrix[1];
    cr_node a = cr_normal(key, 2, matrix, CR_F64);
    if (wide) a = cr_t(a);
    cr_node q = orthonormal(orthonormal(a));
    if (wide) q = cr_t(q);
    return cr_cast(cr_reshape(q, rank, dims), dtype);
}

cr_node cr_permutation(cr_node x, int64_t n) { return cr_argsort(cr_uniform(x, 1, &n, CR_F64), -1, false); }

cr_node cr_dropout(cr_node x, cr_node key, double r) {
    if (!ops_good("dropout", 2, (cr_node[]){x, key})) return graph_error_node(x.graph);
    if (!(r >= 0 && r < 1))
        return graph_fail(x.graph, CR_EINVAL, "dropout", "the rate must be at least 0 and below 1");
    x = ops_arithmetic(x, true);
    if (r == 0) return x;
    struct shape s = ops_shape(x);
    cr_dtype dtype = cr_dtype_of(x);
    cr_node keep = cr_le(cr_number(x.graph, r), cr_uniform(key, s.rank, s.dim, dtype));
    return cr_where(keep, cr_div(x, cr_number(x.graph, 1 - r)), ops_zeros(x.graph, dtype, &s));
}
