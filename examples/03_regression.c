/* A regression: y = b0 + b1*x through four points, by minimising the mean squared residual. */
#include <stdio.h>

#include "chainrule.h"

int main(void) {
    double x[4] = {0, 1, 2, 3}, y[4] = {1, 3, 5, 7.2}, b[2];
    const int64_t n = 4;
    cr_graph *g = cr_graph_new(NULL);
    cr_store *store = NULL;
    cr_fit *fit = NULL;
    cr_input(g, "x", CR_F64, 1, &n);
    cr_input(g, "y", CR_F64, 1, &n);
    cr_node params[2] = {cr_param(g, "b0", CR_F64, 0, NULL), cr_param(g, "b1", CR_F64, 0, NULL)};
    for (int i = 0; i < 2; i++) cr_param_init(params[i], cr_number(g, 0)); /* where the search starts */
    cr_node loss = cr_formula(g, "mean((b0 + b1*x - y)^2)");

    cr_status s = cr_store_new(&store, NULL);
    if (!s) s = cr_fit_new(&fit, loss, 2, params, store);
    if (s) fprintf(stderr, "%s\n", cr_graph_error(g));
    if (!s) s = cr_fit_bind(fit, "x", CR_F64, x, sizeof x);
    if (!s) s = cr_fit_bind(fit, "y", CR_F64, y, sizeof y);
    if (!s) s = cr_fit_run(fit);
    cr_store_get(store, "b0", CR_F64, &b[0], sizeof b[0]);
    cr_store_get(store, "b1", CR_F64, &b[1], sizeof b[1]);
    if (!s) printf("y = %.6f + %.6f x, loss %.6f\n", b[0], b[1], cr_fit_loss(fit));
    cr_fit_free(fit);
    cr_store_free(store);
    cr_graph_free(g);
    return s != CR_OK;
}
