/* What `where` did not choose counts for nothing, in every derivative: cases in which other tools give nan, since a
 * local gradient there is infinite and 0 * inf is nan. Reported again and again (the numbers beside the cases), answered
 * with advice to choose twice (JAX's FAQ, "gradients contain NaN where using where"). */
#include "support/test.h"

enum { most = 6 };

struct masked {
    const char *formula;
    int rank;
    int64_t dims[2];
    double x[most], gradient[most], hessian[most]; /* the gradient, and the Hessian times ones */
    const char *known;
};

#define E   2.718281828459045
#define LN2 0.6931471805599453

#define SCALAR \
    0, { 0 }
#define VECTOR(n) \
    1, { n }
#define MATRIX(m, n) \
    2, { m, n }

static const struct masked cases[] = {
    /* One branch overflows, or leaves its domain. */
    {"where(x <= 0, exp(x), 1 + x)", SCALAR, {1000}, {1}, {0}, "pytorch#68425"},
    {"where(x > 0, 0, exp(x))", SCALAR, {1e10}, {0}, {0}, "tensorflow#2540"},
    {"where(x < 15, x, pow(10, exp(x)))", SCALAR, {10}, {1}, {0}, "tensorflow#38349"},
    {"where(x > 0, 0, x*inf)", SCALAR, {1}, {0}, {0}, "jax#2630"},
    {"sum(where(x <= 10, exp(x), 1))", VECTOR(3), {1, NAN, 1e10}, {E}, {E}, "pytorch#156212"},
    {"sum(where([true, false], log(exp(x) + 1), 0))", VECTOR(2), {0, 1000}, {0.5}, {0.25}, "pytorch#17455"},
    {"where(x < 0, log1p(exp(x)), x)", SCALAR, {800}, {1}, {0}, ""},
    /* Safe square root, norm, logarithm, division, power. */
    {"sum(where(x > 0, sqrt(x), x))", VECTOR(2), {-1, -4}, {1, 1}, {0}, "pytorch#187297"},
    {"sum(where(x > 0, sqrt(x), x))",
     VECTOR(3),
     {-1, 0, 4},
     {1, 1, 0.25},
     {0, 0, -1. / 32},
     "tensorflow#38467"},
    {"sum(where(x == 0, 0, x*sqrt(x)))", VECTOR(2), {0, 4}, {0, 3}, {0, 0.375}, "tinygrad#12409"},
    {"sum(where(sqrt(sum(x^2, axis=1)) > 0.5, sqrt(sum(x^2, axis=1)), 1))",
     MATRIX(3, 2),
     {1, 2, 3, 4, 0, 0},
     {0.4472135954999579, 0.8944271909999159, 0.6, 0.8},
     {0.17888543819998318, -0.08944271909999159, 0.032, -0.024},
     "jax#347"},
    {"where(sum(x^2) > 0, norm(x)^2, sum(x^2))",
     VECTOR(2),
     {0, 0},
     {0, 0},
     {2, 2},
     "jax#4177, #3058, #21723"},
    {"where(var(x) > 0, std(x), 0)", VECTOR(2), {1, 1}, {0}, {0}, "jax#8128"},
    {"sum(where(x > 0, log(x), 0))", VECTOR(2), {0, 2}, {0, 0.5}, {0, -0.25}, "tensorflow#20091"},
    {"sum(where(x > 2, log2(x), 2*x))",
     VECTOR(3),
     {0, 2, 3},
     {2, 2, 1 / (3 * LN2)},
     {0, 0, -1 / (9 * LN2)},
     "pytorch#108618"},
    {"sum(where(x > -1, log1p(x), 0))",
     VECTOR(3),
     {-1, 0.5, 1},
     {0, 2. / 3, 0.5},
     {0, -4. / 9, -0.25},
     "pytorch#152088"},
    {"sum(where(x < 0, 1/(1 - x), log(x + 1)))",
     VECTOR(3),
     {1, -1, 0},
     {0.5, 0.25, 1},
     {-0.25, 0.25, -1},
     "tensorflow#20355"},
    {"sum(where(x > 0, 1/x, 1))", VECTOR(2), {0, 2}, {0, -0.25}, {0, 0.25}, "tensorflow#118674"},
    {"sum(where(x > 0, pow(x, 1/2.4), 0))",
     VECTOR(2),
     {0, 1},
     {0, 1 / 2.4},
     {0, (1 / 2.4 - 1) / 2.4},
     "tensorflow#2295"},
    {"sum(where(x > 0, rsqrt(x), 1))", VECTOR(2), {0, 4}, {0, -1. / 16}, {0, 3. / 128}, ""},
    /* x log x, sinc, inverse trigonometry, angles. */
    {"sum(where(x > 0, x*log(x), 0))", VECTOR(2), {0, 1}, {0, 1}, {0, 1}, "JAX FAQ"},
    {"sum(where([0, 1] > 0, [0, 1]*log(x), 0))", VECTOR(2), {0, 0.5}, {0, 2}, {0, -4}, "cross-entropy"},
    {"sum(where(x != 0, sin(x)/x, 1))",
     VECTOR(2),
     {0, 1},
     {0, 0.5403023058681398 - 0.8414709848078965},
     {0, 0.8414709848078965 - 2 * 0.5403023058681398},
     ""},
    {"sum(where(x != 0, (1 - cos(x))/x^2, 0.5))", SCALAR, {0}, {0}, {0}, ""},
    {"sum(where(x < 1, acos(x), 0))", VECTOR(2), {1, 0}, {0, -1}, {0, 0}, ""},
    {"sum(where(abs(x) < 1, asin(x), x))", VECTOR(3), {1, -1, 0}, {1, 1, 1}, {0, 0, 0}, ""},
    {"sum(where(x < 1, atanh(x), x^2))", VECTOR(2), {1, 0}, {2, 1}, {2, 0}, ""},
    {"where(sum(x^2) > 0, atan2(x[0], x[1]), x[0])", VECTOR(2), {0, 0}, {1, 0}, {0, 0}, ""},
    {"sum(where(x > 0, exp(-1/x), 0))",
     VECTOR(2),
     {0, 1},
     {0, 0.36787944117144233},
     {0, -0.36787944117144233},
     ""},
    {"sum(where(x > 0, lgamma(x), x))",
     VECTOR(2),
     {0, 1},
     {1, -0.5772156649015329},
     {0, 1.6449340668482264},
     ""},
    /* Data with nan, masks with -inf. */
    {"sum(where(isnan([1, nan]), 0, (x - [1, nan])^2))", VECTOR(2), {3, 3}, {4, 0}, {2, 0}, "pytorch#89543"},
    {"sum(where([-1, 0, 2] > 0, x*log([-1, 0, 2]), 0))", SCALAR, {3}, {LN2}, {0}, "tensorflow#27684"},
    {"logsumexp(where([true, false, true], x, -inf))",
     VECTOR(3),
     {0, 2, 0},
     {0.5, 0, 0.5},
     {0},
     "pytorch#31829"},
    {"sum(where(any([[true, true], [false, false]], axis=1), logsumexp(where([[true, true], [false, false]], "
     "x, "
     "-inf), axis=1), 0))",
     MATRIX(2, 2),
     {0, 0, 5, 6},
     {0.5, 0.5, 0, 0},
     {0},
     "pytorch#49724"},
    {"where(x > 2, logsumexp([-inf, x - inf]), x)", SCALAR, {1}, {1}, {0}, "jax#6811"},
    {"sum([1, 2, 3]*softmax(where([true, false, true], x, -inf)))",
     VECTOR(3),
     {0, 9, 0},
     {-0.5, 0, 0.5},
     {0},
     "tensorflow#11756"},
    /* Other ops between the choice and the singularity. */
    {"sum(where([[false, true], [false, false]], log(x), x))",
     VECTOR(2),
     {0, 2},
     {2, 1.5},
     {0, -0.25},
     "broadcast"},
    {"sum(where([false, false, true], 1/x, x))", SCALAR, {2}, {2 - 0.25}, {0.25}, "broadcast"},
    {"sum(where([false, false], 1/x, x))", SCALAR, {0}, {2}, {0}, "broadcast"},
    {"where(sum(x) > 0, sum(sqrt(x)), 0)", VECTOR(2), {0, 0}, {0}, {0}, "sum"},
    {"sum(where([[false], [true]], 1/t(x), t(x)))", MATRIX(1, 2), {0, 2}, {1, -0.25}, {0, 0.25}, "permute"},
    {"where(max(x) > 0, sqrt(max(x)), 0)", VECTOR(2), {0, -1}, {0}, {0}, "max"},
    {"sum(where(x[[0, 0, 2]] > 0, log(x)[[0, 0, 2]], 0))",
     VECTOR(3),
     {0, 1, 2},
     {0, 0, 0.5},
     {0, 0, -0.25},
     "gather"},
    {"sum(where([false, true], scatter_add(1/x, [0, 1, 1], 2), 0))",
     VECTOR(3),
     {0, 1, 2},
     {0, -1, -0.25},
     {0, 2, 0.25},
     "scatter_add"},
    {"sum(where(sort(x) > 0, log(sort(x)), 0))", VECTOR(3), {2, 0, 1}, {0.5, 0, 1}, {-0.25, 0, -1}, "sort"},
    {"sum(where([false, true], cumsum(1/x, reverse=true), 0))",
     VECTOR(2),
     {0, 2},
     {0, -0.25},
     {0, 0.25},
     "cumsum"},
    {"sum(cumsum(where(x > 0, log(x), 0)))", VECTOR(2), {0, 1}, {0, 1}, {0, -1}, "cumsum"},
    {"sum(where([false, true, true, true], concat(log(x), x), 0))",
     VECTOR(2),
     {0, 2},
     {1, 1.5},
     {0, -0.25},
     "concat"},
    {"sum(where(x > 0, cast(sqrt(cast(x, f32)), f64), 0))",
     VECTOR(2),
     {0, 4},
     {0, 0.25},
     {0, -1. / 32},
     "cast"},
    /* Choosing twice, inside, and in a chain, does no harm either. */
    {"sum(sqrt(where(x > 0, x, 0)))", VECTOR(2), {0, 4}, {0, 0.25}, {0, -1. / 32}, ""},
    {"sum(sqrt(relu(x)))", VECTOR(3), {-1, 0, 4}, {0, 0, 0.25}, {0, 0, -1. / 32}, ""},
    {"sum(sqrt(-where(x > 0, -x, 0) * 2))", VECTOR(2), {0, 2}, {0, 0.5}, {0, -0.125}, ""},
    {"sum(sqrt(cumsum(where(x > 0, x, 0))))", VECTOR(2), {0, 4}, {0, 0.25}, {0, -1. / 32}, ""},
    {"sum(sqrt(where(x > 0, x, 0) + where(x > 1, x, 0)))", VECTOR(2), {0, 2}, {0, 0.5}, {0, -0.125}, ""},
    {"sqrt(sum(where(x > 0, x, 0)^2))", VECTOR(2), {0, -1}, {0}, {0}, ""},
    {"sum(sqrt(where([true, false, true], where(x > 0, x, 0), relu(x))))",
     VECTOR(3),
     {0, 0, 0},
     {0},
     {0},
     ""},
    {"sum(sqrt(t(where(x > 0, x, 0))[:, 0]))", MATRIX(1, 2), {0, 4}, {0, 0.25}, {0, -1. / 32}, ""},
    {"sum(where(x > 0, sqrt(where(x > 0, x, 1)), 0))",
     VECTOR(2),
     {0, 4},
     {0, 0.25},
     {0, -1. / 32},
     "double where"},
    {"sum(where(x > 0, where(x > 1, sqrt(x - 1), log(x)), 0))",
     VECTOR(3),
     {0, 1, 2},
     {0, 1, 0.5},
     {0, -1, -0.25},
     ""},
    /* Behind reductions, orders and recurrences: what was not chosen is hidden as behind a sum. */
    {"where(sum(x) > 5, max(log(x)), 0)", VECTOR(2), {0, 0}, {0}, {0}, ""},
    {"where(sum(x) > 5, min(sqrt(x)), sum(x^2))", VECTOR(2), {0, 1}, {0, 2}, {2, 2}, ""},
    {"where(sum(x) > 5, prod(log(x)), sum(x))", VECTOR(2), {0, 0}, {1, 1}, {0}, ""},
    {"sum(where(sort(x) > 5, sort(log(x)), 0))", VECTOR(3), {0, 8, 0}, {0, 0.125, 0}, {0, -1. / 64, 0}, ""},
    {"sum(where([true, false, false], recur(x, sqrt(x)), x))",
     VECTOR(3),
     {4, 0, 0},
     {0.25, 1, 1},
     {-1. / 32, 0, 0},
     ""},
    {"sqrt(max(where(x > 5, x, 0)))", VECTOR(2), {0, 0}, {0}, {0}, ""},
    {"sqrt(prod(where(x > 5, x, 0)))", VECTOR(2), {0, 0}, {0}, {0}, ""},
    {"sum(sqrt(sort(where(x > 5, x, 0))))", VECTOR(2), {0, 16}, {0, 0.125}, {0, -1. / 256}, ""},
    {"sum(sqrt(recur([0.0, 0.0], where(x > 5, x, 0))))", VECTOR(2), {0, 16}, {0, 0.125}, {0, -1. / 256}, ""},
};
enum { count = sizeof cases / sizeof *cases };

