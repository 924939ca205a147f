/* Running a group: for each batch element its blocks of rows, for each block its steps. Batch elements are shared among threads; where
 * no block needs another, so are blocks. What sums over rows leave, block by block, is combined when all are done. */
#include <string.h>

#include "base/whole.h"
#include "device/device.h"
#include "run/program.h"

enum {
    worth_a_thread = 1 << 16, /* numbers made: some 20 microseconds */
    weave_columns = 64, /* of a right operand: whole lines, and few enough that threads have some each */
    weave_worth_a_thread = 1 << 18, /* numbers turned over */
    ahead_bytes = 512 << 10         /* asked for ahead: a quarter of a second-level cache */
};

/* A task's room: where slots stand, then the values of a block. */
static size_t slots_bytes(const cr_program *p) { return whole_lines(p->plan.slots * sizeof(char *)); }

struct job {
    const cr_program *p;
    const struct place_of_run *r;
    const struct group *g;
    int64_t blocks; /* of a batch element that may run on their own */
    size_t parts;
};

/* Where a task is. */
struct spot {
    const struct job *j;
    char **slot;
    char *values, *scratch;
    int64_t batch, first, n;
    int64_t begun; /* the batch element that its task began with */
    struct ahead ahead;
};

struct product {
    struct tensor in[2];
    struct kernel_call call;
};

static void product_of(struct product *x, const cr_program *p, size_t s, char *const slot[]) {
    uint32_t id = p->plan.node[p->plan.step[s].first];
    const struct node *n = graph_at(p->g, id);
    for (int k = 0; k < 2; k++) x->in[k] = program_tensor(p, n->arg[k], slot);
    x->call = (struct kernel_call){.op = n->op, .n = 2, .in = x->in, .out = program_tensor(p, id, slot)};
}

/* Does a step run, or is nothing wanted of it? */
static bool runs(const struct job *j, size_t s) { return !j->r->active || j->r->active[s] & STEP_WANTED; }

/* A right operand turned over: of each batch element anew in a task's room, of a single one where all tasks find it. */
static char *woven_at(const struct spot *at, const struct step *s) {
    return (at->j && at->j->g->batch == 1 ? at->j->r->team.shared : at->values) + s->woven_at;
}

static struct matmul_block block_of(const struct step *s, struct spot *at) {
    return (struct matmul_block){.batch = at->batch,
                                 .first = at->first,
                                 .n = at->n,
                                 .terms = s->way == WAY_SUMS,
                                 .bound = s->bound,
                                 .filled = s->filled,
                                 .woven = s->woven && at->j ? woven_at(at, s) : NULL,
                                 .partial = s->partial && at->j ? at->values + s->partial_at : NULL,
                                 .ahead = at->ahead.n ? &at->ahead : NULL};
}

/* ---- Room ---- */

static size_t product_scratch(const cr_program *p, size_t s, const struct group *g) {
    struct product x;
    size_t most = 0;
    product_of(&x, p, s, NULL);
    for (int64_t i = 0; i < g->rows; i += g->block) {
        struct spot at = {.first = i, .n = least(g->block, g->rows - i)};
        struct matmul_block b = block_of(&p->plan.step[s], &at);
        if (p->plan.step[s].woven) b.woven = p;
        size_t bytes = cpu_matmul_block_scratch(&x.call, &b);
        if (bytes > most) most = bytes;
    }
    return most;
}

void program_make_groups(cr_program *p) {
    size_t bytes = 0;
    for (size_t i = 0; i < p->plan.groups; i++) {
        const struct group *g = &p->plan.group[i];
        size_t shared = g->shared;
        if (mem_add(g->bytes, g->partial) > bytes) bytes = mem_add(g->bytes, g->partial);
        for (size_t s = g->first; s < g->first + g->n; s++) {
            size_t scratch = p->plan.step[s].kind == STEP_KERNEL ? product_scratch(p, s, g) : 0;
            if (scratch > p->scratch) p->scratch = scratch;
            shared = mem_add(shared, p->loop[s].shared);
        }
        if (shared > p->shared) p->shared = shared;
    }
    p->room = whole_lines(p->scratch);
    p->scratch = p->plan.groups ? mem_add(mem_add(p->room, slots_bytes(p)), whole_lines(bytes)) : p->room;
}

