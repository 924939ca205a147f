/* Reductions over axes in any order: those over all of the last or all of the first axes run in loops, with the same
 * functions. The order of combination is one of shape and axes alone, never of strides, threads or alignment: the
 * axes are merged to alternating runs of kept and reduced ones. If the innermost run is reduced, its lines are
 * folded and the lines' results combined one after the other; else whole rows of kept elements are added, in blocks
 * of fold_rows, which are combined one after the other. */
#include <string.h>

#include "device/device.h"
#include "tensor/dtype.h"

enum { columns = 256, worth_a_thread = 1 << 16 };

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
        for (int64_t first = 0; first < j->run_count; first += fold_block) {
            int64_t n = j->run_count - first < fold_block ? j->run_count - first : fold_block;
            j->fold->lines(run_at(j, at, first, n, buffer), 1, n, part);
            j->fold->rows(out, part, 1, 1);
        }
    }
}

/* Results first .. first+n-1 of a run of kept elements: rows accumulated in blocks. */
static void reduce_rows(const struct reduce_job *j, int64_t k, int64_t first, int64_t n, char *buffer) {
    char *out = (char *)j->r->out + (k * j->run_count + first) * (int64_t)j->size,
         *acc = buffer + fold_block * 8;
    int64_t kept = offset_of(j->kept, j->kept_dim, j->kept_stride, k);
    j->fold->start(out, n);
    for (int64_t i = 0; i < j->inner;) {
        j->fold->start(acc, n);
        for (int64_t end = i + fold_rows; i < end && i < j->inner; i++)
            j->fold->rows(
                acc, run_at(j, kept + offset_of(j->gone, j->gone_dim, j->gone_stride, i), first, n, buffer),
                1, n);
        j->fold->rows(out, acc, 1, n);
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

size_t cpu_reduce_scratch(void) { return fold_block * 8 + columns * 8; }

void cpu_reduce(const struct reduce_call *r) {
    struct reduce_job j = {
        .r = r, .fold = cpu_fold(r->op, r->in.dtype), .size = cr_dtype_size(r->in.dtype), .parts = 1};
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
