/* Checking gradients. Every op on the way alone: its local gradients element by element against differences, the
 * other rules along directions, and VJP against JVP by <w, J t> = <t, J' w>. Then the whole, by both modes and by
 * differences. All in double precision at the values that are there: what is checked is the mathematics, not f32. */
#include "explain/check.h"

#include <math.h>
#include <string.h>

#include "explain/model.h"
#include "explain/twin.h"
#include "tensor/dtype.h"

enum {
    most_nodes = 2000,  /* ops that are checked alone, spread evenly over larger graphs */
    most_lines = 100,   /* of a report: beyond, only what is not right has a line */
    directions = 3,     /* for a rule that mixes elements: a wrong one agrees with chance 0 along any */
    whole_elements = 8, /* of a leaf, compared one by one for the whole */
};

struct check {
    struct explanation x; /* for its labels */
    cr_text *out;
    struct cr_text lines;
    struct twin twin;
    cr_node *of;    /* by id of the graph checked: its node in the twin */
    uint32_t *from; /* by id of the twin: the id in the graph checked */
    uint32_t from_ids;
    const struct check_bend *bend;
    double rtol, atol;
    int checked, wrong, skipped, stops;
    bool quiet; /* too many lines */
    cr_status status;
};

/* ---- The report ---- */

static void write_label(struct check *c, struct cr_text *t, cr_node x) {
    struct print_labels labels = {explanation_label, &c->x};
    const char *label = explanation_label(&c->x, x);
    if (label) {
        text_str(t, label);
        return;
    }
    text_char(t, '('); /* a broadcast, a slice */
    print_formula(t, x, &labels, true);
    text_char(t, ')');
}

/* "[2, 1]", of element i; nothing for one number. */
static void write_place(struct cr_text *t, cr_node x, int64_t i) {
    int64_t place[CR_MAX_RANK];
    for (int k = cr_rank(x); k-- > 0;) place[k] = i % cr_dims(x)[k], i /= cr_dims(x)[k];
    if (cr_rank(x)) text_dims(t, cr_rank(x), place);
}

static void write_number(struct cr_text *t, const char *who, double a) {
    text_add(t, "%s gives ", who);
    text_rounded(t, a, 10);
}

static void write_numbers(struct cr_text *t, const char *who, double a, const char *other, double b) {
    write_number(t, who, a);
    text_str(t, ", ");
    write_number(t, other, b);
}

/* What is said of y's operand k (of the whole, with y the result: of leaf a). */
struct subject {
    cr_node y, a;
    bool whole, twice; /* twice: y has the operand in more than one place */
    int k;
};

static void begin_line(struct check *c, const char *verdict, const struct subject *s) {
    struct cr_text *t = &c->lines;
    text_add(t, "%s\t%s\td", verdict, s->whole ? "whole" : cr_op_of(s->y));
    write_label(c, t, s->y);
    text_str(t, "/d");
    write_label(c, t, s->a);
    if (s->twice) text_add(t, " (operand %d)", s->k + 1);
}

static void say(struct check *c, enum verdict worst, const struct subject *s, const char *how) {
    static const char *const word[] = {"right", "kink", "unsure", "WRONG"};
    c->checked += worst == RIGHT || worst == WRONG;
    c->wrong += worst == WRONG;
    c->skipped += worst == AT_KINK || worst == UNSETTLED;
    if (c->quiet && worst == RIGHT) return;
    begin_line(c, word[worst], s);
    text_add(&c->lines, "%s%s\n", *how ? "\t" : "", how);
}

/* Findings at several elements (or along several directions): the worst of them speaks for all. */
static void conclude(struct check *c, const struct subject *s, int n, const int64_t *pick, cr_node of,
                     const struct finding f[]) {
    struct cr_text how = text_make(&c->x.mem);
    int worst = 0;
    for (int i = 1; i < n; i++)
        if (f[i].verdict > f[worst].verdict) worst = i;
    enum verdict verdict = n ? f[worst].verdict : RIGHT;
    if (verdict != RIGHT) {
        if (pick && cr_rank(of))
            text_str(&how, "at "), write_place(&how, of, pick[worst]), text_str(&how, ": ");
        if (!pick) text_str(&how, "along a direction: ");
        const char *who = s->whole ? "the chain rule" : "the rule";
        if (verdict == AT_KINK)
            text_add(&how, "the slope jumps there; "), write_number(&how, who, f[worst].found);
        else write_numbers(&how, who, f[worst].found, "a difference", f[worst].expected);
    }
    say(c, verdict, s, cr_text_str(&how));
    text_end(&how, &c->lines);
}

