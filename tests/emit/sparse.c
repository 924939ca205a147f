/* Sparse Jacobians and Hessians as emitted C: its tables say where their values stand. Every matrix is put together from them and compared
 * with a closed form, and with the library's dense one. */
#include "support/emitted.h"
#include "support/evaluated.h"

enum { n = 9 };

static struct emitted_set set;

static int setup(void **state) {
    (void)state;
    emitted_start(&set);
    return 0;
}

static int teardown(void **state) {
    emitted_free(&set);
    return temp_remove(state);
}

static const double at[n] = {.31, 1.24, -.57, .83, 2.02, -1.41, .66, 1.13, -.29};

/* ---- A program of x, with the outputs that formulas give ---- */

static cr_program *program_of(struct problem *p, int outputs, const char *const formula[],
                              const char *const name[]) {
    cr_target *t = cr_target_new(p->g);
    cr_options *o = cr_options_new(NULL);
    cr_program *program;
    assert_int_equal(cr_options_set(o, "rewrite", "all"), CR_OK);
    for (int i = 0; i < outputs; i++)
        if (cr_target_output(t, name[i], cr_formula(p->g, formula[i])))
            fail_msg("%s: %s", formula[i], cr_graph_error(p->g));
    if (cr_compile(&program, t, o)) fail_msg("%s", cr_graph_error(p->g));
    cr_options_free(o);
    cr_target_free(t);
    return program;
}

static struct problem open_at(const char *name) {
    struct problem p = open_problem();
    cr_node x = cr_input(p.g, name, CR_F64, 1, (int64_t[]){n});
    assert_int_equal(cr_eval_set(p.e, x, CR_F64, at, sizeof at), CR_OK);
    return p;
}

static struct emitted load(const cr_program *program) {
    emitted_free(&set);
    emitted_start(&set);
    emitted_add(&set, program);
    emitted_build(&set, "-Wshadow");
    return emitted_at(&set, 0);
}

/* The dense matrix that the tables and values say; the tables are sorted rows. */
static void spread_out(const struct port *port, const double values[], double out[]) {
    const struct emitted_pattern *p = port->pattern;
    if (!p) fail_msg("%s has no pattern", port->name);
    assert_true(port->kind == port_out && port->rank == 1 && port->dims[0] == p->count);
    assert_true(p->row_starts[0] == 0 && p->row_starts[p->rows] == p->count);
    for (int i = 0; i < p->rows * p->columns; i++) out[i] = 0;
    for (int i = 0; i < p->rows; i++)
        for (int e = p->row_starts[i]; e < p->row_starts[i + 1]; e++) {
            int j = p->column_indices[e];
            assert_true(j >= 0 && j < p->columns && (e == p->row_starts[i] || j > p->column_indices[e - 1]));
            out[i * p->columns + j] = values[e];
        }
}

static void assert_same(const char *what, const double found[], const double expected[], int count) {
    for (int i = 0; i < count; i++)
        if (!(fabs(found[i] - expected[i]) <= 1e-12 * (1 + fabs(expected[i]))))
            fail_msg("%s[%d] = %.17g, expected %.17g", what, i, found[i], expected[i]);
}

static void assert_is_dense(struct problem *p, const char *dense, const struct port *port,
                            const double found[]) {
    double expected[n * n];
    cr_node d = cr_formula(p->g, dense);
    assert_int_equal(cr_count(d), port->pattern->rows * port->pattern->columns);
    assert_int_equal(cr_eval_value(p->e, d, CR_F64, expected, (size_t)cr_count(d) * sizeof *expected), CR_OK);
    assert_same(dense, found, expected, (int)cr_count(d));
}

/* ---- */

#define ROSENBROCK "sum(100*(x[1:] - x[:-1]^2)^2 + (1 - x[:-1])^2)"
#define BAND       "x[2:] - x[1:-1]*x[:-2]^2"

