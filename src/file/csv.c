/* CSV: columns of numbers with names.
 *
 * Separated by tabs, semicolons, commas or blanks: the first of these that the first line has. Cells may be
 * quoted, with a quote inside doubled; blanks around them don't count. Lines end in LF, CR LF or CR, the last
 * one as it likes. A byte order mark, empty lines and lines that begin with # are passed over. A cell is a
 * number with '.' as decimal point, inf, or nan, NA, null or nothing, which are nan; words in any case. A
 * decimal comma is refused with a hint: 1,234 may mean either of two numbers. In a column of categories, which must be asked for,
 * a cell is a word, whatever it is but nothing. */
#include "file/csv.h"

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "file/gzip.h"
#include "file/table.h"

/* Beyond, a file is transposed or no table. */
enum { most_columns = 100000 };

struct csv {
    const char *s, *end, *path;
    char separator;       /* ' ': any run of blanks */
    int64_t line, header; /* from 1; header: the line that says how many cells there are */
    cr_text *why;
    cr_table *t;
};

static cr_status no_memory(const struct csv *c) {
    return file_fail(c->why, CR_ENOMEM, c->path, "out of memory");
}

/* ---- Lines ---- */

static bool blank(const struct csv *c, char x) { return x == ' ' || (x == '\t' && c->separator != '\t'); }

static void skip_blanks(struct csv *c) {
    while (c->s < c->end && blank(c, *c->s)) c->s++;
}

static bool line_ends(const struct csv *c) { return c->s >= c->end || *c->s == '\n' || *c->s == '\r'; }

static void next_line(struct csv *c) {
    if (c->s < c->end) c->s += *c->s == '\r' && c->end - c->s > 1 && c->s[1] == '\n' ? 2 : 1;
    c->line++;
}

/* To the next line that holds something. */
static bool find_line(struct csv *c) {
    while (c->s < c->end) {
        skip_blanks(c);
        if (!line_ends(c) && *c->s != '#') return true;
        while (!line_ends(c)) c->s++;
        next_line(c);
    }
    return false;
}

static size_t count_lines(const char *s, const char *end) {
    size_t n = 1;
    for (const char *p = s; (p = memchr(p, '\n', (size_t)(end - p))); p++) n++;
    for (const char *p = s; (p = memchr(p, '\r', (size_t)(end - p))); p++) n += p + 1 == end || p[1] != '\n';
    return n;
}

static char find_separator(const char *s, const char *end) {
    static const char candidates[] = "\t;,";
    for (const char *c = candidates; *c; c++) {
        bool quoted = false;
        for (const char *p = s; p < end && (quoted || (*p != '\n' && *p != '\r')); p++) {
            quoted = quoted != (*p == '"');
            if (*p == *c && !quoted) return *c;
        }
    }
    return ' ';
}

/* ---- Cells ---- */

struct cell {
    const char *s;
    size_t n;
    bool quoted, last;
};

static void trim(const struct csv *c, struct cell *cell) {
    while (cell->n && blank(c, *cell->s)) cell->s++, cell->n--;
    while (cell->n && blank(c, cell->s[cell->n - 1])) cell->n--;
}

/* Behind a cell: at a separator or at the end of the line. */
static bool cell_ends(struct csv *c) {
    if (c->separator == ' ') return line_ends(c) || blank(c, *c->s);
    skip_blanks(c);
    return line_ends(c) || *c->s == c->separator;
}

/* From there to the next cell; false when there is none. */
static bool next_cell(struct csv *c) {
    skip_blanks(c);
    if (line_ends(c)) return false;
    if (*c->s == c->separator) c->s++;
    return true;
}

static cr_status quoted_cell(struct csv *c, struct cell *cell) {
    int64_t line = c->line;
    cell->quoted = true;
    cell->s = ++c->s;
    while (c->s < c->end && !(*c->s == '"' && (c->end - c->s == 1 || c->s[1] != '"'))) {
        if (*c->s == '"') c->s++;
        else if (line_ends(c)) c->line += *c->s == '\n' || c->end - c->s == 1 || c->s[1] != '\n';
        c->s++;
    }
    if (c->s >= c->end)
        return file_fail(c->why, CR_EFORMAT, c->path,
                         "line %lld: a quote is opened, but not closed: close it, or leave it out",
                         (long long)line);
    cell->n = (size_t)(c->s++ - cell->s);
    if (cell_ends(c)) return CR_OK;
    return file_fail(c->why, CR_EFORMAT, c->path,
                     "line %lld: expected a separator after the closing quote, found '%s'",
                     (long long)c->line, file_show(c->s, (size_t)(c->end - c->s)).s);
}

