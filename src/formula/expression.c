/* Expressions, by precedence: or, and, not, comparison, + -, * / // % @, unary minus, ^. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formula/model.h"
#include "tensor/dtype.h"

/* An integer is one that a double holds exactly, so that it may be converted: below 2^53. */
struct value number_value(double x, bool integer) {
    return (struct value){.kind = VALUE_NUMBER, .number = x, .integer = integer && fabs(x) < 0x1p53};
}

void reader_at(struct reader *r, const struct token *at) {
    if (r->g) cr_graph_at(r->g, r->file, at->line, at->column);
}

struct value node_value(struct reader *r, cr_node x, const struct token *at) {
    if (!r->g) return (struct value){.kind = VALUE_NODE};
    if (cr_ok(x)) return (struct value){.kind = VALUE_NODE, .node = x};
    if (r->status) return (struct value){0};
    const char *error = cr_graph_error(r->g), *sentence = error ? error : "an error";
    r->status = cr_graph_status(r->g) ? cr_graph_status(r->g) : CR_EINVAL;
    if (r->why) { /* the graph's sentence has the position already: shown once, with the line */
        char prefix[300];
        int n = snprintf(prefix, sizeof prefix, "%s%s%d:%d: ", r->file ? r->file : "", r->file ? ":" : "",
                         at->line, at->column);
        if (n > 0 && strncmp(sentence, prefix, (size_t)n) == 0) sentence += n;
        lexer_show(r->why, r->source, r->file, at->line, at->column, sentence);
    }
    return (struct value){0};
}

/* ---- Lists as tensors ---- */

/* The shape of nested lists of numbers. False: they hold nodes, or are ragged. */
static bool number_shape(const struct value *v, struct shape *s, int depth) {
    if (v->kind == VALUE_NUMBER) return depth == s->rank || (s->rank = depth, depth > 0);
    if (v->kind != VALUE_LIST || depth >= CR_MAX_RANK) return false;
    for (size_t i = 0; i < v->list->n; i++) {
        struct shape inner = {.rank = i ? s->rank : 0};
        memcpy(inner.dim, s->dim, sizeof inner.dim);
        if (i == 0 ? !number_shape(&v->list->item[i], s, depth + 1)
                   : !number_shape(&v->list->item[i], &inner, depth + 1))
            return false;
        if (i && !shape_equal(&inner, s)) return false;
    }
    s->dim[depth] = (int64_t)v->list->n;
    if (v->list->n == 0) s->rank = depth + 1;
    return true;
}

static double *flatten(const struct value *v, double *to, bool *integer) {
    if (v->kind == VALUE_NUMBER) {
        *integer = *integer && v->integer;
        *to = v->number;
        return to + 1;
    }
    for (size_t i = 0; i < v->list->n; i++) to = flatten(&v->list->item[i], to, integer);
    return to;
}

static cr_node list_constant(struct reader *r, const struct value *v, const struct shape *s) {
    size_t n = (size_t)shape_count(s->rank, s->dim);
    bool integer = n > 0;
    double *data = mem_alloc(&r->mem, mem_mul(n, sizeof *data));
    int64_t *whole = mem_alloc(&r->mem, mem_mul(n, sizeof *whole));
    cr_node x = graph_error_node(r->g);
    if (data && whole) {
        flatten(v, data, &integer);
        for (size_t i = 0; i < n && integer; i++) whole[i] = (int64_t)data[i];
        x = integer ? cr_const(r->g, CR_I64, s->rank, s->dim, whole)
                    : ops_weak_const(r->g, s->rank, s->dim, data);
    }
    if (!data || !whole) reader_fail(r, CR_ENOMEM, &r->token, "out of memory");
    mem_free(&r->mem, data, n * sizeof *data);
    mem_free(&r->mem, whole, n * sizeof *whole);
    return x;
}

static cr_node list_stack(struct reader *r, const struct value *v, const struct token *at) {
    size_t n = v->list->n;
    cr_node y = graph_error_node(r->g), *x = mem_alloc(&r->mem, mem_mul(n, sizeof *x));
    for (size_t i = 0; x && i < n; i++) x[i] = value_node(r, v->list->item[i], at);
    reader_at(r, at);
    if (!x) reader_fail(r, CR_ENOMEM, at, "out of memory");
    if (x && !r->status) y = cr_stack((int)n, x, 0);
    mem_free(&r->mem, x, n * sizeof *x);
    return y;
}

