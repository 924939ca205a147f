/* A node computed in each way that the library has, to be compared. */
#ifndef WAYS_H
#define WAYS_H

#include "test.h"

/* Numbers for an input: row-major, or as strides say. */
struct given {
    const char *name;
    cr_dtype dtype;
    int rank;
    const int64_t *dims;
    void *data;
    int64_t *strides; /* in elements, or NULL */
};

enum way { WAY_EVAL, WAY_CPU, WAY_NOT_FUSED, WAY_REFERENCE, WAYS };
const char *way_name(enum way way);

/* The inputs as nodes. */
void given_inputs(cr_graph *g, int n, const struct given in[], cr_node x[]);
/* y, row-major, by this way. Fails the test if that fails. Strided inputs reach WAY_EVAL row-major. */
void compute(enum way way, cr_node y, int n, const struct given in[], void *out, size_t bytes);

#endif
