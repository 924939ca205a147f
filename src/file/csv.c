/* CSV: columns of numbers with names. Separated by commas, semicolons, tabs or blanks, whichever the first
 * line has; quoted cells; lines end as they like; a byte order mark, empty lines and lines that start with #
 * are passed over; an empty cell or NA is nan. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/intern.h"
#include "file/csv.h"

enum { most_columns = 100000, shown = 40 };

struct cr_table {
    struct mem mem;
    struct intern names;
    uint32_t *name;
    int columns, column_cap;
    double *cell; /* row by row while reading, then column by column */
    size_t cells, cap;
    int64_t rows;
};

void cr_table_free(cr_table *t) {
    if (!t) return;
    struct mem m = t->mem;
    intern_drop(&t->names);
    mem_free(&m, t->name, (size_t)t->column_cap * sizeof *t->name);
    mem_free(&m, t->cell, t->cap * sizeof *t->cell);
    mem_free(&m, t, sizeof *t);
}

int64_t cr_table_rows(const cr_table *t) { return t ? t->rows : 0; }
int cr_table_columns(const cr_table *t) { return t ? t->columns : 0; }

const char *cr_table_name(const cr_table *t, int column) {
    return t && column >= 0 && column < t->columns ? intern_bytes(&t->names, t->name[column]) : NULL;
}

const double *cr_table_column(const cr_table *t, int column) {
    return t && column >= 0 && column < t->columns ? t->cell + (size_t)column * (size_t)t->rows : NULL;
}

int cr_table_find(const cr_table *t, const char *name) {
    for (int i = 0; name && i < cr_table_columns(t); i++)
        if (strcmp(cr_table_name(t, i), name) == 0) return i;
    return -1;
}

/* ---- Reading ---- */

struct csv {
    const char *s, *end, *path;
    char separator; /* ' ': any run of blanks */
    int64_t line;
    cr_text *why;
    cr_table *t;
};

static char guess_separator(const char *s, const char *end) {
    static const char candidates[] = "\t;,";
    for (const char *c = candidates; *c; c++) {
        bool quoted = false;
        for (const char *p = s; p < end && *p != '\n' && *p != '\r'; p++) {
            quoted = quoted != (*p == '"');
            if (*p == *c && !quoted) return *c;
        }
    }
    return ' ';
}

static bool blank(const struct csv *c, char x) { return x == ' ' || (x == '\t' && c->separator != '\t'); }

static bool line_ends(const struct csv *c) { return c->s >= c->end || *c->s == '\n' || *c->s == '\r'; }

static void next_line(struct csv *c) {
    if (c->s < c->end) c->s += *c->s == '\r' && c->end - c->s > 1 && c->s[1] == '\n' ? 2 : 1;
    c->line++;
}

/* To the start of the next line that holds something. */
static bool find_line(struct csv *c) {
    while (c->s < c->end) {
        const char *p = c->s;
        while (p < c->end && blank(c, *p)) p++;
        if (p < c->end && *p != '\n' && *p != '\r' && *p != '#') return true;
        while (!line_ends(c)) c->s++;
        next_line(c);
    }
    return false;
}

struct cell {
    const char *s;
    size_t n;
    bool quoted, open; /* open: a quote without its end */
};

static struct cell quoted_cell(struct csv *c) {
    struct cell cell = {.s = ++c->s, .quoted = true};
    while (c->s < c->end && !(*c->s == '"' && (c->end - c->s == 1 || c->s[1] != '"')))
        c->s += *c->s == '"' ? 2 : 1;
    cell.n = (size_t)(c->s - cell.s);
    cell.open = c->s >= c->end;
    if (!cell.open) c->s++;
    while (!line_ends(c) && blank(c, *c->s)) c->s++;
    return cell;
}

/* A cell; *more says whether another follows on the line. */
static struct cell read_cell(struct csv *c, bool *more) {
    while (!line_ends(c) && blank(c, *c->s)) c->s++;
    struct cell cell = {.s = c->s};
    if (!line_ends(c) && *c->s == '"') cell = quoted_cell(c);
    else {
        while (!line_ends(c) && (c->separator == ' ' ? !blank(c, *c->s) : *c->s != c->separator)) c->s++;
        cell.n = (size_t)(c->s - cell.s);
        while (cell.n && blank(c, cell.s[cell.n - 1])) cell.n--;
    }
    if (c->separator == ' ')
        while (!line_ends(c) && blank(c, *c->s)) c->s++;
    *more = !line_ends(c);
    if (*more && *c->s == c->separator) c->s++;
    return cell;
}

static bool is_word(const struct cell *cell, const char *word) {
    size_t n = strlen(word);
    if (cell->n != n) return false;
    for (size_t i = 0; i < n; i++)
        if ((cell->s[i] | 0x20) != word[i]) return false;
    return true;
}

static bool cell_number(const struct cell *cell, double *x) {
    struct cell rest = *cell;
    bool minus = rest.n && *rest.s == '-';
    if (rest.n && (*rest.s == '-' || *rest.s == '+')) rest.s++, rest.n--;
    if (is_word(&rest, "inf") || is_word(&rest, "infinity")) return *x = minus ? -INFINITY : INFINITY, true;
    if (cell->n == 0 || is_word(cell, "na") || is_word(&rest, "nan") || is_word(cell, "null"))
        return *x = NAN, true;
    if (text_parse_number(rest.s, rest.n, x) != rest.n || rest.n == 0) return false;
    if (minus) *x = -*x;
    return true;
}

static void show(const struct cell *cell, char *out) {
    size_t n = cell->n < shown ? cell->n : shown;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)cell->s[i] < 0x20 || cell->s[i] == 0x7f ? '?' : cell->s[i];
    memcpy(out + n, cell->n > n ? "..." : "", cell->n > n ? 4 : 1);
}

