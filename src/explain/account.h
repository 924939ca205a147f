/* The making of one body's account of roundings. */
#ifndef EXPLAIN_ACCOUNT_H
#define EXPLAIN_ACCOUNT_H

#include "explain/rounding.h"

/* A graph with a backward sweep of its own. */
struct account {
    struct roundings *r;
    size_t body;          /* which it is of */
    cr_graph *g;          /* where it is made */
    const uint32_t *from; /* by node of g: what it computes, in the body's graph; 0: none */
    uint32_t size;        /* nodes from here on are of the account itself */
    struct sweep sweep;
};

/* Fills in the body; r->status tells what failed. sweep_free after. */
void account_make(struct account *a, int n, const cr_node ys[], const cr_node seeds[]);
/* One more body. */
size_t account_body(struct roundings *r, cr_graph *g, cr_node at, size_t around);
/* inner.c: the bodies of the functions that y runs, and of those that they run. */
void account_enter(struct account *a, cr_node y, cr_node said);

#endif
