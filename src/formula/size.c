/* Types in declarations, and the sizes in them: integers, expressions of sizes, names that data gives numbers. */
#include <stdio.h>
#include <string.h>

#include "formula/model.h"
#include "tensor/dtype.h"

/* What the data shows, where an axis is declared as but a name. */
void sizes_from_data(cr_model *m) {
    for (size_t i = 0; i < m->known_n; i++)
        if (!m->known[i].size_given) m->known[i].number = -1, m->known[i].source = 0;
    for (size_t i = 0; i < m->axes; i++) {
        const struct axis_name *a = &m->axis[i];
        const struct known *leaf = a->leaf < m->known_n ? &m->known[a->leaf] : NULL;
        const struct declared *d = leaf && leaf->declared ? &m->declared[leaf->declared - 1] : NULL;
        struct known *size = &m->known[a->size];
        if (!d || a->axis >= d->shape.rank || size->number >= 0) continue;
        size->number = d->shape.dim[a->axis];
        size->source = a->leaf;
    }
}

/* Notes that this axis is called so. A name that nothing else has becomes the name of a size. */
static void note_axis(struct reader *r, const struct token *leaf, const struct token *t, int axis) {
    uint32_t text = intern_token(r, t), of = r->status ? intern_none : intern_token(r, leaf);
    cr_model *m = r->m;
    struct known *k = r->status ? NULL : model_known(m, text);
    if (r->status || !k || !mem_grow(&m->mem, &m->axis, &m->axis_cap, m->axes, sizeof *m->axis)) {
        reader_no_memory(r);
        return;
    }
    k->size = true;
    m->axis[m->axes++] = (struct axis_name){of, text, axis};
}

static bool single_name(const struct reader *r) {
    return r->place.token.kind == TOKEN_NAME && !reserved_word(&r->place.token) &&
           (reader_then(r, ",") || reader_then(r, "]"));
}

/* Who says that the size is what it is. */
static void told_by(const struct reader *r, const struct token *t, bool single, int64_t size, char *s,
                    size_t room) {
    uint32_t text = single && r->m ? intern_find(r->names, t->s, t->n) : intern_none;
    const struct known *k = text == intern_none || text >= r->m->known_n ? NULL : &r->m->known[text];
    if (!k || !k->size) snprintf(s, room, "%lld is declared", (long long)size);
    else if (k->size_given) snprintf(s, room, "%.*s is given as %lld", (int)t->n, t->s, (long long)size);
    else
        snprintf(s, room, "%.*s is %lld by %.40s", (int)t->n, t->s, (long long)size,
                 (const char *)intern_bytes(r->names, k->source));
}

/* shown: what the data has, or -1. */
static int64_t read_size(struct reader *r, const struct token *leaf, int axis, int64_t shown) {
    struct token t = r->place.token;
    bool single = single_name(r);
    if (single && !r->g && !r->place.calls && !find_bound(r, &t)) note_axis(r, leaf, &t, axis);
    r->in_size = true;
    struct value v = read_expression(r);
    r->in_size = false;
    char who[128];
    if (r->status || !r->g) return 1;
    if (v.kind != VALUE_NUMBER || !v.integer || v.number < 0)
        return reader_fail(r, CR_ESYNTAX, &t, "a size is an integer that is not negative"), 1;
    int64_t size = (int64_t)v.number;
    if (shown < 0 || shown == size) return size;
    told_by(r, &t, single, size, who, sizeof who);
    return reader_fail(r, CR_ESHAPE, &t, "axis %d of '%.*s' has size %lld, but %s", axis, (int)leaf->n,
                       leaf->s, (long long)shown, who),
           1;
}

static bool read_shape(struct reader *r, const struct token *leaf, const struct declared *given,
                       struct shape *s) {
    while (!r->status && !reader_is(r, "]")) {
        if (s->rank == CR_MAX_RANK)
            return reader_fail(r, CR_ELIMIT, &r->place.token, "rank above %d", CR_MAX_RANK), false;
        int64_t shown = given && s->rank < given->shape.rank ? given->shape.dim[s->rank] : -1;
        int64_t size = read_size(r, leaf, s->rank, shown);
        s->dim[s->rank++] = size;
        if (!reader_is(r, "]") && !reader_expect(r, ",", "between sizes, or ']'")) return false;
    }
    return reader_expect(r, "]", "to close the shape");
}

/* A function's parameter that stands for a dtype; in a dry reading it stands for anything. */
static bool dtype_of_name(struct reader *r, cr_dtype *dtype) {
    const struct name *n =
        r->place.calls && r->place.token.kind == TOKEN_NAME ? find_bound(r, &r->place.token) : NULL;
    if (!n || (r->g && n->value.kind != VALUE_DTYPE)) return false;
    if (r->g) *dtype = (cr_dtype)n->value.number;
    return reader_advance(r), true;
}

/* f32, or dtype(x): no expression, since x[...] would be an index. False: none is there. */
static bool read_dtype(struct reader *r, cr_dtype *dtype) {
    const struct token *t = &r->place.token;
    int known = t->kind == TOKEN_NAME ? dtype_parse(t->s, t->n) : -1;
    if (known >= 0) return *dtype = (cr_dtype)known, reader_advance(r), true;
    if (!reader_is(r, "dtype") || !reader_then(r, "(")) return dtype_of_name(r, dtype);
    reader_advance(r);
    reader_advance(r);
    struct token at = r->place.token;
    cr_node x = value_node(r, read_expression(r), &at);
    if (r->g && !r->status) *dtype = cr_dtype_of(x);
    return reader_expect(r, ")", "to close the '('");
}

/* ": f32[batch, 784]", or nothing: a scalar of the default float. */
bool read_type(struct reader *r, const struct token *leaf, const struct declared *given, cr_dtype *dtype,
               struct shape *s) {
    *s = (struct shape){0};
    *dtype = r->g ? r->g->default_float : CR_F64;
    if (!reader_take(r, ":")) return !r->status;
    bool has_dtype = read_dtype(r, dtype);
    if (!has_dtype && !reader_is(r, "["))
        reader_unexpected(r, "a dtype (bool, i32, i64, f16, bf16, f32, f64) or '['");
    if (reader_take(r, "[")) read_shape(r, leaf, given, s);
    if (r->g && !r->status && given && given->shape.rank != s->rank) {
        struct shape_text text;
        reader_fail(r, CR_ESHAPE, leaf, "'%.*s' is declared with rank %d, given as %s", (int)leaf->n, leaf->s,
                    s->rank, ops_show(&text, &given->shape));
    }
    return !r->status;
}
