/* Opaque ops as C: one function here for each that has one. */
#include <string.h>

#include "emit/emit.h"
#include "tensor/dtype.h"

struct kernel {
    struct emitter *e;
    uint32_t id;
    const struct node *n;
    const int64_t *attr;
    int rank; /* of the result */
};

static uint32_t operand(const struct kernel *k, uint32_t i) { return graph_args(k->e->g, k->n)[i]; }
static const struct node *operand_node(const struct kernel *k, uint32_t i) {
    return graph_at(k->e->g, operand(k, i));
}
static const int64_t *dims(const struct kernel *k, uint32_t i) {
    return graph_dims(k->e->g, operand_node(k, i));
}
static int rank_of(const struct kernel *k, uint32_t i) { return graph_rank(k->e->g, operand_node(k, i)); }
/* Where it is written: a parameter's own place, if that is updated there. */
static const char *result(const struct kernel *k) {
    return emit_name(k->e, k->e->p->slot[k->e->p->view[k->id].slot].node);
}

static struct expression element_at(const struct kernel *k, uint32_t i, const char *const index[]) {
    struct cr_text t = text_make(&k->e->mem);
    emit_element(k->e, &t, operand(k, i), rank_of(k, i), index);
    return emit_take(k->e, &t);
}

static struct expression matrix_at(const struct kernel *k, uint32_t i, const char *const index[]) {
    return emit_pointer(k->e, operand(k, i), k->rank - 2, index); /* by the batch axes alone */
}

static void matmul(const struct kernel *k) {
    struct emitter *e = k->e;
    int r = k->rank - 2;
    const int64_t *a = plan_strides(e->p, operand(k, 0)), *b = plan_strides(e->p, operand(k, 1));
    int64_t m = dims(k, 0)[r], n = dims(k, 1)[r + 1], depth = dims(k, 0)[r + 1],
            at = e->p->view[k->id].offset;
    for (int i = 0; i < r; i++) emit_open_axis(k->e, i, dims(k, 0)[i]);
    struct cr_text name = text_make(&e->mem), to = text_make(&e->mem);
    struct expression x = matrix_at(k, 0, emit_axis), y = matrix_at(k, 1, emit_axis);
    if (e->exact)
        text_add(&name, "product%s_%s", e->then ? "_rows" : "", k->n->dtype == CR_F64 ? "f64" : "f32");
    else emit_helper(e, &name, "matmul", (cr_dtype)k->n->dtype);
    if (e->then) text_add(&to, "NULL, room, then_%zu, slot", e->then);
    else text_str(&to, result(k));
    if (at && !e->then) text_add(&to, " + %lld", (long long)at); /* of what it is joined to */
    if (r) text_add(&to, " + (%s) * %lld", emit_number(k->e, r, dims(k, 0), emit_axis).s, (long long)(m * n));
    if (e->exact && !e->then) text_str(&to, ", room");
    if (!name.failed && name.n && !to.failed)
        emit_line(e, "%s(%lld, %lld, %lld, %s, %lld, %lld, %s, %lld, %lld, %s);", name.s, (long long)m,
                  (long long)n, (long long)depth, x.s, (long long)a[r], (long long)a[r + 1], y.s,
                  (long long)b[r], (long long)b[r + 1], to.s);
    text_drop(&name);
    text_drop(&to);
    for (int i = 0; i < r; i++) emit_close(e);
}

/* Reads the index at index[b.., i..] into `at`, or leaves the function. */
static void read_index(const struct kernel *k, int64_t limit) {
    struct cr_text name = text_make(&k->e->mem);
    emit_helper(k->e, &name, "index_in", CR_I64);
    if (!name.failed && name.n)
        emit_line(k->e, "const long at = %s(%s, %lld);", name.s, element_at(k, 1, emit_axis).s,
                  (long long)limit);
    emit_line(k->e, "if (at < 0) return 1;");
    k->e->may_fail = true;
    text_drop(&name);
}

/* Loops over batch axes, index axes, then the rest of what is picked: index[] gets the indices into the whole. */
struct picking {
    int batch, picks, rest;
    const int64_t *whole; /* sizes */
    const char *index[CR_MAX_RANK];
};

