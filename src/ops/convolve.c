/* Composites over windows: pools and convolutions. A convolution is the windows of x times w, one matrix product; its derivatives
 * follow from those of window and matmul, to every order. */
#include "ops/build.h"

#include <math.h>

/* ---- Pools ---- */

/* Zeros before and after each of the last n axes; NULL: none. */
static cr_node padded(cr_node x, int n, const int64_t before[], const int64_t after[]) {
    int64_t low[CR_MAX_RANK] = {0}, high[CR_MAX_RANK] = {0};
    int rank = cr_rank(x);
    for (int i = 0; i < n; i++) {
        low[rank - n + i] = before ? before[i] : 0;
        high[rank - n + i] = after ? after[i] : 0;
    }
    return cr_pad(x, rank, low, high);
}

/* [.., places.., window..] with the window as one axis. */
static cr_node flat_windows(cr_node x, int n, const int64_t size[], const int64_t stride[],
                            const int64_t dilation[]) {
    cr_node w = cr_window(x, n, size, stride ? stride : size, dilation);
    struct shape s = ops_shape(w);
    if (!cr_ok(w)) return w;
    int64_t elements = shape_count(n, s.dim + s.rank - n);
    s.rank -= n;
    s.dim[s.rank++] = elements;
    return ops_reshape(w, &s);
}

static bool pool_good(const char *op, cr_node x, int n, const int64_t size[]) {
    if (!ops_good(op, 1, &x)) return false;
    if (n < 0 || n > cr_rank(x) || (n && !size))
        return graph_fail(x.graph, CR_EAXIS, op, "%d windowed axes of rank %d", n, cr_rank(x)), false;
    if (cr_rank(x) + (n ? n : 1) > CR_MAX_RANK) /* an axis of windows for each, then of their elements */
        return graph_fail(x.graph, CR_ELIMIT, op, "%d windowed axes of rank %d", n, cr_rank(x)), false;
    for (int i = 0; i < n; i++)
        if (size[i] < 1)
            return graph_fail(x.graph, CR_EINVAL, op, "a window of size %lld", (long long)size[i]), false;
    return true;
}

cr_node cr_max_pool(cr_node x, int n, const int64_t size[], const int64_t stride[], const int64_t dilation[],
                    const int64_t before[], const int64_t after[]) {
    if (!pool_good("max_pool", x, n, size)) return graph_error_node(x.graph);
    x = ops_arithmetic(x, true);
    cr_node wide = padded(x, n, before, after);
    if (cr_ok(wide) && !cr_same(wide, x)) { /* what was added never wins */
        struct shape s = ops_shape(x);
        cr_node there = padded(ops_expand(ops_scalar(x.graph, CR_BOOL, 1), &s), n, before, after);
        wide = cr_where(there, wide, cr_number(x.graph, -HUGE_VAL));
    }
    cr_node all = flat_windows(wide, n, size, stride, dilation);
    if (!cr_ok(all)) return all;
    cr_node first = cr_argmax(all, -1);
    return cr_gather(all, first, cr_rank(first));
}

cr_node cr_avg_pool(cr_node x, int n, const int64_t size[], const int64_t stride[], const int64_t dilation[],
                    const int64_t before[], const int64_t after[]) {
    if (!pool_good("avg_pool", x, n, size)) return graph_error_node(x.graph);
    cr_node wide = padded(ops_arithmetic(x, true), n, before, after);
    return cr_mean(flat_windows(wide, n, size, stride, dilation), 1, (int[]){-1}, false);
}

/* ---- Convolutions ---- */

struct conv {
    const char *op;
    int d; /* axes of space */
    struct shape x, w;
    int64_t groups, stride[CR_MAX_RANK], dilation[CR_MAX_RANK], before[CR_MAX_RANK], after[CR_MAX_RANK];
};

static cr_node no_fit(const struct conv *c, cr_node x) {
    struct shape_text a, b;
    return graph_fail(x.graph, CR_ESHAPE, c->op, "x %s, w %s and %lld groups do not fit", ops_show(&a, &c->x),
                      ops_show(&b, &c->w), (long long)c->groups);
}

/* One number stands for all axes; NULL for the default. */
static void spread(int64_t to[], int d, int n, const int64_t from[], int64_t fallback) {
    for (int i = 0; i < d; i++) to[i] = from ? from[n == 1 ? 0 : i] : fallback;
}

