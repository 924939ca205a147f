/* Fitting. */
#include "support/fits.h"

static double digits(double found, double certified) {
    return found == certified ? 16 : -log10(fabs(found - certified) / fabs(certified));
}

/* NIST StRD, Norris: certified values. */
TEST(norris_is_fitted_to_nine_digits) {
    (void)state;
    cr_table *t;
    cr_text *why;
    cr_text_new(&why, NULL);
    if (cr_csv_load(&t, TEST_DATA "/../../examples/norris.csv", NULL, why)) fail_msg("%s", cr_text_str(why));
    assert_int_equal(cr_table_rows(t), 36);
    struct problem p = problem_of(
        "input x: f64[36]; input y: f64[36]; param b0: f64 = 0; param b1: f64 = 0; mean((b0 + b1*x - y)^2)");
    problem_bind(&p, "x", cr_table_column(t, cr_table_find(t, "x")), 36);
    problem_bind(&p, "y", cr_table_column(t, cr_table_find(t, "y")), 36);
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_true(digits(problem_value(&p, "b1"), 1.00211681802045) > 9);
    assert_true(digits(problem_value(&p, "b0"), -0.262323073774029) > 9);
    problem_free(&p);
    cr_table_free(t);
    cr_text_free(why);
}

TEST(rosenbrocks_valley_is_followed_to_its_end) {
    (void)state;
    struct problem p = problem_of("param a: f64 = -1.2; param b: f64 = 1; (1 - a)^2 + 100*(b - a^2)^2");
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(problem_value(&p, "a"), 1, 1e-9);
    assert_near(problem_value(&p, "b"), 1, 1e-9);
    assert_true(cr_fit_iterations(p.f) < 100);
    problem_free(&p);
}

TEST(a_badly_scaled_quadratic_is_minimised) {
    (void)state;
    struct problem p = problem_of("param a: f64 = 3; param b: f64 = -2; 1e4*(a - 1)^2 + 1e-4*(b - 5)^2");
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(problem_value(&p, "a"), 1, 1e-9);
    assert_near(problem_value(&p, "b"), 5, 1e-4);
    problem_free(&p);
}

TEST(a_wall_of_nan_is_stayed_away_from) {
    (void)state;
    struct problem p =
        problem_of("param a: f64 = 1; a - log(a - 0.5) * 1e-3"); /* not defined from 0.5 down */
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    assert_near(problem_value(&p, "a"), 0.501, 1e-6);
    problem_free(&p);
}

TEST(gradient_descent_takes_the_steps_it_is_told) {
    (void)state;
    struct problem p = problem_of("param w: f64 = 1; (w - 2)^2");
    cr_fit_set(p.f, "method", "gd");
    cr_fit_set(p.f, "rate", "0.1");
    cr_fit_set(p.f, "iterations", "1");
    assert_int_equal(cr_fit_run(p.f), CR_EFAIL); /* one step is not the end */
    assert_true(problem_value(&p, "w") == 1.2);
    problem_free(&p);
}

static bool stop_at_three(void *user, int64_t iteration, double loss, double norm) {
    (void)loss, (void)norm;
    *(int64_t *)user = iteration;
    return iteration < 3;
}

TEST(a_callback_stops_and_keeps_the_best) {
    (void)state;
    int64_t last = 0;
    struct problem p = problem_of("param a: f64 = -1.2; param b: f64 = 1; (1 - a)^2 + 100*(b - a^2)^2");
    cr_fit_progress(p.f, stop_at_three, &last);
    assert_int_equal(cr_fit_run(p.f), CR_ESTOPPED);
    assert_int_equal(last, 3);
    assert_true(cr_fit_loss(p.f) < 24.2);
    problem_free(&p);
}

TEST(a_start_that_is_not_finite_is_told_and_kept) {
    (void)state;
    struct problem p = problem_of("param a: f64 = -1; log(a)");
    assert_int_equal(cr_fit_run(p.f), CR_ENAN);
    assert_true(problem_value(&p, "a") == -1);
    assert_non_null(strstr(cr_fit_error(p.f), "starting values"));
    problem_free(&p);
}

TEST(wrong_options_are_refused) {
    (void)state;
    struct problem p = problem_of("param a: f64 = 1; a^2");
    assert_int_equal(cr_fit_set(p.f, "method", "magic"), CR_EINVAL);
    assert_int_equal(cr_fit_set(p.f, "rate", "fast"), CR_EINVAL);
    assert_int_equal(cr_fit_set(p.f, "colour", "1"), CR_EINVAL);
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(norris_is_fitted_to_nine_digits),
        RUN(rosenbrocks_valley_is_followed_to_its_end),
        RUN(a_badly_scaled_quadratic_is_minimised),
        RUN(a_wall_of_nan_is_stayed_away_from),
        RUN(gradient_descent_takes_the_steps_it_is_told),
        RUN(a_callback_stops_and_keeps_the_best),
        RUN(a_start_that_is_not_finite_is_told_and_kept),
        RUN(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
