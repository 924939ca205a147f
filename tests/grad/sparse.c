/* Sparse Jacobians and Hessians against dense ones entry by entry; patterns and numbers of colours known from the structure. */
#include "support/evaluated.h"
#include "support/rows.h"
#include "support/test.h"

#include "grad/pattern.h"

enum { most = 4096 };

/* Numbers in (0.3, 1.3), no two alike. */
static cr_node input(struct problem *p, const char *name, int rank, const int64_t dims[]) {
    static double data[most];
    cr_node x = cr_input(p->g, name, CR_F64, rank, dims);
    assert_true(cr_count(x) <= most);
    for (int64_t i = 0; i < cr_count(x); i++) data[i] = .3 + row_spread((int)i);
    assert_int_equal(cr_eval_set(p->e, x, CR_F64, data, (size_t)cr_count(x) * sizeof *data), CR_OK);
    return x;
}

static cr_node vector(struct problem *p, const char *name, int64_t n) { return input(p, name, 1, &n); }

static cr_node formula(struct problem *p, const char *text) {
    cr_node y = cr_formula(p->g, text);
    if (!cr_ok(y)) fail_msg("%s: %s", text, cr_graph_error(p->g));
    return y;
}

static void values_of(cr_eval *e, cr_node x, double out[]) {
    assert_true(cr_count(x) <= most);
    if (cr_eval_value(e, x, CR_F64, out, (size_t)cr_count(x) * sizeof *out))
        fail_msg("%s", cr_eval_error(e) ? cr_eval_error(e) : cr_graph_error(x.graph));
}

/* The dense matrix that pattern and values say. Its CSR holds. */
static void spread_out(cr_eval *e, const cr_pattern *p, cr_node values, double out[]) {
    static double v[most];
    int64_t rows = cr_pattern_rows(p), columns = cr_pattern_columns(p), count = cr_pattern_count(p);
    const int64_t *start = cr_pattern_row_starts(p), *column = cr_pattern_column_indices(p);
    assert_int_equal(cr_rank(values), 1);
    assert_int_equal(cr_count(values), count);
    assert_true(start[0] == 0 && start[rows] == count && rows * columns <= most);
    for (int64_t i = 0; i < rows * columns; i++) out[i] = 0;
    values_of(e, values, v);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = start[i]; k < start[i + 1]; k++) {
            assert_true(column[k] >= 0 && column[k] < columns &&
                        (k == start[i] || column[k] > column[k - 1]));
            out[i * columns + column[k]] = v[k];
        }
}

