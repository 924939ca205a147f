/* A node built again for many slices at once. */
#ifndef OPS_BATCH_H
#define OPS_BATCH_H

#include "ops/build.h"

/* The node y, of no control op, for n slices: x are its operands, of which those with batched[k] have a leading axis of n more than they had. So has
 * what it gives. At least one is batched. An error node with the error set: too many axes. x may be changed. */
cr_node ops_batch(cr_node y, int64_t n, cr_node x[], const bool batched[]);

/* x n times, along a leading axis. */
cr_node ops_repeat(cr_node x, int64_t n);
/* The shape with a leading axis of n; its rank may be above the limit, which ops_node tells. */
struct shape ops_lead(int64_t n, struct shape s);

#endif
