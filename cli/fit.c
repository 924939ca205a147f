/* chainrule fit: parameters that minimise the loss of a model over the columns of a table. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Every column is a value by its name, for those names that the model has. */
static int add_columns(struct arguments *a, cr_table *t) {
    int64_t rows = cr_table_rows(t);
    for (int k = 0; k < cr_table_columns(t); k++) {
        if (find_given(a->given, cr_table_name(t, k))) continue;
        struct given *g = calloc(1, sizeof *g);
        if (!g || cr_array_new(&g->array, NULL, CR_F64, 1, &rows)) return free(g), fail("out of memory");
        if (rows) memcpy(cr_array_data(g->array), cr_table_column(t, k), (size_t)rows * sizeof(double));
        g->name = cr_table_name(t, k);
        g->name_size = strlen(g->name);
        g->optional = true;
        g->next = a->given;
        a->given = g;
    }
    return EXIT_DONE;
}

static bool progress(void *user, int64_t iteration, double loss, double norm) {
    (void)user;
    fprintf(stderr, "\riteration %lld: loss %g, gradient %g   ", (long long)iteration, loss, norm);
    return true;
}

/* Inputs live in arrays of ours while the fit runs. */
struct bound {
    cr_array *array[256];
    int n;
};

static int bind_inputs(struct session *s, cr_fit *f, struct bound *b) {
    for (int i = 0; cr_ok(cr_leaf(s->graph, i)) && b->n < 256; i++) {
        cr_node x = cr_leaf(s->graph, i);
        if (strcmp(cr_op_of(x), "input") != 0) continue;
        if (cr_eval_array(&b->array[b->n], s->eval, x)) return session_failed(s, cr_eval_error(s->eval));
        cr_array *v = b->array[b->n++];
        cr_status status = cr_fit_bind(f, cr_name(x), cr_array_dtype(v), cr_array_data(v), cr_array_bytes(v));
        if (status && status != CR_ENAME)
            return session_failed(s, cr_fit_error(f)); /* what the loss does not need is no input of it */
    }
    return EXIT_DONE;
}

/* Starting values given on the command line. */
static int set_params(struct session *s) {
    for (int i = 0; i < s->n; i++) {
        cr_array *v = NULL;
        if (cr_eval_array(&v, s->eval, s->wrt[i])) return session_failed(s, cr_eval_error(s->eval));
        cr_status status = cr_store_set(s->store, cr_name(s->wrt[i]), cr_array_dtype(v), cr_array_data(v),
                                        cr_array_bytes(v));
        cr_array_free(v);
        if (status) return session_failed(s, cr_store_error(s->store));
    }
    return EXIT_DONE;
}

static int set_options(cr_fit *f, const struct arguments *a) {
    char rate[40];
    snprintf(rate, sizeof rate, "%.17g", a->rate);
    if (a->method && cr_fit_set(f, "method", a->method))
        return wrong_use("--method: expected lbfgs or gd, found '%s'", a->method);
    if (a->rate != 0 && cr_fit_set(f, "rate", rate)) return wrong_use("--rate: expected a positive number");
    if (a->iterations && cr_fit_set(f, "iterations", a->iterations))
        return wrong_use("--iterations: expected a number, found '%s'", a->iterations);
    if (a->tolerance && cr_fit_set(f, "tolerance", a->tolerance))
        return wrong_use("--tolerance: expected a number, found '%s'", a->tolerance);
    if (a->flush) cr_fit_set(f, "flush_denormals", "1");
    if (!a->quiet && isatty(STDERR_FILENO)) cr_fit_progress(f, progress, NULL);
    return EXIT_DONE;
}

static void print_value(struct session *s, cr_node x, bool json) {
    cr_array *v = NULL;
    cr_text_clear(s->text);
    if (cr_eval_array(&v, s->eval, x) == CR_OK) cr_array_print(s->text, v, json);
    fputs(cr_text_str(s->text), stdout);
    cr_array_free(v);
}

