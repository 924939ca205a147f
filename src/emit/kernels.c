/* The unit of translation that holds a program's loops. */
#include "emit/units.h"

#include <string.h>

#include "tensor/dtype.h"

static const char *const prelude[] = {
#include "emit/prelude.inc"
};

static bool has_tail(const struct plan *p) {
    for (size_t s = 0; s < p->steps; s++)
        if (p->step[s].tail) return true;
    return false;
}

static bool is_picking(const struct node *n) { return n->op == OP_gather || n->op == OP_scatter_add; }

bool emit_may_fail(const struct emitter *e, size_t s) {
    const struct step *step = &e->p->step[s];
    return step->kind == STEP_CONTROL ||
           (step->kind == STEP_KERNEL && is_picking(graph_at(e->g, e->p->node[step->first])));
}

static bool is_small_loop(const struct step *s, const struct loop *l) {
    return s->way == WAY_WHOLE && loop_work(l) < 2 * loop_worth_a_thread;
}

static void write_step(struct emitter *e, size_t s, const struct loop *l, const struct kernel_units *u) {
    const struct step *step = &e->p->step[s];
    if (step->way != WAY_WHOLE && s != e->p->group[step->group].first) return; /* the first stands for all */
    bool made = u->made && is_small_loop(step, l);
    if (made && !emit_may_fail(e, s)) {
        emit_open(e, "if (f->active[%zu])", s);
        emit_line(e, "loop_%zu(f->slot, f->shared, f->row, 0, %lld);", s, (long long)u->count);
        if (l->shared) emit_line(e, "end_%zu(f->slot, f->shared);", s);
        emit_close(e);
    } else { /* what fails runs again, the built-in way, to say where */
        if (made) emit_open(e, "if (f->active[%zu] && loop_%zu(f->slot, f->inner))", s, s);
        else emit_open(e, "if (f->active[%zu])", s);
        emit_line(e, "const int64_t status = f->step(f->arg, %zu);", s);
        emit_line(e, "if (status) return status;");
        emit_close(e);
    }
}

/* Where one of its steps isn't wanted, each runs by itself. */
static void write_chain(struct emitter *e, size_t first, size_t n, const struct loop loop[],
                        const struct kernel_units units[]) {
    for (size_t s = first; s < first + n; s++)
        emit_line(e, "%s (f->active[%zu]%s", s == first ? "if (" : "    &&", s,
                  s + 1 == first + n ? "))" : ")");
    emit_line(e, "    chain_%zu(f->slot, f->shared, f->row);", first);
    emit_open(e, "else");
    for (size_t s = first; s < first + n; s++) write_step(e, s, &loop[s], &units[s]);
    emit_close(e);
}

static void write_program(struct emitter *e, const struct loop loop[], const struct kernel_units units[],
                          bool tail, bool chains) {
    struct cr_text *out = e->out, body = text_make(&e->mem);
    for (size_t s = 0, n; s < e->p->steps; s += n ? n : 1) {
        e->out = out;
        e->depth = 0;
        n = chains && !tail ? emit_chain(e, s, loop, units) : 0;
        bool both = !n && e->p->step[s].tail == tail && emit_then(e, s, loop, units);
        e->out = &body;
        e->depth = 1;
        if (n) write_chain(e, s, n, loop, units);
        else if (both) {
            emit_line(e, "if (f->active[%zu]) both_%zu(f->slot);", s + 1, s);
            n = 2;
        } else if (e->p->step[s].tail == tail) write_step(e, s, &loop[s], &units[s]);
    }
    e->out = out;
    e->depth = 0;
    emit_open(e, "static int64_t %s(const struct kernel_frame *f)", tail ? "tail" : "body");
    text_bytes(out, body.s ? body.s : "", body.n);
    text_end(&body, out);
    emit_line(e, "return 0;");
    emit_close(e);
}

