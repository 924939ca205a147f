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

#endif
