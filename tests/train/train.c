/* The training loop: what it reaches, its bits, and when it stops. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <unistd.h>

#include "support/files.h"

enum { rows = 50 };

/* y = 3 x - 1, x from -1 to 1. */
static cr_array *column(int of_y, cr_context *ctx) {
    cr_array *a = NULL;
    if (cr_array_new(&a, ctx, CR_F64, 1, (int64_t[]){rows})) return NULL;
    for (int i = 0; i < rows; i++) {
        double x = 2. * i / (rows - 1) - 1;
        ((double *)cr_array_data(a))[i] = of_y ? 3 * x - 1 : x;
    }
    return a;
}

static const char line[] = "input x: f64[n]\ninput y: f64[n]\nparam a: f64 = 0\nparam b: f64 = 0\n"
                           "y_hat = a*x + b\nerror = mean(abs(y_hat - y))\nloss = mean((y_hat - y)^2)\n";

struct course {
    cr_context *ctx;
    cr_model *m;
    cr_store *store;
    cr_train *t;
    cr_array *x, *y;
};

static cr_status begin(struct course *c, const char *text, cr_context *ctx) {
    *c = (struct course){.ctx = ctx};
    cr_status status = cr_model_new(&c->m, text, strlen(text), "line.cr", ctx, NULL);
    if (!status) status = cr_store_new(&c->store, ctx);
    if (!status) status = cr_train_new(&c->t, c->m, c->store, ctx);
    if (!status) status = (c->x = column(0, ctx)) ? CR_OK : CR_ENOMEM;
    if (!status) status = (c->y = column(1, ctx)) ? CR_OK : CR_ENOMEM;
    if (!status) status = cr_train_data(c->t, "x", c->x);
    if (!status) status = cr_train_data(c->t, "y", c->y);
    return status;
}

static void end(struct course *c) {
    cr_train_free(c->t);
    cr_store_free(c->store);
    cr_model_free(c->m);
    cr_array_free(c->x);
    cr_array_free(c->y);
}

static void set(struct course *c, const char *const options[][2], int n) {
    for (int i = 0; i < n; i++)
        if (cr_train_set(c->t, options[i][0], options[i][1])) fail_msg("%s", cr_train_error(c->t));
}

static struct course course_of(const char *text) {
    struct course c;
    if (begin(&c, text, NULL)) fail_msg("%s", cr_train_error(c.t));
    return c;
}

static void run(struct course *c) {
    if (cr_train_run(c->t)) fail_msg("%s", cr_train_error(c->t));
}

static double value(const struct course *c, const char *name) {
    double x = NAN;
    cr_store_get(c->store, name, CR_F64, &x, sizeof x);
    return x;
}

TEST(a_line_is_learned) {
    (void)state;
    struct course c = course_of(line);
    set(&c, (const char *const[][2]){{"optimiser", "sgd(rate=0.1)"}, {"epochs", "100"}, {"batch", "8"}}, 3);
    run(&c);
    assert_near(value(&c, "a"), 3, 1e-9);
    assert_near(value(&c, "b"), -1, 1e-9);
    assert_int_equal(cr_train_epoch(c.t), 100);
    assert_int_equal(cr_train_step(c.t), 700); /* six batches of 8, and one of 2 */
    end(&c);
}

/* One epoch of one batch: the metrics before any step, at a = b = 0. */
TEST(metrics_are_the_loss_and_every_number_that_the_model_names) {
    (void)state;
    struct course c = course_of(line);
    double loss = 0, error = 0, training;
    for (int i = 0; i < rows; i++) {
        double y = ((double *)cr_array_data(c.y))[i];
        loss += y * y / rows;
        error += fabs(y) / rows;
    }
    set(&c, (const char *const[][2]){{"batch", "50"}, {"epochs", "1"}}, 2);
    run(&c);
    assert_string_equal(cr_train_metric(c.t, 0, &training, NULL), "loss");
    assert_near(training, loss, 1e-14);
    assert_string_equal(cr_train_metric(c.t, 1, &training, NULL), "error");
    assert_near(training, error, 1e-14);
    assert_null(cr_train_metric(c.t, 2, NULL, NULL));
    end(&c);
}

