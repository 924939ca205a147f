/* Trapping: the first node that makes a nan or an infinity, forward or backward, is the same in every way of running. */
#include "support/test.h"

enum { most = 70000 }; /* enough that two threads share the work */

struct trap {
    const char *model; /* of an input v of n numbers; its value's gradient by v, or by p */
    int64_t n;
    double value, odd; /* of all elements, and of the last */
    const char *found; /* what the sentence says; NULL: nothing is made */
};

#define F64 "input v: f64[n]\n"
#define F32 "input v: f32[n]\n"
static const struct trap traps[] = {
    {F64 "sum(log(v) + v)", 3, 1, -1, "2:5: log of v: made the first nan"},
    {F64 "mean(tanh(log(v)*2 + v)*v)", most, 2, -1, "2:11: log of v: made the first nan"},
    {F64 "sum(sqrt(v))", 3, 1, 0, "div of 0.5, sqrt(..): made the first infinity"},
    {F64 "sum(tanh(v)*sqrt(v))", most, 1, 0, "div of 0.5, sqrt(..): made the first infinity"},
    {F64 "sum(asin(v))", 3, 0, 1, "rsqrt of sub(..): made the first infinity"},
    {F64 "sum(1/v)", 3, 1, 0, "2:6: div of 1, v: made the first infinity"},
    {F64 "sum(exp(v))", 3, 1, 1000, "2:5: exp of v: made the first infinity"},
    {F64 "2*sum(v)", 3, 1e308, 1e308, "2:3: sum of v: made the first infinity"},
    {F64 "sum(v @ t(v[None, :]))", 3, 1, 1e200, "matmul of "},
    {F64 "param p: f64 = 2\nsum(v^p)", 3, 1, -2,
     "log of v: made the first nan"},                                         /* v^p = 4, d/dp = 4 log(-2) */
    {F32 "sum(exp(v))", 3, 1, 100, "2:5: exp of v: made the first infinity"}, /* finite in the oracle's f64 */
    {F32 "sum(softmax(v)*log(v))", 300, 1, -1, "log of v: made the first nan"},
    {F64 "sum(where(v > 0, log(v), 0))", 3, 1, 0, "2:18: log of v: made the first infinity"},
    {F64 "sum(relu(v))", 3, 1, (double)INFINITY, NULL}, /* handed on, not made */
    {F64 "sum(v*v)", 3, 1, (double)NAN, NULL},
    {F64 "sum(log_softmax(v)) + norm(v)", 300, 1, 2, NULL},
};

static void build(cr_graph *g, const struct trap *t, cr_node out[2]) {
    cr_model *m = NULL;
    cr_text *why = NULL;
    cr_text_new(&why, NULL);
    if (cr_model_new(&m, t->model, strlen(t->model), NULL, NULL, why) || cr_model_size(m, "n", t->n) ||
        cr_model_build(&out[0], m, g, why))
        fail_msg("%s: %s", t->model, cr_text_str(why));
    cr_node x = cr_find(g, strstr(t->model, "param p") ? "p" : "v");
    if (cr_grad(&out[1], out[0], 1, &x)) fail_msg("%s: %s", t->model, cr_graph_error(g));
    cr_model_free(m);
    cr_text_free(why);
}

/* The input's bytes, in its dtype. */
static size_t values(const struct trap *t, double *data) {
    bool wide = strstr(t->model, "f64[n]") != NULL;
    for (int64_t i = 0; i < t->n; i++) {
        double v = i == t->n - 1 ? t->odd : t->value;
        if (wide) data[i] = v;
        else ((float *)data)[i] = (float)v;
    }
    return (size_t)t->n * (wide ? sizeof(double) : sizeof(float));
}

static cr_status step(char *said, size_t size, const struct trap *t, int threads, const char *fuse,
                      const char *device) {
    static double data[most], gradient[most], value;
    cr_context *ctx;
    cr_store *store;
    cr_program *p;
    cr_run *r;
    cr_node out[2];
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
    cr_graph *g = cr_graph_new(ctx);
    build(g, t, out);
    cr_target *target = cr_target_new(g);
    cr_options *o = cr_options_new(ctx);
    cr_options_set(o, "trap_nan", "1");
    cr_options_set(o, "fuse", fuse);
    cr_options_set(o, "device", device);
    cr_target_output(target, "value", out[0]);
    cr_target_output(target, "gradient", out[1]);
    cr_target_output(target, "unbound",
                     cr_log(cr_sub(cr_number(g, 0), cr_square(out[0])))); /* is not computed */
    assert_int_equal(cr_compile(&p, target, o), CR_OK);
    cr_store_new(&store, ctx);
    assert_int_equal(cr_store_init(store, g, 1), CR_OK);
    assert_int_equal(cr_run_new(&r, p, store, NULL, 0), CR_OK);
    size_t bytes = values(t, data);
    cr_bind(r, "v", bytes == (size_t)t->n * 8 ? CR_F64 : CR_F32, data, bytes);
    cr_bind(r, "value", cr_dtype_of(out[0]), &value, cr_dtype_size(cr_dtype_of(out[0])));
    cr_bind(r, "gradient", cr_dtype_of(out[1]), gradient,
            (size_t)cr_count(out[1]) * cr_dtype_size(cr_dtype_of(out[1])));
    cr_status s = cr_step(r);
    snprintf(said, size, "%s", cr_run_error(r) ? cr_run_error(r) : "");
    cr_run_free(r);
    cr_program_free(p);
    cr_store_free(store);
    cr_options_free(o);
    cr_target_free(target);
    cr_graph_free(g);
    cr_context_free(ctx);
    return s;
}

