/* Derivatives of functions, as functions. */
#include <limits.h>
#include <string.h>

#include "grad/distinct.h"
#include "grad/grad.h"
#include "grad/vmap.h"
#include "grad/wide.h"
#include "ops/batch.h"
#include "tensor/dtype.h"

/* A function in the making. Arrays have room for twice f's operands and results. */
struct making {
    cr_graph *g;
    cr_function *f;
    const int64_t *mask; /* the question behind its head */
    int carry, xs;
    size_t room;
    cr_node *in, *out;                    /* of the function made */
    cr_node *x, *y;                       /* operands and results of f in it */
    cr_node *ys, *cotangent, *wrt, *grad; /* what is asked of a sweep */
    cr_node *sum, *kept, *bar, *of_y;     /* of a loop, by operand and result */
    int n_in, n_out, n_ys, n_wrt;
};
enum { arrays = 12 };

static bool memory(struct making *m) {
    m->room = 2 * ((size_t)m->f->n_in + m->f->n_out) + 2;
    cr_node *all = mem_zero(&m->f->mem, mem_mul(arrays * m->room, sizeof *all));
    if (!all) return false;
    cr_node **array[arrays] = {&m->in,  &m->out,  &m->x,   &m->y,    &m->ys,  &m->cotangent,
                               &m->wrt, &m->grad, &m->sum, &m->kept, &m->bar, &m->of_y};
    for (size_t i = 0; i < arrays; i++) *array[i] = all + i * m->room;
    return true;
}

/* ---- Inputs ---- */

/* An input of this shape, called as a node of f, primed until no other is called so. */
static cr_node named_input(struct making *m, cr_node like, bool primed, const struct shape *s) {
    struct cr_text name = text_make(&m->g->mem);
    text_str(&name, cr_name(like) ? cr_name(like) : "y");
    if (primed) text_str(&name, "'");
    while (!name.failed && cr_ok(cr_find(m->g, cr_text_str(&name)))) text_str(&name, "'");
    if (name.failed) graph_fail(m->g, CR_ENOMEM, NULL, "out of memory");
    cr_node x = cr_input(m->g, cr_text_str(&name), cr_dtype_of(like), s->rank, s->dim);
    text_drop(&name);
    return x;
}

/* One more input, like node id of f. */
static cr_node input(struct making *m, uint32_t id, bool primed) {
    cr_node like = graph_handle(m->f->g, id);
    struct shape s = ops_shape(like);
    return m->in[m->n_in++] = named_input(m, like, primed, &s);
}

static void operands(struct making *m, int first, int end) {
    for (int i = first; i < end; i++) m->x[i] = input(m, m->f->in[i], false);
}

static int n_in(const struct making *m) { return (int)m->f->n_in; }
static int n_out(const struct making *m) { return (int)m->f->n_out; }

/* ---- Sweeps of the body ---- */

static void differentiate(struct making *m, cr_node x, cr_node direction) {
    m->wrt[m->n_wrt] = x;
    m->grad[m->n_wrt++] = direction;
}

static void pull_back(struct making *m, cr_node y, cr_node cotangent) {
    m->ys[m->n_ys] = y;
    m->cotangent[m->n_ys++] = cotangent;
}

static void backward(struct making *m) {
    if (!m->g->status) cr_vjp(m->grad, m->n_ys, m->ys, m->cotangent, m->n_wrt, m->wrt);
}

/* The tangents of ys, in cotangent. */
static void forward(struct making *m) {
    if (m->g->status) return;
    if (m->n_wrt) cr_jvp(m->cotangent, m->n_ys, m->ys, m->n_wrt, m->wrt, m->grad);
    for (int i = 0; i < m->n_ys && !m->n_wrt; i++) {
        struct shape s = ops_shape(m->ys[i]);
        m->cotangent[i] = ops_zeros(m->g, cr_dtype_of(m->ys[i]), &s);
    }
}