/* At a = b = 0 the gradients of mean (a x + b - y)^2 are -2 mean(x y) and -2 mean(y), clipped only afterwards. */
TEST(steps_tell_their_rate_and_the_norms_of_their_gradients) {
    (void)state;
    struct course c = course_of(line);
    double by_a = 0, by_b = 0, norm;
    for (int i = 0; i < rows; i++) {
        double x = ((double *)cr_array_data(c.x))[i], y = ((double *)cr_array_data(c.y))[i];
        by_a += 2 * x * y / rows;
        by_b += 2 * y / rows;
    }
    set(&c,
        (const char *const[][2]){{"optimiser", "sgd(rate=0.5/(step+2), clip_norm=1e-3)"},
                                 {"gradients", "1"},
                                 {"batch", "50"},
                                 {"epochs", "1"}},
        4);
    assert_true(isnan(cr_train_rate(c.t)));
    run(&c);
    assert_string_equal(cr_train_gradient(c.t, 0, &norm), "a");
    assert_near(norm, fabs(by_a), 1e-14);
    assert_string_equal(cr_train_gradient(c.t, 1, &norm), "b");
    assert_near(norm, fabs(by_b), 1e-14);
    assert_null(cr_train_gradient(c.t, 2, NULL));
    assert_near(cr_train_rate(c.t), 0.25, 0);
    assert_true(cr_train_last(c.t, 0) > 3);
    end(&c);
}

/* The square of what overflows is infinite, and the loss is not: the training goes on as without the option. */
TEST(a_gradient_that_is_not_finite_is_told_as_nan) {
    (void)state;
    struct course c =
        course_of("input x: f64[n]\ninput y: f64[n]\nparam a: f64 = 0\nloss = 1e200*a + mean(x + y)\n");
    double norm = 0;
    set(&c, (const char *const[][2]){{"optimiser", "sgd(rate=1e-200)"}, {"gradients", "1"}, {"epochs", "1"}},
        3);
    run(&c);
    cr_train_gradient(c.t, 0, &norm);
    assert_true(isnan(norm));
    end(&c);
}

static bool add_to_report(void *user, const cr_train *t, bool epoch_ended) {
    return !(epoch_ended ? cr_report_epoch(user, t, 1) : cr_report_step(user, t, 0.5));
}

static int64_t count_of(const char *s, const char *what) {
    int64_t n = 0;
    for (; (s = strstr(s, what)); s++) n++;
    return n;
}

/* 5,000 steps stand in at most 256 bins, of epochs at most 62 in the table: the mean over all bins is that over all steps. */
TEST(a_report_does_not_grow_with_the_steps) {
    (void)state;
    struct course c = course_of(line);
    cr_report *r = NULL;
    cr_text *t = NULL;
    set(&c, (const char *const[][2]){{"gradients", "1"}, {"batch", "50"}, {"epochs", "5000"}}, 3);
    assert_int_equal(cr_report_new(&r, "line.cr", "chainrule train <line>.cr", NULL), CR_OK);
    assert_int_equal(cr_text_new(&t, NULL), CR_OK);
    cr_train_progress(c.t, add_to_report, r);
    run(&c);
    assert_int_equal(cr_report_page(t, r, c.t, 9, "all epochs are done"), CR_OK);
    assert_true(cr_text_size(t) < 100000);
    assert_non_null(strstr(cr_text_str(t), "<dt>steps</dt><dd>5000</dd>"));
    assert_non_null(strstr(cr_text_str(t), "<th scope=\"row\">5000</th>"));
    assert_non_null(strstr(cr_text_str(t), "chainrule train &lt;line&gt;.cr"));
    assert_non_null(strstr(cr_text_str(t), "<time>500 ms</time>"));
    assert_true(count_of(cr_text_str(t), "<tr") < 120);
    cr_text_free(t);
    cr_report_free(r);
    end(&c);
}

