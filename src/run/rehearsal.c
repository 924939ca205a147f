/* What a run has of its caller's, out of reach for a while. */
#include "run/rehearsal.h"

#include <errno.h>
#include <string.h>

#include "base/ahead.h"
#include "base/whole.h"
#include "ops/control.h"
#include "run/cost.h"

/* A step that does more takes so long (some 10 us) that what its first one waits for, some 1 us, is little beside it. Work: operations, and numbers of 8
 * bytes that stand in memory. */
enum { most_work = 1 << 14, most_bytes = 8 * most_work, most_nodes = 1 << 10 };
/* Branches are foreseen by what they did the last few times: a square's first step took 57 ns after one rehearsal, 43 after 8 or more (docs/gradbench.md). */
enum { most_times = 8 };
/* Lines asked for at the end: a quarter of a first cache of 32 KiB. */
enum { line = 64, most_lines = 128 };

/* A callback is the host's, and 0 may never end a while. */
static bool is_ours(const cr_graph *g) {
    for (uint32_t id = 1; id < g->count; id++) {
        const struct node *n = graph_at(g, id);
        if (op_kind(n->op) != KIND_CONTROL) continue;
        if (n->op == OP_scan && loop_attr(g, n).n < 0) return false;
        for (uint32_t k = 0; k < control_functions(g, n); k++) {
            const cr_function *f = control_function(g, n, k);
            if (f && (f->callback || !is_ours(f->g))) return false;
        }
    }
    return true;
}

/* How often it may run; 0: it may not. */
static int times_of(const cr_program *p) {
    size_t bytes = 0;
    if (p->reference || p->g->count > most_nodes) return 0;
    for (size_t i = 0; i < p->plan.slots && bytes <= most_bytes; i++)
        if (p->plan.slot[i].kind != SLOT_CONST) bytes = mem_add(bytes, p->plan.slot[i].bytes);
    if (bytes > most_bytes || !is_ours(p->g)) return 0;
    double work = cost_graph(p->g) + (double)(bytes / 8);
    return work > most_work ? 0 : work * most_times > most_work ? 1 : most_times;
}

static bool is_callers(const struct slot *s) { return s->kind == SLOT_INPUT || s->kind == SLOT_PARAM; }

bool rehearsal_begin(struct rehearsal *h, struct place_of_run *r, const cr_program *p) {
    const size_t slots = p->plan.slots, table = whole_lines(slots * sizeof *r->slot);
    *h = (struct rehearsal){.times = times_of(p), .bytes = table + line, .step = r->step, .error = errno};
    if (!h->times) return false;
    for (size_t i = 0; i < slots; i++)
        if (is_callers(&p->plan.slot[i])) h->bytes += whole_lines(p->plan.slot[i].bytes);
    if (!(h->memory = mem_alloc_aligned(&p->mem, h->bytes))) return false;
    memset(h->memory, 0, h->bytes);
    h->slot = (char **)(void *)h->memory;
    memcpy(h->slot, r->slot, slots * sizeof *r->slot);
    h->bad_node = r->bad_node, h->failure = r->failure;
    char *at = h->memory + table;
    for (size_t i = 0; i < slots; i++) {
        const struct slot *s = &p->plan.slot[i];
        if (s->kind == SLOT_WORK) r->slot[i] = frame_work_place(r, p, (uint32_t)i);
        if (is_callers(s)) r->slot[i] = at, at += whole_lines(s->bytes);
    }
    feholdexcept(&h->float_state);
    return true;
}

void rehearsal_end(struct rehearsal *h, struct place_of_run *r, const cr_program *p) {
    size_t lines = 0;
    for (size_t i = 0; i < p->plan.slots; i++) {
        bool elsewhere = r->slot[i] != h->slot[i];
        r->slot[i] = h->slot[i];
        for (size_t k = 0; elsewhere && k < p->plan.slot[i].bytes && lines < most_lines; k += line, lines++)
            AHEAD(r->slot[i] + k);
    }
    mem_free_aligned(&p->mem, h->memory, h->bytes);
    r->step = h->step, r->bad_node = h->bad_node, r->failure = h->failure;
    fesetenv(&h->float_state);
    errno = h->error;
}
