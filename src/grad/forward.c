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

/* What the tangent of operand k adds to the tangent of y (its result `part`). An error node: nothing. */
static cr_node one_operand(const struct forward *f, cr_node y, int k, int part) {
    cr_node t = tangent_of(f, cr_operand(y, k).id);
    struct rule_in in = {.y = y, .k = k, .t = t, .part = part};
    double d;
    if (!t.id) return t;
    switch (rule_kind(graph_get(y)->op, k)) {
    case RULE_NONE:
    case RULE_ZERO: break;
    case RULE_PASS: return cr_where(rule_local(&in), t, cr_number(f->g, 0));
    case RULE_LINEAR:
    case RULE_WRITTEN: return rule_jvp(&in);
    case RULE_LOCAL: {
        cr_node local = rule_local(&in);
        if (!ops_literal(local, &d)) return cr_mul(t, local);
        if (d == 0) break;
        return d == 1 ? t : d == -1 ? cr_neg(t) : cr_mul(t, local);
    }
    }
    return graph_error_node(f->g);
}

static uint32_t sum_operands(const struct forward *f, cr_node y, int part) {
    cr_node sum = graph_error_node(f->g);
    for (int k = 0; k < cr_operand_count(y); k++) {
        cr_node t = one_operand(f, y, k, part);
        if (t.id) sum = sum.id ? cr_add(sum, t) : t;
    }
    return sum.id;
}

/* where selects its tangents: what is not chosen stays out, nan or not. */
static uint32_t select_tangent(const struct forward *f, cr_node y) {
    cr_node t = tangent_of(f, cr_operand(y, 1).id), u = tangent_of(f, cr_operand(y, 2).id),
            none = cr_number(f->g, 0);
    if (!t.id && !u.id) return 0;
    return cr_where(cr_operand(y, 0), t.id ? t : none, u.id ? u : none).id;
}

static uint32_t tangent(const struct forward *f, uint32_t id) {
    cr_node y = graph_handle(f->g, id);
    const struct node n = *graph_at(f->g, id);
    if (n.op == OP_where) return select_tangent(f, y);
    if (n.op == OP_part) return sum_operands(f, cr_operand(y, 0), (int)graph_attr(f->g, &n)[0]);
    if (ops_part_count(n.op) > 1) return 0; /* its parts ask for what they need */
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
    for (int i = 0; i < n; i++) out[i] = graph_error_node(g);
    return cr_graph_status(g) ? cr_graph_status(g) : CR_EINVAL;
}

static bool good(int n_ys, const cr_node ys[], int n, const cr_node wrt[], const cr_node tangents[]) {
    if (!sweep_wrt_good("jvp", n, wrt) || !ops_good("jvp", n, tangents) || !ops_good("jvp", n_ys, ys))
        return false;
    if (ys[0].graph == wrt[0].graph && tangents[0].graph == wrt[0].graph) return true;
    graph_fail(ys[0].graph, CR_EINVAL, "jvp", "results and wrt are of different graphs");
    return false;
}

cr_status cr_jvp(cr_node out[], int n_ys, const cr_node ys[], int n, const cr_node wrt[],
                 const cr_node tangents[]) {
    if (n < 1 || n_ys < 0 || !wrt || !tangents || (n_ys && (!out || !ys))) return CR_EINVAL;
    if (n_ys == 0) return CR_OK;
    struct forward f = {.g = wrt[0].graph};
    if (!good(n_ys, ys, n, wrt, tangents)) return fail_all(n_ys, out, ys[0].graph);
    if (start(&f, n_ys, ys, n, wrt, tangents)) {
        for (uint32_t id = f.first; id < f.size && !f.g->status; id++)
            if (f.needed[id - f.first] && !f.dot[id - f.first]) f.dot[id - f.first] = tangent(&f, id);
        finish(&f, out, n_ys, ys);
    }
    size_t count = f.size - f.first + 1;
    mem_free(&f.g->mem, f.dot, count * sizeof *f.dot);
    mem_free(&f.g->mem, f.needed, count);
    return f.g->status ? fail_all(n_ys, out, f.g) : CR_OK;
}
