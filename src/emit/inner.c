/* Functions that a compiled program's steps run, compiled with it: what is small stands on the stack, where the compiler sees that it is but
 * a few numbers, and all else where the library has it. */
#include "emit/units.h"
#include "ops/control.h"
#include "tensor/dtype.h"

/* ---- Which ones ---- */

/* As the library runs it (run/control.c). */
static bool moves_little(const struct loop_attr *l, const cr_function *f) {
    size_t bytes = 0;
    uint32_t carries = (uint32_t)l->carry, rows = carries + (uint32_t)l->xs;
    for (uint32_t k = 0; k < rows; k++) bytes = mem_add(bytes, plan_node_bytes(f->g, f->in[k]));
    for (uint32_t k = carries; k < f->n_out; k++) bytes = mem_add(bytes, plan_node_bytes(f->g, f->out[k]));
    return bytes <= loop_moves_little;
}

/* A function that looks at the run's seed or step does so through its own run. */
static bool has_source(const struct plan *p) {
    for (size_t i = 0; i < p->slots; i++)
        if (p->slot[i].kind == SLOT_SOURCE) return true;
    return false;
}

static bool function_fits(const struct emitter *e, const struct emit_function *f) {
    if (!f->plan || has_source(f->plan)) return false;
    struct emitter inner = {.wish = e->wish,
                            .p = f->plan,
                            .g = f->plan->g,
                            .program = f->program,
                            .own_products = e->own_products};
    for (size_t s = 0; s < f->plan->steps; s++)
        if (!emit_is_small(&inner, s, &f->loop[s])) return false;
    return true;
}

bool emit_control_fits(const struct emitter *e, size_t s) {
    const struct node *n = graph_at(e->g, e->p->node[e->p->step[s].first]);
    if (!e->wish->control) return false;
    struct emit_control c = e->wish->control(e->program, s);
    for (int i = 0; i < 2; i++)
        if (c.of[i].f && !function_fits(e, &c.of[i])) return false;
    if (n->op != OP_scan) return true;
    struct loop_attr l = loop_attr(e->g, n);
    return moves_little(&l, c.of[0].f);
}

void emit_control_units(struct emitter *e, size_t s, size_t number) {
    emit_open(e, "%s int loop_%zu(char *const slot[], const struct kernel_inner *inner)", units_kind(e),
              number);
    emit_declare_slots(e, &e->p->step[s]);
    emit_control(e, s);
    emit_line(e, "return 0;");
    emit_close(e);
}

/* ---- What they work on ---- */

void emit_take_stack(struct emitter *e, size_t bytes) {
    enum { most = 1 << 16 };
    e->file->stack += bytes;
    if (e->file->stack > most && !e->status) emit_refuse(e, "too much for the stack");
}

/* So few bytes stand on the stack. */
enum { few = 512 };

static bool is_used(const struct emitter *e, size_t i) {
    const struct slot *s = &e->p->slot[i];
    return s->kind == SLOT_CONST || (s->kind == SLOT_WORK && s->first != no_slot);
}

static void declare_slot(struct emitter *e, size_t i) {
    const struct slot *s = &e->p->slot[i];
    char type[80];
    if (!is_used(e, i) || e->placed[i] || graph_at(e->g, s->node)->op == OP_iota) return;
    const char *t = emit_type(e, (cr_dtype)graph_at(e->g, s->node)->dtype, type),
               *name = emit_name(e, s->node);
    bool constant = s->kind == SLOT_CONST;
    size_t size = cr_dtype_size((cr_dtype)graph_at(e->g, s->node)->dtype);
    if (s->bytes > few || s->bytes == 0)
        emit_line(e, "%s%s *const %s = (%s *)(void *)here->slot[%zu];", constant ? "const " : "", t, name, t,
                  i);
    else emit_line(e, "%s %s[%zu];", t, name, (s->bytes + size - 1) / size), emit_take_stack(e, s->bytes);
    if (constant && s->bytes <= few && s->bytes)
        emit_line(e, "memcpy(%s, here->slot[%zu], %zu);", name, i, s->bytes);
}

static void list_slots(struct emitter *e) {
    emit_open(e, "char *const slot[%zu] =", e->p->slots + 1);
    for (size_t i = 0; i < e->p->slots; i++) {
        const struct slot *s = &e->p->slot[i];
        bool counted = graph_at(e->g, s->node)->op == OP_iota;
        if (counted) emit_line(e, "here->slot[%zu],", i);
        else if (is_used(e, i) || s->kind == SLOT_INPUT) emit_line(e, "(char *)%s,", emit_name(e, s->node));
        else emit_line(e, "0,");
    }
    e->depth--;
    emit_line(e, "};");
}

void emit_inner_declarations(struct emitter *e) {
    e->depth = 1;
    for (size_t i = 0; i < e->p->slots; i++) declare_slot(e, i);
    list_slots(e);
    emit_line(e, "char shared[%zu] __attribute__((aligned(64)));", e->shared_most + 1);
    emit_line(e, "char row[%zu] __attribute__((aligned(64)));", e->row_numbers + 1);
}

/* ---- What they do ---- */

static void write_step(struct emitter *e, size_t s, const struct loop *loop, size_t number) {
    struct kernel_units units;
    struct cr_text *steps = e->out, own = text_make(&e->mem); /* behind those that it calls */
    e->out = &own;
    e->depth = 0;
    emit_step_units(e, s, loop, number, &units);
    text_bytes(&e->file->functions, own.s ? own.s : "", own.n);
    text_end(&own, &e->file->functions);
    e->out = steps;
    e->depth = 1;
    if (!units.made) {
        emit_refuse(e, "a step is not made here");
    } else if (emit_may_fail(e, s)) {
        emit_line(e, "if (loop_%zu(slot, here->inner)) return 1;", number);
        e->may_fail = true;
    } else {
        emit_line(e, "loop_%zu(slot, shared, row, 0, %lld);", number, (long long)units.count);
        if (loop->shared) emit_line(e, "end_%zu(slot, shared);", number);
        if (loop->shared > e->shared_most) e->shared_most = loop->shared;
        if (units.row > e->row_numbers) e->row_numbers = units.row;
    }
}

void emit_inner_steps(struct emitter *e, const struct emit_function *f) {
    enum { most_loops = 2000 }; /* of a program: more would take the compiler too long */
    if (e->file->loops > most_loops) emit_refuse(e, "too many loops");
    for (size_t s = 0; s < e->p->steps && !e->status; s++) write_step(e, s, &f->loop[s], e->file->loops++);
    emit_take_stack(e, mem_add(e->shared_most, e->row_numbers));
}
