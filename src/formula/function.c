/* Functions of the user and of the prelude. One that contains `param` is a layer: the name that its result is
 * bound to is the scope of its parameters. */
#include <string.h>

#include "formula/model.h"

/* Functions defined before the place where reading stands, so that none calls itself. */
const struct function *find_function(const struct reader *r, const struct token *t) {
    uint32_t text = intern_find(r->names, t->s, t->n);
    uint32_t i = text == intern_none || text >= r->function_of_cap ? 0 : r->function_of[text];
    while (i > r->place.visible) i = r->function[i - 1].hides;
    return i ? &r->function[i - 1] : NULL;
}

/* ---- Parameters ---- */

/* a: NULL in a definition, whose parameters are open. What is missing or given twice is told where it is called. */
struct binding {
    const struct arguments *a;
    int n; /* parameters so far */
    struct token missing, twice;
};

static bool given_argument(struct reader *r, struct binding *b, const struct token *parameter,
                           struct value *v) {
    const struct arguments *a = b->a;
    bool given = b->n < a->n;
    if (given) *v = argument(r, a, b->n)->value;
    for (int k = 0; k < a->keywords; k++) {
        struct operand *x = argument(r, a, a->n + k);
        if (!token_equal(&x->key, parameter)) continue;
        if (given) b->twice = *parameter;
        *v = x->value;
        given = true;
        x->part = 1; /* taken */
    }
    return given;
}

/* A parameter's value is the argument, or what stands behind its '=', read among the parameters before it. */
static void bind_parameter(struct reader *r, struct binding *b) {
    struct token parameter = r->place.token;
    struct value v = open_value();
    if (parameter.kind != TOKEN_NAME) {
        reader_unexpected(r, "the name of a parameter");
        return;
    }
    reader_advance(r);
    bool given = !b->a || given_argument(r, b, &parameter, &v);
    if (reader_take(r, "=")) {
        struct value fallback = read_expression(r);
        if (!given) v = fallback, given = true;
    }
    if (!given && !b->missing.n) b->missing = parameter;
    if (check_new_name(r, &parameter)) add_name(r, &parameter, v);
    b->n++;
}

struct token parameter_name(const struct function *f, int i) {
    struct lexer l = f->body;
    bool here = false;
    int depth = 0;
    for (struct token t = lexer_next(&l); t.kind != TOKEN_END && t.kind != TOKEN_BAD; t = lexer_next(&l)) {
        if (here && t.kind == TOKEN_NAME && i-- == 0) return t;
        depth += (token_is(&t, "(") || token_is(&t, "[")) - (token_is(&t, ")") || token_is(&t, "]"));
        here = depth == 1 && (token_is(&t, "(") || token_is(&t, ","));
        if (depth == 0) break;
    }
    return (struct token){0};
}

static bool bind_parameters(struct reader *r, struct binding *b) {
    reader_expect(r, "(", "behind the name of a function");
    while (!r->status && !reader_is(r, ")")) {
        bind_parameter(r, b);
        if (!reader_is(r, ")") && !reader_expect(r, ",", "between parameters, or ')'")) return false;
    }
    return reader_expect(r, ")", "to close the parameters");
}

static bool is_like(const struct token *key) { return token_is(key, "like"); }

static void check_arguments(struct reader *r, const struct function *f, const struct token *name,
                            const struct binding *b) {
    const struct arguments *a = b->a;
    int n = (int)name->n;
    if (b->missing.n)
        reader_fail(r, CR_EINVAL, name, "%.*s: '%.*s' is missing", n, name->s, (int)b->missing.n,
                    b->missing.s);
    if (b->twice.n)
        reader_fail(r, CR_EINVAL, name, "%.*s: '%.*s' is given twice", n, name->s, (int)b->twice.n,
                    b->twice.s);
    if (a->n > b->n)
        reader_fail(r, CR_EINVAL, name, "%.*s takes %d argument%s, found %d", n, name->s, b->n,
                    b->n == 1 ? "" : "s", a->n);
    for (int k = 0; k < a->keywords; k++) {
        const struct operand *x = argument(r, a, a->n + k);
        if (x->part == 0 && !(f->layer && is_like(&x->key)))
            reader_fail(r, CR_ENAME, &x->key, "%.*s has no parameter '%.*s'", n, name->s, (int)x->key.n,
                        x->key.s);
    }
}

