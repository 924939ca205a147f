/* Functions that a node runs: for each one that tells what rounds in it, given operands and the cotangents of results. It is run as the
 * node runs its function; of a loop, as the way back is: the last step first, on the carries that were kept. */
#include <stdio.h>
#include <string.h>

#include "explain/account.h"
#include "explain/twin.h"
#include "grad/wide.h"
#include "ops/control.h"
#include "tensor/dtype.h"

/* A function in the making: of operands of f, and cotangents of its results. Arrays have room for all operands and results of f. */
struct inner {
    struct roundings *r;
    const cr_function *f;
    cr_graph *b;
    size_t first, end; /* its bodies */
    cr_node *x, *seed, *kept, *grad;
    size_t room;
    struct nodes in, out;
};

static void put(struct roundings *r, struct nodes *list, cr_node x) {
    if (r->status) return;
    if (!mem_grow(&r->mem, &list->x, &list->cap, list->n, sizeof *list->x)) r->status = CR_ENOMEM;
    else list->x[list->n++] = x;
}

static bool begin(struct inner *m, const struct account *a, cr_node said, uint32_t function) {
    *m = (struct inner){.r = a->r, .f = control_function(said.graph, graph_get(said), function)};
    m->room = (size_t)m->f->n_in + m->f->n_out;
    m->b = cr_graph_new(a->g->ctx);
    m->x = mem_zero(&a->r->mem, mem_mul(4 * m->room, sizeof *m->x));
    if (!m->b || !m->x) a->r->status = CR_ENOMEM;
    else m->seed = m->x + m->room, m->kept = m->seed + m->room, m->grad = m->kept + m->room;
    m->first = account_body(a->r, m->f->g, said, a->body);
    return a->r->status == CR_OK;
}

static void end(struct inner *m) {
    const struct mem *mem = &m->r->mem;
    mem_free(mem, m->x, 4 * m->room * sizeof *m->x);
    mem_free(mem, m->in.x, m->in.cap * sizeof *m->in.x);
    mem_free(mem, m->out.x, m->out.cap * sizeof *m->out.x);
    cr_graph_free(m->b);
}

/* One more operand, wide, like node id of f. */
static cr_node input(struct inner *m, uint32_t id) {
    const struct node *n = graph_at(m->f->g, id);
    cr_dtype dtype = (cr_dtype)n->dtype;
    struct shape s = graph_shape(m->f->g, n);
    char name[24];
    if (m->r->status) return graph_error_node(m->b);
    snprintf(name, sizeof name, "x%zu", m->in.n);
    cr_node x = cr_input(m->b, name, dtype_is_float(dtype) ? CR_F64 : dtype, s.rank, s.dim);
    put(m->r, &m->in, x);
    return x;
}

static void inputs(struct inner *m, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) m->x[i] = input(m, m->f->in[i]);
}

static bool is_float(const struct node *n) { return dtype_is_float((cr_dtype)n->dtype); }

/* ---- Its body ---- */

/* by node of the graph: which of f it computes; the first of several. */
static void turn(const struct inner *m, const uint32_t of[], uint32_t from[]) {
    memset(from, 0, m->b->count * sizeof *from);
    for (uint32_t id = m->f->g->count; id-- > 1;)
        if (of[id]) from[of[id]] = id;
}

