/* Chains: neighbouring steps over as many numbers, of which each reads those before it at the same place or a few beside, go through memory
 * together, some numbers at a time: what one leaves the next finds in the first cache. A step that reads ahead, or writes where an earlier one
 * still reads, runs so many numbers behind. Each number is computed once, by the same loop, in the same order: no bit changes.
 * What only they make and read is never there as a whole: a window goes along it, and takes with it what is still to be read. */
#include "emit/units.h"

#include <string.h>

#include "tensor/dtype.h"

enum {
    most_steps = 64,
    most_touched = 24,
    most_delay = 512,
    delay_step = 16,
    least_numbers = 512,
    first_cache = 40 << 10,
    second_cache = 512 << 10,
    most_windows = 64,
    most_room = 128 << 10
};

/* Numbers of a slot that a step reads or writes: number i + ahead at place i. */
struct touch {
    uint32_t slot;
    int64_t ahead;
    size_t size;
    bool write, fixed; /* fixed: the same few at every place */
};

struct link {
    size_t n;
    struct touch touch[most_touched];
    int64_t delay;
};

/* While places `at` to at + step - 1 are computed, it has numbers at + low to at + step + high - 1 of its slot. */
struct window {
    uint32_t slot;
    size_t size, room; /* of a number; where it stands in the room, in bytes */
    int64_t low, high;
};

struct chain {
    struct emitter *e;
    const struct loop *loop;
    const struct kernel_units *units;
    int64_t count; /* numbers of each step */
    size_t first, n;
    size_t most; /* it has no more steps than so many */
    bool whole;  /* nothing has a window */
    struct link link[most_steps];
    size_t bytes; /* of a place of all slots */
    int64_t step; /* so many places at a time: they fit the first cache */
    size_t windows, room;
    struct window window[most_windows];
};

/* ---- What a step touches ---- */

static bool add(struct chain *c, struct link *l, struct touch t) {
    const struct slot *s = &c->e->p->slot[t.slot];
    if (l->n == most_touched || ops_has_parts(graph_at(c->e->g, s->node)->op)) return false;
    l->touch[l->n++] = t;
    return true;
}

static bool loop_touches(struct chain *c, struct link *l, size_t s) {
    const struct step *step = &c->e->p->step[s];
    const struct loop *loop = &c->loop[s];
    if (!c->units[s].made || step->way != WAY_WHOLE || step->lines || step->rows_too ||
        c->units[s].count != loop->count || loop->count != c->count)
        return false;
    for (uint32_t i = 0; i < loop->accesses; i++) {
        const struct access *a = &loop->access[i];
        bool write = units_write(c->e, step, a->slot);
        if (a->kind != ACCESS_DIRECT && a->kind != ACCESS_REPEAT) return false;
        if (!add(c, l,
                 (struct touch){a->slot, a->offset, cr_dtype_size((cr_dtype)a->dtype), write,
                                a->kind == ACCESS_REPEAT}))
            return false;
    }
    return true;
}

static bool runs_on(const struct plan *p, uint32_t node) {
    const struct node *n = graph_at(p->g, node);
    return graph_dims(p->g, n)[0] == 1 || plan_strides(p, node)[0] == 1;
}

/* concat and unslice of one axis, whose parts run on, are copies at some distance. */
static bool moves(const struct plan *p, const struct step *s) {
    const struct node *n = graph_at(p->g, p->node[s->first]);
    if (s->kind != STEP_KERNEL || s->way != WAY_WHOLE || graph_rank(p->g, n) != 1) return false;
    if (n->op == OP_unslice) return runs_on(p, n->arg[0]) && graph_attr(p->g, n)[1] == 1;
    if (n->op != OP_concat) return false;
    for (uint32_t k = 0; k < n->n; k++)
        if (!runs_on(p, graph_args(p->g, n)[k])) return false;
    return true;
}

