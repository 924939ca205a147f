/* The plan of a program as text. */
#include "support/test.h"

static void plan_is(cr_target *t, const char *expected) {
    cr_program *p = NULL;
    cr_text *text;
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(cr_program_print(text, p), CR_OK);
    assert_string_equal(cr_text_str(text), expected);
    cr_text_free(text);
    cr_program_free(p);
}

static void plan_of_formula(const char *formula, bool update, const char *expected) {
    cr_graph *g = cr_graph_new(NULL);
    cr_input(g, "x", CR_F64, 1, (int64_t[]){3});
    cr_node w = cr_param(g, "w", CR_F64, 1, (int64_t[]){3}), y = cr_named(cr_formula(g, formula), "y");
    cr_target *t = cr_target_new(g);
    assert_int_equal(cr_target_output(t, "y", y), CR_OK);
    if (update) assert_int_equal(cr_target_update(t, w, cr_mul(w, cr_number(g, 0.5))), CR_OK);
    plan_is(t, expected);
    cr_target_free(t);
    cr_graph_free(g);
}

/* Three numbers of eight bytes; w*x lives in the loop alone. */
TEST(a_fused_chain_is_one_step_and_writes_its_last_value_alone) {
    (void)state;
    plan_of_formula("sin(w*x)", false,
                    "1 step: 48 bytes read, 24 written, 6 operations; 24 bytes of values\n"
                    "1: loop, 48 bytes read, 24 written, 6 operations\n"
                    "    %3 = mul(w, x): f64[3]\n    y = sin(%3): f64[3]\n");
}

/* w, and the literal. */
TEST(updates_are_told_after_the_steps) {
    (void)state;
    plan_of_formula("sin(w*x)", true,
                    "2 steps: 80 bytes read, 48 written, 9 operations; 24 bytes of values\n"
                    "1: loop, 48 bytes read, 24 written, 6 operations\n"
                    "    %3 = mul(w, x): f64[3]\n    y = sin(%3): f64[3]\n"
                    "2: loop for updates alone, 32 bytes read, 24 written, 3 operations\n"
                    "    %7 = mul(w, 0.5): f64[3]\nupdate: w takes %7, in place\n");
}

/* Four steps of one sum each. */
TEST(loops_of_functions_are_steps_too) {
    (void)state;
    cr_graph *b = cr_graph_new(NULL), *g = cr_graph_new(NULL);
    cr_node in[2] = {cr_input(b, "c", CR_F64, 0, NULL), cr_input(b, "v", CR_F64, 0, NULL)},
            sum = cr_add(in[0], in[1]);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){4}), start = cr_input(g, "s", CR_F64, 0, NULL), y;
    cr_function *add = NULL;
    assert_int_equal(cr_function_new(&add, 2, in, 1, &sum), CR_OK);
    assert_int_equal(cr_scan(&y, add, 4, false, 1, &start, 1, &x, 0, NULL), CR_OK);
    cr_target *t = cr_target_new(g);
    assert_int_equal(cr_target_output(t, "y", cr_named(y, "y")), CR_OK);
    plan_is(t, "1 step: 40 bytes read, 8 written, 4 operations; 8 bytes of values\n"
               "1: functions, 40 bytes read, 8 written, 4 operations\n"
               "    %3 = scan(s, x): f64[]\n    y = part(%3): f64[]\n");
    cr_target_free(t);
    cr_function_free(add);
    cr_graph_free(g);
    cr_graph_free(b);
}

/* f of c, twice, in a loop of one step. */
static cr_function *twice_within(cr_function *f) {
    cr_graph *b = cr_graph_new(NULL);
    cr_node c = cr_input(b, "c", CR_F64, 0, NULL), y[2], out[2];
    cr_function *of = NULL;
    assert_int_equal(cr_scan(y, f, 1, false, 1, &c, 0, NULL, 0, NULL), CR_OK);
    out[0] = cr_add(y[0], cr_sum(y[1], 0, NULL, false)), out[1] = cr_mul(y[0], y[0]);
    assert_int_equal(cr_function_new(&of, 1, &c, 2, out), CR_OK);
    cr_graph_free(b);
    return of;
}

/* Else each level would be copied for each part of it that is read: 3^30 times. */
TEST(of_loops_of_one_step_in_one_another_the_outer_stay) {
    (void)state;
    enum { levels = 30 };
    cr_graph *b = cr_graph_new(NULL), *g = cr_graph_new(NULL);
    cr_function *f[levels] = {NULL};
    cr_node c = cr_input(b, "c", CR_F64, 0, NULL), out[2] = {cr_sin(c), cr_cos(c)}, y[2];
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL);
    assert_int_equal(cr_function_new(&f[0], 1, &c, 2, out), CR_OK);
    for (int i = 1; i < levels; i++) f[i] = twice_within(f[i - 1]);
    assert_int_equal(cr_scan(y, f[levels - 1], 1, false, 1, &x, 0, NULL, 0, NULL), CR_OK);
    cr_target *t = cr_target_new(g);
    assert_int_equal(cr_target_output(t, "y", cr_named(y[0], "y")), CR_OK);
    assert_int_equal(cr_target_output(t, "z", cr_named(y[1], "z")), CR_OK);
    cr_program *p = NULL;
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_program_steps(p), 1);
    cr_program_free(p);
    cr_target_free(t);
    for (int i = 0; i < levels; i++) cr_function_free(f[i]);
    cr_graph_free(g);
    cr_graph_free(b);
}

