/* The models of examples/, batch norm, and cells of recurrent nets, against PyTorch (tools/model_references.py): the losses of 20 steps from the
 * same weights and batches, then the loss in prediction. Weights and data are waves that both sides compute. */
#include "support/files.h"
#include "support/test.h"

enum { steps = 20, most_text = 8192 };

struct reference {
    const char *method;
    int batch;
    double loss[steps], prediction, accuracy[steps], accuracy_in_prediction; /* of models that have one */
};

#define LOSSES(...) \
    { __VA_ARGS__ }
#define MODEL(name, ...) static const struct reference name##_reference = {__VA_ARGS__};
#include "../data/models.inc"

/* ---- Weights and data ---- */

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* A wave about 1 for gains and variances, else about 0, that depends on the name. */
static void start(cr_store *s, const char *name) {
    double *x = cr_store_data(s, name, NULL, NULL);
    cr_array *a = NULL;
    assert_int_equal(cr_store_array(&a, s, name), CR_OK);
    int64_t n = cr_array_count(a), phase = 0;
    for (const char *p = name; *p; p++) phase += (unsigned char)*p;
    double centre = ends_with(name, ".gain") || ends_with(name, ".var") ? 1 : 0;
    for (int64_t i = 0; i < n; i++) x[i] = centre + 0.2 * sin(0.7 * (double)i + (double)phase);
    cr_array_free(a);
}

static cr_array *array_of(cr_dtype dtype, int rank, const int64_t dims[]) {
    cr_array *a = NULL;
    assert_int_equal(cr_array_new(&a, NULL, dtype, rank, dims), CR_OK);
    return a;
}

static cr_array *images(void) {
    cr_array *a = array_of(CR_F64, 2, (int64_t[]){80, 784});
    for (int r = 0; r < 80; r++)
        for (int i = 0; i < 784; i++)
            ((double *)cr_array_data(a))[r * 784 + i] = 127.5 + 127.5 * sin(0.37 * i + r * r);
    return a;
}

static cr_array *labels(void) {
    cr_array *a = array_of(CR_I32, 1, (int64_t[]){80});
    for (int r = 0; r < 80; r++) ((int32_t *)cr_array_data(a))[r] = (7 * r + 3) % 10;
    return a;
}

static cr_array *windows(void) {
    cr_array *a = array_of(CR_I32, 2, (int64_t[]){60, 9});
    for (int r = 0; r < 60; r++)
        for (int j = 0; j < 9; j++)
            ((int32_t *)cr_array_data(a))[r * 9 + j] = (r * r + 5 * j * j + 3 * r * j) % 256;
    return a;
}

static cr_array *waves(void) {
    cr_array *a = array_of(CR_F64, 3, (int64_t[]){80, 3, 2});
    for (int r = 0; r < 80; r++)
        for (int i = 0; i < 6; i++) ((double *)cr_array_data(a))[r * 6 + i] = sin(r + 1.3 * i);
    return a;
}

/* ---- Training ---- */

struct course {
    cr_model *m;
    cr_store *s;
    cr_train *t;
    double before[2], loss[steps], accuracy[steps]; /* before: the sums so far */
    bool began;
};

/* What a single step gave, from the means over those so far. */
static double of_step(struct course *c, const cr_train *t, int metric) {
    double mean = 0, before = c->before[metric], k = (double)cr_train_step(t);
    cr_train_metric(t, metric, &mean, NULL);
    c->before[metric] = mean * k;
    return mean * k - before;
}

static bool has_accuracy(const cr_train *t) {
    const char *name = cr_train_metric(t, 1, NULL, NULL);
    return name && strcmp(name, "accuracy") == 0;
}

/* The first step has been for nothing: see `compare`. */
static bool note(void *user, const cr_train *t, bool epoch_ended) {
    struct course *c = user;
    int64_t k = cr_train_step(t);
    if (epoch_ended) return true;
    c->loss[k - 1] = of_step(c, t, 0);
    if (has_accuracy(t)) c->accuracy[k - 1] = of_step(c, t, 1);
    return true;
}

static void begin(struct course *c, const char *text, const struct reference *r) {
    char batch[16];
    cr_text *why;
    cr_text_new(&why, NULL);
    *c = (struct course){0};
    snprintf(batch, sizeof batch, "%d", r->batch);
    if (cr_model_new(&c->m, text, strlen(text), NULL, NULL, why)) fail_msg("%s", cr_text_str(why));
    cr_text_free(why);
    cr_store_new(&c->s, NULL);
    cr_train_new(&c->t, c->m, c->s, NULL);
    cr_train_set(c->t, "batch", batch);
    cr_train_set(c->t, "shuffle", "0");
    cr_train_set(c->t, "optimiser", r->method);
    cr_train_set(c->t, "epochs", "0");
}

static void check(double found, double expected, const char *what, int k) {
    if (!(fabs(found - expected) <= 1e-8 * fabs(expected)))
        fail_msg("%s %d: %.17g, expected %.17g", what, k, found, expected);
}

