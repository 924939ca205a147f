/* Recognises a loss that is a sum of squares, as least squares needs it. */
#ifndef TRAIN_SQUARES_H
#define TRAIN_SQUARES_H

#include "chainrule.h"

struct squares {
    cr_node residual; /* f64 [m]: the loss is factor times the sum of its squares */
    double factor;    /* 0: not known (the model calls a node `residual`) */
    cr_node
        observed; /* f64 [m]: the part of the residual without parameters, times the weight; else an error node */
    cr_node weight; /* f64 [m]: what multiplies the bare difference in each residual; else an error node */
};

/* Sums and means of squares of any parts, times positive numbers, times weights that no parameter reaches, added. A tensor
 * instead of one number is taken as the residual itself. Where nothing is recognised, the node named `residual`, if there is
 * one. False: not a sum of squares, or an error in the graph. */
bool squares_of(struct squares *out, cr_node loss, int n, const cr_node params[]);

#endif
