/* Functions that steps run, compiled with the program that runs them; and long loops that go through memory together: the bits of the built-in way. */
#include "run/control.h"
#include "support/alloc.h"
#include "support/two.h"

/* What is compiled of the program of all outputs, as text; units: by step. */
static struct cr_text kernels_of(const struct two *b, size_t *steps, size_t *made) {
    cr_program *p = NULL;
    struct cr_text text = text_make(&b->g->mem);
    if (cr_compile(&p, b->t, NULL)) fail_msg("%s", cr_graph_error(b->g));
    struct kernel_units *units = calloc(p->plan.steps, sizeof *units);
    struct kernel_wish wish = {true, true, p, control_emit};
    assert_int_equal(emit_kernels(&text, &p->plan, p->loop, units, &wish), CR_OK);
    *steps = p->plan.steps, *made = 0;
    for (size_t s = 0; s < *steps; s++) *made += units[s].made;
    free(units);
    cr_program_free(p);
    return text;
}

/* ---- Functions ---- */

static const char *const functions = "fn more(a, n, w) = n > 0.5\n"
                                     "fn half(a, n, w) = [sin(a*w) + 0.1*a, n/2]\n"
                                     "fn inner(a, w) = while(more, half, [a, 40.0], most=12, w=w)[0]\n"
                                     "fn up(x, w) = exp(-x*x)*w[0]\n"
                                     "fn down(x, w) = x/(1 + abs(x)) - w[1]\n"
                                     "fn step(c, v, w) {\n"
                                     "    d = inner(c, w)\n"
                                     "    e = cond(sum(d) > v, up, down, d, w)\n"
                                     "    [e + checkpoint(up, d, w), norm(e)]\n"
                                     "}\n";

/* A while and a cond in a scan, with a result at each step, and its gradients: one function. */
TEST(functions_in_functions_give_the_same_bits) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct two b;
        size_t steps, made;
        cr_text *all = NULL;
        cr_dtype dtype = i ? CR_F32 : CR_F64;
        start(&b);
        input(&b, dtype, 1, (int64_t[]){2}, -1, 1), input(&b, dtype, 1, (int64_t[]){7}, -1, 1);
        input(&b, dtype, 1, (int64_t[]){2}, 0.5, 1.5);
        assert_int_equal(cr_text_new(&all, NULL), CR_OK);
        cr_text_append(all, functions);
        cr_text_append(all, "r = scan(step, x0, x1, w=x2); concat(r[0], r[1])");
        cr_node y = formula(&b, cr_text_str(all));
        output(&b, y);
        cr_text_free(all);
        cr_node loss = cr_sum(cr_square(y), 0, NULL, false), d[2];
        cr_grad(d, loss, 2, (cr_node[]){b.x[0], b.x[2]});
        output(&b, d[0]), output(&b, d[1]);
        struct cr_text text = kernels_of(&b, &steps, &made);
        assert_int_equal(made, steps);
        text_drop(&text);
        compare(&b, "cc");
        drop(&b);
    }
}

/* The sentence of a step that fails, and what the outputs hold then. */
static void failing(struct two *b, const char *compiler, char sentence[512], double *y, void *bad,
                    int64_t good) {
    cr_options *o = cr_options_new(NULL);
    cr_program *p = NULL;
    cr_run *r = NULL;
    if (compiler) {
        cr_options_set(o, "compile", compiler);
        cr_options_set(o, "cache", temp_path("cache"));
    }
    if (cr_compile(&p, b->t, o)) fail_msg("%s", cr_graph_error(b->g));
    if (cr_program_compiled(p) != (compiler != NULL)) fail_msg("%s", cr_program_way(p));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < b->inputs; i++)
        assert_int_equal(cr_bind(r, cr_name(b->x[i]), cr_dtype_of(b->x[i]), b->data[i], bytes_of(b->x[i])),
                         CR_OK);
    assert_int_equal(cr_bind(r, "y0", CR_F64, y, sizeof *y), CR_OK);
    assert_int_not_equal(cr_step(r), CR_OK);
    strcpy(sentence, cr_run_error(r));
    memcpy(bad, &good, sizeof good); /* with this it goes well */
    assert_int_equal(cr_step(r), CR_OK);
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
}

