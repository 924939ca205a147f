/* chainrule check: gradients against differences and the other mode. */
#include "cli.h"

int run_check(struct arguments *a) {
    struct session s;
    int code = session_open(&s, a, true);
    if (code) return code;
    cr_status status = s.n ? cr_check(s.text, s.eval, s.result, s.n, s.wrt, 1e-6, 1e-8) : CR_ENODERIV;
    const char *sentence = cr_graph_error(s.graph) ? cr_graph_error(s.graph) : cr_eval_error(s.eval);
    if (!s.n) code = fail("there is nothing to differentiate by");
    else if (status && status != CR_EFAIL)
        code = session_failed(&s, sentence ? sentence : cr_status_text(status));
    else code = print_text(s.text);
    session_close(&s);
    return status ? EXIT_FAILED : code;
}
