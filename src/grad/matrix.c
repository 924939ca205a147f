/* Jacobians and Hessians: a sweep with one direction, left open, and then all directions at once. */
#include "grad/grad.h"

#include "grad/vmap.h"
#include "tensor/dtype.h"

/* What can be held: 16 GiB in double precision. */
static const int64_t most_elements = INT64_C(1) << 31;

static cr_node shaped(cr_node x, const struct shape *a, const struct shape *b) {
    struct shape s = *a;
    for (int i = 0; i < b->rank; i++) s.dim[s.rank++] = b->dim[i];
    return cr_ok(x) ? ops_reshape(x, &s) : x;
}

/* [c, x's shape]: slice i is 1 at element i, else 0. */
static cr_node directions(cr_node x) {
    int64_t c = cr_count(x);
    struct shape column = {.rank = 2, .dim = {c, 1}}, square = {.rank = 2, .dim = {c, c}}, lead = {1, {c}},
                 s = ops_shape(x);
    cr_node i = cr_iota(x.graph, c);
    cr_node same = cr_eq(ops_expand(ops_reshape(i, &column), &square), ops_expand(i, &square));
    return shaped(cr_cast(same, cr_dtype_of(x)), &lead, &s);
}

cr_node matrix_direction(cr_node x) {
    struct shape s = ops_shape(x);
    return cr_variable(ops_zeros(x.graph, cr_dtype_of(x), &s));
}

static cr_node one(cr_node x) {
    struct shape s = ops_shape(x);
    return ops_expand(ops_scalar(x.graph, cr_dtype_of(x), 1), &s);
}

/* out[j] = d ys[j] / d x, of the shapes of ys[j] and x. */
static cr_status forwards(cr_node out[], int m, const cr_node ys[], cr_node x) {
    int64_t c = cr_count(x);
    struct shape sx = ops_shape(x);
    cr_node t = c == 1 ? one(x) : matrix_direction(x), all;
    cr_status status = cr_jvp(out, m, ys, 1, &x, &t);
    if (!status && c != 1) all = directions(x), status = vmap(out, c, m, out, 1, &t, &all, false);
    for (int j = 0; j < m && !status; j++) {
        struct shape sy = ops_shape(ys[j]);
        int rank = cr_rank(out[j]);
        if (c != 1 && cr_ok(out[j])) out[j] = ops_move_axis(out[j], -rank, -1);
        out[j] = shaped(out[j], &sy, &sx);
        status = cr_graph_status(x.graph);
    }
    return status;
}

/* out[i] = d y / d wrt[i], of the shapes of y and wrt[i]. */
static cr_status backwards(cr_node out[], cr_node y, int n, const cr_node wrt[]) {
    int64_t c = cr_count(y);
    struct shape sy = ops_shape(y);
    cr_node g = c == 1 ? one(y) : matrix_direction(y), all;
    cr_status status = cr_vjp(out, 1, &y, &g, n, wrt);
    if (!status && c != 1) all = directions(y), status = vmap(out, c, n, out, 1, &g, &all, false);
    for (int i = 0; i < n && !status; i++) {
        struct shape sx = ops_shape(wrt[i]);
        out[i] = shaped(out[i], &sy, &sx);
        status = cr_graph_status(y.graph);
    }
    return status;
}

/* Can a matrix of the elements of a by those of b be held? */
static bool holds(const char *what, cr_node a, cr_node b) {
    struct shape sa = ops_shape(a), sb = ops_shape(b);
    int64_t ca = cr_count(a), cb = cr_count(b);
    struct shape_text ta, tb;
    if (sa.rank + sb.rank > CR_MAX_RANK)
        graph_fail(a.graph, CR_ELIMIT, what, "the axes of %s and %s are more than %d together",
                   ops_show(&ta, &sa), ops_show(&tb, &sb), CR_MAX_RANK);
    else if (cb && ca > most_elements / cb)
        graph_fail(
            a.graph, CR_ELIMIT, what,
            "%s by %s is too large to hold: %lld by %lld numbers; take products with it (jvp, vjp, hvp)",
            ops_show(&ta, &sa), ops_show(&tb, &sb), (long long)ca, (long long)cb);
    return cr_graph_status(a.graph) == CR_OK;
}

