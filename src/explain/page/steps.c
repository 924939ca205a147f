/* The program of a page: every node that its numbers come from, as loops that the page's one interpreter runs. A
 * loop calls a function made of a row's value column (tools/page_script.c) on numbers at strides; what an op does
 * with its axes is told here by strides alone. */
#include <string.h>

#include "explain/page/page.h"
#include "tensor/dtype.h"

enum { most_elements = 10000, most_all = 300000 }; /* of the forward pass; of all that the page computes */

/* ---- Which nodes ---- */

static void want(struct steps *s, cr_node x) {
    if (x.id) s->of[x.id] = 1;
}

static void mark(struct steps *s) {
    const struct explanation *x = s->p->x;
    for (uint32_t r = 0; r < x->rows; r++) {
        if (!s->p->kept[r] && !s->live) continue;
        if (explanation_has_value(x, &x->row[r])) want(s, x->row[r].x);
        want(s, x->row[r].cotangent);
    }
    for (size_t i = 0; i < x->edges; i++) {
        const struct edge *e = &x->edge[i];
        if (!s->p->kept[e->from] || !s->p->kept[e->to]) continue;
        want(s, e->gradient);
        want(s, e->part);
    }
    for (uint32_t id = x->g->count; s->live && id-- > 1;) {
        const struct node *n = graph_at(x->g, id);
        for (uint32_t k = 0; s->of[id] && k < n->n; k++) s->of[graph_args(x->g, n)[k]] = 1;
    }
}

/* Has the program a value of its own for it, or do its parts? */
static bool has_value(const struct steps *s, uint32_t id) {
    return s->of[id] && !ops_has_parts(graph_at(s->p->x->g, id)->op);
}

/* ---- Loops ---- */

static void dims(struct cr_text *out, int rank, const int64_t d[]) {
    text_char(out, '[');
    for (int i = 0; i < rank; i++) text_add(out, i ? ",%lld" : "%lld", (long long)d[i]);
    text_char(out, ']');
}

/* [offset, strides]. */
static void at(struct cr_text *out, int64_t offset, int rank, const int64_t stride[]) {
    text_add(out, "[%lld", (long long)offset);
    for (int i = 0; i < rank; i++) text_add(out, ",%lld", (long long)stride[i]);
    text_char(out, ']');
}

struct loop {
    const char *f;
    bool combine;      /* f(so far, operands) */
    const char *start; /* what the result is filled with first, or NULL */
    int rank;
    int64_t dim[CR_MAX_RANK];
    int64_t offset, stride[CR_MAX_RANK]; /* of the result */
    int64_t
        before; /* not 0: what is so far stands there from the result, but at the start of the last axis */
    int n;
    uint32_t x[3];
    int64_t x_offset[3], x_stride[3][CR_MAX_RANK];
    int64_t attr;
    /* The last operand is an index, counted along an axis of the result (adds) or of the first. */
    bool indexed, adds;
    int64_t index_stride, index_size;
};

static void write_loop(struct cr_text *out, const struct steps *s, const struct loop *l) {
    text_add(out, "{\"f\":\"%s\",\"d\":", l->f);
    dims(out, l->rank, l->dim);
    text_str(out, ",\"o\":");
    at(out, l->offset, l->rank, l->stride);
    text_str(out, ",\"x\":[");
    for (int k = 0; k < l->n; k++) {
        text_add(out, "%s[%u,", k ? "," : "", (unsigned)s->of[l->x[k]] - 1);
        at(out, l->x_offset[k], l->rank, l->x_stride[k]);
        text_char(out, ']');
    }
    text_str(out, "]");
    if (l->attr) text_add(out, ",\"n\":%lld", (long long)l->attr);
    if (l->combine) text_str(out, ",\"c\":1");
    if (l->start) text_add(out, ",\"z\":%s", l->start);
    if (l->before) text_add(out, ",\"p\":%lld", (long long)l->before);
    if (l->indexed)
        text_add(out, ",\"i\":[%d,%lld,%lld]", l->adds, (long long)l->index_stride, (long long)l->index_size);
    text_char(out, '}');
}

