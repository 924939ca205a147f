/* Running the functions of a step. */
#include <string.h>

#include "device/callback.h"
#include "device/finite.h"
#include "run/control.h"
#include "tensor/dtype.h"

/* What a loop's step does with a result: bytes of it; where it stands after each step (NULL: not in one place, or not side by side); where
 * its rows go, or of a carry those of what it was (NULL: nobody wants them). */
struct move {
    size_t bytes;
    const char *from;
    char *rows;
};

struct nested {
    struct mem mem;
    const struct control *c;
    char *memory; /* the step's */
    struct place_of_run place[2];
    const char **from; /* by operand of the first function: where it stands, of xs the first row */
    size_t *step;      /* by operand: bytes from row to row; 0: the same for all steps */
    struct tensor *in; /* by operand: where it comes from */
    bool *direct;      /* by result: made where it is wanted */
    struct move *move; /* by result */
    size_t *bytes;     /* by operand */
    const bool *holds; /* where the condition's result always stands, or NULL */
    cr_tensor *view;   /* of a callback: operands, then results */
};

static uint32_t operands(const struct control *c) { return c->inner[0].f ? c->inner[0].f->n_in : 0; }
static uint32_t results(const struct control *c) { return c->inner[0].f ? c->inner[0].f->n_out : 0; }

void nested_free(struct nested *n) {
    if (!n) return;
    struct mem m = n->mem;
    for (int i = 0; i < 2; i++)
        if (n->c->inner[i].program) frame_drop(&n->place[i], n->c->inner[i].program);
    mem_free(&m, n->from, operands(n->c) * sizeof *n->from);
    mem_free(&m, n->step, operands(n->c) * sizeof *n->step);
    mem_free(&m, n->in, operands(n->c) * sizeof *n->in);
    mem_free(&m, n->direct, results(n->c) * sizeof *n->direct);
    mem_free(&m, n->move, results(n->c) * sizeof *n->move);
    mem_free(&m, n->bytes, operands(n->c) * sizeof *n->bytes);
    mem_free(&m, n->view, (operands(n->c) + results(n->c)) * sizeof *n->view);
    mem_free(&m, n, sizeof *n);
}

struct nested *nested_new(const struct control *c, char *memory) {
    struct nested *n = mem_zero(&c->mem, sizeof *n);
    if (!n) return NULL;
    n->mem = c->mem, n->c = c, n->memory = memory;
    n->from = mem_zero(&n->mem, mem_mul(operands(c), sizeof *n->from));
    n->step = mem_zero(&n->mem, mem_mul(operands(c), sizeof *n->step));
    n->in = mem_zero(&n->mem, mem_mul(operands(c), sizeof *n->in));
    n->direct = mem_zero(&n->mem, mem_mul(results(c), sizeof *n->direct));
    n->move = mem_zero(&n->mem, mem_mul(results(c), sizeof *n->move));
    n->bytes = mem_zero(&n->mem, mem_mul(operands(c), sizeof *n->bytes));
    n->view = mem_zero(&n->mem, mem_mul(operands(c) + (size_t)results(c), sizeof *n->view));
    bool ok = n->from && n->step && n->in && n->direct && n->move && n->bytes && n->view;
    for (int i = 0; i < 2 && ok; i++)
        if (c->inner[i].program)
            ok = frame_make(&n->place[i], c->inner[i].program, memory + c->inner[i].workspace);
    if (ok) return n;
    nested_free(n);
    return NULL;
}

struct kernel_inner nested_inner(const struct nested *n, int i) {
    return (struct kernel_inner){n->place[i].slot, n->place[i].inner};
}

/* ---- Operands and results ---- */

static void place_in(struct nested *n, int i, uint32_t k, const void *data) {
    const struct inner *f = &n->c->inner[i];
    union {
        const void *from;
        char *to;
    } place = {data}; /* inputs are never written */
    if (f->in[k]) n->place[i].slot[f->program->plan.view[f->in[k]].slot] = place.to;
}

static bool row_major(const struct tensor *t, int first) {
    int64_t expected = 1;
    for (int i = t->rank - 1; i >= first; i--) {
        if (t->dim[i] != 1 && t->stride[i] != expected) return shape_count(t->rank, t->dim) == 0;
        expected *= t->dim[i];
    }
    return true;
}