/* The mean of batches of 8 and one of 2 is weighted: that of all observations. */
TEST(evaluation_weighs_batches_by_their_observations) {
    (void)state;
    struct course c = course_of(line);
    double zero = 0, loss, expected = 0;
    for (int i = 0; i < rows; i++) expected += pow(((double *)cr_array_data(c.y))[i], 2) / rows;
    set(&c, (const char *const[][2]){{"batch", "8"}}, 1);
    assert_int_equal(cr_train_evaluate(c.t), CR_EUNBOUND); /* no parameter is made up */
    assert_non_null(strstr(cr_train_error(c.t), "'a' has no value"));
    cr_store_set(c.store, "a", CR_F64, &zero, sizeof zero);
    cr_store_set(c.store, "b", CR_F64, &zero, sizeof zero);
    if (cr_train_evaluate(c.t)) fail_msg("%s", cr_train_error(c.t));
    cr_train_metric(c.t, 0, NULL, &loss);
    assert_near(loss, expected, 1e-14);
    end(&c);
}

TEST(predictions_stand_in_the_order_of_the_observations) {
    (void)state;
    struct course c = course_of(line);
    double two = 2, half = 0.5;
    cr_array *y = NULL;
    set(&c, (const char *const[][2]){{"batch", "8"}}, 1);
    cr_store_set(c.store, "a", CR_F64, &two, sizeof two);
    cr_store_set(c.store, "b", CR_F64, &half, sizeof half);
    if (cr_train_predict(&y, c.t, "y_hat")) fail_msg("%s", cr_train_error(c.t));
    assert_int_equal(cr_array_count(y), rows);
    for (int i = 0; i < rows; i++)
        assert_true(((double *)cr_array_data(y))[i] == 2 * ((double *)cr_array_data(c.x))[i] + 0.5);
    cr_array_free(y);
    assert_int_equal(cr_train_predict(&y, c.t, "loss"), CR_ESHAPE);
    assert_non_null(strstr(cr_train_error(c.t), "no row for each observation"));
    assert_int_equal(cr_train_predict(&y, c.t, "z"), CR_ENAME);
    end(&c);
}

/* ---- Bits ---- */

static const char net[] =
    "input x: f64[n]\ninput y: f64[n]\nparam W: f64[1, 16] = he_normal()\nparam V: f64[16, 1] = he_normal()\n"
    "h = dropout(tanh(x[:, None] @ W), rate=0.1)\nloss = mean(((h @ V)[:, 0] - y)^2)\n";

static bool stop_after(void *user, const cr_train *t, bool epoch_ended) {
    (void)epoch_ended;
    return cr_train_step(t) != *(int64_t *)user;
}

static void learn(struct course *c, int64_t stop_at) {
    set(c,
        (const char *const[][2]){{"optimiser", "adam(rate=0.01)"},
                                 {"epochs", "6"},
                                 {"batch", "8"},
                                 {"validation", "10"},
                                 {"seed", "7"}},
        5);
    if (stop_at) cr_train_progress(c->t, stop_after, &stop_at);
    cr_status status = cr_train_run(c->t);
    if (stop_at) assert_int_equal(status, CR_ESTOPPED);
    else if (status) fail_msg("%s", cr_train_error(c->t));
}

static void assert_same_store(const cr_store *a, cr_store *b) {
    for (int i = 0; cr_store_name(a, i); i++) {
        cr_dtype dtype;
        size_t bytes;
        const void *x = cr_store_data(b, cr_store_name(a, i), &dtype, &bytes);
        cr_array *y = NULL;
        assert_int_equal(cr_store_array(&y, a, cr_store_name(a, i)), CR_OK);
        if (!x || cr_array_bytes(y) != bytes || memcmp(x, cr_array_data(y), bytes) != 0)
            fail_msg("'%s' differs", cr_store_name(a, i));
        cr_array_free(y);
    }
}

/* 30 steps: stopped after each of them, and gone on with from a file, as another process would. */
TEST(a_training_stopped_anywhere_goes_on_to_the_same_bits) {
    (void)state;
    struct course whole = course_of(net);
    learn(&whole, 0);
    for (int64_t at = 1; at <= 29; at++) {
        struct course part = course_of(net), rest = course_of(net);
        const char *path = temp_path("checkpoint");
        learn(&part, at);
        assert_int_equal(cr_store_save(path, part.store, NULL, NULL, NULL, NULL), CR_OK);
        assert_int_equal(cr_store_load(rest.store, path, NULL, NULL), CR_OK);
        learn(&rest, 0);
        assert_same_store(whole.store, rest.store);
        assert_same_store(rest.store, whole.store);
        end(&part);
        end(&rest);
    }
    end(&whole);
}