static void bare_cell(struct csv *c, struct cell *cell) {
    cell->s = c->s;
    while (!line_ends(c) && (c->separator == ' ' ? !blank(c, *c->s) : *c->s != c->separator)) c->s++;
    cell->n = (size_t)(c->s - cell->s);
}

static cr_status read_cell(struct csv *c, struct cell *cell) {
    cr_status status = CR_OK;
    *cell = (struct cell){0};
    skip_blanks(c);
    if (!line_ends(c) && *c->s == '"') status = quoted_cell(c, cell);
    else bare_cell(c, cell);
    trim(c, cell);
    cell->last = !next_cell(c);
    return status;
}

static bool is_word(const struct cell *cell, const char *word) {
    if (cell->n != strlen(word)) return false;
    for (size_t i = 0; i < cell->n; i++)
        if ((cell->s[i] | 0x20) != word[i]) return false;
    return true;
}

static bool cell_number(const struct cell *cell, double *x) {
    struct cell rest = *cell;
    bool minus = rest.n && *rest.s == '-';
    if (rest.n && (*rest.s == '-' || *rest.s == '+')) rest.s++, rest.n--;
    if (cell->n == 0 || is_word(cell, "na") || is_word(cell, "null") || is_word(&rest, "nan")) *x = NAN;
    else if (is_word(&rest, "inf") || is_word(&rest, "infinity")) *x = INFINITY;
    else if (rest.n == 0 || text_parse_number(rest.s, rest.n, x) != rest.n) return false;
    if (minus) *x = -*x;
    return true;
}

/* What nearly all cells are: a plain number. False, and nothing read, for any other. */
static bool read_plain(struct csv *c, double *x, bool *last) {
    struct csv ahead = *c;
    skip_blanks(&ahead);
    bool minus = ahead.s < ahead.end && *ahead.s == '-';
    ahead.s += minus;
    size_t n = text_parse_number(ahead.s, (size_t)(ahead.end - ahead.s), x);
    ahead.s += n;
    if (!n || !cell_ends(&ahead)) return false;
    *last = !next_cell(&ahead);
    c->s = ahead.s;
    if (minus) *x = -*x;
    return true;
}

/* ---- Rows ---- */

static cr_status bad_cell(const struct csv *c, const struct cell *cell, size_t column) {
    const char *name = cr_table_name(c->t, (int)column), *first = cell->s;
    bool comma = memchr(cell->s, ',', cell->n), word = (*first | 0x20) >= 'a' && (*first | 0x20) <= 'z';
    bool date = cell->n > 6 && (memchr(cell->s + 1, '-', cell->n - 1) || memchr(cell->s, '/', cell->n) ||
                                memchr(cell->s, ':', cell->n));
    bool title = word && comma && c->separator == ' '; /* above the names, without what parts them */
    return file_fail(
        c->why, CR_EFORMAT, c->path, "line %lld, column '%s': expected a number, found '%s'%s",
        (long long)c->line, file_show(name, strlen(name)).s, file_show(cell->s, cell->n).s,
        title   ? " (line 1 parts its names by blanks: is it a title? leave it out, or begin it with #)"
        : comma ? " (write the decimal point as '.', and thousands without a sign)"
        : word  ? " (a column of words is read as one of categories)"
        : date  ? " (a column of dates is read as one of categories)"
                : ": mend that cell, or leave out that line");
}

/* Without the doubling of quotes. */
static void cell_text(struct cr_text *out, const struct cell *cell) {
    for (size_t i = 0; i < cell->n; i++) {
        text_char(out, cell->s[i]);
        if (cell->quoted && cell->s[i] == '"') i++;
    }
}