static void gather(void *to, const struct tensor *t, int first, int64_t row) {
    size_t size = cr_dtype_size(t->dtype);
    const char *data = t->data;
    if (first) data += row * t->stride[0] * (int64_t)size;
    copy_strided(to, data, size, t->rank - first, t->dim + first, t->stride + first);
}

/* Operand k of the functions comes from t, in whole or (rows) a row at each step. */
static void bind(struct nested *n, uint32_t k, struct tensor t, bool rows) {
    n->in[k] = t;
    n->step[k] = rows ? (size_t)(t.rank ? t.stride[0] : 0) * cr_dtype_size(t.dtype) : 0;
    n->from[k] = row_major(&t, rows) ? t.data : NULL; /* NULL: gathered */
    if (!n->from[k] && !rows) {
        gather(n->memory + n->c->at[k], &t, 0, 0);
        n->from[k] = n->memory + n->c->at[k];
    }
}

/* Operand k as it is at step `row`. */
static const char *at_row(struct nested *n, uint32_t k, int64_t row) {
    char *room = n->memory + n->c->at[k];
    if (!n->from[k]) return gather(room, &n->in[k], 1, row), room;
    return n->from[k] + (ptrdiff_t)((int64_t)n->step[k] * row);
}

/* Results that are all of a slot of the workspace can be made elsewhere at once. */
static void find_direct(struct nested *n, int i) {
    const struct inner *f = &n->c->inner[i];
    for (uint32_t k = 0; k < results(n->c); k++) {
        const struct plan *p = &f->program->plan;
        uint32_t node = f->out[k], slot = node ? p->view[node].slot : 0;
        n->direct[k] = node && !n->c->small && p->slot[slot].kind == SLOT_WORK &&
                       p->slot[slot].bytes == plan_node_bytes(f->program->g, node) &&
                       plan_contiguous(p, node);
        for (uint32_t j = 0; j < results(n->c) && n->direct[k]; j++)
            if (j != k && f->out[j] && p->view[f->out[j]].slot == slot) n->direct[k] = false;
    }
}

static void place_out(struct nested *n, int i, uint32_t k, char *to) {
    const struct inner *f = &n->c->inner[i];
    if (n->direct[k]) n->place[i].slot[f->program->plan.view[f->out[k]].slot] = to;
}

static void take_out(struct nested *n, int i, uint32_t k, char *to) {
    const struct inner *f = &n->c->inner[i];
    if (n->direct[k]) return;
    struct tensor y = program_tensor(f->program, f->out[k], n->place[i].slot);
    copy_strided(to, y.data, cr_dtype_size(y.dtype), y.rank, y.dim, y.stride);
}

/* ---- One function, once ---- */

static cr_status failed(struct place_of_run *r, const struct place_of_run *inner, const cr_program *p,
                        cr_status status, int64_t trip) {
    r->failure = inner->failure;
    if (!r->failure.inside) {
        r->failure.inside = p->g;
        r->failure.inside_node = inner->bad_node;
    }
    r->failure.trip = trip;
    return status;
}

static cr_status run_inner(struct nested *n, int i, struct place_of_run *r, int64_t trip) {
    const cr_program *p = n->c->inner[i].program;
    n->place[i].seed = r->seed, n->place[i].step = r->step;
    cr_status status = program_run(p, &n->place[i], false);
    return status ? failed(r, &n->place[i], p, status, trip) : CR_OK;
}

/* Where a part of the step stands; NULL: nobody wants it. */
static struct tensor part(const cr_program *p, const struct place_of_run *r, const struct control *c, int k) {
    return c->part[k] ? program_tensor(p, c->part[k], r->slot) : (struct tensor){0};
}

static struct tensor operand(const cr_program *p, const struct place_of_run *r, uint32_t id, uint32_t k) {
    return program_tensor(p, graph_args(p->g, graph_at(p->g, id))[k], r->slot);
}

