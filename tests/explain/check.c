/* Right rules pass, wrong ones are named, and kinks are told from mistakes. */
#include "support/test.h"

#include "support/faulty_rules.h"

static cr_text *new_text(void) {
    cr_text *t = NULL;
    assert_int_equal(cr_text_new(&t, NULL), CR_OK);
    return t;
}

static cr_status checked(struct fixture *f, cr_text *out, const char *by) {
    cr_node wrt = cr_find(f->g, by);
    cr_text_clear(out);
    return cr_check(out, f->e, f->y, 1, &wrt, 1e-6, 1e-8);
}

TEST(right_rules_pass) {
    (void)state;
    static const char *const formulas[] = {
        "(w*x - 2)^2",
        "log(1 + exp(-x*w)) + atan2(w, x) + w^x + 3^w",
        "sum(softmax([w, x, w*x])*[1, 2, 3])",
        "where(w > 0, sqrt(w), 0) + lgamma(w) + erf(w)",
        "cumsum([w, x, w])[1] + prod([w, x, w*w]) + max([w, 3, x])",
        "sum([w, x] @ [[1, 2], [3, 4]])",
        "sort([w, x, 0])[2] + norm([w, x])",
        "sum(eigh([[w, x], [x, 3]])^2) + eigh_vectors([[w, x], [x, 3]])[0, 1] + logabsdet([[w, x], [x, w]])",
        "stop_gradient(w)*w + cast(cast(w, f32), f64)",
    };
    cr_text *out = new_text();
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        struct fixture f = fixture_of(formulas[i], "w", 0.7, "x", 1.3, NULL);
        if (checked(&f, out, "w")) fail_msg("%s: %s\n%s", formulas[i], cr_graph_error(f.g), cr_text_str(out));
        assert_non_null(strstr(cr_text_str(out), ", 0 wrong"));
        fixture_free(&f);
    }
    cr_text_free(out);
}

/* In f32, differences of a loss near 1 are off by 1e-7 / h: more than any useful tolerance. */
TEST(f32_is_checked_in_double_precision) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    cr_text *out = new_text();
    float x[200];
    for (int i = 0; i < 200; i++) x[i] = sinf((float)i) * 3;
    cr_node a = cr_input(g, "x", CR_F32, 2, (int64_t[]){10, 20});
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    assert_int_equal(cr_eval_set(e, a, CR_F32, x, sizeof x), CR_OK);
    cr_node y = cr_formula(g, "mean(log(sum(exp(x), axis=-1)) + tanh(x)[:, 0])");
    if (cr_check(out, e, y, 1, &a, 1e-6, 1e-8)) fail_msg("%s", cr_text_str(out));
    cr_text_free(out);
    cr_eval_free(e);
    cr_graph_free(g);
}

/* y = x^2 in f32, and a vjp and jvp that are wrong by a factor. */
static cr_status squares(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    (void)user, (void)n_in, (void)n_out;
    const float *x = in[0].data;
    for (int64_t i = 0; i < in[0].shape[0]; i++) ((float *)out[0].data)[i] = x[i] * x[i];
    return CR_OK;
}
static cr_status squares_vjp(void *factor, cr_node out[], int n_in, const cr_node x[], int n_out,
                             const cr_node y[], const cr_node g[]) {
    (void)n_in, (void)n_out, (void)y;
    out[0] = cr_mul(cr_mul(cr_number(x[0].graph, 2 * *(double *)factor), x[0]), g[0]);
    return CR_OK;
}

static cr_status check_squares(double factor, cr_text *out) {
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    cr_function *f = NULL;
    float v[3] = {0.7f, -1.3f, 2.1f};
    cr_node x = cr_input(g, "x", CR_F32, 1, (int64_t[]){3}), y;
    cr_text_clear(out);
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    assert_int_equal(cr_eval_set(e, x, CR_F32, v, sizeof v), CR_OK);
    assert_int_equal(
        cr_function_callback(&f, "squares", 1, &x, 1, &x, squares, squares_vjp, squares_vjp, &factor), CR_OK);
    assert_int_equal(cr_call(&y, f, 1, &x), CR_OK);
    cr_status s = cr_check(out, e, total(cr_mul(cr_sin(y), cr_exp(x))), 1, &x, 1e-6, 1e-8);
    if (s && s != CR_EFAIL) fail_msg("%s", cr_graph_error(g));
    cr_function_free(f);
    cr_eval_free(e);
    cr_graph_free(g);
    return s;
}

