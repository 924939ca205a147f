/* Values that are computed a second time, beside those who read them late, rather than kept in memory for them. */
#ifndef PLAN_AGAIN_H
#define PLAN_AGAIN_H

#include "plan/plan.h"

/* Neighbouring steps that read such values, and the nodes computed again for them: views too, in order. */
struct again_place {
    uint32_t first, last;  /* steps */
    uint32_t *node, *twin; /* twin: the second node in the copy of the graph */
    size_t n, made, node_cap, twin_cap;
};

struct again {
    struct mem mem;
    const struct plan *p;
    size_t slots, steps; /* of it */
    bool any;
    uint8_t *chosen;  /* by slot: it is computed again */
    uint8_t *refused; /* by slot: that was tried, in vain */
    uint32_t *at;     /* by step: 1 + the place that it is of */
    struct again_place *place;
    size_t places, place_cap;
};

/* Where the node is in the place's list, or would be. */
size_t again_find(const struct again_place *x, uint32_t node);

/* What of this plan is worth it, by the bytes and operations that it takes; of no slot that was refused. CR_OK or CR_ENOMEM;
 * plan_drop_again after either. */
cr_status plan_find_again(struct again *a, const struct plan *p, const struct plan_wish *wish);
/* The plan's graph with it, and in map, of the plan's graph's count, where its nodes are. NULL: out of memory. */
cr_graph *plan_copy_again(struct again *a, const struct plan_wish *wish, uint32_t *map);
/* By node of that copy: 1 for those that are there twice. */
void plan_mark_again(const struct again *a, uint8_t *again);
/* A plan of that copy: is all that was chosen in blocks, or nowhere in memory? If not, what is in memory is refused. */
bool plan_check_again(struct again *a, const struct plan *of_copy);
void plan_drop_again(struct again *a);

#endif
