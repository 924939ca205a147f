/* chainrule fit: parameters that minimise the loss of a model over the columns of a table. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fit.h"

static bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* As formulas can write it: a sign, or several, are one '_', as in Air_Flow for "Air.Flow" and Temp_C for "Temp (C)". */
static void plain_name(char *to, size_t room, const char *name) {
    size_t n = 0;
    bool signs = is_digit(*name);
    for (const char *s = name; *s; s++) signs = signs || !(is_letter(*s) || is_digit(*s) || *s == '_');
    if (is_digit(*name)) to[n++] = '_';
    for (; *name && n + 1 < room; name++) {
        bool sign = !is_letter(*name) && !is_digit(*name);
        if (!sign || !signs || !n || to[n - 1] != '_') to[n++] = sign ? '_' : *name;
    }
    while (signs && n > 1 && to[n - 1] == '_') n--;
    to[n] = 0;
}

/* Every column, or array of a file of several, is a value by its name, for those names that the model has. */
static int add_columns(struct arguments *a, cr_data *d, cr_text *why) {
    int n = 0;
    while (cr_data_name(d, n)) n++;
    while (n-- > 0) { /* put in front, so that they come to stand in order */
        char plain[256];
        const char *name = cr_data_name(d, n);
        if (!*name)
            return fail("%s: holds one array without a name: expected columns called as in the formula",
                        a->data);
        plain_name(plain, sizeof plain, name);
        if (find_given(a->given, plain)) continue;
        struct given *g = calloc(1, sizeof *g);
        if (!g) return fail("out of memory");
        if (cr_data_array(&g->array, d, n, why)) return free(g), fail("%s", cr_text_str(why));
        g->name = strdup(plain);
        if (!g->name) return cr_array_free(g->array), free(g), fail("out of memory");
        g->name_size = strlen(plain);
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

/* Inputs live in arrays of ours while the fit runs: one place for each leaf. */
struct bound {
    cr_array **array;
    int n;
};

static cr_status set_sigma(cr_fit *f, const cr_array *column) {
    cr_array *wide = NULL;
    cr_status status = cr_array_cast(&wide, column, CR_F64);
    if (!status) status = cr_fit_sigma(f, cr_array_count(wide), cr_array_data(wide));
    cr_array_free(wide);
    return status;
}

static int bind_inputs(struct session *s, cr_fit *f, struct bound *b) {
    b->array = calloc((size_t)session_leaves(s) + 1, sizeof(cr_array *));
    if (!b->array) return session_failed(s, NULL);
    for (int i = 0; cr_ok(cr_leaf(s->graph, i)); i++) {
        cr_node x = cr_leaf(s->graph, i);
        if (strcmp(cr_op_of(x), "input") != 0) continue;
        if (cr_eval_array(&b->array[b->n], s->eval, x)) return session_failed(s, cr_eval_error(s->eval));
        cr_array *v = b->array[b->n++];
        cr_status status = cr_fit_bind(f, cr_name(x), cr_array_dtype(v), cr_array_data(v), cr_array_bytes(v));
        if (status == CR_ENAME && strcmp(cr_name(x), "sigma") == 0) status = set_sigma(f, v);
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

/* ---- Options ---- */

/* nan where the text is no number. */
static double number_of(const char *text) {
    cr_array *array = NULL;
    double number = NAN;
    if (read_value(&array, text, NULL) && cr_array_rank(array) == 0) number = *(double *)cr_array_data(array);
    cr_array_free(array);
    return number;
}

static int set_option(cr_fit *f, const char *option, const char *name, const char *value,
                      const char *expected) {
    if (!value || cr_fit_set(f, name, value) == CR_OK) return EXIT_DONE;
    if (cr_fit_error(f)) return fail("--%s: %s", option, cr_fit_error(f));
    return wrong_use("--%s: expected %s, found '%s'", option, expected, value);
}

static void list_methods(char *s, size_t size) {
    size_t n = 0;
    for (int i = 0; cr_minimiser_name(i) && n < size; i++)
        n += (size_t)snprintf(s + n, size - n, "%s%s",
                              !i                         ? ""
                              : cr_minimiser_name(i + 1) ? ", "
                                                         : " or ",
                              cr_minimiser_name(i));
}

/* A formula whose parameters all start at 1, as nobody said where: that may be far from the best. */
static bool is_unguided(const struct fitting *t) {
    const char *name;
    if (ends_with(t->a->formula, ".cr")) return false;
    for (int i = 0; (name = cr_model_free_name(t->s->model, i)); i++) {
        const struct given *g = find_given(t->a->given, name);
        if (g && !g->optional) return false;
    }
    return cr_rank(t->observed) == 1 && cr_count(t->observed) <= 10000;
}

static int set_options(struct fitting *t) {
    const struct arguments *a = t->a;
    t->starts = option_value(a, "starts");
    if (!t->starts && is_unguided(t)) t->starts = "10";
    char rate[40], methods[200];
    list_methods(methods, sizeof methods);
    snprintf(rate, sizeof rate, "%.17g", a->rate);
    const struct {
        const char *option, *name, *value, *expected;
    } row[] = {
        {"method", "method", a->method, methods},
        {"rate", "rate", a->rate != 0 ? rate : NULL, "a positive number"},
        {"iterations", "iterations", a->iterations, "an integer from 0 to 2^53"},
        {"tolerance", "tolerance", a->tolerance, "a number from 0 to 1"},
        {"robust", "robust", option_value(a, "robust"), "huber, soft_l1 or cauchy"},
        {"robust-scale", "robust_scale", option_value(a, "robust-scale"), "a number from 1e-100 to 1e100"},
        {"starts", "starts", t->starts, "an integer from 1 to 2^53"},
        {"seed", "seed", option_value(a, "seed"), "an integer from 0 to 2^53"},
        {"flush-denormals", "flush_denormals", a->flush ? "1" : NULL, ""},
        {"absolute-sigma", "absolute_sigma", a->absolute_sigma ? "1" : NULL, ""}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        int code = set_option(t->f, row[i].option, row[i].name, row[i].value, row[i].expected);
        if (code) return code;
    }
    t->confidence = option_value(a, "confidence") ? number_of(option_value(a, "confidence")) : 0.95;
    if (!(t->confidence > 0 && t->confidence < 1))
        return wrong_use("--confidence: expected a number above 0 and below 1, found '%s'",
                         option_value(a, "confidence"));
    if (!a->quiet && isatty(STDERR_FILENO)) cr_fit_progress(t->f, progress, NULL);
    return EXIT_DONE;
}

/* ---- Lists of parameters: b1,b2 and b1=0,b2=1 ---- */

struct item {
    char name[256];
    bool has_number;
    double number; /* nan: it is none */
    int n;         /* characters, of which s is the first */
    const char *s;
};

/* Takes the next item off a list; false at its end. */
static bool next_item(const char **list, struct item *item) {
    char value[64] = "";
    const char *s = *list = list_item(*list);
    size_t n = strcspn(s, ","), size = strcspn(s, "=,"), room = sizeof item->name - 1;
    if (n == 0) return false;
    *item = (struct item){.has_number = size < n, .number = NAN, .n = (int)n, .s = s};
    memcpy(item->name, s, size < room ? size : room);
    if (size < n && n - size - 1 < sizeof value) memcpy(value, s + size + 1, n - size - 1);
    if (*value) item->number = number_of(value);
    *list += n;
    return true;
}

static bool is_twice(const char *list, const char *name) {
    struct item item;
    int found = 0;
    while (next_item(&list, &item)) found += strcmp(item.name, name) == 0;
    return found > 1;
}

/* Every item names a parameter, once, and a number; or a name will do. */
static int check_items(const struct session *s, const char *option, const char *list, bool name_will_do) {
    struct item item;
    if (list && !*list_item(list))
        return wrong_use("--%s: expected names of parameters, as in b1=0,b2=1", option);
    for (const char *p = list; p && next_item(&p, &item);) {
        bool found = false;
        for (int i = 0; i < s->n; i++) found = found || strcmp(cr_name(s->wrt[i]), item.name) == 0;
        if (!found) return fail("--%s: the model has no parameter '%s'", option, item.name);
        if (!(item.has_number ? isfinite(item.number) : name_will_do))
            return wrong_use("--%s: expected %s=NUMBER, a finite one, found '%.*s'", option, item.name,
                             item.n, item.s);
        if (is_twice(list, item.name)) return wrong_use("--%s: '%s' is given twice", option, item.name);
    }
    return EXIT_DONE;
}

static int fix_params(struct fitting *t) {
    struct item item;
    const char *list = option_value(t->a, "fix");
    int code = check_items(t->s, "fix", list, true);
    while (!code && list && next_item(&list, &item)) {
        if (cr_fit_fix(t->f, item.name, true)) code = fail("--fix: %s", cr_fit_error(t->f));
        else if (item.has_number &&
                 cr_store_set(t->s->store, item.name, CR_F64, &item.number, sizeof item.number))
            code = fail("--fix %s=%g: %s", item.name, item.number, cr_store_error(t->s->store));
    }
    return code;
}

/* The bound of a parameter in a list, else what stands for none. */
static double bound_of(const char *list, const char *wanted, double none) {
    struct item item;
    while (list && next_item(&list, &item))
        if (strcmp(item.name, wanted) == 0) return item.number;
    return none;
}

static int set_bounds(struct fitting *t) {
    const struct arguments *a = t->a;
    int code = check_items(t->s, "lower", option_value(a, "lower"), false);
    if (!code) code = check_items(t->s, "upper", option_value(a, "upper"), false);
    for (int i = 0; i < t->s->n && !code; i++) {
        const char *name = cr_name(t->s->wrt[i]);
        double low = bound_of(option_value(a, "lower"), name, -INFINITY),
               high = bound_of(option_value(a, "upper"), name, INFINITY);
        if ((isfinite(low) || isfinite(high)) && cr_fit_bounds(t->f, name, low, high))
            code = fail("%s", cr_fit_error(t->f));
    }
    return code;
}

/* ", "-separated: the columns of the data, at most 20. */
static void list_columns(cr_text *out, const struct given *g) {
    cr_text_clear(out);
    for (int n = 0; g && n < 20; g = g->next)
        if (g->optional) cr_text_append(out, n++ ? ", " : ""), cr_text_append(out, g->name);
}

static int use_sigma(struct fitting *t) {
    const char *name = option_value(t->a, "sigma");
    char plain[256];
    if (name) plain_name(plain, sizeof plain, name);
    const struct given *column = name ? find_given(t->a->given, plain) : NULL;
    if (t->a->absolute_sigma && !name && !cr_ok(cr_find(t->s->graph, "sigma")))
        return wrong_use("--absolute-sigma needs --sigma COLUMN, or an input sigma in the model");
    if (!name) return EXIT_DONE;
    if (!column) {
        list_columns(t->s->text, t->a->given);
        return fail("--sigma: the data has no column '%s': there are %s", name, cr_text_str(t->s->text));
    }
    return set_sigma(t->f, column->array) ? fail("--sigma %s: %s", name, cr_fit_error(t->f)) : EXIT_DONE;
}

/* ---- A model without a loss: y = f(x) beside a column y, or y_hat = f(x) ---- */

/* The input of this name; made, with the column's values, where the formula does without. */
static cr_node observed_of(struct session *s, const char *name, const struct given *column) {
    cr_node x = cr_find(s->graph, name);
    if (cr_ok(x) && strcmp(cr_op_of(x), "input") == 0) return x;
    char other[300];
    snprintf(other, sizeof other, cr_ok(x) ? "%s observed" : "%s", name); /* y itself is the formula's */
    x = cr_input(s->graph, other, CR_F64, cr_array_rank(column->array), cr_array_dims(column->array));
    if (cr_ok(x))
        cr_eval_set(s->eval, x, CR_F64, cr_array_data(column->array), cr_array_bytes(column->array));
    return x;
}

/* Is x called so, but for a leaf's own name? A node may have several: in `y = c` the parameter has two. */
static bool is_called(cr_node x, const char *name) {
    cr_node found = cr_find(x.graph, name);
    bool leaf = strcmp(cr_op_of(x), "param") == 0 || strcmp(cr_op_of(x), "input") == 0;
    return cr_ok(found) && found.id == x.id && !(leaf && strcmp(cr_name(x), name) == 0);
}

/* The column that the formula is of: y, where it is called y or y_hat. */
static const struct given *column_of(const struct fitting *t, cr_node x) {
    char hat[300];
    for (const struct given *g = t->a->given; g; g = g->next) {
        snprintf(hat, sizeof hat, "%s_hat", g->name);
        if (g->optional && (is_called(x, g->name) || is_called(x, hat))) return g;
    }
    return NULL;
}

/* A formula that is one number for each observation, or has nothing to do with the data, is no loss. */
static int no_loss(const struct fitting *t) {
    struct session *s = t->s;
    bool any = false;
    for (int i = 0; cr_ok(cr_leaf(s->graph, i)); i++)
        any = any || strcmp(cr_op_of(cr_leaf(s->graph, i)), "input") == 0;
    bool one = cr_count(s->result) == 1,
         residual = cr_name(s->result) && strcmp(cr_name(s->result), "residual") == 0;
    if (!t->a->data || residual || (any && one)) return EXIT_DONE;
    list_columns(s->text, t->a->given);
    if (!any)
        return fail("the formula has none of the columns of %s, which are %s: say what is fitted, as in 'y = "
                    "...'",
                    t->a->data, cr_text_str(s->text));
    return fail("what is fitted? Name a column, as in 'y = ...' (the columns of %s are %s), or give a loss: "
                "one number",
                t->a->data, cr_text_str(s->text));
}

static int complete_loss(struct fitting *t) {
    struct session *s = t->s;
    cr_node y = s->result;
    bool open = cr_rank(y) <= 1 && strcmp(cr_name(y) ? cr_name(y) : "", "residual") != 0;
    const struct given *column = open ? column_of(t, y) : NULL;
    if (!column || cr_array_rank(column->array) != 1) return no_loss(t);
    t->observed = observed_of(s, column->name, column);
    t->predicted = cr_rank(y) ? y : cr_expand(y, 1, cr_array_dims(column->array));
    s->result = cr_mean(cr_square(cr_sub(t->predicted, t->observed)), 0, NULL, false);
    return cr_ok(s->result) ? EXIT_DONE : session_failed(s, cr_graph_error(s->graph));
}

/* In a model with a loss: a column y beside y_hat. */
static void find_prediction(struct fitting *t) {
    for (int i = 0; !cr_ok(t->predicted) && cr_ok(cr_leaf(t->s->graph, i)); i++) {
        cr_node leaf = cr_leaf(t->s->graph, i);
        char hat[300];
        snprintf(hat, sizeof hat, "%s_hat", cr_name(leaf));
        cr_node y = cr_find(t->s->graph, hat);
        bool column = strcmp(cr_op_of(leaf), "input") == 0 && cr_rank(leaf) == 1 && cr_ok(y);
        if (column && cr_count(y) == cr_count(leaf)) t->observed = leaf, t->predicted = y;
    }
}

/* ---- The fit ---- */

/* The fitted parameters become values of the session. */
static void take_params(struct session *s) {
    for (int i = 0; i < s->n; i++) {
        cr_dtype dtype;
        size_t bytes;
        void *data = cr_store_data(s->store, cr_name(s->wrt[i]), &dtype, &bytes);
        if (data) cr_eval_set(s->eval, s->wrt[i], dtype, data, bytes);
    }
}

static int prepare(struct fitting *t, struct bound *b) {
    struct session *s = t->s;
    int code = complete_loss(t);
    if (!code) code = set_params(s);
    if (!code && cr_fit_new(&t->f, s->result, s->n, s->wrt, s->store))
        code = session_failed(s, cr_graph_error(s->graph));
    if (!code) code = bind_inputs(s, t->f, b);
    if (!code) code = set_options(t);
    if (!code) code = fix_params(t);
    if (!code) code = set_bounds(t);
    return code ? code : use_sigma(t);
}

/* Of a column that the fit reads the first number that is none, which may be why it failed. */
static bool told_of_column(const struct fitting *t) {
    for (const struct given *g = t->a->given; g; g = g->next) {
        cr_array *wide = NULL;
        if (!g->optional || !(is_fitted(t, g) || is_used(t, g))) continue;
        if (cr_array_cast(&wide, g->array, CR_F64)) return false;
        const double *v = cr_array_data(wide);
        int64_t i = 0, n = cr_array_count(wide);
        while (i < n && isfinite(v[i])) i++;
        if (i < n)
            fail("%s: column '%s': number %lld is %g: mend or leave out that observation", t->a->data,
                 g->name, (long long)i + 1, v[i]);
        cr_array_free(wide);
        if (n == 0) fail("%s: column '%s' holds no numbers: expected rows of them", t->a->data, g->name);
        if (i < n || n == 0) return true;
    }
    return false;
}

static int run(struct fitting *t) {
    t->status = cr_fit_run(t->f);
    if (!t->a->quiet && isatty(STDERR_FILENO)) fputc('\n', stderr);
    if (t->status == CR_ENAN && t->a->data && told_of_column(t)) return EXIT_FAILED;
    if (t->status && t->status != CR_EFAIL)
        return session_failed(t->s, cr_fit_error(t->f) ? cr_fit_error(t->f) : cr_status_text(t->status));
    take_params(t->s);
    find_prediction(t);
    if (t->a->json) fit_json(t);
    else fit_text(t);
    int code = t->a->svg ? fit_plot(t, t->a->svg) : EXIT_DONE;
    return t->status ? fail("the fit did not converge: %s", cr_fit_reason(t->f)) : code;
}

static int fit(struct session *s, const struct arguments *a) {
    struct fitting t = {.s = s, .a = a, .observed = {s->graph, 0, 0}, .predicted = {s->graph, 0, 0}};
    struct bound b = {NULL, 0};
    int code = prepare(&t, &b);
    if (!code) code = run(&t);
    cr_fit_free(t.f);
    for (int i = 0; i < b.n; i++) cr_array_free(b.array[i]);
    free(b.array);
    return code;
}

/* Which may be why a formula was not understood. */
static void tell_renamed(const cr_data *d) {
    char plain[256];
    const char *name;
    for (int i = 0; (name = cr_data_name(d, i)); i++) {
        plain_name(plain, sizeof plain, name);
        if (strcmp(plain, name) == 0) continue;
        fprintf(stderr, "In formulas the column '%s' is %s.\n", name, plain);
        return;
    }
}

int run_fit(struct arguments *a) {
    struct session s;
    cr_data *d = NULL;
    cr_text *why = NULL;
    int code = EXIT_DONE;
    bool model = ends_with(a->formula, ".cr");
    if (!a->data && !model)
        return wrong_use("which data? chainrule fit FORMULA DATA.csv, its columns called as in the formula");
    if (cr_text_new(&why, NULL)) return fail("out of memory");
    if (a->data && !open_data(&d, a->data, a, why)) code = fail("%s", cr_text_str(why));
    if (!code && d) code = add_columns(a, d, why);
    if (!code && (code = session_open(&s, a, VALUES_NEEDED))) tell_renamed(d);
    if (!code) {
        bool any = s.n && strcmp(cr_op_of(s.wrt[0]), "param") == 0;
        code = any ? fit(&s, a) : fail("the model has no parameter to fit: declare one as in 'param b = 0'");
        session_close(&s);
    }
    for (struct given *g = a->given; g; g = g->next)
        if (g->optional) free((char *)(uintptr_t)g->name), g->name = "", g->name_size = 0;
    cr_data_free(d);
    cr_text_free(why);
    return code;
}
