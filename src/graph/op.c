/* Names and kinds of the ops, from the table. */
#include "graph/op.h"

#include <string.h>

#define ELEM(value)          KIND_ELEM
#define REDUCE(start, value) KIND_REDUCE
#define VIEW(map)            KIND_VIEW
#define OPAQUE(...)          KIND_OPAQUE
#define PARTS(...)           KIND_OPAQUE
#define CONTROL(...)         KIND_CONTROL
#define ALIAS                KIND_ALIAS
#define LEAF                 KIND_LEAF
#include "ops/columns.def"

const struct op_entry op_table[OP_COUNT] = {
    [OP_error] = {"error", KIND_ERROR},
#define ROW(name, form, arguments, kind, ...) [OP_##name] = {#name, kind},
#include "ops/ops.def"
#undef ROW
};

int op_find(const char *name, size_t n) {
    for (int op = 1; op < OP_COUNT; op++)
        if (strlen(op_table[op].name) == n && memcmp(op_table[op].name, name, n) == 0) return op;
    return -1;
}
