/* Which elements of a node depend on which of another: lists of indices, one for each element, from node to node by the kind of the
 * op. Elements that depend on the same share a list, so that what only moves numbers, or works on each alone, costs no more of them. */
#include <string.h>

#include "grad/grad.h"
#include "grad/pattern.h"
#include "tensor/dtype.h"

/* Lists stand one behind the other: a length, then so many indices in no order. A list is known by where it starts; 0 is empty. */
struct depend {
    cr_graph *g;
    uint32_t size, first;
    uint8_t *needed;
    uint32_t **of; /* by id: a list for each element; NULL: depends on nothing */
    uint32_t *pool;
    size_t n, cap;
    uint64_t *met, now; /* by index: the last union that it went into */
    uint32_t one, largest, last,
        begun; /* the union at work: its first, longest and latest list; where it begins, 0: nowhere */
    cr_status status;
};

/* 1 GiB of them: what passes it is not sparse. */
static const size_t most_dependences = (size_t)1 << 28;

static bool fail(struct depend *d, cr_status status) {
    if (!d->status) d->status = status;
    return false;
}

static void *room(struct depend *d, int64_t n, size_t size) {
    void *p = mem_zero(&d->g->mem, mem_mul((size_t)n + 1, size));
    if (!p) fail(d, CR_ENOMEM);
    return p;
}
static void drop(struct depend *d, void *p, int64_t n, size_t size) {
    mem_free(&d->g->mem, p, ((size_t)n + 1) * size);
}

/* ---- Lists and their unions ---- */

static void push(struct depend *d, uint32_t v) {
    if (d->n >= most_dependences) fail(d, CR_ELIMIT);
    else if (!mem_grow(&d->g->mem, &d->pool, &d->cap, d->n, sizeof *d->pool)) fail(d, CR_ENOMEM);
    else d->pool[d->n++] = v;
}

static void begin(struct depend *d) { d->one = d->largest = d->last = d->begun = 0, d->now++; }

static void copy_in(struct depend *d, uint32_t list) {
    uint32_t n = d->pool[list];
    if (!d->largest || n > d->pool[d->largest]) d->largest = list;
    for (uint32_t i = 1; i <= n && !d->status; i++) {
        uint32_t v = d->pool[list + i];
        if (d->met[v] == d->now) continue;
        d->met[v] = d->now;
        push(d, v);
    }
}

static void join(struct depend *d, uint32_t list) {
    if (!list || list == d->last || list == d->one || d->status) return;
    d->last = list;
    if (!d->one) {
        d->one = list;
        return;
    }
    if (!d->begun) {
        d->begun = (uint32_t)d->n;
        push(d, 0);
        copy_in(d, d->one);
    }
    copy_in(d, list);
}

/* The union; an old list where it is one: that of the longest that went in, or `all`, which holds all that did (0: not known). */
static uint32_t end(struct depend *d, uint32_t all) {
    if (d->status) return 0;
    if (!d->begun) return d->one;
    uint32_t n = (uint32_t)(d->n - d->begun - 1);
    bool old = n == d->pool[d->largest] || (all && n == d->pool[all]);
    if (!old) return d->pool[d->begun] = n, d->begun;
    d->n = d->begun;
    return n == d->pool[d->largest] ? d->largest : all;
}

/* ---- Where elements go ---- */

static struct shape shape_at(struct depend *d, uint32_t id) { return graph_shape(d->g, graph_at(d->g, id)); }

/* Slices along leading axes that an op of which no more is known does not mix. */
static int64_t slices(struct depend *d, const struct node *n) {
    if (n->op == OP_part) n = graph_at(d->g, n->arg[0]);
    bool matrices = n->op == OP_cholesky || n->op == OP_triangular_solve || n->op == OP_solve ||
                    n->op == OP_logabsdet || n->op == OP_eigh;
    int mixes = matrices ? 2 : n->op == OP_sort ? 1 : CR_MAX_RANK;
    if (mixes == CR_MAX_RANK) return 1;
    struct shape s = shape_at(d, graph_args(d->g, n)[0]);
    return shape_count(s.rank - mixes, s.dim);
}

/* How many lists a node has: one for each element, of an op with parts one for each slice. */
static int64_t count_of(struct depend *d, uint32_t id) {
    const struct node *n = graph_at(d->g, id);
    return ops_has_parts(n->op) ? slices(d, n) : graph_elements(d->g, n);
}