/* The account, and the cotangents of operands, of results that have a seed. */
static void account(struct inner *m, const uint32_t of[]) {
    uint32_t size = m->b->count, n = 0;
    size_t results = mem_mul(2 * (size_t)m->f->n_out, sizeof(cr_node)), ids = mem_mul(size, sizeof *of);
    cr_node *y = mem_zero(&m->r->mem, results), *seed = y ? y + m->f->n_out : NULL;
    uint32_t *from = mem_alloc(&m->r->mem, ids);
    struct account a = {.r = m->r, .body = m->first, .g = m->b, .from = from, .size = size};
    for (uint32_t k = 0; y && k < m->f->n_out; k++)
        if (m->seed[k].id) y[n] = graph_handle(m->b, of[m->f->out[k]]), seed[n++] = m->seed[k];
    if (!y || !from) m->r->status = CR_ENOMEM;
    else turn(m, of, from), account_make(&a, (int)n, y, seed);
    for (uint32_t i = 0; a.sweep.g && !m->r->status && i < m->f->n_in; i++)
        m->grad[i] = sweep_cotangent(&a.sweep, m->x[i]);
    sweep_free(&a.sweep);
    mem_free(&m->r->mem, y, results);
    mem_free(&m->r->mem, from, ids);
    m->end = m->r->bodies;
}

static void fill(struct inner *m) {
    size_t bytes = mem_mul(m->f->g->count, sizeof(uint32_t));
    if (m->r->status) return;
    uint32_t *of = mem_alloc(&m->r->mem, bytes);
    if (!of) m->r->status = CR_ENOMEM;
    else if (!m->b->status && wide_inline(m->b, m->f, m->x, true, of)) account(m, of);
    if (!m->r->status) m->r->status = cr_graph_status(m->b);
    mem_free(&m->r->mem, of, bytes);
}

/* ---- What it gives ---- */

/* Those of all bodies, one behind the other; of another function's bodies zeros, where only one of two runs. */
static void give_all(struct inner *m, const struct inner *of) {
    for (size_t i = of->first; i < of->end; i++) {
        cr_node list[2] = {m->r->body[i].bounds, m->r->body[i].sizes};
        for (int k = 0; k < 2; k++) {
            struct shape s;
            if (!list[k].id) continue;
            s = ops_shape(list[k]);
            put(m->r, &m->out, m == of ? list[k] : ops_zeros(m->b, CR_F64, &s));
        }
    }
}

/* From part `at` of the node on: where the bodies' numbers are now. */
static int take_all(const struct inner *m, cr_node y, int at) {
    for (size_t i = m->first; i < m->end; i++) {
        struct body *b = &m->r->body[i];
        if (b->bounds.id) b->bounds = cr_part(y, at++);
        if (b->sizes.id) b->sizes = cr_part(y, at++);
    }
    return at;
}

static cr_function *function_of(struct inner *m) {
    cr_function *f = NULL;
    cr_status *status = &m->r->status;
    if (!*status) *status = cr_function_new(&f, (int)m->in.n, m->in.x, (int)m->out.n, m->out.x);
    return f;
}

/* What failed in a function's graph is told to the graph around. */
static void tell(const struct inner *m, cr_graph *g) {
    if (m->b && cr_graph_error(m->b) && !g->status)
        graph_fail(g, cr_graph_status(m->b), NULL, "%s", cr_graph_error(m->b));
}

/* ---- call, cond, implicit: operands, then cotangents of results ---- */

static cr_node cotangent(const struct account *a, cr_node y, int k) {
    return sweep_cotangent(&a->sweep, cr_part(y, k));
}

static void seeds(struct inner *m, const struct account *a, cr_node y, struct nodes *operands) {
    for (uint32_t k = 0; k < m->f->n_out; k++) {
        cr_node bar = cotangent(a, y, (int)k);
        if (!bar.id) continue;
        m->seed[k] = input(m, m->f->out[k]);
        if (operands) put(m->r, operands, bar);
    }
}

static void once(struct account *a, struct inner *m, int op, int functions, struct nodes *operands) {
    cr_function *f[2] = {NULL};
    for (int i = 0; i < functions; i++)
        for (int k = 0; k < functions; k++) give_all(&m[i], &m[k]);
    bool some = m[0].out.n > 0;
    for (int i = 0; i < functions && some; i++) f[i] = function_of(&m[i]);
    cr_node y = graph_error_node(a->g);
    if (some && !a->r->status)
        y = control_node(a->g, op, functions, f, 0, NULL, (int)operands->n, operands->x);
    for (int i = 0, at = 0; i < functions && y.id; i++) at = take_all(&m[i], y, at);
    for (int i = 0; i < functions; i++) cr_function_free(f[i]), tell(&m[i], a->g);
}

