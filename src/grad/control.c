/* The derivatives of control ops: the same ops, on the derivatives of their functions. */
#include "grad/distinct.h"

#include <string.h>

#include "tensor/dtype.h"

static cr_graph *graph_of(const struct whole *w) { return w->y.graph; }

static cr_function *function(const struct whole *w, uint32_t i) {
    return control_function(graph_of(w), graph_get(w->y), i);
}

/* Masks and operands of one derivative, in one piece of memory. */
struct room {
    uint8_t *mask;
    cr_node *x;
    size_t masks, nodes;
    int n; /* operands so far */
};

static void end(const struct whole *w, struct room *r) {
    const struct mem *m = &graph_of(w)->mem;
    mem_free(m, r->mask, r->masks);
    mem_free(m, r->x, r->nodes * sizeof *r->x);
}

static bool begin(const struct whole *w, struct room *r, size_t masks, size_t nodes) {
    const struct mem *m = &graph_of(w)->mem;
    *r = (struct room){.masks = masks + 1, .nodes = nodes + 1};
    r->mask = mem_zero(m, r->masks);
    r->x = mem_zero(m, mem_mul(r->nodes, sizeof *r->x));
    if (r->mask && r->x) return true;
    graph_fail(graph_of(w), CR_ENOMEM, NULL, "out of memory");
    end(w, r);
    return false;
}

static void put(struct room *r, cr_node x) { r->x[r->n++] = x; }

static void put_all(struct room *r, int n, const cr_node x[]) {
    for (int i = 0; i < n; i++) put(r, x[i]);
}

/* Those of n that are there. */
static void put_given(struct room *r, int n, const cr_node x[]) {
    for (int i = 0; i < n; i++)
        if (cr_ok(x[i])) put(r, x[i]);
}

static void mark_given(uint8_t mask[], int n, const cr_node x[]) {
    for (int i = 0; i < n; i++) mask[i] = cr_ok(x[i]);
}

static int count(int n, const uint8_t mask[]) {
    int some = 0;
    for (int i = 0; i < n; i++) some += mask[i] != 0;
    return some;
}

static cr_node zeros_like(const struct whole *w, const cr_function *f, uint32_t id) {
    const struct node *n = graph_at(f->g, id);
    struct shape s = graph_shape(f->g, n);
    return ops_zeros(graph_of(w), (cr_dtype)n->dtype, &s);
}

/* Parts of y, one for each that mask marks, from part `from` on. */
static int hand_out(cr_node y, int from, int n, const uint8_t mask[], cr_node out[]) {
    for (int i = 0; i < n; i++)
        if (mask[i]) out[i] = cr_part(y, from++);
    return from;
}

static void hand_out_distinct(const struct distinct_loop *d, int from, int n, const uint8_t mask[],
                              cr_node out[]) {
    for (int i = 0; i < n; i++)
        if (mask[i]) out[i] = cr_part(d->y, (int)d->at[from++]);
}

/* ---- call: of a callback what its author says ---- */

static void ask_callback(const struct whole *w, const cr_function *f, bool back) {
    cr_graph *g = graph_of(w);
    struct room r;
    const char *way = back ? "vjp" : "jvp";
    if (back ? !f->vjp : !f->jvp) {
        graph_fail(g, CR_ENODERIV, f->name, "the callback has no %s", way);
        return;
    }
    if (!begin(w, &r, 0, (size_t)w->parts)) return;
    for (int i = 0; i < w->parts; i++) put(&r, cr_part(w->y, i));
    cr_status status = back ? f->vjp(f->user, w->out, w->n, w->x, w->parts, r.x, w->g)
                            : f->jvp(f->user, w->out, w->n, w->x, w->parts, r.x, w->t);
    if (status) graph_fail(g, status, f->name, "the callback's %s failed: %s", way, cr_status_text(status));
    for (int i = 0; i < (back ? w->n : w->parts) && !g->status; i++) {
        struct shape expected = ops_shape(back ? w->x[i] : r.x[i]), found = ops_shape(w->out[i]);
        struct shape_text a, b;
        if (!cr_ok(w->out[i])) continue;
        if (w->out[i].graph != g)
            graph_fail(g, CR_EINVAL, f->name, "the callback's %s %d is a node of another graph", way, i + 1);
        else if (cr_dtype_of(w->out[i]) != cr_dtype_of(back ? w->x[i] : r.x[i]) &&
                 !graph_get(w->out[i])->weak)
            graph_fail(g, CR_EDTYPE, f->name, "the callback's %s %d: expected %s, found %s", way, i + 1,
                       cr_dtype_name(cr_dtype_of(back ? w->x[i] : r.x[i])),
                       cr_dtype_name(cr_dtype_of(w->out[i])));
        else if (!shape_equal(&expected, &found))
            graph_fail(g, CR_ESHAPE, f->name, "the callback's %s %d: expected %s, found %s", way, i + 1,
                       ops_show(&a, &expected), ops_show(&b, &found));
    }
    end(w, &r);
}

