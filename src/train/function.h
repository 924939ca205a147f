/* A compiled program with its run: what an optimiser calls. */
#ifndef TRAIN_FUNCTION_H
#define TRAIN_FUNCTION_H

#include "base/mem.h"

struct function {
    cr_program *program;
    cr_run *run;
};

/* Compiles the target, which is freed, on this store. */
cr_status function_make(struct function *f, cr_target *t, cr_store *store);
void function_free(struct function *f);
/* Binds an input; one that the function does not have is no error. */
cr_status function_bind(struct function *f, const char *name, cr_dtype dtype, void *data, size_t bytes);

/* Denormals count as 0 in a step, as the option flush_denormals of cr_options_set has it. */
void function_flush(struct function *f, bool flush);

#endif
