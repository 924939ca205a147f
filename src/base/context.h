/* The host's context: allocator and threads. */
#ifndef BASE_CONTEXT_H
#define BASE_CONTEXT_H

#include "base/mem.h"

/* The allocator of a context; of NULL, the C library's. */
struct mem context_mem(const cr_context *ctx);

/* body(arg, i) for i in 0 .. count-1, on the context's threads; on the caller alone for NULL. */
void context_parallel(cr_context *ctx, void (*body)(void *arg, size_t i), void *arg, size_t count);

/* The library that it chose for matrix products (device/cpu/product.h); NULL: our own. */
const struct product *context_product(const cr_context *ctx);
void context_set_product(cr_context *ctx, const struct product *product);

/* What a room above keeps in a context, as the first member of it; drop frees it, with the context. */
struct context_kept {
    void (*drop)(struct context_kept *kept);
};
/* NULL: nothing yet, or no context. */
struct context_kept *context_kept(const cr_context *ctx);
/* False: another thread was first, and kept is still the caller's. */
bool context_keep(cr_context *ctx, struct context_kept *kept);

#endif