static struct shape shape_at(const struct steps *s, uint32_t id) {
    return graph_shape(s->p->x->g, graph_at(s->p->x->g, id));
}

/* One axis of all elements: an elementwise op has operands of its own shape. */
static bool element_loop(struct loop *l, const struct node *n, const cr_graph *g) {
    if (n->op == OP_fold_in) return false; /* exact integers of 64 bits */
    l->rank = 1;
    l->dim[0] = graph_elements(g, n);
    l->stride[0] = 1;
    for (uint32_t k = 0; k < n->n; k++) l->x_stride[k][0] = 1;
    if (graph_attr_count(g, n)) l->attr = graph_attr(g, n)[0];
    return true;
}

static void cast_loop(struct loop *l, const struct node *n, const cr_graph *g) {
    element_loop(l, n, g);
    cr_dtype from = (cr_dtype)graph_at(g, n->arg[0])->dtype, to = (cr_dtype)n->dtype;
    bool integer = !dtype_is_float(to) && to != CR_BOOL;
    l->attr = 0;
    l->f = to == CR_BOOL ? "ne_zero" : integer && dtype_is_float(from) ? "trunc" : "copy";
}

/* Over the operand's elements; the axes that go have stride 0 in the result. */
static void reduce_loop(const struct steps *s, struct loop *l, const struct node *n) {
    const cr_graph *g = s->p->x->g;
    struct shape from = shape_at(s, n->arg[0]);
    int64_t step = 1;
    l->rank = from.rank;
    memcpy(l->dim, from.dim, sizeof l->dim);
    shape_strides(&from, l->x_stride[0]);
    for (int i = from.rank; i-- > 0;) {
        bool gone = false;
        for (size_t k = 0; k < graph_attr_count(g, n); k++)
            gone = gone || graph_attr(g, n)[k] == i - from.rank;
        l->stride[i] = gone ? 0 : step;
        step *= gone ? 1 : from.dim[i];
    }
    l->combine = true;
    l->start = n->op == OP_sum ? "0" : n->op == OP_prod ? "1" : n->op == OP_max ? "\"-inf\"" : "\"inf\"";
}

static void view_loop(const struct steps *s, struct loop *l, const struct node *n) {
    struct shape y = graph_shape(s->p->x->g, n), x = shape_at(s, n->arg[0]);
    int64_t have[CR_MAX_RANK];
    shape_strides(&x, have);
    shape_strides(&y, l->stride);
    l->f = "copy", l->rank = y.rank;
    memcpy(l->dim, y.dim, sizeof l->dim);
    ops_view(s->p->x->g, n, have, l->x_stride[0], &l->x_offset[0]); /* row-major: there are such strides */
}

/* The transposes of slice and window: over the operand's elements; where each goes, the table's maps of these say of strides. */
static void back_loop(const struct steps *s, struct loop *l, const struct node *n) {
    const int64_t *attr = graph_attr(s->p->x->g, n);
    struct shape y = graph_shape(s->p->x->g, n), x = shape_at(s, n->arg[0]);
    int64_t own[CR_MAX_RANK];
    int windows = x.rank - y.rank, lead = y.rank - windows;
    bool adds = n->op == OP_window_add;
    shape_strides(&y, own);
    shape_strides(&x, l->x_stride[0]);
    l->f = adds ? "sum" : "copy", l->combine = adds, l->start = "0", l->rank = x.rank;
    memcpy(l->dim, x.dim, sizeof l->dim);
    for (int i = 0; i < y.rank; i++) {
        const int64_t *at = attr + (adds ? 3 : 2) * (y.rank - 1 - i); /* last axis first */
        if (!adds) l->offset += own[i] * at[0];
        l->stride[i] = adds && i < lead ? own[i] : own[i] * at[1];
        if (adds && i >= lead) l->stride[i + windows] = own[i] * at[2];
    }
}

