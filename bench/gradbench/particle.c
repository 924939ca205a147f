/* particle: the place w of a charge that makes a moving particle end at the origin, by gradient descent over Euler's steps along the
 * gradient of a potential: a gradient of a loop over gradients. The first letter of a function is the mode (forward, reverse)
 * of the outer gradient, the second that of the inner. */
#include "descent.h"

/* The particle flies while the next place is above the axis; then the last step is shortened to end on it. */
static const char model[] = "input w: f64\n"
                            "fn potential(x, w) = 1/norm(x - [10, 10 - w]) + 1/norm(x - [10.0, 0])\n"
                            "fn above(x, v, w) = (x + 0.1*v)[1] > 0\n"
                            "fn fly(x, v, w) {\n"
                            "    at = variable(x)\n"
                            "    [x + 0.1*v, v - 0.1*jacobian(potential(at, w), at, forward=$i)]\n"
                            "}\n"
                            "fn place_value(w) {\n"
                            "    x0 = [0, 8.0]\n"
                            "    v0 = [0.75, 0]\n"
                            "    end = while(above, fly, [x0, v0], most=1000, w=w)\n"
                            "    x = end[0] + 0.1*end[1]\n"
                            "    (x[0] - x[1]/end[1][1]*end[1][0])^2\n"
                            "}\n" DESCENT("place", "", "", "$o", "") "place(w)\n";

static bool build(struct problem *p, const json_t *input, int function) {
    return problem_output(p, "output", descent_model(p, model, input, function));
}

const struct eval eval_particle = {"particle", DESCENT_FUNCTIONS, build, NULL};
