/* Kernels that the system's compiler made at run time, kept in a directory of files. */
#ifndef DEVICE_COMPILED_H
#define DEVICE_COMPILED_H

#include "base/text.h"
#include "emit/kernel_frame.h"

struct compiled {
    struct mem mem;
    void *library;
    const struct kernel_table *kernels;
};

struct compiled_wish {
    const char *compiler;  /* as compiler_find takes it */
    const char *directory; /* of files; NULL: chainrule in the user's directory for caches */
    int seconds;           /* at most, for the compiler */
    int megabytes;         /* at most, of files in the directory: the least recently used ones go */
    const struct cr_text *source;
    int64_t steps;
};

/* Finds the kernels of a source in the directory, else compiles them. A file counts only if it is ours, whole, and of this very source,
 * compiler and processor. False: there are none. how: a sentence of how it came about, or why not. */
bool compiled_get(struct compiled *out, const struct mem *mem, const struct compiled_wish *wish,
                  struct cr_text *how);
void compiled_drop(struct compiled *c);

#endif
