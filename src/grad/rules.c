/* The derivative column of the op table, as functions: one local, one VJP, one JVP for each row, each with a
 * case per operand; a column word that does not apply makes an error node. */
#include "grad/rules.h"

#include "grad/helpers.h"

#define NUM(v)    cr_number(y.graph, v)
#define ONE       NUM(1)
#define MINUS_ONE NUM(-1)
#define NOTHING   graph_error_node(y.graph)

/* What a row's expressions may name. */
struct words {
    cr_node y, a, b, c, g, g1, t;
    int column; /* which of the row's derivatives */
    int k, part;
    int64_t n;
};

static int column(int op, int k);

static struct words words_of(const struct rule_in *in) {
    const struct node *node = graph_get(in->y);
    struct words w = {.y = in->y,
                      .g = in->g,
                      .g1 = in->g1,
                      .t = in->t,
                      .k = in->k,
                      .part = in->part,
                      .column = column(node->op, in->k)};
    cr_graph *graph = in->y.graph;
    const uint32_t *args = graph_args(graph, node);
    w.a = graph_handle(graph, args[0]);
    w.b = node->n > 1 ? graph_handle(graph, args[1]) : w.a;
    w.c = node->n > 2 ? graph_handle(graph, args[2]) : w.a;
    w.n = node->attr ? graph_attr(graph, node)[0] : 0;
    return w;
}

#define WORDS                                                                             \
    const cr_node y = w->y, a = w->a, b = w->b, c = w->c, g = w->g, g1 = w->g1, t = w->t; \
    const int k = w->k, part = w->part;                                                   \
    const int64_t n = w->n;                                                               \
    (void)y, (void)a, (void)b, (void)c, (void)g, (void)g1, (void)t, (void)k, (void)part, (void)n;

#define FUNCTION(which, name, da, db, dc)                  \
    static cr_node which##_##name(const struct words *w) { \
        WORDS                                              \
        switch (w->column) {                               \
        case 0: return da;                                 \
        case 1: return db;                                 \
        default: return dc;                                \
        }                                                  \
    }

/* Local gradients and masks. */
#define LOCAL(d)                      d
#define PASS(mask)                    mask
#define LINEAR(vjp)                   NOTHING
#define RULE(vjp, jvp)                NOTHING
#define MASKED(vjp, jvp, back, along) NOTHING
#define DRIVES(vjp, jvp, back, along) NOTHING
#define WHOLE(vjp, jvp)               NOTHING
#define ZERO                          NOTHING
#define NONE                          NOTHING
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, da, db, dc) \
    FUNCTION(local, name, da, db, dc)
#include "ops/ops.def"
#undef ROW
#undef LOCAL
#undef PASS
#undef LINEAR
#undef RULE
#undef MASKED
#undef DRIVES

/* VJPs. A variadic op's only rule stands first and serves all its operands. */
#define LOCAL(d)                      NOTHING
#define PASS(mask)                    NOTHING
#define LINEAR(vjp)                   vjp
#define RULE(vjp, jvp)                vjp
#define MASKED(vjp, jvp, back, along) vjp
#define DRIVES(vjp, jvp, back, along) vjp
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, da, db, dc) \
    FUNCTION(vjp, name, da, db, dc)
#include "ops/ops.def"
#undef ROW
#undef LINEAR
#undef RULE
#undef MASKED
#undef DRIVES

/* Where the mask of a cotangent goes: written as g. */
#define RULE(vjp, jvp)                NOTHING
#define LINEAR(vjp)                   vjp
#define MASKED(vjp, jvp, back, along) back
#define DRIVES(vjp, jvp, back, along) back
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, da, db, dc) \
    FUNCTION(back, name, da, db, dc)
#include "ops/ops.def"
#undef ROW
#undef LINEAR
#undef RULE
#undef MASKED
#undef DRIVES

/* JVPs, and where the mask of a tangent goes: that of a linear operand is the op on the tangent, made in rule_jvp. */
#define LINEAR(vjp)                   NOTHING
#define RULE(vjp, jvp)                jvp
#define MASKED(vjp, jvp, back, along) jvp
#define DRIVES(vjp, jvp, back, along) jvp
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, da, db, dc) \
    FUNCTION(jvp, name, da, db, dc)
#include "ops/ops.def"
#undef ROW
#undef RULE
#undef MASKED
#undef DRIVES

#define RULE(vjp, jvp)                NOTHING
#define MASKED(vjp, jvp, back, along) along
#define DRIVES(vjp, jvp, back, along) along
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, da, db, dc) \
    FUNCTION(along, name, da, db, dc)
#include "ops/ops.def"
#undef ROW
#undef LOCAL
#undef PASS
#undef LINEAR
#undef RULE
#undef MASKED
#undef DRIVES
#undef WHOLE
#undef ZERO
#undef NONE

#define LOCAL(d)                      RULE_LOCAL
#define PASS(mask)                    RULE_PASS
#define LINEAR(vjp)                   RULE_LINEAR
#define RULE(vjp, jvp)                RULE_WRITTEN
#define MASKED(vjp, jvp, back, along) RULE_MASKED
#define DRIVES(vjp, jvp, back, along) RULE_DRIVES
#define WHOLE(vjp, jvp)               RULE_WHOLE
#define ZERO                          RULE_ZERO
#define NONE                          RULE_NONE

