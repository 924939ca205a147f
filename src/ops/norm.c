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

/* sum(|x|^p)^(1/p) and its limits at p = inf, -inf (the greatest, the least) and 0 (how many are not 0). */
cr_node cr_norm_p(cr_node x, double r, int n, const int axes[], bool keep) {
    cr_node a = cr_abs(ops_arithmetic(x, true));
    if (r == 1) return cr_sum(a, n, axes, keep);
    if (r == 2) return cr_norm(x, n, axes, keep);
    if (isnan(r)) return graph_fail(x.graph, CR_EINVAL, "norm_p", "p is not a number");
    if (isinf(r)) return r > 0 ? cr_max(a, n, axes, keep) : cr_min(a, n, axes, keep);
    if (r == 0) return cr_sum(cr_where(cr_eq(a, NUM(0)), cr_mul(NUM(0), a), NUM(1)), n, axes, keep);
    cr_node total = cr_sum(cr_pow(a, NUM(r)), n, axes, keep), none = cr_eq(total, NUM(0));
    return cr_where(none, NUM(0), cr_pow(cr_where(none, NUM(1), total), NUM(1 / r)));
}

cr_node cr_normalize(cr_node x, int axis, double r) {
    return cr_div(x, cr_maximum(cr_norm(x, 1, &axis, true), NUM(r)));
}

static cr_node length(cr_node x, int axis, double least) {
    return cr_maximum(cr_norm(x, 1, &axis, false), NUM(least));
}

cr_node cr_cosine_similarity(cr_node x, cr_node y, int axis, double r) {
    cr_node product = cr_sum(cr_mul(x, y), 1, &axis, false);
    return cr_div(product, cr_mul(length(x, axis, r), length(y, axis, r)));
}

/* [.., m, k] and [.., n, k] become [.., m, n]. */
cr_node cr_cdist(cr_node x, cr_node y) {
    if (!ops_good("cdist", 2, (cr_node[]){x, y})) return graph_error_node(x.graph);
    int rx = cr_rank(x), ry = cr_rank(y);
    if (rx < 2 || ry < 2 || cr_dims(x)[rx - 1] != cr_dims(y)[ry - 1]) {
        struct shape sx = ops_shape(x), sy = ops_shape(y);
        struct shape_text a, b;
        return graph_fail(x.graph, CR_ESHAPE, "cdist", "%s and %s are no points of one space",
                          ops_show(&a, &sx), ops_show(&b, &sy));
    }
    return cr_norm(cr_sub(cr_expand_dims(x, -2), cr_expand_dims(y, -3)), 1, (int[]){-1}, false);
}

cr_node cr_norm1(cr_node x, int n, const int axes[], bool keep) { return cr_sum(cr_abs(x), n, axes, keep); }

cr_node ops_shift_by(cr_node top) {
    cr_node x = cr_stop_gradient(top);
    return cr_where(cr_lt(cr_abs(x), NUM(INFINITY)), x, NUM(0));
}

cr_node ops_shift(cr_node x, int n, const int axes[]) { return ops_shift_by(cr_max(x, n, axes, true)); }

cr_node cr_logsumexp(cr_node x, int n, const int axes[], bool keep) {
    cr_node a = ops_arithmetic(x, true), shift = ops_shift(a, n, axes);
    cr_node sum = cr_sum(cr_exp(cr_sub(a, shift)), n, axes, keep);
    cr_node y = cr_log(sum);
    if (!cr_ok(y)) return y;
    struct shape s = ops_shape(y);
    return cr_add(y, ops_reshape(shift, &s));
}

cr_node cr_softmax(cr_node x, int axis) {
    cr_node a = ops_arithmetic(x, true), e = cr_exp(cr_sub(a, ops_shift(a, 1, &axis)));
    if (cr_count(a) == 0) return e;                        /* whose sum has no quotient */
    return cr_mul(e, cr_recip(cr_sum(e, 1, &axis, true))); /* one quotient a line, also on the way back */
}

cr_node cr_log_softmax(cr_node x, int axis) {
    cr_node a = ops_arithmetic(x, true), shifted = cr_sub(a, ops_shift(a, 1, &axis));
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

/* ---- Over all axes but the second, the channels ---- */

static int but_channels(cr_node x, int axes[]) {
    int n = 0;
    for (int i = 0; i < cr_rank(x); i++)
        if (i != 1) axes[n++] = i;
    return n;
}

static bool has_channels(const char *op, cr_node x) {
    if (!ops_good(op, 1, &x)) return false;
    if (cr_rank(x) >= 2) return true;
    graph_fail(x.graph, CR_EAXIS, op, "expected observations and channels, found rank %d", cr_rank(x));
    return false;
}

cr_node cr_batch_mean(cr_node x) {
    int axes[CR_MAX_RANK];
    if (!has_channels("batch_mean", x)) return graph_error_node(x.graph);
    return cr_mean(x, but_channels(x, axes), axes, false);
}

cr_node cr_batch_var(cr_node x) {
    int axes[CR_MAX_RANK];
    if (!has_channels("batch_var", x)) return graph_error_node(x.graph);
    return cr_var(x, but_channels(x, axes), axes, false);
}

/* v [c] beside x [n, c, ..]. */
static cr_node beside(cr_node v, cr_node x) {
    struct shape line = {.rank = cr_rank(x)};
    for (int i = 0; i < line.rank; i++) line.dim[i] = i == 1 ? cr_dims(x)[1] : 1;
    return ops_reshape(v, &line);
}

static bool one_for_each(const char *op, cr_node x, const char *what, cr_node v) {
    struct shape s = ops_shape(x), have = ops_shape(v);
    struct shape_text a, b;
    if (have.rank == 1 && have.dim[0] == s.dim[1]) return true;
    graph_fail(x.graph, CR_ESHAPE, op, "x %s and %s %s: expected one for each channel", ops_show(&a, &s),
               what, ops_show(&b, &have));
    return false;
}

cr_node cr_batch_norm_by(cr_node x, cr_node mean, cr_node var, cr_node gain, cr_node bias, double eps) {
    static const char op[] = "batch_norm_by";
    if (!ops_good(op, 5, (cr_node[]){x, mean, var, gain, bias}) || !has_channels(op, x) ||
        !one_for_each(op, x, "mean", mean) || !one_for_each(op, x, "var", var) ||
        !one_for_each(op, x, "gain", gain) || !one_for_each(op, x, "bias", bias))
        return graph_error_node(x.graph);
    cr_node scale = cr_rsqrt(cr_add(var, NUM(eps)));
    cr_node normal = cr_mul(cr_sub(x, beside(mean, x)), beside(scale, x));
    return cr_add(cr_mul(normal, beside(gain, x)), beside(bias, x));
}

cr_node cr_batch_norm(cr_node x, cr_node y, cr_node z, double r) {
    if (!ops_good("batch_norm", 3, (cr_node[]){x, y, z}) || !has_channels("batch_norm", x) ||
        !one_for_each("batch_norm", x, "gain", y) || !one_for_each("batch_norm", x, "bias", z))
        return graph_error_node(x.graph);
    return cr_batch_norm_by(x, cr_batch_mean(x), cr_batch_var(x), y, z, r);
}
