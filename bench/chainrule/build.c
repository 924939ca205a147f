/* What does a node cost: to build a graph, append its gradient, and free it all? Nanoseconds a node.
 *
 *     build_chainrule chain     x -> sin -> sin .., 200,000 links, and its gradient
 *     build_chainrule mlp       the MLP's loss and its gradient by six parameters, a graph a call
 *     build_chainrule worked    loss = (w*x - y)^2 and dloss/dw, a graph a call
 *
 * A step of the protocol gives the number of nodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chainrule/mlp_graph.h"
#include "common/protocol.h"

static void chain(cr_graph *g) {
    enum { LINKS = 200000 };
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = x, dx;
    for (int i = 0; i < LINKS; i++) y = cr_sin(y);
    cr_grad(&dx, y, 1, &x);
}

static void mlp(cr_graph *g) {
    cr_node p[MLP_TENSORS], gradient[MLP_TENSORS];
    mlp_loss(g, 128, p, gradient);
}

static void worked(cr_graph *g) {
    cr_node w = cr_input(g, "w", CR_F64, 0, NULL), x = cr_input(g, "x", CR_F64, 0, NULL),
            y = cr_input(g, "y", CR_F64, 0, NULL), dw;
    cr_grad(&dw, cr_square(cr_sub(cr_mul(w, x), y)), 1, &w);
}

static const struct kind {
    const char *name;
    void (*build)(cr_graph *g);
    int graphs; /* built in a step */
} kinds[] = {{"chain", chain, 1}, {"mlp", mlp, 300}, {"worked", worked, 3000}};

struct side {
    const struct kind *kind;
    size_t nodes, bytes; /* of one graph */
};

static void once(struct side *s) {
    cr_graph *g = cr_graph_new(NULL);
    s->kind->build(g);
    if (cr_graph_status(g)) exit((fprintf(stderr, "build_chainrule: %s\n", cr_graph_error(g)), EXIT_FAILURE));
    s->nodes = cr_graph_count(g) - 1; /* but for node 0, which every graph has */
    s->bytes = cr_graph_bytes(g);
    cr_graph_free(g);
}

static void reset(void *self) { (void)self; }

static double step(void *self, size_t i) {
    struct side *s = self;
    (void)i;
    for (int k = 0; k < s->kind->graphs; k++) once(s);
    return (double)s->nodes;
}

int main(int count, char **word) {
    struct side s = {0};
    char note[80];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (count == 2 && !strcmp(word[1], kinds[i].name)) s.kind = &kinds[i];
    if (!s.kind) return fprintf(stderr, "usage: build_chainrule chain|mlp|worked\n"), 2;
    once(&s);
    snprintf(note, sizeof note, "%zu nodes, %zu bytes each", s.nodes, s.bytes / s.nodes);
    return protocol_serve(
        &(struct protocol_bench){"Chainrule", note, &s, reset, NULL, step, (double)s.nodes * s.kind->graphs});
}
