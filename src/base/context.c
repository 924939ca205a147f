/* The host's context: allocator, and threads from the pthreadpool library or from the host itself. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/context.h"

#include <stdatomic.h>

#include "base/mode.h"

#ifdef CR_WITH_PTHREADPOOL
#include <pthreadpool.h>
#include <unistd.h>
#endif

struct cr_context {
    struct mem mem;
    cr_parallel_fn *parallel;
    void *parallel_user;
    int threads;
    const struct product *product;
    _Atomic(struct context_kept *) kept;
#ifdef CR_WITH_PTHREADPOOL
    _Atomic(pthreadpool_t) pool; /* NULL: not yet needed */
    uint64_t mode;               /* of the thread that asked for the pool, which its threads have */
#endif
};

struct mem context_mem(const cr_context *ctx) {
    return ctx ? ctx->mem : (struct mem){0};
}

cr_status cr_context_new_with(cr_context **out, cr_realloc_fn *fn, void *user) {
    if (!out) return CR_EINVAL;
    struct mem m = {.fn = fn, .user = user};
    *out = mem_zero(&m, sizeof **out);
    if (!*out) return CR_ENOMEM;
    (*out)->mem = m;
    (*out)->threads = 1;
    return CR_OK;
}

cr_status cr_context_new(cr_context **out) { return cr_context_new_with(out, NULL, NULL); }

static void drop_pool(cr_context *ctx) {
#ifdef CR_WITH_PTHREADPOOL
    pthreadpool_t pool = atomic_exchange(&ctx->pool, NULL);
    if (pool) pthreadpool_destroy(pool);
#endif
    ctx->parallel = NULL;
    ctx->threads = 1;
}

void cr_context_free(cr_context *ctx) {
    if (!ctx) return;
    struct mem m = ctx->mem;
    struct context_kept *kept = context_kept(ctx);
    if (kept) kept->drop(kept);
    drop_pool(ctx);
    mem_free(&m, ctx, sizeof *ctx);
}

cr_status cr_context_threads(cr_context *ctx, int count) {
    if (!ctx || count < 0 || count > 1024) return CR_EINVAL;
    drop_pool(ctx);
#ifdef CR_WITH_PTHREADPOOL
    ctx->mode = mode_flush();
    mode_restore(ctx->mode);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    ctx->threads = count ? count : processors < 1 ? 1 : processors > 1024 ? 1024 : (int)processors;
#endif
    return CR_OK;
}

#ifdef CR_WITH_PTHREADPOOL
/* Made by whoever first has work for it: threads that start wait in a loop for some 10 ms, more than small programs take. NULL:
 * one thread, or no memory for more. */
static pthreadpool_t pool_of(cr_context *ctx) {
    pthreadpool_t pool = atomic_load(&ctx->pool), none = NULL;
    if (pool || ctx->threads == 1) return pool;
    uint64_t before = mode_flush();
    mode_restore(ctx->mode);
    pool = pthreadpool_create((size_t)ctx->threads);
    mode_restore(before);
    if (!pool || atomic_compare_exchange_strong(&ctx->pool, &none, pool)) return pool;
    pthreadpool_destroy(pool); /* another was faster */
    return none;
}
#endif

int cr_context_thread_count(const cr_context *ctx) { return ctx ? ctx->threads : 1; }

cr_status cr_context_parallel(cr_context *ctx, cr_parallel_fn *fn, void *user, int count) {
    if (!ctx || (fn && count < 1)) return CR_EINVAL;
    drop_pool(ctx);
    ctx->parallel = fn;
    ctx->parallel_user = user;
    if (fn) ctx->threads = count;
    return CR_OK;
}

cr_status cr_context_map_files(cr_context *ctx, bool map) {
    if (!ctx) return CR_EINVAL;
    ctx->mem.map_files = map;
    return CR_OK;
}

const struct product *context_product(const cr_context *ctx) { return ctx ? ctx->product : NULL; }
void context_set_product(cr_context *ctx, const struct product *product) { ctx->product = product; }

struct context_kept *context_kept(const cr_context *ctx) {
    return ctx ? atomic_load(&ctx->kept) : NULL;
}

bool context_keep(cr_context *ctx, struct context_kept *kept) {
    struct context_kept *none = NULL;
    return atomic_compare_exchange_strong(&ctx->kept, &none, kept);
}

void context_parallel(cr_context *ctx, void (*body)(void *arg, size_t i), void *arg, size_t count) {
    if (ctx && ctx->parallel && count > 1) {
        ctx->parallel(ctx->parallel_user, body, arg, count);
        return;
    }
#ifdef CR_WITH_PTHREADPOOL
    pthreadpool_t pool = ctx && count > 1 ? pool_of(ctx) : NULL;
    if (pool) {
        /* Denormals stay as the host has them. Workers sleep between calls: they would spin for some 10 ms, and where more
         * threads want to run than there are cores that is time taken from the very thread they wait for (seen: a step of
         * 30 ms took 200). */
        pthreadpool_parallelize_1d(pool, body, arg, count, PTHREADPOOL_FLAG_YIELD_WORKERS);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) body(arg, i);
}
