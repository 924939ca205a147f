/* Options of a fit: bounds, fixed and shared parameters, starts, methods, failing memory. */
#include "support/fits.h"

static const char *const methods[] = {"lm", "lbfgs", "gd"};

/* ---- Bounds ---- */

/* (a - 3)^2 + (a + b - 1)^2, a at most 2: a = 2, b = -1. */
TEST(a_bound_holds_a_parameter_by_every_method) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct problem p = problem_of("param a: f64 = 0; param b: f64 = 5; (a - 3)^2 + (a + b - 1)^2");
        cr_fit_set(p.f, "method", methods[i]);
        assert_int_equal(cr_fit_bounds(p.f, "a", -INFINITY, 2), CR_OK);
        assert_int_equal(cr_fit_run(p.f), CR_OK);
        assert_true(problem_value(&p, "a") == 2);
        assert_near(problem_value(&p, "b"), -1, 1e-6);
        assert_near(cr_fit_loss(p.f), 1, 1e-12);
        assert_near(cr_fit_gradient_norm(p.f), 0, 1e-5);
        assert_string_equal(cr_fit_state(p.f, 0), "at a bound");
        assert_true(cr_fit_standard_error(p.f, 0) == 0);
        problem_free(&p);
    }
}

TEST(a_bound_that_is_not_reached_changes_nothing) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct problem p = problem_of("param a: f64 = -1.2; param b: f64 = 1; (1 - a)^2 + 100*(b - a^2)^2");
        cr_fit_set(p.f, "method", methods[i]);
        cr_fit_bounds(p.f, "a", -2, 2);
        cr_fit_bounds(p.f, "b", -1, 3);
        assert_int_equal(cr_fit_run(p.f), CR_OK);
        assert_near(problem_value(&p, "a"), 1, 1e-7);
        assert_near(problem_value(&p, "b"), 1, 1e-7);
        problem_free(&p);
    }
}

/* The valley's floor leads from (-1.2, 1) past b = 0.5 at a = sqrt(0.5): minimum at the bound of (1 - a)^2 + 100 (0.5 - a^2)^2,
 * a = 0.70856 (mpmath: findroot of -2 (1 - a) - 400 a (0.5 - a^2)). */
TEST(the_minimum_on_a_bound_is_found_along_a_curved_valley) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct problem p = problem_of("param a: f64 = 1.2; param b: f64 = 0; (1 - a)^2 + 100*(b - a^2)^2");
        cr_fit_set(p.f, "method", methods[i]);
        cr_fit_bounds(p.f, "b", -INFINITY, 0.5);
        assert_int_equal(cr_fit_run(p.f), CR_OK);
        assert_true(problem_value(&p, "b") == 0.5);
        assert_near(problem_value(&p, "a"), 0.70855950376135, 1e-7);
        problem_free(&p);
    }
}

/* Stiff springs from a to b to c: with a held at 1/2, b = (1/2 + c)/2 and 50 (c - 1/2) + 2 (c - 2) = 0. */
TEST(what_hangs_on_a_bound_parameter_settles_exactly) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct problem p = problem_of("param a: f64 = 0; param b: f64 = 5; param c: f64 = -5; "
                                      "(a - 1)^2 + 50*(a - b)^2 + 50*(b - c)^2 + (c - 2)^2");
        cr_fit_set(p.f, "method", methods[i]);
        cr_fit_bounds(p.f, "a", -1, 0.5);
        assert_int_equal(cr_fit_run(p.f), CR_OK);
        assert_true(problem_value(&p, "a") == 0.5);
        assert_near(problem_value(&p, "c"), 29.0 / 52, 1e-7);
        assert_near(problem_value(&p, "b"), (0.5 + 29.0 / 52) / 2, 1e-7);
        assert_true(cr_fit_iterations(p.f) < 40);
        problem_free(&p);
    }
}

TEST(a_start_outside_its_bounds_is_moved_in) {
    (void)state;
    struct problem p = problem_of("param a: f64 = 7; (a - 3)^2");
    cr_fit_bounds(p.f, "a", 0, 5);
    cr_fit_set(p.f, "iterations", "0");
    cr_fit_run(p.f);
    assert_true(problem_value(&p, "a") == 5);
    problem_free(&p);
}

TEST(bounds_that_make_no_sense_are_refused) {
    (void)state;
    struct problem p = problem_of("param a: f64 = 0; a^2");
    assert_int_equal(cr_fit_bounds(p.f, "a", 2, 1), CR_EINVAL);
    assert_int_equal(cr_fit_bounds(p.f, "a", NAN, 1), CR_EINVAL);
    assert_int_equal(cr_fit_bounds(p.f, "b", 0, 1), CR_ENAME);
    assert_string_equal(cr_fit_error(p.f), "bounds: 'b' is no parameter that is fitted");
    problem_free(&p);
}

