/* Reverse mode: cotangents from the result back, by the chain rule. */
#include "grad/grad.h"

#include <string.h>

#include "tensor/dtype.h"

static cr_node node_of(const struct sweep *s, uint32_t id) { return graph_handle(s->g, id); }

static cr_node zero(cr_graph *g) { return cr_number(g, 0); }

/* ---- Masked values ---- */

static cr_node resolve(const struct sweep *s, struct cotangent c) {
    if (!c.mask || c.clean || !c.value) return node_of(s, c.value);
    return cr_where(node_of(s, c.mask), node_of(s, c.value), zero(s->g));
}

bool sweep_is_zero(cr_node x) {
    double v;
    if (graph_get(x) && graph_get(x)->op == OP_expand) x = cr_operand(x, 0);
    return ops_literal(x, &v) && v == 0;
}

/* where(m, v, 0) is v under the mask m. */
static struct cotangent unpack(cr_node x) {
    const struct node *n = graph_get(x);
    if (n && n->op == OP_where && sweep_is_zero(cr_operand(x, 2)))
        return (struct cotangent){cr_operand(x, 1).id, cr_operand(x, 0).id, false, 0};
    return (struct cotangent){x.id, 0, true, 0};
}

static uint32_t both(const struct sweep *s, uint32_t m, uint32_t with) {
    if (!m || !with || m == with) return m ? m : with;
    return cr_and(node_of(s, m), node_of(s, with)).id;
}

/* Cotangents are added, never stored: a node used twice gets both. */
static struct cotangent add(const struct sweep *s, struct cotangent a, struct cotangent b) {
    if (!a.value || !b.value) return a.value ? a : b;
    if (a.mask == b.mask)
        return (struct cotangent){cr_add(node_of(s, a.value), node_of(s, b.value)).id, a.mask,
                                  a.clean && b.clean, 0};
    uint32_t value = cr_add(resolve(s, a), resolve(s, b)).id;
    if (!a.mask || !b.mask) return (struct cotangent){value, 0, true, 0};
    return (struct cotangent){value, cr_or(node_of(s, a.mask), node_of(s, b.mask)).id, true, 0};
}

static bool takes_part(const struct sweep *s, uint32_t id) {
    return id >= s->first && id < s->size && s->needed[id - s->first];
}

/* ---- One operand of one node ---- */

/* A cotangent of 1, as at the start, times the local gradient is that gradient. */
static bool is_one(const struct sweep *s, struct cotangent c, cr_node local) {
    double d;
    cr_node g = node_of(s, c.value);
    return !c.mask && ops_literal(g, &d) && d == 1 && graph_get(g)->shape == graph_get(local)->shape;
}

static struct cotangent times_local(const struct sweep *s, struct cotangent c, cr_node local) {
    double d;
    if (!graph_get(local)) return (struct cotangent){0, 0, true, 0};
    if (ops_literal(local, &d)) {
        if (d == 1 || d == 0) return d == 1 ? c : (struct cotangent){0, 0, true, 0};
        if (d == -1) return (struct cotangent){cr_neg(node_of(s, c.value)).id, c.mask, c.clean, 0};
    }
    if (is_one(s, c, local)) return unpack(ops_to_dtype(local, cr_dtype_of(node_of(s, c.value))));
    struct cotangent l = unpack(local);
    uint32_t mask = both(s, c.mask, l.mask);
    cr_node value = cr_mul(node_of(s, c.value), node_of(s, l.value));
    return (struct cotangent){value.id, mask, !mask, 0};
}

static bool is_leaf(cr_node x) { return op_kind(graph_get(x)->op) == KIND_LEAF; }

/* The mask goes the way of the value: it holds where something that held arrived. A leaf multiplies nothing further, so what
 * is 0 of itself needs no mask there. */
static uint32_t move_mask(const struct rule_in *in, bool clean) {
    if (!in->g.id && !in->g1.id) return 0;
    return clean && is_leaf(cr_operand(in->y, in->k)) ? 0 : rule_mask_back(in).id;
}

static cr_node mask_of(const struct sweep *s, struct cotangent c) { return node_of(s, c.value ? c.mask : 0); }

