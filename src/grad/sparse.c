/* Sparse Jacobians and Hessians: the pattern from the graph, few directions by colours, one sweep for all of them, and the entries
 * picked out of what it gives. */
#include "grad/grad.h"
#include "grad/pattern.h"
#include "grad/vmap.h"
#include "ops/batch.h"

#include <string.h>

static const int64_t most_elements = INT64_C(1) << 31; /* 16 GiB in double precision, as of a dense matrix */

/* What is being made. */
struct sparse {
    const char *what;
    cr_graph *g;
    cr_node y, x;
    cr_pattern *p;
    bool forward;
    int64_t *colour, *at; /* of each direction; where in [colours, count] each entry stands */
};

static void *numbers(struct sparse *s, int64_t n) {
    void *p = mem_alloc(&s->g->mem, mem_mul((size_t)n + 1, sizeof(int64_t)));
    if (!p) graph_fail(s->g, CR_ENOMEM, NULL, "out of memory");
    return p;
}
static void drop(struct sparse *s, void *numbers, int64_t n) {
    mem_free(&s->g->mem, numbers, ((size_t)n + 1) * sizeof(int64_t));
}

static cr_node constant(cr_graph *g, int64_t n, const int64_t v[]) { return cr_const(g, CR_I64, 1, &n, v); }

/* ---- The sweep ---- */

/* Element j of slice i is 1 where j has colour i, else 0. */
static cr_node directions(struct sparse *s, cr_node of) {
    int64_t n = cr_count(of), c = s->p->colours;
    struct shape column = {.rank = 2, .dim = {c, 1}}, all = {.rank = 2, .dim = {c, n}}, shape = ops_shape(of),
                 lead = ops_lead(c, shape);
    cr_node i = ops_expand(ops_reshape(cr_iota(s->g, c), &column), &all);
    cr_node same = cr_eq(i, ops_expand(constant(s->g, n, s->colour), &all));
    return ops_reshape(cr_cast(same, cr_dtype_of(of)), &lead);
}

/* [colours, count]: the products with all directions, as one axis. */
static cr_node products(struct sparse *s) {
    cr_node of = s->forward ? s->x : s->y, out = graph_error_node(s->g), all;
    int64_t c = s->p->colours, n = cr_count(of), m = cr_count(s->forward ? s->y : s->x), most = n > m ? n : m;
    if (cr_rank(of) >= CR_MAX_RANK || c > most_elements / most)
        return graph_fail(s->g, CR_ELIMIT, s->what, "%lld directions of %lld numbers are too large to hold",
                          (long long)c, (long long)most);
    struct shape shape = ops_shape(of);
    all = directions(s, of);
    cr_node open = c > 1 ? matrix_direction(of) : cr_ok(all) ? ops_reshape(all, &shape) : all;
    cr_status status = cr_graph_status(s->g);
    if (!status && s->forward) status = cr_jvp(&out, 1, &s->y, 1, &s->x, &open);
    else if (!status) status = cr_vjp(&out, 1, &s->y, &open, 1, &s->x);
    if (!status && c > 1) status = vmap(&out, c, 1, &out, 1, &open, &all, false);
    return status ? graph_error_node(s->g) : ops_reshape(out, &(struct shape){1, {c * m}});
}

static cr_node values(struct sparse *s) {
    int64_t count = s->p->start[s->p->rows];
    if (!count) return ops_zeros(s->g, cr_dtype_of(s->y), &(struct shape){1, {0}});
    cr_node all = products(s);
    return cr_ok(all) ? cr_gather(all, constant(s->g, count, s->at), 0) : all;
}

/* ---- The colours ---- */

static int64_t longest(const cr_pattern *p) {
    int64_t n = 0;
    for (int64_t i = 0; i < p->rows; i++)
        if (p->start[i + 1] - p->start[i] > n) n = p->start[i + 1] - p->start[i];
    return n;
}

/* Entry e of row i and column j: in the product with i's colour, or j's. */
static void place(struct sparse *s) {
    const cr_pattern *p = s->p;
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t e = p->start[i]; e < p->start[i + 1]; e++) {
            int64_t j = p->column[e];
            s->at[e] = s->forward ? s->colour[j] * p->rows + i : s->colour[i] * p->columns + j;
        }
}

/* Columns by colours are swept forwards, rows in reverse: the fewer, and neither is tried that cannot be. */
static int64_t one_sided(struct sparse *s, const cr_pattern *t) {
    int64_t by_columns = longest(s->p), by_rows = longest(t); /* no fewer than that */
    s->forward = by_columns <= by_rows;
    int64_t first = s->forward ? colour_rows(t, s->p, s->colour) : colour_rows(s->p, t, s->colour);
    if (first < 0 || first <= (s->forward ? by_rows : by_columns)) return first;
    int64_t n = s->forward ? s->p->rows : s->p->columns, *other = numbers(s, n);
    int64_t second = !other ? -1 : s->forward ? colour_rows(s->p, t, other) : colour_rows(t, s->p, other);
    if (second >= 0 && second < first) {
        memcpy(s->colour, other, (size_t)n * sizeof *other);
        s->forward = !s->forward, first = second;
    }
    if (other) drop(s, other, n);
    return second < 0 ? -1 : first;
}

static int64_t colour_jacobian(struct sparse *s) {
    cr_pattern *t = pattern_transpose(s->p);
    int64_t colours = t ? one_sided(s, t) : -1;
    if (colours >= 0) place(s);
    cr_pattern_free(t);
    return colours;
}

