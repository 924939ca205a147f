/* The derivative column, row by row and operand by operand: forward mode against extrapolated differences of the oracle,
 * reverse mode against forward mode, second derivatives in every mixture of the two. And what these tests say when a rule is
 * wrong. */
#include "support/test.h"
#include "support/rows.h"
#include "support/ways.h"

#include "ops/build.h"
#include "support/faulty_rules.h"
#include "support/structurals.h"

enum { most = 24, operands = 3 };

/* One op on inputs of a graph, and all that is derived from it. */
struct setup {
    cr_graph *g;
    cr_eval *e;
    int n; /* operands; x[k] their inputs, t[k] and w the directions, all f64 but for flags */
    cr_node x[operands], t[operands], y, w;
    struct given in[operands];
    double data[operands][most], direction[operands][most], weight[most];
    double rtol;
    char label[160];
};

static void add_input(struct setup *s, const char *name, cr_dtype dtype, int rank, const int64_t dims[]) {
    static const char *const directions[] = {"tx", "ty", "tz"};
    int k = s->n++;
    s->in[k] = (struct given){name, dtype, rank, dims, s->data[k], NULL};
    s->x[k] = cr_input(s->g, name, dtype, rank, dims);
    if (dtype == CR_F64) s->t[k] = cr_input(s->g, directions[k], CR_F64, rank, dims);
}

static void set(struct setup *s, cr_node x, const double data[]) {
    if (cr_eval_set(s->e, x, CR_F64, data, (size_t)cr_count(x) * sizeof *data))
        fail_msg("%s: %s", s->label, cr_eval_error(s->e));
}

/* After y is built: its weights, and everything's values. */
static void fill(struct setup *s) {
    if (!cr_ok(s->y)) fail_msg("%s: %s", s->label, cr_graph_error(s->g));
    assert_true(cr_count(s->y) <= most);
    s->w = cr_input(s->g, "w", CR_F64, cr_rank(s->y), cr_dims(s->y));
    for (int i = 0; i < most; i++) {
        s->weight[i] = 2 * row_spread(7 * i + 3) - 1;
        for (int k = 0; k < operands; k++) s->direction[k][i] = 2 * row_spread(5 * i + 11 * k + 1) - 1;
    }
    set(s, s->w, s->weight);
    for (int k = 0; k < s->n; k++) {
        if (s->in[k].dtype == CR_F64) {
            set(s, s->x[k], s->data[k]);
            set(s, s->t[k], s->direction[k]);
        } else cr_eval_set(s->e, s->x[k], CR_BOOL, s->data[k], (size_t)cr_count(s->x[k]));
    }
}

static void start(struct setup *s) {
    *s = (struct setup){.g = cr_graph_new(NULL), .rtol = 1e-12};
    assert_int_equal(cr_eval_new(&s->e, s->g, NULL), CR_OK);
}

static void end(struct setup *s) {
    cr_eval_free(s->e);
    cr_graph_free(s->g);
}

static cr_node wide(cr_node y) { return cr_dtype_of(y) == CR_F64 ? y : cr_cast(y, CR_F64); }

static void values(struct setup *s, cr_node y, double out[]) {
    assert_true(cr_count(y) <= most);
    if (cr_eval_value(s->e, wide(y), CR_F64, out, (size_t)cr_count(y) * sizeof *out))
        fail_msg("%s: %s", s->label, cr_eval_error(s->e) ? cr_eval_error(s->e) : cr_graph_error(s->g));
}

/* |a - b| <= tolerance times the size of the largest element: a derivative sums terms of that size. */
static bool fault_found; /* while a fault is set: that a comparison failed */

static void compare(struct setup *s, int k, const char *what, const double a[], const double b[], int64_t n,
                    double tolerance) {
    double size = 1;
    for (int64_t i = 0; i < n; i++) size = fmax(size, fmax(fabs(a[i]), fabs(b[i])));
    for (int64_t i = 0; i < n; i++)
        if (fabs(a[i] - b[i]) <= tolerance * size) continue;
        else if (fault.op) fault_found = true;
        else
            fail_msg("%s by operand %d: %s: element %d: %.17g and %.17g", s->label, k, what, (int)i, a[i],
                     b[i]);
}

/* ---- Differences ---- */

struct oracle {
    cr_program *p;
    cr_run *r;
    double moved[most], out[most];
};

