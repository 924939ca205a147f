/* Columns of numbers with names. */
#include "file/table.h"

#include <string.h>

#include "base/sort.h"
#include "tensor/array.h"

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
    for (size_t k = 0; t->category && k < t->columns; k++) {
        struct category *c = &t->category[k];
        mem_free(&m, c->order, c->order_bytes);
        if (c->is) intern_drop(&c->names);
    }
    mem_free(&m, t->category, t->category_bytes);
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

/* ---- Rows of columns ---- */

/* A matrix is made of the columns where they stand, in blocks of n rows; `across` of them are a column, but for the last few rows. */
struct turning {
    double *cell, *room;  /* room: two blocks of all columns */
    unsigned char *moved; /* a bit for each block of a column */
    size_t n, columns, across;
};

/* The block at i * across + j goes to j * columns + i: each moves once, along the cycles of this permutation. */
static void follow(const struct turning *t, size_t from) {
    size_t bytes = t->n * sizeof *t->cell, at = from;
    double *hand = t->room, *other = t->room + t->n;
    memcpy(hand, t->cell + at * t->n, bytes);
    do {
        at = at % t->across * t->columns + at / t->across;
        memcpy(other, t->cell + at * t->n, bytes);
        memcpy(t->cell + at * t->n, hand, bytes);
        memcpy(hand, other, bytes);
        t->moved[at / 8] |= (unsigned char)(1u << at % 8);
    } while (at != from);
}

/* rows of columns that are `stride` apart. */
static void turn(double *to, const double *cell, size_t rows, size_t columns, size_t stride) {
    for (size_t k = 0; k < columns; k++)
        for (size_t i = 0; i < rows; i++) to[i * columns + k] = cell[k * stride + i];
}

static void turn_all(const struct turning *t, size_t stride, size_t rest) {
    size_t block = t->n * t->columns, whole = t->n * t->across;
    double *last = t->room + block;
    turn(last, t->cell + whole, rest, t->columns, stride);
    for (size_t k = 1; k < t->columns; k++)
        memmove(t->cell + k * whole, t->cell + k * stride, whole * sizeof *t->cell);
    for (size_t i = 0; i < t->columns * t->across; i++)
        if (!(t->moved[i / 8] & 1u << i % 8)) follow(t, i);
    for (size_t i = 0; i < t->across; i++) {
        turn(t->room, t->cell + i * block, t->n, t->columns, t->n);
        memcpy(t->cell + i * block, t->room, block * sizeof *t->cell);
    }
    memcpy(t->cell + t->across * block, last, rest * t->columns * sizeof *t->cell);
}

static cr_status make_matrix(cr_table *t) {
    enum { block_numbers = 1 << 14, rows_least = 16 }; /* 128 KiB of all columns stay in a cache */
    size_t n = block_numbers / t->columns > rows_least ? block_numbers / t->columns : rows_least;
    if (n > t->rows) n = t->rows ? t->rows : 1;
    struct turning b = {.cell = t->cell, .n = n, .columns = t->columns, .across = t->rows / n};
    size_t room = mem_mul(mem_mul(2 * n, t->columns), sizeof *b.room), bits = t->columns * b.across / 8 + 1;
    b.room = mem_alloc(&t->mem, room);
    b.moved = mem_zero(&t->mem, bits);
    bool ok = b.room && b.moved;
    if (ok) turn_all(&b, t->stride, t->rows - b.across * n);
    mem_free(&t->mem, b.room, room);
    mem_free(&t->mem, b.moved, bits);
    return ok ? CR_OK : CR_ENOMEM;
}

cr_status table_take(cr_array **out, cr_table *t) {
    int64_t dim[2] = {(int64_t)t->rows, (int64_t)t->columns};
    if (t->given) return CR_EINVAL;
    cr_status status = t->columns > 1 ? make_matrix(t) : CR_OK;
    if (!status) t->given = true; /* its columns are none any more, come what may */
    if (!status) status = array_adopt(out, &t->mem, CR_F64, t->columns == 1 ? 1 : 2, dim, t->cell, t->bytes);
    if (!status) t->cell = NULL;
    return status;
}

/* ---- Categories ---- */

