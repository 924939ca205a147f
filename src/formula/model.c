/* Models and formulas: the public interface. */
#include "formula/model.h"
#include "formula/print.h"

#include <string.h>

#include "base/context.h"

/* A text in which functions may stand: kept while they are called. */
struct text {
    struct lexer *source;
    const char *at;
    size_t size;
    const char *file;
};

static void begin(struct reader *r, const struct text *t) {
    *t->source = lexer_make(t->at, t->size);
    r->words = t->size + most_words;
    r->place.lexer = *t->source;
    r->place.source = t->source;
    r->place.file = t->file;
    reader_advance(r);
}

/* What a text defines, without what it computes. */
static void read_functions(struct reader *r, const struct text *t) {
    begin(r, t);
    while (!r->status && r->place.token.kind != TOKEN_END) {
        if (r->place.token.kind == TOKEN_NEWLINE) reader_advance(r);
        else if (reader_is(r, "fn")) read_function(r);
        else
            while (!r->status && r->place.token.kind != TOKEN_END && r->place.token.kind != TOKEN_NEWLINE)
                reader_advance(r);
    }
}

/* With the functions of another text, or NULL, before it. */
static struct value read_all(struct reader *r, const struct text *functions, const struct text *t) {
    know_prelude(r);
    if (functions && !r->status) read_functions(r, functions);
    if (r->status) return (struct value){0};
    begin(r, t);
    struct value v = read_statements(r, NULL);
    if (!r->g) check_free_names(r);
    return v;
}

/* The last value as a node, with whatever the graph has against it. */
static cr_node read_result(struct reader *r, const struct text *functions, const struct text *t,
                           bool needed) {
    struct value v = read_all(r, functions, t);
    if (r->status || (v.kind == VALUE_NOTHING && !needed)) return graph_error_node(r->g);
    cr_node x = value_node(r, v, &r->place.token);
    if (!r->status) node_value(r, x, &r->place.token);
    return x;
}

/* ---- Models ---- */

void cr_model_free(cr_model *m) {
    if (!m) return;
    struct mem mem = m->mem;
    mem_free(&mem, m->text, m->text_room);
    mem_free(&mem, m->file, m->file_room);
    intern_drop(&m->names);
    mem_free(&mem, m->known, m->known_cap * sizeof *m->known);
    mem_free(&mem, m->axis, m->axis_cap * sizeof *m->axis);
    mem_free(&mem, m->declared, m->declared_cap * sizeof *m->declared);
    mem_free(&mem, m->free_name, m->free_cap * sizeof *m->free_name);
    mem_free(&mem, m->leaf, m->leaf_cap * sizeof *m->leaf);
    text_drop(&m->optimiser);
    mem_free(&mem, m, sizeof *m);
}

static bool copy_text(cr_model *m, const char *text, size_t size, const char *name) {
    m->text_room = size + 1;
    m->text = mem_alloc(&m->mem, m->text_room);
    m->file_room = name ? strlen(name) + 1 : 0;
    m->file = name ? mem_alloc(&m->mem, m->file_room) : NULL;
    if (!m->text || (name && !m->file)) return false;
    if (size) memcpy(m->text, text, size);
    m->text[size] = 0;
    m->text_size = size;
    if (name) memcpy(m->file, name, m->file_room);
    return true;
}

cr_status cr_model_new(cr_model **out, const char *text, size_t size, const char *name, cr_context *ctx,
                       cr_text *why) {
    if (out) *out = NULL;
    if (!out || (size && !text)) return CR_EINVAL;
    if (size > most_text) return CR_ELIMIT; /* no model that a person wrote is so long */
    struct mem mem = context_mem(ctx);
    cr_model *m = mem_zero(&mem, sizeof *m);
    if (!m) return CR_ENOMEM;
    m->mem = mem;
    m->optimiser = text_make(&mem);
    if (!intern_init(&m->names, &mem) || !copy_text(m, text, size, name)) return cr_model_free(m), CR_ENOMEM;
    struct reader r;
    reader_open(&r, m, NULL, &mem, why);
    read_all(&r, NULL, &(struct text){&r.text, m->text, m->text_size, m->file});
    cr_status status = r.status;
    reader_free(&r);
    if (status) return cr_model_free(m), status;
    *out = m;
    return CR_OK;
}

