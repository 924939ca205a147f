/* Running the steps of a program. */
#include "base/mode.h"
#include "device/finite.h"
#include "device/kernels.h"
#include "run/control.h"
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
    for (int k = 0; k < ops_part_count(p->g, n); k++)
        c.out_part[k] = (char *)c.out.data + ops_part_offset(p->g, n, k, 0);
    cr_status status = kernel_find(n->op)(&c);
    if (status) r->failure = (struct failure){.status = status, .bad = c.bad, .limit = c.limit};
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
    struct tensor in = program_tensor(p, graph_at(p->g, id)->arg[0], r->slot);
    copy_shared(&r->team, program_tensor(p, id, r->slot).data, &in);
}

static void run_loop(const struct cr_program *p, struct place_of_run *r, size_t s) {
    const struct step *step = &p->plan.step[s];
    if (p->units && p->units[s].made) {
        program_run_kernel(p, &r->team, r->slot, s);
        return;
    }
    const struct call *call = r->call ? r->call + step->first : NULL;
    if (!call || !call->fn) cpu_loop(&p->loop[s], p->kernel + step->first, r->slot, &r->team);
    else
        for (uint32_t i = 0; i < step->n; i++) call_make(&call[i]);
}

static cr_status run_step(const cr_program *p, struct place_of_run *r, size_t s) {
    const struct step *step = &p->plan.step[s];
    uint32_t id = p->plan.node[step->first];
    if (step->way != WAY_WHOLE) { /* the first of a group stands for all */
        const struct group *g = &p->plan.group[step->group];
        if (s == g->first) program_run_group(p, r, g);
        return CR_OK;
    }
    switch (step->kind) {
    case STEP_LOOP: run_loop(p, r, s); return CR_OK;
    case STEP_REDUCE: run_reduce(p, r, id); return CR_OK;
    case STEP_COPY: run_copy(p, r, id); return CR_OK;
    case STEP_KERNEL: return run_kernel(p, r, id);
    case STEP_CONTROL: return control_run(p, r, s);
    }
    return CR_OK;
}

struct team program_team(const cr_program *p, char *workspace) {
    return (struct team){.ctx = p->ctx,
                         .tasks = p->tasks,
                         .scratch = workspace + p->plan.workspace,
                         .scratch_bytes = p->scratch,
                         .product = p->product,
                         .shared = workspace + p->plan.workspace + p->tasks * p->scratch};
}

/* ---- Trapping: steps are single nodes then, in the order of the graph ---- */

struct look {
    const cr_program *p;
    char *const *slot;
};

static struct unfinite look(const void *where, uint32_t id) {
    const struct look *l = where;
    struct tensor x = program_tensor(l->p, id, l->slot);
    return tensor_unfinite(&x, x.dtype);
}

static cr_status trap(const cr_program *p, struct place_of_run *r) {
    struct look where = {p, r->slot};
    r->failure = (struct failure){0};
    return finite_trap(p->g, r->bad_node, look, &where, &r->failure.infinite);
}

static int64_t step_for_kernels(void *arg, int64_t s) {
    struct place_of_run *r = arg;
    r->bad_node = r->program->plan.node[r->program->plan.step[s].first];
    return (int64_t)(r->failure.status = run_step(r->program, r, (size_t)s));
}

void program_kernel_frame(const cr_program *p, struct place_of_run *r) {
    r->program = p;
    r->frame = (struct kernel_frame){.slot = r->slot,
                                     .inner = r->inner,
                                     .active = r->active ? r->active : p->all,
                                     .shared = r->team.shared,
                                     .row = r->team.scratch,
                                     .step = step_for_kernels,
                                     .arg = r};
}

/* All steps by one call, which comes back here for what it does not do itself. */
static cr_status run_compiled(const cr_program *p, struct place_of_run *r, bool tail) {
    const struct kernel_table *k = p->compiled.kernels;
    program_kernel_frame(p, r);
    return tail && !k->tail ? CR_OK : (cr_status)(tail ? k->tail : k->body)(&r->frame);
}

void program_run_straight(const struct place_of_run *r, size_t first, size_t end) {
    for (const struct call *c = r->straight + first; c < r->straight + end; c++) call_make(c);
}

static cr_status run_steps(const cr_program *p, struct place_of_run *r, bool tail) {
    if (p->units) return run_compiled(p, r, tail);
    if (r->straights) {
        program_run_straight(r, tail ? r->straight_tail : 0, tail ? r->straights : r->straight_tail);
        return CR_OK;
    }
    for (size_t s = 0; s < p->plan.steps; s++) {
        if (p->plan.step[s].tail != tail || !program_step_is_active(r, s)) continue;
        r->bad_node = p->plan.node[p->plan.step[s].first];
        cr_status status = run_step(p, r, s);
        if (!status && p->trap_nan) status = trap(p, r);
        r->failure.status = status;
        if (status) return status;
    }
    return CR_OK;
}

cr_status program_run(const cr_program *p, struct place_of_run *r, bool tail) {
    r->team.flush = p->flush;
    if (!p->flush) return run_steps(p, r, tail);
    uint64_t before = mode_flush();
    cr_status status = run_steps(p, r, tail);
    mode_restore(before);
    return status;
}
