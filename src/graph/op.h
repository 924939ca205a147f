/* The ops by number, and the columns of the table that the graph itself needs. Numbers live in memory only:
 * what is saved or shown is the name. */
#ifndef GRAPH_OP_H
#define GRAPH_OP_H

#include "chainrule.h"

enum op {
    OP_error, /* the node 0 of every graph */
#define ROW(name, ...) OP_##name,
#include "ops/ops.def"
#undef ROW
    OP_COUNT
};

enum op_kind {
    KIND_ERROR,
    KIND_ELEM,
    KIND_REDUCE,
    KIND_VIEW,
    KIND_OPAQUE,
    KIND_CONTROL,
    KIND_ALIAS,
    KIND_LEAF
};

struct op_entry {
    const char *name;
    enum op_kind kind;
    bool commutes; /* its two operands may change places */
};
extern const struct op_entry op_table[OP_COUNT];

static inline const char *op_name(int op) { return op_table[op].name; }
static inline enum op_kind op_kind(int op) { return op_table[op].kind; }
static inline bool op_commutes(int op) { return op_table[op].commutes; }
int op_find(const char *name, size_t n); /* -1: none */

#endif
