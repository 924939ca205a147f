/* Programs and runs: updates, errors, memory. */
#include "support/test.h"

/* w <- w - 0.1 dw for loss = mean((x w - y)^2), with an index that may be out of range when asked. */
static cr_status step_program(cr_program **p, cr_context *ctx, bool indexed) {
    cr_graph *g = cr_graph_new(ctx);
    cr_node x = cr_input(g, "x", CR_F32, 2, (int64_t[]){8, 3}),
            y = cr_input(g, "y", CR_F32, 1, (int64_t[]){8});
    cr_node w = cr_param(g, "w", CR_F32, 1, (int64_t[]){3}), m = cr_param(g, "m", CR_F32, 1, (int64_t[]){3}),
            d;
    cr_node prediction = cr_matmul(x, w);
    if (indexed) prediction = cr_gather(prediction, cr_input(g, "i", CR_I64, 1, (int64_t[]){8}), 0);
    cr_node loss = cr_mse(prediction, y);
    cr_grad(&d, loss, 1, &w);
    cr_node m2 = cr_add(cr_mul(cr_number(g, 0.9), m), d);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", loss);
    cr_target_update(t, m, m2);
    cr_target_update(t, w, cr_sub(w, cr_mul(cr_number(g, 0.1), m2)));
    cr_status s = cr_compile(p, t, NULL);
    cr_target_free(t);
    if (!g) s = CR_ENOMEM;
    else if (cr_graph_status(g)) s = cr_graph_status(g);
    cr_graph_free(g);
    return s;
}

static float xs[24], ys[8];
static int64_t is[8];

static void fill(void) {
    for (int i = 0; i < 24; i++) xs[i] = (float)sin(i * i);
    for (int i = 0; i < 8; i++) ys[i] = xs[3 * i] - 2 * xs[3 * i + 1] + 0.5f * xs[3 * i + 2], is[i] = i;
}

static cr_status train(cr_program *p, cr_store *store, int steps, bool indexed, float *loss) {
    cr_run *r = NULL;
    float zero[3] = {0};
    fill();
    cr_status s = cr_store_set(store, "w", CR_F32, zero, sizeof zero);
    if (!s) s = cr_store_set(store, "m", CR_F32, zero, sizeof zero);
    if (!s) s = cr_run_new(&r, p, store, NULL, 0);
    if (!s) s = cr_bind(r, "x", CR_F32, xs, sizeof xs);
    if (!s) s = cr_bind(r, "y", CR_F32, ys, sizeof ys);
    if (!s && indexed) s = cr_bind(r, "i", CR_I64, is, sizeof is);
    if (!s) s = cr_bind(r, "loss", CR_F32, loss, sizeof *loss);
    for (int i = 0; i < steps && !s; i++) s = cr_step(r);
    cr_run_free(r);
    return s;
}

TEST(training_steps_reach_the_minimum) {
    (void)state;
    cr_program *p;
    cr_store *store;
    float loss, w[3];
    assert_int_equal(step_program(&p, NULL, false), CR_OK);
    cr_store_new(&store, NULL);
    assert_int_equal(train(p, store, 400, false, &loss), CR_OK);
    cr_store_get(store, "w", CR_F32, w, sizeof w);
    assert_near(w[0], 1, 1e-4);
    assert_near(w[1], -2, 1e-4);
    assert_near(w[2], 0.5, 1e-4);
    cr_store_free(store);
    cr_program_free(p);
}

TEST(an_index_out_of_range_fails_the_step_and_leaves_the_store_untouched) {
    (void)state;
    cr_program *p;
    cr_store *store;
    cr_run *r;
    float loss, before[3], after[3];
    assert_int_equal(step_program(&p, NULL, true), CR_OK);
    cr_store_new(&store, NULL);
    assert_int_equal(train(p, store, 3, true, &loss), CR_OK);
    cr_store_get(store, "w", CR_F32, before, sizeof before);
    cr_run_new(&r, p, store, NULL, 0);
    cr_bind(r, "x", CR_F32, xs, sizeof xs);
    cr_bind(r, "y", CR_F32, ys, sizeof ys);
    is[5] = 8;
    cr_bind(r, "i", CR_I64, is, sizeof is);
    assert_int_equal(cr_step(r), CR_EINDEX);
    assert_non_null(strstr(cr_run_error(r), "index 8 is out of range for a size of 8"));
    cr_store_get(store, "w", CR_F32, after, sizeof after);
    assert_memory_equal(before, after, sizeof before);
    is[5] = 5;
    assert_int_equal(cr_step(r), CR_OK); /* and goes on when mended */
    cr_run_free(r);
    cr_store_free(store);
    cr_program_free(p);
}

TEST(bindings_are_checked_by_name_dtype_and_size) {
    (void)state;
    cr_program *p;
    cr_store *store;
    cr_run *r;
    double wrong[24];
    assert_int_equal(step_program(&p, NULL, false), CR_OK);
    cr_store_new(&store, NULL);
    cr_run_new(&r, p, store, NULL, 0);
    assert_int_equal(cr_bind(r, "z", CR_F32, xs, sizeof xs), CR_ENAME);
    assert_int_equal(cr_bind(r, "x", CR_F64, wrong, sizeof wrong), CR_EDTYPE);
    assert_int_equal(cr_bind(r, "x", CR_F32, xs, 4), CR_ESHAPE);
    assert_int_equal(cr_step(r), CR_ESHAPE); /* errors stick */
    assert_int_equal(cr_bind(r, "x", CR_F32, xs, sizeof xs), CR_OK);
    assert_int_equal(cr_step(r), CR_EUNBOUND);
    cr_run_free(r);
    cr_store_free(store);
    cr_program_free(p);
}

