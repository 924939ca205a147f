/* Control flow: nodes that run functions. */
#include "ops/control.h"

#include <string.h>

/* ---- What the parts are ---- */

int control_part_count(const cr_graph *g, const struct node *n) {
    const cr_function *f = control_function(g, n, 0);
    if (n->op == OP_implicit) return 1;
    if (n->op != OP_scan) return (int)f->n_out;
    struct loop_attr l = loop_attr(g, n);
    return l.n < 0 ? (int)l.carry + 1 : loop_count(f, &l) + 1;
}

static cr_dtype in_rows(const cr_function *f, uint32_t id, int64_t rows, struct shape *s) {
    const struct node *n = graph_at(f->g, id);
    *s = graph_shape(f->g, n);
    if (rows < 0) return (cr_dtype)n->dtype;
    memmove(s->dim + 1, s->dim, (size_t)s->rank++ * sizeof *s->dim);
    s->dim[0] = rows;
    return (cr_dtype)n->dtype;
}

cr_dtype control_part(const cr_graph *g, const struct node *n, int k, struct shape *s) {
    const cr_function *f = control_function(g, n, 0);
    if (n->op != OP_scan) return in_rows(f, n->op == OP_implicit ? f->in[0] : f->out[k], -1, s);
    struct loop_attr l = loop_attr(g, n);
    if (k == control_part_count(g, n) - 1) return *s = (struct shape){0}, CR_I64;
    if (k < l.carry) return in_rows(f, f->out[k], -1, s);
    if (k < loop_kept(f)) return in_rows(f, f->out[k], l.n, s);
    return in_rows(f, f->in[k - loop_kept(f)], l.n, s);
}

/* ---- Making nodes ---- */

enum { most_functions = 2, most_attr = 1 + most_functions + loop_attr_words };

cr_node control_node(cr_graph *g, int op, int functions, cr_function *const function[], int n_attr,
                     const int64_t attr[], int n, const cr_node x[]) {
    int64_t word[most_attr] = {functions};
    for (int i = 0; i < functions; i++) word[1 + i] = (int64_t)(uintptr_t)function[i];
    for (int i = 0; i < n_attr; i++) word[1 + functions + i] = attr[i];
    struct make m = {.op = op,
                     .dtype = CR_F64,
                     .shape = graph_shape_number(g, 0, NULL),
                     .n_attr = (size_t)(1 + functions + n_attr),
                     .attr = word,
                     .n = (uint32_t)n,
                     .x = x};
    return graph_make(g, &m);
}

cr_node control_loop(cr_graph *g, cr_function *body, cr_function *condition, const struct loop_attr *l, int n,
                     const cr_node x[]) {
    int64_t attr[loop_attr_words] = {l->n, l->carry, l->xs, l->reverse, l->counted};
    return control_node(g, OP_scan, 2, (cr_function *[]){body, condition}, loop_attr_words, attr, n, x);
}

/* ---- Operands ---- */

/* What a call is about, while it is checked. */
struct call {
    const char *op;
    cr_graph *g;
    cr_node *x; /* the operands so far, made to fit */
    int n, room;
};

static bool wrong(struct call *c, cr_status status, const char *what, int i, const struct shape *expected,
                  cr_dtype e, const struct shape *found, cr_dtype f) {
    struct shape_text a, b;
    graph_fail(c->g, status, c->op, "%s %d: expected %s of %s, found %s of %s", what, i + 1,
               ops_show(&a, expected), cr_dtype_name(e), ops_show(&b, found), cr_dtype_name(f));
    return false;
}