/* Operands in one dtype, shapes that fit. transposed: w's first axis is x's channels. */
static bool conv_of(struct conv *c, const char *op, cr_node both[2], int n, const int64_t stride[],
                    const int64_t dilation[], const int64_t before[], const int64_t after[], int64_t groups,
                    bool transposed) {
    if (!ops_good(op, 2, both) || !ops_unify(op, 2, both, false)) return false;
    *c = (struct conv){.op = op,
                       .d = cr_rank(both[0]) - 2,
                       .x = ops_shape(both[0]),
                       .w = ops_shape(both[1]),
                       .groups = groups};
    bool fits = c->d >= 1 && c->w.rank == c->x.rank && groups >= 1 && (n == 0 || n == 1 || n == c->d);
    if (fits && transposed) fits = c->w.dim[0] == c->x.dim[1] && c->w.dim[0] % groups == 0;
    else if (fits) fits = c->x.dim[1] == c->w.dim[1] * groups && c->w.dim[0] % groups == 0;
    if (!fits) return no_fit(c, both[0]), false;
    if (3 + 2 * c->d >
        CR_MAX_RANK) /* groups, observations and channels, places, and the window stand apart on the way */
        return graph_fail(both[0].graph, CR_ELIMIT, op, "%d axes of space, at most %d", c->d,
                          (CR_MAX_RANK - 3) / 2),
               false;
    spread(c->stride, c->d, n, n ? stride : NULL, 1);
    spread(c->dilation, c->d, n, n ? dilation : NULL, 1);
    spread(c->before, c->d, n, n ? before : NULL, 0);
    spread(c->after, c->d, n, n ? after : NULL, 0);
    return true;
}

/* Is there a place for the kernel in each axis? */
static bool kernel_fits(const struct conv *c, cr_node x) {
    for (int i = 0; i < c->d; i++) {
        int64_t k = c->w.dim[2 + i], size = c->x.dim[2 + i] + c->before[i] + c->after[i];
        if (k == 0 || c->dilation[i] < 1 || (k - 1) <= (size - 1) / c->dilation[i])
            continue; /* others tell the rest */
        graph_fail(x.graph, CR_ESHAPE, c->op,
                   "a kernel of %lld, %lld apart, does not fit %lld elements of axis %d", (long long)k,
                   (long long)c->dilation[i], (long long)size, 2 + i);
        return false;
    }
    return true;
}

static cr_node reorder(cr_node x, int n, const int order[]) { return cr_ok(x) ? cr_permute(x, n, order) : x; }

static cr_node as_matrices(cr_node x, int64_t groups, int64_t rows, int64_t columns) {
    struct shape s = {.rank = 3, .dim = {groups, rows, columns}};
    return cr_ok(x) ? ops_reshape(x, &s) : x;
}

/* Of a window. */
static int64_t elements(const struct conv *c) { return shape_count(c->d, c->w.dim + 2); }

/* Windows [n, in, places.., k..] as [groups, n places, in/groups k]. */
static cr_node window_rows(const struct conv *c, cr_node windows) {
    struct shape s = ops_shape(windows), split = {.rank = 3, .dim = {s.dim[0], c->groups, c->w.dim[1]}};
    int order[CR_MAX_RANK] = {1, 0}, at = 2;
    if (!cr_ok(windows)) return windows;
    for (int i = 2; i < s.rank; i++) split.dim[split.rank++] = s.dim[i];
    for (int i = 0; i < c->d; i++) order[at++] = 3 + i;
    order[at++] = 2;
    for (int i = 0; i < c->d; i++) order[at++] = 3 + c->d + i;
    int64_t rows = s.dim[0] * shape_count(c->d, s.dim + 2);
    return as_matrices(reorder(ops_reshape(windows, &split), at, order), c->groups, rows,
                       c->w.dim[1] * elements(c));
}

/* [groups, n places, out/groups] as [n, out, places..]. */
static cr_node channels_first(const struct conv *c, cr_node y, const struct shape *places) {
    int64_t out = c->w.dim[0] / c->groups;
    struct shape apart = {.rank = 2, .dim = {c->groups, c->x.dim[0]}},
                 whole = {.rank = 2, .dim = {c->x.dim[0], c->w.dim[0]}};
    int order[CR_MAX_RANK] = {1, 0, 2 + c->d}, at = 3;
    if (!cr_ok(y)) return y;
    for (int i = 0; i < c->d; i++) apart.dim[apart.rank++] = whole.dim[whole.rank++] = places->dim[i];
    apart.dim[apart.rank++] = out;
    for (int i = 0; i < c->d; i++) order[at++] = 2 + i;
    return ops_reshape(reorder(ops_reshape(y, &apart), at, order), &whole);
}

