/* Every row of the op table: what it says of itself, and what it computes, in every way of computing it, against
 * tests/data/references.inc. */
#include "support/references.h"
#include "support/structural.h"
#include "support/test.h"
#include "support/ways.h"

#include <float.h>

#include "grad/rules.h"
#include "ops/build.h"

/* ---- How exact ---- */

/* Every row is within the ulps that it says, in f64 and in f32, and half a one of the reference's own. Outside of its domain these
 * are not. */
static const struct {
    int op;
    double ulps, absolute;
    const char *why;
} looser[] = {
    {OP_polygamma, 4, 1e-15, "near the zeros of digamma the terms that cancel have size 1"},
    {OP_stumpff, 128, 0, "for large x, 1 - cos(sqrt(x)) and the like cancel"},
};
static double ulps_apart(double found, double expected, cr_dtype dtype) {
    if (isnan(found) || isnan(expected)) return isnan(found) && isnan(expected) ? 0 : INFINITY;
    if (found == expected) return 0;
    int e;
    frexp(expected, &e);
    double ulp = dtype == CR_F32 ? ldexp(1, e > -125 ? e - 24 : -149) : ldexp(1, e > -1021 ? e - 53 : -1074);
    return fabs(found - expected) / ulp;
}

static bool close_enough(const struct reference *r, double found, cr_dtype dtype) {
    double apart = ulps_apart(found, r->value, dtype);
    for (size_t i = 0; r->wide && i < sizeof looser / sizeof *looser; i++)
        if (looser[i].op == r->op)
            return apart <= looser[i].ulps || fabs(found - r->value) <= looser[i].absolute;
    return apart <= ops_ulps(r->op, r->n) + 0.5;
}

/* ---- Elementwise rows ---- */

static int arity_of(int op) {
    const char *arguments = ops_row(op)->arguments;
    return !strncmp(arguments, "condition", 9) ? 3 : !strncmp(arguments, "x, y", 4) ? 2 : 1;
}

static bool is_flag(int op, int k) {
    return ops_row(op)->dtype == DTYPE_LOGIC || (ops_row(op)->dtype == DTYPE_SELECT && k == 0);
}

static cr_node make_op(cr_graph *g, int op, int64_t n, int arity, const cr_node x[]) {
    double number = (double)n;
    cr_attr attr = {"n", 1, &number, NULL};
    return cr_op(g, op_name(op), arity, x, strstr(ops_row(op)->arguments, ", n") != NULL, &attr);
}

enum { length = 37, spread = 3 }; /* some vectors and a rest; elements apart when strided */

static void put(void *to, cr_dtype dtype, int64_t i, double v) {
    if (dtype == CR_BOOL) ((uint8_t *)to)[i] = v != 0;
    else if (dtype == CR_F32) ((float *)to)[i] = (float)v;
    else ((double *)to)[i] = v;
}

/* The references of one row and attribute as one vector, repeated to its length. */
static void row_by_ways(const struct reference *r, int count, cr_dtype dtype, bool strided) {
    static double data[3][length * spread], result[WAYS][length];
    static const int64_t dims[] = {length};
    int64_t strides[] = {spread};
    int arity = arity_of(r->op), step = strided ? spread : 1;
    struct given in[3];
    cr_node x[3];
    for (int k = 0; k < arity; k++) {
        static const char *const names[] = {"a", "b", "c"};
        cr_dtype of = is_flag(r->op, k) ? CR_BOOL : dtype;
        for (int i = 0; i < length; i++) put(data[k], of, i * step, r[i % count].x[k]);
        in[k] = (struct given){names[k], of, 1, dims, data[k], strided ? strides : NULL};
    }
    cr_graph *g = cr_graph_new(NULL);
    given_inputs(g, arity, in, x);
    cr_node y = make_op(g, r->op, r->n, arity, x);
    if (cr_dtype_of(y) != CR_F64) y = cr_cast(y, CR_F64);
    for (enum way way = 0; way < WAYS; way++) {
        compute(way, y, arity, in, result[way], sizeof *result);
        for (int i = 0; i < length; i++) {
            const struct reference *at = &r[i % count];
            if (!close_enough(at, result[way][i], dtype))
                fail_msg("%s(%.17g, %.17g, %.17g), n = %d, in %s by %s, element %d: %.17g, expected %.17g: "
                         "%.3g ulp",
                         op_name(r->op), at->x[0], at->x[1], at->x[2], (int)r->n, cr_dtype_name(dtype),
                         way_name(way), i, result[way][i], at->value,
                         ulps_apart(result[way][i], at->value, dtype));
        }
        if (way == WAY_REFERENCE) continue; /* the oracle widens, and calls the C library's functions */
        if (memcmp(result[way], result[0], sizeof *result))
            fail_msg("%s in %s: other bits by %s than by cr_eval", op_name(r->op), cr_dtype_name(dtype),
                     way_name(way));
    }
    cr_graph_free(g);
}