static void enter_once(struct account *a, cr_node y, cr_node said) {
    struct inner m[2];
    struct nodes operands = {0};
    bool ready = true;
    int op = graph_get(said)->op, functions = op == OP_cond ? 2 : 1, made = 0;
    for (int k = 0; k < cr_operand_count(y); k++) put(a->r, &operands, cr_operand(y, k));
    for (; made < functions && ready; made++) {
        if (!(ready = begin(&m[made], a, said, (uint32_t)made))) continue;
        inputs(&m[made], 0, m[made].f->n_in);
        seeds(&m[made], a, y, made ? NULL : &operands);
        fill(&m[made]);
    }
    if (ready && !a->r->status) once(a, m, op, functions, &operands);
    while (made-- > 0) tell(&m[made], a->g), end(&m[made]);
    mem_free(&a->r->mem, operands.x, operands.cap * sizeof *operands.x);
}

/* The root is as exact as rounding in f lets it be: what Newton's method comes to. f(x) is 0, so its error e moves x by -J^-1 e. */
static void enter_implicit(struct account *a, cr_node y, cr_node said) {
    struct inner m;
    struct nodes operands = {0};
    cr_node root = cr_part(y, 0), bar = sweep_cotangent(&a->sweep, root);
    if (!bar.id) return;
    if (begin(&m, a, said, 0)) {
        put(a->r, &operands, root);
        for (int k = 1; k < cr_operand_count(y); k++) put(a->r, &operands, cr_operand(y, k));
        inputs(&m, 0, m.f->n_in);
        m.seed[0] = input(&m, m.f->out[0]);
        put(a->r, &operands, implicit_pull(y, bar));
        fill(&m);
        if (!a->r->status) once(a, &m, OP_call, 1, &operands);
    }
    tell(&m, a->g);
    end(&m);
    mem_free(&a->r->mem, operands.x, operands.cap * sizeof *operands.x);
}

/* ---- Loops ---- */

/* Operands of the way back, and beside them inputs of its body: cotangents of carries; carries, xs, cotangents of ys and of kept
 * carries; constants. */
struct way_back {
    struct account *a;
    struct inner *m;
    struct loop_attr l; /* of the loop, then of the way back */
    cr_node y;
    int first, carry, consts; /* operands before the carries; carries; inputs before the constants */
    struct nodes operands;
};

static void carries(struct way_back *w) {
    struct inner *m = w->m;
    for (int i = 0; i < w->carry; i++) {
        const struct node *n = function_in(m->f, (uint32_t)i);
        struct shape s = graph_shape(m->f->g, n);
        cr_node bar = cotangent(w->a, w->y, i);
        if (!is_float(n)) continue;
        m->seed[i] = input(m, m->f->out[i]);
        put(m->r, &w->operands, bar.id ? bar : ops_zeros(w->a->g, CR_F64, &s));
        w->l.carry++;
    }
}

static void rows(struct way_back *w) {
    struct inner *m = w->m;
    inputs(m, 0, (uint32_t)w->consts);
    for (int i = 0; i < w->carry; i++) put(m->r, &w->operands, cr_part(w->y, loop_kept(m->f) + i));
    for (int i = w->carry; i < w->consts; i++) put(m->r, &w->operands, cr_operand(w->y, w->first + i));
    w->l.xs = w->consts;
    for (int k = w->carry; k < (int)m->f->n_out + w->carry; k++) { /* ys, then kept carries */
        bool kept = k >= loop_kept(m->f);
        uint32_t id = kept ? m->f->in[k - loop_kept(m->f)] : m->f->out[k];
        cr_node bar = cotangent(w->a, w->y, k);
        if (!bar.id) continue;
        *(kept ? &m->kept[k - loop_kept(m->f)] : &m->seed[k]) = input(m, id);
        put(m->r, &w->operands, bar);
        w->l.xs++;
    }
}