cr_node value_node(struct reader *r, struct value v, const struct token *at) {
    cr_node nothing = graph_error_node(r->g);
    struct shape s = {0};
    if (r->status) return nothing;
    if (v.kind == VALUE_NOTHING || v.kind == VALUE_DTYPE)
        return reader_fail(r, CR_ESYNTAX, at, "expected a value"), nothing;
    if (!r->g) return nothing;
    if (v.kind == VALUE_NODE) return v.node;
    if (v.kind == VALUE_NUMBER) return cr_number(r->g, v.number);
    if (v.kind == VALUE_BOOL) return ops_scalar(r->g, CR_BOOL, v.number);
    if (v.list->n == 0) return reader_fail(r, CR_ESYNTAX, at, "an empty list has no value"), nothing;
    return number_shape(&v, &s, 0) ? list_constant(r, &v, &s) : list_stack(r, &v, at);
}

/* ---- Operators ---- */

/* Numbers known while reading stay numbers. */
static struct value fold(const char *op, struct value a, struct value b) {
    double x = a.number, y = b.number, z;
    bool integer = a.integer && b.integer;
    switch (op[0]) {
    case '+': z = x + y; break;
    case '-': z = x - y; break;
    case '*': z = x * y; break;
    case '%': z = x - floor(x / y) * y; break;
    case '^': z = pow(x, y), integer = integer && y >= 0; break;
    default: z = op[1] == '/' ? floor(x / y) : x / y, integer = integer && op[1] == '/'; break;
    }
    return number_value(z, integer);
}