static bool all_finite(const double v[], int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

/* Every entry of the dense matrix, so that none that is not 0 is missing from the pattern. */
static void assert_same(const char *label, cr_eval *e, const cr_pattern *p, cr_node values, cr_node dense) {
    static double wanted[most], found[most];
    double size = 1;
    int64_t n = cr_count(dense);
    assert_int_equal(n, cr_pattern_rows(p) * cr_pattern_columns(p));
    assert_true(n <= most);
    if (cr_eval_value(e, dense, CR_F64, wanted, (size_t)n * sizeof *wanted) == CR_ESINGULAR) return;
    values_of(e, dense, wanted);
    if (!all_finite(wanted, n)) return; /* infinities of one entry may spoil others of its row */
    spread_out(e, p, values, found);
    for (int64_t i = 0; i < n; i++) size = fmax(size, fabs(wanted[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(found[i] - wanted[i]) <= 1e-12 * size))
            fail_msg("%s: element %d of the matrix: %.17g, expected %.17g", label, (int)i, found[i],
                     wanted[i]);
}

struct counts {
    int64_t entries, colours;
};

static struct counts check_jacobian(struct problem *p, const char *label, cr_node y, cr_node x) {
    cr_node values, dense;
    cr_pattern *pattern;
    if (cr_sparse_jacobian(&values, &pattern, y, x)) fail_msg("%s: %s", label, cr_graph_error(p->g));
    assert_int_equal(cr_jacobian(&dense, y, 1, &x, CR_BY_SHAPE), CR_OK);
    assert_same(label, p->e, pattern, values, dense);
    struct counts c = {cr_pattern_count(pattern), cr_pattern_colours(pattern)};
    cr_pattern_free(pattern);
    return c;
}

static struct counts check_hessian(struct problem *p, const char *label, cr_node loss, cr_node x) {
    cr_node values, dense;
    cr_pattern *pattern;
    if (cr_sparse_hessian(&values, &pattern, loss, x)) fail_msg("%s: %s", label, cr_graph_error(p->g));
    assert_int_equal(cr_hessian(&dense, loss, 1, &x), CR_OK);
    assert_same(label, p->e, pattern, values, dense);
    struct counts c = {cr_pattern_count(pattern), cr_pattern_colours(pattern)};
    cr_pattern_free(pattern);
    return c;
}

/* x[12], z[4, 3], w[3, 5], i: entries and colours are those of the structure; -1: more than one is right. */
static const struct {
    const char *y;
    int64_t entries, colours;
} jacobians[] = {
    {"sin(x) * exp(x)", 12, 1},
    {"x[1:] - x[:-1]^2", 22, 2},
    {"x[2:] + x[1:-1]*x[:-2]", 30, 3},
    {"x[::-1]^2 + x", 24, 2},
    {"concat(x[:3]^2, x[9:], axis=0)", 6, 1},
    {"cumsum(x^2)", 78, 12},
    {"cumsum(x, reverse=true)[:4]", 42, 4},
    {"recur(0.5*x, x)", 78, 12},
    {"sum(reshape(x, shape=[4, 3])^2, axis=1)", 12, 1},
    {"sum(reshape(x, shape=[4, 3])^2, axis=0)", 12, 1},
    {"prod(reshape(x, shape=[4, 3]), axis=1)", 12, 1},
    {"softmax(reshape(x, shape=[4, 3]))", 36, 3},
    {"sum(x)", 12, 1},
    {"x / sum(x)", 144, 12},
    {"x * x[0]", 23, 2},
    {"t(reshape(x, shape=[4, 3])) @ z", 36, 3},
    {"reshape(x, shape=[4, 3]) @ w", 60, 3},
    {"reshape(x, shape=[4, 3]) * z", 12, 1},
    {"[[1, 0, 2], [0, 3, 0]] @ reshape(x, shape=[3, 4])^2", 12, 1},
    {"reshape(x, shape=[4, 3])^2 @ [[1, 0], [0, 1], [1, 0]]", 12, 1},
    {"x[[3, 3, 0, -1]]^2", 4, 1},
    {"gather(x, [[1, 2], [2, 5]])", 4, 1},
    {"gather(x, i)", 24, 2},
    {"scatter_add(x^2, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, -1], 4)", 12, 1},
    {"scatter_add(x[:2], i, 5)", 10, 2},
    {"sort(reshape(x, shape=[4, 3]))", 36, 3},
    {"window_add(window(x, 3)^2, 12)", 12, 1},
    {"where(x > 0.7, x^2, x[::-1])", 24, 2},
    {"stop_gradient(x) * x[0]", 12, 1},
    {"floor(x) + x[0]*0", 12, 1},
    {"z", 0, 0},
    {"solve(z[:3] + [[4, 0, 0], [0, 4, 0], [0, 0, 4]], reshape(x[:3], shape=[3, 1]))", 9, 3},
    {"cholesky(reshape(x[:8], shape=[2, 2, 2]) + [[4, 0], [0, 4]])", 32, 4},
    {"x[0:0]", 0, 0},
    /* pairs of four: columns meet each other, but two of six rows never do */
    {"x[[0, 2, 0, 1, 0, 1]] * x[[1, 3, 2, 3, 3, 2]]", 12, 3},
};

TEST(a_jacobian_has_the_entries_of_the_dense_one_in_few_colours) {
    (void)state;
    for (size_t i = 0; i < sizeof jacobians / sizeof *jacobians; i++) {
        struct problem p = open_problem();
        cr_node x = vector(&p, "x", 12), index = cr_input(p.g, "i", CR_I64, 1, (int64_t[]){2});
        input(&p, "z", 2, (int64_t[]){4, 3});
        input(&p, "w", 2, (int64_t[]){3, 5});
        assert_int_equal(cr_eval_set(p.e, index, CR_I64, (int64_t[]){1, 3}, 16), CR_OK);
        struct counts c = check_jacobian(&p, jacobians[i].y, formula(&p, jacobians[i].y), x);
        if (c.entries != jacobians[i].entries || c.colours != jacobians[i].colours)
            fail_msg("%s: %d entries in %d colours, expected %d in %d", jacobians[i].y, (int)c.entries,
                     (int)c.colours, (int)jacobians[i].entries, (int)jacobians[i].colours);
        close_problem(&p);
    }
}

TEST(every_row_has_the_entries_of_its_dense_jacobian) {
    (void)state;
    struct row_case c;
    for (int op = 1; op < OP_COUNT; op++)
        for (int i = 0; row_case_make(&c, op, i, CR_F64); i++) {
            struct problem p = {c.g, c.e};
            for (int k = 0; k < c.n_wrt && cr_dtype_of(c.y) == CR_F64; k++)
                check_jacobian(&p, c.label, c.y, c.wrt[k]);
            row_case_free(&c);
        }
}

/* A scan of which no more is known than that all may depend on all. */
TEST(through_a_loop_all_depends_on_all) {
    (void)state;
    struct problem p = open_problem();
    cr_graph *body = cr_graph_new(NULL);
    cr_node in[2] = {cr_input(body, "c", CR_F64, 0, NULL), cr_input(body, "x", CR_F64, 0, NULL)};
    cr_node steps[2] = {cr_add(cr_mul(in[0], in[1]), in[1]), cr_sin(in[1])}, out[2];
    cr_function *f;
    assert_int_equal(cr_function_new(&f, 2, in, 2, steps), CR_OK);
    cr_node x = vector(&p, "x", 4), one = cr_cast(cr_number(p.g, 1), CR_F64);
    assert_int_equal(cr_scan(out, f, 4, false, 1, &one, 1, &x, 0, NULL), CR_OK);
    assert_int_equal(check_jacobian(&p, "carry", out[0], x).entries, 4);
    cr_pattern *rows = pattern_find("rows", out[1], x);
    assert_int_equal(cr_pattern_count(rows), 16);
    cr_pattern_free(rows);
    cr_function_free(f);
    cr_graph_free(body);
    close_problem(&p);
}

/* Of x[10]. Chained Rosenbrock and the Laplacian are tridiagonal: a path needs three colours, as any four of it must not have two; an
 * arrow is a star: two; blocks of two: two; what is dense: all. */
static const struct {
    const char *loss;
    int64_t entries, colours;
} hessians[] = {
    {"sum(100*(x[1:] - x[:-1]^2)^2 + (1 - x[:-1])^2)", 28, 3},
    {"sum((x[1:] - x[:-1])^4)", 28, 3},
    {"sum(x[1:]^2 * x[0]) + x[0]^3", 28, 2},
    {"sum(x[:-1]^2 * x[-1]) + x[-1]^3", 28, 2},
    {"sum(prod(reshape(x^2, shape=[5, 2]), axis=1))", 20, 2},
    {"sum(exp(x))", 10, 1},
    {"exp(sum(x^2))", 100, 10},
    {"sum(x)", 0, 0},
    {"sum(x[2:]*x[1:-1]*x[:-2])", 34, -1},
    {"sum(cumsum(x^2)^2)", 100, 10},
    {"sum((reshape(x, shape=[2, 5]) @ t([[1, 0, 0, 0, 1], [0, 1, 0, 1, 0]]))^3)", 16, 2},
    {"sum(x[[1, 2, 4]]^2 * x[[0, 0, 0]])", 9, -1},
    {"x[3]*x[7]", 2, 2},
    {"sum(conv(reshape(x, shape=[1, 1, 10]), [[[1, -2, 1]]])^4)", 44, -1},
};

TEST(a_hessian_has_the_entries_of_the_dense_one_in_few_colours) {
    (void)state;
    for (size_t i = 0; i < sizeof hessians / sizeof *hessians; i++) {
        struct problem p = open_problem();
        cr_node x = vector(&p, "x", 10);
        struct counts c = check_hessian(&p, hessians[i].loss, formula(&p, hessians[i].loss), x);
        if (c.entries != hessians[i].entries ||
            (hessians[i].colours >= 0 && c.colours != hessians[i].colours))
            fail_msg("%s: %d entries in %d colours, expected %d in %d", hessians[i].loss, (int)c.entries,
                     (int)c.colours, (int)hessians[i].entries, (int)hessians[i].colours);
        close_problem(&p);
    }
}

/* A random symmetric graph; every path of four vertices is looked at. */
TEST(a_star_colouring_leaves_no_path_of_four_with_two_colours) {
    (void)state;
    enum { n = 24 };
    for (int seed = 0; seed < 60; seed++) {
        int64_t start[n + 1] = {0}, column[n * n], colour[n], at[n * n], e = 0;
        bool edge[n][n] = {{false}};
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++)
                edge[i][j] = edge[j][i] =
                    row_spread(1000 * seed + n * i + j) * row_spread(7 * seed + i) < .03 * (seed % 8 + 1);
        for (int i = 0; i < n; start[++i] = e)
            for (int j = 0; j < n; j++)
                if (edge[i][j] || (i == j && seed % 2)) column[e++] = j;
        cr_pattern *p;
        assert_int_equal(cr_pattern_new(&p, NULL, n, n, start, column), CR_OK);
        int64_t colours = colour_star(p, colour, at);
        assert_true(colours >= 0 && colours <= n);
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++) {
                if (edge[a][b]) assert_true(colour[a] != colour[b]);
                for (int c = 0; c < n; c++)
                    for (int d = 0; d < n; d++)
                        if (edge[a][b] && edge[b][c] && edge[c][d] && a != c && b != d && a != d)
                            assert_false(colour[a] == colour[c] && colour[b] == colour[d]);
            }
        cr_pattern_free(p);
    }
}

