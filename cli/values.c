/* Values on the command line. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

void free_given(struct given *g) {
    for (struct given *next; g; g = next) {
        next = g->next;
        cr_array_free(g->array);
        free(g);
    }
}

const struct given *find_given(const struct given *g, const char *name) {
    for (; g; g = g->next)
        if (strlen(name) == g->name_size && memcmp(g->name, name, g->name_size) == 0) return g;
    return NULL;
}

/* One number by the formula language's own reading of numbers: the same in every locale. */
static bool read_one(const char *s, size_t n, double *x) {
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    char copy[64];
    bool ok = false;
    while (n && (*s == ' ' || *s == '\t')) s++, n--;
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
    bool plain = n > 0 && n < sizeof copy && strspn(s, "+-.0123456789eEinfa") >= n;
    if (plain) {
        memcpy(copy, s, n);
        copy[n] = 0;
        cr_node v = cr_formula(g, copy);
        ok = cr_ok(v) && cr_eval_new(&e, g, NULL) == CR_OK &&
             cr_eval_value(e, v, CR_F64, x, sizeof *x) == CR_OK;
    }
    cr_eval_free(e);
    cr_graph_free(g);
    return ok;
}

static void say(cr_text *why, const char *what, const char *s) {
    if (!why) return;
    cr_text_clear(why);
    cr_text_append(why, what);
    cr_text_append(why, ", found '");
    cr_text_append(why, s);
    cr_text_append(why, "'");
}

enum { most_rank = 8 };

/* Nested lists: sizes are those of the first element of each kind, and every other must have the same. */
struct lists {
    const char *s;
    int depth, rank;
    int64_t dim[most_rank], seen[most_rank];
    double *number;
    size_t n, cap;
};

static bool add_number(struct lists *l) {
    size_t n = strcspn(l->s, ",[]");
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        double *more = realloc(l->number, cap * sizeof *more);
        if (!more) return false;
        l->number = more;
        l->cap = cap;
    }
    if (l->rank >= 0 && l->rank != l->depth) return false;
    if (!read_one(l->s, n, &l->number[l->n])) return false;
    l->rank = l->depth;
    l->n++;
    l->s += n;
    return true;
}

static bool close_list(struct lists *l) {
    int k = --l->depth;
    if (l->dim[k] < 0) l->dim[k] = l->seen[k];
    l->s++;
    return l->dim[k] == l->seen[k];
}

static bool read_lists(struct lists *l) {
    for (int i = 0; i < most_rank; i++) l->dim[i] = -1;
    l->rank = -1;
    do {
        l->s += strspn(l->s, " \t");
        bool item = false;
        if (*l->s == '[') {
            if (l->depth == most_rank) return false;
            if (l->depth) l->seen[l->depth - 1]++;
            l->seen[l->depth++] = 0;
            l->s++;
        } else if (*l->s == ']') {
            if (!close_list(l)) return false;
            item = true;
        } else {
            if (!add_number(l)) return false;
            l->seen[l->depth - 1]++;
            item = true;
        }
        l->s += strspn(l->s, " \t");
        if (item && l->depth && *l->s == ',') l->s++;
        else if (item && l->depth && *l->s != ']') return false;
    } while (l->depth);
    return *l->s == 0;
}

static bool read_list(cr_array **out, const char *s) {
    struct lists l = {.s = s};
    bool ok = read_lists(&l);
    int rank = l.rank < 0 ? 1 : l.rank;
    if (l.rank < 0) l.dim[0] = 0;
    ok = ok && cr_array_new(out, NULL, CR_F64, rank, l.dim) == CR_OK && cr_array_count(*out) == (int64_t)l.n;
    if (ok && l.n) memcpy(cr_array_data(*out), l.number, l.n * sizeof *l.number);
    free(l.number);
    return ok;
}

/* The columns of a CSV file side by side: a matrix, or a vector if there is one. */
static bool read_table(cr_array **out, const char *path, cr_text *why) {
    cr_table *t = NULL;
    if (cr_csv_load(&t, path, NULL, why)) return false;
    int64_t rows = cr_table_rows(t), columns = cr_table_columns(t), dim[2] = {rows, columns};
    bool ok = cr_array_new(out, NULL, CR_F64, columns == 1 ? 1 : 2, dim) == CR_OK;
    for (int64_t k = 0; ok && k < columns; k++)
        for (int64_t i = 0; i < rows; i++)
            ((double *)cr_array_data(*out))[i * columns + k] = cr_table_column(t, (int)k)[i];
    cr_table_free(t);
    return ok;
}

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

bool read_value(cr_array **out, const char *s, cr_text *why) {
    *out = NULL;
    if (*s == '@' && ends_with(s, ".csv")) return read_table(out, s + 1, why);
    if (*s == '@') return cr_npy_load(out, s + 1, NULL, why) == CR_OK;
    if (*s == '[') {
        if (read_list(out, s)) return true;
        cr_array_free(*out);
        *out = NULL;
        return say(why, "expected a list of numbers, all rows alike, as in [[1, 2], [3, 4]]", s), false;
    }
    double x;
    if (!read_one(s, strlen(s), &x))
        return say(why, "expected a number, a list, @file.npy or @file.csv", s), false;
    if (cr_array_new(out, NULL, CR_F64, 0, NULL)) return false;
    *(double *)cr_array_data(*out) = x;
    return true;
}
