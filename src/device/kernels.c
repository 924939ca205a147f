/* Kernels of opaque ops that move or scan numbers; the device gives the heavy ones. */
#include <string.h>

#include "device/cpu/pick.h"
#include "device/device.h"
#include "device/kernels.h"
#include "device/special.h"
#include "tensor/dtype.h"

static size_t size_of(const struct tensor *x) { return cr_dtype_size(x->dtype); }

static int64_t count_of(int rank, const int64_t dim[]) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= dim[i];
    return n;
}

static char *element(const struct tensor *x, int64_t offset) {
    return (char *)x->data + offset * (int64_t)size_of(x);
}

/* ---- unslice and concat ---- */

cr_status kernel_unslice(struct kernel_call *c) {
    int rank = c->out.rank;
    int64_t stride[CR_MAX_RANK], offset = 0, all = count_of(rank, c->out.dim),
                                 moved = count_of(rank, c->in->dim);
    for (int i = 0; i < rank; i++) {
        const int64_t *attr = &c->attr[2 * (rank - 1 - i)];
        offset += attr[0] * c->out.stride[i];
        stride[i] = attr[1] * c->out.stride[i];
    }
    if (moved && c->in->data == element(&c->out, offset)) { /* plan_joined */
        memset(c->out.data, 0, (size_t)offset * size_of(&c->out));
        memset(element(&c->out, offset + moved), 0, (size_t)(all - offset - moved) * size_of(&c->out));
        return CR_OK;
    }
    memset(c->out.data, 0, (size_t)all * size_of(&c->out));
    copy_both(element(&c->out, offset), stride, c->in->data, c->in->stride, size_of(c->in), rank, c->in->dim);
    return CR_OK;
}

/* Rows before .. before+n-1 of operand x, in row-major order over the first `axis` axes, to their place, which starts `offset`
 * elements behind those of the first operand. */
static void join(const struct kernel_call *c, const struct tensor *x, int axis, int64_t offset,
                 int64_t before, int64_t n) {
    int64_t dim[CR_MAX_RANK], to[CR_MAX_RANK], from[CR_MAX_RANK], outer = axis ? c->out.stride[axis - 1] : 0;
    struct axes rows = axes_of(x, axis);
    int lead = axis > 0, own = x->rank - axis,
        rank = lead + own; /* all axes may be the operand's own: then there is one row */
    bool even = rows.even >= 0;
    if (lead) dim[0] = even ? n : 1, to[0] = outer, from[0] = rows.even;
    memcpy(dim + lead, x->dim + axis, (size_t)own * sizeof *dim);
    memcpy(to + lead, c->out.stride + axis, (size_t)own * sizeof *to);
    memcpy(from + lead, x->stride + axis, (size_t)own * sizeof *from);
    for (int64_t i = 0; i < (even ? 1 : n); i++)
        copy_both(element(&c->out, (before + i) * outer + offset), to,
                  element(x, axes_offset(&rows, before + i)), from, size_of(x), rank, dim);
}

/* Some rows of the result after the other, so that what all operands write of them is near. */
cr_status kernel_concat(struct kernel_call *c) {
    enum { near = 1 << 15 }; /* bytes: as the first cache has */
    int axis = c->out.rank + (int)c->attr[0], split = axis;
    int64_t bytes = count_of(c->out.rank - axis, c->out.dim + axis) * (int64_t)size_of(&c->out);
    while (split > 1 && bytes * c->out.dim[split - 1] <= near) bytes *= c->out.dim[--split];
    int64_t rows = count_of(split, c->out.dim);
    int64_t block = bytes && bytes < near ? near / bytes : 1;
    for (int64_t row = 0; row < rows; row += block) {
        int64_t offset = 0, n = rows - row < block ? rows - row : block;
        for (uint32_t i = 0; i < c->n; offset += c->in[i++].dim[axis] * c->out.stride[axis])
            if (count_of(c->in[i].rank, c->in[i].dim) &&
                c->in[i].data != element(&c->out, offset)) /* plan_joined */
                join(c, &c->in[i], split, offset, row, n);
    }
    return CR_OK;
}

/* ---- gather and scatter_add: x[b.., n, r..] by index[b.., i..] ---- */

struct indexing {
    int batch, rest; /* axes */
    int64_t batches, picks, limit, run;
};

static struct indexing indexing_of(const struct tensor *whole, const struct tensor *index,
                                   int64_t index_axes) {
    struct indexing x;
    x.batch = index->rank - (int)index_axes;
    x.rest = whole->rank - x.batch - 1;
    x.batches = count_of(x.batch, index->dim);
    x.picks = count_of(index->rank - x.batch, index->dim + x.batch);
    x.limit = whole->dim[x.batch];
    x.run = count_of(x.rest, whole->dim + x.batch + 1);
    return x;
}

