/* A Hessian: the gradient differentiated again, of Rosenbrock's function at (1, 1). */
#include <stdio.h>

#include "chainrule.h"

int main(void) {
    cr_graph *g = cr_graph_new(NULL);
    cr_node v[2] = {cr_input(g, "a", CR_F64, 0, NULL), cr_input(g, "b", CR_F64, 0, NULL)};
    cr_node f = cr_formula(g, "(1 - a)^2 + 100*(b - a^2)^2"), d[2], h[2];
    cr_eval *e = NULL; /* values as the graph grows */
    double at[2] = {1, 1};
    cr_eval_new(&e, g, NULL);
    for (int i = 0; i < 2; i++) cr_eval_set(e, v[i], CR_F64, &at[i], sizeof at[i]);
    cr_grad(d, f, 2, v);
    for (int i = 0; i < 2; i++) {
        cr_grad(h, d[i], 2, v);
        printf("%g %g\n", cr_eval_number(e, h[0]), cr_eval_number(e, h[1]));
    }
    if (cr_graph_error(g)) fprintf(stderr, "%s\n", cr_graph_error(g));
    int failed = cr_graph_status(g) != CR_OK;
    cr_eval_free(e);
    cr_graph_free(g);
    return failed;
}
