/* Gradient descent as text of a model, for particle and saddle: NAME(start) is where NAME_value is least, by steps against its
 * gradient, from `start`. The rate doubles after 10 steps that went down, and halves after one that did not; the end is where the
 * gradient, or a step, is at most 1e-5 long. most: how many steps there may be.
 *   parameters, arguments   what NAME_value takes besides the point: ", x" and ", x=x", or ""
 *   forward                 whether in forward mode: "$o", as the outer gradient is, or "$i", as the inner */
#ifndef GRADBENCH_DESCENT_H
#define GRADBENCH_DESCENT_H

#include "adapter.h"

/* The functions of an eval that nests two gradients: the first letter is the mode (reverse, forward) of the outer one, the second that of the inner. */
#define DESCENT_FUNCTIONS \
    { "rr", "rf", "fr", "ff" }
/* problem_model, for one of these functions. */
cr_node descent_model(struct problem *p, const char *model, const json_t *input, int function);

#define DESCENT(name, parameters, arguments, forward, most)                                                 \
    "fn " name "_more(at, value, slope, rate, run, near" parameters ") = norm(slope) > 1e-5 and not near\n" \
    "fn " name "_step(at, value, slope, rate, run, near" parameters ") {\n"                                 \
    "    to = variable(at - rate*slope)\n"                                                                  \
    "    value_to = " name "_value(to" arguments ")\n"                                                      \
    "    slope_to = jacobian(value_to, to, forward=" forward ")\n"                                          \
    "    double = run >= 10\n"                                                                              \
    "    stop = not double and norm(at - to) <= 1e-5\n"                                                     \
    "    down = not double and not stop and value_to < value\n"                                             \
    "    rate_to = where(double, 2*rate, where(down, rate, rate/2))\n"                                      \
    "    [where(down, to, at), where(down, value_to, value), where(down, slope_to, slope), rate_to,\n"      \
    "     where(down, run + 1, 0*run), stop]\n"                                                             \
    "}\n"                                                                                                   \
    "fn " name "(start" parameters ") {\n"                                                                  \
    "    at = variable(start)\n"                                                                            \
    "    value = " name "_value(at" arguments ")\n"                                                         \
    "    slope = jacobian(value, at, forward=" forward ")\n"                                                \
    "    end = while(" name "_more, " name "_step, [start, value, slope, 1e-5, 0.0, false]" most arguments  \
    ")\n"                                                                                                   \
    "    end[0]\n"                                                                                          \
    "}\n"

#endif
