/* Composites: losses. mse and mae are means, one number; the others leave the mean to the user. */
#include "ops/build.h"

#include "tensor/dtype.h"

#define NUM(v) cr_number(x.graph, v)

cr_node cr_mse(cr_node x, cr_node y) { return cr_mean(cr_square(cr_sub(x, y)), 0, NULL, false); }

cr_node cr_mae(cr_node x, cr_node y) { return cr_mean(cr_abs(cr_sub(x, y)), 0, NULL, false); }

cr_node cr_huber(cr_node x, cr_node y, double r) {
    if (!ops_good("huber", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    if (!(r > 0)) return graph_fail(x.graph, CR_EINVAL, "huber", "delta must be positive");
    cr_node d = cr_abs(cr_sub(x, y));
    cr_node near = cr_mul(NUM(0.5), cr_square(d)), far = cr_mul(NUM(r), cr_sub(d, NUM(r / 2)));
    return cr_where(cr_le(d, NUM(r)), near, far);
}

cr_node cr_smooth_l1(cr_node x, cr_node y, double r) { return cr_div(cr_huber(x, y, r), NUM(r)); }

cr_node cr_bce(cr_node x, cr_node y) {
    return cr_neg(cr_add(cr_xlogy(y, x), cr_xlogy(cr_sub(NUM(1), y), cr_sub(NUM(1), x))));
}

/* softplus(x) - x y. */
cr_node cr_bce_with_logits(cr_node x, cr_node y) { return cr_sub(cr_softplus(x), cr_mul(x, y)); }

cr_node cr_hinge(cr_node x, cr_node y) { return cr_relu(cr_sub(NUM(1), cr_mul(x, y))); }

cr_node cr_kl_div(cr_node x, cr_node y) { return cr_sub(cr_xlogy(y, y), cr_mul(x, y)); }

/* (log v + (x - y)^2 / v) / 2, v at least r. */
cr_node cr_gaussian_nll(cr_node x, cr_node y, cr_node z, double r) {
    cr_node v = cr_where(cr_lt(z, NUM(r)), cr_add(NUM(r), cr_mul(NUM(0), z)), z);
    return cr_mul(NUM(0.5), cr_add(cr_log(v), cr_div(cr_square(cr_sub(x, y)), v)));
}

cr_node cr_poisson_nll(cr_node x, cr_node y) { return cr_sub(cr_exp(x), cr_mul(x, y)); }

/* ---- Of classes: the last axis ---- */

/* Minus the element of each row at class y. */
static cr_node minus_class(const char *op, cr_node x, cr_node y) {
    if (cr_ok(x) && cr_rank(x) >= 1 && cr_rank(y) == cr_rank(x) - 1)
        return cr_neg(cr_gather(x, y, cr_rank(y)));
    struct shape sx = ops_shape(x), sy = ops_shape(y);
    struct shape_text a, b;
    return graph_fail(x.graph, CR_ESHAPE, op, "scores %s need one class for each row, found %s",
                      ops_show(&a, &sx), ops_show(&b, &sy));
}

cr_node cr_nll(cr_node x, cr_node y) {
    if (!ops_good("nll", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    return minus_class("nll", x, y);
}

/* Element by element as minus_class of log_softmax, whose other elements nobody needs. What is picked comes first, so that the
 * loop over all classes needs nothing from outside half-way. */
static cr_node class_cross_entropy(cr_node x, cr_node y) {
    static const int last[1] = {-1};
    cr_node a = ops_arithmetic(x, true), minus = minus_class("cross_entropy", a, y);
    if (!cr_ok(minus)) return minus;
    cr_node shift = ops_shift(a, 1, last), sum = cr_sum(cr_exp(cr_sub(a, shift)), 1, last, false);
    return cr_add(cr_log(sum), cr_add(minus, cr_squeeze(shift, 1, last, false)));
}

cr_node cr_cross_entropy(cr_node x, cr_node y) {
    if (!ops_good("cross_entropy", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    if (cr_rank(x) < 1)
        return graph_fail(x.graph, CR_ESHAPE, "cross_entropy", "logits need an axis of classes");
    if (!dtype_is_float(cr_dtype_of(y))) return class_cross_entropy(x, y);
    return cr_neg(cr_sum(cr_mul(y, cr_log_softmax(x, -1)), 1, (int[]){-1}, false));
}
