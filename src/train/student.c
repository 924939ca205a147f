/* Student's t distribution by the incomplete beta function. */
#include "train/student.h"

#include <float.h>
#include <math.h>

#include "device/special.h"

static const double pi = 3.14159265358979323846;

/* The continued fraction of I_x(a, b), for x < (a + 1)/(a + b + 2) (DLMF 8.17.22; Lentz's evaluation). */
static double beta_fraction(double a, double b, double x) {
    enum { most_terms = 100000 };
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), value = d;
    for (int m = 1; m < most_terms; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 / (1 + even * d), c = 1 + even / c, value *= c * d;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + odd * d), c = 1 + odd / c, value *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON) break;
    }
    return value;
}

/* log(Gamma(a + 1/2) / Gamma(a)); for large a by its asymptotic series (Tricomi and Erdelyi 1951), where the two logarithms would cancel. */
static double half_ratio(double a) {
    if (a < 20) return special_lgamma(a + 0.5) - special_lgamma(a);
    double u = 1 / a, v = u * u;
    return log(a) / 2 -
           u * (1.0 / 8 - v * (1.0 / 192 - v * (1.0 / 640 - v * (17.0 / 14336 - v * 31.0 / 18432))));
}

/* I_x(a, 1/2), x and y = 1 - x given both, so that neither loses digits. */
static double beta_ratio(double a, double x, double y) {
    if (x <= 0) return 0;
    if (y <= 0) return 1;
    double log_x = y < 0.5 ? log1p(-y) : log(x);
    double front = exp(a * log_x + log(y) / 2 + half_ratio(a) - log(pi) / 2);
    if (x < (a + 1) / (a + 2.5)) return front * beta_fraction(a, 0.5, x) / a;
    return 1 - front * beta_fraction(0.5, a, y) / 0.5;
}

double student_tails(double t, double freedom) {
    t = fabs(t);
    if (isinf(freedom)) return erfc(t * sqrt(0.5));
    if (isinf(t)) return 0;
    double whole = freedom + t * t;
    return beta_ratio(freedom / 2, freedom / whole, t * t / whole);
}

/* -d tails / dt. */
static double density(double t, double freedom) {
    if (isinf(freedom)) return 2 * exp(-t * t / 2) / sqrt(2 * pi);
    return 2 * exp(half_ratio(freedom / 2) - (freedom + 1) / 2 * log1p(t * t / freedom)) / sqrt(freedom * pi);
}

/* Newton's steps in log t, kept between ends that close in. */
double student_quantile(double confidence, double freedom) {
    double want = 1 - confidence, low = 0, high = INFINITY, t = 1;
    if (!(want > 0 && want < 1) || !(freedom > 0)) return NAN;
    for (int i = 0; i < 400; i++) {
        double tails = student_tails(t, freedom), before = t;
        if (tails > want) low = t;
        else high = t;
        t *= exp((tails - want) / (density(t, freedom) * t));
        if (!(t > low && t < high)) t = isinf(high) ? 2 * low : (low + high) / 2;
        if (fabs(t - before) <= DBL_EPSILON * t) break;
    }
    return t;
}
