/* Functions in a graph beside the same written out. */
#ifndef SUPPORT_WRITTEN_OUT_H
#define SUPPORT_WRITTEN_OUT_H

#include "support/ways.h"

/* Every way of running gives both, so that they are equal element by element. */
void equal_everywhere(cr_node a, cr_node b, int n, const struct given in[], double tolerance);

/* y and its derivatives by wrt to order 3, in both modes and mixed, beside z and its own. */
void same_derivatives(cr_node y, cr_node z, int n_wrt, const cr_node wrt[], int n, const struct given in[],
                      double tolerance);

#endif
