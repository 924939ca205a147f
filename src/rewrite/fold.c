/* Literals among literals are computed, in double precision, where the result is short: 1/3 stays 1/3. */
#include "rewrite/rewrite.h"

#include <math.h>

#include "ops/build.h"
#include "tensor/dtype.h"

static double sign_of(double a) { return a > 0 ? 1 : a < 0 ? -1 : a; }

/* Functions whose value is kept only when it is a whole number: exp(0), log(1), sqrt(4). */
static const struct {
    int op;
    double (*f)(double);
} functions[] = {{OP_exp, exp},     {OP_log, log},     {OP_sqrt, sqrt},    {OP_sin, sin},
                 {OP_cos, cos},     {OP_tan, tan},     {OP_tanh, tanh},    {OP_sinh, sinh},
                 {OP_cosh, cosh},   {OP_exp2, exp2},   {OP_log2, log2},    {OP_log10, log10},
                 {OP_log1p, log1p}, {OP_expm1, expm1}, {OP_abs, fabs},     {OP_floor, floor},
                 {OP_ceil, ceil},   {OP_trunc, trunc}, {OP_sign, sign_of}, {OP_round, rint}};

static bool whole_result(int op, double a, double *y) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (functions[i].op != op) continue;
        *y = functions[i].f(a);
        return *y == floor(*y) && fabs(*y) < 0x1p53;
    }
    return false;
}

/* The quotient, if multiplying it back gives the dividend: then few digits say it. */
static bool quotient(double a, double b, double *y) {
    *y = a / b;
    return isfinite(*y) && fma(*y, b, -a) == 0;
}

static bool power(double a, int64_t n, double *y) {
    double p = 1;
    if (n < -64 || n > 64) return false;
    for (int64_t i = 0; i < (n < 0 ? -n : n); i++) p *= a;
    *y = p;
    return n < 0 ? quotient(1, p, y) : true;
}

static bool compute(const struct rewrite *r, const struct node *n, const double a[], double *y) {
    switch (n->op) {
    case OP_add: *y = a[0] + a[1]; return true;
    case OP_sub: *y = a[0] - a[1]; return true;
    case OP_mul: *y = a[0] * a[1]; return true;
    case OP_neg: *y = -a[0]; return true;
    case OP_square: *y = a[0] * a[0]; return true;
    case OP_div: return quotient(a[0], a[1], y);
    case OP_recip: return quotient(1, a[0], y);
    case OP_powi: return power(a[0], graph_attr(r->g, n)[0], y);
    case OP_lt: *y = a[0] < a[1]; return true;
    case OP_le: *y = a[0] <= a[1]; return true;
    case OP_eq: *y = a[0] == a[1]; return true;
    case OP_ne: *y = a[0] != a[1]; return true;
    default: return whole_result(n->op, a[0], y);
    }
}

/* A sum of one number all over. */
static bool reduce(const struct rewrite *r, const struct node *n, double a, double *y) {
    int64_t count = graph_elements(r->g, graph_at(r->g, graph_args(r->g, n)[0]));
    int64_t left = graph_elements(r->g, n);
    if (left == 0 || count == 0) return false;
    *y = n->op == OP_sum ? a * (double)(count / left) : a;
    return n->op == OP_sum || n->op == OP_max || n->op == OP_min;
}

/* Integers only while a double holds them and they do not wrap. */
static bool fits(cr_dtype dtype, double y) {
    if (dtype_is_float(dtype) || dtype == CR_BOOL) return true;
    return y == floor(y) && fabs(y) < (dtype == CR_I32 ? 0x1p31 : 0x1p53);
}

cr_node rewrite_fold(struct rewrite *r, cr_node x) {
    const struct node *n = graph_get(x);
    double a[2], y;
    if (n->n < 1 || n->n > 2) return x;
    for (uint32_t i = 0; i < n->n; i++)
        if (!rewrite_literal(r, graph_args(r->g, n)[i], &a[i])) return x;
    bool known = op_kind(n->op) == KIND_ELEM     ? compute(r, n, a, &y)
                 : op_kind(n->op) == KIND_REDUCE ? reduce(r, n, a[0], &y)
                                                 : false;
    if (!known || !fits((cr_dtype)n->dtype, y)) return x;
    return rewrite_fit(r, cr_number(r->g, y), x);
}
