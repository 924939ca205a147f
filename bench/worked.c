/* The worked example: nanoseconds a cr_step, beside the same by hand; and building and differentiating a graph, nanoseconds a node. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <time.h>

#include "chainrule.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Value and gradient by hand, out of the compiler's sight. */
static volatile double hand_x = 1, hand_y = 2, hand_w = 1;
static double by_hand(double *dw) {
    double s = hand_w * hand_x - hand_y;
    *dw = 2 * s * hand_x;
    return s * s;
}

static void build(void) {
    enum { links = 200000 };
    double best = 1e9;
    size_t nodes = 0, bytes = 0;
    for (int round = 0; round < 5; round++) {
        double start = now();
        cr_graph *g = cr_graph_new(NULL);
        cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = x, d;
        for (int i = 0; i < links; i++) y = cr_sin(y);
        cr_grad(&d, y, 1, &x);
        nodes = cr_graph_count(g);
        bytes = cr_graph_bytes(g);
        double time = now() - start;
        if (time < best) best = time;
        cr_graph_free(g);
    }
    printf("building and differentiating %zu nodes: %.0f ns a node, %zu bytes a node\n", nodes,
           best / (double)nodes * 1e9, bytes / nodes);
}

int main(void) {
    enum { rounds = 15, steps = 200000 };
    double x = 1, y = 2, w = 1, loss = 0, dw = 0, best = 1e9, hand = 1e9, sum = 0;
    cr_graph *g = cr_graph_new(NULL);
    cr_store *store = NULL;
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_node nx = cr_input(g, "x", CR_F64, 0, NULL), ny = cr_input(g, "y", CR_F64, 0, NULL),
            nw = cr_param(g, "w", CR_F64, 0, NULL), nd;
    cr_node nl = cr_square(cr_sub(cr_mul(nw, nx), ny));
    cr_grad(&nd, nl, 1, &nw);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", nl);
    cr_target_output(t, "dw", nd);
    if (cr_compile(&p, t, NULL) || cr_store_new(&store, NULL) ||
        cr_store_set(store, "w", CR_F64, &w, sizeof w) || cr_run_new(&r, p, store, NULL, 0))
        return 1;
    cr_bind(r, "x", CR_F64, &x, sizeof x);
    cr_bind(r, "y", CR_F64, &y, sizeof y);
    cr_bind(r, "loss", CR_F64, &loss, sizeof loss);
    cr_bind(r, "dw", CR_F64, &dw, sizeof dw);
    for (int round = 0; round < rounds; round++) { /* both sides in turn */
        double start = now(), d;
        for (int i = 0; i < steps; i++) cr_step(r);
        double middle = now();
        for (int i = 0; i < steps; i++) sum += by_hand(&d);
        double end = now();
        if (middle - start < best) best = middle - start;
        if (end - middle < hand) hand = end - middle;
    }
    printf("worked example: cr_step %.1f ns, by hand %.2f ns (dw %g, %g)\n", best / steps * 1e9,
           hand / steps * 1e9, dw, sum > 0 ? dw : 0);
    cr_run_free(r);
    cr_program_free(p);
    cr_store_free(store);
    cr_target_free(t);
    cr_graph_free(g);
    build();
    return 0;
}
