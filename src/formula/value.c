/* Values known while reading, and the nodes that they become. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formula/model.h"
#include "tensor/dtype.h"

/* An integer is one that a double holds exactly, so that it may be converted: below 2^53. */
struct value number_value(double x, bool integer) {
    return (struct value){.kind = VALUE_NUMBER, .number = x, .integer = integer && fabs(x) < 0x1p53};
}

struct value open_value(void) {
    return (struct value){.kind = VALUE_OPEN};
}

struct value node_value(struct reader *r, cr_node x, const struct token *at) {
    if (!r->g) return open_value();
    if (cr_ok(x)) return (struct value){.kind = VALUE_NODE, .node = x};
    if (r->status) return (struct value){0};
    const char *error = cr_graph_error(r->g), *sentence = error ? error : "an error";
    r->status = cr_graph_status(r->g) ? cr_graph_status(r->g) : CR_EINVAL;
    if (r->why) { /* the graph's sentence has the position already: shown once, with the line */
        char prefix[300];
        const char *file = r->place.file;
        int n = snprintf(prefix, sizeof prefix, "%s%s%d:%d: ", file ? file : "", file ? ":" : "", at->line,
                         at->column);
        if (n > 0 && strncmp(sentence, prefix, (size_t)n) == 0) sentence += n;
        cr_text_clear(r->why);
        lexer_show(r->why, r->place.source, file, at->line, at->column, sentence);
    }
    return (struct value){0};
}

struct value node_list(struct reader *r, size_t n, const cr_node x[]) {
    struct value v = {.kind = VALUE_LIST, .list = reader_list(r)};
    for (size_t i = 0; i < n; i++) list_add(r, v.list, (struct value){.kind = VALUE_NODE, .node = x[i]});
    return v;
}

bool value_of_word(const struct token *t, struct value *v) {
    static const struct {
        const char *name;
        double number;
    } numbers[] = {{"pi", 3.14159265358979323846}, {"inf", INFINITY}, {"nan", NAN}};
    int dtype = dtype_parse(t->s, t->n);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (token_is(t, numbers[i].name)) return *v = number_value(numbers[i].number, false), true;
    if (token_is(t, "true") || token_is(t, "false"))
        return *v = (struct value){.kind = VALUE_BOOL, .number = token_is(t, "true")}, true;
    if (dtype >= 0) return *v = (struct value){.kind = VALUE_DTYPE, .number = dtype}, true;
    return false;
}

bool reserved_word(const struct token *t) {
    static const char *const words[] = {"input", "param", "fn", "and", "or", "not", "None"};
    struct value v;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(t, words[i])) return true;
    return value_of_word(t, &v);
}

/* ---- Lists as tensors ---- */

/* The shape of nested lists, all of numbers or all of bools. False: they hold nodes, or are ragged. */
static bool list_shape(const struct value *v, struct shape *s, int depth, enum value_kind *leaf) {
    if (v->kind == VALUE_NUMBER || v->kind == VALUE_BOOL) {
        if (*leaf == VALUE_NOTHING) *leaf = v->kind;
        return v->kind == *leaf && (depth == s->rank || (s->rank = depth, depth > 0));
    }
    if (v->kind != VALUE_LIST || depth >= CR_MAX_RANK) return false;
    for (size_t i = 0; i < v->list->n; i++) {
        struct shape inner = {.rank = i ? s->rank : 0};
        memcpy(inner.dim, s->dim, sizeof inner.dim);
        if (!list_shape(&v->list->item[i], i ? &inner : s, depth + 1, leaf)) return false;
        if (i && !shape_equal(&inner, s)) return false;
    }
    s->dim[depth] = (int64_t)v->list->n;
    if (v->list->n == 0) s->rank = depth + 1;
    return true;
}

static double *flatten(const struct value *v, double *to, bool *integer) {
    if (v->kind != VALUE_LIST) {
        *integer = *integer && v->integer;
        *to = v->number;
        return to + 1;
    }
    for (size_t i = 0; i < v->list->n; i++) to = flatten(&v->list->item[i], to, integer);
    return to;
}

/* Integers are i64, and bools bool; fractions are weak, as a single literal is. */
static cr_node list_constant(struct reader *r, const struct value *v, const struct shape *s,
                             enum value_kind leaf) {
    size_t n = (size_t)shape_count(s->rank, s->dim);
    bool integer = n > 0;
    double *data = mem_alloc(&r->mem, mem_mul(n, sizeof *data));
    int64_t *whole = mem_alloc(&r->mem, mem_mul(n, sizeof *whole));
    cr_node x = graph_error_node(r->g);
    if (!data || !whole) {
        reader_no_memory(r);
    } else {
        flatten(v, data, &integer);
        for (size_t i = 0; i < n && integer; i++) whole[i] = (int64_t)data[i];
        for (size_t i = 0; i < n && leaf == VALUE_BOOL; i++) ((bool *)whole)[i] = data[i] != 0;
        x = leaf == VALUE_BOOL ? cr_const(r->g, CR_BOOL, s->rank, s->dim, whole)
            : integer          ? cr_const(r->g, CR_I64, s->rank, s->dim, whole)
                               : ops_weak_const(r->g, s->rank, s->dim, data);
    }
    mem_free(&r->mem, data, n * sizeof *data);
    mem_free(&r->mem, whole, n * sizeof *whole);
    return x;
}