/* ---- Fixed and shared ---- */

TEST(a_fixed_parameter_stays_by_every_method) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct problem p = problem_of("param a: f64 = 1; param b: f64 = 5; (a - 3)^2 + (a + b - 1)^2");
        cr_fit_set(p.f, "method", methods[i]);
        assert_int_equal(cr_fit_fix(p.f, "a", true), CR_OK);
        assert_int_equal(cr_fit_run(p.f), CR_OK);
        assert_true(problem_value(&p, "a") == 1);
        assert_near(problem_value(&p, "b"), 0, 1e-6);
        assert_string_equal(cr_fit_state(p.f, 0), "fixed");
        assert_int_equal(cr_fit_fix(p.f, "a", false), CR_OK);
        assert_int_equal(cr_fit_run(p.f), CR_OK);
        assert_near(problem_value(&p, "a"), 3, 1e-5);
        problem_free(&p);
    }
}

TEST(an_unknown_parameter_cannot_be_fixed) {
    (void)state;
    struct problem p = problem_of("param a: f64 = 0; a^2");
    assert_int_equal(cr_fit_fix(p.f, "c", true), CR_ENAME);
    assert_int_equal(cr_fit_fix(p.f, NULL, true), CR_ENAME);
    problem_free(&p);
}

/* Two data sets with one slope: sum over both of (x - mean)(y - mean) / sum of (x - mean)^2. */
TEST(a_parameter_is_shared_between_data_sets) {
    (void)state;
    static const double x[3] = {0, 1, 2}, y[3] = {1, 2, 5}, u[4] = {0, 1, 2, 3}, v[4] = {7, 8, 8, 11};
    struct problem p = problem_of(
        "input x: f64[3]; input y: f64[3]; input u: f64[4]; input v: f64[4]; param slope: f64 = 0; "
        "param a: f64 = 0; param b: f64 = 0; "
        "loss = sum((y - a - slope*x)^2) + sum((v - b - slope*u)^2)");
    problem_bind(&p, "x", x, 3), problem_bind(&p, "y", y, 3), problem_bind(&p, "u", u, 4),
        problem_bind(&p, "v", v, 4);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_string_equal(cr_fit_method(p.f), "lm");
    assert_near(problem_value(&p, "slope"), (4.0 + 6.0) / (2.0 + 5.0), 1e-13);
    assert_true(cr_fit_statistic(p.f, "observations") == 7);
    assert_true(cr_fit_statistic(p.f, "freedom") == 4);
    problem_free(&p);
}

TEST(a_tensor_of_parameters_is_fitted_and_labelled) {
    (void)state;
    static const double x[4] = {0, 1, 2, 3}, y[4] = {1, 3, 9, 19}; /* 1 + 0 x + 2 x^2 */
    struct problem p = problem_of("input x: f64[4]; input y: f64[4]; param c: f64[3] = 0; "
                                  "sum((y - c[0] - c[1]*x - c[2]*x^2)^2)");
    cr_text *t;
    cr_text_new(&t, NULL);
    problem_bind(&p, "x", x, 4), problem_bind(&p, "y", y, 4);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(cr_fit_estimate(p.f, 0), 1, 1e-12);
    assert_near(cr_fit_estimate(p.f, 1), 0, 1e-12);
    assert_near(cr_fit_estimate(p.f, 2), 2, 1e-12);
    assert_int_equal(cr_fit_label(t, p.f, 2), CR_OK);
    assert_string_equal(cr_text_str(t), "c[2]");
    assert_int_equal(cr_fit_label(t, p.f, 3), CR_EINVAL);
    cr_text_free(t);
    problem_free(&p);
}

/* ---- Starts ---- */

/* sin(k x) sampled: many wrong frequencies are minima of their own. */
static struct problem wave(const char *starts, const char *seed) {
    static double x[30], y[30];
    struct problem p =
        problem_of("input x: f64[30]; input y: f64[30]; param k: f64 = 1; sum((y - sin(k*x))^2)");
    for (int i = 0; i < 30; i++) x[i] = i / 3.0, y[i] = sin(2.7 * x[i]);
    problem_bind(&p, "x", x, 30), problem_bind(&p, "y", y, 30);
    cr_fit_bounds(p.f, "k", 0.1, 6);
    cr_fit_set(p.f, "starts", starts);
    cr_fit_set(p.f, "seed", seed);
    cr_fit_run(p.f);
    return p;
}

