/* The edges of an explanation: local gradients, rules, and what each hands on in the backward pass. */
#include <string.h>

#include "explain/model.h"
#include "tensor/dtype.h"

/* A rule is written in the labels and g, a stand-in for the cotangent of its node. */
struct rule_labels {
    struct explanation *x;
    cr_node g;
};

static const char *rule_label(void *user, cr_node node) {
    struct rule_labels *l = user;
    return cr_same(node, l->g) ? "g" : explanation_label(l->x, node);
}

const char *explanation_local_label(void *user, cr_node node) {
    struct explanation *x = user;
    while (strcmp(cr_op_of(node), "expand") == 0 && !explanation_row(x, node)) node = cr_operand(node, 0);
    return explanation_label(x, node);
}

static enum rule_kind kind_of(cr_node y, int k) {
    int op = graph_get(y)->op;
    if (!dtype_is_float(cr_dtype_of(y)) || !dtype_is_float(cr_dtype_of(cr_operand(y, k)))) return RULE_ZERO;
    return op == OP_part ? RULE_LINEAR : rule_kind(op, k);
}

/* An op that runs a function gives the cotangents of all operands at once. */
static bool is_whole(cr_node y, int k) {
    return dtype_is_float(cr_dtype_of(cr_operand(y, k))) && rule_kind(graph_get(y)->op, k) == RULE_WHOLE;
}

static bool is_local(enum rule_kind kind) { return kind == RULE_LOCAL || kind == RULE_PASS; }

static cr_node local_gradient(cr_node y, int k, enum rule_kind kind) {
    struct rule_in in = {.y = y, .k = k};
    cr_node d = rule_local(&in);
    return kind == RULE_PASS ? cr_where(d, cr_number(y.graph, 1), cr_number(y.graph, 0)) : d;
}

/* Reductions give g back its axes by reshape and expand: shorter where a reshape went before, or g is a number. */
static cr_node without_detour(cr_node v) {
    cr_node a = cr_operand(v, 0), z = a;
    if (strcmp(cr_op_of(v), "expand") != 0) return v;
    while (strcmp(cr_op_of(z), "reshape") == 0) z = cr_operand(z, 0);
    struct shape to = ops_shape(v), from = ops_shape(a), before = ops_shape(z);
    return before.rank == 0 || shape_equal(&from, &before) ? ops_expand(z, &to) : v;
}

/* What a cotangent g of y (its result `part`) gives its operand k; an error node: nothing. */
static cr_node hand_on(cr_node y, int k, int part, cr_node g) {
    enum rule_kind kind = kind_of(y, k);
    struct rule_in in = {.y = y, .k = k, .g = g};
    if (part) in.g = graph_error_node(y.graph), in.g1 = g;
    double v;
    if (g.id && is_whole(y, k)) return sweep_whole(y, k, part, g);
    if (!g.id || kind == RULE_ZERO || kind == RULE_NONE) return graph_error_node(y.graph);
    if (graph_get(y)->op == OP_part) return g;
    if (kind == RULE_PASS)
        return cr_where(rule_local(&in), g, ops_to_dtype(cr_number(y.graph, 0), cr_dtype_of(g)));
    if (kind != RULE_LOCAL) return without_detour(rule_vjp(&in));
    cr_node d = rule_local(&in);
    if (ops_literal(d, &v) && v == 1) return g;
    return ops_literal(d, &v) && v == -1 ? cr_neg(g) : cr_mul(g, d);
}

/* A way from a row through nodes that have none. */
struct way {
    cr_node y;          /* whose operand k comes next */
    int k, result;      /* of y, if that has several */
    bool first, whole;  /* whole: a function was passed */
    cr_node rule, part; /* at y, in g and in the cotangents of this backward pass */
};

struct ways {
    struct way *way;
    size_t n, cap;
};

static int result_of(cr_node y) {
    return graph_get(y)->op == OP_part ? (int)graph_attr(y.graph, graph_get(y))[0] : 0;
}

/* The operands of like->y, one by one in the place of its k. */
static void push_operands(struct explanation *x, struct ways *w, const struct way *like) {
    struct way way = *like;
    for (way.k = cr_operand_count(way.y); way.k-- > 0 && !x->status;) {
        if (!mem_grow(&x->mem, &w->way, &w->cap, w->n, sizeof *w->way)) x->status = CR_ENOMEM;
        else w->way[w->n++] = way;
    }
}

/* As the language has it. */
static char *vjp_text(struct explanation *x, const struct edge *e) {
    struct cr_text t = text_make(&x->mem);
    explanation_vjp(&t, x, e, "g");
    char *s = t.failed ? NULL : mem_alloc(&x->mem, t.n + 1);
    if (s) memcpy(s, cr_text_str(&t), t.n + 1);
    else x->status = CR_ENOMEM;
    text_drop(&t);
    return s;
}

