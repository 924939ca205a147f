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

/* start:stop:step cut to the axis, as Python does. */
static cr_node take_range(cr_node x, int axis, const struct item *item, int64_t size) {
    int64_t step = item->has[2] ? item->at[2] : 1, least = step > 0 ? 0 : -1,
            most = step > 0 ? size : size - 1;
    int64_t ends[2] = {step > 0 ? least : most, step > 0 ? most : least};
    for (int i = 0; i < 2; i++) {
        if (!item->has[i]) continue;
        ends[i] = item->at[i] < 0 ? item->at[i] + size : item->at[i];
        ends[i] = ends[i] < least ? least : ends[i] > most ? most : ends[i];
    }
    int64_t span = step > 0 ? ends[1] - ends[0] : ends[0] - ends[1], stride = step > 0 ? step : -step;
    return ops_slice_axis(x, axis, ends[0], step, span > 0 ? (span - 1) / stride + 1 : 0);
}

static struct value out_of_range(struct reader *r, const struct item *item, int64_t size) {
    return reader_fail(r, CR_EINDEX, &item->token, "index %lld is out of range for an axis of size %lld",
                       (long long)item->at[0], (long long)size);
}

static cr_node take_one(struct reader *r, cr_node x, int axis, const struct item *item, int64_t size) {
    int64_t i = item->at[0] < 0 ? item->at[0] + size : item->at[0];
    if (i < 0 || i >= size) return out_of_range(r, item, size), graph_error_node(r->g);
    return cr_squeeze(ops_slice_axis(x, axis, i, 1, 1), 1, (int[]){axis}, false);
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

static cr_node apply(struct reader *r, cr_node x, int n, const struct item items[]) {
    int used = used_axes(r, x, n, items), axis = 0; /* from the start, of what x has become */
    int left = cr_rank(x) - used;
    for (int i = 0; i < n && cr_ok(x) && !r->status; i++) {
        reader_at(r, &items[i].token);
        int from_end = axis - cr_rank(x);
        int64_t size = from_end < 0 ? cr_dims(x)[axis] : 0;
        switch (items[i].kind) {
        case ITEM_NUMBER: x = take_one(r, x, from_end, &items[i], size); break;
        case ITEM_RANGE: x = take_range(x, from_end, &items[i], size), axis++; break;
        case ITEM_ALL_REST: axis += left; break;
        case ITEM_NEW: x = cr_expand_dims(x, axis++); break;
        case ITEM_NODE:
            x = cr_take(x, items[i].node, axis);
            axis += cr_rank(items[i].node);
            break;
        }
        if (!r->status) node_value(r, x, &items[i].token);
    }
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
