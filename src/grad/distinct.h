/* Functions run on operands of which some are the same. */
#ifndef GRAD_DISTINCT_H
#define GRAD_DISTINCT_H

#include "grad/control.h"

/* A call, or a cond, on operands that are ready: each of those that are the same is handed over once. */
cr_node distinct_call(cr_graph *g, cr_function *f, int n, const cr_node x[]);
cr_node distinct_cond(cr_graph *g, cr_function *yes, cr_function *no, int n, const cr_node x[]);

/* Appends to g what f does to operands of which some are the same: what it runs on them has each once, and so on within. */
void distinct_inline(cr_graph *g, const cr_function *f, const cr_node x[], cr_node out[]);

/* A loop that has fewer parts than was asked for: part i is part at[i] of y. distinct_free in any case. */
struct distinct_loop {
    cr_node y;
    cr_graph *g;
    uint32_t *same, *at; /* by operand of the body, by part */
    uint8_t *keep;       /* by result of the body */
    size_t operands, parts;
};
/* Operands that are the same once; carries that start alike and that each step changes alike are one carry, results that are the
 * same one result. y is an error node where there is no memory. */
void distinct_loop(struct distinct_loop *d, cr_graph *g, cr_function *body, cr_function *condition,
                   const struct loop_attr *l, int n, const cr_node x[]);
void distinct_free(struct distinct_loop *d);

#endif
