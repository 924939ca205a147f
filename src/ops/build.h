/* What builders share: dtypes found, operands broadcast, errors told. */
#ifndef OPS_BUILD_H
#define OPS_BUILD_H

#include "graph/graph.h"

enum dtype_rule {
    DTYPE_NUMBER,
    DTYPE_FLOAT,
    DTYPE_COMPARE,
    DTYPE_LOGIC,
    DTYPE_SELECT,
    DTYPE_ANY,
    DTYPE_INTEGER,
    DTYPE_OTHER
};
enum op_class { CLASS_SMOOTH, CLASS_PIECEWISE, CLASS_ZERO_DERIVATIVE, CLASS_NOT_A_FUNCTION };

/* A row of the table, as far as it is not the graph's or grad's own. */
struct op_row {
    const char *name, *arguments, *sentence,
        *value; /* value: the C expression of ELEM and REDUCE rows, else "" */
    enum dtype_rule dtype;
    enum op_class class;
    double low, high;
};
const struct op_row *ops_row(int op);

/* How a result comes to be rounded. */
enum rounding {
    ROUNDS_NOT,     /* numbers are chosen or moved */
    ROUNDS_ULPS,    /* elementwise: within ops_ulps units in the last place of the result */
    ROUNDS_CAST,    /* half a unit where the dtype is narrower */
    ROUNDS_FOLD,    /* a reduction: once on each level of its tree */
    ROUNDS_SUM,     /* of products of operands: at most once for each term */
    ROUNDS_UNKNOWN, /* a function runs, which rounds as it does */
    ROUNDS_FACTORS, /* a matrix is factored: exact for operands a little off, in norm */
};
enum rounding ops_rounding(int op);
/* n: the first attribute, or 0. */
double ops_ulps(int op, int64_t n);
/* Elementwise, and more than a rounding: takes as long as ten sums. */
bool ops_is_function(int op, int64_t n);

/* An elementwise op on operands that may differ in dtype and shape. */
cr_node ops_elementwise(int op, int n, const cr_node x[], int n_attr, const int64_t attr[]);

/* Operands in their common dtype; and, with ops_align, in their common shape. False with the error set: it names op. */
bool ops_unify(const char *op, int n, cr_node x[], bool to_float);
bool ops_align(int op, int n, cr_node x[]);

/* A node of this op whose operands are ready. */
cr_node ops_node(int op, cr_dtype dtype, const struct shape *s, int n_attr, const int64_t attr[], int n,
                 const cr_node x[]);

/* The same where the shape is one that the graph has, by its number. */
cr_node ops_shaped(int op, cr_dtype dtype, uint32_t shape, int n_attr, const int64_t attr[], int n,
                   const cr_node x[]);

/* False, with the graph's error set, if a handle is bad or of another graph. Errors already there stay
 * silent. */
bool ops_good(const char *op, int n, const cr_node x[]);
/* x in this dtype: a literal becomes one of it, else cast. */
cr_node ops_to_dtype(cr_node x, cr_dtype dtype);
/* x as a dtype that arithmetic has: halves to f32, and for FLOAT rows integers to the default float. */
cr_node ops_arithmetic(cr_node x, bool to_float);
/* A maximum held constant, and 0 where it is not finite: exp(x - shift) overflows nowhere. */
cr_node ops_shift_by(cr_node top);
/* By the maximum over the axes, kept. */
cr_node ops_shift(cr_node x, int n, const int axes[]);
struct shape ops_shape(cr_node x);
/* Has this good node this shape? */
bool ops_has_shape(cr_node x, const struct shape *s);
/* The axis counted from the end (-rank .. -1), or 0 with an error. */
int ops_axis(const char *op, cr_node x, int axis);
/* marked[i]: is axis i, counted from the front, one of these? NULL: all are. False with an error for an axis out of range or given
 * twice. */
bool ops_mark_axes(const char *op, cr_node x, int n, const int axes[], bool marked[]);
/* The numbers of a const node with one element. */
bool ops_literal(cr_node x, double *value);
/* A strong scalar of this dtype. */
cr_node ops_scalar(cr_graph *g, cr_dtype dtype, double value);
/* A literal, of any shape, in this dtype. */
cr_node ops_literal_as(cr_node x, cr_dtype dtype);
/* A literal of any shape: weak, as cr_number. */
cr_node ops_weak_const(cr_graph *g, int rank, const int64_t dims[], const double data[]);
cr_node ops_zeros(cr_graph *g, cr_dtype dtype, const struct shape *s);

/* Shapes as text for an error, in a buffer of the caller. */
struct shape_text {
    char s[CR_MAX_RANK * 22 + 3];
};
const char *ops_show(struct shape_text *t, const struct shape *s);

/* Helpers shared by builders and derivative rules. */
cr_node ops_reshape(cr_node x, const struct shape *s);
cr_node ops_expand(cr_node x, const struct shape *s);
cr_node ops_move_axis(cr_node x, int from, int to); /* axes counted from the end */
cr_node ops_slice(cr_node x, const int64_t start[], const int64_t step[], const struct shape *count);
cr_node ops_unslice(cr_node x, const int64_t start[], const int64_t step[], const struct shape *size);
cr_node ops_slice_axis(cr_node x, int axis, int64_t start, int64_t step,
                       int64_t count); /* axis from the end */
/* Leading axes broadcast, the last two of each kept. False, without an error: they differ. */
bool ops_broadcast_batch(cr_node *x, cr_node *y);
/* True in row i, a new last axis of n, where index[i] is. */
cr_node ops_is_index(cr_node index, int64_t n);
cr_node ops_cumsum(cr_node x, int axis, bool reverse);
cr_node ops_recur(cr_node x, cr_node y, int axis, bool reverse);
cr_node cr_part(cr_node x, int k); /* a row of the table, but not public */
/* Where the numbers of a view stand: element i at offset + sum of i[k] stride[k] of its operand, whose strides are `have`. False
 * where no strides say that, and the numbers must be moved (a reshape of what is not in row-major order). */
bool ops_view(const cr_graph *g, const struct node *view, const int64_t have[], int64_t stride[],
              int64_t *offset);
/* Is each result of the op a part node, and what is part k? ops_part_count is 1 for an op without parts. */
bool ops_has_parts(int op);
int ops_part_count(const cr_graph *g, const struct node *n);
cr_dtype ops_part_dtype(const cr_graph *g, const struct node *n, int k);
struct shape ops_part_shape(const cr_graph *g, const struct node *n, int k);
/* Where part k starts, in bytes from the first, each at a multiple of 64; of k = ops_part_count, where all end. size: of an
 * element, 0: that of its dtype. */
size_t ops_part_offset(const cr_graph *g, const struct node *n, int k, size_t size);
/* The function that gives part k: sort, argsort. */
const char *ops_part_name(int op, int k);
/* sum of x over the axes that expand stretched or added from shape s. */
cr_node ops_sum_to(cr_node x, const struct shape *s);

#endif
