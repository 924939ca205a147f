/* Functions: closed graphs that control ops refer to, and callbacks of the host. Frozen once made, shared by the graphs
 * and programs that use them. */
#ifndef GRAPH_FUNCTION_H
#define GRAPH_FUNCTION_H

#include <stdatomic.h>

#include "graph/graph.h"

/* A function that was asked for before: the same question gets the same one, so that equal nodes are one. */
struct derived {
    int64_t *question;
    size_t words;
    cr_function *function;
    cr_function *of[2]; /* whose addresses are in the question: they live as long; or NULL */
};

struct cr_function {
    struct mem mem;
    cr_context *ctx;
    atomic_uint holders;
    cr_graph *g; /* of a callback: inputs that show dtype and shape of its operands and results */
    uint32_t n_in, n_out;
    uint32_t *in, *out; /* nodes of g */
    struct derivations derived;
    cr_callback *callback; /* or NULL */
    cr_callback_vjp *vjp;
    cr_callback_jvp *jvp;
    void *user;
    char *name;  /* what its author calls it; NULL: nothing */
    double ulps; /* of a callback: how far its results are from exact, in units in the last place */
};

void function_hold(cr_function *f);
/* Called so, with what it is of that behind. False: out of memory. */
bool function_set_name(cr_function *f, const char *name, size_t n, const char *behind);
static inline const struct node *function_in(const cr_function *f, uint32_t i) {
    return graph_at(f->g, f->in[i]);
}
static inline const struct node *function_out(const cr_function *f, uint32_t i) {
    return graph_at(f->g, f->out[i]);
}

/* Appends to g what f does to the operands x, of its inputs' shapes and dtypes; out: f->n_out nodes. False: an error, which g
 * tells. Not of a callback. */
bool function_inline(cr_graph *g, const cr_function *f, const cr_node x[], cr_node out[]);

/* The function remembered under this question, or NULL; and remembering it, which takes the reference over. False: out of memory. */
cr_function *derivations_find(const struct derivations *d, size_t words, const int64_t question[]);
bool derivations_add(struct derivations *d, const struct mem *m, size_t words, const int64_t question[],
                     cr_function *f, cr_function *const of[2]);
void derivations_drop(struct derivations *d, const struct mem *m);

/* A callback alone, without what it calls: only a `call` node holds one. */
cr_status function_callback(cr_function **out, const char *name, int n_in, const cr_node in[], int n_out,
                            const cr_node results[]);

/* ---- Functions in nodes: the attributes of a control op start with their count, then the functions. ---- */

static inline uint32_t control_functions(const cr_graph *g, const struct node *n) {
    return (uint32_t)graph_attr(g, n)[0];
}
static inline cr_function *control_function(const cr_graph *g, const struct node *n, uint32_t i) {
    return (cr_function *)(uintptr_t)graph_attr(g, n)[1 + i]; /* NULL: this one is left out */
}
/* What stands behind the functions. */
static inline const int64_t *control_attr(const cr_graph *g, const struct node *n) {
    return graph_attr(g, n) + 1 + control_functions(g, n);
}
/* A node of a control op holds its functions while it lives. */
void control_hold(cr_graph *g, const struct node *n);
void control_release(cr_graph *g, const struct node *n);
/* What a person calls a node's op: a loop under a condition is a while, one without carries a map. */
static inline const char *control_name(const cr_graph *g, const struct node *n) {
    if (n->op != OP_scan) return op_name(n->op);
    return control_function(g, n, 1) ? "while" : control_attr(g, n)[1] ? "scan" : "map";
}

#endif
