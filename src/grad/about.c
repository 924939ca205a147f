/* Sums of what stands about a mean: sum(x - mean(x)) is 0, along the axes of both, whatever multiplies it there as one number. On the
 * way back from a normalisation such a sum meets others; without it they are sums of what comes in, known before the normalisation's
 * own numbers are: a pass over each line less. Where nothing vanishes, sums stay as they are written. */
#include "grad/helpers.h"
#include "tensor/dtype.h"

enum { deepest = 8 }; /* of sums, products and signs that are looked through */

struct about {
    int n, axes[CR_MAX_RANK]; /* from the end, ascending; of sizes other than 1 */
    int64_t count;            /* of numbers in each sum */
    struct shape kept;        /* with those axes of size 1 */
};

static int op_of(cr_node x) { return graph_get(x)->op; }

static bool is_axis(const struct about *a, int axis) {
    for (int i = 0; i < a->n; i++)
        if (a->axes[i] == axis) return true;
    return false;
}

static bool find_axes(struct about *a, cr_node g, const struct shape *s) {
    struct shape from = ops_shape(g);
    *a = (struct about){.count = 1, .kept = *s};
    if (from.rank != s->rank) return false;
    for (int i = 0; i < s->rank; i++) {
        if (from.dim[i] == s->dim[i]) continue;
        a->axes[a->n++] = i - s->rank;
        a->count *= from.dim[i];
    }
    return a->n > 0 && a->count > 0;
}

/* Is it one number along the axes, repeated? one: that, in a shape that repeats to the sum's. */
static bool is_repeated(const struct about *a, cr_node x, cr_node *one) {
    if (op_of(x) != OP_expand) return false;
    *one = cr_operand(x, 0);
    for (int i = 0; i < a->n; i++)
        if (-a->axes[i] <= cr_rank(*one) && cr_dims(*one)[cr_rank(*one) + a->axes[i]] != 1) return false;
    return true;
}

/* Is it sum(x)/n, by cr_mean? */
static bool is_mean(const struct about *a, cr_node m, cr_node x) {
    double n;
    if (op_of(m) != OP_div) return false;
    cr_node total = cr_operand(m, 0), count = cr_operand(m, 1);
    if (op_of(total) == OP_reshape) total = cr_operand(total, 0);
    if (op_of(count) == OP_expand) count = cr_operand(count, 0);
    if (op_of(total) != OP_sum || !cr_same(cr_operand(total, 0), x)) return false;
    const struct node *sum = graph_get(total);
    for (size_t i = 0; i < graph_attr_count(x.graph, sum); i++) {
        int axis = (int)graph_attr(x.graph, sum)[i];
        if (!is_axis(a, axis) && cr_dims(x)[cr_rank(x) + axis] != 1) return false;
    }
    return cr_count(x) / a->count == cr_count(total) && ops_literal(count, &n) && n == (double)a->count;
}

static bool vanishes(const struct about *a, cr_node x) {
    cr_node m;
    return op_of(x) == OP_sub && is_repeated(a, cr_operand(x, 1), &m) && is_mean(a, m, cr_operand(x, 0));
}

/* The factor that is not one number along the axes; the other one. */
static bool split(const struct about *a, cr_node x, cr_node *rest, cr_node *one) {
    if (op_of(x) != OP_mul) return false;
    for (int k = 0; k < 2; k++)
        if (is_repeated(a, cr_operand(x, k), one)) return *rest = cr_operand(x, 1 - k), true;
    return false;
}

static bool any_vanishes(const struct about *a, cr_node x, int depth) {
    cr_node rest, one;
    if (depth == 0) return false;
    if (op_of(x) == OP_neg) return any_vanishes(a, cr_operand(x, 0), depth - 1);
    if (split(a, x, &rest, &one)) return any_vanishes(a, rest, depth - 1);
    if (vanishes(a, x)) return true;
    return (op_of(x) == OP_add || op_of(x) == OP_sub) &&
           (any_vanishes(a, cr_operand(x, 0), depth - 1) || any_vanishes(a, cr_operand(x, 1), depth - 1));
}

/* The sum, axes kept. False: it is 0. */
static bool sum_of(const struct about *a, cr_node x, int depth, cr_node *sum) {
    cr_node rest, one, other;
    if (depth && op_of(x) == OP_neg) {
        if (!sum_of(a, cr_operand(x, 0), depth - 1, sum)) return false;
        return *sum = cr_neg(*sum), true;
    }
    if (depth && split(a, x, &rest, &one)) {
        if (!sum_of(a, rest, depth - 1, sum)) return false;
        return *sum = cr_mul(*sum, ops_expand(one, &a->kept)), true;
    }
    if (depth && vanishes(a, x)) return false;
    if (!depth || (op_of(x) != OP_add && op_of(x) != OP_sub))
        return *sum = cr_sum(x, a->n, a->axes, true), true;
    bool minus = op_of(x) == OP_sub, first = sum_of(a, cr_operand(x, 0), depth - 1, sum);
    if (!sum_of(a, cr_operand(x, 1), depth - 1, &other)) return first;
    if (first) *sum = minus ? cr_sub(*sum, other) : cr_add(*sum, other);
    else *sum = minus ? cr_neg(other) : other;
    return true;
}

bool sum_about_mean(cr_node g, const struct shape *s, cr_node *sum) {
    struct about a;
    if (!cr_ok(g) || (cr_dtype_of(g) != CR_F32 && cr_dtype_of(g) != CR_F64)) return false;
    if (!find_axes(&a, g, s) || !any_vanishes(&a, g, deepest)) return false;
    if (!sum_of(&a, g, deepest, sum)) *sum = ops_zeros(g.graph, cr_dtype_of(g), s);
    return true;
}
