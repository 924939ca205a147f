/* A program's place to run: where its slots stand, and what it has at hand for its steps. */
#include "run/control.h"

#include <string.h>

char *frame_work_place(const struct place_of_run *r, const cr_program *p, uint32_t slot) {
    return r->team.scratch - p->plan.workspace + p->plan.slot[slot].offset;
}

static void place_slots(struct place_of_run *r, const cr_program *p) {
    for (size_t i = 0; i < p->plan.slots; i++) {
        const struct slot *s = &p->plan.slot[i];
        union {
            const void *from;
            char *to;
        } constant = {s->data}; /* never written */
        if (s->kind == SLOT_WORK) r->slot[i] = frame_work_place(r, p, (uint32_t)i);
        if (s->kind == SLOT_CONST) r->slot[i] = constant.to;
        if (s->kind == SLOT_SOURCE)
            r->slot[i] = (char *)(graph_at(p->g, s->node)->op == OP_seed ? &r->seed : &r->step);
    }
}

/* The frames of the functions that steps run, one inside the other. */
static bool make_nested(struct place_of_run *r, const cr_program *p) {
    if (!p->control) return true;
    r->nested = mem_zero(&p->mem, mem_mul(p->plan.steps, sizeof *r->nested));
    r->inner = mem_zero(&p->mem, mem_mul(p->plan.steps, 2 * sizeof *r->inner));
    for (size_t s = 0; r->nested && r->inner && s < p->plan.steps; s++) {
        if (!p->control[s]) continue;
        if (!(r->nested[s] = nested_new(p->control[s], r->team.shared))) return false;
        for (size_t i = 0; i < 2; i++) r->inner[2 * s + i] = nested_inner(r->nested[s], (int)i);
    }
    return r->nested && r->inner;
}

bool frame_make(struct place_of_run *r, const cr_program *p, char *workspace) {
    *r = (struct place_of_run){.team = program_team(p, workspace)};
    r->slot = mem_zero(&p->mem, mem_mul(p->plan.slots, sizeof *r->slot));
    r->operand = mem_zero(&p->mem, mem_mul(p->most_operands, sizeof *r->operand));
    r->call = mem_zero(&p->mem, mem_mul(p->plan.nodes, sizeof *r->call));
    if (!workspace || !r->slot || !r->operand || !r->call) return false;
    place_slots(r, p);
    return make_nested(r, p);
}

void frame_drop(struct place_of_run *r, const cr_program *p) {
    for (size_t s = 0; r->nested && s < p->plan.steps; s++) nested_free(r->nested[s]);
    mem_free(&p->mem, r->nested, p->plan.steps * sizeof *r->nested);
    mem_free(&p->mem, r->inner, p->plan.steps * 2 * sizeof *r->inner);
    mem_free(&p->mem, r->slot, p->plan.slots * sizeof *r->slot);
    mem_free(&p->mem, r->operand, p->most_operands * sizeof *r->operand);
    mem_free(&p->mem, r->call, p->plan.nodes * sizeof *r->call);
    *r = (struct place_of_run){0};
}

void frame_find_calls(struct place_of_run *r, const cr_program *p) {
    for (size_t s = 0; s < p->plan.steps; s++) {
        struct call *call = r->call + p->plan.step[s].first;
        if (p->plan.step[s].kind != STEP_LOOP || p->plan.step[s].way != WAY_WHOLE ||
            !cpu_loop_calls(&p->loop[s], p->kernel + p->plan.step[s].first, r->slot, &r->team, call))
            call->fn = NULL;
    }
}

void frame_forget_calls(struct place_of_run *r, const cr_program *p) {
    for (size_t s = 0; s < p->plan.steps; s++) r->call[p->plan.step[s].first].fn = NULL;
}
