/* hello: the square of a number, and its derivative. */
#include "adapter.h"

static bool build(struct problem *p, const json_t *input, int function) {
    p->keeps_denormals = true;
    problem_take(p, "x", problem_numbers(p, input, CR_F64));
    cr_node y = problem_model(p, "input x: f64; x^2", NULL);
    if (function == 0) return problem_output(p, "output", y);
    return problem_gradient(p, "output", y, problem_node(p, "x"));
}

const struct eval eval_hello = {"hello", {"square", "double"}, build, NULL};