static cr_status fail_all(int n, cr_node out[], cr_graph *g) {
    for (int i = 0; i < n && out; i++) out[i] = graph_error_node(g);
    return cr_graph_status(g) ? cr_graph_status(g) : CR_EINVAL;
}

/* ---- The public interface ---- */

static cr_status jacobian(cr_node out[], cr_node y, int n, const cr_node wrt[], cr_mode mode) {
    int64_t count = 0;
    for (int i = 0; i < n; i++) {
        if (!holds("jacobian", y, wrt[i])) return cr_graph_status(y.graph);
        count += cr_count(wrt[i]);
    }
    if (mode == CR_REVERSE || (mode == CR_BY_SHAPE && cr_count(y) < count)) return backwards(out, y, n, wrt);
    cr_status status = CR_OK;
    for (int i = 0; i < n && !status; i++) status = forwards(&out[i], 1, &y, wrt[i]);
    return status;
}

cr_status cr_jacobian(cr_node out[], cr_node y, int n, const cr_node wrt[], cr_mode mode) {
    if (!sweep_wrt_good("jacobian", y, n, wrt) || !sweep_results_good("jacobian", 1, &y))
        return fail_all(n, out, y.graph);
    if (n == 0) return CR_OK;
    if (!out) return CR_EINVAL;
    return jacobian(out, y, n, wrt, mode) ? fail_all(n, out, y.graph) : CR_OK;
}

/* The gradients by wrt on the heap, n of them; NULL with the graph's error. */
static cr_node *gradients(const char *what, cr_node loss, int n, const cr_node wrt[]) {
    cr_graph *g = loss.graph;
    if (!sweep_wrt_good(what, loss, n, wrt)) return NULL;
    cr_node *d = mem_alloc(&g->mem, mem_mul((size_t)n, sizeof *d));
    if (!d) graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    else if (cr_grad(d, loss, n, wrt)) mem_free(&g->mem, d, (size_t)n * sizeof *d);
    return cr_graph_status(g) ? NULL : d;
}

cr_status cr_hvp(cr_node out[], cr_node loss, int n, const cr_node wrt[], const cr_node v[]) {
    cr_node *d = gradients("hvp", loss, n, wrt);
    if (!d) return fail_all(n, out, loss.graph);
    cr_status status = n == 0 ? CR_OK : !out ? CR_EINVAL : cr_jvp(out, n, d, n, wrt, v);
    mem_free(&loss.graph->mem, d, (size_t)n * sizeof *d);
    return status;
}

/* A column of blocks at a time: all gradients by wrt[j]. */
static cr_status blocks(cr_node out[], int n, const cr_node d[], const cr_node wrt[], cr_node column[]) {
    cr_status status = CR_OK;
    for (int j = 0; j < n && !status; j++) {
        for (int i = 0; i < n; i++)
            if (!holds("hessian", wrt[i], wrt[j])) return cr_graph_status(wrt[i].graph);
        status = forwards(column, n, d, wrt[j]);
        for (int i = 0; i < n; i++) out[i * n + j] = column[i];
    }
    return status;
}

cr_status cr_hessian(cr_node out[], cr_node loss, int n, const cr_node wrt[]) {
    int all = n > 0 && n < 32768 ? n * n : 0;
    if (n > 0 && !all) graph_fail(loss.graph, CR_ELIMIT, "hessian", "by %d nodes: at most 32767", n);
    cr_node *d = gradients("hessian", loss, n, wrt);
    if (!d) return fail_all(all, out, loss.graph);
    const struct mem *m = &loss.graph->mem;
    cr_node *column = mem_alloc(m, mem_mul((size_t)n, sizeof *column));
    if (!column) graph_fail(loss.graph, CR_ENOMEM, NULL, "out of memory");
    cr_status status = !column ? CR_ENOMEM : n && !out ? CR_EINVAL : blocks(out, n, d, wrt, column);
    mem_free(m, column, (size_t)n * sizeof *column);
    mem_free(m, d, (size_t)n * sizeof *d);
    return status && out ? fail_all(all, out, loss.graph) : status;
}
