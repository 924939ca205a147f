/* The training loop: what it reaches, its bits, and when it stops. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <unistd.h>

#include "support/course.h"
#include "support/files.h"

TEST(a_line_is_learned) {
    (void)state;
    struct course c = course_of(line);
    course_set(
        &c, (const char *const[][2]){{"optimiser", "sgd(rate=0.1)"}, {"epochs", "100"}, {"batch", "8"}}, 3);
    course_run(&c);
    assert_near(course_value(&c, "a"), 3, 1e-9);
    assert_near(course_value(&c, "b"), -1, 1e-9);
    assert_int_equal(cr_train_epoch(c.t), 100);
    assert_int_equal(cr_train_step(c.t), 700); /* six batches of 8, and one of 2 */
    course_end(&c);
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
    course_set(&c, (const char *const[][2]){{"batch", "50"}, {"epochs", "1"}}, 2);
    course_run(&c);
    assert_string_equal(cr_train_metric(c.t, 0, &training, NULL), "loss");
    assert_near(training, loss, 1e-14);
    assert_string_equal(cr_train_metric(c.t, 1, &training, NULL), "error");
    assert_near(training, error, 1e-14);
    assert_null(cr_train_metric(c.t, 2, NULL, NULL));
    course_end(&c);
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
    course_set(&c,
               (const char *const[][2]){{"optimiser", "sgd(rate=0.5/(step+2), clip_norm=1e-3)"},
                                        {"gradients", "1"},
                                        {"batch", "50"},
                                        {"epochs", "1"}},
               4);
    assert_true(isnan(cr_train_rate(c.t)));
    course_run(&c);
    assert_string_equal(cr_train_gradient(c.t, 0, &norm), "a");
    assert_near(norm, fabs(by_a), 1e-14);
    assert_string_equal(cr_train_gradient(c.t, 1, &norm), "b");
    assert_near(norm, fabs(by_b), 1e-14);
    assert_null(cr_train_gradient(c.t, 2, NULL));
    assert_near(cr_train_rate(c.t), 0.25, 0);
    assert_true(cr_train_last(c.t, 0) > 3);
    course_end(&c);
}

/* The square of what overflows is infinite, and the loss is not: the training goes on as without the option. */
TEST(a_gradient_that_is_not_finite_is_told_as_nan) {
    (void)state;
    struct course c =
        course_of("input x: f64[n]\ninput y: f64[n]\nparam a: f64 = 0\nloss = 1e200*a + mean(x + y)\n");
    double norm = 0;
    course_set(
        &c, (const char *const[][2]){{"optimiser", "sgd(rate=1e-200)"}, {"gradients", "1"}, {"epochs", "1"}},
        3);
    course_run(&c);
    cr_train_gradient(c.t, 0, &norm);
    assert_true(isnan(norm));
    course_end(&c);
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
    course_set(&c, (const char *const[][2]){{"gradients", "1"}, {"batch", "50"}, {"epochs", "5000"}}, 3);
    assert_int_equal(cr_report_new(&r, "line.cr", "chainrule train <line>.cr", NULL), CR_OK);
    assert_int_equal(cr_text_new(&t, NULL), CR_OK);
    cr_train_progress(c.t, add_to_report, r);
    course_run(&c);
    assert_int_equal(cr_report_page(t, r, c.t, 9, "all epochs are done"), CR_OK);
    assert_true(cr_text_size(t) < 100000);
    assert_non_null(strstr(cr_text_str(t), "<dt>steps</dt><dd>5000</dd>"));
    assert_non_null(strstr(cr_text_str(t), "<th scope=\"row\">5000</th>"));
    assert_non_null(strstr(cr_text_str(t), "chainrule train &lt;line&gt;.cr"));
    assert_non_null(strstr(cr_text_str(t), "<time>500 ms</time>"));
    assert_true(count_of(cr_text_str(t), "<tr") < 120);
    cr_text_free(t);
    cr_report_free(r);
    course_end(&c);
}

