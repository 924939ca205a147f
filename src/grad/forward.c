/* Forward mode: tangents from the inputs on. */
#include "grad/grad.h"

#include "tensor/dtype.h"

struct forward {
    cr_graph *g;
    uint32_t first, size;
    uint8_t *needed;
    uint32_t *dot; /* tangents by id - first; 0: none */
};

static cr_node tangent_of(const struct forward *f, uint32_t id) {
    return graph_handle(f->g, id >= f->first && id < f->size ? f->dot[id - f->first] : 0);
}

/* ---- Masks: a tangent where(m, v, 0) is v under the mask m, and stays under it whatever multiplies it, so that a
 * local gradient of inf counts for nothing where the mask does not hold. ---- */

struct masked {
    cr_node value, mask; /* mask: an error node where it holds everywhere */
};

static cr_node both(cr_node m, cr_node with) {
    if (!m.id || !with.id || m.id == with.id) return m.id ? m : with;
    return cr_and(m, with);
}

static struct masked unpack(const struct forward *f, cr_node x) {
    struct masked c = {x, graph_error_node(f->g)};
    while (graph_get(c.value) && graph_get(c.value)->op == OP_where &&
           sweep_is_zero(cr_operand(c.value, 2))) {
        c.mask = both(c.mask, cr_operand(c.value, 0));
        c.value = cr_operand(c.value, 1);
    }
    return c;
}

static cr_node pack(struct masked c) {
    return c.mask.id ? cr_where(c.mask, c.value, cr_number(c.value.graph, 0)) : c.value;
}

static cr_node times(const struct forward *f, cr_node t, cr_node local) {
    struct masked a = unpack(f, t), b = unpack(f, local);
    return pack((struct masked){cr_mul(a.value, b.value), both(a.mask, b.mask)});
}

static cr_node minus(const struct forward *f, cr_node t) {
    struct masked a = unpack(f, t);
    return pack((struct masked){cr_neg(a.value), a.mask});
}

static cr_node plus(const struct forward *f, cr_node t, cr_node u) {
    if (!t.id || !u.id) return t.id ? t : u;
    struct masked a = unpack(f, t), b = unpack(f, u);
    if (a.mask.id == b.mask.id) return pack((struct masked){cr_add(a.value, b.value), a.mask});
    cr_node sum = cr_add(t, u);
    return a.mask.id && b.mask.id ? pack((struct masked){sum, cr_or(a.mask, b.mask)}) : sum;
}

/* Where something that held arrived, the moved tangent holds. The last node multiplies nothing further, so what
 * is 0 of itself needs no mask there. */
static cr_node along(const struct forward *f, struct rule_in in) {
    cr_node moved = rule_jvp(&in), mask = unpack(f, in.t).mask;
    bool clean = rule_kind(graph_get(in.y)->op, in.k) == RULE_LINEAR;
    if (!mask.id || !moved.id || (clean && in.y.id + 1 == f->size)) return moved;
    struct masked a = unpack(f, moved);
    in.t = mask;
    a.mask = both(a.mask, rule_mask_along(&in));
    return pack(a);
}

/* What in.t is to the operand that y is linear in. */
static cr_node drive(const struct forward *f, struct rule_in in) {
    struct masked t = unpack(f, in.t), driven;
    in.t = t.mask;
    cr_node mask = t.mask.id ? rule_mask_along(&in) : t.mask;
    in.t = mask.id ? t.value : pack(t);
    driven = unpack(f, rule_jvp(&in));
    driven.mask = both(driven.mask, mask);
    return pack(driven);
}

/* What the tangent t of operand k adds to the tangent of y (its result `part`). An error node: nothing. */
static cr_node one_operand(const struct forward *f, cr_node y, int k, int part, cr_node t) {
    struct rule_in in = {.y = y, .k = k, .t = t, .part = part};
    double d;
    if (!t.id) return t;
    switch (rule_kind(graph_get(y)->op, k)) {
    case RULE_NONE:
    case RULE_WHOLE:
    case RULE_DRIVES:
    case RULE_ZERO: break;
    case RULE_PASS: return cr_where(rule_local(&in), t, cr_number(f->g, 0));
    case RULE_LINEAR:
    case RULE_WRITTEN:
    case RULE_MASKED: return along(f, in);
    case RULE_LOCAL: {
        cr_node local = rule_local(&in);
        if (!ops_literal(local, &d)) return times(f, t, local);
        if (d == 0) break;
        return d == 1 ? t : d == -1 ? minus(f, t) : times(f, t, local);
    }
    }
    return graph_error_node(f->g);
}

static uint32_t sum_operands(const struct forward *f, cr_node y, int part) {
    cr_node sum = graph_error_node(f->g), driven = sum;
    for (int k = 0; k < cr_operand_count(y); k++) {
        cr_node t = tangent_of(f, cr_operand(y, k).id);
        bool drives = rule_kind(graph_get(y)->op, k) == RULE_DRIVES;
        if (drives && t.id) driven = drive(f, (struct rule_in){.y = y, .k = k, .t = t});
        if (!drives) sum = plus(f, sum, one_operand(f, y, k, part, k == 1 ? plus(f, t, driven) : t));
    }
    return sum.id;
}

