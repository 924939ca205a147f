/* Functions in double precision. */
#ifndef GRAD_WIDE_H
#define GRAD_WIDE_H

#include "grad/control.h"

/* f with every float dtype f64, but for random draws and constants, which keep their numbers; f itself where nothing is narrower. NULL:
 * an error, which g tells: a callback computes in the dtypes that it has. */
cr_function *wide_function(cr_graph *g, cr_function *f);
/* The control node y on operands of another graph that are wide, with wide functions. */
cr_node wide_control(cr_node y, const cr_node x[]);
/* Appends to g what f does to wide operands, wide. False: an error, which g tells. */
bool wide_inline(cr_graph *g, const cr_function *f, const cr_node x[], cr_node out[]);

#endif