static void give_carries(struct way_back *w) {
    struct inner *m = w->m;
    for (int i = 0; i < w->carry; i++) {
        struct shape s = graph_shape(m->f->g, function_in(m->f, (uint32_t)i));
        if (!is_float(function_in(m->f, (uint32_t)i))) continue;
        cr_node to = m->grad[i].id ? m->grad[i] : ops_zeros(m->b, CR_F64, &s);
        put(m->r, &m->out, m->kept[i].id ? cr_add(to, m->kept[i]) : to);
    }
}

static void go_back(struct way_back *w) {
    struct inner *m = w->m;
    carries(w);
    rows(w);
    inputs(m, (uint32_t)w->consts, m->f->n_in);
    for (int i = w->consts; i < (int)m->f->n_in; i++) put(m->r, &w->operands, cr_operand(w->y, w->first + i));
    fill(m);
    if (m->r->status) return;
    give_carries(w);
    give_all(m, m);
    cr_function *f = m->out.n > (size_t)w->l.carry ? function_of(m) : NULL;
    if (!f) return;
    cr_node y = control_loop(w->a->g, f, NULL, &w->l, (int)w->operands.n, w->operands.x);
    if (y.id) take_all(m, y, (int)w->l.carry);
    cr_function_free(f);
}

static void enter_loop(struct account *a, cr_node y, cr_node said) {
    struct inner m;
    struct loop_attr l = loop_attr(a->g, graph_get(y));
    bool counted = l.counted || control_function(a->g, graph_get(y), 1);
    struct way_back w = {.a = a, .m = &m, .y = y, .first = (int)l.counted};
    w.carry = (int)l.carry, w.consts = (int)(l.carry + l.xs);
    w.l = (struct loop_attr){.n = l.n, .reverse = !l.reverse, .counted = counted};
    if (counted) put(a->r, &w.operands, cr_part(y, ops_part_count(a->g, graph_get(y)) - 1));
    if (begin(&m, a, said, 0)) go_back(&w);
    tell(&m, a->g);
    end(&m);
    mem_free(&a->r->mem, w.operands.x, w.operands.cap * sizeof *w.operands.x);
}

/* ---- Of any kind ---- */

static bool has_cotangent(const struct account *a, cr_node y) {
    for (int k = 0; k < ops_part_count(a->g, graph_get(y)); k++)
        if (cotangent(a, y, k).id) return true;
    return false;
}

void account_enter(struct account *a, cr_node y, cr_node said) {
    const struct node *n = graph_get(said);
    if (control_function(said.graph, n, 0)->callback || !has_cotangent(a, y)) return;
    if (n->op == OP_scan) enter_loop(a, y, said);
    else if (n->op == OP_implicit) enter_implicit(a, y, said);
    else enter_once(a, y, said);
}

/* ---- Bodies ---- */

static const struct node *runner(const struct body *b) { return graph_get(b->at); }

const cr_function *body_function(const struct body *b) {
    const struct node *n = runner(b);
    for (uint32_t i = 0; n && i < control_functions(b->at.graph, n); i++)
        if (control_function(b->at.graph, n, i)->g == b->g) return control_function(b->at.graph, n, i);
    return NULL;
}

bool body_has_rows(const struct body *b) { return runner(b) && runner(b)->op == OP_scan; }

int body_first(const struct body *b) {
    return runner(b)->op == OP_cond ? 1
           : body_has_rows(b)       ? (int)loop_attr(b->at.graph, runner(b)).counted
                                    : 0;
}

int64_t body_carries(const struct body *b) {
    return body_has_rows(b) ? loop_attr(b->at.graph, runner(b)).carry : 0;
}
