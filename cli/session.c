/* From the command line to a graph with values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Of a session of data, which has no model of its own, an input without a value is one without data. */
int session_failed(const struct session *s, const char *sentence) {
    const char *unbound = "input '", *say = sentence && *sentence ? sentence : cr_status_text(CR_ENOMEM);
    size_t n = strlen(unbound);
    if (s->model || strncmp(say, unbound, n) != 0 || !ends_with(say, "' has no value"))
        return fail("%s", say);
    return fail("%s: give it as --data %.*s=FILE", say, (int)strcspn(say + n, "'"), say + n);
}

static bool is_file(const char *s) {
    size_t n = strlen(s);
    return n > 3 && strcmp(s + n - 3, ".cr") == 0;
}

static int read_model(struct session *s, const struct arguments *a) {
    cr_status status = is_file(a->formula)
                           ? cr_model_load(&s->model, a->formula, s->ctx, s->why)
                           : cr_model_new(&s->model, a->formula, strlen(a->formula), NULL, s->ctx, s->why);
    return status ? session_failed(s, *cr_text_str(s->why) ? cr_text_str(s->why) : cr_status_text(status))
                  : EXIT_DONE;
}

/* Items of an option are parted by commas, and blanks behind these. */
const char *list_item(const char *list) { return list + strspn(list, ", "); }

static bool listed(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *p = list_item(list); *p; p = list_item(p + strcspn(p, ",")))
        if (strcspn(p, ",") == n && memcmp(p, name, n) == 0) return true;
    return false;
}

static bool is_free(const cr_model *m, const char *name) {
    for (int i = 0; cr_model_free_name(m, i); i++)
        if (strcmp(cr_model_free_name(m, i), name) == 0) return true;
    return false;
}

/* A named size is a whole number. */
static int bind_size(struct session *s, const struct given *g) {
    int64_t n;
    if (!whole_number(g->array, &n))
        return fail("'%s' is a size: expected a whole number, not negative", g->name);
    return cr_model_size(s->model, g->name, n) ? session_failed(s, NULL) : EXIT_DONE;
}

/* Whole numbers and truths from a file may steer an index or a mask; other numbers are f64, as those on the command line. */
static cr_dtype declared_as(const cr_array *array) {
    cr_dtype dtype = cr_array_dtype(array);
    return dtype == CR_BOOL || dtype == CR_I32 || dtype == CR_I64 ? dtype : CR_F64;
}

/* Which of what is given are sizes; is there anything else? */
static bool gives_values(struct session *s, const struct arguments *a) {
    bool values = false;
    for (struct given *g = a->given; g; g = g->next) {
        g->is_size = cr_model_size(s->model, g->name, 0) == CR_OK;
        values = values || !g->is_size;
    }
    return values;
}

static int declare(struct session *s, const struct arguments *a) {
    for (int i = 0; cr_model_free_name(s->model, i); i++) {
        const char *name = cr_model_free_name(s->model, i);
        if (find_given(a->given, name) || !s->has_values) continue;
        if (!a->data) return fail("'%s' has no value: add %s=...", name, name);
        if (cr_model_declare(s->model, name, true, CR_F64, 0, NULL))
            return session_failed(s, NULL); /* to be fitted */
    }
    for (struct given *g = a->given; g; g = g->next) {
        int code = EXIT_DONE;
        bool start =
            a->data && !g->optional && is_free(s->model, g->name); /* of a fit: where the parameter starts */
        if (g->is_size) code = bind_size(s, g);
        else if (cr_model_declare(s->model, g->name, start, declared_as(g->array), cr_array_rank(g->array),
                                  cr_array_dims(g->array)))
            code = session_failed(s, NULL);
        if (code) return code;
    }
    return EXIT_DONE;
}

/* Fractions may round, but a whole number or a truth must be one. */
static int check_kept(const struct given *g, const cr_array *now, cr_dtype dtype) {
    cr_array *before = NULL, *after = NULL;
    int code = EXIT_DONE;
    if (cr_array_cast(&before, g->array, CR_F64) || cr_array_cast(&after, now, CR_F64))
        code = fail("out of memory");
    const double *x = code ? NULL : cr_array_data(before), *y = code ? NULL : cr_array_data(after);
    for (int64_t i = 0; !code && i < cr_array_count(before); i++)
        if (x[i] != y[i])
            code = fail("%s: expected numbers that %s holds exactly, found %g", g->name, cr_dtype_name(dtype),
                        x[i]);
    cr_array_free(before);
    cr_array_free(after);
    return code;
}

