/* Elementwise builders: dtypes made common, shapes broadcast by expand, then one node. */
#include "ops/build.h"

#include <math.h>

#include "tensor/dtype.h"

enum { most_operands = 3 };

/* ---- Dtypes ---- */

/* The node of a handle that was looked at before. */
static const struct node *at(cr_node x) { return graph_at(x.graph, x.id); }

static bool weak(cr_node x) { return at(x)->weak; }

static cr_dtype dtype_of(cr_node x) { return (cr_dtype)at(x)->dtype; }

static bool whole(cr_node x) {
    double v;
    return ops_literal(x, &v) && v == floor(v) && fabs(v) < 0x1p53;
}

cr_node ops_to_dtype(cr_node x, cr_dtype dtype) {
    if (!graph_get(x)) return graph_error_node(x.graph);
    if (dtype_of(x) == dtype && !weak(x)) return x;
    return cr_cast(x, dtype);
}

static cr_dtype arithmetic_dtype(const cr_graph *g, cr_dtype d, bool to_float) {
    if (dtype_is_half(d)) return CR_F32;
    if (dtype_is_float(d)) return d;
    if (to_float) return g->default_float;
    return d == CR_BOOL ? CR_I64 : d;
}

cr_node ops_arithmetic(cr_node x, bool to_float) {
    if (!cr_ok(x) || weak(x)) return x;
    return ops_to_dtype(x, arithmetic_dtype(x.graph, cr_dtype_of(x), to_float));
}

/* The dtype that strong operands agree on; literals follow. -1 with an error when f32 meets f64. */
static int common_dtype(const char *op, int n, const cr_node x[], bool to_float) {
    cr_graph *g = x[0].graph;
    int found = -1;
    for (int i = 0; i < n; i++) {
        if (weak(x[i])) continue;
        int d = (int)arithmetic_dtype(g, dtype_of(x[i]), to_float);
        if (found >= 0 && dtype_is_float((cr_dtype)d) && dtype_is_float((cr_dtype)found) && d != found) {
            graph_fail(g, CR_EDTYPE, op,
                       "f32 meets f64: say which is meant with cast(x, f32) or cast(x, f64)");
            return -1;
        }
        if (d > found) found = d;
    }
    return found;
}

/* Integers that meet a literal which is no integer become the default float. */
static int with_literals(int dtype, int n, const cr_node x[]) {
    for (int i = 0; i < n; i++)
        if (!dtype_is_float((cr_dtype)dtype) && weak(x[i]) && !whole(x[i]))
            return (int)x[0].graph->default_float;
    return dtype;
}

/* Strong, and all of one dtype that arithmetic has. */
static bool agree(int n, const cr_node x[], bool to_float) {
    cr_dtype dtype = dtype_of(x[0]);
    for (int i = 0; i < n; i++)
        if (weak(x[i]) || dtype_of(x[i]) != dtype) return false;
    return arithmetic_dtype(x[0].graph, dtype, to_float) == dtype;
}

bool ops_unify(const char *op, int n, cr_node x[], bool to_float) {
    if (agree(n, x, to_float)) return true;
    int dtype = common_dtype(op, n, x, to_float);
    if (dtype < 0) return cr_graph_status(x[0].graph) == CR_OK; /* literals alone stay literals */
    dtype = with_literals(dtype, n, x);
    for (int i = 0; i < n; i++) {
        x[i] = ops_to_dtype(x[i], (cr_dtype)dtype);
        if (!graph_get(x[i])) return false;
    }
    return true;
}

static bool need(int op, cr_node x, cr_dtype dtype) {
    if (cr_dtype_of(x) == dtype) return true;
    graph_fail(x.graph, CR_EDTYPE, op_name(op), "expected %s, found %s", cr_dtype_name(dtype),
               cr_dtype_name(cr_dtype_of(x)));
    return false;
}

/* A selection from values: any dtype, bool included, kept if they agree. */
static bool unify_values(int op, int n, cr_node x[]) {
    bool all_bool = true;
    for (int i = 0; i < n; i++) all_bool = all_bool && cr_dtype_of(x[i]) == CR_BOOL;
    return all_bool || ops_unify(op_name(op), n, x, false);
}

