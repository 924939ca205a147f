/* A graph again in double precision. */
#include "explain/twin.h"

#include <stdio.h>

#include "grad/wide.h"
#include "graph/graph.h"
#include "ops/control.h"
#include "run/eval.h"
#include "tensor/dtype.h"

static cr_dtype widened(cr_dtype d) { return dtype_is_float(d) ? CR_F64 : d; }

cr_status twin_open(struct twin *t, cr_context *ctx) {
    *t = (struct twin){.g = cr_graph_new(ctx), .narrowest = CR_F64};
    if (!t->g) return CR_ENOMEM;
    t->mem = t->g->mem;
    return cr_eval_new(&t->e, t->g, NULL);
}

void twin_close(struct twin *t) {
    for (size_t i = 0; i < t->leaves; i++) cr_array_free(t->leaf[i].value);
    if (t->g) mem_free(&t->mem, t->leaf, t->cap * sizeof *t->leaf);
    cr_eval_free(t->e);
    cr_graph_free(t->g);
}

cr_status twin_add(struct twin *t, cr_node *out, cr_eval *from, cr_node x) {
    char name[24];
    cr_array *value = NULL, *wide = NULL;
    *out = graph_error_node(t->g);
    cr_status status = cr_eval_array(&value, from, x);
    if (!status) status = cr_array_cast(&wide, value, widened(cr_dtype_of(x)));
    cr_array_free(value);
    if (status) return status;
    if (!mem_grow(&t->mem, &t->leaf, &t->cap, t->leaves, sizeof *t->leaf))
        return cr_array_free(wide), CR_ENOMEM;
    snprintf(name, sizeof name, "v%zu", t->leaves);
    *out = cr_input(t->g, name, cr_array_dtype(wide), cr_array_rank(wide), cr_array_dims(wide));
    t->leaf[t->leaves++] = (struct twin_leaf){*out, wide};
    if (!cr_ok(*out)) return cr_graph_status(t->g);
    return cr_eval_set(t->e, *out, cr_array_dtype(wide), cr_array_data(wide), cr_array_bytes(wide));
}

void twin_note_callbacks(struct twin *t, cr_node x) {
    const struct node *n = graph_get(x);
    for (uint32_t i = 0; op_kind(n->op) == KIND_CONTROL && i < control_functions(x.graph, n); i++)
        if (control_function(x.graph, n, i))
            t->narrowest = wide_narrowest(control_function(x.graph, n, i), t->narrowest);
}

/* open: stop_gradient is its operand. */
static cr_node node_again(cr_node y, const cr_node x[], bool open) {
    const struct node *n = graph_get(y);
    struct shape s = graph_shape(y.graph, n);
    if (n->op == OP_implicit) {
        cr_function *f = wide_function(x[0].graph, control_function(y.graph, n, 0), open);
        return f ? implicit_refined(f, (int)n->n, x) : graph_error_node(x[0].graph);
    }
    if (n->op == OP_part) return wide_part(x[0], (int)graph_attr(y.graph, n)[0]);
    if (op_kind(n->op) == KIND_CONTROL) return wide_control(y, x, open);
    return ops_node(n->op, widened((cr_dtype)n->dtype), &s, (int)graph_attr_count(y.graph, n),
                    graph_attr(y.graph, n), (int)n->n, x);
}

cr_node twin_node(cr_node y, const cr_node x[]) { return node_again(y, x, false); }

void twin_tell(const struct twin *t, cr_graph *g, const char *op, cr_status *status) {
    if (!*status || !t->g) return;
    const char *why = cr_graph_error(t->g) ? cr_graph_error(t->g) : cr_eval_error(t->e);
    if (cr_graph_status(t->g)) *status = cr_graph_status(t->g);
    if (why && !cr_graph_error(g)) graph_fail(g, *status, op, "%s", why);
}

/* ---- A whole graph ---- */

bool twin_is_start(cr_node x) {
    int op = graph_get(x)->op;
    return op_kind(op) == KIND_LEAF || op == OP_uniform;
}

/* What is being copied. */
struct copying {
    struct twin *t;
    struct twin_map *m;
    cr_eval *e;
    cr_graph *g;
    int n;
    const cr_node *wrt;
    bool hold;
    cr_status status;
};

/* Why there is no node: the graph's reason, or memory that failed beside it. */
cr_status twin_why_not(cr_node x) {
    if (cr_ok(x)) return CR_OK;
    return cr_graph_status(x.graph) ? cr_graph_status(x.graph) : CR_ENOMEM;
}

static bool is_held(const struct copying *c, cr_node x) {
    return twin_is_start(x) || (c->hold && graph_get(x)->op == OP_stop_gradient);
}

static bool is_wrt(const struct copying *c, cr_node x) {
    for (int i = 0; i < c->n; i++)
        if (cr_same(c->wrt[i], x)) return true;
    return false;
}

/* A variable that one differentiates by: what it is of, plus an input that is 0. */
static cr_node copy_variable(struct copying *c, cr_node x, cr_node *leaf) {
    struct shape s = ops_shape(x);
    c->status = twin_add(c->t, leaf, c->e, ops_zeros(c->g, cr_dtype_of(x), &s));
    return cr_add(c->m->of[cr_operand(x, 0).id], *leaf);
}

