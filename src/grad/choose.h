/* Slices that go different ways: each computes what all do, and takes its own. */
#ifndef GRAD_CHOOSE_H
#define GRAD_CHOOSE_H

#include "grad/control.h"

/* Functions here are of many slices (derive_slices), so is each of their results. x: operands that are ready. */

/* Both functions run, and each slice takes its own results: x[0] is a bool for each. The branch that is not taken makes no nan, also in
 * derivatives. */
cr_node choose_cond(cr_graph *g, cr_function *yes, cr_function *no, int n, const cr_node x[]);

/* Steps until all slices are done; one that is done stays as it is. Of slices with counts of their own (l->counted) x[0] is a count for
 * each; else condition gives a bool for each. One more carry, behind the others: how many steps each slice took. */
cr_node choose_loop(cr_graph *g, cr_function *body, cr_function *condition, int64_t slices,
                    const struct loop_attr *l, int n, const cr_node x[]);

#endif