static cr_status evaluate(char *said, size_t size, const struct trap *t) {
    static double data[most];
    cr_eval *e;
    cr_store *store;
    cr_node out[2];
    cr_graph *g = cr_graph_new(NULL);
    build(g, t, out);
    cr_store_new(&store, NULL);
    assert_int_equal(cr_store_init(store, g, 1), CR_OK);
    cr_eval_new(&e, g, store);
    size_t bytes = values(t, data);
    cr_node v = cr_find(g, "v");
    assert_int_equal(cr_eval_set(e, v, cr_dtype_of(v), data, bytes), CR_OK);
    assert_int_equal(cr_eval_all(e, 1, out), CR_OK); /* not asked for yet */
    assert_int_equal(cr_eval_option(e, "trap_nan", "1"), CR_OK);
    cr_status s = cr_eval_all(e, 2, out);
    snprintf(said, size, "%s", cr_eval_error(e) ? cr_eval_error(e) : "");
    cr_eval_free(e);
    cr_store_free(store);
    cr_graph_free(g);
    return s;
}

static void check(const struct trap *t, const char *way, cr_status s, const char *said, const char *first) {
    if (s != (t->found ? CR_ENAN : CR_OK) || (t->found && !strstr(said, t->found)) ||
        strcmp(said, first) != 0)
        fail_msg("%s, %s: '%s', expected '%s' and '%s'", t->model, way, said, t->found ? t->found : "",
                 first);
}

TEST(every_way_of_running_names_the_same_first_node) {
    (void)state;
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        const struct trap *t = &traps[i];
        char first[512], said[512];
        check(t, "one thread", step(first, sizeof first, t, 1, "1", "cpu"), first, first);
        check(t, "two threads", step(said, sizeof said, t, 2, "1", "cpu"), said, first);
        check(t, "not fused", step(said, sizeof said, t, 1, "0", "cpu"), said, first);
        check(t, "oracle", step(said, sizeof said, t, 1, "1", "reference"), said, first);
        check(t, "eval object", evaluate(said, sizeof said, t), said, first);
    }
}

/* w <- w - dloss/dw with dloss/dw infinite: nothing is written, and the next step goes on. */
TEST(a_trapped_step_leaves_the_store_untouched) {
    (void)state;
    for (int reference = 0; reference < 2; reference++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_node x = cr_input(g, "x", CR_F64, 0, NULL), w = cr_param(g, "w", CR_F64, 0, NULL), d;
        assert_int_equal(cr_grad(&d, cr_sqrt(cr_mul(w, x)), 1, &w), CR_OK);
        cr_target *t = cr_target_new(g);
        cr_options *o = cr_options_new(NULL);
        cr_options_set(o, "trap_nan", "1");
        cr_options_set(o, "device", reference ? "reference" : "cpu");
        cr_target_update(t, w, cr_sub(w, d));
        cr_program *p;
        cr_store *s;
        cr_run *r;
        double at = 0, value = 4;
        assert_int_equal(cr_compile(&p, t, o), CR_OK);
        cr_store_new(&s, NULL);
        cr_store_set(s, "w", CR_F64, &value, sizeof value);
        cr_run_new(&r, p, s, NULL, 0);
        cr_bind(r, "x", CR_F64, &at, sizeof at);
        assert_int_equal(cr_step(r), CR_ENAN);
        cr_store_get(s, "w", CR_F64, &value, sizeof value);
        assert_true(value == 4);
        at = 1; /* d sqrt(w)/dw = 1/4 */
        assert_int_equal(cr_step(r), CR_OK);
        assert_null(cr_run_error(r));
        cr_store_get(s, "w", CR_F64, &value, sizeof value);
        assert_true(value == 3.75);
        cr_run_free(r);
        cr_store_free(s);
        cr_program_free(p);
        cr_options_free(o);
        cr_target_free(t);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_way_of_running_names_the_same_first_node),
        RUN(a_trapped_step_leaves_the_store_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
