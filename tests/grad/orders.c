/* Every smooth elementwise row along a line through its operands, orders 0 to 6, in forward and in reverse mode, against mpmath
 * (tests/data/orders.inc); and that the nodes of order 10 are few. */
#include "support/test.h"
#include "support/rows.h"

#include "ops/build.h"

enum { orders = 6 };

static const struct reference {
    int op;
    int64_t n;
    double at[2], direction[2], expected[orders + 1];
} references[] = {
#define ORDERS(op, n, a, b, u, v, ...) {OP_##op, n, {a, b}, {u, v}, {__VA_ARGS__}},
#include "../data/orders.inc"
#undef ORDERS
};
enum { reference_count = sizeof references / sizeof *references };

/* The row of a + u t, b + v t as a function of t, at t = 0. */
static struct fixture along_a_line(const struct reference *r) {
    struct fixture f = fixture_of("t", "t", 0., NULL);
    cr_node x[2];
    double n = (double)r->n;
    cr_attr attr = {"n", 1, &n, NULL};
    for (int k = 0; k < 2; k++)
        x[k] = cr_add(cr_number(f.g, r->at[k]), cr_mul(cr_number(f.g, r->direction[k]), f.y));
    f.y = cr_op(f.g, op_name(r->op), row_arity(r->op), x, row_has_n(r->op), &attr);
    if (!cr_ok(f.y)) fail_msg("%s: %s", op_name(r->op), cr_graph_error(f.g));
    return f;
}

/* Relative, or to the largest of the orders up to it: of the terms that a derivative is a sum of, some have the size of those below. */
static const double tolerance = 1e-12;

TEST(orders_to_six_of_every_smooth_row_agree_with_mpmath_in_both_modes) {
    (void)state;
    double worst = 0;
    int compared = 0;
    for (int i = 0; i < reference_count; i++) {
        const struct reference *r = &references[i];
        struct fixture f = along_a_line(r);
        double size = 0;
        for (int k = 0; k <= orders; k++) {
            size = fmax(size, fabs(r->expected[k]));
            double found[2] = {derivative(&f, "t", k), derivative_forward(&f, "t", k)};
            for (int mode = 0; mode < 2; mode++, compared++) {
                double error = fabs(found[mode] - r->expected[k]) / size;
                worst = fmax(worst, error);
                if (!(error <= tolerance))
                    fail_msg("%s(%.17g, %.17g), n = %d, order %d, %s: %.17g, expected %.17g", op_name(r->op),
                             r->at[0], r->at[1], (int)r->n, k, mode ? "forward" : "reverse", found[mode],
                             r->expected[k]);
            }
        }
        fixture_free(&f);
    }
    print_message("%d derivatives of %d lines, the worst off by %.1e\n", compared, reference_count, worst);
}

TEST(every_smooth_row_has_orders) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) {
        bool found = op_kind(op) != KIND_ELEM || ops_row(op)->class != CLASS_SMOOTH;
        for (int i = 0; i < reference_count; i++) found = found || references[i].op == op;
        if (!found) fail_msg("%s: run tools/references.py orders > tests/data/orders.inc", op_name(op));
    }
}

/* ---- Nodes ---- */

/* How many nodes y is computed from, itself included. */
static int nodes_of(cr_node y) {
    size_t n = cr_graph_count(y.graph);
    uint8_t *met = calloc(n, 1);
    cr_node *waiting = malloc(n * sizeof *waiting);
    size_t count = 0, next = 0;
    assert_non_null(met), assert_non_null(waiting);
    waiting[count++] = y, met[y.id] = 1;
    while (next < count) {
        cr_node x = waiting[next++];
        for (int k = 0; k < cr_operand_count(x); k++) {
            cr_node a = cr_operand(x, k);
            if (!met[a.id]) waiting[count++] = a, met[a.id] = 1;
        }
    }
    free(met), free(waiting);
    return (int)count;
}

/* A product's derivatives of order k are some k terms each of products of lower ones: with equal nodes held once, O(k^2) new nodes
 * an order. The constants leave pow (50 nodes at order 2) and hypot (3140 at order 10) in; what doubles from order to order, as
 * where products are held as trees, is beyond it by order 10. */
static int bound_of_order(int k) { return 4 * k * k * k + 25; }

static void few_nodes(const char *label, cr_node y, int n_wrt, const cr_node wrt[], const cr_node t[]) {
    for (int k = 1; k <= 10; k++) {
        if (cr_jvp(&y, 1, &y, n_wrt, wrt, t)) fail_msg("%s: %s", label, cr_graph_error(y.graph));
        if (nodes_of(y) > bound_of_order(k))
            fail_msg("%s: %d nodes at order %d, at most %d expected", label, nodes_of(y), k,
                     bound_of_order(k));
    }
}

TEST(order_ten_of_every_smooth_elementwise_row_takes_a_polynomial_number_of_nodes) {
    (void)state;
    static const char *const names[] = {"t0", "t1", "t2"};
    int rows = 0;
    for (int op = 1; op < OP_COUNT; op++) {
        struct row_case c;
        if (op_kind(op) != KIND_ELEM || ops_row(op)->class != CLASS_SMOOTH) continue;
        for (int i = 0; row_case_make(&c, op, i, CR_F64); i++, rows++) {
            cr_node t[3];
            for (int k = 0; k < c.n_wrt; k++)
                t[k] = cr_input(c.g, names[k], CR_F64, cr_rank(c.wrt[k]), cr_dims(c.wrt[k]));
            few_nodes(c.label, c.y, c.n_wrt, c.wrt, t);
            row_case_free(&c);
        }
    }
    assert_true(rows > 40);
}

TEST(order_ten_of_a_composite_takes_a_polynomial_number_of_nodes) {
    (void)state;
    struct fixture f = fixture_of("exp(sin(x)*sin(x^2))", "x", 0.5, NULL);
    cr_node x = cr_find(f.g, "x"), one = cr_number(f.g, 1);
    few_nodes("exp(sin(x)*sin(x^2))", f.y, 1, &x, &one);
    fixture_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(orders_to_six_of_every_smooth_row_agree_with_mpmath_in_both_modes),
        RUN(every_smooth_row_has_orders),
        RUN(order_ten_of_every_smooth_elementwise_row_takes_a_polynomial_number_of_nodes),
        RUN(order_ten_of_a_composite_takes_a_polynomial_number_of_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
