/* Linear algebra beyond the table's cases: known matrices, what fails and how it is told, many matrices on many threads. */
#include "support/test.h"

/* Hilbert's matrix of order 6: its inverse has whole elements and its determinant is 1/186313420339200000 (OEIS A005249);
 * condition number 1.5e7, so that some nine digits are left. */
TEST(hilberts_matrix_has_its_known_inverse_and_determinant) {
    (void)state;
    static const double inverse[] = {36,    -630, 3360,
                                     -7560, 7560, -2772}; /* (-1)^(1+j) j C(6, j) C(5+j, 5), Choi 1983 */
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e;
    cr_node i = cr_iota(g, 6), one = cr_number(g, 1), found[6];
    cr_node h = cr_recip(cr_add(cr_add(cr_expand_dims(i, 0), cr_expand_dims(i, 1)), one));
    cr_eval_new(&e, g, NULL);
    cr_node inv = cr_inv(h);
    for (int k = 0; k < 6; k++) {
        found[k] = cr_slice(inv, 2, (int64_t[]){0, k}, (int64_t[]){1, 1}, (int64_t[]){1, 1});
        assert_near(cr_eval_number(e, found[k]), inverse[k], 1e-8 * fabs(inverse[k]));
    }
    assert_near(cr_eval_number(e, cr_logabsdet(h)), -log(186313420339200000.), 1e-9);
    assert_true(cr_eval_number(e, cr_detsign(h)) == 1);
    cr_node l = cr_cholesky(h), apart = cr_sub(cr_matmul(l, cr_t(l)), h);
    assert_true(cr_eval_number(e, cr_max(cr_abs(apart), 0, NULL, false)) <= 1e-16);
    cr_eval_free(e);
    cr_graph_free(g);
}

/* The second difference of n points has the eigenvalues 4 sin^2(k pi / (2 (n + 1))). */
TEST(the_second_difference_has_its_known_eigenvalues) {
    (void)state;
    enum { n = 40 };
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e;
    cr_eval_new(&e, g, NULL);
    cr_node i = cr_iota(g, n), apart = cr_abs(cr_sub(cr_expand_dims(i, 0), cr_expand_dims(i, 1)));
    cr_node x =
        cr_sub(cr_mul(cr_number(g, 2.0), cr_eq(apart, cr_number(g, 0))), cr_eq(apart, cr_number(g, 1)));
    x = cr_cast(x, CR_F64);
    double found[n];
    cr_node values = cr_eigh(x), v = cr_eigh_vectors(x);
    assert_int_equal(cr_eval_value(e, values, CR_F64, found, sizeof found), CR_OK);
    for (int k = 0; k < n; k++) {
        double s = sin((k + 1) * 3.14159265358979323846 / (2 * (n + 1)));
        assert_near(found[k], 4 * s * s, n * 4 * 0x1p-53); /* backward stable: n u of the norm */
    }
    cr_node again = cr_matmul(cr_mul(v, cr_expand_dims(values, 0)), cr_t(v));
    assert_true(cr_eval_number(e, cr_max(cr_abs(cr_sub(again, x)), 0, NULL, false)) < n * 4 * 0x1p-52);
    cr_eval_free(e);
    cr_graph_free(g);
}

/* ---- Failures ---- */

static const char *const fail_ops[] = {"cholesky of x", "solve of x, x", "triangular_solve of x, x"};

/* 64 matrices of order 20, of which numbers 17 and 40 are bad in column 3: the first is told, by any number of threads, and the
 * store stays as it was. */