static int64_t colour_hessian(struct sparse *s) {
    s->forward = true;
    return colour_star(s->p, s->colour, s->at);
}

/* ---- The public interface ---- */

static void make_symmetric(struct sparse *s) {
    cr_pattern *both = s->p ? pattern_symmetric(s->p) : NULL;
    cr_pattern_free(s->p);
    s->p = both;
}

static cr_node make(struct sparse *s, int64_t (*colours)(struct sparse *s)) {
    int64_t n = s->p->rows > s->p->columns ? s->p->rows : s->p->columns, count = s->p->start[s->p->rows];
    cr_node v = graph_error_node(s->g);
    s->colour = numbers(s, n);
    s->at = numbers(s, count);
    if (s->colour && s->at) {
        s->p->colours = colours(s);
        if (s->p->colours < 0) graph_fail(s->g, CR_ENOMEM, NULL, "out of memory");
        else v = cr_sparse_values(s->p, values(s));
    }
    if (s->colour) drop(s, s->colour, n);
    if (s->at) drop(s, s->at, count);
    return v;
}

/* The results, or none of them. */
static cr_status hand_over(struct sparse *s, cr_node v, cr_node *values, cr_pattern **pattern) {
    bool good = cr_ok(v) && values && pattern;
    if (!good) cr_pattern_free(s->p), s->p = NULL;
    if (values) *values = good ? v : graph_error_node(s->g);
    if (pattern) *pattern = s->p;
    return good ? CR_OK : cr_graph_status(s->g) ? cr_graph_status(s->g) : CR_EINVAL;
}

cr_status cr_sparse_jacobian(cr_node *values, cr_pattern **pattern, cr_node y, cr_node wrt) {
    struct sparse s = {.what = "sparse_jacobian", .g = y.graph, .y = y, .x = wrt};
    bool good = sweep_wrt_good(s.what, y, 1, &wrt) && sweep_results_good(s.what, 1, &y) && values && pattern;
    if (good) s.p = pattern_find(s.what, y, wrt);
    return hand_over(&s, s.p ? make(&s, colour_jacobian) : graph_error_node(s.g), values, pattern);
}

cr_status cr_sparse_hessian(cr_node *values, cr_pattern **pattern, cr_node loss, cr_node wrt) {
    struct sparse s = {.what = "sparse_hessian", .g = loss.graph, .x = wrt};
    bool good = sweep_wrt_good(s.what, loss, 1, &wrt) && values && pattern && !cr_grad(&s.y, loss, 1, &wrt);
    if (good) s.p = pattern_find(s.what, s.y, wrt);
    if (s.p) {
        make_symmetric(&s);
        if (!s.p) graph_fail(s.g, CR_ENOMEM, NULL, "out of memory");
    }
    return hand_over(&s, s.p ? make(&s, colour_hessian) : graph_error_node(s.g), values, pattern);
}

/* ---- Matrices of a pattern ---- */

static bool entries_good(const char *what, const cr_pattern *p, cr_node values) {
    struct shape s = ops_shape(values);
    struct shape_text shape;
    if (!p) return graph_fail(values.graph, CR_EINVAL, what, "no pattern"), false;
    if (s.rank == 1 && s.dim[0] == p->start[p->rows]) return true;
    graph_fail(values.graph, CR_ESHAPE, what,
               "values %s do not fit a pattern of %lld by %lld with %lld entries", ops_show(&shape, &s),
               (long long)p->rows, (long long)p->columns, (long long)p->start[p->rows]);
    return false;
}

/* A node of its own: equal values may be those of several matrices. */
cr_node cr_sparse_values(const cr_pattern *p, cr_node values) {
    cr_graph *g = values.graph;
    if (!ops_good("sparse_values", 1, &values) || !entries_good("sparse_values", p, values))
        return graph_error_node(g);
    cr_node v = cr_variable(values);
    struct graph_pattern kept = {p->rows, p->columns, p->colours, p->start, p->column};
    if (cr_ok(v) && !graph_note_pattern(g, &kept)) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    return v;
}

/* The row of each entry. */
static cr_node rows_of(const cr_pattern *p, cr_graph *g) {
    struct sparse s = {.g = g};
    int64_t count = p->start[p->rows], *row = numbers(&s, count);
    if (!row) return graph_error_node(g);
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t e = p->start[i]; e < p->start[i + 1]; e++) row[e] = i;
    cr_node out = constant(g, count, row);
    drop(&s, row, count);
    return out;
}

cr_node cr_spmm(const cr_pattern *p, cr_node values, cr_node dense) {
    cr_node both[2] = {values, dense};
    if (!ops_good("spmm", 2, both)) return graph_error_node(values.graph);
    struct shape v = ops_shape(values), d = ops_shape(dense);
    struct shape_text shape;
    if (!entries_good("spmm", p, values)) return graph_error_node(values.graph);
    if (d.rank < 1 || d.rank > 2 || d.dim[0] != p->columns)
        return graph_fail(values.graph, CR_ESHAPE, "spmm", "%s does not fit a matrix of %lld by %lld",
                          ops_show(&shape, &d), (long long)p->rows, (long long)p->columns);
    if (!ops_unify("spmm", 2, both, false)) return graph_error_node(values.graph);
    cr_node row = rows_of(p, values.graph);
    if (!cr_ok(row)) return row;
    cr_node picked = cr_gather(both[1], constant(values.graph, v.dim[0], p->column), 0),
            weight = d.rank == 2 ? cr_expand_dims(both[0], 1) : both[0];
    return cr_scatter_add(cr_mul(weight, picked), row, p->rows, 0);
}
