/* chainrule diff: the derivative as a formula. */
#include <string.h>

#include "cli.h"

static int add_formula(struct session *s, const struct arguments *a, cr_node x) {
    cr_node d = cr_simplify(session_derivative(s, x, order_of(a)));
    if (!cr_ok(d)) return session_failed(s, cr_graph_error(s->graph));
    if (s->n > 1 && a->latex)
        session_add(s, "\\frac{d}{d "), cr_print_latex(s->text, x), session_add(s, "}: ");
    else if (s->n > 1) session_add(s, "d/d"), session_add(s, cr_name(x)), session_add(s, ": ");
    cr_status status = a->latex ? cr_print_latex(s->text, d) : cr_print(s->text, d);
    session_add(s, "\n");
    return status ? session_failed(s, NULL) : EXIT_DONE;
}

int run_diff(struct arguments *a) {
    struct session s;
    int code = session_open(&s, a, NO_VALUES);
    if (code) return code;
    if (cr_count(s.result) != 1) code = fail("what is differentiated is one number: take its sum or mean");
    else if (!s.n) code = fail("there is nothing to differentiate by");
    for (int i = 0; i < s.n && !code; i++) code = add_formula(&s, a, s.wrt[i]);
    if (!code) code = print_text(s.text);
    session_close(&s);
    return code;
}
