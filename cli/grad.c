/* chainrule grad: values and gradients, of any order, in either mode. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- What is printed is computed first, so that a failure prints nothing ---- */

static int add_value(struct session *s, cr_node x, bool json) {
    cr_array *array = NULL;
    if (cr_eval_array(&array, s->eval, x)) return session_failed(s, cr_eval_error(s->eval));
    cr_status status = cr_array_print(s->text, array, json);
    cr_array_free(array);
    return status ? session_failed(s, NULL) : EXIT_DONE;
}

/* Names are letters, digits, _ and dots: as they are in JSON. */
static void add_key(struct session *s, const char *name) {
    session_add(s, "\""), session_add(s, name), session_add(s, "\": ");
}

static int add_json(struct session *s, const cr_node d[]) {
    session_add(s, "{");
    add_key(s, "value");
    int code = add_value(s, s->result, true);
    session_add(s, ", \"gradients\": {");
    for (int i = 0; i < s->n && !code; i++) {
        if (i) session_add(s, ", ");
        add_key(s, cr_name(s->wrt[i]));
        code = add_value(s, d[i], true);
    }
    session_add(s, "}}\n");
    return code;
}

static const char *result_name(const struct session *s) {
    return cr_name(s->result) ? cr_name(s->result) : "value";
}

/* "dy/dw = ", "d2 y/dw2 = ". */
static void add_derivative(struct session *s, const char *name, int order) {
    char power[16] = "";
    if (order != 1) snprintf(power, sizeof power, "%d", order);
    session_add(s, "d"), session_add(s, power), session_add(s, order == 1 ? "" : " "),
        session_add(s, result_name(s));
    session_add(s, "/d"), session_add(s, name), session_add(s, power), session_add(s, " = ");
}

static int add_plain(struct session *s, const cr_node d[], int order) {
    session_add(s, result_name(s)), session_add(s, " = ");
    int code = add_value(s, s->result, false);
    session_add(s, "\n");
    for (int i = 0; i < s->n && !code; i++) {
        add_derivative(s, cr_name(s->wrt[i]), order);
        code = add_value(s, d[i], false);
        session_add(s, "\n");
    }
    return code;
}

/* All together: the first node of the graph that makes a nan is told, not the first of one gradient. */
static int trap_nan(struct session *s, int n, const cr_node wanted[]) {
    if (cr_eval_option(s->eval, "trap_nan", "1") || cr_eval_all(s->eval, n, wanted))
        return session_failed(s, cr_eval_error(s->eval));
    return EXIT_DONE;
}

/* ---- Forward mode ---- */

/* The end of one tangent: at the next comma outside of brackets. */
static char *end_of_tangent(char *p) {
    for (int depth = 0; *p && (*p != ',' || depth); p++) depth += (*p == '[') - (*p == ']');
    return p;
}

/* name=value: a constant of the name's dtype and shape. */
static int read_tangent(struct session *s, char *p, cr_node *x, cr_node *t) {
    cr_array *v = NULL, *fitted = NULL;
    char *value = strchr(p, '=');
    if (!value) return wrong_use("--jvp: expected name=value, as in w=1,b=[0,1], found '%s'", p);
    *value++ = 0;
    *x = cr_find(s->graph, p);
    if (!cr_ok(*x)) return fail("--jvp: the formula has no '%s'", p);
    for (int i = 0; i < s->n; i++)
        if (cr_same(s->wrt[i], *x)) return wrong_use("--jvp: '%s' is given twice", p);
    cr_text_clear(s->why);
    if (!read_value(&v, value, s->why)) return fail("--jvp: %s: %s", p, cr_text_str(s->why));
    if (!cr_array_cast(&fitted, v, cr_dtype_of(*x)))
        *t = cr_expand(
            cr_const(s->graph, cr_dtype_of(*x), cr_array_rank(v), cr_array_dims(v), cr_array_data(fitted)),
            cr_rank(*x), cr_dims(*x));
    cr_array_free(v);
    cr_array_free(fitted);
    return cr_ok(*t) ? EXIT_DONE : fail("--jvp: %s: %s", p, cr_graph_error(s->graph));
}

static int read_tangents(struct session *s, char *list, cr_node t[]) {
    s->n = 0;
    for (char *p = list, *end; *p; p = end) {
        end = end_of_tangent(p);
        if (*end) *end++ = 0;
        int code = read_tangent(s, p, &s->wrt[s->n], &t[s->n]);
        if (code) return code;
        s->n++;
    }
    return s->n ? EXIT_DONE : wrong_use("--jvp: expected name=value, as in w=1,b=[0,1]");
}

static int add_tangent(struct session *s, const struct arguments *a, cr_node out) {
    session_add(s, a->json ? "{\"value\": " : result_name(s)), session_add(s, a->json ? "" : " = ");
    int code = add_value(s, s->result, a->json);
    session_add(s, a->json ? ", \"tangent\": " : "\ntangent = ");
    if (!code) code = add_value(s, out, a->json);
    session_add(s, a->json ? "}\n" : "\n");
    return code;
}

static int forward(struct session *s, const struct arguments *a) {
    cr_node y = s->result, out[2];
    size_t leaves = (size_t)session_leaves(s) + 1;
    cr_node *t = malloc(leaves * sizeof *t), *wrt = realloc(s->wrt, leaves * sizeof *wrt);
    char *list = malloc(strlen(a->jvp) + 1);
    int code = t && wrt && list ? EXIT_DONE : session_failed(s, NULL);
    if (wrt) s->wrt = wrt;
    if (!code) code = read_tangents(s, strcpy(list, a->jvp), t);
    if (!code && cr_jvp(&out[1], 1, &y, s->n, s->wrt, t)) code = session_failed(s, cr_graph_error(s->graph));
    out[0] = y;
    if (!code && a->trap_nan) code = trap_nan(s, 2, out);
    if (!code) code = add_tangent(s, a, out[1]);
    free(t);
    free(list);
    return code;
}

/* ---- Reverse mode ---- */

/* d[0] is the result. */
static int differentiate(struct session *s, int order, cr_node d[]) {
    d[0] = s->result;
    if (order == 1 && s->n && cr_grad(d + 1, s->result, s->n, s->wrt))
        return session_failed(s, cr_graph_error(s->graph));
    for (int i = 0; i < s->n && order != 1; i++) {
        d[i + 1] = session_derivative(s, s->wrt[i], order);
        if (!cr_ok(d[i + 1])) return session_failed(s, cr_graph_error(s->graph));
    }
    return EXIT_DONE;
}

static int gradients(struct session *s, const struct arguments *a) {
    cr_node *d = malloc(((size_t)s->n + 1) * sizeof *d);
    int code = d ? differentiate(s, order_of(a), d) : session_failed(s, NULL);
    if (!code && a->trap_nan) code = trap_nan(s, s->n + 1, d);
    if (!code) code = a->json ? add_json(s, d + 1) : add_plain(s, d + 1, order_of(a));
    free(d);
    return code;
}

int run_grad(struct arguments *a) {
    struct session s;
    if (a->jvp && (a->wrt || a->order >= 0)) return wrong_use("--jvp goes with neither --wrt nor --order");
    int code = session_open(&s, a, true);
    if (code) return code;
    code = a->jvp ? forward(&s, a) : gradients(&s, a);
    if (!code) code = print_text(s.text);
    session_close(&s);
    return code;
}