void call_vjp(const struct whole *w) {
    cr_function *f = function(w, 0);
    struct room r;
    if (f->callback) {
        ask_callback(w, f, true);
        return;
    }
    if (!begin(w, &r, (size_t)w->parts, (size_t)w->n + (size_t)w->parts)) return;
    mark_given(r.mask, w->parts, w->g);
    put_all(&r, w->n, w->x);
    put_given(&r, w->parts, w->g);
    cr_function *d = derive_vjp(graph_of(w), f, r.mask, w->wanted);
    if (d) hand_out(distinct_call(graph_of(w), d, r.n, r.x), 0, w->n, w->wanted, w->out);
    end(w, &r);
}

void call_jvp(const struct whole *w) {
    cr_function *f = function(w, 0);
    struct room r;
    if (f->callback) {
        ask_callback(w, f, false);
        return;
    }
    if (!begin(w, &r, (size_t)w->n + (size_t)w->parts, 2 * (size_t)w->n)) return;
    uint8_t *has_t = r.mask, *depends = r.mask + w->n;
    mark_given(has_t, w->n, w->t);
    put_all(&r, w->n, w->x);
    put_given(&r, w->n, w->t);
    bool some = derive_depends(graph_of(w), f, has_t, depends) && count(w->parts, depends);
    cr_function *d = some ? derive_jvp(graph_of(w), f, has_t, depends) : NULL;
    if (d) hand_out(distinct_call(graph_of(w), d, r.n, r.x), 0, w->parts, depends, w->out);
    end(w, &r);
}

/* ---- cond: the same condition ---- */

void cond_vjp(const struct whole *w) {
    cr_graph *g = graph_of(w);
    struct room r;
    if (!begin(w, &r, (size_t)w->parts, (size_t)w->n + (size_t)w->parts)) return;
    mark_given(r.mask, w->parts, w->g);
    put_all(&r, w->n, w->x);
    put_given(&r, w->parts, w->g);
    cr_function *yes = derive_vjp(g, function(w, 0), r.mask, w->wanted + 1),
                *no = yes ? derive_vjp(g, function(w, 1), r.mask, w->wanted + 1) : NULL;
    if (no) hand_out(distinct_cond(g, yes, no, r.n, r.x), 0, w->n - 1, w->wanted + 1, w->out + 1);
    end(w, &r);
}

void cond_jvp(const struct whole *w) {
    cr_graph *g = graph_of(w);
    struct room r;
    int n = w->n - 1;
    if (!begin(w, &r, (size_t)n + 2 * (size_t)w->parts, 2 * (size_t)w->n)) return;
    uint8_t *has_t = r.mask, *depends = r.mask + n, *also = depends + w->parts;
    mark_given(has_t, n, w->t + 1);
    put_all(&r, w->n, w->x);
    put_given(&r, n, w->t + 1);
    bool ok =
        derive_depends(g, function(w, 0), has_t, depends) && derive_depends(g, function(w, 1), has_t, also);
    int some = 0;
    for (int i = 0; i < w->parts; i++) some += depends[i] |= also[i];
    cr_function *yes = ok && some ? derive_jvp(g, function(w, 0), has_t, depends) : NULL,
                *no = yes ? derive_jvp(g, function(w, 1), has_t, depends) : NULL;
    if (no) hand_out(distinct_cond(g, yes, no, r.n, r.x), 0, w->parts, depends, w->out);
    end(w, &r);
}

/* ---- loop ---- */

