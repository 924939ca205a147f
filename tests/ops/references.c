/* Every elementwise row against mpmath: value, first and second derivatives, on both devices. */
#include "support/test.h"

#include "ops/build.h"
#include "run/eval.h"

struct reference {
    int op;
    int64_t n;
    double x[3], value, d[3], dd[3];
};

static const struct reference references[] = {
#define REFERENCE(op, n, a, b, c, value, da, db, dc, daa, dbb, dcc) \
    {OP_##op, n, {a, b, c}, value, {da, db, dc}, {daa, dbb, dcc}},
#include "../data/references.inc"
#undef REFERENCE
};
enum { count = sizeof references / sizeof *references };

/* Rows that are not within 4 ulp, and why. */
static double ulps_of(int op) {
    switch (op) {
    case OP_polygamma: return 64; /* a sum of some ten powers */
    case OP_stumpff: return 64;   /* the alternating series cancels up to x = 9 */
    case OP_erfinv: return 8;     /* Halley's last step */
    case OP_mod:
    case OP_fmod: return 64; /* the quotient is exact, the reference's rounding is not */
    case OP_softplus: return 8;
    default: return 4;
    }
}

static cr_node build(cr_graph *g, const struct reference *r, cr_eval *e, cr_node x[3]) {
    cr_node operand[3];
    enum dtype_rule rule = ops_row(r->op)->dtype;
    int arity = 1;
    for (int k = 1; k < 3; k++)
        if (strstr(ops_row(r->op)->arguments, k == 1 ? ", " : ", x, y") &&
            strstr(ops_row(r->op)->arguments, "n") == NULL)
            arity = k + 1;
    if (r->op == OP_where) arity = 3;
    for (int k = 0; k < arity; k++) {
        char name[2] = {(char)('a' + k), 0};
        x[k] = cr_input(g, name, CR_F64, 0, NULL);
        cr_eval_set(e, x[k], CR_F64, &r->x[k], sizeof r->x[k]);
        bool flag = rule == DTYPE_LOGIC || (r->op == OP_where && k == 0);
        operand[k] = flag ? cr_cast(x[k], CR_BOOL) : x[k];
    }
    double n = (double)r->n;
    bool attribute = strstr(ops_row(r->op)->arguments, "n") != NULL && arity == 1 &&
                     strchr(ops_row(r->op)->arguments, ',') != NULL;
    cr_attr attr = {"n", 1, &n, NULL};
    cr_node y = cr_op(g, ops_row(r->op)->name, arity, operand, attribute, &attr);
    return cr_dtype_of(y) == CR_BOOL ? cr_cast(y, CR_F64) : y;
}

static int arity_of(const cr_node x[3]) { return 1 + (x[1].graph != NULL) + (x[2].graph != NULL); }

TEST(every_elementwise_row_has_references) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) {
        bool found = op_kind(op) != KIND_ELEM || op == OP_fold_in; /* a hash: tests/run/random.c */
        for (int i = 0; i < count; i++) found = found || references[i].op == op;
        if (!found) fail_msg("%s has no reference: run tools/references.py", op_name(op));
    }
}

TEST(values_agree_with_mpmath) {
    (void)state;
    for (int i = 0; i < count; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_eval *e;
        cr_node x[3] = {{0}, {0}, {0}};
        cr_eval_new(&e, g, NULL);
        double found = cr_eval_number(e, build(g, &references[i], e, x));
        if (!within_ulps(found, references[i].value, ulps_of(references[i].op)))
            fail_msg("%s(%.17g, %.17g) = %.17g, expected %.17g", op_name(references[i].op),
                     references[i].x[0], references[i].x[1], found, references[i].value);
        cr_eval_free(e);
        cr_graph_free(g);
    }
}

/* Derivatives: 1e-11 of their size or of 1, whichever is larger: local gradients multiply a few roundings. */
TEST(first_and_second_derivatives_agree_with_mpmath_in_both_modes) {
    (void)state;
    for (int i = 0; i < count; i++) {
        const struct reference *r = &references[i];
        cr_graph *g = cr_graph_new(NULL);
        cr_eval *e;
        cr_node x[3] = {{0}, {0}, {0}};
        cr_eval_new(&e, g, NULL);
        cr_node y = build(g, r, e, x), one = cr_number(g, 1);
        for (int k = 0; k < arity_of(x); k++) {
            cr_node back, back2, forward, forward2;
            cr_grad(&back, y, 1, &x[k]);
            cr_grad(&back2, back, 1, &x[k]);
            cr_jvp(&forward, 1, &y, 1, &x[k], &one);
            cr_jvp(&forward2, 1, &back, 1, &x[k], &one); /* forward over reverse */
            const double found[] = {cr_eval_number(e, back), cr_eval_number(e, forward),
                                    cr_eval_number(e, back2), cr_eval_number(e, forward2)};
            for (int m = 0; m < 4; m++) {
                double expected = m < 2 ? r->d[k] : r->dd[k];
                if (!(fabs(found[m] - expected) <= 1e-11 * fmax(1, fabs(expected))))
                    fail_msg("%s(%g, %g, %g) by operand %d, way %d: %.17g, expected %.17g", op_name(r->op),
                             r->x[0], r->x[1], r->x[2], k, m, found[m], expected);
            }
        }
        cr_eval_free(e);
        cr_graph_free(g);
    }
}

TEST(f32_agrees_with_f64_to_f32_rounding) {
    (void)state;
    for (int i = 0; i < count; i++) {
        const struct reference *r = &references[i];
        if (ops_row(r->op)->dtype != DTYPE_FLOAT && ops_row(r->op)->dtype != DTYPE_NUMBER) continue;
        if (ops_row(r->op)->class != CLASS_SMOOTH) continue;
        cr_graph *g = cr_graph_new(NULL);
        cr_eval *e;
        cr_node x[3] = {{0}, {0}, {0}};
        cr_eval_new(&e, g, NULL);
        cr_node y = build(g, r, e, x), single[2];
        int arity = arity_of(x);
        double slope = 0;
        for (int k = 0; k < arity; k++) single[k] = cr_cast(x[k], CR_F32), slope += fabs(r->d[k] * r->x[k]);
        double n = (double)r->n;
        cr_attr attr = {"n", 1, &n, NULL};
        bool attribute =
            strchr(ops_row(r->op)->arguments, 'n') && arity == 1 && strchr(ops_row(r->op)->arguments, ',');
        float found;
        cr_node z = cr_op(g, ops_row(r->op)->name, arity, single, attribute, &attr);
        assert_int_equal(cr_eval_value(e, z, CR_F32, &found, sizeof found), CR_OK);
        double bound = (fabs(r->value) * 8 + slope) * 0x1p-23 +
                       1e-37; /* 8 ulp of the result, and the operands' rounding */
        if (!(fabs((double)found - r->value) <= bound))
            fail_msg("%s(%g, %g) in f32 = %.9g, expected %.9g", op_name(r->op), r->x[0], r->x[1],
                     (double)found, r->value);
        (void)y;
        cr_eval_free(e);
        cr_graph_free(g);
    }
}

TEST(every_row_says_what_it_is) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) {
        assert_true(strlen(ops_row(op)->sentence) > 2);
        assert_true(ops_row(op)->low <= ops_row(op)->high);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_elementwise_row_has_references),
        RUN(values_agree_with_mpmath),
        RUN(first_and_second_derivatives_agree_with_mpmath_in_both_modes),
        RUN(f32_agrees_with_f64_to_f32_rounding),
        RUN(every_row_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
