/* A graph again in double precision. */
#include "explain/twin.h"

#include <stdio.h>

#include "graph/graph.h"
#include "ops/build.h"
#include "tensor/dtype.h"

static cr_dtype widened(cr_dtype d) { return dtype_is_float(d) ? CR_F64 : d; }

cr_status twin_open(struct twin *t, cr_context *ctx) {
    *t = (struct twin){.g = cr_graph_new(ctx)};
    if (!t->g) return CR_ENOMEM;
    t->mem = t->g->mem;
    return cr_eval_new(&t->e, t->g, NULL);
}

void twin_close(struct twin *t) {
    for (size_t i = 0; i < t->leaves; i++) cr_array_free(t->leaf[i].value);
    if (t->g) mem_free(&t->mem, t->leaf, t->cap * sizeof *t->leaf);
    cr_eval_free(t->e);
    cr_graph_free(t->g);
}

cr_status twin_add(struct twin *t, cr_node *out, cr_eval *from, cr_node x) {
    char name[24];
    cr_array *value = NULL, *wide = NULL;
    *out = graph_error_node(t->g);
    cr_status status = cr_eval_array(&value, from, x);
    if (!status) status = cr_array_cast(&wide, value, widened(cr_dtype_of(x)));
    cr_array_free(value);
    if (status) return status;
    if (!mem_grow(&t->mem, &t->leaf, &t->cap, t->leaves, sizeof *t->leaf))
        return cr_array_free(wide), CR_ENOMEM;
    snprintf(name, sizeof name, "v%zu", t->leaves);
    *out = cr_input(t->g, name, cr_array_dtype(wide), cr_array_rank(wide), cr_array_dims(wide));
    t->leaf[t->leaves++] = (struct twin_leaf){*out, wide};
    if (!cr_ok(*out)) return cr_graph_status(t->g);
    return cr_eval_set(t->e, *out, cr_array_dtype(wide), cr_array_data(wide), cr_array_bytes(wide));
}

cr_node twin_node(cr_node y, const cr_node x[]) {
    const struct node *n = graph_get(y);
    struct shape s = graph_shape(y.graph, n);
    return ops_node(n->op, widened((cr_dtype)n->dtype), &s, (int)graph_attr_count(y.graph, n),
                    graph_attr(y.graph, n), (int)n->n, x);
}
