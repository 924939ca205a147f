/* Ops by name. A row's form says which C function it is; its arguments say what a formula calls them. */
#include "ops/call.h"

#include <string.h>

#include "tensor/dtype.h"

enum form {
#define FORM(name, parameters, values) FORM_##name,
#include "ops/forms.def"
#undef FORM
    FORM_HIDDEN,
};

static const char *const parameters_of[] = {
#define FORM(name, parameters, values) #parameters,
#include "ops/forms.def"
#undef FORM
    "",
};

static const char *const values_of[] = {
#define FORM(name, parameters, values) #values,
#include "ops/forms.def"
#undef FORM
    "",
};

typedef void any_fn(void);

static const struct {
    struct call_row row; /* operands: filled by call_row */
    enum form form;
    any_fn *build;
} entries[] = {
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, ...) \
    {{#name, arguments, sentence, 0, OP_##name}, FORM_##form, (any_fn *)cr_##name},
#include "ops/ops.def"
#undef ROW
#define COMPOSITE(name, form, arguments, sentence) \
    {{#name, arguments, sentence, 0, -1}, FORM_##form, (any_fn *)cr_##name},
#include "ops/composites.def"
#undef COMPOSITE
};

enum { rows = sizeof entries / sizeof *entries };

static int operands_of(enum form form) {
    int n = 0;
    if (strstr(parameters_of[form], "cr_node x[]")) return -1;
    for (const char *p = parameters_of[form]; (p = strstr(p, "cr_node")); p++) n++;
    return n;
}

/* The rows as data, made once per call: small, and without state. */
static struct call_row row_of(int i) {
    struct call_row r = entries[i].row;
    r.operands = operands_of(entries[i].form);
    return r;
}

int call_find(const char *name, size_t n) {
    for (int i = 0; i < rows; i++)
        if (entries[i].form != FORM_HIDDEN && strlen(entries[i].row.name) == n &&
            memcmp(entries[i].row.name, name, n) == 0)
            return i;
    return -1;
}

bool call_row(int i, struct call_row *row) {
    if (i < 0 || i >= rows) return false;
    *row = row_of(i);
    return true;
}

/* The table's rows come first, in its order, which starts behind the error node. */
bool call_primitive(int op, struct call_row *row) {
    return op > 0 && op < OP_COUNT && entries[op - 1].form != FORM_HIDDEN && call_row(op - 1, row);
}

/* ---- The arguments' text: "x, axis=all, keep=false" ---- */

static const char *next_argument(const char *s) {
    const char *comma = strchr(s, ',');
    return comma ? comma + 1 + strspn(comma + 1, " ") : NULL;
}

/* The i-th attribute's text, from its name on; NULL past the end. */
static const char *attribute(const struct call_row *row, int i) {
    const char *s = *row->arguments ? row->arguments : NULL;
    for (int skip = (row->operands < 0 ? 1 : row->operands) + i; s && skip > 0; skip--) s = next_argument(s);
    return s;
}

const char *call_attribute(const struct call_row *row, int i, size_t *n) {
    const char *s = attribute(row, i);
    if (s) *n = strcspn(s, "=,");
    return s;
}

bool call_takes_key(const struct call_row *row, int k) {
    const char *s = row->arguments;
    for (; s && k > 0; k--) s = next_argument(s);
    return s && strncmp(s, "key", 3) == 0 && (s[3] == ',' || s[3] == 0);
}

/* ---- Attributes decoded ---- */

enum { most_attributes = 6, most_numbers = CR_MAX_RANK };

enum given { GIVEN_NUMBERS, GIVEN_ALL, GIVEN_NONE, GIVEN_DTYPE };

struct value {
    enum given given;
    int count, axis;
    int64_t integer;
    double number;
    bool flag;
    cr_dtype dtype;
    const char *text;
    const int *axes; /* NULL: all of them */
    const int64_t *sizes;
    double all[most_numbers];
    int axis_room[most_numbers];
    int64_t size_room[most_numbers];
};

static bool fail_value(cr_graph *g, const struct call_row *row, const char *name, size_t n,
                       const char *what) {
    graph_fail(g, CR_EINVAL, row->name, "%.*s: %s", (int)n, name, what);
    return false;
}

static bool whole(double x) { return x >= -0x1p53 && x <= 0x1p53 && x == (double)(int64_t)x; }

/* Fractions are for forms that take them. */
static bool takes_fractions(const struct call_row *row) {
    return strstr(parameters_of[entries[call_find(row->name, strlen(row->name))].form], "double") != NULL;
}

static bool set_numbers(cr_graph *g, const struct call_row *row, const char *name, size_t n, struct value *v,
                        int count, const double *x) {
    if (count == 1 && x && !whole(x[0]) && !takes_fractions(row))
        return fail_value(g, row, name, n, "expected an integer");
    if (count < 0 || count > most_numbers || (count && !x))
        return fail_value(g, row, name, n, "too many numbers");
    v->count = count;
    v->number = count ? x[0] : 0;
    for (int i = 0; i < count; i++) {
        v->all[i] = x[i];
        v->size_room[i] = whole(x[i]) ? (int64_t)x[i] : 0;
        v->axis_room[i] =
            v->size_room[i] > 1000000 || v->size_room[i] < -1000000 ? 1000000 : (int)v->size_room[i];
    }
    v->integer = v->size_room[0];
    v->axis = v->axis_room[0];
    v->flag = v->number != 0;
    v->axes = v->axis_room;
    v->sizes = v->size_room;
    return true;
}

static bool set_word(cr_graph *g, const struct call_row *row, const char *name, size_t n, struct value *v,
                     const char *s, size_t length) {
    double number;
    bool minus = length && *s == '-';
    int dtype = dtype_parse(s, length);
    v->text = s;
    if (n == 7 && memcmp(name, "indices", 7) == 0) return true; /* the one attribute that is a text */
    bool none = length == 4 && memcmp(s, "none", 4) == 0;
    if (none || (length == 3 && memcmp(s, "all", 3) == 0)) {
        v->given = none ? GIVEN_NONE : GIVEN_ALL;
        return true;
    }
    if (dtype >= 0) {
        v->given = GIVEN_DTYPE;
        v->dtype = (cr_dtype)dtype;
        return true;
    }
    if ((length == 4 && memcmp(s, "true", 4) == 0) || (length == 5 && memcmp(s, "false", 5) == 0)) {
        number = length == 4;
        return set_numbers(g, row, name, n, v, 1, &number);
    }
    if (!text_parse_number(s + minus, length - minus, &number))
        return fail_value(g, row, name, n, "expected a number, true, false, all or a dtype");
    if (minus) number = -number;
    return set_numbers(g, row, name, n, v, 1, &number);
}

/* Lists of one call are of one length; a single number stands for as many as the longest has. */
static bool level(cr_graph *g, const struct call_row *row, int n, struct value v[]) {
    int most = 0;
    for (int i = 0; i < n; i++) most = v[i].count > most ? v[i].count : most;
    for (int i = 0; i < n; i++) {
        if (most > 1 && v[i].given == GIVEN_NUMBERS && v[i].count != 1 && v[i].count != most) {
            graph_fail(g, CR_EINVAL, row->name, "lists of %d and %d numbers: expected as many in each",
                       v[i].count, most);
            return false;
        }
        if (v[i].count != 1) continue;
        for (int k = 1; k < most; k++) v[i].size_room[k] = v[i].size_room[0];
        v[i].count = most;
    }
    return true;
}

/* Does the value fit what the form makes of it: the member of v[i] in its values, after the count of a list? */
static const char *misfit(enum form form, int i, const struct value *v) {
    char key[] = "v[0].";
    key[2] = (char)('0' + i);
    const char *member = strstr(values_of[form], key);
    if (member && strncmp(member + 5, "count", 5) == 0) member = strstr(member + 5, key);
    if (!member) return NULL;
    member += 5;
    bool numbers = v->given == GIVEN_NUMBERS, one = numbers && v->count == 1, integers = numbers;
    for (int k = 0; k < v->count; k++) integers = integers && whole(v->all[k]);
    if (strncmp(member, "dtype", 5) == 0) return v->given == GIVEN_DTYPE ? NULL : "expected a dtype";
    if (strncmp(member, "flag", 4) == 0)
        return one && (v->number == 0 || v->number == 1) ? NULL : "expected true or false";
    if (strncmp(member, "number", 6) == 0) return one ? NULL : "expected one number";
    if (strncmp(member, "axes", 4) == 0)
        return v->given == GIVEN_ALL || integers ? NULL : "expected integers, or all";
    if (strncmp(member, "sizes", 5) == 0)
        return integers || v->given == GIVEN_NONE ? NULL : "expected integers";
    if (strncmp(member, "text", 4) == 0) return v->text ? NULL : "expected a text";
    return one && integers ? NULL : "expected one integer";
}

static bool decode(cr_graph *g, const struct call_row *row, enum form form, int n_attrs,
                   const cr_attr attrs[], struct value v[]) {
    size_t n;
    const char *wrong;
    for (int i = 0;; i++) {
        const char *name = call_attribute(row, i, &n), *fallback;
        const cr_attr *given = NULL;
        if (!name) return level(g, row, i, v);
        for (int k = 0; k < n_attrs; k++)
            if (attrs[k].name && strlen(attrs[k].name) == n && memcmp(attrs[k].name, name, n) == 0)
                given = &attrs[k];
        fallback = name[n] == '=' ? name + n + 1 : NULL;
        if (given && given->text ? !set_word(g, row, name, n, &v[i], given->text, strlen(given->text))
            : given              ? !set_numbers(g, row, name, n, &v[i], given->count, given->numbers)
            : fallback           ? !set_word(g, row, name, n, &v[i], fallback, strcspn(fallback, ","))
                                 : !fail_value(g, row, name, n, "missing"))
            return false;
        if ((wrong = misfit(form, i, &v[i]))) return fail_value(g, row, name, n, wrong);
    }
}

static bool known_attributes(cr_graph *g, const struct call_row *row, int n_attrs, const cr_attr attrs[]) {
    for (int k = 0; k < n_attrs; k++) {
        bool known = false, twice = false;
        size_t n;
        const char *name;
        for (int i = 0; attrs[k].name && (name = call_attribute(row, i, &n)); i++)
            known = known || (strlen(attrs[k].name) == n && memcmp(attrs[k].name, name, n) == 0);
        for (int j = 0; known && j < k; j++) twice = twice || strcmp(attrs[j].name, attrs[k].name) == 0;
        if (twice) return fail_value(g, row, attrs[k].name, strlen(attrs[k].name), "given twice");
        if (known) continue;
        graph_fail(g, CR_ENAME, row->name, "unknown attribute '%s': it is %s(%s)",
                   attrs[k].name ? attrs[k].name : "", row->name, row->arguments);
        return false;
    }
    return true;
}

cr_node call_op(cr_graph *g, int i, int n, const cr_node x[], int n_attrs, const cr_attr attrs[]) {
    struct value v[most_attributes] = {0};
    struct call_row row = row_of(i);
    any_fn *build = entries[i].build;
    if (row.operands < 0 ? n < 1 : n != row.operands)
        return graph_fail(g, CR_EINVAL, row.name, "expected %d operand%s, found %d: it is %s(%s)",
                          row.operands < 0 ? 1 : row.operands, row.operands == 1 ? "" : "s", n, row.name,
                          row.arguments);
    if (n && !ops_good(row.name, n, x)) return graph_error_node(g);
    if (!known_attributes(g, &row, n_attrs, attrs) || !decode(g, &row, entries[i].form, n_attrs, attrs, v))
        return graph_error_node(g);
    switch (entries[i].form) {
#define FORM(name, parameters, values) \
    case FORM_##name:                  \
        return ((cr_node(*) parameters)build)values;
#include "ops/forms.def"
#undef FORM
    case FORM_HIDDEN: break;
    }
    return graph_error_node(g);
}

/* ---- Spelling ---- */

enum { longest_word = 40 };

/* Levenshtein's distance, where two neighbours exchanged count as one slip, row by row. */
static size_t distance(const char *a, size_t n, const char *b) {
    size_t rows3[3][longest_word + 1], m = strlen(b);
    if (n > longest_word || m > longest_word) return longest_word;
    for (size_t j = 0; j <= m; j++) rows3[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows3[i % 3], *above = rows3[(i + 2) % 3], *before = rows3[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = above[j - 1] + (a[i - 1] != b[j - 1]),
                   gap = (row[j - 1] < above[j] ? row[j - 1] : above[j]) + 1;
            row[j] = change < gap ? change : gap;
            bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (exchanged && before[j - 2] + 1 < row[j]) row[j] = before[j - 2] + 1;
        }
    }
    return rows3[n % 3][m];
}

const char *call_nearest(const char *word, size_t n, const char *(*name)(const void *user, size_t i),
                         const void *user, size_t count) {
    const char *best = NULL;
    size_t least = n < 4 ? 1 : 2; /* further away is another word, and so is every other letter */
    for (size_t i = 0; n > 1 && i < count; i++) {
        const char *candidate = name(user, i);
        size_t d = candidate ? distance(word, n, candidate) : longest_word;
        if (d < least + (best == NULL)) best = candidate, least = d;
    }
    return best;
}

static const char *row_name(const void *user, size_t i) {
    (void)user;
    return entries[i].form == FORM_HIDDEN ? NULL : entries[i].row.name;
}

const char *call_nearest_op(const char *word, size_t n) {
    return call_nearest(word, n, row_name, NULL, rows);
}

/* ---- The public interface ---- */

cr_node cr_op(cr_graph *g, const char *name, int n, const cr_node operands[], int n_attrs,
              const cr_attr attrs[]) {
    if (!name || n < 0 || (n && !operands) || n_attrs < 0 || (n_attrs && !attrs))
        return graph_fail(g, CR_EINVAL, "op", "no name, a count below 0, or an array that is missing");
    for (int i = 0; i < n; i++)
        if (operands[i].graph != g) /* an error node has no graph where there was no memory for one */
            return graph_fail(g, CR_EINVAL, name, "operand %d is a node of another graph", i + 1);
    int row = call_find(name, strlen(name));
    if (row >= 0) return call_op(g, row, n, operands, n_attrs, attrs);
    const char *near = call_nearest_op(name, strlen(name));
    return graph_fail(g, CR_ENAME, NULL, "there is no op '%s'%s%s%s", name, near ? ": did you mean " : "",
                      near ? near : "", near ? "?" : "");
}