TEST(the_first_singular_matrix_fails_the_run_and_leaves_the_store_alone) {
    (void)state;
    enum { batch = 64, n = 20 };
    static double data[batch][n][n];
    for (size_t op = 0; op < 3; op++)
        for (int threads = 1; threads <= 3; threads++)
            for (int reference = 0; reference < 2; reference++) {
                memset(data, 0, sizeof data);
                for (int b = 0; b < batch; b++)
                    for (int i = 0; i < n; i++) data[b][i][i] = (b == 17 || b == 40) && i == 3 ? 0 : 2;
                cr_context *ctx;
                cr_context_new(&ctx);
                cr_context_threads(ctx, threads);
                cr_graph *g = cr_graph_new(ctx);
                cr_node x = cr_input(g, "x", CR_F64, 3, (int64_t[]){batch, n, n}),
                        w = cr_param(g, "w", CR_F64, 0, NULL);
                cr_graph_at(g, "model.cr", 4, 7);
                cr_node y = op == 0   ? cr_cholesky(x)
                            : op == 1 ? cr_solve(x, x)
                                      : cr_triangular_solve(x, x, false);
                cr_graph_at(g, NULL, 0, 0);
                cr_target *t = cr_target_new(g);
                cr_target_update(t, w, cr_add(w, cr_sum(y, 0, NULL, false)));
                cr_options *o = cr_options_new(ctx);
                cr_options_set(o, "device", reference ? "reference" : "cpu");
                cr_program *p = NULL;
                cr_store *store;
                cr_run *r;
                double start = 1, now;
                assert_int_equal(cr_compile(&p, t, o), CR_OK);
                cr_store_new(&store, ctx);
                cr_store_set(store, "w", CR_F64, &start, sizeof start);
                cr_run_new(&r, p, store, NULL, 0);
                cr_bind(r, "x", CR_F64, data, sizeof data);
                assert_int_equal(cr_step(r), CR_ESINGULAR);
                char expected[160];
                snprintf(expected, sizeof expected,
                         "model.cr:4:7: %s: a matrix that is singular, or not positive definite: of [64, 20, "
                         "20], matrix 17, "
                         "at column 3",
                         fail_ops[op]);
                assert_string_equal(cr_run_error(r), expected);
                cr_store_get(store, "w", CR_F64, &now, sizeof now);
                assert_true(now == start);
                data[17][3][3] = data[40][3][3] = 2;
                assert_int_equal(cr_step(r), CR_OK);
                cr_store_get(store, "w", CR_F64, &now, sizeof now);
                assert_near(now, 1 + batch * n * (op ? 1 : sqrt(2)), 1e-9);
                cr_run_free(r);
                cr_store_free(store);
                cr_program_free(p);
                cr_options_free(o);
                cr_target_free(t);
                cr_graph_free(g);
                cr_context_free(ctx);
            }
}

TEST(nan_and_infinity_pass_through) {
    (void)state;
    static const char *const formulas[] = {
        "sum(cholesky([[nan, 0], [0, 1]]))", "sum(solve([[1, 2], [nan, 1]], [1, 1]))",
        "logabsdet([[nan, 1], [1, 2]])",     "detsign([[1, nan], [1, 2]])",
        "sum(eigh([[1, nan], [nan, 2]]))",   "sum(eigh_vectors([[inf, 0], [0, 2]]))"};
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        struct fixture f = fixture_of(formulas[i], NULL);
        if (!isnan(cr_eval_number(f.e, f.y))) fail_msg("%s is not nan: %s", formulas[i], cr_eval_error(f.e));
        fixture_free(&f);
    }
}

