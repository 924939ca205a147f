/* The plan of a program as text. */
#include "support/test.h"

static void plan_is(const char *formula, bool update, const char *expected) {
    cr_graph *g = cr_graph_new(NULL);
    cr_program *p = NULL;
    cr_text *text;
    cr_input(g, "x", CR_F64, 1, (int64_t[]){3});
    cr_node w = cr_param(g, "w", CR_F64, 1, (int64_t[]){3}), y = cr_named(cr_formula(g, formula), "y");
    cr_target *t = cr_target_new(g);
    assert_int_equal(cr_target_output(t, "y", y), CR_OK);
    if (update) assert_int_equal(cr_target_update(t, w, cr_mul(w, cr_number(g, 0.5))), CR_OK);
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(cr_program_print(text, p), CR_OK);
    assert_string_equal(cr_text_str(text), expected);
    cr_text_free(text);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

/* Three numbers of eight bytes; w*x lives in the loop alone. */
TEST(a_fused_chain_is_one_step_and_writes_its_last_value_alone) {
    (void)state;
    plan_is("sin(w*x)", false,
            "1: loop, writes 24 bytes\n    %3 = mul(w, x): f64[3]\n    y = sin(%3): f64[3]\n");
}

TEST(updates_are_told_after_the_steps) {
    (void)state;
    plan_is("sin(w*x)", true,
            "1: loop, writes 24 bytes\n    %3 = mul(w, x): f64[3]\n    y = sin(%3): f64[3]\n"
            "2: loop for updates alone, writes 24 bytes\n    %7 = mul(w, %6): f64[3]\nupdate: w takes %7, in "
            "place\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {RUN(a_fused_chain_is_one_step_and_writes_its_last_value_alone),
                                       RUN(updates_are_told_after_the_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
