/* Models and formulas: the public interface. */
#include "formula/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"

/* Layers that every model knows, in the language itself. */
static const char prelude[] =
    "fn dense(x, n) {\n"
    "    param W: dtype(x)[size(x, -1), n] = he_normal()\n"
    "    param b: dtype(x)[n] = 0\n"
    "    x @ W + b\n"
    "}\n"
    /* Schedules, factors of a learning rate: of step, over n steps. */
    "fn cosine(step, n) = 0.5*(1 + cos(pi*minimum(step/n, 1)))\n"
    "fn warmup(step, n) = minimum((step + 1)/n, 1)\n"
    "fn staircase(step, n, factor=0.5) = factor^(step//n)\n"
    /* Smith and Topin 2018: up over 3/10 of the steps, then down to nothing, by half cosines. */
    "fn one_cycle(step, n, start=0.04) = where(step < 0.3*n,\n"
    "    start + (1 - start)*0.5*(1 - cos(pi*step/(0.3*n))),\n"
    "    0.5*(1 + cos(pi*minimum((step - 0.3*n)/(0.7*n), 1))))\n";

static struct reader reader_make(cr_model *m, cr_graph *g, const struct mem *mem, const char *text,
                                 size_t size, const char *file, cr_text *why) {
    struct reader r = {.m = m, .g = g, .mem = *mem, .file = file, .why = why};
    r.lexer = lexer_make(text, size);
    return r;
}

static void read_prelude(struct reader *r, struct lexer *source) {
    struct lexer saved = r->lexer;
    *source = lexer_make(prelude, sizeof prelude - 1);
    r->source = source;
    r->lexer = *source;
    reader_advance(r);
    read_statements(r, NULL);
    r->lexer = saved;
}

static struct value read_all(struct reader *r) {
    struct lexer own = r->lexer, source;
    const char *file = r->file;
    r->file = "prelude";
    read_prelude(r, &source);
    r->file = file;
    r->source = &own;
    if (!r->status) reader_advance(r);
    struct value v = read_statements(r, NULL);
    if (!r->status && r->token.kind != TOKEN_END) reader_unexpected(r, "the end");
    if (r->g) cr_graph_at(r->g, NULL, 0, 0);
    return v;
}

/* ---- Models ---- */

void cr_model_free(cr_model *m) {
    if (!m) return;
    struct mem mem = m->mem;
    mem_free(&mem, m->text, m->text_room);
    mem_free(&mem, m->file, m->file_room);
    intern_drop(&m->names);
    mem_free(&mem, m->size, m->size_cap * sizeof *m->size);
    mem_free(&mem, m->declared, m->declared_cap * sizeof *m->declared);
    mem_free(&mem, m->free_name, m->free_cap * sizeof *m->free_name);
    mem_free(&mem, m->leaf, m->leaf_cap * sizeof *m->leaf);
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
    if (size > 16u << 20) return CR_ELIMIT; /* no model that a person wrote is larger than 16 MiB */
    struct mem mem = context_mem(ctx);
    cr_model *m = mem_zero(&mem, sizeof *m);
    if (!m) return CR_ENOMEM;
    m->mem = mem;
    if (!intern_init(&m->names, &mem) || !copy_text(m, text, size, name)) return cr_model_free(m), CR_ENOMEM;
    struct reader r = reader_make(m, NULL, &mem, m->text, m->text_size, m->file, why);
    read_all(&r);
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
    struct declared d = {.text = text, .param = param, .dtype = dtype, .shape = shape_of(rank, dims)};
    if (text == intern_none || !mem_grow(&m->mem, &m->declared, &m->declared_cap, m->declared_n, sizeof d))
        return CR_ENOMEM;
    for (size_t i = 0; i < m->declared_n; i++)
        if (m->declared[i].text == text) return m->declared[i] = d, CR_OK;
    m->declared[m->declared_n++] = d;
    return CR_OK;
}

cr_status cr_model_size(cr_model *m, const char *name, int64_t size) {
    if (!m || !name || size < 0) return CR_EINVAL;
    uint32_t text = intern_find(&m->names, name, strlen(name));
    for (size_t i = 0; i < m->sizes && text != intern_none; i++)
        if (m->size[i].text == text) {
            m->size[i] = (struct size){text, size, true};
            return CR_OK;
        }
    return CR_ENAME;
}

const char *cr_model_leaf(const cr_model *m, int i, bool *param, cr_dtype *dtype, int *rank) {
    if (!m || i < 0 || (size_t)i >= m->leaves) return NULL;
    const struct leaf *leaf = &m->leaf[i];
    if (param) *param = leaf->param;
    if (dtype) *dtype = leaf->dtype;
    if (rank) *rank = leaf->rank;
    return intern_bytes(&m->names, leaf->text);
}

void cr_model_training(cr_model *m, bool training) {
    if (m) m->training = training;
}

cr_status cr_model_build(cr_node *result, cr_model *m, cr_graph *g, cr_text *why) {
    if (result) *result = graph_error_node(g);
    if (!m || !g) return CR_EINVAL;
    if (g->status) return g->status;
    for (size_t i = 0; i < m->sizes; i++)
        if (!m->size[i].given) m->size[i].size = -1;
    struct reader r = reader_make(m, g, &m->mem, m->text, m->text_size, m->file, why);
    struct value v = read_all(&r);
    if (!r.status && v.kind != VALUE_NOTHING && result) {
        *result = value_node(&r, v, &r.token);
        if (!cr_ok(*result)) node_value(&r, *result, &r.token);
    }
    cr_status status = r.status;
    reader_free(&r);
    return status;
}

/* ---- One expression over a graph ---- */

cr_node cr_formula(cr_graph *g, const char *text) {
    if (!g || !text) return graph_error_node(g);
    if (g->status) return graph_error_node(g);
    struct cr_text why = text_make(&g->mem);
    struct reader r = reader_make(NULL, g, &g->mem, text, strlen(text), NULL, &why);
    struct value v = read_all(&r);
    cr_node x = r.status ? graph_error_node(g) : value_node(&r, v, &r.token);
    if (r.status && !g->status) graph_fail(g, r.status, NULL, "%s", cr_text_str(&why));
    reader_free(&r);
    text_drop(&why);
    return x;
}
