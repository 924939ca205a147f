/* The private graph of a program: a copy, rewritten on the way. What was replaced stays behind in it: then it is
 * copied once more. */
#include "run/program.h"

struct maker {
    struct rewrite r;
    bool rest; /* there are nodes that nothing needs: what was replaced, or tried */
};

static cr_node simpler(void *maker, cr_node y) {
    struct maker *m = maker;
    uint32_t count = y.graph->count;
    cr_node x = rewrite_node(&m->r, y);
    m->rest = m->rest || !cr_same(x, y) || y.graph->count != count;
    return x;
}

/* The roots of the first copy are the roots of the second. */
static cr_graph *without_rest(const cr_graph *from, const struct copy_wish *wish, uint32_t *map,
                              size_t count) {
    uint32_t *root = mem_alloc(&from->mem, mem_mul(wish->n, sizeof *root)),
             *to = mem_alloc(&from->mem, mem_mul(from->count, sizeof *to));
    struct copy_wish all = {.n = wish->n, .root = root};
    cr_graph *g = NULL;
    if (root && to) {
        for (size_t i = 0; i < wish->n; i++) root[i] = map[wish->root[i]];
        g = graph_copy(from, &all, to);
        for (size_t id = 0; g && id < count; id++) map[id] = map[id] ? to[map[id]] : 0;
    }
    mem_free(&from->mem, to, from->count * sizeof *to);
    mem_free(&from->mem, root, wish->n * sizeof *root);
    return g;
}

static cr_graph *rewritten(const cr_graph *from, struct copy_wish wish, uint32_t *map,
                           enum rewrite_level level) {
    struct maker m = {.rest = false};
    cr_graph *first = cr_graph_new(from->ctx), *g = NULL;
    if (!first) return NULL;
    rewrite_begin(&m.r, first, 1, level);
    m.r.to_run = true;
    wish.instead = simpler;
    wish.maker = &m;
    if (graph_copy_into(first, from, &wish, map))
        g = m.rest ? without_rest(first, &wish, map, from->count) : first;
    rewrite_end(&m.r);
    if (g != first) cr_graph_free(first);
    return g;
}

cr_graph *program_copy(const cr_graph *from, const struct copy_wish *wish, uint32_t *map,
                       const struct cr_options *options) {
    enum rewrite_level level = options ? options->rewrite : REWRITE_EXACT;
    if (options && (options->reference || options->trap_nan)) level = REWRITE_NONE;
    return level == REWRITE_NONE ? graph_copy(from, wish, map) : rewritten(from, *wish, map, level);
}
