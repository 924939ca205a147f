/* Names and kinds of the ops, from the table. */
#include "graph/op.h"

#include <string.h>

#undef COMMUTES
#define COMMUTES(value)        , true
#define TAKE_SECOND(a, b, ...) b
#define TAKE(...)              TAKE_SECOND(__VA_ARGS__)
#define ELEM(...)              KIND_ELEM, TAKE(__VA_ARGS__, false, 0)
#define REDUCE(start, value)   KIND_REDUCE, false
#define VIEW(map)              KIND_VIEW, false
#define OPAQUE(...)            KIND_OPAQUE, false
#define PARTS(...)             KIND_OPAQUE, false
#define CONTROL(...)           KIND_CONTROL, false
#define ALIAS                  KIND_ALIAS, false
#define LEAF                   KIND_LEAF, false
#include "ops/columns.def"

const struct op_entry op_table[OP_COUNT] = {
    [OP_error] = {"error", KIND_ERROR, false},
#define ROW(name, form, arguments, kind, ...) [OP_##name] = {#name, kind},
#include "ops/ops.def"
#undef ROW
};

int op_find(const char *name, size_t n) {
    for (int op = 1; op < OP_COUNT; op++)
        if (strlen(op_table[op].name) == n && memcmp(op_table[op].name, name, n) == 0) return op;
    return -1;
}