static cr_status run_once(const cr_program *p, struct place_of_run *r, uint32_t id, struct nested *n, int i,
                          uint32_t first) {
    const struct control *c = n->c;
    for (uint32_t k = 0; k < operands(c); k++) {
        bind(n, k, operand(p, r, id, first + k), false);
        place_in(n, i, k, n->from[k]);
    }
    find_direct(n, i);
    for (uint32_t k = 0; k < results(c); k++) place_out(n, i, k, part(p, r, c, (int)k).data);
    frame_find_calls(&n->place[i], c->inner[i].program);
    cr_status status = run_inner(n, i, r, -1);
    for (uint32_t k = 0; k < results(c) && !status; k++)
        if (c->part[k]) take_out(n, i, k, part(p, r, c, (int)k).data);
    return status;
}

/* ---- A callback ---- */

static bool unfinite(const cr_function *f, uint32_t id, const cr_tensor *t) {
    const struct node *n = graph_at(f->g, id);
    int64_t stride[CR_MAX_RANK];
    struct shape s = graph_shape(f->g, n);
    shape_strides(&s, stride);
    struct tensor x = {t->data, (cr_dtype)n->dtype, s.rank, s.dim, stride};
    struct unfinite found = tensor_unfinite(&x, x.dtype);
    return found.nan || found.inf;
}

static cr_status trap_callback(const struct nested *n, struct place_of_run *r, const cr_function *f) {
    for (uint32_t k = 0; k < f->n_in; k++)
        if (unfinite(f, f->in[k], &n->view[k])) return CR_OK; /* made before */
    for (uint32_t k = 0; k < f->n_out; k++)
        if (unfinite(f, f->out[k], &n->view[f->n_in + k])) return r->failure.status = CR_ENAN;
    return CR_OK;
}

/* Results that nobody wants go to scratch: the callback always has room for all. */
static cr_status run_callback(const cr_program *p, struct place_of_run *r, uint32_t id, struct nested *n) {
    const cr_function *f = n->c->inner[0].f;
    for (uint32_t k = 0; k < f->n_in; k++) {
        bind(n, k, operand(p, r, id, k), false);
        n->view[k] = callback_tensor(f, f->in[k], n->from[k]);
    }
    for (uint32_t k = 0; k < f->n_out; k++) {
        struct tensor y = part(p, r, n->c, (int)k);
        n->view[f->n_in + k] =
            callback_tensor(f, f->out[k], y.data ? y.data : n->memory + n->c->at[f->n_in + k]);
    }
    cr_status status = f->callback(f->user, (int)f->n_in, n->view, (int)f->n_out, n->view + f->n_in);
    r->failure = (struct failure){.status = status, .trip = -1};
    return status || !p->trap_nan ? status : trap_callback(n, r, f);
}

/* ---- Loops ---- */

struct trips {
    const cr_program *p;
    struct place_of_run *r;
    struct nested *n;
    struct loop_attr l;
    char *now, *next; /* all carries */
    bool in_place;    /* no result of a step stands among the carries: they are overwritten at once */
    int64_t limit, done;
};

static char *carry_now(const struct trips *t, uint32_t k) { return t->now + t->n->c->at[k]; }

/* Mostly a number or a few. */
static void copy_bytes(char *to, const char *from, size_t bytes) {
    if (bytes == 8) memcpy(to, from, 8);
    else if (bytes == 16) memcpy(to, from, 16);
    else if (bytes == 1) *to = *from;
    else if (bytes) memcpy(to, from, bytes);
}

static void copy_row(const struct tensor *rows, int64_t row, const void *from, size_t bytes) {
    if (rows->data && bytes) memcpy((char *)rows->data + (size_t)row * bytes, from, bytes);
}

/* The carry as it is before the step, for the reverse mode. */
static void keep_carry(const struct trips *t, int64_t row) {
    for (uint32_t k = 0; k < (uint32_t)t->l.carry; k++) {
        const struct move *m = &t->n->move[k];
        if (m->rows) copy_bytes(m->rows + (size_t)row * m->bytes, carry_now(t, k), m->bytes);
    }
}

static void give_operands(const struct trips *t, int64_t row) {
    const struct control *c = t->n->c;
    uint32_t carry = (uint32_t)t->l.carry, xs = carry + (uint32_t)t->l.xs;
    for (uint32_t k = 0; k < carry && !c->small; k++) place_in(t->n, 0, k, carry_now(t, k));
    for (uint32_t k = carry; k < xs; k++) {
        const char *x = at_row(t->n, k, row);
        if (!c->small) place_in(t->n, 0, k, x);
        else if (x != t->n->memory + c->at[k]) copy_bytes(t->n->memory + c->at[k], x, t->n->bytes[k]);
    }
}