/* c + v and what it was before, of one row; the way back needs no loop either. */
TEST(a_loop_of_one_step_is_its_body) {
    (void)state;
    cr_graph *b = cr_graph_new(NULL), *g = cr_graph_new(NULL);
    cr_node in[3] = {cr_input(b, "c", CR_F64, 0, NULL), cr_input(b, "v", CR_F64, 1, (int64_t[]){3}),
                     cr_input(b, "k", CR_F64, 0, NULL)};
    cr_node out[2] = {cr_add(in[0], cr_sum(in[1], 0, NULL, false)), cr_sin(cr_mul(in[1], in[2]))};
    cr_node x = cr_input(g, "x", CR_F64, 2, (int64_t[]){1, 3}), k = cr_input(g, "k", CR_F64, 0, NULL), y[2];
    cr_node start = cr_input(g, "s", CR_F64, 0, NULL);
    cr_function *f = NULL;
    assert_int_equal(cr_function_new(&f, 3, in, 2, out), CR_OK);
    assert_int_equal(cr_scan(y, f, 1, false, 1, &start, 1, &x, 1, &k), CR_OK);
    cr_node loss = cr_mul(y[0], cr_sum(y[1], 0, NULL, false)), d[3], by[3] = {x, k, start};
    assert_int_equal(cr_grad(d, loss, 3, by), CR_OK);
    cr_target *t = cr_target_new(g);
    static const char *const name[] = {"dx", "dk", "ds", "y0", "y1"};
    const cr_node wanted[] = {d[0], d[1], d[2], y[0], y[1]};
    double got[2][9] = {{0}}, at_x[] = {0.5, -1, 2}, at_k = 0.7, at_s = 3;
    for (int i = 0; i < 5; i++) assert_int_equal(cr_target_output(t, name[i], wanted[i]), CR_OK);
    for (int way = 0; way < 2; way++) {
        cr_options *o = cr_options_new(NULL);
        cr_program *p = NULL;
        cr_run *r = NULL;
        cr_text *text;
        assert_int_equal(cr_options_set(o, "rewrite", way ? "none" : "exact"), CR_OK);
        assert_int_equal(cr_compile(&p, t, o), CR_OK);
        assert_int_equal(cr_text_new(&text, NULL), CR_OK);
        assert_int_equal(cr_program_print(text, p), CR_OK);
        assert_int_equal(strstr(cr_text_str(text), "functions") != NULL, way);
        assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
        cr_bind(r, "x", CR_F64, at_x, sizeof at_x), cr_bind(r, "k", CR_F64, &at_k, sizeof at_k);
        cr_bind(r, "s", CR_F64, &at_s, sizeof at_s);
        static const int place[] = {0, 3, 4, 5, 6}, count[] = {3, 1, 1, 1, 3};
        for (int i = 0; i < 5; i++)
            cr_bind(r, name[i], CR_F64, &got[way][place[i]], (size_t)count[i] * sizeof(double));
        assert_int_equal(cr_step(r), CR_OK);
        cr_run_free(r), cr_text_free(text), cr_program_free(p), cr_options_free(o);
    }
    for (int i = 0; i < 9; i++) assert_true(got[0][i] == got[1][i]);
    assert_true(got[0][5] == 4.5);
    cr_target_free(t);
    cr_function_free(f);
    cr_graph_free(g);
    cr_graph_free(b);
}

/* 1*x is x, and its node is gone; x + x stays what it is. */
TEST(stages_go_from_the_graph_to_c) {
    (void)state;
    static const char *const stage[] = {"graph: 5 nodes\n    x = input(): f64[]\n    %2 = sin(x): f64[]\n",
                                        "rewritten: 3 nodes\n",
                                        "    y = add(%2, %2): f64[]\n",
                                        "plan: 1 step: ",
                                        "memory: ",
                                        ": y, steps 1 to ",
                                        "loops: built in\n",
                                        "C:\n/* Made by chainrule "};
    cr_graph *g = cr_graph_new(NULL);
    cr_input(g, "x", CR_F64, 0, NULL);
    cr_node y = cr_named(cr_formula(g, "1*sin(x) + sin(x)"), "y");
    cr_target *t = cr_target_new(g);
    cr_text *text;
    assert_int_equal(cr_target_output(t, "y", y), CR_OK);
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(cr_compile_print(text, t, NULL), CR_OK);
    const char *at = cr_text_str(text);
    for (size_t i = 0; i < sizeof stage / sizeof *stage; i++) {
        const char *found = strstr(at, stage[i]);
        if (!found) fail_msg("'%s' is not in\n%s", stage[i], at);
        at = found + strlen(stage[i]);
    }
    assert_int_equal(cr_compile_print(NULL, t, NULL), CR_EINVAL);
    assert_int_equal(cr_compile_print(text, NULL, NULL), CR_EINVAL);
    cr_text_free(text);
    cr_target_free(t);
    cr_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(stages_go_from_the_graph_to_c),    RUN(a_fused_chain_is_one_step_and_writes_its_last_value_alone),
        RUN(updates_are_told_after_the_steps), RUN(loops_of_functions_are_steps_too),
        RUN(a_loop_of_one_step_is_its_body),   RUN(of_loops_of_one_step_in_one_another_the_outer_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
