/* For every row of the op table, graphs in which it is computed: elementwise rows from what the row says, others from the cases of
 * tests/data/references.inc. A new row has its cases without a further line. */
#ifndef ROWS_H
#define ROWS_H

#include "test.h"

/* y of the row's op on inputs x that have values; the fractions among them are wrt. */
struct row_case {
    cr_graph *g;
    cr_eval *e;
    cr_node x[3], wrt[3], y;
    int n, n_wrt;
    char label[200];
};

/* The i-th graph for a row, its fractions in this dtype; false: the row has no more. row_case_free after true. */
bool row_case_make(struct row_case *c, int op, int i, cr_dtype fractions);
void row_case_free(struct row_case *c);

/* Of an elementwise row: how many operands, and has it an attribute n? */
int row_arity(int op);
bool row_has_n(int op);
/* Numbers in (0, 1), spread: the fractional parts of multiples of the golden ratio. */
double row_spread(int i);
/* Element i of operand k: in the row's domain, and no two operands, nor an operand and 0, within 0.05 where a kink may be. */
double row_sample(int op, int k, int i);

#endif
