/* What is not a finite number in a tensor: for trapping the node that made it. */
#ifndef DEVICE_FINITE_H
#define DEVICE_FINITE_H

#include "device/device.h"

struct unfinite {
    bool nan, inf;
};

/* x's numbers as they are in dtype `as`, to which the oracle's wider ones are rounded first: so that it calls
 * the same node the first as every other way of running. */
struct unfinite tensor_unfinite(const struct tensor *x, cr_dtype as);

/* CR_ENAN if the node made a nan or (then *infinite) an infinity: its result holds one and none of its operands
 * does. The greatest of no numbers is minus infinity without being made. look(where, id): what a node's value
 * holds. */
cr_status finite_trap(const cr_graph *g, uint32_t id, struct unfinite (*look)(const void *where, uint32_t id),
                      const void *where, bool *infinite);

#endif
