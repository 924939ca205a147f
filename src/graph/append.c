/* Appending nodes: equal ones are found again (hash-consing). A node's equal has the same newest operand, so it
 * is among that one's users. They stand in a list of their own: one to three nodes, mostly, that were made
 * together and are in the cache, where a hash table of a million nodes never is. What finds the list full (a
 * tensor that is sliced a thousand times), and leaves, which have no operand, are found by hash. */
#include "graph/function.h"

/* Odd 64-bit numbers, the first outputs of SplitMix64 from seed 0 (Steele, Lea, Flood 2014, fig. 16). */
static const uint64_t key[] = {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f5, 0x06c45d188009454f,
                               0xf88bb8a8724c81ed, 0x1b39896a51a8749b, 0x53cb9f0c747ea2eb};

/* Sums of products with random numbers, of which the higher bits are nearly as good as random (Dietzfelbinger
 * 1996, "Universal hashing and k-wise independent random variables via integer arithmetic"). */
static uint32_t hash_node(const struct node *n, const uint32_t *args) {
    const uint32_t turned = op_commutes(n->op) && args[0] > args[1];
    uint64_t h = (n->op | (uint32_t)n->dtype << 16 | (uint32_t)n->weak << 24) * key[0] + n->shape * key[1] +
                 n->attr * key[2];
    for (uint32_t i = 0; i < n->n; i++)
        h = i < 3 ? h + args[i ^ turned] * key[3 + i] : (h ^ h >> 32 ^ args[i]) * key[0];
    return (uint32_t)(h >> 32);
}

static bool same_node(const cr_graph *g, const struct node *a, const struct node *b, const uint32_t *b_args) {
    if (a->op != b->op || a->dtype != b->dtype || a->weak != b->weak || a->shape != b->shape ||
        a->attr != b->attr || a->n != b->n)
        return false;
    const uint32_t *a_args = graph_args(g, a);
    if (g->either && op_commutes(a->op) && a_args[0] == b_args[1] && a_args[1] == b_args[0]) return true;
    for (uint32_t i = 0; i < a->n; i++)
        if (a_args[i] != b_args[i]) return false;
    return true;
}

enum { most_pages = 128 }; /* of a block: 5.5 MiB */

/* Blocks double: 1, 1, 2, 4 .. pages. A large graph so stands in blocks that the system can map by huge pages. */
size_t graph_block(size_t pages) { return pages > most_pages ? most_pages : pages ? pages : 1; }

static bool grow(cr_graph *g) {
    if ((size_t)g->count < g->pages * page_nodes) return true;
    const size_t n = graph_block(g->pages);
    for (size_t i = 0; i < n; i++)
        if (!mem_grow(&g->mem, &g->page, &g->page_cap, g->pages + i, sizeof *g->page)) return false;
    struct node *block = mem_alloc_large(&g->mem, n * page_nodes * sizeof *block);
    if (!block) return false;
    for (size_t i = 0; i < n; i++) g->page[g->pages++] = block + i * page_nodes;
    return true;
}

/* Room for a node's operands: in itself, or at the end of the pool, where they stay if the node does. */
static uint32_t *room_for_args(cr_graph *g, struct node *n) {
    if (n->n <= node_inline) return n->arg;
    while (g->pool_cap - g->pool_n < n->n)
        if (!mem_grow(&g->mem, &g->pool, &g->pool_cap, g->pool_cap, sizeof *g->pool)) return NULL;
    n->arg[0] = (uint32_t)g->pool_n;
    return g->pool + g->pool_n;
}

static cr_node no_memory(cr_graph *g) { return graph_fail(g, CR_ENOMEM, NULL, "out of memory"); }

/* ---- Finding ---- */

enum { list_full = 8 };

/* Where a node belongs, and its equal if there is one. */
struct spot {
    struct node *newest; /* its newest operand */
    bool crowded;        /* there is none, or its list is full: by hash */
    uint32_t hash, equal;
};

static struct node *newest_operand(const cr_graph *g, const struct node *n, const uint32_t *args) {
    uint32_t newest = 0;
    for (uint32_t i = 0; i < n->n; i++)
        if (args[i] > newest) newest = args[i];
    return graph_at(g, newest);
}

static uint32_t find_in_crowd(const cr_graph *g, const struct node *n, const uint32_t *args, uint32_t hash) {
    size_t at = hash_start(&g->crowd, hash);
    for (uint32_t id; (id = hash_next(&g->crowd, hash, &at));)
        if (same_node(g, graph_at(g, id), n, args)) return id;
    return 0;
}

