/* A private copy of what some nodes need. */
#ifndef GRAPH_COPY_H
#define GRAPH_COPY_H

#include "graph/graph.h"

struct copy_wish {
    size_t n;
    const uint32_t *root;
    /* Nodes whose value is there already: they become inputs named by their number, and what they need is
     * left out. May be NULL. */
    bool (*known)(void *user, uint32_t id);
    void *user;
    /* What takes the place of a node of the copy: one of the same dtype and shape, of nodes of the copy. May be NULL. */
    cr_node (*instead)(void *maker, cr_node y);
    /* Called before and after node id is copied: what the map says of its operands may be other nodes meanwhile. May be NULL. */
    void (*before)(void *maker, uint32_t id, uint32_t *map);
    void (*after)(void *maker, uint32_t *map);
    void *maker;
};

/* The copy, and in map (of from->count entries, the caller's) the new id of each node copied, 0 for the
 * others. NULL: out of memory. Names of nodes and first positions go along. */
cr_graph *graph_copy(const cr_graph *from, const struct copy_wish *wish, uint32_t *map);
/* The same into a graph that is empty. False: out of memory. */
bool graph_copy_into(cr_graph *to, const cr_graph *from, const struct copy_wish *wish, uint32_t *map);

/* Nodes in order of their numbers; in the memory of a graph. */
struct copy_list {
    uint32_t *id;
    size_t n, cap;
};
/* The same in time and memory of what is copied, which the list then holds, however large the graph: all of map is 0 before, and the
 * caller makes it so again, also on failure. */
cr_graph *graph_copy_few(const cr_graph *from, const struct copy_wish *wish, uint32_t *map,
                         struct copy_list *l);

/* Node id of `from` appended to `to`, where map says what its operands are, with its names and first position. A variable gets
 * a number of its own. */
cr_node graph_copy_node(cr_graph *to, const cr_graph *from, uint32_t id, const uint32_t *map);
/* A second copy of it, which is a node of its own, though an equal one is there; without names. */
cr_node graph_copy_again(cr_graph *to, const cr_graph *from, uint32_t id, const uint32_t *map);

#endif
