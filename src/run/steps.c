/* Running the steps of a program. */
#include <string.h>

#include "device/kernels.h"
#include "run/program.h"
#include "tensor/dtype.h"

struct tensor program_tensor(const cr_program *p, uint32_t node, char *const slot[]) {
    const struct node *n = graph_at(p->g, node);
    const struct view *v = &p->plan.view[node];
    struct tensor t = {.dtype = (cr_dtype)n->dtype,
                       .rank = graph_rank(p->g, n),
                       .dim = graph_dims(p->g, n),
                       .stride = plan_strides(&p->plan, node)};
    if (slot) t.data = slot[v->slot] + v->offset * (int64_t)cr_dtype_size(t.dtype);
    return t;
}

static cr_status run_kernel(const cr_program *p, struct place_of_run *r, uint32_t id) {
    const struct node *n = graph_at(p->g, id);
    struct kernel_call c = {.op = n->op,
                            .attr = graph_attr(p->g, n),
                            .n = n->n,
                            .in = r->operand,
                            .out = program_tensor(p, id, r->slot),
                            .team = &r->team};
    for (uint32_t k = 0; k < n->n; k++) r->operand[k] = program_tensor(p, graph_args(p->g, n)[k], r->slot);
    c.out_part[0] = c.out.data;
    size_t first = (size_t)graph_elements(p->g, n) * cr_dtype_size((cr_dtype)n->dtype);
    c.out_part[1] = (char *)c.out.data + ((first + 63) & ~(size_t)63);
    cr_status status = kernel_find(n->op)(&c);
    r->bad_node = id;
    r->bad = c.bad;
    r->limit = c.limit;
    return status;
}

static void run_reduce(const cr_program *p, struct place_of_run *r, uint32_t id) {
    const struct node *n = graph_at(p->g, id);
    struct reduce_call c = {.op = n->op, .in = program_tensor(p, n->arg[0], r->slot), .team = &r->team};
    for (size_t i = 0; i < graph_attr_count(p->g, n); i++)
        c.reduced[c.in.rank + graph_attr(p->g, n)[i]] = true;
    c.out = program_tensor(p, id, r->slot).data;
    cpu_reduce(&c);
}

static void run_copy(const cr_program *p, struct place_of_run *r, uint32_t id) {
    struct tensor in = program_tensor(p, graph_at(p->g, id)->arg[0], r->slot),
                  out = program_tensor(p, id, r->slot);
    copy_strided(out.data, in.data, cr_dtype_size(in.dtype), in.rank, in.dim, in.stride);
}

static cr_status run_step(const cr_program *p, struct place_of_run *r, size_t s) {
    const struct step *step = &p->plan.step[s];
    uint32_t id = p->plan.node[step->first];
    switch (step->kind) {
    case STEP_LOOP: cpu_loop(&p->loop[s], p->fn + step->first, r->slot, &r->team); return CR_OK;
    case STEP_REDUCE: run_reduce(p, r, id); return CR_OK;
    case STEP_COPY: run_copy(p, r, id); return CR_OK;
    case STEP_KERNEL: return run_kernel(p, r, id);
    }
    return CR_OK;
}

/* ---- Trapping nan: the first node with one in its result and none in its operands ---- */

static bool is_nan(double v) { return v != v; }
static bool is_not_finite(double v) { return v - v != 0; }

static bool has(const struct tensor *x, bool (*wrong)(double v)) {
    if (!dtype_is_float(x->dtype)) return false;
    int64_t n = shape_count(x->rank, x->dim);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0, rest = i;
        for (int k = x->rank - 1; k >= 0; k--) {
            at += rest % x->dim[k] * x->stride[k];
            rest /= x->dim[k];
        }
        if (wrong(dtype_get(x->dtype, x->data, at))) return true;
    }
    return false;
}

bool program_has_nan(const struct tensor *x) { return has(x, is_nan); }
bool program_is_finite(const struct tensor *x) { return !has(x, is_not_finite); }

static bool makes_nan(const cr_program *p, const struct place_of_run *r, uint32_t id) {
    const struct node *n = graph_at(p->g, id);
    struct tensor y = program_tensor(p, id, r->slot);
    if (!program_has_nan(&y)) return false;
    for (uint32_t k = 0; k < n->n; k++) {
        struct tensor x = program_tensor(p, graph_args(p->g, n)[k], r->slot);
        if (program_has_nan(&x)) return false;
    }
    return true;
}

cr_status program_run(const cr_program *p, struct place_of_run *r, bool tail) {
    for (size_t s = 0; s < p->plan.steps; s++) {
        if (p->plan.step[s].tail != tail || (r->active && !r->active[s])) continue;
        cr_status status = run_step(p, r, s);
        if (status) return status;
        r->bad_node = p->plan.node[p->plan.step[s].first];
        if (p->trap_nan && makes_nan(p, r, r->bad_node)) return CR_ENAN;
    }
    return CR_OK;
}