static bool is_while(cr_node x) {
    const struct node *n = graph_get(x);
    return n->op == OP_scan && control_function(x.graph, n, 1);
}

static cr_node count_of(cr_node loop) {
    return cr_part(loop, ops_part_count(loop.graph, graph_get(loop)) - 1);
}

/* As many steps as there were: rounding to f32 may have ended it elsewhere. */
static cr_node copy_while(struct copying *c, cr_node x, cr_node operands[]) {
    const struct node *n = graph_get(x);
    struct loop_attr l = loop_attr(x.graph, n);
    c->status = twin_add(c->t, &operands[0], c->e, count_of(x));
    cr_function *body = c->status ? NULL : wide_function(c->t->g, control_function(x.graph, n, 0), true);
    if (!body) return graph_error_node(c->t->g);
    if (l.n < 0) l.n = *(const int64_t *)eval_data(c->e, count_of(x));
    l.counted = true;
    return control_loop(c->t->g, body, NULL, &l, (int)n->n + 1, operands);
}

/* How many steps there were: of a while without a bound it stands elsewhere among the parts. */
static bool is_count(cr_node x) {
    return graph_get(x)->op == OP_part && is_while(cr_operand(x, 0)) &&
           cr_same(x, count_of(cr_operand(x, 0)));
}

static cr_node copy_node(struct copying *c, cr_node x) {
    cr_node y, few[8], *operands = few;
    int n = cr_operand_count(x);
    if (graph_get(x)->op == OP_stop_gradient && !c->hold) return c->m->of[cr_operand(x, 0).id];
    if (is_held(c, x) || (!c->hold && is_count(x))) {
        c->m->stops += graph_get(x)->op == OP_stop_gradient;
        c->status = twin_add(c->t, &y, c->e, x);
        return y;
    }
    size_t bytes = mem_mul((size_t)n + 1, sizeof *operands);
    if (n > 7) operands = mem_alloc(&c->t->mem, bytes);
    if (!operands) return graph_error_node(c->t->g);
    bool counts = !c->hold && is_while(x);
    for (int k = 0; k < n; k++) operands[k + counts] = c->m->of[cr_operand(x, k).id];
    twin_note_callbacks(c->t, x);
    y = counts ? copy_while(c, x, operands) : node_again(x, operands, !c->hold);
    if (operands != few) mem_free(&c->t->mem, operands, bytes);
    return y;
}

/* 1 at what result and wrt are made of. */
static uint8_t *find_used(const struct copying *c, cr_node result) {
    uint8_t *used = mem_zero(&c->t->mem, c->m->ids);
    if (!used) return NULL;
    used[result.id] = 1;
    for (int i = 0; i < c->n; i++) used[c->wrt[i].id] = 1;
    for (uint32_t id = c->m->ids; id-- > 1;) {
        cr_node x = graph_handle(c->g, id);
        for (int k = 0; used[id] && !is_held(c, x) && k < cr_operand_count(x); k++)
            used[cr_operand(x, k).id] = 1;
    }
    return used;
}

static void copy_used(struct copying *c, const uint8_t used[], cr_node leaf[]) {
    for (uint32_t id = 1; id < c->m->ids && !c->status; id++) {
        cr_node x = graph_handle(c->g, id), own = graph_error_node(c->t->g);
        if (!used[id]) continue;
        bool variable = is_wrt(c, x) && graph_get(x)->op == OP_variable;
        cr_node y = c->m->of[id] = variable ? copy_variable(c, x, &own) : copy_node(c, x);
        for (int i = 0; i < c->n; i++)
            if (cr_same(c->wrt[i], x)) leaf[i] = variable ? own : y;
        if (!c->status) c->status = twin_why_not(y);
    }
}

static cr_status turn_map(struct twin *t, struct twin_map *m) {
    m->from_ids = t->g->count;
    m->from = mem_zero(&t->mem, mem_mul(m->from_ids, sizeof *m->from));
    for (uint32_t id = m->ids; m->from && id-- > 1;)
        if (m->of[id].id) m->from[m->of[id].id] = id;
    return m->from ? CR_OK : CR_ENOMEM;
}

cr_status twin_copy(struct twin *t, struct twin_map *m, cr_eval *e, cr_node result, int n,
                    const cr_node wrt[], cr_node leaf[], bool hold) {
    struct copying c = {.t = t, .m = m, .e = e, .g = result.graph, .n = n, .wrt = wrt, .hold = hold};
    m->ids = result.id;
    for (int i = 0; i < n; i++)
        if (wrt[i].id > m->ids) m->ids = wrt[i].id;
    m->ids++;
    m->of = mem_zero(&t->mem, mem_mul(m->ids, sizeof *m->of));
    uint8_t *used = m->of ? find_used(&c, result) : NULL;
    if (!used) return CR_ENOMEM;
    copy_used(&c, used, leaf);
    mem_free(&t->mem, used, m->ids);
    return c.status ? c.status : turn_map(t, m);
}

void twin_map_free(struct twin *t, struct twin_map *m) {
    if (!t->g) return;
    mem_free(&t->mem, m->of, m->ids * sizeof *m->of);
    mem_free(&t->mem, m->from, m->from_ids * sizeof *m->from);
}
