/* Nodes as lines of text. */
#ifndef RUN_PRINT_H
#define RUN_PRINT_H

#include "run/program.h"

/* A number, repeated or not? */
bool print_is_number(cr_graph *g, uint32_t id, double *value);
/* A node's name; of a number that number; else its place in the program's own graph. */
void print_node(cr_text *out, cr_graph *g, uint32_t id);
/* Its op, operands, dtype and shape too. */
void print_line(cr_text *out, cr_graph *g, uint32_t id);

#endif
