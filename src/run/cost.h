/* What a program does, counted and not timed. */
#ifndef RUN_COST_H
#define RUN_COST_H

#include "plan/plan.h"

/* Operations of a node: one for each number that an elementwise op or a reduction makes or takes in, one for each product and each
 * sum in a matrix product; moving numbers is free. A loop's are its body's, as often as it runs; a while counts once. */
double cost_node(const cr_graph *g, uint32_t id);
double cost_graph(const cr_graph *g);

/* Bytes that a step reads from memory, each slot once, and leaves there; the values of a loop that only the loop reads never get
 * there. */
size_t cost_read(const struct plan *p, const struct step *s);
size_t cost_written(const struct plan *p, const struct step *s);

#endif
