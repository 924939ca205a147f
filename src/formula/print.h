/* Formulas back to text. */
#ifndef FORMULA_PRINT_H
#define FORMULA_PRINT_H

#include "graph/graph.h"

/* What the caller calls nodes. label gives NULL where a node's own formula is to be printed. */
struct print_labels {
    const char *(*label)(void *user, cr_node x);
    void *user;
};

/* Text beyond this is cut, and "..." says so: shared sub-expressions are written out each time they are used,
 * which may double the text at every node. */
enum { print_limit = 1 << 20, most_text = 16 << 20 /* that a model may have, and print_exact writes */ };

/* The formula of x as the formula language has it, with as few parentheses as that needs; reading it back
 * gives the same node, but for literals and powi(x, n=2) (see print_exact). With labels it is to be shown: recip(x) is 1/x,
 * rsqrt(x) 1/sqrt(x), and literals have no casts. Printing stops at labelled nodes; without labels (NULL), at named ones; always at leaves. expand_root: x itself is written out although it has a label.
 * Out of memory shows in out. */
void print_formula(struct cr_text *out, cr_node x, const struct print_labels *labels, bool expand_root);
/* The same to be read again: literals that stand alone, or with literals only, give the same nodes too, and not but the
 * same value: add(2, 3) and not 2 + 3, which a reader takes for 5, and powi(x, n=2), since x^2 is a square. Nothing is cut
 * but what no model may be as long as. */
void print_exact(struct cr_text *out, cr_node x, const struct print_labels *labels);
/* The same as LaTeX, to stand in a formula. Labels are names: they are set as names are. */
void print_latex(struct cr_text *out, cr_node x, const struct print_labels *labels, bool expand_root);

#endif
