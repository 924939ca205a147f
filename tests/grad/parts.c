/* Ops with several results: a cotangent for each part, and no node where there is none. */
#include "support/test.h"

struct place {
    cr_graph *g;
    cr_eval *e;
    cr_node x;
};

static struct place place_of(const double at[4]) {
    struct place p = {.g = cr_graph_new(NULL)};
    p.x = cr_input(p.g, "x", CR_F64, 2, (int64_t[]){2, 2});
    cr_eval_new(&p.e, p.g, NULL);
    cr_eval_set(p.e, p.x, CR_F64, at, 4 * sizeof *at);
    return p;
}

static void end(struct place *p) {
    cr_eval_free(p->e);
    cr_graph_free(p->g);
}

static cr_node gradient(const struct place *p, const char *formula) {
    cr_node y = cr_formula(p->g, formula), d;
    if (cr_grad(&d, y, 1, &p->x)) fail_msg("%s: %s", formula, cr_graph_error(p->g));
    return d;
}

static int nodes_of(const struct place *p, cr_node root, const char *op) {
    int found = 0;
    for (uint32_t id = 1; id <= root.id; id++) {
        cr_node x = {p->g, id, root.epoch};
        found += strcmp(cr_op_of(x), op) == 0;
    }
    return found;
}

static const double symmetric[4] = {2, 1, 1, 3};

/* The rule of eigh divides by gaps for the vectors' cotangent alone. */
TEST(an_absent_cotangent_is_no_node) {
    (void)state;
    struct place p = place_of(symmetric);
    cr_node d = gradient(&p, "sum(eigh(x)^2)");
    assert_int_equal(nodes_of(&p, d, "recip"), 0);
    assert_int_equal(nodes_of(&p, d, "where"), 0);
    gradient(&p, "sum(eigh_vectors(x)^3)");
    cr_node both = gradient(&p, "sum(eigh(x)) + sum(eigh_vectors(x)^3)");
    assert_int_equal(nodes_of(&p, both, "recip"), 1);
    end(&p);
}

/* The sign of a determinant is constant: nothing reaches x, and no inverse is built. */
TEST(a_part_without_a_derivative_asks_for_nothing) {
    (void)state;
    struct place p = place_of(symmetric);
    double found[4];
    cr_node d = gradient(&p, "detsign(x)*2"), t, one = cr_expand(cr_number(p.g, 1), 2, (int64_t[]){2, 2});
    assert_int_equal(nodes_of(&p, d, "solve"), 0);
    assert_int_equal(cr_eval_value(p.e, d, CR_F64, found, sizeof found), CR_OK);
    for (int i = 0; i < 4; i++) assert_true(found[i] == 0);
    cr_node y = cr_formula(p.g, "detsign(x)*2");
    assert_int_equal(cr_jvp(&t, 1, &y, 1, &p.x, &one), CR_OK);
    assert_true(cr_eval_number(p.e, t) == 0);
    end(&p);
}

/* d tr(x^2) = 2x, though both eigenvalues are equal and vectors have no derivative there. */
TEST(equal_eigenvalues_do_no_harm_to_the_values) {
    (void)state;
    struct place p = place_of((double[4]){3, 0, 0, 3});
    double found[4];
    cr_node d = gradient(&p, "sum(eigh(x)^2)");
    assert_int_equal(cr_eval_value(p.e, d, CR_F64, found, sizeof found), CR_OK);
    for (int i = 0; i < 4; i++) assert_true(found[i] == (i % 3 ? 0 : 6));
    end(&p);
}

/* Both results at once: f(V diag(l) V^T) = x again, whose derivative is the identity on symmetric directions. */
TEST(both_cotangents_meet_in_one_rule) {
    (void)state;
    struct place p = place_of(symmetric);
    double found[4];
    cr_node d =
        gradient(&p, "sum((eigh_vectors(x) * eigh(x)[None, :] @ t(eigh_vectors(x))) * [[1, 2], [2, 5]])");
    assert_int_equal(cr_eval_value(p.e, d, CR_F64, found, sizeof found), CR_OK);
    static const double expected[] = {1, 2, 2, 5};
    for (int i = 0; i < 4; i++) assert_near(found[i], expected[i], 1e-14);
    end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(an_absent_cotangent_is_no_node),
        RUN(a_part_without_a_derivative_asks_for_nothing),
        RUN(equal_eigenvalues_do_no_harm_to_the_values),
        RUN(both_cotangents_meet_in_one_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
