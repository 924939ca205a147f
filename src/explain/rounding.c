/* Rounding errors to first order, as nodes. Each node i of a calculation is computed with an error of its own, at most r_i; what that
 * does to the result is the cotangent times it: |error| <= sum over nodes and elements of |cotangent_i| r_i (Miller and Wrathall,
 * Software for Roundoff Analysis of Matrix Algorithms, 1980). Unlike bounds carried forward, cotangents know that an error that
 * is used twice may cancel. r_i is u times
 *     |value| ulps                   of an elementwise row: ops_ulps; of a callback: what its author says
 *     depth sum |x|                  of a reduction with a tree of that depth
 *     terms op(|x|, |y|)             of a sum of products; op(1, 1) counts the terms        (Higham 2002, 3.1, 4.2)
 *     n |cotangent of x| |x|         of a matrix that is factored: a backward error in norm     (Higham 2002, 9 and 10) */
#include "explain/rounding.h"

#include "explain/account.h"
#include "explain/twin.h"
#include "plan/plan.h"
#include "tensor/dtype.h"

/* Of factored matrices of n rows: LU with row exchanges 3n and the growth of its pivots, Cholesky n + 1, Jacobi's method some n for
 * each of about ten sweeps. Measured, all are below n. */
static const double factored = 10;

/* ---- Lists ---- */

static struct body *body_of(const struct account *a) { return &a->r->body[a->body]; }

static cr_status status_of(const struct account *a) {
    return a->r->status ? a->r->status : cr_graph_status(a->g);
}

static void push(const struct account *a, struct nodes *list, cr_node x) {
    struct roundings *r = a->r;
    if (r->status) return;
    if (!mem_grow(&r->mem, &list->x, &list->cap, list->n, sizeof *list->x)) r->status = CR_ENOMEM;
    else list->x[list->n++] = x;
}

/* Numbers side by side; an error node: there are none. */
static cr_node vector(const struct account *a, struct nodes *list) {
    struct shape one = {1, {1}};
    for (size_t i = 0; i < list->n && !status_of(a); i++) list->x[i] = ops_reshape(list->x[i], &one);
    if (status_of(a) || !list->n) return graph_error_node(a->g);
    return cr_concat((int)list->n, list->x, 0);
}

/* ---- Sums ---- */

/* |a b|, where 0 times anything is 0: what rounds exactly does no harm at a pole. */
static cr_node product(cr_node a, cr_node b) {
    cr_node zero = cr_number(a.graph, 0), some = cr_and(cr_ne(a, zero), cr_ne(b, zero));
    return cr_where(some, cr_abs(cr_mul(a, b)), zero);
}

static cr_node total(cr_node x) { return cr_sum(x, 0, NULL, false); }

static cr_node sum_of_products(cr_node a, cr_node b) { return total(product(a, b)); }

static cr_node norm(cr_node x) { return cr_sqrt(sum_of_products(x, x)); }

static cr_node times(double unit, cr_node x) { return cr_mul(cr_number(x.graph, unit), x); }

/* ---- What rounds, and how ---- */

/* Half a unit in the last place, relative. */
static double unit_of(cr_dtype dtype) {
    switch (dtype) {
    case CR_F32: return 0x1p-24;
    case CR_F16: return 0x1p-11;
    case CR_BF16: return 0x1p-8;
    default: return 0x1p-53;
    }
}

/* The op of y with each float operand x replaced by |x|, or by ones. */
static cr_node of_magnitudes(cr_node y, bool ones) {
    enum { most = 3 };
    cr_node x[most];
    int n = cr_operand_count(y);
    for (int k = 0; k < n; k++) {
        struct shape s = ops_shape(x[k] = cr_operand(y, k));
        if (cr_dtype_of(x[k]) == CR_F64) x[k] = ones ? ops_expand(cr_number(y.graph, 1), &s) : cr_abs(x[k]);
    }
    return twin_node(y, x);
}

static int float_operands(cr_node y) {
    int n = 0;
    for (int k = 0; k < cr_operand_count(y); k++) n += cr_dtype_of(cr_operand(y, k)) == CR_F64;
    return n;
}

