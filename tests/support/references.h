/* The values of elementwise rows in tests/data/references.inc, those of one row and domain together, and of integers. */
#ifndef REFERENCES_H
#define REFERENCES_H

#include "support/test.h"

#include "ops/build.h"

struct reference {
    int op;
    int64_t n;
    double x[3], value;
    bool wide; /* operands outside of the row's domain; not exact in f32 */
};
#define INTEGER(...)
#define CASE(...)
#define FOLD(...)
#define REFERENCE(op, n, a, b, c, value, ...) {OP_##op, n, {a, b, c}, value, false},
#define WIDE(...)
static const struct reference references[] = {

#include "../data/references.inc"
#undef REFERENCE
#undef WIDE
#define REFERENCE(...)
#define WIDE(op, n, a, b, c, value) {OP_##op, n, {a, b, c}, value, true},
#include "../data/references.inc"
};
#undef REFERENCE
#undef WIDE
#undef INTEGER
enum { reference_count = sizeof references / sizeof *references };

struct integers {
    int op;
    int64_t n, x[2], of64, of32;
};
#define REFERENCE(...)
#define WIDE(...)
#define INTEGER(op, n, a, b, of64, of32) {OP_##op, n, {a, b}, of64, of32},
static const struct integers integers[] = {
#include "../data/references.inc"
};
#undef REFERENCE
#undef WIDE
#undef INTEGER
#undef CASE
#undef FOLD
enum { integer_count = sizeof integers / sizeof *integers };

#endif
