/* Functions in double precision. */
#ifndef GRAD_WIDE_H
#define GRAD_WIDE_H

#include "grad/control.h"

/* f with every float dtype f64, but for random draws and constants, which keep their numbers, and callbacks, which are handed numbers of
 * their own dtypes; f itself where nothing changes. open: stop_gradient is its operand. NULL: an error, which g tells. */
cr_function *wide_function(cr_graph *g, cr_function *f, bool open);
/* The control node y on operands of another graph that are wide, with wide functions. */
cr_node wide_control(cr_node y, const cr_node x[], bool open);
/* The narrowest float dtype of the callbacks that f is or runs, or `widest`. */
cr_dtype wide_narrowest(const cr_function *f, cr_dtype widest);
/* Part k of it: what a callback gives is made wide. */
cr_node wide_part(cr_node y, int k);
/* Appends to g what f does to wide operands, wide. map: by node of f, its number in g. False: an error, which g tells. */
bool wide_inline(cr_graph *g, const cr_function *f, const cr_node x[], bool open, uint32_t map[]);

#endif
