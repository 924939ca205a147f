/* Memory. The n-th allocation fails, and all from the n-th on, in all that allocates: each time a status of no memory, no leak, no block
 * given back wrongly. Files, formats and training steps have such tests of their own (tests/file, tests/explain, tests/run). */
#include "support/files.h"

static cr_node scalar(cr_graph *g, const char *name) { return cr_input(g, name, CR_F64, 0, NULL); }

static cr_status graph_status(cr_graph *g) { return g ? cr_graph_status(g) : CR_ENOMEM; }

/* Every way to append nodes: builders, an op by name, formulas, names, scopes, both modes, twice. */
static cr_status build(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    const double axis = -1, numbers[32] = {1, 2, 3};
    const cr_attr attr = {"axis", 1, &axis, NULL};
    cr_node x = cr_input(g, "x", CR_F64, 2, (int64_t[]){4, 8}),
            w = cr_param(g, "w", CR_F64, 1, (int64_t[]){8}), d[2], t;
    cr_graph_at(g, "file.c", 1, 2);
    cr_status entered = g ? cr_scope_enter(g, "h") : CR_ENOMEM;
    cr_node many[12];
    for (int i = 0; i < 12; i++) many[i] = cr_mul(x, cr_number(g, i + 2));
    cr_node y =
        cr_named(cr_op(g, "softmax", 1, (cr_node[]){cr_mul(cr_concat(12, many, 0), w)}, 1, &attr), "y");
    if (!entered) cr_scope_leave(g);
    cr_const(g, CR_F64, 1, (int64_t[]){32}, numbers);
    cr_node loss = cr_add(cr_sum(cr_mul(y, y), 0, NULL, false), cr_formula(g, "sum(sort(w)^2)"));
    cr_param_init(w, cr_number(g, 1));
    cr_grad(d, loss, 2, (cr_node[]){w, x});
    cr_node again = cr_sum(d[0], 0, NULL, false);
    cr_grad(d, again, 1, &w);
    cr_vjp(d, 1, &y, &y, 1, &w);
    cr_jvp(&t, 1, &loss, 1, &w, &w);
    cr_jacobian(d, y, 1, &w, CR_FORWARD);
    cr_jacobian(d, y, 1, &w, CR_REVERSE);
    cr_hessian(d, loss, 1, &w);
    cr_hvp(d, loss, 1, &w, &w);
    cr_vmap(d, 1, &loss, 1, &w, &x);
    cr_simplify(t);
    cr_stable(t);
    cr_status s = entered ? entered : graph_status(g);
    cr_graph_free(g);
    return s;
}

static cr_status evaluate(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_eval *e = NULL;
    cr_text *text = NULL;
    cr_array *array = NULL, *narrow = NULL;
    const double at = 2;
    cr_node x = scalar(g, "x"), y = cr_formula(g, "sum(x*[1, 2, 3] + sort([x, 1, 2]))"), d;
    cr_grad(&d, y, 1, &x);
    cr_status s = graph_status(g);
    if (!s) s = cr_eval_new(&e, g, NULL);
    if (!s) s = cr_eval_set(e, x, CR_F64, &at, sizeof at);
    if (!s) s = cr_eval_array(&array, e, d);
    if (!s) s = cr_array_cast(&narrow, array, CR_F32);
    if (!s) s = cr_text_new(&text, ctx);
    if (!s) s = cr_array_print(text, narrow, true);
    if (!s) s = cr_print(text, d);
    if (!s) s = cr_print_latex(text, d);
    if (!s) s = cr_check(text, e, y, 1, &x, 1e-6, 1e-8);
    cr_array_free(narrow);
    cr_array_free(array);
    cr_text_free(text);
    cr_eval_free(e);
    cr_graph_free(g);
    return s;
}

