/* lse: log(sum(exp(x))), shifted by the greatest element so that no exp overflows. The value does not depend on the shift. */
#include "adapter.h"

static const char model[] = "input x: f64[n]\n"
                            "shift = stop_gradient(max(x))\n"
                            "shift + log(sum(exp(x - shift)))\n";

static bool build(struct problem *p, const json_t *input, int function) {
    cr_node y = problem_model(p, model, input);
    if (function == 0) return problem_output(p, "output", y);
    return problem_gradient(p, "output", y, problem_node(p, "x"));
}

const struct eval eval_lse = {"lse", {"primal", "gradient"}, build, NULL};