static void oracle_start(struct oracle *o, struct setup *s, cr_node y, int k) {
    cr_options *options = cr_options_new(NULL);
    cr_target *t = cr_target_new(s->g);
    cr_target_output(t, "result of the test", wide(y));
    cr_options_set(options, "device", "reference");
    if (cr_compile(&o->p, t, options)) fail_msg("%s: %s", s->label, cr_graph_error(s->g));
    cr_run_new(&o->r, o->p, NULL, NULL, 0);
    for (int i = 0; i < s->n; i++) {
        size_t bytes = (size_t)cr_count(s->x[i]) * cr_dtype_size(s->in[i].dtype);
        cr_bind(o->r, s->in[i].name, s->in[i].dtype, i == k ? o->moved : s->data[i], bytes);
    }
    cr_bind(o->r, "w", CR_F64, s->weight, (size_t)cr_count(s->w) * sizeof(double));
    cr_bind(o->r, "result of the test", CR_F64, o->out, (size_t)cr_count(y) * sizeof(double));
    cr_target_free(t);
    cr_options_free(options);
}

static void oracle_end(struct oracle *o) {
    cr_run_free(o->r);
    cr_program_free(o->p);
}

static void oracle_at(struct oracle *o, struct setup *s, int k, double h) {
    for (int i = 0; i < most; i++) o->moved[i] = s->data[k][i] + h * s->direction[k][i];
    if (cr_step(o->r)) fail_msg("%s: %s", s->label, cr_run_error(o->r));
}

enum { columns = 7 };

/* The directional derivative of y by operand k along t, by central differences at h, h/1.6 ..., extrapolated to
 * h = 0 (Ridders 1982; Numerical Recipes 5.7). y must be smooth within h of the operands. */
static void differences(struct setup *s, cr_node y, int k, double out[]) {
    struct oracle o;
    static double a[columns][columns][most];
    double h = 0.02, error[most];
    int64_t n = cr_count(y);
    oracle_start(&o, s, y, k);
    for (int j = 0; j < columns; j++, h /= 1.6) {
        oracle_at(&o, s, k, h);
        memcpy(a[0][j], o.out, sizeof o.out);
        oracle_at(&o, s, k, -h);
        for (int64_t i = 0; i < n; i++) {
            double factor = 2.56;
            a[0][j][i] = (a[0][j][i] - o.out[i]) / (2 * h);
            if (j == 0) error[i] = INFINITY;
            for (int m = 1; m <= j; m++, factor *= 2.56) {
                a[m][j][i] = (a[m - 1][j][i] * factor - a[m - 1][j - 1][i]) / (factor - 1);
                double e = fmax(fabs(a[m][j][i] - a[m - 1][j][i]), fabs(a[m][j][i] - a[m - 1][j - 1][i]));
                if (e <= error[i]) error[i] = e, out[i] = a[m][j][i];
            }
        }
    }
    oracle_end(&o);
}

/* ---- All that must hold of one operand ---- */

static cr_node jvp(struct setup *s, cr_node y, int k) {
    cr_node d;
    if (cr_jvp(&d, 1, &y, 1, &s->x[k], &s->t[k])) fail_msg("%s: %s", s->label, cr_graph_error(s->g));
    return d;
}

static cr_node vjp(struct setup *s, cr_node y, cr_node w, int k) {
    cr_node d;
    if (cr_vjp(&d, 1, &y, &w, 1, &s->x[k])) fail_msg("%s: %s", s->label, cr_graph_error(s->g));
    return d;
}

