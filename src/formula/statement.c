/* Statements: declarations, functions, names bound once. */
#include <string.h>

#include "formula/model.h"
#include "tensor/dtype.h"

/* ---- Names ---- */

static bool same(const char *s, size_t n, const struct token *t) {
    return n == t->n && memcmp(s, t->s, n) == 0;
}

static struct name *lookup(struct reader *r, const struct token *t) {
    for (size_t i = r->names; i-- > r->frame;) /* a function sees its own names alone */
        if (same(r->name[i].s, r->name[i].n, t)) return &r->name[i];
    return NULL;
}

static uint32_t intern_token(struct reader *r, const struct token *t) {
    uint32_t text = intern_put(&r->m->names, t->s, t->n);
    if (text == intern_none) reader_fail(r, CR_ENOMEM, t, "out of memory");
    return text;
}

bool add_name(struct reader *r, const struct token *t, struct value v) {
    if (r->status) return false;
    if (!mem_grow(&r->mem, &r->name, &r->name_cap, r->names, sizeof *r->name))
        return reader_fail(r, CR_ENOMEM, t, "out of memory"), false;
    r->name[r->names++] = (struct name){t->s, t->n, v};
    return !r->m || intern_token(r, t) != intern_none;
}

struct function *find_function(struct reader *r, const struct token *t) {
    for (size_t i = r->functions; i-- > 0;)
        if (same(r->function[i].s, r->function[i].n, t)) return &r->function[i];
    return NULL;
}

static const char *known_name(const void *user, size_t i) {
    const struct reader *r = user;
    uint32_t text = intern_find(&r->m->names, r->name[i].s, r->name[i].n);
    return text == intern_none ? NULL : intern_bytes(&r->m->names, text);
}

static const char *graph_name(const void *user, size_t i) {
    const cr_graph *g = user;
    return i < g->text.n && graph_named(g, (uint32_t)i) ? graph_text(g, (uint32_t)i) : NULL;
}

