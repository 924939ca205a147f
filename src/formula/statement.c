/* Statements: declarations, functions, names bound once. */
#include <string.h>

#include "formula/model.h"

/* ---- Declarations ---- */

static void read_initial(struct reader *r, cr_node param, const char *name) {
    struct token at = r->place.token;
    uint32_t draws = r->place.draws;
    r->has_hint = true;
    r->hint = ops_shape(param);
    r->hint_dtype = cr_dtype_of(param);
    r->hint_key = intern_hash(name, strlen(name));
    r->place.draws = 0;
    cr_node value = value_node(r, read_expression(r), &at);
    r->has_hint = false;
    r->place.draws = draws;
    reader_at(r, &at);
    if (r->g && !r->status && cr_param_init(param, value)) node_value(r, graph_error_node(r->g), &at);
}

/* A layer that is `like` another takes that one's parameter, which must be what it would have made. */
static cr_node shared_param(struct reader *r, const struct token *t, cr_dtype dtype, const struct shape *s) {
    struct cr_text name = text_make(&r->mem);
    text_str(&name, graph_text(r->g, r->place.like));
    text_bytes(&name, t->s, t->n);
    cr_node x = cr_find(r->g, cr_text_str(&name));
    struct shape have = ops_shape(x);
    struct shape_text a, b;
    if (name.failed) reader_no_memory(r);
    else if (!cr_ok(x)) reader_fail(r, CR_ENAME, t, "like: there is no parameter '%s'", cr_text_str(&name));
    else if (!shape_equal(&have, s) || cr_dtype_of(x) != dtype)
        reader_fail(r, CR_ESHAPE, t, "like: '%s' is %s%s, %s%s is needed here", cr_text_str(&name),
                    cr_dtype_name(cr_dtype_of(x)), ops_show(&a, &have), cr_dtype_name(dtype),
                    ops_show(&b, s));
    text_drop(&name);
    return x;
}

static cr_node make_leaf(struct reader *r, const struct token *t, bool param, cr_dtype dtype,
                         const struct shape *s) {
    const char *name = intern_bytes(r->names, intern_find(r->names, t->s, t->n));
    reader_at(r, t);
    return param ? cr_param(r->g, name, dtype, s->rank, s->dim)
                 : cr_input(r->g, name, dtype, s->rank, s->dim);
}

static const struct declared *given_leaf(struct reader *r, const struct token *t) {
    uint32_t text = intern_token(r, t);
    const struct known *k = r->m && !r->place.calls && text < r->m->known_n ? &r->m->known[text] : NULL;
    return k && k->declared ? &r->m->declared[k->declared - 1] : NULL;
}

/* Behind "input" or "param". */
static void read_declaration(struct reader *r, bool param) {
    struct token t = r->place.token;
    cr_dtype dtype;
    struct shape s;
    struct value v = open_value();
    if (t.kind != TOKEN_NAME) reader_unexpected(r, "a name");
    if (r->status || !check_new_name(r, &t)) return;
    reader_advance(r);
    if (!param && r->place.calls)
        reader_fail(r, CR_ESYNTAX, &t, "an input stands outside of functions: pass it as a parameter");
    r->declares = r->declares || !r->place.calls;
    if (!read_type(r, &t, given_leaf(r, &t), &dtype, &s)) return;
    bool shared = param && r->place.like && r->g;
    if (r->g)
        v = node_value(r, shared ? shared_param(r, &t, dtype, &s) : make_leaf(r, &t, param, dtype, &s), &t);
    if (reader_is(r, "=") && !param)
        reader_fail(r, CR_ESYNTAX, &r->place.token, "an input has no initial value: data are bound to it");
    if (param && reader_take(r, "=")) {
        const char *name = r->g && !r->status ? cr_name(v.node) : "";
        if (shared) {
            cr_graph *g = r->g;
            r->g = NULL, read_expression(r), r->g = g; /* it has one already */
        } else {
            read_initial(r, v.node, name);
        }
    }
    if (!r->status) add_name(r, &t, v);
}

/* ---- Statements ---- */