static const struct {
    enum rule_kind kind[3];
    cr_node (*local)(const struct words *), (*vjp)(const struct words *), (*jvp)(const struct words *),
        (*back)(const struct words *), (*along)(const struct words *);
} rules[OP_COUNT] = {
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, da, db, dc) \
    [OP_##name] = {{da, db, dc}, local_##name, vjp_##name, jvp_##name, back_##name, along_##name},
#include "ops/ops.def"
#undef ROW
};

#undef LOCAL
#undef PASS
#undef LINEAR
#undef RULE
#undef MASKED
#undef DRIVES
#undef WHOLE
#undef ZERO
#undef NONE
#define LOCAL(d)                      NULL
#define PASS(mask)                    NULL
#define LINEAR(vjp)                   NULL
#define RULE(vjp, jvp)                NULL
#define MASKED(vjp, jvp, back, along) NULL
#define DRIVES(vjp, jvp, back, along) NULL
#define ZERO                          NULL
#define NONE                          NULL
#define TABLE_ROW(name, form, arguments, kind, dtype, class, low, high, sentence, da, db, dc) \
    [OP_##name] = {da, db, dc},
#define ROW             TABLE_ROW
#define WHOLE(vjp, jvp) vjp
static whole_fn *const whole_vjps[OP_COUNT][3] = {
#include "ops/ops.def"
};
#undef WHOLE
#define WHOLE(vjp, jvp) jvp
static whole_fn *const whole_jvps[OP_COUNT][3] = {
#include "ops/ops.def"
};

/* Which derivative serves operand k: of an op with more operands than derivatives, the last. */
static int column(int op, int k) {
    int last = 2;
    while (last > 0 && rules[op].kind[last] == RULE_NONE) last--;
    return k < last ? k : last;
}

enum rule_kind rule_kind(int op, int k) { return rules[op].kind[column(op, k)]; }

cr_node rule_local(const struct rule_in *in) {
    struct words w = words_of(in);
    return rules[graph_get(in->y)->op].local(&w);
}

cr_node rule_vjp(const struct rule_in *in) {
    struct words w = words_of(in);
    return rules[graph_get(in->y)->op].vjp(&w);
}

/* The same op with operand k replaced by its tangent. */
static cr_node op_on_tangent(const struct rule_in *in) {
    const struct node *n = graph_get(in->y);
    cr_graph *g = in->y.graph;
    cr_node x[3];
    if (n->n > 3) return graph_error_node(g);
    for (uint32_t i = 0; i < n->n; i++) x[i] = (int)i == in->k ? in->t : graph_handle(g, graph_args(g, n)[i]);
    struct shape s = graph_shape(g, n);
    return ops_node(n->op, (cr_dtype)n->dtype, &s, (int)graph_attr_count(g, n), graph_attr(g, n), (int)n->n,
                    x);
}

cr_node rule_jvp(const struct rule_in *in) {
    int op = graph_get(in->y)->op;
    struct words w = words_of(in);
    return rule_kind(op, in->k) == RULE_LINEAR ? op_on_tangent(in) : rules[op].jvp(&w);
}

/* ---- Masks ---- */

/* What is linear in one operand and has no derivative by another moves a mask as it moves a number. */
static bool moves(int op, int k) {
    const enum rule_kind *kind = rules[op].kind;
    bool alone = kind[0] == RULE_LINEAR;
    for (int i = 1; i < 3; i++) alone = alone && (kind[i] == RULE_ZERO || kind[i] == RULE_NONE);
    return alone || rule_kind(op, k) == RULE_MASKED || rule_kind(op, k) == RULE_DRIVES;
}

/* Numbers that are not 0 where something that held arrived. */
static cr_node as_mask(cr_node x) {
    return !cr_ok(x) || cr_dtype_of(x) == CR_BOOL ? x : cr_ne(x, cr_number(x.graph, 0));
}

cr_node rule_mask_back(const struct rule_in *in) {
    int op = graph_get(in->y)->op;
    struct words w = words_of(in);
    if (op == OP_cast) return in->g;
    return moves(op, in->k) ? as_mask(rules[op].back(&w)) : graph_error_node(in->y.graph);
}

cr_node rule_mask_along(const struct rule_in *in) {
    int op = graph_get(in->y)->op;
    struct rule_in as_number = *in;
    if (op == OP_cast) return in->t;
    if (!moves(op, in->k)) return graph_error_node(in->y.graph);
    if (rule_kind(op, in->k) != RULE_DRIVES)
        as_number.t = cr_cast(in->t, cr_dtype_of(cr_operand(in->y, in->k)));
    struct words w = words_of(&as_number);
    return as_mask(rule_kind(op, in->k) == RULE_LINEAR ? op_on_tangent(&as_number) : rules[op].along(&w));
}

void rule_whole_vjp(const struct whole *w) {
    int op = graph_get(w->y)->op;
    whole_vjps[op][column(op, w->n - 1)](w);
}

void rule_whole_jvp(const struct whole *w) {
    int op = graph_get(w->y)->op;
    whole_jvps[op][column(op, w->n - 1)](w);
}