/* Functions and what runs them, differentiated twice; arg: the device. */
static cr_status control(cr_context *ctx, void *arg) {
    cr_graph *b = cr_graph_new(ctx), *g = cr_graph_new(ctx);
    cr_node in[2] = {scalar(b, "h"), scalar(b, "k")}, y = cr_formula(b, "sin(h)*k"),
            more = cr_formula(b, "h < 3 - k"), d;
    cr_function *step = NULL, *condition = NULL;
    cr_options *o = cr_options_new(ctx);
    cr_target *t = g ? cr_target_new(g) : NULL;
    cr_program *p = NULL;
    cr_run *r = NULL;
    double hv = 0.3, kv = 0.5, out;
    cr_status s = graph_status(b);
    if (!s) s = graph_status(g);
    if (!s && (!o || !t)) s = CR_ENOMEM;
    if (!s) s = cr_function_new(&step, 2, in, 1, &y);
    if (!s) s = cr_function_new(&condition, 2, in, 1, &more);
    cr_node h = scalar(g, "h"), k = scalar(g, "k"), z, x[2] = {h, k}, w;
    if (!s) s = cr_scan(&z, step, 3, false, 1, &h, 0, NULL, 1, &k);
    if (!s) s = cr_while(&w, condition, step, 4, 1, &h, 1, &k);
    if (!s) s = cr_cond(&w, cr_lt(h, k), step, step, 2, (cr_node[]){w, z});
    if (!s) s = cr_grad(x, w, 1, &h);
    d = x[0];
    if (!s) s = cr_options_set(o, "device", arg);
    if (!s) s = cr_target_output(t, "d", d);
    if (!s) s = cr_compile(&p, t, o);
    if (!s) s = cr_run_new(&r, p, NULL, NULL, 0);
    if (!s) s = cr_bind(r, "h", CR_F64, &hv, sizeof hv);
    if (!s) s = cr_bind(r, "k", CR_F64, &kv, sizeof kv);
    if (!s) s = cr_bind(r, "d", CR_F64, &out, sizeof out);
    if (!s && (s = cr_step(r)) == CR_ELIMIT) s = CR_OK; /* four steps are too few: told, and nothing leaks */
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_options_free(o);
    cr_function_free(step);
    cr_function_free(condition);
    cr_graph_free(b);
    cr_graph_free(g);
    return s;
}

/* With strides and threads of the host's; arg: the device. */
static cr_status run(cr_context *ctx, void *arg) {
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = g ? cr_target_new(g) : NULL;
    cr_options *o = cr_options_new(ctx);
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_text *text = NULL;
    double in[64] = {0}, out;
    int64_t shape[2] = {4, 8}, strides[2] = {1, 4};
    cr_tensor view = {
        .data = in, .device = {1, 0}, .ndim = 2, .dtype = {2, 64, 1}, .shape = shape, .strides = strides};
    cr_input(g, "x", CR_F64, 2, shape);
    cr_node y = cr_formula(g, "sum(iota(8)*(x @ t(x))[0, 0] + cumsum(x)[1]) + sum(sort(x)[0])");
    cr_status s = graph_status(g);
    if (!s && (!t || !o)) s = CR_ENOMEM;
    if (!s) s = cr_options_set(o, "device", arg);
    if (!s) s = cr_target_output(t, "y", y);
    if (!s) s = cr_compile(&p, t, o);
    if (!s) s = cr_text_new(&text, ctx);
    if (!s) s = cr_program_print(text, p);
    if (!s) s = cr_run_new(&r, p, NULL, NULL, 0);
    if (!s) s = cr_bind_tensor(r, "x", &view);
    if (!s) s = cr_bind(r, "y", CR_F64, &out, sizeof out);
    if (!s) s = cr_step(r);
    cr_text_free(text);
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return s;
}

static cr_status load_and_fit(cr_context *ctx, void *arg) {
    cr_graph *g = NULL;
    cr_model *m = NULL;
    cr_store *store = NULL;
    cr_fit *f = NULL;
    cr_text *why = NULL;
    double x[3] = {1, 2, 3}, y[3] = {2, 4, 6};
    cr_status s = cr_text_new(&why, ctx);
    if (!s) s = cr_model_load(&m, arg, ctx, why);
    if (!s) s = cr_model_size(m, "n", 3);
    if (!s && !(g = cr_graph_new(ctx))) s = CR_ENOMEM;
    if (!s) s = cr_model_build(NULL, m, g, why);
    if (!s) s = cr_store_new(&store, ctx);
    cr_node w = cr_find(g, "w"), loss = cr_find(g, "loss");
    if (!s) s = cr_fit_new(&f, loss, 1, &w, store);
    if (!s) s = cr_fit_bind(f, "x", CR_F64, x, sizeof x);
    if (!s) s = cr_fit_bind(f, "y", CR_F64, y, sizeof y);
    if (!s) s = cr_fit_run(f);
    cr_fit_free(f);
    cr_store_free(store);
    cr_model_free(m);
    cr_text_free(why);
    cr_graph_free(g);
    return s;
}