/* For each element of the shape, in order: offset + sum of i[k] stride[k]. NULL: out of memory. */
static int64_t *places(struct depend *d, const struct shape *s, const int64_t stride[], int64_t offset) {
    int64_t *at = room(d, shape_count(s->rank, s->dim), sizeof *at), n = 1;
    if (!at || !shape_count(s->rank, s->dim)) return at;
    at[0] = offset;
    for (int k = 0; k < s->rank; n *= s->dim[k++])
        for (int64_t i = n; i-- > 0;)
            for (int64_t j = s->dim[k]; j-- > 0;) at[i * s->dim[k] + j] = at[i] + j * stride[k];
    return at;
}

/* y[i] is x[at[i]]; below 0: of nothing. */
static void take(uint32_t y[], int64_t n, const uint32_t x[], const int64_t at[]) {
    for (int64_t i = 0; i < n; i++) y[i] = at[i] < 0 ? 0 : x[at[i]];
}

/* y[at[i]] has x[i] and what it had, for all i; below 0: nowhere. In each, one after the other. */
static void put(struct depend *d, uint32_t y[], int64_t n_y, const uint32_t x[], int64_t n,
                const int64_t at[]) {
    int64_t *start = room(d, n_y + 1, sizeof *start);
    uint32_t *in = room(d, n, sizeof *in);
    if (start && in) {
        for (int64_t i = 0; i < n; i++)
            if (at[i] >= 0) start[at[i] + 2]++;
        for (int64_t j = 1; j <= n_y; j++) start[j + 1] += start[j];
        for (int64_t i = 0; i < n; i++)
            if (at[i] >= 0) in[start[at[i] + 1]++] = x[i];
        for (int64_t j = 0; j < n_y && !d->status; j++) {
            begin(d);
            join(d, y[j]);
            for (int64_t i = start[j]; i < start[j + 1]; i++) join(d, in[i]);
            y[j] = end(d, 0);
        }
    }
    if (start) drop(d, start, n_y + 1, sizeof *start);
    if (in) drop(d, in, n, sizeof *in);
}

/* ---- Constants ---- */

/* Does it give the numbers of its operand as they are, but for their places and precision? */
static bool keeps_numbers(const cr_graph *g, const struct node *n) {
    if (n->op != OP_cast) return op_kind(n->op) == KIND_VIEW;
    return dtype_is_float((cr_dtype)n->dtype) || !dtype_is_float((cr_dtype)graph_at(g, n->arg[0])->dtype);
}

/* The numbers of a constant, or of one that was only moved; NULL, without an error, of anything else. */
static double *constant(struct depend *d, uint32_t id) {
    const struct node *n = graph_at(d->g, id), *leaf = n;
    while (keeps_numbers(d->g, leaf)) leaf = graph_at(d->g, leaf->arg[0]);
    if (leaf->op != OP_const && leaf->op != OP_iota) return NULL;
    int64_t count = graph_elements(d->g, n);
    int64_t *at = room(d, count, sizeof *at);
    double *v = room(d, count, sizeof *v);
    for (int64_t i = 0; at && i < count; i++) at[i] = i;
    for (; at && v && n != leaf; n = graph_at(d->g, n->arg[0])) {
        if (op_kind(n->op) != KIND_VIEW) continue;
        struct shape from = graph_shape(d->g, graph_at(d->g, n->arg[0])), to = graph_shape(d->g, n);
        int64_t have[CR_MAX_RANK], stride[CR_MAX_RANK], offset;
        shape_strides(&from, have);
        ops_view(d->g, n, have, stride, &offset);
        int64_t *moved = places(d, &to, stride, offset);
        for (int64_t i = 0; moved && i < count; i++) at[i] = moved[at[i]];
        if (moved) drop(d, moved, shape_count(to.rank, to.dim), sizeof *moved);
    }
    for (int64_t i = 0; at && v && i < count; i++)
        v[i] = leaf->op == OP_iota ? (double)at[i]
                                   : dtype_get((cr_dtype)leaf->dtype, graph_attr(d->g, leaf), at[i]);
    if (at) drop(d, at, count, sizeof *at);
    return v;
}

/* ---- By the kind of the op: y has empty lists at first ---- */

static const uint32_t *operand(struct depend *d, const struct node *n, uint32_t k) {
    return sweep_carries(d->g, n, (int)k) ? d->of[graph_args(d->g, n)[k]] : NULL;
}

