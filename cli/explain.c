/* chainrule explain and draw. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static int show(struct session *s, const struct arguments *a, const char *format, cr_eval *eval, int n) {
    if (cr_explain(s->text, format, eval, s->result, n, s->wrt, a->rate != 0 ? a->rate : 0.1, a->full)) {
        const char *sentence = cr_graph_error(s->graph) ? cr_graph_error(s->graph) : cr_eval_error(s->eval);
        return session_failed(s, sentence);
    }
    if (a->svg) return draw_dot(cr_text_str(s->text), cr_text_size(s->text), a->svg);
    return print_text(s->text);
}

int run_explain(struct arguments *a) {
    struct session s;
    int code = session_open(&s, a, true);
    if (code) return code;
    const char *format = a->svg || a->dot ? "dot" : a->json ? "json" : a->latex ? "latex" : "text";
    code = show(&s, a, format, s.eval, s.n);
    session_close(&s);
    return code;
}

/* Without values the graph alone. */
int run_draw(struct arguments *a) {
    struct session s;
    int code = session_open(&s, a, a->given != NULL);
    if (code) return code;
    code = show(&s, a, "dot", a->given ? s.eval : NULL, a->given ? s.n : 0);
    session_close(&s);
    return code;
}
