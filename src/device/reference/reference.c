/* The oracle. */
#include "device/reference/reference.h"

#include <math.h>
#include <string.h>

#include "device/cpu/element.h"
#include "device/finite.h"
#include "device/kernels.h"
#include "device/reference/control.h"
#include "tensor/dtype.h"

/* Floats are widened; integers and bools stay exact as they are. */
static cr_dtype wide(int dtype) { return dtype_is_float((cr_dtype)dtype) ? CR_F64 : (cr_dtype)dtype; }

/* Room for 8 bytes an element, of every part. */
static size_t bytes_of(const struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    return ops_part_offset(r->g, n, ops_part_count(r->g, n), 8);
}

static bool take_memory(struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    struct tensor *t = &r->value[id];
    struct shape s = graph_shape(r->g, n);
    int64_t *stride = r->stride + (size_t)id * CR_MAX_RANK;
    shape_strides(&s, stride);
    *t = (struct tensor){
        .dtype = wide(n->dtype), .rank = s.rank, .dim = graph_dims(r->g, n), .stride = stride};
    t->data = mem_zero(&r->g->mem, bytes_of(r, id));
    r->owned[id] = 1;
    return t->data != NULL;
}

static void run_leaf(struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    struct tensor *y = &r->value[id];
    int64_t count = graph_elements(r->g, n);
    if (n->op == OP_iota)
        for (int64_t i = 0; i < count; i++) ((int64_t *)y->data)[i] = i;
    else if (n->op == OP_seed || n->op == OP_step_number)
        *(int64_t *)y->data = n->op == OP_seed ? r->seed : r->step;
    else
        dtype_convert(y->dtype, y->data, 1,
                      r->wide_leaves && n->op != OP_const ? y->dtype : (cr_dtype)n->dtype,
                      n->op == OP_const ? graph_attr(r->g, n) : r->leaf[id], 1, count);
}

static void run_element(struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    struct tensor *y = &r->value[id];
    const struct tensor *x[3];
    for (int k = 0; k < 3; k++) x[k] = &r->value[n->arg[k < (int)n->n ? k : 0]];
    int64_t count = graph_elements(r->g, n), attr = graph_attr_count(r->g, n) ? graph_attr(r->g, n)[0] : 0;
    if (n->op == OP_cast) dtype_convert(y->dtype, y->data, 1, x[0]->dtype, x[0]->data, 1, count);
    else
        element_reference(n->op, x[n->n - 1]->dtype)(count, y->data, x[0]->data, x[1]->data, x[2]->data,
                                                     attr);
}

/* One after the other, in row-major order of the operand. */
static void run_reduce(struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    const struct tensor *x = &r->value[n->arg[0]];
    struct tensor *y = &r->value[id];
    int op = n->op == OP_sum ? OP_add : n->op == OP_prod ? OP_mul : n->op == OP_max ? OP_maximum : OP_minimum;
    bool gone[CR_MAX_RANK] = {false}, flag = x->dtype == CR_BOOL;
    for (size_t i = 0; i < graph_attr_count(r->g, n); i++) gone[x->rank + graph_attr(r->g, n)[i]] = true;
    double start = n->op == OP_sum ? 0 : n->op == OP_prod ? 1 : (n->op == OP_max) ? -INFINITY : INFINITY;
    if (flag) start = n->op == OP_min; /* dtype_put saturates infinities of integers, but inf is true */
    for (int64_t i = 0, count = graph_elements(r->g, n); i < count; i++)
        dtype_put(y->dtype, y->data, i, start);
    for (int64_t i = 0, count = shape_count(x->rank, x->dim); i < count; i++) {
        int64_t at = 0, step = 1, rest = i;
        for (int k = x->rank - 1; k >= 0; k--) {
            if (!gone[k]) at += rest % x->dim[k] * step, step *= x->dim[k];
            rest /= x->dim[k];
        }
        char *acc = (char *)y->data + (size_t)at * cr_dtype_size(y->dtype),
             *v = (char *)x->data + (size_t)i * cr_dtype_size(x->dtype);
        if (flag) *acc = (char)(n->op == OP_max ? *acc | *v : *acc & *v);
        else element_reference(op, y->dtype)(1, acc, acc, v, v, 0);
    }
}

static void run_view(struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    const struct tensor *x = &r->value[n->arg[0]];
    struct tensor *y = &r->value[id];
    int64_t stride[CR_MAX_RANK], offset;
    ops_view(r->g, n, x->stride, stride, &offset); /* true: every value here is in row-major order */
    copy_strided(y->data, (char *)x->data + offset * (int64_t)cr_dtype_size(x->dtype),
                 cr_dtype_size(x->dtype), y->rank, y->dim, stride);
}

/* f32 draws are f32 numbers: drawn as such, then widened from the last to the first, in place. */
static void widen_draws(struct tensor *y) {
    for (int64_t i = shape_count(y->rank, y->dim); i-- > 0;)
        ((double *)y->data)[i] = (double)((float *)y->data)[i];
}