/* One more operand, of this shape and dtype; a number repeats, a literal takes the dtype. */
static bool take(struct call *c, const char *what, int i, cr_node x, const struct shape *s, cr_dtype dtype) {
    const struct node *n = graph_get(x);
    if (!n || x.graph != c->g)
        return graph_fail(c->g, CR_EINVAL, c->op, "%s %d is an error node, was cut, or is of another graph",
                          what, i + 1),
               false;
    struct shape found = ops_shape(x);
    cr_dtype have = (cr_dtype)n->dtype;
    if (have != dtype && !n->weak) return wrong(c, CR_EDTYPE, what, i, s, dtype, &found, have);
    if (found.rank && !ops_has_shape(x, s)) return wrong(c, CR_ESHAPE, what, i, s, dtype, &found, have);
    x = ops_expand(ops_to_dtype(x, dtype), s);
    if (cr_ok(x)) c->x[c->n++] = x;
    return cr_ok(x);
}

/* The operands of inputs from `first` on; rows: each has a leading axis of so many, or below 0 none. */
static bool take_all(struct call *c, const char *what, const cr_function *f, uint32_t first, int n,
                     const cr_node x[], int64_t rows) {
    for (int i = 0; i < n; i++) {
        struct shape s;
        cr_dtype dtype = in_rows(f, f->in[first + (uint32_t)i], rows, &s);
        if (!take(c, what, i, x[i], &s, dtype)) return false;
    }
    return true;
}

static cr_graph *graph_among(int n, const cr_node x[], int m, const cr_node y[], int k, const cr_node z[]) {
    return n > 0 && x ? x[0].graph : m > 0 && y ? y[0].graph : k > 0 && z ? z[0].graph : NULL;
}

static bool begin(struct call *c, const char *op, cr_graph *g, int operands) {
    *c = (struct call){.op = op, .g = g, .room = operands};
    if (!g || g->status) return false;
    c->x = mem_alloc(&g->mem, mem_mul((size_t)operands, sizeof *c->x));
    if (!c->x) graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    return c->x != NULL;
}

/* The first n parts of the node go out, or error nodes. */
static cr_status finish(struct call *c, cr_node node, int n, cr_node out[]) {
    for (int i = 0; i < n && out; i++) out[i] = cr_ok(node) ? cr_part(node, i) : graph_error_node(c->g);
    if (c->x) mem_free(&c->g->mem, c->x, (size_t)c->room * sizeof *c->x);
    cr_status status = c->g ? cr_graph_status(c->g) : CR_EINVAL;
    return status ? status : cr_ok(node) ? CR_OK : CR_EINVAL;
}

/* The function has so many operands (of a loop: with carries and constants); found in the call. */
static bool takes(struct call *c, const cr_function *f, int found) {
    if ((int64_t)f->n_in == found) return true;
    graph_fail(c->g, CR_EINVAL, c->op, "the function has %u operands, found %d", (unsigned)f->n_in, found);
    return false;
}

static bool gives(struct call *c, const cr_function *f, int expected) {
    if ((int64_t)f->n_out == expected) return true;
    graph_fail(c->g, CR_EINVAL, c->op, "expected a function of %d result%s, found %u", expected,
               expected == 1 ? "" : "s", (unsigned)f->n_out);
    return false;
}

static bool bad(int n, const cr_node x[]) { return n < 0 || (n && !x); }

/* ---- call ---- */

cr_status cr_call(cr_node out[], cr_function *f, int n, const cr_node x[]) {
    struct call c = {0};
    if (!out || !f || bad(n, x)) return CR_EINVAL;
    cr_node y = graph_error_node(graph_among(n, x, 0, NULL, 0, NULL));
    if (begin(&c, "call", y.graph, n) && takes(&c, f, n) && take_all(&c, "operand", f, 0, n, x, -1))
        y = control_node(c.g, OP_call, 1, &f, 0, NULL, n, c.x);
    return finish(&c, y, (int)f->n_out, out);
}

/* ---- cond ---- */

