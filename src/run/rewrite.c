/* The private graph of a program: a copy, rewritten on the way. What was replaced stays behind in it: then it is
 * copied once more. */
#include "rewrite/keep.h"
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

/* The roots of the first copy are the roots of the second. keeper: of loops there that keep functions; or NULL. */
static cr_graph *without_rest(const cr_graph *from, const struct copy_wish *wish, uint32_t *map, size_t count,
                              struct keeper *keeper) {
    uint32_t *root = mem_alloc(&from->mem, mem_mul(wish->n, sizeof *root)),
             *to = mem_alloc(&from->mem, mem_mul(from->count, sizeof *to));
    struct copy_wish all = {.n = wish->n, .root = root};
    cr_graph *g = NULL;
    if (keeper) all.before = rewrite_keep_before, all.instead = rewrite_keep_instead, all.maker = keeper;
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
        g = m.rest ? without_rest(first, &wish, map, from->count, NULL) : first;
    rewrite_end(&m.r);
    if (g != first) cr_graph_free(first);
    return g;
}

/* Takes the graph over. */
static cr_graph *keeping(cr_graph *g, const struct copy_wish *wish, uint32_t *map, size_t count) {
    struct keeper k;
    cr_graph *with = NULL, *clean = NULL;
    bool ok = rewrite_find_kept(&k, g), some = ok && k.n;
    if (some) with = without_rest(g, wish, map, count, &k);
    if (with && !with->status) clean = without_rest(with, wish, map, count, NULL);
    cr_graph_free(with);
    rewrite_drop_kept(&k);
    if (ok && !some) return g;
    cr_graph_free(g);
    return clean;
}

cr_graph *program_copy_keeping(const cr_graph *from, const struct copy_wish *wish, uint32_t *map,
                               const struct cr_options *options) {
    cr_graph *g = program_copy(from, wish, map, options);
    if (!g || (options && (options->reference || options->trap_nan || options->rewrite == REWRITE_NONE)))
        return g;
    return keeping(g, wish, map, from->count);
}

cr_graph *program_copy(const cr_graph *from, const struct copy_wish *wish, uint32_t *map,
                       const struct cr_options *options) {
    enum rewrite_level level = options ? options->rewrite : REWRITE_EXACT;
    if (options && (options->reference || options->trap_nan)) level = REWRITE_NONE;
    return level == REWRITE_NONE ? graph_copy(from, wish, map) : rewritten(from, *wish, map, level);
}
