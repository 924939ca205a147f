/* A function's graph again in double precision, node by node. */
#include "grad/wide.h"

#include "graph/copy.h"
#include "tensor/dtype.h"

static bool is_narrow(cr_dtype d) { return dtype_is_float(d) && d != CR_F64; }

/* Is anything in it, or in what it runs, narrower than f64? */
static bool has_narrow(const cr_function *f) {
    bool found = false;
    for (uint32_t id = 1; id < f->g->count && !found; id++) {
        const struct node *n = graph_at(f->g, id);
        found = is_narrow((cr_dtype)n->dtype);
        for (uint32_t i = 0; op_kind(n->op) == KIND_CONTROL && i < control_functions(f->g, n); i++)
            if (control_function(f->g, n, i)) found = found || has_narrow(control_function(f->g, n, i));
    }
    return found;
}

cr_function *wide_function(cr_graph *g, cr_function *f) {
    if (!has_narrow(f)) return f;
    if (!f->callback) return derive_wide(g, f);
    graph_fail(g, CR_EDTYPE, f->name,
               "a callback of numbers that are not f64 cannot be run in double precision");
    return NULL;
}

cr_node wide_control(cr_node y, const cr_node x[]) {
    enum { most = 2 };
    const struct node *n = graph_get(y);
    cr_graph *g = x[0].graph;
    cr_function *f[most] = {NULL};
    int functions = (int)control_functions(y.graph, n);
    size_t attr = graph_attr_count(y.graph, n) - 1 - (size_t)functions;
    for (int i = 0; i < functions && i < most; i++) {
        cr_function *narrow = control_function(y.graph, n, (uint32_t)i);
        f[i] = narrow ? wide_function(g, narrow) : NULL;
        if (narrow && !f[i]) return graph_error_node(g);
    }
    return control_node(g, n->op, functions, f, (int)attr, control_attr(y.graph, n), (int)n->n, x);
}

/* What is not computed from floats keeps its numbers. */
static cr_node wide_node(cr_graph *g, const cr_graph *from, uint32_t id, const uint32_t *map, cr_node x[]) {
    const struct node *n = graph_at(from, id);
    cr_dtype dtype = is_narrow((cr_dtype)n->dtype) ? CR_F64 : (cr_dtype)n->dtype;
    struct shape s = graph_shape(from, n);
    if (n->n == 0 || n->op == OP_uniform) return ops_to_dtype(graph_copy_node(g, from, id, map), dtype);
    for (uint32_t k = 0; k < n->n; k++) x[k] = graph_handle(g, map[graph_args(from, n)[k]]);
    if (n->op == OP_variable) return cr_variable(x[0]);
    if (op_kind(n->op) == KIND_CONTROL) return wide_control(graph_handle((cr_graph *)(uintptr_t)from, id), x);
    return ops_node(n->op, dtype, &s, (int)graph_attr_count(from, n), graph_attr(from, n), (int)n->n, x);
}

bool wide_inline(cr_graph *g, const cr_function *f, const cr_node x[], cr_node out[]) {
    size_t count = f->g->count, most = 1;
    for (uint32_t id = 1; id < count; id++)
        if (graph_at(f->g, id)->n > most) most = graph_at(f->g, id)->n;
    uint32_t *map = mem_zero(&g->mem, mem_mul(count, sizeof *map));
    cr_node *operand = mem_zero(&g->mem, mem_mul(most, sizeof *operand));
    if (!map || !operand) graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    for (uint32_t i = 0; i < f->n_in && !g->status; i++) map[f->in[i]] = x[i].id;
    for (uint32_t id = 1; id < count && !g->status; id++)
        if (!map[id]) map[id] = wide_node(g, f->g, id, map, operand).id;
    for (uint32_t i = 0; i < f->n_out; i++)
        out[i] = g->status ? graph_error_node(g) : graph_handle(g, map[f->out[i]]);
    if (operand) mem_free(&g->mem, operand, most * sizeof *operand);
    if (map) mem_free(&g->mem, map, count * sizeof *map);
    return g->status == CR_OK;
}