static struct value read_body(struct reader *r) {
    if (reader_take(r, "{")) {
        struct value v = read_statements(r, "}");
        reader_expect(r, "}", "to close the body");
        return v;
    }
    reader_expect(r, "=", "before the body of a function");
    return read_expression(r);
}

/* ---- Layers ---- */

static bool ends_statement(const struct token *t) {
    return t->kind == TOKEN_END || t->kind == TOKEN_NEWLINE || token_is(t, "}");
}

static bool stands_alone(struct reader *r, const struct token *name) {
    const struct place *p = &r->place;
    if (p->bound.n && r->pendings == p->alone && ends_statement(&p->token)) return true;
    reader_fail(r, CR_EINVAL, name,
                "'%.*s' is a layer: it stands alone, as in h = %.*s(...), and h names its parameters",
                (int)name->n, name->s, (int)name->n, name->s);
    return false;
}

/* prefix + name + "." as a number of the graph's texts. */
static uint32_t scope_below(struct reader *r, uint32_t prefix, const struct token *name) {
    struct cr_text t = text_make(&r->mem);
    text_str(&t, graph_text(r->g, prefix));
    text_bytes(&t, name->s, name->n);
    text_char(&t, '.');
    uint32_t text = t.failed ? intern_none : intern_put(&r->g->text, cr_text_str(&t), t.n);
    text_drop(&t);
    if (text == intern_none) return reader_no_memory(r), 0;
    return text;
}

/* like=h shares h's parameters, and those of the layers in it. h is looked for where its own are. */
static uint32_t shared_scope(struct reader *r, const struct arguments *a) {
    uint32_t outer = r->place.like;
    for (int k = 0; k < a->keywords; k++) {
        const struct operand *x = argument(r, a, a->n + k);
        const struct name *h = is_like(&x->key) ? find_bound(r, &x->at) : NULL;
        if (!is_like(&x->key)) continue;
        if (!h || !h->layer)
            return reader_fail(r, CR_ENAME, &x->at, "like: '%.*s' is not the name of a layer", (int)x->at.n,
                               x->at.s),
                   0;
        return r->g ? scope_below(r, outer ? outer : r->g->scope, &x->at) : 0;
    }
    return outer && r->g ? scope_below(r, outer, &r->place.bound) : 0;
}

/* The scope of the layer whose name the statement binds. */
static bool enter_layer(struct reader *r, const struct arguments *a) {
    char scope[64];
    const struct token *bound = &r->place.bound;
    if (bound->n >= sizeof scope || memchr(bound->s, '.', bound->n))
        return reader_fail(r, CR_ELIMIT, bound, "a layer's name has at most %d letters, and no dot",
                           (int)sizeof scope - 1),
               false;
    memcpy(scope, bound->s, bound->n);
    scope[bound->n] = 0;
    uint32_t like = shared_scope(r, a);
    if (r->status || !r->g) return !r->status;
    if (cr_scope_enter(r->g, scope)) return reader_no_memory(r), false;
    r->place.like = like;
    r->place.draws = 0;
    return true;
}

/* ---- Calls ---- */

static void go_to(struct reader *r, const struct function *f) {
    struct place *p = &r->place;
    p->lexer = f->body;
    p->source = f->source;
    p->file = f->file;
    p->visible = (size_t)f->place;
    p->frame = r->name_n;
    p->bound = (struct token){0};
    p->calls++;
    reader_advance(r);
}

static void swap_places(struct place *a, struct place *b) {
    struct place c = *a;
    *a = *b;
    *b = c;
}

/* The text of the function, read with its parameters bound; then reading goes on where it was. */
static struct value read_there(struct reader *r, const struct function *f, const struct token *name,
                               struct binding *b) {
    struct place saved = r->place;
    struct value v = open_value();
    go_to(r, f);
    size_t frame = r->place.frame;
    if (bind_parameters(r, b) && b->a) {
        swap_places(&r->place, &saved);
        check_arguments(r, f, name, b);
        swap_places(&r->place, &saved);
        if (r->status) b->a = NULL; /* told at the call already */
    }
    if (!r->status && (r->g || !b->a)) v = read_body(r);
    drop_names(r, frame);
    saved.draws = r->place.draws;
    r->place = saved;
    return v;
}

