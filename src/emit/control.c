/* Steps that run functions, as C: loops stay loops around a call, of a condition one branch is called. */
#include "emit/emit.h"
#include "ops/control.h"
#include "tensor/dtype.h"

#include <string.h>

struct running {
    struct emitter *e;
    size_t step;
    const struct node *n;
    struct emit_control c;
    struct loop_attr l;
    uint32_t first;  /* of the node's operands: those before it are no operand of the functions */
    uint32_t *name;  /* by operand: of its copy, of the carry; intern_none: it is read where it stands */
    uint32_t *next;  /* by carry: of what it becomes */
    uint32_t *swap;  /* by carry: of where it was, while the two change places */
    uint32_t *spare; /* by result of a callback: of what nobody wants */
    struct emit_body body[2];
    struct cr_text text; /* of a call */
};

static const cr_function *function(const struct running *r) { return r->c.of[0].f; }
static uint32_t operands(const struct running *r) { return function(r) ? function(r)->n_in : 0; }
static uint32_t results(const struct running *r) { return function(r) ? function(r)->n_out : 0; }
static uint32_t carries(const struct running *r) { return (uint32_t)r->l.carry; }
static bool is_row(const struct running *r, uint32_t k) {
    return k >= carries(r) && k < carries(r) + (uint32_t)r->l.xs;
}
static uint32_t operand(const struct running *r, uint32_t k) {
    return graph_args(r->e->g, r->n)[r->first + k];
}
static bool is_callback(const struct running *r) { return !r->c.of[0].plan; }

static bool is_read(const struct running *r, uint32_t k) {
    return is_callback(r) || r->c.of[0].in[k] || (r->c.of[1].plan && r->c.of[1].in[k]);
}

static bool is_empty(const cr_function *f, uint32_t node) { return plan_node_bytes(f->g, node) == 0; }

/* ---- What moves ---- */

/* Of a compiled one so few bytes are copied rather than that they change places: then the compiler knows where they are. */
static bool is_copied(const struct running *r, const cr_function *f, uint32_t node) {
    enum { few = 256 };
    return r->e->exact && plan_node_bytes(f->g, node) <= few;
}

/* A compiled one has what moves on its stack. */
static uint32_t declare_local(struct running *r, const cr_function *f, uint32_t node, bool moves) {
    struct emitter *e = r->e;
    const struct node *n = graph_at(f->g, node);
    char type[80];
    const char *t = emit_type(e, (cr_dtype)n->dtype, type);
    uint32_t name = emit_reserve(e, "moving");
    const char *s = emit_reserved(e, name);
    long long count = (long long)graph_elements(f->g, n);
    if (!moves || is_copied(r, f, node)) emit_line(e, "%s %s[%lld];", t, s, count);
    else emit_line(e, "%s room_of_%s[%lld], *%s = room_of_%s;", t, s, count, s, s);
    emit_take_stack(e, plan_node_bytes(f->g, node));
    return name;
}

/* A place of its own for a value of f's. Its bytes grow with the type of fractions, as those of the plan do. */
static uint32_t declare(struct running *r, const cr_function *f, uint32_t node, const char *wanted,
                        bool moves) {
    struct emitter *e = r->e;
    if (e->exact) return declare_local(r, f, node, moves);
    const struct node *n = graph_at(f->g, node);
    struct cr_text at = text_make(&e->mem);
    char type[80];
    const char *t = emit_type(e, (cr_dtype)n->dtype, type);
    uint32_t name = emit_reserve(e, wanted);
    emit_place(e, &at, e->inside_now);
    emit_line(e, "%s *%s%s = (%s *)(void *)(inside + %s);", t, moves ? "" : "const ", emit_reserved(e, name),
              t, at.failed ? "" : at.s);
    text_drop(&at);
    e->inside_now = mem_add(e->inside_now, mem_add(plan_node_bytes(f->g, node), 63) / 64 * 64);
    return name;
}