static void all_rows(cr_dtype dtype, bool strided) {
    for (int i = 0, count; i < reference_count; i += count) {
        const struct reference *r = &references[i];
        for (count = 1; i + count < reference_count && r[count].op == r->op && r[count].n == r->n; count++) {}
        if (dtype == CR_F32 && r->wide) continue;
        row_by_ways(r, count, dtype, strided);
    }
}

TEST(every_way_of_computing_a_row_agrees_with_mpmath) {
    (void)state;
    all_rows(CR_F64, false);
}

TEST(strided_operands_give_the_same_values) {
    (void)state;
    all_rows(CR_F64, true);
}

TEST(rows_in_f32_agree_with_mpmath_to_f32_rounding) {
    (void)state;
    all_rows(CR_F32, false);
    all_rows(CR_F32, true);
}

TEST(integers_wrap_and_divide_as_the_rows_say) {
    (void)state;
    for (int i = 0; i < 2 * integer_count; i++) {
        const struct integers *c = &integers[i / 2];
        bool narrow = i % 2;
        cr_dtype dtype = narrow ? CR_I32 : CR_I64;
        int32_t small[2] = {(int32_t)c->x[0], (int32_t)c->x[1]};
        int64_t large[2] = {c->x[0], c->x[1]}, found, expected = narrow ? c->of32 : c->of64;
        struct given in[2];
        cr_node x[2];
        for (int k = 0; k < 2; k++)
            in[k] =
                (struct given){k ? "b" : "a", dtype, 0, NULL, narrow ? (void *)&small[k] : &large[k], NULL};
        cr_graph *g = cr_graph_new(NULL);
        given_inputs(g, 2, in, x);
        cr_node y = cr_cast(make_op(g, c->op, c->n, arity_of(c->op), x), CR_I64);
        for (enum way way = 0; way < WAYS; way++) {
            compute(way, y, 2, in, &found, sizeof found);
            if (found != expected)
                fail_msg("%s(%lld, %lld) in %s by %s: %lld, expected %lld", op_name(c->op),
                         (long long)c->x[0], (long long)c->x[1], cr_dtype_name(dtype), way_name(way),
                         (long long)found, (long long)expected);
        }
        cr_graph_free(g);
    }
}

