/* Looking for groups: what its files share. A finder holds what is known of one candidate, step by step. */
#ifndef PLAN_GROUP_H
#define PLAN_GROUP_H

#include "plan/plan.h"

/* Where a step stands to the group being found. MEMBER + way: in it. */
enum { BEFORE, AFTER, MEMBER };

struct finder {
    struct plan *p;
    const struct plan_wish *wish;
    uint8_t *mark;          /* by node: of plan_mark_causal */
    uint8_t *at;            /* by step */
    uint32_t *now;          /* by the number that step_of gives: its place since steps were reordered */
    uint32_t *was, *number; /* by step: that number, and room for it */
    uint32_t
        *last_read; /* by slot: the last step that reads it; the number of steps: it is kept to the end */
    uint32_t *seen; /* by slot: the last question that met it */
    uint32_t question;
    struct step *room;               /* by step */
    uint32_t seed, first, last, end; /* steps; no step from the last one on was looked at */
    bool tail;                       /* of updates alone */
    bool half;                       /* its seed is a product of which a causal mask leaves half */
    bool dense;                      /* of single products, whose blocks need nothing of each other */
    size_t weights;                  /* of those: bytes of right operands, which each block reads */
    struct group g;
};

static inline const struct node *node_at(const struct finder *f, uint32_t id) {
    return graph_at(f->p->g, id);
}

static inline const struct node *step_node(const struct finder *f, uint32_t s) {
    return node_at(f, f->p->node[f->p->step[s].first]);
}

static inline uint32_t step_of(const struct finder *f, uint32_t id) {
    uint32_t s = f->p->step_of[id];
    return s == no_slot ? no_slot : f->now[s];
}

/* The step that makes this node's numbers, if it is of the group, else no_slot. */
static inline uint32_t maker(const struct finder *f, uint32_t id) {
    uint32_t s = f->p->view[id].slot == no_slot ? no_slot : step_of(f, id);
    return s != no_slot && f->at[s] >= MEMBER ? s : no_slot;
}

static inline enum group_way way_at(const struct finder *f, uint32_t s) {
    return (enum group_way)(f->at[s] - MEMBER);
}

/* Of a product: how many it is of, and the last two sizes of an operand. */
static inline int64_t batch_of(const struct finder *f, const struct node *product) {
    return shape_count(graph_rank(f->p->g, product) - 2, graph_dims(f->p->g, product));
}
static inline const int64_t *sides(const struct finder *f, uint32_t id) {
    return graph_dims(f->p->g, node_at(f, id)) + graph_rank(f->p->g, node_at(f, id)) - 2;
}
static inline size_t step_bytes(const struct finder *f, uint32_t s) {
    return plan_node_bytes(f->p->g, f->p->node[f->p->step[s].first]);
}

/* Which way a step can go with the group as it is by now. */
enum group_way group_way_of(const struct finder *f, uint32_t s);
bool group_is_product(const struct finder *f, uint32_t s);
/* A product that only updates need. */
bool group_waits_for_update(const struct finder *f, uint32_t s, int64_t rows);
/* A sum over rows, which is combined when all blocks are done. */
bool group_ends_later(const struct finder *f, uint32_t node);

/* What products and loops of a group that is made leave out, since nothing is wanted there. */
void group_find_bounds(struct finder *f);

enum { group_seed_bytes = 256 << 10 /* of a result: what is smaller stays in the cache as it is */ };

#endif
