/* Functions that the C library does not have. The page that explains gradients has them too, in JavaScript:
 * tools/page_script.c translates this file, and knows no more C than stands here. */
#include "device/special.h"

#include <math.h>

/* A start good to some digits (Winitzki 2008), then Halley's method on erfc, which keeps all digits in the
 * tail. */
double special_erfinv(double x) {
    double z = fabs(x);
    if (!(z < 1)) return z == 1 ? copysign(INFINITY, x) : NAN;
    const double a = 0.147, pi = 3.14159265358979323846;
    double l = log1p(-z * z), b = 2 / (pi * a) + l / 2;
    double y = sqrt(sqrt(b * b - l / a) - b);
    for (int i = 0; i < 3; i++) {
        double error = z < 0.5 ? erf(y) - z : (1 - z) - erfc(y);
        double step = error / (2 / sqrt(pi) * exp(-y * y));
        y -= step / (1 + y * step);
    }
    return copysign(y, x);
}

/* psi(x): up to x >= 10 by psi(x) = psi(x+1) - 1/x, then the asymptotic series (Abramowitz and
 * Stegun 6.3.18). */
static double digamma(double x) {
    const double pi = 3.14159265358979323846;
    if (x <= 0 && x == floor(x)) return NAN;
    if (x < 0) return digamma(1 - x) - pi / tan(pi * (x - floor(x)));
    double sum = 0;
    for (; x < 10; x++) sum -= 1 / x;
    double r = 1 / (x * x);
    double series =
        r * (1. / 12 -
             r * (1. / 120 - r * (1. / 252 - r * (1. / 240 - r * (1. / 132 - r * (691. / 32760 - r / 12))))));
    return sum + log(x) - 0.5 / x - series;
}

/* sum over k of (x+k)^-s by Euler and Maclaurin, started at x >= 10 + s. */
static double hurwitz(double s, double x) {
    static const double bernoulli[] = {1. / 6,  -1. / 30,     1. / 42, -1. / 30,
                                       5. / 66, -691. / 2730, 7. / 6,  -3617. / 510};
    double sum = 0;
    for (; x < 10 + s; x++) sum += pow(x, -s);
    sum += pow(x, 1 - s) / (s - 1) + pow(x, -s) / 2;
    double term = s * pow(x, -s - 1) / 2; /* s (s+1) .. / (2j)! x^(-s-2j+1) */
    for (int j = 0; j < 8; j++) {
        sum += bernoulli[j] * term;
        term *= (s + 2 * j + 1) * (s + 2 * j + 2) / ((2 * j + 3) * (2 * j + 4)) / (x * x);
    }
    return sum;
}

static double factorial(int64_t n) {
    double y = 1;
    for (int64_t i = 2; i <= n && !isinf(y); i++) y *= (double)i;
    return y;
}

double special_polygamma(double x, int64_t n) {
    if (n == 0) return digamma(x);
    if (isnan(x) || x < -1e6 || (x <= 0 && x == floor(x)))
        return x <= 0 && x == floor(x) && n % 2 ? INFINITY : NAN;
    double s = (double)n + 1;
    return (n % 2 ? 1 : -1) * factorial(n) * hurwitz(s, x);
}

static double stumpff_series(double x, int64_t n) {
    double term = 1, sum;
    for (int64_t i = 2; i <= n; i++) term /= (double)i;
    sum = term;
    for (int64_t j = 0; j < 1000 && fabs(term) > 1e-18 * fabs(sum); j++) {
        term *= -x / ((double)(2 * j + n + 1) * (double)(2 * j + n + 2));
        sum += term;
    }
    return sum;
}

/* The series where it does not cancel; else c_(k+2) = (1/k! - c_k) / x upwards from c_0 or c_1. */
double special_stumpff(double x, int64_t n) {
    if (isnan(x)) return x;
    if (isinf(x) && n > 0) return x > 0 ? 0 : INFINITY; /* the limits; cos itself has none */
    if (x < 9 + (double)((n + 1) * (n + 2)) && x > -2500) return stumpff_series(x, n);
    double root = sqrt(fabs(x)), c = n % 2   ? (x > 0 ? sin(root) : sinh(root)) / root
                                     : x > 0 ? cos(root)
                                             : cosh(root);
    double inverse = 1; /* 1/k! */
    for (int64_t k = n % 2; k < n; k += 2) {
        c = (inverse - c) / x;
        inverse /= (double)((k + 1) * (k + 2));
    }
    return c;
}

/* By repeated squaring: as exact as its few products, and exactly x*x for n = 2. */
double special_powi(double x, int64_t n) {
    double y = 1;
    uint64_t m = n < 0 ? (uint64_t)-n : (uint64_t)n;
    if (m > 64) return pow(x, (double)n);
    for (; m; m >>= 1, x *= x)
        if (m & 1) y *= x;
    return n < 0 ? 1 / y : y;
}