static int set_value(struct session *s, cr_node x, const struct given *g) {
    cr_array *array = NULL;
    cr_dtype dtype = cr_dtype_of(x);
    bool whole = dtype == CR_BOOL || dtype == CR_I32 || dtype == CR_I64;
    if (cr_array_cast(&array, g->array, dtype)) return session_failed(s, NULL);
    int code = whole ? check_kept(g, array, dtype) : EXIT_DONE;
    if (!code && cr_eval_set(s->eval, x, dtype, cr_array_data(array), cr_array_bytes(array)))
        code = session_failed(s, cr_eval_error(s->eval));
    cr_array_free(array);
    return code;
}

static bool is_leaf(cr_node x) {
    return cr_ok(x) && (strcmp(cr_op_of(x), "input") == 0 || strcmp(cr_op_of(x), "param") == 0);
}

static int set_values(struct session *s, const struct arguments *a) {
    for (const struct given *g = a->given; g; g = g->next) {
        cr_node x = cr_find(s->graph, g->name);
        bool leaf = is_leaf(x) && strcmp(cr_name(x), g->name) == 0; /* not c, which `y = c` calls y too */
        if (g->is_size) continue;
        if (!leaf && !g->optional) return fail("the formula has no input or parameter '%s'", g->name);
        if (leaf && set_value(s, x, g)) return EXIT_FAILED;
    }
    return EXIT_DONE;
}

int session_leaves(const struct session *s) {
    int n = 0;
    while (cr_ok(cr_leaf(s->graph, n))) n++;
    return n;
}

static bool has_params(const struct session *s) {
    for (int i = 0; cr_ok(cr_leaf(s->graph, i)); i++)
        if (strcmp(cr_op_of(cr_leaf(s->graph, i)), "param") == 0) return true;
    return false;
}

static int check_list(const struct session *s, const char *list) {
    for (const char *p = list_item(list); *p; p = list_item(p + strcspn(p, ","))) {
        bool found = false;
        int n = (int)strcspn(p, ",");
        for (int k = 0; k < s->n; k++)
            found = found || (strlen(cr_name(s->wrt[k])) == (size_t)n &&
                              memcmp(cr_name(s->wrt[k]), p, (size_t)n) == 0);
        if (!found) return fail("--wrt: the formula has no input or parameter '%.*s'", n, p);
    }
    return *list ? EXIT_DONE : wrong_use("--wrt: expected names, as in w,b");
}

/* The parameters that are trained, or without any every input of a float dtype; in the order in which the formula has them. */
static int find_wrt(struct session *s, const char *list) {
    bool params = has_params(s);
    s->wrt = malloc(((size_t)session_leaves(s) + 1) * sizeof *s->wrt);
    if (!s->wrt) return session_failed(s, NULL);
    for (int i = 0; cr_ok(cr_leaf(s->graph, i)); i++) {
        cr_node x = cr_leaf(s->graph, i);
        bool param = strcmp(cr_op_of(x), "param") == 0,
             fraction = cr_dtype_of(x) == CR_F32 || cr_dtype_of(x) == CR_F64;
        if (list ? listed(list, cr_name(x)) : fraction && (param ? !cr_ok(cr_param_next(x)) : !params))
            s->wrt[s->n++] = x;
    }
    return list ? check_list(s, list) : EXIT_DONE;
}

/* With a table every input that the model declares is a column of it, or given. */
static int check_columns(struct session *s, const struct arguments *a) {
    bool param;
    const char *name;
    for (int i = 0; (name = cr_model_leaf(s->model, i, &param, NULL, NULL)); i++) {
        if (param || find_given(a->given, name)) continue;
        cr_text_clear(s->text);
        for (const struct given *g = a->given; g; g = g->next)
            if (g->optional) session_add(s, *cr_text_str(s->text) ? ", " : ""), session_add(s, g->name);
        return fail("%s: there is no column '%s' for the input of %s: the columns are %s", a->data, name,
                    a->formula, cr_text_str(s->text));
    }
    return EXIT_DONE;
}

