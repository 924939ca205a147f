/* The vector functions: how far from the true value, what they do at the ends of the range, and the same bits wherever a number
 * stands and whichever instruction set computes it. The true value of f32 is the C library's in f64, of f64 in long double
 * where that has 64 bits. */
#include "support/test.h"
#include "support/ways.h"

#include <float.h>

#include "device/cpu/element.h"
#include "ops/build.h"

typedef double wide_fn(double x);
typedef long double widest_fn(long double x);

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static long double sigmoid_l(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static long double softplus_l(long double x) { return fmaxl(x, 0) + log1pl(expl(-fabsl(x))); }

static const struct function {
    int op;
    wide_fn *wide;
    widest_fn *widest;
} functions[] = {
    {OP_exp, exp, expl},       {OP_expm1, expm1, expm1l},        {OP_log, log, logl},
    {OP_log1p, log1p, log1pl}, {OP_exp2, exp2, exp2l},           {OP_log2, log2, log2l},
    {OP_tanh, tanh, tanhl},    {OP_sinh, sinh, sinhl},           {OP_cosh, cosh, coshl},
    {OP_erf, erf, erfl},       {OP_erfc, erfc, erfcl},           {OP_sin, sin, sinl},
    {OP_cos, cos, cosl},       {OP_sigmoid, sigmoid, sigmoid_l}, {OP_softplus, softplus, softplus_l},
};
enum { function_count = sizeof functions / sizeof *functions, batch = 4096 };

/* The distance in units of the last place of a number of this size, of the format with so many bits and this least
 * exponent. */
static double ulps(long double found, long double expected, int bits, int least) {
    if (isnan(found) && isnan(expected)) return 0;
    if (found == expected) return 0;
    if (isnan(found) || isnan(expected) || isinf(found)) return INFINITY;
    int e;
    frexpl(expected, &e);
    if (e < least) e = least;
    return (double)(fabsl(found - expected) / ldexpl(1, e - bits));
}

static uint64_t random_bits(uint64_t *s) { /* splitmix64 (Vigna 2015) */
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Half of all bit patterns, half where the function is neither flat nor overflows. */
static double random_number(uint64_t *s, bool is_f64) {
    uint64_t u = random_bits(s);
    if (u & 1) {
        double scale[] = {1e-3, 0.5, 6, 30, 800};
        return ((double)(u >> 11) * 0x1p-52 - 1) * scale[(u >> 1) % 5];
    }
    uint32_t low = (uint32_t)(u >> 32);
    double d;
    float f;
    memcpy(&d, &u, sizeof d);
    memcpy(&f, &low, sizeof f);
    return is_f64 ? d : (double)f;
}

/* The farthest from the true value; at: where. */
static double worst_f32(const struct function *f, element_fn *kernel, double *at) {
    uint64_t seed = 1;
    float x[batch], y[batch];
    double worst = 0;
    for (int round = 0; round < 80; round++) {
        for (int k = 0; k < batch; k++) x[k] = (float)random_number(&seed, false);
        kernel(batch, y, x, x, x, 0);
        for (int k = 0; k < batch; k++) {
            double expected = f->wide(x[k]);
            if (fabs(expected) > FLT_MAX * (1 + 0x1p-25)) expected = copysign(INFINITY, expected);
            double e = ulps(y[k], expected, FLT_MANT_DIG, FLT_MIN_EXP);
            if (e > worst) worst = e, *at = x[k];
        }
    }
    return worst;
}

static double worst_f64(const struct function *f, element_fn *kernel, double *at) {
    uint64_t seed = 2;
    double x[batch], y[batch], worst = 0;
    for (int round = 0; round < 30; round++) {
        for (int k = 0; k < batch; k++) x[k] = random_number(&seed, true);
        kernel(batch, y, x, x, x, 0);
        for (int k = 0; k < batch; k++) {
            long double expected = f->widest(x[k]);
            if (fabsl(expected) > DBL_MAX * (1 + 0x1p-54L)) expected = copysignl(INFINITY, expected);
            double e = ulps(y[k], expected, DBL_MANT_DIG, DBL_MIN_EXP);
            if (e > worst) worst = e, *at = x[k];
        }
    }
    return worst;
}

/* With fma, where this processor has it, and without. */
static void within_its_ulps(cr_dtype dtype) {
    for (int i = 0; i < function_count; i++) {
        const struct function *f = &functions[i];
        element_fn *kernel[] = {kernels_base.element(f->op, dtype), cpu_element(f->op, dtype, dtype)};
        for (int k = 0; k < 2; k++) {
            double at = 0, worst = (dtype == CR_F32 ? worst_f32 : worst_f64)(f, kernel[k], &at);
            print_message("%s %s%s: %.3f ulp at %a\n", op_name(f->op), cr_dtype_name(dtype),
                          k ? "" : ", base", worst, at);
            if (!(worst <= ops_ulps(f->op, 0))) fail_msg("%s: %g ulp at %a", op_name(f->op), worst, at);
        }
    }
}

TEST(f32_is_within_its_ulps) {
    (void)state;
    within_its_ulps(CR_F32);
}

TEST(f64_is_within_its_ulps) {
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    within_its_ulps(CR_F64);
}

/* Where r is nearly log 2, half of a unit is lost in r alone: few numbers drawn at random come near. */
TEST(exp_is_within_its_ulps_where_its_series_ends) {
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    static double x[batch], y[batch];
    element_fn *kernel[] = {kernels_base.element(OP_exp, CR_F64), cpu_element(OP_exp, CR_F64, CR_F64)};
    uint64_t seed = 3;
    for (int round = 0; round < 60; round++) {
        for (int k = 0; k < batch; k++) {
            double even = 2 * (double)(random_bits(&seed) % 1000) - 1000;
            x[k] = (even + 0.9 + 0.1 * (double)(random_bits(&seed) >> 11) * 0x1p-53) * 0.69314718055994530942;
        }
        x[0] = -0x1.440df70299972p+9; /* 1.519, with fma */
        for (int way = 0; way < 2; way++) {
            kernel[way](batch, y, x, x, x, 0);
            for (int k = 0; k < batch; k++) {
                double apart = ulps(y[k], expl(x[k]), DBL_MANT_DIG, DBL_MIN_EXP);
                if (!(apart <= ops_ulps(OP_exp, 0))) fail_msg("exp(%a) is %g ulp away", x[k], apart);
            }
        }
    }
}

/* From where it is a product of several rounded factors on: few numbers drawn at random over all exponents lie there. */
TEST(erfc_is_within_its_ulps_between_a_half_and_two) {
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    static double x[batch], y[batch];
    static float x32[batch], y32[batch];
    element_fn *kernel[] = {kernels_base.element(OP_erfc, CR_F64), cpu_element(OP_erfc, CR_F64, CR_F64)},
               *kernel32[] = {kernels_base.element(OP_erfc, CR_F32), cpu_element(OP_erfc, CR_F32, CR_F32)};
    uint64_t seed = 4;
    for (int round = 0; round < 60; round++) {
        const double far = round % 2 ? 2 : 0.6;
        for (int k = 0; k < batch; k++)
            x32[k] = (float)(x[k] = 0.5 + (far - 0.5) * (double)(random_bits(&seed) >> 11) * 0x1p-53);
        for (int way = 0; way < 2; way++) {
            kernel[way](batch, y, x, x, x, 0);
            kernel32[way](batch, y32, x32, x32, x32, 0);
            for (int k = 0; k < batch; k++) {
                double apart = ulps(y[k], erfcl(x[k]), DBL_MANT_DIG, DBL_MIN_EXP),
                       apart32 = ulps(y32[k], erfc(x32[k]), FLT_MANT_DIG, FLT_MIN_EXP);
                if (!(apart <= ops_ulps(OP_erfc, 0))) fail_msg("erfc(%a) is %g ulp away", x[k], apart);
                if (!(apart32 <= ops_ulps(OP_erfc, 0)))
                    fail_msg("erfc(%a) of f32 is %g ulp away", (double)x32[k], apart32);
            }
        }
    }
}

/* From 1/4 on, where it is one quotient up to the place from which it is 1. */
TEST(erf_of_f32_never_passes_1) {
    (void)state;
    static float x[batch], y[batch];
    element_fn *kernel[] = {kernels_base.element(OP_erf, CR_F32), cpu_element(OP_erf, CR_F32, CR_F32)};
    const uint32_t stride = 97, end = 0x40900000; /* 4.5 */
    for (uint32_t bits = 0x3e800000; bits + batch * stride < end; bits += batch * stride) {
        for (uint32_t k = 0; k < batch; k++) {
            uint32_t u = (bits + k * stride) | (k % 2) << 31;
            memcpy(&x[k], &u, sizeof u);
        }
        for (int way = 0; way < 2; way++) {
            kernel[way](batch, y, x, x, x, 0);
            for (int k = 0; k < batch; k++) {
                if (!(fabsf(y[k]) <= 1)) fail_msg("erf(%a) = %a", (double)x[k], (double)y[k]);
                double apart = ulps(y[k], erf(x[k]), FLT_MANT_DIG, FLT_MIN_EXP);
                if (!(apart <= ops_ulps(OP_erf, 0))) fail_msg("erf(%a) is %g ulp away", (double)x[k], apart);
            }
        }
    }
}

/* Bases of every size, and exponents that leave the result between 0 and inf, or almost. */
static double worst_pow(cr_dtype dtype, element_fn *kernel, double at[2]) {
    static double x[batch], y[batch], z[batch];
    static float x32[batch], y32[batch], z32[batch];
    uint64_t seed = 4;
    double worst = 0, range = dtype == CR_F64 ? 1080 : 152;
    bool is_f64 = dtype == CR_F64;
    for (int round = 0; round < 20; round++) {
        for (int k = 0; k < batch; k++) {
            double u = (double)(random_bits(&seed) >> 11) * 0x1p-53,
                   v = (double)(random_bits(&seed) >> 11) * 0x1p-53;
            x[k] = k % 4 == 0 ? 0.7 + 0.75 * u : exp2(range * 0.98 * (2 * u - 1));
            y[k] = range * (2 * v - 1) / (k % 8 == 0 ? log2(x[k]) : 1 + fabs(log2(x[k])));
            x32[k] = (float)x[k], y32[k] = (float)y[k];
            if (!is_f64) x[k] = x32[k], y[k] = y32[k];
        }
        if (is_f64) kernel(batch, z, x, y, y, 0);
        else kernel(batch, z32, x32, y32, y32, 0);
        for (int k = 0; k < batch; k++) {
            long double expected = powl(x[k], y[k]),
                        most = is_f64 ? DBL_MAX * (1 + 0x1p-54L) : FLT_MAX * (1 + 0x1p-25L);
            if (expected > most) expected = INFINITY;
            double e = ulps(is_f64 ? z[k] : (double)z32[k], expected, is_f64 ? DBL_MANT_DIG : FLT_MANT_DIG,
                            is_f64 ? DBL_MIN_EXP : FLT_MIN_EXP);
            if (e > worst) worst = e, at[0] = x[k], at[1] = y[k];
        }
    }
    return worst;
}

TEST(powers_are_within_their_ulps) {
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    for (cr_dtype dtype = CR_F32; dtype <= CR_F64; dtype++) {
        element_fn *kernel[] = {kernels_base.element(OP_pow, dtype), cpu_element(OP_pow, dtype, dtype)};
        for (int k = 0; k < 2; k++) {
            double at[2] = {0}, worst = worst_pow(dtype, kernel[k], at);
            print_message("pow %s%s: %.3f ulp at %a, %a\n", cr_dtype_name(dtype), k ? "" : ", base", worst,
                          at[0], at[1]);
            if (!(worst <= ops_ulps(OP_pow, 0))) fail_msg("pow: %g ulp at %a, %a", worst, at[0], at[1]);
        }
    }
}

TEST(powers_that_are_numbers_are_exact) {
    (void)state;
    for (int x = 2; x <= 64; x++) {
        double expected = x;
        for (int n = 1; expected < 0x1p53; n++, expected *= x) {
            const double base = x, exponent = n;
            double y;
            for (int k = 0; k < 2; k++) {
                (k ? kernels_base.element(OP_pow, CR_F64)
                   : cpu_element(OP_pow, CR_F64, CR_F64))(1, &y, &base, &exponent, &base, 0);
                if (y != expected) fail_msg("%d^%d = %.17g", x, n, y);
            }
        }
    }
}

/* C's Annex F (F.10.4.4), of which the C library's pow is an independent copy. */
TEST(powers_of_the_ends_are_those_of_annex_f) {
    (void)state;
    const double ends[] = {0,
                           -0.0,
                           1,
                           -1,
                           0.5,
                           -0.5,
                           2,
                           -2,
                           3,
                           -3,
                           2.5,
                           -2.5,
                           1e9,
                           -1e9,
                           0x1p53,
                           0x1p53 + 2,
                           0x1p52 + 1,
                           0x1p51 + 0.5,
                           5e-324,
                           -5e-324,
                           1e308,
                           -1e308,
                           (double)INFINITY,
                           -(double)INFINITY,
                           (double)NAN};
    enum { n = sizeof ends / sizeof *ends };
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double x = ends[i], y = ends[j], z, expected = pow(x, y);
            float x32 = (float)x, y32 = (float)y, z32, expected32 = powf(x32, y32);
            cpu_element(OP_pow, CR_F64, CR_F64)(1, &z, &x, &y, &y, 0);
            cpu_element(OP_pow, CR_F32, CR_F32)(1, &z32, &x32, &y32, &y32, 0);
            bool same = isnan(z)
                            ? isnan(expected)
                            : signbit(z) == signbit(expected) && fabs(z - expected) <= 4e-16 * fabs(expected);
            bool same32 = isnan(z32) ? isnan(expected32)
                                     : signbit(z32) == signbit(expected32) &&
                                           fabsf(z32 - expected32) <= 2e-7f * fabsf(expected32);
            if (!same && z != expected) fail_msg("pow(%g, %g) = %g, not %g", x, y, z, expected);
            if (!same32 && z32 != expected32)
                fail_msg("f32 pow(%g, %g) = %g, not %g", x, y, (double)z32, (double)expected32);
        }
}

/* Where least is left of an angle: sin of the double nearest to k pi, cos of that nearest to (k + 1/2) pi. One large angle among them
 * sends all to the C library or round it: the bits are the same. */
TEST(angles_next_to_multiples_of_pi_keep_their_digits) {
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    static double x[batch], y[batch], again[batch];
    for (int op = 0; op < 2; op++) {
        element_fn *kernel = cpu_element(op ? OP_cos : OP_sin, CR_F64, CR_F64);
        for (int k = 0; k < batch; k++)
            x[k] = (double)((k * 81.0L + op * 0.5L) * 3.14159265358979323846264338327950288L);
        kernel(batch, y, x, x, x, 0);
        for (int k = 0; k < batch; k++) {
            double e = ulps(y[k], op ? cosl(x[k]) : sinl(x[k]), DBL_MANT_DIG, DBL_MIN_EXP);
            if (!(e <= 2)) fail_msg("%s(%a): %g ulp", op ? "cos" : "sin", x[k], e);
        }
        x[batch / 2] = 1e300;
        kernel(batch, again, x, x, x, 0);
        again[batch / 2] = y[batch / 2];
        assert_memory_equal(y, again, sizeof y);
    }
}

/* At the ends: what C's Annex F says of the functions, and of sigmoid and softplus their limits. */
TEST(the_ends_of_the_range_are_exact) {
    (void)state;
    static const struct {
        int op;
        double x, y;
    } ends[] = {
        {OP_exp, -(double)INFINITY, 0},
        {OP_exp, (double)INFINITY, (double)INFINITY},
        {OP_exp, 0, 1},
        {OP_exp, -800, 0},
        {OP_exp, 800, (double)INFINITY},
        {OP_expm1, -(double)INFINITY, -1},
        {OP_expm1, 0, 0},
        {OP_expm1, -0.0, -0.0},
        {OP_expm1, 800, (double)INFINITY},
        {OP_expm1, -800, -1},
        {OP_log, 0, -(double)INFINITY},
        {OP_log, -0.0, -(double)INFINITY},
        {OP_log, 1, 0},
        {OP_log, -1, (double)NAN},
        {OP_log, -(double)INFINITY, (double)NAN},
        {OP_log, (double)INFINITY, (double)INFINITY},
        {OP_log1p, -1, -(double)INFINITY},
        {OP_log1p, -2, (double)NAN},
        {OP_log1p, -0.0, -0.0},
        {OP_log1p, (double)INFINITY, (double)INFINITY},
        {OP_tanh, (double)INFINITY, 1},
        {OP_tanh, -(double)INFINITY, -1},
        {OP_tanh, -0.0, -0.0},
        {OP_tanh, -1e30, -1},
        {OP_exp2, -2000, 0},
        {OP_exp2, 10, 1024},
        {OP_exp2, 2000, (double)INFINITY},
        {OP_log2, 1024, 10},
        {OP_log2, 0, -(double)INFINITY},
        {OP_log2, -1, (double)NAN},
        {OP_sinh, -(double)INFINITY, -(double)INFINITY},
        {OP_sinh, -0.0, -0.0},
        {OP_cosh, -(double)INFINITY, (double)INFINITY},
        {OP_cosh, 0, 1},
        {OP_erf, -(double)INFINITY, -1},
        {OP_erf, -0.0, -0.0},
        {OP_erf, 100, 1},
        {OP_erfc, -(double)INFINITY, 2},
        {OP_erfc, (double)INFINITY, 0},
        {OP_erfc, -0.0, 1},
        {OP_sin, (double)INFINITY, (double)NAN},
        {OP_sin, -0.0, -0.0},
        {OP_cos, -(double)INFINITY, (double)NAN},
        {OP_cos, -0.0, 1},
        {OP_sigmoid, -(double)INFINITY, 0},
        {OP_sigmoid, (double)INFINITY, 1},
        {OP_sigmoid, 0, 0.5},
        {OP_softplus, -(double)INFINITY, 0},
        {OP_softplus, (double)INFINITY, (double)INFINITY},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        double y;
        float x32 = (float)ends[i].x, y32;
        cpu_element(ends[i].op, CR_F64, CR_F64)(1, &y, &ends[i].x, &ends[i].x, &ends[i].x, 0);
        cpu_element(ends[i].op, CR_F32, CR_F32)(1, &y32, &x32, &x32, &x32, 0);
        bool nan = isnan(ends[i].y) && isnan(y) && isnan(y32);
        bool same = y == ends[i].y && (double)y32 == ends[i].y && !signbit(y) == !signbit(ends[i].y) &&
                    !signbit(y32) == !signbit(ends[i].y);
        if (!nan && !same) fail_msg("%s(%g) = %g, f32 %g", op_name(ends[i].op), ends[i].x, y, (double)y32);
    }
    for (int i = 0; i < function_count; i++) {
        double x = (double)NAN, y;
        float x32 = (float)NAN, y32;
        cpu_element(functions[i].op, CR_F64, CR_F64)(1, &y, &x, &x, &x, 0);
        cpu_element(functions[i].op, CR_F32, CR_F32)(1, &y32, &x32, &x32, &x32, 0);
        assert_true(isnan(y) && isnan(y32));
    }
}

static bool has_avx2(void) {
#ifdef ELEMENT_X86
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/* A vector goes one way where all of it is neither large nor small, another where all of it gives 0, a third else. */
static void same_in_company(element_fn *kernel) {
    static const float others[] = {INFINITY, -INFINITY, NAN, 1000, -1000, -100, 88.8f, -87.4f, 87.1f};
    enum { vector = 16, kinds = sizeof others / sizeof *others };
    static float x[batch], y[batch], z[batch], before[batch];
    uint64_t seed = 6;
    for (int round = 0; round < 60; round++) {
        for (int k = 0; k < batch; k++)
            x[k] = (float)(((double)(random_bits(&seed) >> 11) * 0x1p-52 - 1) *
                           ((double[]){87, 1e-6, 1, 20, 104})[round % 5]);
        kernel(batch, y, x, x, x, 0);
        memcpy(before, x, sizeof x);
        for (int k = 0; k < batch; k += vector) {
            x[k + (k / vector + round) % vector] = others[(k / vector + round) % kinds];
            if (k % 3 == 0)
                for (int i = 0; i < vector; i++)
                    if (i != k % vector) x[k + i] = i % 2 ? -1e9f : -INFINITY;
        }
        kernel(batch, z, x, x, x, 0);
        for (int k = 0; k < batch; k++) {
            float alone;
            kernel(1, &alone, &x[k], x, x, 0);
            bool kept = memcmp(&before[k], &x[k], sizeof alone) == 0,
                 same = memcmp(&alone, &z[k], sizeof alone) == 0;
            if ((!same && !isnan(alone)) || (kept && memcmp(&y[k], &z[k], sizeof alone) != 0))
                fail_msg("exp(%a) is %a, alone %a", (double)x[k], (double)z[k], (double)alone);
            double expected = exp(x[k]);
            if (expected > FLT_MAX * (1 + 0x1p-25)) expected = INFINITY;
            double apart = ulps(z[k], expected, FLT_MANT_DIG, FLT_MIN_EXP);
            if (!(apart <= ops_ulps(OP_exp, 0))) fail_msg("exp(%a) is %g ulp away", (double)x[k], apart);
        }
    }
}

TEST(exp_of_f32_has_the_bits_of_one_in_any_company) {
    (void)state;
    same_in_company(kernels_base.element(OP_exp, CR_F32));
    same_in_company(cpu_element(OP_exp, CR_F32, CR_F32));
#ifdef ELEMENT_X86
    if (has_avx2()) same_in_company(kernels_avx2.element(OP_exp, CR_F32));
#endif
}

/* Any start, any length: the bits of one number on its own. */
static void same_anywhere(int op, cr_dtype dtype, element_fn *fn, element_fn *of_one) {
    enum { n = 97 };
    size_t size = cr_dtype_size(dtype);
    char x[n * 8], alone[n * 8], y[n * 8 + 8];
    uint64_t seed = 3;
    for (int i = 0; i < n; i++) {
        double v = random_number(&seed, dtype == CR_F64);
        float f = (float)v;
        memcpy(x + (size_t)i * size, size == 8 ? (void *)&v : (void *)&f, size);
    }
    for (int i = 0; i < n; i++) of_one(1, alone + (size_t)i * size, x + (size_t)i * size, x, x, 0);
    for (int first = 0; first < 17; first++)
        for (int count = 1; first + count <= n; count += 1 + count / 3) {
            const char *from = x + (size_t)first * size;
            fn(count, y, from, from, from, 0);
            for (int i = 0; i < count * (int)size; i += (int)size) {
                char *a = y + i, *b = alone + (size_t)first * size + i;
                double u = size == 8 ? *(double *)(void *)a : *(float *)(void *)a;
                if (memcmp(a, b, size) != 0 && !isnan(u)) /* which nan is not said */
                    fail_msg("%s: other bits at %d of %d from %d", op_name(op), i / (int)size, count, first);
            }
        }
}

/* With fma and without it bits may differ; no processor has kernels of both kinds. */
TEST(bits_depend_on_neither_place_nor_width) {
    (void)state;
    for (int i = 0; i < function_count; i++)
        for (cr_dtype dtype = CR_F32; dtype <= CR_F64; dtype++) {
            int op = functions[i].op;
            element_fn *base = kernels_base.element(op, dtype), *widest = cpu_element(op, dtype, dtype);
            same_anywhere(op, dtype, base, base);
            same_anywhere(op, dtype, widest, widest);
#ifdef ELEMENT_X86
            /* of 8 parts with AVX2 alone (math_table.inc) */
            bool by_table = op == OP_exp || op == OP_tanh || op == OP_sigmoid || op == OP_erf,
                 own = by_table && dtype == CR_F32 && cpu_kernels() != &kernels_avx2;
            if (has_avx2() && !own) same_anywhere(op, dtype, widest, kernels_avx2.element(op, dtype));
#endif
        }
}

/* An operand whose bit is set has element_block numbers alone, and they stand for all; of `where`, the first is a byte. */
static void same_with_blocks(int op, cr_dtype dtype, element_fn *fn) {
    enum { n = 3 * element_block + 5 };
    size_t size = cr_dtype_size(dtype), first = op == OP_where ? 1 : size;
    uint64_t seed = 5;
    char x[3][n * 8], all[3][n * 8], y[n * 8], expected[n * 8];
    for (int i = 0; i < n * 8; i++)
        for (int k = 0; k < 3; k++) x[k][i] = (char)(random_number(&seed, true) > 0 ? 63 : 0);
    for (int repeats = 1; repeats < 8; repeats++)
        for (int count = 1; count <= n; count += 1 + count / 5) {
            memcpy(all, x, sizeof all);
            for (int k = 0; k < 3; k++) {
                size_t each = k ? size : first;
                if (repeats >> k & 1)
                    for (int i = 0; i < n; i++) memcpy(all[k] + (size_t)i * each, x[k], each);
            }
            fn(count, expected, all[0], all[1], all[2], 0);
            for (int k = 0; k < 3; k++)
                if (repeats >> k & 1)
                    memset(all[k] + element_block * (k ? size : first), 1,
                           sizeof all[k] - element_block * (k ? size : first));
            fn(count, y, all[0], all[1], all[2], repeats);
            size_t result = op == OP_lt || op == OP_eq ? 1 : size;
            if (memcmp(y, expected, (size_t)count * result) != 0)
                fail_msg("%s of %s: other bits of %d numbers with repeats %d", op_name(op),
                         cr_dtype_name(dtype), count, repeats);
        }
}

TEST(an_operand_that_repeats_is_a_block_that_stays) {
    (void)state;
    static const int ops[] = {OP_sub, OP_mul, OP_lt, OP_eq, OP_where};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (cr_dtype dtype = CR_I32; dtype <= CR_F64; dtype++) {
            if (dtype == CR_F16 || dtype == CR_BF16) continue;
            same_with_blocks(ops[i], dtype, kernels_base.element(ops[i], dtype));
            same_with_blocks(ops[i], dtype, cpu_element(ops[i], dtype, dtype));
#ifdef ELEMENT_X86
            if (has_avx2()) same_with_blocks(ops[i], dtype, kernels_avx2.element(ops[i], dtype));
#endif
        }
}

/* Whatever stands beside an infinity: C's Annex F, IEEE 754 9.2.1. */
TEST(hypot_of_inf_and_nan_is_inf_in_every_way) {
    (void)state;
    enum { n = 9 };
    static const int64_t dims[1] = {n};
    double x[n] = {INFINITY, NAN, -INFINITY, NAN, 3, NAN, INFINITY, 1, NAN},
           y[n] = {NAN, INFINITY, NAN, -INFINITY, 4, 1, INFINITY, NAN, NAN}, found[n];
    struct given in[2] = {{"x", CR_F64, 1, dims, x, NULL}, {"y", CR_F64, 1, dims, y, NULL}};
    for (int narrow = 0; narrow < 2; narrow++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_node a[2];
        given_inputs(g, 2, in, a);
        if (narrow) a[0] = cr_cast(a[0], CR_F32), a[1] = cr_cast(a[1], CR_F32);
        cr_node z = cr_cast(cr_hypot(a[0], a[1]), CR_F64);
        for (int way = 0; way < WAYS; way++) {
            compute((enum way)way, z, 2, in, found, sizeof found);
            for (int i = 0; i < n; i++) {
                double expected = i == 4 ? 5 : i < 7 && i != 5 ? INFINITY : NAN;
                if (!(found[i] == expected || (isnan(found[i]) && isnan(expected))))
                    fail_msg("%s: hypot(%g, %g) is %g", way_name((enum way)way), x[i], y[i], found[i]);
            }
        }
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(hypot_of_inf_and_nan_is_inf_in_every_way),
        RUN(f32_is_within_its_ulps),
        RUN(erf_of_f32_never_passes_1),
        RUN(f64_is_within_its_ulps),
        RUN(exp_is_within_its_ulps_where_its_series_ends),
        RUN(erfc_is_within_its_ulps_between_a_half_and_two),
        RUN(powers_are_within_their_ulps),
        RUN(powers_that_are_numbers_are_exact),
        RUN(powers_of_the_ends_are_those_of_annex_f),
        RUN(angles_next_to_multiples_of_pi_keep_their_digits),
        RUN(the_ends_of_the_range_are_exact),
        RUN(exp_of_f32_has_the_bits_of_one_in_any_company),
        RUN(bits_depend_on_neither_place_nor_width),
        RUN(an_operand_that_repeats_is_a_block_that_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
