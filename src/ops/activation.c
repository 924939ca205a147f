/* Composites, element by element. */
#include "ops/build.h"

#include <math.h>

#define NUM(v) cr_number(x.graph, v)

cr_node cr_clip(cr_node x, double low, double high) {
    if (!(low <= high))
        return graph_fail(x.graph, CR_EINVAL, "clip", "the lower bound is above the upper one");
    return cr_minimum(cr_maximum(x, NUM(low)), NUM(high));
}

/* x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2. */
cr_node cr_gelu(cr_node x) {
    cr_node phi = cr_mul(NUM(0.5), cr_add(NUM(1), cr_erf(cr_mul(x, NUM(0.70710678118654752440)))));
    return cr_mul(x, phi);
}

/* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2. */
cr_node cr_gelu_tanh(cr_node x) {
    cr_node inner = cr_mul(NUM(0.79788456080286535588), cr_add(x, cr_mul(NUM(0.044715), cr_powi(x, 3))));
    return cr_mul(cr_mul(NUM(0.5), x), cr_add(NUM(1), cr_tanh(inner)));
}

cr_node cr_silu(cr_node x) { return cr_mul(x, cr_sigmoid(x)); }

cr_node cr_mish(cr_node x) { return cr_mul(x, cr_tanh(cr_softplus(x))); }

cr_node cr_leaky_relu(cr_node x, double r) { return cr_where(cr_lt(NUM(0), x), x, cr_mul(NUM(r), x)); }

cr_node cr_elu(cr_node x, double r) { return cr_where(cr_lt(NUM(0), x), x, cr_mul(NUM(r), cr_expm1(x))); }

cr_node cr_selu(cr_node x) { return cr_mul(NUM(1.0507009873554804934), cr_elu(x, 1.6732632423543772848)); }

cr_node cr_softsign(cr_node x) { return cr_div(x, cr_add(NUM(1), cr_abs(x))); }

cr_node cr_hard_sigmoid(cr_node x) { return cr_clip(cr_add(cr_div(x, NUM(6)), NUM(0.5)), 0, 1); }

cr_node cr_hard_swish(cr_node x) { return cr_mul(x, cr_hard_sigmoid(x)); }

cr_node cr_celu(cr_node x, double r) {
    if (!(r > 0)) return graph_fail(x.graph, CR_EINVAL, "celu", "alpha must be positive");
    return cr_where(cr_lt(NUM(0), x), x, cr_mul(NUM(r), cr_expm1(cr_div(x, NUM(r)))));
}

cr_node cr_log_sigmoid(cr_node x) { return cr_neg(cr_softplus(cr_neg(x))); }

cr_node cr_hard_shrink(cr_node x, double r) { return cr_where(cr_le(cr_abs(x), NUM(r)), NUM(0), x); }

cr_node cr_soft_shrink(cr_node x, double r) {
    return cr_where(cr_le(cr_abs(x), NUM(r)), NUM(0), cr_sub(x, cr_mul(NUM(r), cr_sign(x))));
}

/* One half of an axis times the sigmoid of the other. */
cr_node cr_glu(cr_node x, int axis) {
    if (!ops_good("glu", 1, &x)) return graph_error_node(x.graph);
    int at = ops_axis("glu", x, axis);
    if (!at) return graph_error_node(x.graph);
    int64_t n = cr_dims(x)[cr_rank(x) + at];
    if (n % 2)
        return graph_fail(x.graph, CR_ESHAPE, "glu", "an axis of size %lld has no halves", (long long)n);
    return cr_mul(ops_slice_axis(x, at, 0, 1, n / 2), cr_sigmoid(ops_slice_axis(x, at, n / 2, 1, n / 2)));
}

cr_node cr_logit(cr_node x) { return cr_sub(cr_log(x), cr_log1p(cr_neg(x))); }

/* The greater plus softplus of the difference: one smooth function, whichever is chosen. Equal infinities have no difference. */
cr_node cr_logaddexp(cr_node x, cr_node y) {
    cr_node above = cr_add(x, cr_softplus(cr_sub(y, x))), below = cr_add(y, cr_softplus(cr_sub(x, y)));
    cr_node endless = cr_and(cr_eq(x, y), cr_isinf(x));
    return cr_where(endless, x, cr_where(cr_lt(x, y), below, above));
}

/* Where x is 0 and log y no number, the logarithm of 1. */
cr_node cr_xlogy(cr_node x, cr_node y) {
    cr_node usable = cr_or(cr_and(cr_lt(NUM(0), y), cr_lt(y, NUM(INFINITY))), cr_isnan(y));
    return cr_mul(x, cr_log(cr_where(cr_or(usable, cr_ne(x, NUM(0))), y, NUM(1))));
}

cr_node cr_sinc(cr_node x) { return cr_stumpff(cr_square(cr_mul(x, NUM(3.14159265358979323846))), 1); }

cr_node cr_normal_cdf(cr_node x) {
    return cr_mul(NUM(0.5), cr_erfc(cr_mul(x, NUM(-0.70710678118654752440))));
}

cr_node cr_lerp(cr_node x, cr_node y, cr_node z) { return cr_add(x, cr_mul(z, cr_sub(y, x))); }
