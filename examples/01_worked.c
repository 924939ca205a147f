/* The worked example: loss = (w*x - y)^2, its gradient, and 100 steps of descent. */
#include <stdio.h>

#include "chainrule.h"

int main(void) {
    cr_graph *g = cr_graph_new(NULL); /* NULL: malloc, one thread */
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL);
    cr_node y = cr_input(g, "y", CR_F64, 0, NULL);
    cr_node w = cr_param(g, "w", CR_F64, 0, NULL);
    cr_node loss = cr_square(cr_sub(cr_mul(w, x), y));
    cr_node dw;
    cr_grad(&dw, loss, 1, &w);

    cr_target *t = cr_target_new(g); /* what to compute */
    cr_target_output(t, "loss", loss);
    cr_target_output(t, "dw", dw);
    cr_target_update(t, w, cr_sub(w, cr_mul(cr_number(g, 0.1), dw)));
    cr_program *step = NULL;
    cr_status s = cr_compile(&step, t, NULL);
    if (s) fprintf(stderr, "%s\n", cr_graph_error(g)); /* the first error, wherever it arose */
    cr_target_free(t);
    cr_graph_free(g); /* the program lives on */

    double xv = 1, yv = 2, w0 = 1, lossv = 0, dwv = 0;
    cr_store *weights = NULL;
    cr_run *run = NULL;
    if (!s) s = cr_store_new(&weights, NULL);
    if (!s) s = cr_store_set(weights, "w", CR_F64, &w0, sizeof w0);
    if (!s) s = cr_run_new(&run, step, weights, NULL, 0);
    cr_bind(run, "x", CR_F64, &xv, sizeof xv);
    cr_bind(run, "y", CR_F64, &yv, sizeof yv);
    cr_bind(run, "loss", CR_F64, &lossv, sizeof lossv);
    cr_bind(run, "dw", CR_F64, &dwv, sizeof dwv);
    for (int i = 0; i < 100 && !s; i++) {
        s = cr_step(run);
        if (i < 3) printf("step %d: loss = %g, dloss/dw = %g\n", i, lossv, dwv);
    }
    if (s) fprintf(stderr, "%s\n", cr_run_error(run) ? cr_run_error(run) : cr_status_text(s));
    if (!s) s = cr_store_get(weights, "w", CR_F64, &w0, sizeof w0);
    printf("after 100 steps: w = %.9f\n", w0);
    cr_run_free(run);
    cr_store_free(weights);
    cr_program_free(step);
    return s != CR_OK;
}