/* Several results of different shapes, most often: of a scan its carry and what it stacked. */
static void check_alike(struct reader *r, size_t n, const cr_node x[], const struct token *at) {
    struct shape_text first, other;
    for (size_t i = 1; i < n && !r->status; i++) {
        struct shape a = ops_shape(x[0]), b = ops_shape(x[i]);
        if (shape_equal(&a, &b)) continue;
        reader_fail(r, CR_ESHAPE, at,
                    "a list of items of shapes %s and %s is no tensor: make them alike, or take one by its "
                    "number, as in r[0]",
                    ops_show(&first, &a), ops_show(&other, &b));
    }
}

static cr_node list_stack(struct reader *r, const struct value *v, const struct token *at) {
    size_t n = v->list->n;
    cr_node y = graph_error_node(r->g), *x = mem_alloc(&r->mem, mem_mul(n, sizeof *x));
    for (size_t i = 0; x && i < n; i++) x[i] = value_node(r, v->list->item[i], at);
    reader_at(r, at);
    if (!x) reader_no_memory(r);
    if (x && !r->status) check_alike(r, n, x, at);
    if (x && !r->status) y = cr_stack((int)n, x, 0);
    mem_free(&r->mem, x, n * sizeof *x);
    return y;
}

static cr_node list_node(struct reader *r, const struct value *v, const struct token *at) {
    struct shape s = {0};
    enum value_kind leaf = VALUE_NOTHING;
    if (v->list->n == 0)
        return reader_fail(r, CR_ESYNTAX, at, "an empty list has no value"), graph_error_node(r->g);
    return list_shape(v, &s, 0, &leaf) ? list_constant(r, v, &s, leaf) : list_stack(r, v, at);
}

cr_node value_node(struct reader *r, struct value v, const struct token *at) {
    cr_node nothing = graph_error_node(r->g);
    if (r->status) return nothing;
    if (!r->g && v.kind != VALUE_NOTHING) return nothing;
    switch (v.kind) {
    case VALUE_OPEN: return nothing;
    case VALUE_NODE: return v.node;
    case VALUE_NUMBER: reader_at(r, at); return cr_number(r->g, v.number);
    case VALUE_BOOL: return ops_scalar(r->g, CR_BOOL, v.number);
    case VALUE_LIST: return list_node(r, &v, at);
    case VALUE_DTYPE: reader_fail(r, CR_ESYNTAX, at, "expected a value, found a dtype"); return nothing;
    case VALUE_ALL:
    case VALUE_FUNCTION:
    case VALUE_NOTHING: break;
    }
    reader_fail(r, CR_ESYNTAX, at, "expected a value");
    return nothing;
}

/* ---- Operators ---- */

/* As the op: Python's, with the sign of y. */
static double modulo(double x, double y) {
    double z = fmod(x, y);
    return z != 0 && (z < 0) != (y < 0) ? z + y : z;
}

/* Numbers known while reading stay numbers. */
static struct value fold(const struct token *op, struct value a, struct value b) {
    double x = a.number, y = b.number;
    bool integer = a.integer && b.integer;
    if (token_is(op, "+")) return number_value(x + y, integer);
    if (token_is(op, "-")) return number_value(x - y, integer);
    if (token_is(op, "*")) return number_value(x * y, integer);
    if (token_is(op, "/")) return number_value(x / y, false);
    if (token_is(op, "//")) return number_value(floor(x / y), integer);
    if (token_is(op, "%")) return number_value(modulo(x, y), integer && y != 0);
    return number_value(pow(x, y), integer && y >= 0);
}

static cr_node power(cr_node a, struct value b, cr_node exponent) {
    bool whole = b.kind == VALUE_NUMBER && b.integer && fabs(b.number) < 0x1p31;
    if (whole) return b.number == 2 ? cr_square(a) : cr_powi(a, (int64_t)b.number);
    return cr_pow(a, exponent);
}

static cr_node apply(const struct token *op, cr_node a, cr_node b) {
    static const struct {
        const char *sign;
        cr_node (*build)(cr_node, cr_node);
    } table[] = {
        {"+", cr_add}, {"-", cr_sub},    {"*", cr_mul}, {"/", cr_div},   {"//", cr_floordiv},
        {"%", cr_mod}, {"@", cr_matmul}, {"<", cr_lt},  {"<=", cr_le},   {">", cr_gt},
        {">=", cr_ge}, {"==", cr_eq},    {"!=", cr_ne}, {"and", cr_and}, {"or", cr_or},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (token_is(op, table[i].sign)) return table[i].build(a, b);
    return graph_error_node(a.graph);
}

struct value value_binary(struct reader *r, const struct token *op, struct value a, struct value b) {
    if (r->status || !r->g) return open_value();
    if (a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER && strchr("+-*/%^", *op->s)) return fold(op, a, b);
    cr_node x = value_node(r, a, op), y = value_node(r, b, op);
    if (r->status) return (struct value){0};
    reader_at(r, op);
    return node_value(r, token_is(op, "^") ? power(x, b, y) : apply(op, x, y), op);
}

struct value value_prefix(struct reader *r, const struct token *op, struct value a) {
    if (r->status || !r->g) return open_value();
    bool number = a.kind == VALUE_NUMBER && !token_is(op, "not");
    if (number) return number_value(token_is(op, "-") ? -a.number : a.number, a.integer);
    cr_node x = value_node(r, a, op);
    if (r->status) return (struct value){0};
    reader_at(r, op);
    return node_value(r, token_is(op, "-") ? cr_neg(x) : token_is(op, "not") ? cr_not(x) : x, op);
}
