/* chainrule check: gradients against differences and the other mode; with --digits, how many digits rounding leaves. */
#include "cli.h"

static cr_status report(struct arguments *a, struct session *s) {
    if (a->digits) return cr_digits(s->text, a->json ? "json" : "text", s->eval, s->result, s->n, s->wrt);
    return s->n ? cr_check(s->text, s->eval, s->result, s->n, s->wrt, 1e-6, 1e-8) : CR_ENODERIV;
}

int run_check(struct arguments *a) {
    struct session s;
    if (a->json && !a->digits) return wrong_use("--json is for --digits");
    int code = session_open(&s, a, VALUES_NEEDED);
    if (code) return code;
    cr_status status = report(a, &s);
    const char *sentence = cr_graph_error(s.graph) ? cr_graph_error(s.graph) : cr_eval_error(s.eval);
    if (!s.n && status == CR_ENODERIV) code = fail("there is nothing to differentiate by");
    else if (status && status != CR_EFAIL)
        code = session_failed(&s, sentence ? sentence : cr_status_text(status));
    else code = print_text(s.text);
    session_close(&s);
    return status ? EXIT_FAILED : code;
}
