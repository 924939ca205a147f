/* Functions of formulas. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include "test.h"

/* The function that a formula is of these inputs, each [n] or, for 0, a number. */
static inline cr_function *function_of(cr_dtype dtype, int64_t n, const char *const inputs[], int outputs,
                                       const char *const formula[]) {
    cr_graph *g = cr_graph_new(NULL);
    cr_function *f = NULL;
    cr_node in[8], out[8];
    int n_in = 0;
    for (; inputs[n_in]; n_in++) in[n_in] = cr_input(g, inputs[n_in], dtype, n > 0, &n);
    for (int i = 0; i < outputs; i++) out[i] = cr_formula(g, formula[i]);
    if (cr_function_new(&f, n_in, in, outputs, out)) fail_msg("%s", cr_graph_error(g));
    cr_graph_free(g);
    return f;
}
#define NAMES(...) \
    (const char *const[]) { __VA_ARGS__, NULL }

#endif
