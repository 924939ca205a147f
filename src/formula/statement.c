/* Statements: names bound once, and what is no statement. */
#include <string.h>

#include "formula/model.h"

/* ---- Statements ---- */

/* Outside of functions a name bound is a name of the node. */
static struct value note_name(struct reader *r, const struct token *t, struct value v) {
    bool nodes = v.kind == VALUE_LIST && v.list->n && v.list->item[0].kind == VALUE_NODE;
    if (nodes || v.kind == VALUE_DTYPE) return v;
    cr_node x = value_node(r, v, t);
    uint32_t text = r->status ? intern_none : intern_token(r, t);
    if (r->status) return v;
    reader_at(r, t);
    struct value named = node_value(r, cr_named(x, intern_bytes(r->names, text)), t);
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
    if (reader_is(r, "update") && reader_then_name(r)) return read_update(r), nothing;
    if (reader_is(r, "optimiser") && reader_then_name(r)) return read_optimiser(r), nothing;
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
                                           {"optimizer", "an optimiser is optimiser name(option=value)"},
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
