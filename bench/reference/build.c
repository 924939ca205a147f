/* What must a node cost? The chain of build_chainrule and its gradient by hand, with no more than what makes
 * equal nodes one: a table of nodes in order, and a hash table that finds them. Nothing is checked, and there
 * is no op but those three. A step gives the number of nodes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"

enum { LINKS = 200000, INPUT = 1, ONE, SIN, COS, MUL };

struct node {
    uint32_t op, a, b, next;
};

struct graph {
    struct node *node;
    uint32_t *bucket;
    uint32_t count, capacity; /* as many buckets */
};

static uint32_t hash(struct node n) {
    uint64_t h = ((uint64_t)n.op << 58) ^ ((uint64_t)n.a << 29) ^ n.b;
    return (uint32_t)((h * 0x9E3779B97F4A7C15u) >> 32); /* 2^64 / golden ratio: Knuth, vol. 3, 6.4 */
}

static void link_node(struct graph *g, uint32_t id) {
    uint32_t *head = &g->bucket[hash(g->node[id]) & (g->capacity - 1)];
    g->node[id].next = *head;
    *head = id;
}

static void grow(struct graph *g) {
    g->capacity = g->capacity ? 2 * g->capacity : 64;
    g->node = realloc(g->node, g->capacity * sizeof *g->node);
    free(g->bucket);
    g->bucket = calloc(g->capacity, sizeof *g->bucket);
    if (!g->node || !g->bucket) abort();
    for (uint32_t id = 1; id < g->count; id++) link_node(g, id);
}

static uint32_t node(struct graph *g, uint32_t op, uint32_t a, uint32_t b) {
    struct node n = {op, a, b, 0};
    uint32_t id = g->capacity ? g->bucket[hash(n) & (g->capacity - 1)] : 0;
    while (id && (g->node[id].op != op || g->node[id].a != a || g->node[id].b != b)) id = g->node[id].next;
    if (id) return id;
    if (g->count >= g->capacity) grow(g);
    g->node[g->count] = n;
    link_node(g, g->count);
    return g->count++;
}

static double step(void *self, size_t i) {
    struct graph g = {.count = 1};
    (void)self, (void)i;
    uint32_t x = node(&g, INPUT, 0, 0), y = x;
    for (int k = 0; k < LINKS; k++) y = node(&g, SIN, y, 0);
    uint32_t bar = node(&g, ONE, 0, 0);
    for (uint32_t id = y; id > x; id--) { /* the links are neighbours */
        uint32_t local = node(&g, COS, g.node[id].a, 0);
        bar = id == y ? local : node(&g, MUL, bar, local);
    }
    uint32_t count = g.count - 1;
    free(g.node);
    free(g.bucket);
    return count;
}

static void reset(void *self) { (void)self; }

int main(void) {
    double nodes = step(NULL, 0);
    char note[80];
    snprintf(note, sizeof note, "%.0f nodes", nodes);
    return protocol_serve(&(struct protocol_bench){"C", note, NULL, reset, NULL, step, nodes});
}