/* Do the axes from `first` on stand in row-major order? */
static bool runs_on(const struct emitter *e, uint32_t node, int first) {
    const struct node *n = graph_at(e->g, node);
    const int64_t *stride = plan_strides(e->p, node), *dim = graph_dims(e->g, n);
    int64_t expected = 1;
    for (int i = graph_rank(e->g, n); i-- > first; expected *= dim[i])
        if (dim[i] != 1 && stride[i] != expected) return false;
    return true;
}

/* iota is nowhere, and a number repeated is one number. */
static bool stands_there(const struct emitter *e, uint32_t node, int first) {
    const struct slot *s = &e->p->slot[e->p->view[node].slot];
    return graph_at(e->g, s->node)->op != OP_iota && runs_on(e, node, first);
}

static const char *name_of_input(const cr_function *f, uint32_t k) {
    return graph_text(f->g, (uint32_t)graph_attr(f->g, function_in(f, k))[0]);
}

/* Copies of what does not run on; of rows the place alone, since each step has another. */
static void gather(struct running *r) {
    struct emitter *e = r->e;
    const cr_function *f = function(r);
    for (uint32_t k = carries(r); k < operands(r); k++) {
        uint32_t x = operand(r, k);
        if (!is_read(r, k) || is_empty(f, f->in[k]) || stands_there(e, x, is_row(r, k))) continue;
        r->name[k] = declare(r, f, f->in[k], name_of_input(f, k), false);
        if (!is_row(r, k)) emit_move(e, emit_reserved(e, r->name[k]), x);
    }
}

static void gather_rows(struct running *r) {
    static const char *const trip[] = {"trip"};
    for (uint32_t k = carries(r); k < operands(r); k++)
        if (is_row(r, k) && r->name[k] != intern_none)
            emit_move_rest(r->e, emit_reserved(r->e, r->name[k]), operand(r, k), 1, trip);
}

/* ---- Calls ---- */

static void argument(struct running *r, const char *s) { emit_argument(&r->text, 4 * r->e->depth + 4, s); }

static void give_operand(struct running *r, uint32_t k) {
    static const char *const trip[] = {"trip"};
    struct emitter *e = r->e;
    if (is_empty(function(r), function(r)->in[k])) argument(r, "NULL");
    else if (r->name[k] != intern_none) argument(r, emit_reserved(e, r->name[k]));
    else argument(r, emit_pointer(e, operand(r, k), is_row(r, k), trip).s);
}

static void give_place(struct running *r, uint32_t k) {
    static const char *const trip[] = {"trip"};
    struct emitter *e = r->e;
    const cr_function *f = function(r);
    bool loop = r->n->op == OP_scan;
    if (is_empty(f, f->out[k])) argument(r, "NULL");
    else if (k < carries(r)) argument(r, emit_reserved(e, r->next[k]));
    else if (!r->c.part[k]) argument(r, emit_reserved(e, r->spare[k]));
    else argument(r, emit_pointer(e, r->c.part[k], loop, trip).s);
}

/* What a function works in; where a compiled one's slots stand. */
static void give_work(struct running *r, int which) {
    struct emitter *e = r->e;
    struct cr_text at = text_make(&e->mem);
    if (e->exact) text_add(&at, "&inner[%zu]", 2 * r->step + (size_t)which);
    else text_str(&at, e->inside_now ? "inside + " : "inside");
    if (!e->exact && e->inside_now) emit_place(e, &at, e->inside_now);
    if (e->exact || r->body[which].work) argument(r, at.failed ? "" : at.s);
    text_drop(&at);
}

/* "step_cell(h0, &x[trip * 3], h0_next, inside + 128)", in r->text. */
static void write_call(struct running *r, int which) {
    struct emitter *e = r->e;
    const struct emit_function *f = &r->c.of[which];
    const struct emit_body *b = &r->body[which];
    r->text.n = 0;
    for (uint32_t k = 0; k < f->f->n_in; k++)
        if (!f->plan || f->in[k]) give_operand(r, k);
    bool condition = r->n->op == OP_scan && which == 1;
    if (condition) argument(r, "&holds");
    for (uint32_t k = 0; k < f->f->n_out && !condition; k++)
        if (!f->plan || f->out[k]) give_place(r, k);
    for (int i = 1; i >= 0; i--)
        if (b->source[i]) argument(r, i ? "run_seed" : "run_step");
    give_work(r, which);
    const char *name = intern_bytes(&e->file->names, b->name),
               *s = r->text.n && !r->text.failed ? r->text.s : "";
    if (r->text.failed) e->status = CR_ENOMEM;
    else if (b->may_fail) emit_line(e, "if ((status = %s(%s)) != 0) return status;", name, s);
    else emit_line(e, "%s(%s);", name, s);
}