/* What the rule makes of the cotangents c and, of an op with two results, c1. */
static struct cotangent through_rule(const struct sweep *s, struct rule_in *in, struct cotangent c,
                                     struct cotangent c1) {
    struct rule_in masks = *in;
    in->g = resolve(s, c), in->g1 = resolve(s, c1);
    masks.g = mask_of(s, c), masks.g1 = mask_of(s, c1);
    bool all = (!c.value || c.mask) && (!c1.value || c1.mask); /* what has none holds everywhere */
    cr_node value = rule_vjp(in);
    if (!cr_ok(value)) return (struct cotangent){0, 0, true, 0};
    struct cotangent y = unpack(value);
    bool clean =
        !y.mask && rule_kind(graph_get(in->y)->op, in->k) == RULE_LINEAR; /* sums of what is 0 there */
    uint32_t moved = all ? move_mask(&masks, clean) : 0;
    return moved ? (struct cotangent){y.value, both(s, y.mask, moved), clean, 0} : y;
}

/* The cotangent of result k of an op with parts. */
static struct cotangent of_part(const struct sweep *s, uint32_t op, int k) {
    for (uint32_t part = s->bar[op - s->first].value; part; part = s->bar[part - s->first].next)
        if (graph_attr(s->g, graph_at(s->g, part))[0] == k) return s->bar[part - s->first];
    return (struct cotangent){0, 0, true, 0};
}

/* ---- Ops that give all cotangents at once ---- */

/* Room for a cotangent of each part, an operand, and two cotangents of each operand; two marks by operand. */
struct whole_room {
    struct whole w;
    cr_node *node;
    uint8_t *mark;
    size_t nodes;
};

static bool whole_begin(const struct sweep *s, uint32_t id, bool go_on, struct whole_room *r) {
    cr_node y = node_of(s, id);
    int n = cr_operand_count(y), parts = ops_part_count(s->g, graph_at(s->g, id));
    r->w.n = n;
    r->nodes = 3 * (size_t)n + (size_t)parts;
    r->node = mem_zero(&s->g->mem, mem_mul(r->nodes, sizeof *r->node));
    r->mark = mem_zero(&s->g->mem, 2 * (size_t)n + 1);
    if (!r->node || !r->mark) return graph_fail(s->g, CR_ENOMEM, NULL, "out of memory"), false;
    cr_node *x = r->node, *out = x + n, *so_far = out + n, *g = so_far + n;
    r->w = (struct whole){.y = y, .n = n, .parts = parts, .x = x, .g = g, .wanted = r->mark, .out = out};
    r->w.so_far = go_on ? so_far : NULL, r->w.includes = r->mark + n;
    for (int k = 0; k < n; k++) {
        x[k] = cr_operand(y, k);
        out[k] = graph_error_node(s->g);
        r->mark[k] = takes_part(s, x[k].id) && rule_kind(graph_at(s->g, id)->op, k) == RULE_WHOLE &&
                     dtype_is_float(cr_dtype_of(x[k]));
        so_far[k] = go_on && r->mark[k] ? resolve(s, s->bar[x[k].id - s->first]) : out[k];
    }
    for (int k = 0; k < parts; k++) g[k] = resolve(s, of_part(s, id, k));
    return true;
}

static void whole_end(const struct sweep *s, struct whole_room *r) {
    mem_free(&s->g->mem, r->mark, 2 * (size_t)r->w.n + 1);
    mem_free(&s->g->mem, r->node, r->nodes * sizeof *r->node);
}

/* The cotangent of operand `only`, or with a negative one of all operands, added to theirs. */
static struct cotangent whole_contribution(const struct sweep *s, uint32_t id, int only) {
    struct whole_room r = {0};
    struct cotangent c = {0, 0, true, 0};
    if (!whole_begin(s, id, only < 0, &r)) return whole_end(s, &r), c;
    rule_whole_vjp(&r.w);
    for (int k = 0; k < r.w.n && !s->g->status; k++) /* before others are added to it */
        if (cr_ok(r.w.out[k]) && r.w.includes[k]) s->bar[r.w.x[k].id - s->first] = unpack(r.w.out[k]);
    for (int k = 0; k < r.w.n && !s->g->status; k++) {
        if (!cr_ok(r.w.out[k]) || !r.mark[k] || r.w.includes[k]) continue;
        if (k == only) c = unpack(r.w.out[k]);
        struct cotangent *bar = &s->bar[r.w.x[k].id - s->first];
        if (only < 0) *bar = add(s, *bar, unpack(r.w.out[k]));
    }
    whole_end(s, &r);
    return c;
}

