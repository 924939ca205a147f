/* Simplified formulas have the values of the originals: random formulas and their derivatives, computed by
 * the library's own run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "chainrule.h"

enum { names = 3, rows = 4 };

struct world {
    cr_graph *g;
    cr_node x[names];
    uint64_t seed;
};

static uint64_t next(struct world *w) { /* Marsaglia's xorshift64 */
    w->seed ^= w->seed << 13, w->seed ^= w->seed >> 7, w->seed ^= w->seed << 17;
    return w->seed >> 8;
}

static cr_node number(struct world *w) {
    static const double some[] = {0, 1, -1, 2, 3, -4, 0.5, 0.1, -1.5};
    return cr_number(w->g, some[next(w) % (sizeof some / sizeof *some)]);
}

/* At least 1, so that its root, logarithm and reciprocal are tame. */
static cr_node positive(struct world *w, cr_node a) {
    return cr_add(cr_square(a), cr_number(w->g, 1 + (double)(next(w) % 2)));
}

static cr_node grow(struct world *w, cr_node a, cr_node b) {
    switch (next(w) % 16) {
    case 0:
    case 1: return cr_add(a, b);
    case 2:
    case 3: return cr_sub(a, b);
    case 4:
    case 5: return cr_mul(a, b);
    case 6: return cr_neg(a);
    case 7: return cr_powi(a, (int64_t)(next(w) % 4));
    case 8: return cr_div(a, positive(w, b));
    case 9: return cr_sin(a);
    case 10: return cr_cos(a);
    case 11: return cr_sqrt(positive(w, a));
    case 12: return cr_exp(cr_sin(a));
    case 13: return cr_log(positive(w, a));
    case 14: return cr_recip(positive(w, a));
    default: return cr_where(cr_lt(a, b), a, b);
    }
}

static cr_node random_formula(struct world *w) {
    cr_node part[12];
    for (int i = 0; i < 12; i++) part[i] = next(w) % 3 ? w->x[next(w) % names] : number(w);
    for (int n = 12; n > 1; n--)
        part[next(w) % (uint64_t)(n - 1)] = grow(w, part[next(w) % (uint64_t)n], part[n - 1]);
    return part[0];
}

static double value_of(cr_eval *e, cr_node x) {
    double v[rows];
    if (cr_rank(x) == 0) return cr_eval_number(e, x);
    assert_int_equal(cr_eval_value(e, x, CR_F64, v, sizeof v), CR_OK);
    double s = 0;
    for (int i = 0; i < rows; i++) s += v[i] * (i + 1);
    return s;
}

/* 1e-7: products of up to a dozen factors below 1e4 lose that much to cancellation, a wrong rule loses all.
 */
static void same_value(struct world *w, cr_eval *e, cr_node a) {
    cr_node b = cr_simplify(a);
    assert_null(cr_graph_error(w->g));
    assert_int_equal(cr_rank(a), cr_rank(b));
    assert_int_equal(cr_dtype_of(a), cr_dtype_of(b));
    double u = value_of(e, a), v = value_of(e, b);
    if (!isfinite(u) || fabs(u) > 1e4 || fabs(u - v) <= 1e-7 * (1 + fabs(u))) return;
    cr_text *t, *s;
    assert_int_equal(cr_text_new(&t, NULL), CR_OK);
    assert_int_equal(cr_text_new(&s, NULL), CR_OK);
    cr_print(t, a);
    cr_print(s, b);
    fail_msg("%s is %.17g, but %s is %.17g", cr_text_str(t), u, cr_text_str(s), v);
}

static void try_formulas(int count, int rank) {
    struct world w = {.seed = 88172645463325252u + (uint64_t)rank};
    for (int i = 0; i < count; i++) {
        cr_eval *e;
        double v[names][rows];
        w.g = cr_graph_new(NULL);
        assert_int_equal(cr_eval_new(&e, w.g, NULL), CR_OK);
        for (int k = 0; k < names; k++) {
            int r = k ? rank : 0; /* the first is a scalar */
            size_t bytes = (r ? rows : 1) * sizeof(double);
            w.x[k] = cr_input(w.g, (const char *[]){"x", "y", "z"}[k], CR_F64, r, (int64_t[]){rows});
            for (int j = 0; j < rows; j++) v[k][j] = (double)(next(&w) % 4001) / 1000 - 2;
            assert_int_equal(cr_eval_set(e, w.x[k], CR_F64, v[k], bytes), CR_OK);
        }
        cr_node f = cr_add(random_formula(&w), w.x[0]), loss = cr_mean(f, 0, NULL, false), d[names];
        same_value(&w, e, f);
        assert_int_equal(cr_grad(d, loss, names, w.x), CR_OK);
        for (int k = 0; k < names; k++) same_value(&w, e, d[k]);
        cr_eval_free(e);
        cr_graph_free(w.g);
    }
}

static void of_scalars(void **state) {
    (void)state;
    try_formulas(3000, 0);
}

static void of_vectors(void **state) {
    (void)state;
    try_formulas(3000, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_scalars), cmocka_unit_test(of_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
