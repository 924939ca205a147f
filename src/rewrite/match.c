/* Matching a node against the rules, and building what stands in its place. */
#include "rewrite/rewrite.h"

#include <math.h>

#include "ops/build.h"
#include "tensor/dtype.h"

/* What the letters stand for. */
struct binding {
    uint32_t any[3]; /* 0: nothing yet */
    double literal, whole[2];
    bool literal_set, whole_set[2];
    uint32_t root;
    unsigned swaps; /* bit i: term i matches its two operands the other way round */
};

static bool bind(double value, double *slot, bool *set) {
    if (*set) return *slot == value;
    *slot = value;
    return *set = true;
}

static bool match(const struct rewrite *r, const struct pattern *p, int i, uint32_t id, struct binding *b);

static bool match_whole(const struct term *t, double v, struct binding *b) {
    if (t->kind == TERM_NUMBER) return v == t->value;
    return v == floor(v) && fabs(v) <= 1024 && bind(v, &b->whole[t->letter], &b->whole_set[t->letter]);
}

static bool match_op(const struct rewrite *r, const struct pattern *p, int i, uint32_t id,
                     struct binding *b) {
    const struct node *n = graph_at(r->g, id);
    const struct term *t = &p->term[i];
    if (n->op != t->op || (id != b->root && rewrite_opaque(r, id))) return false;
    const uint32_t *x = graph_args(r->g, n);
    if (t->op == OP_powi)
        return match(r, p, t->arg[0], x[0], b) &&
               match_whole(&p->term[t->arg[1]], (double)graph_attr(r->g, n)[0], b);
    if (n->n != t->n) return false;
    unsigned swap = b->swaps >> i & 1;
    for (unsigned k = 0; k < n->n; k++)
        if (!match(r, p, t->arg[k], x[k ^ swap], b)) return false;
    return true;
}

static bool match(const struct rewrite *r, const struct pattern *p, int i, uint32_t id, struct binding *b) {
    const struct term *t = &p->term[i];
    double v;
    if (t->kind == TERM_OP) return match_op(r, p, i, id, b);
    if (t->kind == TERM_ANY) {
        if (!b->any[t->letter]) b->any[t->letter] = id;
        return b->any[t->letter] == id;
    }
    if (!rewrite_literal(r, id, &v)) return false;
    if (t->kind == TERM_LITERAL) return bind(v, &b->literal, &b->literal_set);
    return t->truth == (graph_at(r->g, id)->dtype == CR_BOOL) && match_whole(t, v, b);
}

/* Tries each way of turning the commutative terms. */
static bool matches(const struct rewrite *r, const struct rule *rule, uint32_t id, struct binding *b) {
    const struct pattern *p = &rule->pattern;
    unsigned turns = 0;
    for (int i = 0; i < p->n; i++)
        if (p->term[i].kind == TERM_OP && op_commutes(p->term[i].op)) turns |= 1u << i;
    unsigned swaps = 0;
    do {
        *b = (struct binding){.root = id, .swaps = swaps};
        if (match(r, p, p->root, id, b)) return true;
        swaps = (swaps - turns) & turns; /* the next subset */
    } while (swaps);
    return false;
}

/* ---- The replacement ---- */

static double whole_value(const struct pattern *p, int i, const struct binding *b) {
    const struct term *t = &p->term[i];
    if (t->kind == TERM_NUMBER) return t->value;
    if (t->kind == TERM_WHOLE) return b->whole[t->letter];
    double u = whole_value(p, t->arg[0], b), v = t->n > 1 ? whole_value(p, t->arg[1], b) : 0;
    return t->op == OP_mul ? u * v : t->op == OP_add ? u + v : t->op == OP_sub ? u - v : -u;
}

static cr_node build(struct rewrite *r, const struct pattern *p, int i, const struct binding *b) {
    const struct term *t = &p->term[i];
    cr_node x[3];
    if (t->kind == TERM_ANY) return graph_handle(r->g, b->any[t->letter]);
    if (t->kind == TERM_LITERAL) return cr_number(r->g, b->literal);
    if (t->kind == TERM_NUMBER && t->truth) return ops_scalar(r->g, CR_BOOL, t->value);
    if (t->kind != TERM_OP) return cr_number(r->g, whole_value(p, i, b));
    x[0] = build(r, p, t->arg[0], b);
    if (t->op == OP_powi) {
        double n = whole_value(p, t->arg[1], b);
        return rewrite_node(r, cr_powi(x[0], (int64_t)n));
    }
    for (int k = 1; k < t->n; k++) x[k] = build(r, p, t->arg[k], b);
    return rewrite_node(r, ops_elementwise(t->op, t->n, x, 0, NULL));
}

/* What a person reads keeps the functions that were written. */
static bool allowed(const struct rewrite *r, enum exact exact) {
    if (r->level == REWRITE_DIGITS) return exact == DIGITS;
    if (r->level == REWRITE_ALL) return exact != (r->to_run ? FORM : DIGITS);
    return exact == EXACT;
}

/* Products of fractions are gathered as a whole, which would undo what the rules do to signs: for them only rules that keep digits
 * are left. */
static bool gathered(const struct rewrite *r, const struct node *n) {
    return r->level == REWRITE_ALL && (n->op == OP_mul || n->op == OP_div) &&
           dtype_is_float((cr_dtype)n->dtype);
}

cr_node rewrite_rules(struct rewrite *r, cr_node x) {
    struct binding b;
    bool digits_alone = gathered(r, graph_get(x));
    for (int i = rewrite_first[graph_get(x)->op]; i >= 0; i = rewrite_rule[i].next) {
        const struct rule *rule = &rewrite_rule[i];
        if (!allowed(r, rule->exact) || (digits_alone && rule->exact != DIGITS) ||
            !matches(r, rule, x.id, &b))
            continue;
        cr_node y = rewrite_fit(r, build(r, &rule->replacement, rule->replacement.root, &b), x);
        if (!cr_same(x, y)) return y;
    }
    return x;
}