static void assert_exact(const double found[], int n, const double expected[]) {
    for (int i = 0; i < n; i++) assert_true(found[i] == expected[i]);
}

struct cost {
    int64_t entries, colours;
    size_t nodes, bytes;
};

/* Five diagonals. */
static cr_status banded(cr_context *ctx, int64_t n, struct cost *c, struct failing *memory) {
    cr_graph *g = cr_graph_new(ctx);
    cr_node x = cr_input(g, "x", CR_F64, 1, &n), values,
            loss = cr_formula(g, "sum((x[2:] - 2*x[1:-1] + x[:-2])^4) + sum(exp(x))");
    cr_pattern *p = NULL;
    size_t before = cr_graph_count(g), held = memory ? memory->bytes : 0;
    if (memory) memory->peak = held;
    cr_status status = cr_sparse_hessian(&values, &p, loss, x);
    *c = (struct cost){cr_pattern_count(p), cr_pattern_colours(p), cr_graph_count(g) - before,
                       memory ? memory->peak - held : 0};
    if (status) assert_true(!p && !cr_ok(values) && (!g || cr_graph_error(g)));
    cr_pattern_free(p);
    cr_graph_free(g);
    return status;
}

TEST(a_banded_hessian_costs_a_constant_number_of_sweeps_and_nodes_and_linear_memory) {
    (void)state;
    struct failing memory = {0};
    cr_context *ctx = NULL;
    struct cost small, large;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    assert_int_equal(banded(ctx, 100, &small, &memory), CR_OK);
    assert_int_equal(banded(ctx, 10000, &large, &memory), CR_OK);
    cr_context_free(ctx);
    assert_int_equal(memory.live, 0);
    assert_null(memory.wrong);
    assert_int_equal(small.entries, 5 * 100 - 6);
    assert_int_equal(large.entries, 5 * 10000 - 6);
    assert_int_equal(large.colours, small.colours);
    assert_true(large.colours <=
                6); /* at least 5: three neighbours and paths; the greedy order may take one more */
    assert_int_equal(large.nodes, small.nodes);
    assert_true(large.bytes <= 150 * small.bytes); /* 100 times, and doubled arrays */
}

