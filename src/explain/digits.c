/* How many digits are right: adding up what rounding does (rounding.c), and looking for where digits go. */
#include "explain/digits.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "explain/rounding.h"
#include "graph/function.h"
#include "ops/control.h"

enum { most_elements = 16 }; /* of a tensor that are looked at */

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

/* ---- Running ---- */

/* A number in the vectors of a body. */
struct spot {
    size_t body, at;
};

/* The analysis of one node. */
struct course {
    struct digits *d;
    cr_node y, seed; /* seed: 1 at the element that is asked for */
    struct roundings r;
    cr_program *program;
    cr_run *run;
    double *memory, *one, *value; /* the seed, the node; then what each body has, at[body] */
    size_t bytes, *at;
    cr_status status;
};

static cr_node wanted(const struct body *b, bool sizes) { return sizes ? b->sizes : b->bounds; }

static void name_of(char name[24], const char *letter, size_t i) { snprintf(name, 24, "%s%zu", letter, i); }

static void compile(struct course *c, bool sizes) {
    char name[24];
    cr_target *t = cr_target_new(c->d->twin.g);
    cr_status status = t ? cr_target_output(t, "y", c->y) : CR_ENOMEM;
    for (size_t i = 0; i < c->r.bodies && !status; i++) {
        name_of(name, "b", i);
        if (wanted(&c->r.body[i], sizes).id) status = cr_target_output(t, name, wanted(&c->r.body[i], sizes));
    }
    if (!status) status = cr_compile(&c->program, t, NULL);
    cr_target_free(t);
    if (!status) status = cr_run_new(&c->run, c->program, NULL, NULL, 0);
    c->status = status;
}

/* Room for the seed, the value and all vectors. */
static void make_room(struct course *c, bool sizes) {
    size_t n = 2 * (size_t)cr_count(c->y);
    c->at = mem_zero(&c->d->mem, mem_mul(c->r.bodies, sizeof *c->at));
    for (size_t i = 0; c->at && i < c->r.bodies; i++) {
        cr_node v = wanted(&c->r.body[i], sizes);
        c->at[i] = n;
        n = mem_add(n, v.id ? (size_t)cr_count(v) : 0);
    }
    c->bytes = mem_mul(n, sizeof(double));
    c->memory = c->at ? mem_zero(&c->d->mem, c->bytes) : NULL;
    if (!c->memory) c->status = CR_ENOMEM;
    else c->one = c->memory, c->value = c->memory + cr_count(c->y);
}

static size_t bytes_of(cr_node x) { return (size_t)cr_count(x) * sizeof(double); }

/* What is not needed is no name of the program; a good bind takes back that one had failed. */
static void bind(struct course *c, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    if (c->status) return;
    c->status = cr_bind(c->run, name, dtype, data, bytes);
    if (c->status == CR_ENAME) c->status = cr_bind(c->run, "y", CR_F64, c->value, bytes_of(c->y));
}

static void bind_all(struct course *c, bool sizes) {
    const struct twin *t = &c->d->twin;
    char name[24];
    bind(c, "y", CR_F64, c->value, bytes_of(c->y));
    bind(c, "seed", CR_F64, c->one, bytes_of(c->y));
    for (size_t i = 0; i < t->leaves; i++) {
        cr_array *v = t->leaf[i].value;
        name_of(name, "v", i);
        bind(c, name, cr_array_dtype(v), cr_array_data(v), cr_array_bytes(v));
    }
    for (size_t i = 0; i < c->r.bodies; i++) {
        cr_node v = wanted(&c->r.body[i], sizes);
        name_of(name, "b", i);
        if (v.id) bind(c, name, CR_F64, c->memory + c->at[i], bytes_of(v));
    }
}

static void close_run(struct course *c) {
    cr_run_free(c->run);
    cr_program_free(c->program);
    mem_free(&c->d->mem, c->memory, c->bytes);
    mem_free(&c->d->mem, c->at, c->r.bodies * sizeof *c->at);
    c->run = NULL, c->program = NULL, c->memory = NULL, c->at = NULL;
}

