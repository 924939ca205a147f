/* Composites of transformers: attention and the positions that it is told. */
#include "ops/build.h"

#include <math.h>

#define NUM(v) cr_number(x.graph, v)

/* 0 .. n-1 as the rows of a matrix, or its columns. */
static cr_node counted(cr_graph *g, int64_t n, bool rows) {
    struct shape s = {.rank = 2, .dim = {rows ? n : 1, rows ? 1 : n}};
    return ops_reshape(cr_iota(g, n), &s);
}

static bool attention_fits(cr_node x, cr_node y, cr_node z) {
    struct shape q = ops_shape(x), k = ops_shape(y), v = ops_shape(z);
    struct shape_text a, b, c;
    if (!ops_good("attention", 3, (cr_node[]){x, y, z})) return false;
    if (q.rank >= 2 && k.rank >= 2 && v.rank >= 2 && q.dim[q.rank - 1] == k.dim[k.rank - 1] &&
        k.dim[k.rank - 2] == v.dim[v.rank - 2])
        return true;
    graph_fail(x.graph, CR_ESHAPE, "attention",
               "query %s, key %s and value %s do not fit: expected [.., n, d], [.., m, d] and [.., m, e]",
               ops_show(&a, &q), ops_show(&b, &k), ops_show(&c, &v));
    return false;
}

/* Vaswani et al. 2017. What a query must not see has the score -inf, so its weight is exactly 0. */
cr_node cr_attention(cr_node x, cr_node y, cr_node z, bool causal) {
    if (!attention_fits(x, y, z)) return graph_error_node(x.graph);
    int64_t d = cr_dims(x)[cr_rank(x) - 1], n = cr_dims(x)[cr_rank(x) - 2], m = cr_dims(y)[cr_rank(y) - 2];
    cr_node scores = cr_matmul(x, cr_t(y));
    if (causal) {
        cr_node seen = cr_le(counted(x.graph, m, false), counted(x.graph, n, true));
        scores = cr_where(seen, scores, NUM(-INFINITY));
    }
    double scale = d ? 1 / sqrt((double)d) : 1; /* scores of nothing are 0, also when scaled */
    return cr_matmul(cr_softmax(cr_mul(scores, NUM(scale)), -1), z);
}

/* One of the pair: elements 0, 2, 4 .. or 1, 3, 5 .. of the last axis. */
static cr_node every_other(cr_node x, int64_t first) {
    return ops_slice_axis(x, -1, first, 2, cr_dims(x)[cr_rank(x) - 1] / 2);
}

/* Su et al. 2021, equation 34: at position i the pair j is turned by i base^(-2j/d). Angles in double precision. */
cr_node cr_rope(cr_node x, double base) {
    if (!ops_good("rope", 1, &x)) return graph_error_node(x.graph);
    x = ops_arithmetic(x, true);
    struct shape s = ops_shape(x);
    if (s.rank < 2 || s.dim[s.rank - 1] % 2) {
        struct shape_text a;
        return graph_fail(x.graph, CR_ESHAPE, "rope", "expected [.., n, d] with an even d, found %s",
                          ops_show(&a, &s));
    }
    if (!(base > 0) || isinf(base))
        return graph_fail(x.graph, CR_EINVAL, "rope", "base %g: expected a positive number", base);
    int64_t d = s.dim[s.rank - 1];
    cr_node pair = cr_cast(counted(x.graph, d / 2, false), CR_F64),
            position = cr_cast(counted(x.graph, s.dim[s.rank - 2], true), CR_F64);
    cr_node angle = cr_mul(position, cr_exp(cr_mul(pair, NUM(d ? -2 * log(base) / (double)d : 0))));
    cr_node c = ops_to_dtype(cr_cos(angle), cr_dtype_of(x)), i = ops_to_dtype(cr_sin(angle), cr_dtype_of(x));
    cr_node a = every_other(x, 0), b = every_other(x, 1);
    cr_node turned[] = {cr_sub(cr_mul(a, c), cr_mul(b, i)), cr_add(cr_mul(a, i), cr_mul(b, c))};
    return ops_reshape(cr_stack(2, turned, -1), &s);
}
