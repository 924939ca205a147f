/* Columns of numbers with names, while they are read. */
#ifndef FILE_TABLE_H
#define FILE_TABLE_H

#include "base/intern.h"
#include "chainrule.h"

/* The words of a column of categories, each a number from 1 on while the file is read; afterwards `order` says which is category k. */
struct category {
    struct intern names;
    uint32_t *order;
    size_t count, order_bytes;
    bool is, given; /* given: no other than those that were asked for */
};

struct cr_table {
    struct mem mem;
    struct intern names;
    uint32_t *name;
    struct category *category; /* by column; NULL: none has any */
    size_t category_bytes;
    size_t columns, name_cap;
    double *cell; /* column by column: the k-th starts at cell[k * stride]; NULL once given away */
    size_t rows, stride, bytes;
    bool given;
};

cr_table *table_new(const struct mem *mem); /* NULL: out of memory */
/* CR_EFORMAT if there is one of this name. */
cr_status table_add(cr_table *t, const char *name, size_t n);
/* Room for so many rows, once all columns are there. */
bool table_reserve(cr_table *t, size_t rows);
/* A column of categories: those given in their order, or, without any, what is found, in the order of its bytes, whole numbers by value. CR_ENAME: there is no
 * such column; CR_EINVAL: a category is given twice. Once all columns are there. */
cr_status table_categories(cr_table *t, const cr_categories *wish);
/* The number of a word in such a column while it is read: -1: not one of those given; -2: out of memory. */
double table_category(cr_table *t, size_t column, const char *s, size_t n);
/* Words as numbers from 0, once all rows are read. False: out of memory. */
bool table_number_categories(cr_table *t);
/* Gives back what no row took. */
void table_trim(cr_table *t);
/* All columns side by side, one row behind the other: of one column a vector. Gives the numbers away: in their place, so that
 * they are never there twice. CR_EINVAL: they are given away already. */
cr_status table_take(cr_array **out, cr_table *t);

#endif
