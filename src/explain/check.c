/* Checking gradients. Every op on the way alone: its local gradients element by element against differences, the
 * other rules along directions, and VJP against JVP by <w, J t> = <t, J' w>. Then the whole, by both modes and by
 * differences. Then the same of the gradient along a direction, which is a graph like any other: so an op that only
 * second derivatives meet is named too. All in double precision at the values that are there: what is checked is the
 * mathematics, not f32. */
#include <math.h>
#include <stdio.h>
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

/* What both orders add to. */
struct tally {
    cr_text *out;
    double rtol, atol;
    int checked, wrong, skipped, stops;
    int kinks;   /* ops that are at one */
    bool narrow; /* a callback computes in f32 */
};

/* One pass: of the result, or of its gradient along a direction. */
struct check {
    struct explanation x; /* for its labels */
    struct tally *all;
    const struct check *before; /* the pass of the first order, in that of the second */
    struct cr_text lines;
    struct twin twin;
    struct twin_map map;
    int right; /* lines that were not written */
    char label[24];
    bool quiet; /* only what is not right has a line */
    cr_status status;
};

/* ---- The report ---- */

/* What only the second pass has is numbered anew, and called g1, g2 ..: n1, n2 .. are the nodes of the first. */
static const char *label_of(void *user, cr_node x) {
    struct check *c = user;
    const char *first = c->before ? explanation_label((void *)(uintptr_t)&c->before->x, x) : NULL;
    const char *label = first ? first : explanation_label(&c->x, x);
    if (!label || first || !c->before || cr_name(x) || explanation_row(&c->x, x)->constant) return label;
    snprintf(c->label, sizeof c->label, "g%s", label + 1);
    return c->label;
}

/* As it is called; a broadcast, a slice, and what only the second pass has, as a formula. */
static void write_label(struct check *c, struct cr_text *t, cr_node x) {
    struct print_labels labels = {label_of, c};
    const char *label = label_of(c, x);
    bool own = label == c->label;
    if (label && !own) {
        text_str(t, label);
        return;
    }
    text_char(t, '(');
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
    const char *d = s->whole ? "d" : PARTIAL;
    text_add(t, "%s\t%s\t%s", verdict, s->whole ? "whole" : cr_op_of(s->y), d);
    if (s->whole && c->before) { /* of the gradient */
        text_str(t, "(d"), write_label(c, t, c->before->x.result), text_str(t, "/dv)");
    } else write_label(c, t, s->y);
    text_add(t, "/%s", d);
    write_label(c, t, s->a);
    if (s->twice) text_add(t, " (operand %d)", s->k + 1);
}

static void say(struct check *c, enum verdict worst, const struct subject *s, const char *how) {
    static const char *const word[] = {"right", "kink", "unsure", "WRONG"};
    /* Where an op has a kink and every op is right, so is the whole, to one side of it. */
    if (s->whole && worst == WRONG && c->all->kinks && !c->all->wrong) worst = AT_KINK;
    c->all->kinks += !s->whole && worst == AT_KINK;
    c->all->checked += worst == RIGHT || worst == WRONG;
    c->all->wrong += worst == WRONG;
    c->all->skipped += worst == AT_KINK || worst == UNSETTLED;
    c->right += c->quiet && worst == RIGHT;
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

/* ---- Directions ---- */

static size_t leaf_number(const struct twin *t, cr_node leaf) {
    size_t i = 0;
    while (i + 1 < t->leaves && !cr_same(t->leaf[i].node, leaf)) i++;
    return i;
}

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
        twin_note_callbacks(&a->twin, y);
        a->y = twin_node(y, x);
        a->one = ops_has_parts(graph_get(y)->op) ? cr_part(a->y, part) : a->y;
        c->status = twin_why_not(a->one);
        if (!c->status) c->status = twin_why_not(a->weights = make_weights(c, a->one));
    }
    mem_free(&c->x.mem, x, bytes);
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
    if (!c->status) c->status = eval_compute(a->twin.e, 1, &d);
    for (int64_t i = 0; i < count && !c->status; i++)
        t[i] = isfinite(values(v)[i]) ? fmax(1, fabs(values(v)[i])) : 1;
    for (int64_t i = 0; i < count && !c->status; i += step, n++) {
        pick[n] = i;
        f[n].found = t[i] * ((const double *)eval_data(a->twin.e, d))[i];
    }
    if (!c->status) {
        c->status = probe_open(&p, &a->twin, a->one);
        if (!c->status) c->status = probe_judge(&p, (size_t)k, t, n, pick, c->all->rtol, c->all->atol, f);
        probe_close(&p);
    }
    for (int i = 0; i < n && !c->status; i++) f[i].found /= t[pick[i]], f[i].expected /= t[pick[i]];
    if (!c->status) conclude(c, s, n, pick, a->one, f);
    mem_free(&c->x.mem, t, bytes);
}

