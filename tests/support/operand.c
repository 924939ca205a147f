#define _POSIX_C_SOURCE 200809L
#include "support/operand.h"

#include <dlfcn.h>

#include "base/context.h"
#include "device/kernels.h"
#include "support/test.h"

const struct size product_sizes[] = {
    {1, 128, 784, 512},
    {1, 1, 784, 512},
    {1, 784, 512, 1},
    {1, 784, 1, 512},
    {1, 64, 512, 10},
    {1, 784, 128, 512},
    {1, 256, 128, 10},
    {1, 128, 10, 256},
    {1, 32, 256, 1024},
    {1, 32, 1024, 256},
    {1, 37, 301, 113},
    {1, 300, 257, 129},
    {1, 4, 1024, 300},
    {1, 300, 1024, 3},
    {1, 16, 300, 6},
    {1, 2, 513, 2},
    {1, 1, 1, 1},
    {1, 1, 7, 1},
    {1, 1, 1000, 1},
    {1, 15, 3, 33},
    {1, 16, 16, 16},
    {1, 29, 4, 100},
    {1, 100, 64, 1024},
    {1, 512, 20, 40},
    {1, 35, 9, 1000}, /* several strips a call, some calls */
    {1, 1, 301, 1029},
    {40, 8, 8, 8},
    {7, 4, 4, 4},
    {3, 70, 90, 80},
    {5, 1, 20, 30},
    {5, 30, 20, 1},
    {2, 5, 0, 3},
    {2, 0, 4, 3},
    {2, 3, 4, 0},
    {0, 3, 4, 5},
    /* Large enough for threads: vectors, batches of more and of fewer products than threads. */
    {1, 1, 2500, 1000},
    {1, 1000, 2500, 1},
    {20, 50, 60, 60},
    {2, 150, 100, 150},
};
const size_t product_size_count = sizeof product_sizes / sizeof *product_sizes;

struct operand *operand_at(size_t shift, cr_dtype t, enum layout layout, int64_t batch, int64_t rows,
                           int64_t columns) {
    struct operand *o = calloc(1, sizeof *o);
    int64_t element = layout == scattered ? 3 : 1, gap = layout == rows_with_gaps ? 5 : 0;
    bool turned = layout == by_columns;
    int64_t line = (turned ? rows : columns) * element + gap, lines = turned ? columns : rows;
    memcpy(o->dim, (int64_t[]){batch, rows, columns}, sizeof o->dim);
    memcpy(o->stride, (int64_t[]){line * lines, turned ? 1 : line, turned ? line : element},
           sizeof o->stride);
    o->bytes = (size_t)(batch * line * lines) * cr_dtype_size(t) + shift;
    o->data = malloc(o->bytes + 1);
    memset(o->data, 0xff, o->bytes); /* nan in the gaps */
    o->x = (struct tensor){(char *)o->data + shift, t, 3, o->dim, o->stride};
    return o;
}

struct operand *operand_of(cr_dtype t, enum layout layout, int64_t batch, int64_t rows, int64_t columns) {
    return operand_at(layout == by_rows ? 0 : cr_dtype_size(t), t, layout, batch, rows, columns);
}

void operand_free(struct operand *o) { free(o->data), free(o); }

void set(const struct operand *o, int64_t b, int64_t i, int64_t k, double v) {
    int64_t at = b * o->stride[0] + i * o->stride[1] + k * o->stride[2];
    if (o->x.dtype == CR_F64) ((double *)o->x.data)[at] = v;
    else ((float *)o->x.data)[at] = (float)v;
}

double get(const struct operand *o, int64_t b, int64_t i, int64_t k) {
    int64_t at = b * o->stride[0] + i * o->stride[1] + k * o->stride[2];
    return o->x.dtype == CR_F64 ? ((double *)o->x.data)[at] : (double)((float *)o->x.data)[at];
}

double whole(int64_t i) { return (double)(i * 7919 % 7 - 3); }
/* Steps of the golden ratio. */
double fraction(int64_t i) { return (double)(i * 40503 % 65521 - 32760) / 98281; }

/* The first n of either function, which are asked for again and again. */
static const double *values(double (*value)(int64_t), int64_t n) {
    static struct known {
        double *x;
        int64_t n;
    } known[2];
    struct known *k = &known[value == fraction];
    assert_true(value == fraction || value == whole);
    if (k->n < n) k->x = realloc(k->x, (size_t)n * sizeof *k->x);
    for (; k->n < n; k->n++) k->x[k->n] = value(k->n);
    return k->x;
}

static void set_line(const struct operand *o, int64_t at, const double *v) {
    int64_t n = o->dim[2], step = o->stride[2];
    if (o->x.dtype == CR_F64) {
        double *to = (double *)o->x.data + at;
        for (int64_t k = 0; k < n; k++) to[k * step] = v[k];
    } else {
        float *to = (float *)o->x.data + at;
        for (int64_t k = 0; k < n; k++) to[k * step] = (float)v[k];
    }
}

void fill(const struct operand *o, double (*value)(int64_t), int64_t seed) {
    const double *v = values(value, seed + o->dim[0] * o->dim[1] * o->dim[2]) + seed;
    for (int64_t b = 0; b < o->dim[0]; b++)
        for (int64_t i = 0; i < o->dim[1]; i++, v += o->dim[2])
            set_line(o, b * o->stride[0] + i * o->stride[1], v);
}

struct operand *multiply(const struct operand *a, const struct operand *b, cr_context *ctx) {
    struct operand *c = operand_of(a->x.dtype, by_rows, a->dim[0], a->dim[1], b->dim[2]);
    struct tensor in[2] = {a->x, b->x};
    struct team team = {
        .ctx = ctx, .tasks = (size_t)cr_context_thread_count(ctx), .product = context_product(ctx)};
    struct kernel_call call = {.op = OP_matmul, .n = 2, .in = in, .out = c->x, .team = &team};
    team.scratch_bytes = (kernel_matmul_scratch(&call) + 63) / 64 * 64;
    void *scratch = malloc(team.tasks * team.scratch_bytes + 64);
    team.scratch = (char *)(((uintptr_t)scratch + 63) / 64 * 64);
    assert_int_equal(kernel_matmul(&call), CR_OK);
    free(scratch);
    return c;
}

cr_context *context_of(int threads) {
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, threads), CR_OK);
    return ctx;
}

double bound_of(int64_t k, cr_dtype t) {
    return 2 * (double)k * (t == CR_F64 ? 0x1p-53 : 0x1p-24) * (double)k / 9;
}

/* Function pointers by way of their bytes, as POSIX has it. */
bool load(const char *soname, const char *name, void *fn) {
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL), *symbol = library ? dlsym(library, name) : NULL;
    memcpy(fn, &symbol, sizeof symbol);
    return symbol != NULL;
}
