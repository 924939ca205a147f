/* Values of nodes, for the rooms above: many at once, and where they stand. */
#ifndef RUN_EVAL_H
#define RUN_EVAL_H

#include "chainrule.h"

/* Is x a node, and one of this evaluator's graph (e may be NULL)? If not, e has a sentence. */
bool eval_fits(cr_eval *e, cr_node x);
/* Computes all that is not yet known of these and what they need. */
cr_status eval_compute(cr_eval *e, size_t n, const cr_node x[]);
/* A computed value, row-major, until the next call that changes e; NULL if it was not computed. */
const void *eval_data(const cr_eval *e, cr_node x);

#endif
