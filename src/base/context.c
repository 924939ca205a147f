/* The host's context: allocator, and threads of our own or of the host. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* sched_getaffinity */
#elif !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/context.h"

#include <stdatomic.h>

#include "base/pool.h"

#ifdef CR_WITH_THREADS
#include <sched.h>
#include <unistd.h>
#endif

struct cr_context {
    struct mem mem;
    cr_parallel_fn *parallel;
    void *parallel_user;
    int threads;
    const struct product *product;
    _Atomic(struct context_kept *) kept;
    struct pool *pool; /* NULL: one thread, or the host's */
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
#ifdef CR_WITH_THREADS
    pool_free(ctx->pool);
    ctx->pool = NULL;
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

#ifdef CR_WITH_THREADS
/* Those that this process may use: a container, or `taskset`, may leave it fewer than there are. */
static long processors_here(void) {
#ifdef CPU_COUNT
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    return sysconf(_SC_NPROCESSORS_ONLN);
}
#endif

cr_status cr_context_threads(cr_context *ctx, int count) {
    if (!ctx || count < 0 || count > 1024) return CR_EINVAL;
    drop_pool(ctx);
#ifdef CR_WITH_THREADS
    long processors = processors_here();
    if (!count) count = processors < 1 ? 1 : processors > 1024 ? 1024 : (int)processors;
    if (count > 1 && !(ctx->pool = pool_new(&ctx->mem, count))) return CR_ENOMEM;
    ctx->threads = count;
#endif
    return CR_OK;
}

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
#ifdef CR_WITH_THREADS
    if (ctx && ctx->pool && count > 1) {
        pool_run(ctx->pool, body, arg, count);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) body(arg, i);
}