static char *y_row(const struct trips *t, uint32_t k, int64_t row) {
    const struct move *m = &t->n->move[k];
    return m->rows ? m->rows + (size_t)row * m->bytes : NULL;
}

static void place_results(const struct trips *t, int64_t row) {
    for (uint32_t k = 0; k < results(t->n->c) && !t->n->c->small; k++)
        place_out(t->n, 0, k, k < (uint32_t)t->l.carry ? t->next + t->n->c->at[k] : y_row(t, k, row));
}

static void take_results(struct trips *t, int64_t row) {
    const struct control *c = t->n->c;
    char *carries = t->in_place ? t->now : t->next;
    for (uint32_t k = 0; k < results(c); k++) {
        char *to = k < (uint32_t)t->l.carry ? carries + c->at[k] : y_row(t, k, row);
        const struct move *m = &t->n->move[k];
        if (to && m->from) copy_bytes(to, m->from, m->bytes);
        else if (to) take_out(t->n, 0, k, to);
    }
    if (c->small) {
        if (c->carry_bytes && !t->in_place) memcpy(t->now, t->next, c->carry_bytes);
        return;
    }
    char *swap = t->now;
    t->now = t->next, t->next = swap;
}

static const bool *condition_at(const struct nested *n) {
    const struct inner *f = &n->c->inner[1];
    return program_tensor(f->program, f->out[0], n->place[1].slot).data;
}

/* Does the condition hold? */
static cr_status holds(const struct trips *t, bool *yes) {
    const struct inner *f = &t->n->c->inner[1];
    *yes = true;
    if (!f->program) return CR_OK;
    for (uint32_t k = 0; k < (uint32_t)t->l.carry && !t->n->c->small; k++)
        place_in(t->n, 1, k, carry_now(t, k));
    cr_status status = run_inner(t->n, 1, t->r, t->done);
    if (!status) *yes = *(t->n->holds ? t->n->holds : condition_at(t->n));
    return status;
}

static cr_status one_trip(struct trips *t) {
    int64_t row = t->l.reverse ? t->limit - 1 - t->done : t->done;
    keep_carry(t, row);
    give_operands(t, row);
    place_results(t, row);
    cr_status status = run_inner(t->n, 0, t->r, t->done);
    if (!status) take_results(t, row);
    t->done += !status;
    return status;
}

static cr_status too_many(const struct trips *t) {
    t->r->failure = (struct failure){.status = CR_ELIMIT, .limit = t->l.n, .trip = t->done};
    return CR_ELIMIT;
}

static cr_status run_trips(struct trips *t) {
    bool conditional = t->n->c->inner[1].program != NULL, yes = true;
    while (yes) {
        if (!conditional && t->done == t->limit) break;
        cr_status status = holds(t, &yes);
        if (status || !yes) return status;
        if (t->limit >= 0 && t->done == t->limit) return too_many(t);
        if ((status = one_trip(t))) return status;
    }
    return CR_OK;
}

/* What is small is where it is for all steps. */
static void find_moves(const struct trips *t) {
    struct nested *n = t->n;
    const struct inner *f = &n->c->inner[0];
    for (uint32_t k = 0; k < results(n->c); k++) {
        struct move *m = &n->move[k];
        bool carry = k < (uint32_t)t->l.carry;
        *m = (struct move){.bytes = plan_node_bytes(f->f->g, f->f->out[k])};
        if (!carry || t->l.n >= 0)
            m->rows = part(t->p, t->r, n->c, (int)k + (carry ? loop_kept(f->f) : 0)).data;
        if (!n->c->small || !f->out[k]) continue;
        struct tensor y = program_tensor(f->program, f->out[k], n->place[0].slot);
        if (row_major(&y, 0)) m->from = y.data;
    }
    n->holds = n->c->small && n->c->inner[1].program ? condition_at(n) : NULL;
}

