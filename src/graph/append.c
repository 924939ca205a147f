/* Appending nodes: equal ones are found again (hash-consing). */
#include "graph/graph.h"

#include <string.h>

static uint32_t mix(uint32_t h, uint32_t x) {
    uint64_t p = (uint64_t)(h ^ x) * 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio: Knuth, vol. 3, 6.4 */
    return (uint32_t)(p >> 32) ^ (uint32_t)p;
}

static uint32_t hash_node(const struct node *n, const uint32_t *args) {
    uint32_t h = (uint32_t)n->op << 16 | (uint32_t)n->dtype << 8 | n->weak;
    h = mix(mix(mix(h, n->shape), n->attr), n->n);
    for (uint32_t i = 0; i < n->n; i++) h = mix(h, args[i]);
    return h;
}

static bool same_node(const cr_graph *g, const struct node *a, const struct node *b, const uint32_t *b_args) {
    return a->op == b->op && a->dtype == b->dtype && a->weak == b->weak && a->shape == b->shape &&
           a->attr == b->attr && a->n == b->n &&
           (a->n == 0 || memcmp(graph_args(g, a), b_args, a->n * sizeof *b_args) == 0);
}

static bool rehash(cr_graph *g, size_t buckets) {
    uint32_t *b = mem_zero(&g->mem, mem_mul(buckets, sizeof *b));
    if (!b) return false;
    for (uint32_t id = 1; id < g->count; id++) {
        struct node *n = graph_at(g, id);
        uint32_t *head = &b[hash_node(n, graph_args(g, n)) & (buckets - 1)];
        n->next = *head;
        *head = id;
    }
    mem_free(&g->mem, g->bucket, g->buckets * sizeof *b);
    g->bucket = b;
    g->buckets = buckets;
    return true;
}

static bool grow(cr_graph *g) {
    if (g->count >= g->buckets && !rehash(g, g->buckets ? g->buckets * 2 : 64)) return false;
    if ((size_t)g->count < g->pages * page_nodes) return true;
    if (!mem_grow(&g->mem, &g->page, &g->page_cap, g->pages, sizeof *g->page)) return false;
    struct node *page = mem_alloc(&g->mem, page_nodes * sizeof *page);
    if (!page) return false;
    g->page[g->pages++] = page;
    return true;
}

static bool place_args(cr_graph *g, struct node *n, const uint32_t *args) {
    if (n->n <= node_inline) {
        for (uint32_t i = 0; i < n->n; i++) n->arg[i] = args[i];
        return true;
    }
    while (g->pool_cap - g->pool_n < n->n)
        if (!mem_grow(&g->mem, &g->pool, &g->pool_cap, g->pool_cap, sizeof *g->pool)) return false;
    memcpy(g->pool + g->pool_n, args, n->n * sizeof *args);
    n->arg[0] = (uint32_t)g->pool_n;
    g->pool_n += n->n;
    return true;
}

static cr_node no_memory(cr_graph *g) { return graph_fail(g, CR_ENOMEM, NULL, "out of memory"); }

static cr_node append(cr_graph *g, struct node *n, const uint32_t *args) {
    if (g->count == UINT32_MAX) return graph_fail(g, CR_ELIMIT, NULL, "more than 2^32 - 1 nodes");
    bool leaf = n->op == OP_input || n->op == OP_param;
    if (leaf && !mem_grow(&g->mem, &g->leaf, &g->leaf_cap, g->leaf_n, sizeof *g->leaf)) return no_memory(g);
    if (!grow(g) || !place_args(g, n, args)) return no_memory(g);
    uint32_t id = g->count++;
    if (leaf) g->leaf[g->leaf_n++] = id;
    if (id) {
        uint32_t *head = &g->bucket[hash_node(n, args) & (g->buckets - 1)];
        n->next = *head;
        *head = id;
    }
    *graph_at(g, id) = *n;
    return (cr_node){g, id, n->epoch};
}

static uint32_t find(const cr_graph *g, const struct node *n, const uint32_t *args) {
    uint32_t id = g->buckets ? g->bucket[hash_node(n, args) & (g->buckets - 1)] : 0;
    while (id && !same_node(g, graph_at(g, id), n, args)) id = graph_at(g, id)->next;
    return id;
}

static cr_node find_or_append(cr_graph *g, const struct make *m, uint32_t *args) {
    for (uint32_t i = 0; i < m->n; i++) args[i] = m->x[i].id;
    struct node n = {
        .op = (uint16_t)m->op, .dtype = (uint8_t)m->dtype, .weak = m->weak, .n = m->n, .epoch = g->epoch};
    n.shape = intern_put(&g->shape, m->dims, (size_t)m->rank * sizeof *m->dims);
    n.attr = intern_put(&g->attr, m->attr, m->n_attr * sizeof *m->attr);
    if (n.shape == intern_none || n.attr == intern_none) return no_memory(g);
    uint32_t id = find(g, &n, args);
    cr_node x = id ? graph_handle(g, id) : append(g, &n, args);
    if (x.id && g->line > 0 && !graph_note(g, x.id, NOTE_POSITION, g->file, g->line, g->column))
        return no_memory(g);
    return x;
}

cr_node graph_make(cr_graph *g, const struct make *m) {
    uint32_t few[8], *args = few;
    if (m->n > 8) args = mem_alloc(&g->mem, mem_mul(m->n, sizeof *args));
    if (!args) return no_memory(g);
    cr_node x = find_or_append(g, m, args);
    if (args != few) mem_free(&g->mem, args, m->n * sizeof *args);
    return x;
}

/* The newest node stands at the head of its chain, and its operands and notes at the ends of their lists. */
void graph_drop_last(cr_graph *g) {
    uint32_t id = g->count - 1;
    struct node *n = graph_at(g, id);
    g->bucket[hash_node(n, graph_args(g, n)) & (g->buckets - 1)] = n->next;
    if (n->n > node_inline) g->pool_n = n->arg[0];
    if (g->leaf_n && g->leaf[g->leaf_n - 1] == id) g->leaf_n--;
    while (g->note_n > 1 && g->note[g->note_n - 1].node == id) g->note_n--;
    g->count--;
}
