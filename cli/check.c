/* chainrule check: gradients against differences and the other mode. */
#include "cli.h"

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
