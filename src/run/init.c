/* Initial values of parameters: a program of their own. */
#include <string.h>

#include "graph/graph.h"
#include "run/store.h"

/* Parameters that have an initial value and none in the store yet: each an output. */
static cr_status collect(cr_target *t, const cr_store *s, cr_graph *g) {
    for (uint32_t id = 1; id < g->count; id++) {
        cr_node start = graph_at(g, id)->op == OP_param ? graph_noted(g, id, NOTE_INIT) : graph_error_node(g);
        const char *name = cr_name(graph_handle(g, id));
        if (!cr_ok(start) || cr_store_data((cr_store *)(uintptr_t)s, name, NULL, NULL)) continue;
        cr_status status = cr_target_output(t, name, start);
        if (status) return status;
    }
    return CR_OK;
}

static cr_status compute(cr_run *r, cr_store *s, cr_graph *g) {
    cr_status status = CR_OK;
    for (uint32_t id = 1; id < g->count && !status; id++) {
        cr_node x = graph_handle(g, id);
        const char *name = cr_name(x);
        const struct node *n = graph_at(g, id);
        if (n->op != OP_param || !cr_ok(graph_noted(g, id, NOTE_INIT)) || cr_store_data(s, name, NULL, NULL))
            continue;
        size_t bytes = (size_t)cr_count(x) * cr_dtype_size(cr_dtype_of(x));
        status = cr_store_set_tensor(s, name, cr_dtype_of(x), cr_rank(x), cr_dims(x), NULL);
        if (!status) status = cr_bind(r, name, cr_dtype_of(x), cr_store_data(s, name, NULL, NULL), bytes);
    }
    return status ? status : cr_step(r);
}

cr_status cr_store_init(cr_store *s, cr_graph *g, int64_t seed) {
    if (!s || !g) return CR_EINVAL;
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_status status = t ? collect(t, s, g) : CR_ENOMEM;
    if (!status) status = cr_compile(&p, t, NULL);
    if (status) store_fail(s, status, cr_graph_error(g) ? cr_graph_error(g) : cr_status_text(status));
    if (!status) status = cr_run_new(&r, p, s, NULL, 0);
    if (!status) status = cr_run_seed(r, seed);
    if (!status && (status = compute(r, s, g)))
        store_fail(s, status, cr_run_error(r) ? cr_run_error(r) : cr_status_text(status));
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    return status;
}
