/* See compile.h. */
#include "chainrule/compile.h"
#include <stdio.h>

cr_status bench_compile(cr_program **out, cr_graph *g, cr_target *t, const char *compiler) {
    cr_options *o = cr_options_new(NULL);
    cr_status status = cr_options_set(o, "compile", compiler ? compiler : "0");
    if (!status) status = cr_compile(out, t, o);
    if (status) fprintf(stderr, "compiling: %s\n", cr_graph_error(g));
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return status;
}