static void describe(struct explanation *x, struct edge *e, const struct way *way) {
    struct print_labels labels = {explanation_local_label, x};
    struct rule_labels own = {x, e->g};
    enum rule_kind kind = kind_of(way->y, way->k);
    e->local = way->first && is_local(kind);
    if (e->local) e->gradient = local_gradient(way->y, way->k, kind);
    else labels = (struct print_labels){rule_label, &own};
    e->said = e->gradient;
    while (strcmp(cr_op_of(e->said), "expand") == 0 && !explanation_row(x, e->said))
        e->said = cr_operand(e->said, 0);
    e->formula =
        e->whole ? vjp_text(x, e) : explanation_formula(x, e->local ? e->said : e->rule, &labels, false);
    if (e->local) e->gradient = ops_to_dtype(e->gradient, cr_dtype_of(way->y));
}

static void add_edge(struct explanation *x, struct edge *e, const struct way *way) {
    struct row *from = &x->row[e->from], *to = &x->row[e->to];
    if (e->rule.id && !to->constant) describe(x, e, way);
    if (!to->cotangent.id) e->part = graph_error_node(x->g);
    if (x->status || !mem_grow(&x->mem, &x->edge, &x->edge_cap, x->edges, sizeof *e)) {
        if (e->formula) mem_free(&x->mem, e->formula, strlen(e->formula) + 1);
        x->status = CR_ENOMEM;
        return;
    }
    x->edge[x->edges++] = *e;
    from->edges++;
}

static void follow(struct explanation *x, const struct sweep *s, uint32_t r, struct ways *w, cr_node g) {
    const struct way way = w->way[--w->n];
    cr_node a = cr_operand(way.y, way.k), none = graph_error_node(x->g);
    struct edge e = {
        .from = r, .to = x->of[a.id], .gradient = none, .said = none, .rule = none, .g = g, .part = none};
    if (s) e.rule = hand_on(way.y, way.k, way.result, way.rule);
    if (s)
        e.part =
            way.first ? sweep_contribution(s, way.y, way.k) : hand_on(way.y, way.k, way.result, way.part);
    e.whole = way.whole || is_whole(way.y, way.k);
    struct way on = {.y = a, .result = result_of(way.y), .whole = e.whole, .rule = e.rule, .part = e.part};
    if (e.to-- == 0) push_operands(x, w, &on);
    else add_edge(x, &e, &way);
}

static void find_edges(struct explanation *x, const struct sweep *s) {
    struct ways w = {0};
    for (uint32_t r = 0; r < x->rows && !x->status; r++) {
        struct row *row = &x->row[r];
        row->first = (uint32_t)x->edges;
        bool varies = s && !row->leaf && dtype_is_float(cr_dtype_of(row->x));
        cr_node g = varies ? cr_variable(row->x) : graph_error_node(x->g);
        struct way start = {.y = row->x, .first = true, .rule = g, .part = graph_error_node(x->g)};
        push_operands(x, &w, &start);
        while (w.n && !x->status) follow(x, s, r, &w, g);
    }
    mem_free(&x->mem, w.way, w.cap * sizeof *w.way);
}

/* Sorts by counting: counts stand two places on, so that they end as starts. */
static void find_ways_back(struct explanation *x) {
    x->into = mem_alloc(&x->mem, mem_mul(mem_add(x->edges, 1), sizeof *x->into));
    x->into_first = mem_zero(&x->mem, mem_mul(mem_add(x->rows, 2), sizeof *x->into_first));
    if (!x->into || !x->into_first) {
        x->status = CR_ENOMEM;
        return;
    }
    uint32_t *first = x->into_first;
    for (size_t i = 0; i < x->edges; i++)
        if (x->edge[i].part.id) first[x->edge[i].to + 2]++;
    for (uint32_t r = 0; r < x->rows; r++) first[r + 2] += first[r + 1];
    for (size_t i = 0; i < x->edges; i++)
        if (x->edge[i].part.id) x->into[first[x->edge[i].to + 1]++] = (uint32_t)i;
}

void explanation_vjp(struct cr_text *t, const struct explanation *x, const struct edge *e, const char *g) {
    text_add(t, "vjp(%s, %s, %s)", x->row[e->from].label, x->row[e->to].label, g);
}

bool explanation_direct(const struct explanation *x, const struct edge *e) {
    return e->local && x->row[e->from].x.id == x->result.id;
}

void explanation_find_edges(struct explanation *x) {
    struct sweep s;
    struct shape shape = ops_shape(x->result);
    if (!x->n) {
        find_edges(x, NULL);
        if (!x->status) find_ways_back(x);
        return;
    }
    cr_node one = ops_expand(ops_to_dtype(cr_number(x->g, 1), cr_dtype_of(x->result)), &shape);
    x->status = sweep_backward(&s, 1, &x->result, &one, x->n, x->wrt);
    for (uint32_t r = 0; r < x->rows && !x->status; r++)
        x->row[r].cotangent = sweep_cotangent(&s, x->row[r].x);
    if (!x->status) find_edges(x, &s);
    if (!x->status) find_ways_back(x);
    sweep_free(&s);
    if (!x->status) x->status = cr_graph_status(x->g);
}
