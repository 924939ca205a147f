/* Names: bound once, found in the same time however many there are, and what is said of those that are not. */
#include <string.h>

#include "formula/model.h"

uint32_t intern_token(struct reader *r, const struct token *t) {
    uint32_t text = intern_put(r->names, t->s, t->n);
    if (text == intern_none) reader_no_memory(r);
    return text;
}

uint32_t *place_of(struct reader *r, uint32_t **array, size_t *cap, uint32_t text) {
    size_t old = *cap;
    while (text >= *cap)
        if (!mem_grow(&r->mem, array, cap, *cap, sizeof **array)) return reader_no_memory(r), NULL;
    if (*cap > old) memset(*array + old, 0, (*cap - old) * sizeof **array);
    return &(*array)[text];
}

struct known *model_known(cr_model *m, uint32_t text) {
    while (text >= m->known_n) {
        if (!mem_grow(&m->mem, &m->known, &m->known_cap, m->known_n, sizeof *m->known)) return NULL;
        m->known[m->known_n++] = (struct known){.number = -1};
    }
    return &m->known[text];
}

static const struct known *known_token(const struct reader *r, const struct token *t) {
    uint32_t text = r->m ? intern_find(r->names, t->s, t->n) : intern_none;
    return text == intern_none || text >= r->m->known_n ? NULL : &r->m->known[text];
}

/* ---- Binding ---- */

/* A function sees its own names alone. */
struct name *find_bound(const struct reader *r, const struct token *t) {
    uint32_t text = intern_find(r->names, t->s, t->n);
    uint32_t i = text == intern_none || text >= r->name_of_cap ? 0 : r->name_of[text];
    return i > r->place.frame ? &r->name[i - 1] : NULL;
}

static struct name *push_name(struct reader *r, const struct token *t, struct value v) {
    uint32_t text = r->status ? intern_none : intern_token(r, t);
    uint32_t *newest = r->status ? NULL : place_of(r, &r->name_of, &r->name_of_cap, text);
    if (!newest) return NULL;
    if (!mem_grow(&r->mem, &r->name, &r->name_cap, r->name_n, sizeof *r->name))
        return reader_no_memory(r), NULL;
    r->name[r->name_n++] = (struct name){.text = text, .hides = *newest, .value = v, .at = *t};
    *newest = (uint32_t)r->name_n;
    return &r->name[r->name_n - 1];
}

bool add_name(struct reader *r, const struct token *t, struct value v) { return push_name(r, t, v) != NULL; }

void drop_names(struct reader *r, size_t from) {
    while (r->name_n > from) {
        const struct name *n = &r->name[--r->name_n];
        r->name_of[n->text] = n->hides;
    }
}

bool check_new_name(struct reader *r, const struct token *t) {
    const struct name *old = r->status ? NULL : find_bound(r, t);
    const struct known *k = known_token(r, t);
    int n = t->n > 60 ? 60 : (int)t->n;
    if (reserved_word(t)) reader_fail(r, CR_ENAME, t, "'%.*s' is reserved", n, t->s);
    else if (old && old->free)
        reader_fail(r, CR_ENAME, t, "'%.*s' is used in line %d already: a name is bound before its use", n,
                    t->s, old->at.line);
    else if (old) reader_fail(r, CR_ENAME, t, "'%.*s' is bound already: a name is bound once", n, t->s);
    else if (k && k->size && !r->place.calls)
        reader_fail(r, CR_ENAME, t, "'%.*s' is the name of a size already", n, t->s);
    return !r->status;
}

/* ---- Names without a meaning ---- */

/* Those bound, the sizes, and in the graph those with a dot, or where there is no model all. */
static const char *known_name(const void *user, size_t i) {
    const struct reader *r = user;
    size_t bound = r->name_n - r->place.frame, names = r->m ? r->m->known_n : 0;
    if (i < bound)
        return r->name[r->place.frame + i].free ? NULL
                                                : intern_bytes(r->names, r->name[r->place.frame + i].text);
    i -= bound;
    if (i < names) return r->m->known[i].size ? intern_bytes(r->names, (uint32_t)i) : NULL;
    i -= names;
    const char *s = graph_named(r->g, (uint32_t)i) ? graph_text(r->g, (uint32_t)i) : NULL;
    return s && (!r->m || strchr(s, '.')) ? s : NULL;
}