/* Rounded to 24 bits, a difference is no better than some 1e-5. */
TEST(a_callback_of_f32_is_checked_as_far_as_f32_goes) {
    (void)state;
    cr_text *out = new_text();
    if (check_squares(1, out)) fail_msg("%s", cr_text_str(out));
    assert_non_null(
        strstr(cr_text_str(out), ", 0 wrong, what goes through a callback of f32 to 0.001 only\n"));
    assert_null(strstr(cr_text_str(out), "kink"));
    const double factors[] = {1.01, 0.99, -1, 0};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        if (check_squares(factors[i], out) != CR_EFAIL || !strstr(cr_text_str(out), "WRONG call"))
            fail_msg("%g: %s", factors[i], cr_text_str(out));
    cr_text_free(out);
}

static cr_status as_it_is(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    (void)user, (void)n_in, (void)n_out;
    memcpy(out[0].data, in[0].data, 2);
    return CR_OK;
}

TEST(a_callback_of_f16_is_told_to_be_too_coarse) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    cr_function *f = NULL;
    cr_text *out = new_text();
    double v = 1.5;
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), narrow = cr_cast(x, CR_F16), y;
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    assert_int_equal(cr_eval_set(e, x, CR_F64, &v, sizeof v), CR_OK);
    assert_int_equal(
        cr_function_callback(&f, "same", 1, &narrow, 1, &narrow, as_it_is, squares_vjp, NULL, &v), CR_OK);
    assert_int_equal(cr_call(&y, f, 1, &narrow), CR_OK);
    assert_int_equal(cr_check(out, e, cr_cast(y, CR_F64), 1, &x, 1e-6, 1e-8), CR_EDTYPE);
    assert_string_equal(cr_graph_error(g),
                        "check: a callback of f16 is too coarse for differences: expected f32 or f64");
    cr_function_free(f);
    cr_text_free(out);
    cr_eval_free(e);
    cr_graph_free(g);
}

/* One rule is wrong by a factor 1.001, until it is told to be right. */
static void make_wrong(int op, int k) {
    enum rule_kind kind = rule_kind(op, k);
    fault.op = op, fault.k = k, fault.kind = FAULT_FACTOR;
    fault.place = kind == RULE_LOCAL || kind == RULE_PASS ? IN_LOCAL : IN_VJP;
}

static void make_right(void) { fault.op = 0; }

TEST(a_wrong_rule_is_named_with_its_op_node_and_operand) {
    (void)state;
    static const struct {
        const char *formula;
        int op;
        const char *line;
    } cases[] = {
        {"(w*x)^2", OP_square, "WRONG square ∂n2/∂n1 the rule gives 1.4014, a difference gives 1.4\n"},
        {"(w*x)^2", OP_mul, "WRONG mul    ∂n1/∂w the rule gives 1.001, a difference gives 1\n"},
        {"sum(sin([w, w])*x)", OP_sum, "WRONG sum  "},
        {"sum([w, x] @ [[1, 2], [3, 4]])", OP_matmul, "WRONG matmul "},
        {"eigh_vectors([[w, x], [x, 3]])[0, 1]", OP_eigh, "WRONG eigh "}, /* the second of two results */
    };
    cr_text *out = new_text();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = fixture_of(cases[i].formula, "w", 0.7, "x", 1., NULL);
        make_wrong(cases[i].op, 0);
        assert_int_equal(checked(&f, out, "w"), CR_EFAIL);
        make_right();
        if (!strstr(cr_text_str(out), cases[i].line)) fail_msg("%s", cr_text_str(out));
        fixture_free(&f);
    }
    cr_text_free(out);
}

/* The first order of sin has a cos in it, which only the second differentiates. */
TEST(an_op_that_only_second_derivatives_meet_is_named) {
    (void)state;
    struct fixture f = fixture_of("sin(w)*x", "w", 0.7, "x", 1.3, NULL);
    cr_text *out = new_text();
    make_wrong(OP_cos, 0);
    assert_int_equal(checked(&f, out, "w"), CR_EFAIL);
    make_right();
    if (!strstr(cr_text_str(out), "WRONG cos ∂(cos(w))/∂w the rule gives -0.644861") ||
        !strstr(cr_text_str(out), "WRONG whole d(dn2/dv)/dw the chain rule gives") ||
        strstr(cr_text_str(out), "WRONG sin"))
        fail_msg("%s", cr_text_str(out));
    cr_text_free(out);
    fixture_free(&f);
}

