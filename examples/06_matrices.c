/* Matrices of derivatives: the Jacobian of a map from polar to Cartesian coordinates, a Hessian, and one function of many points at
 * once. Each is nodes of the graph; their number does not depend on the size. */
#include <stdio.h>

#include "chainrule.h"

static void show(const char *name, cr_eval *e, cr_node x) {
    double v[16];
    if (cr_eval_value(e, x, CR_F64, v, (size_t)cr_count(x) * sizeof *v)) return;
    printf("%s:", name);
    for (int64_t i = 0; i < cr_count(x); i++) printf(" %g", v[i]);
    printf("\n");
}

int main(void) {
    cr_graph *g = cr_graph_new(NULL);
    cr_node p = cr_input(g, "p", CR_F64, 1, (int64_t[]){2}); /* radius and angle */
    cr_node xy = cr_named(cr_formula(g, "concat(p[:1]*cos(p[1]), p[:1]*sin(p[1]))"), "xy"), j, h, areas;
    double at[2] = {2, 0}, many[3][2] = {{1, 0}, {2, 1}, {3, 2}};
    cr_node points = cr_const(g, CR_F64, 2, (int64_t[]){3, 2}, many);
    cr_eval *e = NULL;

    cr_jacobian(&j, xy, 1, &p, CR_BY_SHAPE); /* [2, 2] */
    cr_node area = cr_det(j);                /* the radius: a Jacobian is a node like any other */
    cr_hessian(&h, cr_formula(g, "xy[0]*xy[1]"), 1, &p);
    cr_vmap(&areas, 1, &area, 1, &p, &points); /* at three points: [3] */

    cr_eval_new(&e, g, NULL);
    cr_eval_set(e, p, CR_F64, at, sizeof at);
    show("Jacobian at (2, 0)", e, j);
    show("its determinant", e, area);
    show("Hessian of x*y", e, h);
    show("determinants at three points", e, areas);
    if (cr_graph_error(g)) fprintf(stderr, "%s\n", cr_graph_error(g));
    int failed = cr_graph_status(g) != CR_OK;
    cr_eval_free(e);
    cr_graph_free(g);
    return failed;
}