cr_node sweep_whole(cr_node y, int k, int part, cr_node g) {
    const struct mem *m = &y.graph->mem;
    int n = cr_operand_count(y), parts = ops_part_count(y.graph, graph_get(y));
    size_t nodes = mem_mul(2 * (size_t)n + (size_t)parts, sizeof(cr_node));
    cr_node *x = mem_zero(m, nodes), to = graph_error_node(y.graph);
    uint8_t *wanted = mem_zero(m, (size_t)n + 1);
    if (x && wanted) {
        struct whole w = {
            .y = y, .n = n, .parts = parts, .x = x, .g = x + 2 * n, .wanted = wanted, .out = x + n};
        for (int i = 0; i < n; i++) x[i] = cr_operand(y, i), x[n + i] = to;
        for (int i = 0; i < parts; i++) x[2 * n + i] = i == part ? g : to;
        wanted[k] = 1;
        rule_whole_vjp(&w);
        to = w.out[k];
    } else graph_fail(y.graph, CR_ENOMEM, NULL, "out of memory");
    mem_free(m, x, nodes);
    mem_free(m, wanted, (size_t)n + 1);
    return to;
}

static struct cotangent contribution(const struct sweep *s, uint32_t id, int k) {
    struct rule_in in = {.y = node_of(s, id), .k = k};
    struct cotangent c = s->bar[id - s->first], nothing = {0, 0, true, 0};
    int op = graph_at(s->g, id)->op;
    if (rule_kind(op, k) == RULE_WHOLE) return whole_contribution(s, id, k);
    if (ops_has_parts(op)) return through_rule(s, &in, of_part(s, id, 0), of_part(s, id, 1));
    switch (rule_kind(op, k)) {
    case RULE_NONE:
    case RULE_ZERO: return nothing;
    case RULE_LOCAL: return times_local(s, c, rule_local(&in));
    case RULE_PASS: return (struct cotangent){c.value, both(s, c.mask, rule_local(&in).id), false, 0};
    case RULE_LINEAR:
    case RULE_WRITTEN:
    case RULE_DRIVES:
    case RULE_MASKED: return through_rule(s, &in, c, nothing);
    case RULE_WHOLE: break;
    }
    return nothing;
}

/* ---- The sweep ---- */

static bool has_cotangent(const struct sweep *s, uint32_t id) {
    return s->bar[id - s->first].value || s->bar[id - s->first].mask;
}

static void visit(struct sweep *s, uint32_t id) {
    const struct node *n = graph_at(s->g, id);
    if (n->op == OP_part) { /* a part tells its op that it has a cotangent */
        struct cotangent *op = &s->bar[n->arg[0] - s->first];
        s->bar[id - s->first].next = op->value;
        op->value = id;
        return;
    }
    if (op_kind(n->op) == KIND_CONTROL) {
        whole_contribution(s, id, -1);
        return;
    }
    for (uint32_t k = 0; k < n->n; k++) {
        uint32_t x = graph_args(s->g, n)[k];
        if (!takes_part(s, x)) continue;
        struct cotangent c = contribution(s, id, (int)k);
        if (c.value) s->bar[x - s->first] = add(s, s->bar[x - s->first], c);
    }
}

bool sweep_carries(const cr_graph *g, const struct node *n, int k) {
    enum rule_kind kind = n->op == OP_part ? RULE_LINEAR : rule_kind(n->op, k);
    return kind != RULE_ZERO && kind != RULE_NONE && dtype_is_float((cr_dtype)n->dtype) &&
           dtype_is_float((cr_dtype)graph_at(g, graph_args(g, n)[k])->dtype);
}

uint8_t *sweep_needed(cr_graph *g, uint32_t size, uint32_t *first, int n, const cr_node wrt[]) {
    *first = size;
    for (int i = 0; i < n; i++)
        if (wrt[i].id < *first) *first = wrt[i].id;
    uint8_t *needed = mem_zero(&g->mem, size - *first + 1);
    if (!needed) return NULL;
    for (int i = 0; i < n; i++)
        if (wrt[i].id < size) needed[wrt[i].id - *first] = 1;
    for (uint32_t id = *first; id < size; id++) {
        const struct node *node = graph_at(g, id);
        const uint32_t *args = graph_args(g, node);
        for (uint32_t k = 0; k < node->n && !needed[id - *first]; k++)
            if (args[k] >= *first && needed[args[k] - *first] && sweep_carries(g, node, (int)k))
                needed[id - *first] = 1;
    }
    return needed;
}

