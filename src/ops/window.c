/* Windows of the last axes, and their transpose. The attributes of both are, for each windowed axis, last first: size (of the
 * window; of window_add's result), stride, dilation. */
#include "ops/build.h"

struct windows {
    int n;
    int64_t size[CR_MAX_RANK], stride[CR_MAX_RANK], dilation[CR_MAX_RANK];
};

/* NULL: 1 for each axis. */
static bool windows_of(struct windows *w, int op, cr_node x, int n, const int64_t size[],
                       const int64_t stride[], const int64_t dilation[]) {
    if (n < 0 || n > cr_rank(x) || (n && !size)) {
        graph_fail(x.graph, CR_EAXIS, op_name(op), "%d windowed axes of rank %d", n, cr_rank(x));
        return false;
    }
    w->n = n;
    for (int i = 0; i < n; i++) {
        w->size[i] = size[i];
        w->stride[i] = stride ? stride[i] : 1;
        w->dilation[i] = dilation ? dilation[i] : 1;
        bool ok = w->size[i] >= 0 && w->stride[i] >= 1 && w->dilation[i] >= 1;
        if (ok && w->size[i] <= INT32_MAX && w->stride[i] <= INT32_MAX && w->dilation[i] <= INT32_MAX)
            continue;
        graph_fail(x.graph, CR_EINVAL, op_name(op),
                   "size %lld, stride %lld, dilation %lld: expected stride and dilation of 1 or more, all "
                   "below 2^31",
                   (long long)w->size[i], (long long)w->stride[i], (long long)w->dilation[i]);
        return false;
    }
    return true;
}

static cr_node windows_node(int op, cr_node x, const struct windows *w, const struct shape *out) {
    int64_t attr[3 * CR_MAX_RANK];
    for (int i = 0; i < w->n; i++) {
        int64_t *at = attr + 3 * (w->n - 1 - i);
        at[0] = w->size[i], at[1] = w->stride[i], at[2] = w->dilation[i];
    }
    return w->n ? ops_node(op, cr_dtype_of(x), out, 3 * w->n, attr, 1, &x) : x;
}

/* From the first element of a window to behind its last. */
static int64_t span(int64_t size, int64_t dilation) { return size ? (size - 1) * dilation + 1 : 0; }

cr_node cr_window(cr_node x, int n, const int64_t size[], const int64_t stride[], const int64_t dilation[]) {
    struct windows w;
    if (!ops_good("window", 1, &x) || !windows_of(&w, OP_window, x, n, size, stride, dilation))
        return graph_error_node(x.graph);
    struct shape s = ops_shape(x), out = s;
    struct shape_text t;
    if (s.rank + n > CR_MAX_RANK)
        return graph_fail(x.graph, CR_ELIMIT, "window", "%d windowed axes of %s make a rank above %d", n,
                          ops_show(&t, &s), CR_MAX_RANK);
    for (int i = 0; i < n; i++) {
        int at = s.rank - n + i;
        int64_t room = s.dim[at] - span(w.size[i], w.dilation[i]);
        if (room < 0)
            return graph_fail(x.graph, CR_ESHAPE, "window",
                              "a window of %lld, %lld apart, does not fit axis %d of %s",
                              (long long)w.size[i], (long long)w.dilation[i], at - s.rank, ops_show(&t, &s));
        out.dim[at] = room / w.stride[i] + 1;
        out.dim[out.rank++] = w.size[i];
    }
    return windows_node(OP_window, x, &w, &out);
}

cr_node cr_window_add(cr_node x, int n, const int64_t size[], const int64_t stride[],
                      const int64_t dilation[]) {
    struct windows w;
    if (!ops_good("window_add", 1, &x) || !windows_of(&w, OP_window_add, x, n, size, stride, dilation))
        return graph_error_node(x.graph);
    struct shape s = ops_shape(x), out = s;
    struct shape_text t;
    out.rank -= n;
    if (out.rank < n)
        return graph_fail(x.graph, CR_ESHAPE, "window_add", "%s has no %d axes of places before its windows",
                          ops_show(&t, &s), n);
    for (int i = 0; i < n; i++) {
        int at = out.rank - n + i;
        int64_t places = s.dim[at], k = s.dim[out.rank + i];
        bool fits = !places || !k || places - 1 <= (w.size[i] - span(k, w.dilation[i])) / w.stride[i];
        if (!fits || (places && k && span(k, w.dilation[i]) > w.size[i]))
            return graph_fail(x.graph, CR_ESHAPE, "window_add",
                              "%lld windows of %lld reach outside of %lld (%s)", (long long)places,
                              (long long)k, (long long)w.size[i], ops_show(&t, &s));
        out.dim[at] = w.size[i];
    }
    x = ops_arithmetic(x, false);
    return cr_ok(x) ? windows_node(OP_window_add, x, &w, &out) : x;
}