/* Large enough that its products and losses are spread over threads. */
static void learn_wide(cr_store *store, int threads) {
    static const char text[] =
        "input x: f32[n, 64]\nparam W: f32[64, 256] = he_normal()\nparam V: f32[256, 64] = he_normal()\n"
        "h = dropout(gelu(x @ W), rate=0.2)\nloss = mean((h @ V - x)^2)\n";
    cr_context *ctx;
    cr_model *m;
    cr_array *x;
    cr_train *t;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
    assert_int_equal(cr_model_new(&m, text, sizeof text - 1, NULL, ctx, NULL), CR_OK);
    assert_int_equal(cr_array_new(&x, ctx, CR_F32, 2, (int64_t[]){700, 64}), CR_OK);
    for (int i = 0; i < 700 * 64; i++) ((float *)cr_array_data(x))[i] = (float)sin(0.37 * i);
    assert_int_equal(cr_train_new(&t, m, store, ctx), CR_OK);
    assert_int_equal(cr_train_data(t, "x", x), CR_OK);
    cr_train_set(t, "batch", "256");
    cr_train_set(t, "epochs", "2");
    cr_train_set(t, "optimiser", "adam(clip_norm=0.1)");
    if (cr_train_run(t)) fail_msg("%s", cr_train_error(t));
    cr_train_free(t);
    cr_array_free(x);
    cr_model_free(m);
    cr_context_free(ctx);
}

TEST(ten_trainings_give_the_same_bits_on_one_to_four_threads) {
    (void)state;
    cr_store *one, *more;
    assert_int_equal(cr_store_new(&one, NULL), CR_OK);
    learn_wide(one, 1);
    for (int run = 1; run < 10; run++) {
        assert_int_equal(cr_store_new(&more, NULL), CR_OK);
        learn_wide(more, 1 + run % 4);
        assert_same_store(one, more);
        cr_store_free(more);
    }
    cr_store_free(one);
}

/* Compiled loops give the same bits, and a training goes on as it was begun, whatever is asked for then. */
TEST(a_training_is_run_as_it_was_begun) {
    (void)state;
    struct course plain = course_of(line), compiled = course_of(line);
    char cache[512];
    snprintf(cache, sizeof cache, "%s", temp_path("cache"));
    const char *const options[][2] = {{"batch", "25"}, {"epochs", "3"}, {"cache", cache}};
    set(&plain, options, 3);
    set(&compiled, options, 3);
    set(&compiled, (const char *const[][2]){{"compile", "cc"}}, 1);
    run(&plain);
    run(&compiled);
    assert_non_null(strstr(cr_train_way(compiled.t), "compiled: "));
    assert_string_equal(cr_train_way(plain.t), "built in");
    assert_true(value(&plain, "a") == value(&compiled, "a") && value(&plain, "b") == value(&compiled, "b"));

    cr_train *again = NULL;
    for (int i = 0; i < 2; i++) {
        struct course *c = i ? &compiled : &plain;
        assert_int_equal(cr_train_new(&again, c->m, c->store, NULL), CR_OK);
        cr_train_data(again, "x", c->x);
        cr_train_data(again, "y", c->y);
        cr_train_set(again, "batch", "25");
        cr_train_set(again, "epochs", "5");
        cr_train_set(again, "cache", cache);
        cr_train_set(again, "compile", i ? "0" : "cc");
        assert_int_equal(cr_train_run(again), CR_OK);
        if (i) assert_non_null(strstr(cr_train_way(again), "compiled: "));
        else assert_string_equal(cr_train_way(again), "built in");
        cr_train_free(again);
    }
    assert_true(value(&plain, "a") == value(&compiled, "a"));
    end(&plain);
    end(&compiled);
}

