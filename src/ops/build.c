/* What builders share. */
#include "ops/build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tensor/dtype.h"

struct shape ops_shape(cr_node x) {
    const struct node *n = graph_get(x);
    return n ? graph_shape(x.graph, n) : (struct shape){0};
}

bool ops_has_shape(cr_node x, const struct shape *s) {
    const struct node *n = graph_at(x.graph, x.id);
    size_t bytes = (size_t)s->rank * sizeof *s->dim;
    return intern_size(&x.graph->shape, n->shape) == bytes &&
           memcmp(graph_dims(x.graph, n), s->dim, bytes) == 0;
}

const char *ops_show(struct shape_text *t, const struct shape *s) {
    size_t at = 0;
    t->s[at++] = '[';
    for (int i = 0; i < s->rank; i++)
        at += (size_t)snprintf(t->s + at, sizeof t->s - at, i ? ", %lld" : "%lld", (long long)s->dim[i]);
    t->s[at++] = ']';
    t->s[at] = 0;
    return t->s;
}

/* Told in every graph that is touched, so that whichever the caller asks knows it. */
static bool bad_operand(int n, const cr_node x[], const char *op, int i, const char *what) {
    for (int k = 0; k < n; k++) graph_fail(x[k].graph, CR_EINVAL, op, "operand %d is %s", i + 1, what);
    return false;
}

bool ops_good(const char *op, int n, const cr_node x[]) {
    for (int i = 0; i < n; i++) {
        if (!graph_get(x[i])) return bad_operand(n, x, op, i, "an error node, or was cut");
        if (x[i].graph != x[0].graph) return bad_operand(n, x, op, i, "a node of another graph");
    }
    return n > 0;
}

cr_node ops_shaped(int op, cr_dtype dtype, uint32_t shape, int n_attr, const int64_t attr[], int n,
                   const cr_node x[]) {
    enum op_kind kind = op_kind(op); /* what is made of literals alone is as weak as they are */
    bool weak = (kind == KIND_ELEM || kind == KIND_VIEW || kind == KIND_REDUCE) && dtype_is_float(dtype);
    for (int i = 0; weak && i < n; i++) weak = graph_at(x[i].graph, x[i].id)->weak;
    struct make m = {.op = op,
                     .dtype = dtype,
                     .weak = weak,
                     .shape = shape,
                     .n_attr = (size_t)n_attr,
                     .attr = attr,
                     .n = (uint32_t)n,
                     .x = x};
    return graph_make(x[0].graph, &m);
}

cr_node ops_node(int op, cr_dtype dtype, const struct shape *s, int n_attr, const int64_t attr[], int n,
                 const cr_node x[]) {
    cr_graph *g = x[0].graph;
    if (s->rank > CR_MAX_RANK)
        return graph_fail(g, CR_ELIMIT, op_name(op), "rank %d is above the limit of %d", s->rank,
                          CR_MAX_RANK);
    if (shape_count(s->rank, s->dim) < 0) {
        struct shape_text t;
        return graph_fail(g, CR_ELIMIT, op_name(op), "shape %s is too large (or has a negative size)",
                          ops_show(&t, s));
    }
    return ops_shaped(op, dtype, graph_shape_number(g, s->rank, s->dim), n_attr, attr, n, x);
}

bool ops_literal(cr_node x, double *value) {
    const struct node *n = graph_get(x);
    if (!n || n->op != OP_const || graph_elements(x.graph, n) != 1) return false;
    *value = dtype_get((cr_dtype)n->dtype, graph_attr(x.graph, n), 0);
    return true;
}

static cr_node constant(cr_graph *g, cr_dtype dtype, bool weak, int rank, const int64_t dims[],
                        const void *data, size_t bytes) {
    int64_t few[8] = {0}, *words = few;
    size_t n = (bytes + 7) / 8;
    if (n > 8) words = mem_zero(&g->mem, mem_mul(n, 8));
    if (!words) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    if (bytes) memcpy(words, data, bytes);
    struct make m = {.op = OP_const,
                     .dtype = dtype,
                     .weak = weak,
                     .shape = graph_shape_number(g, rank, dims),
                     .n_attr = n,
                     .attr = words};
    cr_node x = graph_make(g, &m);
    if (words != few) mem_free(&g->mem, words, n * 8);
    return x;
}