static cr_status add_name(struct csv *c, const char *s, size_t n) {
    cr_table *t = c->t;
    if (t->columns == most_columns)
        return file_fail(c->why, CR_ELIMIT, c->path, "more than %d columns", most_columns);
    size_t cap = (size_t)t->column_cap;
    bool room = mem_grow(&t->mem, &t->name, &cap, (size_t)t->columns, sizeof *t->name);
    t->column_cap = (int)cap;
    uint32_t name = room ? intern_put(&t->names, s, n) : intern_none;
    if (name == intern_none) return file_fail(c->why, CR_ENOMEM, c->path, "out of memory");
    for (int i = 0; i < t->columns; i++)
        if (t->name[i] == name)
            return file_fail(c->why, CR_EFORMAT, c->path, "two columns are called '%.40s'",
                             (const char *)intern_bytes(&t->names, name));
    t->name[t->columns++] = name;
    return CR_OK;
}

/* The names in the first line; without any that is no number, c1, c2 ... and the line is data. */
static cr_status read_header(struct csv *c) {
    struct csv ahead = *c;
    bool more = true, header = false;
    double x;
    while (more) {
        struct cell cell = read_cell(&ahead, &more);
        header = header || cell.quoted || !cell_number(&cell, &x);
    }
    for (more = true; more;) {
        struct cell cell = read_cell(c, &more);
        struct cr_text t = text_make(&c->t->mem);
        if (memchr(cell.s, 0, cell.n))
            return file_fail(c->why, CR_EFORMAT, c->path, "a NUL byte in the header: this is no CSV file");
        if (header && cell.n) text_bytes(&t, cell.s, cell.n);
        else text_add(&t, "c%d", c->t->columns + 1);
        cr_status status = t.failed ? CR_ENOMEM : add_name(c, cr_text_str(&t), t.n);
        text_drop(&t);
        if (status) return status;
    }
    if (header) next_line(c);
    else c->s = NULL; /* the line is data: read again */
    return CR_OK;
}

static cr_status bad_cell(struct csv *c, const struct cell *cell, int column) {
    char found[shown + 4];
    show(cell, found);
    if (cell->open)
        return file_fail(c->why, CR_EFORMAT, c->path, "line %lld: a quote is not closed", (long long)c->line);
    bool comma = c->separator == ';' && memchr(cell->s, ',', cell->n);
    return file_fail(c->why, CR_EFORMAT, c->path,
                     "line %lld, column '%.60s': expected a number, found '%s'%s", (long long)c->line,
                     cr_table_name(c->t, column), found, comma ? " (write the decimal point as '.')" : "");
}

static cr_status read_row(struct csv *c) {
    cr_table *t = c->t;
    bool more = true;
    int column = 0;
    double x;
    for (; more; column++) {
        struct cell cell = read_cell(c, &more);
        if (cell.open || (column < t->columns && !cell_number(&cell, &x)))
            return bad_cell(c, &cell, column < t->columns ? column : 0);
        if (column >= t->columns) continue;
        if (!mem_grow(&t->mem, &t->cell, &t->cap, t->cells, sizeof x))
            return file_fail(c->why, CR_ENOMEM, c->path, "out of memory");
        t->cell[t->cells++] = x;
    }
    if (column != t->columns)
        return file_fail(c->why, CR_EFORMAT, c->path, "line %lld has %d cells where the first has %d",
                         (long long)c->line, column, t->columns);
    t->rows++;
    next_line(c);
    return CR_OK;
}

/* Row by row becomes column by column. */
static bool transpose(cr_table *t) {
    double *cell = mem_alloc(&t->mem, mem_mul(t->cells, sizeof *cell));
    if (!cell) return false;
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t k = 0; k < t->columns; k++) cell[k * t->rows + i] = t->cell[i * t->columns + k];
    mem_free(&t->mem, t->cell, t->cap * sizeof *cell);
    t->cell = cell;
    t->cap = t->cells;
    return true;
}

static cr_status parse(struct csv *c) {
    if (!find_line(c)) return file_fail(c->why, CR_EFORMAT, c->path, "holds no data");
    c->separator = guess_separator(c->s, c->end);
    const char *first = c->s;
    cr_status status = read_header(c);
    if (!status && !c->s) c->s = first;
    while (!status && find_line(c)) status = read_row(c);
    if (status) return status;
    return transpose(c->t) ? CR_OK : file_fail(c->why, CR_ENOMEM, c->path, "out of memory");
}

cr_status file_csv_parse(cr_table **out, const char *s, size_t n, const char *path, const struct mem *mem,
                         cr_text *why) {
    cr_table *t = mem_zero(mem, sizeof *t);
    *out = NULL;
    if (!t) return file_fail(why, CR_ENOMEM, path, "out of memory");
    t->mem = *mem;
    if (n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) s += 3, n -= 3;
    struct csv c = {.s = s, .end = s + n, .path = path, .separator = ',', .line = 1, .why = why, .t = t};
    cr_status status = intern_init(&t->names, mem) ? parse(&c) : CR_ENOMEM;
    if (status) cr_table_free(t);
    else *out = t;
    return status;
}

enum { most_gib = 4 }; /* of a text file that is read as a whole */

cr_status cr_csv_load(cr_table **out, const char *path, cr_context *ctx, cr_text *why) {
    struct bytes b;
    struct mem mem = context_mem(ctx);
    if (out) *out = NULL;
    if (!out || !path) return CR_EINVAL;
    cr_status status = file_read(&b, path, (size_t)most_gib << 30, &mem, why);
    if (status) return status;
    status = file_csv_parse(out, b.s, b.n, path, &mem, why);
    file_drop(&b);
    return status;
}