/* H[i, i] = 1200 x_i^2 - 400 x_(i+1) + 2 but for the last, + 200 but for the first; H[i, i+1] = -400 x_i. */
TEST(a_hessian_of_10000_by_10000_is_its_closed_form) {
    (void)state;
    enum { n = 10000 };
    static double at[n], found[3 * n];
    struct problem p = open_problem();
    cr_node x = cr_input(p.g, "x", CR_F64, 1, (int64_t[]){n}), values,
            loss = formula(&p, "sum(100*(x[1:] - x[:-1]^2)^2 + (1 - x[:-1])^2)");
    cr_pattern *pattern;
    for (int i = 0; i < n; i++) at[i] = .3 + row_spread(i);
    assert_int_equal(cr_eval_set(p.e, x, CR_F64, at, sizeof at), CR_OK);
    assert_int_equal(cr_sparse_hessian(&values, &pattern, loss, x), CR_OK);
    assert_int_equal(cr_pattern_colours(pattern), 3);
    assert_int_equal(cr_count(values), 3 * n - 2);
    assert_int_equal(cr_eval_value(p.e, values, CR_F64, found, (3 * n - 2) * sizeof *found), CR_OK);
    for (int i = 0, e = 0; i < n; i++) {
        if (i > 0) assert_near(found[e++], -400 * at[i - 1], 1e-10);
        double own = (i < n - 1 ? 1200 * at[i] * at[i] - 400 * at[i + 1] + 2 : 0) + (i > 0 ? 200 : 0);
        assert_near(found[e++], own, 1e-10);
        if (i < n - 1) assert_near(found[e++], -400 * at[i], 1e-10);
    }
    cr_pattern_free(pattern);
    close_problem(&p);
}