static cr_status run_kernel(struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    struct tensor *in = mem_alloc(&r->g->mem, mem_mul(n->n, sizeof *in));
    struct kernel_call c = {
        .op = n->op, .attr = graph_attr(r->g, n), .n = n->n, .in = in, .out = r->value[id]};
    if (!in) return CR_ENOMEM;
    for (uint32_t k = 0; k < n->n; k++) in[k] = r->value[graph_args(r->g, n)[k]];
    size_t scratch = n->op == OP_matmul ? 0 : kernel_scratch(&c);
    struct team alone = {.tasks = 1, .scratch = mem_alloc(&r->g->mem, scratch), .scratch_bytes = scratch};
    c.team = &alone;
    for (int k = 0; k < ops_part_count(r->g, n); k++)
        c.out_part[k] = (char *)c.out.data + ops_part_offset(r->g, n, k, 8);
    if (n->op == OP_uniform) c.out.dtype = (cr_dtype)n->dtype;
    cr_status status = !alone.scratch       ? CR_ENOMEM
                       : n->op == OP_matmul ? kernel_matmul_plain(&c)
                                            : kernel_find(n->op)(&c);
    if (n->op == OP_uniform && n->dtype == CR_F32) widen_draws(&r->value[id]);
    mem_free(&r->g->mem, alone.scratch, scratch);
    mem_free(&r->g->mem, in, n->n * sizeof *in);
    r->bad = c.bad;
    r->limit = c.limit;
    return status;
}

static void run_alias(struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    r->value[id] = r->value[n->arg[0]];
    if (n->op != OP_part) return;
    struct tensor *t = &r->value[id];
    struct shape s = graph_shape(r->g, n);
    t->dtype = wide(n->dtype);
    t->rank = s.rank;
    t->dim = graph_dims(r->g, n);
    t->stride = r->stride + (size_t)id * CR_MAX_RANK;
    shape_strides(&s, r->stride + (size_t)id * CR_MAX_RANK);
    t->data =
        (char *)t->data + ops_part_offset(r->g, graph_at(r->g, n->arg[0]), (int)graph_attr(r->g, n)[0], 8);
}

static cr_status run_node(struct reference *r, uint32_t id) {
    int op = graph_at(r->g, id)->op;
    if (op_kind(op) == KIND_ALIAS) return run_alias(r, id), CR_OK;
    if (!take_memory(r, id)) return CR_ENOMEM;
    if (op_kind(op) == KIND_LEAF) run_leaf(r, id);
    else if (op_kind(op) == KIND_ELEM || op == OP_cast) run_element(r, id);
    else if (op_kind(op) == KIND_REDUCE) run_reduce(r, id);
    else if (op_kind(op) == KIND_VIEW) run_view(r, id);
    else return op_kind(op) == KIND_CONTROL ? reference_control(r, id) : run_kernel(r, id);
    return CR_OK;
}

static struct unfinite look(const void *where, uint32_t id) {
    const struct reference *r = where;
    return tensor_unfinite(&r->value[id], (cr_dtype)graph_at(r->g, id)->dtype);
}

cr_status reference_run(struct reference *r) {
    uint32_t count = r->g->count;
    r->value = mem_zero(&r->g->mem, mem_mul(count, sizeof *r->value));
    r->stride = mem_zero(&r->g->mem, mem_mul(count, CR_MAX_RANK * sizeof *r->stride));
    r->owned = mem_zero(&r->g->mem, count);
    if (!r->value || !r->stride || !r->owned) return CR_ENOMEM;
    for (uint32_t id = 1; id < count; id++) {
        if (r->needed && !r->needed[id]) continue;
        cr_status status = run_node(r, id);
        r->bad_node = id;
        if (!status && r->trap_nan) status = finite_trap(r->g, id, look, r, &r->infinite);
        if (status) return status;
    }
    return CR_OK;
}

/* A number in a narrower dtype never overtakes those still to be converted. */
struct tensor reference_result(struct reference *r, uint32_t node) {
    struct tensor *t = &r->value[node];
    cr_dtype dtype = (cr_dtype)graph_at(r->g, node)->dtype;
    if (t->dtype != dtype)
        dtype_convert(dtype, t->data, 1, t->dtype, t->data, 1, shape_count(t->rank, t->dim));
    t->dtype = dtype;
    return *t;
}

void reference_free(struct reference *r) {
    const struct mem *m = &r->g->mem;
    uint32_t count = r->g->count;
    for (uint32_t id = 1; r->value && r->owned && id < count; id++)
        if (r->owned[id]) mem_free(m, r->value[id].data, bytes_of(r, id));
    mem_free(m, r->value, count * sizeof *r->value);
    mem_free(m, r->stride, count * CR_MAX_RANK * sizeof *r->stride);
    mem_free(m, r->owned, count);
    r->value = NULL;
    r->stride = NULL;
    r->owned = NULL;
}