/* Each sum of m terms of products of f factors: m - 1 + f - 1 roundings at most. A concat of many only moves. */
static cr_node of_sum(cr_node y, cr_node bar) {
    if (cr_operand_count(y) > 3) return graph_error_node(y.graph);
    cr_node roundings = cr_add(of_magnitudes(y, true), cr_number(y.graph, float_operands(y) - 2));
    roundings = cr_maximum(roundings, cr_number(y.graph, 0));
    return total(cr_mul(product(bar, of_magnitudes(y, false)), roundings));
}

static cr_node of_factors(const struct account *a, cr_node y, cr_node bar, double u) {
    int64_t n = cr_dims(cr_operand(y, 0))[cr_rank(cr_operand(y, 0)) - 1];
    cr_node sum = cr_number(y.graph, 0);
    for (int k = 0; k < cr_operand_count(y) && k < 2; k++) {
        cr_node back = sweep_contribution(&a->sweep, y, k);
        if (back.id) sum = cr_add(sum, cr_mul(norm(back), norm(cr_operand(y, k))));
    }
    sum = times(factored * 0x1p-53 * (double)n, sum);
    return bar.id ? cr_add(sum, times(u, sum_of_products(bar, y))) : sum; /* rounded once more */
}

/* How results of what has several round: those of a callback, of matrices that are factored, of a root that was found. */
static double part_ulps(cr_node part) {
    const struct node *n = graph_get(cr_operand(part, 0));
    const cr_function *f = n->op == OP_call ? control_function(part.graph, n, 0) : NULL;
    if (f && f->callback) return f->ulps;
    return n->op == OP_implicit || ops_rounding(n->op) == ROUNDS_FACTORS ? 0.5 : 0;
}

static double ulps_of(cr_node said) {
    const struct node *n = graph_get(said);
    if (n->op == OP_part) return part_ulps(said);
    return ops_ulps(n->op, graph_attr_count(said.graph, n) ? graph_attr(said.graph, n)[0] : 0);
}

static bool narrows(cr_node cast) {
    cr_dtype to = cr_dtype_of(cast), from = cr_dtype_of(cr_operand(cast, 0));
    return !dtype_is_float(from) || unit_of(to) > unit_of(from);
}

/* What rounding y, which is said as `said`, adds to the bound; an error node: nothing. */
static cr_node bound_of(const struct account *a, cr_node y, cr_node said) {
    double u = unit_of(cr_dtype_of(said)), ulps;
    cr_node bar = sweep_cotangent(&a->sweep, y), nothing = graph_error_node(y.graph);
    enum rounding how = graph_get(said)->op == OP_part ? ROUNDS_ULPS : ops_rounding(graph_get(said)->op);
    if (!bar.id && how != ROUNDS_FACTORS) return nothing;
    switch (how) {
    case ROUNDS_NOT:
    case ROUNDS_UNKNOWN: return nothing;
    case ROUNDS_CAST: return narrows(said) ? times(u, sum_of_products(bar, y)) : nothing;
    case ROUNDS_ULPS: return (ulps = ulps_of(said)) ? times(2 * u * ulps, sum_of_products(bar, y)) : nothing;
    case ROUNDS_FOLD: {
        double depth = (double)plan_fold_depth(said.graph, said.id);
        return times(u * depth, sum_of_products(bar, of_magnitudes(y, false)));
    }
    case ROUNDS_SUM: {
        cr_node sum = of_sum(y, bar);
        return sum.id ? times(u, sum) : nothing;
    }
    case ROUNDS_FACTORS: return of_factors(a, y, bar, u);
    }
    return nothing;
}

static void add_source(const struct account *a, cr_node y, cr_node said) {
    struct roundings *r = a->r;
    struct body *b = body_of(a);
    cr_node bound = bound_of(a, y, said);
    if (!bound.id || r->status) return;
    if (!mem_grow(&r->mem, &b->source, &b->source_cap, b->sources, sizeof *b->source)) r->status = CR_ENOMEM;
    else b->source[b->sources++] = said.id, push(a, &b->bound, bound);
}

/* ---- Where digits may be lost ---- */

static bool may_lose(const struct account *a, cr_node y) {
    enum rounding how = ops_rounding(graph_get(y)->op);
    return sweep_cotangent(&a->sweep, y).id &&
           (how == ROUNDS_ULPS || how == ROUNDS_FOLD || how == ROUNDS_SUM);
}