static void print_number(struct session *s, double x, bool json) {
    cr_array *v = NULL;
    cr_text_clear(s->text);
    if (cr_array_new(&v, NULL, CR_F64, 0, NULL) == CR_OK) {
        *(double *)cr_array_data(v) = x;
        cr_array_print(s->text, v, json);
    }
    fputs(cr_text_str(s->text), stdout);
    cr_array_free(v);
}

static void report(struct session *s, const cr_fit *f, const struct arguments *a, cr_status status) {
    if (a->json) fputs("{\"parameters\": {", stdout);
    for (int i = 0; i < s->n; i++) {
        if (a->json) printf("%s\"%s\": ", i ? ", " : "", cr_name(s->wrt[i]));
        else printf("%s = ", cr_name(s->wrt[i]));
        print_value(s, s->wrt[i], a->json);
        if (!a->json) putchar('\n');
    }
    fputs(a->json ? "}, \"loss\": " : "loss = ", stdout);
    print_number(s, cr_fit_loss(f), a->json);
    fputs(a->json ? ", \"gradient_norm\": " : "\nlargest component of the gradient = ", stdout);
    print_number(s, cr_fit_gradient_norm(f), a->json);
    const char *form =
        a->json ? ", \"iterations\": %lld, \"evaluations\": %lld, \"converged\": %s, \"reason\": \"%s\"}\n"
                : "\n%lld iterations, %lld evaluations%.0s; ended since %s\n";
    printf(form, (long long)cr_fit_iterations(f), (long long)cr_fit_evaluations(f), status ? "false" : "true",
           cr_fit_reason(f));
}

/* ---- The picture: an input y beside y_hat, over another input ---- */

static bool find_columns(struct session *s, cr_node *x, cr_node *y, cr_node *y_hat) {
    bool found = false;
    for (int i = 0; cr_ok(cr_leaf(s->graph, i)); i++) {
        cr_node leaf = cr_leaf(s->graph, i);
        char hat[256];
        snprintf(hat, sizeof hat, "%s_hat", cr_name(leaf));
        cr_node prediction = cr_find(s->graph, hat);
        bool column = strcmp(cr_op_of(leaf), "input") == 0 && cr_rank(leaf) == 1;
        if (column && cr_ok(prediction) && cr_count(prediction) == cr_count(leaf))
            *y = leaf, *y_hat = prediction, found = true;
    }
    for (int i = 0; found && cr_ok(cr_leaf(s->graph, i)); i++) {
        cr_node leaf = cr_leaf(s->graph, i);
        if (!cr_same(leaf, *y) && strcmp(cr_op_of(leaf), "input") == 0 && cr_rank(leaf) == 1 &&
            cr_count(leaf) == cr_count(*y))
            return *x = leaf, true;
    }
    return false;
}

struct point {
    double x, y, hat;
};

static int by_x(const void *a, const void *b) {
    double x = ((const struct point *)a)->x, y = ((const struct point *)b)->x;
    return (x > y) - (x < y);
}

static int column(struct session *s, cr_node node, struct point *p, size_t at) {
    cr_array *v = NULL, *wide = NULL;
    if (cr_eval_array(&v, s->eval, node) || cr_array_cast(&wide, v, CR_F64))
        return cr_array_free(v), session_failed(s, cr_eval_error(s->eval));
    for (int64_t i = 0; i < cr_array_count(wide); i++)
        memcpy((char *)&p[i] + at, (double *)cr_array_data(wide) + i, sizeof(double));
    cr_array_free(v);
    cr_array_free(wide);
    return EXIT_DONE;
}