static double dot(const double a[], const double b[], int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Differences are good to some 1e-9 of the largest element: h^14 terms of functions that vary over 0.3. */
static const double by_differences = 1e-8;

static void check_operand(struct setup *s, int k) {
    int64_t nx = cr_count(s->x[k]), ny = cr_count(s->y);
    double tangent[most], cotangent[most], expected[most], found[most];
    cr_node forward = jvp(s, s->y, k), reverse = vjp(s, s->y, s->w, k);
    assert_int_equal(cr_count(forward), ny);
    assert_int_equal(cr_count(reverse), nx);
    values(s, forward, tangent);
    values(s, reverse, cotangent);
    differences(s, s->y, k, expected);
    compare(s, k, "JVP and differences", tangent, expected, ny, fmax(by_differences, s->rtol));
    double a = dot(s->weight, tangent, ny), b = dot(cotangent, s->direction[k], nx);
    compare(s, k, "w . JVP and VJP . t", &a, &b, 1, s->rtol * (double)(1 + nx + ny));

    double again[most];
    cr_node fr = jvp(s, reverse, k), rr = vjp(s, reverse, s->t[k], k), rf = vjp(s, forward, s->w, k),
            ff = jvp(s, forward, k);
    values(s, fr, found);
    values(s, rr, again);
    compare(s, k, "forward over reverse and reverse over reverse", found, again, nx, 100 * s->rtol);
    values(s, rf, again);
    compare(s, k, "forward over reverse and reverse over forward", found, again, nx, 100 * s->rtol);
    differences(s, reverse, k, expected);
    compare(s, k, "forward over reverse and differences of the gradient", found, expected, nx,
            fmax(10 * by_differences, s->rtol));
    values(s, ff, again);
    a = dot(s->weight, again, ny), b = dot(found, s->direction[k], nx);
    compare(s, k, "forward over forward and forward over reverse", &a, &b, 1,
            100 * s->rtol * (double)(1 + nx + ny));
}

static bool covered[OP_COUNT][operands];

/* ---- Elementwise rows, over shapes ---- */

enum variant { RANK_0, RANK_1, BROADCAST, TRANSPOSED, SLICED, SIZE_0, RANK_8, VARIANTS };

/* The input of operand k, and what the op sees of it. */
static cr_node seen(struct setup *s, enum variant v, int k, cr_dtype dtype) {
    static const char *const names[] = {"x", "y", "z"};
    static const struct {
        int rank;
        int64_t dims[8];
    } shapes[] = {[RANK_0] = {0, {0}},
                  [RANK_1] = {1, {5}},
                  [BROADCAST] = {2, {3, 4}},
                  [TRANSPOSED] = {2, {4, 3}},
                  [SLICED] = {2, {7, 2}},
                  [SIZE_0] = {2, {0, 3}},
                  [RANK_8] = {8, {1, 2, 1, 3, 1, 1, 2, 1}}};
    int rank = shapes[v].rank;
    const int64_t *dims = shapes[v].dims;
    if (v == BROADCAST && k) rank = 2 - k, dims++; /* [3, 4], [4], [] */
    add_input(s, names[k], dtype, rank, dims);
    if (v == TRANSPOSED) return cr_t(s->x[k]);
    if (v == SLICED) return cr_slice(s->x[k], 2, (int64_t[]){5, 1}, (int64_t[]){-2, 1}, (int64_t[]){3, 1});
    return s->x[k];
}

static void element_case(int op, enum variant v, int64_t n) {
    struct setup s;
    cr_node x[operands];
    int arity = row_arity(op);
    const struct op_row *row = ops_row(op);
    start(&s);
    snprintf(s.label, sizeof s.label, "%s, n = %d, variant %d", row->name, (int)n, (int)v);
    for (int k = 0; k < arity; k++)
        x[k] = seen(&s, v, k, row->dtype == DTYPE_SELECT && k == 0 ? CR_BOOL : CR_F64);
    for (int k = 0; k < arity; k++)
        for (int i = 0; i < most; i++) {
            if (s.in[k].dtype == CR_BOOL) ((uint8_t *)s.data[k])[i] = row_spread(i) < 0.5;
            else s.data[k][i] = row_sample(op, k, i);
        }
    double number = (double)n;
    cr_attr attr = {"n", 1, &number, NULL};
    s.y = op == OP_variable ? cr_variable(x[0]) : cr_op(s.g, row->name, arity, x, row_has_n(op), &attr);
    fill(&s);
    for (int k = 0; k < arity; k++)
        if (is_differentiable(op, k)) {
            covered[op][k] = true;
            check_operand(&s, k);
        }
    end(&s);
}

static bool is_elementwise(int op) {
    return (op_kind(op) == KIND_ELEM || op == OP_variable) && ops_row(op)->class != CLASS_ZERO_DERIVATIVE;
}

static void element_cases(int op) {
    int first = op == OP_powi ? -2 : 0, last = row_has_n(op) ? 4 : 0;
    for (int v = 0; v < VARIANTS; v++)
        for (int n = first; n <= last && !fault_found; n++) element_case(op, (enum variant)v, n);
}

TEST(elementwise_derivatives_agree_with_differences_and_each_other) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++)
        if (is_elementwise(op)) element_cases(op);
}

/* ---- Structural rows ---- */