static struct picking open_picks(const struct kernel *k, int64_t index_axes, int whole_rank,
                                 const int64_t *whole) {
    struct picking p = {.picks = (int)index_axes, .whole = whole};
    p.batch = rank_of(k, 1) - p.picks;
    p.rest = whole_rank - p.batch - 1;
    for (int i = 0; i < p.batch + p.picks; i++) emit_open_axis(k->e, i, dims(k, 1)[i]);
    read_index(k, whole[p.batch]);
    for (int i = 0; i < p.rest; i++) emit_open_axis(k->e, p.batch + p.picks + i, whole[p.batch + 1 + i]);
    for (int i = 0; i < whole_rank; i++)
        p.index[i] = i < p.batch ? emit_axis[i] : i == p.batch ? "at" : emit_axis[p.picks + i - 1];
    return p;
}

static void close_picks(const struct kernel *k, const struct picking *p) {
    for (int i = 0; i < p->batch + p->picks + p->rest; i++) emit_close(k->e);
}

static void gather(const struct kernel *k) {
    struct picking p = open_picks(k, k->attr[0], rank_of(k, 0), dims(k, 0));
    struct expression to = emit_number(k->e, k->rank, graph_dims(k->e->g, k->n), emit_axis),
                      from = element_at(k, 0, p.index);
    emit_line(k->e, "%s[%s] = %s;", result(k), to.s, from.s);
    close_picks(k, &p);
}

static void scatter_add(const struct kernel *k) {
    emit_clear(k->e, result(k), graph_elements(k->e->g, k->n));
    const int64_t *whole = graph_dims(k->e->g, k->n);
    struct picking p = open_picks(k, k->attr[0], k->rank, whole);
    struct expression to = emit_number(k->e, k->rank, whole, p.index), from = element_at(k, 0, emit_axis);
    emit_line(k->e, "%s[%s] += %s;", result(k), to.s, from.s);
    close_picks(k, &p);
}

static void extreme(const struct kernel *k) {
    struct emitter *e = k->e;
    int rank = rank_of(k, 0), axis = rank - 1;
    const char *index[CR_MAX_RANK], *first[CR_MAX_RANK];
    char type[80];
    for (int i = 0, out = 0; i < rank; i++) {
        index[i] = i == axis ? "q" : emit_axis[out++];
        first[i] = i == axis ? "0" : index[i];
        if (i != axis) emit_open_axis(k->e, out - 1, dims(k, 0)[i]);
    }
    int64_t kept[CR_MAX_RANK];
    for (int i = 0, out = 0; i < rank; i++)
        if (i != axis) kept[out++] = dims(k, 0)[i];
    struct expression at = emit_number(k->e, rank - 1, kept, emit_axis), x = element_at(k, 0, index),
                      start = element_at(k, 0, first);
    bool least = k->n->op == OP_argmin;
    emit_line(e, "long best = 0;");
    emit_line(e, "%s most = %s;", emit_type(e, (cr_dtype)operand_node(k, 0)->dtype, type), start.s);
    emit_open(e, "for (long q = 1; q < %lld; q++)", (long long)dims(k, 0)[axis]);
    /* nan wins, the first of all */
    emit_line(e, "if (most == most && (%s %c most || %s != %s)) most = %s, best = q;", x.s, least ? '<' : '>',
              x.s, x.s, x.s);
    emit_close(e);
    emit_line(e, "%s[%s] = best;", result(k), at.s);
    for (int i = 0; i < rank - 1; i++) emit_close(e);
}

/* Of the result, which may stand in another's slot. */
static struct expression result_at(const struct kernel *k, const char *const index[]) {
    struct cr_text t = text_make(&k->e->mem);
    emit_element(k->e, &t, k->id, k->rank, index);
    return emit_take(k->e, &t);
}

static void concat(const struct kernel *k) {
    int axis = k->rank + (int)k->attr[0];
    int64_t at = 0;
    for (uint32_t i = 0; i < k->n->n; at += dims(k, i++)[axis]) {
        char shifted[64];
        const char *index[CR_MAX_RANK];
        if (plan_joined(k->e->p, k->id, i)) continue;
        for (int j = 0; j < k->rank; j++) {
            emit_open_axis(k->e, j, dims(k, i)[j]);
            index[j] = emit_axis[j];
        }
        struct cr_text t = text_make(&k->e->mem);
        text_add(&t, at ? "(%s + %lld)" : "%s", emit_axis[axis], (long long)at);
        if (t.n && t.n < sizeof shifted) memcpy(shifted, t.s, t.n + 1);
        text_drop(&t);
        index[axis] = shifted;
        struct expression to = result_at(k, index), from = element_at(k, i, emit_axis);
        emit_line(k->e, "%s = %s;", to.s, from.s);
        for (int j = 0; j < k->rank; j++) emit_close(k->e);
    }
}

