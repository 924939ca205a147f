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
    r->straight = mem_zero(&p->mem, straight_most * sizeof *r->straight);
    if (!workspace || !r->slot || !r->operand || !r->call || !r->straight) return false;
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
    mem_free(&p->mem, r->straight, straight_most * sizeof *r->straight);
    *r = (struct place_of_run){0};
}

/* Behind those that stand there; false: a step is no calls, or they are too many. */
static bool add_straight(struct place_of_run *r, const cr_program *p, bool tail) {
    for (size_t s = 0; s < p->plan.steps; s++) {
        const struct step *step = &p->plan.step[s];
        const struct call *call = r->call + step->first;
        if (step->tail != tail || !program_step_is_active(r, s)) continue;
        if (!call->fn || r->straights + step->n > straight_most) return false;
        memcpy(r->straight + r->straights, call, step->n * sizeof *call);
        r->straights += step->n;
    }
    return true;
}

static void find_straight(struct place_of_run *r, const cr_program *p) {
    r->straights = r->straight_tail = 0;
    if (p->units || p->trap_nan) return;
    bool all = add_straight(r, p, false);
    r->straight_tail = r->straights;
    if (!all || !add_straight(r, p, true)) r->straights = 0;
}

void frame_find_calls(struct place_of_run *r, const cr_program *p) {
    for (size_t s = 0; s < p->plan.steps; s++) {
        struct call *call = r->call + p->plan.step[s].first;
        if (p->plan.step[s].kind != STEP_LOOP || p->plan.step[s].way != WAY_WHOLE ||
            !cpu_loop_calls(&p->loop[s], p->kernel + p->plan.step[s].first, r->slot, &r->team, call))
            call->fn = NULL;
    }
    find_straight(r, p);
}

void frame_forget_calls(struct place_of_run *r, const cr_program *p) {
    for (size_t s = 0; s < p->plan.steps; s++) r->call[p->plan.step[s].first].fn = NULL;
    r->straights = 0;
}
