/* Every row of rules.def: both sides computed from the text of the row at many values, special ones among
 * them, must agree as exactly as the row says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "rewrite/pattern.h"

/* ---- Values of a formula ---- */

struct values {
    double any[3], literal, whole[2];
    bool finite;    /* every number on the way was */
    double largest; /* of their magnitudes */
};

static double whole_power(double a, double n) {
    double p = 1;
    for (double i = fabs(n); i > 0; i--) p *= a;
    return n < 0 ? 1 / p : p;
}

static double maximum(double a, double b) { return isnan(a) || isnan(b) ? NAN : a > b ? a : b; }
static double minimum(double a, double b) { return isnan(a) || isnan(b) ? NAN : a < b ? a : b; }

static double apply(int op, double a, double b, double c) {
    switch (op) {
    case OP_add: return a + b;
    case OP_sub: return a - b;
    case OP_mul: return a * b;
    case OP_div: return a / b;
    case OP_neg: return -a;
    case OP_abs: return fabs(a);
    case OP_square: return a * a;
    case OP_recip: return 1 / a;
    case OP_sqrt: return sqrt(a);
    case OP_rsqrt: return 1 / sqrt(a);
    case OP_exp: return exp(a);
    case OP_log: return log(a);
    case OP_sin: return sin(a);
    case OP_cos: return cos(a);
    case OP_tanh: return tanh(a);
    case OP_log1p: return log1p(a);
    case OP_expm1: return expm1(a);
    case OP_sigmoid: return a < 0 ? exp(a) / (1 + exp(a)) : 1 / (1 + exp(-a));
    case OP_softplus: return fmax(a, 0) + log1p(exp(-fabs(a)));
    case OP_erf: return erf(a);
    case OP_erfc: return erfc(a);
    case OP_relu: return a < 0 ? 0 : a;
    case OP_powi: return whole_power(a, b);
    case OP_pow: return pow(a, b);
    case OP_maximum: return maximum(a, b);
    case OP_minimum: return minimum(a, b);
    case OP_ne: return a != b;
    case OP_lt: return a < b;
    case OP_not: return a == 0;
    case OP_and: return a != 0 && b != 0;
    case OP_or: return a != 0 || b != 0;
    case OP_where: return a != 0 ? b : c;
    case OP_matmul: return a * b; /* one element stands for all that the product adds */
    case OP_reshape:
    case OP_permute:
    case OP_slice:
    case OP_unslice:
    case OP_cumsum:
    case OP_cast: return a;
    default: fail_msg("the test does not know op %s", op_name(op));
    }
    return 0;
}

static double value(const struct pattern *p, int i, struct values *v) {
    const struct term *t = &p->term[i];
    double x[3] = {0};
    if (t->kind == TERM_ANY) return v->any[t->letter];
    if (t->kind == TERM_LITERAL) return v->literal;
    if (t->kind == TERM_WHOLE) return v->whole[t->letter];
    if (t->kind == TERM_NUMBER) return t->value;
    for (int k = 0; k < t->n; k++) x[k] = value(p, t->arg[k], v);
    double y = apply(t->op, x[0], x[1], x[2]);
    if (t->op != OP_where) v->finite = v->finite && isfinite(y); /* what it does not choose may be anything */
    v->largest = fmax(v->largest, fabs(y));
    return y;
}

/* ---- Agreement ---- */

