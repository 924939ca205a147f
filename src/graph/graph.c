/* A graph's life: made, marked, cut, freed; its first error. */
#include "graph/function.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"

cr_graph *cr_graph_new(cr_context *ctx) {
    struct mem m = context_mem(ctx);
    cr_graph *g = mem_zero(&m, sizeof *g);
    if (!g) return NULL;
    g->mem = m;
    g->ctx = ctx;
    g->default_float = CR_F64;
    g->error = text_make(&m);
    g->note_n = 1; /* note 0 is none */
    if (hash_init(&g->crowd, &m) && intern_init(&g->text, &m) && intern_init(&g->shape, &m) &&
        intern_init(&g->attr, &m) && graph_begin(g))
        return g;
    cr_graph_free(g);
    return NULL;
}

void cr_graph_free(cr_graph *g) {
    if (!g) return;
    struct mem m = g->mem;
    while (g->control_n) control_release(g, graph_at(g, g->control[--g->control_n]));
    mem_free(&m, g->control, g->control_cap * sizeof *g->control);
    derivations_drop(&g->chosen, &m);
    for (size_t i = 0, n; i < g->pages; i += n) {
        n = graph_block(i);
        mem_free(&m, g->page[i], n * page_nodes * sizeof(struct node));
    }
    mem_free(&m, g->page, g->page_cap * sizeof *g->page);
    hash_drop(&g->crowd, &m);
    mem_free(&m, g->pool, g->pool_cap * sizeof *g->pool);
    mem_free(&m, g->note, g->note_cap * sizeof *g->note);
    mem_free(&m, g->named, g->named_cap * sizeof *g->named);
    mem_free(&m, g->leaf, g->leaf_cap * sizeof *g->leaf);
    intern_drop(&g->text);
    intern_drop(&g->shape);
    intern_drop(&g->attr);
    text_drop(&g->error);
    mem_free(&m, g, sizeof *g);
}

const char *cr_graph_error(const cr_graph *g) {
    if (!g) return cr_status_text(CR_ENOMEM);
    if (!g->status) return NULL;
    return g->error.failed || !g->error.n ? cr_status_text(g->status) : cr_text_str(&g->error);
}

cr_status cr_graph_status(const cr_graph *g) { return g ? g->status : CR_ENOMEM; }

void cr_graph_clear_error(cr_graph *g) {
    if (!g) return;
    g->status = CR_OK;
    cr_text_clear(&g->error);
}

cr_status cr_graph_default_float(cr_graph *g, cr_dtype dtype) {
    if (!g || (dtype != CR_F32 && dtype != CR_F64)) return CR_EINVAL;
    g->default_float = dtype;
    return CR_OK;
}

size_t cr_graph_count(const cr_graph *g) { return g ? g->count : 0; }

static size_t intern_memory(const struct intern *in) {
    return in->held + in->cap * sizeof *in->entry + in->table.slots * sizeof *in->table.slot;
}

size_t cr_graph_bytes(const cr_graph *g) {
    if (!g) return 0;
    return sizeof *g + g->pages * page_nodes * sizeof(struct node) + g->page_cap * sizeof *g->page +
           g->crowd.slots * sizeof *g->crowd.slot + g->pool_cap * sizeof *g->pool +
           g->note_cap * sizeof *g->note + g->named_cap * sizeof *g->named + g->leaf_cap * sizeof *g->leaf +
           g->control_cap * sizeof *g->control + g->error.cap + intern_memory(&g->text) +
           intern_memory(&g->shape) + intern_memory(&g->attr);
}

cr_node graph_fail(cr_graph *g, cr_status status, const char *op, const char *format, ...) {
    if (!g || g->status) return graph_error_node(g);
    g->status = status;
    cr_text_clear(&g->error);
    if (g->line > 0) {
        if (g->file) text_add(&g->error, "%s:", graph_text(g, g->file));
        text_add(&g->error, g->column > 0 ? "%d:%d: " : "%d: ", g->line, g->column);
    }
    if (op) text_add(&g->error, "%s: ", op);
    char s[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(s, sizeof s, format, ap);
    va_end(ap);
    text_str(&g->error, s);
    return graph_error_node(g);
}

size_t cr_graph_mark(const cr_graph *g) { return g ? g->count : 0; }

cr_status cr_graph_cut(cr_graph *g, size_t mark) {
    if (!g || mark < 1 || mark > g->count) return CR_EINVAL;
    if (mark == g->count) return CR_OK;
    while (g->count > mark) graph_drop_last(g);
    g->epoch++;
    return CR_OK;
}