cr_node cr_number(cr_graph *g, double value) {
    if (!g) return graph_error_node(NULL);
    return constant(g, CR_F64, true, 0, NULL, &value, sizeof value);
}

cr_node ops_scalar(cr_graph *g, cr_dtype dtype, double value) {
    int64_t word = 0;
    dtype_put(dtype, &word, 0, value);
    return constant(g, dtype, false, 0, NULL, &word, sizeof word); /* a whole word: the rest is 0 */
}

cr_node ops_weak_const(cr_graph *g, int rank, const int64_t dims[], const double data[]) {
    return constant(g, CR_F64, true, rank, dims, data, (size_t)shape_count(rank, dims) * sizeof *data);
}

cr_node ops_zeros(cr_graph *g, cr_dtype dtype, const struct shape *s) {
    return ops_expand(ops_scalar(g, dtype, 0), s);
}

cr_node ops_literal_as(cr_node x, cr_dtype dtype) {
    const struct node *n = graph_get(x);
    cr_graph *g = x.graph;
    struct shape s = graph_shape(g, n);
    int64_t count = graph_elements(g, n), one = 0, *words = &one;
    size_t size = cr_dtype_size(dtype), room = ((size_t)count * size + 7) / 8 * 8;
    if (room > sizeof one) words = mem_zero(&g->mem, room);
    if (!words) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    for (int64_t i = 0; i < count; i++) dtype_put(dtype, words, i, dtype_get(CR_F64, graph_attr(g, n), i));
    cr_node y = constant(g, dtype, false, s.rank, s.dim, words, s.rank ? (size_t)count * size : sizeof one);
    if (words != &one) mem_free(&g->mem, words, room);
    return y;
}

/* The count of elements of a leaf's shape, or -1 with an error. */
static int64_t leaf_count(cr_graph *g, const char *op, cr_dtype dtype, int rank, const int64_t dims[]) {
    if (!dtype_known((int)dtype) || rank < 0 || (rank && !dims))
        return graph_fail(g, CR_EINVAL, op, "bad dtype, rank or sizes"), -1;
    if (rank > CR_MAX_RANK)
        return graph_fail(g, CR_ELIMIT, op, "rank %d is above the limit of %d", rank, CR_MAX_RANK), -1;
    int64_t n = shape_count(rank, dims);
    struct shape s = shape_of(rank, dims);
    struct shape_text t;
    if (n < 0)
        graph_fail(g, CR_ELIMIT, op, "shape %s is too large, or has a negative size", ops_show(&t, &s));
    return n;
}

cr_node cr_const(cr_graph *g, cr_dtype dtype, int rank, const int64_t dims[], const void *data) {
    if (!g) return graph_error_node(NULL);
    int64_t n = leaf_count(g, "const", dtype, rank, dims);
    if (n < 0) return graph_error_node(g);
    if (n && !data) return graph_fail(g, CR_EINVAL, "const", "no data");
    return constant(g, dtype, false, rank, dims, data, (size_t)n * cr_dtype_size(dtype));
}

static cr_node leaf(cr_graph *g, int op, const char *name, cr_dtype dtype, int rank, const int64_t dims[]) {
    if (!g) return graph_error_node(NULL);
    if (!name || !*name) return graph_fail(g, CR_EINVAL, op_name(op), "a name must not be empty");
    if (leaf_count(g, op_name(op), dtype, rank, dims) < 0) return graph_error_node(g);
    uint32_t text = graph_scoped(g, name);
    if (text == intern_none) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    if (graph_named(g, text))
        return graph_fail(g, CR_ENAME, op_name(op), "the name '%s' is taken", graph_text(g, text));
    int64_t id = text;
    struct make m = {
        .op = op, .dtype = dtype, .shape = graph_shape_number(g, rank, dims), .n_attr = 1, .attr = &id};
    return cr_named(graph_make(g, &m), name);
}