static struct value unknown(struct reader *r, const struct token *t) {
    const char *near = r->m ? call_nearest(t->s, t->n, known_name, r, r->names)
                            : call_nearest(t->s, t->n, graph_name, r->g, r->g->text.n);
    return reader_fail(r, CR_ENAME, t, "unknown name '%.*s'%s%s%s", t->n > 60 ? 60 : (int)t->n, t->s,
                       near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}

static struct declared *find_declared(struct cr_model *m, uint32_t text) {
    for (size_t i = 0; i < m->declared_n; i++)
        if (m->declared[i].text == text) return &m->declared[i];
    return NULL;
}

static struct size *find_size(struct cr_model *m, uint32_t text) {
    for (size_t i = 0; i < m->sizes; i++)
        if (m->size[i].text == text) return &m->size[i];
    return NULL;
}

/* A dry reading collects names that the text does not declare; a building one makes inputs of them. */
static struct value free_name(struct reader *r, const struct token *t) {
    uint32_t text = intern_token(r, t);
    struct cr_model *m = r->m;
    struct value v = {.kind = VALUE_NODE};
    if (r->status) return v;
    if (!r->g) {
        if (!mem_grow(&m->mem, &m->free_name, &m->free_cap, m->free_n, sizeof *m->free_name))
            return reader_fail(r, CR_ENOMEM, t, "out of memory");
        m->free_name[m->free_n++] = text;
    } else {
        const struct declared *d = find_declared(m, text);
        const char *name = intern_bytes(&m->names, text);
        reader_at(r, t);
        v = node_value(r,
                       d && d->param ? cr_param(r->g, name, d->dtype, d->shape.rank, d->shape.dim)
                       : d           ? cr_input(r->g, name, d->dtype, d->shape.rank, d->shape.dim)
                                     : cr_input(r->g, name, CR_F64, 0, NULL),
                       t);
    }
    struct name bound = {t->s, t->n, v};
    if (r->status || !mem_grow(&r->mem, &r->name, &r->name_cap, r->names, sizeof *r->name)) return v;
    r->name[r->names++] = bound;
    return v;
}

struct value find_name(struct reader *r, const struct token *t) {
    struct name *n = lookup(r, t);
    if (r->status) return (struct value){0};
    if (n) return n->value;
    if (!r->m) {
        uint32_t text = intern_find(&r->g->text, t->s, t->n),
                 id = text == intern_none ? 0 : graph_named(r->g, text);
        return id ? (struct value){.kind = VALUE_NODE, .node = graph_handle(r->g, id)} : unknown(r, t);
    }
    uint32_t text = intern_find(&r->m->names, t->s, t->n);
    struct size *size = text == intern_none ? NULL : find_size(r->m, text);
    if (size && size->size >= 0) return number_value((double)size->size, true);
    if (size && !r->g) return number_value(1, true);
    if (size)
        return reader_fail(r, CR_EUNBOUND, t, "the size '%.*s' is not known yet: give it a number", (int)t->n,
                           t->s);
    if (memchr(t->s, '.', t->n))
        return r->g ? unknown(r, t)
                    : (struct value){.kind = VALUE_NODE}; /* a layer's parameter: known once built */
    if (token_is(t, "training"))
        return (struct value){.kind = VALUE_BOOL, .number = r->m->training, .integer = true};
    if (r->in_function) return unknown(r, t);
    return free_name(r, t);
}

/* ---- Declarations ---- */

/* A size in a declaration: an integer, an expression of sizes, or a new name. `shown` is what the data has,
 * or -1. */
static int64_t read_size(struct reader *r, int64_t shown) {
    struct token t = r->token;
    if (t.kind == TOKEN_NAME && r->m && !lookup(r, &t)) {
        struct lexer ahead = r->lexer;
        struct token next = lexer_next(&ahead);
        uint32_t text = intern_token(r, &t);
        struct size *size = r->status ? NULL : find_size(r->m, text);
        if (!r->status && !size && (token_is(&next, ",") || token_is(&next, "]"))) {
            if (!mem_grow(&r->m->mem, &r->m->size, &r->m->size_cap, r->m->sizes, sizeof *size))
                return reader_fail(r, CR_ENOMEM, &t, "out of memory"), 1;
            size = &r->m->size[r->m->sizes++];
            *size = (struct size){text, -1, false};
        }
        if (size && size->size < 0 && shown >= 0) size->size = shown;
    }
    struct value v = read_expression(r);
    if (r->status) return 1;
    if (v.kind != VALUE_NUMBER || !v.integer || v.number < 0)
        return reader_fail(r, CR_ESYNTAX, &t, "a size is an integer that is not negative"), 1;
    if (r->g && shown >= 0 && shown != (int64_t)v.number)
        return reader_fail(r, CR_ESHAPE, &t, "size %lld is declared here, %lld given", (long long)v.number,
                           (long long)shown),
               1;
    return (int64_t)v.number;
}

/* ": f32[batch, 784]", or nothing: a scalar of the default float. */
static bool read_type(struct reader *r, const struct declared *given, cr_dtype *dtype, struct shape *s) {
    bool has_dtype = false;
    *s = (struct shape){0};
    if (reader_take(r, ":")) {
        struct token t = r->token;
        int known = t.kind == TOKEN_NAME ? dtype_parse(t.s, t.n) : -1;
        if (known >= 0) *dtype = (cr_dtype)known, has_dtype = true, reader_advance(r);
        else if (reader_is(r, "dtype")) {
            reader_advance(r);
            struct value v = read_call(r, &t);
            if (v.kind == VALUE_DTYPE) *dtype = (cr_dtype)v.number, has_dtype = true;
        } else if (!reader_is(r, "[")) {
            return reader_unexpected(r, "a dtype (bool, i32, i64, f16, bf16, f32, f64) or '['"), false;
        }
        if (reader_take(r, "[")) {
            while (!r->status && !reader_is(r, "]")) {
                if (s->rank == CR_MAX_RANK)
                    return reader_fail(r, CR_ELIMIT, &r->token, "rank above %d", CR_MAX_RANK), false;
                int64_t size =
                    read_size(r, given && s->rank < given->shape.rank ? given->shape.dim[s->rank] : -1);
                s->dim[s->rank++] = size;
                if (!reader_is(r, "]") && !reader_expect(r, ",", "between sizes, or ']'")) return false;
            }
            reader_expect(r, "]", "to close the shape");
        }
    }
    if (!has_dtype) *dtype = r->g ? r->g->default_float : CR_F64;
    return !r->status;
}

static void read_initial(struct reader *r, cr_node param, const char *name) {
    struct token at = r->token;
    r->has_hint = true;
    r->hint = ops_shape(param);
    r->hint_dtype = cr_dtype_of(param);
    r->hint_key = intern_hash(name, strlen(name));
    cr_node value = value_node(r, read_expression(r), &at);
    r->has_hint = false;
    reader_at(r, &at);
    if (r->g && !r->status && cr_param_init(param, value)) node_value(r, graph_error_node(r->g), &at);
}

/* A layer that is `like` another takes that one's parameter. */
static cr_node shared_param(struct reader *r, const struct token *t) {
    struct cr_text name = text_make(&r->mem);
    text_bytes(&name, r->like, r->like_n);
    text_char(&name, '.');
    text_bytes(&name, t->s, t->n);
    cr_node x = cr_find(r->g, cr_text_str(&name));
    if (!cr_ok(x)) reader_fail(r, CR_ENAME, t, "like: there is no parameter '%s'", cr_text_str(&name));
    text_drop(&name);
    return x;
}

static void note_leaf(struct reader *r, const struct token *at, struct leaf leaf) {
    struct cr_model *m = r->m;
    if (!m || r->g || r->in_function) return;
    if (!mem_grow(&m->mem, &m->leaf, &m->leaf_cap, m->leaves, sizeof leaf))
        reader_fail(r, CR_ENOMEM, at, "out of memory");
    else m->leaf[m->leaves++] = leaf;
}

static void read_declaration(struct reader *r, bool param) {
    cr_dtype dtype = CR_F64;
    struct shape s;
    reader_advance(r);
    struct token t = r->token;
    if (t.kind != TOKEN_NAME) {
        reader_unexpected(r, "a name");
        return;
    }
    if (lookup(r, &t)) {
        reader_fail(r, CR_ENAME, &t, "'%.*s' is bound already: a name is bound once", (int)t.n, t.s);
        return;
    }
    reader_advance(r);
    uint32_t text = r->m ? intern_token(r, &t) : intern_none;
    const struct declared *given = r->m && !r->status ? find_declared(r->m, text) : NULL;
    bool shared = param && r->in_function && r->like && r->g;
    if (r->status || !read_type(r, given, &dtype, &s)) return;
    note_leaf(r, &t, (struct leaf){text, param, dtype, s.rank});
    if (given && r->g && given->shape.rank != s.rank) {
        reader_fail(r, CR_ESHAPE, &t, "'%.*s' is declared with rank %d, given with rank %d", (int)t.n, t.s,
                    s.rank, given->shape.rank);
        return;
    }
    struct value v = {.kind = VALUE_NODE};
    const char *name = r->m && text != intern_none ? intern_bytes(&r->m->names, text) : "";
    reader_at(r, &t);
    if (shared) v.node = shared_param(r, &t);
    else if (r->g)
        v = node_value(r,
                       param ? cr_param(r->g, name, dtype, s.rank, s.dim)
                             : cr_input(r->g, name, dtype, s.rank, s.dim),
                       &t);
    if (reader_is(r, "=") && !param) reader_fail(r, CR_ESYNTAX, &r->token, "an input has no initial value");
    if (param && reader_take(r, "=")) {
        const char *full = r->g && !r->status ? cr_name(v.node) : name;
        if (shared) read_expression(r);
        else read_initial(r, v.node, full ? full : name);
    }
    add_name(r, &t, v);
}

/* fn name(parameters) = expression, or { statements; expression }: skipped here, read at each call. */
static void read_function(struct reader *r) {
    reader_advance(r);
    struct token t = r->token;
    if (t.kind != TOKEN_NAME) {
        reader_unexpected(r, "the name of a function");
        return;
    }
    if (find_function(r, &t) || call_find(t.s, t.n) >= 0) {
        reader_fail(r, CR_ENAME, &t, "there is a function '%.*s' already", (int)t.n, t.s);
        return;
    }
    struct function f = {.s = t.s, .n = t.n, .body = r->lexer, .file = r->file, .source = r->source};
    reader_advance(r);
    int braces = 0;
    bool seen = false;
    while (!r->status && r->token.kind != TOKEN_END &&
           !(braces == 0 && seen && r->token.kind == TOKEN_NEWLINE)) {
        f.layer = f.layer || reader_is(r, "param");
        braces += reader_is(r, "{") - reader_is(r, "}");
        seen = seen || reader_is(r, "=") || reader_is(r, "}");
        const struct function *called = r->token.kind == TOKEN_NAME ? find_function(r, &r->token) : NULL;
        f.layer = f.layer || (called && called->layer);
        if (braces < 0) break;
        reader_advance(r);
    }
    if (r->status) return;
    if (braces) reader_unexpected(r, "'}' to close the body of a function");
    else if (!mem_grow(&r->mem, &r->function, &r->function_cap, r->functions, sizeof f))
        reader_fail(r, CR_ENOMEM, &t, "out of memory");
    else r->function[r->functions++] = f;
}

/* ---- Statements ---- */

static bool assignment_ahead(const struct reader *r) {
    struct lexer ahead = r->lexer;
    if (r->token.kind != TOKEN_NAME) return false;
    struct token next = lexer_next(&ahead);
    return token_is(&next, "=");
}

static struct value bind(struct reader *r, const struct token *t, struct value v) {
    if (r->g && !r->in_function && v.kind != VALUE_NOTHING && v.kind != VALUE_DTYPE) {
        char name[256];
        if (v.kind == VALUE_LIST && v.list->n && v.list->item[0].kind == VALUE_NODE)
            return add_name(r, t, v), v;
        cr_node x = value_node(r, v, t);
        if (t->n >= sizeof name) return reader_fail(r, CR_ELIMIT, t, "a name is too long");
        memcpy(name, t->s, t->n);
        name[t->n] = 0;
        reader_at(r, t);
        struct value named = r->status ? v : node_value(r, cr_named(x, name), t);
        if (v.kind == VALUE_NODE) v = named;
    }
    add_name(r, t, v);
    return v;
}

static struct value read_assignment(struct reader *r) {
    struct token t = r->token;
    struct value dtype;
    (void)dtype;
    if (lookup(r, &t))
        return reader_fail(r, CR_ENAME, &t, "'%.*s' is bound already: a name is bound once", (int)t.n, t.s);
    static const char *const words[] = {"pi", "inf", "nan", "true", "false", "None"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(&t, words[i])) return reader_fail(r, CR_ENAME, &t, "'%s' is reserved", words[i]);
    reader_advance(r);
    reader_advance(r);
    r->bound = t.s;
    r->bound_n = t.n;
    r->layer_allowed = true;
    struct value v = read_expression(r);
    r->layer_allowed = false;
    r->bound = NULL;
    return r->status ? v : bind(r, &t, v);
}

static struct value read_statement(struct reader *r) {
    struct value nothing = {0};
    if (reader_is(r, "input") || reader_is(r, "param")) {
        struct lexer ahead = r->lexer;
        struct token next = lexer_next(&ahead);
        if (next.kind == TOKEN_NAME) return read_declaration(r, token_is(&r->token, "param")), nothing;
    }
    if (reader_is(r, "fn")) return read_function(r), nothing;
    if (assignment_ahead(r)) return read_assignment(r);
    return read_expression(r);
}

struct value read_statements(struct reader *r, const char *end) {
    struct value v = {0};
    while (!r->status) {
        while (r->token.kind == TOKEN_NEWLINE && !r->status) reader_advance(r);
        if (r->status || r->token.kind == TOKEN_END || (end && reader_is(r, end))) break;
        struct value next = read_statement(r);
        if (next.kind != VALUE_NOTHING) v = next;
        if (r->status || r->token.kind == TOKEN_END || (end && reader_is(r, end))) break;
        if (r->token.kind == TOKEN_NAME || r->token.kind == TOKEN_NUMBER)
            return reader_unexpected(r,
                                     "an operator or the end of the statement (a product is written with *)");
        if (r->token.kind != TOKEN_NEWLINE) return reader_unexpected(r, "the end of the statement");
    }
    return v;
}
