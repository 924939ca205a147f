/* Strided copies, by the size of an element. */
#include <string.h>

#include "device/kernels.h"
#include "tensor/dtype.h"

#define ROW_COPY(type)                                                              \
    do {                                                                            \
        type *y = out;                                                              \
        const type *x = in, first = *x;                                             \
        if (in_stride == 1 && out_stride == 1) memcpy(y, x, (size_t)n * sizeof *y); \
        else if (in_stride == 0 && out_stride == 1)                                 \
            for (int64_t i = 0; i < n; i++) y[i] = first;                           \
        else                                                                        \
            for (int64_t i = 0; i < n; i++) y[i * out_stride] = x[i * in_stride];   \
    } while (0)

void kernel_copy_row(void *out, int64_t out_stride, const void *in, int64_t in_stride, size_t size,
                     int64_t n) {
    switch (size) {
    case 1: ROW_COPY(uint8_t); break;
    case 2: ROW_COPY(uint16_t); break;
    case 4: ROW_COPY(uint32_t); break;
    default: ROW_COPY(uint64_t); break;
    }
}

/* Sizes and strides with neighbours merged; never of rank 0. */
struct walk {
    int rank;
    int64_t dim[CR_MAX_RANK], stride[CR_MAX_RANK], at[CR_MAX_RANK];
    int64_t offset;
};

static void walk_start(struct walk *w, int rank, const int64_t dim[], const int64_t stride[], int64_t first) {
    w->rank = loop_merge(rank, dim, stride, w->dim, w->stride);
    if (w->rank == 0) w->dim[0] = 1, w->stride[0] = 0, w->rank = 1;
    w->offset = 0;
    for (int i = w->rank - 1; i >= 0; i--) {
        w->at[i] = first % w->dim[i];
        first /= w->dim[i];
        w->offset += w->at[i] * w->stride[i];
    }
}

/* n elements further along the innermost axis, which n does not leave. */
static void walk_on(struct walk *w, int64_t n) {
    int i = w->rank - 1;
    w->at[i] += n;
    w->offset += n * w->stride[i];
    while (i > 0 && w->at[i] == w->dim[i]) {
        w->offset -= w->dim[i] * w->stride[i];
        w->at[i] = 0;
        i--;
        w->at[i]++;
        w->offset += w->stride[i];
    }
}

enum { least_turned = 4 }; /* a side of a plane that is worth turning over in blocks */

/* Rows shorter than this are copied where they are met: the windows of images are of such. */
enum { short_row = 16 };

static inline void copy_short(uint32_t *y, const uint32_t *x, int64_t stride, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = x[i * stride];
}

static inline void copy_short_wide(uint64_t *y, const uint64_t *x, int64_t stride, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = x[i * stride];
}

/* A cuboid of three axes, of short rows: of squares, which windows mostly are, the compiler leaves no loop. */
#define CUBOID(rows, n)                                  \
    for (int64_t p = 0; p < dim[0]; p++, x += stride[0]) \
        for (int64_t r = 0; r < rows; r++, y += n)       \
            for (int64_t i = 0; i < n; i++) y[i] = x[r * down + i * across];
#define COPY_CUBOID(name, T)                                                            \
    static void name(T *y, const T *x, const int64_t dim[3], const int64_t stride[3]) { \
        const int64_t n = dim[2], down = stride[1], across = stride[2];                 \
        if (n == 2 && dim[1] == 2) {                                                    \
            CUBOID(2, 2)                                                                \
        } else if (n == 3 && dim[1] == 3) {                                             \
            CUBOID(3, 3)                                                                \
        } else if (n == 5 && dim[1] == 5) {                                             \
            CUBOID(5, 5)                                                                \
        } else {                                                                        \
            CUBOID(dim[1], n)                                                           \
        }                                                                               \
    }
COPY_CUBOID(copy_cuboid, uint32_t)
COPY_CUBOID(copy_cuboid_wide, uint64_t)

/* The axis whose numbers are side by side, where the last one's are not and both are long enough; else -1. */
static int turned_axis(const struct walk *w, size_t size) {
    int last = w->rank - 1;
    if ((size != 4 && size != 8) || w->stride[last] <= 1 || w->dim[last] < least_turned) return -1;
    for (int i = last - 1; i >= 0; i--)
        if (w->stride[i] == 1) return w->dim[i] >= least_turned ? i : -1;
    return -1;
}