/* ---- Running ---- */

/* So that row number i of the whole value would stand where row number i does. */
static char *as_whole(const struct spot *at, const struct slot *s) {
    const struct plan *p = &at->j->p->plan;
    const struct group *g = at->j->g;
    int64_t row = at->first + (plan_cut_shared(p, s) ? 0 : at->batch * g->rows);
    return (char *)((uintptr_t)(at->values + s->offset) -
                    (uintptr_t)row * (s->bytes / (size_t)plan_cut_rows(p, s)));
}

static void place_values(const struct spot *at) {
    const struct plan *p = &at->j->p->plan;
    const struct group *g = at->j->g;
    for (size_t s = g->first; s < g->first + g->n; s++)
        for (uint32_t i = 0; i < p->step[s].n; i++) {
            uint32_t slot = p->view[p->node[p->step[s].first + i]].slot;
            if (slot != no_slot && p->slot[slot].kind == SLOT_BLOCK)
                at->slot[slot] = as_whole(at, &p->slot[slot]);
        }
}

static void run_loop(const struct spot *at, size_t s, char *shared) {
    const struct group *g = at->j->g;
    int64_t row = at->first + (at->j->p->plan.step[s].way == WAY_SHARED ? 0 : at->batch * g->rows);
    program_run_rows(at->j->p, at->slot, shared, at->scratch, s, row, row + at->n);
}

static void run_product(struct spot *at, size_t s) {
    struct product x;
    struct matmul_block b = block_of(&at->j->p->plan.step[s], at);
    product_of(&x, at->j->p, s, at->slot);
    cpu_matmul_block(&x.call, &b, at->scratch);
}

static void run_block(struct spot *at) {
    const cr_program *p = at->j->p;
    const struct group *g = at->j->g;
    char *shared = at->j->r->team.shared + g->shared;
    place_values(at);
    for (size_t s = g->first; s < g->first + g->n; shared += p->loop[s++].shared) {
        if (!runs(at->j, s) || (at->batch > at->begun && plan_runs_once(&p->plan, &p->plan.step[s])))
            continue;
        if (p->plan.step[s].kind == STEP_LOOP) run_loop(at, s, shared);
        else run_product(at, s);
    }
}

/* ---- What the next batch element needs ---- */

/* The part of a value that stands in memory which is batch element number `batch`'s, if it is one. */
static void add_range(struct spot *at, uint32_t id, int64_t batch) {
    const cr_program *p = at->j->p;
    uint32_t slot = p->plan.view[id].slot;
    const struct slot *s = slot == no_slot ? NULL : &p->plan.slot[slot];
    if (!s || s->kind == SLOT_BLOCK || s->kind == SLOT_SOURCE || !at->slot[slot] || at->ahead.n == ahead_most)
        return;
    if (plan_node_bytes(p->g, id) != s->bytes || s->bytes % (size_t)at->j->g->batch) return;
    size_t bytes = s->bytes / (size_t)at->j->g->batch;
    const char *from = at->slot[slot] + (size_t)batch * bytes;
    for (size_t i = 0; i < at->ahead.n; i++)
        if (at->ahead.range[i].at == from) return;
    at->ahead.range[at->ahead.n].at = from;
    at->ahead.range[at->ahead.n++].bytes = bytes;
}

/* Ranges stand in the order in which they are needed. Asked for while a batch element is computed are the later half of its own, then the
 * first half of the next one's: what is asked for half a turn ahead takes less room in the cache than what waits there for a whole one. */
