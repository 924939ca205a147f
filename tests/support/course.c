#include "support/course.h"

const char line[] = "input x: f64[n]\ninput y: f64[n]\nparam a: f64 = 0\nparam b: f64 = 0\n"
                    "y_hat = a*x + b\nerror = mean(abs(y_hat - y))\nloss = mean((y_hat - y)^2)\n";

const char net[] =
    "input x: f64[n]\ninput y: f64[n]\nparam W: f64[1, 16] = he_normal()\nparam V: f64[16, 1] = he_normal()\n"
    "h = dropout(tanh(x[:, None] @ W), rate=0.1)\nloss = mean(((h @ V)[:, 0] - y)^2)\n";

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

cr_status course_begin(struct course *c, const char *text, cr_context *ctx) {
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

void course_end(struct course *c) {
    cr_train_free(c->t);
    cr_store_free(c->store);
    cr_model_free(c->m);
    cr_array_free(c->x);
    cr_array_free(c->y);
}

void course_set(struct course *c, const char *const options[][2], int n) {
    for (int i = 0; i < n; i++)
        if (cr_train_set(c->t, options[i][0], options[i][1])) fail_msg("%s", cr_train_error(c->t));
}

struct course course_of(const char *text) {
    struct course c;
    if (course_begin(&c, text, NULL)) fail_msg("%s", cr_train_error(c.t));
    return c;
}

void course_run(struct course *c) {
    if (cr_train_run(c->t)) fail_msg("%s", cr_train_error(c->t));
}

double course_value(const struct course *c, const char *name) {
    double x = NAN;
    cr_store_get(c->store, name, CR_F64, &x, sizeof x);
    return x;
}
