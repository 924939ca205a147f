/* Jacobians, Hessians and products with them: closed forms, both directions, every row, a number of nodes that does not grow. */
#include "support/evaluated.h"
#include "support/rows.h"
#include "support/test.h"

#include "ops/build.h"

enum { most = 1024 };

static cr_node input(struct problem *p, const char *name, int rank, const int64_t dims[],
                     const double data[]) {
    cr_node x = cr_input(p->g, name, CR_F64, rank, dims);
    if (data) assert_int_equal(cr_eval_set(p->e, x, CR_F64, data, (size_t)cr_count(x) * sizeof *data), CR_OK);
    return x;
}

static cr_node formula(struct problem *p, const char *text) {
    cr_node y = cr_formula(p->g, text);
    if (!cr_ok(y)) fail_msg("%s: %s", text, cr_graph_error(p->g));
    return y;
}

static void values(struct problem *p, cr_node x, double out[]) {
    assert_true(cr_count(x) <= most);
    if (cr_eval_value(p->e, x, CR_F64, out, (size_t)cr_count(x) * sizeof *out))
        fail_msg("%s", cr_eval_error(p->e) ? cr_eval_error(p->e) : cr_graph_error(p->g));
}

static cr_node jacobian(struct problem *p, cr_node y, cr_node x, cr_mode mode) {
    cr_node j;
    if (cr_jacobian(&j, y, 1, &x, mode)) fail_msg("%s", cr_graph_error(p->g));
    return j;
}

static void assert_shape(cr_node x, int rank, const int64_t dims[]) {
    assert_int_equal(cr_rank(x), rank);
    for (int i = 0; i < rank; i++) assert_int_equal(cr_dims(x)[i], dims[i]);
}

