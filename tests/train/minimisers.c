/* The minimisers on problems of More, Garbow and Hillstrom (Testing Unconstrained Optimization Software, ACM TOMS 7, 1981), by the
 * numbers, starts and minima that they publish. */
#include "support/fits.h"

/* text: the sum of the squares of their functions. At most two minima, where both are known: the second nan if there is one. */
struct standard {
    const char *name, *text;
    double minimum, other;
};

static const struct standard standards[] = {
    {"Rosenbrock (1)", "param a: f64 = -1.2; param b: f64 = 1; (10*(b - a^2))^2 + (1 - a)^2", 0, NAN},
    {"Freudenstein and Roth (2)",
     "param a: f64 = 0.5; param b: f64 = -2; (-13 + a + ((5 - b)*b - 2)*b)^2 + (-29 + a + ((b + 1)*b - "
     "14)*b)^2",
     0, 48.98425367924},
    {"Powell badly scaled (3)",
     "param a: f64 = 0; param b: f64 = 1; (1e4*a*b - 1)^2 + (exp(-a) + exp(-b) - 1.0001)^2", 0, NAN},
    {"Brown badly scaled (4)", "param a: f64 = 1; param b: f64 = 1; (a - 1e6)^2 + (b - 2e-6)^2 + (a*b - 2)^2",
     0, NAN},
    {"Beale (5)",
     "param a: f64 = 1; param b: f64 = 1; (1.5 - a*(1 - b))^2 + (2.25 - a*(1 - b^2))^2 + (2.625 - a*(1 - "
     "b^3))^2",
     0, NAN},
    {"Jennrich and Sampson (6)",
     "param a: f64 = 0.3; param b: f64 = 0.4; i = cast(iota(10), f64) + 1; sum((2 + 2*i - (exp(i*a) + "
     "exp(i*b)))^2)",
     124.36218235561, NAN},
    {"Helical valley (7)",
     "param a: f64 = -1; param b: f64 = 0; param c: f64 = 0; (10*(c - 10*atan2(b, a)/(2*pi)))^2 + "
     "(10*(hypot(a, b) - 1))^2 + "
     "c^2",
     0, NAN},
    {"Bard (8)",
     "param a: f64 = 1; param b: f64 = 1; param c: f64 = 1; u = cast(iota(15), f64) + 1; v = 16 - u; y = "
     "[0.14, 0.18, 0.22, "
     "0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]; sum((y - (a + u/(v*b + "
     "minimum(u, v)*c)))^2)",
     8.2148773065790e-3, 17.4286926},
    {"Gaussian (9)",
     "param a: f64 = 0.4; param b: f64 = 1; param c: f64 = 0; s = (7 - cast(iota(15), f64))/2; y = [0.0009, "
     "0.0044, 0.0175, "
     "0.0540, 0.1295, 0.2420, 0.3521, 0.3989, 0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044, 0.0009]; "
     "sum((a*exp(-b*(s - "
     "c)^2/2) - y)^2)",
     1.1279327696189e-8, NAN},
    {"Box three-dimensional (12)",
     "param a: f64 = 0; param b: f64 = 10; param c: f64 = 20; s = 0.1*(cast(iota(10), f64) + 1); "
     "sum((exp(-s*a) - exp(-s*b) - "
     "c*(exp(-s) - exp(-10*s)))^2)",
     0,
     0.07558874075499744}, /* the other: what is left as b goes to infinity, by a search over a in Python */
    {"Powell singular (13)",
     "param a: f64 = 3; param b: f64 = -1; param c: f64 = 0; param d: f64 = 1; (a + 10*b)^2 + 5*(c - d)^2 + "
     "(b - 2*c)^4 + "
     "10*(a - d)^4",
     0, NAN},
    {"Wood (14)",
     "param a: f64 = -3; param b: f64 = -1; param c: f64 = -3; param d: f64 = -1; 100*(b - a^2)^2 + (1 - "
     "a)^2 + 90*(d - "
     "c^2)^2 + (1 - c)^2 + 10*(b + d - 2)^2 + (b - d)^2/10",
     0, NAN},
    {"Kowalik and Osborne (15)",
     "param a: f64 = 0.25; param b: f64 = 0.39; param c: f64 = 0.415; param d: f64 = 0.39; y = [0.1957, "
     "0.1947, 0.1735, "
     "0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]; u = [4, 2, 1, 0.5, 0.25, 0.167, "
     "0.125, 0.1, 0.0833, "
     "0.0714, 0.0625]; sum((y - a*(u^2 + u*b)/(u^2 + u*c + d))^2)",
     3.0750560384924e-4, 1.0273429e-3},
    {"Brown and Dennis (16)",
     "param a: f64 = 25; param b: f64 = 5; param c: f64 = -5; param d: f64 = -1; s = (cast(iota(20), f64) + "
     "1)/5; sum(((a + "
     "s*b - exp(s))^2 + (c + d*sin(s) - cos(s))^2)^2)",
     85822.201626356, NAN},
    {"Variably dimensioned (25), n = 10",
     "param x: f64[10] = 1 - (cast(iota(10), f64) + 1)/10; j = cast(iota(10), f64) + 1; w = sum(j*(x - 1)); "
     "sum((x - 1)^2) + "
     "w^2 + w^4",
     0, NAN},
    {"Penalty I (23), n = 4",
     "param x: f64[4] = cast(iota(4), f64) + 1; 1e-5*sum((x - 1)^2) + (sum(x^2) - 0.25)^2",
     2.2499775008999e-5, NAN},
    {"Extended Rosenbrock (21), n = 100",
     "param x: f64[50, 2] = [[-1.2, 1]]; sum((10*(x[:, 1] - x[:, 0]^2))^2 + (1 - x[:, 0])^2)", 0, NAN},
    {"Broyden tridiagonal (30), n = 10",
     "param x: f64[10] = -1; p = pad(x, [1], [1]); sum(((3 - 2*x)*x - p[:-2] - 2*p[2:] + 1)^2)", 0, NAN},
};
enum { count = sizeof standards / sizeof *standards };