/* The tangent of one result of an op that gives those of all at once. */
static uint32_t whole_tangent(const struct forward *f, cr_node y, int part) {
    int n = cr_operand_count(y), parts = ops_part_count(f->g, graph_get(y)), carried = 0;
    size_t nodes = 2 * (size_t)n + (size_t)parts;
    cr_node *x = mem_zero(&f->g->mem, mem_mul(nodes, sizeof *x)), *t = x + n, *out = t + n;
    if (!x) return graph_fail(f->g, CR_ENOMEM, NULL, "out of memory").id;
    for (int k = 0; k < n; k++) {
        x[k] = cr_operand(y, k);
        t[k] = rule_kind(graph_get(y)->op, k) == RULE_WHOLE ? tangent_of(f, x[k].id) : graph_error_node(f->g);
        carried += cr_ok(t[k]);
    }
    for (int k = 0; k < parts; k++) out[k] = graph_error_node(f->g);
    struct whole w = {.y = y, .n = n, .parts = parts, .x = x, .t = t, .out = out};
    if (carried) rule_whole_jvp(&w);
    uint32_t found = out[part].id;
    mem_free(&f->g->mem, x, nodes * sizeof *x);
    return found;
}

/* where selects its tangents, and their masks: what is not chosen stays out, nan or not. */
static uint32_t select_tangent(const struct forward *f, cr_node y) {
    cr_node t = tangent_of(f, cr_operand(y, 1).id), u = tangent_of(f, cr_operand(y, 2).id),
            none = cr_number(f->g, 0), c = cr_operand(y, 0);
    if (!t.id && !u.id) return 0;
    if (!u.id) return cr_where(c, t, none).id;
    if (!t.id) return cr_where(cr_not(c), u, none).id;
    struct masked a = unpack(f, t), b = unpack(f, u), both_sides = {cr_where(c, a.value, b.value), a.mask};
    if (a.mask.id && b.mask.id) both_sides.mask = cr_where(c, a.mask, b.mask);
    else if (a.mask.id) both_sides.mask = cr_or(cr_not(c), a.mask);
    else if (b.mask.id) both_sides.mask = cr_or(c, b.mask);
    return pack(both_sides).id;
}

static uint32_t tangent(const struct forward *f, uint32_t id) {
    cr_node y = graph_handle(f->g, id);
    const struct node n = *graph_at(f->g, id);
    if (n.op == OP_where) return select_tangent(f, y);
    if (n.op == OP_part) {
        cr_node of = cr_operand(y, 0);
        int part = (int)graph_attr(f->g, &n)[0];
        return op_kind(graph_get(of)->op) == KIND_CONTROL ? whole_tangent(f, of, part)
                                                          : sum_operands(f, of, part);
    }
    if (ops_has_parts(n.op)) return 0; /* its parts ask for what they need */
    return sum_operands(f, y, 0);
}

/* The wanted nodes take their tangents as given. */
static bool start(struct forward *f, int n_ys, const cr_node ys[], int n, const cr_node wrt[],
                  const cr_node tangents[]) {
    for (int j = 0; j < n_ys; j++)
        if (ys[j].id >= f->size) f->size = ys[j].id + 1;
    f->needed = sweep_needed(f->g, f->size, &f->first, n, wrt);
    f->dot = f->needed ? mem_zero(&f->g->mem, mem_mul(f->size - f->first + 1, sizeof *f->dot)) : NULL;
    if (!f->dot) return graph_fail(f->g, CR_ENOMEM, NULL, "out of memory"), false;
    for (int i = 0; i < n; i++) {
        struct shape s = ops_shape(wrt[i]);
        cr_node t = ops_expand(ops_to_dtype(tangents[i], cr_dtype_of(wrt[i])), &s);
        if (wrt[i].id < f->size) f->dot[wrt[i].id - f->first] = t.id;
    }
    return f->g->status == CR_OK;
}

static void finish(struct forward *f, cr_node out[], int n_ys, const cr_node ys[]) {
    for (int j = 0; j < n_ys; j++) {
        struct shape s = ops_shape(ys[j]);
        cr_node t = tangent_of(f, ys[j].id);
        out[j] = f->g->status ? graph_error_node(f->g) : t.id ? t : ops_zeros(f->g, cr_dtype_of(ys[j]), &s);
    }
}

static cr_status fail_all(int n, cr_node out[], cr_graph *g) {
    for (int i = 0; i < n && out; i++) out[i] = graph_error_node(g);
    return cr_graph_status(g) ? cr_graph_status(g) : CR_EINVAL;
}

static bool good(int n_ys, const cr_node ys[], int n, const cr_node wrt[], const cr_node tangents[]) {
    if (n < 1 || !wrt || !tangents) {
        graph_fail(ys[0].graph, CR_EINVAL, "jvp",
                   "no direction, a count below 0, or an array that is missing");
        return false;
    }
    for (int j = 0; j < n_ys; j++)
        if (!sweep_wrt_good("jvp", ys[j], n, wrt)) return false;
    for (int i = 0; i < n; i++)
        if (!ops_good("jvp", 2, (cr_node[]){wrt[i], tangents[i]})) return false;
    return true;
}

cr_status cr_jvp(cr_node out[], int n_ys, const cr_node ys[], int n, const cr_node wrt[],
                 const cr_node tangents[]) {
    if (n_ys == 0) return CR_OK;
    if (n_ys < 0 || !ys || !out) return CR_EINVAL; /* there is no graph that could be told */
    if (!good(n_ys, ys, n, wrt, tangents)) return fail_all(n_ys, out, ys[0].graph);
    struct forward f = {.g = wrt[0].graph};
    const bool either = f.g->either;
    f.g->either = true;
    if (start(&f, n_ys, ys, n, wrt, tangents)) {
        for (uint32_t id = f.first; id < f.size && !f.g->status; id++)
            if (f.needed[id - f.first] && !f.dot[id - f.first]) f.dot[id - f.first] = tangent(&f, id);
        finish(&f, out, n_ys, ys);
    }
    f.g->either = either;
    size_t count = f.size - f.first + 1;
    mem_free(&f.g->mem, f.dot, count * sizeof *f.dot);
    mem_free(&f.g->mem, f.needed, count);
    return f.g->status ? fail_all(n_ys, out, f.g) : CR_OK;
}
