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

/* y log p, where y = 0 counts for nothing even at p = 0. */
static cr_node weighted_log(cr_node x, cr_node y) {
    return cr_where(cr_eq(y, NUM(0)), NUM(0), cr_mul(y, cr_log(x)));
}

cr_node cr_bce(cr_node x, cr_node y) {
    cr_node rest = weighted_log(cr_sub(NUM(1), x), cr_sub(NUM(1), y));
    return cr_neg(cr_add(weighted_log(x, y), rest));
}

/* softplus(x) - x y. */
cr_node cr_bce_with_logits(cr_node x, cr_node y) { return cr_sub(cr_softplus(x), cr_mul(x, y)); }

static const int last_axis[1] = {-1};

cr_node cr_cross_entropy(cr_node x, cr_node y) {
    if (!ops_good("cross_entropy", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    if (cr_rank(x) < 1)
        return graph_fail(x.graph, CR_ESHAPE, "cross_entropy", "logits need an axis of classes");
    if (dtype_is_float(cr_dtype_of(y)))
        return cr_neg(cr_sum(cr_mul(y, cr_log_softmax(x, -1)), 1, last_axis, false));
    if (cr_rank(y) != cr_rank(x) - 1) {
        struct shape sx = ops_shape(x), sy = ops_shape(y);
        struct shape_text a, b;
        return graph_fail(x.graph, CR_ESHAPE, "cross_entropy",
                          "logits %s need one class for each row, found %s", ops_show(&a, &sx),
                          ops_show(&b, &sy));
    }
    return cr_neg(cr_gather(cr_log_softmax(x, -1), y, cr_rank(y)));
}