cr_node cr_conv(cr_node x, cr_node w, int n, const int64_t stride[], const int64_t dilation[],
                const int64_t before[], const int64_t after[], int64_t groups) {
    cr_node both[2] = {x, w};
    struct conv c;
    if (!conv_of(&c, "conv", both, n, stride, dilation, before, after, groups, false) || !kernel_fits(&c, x))
        return graph_error_node(x.graph);
    cr_node windows =
        cr_window(padded(both[0], c.d, c.before, c.after), c.d, c.w.dim + 2, c.stride, c.dilation);
    if (!cr_ok(windows)) return windows;
    struct shape s = ops_shape(windows), places = shape_of(c.d, s.dim + 2);
    cr_node rows = window_rows(&c, windows);
    cr_node kernels = as_matrices(both[1], groups, c.w.dim[0] / groups, c.w.dim[1] * elements(&c));
    return channels_first(&c, cr_matmul(rows, cr_t(kernels)), &places);
}

/* x [n, in, s..] as [groups, n s, in/groups]. */
static cr_node pixel_rows(const struct conv *c, cr_node x) {
    struct shape split = {.rank = 3, .dim = {c->x.dim[0], c->groups, c->x.dim[1] / c->groups}};
    int order[CR_MAX_RANK] = {1, 0}, at = 2;
    for (int i = 0; i < c->d; i++) split.dim[split.rank++] = c->x.dim[2 + i], order[at++] = 3 + i;
    order[at++] = 2;
    int64_t rows = c->x.dim[0] * shape_count(c->d, c->x.dim + 2);
    return as_matrices(reorder(ops_reshape(x, &split), at, order), c->groups, rows, c->x.dim[1] / c->groups);
}

/* [groups, n s, out/groups k] as [n, out, s.., k..]. */
static cr_node spread_windows(const struct conv *c, cr_node y) {
    struct shape apart = {.rank = 2, .dim = {c->groups, c->x.dim[0]}},
                 whole = {.rank = 2, .dim = {c->x.dim[0], c->groups * c->w.dim[1]}};
    int order[CR_MAX_RANK] = {1, 0, 2 + c->d}, at = 3;
    if (!cr_ok(y)) return y;
    for (int i = 0; i < c->d; i++) apart.dim[apart.rank++] = whole.dim[whole.rank++] = c->x.dim[2 + i];
    apart.dim[apart.rank++] = c->w.dim[1];
    for (int i = 0; i < c->d; i++) apart.dim[apart.rank++] = whole.dim[whole.rank++] = c->w.dim[2 + i];
    for (int i = 0; i < c->d; i++) order[at++] = 2 + i;
    for (int i = 0; i < c->d; i++) order[at++] = 3 + c->d + i;
    return ops_reshape(reorder(ops_reshape(y, &apart), at, order), &whole);
}

/* Cuts off before and after, or adds zeros where they are negative. */
static cr_node cropped(const struct conv *c, cr_node y) {
    int64_t start[CR_MAX_RANK] = {0}, step[CR_MAX_RANK], low[CR_MAX_RANK], high[CR_MAX_RANK];
    struct shape s = ops_shape(y);
    if (!cr_ok(y)) return y;
    for (int i = 0; i < s.rank; i++) step[i] = 1;
    for (int i = 0; i < c->d; i++) {
        int64_t b = c->before[i], a = c->after[i];
        low[i] = b < 0 ? -b : 0, high[i] = a < 0 ? -a : 0;
        start[2 + i] = b > 0 ? b : 0;
        s.dim[2 + i] -= (b > 0 ? b : 0) + (a > 0 ? a : 0);
        if (s.dim[2 + i] < 0)
            return graph_fail(y.graph, CR_ESHAPE, c->op,
                              "nothing is left of axis %d: %lld and %lld are cut off", 2 + i, (long long)b,
                              (long long)a);
    }
    return padded(ops_slice(y, start, step, &s), c->d, low, high);
}

cr_node cr_conv_transpose(cr_node x, cr_node w, int n, const int64_t stride[], const int64_t dilation[],
                          const int64_t before[], const int64_t after[], int64_t groups) {
    cr_node both[2] = {x, w};
    struct conv c;
    int64_t size[CR_MAX_RANK];
    if (!conv_of(&c, "conv_transpose", both, n, stride, dilation, before, after, groups, true))
        return graph_error_node(x.graph);
    for (int i = 0; i < c.d; i++) {
        int64_t s = c.x.dim[2 + i], k = c.w.dim[2 + i];
        size[i] = s && k ? (s - 1) * c.stride[i] + (k - 1) * c.dilation[i] + 1 : 0;
    }
    cr_node kernels = as_matrices(both[1], groups, c.w.dim[0] / groups, c.w.dim[1] * elements(&c));
    cr_node windows = spread_windows(&c, cr_matmul(pixel_rows(&c, both[0]), kernels));
    return cropped(&c, cr_window_add(windows, c.d, size, c.stride, c.dilation));
}
