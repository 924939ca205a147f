/* The picture of a fit: data, curve and band, and the residuals below. Over x where the model has one column besides y; else over what is
 * predicted. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"

enum { grid = 200 }; /* points of the curve, at least */

/* Rows in the order of x. */
struct row {
    double x, y, hat;
};

/* What is drawn: [n] rows of data, and the curve's points. */
struct picture {
    int64_t n, points;
    struct row *row;
    double *data;  /* [3n]: x, y, residual */
    double *curve; /* [4 points]: x, value, low, high */
    cr_node x;     /* error node: none, or more than one */
};

static int by_x(const void *a, const void *b) {
    double x = ((const struct row *)a)->x, y = ((const struct row *)b)->x;
    return (x > y) - (x < y);
}

/* The one column besides the observed one (and sigma). */
static cr_node find_x(const struct fitting *t) {
    cr_node x = {t->s->graph, 0, 0};
    for (int i = 0; cr_ok(cr_leaf(t->s->graph, i)); i++) {
        cr_node leaf = cr_leaf(t->s->graph, i);
        bool column = strcmp(cr_op_of(leaf), "input") == 0 && cr_rank(leaf) == 1 &&
                      cr_dtype_of(leaf) == CR_F64 && cr_count(leaf) == cr_count(t->observed) &&
                      !cr_same(leaf, t->observed) && strcmp(cr_name(leaf), "sigma") != 0;
        if (column && cr_ok(x)) return (cr_node){t->s->graph, 0, 0};
        if (column) x = leaf;
    }
    return x;
}

static cr_status read_column(const struct fitting *t, cr_node node, double *out, int64_t n) {
    cr_array *v = NULL, *wide = NULL;
    cr_status status = cr_eval_array(&v, t->s->eval, node);
    if (!status) status = cr_array_cast(&wide, v, CR_F64);
    if (!status) memcpy(out, cr_array_data(wide), (size_t)n * sizeof *out);
    cr_array_free(v);
    cr_array_free(wide);
    return status;
}

static cr_status read_rows(const struct fitting *t, struct picture *p) {
    double *x = p->data, *y = x + p->n, *hat = y + p->n;
    cr_status status = read_column(t, t->observed, y, p->n);
    if (!status) status = read_column(t, t->predicted, hat, p->n);
    if (!status) status = read_column(t, cr_ok(p->x) ? p->x : t->predicted, x, p->n);
    for (int64_t i = 0; i < p->n; i++) p->row[i] = (struct row){x[i], y[i], hat[i]};
    qsort(p->row, (size_t)p->n, sizeof *p->row, by_x);
    for (int64_t i = 0; i < p->n; i++)
        x[i] = p->row[i].x, y[i] = p->row[i].y, hat[i] = p->row[i].y - p->row[i].hat;
    return status;
}

/* ---- The curve: the model on other x, n at a time ---- */

static cr_status predict_at(const struct fitting *t, const struct picture *p, const double *x, double *value,
                            double *error) {
    cr_status status = cr_eval_set(t->s->eval, p->x, CR_F64, x, (size_t)p->n * sizeof *x);
    if (!status) status = cr_fit_predict(t->f, t->s->eval, t->predicted, value, error);
    return status == CR_EINVAL ? cr_fit_predict(t->f, t->s->eval, t->predicted, value, NULL) : status;
}

/* Does a row of the prediction follow from its own x alone? Not if it changes with x elsewhere (a mean of x, say). */
static bool rows_alone(const struct fitting *t, const struct picture *p, const double *x, double *work) {
    double *other = work, *before = work + p->n, *after = before + p->n;
    int64_t half = (p->n + 1) / 2;
    for (int64_t i = 0; i < p->n; i++) other[i] = i < half ? x[i] : x[0];
    bool good = !predict_at(t, p, x, before, NULL) && !predict_at(t, p, other, after, NULL);
    for (int64_t i = 0; good && i < half; i++)
        good = before[i] == after[i] || (isnan(before[i]) && isnan(after[i]));
    return good;
}

/* The curve's x: grid points, or the data's where rows do not stand alone. */
static void choose_points(struct picture *p, bool alone) {
    double low = p->data[0], high = p->data[p->n - 1];
    p->points = alone ? p->n * ((grid + p->n - 1) / p->n) : p->n;
    for (int64_t i = 0; i < p->points; i++)
        p->curve[i] = alone ? low + (high - low) * (double)i / (double)(p->points - 1) : p->data[i];
}

