/* Rounding errors to first order. Each node i of a calculation is computed with an error of its own, at most r_i; what that does to
 * the result is the cotangent times it: |error| <= sum over nodes and elements of |cotangent_i| r_i (Miller and Wrathall,
 * Software for Roundoff Analysis of Matrix Algorithms, 1980). Unlike bounds carried forward, cotangents know that an error that
 * is used twice may cancel. r_i is u times
 *     |value| ulps                   of an elementwise row: ops_ulps
 *     depth sum |x|                  of a reduction with a tree of that depth
 *     terms op(|x|, |y|)             of a sum of products; op(1, 1) counts the terms        (Higham 2002, 3.1, 4.2)
 *     n |cotangent of x| |x|         of a matrix that is factored: a backward error in norm     (Higham 2002, 9 and 10) */
#include "explain/digits.h"

#include <math.h>
#include <string.h>

#include "plan/plan.h"
#include "run/eval.h"
#include "tensor/dtype.h"

/* Of factored matrices of n rows: LU with row exchanges 3n and the growth of its pivots, Cholesky n + 1, Jacobi's method some n for
 * each of about ten sweeps. Measured, all are below n. */
static const double factored = 10;

enum { most_elements = 16 }; /* of a tensor that are looked at */

/* What one node adds. size, terms: error nodes where they do not apply. */
struct source {
    cr_node y, bar;
    enum rounding how;
    double unit; /* relative to size, or to |cotangent of an operand| |operand| */
    double last; /* relative to the result: what is computed in double precision is rounded once more */
    cr_node size, terms, back[2];
};

/* The analysis of one node: the graph of its cotangents, and what they are wanted of. */
struct course {
    struct digits *d;
    cr_node y, seed; /* seed: 1 at the element that is asked for */
    struct sweep sweep;
    struct source *source;
    size_t sources, cap;
    cr_node *wanted; /* all that must be computed */
    size_t wants, want_cap;
    cr_status status;
};

/* ---- Opening ---- */

cr_status digits_open(struct digits *d, cr_eval *e, int n, const cr_node x[]) {
    *d = (struct digits){.g = x[0].graph, .mem = x[0].graph->mem};
    size_t bytes = mem_mul((size_t)n, sizeof(cr_node));
    cr_node *unused = mem_alloc(&d->mem, bytes);
    cr_status status = unused ? twin_open(&d->twin, d->g->ctx) : CR_ENOMEM;
    if (!status) status = twin_copy(&d->twin, &d->map, e, x[0], n, x, unused, false);
    mem_free(&d->mem, unused, bytes);
    return status;
}

void digits_tell(struct digits *d, cr_status *status) { twin_tell(&d->twin, d->g, "digits", status); }

void digits_close(struct digits *d) {
    twin_map_free(&d->twin, &d->map);
    twin_close(&d->twin);
}

/* ---- What rounds, and how ---- */

static cr_node original(const struct course *c, uint32_t id) {
    return graph_handle(c->d->g, id < c->d->map.from_ids ? c->d->map.from[id] : 0);
}

/* Half a unit in the last place, relative. */
static double unit_of(cr_dtype dtype) {
    switch (dtype) {
    case CR_F32: return 0x1p-24;
    case CR_F16: return 0x1p-11;
    case CR_BF16: return 0x1p-8;
    default: return 0x1p-53;
    }
}

static void want(struct course *c, cr_node x) {
    if (c->status || !x.id) return;
    if (!mem_grow(&c->d->mem, &c->wanted, &c->want_cap, c->wants, sizeof *c->wanted)) c->status = CR_ENOMEM;
    else c->wanted[c->wants++] = x;
}

/* The op of y with each float operand x replaced by |x|, or by ones. */
static cr_node of_magnitudes(cr_node y, bool ones) {
    cr_node x[3];
    int n = cr_operand_count(y);
    if (n > 3) return graph_error_node(y.graph);
    for (int k = 0; k < n; k++) {
        struct shape s = ops_shape(x[k] = cr_operand(y, k));
        if (cr_dtype_of(x[k]) != CR_F64) continue;
        x[k] = ones ? ops_expand(cr_number(y.graph, 1), &s) : cr_abs(x[k]);
    }
    return twin_node(y, x);
}

static int float_operands(cr_node y) {
    int n = 0;
    for (int k = 0; k < cr_operand_count(y); k++) n += cr_dtype_of(cr_operand(y, k)) == CR_F64;
    return n;
}

