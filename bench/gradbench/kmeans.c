/* kmeans: the sum over points of the squared distance to the nearest centroid; and Newton's direction, the gradient over the
 * diagonal of the Hessian. That has no other entries, so its product with a vector of ones is its diagonal. */
#include "adapter.h"

/* Which centroid is nearest does not depend on |point|^2, so all distances come from one product. */
static const char model[] = "input points: f64[n, d]\n"
                            "input centroids: f64[k, d]\n"
                            "nearest = argmin(sum(centroids^2, axis=1) + points @ t(-2*centroids), axis=1)\n"
                            "cost = sum((points - centroids[nearest])^2)\n";

static bool build(struct problem *p, const json_t *input, int function) {
    cr_node cost = problem_model(p, model, input), c = problem_node(p, "centroids"), gradient, diagonal;
    if (function == 0) return problem_output(p, "output", cost);
    cr_node ones = cr_expand(cr_number(p->g, 1), 2, cr_dims(c));
    cr_grad(&gradient, cost, 1, &c);
    cr_hvp(&diagonal, cost, 1, &c, &ones);
    return problem_output(p, "output", cr_div(gradient, diagonal));
}

const struct eval eval_kmeans = {"kmeans", {"cost", "dir"}, build, NULL};
