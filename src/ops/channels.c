/* Composites of channels, the second axis of [n, channels, space..]. */
#include "ops/build.h"

#define NUM(v) cr_number(x.graph, v)

/* One number for each channel, to be broadcast over x. */
static cr_node for_channels(cr_node x, cr_node v) {
    struct shape line = {.rank = cr_rank(x)};
    for (int i = 0; i < line.rank; i++) line.dim[i] = i == 1 ? cr_dims(x)[1] : 1;
    return ops_reshape(v, &line);
}

static bool channels_fit(const char *op, cr_node x, cr_node gain, cr_node bias) {
    if (!ops_good(op, 3, (cr_node[]){x, gain, bias})) return false;
    if (cr_rank(x) >= 2 && cr_rank(gain) == 1 && cr_rank(bias) == 1 && cr_dims(gain)[0] == cr_dims(x)[1] &&
        cr_dims(bias)[0] == cr_dims(x)[1])
        return true;
    struct shape s = ops_shape(x), g = ops_shape(gain), b = ops_shape(bias);
    struct shape_text t[3];
    graph_fail(x.graph, CR_ESHAPE, op, "x %s, gain %s and bias %s: expected one of each for a channel",
               ops_show(&t[0], &s), ops_show(&t[1], &g), ops_show(&t[2], &b));
    return false;
}

cr_node cr_group_norm(cr_node x, cr_node y, cr_node z, int64_t n, double r) {
    if (!channels_fit("group_norm", x, y, z)) return graph_error_node(x.graph);
    x = ops_arithmetic(x, true);
    struct shape s = ops_shape(x), groups = {.rank = 3, .dim = {s.dim[0], n}};
    if (n < 1 || s.dim[1] % n)
        return graph_fail(x.graph, CR_ESHAPE, "group_norm", "%lld channels do not make %lld groups",
                          (long long)s.dim[1], (long long)n);
    groups.dim[2] = s.dim[1] / n * shape_count(s.rank - 2, s.dim + 2);
    cr_node lines = ops_reshape(x, &groups), centred = cr_sub(lines, cr_mean(lines, 1, (int[]){-1}, true));
    cr_node scale = cr_rsqrt(cr_add(cr_mean(cr_square(centred), 1, (int[]){-1}, true), NUM(r)));
    cr_node normal = ops_reshape(cr_mul(centred, scale), &s);
    return cr_add(cr_mul(normal, for_channels(x, y)), for_channels(x, z));
}

cr_node cr_instance_norm(cr_node x, cr_node y, cr_node z, double r) {
    if (!channels_fit("instance_norm", x, y, z)) return graph_error_node(x.graph);
    return cr_dims(x)[1] ? cr_group_norm(x, y, z, cr_dims(x)[1], r) : x;
}

/* x / (k + alpha mean of the squares of n neighbouring channels)^beta (Krizhevsky et al. 2012), zeros beyond the ends. */
cr_node cr_local_response_norm(cr_node x, int64_t n, double r, double s, double q) {
    if (!ops_good("local_response_norm", 1, &x)) return graph_error_node(x.graph);
    if (cr_rank(x) < 2 || n < 1 || n > INT32_MAX)
        return graph_fail(x.graph, CR_EINVAL, "local_response_norm", "%lld channels of rank %d", (long long)n,
                          cr_rank(x));
    x = ops_arithmetic(x, true);
    cr_node last = ops_move_axis(cr_square(x), 1 - cr_rank(x), -1);
    int64_t before[CR_MAX_RANK] = {0}, after[CR_MAX_RANK] = {0};
    before[cr_rank(x) - 1] = n / 2;
    after[cr_rank(x) - 1] = (n - 1) / 2;
    cr_node wide = cr_pad(last, cr_rank(x), before, after);
    cr_node mean = cr_mean(cr_window(wide, 1, &n, NULL, NULL), 1, (int[]){-1}, false);
    cr_node scale = cr_pow(cr_add(NUM(q), cr_mul(NUM(r), mean)), NUM(s));
    return cr_div(x, ops_move_axis(scale, -1, 1 - cr_rank(x)));
}
