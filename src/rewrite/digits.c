/* Forms that keep digits which no row of rules.def can say, since they are about axes. */
#include "rewrite/rewrite.h"

#include <math.h>

#include "ops/build.h"

static cr_node behind_views(cr_node x) {
    while (graph_get(x)->op == OP_reshape || graph_get(x)->op == OP_expand ||
           graph_get(x)->op == OP_stop_gradient)
        x = cr_operand(x, 0);
    return x;
}

/* x - max(x), as softmax has it, or x - maximum(x, y)? */
static bool is_shifted(cr_node x) {
    if (graph_get(x)->op != OP_sub) return false;
    cr_node shift = behind_views(cr_operand(x, 1));
    if (graph_get(shift)->op == OP_where) shift = behind_views(cr_operand(shift, 1));
    return graph_get(shift)->op == OP_max || graph_get(shift)->op == OP_maximum;
}

/* log(sum(exp(x))), of which each exp may overflow or be 0: shifted by the maximum. */
static cr_node log_of_sum(struct rewrite *r, cr_node x) {
    cr_node sum = cr_operand(x, 0);
    struct shape s = ops_shape(x);
    while (graph_get(sum)->op == OP_reshape && !rewrite_opaque(r, sum.id)) sum = cr_operand(sum, 0);
    if (graph_get(sum)->op != OP_sum || rewrite_opaque(r, sum.id)) return x;
    cr_node e = cr_operand(sum, 0);
    if (graph_get(e)->op != OP_exp || rewrite_opaque(r, e.id)) return x;
    const struct node *n = graph_get(sum);
    int axes[CR_MAX_RANK], count = (int)graph_attr_count(r->g, n);
    for (int i = 0; i < count; i++) axes[i] = (int)graph_attr(r->g, n)[i];
    cr_node inner = cr_operand(e, 0);
    if (is_shifted(inner)) return x;
    return ops_reshape(cr_logsumexp(inner, count, axes, false), &s);
}

/* log(exp(a) + exp(b)) likewise; of a masked term, exp(-inf), nothing is left. */
static cr_node log_of_pair(struct rewrite *r, cr_node x) {
    cr_node sum = cr_operand(x, 0), inner[2];
    if (graph_get(sum)->op != OP_add || rewrite_opaque(r, sum.id)) return x;
    for (int i = 0; i < 2; i++) {
        cr_node e = cr_operand(sum, i);
        if (graph_get(e)->op != OP_exp || rewrite_opaque(r, e.id)) return x;
        inner[i] = cr_operand(e, 0);
    }
    if (is_shifted(inner[0]) && is_shifted(inner[1])) return x;
    cr_node shift = ops_shift_by(cr_maximum(inner[0], inner[1]));
    return cr_add(shift, cr_log(cr_add(cr_exp(cr_sub(inner[0], shift)), cr_exp(cr_sub(inner[1], shift)))));
}

/* log(a), if it has a better form; else an error node. */
static cr_node better_log(struct rewrite *r, cr_node a) {
    cr_node plain = cr_log(a), better = cr_ok(plain) ? rewrite_node(r, plain) : plain;
    return cr_ok(better) && graph_get(better)->op != OP_log ? better : graph_error_node(r->g);
}

/* log(mean(exp(x))): the logarithm of what is divided, or multiplied, by a number. */
static cr_node log_of_multiple(struct rewrite *r, cr_node x) {
    cr_node y = cr_operand(x, 0);
    int op = graph_get(y)->op;
    double v;
    if ((op != OP_mul && op != OP_div) || rewrite_opaque(r, y.id)) return x;
    for (int i = op == OP_div; i < 2; i++) { /* the number */
        cr_node a = cr_operand(y, 1 - i);
        if (!rewrite_literal(r, cr_operand(y, i).id, &v) || !(v > 0) || rewrite_opaque(r, a.id)) continue;
        cr_node better = better_log(r, a), number = cr_number(r->g, log(v));
        if (cr_ok(better)) return op == OP_div ? cr_sub(better, number) : cr_add(better, number);
    }
    return x;
}

static bool moves_numbers(int op) {
    return op == OP_slice || op == OP_reshape || op == OP_permute || op == OP_expand || op == OP_gather;
}

/* log(softmax(x)[k]): the logarithm is taken first where it has a better form. */
static cr_node log_of_moved(struct rewrite *r, cr_node x) {
    cr_node moved = cr_operand(x, 0), operand[2];
    const struct node *n = graph_get(moved);
    if (!moves_numbers(n->op) || n->n > 2 || rewrite_opaque(r, moved.id)) return x;
    for (uint32_t i = 0; i < n->n; i++) operand[i] = cr_operand(moved, (int)i);
    if (rewrite_opaque(r, operand[0].id)) return x;
    struct shape s = ops_shape(x);
    operand[0] = better_log(r, operand[0]);
    if (!cr_ok(operand[0])) return x;
    return ops_node(n->op, (cr_dtype)n->dtype, &s, (int)graph_attr_count(r->g, n), graph_attr(r->g, n),
                    (int)n->n, operand);
}

cr_node rewrite_digits(struct rewrite *r, cr_node x) {
    if (graph_get(x)->op != OP_log) return x;
    cr_node y = log_of_sum(r, x);
    if (cr_same(x, y)) y = log_of_pair(r, x);
    if (cr_same(x, y)) y = log_of_multiple(r, x);
    if (cr_same(x, y)) y = log_of_moved(r, x);
    return cr_ok(y) && !cr_same(x, y) ? rewrite_fit(r, y, x) : x;
}