/* Outside of functions a name bound is a name of the node. */
static struct value note_name(struct reader *r, const struct token *t, struct value v) {
    char name[256];
    bool nodes = v.kind == VALUE_LIST && v.list->n && v.list->item[0].kind == VALUE_NODE;
    if (nodes || v.kind == VALUE_DTYPE) return v;
    if (t->n >= sizeof name) return reader_fail(r, CR_ELIMIT, t, "a name is too long");
    cr_node x = value_node(r, v, t);
    memcpy(name, t->s, t->n);
    name[t->n] = 0;
    reader_at(r, t);
    struct value named = r->status ? v : node_value(r, cr_named(x, name), t);
    return v.kind == VALUE_NODE ? named : v;
}

static struct value read_assignment(struct reader *r) {
    struct token t = r->place.token;
    if (!check_new_name(r, &t)) return (struct value){0};
    reader_advance(r);
    reader_advance(r);
    r->place.bound = t;
    r->place.alone = r->pendings;
    r->made_layer = false;
    struct value v = read_expression(r);
    r->place.bound.n = 0;
    if (!r->status && v.kind == VALUE_NOTHING) reader_fail(r, CR_ESYNTAX, &t, "there is no value to bind");
    if (r->g && !r->place.calls && !r->status) v = note_name(r, &t, v);
    if (!r->status && add_name(r, &t, v)) r->name[r->name_n - 1].layer = r->made_layer;
    return v;
}

static struct value read_statement(struct reader *r) {
    struct value nothing = {0};
    bool param = reader_is(r, "param");
    if (param || reader_is(r, "input")) return reader_advance(r), read_declaration(r, param), nothing;
    if (reader_is(r, "fn")) return read_function(r), nothing;
    if (r->place.token.kind == TOKEN_NAME && reader_then(r, "=")) return read_assignment(r);
    return read_expression(r);
}

/* What stands first in a statement of another language. */
static const char *other_statement(const struct token *t) {
    static const char *const words[][2] = {{"def", "a function is fn f(x) = expression"},
                                           {"function", "a function is fn f(x) = expression"},
                                           {"func", "a function is fn f(x) = expression"},
                                           {"lambda", "a function is fn f(x) = expression"},
                                           {"let", "a name is bound by name = value"},
                                           {"var", "a name is bound by name = value"},
                                           {"const", "a name is bound by name = value"},
                                           {"double", "a name is bound by name = value"},
                                           {"float", "a name is bound by name = value"},
                                           {"return", "the last expression is the value"},
                                           {"if", "a choice is where(condition, x, y)"},
                                           {"for", "there are no loops: ops work on whole tensors"},
                                           {"while", "there are no loops: ops work on whole tensors"},
                                           {"import", "there is nothing to import"},
                                           {"parameter", "a parameter is param name: f64[n] = value"},
                                           {"inputs", "an input is input name: f64[n]"},
                                           {"params", "a parameter is param name: f64[n] = value"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(t, words[i][0])) return words[i][1];
    return NULL;
}

static void refuse_rest(struct reader *r, const struct token *first) {
    const struct token *t = &r->place.token;
    const char *other = other_statement(first);
    bool value = t->kind == TOKEN_NAME || t->kind == TOKEN_NUMBER || token_is(t, "(");
    if (other) reader_fail(r, CR_ESYNTAX, first, "'%.*s': %s", (int)first->n, first->s, other);
    else if (token_is(t, "=")) reader_fail(r, CR_ESYNTAX, t, "only a name can be bound by =; equality is ==");
    else if (value)
        reader_unexpected(r, "an operator or the end of the statement (a product is written with *)");
    else reader_unexpected(r, "the end of the statement");
}

struct value read_statements(struct reader *r, const char *end) {
    struct value v = {0};
    while (!r->status) {
        while (r->place.token.kind == TOKEN_NEWLINE && !r->status) reader_advance(r);
        struct token first = r->place.token;
        if (r->status || first.kind == TOKEN_END || (end && reader_is(r, end))) break;
        struct value next = read_statement(r);
        if (next.kind != VALUE_NOTHING) v = next;
        if (r->status || r->place.token.kind == TOKEN_END || (end && reader_is(r, end))) break;
        if (r->place.token.kind != TOKEN_NEWLINE) refuse_rest(r, &first);
    }
    return v;
}