static void write_table(struct emitter *e, const struct loop loop[], const struct kernel_units units[]) {
    size_t n = e->p->steps;
    text_add(e->out, "static kernel_loop *const loops[%zu] = {", n + 1);
    for (size_t s = 0; s < n; s++)
        text_add(e->out, units[s].made && !emit_may_fail(e, s) ? "loop_%zu, " : "0, ", s);
    text_add(e->out, "0};\nstatic kernel_end *const ends[%zu] = {", n + 1);
    for (size_t s = 0; s < n; s++) text_add(e->out, units[s].made && loop[s].shared ? "end_%zu, " : "0, ", s);
    text_add(e->out,
             "0};\nstatic const struct kernel_table kernels = {CHAINRULE_KEY, %zu, loops, ends, body, %s};\n"
             "__attribute__((visibility(\"default\"))) const struct kernel_table *chainrule_kernels(void);\n"
             "const struct kernel_table *chainrule_kernels(void) { return &kernels; }\n",
             n, has_tail(e->p) ? "tail" : "0");
}

enum { little = 256 }; /* numbers */

/* Does it pick so few numbers, or add so few where it is told, that a call would take longer? */
static bool picks_little(const struct emitter *e, const struct step *s) {
    const struct node *n = graph_at(e->g, e->p->node[s->first]);
    if (s->kind != STEP_KERNEL || s->way != WAY_WHOLE || !is_picking(n)) return false;
    const struct node *x = graph_at(e->g, graph_args(e->g, n)[0]);
    bool sums = n->op == OP_scatter_add;
    return graph_elements(e->g, n) <= little && (!sums || graph_elements(e->g, x) <= little) &&
           (!sums || n->dtype == CR_F32 || n->dtype == CR_F64);
}

/* Does it move so few numbers that a call would take longer? */
static bool moves_little(const struct emitter *e, const struct step *s) {
    const struct node *n = graph_at(e->g, e->p->node[s->first]);
    return (s->kind == STEP_COPY ||
            (s->kind == STEP_KERNEL && (n->op == OP_concat || n->op == OP_unslice))) &&
           graph_elements(e->g, n) <= little;
}

/* A product so small that choosing how to compute it would take longer than a hundredth of computing it; of no more than a slice
 * (gemm.h), and a B that stays in the first-level cache. room: in numbers, for a B whose rows have gaps. */
static bool is_small_product(const struct emitter *e, const struct step *s, int64_t *room) {
    enum { most_k = 512, most_b = 1 << 14, most_terms = 1 << 18 };
    const struct node *n = graph_at(e->g, e->p->node[s->first]);
    if (s->kind != STEP_KERNEL || s->way != WAY_WHOLE || n->op != OP_matmul ||
        !dtype_is_float((cr_dtype)n->dtype))
        return false;
    int r = graph_rank(e->g, n);
    const int64_t *a = graph_dims(e->g, graph_at(e->g, n->arg[0])), *c = graph_dims(e->g, n);
    const int64_t *stride = plan_strides(e->p, n->arg[1]);
    int64_t k = a[r - 1], each = k * c[r - 1], all = graph_elements(e->g, n);
    if (all < 1 || k < 1 || k > most_k || all > most_terms / k) return false;
    *room = c[r - 2] == 1 || c[r - 1] == 1 || stride[r - 1] == 1 ? 1 : each;
    return each * (int64_t)cr_dtype_size((cr_dtype)n->dtype) <= most_b;
}

bool emit_is_small(const struct emitter *e, size_t s, const struct loop *loop) {
    const struct step *step = &e->p->step[s];
    int64_t room;
    if (step->kind == STEP_LOOP) return is_small_loop(step, loop);
    if (step->kind == STEP_CONTROL) return emit_control_fits(e, s);
    return moves_little(e, step) || picks_little(e, step) ||
           (e->own_products && is_small_product(e, step, &room));
}

/* What may find an index out of range. */
static bool write_picking(struct emitter *e, const struct step *s, size_t number,
                          struct kernel_units *units) {
    emit_open_on_slots(
        e, s,
        &(struct on_slots){units_kind(e), "int", "loop", ", const struct kernel_inner *inner", ", inner"},
        number);
    emit_kernel(e, e->p->node[s->first]);
    emit_line(e, "return 0;");
    emit_close(e);
    units->count = 1;
    return true;
}

bool emit_is_small_product(const struct emitter *e, const struct step *s) {
    int64_t room;
    return e->own_products && is_small_product(e, s, &room);
}