TEST(several_starts_find_what_one_does_not) {
    (void)state;
    struct problem one = wave("1", "0"), many = wave("20", "0"), again = wave("20", "0"),
                   other = wave("20", "7");
    assert_true(cr_fit_loss(one.f) > 1);
    assert_near(problem_value(&many, "k"), 2.7, 1e-12);
    assert_near(problem_value(&other, "k"), 2.7, 1e-12);
    assert_true(problem_value(&many, "k") == problem_value(&again, "k"));
    assert_int_equal(cr_fit_evaluations(many.f), cr_fit_evaluations(again.f));
    assert_true(cr_fit_evaluations(many.f) != cr_fit_evaluations(other.f)); /* the seed changes the starts */
    problem_free(&one), problem_free(&many), problem_free(&again), problem_free(&other);
}

TEST(starts_go_on_where_the_first_is_not_finite) {
    (void)state;
    struct problem p = problem_of("param a: f64 = -1; (log(a) - 1)^2");
    assert_int_equal(cr_fit_run(p.f), CR_ENAN);
    cr_fit_set(p.f, "starts", "20");
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(problem_value(&p, "a"), 2.7182818284590452, 1e-12);
    assert_null(cr_fit_error(p.f));
    problem_free(&p);
}

TEST(a_start_that_gives_no_number_is_described) {
    (void)state;
    static const double x[3] = {-1, 2, -3}, y[3] = {1, 1, 1};
    struct problem p =
        problem_of("input x: f64[3]; input y: f64[3]; param a: f64 = 1.5; sum((y - log(a*x))^2)");
    problem_bind(&p, "x", x, 3), problem_bind(&p, "y", y, 3);
    assert_int_equal(cr_fit_run(p.f), CR_ENAN);
    assert_string_equal(
        cr_fit_error(p.f),
        "2 of 3 residuals are not finite, number 1 the first, at the starting values a = 1.5: "
        "choose others");
    assert_true(problem_value(&p, "a") == 1.5);
    problem_free(&p);
}

/* ---- What is refused ---- */

TEST(values_that_make_no_sense_are_refused) {
    (void)state;
    static const char *const bad[][2] = {
        {"method", "magic"}, {"robust", "tukey"},       {"robust_scale", "0"},
        {"starts", "0"},     {"starts", "1.5"},         {"seed", "-1"},
        {"rate", "0"},       {"iterations", "x"},       {"tolerance", ""},
        {"colour", "1"},     {"absolute_sigma", "2"},   {"tolerance", "-1"},
        {"tolerance", "2"},  {"robust_scale", "1e300"}, {"rate", "1e999"}};
    struct problem p = problem_of("param a: f64 = 0; a^2");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cr_fit_set(p.f, bad[i][0], bad[i][1]) != CR_EINVAL)
            fail_msg("%s=%s was taken", bad[i][0], bad[i][1]);
    problem_free(&p);
}

TEST(what_only_squares_have_is_refused_for_other_losses) {
    (void)state;
    struct problem p = problem_of("param a: f64 = 0.5; cosh(a)");
    assert_int_equal(cr_fit_set(p.f, "robust", "huber"), CR_EINVAL);
    assert_int_equal(cr_fit_sigma(p.f, 1, (double[]){1}), CR_EINVAL);
    cr_fit_set(p.f, "method", "lm");
    assert_int_equal(cr_fit_run(p.f), CR_EINVAL);
    assert_non_null(strstr(cr_fit_error(p.f), "not known as a sum of squares"));
    cr_fit_set(p.f, "method", "auto");
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_string_equal(cr_fit_method(p.f), "lbfgs");
    assert_true(isnan(cr_fit_statistic(p.f, "rss")));
    assert_true(isnan(cr_fit_standard_error(p.f, 0)));
    problem_free(&p);
}

TEST(other_methods_refuse_sigma_rather_than_ignore_it) {
    (void)state;
    struct problem p = problem_of("param a: f64 = 0.5; (a - 1)^2");
    cr_fit_sigma(p.f, 1, (double[]){2});
    cr_fit_set(p.f, "method", "lbfgs");
    assert_int_equal(cr_fit_run(p.f), CR_EINVAL);
    assert_non_null(strstr(cr_fit_error(p.f), "sigma"));
    problem_free(&p);
}

TEST(getters_of_nothing_answer) {
    (void)state;
    double low, high;
    assert_true(isnan(cr_fit_estimate(NULL, 0)));
    assert_true(isnan(cr_fit_covariance(NULL, 0, 0)));
    assert_true(isnan(cr_fit_statistic(NULL, "rss")));
    assert_int_equal(cr_fit_count(NULL), 0);
    assert_int_equal(cr_fit_interval(NULL, 0, 0.9, &low, &high), CR_EINVAL);
    assert_int_equal(cr_fit_profile(NULL, 0, 0.9, &low, &high), CR_EINVAL);
    assert_null(cr_fit_residuals(NULL, NULL));
    struct problem p = problem_of("param a: f64 = 0.5; (a - 1)^2"); /* not run yet */
    assert_true(isnan(cr_fit_estimate(p.f, 0)));
    assert_int_equal(cr_fit_profile(p.f, 0, 0.9, &low, &high), CR_EINVAL);
    problem_free(&p);
}

