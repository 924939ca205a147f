/* Functions of a loop's steps that the loop keeps for the way back. */
#ifndef REWRITE_KEEP_H
#define REWRITE_KEEP_H

#include "graph/function.h"
#include "ops/build.h"

enum { rewrite_most_kept = 64 };

/* A loop and the way back along it, by their numbers in a graph. In a copy of it: what they are copied to, and what stands in their place. */
struct kept_loop {
    uint32_t forward, back;
    size_t n, more;              /* functions that are kept; results that only they make */
    int part[rewrite_most_kept]; /* what the loop in its place has them as */
    cr_function *with_results, *with_rows;
    uint32_t copied_forward, copied_back;
    cr_node now_forward, now_back;
};

struct keeper {
    struct mem mem;
    struct kept_loop *loop;
    size_t n, cap;
    uint32_t id; /* the node that is being copied */
};

/* False: out of memory. rewrite_drop_kept after either. */
bool rewrite_find_kept(struct keeper *k, const cr_graph *g);
void rewrite_drop_kept(struct keeper *k);
/* Of a copy of that graph, as graph_copy asks for them. */
void rewrite_keep_before(void *keeper, uint32_t id, uint32_t *map);
cr_node rewrite_keep_instead(void *keeper, cr_node y);

#endif