/* The mean of batches of 8 and one of 2 is weighted: that of all observations. */
TEST(evaluation_weighs_batches_by_their_observations) {
    (void)state;
    struct course c = course_of(line);
    double zero = 0, loss, expected = 0;
    for (int i = 0; i < rows; i++) expected += pow(((double *)cr_array_data(c.y))[i], 2) / rows;
    course_set(&c, (const char *const[][2]){{"batch", "8"}}, 1);
    assert_int_equal(cr_train_evaluate(c.t), CR_EUNBOUND); /* no parameter is made up */
    assert_non_null(strstr(cr_train_error(c.t), "'a' has no value"));
    cr_store_set(c.store, "a", CR_F64, &zero, sizeof zero);
    cr_store_set(c.store, "b", CR_F64, &zero, sizeof zero);
    if (cr_train_evaluate(c.t)) fail_msg("%s", cr_train_error(c.t));
    cr_train_metric(c.t, 0, NULL, &loss);
    assert_near(loss, expected, 1e-14);
    course_end(&c);
}

TEST(predictions_stand_in_the_order_of_the_observations) {
    (void)state;
    struct course c = course_of(line);
    double two = 2, half = 0.5;
    cr_array *y = NULL;
    course_set(&c, (const char *const[][2]){{"batch", "8"}}, 1);
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
    course_end(&c);
}

/* ---- Bits ---- */

static bool stop_after(void *user, const cr_train *t, bool epoch_ended) {
    (void)epoch_ended;
    return cr_train_step(t) != *(int64_t *)user;
}

static void learn(struct course *c, int64_t stop_at) {
    course_set(c,
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
    if (!with_safetensors()) skip();
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
        course_end(&part);
        course_end(&rest);
    }
    course_end(&whole);
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
    course_set(&plain, options, 3);
    course_set(&compiled, options, 3);
    course_set(&compiled, (const char *const[][2]){{"compile", "cc"}}, 1);
    course_run(&plain);
    course_run(&compiled);
    assert_non_null(strstr(cr_train_way(compiled.t), "compiled: "));
    assert_string_equal(cr_train_way(plain.t), "built in");
    assert_true(course_value(&plain, "a") == course_value(&compiled, "a") &&
                course_value(&plain, "b") == course_value(&compiled, "b"));

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
    assert_true(course_value(&plain, "a") == course_value(&compiled, "a"));
    course_end(&plain);
    course_end(&compiled);
}

/* By itself it compiles where that pays alone. */
TEST(a_short_training_is_not_compiled_by_itself) {
    (void)state;
    struct course c = course_of(line);
    course_set(&c, (const char *const[][2]){{"batch", "25"}, {"epochs", "3"}, {"compile", "auto"}}, 3);
    course_run(&c);
    assert_non_null(strstr(cr_train_way(c.t), "built in: compiling would take some"));
    course_end(&c);
}

TEST(another_seed_is_another_training) {
    (void)state;
    struct course a = course_of(net), b = course_of(net);
    learn(&a, 0);
    course_set(&b,
               (const char *const[][2]){{"epochs", "6"}, {"batch", "8"}, {"validation", "10"}, {"seed", "8"}},
               4);
    course_run(&b);
    double v[16], w[16];
    cr_store_get(a.store, "V", CR_F64, v, sizeof v);
    cr_store_get(b.store, "V", CR_F64, w, sizeof w);
    assert_true(memcmp(v, w, sizeof v) != 0);
    course_end(&a);
    course_end(&b);
}

TEST(what_a_training_was_begun_with_must_stay) {
    (void)state;
    struct course c = course_of(net);
    learn(&c, 5);
    course_set(&c, (const char *const[][2]){{"seed", "8"}}, 1);
    assert_int_equal(cr_train_run(c.t), CR_EINVAL);
    assert_non_null(strstr(cr_train_error(c.t), "begun with seed 7, found 8"));
    course_end(&c);
}

