#include "run/cost.h"

#include "graph/function.h"
#include "ops/control.h"

static double size_of(const cr_graph *g, uint32_t id) { return (double)graph_elements(g, graph_at(g, id)); }

/* Steps times the body's. A body holds only what its results need. */
static double of_functions(const cr_graph *g, const struct node *n) {
    double steps = n->op == OP_scan ? (double)loop_attr(g, n).n : 1, body = 0;
    for (uint32_t k = 0; k < control_functions(g, n); k++)
        if (control_function(g, n, k)) body += cost_graph(control_function(g, n, k)->g);
    return steps * body;
}

double cost_node(const cr_graph *g, uint32_t id) {
    const struct node *n = graph_at(g, id);
    const uint32_t *x = graph_args(g, n);
    switch (op_kind(n->op)) {
    case KIND_ELEM: return size_of(g, id);
    case KIND_REDUCE: return size_of(g, x[0]);
    case KIND_CONTROL: return of_functions(g, n);
    case KIND_OPAQUE: break;
    default: return 0;
    }
    if (n->op == OP_matmul) {
        const struct node *a = graph_at(g, x[0]);
        double terms = (double)graph_dims(g, a)[graph_rank(g, a) - 1];
        return terms > 0 ? (2 * terms - 1) * size_of(g, id) : 0;
    }
    if (n->op == OP_gather || n->op == OP_concat || n->op == OP_unslice || n->op == OP_cast) return 0;
    double made = size_of(g, id),
           taken = n->n ? size_of(g, x[0]) : 0; /* scatter_add, running sums, extremes */
    return made > taken ? made : taken;
}

double cost_graph(const cr_graph *g) {
    double sum = 0;
    for (uint32_t id = 1; id < g->count; id++) sum += cost_node(g, id);
    return sum;
}

/* Does an earlier operand of the step, in order, stand in this slot? */
static bool read_before(const struct plan *p, const struct step *s, uint32_t upto, uint32_t arg,
                        uint32_t slot) {
    for (uint32_t i = 0; i <= upto; i++) {
        const struct node *n = graph_at(p->g, p->node[s->first + i]);
        for (uint32_t k = 0; k < (i < upto ? n->n : arg); k++)
            if (p->view[graph_args(p->g, n)[k]].slot == slot) return true;
    }
    return false;
}

/* Of a view no more than it has numbers. */
size_t cost_read(const struct plan *p, const struct step *s) {
    uint32_t step = (uint32_t)(s - p->step);
    size_t bytes = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct node *n = graph_at(p->g, p->node[s->first + i]);
        for (uint32_t k = 0; k < n->n; k++) {
            uint32_t id = graph_args(p->g, n)[k], slot = p->view[id].slot;
            if (slot == no_slot || p->step_of[id] == step || read_before(p, s, i, k, slot)) continue;
            if (plan_joined(p, p->node[s->first + i], k)) continue;
            size_t seen = plan_node_bytes(p->g, id), whole = p->slot[slot].bytes;
            bytes += seen < whole ? seen : whole;
        }
    }
    return bytes;
}

size_t cost_written(const struct plan *p, const struct step *s) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t id = p->node[s->first + i];
        const struct node *n = graph_at(p->g, id);
        if (p->view[id].slot != no_slot) bytes += plan_node_bytes(p->g, id);
        for (uint32_t k = 0; k < n->n; k++)
            if (plan_joined(p, id, k)) bytes -= plan_node_bytes(p->g, graph_args(p->g, n)[k]);
    }
    return bytes;
}
