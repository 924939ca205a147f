/* Every smooth elementwise row along a line through its operands, orders 0 to 6, in forward and in reverse mode, against mpmath
 * (tests/data/orders.inc). */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(orders_to_six_of_every_smooth_row_agree_with_mpmath_in_both_modes),
        RUN(every_smooth_row_has_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