static bool reached(double found, double minimum) {
    return isfinite(minimum) && fabs(found - minimum) <= 1e-9 * fmax(fabs(minimum), 1e-3);
}

static void solve(const struct standard *s, const char *method, int64_t *iterations, int64_t *evaluations) {
    struct problem p = problem_of(s->text);
    assert_int_equal(cr_fit_set(p.f, "method", method), CR_OK);
    cr_status status = cr_fit_run(p.f);
    double loss = cr_fit_loss(p.f);
    bool refused = strstr(s->text, "^4") && strcmp(method, "lm") == 0; /* no square, as it is written */
    if (refused) assert_int_equal(status, CR_EINVAL);
    else if (status) fail_msg("%s by %s: %s", s->name, method, cr_fit_reason(p.f));
    else if (!reached(loss, s->minimum) && !reached(loss, s->other))
        fail_msg("%s by %s: found %.15g, published %.15g", s->name, method, loss, s->minimum);
    assert_string_equal(cr_fit_method(p.f), method);
    *iterations += cr_fit_iterations(p.f), *evaluations += cr_fit_evaluations(p.f);
    problem_free(&p);
}

/* Iterations and evaluations of all problems together, held from above so that a change for the worse is seen: a tenth above what was
 * found, since the C library's exp and sin have a say. */
static void solves(const char *method, int64_t most_iterations, int64_t most_evaluations) {
    int64_t iterations = 0, evaluations = 0;
    for (int i = 0; i < count; i++) solve(&standards[i], method, &iterations, &evaluations);
    print_message("%s: %lld iterations, %lld evaluations\n", method, (long long)iterations,
                  (long long)evaluations);
    assert_true(iterations <= most_iterations);
    assert_true(evaluations <= most_evaluations);
}

TEST(least_squares_reaches_the_published_minima) {
    (void)state;
    solves("lm", 800, 1900);
}
TEST(lbfgs_reaches_the_published_minima) {
    (void)state;
    solves("lbfgs", 1040, 1670);
}
TEST(conjugate_gradients_reach_the_published_minima) {
    (void)state;
    solves("cg", 5970, 10300);
}
TEST(newtons_method_reaches_the_published_minima) {
    (void)state;
    solves("newton", 630, 2860);
}
TEST(regions_of_trust_reach_the_published_minima) {
    (void)state;
    solves("trust", 660, 2180);
}