/* d(a x + sin(x)) / dx = a + diag(cos x). */
TEST(a_jacobian_is_its_closed_form_in_either_direction) {
    (void)state;
    struct problem p = open_problem();
    double a[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, x[3] = {.3, -1, 2}, found[9];
    input(&p, "a", 2, (int64_t[]){3, 3}, a);
    cr_node in = input(&p, "x", 1, (int64_t[]){3}, x), y = formula(&p, "a @ x + sin(x)");
    for (int mode = CR_BY_SHAPE; mode <= CR_REVERSE; mode++) {
        cr_node j = jacobian(&p, y, in, (cr_mode)mode);
        assert_shape(j, 2, (int64_t[]){3, 3});
        values(&p, j, found);
        for (int i = 0; i < 9; i++) assert_ulps(found[i], a[i] + (i % 4 == 0 ? cos(x[i / 4]) : 0), 2);
    }
    close_problem(&p);
}

/* y[i, k] = x[k, i] w[k]: dy[i, k] / dx[l, j] = w[k] where l = k and j = i. */
TEST(axes_of_the_result_come_before_those_of_the_variable) {
    (void)state;
    struct problem p = open_problem();
    double x[6] = {1, 2, 3, 4, 5, 6}, w[2] = {10, 20}, found[36];
    cr_node in = input(&p, "x", 2, (int64_t[]){2, 3}, x);
    input(&p, "w", 1, (int64_t[]){2}, w);
    cr_node y = formula(&p, "t(x) * w");
    for (int mode = CR_FORWARD; mode <= CR_REVERSE; mode++) {
        cr_node j = jacobian(&p, y, in, (cr_mode)mode);
        assert_shape(j, 4, (int64_t[]){3, 2, 2, 3});
        values(&p, j, found);
        for (int i = 0; i < 36; i++) {
            int y0 = i / 12, y1 = i / 6 % 2, x0 = i / 3 % 2, x1 = i % 3;
            assert_true(found[i] == (x0 == y1 && x1 == y0 ? w[y1] : 0));
        }
    }
    close_problem(&p);
}

static bool is_number(struct row_case *c) {
    static double y[most];
    assert_int_equal(cr_eval_value(c->e, c->y, CR_F64, y, (size_t)cr_count(c->y) * sizeof *y), CR_OK);
    for (int64_t i = 0; i < cr_count(c->y); i++)
        if (isnan(y[i])) return false;
    return true;
}

TEST(both_directions_give_the_same_matrix_for_every_row) {
    (void)state;
    struct row_case c;
    static double forward[most], reverse[most];
    for (int op = 1; op < OP_COUNT; op++)
        for (int i = 0; row_case_make(&c, op, i, CR_F64); i++) {
            struct problem p = {c.g, c.e};
            for (int k = 0; k < c.n_wrt && cr_dtype_of(c.y) == CR_F64 && is_number(&c); k++) {
                cr_node f = jacobian(&p, c.y, c.wrt[k], CR_FORWARD),
                        r = jacobian(&p, c.y, c.wrt[k], CR_REVERSE);
                size_t bytes = (size_t)cr_count(f) * sizeof *forward;
                assert_int_equal(cr_count(f), cr_count(c.y) * cr_count(c.wrt[k]));
                assert_int_equal(cr_count(r), cr_count(f));
                assert_true(cr_count(f) <= most);
                cr_status status = cr_eval_value(c.e, f, CR_F64, forward, bytes);
                if (status == CR_ESINGULAR) continue; /* a determinant has no gradient there */
                if (status) fail_msg("%s: %s", c.label, cr_eval_error(c.e));
                values(&p, r, reverse);
                double size = 1;
                for (int64_t m = 0; m < cr_count(f); m++)
                    if (isfinite(reverse[m])) size = fmax(size, fabs(reverse[m]));
                for (int64_t m = 0; m < cr_count(f); m++)
                    if (!(fabs(forward[m] - reverse[m]) <= 1e-12 * size) && forward[m] != reverse[m] &&
                        !(isnan(forward[m]) && isnan(reverse[m])))
                        fail_msg("%s by operand %d: element %d: %.17g and %.17g", c.label, k, (int)m,
                                 forward[m], reverse[m]);
            }
            row_case_free(&c);
        }
}

/* 100 (b - a^2)^2 + (1 - a)^2 (Rosenbrock 1960): [[1200 a^2 - 400 b + 2, -400 a], [-400 a, 200]]. */
TEST(a_hessian_is_its_closed_form_in_one_block_and_in_four) {
    (void)state;
    struct problem p = open_problem();
    double x[2] = {-1.2, 1}, v[2] = {3, -2}, found[4], product[2];
    double expected[4] = {1200 * x[0] * x[0] - 400 * x[1] + 2, -400 * x[0], -400 * x[0], 200};
    cr_node in = input(&p, "x", 1, (int64_t[]){2}, x), a = input(&p, "a", 0, NULL, x),
            b = input(&p, "b", 0, NULL, x + 1), direction = input(&p, "v", 1, (int64_t[]){2}, v), h, hv,
            four[4], ab[2] = {a, b};
    cr_node loss = formula(&p, "100*(x[1] - x[0]^2)^2 + (1 - x[0])^2"),
            apart = formula(&p, "100*(b - a^2)^2 + (1 - a)^2");
    assert_int_equal(cr_hessian(&h, loss, 1, &in), CR_OK);
    assert_shape(h, 2, (int64_t[]){2, 2});
    values(&p, h, found);
    for (int i = 0; i < 4; i++) assert_ulps(found[i], expected[i], 4);
    assert_int_equal(cr_hessian(four, apart, 2, ab), CR_OK);
    for (int i = 0; i < 4; i++) {
        assert_shape(four[i], 0, NULL);
        assert_ulps(cr_eval_number(p.e, four[i]), expected[i], 4);
    }
    assert_int_equal(cr_hvp(&hv, loss, 1, &in, &direction), CR_OK);
    values(&p, hv, product);
    for (int i = 0; i < 2; i++)
        assert_near(product[i], expected[2 * i] * v[0] + expected[2 * i + 1] * v[1], 1e-10);
    cr_node parts[2], vs[2] = {cr_number(p.g, v[0]), cr_number(p.g, v[1])};
    assert_int_equal(cr_hvp(parts, apart, 2, ab, vs), CR_OK);
    for (int i = 0; i < 2; i++) assert_near(cr_eval_number(p.e, parts[i]), product[i], 1e-10);
    close_problem(&p);
}

/* The Hessian of sum(x^3)/6 + (sum x)^2/2 is diag(x) + 1, its Jacobian again is 1 where all three indices agree. */
TEST(a_matrix_is_differentiated_again) {
    (void)state;
    struct problem p = open_problem();
    double x[3] = {1, -2, .5}, found[27];
    cr_node in = input(&p, "x", 1, (int64_t[]){3}, x), loss = formula(&p, "sum(x^3)/6 + sum(x)^2/2"), h;
    assert_int_equal(cr_hessian(&h, loss, 1, &in), CR_OK);
    values(&p, h, found);
    for (int i = 0; i < 9; i++) assert_near(found[i], 1 + (i % 4 == 0 ? x[i / 4] : 0), 1e-15);
    for (int mode = CR_FORWARD; mode <= CR_REVERSE; mode++) {
        values(&p, jacobian(&p, h, in, (cr_mode)mode), found);
        for (int i = 0; i < 27; i++) assert_near(found[i], i % 13 == 0, 1e-15);
    }
    close_problem(&p);
}

static size_t nodes_for(int64_t n, bool second) {
    struct problem p = open_problem();
    cr_node x = input(&p, "x", 1, &n, NULL), y = formula(&p, "tanh(x) * sum(x) + cumsum(x^2)"), d,
            loss = cr_sum(y, 0, NULL, false);
    input(&p, "w", 2, (int64_t[]){n, n}, NULL);
    y = cr_add(y, formula(&p, "w @ x"));
    size_t before = cr_graph_count(p.g);
    if (second ? cr_hessian(&d, loss, 1, &x) : cr_jacobian(&d, y, 1, &x, CR_FORWARD))
        fail_msg("%s", cr_graph_error(p.g));
    size_t count = cr_graph_count(p.g) - before;
    close_problem(&p);
    return count;
}

TEST(the_number_of_nodes_does_not_depend_on_the_size) {
    (void)state;
    for (int second = 0; second < 2; second++) {
        assert_int_equal(nodes_for(10000, second), nodes_for(10, second));
        assert_true(nodes_for(10, second) < 120);
    }
}

/* By the operand with fewer elements: one slice for the loss, one for the scalar. */
TEST(the_direction_follows_from_the_shapes) {
    (void)state;
    struct problem p = open_problem();
    cr_node x = input(&p, "x", 1, (int64_t[]){100}, NULL), s = input(&p, "s", 0, NULL, NULL);
    cr_node loss = formula(&p, "sum(sin(x))"), wave = formula(&p, "sin(s*x)"), d;
    assert_int_equal(cr_grad(&d, loss, 1, &x), CR_OK);
    assert_true(cr_same(jacobian(&p, loss, x, CR_BY_SHAPE), d));
    cr_node one = cr_number(p.g, 1);
    assert_int_equal(cr_jvp(&d, 1, &wave, 1, &s, &one), CR_OK);
    size_t before = cr_graph_count(p.g);
    assert_shape(jacobian(&p, wave, s, CR_BY_SHAPE), 1, (int64_t[]){100});
    assert_true(cr_graph_count(p.g) - before <= 2);
    close_problem(&p);
}

TEST(what_is_not_reached_gives_zeros_of_the_right_shape) {
    (void)state;
    struct problem p = open_problem();
    cr_node x = input(&p, "x", 1, (int64_t[]){3}, (double[]){1, 2, 3}),
            z = input(&p, "z", 1, (int64_t[]){2}, NULL);
    cr_node y = formula(&p, "sin(x)"), loss = formula(&p, "sum(x^2)"), both[2] = {x, z}, h[4];
    double found[6];
    for (int mode = CR_FORWARD; mode <= CR_REVERSE; mode++) {
        cr_node j = jacobian(&p, y, z, (cr_mode)mode);
        assert_shape(j, 2, (int64_t[]){3, 2});
        values(&p, j, found);
        for (int i = 0; i < 6; i++) assert_true(found[i] == 0);
    }
    assert_int_equal(cr_hessian(h, loss, 2, both), CR_OK);
    assert_shape(h[1], 2, (int64_t[]){3, 2});
    assert_shape(h[2], 2, (int64_t[]){2, 3});
    values(&p, h[2], found);
    for (int i = 0; i < 6; i++) assert_true(found[i] == 0);
    cr_node empty = input(&p, "empty", 1, (int64_t[]){0}, NULL);
    assert_shape(jacobian(&p, formula(&p, "sin(empty)"), x, CR_FORWARD), 2, (int64_t[]){0, 3});
    assert_shape(jacobian(&p, formula(&p, "sin(empty)"), empty, CR_REVERSE), 2, (int64_t[]){0, 0});
    assert_shape(jacobian(&p, formula(&p, "sum(empty) + x"), empty, CR_FORWARD), 2, (int64_t[]){3, 0});
    close_problem(&p);
}

/* The mask of a dropout is part of the function: column i of its Jacobian is 2 at i or 0. */
TEST(a_draw_inside_is_the_same_in_all_directions) {
    (void)state;
    struct problem p = open_problem();
    double found[64], y[8], ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    cr_node x = input(&p, "x", 1, (int64_t[]){8}, ones), out = cr_dropout(x, cr_number(p.g, 3), 0.5);
    values(&p, out, y);
    for (int mode = CR_FORWARD; mode <= CR_REVERSE; mode++) {
        values(&p, jacobian(&p, out, x, (cr_mode)mode), found);
        for (int i = 0; i < 64; i++) assert_true(found[i] == (i % 9 == 0 ? y[i / 9] : 0));
    }
    close_problem(&p);
}

/* where(x > 1/2, log(sqrt(x*x)), x^3) at 0: second derivative 0, although the branch not taken has none. */
TEST(what_where_did_not_choose_counts_for_nothing_in_a_matrix) {
    (void)state;
    struct problem p = open_problem();
    double x[3] = {0, 1, .25}, found[9];
    cr_node in = input(&p, "x", 1, (int64_t[]){3}, x), h,
            y = formula(&p, "sum(where(x > .5, log(sqrt(x*x)), x^3))");
    assert_int_equal(cr_hessian(&h, y, 1, &in), CR_OK);
    values(&p, h, found);
    for (int i = 0; i < 9; i++) assert_near(found[i], i == 4 ? -1 : i == 8 ? 1.5 : 0, 1e-15);
    close_problem(&p);
}

static void refused(struct problem *p, cr_status status, cr_status expected, const char *sentence,
                    cr_node out) {
    assert_int_equal(status, expected);
    assert_false(cr_ok(out));
    if (!strstr(cr_graph_error(p->g), sentence)) fail_msg("%s, expected %s", cr_graph_error(p->g), sentence);
    cr_graph_clear_error(p->g);
}

TEST(what_makes_no_sense_is_refused_with_a_sentence) {
    (void)state;
    struct problem p = open_problem();
    cr_node x = input(&p, "x", 1, (int64_t[]){100000}, NULL), y = cr_sin(x), loss = cr_sum(y, 0, NULL, false),
            out, i = cr_input(p.g, "i", CR_I64, 0, NULL);
    refused(&p, cr_jacobian(&out, y, 1, &x, CR_BY_SHAPE), CR_ELIMIT,
            "jacobian: [100000] by [100000] is too large to hold: 100000 by 100000 numbers", out);
    refused(&p, cr_hessian(&out, loss, 1, &x), CR_ELIMIT,
            "hessian: [100000] by [100000] is too large to hold", out);
    refused(&p, cr_hessian(&out, y, 1, &x), CR_ESHAPE, "a loss is one number, found [100000]", out);
    refused(&p, cr_hvp(&out, y, 1, &x, &x), CR_ESHAPE, "a loss is one number", out);
    refused(&p, cr_hvp(&out, loss, 1, &x, NULL), CR_EINVAL, "an array that is missing", out);
    refused(&p, cr_jacobian(&out, y, 1, &y, CR_FORWARD), CR_ENODERIV, "not by the result of sin", out);
    refused(&p, cr_jacobian(&out, i, 1, &x, CR_FORWARD), CR_ENODERIV,
            "a result of dtype i64 has no derivative", out);
    refused(&p, cr_jacobian(&out, y, 1, &i, CR_FORWARD), CR_ENODERIV, "only fractions have derivatives", out);
    int64_t ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    cr_node wide = input(&p, "wide", 9, ones, NULL);
    refused(&p, cr_jacobian(&out, cr_sin(wide), 1, &wide, CR_FORWARD), CR_ELIMIT, "are more than 16 together",
            out);
    cr_node small = input(&p, "small", 1, (int64_t[]){2}, NULL),
            wrong = input(&p, "wrong", 1, (int64_t[]){3}, NULL);
    refused(&p, cr_hvp(&out, cr_sum(cr_sin(small), 0, NULL, false), 1, &small, &wrong), CR_ESHAPE,
            "[3] does not repeat to [2]", out);
    assert_int_equal(cr_jacobian(NULL, y, 0, NULL, CR_FORWARD), CR_OK);
    assert_int_equal(cr_hessian(NULL, loss, 0, NULL), CR_OK);
    assert_int_equal(cr_hvp(NULL, loss, 0, NULL, NULL), CR_OK);
    close_problem(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_jacobian_is_its_closed_form_in_either_direction),
        RUN(axes_of_the_result_come_before_those_of_the_variable),
        RUN(both_directions_give_the_same_matrix_for_every_row),
        RUN(a_hessian_is_its_closed_form_in_one_block_and_in_four),
        RUN(a_matrix_is_differentiated_again),
        RUN(the_number_of_nodes_does_not_depend_on_the_size),
        RUN(the_direction_follows_from_the_shapes),
        RUN(what_is_not_reached_gives_zeros_of_the_right_shape),
        RUN(a_draw_inside_is_the_same_in_all_directions),
        RUN(what_where_did_not_choose_counts_for_nothing_in_a_matrix),
        RUN(what_makes_no_sense_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