/* The functions first, so that it is known what they need. */
static bool write_functions(struct running *r) {
    static const char *const branch[] = {"yes", "no"}, *const loop[] = {"body", "condition"};
    struct emitter *e = r->e;
    bool may_fail = false;
    for (int i = 0; i < 2; i++) {
        if (!r->c.of[i].f) continue;
        const char *otherwise = r->n->op == OP_cond ? branch[i] : r->n->op == OP_scan ? loop[i] : "call";
        r->body[i] = emit_body_of(e, &r->c.of[i], i == 0 ? carries(r) : 0, otherwise);
        may_fail = may_fail || r->body[i].may_fail;
    }
    if (e->status) return false;
    if (may_fail) emit_line(e, "int status;");
    e->may_fail = e->may_fail || may_fail;
    return true;
}

/* They work behind what moves, one after the other in the same bytes. */
static void take_work(struct running *r) {
    struct emitter *e = r->e;
    for (int i = 0; i < 2; i++) {
        size_t end = mem_add(e->inside_now, (mem_add(r->body[i].work, 63)) / 64 * 64);
        if (end > e->inside) e->inside = end;
    }
}

/* ---- call and cond ---- */

static void declare_spare(struct running *r) {
    const cr_function *f = function(r);
    for (uint32_t k = 0; is_callback(r) && k < results(r); k++)
        if (!r->c.part[k] && !is_empty(f, f->out[k]))
            r->spare[k] = declare(r, f, f->out[k], "unwanted", false);
}

static void once(struct running *r) {
    struct emitter *e = r->e;
    if (!write_functions(r)) return;
    gather(r);
    declare_spare(r);
    take_work(r);
    if (r->n->op == OP_call) {
        write_call(r, 0);
        return;
    }
    struct cr_text condition = text_make(&e->mem);
    emit_element(e, &condition, graph_args(e->g, r->n)[0], 0, NULL);
    emit_open(e, "if (%s)", condition.failed || !condition.n ? "0" : condition.s);
    text_drop(&condition);
    write_call(r, 0);
    e->depth--;
    emit_open(e, "} else");
    write_call(r, 1);
    emit_close(e);
}

/* ---- Loops ---- */

static bool is_conditional(const struct running *r) { return r->c.of[1].f != NULL; }

static void start_carries(struct running *r) {
    const cr_function *f = function(r);
    struct emitter *e = r->e;
    for (uint32_t k = 0; k < carries(r); k++) {
        if (is_empty(f, f->in[k])) continue;
        struct cr_text next = text_make(&e->mem), swap = text_make(&e->mem);
        r->name[k] = declare(r, f, f->in[k], name_of_input(f, k), true);
        text_add(&next, "%s_next", emit_reserved(e, r->name[k]));
        text_add(&swap, "swap_%s", emit_reserved(e, r->name[k]));
        r->next[k] = declare(r, f, f->in[k], next.failed ? "x" : next.s, true);
        r->swap[k] = emit_reserve(e, swap.failed ? "x" : swap.s);
        text_drop(&next);
        text_drop(&swap);
    }
    for (uint32_t k = 0; k < carries(r); k++)
        if (r->name[k] != intern_none) emit_move(e, emit_reserved(e, r->name[k]), operand(r, k));
}

