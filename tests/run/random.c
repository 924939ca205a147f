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

int main(void) {
    const struct CMUnitTest tests[] = {RUN(philox_gives_the_known_answers),
                                       RUN(draws_have_the_moments_they_should),
                                       RUN(f32_draws_are_the_same_draws_rounded),
                                       RUN(another_key_gives_other_draws_and_the_same_key_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