/* A loop, and what of it takes part. */
struct loop_of {
    const struct whole *w;
    cr_function *body, *condition;
    struct loop_attr l;
    int first, carry, xs, n,
        ys; /* operands before the carry; carries; xs; operands of the body; its results besides carries */
    struct loop_question q;
    uint8_t *depends; /* by result of the body */
    struct room r;
};

static bool loop_begin(struct loop_of *o, const struct whole *w) {
    const struct node *n = graph_get(w->y);
    *o = (struct loop_of){
        .w = w, .body = function(w, 0), .condition = function(w, 1), .l = loop_attr(graph_of(w), n)};
    o->first = (int)o->l.counted, o->carry = (int)o->l.carry, o->xs = (int)o->l.xs;
    o->n = (int)o->body->n_in, o->ys = loop_ys(o->body, &o->l);
    size_t results = o->body->n_out, both = (size_t)o->n + results;
    if (!begin(w, &o->r, both + 2 * results, 2 * both + 2)) return false;
    o->q = (struct loop_question){.carry = o->carry, .xs = o->xs, .in = o->r.mask};
    o->depends = o->q.in + o->n;
    o->q.y = o->depends + o->body->n_out;
    o->q.kept = o->q.y + o->ys;
    return true;
}

/* A carry is active if it starts so, or a step makes it depend on what is. */
static bool find_active(struct loop_of *o) {
    for (bool changed = true; changed;) {
        changed = false;
        if (!derive_depends(graph_of(o->w), o->body, o->q.in, o->depends)) return false;
        for (int i = 0; i < o->carry; i++) {
            changed = changed || (o->depends[i] && !o->q.in[i]);
            o->q.in[i] |= o->depends[i];
        }
    }
    return true;
}

/* As many steps as the loop had. */
static void put_count(struct loop_of *o) {
    if (o->condition || o->l.counted)
        put(&o->r, cr_part(o->w->y, ops_part_count(graph_of(o->w), graph_get(o->w->y)) - 1));
}

/* Where the cotangent of constant i starts: with what there is of it, so that a long loop's is the same sum, one after the other,
 * however it is cut into shorter ones. A node that is two constants has it once. */
static cr_node sum_so_far(const struct loop_of *o, int i) {
    const struct whole *w = o->w;
    const cr_node *x = w->x + o->first;
    int k = o->carry + o->xs;
    while (!cr_same(x[k], x[i]) || !o->q.in[k]) k++;
    if (!w->so_far || k < i || !cr_ok(w->so_far[o->first + i])) return zeros_like(w, o->body, o->body->in[i]);
    w->includes[o->first + i] = 1;
    return w->so_far[o->first + i];
}

static void loop_vjp_operands(struct loop_of *o) {
    const struct whole *w = o->w;
    const cr_node *g_y = w->g + o->carry, *g_kept = w->g + loop_kept(o->body), *x = w->x + o->first;
    put_count(o);
    for (int i = 0; i < o->carry; i++)
        if (o->q.in[i]) put(&o->r, cr_ok(w->g[i]) ? w->g[i] : zeros_like(w, o->body, o->body->out[i]));
    for (int i = o->carry + o->xs; i < o->n; i++)
        if (o->q.in[i]) put(&o->r, sum_so_far(o, i));
    for (int i = 0; i < o->carry; i++) put(&o->r, cr_part(w->y, loop_kept(o->body) + i));
    put_all(&o->r, o->xs, x + o->carry);
    for (int i = 0; i < o->ys; i++)
        if (o->q.y[i]) put(&o->r, g_y[i]);
    for (int i = 0; i < o->carry; i++)
        if (o->q.kept[i]) put(&o->r, g_kept[i]);
    put_all(&o->r, o->n - o->carry - o->xs, x + o->carry + o->xs);
}

static void loop_back(struct loop_of *o) {
    const struct whole *w = o->w;
    int consts = o->carry + o->xs;
    cr_function *body = derive_loop_vjp(graph_of(w), o->body, &o->q);
    if (!body) return;
    loop_vjp_operands(o);
    struct loop_attr l = {.n = o->l.n,
                          .carry = count(o->carry, o->q.in) + count(o->n - consts, o->q.in + consts),
                          .xs = o->carry + o->xs + count(o->ys, o->q.y) + count(o->carry, o->q.kept),
                          .reverse = !o->l.reverse,
                          .counted = o->condition || o->l.counted};
    cr_node y = control_loop(graph_of(w), body, NULL, &l, o->r.n, o->r.x);
    cr_node *out = w->out + o->first;
    int at = hand_out(y, 0, o->carry, o->q.in, out);
    at = hand_out(y, at, o->n - consts, o->q.in + consts, out + consts);
    hand_out(y, at, o->xs, o->q.in + o->carry, out + o->carry);
}