cr_node cr_input(cr_graph *g, const char *name, cr_dtype dtype, int rank, const int64_t dims[]) {
    return leaf(g, OP_input, name, dtype, rank, dims);
}

cr_node cr_param(cr_graph *g, const char *name, cr_dtype dtype, int rank, const int64_t dims[]) {
    return leaf(g, OP_param, name, dtype, rank, dims);
}

/* Notes a value beside a parameter, in its dtype and shape. */
static cr_status note_value(const char *op, cr_node param, cr_node value, enum note_kind kind) {
    const struct node *n = graph_get(param);
    cr_graph *g = param.graph;
    if (!ops_good(op, 2, (cr_node[]){param, value})) return cr_graph_status(g);
    if (n->op != OP_param) return graph_fail(g, CR_EINVAL, op, "not a parameter"), CR_EINVAL;
    struct shape s = graph_shape(g, n);
    cr_node v = ops_expand(ops_to_dtype(value, (cr_dtype)n->dtype), &s);
    if (!cr_ok(v)) return cr_graph_status(g);
    if (!graph_note(g, param.id, kind, v.id, (int32_t)v.epoch, 0))
        return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), CR_ENOMEM;
    return CR_OK;
}

cr_status cr_param_init(cr_node param, cr_node value) {
    return note_value("param_init", param, value, NOTE_INIT);
}

cr_status cr_param_update(cr_node param, cr_node value) {
    return note_value("param_update", param, value, NOTE_UPDATE);
}

cr_node cr_param_next(cr_node param) {
    return graph_get(param) ? graph_noted(param.graph, param.id, NOTE_UPDATE) : graph_error_node(param.graph);
}

cr_node cr_variable(cr_node x) {
    if (!ops_good("variable", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    int64_t number = x.graph->unique++;
    return ops_node(OP_variable, cr_dtype_of(x), &s, 1, &number, 1, &x);
}

cr_node cr_stop_gradient(cr_node x) {
    if (!ops_good("stop_gradient", 1, &x)) return graph_error_node(x.graph);
    struct shape s = ops_shape(x);
    return ops_node(OP_stop_gradient, cr_dtype_of(x), &s, 0, NULL, 1, &x);
}

static cr_node source(cr_graph *g, int op, int rank, int64_t n) {
    if (!g) return graph_error_node(NULL);
    struct make m = {.op = op, .dtype = CR_I64, .shape = graph_shape_number(g, rank, &n)};
    return graph_make(g, &m);
}

cr_node cr_seed(cr_graph *g) { return source(g, OP_seed, 0, 0); }

cr_node cr_step_number(cr_graph *g) { return source(g, OP_step_number, 0, 0); }

cr_node cr_iota(cr_graph *g, int64_t n) {
    if (leaf_count(g, "iota", CR_I64, 1, &n) < 0) return graph_error_node(g);
    return source(g, OP_iota, 1, n);
}

int ops_axis(const char *op, cr_node x, int axis) {
    int rank = cr_rank(x);
    if (axis >= -rank && axis < rank) return axis < 0 ? axis : axis - rank;
    graph_fail(x.graph, CR_EAXIS, op, "axis %d is outside of rank %d", axis, rank);
    return 0;
}

bool ops_mark_axes(const char *op, cr_node x, int n, const int axes[], bool marked[]) {
    int rank = cr_rank(x);
    for (int i = 0; i < rank; i++) marked[i] = !axes;
    if (axes && (n < 0 || n > rank))
        return graph_fail(x.graph, CR_EAXIS, op, "%d axes for rank %d", n, rank), false;
    for (int i = 0; axes && i < n; i++) {
        int axis = ops_axis(op, x, axes[i]);
        if (!axis) return false;
        if (marked[axis + rank])
            return graph_fail(x.graph, CR_EAXIS, op, "axis %d is given twice", axes[i]), false;
        marked[axis + rank] = true;
    }
    return true;
}