/* Kinks of opposite sign: along a direction the sum is smooth, with another slope than the order that the rule takes. */
TEST(kinks_that_cancel_in_a_sum_are_still_kinks) {
    (void)state;
    struct fixture f = fixture_of("sort([w, w*x, x, 1, 1, w])*[1, -2, 3, 5, -1, 2] @ [1, 1, 1, 1, 1, 1]", "w",
                                  1., "x", 1., NULL);
    cr_text *out = new_text();
    if (checked(&f, out, "w") || !strstr(cr_text_str(out), "kink  sort")) fail_msg("%s", cr_text_str(out));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(what_the_result_does_not_depend_on_has_the_derivative_zero) {
    (void)state;
    struct fixture f = fixture_of("sin(w) + 0*floor(x)", "w", 0.7, "x", 1.3, NULL);
    cr_text *out = new_text();
    if (checked(&f, out, "x")) fail_msg("%s", cr_text_str(out));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(one_element_of_many_is_named_by_its_place) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    cr_text *out = new_text();
    double x[6] = {1, 2, 3, 4, 5, 6};
    cr_node a = cr_input(g, "x", CR_F64, 2, (int64_t[]){2, 3});
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    assert_int_equal(cr_eval_set(e, a, CR_F64, x, sizeof x), CR_OK);
    cr_node y = cr_formula(g, "sum(sin(x))");
    make_wrong(OP_sin, 0);
    assert_int_equal(cr_check(out, e, y, 1, &a, 1e-6, 1e-8), CR_EFAIL);
    make_right();
    if (!strstr(cr_text_str(out), "WRONG sin ∂n1/∂x at [0, 0]: the rule gives 0.5408426082, a "
                                  "difference gives 0.5403023059\n"))
        fail_msg("%s", cr_text_str(out));
    cr_text_free(out);
    cr_eval_free(e);
    cr_graph_free(g);
}

TEST(kinks_are_told_from_mistakes) {
    (void)state;
    static const struct {
        const char *formula;
        double at;
        const char *word;
    } cases[] = {
        {"relu(w)*2", 0, "kink  relu"},
        {"abs(w)*2", 0, "right abs"},
        {"maximum(w, 0)*2", 0, "right maximum"},
        {"sqrt(w)*2", 0, "unsure sqrt"},
        {"1/w", 0, "unsure div"}, /* an infinity agrees with no number */
        {"floor(w)*2", 1, "0 wrong"},
        {"relu(w - 1e-4)*2", 0, "right relu"},
        {"max([w, w, 0])", 1, "0 wrong"},
    };
    cr_text *out = new_text();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = fixture_of(cases[i].formula, "w", cases[i].at, NULL);
        if (checked(&f, out, "w")) fail_msg("%s: %s", cases[i].formula, cr_text_str(out));
        if (!strstr(cr_text_str(out), cases[i].word)) fail_msg("%s: %s", cases[i].formula, cr_text_str(out));
        fixture_free(&f);
    }
    cr_text_free(out);
}

TEST(checking_leaves_graph_and_values_as_they_were) {
    (void)state;
    struct fixture f = fixture_of("sin(w)*w", "w", 0.7, NULL);
    cr_text *out = new_text();
    size_t before = cr_graph_mark(f.g);
    assert_int_equal(checked(&f, out, "w"), CR_OK);
    assert_true(cr_graph_mark(f.g) == before);
    assert_true(cr_eval_number(f.e, cr_find(f.g, "w")) == 0.7);
    cr_text_free(out);
    fixture_free(&f);
}

/* v = variable(w): d/dv of w*v is w, although v is w. */
TEST(a_variable_is_moved_without_what_it_is_of) {
    (void)state;
    struct fixture f = fixture_of("w", "w", 0.7, NULL);
    cr_text *out = new_text();
    cr_node wrt[2] = {f.y, cr_variable(f.y)};
    f.y = cr_mul(cr_square(wrt[0]), wrt[1]);
    if (cr_check(out, f.e, f.y, 2, wrt, 1e-6, 1e-8)) fail_msg("%s", cr_text_str(out));
    cr_text_free(out);
    fixture_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(right_rules_pass),
        RUN(f32_is_checked_in_double_precision),
        RUN(a_callback_of_f32_is_checked_as_far_as_f32_goes),
        RUN(a_callback_of_f16_is_told_to_be_too_coarse),
        RUN(a_wrong_rule_is_named_with_its_op_node_and_operand),
        RUN(an_op_that_only_second_derivatives_meet_is_named),
        RUN(kinks_that_cancel_in_a_sum_are_still_kinks),
        RUN(what_the_result_does_not_depend_on_has_the_derivative_zero),
        RUN(one_element_of_many_is_named_by_its_place),
        RUN(kinks_are_told_from_mistakes),
        RUN(checking_leaves_graph_and_values_as_they_were),
        RUN(a_variable_is_moved_without_what_it_is_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