TEST(dropout_is_for_training_alone) {
    (void)state;
    struct course c =
        course_of("input x: f64[n]\ninput y: f64[n]\nparam a: f64 = 1\nd = dropout(a*x, rate=0.5)\n"
                  "on = cast(training, f64) + 0*mean(d)\nloss = mean(d^2)\n");
    cr_array *d = NULL;
    double on, loss, expected = 0;
    for (int i = 0; i < rows; i++) expected += pow(((double *)cr_array_data(c.x))[i], 2) / rows;
    course_set(&c, (const char *const[][2]){{"optimiser", "sgd(rate=0)"}, {"epochs", "1"}, {"batch", "50"}},
               3);
    course_run(&c);
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
    course_end(&c);
}

/* ---- Stopping ---- */

/* The rate is so great that every epoch is worse than the first. */
TEST(patience_ends_and_the_best_parameters_are_taken_back) {
    (void)state;
    struct course c = course_of(line);
    course_set(&c,
               (const char *const[][2]){{"optimiser", "sgd(rate=0.01*30^step)"},
                                        {"epochs", "100"},
                                        {"batch", "40"},
                                        {"validation", "0.2"},
                                        {"patience", "2"},
                                        {"shuffle", "0"}},
               6);
    course_run(&c);
    assert_int_equal(cr_train_observations(c.t, true), 10);
    assert_non_null(strstr(cr_train_reason(c.t), "patience"));
    int64_t best = cr_train_best_epoch(c.t);
    assert_int_equal(cr_train_epoch(c.t), best + 2);
    double last = course_value(&c, "a"), kept = course_value(&c, "best.a");
    assert_true(last != kept);
    assert_int_equal(cr_train_take_best(c.t), CR_OK);
    assert_true(course_value(&c, "a") == kept);
    course_end(&c);
}

TEST(the_best_epoch_may_be_that_of_the_most) {
    (void)state;
    struct course c = course_of(line);
    course_set(&c, (const char *const[][2]){{"epochs", "3"}, {"best", "max error"}, {"batch", "50"}}, 3);
    course_run(&c); /* the error falls from epoch to epoch */
    assert_int_equal(cr_train_best_epoch(c.t), 1);
    course_end(&c);
}

TEST(a_loss_that_is_not_finite_stops_before_its_step_and_names_where_it_came_from) {
    (void)state;
    struct course c = course_of("input x: f64[n]\ninput y: f64[n]\nparam a: f64 = 1\n"
                                "z = cast(2 - step_number(), f64)\nloss = mean(log(z) + a*x)\n");
    course_set(&c, (const char *const[][2]){{"optimiser", "sgd(rate=1)"}, {"batch", "10"}, {"shuffle", "0"}},
               3);
    assert_int_equal(cr_train_run(c.t), CR_ENAN);
    assert_int_equal(cr_train_step(c.t), 2); /* log(0) */
    double a = 1;
    for (int i = 0; i < 20; i++) a -= ((double *)cr_array_data(c.x))[i] / 10;
    assert_near(course_value(&c, "a"), a, 1e-14);
    assert_non_null(strstr(cr_train_error(c.t), "step 2: the loss is not finite"));
    course_end(&c);
}

/* ---- What is refused ---- */

static void refuse(const char *name, const char *value_text, const char *fact) {
    struct course c = course_of(line);
    cr_status status = cr_train_set(c.t, name, value_text);
    if (!status) status = cr_train_run(c.t);
    assert_int_not_equal(status, CR_OK);
    if (!cr_train_error(c.t) || !strstr(cr_train_error(c.t), fact))
        fail_msg("%s=%s: %s", name, value_text, cr_train_error(c.t));
    course_end(&c);
}

TEST(options_that_make_no_sense_are_refused) {
    (void)state;
    refuse("batch", "0", "batch: expected an integer from 1 to 2^53, found '0'");
    refuse("batch", "many", "found 'many'");
    refuse("epochs", "1.5", "epochs: expected an integer from 0");
    refuse("validation", "50", "leave none to train on");
    refuse("validation", "2.5", "a share from 0 to below 1, or a number");
    refuse("validation", "-1", "a share from 0 to below 1, or a number");
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
    assert_string_equal(cr_train_error(t),
                        "'y' has 3 observations, 'x' has 50: expected as many: give both for the "
                        "same observations");
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
    course_end(&c);
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
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