/* Each carry as it is before the step, for the way back. */
static void keep_carries(struct running *r) {
    static const char *const index[] = {"trip", "i"};
    struct emitter *e = r->e;
    const cr_function *f = function(r);
    for (uint32_t k = 0; k < carries(r) && r->l.n >= 0; k++) {
        uint32_t part = r->c.part[loop_kept(f) + (int)k];
        int64_t n = graph_elements(f->g, function_in(f, k));
        if (!part || r->name[k] == intern_none) continue;
        struct cr_text t = text_make(&e->mem);
        emit_element_of(e, &t, part, n > 1 ? 2 : 1, (int64_t[]){n, 1}, index);
        if (t.failed) e->status = CR_ENOMEM;
        else if (n == 1) emit_line(e, "%s = %s[0];", t.s, emit_reserved(e, r->name[k]));
        else
            emit_line(e, "for (long i = 0; i < %lld; i++) %s = %s[i];", (long long)n, t.s,
                      emit_reserved(e, r->name[k]));
        text_drop(&t);
    }
}

static void swap_carries(struct running *r) {
    struct emitter *e = r->e;
    const cr_function *f = function(r);
    char type[80];
    for (uint32_t k = 0; k < carries(r); k++) {
        if (r->name[k] == intern_none) continue;
        const char *now = emit_reserved(e, r->name[k]), *next = emit_reserved(e, r->next[k]);
        if (is_copied(r, f, f->in[k])) {
            emit_line(e, "for (long i = 0; i < %lld; i++) %s[i] = %s[i];",
                      (long long)graph_elements(f->g, function_in(f, k)), now, next);
            continue;
        }
        const char *swap = emit_reserved(e, r->swap[k]);
        emit_line(e, "%s *const %s = %s;", emit_type(e, (cr_dtype)function_in(f, k)->dtype, type), swap, now);
        emit_line(e, "%s = %s;", now, next);
        emit_line(e, "%s = %s;", next, swap);
    }
}

static void one_trip(struct running *r) {
    keep_carries(r);
    gather_rows(r);
    write_call(r, 0);
    swap_carries(r);
}

/* Is this how many steps another loop made, which had no more to make? */
static bool is_count_within(const struct emitter *e, uint32_t id, int64_t most) {
    const struct node *n = graph_at(e->g, id);
    if (n->op != OP_part) return false;
    const struct node *loop = graph_at(e->g, graph_args(e->g, n)[0]);
    if (loop->op != OP_scan || graph_attr(e->g, n)[0] != ops_part_count(e->g, loop) - 1) return false;
    int64_t bound = loop_attr(e->g, loop).n;
    return bound >= 0 && bound <= most;
}

/* The bound: a number, or that of the operand that counts. */
static struct expression bound(struct running *r) {
    struct emitter *e = r->e;
    struct cr_text t = text_make(&e->mem);
    if (!r->l.counted) {
        text_add(&t, "%lld", (long long)r->l.n);
        return emit_take(e, &t);
    }
    uint32_t count = graph_args(e->g, r->n)[0];
    emit_element(e, &t, count, 0, NULL);
    struct expression x = emit_take(e, &t);
    if (!is_count_within(e, count, r->l.n)) {
        emit_line(e, "if (%s < 0 || %s > %lld) return 1;", x.s, x.s, (long long)r->l.n);
        e->may_fail = true;
    }
    emit_line(e, "const long limit = (long)%s;", x.s);
    return (struct expression){"limit"};
}

/* While the condition holds: `trip` is how often it did. */
static void run_while(struct running *r, const char *limit) {
    struct emitter *e = r->e;
    emit_line(e, "long trip = 0;");
    emit_open(e, "for (;; trip++)");
    emit_line(e, "uint8_t holds;");
    write_call(r, 1);
    emit_line(e, "if (!holds) break;");
    if (r->l.n >= 0 || r->l.counted) {
        emit_line(e, "if (trip == %s) return 4;", limit);
        e->may_fail = true;
    }
    one_trip(r);
    emit_close(e);
}

static void run_for(struct running *r, const char *limit) {
    struct emitter *e = r->e;
    if (r->l.reverse) emit_open(e, "for (long trip = %s; trip-- > 0;)", limit);
    else emit_open(e, "for (long trip = 0; trip < %s; trip++)", limit);
    one_trip(r);
    emit_close(e);
}

