/* The four steps as a person reads them. */
#include "support/test.h"

static const char *explained(struct fixture *f, cr_text *out, const char *format, int n,
                             const char *const names[], bool full) {
    cr_node wrt[8];
    for (int i = 0; i < n; i++) wrt[i] = cr_find(f->g, names[i]);
    cr_text_clear(out);
    if (cr_explain(out, format, f->e, f->y, n, wrt, 0.1, full))
        fail_msg("%s", cr_graph_error(f->g) ? cr_graph_error(f->g) : cr_eval_error(f->e));
    return cr_text_str(out);
}

static cr_text *new_text(void) {
    cr_text *t = NULL;
    assert_int_equal(cr_text_new(&t, NULL), CR_OK);
    return t;
}

static void set_list(struct fixture *f, const char *name, int64_t n, const double x[]) {
    cr_node a = cr_input(f->g, name, CR_F64, 1, &n);
    assert_int_equal(cr_eval_set(f->e, a, CR_F64, x, (size_t)n * sizeof *x), CR_OK);
}

/* The example of the README, by hand: y_hat = 1, s = -1, loss = 1; dloss/ds = 2s = -2, ds/dy_hat = 1,
 * dy_hat/dw = x = 1; dloss/dw = -2; w - 0.1 * -2 = 1.2. */
TEST(the_worked_example_reads_as_on_paper) {
    (void)state;
    static const char expected[] = "1. Forward pass: the value of every node.\n"
                                   "   w     = 1\n"
                                   "   x     = 1\n"
                                   "   y     = 2\n"
                                   "   y_hat = w*x       = 1\n"
                                   "   s     = y_hat - y = -1\n"
                                   "   loss  = s^2       = 1\n"
                                   "\n"
                                   "2. Local gradients: how each node changes with each of its operands.\n"
                                   "   ∂loss/∂s  = 2*s = -2\n"
                                   "   ∂s/∂y_hat = 1\n"
                                   "   ∂y_hat/∂w = x   = 1\n"
                                   "\n"
                                   "3. Backward pass: from loss back, by the chain rule.\n"
                                   "   dloss/dloss  = 1\n"
                                   "   dloss/ds     = ∂loss/∂s                 = -2\n"
                                   "   dloss/dy_hat = dloss/ds * ∂s/∂y_hat     = -2 * 1 = -2\n"
                                   "   dloss/dw     = dloss/dy_hat * ∂y_hat/∂w = -2 * 1 = -2\n"
                                   "\n"
                                   "4. One step of descent, at rate 0.1.\n"
                                   "   w: 1 -> 1.2\n";
    struct fixture f = fixture_of("w*x", "w", 1., "x", 1., "y", 2., NULL);
    cr_text *out = new_text();
    cr_node s = cr_named(cr_sub(cr_named(f.y, "y_hat"), cr_find(f.g, "y")), "s");
    f.y = cr_named(cr_square(s), "loss");
    const char *w = "w";
    assert_string_equal(explained(&f, out, "text", 1, &w, false), expected);
    cr_text_free(out);
    fixture_free(&f);
}