static void add_steep(const struct account *a, cr_node y, cr_node said) {
    struct roundings *r = a->r;
    struct body *b = body_of(a);
    int n = cr_operand_count(y);
    if (r->status || !may_lose(a, y)) return;
    if (!mem_grow(&r->mem, &b->steep, &b->steep_cap, b->steeps, sizeof *b->steep)) {
        r->status = CR_ENOMEM;
        return;
    }
    b->steep[b->steeps++] = (struct steep){said.id, b->size.n, n};
    for (int k = 0; k < n; k++) {
        cr_node back = sweep_contribution(&a->sweep, y, k);
        push(a, &b->size, back.id ? sum_of_products(back, cr_operand(y, k)) : cr_number(a->g, 0));
    }
    push(a, &b->size, sum_of_products(sweep_cotangent(&a->sweep, y), y));
}

/* ---- One graph ---- */

/* Everything of a float dtype is differentiated by. */
static cr_status sweep_all(struct account *a, int n, const cr_node ys[], const cr_node seeds[]) {
    uint32_t wrt = 0;
    size_t bytes = mem_mul(a->size, sizeof(cr_node));
    cr_node *by = mem_alloc(&a->r->mem, bytes);
    if (!by) return CR_ENOMEM;
    for (uint32_t id = 1; id < a->size; id++)
        if (cr_dtype_of(graph_handle(a->g, id)) == CR_F64) by[wrt++] = graph_handle(a->g, id);
    cr_status status = wrt ? sweep_backward(&a->sweep, n, ys, seeds, (int)wrt, by) : CR_OK;
    mem_free(&a->r->mem, by, bytes);
    return status;
}

static void add_node(struct account *a, uint32_t id) {
    cr_node y = graph_handle(a->g, id), said = graph_handle(body_of(a)->g, a->from[id]);
    if (!said.id || twin_is_start(said)) return;
    if (op_kind(graph_get(said)->op) == KIND_CONTROL) {
        account_enter(a, y, said);
    } else if (cr_dtype_of(y) == CR_F64) {
        add_source(a, y, said);
        add_steep(a, y, said);
    }
}

void account_make(struct account *a, int n, const cr_node ys[], const cr_node seeds[]) {
    if (!a->r->status) a->r->status = sweep_all(a, n, ys, seeds);
    for (uint32_t id = 1; id < a->size && a->sweep.g && !status_of(a); id++) add_node(a, id);
    body_of(a)->bounds = vector(a, &body_of(a)->bound);
    body_of(a)->sizes = vector(a, &body_of(a)->size);
    if (!a->r->status) a->r->status = cr_graph_status(a->g);
}

size_t account_body(struct roundings *r, cr_graph *g, cr_node at, size_t around) {
    cr_node none = graph_error_node(g);
    if (!r->status && !mem_grow(&r->mem, &r->body, &r->cap, r->bodies, sizeof *r->body))
        r->status = CR_ENOMEM;
    if (r->status) return 0;
    r->body[r->bodies] = (struct body){.g = g, .at = at, .around = around, .bounds = none, .sizes = none};
    return r->bodies++;
}

void rounding_make(struct roundings *r, cr_node y, cr_node seed, cr_graph *said, const uint32_t from[]) {
    *r = (struct roundings){.mem = y.graph->mem};
    struct account a = {.r = r, .g = y.graph, .from = from, .size = y.id + 1};
    account_body(r, said, graph_error_node(said), 0);
    if (r->status) return;
    account_make(&a, 1, &y, &seed);
    sweep_free(&a.sweep);
}

void rounding_free(struct roundings *r) {
    for (size_t i = 0; i < r->bodies; i++) {
        struct body *b = &r->body[i];
        mem_free(&r->mem, b->source, b->source_cap * sizeof *b->source);
        mem_free(&r->mem, b->steep, b->steep_cap * sizeof *b->steep);
        mem_free(&r->mem, b->bound.x, b->bound.cap * sizeof *b->bound.x);
        mem_free(&r->mem, b->size.x, b->size.cap * sizeof *b->size.x);
    }
    mem_free(&r->mem, r->body, r->cap * sizeof *r->body);
}