/* ---- Memory ---- */

static cr_status fit_all(cr_graph *g, cr_store *s, cr_fit **f, cr_eval **e, cr_text *t) {
    static double x[4] = {0, 1, 2, 3}, y[4] = {1, 2, 2, 5};
    double low, high, value[4], error[4];
    int64_t n = 4;
    cr_node u = cr_input(g, "x", CR_F64, 1, &n), v = cr_input(g, "y", CR_F64, 1, &n);
    cr_node a = cr_param(g, "a", CR_F64, 0, NULL), b = cr_param(g, "b", CR_F64, 0, NULL), params[2] = {a, b};
    cr_node hat = cr_add(a, cr_mul(b, u)), loss = cr_mse(hat, v);
    if (cr_graph_error(g)) return cr_graph_status(g);
    cr_status status = cr_store_set(s, "a", CR_F64, &(double){0}, sizeof(double));
    if (!status) status = cr_store_set(s, "b", CR_F64, &(double){0}, sizeof(double));
    if (!status) status = cr_fit_new(f, loss, 2, params, s);
    if (!status) status = cr_fit_bind(*f, "x", CR_F64, x, sizeof x);
    if (!status) status = cr_fit_bind(*f, "y", CR_F64, y, sizeof y);
    if (!status) status = cr_fit_run(*f);
    if (!status) status = cr_fit_label(t, *f, 0);
    if (!status) status = cr_fit_profile(*f, 0, 0.95, &low, &high);
    if (!status) status = cr_eval_new(e, g, NULL);
    if (!status) status = cr_eval_set(*e, u, CR_F64, x, sizeof x);
    return status ? status : cr_fit_predict(*f, *e, hat, value, error);
}

static cr_status fit_scenario(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_store *s = NULL;
    cr_text *t = NULL;
    cr_fit *f = NULL;
    cr_eval *e = NULL;
    cr_status status = g ? cr_store_new(&s, ctx) : CR_ENOMEM;
    if (!status) status = cr_text_new(&t, ctx);
    if (!status) status = fit_all(g, s, &f, &e, t);
    cr_eval_free(e);
    cr_fit_free(f);
    cr_text_free(t);
    cr_store_free(s);
    cr_graph_free(g);
    return status;
}

TEST(every_failing_allocation_of_a_fit_is_told) {
    (void)state;
    alloc_fail_each(fit_scenario, NULL);
}

static cr_status plot_scenario(cr_context *ctx, void *arg) {
    static const double x[3] = {0, 1, 2}, y[3] = {1, 3, 2}, low[3] = {0, 2, 1};
    (void)arg;
    cr_plot *p = NULL;
    cr_text *t = NULL;
    cr_status status = cr_plot_new(&p, ctx);
    if (!status) status = cr_text_new(&t, ctx);
    if (!status) status = cr_plot_labels(p, "title", "x", "y");
    if (!status) status = cr_plot_band(p, "band", 3, x, low, y);
    if (!status) status = cr_plot_add(p, "line", true, 3, x, y);
    if (!status) status = cr_plot_panel(p, "residual");
    if (!status) status = cr_plot_add(p, "points", false, 3, x, y);
    if (!status) status = cr_plot_svg(t, p);
    cr_text_free(t);
    cr_plot_free(p);
    return status;
}

TEST(every_failing_allocation_of_a_plot_is_told) {
    (void)state;
    alloc_fail_each(plot_scenario, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_bound_holds_a_parameter_by_every_method),
        RUN(a_bound_that_is_not_reached_changes_nothing),
        RUN(the_minimum_on_a_bound_is_found_along_a_curved_valley),
        RUN(what_hangs_on_a_bound_parameter_settles_exactly),
        RUN(a_start_outside_its_bounds_is_moved_in),
        RUN(bounds_that_make_no_sense_are_refused),
        RUN(a_fixed_parameter_stays_by_every_method),
        RUN(an_unknown_parameter_cannot_be_fixed),
        RUN(a_parameter_is_shared_between_data_sets),
        RUN(a_tensor_of_parameters_is_fitted_and_labelled),
        RUN(several_starts_find_what_one_does_not),
        RUN(starts_go_on_where_the_first_is_not_finite),
        RUN(a_start_that_gives_no_number_is_described),
        RUN(values_that_make_no_sense_are_refused),
        RUN(what_only_squares_have_is_refused_for_other_losses),
        RUN(other_methods_refuse_sigma_rather_than_ignore_it),
        RUN(getters_of_nothing_answer),
        RUN(every_failing_allocation_of_a_fit_is_told),
        RUN(every_failing_allocation_of_a_plot_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
