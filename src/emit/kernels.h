/* A plan's loops as C that the system's compiler turns into kernels for this processor, with the bits of the built-in ones. */
#ifndef EMIT_KERNELS_H
#define EMIT_KERNELS_H

#include "base/text.h"
#include "emit/emit.h"
#include "emit/kernel_frame.h"
#include "loop/loop.h"

/* A loop, or a small step that only moves numbers or is a product, as it is compiled. */
struct kernel_units {
    bool made;     /* compiled: the others are left to the built-in way */
    int64_t count; /* of units, which may run in any order */
    size_t row;    /* bytes that a thread needs */
    bool streams;  /* some of its results go past the caches */
};

struct kernel_wish {
    bool products; /* small ones are compiled too, with the bits of our own */
    bool chains;   /* neighbouring loops may run together: no threads share them */
    const void *program;
    struct emit_control (*control)(const void *program,
                                   size_t step); /* as emit_wish has it; NULL: steps run no
                                                                       * functions that are compiled with them */
};

/* One unit of translation that defines `const struct kernel_table *chainrule_kernels(void)`, but for the key: it wants
 * CHAINRULE_KEY defined as a string. loop, units: by step. CR_OK or CR_ENOMEM. */
cr_status emit_kernels(struct cr_text *out, const struct plan *p, const struct loop loop[],
                       struct kernel_units units[], const struct kernel_wish *wish);

#endif
