/* A node printed as LaTeX. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "formula/print.h"
#include "ops/build.h"

static int set_up(void **state) {
    *state = cr_graph_new(NULL);
    return *state == NULL;
}

static int tear_down(void **state) {
    cr_graph_free(*state);
    return 0;
}

static void expect(cr_node x, const char *text) {
    struct cr_text t = text_make(&x.graph->mem);
    assert_null(cr_graph_error(x.graph));
    assert_int_equal(cr_print_latex(&t, x), CR_OK);
    assert_string_equal(cr_text_str(&t), text);
    text_drop(&t);
}

static cr_node scalar(cr_graph *g, const char *name) { return cr_input(g, name, CR_F64, 0, NULL); }

static void names_get_indices_accents_and_greek_letters(void **state) {
    cr_graph *g = *state;
    expect(scalar(g, "x"), "x");
    expect(scalar(g, "b0"), "b_{0}");
    expect(scalar(g, "b_1"), "b_{1}");
    expect(scalar(g, "y_hat"), "\\hat{y}");
    expect(scalar(g, "x_bar_1"), "\\bar{x}_{1}");
    expect(scalar(g, "w_out"), "w_{\\mathrm{out}}");
    expect(scalar(g, "alpha"), "\\alpha");
    expect(scalar(g, "theta2"), "\\theta_{2}");
    expect(scalar(g, "loss"), "\\mathrm{loss}");
    expect(scalar(g, "h.W1"), "h{.}W_{1}");
    expect(scalar(g, "a_b_c"), "a_{b,c}");
    expect(scalar(g, "_"), "\\_");
    expect(scalar(g, "50%"), "\\mathrm{50\\%}");
}

static void formulas_look_as_on_paper(void **state) {
    cr_graph *g = *state;
    cr_node x = scalar(g, "x"), y = scalar(g, "y"), w = scalar(g, "w");
    expect(cr_powi(cr_sub(cr_mul(w, x), y), 2), "\\left(w \\, x - y\\right)^{2}");
    expect(cr_div(cr_add(x, y), w), "\\frac{x + y}{w}");
    expect(cr_powi(cr_div(x, y), 3), "\\left(\\frac{x}{y}\\right)^{3}");
    expect(cr_sqrt(cr_add(cr_number(g, 1), cr_square(x))), "\\sqrt{1 + x^{2}}");
    expect(cr_mul(cr_sin(x), cr_exp(x)), "\\sin\\left(x\\right) \\, \\exp\\left(x\\right)");
    expect(cr_mul(x, cr_number(g, 2)), "x \\cdot 2");
    expect(cr_pow(x, cr_neg(y)), "x^{-y}");
    expect(cr_neg(cr_recip(x)), "-\\frac{1}{x}");
    expect(cr_abs(x), "\\left|x\\right|");
    expect(cr_sigmoid(x), "\\operatorname{sigmoid}\\left(x\\right)");
    expect(cr_where(cr_le(x, y), x, y),
           "\\begin{cases} x & \\text{if } x \\le y \\\\ y & \\text{otherwise} \\end{cases}");
}

static void reductions_show_their_axes(void **state) {
    cr_graph *g = *state;
    cr_node m = cr_input(g, "m", CR_F64, 2, (int64_t[]){2, 3});
    expect(cr_sum(m, 0, NULL, false), "\\sum m");
    expect(cr_sum(m, 1, (int[]){1}, false), "\\sum_{\\text{axis }-1} m");
    expect(cr_max(m, 1, (int[]){1}, false), "\\max\\left(m\\text{, axis=-1}\\right)");
    expect(cr_matmul(m, cr_t(m)), "m \\, m^{\\top}");
    expect(cr_mul(cr_sum(m, 0, NULL, false), m), "\\left(\\sum m\\right) \\, m");
    expect(cr_slice(m, 2, (int64_t[]){1, 0}, (int64_t[]){1, 1}, (int64_t[]){1, 3}), "m\\text{[1:]}");
}

static void numbers_are_set_with_powers_of_ten(void **state) {
    cr_graph *g = *state;
    cr_node x = scalar(g, "x");
    expect(cr_number(g, 1e-5), "10^{-5}");
    expect(cr_number(g, -2.5e300), "-2.5 \\cdot 10^{300}");
    expect(cr_powi(cr_number(g, 1e-5), 2), "\\left(10^{-5}\\right)^{2}");
    expect(cr_mul(cr_number(g, 0.001), x), "0.001 \\, x");
    expect(cr_number(g, -INFINITY), "-\\infty");
    expect(cr_mul(cr_number(g, -2), x), "-2 \\, x");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(names_get_indices_accents_and_greek_letters),
        TEST(formulas_look_as_on_paper),
        TEST(reductions_show_their_axes),
        TEST(numbers_are_set_with_powers_of_ten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