/* All of the axes from `first` on, which are at their start: a plane of the first and the last of them for each of those between. */
static void turn_planes(char *y, const char *x, size_t size, const struct walk *w, int first) {
    int last = w->rank - 1;
    int64_t between = shape_count(last - 1 - first, w->dim + first + 1), width = between * w->dim[last];
    for (int64_t i = 0; i < between; i++) {
        int64_t from = 0;
        for (int64_t k = last - 1, rest = i; k > first; rest /= w->dim[k], k--)
            from += rest % w->dim[k] * w->stride[k];
        cpu_turn(y + i * w->dim[last] * (int64_t)size, width, x + from * (int64_t)size, w->stride[last], size,
                 w->dim[first], w->dim[last]);
    }
}

static bool at_start(const struct walk *w, int first) {
    for (int i = first; i < w->rank; i++)
        if (w->at[i]) return false;
    return true;
}

/* What stands from here to the end of the last axes and is short in the last: all of the last three, or some rows of the last two. False: it is none of
 * these, or more than are wanted. */
static bool cuboid_here(const struct walk *w, size_t size, int64_t wanted, int64_t dim[3],
                        int64_t stride[3]) {
    int last = w->rank - 1;
    int64_t n = w->dim[last];
    if (last < 1 || n >= short_row || w->at[last] || (size != sizeof(uint32_t) && size != sizeof(uint64_t)))
        return false;
    bool all = last > 1 && at_start(w, last - 2) && shape_count(3, w->dim + last - 2) <= wanted;
    int64_t rows = w->dim[last - 1] - w->at[last - 1];
    if (!all && rows > wanted / n) rows = wanted / n;
    dim[0] = all ? w->dim[last - 2] : 1, dim[1] = rows, dim[2] = n;
    stride[0] = all ? w->stride[last - 2] : 0, stride[1] = w->stride[last - 1], stride[2] = w->stride[last];
    return rows > 0;
}

static void walk_cuboid(struct walk *w, const int64_t dim[3]) {
    int last = w->rank - 1;
    for (int i = 0; i < 2; i++) {
        if (dim[i] == 1) continue;
        w->at[last - 2 + i] += dim[i] - 1;
        w->offset += (dim[i] - 1) * w->stride[last - 2 + i];
    }
    walk_on(w, w->dim[last]);
}

static void transfer(void *out, const void *in, size_t size, struct walk *w, int64_t n) {
    char *y = out;
    const char *x = in;
    int last = w->rank - 1;
    int first = turned_axis(w, size);
    int64_t planes = first < 0 ? 0 : shape_count(w->rank - first, w->dim + first);
    for (int64_t done = 0; done < n;) {
        if (planes && n - done >= planes && at_start(w, first)) {
            turn_planes(y + done * (int64_t)size, x + w->offset * (int64_t)size, size, w, first);
            for (int64_t i = 0; i < planes; i += w->dim[last]) walk_on(w, w->dim[last]);
            done += planes;
            continue;
        }
        int64_t run = w->dim[last] - w->at[last];
        int64_t dim[3], stride[3];
        if (cuboid_here(w, size, n - done, dim, stride)) {
            void *to = y + done * (int64_t)size;
            const void *from = x + w->offset * (int64_t)size;
            if (size == sizeof(uint32_t)) copy_cuboid(to, from, dim, stride);
            else copy_cuboid_wide(to, from, dim, stride);
            walk_cuboid(w, dim);
            done += shape_count(3, dim);
            continue;
        }
        if (run > n - done) run = n - done;
        int64_t here = done * (int64_t)size, there = w->offset * (int64_t)size;
        if (size == sizeof(uint32_t) && run < short_row)
            copy_short((void *)(y + here), (const void *)(x + there), w->stride[last], run);
        else if (size == sizeof(uint64_t) && run < short_row)
            copy_short_wide((void *)(y + here), (const void *)(x + there), w->stride[last], run);
        else kernel_copy_row(y + here, 1, x + there, w->stride[last], size, run);
        walk_on(w, run);
        done += run;
    }
}

void copy_range(void *out, const void *in, size_t size, int rank, const int64_t dim[], const int64_t stride[],
                int64_t first, int64_t n) {
    struct walk w;
    if (n <= 0) return;
    walk_start(&w, rank, dim, stride, first);
    transfer(out, in, size, &w, n);
}

void copy_strided(void *out, const void *in, size_t size, int rank, const int64_t dim[],
                  const int64_t stride[]) {
    copy_range(out, in, size, rank, dim, stride, 0, shape_count(rank, dim));
}

struct copy {
    char *out;
    const struct tensor *in;
};

