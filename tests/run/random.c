/* Random numbers: Philox against its authors' known answers, and draws. */
#include "support/test.h"

#include "device/special.h"

/* philox 4x32 10 of Random123 1.14's kat_vectors. */
TEST(philox_gives_the_known_answers) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t out[4];
        philox(cases[i].counter, cases[i].key, out);
        assert_memory_equal(out, cases[i].out, sizeof out);
    }
}

enum { count = 100000 };

static double *draw(const char *formula) {
    double *x = malloc(count * sizeof *x);
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e;
    cr_eval_new(&e, g, NULL);
    cr_node y = cr_formula(g, formula);
    if (cr_eval_value(e, y, CR_F64, x, count * sizeof *x))
        fail_msg("%s", cr_eval_error(e) ? cr_eval_error(e) : cr_graph_error(g));
    cr_eval_free(e);
    cr_graph_free(g);
    return x;
}

static void moments(const double *x, double *mean, double *var) {
    *mean = *var = 0;
    for (int i = 0; i < count; i++) *mean += x[i] / count;
    for (int i = 0; i < count; i++) *var += (x[i] - *mean) * (x[i] - *mean) / count;
}

/* Bounds: five standard errors. */
TEST(draws_have_the_moments_they_should) {
    (void)state;
    double mean, var, *u = draw("uniform(7, shape=[100000])"), *z = draw("normal(7, shape=[100000])");
    moments(u, &mean, &var);
    assert_near(mean, 0.5, 5 * sqrt(1. / 12 / count));
    assert_near(var, 1. / 12, 5 * sqrt(1. / 180 / count));
    moments(z, &mean, &var);
    assert_near(mean, 0, 5 / sqrt(count));
    assert_near(var, 1, 5 * sqrt(2. / count));
    for (int i = 0; i < count; i++) assert_true(u[i] > 0 && u[i] < 1);
    free(u), free(z);
}

TEST(f32_draws_are_the_same_draws_rounded) {
    (void)state;
    double *a = draw("uniform(3, shape=[100000])"),
           *b = draw("cast(uniform(3, shape=[100000], dtype=f32), f64)");
    for (int i = 0; i < count; i++) assert_near(a[i], b[i], 0x1p-23);
    free(a), free(b);
}

TEST(another_key_gives_other_draws_and_the_same_key_the_same) {
    (void)state;
    double *a = draw("uniform(3, shape=[100000])"), *b = draw("uniform(4, shape=[100000])"),
           *c = draw("uniform(3, shape=[100000])");
    int equal = 0;
    for (int i = 0; i < count; i++) equal += a[i] == b[i];
    assert_true(equal < 3);
    assert_memory_equal(a, c, count * sizeof *a);
    free(a), free(b), free(c);
}

static double value(const char *text) {
    cr_graph *g = cr_graph_new(NULL);
    cr_model *m = NULL;
    cr_node y;
    cr_eval *e;
    assert_int_equal(cr_model_new(&m, text, strlen(text), NULL, NULL, NULL), CR_OK);
    assert_int_equal(cr_model_build(&y, m, g, NULL), CR_OK);
    cr_eval_new(&e, g, NULL);
    double x = cr_eval_number(e, y);
    if (isnan(x)) fail_msg("%s: %s", text, cr_eval_error(e) ? cr_eval_error(e) : cr_graph_error(g));
    cr_eval_free(e);
    cr_model_free(m);
    cr_graph_free(g);
    return x;
}

/* Deviations by the formulas of He et al. and Glorot and Bengio; bounds: five standard errors of a deviation of n draws. */
TEST(initial_values_are_as_wide_as_the_fans_say) {
    (void)state;
    assert_near(value("std(he_normal(1, shape=[50, 400]))"), sqrt(2. / 50),
                5 * sqrt(2. / 50) / sqrt(2 * 20000));
    assert_near(value("std(glorot_normal(1, shape=[50, 400]))"), sqrt(2. / 450),
                5 * sqrt(2. / 450) / sqrt(2 * 20000));
    /* conv's [out, in, k, k]: 4*9 come in, 50*9 go out */
    assert_near(value("std(he_normal(1, shape=[50, 4, 3, 3]))"), sqrt(2. / 36),
                5 * sqrt(2. / 36) / sqrt(2 * 1800));
    assert_near(value("max(abs(he_uniform(1, shape=[50, 400])))"), sqrt(6. / 50), 1e-3 * sqrt(6. / 50));
    assert_near(value("max(abs(glorot_uniform(1, shape=[50, 4, 3, 3])))"), sqrt(6. / (36 + 450)),
                2e-3 * sqrt(6. / 486));
}

TEST(orthogonal_draws_are_orthonormal) {
    (void)state;
    static const char *const text[] = {
        "q = orthogonal(3, shape=[40, 40]); max(abs(t(q) @ q - diag(expand(1., [40]))))",
        "q = orthogonal(3, shape=[60, 7]); max(abs(t(q) @ q - diag(expand(1., [7]))))",
        "q = orthogonal(3, shape=[7, 60]); max(abs(q @ t(q) - diag(expand(1., [7]))))",
        "q = reshape(orthogonal(3, shape=[5, 2, 3, 3]), [5, 18]); max(abs(q @ t(q) - diag(expand(1., [5]))))",
        "q = orthogonal(3, shape=[1, 1]); abs(abs(q[0, 0]) - 1)",
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) assert_near(value(text[i]), 0, 2e-15);
    assert_near(value("sum(cast(orthogonal(3, shape=[6, 6], dtype=f32), f64)^2)"), 6, 1e-5);
}

/* Uniformly distributed: an element of an n by n draw has mean 0, mean square 1/n and mean fourth power 3/(n (n + 2)), as the
 * coordinate of a point of the sphere; a draw without R's signs would have 3/4 of them in one sign. Bounds: five standard errors. */
TEST(orthogonal_draws_prefer_no_direction) {
    (void)state;
    enum { n = 4, draws = 2000 };
    double mean = 0, square = 0, fourth = 0;
    for (int k = 0; k < draws; k++) {
        char formula[80];
        snprintf(formula, sizeof formula, "orthogonal(%d, shape=[%d, %d])[0, 0]", k, n, n);
        double x = value(formula);
        mean += x / draws, square += x * x / draws, fourth += x * x * x * x / draws;
    }
    assert_near(mean, 0, 5 * sqrt(1. / n / draws));
    assert_near(square, 1. / n, 5 * sqrt((3. / (n * (n + 2)) - 1. / (n * n)) / draws));
    assert_near(fourth, 3. / (n * (n + 2)), 5 * sqrt(105. / (n * (n + 2) * (n + 4) * (n + 6)) / draws));
}

int main(void) {
    const struct CMUnitTest tests[] = {RUN(philox_gives_the_known_answers),
                                       RUN(draws_have_the_moments_they_should),
                                       RUN(f32_draws_are_the_same_draws_rounded),
                                       RUN(another_key_gives_other_draws_and_the_same_key_the_same),
                                       RUN(initial_values_are_as_wide_as_the_fans_say),
                                       RUN(orthogonal_draws_are_orthonormal),
                                       RUN(orthogonal_draws_prefer_no_direction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