/* A function that fails runs again, which says in which step of which loop. */
TEST(a_loop_that_does_not_end_says_the_same) {
    (void)state;
    static const char text_of_one[] = "fn more(a) = a < 100\n"
                                      "fn twice(a) = 2*a\n"
                                      "while(more, twice, x0, most=3) + 0*sum(x1)";
    for (int i = 0; i < 2; i++) {
        struct two b;
        char built_in[512], compiled[512];
        double y[2];
        size_t steps, made;
        const double sixty = 60;
        int64_t good;
        memcpy(&good, &sixty, sizeof good);
        start(&b);
        input(&b, CR_F64, 0, NULL, 1, 2), input(&b, CR_F64, 1, (int64_t[]){4}, 1, 2);
        output(&b, formula(&b, i ? text_of_one
                                 : "fn more(a) = a < 100\n"
                                   "fn twice(a) = 2*a\n"
                                   "fn step(c, v) = c + while(more, twice, v*c, most=3)\n"
                                   "scan(step, x0, x1)"));
        struct cr_text kernels = kernels_of(&b, &steps, &made);
        assert_int_equal(made, steps);
        text_drop(&kernels);
        *(double *)b.data[0] = 1.5;
        failing(&b, NULL, built_in, &y[0], b.data[0], good);
        *(double *)b.data[0] = 1.5;
        failing(&b, "cc", compiled, &y[1], b.data[0], good);
        assert_string_equal(compiled, built_in);
        assert_non_null(strstr(compiled, "3"));
        assert_memory_equal(&y[0], &y[1], sizeof y[0]);
        drop(&b);
    }
}

/* Tables of few numbers, in a program and in a function; an index out of range is told as ever. */
TEST(few_numbers_are_picked_and_added_the_same) {
    (void)state;
    static const char *const texts[] = {
        "gather(x1, x2)*2",
        "scatter_add(x1*x1, x2, 7)",
        "gather(x3, x2)",
        "grad(sum(gather(x3, x2)^3), x3)",
        "fn step(c, i, t) = c*gather(t, i) + sin(c); scan(step, sum(x1), x2, t=x1)",
        "fn step(c, i, t) = c*gather(t, i) + sin(c); grad(scan(step, sum(x1), x2, t=x1), x1)",
    };
    struct two b;
    size_t steps, made;
    char built_in[512], compiled[512];
    double y[2];
    start(&b);
    input(&b, CR_F64, 0, NULL, 1, 2), input(&b, CR_F64, 1, (int64_t[]){5}, -1, 1);
    input(&b, CR_I64, 1, (int64_t[]){5}, -5, 5), input(&b, CR_F64, 2, (int64_t[]){5, 3}, -1, 1);
    output(&b, cr_add(b.x[0], formula(&b, "0*sum(gather(x1, x2))")));
    formulas(&b, texts, sizeof texts / sizeof *texts);
    struct cr_text kernels = kernels_of(&b, &steps, &made);
    assert_int_equal(made, steps);
    text_drop(&kernels);
    compare(&b, "cc");
    int64_t *index = b.data[2], before = index[3];
    index[3] = 5;
    failing(&b, NULL, built_in, &y[0], &index[3], before);
    index[3] = 5;
    failing(&b, "cc", compiled, &y[1], &index[3], before);
    assert_string_equal(compiled, built_in);
    assert_memory_equal(&y[0], &y[1], sizeof y[0]);
    drop(&b);
}

/* Rows and carries of some size, rows the other way round, a count of steps known in the run, and what is gathered since it does not run on. */
TEST(carries_rows_and_views_give_the_same_bits) {
    (void)state;
    static const char *const texts[] = {
        "fn f(c, v) { s = c*0.5 + v; [s, s[:3], sum(v)] }; r = scan(f, x0, x1); r[0]*sum(r[1])*sum(r[2])",
        "fn back(c, v) = [c*v + 1, 2*c]; r = scan(back, x0, x1, reverse=true); sum(r[1], axis=0) + r[0]",
        "fn step(c, v, k) = c*v + k; scan(step, x0[::-1], t(x3), k=x0[::-1])",
        "fn twice(v) = [2*v, v[1:]]; r = map(twice, x1); sum(r[0]) + sum(r[1]*x1[:, :-1])",
        "fn some(c) = sin(c) + 1; scan(some, x0, steps=x2, most=9)",
        "fn step(c, v) = c*sin(v) + v*v; grad(sum(scan(step, x0, x1)^2), x1)",
    };
    struct two b;
    start(&b);
    input(&b, CR_F64, 1, (int64_t[]){40}, -1, 1), input(&b, CR_F64, 2, (int64_t[]){6, 40}, -1, 1);
    input(&b, CR_I64, 0, NULL, 5, 6), input(&b, CR_F64, 2, (int64_t[]){40, 6}, -1, 1);
    formulas(&b, texts, sizeof texts / sizeof *texts);
    compare(&b, "cc");
    drop(&b);
}