/* Every graph that is touched is told. */
static bool no_sense(const char *what, cr_node y, int n, const cr_node wrt[], const char *sentence) {
    graph_fail(y.graph, CR_EINVAL, what, "%s", sentence);
    for (int i = 0; i < n && wrt; i++) graph_fail(wrt[i].graph, CR_EINVAL, what, "%s", sentence);
    return false;
}

bool sweep_wrt_good(const char *what, cr_node y, int n, const cr_node wrt[]) {
    if (n < 0 || (n && !wrt))
        return no_sense(what, y, 0, NULL, "a count below 0, or an array that is missing");
    if (!graph_get(y))
        return no_sense(what, y, n, wrt, "what is differentiated is an error node, or was cut");
    for (int i = 0; i < n; i++) {
        const struct node *node = graph_get(wrt[i]);
        if (!node)
            return no_sense(what, y, n, wrt, "what one differentiates by is an error node, or was cut");
        if (wrt[i].graph != y.graph)
            return no_sense(what, y, n, wrt, "what one differentiates by is a node of another graph");
        if (node->op != OP_input && node->op != OP_param && node->op != OP_variable) {
            graph_fail(wrt[i].graph, CR_ENODERIV, what,
                       "one differentiates by inputs, parameters and variable(x), not by the result of %s",
                       op_name(node->op));
            return false;
        }
        if (!dtype_is_float((cr_dtype)node->dtype)) {
            const char *name = cr_name(wrt[i]);
            graph_fail(wrt[i].graph, CR_ENODERIV, what,
                       "%s is %s: only fractions have derivatives; cast it first",
                       name ? name : "the variable", cr_dtype_name((cr_dtype)node->dtype));
            return false;
        }
    }
    return true;
}

void sweep_free(struct sweep *s) {
    if (!s->g) return;
    size_t n = s->size - s->first + 1;
    mem_free(&s->g->mem, s->bar, n * sizeof *s->bar);
    mem_free(&s->g->mem, s->needed, n);
    *s = (struct sweep){0};
}

static bool prepare(struct sweep *s, int n_ys, const cr_node ys[], int n, const cr_node wrt[]) {
    for (int i = 0; i < n_ys; i++)
        if (ys[i].id >= s->size) s->size = ys[i].id + 1;
    s->needed = sweep_needed(s->g, s->size, &s->first, n, wrt);
    if (!s->needed) return false;
    s->bar = mem_zero(&s->g->mem, mem_mul(s->size - s->first + 1, sizeof *s->bar));
    return s->bar != NULL;
}

cr_status sweep_backward(struct sweep *s, int n_ys, const cr_node ys[], const cr_node cotangents[], int n,
                         const cr_node wrt[]) {
    cr_graph *g = wrt[0].graph;
    *s = (struct sweep){.g = g};
    if (!prepare(s, n_ys, ys, n, wrt)) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), CR_ENOMEM;
    const bool either = g->either;
    g->either = true;
    for (int i = 0; i < n_ys; i++) {
        if (!takes_part(s, ys[i].id)) continue;
        struct cotangent *bar = &s->bar[ys[i].id - s->first];
        *bar = add(s, *bar, unpack(cotangents[i]));
    }
    for (uint32_t id = s->size; id-- > s->first && !g->status;)
        if (s->needed[id - s->first] && has_cotangent(s, id)) visit(s, id);
    g->either = either;
    return g->status;
}

cr_node sweep_cotangent(const struct sweep *s, cr_node x) {
    if (!takes_part(s, x.id) || !s->bar[x.id - s->first].value || ops_has_parts(graph_get(x)->op))
        return graph_error_node(s->g);
    return resolve(s, s->bar[x.id - s->first]);
}

cr_node sweep_contribution(const struct sweep *s, cr_node y, int k) {
    cr_node x = cr_operand(y, k);
    if (!takes_part(s, y.id) || !takes_part(s, x.id) || !has_cotangent(s, y.id))
        return graph_error_node(s->g);
    if (graph_get(y)->op == OP_part) return sweep_cotangent(s, y);
    return resolve(s, contribution(s, y.id, k));
}

/* ---- The public interface ---- */

static cr_status fail_all(int n, cr_node out[], const cr_node wrt[]) {
    cr_graph *g = n > 0 && wrt ? wrt[0].graph : NULL;
    for (int i = 0; i < n && out; i++) out[i] = graph_error_node(g);
    cr_status status = cr_graph_status(g);
    return status ? status : CR_EINVAL;
}