static bool narrows(cr_node cast) {
    cr_dtype to = cr_dtype_of(cast), from = cr_dtype_of(cr_operand(cast, 0));
    return !dtype_is_float(from) || unit_of(to) > unit_of(from);
}

/* One of several results of what factors matrices is rounded as a result is. */
static enum rounding how_rounded(cr_node said) {
    bool factors =
        graph_get(said)->op == OP_part && ops_rounding(graph_get(cr_operand(said, 0))->op) == ROUNDS_FACTORS;
    return factors ? ROUNDS_ULPS : ops_rounding(graph_get(said)->op);
}

static void describe(struct course *c, struct source *s, cr_node said) {
    double u = unit_of(cr_dtype_of(said));
    int64_t n =
        graph_attr_count(said.graph, graph_get(said)) ? graph_attr(said.graph, graph_get(said))[0] : 0;
    switch (s->how) {
    case ROUNDS_NOT:
    case ROUNDS_UNKNOWN: break;
    case ROUNDS_CAST: s->unit = narrows(said) ? u : 0, s->size = s->y; break;
    case ROUNDS_ULPS:
        s->unit = graph_get(said)->op == OP_part ? u : 2 * u * ops_ulps(graph_get(said)->op, n);
        s->size = s->y;
        break;
    case ROUNDS_FOLD:
        s->unit = u * (double)plan_fold_depth(said.graph, said.id), s->size = of_magnitudes(s->y, false);
        break;
    case ROUNDS_SUM: /* a concat of many only moves */
        s->unit = u, s->size = of_magnitudes(s->y, false), s->terms = of_magnitudes(s->y, true);
        break;
    case ROUNDS_FACTORS:
        s->last = u;
        s->unit = factored * 0x1p-53 * (double)cr_dims(cr_operand(s->y, 0))[cr_rank(cr_operand(s->y, 0)) - 1];
        for (int k = 0; k < cr_operand_count(s->y) && k < 2; k++)
            s->back[k] = sweep_contribution(&c->sweep, s->y, k);
        break;
    }
}

static void refuse(struct course *c, cr_node said) {
    graph_fail(c->d->g, CR_EINVAL, "digits",
               "%s runs a function of its own, whose roundings are not counted yet",
               op_name(graph_get(said)->op));
    c->status = CR_EINVAL;
}

static void add_source(struct course *c, uint32_t id) {
    cr_node y = graph_handle(c->d->twin.g, id), said = original(c, id), none = graph_error_node(y.graph);
    if (!said.id || twin_is_start(said) || cr_dtype_of(y) != CR_F64) return;
    struct source s = {.y = y,
                       .bar = sweep_cotangent(&c->sweep, y),
                       .how = how_rounded(said),
                       .size = none,
                       .terms = none,
                       .back = {none, none}};
    if (s.how == ROUNDS_UNKNOWN) refuse(c, said);
    if (s.how == ROUNDS_NOT || (!s.bar.id && s.how != ROUNDS_FACTORS)) return;
    describe(c, &s, said);
    if (s.unit == 0) return;
    if (!mem_grow(&c->d->mem, &c->source, &c->cap, c->sources, sizeof s)) c->status = CR_ENOMEM;
    else c->source[c->sources++] = s;
    want(c, s.y), want(c, s.bar), want(c, s.size), want(c, s.terms), want(c, s.back[0]), want(c, s.back[1]);
    for (int k = 0; k < cr_operand_count(y) && s.how == ROUNDS_FACTORS; k++) want(c, cr_operand(y, k));
}

/* ---- The course of one node ---- */

/* Everything of a float dtype is differentiated by. */
static cr_status sweep_all(struct course *c) {
    cr_graph *g = c->d->twin.g;
    uint32_t n = 0;
    size_t bytes = mem_mul(c->y.id, sizeof(cr_node));
    cr_node *by = mem_alloc(&c->d->mem, bytes);
    if (!by) return CR_ENOMEM;
    for (uint32_t id = 1; id <= c->y.id; id++)
        if (cr_dtype_of(graph_handle(g, id)) == CR_F64) by[n++] = graph_handle(g, id);
    cr_status status = sweep_backward(&c->sweep, 1, &c->y, &c->seed, (int)n, by);
    mem_free(&c->d->mem, by, bytes);
    return status;
}

