/* Recognises a sum of squares: walks from the loss down through sums, means and positive factors to the squares. */
#include "train/squares.h"

#include <math.h>
#include <string.h>

#include "ops/build.h"

enum { most_terms = 64 };

/* A part of the loss on the way down: factor * sum(weight * node). */
struct part {
    cr_node node, weight; /* weight: of node's shape, or an error node for 1 */
    double factor;
};

struct walk {
    struct part part[most_terms];
    int n;
    cr_node term[most_terms]; /* residuals found, flat */
    double factor[most_terms];
    int terms;
    struct squares *out;
    uint8_t *moves; /* by id: its value depends on a parameter */
    uint32_t size;
};

static cr_node none(cr_graph *g) { return graph_error_node(g); }
static bool is(cr_node x, const char *op) { return strcmp(cr_op_of(x), op) == 0; }

static bool moves(const struct walk *w, cr_node x) { return x.id < w->size && w->moves[x.id]; }

/* By value, not by derivative: a weight behind stop_gradient moves too. */
static bool mark(struct walk *w, cr_graph *g, int n, const cr_node params[]) {
    for (int i = 0; i < n; i++)
        if (params[i].id >= w->size) w->size = params[i].id + 1;
    w->moves = mem_zero(&g->mem, w->size);
    if (!w->moves) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), false;
    for (int i = 0; i < n; i++) w->moves[params[i].id] = 1;
    for (uint32_t id = 1; id < w->size; id++) {
        const struct node *node = graph_at(g, id);
        const uint32_t *args = graph_args(g, node);
        for (uint32_t k = 0; k < node->n; k++) w->moves[id] |= w->moves[args[k]];
    }
    return true;
}

/* A literal, also one that was stretched or cast. */
static bool literal(cr_node x, double *value) {
    while (is(x, "expand") || is(x, "cast") || is(x, "reshape")) x = cr_operand(x, 0);
    return ops_literal(x, value);
}

static cr_node flat(cr_node x) {
    int64_t count = cr_count(x);
    return cr_cast(cr_reshape(x, 1, &count), CR_F64);
}

/* The terms of a sum that no parameter reaches, added up with their signs: of y - a - b*x, y. */
static cr_node free_terms(const struct walk *w, cr_node r) {
    enum { most = 32 };
    cr_node todo[most], sum = none(r.graph);
    bool minus[most] = {false};
    int n = 0;
    for (todo[n++] = r; n;) {
        cr_node x = todo[--n], a = cr_operand(x, 0);
        bool less = minus[n];
        if (!moves(w, x)) {
            x = less ? cr_neg(x) : x;
            sum = cr_ok(sum) ? cr_add(sum, x) : x;
        } else if (is(x, "neg")) {
            todo[n] = a, minus[n++] = !less;
        } else if ((is(x, "add") || is(x, "sub")) && n + 2 <= most) {
            todo[n] = a, minus[n++] = less;
            todo[n] = cr_operand(x, 1), minus[n++] = less != is(x, "sub");
        }
    }
    return sum;
}

/* y of y_hat - y or y - y_hat, and of longer sums. */
static cr_node observed_in(const struct walk *w, cr_node r) {
    cr_node a = cr_operand(r, 0), b = cr_operand(r, 1);
    if (is(r, "sub") && moves(w, a) != moves(w, b)) return moves(w, a) ? b : a;
    return free_terms(w, r);
}

/* What makes the difference of observed and predicted visible in a residual, for R^2: it may be multiplied or divided by weights. */
static void find_observed(struct walk *w, cr_node r, cr_node weight) {
    cr_graph *g = r.graph;
    cr_node scale = cr_ok(weight) ? cr_sqrt(weight) : none(g);
    for (;;) {
        cr_node a = cr_operand(r, 0), b = cr_operand(r, 1), by;
        if ((is(r, "mul") || is(r, "div")) && moves(w, a) && !moves(w, b)) {
            by = is(r, "div") ? cr_recip(b) : b;
            r = a;
        } else if (is(r, "mul") && moves(w, b) && !moves(w, a)) {
            by = a;
            r = b;
        } else {
            break;
        }
        scale = cr_ok(scale) ? cr_mul(scale, by) : by;
    }
    cr_node observed = observed_in(w, r);
    if (!cr_ok(observed) || cr_count(observed) != cr_count(r)) return;
    w->out->observed = flat(cr_ok(scale) ? cr_mul(observed, scale) : observed);
    w->out->weight = cr_ok(scale) ? flat(cr_abs(scale)) : none(g);
}