/* d(x*x + x)/dx = 2x + 1: three ways lead to x. */
TEST(a_node_used_twice_gets_a_sum) {
    (void)state;
    struct fixture f = fixture_of("x*x + x", "x", 3., NULL);
    cr_text *out = new_text();
    const char *x = "x";
    const char *text = explained(&f, out, "text", 1, &x, false);
    assert_non_null(
        strstr(text, "dn2/dx  = ∂n2/∂x + dn2/dn1 * ∂n1/∂x + dn2/dn1 * ∂n1/∂x = 1 + 1 * 3 + 1 * 3 = 7\n"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(a_broadcast_goes_without_saying) {
    (void)state;
    struct fixture f = fixture_of("k*1", "k", 2., NULL);
    cr_text *out = new_text();
    const char *names[] = {"x", "k"};
    set_list(&f, "x", 3, (double[]){1, 2, 3});
    f.y = cr_formula(f.g, "sum(k*x)");
    const char *text = explained(&f, out, "text", 2, names, false);
    assert_null(strstr(text, "expand(k"));
    assert_non_null(strstr(text, "   n1 = k*x     = [2, 4, 6]\n"));
    assert_non_null(strstr(text, "   ∂n1/∂k  : g -> sum(g*x)\n"));
    assert_non_null(strstr(text, "   dn2/dk  = sum(dn2/dn1*x)"));
    assert_non_null(strstr(text, "   x: [1, 2, 3] -> [0.8, 1.8, 2.8]\n   k: 2 -> 1.4\n"));
    cr_text_free(out);
    fixture_free(&f);
}

/* 0 .. 9: mean 4.5. */
TEST(a_long_tensor_is_summed_up_unless_asked_for_in_full) {
    (void)state;
    struct fixture f = fixture_of("k", "k", 2., NULL);
    cr_text *out = new_text();
    const char *x = "x";
    set_list(&f, "x", 10, (double[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    f.y = cr_formula(f.g, "sum(x^2)");
    assert_non_null(strstr(explained(&f, out, "text", 1, &x, false), "x  = f64[10] mean 4.5 min 0 max 9\n"));
    assert_non_null(strstr(cr_text_str(out), "x: x - 0.1 * dn2/dx\n"));
    assert_non_null(strstr(explained(&f, out, "text", 1, &x, true), "x  = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(what_the_result_does_not_need_stays_as_it_is) {
    (void)state;
    struct fixture f = fixture_of("x^2", "x", 3., "k", 1., NULL);
    cr_text *out = new_text();
    const char *names[] = {"k", "x"};
    assert_non_null(strstr(explained(&f, out, "text", 2, names, false),
                           "   k: stays as it is, since nothing depends on it\n"));
    assert_non_null(
        strstr(explained(&f, out, "json", 2, names, false), "\"gradients\": {\"k\": 0, \"x\": 6}"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(a_number_of_one_s_own_is_left_out_where_a_name_is_taken) {
    (void)state;
    struct fixture f = fixture_of("(n1 + 1)^2", "n1", 3., NULL);
    cr_text *out = new_text();
    const char *names[] = {"n1"};
    assert_non_null(
        strstr(explained(&f, out, "text", 1, names, false), "   n2 = n1 + 1 = 4\n   n3 = n2^2   = 16\n"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(a_result_of_many_numbers_is_refused) {
    (void)state;
    struct fixture f = fixture_of("k", "k", 2., NULL);
    cr_text *out = new_text();
    cr_node x;
    set_list(&f, "x", 3, (double[]){1, 2, 3});
    x = cr_find(f.g, "x");
    assert_int_equal(cr_explain(out, "text", f.e, x, 1, &x, 0.1, false), CR_ESHAPE);
    assert_string_equal(cr_graph_error(f.g),
                        "explain: what is explained is one number, found [3]: take its sum or mean");
    assert_int_equal(cr_explain(out, "sonnet", f.e, f.y, 0, NULL, 0.1, false), CR_EINVAL);
    cr_text_free(out);
    fixture_free(&f);
}

TEST(explaining_leaves_the_graph_as_it_was) {
    (void)state;
    struct fixture f = fixture_of("sum(sort([x, 2, 1])*3)", "x", 3., NULL);
    cr_text *out = new_text();
    const char *x = "x";
    size_t before = cr_graph_mark(f.g);
    explained(&f, out, "text", 1, &x, false);
    assert_true(cr_graph_mark(f.g) == before);
    assert_true(cr_eval_number(f.e, f.y) == 18);
    cr_text_free(out);
    fixture_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_worked_example_reads_as_on_paper),
        RUN(a_node_used_twice_gets_a_sum),
        RUN(a_broadcast_goes_without_saying),
        RUN(a_long_tensor_is_summed_up_unless_asked_for_in_full),
        RUN(what_the_result_does_not_need_stays_as_it_is),
        RUN(a_number_of_one_s_own_is_left_out_where_a_name_is_taken),
        RUN(a_result_of_many_numbers_is_refused),
        RUN(explaining_leaves_the_graph_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
