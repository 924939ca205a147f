/* A loop in the graph: a mass on a spring, 1000 small steps of time, held as one body. What changes the end of the motion, the
 * stiffness or the start, is told by one sweep back through the loop, to any order. */
#include <math.h>
#include <stdio.h>

#include "chainrule.h"

/* One step of the leapfrog method: half a kick, a move, half a kick. */
static cr_function *leapfrog(double dt) {
    cr_graph *b = cr_graph_new(NULL);
    cr_node x = cr_input(b, "x", CR_F64, 0, NULL), v = cr_input(b, "v", CR_F64, 0, NULL),
            k = cr_input(b, "k", CR_F64, 0, NULL), h = cr_number(b, dt), half = cr_number(b, dt / 2);
    cr_node kicked = cr_sub(v, cr_mul(half, cr_mul(k, x)));
    cr_node moved = cr_add(x, cr_mul(h, kicked));
    cr_node end[2] = {moved, cr_sub(kicked, cr_mul(half, cr_mul(k, moved)))};
    cr_function *f = NULL;
    cr_function_new(&f, 3, (cr_node[]){x, v, k}, 2, end); /* a private copy */
    cr_graph_free(b);
    return f;
}

int main(void) {
    cr_function *step = leapfrog(1e-3);
    cr_graph *g = cr_graph_new(NULL);
    cr_node k = cr_input(g, "k", CR_F64, 0, NULL), x0 = cr_input(g, "x0", CR_F64, 0, NULL);
    cr_node end[2], d[2], dd;
    cr_scan(end, step, 1000, false, 2, (cr_node[]){x0, cr_number(g, 0)}, 0, NULL, 1, &k);
    cr_grad(d, end[0], 2, (cr_node[]){k, x0});
    cr_grad(&dd, d[0], 1, &k);
    cr_eval *e = NULL;
    double at_k = 4, at_x = 1; /* x(1) = cos(sqrt(k)) */
    cr_eval_new(&e, g, NULL);
    cr_eval_set(e, k, CR_F64, &at_k, sizeof at_k);
    cr_eval_set(e, x0, CR_F64, &at_x, sizeof at_x);
    printf("%-28s %9s %9s\n", "1000 steps of 1 ms", "scan", "exact");
    printf("%-28s %9.5f %9.5f\n", "x at the end", cr_eval_number(e, end[0]), cos(2));
    printf("%-28s %9.5f %9.5f\n", "by the stiffness", cr_eval_number(e, d[0]), -sin(2) / 4);
    printf("%-28s %9.5f %9.5f\n", "by the start", cr_eval_number(e, d[1]), cos(2));
    printf("%-28s %9.5f %9.5f\n", "by the stiffness, twice", cr_eval_number(e, dd),
           (sin(2) / 2 - cos(2)) / 16);
    printf("%zu nodes in the graph\n", cr_graph_count(g));
    if (cr_graph_error(g)) fprintf(stderr, "%s\n", cr_graph_error(g));
    cr_eval_free(e);
    cr_graph_free(g);
    cr_function_free(step);
    return 0;
}