static int build(struct session *s, const struct arguments *a, enum values values) {
    int code = read_model(s, a);
    if (!code && a->data) code = check_columns(s, a);
    if (code) return code;
    bool given = gives_values(s, a);
    s->has_values = values == VALUES_NEEDED || (values == VALUES_IF_GIVEN && given);
    code = declare(s, a);
    if (code) return code;
    cr_model_training(s->model, option_value(a, "optimiser") != NULL); /* of a training step */
    if (cr_model_build(&s->result, s->model, s->graph, s->why))
        return session_failed(s, *cr_text_str(s->why) ? cr_text_str(s->why) : cr_graph_error(s->graph));
    for (int i = 0; a->data && cr_model_free_name(s->model, i); i++) { /* undeclared parameters start at 1 */
        cr_node x = cr_find(s->graph, cr_model_free_name(s->model, i));
        if (strcmp(cr_op_of(x), "param") == 0) cr_param_init(x, cr_number(s->graph, 1));
    }
    cr_node loss = cr_find(s->graph, "loss");
    if (cr_ok(loss)) s->result = loss;
    if (!cr_ok(s->result))
        return fail("there is nothing to compute: the %s has no value",
                    is_file(a->formula) ? "last line" : "formula");
    if (cr_eval_new(&s->eval, s->graph, s->store)) return session_failed(s, NULL);
    const char *weights = option_value(a, "weights");
    if (weights && cr_store_load(s->store, weights, s->ctx, s->why))
        return session_failed(s, cr_text_str(s->why));
    if (weights && (code = check_weights(s->model, s->store, weights))) return code;
    if (s->has_values && cr_store_init(s->store, s->graph, 0))
        return session_failed(s, cr_store_error(s->store));
    code = set_values(s, a);
    return code ? code : find_wrt(s, a->wrt);
}

int session_open(struct session *s, const struct arguments *a, enum values values) {
    memset(s, 0, sizeof *s);
    if (cr_context_new(&s->ctx) || cr_context_threads(s->ctx, 0) || cr_text_new(&s->text, s->ctx) ||
        cr_text_new(&s->why, s->ctx) || cr_store_new(&s->store, s->ctx) ||
        !(s->graph = cr_graph_new(s->ctx))) {
        session_close(s);
        return session_failed(s, NULL);
    }
    int code = build(s, a, values);
    if (code) session_close(s);
    return code;
}

int session_of_data(struct session *s, struct learning *l, const struct arguments *a) {
    const char *weights = option_value(a, "weights");
    memset(s, 0, sizeof *s);
    int code = learn_open(l, a);
    if (!code && weights) code = learn_weights(l, weights);
    if (!code && (cr_text_new(&s->text, l->ctx) || cr_text_new(&s->why, l->ctx)))
        code = session_failed(s, NULL);
    if (!code && cr_train_eval(&s->eval, &s->result, l->train)) code = learn_failed(l);
    s->graph = s->result.graph;
    return code ? code : find_wrt(s, a->wrt);
}

void session_close(struct session *s) {
    free(s->wrt);
    cr_eval_free(s->eval);
    cr_graph_free(s->graph);
    cr_model_free(s->model);
    cr_store_free(s->store);
    cr_text_free(s->text);
    cr_text_free(s->why);
    cr_context_free(s->ctx);
    memset(s, 0, sizeof *s);
}

/* ---- What verbs share ---- */

int order_of(const struct arguments *a) { return a->order < 0 ? 1 : a->order; }

cr_node session_derivative(const struct session *s, cr_node x, int order) {
    cr_node y = s->result, d;
    for (int k = 0; k < order && cr_ok(y); k++) {
        if (k > 0 && cr_rank(y) > 0) y = cr_sum(y, 0, NULL, false);
        if (cr_grad(&d, y, 1, &x)) return d;
        y = d;
    }
    return y;
}

void session_add(struct session *s, const char *text) { cr_text_append(s->text, text); }