/* True, PI ... of other languages. */
static const char *other_word(const struct token *t) {
    static const char *const words[][2] = {
        {"True", "true"},   {"TRUE", "true"},    {"False", "false"}, {"FALSE", "false"}, {"Inf", "inf"},
        {"INF", "inf"},     {"Infinity", "inf"}, {"NaN", "nan"},     {"NAN", "nan"},     {"PI", "pi"},
        {"Pi", "pi"},       {"float", "f64"},    {"double", "f64"},  {"int", "i64"},     {"float32", "f32"},
        {"float64", "f64"}, {"int32", "i32"},    {"int64", "i64"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(t, words[i][0])) return words[i][1];
    return NULL;
}

/* x.T of a value that is no layer. */
static bool is_method(const struct reader *r, const struct token *t) {
    const char *dot = memchr(t->s, '.', t->n);
    struct token before = *t;
    before.n = dot ? (size_t)(dot - t->s) : 0;
    const struct name *n = dot ? find_bound(r, &before) : NULL;
    return dot && !(n && n->layer);
}

static struct value unknown(struct reader *r, const struct token *t) {
    size_t count = r->name_n - r->place.frame + (r->m ? r->m->known_n : 0) + (r->g ? r->g->text.n : 0);
    int n = t->n > 60 ? 60 : (int)t->n;
    const char *near = other_word(t);
    if (!near) near = call_nearest(t->s, t->n, known_name, r, count);
    if (!near && is_method(r, t))
        return reader_fail(r, CR_ENAME, t,
                           "unknown name '%.*s': functions stand before a value, as t(x) or sum(x)", n, t->s);
    return reader_fail(r, CR_ENAME, t, "unknown name '%.*s'%s%s%s%s", n, t->s, near ? ": did you mean " : "",
                       near ? near : "", near ? "?" : "",
                       near             ? ""
                       : r->place.calls ? ": a function sees its parameters, its own names and sizes"
                       : r->declares    ? ": a text that declares an input or parameter declares all of them"
                                        : "");
}

void check_free_names(struct reader *r) {
    for (size_t i = 0; i < r->name_n && !r->status; i++)
        if (r->name[i].free && (r->declares || other_word(&r->name[i].at))) unknown(r, &r->name[i].at);
}

/* ---- Finding ---- */

/* An f64 scalar, unless the caller has said what it is. */
static cr_node free_leaf(struct reader *r, uint32_t text) {
    const struct known *k = text < r->m->known_n ? &r->m->known[text] : NULL;
    const struct declared *d = k && k->declared ? &r->m->declared[k->declared - 1] : NULL;
    const char *name = intern_bytes(r->names, text);
    if (!d) return cr_input(r->g, name, CR_F64, 0, NULL);
    return d->param ? cr_param(r->g, name, d->dtype, d->shape.rank, d->shape.dim)
                    : cr_input(r->g, name, d->dtype, d->shape.rank, d->shape.dim);
}

/* In the brackets of a type a name is a size, which another declaration or the caller gives a number. */
static struct value size_name(struct reader *r, const struct token *t) {
    uint32_t text = intern_token(r, t);
    struct known *k = r->status ? NULL : model_known(r->m, text);
    if (!k) return reader_no_memory(r);
    k->size = true;
    return open_value();
}

/* A dry reading collects names that the text does not declare; a building one makes inputs of them. */
static struct value free_name(struct reader *r, const struct token *t) {
    cr_model *m = r->m;
    struct name *n = push_name(r, t, open_value());
    if (!n) return open_value();
    n->free = true;
    if (r->g) {
        reader_at(r, t);
        return n->value = node_value(r, free_leaf(r, n->text), t);
    }
    if (!mem_grow(&m->mem, &m->free_name, &m->free_cap, m->free_n, sizeof *m->free_name))
        return reader_no_memory(r);
    m->free_name[m->free_n++] = n->text;
    return open_value();
}

static struct value size_value(struct reader *r, const struct token *t, const struct known *size) {
    if (!r->g) return open_value();
    if (size->number >= 0) return number_value((double)size->number, true);
    return reader_fail(r, CR_EUNBOUND, t,
                       "the size '%.*s' is not known yet: bind an input that shows it, or give %.*s=...",
                       (int)t->n, t->s, (int)t->n, t->s);
}

/* A node of the graph: in the scope of the layer that is being read, as h.W in it. */
static struct value graph_node_value(struct reader *r, const struct token *t) {
    struct cr_text name = text_make(&r->mem);
    text_str(&name, graph_text(r->g, r->place.calls ? r->g->scope : 0));
    text_bytes(&name, t->s, t->n);
    cr_node x = cr_find(r->g, cr_text_str(&name));
    if (name.failed) reader_no_memory(r);
    text_drop(&name);
    return cr_ok(x) ? (struct value){.kind = VALUE_NODE, .node = x} : unknown(r, t);
}

struct value find_name(struct reader *r, const struct token *t) {
    const struct name *n = r->status ? NULL : find_bound(r, t);
    if (r->status) return (struct value){0};
    if (n) return n->value;
    const struct known *k = known_token(r, t);
    if (k && k->size) return size_value(r, t, k);
    if (!r->g && !r->m && !r->place.calls) return open_value();
    bool dotted = memchr(t->s, '.', t->n) != NULL;
    if (dotted && !r->g) return open_value(); /* a layer's parameter: known once it is built */
    if (dotted || (!r->m && !r->place.calls)) return graph_node_value(r, t);
    if ((r->m || r->place.calls) && token_is(t, "training"))
        return r->g ? (struct value){.kind = VALUE_BOOL, .number = r->m && r->m->training, .integer = true}
                    : open_value();
    if (r->place.calls) return unknown(r, t);
    return r->in_size && !r->g ? size_name(r, t) : free_name(r, t);
}