/* y_i = x_(i+2) - x_(i+1) x_i^2: entries -2 x_(i+1) x_i, -x_i^2, 1. */
static void band(double out[(n - 2) * n]) {
    memset(out, 0, (n - 2) * n * sizeof *out);
    for (int i = 0; i < n - 2; i++) {
        out[i * n + i] = -2 * at[i + 1] * at[i];
        out[i * n + i + 1] = -at[i] * at[i];
        out[i * n + i + 2] = 1;
    }
}

/* H[i, i] = 1200 x_i^2 - 400 x_(i+1) + 2 but for the last, + 200 but for the first; H[i, i+1] = -400 x_i. */
static void rosenbrock(double out[n * n]) {
    memset(out, 0, n * n * sizeof *out);
    for (int i = 0; i < n; i++) {
        out[i * n + i] = (i < n - 1 ? 1200 * at[i] * at[i] - 400 * at[i + 1] + 2 : 0) + (i ? 200 : 0);
        if (i < n - 1) out[i * n + i + 1] = out[(i + 1) * n + i] = -400 * at[i];
    }
}

TEST(tables_say_where_the_values_of_a_matrix_stand) {
    (void)state;
    struct problem p = open_at("x");
    const char *formula[] = {ROSENBROCK, "sparse_jacobian(" BAND ", x)", "sparse_hessian(" ROSENBROCK ", x)"};
    const char *name[] = {"loss", "J", "H"};
    cr_program *program = program_of(&p, 3, formula, name);
    struct emitted e = load(program);
    double x[n], loss, j[3 * (n - 2)], h[3 * n - 2], found[n * n], expected[n * n];
    void *work = malloc(e.work);
    memcpy(x, at, sizeof x);
    assert_int_equal(e.ports, 4);
    assert_int_equal(e.call((void *[]){x, &loss, j, h}, 0, 0, work), 0);
    assert_true(!e.port[0].pattern && !e.port[1].pattern);

    assert_int_equal(e.port[2].pattern->count, 3 * (n - 2));
    assert_int_equal(e.port[2].pattern->rows, n - 2);
    assert_int_equal(e.port[2].pattern->columns, n);
    spread_out(&e.port[2], j, found);
    band(expected);
    assert_same("the band", found, expected, (n - 2) * n);
    assert_is_dense(&p, "jacobian(" BAND ", x)", &e.port[2], found);

    assert_int_equal(e.port[3].pattern->count, 3 * n - 2);
    spread_out(&e.port[3], h, found);
    rosenbrock(expected);
    assert_same("Rosenbrock's", found, expected, n * n);
    assert_is_dense(&p, "hessian(" ROSENBROCK ", x)", &e.port[3], found);
    free(work);
    cr_program_free(program);
    close_problem(&p);
}

/* The program has what the tables have, after its graph is gone. */
TEST(a_program_knows_the_patterns_of_its_outputs) {
    (void)state;
    struct problem p = open_at("x");
    const char *formula[] = {"x", "sparse_jacobian(" BAND ", x)"}, *name[] = {"dense", "J"};
    cr_program *program = program_of(&p, 2, formula, name);
    close_problem(&p);
    struct emitted e = load(program);
    const struct emitted_pattern *table = e.port[2].pattern;
    cr_pattern *found;
    assert_int_equal(cr_program_pattern(&found, program, "J"), CR_OK);
    assert_int_equal(cr_pattern_rows(found), table->rows);
    assert_int_equal(cr_pattern_columns(found), table->columns);
    assert_int_equal(cr_pattern_colours(found), 3);
    for (int i = 0; i <= table->rows; i++)
        assert_int_equal(cr_pattern_row_starts(found)[i], table->row_starts[i]);
    for (int i = 0; i < table->count; i++)
        assert_int_equal(cr_pattern_column_indices(found)[i], table->column_indices[i]);
    cr_pattern_free(found);
    assert_int_equal(cr_program_pattern(&found, program, "dense"), CR_OK);
    assert_null(found);
    assert_int_equal(cr_program_pattern(&found, program, "K"), CR_ENAME);
    cr_program_free(program);
}

