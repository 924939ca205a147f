/* Dense QR, one-sided Jacobi, and Student's distribution. */
#include "support/test.h"
#include "train/qr.h"
#include "train/student.h"

TEST(tails_of_students_t_are_mpmaths) {
    (void)state;
    static const double row[][3] = {
        /* mpmath, 40 digits: betainc(v/2, 1/2, 0, v/(v + t^2), regularized=True) */
        {0.5, 1, 0.70483276469913345},      {2, 1, 0.29516723530086655},      {2.5, 3, 0.087706647008065547},
        {12, 5, 7.0894925171615227e-5},     {0.001, 7, 0.99923001724499884},  {3, 34, 0.0050253394479822876},
        {1.96, 1000, 0.050273184955748718}, {60, 12, 3.0376121339140454e-16},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_near(student_tails(row[i][0], row[i][1]) / row[i][2], 1, 1e-12);
    assert_near(student_tails(1.9599639845400539, INFINITY), 0.05, 1e-15);
    assert_true(student_tails(INFINITY, 3) == 0);
}

TEST(quantiles_of_students_t_are_mpmaths) {
    (void)state;
    static const double row[][3] = {
        {0.95, 1, 12.706204736174693},       {0.95, 2, 4.3026527297494618},
        {0.95, 10, 2.2281388519862742},      {0.99, 34, 2.7283943670707199},
        {0.5, 5, 0.72668684380042265},       {0.999999, 8, 13.257135102178597},
        {0.683, 100000, 1.0006468352088782}, {0.95, INFINITY, 1.9599639845400539},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_near(student_quantile(row[i][0], row[i][1]) / row[i][2], 1, 1e-11);
    assert_true(isnan(student_quantile(1.5, 3)));
    assert_true(isnan(student_quantile(0.9, 0)));
}

/* 1/(i + j + 1), 6 by 4: Q R is it again, R^-1 Q^T b solves it. */
static void hilbert(double a[24]) {
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 6; i++) a[j * 6 + i] = 1.0 / (i + j + 1);
}

TEST(a_factorisation_multiplies_back_to_the_matrix) {
    (void)state;
    double a[24], f[24], tau[4];
    int perm[4];
    hilbert(a), hilbert(f);
    qr_factor(6, 4, f, tau, perm);
    for (int k = 0; k < 4; k++) {
        double column[6] = {0};
        for (int i = 0; i <= k; i++) column[i] = f[k * 6 + i];
        qr_apply(6, 4, f, tau, column);
        for (int i = 0; i < 6; i++) assert_near(column[i], a[perm[k] * 6 + i], 1e-15);
        assert_true(k == 0 || fabs(f[k * 6 + k]) <= fabs(f[(k - 1) * 6 + k - 1]));
    }
}

TEST(a_system_is_solved_both_ways) {
    (void)state;
    double a[24], f[24], tau[4], b[6] = {0}, c[4] = {0};
    hilbert(a), hilbert(f);
    qr_factor(6, 4, f, tau, NULL);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 6; i++) b[i] += (k + 1) * a[k * 6 + i]; /* b = A (1, 2, 3, 4) */
    for (int k = 0; k < 4; k++) c[k] = qr_dot(6, a + k * 6, b);     /* A^T b = R^T R x */
    qr_apply_transpose(6, 4, f, tau, b);
    qr_solve(6, 4, f, b);
    qr_solve_transpose(6, 4, f, c);
    qr_solve(6, 4, f, c);
    for (int k = 0; k < 4; k++) {
        assert_near(b[k], k + 1, 1e-11);
        assert_near(c[k], k + 1, 1e-8);
    }
}

TEST(singular_values_are_those_of_the_golden_ratio) {
    (void)state;
    double a[4] = {1, 0, 1, 1}, s[2], v[4], golden = (1 + sqrt(5)) / 2; /* columns (1, 0), (1, 1) */
    qr_svd(2, a, s, v);
    assert_near(fmax(s[0], s[1]), golden, 1e-15);
    assert_near(fmin(s[0], s[1]), 1 / golden, 1e-15);
    assert_near(v[0] * v[2] + v[1] * v[3], 0, 1e-16);
}

TEST(small_singular_values_keep_their_digits) {
    (void)state;
    double a[4] = {1e-20, 1e-20, 1, -1}, s[2], v[4]; /* orthogonal columns of very different length */
    qr_svd(2, a, s, v);
    assert_near(fmin(s[0], s[1]) / (sqrt(2) * 1e-20), 1, 1e-15);
}

TEST(an_exact_product_sees_what_a_plain_one_loses) {
    (void)state;
    double a[3] = {1e16, 1, -1e16}, b[3] = {1, 0x1p-30, 1}, c[2] = {1 + 0x1p-30, -1},
           d[2] = {1 + 0x1p-30, 1 + 0x1p-29};
    assert_true(qr_dot_exact(3, a, b) == 0x1p-30);
    assert_true(qr_dot(2, c, d) == 0);
    assert_true(qr_dot_exact(2, c, d) == 0x1p-60);
}

TEST(a_norm_neither_overflows_nor_vanishes) {
    (void)state;
    assert_near(qr_norm(2, (double[]){3e200, 4e200}) / 5e200, 1, 1e-15);
    assert_near(qr_norm(2, (double[]){3e-200, 4e-200}) / 5e-200, 1, 1e-15);
    assert_true(qr_norm(2, (double[]){0, 0}) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(tails_of_students_t_are_mpmaths),
        RUN(quantiles_of_students_t_are_mpmaths),
        RUN(a_factorisation_multiplies_back_to_the_matrix),
        RUN(a_system_is_solved_both_ways),
        RUN(singular_values_are_those_of_the_golden_ratio),
        RUN(small_singular_values_keep_their_digits),
        RUN(an_exact_product_sees_what_a_plain_one_loses),
        RUN(a_norm_neither_overflows_nor_vanishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
