/* The rows of the table: what the manual, the tests and the formula language need of them. */
#include "ops/control.h"

#include "base/whole.h"

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
#define TEXT(e)          #e
#define ELEM(e)          TEXT(e)
#define REDUCE(start, e) #e
#define VIEW(map)        ""
#define OPAQUE(...)      ""
#define PARTS(...)       ""
#define CONTROL(...)     ""
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

/* ---- Second results ---- */

enum second { NO_SECOND, SECOND_SAME, SECOND_INDEX, SECOND_MATRIX };

#undef ELEM
#undef REDUCE
#undef VIEW
#undef OPAQUE
#undef PARTS
#undef CONTROL
#undef ALIAS
#undef LEAF
#define ELEM(e) \
    { NO_SECOND, NULL }
#define REDUCE(start, e) \
    { NO_SECOND, NULL }
#define VIEW(map) \
    { NO_SECOND, NULL }
#define OPAQUE(...) \
    { NO_SECOND, NULL }
#define PARTS(kernel, scratch, second, name) \
    { SECOND_##second, #name }
#define CONTROL(kernel) \
    { NO_SECOND, NULL }
#define ALIAS \
    { NO_SECOND, NULL }
#define LEAF \
    { NO_SECOND, NULL }

static const struct {
    enum second second;
    const char *name;
} parts[OP_COUNT] = {
#define ROW(name, form, arguments, kind, ...) [OP_##name] = kind,
#include "ops/ops.def"
#undef ROW
};

bool ops_has_parts(int op) { return parts[op].second != NO_SECOND || op_kind(op) == KIND_CONTROL; }

int ops_part_count(const cr_graph *g, const struct node *n) {
    if (op_kind(n->op) == KIND_CONTROL) return control_part_count(g, n);
    return parts[n->op].second == NO_SECOND ? 1 : 2;
}

const char *ops_part_name(int op, int k) {
    return k == 0 || op_kind(op) == KIND_CONTROL ? op_name(op) : parts[op].name;
}

cr_dtype ops_part_dtype(const cr_graph *g, const struct node *n, int k) {
    struct shape s;
    if (op_kind(n->op) == KIND_CONTROL) return control_part(g, n, k, &s);
    return k && parts[n->op].second == SECOND_INDEX ? CR_I64 : (cr_dtype)n->dtype;
}

struct shape ops_part_shape(const cr_graph *g, const struct node *n, int k) {
    struct shape s;
    if (op_kind(n->op) == KIND_CONTROL) return control_part(g, n, k, &s), s;
    s = graph_shape(g, n);
    if (k && parts[n->op].second == SECOND_MATRIX) s.dim[s.rank] = s.dim[s.rank - 1], s.rank++;
    return s;
}

size_t ops_part_offset(const cr_graph *g, const struct node *n, int k, size_t size) {
    size_t offset = 0;
    for (int i = 0; i < k; i++) {
        struct shape s = ops_part_shape(g, n, i);
        size_t bytes =
            (size_t)shape_count(s.rank, s.dim) * (size ? size : cr_dtype_size(ops_part_dtype(g, n, i)));
        offset += whole_lines(bytes);
    }
    return offset;
}
