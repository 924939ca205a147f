/* Every row of the op table as emitted C, in every dtype that it takes, against tests/data/references.inc: a row that has no C
 * fails here. All are built as one unit, without a warning. */
#include "support/emitted.h"
#include "support/references.h"
#include "support/structural.h"
#include "support/ways.h"

#include "ops/build.h"

enum { most_operands = 3, length = 24, most_cases = 2048 };

/* A program of one row: its operands, and what it should give, as doubles. */
struct expected {
    char label[200];
    int n;
    char name[most_operands][2];
    cr_dtype dtype[most_operands];
    int64_t count[most_operands];
    double x[most_operands][length], y[length];
    int64_t results;
    double ulps, absolute; /* of its dtype */
    bool f32;
};

static struct expected *cases;
static int case_count;
static struct emitted_set set;
static bool seen[OP_COUNT];

/* ---- References ---- */

struct folding {
    int64_t key, n, value;
};
#define REFERENCE(...)
#define WIDE(...)
#define INTEGER(...)
#define CASE(...)
#define FOLD(key, n, value) {key, n, value},
static const struct folding foldings[] = {
#include "../data/references.inc"
};
#undef FOLD
enum { folding_count = sizeof foldings / sizeof *foldings };

/* ---- A program for each ---- */

static struct expected *new_case(int op) {
    if (case_count == most_cases) fail_msg("too many cases");
    struct expected *c = &cases[case_count++];
    *c = (struct expected){.results = 1};
    seen[op] = true;
    return c;
}

static cr_node operand(struct expected *c, cr_graph *g, const char *name, cr_dtype dtype, int rank,
                       const int64_t dims[]) {
    int k = c->n++;
    memcpy(c->name[k], name, strlen(name) + 1);
    c->dtype[k] = dtype;
    cr_node x = cr_input(g, name, dtype, rank, dims);
    c->count[k] = cr_count(x);
    return x;
}

