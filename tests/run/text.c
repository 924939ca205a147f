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

/* How often the text of the program of all outputs has a word. */
static int words_of(const struct two *b, const char *word) {
    cr_program *p = NULL;
    struct cr_text text = text_make(&b->g->mem);
    if (cr_compile(&p, b->t, NULL)) fail_msg("%s", cr_graph_error(b->g));
    struct kernel_units *units = calloc(p->plan.steps, sizeof *units);
    const struct kernel_wish wish = {true, true, p, control_emit};
    assert_int_equal(emit_kernels(&text, &p->plan, p->loop, units, &wish), CR_OK);
    int n = times(text.s, word);
    free(units);
    cr_program_free(p);
    text_drop(&text);
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

TEST(a_number_of_a_row_is_read_once_before_the_line) {
    (void)state;
    struct two b;
    start(&b);
    input(&b, CR_F32, 2, (int64_t[]){100, 16}, -1, 1), input(&b, CR_F32, 2, (int64_t[]){100, 1}, -1, 1);
    output(&b, formula(&b, "sum(x1*x0 + x0*x1*x1, axis=0)"));
    assert_int_equal(words_of(&b, "input2[i]"), 1);
    drop(&b);
}

/* Counted in 64 bits, compilers make them narrow again for each vector. */
TEST(places_in_lanes_are_counted_in_32_bits) {
    (void)state;
    struct two b;
    start(&b);
    input(&b, CR_F32, 2, (int64_t[]){40, 300}, -1, 1);
    output(&b, formula(&b, "softmax(where(iota(300)[None, :] <= iota(40)[:, None], x0, -inf))"));
    assert_true(words_of(&b, "(int32_t)at + 0 + lane") > 0);
    assert_true(words_of(&b, "(int32_t)at + 48 + lane") > 0);
    drop(&b);
}

/* ---- A product and the loop behind it ---- */

static void layer(struct two *b, cr_dtype dtype, int64_t rows, int64_t columns) {
    start(b);
    input(b, dtype, 2, (int64_t[]){rows, 6}, -1, 1), input(b, dtype, 2, (int64_t[]){6, columns}, -1, 1);
    input(b, dtype, 1, (int64_t[]){columns}, -1, 1), input(b, dtype, 2, (int64_t[]){rows, columns}, -1, 1);
}

/* Read by rows and columns, and twice as numbers in a row. */
TEST(a_loop_takes_the_product_before_it_from_registers_with_the_same_bits) {
    (void)state;
    static const char *const texts[] = {"relu(x0 @ x1 + x2)", "x3 + (x0 @ x1)*(x0 @ x1)"};
    for (int i = 0; i < 2; i++) {
        struct two b;
        layer(&b, i ? CR_F64 : CR_F32, i ? 50 : 13, i ? 24 : 40);
        output(&b, formula(&b, texts[i]));
        assert_int_equal(words_of(&b, ") both_"), 1);
        compare(&b, "cc");
        drop(&b);
    }
}

TEST(a_product_that_others_read_too_is_stored) {
    (void)state;
    static const struct {
        const char *y, *also;
    } of[] = {{"relu(x0 @ x1 + x2)", "x0 @ x1"},      /* it is a result */
              {"relu(x0 @ x1 + x2)", "sum(x0 @ x1)"}, /* another loop's, or a fold's in the same */
              {"x3 + (x0 @ x1)[::-1]", "x3*2"}};      /* in another order */
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct two b;
        layer(&b, CR_F32, 13, 24);
        output(&b, formula(&b, of[i].y)), output(&b, formula(&b, of[i].also));
        assert_int_equal(words_of(&b, ") both_"), 0);
        drop(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_single_number_is_read_once_before_the_loops),
        RUN(a_number_of_a_row_is_read_once_before_the_line),
        RUN(places_in_lanes_are_counted_in_32_bits),
        RUN(a_loop_takes_the_product_before_it_from_registers_with_the_same_bits),
        RUN(a_product_that_others_read_too_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