/* Numbers first to end-1 of the result, seen as a row. */
static void clear(const struct kernel *k, int64_t first, int64_t end) {
    struct cr_text t = text_make(&k->e->mem);
    if (first == end) return;
    emit_element_of(k->e, &t, k->id, 1, (int64_t[]){1}, (const char *[]){"i"});
    struct expression to = emit_take(k->e, &t);
    emit_line(k->e, "for (long i = %lld; i < %lld; i++) %s = 0;", (long long)first, (long long)end, to.s);
}

static void unslice(const struct kernel *k) {
    const char *index[CR_MAX_RANK];
    char shifted[CR_MAX_RANK][64];
    int64_t all = graph_elements(k->e->g, k->n);
    if (plan_joined(k->e->p, k->id, 0)) {
        int64_t first = plan_place_of(k->e->g, k->n, 0);
        clear(k, 0, first);
        clear(k, first + graph_elements(k->e->g, operand_node(k, 0)), all);
        return;
    }
    clear(k, 0, all);
    for (int i = 0; i < k->rank; i++) {
        const int64_t *a = &k->attr[2 * (k->rank - 1 - i)];
        struct cr_text t = text_make(&k->e->mem);
        text_add(&t, "(%lld + %s * %lld)", (long long)a[0], emit_axis[i], (long long)a[1]);
        if (t.n && t.n < sizeof shifted[i]) memcpy(shifted[i], t.s, t.n + 1);
        text_drop(&t);
        index[i] = shifted[i];
        emit_open_axis(k->e, i, dims(k, 0)[i]);
    }
    struct expression to = result_at(k, index), from = element_at(k, 0, emit_axis);
    emit_line(k->e, "%s = %s;", to.s, from.s);
    for (int i = 0; i < k->rank; i++) emit_close(k->e);
}

/* "a * 2 + b * 3" as an index: of places and elements of a window. */
static struct expression window_index(const struct kernel *k, const char *place, const char *element,
                                      const int64_t attr[3]) {
    struct cr_text t = text_make(&k->e->mem);
    text_add(&t, "(%s * %lld + %s * %lld)", place, (long long)attr[1], element, (long long)attr[2]);
    return emit_take(k->e, &t);
}

/* Element by element of the window, so that what collides is added in their order. */
static void window_add(const struct kernel *k) {
    int n = rank_of(k, 0) - k->rank, first = k->rank - n;
    const char *index[CR_MAX_RANK];
    struct expression *at = mem_alloc(&k->e->mem, sizeof *at * CR_MAX_RANK);
    if (!at) {
        k->e->status = CR_ENOMEM;
        return;
    }
    emit_clear(k->e, result(k), graph_elements(k->e->g, k->n));
    for (int i = 0; i < n; i++) emit_open_axis(k->e, k->rank + i, dims(k, 0)[k->rank + i]);
    for (int i = 0; i < k->rank; i++) {
        emit_open_axis(k->e, i, dims(k, 0)[i]);
        index[i] = emit_axis[i];
        if (i < first) continue;
        at[i] =
            window_index(k, emit_axis[i], emit_axis[k->rank + i - first], &k->attr[3 * (k->rank - 1 - i)]);
        index[i] = at[i].s;
    }
    struct expression to = emit_number(k->e, k->rank, graph_dims(k->e->g, k->n), index),
                      from = element_at(k, 0, emit_axis);
    emit_line(k->e, "%s[%s] += %s;", result(k), to.s, from.s);
    for (int i = 0; i < k->rank + n; i++) emit_close(k->e);
    mem_free(&k->e->mem, at, sizeof *at * CR_MAX_RANK);
}

/* Line by line: the numbers side by side, then where they go, then the numbers there. */
static void sort(const struct kernel *k) {
    struct emitter *e = k->e;
    const int64_t *dim = dims(k, 0), n = dim[k->rank - 1];
    char type[80];
    const char *t = emit_type(e, (cr_dtype)k->n->dtype, type), *index[CR_MAX_RANK];
    emit_scratch(e, t, "line", n);
    emit_scratch(e, "int64_t", "spare", n);
    for (int i = 0; i < k->rank - 1; i++) emit_open_axis(e, i, dim[i]);
    for (int i = 0; i < k->rank; i++) index[i] = i < k->rank - 1 ? emit_axis[i] : "q";
    struct expression x = element_at(k, 0, index), at = emit_number(e, k->rank, dim, index);
    index[k->rank - 1] = "0";
    struct expression first = emit_number(e, k->rank, dim, index);
    struct cr_text name = text_make(&e->mem);
    emit_helper(e, &name, "sort_order", (cr_dtype)k->n->dtype);
    emit_line(e, "int64_t *const order = %s + (%s);", emit_second_name(e, k->id), first.s);
    emit_line(e, "for (long q = 0; q < %lld; q++) line[q] = %s;", (long long)n, x.s);
    if (!name.failed && name.n)
        emit_line(e, "%s(line, 1, %lld, %d, order, spare);", name.s, (long long)n, k->attr[1] != 0);
    emit_line(e, "for (long q = 0; q < %lld; q++) %s[%s] = line[order[q]];", (long long)n, result(k), at.s);
    text_drop(&name);
    for (int i = 0; i < k->rank - 1; i++) emit_close(e);
}

