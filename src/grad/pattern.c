/* Compressed rows. */
#include "grad/pattern.h"

#include <string.h>

#include "base/context.h"

static void drop(cr_pattern *p, int64_t count) {
    struct mem m = p->mem;
    mem_free(&m, p->start, ((size_t)p->rows + 1) * sizeof *p->start);
    mem_free(&m, p->column, ((size_t)count + 1) * sizeof *p->column);
    mem_free(&m, p, sizeof *p);
}

cr_pattern *pattern_new(const struct mem *m, int64_t rows, int64_t columns, int64_t count) {
    cr_pattern *p = mem_zero(m, sizeof *p);
    if (!p) return NULL;
    *p = (cr_pattern){.mem = *m, .rows = rows, .columns = columns};
    p->start = mem_zero(m, mem_mul((size_t)rows + 1, sizeof *p->start));
    if (p->start) p->start[rows] = count;
    p->column = mem_alloc(m, mem_mul((size_t)count + 1, sizeof *p->column));
    if (p->start && p->column) return p;
    drop(p, count);
    return NULL;
}

void cr_pattern_free(cr_pattern *p) {
    if (p) drop(p, p->start[p->rows]);
}

static bool pattern_good(int64_t rows, int64_t columns, const int64_t starts[], const int64_t indices[]) {
    if (rows < 0 || columns < 0 || !starts || starts[0] != 0) return false;
    for (int64_t i = 0; i < rows; i++) /* before any index is read */
        if (starts[i + 1] < starts[i] || starts[i + 1] - starts[i] > columns) return false;
    if (starts[rows] && !indices) return false;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t e = starts[i]; e < starts[i + 1]; e++)
            if (indices[e] < 0 || indices[e] >= columns || (e > starts[i] && indices[e] <= indices[e - 1]))
                return false;
    }
    return true;
}

static cr_pattern *copy(const struct mem *m, const struct graph_pattern *from) {
    int64_t count = from->start[from->rows];
    cr_pattern *p = pattern_new(m, from->rows, from->columns, count);
    if (!p) return NULL;
    p->colours = from->colours;
    memcpy(p->start, from->start, ((size_t)p->rows + 1) * sizeof *p->start);
    if (count) memcpy(p->column, from->column, (size_t)count * sizeof *p->column);
    return p;
}

cr_status cr_pattern_new(cr_pattern **out, cr_context *ctx, int64_t rows, int64_t columns,
                         const int64_t starts[], const int64_t indices[]) {
    if (!out) return CR_EINVAL;
    *out = NULL;
    if (!pattern_good(rows, columns, starts, indices)) return CR_EINVAL;
    struct mem m = context_mem(ctx);
    *out = copy(&m, &(struct graph_pattern){rows, columns, 0, starts, indices});
    return *out ? CR_OK : CR_ENOMEM;
}

cr_pattern *pattern_noted(const cr_graph *g, uint32_t number) {
    struct graph_pattern p = graph_pattern(g, number);
    return copy(&g->mem, &p);
}

cr_status cr_pattern_of(cr_pattern **out, cr_node values) {
    if (out) *out = NULL;
    if (!out || !graph_get(values)) return CR_EINVAL;
    uint32_t number = graph_find_pattern(values.graph, values.id);
    if (number) *out = pattern_noted(values.graph, number);
    return number && !*out ? CR_ENOMEM : CR_OK;
}

int64_t cr_pattern_rows(const cr_pattern *p) { return p ? p->rows : 0; }
int64_t cr_pattern_columns(const cr_pattern *p) { return p ? p->columns : 0; }
int64_t cr_pattern_count(const cr_pattern *p) { return p ? p->start[p->rows] : 0; }
int64_t cr_pattern_colours(const cr_pattern *p) { return p ? p->colours : 0; }
const int64_t *cr_pattern_row_starts(const cr_pattern *p) { return p ? p->start : NULL; }
const int64_t *cr_pattern_column_indices(const cr_pattern *p) { return p ? p->column : NULL; }

/* Rows visited in order leave each column's entries in order. */
cr_pattern *pattern_transpose(const cr_pattern *p) {
    int64_t count = p->start[p->rows];
    cr_pattern *t = pattern_new(&p->mem, p->columns, p->rows, count);
    if (!t) return NULL;
    for (int64_t e = 0; e < count; e++) t->start[p->column[e]]++;
    for (int64_t c = 0, at = 0; c < t->rows; c++) {
        int64_t n = t->start[c];
        t->start[c] = at, at += n;
    }
    t->start[t->rows] = count;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t e = p->start[r]; e < p->start[r + 1]; e++) t->column[t->start[p->column[e]]++] = r;
    if (t->rows) memmove(t->start + 1, t->start, (size_t)(t->rows - 1) * sizeof *t->start), t->start[0] = 0;
    return t;
}

/* The next column of either row; both move past it. */
static int64_t merge(const cr_pattern *p, int64_t *e, const cr_pattern *t, int64_t *f, int64_t r) {
    int64_t a = *e < p->start[r + 1] ? p->column[*e] : INT64_MAX,
            b = *f < t->start[r + 1] ? t->column[*f] : INT64_MAX;
    *e += a <= b && a != INT64_MAX, *f += b <= a && b != INT64_MAX;
    return a < b ? a : b;
}

cr_pattern *pattern_symmetric(const cr_pattern *p) {
    cr_pattern *t = pattern_transpose(p), *both = NULL;
    for (int pass = 0; t && pass < 2; pass++) { /* counts, then writes */
        int64_t n = 0;
        for (int64_t r = 0; r < p->rows; r++) {
            if (both) both->start[r] = n;
            for (int64_t e = p->start[r], f = t->start[r], c; (c = merge(p, &e, t, &f, r)) != INT64_MAX; n++)
                if (both) both->column[n] = c;
        }
        if (!both && !(both = pattern_new(&p->mem, p->rows, p->columns, n))) break;
    }
    cr_pattern_free(t);
    return both;
}