static void open_course(struct course *c, struct digits *d, cr_node x) {
    *c = (struct course){.d = d, .y = d->map.of[x.id]};
    c->seed = cr_input(d->twin.g, "seed", CR_F64, cr_rank(x), cr_dims(x));
    c->status = twin_why_not(c->seed);
    if (!c->status) c->status = sweep_all(c);
    for (uint32_t id = 1; id <= c->y.id && !c->status; id++) add_source(c, id);
    want(c, c->y);
}

static void close_course(struct course *c) {
    sweep_free(&c->sweep);
    mem_free(&c->d->mem, c->source, c->cap * sizeof *c->source);
    mem_free(&c->d->mem, c->wanted, c->want_cap * sizeof *c->wanted);
}

static void compute(struct course *c, int64_t element) {
    size_t bytes = mem_mul((size_t)cr_count(c->seed), sizeof(double));
    double *one = c->status ? NULL : mem_zero(&c->d->mem, bytes + 1);
    if (!one) {
        c->status = c->status ? c->status : CR_ENOMEM;
        return;
    }
    one[element] = 1;
    c->status = cr_eval_set(c->d->twin.e, c->seed, CR_F64, one, bytes);
    if (!c->status) c->status = eval_compute(c->d->twin.e, c->wants, c->wanted);
    mem_free(&c->d->mem, one, bytes + 1);
}

/* ---- Adding up ---- */

static const double *values(const struct course *c, cr_node x) {
    return x.id ? eval_data(c->d->twin.e, x) : NULL;
}

/* 0 times anything is 0: what rounds exactly does no harm at a pole. */
static double product(double a, double b) { return a == 0 || b == 0 ? 0 : fabs(a) * fabs(b); }

/* Sum of |a b|. */
static double sum_of_products(const struct course *c, cr_node a, cr_node b) {
    const double *x = values(c, a), *y = values(c, b);
    double sum = 0;
    for (int64_t i = 0; x && y && i < cr_count(a); i++) sum += product(x[i], y[i]);
    return sum;
}

static double norm(const struct course *c, cr_node x) { return sqrt(sum_of_products(c, x, x)); }

/* Each sum of m terms of products of f factors: m - 1 + f - 1 roundings at most. */
static double of_sum(const struct course *c, const struct source *s) {
    const double *bar = values(c, s->bar), *size = values(c, s->size), *terms = values(c, s->terms);
    double sum = 0, factors = float_operands(s->y);
    for (int64_t i = 0; size && terms && i < cr_count(s->y); i++)
        sum += product(bar[i], size[i]) * fmax(terms[i] - 1 + factors - 1, 0);
    return sum;
}

static double of_factors(const struct course *c, const struct source *s) {
    double sum = 0;
    for (int k = 0; k < 2; k++)
        if (s->back[k].id) sum += product(norm(c, s->back[k]), norm(c, cr_operand(s->y, k)));
    return sum;
}

static double bound_of(const struct course *c, const struct source *s) {
    switch (s->how) {
    case ROUNDS_SUM: return s->unit * of_sum(c, s);
    case ROUNDS_FACTORS: return s->unit * of_factors(c, s) + s->last * sum_of_products(c, s->bar, s->y);
    default: return s->unit * sum_of_products(c, s->bar, s->size);
    }
}

/* The bound; *worst: the source that adds most. */
static double add_up(const struct course *c, size_t *worst) {
    double sum = 0, most = -1;
    for (size_t i = 0; i < c->sources; i++) {
        double b = bound_of(c, &c->source[i]);
        sum += b;
        if (b > most) most = b, *worst = i;
    }
    return sum;
}

/* ---- Where digits are lost ---- */

/* 1 at what depends on the node at first. */
static uint8_t *find_dependents(struct course *c, uint32_t first) {
    uint8_t *on = mem_zero(&c->d->mem, (size_t)c->y.id + 1);
    if (!on) c->status = CR_ENOMEM;
    if (on) on[first] = 1;
    for (uint32_t id = first + 1; on && id <= c->y.id; id++) {
        cr_node y = graph_handle(c->d->twin.g, id);
        for (int k = 0; k < cr_operand_count(y); k++) on[id] |= on[cr_operand(y, k).id];
    }
    return on;
}

/* How much larger relative errors of an operand are in the node, seen from the result: the greatest, over operands, of sum
 * |contribution x operand| / sum |cotangent x value|. In a difference a - b of two numbers it is max(|a|, |b|) / |a - b|. */
