/* What rounds in a calculation, and where digits go, as nodes of its graph: of each function that is run, by a function of its own. */
#ifndef EXPLAIN_ROUNDING_H
#define EXPLAIN_ROUNDING_H

#include "grad/grad.h"
#include "graph/function.h"

struct nodes {
    cr_node *x;
    size_t n, cap;
};

/* Sums that tell how much larger a node makes relative errors: of each operand |contribution x operand|, then |cotangent x value|. */
struct steep {
    uint32_t id;
    size_t first; /* the first of its sums */
    int operands;
};

/* The graph, or a function's body as one node runs it. */
struct body {
    cr_graph *g;      /* where its nodes are as they are said */
    cr_node at;       /* what runs it, in the body around; an error node: this is the graph itself */
    size_t around;    /* which body that is */
    uint32_t *source; /* nodes that round, by element of bounds */
    size_t sources, source_cap;
    struct steep *steep;
    size_t steeps, steep_cap;
    struct nodes bound, size; /* one number each */
    /* What each adds to the bound, and the sums: vectors, in loops a row for each step, the outermost first. An error node: none. */
    cr_node bounds, sizes;
};

struct roundings {
    struct mem mem;
    struct body *body; /* the graph first, each before what runs in it */
    size_t bodies, cap;
    cr_status status;
};

/* Of result y with the cotangent seed. from: by node of y's graph the node of the graph `said` that it computes in double precision; 0:
 * none. rounding_free after. */
void rounding_make(struct roundings *r, cr_node y, cr_node seed, cr_graph *said, const uint32_t from[]);
void rounding_free(struct roundings *r);
/* The function whose body this is; NULL: the graph. rows: it is run in steps, each with a row. */
const cr_function *body_function(const struct body *b);
bool body_has_rows(const struct body *b);
/* Which operand of the node that runs a body is its first input's; and its carries, whose results are the next step's inputs. */
int body_first(const struct body *b);
int64_t body_carries(const struct body *b);

#endif