/* The number that one node makes, in the twin. */
static double number_of(struct check *c, struct twin *twin, cr_node sum) {
    if (!c->status) c->status = eval_compute(twin->e, 1, &sum);
    return c->status ? NAN : *(const double *)eval_data(twin->e, sum);
}

static cr_node weighted(cr_node y, cr_node weights) { return cr_sum(cr_mul(y, weights), 0, NULL, false); }

static bool modes_agree(const struct check *c, const struct twin *t, double a, double b) {
    const struct precision *p = twin_precision(t);
    return probe_agree(a, b, fmax(c->all->rtol, p->rtol), fmax(c->all->atol, p->atol)) ||
           (isnan(a) && isnan(b));
}

/* <w, J t> by forward mode, against what the backward mode makes of it. Where y is nan itself, neither is wrong. */
static void check_modes(struct check *c, struct twin *twin, const struct subject *s, cr_node y, cr_node x,
                        cr_node weights, const double t[], double backward) {
    cr_node tangent = cr_const(twin->g, CR_F64, cr_rank(x), cr_dims(x), t), forward;
    struct cr_text how = text_make(&c->x.mem);
    c->status = cr_jvp(&forward, 1, &y, 1, &x, &tangent);
    double found = c->status ? NAN : number_of(c, twin, weighted(forward, weights));
    bool same = modes_agree(c, twin, found, backward);
    bool told = same || !isnan(number_of(c, twin, weighted(y, weights)));
    write_numbers(&how, "forward mode", found, "backward mode", backward);
    if (!c->status && !same) say(c, told ? WRONG : UNSETTLED, s, cr_text_str(&how));
    text_end(&how, &c->lines);
}

/* Equal elements of a sort: their kinks may cancel in the sum, so that it is smooth and has another slope than the rule,
 * which takes one order. */
static void excuse_kinks(struct check *c, struct alone *a, int k, double t[], struct finding f[]) {
    struct probe p = {0};
    bool wrong = false;
    for (int i = 0; i < directions; i++) wrong = wrong || f[i].verdict == WRONG;
    if (!wrong) return;
    c->status = probe_open(&p, &a->twin, a->one);
    for (int i = 0; i < directions && !c->status; i++) {
        bool kink = false;
        fill_direction(t, a->twin.leaf[k].value, (uint64_t)i);
        if (f[i].verdict == WRONG) c->status = probe_find_kink(&p, (size_t)k, t, &kink);
        if (kink) f[i].verdict = AT_KINK;
    }
    probe_close(&p);
}

/* A rule that mixes elements, along directions; the weights make one number of the result. */
static void check_rule(struct check *c, struct alone *a, int k, const struct subject *s, bool differences) {
    const cr_array *v = a->twin.leaf[k].value;
    struct probe p = {0};
    struct finding f[directions] = {{0}};
    const int64_t pick = 0;
    size_t bytes;
    cr_node d, x = a->twin.leaf[k].node, number = weighted(a->one, a->weights);
    double *t = direction_room(c, v, &bytes);
    if (t) c->status = cr_vjp(&d, 1, &a->one, &a->weights, 1, &x);
    if (!c->status) c->status = eval_compute(a->twin.e, 1, &d);
    if (!c->status && differences) c->status = probe_open(&p, &a->twin, number);
    for (int i = 0; i < directions && !c->status; i++) {
        fill_direction(t, v, (uint64_t)i);
        f[i].found = dot(eval_data(a->twin.e, d), t, cr_array_count(v));
        if (differences)
            c->status = probe_judge(&p, (size_t)k, t, 1, &pick, c->all->rtol, c->all->atol, &f[i]);
    }
    int before = c->all->wrong;
    if (!c->status && differences) excuse_kinks(c, a, k, t, f);
    if (!c->status && differences) conclude(c, s, directions, NULL, a->one, f);
    if (!c->status && c->all->wrong == before)
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
    cr_node said = graph_handle(c->x.g, c->map.from[y.id]);
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
        int before = c->all->wrong;
        if (local) check_local(c, &a, k, &s);
        if (!c->status && c->all->wrong == before) check_rule(c, &a, k, &s, !local);
    }
    twin_tell(&a.twin, c->x.g, "check", &c->status);
    twin_close(&a.twin);
}

