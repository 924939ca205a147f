/* A graph's structure as words. Two graphs have the same words only if the program of one is the program of the other: nodes in
 * order, attributes, constants' bytes, shapes, dtypes, names, source positions, and functions by what they compute. */
#ifndef RUN_KEY_H
#define RUN_KEY_H

#include "graph/graph.h"

struct key {
    struct mem mem;
    uint64_t *word;
    size_t n, cap;
    struct intern large;   /* long attributes: referred to, as graphs do; none: not begun */
    uint64_t hash;         /* of the words; set by key_end */
    const cr_context *ctx; /* of the graph */
    bool alone;  /* something in it is of another context, which may go first: no key for others to find */
    bool failed; /* out of memory; sticks */
};

struct key key_make(const struct mem *m);
void key_drop(struct key *k);

void key_word(struct key *k, uint64_t word);
void key_text(struct key *k, const char *s);                         /* NULL is none, and not "" */
void key_attribute(struct key *k, const cr_graph *g, uint32_t attr); /* the bytes of this number */
/* What the roots need; map, of g->count entries, then has the number of each such node among them, 0 for the others. */
void key_graph(struct key *k, const cr_graph *g, size_t n, const uint32_t root[], uint32_t *map);
void key_end(struct key *k);

size_t key_bytes(const struct key *k); /* without what it refers to */
bool key_equal(const struct key *a, const struct key *b);

#endif
