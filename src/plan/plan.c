/* Planning, stage by stage. */
#include "plan/plan.h"

#include <string.h>

#include "tensor/dtype.h"

bool plan_elementwise(int op) { return op_kind(op) == KIND_ELEM || op == OP_cast; }

uint32_t plan_real(const cr_graph *g, uint32_t id) {
    while (graph_at(g, id)->op == OP_variable || graph_at(g, id)->op == OP_stop_gradient)
        id = graph_at(g, id)->arg[0];
    return id;
}

size_t plan_node_bytes(const cr_graph *g, uint32_t node) {
    const struct node *n = graph_at(g, node);
    if (ops_has_parts(n->op)) return ops_part_offset(g, n, ops_part_count(g, n), 0);
    return (size_t)graph_elements(g, n) * cr_dtype_size((cr_dtype)n->dtype);
}

const int64_t *plan_strides(const struct plan *p, uint32_t node) {
    return intern_bytes(&p->g->shape, p->view[node].stride);
}

bool plan_contiguous(const struct plan *p, uint32_t node) {
    struct shape s = graph_shape(p->g, graph_at(p->g, node));
    int64_t stride[CR_MAX_RANK];
    const int64_t *have = plan_strides(p, node);
    shape_strides(&s, stride);
    for (int i = 0; i < s.rank; i++)
        if (s.dim[i] != 1 && have[i] != stride[i]) return shape_count(s.rank, s.dim) == 0;
    return true;
}

/* An axis of one counts as neither; a reduction of nothing, or over axes of one alone, is none of these. */
enum fold_kind plan_fold(const cr_graph *g, uint32_t node, int64_t *rows, int64_t *run) {
    const struct node *n = graph_at(g, node);
    if (op_kind(n->op) != KIND_REDUCE) return FOLD_NO;
    struct shape s = graph_shape(g, graph_at(g, n->arg[0]));
    bool gone[CR_MAX_RANK] = {false}, before = false;
    int changes = 0, axes = 0;
    for (size_t i = 0; i < graph_attr_count(g, n); i++) gone[s.rank + graph_attr(g, n)[i]] = true;
    *rows = *run = 1;
    for (int i = 0; i < s.rank; i++) {
        if (s.dim[i] == 1) continue;
        if (axes++ && gone[i] != before) changes++, *rows *= *run, *run = 1;
        before = gone[i];
        *run *= s.dim[i];
    }
    if (*rows * *run <= 1 || changes > 1) return FOLD_NO;
    if (before) return FOLD_LINES;
    return changes ? FOLD_ROWS : FOLD_NO;
}

int64_t plan_fold_depth(const cr_graph *g, uint32_t node) {
    const struct node *n = graph_at(g, node);
    int64_t rows, run, results = graph_elements(g, n), terms = graph_elements(g, graph_at(g, n->arg[0]));
    switch (plan_fold(g, node, &rows, &run)) {
    case FOLD_LINES: { /* along a lane, the lanes by halves, the blocks */
        int64_t block = run < fold_block ? run : fold_block, halves = 0;
        for (int lanes = fold_lanes; lanes > 1; lanes /= 2) halves++;
        return (block - 1) / fold_lanes + 1 + halves + (run - 1) / fold_block + 1;
    }
    case FOLD_ROWS: return fold_rows + (rows - 1) / fold_rows + 1;
    case FOLD_NO: break;
    }
    return results ? terms / results : 0;
}

enum loop_role plan_role(const cr_graph *g, const struct step *loop, uint32_t node) {
    const struct node *n = graph_at(g, node);
    if (op_kind(n->op) == KIND_REDUCE) return ROLE_FOLD;
    return n->shape == loop->shape ? ROLE_WIDE : ROLE_NARROW;
}

cr_status plan_make(struct plan *p, cr_graph *g, const struct plan_wish *wish) {
    *p = (struct plan){.mem = g->mem, .g = g, .updates = wish->updates};
    p->view = mem_alloc(&p->mem, mem_mul(g->count, sizeof *p->view));
    p->step_of = mem_alloc(&p->mem, mem_mul(g->count, sizeof *p->step_of));
    p->update = mem_alloc(&p->mem, mem_mul(wish->updates, sizeof *p->update));
    if (!p->view || !p->step_of || !p->update) return CR_ENOMEM;
    for (uint32_t i = 0; i < g->count; i++) {
        p->view[i] = (struct view){.slot = no_slot};
        p->step_of[i] = no_slot;
    }
    if (wish->updates) memcpy(p->update, wish->update, wish->updates * sizeof *p->update);
    cr_status status = plan_steps(p, wish);
    if (!status && wish->group) status = plan_groups(p, wish);
    if (!status) status = plan_join(p, wish);
    return status ? status : plan_place(p, wish);
}

void plan_drop(struct plan *p) {
    if (!p->g) return;
    mem_free(&p->mem, p->view, p->g->count * sizeof *p->view);
    mem_free(&p->mem, p->step_of, p->g->count * sizeof *p->step_of);
    mem_free(&p->mem, p->update, p->updates * sizeof *p->update);
    mem_free(&p->mem, p->group, p->group_cap * sizeof *p->group);
    mem_free(&p->mem, p->slot, p->slot_cap * sizeof *p->slot);
    mem_free(&p->mem, p->step, p->step_cap * sizeof *p->step);
    mem_free(&p->mem, p->node, p->node_cap * sizeof *p->node);
    mem_free(&p->mem, p->pass, p->pass_cap * sizeof *p->pass);
    *p = (struct plan){.mem = p->mem};
}
