/* The mathematics of chainrule_math.h: how far from the true value, and what it does at the ends of the range. The true value is the C
 * library's, in long double where that has 64 bits. What math.inc has is measured in tests/ops/math.c. */
#include "support/test.h"

#include <float.h>
#include <math.h>

typedef double one_fn(double x);
typedef long double widest_fn(long double x);
static widest_fn *const true_sin = sinl, *const true_cos = cosl, *const true_tan = tanl,
                        *const true_asin = asinl, *const true_acos = acosl, *const true_atan = atanl,
                        *const true_asinh = asinhl, *const true_acosh = acoshl, *const true_atanh = atanhl,
                        *const true_log10 = log10l, *const true_lgamma = lgammal, *const true_sqrt = sqrtl,
                        *const true_floor = floorl, *const true_ceil = ceill, *const true_rint = rintl,
                        *const true_trunc = truncl;
static long double (*const true_atan2)(long double, long double) = atan2l,
                                                         (*const true_hypot)(long double,
                                                                             long double) = hypotl,
                                                         (*const true_fmod)(long double, long double) = fmodl;

#include "device/cpu/math_alone.h"

static const struct function {
    const char *name;
    one_fn *own;
    widest_fn *const *expected;
    double ulps, low;
} functions[] = {
    {"sin", sin_f64, &true_sin, 2, -INFINITY},
    {"cos", cos_f64, &true_cos, 2, -INFINITY},
    {"tan", tan_f64, &true_tan, 4, -INFINITY},
    {"asin", asin_f64, &true_asin, 3, -INFINITY},
    {"acos", acos_f64, &true_acos, 3, -INFINITY},
    {"atan", atan_f64, &true_atan, 1, -INFINITY},
    {"asinh", asinh_f64, &true_asinh, 3, -INFINITY},
    {"acosh", acosh_f64, &true_acosh, 3, -INFINITY},
    {"atanh", atanh_f64, &true_atanh, 3, -INFINITY},
    {"log10", log10_f64, &true_log10, 1, -INFINITY},
    {"lgamma", lgamma_f64, &true_lgamma, 4, 0},
    {"sqrt", sqrt_f64, &true_sqrt, 0.5, -INFINITY},
    {"sqrt by digits", sqrt_by_digits_f64, &true_sqrt, 0.5, -INFINITY},
    {"floor", floor_f64, &true_floor, 0, -INFINITY},
    {"ceil", ceil_f64, &true_ceil, 0, -INFINITY},
    {"rint", rint_f64, &true_rint, 0, -INFINITY},
    {"trunc", trunc_f64, &true_trunc, 0, -INFINITY},
};
enum { function_count = sizeof functions / sizeof *functions, draws = 40000 };

static const double ends[] = {0.0,      -0.0,      1,      -1,       2,   -2,   0.5,
                              -0.5,     1.5,       -2.5,   10,       100, 1e3,  1e15,
                              5e-324,   -5e-324,   0x1p52, 0x1p1023, 3.5, -0.1, 0x1.fffffffffffffp51,
                              INFINITY, -INFINITY, NAN};
enum { end_count = sizeof ends / sizeof *ends };

/* In units of the last place; of zeros the sign counts. */
static double ulps(double found, long double expected, int bits, int least) {
    int e;
    if (isnan(found) && isnan(expected)) return 0;
    if (found == expected) return !(bits_f64(found) >> 63) == !signbit(expected) ? 0 : INFINITY;
    if (isnan(found) || isnan(expected)) return INFINITY;
    if (isinf(found)) return expected > DBL_MAX ? 0 : INFINITY;
    frexpl(expected, &e);
    return (double)(fabsl(found - expected) / ldexpl(1, (e < least ? least : e) - bits));
}

static double ulps_f64(double found, long double expected) {
    return ulps(found, expected, DBL_MANT_DIG, DBL_MIN_EXP);
}

static uint64_t random_bits(uint64_t *s) { /* splitmix64 (Vigna 2015) */
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Half of all bit patterns, half where the functions are neither flat nor overflow. */
static double draw(uint64_t *s) {
    static const double scale[] = {1e-3, 0.5, 6, 30, 800};
    uint64_t u = random_bits(s);
    return u & 1 ? ((double)(u >> 11) * 0x1p-52 - 1) * scale[(u >> 1) % 5] : from_bits_f64(random_bits(s));
}

TEST(functions_of_one_number_are_within_their_ulps) {
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    for (int i = 0; i < function_count; i++) {
        const struct function *f = &functions[i];
        uint64_t seed = 3;
        double worst = 0, at = 0;
        for (int k = 0; k < draws + end_count; k++) {
            double x = k < draws ? draw(&seed) : ends[k - draws];
            if (x < f->low) continue;
            double e = ulps_f64(f->own(x), (*f->expected)(x));
            if (e > worst) worst = e, at = x;
        }
        print_message("%s: %.3f ulp at %a\n", f->name, worst, at);
        if (!(worst <= f->ulps)) fail_msg("%s: %g ulp at %a", f->name, worst, at);
    }
}

static void compare_two(double x, double y) {
    if (!(ulps_f64(atan2_f64(x, y), true_atan2(x, y)) <= 2)) fail_msg("atan2(%a, %a)", x, y);
    if (!(ulps_f64(hypot_f64(x, y), true_hypot(x, y)) <= 2)) fail_msg("hypot(%a, %a)", x, y);
    if (!(ulps_f64(fmod_f64(x, y), true_fmod(x, y)) <= 0)) fail_msg("fmod(%a, %a)", x, y);
}

TEST(functions_of_two_numbers_are_within_theirs) {
    (void)state;
    uint64_t seed = 4;
    if (LDBL_MANT_DIG < 64) skip();
    for (int k = 0; k < draws; k++) {
        double x = draw(&seed);
        compare_two(x, draw(&seed));
    }
    for (int i = 0; i < end_count * end_count; i++) compare_two(ends[i / end_count], ends[i % end_count]);
}

static void compare_f32(float x, float y) {
    double root = (double)true_sqrt(x), rest = (double)true_fmod(x, y);
    if (!(ulps(sqrt_by_digits_f32(x), root, 24, -125) <= 0.5)) fail_msg("sqrt(%a)", (double)x);
    if (!(ulps(sqrt_f32(x), root, 24, -125) <= 0.5)) fail_msg("sqrt(%a) by its instruction", (double)x);
    if (!(ulps(fmod_f32(x, y), rest, 24, -125) <= 0)) fail_msg("fmod(%a, %a)", (double)x, (double)y);
    if (!(ulps(sin_f32(x), true_sin(x), 24, -125) <= 2)) fail_msg("sin(%a)", (double)x);
    if (!(ulps(cos_f32(x), true_cos(x), 24, -125) <= 2)) fail_msg("cos(%a)", (double)x);
    if (!(ulps(floor_f32(x), true_floor(x), 24, -125) <= 0)) fail_msg("floor(%a)", (double)x);
    if (!(ulps(rint_f32(x), true_rint(x), 24, -125) <= 0)) fail_msg("rint(%a)", (double)x);
}

TEST(those_of_f32_too) {
    (void)state;
    uint64_t seed = 5;
    if (LDBL_MANT_DIG < 64) skip();
    for (int k = 0; k < draws; k++) {
        uint64_t u = random_bits(&seed);
        compare_f32(from_bits_f32((uint32_t)u), from_bits_f32((uint32_t)(u >> 32)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {RUN(functions_of_one_number_are_within_their_ulps),
                                       RUN(functions_of_two_numbers_are_within_theirs),
                                       RUN(those_of_f32_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