/* By itself it compiles where that pays alone. */
TEST(a_short_training_is_not_compiled_by_itself) {
    (void)state;
    struct course c = course_of(line);
    set(&c, (const char *const[][2]){{"batch", "25"}, {"epochs", "3"}, {"compile", "auto"}}, 3);
    run(&c);
    assert_non_null(strstr(cr_train_way(c.t), "built in: compiling would take some"));
    end(&c);
}

TEST(another_seed_is_another_training) {
    (void)state;
    struct course a = course_of(net), b = course_of(net);
    learn(&a, 0);
    set(&b, (const char *const[][2]){{"epochs", "6"}, {"batch", "8"}, {"validation", "10"}, {"seed", "8"}},
        4);
    run(&b);
    double v[16], w[16];
    cr_store_get(a.store, "V", CR_F64, v, sizeof v);
    cr_store_get(b.store, "V", CR_F64, w, sizeof w);
    assert_true(memcmp(v, w, sizeof v) != 0);
    end(&a);
    end(&b);
}

TEST(what_a_training_was_begun_with_must_stay) {
    (void)state;
    struct course c = course_of(net);
    learn(&c, 5);
    set(&c, (const char *const[][2]){{"seed", "8"}}, 1);
    assert_int_equal(cr_train_run(c.t), CR_EINVAL);
    assert_non_null(strstr(cr_train_error(c.t), "begun with seed 7, found 8"));
    end(&c);
}

TEST(dropout_is_for_training_alone) {
    (void)state;
    struct course c =
        course_of("input x: f64[n]\ninput y: f64[n]\nparam a: f64 = 1\nd = dropout(a*x, rate=0.5)\n"
                  "on = cast(training, f64) + 0*mean(d)\nloss = mean(d^2)\n");
    cr_array *d = NULL;
    double on, loss, expected = 0;
    for (int i = 0; i < rows; i++) expected += pow(((double *)cr_array_data(c.x))[i], 2) / rows;
    set(&c, (const char *const[][2]){{"optimiser", "sgd(rate=0)"}, {"epochs", "1"}, {"batch", "50"}}, 3);
    run(&c);
    cr_train_metric(c.t, 1, &on, NULL);
    assert_true(on == 1);
    cr_train_metric(c.t, 0, &loss, NULL);
    assert_true(fabs(loss - expected) > 1e-3); /* twice each x, or nothing */
    if (cr_train_evaluate(c.t)) fail_msg("%s", cr_train_error(c.t));
    cr_train_metric(c.t, 1, NULL, &on);
    assert_true(on == 0);
    cr_train_metric(c.t, 0, NULL, &loss);
    assert_near(loss, expected, 1e-14);
    assert_int_equal(cr_train_predict(&d, c.t, "d"), CR_OK);
    assert_memory_equal(cr_array_data(d), cr_array_data(c.x), rows * sizeof(double));
    cr_array_free(d);
    end(&c);
}

/* ---- Stopping ---- */

/* The rate is so great that every epoch is worse than the first. */
TEST(patience_ends_and_the_best_parameters_are_taken_back) {
    (void)state;
    struct course c = course_of(line);
    set(&c,
        (const char *const[][2]){{"optimiser", "sgd(rate=0.01*30^step)"},
                                 {"epochs", "100"},
                                 {"batch", "40"},
                                 {"validation", "0.2"},
                                 {"patience", "2"},
                                 {"shuffle", "0"}},
        6);
    run(&c);
    assert_int_equal(cr_train_observations(c.t, true), 10);
    assert_non_null(strstr(cr_train_reason(c.t), "patience"));
    int64_t best = cr_train_best_epoch(c.t);
    assert_int_equal(cr_train_epoch(c.t), best + 2);
    double last = value(&c, "a"), kept = value(&c, "best.a");
    assert_true(last != kept);
    assert_int_equal(cr_train_take_best(c.t), CR_OK);
    assert_true(value(&c, "a") == kept);
    end(&c);
}

TEST(the_best_epoch_may_be_that_of_the_most) {
    (void)state;
    struct course c = course_of(line);
    set(&c, (const char *const[][2]){{"epochs", "3"}, {"best", "max error"}, {"batch", "50"}}, 3);
    run(&c); /* the error falls from epoch to epoch */
    assert_int_equal(cr_train_best_epoch(c.t), 1);
    end(&c);
}