const char *cr_model_free_name(const cr_model *m, int i) {
    return m && i >= 0 && (size_t)i < m->free_n ? intern_bytes(&m->names, m->free_name[i]) : NULL;
}

cr_status cr_model_declare(cr_model *m, const char *name, bool param, cr_dtype dtype, int rank,
                           const int64_t dims[]) {
    if (!m || !name || !*name || rank < 0 || rank > CR_MAX_RANK || (rank && !dims)) return CR_EINVAL;
    uint32_t text = intern_put(&m->names, name, strlen(name));
    struct known *k = text == intern_none ? NULL : model_known(m, text);
    if (!k) return CR_ENOMEM;
    if (!k->declared) {
        if (!mem_grow(&m->mem, &m->declared, &m->declared_cap, m->declared_n, sizeof *m->declared))
            return CR_ENOMEM;
        k->declared = (uint32_t)++m->declared_n;
    }
    m->declared[k->declared - 1] = (struct declared){param, dtype, shape_of(rank, dims)};
    return CR_OK;
}

cr_status cr_model_size(cr_model *m, const char *name, int64_t size) {
    if (!m || !name || size < 0) return CR_EINVAL;
    uint32_t text = intern_find(&m->names, name, strlen(name));
    struct known *k = text == intern_none || text >= m->known_n ? NULL : &m->known[text];
    if (!k || !k->size) return CR_ENAME;
    k->number = size;
    k->size_given = true;
    return CR_OK;
}

const char *cr_model_leaf(const cr_model *m, int i, bool *param, cr_dtype *dtype, int *rank) {
    if (!m || i < 0 || (size_t)i >= m->leaves) return NULL;
    const struct leaf *leaf = &m->leaf[i];
    if (param) *param = leaf->param;
    if (dtype) *dtype = leaf->dtype;
    if (rank) *rank = leaf->rank;
    return intern_bytes(&m->names, leaf->text);
}

const char *cr_model_optimiser(const cr_model *m, int *line) {
    if (!m || !m->optimiser.n) return NULL;
    if (line) *line = m->optimiser_line;
    return cr_text_str(&m->optimiser);
}

void cr_model_training(cr_model *m, bool training) {
    if (m) m->training = training;
}

cr_status cr_model_build(cr_node *result, cr_model *m, cr_graph *g, cr_text *why) {
    struct reader r;
    if (result) *result = graph_error_node(g);
    if (!m || !g) return CR_EINVAL;
    if (g->status) return g->status;
    sizes_from_data(m);
    reader_open(&r, m, g, &m->mem, why);
    cr_node x = read_result(&r, NULL, &(struct text){&r.text, m->text, m->text_size, m->file}, false);
    if (result) *result = x;
    cr_graph_at(g, NULL, 0, 0);
    cr_status status = r.status;
    reader_free(&r);
    return status;
}

/* ---- One expression over a graph ---- */

/* With the line and the caret, where the graph has but the sentence. */
static void refuse(cr_graph *g, cr_status status, const cr_text *why) {
    const char *s = *cr_text_str(why) ? cr_text_str(why) : cr_status_text(status);
    cr_text_clear(&g->error);
    text_str(&g->error, s);
    g->status = status;
}

cr_node cr_formula(cr_graph *g, const char *text) { return cr_model_formula(NULL, g, text); }

cr_node cr_model_formula(const cr_model *m, cr_graph *g, const char *text) {
    struct reader r;
    struct lexer source;
    if (!g || g->status) return graph_error_node(g);
    if (!text) return graph_fail(g, CR_EINVAL, "formula", "there is no text: it is NULL");
    struct cr_text why = text_make(&g->mem);
    uint32_t file = g->file;
    int32_t line = g->line, column = g->column;
    cr_node x = graph_error_node(g);
    if (!reader_open(&r, NULL, g, &g->mem, &why)) r.status = CR_ENOMEM;
    else
        x = read_result(&r, m ? &(struct text){&source, m->text, m->text_size, m->file} : NULL,
                        &(struct text){&r.text, text, strlen(text), NULL}, true);
    if (r.status) refuse(g, r.status, &why);
    g->file = file, g->line = line, g->column = column; /* the caller's position again */
    reader_free(&r);
    text_drop(&why);
    return r.status ? graph_error_node(g) : x;
}
