/* What kernels compiled at run time and the library agree on; kernels have this text too. */
#ifndef EMIT_KERNEL_FRAME_H
#define EMIT_KERNEL_FRAME_H

#include <stdint.h>

/* A function that a step runs: where each slot of its plan stands, and the functions that its own steps run. */
struct kernel_inner {
    char *const *slot;
    const struct kernel_inner *inner; /* of step s: numbers 2 s and 2 s + 1 */
};

/* A run, as a compiled program sees it. */
struct kernel_frame {
    char *const *slot;                /* where each slot of the plan stands */
    const struct kernel_inner *inner; /* of step s: numbers 2 s and 2 s + 1 */
    const uint8_t *active;            /* by step */
    char *shared, *row;               /* what units leave; rooms of rows for one thread */
    int64_t (*step)(void *arg,
                    int64_t step); /* runs a step that is not compiled, or is shared by threads; 0: done */
    void *arg;
};

/* Units first .. end-1 of a loop; then, where units leave anything, what becomes of it. */
typedef void kernel_loop(char *const slot[], char *shared, char *row, int64_t first, int64_t end);
typedef void kernel_end(char *const slot[], char *shared);

struct kernel_table {
    const char *key;
    int64_t steps;
    kernel_loop *const *loop;                      /* by step; 0: not compiled */
    kernel_end *const *end;                        /* by step; 0: nothing to do */
    int64_t (*body)(const struct kernel_frame *f); /* the steps, up to the first that fails */
    int64_t (*tail)(const struct kernel_frame *f); /* those of the tail; 0: there are none */
};

#endif
