/* Sorting lines, stably: a merge sort of indices. */
#include <string.h>

#include "device/kernels.h"

/* Does b go before a? Equal ones keep their order; nan goes last. */
#define BEFORE(T)                                                                                 \
    static bool before_##T(const void *px, int64_t step, int64_t a, int64_t b, bool descending) { \
        const T *x = px;                                                                          \
        T u = x[a * step], v = x[b * step];                                                       \
        if (u != u || v != v) return u != u && v == v;                                            \
        return descending ? v > u : v < u;                                                        \
    }
BEFORE(double)
BEFORE(float)
BEFORE(int64_t)
BEFORE(int32_t)

typedef bool before_fn(const void *x, int64_t step, int64_t a, int64_t b, bool descending);

static before_fn *before_of(cr_dtype dtype) {
    return dtype == CR_F64   ? before_double
           : dtype == CR_F32 ? before_float
           : dtype == CR_I64 ? before_int64_t
                             : before_int32_t;
}

struct line {
    const void *x;
    int64_t step, n;
    bool descending;
    before_fn *before;
};

static void merge(const struct line *l, const int64_t *from, int64_t *to, int64_t first, int64_t middle,
                  int64_t end) {
    int64_t a = first, b = middle;
    for (int64_t k = first; k < end; k++) {
        bool second = a == middle || (b < end && l->before(l->x, l->step, from[a], from[b], l->descending));
        to[k] = second ? from[b++] : from[a++];
    }
}

static void sort_line(const struct line *l, int64_t *order, int64_t *spare) {
    int64_t *from = order, *to = spare;
    for (int64_t i = 0; i < l->n; i++) order[i] = i;
    for (int64_t width = 1; width < l->n; width *= 2) {
        for (int64_t first = 0; first < l->n; first += 2 * width) {
            int64_t middle = first + width < l->n ? first + width : l->n,
                    end = middle + width < l->n ? middle + width : l->n;
            merge(l, from, to, first, middle, end);
        }
        int64_t *t = from;
        from = to;
        to = t;
    }
    if (from != order) memcpy(order, from, (size_t)l->n * sizeof *order);
}

size_t kernel_line_scratch(const struct kernel_call *c) { return (size_t)c->in->dim[c->in->rank - 1] * 8; }

/* Part 0: the values; part 1: where they stood. The scratch of a task takes a line of indices. */
static void sort_part(void *arg, int64_t first, int64_t end, size_t task) {
    const struct kernel_call *c = arg;
    const struct tensor *x = c->in;
    size_t size = cr_dtype_size(x->dtype);
    int last = x->rank - 1;
    struct line l = {.step = x->stride[last],
                     .n = x->dim[last],
                     .descending = c->attr[1] != 0,
                     .before = before_of(x->dtype)};
    for (int64_t i = first; i < end; i++) {
        int64_t offset = 0, rest = i, *order = (int64_t *)c->out_part[1] + i * l.n;
        for (int k = last - 1; k >= 0; k--) {
            offset += rest % x->dim[k] * x->stride[k];
            rest /= x->dim[k];
        }
        l.x = (const char *)x->data + offset * (int64_t)size;
        sort_line(&l, order, team_scratch(c->team, task));
        for (int64_t k = 0; k < l.n; k++)
            memcpy((char *)c->out_part[0] + (size_t)(i * l.n + k) * size,
                   (const char *)l.x + order[k] * l.step * (int64_t)size, size);
    }
}

cr_status kernel_sort(struct kernel_call *c) {
    const struct tensor *x = c->in;
    int64_t n = x->dim[x->rank - 1], count = shape_count(x->rank, x->dim), depth = 1;
    while (n >> depth) depth++;
    team_share(c->team, n ? count / n : 0, count * depth, sort_part, c);
    return CR_OK;
}
