/* Derivatives of factorisations, in solves and products (Giles 2008, "Collected matrix derivative results for forward and reverse
 * mode algorithmic differentiation"; for Cholesky Murray 2016, arXiv:1602.07527). */
#include "grad/helpers.h"

#define NUM(v) cr_number(y.graph, v)

static cr_node symmetric(cr_node y) { return cr_mul(NUM(0.5), cr_add(y, cr_t(y))); }

/* The lower triangle, half of the diagonal. */
static cr_node phi(cr_node y) { return cr_mul(NUM(0.5), cr_add(cr_tril(y, 0), cr_tril(y, -1))); }

/* L^-T phi(L^T g) L^-1, symmetric part. */
cr_node cholesky_back(cr_node g, cr_node y) {
    cr_node lt = cr_t(y), left = cr_triangular_solve(lt, phi(cr_matmul(lt, g)), true);
    return symmetric(cr_t(cr_triangular_solve(lt, cr_t(left), true)));
}

/* L phi(L^-1 t L^-T), t symmetric. */
cr_node cholesky_along(cr_node t, cr_node y) {
    cr_node left = cr_triangular_solve(y, symmetric(t), false);
    return cr_matmul(y, phi(cr_t(cr_triangular_solve(y, cr_t(left), false))));
}

static bool upper(cr_node y) { return graph_attr(y.graph, graph_get(y))[0] != 0; }

static cr_node triangle(cr_node y, cr_node x) { return upper(y) ? cr_triu(x, 0) : cr_tril(x, 0); }

cr_node triangular_back(cr_node g, cr_node y, cr_node a) {
    cr_node b = cr_triangular_solve(cr_t(a), g, !upper(y));
    return triangle(y, cr_neg(cr_matmul(b, cr_t(y))));
}

cr_node triangular_drive(cr_node t, cr_node y) { return cr_neg(cr_matmul(triangle(y, t), y)); }

/* g a^-T; the sign is constant. */
cr_node det_back(cr_node g, cr_node a) {
    if (!cr_ok(g)) return graph_error_node(a.graph);
    return cr_mul(cr_expand_dims(cr_expand_dims(g, -1), -1), cr_inv(cr_t(a)));
}

cr_node det_along(cr_node t, cr_node a, int part) {
    if (part) return graph_error_node(a.graph);
    return cr_sum(cr_diagonal(cr_solve(a, t)), 1, (int[]){-1}, false);
}

/* 1 / (value_j - value_i) beside the diagonal, 0 on it. */
static cr_node gaps(cr_node y) {
    cr_node value = cr_part(y, 0);
    cr_node apart = cr_sub(cr_expand_dims(value, -2), cr_expand_dims(value, -1));
    struct shape s = ops_shape(apart);
    cr_node place = cr_iota(y.graph, s.rank ? s.dim[s.rank - 1] : 0);
    cr_node beside = cr_ne(cr_expand_dims(place, 0), cr_expand_dims(place, 1));
    return cr_where(ops_expand(beside, &s), cr_recip(apart), NUM(0));
}

/* V (diag(g) + gaps * (V^T g1)) V^T, symmetric part: of what there is of g and g1. */
cr_node eigh_back(cr_node g, cr_node g1, cr_node y) {
    cr_node v = cr_part(y, 1), inner = graph_error_node(y.graph);
    if (cr_ok(g)) inner = cr_diag(g);
    if (cr_ok(g1)) {
        cr_node turned = cr_mul(gaps(y), cr_matmul(cr_t(v), g1));
        inner = cr_ok(g) ? cr_add(inner, turned) : turned;
    }
    return cr_ok(inner) ? symmetric(cr_matmul(cr_matmul(v, inner), cr_t(v))) : inner;
}

cr_node eigh_along(cr_node t, cr_node y, int part) {
    cr_node v = cr_part(y, 1), inner = cr_matmul(cr_matmul(cr_t(v), symmetric(t)), v);
    return part ? cr_matmul(v, cr_mul(gaps(y), inner)) : cr_diagonal(inner);
}