static bool move_touches(struct chain *c, struct link *l, size_t s) {
    const struct plan *p = c->e->p;
    const struct step *step = &p->step[s];
    uint32_t id = p->node[step->first];
    const struct node *n = graph_at(p->g, id);
    size_t size = cr_dtype_size((cr_dtype)n->dtype);
    if (!moves(p, step) || graph_elements(p->g, n) != c->count) return false;
    for (uint32_t k = 0; k < n->n; k++) {
        const struct view *v = &p->view[graph_args(p->g, n)[k]];
        if (plan_joined(p, id, k)) continue;
        if (!add(c, l, (struct touch){v->slot, v->offset - plan_place_of(p->g, n, k), size, false, false}))
            return false;
    }
    return add(c, l, (struct touch){p->view[id].slot, p->view[id].offset, size, true, false});
}

/* ---- How far behind it runs ---- */

/* Has nobody but the chain's steps to do with it? */
static bool has_window(const struct chain *c, uint32_t slot) {
    const struct slot *s = &c->e->p->slot[slot];
    return !c->whole && s->kind == SLOT_WORK && s->first >= c->first && s->last < c->first + c->most;
}

/* Bytes of the workspace that both stand in; nothing else that is written is shared. */
static bool overlap(const struct chain *c, uint32_t a, uint32_t b) {
    const struct slot *x = &c->e->p->slot[a], *y = &c->e->p->slot[b];
    if (a == b) return true;
    if (has_window(c, a) || has_window(c, b)) return false;
    return x->kind == SLOT_WORK && y->kind == SLOT_WORK && x->offset < y->offset + y->bytes &&
           y->offset < x->offset + x->bytes;
}

/* A later step at place j and an earlier one at place j + k touch the same bytes: so many must it be behind. */
static bool delay(const struct chain *c, const struct touch *before, const struct touch *after, int64_t *k) {
    const struct plan *p = c->e->p;
    *k = 0;
    if (!(before->write || after->write) || !overlap(c, before->slot, after->slot)) return true;
    if (before->fixed || after->fixed || before->size != after->size) return false;
    int64_t size = (int64_t)before->size, apart = 0;
    if (before->slot != after->slot)
        apart = (int64_t)p->slot[after->slot].offset - (int64_t)p->slot[before->slot].offset;
    if (apart % size) return false;
    *k = apart / size + after->ahead - before->ahead;
    return true;
}

static bool find_delay(struct chain *c, struct link *l) {
    l->delay = 0;
    for (size_t t = 0; t < c->n; t++)
        for (size_t i = 0; i < c->link[t].n; i++)
            for (size_t j = 0; j < l->n; j++) {
                int64_t k;
                if (!delay(c, &c->link[t].touch[i], &l->touch[j], &k)) return false;
                if (c->link[t].delay + k > l->delay) l->delay = c->link[t].delay + k;
            }
    l->delay =
        (l->delay + delay_step - 1) / delay_step * delay_step; /* so that vectors stay aligned as they were */
    return l->delay <= most_delay;
}

static bool take(struct chain *c, size_t s) {
    struct link *l = &c->link[c->n];
    const struct step *step = &c->e->p->step[s];
    if (step->tail) return false;
    l->n = 0;
    bool known = step->kind == STEP_LOOP ? loop_touches(c, l, s) : move_touches(c, l, s);
    if (!known || !find_delay(c, l)) return false;
    c->n++;
    return true;
}

/* Bytes of a place of all slots that the chain touches. */
static size_t place_bytes(const struct chain *c) {
    uint32_t seen[most_steps * most_touched];
    size_t n = 0, bytes = 0;
    for (size_t t = 0; t < c->n; t++)
        for (size_t i = 0; i < c->link[t].n; i++) {
            const struct touch *x = &c->link[t].touch[i];
            bool new = !x->fixed;
            for (size_t k = 0; k < n && new; k++) new = seen[k] != x->slot;
            if (!new) continue;
            seen[n++] = x->slot;
            bytes += x->size;
        }
    return bytes ? bytes : 1;
}

/* Which of the slots have windows depends on where the chain ends, and that on how far its steps run behind each other. */
static void take_steps(struct chain *c) {
    const size_t left = c->e->p->steps - c->first;
    c->n = left < most_steps ? left : most_steps;
    do {
        c->most = c->n;
        c->n = 0;
        while (c->n < c->most && take(c, c->first + c->n)) continue;
    } while (c->n < c->most);
    c->bytes = place_bytes(c);
    const int64_t fit = first_cache / (int64_t)c->bytes / 64 * 64;
    c->step = fit < 256 ? 256 : fit;
}

