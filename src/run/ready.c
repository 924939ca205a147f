/* The straight way of a run, and how it gets ready to go it. */
#include "base/mode.h"
#include "run/rehearsal.h"
#include "run/run.h"

/* Is nothing copied, before the steps or after? */
static bool all_in_place(const cr_run *r) {
    for (size_t i = 0; i < r->p->leaves; i++)
        if (r->leaf[i].copied) return false;
    for (size_t i = 0; i < r->p->outputs; i++)
        if (r->output[i].data && !r->output[i].direct) return false;
    for (size_t i = 0; i < r->p->plan.updates; i++)
        if (!r->p->plan.update[i].in_place) return false;
    return true;
}

/* ---- What stands for compiled functions where there are none ---- */

static int64_t make_calls(const struct kernel_frame *f) {
    const struct place_of_run *r = f->arg;
    program_run_straight(r, 0, r->straights);
    return CR_OK;
}

static int64_t run_body(const struct kernel_frame *f) {
    struct place_of_run *r = f->arg;
    return program_run(r->program, r, false);
}

static int64_t run_tail(const struct kernel_frame *f) {
    struct place_of_run *r = f->arg;
    return program_run(r->program, r, true);
}

static bool has_tail(const struct plan *p) {
    for (size_t s = 0; s < p->steps; s++)
        if (p->step[s].tail) return true;
    return false;
}

/* What stays as long as nothing moves. */
void run_find_calls(cr_run *r) {
    const cr_program *p = r->p;
    const struct kernel_table *k = p->compiled.kernels;
    frame_find_calls(&r->place, p);
    bool compiled = p->units, calls = !compiled && r->place.straights;
    r->moved = false;
    r->steady = !p->reference && !p->finite && all_in_place(r);
    r->body = compiled ? k->body : calls ? make_calls : run_body;
    r->tail = compiled ? k->tail : !calls && has_tail(&p->plan) ? run_tail : NULL;
    r->flush = p->flush && (compiled || calls); /* program_run does that itself */
    r->place.team.flush = p->flush;
    program_kernel_frame(p, &r->place);
}

/* ---- A step ---- */

/* Nothing here may be looked for elsewhere: what it reads is what a first step after others' work waits for. */
static cr_status step_straight(cr_run *r) {
    const bool flush = r->flush;
    uint64_t before = flush ? mode_flush() : 0;
    cr_status status = (cr_status)r->body(&r->place.frame);
    if (!status && r->tail) status = (cr_status)r->tail(&r->place.frame);
    if (flush) mode_restore(before);
    if (status) return run_failed(r, status);
    r->place.step++;
    return CR_OK;
}

cr_status cr_step(cr_run *r) { return !r ? CR_EINVAL : r->straight ? step_straight(r) : run_step(r); }

/* ---- Before the first ---- */

/* Memory that nobody has touched is found page by page, when somebody does. */
static void touch(char *memory, size_t bytes) {
    enum { page = 4096 };
    for (size_t i = 0; memory && i < bytes; i += page) ((volatile char *)memory)[i] = memory[i];
}

/* A small program is walked through, with nothing of the caller's in reach: then a processor knows the way. */
static void rehearse(cr_run *r) {
    struct rehearsal h;
    if (!rehearsal_begin(&h, &r->place, r->p)) return;
    run_find_calls(r);
    run_done(r);
    for (int i = 0; i < h.times; i++)
        if (r->straight) cr_step(r); /* where it is not, it reads and writes besides */
        else if (!program_run(r->p, &r->place, false)) program_run(r->p, &r->place, true);
    rehearsal_end(&h, &r->place, r->p);
    run_find_calls(r);
}

cr_status cr_run_ready(cr_run *r) {
    if (!r) return CR_EINVAL;
    cr_status status = run_ready(r);
    if (status) return status;
    touch(r->workspace, r->workspace_bytes);
    program_touch_kernels(r->p);
    rehearse(r);
    run_done(r);
    return CR_OK;
}