/* ---- The twin ---- */

/* Why there is no node: the graph's reason, or memory that failed beside it. */
static cr_status why_not(cr_node x) {
    if (cr_ok(x)) return CR_OK;
    return cr_graph_status(x.graph) ? cr_graph_status(x.graph) : CR_ENOMEM;
}

static bool is_start(cr_node x) {
    int op = graph_get(x)->op;
    return op_kind(op) == KIND_LEAF || op == OP_stop_gradient || op == OP_uniform;
}

static bool is_wrt(const struct check *c, cr_node x) {
    for (int i = 0; i < c->x.n; i++)
        if (cr_same(c->x.wrt[i], x)) return true;
    return false;
}

/* A variable that one differentiates by: what it is of, plus an input that is 0. */
static cr_node copy_variable(struct check *c, cr_node x, cr_eval *e, cr_node *leaf) {
    struct shape s = ops_shape(x);
    cr_node zeros = ops_zeros(c->x.g, cr_dtype_of(x), &s);
    c->status = twin_add(&c->twin, leaf, e, zeros);
    return cr_add(c->of[cr_operand(x, 0).id], *leaf);
}

static cr_node copy_node(struct check *c, cr_node x, cr_eval *e) {
    cr_node y, few[8], *operands = few;
    int n = cr_operand_count(x);
    c->stops += graph_get(x)->op == OP_stop_gradient;
    if (is_start(x)) {
        c->status = twin_add(&c->twin, &y, e, x);
        return y;
    }
    size_t bytes = mem_mul((size_t)n, sizeof *operands);
    if (n > 8) operands = mem_alloc(&c->x.mem, bytes);
    if (!operands) return graph_error_node(c->twin.g);
    for (int k = 0; k < n; k++) operands[k] = c->of[cr_operand(x, k).id];
    y = twin_node(x, operands);
    if (operands != few) mem_free(&c->x.mem, operands, bytes);
    return y;
}

/* wrt[i] becomes leaf[i] of the twin. */
static void make_twin(struct check *c, cr_eval *e, cr_node leaf[]) {
    c->status = twin_open(&c->twin, c->x.g->ctx);
    uint8_t *used = mem_zero(&c->x.mem, c->x.ids);
    if (!used) c->status = CR_ENOMEM;
    if (used) used[c->x.result.id] = 1;
    for (int i = 0; used && i < c->x.n; i++) used[c->x.wrt[i].id] = 1;
    for (uint32_t id = c->x.ids; used && id-- > 1;) {
        cr_node x = graph_handle(c->x.g, id);
        for (int k = 0; used[id] && !is_start(x) && k < cr_operand_count(x); k++)
            used[cr_operand(x, k).id] = 1;
    }
    for (uint32_t id = 1; used && id < c->x.ids && !c->status; id++) {
        cr_node x = graph_handle(c->x.g, id), y, own = graph_error_node(c->twin.g);
        if (!used[id]) continue;
        bool variable = is_wrt(c, x) && graph_get(x)->op == OP_variable;
        c->of[id] = y = variable ? copy_variable(c, x, e, &own) : copy_node(c, x, e);
        for (int i = 0; i < c->x.n; i++)
            if (cr_same(c->x.wrt[i], x)) leaf[i] = variable ? own : y;
        if (!c->status) c->status = why_not(y);
    }
    mem_free(&c->x.mem, used, c->x.ids);
}

static size_t leaf_number(const struct twin *t, cr_node leaf) {
    size_t i = 0;
    while (i + 1 < t->leaves && !cr_same(t->leaf[i].node, leaf)) i++;
    return i;
}

/* ---- Directions ---- */

/* Numbers in [-1, 1), the same at every run (splitmix64: Steele, Lea, Flood 2014). */
static double noise(uint64_t i) {
    i = (i + 1) * 0x9e3779b97f4a7c15u;
    i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
    i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
    return (double)((i ^ (i >> 31)) >> 11) * 0x1p-52 - 1;
}

