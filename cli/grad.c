/* chainrule grad: values and gradients, of any order, in either mode. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static cr_node order_of(struct session *s, cr_node y, cr_node x, int order) {
    for (int k = 0; k < order && cr_ok(y); k++) {
        cr_node d;
        if (k > 0 && cr_rank(y) > 0)
            y = cr_sum(y, 0, NULL, false); /* of a tensor: the sum of what its elements' derivatives give */
        if (cr_grad(&d, y, 1, &x)) return d;
        y = d;
    }
    (void)s;
    return y;
}

static int print_value(struct session *s, cr_node x, bool json) {
    cr_array *array = NULL;
    if (cr_eval_array(&array, s->eval, x)) return session_failed(s, cr_eval_error(s->eval));
    cr_text_clear(s->text);
    cr_array_print(s->text, array, json);
    fputs(cr_text_str(s->text), stdout);
    cr_array_free(array);
    return EXIT_DONE;
}

static void print_name(const char *name) {
    putchar('"');
    for (; *name; name++) {
        if (*name == '"' || *name == '\\') putchar('\\');
        putchar(*name);
    }
    putchar('"');
}

static int print_json(struct session *s, const cr_node d[]) {
    fputs("{\"value\": ", stdout);
    if (print_value(s, s->result, true)) return EXIT_FAILED;
    fputs(", \"gradients\": {", stdout);
    for (int i = 0; i < s->n; i++) {
        if (i) fputs(", ", stdout);
        print_name(cr_name(s->wrt[i]));
        fputs(": ", stdout);
        if (print_value(s, d[i], true)) return EXIT_FAILED;
    }
    puts("}}");
    return EXIT_DONE;
}

static int print_plain(struct session *s, const cr_node d[], int order) {
    const char *name = cr_name(s->result) ? cr_name(s->result) : "value";
    printf("%s = ", name);
    if (print_value(s, s->result, false)) return EXIT_FAILED;
    putchar('\n');
    for (int i = 0; i < s->n; i++) {
        if (order == 1) printf("d%s/d%s = ", name, cr_name(s->wrt[i]));
        else printf("d%d %s/d%s%d = ", order, name, cr_name(s->wrt[i]), order);
        if (print_value(s, d[i], false)) return EXIT_FAILED;
        putchar('\n');
    }
    return EXIT_DONE;
}

/* --jvp w=1,b=0: the tangents; names without one have 0. */
static int forward(struct session *s, const struct arguments *a) {
    cr_node t[256], y = s->result, out;
    int n = 0;
    for (const char *p = a->jvp; *p; p += strcspn(p, ","), p += *p == ',') {
        char name[128];
        size_t k = strcspn(p, "=,");
        cr_array *v = NULL;
        if (k >= sizeof name || p[k] != '=' || n == 256)
            return wrong_use("--jvp: expected name=number, parted by commas");
        memcpy(name, p, k);
        name[k] = 0;
        char number[64];
        size_t m = strcspn(p + k + 1, ",");
        if (m >= sizeof number) return wrong_use("--jvp: expected name=number");
        memcpy(number, p + k + 1, m);
        number[m] = 0;
        cr_node x = cr_find(s->graph, name);
        if (!cr_ok(x)) return fail("--jvp: the formula has no '%s'", name);
        if (!read_value(&v, number, NULL)) return wrong_use("--jvp: expected a number, found '%s'", number);
        t[n] = cr_number(s->graph, *(double *)cr_array_data(v));
        cr_array_free(v);
        s->wrt[n++] = x;
    }
    if (cr_jvp(&out, 1, &y, n, s->wrt, t)) return session_failed(s, cr_graph_error(s->graph));
    if (a->json) fputs("{\"value\": ", stdout);
    else fputs("value = ", stdout);
    if (print_value(s, s->result, a->json)) return EXIT_FAILED;
    fputs(a->json ? ", \"tangent\": " : "\ntangent = ", stdout);
    if (print_value(s, out, a->json)) return EXIT_FAILED;
    puts(a->json ? "}" : "");
    return EXIT_DONE;
}

static int gradients(struct session *s, const struct arguments *a) {
    cr_node d[256];
    if (a->order == 1 && s->n && cr_grad(d, s->result, s->n, s->wrt))
        return session_failed(s, cr_graph_error(s->graph));
    for (int i = 0; i < s->n && a->order != 1; i++) {
        d[i] = order_of(s, s->result, s->wrt[i], a->order);
        if (!cr_ok(d[i])) return session_failed(s, cr_graph_error(s->graph));
    }
    if (a->trap_nan) { /* all together: the first of the graph is told, not the first of one gradient */
        cr_node all[257] = {s->result};
        memcpy(all + 1, d, (size_t)s->n * sizeof *d);
        if (cr_eval_option(s->eval, "trap_nan", "1") || cr_eval_all(s->eval, s->n + 1, all))
            return session_failed(s, cr_eval_error(s->eval));
    }
    return a->json ? print_json(s, d) : print_plain(s, d, a->order);
}

int run_grad(struct arguments *a) {
    struct session s;
    int code = session_open(&s, a, true);
    if (code) return code;
    code = a->jvp ? forward(&s, a) : gradients(&s, a);
    session_close(&s);
    return code;
}

/* ---- chainrule diff ---- */

int run_diff(struct arguments *a) {
    struct session s;
    int code = session_open(&s, a, false);
    if (code) return code;
    if (cr_count(s.result) != 1) code = fail("what is differentiated is one number: take its sum or mean");
    for (int i = 0; i < s.n && !code; i++) {
        cr_node d = cr_simplify(order_of(&s, s.result, s.wrt[i], a->order));
        cr_text_clear(s.text);
        if (!cr_ok(d) || (a->latex ? cr_print_latex(s.text, d) : cr_print(s.text, d)))
            code = session_failed(&s, cr_graph_error(s.graph));
        else if (s.n == 1) puts(cr_text_str(s.text));
        else printf("d/d%s: %s\n", cr_name(s.wrt[i]), cr_text_str(s.text));
    }
    session_close(&s);
    return code;
}

int run_ops(struct arguments *a) {
    cr_text *t = NULL;
    if (a->manual) {
        if (cr_text_new(&t, NULL) || cr_op_manual(t)) return cr_text_free(t), fail("out of memory");
        print_text(t);
        cr_text_free(t);
        return EXIT_DONE;
    }
    for (int i = 0; cr_op_name(i); i++)
        printf("%s(%s)\n    %s\n", cr_op_name(i), cr_op_signature(i), cr_op_help(i));
    return EXIT_DONE;
}

int run_check(struct arguments *a) {
    struct session s;
    int code = session_open(&s, a, true);
    if (code) return code;
    cr_status status = cr_check(s.text, s.eval, s.result, s.n, s.wrt, 1e-6, 1e-8);
    print_text(s.text);
    if (status && status != CR_EFAIL)
        session_failed(&s, cr_graph_error(s.graph) ? cr_graph_error(s.graph) : cr_eval_error(s.eval));
    session_close(&s);
    return status ? EXIT_FAILED : EXIT_DONE;
}