static double amplification(const struct course *c, cr_node y) {
    double most = 0;
    for (int k = 0; k < cr_operand_count(y); k++)
        most = fmax(most, sum_of_products(c, sweep_contribution(&c->sweep, y, k), cr_operand(y, k)));
    double size = sum_of_products(c, sweep_cotangent(&c->sweep, y), y);
    return most == 0 ? 0 : most / size;
}

static bool may_lose(const struct course *c, uint32_t id, uint32_t first) {
    cr_node y = graph_handle(c->d->twin.g, id);
    enum rounding how = ops_rounding(graph_get(y)->op);
    bool own = how == ROUNDS_FOLD || how == ROUNDS_SUM; /* whose terms are rounded on the way */
    return original(c, id).id && sweep_cotangent(&c->sweep, y).id && how != ROUNDS_NOT &&
           how != ROUNDS_CAST && how != ROUNDS_FACTORS && (own || id != first);
}

static void want_contributions(struct course *c, const uint8_t on[], uint32_t first) {
    for (uint32_t id = first; id <= c->y.id; id++) {
        cr_node y = graph_handle(c->d->twin.g, id);
        if (!on[id] || !may_lose(c, id, first)) continue;
        want(c, y), want(c, sweep_cotangent(&c->sweep, y));
        for (int k = 0; k < cr_operand_count(y); k++)
            want(c, sweep_contribution(&c->sweep, y, k)), want(c, cr_operand(y, k));
    }
}

static bool cancels(cr_node y) {
    int op = graph_get(y)->op;
    enum rounding how = ops_rounding(op);
    return op == OP_add || op == OP_sub || how == ROUNDS_FOLD || how == ROUNDS_SUM;
}

static const double least_loss = 0.5; /* digits: a square has 0.3 */

/* Worst first. */
static void insert(struct rounding_of *out, struct loss_of_digits l) {
    int at = out->losses;
    out->losses += at < most_losses;
    for (; at > 0 && out->loss[at - 1].digits < l.digits; at--)
        if (at < most_losses) out->loss[at] = out->loss[at - 1];
    if (at < most_losses) out->loss[at] = l;
}

/* On the way from the source that adds most. */
static void find_losses(struct course *c, uint32_t first, struct rounding_of *out) {
    uint8_t *on = find_dependents(c, first);
    if (on) want_contributions(c, on, first);
    if (!c->status) compute(c, out->element);
    double all = -log10(2 * 0x1p-53), lost = all + log10(out->bound / fabs(out->value));
    for (uint32_t id = first; id <= c->y.id && !c->status; id++) {
        if (!on[id] || !may_lose(c, id, first)) continue;
        cr_node y = graph_handle(c->d->twin.g, id);
        double digits = fmin(log10(amplification(c, y)), all);
        bool shows = !(digits > lost + least_loss); /* else what is small there counts for little */
        if (digits >= least_loss && shows)
            insert(out, (struct loss_of_digits){original(c, id), digits, cancels(y)});
    }
    mem_free(&c->d->mem, on, (size_t)c->y.id + 1);
}

/* ---- One node ---- */

static bool is_worse(const struct rounding_of *a, const struct rounding_of *than) {
    double x = a->bound / fabs(a->value), y = than->bound / fabs(than->value);
    return !(x <= y); /* nan: nothing is known */
}

static struct rounding_of at_element(struct course *c, int64_t element, size_t *worst) {
    struct rounding_of r = {.element = element};
    compute(c, element);
    if (c->status) return r;
    r.value = values(c, c->y)[element];
    r.bound = add_up(c, worst);
    return r;
}

cr_status digits_of(struct digits *d, cr_node x, int64_t element, struct rounding_of *out) {
    struct course c;
    size_t mark = cr_graph_mark(d->twin.g), source = 0;
    int64_t count = cr_count(x), step = element < 0 ? count / most_elements + 1 : count,
            first = element < 0 ? 0 : element;
    *out = (struct rounding_of){0};
    open_course(&c, d, x);
    for (int64_t i = first; i < count && !c.status; i += step) {
        size_t worst = 0;
        struct rounding_of r = at_element(&c, i, &worst);
        if (i == first || is_worse(&r, out)) *out = r, source = worst;
    }
    if (!c.status && element < 0 && c.sources && count) find_losses(&c, c.source[source].y.id, out);
    close_course(&c);
    cr_graph_cut(d->twin.g, mark);
    return c.status;
}