/* A program with the value as an output, in f64 so that it is compared as such, and emitted. */
static void add(struct expected *c, cr_graph *g, cr_node y) {
    cr_program *p = NULL;
    cr_target *t = cr_target_new(g);
    if (!cr_ok(y)) fail_msg("%s: %s", c->label, cr_graph_error(g));
    if (cr_dtype_of(y) != CR_I64 && cr_dtype_of(y) != CR_F64) y = cr_cast(y, CR_F64);
    c->results = cr_count(y);
    cr_target_output(t, "result", y);
    if (cr_compile(&p, t, NULL)) fail_msg("%s: %s", c->label, cr_graph_error(g));
    emitted_add(&set, p);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

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

/* As tests/ops/table.c allows outside of a row's domain. */
static void allow(struct expected *c, const struct reference *r) {
    c->ulps = r->wide && r->op == OP_stumpff ? 128 : 4;
    c->absolute = r->wide && r->op == OP_polygamma ? 1e-15 : 0;
}

static void add_elementwise(const struct reference *r, int64_t count, bool f32) {
    static const char *const names[] = {"a", "b", "c"};
    struct expected *c = new_case(r->op);
    cr_graph *g = cr_graph_new(NULL);
    cr_node x[3];
    int arity = arity_of(r->op);
    for (int k = 0; k < arity; k++) {
        cr_dtype dtype = is_flag(r->op, k) ? CR_BOOL : f32 ? CR_F32 : CR_F64;
        x[k] = operand(c, g, names[k], dtype, 1, &count);
        for (int64_t i = 0; i < count; i++) c->x[k][i] = r[i].x[k];
    }
    for (int64_t i = 0; i < count; i++) c->y[i] = r[i].value;
    snprintf(c->label, sizeof c->label, "%s, n = %d, of %s", op_name(r->op), (int)r->n, f32 ? "f32" : "f64");
    c->f32 = f32;
    allow(c, r);
    add(c, g, make_op(g, r->op, r->n, arity, x));
}

static void add_integers(const struct integers *r, bool narrow) {
    struct expected *c = new_case(r->op);
    cr_graph *g = cr_graph_new(NULL);
    cr_dtype dtype = narrow ? CR_I32 : CR_I64;
    cr_node x[2] = {operand(c, g, "a", dtype, 0, NULL), operand(c, g, "b", dtype, 0, NULL)};
    for (int k = 0; k < 2; k++) c->x[k][0] = narrow ? (double)(int32_t)r->x[k] : (double)r->x[k];
    c->y[0] = (double)(narrow ? r->of32 : r->of64);
    snprintf(c->label, sizeof c->label, "%s(%lld, %lld) of %s", op_name(r->op), (long long)r->x[0],
             (long long)r->x[1], cr_dtype_name(dtype));
    add(c, g, make_op(g, r->op, r->n, arity_of(r->op), x));
}

static void add_structural(const struct structural *r) {
    struct expected *c = new_case(r->op);
    cr_graph *g = cr_graph_new(NULL);
    snprintf(c->label, sizeof c->label, "%s", r->formula);
    for (int k = 0; r->names[k]; k++) {
        const struct small *t = k ? &r->y : &r->x;
        char name[2] = {r->names[k], 0};
        operand(c, g, name, strchr("ik", *name) ? CR_I64 : CR_F64, t->rank, t->dims);
        memcpy(c->x[k], t->v, sizeof t->v);
    }
    memcpy(c->y, r->result.v, sizeof r->result.v);
    /* Factorisations round: 1e-13 of the largest element. Sums go one after the other. */
    for (int i = 0; i < length; i++)
        if (isfinite(c->y[i])) c->absolute = fmax(c->absolute, 1e-13 * fabs(c->y[i]));
    add(c, g, cr_formula(g, r->formula));
}

static void add_folding(const struct folding *r) {
    struct expected *c = new_case(OP_fold_in);
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_const(g, CR_I64, 0, NULL, &r->key), n = cr_const(g, CR_I64, 0, NULL, &r->n);
    cr_node same =
        cr_eq(cr_fold_in(x, n), cr_const(g, CR_I64, 0, NULL, &r->value)); /* more bits than a double has */
    snprintf(c->label, sizeof c->label, "fold_in(%lld, %lld)", (long long)r->key, (long long)r->n);
    c->y[0] = 1;
    add(c, g, same);
}

static void add_all(void) {
    for (int i = 0, count; i < reference_count; i += count) {
        const struct reference *r = &references[i];
        for (count = 1; count < length && i + count < reference_count && r[count].op == r->op &&
                        r[count].n == r->n && r[count].wide == r->wide;
             count++) {}
        add_elementwise(r, count, false);
        if (!r->wide) add_elementwise(r, count, true);
    }
    for (int i = 0; i < 2 * integer_count; i++) add_integers(&integers[i / 2], i % 2);
    for (int i = 0; i < structural_count; i++) add_structural(&structurals[i]);
    for (int i = 0; i < folding_count; i++) add_folding(&foldings[i]);
}

/* ---- Running them ---- */

static void put(void *to, const char *type, int64_t i, double v, bool f32) {
    if (strcmp(type, "uint8_t") == 0) ((uint8_t *)to)[i] = v != 0;
    else if (strcmp(type, "int32_t") == 0) ((int32_t *)to)[i] = (int32_t)v;
    else if (strcmp(type, "int64_t") == 0) ((int64_t *)to)[i] = (int64_t)v;
    else if (strcmp(type, "float") == 0 || (f32 && strstr(type, "_real"))) ((float *)to)[i] = (float)v;
    else ((double *)to)[i] = v;
}

static double ulps_apart(double found, double expected, bool f32) {
    int e;
    if (isnan(found) || isnan(expected)) return isnan(found) && isnan(expected) ? 0 : INFINITY;
    if (found == expected) return 0;
    frexp(expected, &e);
    double ulp = f32 ? ldexp(1, e > -125 ? e - 24 : -149) : ldexp(1, e > -1021 ? e - 53 : -1074);
    return fabs(found - expected) / ulp;
}

static void run(const struct expected *c, const struct emitted *e) {
    static double data[most_operands][length], found[length];
    void *port[most_operands + 1], *work = malloc(e->work);
    bool integer = false;
    for (int i = 0; i < e->ports; i++) {
        const struct port *p = &e->port[i];
        port[i] = found;
        if (p->kind == port_out) integer = strcmp(p->type, "int64_t") == 0;
        for (int k = 0; k < c->n && p->kind != port_out; k++)
            if (strcmp(p->name, c->name[k]) == 0) {
                for (int64_t j = 0; j < c->count[k]; j++) put(data[k], p->type, j, c->x[k][j], c->f32);
                port[i] = data[k];
            }
    }
    memset(work, 0x5a, e->work);
    assert_int_equal(e->call(port, 0, 0, work), 0);
    for (int64_t i = 0; i < c->results; i++) {
        double y = integer ? (double)((int64_t *)(void *)found)[i] : found[i];
        if (!(ulps_apart(y, c->y[i], c->f32) <= c->ulps) && !(fabs(y - c->y[i]) <= c->absolute))
            fail_msg("%s: element %d: %.17g, expected %.17g", c->label, (int)i, y, c->y[i]);
    }
    free(work);
}

static int start(void **state) {
    (void)state;
    emitted_start(&set);
    cases = calloc(most_cases, sizeof *cases);
    add_all();
    return 0;
}

static int end(void **state) {
    (void)state;
    emitted_free(&set);
    free(cases);
    return 0;
}

static void run_all(void) {
    for (int i = 0; i < case_count; i++) {
        struct emitted e = emitted_at(&set, i);
        run(&cases[i], &e);
    }
}

TEST(every_row_has_c_that_computes_what_mpmath_says) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++)
        if (op_kind(op) != KIND_LEAF && op_kind(op) != KIND_ALIAS && !seen[op])
            fail_msg("%s has no reference", op_name(op));
    emitted_build(&set, "");
    run_all();
    emitted_unload(&set);
}

TEST(without_libm_every_row_computes_it_too_and_calls_nothing) {
    (void)state;
    emitted_build(&set, "-O0 -DNO_LIBM");
    assert_true(emitted_stands_alone(&set));
    run_all();
    emitted_unload(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {RUN(every_row_has_c_that_computes_what_mpmath_says),
                                       RUN(without_libm_every_row_computes_it_too_and_calls_nothing)};
    int failed = cmocka_run_group_tests(tests, start, end);
    temp_remove(NULL);
    return failed;
}
