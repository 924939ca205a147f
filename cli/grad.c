/* chainrule grad: values and derivatives, of any order, in either mode, one by one or as whole matrices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- What is printed is computed first, so that a failure prints nothing ---- */

static int add_value(struct session *s, cr_node x, bool json) {
    cr_array *array = NULL;
    cr_pattern *p = NULL;
    int code = EXIT_DONE;
    if (cr_eval_array(&array, s->eval, x)) return session_failed(s, cr_eval_error(s->eval));
    if (cr_pattern_of(&p, x)) code = session_failed(s, NULL);
    else if (p) code = session_add_sparse(s, p, array, json);
    else if (cr_array_print(s->text, array, json)) code = session_failed(s, NULL);
    cr_pattern_free(p);
    cr_array_free(array);
    return code;
}

/* Names are letters, digits, _ and dots: as they are in JSON. */
static void add_key(struct session *s, const char *name) {
    session_add(s, "\""), session_add(s, name), session_add(s, "\": ");
}

/* "gradients": {"w": .., "b": ..}; of a Hessian, rows of such. */
static int add_named(struct session *s, const char *what, const cr_node d[], bool rows) {
    int code = EXIT_DONE;
    if (what) add_key(s, what);
    session_add(s, "{");
    for (int i = 0; i < s->n && !code; i++) {
        if (i) session_add(s, ", ");
        add_key(s, cr_name(s->wrt[i]));
        code = rows ? add_named(s, NULL, d + i * s->n, false) : add_value(s, d[i], true);
    }
    session_add(s, "}");
    return code;
}

static int add_json(struct session *s, const char *what, const cr_node d[], bool rows) {
    session_add(s, "{");
    add_key(s, "value");
    int code = add_value(s, s->result, true);
    session_add(s, ", ");
    if (!code) code = add_named(s, what, d, rows);
    session_add(s, "}\n");
    return code;
}

static const char *result_name(const struct session *s) {
    return cr_name(s->result) ? cr_name(s->result) : "value";
}

/* "dy/dw = ", "d2 y/dw2 = "; with a second name "d2 y/dw db = ". */
static void add_derivative(struct session *s, const char *name, int order, const char *second) {
    char power[16] = "";
    if (order != 1) snprintf(power, sizeof power, "%d", order);
    session_add(s, "d"), session_add(s, power), session_add(s, order == 1 ? "" : " "),
        session_add(s, result_name(s));
    session_add(s, "/d"), session_add(s, name), session_add(s, second ? " d" : power);
    session_add(s, second ? second : ""), session_add(s, " = ");
}

static int add_line(struct session *s, cr_node x) {
    int code = add_value(s, x, false);
    session_add(s, "\n");
    return code;
}

static int add_result(struct session *s) {
    session_add(s, result_name(s)), session_add(s, " = ");
    return add_line(s, s->result);
}

static int add_plain(struct session *s, const cr_node d[], int order) {
    int code = add_result(s);
    for (int i = 0; i < s->n && !code; i++) {
        add_derivative(s, cr_name(s->wrt[i]), order, NULL);
        code = add_line(s, d[i]);
    }
    return code;
}

/* The blocks on the diagonal and above: those below are their transposes. */
static int add_blocks(struct session *s, const cr_node h[]) {
    int code = add_result(s);
    for (int i = 0; i < s->n; i++)
        for (int j = i; j < s->n && !code; j++) {
            add_derivative(s, cr_name(s->wrt[i]), 2, i == j ? NULL : cr_name(s->wrt[j]));
            code = add_line(s, h[i * s->n + j]);
        }
    return code;
}

/* All together: the first node of the graph that makes a nan is told, not the first of one gradient. */
static int trap_nan(struct session *s, int n, const cr_node wanted[]) {
    if (cr_eval_option(s->eval, "trap_nan", "1") || cr_eval_all(s->eval, n, wanted))
        return session_failed(s, cr_eval_error(s->eval));
    return EXIT_DONE;
}

/* ---- Along directions: --jvp, --hvp ---- */

/* The end of one tangent: at the next comma outside of brackets. */
static char *end_of_tangent(char *p) {
    for (int depth = 0; *p && (*p != ',' || depth); p++) depth += (*p == '[') - (*p == ']');
    return p;
}

/* name=value: a constant of the name's dtype and shape. */
static int read_tangent(struct session *s, const char *option, char *p, cr_node *x, cr_node *t) {
    cr_array *v = NULL, *fitted = NULL;
    char *value = strchr(p, '=');
    if (!value) return wrong_use("--%s: expected name=value, as in w=1,b=[0,1], found '%s'", option, p);
    *value++ = 0;
    *x = cr_find(s->graph, p);
    if (!cr_ok(*x)) return fail("--%s: the formula has no '%s'", option, p);
    for (int i = 0; i < s->n; i++)
        if (cr_same(s->wrt[i], *x)) return wrong_use("--%s: '%s' is given twice", option, p);
    cr_text_clear(s->why);
    if (!read_value(&v, value, s->why)) return fail("--%s: %s: %s", option, p, cr_text_str(s->why));
    if (!cr_array_cast(&fitted, v, cr_dtype_of(*x)))
        *t = cr_expand(
            cr_const(s->graph, cr_dtype_of(*x), cr_array_rank(v), cr_array_dims(v), cr_array_data(fitted)),
            cr_rank(*x), cr_dims(*x));
    cr_array_free(v);
    cr_array_free(fitted);
    return cr_ok(*t) ? EXIT_DONE : fail("--%s: %s: %s", option, p, cr_graph_error(s->graph));
}

