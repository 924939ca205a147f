/* saddle: the least over x of the greatest over y of f(x, y), both by gradient descent, the inner one within the function whose
 * gradient the outer one follows; then y for the x found. The first letter of a function is the mode (forward, reverse) of the outer
 * gradient, the second that of the inner. */
#include "descent.h"

static const char model[] =
    "input start: f64[2]\n"
    "fn f(x, y) = sum(x^2) - sum(y^2)\n"
    "fn greatest_value(y, x) = -f(x, y)\n" DESCENT(
        "greatest", ", x", ", x=x", "$i",
        ", most=1000") "fn least_value(x, from) = f(x, greatest(from, "
                       "x))\n" DESCENT("least", ", from", ", from=from", "$o",
                                       "") "fn last_value(y, x) = -f(x, "
                                           "y)\n" DESCENT("last", ", x", ", x=x", "$o",
                                                          "") "x = least(start, "
                                                              "start)\n"
                                                              "concat(x, "
                                                              "last(start, x), "
                                                              "axis=0)\n";

static bool build(struct problem *p, const json_t *input, int function) {
    return problem_output(p, "output", descent_model(p, model, input, function));
}

const struct eval eval_saddle = {"saddle", DESCENT_FUNCTIONS, build, NULL};
