/* chainrule explain and draw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static double rate_of(const struct arguments *a) { return a->rate != 0 ? a->rate : 0.1; }

static int failed(struct session *s) {
    const char *sentence = cr_graph_error(s->graph) ? cr_graph_error(s->graph) : cr_eval_error(s->eval);
    return session_failed(s, sentence);
}

static int show(struct session *s, const struct arguments *a, const char *format, cr_eval *eval, int n) {
    if (cr_explain(s->text, format, eval, s->result, n, s->wrt, rate_of(a), a->full)) return failed(s);
    if (a->svg) return draw_dot(cr_text_str(s->text), cr_text_size(s->text), a->svg);
    return print_text(s->text);
}

/* The pictures are laid out by Graphviz, the rest is the library's. */
static int write_page(struct session *s, const struct arguments *a) {
    size_t n = 0;
    if (cr_explain(s->text, "layout", s->eval, s->result, s->n, s->wrt, rate_of(a), false)) return failed(s);
    char *layout = lay_out(cr_text_str(s->text), cr_text_size(s->text), "-Tplain", &n);
    if (!layout) return EXIT_FAILED;
    cr_text_clear(s->text);
    cr_status status =
        cr_explain_page(s->text, a->formula, layout, s->eval, s->result, s->n, s->wrt, rate_of(a));
    free(layout);
    return status ? failed(s) : write_text(a->html, cr_text_str(s->text), cr_text_size(s->text));
}

int run_explain(struct arguments *a) {
    struct session s;
    if (a->json + a->dot + a->latex + (a->svg != NULL) + (a->html != NULL) > 1)
        return wrong_use("one format at a time");
    struct learning l = {0};
    bool with_data = option_value(a, "data") != NULL;
    int code = with_data ? session_of_data(&s, &l, a) : session_open(&s, a, VALUES_NEEDED);
    const char *format = a->svg || a->dot ? "dot" : a->json ? "json" : a->latex ? "latex" : "text";
    if (!code) code = a->html ? write_page(&s, a) : show(&s, a, format, s.eval, s.n);
    session_close(&s);
    learn_close(&l);
    return code;
}

/* Without values the graph alone. */
int run_draw(struct arguments *a) {
    struct session s;
    if (a->dot && a->svg) return wrong_use("one format at a time");
    int code = session_open(&s, a, VALUES_IF_GIVEN);
    if (code) return code;
    code = show(&s, a, "dot", s.has_values ? s.eval : NULL, s.has_values ? s.n : 0);
    session_close(&s);
    return code;
}
