/* Composites, element by element. */
#include "ops/build.h"

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