static void structural_case(const struct structural *c, bool squared) {
    struct setup s;
    const struct op_row *row = ops_row(c->op);
    char formula[160];
    start(&s);
    add_input(&s, squared ? "u" : "x", CR_F64, c->rank, c->dims);
    if (c->rank_y >= 0) add_input(&s, squared ? "v" : "y", CR_F64, c->rank_y, c->dims_y);
    if (squared) { /* so that second derivatives are not all 0 */
        cr_named(cr_square(s.x[0]), "x");
        if (c->rank_y >= 0) cr_named(cr_square(s.x[1]), "y");
    }
    for (int k = 0; k < s.n; k++)
        for (int i = 0; i < most; i++)
            s.data[k][i] = row->low + (row->high - row->low) * row_spread(i + 30 * k);
    snprintf(formula, sizeof formula, "%s", c->formula);
    snprintf(s.label, sizeof s.label, "%s%s", c->formula, squared ? " of squares" : "");
    s.y = cr_formula(s.g, formula);
    if (c->op == OP_cast) s.rtol = 1e-6; /* f32 between */
    fill(&s);
    for (int k = 0; k < s.n; k++)
        if (c->op == OP_concat || is_differentiable(c->op, k)) {
            covered[c->op][k] = true;
            check_operand(&s, k);
        }
    end(&s);
}

static void structural_cases(int op) {
    for (size_t i = 0; i < sizeof structurals / sizeof *structurals && !fault_found; i++) {
        if (structurals[i].op != op) continue;
        structural_case(&structurals[i], false);
        if (!fault_found) structural_case(&structurals[i], true);
    }
}

TEST(structural_derivatives_agree_with_differences_and_each_other) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) structural_cases(op);
}

/* Of each row at least five shapes, among them one of rank 8, one of size 0 and a view. */
TEST(every_structural_row_has_five_shapes) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) {
        int cases = 0, eight = 0, empty = 0, views = 0;
        for (size_t i = 0; i < sizeof structurals / sizeof *structurals; i++) {
            const struct structural *c = &structurals[i];
            if (c->op != op) continue;
            bool none = false;
            for (int k = 0; k < c->rank; k++) none = none || c->dims[k] == 0;
            cases++, eight += c->rank + (op == OP_window) == 8, empty += none;
            views += strstr(c->formula, "t(") || strstr(c->formula, "[::") || strstr(c->formula, ", ::") ||
                     op_kind(op) == KIND_VIEW;
        }
        if (cases && (cases < 5 || !eight || !empty || !views))
            fail_msg("%s: %d cases, %d of rank 8, %d of size 0, %d views", op_name(op), cases, eight, empty,
                     views);
    }
}

TEST(every_derivative_of_the_table_is_covered) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++)
        for (int k = 0; k < operands; k++) {
            bool there = op == OP_concat ? k < 2 : k < row_arity(op) || op_kind(op) == KIND_ELEM;
            if (op == OP_part || op_kind(op) == KIND_CONTROL || !there || !is_differentiable(op, k)) continue;
            if (k < row_arity(op) && !covered[op][k])
                fail_msg("%s by operand %d has no case", op_name(op), k);
        }
}

/* ---- References, and rows whose derivative is 0 ---- */

struct reference {
    int op;
    int64_t n;
    double x[3], d[3], dd[3]; /* dd: by a a, a b, b b */
};