TEST(a_loss_that_is_not_finite_stops_before_its_step_and_names_where_it_came_from) {
    (void)state;
    struct course c = course_of("input x: f64[n]\ninput y: f64[n]\nparam a: f64 = 1\n"
                                "z = cast(2 - step_number(), f64)\nloss = mean(log(z) + a*x)\n");
    set(&c, (const char *const[][2]){{"optimiser", "sgd(rate=1)"}, {"batch", "10"}, {"shuffle", "0"}}, 3);
    assert_int_equal(cr_train_run(c.t), CR_ENAN);
    assert_int_equal(cr_train_step(c.t), 2); /* log(0) */
    double a = 1;
    for (int i = 0; i < 20; i++) a -= ((double *)cr_array_data(c.x))[i] / 10;
    assert_near(value(&c, "a"), a, 1e-14);
    assert_non_null(strstr(cr_train_error(c.t), "step 2: the loss is not finite"));
    end(&c);
}

/* ---- What is refused ---- */

static void refuse(const char *name, const char *value_text, const char *fact) {
    struct course c = course_of(line);
    cr_status status = cr_train_set(c.t, name, value_text);
    if (!status) status = cr_train_run(c.t);
    assert_int_not_equal(status, CR_OK);
    if (!cr_train_error(c.t) || !strstr(cr_train_error(c.t), fact))
        fail_msg("%s=%s: %s", name, value_text, cr_train_error(c.t));
    end(&c);
}

TEST(options_that_make_no_sense_are_refused) {
    (void)state;
    refuse("batch", "0", "batch: expected an integer from 1, found '0'");
    refuse("batch", "many", "found 'many'");
    refuse("epochs", "1.5", "epochs: expected an integer from 0");
    refuse("validation", "50", "leave none to train on");
    refuse("validation", "2.5", "a share below 1 or a number");
    refuse("validation", "-1", "a share below 1 or a number");
    refuse("best", "accuracy", "the model has no metric 'accuracy'");
    refuse("optimiser", "magic", "there is no optimiser 'magic'");
    refuse("shuffle", "yes", "expected 0 or 1");
    refuse("colour", "1", "there is no option 'colour'");
}

TEST(data_that_does_not_fit_is_refused) {
    (void)state;
    struct course c = course_of(line);
    cr_array *few = NULL, *one = NULL;
    cr_array_new(&few, NULL, CR_F64, 1, (int64_t[]){3});
    cr_array_new(&one, NULL, CR_F64, 0, NULL);
    cr_train *t = NULL;
    assert_int_equal(cr_train_new(&t, c.m, c.store, NULL), CR_OK);
    assert_int_equal(cr_train_data(t, "x", c.x), CR_OK);
    assert_int_equal(cr_train_data(t, "y", few), CR_ESHAPE);
    assert_string_equal(cr_train_error(t), "'y' has 3 observations, 'x' has 50: expected as many");
    assert_int_equal(cr_train_run(t), CR_ESHAPE); /* errors stick */
    cr_train_free(t);
    assert_int_equal(cr_train_new(&t, c.m, c.store, NULL), CR_OK);
    assert_int_equal(cr_train_data(t, "z", c.x), CR_ENAME);
    cr_train_free(t);
    assert_int_equal(cr_train_new(&t, c.m, c.store, NULL), CR_OK);
    assert_int_equal(cr_train_data(t, "x", one), CR_ESHAPE);
    cr_train_free(t);
    assert_int_equal(cr_train_new(&t, c.m, c.store, NULL), CR_OK);
    assert_int_equal(cr_train_run(t), CR_ESHAPE);
    assert_string_equal(cr_train_error(t), "there are no observations");
    cr_train_free(t);
    cr_array_free(few);
    cr_array_free(one);
    end(&c);
}