/* [b.., m, k] x [b.., k, n]: over b.., m, n and k. */
static void matmul_loop(const struct steps *s, struct loop *l, const struct node *n) {
    struct shape a = shape_at(s, n->arg[0]), y = graph_shape(s->p->x->g, n), b = shape_at(s, n->arg[1]);
    int r = y.rank;
    l->f = "matmul", l->combine = true, l->start = "0", l->rank = r + 1;
    memcpy(l->dim, y.dim, sizeof l->dim);
    l->dim[r] = a.dim[r - 1];
    shape_strides(&y, l->stride);
    shape_strides(&a, l->x_stride[0]);
    shape_strides(&b, l->x_stride[1]);
    l->stride[r] = 0;
    l->x_stride[0][r] = l->x_stride[0][r - 1], l->x_stride[0][r - 1] = 0;
    l->x_stride[1][r] = l->x_stride[1][r - 2], l->x_stride[1][r - 2] = 0;
}

/* Along an axis, which is made the last; what is so far stands one step back. */
static void scan_loop(const struct steps *s, struct loop *l, const struct node *n) {
    const int64_t *attr = graph_attr(s->p->x->g, n);
    struct shape y = graph_shape(s->p->x->g, n), moved = {.rank = y.rank};
    int64_t have[CR_MAX_RANK];
    int axis = y.rank + (int)attr[0];
    shape_strides(&y, have);
    l->rank = y.rank, l->combine = true, l->start = "0";
    for (int i = 0, j = 0; i < y.rank; i++) {
        int to = i == axis ? y.rank - 1 : j++;
        moved.dim[to] = y.dim[i];
        l->stride[to] = have[i];
    }
    memcpy(l->dim, moved.dim, sizeof l->dim);
    int64_t *last = &l->stride[y.rank - 1];
    if (attr[1]) l->offset = *last * (y.dim[axis] - 1), *last = -*last;
    l->before = *last;
    for (uint32_t k = 0; k < n->n; k++) {
        memcpy(l->x_stride[k], l->stride, sizeof l->stride);
        l->x_offset[k] = l->offset;
    }
}

/* whole[b.., n, r..] by index[b.., i..]: over b.., i.., r... */
static void index_loop(const struct steps *s, struct loop *l, const struct node *n) {
    bool adds = n->op == OP_scatter_add;
    struct shape x = shape_at(s, n->arg[0]), index = shape_at(s, n->arg[1]), y = graph_shape(s->p->x->g, n);
    struct shape whole = adds ? y : x, picked = adds ? x : y;
    int64_t axes = graph_attr(s->p->x->g, n)[0], ws[CR_MAX_RANK] = {0}, ps[CR_MAX_RANK] = {0},
            is[CR_MAX_RANK] = {0};
    int batch = index.rank - (int)axes;
    shape_strides(&whole, ws);
    shape_strides(&picked, ps);
    shape_strides(&index, is);
    l->f = adds ? "sum" : "copy", l->combine = adds, l->start = adds ? "0" : NULL, l->rank = picked.rank;
    memcpy(l->dim, picked.dim, sizeof l->dim);
    for (int i = 0; i < picked.rank; i++) {
        int64_t in_whole = i < batch ? ws[i] : i < index.rank ? 0 : ws[i - index.rank + batch + 1];
        l->stride[i] = adds ? in_whole : ps[i];
        l->x_stride[0][i] = adds ? ps[i] : in_whole;
        l->x_stride[1][i] = i < index.rank ? is[i] : 0;
    }
    l->indexed = true, l->adds = adds;
    l->index_stride = ws[batch], l->index_size = whole.dim[batch];
}

/* One operand after the other. */
static void write_concat(struct cr_text *out, const struct steps *s, const struct node *n) {
    const cr_graph *g = s->p->x->g;
    struct shape y = graph_shape(g, n);
    int axis = y.rank + (int)graph_attr(g, n)[0];
    int64_t done = 0;
    for (uint32_t k = 0; k < n->n; k++) {
        uint32_t id = graph_args(g, n)[k];
        struct shape x = shape_at(s, id);
        struct loop l = {.f = "copy", .rank = y.rank, .n = 1, .x = {id}};
        memcpy(l.dim, x.dim, sizeof l.dim);
        shape_strides(&y, l.stride);
        shape_strides(&x, l.x_stride[0]);
        l.offset = done * l.stride[axis];
        done += x.dim[axis];
        if (k) text_char(out, ',');
        write_loop(out, s, &l);
    }
}

