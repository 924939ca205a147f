/* Sweeps over the graph: cotangents backwards, tangents forwards. */
#ifndef GRAD_GRAD_H
#define GRAD_GRAD_H

#include "grad/rules.h"

/* The cotangent of a node during the backward pass. Where the mask does not hold it is exactly 0, whatever
 * the value says there: so a local gradient of inf behind a `where` that did not choose it counts for
 * nothing. */
struct cotangent {
    uint32_t value; /* 0: none */
    uint32_t mask;  /* 0: holds everywhere */
    bool clean;     /* the value itself is 0 where the mask does not hold */
    uint32_t next;  /* of a part: the next part of its op that has a cotangent; 0: none */
};                  /* of an op with parts: value is the first of these */

/* A backward pass. After sweep_backward, bar[id] is the cotangent of each node on a path from wrt to ys. */
struct sweep {
    cr_graph *g;
    uint32_t first, size; /* ids below first or from size on take no part */
    struct cotangent *bar;
    uint8_t *needed; /* on a path from some wrt */
};

/* Appends the backward pass. CR_OK, or the graph's error. sweep_free after either. */
cr_status sweep_backward(struct sweep *s, int n_ys, const cr_node ys[], const cr_node cotangents[], int n,
                         const cr_node wrt[]);
void sweep_free(struct sweep *s);
/* The cotangent of x as a plain node; an error node, without an error in the graph, where there is none. */
cr_node sweep_cotangent(const struct sweep *s, cr_node x);
/* What node y hands to its operand k, as a plain node; an error node where that is nothing. */
cr_node sweep_contribution(const struct sweep *s, cr_node y, int k);
/* What a cotangent g of result `part` alone gives operand k of an op whose rule gives all at once. */
cr_node sweep_whole(cr_node y, int k, int part, cr_node g);

/* A literal 0, of any shape. */
bool sweep_is_zero(cr_node x);
/* 1 at ids on a path from wrt, up to the greatest id of ys: what both modes visit. */
uint8_t *sweep_needed(cr_graph *g, uint32_t size, uint32_t *first, int n, const cr_node wrt[]);
/* Does a derivative pass from operand k of this node to its result? */
bool sweep_carries(const cr_graph *g, const struct node *n, int k);
/* Is y a node, and are the wrt inputs, parameters or variables of a float dtype in its graph? */
bool sweep_wrt_good(const char *what, cr_node y, int n, const cr_node wrt[]);
/* Are the results good nodes of one graph, of float dtypes? */
bool sweep_results_good(const char *what, int n, const cr_node ys[]);

/* A direction of the shape of x that is still open: what vmap then puts many in the place of. */
cr_node matrix_direction(cr_node x);

#endif