TEST(images_serve_an_input_of_rows) {
    (void)state;
    const char *text = "input x: f64[n, 6]\nparam w: f64[6] = 0\nloss = mean((x @ w - 1)^2)\n";
    cr_model *m;
    cr_store *s;
    cr_train *t;
    cr_array *x;
    assert_int_equal(cr_model_new(&m, text, strlen(text), NULL, NULL, NULL), CR_OK);
    assert_int_equal(cr_store_new(&s, NULL), CR_OK);
    assert_int_equal(cr_array_new(&x, NULL, CR_I32, 3, (int64_t[]){4, 2, 3}), CR_OK);
    for (int i = 0; i < 24; i++) ((int32_t *)cr_array_data(x))[i] = i;
    assert_int_equal(cr_train_new(&t, m, s, NULL), CR_OK);
    assert_int_equal(cr_train_data(t, "x", x), CR_OK);
    if (cr_train_run(t)) fail_msg("%s", cr_train_error(t));
    cr_train_free(t);
    cr_array_free(x);
    cr_store_free(s);
    cr_model_free(m);
}

static cr_status train_a_little(cr_context *ctx, void *arg) {
    struct course c;
    (void)arg;
    cr_status status = begin(&c, net, ctx);
    if (!status) status = cr_train_set(c.t, "batch", "20");
    if (!status) status = cr_train_set(c.t, "epochs", "2");
    if (!status) status = cr_train_set(c.t, "validation", "10");
    if (!status) status = cr_train_set(c.t, "gradients", "1");
    if (!status) status = cr_train_run(c.t);
    if (!status) status = cr_train_take_best(c.t);
    end(&c);
    return status;
}

TEST(every_allocation_may_fail) {
    (void)state;
    alloc_fail_each(train_a_little, NULL);
}

/* Of a training that is done, its last step twice. */
static cr_status report_a_little(cr_context *ctx, void *arg) {
    const struct course *c = arg;
    cr_report *r = NULL;
    cr_text *page = NULL;
    cr_status status = cr_report_new(&r, "line.cr", "chainrule train line.cr", ctx);
    for (int i = 0; i < 2 && !status; i++) status = cr_report_step(r, c->t, 1);
    if (!status) status = cr_report_epoch(r, c->t, 1);
    if (!status) status = cr_text_new(&page, ctx);
    if (!status) status = cr_report_page(page, r, c->t, 1, "it ended");
    cr_text_free(page);
    cr_report_free(r);
    return status;
}

TEST(every_allocation_of_a_report_may_fail) {
    (void)state;
    struct course c = course_of(line);
    set(&c, (const char *const[][2]){{"gradients", "1"}, {"epochs", "1"}}, 2);
    run(&c);
    alloc_fail_each(report_a_little, &c);
    end(&c);
}

static cr_status look_at_a_batch(cr_context *ctx, void *arg) {
    struct course c;
    cr_eval *e = NULL;
    cr_node loss = {0};
    (void)arg;
    cr_status status = begin(&c, line, ctx);
    if (!status) status = cr_train_eval(&e, &loss, c.t);
    cr_eval_free(e);
    cr_graph_free(loss.graph);
    end(&c);
    return status;
}

TEST(every_allocation_of_a_look_at_a_batch_may_fail) {
    (void)state;
    alloc_fail_each(look_at_a_batch, NULL);
}

struct watched {
    struct failing memory;
    long after_first; /* allocations up to the end of the first epoch */
};

static bool watch(void *user, const cr_train *t, bool epoch_ended) {
    struct watched *w = user;
    if (epoch_ended && cr_train_epoch(t) == 1) w->after_first = w->memory.count;
    return true;
}

TEST(later_epochs_allocate_nothing_but_the_copies_of_the_best) {
    (void)state;
    struct watched w = {{0}, 0};
    struct course c;
    cr_context *ctx;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &w.memory), CR_OK);
    assert_int_equal(begin(&c, line, ctx), CR_OK);
    set(&c, (const char *const[][2]){{"epochs", "50"}, {"batch", "8"}, {"best", "max error"}},
        3); /* the first stays the best */
    cr_train_progress(c.t, watch, &w);
    run(&c);
    assert_int_equal(w.memory.count, w.after_first);
    end(&c);
    cr_context_free(ctx);
    assert_int_equal(w.memory.live, 0);
}

