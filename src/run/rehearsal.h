/* A walk through a small program before its first step, which then finds code, tables and branches known. */
#ifndef RUN_REHEARSAL_H
#define RUN_REHEARSAL_H

#include <fenv.h>

#include "run/program.h"

struct rehearsal {
    int times;    /* that steps should run */
    char **slot;  /* where they stand else; behind them */
    char *memory; /* what stands for inputs and parameters */
    size_t bytes; /* of both */
    int64_t step;
    uint32_t bad_node;
    struct failure failure;
    fenv_t float_state;
    int error;
};

/* Where nobody else's code runs and few operations and bytes are asked for: inputs, parameters and outputs stand in memory of our own, which is
 * 0, and no exception of floating point interrupts. Calls are to be found anew; then steps may run, and may fail. False: none of that, since it is more than
 * that, or memory is short. */
bool rehearsal_begin(struct rehearsal *h, struct place_of_run *r, const cr_program *p);
/* All is as it was, and what is bound on its way into a cache, neither read nor written; calls are to be found anew. */
void rehearsal_end(struct rehearsal *h, struct place_of_run *r, const cr_program *p);

#endif