static void turn_half(struct ahead *a, size_t bytes) {
    const struct ahead all = *a;
    size_t early = 0;
    for (size_t sum = 0; sum < bytes / 2; sum += all.range[early++].bytes) {}
    a->own = a->n - early;
    for (size_t i = 0; i < a->n; i++) {
        a->range[i] = all.range[(early + i) % a->n];
        if (i >= a->own) a->range[i].at += a->range[i].bytes;
    }
}

/* If it is not too much to stay in the cache until then. */
static void find_ahead(struct spot *at, int64_t batch) {
    const cr_program *p = at->j->p;
    const struct group *g = at->j->g;
    size_t bytes = 0;
    for (size_t s = g->first; s < g->first + g->n; s++)
        for (uint32_t i = 0; i < p->plan.step[s].n && p->plan.step[s].way != WAY_SHARED; i++) {
            uint32_t id = p->plan.node[p->plan.step[s].first + i];
            const struct node *n = graph_at(p->g, id);
            for (uint32_t k = 0; k < n->n; k++) add_range(at, graph_args(p->g, n)[k], batch);
            add_range(at, id, batch);
        }
    for (size_t i = 0; i < at->ahead.n; i++) bytes += at->ahead.range[i].bytes;
    if (bytes > ahead_bytes) at->ahead.n = 0;
    else turn_half(&at->ahead, bytes);
}

/* From a batch element to the next; last: there is none behind that. */
static void look_ahead(struct ahead *a, bool last) {
    for (size_t i = 0; i < a->n; i++) a->range[i].at += a->range[i].bytes;
    if (last) a->n = a->own;
    a->i = a->done = 0;
}

/* What no block adds to is 0; operands are turned over. */
static void start_batch(const struct spot *at) {
    const cr_program *p = at->j->p;
    for (size_t s = at->j->g->first; s < at->j->g->first + at->j->g->n; s++) {
        const struct step *step = &p->plan.step[s];
        struct product x;
        if (step->kind != STEP_KERNEL || !runs(at->j, s)) continue;
        product_of(&x, p, s, at->slot);
        if (step->woven && at->j->g->batch > 1)
            cpu_matmul_weave(&x.call, at->batch, 0, x.in[1].dim[x.in[1].rank - 1], woven_at(at, step));
        if (step->way == WAY_SUMS)
            cpu_matmul_clear(&x.call, at->batch, step->bound, step->partial ? plan_slice : at->j->g->rows);
    }
}

static void run_part(void *arg, size_t part) {
    const struct job *j = arg;
    char *scratch = team_scratch(&j->r->team, part), *room = scratch + j->p->room;
    struct spot at = {.j = j, .slot = (char **)(void *)room, .scratch = scratch};
    int64_t first, end;
    at.values = room + slots_bytes(j->p);
    memcpy(at.slot, j->r->slot, j->p->plan.slots * sizeof *at.slot);
    team_part(j->g->batch * j->blocks, j->parts, part, &first, &end);
    at.begun = first / j->blocks;
    if (j->blocks == 1 && first + 1 < end) find_ahead(&at, first);
    for (; first < end; first++) {
        int64_t block = first % j->blocks * j->g->block;
        at.batch = first / j->blocks;
        start_batch(&at);
        for (at.first = block; at.first < (j->blocks > 1 ? block + 1 : j->g->rows); at.first += j->g->block) {
            at.n = least(j->g->block, j->g->rows - at.first);
            run_block(&at);
        }
        if (first + 1 < end) look_ahead(&at.ahead, first + 2 == end);
    }
}

/* ---- What all blocks of a single batch element share ---- */

static int64_t columns_of(const struct product *x) { return x->in[1].dim[x->in[1].rank - 1]; }