/* ---- Windows ---- */

static bool widen(struct chain *c, const struct touch *x, int64_t delay) {
    size_t k = 0;
    if (!has_window(c, x->slot)) return true;
    while (k < c->windows && c->window[k].slot != x->slot) k++;
    if (k == most_windows) return false;
    struct window *w = &c->window[k];
    const int64_t from = x->ahead - delay;
    if (k == c->windows) c->window[c->windows++] = (struct window){x->slot, x->size, 0, from, from};
    if (from < w->low) w->low = from;
    if (from > w->high) w->high = from;
    return true;
}

/* Not where the second cache holds all there is. Vectors stay aligned as they were. */
static bool place_windows(struct chain *c) {
    if (mem_mul(c->bytes, (size_t)c->count) <= second_cache) return false;
    for (size_t t = 0; t < c->n; t++) {
        if (c->units[c->first + t].streams) return false;
        for (size_t i = 0; i < c->link[t].n; i++)
            if (!widen(c, &c->link[t].touch[i], c->link[t].delay)) return false;
    }
    for (size_t k = 0; k < c->windows; k++) {
        struct window *w = &c->window[k];
        while (w->low % delay_step) w->low--;
        w->room = c->room;
        c->room += ((size_t)(c->step + w->high - w->low) * w->size + 63) / 64 * 64;
    }
    return c->room <= most_room;
}

static void forget_windows(struct chain *c) {
    c->whole = true;
    c->windows = 0;
    take_steps(c);
}

static void declare_windows(const struct chain *c) {
    struct emitter *e = c->e;
    emit_line(e, "char room[%zu] __attribute__((aligned(64)));", c->room);
    emit_line(e, "char *slot[%zu];", e->p->slots);
    emit_line(e, "__builtin_memcpy(slot, all, sizeof slot);");
}

static void set_windows(const struct chain *c) {
    for (size_t k = 0; k < c->windows; k++) {
        const struct window *w = &c->window[k];
        emit_line(c->e, "slot[%lu] = (char *)((uintptr_t)&room[%zu] - (uintptr_t)((at + %lld) * %zu));",
                  (unsigned long)w->slot, w->room, (long long)w->low, w->size);
    }
}

static void move_windows(const struct chain *c) {
    for (size_t k = 0; k < c->windows; k++) {
        const struct window *w = &c->window[k];
        if (w->high > w->low)
            emit_line(c->e, "__builtin_memmove(&room[%zu], &room[%zu], %zu);", w->room,
                      w->room + (size_t)c->step * w->size, (size_t)(w->high - w->low) * w->size);
    }
}

/* ---- Writing ---- */

/* Place i of a step that moves numbers. */
static struct expression place_i(struct emitter *e, uint32_t id) {
    struct cr_text t = text_make(&e->mem);
    emit_element_of(e, &t, id, 1, (int64_t[]){1}, (const char *[]){"i"});
    return emit_take(e, &t);
}

static void write_part(struct emitter *e, uint32_t id, uint32_t k) {
    const struct node *n = graph_at(e->g, id), *x = graph_at(e->g, graph_args(e->g, n)[k]);
    struct cr_text t = text_make(&e->mem);
    long long low = plan_place_of(e->g, n, k), high = low + graph_dims(e->g, x)[0];
    emit_line(e, "low = %lld;", low);
    emit_element_of(e, &t, graph_args(e->g, n)[k], 1, (int64_t[]){1}, (const char *[]){"(i - low)"});
    struct expression to = place_i(e, id), from = emit_take(e, &t);
    emit_line(e,
              "VECTOR for (int64_t i = first > %lld ? first : %lld; i < (end < %lld ? end : %lld); i++) "
              "%s = %s;",
              low, low, high, high, to.s, from.s);
}

