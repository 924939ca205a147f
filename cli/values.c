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

/* Sign and digits, or nan, inf: what a number may look like. How it is read is the formula language's own matter, the same in
 * every locale. */
static bool looks_like_number(const char *s, size_t n) {
    const char *end = s + n;
    bool digit = false, power = false;
    if (s < end && (*s == '+' || *s == '-')) s++;
    if (end - s == 3 && (memcmp(s, "inf", 3) == 0 || memcmp(s, "nan", 3) == 0)) return true;
    for (; s < end; s++) {
        bool is_digit = *s >= '0' && *s <= '9', starts_power = (*s == 'e' || *s == 'E') && digit && !power;
        if (!is_digit && *s != '.' && !starts_power) return false;
        digit = digit || is_digit;
        power = power || starts_power;
        if (starts_power && end - s > 1 && (s[1] == '+' || s[1] == '-')) s++;
    }
    return digit;
}

static bool evaluate(const char *formula, double *x) {
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    cr_node v = cr_formula(g, formula);
    bool ok =
        cr_ok(v) && cr_eval_new(&e, g, NULL) == CR_OK && cr_eval_value(e, v, CR_F64, x, sizeof *x) == CR_OK;
    cr_eval_free(e);
    cr_graph_free(g);
    return ok;
}

static bool read_one(const char *s, size_t n, double *x) {
    while (n && (*s == ' ' || *s == '\t')) s++, n--;
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
    char *copy = looks_like_number(s, n) ? malloc(n + 1) : NULL;
    if (!copy) return false;
    memcpy(copy, s, n);
    copy[n] = 0;
    bool ok = evaluate(copy, x);
    free(copy);
    return ok;
}

bool read_number(const char *s, double *x) { return read_one(s, strlen(s), x); }

bool whole_number(const cr_array *array, int64_t *n) {
    cr_array *wide = NULL;
    if (cr_array_count(array) != 1 || cr_array_cast(&wide, array, CR_F64)) return false;
    double x = *(double *)cr_array_data(wide);
    cr_array_free(wide);
    bool whole = x >= 0 && x <= 0x1p53 && x == floor(x);
    if (whole) *n = (int64_t)x;
    return whole;
}

enum { most_shown = 60 };

/* "what, found 's'": the beginning of s, in characters that a terminal shows. */
static void say(cr_text *why, const char *what, const char *s) {
    char shown[most_shown + 4] = "";
    size_t n = strlen(s), k = n < most_shown ? n : most_shown;
    for (size_t i = 0; i < k; i++) shown[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i];
    while (k < n && k && ((unsigned char)s[k] & 0xC0) == 0x80) k--; /* not within a character of UTF-8 */
    memcpy(shown + k, n > most_shown ? "..." : "", n > most_shown ? 4 : 1);
    cr_text_clear(why);
    cr_text_append(why, what);
    cr_text_append(why, ", found '");
    cr_text_append(why, shown);
    cr_text_append(why, "'");
}

/* Nested lists: sizes are those of the first element of each kind, and every other must have the same. */
struct lists {
    const char *s;
    int depth, rank, deepest;
    int64_t dim[CR_MAX_RANK], seen[CR_MAX_RANK];
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
    for (int i = 0; i < CR_MAX_RANK; i++) l->dim[i] = -1;
    l->rank = -1;
    do {
        l->s += strspn(l->s, " \t");
        bool item = false;
        if (*l->s == '[') {
            if (l->depth == CR_MAX_RANK) return false;
            if (l->depth) l->seen[l->depth - 1]++;
            l->seen[l->depth++] = 0;
            if (l->depth > l->deepest) l->deepest = l->depth;
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
    int rank = l.rank < 0 ? l.deepest : l.rank; /* without numbers: of size 0 */
    ok = ok && cr_array_new(out, NULL, CR_F64, rank, l.dim) == CR_OK && cr_array_count(*out) == (int64_t)l.n;
    if (ok && l.n) memcpy(cr_array_data(*out), l.number, l.n * sizeof *l.number);
    free(l.number);
    return ok;
}

bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

bool read_value(cr_array **out, const char *s, cr_text *why) {
    *out = NULL;
    if (*s == '@' && !s[1]) return say(why, "expected a file behind @, as in x=@x.npy", s), false;
    if (*s == '@') return load_data(out, s + 1, NULL, why);
    if (*s == '[') {
        if (read_list(out, s)) return true;
        cr_array_free(*out);
        *out = NULL;
        return say(why, "expected a list of numbers, all rows alike, as in [[1, 2], [3, 4]]", s), false;
    }
    double x;
    if (!read_one(s, strlen(s), &x))
        return say(why, "expected a number, a list, or a file as @x.npy, @x.csv, @x.npz:name", s), false;
    if (cr_array_new(out, NULL, CR_F64, 0, NULL)) return false;
    *(double *)cr_array_data(*out) = x;
    return true;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

bool is_near(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b), i = 0, end = 0;
    if (n > m) return is_near(b, a);
    while (i < n && lower(a[i]) == lower(b[i])) i++;
    if (i == n && n == m) return true;
    if (n < 3 || m > n + 1) return false;
    while (end < n - i && lower(a[n - 1 - end]) == lower(b[m - 1 - end])) end++;
    size_t left = n - i - end, other = m - i - end; /* what differs between */
    bool exchanged =
        left == 2 && other == 2 && lower(a[i]) == lower(b[i + 1]) && lower(a[i + 1]) == lower(b[i]);
    return exchanged || (left <= 1 && other <= 1);
}
