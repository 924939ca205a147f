/* Words of the derivative column that are longer than an expression. y is the node, a b its operands, g its
 * cotangent, t a tangent. */
#ifndef GRAD_HELPERS_H
#define GRAD_HELPERS_H

#include "ops/build.h"

cr_node powi_local(cr_node a, int64_t n);
cr_node stumpff_local(cr_node a, int64_t n);
cr_node pow_local_base(cr_node a, cr_node b);
cr_node pow_local_exponent(cr_node a, cr_node y);
cr_node tie_local(cr_node winner, cr_node other); /* 1 where winner > other, 1/2 on a tie, else 0 */
cr_node unit_local(cr_node a, cr_node y);         /* a / y, and 0 where y is 0 */
cr_node like_shape(cr_node g, cr_node a);
cr_node sum_to(cr_node g, cr_node a);
/* g summed to shape s where a part of it, what stands about a mean, sums to 0; false: none does (grad/about.c). */
bool sum_about_mean(cr_node g, const struct shape *s, cr_node *sum);
cr_node unreduce(cr_node g, cr_node y,
                 cr_node a);                      /* g repeated along the axes that reduction y took from a */
cr_node reduce_sum(cr_node y, cr_node x);         /* x summed over the axes that reduction y takes */
cr_node prod_others(cr_node y, cr_node a);        /* for each element of a, the product of the others */
cr_node tie_vjp(cr_node g, cr_node y, cr_node a); /* for max and min */
cr_node tie_jvp(cr_node t, cr_node y, cr_node a);
cr_node cumsum_back(cr_node g, cr_node y);
cr_node recur_back(cr_node g, cr_node y, cr_node a); /* cotangent of the driving term */
cr_node recur_before(cr_node y, cr_node z); /* z one place earlier in the direction of recurrence y */
cr_node recur_again(cr_node y, cr_node a, cr_node b); /* y's recurrence on other terms */
/* What the recurrence may reach, running as it does or back. */
cr_node recur_mask(cr_node m, cr_node y, bool back);
cr_node permute_back(cr_node g, cr_node y);
cr_node slice_back(cr_node g, cr_node y, cr_node a);
cr_node unslice_back(cr_node g, cr_node y, cr_node a);
cr_node window_back(cr_node g, cr_node y, cr_node a);
cr_node window_add_back(cr_node g, cr_node y, cr_node a);
cr_node concat_back(cr_node g, cr_node y, int k);
cr_node concat_place(cr_node t, cr_node y, int k);
cr_node gather_back(cr_node g, cr_node y, cr_node a, cr_node index);
int scatter_batch(cr_node y);
cr_node sort_back(cr_node g, cr_node y);
cr_node sort_along(cr_node t, cr_node y, int part);

/* Linear algebra (grad/linalg.c). */
cr_node cholesky_back(cr_node g, cr_node y);
cr_node cholesky_along(cr_node t, cr_node y);
cr_node triangular_back(cr_node g, cr_node y, cr_node a);
cr_node triangular_drive(cr_node t, cr_node y);
cr_node det_back(cr_node g, cr_node a);
cr_node det_along(cr_node t, cr_node a, int part);
cr_node eigh_back(cr_node g, cr_node g1, cr_node y);
cr_node eigh_along(cr_node t, cr_node y, int part);

#endif