static const double *values(const cr_array *v) { return cr_array_data((cr_array *)(uintptr_t)v); }

/* As long as the greatest element of the leaf, or 1: a step of h moves it by a share of h. */
static double scale_of(const cr_array *v) {
    double most = 1;
    const double *x = values(v);
    for (int64_t i = 0; i < cr_array_count(v); i++)
        if (isfinite(x[i])) most = fmax(most, fabs(x[i]));
    return most;
}

static void fill_direction(double t[], const cr_array *v, uint64_t seed) {
    int64_t n = cr_array_count(v);
    double sum = 0, scale = scale_of(v);
    for (int64_t i = 0; i < n; i++) t[i] = noise(seed * 0x10001 + (uint64_t)i), sum += t[i] * t[i];
    for (int64_t i = 0; i < n; i++) t[i] *= scale / sqrt(sum);
}

static double dot(const double a[], const double b[], int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] == 0 || b[i] == 0 ? 0 : a[i] * b[i];
    return sum;
}

static double *direction_room(struct check *c, const cr_array *v, size_t *bytes) {
    *bytes = mem_mul((size_t)cr_array_count(v) + 1, sizeof(double));
    double *t = mem_alloc(&c->x.mem, *bytes);
    if (!t) c->status = CR_ENOMEM;
    return t;
}

/* ---- One op alone ---- */

struct alone {
    struct twin twin;
    cr_node y;       /* of inputs of its own, in double precision */
    cr_node one;     /* one result of y, when it has several */
    cr_node weights; /* of the sum that makes one number of it */
};

static cr_node make_weights(struct check *c, cr_node y) {
    size_t bytes = mem_mul((size_t)cr_count(y) + 1, sizeof(double));
    double *w = mem_alloc(&c->x.mem, bytes);
    if (!w) return graph_error_node(y.graph);
    for (int64_t i = 0; i < cr_count(y); i++) w[i] = 1.5 + noise((uint64_t)i);
    cr_node weights = cr_const(y.graph, CR_F64, cr_rank(y), cr_dims(y), w);
    mem_free(&c->x.mem, w, bytes);
    return weights;
}

static void open_alone(struct check *c, struct alone *a, cr_node y, int part) {
    int n = cr_operand_count(y);
    size_t bytes = mem_mul((size_t)n, sizeof(cr_node));
    cr_node *x = mem_alloc(&c->x.mem, bytes);
    c->status = twin_open(&a->twin, c->x.g->ctx);
    if (!x) c->status = CR_ENOMEM;
    for (int k = 0; k < n && !c->status; k++)
        c->status = twin_add(&a->twin, &x[k], c->twin.e, cr_operand(y, k));
    if (!c->status) {
        a->y = twin_node(y, x);
        a->one = ops_part_count(graph_get(y)->op) > 1 ? cr_part(a->y, part) : a->y;
        c->status = why_not(a->one);
        if (!c->status) c->status = why_not(a->weights = make_weights(c, a->one));
    }
    mem_free(&c->x.mem, x, bytes);
}

static cr_node bent(const struct check *c, cr_node y, int k, cr_node d) {
    return c->bend ? c->bend->bend(c->bend->user, y, k, d) : d;
}

/* Element by element: each operand element moves its own result element alone, so all can move at once. */
static void check_local(struct check *c, struct alone *a, int k, const struct subject *s) {
    const cr_array *v = a->twin.leaf[k].value;
    struct probe p = {0};
    struct finding f[most_picks];
    int64_t pick[most_picks], count = cr_array_count(v), step = count / most_picks + 1;
    int n = 0;
    size_t bytes;
    cr_node d, one = cr_number(a->twin.g, 1), x = a->twin.leaf[k].node;
    double *t = direction_room(c, v, &bytes);
    if (t) c->status = cr_vjp(&d, 1, &a->one, &one, 1, &x);
    if (!c->status) d = bent(c, a->y, k, d), c->status = eval_compute(a->twin.e, 1, &d);
    for (int64_t i = 0; i < count && !c->status; i++)
        t[i] = isfinite(values(v)[i]) ? fmax(1, fabs(values(v)[i])) : 1;
    for (int64_t i = 0; i < count && !c->status; i += step, n++) {
        pick[n] = i;
        f[n].found = t[i] * ((const double *)eval_data(a->twin.e, d))[i];
    }
    if (!c->status) {
        c->status = probe_open(&p, &a->twin, a->one);
        if (!c->status) c->status = probe_judge(&p, (size_t)k, t, n, pick, c->rtol, c->atol, f);
        probe_close(&p);
    }
    for (int i = 0; i < n && !c->status; i++) f[i].found /= t[pick[i]], f[i].expected /= t[pick[i]];
    if (!c->status) conclude(c, s, n, pick, a->one, f);
    mem_free(&c->x.mem, t, bytes);
}