/* y_w = x_w y_(w-1) + ..., along an axis, forwards or backwards. */
static void along(const struct kernel *k, bool recurrence) {
    struct emitter *e = k->e;
    int axis = k->rank + (int)k->attr[0];
    bool reverse = k->attr[1] != 0;
    const int64_t *dim = graph_dims(e->g, k->n);
    const char *index[CR_MAX_RANK];
    char type[80];
    for (int i = 0; i < k->rank; i++) {
        index[i] = i == axis ? "q" : emit_axis[i];
        if (i != axis) emit_open_axis(k->e, i, dim[i]);
    }
    emit_line(e, "%s so_far = 0;", emit_type(e, (cr_dtype)k->n->dtype, type));
    if (reverse) emit_open(e, "for (long q = %lld; q >= 0; q--)", (long long)dim[axis] - 1);
    else emit_open(e, "for (long q = 0; q < %lld; q++)", (long long)dim[axis]);
    struct expression x = element_at(k, 0, index), at = emit_number(k->e, k->rank, dim, index);
    if (recurrence) /* the first step takes y alone: what x is there does not matter, be it nan */
        emit_line(e, "so_far = q == %lld ? %s : %s * so_far + %s;", (long long)(reverse ? dim[axis] - 1 : 0),
                  element_at(k, 1, index).s, x.s, element_at(k, 1, index).s);
    else emit_line(e, "so_far = so_far + %s;", x.s);
    emit_line(e, "%s[%s] = so_far;", result(k), at.s);
    for (int i = 0; i < k->rank; i++) emit_close(e);
}

static void uniform(const struct kernel *k) {
    struct cr_text name = text_make(&k->e->mem);
    int keys = graph_rank(k->e->g, graph_at(k->e->g, k->n->arg[0]));
    const int64_t *dim = graph_dims(k->e->g, k->n);
    int64_t each = shape_count(k->rank - keys, dim + keys);
    bool wide = k->n->dtype == CR_F64;
    char type[80];
    emit_helper(k->e, &name, "philox_bits", CR_I64);
    for (int i = 0; i < keys; i++) emit_open_axis(k->e, i, dim[i]);
    emit_open(k->e, "for (long q = 0; q < %lld; q++)", (long long)each);
    struct expression key = element_at(k, 0, emit_axis), of_key = emit_number(k->e, keys, dim, emit_axis);
    if (!name.failed && name.n)
        emit_line(k->e,
                  wide ? "%s[%s * %lld + q] = (%s)(((double)(%s(%s, q) >> 12) + 0.5) * 0x1p-52);"
                       : "%s[%s * %lld + q] = (%s)(((float)(%s(%s, q) >> 41) + 0.5f) * 0x1p-23f);",
                  result(k), of_key.s, (long long)each, emit_type(k->e, (cr_dtype)k->n->dtype, type), name.s,
                  key.s);
    for (int i = 0; i <= keys; i++) emit_close(k->e);
    text_drop(&name);
}

void emit_kernel(struct emitter *e, uint32_t id) {
    const struct node *n = graph_at(e->g, id);
    struct kernel k = {.e = e, .id = id, .n = n, .attr = graph_attr(e->g, n), .rank = graph_rank(e->g, n)};
    switch (n->op) {
    case OP_matmul: matmul(&k); return;
    case OP_gather: gather(&k); return;
    case OP_scatter_add: scatter_add(&k); return;
    case OP_argmax:
    case OP_argmin: extreme(&k); return;
    case OP_concat: concat(&k); return;
    case OP_unslice: unslice(&k); return;
    case OP_cumsum: along(&k, false); return;
    case OP_recur: along(&k, true); return;
    case OP_uniform: uniform(&k); return;
    case OP_window_add: window_add(&k); return;
    case OP_sort: sort(&k); return;
    case OP_cholesky:
    case OP_triangular_solve:
    case OP_solve:
    case OP_logabsdet:
    case OP_eigh: emit_matrix(e, id); return;
    default: emit_refuse(e, "there is no C for %s", op_name(n->op));
    }
}
