/* The oracle: every node on its own, floats as double, each value in memory of its own, no strides, no
 * fusion, no threads. It is slow and stays so: every other way to run is tested against it. It allocates as
 * it goes. */
#ifndef DEVICE_REFERENCE_REFERENCE_H
#define DEVICE_REFERENCE_REFERENCE_H

#include "device/device.h"

struct reference {
    cr_graph *g;
    const void *const *leaf; /* by node: the data of inputs and parameters, in their own dtypes */
    bool wide_leaves;        /* these are as wide as the oracle's own values */
    int64_t seed, step;
    bool trap_nan;
    const uint8_t *needed; /* by node; NULL: all are */
    struct tensor *value;  /* by node */
    int64_t *stride;       /* of the values, CR_MAX_RANK each */
    uint8_t *owned;
    uint32_t bad_node;
    bool infinite; /* of CR_ENAN: an infinity, not a nan */
    int64_t bad, limit;
    const cr_graph *inside; /* not NULL: it failed in a function that bad_node runs, at inside_node of it */
    uint32_t inside_node;
    int64_t trip; /* in which step of a loop; below 0: none */
};

/* Computes the nodes of r->g that are needed. Afterwards reference_result gives the value of a node, in its own dtype, once;
 * reference_free after that, or after a failure. */
cr_status reference_run(struct reference *r);
struct tensor reference_result(struct reference *r, uint32_t node);
void reference_free(struct reference *r);

#endif
