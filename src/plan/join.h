/* What stands within another value's memory: shared by join.c and margin.c. */
#ifndef PLAN_JOIN_H
#define PLAN_JOIN_H

#include "plan/plan.h"

struct joiner {
    struct plan *p;
    struct view
        *to;    /* by slot: the slot that its numbers go to, and where they begin there; no_slot: it stays */
    bool *kept; /* by slot: what becomes of it is said elsewhere */
    uint32_t *now; /* by step that was met: its number once those that have nothing left to do are gone */
};

/* Is the slot of the workspace, and of no group? */
static inline bool join_is_work(const struct plan *p, uint32_t slot) {
    return slot != no_slot && p->slot[slot].kind == SLOT_WORK;
}

/* Short vectors are computed on copies (emit/pad.c), which begin where a slot does. */
bool join_is_short(int64_t n);

/* May all of this slot, which a loop of its own or a product makes, stand elsewhere? */
bool join_can_move(const struct joiner *j, uint32_t slot);

/* margin.c: false: out of memory. */
bool join_margins(struct joiner *j);

#endif
