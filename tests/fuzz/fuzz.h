/* What every fuzz target needs: memory with a limit, which must all come back. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdlib.h>

#include "chainrule.h"

struct budget {
    size_t left, live;
};

static void *budget_realloc(void *user, void *ptr, size_t old_size, size_t size) {
    struct budget *b = user;
    size_t old = ptr ? old_size : 0;
    if (size > b->left + old) return NULL;
    void *p = size ? realloc(ptr, size) : NULL;
    if (size == 0) free(ptr);
    else if (!p) return NULL;
    b->left = b->left + old - size;
    b->live = b->live - old + size;
    return p;
}

static cr_context *budget_context(struct budget *b) {
    cr_context *ctx = NULL;
    if (cr_context_new_with(&ctx, budget_realloc, b)) abort();
    return ctx;
}

static void budget_end(struct budget *b, cr_context *ctx) {
    cr_context_free(ctx);
    if (b->live) abort();
}

volatile double fuzz_sink; /* what was read, so that reading it is not left out */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