struct place {
    cr_graph *g;
    cr_eval *e;
    cr_node x, y, ones;
    int64_t n;
};

static struct place place_of(const struct masked *c) {
    struct place p = {.g = cr_graph_new(NULL), .n = 1};
    for (int i = 0; i < c->rank; i++) p.n *= c->dims[i];
    assert_int_equal(cr_eval_new(&p.e, p.g, NULL), CR_OK);
    p.x = cr_input(p.g, "x", CR_F64, c->rank, c->dims);
    cr_eval_set(p.e, p.x, CR_F64, c->x, (size_t)p.n * sizeof(double));
    p.y = cr_formula(p.g, c->formula);
    p.ones = cr_expand(cr_number(p.g, 1), c->rank, c->dims);
    if (!cr_ok(p.y)) fail_msg("%s: %s", c->formula, cr_graph_error(p.g));
    return p;
}

static void place_free(struct place *p) {
    cr_eval_free(p->e);
    cr_graph_free(p->g);
}

static cr_node reverse(const struct place *p, cr_node y) {
    cr_node d;
    if (cr_grad(&d, total(y), 1, &p->x)) fail_msg("%s", cr_graph_error(p->g));
    return d;
}

static cr_node forward(const struct place *p, cr_node y, cr_node along) {
    cr_node d;
    if (cr_jvp(&d, 1, &y, 1, &p->x, &along)) fail_msg("%s", cr_graph_error(p->g));
    return d;
}