/* sizes: of all sums that tell losses; else of all bounds. close_run after. */
static void open_run(struct course *c, bool sizes) {
    if (!c->status) compile(c, sizes);
    if (!c->status) make_room(c, sizes);
    if (!c->status) bind_all(c, sizes);
}

static void compute(struct course *c, int64_t element) {
    if (c->status) return;
    memset(c->one, 0, bytes_of(c->y));
    c->one[element] = 1;
    c->status = cr_step(c->run);
    if (c->status) graph_fail(c->d->g, c->status, "digits", "%s", cr_run_error(c->run));
}

/* ---- Adding up ---- */

/* The bound; *worst: what adds most. */
static double add_up(const struct course *c, struct spot *worst) {
    double sum = 0, most = -1;
    for (size_t i = 0; i < c->r.bodies; i++) {
        cr_node v = c->r.body[i].bounds;
        const double *b = c->memory + c->at[i];
        for (size_t k = 0; v.id && k < (size_t)cr_count(v); k++) {
            sum += b[k];
            if (b[k] > most) most = b[k], *worst = (struct spot){i, k};
        }
    }
    return sum;
}

/* ---- What depends on the source that adds most ---- */

/* By body: its nodes that depend on it. */
struct dependents {
    const struct course *c;
    uint8_t **on;
    struct spot source;
};

static void free_dependents(struct dependents *p) {
    const struct roundings *r = &p->c->r;
    for (size_t i = 0; p->on && i < r->bodies; i++) mem_free(&p->c->d->mem, p->on[i], r->body[i].g->count);
    mem_free(&p->c->d->mem, p->on, r->bodies * sizeof *p->on);
}

static bool make_dependents(struct dependents *p, const struct course *c, struct spot source) {
    *p = (struct dependents){.c = c, .source = source};
    bool ok = (p->on = mem_zero(&c->d->mem, mem_mul(c->r.bodies, sizeof *p->on))) != NULL;
    for (size_t i = 0; ok && i < c->r.bodies; i++)
        ok = (p->on[i] = mem_zero(&c->d->mem, c->r.body[i].g->count)) != NULL;
    return ok;
}

/* In one body, through the steps that follow. */
static void spread(struct dependents *p, size_t body) {
    const struct body *b = &p->c->r.body[body];
    const cr_function *f = body_function(b);
    uint8_t *on = p->on[body];
    for (bool more = true; more;) {
        more = false;
        for (uint32_t id = 1; id < b->g->count; id++) {
            const struct node *n = graph_at(b->g, id);
            for (uint32_t k = 0; k < n->n && !on[id]; k++) on[id] = on[graph_args(b->g, n)[k]];
        }
        for (uint32_t k = 0; f && k < body_carries(b); k++) {
            more = more || (on[f->out[k]] && !on[f->in[k]]);
            on[f->in[k]] |= on[f->out[k]];
        }
    }
}

/* Inputs whose operands depend. */
static void hand_in(struct dependents *p, size_t body) {
    const struct body *b = &p->c->r.body[body];
    const cr_function *f = body_function(b);
    for (uint32_t k = 0; f && k < f->n_in; k++) {
        uint32_t operand = cr_operand(b->at, (int)k + body_first(b)).id;
        p->on[body][f->in[k]] |= p->on[b->around][operand];
    }
}

static void find_dependents(struct dependents *p) {
    const struct body *body = p->c->r.body;
    size_t i = p->source.body;
    p->on[i][body[i].source[p->source.at % body[i].sources]] = 1;
    for (spread(p, i); i; i = body[i].around, spread(p, i)) p->on[body[i].around][body[i].at.id] = 1;
    for (i = 1; i < p->c->r.bodies; i++) hand_in(p, i), spread(p, i);
}

/* ---- Steps ---- */

