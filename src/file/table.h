/* Columns of numbers with names, while they are read. */
#ifndef FILE_TABLE_H
#define FILE_TABLE_H

#include "base/intern.h"

struct cr_table {
    struct mem mem;
    struct intern names;
    uint32_t *name;
    size_t columns, name_cap;
    double *cell; /* column by column: the k-th starts at cell[k * stride] */
    size_t rows, stride, bytes;
};

cr_table *table_new(const struct mem *mem); /* NULL: out of memory */
/* CR_EFORMAT if there is one of this name. */
cr_status table_add(cr_table *t, const char *name, size_t n);
/* Room for so many rows, once all columns are there. */
bool table_reserve(cr_table *t, size_t rows);
/* Gives back what no row took. */
void table_trim(cr_table *t);

#endif