static cr_status small_banded(cr_context *ctx, void *arg) {
    struct cost c;
    (void)arg;
    return banded(ctx, 6, &c, NULL);
}

static cr_status small_jacobian(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){6}), values,
            y = cr_formula(g, "concat(cumsum(x)[:3], scatter_add(x, [0, 1, 2, 0, 1, 2], 3), "
                              "[[1, 0, 2], [0, 3, 0]] @ x[[0, 3, 2]], axis=0)");
    cr_pattern *p = NULL;
    cr_status status = cr_sparse_jacobian(&values, &p, y, x);
    if (!status) status = cr_ok(cr_spmm(p, values, x)) ? CR_OK : cr_graph_status(g);
    if (status) assert_true(!g || cr_graph_error(g));
    cr_pattern_free(p);
    cr_graph_free(g);
    return status;
}

TEST(memory_that_runs_out_is_told) {
    (void)state;
    alloc_fail_each(small_banded, NULL);
    alloc_fail_each(small_jacobian, NULL);
}

/* [[2, 0, 3], [0, 0, 0], [0, 5, 0]] times a vector and a matrix; derivatives by values are the numbers picked, by dense the
 * transpose. */
TEST(a_sparse_product_is_its_dense_one_and_differentiates) {
    (void)state;
    struct problem p = open_problem();
    double v[3] = {2, 3, 5}, found[9], x[6] = {1, 2, 3, 4, 5, 6};
    cr_pattern *pattern;
    assert_int_equal(cr_pattern_new(&pattern, NULL, 3, 3, (int64_t[]){0, 2, 2, 3}, (int64_t[]){0, 2, 1}),
                     CR_OK);
    cr_node values = vector(&p, "v", 3), a = vector(&p, "a", 3), b = input(&p, "b", 2, (int64_t[]){3, 2}),
            d[2];
    assert_int_equal(cr_eval_set(p.e, values, CR_F64, v, sizeof v), CR_OK);
    assert_int_equal(cr_eval_set(p.e, a, CR_F64, x, 24), CR_OK);
    assert_int_equal(cr_eval_set(p.e, b, CR_F64, x, 48), CR_OK);
    cr_node y = cr_spmm(pattern, values, a), z = cr_spmm(pattern, values, b), both[2] = {values, a};
    values_of(p.e, y, found);
    assert_exact(found, 3, (const double[]){11, 0, 10});
    assert_int_equal(cr_rank(z), 2);
    values_of(p.e, z, found);
    assert_exact(found, 6, (const double[]){17, 22, 0, 0, 15, 20});
    assert_int_equal(cr_grad(d, cr_sum(y, 0, NULL, false), 2, both), CR_OK);
    values_of(p.e, d[0], found);
    assert_exact(found, 3, (const double[]){1, 3, 2});
    values_of(p.e, d[1], found);
    assert_exact(found, 3, (const double[]){2, 5, 3});
    check_jacobian(&p, "spmm", y, a);
    cr_pattern_free(pattern);
    close_problem(&p);
}

/* Of sum over i of x[i]^2 x[i+1]^2: entry (0, 0) is 2 x1^2, entry (0, 1) is 4 x0 x1. */
TEST(the_values_are_differentiated_again) {
    (void)state;
    struct problem p = open_problem();
    cr_node x = vector(&p, "x", 5), values, again;
    cr_pattern *pattern;
    double found[65], at[5];
    assert_int_equal(cr_sparse_hessian(&values, &pattern, formula(&p, "sum(x[1:]^2 * x[:-1]^2)"), x), CR_OK);
    assert_int_equal(cr_pattern_count(pattern), 13);
    assert_int_equal(cr_jacobian(&again, values, 1, &x, CR_FORWARD), CR_OK);
    values_of(p.e, again, found);
    values_of(p.e, x, at);
    double expected[10] = {[1] = 4 * at[1], [5] = 4 * at[1], [6] = 4 * at[0]};
    for (int i = 0; i < 10; i++) assert_ulps(found[i], expected[i], 2);
    cr_pattern_free(pattern);
    close_problem(&p);
}

