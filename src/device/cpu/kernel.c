/* The CPU's kernels of opaque ops, by the names that their rows give. */
#include "device/kernels.h"

#define AS_ELEM(value)                          NULL, NULL
#define AS_REDUCE(start, combine)               NULL, NULL
#define AS_VIEW(map)                            NULL, NULL
#define AS_OPAQUE(kernel, scratch)              kernel_##kernel, kernel_##scratch##_scratch
#define AS_PARTS(kernel, scratch, second, name) kernel_##kernel, kernel_##scratch##_scratch
#define AS_CONTROL(kernel)                      NULL, NULL
#define AS_ALIAS                                NULL, NULL
#define AS_LEAF                                 NULL, NULL
#define kernel_cast                             NULL /* runs as an instruction of a loop */
#define kernel_no_scratch                       NULL

static const struct {
    kernel_fn *run;
    scratch_fn *scratch;
} table[OP_COUNT] = {
#define ROW(name, form, arguments, kind, ...) [OP_##name] = {AS_##kind},
#include "ops/ops.def"
#undef ROW
};

kernel_fn *kernel_find(int op) { return table[op].run; }

size_t kernel_scratch(const struct kernel_call *c) {
    return table[c->op].scratch ? table[c->op].scratch(c) : 0;
}