/* False: the table has no formula for it. */
static bool make_loop(const struct steps *s, struct loop *l, const struct node *n) {
    const cr_graph *g = s->p->x->g;
    *l = (struct loop){.f = op_name(n->op), .n = n->n < 3 ? (int)n->n : 3};
    for (int k = 0; k < l->n; k++) l->x[k] = graph_args(g, n)[k];
    enum op_kind kind = op_kind(n->op);
    if (kind == KIND_ELEM) return element_loop(l, n, g);
    if (kind == KIND_REDUCE) return reduce_loop(s, l, n), true;
    if (kind == KIND_VIEW) return view_loop(s, l, n), true;
    if (n->op == OP_variable || n->op == OP_stop_gradient)
        return element_loop(l, n, g), l->attr = 0, l->f = "copy", true;
    if (n->op == OP_cast) return cast_loop(l, n, g), true;
    if (n->op == OP_unslice || n->op == OP_window_add) return back_loop(s, l, n), true;
    if (n->op == OP_matmul) return matmul_loop(s, l, n), true;
    if (n->op == OP_cumsum || n->op == OP_recur) return scan_loop(s, l, n), true;
    if (n->op == OP_gather || n->op == OP_scatter_add) return index_loop(s, l, n), true;
    return n->op == OP_concat;
}

/* ---- The program ---- */

/* All pictures together stay within this many characters, two for each of their cells. */
enum { most_written = 64, most_picture = 1500000 };

static int picture_side(const struct steps *s) {
    const struct explanation *x = s->p->x;
    int64_t pictures = 1;
    int side = page_most_side;
    for (uint32_t r = 0; r < x->rows; r++)
        if (s->p->kept[r] && cr_count(x->row[r].x) > most_written) pictures += x->row[r].cotangent.id ? 2 : 1;
    while (side > 4 && pictures * side * side * 2 > most_picture) side--;
    return side;
}

/* Does it change when a number is changed by hand, or by a step of descent? */
static bool is_changed(const struct steps *s, uint32_t id, const uint8_t changed[]) {
    const struct node *n = graph_at(s->p->x->g, id);
    bool is = (n->op == OP_input || n->op == OP_param) && dtype_is_float((cr_dtype)n->dtype);
    for (uint32_t k = 0; k < n->n; k++) is = is || changed[graph_args(s->p->x->g, n)[k]];
    return is;
}

/* The op that cannot be computed; of a result of several, the one that made it. */
static const char *why_not(const struct steps *s, const struct node *n) {
    const cr_graph *g = s->p->x->g;
    return op_name(n->op == OP_part ? graph_at(g, graph_args(g, n)[0])->op : n->op);
}

/* 1: it changes, and is computed. */
static void look(struct steps *s, uint8_t changed[]) {
    struct loop l;
    int64_t all = 0;
    for (uint32_t id = 1; id < s->p->x->g->count; id++) {
        const struct node *n = graph_at(s->p->x->g, id);
        if (!s->of[id]) continue;
        changed[id] = is_changed(s, id, changed);
        all += graph_elements(s->p->x->g, n);
        if (n->n && changed[id] && !make_loop(s, &l, n)) s->why = why_not(s, n), s->live = false;
    }
    if (all > most_all) s->why = "size", s->live = false;
}

static bool begin(struct steps *s) {
    const struct explanation *x = s->p->x;
    for (uint32_t r = 0; r < x->rows; r++) s->elements += cr_count(x->row[r].x);
    s->live = s->elements <= most_elements;
    if (!s->live) s->why = "size";
    s->of = mem_zero(&x->mem, mem_mul(x->g->count, sizeof *s->of));
    return s->of != NULL;
}

static void forget(struct steps *s) { memset(s->of, 0, s->p->x->g->count * sizeof *s->of); }