static void give(struct making *m, cr_node x) { m->out[m->n_out++] = x; }

static void make_vjp(struct making *m) {
    const int64_t *has_g = m->mask, *wanted = m->mask + n_out(m);
    operands(m, 0, n_in(m));
    function_inline(m->g, m->f, m->x, m->y);
    for (int i = 0; i < n_out(m); i++)
        if (has_g[i]) pull_back(m, m->y[i], input(m, m->f->out[i], true));
    for (int i = 0; i < n_in(m); i++)
        if (wanted[i]) differentiate(m, m->x[i], m->x[i]);
    backward(m);
    for (int i = 0; i < m->n_wrt; i++) give(m, m->grad[i]);
}

static void make_jvp(struct making *m) {
    const int64_t *has_t = m->mask, *wanted = m->mask + n_in(m);
    operands(m, 0, n_in(m));
    function_inline(m->g, m->f, m->x, m->y);
    for (int i = 0; i < n_in(m); i++)
        if (has_t[i]) differentiate(m, m->x[i], input(m, m->f->in[i], true));
    for (int i = 0; i < n_out(m); i++)
        if (wanted[i]) pull_back(m, m->y[i], m->y[i]);
    forward(m);
    for (int i = 0; i < m->n_ys; i++) give(m, m->cotangent[i]);
}

/* The mask of a loop's question: by operand of the body, by y, by carry. */
struct parts {
    const int64_t *in, *y, *kept;
    int carry, xs, n_in, ys;
};

static struct parts parts_of(const struct making *m) {
    struct parts p = {.carry = m->carry, .xs = m->xs, .n_in = n_in(m), .ys = n_out(m) - m->carry};
    p.in = m->mask;
    p.y = p.in + p.n_in;
    p.kept = p.y + p.ys;
    return p;
}

/* Cotangents of carries, and of constants so far, are the carry of the way back. */
static void loop_vjp_inputs(struct making *m, const struct parts *p) {
    int consts = p->carry + p->xs;
    for (int i = 0; i < p->carry; i++)
        if (p->in[i]) m->sum[i] = input(m, m->f->in[i], true);
    for (int i = consts; i < p->n_in; i++)
        if (p->in[i]) m->sum[i] = input(m, m->f->in[i], true);
    operands(m, 0, consts);
    for (int i = 0; i < p->ys; i++)
        if (p->y[i]) m->of_y[i] = input(m, m->f->out[p->carry + i], true);
    for (int i = 0; i < p->carry; i++)
        if (p->kept[i]) m->kept[i] = input(m, m->f->in[i], true);
    operands(m, consts, p->n_in);
}

static void make_loop_vjp(struct making *m) {
    struct parts p = parts_of(m);
    int consts = p.carry + p.xs, n = 0;
    loop_vjp_inputs(m, &p);
    function_inline(m->g, m->f, m->x, m->y);
    for (int i = 0; i < p.carry; i++)
        if (p.in[i]) pull_back(m, m->y[i], m->sum[i]);
    for (int i = 0; i < p.ys; i++)
        if (p.y[i]) pull_back(m, m->y[p.carry + i], m->of_y[i]);
    for (int i = consts; i < p.n_in; i++)
        if (p.in[i]) pull_back(m, m->x[i], m->sum[i]);
    for (int i = 0; i < p.n_in; i++)
        if (p.in[i]) differentiate(m, m->x[i], m->x[i]);
    backward(m);
    for (int i = 0; i < p.n_in; i++)
        if (p.in[i]) m->bar[i] = m->grad[n++];
    for (int i = 0; i < p.carry; i++)
        if (p.in[i]) give(m, p.kept[i] ? cr_add(m->bar[i], m->kept[i]) : m->bar[i]);
    for (int i = consts; i < p.n_in; i++)
        if (p.in[i]) give(m, m->bar[i]);
    for (int i = p.carry; i < consts; i++)
        if (p.in[i]) give(m, m->bar[i]);
}