TEST(shapes_that_do_not_fit_are_told_with_the_op) {
    (void)state;
    static const char *const wrong[][2] = {
        {"cholesky(x)", "cholesky: expected a square matrix, found [2, 3]"},
        {"logabsdet(v)", "logabsdet: expected a square matrix, found [3]"},
        {"det(x)", "logabsdet: expected a square matrix, found [2, 3]"},
        {"eigh(x)", "eigh: expected a square matrix, found [2, 3]"},
        {"inv(x)", "inv: expected a square matrix, found [2, 3]"},
        {"solve(x, v)", "solve: expected a square matrix, found [2, 3]"},
        {"solve(x @ t(x), v)", "solve: [2, 2] and [3] do not fit"},
        {"triangular_solve(x @ t(x), t(x))", "triangular_solve: [2, 2] and [3, 2] do not fit"},
        {"solve(b, expand(x @ t(x), [3, 2, 2]))", "solve: [2, 2, 2] and [3, 2, 2] do not fit"},
        {"solve(cast(b, f32), b)",
         "solve: f32 meets f64: say which is meant with cast(x, f32) or cast(x, f64)"},
        {"window(x, [2, 4])", "window: a window of 4, 1 apart, does not fit axis -1 of [2, 3]"},
        {"window(x, [1, 1, 1])", "window: 3 windowed axes of rank 2"},
        {"window(x, 2, stride=0)",
         "window: size 2, stride 0, dilation 1: expected stride and dilation of 1 or more, all below 2^31"},
        {"window_add(b, 2, stride=1)", "window_add: 2 windows of 2 reach outside of 2 ([2, 2, 2])"},
        {"max_pool(x, 0)", "max_pool: a window of size 0"},
        {"conv(x, x)", "conv: x [2, 3], w [2, 3] and 1 groups do not fit"},
        {"conv(b, b, groups=2)", "conv: x [2, 2, 2], w [2, 2, 2] and 2 groups do not fit"},
        {"conv(b, expand(v[None, :2, None], [1, 2, 3]))",
         "conv: a kernel of 3, 1 apart, does not fit 2 elements of axis 2"},
        {"conv(b, cast(b, f32))", "conv: f32 meets f64"},
        {"batch_norm(x, v, v[:2])", "batch_norm: x [2, 3] and bias [2]: expected one for each channel"},
        {"attention(x, v[None], x)", "attention: query [2, 3], key [1, 3] and value [2, 3] do not fit"},
        {"rope(v[None])", "rope: expected [.., n, d] with an even d, found [1, 3]"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_input(g, "x", CR_F64, 2, (int64_t[]){2, 3});
        cr_input(g, "v", CR_F64, 1, (int64_t[]){3});
        cr_input(g, "b", CR_F64, 3, (int64_t[]){2, 2, 2});
        assert_false(cr_ok(cr_formula(g, wrong[i][0])));
        if (!strstr(cr_graph_error(g), wrong[i][1])) fail_msg("%s: %s", wrong[i][0], cr_graph_error(g));
        cr_graph_free(g);
    }
}

/* ---- Threads ---- */

enum { many = 32, order = 12 };

static void compute(int threads, cr_dtype dtype, double out[6]) {
    cr_context *ctx;
    cr_context_new(&ctx);
    cr_context_threads(ctx, threads);
    cr_graph *g = cr_graph_new(ctx);
    cr_eval *e;
    cr_node key = cr_number(g, 7), x = cr_uniform(key, 3, (int64_t[]){many, order, order}, dtype), d;
    cr_node a = cr_variable(cr_matmul(x, cr_t(x)));
    cr_node all[] = {cr_cholesky(a), cr_solve(a, x),     cr_logabsdet(a),
                     cr_eigh(a),     cr_eigh_vectors(a), cr_triangular_solve(a, x, true)};
    cr_eval_new(&e, g, NULL);
    for (int i = 0; i < 6; i++) {
        cr_node squares = total(cr_square(all[i]));
        assert_int_equal(cr_grad(&d, squares, 1, &a), CR_OK);
        out[i] = cr_eval_number(e, cr_sum(cr_abs(d), 0, NULL, false));
        if (isnan(out[i])) fail_msg("%d: %s", i, cr_eval_error(e) ? cr_eval_error(e) : "nan");
    }
    cr_eval_free(e);
    cr_graph_free(g);
    cr_context_free(ctx);
}

TEST(bits_do_not_change_with_threads) {
    (void)state;
    for (cr_dtype dtype = CR_F32; dtype <= CR_F64; dtype++) {
        double of[3][6];
        for (int threads = 1; threads <= 3; threads++) compute(threads, dtype, of[threads - 1]);
        assert_memory_equal(of[0], of[1], sizeof of[0]);
        assert_memory_equal(of[0], of[2], sizeof of[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(hilberts_matrix_has_its_known_inverse_and_determinant),
        RUN(the_second_difference_has_its_known_eigenvalues),
        RUN(the_first_singular_matrix_fails_the_run_and_leaves_the_store_alone),
        RUN(nan_and_infinity_pass_through),
        RUN(shapes_that_do_not_fit_are_told_with_the_op),
        RUN(bits_do_not_change_with_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