static bool same_results(struct call *c, const cr_function *yes, const cr_function *no) {
    if (!gives(c, no, (int)yes->n_out)) return false;
    for (uint32_t i = 0; i < yes->n_out; i++) {
        struct shape a, b;
        cr_dtype x = in_rows(yes, yes->out[i], -1, &a), y = in_rows(no, no->out[i], -1, &b);
        if (x != y || !shape_equal(&a, &b))
            return wrong(c, x != y ? CR_EDTYPE : CR_ESHAPE, "the other branch's result", (int)i, &a, x, &b,
                         y);
    }
    return true;
}

cr_status cr_cond(cr_node out[], cr_node condition, cr_function *yes, cr_function *no, int n,
                  const cr_node x[]) {
    struct call c = {0};
    struct shape scalar = {0};
    if (!out || !yes || !no || bad(n, x)) return CR_EINVAL;
    cr_node y = graph_error_node(condition.graph);
    if (begin(&c, "cond", condition.graph, n + 1) && take(&c, "condition", 0, condition, &scalar, CR_BOOL) &&
        takes(&c, yes, n) && takes(&c, no, n) && take_all(&c, "operand", yes, 0, n, x, -1) &&
        (c.n = 1, take_all(&c, "operand", no, 0, n, x, -1)) && same_results(&c, yes, no))
        y = control_node(c.g, OP_cond, 2, (cr_function *[]){yes, no}, 0, NULL, c.n, c.x);
    return finish(&c, y, (int)yes->n_out, out);
}

/* ---- Loops ---- */

/* Values with a row for each step are tensors like any others. */
static bool rows_fit(struct call *c, const cr_function *f, int64_t rows) {
    for (uint32_t i = 0; i < f->n_in + f->n_out; i++) {
        struct shape s = graph_shape(f->g, i < f->n_in ? function_in(f, i) : function_out(f, i - f->n_in));
        struct shape_text t;
        int64_t n = shape_count(s.rank, s.dim);
        if (rows < 0 || (s.rank < CR_MAX_RANK && shape_count(2, (int64_t[]){rows, n}) >= 0)) continue;
        graph_fail(c->g, CR_ELIMIT, c->op, "%lld steps of %s are too large", (long long)rows,
                   ops_show(&t, &s));
        return false;
    }
    return true;
}

/* A step gives each carry back as it was. */
static bool carry_stays(struct call *c, const cr_function *body, int n) {
    if ((int64_t)body->n_out < n)
        return graph_fail(c->g, CR_EINVAL, c->op, "the function has %u results, fewer than the carry's %d",
                          (unsigned)body->n_out, n),
               false;
    for (int i = 0; i < n; i++) {
        struct shape before, after;
        cr_dtype b = in_rows(body, body->in[i], -1, &before), a = in_rows(body, body->out[i], -1, &after);
        if (a != b || !shape_equal(&before, &after))
            return wrong(c, a != b ? CR_EDTYPE : CR_ESHAPE, "a step changes carry", i, &before, b, &after, a);
    }
    return true;
}

cr_status cr_scan(cr_node out[], cr_function *body, int64_t n, bool reverse, int n_carry,
                  const cr_node carry[], int n_xs, const cr_node xs[], int n_consts, const cr_node consts[]) {
    return cr_scan_within(out, SIZE_MAX, body, n, reverse, n_carry, carry, n_xs, xs, n_consts, consts);
}