/* Operands of the body, and behind each kind of them the tangents of those that have one. */
static void tangent_operands(struct making *m, const struct parts *p, bool keep) {
    int end[] = {p->carry, p->carry + p->xs, p->n_in};
    for (int k = 0, first = 0; k < 3; first = end[k++]) {
        operands(m, first, end[k]);
        for (int i = first; i < end[k]; i++) {
            if (!p->in[i]) continue;
            cr_node t = input(m, m->f->in[i], true);
            if (keep) differentiate(m, m->x[i], t);
        }
    }
}

static void make_loop_jvp(struct making *m) {
    struct parts p = parts_of(m);
    tangent_operands(m, &p, true);
    function_inline(m->g, m->f, m->x, m->y);
    for (int i = 0; i < n_out(m); i++)
        if (i < p.carry ? p.in[i] : p.y[i - p.carry]) pull_back(m, m->y[i], m->y[i]);
    forward(m);
    const cr_node *t = m->cotangent;
    for (int i = 0; i < p.carry; i++) give(m, m->y[i]);
    for (int i = 0; i < p.carry; i++)
        if (p.in[i]) give(m, *t++);
    for (int i = 0; i < p.ys; i++) give(m, m->y[p.carry + i]);
    for (int i = 0; i < p.ys; i++)
        if (p.y[i]) give(m, *t++);
}

static void make_condition(struct making *m) {
    struct parts p = parts_of(m);
    tangent_operands(m, &p, false);
    function_inline(m->g, m->f, m->x, m->y);
    give(m, m->y[0]);
}

static void make_row(struct making *m) {
    cr_node g = input(m, m->f->out[0], true);
    operands(m, 0, n_in(m));
    function_inline(m->g, m->f, m->x, m->y);
    pull_back(m, m->y[0], g);
    differentiate(m, m->x[0], m->x[0]);
    backward(m);
    give(m, m->grad[0]);
}

/* Operands that the mask marks have a leading axis of `carry` slices, and so has every result. */
static void make_slices(struct making *m) {
    int n = 0;
    for (int i = 0; i < n_in(m); i++) {
        cr_node like = graph_handle(m->f->g, m->f->in[i]);
        struct shape s = ops_shape(like), many = ops_lead(m->carry, s);
        if (!m->mask[i]) m->x[i] = input(m, m->f->in[i], false);
        if (!m->mask[i] || m->g->status) continue;
        m->x[i] = cr_variable(ops_zeros(m->g, cr_dtype_of(like), &s));
        m->wrt[n] = m->x[i];
        m->in[m->n_in++] = m->grad[n++] = named_input(m, like, false, &many);
    }
    function_inline(m->g, m->f, m->x, m->y);
    if (!m->g->status) vmap(m->cotangent, m->carry, n_out(m), m->y, n, m->wrt, m->grad, m->xs);
    for (int i = 0; i < n_out(m); i++) give(m, m->cotangent[i]);
}

/* What is equal because operands are is found as the nodes are made again. */
static void make_distinct(struct making *m) {
    const int64_t *same = m->mask, *keep = same + n_in(m);
    for (int i = 0; i < n_in(m); i++) m->x[i] = same[i] == i ? input(m, m->f->in[i], false) : m->x[same[i]];
    m->g->either = true;
    distinct_inline(m->g, m->f, m->x, m->y);
    for (int i = 0; i < n_out(m); i++)
        if (keep[i]) give(m, m->y[i]);
}

static void make_wide(struct making *m) {
    for (int i = 0; i < n_in(m); i++) {
        cr_node like = graph_handle(m->f->g, m->f->in[i]);
        cr_dtype dtype = dtype_is_float(cr_dtype_of(like)) ? CR_F64 : cr_dtype_of(like);
        m->x[i] = m->in[m->n_in++] = cr_input(m->g, cr_name(like), dtype, cr_rank(like), cr_dims(like));
    }
    size_t count = m->f->g->count;
    uint32_t *map = mem_alloc(&m->g->mem, mem_mul(count, sizeof *map));
    if (!map) graph_fail(m->g, CR_ENOMEM, NULL, "out of memory");
    else if (!m->g->status && wide_inline(m->g, m->f, m->x, m->carry != 0, map))
        for (int i = 0; i < n_out(m); i++) give(m, graph_handle(m->g, map[m->f->out[i]]));
    mem_free(&m->g->mem, map, count * sizeof *map);
}