#define WIDE(...)
#define INTEGER(...)
#define CASE(...)
#define FOLD(...)
#define REFERENCE(op, n, a, b, c, value, da, db, dc, daa, dab, dbb) \
    {OP_##op, n, {a, b, c}, {da, db, dc}, {daa, dab, dbb}},
static const struct reference references[] = {
#include "../data/references.inc"
};

/* 1e-12 of the derivative's size or of 1: a local gradient is a few roundings. */
TEST(first_and_second_derivatives_agree_with_mpmath_in_both_modes) {
    (void)state;
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        const struct reference *r = &references[i];
        if (ops_row(r->op)->class == CLASS_ZERO_DERIVATIVE) continue;
        struct setup s;
        double number = (double)r->n, found[4], one[most];
        cr_attr attr = {"n", 1, &number, NULL};
        int arity = row_arity(r->op);
        start(&s);
        snprintf(s.label, sizeof s.label, "%s(%.17g, %.17g), n = %d", op_name(r->op), r->x[0], r->x[1],
                 (int)r->n);
        for (int k = 0; k < arity; k++) {
            seen(&s, RANK_0, k, r->op == OP_where && k == 0 ? CR_BOOL : CR_F64);
            s.data[k][0] = r->x[k];
            if (s.in[k].dtype == CR_BOOL) *(uint8_t *)s.data[k] = r->x[k] != 0;
        }
        s.y = cr_op(s.g, op_name(r->op), arity, s.x, row_has_n(r->op), &attr);
        fill(&s);
        one[0] = s.direction[0][0] = s.direction[1][0] = s.direction[2][0] = s.weight[0] = 1;
        set(&s, s.w, one);
        for (int k = 0; k < arity; k++)
            if (s.in[k].dtype == CR_F64) set(&s, s.t[k], one);
        for (int k = r->op == OP_where; k < arity; k++) {
            cr_node forward = jvp(&s, s.y, k), reverse = vjp(&s, s.y, s.w, k);
            values(&s, forward, &found[0]);
            values(&s, reverse, &found[1]);
            compare(&s, k, "forward mode and mpmath", &found[0], &r->d[k], 1, 1e-12);
            compare(&s, k, "reverse mode and mpmath", &found[1], &r->d[k], 1, 1e-12);
            for (int j = k; j < arity && r->op != OP_where; j++) {
                values(&s, jvp(&s, reverse, j), &found[0]);
                values(&s, vjp(&s, reverse, s.w, j), &found[1]);
                values(&s, jvp(&s, forward, j), &found[2]);
                values(&s, vjp(&s, forward, s.w, j), &found[3]);
                for (int m = 0; m < 4; m++)
                    compare(&s, k, "second derivative and mpmath", &found[m], &r->dd[k + j], 1, 1e-11);
            }
        }
        end(&s);
    }
}

TEST(a_row_of_zero_derivative_gives_zeros_of_the_right_shape) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) {
        const struct op_row *row = ops_row(op);
        bool floats = row->dtype == DTYPE_FLOAT || row->dtype == DTYPE_NUMBER || row->dtype == DTYPE_ANY;
        if (row->class != CLASS_ZERO_DERIVATIVE || !floats) continue;
        struct setup s;
        double found[most];
        static const int64_t dims[] = {3, 4};
        start(&s);
        for (int k = 0; k < row_arity(op); k++) {
            add_input(&s, k ? "y" : "x", CR_F64, 2, dims);
            for (int i = 0; i < most; i++) s.data[k][i] = row_sample(op, k, i);
        }
        s.y = cr_op(s.g, row->name, s.n, s.x, 0, NULL);
        fill(&s);
        for (int k = 0; k < s.n; k++) {
            cr_node d[2] = {jvp(&s, s.y, k), vjp(&s, s.y, s.w, k)};
            for (int m = 0; m < 2; m++) {
                assert_int_equal(cr_rank(d[m]), 2);
                assert_int_equal(cr_dims(d[m])[1], 4);
                values(&s, d[m], found);
                for (int i = 0; i < 12; i++) assert_true(found[i] == 0);
            }
        }
        end(&s);
    }
}

/* ---- Faults ---- */

/* What the two tests of derivatives above compare, with the fault that is set. */
static bool fault_is_found(void) {
    fault_found = false;
    if (is_elementwise(fault.op)) element_cases(fault.op);
    else structural_cases(fault.op);
    return fault_found;
}

TEST(every_fault_in_every_row_and_operand_is_found_by_the_tests_above) {
    (void)state;
    int injected = 0, caught = 0;
    while (next_fault()) {
        bool found = fault_is_found();
        if (!fault_applies()) continue;
        injected++, caught += found;
        if (!found)
            print_message("not caught: %s by operand %d, place %d: %s (met %d times)\n", op_name(fault.op),
                          fault.k, (int)fault.place, fault_name(fault.kind), fault.met);
    }
    fault_found = false;
    print_message("faults injected %d, caught %d\n", injected, caught);
    assert_int_equal(injected, caught);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(elementwise_derivatives_agree_with_differences_and_each_other),
        RUN(structural_derivatives_agree_with_differences_and_each_other),
        RUN(every_structural_row_has_five_shapes),
        RUN(every_derivative_of_the_table_is_covered), /* by the two before */
        RUN(first_and_second_derivatives_agree_with_mpmath_in_both_modes),
        RUN(a_row_of_zero_derivative_gives_zeros_of_the_right_shape),
        RUN(every_fault_in_every_row_and_operand_is_found_by_the_tests_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