static void each_alone(struct depend *d, const struct node *n, uint32_t y[]) {
    const uint32_t *x[3] = {NULL, NULL, NULL};
    uint32_t now[3] = {0}, before[3] = {0};
    for (uint32_t k = 0; k < n->n && k < 3; k++) x[k] = operand(d, n, k);
    for (int64_t i = 0, count = graph_elements(d->g, n); i < count && !d->status; i++) {
        for (int k = 0; k < 3; k++) now[k] = x[k] ? x[k][i] : 0;
        if (i && !memcmp(now, before, sizeof now)) {
            y[i] = y[i - 1];
            continue;
        }
        begin(d);
        for (int k = 0; k < 3; k++) join(d, now[k]), before[k] = now[k];
        y[i] = end(d, 0);
    }
}

static void view(struct depend *d, const struct node *n, uint32_t y[]) {
    struct shape from = shape_at(d, n->arg[0]), to = graph_shape(d->g, n);
    int64_t have[CR_MAX_RANK], stride[CR_MAX_RANK], offset, count = graph_elements(d->g, n);
    shape_strides(&from, have);
    ops_view(d->g, n, have, stride, &offset); /* true: strides are row-major */
    int64_t *at = places(d, &to, stride, offset);
    if (!at) return;
    take(y, count, operand(d, n, 0), at);
    drop(d, at, count, sizeof *at);
}

/* Operand k's elements go where the strides say. */
static void spread(struct depend *d, const struct node *n, uint32_t k, uint32_t y[], const int64_t stride[],
                   int64_t offset) {
    uint32_t id = graph_args(d->g, n)[k];
    struct shape s = shape_at(d, id);
    int64_t *at = places(d, &s, stride, offset), count = count_of(d, id);
    if (!at) return;
    put(d, y, graph_elements(d->g, n), operand(d, n, k), count, at);
    drop(d, at, count, sizeof *at);
}

static void reduce(struct depend *d, const struct node *n, uint32_t y[]) {
    struct shape s = shape_at(d, n->arg[0]);
    int64_t stride[CR_MAX_RANK] = {0}, step = 1;
    bool gone[CR_MAX_RANK] = {false};
    for (size_t i = 0; i < graph_attr_count(d->g, n); i++) gone[s.rank + graph_attr(d->g, n)[i]] = true;
    for (int k = s.rank - 1; k >= 0; k--)
        if (!gone[k]) stride[k] = step, step *= s.dim[k];
    spread(d, n, 0, y, stride, 0);
}

static void unslice(struct depend *d, const struct node *n, uint32_t y[]) {
    struct shape s = graph_shape(d->g, n);
    int64_t stride[CR_MAX_RANK], offset = 0;
    shape_strides(&s, stride);
    for (int i = 0; i < s.rank; i++) {
        const int64_t *at = graph_attr(d->g, n) + 2 * (s.rank - 1 - i);
        offset += stride[i] * at[0], stride[i] *= at[1];
    }
    spread(d, n, 0, y, stride, offset);
}

static void window_add(struct depend *d, const struct node *n, uint32_t y[]) {
    struct shape s = graph_shape(d->g, n);
    int windows = (int)graph_attr_count(d->g, n) / 3, lead = s.rank - windows;
    int64_t stride[2 * CR_MAX_RANK];
    shape_strides(&s, stride);
    for (int i = 0; i < windows; i++) {
        const int64_t *at = graph_attr(d->g, n) + 3 * (windows - 1 - i), step = stride[lead + i];
        stride[lead + i] = step * at[1], stride[s.rank + i] = step * at[2];
    }
    spread(d, n, 0, y, stride, 0);
}

static void concat(struct depend *d, const struct node *n, uint32_t y[]) {
    struct shape s = graph_shape(d->g, n);
    int axis = s.rank + (int)graph_attr(d->g, n)[0];
    int64_t stride[CR_MAX_RANK], offset = 0;
    shape_strides(&s, stride);
    for (uint32_t k = 0; k < n->n && !d->status; k++) {
        if (operand(d, n, k)) spread(d, n, k, y, stride, offset);
        offset += stride[axis] * shape_at(d, graph_args(d->g, n)[k]).dim[axis];
    }
}

/* x[b, size, r] by index[b, i], of which b, i, r follow from each element of [b, i, r]. */
struct indexed {
    int64_t batches, picks, size, run;
    double *index; /* NULL: known only when it runs */
};

