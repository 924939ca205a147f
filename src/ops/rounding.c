/* How rows round. An elementwise row's value is within so many units in the last place of what exact arithmetic makes of its
 * operands: as its value says by WITHIN; else half a unit, of what only chooses or cuts 0. Others follow from their kind. */
#include "ops/build.h"

/* x^n by repeated squaring: |n| - 1 products of half a unit each and for n < 0 a quotient; beyond 64 it is pow. */
static double powi_ulps(int64_t n) {
    double m = n < 0 ? -(double)n : (double)n;
    return m > 64 ? 1.5 : 0.5 * (n < 0 ? m + 1 : m);
}

#undef WITHIN
#define WITHIN(ulps, value)    , ulps
#define TAKE_SECOND(a, b, ...) b
#define TAKE(...)              TAKE_SECOND(__VA_ARGS__)
#define ELEM(...)              return TAKE(__VA_ARGS__, usual, 0)
#define REDUCE(start, combine) return 0
#define VIEW(map)              return 0
#define OPAQUE(...)            return 0
#define PARTS(...)             return 0
#define ALIAS                  return 0
#define LEAF                   return 0
#define CONTROL(...)           return 0
#define SMOOTH                 0.5
#define PIECEWISE              0
#define ZERO_DERIVATIVE        0
#define NOT_A_FUNCTION         0
#define ROW(name, form, arguments, kind, dtype, class, ...) \
    static double ulps_##name(int64_t n) {                  \
        const double usual = class;                         \
        (void)n, (void)usual;                               \
        kind;                                               \
    }
#include "ops/ops.def"
#undef ROW
#undef ELEM
#undef REDUCE
#undef VIEW
#undef OPAQUE
#undef PARTS
#undef ALIAS
#undef LEAF
#undef CONTROL
#undef SMOOTH
#undef PIECEWISE

#define ELEM(...)                            ROUNDS_ULPS
#define REDUCE(start, combine)               ROUNDS_FOLD
#define VIEW(map)                            ROUNDS_NOT
#define OPAQUE(kernel, scratch)              ROUNDS_##scratch
#define PARTS(kernel, scratch, second, name) ROUNDS_##scratch
#define ALIAS                                ROUNDS_NOT
#define LEAF                                 ROUNDS_NOT
#define CONTROL(...)                         ROUNDS_UNKNOWN
#define SMOOTH                               true
#define PIECEWISE                            false
#undef ZERO_DERIVATIVE
#undef NOT_A_FUNCTION
#define ZERO_DERIVATIVE false
#define NOT_A_FUNCTION  false
/* By what a kernel needs as scratch: matrices are factored; the others add up and move. */
#define ROUNDS_no     ROUNDS_SUM
#define ROUNDS_matmul ROUNDS_SUM
#define ROUNDS_line   ROUNDS_SUM
#define ROUNDS_matrix ROUNDS_FACTORS

static const struct {
    enum rounding how;
    bool smooth;
    double (*ulps)(int64_t n);
} rounding[OP_COUNT] = {
#define ROW(name, form, arguments, kind, dtype, class, ...) [OP_##name] = {kind, class, ulps_##name},
#include "ops/ops.def"
#undef ROW
};

enum rounding ops_rounding(int op) {
    if (op == OP_cast) return ROUNDS_CAST;
    bool chooses = rounding[op].how == ROUNDS_FOLD && !rounding[op].smooth; /* max, min */
    return chooses ? ROUNDS_NOT : rounding[op].how;
}

double ops_ulps(int op, int64_t n) { return rounding[op].ulps(n); }
bool ops_is_function(int op, int64_t n) {
    return op_kind(op) == KIND_ELEM && op != OP_cast && ops_ulps(op, n) > 0.5;
}
