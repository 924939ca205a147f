/* Indexing as NumPy's: x[1, 2:, ::-1, ..., None, i]. */
#include <string.h>

#include "formula/model.h"
#include "tensor/dtype.h"

enum item_kind { ITEM_NUMBER, ITEM_RANGE, ITEM_ALL_REST, ITEM_NEW, ITEM_NODE };

struct item {
    enum item_kind kind;
    bool has[3];
    int64_t at[3]; /* NUMBER: the index; RANGE: start, stop, step */
    cr_node node;
    struct token token;
};

static bool whole(struct reader *r, struct value v, int64_t *x, const struct token *at) {
    if (r->status) return false;
    if (v.kind == VALUE_NUMBER && v.integer) return *x = (int64_t)v.number, true;
    if (!r->g && v.kind == VALUE_NUMBER) return *x = 1, true; /* a size that is still open */
    reader_fail(r, CR_ESYNTAX, at, "expected an integer");
    return false;
}

static bool range_ends(const struct reader *r) {
    return reader_is(r, ":") || reader_is(r, ",") || reader_is(r, "]");
}

/* Behind the first ':' of start:stop:step. */
static void read_range(struct reader *r, struct item *item) {
    item->kind = ITEM_RANGE;
    for (int i = 1; i < 3 && !r->status; i++) {
        if (!range_ends(r)) {
            struct token at = r->token;
            item->has[i] = whole(r, read_expression(r), &item->at[i], &at);
        }
        if (i == 2 || !reader_take(r, ":")) break;
    }
    if (!r->status && item->has[2] && item->at[2] == 0)
        reader_fail(r, CR_EINVAL, &item->token, "a step must not be 0");
}

static void read_item(struct reader *r, struct item *item) {
    item->token = r->token;
    if (reader_take(r, "...")) item->kind = ITEM_ALL_REST;
    else if (reader_take(r, "None")) item->kind = ITEM_NEW;
    else if (reader_take(r, ":")) read_range(r, item);
    else {
        struct value v = read_expression(r);
        if (reader_is(r, ":")) {
            item->has[0] = whole(r, v, &item->at[0], &item->token);
            reader_advance(r);
            read_range(r, item);
        } else if (v.kind == VALUE_NUMBER) {
            item->kind = ITEM_NUMBER;
            whole(r, v, &item->at[0], &item->token);
        } else {
            item->kind = ITEM_NODE;
            item->node = value_node(r, v, &item->token);
        }
    }
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

static cr_node take_one(struct reader *r, cr_node x, int axis, const struct item *item, int64_t size) {
    int64_t i = item->at[0] < 0 ? item->at[0] + size : item->at[0];
    if (i < 0 || i >= size)
        return reader_fail(r, CR_EINDEX, &item->token, "index %lld is out of range for an axis of size %lld",
                           (long long)item->at[0], (long long)size),
               graph_error_node(r->g);
    return cr_squeeze(ops_slice_axis(x, axis, i, 1, 1), 1, (int[]){axis}, false);
}

static cr_node apply(struct reader *r, cr_node x, int n, const struct item *items) {
    int used = 0, axis = 0, rest = -1, nodes = 0; /* axis: from the start, of what x has become */
    for (int i = 0; i < n; i++) {
        used += items[i].kind == ITEM_NUMBER || items[i].kind == ITEM_RANGE || items[i].kind == ITEM_NODE;
        nodes += items[i].kind == ITEM_NODE;
        if (items[i].kind == ITEM_ALL_REST && rest >= 0)
            return reader_fail(r, CR_EINVAL, &items[i].token, "only one '...' is allowed"), x;
        if (items[i].kind == ITEM_ALL_REST) rest = i;
    }
    if (used > cr_rank(x))
        return reader_fail(r, CR_EAXIS, &items[0].token, "%d indices for rank %d", used, cr_rank(x)), x;
    if (nodes > 1)
        return reader_fail(r, CR_EINVAL, &items[0].token,
                           "only one index may be a tensor: use gather for more"),
               x;
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
    }
    return x;
}

struct value read_index(struct reader *r, struct value v, const struct token *at) {
    struct item items[2 * CR_MAX_RANK];
    int n = 0;
    memset(items, 0, sizeof items);
    reader_advance(r);
    while (!r->status && !reader_is(r, "]")) {
        if (n == 2 * CR_MAX_RANK) return reader_fail(r, CR_ELIMIT, &r->token, "too many indices");
        read_item(r, &items[n++]);
        if (!reader_is(r, "]") && !reader_expect(r, ",", "between indices, or ']'")) return v;
    }
    if (!r->status && n == 0) return reader_unexpected(r, "an index");
    reader_expect(r, "]", "");
    if (r->status || !r->g) return (struct value){.kind = VALUE_NODE};
    cr_node x = value_node(r, v, at);
    if (!r->status) x = apply(r, x, n, items);
    return r->status ? (struct value){0} : node_value(r, x, at);
}