/* Index i of all; negative ones count from the end. False: outside. */
static inline bool index_at(const struct axes *index, int64_t limit, int64_t i, int64_t *at) {
    int64_t v;
    memcpy(&v, (const char *)index->x->data + axes_offset(index, i) * (int64_t)sizeof v, sizeof v);
    *at = v < 0 ? v + limit : v;
    return *at >= 0 && *at < limit;
}

/* CR_EINDEX with the first index that is outside, if a task has met one: whichever met it, it is the same. */
static cr_status indices_good(struct kernel_call *c, const struct indexing *s) {
    struct axes index = axes_of(&c->in[1], c->in[1].rank);
    if (!c->outside) return CR_OK;
    for (int64_t i = 0, at; i < s->batches * s->picks; i++)
        if (!index_at(&index, s->limit, i, &at)) {
            c->bad = at < 0 ? at - s->limit : at;
            c->limit = s->limit;
            break;
        }
    return CR_EINDEX;
}

/* What axes first .. move by from one element to the next, in row-major order; -1: not always the same. */
static int64_t step_within(const struct tensor *x, int first) {
    int64_t dim[CR_MAX_RANK], stride[CR_MAX_RANK];
    int rank = loop_merge(x->rank - first, x->dim + first, x->stride + first, dim, stride);
    return rank > 1 ? -1 : rank ? stride[0] : 1;
}

/* Are the elements of axes first .. side by side? */
static bool is_solid(const struct tensor *x, int first) { return step_within(x, first) == 1; }

/* Single numbers whose indices stand evenly, each `between` bytes further on than the one before: to[i] = from[index[i]] for i
 * up to n. So short that a processor has many of them under way, and memory answers them together. False: one is outside. */
static inline bool pick(size_t size, char *to, const char *from, int64_t between, int64_t step, int64_t limit,
                        const int64_t *index, int64_t even, int64_t n) {
    bool good = true;
    for (int64_t i = 0; i < n; i++, index += even, to += size, from += between) {
        int64_t at = *index < 0 ? *index + limit : *index;
        bool in = (uint64_t)at < (uint64_t)limit;
        memcpy(to, from + (in ? at : 0) * step, size);
        good &= in;
    }
    return good;
}

static bool pick_numbers(int64_t size, char *to, const char *from, int64_t between, int64_t step,
                         int64_t limit, const int64_t *index, int64_t even, int64_t n) {
    bool good = true;
    int64_t done = between || even != 1 ? 0 : cpu_pick((size_t)size, to, from, step, limit, index, n, &good);
    to += done * size, index += done * even, n -= done;
    return (size == 4 ? pick(4, to, from, between, step, limit, index, even, n)
                      : pick(8, to, from, between, step, limit, index, even, n)) &&
           good;
}

static void gather_part(void *arg, int64_t first, int64_t end, size_t task) {
    struct kernel_call *c = arg;
    const struct tensor *x = &c->in[0];
    struct indexing s = indexing_of(x, &c->in[1], c->attr[0]);
    struct axes batches = axes_of(x, s.batch), index = axes_of(&c->in[1], c->in[1].rank);
    int64_t size = (int64_t)size_of(x), step = x->stride[s.batch] * size, base = 0, at, left = 0;
    size_t run = is_solid(x, s.batch + 1) ? (size_t)(s.run * size) : 0; /* bytes side by side */
    bool across = s.picks == 1 && batches.even >= 0 && index.even >= 0;
    int64_t even = across ? index.even : step_within(index.x, s.batch);
    bool single = s.run == 1 && (run == 4 || run == 8) && even >= 0 && s.limit > 0;
    char *to = (char *)c->out.data + first * s.run * size;
    (void)task;
    for (int64_t i = first; i < end; i++, left--, to += s.run * size) {
        if (left == 0) base = axes_offset(&batches, i / s.picks) * size, left = s.picks - i % s.picks;
        if (single) { /* all of this batch at once, or of all batches that have one */
            int64_t n = end - i < left || across ? end - i : left;
            if (!pick_numbers(size, to, (const char *)x->data + base, across ? batches.even * size : 0, step,
                              s.limit, (const int64_t *)index.x->data + axes_offset(&index, i), even, n))
                c->outside = true;
            i += n - 1, left -= n - 1, to += (n - 1) * size;
            continue;
        }
        if (!index_at(&index, s.limit, i, &at)) {
            c->outside = true;
            continue;
        }
        const char *from = (const char *)x->data + base + at * step;
        if (run) copy_run(to, from, run);
        else if (s.run)
            copy_strided(to, from, (size_t)size, s.rest, x->dim + s.batch + 1, x->stride + s.batch + 1);
    }
}

