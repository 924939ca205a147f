/* kmeans: the sum over points of the squared distance to the nearest centroid; and Newton's direction, the gradient over the
 * diagonal of the Hessian. That has no other entries, so its product with a vector of ones is its diagonal. */
#include "adapter.h"

/* Which centroid is nearest does not depend on |point|^2, so all distances from a point, but for that, are one product of [x, 1] with
 * [-2 c, |c|^2]. Blocks of points come one after the other: their distances stay in a cache. */
static const char model[] =
    "input points: f64[n, d]\n"
    "input centroids: f64[k, d]\n"
    "fn nearest_of(x, sides) = argmin(x @ sides, axis=1)\n"
    "with_one = pad(concat(points, 0*points[:, :1] + 1, axis=1), [0, 0], [blocks*block - n, 0])\n"
    "sides = t(concat(-2*centroids, sum(centroids^2, axis=1, keep=true), axis=1))\n"
    "nearest = reshape(map(nearest_of, reshape(with_one, [blocks, block, d + 1]), sides=sides), "
    "[blocks*block])[:n]\n"
    "cost = sum((points - centroids[nearest])^2)\n";

/* So many numbers of f64 are half of a cache of 1 MiB. */
enum { HALF_CACHE = 1 << 16 };

static int64_t count(const json_t *input, const char *name) {
    return (int64_t)json_array_size(json_object_get(input, name));
}

static bool build(struct problem *p, const json_t *input, int function) {
    int64_t n = count(input, "points"), block = 1 + HALF_CACHE / (1 + count(input, "centroids"));
    if (block > n) block = n;
    problem_size(p, "block", block);
    problem_size(p, "blocks", block ? (n + block - 1) / block : 0);
    cr_node cost = problem_model(p, model, input), c = problem_node(p, "centroids"), gradient, diagonal;
    if (function == 0) return problem_output(p, "output", cost);
    cr_node ones = cr_expand(cr_number(p->g, 1), 2, cr_dims(c));
    cr_grad(&gradient, cost, 1, &c);
    cr_hvp(&diagonal, cost, 1, &c, &ones);
    return problem_output(p, "output", cr_div(gradient, diagonal));
}

const struct eval eval_kmeans = {"kmeans", {"cost", "dir"}, build, NULL};