static cr_status draw(cr_context *ctx, void *arg) {
    (void)arg;
    cr_plot *plot = NULL;
    cr_text *text = NULL;
    const double x[3] = {1, 2, 3};
    cr_status s = cr_plot_new(&plot, ctx);
    if (!s) s = cr_plot_labels(plot, "title", "x", "y");
    if (!s) s = cr_plot_add(plot, "points", false, 3, x, x);
    if (!s) s = cr_plot_add(plot, "line", true, 3, x, x);
    if (!s) s = cr_text_new(&text, ctx);
    if (!s) s = cr_plot_svg(text, plot);
    if (!s) s = cr_op_manual(text);
    cr_plot_free(plot);
    cr_text_free(text);
    return s;
}

TEST(building_and_differentiating_fail_whole) {
    (void)state;
    alloc_fail_each_told(build, NULL);
}

TEST(evaluating_printing_and_checking_fail_whole) {
    (void)state;
    alloc_fail_each_told(evaluate, NULL);
}

TEST(compiling_and_running_fail_whole_on_each_device) {
    (void)state;
    char cpu[] = "cpu", reference[] = "reference";
    alloc_fail_each_told(run, cpu);
    alloc_fail_each_told(run, reference);
    alloc_fail_each(control, cpu);
    alloc_fail_each(control, reference);
}

TEST(loading_a_model_and_fitting_it_fail_whole) {
    (void)state;
    static const char model[] = "input x: f64[n]\ninput y: f64[n]\nparam w = 1\nloss = mean((w*x - y)^2)\n";
    char path[512];
    snprintf(path, sizeof path, "%s", temp_file("m.cr", model, sizeof model - 1));
    alloc_fail_each(load_and_fit, path); /* a warning that has no room for names does without */
}

TEST(plots_and_manuals_fail_whole) {
    (void)state;
    alloc_fail_each_told(draw, NULL);
}

/* Values while the graph grows take what is new, not what is there: 600 nodes, each asked for as it comes. */
TEST(a_value_of_a_large_graph_takes_the_memory_of_what_is_new) {
    (void)state;
    enum { nodes = 600 };
    struct failing memory = {0};
    cr_context *ctx;
    cr_eval *e;
    size_t least[2] = {SIZE_MAX,
                       SIZE_MAX}; /* of the first hundred, and of the last: now and then a table grows */
    double value = 0, one = 1;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    cr_graph *g = cr_graph_new(ctx);
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    cr_node x = scalar(g, "x"), y = x;
    assert_int_equal(cr_eval_set(e, x, CR_F64, &one, sizeof one), CR_OK);
    for (int i = 1; i < nodes; i++) {
        y = cr_add(y, x);
        size_t before = memory.peak = memory.bytes;
        value = cr_eval_number(e, y);
        size_t *of = i <= 100 ? &least[0] : i > nodes - 100 ? &least[1] : NULL;
        if (of && memory.peak - before < *of) *of = memory.peak - before;
    }
    assert_true(value == nodes);
    assert_true(least[1] <= least[0] + 64); /* names of nodes are numbers */
    cr_eval_free(e);
    cr_graph_free(g);
    cr_context_free(ctx);
    assert_int_equal(memory.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(building_and_differentiating_fail_whole),
        RUN(evaluating_printing_and_checking_fail_whole),
        RUN(compiling_and_running_fail_whole_on_each_device),
        RUN(loading_a_model_and_fitting_it_fail_whole),
        RUN(plots_and_manuals_fail_whole),
        RUN(a_value_of_a_large_graph_takes_the_memory_of_what_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