/* Forward mode along each element of x, one after the other, as one vector. */
static void forward_each(const struct place *p, cr_node y, double out[most]) {
    const int64_t *dims = cr_dims(p->x);
    for (int64_t i = 0; i < p->n; i++) {
        cr_node unit = cr_cast(cr_eq(cr_iota(p->g, p->n), cr_number(p->g, (double)i)), CR_F64);
        out[i] = cr_eval_number(p->e, forward(p, y, cr_reshape(unit, cr_rank(p->x), dims)));
    }
}

static void values(const struct place *p, cr_node x, double out[most]) {
    assert_int_equal(cr_eval_value(p->e, x, CR_F64, out, (size_t)p->n * sizeof *out), CR_OK);
}

static void compare(const struct masked *c, const char *how, const double found[], const double expected[],
                    int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(found[i] - expected[i]) <= 1e-6 * (strstr(c->formula, "f32") ? 1 : 1e-6)))
            fail_msg("%s (%s): %s, element %d: %.17g, expected %.17g", c->formula, c->known, how, (int)i,
                     found[i], expected[i]);
}

TEST(gradients_of_masked_formulas_are_finite_and_right_in_both_modes) {
    (void)state;
    double found[most];
    for (int i = 0; i < count; i++) {
        struct place p = place_of(&cases[i]);
        values(&p, reverse(&p, p.y), found);
        compare(&cases[i], "reverse mode", found, cases[i].gradient, p.n);
        forward_each(&p, p.y, found);
        compare(&cases[i], "forward mode", found, cases[i].gradient, p.n);
        place_free(&p);
    }
}

