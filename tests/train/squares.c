/* Least squares: what is recognised, and what a fit then says. Expected values are closed forms, or published by others. */
#include "support/fits.h"

/* ---- Recognition ---- */

static const char *method_of(const char *text) {
    static char method[8];
    struct problem p = problem_of(text);
    cr_fit_set(p.f, "iterations", "1");
    static const double data[3] = {1, 2, 4};
    for (int i = 0; cr_ok(cr_leaf(p.g, i)); i++)
        if (strcmp(cr_op_of(cr_leaf(p.g, i)), "input") == 0)
            problem_bind(&p, cr_name(cr_leaf(p.g, i)), data, 3);
    cr_fit_run(p.f);
    snprintf(method, sizeof method, "%s", cr_fit_method(p.f));
    problem_free(&p);
    return method;
}

#define LINE "input x: f64[3]; input y: f64[3]; param a: f64 = 1; param b: f64 = 1; "

TEST(sums_of_squares_are_recognised) {
    (void)state;
    static const char *const good[] = {
        LINE "mean((a*x + b - y)^2)",
        LINE "mse(a*x + b, y)",
        LINE "sum(square(y - a*x - b)) / 2",
        LINE "r = a*x + b - y; 0.5*sum(r*r)",
        LINE "sum(0.5*(a*x + b - y)^2/x)",
        LINE "mean(x*(a*x + b - y)^2)",
        LINE "mean((a*x + b - y)^2) + 0.1*a^2 + 0.1*b^2",
        LINE "sum((a*x - y)^2 + (b - y)^2)",
        LINE "residual = a*x + b - y",
        LINE "residual = a*x + b - y; loss = norm(residual)^2",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (strcmp(method_of(good[i]), "lm") != 0) fail_msg("not recognised: %s", good[i]);
}

TEST(what_is_no_sum_of_squares_is_not_taken_for_one) {
    (void)state;
    static const char *const other[] = {
        LINE "mean(abs(a*x + b - y))",
        LINE "mean(huber(a*x + b, y))",
        LINE "mean((a*x + b - y)^2) - 0.1*a^2",
        LINE "mean((a*x + b - y)^2) + a",
        LINE "mean((a*x + b - y)^3)",
        LINE "mean(a*(a*x + b - y)^2)",
        LINE "sum((a*x + b - y)^2)*sum((b - y)^2)",
        LINE "mean(stop_gradient(a)*(a*x + b - y)^2)",
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strcmp(method_of(other[i]), "lbfgs") != 0) fail_msg("taken for squares: %s", other[i]);
}

/* ---- Statistics known from elsewhere ---- */

/* R's `cars`, and what R prints for lm(dist ~ speed, cars), confint, AIC and BIC. */
static const double speed[50] = {4,  4,  7,  7,  8,  9,  10, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13,
                                 13, 13, 14, 14, 14, 14, 15, 15, 15, 16, 16, 17, 17, 17, 18, 18, 18,
                                 18, 19, 19, 19, 20, 20, 20, 20, 20, 22, 23, 24, 24, 24, 24, 25};
static const double dist[50] = {2,  10, 4,  22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28,  26, 34,
                                34, 46, 26, 36, 60, 80, 20, 26, 54, 32, 40, 32, 40, 50, 42,  56, 76,
                                84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70, 92, 93, 120, 85};

static struct problem cars(void) {
    struct problem p =
        problem_of("input x: f64[50]; input y: f64[50]; param a: f64 = 0; param b: f64 = 0; y_hat = a + b*x; "
                   "loss = mean((y_hat - y)^2)");
    problem_bind(&p, "x", speed, 50);
    problem_bind(&p, "y", dist, 50);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    return p;
}

TEST(a_line_through_cars_is_rs) {
    (void)state;
    struct problem p = cars();
    double low, high;
    assert_near(cr_fit_estimate(p.f, 0), -17.5791, 5e-5);
    assert_near(cr_fit_estimate(p.f, 1), 3.9324, 5e-5);
    assert_near(cr_fit_standard_error(p.f, 0), 6.7584, 5e-5);
    assert_near(cr_fit_standard_error(p.f, 1), 0.4155, 5e-5);
    assert_near(cr_fit_significance(p.f, 0), 0.0123, 5e-5);
    assert_near(cr_fit_significance(p.f, 1), 1.49e-12, 5e-15);
    assert_near(cr_fit_statistic(p.f, "residual_deviation"), 15.38, 5e-3);
    assert_near(cr_fit_statistic(p.f, "r2"), 0.6511, 5e-5);
    assert_near(cr_fit_statistic(p.f, "aic"), 419.1569, 5e-5);
    assert_near(cr_fit_statistic(p.f, "bic"), 424.8929, 5e-5);
    assert_true(cr_fit_statistic(p.f, "freedom") == 48);
    assert_int_equal(cr_fit_interval(p.f, 1, 0.95, &low, &high), CR_OK);
    assert_near(low, 3.096964, 5e-7);
    assert_near(high, 4.767853, 5e-7);
    assert_near(cr_fit_correlation(p.f, 0, 1), -0.947, 5e-4); /* -mean(x) / sqrt(mean(x^2)) */
    problem_free(&p);
}

TEST(on_a_linear_problem_the_profile_is_the_interval) {
    (void)state;
    struct problem p = cars();
    for (int i = 0; i < 2; i++) {
        double low, high, l, h;
        cr_fit_interval(p.f, i, 0.9, &low, &high);
        assert_int_equal(cr_fit_profile(p.f, i, 0.9, &l, &h), CR_OK);
        assert_near(l, low, 1e-7);
        assert_near(h, high, 1e-7);
    }
    assert_near(cr_fit_estimate(p.f, 1), 3.9324, 5e-5); /* and all is as before */
    assert_near(problem_value(&p, "b"), 3.9324, 5e-5);
    assert_near(cr_fit_statistic(p.f, "aic"), 419.1569, 5e-5);
    problem_free(&p);
}

/* Bates and Watts' Puromycin, treated: summary(nls) and confint (MASS) of R. */
TEST(the_profile_of_puromycin_is_rs) {
    (void)state;
    static const double conc[12] = {0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.10, 1.10};
    static const double rate[12] = {76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200};
    struct problem p =
        problem_of("input c: f64[12]; input v: f64[12]; param V: f64 = 200; param K: f64 = 0.1; "
                   "sum((v - V*c/(K + c))^2)");
    double low, high;
    problem_bind(&p, "c", conc, 12);
    problem_bind(&p, "v", rate, 12);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(cr_fit_estimate(p.f, 0), 212.7, 0.05);
    assert_near(cr_fit_standard_error(p.f, 0), 6.947, 5e-4);
    assert_near(cr_fit_estimate(p.f, 1), 0.06412, 5e-6);
    assert_near(cr_fit_standard_error(p.f, 1), 0.008281, 5e-7);
    assert_int_equal(cr_fit_profile(p.f, 0, 0.95, &low, &high), CR_OK);
    assert_near(low, 197.302, 1e-2);
    assert_near(high, 229.290, 1e-2);
    assert_int_equal(cr_fit_profile(p.f, 1, 0.95, &low, &high), CR_OK);
    assert_near(low, 0.046925, 1e-5);
    assert_near(high, 0.086160, 1e-5);
    problem_free(&p);
}

TEST(a_parameter_the_data_cannot_bound_has_an_infinite_profile) {
    (void)state;
    static const double x[4] = {1, 2, 3, 4},
                        y[4] = {1.0, 1.1, 0.9, 1.05}; /* a step long past: any large k will do */
    struct problem p = problem_of("input x: f64[4]; input y: f64[4]; param a: f64 = 1; param k: f64 = 2; "
                                  "sum((y - a*(1 - exp(-k*x)))^2)");
    double low, high;
    problem_bind(&p, "x", x, 4);
    problem_bind(&p, "y", y, 4);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_int_equal(cr_fit_profile(p.f, 1, 0.95, &low, &high), CR_OK);
    assert_true(isinf(high));
    assert_true(low > 0 && low < cr_fit_estimate(p.f, 1));
    problem_free(&p);
}

/* ---- Weights ---- */

static const double five[5] = {1, 2, 4, 3, 7}, sigma[5] = {1, 2, 0.5, 1, 4};

/* The weighted mean: sum(y/s^2) / sum(1/s^2), with error 1/sqrt(sum(1/s^2)). */
static void weighted_mean(double *mean, double *error, double *chi2) {
    double sum = 0, weights = 0;
    for (int i = 0; i < 5; i++) sum += five[i] / (sigma[i] * sigma[i]), weights += 1 / (sigma[i] * sigma[i]);
    *mean = sum / weights, *error = 1 / sqrt(weights), *chi2 = 0;
    for (int i = 0; i < 5; i++) *chi2 += (five[i] - *mean) * (five[i] - *mean) / (sigma[i] * sigma[i]);
}

static void expect_weighted_mean(struct problem *p, bool absolute) {
    double mean, error, chi2;
    weighted_mean(&mean, &error, &chi2);
    problem_bind(p, "y", five, 5);
    assert_int_equal(cr_fit_run(p->f), CR_OK);
    assert_near(cr_fit_estimate(p->f, 0), mean, 1e-14);
    assert_near(cr_fit_standard_error(p->f, 0), absolute ? error : error * sqrt(chi2 / 4), 1e-14);
    assert_near(cr_fit_statistic(p->f, "chi2"), chi2, 1e-13);
    assert_near(cr_fit_statistic(p->f, "reduced_chi2"), chi2 / 4, 1e-13);
    assert_near(cr_fit_statistic(p->f, "r2"), 0, 1e-14); /* a constant explains nothing of the spread */
}

TEST(sigma_weighs_the_mean) {
    (void)state;
    struct problem p = problem_of("input y: f64[5]; param a: f64 = 0; sum((y - a)^2)");
    assert_int_equal(cr_fit_sigma(p.f, 5, sigma), CR_OK);
    expect_weighted_mean(&p, false);
    cr_fit_set(p.f, "absolute_sigma", "1");
    expect_weighted_mean(&p, true);
    problem_free(&p);
}

TEST(weights_in_the_formula_weigh_the_same) {
    (void)state;
    static const char *const forms[] = {"sum(((y - a)/s)^2)", "sum((y - a)^2/s^2)",
                                        "mean(1/s^2*(a - y)^2)/5"};
    for (int i = 0; i < 3; i++) {
        char text[128];
        snprintf(text, sizeof text, "input y: f64[5]; input s: f64[5]; param a: f64 = 0; %s", forms[i]);
        struct problem p = problem_of(text);
        problem_bind(&p, "s", sigma, 5);
        expect_weighted_mean(&p, false);
        problem_free(&p);
    }
}

/* Normal errors of known size: log L = -chi2/2 - sum(log(s sqrt(2 pi))), one parameter. */
TEST(a_likelihood_with_known_errors_is_that_of_normal_errors) {
    (void)state;
    struct problem p = problem_of("input y: f64[5]; param a: f64 = 0; sum((y - a)^2)");
    double mean, error, chi2, likelihood = 0;
    weighted_mean(&mean, &error, &chi2);
    for (int i = 0; i < 5; i++) likelihood -= log(sigma[i] * sqrt(2 * 3.14159265358979323846));
    likelihood -= chi2 / 2;
    cr_fit_sigma(p.f, 5, sigma);
    cr_fit_set(p.f, "absolute_sigma", "1");
    problem_bind(&p, "y", five, 5);
    cr_fit_run(p.f);
    assert_near(cr_fit_statistic(p.f, "log_likelihood"), likelihood, 1e-12);
    assert_near(cr_fit_statistic(p.f, "aic"), 2 - 2 * likelihood, 1e-12);
    problem_free(&p);
}

TEST(a_sigma_that_makes_no_sense_is_refused) {
    (void)state;
    struct problem p = problem_of("input y: f64[5]; param a: f64 = 0; sum((y - a)^2)");
    assert_int_equal(cr_fit_sigma(p.f, 4, sigma), CR_ESHAPE);
    assert_string_equal(cr_fit_error(p.f), "sigma: 4 numbers for 5 residuals");
    assert_int_equal(cr_fit_sigma(p.f, 5, (double[]){1, 1, 0, 1, 1}), CR_EINVAL);
    assert_string_equal(cr_fit_error(p.f), "sigma: number 3 is 0, expected positive and finite");
    problem_free(&p);
}

/* ---- Robust losses: a location with one outlier, {0, 0, 0, 0, 10} ---- */

static struct problem location(const char *robust) {
    static const double y[5] = {0, 0, 0, 0, 10};
    struct problem p = problem_of("input y: f64[5]; param a: f64 = 1; sum((y - a)^2)");
    problem_bind(&p, "y", y, 5);
    assert_int_equal(cr_fit_set(p.f, "robust", robust), CR_OK);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    return p;
}

TEST(robust_losses_hold_an_outlier_back) {
    (void)state;
    struct problem p = location("huber"); /* 4 a = 1 */
    assert_near(cr_fit_estimate(p.f, 0), 0.25, 1e-9);
    assert_near(cr_fit_loss(p.f), 4 * 0.0625 + 2 * 9.75 - 1, 1e-12); /* |r| above 1 counts 2|r| - 1 */
    /* Huber 1981: K^2 (sum psi^2 / 4) / (4/5)^2 / 5, psi = 0.25 four times and 1, K = 1.05 */
    assert_near(cr_fit_standard_error(p.f, 0), sqrt(1.05 * 1.05 * (1.25 / 4) / 0.64 / 5), 1e-9);
    problem_free(&p);
    p = location("soft_l1"); /* mpmath: 4 a/sqrt(1 + a^2) = (10 - a)/sqrt(1 + (10 - a)^2) */
    assert_near(cr_fit_estimate(p.f, 0), 0.25676040532719511, 1e-9);
    problem_free(&p);
    p = location("cauchy"); /* mpmath: 4 a/(1 + a^2) = (10 - a)/(1 + (10 - a)^2) */
    assert_near(cr_fit_estimate(p.f, 0), 0.024828155137967674, 1e-9);
    problem_free(&p);
}

TEST(a_robust_scale_moves_the_border) {
    (void)state;
    static const double y[5] = {0, 0, 0, 0, 10};
    struct problem p = problem_of("input y: f64[5]; param a: f64 = 1; sum((y - a)^2)");
    problem_bind(&p, "y", y, 5);
    cr_fit_set(p.f, "robust", "huber");
    cr_fit_set(p.f, "robust_scale", "2"); /* 4 a = 2 */
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(cr_fit_estimate(p.f, 0), 0.5, 1e-9);
    cr_fit_set(p.f, "robust_scale", "100"); /* squares alone: the mean */
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(cr_fit_estimate(p.f, 0), 2, 1e-12);
    problem_free(&p);
}

/* ---- What the data do not say ---- */

TEST(parameters_that_only_their_sum_determines_are_named) {
    (void)state;
    static const double x[4] = {1, 2, 3, 4}, y[4] = {1, 3, 2, 5};
    struct problem p =
        problem_of("input x: f64[4]; input y: f64[4]; param a: f64 = 1; param b: f64 = 1; param c: f64 = 0; "
                   "sum((y - (a + b)*x - c)^2)");
    problem_bind(&p, "x", x, 4);
    problem_bind(&p, "y", y, 4);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(cr_fit_estimate(p.f, 0) + cr_fit_estimate(p.f, 1), 1.1,
                1e-12); /* slope and intercept by hand */
    assert_near(cr_fit_estimate(p.f, 2), 0, 1e-12);
    assert_near(cr_fit_statistic(p.f, "r2"), 1 - 2.7 / 8.75, 1e-12); /* y of y - (a + b)*x - c found */
    assert_string_equal(cr_fit_state(p.f, 0), "not determined");
    assert_string_equal(cr_fit_state(p.f, 2), "free");
    assert_true(isnan(cr_fit_standard_error(p.f, 0)));
    assert_non_null(strstr(cr_fit_warning(p.f), "not determined by the data: a, b"));
    problem_free(&p);
}

TEST(no_more_observations_than_parameters_is_told) {
    (void)state;
    static const double x[2] = {1, 2}, y[2] = {1, 3};
    struct problem p = problem_of(
        "input x: f64[2]; input y: f64[2]; param a: f64 = 1; param b: f64 = 1; sum((y - a - b*x)^2)");
    problem_bind(&p, "x", x, 2);
    problem_bind(&p, "y", y, 2);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(cr_fit_estimate(p.f, 1), 2, 1e-13);
    assert_true(isnan(cr_fit_standard_error(p.f, 1)));
    assert_non_null(strstr(cr_fit_warning(p.f), "no more observations"));
    problem_free(&p);
}

/* ---- What follows from the parameters ---- */

/* The band of a line: s sqrt(1/n + (x - mean)^2 / Sxx). */
TEST(a_prediction_has_the_error_of_the_textbook) {
    (void)state;
    struct problem p = cars();
    double mean = 0, sxx = 0, s = cr_fit_statistic(p.f, "residual_deviation"), value[50], error[50];
    for (int i = 0; i < 50; i++) mean += speed[i] / 50;
    for (int i = 0; i < 50; i++) sxx += (speed[i] - mean) * (speed[i] - mean);
    cr_eval *e;
    assert_int_equal(cr_eval_new(&e, p.g, NULL), CR_OK);
    assert_int_equal(cr_eval_set(e, cr_find(p.g, "x"), CR_F64, speed, sizeof speed), CR_OK);
    assert_int_equal(cr_fit_predict(p.f, e, cr_find(p.g, "y_hat"), value, error), CR_OK);
    for (int i = 0; i < 50; i++) {
        assert_near(value[i], cr_fit_estimate(p.f, 0) + cr_fit_estimate(p.f, 1) * speed[i], 1e-12);
        assert_near(error[i], s * sqrt(1.0 / 50 + (speed[i] - mean) * (speed[i] - mean) / sxx), 1e-10);
    }
    cr_eval_free(e);
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(sums_of_squares_are_recognised),
        RUN(what_is_no_sum_of_squares_is_not_taken_for_one),
        RUN(a_line_through_cars_is_rs),
        RUN(on_a_linear_problem_the_profile_is_the_interval),
        RUN(the_profile_of_puromycin_is_rs),
        RUN(a_parameter_the_data_cannot_bound_has_an_infinite_profile),
        RUN(sigma_weighs_the_mean),
        RUN(weights_in_the_formula_weigh_the_same),
        RUN(a_likelihood_with_known_errors_is_that_of_normal_errors),
        RUN(a_sigma_that_makes_no_sense_is_refused),
        RUN(robust_losses_hold_an_outlier_back),
        RUN(a_robust_scale_moves_the_border),
        RUN(parameters_that_only_their_sum_determines_are_named),
        RUN(no_more_observations_than_parameters_is_told),
        RUN(a_prediction_has_the_error_of_the_textbook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
