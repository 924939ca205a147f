/* llsq: half the sum of squares of sign(t) - (x_0 + x_1 t + x_2 t^2 + ..) at n places t between -1 and 1. The polynomial is evaluated
 * in blocks of 16 terms (Paterson and Stockmeyer 1973): the powers below t^16 at all places make one matrix, with which all blocks
 * are one product; then the blocks are joined by powers of t^16. */
#include "adapter.h"

/* Rows t^0 .. t^(2^doublings - 1): each doubling appends all rows once more, times the next power. */
static const char model[] =
    "input x: f64[m]\n"
    "fn twice(rows, power) = concat(rows, power*rows, axis=0)\n"
    "t = -1 + 2*iota(n)/(n - 1)\n"
    "t4 = t^4\n"
    "t16 = t4^4\n"
    "low = twice(twice(twice(twice(t[None]^0, t), t^2), t4), t4^2)\n"
    "high = cumprod(concat(t[None]^0, expand(t16, [blocks - 1, n]), axis=0), axis=0)\n"
    "x16 = reshape(pad(x, [0], [16*blocks - m]), [blocks, 16])\n"
    "sum((sign(t) - sum(x16 @ low*high, axis=0))^2)/2\n";

static bool build(struct problem *p, const json_t *input, int function) {
    int64_t m = (int64_t)json_array_size(json_object_get(input, "x"));
    problem_size(p, "n", json_integer_value(json_object_get(input, "n")));
    problem_size(p, "blocks", (m + 15) / 16);
    cr_node y = problem_model(p, model, input);
    if (function == 0) return problem_output(p, "output", y);
    return problem_gradient(p, "output", y, problem_node(p, "x"));
}

const struct eval eval_llsq = {"llsq", {"primal", "gradient"}, build, NULL};