TEST(second_derivatives_of_masked_formulas_are_finite_and_right_in_all_four_mixtures) {
    (void)state;
    double found[most];
    for (int i = 0; i < count; i++) {
        struct place p = place_of(&cases[i]);
        cr_node d = reverse(&p, p.y), t = forward(&p, p.y, p.ones);
        values(&p, reverse(&p, d), found);
        compare(&cases[i], "reverse over reverse", found, cases[i].hessian, p.n);
        values(&p, forward(&p, d, p.ones), found);
        compare(&cases[i], "forward over reverse", found, cases[i].hessian, p.n);
        values(&p, reverse(&p, t), found);
        compare(&cases[i], "reverse over forward", found, cases[i].hessian, p.n);
        forward_each(&p, t, found);
        compare(&cases[i], "forward over forward", found, cases[i].hessian, p.n);
        place_free(&p);
    }
}

/* DESIGN's example, every mixture of modes: bit k of the pattern says which mode makes derivative k. */
TEST(the_masked_cube_has_0_0_0_6_0_0_in_every_mixture_of_modes) {
    (void)state;
    static const struct masked cube = {
        "where(x > .5, log(sqrt(x*x)), x^3)", SCALAR, {0}, {0}, {0}, "exact to order 5"};
    static const double expected[] = {0, 0, 0, 6, 0, 0};
    for (unsigned pattern = 0; pattern < 32; pattern++) {
        struct place p = place_of(&cube);
        cr_node y = p.y;
        for (int k = 0; k <= 5; k++) {
            double found = cr_eval_number(p.e, y);
            if (!(found == expected[k])) fail_msg("pattern %u, order %d: %g", pattern, k, found);
            if (k < 5) y = pattern >> k & 1 ? forward(&p, y, p.ones) : reverse(&p, y);
        }
        place_free(&p);
    }
}

/* A mask hides what is behind it, not what is chosen: the infinite slope of a chosen sqrt stays. */
TEST(what_is_chosen_keeps_its_infinite_slope) {
    (void)state;
    static const struct masked chosen = {"sum(where(x >= 0, sqrt(x), 1))", VECTOR(2), {0, -1}, {0}, {0}, ""};
    struct place p = place_of(&chosen);
    double found[most];
    values(&p, reverse(&p, p.y), found);
    assert_true(isinf(found[0]) && found[1] == 0);
    forward_each(&p, p.y, found);
    assert_true(isinf(found[0])); /* along element 1 it is 0 * inf of a chosen sqrt: nan, as IEEE says */
    place_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(gradients_of_masked_formulas_are_finite_and_right_in_both_modes),
        RUN(second_derivatives_of_masked_formulas_are_finite_and_right_in_all_four_mixtures),
        RUN(the_masked_cube_has_0_0_0_6_0_0_in_every_mixture_of_modes),
        RUN(what_is_chosen_keeps_its_infinite_slope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