static bool fit_dtypes(int op, int n, cr_node x[], cr_dtype *result) {
    enum dtype_rule rule = ops_row(op)->dtype;
    bool ok = true;
    if (rule == DTYPE_SELECT) {
        ok = need(op, x[0], CR_BOOL) && unify_values(op, n - 1, x + 1);
    } else if (rule == DTYPE_LOGIC || rule == DTYPE_INTEGER) {
        for (int i = 0; i < n && ok; i++) {
            if (rule == DTYPE_INTEGER && (dtype_is_int(cr_dtype_of(x[i])) || whole(x[i])))
                x[i] = ops_to_dtype(x[i], CR_I64);
            ok = graph_get(x[i]) && need(op, x[i], rule == DTYPE_LOGIC ? CR_BOOL : CR_I64);
        }
    } else {
        ok = ops_unify(op_name(op), n, x, rule == DTYPE_FLOAT);
    }
    if (ok) *result = rule == DTYPE_COMPARE ? CR_BOOL : dtype_of(x[n - 1]);
    return ok;
}

/* ---- Shapes ---- */

/* Broadcasting is NumPy's, but for one thing: an op may not both add an axis to one operand and stretch
 * another, which is how [n, 1] - [n] silently becomes [n, n]. */
static cr_node refuse_both(int op, int n, const cr_node x[]) {
    struct shape_text a, b;
    struct shape sa = ops_shape(x[0]), sb = ops_shape(x[n > 1 ? n - 1 : 0]);
    for (int i = 1; i < n; i++)
        if (ops_shape(x[i]).rank != sa.rank) sb = ops_shape(x[i]);
    return graph_fail(
        x[0].graph, CR_ESHAPE, op_name(op),
        "%s with %s would add an axis to one and stretch the other: say which is meant, as in y[:, None]",
        ops_show(&a, &sa), ops_show(&b, &sb));
}

static cr_node refuse_sizes(int op, int n, const cr_node x[], int axis, int64_t size, int64_t other) {
    struct shape_text a, b;
    struct shape first = ops_shape(x[0]), last = ops_shape(x[n - 1]);
    return graph_fail(x[0].graph, CR_ESHAPE, op_name(op), "shapes differ: %s and %s (axis %d: %lld and %lld)",
                      ops_show(&a, &first), ops_show(&b, &last), axis, (long long)size, (long long)other);
}

static int rank_of(cr_node x) { return graph_rank(x.graph, at(x)); }

/* The size of x along axis -k; missing axes count as 1. */
static int64_t size_at(cr_node x, int k) {
    int rank = rank_of(x);
    return k <= rank ? graph_dims(x.graph, at(x))[rank - k] : 1;
}

/* The common shape. False with an error if there is none. */
static bool common_shape(int op, int n, const cr_node x[], struct shape *out) {
    bool added = false, stretched = false;
    out->rank = 0;
    for (int i = 0; i < n; i++)
        if (rank_of(x[i]) > out->rank) out->rank = rank_of(x[i]);
    for (int k = 1; k <= out->rank; k++) {
        int64_t *size = &out->dim[out->rank - k];
        *size = 1;
        for (int i = 0; i < n; i++) {
            int64_t d = size_at(x[i], k);
            if (d != 1 && *size != 1 && d != *size) return refuse_sizes(op, n, x, -k, *size, d), false;
            if (d != 1) *size = d;
        }
    }
    for (int i = 0; i < n; i++) {
        int rank = rank_of(x[i]);
        added = added || (rank > 0 && rank < out->rank);
        for (int k = 1; k <= rank; k++)
            stretched = stretched || (rank == out->rank && size_at(x[i], k) != out->dim[rank - k]);
    }
    if (added && stretched) refuse_both(op, n, x);
    return !added || !stretched;
}

/* Expands the operands to their common shape. Most have it: equal shapes have equal numbers. */
static bool fit_shapes(int op, int n, cr_node x[]) {
    uint32_t first = at(x[0])->shape;
    struct shape s;
    int alike = 1;
    while (alike < n && at(x[alike])->shape == first) alike++;
    if (alike == n) return true;
    if (!common_shape(op, n, x, &s)) return false;
    for (int i = 0; i < n; i++) {
        x[i] = ops_expand(x[i], &s);
        if (!graph_get(x[i])) return false;
    }
    return true;
}