/* <w, J t> by forward mode, against what the backward mode makes of it. */
static void check_modes(struct check *c, struct twin *twin, const struct subject *s, cr_node y, cr_node x,
                        cr_node weights, const double t[], double backward) {
    cr_node tangent = cr_const(twin->g, CR_F64, cr_rank(x), cr_dims(x), t), forward;
    struct cr_text how = text_make(&c->x.mem);
    c->status = cr_jvp(&forward, 1, &y, 1, &x, &tangent);
    if (c->status) return;
    cr_node sum = cr_sum(cr_mul(forward, weights), 0, NULL, false);
    c->status = eval_compute(twin->e, 1, &sum);
    if (c->status) return;
    double found = *(const double *)eval_data(twin->e, sum);
    bool same = found == backward ||
                fabs(found - backward) <= c->atol + c->rtol * fmax(fabs(found), fabs(backward)) ||
                (isnan(found) && isnan(backward));
    write_numbers(&how, "forward mode", found, "backward mode", backward);
    if (!same) say(c, WRONG, s, cr_text_str(&how));
    text_end(&how, &c->lines);
}

/* A rule that mixes elements, along directions; the weights make one number of the result. */
static void check_rule(struct check *c, struct alone *a, int k, const struct subject *s, bool differences) {
    const cr_array *v = a->twin.leaf[k].value;
    struct probe p = {0};
    struct finding f[directions] = {{0}};
    const int64_t pick = 0;
    size_t bytes;
    cr_node d, x = a->twin.leaf[k].node, number = cr_sum(cr_mul(a->one, a->weights), 0, NULL, false);
    double *t = direction_room(c, v, &bytes);
    if (t) c->status = cr_vjp(&d, 1, &a->one, &a->weights, 1, &x);
    if (!c->status) d = bent(c, a->y, k, d), c->status = eval_compute(a->twin.e, 1, &d);
    if (!c->status && differences) c->status = probe_open(&p, &a->twin, number);
    for (int i = 0; i < directions && !c->status; i++) {
        fill_direction(t, v, (uint64_t)i);
        f[i].found = dot(eval_data(a->twin.e, d), t, cr_array_count(v));
        if (differences) c->status = probe_judge(&p, (size_t)k, t, 1, &pick, c->rtol, c->atol, &f[i]);
    }
    int before = c->wrong;
    if (!c->status && differences) conclude(c, s, directions, NULL, a->one, f);
    if (!c->status && c->wrong == before)
        check_modes(c, &a->twin, s, a->one, x, a->weights, t, f[directions - 1].found);
    probe_close(&p);
    mem_free(&c->x.mem, t, bytes);
}

static bool has_twice(cr_node y, int k) {
    for (int i = 0; i < cr_operand_count(y); i++)
        if (i != k && cr_same(cr_operand(y, i), cr_operand(y, k))) return true;
    return false;
}