static cr_status find_curve(const struct fitting *t, struct picture *p) {
    int64_t m = p->n * ((grid + p->n - 1) / p->n);
    double *work = malloc((size_t)(4 * p->n) * sizeof *work), *x = work,
           factor = cr_fit_quantile(t->f, t->confidence);
    cr_status status = work ? read_column(t, p->x, x, p->n) : CR_ENOMEM;
    if (!status) choose_points(p, p->n > 1 && rows_alone(t, p, x, work + p->n));
    double *value = p->curve + m, *low = value + m, *high = low + m, *error = work ? work + p->n : NULL;
    for (int64_t i = 0; i < p->points && !status; i += p->n) {
        for (int64_t k = 0; k < p->n; k++) error[k] = NAN;
        status = predict_at(t, p, p->points == p->n ? p->curve : p->curve + i, value + i, error);
        for (int64_t k = 0; k < p->n; k++) {
            low[i + k] = value[i + k] - factor * error[k];
            high[i + k] = value[i + k] + factor * error[k];
        }
    }
    if (work) cr_eval_set(t->s->eval, p->x, CR_F64, x, (size_t)p->n * sizeof *x);
    free(work);
    return status;
}

/* ---- Drawing ---- */

static cr_status draw_curve(const struct fitting *t, const struct picture *p, cr_plot *plot) {
    int64_t m = p->n * ((grid + p->n - 1) / p->n);
    const double *value = p->curve + m, *low = value + m, *high = low + m;
    char band[64];
    snprintf(band, sizeof band, "%g%% band of the curve", 100 * t->confidence);
    cr_status status = isnan(low[0]) ? CR_OK : cr_plot_band(plot, band, p->points, p->curve, low, high);
    return status ? status : cr_plot_add(plot, "fit", true, p->points, p->curve, value);
}

static cr_status draw_diagonal(const struct picture *p, cr_plot *plot) {
    double end[2] = {p->data[0], p->data[p->n - 1]};
    return cr_plot_add(plot, "observed = predicted", true, 2, end, end);
}

static cr_status draw(const struct fitting *t, const struct picture *p, cr_plot *plot) {
    const double *x = p->data, *y = x + p->n, *residual = y + p->n;
    double ends[2] = {x[0], x[p->n - 1]}, zero[2] = {0, 0};
    cr_status status = cr_plot_add(plot, "data", false, p->n, x, y);
    if (!status) status = cr_ok(p->x) ? draw_curve(t, p, plot) : draw_diagonal(p, plot);
    if (!status) status = cr_plot_panel(plot, "residual");
    if (!status) status = cr_plot_add(plot, "", false, p->n, x, residual);
    return status ? status : cr_plot_add(plot, "", true, 2, ends, zero);
}

static cr_status make_plot(const struct fitting *t, struct picture *p) {
    cr_plot *plot = NULL;
    const char *observed = cr_name(t->observed), *file = t->a->data ? t->a->data : "";
    char y[256];
    snprintf(y, sizeof y, "%.*s", (int)strcspn(observed, " "), observed); /* "y observed" is y */
    cr_status status = read_rows(t, p);
    if (!status && cr_ok(p->x)) status = find_curve(t, p);
    if (!status) status = cr_plot_new(&plot, t->s->ctx);
    if (!status)
        status = cr_plot_labels(plot, strrchr(file, '/') ? strrchr(file, '/') + 1 : file,
                                cr_ok(p->x) ? cr_name(p->x) : "predicted", y);
    if (!status) status = draw(t, p, plot);
    cr_text_clear(t->s->text);
    if (!status) status = cr_plot_svg(t->s->text, plot);
    cr_plot_free(plot);
    return status;
}

int fit_plot(struct fitting *t, const char *path) {
    struct session *s = t->s;
    if (!cr_ok(t->predicted))
        return fail("--svg: to draw the fit, call the prediction of the column y y_hat");
    struct picture p = {.n = cr_count(t->observed), .x = find_x(t)};
    if (p.n == 0) return fail("--svg: there are no data to draw");
    size_t curve = (size_t)(p.n * ((grid + p.n - 1) / p.n));
    p.row = calloc((size_t)p.n, sizeof *p.row);
    p.data = calloc(3 * (size_t)p.n, sizeof *p.data);
    p.curve = calloc(4 * curve, sizeof *p.curve);
    cr_status status = p.row && p.data && p.curve ? make_plot(t, &p) : CR_ENOMEM;
    int code = EXIT_DONE;
    if (status)
        code = fail("--svg: %s", cr_eval_error(s->eval) ? cr_eval_error(s->eval) : cr_status_text(status));
    else if (cr_file_write(path, cr_text_str(s->text), cr_text_size(s->text), s->ctx, s->why))
        code = fail("%s", cr_text_str(s->why));
    free(p.row);
    free(p.data);
    free(p.curve);
    return code;
}
