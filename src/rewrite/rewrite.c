/* The sweep from the leaves up. */
#include "rewrite/rewrite.h"

#include <string.h>

#include "ops/build.h"

void rewrite_begin(struct rewrite *r, cr_graph *g, uint32_t first, enum rewrite_level level) {
    *r = (struct rewrite){.g = g, .first = first, .level = level, .line = g->line};
    g->line = 0; /* what stands for the user's nodes was not written at a place of its own */
}

void rewrite_end(struct rewrite *r) { r->g->line = r->line; }

bool rewrite_literal(const struct rewrite *r, uint32_t id, double *value) {
    const struct node *n = graph_at(r->g, id);
    if (n->op == OP_expand) id = graph_args(r->g, n)[0];
    return ops_literal(graph_handle(r->g, id), value);
}

bool rewrite_opaque(const struct rewrite *r, uint32_t id) {
    double v;
    if (rewrite_literal(r, id, &v)) return false;
    const struct node *n = graph_at(r->g, id);
    return id < r->first || n->op == OP_variable || op_kind(n->op) == KIND_LEAF ||
           (!r->to_run && r->level != REWRITE_DIGITS && graph_find_note(r->g, id, NOTE_NAME) != NULL);
}

cr_node rewrite_fit(const struct rewrite *r, cr_node y, cr_node x) {
    double v;
    const struct node *n = graph_get(x);
    if (!cr_ok(y)) return x;
    if (ops_literal(y, &v) && (graph_get(y)->weak != n->weak || cr_dtype_of(x) != cr_dtype_of(y)))
        y = ops_scalar(r->g, (cr_dtype)n->dtype, v);
    struct shape to = ops_shape(x), from = ops_shape(y);
    if (graph_get(y)->weak != n->weak) return x; /* or what meets it would choose another dtype */
    if (cr_dtype_of(y) != cr_dtype_of(x) || (from.rank && !shape_equal(&from, &to))) return x;
    y = ops_expand(y, &to);
    return cr_ok(y) ? y : x;
}

static cr_node one_step(struct rewrite *r, cr_node x) {
    bool digits = r->level == REWRITE_DIGITS;
    cr_node y = digits ? x : r->to_run ? rewrite_run(r, x) : rewrite_fold(r, x);
    if (cr_same(x, y) && !digits) y = rewrite_views(r, x);
    if (cr_same(x, y) && (digits || (r->to_run && r->level == REWRITE_ALL))) y = rewrite_digits(r, x);
    return cr_same(x, y) ? rewrite_rules(r, x) : y;
}

static cr_node simplest(struct rewrite *r, cr_node x) {
    enum { most_rounds = 8, most_depth = 6 };
    if (r->level == REWRITE_NONE || r->depth == most_depth) return x;
    r->depth++;
    for (int round = 0; round < most_rounds; round++) {
        cr_node y = one_step(r, x);
        if (cr_same(x, y)) break;
        x = y;
        if (rewrite_opaque(r, x.id)) break;
    }
    r->depth--;
    return r->level == REWRITE_ALL && !rewrite_opaque(r, x.id) ? rewrite_collect(r, x) : x;
}

cr_node rewrite_node(struct rewrite *r, cr_node x) {
    return cr_ok(x) && !rewrite_opaque(r, x.id) ? simplest(r, x) : x;
}

/* ---- All of a graph ---- */

struct sweep {
    struct rewrite *r;
    uint32_t first, root;
    uint32_t *to; /* by id - first: what a node became; while marking, 1: needed */
};

static uint32_t became(const struct sweep *s, uint32_t id) {
    return id < s->first ? id : s->to[id - s->first];
}

/* A variable is never built again: the copy would have its number. */
static bool inside(const struct sweep *s, uint32_t id) {
    if (id == s->root && graph_at(s->r->g, id)->op != OP_variable) return true;
    return !rewrite_opaque(s->r, id);
}

static void mark(struct sweep *s) {
    s->to[s->root - s->first] = 1;
    for (uint32_t id = s->root + 1; id-- > s->first;) {
        const struct node *n = graph_at(s->r->g, id);
        if (!s->to[id - s->first] || !inside(s, id)) continue;
        for (uint32_t k = 0; k < n->n; k++) {
            uint32_t x = graph_args(s->r->g, n)[k];
            if (x >= s->first) s->to[x - s->first] = 1;
        }
    }
}

static cr_node with_operands(cr_graph *g, uint32_t id, const cr_node x[]) {
    const struct node *n = graph_at(g, id);
    struct shape s = graph_shape(g, n);
    return ops_node(n->op, (cr_dtype)n->dtype, &s, (int)graph_attr_count(g, n), graph_attr(g, n), (int)n->n,
                    x);
}

/* The node on what its operands became: itself when they did not change. */
static cr_node rebuilt(const struct sweep *s, uint32_t id) {
    cr_graph *g = s->r->g;
    const struct node *n = graph_at(g, id);
    cr_node few[4], *x = n->n > 4 ? mem_alloc(&g->mem, mem_mul(n->n, sizeof *x)) : few;
    if (!x) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    bool same = true;
    for (uint32_t k = 0; k < n->n; k++) {
        uint32_t from = graph_args(g, n)[k];
        x[k] = graph_handle(g, became(s, from));
        same = same && x[k].id == from;
    }
    cr_node y = same ? graph_handle(g, id) : with_operands(g, id, x);
    if (x != few) mem_free(&g->mem, x, n->n * sizeof *x);
    return y;
}

/* The root is rewritten although it has a name. */
static cr_node simplest_root(struct rewrite *r, cr_node x) {
    if (op_kind(graph_get(x)->op) == KIND_LEAF) return x;
    cr_node y = simplest(r, x);
    return cr_same(x, y) && r->level == REWRITE_ALL ? rewrite_collect(r, x) : y;
}

static cr_node sweep(struct sweep *s) {
    cr_graph *g = s->r->g;
    mark(s);
    for (uint32_t id = s->first; id <= s->root; id++) {
        if (!s->to[id - s->first]) continue;
        cr_node y = inside(s, id) ? rebuilt(s, id) : graph_handle(g, id);
        if (cr_ok(y)) y = id == s->root && inside(s, id) ? simplest_root(s->r, y) : rewrite_node(s->r, y);
        if (!cr_ok(y)) return graph_error_node(g);
        s->to[id - s->first] = y.id;
    }
    return graph_handle(g, became(s, s->root));
}

cr_node rewrite_graph(struct rewrite *r, cr_node x) {
    uint32_t first = r->first ? r->first : 1;
    if (!cr_ok(x) || r->level == REWRITE_NONE || x.id < first) return x;
    size_t n = x.id - first + 1;
    struct sweep s = {.r = r, .first = first, .root = x.id};
    s.to = mem_zero(&r->g->mem, mem_mul(n, sizeof *s.to));
    if (!s.to) return graph_fail(r->g, CR_ENOMEM, NULL, "out of memory");
    cr_node y = sweep(&s);
    mem_free(&r->g->mem, s.to, n * sizeof *s.to);
    return y;
}

static cr_node rewritten(const char *name, cr_node x, enum rewrite_level level) {
    if (!ops_good(name, 1, &x)) return graph_error_node(x.graph);
    struct rewrite r;
    rewrite_begin(&r, x.graph, 1, level);
    cr_node y = rewrite_graph(&r, x);
    rewrite_end(&r);
    return y;
}

cr_node cr_simplify(cr_node x) { return rewritten("simplify", x, REWRITE_ALL); }

cr_node cr_stable(cr_node x) { return rewritten("stable", x, REWRITE_DIGITS); }