/* ---- Chains ---- */

/* Numbers read before and behind their place, written where others are read for the last time. */
static void chains(cr_dtype dtype, int64_t n, const char *compiler) {
    static const char *const texts[] = {
        "y = x0*concat([1.0], x1[:-1]); z = sin(y + concat(y[1:], [0.5])); z*concat(x1[:2], z[:-2]) + y",
        "k = x0*concat([1.0], x1[:-1]); m = x0*concat([2.0], (x1 + k)[:-1]); k + m*concat(m[5:], x0[:5])",
        "u = concat(exp(x0)[7:], x1[:7]); v = concat(x0[:3], (u*x1)[:-3]); w = concat(v[1:], [0.0]); u + v*w",
    };
    struct two b;
    size_t steps, made;
    start(&b);
    input(&b, dtype, 1, &n, -1, 1), input(&b, dtype, 1, &n, -1, 1);
    formulas(&b, texts, sizeof texts / sizeof *texts);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_node loss = cr_sum(cr_square(b.y[i]), 0, NULL, false), d[2];
        cr_grad(d, loss, 2, b.x);
        output(&b, d[0]), output(&b, d[1]);
    }
    struct cr_text text = kernels_of(&b, &steps, &made);
    if ((strstr(cr_text_str(&text), "chain_") != NULL) != (n >= 512)) fail_msg("chains of %d", (int)n);
    if ((strstr(cr_text_str(&text), "char room[") != NULL) != (n > 2000)) fail_msg("windows of %d", (int)n);
    text_drop(&text);
    compare(&b, compiler);
    drop(&b);
}

TEST(long_loops_that_run_together_give_the_same_bits) {
    (void)state;
    chains(CR_F64, 300, "cc");
    chains(CR_F64, 2503, "cc");
    chains(CR_F32, 1000, "cc");
    if (system("clang --version >/dev/null 2>&1") == 0) chains(CR_F64, 2049, "clang");
}

/* In the steps of a loop, whose carries change places. */
TEST(long_loops_in_a_function_give_the_same_bits) {
    (void)state;
    struct two b;
    int64_t n = 3001;
    start(&b);
    input(&b, CR_F64, 1, &n, -1, 1);
    cr_node y = formula(&b, "fn slope(x, y) = x*concat([1.0], y[:-1])\n"
                            "fn step(y, x) { k = slope(x, y); y + 0.1*(k + 2*slope(x, y + 0.05*k)) }\n"
                            "scan(step, 0*x0, steps=5, x=x0)");
    output(&b, y);
    cr_node d, loss = cr_sum(cr_square(y), 0, NULL, false);
    cr_grad(&d, loss, 1, b.x);
    output(&b, d);
    compare(&b, "cc");
    drop(&b);
}

/* ---- Memory ---- */

static cr_status write_kernels(cr_context *ctx, void *arg) {
    static const char text[] =
        "fn more(a) = a < 100\n"
        "fn twice(a) = 2*a\n"
        "fn step(c, v) = c + while(more, twice, v*c)\n"
        "y = x1*concat(x1[1:], [1.0]); sum(y*concat([1.0], y[:-1])) + scan(step, 1.5, x0)";
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = g ? cr_target_new(g) : NULL;
    cr_program *p = NULL;
    cr_status status = CR_ENOMEM;
    if (t) {
        cr_input(g, "x0", CR_F64, 1, (int64_t[]){3}), cr_input(g, "x1", CR_F64, 1, (int64_t[]){600});
        status = cr_target_output(t, "y", cr_formula(g, text));
    }
    if (!status) status = cr_compile(&p, t, NULL);
    if (!status) {
        struct cr_text out = text_make(&p->mem);
        struct kernel_units *units = calloc(p->plan.steps, sizeof *units);
        struct kernel_wish wish = {true, true, p, control_emit};
        status = emit_kernels(&out, &p->plan, p->loop, units, &wish);
        if (!status) status = text_status(&out);
        text_drop(&out);
        free(units);
    }
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return status;
}

TEST(every_failed_allocation_is_a_status) {
    (void)state;
    alloc_fail_each(write_kernels, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(functions_in_functions_give_the_same_bits),
        RUN(a_loop_that_does_not_end_says_the_same),
        RUN(few_numbers_are_picked_and_added_the_same),
        RUN(carries_rows_and_views_give_the_same_bits),
        RUN(long_loops_that_run_together_give_the_same_bits),
        RUN(long_loops_in_a_function_give_the_same_bits),
        RUN(every_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
