/* Reductions. The order of combination is a function of shape and axes alone, never of strides, threads or
 * alignment:
 *
 *   the axes are merged to alternating runs of kept and reduced ones. If the innermost run is reduced, its
 * elements go to 16 accumulators in turn, in blocks of 4096, which are combined in a tree; else whole rows of
 * kept elements are accumulated, in blocks of 64 rows. Blocks are combined one after the other.
 *
 * So the error of a sum of n is of the order of (n/4096 + 256) u instead of n u. */
#include <math.h>
#include <string.h>

#include "device/device.h"
#include "tensor/dtype.h"

enum { lanes = 16, block = 4096, rows_block = 64, columns = 256, worth_a_thread = 1 << 16 };

/* ---- One dtype ---- */

#define ADD(x, z)  ((x) + (z))
#define MUL(x, z)  ((x) * (z))
#define FMAX(x, z) ((x) > (z) || (x) != (x) ? (x) : (z))
#define FMIN(x, z) ((x) < (z) || (x) != (x) ? (x) : (z))

/* fold_line: n numbers side by side to one. fold_row: acc[i] combined with x[i]. */
#define FOLD(name, T, start, COMBINE)                                                      \
    static void line_##name(const void *px, int64_t n, void *out) {                        \
        const T *x = px;                                                                   \
        T total = start, acc[lanes];                                                       \
        for (int64_t first = 0; first < n; first += block) {                               \
            int64_t end = n - first < block ? n : first + block, i = first;                \
            for (int k = 0; k < lanes; k++) acc[k] = start;                                \
            for (; i + lanes <= end; i += lanes)                                           \
                for (int k = 0; k < lanes; k++) acc[k] = (T)COMBINE(acc[k], x[i + k]);     \
            for (int k = 0; i < end; i++, k++) acc[k] = (T)COMBINE(acc[k], x[i]);          \
            for (int half = lanes / 2; half > 0; half /= 2)                                \
                for (int k = 0; k < half; k++) acc[k] = (T)COMBINE(acc[k], acc[k + half]); \
            total = (T)COMBINE(total, acc[0]);                                             \
        }                                                                                  \
        memcpy(out, &total, sizeof total);                                                 \
    }                                                                                      \
    static void row_##name(void *pacc, const void *px, int64_t n) {                        \
        T *acc = pacc;                                                                     \
        const T *x = px;                                                                   \
        for (int64_t i = 0; i < n; i++) acc[i] = (T)COMBINE(acc[i], x[i]);                 \
    }                                                                                      \
    static void start_##name(void *pacc, int64_t n) {                                      \
        T *acc = pacc;                                                                     \
        for (int64_t i = 0; i < n; i++) acc[i] = start;                                    \
    }
FOLD(sum_f64, double, 0, ADD)
FOLD(sum_f32, float, 0, ADD)
FOLD(sum_i64, int64_t, 0, ADD)
FOLD(sum_i32, int32_t, 0, ADD)
FOLD(prod_f64, double, 1, MUL)
FOLD(prod_f32, float, 1, MUL)
FOLD(prod_i64, int64_t, 1, MUL)
FOLD(prod_i32, int32_t, 1, MUL)
FOLD(max_f64, double, -(double)INFINITY, FMAX)
FOLD(max_f32, float, -INFINITY, FMAX)
FOLD(max_i64, int64_t, INT64_MIN, FMAX)
FOLD(max_i32, int32_t, INT32_MIN, FMAX)
FOLD(max_b8, uint8_t, 0, FMAX)
FOLD(min_f64, double, (double)INFINITY, FMIN)
FOLD(min_f32, float, INFINITY, FMIN)
FOLD(min_i64, int64_t, INT64_MAX, FMIN)
FOLD(min_i32, int32_t, INT32_MAX, FMIN)
FOLD(min_b8, uint8_t, 1, FMIN)

struct fold {
    void (*line)(const void *x, int64_t n, void *out);
    void (*row)(void *acc, const void *x, int64_t n);
    void (*start)(void *acc, int64_t n);
};