bool ops_align(int op, int n, cr_node x[]) {
    return ops_unify(op_name(op), n, x, ops_row(op)->dtype == DTYPE_FLOAT) && fit_shapes(op, n, x);
}

cr_node ops_elementwise(int op, int n, const cr_node operands[], int n_attr, const int64_t attr[]) {
    cr_node x[most_operands];
    cr_dtype dtype;
    if (!ops_good(op_name(op), n, operands)) return graph_error_node(operands[0].graph);
    for (int i = 0; i < n; i++) x[i] = operands[i];
    if (!fit_dtypes(op, n, x, &dtype) || !fit_shapes(op, n, x)) return graph_error_node(operands[0].graph);
    return ops_shaped(op, dtype, at(x[0])->shape, n_attr, attr, n, x);
}

/* ---- A builder for every ELEM row ---- */

#define ELEM(value)          ELEMENT
#define REDUCE(start, value) OTHER_KIND
#define VIEW(map)            OTHER_KIND
#define OPAQUE(...)          OTHER_KIND
#define PARTS(...)           OTHER_KIND
#define CONTROL(...)         OTHER_KIND
#define ALIAS                OTHER_KIND
#define LEAF                 OTHER_KIND

#define JOIN(a, b)  JOIN_(a, b)
#define JOIN_(a, b) a##b
#define DEFINE_OTHER_KIND(name, form)
#define DEFINE_ELEMENT(name, form) DEFINE_##form(name)
#define DEFINE_X(name) \
    cr_node cr_##name(cr_node x) { return ops_elementwise(OP_##name, 1, &x, 0, NULL); }
#define DEFINE_XY(name)                                                   \
    cr_node cr_##name(cr_node x, cr_node y) {                             \
        return ops_elementwise(OP_##name, 2, (cr_node[]){x, y}, 0, NULL); \
    }
#define DEFINE_XYZ(name)                                                     \
    cr_node cr_##name(cr_node x, cr_node y, cr_node z) {                     \
        return ops_elementwise(OP_##name, 3, (cr_node[]){x, y, z}, 0, NULL); \
    }
#define DEFINE_XN(name) \
    cr_node cr_##name(cr_node x, int64_t n) { return elementwise_n(OP_##name, x, n); }

/* The attribute n: of polygamma and stumpff an order, of powi any power (negative ones of integers are
 * fractions). */
static cr_node elementwise_n(int op, cr_node x, int64_t n) {
    if (!ops_good(op_name(op), 1, &x)) return graph_error_node(x.graph);
    if (op != OP_powi && (n < 0 || n > 100))
        return graph_fail(x.graph, CR_EINVAL, op_name(op), "order %lld is outside of 0 .. 100", (long long)n);
    if (op == OP_powi && (n < -INT32_MAX || n > INT32_MAX))
        return graph_fail(x.graph, CR_ELIMIT, op_name(op), "power %lld is beyond 2^31", (long long)n);
    if (op == OP_powi && n < 0) x = ops_arithmetic(x, true);
    return ops_elementwise(op, 1, &x, 1, &n);
}

#define ROW(name, form, arguments, kind, ...) JOIN(DEFINE_, kind)(name, form)
#include "ops/ops.def"
#undef ROW

cr_node cr_cast(cr_node x, cr_dtype dtype) {
    if (!ops_good("cast", 1, &x)) return graph_error_node(x.graph);
    if (!dtype_known((int)dtype))
        return graph_fail(x.graph, CR_EDTYPE, "cast", "unknown dtype number %d", (int)dtype);
    if (cr_dtype_of(x) == dtype && !weak(x)) return x;
    if (weak(x) && graph_get(x)->op == OP_const) return ops_literal_as(x, dtype);
    struct shape s = ops_shape(x);
    return ops_node(OP_cast, dtype, &s, 0, NULL, 1, &x);
}

cr_node cr_gt(cr_node x, cr_node y) { return cr_lt(y, x); }

cr_node cr_ge(cr_node x, cr_node y) { return cr_le(y, x); }