static void refused(struct problem *p, cr_status status, cr_status expected, const char *sentence) {
    assert_int_equal(status, expected);
    if (!strstr(cr_graph_error(p->g), sentence)) fail_msg("%s, expected %s", cr_graph_error(p->g), sentence);
    cr_graph_clear_error(p->g);
}

TEST(what_makes_no_sense_is_refused_with_a_sentence) {
    (void)state;
    struct problem p = open_problem();
    cr_node x = vector(&p, "x", 3), y = cr_sin(x), v, i = cr_input(p.g, "i", CR_I64, 0, NULL);
    cr_node huge = cr_input(p.g, "huge", CR_F64, 1, (int64_t[]){INT32_MAX});
    cr_pattern *pattern = NULL;
    refused(&p, cr_sparse_jacobian(&v, &pattern, y, y), CR_ENODERIV, "not by the result of sin");
    refused(&p, cr_sparse_jacobian(&v, &pattern, i, x), CR_ENODERIV, "dtype i64 has no derivative");
    refused(&p, cr_sparse_hessian(&v, &pattern, y, x), CR_ESHAPE, "a loss is one number, found [3]");
    refused(&p, cr_sparse_jacobian(&v, &pattern, cr_sin(huge), huge), CR_ELIMIT,
            "sparse_jacobian: by 2147483647 elements");
    assert_true(!pattern && !cr_ok(v));
    assert_int_equal(cr_sparse_jacobian(NULL, &pattern, y, x), CR_EINVAL);
    assert_int_equal(cr_sparse_hessian(&v, NULL, cr_sum(y, 0, NULL, false), x), CR_EINVAL);
    assert_int_equal(cr_pattern_new(&pattern, NULL, 1, 2, (int64_t[]){0, 2}, (int64_t[]){1, 0}), CR_EINVAL);
    assert_int_equal(cr_pattern_new(&pattern, NULL, 1, 2, (int64_t[]){0, 1}, (int64_t[]){2}), CR_EINVAL);
    assert_int_equal(cr_pattern_new(&pattern, NULL, 2, 2, (int64_t[]){0, 1, 0}, (int64_t[]){0}), CR_EINVAL);
    assert_int_equal(cr_pattern_new(&pattern, NULL, 1, 2, (int64_t[]){0, INT64_MAX}, (int64_t[]){0}),
                     CR_EINVAL);
    assert_int_equal(cr_pattern_new(&pattern, NULL, -1, 2, (int64_t[]){0}, NULL), CR_EINVAL);
    assert_int_equal(cr_pattern_new(&pattern, NULL, 1, 2, (int64_t[]){0, 1}, (int64_t[]){0}), CR_OK);
    refused(&p, cr_ok(cr_spmm(pattern, x, x)) ? CR_OK : cr_graph_status(p.g), CR_ESHAPE,
            "spmm: values [3] do not fit a pattern of 1 by 2 with 1 entries");
    cr_node one = cr_formula(p.g, "x[:1]");
    refused(&p, cr_ok(cr_spmm(pattern, one, x)) ? CR_OK : cr_graph_status(p.g), CR_ESHAPE,
            "spmm: [3] does not fit a matrix of 1 by 2");
    refused(&p, cr_ok(cr_spmm(NULL, x, x)) ? CR_OK : cr_graph_status(p.g), CR_EINVAL, "spmm: no pattern");
    cr_pattern_free(pattern);
    close_problem(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_jacobian_has_the_entries_of_the_dense_one_in_few_colours),
        RUN(every_row_has_the_entries_of_its_dense_jacobian),
        RUN(through_a_loop_all_depends_on_all),
        RUN(a_hessian_has_the_entries_of_the_dense_one_in_few_colours),
        RUN(a_star_colouring_leaves_no_path_of_four_with_two_colours),
        RUN(a_banded_hessian_costs_a_constant_number_of_sweeps_and_nodes_and_linear_memory),
        RUN(a_hessian_of_10000_by_10000_is_its_closed_form),
        RUN(memory_that_runs_out_is_told),
        RUN(a_sparse_product_is_its_dense_one_and_differentiates),
        RUN(the_values_are_differentiated_again),
        RUN(what_makes_no_sense_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