/* Which steps of the loops around its body, the outermost first, element `at` of v is of. */
static int steps_of(cr_node v, size_t at, int64_t step[]) {
    int loops = cr_rank(v) - 1;
    at /= (size_t)cr_dims(v)[loops];
    for (int k = loops; k-- > 0; at /= (size_t)cr_dims(v)[k]) step[k] = (int64_t)(at % (size_t)cr_dims(v)[k]);
    return loops;
}

/* The loops that a body is in, the outermost first: which bodies they have. */
static int loops_of(const struct roundings *r, size_t body, size_t loop[]) {
    int n = 0;
    for (size_t i = body; i; i = r->body[i].around) n += body_has_rows(&r->body[i]);
    int at = n;
    for (size_t i = body; i; i = r->body[i].around)
        if (body_has_rows(&r->body[i])) loop[--at] = i;
    return n;
}

static bool goes_back(const struct body *b) { return loop_attr(b->at.graph, graph_get(b->at)).reverse; }

/* In the loops that both are in: is spot a in a step before b's? */
static bool is_before(const struct course *c, const int64_t a[], size_t body_a, const int64_t b[],
                      size_t body_b) {
    size_t loop_a[CR_MAX_RANK], loop_b[CR_MAX_RANK];
    int n = loops_of(&c->r, body_a, loop_a), m = loops_of(&c->r, body_b, loop_b);
    for (int k = 0; k < n && k < m && loop_a[k] == loop_b[k]; k++)
        if (a[k] != b[k]) return (a[k] < b[k]) != goes_back(&c->r.body[loop_a[k]]);
    return false;
}

/* ---- Where digits are lost ---- */

static bool cancels(cr_node y) {
    int op = graph_get(y)->op;
    enum rounding how = ops_rounding(op);
    return op == OP_add || op == OP_sub || how == ROUNDS_FOLD || how == ROUNDS_SUM;
}

static const double least_loss = 0.5; /* digits: a square has 0.3 */

/* Worst first; each node once, in its worst step. */
static void insert(struct rounding_of *out, struct loss_of_digits l) {
    int at = 0, same = 0;
    while (same < out->losses && !cr_same(out->loss[same].at, l.at)) same++;
    if (same < out->losses && out->loss[same].digits >= l.digits) return;
    while (at < out->losses && out->loss[at].digits >= l.digits) at++;
    if (at == most_losses) return;
    int last = same < out->losses ? same : out->losses < most_losses ? out->losses++ : most_losses - 1;
    for (; last > at; last--) out->loss[last] = out->loss[last - 1];
    out->loss[at] = l;
}

/* How much larger relative errors of an operand are in the node, seen from the result: the greatest, over operands, of sum
 * |contribution x operand| / sum |cotangent x value|. In a difference a - b of two numbers it is max(|a|, |b|) / |a - b|. Where
 * cotangents overflow nothing is known. */
static double amplification(const double sums[], int operands) {
    double most = 0;
    for (int k = 0; k < operands; k++) most = fmax(most, sums[k]);
    return most == 0 || isinf(most) ? 0 : most / sums[operands];
}

/* What a search for losses knows. */
struct search {
    struct course *c;
    struct dependents on;
    int64_t step[CR_MAX_RANK]; /* of the source */
    uint32_t source;           /* that node */
    double all, lost;          /* digits that there are, that are lost in the end */
    struct rounding_of *out;
};

static void look_at(struct search *s, size_t body, const struct steep *steep, const double sums[],
                    size_t at) {
    const struct body *b = &s->c->r.body[body];
    struct loss_of_digits l = {.at = graph_handle(b->g, steep->id)};
    size_t loop[CR_MAX_RANK];
    double digits = fmin(log10(amplification(sums, steep->operands)), s->all);
    enum rounding how = ops_rounding(graph_get(l.at)->op);
    bool own = how == ROUNDS_FOLD || how == ROUNDS_SUM; /* whose terms are rounded on the way */
    bool shows = !(digits > s->lost + least_loss);      /* else what is small there counts for little */
    if (!(digits >= least_loss) || !shows || !s->on.on[body][steep->id]) return;
    l.digits = digits, l.cancels = cancels(l.at), l.loops = steps_of(b->sizes, at, l.step);
    bool itself = body == s->on.source.body && steep->id == s->source &&
                  memcmp(l.step, s->step, (size_t)l.loops * sizeof *l.step) == 0;
    if ((itself && !own) || is_before(s->c, l.step, body, s->step, s->on.source.body)) return;
    loops_of(&s->c->r, body, loop);
    for (int k = 0; k < l.loops; k++) l.loop[k] = s->c->r.body[loop[k]].at;
    insert(s->out, l);
}