static struct indexed indexed(struct depend *d, const struct node *n, const struct shape *whole) {
    struct shape s = shape_at(d, n->arg[1]);
    int batch = s.rank - (int)graph_attr(d->g, n)[0];
    return (struct indexed){shape_count(batch, s.dim), shape_count(s.rank - batch, s.dim + batch),
                            whole->dim[batch], shape_count(whole->rank - batch - 1, whole->dim + batch + 1),
                            constant(d, n->arg[1])};
}

/* For each element of [b, i, r]: its element of [b, size, r], or of [b, r] where the index is not known. */
static int64_t *indexed_places(struct depend *d, const struct indexed *x) {
    int64_t *at = room(d, x->batches * x->picks * x->run, sizeof *at);
    for (int64_t i = 0; at && i < x->batches * x->picks; i++) {
        double v = x->index ? x->index[i] : 0;
        int64_t size = x->index ? x->size : 1;
        if (v < 0) v += (double)size;
        bool inside = v >= 0 && v < (double)size; /* else the run fails */
        for (int64_t r = 0; r < x->run; r++)
            at[i * x->run + r] = inside ? (i / x->picks * size + (int64_t)v) * x->run + r : -1;
    }
    return at;
}

/* For each element of [b, size, r]: its element of [b, r]. */
static int64_t *run_places(struct depend *d, const struct indexed *x) {
    struct shape s = {.rank = 3, .dim = {x->batches, x->size, x->run}};
    return places(d, &s, (int64_t[]){x->run, 0, 1}, 0);
}

static void by_index(struct depend *d, const struct node *n, uint32_t y[]) {
    bool adds = n->op == OP_scatter_add;
    struct shape whole = adds ? graph_shape(d->g, n) : shape_at(d, n->arg[0]);
    struct indexed x = indexed(d, n, &whole);
    int64_t many = x.batches * x.picks * x.run, all = x.batches * x.size * x.run, few = x.batches * x.run;
    int64_t *at = indexed_places(d, &x), *run = run_places(d, &x);
    uint32_t *any = room(d, few, sizeof *any);
    const uint32_t *in = operand(d, n, 0);
    if (at && run && any && x.index && adds) put(d, y, all, in, many, at);
    else if (at && run && any && x.index) take(y, many, in, at);
    else if (at && run && any) { /* through what any of an axis depends on */
        put(d, any, few, in, adds ? many : all, adds ? at : run);
        take(y, adds ? all : many, any, adds ? run : at);
    }
    if (at) drop(d, at, many, sizeof *at);
    if (run) drop(d, run, all, sizeof *run);
    if (any) drop(d, any, few, sizeof *any);
    if (x.index) drop(d, x.index, x.batches * x.picks, sizeof *x.index);
}

/* cumsum and recur: of all before along the axis. */
static void running(struct depend *d, const struct node *n, uint32_t y[]) {
    struct shape s = graph_shape(d->g, n);
    int axis = s.rank + (int)graph_attr(d->g, n)[0];
    bool reverse = graph_attr(d->g, n)[1] != 0;
    int64_t size = s.dim[axis], step = shape_count(s.rank - axis - 1, s.dim + axis + 1),
            lines = shape_count(axis, s.dim) * step;
    for (int64_t i = 0; i < lines && !d->status; i++)
        for (int64_t j = 0, before = -1; j < size && !d->status; j++) {
            int64_t at = (i / step * size + (reverse ? size - 1 - j : j)) * step + i % step;
            begin(d);
            if (before >= 0) join(d, y[before]);
            for (uint32_t k = 0; k < n->n; k++)
                if (operand(d, n, k)) join(d, operand(d, n, k)[at]);
            y[at] = end(d, 0), before = at;
        }
}

/* ---- Products and what mixes all ---- */

/* What any element of each group of `run` numbers, `step` apart, depends on: u[a, c] of x[a, run, c]. NULL: nothing, or out of
 * memory. */
static uint32_t *any_of(struct depend *d, const uint32_t x[], int64_t a, int64_t run, int64_t c) {
    struct shape s = {.rank = 3, .dim = {a, run, c}};
    uint32_t *u = x ? room(d, a * c, sizeof *u) : NULL;
    int64_t *at = u ? places(d, &s, (int64_t[]){c, 0, 1}, 0) : NULL;
    if (at) put(d, u, a * c, x, a * run * c, at), drop(d, at, a * run * c, sizeof *at);
    return u;
}

