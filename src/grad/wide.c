/* A function's graph again in double precision, node by node. */
#include "grad/wide.h"

#include <string.h>

#include "graph/copy.h"
#include "tensor/dtype.h"

static bool is_narrow(cr_dtype d) { return dtype_is_float(d) && d != CR_F64; }

/* Is anything in it, or in what it runs, narrower than f64, or a stop_gradient that is to open? */
static bool changes(const cr_function *f, bool open) {
    bool found = false;
    for (uint32_t id = 1; id < f->g->count && !found; id++) {
        const struct node *n = graph_at(f->g, id);
        found = is_narrow((cr_dtype)n->dtype) || (open && n->op == OP_stop_gradient);
        for (uint32_t i = 0; op_kind(n->op) == KIND_CONTROL && i < control_functions(f->g, n); i++)
            if (control_function(f->g, n, i)) found = found || changes(control_function(f->g, n, i), open);
    }
    return found;
}

static cr_dtype narrower(cr_dtype a, cr_dtype b) {
    if (!is_narrow(b)) return a;
    return a == CR_F64 || (a == CR_F32 && b != CR_F32) ? b : a;
}

cr_dtype wide_narrowest(const cr_function *f, cr_dtype widest) {
    for (uint32_t id = 1; id < f->g->count; id++) {
        const struct node *n = graph_at(f->g, id);
        if (f->callback) widest = narrower(widest, (cr_dtype)n->dtype);
        for (uint32_t i = 0; op_kind(n->op) == KIND_CONTROL && i < control_functions(f->g, n); i++)
            if (control_function(f->g, n, i)) widest = wide_narrowest(control_function(f->g, n, i), widest);
    }
    return widest;
}

cr_function *wide_function(cr_graph *g, cr_function *f, bool open) {
    return changes(f, open) ? derive_wide(g, f, open) : f;
}

cr_node wide_part(cr_node y, int k) {
    cr_node part = cr_part(y, k);
    return cr_ok(part) && is_narrow(cr_dtype_of(part)) ? cr_cast(part, CR_F64) : part;
}

/* A callback is handed what it takes. */
static cr_node call_back(cr_function *f, cr_graph *g, const cr_node x[]) {
    cr_node y = graph_error_node(g), *own = mem_alloc(&g->mem, mem_mul(f->n_in, sizeof *own));
    if (!own) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    for (uint32_t i = 0; i < f->n_in; i++) own[i] = ops_to_dtype(x[i], (cr_dtype)function_in(f, i)->dtype);
    if (!g->status) y = control_node(g, OP_call, 1, &f, 0, NULL, (int)f->n_in, own);
    mem_free(&g->mem, own, f->n_in * sizeof *own);
    return y;
}

cr_node wide_control(cr_node y, const cr_node x[], bool open) {
    enum { most = 2 };
    const struct node *n = graph_get(y);
    cr_graph *g = x[0].graph;
    cr_function *f[most] = {NULL};
    int functions = (int)control_functions(y.graph, n);
    size_t attr = graph_attr_count(y.graph, n) - 1 - (size_t)functions;
    if (control_function(y.graph, n, 0)->callback) return call_back(control_function(y.graph, n, 0), g, x);
    for (int i = 0; i < functions && i < most; i++) {
        cr_function *narrow = control_function(y.graph, n, (uint32_t)i);
        f[i] = narrow ? wide_function(g, narrow, open) : NULL;
        if (narrow && !f[i]) return graph_error_node(g);
    }
    return control_node(g, n->op, functions, f, (int)attr, control_attr(y.graph, n), (int)n->n, x);
}

/* ---- A function, node by node ---- */

/* A graph in the making. */
struct widening {
    cr_graph *g;
    const cr_function *f;
    uint32_t *map;
    cr_node *x; /* operands of one node */
    bool open;
};

/* What is not computed from floats keeps its numbers. */
static cr_node wide_node(const struct widening *w, uint32_t id) {
    const cr_graph *from = w->f->g;
    const struct node *n = graph_at(from, id);
    cr_dtype dtype = is_narrow((cr_dtype)n->dtype) ? CR_F64 : (cr_dtype)n->dtype;
    struct shape s = graph_shape(from, n);
    if (n->n == 0 || n->op == OP_uniform) return ops_to_dtype(graph_copy_node(w->g, from, id, w->map), dtype);
    for (uint32_t k = 0; k < n->n; k++) w->x[k] = graph_handle(w->g, w->map[graph_args(from, n)[k]]);
    if (n->op == OP_variable) return cr_variable(w->x[0]);
    if (n->op == OP_stop_gradient && w->open) return w->x[0];
    if (n->op == OP_part) return wide_part(w->x[0], (int)graph_attr(from, n)[0]);
    if (op_kind(n->op) == KIND_CONTROL)
        return wide_control(graph_handle((cr_graph *)(uintptr_t)from, id), w->x, w->open);
    return ops_node(n->op, dtype, &s, (int)graph_attr_count(from, n), graph_attr(from, n), (int)n->n, w->x);
}

bool wide_inline(cr_graph *g, const cr_function *f, const cr_node x[], bool open, uint32_t map[]) {
    size_t count = f->g->count, most = 1;
    for (uint32_t id = 1; id < count; id++)
        if (graph_at(f->g, id)->n > most) most = graph_at(f->g, id)->n;
    struct widening w = {g, f, map, mem_zero(&g->mem, mem_mul(most, sizeof *w.x)), open};
    if (!w.x) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), false;
    memset(map, 0, count * sizeof *map);
    for (uint32_t i = 0; i < f->n_in && !g->status; i++) map[f->in[i]] = x[i].id;
    for (uint32_t id = 1; id < count && !g->status; id++)
        if (!map[id]) map[id] = wide_node(&w, id).id;
    mem_free(&g->mem, w.x, most * sizeof *w.x);
    return g->status == CR_OK;
}
