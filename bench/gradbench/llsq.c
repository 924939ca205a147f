/* llsq: half the sum of squares of sign(t) - (x_0 + x_1 t + x_2 t^2 + ..) at n places t between -1 and 1. The polynomial is evaluated
 * in blocks of 16 terms (Paterson and Stockmeyer 1973): the powers below t^16 at all places make one matrix, with which all blocks
 * are one product; then the blocks are joined by powers of t^16. */
#include "adapter.h"

/* The powers of either kind are products of each of a few lower ones with each of a few higher. */
static const char model[] =
    "input x: f64[m]\n"
    "fn four(u) = stack(u^0, u, u^2, u^3, axis=0)\n"
    "t = -1 + 2*iota(n)/(n - 1)\n"
    "t4 = t^4\n"
    "t16 = t4^4\n"
    "t64 = t16^4\n"
    "low = reshape(four(t4)[:, None]*four(t)[None], [16, n])\n"
    "higher = cumprod(concat(t[None]^0, expand(t64, [groups - 1, n]), axis=0), axis=0)\n"
    "high = reshape(higher[:, None]*four(t16)[None], [4*groups, n])\n"
    "blocks = reshape(pad(x, [0], [64*groups - m]), [4*groups, 16])\n"
    "sum((sign(t) - sum(blocks @ low*high, axis=0))^2)/2\n";

static bool build(struct problem *p, const json_t *input, int function) {
    int64_t m = (int64_t)json_array_size(json_object_get(input, "x"));
    problem_size(p, "n", json_integer_value(json_object_get(input, "n")));
    problem_size(p, "groups", (m + 63) / 64);
    cr_node y = problem_model(p, model, input);
    if (function == 0) return problem_output(p, "output", y);
    return problem_gradient(p, "output", y, problem_node(p, "x"));
}

const struct eval eval_llsq = {"llsq", {"primal", "gradient"}, build, NULL};