/* Rows that no step wrote are 0. */
static void clear_rest(struct running *r, const char *done) {
    struct emitter *e = r->e;
    for (int k = (int)carries(r); k < ops_part_count(e->g, r->n) - 1; k++) {
        const struct node *n = r->c.part[k] ? graph_at(e->g, r->c.part[k]) : NULL;
        int64_t all = n ? graph_elements(e->g, n) : 0;
        if (all == 0) continue;
        emit_line(e, "for (long i = %s * %lld; i < %lld; i++) %s[i] = 0;", done, (long long)(all / r->l.n),
                  (long long)all, emit_pointer(e, r->c.part[k], 0, NULL).s);
    }
}

static void finish(struct running *r, const char *done) {
    struct emitter *e = r->e;
    const cr_function *f = function(r);
    for (uint32_t k = 0; k < carries(r); k++) {
        if (!r->c.part[k] || r->name[k] == intern_none) continue;
        if (graph_elements(f->g, function_in(f, k)) == 1)
            emit_line(e, "%s[0] = %s[0];", emit_pointer(e, r->c.part[k], 0, NULL).s,
                      emit_reserved(e, r->name[k]));
        else
            emit_line(e, "for (long i = 0; i < %lld; i++) %s[i] = %s[i];",
                      (long long)graph_elements(f->g, function_in(f, k)),
                      emit_pointer(e, r->c.part[k], 0, NULL).s, emit_reserved(e, r->name[k]));
    }
    uint32_t count = r->c.part[ops_part_count(e->g, r->n) - 1];
    if (count) emit_line(e, "%s[0] = %s;", emit_pointer(e, count, 0, NULL).s, done);
    if (r->l.n > 0 && (is_conditional(r) || r->l.counted)) clear_rest(r, done);
}

static void run_loop(struct running *r) {
    if (!write_functions(r)) return;
    struct expression limit = bound(r);
    start_carries(r);
    gather(r);
    take_work(r);
    if (is_conditional(r)) run_while(r, limit.s);
    else run_for(r, limit.s);
    finish(r, is_conditional(r) ? "trip" : limit.s);
}

/* ---- The step ---- */

static bool start(struct running *r) {
    struct mem *m = &r->e->mem;
    r->name = mem_alloc(m, mem_mul(operands(r), sizeof *r->name));
    r->next = mem_alloc(m, mem_mul(operands(r), sizeof *r->next));
    r->swap = mem_alloc(m, mem_mul(operands(r), sizeof *r->swap));
    r->spare = mem_alloc(m, mem_mul(results(r), sizeof *r->spare));
    for (uint32_t k = 0; r->name && k < operands(r); k++) r->name[k] = intern_none;
    return r->name && r->next && r->swap && r->spare;
}

static void end(struct running *r) {
    struct mem *m = &r->e->mem;
    mem_free(m, r->name, operands(r) * sizeof *r->name);
    mem_free(m, r->next, operands(r) * sizeof *r->next);
    mem_free(m, r->swap, operands(r) * sizeof *r->swap);
    mem_free(m, r->spare, results(r) * sizeof *r->spare);
    text_drop(&r->text);
}

void emit_control(struct emitter *e, size_t step) {
    uint32_t id = e->p->node[e->p->step[step].first];
    struct running r = {.e = e, .step = step, .n = graph_at(e->g, id), .text = text_make(&e->mem)};
    r.c = e->wish->control(e->program, step);
    if (r.n->op == OP_scan) r.l = loop_attr(e->g, r.n), r.first = r.l.counted != 0;
    if (r.n->op == OP_cond) r.first = 1;
    if (!start(&r)) e->status = CR_ENOMEM;
    else if (r.n->op == OP_scan) run_loop(&r);
    else if (r.n->op != OP_implicit) once(&r);
    else if (r.c.part[0]) emit_move(e, emit_pointer(e, r.c.part[0], 0, NULL).s, graph_args(e->g, r.n)[0]);
    end(&r);
}