static bool push(struct walk *w, struct part p) {
    if (w->n == most_terms) return false;
    w->part[w->n++] = p;
    return true;
}

static bool found(struct walk *w, struct part p, cr_node r) {
    if (w->terms == most_terms) return false;
    if (w->terms == 0) find_observed(w, r, p.weight);
    cr_node whole = cr_ok(p.weight) ? cr_mul(r, cr_sqrt(p.weight)) : r;
    w->term[w->terms] = flat(whole);
    w->factor[w->terms++] = p.factor;
    return true;
}

/* A factor that no parameter reaches: a literal goes to the factor, all else to the weight. */
static bool times(struct walk *w, struct part p, cr_node rest, cr_node by, bool over) {
    double value;
    p.node = rest;
    if (literal(by, &value)) {
        p.factor *= over ? 1 / value : value;
        return p.factor > 0 && isfinite(p.factor) && push(w, p);
    }
    cr_node weight = over ? cr_recip(by) : by;
    p.weight = cr_ok(p.weight) ? cr_mul(p.weight, weight) : weight;
    return push(w, p);
}

static bool take(struct walk *w, struct part p) {
    cr_node x = p.node, a = cr_operand(x, 0), b = cr_operand(x, 1);
    int64_t power = is(x, "powi") ? *graph_attr(x.graph, graph_get(x)) : 0;
    bool plain = !cr_ok(p.weight);
    if (!moves(w, x)) return false; /* a term that nothing changes: no square of a residual */
    if (is(x, "square") || power == 2 || (is(x, "mul") && cr_same(a, b))) return found(w, p, a);
    if (is(x, "add")) {
        struct part second = p;
        p.node = a, second.node = b;
        return push(w, second) && push(w, p);
    }
    if (is(x, "mul") && moves(w, a) != moves(w, b))
        return moves(w, a) ? times(w, p, a, b, false) : times(w, p, b, a, false);
    if (is(x, "div") && !moves(w, b)) return times(w, p, a, b, true);
    if (is(x, "cast") || (plain && (is(x, "reshape") || is(x, "sum")))) return p.node = a, push(w, p);
    return false;
}

/* All residuals behind each other, as long as the first: the loss is its factor times the sum of squares. */
static cr_node joined(struct walk *w) {
    for (int i = 1; i < w->terms; i++) {
        double scale = sqrt(w->factor[i] / w->factor[0]);
        if (scale != 1) w->term[i] = cr_mul(w->term[i], cr_number(w->term[i].graph, scale));
    }
    return w->terms == 1 ? w->term[0] : cr_concat(w->terms, w->term, 0);
}

static bool walk_down(struct walk *w, cr_node loss) {
    if (!push(w, (struct part){loss, none(loss.graph), 1})) return false;
    while (w->n) {
        struct part p = w->part[--w->n];
        if (!take(w, p)) return false;
    }
    w->out->residual = joined(w);
    w->out->factor = w->factor[0];
    if (w->terms > 1) w->out->observed = w->out->weight = none(loss.graph); /* of what would R^2 be? */
    return cr_ok(w->out->residual);
}

static bool named(struct walk *w, cr_node loss) {
    cr_node r = cr_count(loss) != 1 ? loss : cr_find(loss.graph, "residual");
    if (!cr_ok(r) || !moves(w, r)) return false;
    find_observed(w, r, none(r.graph));
    w->out->residual = flat(r);
    w->out->factor = cr_count(loss) != 1;
    return cr_ok(w->out->residual);
}

bool squares_of(struct squares *out, cr_node loss, int n, const cr_node params[]) {
    cr_graph *g = loss.graph;
    struct walk w = {.out = out, .size = loss.id + 1};
    *out = (struct squares){none(g), 0, none(g), none(g)};
    bool good = mark(&w, g, n, params) && ((cr_count(loss) == 1 && walk_down(&w, loss)) || named(&w, loss));
    mem_free(&g->mem, w.moves, w.size);
    return good && !cr_graph_error(g);
}