void loop_vjp(const struct whole *w) {
    struct loop_of o;
    if (!loop_begin(&o, w)) return;
    memcpy(o.q.in, w->wanted + o.first, (size_t)o.n);
    bool rows = o.l.n >= 0;
    if (!rows)
        graph_fail(graph_of(w), CR_ENODERIV, "while",
                   "reverse mode needs a bound on the number of steps (max_trips; of a formula: most); "
                   "forward mode (jvp) does not");
    if (rows && find_active(&o)) {
        mark_given(o.q.y, o.ys, w->g + o.carry);
        mark_given(o.q.kept, o.carry, w->g + loop_kept(o.body));
        for (int i = 0; i < o.carry; i++) o.q.kept[i] = o.q.kept[i] && o.q.in[i];
        loop_back(&o);
    }
    end(w, &o.r);
}

static void with_tangents(struct loop_of *o, int first, int end) {
    const struct whole *w = o->w;
    const cr_node *x = w->x + o->first, *t = w->t + o->first;
    put_all(&o->r, end - first, x + first);
    for (int i = first; i < end; i++)
        if (o->q.in[i]) put(&o->r, cr_ok(t[i]) ? t[i] : zeros_like(w, o->body, o->body->in[i]));
}

static void loop_forward(struct loop_of *o) {
    const struct whole *w = o->w;
    int active = count(o->carry, o->q.in);
    cr_function *body = derive_loop_jvp(graph_of(w), o->body, &o->q),
                *condition = o->condition && body ? derive_condition(graph_of(w), o->condition, &o->q) : NULL;
    if (!body || (o->condition && !condition)) return;
    put_all(&o->r, o->first, w->x);
    with_tangents(o, 0, o->carry);
    with_tangents(o, o->carry, o->carry + o->xs);
    with_tangents(o, o->carry + o->xs, o->n);
    struct loop_attr l = o->l;
    l.carry += active;
    l.xs += count(o->xs, o->q.in + o->carry);
    struct distinct_loop y;
    distinct_loop(&y, graph_of(w), body, condition, &l, o->r.n, o->r.x);
    if (cr_ok(y.y)) hand_out_distinct(&y, o->carry, o->carry, o->q.in, w->out);
    if (cr_ok(y.y) && l.n >= 0) {
        hand_out_distinct(&y, o->carry + active + o->ys, o->ys, o->q.y, w->out + o->carry);
        hand_out_distinct(&y, loop_kept(body) + o->carry, o->carry, o->q.in, w->out + loop_kept(o->body));
    }
    distinct_free(&y);
}

void loop_jvp(const struct whole *w) {
    struct loop_of o;
    if (!loop_begin(&o, w)) return;
    mark_given(o.q.in, o.n, w->t + o.first);
    if (find_active(&o)) {
        memcpy(o.q.y, o.depends + o.carry, (size_t)o.ys);
        loop_forward(&o);
    }
    end(w, &o.r);
}

/* ---- implicit: f(x, c) = 0 holds as c changes, so J dx + df/dc dc = 0, J = df/dx ---- */

/* J, [m, m], row by row. */
static cr_node jacobian(const struct whole *w, cr_function *f, cr_node x) {
    cr_graph *g = graph_of(w);
    int64_t m = cr_count(x);
    struct shape rows = {1, {m}}, square = {2, {m, m}}, flat = {1, {m}}, s = ops_shape(x);
    struct room r;
    for (int i = 0; i < s.rank; i++) rows.dim[rows.rank++] = s.dim[i];
    if (!begin(w, &r, 0, (size_t)w->n + 1)) return graph_error_node(g);
    cr_function *row = derive_row(g, f);
    put(&r, ops_reshape(cr_diag(ops_expand(ops_scalar(g, cr_dtype_of(x), 1), &flat)), &rows));
    put(&r, x);
    put_all(&r, w->n - 1, w->x + 1);
    struct loop_attr l = {.n = m, .xs = 1};
    cr_node y =
        row && !g->status ? cr_part(control_loop(g, row, NULL, &l, r.n, r.x), 0) : graph_error_node(g);
    end(w, &r);
    return cr_ok(y) ? ops_reshape(y, &square) : y;
}