static bool same_bits(double a, double b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

/* Each number on the way is rounded once, (x^n)^m and x^(n m) 24 times together, and none of the functions
 * among the rules magnifies an error by more than |x| <= 8 in the range sampled: relative to the largest
 * number on the way, since log(exp(x)) cannot tell x from 0 below eps. */
static bool near(double a, double b, double largest) {
    return fabs(a - b) <= 24 * 8 * DBL_EPSILON * fmax(largest, fmax(fabs(a), fabs(b)));
}

static bool agree(enum exact exact, double a, double b, const struct values *v) {
    switch (exact) {
    case EXACT:
    case FORM: return same_bits(a, b);
    case ZERO_SIGN: return same_bits(a, b) || (a == 0 && b == 0);
    case FINITE: return !v->finite || a == b;
    case ROUNDING:
    case DIGITS: return !v->finite || near(a, b, v->largest);
    }
    return false;
}

/* Which letters stand for true or false: those that a condition takes. */
static bool condition(const struct pattern *p, int letter) {
    for (int i = 0; i < p->n; i++) {
        const struct term *t = &p->term[i];
        int conditions = t->kind != TERM_OP                     ? 0
                         : t->op == OP_where || t->op == OP_not ? 1
                         : t->op == OP_and || t->op == OP_or    ? 2
                                                                : 0;
        for (int k = 0; k < conditions; k++) {
            const struct term *of = &p->term[t->arg[k]];
            if (of->kind == TERM_ANY && of->letter == letter) return true;
        }
    }
    return false;
}

static uint64_t next(uint64_t *seed) { /* Marsaglia's xorshift64 */
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return *seed;
}

static double sample(uint64_t *seed) {
    static const double special[] = {0, -0.0, 1, -1, 2, 0.5, INFINITY, -INFINITY, NAN, 1e300, -1e-300};
    uint64_t u = next(seed);
    if (u % 4 == 0) return special[(u >> 8) % (sizeof special / sizeof *special)];
    return ((double)(u >> 11) / 9007199254740992.0 - 0.5) * 8;
}

static void check(const struct rule *rule, const char *text, uint64_t *seed, int *compared) {
    struct values v = {.finite = true};
    for (int k = 0; k < 3; k++)
        v.any[k] = condition(&rule->pattern, k) ? (double)(next(seed) % 2) : sample(seed);
    v.literal = sample(seed);
    v.whole[0] = (double)(next(seed) % 7) - 3, v.whole[1] = (double)(next(seed) % 9) - 4;
    feclearexcept(FE_ALL_EXCEPT);
    double a = value(&rule->pattern, rule->pattern.root, &v),
           b = value(&rule->replacement, rule->replacement.root, &v);
    if (rule->exact >= ROUNDING && fetestexcept(FE_UNDERFLOW)) v.finite = false;
    *compared += v.finite;
    if (!agree(rule->exact, a, b, &v))
        fail_msg("%s: %.17g, but %.17g at x=%g y=%g z=%g a=%g n=%g m=%g", text, a, b, v.any[0], v.any[1],
                 v.any[2], v.literal, v.whole[0], v.whole[1]);
}

static const struct {
    const char *pattern, *replacement;
    enum exact exact;
} row[] = {
#define RULE(pattern, replacement, exact) {pattern, replacement, exact},
#include "rewrite/rules.def"
#undef RULE
};

/* The table of the build has what stands in the text. */
static void same_terms(const struct pattern *made, const char *text) {
    struct pattern p;
    assert_true(pattern_read(&p, text));
    assert_int_equal(made->n, p.n);
    assert_int_equal(made->root, p.root);
    for (int i = 0; i < p.n; i++) {
        const struct term *a = &made->term[i], *b = &p.term[i];
        assert_true(a->kind == b->kind && a->letter == b->letter && a->truth == b->truth && a->n == b->n);
        assert_memory_equal(a->arg, b->arg, sizeof a->arg);
        assert_true(a->op == b->op && a->value == b->value);
    }
}

static void both_sides_of_every_rule_agree_as_it_says(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const struct rule *r = &rewrite_rule[i];
        same_terms(&r->pattern, row[i].pattern);
        same_terms(&r->replacement, row[i].replacement);
        assert_int_equal(r->exact, row[i].exact);
        uint64_t seed = 88172645463325252u;
        int compared = 0;
        for (int k = 0; k < 20000; k++) check(r, row[i].pattern, &seed, &compared);
        if (compared < 1000) fail_msg("%s: only %d values were finite", row[i].pattern, compared);
    }
}

static void a_text_that_is_no_pattern_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"", "x +", "(x", "x)", "q", "nosuchop(x)", "sin x", "x y"};
    struct pattern p;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(pattern_read(&p, bad[i]));
    assert_true(pattern_read(&p, "-(x + sin(y)*2)^n"));
}

static void rules_that_keep_every_bit_say_so_of_no_other(void **state) {
    (void)state;
    struct rule wrong = {.exact = EXACT};
    assert_true(pattern_read(&wrong.pattern, "x*0") && pattern_read(&wrong.replacement, "0"));
    struct values v = {.any = {INFINITY}, .finite = true};
    double a = value(&wrong.pattern, wrong.pattern.root, &v);
    assert_false(agree(EXACT, a, 0, &v));
    assert_true(agree(FINITE, a, 0, &v));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_of_every_rule_agree_as_it_says),
        cmocka_unit_test(a_text_that_is_no_pattern_is_refused),
        cmocka_unit_test(rules_that_keep_every_bit_say_so_of_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