static cr_status bad_category(const struct csv *c, const struct cell *cell, size_t column) {
    const char *name = cr_table_name(c->t, (int)column);
    return file_fail(c->why, CR_EFORMAT, c->path, "line %lld, column '%s': expected %s, found '%s'",
                     (long long)c->line, file_show(name, strlen(name)).s,
                     cell->n ? "one of the categories given" : "a category", file_show(cell->s, cell->n).s);
}

static cr_status read_category(struct csv *c, size_t column, double *x, bool *last) {
    struct cell cell;
    cr_status status = read_cell(c, &cell);
    *last = cell.last;
    if (status) return status;
    struct cr_text word = text_make(&c->t->mem);
    cell_text(&word, &cell);
    *x = word.failed ? -2 : word.n ? table_category(c->t, column, cr_text_str(&word), word.n) : -1;
    text_drop(&word);
    return *x == -2 ? no_memory(c) : *x == -1 ? bad_category(c, &cell, column) : CR_OK;
}

static cr_status read_number(struct csv *c, size_t column, double *x, bool *last) {
    struct cell cell;
    bool category = c->t->category && column < c->t->columns && c->t->category[column].is;
    if (category) return read_category(c, column, x, last);
    if (read_plain(c, x, last)) return CR_OK;
    cr_status status = read_cell(c, &cell);
    *last = cell.last;
    if (status || column >= c->t->columns || cell_number(&cell, x)) return status;
    return bad_cell(c, &cell, column);
}

static cr_status read_row(struct csv *c) {
    cr_table *t = c->t;
    int64_t line = c->line;
    size_t k = 0;
    double x = 0;
    for (bool last = false; !last; k++) {
        cr_status status = read_number(c, k, &x, &last);
        if (status) return status;
        if (k < t->columns) t->cell[k * t->stride + t->rows] = x;
    }
    if (k != t->columns)
        return file_fail(
            c->why, CR_EFORMAT, c->path,
            "line %lld has %zu cell%s, expected %zu as in line %lld: complete or leave out that line",
            (long long)line, k, k == 1 ? "" : "s", t->columns, (long long)c->header);
    t->rows++;
    next_line(c);
    return CR_OK;
}

/* ---- The first line ---- */

static cr_status is_header(struct csv ahead, bool *header) {
    struct cell cell = {0};
    double x;
    *header = false;
    while (!cell.last) {
        cr_status status = read_cell(&ahead, &cell);
        if (status) return status;
        *header = *header || !cell_number(&cell, &x);
    }
    return CR_OK;
}

static bool is_utf8(const char *s, size_t n) {
    for (const char *end = s + n; s < end;) {
        size_t wide = text_character(s, end);
        if (!wide) return false;
        s += wide;
    }
    return true;
}

static cr_status add_column(struct csv *c, const struct cr_text *name) {
    const char *s = cr_text_str(name);
    struct shown shown = file_show(s, name->n);
    if (name->failed) return no_memory(c);
    if (c->t->columns == most_columns)
        return file_fail(c->why, CR_EFORMAT, c->path, "line %lld: more than %d columns", (long long)c->line,
                         most_columns);
    if (!is_utf8(s, name->n))
        return file_fail(c->why, CR_EFORMAT, c->path,
                         "line %lld: the name of column %zu, '%s', is not UTF-8: save it so",
                         (long long)c->line, c->t->columns + 1, shown.s);
    cr_status status = table_add(c->t, s, name->n);
    if (status == CR_ENOMEM) return no_memory(c);
    if (!status) return CR_OK;
    return file_fail(c->why, status, c->path, "line %lld: two columns are called '%s': rename one",
                     (long long)c->line, shown.s);
}

static cr_status read_name(struct csv *c, bool header, bool *last) {
    struct cell cell;
    cr_status status = read_cell(c, &cell);
    if (status) return status;
    struct cr_text name = text_make(&c->t->mem);
    if (header && cell.n) cell_text(&name, &cell);
    else text_add(&name, "c%zu", c->t->columns + 1);
    status = add_column(c, &name);
    text_drop(&name);
    *last = cell.last;
    return status;
}

