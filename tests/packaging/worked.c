/* A program outside the tree, as C99: prints dloss/dw of (w*x - y)^2 at w = x = 1, y = 2, which is 2 (1 - 2) 1 = -2. */
#include <chainrule.h>
#include <stdio.h>

int main(void) {
    double one = 1, two = 2;
    cr_graph *g = cr_graph_new(NULL);
    cr_node w = cr_input(g, "w", CR_F64, 0, NULL), x = cr_input(g, "x", CR_F64, 0, NULL),
            y = cr_input(g, "y", CR_F64, 0, NULL), dw;
    cr_eval *e = NULL;
    cr_grad(&dw, cr_square(cr_sub(cr_mul(w, x), y)), 1, &w);
    if (cr_eval_new(&e, g, NULL)) return 1;
    cr_eval_set(e, w, CR_F64, &one, sizeof one);
    cr_eval_set(e, x, CR_F64, &one, sizeof one);
    cr_eval_set(e, y, CR_F64, &two, sizeof two);
    printf("%.17g\n", cr_eval_number(e, dw));
    cr_eval_free(e);
    cr_graph_free(g);
    return 0;
}