/* An epoch of none makes the parameters; then they are set. */
static void compare(struct course *c, const struct reference *r) {
    double prediction;
    if (cr_train_run(c->t)) fail_msg("%s", cr_train_error(c->t));
    for (int i = 0; cr_store_name(c->s, i); i++) {
        const char *name = cr_store_name(c->s, i);
        bool state = strncmp(name, "adam.", 5) == 0 || strncmp(name, "sgd.", 4) == 0 ||
                     strncmp(name, "train.", 6) == 0;
        if (!state) start(c->s, name);
    }
    cr_train_set(c->t, "epochs", "1");
    cr_train_progress(c->t, note, c);
    if (cr_train_run(c->t)) fail_msg("%s", cr_train_error(c->t));
    for (int k = 0; k < steps; k++) check(c->loss[k], r->loss[k], "step", k);
    for (int k = 0; k < steps && has_accuracy(c->t); k++)
        assert_near(c->accuracy[k], r->accuracy[k], 1e-12); /* quarters */
    if (cr_train_evaluate(c->t)) fail_msg("%s", cr_train_error(c->t));
    cr_train_metric(c->t, 0, NULL, &prediction);
    check(prediction, r->prediction, "prediction", 0);
    if (has_accuracy(c->t)) {
        cr_train_metric(c->t, 1, NULL, &prediction);
        assert_near(prediction, r->accuracy_in_prediction, 1e-12);
    }
    cr_train_free(c->t);
    cr_store_free(c->s);
    cr_model_free(c->m);
}

/* ---- The texts ---- */

static void replace(char text[most_text], const char *from, const char *to) {
    size_t n = strlen(from), m = strlen(to);
    bool any = false;
    for (char *p = text; (p = strstr(p, from)); p += m, any = true) {
        assert_true(strlen(text) + m < most_text);
        memmove(p + m, p + n, strlen(p + n) + 1);
        memcpy(p, to, m);
    }
    if (!any) fail_msg("the example has no '%s'", from);
}

static void read_example(const char *name, char text[most_text]) {
    char path[512];
    snprintf(path, sizeof path, "%s/../../examples/%s", TEST_DATA, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, most_text - 1, f);
    text[n] = 0;
    fclose(f);
    replace(text, "f32", "f64");
}

static void compare_on_images(const char *text, const struct reference *r) {
    struct course c;
    cr_array *x = images(), *y = labels();
    begin(&c, text, r);
    assert_int_equal(cr_train_data(c.t, "x", x), CR_OK);
    assert_int_equal(cr_train_data(c.t, "y", y), CR_OK);
    compare(&c, r);
    cr_array_free(x);
    cr_array_free(y);
}

TEST(the_perceptron_trains_as_in_pytorch) {
    (void)state;
    char text[most_text];
    read_example("mlp.cr", text);
    compare_on_images(text, &mlp_reference);
}

TEST(the_convolutional_net_trains_as_in_pytorch) {
    (void)state;
    char text[most_text];
    read_example("conv.cr", text);
    compare_on_images(text, &conv_reference);
}

/* Batch norm over images and over rows; the loss in prediction is by the means that have run along. */
TEST(batch_norm_trains_and_predicts_as_in_pytorch) {
    (void)state;
    compare_on_images("input x: f64[batch, 784]\ninput y: i32[batch]\n"
                      "c = conv_layer(reshape(x / 255, [batch, 1, 28, 28]), 4, stride=3, pad=0)\n"
                      "n = batch_norm_layer(c)\n"
                      "d = dense(flatten(max_pool(relu(n), [3, 3])), 10)\n"
                      "m = batch_norm_layer(d)\n"
                      "loss = mean(cross_entropy(m, y))\n",
                      &normed_reference);
}

TEST(the_transformer_trains_as_in_pytorch) {
    (void)state;
    char text[most_text];
    struct course c;
    cr_array *x = windows();
    read_example("transformer.cr", text);
    replace(text, "width = 128", "width = 16");
    replace(text, "heads = 4", "heads = 2");
    begin(&c, text, &transformer_reference);
    assert_int_equal(cr_train_data(c.t, "text", x), CR_OK);
    compare(&c, &transformer_reference);
    cr_array_free(x);
}

TEST(cells_train_as_in_pytorch) {
    (void)state;
    static const char text[] =
        "input x: f64[batch, 3, 2]\n"
        "param W: f64[2, 16]= 0\nparam U: f64[4, 16] = 0\nparam b: f64[16] = 0\n"
        "param h: f64[1, 4] = 0\nparam c: f64[1, 4] = 0\n"
        "param V: f64[2, 12] = 0\nparam R: f64[4, 12] = 0\nparam p: f64[12] = 0\nparam q: f64[12] = 0\n"
        "s = lstm_cell(x[:, 0], h, c, W, U, b)\n"
        "r = lstm_cell(x[:, 1], s[0], s[1], W, U, b)\n"
        "y = gru_cell(x[:, 2], r[0], V, R, p, q)\n"
        "loss = mean((y - 0.5)^2)\n";
    struct course c;
    cr_array *x = waves();
    begin(&c, text, &cells_reference);
    assert_int_equal(cr_train_data(c.t, "x", x), CR_OK);
    compare(&c, &cells_reference);
    cr_array_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_perceptron_trains_as_in_pytorch),
        RUN(the_convolutional_net_trains_as_in_pytorch),
        RUN(batch_norm_trains_and_predicts_as_in_pytorch),
        RUN(the_transformer_trains_as_in_pytorch),
        RUN(cells_train_as_in_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