static cr_node as_vector(cr_node x) { return ops_reshape(x, &(struct shape){1, {cr_count(x)}}); }

static cr_node like(cr_node vector, cr_node x) {
    struct shape s = ops_shape(x);
    return ops_reshape(vector, &s);
}

cr_node implicit_pull(cr_node y, cr_node g) {
    struct whole w = {.y = y, .n = cr_operand_count(y)};
    struct room r;
    if (!begin(&w, &r, 0, (size_t)w.n)) return graph_error_node(y.graph);
    for (int i = 0; i < w.n; i++) put(&r, cr_operand(y, i));
    w.x = r.x;
    cr_node x = cr_part(y, 0), J = jacobian(&w, function(&w, 0), x);
    if (cr_ok(J)) J = cr_neg(like(cr_solve(cr_t(J), as_vector(g)), x));
    end(&w, &r);
    return J;
}

/* dx = -J^-1 df/dc dc, so the cotangent of c is -(df/dc)^t J^-t g. */
void implicit_vjp(const struct whole *w) {
    cr_graph *g = graph_of(w);
    cr_function *f = function(w, 0);
    struct room r;
    if (!cr_ok(w->g[0]) || !begin(w, &r, (size_t)w->n + 1, (size_t)w->n + 1)) return;
    cr_node x = cr_part(w->y, 0), pulled = implicit_pull(w->y, w->g[0]);
    uint8_t *has_g = r.mask + w->n, *wanted = r.mask;
    *has_g = 1;
    memcpy(wanted + 1, w->wanted + 1, (size_t)w->n - 1);
    cr_function *d = cr_ok(pulled) ? derive_vjp(g, f, has_g, wanted) : NULL;
    put(&r, x);
    put_all(&r, w->n - 1, w->x + 1);
    put(&r, pulled);
    if (d && !g->status) hand_out(distinct_call(g, d, r.n, r.x), 0, w->n, wanted, w->out);
    end(w, &r);
}

void implicit_jvp(const struct whole *w) {
    cr_graph *g = graph_of(w);
    cr_function *f = function(w, 0);
    struct room r;
    if (!begin(w, &r, (size_t)w->n + 1, 2 * (size_t)w->n)) return;
    uint8_t *has_t = r.mask, *depends = r.mask + w->n;
    mark_given(has_t + 1, w->n - 1, w->t + 1); /* how x was found does not matter */
    cr_node x = cr_part(w->y, 0);
    put(&r, x);
    put_all(&r, w->n - 1, w->x + 1);
    put_given(&r, w->n - 1, w->t + 1);
    bool some = derive_depends(g, f, has_t, depends) && *depends;
    cr_function *d = some ? derive_jvp(g, f, has_t, depends) : NULL;
    cr_node J = d ? jacobian(w, f, x) : graph_error_node(g);
    if (cr_ok(J)) {
        cr_node change = cr_part(distinct_call(g, d, r.n, r.x), 0);
        w->out[0] = cr_neg(like(cr_solve(J, as_vector(change)), x));
    }
    end(w, &r);
}

cr_node implicit_refined(cr_function *f, int n, const cr_node x[]) {
    enum { steps = 4 }; /* the error is squared in each: of 0.1 less than 1e-16 is left */
    struct whole w = {.y = x[0], .n = n, .x = x};
    cr_graph *g = x[0].graph;
    struct room r;
    if (!begin(&w, &r, 0, (size_t)n)) return graph_error_node(g);
    put_all(&r, n, x);
    for (int i = 0; i < steps && !g->status; i++) {
        cr_node J = jacobian(&w, f, r.x[0]);
        cr_node rest = cr_part(control_node(g, OP_call, 1, &f, 0, NULL, n, r.x), 0);
        if (cr_ok(J)) r.x[0] = cr_sub(r.x[0], like(cr_solve(J, as_vector(rest)), r.x[0]));
    }
    cr_node refined = g->status ? graph_error_node(g) : control_node(g, OP_implicit, 1, &f, 0, NULL, n, r.x);
    end(&w, &r);
    return refined;
}
