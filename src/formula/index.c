/* Indexing as NumPy's: x[1, 2:, ::-1, ..., None, i]. */
#include <string.h>

#include "formula/model.h"

enum item_kind { ITEM_NUMBER, ITEM_RANGE, ITEM_ALL_REST, ITEM_NEW, ITEM_NODE };

struct item {
    enum item_kind kind;
    bool has[3];
    int64_t at[3]; /* NUMBER: the index; RANGE: start, stop, step */
    cr_node node;
    struct token token;
};

enum { most_items = 2 * CR_MAX_RANK };

static void whole(struct reader *r, const struct operand *x, struct item *item, int part) {
    item->has[part] = x->value.kind != VALUE_NOTHING;
    item->at[part] = (int64_t)(x->value.integer ? x->value.number : 0);
    if (item->has[part] && (x->value.kind != VALUE_NUMBER || !x->value.integer))
        reader_fail(r, CR_ESYNTAX, &x->at,
                    x->value.kind == VALUE_NODE
                        ? "a slice has literal ends: take(x, index) gathers by a tensor"
                        : "expected an integer");
}

/* One item from the operands at x, of which n belong to it. */
static void make_item(struct reader *r, const struct operand *x, size_t n, struct item *item) {
    *item = (struct item){.token = x->at};
    if (n > 1) item->kind = ITEM_RANGE;
    else if (token_is(&x->at, "...")) item->kind = ITEM_ALL_REST;
    else if (x->value.kind == VALUE_NOTHING) item->kind = ITEM_NEW;
    else if (x->value.kind != VALUE_NUMBER) item->kind = ITEM_NODE;
    for (size_t i = 0; i < n && (n > 1 || item->kind == ITEM_NUMBER); i++) whole(r, &x[i], item, (int)i);
    if (item->kind == ITEM_NODE) item->node = value_node(r, x->value, &x->at);
    if (item->kind == ITEM_RANGE && item->has[2] && item->at[2] == 0)
        reader_fail(r, CR_EINVAL, &x[2].at, "a step must not be 0");
}

static int make_items(struct reader *r, size_t first, struct item items[]) {
    int n = 0;
    for (size_t i = first, parts; i < r->operands && !r->status; i += parts) {
        for (parts = 1; i + parts < r->operands && r->operand[i + parts].part;) parts++;
        if (n == most_items) return reader_fail(r, CR_ELIMIT, &r->operand[i].at, "too many indices"), n;
        make_item(r, &r->operand[i], parts, &items[n++]);
    }
    return n;
}

/* What the items make of x: one slice, then one shape, in which numbers have taken their axes away and None has added
 * some; then a tensor gathers along an axis of that. */
struct plan {
    int64_t start[CR_MAX_RANK], step[CR_MAX_RANK];
    struct shape count, shape;
    int axis; /* of x, next */
    const struct item *gather;
    int gather_axis; /* of the shape */
};

/* start:stop:step cut to the axis, as Python does. Gives the count. */
static int64_t take_range(const struct item *item, int64_t size, int64_t *start, int64_t *by) {
    int64_t step = item->has[2] ? item->at[2] : 1, least = step > 0 ? 0 : -1,
            most = step > 0 ? size : size - 1;
    int64_t ends[2] = {step > 0 ? least : most, step > 0 ? most : least};
    for (int i = 0; i < 2; i++) {
        if (!item->has[i]) continue;
        ends[i] = item->at[i] < 0 ? item->at[i] + size : item->at[i];
        ends[i] = ends[i] < least ? least : ends[i] > most ? most : ends[i];
    }
    int64_t span = step > 0 ? ends[1] - ends[0] : ends[0] - ends[1], stride = step > 0 ? step : -step;
    *start = ends[0];
    *by = step;
    return span > 0 ? (span - 1) / stride + 1 : 0;
}

static struct value out_of_range(struct reader *r, const struct item *item, int64_t size) {
    return reader_fail(r, CR_EINDEX, &item->token, "index %lld is out of range for an axis of size %lld",
                       (long long)item->at[0], (long long)size);
}