/* Zeros before and behind what unslice moves. */
static void clear_around(struct emitter *e, uint32_t id) {
    const struct node *n = graph_at(e->g, id);
    long long low = plan_place_of(e->g, n, 0), high = low + graph_dims(e->g, graph_at(e->g, n->arg[0]))[0];
    struct expression to = place_i(e, id);
    emit_line(e, "for (int64_t i = first; i < (end < %lld ? end : %lld); i++) %s = 0;", low, low, to.s);
    emit_line(e, "for (int64_t i = first > %lld ? first : %lld; i < end; i++) %s = 0;", high, high, to.s);
}

/* part_NUMBER: places first to end-1 of a step that moves numbers. */
static void write_move(struct emitter *e, size_t s) {
    const struct step *step = &e->p->step[s];
    uint32_t id = e->p->node[step->first];
    const struct node *n = graph_at(e->g, id);
    emit_open_on_slots(e, step, &(struct on_slots){"APART", "void", "part", TAKES_UNITS}, s);
    emit_line(e, "int64_t low;");
    if (n->op == OP_unslice) clear_around(e, id);
    for (uint32_t k = 0; k < n->n; k++)
        if (!plan_joined(e->p, id, k)) write_part(e, id, k);
    emit_close(e);
}

/* A loop that ends where its caller says: the compiler makes vectors of it where it sees nothing else. */
static void write_part_loop(struct emitter *e, size_t s) {
    emit_open(
        e, "APART void part_%zu(char *const slot[], char *shared, char *row, int64_t first, int64_t end)", s);
    emit_line(e, "loop_%zu(slot, shared, row, first, end);", s);
    emit_close(e);
}

static void write_chain(struct chain *c) {
    struct emitter *e = c->e;
    long long step = c->step, most = 0;
    for (size_t t = 0; t < c->n; t++)
        if (e->p->step[c->first + t].kind == STEP_KERNEL) write_move(e, c->first + t);
        else write_part_loop(e, c->first + t);
    for (size_t t = 0; t < c->n; t++)
        if (c->link[t].delay > most) most = c->link[t].delay;
    const bool windows = c->windows != 0;
    emit_open(e, "static void chain_%zu(char *const %s[], char *shared, char *row)", c->first,
              windows ? "all" : "slot");
    if (windows) declare_windows(c);
    emit_open(e, "for (int64_t at = 0; at < %lld; at += %lld)", (long long)c->count + most, step);
    if (windows) set_windows(c);
    for (size_t t = 0; t < c->n; t++) {
        size_t s = c->first + t;
        long long d = c->link[t].delay, count = c->count;
        emit_open(e, "if (at + %lld > %lld && at - %lld < %lld)", step, d, d, count);
        emit_line(e, "const int64_t first = at > %lld ? at - %lld : 0;", d, d);
        emit_line(e, "const int64_t end = at + %lld < %lld ? at + %lld : %lld;", step - d, count, step - d,
                  count);
        emit_line(e, "part_%zu(slot, shared, row, first, end);", s);
        emit_close(e);
    }
    if (windows) move_windows(c);
    emit_close(e);
    emit_close(e);
}

/* How many numbers step s is over, if it can be of a chain; else 0. */
static int64_t numbers_of(const struct emitter *e, size_t s, const struct loop loop[]) {
    const struct step *step = &e->p->step[s];
    if (step->kind == STEP_LOOP) return loop[s].count;
    return moves(e->p, step) ? graph_elements(e->g, graph_at(e->g, e->p->node[step->first])) : 0;
}

size_t emit_chain(struct emitter *e, size_t first, const struct loop loop[],
                  const struct kernel_units units[]) {
    struct chain *c = mem_zero(&e->mem, sizeof *c);
    size_t n = 0;
    if (!c) e->status = CR_ENOMEM;
    if (!c) return 0;
    *c = (struct chain){
        .e = e, .loop = loop, .units = units, .count = numbers_of(e, first, loop), .first = first};
    if (c->count >= least_numbers) take_steps(c);
    if (c->n > 1 && !place_windows(c)) forget_windows(c);
    if (c->n > 1) write_chain(c), n = c->n;
    mem_free(&e->mem, c, sizeof *c);
    return n;
}