static void check_result(struct check *c, cr_node y, int part, const uint8_t *needed, uint32_t first) {
    struct alone a = {0};
    cr_node said = graph_handle(c->x.g, c->from[y.id]);
    open_alone(c, &a, y, part);
    for (int k = 0; k < cr_operand_count(y) && !c->status; k++) {
        enum rule_kind kind = rule_kind(graph_get(y)->op, k);
        cr_node x = cr_operand(y, k);
        if (kind == RULE_NONE || kind == RULE_ZERO || cr_dtype_of(x) != CR_F64 || !cr_count(x) ||
            !cr_count(a.one))
            continue;
        if (x.id < first || !needed[x.id - first]) continue;
        struct subject s = {said, cr_operand(said, k), false, has_twice(said, k), k};
        bool local = kind == RULE_LOCAL || kind == RULE_PASS;
        int before = c->wrong;
        if (local) check_local(c, &a, k, &s);
        if (!c->status && c->wrong == before) check_rule(c, &a, k, &s, !local);
    }
    if (c->status && cr_graph_status(a.twin.g)) c->status = cr_graph_status(a.twin.g); /* where it began */
    twin_close(&a.twin);
}

/* Of an op with several results, each that the derivative goes through. */
static void check_operands(struct check *c, cr_node y, const uint8_t *needed, uint32_t first, uint32_t size) {
    int parts = ops_part_count(graph_get(y)->op);
    for (int k = 0; k < parts && !c->status; k++) {
        cr_node part = parts > 1 ? cr_part(y, k) : y;
        if (part.id < size && needed[part.id - first]) check_result(c, y, k, needed, first);
    }
}

static bool is_checked(const struct check *c, cr_node y) {
    enum op_kind kind = op_kind(graph_get(y)->op);
    return kind != KIND_LEAF && kind != KIND_ALIAS && y.id < c->from_ids && c->from[y.id] &&
           cr_dtype_of(y) == CR_F64;
}

static void check_ops(struct check *c, const cr_node leaf[]) {
    cr_node result = c->of[c->x.result.id];
    uint32_t first, size = result.id + 1;
    uint8_t *needed = sweep_needed(c->twin.g, size, &first, c->x.n, leaf);
    uint32_t total = 0, done = 0;
    if (!needed) c->status = CR_ENOMEM;
    for (uint32_t id = first; needed && id < size; id++)
        total += needed[id - first] && is_checked(c, graph_handle(c->twin.g, id));
    c->quiet = total > most_lines;
    for (uint32_t id = first; needed && id < size && !c->status; id++) {
        cr_node y = graph_handle(c->twin.g, id);
        if (!needed[id - first] || !is_checked(c, y)) continue;
        if (done++ % (total / most_nodes + 1) == 0) check_operands(c, y, needed, first, size);
    }
    mem_free(&c->twin.mem, needed, size - first + 1);
    if (total > most_nodes)
        text_add(&c->lines, "(of %u ops, every %u)\n", (unsigned)total, (unsigned)(total / most_nodes + 1));
}

/* ---- The whole ---- */

/* Some elements one by one, then directions: numbered 0 .. count-1. */
static void whole_direction(double t[], const cr_array *v, int i, int elements, int64_t *place) {
    int64_t n = cr_array_count(v);
    *place = i < elements ? i * (n / elements) : -1;
    if (*place < 0) fill_direction(t, v, (uint64_t)i);
    else memset(t, 0, (size_t)n * sizeof *t), t[*place] = scale_of(v);
}

static void check_whole(struct check *c, struct probe *p, cr_node wrt, cr_node x) {
    size_t leaf = leaf_number(&c->twin, x), bytes;
    const cr_array *v = c->twin.leaf[leaf].value;
    int elements = cr_array_count(v) < whole_elements ? (int)cr_array_count(v) : whole_elements,
        n = cr_array_count(v) > 1 ? elements + directions : elements;
    struct finding f[whole_elements + directions] = {{0}};
    int64_t place[whole_elements + directions];
    const int64_t pick = 0;
    struct subject s = {c->x.result, wrt, true, false, 0};
    cr_node result = c->of[c->x.result.id], d;
    double *t = direction_room(c, v, &bytes);
    if (t) c->status = cr_grad(&d, result, 1, &x);
    if (!c->status) c->status = eval_compute(c->twin.e, 1, &d);
    for (int i = 0; i < n && !c->status; i++) {
        whole_direction(t, v, i, elements, &place[i]);
        f[i].found = dot(eval_data(c->twin.e, d), t, cr_array_count(v));
        c->status = probe_judge(p, leaf, t, 1, &pick, c->rtol, c->atol, &f[i]);
    }
    double last = n ? f[n - 1].found : 0;
    for (int i = 0; i < elements; i++) f[i].found /= scale_of(v), f[i].expected /= scale_of(v);
    if (!c->status) conclude(c, &s, elements, place, wrt, f);
    bool along = false; /* directions speak only for what the elements did not show */
    for (int i = elements; i < n; i++) along = along || f[i].verdict == WRONG;
    if (!c->status && along) conclude(c, &s, n - elements, NULL, wrt, f + elements);
    if (!c->status && n) check_modes(c, &c->twin, &s, result, x, cr_number(c->twin.g, 1), t, last);
    mem_free(&c->x.mem, t, bytes);
}