static void look_through(struct search *s, size_t body) {
    const struct body *b = &s->c->r.body[body];
    size_t n = b->sizes.id ? (size_t)cr_count(b->sizes) : 0;
    for (size_t row = 0; row < n; row += b->size.n)
        for (size_t i = 0; i < b->steeps; i++) {
            size_t at = row + b->steep[i].first;
            look_at(s, body, &b->steep[i], s->c->memory + s->c->at[body] + at, at);
        }
}

/* On the way from the source that adds most. */
static void find_losses(struct course *c, struct spot source, struct rounding_of *out) {
    const struct body *b = &c->r.body[source.body];
    struct search s = {.c = c, .out = out, .all = -log10(2 * 0x1p-53)};
    s.source = b->source[source.at % b->sources];
    s.lost = s.all + log10(out->bound / fabs(out->value));
    steps_of(b->bounds, source.at, s.step);
    open_run(c, true);
    compute(c, out->element);
    if (!c->status && !make_dependents(&s.on, c, source)) c->status = CR_ENOMEM;
    if (!c->status) find_dependents(&s.on);
    for (size_t i = 0; i < c->r.bodies && !c->status; i++) look_through(&s, i);
    if (s.on.c) free_dependents(&s.on);
    close_run(c);
}

/* ---- One node ---- */

static bool is_worse(const struct rounding_of *a, const struct rounding_of *than) {
    double x = a->bound / fabs(a->value), y = than->bound / fabs(than->value);
    return !(x <= y); /* nan: nothing is known */
}

static void open_course(struct course *c, struct digits *d, cr_node x) {
    *c = (struct course){.d = d, .y = d->map.of[x.id]};
    c->seed = cr_input(d->twin.g, "seed", CR_F64, cr_rank(x), cr_dims(x));
    c->status = twin_why_not(c->seed);
    if (c->status) return;
    rounding_make(&c->r, c->y, c->seed, d->g, d->map.from);
    c->status = c->r.status;
    open_run(c, false);
}

/* The elements from first on, each step one; *source: what adds most to the worst of them. False: nothing does. */
static bool find_worst(struct course *c, int64_t first, int64_t step, struct spot *source,
                       struct rounding_of *out) {
    const struct spot none = {SIZE_MAX, 0};
    *source = none;
    for (int64_t i = first; i < cr_count(c->y) && !c->status; i += step) {
        struct rounding_of r = {.element = i};
        struct spot worst = none;
        compute(c, i);
        if (c->status) break;
        r.value = c->value[i], r.bound = add_up(c, &worst);
        if (i == first || is_worse(&r, out)) *out = r, *source = worst;
    }
    close_run(c);
    return !c->status && source->body != none.body;
}

cr_status digits_of(struct digits *d, cr_node x, int64_t element, struct rounding_of *out) {
    struct course c;
    struct spot source;
    size_t mark = cr_graph_mark(d->twin.g);
    *out = (struct rounding_of){0};
    if (!cr_count(x)) return CR_OK;
    open_course(&c, d, x);
    bool all = element < 0;
    int64_t step = all ? cr_count(x) / most_elements + 1 : cr_count(x);
    if (find_worst(&c, all ? 0 : element, step, &source, out) && all) find_losses(&c, source, out);
    rounding_free(&c.r);
    cr_graph_cut(d->twin.g, mark);
    return c.status;
}