static int write_plot(struct session *s, const struct point *p, int64_t n, cr_node x, cr_node y,
                      const char *path) {
    cr_plot *plot = NULL;
    double *v = malloc((size_t)(3 * n + 1) * sizeof *v);
    for (int64_t i = 0; v && i < n; i++) v[i] = p[i].x, v[n + i] = p[i].y, v[2 * n + i] = p[i].hat;
    cr_text_clear(s->text);
    char hat[256];
    snprintf(hat, sizeof hat, "%s_hat", cr_name(y));
    cr_status status = v ? cr_plot_new(&plot, s->ctx) : CR_ENOMEM;
    if (!status) status = cr_plot_labels(plot, "fit", cr_name(x), cr_name(y));
    if (!status) status = cr_plot_add(plot, cr_name(y), false, n, v, v + n);
    if (!status) status = cr_plot_add(plot, hat, true, n, v, v + 2 * n);
    if (!status) status = cr_plot_svg(s->text, plot);
    if (!status &&
        (status = cr_file_write(path, cr_text_str(s->text), cr_text_size(s->text), s->ctx, s->why)))
        fail("%s", cr_text_str(s->why));
    else if (status) fail("%s", cr_status_text(status));
    cr_plot_free(plot);
    free(v);
    return status ? EXIT_FAILED : EXIT_DONE;
}

static int plot(struct session *s, const char *path) {
    cr_node x, y, hat;
    if (!find_columns(s, &x, &y, &hat))
        return fail(
            "--svg: to draw the fit, call the prediction of the column y y_hat, and have another column x");
    int64_t n = cr_count(y);
    struct point *p = calloc((size_t)n + 1, sizeof *p);
    int code = p ? column(s, x, p, offsetof(struct point, x)) : fail("out of memory");
    if (!code) code = column(s, y, p, offsetof(struct point, y));
    if (!code) code = column(s, hat, p, offsetof(struct point, hat));
    if (!code) qsort(p, (size_t)n, sizeof *p, by_x);
    if (!code) code = write_plot(s, p, n, x, y, path);
    free(p);
    return code;
}

/* The fitted parameters become values of the session. */
static void take_params(struct session *s) {
    for (int i = 0; i < s->n; i++) {
        cr_dtype dtype;
        size_t bytes;
        void *data = cr_store_data(s->store, cr_name(s->wrt[i]), &dtype, &bytes);
        if (data) cr_eval_set(s->eval, s->wrt[i], dtype, data, bytes);
    }
}

static int fit(struct session *s, const struct arguments *a) {
    cr_fit *f = NULL;
    struct bound b = {{NULL}, 0};
    int code = set_params(s);
    if (!code && cr_fit_new(&f, s->result, s->n, s->wrt, s->store))
        code = session_failed(s, cr_graph_error(s->graph));
    if (!code) code = bind_inputs(s, f, &b);
    if (!code) code = set_options(f, a);
    cr_status status = code ? CR_OK : cr_fit_run(f);
    if (!code && !a->quiet && isatty(STDERR_FILENO)) fputc('\n', stderr);
    if (status && status != CR_EFAIL)
        code = session_failed(s, cr_fit_error(f) ? cr_fit_error(f) : cr_status_text(status));
    if (!code) {
        take_params(s);
        report(s, f, a, status);
        if (a->svg) code = plot(s, a->svg);
        if (status) code = fail("the fit did not converge: %s", cr_fit_reason(f));
    }
    cr_fit_free(f);
    for (int i = 0; i < b.n; i++) cr_array_free(b.array[i]);
    return code;
}

int run_fit(struct arguments *a) {
    struct session s;
    cr_table *t = NULL;
    cr_text *why = NULL;
    int code = EXIT_DONE;
    if (cr_text_new(&why, NULL)) return fail("out of memory");
    if (a->data && cr_csv_load(&t, a->data, NULL, why)) code = fail("%s", cr_text_str(why));
    if (!code && t) code = add_columns(a, t);
    if (!code) code = session_open(&s, a, true);
    if (!code) {
        code = s.n ? fit(&s, a) : fail("the model has no parameter to fit: declare one as in 'param b = 0'");
        session_close(&s);
    }
    for (struct given *g = a->given; g; g = g->next) /* the names of columns go with the table */
        if (g->optional) g->name = "", g->name_size = 0;
    cr_table_free(t);
    cr_text_free(why);
    return code;
}
