/* The CPU's kernels of opaque ops, by the name that their row gives. */
#include "device/kernels.h"

#define AS_ELEM(value)            NULL
#define AS_REDUCE(start, combine) NULL
#define AS_VIEW(map)              NULL
#define AS_OPAQUE(kernel)         kernel_##kernel
#define AS_ALIAS                  NULL
#define AS_LEAF                   NULL
#define kernel_cast               NULL /* runs as an instruction of a loop */

static kernel_fn *const table[OP_COUNT] = {
#define ROW(name, form, arguments, kind, ...) [OP_##name] = AS_##kind,
#include "ops/ops.def"
#undef ROW
};

kernel_fn *kernel_find(int op) { return table[op]; }

size_t kernel_scratch(const struct kernel_call *c) {
    if (c->op == OP_sort) return (size_t)c->in->dim[c->in->rank - 1] * sizeof(int64_t);
    return c->op == OP_matmul ? kernel_matmul_scratch(c) : 0;
}