void emit_small_product(struct emitter *e, const struct step *s) {
    const uint32_t id = e->p->node[s->first];
    int64_t room = 0;
    char type[80];
    is_small_product(e, s, &room);
    emit_line(e, "%s room[%lld];", emit_type(e, (cr_dtype)graph_at(e->g, id)->dtype, type), (long long)room);
    emit_kernel(e, id);
    e->products = true;
}

/* A small step that is no loop, as the only unit of one. */
static bool write_small(struct emitter *e, const struct step *s, size_t number, struct kernel_units *units) {
    uint32_t id = e->p->node[s->first];
    int64_t room = 0;
    if (picks_little(e, s)) return write_picking(e, s, number, units);
    if (!moves_little(e, s) && !(e->own_products && is_small_product(e, s, &room))) return false;
    emit_open_on_slots(e, s, &(struct on_slots){units_kind(e), "void", "loop", TAKES_UNITS}, number);
    if (room) emit_small_product(e, s);
    else if (s->kind == STEP_COPY) emit_copy(e, id);
    else emit_kernel(e, id);
    emit_close(e);
    units->count = 1;
    return true;
}

static bool write_control(struct emitter *e, size_t s, size_t number, struct kernel_units *units) {
    if (!emit_control_fits(e, s)) return false;
    emit_control_units(e, s, number);
    units->count = 1;
    return true;
}

/* What cannot be written (an expression is too long) is left to the built-in way. */
void emit_step_units(struct emitter *e, size_t s, const struct loop *loop, size_t number,
                     struct kernel_units *units) {
    const struct step *step = &e->p->step[s];
    size_t before = e->out->n, functions = e->file->functions.n;
    *units = (struct kernel_units){.made = false};
    if (step->kind == STEP_LOOP) units->made = emit_units(e, step, loop, number, units);
    else if (step->kind == STEP_CONTROL) units->made = write_control(e, s, number, units);
    else units->made = write_small(e, step, number, units);
    if (e->status != CR_EINVAL) return;
    e->status = CR_OK;
    e->depth = 0;
    e->out->n = before;
    e->file->functions.n = functions;
    units->made = false;
}

static void write_all(struct emitter *e, struct cr_text *out, const struct loop loop[],
                      struct kernel_units units[], bool chains) {
    struct cr_text loops = text_make(&e->mem);
    e->out = &loops;
    e->file->loops = e->p->steps;
    for (size_t s = 0; s < e->p->steps && !e->status; s++) {
        e->file->stack = 0;
        emit_step_units(e, s, &loop[s], s, &units[s]);
    }
    write_program(e, loop, units, false, chains);
    if (has_tail(e->p)) write_program(e, loop, units, true, false);
    write_table(e, loop, units);
    if (e->products) text_str(out, "#define PRODUCTS\n");
    for (size_t i = 0; i < sizeof prelude / sizeof *prelude; i++) text_str(out, prelude[i]);
    emit_library(e, out);
    text_bytes(out, e->values.s ? e->values.s : "", e->values.n);
    text_bytes(out, e->file->functions.s ? e->file->functions.s : "", e->file->functions.n);
    text_bytes(out, loops.s ? loops.s : "", loops.n);
    text_end(&loops, out);
}

cr_status emit_kernels(struct cr_text *out, const struct plan *p, const struct loop loop[],
                       struct kernel_units units[], const struct kernel_wish *w) {
    const struct emit_wish wish = {.prefix = "kernel", .control = w->control};
    char why[256];
    struct emit_file file = {.bodies = 0};
    struct emitter e = {.mem = p->mem,
                        .p = p,
                        .g = p->g,
                        .program = w->program,
                        .wish = &wish,
                        .file = &file,
                        .exact = true,
                        .own_products = w->products,
                        .real = -1,
                        .why = why};
    e.values = text_make(&e.mem);
    bool ok = emit_start_file(&file, &e.mem) && emit_start_names(&e);
    if (ok) write_all(&e, out, loop, units, w->chains);
    if (!ok || out->failed || file.helpers.failed || file.functions.failed || e.values.failed)
        e.status = CR_ENOMEM;
    emit_drop_names(&e);
    text_drop(&e.values);
    emit_drop_file(&file, &e.mem);
    return e.status;
}