/* A cotangent has its result's shape and dtype; a number repeats. */
static cr_node fit(cr_node c, cr_node y) {
    struct shape s = ops_shape(y);
    return ops_expand(ops_to_dtype(c, cr_dtype_of(y)), &s);
}

static cr_status backward(cr_node out[], int n_ys, const cr_node ys[], const cr_node cotangents[], int n,
                          const cr_node wrt[]) {
    struct sweep s;
    cr_status status = sweep_backward(&s, n_ys, ys, cotangents, n, wrt);
    for (int i = 0; i < n && !status; i++) {
        out[i] = sweep_cotangent(&s, wrt[i]);
        if (out[i].id == 0) {
            struct shape shape = ops_shape(wrt[i]);
            out[i] = ops_zeros(wrt[i].graph, cr_dtype_of(wrt[i]), &shape);
        }
        out[i] = ops_to_dtype(out[i], cr_dtype_of(wrt[i]));
        status = cr_graph_status(wrt[i].graph);
    }
    sweep_free(&s);
    return status ? fail_all(n, out, wrt) : CR_OK;
}

bool sweep_results_good(const char *what, int n, const cr_node ys[]) {
    if (!ops_good(what, n, ys)) return false;
    for (int i = 0; i < n; i++)
        if (!dtype_is_float(cr_dtype_of(ys[i]))) {
            graph_fail(ys[i].graph, CR_ENODERIV, what, "a result of dtype %s has no derivative",
                       cr_dtype_name(cr_dtype_of(ys[i])));
            return false;
        }
    return true;
}

/* Cotangents are nodes of the graph of the results. */
static bool vjp_good(int n_ys, const cr_node ys[], const cr_node cotangents[], int n, const cr_node wrt[]) {
    cr_node y = n_ys > 0 && ys ? ys[0] : n > 0 && wrt ? wrt[0] : (cr_node){0};
    if (n_ys < 0 || (n_ys && (!ys || !cotangents)))
        return no_sense("vjp", y, 0, NULL, "a count below 0, or an array that is missing");
    if (!sweep_wrt_good("vjp", y, n, wrt) || (n_ys && !sweep_results_good("vjp", n_ys, ys))) return false;
    for (int i = 0; i < n_ys; i++)
        if (!ops_good("vjp", 2, (cr_node[]){ys[i], cotangents[i]})) return false;
    return true;
}

enum { few = 16 };

cr_status cr_vjp(cr_node out[], int n_ys, const cr_node ys[], const cr_node cotangents[], int n,
                 const cr_node wrt[]) {
    if (!vjp_good(n_ys, ys, cotangents, n, wrt)) return fail_all(n, out, wrt);
    if (n == 0) return CR_OK;
    if (!out) return CR_EINVAL;
    cr_graph *g = wrt[0].graph;
    cr_node some[few], *seeds = some;
    if (n_ys > few) seeds = mem_alloc(&g->mem, mem_mul((size_t)n_ys, sizeof *seeds));
    if (!seeds) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), fail_all(n, out, wrt);
    for (int i = 0; i < n_ys; i++) seeds[i] = fit(cotangents[i], ys[i]);
    cr_status status = g->status ? fail_all(n, out, wrt) : backward(out, n_ys, ys, seeds, n, wrt);
    if (seeds != some) mem_free(&g->mem, seeds, (size_t)n_ys * sizeof *seeds);
    return status;
}

cr_status cr_grad(cr_node out[], cr_node loss, int n, const cr_node wrt[]) {
    if (!sweep_wrt_good("grad", loss, n, wrt) || !sweep_results_good("grad", 1, &loss))
        return fail_all(n, out, wrt);
    if (n == 0) return CR_OK;
    if (!out) return CR_EINVAL;
    if (cr_count(loss) != 1) {
        struct shape s = ops_shape(loss);
        struct shape_text t;
        graph_fail(loss.graph, CR_ESHAPE, "grad",
                   "a loss is one number, found %s: take its sum or mean, or use vjp", ops_show(&t, &s));
        return fail_all(n, out, wrt);
    }
    cr_node one = fit(cr_number(loss.graph, 1), loss);
    return cr_ok(one) ? backward(out, 1, &loss, &one, n, wrt) : fail_all(n, out, wrt);
}