cr_status kernel_gather(struct kernel_call *c) {
    struct indexing s = indexing_of(&c->in[0], &c->in[1], c->attr[0]);
    int64_t count = s.batches * s.picks;
    team_share(c->team, count, count * (s.run + 1), gather_part, c);
    return indices_good(c, &s);
}

#define ADD_RUN(T)                                                          \
    do {                                                                    \
        T *y = out;                                                         \
        const T *x = in;                                                    \
        if (step == 1)                                                      \
            for (int64_t i = 0; i < n; i++) y[i] = (T)(y[i] + x[i]);        \
        else                                                                \
            for (int64_t i = 0; i < n; i++) y[i] = (T)(y[i] + x[i * step]); \
    } while (0)

static void add_run(cr_dtype dtype, void *out, const void *in, int64_t step, int64_t n) {
    switch (dtype) {
    case CR_F64: ADD_RUN(double); break;
    case CR_F32: ADD_RUN(float); break;
    case CR_I64: ADD_RUN(int64_t); break;
    default: ADD_RUN(int32_t); break;
    }
}

enum { some = 512 }; /* elements of a run copied at a time */

/* Elements first .. end-1 of run `from` of x are added to those of run `to` of the result. solid: side by side in x. */
static void scatter_run(const struct kernel_call *c, const struct indexing *s, const struct axes *runs,
                        bool solid, int64_t from, int64_t to, int64_t first, int64_t end) {
    const struct tensor *x = &c->in[0];
    int axes = c->in[1].rank;
    int64_t size = (int64_t)size_of(x);
    double buffer[some];
    char *out = element(&c->out, to * s->run);
    const char *in = element(x, axes_offset(runs, from));
    if (solid || s->rest == 1) {
        int64_t step = solid ? 1 : x->stride[axes];
        add_run(x->dtype, out + first * size, in + first * step * size, step, end - first);
        return;
    }
    for (; first < end; first += some) {
        int64_t n = end - first < some ? end - first : some;
        copy_range(buffer, in, (size_t)size, s->rest, x->dim + axes, x->stride + axes, first, n);
        add_run(x->dtype, out + first * size, buffer, 1, n);
    }
}

/* Every element of the result has one owner, who adds to it in the order of the indices: of short runs one owner has
 * whole runs, of long ones a part of each. */
static bool long_runs(const struct indexing *s) { return s->run >= s->batches * s->limit; }

/* Runs that stand evenly, batch by batch: whole ones, to those of the result from `first` on, up to `end`; or of each these elements. */
static void scatter_even(struct kernel_call *c, const struct indexing *s, const struct axes *from,
                         const struct axes *index, bool parts, int64_t first, int64_t end) {
    scatter_fn *add = cpu_scatter(c->out.dtype);
    int64_t at = parts ? first : 0;
    for (int64_t i = 0; i < s->batches; i++) {
        struct scatter part = {.to = element(&c->out, i * s->limit * s->run + at),
                               .from = element(&c->in[0], i * s->picks * from->even + at),
                               .index = (const int64_t *)c->in[1].data + i * s->picks * index->even,
                               .n = s->picks,
                               .run = parts ? end - first : s->run,
                               .from_apart = from->even,
                               .to_apart = s->run,
                               .index_apart = index->even,
                               .limit = s->limit,
                               .first = parts ? 0 : first - i * s->limit,
                               .end = parts ? s->limit : end - i * s->limit};
        if (!add(&part)) c->outside = true;
    }
}

static void scatter_part(void *arg, int64_t first, int64_t end, size_t task) {
    struct kernel_call *c = arg;
    struct indexing s = indexing_of(&c->out, &c->in[1], c->attr[0]);
    int64_t runs = s.batches * s.limit, size = (int64_t)size_of(&c->out), at;
    bool parts_of_runs = long_runs(&s), solid = is_solid(&c->in[0], c->in[1].rank);
    struct axes from = axes_of(&c->in[0], c->in[1].rank), index = axes_of(&c->in[1], c->in[1].rank);
    (void)task;
    for (int64_t i = 0; i < (parts_of_runs ? runs : 1); i++)
        memset(element(&c->out, parts_of_runs ? i * s.run + first : first * s.run), 0,
               (size_t)((parts_of_runs ? 1 : s.run) * (end - first) * size));
    if (solid && from.even >= 0 && index.even >= 0) {
        scatter_even(c, &s, &from, &index, parts_of_runs, first, end);
        return;
    }
    for (int64_t i = 0; i < s.batches * s.picks; i++) {
        if (!index_at(&index, s.limit, i, &at)) {
            c->outside = true;
            continue;
        }
        int64_t to = i / s.picks * s.limit + at;
        if (parts_of_runs) scatter_run(c, &s, &from, solid, i, to, first, end);
        else if (to >= first && to < end) scatter_run(c, &s, &from, solid, i, to, 0, s.run);
    }
}