/* Pieces first .. end-1 of all that is turned over, one operand after the other. */
static void weave(const struct job *j, int64_t first, int64_t end) {
    const struct spot at = {.j = j};
    for (size_t s = j->g->first; s < j->g->first + j->g->n && end > 0; s++) {
        const struct step *step = &j->p->plan.step[s];
        struct product x;
        if (!step->woven || !runs(j, s)) continue;
        product_of(&x, j->p, s, j->r->slot);
        int64_t all = columns_of(&x), n = pieces(all, weave_columns), from = first > 0 ? first : 0,
                to = least(end, n);
        if (from < to)
            cpu_matmul_weave(&x.call, 0, from * weave_columns,
                             least(to * weave_columns, all) - from * weave_columns, woven_at(&at, step));
        first -= n, end -= n;
    }
}

static void weave_part(void *arg, size_t part) {
    const struct job *j = arg;
    int64_t first, end;
    team_part(j->blocks, j->parts, part, &first, &end);
    weave(j, first, end);
}

static void weave_all(struct job j) {
    int64_t numbers = 0;
    j.blocks = 0;
    for (size_t s = j.g->first; s < j.g->first + j.g->n; s++) {
        struct product x;
        if (!j.p->plan.step[s].woven || !runs(&j, s)) continue;
        product_of(&x, j.p, s, NULL);
        j.blocks += pieces(columns_of(&x), weave_columns);
        numbers += columns_of(&x) * x.in[1].dim[x.in[1].rank - 2];
    }
    j.parts = (size_t)least((int64_t)j.parts, numbers / weave_worth_a_thread);
    if (j.parts > 1) team_run(&j.r->team, j.parts, weave_part, &j);
    else weave(&j, 0, j.blocks);
}

static void end_loops(const struct job *j) {
    char *shared = j->r->team.shared + j->g->shared;
    for (size_t s = j->g->first; s < j->g->first + j->g->n; shared += j->p->loop[s++].shared)
        if (j->p->loop[s].shared && runs(j, s)) program_end_rows(j->p, j->r->slot, shared, s);
}

/* ---- Threads ---- */

/* Sums over blocks, and what is turned over for one batch element, keep its blocks together. */
static int64_t blocks_of(const cr_program *p, const struct group *g) {
    for (size_t s = g->first; s < g->first + g->n; s++)
        if (p->plan.step[s].way == WAY_SUMS || p->plan.step[s].way == WAY_SHARED ||
            (p->plan.step[s].woven && g->batch > 1))
            return 1;
    return pieces(g->rows, g->block);
}

/* One of a product takes as long as another for each few terms. */
static double numbers_made(const cr_program *p, uint32_t id) {
    enum { terms = 16 };
    const struct node *n = graph_at(p->g, id), *a = n->op == OP_matmul ? graph_at(p->g, n->arg[0]) : NULL;
    int64_t k = a ? graph_dims(p->g, a)[graph_rank(p->g, a) - 1] : 0;
    return (double)graph_elements(p->g, n) * (1 + (double)k / terms);
}

static size_t parts_of(const cr_program *p, const struct group *g, int64_t blocks) {
    double worth = 0;
    for (size_t s = g->first; s < g->first + g->n; s++)
        for (uint32_t i = 0; i < p->plan.step[s].n; i++)
            worth += numbers_made(p, p->plan.node[p->plan.step[s].first + i]);
    int64_t parts = least((int64_t)p->tasks, g->batch * blocks);
    if (worth / worth_a_thread < (double)parts) parts = (int64_t)(worth / worth_a_thread);
    return parts > 1 ? (size_t)parts : 1;
}

void program_run_group(const cr_program *p, struct place_of_run *r, const struct group *g) {
    int64_t blocks = blocks_of(p, g);
    struct job j = {p, r, g, blocks, parts_of(p, g, blocks)};
    if (g->batch == 1) weave_all(j);
    if (j.parts > 1) team_run(&r->team, j.parts, run_part, &j);
    else run_part(&j, 0);
    end_loops(&j);
}