static void check_wholes(struct check *c, const cr_node leaf[]) {
    struct probe p = {0};
    if (c->status) return;
    c->status = probe_open(&p, &c->twin, c->of[c->x.result.id]);
    for (int i = 0; i < c->x.n && !c->status; i++) check_whole(c, &p, c->x.wrt[i], leaf[i]);
    probe_close(&p);
}

/* ---- All of it ---- */

static void flush(struct check *c, const char *title) {
    text_str(c->out, title);
    explanation_align(c->out, &c->lines);
    cr_text_clear(&c->lines);
}

static void turn_map(struct check *c) {
    for (uint32_t id = 1; id < c->x.ids; id++)
        if (c->of[id].id && c->of[id].id < c->from_ids) c->from[c->of[id].id] = id;
}

static void run(struct check *c, cr_eval *e, cr_node leaf[]) {
    make_twin(c, e, leaf);
    if (c->status) return;
    c->from_ids = c->twin.g->count;
    c->from = mem_zero(&c->x.mem, mem_mul(c->from_ids, sizeof *c->from));
    if (!c->from) c->status = CR_ENOMEM;
    if (c->status) return;
    turn_map(c);
    check_ops(c, leaf);
    flush(c, "Op by op, against differences and the other mode:\n");
    c->quiet = c->x.n > most_lines;
    check_wholes(c, leaf);
    flush(c, "The whole, against differences and the other mode:\n");
    text_add(c->out, "%d checked, %d wrong", c->checked, c->wrong);
    if (c->skipped) text_add(c->out, ", %d at a kink or unsure", c->skipped);
    if (c->stops) text_add(c->out, ", stop_gradient held at its value");
    text_char(c->out, '\n');
}

cr_status check_gradients(cr_text *out, cr_eval *e, cr_node result, int n, const cr_node wrt[], double rtol,
                          double atol, const struct check_bend *bend) {
    struct check c = {.out = out, .bend = bend, .rtol = rtol, .atol = atol};
    size_t leaves = mem_mul((size_t)n, sizeof(cr_node));
    c.status = explanation_make(&c.x, NULL, result, n, wrt, 0, false);
    c.lines = text_make(&c.x.mem);
    cr_node *leaf = mem_zero(&c.x.mem, leaves);
    if (!c.status) c.of = mem_zero(&c.x.mem, mem_mul(c.x.ids, sizeof *c.of));
    if (!c.status && (!leaf || !c.of)) c.status = CR_ENOMEM;
    if (!c.status) run(&c, e, leaf);
    if (c.status && c.twin.g && cr_graph_status(c.twin.g)) c.status = cr_graph_status(c.twin.g);
    if (c.status && c.twin.g && cr_graph_error(c.twin.g))
        graph_fail(c.x.g, c.status, "check", "%s", cr_graph_error(c.twin.g));
    if (c.lines.failed) c.status = CR_ENOMEM;
    text_drop(&c.lines);
    mem_free(&c.x.mem, leaf, leaves);
    mem_free(&c.x.mem, c.of, c.x.ids * sizeof *c.of);
    mem_free(&c.x.mem, c.from, c.from_ids * sizeof *c.from);
    twin_close(&c.twin);
    explanation_free(&c.x);
    if (c.status) return c.status;
    return c.wrong ? CR_EFAIL : text_status(out);
}

cr_status cr_check(cr_text *out, cr_eval *e, cr_node result, int n, const cr_node wrt[], double rtol,
                   double atol) {
    if (!out || !e || n < 1 || !wrt || !eval_fits(e, result)) return CR_EINVAL;
    return check_gradients(out, e, result, n, wrt, rtol, atol, NULL);
}