/* ---- Long trainings ---- */

/* A sanitizer keeps what was freed, and is slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { sanitized = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { sanitized = 1 };
#else
enum { sanitized = 0 };
#endif
#else
enum { sanitized = 0 };
#endif

static long resident_bytes(void) {
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0; /* a system without */
    if (fscanf(f, "%*s %ld", &pages) != 1) pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int open_files(void) {
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) != -1;
    return n;
}

struct measured {
    struct failing memory;
    struct course *c;
    size_t bytes; /* after two epochs, when all has been allocated that is needed */
    long resident;
    int files;
};

/* Every 2,000th epoch is kept in a file. */
static bool measure(void *user, const cr_train *t, bool epoch_ended) {
    struct measured *m = user;
    if (!epoch_ended) return true;
    if (cr_train_epoch(t) % 2000 == 2)
        assert_int_equal(cr_store_save(temp_path("kept"), m->c->store, NULL, NULL, m->c->ctx, NULL), CR_OK);
    if (cr_train_epoch(t) == 2)
        m->bytes = m->memory.bytes, m->resident = resident_bytes(), m->files = open_files();
    return true;
}

/* 50 steps an epoch, a million in all; a fiftieth under a sanitizer, but for CHECK_SCALE. */
TEST(a_million_steps_take_no_more_memory_than_a_hundred_and_no_file_stays_open) {
    (void)state;
    struct course c;
    cr_context *ctx;
    char epochs[24];
    const char *scale = getenv("CHECK_SCALE");
    long wanted = sanitized ? 400L * (scale ? atoi(scale) : 1) : 20000;
    if (wanted > 20000) wanted = 20000;
    struct measured m = {.c = &c};
    snprintf(epochs, sizeof epochs, "%ld", wanted);
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &m.memory), CR_OK);
    assert_int_equal(begin(&c, line, ctx), CR_OK);
    set(&c,
        (const char *const[][2]){
            {"batch", "1"}, {"epochs", epochs}, {"optimiser", "adam(rate=1/(step + 10))"}},
        3);
    cr_train_progress(c.t, measure, &m);
    run(&c);
    assert_int_equal(cr_train_step(c.t), 50 * wanted);
    assert_int_equal(m.memory.bytes,
                     m.bytes); /* not one byte: copies of the best take the place of the last */
    assert_int_equal(open_files(), m.files);
    if (!sanitized) assert_true(resident_bytes() - m.resident <= 1 << 20);
    end(&c);
    cr_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_line_is_learned),
        RUN(metrics_are_the_loss_and_every_number_that_the_model_names),
        RUN(steps_tell_their_rate_and_the_norms_of_their_gradients),
        RUN(a_gradient_that_is_not_finite_is_told_as_nan),
        RUN(a_report_does_not_grow_with_the_steps),
        RUN(evaluation_weighs_batches_by_their_observations),
        RUN(predictions_stand_in_the_order_of_the_observations),
        RUN(a_training_stopped_anywhere_goes_on_to_the_same_bits),
        RUN(ten_trainings_give_the_same_bits_on_one_to_four_threads),
        RUN(a_training_is_run_as_it_was_begun),
        RUN(a_short_training_is_not_compiled_by_itself),
        RUN(another_seed_is_another_training),
        RUN(what_a_training_was_begun_with_must_stay),
        RUN(dropout_is_for_training_alone),
        RUN(patience_ends_and_the_best_parameters_are_taken_back),
        RUN(the_best_epoch_may_be_that_of_the_most),
        RUN(a_loss_that_is_not_finite_stops_before_its_step_and_names_where_it_came_from),
        RUN(options_that_make_no_sense_are_refused),
        RUN(data_that_does_not_fit_is_refused),
        RUN(images_serve_an_input_of_rows),
        RUN(every_allocation_may_fail),
        RUN(every_allocation_of_a_report_may_fail),
        RUN(every_allocation_of_a_look_at_a_batch_may_fail),
        RUN(later_epochs_allocate_nothing_but_the_copies_of_the_best),
        RUN(a_million_steps_take_no_more_memory_than_a_hundred_and_no_file_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
