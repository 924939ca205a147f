/* kmeans: the sum over points of the squared distance to the nearest centroid; and Newton's direction, the gradient over the
 * diagonal of the Hessian. That has no other entries, so its product with a vector of ones is its diagonal. */
#include "adapter.h"

/* |x - c|^2 = |x|^2 - 2 c x + |c|^2. Which centroid is nearest does not depend on |x|^2, so all distances, but for that, are one product of
 * [-2 c, |c|^2] with [x, 1]: centroids down and points across, so that those of many points are compared side by side. Blocks of points
 * come one after the other: their distances stay in a cache. Of the nearest alone the cost is the same sum. */
static const char model[] =
    "input points: f64[n, d]\n"
    "input centroids: f64[k, d]\n"
    "fn nearest_of(x, sides) = argmin(sides @ x, axis=0)\n"
    "toward = -2*centroids\n"
    "squares = sum(centroids^2, axis=1)\n"
    "sides = concat(toward, squares[:, None], axis=1)\n"
    "across = t(reshape(pad(points, [0, 0], [blocks*block - n, 0]), [blocks, block, d]))\n"
    "with_one = concat(across, expand(1, shape=[blocks, 1, block]), axis=1)\n"
    "nearest = reshape(map(nearest_of, with_one, sides=sides), [blocks*block])[:n]\n"
    "cost = sum(points^2) + sum(points*toward[nearest]) + sum(squares[nearest])\n";

/* So many numbers of f64 are half of a cache of 1 MiB. */
enum { HALF_CACHE = 1 << 16 };

static int64_t count(const json_t *input, const char *name) {
    return (int64_t)json_array_size(json_object_get(input, name));
}

static bool build(struct problem *p, const json_t *input, int function) {
    int64_t n = count(input, "points"), most = 1 + HALF_CACHE / (1 + count(input, "centroids"));
    int64_t blocks = (n + most - 1) / most;
    problem_size(p, "blocks", blocks);
    problem_size(p, "block", blocks ? (n + blocks - 1) / blocks : 0);
    cr_node cost = problem_model(p, model, input), c = problem_node(p, "centroids"), gradient, diagonal;
    if (function == 0) return problem_output(p, "output", cost);
    cr_node ones = cr_expand(cr_number(p->g, 1), 2, cr_dims(c));
    cr_grad(&gradient, cost, 1, &c);
    cr_hvp(&diagonal, cost, 1, &c, &ones);
    return problem_output(p, "output", cr_div(gradient, diagonal));
}

const struct eval eval_kmeans = {"kmeans", {"cost", "dir"}, build, NULL};