/* The names in the first line; without any that is no number, c1, c2 ..., and the line is data. */
static cr_status read_names(struct csv *c) {
    bool header;
    struct csv first = *c;
    cr_status status = is_header(*c, &header);
    for (bool last = false; !status && !last;) status = read_name(c, header, &last);
    c->header = first.line;
    if (header) next_line(c);
    else c->s = first.s, c->line = first.line;
    return status;
}

/* ---- The whole ---- */

/* A row has a line of its own, and a byte for each cell. */
static size_t most_rows(const struct csv *c) {
    size_t lines = count_lines(c->s, c->end), fit = (size_t)(c->end - c->s) / c->t->columns + 1;
    return lines < fit ? lines : fit;
}

static cr_status check_text(const char *s, size_t n, const char *path, cr_text *why) {
    const char *guess = file_guess(s, n), *nul = n ? memchr(s, 0, n) : NULL;
    if (n == 0) return file_fail(why, CR_EFORMAT, path, "is empty, expected a CSV file");
    if (guess) return file_fail(why, CR_EFORMAT, path, "is no CSV file but %s", guess);
    if (!nul) return CR_OK;
    return file_fail(why, CR_EFORMAT, path, "line %zu: a NUL byte, expected text: save it as CSV in UTF-8",
                     count_lines(s, nul));
}

static cr_status open_categories(struct csv *c, const struct csv_text *text) {
    for (int i = 0; i < text->wishes; i++) {
        const char *column = text->wish[i].column;
        cr_status status = table_categories(c->t, &text->wish[i]);
        if (status == CR_ENOMEM) return no_memory(c);
        if (status)
            return file_fail(c->why, status, c->path,
                             status == CR_ENAME ? "there is no column '%s' of categories"
                                                : "categories of '%s' are given twice, or empty",
                             file_show(column, strlen(column)).s);
    }
    return CR_OK;
}

static cr_status parse(struct csv *c, const struct csv_text *text) {
    if (!find_line(c))
        return file_fail(c->why, CR_EFORMAT, c->path, "holds no data, expected rows of numbers");
    c->separator = find_separator(c->s, c->end);
    cr_status status = read_names(c);
    if (!status) status = open_categories(c, text);
    if (!status && !table_reserve(c->t, most_rows(c))) status = no_memory(c);
    while (!status && find_line(c)) status = read_row(c);
    if (!status) table_trim(c->t);
    if (!status && !table_number_categories(c->t)) status = no_memory(c);
    return status;
}

cr_status file_csv_parse(cr_table **out, const struct csv_text *text, const struct mem *mem, cr_text *why) {
    const char *s = text->s, *path = text->path;
    size_t n = text->n;
    *out = NULL;
    cr_status status = check_text(s, n, path, why);
    if (status) return status;
    if (n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) s += 3, n -= 3;
    struct csv c = {
        .s = s, .end = s + n, .path = path, .separator = '\t', .line = 1, .why = why, .t = table_new(mem)};
    status = c.t ? parse(&c, text) : no_memory(&c);
    if (status) cr_table_free(c.t);
    else *out = c.t;
    return status;
}

static cr_status look(const char *s, size_t n, const char *path, uint64_t *enough, cr_text *why) {
    (void)enough;
    return gzip_is(s, n) ? CR_OK : check_text(s, n, path, why);
}

cr_status cr_csv_load_categories(cr_table **out, const char *path, int n, const cr_categories c[],
                                 cr_context *ctx, cr_text *why) {
    struct bytes b;
    struct mem mem = context_mem(ctx);
    if (out) *out = NULL;
    if (!out || !path || n < 0 || (n && !c)) return CR_EINVAL;
    cr_status status = file_read_looking(&b, path, FILE_MOST, look, &mem, why);
    if (status) return status;
    if (gzip_is(b.s, b.n)) status = gzip_unpack(&b, path, why);
    struct csv_text text = {b.s, b.n, path, n, c};
    if (!status) status = file_csv_parse(out, &text, &mem, why);
    file_drop(&b);
    return status;
}

cr_status cr_csv_load(cr_table **out, const char *path, cr_context *ctx, cr_text *why) {
    return cr_csv_load_categories(out, path, 0, NULL, ctx, why);
}
