/* The rows of the table: what the manual, the tests and the formula language need of them. */
#include "ops/build.h"

#define NUMBER           DTYPE_NUMBER
#define FLOAT            DTYPE_FLOAT
#define COMPARE          DTYPE_COMPARE
#define LOGIC            DTYPE_LOGIC
#define SELECT           DTYPE_SELECT
#define ANY              DTYPE_ANY
#define INTEGER          DTYPE_INTEGER
#define OTHER            DTYPE_OTHER
#define SMOOTH           CLASS_SMOOTH
#define PIECEWISE        CLASS_PIECEWISE
#define ZERO_DERIVATIVE  CLASS_ZERO_DERIVATIVE
#define NOT_A_FUNCTION   CLASS_NOT_A_FUNCTION
#define ELEM(e)          #e
#define REDUCE(start, e) #e
#define VIEW(map)        ""
#define OPAQUE(kernel)   ""
#define ALIAS            ""
#define LEAF             ""

static const struct op_row rows[OP_COUNT] = {
    [OP_error] = {"error", "", "what a failed call gives", "", DTYPE_OTHER, CLASS_NOT_A_FUNCTION, 0, 0},
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, ...) \
    [OP_##name] = {#name, arguments, sentence, kind, dtype, class, low, high},
#include "ops/ops.def"
#undef ROW
};

const struct op_row *ops_row(int op) { return &rows[op]; }

int ops_part_count(int op) { return op == OP_sort ? 2 : 1; }

/* sort: the values, then where they stood. */
cr_dtype ops_part_dtype(const cr_graph *g, const struct node *n, int k) {
    (void)g;
    return k == 0 ? (cr_dtype)n->dtype : CR_I64;
}