struct product {
    int64_t batches, m, k, n;
    const uint32_t *x, *y;    /* lists of the operands */
    uint32_t *rows, *columns; /* of a whole row of x, column of y */
    double *left, *right;     /* numbers of an operand that is constant */
};

/* Element (i, j) of matrix b. */
static uint32_t product_element(struct depend *d, const struct product *p, int64_t b, int64_t i, int64_t j) {
    uint32_t row = p->rows ? p->rows[b * p->m + i] : 0, column = p->columns ? p->columns[b * p->n + j] : 0;
    begin(d);
    if (!p->left && !p->right) join(d, row), join(d, column);
    for (int64_t k = 0; k < p->k && (p->left || p->right); k++) {
        if (p->right && p->right[(b * p->k + k) * p->n + j] != 0) join(d, p->x[(b * p->m + i) * p->k + k]);
        if (p->left && p->left[(b * p->m + i) * p->k + k] != 0) join(d, p->y[(b * p->k + k) * p->n + j]);
    }
    return end(d, p->right ? row : column);
}

static bool any_zero(const double v[], int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (v[i] == 0) return true;
    return false;
}

/* The numbers of the other operand, where some are 0, so that not all of a row or column counts. */
static double *holes(struct depend *d, const struct node *n, int k) {
    int64_t count = count_of(d, n->arg[k]);
    double *v = operand(d, n, 1 - (uint32_t)k) && !operand(d, n, (uint32_t)k) ? constant(d, n->arg[k]) : NULL;
    if (v && !any_zero(v, count)) drop(d, v, count, sizeof *v), v = NULL;
    return v;
}

static void matmul(struct depend *d, const struct node *n, uint32_t z[]) {
    struct shape s = shape_at(d, n->arg[0]), t = graph_shape(d->g, n);
    int rank = s.rank;
    struct product p = {.batches = shape_count(rank - 2, s.dim),
                        .m = s.dim[rank - 2],
                        .k = s.dim[rank - 1],
                        .n = t.dim[rank - 1],
                        .x = operand(d, n, 0),
                        .y = operand(d, n, 1)};
    p.left = holes(d, n, 0), p.right = holes(d, n, 1);
    p.rows = any_of(d, p.x, p.batches * p.m, p.k, 1);
    p.columns = any_of(d, p.y, p.batches, p.k, p.n);
    for (int64_t e = 0, count = p.batches * p.m * p.n; e < count && !d->status; e++)
        z[e] = product_element(d, &p, e / p.n / p.m, e / p.n % p.m, e % p.n);
    if (p.left) drop(d, p.left, count_of(d, n->arg[0]), sizeof *p.left);
    if (p.right) drop(d, p.right, count_of(d, n->arg[1]), sizeof *p.right);
    if (p.rows) drop(d, p.rows, p.batches * p.m, sizeof *p.rows);
    if (p.columns) drop(d, p.columns, p.batches * p.n, sizeof *p.columns);
}

/* Each element depends on all that a slice of the operands does. */
static void all(struct depend *d, const struct node *n, uint32_t y[]) {
    int64_t batches = slices(d, n), count = ops_has_parts(n->op) ? batches : graph_elements(d->g, n),
            per = batches ? count / batches : 0;
    for (int64_t b = 0; b < batches && !d->status; b++) {
        begin(d);
        for (uint32_t k = 0; k < n->n; k++) {
            const uint32_t *x = operand(d, n, k);
            int64_t run = x ? count_of(d, graph_args(d->g, n)[k]) / batches : 0;
            for (int64_t i = 0; i < run; i++) join(d, x[b * run + i]);
        }
        uint32_t list = end(d, 0);
        for (int64_t i = 0; i < per; i++) y[b * per + i] = list;
    }
}

typedef void visit_fn(struct depend *d, const struct node *n, uint32_t y[]);

/* Opaque ops of which more is known than that each element may depend on all. */
static visit_fn *const known[OP_COUNT] = {
    [OP_cast] = each_alone, [OP_unslice] = unslice, [OP_window_add] = window_add,
    [OP_concat] = concat,   [OP_gather] = by_index, [OP_scatter_add] = by_index,
    [OP_cumsum] = running,  [OP_recur] = running,   [OP_matmul] = matmul,
};

