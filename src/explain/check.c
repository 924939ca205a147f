/* Checking gradients: the whole by both modes and by differences, then op by op. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "grad/grad.h"
#include "run/eval.h"
#include "tensor/dtype.h"

struct check {
    cr_text *out;
    cr_eval *e;
    cr_graph *g;
    cr_node result;
    double rtol, atol;
    int checked, wrong, skipped;
};

static bool close_to(const struct check *c, double a, double b) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= c->atol + c->rtol * fmax(fabs(a), fabs(b));
}

static const char *label(cr_node x, char room[32]) {
    if (cr_name(x)) return cr_name(x);
    struct cr_text t = text_make(&x.graph->mem);
    text_add(&t, "node %u", (unsigned)x.id);
    strncpy(room, cr_text_str(&t), 31);
    room[31] = 0;
    text_drop(&t);
    return room;
}

/* ---- Values of a leaf changed at one element ---- */

static cr_status put(struct check *c, cr_node leaf, const cr_array *at, int64_t i, double change) {
    cr_array *moved = NULL;
    cr_status status = cr_array_cast(&moved, at, cr_array_dtype(at));
    if (!status)
        dtype_put(cr_array_dtype(at), cr_array_data(moved), i,
                  dtype_get(cr_array_dtype(at), cr_array_data(moved), i) + change);
    if (!status)
        status = cr_eval_set(c->e, leaf, cr_array_dtype(at), cr_array_data(moved), cr_array_bytes(moved));
    cr_array_free(moved);
    return status;
}

static double result_at(struct check *c, cr_node leaf, const cr_array *at, int64_t i, double change) {
    return put(c, leaf, at, i, change) ? NAN : cr_eval_number(c->e, c->result);
}

enum { columns = 8 };

/* Ridders' extrapolation of central differences (Numerical Recipes, 5.7): gives the derivative and its error
 * estimate. */
static double ridders(struct check *c, cr_node leaf, const cr_array *at, int64_t i, double *error) {
    double a[columns][columns],
        x = dtype_get(cr_array_dtype(at), cr_array_data((cr_array *)(uintptr_t)at), i);
    bool single = cr_array_dtype(at) == CR_F32;
    double h = (single ? 0.05 : 0.02) * fmax(fabs(x), 1), best = NAN;
    *error = INFINITY;
    for (int k = 0; k < columns; k++, h /= 1.6) {
        a[0][k] = (result_at(c, leaf, at, i, h) - result_at(c, leaf, at, i, -h)) / (2 * h);
        double factor = 1.6 * 1.6;
        for (int j = 1; j <= k; j++, factor *= 1.6 * 1.6) {
            a[j][k] = (a[j - 1][k] * factor - a[j - 1][k - 1]) / (factor - 1);
            double e = fmax(fabs(a[j][k] - a[j - 1][k]), fabs(a[j][k] - a[j - 1][k - 1]));
            if (e <= *error) *error = e, best = a[j][k];
        }
    }
    return best;
}

/* A kink nearby shows as differences to the left and right that disagree, however small the step. */
static bool at_kink(struct check *c, cr_node leaf, const cr_array *at, int64_t i, double found) {
    double x = dtype_get(cr_array_dtype(at), cr_array_data((cr_array *)(uintptr_t)at), i),
           h = 1e-6 * fmax(fabs(x), 1);
    double middle = result_at(c, leaf, at, i, 0);
    double right = (result_at(c, leaf, at, i, h) - middle) / h,
           left = (middle - result_at(c, leaf, at, i, -h)) / h;
    double low = fmin(left, right), high = fmax(left, right), slack = 1e-4 * fmax(fabs(found), 1);
    return high - low > slack && found >= low - slack && found <= high + slack;
}

enum { most_elements = 64 }; /* of a tensor, spread evenly, that are compared with differences */

static cr_status check_leaf(struct check *c, cr_node leaf, cr_node gradient) {
    cr_array *at = NULL, *found = NULL;
    char room[32];
    cr_status status = cr_eval_array(&at, c->e, leaf);
    if (!status) status = cr_eval_array(&found, c->e, gradient);
    int64_t count = status ? 0 : cr_array_count(at), step = count / most_elements + 1;
    for (int64_t i = 0; i < count; i += step) {
        if (!isfinite(
                dtype_get(cr_array_dtype(at), cr_array_data(at), i))) { /* no neighbours to compare with */
            c->skipped++;
            continue;
        }
        double error, d = dtype_get(cr_array_dtype(found), cr_array_data(found), i),
                      expected = ridders(c, leaf, at, i, &error);
        bool ok = close_to(c, d, expected) || fabs(d - expected) <= 4 * error + c->atol;
        if (!ok && at_kink(c, leaf, at, i, d)) {
            c->skipped++;
            text_add(c->out, "  %s[%lld]: at a kink, not compared\n", label(leaf, room), (long long)i);
            continue;
        }
        c->checked++;
        if (ok) continue;
        c->wrong++;
        text_add(c->out, "  WRONG: d/d%s[%lld]: the chain rule gives ", label(leaf, room), (long long)i);
        text_rounded(c->out, d, 10);
        text_str(c->out, ", differences give ");
        text_rounded(c->out, expected, 10);
        text_char(c->out, '\n');
    }
    if (count) put(c, leaf, at, 0, 0);
    cr_array_free(at);
    cr_array_free(found);
    return status;
}

/* Forward mode along ones against the sum of the gradient: both come from the same rows, along different
 * ways. */