cr_status kernel_scatter_add(struct kernel_call *c) {
    struct indexing s = indexing_of(&c->out, &c->in[1], c->attr[0]);
    int64_t runs = s.batches * s.limit;
    team_share(c->team, long_runs(&s) ? s.run : runs, s.batches * s.picks * s.run + runs * s.run,
               scatter_part, c);
    return indices_good(c, &s);
}

/* ---- Along an axis ---- */

/* Visits every line along an axis of the result: where it starts in the result and in each operand. */
struct lines {
    int axis;
    int64_t n, count;
};

static struct lines lines_of(const struct kernel_call *c) {
    int axis = c->out.rank + (int)c->attr[0];
    return (struct lines){axis, c->out.dim[axis],
                          c->out.dim[axis] ? count_of(c->out.rank, c->out.dim) / c->out.dim[axis] : 0};
}

static int64_t line_start(const struct tensor *x, int axis, int64_t i) {
    int64_t offset = 0;
    for (int k = x->rank - 1; k >= 0; k--) {
        if (k == axis) continue;
        offset += i % x->dim[k] * x->stride[k];
        i /= x->dim[k];
    }
    return offset;
}

#define SCAN_LINE(T, expression)                                                                 \
    do {                                                                                         \
        T acc = 0, *y = (T *)c->out.data + line_start(&c->out, l.axis, i);                       \
        const T *a = (const T *)c->in[0].data + line_start(&c->in[0], l.axis, i);                \
        const T *b = (const T *)c->in[c->n - 1].data + line_start(&c->in[c->n - 1], l.axis, i);  \
        for (int64_t k = 0; k < l.n; k++) {                                                      \
            int64_t at = c->attr[1] ? l.n - 1 - k : k;                                           \
            T av = a[at * c->in[0].stride[l.axis]], bv = b[at * c->in[c->n - 1].stride[l.axis]]; \
            (void)av;                                                                            \
            acc = (T)(expression);                                                               \
            y[at * c->out.stride[l.axis]] = acc;                                                 \
        }                                                                                        \
    } while (0)

static void cumsum_part(void *arg, int64_t first, int64_t end, size_t task) {
    const struct kernel_call *c = arg;
    struct lines l = lines_of(c);
    (void)task;
    for (int64_t i = first; i < end; i++) switch (c->out.dtype) {
        case CR_F64: SCAN_LINE(double, acc + bv); break;
        case CR_F32: SCAN_LINE(float, acc + bv); break;
        case CR_I64: SCAN_LINE(int64_t, acc + bv); break;
        default: SCAN_LINE(int32_t, acc + bv); break;
        }
}

static cr_status share_lines(struct kernel_call *c, share_fn *part) {
    struct lines l = lines_of(c);
    team_share(c->team, l.count, l.count * l.n, part, c);
    return CR_OK;
}

cr_status kernel_cumsum(struct kernel_call *c) { return share_lines(c, cumsum_part); }

/* The first step takes b alone: what x is there does not matter, be it nan. */
static void recur_part(void *arg, int64_t first, int64_t end, size_t task) {
    const struct kernel_call *c = arg;
    struct lines l = lines_of(c);
    (void)task;
    for (int64_t i = first; i < end; i++) {
        if (c->out.dtype == CR_F64) SCAN_LINE(double, k ? av *acc + bv : bv);
        else SCAN_LINE(float, k ? av *acc + bv : bv);
    }
}

cr_status kernel_recur(struct kernel_call *c) { return share_lines(c, recur_part); }

/* ---- Random ---- */

/* The middle of one of 2^52 (f32: 2^23) equal parts of (0, 1): never 0 or 1, and exact in either dtype. Each key draws as many. */
static void uniform_part(void *arg, int64_t first, int64_t end, size_t task) {
    const struct kernel_call *c = arg;
    int64_t key = 0, each = count_of(c->out.rank - c->in->rank, c->out.dim + c->in->rank);
    (void)task;
    for (int64_t i = first; i < end; i++) {
        if (i == first || i % each == 0)
            memcpy(&key, element(c->in, offset_of(c->in, c->in->rank, i / each)), sizeof key);
        uint64_t bits = philox_bits(key, i % each);
        if (c->out.dtype == CR_F64) ((double *)c->out.data)[i] = ((double)(bits >> 12) + 0.5) * 0x1p-52;
        else ((float *)c->out.data)[i] = ((float)(bits >> 41) + 0.5f) * 0x1p-23f;
    }
}

cr_status kernel_uniform(struct kernel_call *c) {
    int64_t n = count_of(c->out.rank, c->out.dim);
    team_share(c->team, n, 16 * n, uniform_part, c); /* a draw costs what some 16 elements do */
    return CR_OK;
}