/* A result that is a carry as it was, or a view of one, must be taken before any carry is overwritten. */
static bool none_among_carries(const struct trips *t) {
    for (uint32_t k = 0; k < results(t->n->c); k++) {
        const char *from = t->n->move[k].from;
        if (!t->n->c->inner[0].out[k]) continue;
        if (!from || (from >= t->now && from < t->now + t->n->c->carry_bytes)) return false;
    }
    return true;
}

/* Operands of both functions; carries start in the first copy. */
static void bind_all(struct trips *t, uint32_t id) {
    const struct control *c = t->n->c;
    const cr_function *f = c->inner[0].f;
    uint32_t carry = (uint32_t)t->l.carry, xs = carry + (uint32_t)t->l.xs;
    bool condition = c->inner[1].program != NULL;
    for (uint32_t k = 0; k < f->n_in; k++) {
        struct tensor x = operand(t->p, t->r, id, k + (uint32_t)t->l.counted);
        t->n->bytes[k] = plan_node_bytes(f->g, f->in[k]);
        if (k < carry) gather(t->now + c->at[k], &x, 0, 0);
        else bind(t->n, k, x, k < xs);
        const char *at = k < carry ? t->now + c->at[k] : k < xs ? t->n->memory + c->at[k] : t->n->from[k];
        place_in(t->n, 0, k, at);
        if (condition) place_in(t->n, 1, k, at); /* a loop with a condition has no xs */
    }
    for (int i = 0; i < 2; i++) {
        if (!c->inner[i].program) continue;
        if (c->small) frame_find_calls(&t->n->place[i], c->inner[i].program);
        else frame_forget_calls(&t->n->place[i], c->inner[i].program);
    }
    find_moves(t);
    t->in_place = t->n->c->small && none_among_carries(t);
}

/* Rows that no step wrote, and what came of the carry. */
static void finish(const struct trips *t) {
    const struct control *c = t->n->c;
    const cr_function *f = c->inner[0].f;
    for (int k = 0; k < c->parts; k++) {
        struct tensor y = part(t->p, t->r, c, k);
        if (!y.data) continue;
        if (k == c->parts - 1) *(int64_t *)y.data = t->done;
        else if (k < t->l.carry) copy_row(&y, 0, carry_now(t, (uint32_t)k), plan_node_bytes(f->g, f->out[k]));
        else if (t->done < t->l.n) {
            size_t row = plan_node_bytes(f->g, k < loop_kept(f) ? f->out[k] : f->in[k - loop_kept(f)]);
            memset((char *)y.data + (size_t)t->done * row, 0, (size_t)(t->l.n - t->done) * row);
        }
    }
}

static cr_status run_loop(const cr_program *p, struct place_of_run *r, uint32_t id, struct nested *n) {
    struct trips t = {.p = p, .r = r, .n = n, .l = n->c->loop};
    t.now = n->memory + n->c->carry;
    t.next = t.now + n->c->carry_bytes;
    t.limit = t.l.counted ? *(const int64_t *)operand(p, r, id, 0).data : t.l.n;
    if (t.l.counted && (t.limit < 0 || t.limit > t.l.n)) {
        r->failure = (struct failure){.status = CR_EINDEX, .bad = t.limit, .limit = t.l.n, .trip = -1};
        return CR_EINDEX;
    }
    find_direct(n, 0);
    bind_all(&t, id);
    cr_status status = run_trips(&t);
    if (!status) finish(&t);
    return status;
}

/* ---- The step ---- */

cr_status control_run(const cr_program *p, struct place_of_run *r, size_t s) {
    uint32_t id = p->plan.node[p->plan.step[s].first];
    struct nested *n = r->nested[s];
    switch (n->c->op) {
    case OP_call: return n->c->inner[0].program ? run_once(p, r, id, n, 0, 0) : run_callback(p, r, id, n);
    case OP_cond: return run_once(p, r, id, n, *(const bool *)operand(p, r, id, 0).data ? 0 : 1, 1);
    case OP_scan: return run_loop(p, r, id, n);
    default: break;
    }
    struct tensor x = operand(p, r, id, 0), y = part(p, r, n->c, 0);
    if (y.data) copy_strided(y.data, x.data, cr_dtype_size(x.dtype), x.rank, x.dim, x.stride);
    return CR_OK;
}
