/* From the command line to a graph with values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int session_failed(const struct session *s, const char *sentence) {
    (void)s;
    return fail("%s", sentence && *sentence ? sentence : cr_status_text(CR_ENOMEM));
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

/* Names of --wrt are parted by commas. */
static bool listed(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && memcmp(p, name, n) == 0) return true;
    return false;
}

static bool is_free(const cr_model *m, const char *name) {
    for (int i = 0; cr_model_free_name(m, i); i++)
        if (strcmp(cr_model_free_name(m, i), name) == 0) return true;
    return false;
}

static int declare(struct session *s, const struct arguments *a, bool need_values) {
    for (int i = 0; cr_model_free_name(s->model, i); i++) {
        const char *name = cr_model_free_name(s->model, i);
        if (find_given(a->given, name) || !need_values) continue;
        if (!a->data) return fail("'%s' has no value: add %s=...", name, name);
        if (cr_model_declare(s->model, name, true, CR_F64, 0, NULL))
            return session_failed(s, NULL); /* to be fitted */
    }
    for (const struct given *g = a->given; g; g = g->next) {
        char name[256];
        if (g->name_size >= sizeof name) return fail("a name is too long");
        memcpy(name, g->name, g->name_size);
        name[g->name_size] = 0;
        bool whole = cr_array_rank(g->array) == 0;
        if (whole && cr_model_size(s->model, name, (int64_t) * (double *)cr_array_data(g->array)) == CR_OK)
            continue;
        bool start =
            a->data && !g->optional && is_free(s->model, name); /* of a fit: where the parameter starts */
        cr_model_declare(s->model, name, start, CR_F64, cr_array_rank(g->array), cr_array_dims(g->array));
    }
    return EXIT_DONE;
}

static int set_value(struct session *s, cr_node x, const struct given *g) {
    cr_array *array = NULL;
    cr_status status = cr_array_cast(&array, g->array, cr_dtype_of(x));
    if (!status)
        status = cr_eval_set(s->eval, x, cr_dtype_of(x), cr_array_data(array), cr_array_bytes(array));
    cr_array_free(array);
    return status ? session_failed(s, cr_eval_error(s->eval)) : EXIT_DONE;
}

static int set_values(struct session *s, const struct arguments *a) {
    for (const struct given *g = a->given; g; g = g->next) {
        char name[256];
        memcpy(name, g->name, g->name_size);
        name[g->name_size] = 0;
        cr_node x = cr_find(s->graph, name);
        bool leaf = cr_ok(x) && (strcmp(cr_op_of(x), "input") == 0 || strcmp(cr_op_of(x), "param") == 0);
        if (!leaf && !g->optional && cr_model_size(s->model, name, 0) != CR_OK)
            return fail("the formula has no input or parameter '%s'", name);
        if (leaf && set_value(s, x, g)) return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* The parameters, or without any every input of a float dtype; in the order in which the formula has them. */
static int find_wrt(struct session *s, const char *list) {
    bool params = false;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; cr_ok(cr_leaf(s->graph, i)); i++) {
            cr_node x = cr_leaf(s->graph, i);
            bool param = strcmp(cr_op_of(x), "param") == 0,
                 fraction = cr_dtype_of(x) == CR_F32 || cr_dtype_of(x) == CR_F64;
            params = params || param;
            if (pass == 0 || s->n == 256) continue;
            if (list ? listed(list, cr_name(x)) : fraction && (param || !params)) s->wrt[s->n++] = x;
        }
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',') {
        bool found = false;
        for (int i = 0; i < s->n; i++)
            found = found || (strlen(cr_name(s->wrt[i])) == strcspn(p, ",") &&
                              memcmp(cr_name(s->wrt[i]), p, strcspn(p, ",")) == 0);
        if (!found)
            return fail("--wrt: the formula has no input or parameter '%.*s'", (int)strcspn(p, ","), p);
    }
    return EXIT_DONE;
}

static int build(struct session *s, const struct arguments *a, bool need_values) {
    int code = read_model(s, a);
    if (!code) code = declare(s, a, need_values);
    if (code) return code;
    if (cr_model_build(&s->result, s->model, s->graph, s->why))
        return session_failed(s, *cr_text_str(s->why) ? cr_text_str(s->why) : cr_graph_error(s->graph));
    for (int i = 0; a->data && cr_model_free_name(s->model, i); i++) { /* undeclared parameters start at 1 */
        cr_node x = cr_find(s->graph, cr_model_free_name(s->model, i));
        if (strcmp(cr_op_of(x), "param") == 0) cr_param_init(x, cr_number(s->graph, 1));
    }
    cr_node loss = cr_find(s->graph, "loss");
    if (cr_ok(loss)) s->result = loss;
    if (!cr_ok(s->result))
        return fail("%s: there is nothing to compute: the last line has no value", a->formula);
    if (cr_eval_new(&s->eval, s->graph, s->store)) return session_failed(s, NULL);
    if (need_values && cr_store_init(s->store, s->graph, 0))
        return session_failed(s, cr_store_error(s->store));
    if (set_values(s, a)) return EXIT_FAILED;
    return find_wrt(s, a->wrt);
}

int session_open(struct session *s, const struct arguments *a, bool need_values) {
    memset(s, 0, sizeof *s);
    if (cr_context_new(&s->ctx) || cr_context_threads(s->ctx, 0) || cr_text_new(&s->text, s->ctx) ||
        cr_text_new(&s->why, s->ctx) || cr_store_new(&s->store, s->ctx) ||
        !(s->graph = cr_graph_new(s->ctx))) {
        session_close(s);
        return session_failed(s, NULL);
    }
    int code = build(s, a, need_values);
    if (code) session_close(s);
    return code;
}

void session_close(struct session *s) {
    cr_eval_free(s->eval);
    cr_graph_free(s->graph);
    cr_model_free(s->model);
    cr_store_free(s->store);
    cr_text_free(s->text);
    cr_text_free(s->why);
    cr_context_free(s->ctx);
    memset(s, 0, sizeof *s);
}
