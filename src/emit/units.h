/* Loops of kernels that are compiled at run time. */
#ifndef EMIT_UNITS_H
#define EMIT_UNITS_H

#include "emit/kernels.h"
#include "emit/nest.h"

struct slots_seen {
    size_t n;
    uint32_t slot[512]; /* a loop has at most 96 instructions of three operands and a result */
};
void emit_declare_slots(struct emitter *e, const struct step *s);

/* Writes loop_NUMBER and end_NUMBER. False, and nothing written: this one is left to the built-in way. */
bool emit_units(struct emitter *e, const struct step *s, const struct loop *loop, size_t number,
                struct kernel_units *out);

#endif