cr_status table_categories(cr_table *t, const cr_categories *wish) {
    int k = cr_table_find(t, wish->column);
    if (k < 0) return CR_ENAME;
    size_t bytes = mem_mul(t->columns, sizeof *t->category);
    if (!t->category) t->category = mem_zero(&t->mem, bytes), t->category_bytes = bytes;
    if (!t->category) return t->category_bytes = 0, CR_ENOMEM;
    struct category *c = &t->category[k];
    if (c->is) return CR_EINVAL;
    if (!intern_init(&c->names, &t->mem)) return CR_ENOMEM;
    c->is = true;
    c->given = wish->count > 0;
    for (int i = 0; i < wish->count; i++) {
        const char *s = wish->names[i];
        if (!*s || intern_find(&c->names, s, strlen(s)) != intern_none) return CR_EINVAL;
        if (intern_put(&c->names, s, strlen(s)) == intern_none) return CR_ENOMEM;
    }
    return CR_OK;
}

double table_category(cr_table *t, size_t column, const char *s, size_t n) {
    struct category *c = &t->category[column];
    uint32_t i = c->given ? intern_find(&c->names, s, n) : intern_put(&c->names, s, n);
    return i != intern_none ? (double)i : c->given ? -1 : -2;
}

struct words {
    const struct intern *names;
    uint32_t *order;
};

/* Whole numbers first, by value: "10" behind "9"; words by their bytes. */
static bool before(const void *self, size_t i, size_t k) {
    const struct words *w = self;
    uint32_t a = w->order[i], b = w->order[k];
    const char *s = intern_bytes(w->names, a), *t = intern_bytes(w->names, b);
    size_t n = intern_size(w->names, a), m = intern_size(w->names, b);
    bool s_number = strspn(s, "0123456789") == n, t_number = strspn(t, "0123456789") == m;
    if (s_number != t_number) return s_number;
    if (s_number && n != m) return n < m;
    int way = memcmp(s, t, n < m ? n : m);
    return way < 0 || (way == 0 && n < m);
}

static void swap(void *self, size_t i, size_t k) {
    const struct words *w = self;
    uint32_t other = w->order[i];
    w->order[i] = w->order[k], w->order[k] = other;
}

static bool number_column(cr_table *t, size_t column) {
    struct category *c = &t->category[column];
    double *cell = t->cell + column * t->stride;
    c->count = c->names.n - 1; /* entry 0 is the empty word */
    c->order_bytes = mem_mul(c->count + 1, sizeof *c->order);
    c->order = mem_alloc(&t->mem, c->order_bytes);
    size_t rank_bytes = mem_mul(c->names.n, sizeof(uint32_t));
    uint32_t *rank = mem_alloc(&t->mem, rank_bytes);
    if (!c->order) c->order_bytes = 0;
    if (c->order && rank) {
        for (size_t i = 0; i < c->count; i++) c->order[i] = (uint32_t)i + 1;
        if (!c->given)
            sort_heap(&(struct sorting){&(struct words){&c->names, c->order}, before, swap}, c->count);
        for (size_t i = 0; i < c->count; i++) rank[c->order[i]] = (uint32_t)i;
        for (size_t i = 0; i < t->rows; i++) cell[i] = (double)rank[(size_t)cell[i]];
    }
    bool ok = c->order && rank;
    mem_free(&t->mem, rank, rank_bytes);
    return ok;
}

bool table_number_categories(cr_table *t) {
    for (size_t k = 0; t->category && k < t->columns; k++)
        if (t->category[k].is && !number_column(t, k)) return false;
    return true;
}

const char *cr_table_category(const cr_table *t, int column, int64_t k) {
    if (column < 0 || column >= cr_table_columns(t) || !t->category) return NULL;
    const struct category *c = &t->category[column];
    return c->order && k >= 0 && (uint64_t)k < c->count ? intern_bytes(&c->names, c->order[k]) : NULL;
}

/* ---- What it holds ---- */

int64_t cr_table_rows(const cr_table *t) { return t ? (int64_t)t->rows : 0; }
int cr_table_columns(const cr_table *t) { return t ? (int)t->columns : 0; }

static bool has(const cr_table *t, int column) { return column >= 0 && column < cr_table_columns(t); }

const char *cr_table_name(const cr_table *t, int column) {
    return has(t, column) ? intern_bytes(&t->names, t->name[column]) : NULL;
}

const double *cr_table_column(const cr_table *t, int column) {
    return has(t, column) && !t->given ? t->cell + (size_t)column * t->stride : NULL;
}

int cr_table_find(const cr_table *t, const char *name) {
    for (int i = 0; name && i < cr_table_columns(t); i++)
        if (strcmp(cr_table_name(t, i), name) == 0) return i;
    return -1;
}