cr_status page_steps_open(struct steps *s, const struct page *p) {
    *s = (struct steps){.p = p};
    uint8_t *changed = mem_zero(&p->x->mem, p->x->g->count);
    bool good = begin(s) && changed;
    if (good) {
        mark(s);
        if (s->live) look(s, changed);
        if (!s->live) forget(s), mark(s);
        for (uint32_t id = 1; id < p->x->g->count; id++) /* what is held has no operands in the program */
            if (has_value(s, id)) s->of[id] = 1 + s->n++;
            else s->of[id] = 0;
        s->side = picture_side(s);
    }
    mem_free(&p->x->mem, changed, p->x->g->count);
    return good ? CR_OK : CR_ENOMEM;
}

void page_steps_close(struct steps *s) { mem_free(&s->p->x->mem, s->of, s->p->x->g->count * sizeof *s->of); }

static void write_run(struct cr_text *out, const struct steps *s, const struct node *n) {
    struct loop l;
    text_str(out, ",\"run\":[");
    if (n->op == OP_concat) write_concat(out, s, n);
    else if (make_loop(s, &l, n)) write_loop(out, s, &l);
    text_char(out, ']');
}

/* nan and the infinities as strings. */
static void number(struct cr_text *out, cr_dtype dtype, double v) {
    if (v != v) text_str(out, "\"nan\"");
    else if (v - v != 0) text_str(out, v > 0 ? "\"inf\"" : "\"-inf\"");
    else if (dtype == CR_F32) text_number_f32(out, (float)v);
    else text_number(out, v);
}

static void numbers(struct cr_text *out, cr_dtype dtype, const void *data, int64_t count) {
    text_str(out, ",\"v\":[");
    for (int64_t i = 0; i < count; i++) {
        if (i) text_char(out, ',');
        number(out, dtype, dtype_get(dtype, data, i));
    }
    text_char(out, ']');
}

enum { OF_EDGE = 1, OF_ROW = 2 }; /* whose number is shown */

static void write_node(struct cr_text *out, const struct steps *s, uint32_t id, bool changed, int shown) {
    cr_node x = graph_handle(s->p->x->g, id);
    const void *data = eval_data(s->p->x->e, x);
    text_add(out, "{\"t\":\"%s\",\"d\":", cr_dtype_name(cr_dtype_of(x)));
    dims(out, cr_rank(x), cr_dims(x));
    bool computed = s->live && changed && cr_operand_count(x) > 0;
    if (computed) write_run(out, s, graph_at(s->p->x->g, id));
    if (data && (!computed || shown)) {
        if (s->live || cr_count(x) <= most_written) numbers(out, cr_dtype_of(x), data, cr_count(x));
        else page_summary(out, x, data, shown == OF_ROW ? s->side : 0);
    }
    text_char(out, '}');
}

static void mark_shown(const struct steps *s, uint8_t shown[]) {
    const struct explanation *x = s->p->x;
    for (size_t i = 0; i < x->edges; i++) shown[x->edge[i].gradient.id] = shown[x->edge[i].part.id] = OF_EDGE;
    for (uint32_t r = 0; r < x->rows; r++) shown[x->row[r].x.id] = shown[x->row[r].cotangent.id] = OF_ROW;
}

void page_steps_write(struct cr_text *out, const struct steps *s) {
    const cr_graph *g = s->p->x->g;
    uint8_t *changed = mem_zero(&s->p->x->mem, g->count), *shown = mem_zero(&s->p->x->mem, g->count);
    text_char(out, '[');
    if (!changed || !shown) out->failed = true;
    else mark_shown(s, shown);
    for (uint32_t id = 1, n = 0; id < g->count && !out->failed; id++) {
        changed[id] = is_changed(s, id, changed);
        if (!s->of[id]) continue;
        text_str(out, n++ ? ",\n" : "\n");
        write_node(out, s, id, changed[id], shown[id]);
    }
    text_char(out, ']');
    mem_free(&s->p->x->mem, changed, g->count);
    mem_free(&s->p->x->mem, shown, g->count);
}