/* In a dry reading the body is read once, where it is defined; a call only binds. */
struct value call_function(struct reader *r, const struct function *f, const struct token *name,
                           const struct arguments *a) {
    struct binding b = {.a = a};
    uint32_t draws = r->place.draws, like = r->place.like;
    if (r->place.calls == most_calls)
        return reader_fail(r, CR_ELIMIT, name, "calls nested more than %d deep", most_calls);
    if (f->layer && !(stands_alone(r, name) && enter_layer(r, a))) return (struct value){0};
    struct value v = read_there(r, f, name, &b);
    if (r->status && b.a && r->why)
        text_add(r->why, "\n  in %.*s, called in line %d", (int)name->n, name->s, name->line);
    if (f->layer) {
        if (r->g) cr_scope_leave(r->g);
        r->place.draws = draws;
        r->place.like = like;
    }
    r->made_layer = f->layer;
    return v;
}

/* ---- Definitions ---- */

/* To the end of the function, noting whether it is a layer. */
static void skip_body(struct reader *r, struct function *f) {
    bool braces = reader_is(r, "{"), param = false;
    for (int open = 0; !r->status && r->place.token.kind != TOKEN_END; reader_advance(r)) {
        const struct function *called =
            r->place.token.kind == TOKEN_NAME ? find_function(r, &r->place.token) : NULL;
        if (!braces && r->place.token.kind == TOKEN_NEWLINE) break;
        param = param || reader_is(r, "param") || (called && called->layer && reader_then(r, "("));
        open += reader_is(r, "{") - reader_is(r, "}");
        if (braces && open == 0) {
            reader_advance(r);
            break;
        }
    }
    f->layer = param;
}

static bool add_function(struct reader *r, struct function *f) {
    f->text = intern_token(r, &f->name);
    uint32_t *newest = r->status ? NULL : place_of(r, &r->function_of, &r->function_of_cap, f->text);
    if (!newest) return false;
    if (!mem_grow(&r->mem, &r->function, &r->function_cap, r->function_n, sizeof *f))
        return reader_no_memory(r), false;
    f->hides = *newest;
    f->place = (uint32_t)r->function_n;
    r->function[r->function_n++] = *f;
    *newest = (uint32_t)r->function_n;
    return true;
}

static void skip_parameters(struct reader *r) {
    reader_advance(r);
    for (int depth = 0; !r->status && r->place.token.kind != TOKEN_END; reader_advance(r)) {
        depth += reader_is(r, "(") - reader_is(r, ")");
        if (depth == 0) break;
    }
    reader_advance(r);
}

/* A dry reading with open parameters, so that a mistake is found though nobody calls. */
static void check_definition(struct reader *r, const struct function *f) {
    struct binding open = {0};
    cr_graph *g = r->g;
    if (r->m && g) return; /* done when the model was read */
    r->g = NULL;
    read_there(r, f, &f->name, &open);
    r->g = g;
}

/* fn name(parameters) = expression, or { statements; expression }. It may hide one of the prelude, or an op: so new
 * ones break no old model. */
void read_function(struct reader *r) {
    struct function f = {.file = r->place.file, .source = r->place.source};
    reader_advance(r);
    f.name = r->place.token;
    const struct function *same = f.name.kind == TOKEN_NAME ? find_function(r, &f.name) : NULL;
    if (f.name.kind != TOKEN_NAME || reserved_word(&f.name)) reader_unexpected(r, "the name of a function");
    else if (r->place.calls)
        reader_fail(r, CR_ESYNTAX, &f.name, "a function is defined outside of functions");
    else if (same && same->source == f.source)
        reader_fail(r, CR_ENAME, &f.name, "there is a function '%.*s' already", (int)f.name.n, f.name.s);
    if (r->status) return;
    f.body = r->place.lexer;
    f.place = (uint32_t)r->function_n;
    check_definition(r, &f);
    skip_parameters(r);
    if (!r->status) skip_body(r, &f);
    if (!r->status && add_function(r, &f)) r->place.visible = r->function_n;
}

void know_prelude(struct reader *r) {
    for (int i = 0; i < prelude_functions && !r->status; i++) {
        const struct prelude *p = &formula_prelude[i];
        struct lexer *source = &r->prelude[i], body;
        *source = body = lexer_make(p->text, strlen(p->text));
        body.s += strlen("fn ");
        r->place.source = source;
        struct function f = {.place = (uint32_t)r->function_n,
                             .name = lexer_next(&body),
                             .layer = p->layer,
                             .file = "prelude",
                             .source = source};
        f.body = body;
        add_function(r, &f);
    }
    r->place.visible = r->function_n;
}