static struct spot find(const cr_graph *g, const struct node *n, const uint32_t *args) {
    struct spot s = {.newest = newest_operand(g, n, args)};
    int length = 0;
    for (uint32_t id = s.newest->user; id; id = graph_at(g, id)->next, length++)
        if (same_node(g, graph_at(g, id), n, args)) return s.equal = id, s;
    s.crowded = n->n == 0 || length >= list_full;
    if (!s.crowded) return s;
    s.hash = hash_node(n, args);
    s.equal = find_in_crowd(g, n, args, s.hash);
    return s;
}

/* ---- Appending ---- */

/* The candidate at the end of the graph becomes a node. */
static cr_node append(cr_graph *g, struct node *n, const struct spot *s) {
    if (g->count == UINT32_MAX) return graph_fail(g, CR_ELIMIT, NULL, "more than 2^32 - 1 nodes");
    bool leaf = n->op == OP_input || n->op == OP_param;
    if (leaf && !mem_grow(&g->mem, &g->leaf, &g->leaf_cap, g->leaf_n, sizeof *g->leaf)) return no_memory(g);
    if (s->crowded && !hash_reserve(&g->crowd, &g->mem)) return no_memory(g);
    bool control = op_kind(n->op) == KIND_CONTROL;
    if (control && !mem_grow(&g->mem, &g->control, &g->control_cap, g->control_n, sizeof *g->control))
        return no_memory(g);
    uint32_t id = g->count++;
    if (leaf) g->leaf[g->leaf_n++] = id;
    if (control) g->control[g->control_n++] = id, control_hold(g, n);
    if (n->n > node_inline) g->pool_n += n->n;
    if (s->crowded) hash_put(&g->crowd, s->hash, id);
    else n->next = s->newest->user, s->newest->user = id;
    return (cr_node){g, id, n->epoch};
}

bool graph_begin(cr_graph *g) {
    if (!grow(g)) return false;
    *graph_at(g, g->count++) = (struct node){.op = OP_error, .dtype = CR_F64};
    return true;
}

static uint32_t attr_number(cr_graph *g, const struct make *m) {
    size_t before = g->attr.n;
    if (m->attr_of)
        return graph_owned(g, &g->attr, before, intern_share(&g->attr, &m->attr_of->attr, m->attr_id));
    if (!m->n_attr) return 0;
    return graph_owned(g, &g->attr, before, intern_put(&g->attr, m->attr, m->n_attr * sizeof *m->attr));
}

cr_node graph_make(cr_graph *g, const struct make *m) {
    uint32_t attr = attr_number(g, m);
    if (m->shape == intern_none || attr == intern_none || !grow(g)) return no_memory(g);
    struct node *n = graph_at(g, g->count);
    *n = (struct node){.op = (uint16_t)m->op,
                       .dtype = (uint8_t)m->dtype,
                       .weak = m->weak,
                       .shape = m->shape,
                       .attr = attr,
                       .n = m->n,
                       .epoch = g->epoch};
    uint32_t *args = room_for_args(g, n);
    if (!args) return no_memory(g);
    for (uint32_t i = 0; i < m->n; i++) args[i] = m->x[i].id;
    struct spot s = find(g, n, args);
    cr_node x = s.equal && !m->anew ? graph_handle(g, s.equal) : append(g, n, &s);
    if (x.id && g->line > 0 && !graph_note(g, x.id, NOTE_POSITION, g->file, g->line, g->column))
        return no_memory(g);
    return x;
}

/* The newest node is the first of its list if it is in one; its operands and notes stand at the ends of theirs. */
void graph_drop_last(cr_graph *g) {
    uint32_t id = g->count - 1;
    struct node *n = graph_at(g, id);
    const uint32_t *args = graph_args(g, n);
    struct node *newest = newest_operand(g, n, args);
    if (newest->user == id) newest->user = n->next;
    else hash_remove(&g->crowd, hash_node(n, args), id);
    if (n->n > node_inline) g->pool_n = n->arg[0];
    if (g->leaf_n && g->leaf[g->leaf_n - 1] == id) g->leaf_n--;
    if (g->control_n && g->control[g->control_n - 1] == id) g->control_n--, control_release(g, n);
    while (g->attr.entry[g->attr.n - 1].owner == id) intern_pop(&g->attr);
    while (g->shape.entry[g->shape.n - 1].owner == id) intern_pop(&g->shape);
    while (g->note_n > 1 && g->note[g->note_n - 1].node == id) g->note_n--;
    g->count--;
}
