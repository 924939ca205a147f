/* The derivative column of the op table. */
#ifndef GRAD_RULES_H
#define GRAD_RULES_H

#include "grad/control.h"

enum rule_kind {
    RULE_NONE,
    RULE_ZERO,
    RULE_LOCAL,
    RULE_PASS,
    RULE_LINEAR,
    RULE_WRITTEN,
    RULE_MASKED,
    RULE_DRIVES,
    RULE_WHOLE
};

/* A node, and what a derivative of it by operand k is written in. */
struct rule_in {
    cr_node y;
    int k;
    cr_node g, g1; /* cotangent of y; of an op with two results, of each: an error node where there is none */
    cr_node t;     /* tangent of operand k */
    int part;      /* which result's tangent is asked for */
};

enum rule_kind rule_kind(int op, int k);
/* LOCAL: the local gradient; PASS: its mask. */
cr_node rule_local(const struct rule_in *in);
/* The cotangent of operand k, for LINEAR and written rules. */
cr_node rule_vjp(const struct rule_in *in);
/* The tangent of y (its result `part`) that t makes, for LINEAR and written rules; of one that DRIVES what the tangent of operand 1
 * is to be more by. */
cr_node rule_jvp(const struct rule_in *in);
/* WHOLE: the cotangents of all operands; the tangents of all results. */
void rule_whole_vjp(const struct whole *w);
void rule_whole_jvp(const struct whole *w);
/* Where the mask in->g of y's cotangent, or in->t of operand k's tangent, goes: true where something that held may arrive. An
 * error node: the op does not say, and its result stands without a mask. */
cr_node rule_mask_back(const struct rule_in *in);
cr_node rule_mask_along(const struct rule_in *in);

#endif