/* count: an error node, or how many steps there are. */
static cr_status scan(cr_node out[], cr_node count, size_t bytes, cr_function *body, int64_t n, bool reverse,
                      int n_carry, const cr_node carry[], int n_xs, const cr_node xs[], int n_consts,
                      const cr_node consts[]) {
    struct call c = {0};
    struct shape number = {0};
    bool cut = false, counted = count.id != 0;
    int cuts;
    if (!out || !body || bad(n_carry, carry) || bad(n_xs, xs) || bad(n_consts, consts)) return CR_EINVAL;
    struct loop_attr l = {.n = n, .carry = n_carry, .xs = n_xs, .reverse = reverse, .counted = counted};
    cr_node y =
        graph_error_node(counted ? count.graph : graph_among(n_carry, carry, n_xs, xs, n_consts, consts));
    if (y.graph && n < 0)
        graph_fail(y.graph, CR_EINVAL, "scan", "a count of steps below 0: %lld", (long long)n);
    if (begin(&c, n_carry ? "scan" : "map", y.graph, n_carry + n_xs + n_consts + counted) &&
        takes(&c, body, n_carry + n_xs + n_consts) && carry_stays(&c, body, n_carry) &&
        rows_fit(&c, body, n) && (!counted || take(&c, "count of steps", 0, count, &number, CR_I64)) &&
        take_all(&c, "carry", body, 0, n_carry, carry, -1) &&
        take_all(&c, "operand", body, (uint32_t)n_carry, n_xs, xs, n) &&
        take_all(&c, "constant operand", body, (uint32_t)(n_carry + n_xs), n_consts, consts, -1)) {
        cut = !counted && control_pieces(body, &l, bytes, &cuts) > 1;
        if (cut) control_in_pieces(out, c.g, body, &l, bytes, c.x), y = out[0];
        else y = control_loop(c.g, body, NULL, &l, c.n, c.x);
    }
    return finish(&c, y, cut ? 0 : (int)body->n_out, out);
}

cr_status cr_scan_within(cr_node out[], size_t bytes, cr_function *body, int64_t n, bool reverse, int n_carry,
                         const cr_node carry[], int n_xs, const cr_node xs[], int n_consts,
                         const cr_node consts[]) {
    return scan(out, (cr_node){0}, bytes, body, n, reverse, n_carry, carry, n_xs, xs, n_consts, consts);
}

cr_status control_counted(cr_node out[], cr_node count, cr_function *body, int64_t most, bool reverse,
                          int n_carry, const cr_node carry[], int n_xs, const cr_node xs[], int n_consts,
                          const cr_node consts[]) {
    return scan(out, count, SIZE_MAX, body, most, reverse, n_carry, carry, n_xs, xs, n_consts, consts);
}

cr_status cr_map(cr_node out[], cr_function *f, int64_t n, int n_xs, const cr_node xs[], int n_consts,
                 const cr_node consts[]) {
    return cr_scan(out, f, n, false, 0, NULL, n_xs, xs, n_consts, consts);
}

static bool is_condition(struct call *c, const cr_function *f) {
    struct shape s;
    if (f->n_out == 1 && in_rows(f, f->out[0], -1, &s) == CR_BOOL && s.rank == 0) return true;
    struct shape_text t;
    cr_dtype dtype = in_rows(f, f->out[0], -1, &s);
    if (f->n_out != 1) return gives(c, f, 1);
    graph_fail(c->g, CR_EINVAL, c->op, "expected a condition that gives one bool, found %s of %s",
               ops_show(&t, &s), cr_dtype_name(dtype));
    return false;
}

cr_status cr_while(cr_node out[], cr_function *condition, cr_function *body, int64_t max_trips, int n_carry,
                   const cr_node carry[], int n_consts, const cr_node consts[]) {
    struct call c = {0};
    if (!out || !body || !condition || bad(n_carry, carry) || bad(n_consts, consts)) return CR_EINVAL;
    struct loop_attr l = {.n = max_trips < 0 ? -1 : max_trips, .carry = n_carry};
    cr_node y = graph_error_node(graph_among(n_carry, carry, n_consts, consts, 0, NULL));
    if (begin(&c, "while", y.graph, n_carry + n_consts) && is_condition(&c, condition) &&
        takes(&c, body, n_carry + n_consts) && takes(&c, condition, n_carry + n_consts) &&
        gives(&c, body, n_carry) && carry_stays(&c, body, n_carry) && rows_fit(&c, body, l.n) &&
        take_all(&c, "carry", condition, 0, n_carry, carry, -1) &&
        take_all(&c, "constant operand", condition, (uint32_t)n_carry, n_consts, consts, -1) &&
        (c.n = 0, take_all(&c, "carry", body, 0, n_carry, carry, -1)) &&
        take_all(&c, "constant operand", body, (uint32_t)n_carry, n_consts, consts, -1))
        y = control_loop(c.g, body, condition, &l, c.n, c.x);
    return finish(&c, y, n_carry, out);
}