/* What IEEE 754 and the C standard's annex F say at the ends, and what the rows' sentences add. */
TEST(ends_and_nan_are_as_ieee_says) {
    (void)state;
    static const struct {
        int op;
        int64_t n;
        double a, b, expected;
    } cases[] = {
        {OP_exp, 0, -INFINITY, 0, 0},
        {OP_exp, 0, 1000, 0, INFINITY},
        {OP_log, 0, 0, 0, -INFINITY},
        {OP_log, 0, -1, 0, NAN},
        {OP_log1p, 0, -1, 0, -INFINITY},
        {OP_log2, 0, 0, 0, -INFINITY},
        {OP_log10, 0, INFINITY, 0, INFINITY},
        {OP_sqrt, 0, -1, 0, NAN},
        {OP_sqrt, 0, INFINITY, 0, INFINITY},
        {OP_rsqrt, 0, 0, 0, INFINITY},
        {OP_recip, 0, 0, 0, INFINITY},
        {OP_recip, 0, -INFINITY, 0, -0.0},
        {OP_sin, 0, INFINITY, 0, NAN},
        {OP_asin, 0, 2, 0, NAN},
        {OP_acosh, 0, 0.5, 0, NAN},
        {OP_acosh, 0, 1, 0, 0},
        {OP_atanh, 0, 1, 0, INFINITY},
        {OP_atan, 0, INFINITY, 0, 1.5707963267948966},
        {OP_tanh, 0, -INFINITY, 0, -1},
        {OP_erf, 0, INFINITY, 0, 1},
        {OP_erfinv, 0, 1, 0, INFINITY},
        {OP_erfinv, 0, -1, 0, -INFINITY},
        {OP_erfinv, 0, 1.5, 0, NAN},
        {OP_erfinv, 0, 0, 0, 0},
        {OP_lgamma, 0, 0, 0, INFINITY},
        {OP_lgamma, 0, -3, 0, INFINITY},
        {OP_lgamma, 0, 1, 0, 0},
        {OP_polygamma, 0, INFINITY, 0, INFINITY},
        {OP_polygamma, 1, INFINITY, 0, 0},
        {OP_polygamma, 2, INFINITY, 0, -0.0},
        {OP_polygamma, 0, -2, 0, NAN},
        {OP_polygamma, 1, 0, 0, INFINITY},
        {OP_polygamma, 0, NAN, 0, NAN},
        {OP_polygamma, 3, NAN, 0, NAN},
        {OP_stumpff, 0, 0, 0, 1},
        {OP_stumpff, 3, 0, 0, 1. / 6},
        {OP_stumpff, 1, NAN, 0, NAN},
        {OP_stumpff, 0, INFINITY, 0, NAN},
        {OP_stumpff, 1, INFINITY, 0, 0},
        {OP_stumpff, 4, INFINITY, 0, 0},
        {OP_stumpff, 3, -INFINITY, 0, INFINITY},
        {OP_sigmoid, 0, -1000, 0, 0},
        {OP_sigmoid, 0, 1000, 0, 1},
        {OP_sigmoid, 0, -INFINITY, 0, 0},
        {OP_softplus, 0, 1000, 0, 1000},
        {OP_softplus, 0, -1000, 0, 0},
        {OP_softplus, 0, INFINITY, 0, INFINITY},
        {OP_softplus, 0, -INFINITY, 0, 0},
        {OP_softplus, 0, NAN, 0, NAN},
        {OP_relu, 0, NAN, 0, NAN},
        {OP_relu, 0, -INFINITY, 0, 0},
        {OP_relu, 0, -0.0, 0, -0.0},
        {OP_abs, 0, -0.0, 0, 0.0},
        {OP_abs, 0, -INFINITY, 0, INFINITY},
        {OP_sign, 0, NAN, 0, NAN},
        {OP_sign, 0, -0.0, 0, -0.0},
        {OP_sign, 0, -INFINITY, 0, -1},
        {OP_round, 0, -0.5, 0, -0.0},
        {OP_round, 0, INFINITY, 0, INFINITY},
        {OP_ceil, 0, -0.5, 0, -0.0},
        {OP_trunc, 0, -0.5, 0, -0.0},
        {OP_isnan, 0, NAN, 0, 1},
        {OP_isnan, 0, INFINITY, 0, 0},
        {OP_isinf, 0, -INFINITY, 0, 1},
        {OP_isinf, 0, NAN, 0, 0},
        {OP_powi, 0, NAN, 0, 1},
        {OP_powi, -1, 0, 0, INFINITY},
        {OP_powi, -1, -0.0, 0, -INFINITY},
        {OP_powi, 3, -INFINITY, 0, -INFINITY},
        {OP_powi, -2, INFINITY, 0, 0},
        {OP_add, 0, INFINITY, -INFINITY, NAN},
        {OP_mul, 0, 0, INFINITY, NAN},
        {OP_div, 0, 1, 0, INFINITY},
        {OP_div, 0, 0, 0, NAN},
        {OP_pow, 0, 0, 0, 1},
        {OP_pow, 0, -8, 1. / 3, NAN},
        {OP_pow, 0, 0, -1, INFINITY},
        {OP_pow, 0, 1, NAN, 1},
        {OP_maximum, 0, NAN, 1, NAN},
        {OP_maximum, 0, 1, NAN, NAN},
        {OP_minimum, 0, NAN, 1, NAN},
        {OP_minimum, 0, 1, NAN, NAN},
        {OP_maximum, 0, -INFINITY, 1, 1},
        {OP_atan2, 0, 0, 0, 0},
        {OP_atan2, 0, 0, -1, 3.141592653589793},
        {OP_atan2, 0, -0.0, -1, -3.141592653589793},
        {OP_hypot, 0, INFINITY, NAN, INFINITY},
        {OP_hypot, 0, 0, 0, 0},
        {OP_fmod, 0, 1, 0, NAN},
        {OP_fmod, 0, 1, INFINITY, 1},
        {OP_mod, 0, 1, 0, NAN},
        {OP_floordiv, 0, 1, 0, INFINITY},
        {OP_lt, 0, NAN, 1, 0},
        {OP_le, 0, NAN, NAN, 0},
        {OP_eq, 0, NAN, NAN, 0},
        {OP_ne, 0, NAN, NAN, 1},
        {OP_eq, 0, 0.0, -0.0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (enum way way = 0; way < WAYS; way++) {
            double at[2] = {cases[i].a, cases[i].b}, found, expected = cases[i].expected;
            struct given in[] = {{"a", CR_F64, 0, NULL, &at[0], NULL}, {"b", CR_F64, 0, NULL, &at[1], NULL}};
            cr_node x[2];
            cr_graph *g = cr_graph_new(NULL);
            given_inputs(g, 2, in, x);
            cr_node y = make_op(g, cases[i].op, cases[i].n, arity_of(cases[i].op), x);
            compute(way, cr_dtype_of(y) == CR_F64 ? y : cr_cast(y, CR_F64), 2, in, &found, sizeof found);
            if (ulps_apart(found, expected, CR_F64) > 1 ||
                (found == 0 && signbit(found) != signbit(expected)))
                fail_msg("%s(%g, %g), n = %d, by %s: %.17g, expected %.17g", op_name(cases[i].op), at[0],
                         at[1], (int)cases[i].n, way_name(way), found, expected);
            cr_graph_free(g);
        }
}

/* ---- Structural rows ---- */

/* Factorisations round: to 1e-14 times the order of the condition numbers there, some 10, of the largest element. */
static double allowance(const struct structural *c) {
    double size = 0;
    if (c->op != OP_cholesky && c->op != OP_triangular_solve && c->op != OP_solve && c->op != OP_logabsdet &&
        c->op != OP_eigh)
        return 0;
    for (int i = 0; i < 24; i++)
        if (isfinite(c->result.v[i])) size = fmax(size, fabs(c->result.v[i]));
    return 1e-13 * size;
}

TEST(structural_rows_give_what_nested_lists_give) {
    (void)state;
    for (int i = 0; i < structural_count; i++) {
        const struct structural *c = &structurals[i];
        double found[24];
        int64_t count = 1;
        struct structural_inputs s;
        cr_node x[2];
        structural_inputs(&s, c);
        cr_graph *g = cr_graph_new(NULL);
        given_inputs(g, s.n, s.in, x);
        cr_node y = cr_formula(g, c->formula);
        if (!cr_ok(y)) fail_msg("%s: %s", c->formula, cr_graph_error(g));
        assert_int_equal(cr_rank(y), c->result.rank);
        for (int k = 0; k < c->result.rank; k++) {
            assert_int_equal(cr_dims(y)[k], c->result.dims[k]);
            count *= c->result.dims[k];
        }
        cr_node z = cr_dtype_of(y) == CR_F64 ? y : cr_cast(y, CR_F64);
        for (enum way way = 0; way < WAYS; way++) {
            if (way == WAY_REFERENCE && strstr(c->formula, "f64)") && !strstr(c->formula, "uniform"))
                continue; /* the oracle keeps 64 bits where the graph stores fewer */
            compute(way, z, s.n, s.in, found, (size_t)count * sizeof *found);
            for (int64_t j = 0; j < count; j++)
                if (ulps_apart(found[j], c->result.v[j], CR_F64) > 0 &&
                    !(fabs(found[j] - c->result.v[j]) <= allowance(c)))
                    fail_msg("case %d: %s by %s, element %d: %.17g, expected %.17g", i, c->formula,
                             way_name(way), (int)j, found[j], c->result.v[j]);
        }
        cr_graph_free(g);
    }
}

/* ---- What rows say of themselves ---- */

static bool has_reference(int op) {
    for (int i = 0; i < reference_count; i++)
        if (references[i].op == op) return true;
    for (int i = 0; i < structural_count; i++)
        if (structurals[i].op == op) return true;
    return op == OP_fold_in; /* 64 bits, more than a double holds: tests/run/random.c */
}

TEST(every_row_has_a_reference) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++)
        if (op_kind(op) != KIND_LEAF && op_kind(op) != KIND_ALIAS && !has_reference(op))
            fail_msg("%s has no reference: run tools/references.py", op_name(op));
}