/* Names that the file has itself; a matrix without entries, and one without rows; one that is the same numbers as another, turned over. */
TEST(names_meet_nothing_and_empty_matrices_have_tables) {
    (void)state;
    struct problem p = open_at("p0_row_starts");
    const char *formula[] = {"fn pattern(h, a) = h*a; scan(pattern, 1.0, p0_row_starts)",
                             "sparse_hessian(sum(p0_row_starts), p0_row_starts)",
                             "sparse_jacobian(p0_row_starts[0:0], p0_row_starts)",
                             "sparse_jacobian(2*p0_row_starts, p0_row_starts)",
                             "sparse_jacobian(2*p0_row_starts[::-1], p0_row_starts)"};
    const char *name[] = {"column_indices", "p0_patterns", "pattern", "same", "turned"};
    cr_program *program = program_of(&p, 5, formula, name);
    struct emitted e = load(program);
    double in[n], value, nothing[2], same[n], turned[n], found[n * n], product = 1;
    void *work = malloc(e.work);
    memcpy(in, at, sizeof in);
    for (int i = 0; i < n; i++) product *= at[i];
    assert_string_equal(e.port[0].name, "p0_row_starts");
    assert_int_equal(e.call((void *[]){in, &value, nothing, nothing, same, turned}, 0, 0, work), 0);
    assert_near(value, product, 1e-12);
    assert_true(e.port[2].pattern->rows == n && e.port[2].pattern->columns == n &&
                e.port[2].pattern->count == 0);
    assert_true(e.port[3].pattern->rows == 0 && e.port[3].pattern->columns == n);
    spread_out(&e.port[2], nothing, found);
    spread_out(&e.port[3], nothing, found);
    spread_out(&e.port[4], same, found);
    for (int i = 0; i < n * n; i++) assert_true(found[i] == (i / n == i % n ? 2 : 0));
    spread_out(&e.port[5], turned, found);
    for (int i = 0; i < n * n; i++) assert_true(found[i] == (i / n == n - 1 - i % n ? 2 : 0));
    free(work);
    cr_program_free(program);
    close_problem(&p);
}

/* 2 x dense numbers as those of a pattern of one's own; and one whose columns no table of int32_t can tell. */
TEST(values_take_a_pattern_that_one_gives_them) {
    (void)state;
    struct problem p = open_at("x");
    cr_node x = cr_find(p.g, "x"), values[2], one = cr_formula(p.g, "x[:1]");
    cr_pattern *own, *wide, *found;
    assert_int_equal(
        cr_pattern_new(&own, NULL, 2, 6, (int64_t[]){0, 4, 9}, (int64_t[]){0, 1, 2, 5, 0, 1, 2, 3, 4}),
        CR_OK);
    assert_int_equal(
        cr_pattern_new(&wide, NULL, 1, INT64_C(1) << 31, (int64_t[]){0, 1}, (int64_t[]){1 << 30}), CR_OK);
    values[0] = cr_sparse_values(own, x), values[1] = cr_sparse_values(wide, one);
    assert_int_equal(cr_pattern_of(&found, values[0]), CR_OK);
    assert_int_equal(cr_pattern_count(found), 9);
    cr_pattern_free(found);
    assert_int_equal(cr_pattern_of(&found, x), CR_OK); /* the operand is none for that */
    assert_null(found);
    for (int k = 0; k < 2; k++) {
        cr_target *t = cr_target_new(p.g);
        cr_program *program;
        cr_text_clear(set.why);
        assert_int_equal(cr_target_output(t, "J", values[k]), CR_OK);
        assert_int_equal(cr_compile(&program, t, NULL), CR_OK);
        assert_int_equal(cr_program_emit(set.source, set.header, program, "f", set.why),
                         k ? CR_EINVAL : CR_OK);
        if (k)
            assert_string_equal(cr_text_str(set.why),
                                "'J' is of a sparse matrix of 1 by 2147483648 with 1 entries: "
                                "expected at most 2^31 - 1");
        cr_program_free(program);
        cr_target_free(t);
    }
    assert_false(cr_ok(cr_sparse_values(own, one)));
    assert_non_null(strstr(cr_graph_error(p.g),
                           "sparse_values: values [1] do not fit a pattern of 2 by 6 with 9 entries"));
    cr_pattern_free(own);
    cr_pattern_free(wide);
    close_problem(&p);
}

