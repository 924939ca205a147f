/* Patterns: the small formulas of rules.def, read once into terms. */
#ifndef REWRITE_PATTERN_H
#define REWRITE_PATTERN_H

#include "graph/graph.h"

enum { most_terms = 16, most_rules = 96 };

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

enum exact { EXACT, FORM, ZERO_SIGN, FINITE, ROUNDING };

struct rule {
    struct pattern pattern, replacement;
    enum exact exact;
    const char *text;
    int next; /* rule with the same op at its root; -1: none */
};

struct rules {
    struct rule rule[most_rules];
    int n, first[OP_COUNT]; /* by the op at the root; -1: none */
};

/* False for a text that is no formula: a mistake in rules.def. */
bool pattern_read(struct pattern *p, const char *text);
/* All rules. NULL: out of memory. */
struct rules *rules_new(const struct mem *m);
void rules_free(const struct mem *m, struct rules *r);

#endif
