/* Columns of numbers with names. */
#include "file/table.h"

#include <string.h>

cr_table *table_new(const struct mem *mem) {
    cr_table *t = mem_zero(mem, sizeof *t);
    if (!t) return NULL;
    t->mem = *mem;
    if (intern_init(&t->names, mem)) return t;
    mem_free(mem, t, sizeof *t);
    return NULL;
}

void cr_table_free(cr_table *t) {
    if (!t) return;
    struct mem m = t->mem;
    intern_drop(&t->names);
    mem_free(&m, t->name, t->name_cap * sizeof *t->name);
    mem_free(&m, t->cell, t->bytes);
    mem_free(&m, t, sizeof *t);
}

cr_status table_add(cr_table *t, const char *name, size_t n) {
    if (intern_find(&t->names, name, n) != intern_none) return CR_EFORMAT;
    if (!mem_grow(&t->mem, &t->name, &t->name_cap, t->columns, sizeof *t->name)) return CR_ENOMEM;
    uint32_t i = intern_put(&t->names, name, n);
    if (i == intern_none) return CR_ENOMEM;
    t->name[t->columns++] = i;
    return CR_OK;
}

bool table_reserve(cr_table *t, size_t rows) {
    size_t bytes = mem_mul(mem_mul(t->columns, rows), sizeof *t->cell);
    t->cell = mem_alloc(&t->mem, bytes);
    if (!t->cell) return false;
    t->stride = rows;
    t->bytes = bytes;
    return true;
}

void table_trim(cr_table *t) {
    if (t->rows == t->stride || t->rows == 0) return;
    for (size_t k = 1; k < t->columns; k++)
        memmove(t->cell + k * t->rows, t->cell + k * t->stride, t->rows * sizeof *t->cell);
    t->stride = t->rows;
    size_t bytes = t->columns * t->rows * sizeof *t->cell;
    double *cell = mem_resize(&t->mem, t->cell, t->bytes, bytes);
    if (!cell) return; /* the old block serves as well */
    t->cell = cell;
    t->bytes = bytes;
}

int64_t cr_table_rows(const cr_table *t) { return t ? (int64_t)t->rows : 0; }
int cr_table_columns(const cr_table *t) { return t ? (int)t->columns : 0; }

static bool has(const cr_table *t, int column) { return column >= 0 && column < cr_table_columns(t); }

const char *cr_table_name(const cr_table *t, int column) {
    return has(t, column) ? intern_bytes(&t->names, t->name[column]) : NULL;
}

const double *cr_table_column(const cr_table *t, int column) {
    return has(t, column) ? t->cell + (size_t)column * t->stride : NULL;
}

int cr_table_find(const cr_table *t, const char *name) {
    for (int i = 0; name && i < cr_table_columns(t); i++)
        if (strcmp(cr_table_name(t, i), name) == 0) return i;
    return -1;
}