static void copy_part(void *arg, int64_t first, int64_t end, size_t task) {
    const struct copy *c = arg;
    size_t size = cr_dtype_size(c->in->dtype);
    (void)task;
    copy_range(c->out + first * (int64_t)size, c->in->data, size, c->in->rank, c->in->dim, c->in->stride,
               first, end - first);
}

void copy_shared(const struct team *team, void *out, const struct tensor *in) {
    struct copy c = {out, in};
    int64_t count = shape_count(in->rank, in->dim);
    team_share(team, count, count, copy_part, &c);
}

/* Axes of two tensors at once: without those of size 1, neighbours that are one in both merged. What is side by side in both and
 * short moves together, as runs; else the longest axis is innermost where the last is short. */
struct pair_walk {
    int rank;
    int64_t run;
    int64_t dim[CR_MAX_RANK], to[CR_MAX_RANK], from[CR_MAX_RANK];
};

static void swap_numbers(int64_t *a, int64_t *b) {
    int64_t t = *a;
    *a = *b, *b = t;
}

static void longest_last(struct pair_walk *w) {
    int last = w->rank - 1, longest = last;
    for (int i = 0; i < last; i++)
        if (w->dim[i] > w->dim[longest]) longest = i;
    if (w->dim[last] >= short_row || longest == last) return;
    swap_numbers(&w->dim[longest], &w->dim[last]);
    swap_numbers(&w->to[longest], &w->to[last]);
    swap_numbers(&w->from[longest], &w->from[last]);
}

static void pair_start(struct pair_walk *w, const int64_t to[], const int64_t from[], int rank,
                       const int64_t dim[]) {
    w->rank = 0;
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 1) continue;
        int n = w->rank;
        bool one = n && w->to[n - 1] == to[i] * dim[i] && w->from[n - 1] == from[i] * dim[i];
        if (!one) w->dim[n] = 1, w->rank++;
        else n--;
        w->dim[n] *= dim[i], w->to[n] = to[i], w->from[n] = from[i];
    }
    w->run = 1;
    if (w->rank == 0) w->rank = 1, w->dim[0] = 1, w->to[0] = w->from[0] = 1;
    int last = w->rank - 1;
    if (last > 0 && w->to[last] == 1 && w->from[last] == 1 && w->dim[last] <= short_row)
        w->run = w->dim[last], w->rank--;
    else longest_last(w);
}

static void copy_runs(char *to, int64_t to_stride, const char *from, int64_t from_stride, size_t bytes,
                      int64_t n) {
    for (int64_t i = 0; i < n; i++) copy_run(to + i * to_stride, from + i * from_stride, bytes);
}

static void copy_line(const struct pair_walk *w, char *to, const char *from, size_t size) {
    int last = w->rank - 1;
    int64_t bytes = (int64_t)size;
    if (w->run == 1) kernel_copy_row(to, w->to[last], from, w->from[last], size, w->dim[last]);
    else
        copy_runs(to, w->to[last] * bytes, from, w->from[last] * bytes, (size_t)(w->run * bytes),
                  w->dim[last]);
}

/* Is the plane of the last two axes written in rows, and read in columns? */
static bool turns(const struct pair_walk *w, size_t size) {
    int last = w->rank - 1;
    return last > 0 && w->run == 1 && (size == 4 || size == 8) && w->to[last] == 1 &&
           w->from[last - 1] == 1 && w->dim[last - 1] >= least_turned && w->dim[last] >= least_turned;
}

void copy_both(void *out, const int64_t out_stride[], const void *in, const int64_t in_stride[], size_t size,
               int rank, const int64_t dim[]) {
    struct pair_walk w;
    int64_t at[CR_MAX_RANK] = {0}, to = 0, from = 0;
    if (shape_count(rank, dim) == 0) return;
    pair_start(&w, out_stride, in_stride, rank, dim);
    bool turned = turns(&w, size);
    for (int last = w.rank - 1, k = 0; k >= 0;) {
        char *y = (char *)out + to * (int64_t)size;
        const char *x = (const char *)in + from * (int64_t)size;
        if (turned) cpu_turn(y, w.to[last - 1], x, w.from[last], size, w.dim[last - 1], w.dim[last]);
        else copy_line(&w, y, x, size);
        for (k = last - 1 - turned; k >= 0; k--) {
            to += w.to[k], from += w.from[k];
            if (++at[k] < w.dim[k]) break;
            to -= w.to[k] * w.dim[k], from -= w.from[k] * w.dim[k];
            at[k] = 0;
        }
    }
}
