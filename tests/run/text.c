/* What the text of compiled loops has, beside its bits: when numbers are read, and when memory is asked for. */
#include "run/control.h"
#include "support/two.h"

/* The text of the one output's program; its functions of the loops alone. */
static const char *loops_of(cr_text **text, const char *formula, int64_t n) {
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_input(g, "x", CR_F32, 1, &n), cr_input(g, "a", CR_F32, 0, NULL);
    cr_target_output(t, "y", cr_formula(g, formula));
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(g));
    struct kernel_units *units = calloc(p->plan.steps, sizeof *units);
    struct kernel_wish wish = {true, true, p, control_emit};
    assert_int_equal(cr_text_new(text, NULL), CR_OK);
    assert_int_equal(emit_kernels(*text, &p->plan, p->loop, units, &wish), CR_OK);
    assert_true(units[0].made);
    free(units);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    const char *from = strstr(cr_text_str(*text), "static void loop_0(");
    return from ? from : strstr(cr_text_str(*text), "loop_0(");
}

static int times(const char *text, const char *word) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word)) n++;
    return n;
}

TEST(a_single_number_is_read_once_before_the_loops) {
    (void)state;
    static const char *const texts[] = {"sum(a*x) + sum(x*a)", "x*a + a", "relu(x - a)*a"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_text *text = NULL;
        const char *loops = loops_of(&text, texts[i], 300);
        assert_int_equal(times(loops, "input2[0]"), 1);
        cr_text_free(text);
    }
}

/* Of what one line of a sum reads, and writes beside: where it is more than a cache has. */
TEST(a_long_sum_asks_for_what_it_comes_to) {
    (void)state;
    cr_text *text = NULL;
    assert_int_equal(times(loops_of(&text, "sum(tanh(a*x))", 1000000), "AHEAD(&"), 1);
    assert_int_equal(times(cr_text_str(text), "AHEAD_TO_WRITE(&"), 0); /* the sum is one number */
    cr_text_free(text);
    assert_int_equal(times(loops_of(&text, "sum(tanh(a*x))", 100000), "AHEAD(&"), 0);
    cr_text_free(text);
    assert_int_equal(times(loops_of(&text, "sum(a*x)", 1000000), "AHEAD(&"), 0);
    cr_text_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_single_number_is_read_once_before_the_loops),
        RUN(a_long_sum_asks_for_what_it_comes_to),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