/* Of rows with nothing but x in the last. */
static cr_node in_last_row(cr_graph *g, int64_t rows) {
    int64_t *start = calloc((size_t)rows + 1, sizeof *start), column[n];
    cr_pattern *p;
    start[rows] = n;
    for (int i = 0; i < n; i++) column[i] = i;
    assert_int_equal(cr_pattern_new(&p, NULL, rows, n, start, column), CR_OK);
    cr_node v = cr_sparse_values(p, cr_find(g, "x"));
    cr_pattern_free(p);
    free(start);
    return v;
}

/* What is cut gives its memory back, and what is built in its place has no pattern of it. */
TEST(a_pattern_goes_with_its_node) {
    (void)state;
    struct problem p = open_at("x");
    cr_pattern *found;
    size_t mark = cr_graph_mark(p.g), held = 0;
    for (int i = 0; i < 40; i++) {
        cr_node v = in_last_row(p.g, 1000 - i);
        assert_int_equal(cr_pattern_of(&found, v), CR_OK);
        assert_int_equal(cr_pattern_rows(found), 1000 - i);
        cr_pattern_free(found);
        if (i == 0) held = cr_graph_bytes(p.g);
        assert_true(cr_graph_bytes(p.g) <= held);
        assert_int_equal(cr_graph_cut(p.g, mark), CR_OK);
        assert_int_equal(cr_pattern_of(&found, v), CR_EINVAL);
    }
    cr_node plain = cr_variable(cr_find(p.g, "x"));
    assert_int_equal(cr_pattern_of(&found, plain), CR_OK);
    assert_null(found);
    close_problem(&p);
}

static cr_status emit_all(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_input(g, "x", CR_F64, 1, (int64_t[]){4});
    cr_node h = cr_formula(g, "sparse_hessian(sum(x[1:]^2 * x[:-1]), x)");
    cr_target *t = cr_target_new(g);
    cr_program *program = NULL;
    cr_pattern *found = NULL;
    cr_text *source = NULL, *header = NULL;
    cr_status s = g && t ? cr_target_output(t, "H", h) : CR_ENOMEM;
    if (!s) s = cr_compile(&program, t, NULL);
    if (!s) s = cr_program_pattern(&found, program, "H");
    cr_pattern_free(found);
    if (!s) s = cr_pattern_of(&found, h);
    if (!s) s = cr_text_new(&source, ctx);
    if (!s) s = cr_text_new(&header, ctx);
    if (!s) s = cr_program_emit(source, header, program, "f", NULL);
    if (!s) assert_non_null(strstr(cr_text_str(source), "{4, 4, 9, &f_row_starts[0], &f_column_indices[0]}"));
    cr_pattern_free(found);
    cr_text_free(source);
    cr_text_free(header);
    cr_program_free(program);
    cr_target_free(t);
    cr_graph_free(g);
    return s;
}

TEST(memory_that_runs_out_is_told) {
    (void)state;
    alloc_fail_each(emit_all, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(tables_say_where_the_values_of_a_matrix_stand),
        RUN(a_program_knows_the_patterns_of_its_outputs),
        RUN(names_meet_nothing_and_empty_matrices_have_tables),
        RUN(values_take_a_pattern_that_one_gives_them),
        RUN(a_pattern_goes_with_its_node),
        RUN(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