static int read_tangents(struct session *s, const char *option, char *list, cr_node t[]) {
    s->n = 0;
    for (char *p = list, *end; p += list_item(p) - p, *p; p = end) {
        end = end_of_tangent(p);
        if (*end) *end++ = 0;
        int code = read_tangent(s, option, p, &s->wrt[s->n], &t[s->n]);
        if (code) return code;
        s->n++;
    }
    return s->n ? EXIT_DONE : wrong_use("--%s: expected name=value, as in w=1,b=[0,1]", option);
}

static int add_tangent(struct session *s, bool json, cr_node out) {
    if (!json) {
        int code = add_result(s);
        session_add(s, "tangent = ");
        return code ? code : add_line(s, out);
    }
    session_add(s, "{\"value\": ");
    int code = add_value(s, s->result, true);
    session_add(s, ", \"tangent\": ");
    if (!code) code = add_value(s, out, true);
    session_add(s, "}\n");
    return code;
}

/* The Hessian times the vector, by name. */
static int add_products(struct session *s, bool json, const cr_node hv[]) {
    if (json) return add_json(s, "hvp", hv, false);
    int code = add_result(s);
    for (int i = 0; i < s->n && !code; i++) {
        session_add(s, "Hv by "), session_add(s, cr_name(s->wrt[i])), session_add(s, " = ");
        code = add_line(s, hv[i]);
    }
    return code;
}

/* out has room for the result and what is made. */
static int along(struct session *s, const struct arguments *a, const cr_node t[], cr_node out[]) {
    int made = a->jvp ? 1 : s->n;
    out[0] = s->result;
    if (a->jvp ? cr_jvp(out + 1, 1, &s->result, s->n, s->wrt, t)
               : cr_hvp(out + 1, s->result, s->n, s->wrt, t))
        return session_failed(s, cr_graph_error(s->graph));
    int code = a->trap_nan ? trap_nan(s, 1 + made, out) : EXIT_DONE;
    if (code) return code;
    return a->jvp ? add_tangent(s, a->json, out[1]) : add_products(s, a->json, out + 1);
}

static int along_directions(struct session *s, const struct arguments *a) {
    const char *option = a->jvp ? "jvp" : "hvp", *text = a->jvp ? a->jvp : a->hvp;
    size_t most = 2; /* items, by their commas, and one more */
    for (const char *p = text; *p; p++) most += *p == ',';
    cr_node *t = malloc(most * sizeof *t), *wrt = realloc(s->wrt, most * sizeof *wrt),
            *out = malloc(most * sizeof *out);
    char *list = malloc(strlen(text) + 1);
    int code = t && wrt && list && out ? EXIT_DONE : session_failed(s, NULL);
    if (wrt) s->wrt = wrt;
    if (!code) code = read_tangents(s, option, strcpy(list, text), t);
    if (!code) code = along(s, a, t, out);
    free(t);
    free(list);
    free(out);
    return code;
}

/* ---- By each name ---- */

static cr_status matrices(struct session *s, const struct arguments *a, cr_node d[]) {
    return a->hessian ? cr_hessian(d, s->result, s->n, s->wrt)
                      : cr_jacobian(d, s->result, s->n, s->wrt, CR_BY_SHAPE);
}

/* d[0] is the result. */
static int differentiate(struct session *s, const struct arguments *a, cr_node d[]) {
    int order = order_of(a);
    bool matrix = a->jacobian || a->hessian;
    d[0] = s->result;
    if (matrix && matrices(s, a, d + 1)) return session_failed(s, cr_graph_error(s->graph));
    if (!matrix && order == 1 && s->n && cr_grad(d + 1, s->result, s->n, s->wrt))
        return session_failed(s, cr_graph_error(s->graph));
    for (int i = 0; i < s->n && !matrix && order != 1; i++) {
        d[i + 1] = session_derivative(s, s->wrt[i], order);
        if (!cr_ok(d[i + 1])) return session_failed(s, cr_graph_error(s->graph));
    }
    return EXIT_DONE;
}

static int show(struct session *s, const struct arguments *a, const cr_node d[]) {
    const char *what = a->hessian ? "hessian" : a->jacobian ? "jacobian" : "gradients";
    if (a->json) return add_json(s, what, d, a->hessian);
    return a->hessian ? add_blocks(s, d) : add_plain(s, d, order_of(a));
}

static int by_each_name(struct session *s, const struct arguments *a) {
    size_t n = (size_t)s->n * (a->hessian ? (size_t)s->n : 1) + 1;
    cr_node *d = malloc(n * sizeof *d);
    int code = d ? differentiate(s, a, d) : session_failed(s, NULL);
    if (!code && a->trap_nan) code = trap_nan(s, (int)n, d);
    if (!code) code = show(s, a, d + 1);
    free(d);
    return code;
}

int run_grad(struct arguments *a) {
    struct session s;
    const char *directions = a->jvp ? "jvp" : "hvp";
    if ((a->jvp || a->hvp) && (a->wrt || a->order >= 0))
        return wrong_use("--%s goes with neither --wrt nor --order", directions);
    if ((a->order >= 0) + (a->jvp != NULL) + (a->hvp != NULL) + a->jacobian + a->hessian > 1)
        return wrong_use("--order, --jacobian, --hessian, --jvp and --hvp: one of them");
    int code = session_open(&s, a, VALUES_NEEDED);
    if (code) return code;
    if (a->order == 0) s.n = 0; /* the value alone */
    code = a->jvp || a->hvp ? along_directions(&s, a) : by_each_name(&s, a);
    if (!code) code = print_text(s.text);
    session_close(&s);
    return code;
}