/* Within a <= 1/2 Rosenbrock's least value is at b = a^2: (1 - 1/2)^2. */
TEST(bounds_and_fixed_parameters_are_kept_by_every_method) {
    (void)state;
    for (int i = 0; cr_minimiser_name(i); i++) {
        struct problem p = problem_of(
            "param a: f64 = -1.2; param b: f64 = 1; param c: f64 = 3; (10*(b - a^2))^2 + (1 - a)^2 + "
            "(a*c - 2*c)^2*1e-3");
        if (strcmp(cr_minimiser_name(i), "gd") == 0)
            cr_fit_set(p.f, "iterations", "100000"), cr_fit_set(p.f, "tolerance", "1e-7");
        assert_int_equal(cr_fit_set(p.f, "method", cr_minimiser_name(i)), CR_OK);
        assert_int_equal(cr_fit_bounds(p.f, "a", -INFINITY, 0.5), CR_OK);
        assert_int_equal(cr_fit_fix(p.f, "c", true), CR_OK);
        if (cr_fit_run(p.f)) fail_msg("%s: %s", cr_minimiser_name(i), cr_fit_reason(p.f));
        assert_true(problem_value(&p, "a") == 0.5);
        assert_near(problem_value(&p, "b"), 0.25, 1e-7);
        assert_true(problem_value(&p, "c") == 3);
        problem_free(&p);
    }
}

/* A saddle at the start: only the curvature shows the way down, and the region of trust takes it. x^4/4 - x^2/2 + y^2/2 has its minima
 * -1/4 at x = 1 and -1. */
TEST(negative_curvature_is_followed) {
    (void)state;
    static const char *const methods[] = {"newton", "trust"};
    for (int i = 0; i < 2; i++) {
        struct problem p = problem_of("param x: f64 = 1e-3; param y: f64 = 1; x^4/4 - x^2/2 + y^2/2");
        cr_fit_set(p.f, "method", methods[i]);
        assert_int_equal(cr_fit_run(p.f), CR_OK);
        assert_near(cr_fit_loss(p.f), -0.25, 1e-14);
        problem_free(&p);
    }
}

/* Of a quadratic in n variables the exact product lets conjugate gradients end in at most n steps: one iteration, or two where the first
 * was solved loosely. Data and parameters of f32 serve too. */
TEST(products_see_data_and_narrow_parameters) {
    (void)state;
    double x[] = {1, 2, 3, 4}, y[] = {3, 5, 7, 9};
    struct problem p = problem_of(
        "input x: f64[4]; input y: f64[4]; param w: f32[2] = 0; mean(softplus((cast(w[0], f64)*x + "
        "cast(w[1], f64) - y)^2))");
    problem_bind(&p, "x", x, 4); /* bound before the method asks for products */
    problem_bind(&p, "y", y, 4);
    cr_fit_set(p.f, "method", "trust");
    cr_fit_set(p.f, "tolerance", "1e-5");
    assert_int_equal(cr_fit_run(p.f), CR_OK);
    float w[2];
    cr_store_get(p.store, "w", CR_F32, w, sizeof w);
    assert_near(w[0], 2, 1e-4);
    assert_near(w[1], 1, 1e-4);
    assert_true(cr_fit_iterations(p.f) < 20);
    problem_free(&p);
}

TEST(methods_are_found_by_name) {
    (void)state;
    assert_string_equal(cr_minimiser_name(0), "lm");
    assert_null(cr_minimiser_name(-1));
    assert_null(cr_minimiser_help(99));
    struct problem p = problem_of("param a: f64 = 1; a^2");
    assert_int_equal(cr_fit_set(p.f, "method", "magic"), CR_EINVAL);
    assert_int_equal(cr_fit_set(p.f, "method", "auto"), CR_OK);
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(least_squares_reaches_the_published_minima),
        RUN(lbfgs_reaches_the_published_minima),
        RUN(conjugate_gradients_reach_the_published_minima),
        RUN(newtons_method_reaches_the_published_minima),
        RUN(regions_of_trust_reach_the_published_minima),
        RUN(bounds_and_fixed_parameters_are_kept_by_every_method),
        RUN(negative_curvature_is_followed),
        RUN(products_see_data_and_narrow_parameters),
        RUN(methods_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
