/* Sorting lines. */
#include <string.h>

#include "device/kernels.h"

#define T       double
#define NAME(f) f##_f64
#include "device/sort.inc"
#undef T
#undef NAME
#define T       float
#define NAME(f) f##_f32
#include "device/sort.inc"
#undef T
#undef NAME
#define T       int64_t
#define NAME(f) f##_i64
#include "device/sort.inc"
#undef T
#undef NAME
#define T       int32_t
#define NAME(f) f##_i32
#include "device/sort.inc"
#undef T
#undef NAME

static void sort_line(cr_dtype dtype, const void *x, int64_t step, int64_t n, bool descending, int64_t *order,
                      int64_t *spare) {
    switch (dtype) {
    case CR_F64: sort_order_f64(x, step, n, descending, order, spare); break;
    case CR_F32: sort_order_f32(x, step, n, descending, order, spare); break;
    case CR_I64: sort_order_i64(x, step, n, descending, order, spare); break;
    default: sort_order_i32(x, step, n, descending, order, spare); break;
    }
}

size_t kernel_line_scratch(const struct kernel_call *c) { return (size_t)c->in->dim[c->in->rank - 1] * 8; }

/* Part 0: the values; part 1: where they stood. The scratch of a task takes a line of indices. */
static void sort_part(void *arg, int64_t first, int64_t end, size_t task) {
    const struct kernel_call *c = arg;
    const struct tensor *x = c->in;
    size_t size = cr_dtype_size(x->dtype);
    int last = x->rank - 1;
    int64_t n = x->dim[last], step = x->stride[last];
    for (int64_t i = first; i < end; i++) {
        int64_t offset = 0, rest = i, *order = (int64_t *)c->out_part[1] + i * n;
        for (int k = last - 1; k >= 0; k--) {
            offset += rest % x->dim[k] * x->stride[k];
            rest /= x->dim[k];
        }
        const char *line = (const char *)x->data + offset * (int64_t)size;
        sort_line(x->dtype, line, step, n, c->attr[1] != 0, order, team_scratch(c->team, task));
        for (int64_t k = 0; k < n; k++)
            memcpy((char *)c->out_part[0] + (size_t)(i * n + k) * size,
                   line + order[k] * step * (int64_t)size, size);
    }
}

cr_status kernel_sort(struct kernel_call *c) {
    const struct tensor *x = c->in;
    int64_t n = x->dim[x->rank - 1], count = shape_count(x->rank, x->dim), depth = 1;
    while (n >> depth) depth++;
    team_share(c->team, n ? count / n : 0, count * depth, sort_part, c);
    return CR_OK;
}
