/* Checking gradients; the parts that a test of the check itself needs. */
#ifndef EXPLAIN_CHECK_H
#define EXPLAIN_CHECK_H

#include "chainrule.h"

/* What a test puts in the place of a rule: d is what the rule of y's operand k made. */
struct check_bend {
    cr_node (*bend)(void *user, cr_node y, int k, cr_node d);
    void *user;
};

/* cr_check, with the rules as bend (NULL: none) makes them. */
cr_status check_gradients(cr_text *out, cr_eval *e, cr_node result, int n, const cr_node wrt[], double rtol,
                          double atol, const struct check_bend *bend);

#endif