static cr_node power(cr_node a, struct value b, cr_node exponent) {
    if (b.kind == VALUE_NUMBER && b.integer && fabs(b.number) < 0x1p31)
        return b.number == 2 ? cr_square(a) : cr_powi(a, (int64_t)b.number);
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

static struct value binary(struct reader *r, const struct token *op, struct value a, struct value b) {
    char sign[3] = {op->s[0], op->n > 1 ? op->s[1] : 0, 0};
    if (r->status) return a;
    if (a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER && strchr("+-*/%^", sign[0]))
        return fold(sign, a, b);
    cr_node x = value_node(r, a, op), y = value_node(r, b, op);
    if (!r->g || r->status) return (struct value){.kind = VALUE_NODE};
    reader_at(r, op);
    return node_value(r, sign[0] == '^' ? power(x, b, y) : apply(op, x, y), op);
}

static struct value read_postfix(struct reader *r);
static struct value read_unary(struct reader *r);

static bool enter(struct reader *r) {
    if (++r->depth <= most_depth) return true;
    reader_fail(r, CR_ELIMIT, &r->token, "nested more than %d deep", most_depth);
    return false;
}

/* Right to left; -2^2 is -(2^2), and 2^-1 is allowed. */
static struct value read_power(struct reader *r) {
    struct value a = read_postfix(r);
    if (!reader_is(r, "^")) return a;
    struct token op = r->token;
    reader_advance(r);
    if (!enter(r)) return a;
    struct value b = read_unary(r);
    r->depth--;
    return binary(r, &op, a, b);
}

static struct value negate(struct reader *r, const struct token *op, struct value a) {
    if (a.kind == VALUE_NUMBER) return number_value(-a.number, a.integer);
    cr_node x = value_node(r, a, op);
    if (!r->g || r->status) return (struct value){.kind = VALUE_NODE};
    reader_at(r, op);
    return node_value(r, cr_neg(x), op);
}

static struct value read_unary(struct reader *r) {
    if (!reader_is(r, "-") && !reader_is(r, "+")) return read_power(r);
    struct token op = r->token;
    reader_advance(r);
    if (!enter(r)) return (struct value){0};
    struct value a = read_unary(r);
    r->depth--;
    return token_is(&op, "-") && !r->status ? negate(r, &op, a) : a;
}

static bool at_any(const struct reader *r, const char *const signs[]) {
    for (; *signs; signs++)
        if (reader_is(r, *signs)) return true;
    return false;
}

static struct value read_level(struct reader *r, const char *const signs[],
                               struct value (*inner)(struct reader *)) {
    struct value a = inner(r);
    while (at_any(r, signs)) {
        struct token op = r->token;
        reader_advance(r);
        a = binary(r, &op, a, inner(r));
    }
    return a;
}

static struct value read_product(struct reader *r) {
    static const char *const signs[] = {"*", "/", "//", "%", "@", NULL};
    return read_level(r, signs, read_unary);
}

static struct value read_sum(struct reader *r) {
    static const char *const signs[] = {"+", "-", NULL};
    return read_level(r, signs, read_product);
}

static struct value read_comparison(struct reader *r) {
    static const char *const signs[] = {"<", "<=", ">", ">=", "==", "!=", NULL};
    struct value a = read_sum(r);
    if (!at_any(r, signs)) return a;
    struct token op = r->token;
    reader_advance(r);
    a = binary(r, &op, a, read_sum(r));
    if (at_any(r, signs))
        return reader_fail(r, CR_ESYNTAX, &r->token, "comparisons do not chain: write a < b and b < c");
    return a;
}

static struct value read_not(struct reader *r) {
    if (!reader_is(r, "not")) return read_comparison(r);
    struct token op = r->token;
    reader_advance(r);
    if (!enter(r)) return (struct value){0};
    struct value a = read_not(r);
    r->depth--;
    cr_node x = value_node(r, a, &op);
    if (!r->g || r->status) return (struct value){.kind = VALUE_NODE};
    reader_at(r, &op);
    return node_value(r, cr_not(x), &op);
}

static struct value read_and(struct reader *r) {
    static const char *const signs[] = {"and", NULL};
    return read_level(r, signs, read_not);
}

struct value read_expression(struct reader *r) {
    static const char *const signs[] = {"or", NULL};
    if (r->status || !enter(r)) return (struct value){0};
    struct value v = read_level(r, signs, read_and);
    r->depth--;
    return v;
}

/* ---- What stands alone ---- */

static struct value read_list(struct reader *r) {
    struct value v = {.kind = VALUE_LIST, .list = reader_list(r)};
    reader_advance(r);
    while (!r->status && !reader_is(r, "]")) {
        list_add(r, v.list, read_expression(r));
        if (!reader_is(r, "]") && !reader_expect(r, ",", "between the elements of a list, or ']'")) return v;
    }
    reader_expect(r, "]", "");
    return v;
}

static bool reserved(const struct token *t, struct value *v) {
    static const struct {
        const char *name;
        double number;
    } numbers[] = {{"pi", 3.14159265358979323846}, {"inf", INFINITY}, {"nan", NAN}};
    int dtype = dtype_parse(t->s, t->n);
    for (size_t i = 0; i < 3; i++)
        if (token_is(t, numbers[i].name)) return *v = number_value(numbers[i].number, false), true;
    if (token_is(t, "true") || token_is(t, "false"))
        return *v = (struct value){.kind = VALUE_BOOL, .number = token_is(t, "true")}, true;
    if (dtype >= 0) return *v = (struct value){.kind = VALUE_DTYPE, .number = dtype}, true;
    return false;
}

static struct value read_primary(struct reader *r) {
    struct token t = r->token;
    struct value v = {0};
    if (r->status) return v;
    if (t.kind == TOKEN_NUMBER) return reader_advance(r), number_value(t.number, t.integer);
    if (reader_is(r, "[")) return read_list(r);
    if (reader_take(r, "(")) {
        v = read_expression(r);
        reader_expect(r, ")", "to close the '('");
        return v;
    }
    if (t.kind != TOKEN_NAME) return reader_unexpected(r, "a value");
    reader_advance(r);
    if (reader_is(r, "(") && dtype_parse(t.s, t.n) < 0) return read_call(r, &t);
    return reserved(&t, &v) ? v : find_name(r, &t);
}

static struct value read_postfix(struct reader *r) {
    struct value v = read_primary(r);
    while (reader_is(r, "[")) {
        struct token at = r->token;
        v = read_index(r, v, &at);
    }
    return v;
}