TEST(every_row_has_a_sentence_and_a_domain) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) {
        const struct op_row *row = ops_row(op);
        if (!row->name || strcmp(row->name, op_name(op))) fail_msg("row %d has no name", op);
        if (!row->sentence || strlen(row->sentence) < 3) fail_msg("%s has no sentence", row->name);
        if (row->class != CLASS_NOT_A_FUNCTION && op_kind(op) != KIND_ALIAS && op_kind(op) != KIND_CONTROL &&
            !(row->low < row->high))
            fail_msg("%s has no domain", row->name);
        if ((row->class == CLASS_NOT_A_FUNCTION) != (op_kind(op) == KIND_LEAF))
            fail_msg("%s: leaves, and they alone, are no functions", row->name);
    }
}

/* A smooth or piecewise row has a derivative by its first operand or its second; a row of class zero derivative has
 * ZERO and nothing else; PASS belongs to kinks, LOCAL to elementwise rows and aliases. */
TEST(every_row_has_rules_of_its_class) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) {
        int zeros = 0, others = 0;
        for (int k = 0; k < 3; k++) {
            enum rule_kind kind = rule_kind(op, k);
            bool elementwise = op_kind(op) == KIND_ELEM || op_kind(op) == KIND_ALIAS;
            zeros += kind == RULE_ZERO;
            others += kind != RULE_ZERO && kind != RULE_NONE;
            if (kind == RULE_LOCAL && !elementwise)
                fail_msg("%s: LOCAL is for elementwise rows", op_name(op));
            if (kind == RULE_PASS && ops_row(op)->class != CLASS_PIECEWISE)
                fail_msg("%s: PASS makes a kink", op_name(op));
        }
        switch (ops_row(op)->class) {
        case CLASS_SMOOTH:
        case CLASS_PIECEWISE:
            if (!others && op != OP_part)
                fail_msg("%s has no derivative", op_name(op)); /* of a part: the sweeps */
            break;
        case CLASS_ZERO_DERIVATIVE:
            if (others || !zeros) fail_msg("%s should have derivative ZERO alone", op_name(op));
            break;
        case CLASS_NOT_A_FUNCTION:
            if (others || zeros) fail_msg("%s is a leaf and has a derivative", op_name(op));
            break;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_row_has_a_reference),
        RUN(every_row_has_a_sentence_and_a_domain),
        RUN(every_row_has_rules_of_its_class),
        RUN(every_way_of_computing_a_row_agrees_with_mpmath),
        RUN(strided_operands_give_the_same_values),
        RUN(rows_in_f32_agree_with_mpmath_to_f32_rounding),
        RUN(integers_wrap_and_divide_as_the_rows_say),
        RUN(ends_and_nan_are_as_ieee_says),
        RUN(structural_rows_give_what_nested_lists_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
