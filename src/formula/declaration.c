/* Declarations: inputs, parameters with their initial values, and what these become. */
#include <string.h>

#include "formula/model.h"

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

static void note_leaf(struct reader *r, const struct token *t, bool param, cr_dtype dtype, int rank) {
    cr_model *m = r->m;
    if (!m || r->g || r->place.calls) return;
    if (!mem_grow(&m->mem, &m->leaf, &m->leaf_cap, m->leaves, sizeof *m->leaf)) reader_no_memory(r);
    else m->leaf[m->leaves++] = (struct leaf){intern_token(r, t), param, dtype, rank};
}

/* Behind "input" or "param". */
void read_declaration(struct reader *r, bool param) {
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
    note_leaf(r, &t, param, dtype, s.rank);
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

/* update mean = expression: what the parameter becomes after a training step. */
void read_update(struct reader *r) {
    reader_advance(r);
    struct token t = r->place.token;
    reader_advance(r);
    reader_expect(r, "=", "behind the name of the parameter");
    bool known = r->status || find_bound(r, &t) || memchr(t.s, '.', t.n);
    if (!known) reader_fail(r, CR_ENAME, &t, "update: no parameter '%.*s' is declared here", (int)t.n, t.s);
    struct value param = find_name(r, &t);
    struct token first = r->place.token;
    cr_node value = value_node(r, read_expression(r), &first);
    if (!r->g || r->status) return;
    reader_at(r, &t);
    if (cr_param_update(value_node(r, param, &t), value)) node_value(r, graph_error_node(r->g), &t);
}

/* Words are parted where they would run together. */
static void keep_word(struct cr_text *text, const struct token *t) {
    static const char end = 0;
    const char *last = text->n ? cr_text_str(text) + text->n - 1 : &end;
    bool sign = t->kind == TOKEN_SIGN || *last == 0 || strchr("(),=", *last);
    if (!sign) text_char(text, ' ');
    text_bytes(text, t->s, t->n);
}

void read_optimiser(struct reader *r) {
    struct token word = r->place.token;
    bool keep = r->m && !r->g;
    int open = 0;
    if (r->place.calls || !r->m)
        reader_fail(r, CR_ESYNTAX, &word, "an optimiser is named in a model, outside of functions");
    else if (keep && r->m->optimiser.n)
        reader_fail(r, CR_ESYNTAX, &word, "there is an optimiser already, in line %d", r->m->optimiser_line);
    if (keep && !r->status) r->m->optimiser_line = word.line;
    for (reader_advance(r); !r->status; reader_advance(r)) {
        if (r->place.token.kind == TOKEN_NEWLINE || r->place.token.kind == TOKEN_END) break;
        open += reader_is(r, "(") - reader_is(r, ")");
        if (keep) keep_word(&r->m->optimiser, &r->place.token);
    }
    if (!r->status && open > 0) reader_fail(r, CR_ESYNTAX, &word, "expected ')' at the end of the optimiser");
    if (keep && r->m->optimiser.failed) reader_no_memory(r);
}