/* Of an op with several results, each that the derivative goes through. */
static void check_operands(struct check *c, cr_node y, const uint8_t *needed, uint32_t first, uint32_t size) {
    int parts = ops_part_count(y.graph, graph_get(y));
    for (int k = 0; k < parts && !c->status; k++) {
        cr_node part = ops_has_parts(graph_get(y)->op) ? cr_part(y, k) : y;
        if (part.id < size && needed[part.id - first]) check_result(c, y, k, needed, first);
    }
}

static bool was_there(const struct check *before, uint32_t id) {
    return before && id < before->map.ids && before->map.of[id].id;
}

/* Nothing that the pass before has checked; a variable is an op like any other. */
static bool is_checked(const struct check *c, cr_node y) {
    enum op_kind kind = op_kind(graph_get(y)->op);
    bool computes = (kind != KIND_LEAF && kind != KIND_ALIAS) || graph_get(y)->op == OP_variable;
    uint32_t id = y.id < c->map.from_ids ? c->map.from[y.id] : 0;
    return computes && id && cr_dtype_of(y) == CR_F64 && !was_there(c->before, id);
}

static void check_ops(struct check *c, const cr_node leaf[]) {
    cr_node result = c->map.of[c->x.result.id];
    uint32_t first, size = result.id + 1;
    uint8_t *needed = sweep_needed(c->twin.g, size, &first, c->x.n, leaf);
    uint32_t total = 0, done = 0;
    if (!needed) c->status = CR_ENOMEM;
    for (uint32_t id = first; needed && id < size; id++)
        total += needed[id - first] && is_checked(c, graph_handle(c->twin.g, id));
    c->quiet = total > most_lines || c->before;
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
    cr_node result = c->map.of[c->x.result.id], d;
    double *t = direction_room(c, v, &bytes);
    if (t) c->status = cr_grad(&d, result, 1, &x);
    if (!c->status) c->status = eval_compute(c->twin.e, 1, &d);
    for (int i = 0; i < n && !c->status; i++) {
        whole_direction(t, v, i, elements, &place[i]);
        f[i].found = dot(eval_data(c->twin.e, d), t, cr_array_count(v));
        c->status = probe_judge(p, leaf, t, 1, &pick, c->all->rtol, c->all->atol, &f[i]);
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
    c->status = probe_open(&p, &c->twin, c->map.of[c->x.result.id]);
    for (int i = 0; i < c->x.n && !c->status; i++) check_whole(c, &p, c->x.wrt[i], leaf[i]);
    probe_close(&p);
}

/* ---- All of it ---- */

static void flush(struct check *c, const char *title) {
    if (!c->right && !*cr_text_str(&c->lines)) return;
    text_str(c->all->out, title);
    if (c->right) text_add(&c->lines, "right\t(%d)\n", c->right);
    explanation_align(c->all->out, &c->lines);
    cr_text_clear(&c->lines);
    c->right = 0;
}

static void run(struct check *c, cr_eval *e, cr_node leaf[]) {
    c->status = twin_open(&c->twin, c->x.g->ctx);
    if (!c->status) c->status = twin_copy(&c->twin, &c->map, e, c->x.result, c->x.n, c->x.wrt, leaf, true);
    if (!c->status && c->twin.narrowest != CR_F64 && c->twin.narrowest != CR_F32) {
        graph_fail(c->x.g, c->status = CR_EDTYPE, "check",
                   "a callback of %s is too coarse for differences: expected f32 or f64",
                   cr_dtype_name(c->twin.narrowest));
    }
    if (c->status) return;
    check_ops(c, leaf);
    flush(c, c->before ? "Second order, v a direction; op by op:\n"
                       : "Op by op, against differences and the other mode:\n");
    c->quiet = c->x.n > most_lines;
    if (!c->status) check_wholes(c, leaf);
    flush(c,
          c->before ? "Second order, the whole:\n" : "The whole, against differences and the other mode:\n");
}

static cr_status second_order(struct check *first, cr_eval *e);

static cr_status pass(struct tally *all, const struct check *before, cr_eval *e, cr_node result, int n,
                      const cr_node wrt[]) {
    struct check c = {.all = all, .before = before};
    size_t leaves = mem_mul((size_t)n, sizeof(cr_node));
    c.status = explanation_make(&c.x, NULL, result, n, wrt, 0, false);
    c.lines = text_make(&c.x.mem);
    cr_node *leaf = mem_zero(&c.x.mem, leaves);
    if (!c.status) c.status = leaf ? CR_OK : CR_ENOMEM;
    if (!c.status) run(&c, e, leaf), twin_tell(&c.twin, c.x.g, "check", &c.status);
    if (c.lines.failed) c.status = CR_ENOMEM;
    all->stops += before ? 0 : c.map.stops;
    all->narrow = all->narrow || c.twin.narrowest != CR_F64;
    text_drop(&c.lines);
    mem_free(&c.x.mem, leaf, leaves);
    if (!c.status && !before) c.status = second_order(&c, e);
    twin_map_free(&c.twin, &c.map);
    twin_close(&c.twin);
    explanation_free(&c.x);
    return c.status;
}

/* Numbers in [0.5, 2.5) of the shape and dtype of x: a direction that no derivative is by chance perpendicular to. */
static cr_node direction_node(struct check *c, cr_node x, uint64_t seed) {
    size_t bytes;
    struct shape s = ops_shape(x);
    cr_node v = graph_error_node(x.graph);
    int64_t count = cr_count(x);
    double *t = mem_alloc(&c->x.mem, bytes = mem_mul((size_t)count + 1, sizeof *t));
    if (!t) return graph_fail(x.graph, CR_ENOMEM, NULL, "out of memory");
    for (int64_t i = 0; i < count; i++) t[i] = 1.5 + noise((seed << 32) + (uint64_t)i);
    v = cr_cast(cr_const(x.graph, CR_F64, s.rank, s.dim, t), cr_dtype_of(x));
    mem_free(&c->x.mem, t, bytes);
    return v;
}

/* The gradient along a direction: the sum of v * dresult/dwrt; an error node when it could not be made. */
static cr_node along_a_direction(struct check *c) {
    size_t bytes = mem_mul((size_t)c->x.n, sizeof(cr_node));
    cr_node *d = mem_alloc(&c->x.mem, bytes), sum = graph_error_node(c->x.g);
    if (!d) return sum;
    if (!cr_grad(d, c->x.result, c->x.n, c->x.wrt)) {
        for (int i = 0; i < c->x.n; i++) {
            cr_node v = direction_node(c, c->x.wrt[i], (uint64_t)i);
            cr_node one = cr_sum(cr_cast(cr_mul(d[i], v), CR_F64), 0, NULL, false);
            sum = i ? cr_add(sum, one) : one;
        }
    }
    mem_free(&c->x.mem, d, bytes);
    return sum;
}

/* The graph is put back as it was. */
static cr_status second_order(struct check *first, cr_eval *e) {
    cr_graph *g = first->x.g;
    size_t mark = cr_graph_mark(g);
    cr_node along = along_a_direction(first);
    cr_status status = twin_why_not(along);
    if (!status) status = pass(first->all, first, e, along, first->x.n, first->x.wrt);
    cr_graph_cut(g, mark);
    return status;
}

cr_status cr_check(cr_text *out, cr_eval *e, cr_node result, int n, const cr_node wrt[], double rtol,
                   double atol) {
    struct tally all = {.out = out, .rtol = rtol, .atol = atol};
    if (!out || !e || n < 1 || !wrt || !eval_fits(e, result)) return CR_EINVAL;
    cr_status status = pass(&all, NULL, e, result, n, wrt);
    if (status) return status;
    text_add(out, "%d checked, %d wrong", all.checked, all.wrong);
    if (all.skipped) text_add(out, ", %d at a kink or unsure", all.skipped);
    if (all.stops) text_str(out, ", stop_gradient held at its value");
    if (all.narrow) text_str(out, ", what goes through a callback of f32 to 0.001 only");
    text_char(out, '\n');
    return all.wrong ? CR_EFAIL : text_status(out);
}
