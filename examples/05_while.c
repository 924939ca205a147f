/* A loop of C that depends on values, differentiated twice: Newton's method for y^2 = x runs until it has converged; its result's
 * derivatives by x are those of the square root. */
#include <math.h>
#include <stdio.h>

#include "chainrule.h"

int main(void) {
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = x, d, dd;
    cr_eval *e = NULL;
    double at = 2;
    int rounds = 0;
    cr_eval_new(&e, g, NULL);
    cr_eval_set(e, x, CR_F64, &at, sizeof at);
    while (fabs(cr_eval_number(e, cr_sub(cr_square(y), x))) > 1e-12) { /* the values steer the loop */
        y = cr_mul(cr_number(g, 0.5), cr_add(y, cr_div(x, y)));
        rounds++;
    }
    cr_grad(&d, y, 1, &x);
    cr_grad(&dd, d, 1, &x);
    printf("after %d rounds: %.6f, derivative %.6f, second %.6f\n", rounds, cr_eval_number(e, y),
           cr_eval_number(e, d), cr_eval_number(e, dd));
    printf("sqrt(2) has:     %.6f, derivative %.6f, second %.6f\n", sqrt(2), 0.5 / sqrt(2), -0.25 / sqrt(8));
    if (cr_graph_error(g)) fprintf(stderr, "%s\n", cr_graph_error(g));
    cr_eval_free(e);
    cr_graph_free(g);
    return 0;
}
