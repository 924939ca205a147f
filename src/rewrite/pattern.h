/* Patterns: the small formulas of rules.def as terms, into which the build reads them (tools/rules_table.c). */
#ifndef REWRITE_PATTERN_H
#define REWRITE_PATTERN_H

#include "graph/graph.h"

enum { most_terms = 12 };

enum term_kind {
    TERM_ANY,     /* x y z */
    TERM_LITERAL, /* a */
    TERM_WHOLE,   /* n m */
    TERM_NUMBER,
    TERM_OP /* powi has its exponent as a second term */
};

struct term {
    uint8_t kind, letter; /* which of its kind, from 0 */
    bool truth;           /* a number that is true or false */
    uint8_t n, arg[3];    /* terms of the same formula */
    int op;
    double value;
};

/* A formula as terms; root is the last. */
struct pattern {
    struct term term[most_terms];
    int n, root;
};

enum exact { EXACT, FORM, ZERO_SIGN, FINITE, ROUNDING, DIGITS };

struct rule {
    struct pattern pattern, replacement;
    enum exact exact;
    int next; /* rule with the same op at its root; -1: none */
};

/* All rules, in the order of the rows. */
extern const struct rule rewrite_rule[];
extern const int rewrite_first[OP_COUNT]; /* by the op at the root; -1: none */

/* False for a text that is no formula: a mistake in rules.def. Not in the library: the build and tests read rows. */
bool pattern_read(struct pattern *p, const char *text);

#endif