TEST(all_updates_read_before_any_is_written) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node a = cr_param(g, "a", CR_F64, 0, NULL), b = cr_param(g, "b", CR_F64, 0, NULL);
    cr_target *t = cr_target_new(g);
    cr_target_update(t, a, b);
    cr_target_update(t, b, a);
    cr_program *p;
    cr_store *s;
    cr_run *r;
    double one = 1, two = 2;
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    cr_store_new(&s, NULL);
    cr_store_set(s, "a", CR_F64, &one, 8);
    cr_store_set(s, "b", CR_F64, &two, 8);
    cr_run_new(&r, p, s, NULL, 0);
    assert_int_equal(cr_step(r), CR_OK);
    cr_store_get(s, "a", CR_F64, &one, 8);
    cr_store_get(s, "b", CR_F64, &two, 8);
    assert_true(one == 2 && two == 1);
    cr_run_free(r);
    cr_store_free(s);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

TEST(a_strided_tensor_is_bound_where_it_stands) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 2, (int64_t[]){2, 3});
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "y", cr_mul(x, cr_number(g, 2)));
    cr_program *p;
    cr_run *r;
    double in[6] = {1, 4, 2, 5, 3, 6}, out[12] = {0};
    int64_t shape[2] = {2, 3}, transposed[2] = {1, 2}, spread[2] = {6, 2};
    cr_tensor view = {
        .data = in, .device = {1, 0}, .ndim = 2, .dtype = {2, 64, 1}, .shape = shape, .strides = transposed};
    cr_tensor result = view;
    result.data = out;
    result.strides = spread;
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    cr_run_new(&r, p, NULL, NULL, 0);
    assert_int_equal(cr_bind_tensor(r, "x", &view), CR_OK);
    assert_int_equal(cr_bind_tensor(r, "y", &result), CR_OK);
    assert_int_equal(cr_step(r), CR_OK);
    const double expected[12] = {2, 0, 4, 0, 6, 0, 8, 0, 10, 0, 12, 0};
    assert_memory_equal(out, expected, sizeof expected);
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

static cr_status everything(cr_context *ctx, void *arg) {
    (void)arg;
    cr_program *p = NULL;
    cr_store *store = NULL;
    cr_model *m = NULL;
    cr_text *why = NULL;
    cr_node y;
    float loss;
    static const char text[] = "input v: f64[n]\nparam b: f64[3] = normal()\nh = dense(v[None, :], 2)\nloss "
                               "= sum(h^2) + sum(sort(v*b)) + mean([v[0], v[1], 2])";
    cr_status s = step_program(&p, ctx, true);
    if (!s) s = cr_store_new(&store, ctx);
    if (!s) s = train(p, store, 2, true, &loss);
    cr_graph *g = s ? NULL : cr_graph_new(ctx);
    if (!s && !g) s = CR_ENOMEM;
    if (!s) s = cr_text_new(&why, ctx);
    if (!s) s = cr_model_new(&m, text, sizeof text - 1, "m", ctx, why);
    if (!s) s = cr_model_declare(m, "v", false, CR_F64, 1, (int64_t[]){3});
    if (!s) s = cr_model_build(&y, m, g, why);
    if (!s) s = cr_store_init(store, g, 1);
    if (!s) s = cr_simplify(y).id ? CR_OK : cr_graph_status(g);
    cr_model_free(m);
    cr_text_free(why);
    cr_graph_free(g);
    cr_store_free(store);
    cr_program_free(p);
    return s;
}

TEST(every_failed_allocation_is_a_status_and_nothing_leaks) {
    (void)state;
    alloc_fail_each_told(everything, NULL);
}

/* What an evaluator knows it copies as leaves that it names by number. */
TEST(a_parameter_may_be_called_as_the_evaluator_calls_what_it_knows) {
    (void)state;
    const char *const format[] = {"#%u", "#%u.0", "#%u.1"};
    for (int i = 0; i < 3; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_eval *e = NULL;
        cr_store *store = NULL;
        char name[24];
        double three = 3, five = 5;
        cr_node p = cr_param(g, "p", CR_F64, 0, NULL);
        snprintf(name, sizeof name, format[i], (unsigned)p.id);
        cr_node q = cr_param(g, name, CR_F64, 0, NULL);
        if (i == 2) cr_param(g, "#1.0", CR_F64, 0, NULL); /* taken too */
        assert_int_equal(cr_store_new(&store, NULL), CR_OK);
        assert_int_equal(cr_store_set(store, name, CR_F64, &five, sizeof five), CR_OK);
        assert_int_equal(cr_eval_new(&e, g, store), CR_OK);
        assert_int_equal(cr_eval_set(e, p, CR_F64, &three, sizeof three), CR_OK);
        assert_true(cr_eval_number(e, cr_add(p, cr_mul(cr_number(g, 10), q))) == 53);
        cr_eval_free(e);
        cr_store_free(store);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_parameter_may_be_called_as_the_evaluator_calls_what_it_knows),
        RUN(training_steps_reach_the_minimum),
        RUN(an_index_out_of_range_fails_the_step_and_leaves_the_store_untouched),
        RUN(bindings_are_checked_by_name_dtype_and_size),
        RUN(all_updates_read_before_any_is_written),
        RUN(a_strided_tensor_is_bound_where_it_stands),
        RUN(every_failed_allocation_is_a_status_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