/* ---- callback: a function that calls it, so that bodies and branches are graphs whatever they do ---- */

static cr_status wrap(cr_function **out, cr_graph *g, cr_function *raw, cr_node x[], cr_node y[]) {
    for (uint32_t i = 0; i < raw->n_in; i++) {
        struct shape s = graph_shape(raw->g, function_in(raw, i));
        const char *name = cr_name(graph_handle(raw->g, raw->in[i]));
        x[i] = cr_input(g, name, (cr_dtype)function_in(raw, i)->dtype, s.rank, s.dim);
    }
    cr_node node =
        g->status ? graph_error_node(g) : control_node(g, OP_call, 1, &raw, 0, NULL, (int)raw->n_in, x);
    for (uint32_t i = 0; i < raw->n_out; i++) y[i] = cr_ok(node) ? cr_part(node, (int)i) : node;
    return g->status ? g->status : cr_function_new(out, (int)raw->n_in, x, (int)raw->n_out, y);
}

cr_status cr_function_callback(cr_function **out, const char *name, int n_in, const cr_node in[], int n_out,
                               const cr_node results[], cr_callback *fn, cr_callback_vjp *vjp,
                               cr_callback_jvp *jvp, void *user) {
    cr_function *raw = NULL;
    if (out) *out = NULL;
    if (!out || !name || !fn || bad(n_in, in) || n_out < 1 || !results) return CR_EINVAL;
    cr_status status = function_callback(&raw, name, n_in, in, n_out, results);
    if (status) return status;
    raw->callback = fn, raw->vjp = vjp, raw->jvp = jvp, raw->user = user;
    cr_graph *g = cr_graph_new(raw->ctx);
    size_t bytes = mem_mul((size_t)n_in + (size_t)n_out, sizeof(cr_node));
    cr_node *x = mem_alloc(&raw->mem, bytes);
    status = g && x ? wrap(out, g, raw, x, x + n_in) : CR_ENOMEM;
    mem_free(&raw->mem, x, bytes);
    cr_graph_free(g);
    if (status) graph_fail(results[0].graph, status, "function", "%s", cr_status_text(status));
    cr_function_free(raw);
    return status;
}

/* What a wrapped callback wraps; NULL: no callback. */
static cr_function *wrapped(const cr_function *f) {
    for (uint32_t id = 1; f && id < f->g->count; id++) {
        const struct node *n = graph_at(f->g, id);
        if (n->op == OP_call && control_function(f->g, n, 0)->callback) return control_function(f->g, n, 0);
    }
    return NULL;
}

cr_status cr_function_ulps(cr_function *f, double ulps) {
    cr_function *raw = wrapped(f);
    if (!raw || !(ulps >= 0)) return CR_EINVAL;
    raw->ulps = ulps;
    return CR_OK;
}

/* ---- implicit ---- */

cr_node cr_implicit(cr_function *f, cr_node x, int n_consts, const cr_node consts[]) {
    struct call c = {0};
    cr_node y = graph_error_node(x.graph);
    if (!f || bad(n_consts, consts) || !x.graph) return y;
    if (begin(&c, "implicit", x.graph, n_consts + 1) && takes(&c, f, n_consts + 1) && gives(&c, f, 1) &&
        carry_stays(&c, f, 1) && take_all(&c, "operand", f, 0, 1, &x, -1) &&
        take_all(&c, "operand", f, 1, n_consts, consts, -1))
        y = control_node(c.g, OP_implicit, 1, &f, 0, NULL, c.n, c.x);
    finish(&c, y, 1, &y);
    return y;
}