static visit_fn *visitor(int op) {
    switch (op_kind(op)) {
    case KIND_ELEM: return each_alone;
    case KIND_REDUCE: return reduce;
    case KIND_VIEW: return view;
    case KIND_ALIAS: return op == OP_part ? all : each_alone;
    default: return known[op] ? known[op] : all;
    }
}

/* ---- The sweep ---- */

/* What depends on x, and is needed for y. */
static bool mark(struct depend *d, cr_node y, cr_node x) {
    d->needed = sweep_needed(d->g, d->size, &d->first, 1, &x);
    uint8_t *wanted = room(d, d->size, 1);
    if (!d->needed) fail(d, CR_ENOMEM);
    if (d->needed && wanted) {
        wanted[y.id] = 1;
        for (uint32_t id = d->size; id-- > d->first;) {
            const struct node *n = graph_at(d->g, id);
            if (!wanted[id]) d->needed[id - d->first] = 0;
            for (uint32_t k = 0; k < n->n && wanted[id]; k++) wanted[graph_args(d->g, n)[k]] = 1;
        }
    }
    if (wanted) drop(d, wanted, d->size, 1);
    return !d->status;
}

static bool start(struct depend *d, cr_node y, cr_node x) {
    int64_t m = cr_count(x);
    if (m >= INT32_MAX) return fail(d, CR_ELIMIT);
    d->of = room(d, d->size, sizeof *d->of);
    d->met = room(d, m, sizeof *d->met);
    push(d, 0);
    return !d->status && mark(d, y, x);
}

/* Element i depends on i. */
static void seed(struct depend *d, uint32_t y[], int64_t n) {
    for (int64_t i = 0; i < n && !d->status; i++) {
        y[i] = (uint32_t)d->n;
        push(d, 1);
        push(d, (uint32_t)i);
    }
}

static void sweep(struct depend *d, cr_node x) {
    for (uint32_t id = d->first; id < d->size && !d->status; id++) {
        if (!d->needed[id - d->first]) continue;
        const struct node *n = graph_at(d->g, id);
        d->of[id] = room(d, count_of(d, id), sizeof **d->of);
        if (!d->of[id]) return;
        if (id == x.id) seed(d, d->of[id], cr_count(x));
        else visitor(n->op)(d, n, d->of[id]);
    }
}

static cr_pattern *rows_of(struct depend *d, cr_node y, cr_node x) {
    int64_t rows = cr_count(y), count = 0;
    const uint32_t *list = d->of[y.id];
    for (int64_t i = 0; list && i < rows; i++) count += d->pool[list[i]];
    cr_pattern *p = pattern_new(&d->g->mem, rows, cr_count(x), count), *t = NULL, *sorted = NULL;
    for (int64_t i = 0, e = 0; p && list && i < rows; i++) {
        p->start[i] = e;
        for (uint32_t k = 1; k <= d->pool[list[i]]; k++) p->column[e++] = d->pool[list[i] + k];
    }
    if (p && (t = pattern_transpose(p))) sorted = pattern_transpose(t);
    if (!sorted) fail(d, CR_ENOMEM);
    cr_pattern_free(p);
    cr_pattern_free(t);
    return sorted;
}

static void finish(struct depend *d, cr_node x) {
    for (uint32_t id = 0; d->of && id < d->size; id++)
        if (d->of[id]) drop(d, d->of[id], count_of(d, id), sizeof **d->of);
    if (d->of) drop(d, d->of, d->size, sizeof *d->of);
    if (d->met) drop(d, d->met, cr_count(x), sizeof *d->met);
    if (d->needed) mem_free(&d->g->mem, d->needed, d->size - d->first + 1);
    mem_free(&d->g->mem, d->pool, d->cap * sizeof *d->pool);
}

cr_pattern *pattern_find(const char *what, cr_node y, cr_node x) {
    struct depend d = {.g = y.graph, .size = (y.id > x.id ? y.id : x.id) + 1};
    cr_pattern *p = NULL;
    if (start(&d, y, x)) sweep(&d, x);
    if (!d.status) p = rows_of(&d, y, x);
    finish(&d, x);
    if (d.status == CR_ENOMEM) graph_fail(d.g, CR_ENOMEM, NULL, "out of memory");
    else if (d.status)
        graph_fail(
            d.g, d.status, what,
            "by %lld elements, with %zu dependences so far: at most 2^31 - 2 elements, 2^28 dependences",
            (long long)cr_count(x), d.n);
    return p;
}
