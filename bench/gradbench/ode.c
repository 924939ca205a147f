/* ode: y_0' = x_0, y_i' = x_i y_(i-1), from 0 to time 2 in s steps of Runge and Kutta's fourth-order method; and the gradient of the
 * last y. The steps are a scan. */
#include "adapter.h"

static const char model[] = "input x: f64[n]\n"
                            "fn slope(x, y) = x*concat([1.0], y[:-1])\n"
                            "fn step(y, x, h) {\n"
                            "    k1 = slope(x, y)\n"
                            "    k2 = slope(x, y + h/2*k1)\n"
                            "    k3 = slope(x, y + h/2*k2)\n"
                            "    k4 = slope(x, y + h*k3)\n"
                            "    y + h/6*(k1 + 2*k2 + 2*k3 + k4)\n"
                            "}\n"
                            "scan(step, 0*x, steps=s, x=x, h=2/s)\n";

static bool build(struct problem *p, const json_t *input, int function) {
    problem_size(p, "s", json_integer_value(json_object_get(input, "s")));
    cr_node y = problem_model(p, model, input);
    if (function == 0) return problem_output(p, "output", y);
    cr_named(y, "y");
    return problem_gradient(p, "output", cr_formula(p->g, "y[-1]"), problem_node(p, "x"));
}

const struct eval eval_ode = {"ode", {"primal", "gradient"}, build, NULL};
