/* Where a matrix has entries: compressed rows, how they are found, and how few directions show them all. */
#ifndef GRAD_PATTERN_H
#define GRAD_PATTERN_H

#include "ops/build.h"

/* Row i has its entries in the columns column[start[i]] .. column[start[i+1] - 1], ascending. */
struct cr_pattern {
    struct mem mem;
    int64_t rows, columns;
    int64_t *start, *column;
    int64_t colours;
};

/* NULL: out of memory. */
cr_pattern *pattern_new(const struct mem *m, int64_t rows, int64_t columns, int64_t count);
/* The one with this number among a graph's attributes. */
cr_pattern *pattern_noted(const cr_graph *g, uint32_t number);
/* Its transpose, whose rows ascend even where those of p do not. */
cr_pattern *pattern_transpose(const cr_pattern *p);
/* What is an entry of p or of its transpose. */
cr_pattern *pattern_symmetric(const cr_pattern *p);

/* Which elements of y depend on which of x, found node by node: an entry of [count y, count x] wherever a derivative may differ from
 * 0. NULL, with the graph's error. */
cr_pattern *pattern_find(const char *what, cr_node y, cr_node x);

/* Colours of the rows of p, such that no two of a colour have an entry in one column; t is p's transpose. Their number, or -1: out of
 * memory. */
int64_t colour_rows(const cr_pattern *p, const cr_pattern *t, int64_t colour[]);
/* Colours of the rows of a symmetric p, such that neighbours differ and no path of four has two colours: each entry is then seen
 * alone from one of its ends. at[e]: from where entry e is read, colour * rows + row. Their number, or -1. */
int64_t colour_star(const cr_pattern *p, int64_t colour[], int64_t at[]);

#endif