#define FOLD_OF(name) \
    { line_##name, row_##name, start_##name }
static const struct fold *fold_of(int op, cr_dtype dtype) {
    static const struct fold none = {0};
    static const struct fold sums[] = {[CR_I32] = FOLD_OF(sum_i32),
                                       [CR_I64] = FOLD_OF(sum_i64),
                                       [CR_F32] = FOLD_OF(sum_f32),
                                       [CR_F64] = FOLD_OF(sum_f64)};
    static const struct fold prods[] = {[CR_I32] = FOLD_OF(prod_i32),
                                        [CR_I64] = FOLD_OF(prod_i64),
                                        [CR_F32] = FOLD_OF(prod_f32),
                                        [CR_F64] = FOLD_OF(prod_f64)};
    static const struct fold maxs[] = {[CR_BOOL] = FOLD_OF(max_b8),
                                       [CR_I32] = FOLD_OF(max_i32),
                                       [CR_I64] = FOLD_OF(max_i64),
                                       [CR_F32] = FOLD_OF(max_f32),
                                       [CR_F64] = FOLD_OF(max_f64)};
    static const struct fold mins[] = {[CR_BOOL] = FOLD_OF(min_b8),
                                       [CR_I32] = FOLD_OF(min_i32),
                                       [CR_I64] = FOLD_OF(min_i64),
                                       [CR_F32] = FOLD_OF(min_f32),
                                       [CR_F64] = FOLD_OF(min_f64)};
    switch (op) {
    case OP_sum: return &sums[dtype];
    case OP_prod: return &prods[dtype];
    case OP_max: return &maxs[dtype];
    case OP_min: return &mins[dtype];
    default: return &none;
    }
}

/* ---- Any shape ---- */

/* Kept and reduced axes, each in order; the innermost run apart. */
struct reduce_job {
    const struct reduce_call *r;
    const struct fold *fold;
    size_t size;
    bool line;      /* the innermost run is reduced */
    int kept, gone; /* ranks without the innermost run */
    int64_t kept_dim[CR_MAX_RANK], kept_stride[CR_MAX_RANK], gone_dim[CR_MAX_RANK], gone_stride[CR_MAX_RANK];
    int run; /* axes of the innermost run, and its elements */
    int64_t run_dim[CR_MAX_RANK], run_stride[CR_MAX_RANK], run_count, run_step;
    int64_t outer, inner; /* elements of the kept axes, and of the reduced ones, without the innermost run */
    size_t parts;
};

static int64_t product(int n, const int64_t dim[]) {
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= dim[i];
    return p;
}

static void sort_axes(struct reduce_job *j) {
    const struct tensor *x = &j->r->in;
    int last = x->rank - 1;
    while (last >= 0 && x->dim[last] == 1) last--; /* an axis of one counts as neither */
    j->line = last < 0 || j->r->reduced[last];
    int first = last;
    while (first > 0 && (x->dim[first - 1] == 1 || j->r->reduced[first - 1] == j->line)) first--;
    for (int i = 0; i <= last; i++) {
        if (x->dim[i] == 1) continue;
        if (i >= first) j->run_dim[j->run] = x->dim[i], j->run_stride[j->run++] = x->stride[i];
        else if (j->r->reduced[i]) j->gone_dim[j->gone] = x->dim[i], j->gone_stride[j->gone++] = x->stride[i];
        else j->kept_dim[j->kept] = x->dim[i], j->kept_stride[j->kept++] = x->stride[i];
    }
    j->run_count = product(j->run, j->run_dim);
    j->outer = product(j->kept, j->kept_dim);
    j->inner = product(j->gone, j->gone_dim);
    int64_t dim[CR_MAX_RANK], stride[CR_MAX_RANK];
    int merged = loop_merge(j->run, j->run_dim, j->run_stride, dim, stride);
    j->run_step = merged == 0 ? 1 : merged == 1 ? stride[0] : 0; /* 0: not one step */
}

static int64_t offset_of(int rank, const int64_t dim[], const int64_t stride[], int64_t i) {
    int64_t offset = 0;
    for (int k = rank - 1; k >= 0; k--) {
        offset += i % dim[k] * stride[k];
        i /= dim[k];
    }
    return offset;
}

/* n elements of the innermost run, from `first` on, side by side: where they stand, or in a buffer. */
static const char *run_at(const struct reduce_job *j, int64_t offset, int64_t first, int64_t n,
                          char *buffer) {
    const char *x = j->r->in.data;
    x += offset * (int64_t)j->size;
    if (j->run_step == 1) return x + first * (int64_t)j->size;
    copy_range(buffer, x, j->size, j->run, j->run_dim, j->run_stride, first, n);
    return buffer;
}

/* The reduced elements of one result: lines of the innermost run, block by block, combined in order. */
static void reduce_lines(const struct reduce_job *j, int64_t k, char *buffer) {
    char *out = (char *)j->r->out + k * (int64_t)j->size, part[8];
    int64_t kept = offset_of(j->kept, j->kept_dim, j->kept_stride, k);
    j->fold->start(out, 1);
    for (int64_t i = 0; i < j->inner; i++) {
        int64_t at = kept + offset_of(j->gone, j->gone_dim, j->gone_stride, i);
        for (int64_t first = 0; first < j->run_count; first += block) {
            int64_t n = j->run_count - first < block ? j->run_count - first : block;
            j->fold->line(run_at(j, at, first, n, buffer), n, part);
            j->fold->row(out, part, 1);
        }
    }
}

/* Results first .. first+n-1 of a run of kept elements: rows accumulated in blocks. */
static void reduce_rows(const struct reduce_job *j, int64_t k, int64_t first, int64_t n, char *buffer) {
    char *out = (char *)j->r->out + (k * j->run_count + first) * (int64_t)j->size, *acc = buffer + block * 8;
    int64_t kept = offset_of(j->kept, j->kept_dim, j->kept_stride, k);
    j->fold->start(out, n);
    for (int64_t i = 0; i < j->inner;) {
        j->fold->start(acc, n);
        for (int64_t end = i + rows_block; i < end && i < j->inner; i++)
            j->fold->row(
                acc, run_at(j, kept + offset_of(j->gone, j->gone_dim, j->gone_stride, i), first, n, buffer),
                n);
        j->fold->row(out, acc, n);
    }
}

static void reduce_part(void *arg, size_t part) {
    const struct reduce_job *j = arg;
    char *buffer = team_scratch(j->r->team, part);
    int64_t each = j->line ? 1 : (j->run_count + columns - 1) / columns, first, end;
    team_part(j->outer * each, j->parts, part, &first, &end);
    for (int64_t i = first; i < end; i++) {
        int64_t at = i % each * columns, left = j->run_count - at;
        if (j->line) reduce_lines(j, i, buffer);
        else reduce_rows(j, i / each, at, left < columns ? left : columns, buffer);
    }
}

size_t cpu_reduce_scratch(const struct reduce_call *r) { return (void)r, block * 8 + columns * 8; }

void cpu_reduce(const struct reduce_call *r) {
    struct reduce_job j = {
        .r = r, .fold = fold_of(r->op, r->in.dtype), .size = cr_dtype_size(r->in.dtype), .parts = 1};
    int64_t kept = 1, count = shape_count(r->in.rank, r->in.dim);
    for (int i = 0; i < r->in.rank; i++) kept *= r->reduced[i] ? 1 : r->in.dim[i];
    if (count == 0) {
        j.fold->start(r->out, kept);
        return;
    }
    sort_axes(&j);
    int64_t pieces = j.outer * (j.line ? 1 : (j.run_count + columns - 1) / columns),
            parts = count / worth_a_thread;
    if (parts > (int64_t)r->team->tasks) parts = (int64_t)r->team->tasks;
    if (parts > pieces) parts = pieces;
    if (parts > 1) j.parts = (size_t)parts;
    if (j.parts > 1) team_run(r->team, j.parts, reduce_part, &j);
    else reduce_part(&j, 0);
}
