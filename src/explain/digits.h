/* How rounding adds up: a first-order bound for one number, and where its digits are lost. */
#ifndef EXPLAIN_DIGITS_H
#define EXPLAIN_DIGITS_H

#include "explain/twin.h"
#include "grad/grad.h"

enum { most_losses = 3 };

/* A node that makes relative errors larger: by 10^digits. */
struct loss_of_digits {
    cr_node at; /* in the graph that is analysed, or in a function that it runs */
    int loops;  /* that it is in, the outermost first */
    cr_node loop[CR_MAX_RANK];
    int64_t step[CR_MAX_RANK];
    double digits;
    bool cancels; /* terms that nearly cancel; else a function that is steep for its size */
};

/* What rounding does to one number. */
struct rounding_of {
    double value, bound; /* |value computed - value exact| <= bound, to first order */
    int64_t element;     /* which of its node, row-major */
    struct loss_of_digits loss[most_losses];
    int losses; /* worst first */
};

/* An analysis of nodes of one graph, at the values of its evaluator. */
struct digits {
    struct mem mem;
    cr_graph *g;
    struct twin twin; /* in double precision; stop_gradient is its operand: errors pass it */
    struct twin_map map;
};

/* For all that these nodes are made of. digits_close after either. */
cr_status digits_open(struct digits *d, cr_eval *e, int n, const cr_node x[]);
void digits_close(struct digits *d);
/* What failed in the twin is told to the graph that is analysed. */
void digits_tell(struct digits *d, cr_status *status);
/* One element of x, one of the nodes; element < 0: the worst of a few, spread evenly, and where its digits are lost. */
cr_status digits_of(struct digits *d, cr_node x, int64_t element, struct rounding_of *out);

#endif
