/* What every format of an explanation shows: nodes with values, local gradients, cotangents. */
#ifndef EXPLAIN_MODEL_H
#define EXPLAIN_MODEL_H

#include "grad/grad.h"
#include "run/eval.h"

/* How a node depends on one operand. */
struct edge {
    uint32_t from, to; /* rows: the node, its operand */
    int k;
    bool local;       /* a local gradient, element by element; else the rule in g */
    cr_node gradient; /* LOCAL: that; else an error node */
    cr_node part;     /* what it adds to the operand's cotangent; an error node: nothing */
    char *formula;    /* of the local gradient, or of the rule in g */
};

struct row {
    cr_node x, cotangent; /* cotangent: an error node where there is none */
    char *label, *formula;
    bool constant, leaf;
    uint32_t first, edges; /* in the edge list, by node */
};

struct explanation {
    struct mem mem;
    cr_graph *g;
    cr_eval *e;
    cr_node result;
    int n;
    const cr_node *wrt;
    double rate;
    bool full;
    struct row *row;
    uint32_t rows;
    uint32_t *of; /* by node id: its row + 1 */
    uint32_t ids;
    struct edge *edge;
    size_t edges, edge_cap;
    size_t mark; /* of the graph before */
    cr_status status;
};

/* Everything but the words. explanation_free after either; it leaves the graph as it was. */
cr_status explanation_make(struct explanation *x, cr_eval *e, cr_node result, int n, const cr_node wrt[],
                           double rate, bool full);
void explanation_free(struct explanation *x);

const char *explanation_label(const struct explanation *x, cr_node node);
const struct row *explanation_row(const struct explanation *x, cr_node node);
/* A value as a person reads it: a number, a short list, or shape and summary; all numbers if full. */
void explanation_value(struct cr_text *out, const struct explanation *x, cr_node node);
/* As JSON: shortest digits that read back the same, nested lists. */
void explanation_json_value(struct cr_text *out, const struct explanation *x, cr_node node);

void explain_text(struct cr_text *out, const struct explanation *x);
void explain_json(struct cr_text *out, const struct explanation *x);
void explain_dot(struct cr_text *out, const struct explanation *x);
void explain_latex(struct cr_text *out, const struct explanation *x);

#endif