/* ---- Asking ---- */

typedef void make_fn(struct making *m);
static make_fn *const makes[] = {make_vjp, make_jvp,    make_loop_vjp, make_loop_jvp, make_condition,
                                 make_row, make_slices, make_distinct, make_wide};
enum { head = 3 };

/* cell_vjp of cell. */
static bool call_it(cr_function *made, const cr_function *f, enum derivation kind) {
    static const char *const behind[] = {
        [DERIVE_VJP] = "_vjp",      [DERIVE_JVP] = "_jvp",   [DERIVE_LOOP_VJP] = "_vjp",
        [DERIVE_LOOP_JVP] = "_jvp", [DERIVE_CONDITION] = "", [DERIVE_ROW] = "_row",
        [DERIVE_SLICES] = "_many",  [DERIVE_DISTINCT] = "",  [DERIVE_WIDE] = ""};
    return !f->name || function_set_name(made, f->name, strlen(f->name), behind[kind]);
}

static cr_function *make(cr_graph *g, cr_function *f, size_t words, const int64_t question[]) {
    struct making m = {.f = f,
                       .mask = question + head,
                       .carry = (int)question[1],
                       .xs = (int)question[2],
                       .g = cr_graph_new(f->ctx)};
    cr_function *made = NULL;
    cr_status status = m.g && memory(&m) ? CR_OK : CR_ENOMEM;
    if (!status) {
        cr_graph_default_float(m.g, f->g->default_float);
        makes[question[0]](&m);
        status = m.g->status;
    }
    if (!status) status = cr_function_new(&made, m.n_in, m.in, m.n_out, m.out);
    if (!status && !(call_it(made, f, (enum derivation)question[0]) &&
                     derivations_add(&f->derived, &f->mem, words, question, made, NULL)))
        cr_function_free(made), status = CR_ENOMEM;
    if (status)
        graph_fail(g, status, NULL, "%s", m.g && m.g->status ? cr_graph_error(m.g) : cr_status_text(status));
    mem_free(&f->mem, m.in, mem_mul(arrays * m.room, sizeof *m.in));
    cr_graph_free(m.g);
    return status ? NULL : made;
}

static cr_function *answer(cr_graph *g, cr_function *f, size_t words, const int64_t question[]) {
    cr_function *found = derivations_find(&f->derived, words, question);
    return found || g->status ? found : make(g, f, words, question);
}

/* The question as words: kind, two numbers, masks. */
static cr_function *ask(cr_graph *g, cr_function *f, enum derivation kind, int carry, int xs, int masks,
                        const uint8_t *const mask[], const size_t size[]) {
    size_t words = head;
    for (int i = 0; i < masks; i++) words += size[i];
    int64_t *question = mem_alloc(&f->mem, mem_mul(words, sizeof *question)), *to = question + head;
    if (!question) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), NULL;
    question[0] = kind, question[1] = carry, question[2] = xs;
    for (int i = 0; i < masks; i++)
        for (size_t k = 0; k < size[i]; k++) *to++ = mask[i] && mask[i][k];
    cr_function *found = answer(g, f, words, question);
    mem_free(&f->mem, question, words * sizeof *question);
    return found;
}

cr_function *derive_vjp(cr_graph *g, cr_function *f, const uint8_t has_g[], const uint8_t wanted[]) {
    return ask(g, f, DERIVE_VJP, 0, 0, 2, (const uint8_t *[]){has_g, wanted}, (size_t[]){f->n_out, f->n_in});
}