static cr_status check_modes(struct check *c, cr_node leaf, cr_node gradient) {
    char room[32];
    cr_node one = cr_number(c->g, 1), t;
    cr_status status = cr_jvp(&t, 1, &c->result, 1, &leaf, &one);
    if (status) return status;
    double forward = cr_eval_number(c->e, t),
           backward = cr_eval_number(c->e, cr_sum(gradient, 0, NULL, false));
    c->checked++;
    if (close_to(c, forward, backward)) return CR_OK;
    c->wrong++;
    text_add(c->out, "  WRONG: by %s: forward mode gives ", label(leaf, room));
    text_rounded(c->out, forward, 10);
    text_str(c->out, ", reverse mode ");
    text_rounded(c->out, backward, 10);
    text_char(c->out, '\n');
    return CR_OK;
}

/* ---- Op by op: one node alone, its operands as inputs of a graph of its own ---- */

/* The node again, over inputs that have its operands' values. */
static cr_node alone(struct check *c, cr_node y, cr_graph *own, cr_eval **eval, cr_node x[3]) {
    const struct node *n = graph_get(y);
    cr_status status = cr_eval_new(eval, own, NULL);
    for (uint32_t k = 0; k < n->n && !status; k++) {
        char name[8] = {'x', (char)('0' + k), 0};
        cr_node a = cr_operand(y, (int)k);
        cr_array *v = NULL;
        status = cr_eval_array(&v, c->e, a);
        x[k] = cr_input(own, name, cr_dtype_of(a), cr_rank(a), cr_dims(a));
        if (!status) status = cr_eval_set(*eval, x[k], cr_dtype_of(a), cr_array_data(v), cr_array_bytes(v));
        cr_array_free(v);
    }
    struct shape s = graph_shape(y.graph, n);
    if (status) return graph_error_node(own);
    return ops_node(n->op, (cr_dtype)n->dtype, &s, (int)graph_attr_count(y.graph, n), graph_attr(y.graph, n),
                    (int)n->n, x);
}

/* Weights of the sum that makes one number of the node's result: different for each element. */
static cr_node weigh(cr_node y) {
    struct shape s = ops_shape(y);
    cr_node w = cr_add(cr_cos(cr_cast(cr_iota(y.graph, cr_count(y)), CR_F64)), cr_number(y.graph, 2));
    return cr_sum(cr_mul(cr_cast(y, CR_F64), ops_reshape(w, &s)), 0, NULL, false);
}

static void check_node(struct check *c, cr_node y) {
    const struct node *n = graph_get(y);
    cr_graph *own = cr_graph_new(NULL);
    cr_eval *eval = NULL;
    cr_node x[3], d;
    int before = c->wrong;
    if (!own) return;
    cr_node again = alone(c, y, own, &eval, x);
    for (uint32_t k = 0; k < n->n && cr_ok(again); k++) {
        enum rule_kind kind = rule_kind(n->op, (int)k);
        if (kind == RULE_NONE || kind == RULE_ZERO || !dtype_is_float(cr_dtype_of(x[k]))) continue;
        struct check one = *c;
        one.e = eval;
        one.g = own;
        one.result = weigh(again);
        if (cr_grad(&d, one.result, 1, &x[k]) == CR_OK) check_leaf(&one, x[k], d);
        c->checked = one.checked, c->wrong = one.wrong, c->skipped = one.skipped;
    }
    char room[32];
    if (c->wrong > before) text_add(c->out, "  ... in op %s (%s)\n", op_name(n->op), label(y, room));
    cr_eval_free(eval);
    cr_graph_free(own);
}

static void check_ops(struct check *c, int n, const cr_node wrt[]) {
    uint32_t first, size = c->result.id + 1;
    uint8_t *needed = sweep_needed(c->g, size, &first, n, wrt);
    for (uint32_t id = first; needed && id < size; id++) {
        cr_node y = graph_handle(c->g, id);
        enum op_kind kind = op_kind(graph_at(c->g, id)->op);
        if (needed[id - first] && kind != KIND_LEAF && kind != KIND_ALIAS && graph_at(c->g, id)->n <= 3 &&
            ops_part_count(graph_at(c->g, id)->op) == 1)
            check_node(c, y);
    }
    if (needed) mem_free(&c->g->mem, needed, size - first + 1);
}

static cr_status check_all(struct check *c, int n, const cr_node wrt[]) {
    for (int i = 0; i < n; i++) {
        cr_node d;
        cr_status status = cr_grad(&d, c->result, 1, &wrt[i]);
        if (!status) status = check_leaf(c, wrt[i], d);
        if (!status) status = check_modes(c, wrt[i], d);
        if (status) return status;
    }
    return CR_OK;
}

cr_status cr_check(cr_text *out, cr_eval *e, cr_node result, int n, const cr_node wrt[], double rtol,
                   double atol) {
    if (!out || !e || n < 1 || !wrt || !graph_get(result)) return CR_EINVAL;
    struct check c = {out, e, result.graph, result, rtol, atol, 0, 0, 0};
    size_t mark = cr_graph_mark(c.g);
    cr_status status = eval_compute(e, 1, &result);
    if (!status) text_str(out, "op by op, against differences:\n"), check_ops(&c, n, wrt);
    if (!status) text_str(out, "the whole, against differences and the other mode:\n");
    if (!status) status = check_all(&c, n, wrt);
    cr_graph_cut(c.g, mark);
    if (status) return status;
    text_add(out, "%d checked, %d wrong", c.checked, c.wrong);
    if (c.skipped) text_add(out, ", %d at kinks", c.skipped);
    text_char(out, '\n');
    return c.wrong ? CR_EFAIL : text_status(out);
}
