/* Ops by name: what bindings and the formula language call. */
#ifndef OPS_CALL_H
#define OPS_CALL_H

#include "ops/build.h"

/* A primitive that users may call, or a composite. */
struct call_row {
    const char *name, *arguments, *sentence;
    int operands; /* -1: any number, at least one */
    int op;       /* of a primitive, else -1 */
};
int call_find(const char *name, size_t n);         /* row number, or -1 */
bool call_row(int i, struct call_row *row);        /* false past the end */
bool call_primitive(int op, struct call_row *row); /* false: users do not call it */
/* The i-th attribute's name (its length in *n); NULL past the end. */
const char *call_attribute(const struct call_row *row, int i, size_t *n);
/* Is the k-th operand the key of a random draw? */
bool call_takes_key(const struct call_row *row, int k);
/* Calls the builder. Attributes in any order; those left out take their defaults. */
cr_node call_op(cr_graph *g, int row, int n, const cr_node x[], int n_attrs, const cr_attr attrs[]);
/* The known name nearest to a misspelt one, or NULL: of `count` names given by name(user, i). */
const char *call_nearest(const char *word, size_t n, const char *(*name)(const void *user, size_t i),
                         const void *user, size_t count);
const char *call_nearest_op(const char *word, size_t n);

#endif