cr_function *derive_jvp(cr_graph *g, cr_function *f, const uint8_t has_t[], const uint8_t wanted[]) {
    return ask(g, f, DERIVE_JVP, 0, 0, 2, (const uint8_t *[]){has_t, wanted}, (size_t[]){f->n_in, f->n_out});
}

static cr_function *ask_loop(cr_graph *g, cr_function *f, enum derivation kind,
                             const struct loop_question *q) {
    size_t ys = kind == DERIVE_CONDITION ? 0 : (size_t)f->n_out - (size_t)q->carry;
    return ask(g, f, kind, q->carry, q->xs, 3, (const uint8_t *[]){q->in, q->y, q->kept},
               (size_t[]){f->n_in, ys, (size_t)q->carry});
}

cr_function *derive_loop_vjp(cr_graph *g, cr_function *body, const struct loop_question *q) {
    return ask_loop(g, body, DERIVE_LOOP_VJP, q);
}
cr_function *derive_loop_jvp(cr_graph *g, cr_function *body, const struct loop_question *q) {
    return ask_loop(g, body, DERIVE_LOOP_JVP, q);
}
cr_function *derive_condition(cr_graph *g, cr_function *condition, const struct loop_question *q) {
    return ask_loop(g, condition, DERIVE_CONDITION, q);
}

cr_function *derive_distinct(cr_graph *g, cr_function *f, const uint32_t same[], const uint8_t keep[]) {
    size_t words = head + (size_t)f->n_in + f->n_out;
    int64_t *question = mem_zero(&f->mem, mem_mul(words, sizeof *question));
    bool all = true;
    if (!question) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), NULL;
    question[0] = DERIVE_DISTINCT;
    for (size_t i = 0; i < f->n_in; i++) {
        question[head + i] = same[i];
        all = all && same[i] == i;
    }
    for (size_t i = 0; i < f->n_out; i++) {
        question[head + f->n_in + i] = !keep || keep[i];
        all = all && (!keep || keep[i]);
    }
    cr_function *found = all ? f : answer(g, f, words, question);
    mem_free(&f->mem, question, words * sizeof *question);
    return found;
}

cr_function *derive_wide(cr_graph *g, cr_function *f, bool open) {
    return ask(g, f, DERIVE_WIDE, open, 0, 0, NULL, NULL);
}

cr_function *derive_row(cr_graph *g, cr_function *f) { return ask(g, f, DERIVE_ROW, 0, 0, 0, NULL, NULL); }

cr_function *derive_slices(cr_graph *g, cr_function *f, int64_t slices, bool fold_keys,
                           const uint8_t batched[]) {
    if (slices > INT_MAX) return graph_fail(g, CR_ELIMIT, "vmap", "too many slices for a function"), NULL;
    return ask(g, f, DERIVE_SLICES, (int)slices, fold_keys, 1, &batched, (size_t[]){f->n_in});
}

bool derive_depends(cr_graph *g, const cr_function *f, const uint8_t in[], uint8_t depends[]) {
    cr_node *wrt = mem_alloc(&g->mem, mem_mul(f->n_in, sizeof *wrt));
    uint32_t first = 0, count = f->g->count;
    int n = 0;
    for (uint32_t i = 0; wrt && i < f->n_in; i++)
        if (in[i]) wrt[n++] = graph_handle(f->g, f->in[i]);
    uint8_t *needed = wrt ? sweep_needed(f->g, count, &first, n, wrt) : NULL;
    for (uint32_t i = 0; needed && i < f->n_out; i++) {
        uint32_t id = f->out[i];
        depends[i] = dtype_is_float((cr_dtype)function_out(f, i)->dtype) && id >= first && needed[id - first];
    }
    if (needed) mem_free(&f->g->mem, needed, count - first + 1);
    mem_free(&g->mem, wrt, f->n_in * sizeof *wrt);
    if (!needed) graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    return needed != NULL;
}