static void add_axis(struct reader *r, struct plan *p, int64_t size, const struct token *at) {
    if (p->shape.rank == CR_MAX_RANK) reader_fail(r, CR_ELIMIT, at, "rank above %d", CR_MAX_RANK);
    else p->shape.dim[p->shape.rank++] = size;
}

/* One axis of x, of this size. */
static void plan_axis(struct reader *r, struct plan *p, const struct item *item, int64_t size) {
    int64_t *start = &p->start[p->axis], *step = &p->step[p->axis], *count = &p->count.dim[p->axis];
    *start = 0, *step = 1, *count = size;
    p->axis++;
    if (item->kind == ITEM_NUMBER) {
        *start = item->at[0] < 0 ? item->at[0] + size : item->at[0];
        *count = 1;
        if (*start < 0 || *start >= size) out_of_range(r, item, size);
        return;
    }
    if (item->kind == ITEM_RANGE) *count = take_range(item, size, start, step);
    if (item->kind == ITEM_NODE) p->gather = item, p->gather_axis = p->shape.rank;
    add_axis(r, p, *count, &item->token);
}

/* How many axes the items use up; -1 with a mistake. */
static int used_axes(struct reader *r, cr_node x, int n, const struct item items[]) {
    int used = 0, nodes = 0, rests = 0;
    for (int i = 0; i < n; i++) {
        used += items[i].kind == ITEM_NUMBER || items[i].kind == ITEM_RANGE || items[i].kind == ITEM_NODE;
        nodes += items[i].kind == ITEM_NODE;
        rests += items[i].kind == ITEM_ALL_REST;
        if (rests > 1) return reader_fail(r, CR_EINVAL, &items[i].token, "only one '...' is allowed"), -1;
        if (nodes > 1)
            return reader_fail(r, CR_EINVAL, &items[i].token,
                               "only one index may be a tensor: gather or take_along serve for more"),
                   -1;
        if (used > cr_rank(x))
            return reader_fail(r, CR_EAXIS, &items[i].token, "more indices than axes: rank %d", cr_rank(x)),
                   -1;
    }
    return used;
}

static void plan_items(struct reader *r, struct plan *p, const struct shape *s, int n,
                       const struct item items[], int left) {
    const struct item all = {.kind = ITEM_RANGE, .token = items[0].token};
    for (int i = 0; i < n && !r->status; i++) {
        if (items[i].kind == ITEM_NEW) add_axis(r, p, 1, &items[i].token);
        else if (items[i].kind == ITEM_ALL_REST)
            for (; left > 0; left--) plan_axis(r, p, &all, s->dim[p->axis]);
        else plan_axis(r, p, &items[i], s->dim[p->axis]);
    }
    while (!r->status && p->axis < s->rank) plan_axis(r, p, &all, s->dim[p->axis]);
}

static cr_node apply(struct reader *r, cr_node x, int n, const struct item items[]) {
    struct shape s = ops_shape(x);
    struct plan p = {.count = {.rank = s.rank}};
    int used = used_axes(r, x, n, items);
    plan_items(r, &p, &s, n, items, s.rank - used);
    if (r->status) return x;
    reader_at(r, &items[0].token);
    x = ops_reshape(ops_slice(x, p.start, p.step, &p.count), &p.shape);
    if (!p.gather || !cr_ok(x)) return x;
    reader_at(r, &p.gather->token);
    x = cr_take(x, p.gather->node, p.gather_axis);
    node_value(r, x, &p.gather->token);
    return x;
}

/* A list known while reading keeps its elements as they are. */
static struct value element(struct reader *r, const struct list *l, const struct item *item) {
    int64_t n = (int64_t)l->n, i = item->at[0] < 0 ? item->at[0] + n : item->at[0];
    return i < 0 || i >= n ? out_of_range(r, item, n) : l->item[i];
}

struct value read_index(struct reader *r, struct value v, size_t first, const struct token *at) {
    struct item items[most_items];
    if (!r->g) return open_value();
    int n = make_items(r, first, items);
    if (r->status) return (struct value){0};
    if (v.kind == VALUE_LIST && n == 1 && items[0].kind == ITEM_NUMBER) return element(r, v.list, &items[0]);
    cr_node x = value_node(r, v, at);
    if (!r->status) x = apply(r, x, n, items);
    return r->status ? (struct value){0} : node_value(r, x, at);
}
