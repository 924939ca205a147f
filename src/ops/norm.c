/* Composites over axes: means, norms, softmax, normalisation. */
#include "ops/build.h"

#include <math.h>

#include "tensor/dtype.h"

#define NUM(v) cr_number(x.graph, v)

cr_node cr_mean(cr_node x, int n, const int axes[], bool keep) {
    cr_node a = ops_arithmetic(x, true), total = cr_sum(a, n, axes, keep);
    if (!cr_ok(total)) return graph_error_node(x.graph);
    int64_t whole = cr_count(a), left = cr_count(total);
    if (whole == 0) { /* of nothing: nan; how many that would have been the sizes tell */
        left = 1, whole = 1;
        for (int i = 0; i < (axes ? n : cr_rank(a)); i++) {
            int axis = axes ? axes[i] : i;
            whole *= cr_dims(a)[axis < 0 ? axis + cr_rank(a) : axis];
        }
    }
    return cr_div(total, NUM((double)(whole / left)));
}

cr_node cr_var(cr_node x, int n, const int axes[], bool keep) {
    cr_node mean = cr_mean(x, n, axes, true);
    return cr_mean(cr_square(cr_sub(x, mean)), n, axes, keep);
}

/* sqrt with the derivative 0 at 0. */
static cr_node root(cr_node x) {
    cr_node positive = cr_lt(NUM(0), x);
    return cr_where(cr_or(positive, cr_isnan(x)), cr_sqrt(x), NUM(0));
}

cr_node cr_std(cr_node x, int n, const int axes[], bool keep) { return root(cr_var(x, n, axes, keep)); }

cr_node cr_norm(cr_node x, int n, const int axes[], bool keep) {
    return root(cr_sum(cr_square(ops_arithmetic(x, true)), n, axes, keep));
}

cr_node cr_norm1(cr_node x, int n, const int axes[], bool keep) { return cr_sum(cr_abs(x), n, axes, keep); }

/* The maximum over the axes, held constant, and 0 where that is not finite: exp(x - shift) overflows nowhere.
 */
static cr_node shift_of(cr_node x, int n, const int axes[]) {
    cr_node top = cr_stop_gradient(cr_max(x, n, axes, true));
    return cr_where(cr_lt(cr_abs(top), NUM(INFINITY)), top, NUM(0));
}

cr_node cr_logsumexp(cr_node x, int n, const int axes[], bool keep) {
    cr_node a = ops_arithmetic(x, true), shift = shift_of(a, n, axes);
    cr_node sum = cr_sum(cr_exp(cr_sub(a, shift)), n, axes, keep);
    cr_node y = cr_log(sum);
    if (!cr_ok(y)) return y;
    struct shape s = ops_shape(y);
    return cr_add(y, ops_reshape(shift, &s));
}

cr_node cr_softmax(cr_node x, int axis) {
    cr_node a = ops_arithmetic(x, true), e = cr_exp(cr_sub(a, shift_of(a, 1, &axis)));
    return cr_div(e, cr_sum(e, 1, &axis, true));
}

cr_node cr_log_softmax(cr_node x, int axis) {
    cr_node a = ops_arithmetic(x, true), shifted = cr_sub(a, shift_of(a, 1, &axis));
    return cr_sub(shifted, cr_log(cr_sum(cr_exp(shifted), 1, &axis, true)));
}

static const int last_axis[1] = {-1};

cr_node cr_layer_norm(cr_node x, cr_node y, cr_node z, double r) {
    cr_node centred = cr_sub(x, cr_mean(x, 1, last_axis, true));
    cr_node scale = cr_rsqrt(cr_add(cr_mean(cr_square(centred), 1, last_axis, true), NUM(r)));
    return cr_add(cr_mul(cr_mul(centred, scale), y), z);
}

cr_node cr_rms_norm(cr_node x, cr_node y, double r) {
    cr_node scale = cr_rsqrt(cr_add(cr_mean(cr_square(x), 1, last_axis, true), NUM(r)));
    return cr_mul(cr_mul(x, scale), y);
}
