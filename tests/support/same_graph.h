/* Graphs compared node by node. */
#ifndef SUPPORT_SAME_GRAPH_H
#define SUPPORT_SAME_GRAPH_H

#include "chainrule.h"

/* All that has a name in a, and the result (an error node: none), is in b the same: ops, dtypes, shapes, attributes, constants, initial
 * values, functions; what is one node is one. */
void assert_same_graph(cr_graph *a, cr_node result, cr_graph *b, cr_node found, const char *what);
/* The graph of this model, whose size n is 3. */
void read_model(cr_node *result, cr_graph *g, const char *text);
/* Written as a model and read again, the graph is the same. Gives the text: to be freed. */
cr_text *assert_reads_back(cr_graph *g, cr_node result, const char *what);
/* A model is written so (NULL: in whatever way), and read again is the same graph. */
void assert_written(const char *model, const char *expected);

#endif
