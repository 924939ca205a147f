/* What every format of an explanation shows: nodes with values, local gradients, cotangents. */
#ifndef EXPLAIN_MODEL_H
#define EXPLAIN_MODEL_H

#include "base/text.h"
#include "formula/print.h"
#include "grad/grad.h"
#include "run/eval.h"

/* Before a local gradient's two names; the derivative of the result along all paths has a d. U+2202 in UTF-8. */
#define PARTIAL "\xe2\x88\x82"

/* How a node depends on one operand. Nodes that go without saying (a broadcast, one result of several) have no
 * row: the edge leads through them. */
struct edge {
    uint32_t from, to; /* rows: the node, its operand */
    bool local;        /* a local gradient, element by element; else a rule in g */
    bool whole; /* through a function (a loop, a branch ...): the rule is called vjp(node, operand, g) */
    cr_node gradient; /* local: that; else an error node */
    cr_node said;     /* local: the same as it is written, without the broadcast that goes without saying */
    cr_node rule, g;  /* not local: what a cotangent g of the node gives the operand */
    cr_node part;     /* what it adds to the operand's cotangent; an error node: nothing */
    char *formula;    /* of the local gradient, or of the rule in g; NULL: no derivative */
};

struct row {
    cr_node x, cotangent; /* cotangent: an error node where there is none */
    char *label, *formula;
    bool constant, leaf, is_scope;
    bool asked;            /* for its gradient */
    uint32_t first, edges; /* in the edge list, by node, operands in order */
    uint32_t scope;        /* 1 + the row that gives the scope it is in its name; 0: none */
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
    bool folded; /* too many rows for a reader: unnamed ones inside a scope are not shown one by one */
    struct row *row;
    uint32_t rows;
    uint32_t *of; /* by node id: its row + 1 */
    uint32_t ids;
    struct edge *edge;
    size_t edges, edge_cap;
    uint32_t *into,
        *into_first; /* edges that carry something, by the operand they end at: of row r from into_first[r] on */
    size_t mark;     /* of the graph before */
    cr_status status;
};

/* Everything but the words: without wrt no derivatives, with wrt but without e no more than rows and labels.
 * explanation_free after either; it leaves the graph as it was. */
cr_status explanation_make(struct explanation *x, cr_eval *e, cr_node result, int n, const cr_node wrt[],
                           double rate, bool full);
void explanation_free(struct explanation *x);

const struct row *explanation_row(const struct explanation *x, cr_node node);
/* Labels for the printers: user is the explanation. */
const char *explanation_label(void *user, cr_node node);
/* The same in a local gradient, element by element: a broadcast of a node is called what the node is. */
const char *explanation_local_label(void *user, cr_node node);
/* Has the row a value of its own to show? */
bool explanation_has_value(const struct explanation *x, const struct row *row);
/* Is the row shown, or does its scope stand for it? */
bool explanation_shown(const struct explanation *x, uint32_t r);

/* rows.c: which nodes have a row, and what they are called. edges.c: how they depend on each other. */
void explanation_find_rows(struct explanation *x);
void explanation_find_edges(struct explanation *x);
/* The constant behind a number written out, repeated or cast; an error node: it is none, or too large to write in a
 * formula. */
cr_node explanation_literal(cr_node x);
char *explanation_formula(struct explanation *x, cr_node node, const struct print_labels *labels, bool root);

/* Lines with tabs between columns, aligned and indented. */
void explanation_align(struct cr_text *out, const struct cr_text *lines);
/* A value as a person reads it: a number, a short list, or shape and summary; all numbers if full. */
void explanation_value(struct cr_text *out, const struct explanation *x, cr_node node);
/* In a picture: at most three numbers; shape: with dtype and shape before the summary. */
void explanation_brief(struct cr_text *out, const struct explanation *x, cr_node node, bool shape);
/* Is explanation_value a number or a short list, that a product may be written with? */
bool explanation_is_short(const struct explanation *x, cr_node node);
/* As JSON: shortest digits that read back the same, nested lists. Zeros of its shape. */
void explanation_json_value(struct cr_text *out, const struct explanation *x, cr_node node);
void explanation_json_zeros(struct cr_text *out, const struct explanation *x, cr_node node);
/* Straight from the result there is nothing to multiply: the local gradient is the cotangent. */
bool explanation_direct(const struct explanation *x, const struct edge *e);
/* "vjp(n1, x, g)": what a function's node hands on, in the words of the language. */
void explanation_vjp(struct cr_text *t, const struct explanation *x, const struct edge *e, const char *g);
/* Of the units of a layer, the last axis of a tensor of rank 2 or more, how many are 0 for every observation. units 0: there are none. */
int64_t explanation_dead_units(cr_node x, const void *data, int64_t *units);
/* The same of a row, if it is computed on the way from what the gradient is by. */
int64_t explanation_dead(const struct explanation *x, const struct row *row, int64_t *units);
/* x - rate * dloss/dx. */
void explanation_after(struct cr_text *out, const struct explanation *x, const struct row *row);

void explain_text(struct cr_text *out, const struct explanation *x);
void explain_json(struct cr_text *out, const struct explanation *x);
void explain_dot(struct cr_text *out, const struct explanation *x);
void explain_latex(struct cr_text *out, const struct explanation *x);
/* A line of an align*, broken before = + and \\cdot where it is too long. */
void latex_break_line(struct cr_text *out, const char *line);
void explain_layout(struct cr_text *out, const struct explanation *x);

#endif
