/* Programs found again. A lock is held for a look over the table alone: words are compared, and programs freed, outside of it. */
#include "run/cache.h"

#include <stdatomic.h>

#include "base/context.h"
#include "run/program.h"

struct entry {
    cr_program *program; /* holds its key */
    uint64_t hash, used; /* used: when, by the cache's own clock */
    size_t bytes;
};

struct cache {
    struct context_kept kept;
    struct mem mem;
    atomic_flag busy;
    struct entry entry[cache_programs];
    size_t n, bytes;
    uint64_t clock, kept_ever;
    atomic_size_t found;
};

static void lock(struct cache *c) {
    while (atomic_flag_test_and_set_explicit(&c->busy, memory_order_acquire)) {}
}
static void unlock(struct cache *c) { atomic_flag_clear_explicit(&c->busy, memory_order_release); }

static struct cache *cache_of(const cr_context *ctx) { return (struct cache *)(void *)context_kept(ctx); }

static void drop(struct context_kept *kept) {
    struct cache *c = (struct cache *)(void *)kept;
    struct mem m = c->mem;
    for (size_t i = 0; i < c->n; i++) cr_program_free(c->entry[i].program);
    mem_free(&m, c, sizeof *c);
}

static struct entry *entry_of(struct cache *c, uint64_t hash) {
    for (size_t i = 0; i < c->n; i++)
        if (c->entry[i].hash == hash) return &c->entry[i];
    return NULL;
}

cr_program *cache_find(const cr_context *ctx, const struct key *k) {
    struct cache *c = cache_of(ctx);
    if (!c) return NULL;
    lock(c);
    struct entry *e = entry_of(c, k->hash);
    cr_program *p = e ? e->program : NULL;
    if (e) e->used = ++c->clock, program_hold(p);
    unlock(c);
    if (p && !key_equal(&p->key, k)) cr_program_free(p), p = NULL;
    if (p) atomic_fetch_add_explicit(&c->found, 1, memory_order_relaxed);
    return p;
}

/* Takes an entry out; who calls frees its program. */
static cr_program *take(struct cache *c, struct entry *e) {
    cr_program *p = e->program;
    c->bytes -= e->bytes;
    *e = c->entry[--c->n];
    return p;
}

/* The one to go so that there is room for `bytes`, or NULL. */
static cr_program *one_too_many(struct cache *c, size_t bytes) {
    if (c->n < cache_programs && c->bytes + bytes <= cache_bytes) return NULL;
    struct entry *oldest = c->entry;
    for (size_t i = 1; i < c->n; i++)
        if (c->entry[i].used < oldest->used) oldest = &c->entry[i];
    return take(c, oldest);
}

static void put(struct cache *c, cr_program *p, size_t bytes) {
    program_hold(p);
    for (;;) { /* while one is freed without the lock, another thread may put one in */
        lock(c);
        struct entry *same = entry_of(c, p->key.hash); /* of a faster thread, or the hash alone is the same */
        cr_program *old = same ? take(c, same) : one_too_many(c, bytes);
        if (!old) break;
        unlock(c);
        cr_program_free(old);
    }
    c->entry[c->n++] = (struct entry){p, p->key.hash, ++c->clock, bytes};
    c->bytes += bytes;
    c->kept_ever++;
    unlock(c);
}

static struct cache *make(cr_context *ctx) {
    struct mem m = context_mem(ctx);
    struct cache *c = mem_zero(&m, sizeof *c);
    if (!c) return NULL;
    c->mem = m;
    c->kept.drop = drop;
    atomic_flag_clear(&c->busy);
    if (context_keep(ctx, &c->kept)) return c;
    mem_free(&m, c, sizeof *c);
    return cache_of(ctx);
}

cr_status cache_keep(cr_context *ctx, cr_program *p, struct key *k) {
    /* What is large stands in the program's graph too, most often. */
    size_t other = k->large.held > p->g->attr.held ? k->large.held - p->g->attr.held : 0;
    size_t bytes = mem_add(mem_add(program_bytes(p), key_bytes(k)), other);
    if (bytes > cache_bytes / 4) return CR_OK;
    struct cache *c = cache_of(ctx);
    if (!c && !(c = make(ctx))) return CR_ENOMEM;
    p->key = *k;
    *k = key_make(&k->mem);
    put(c, p, bytes);
    return CR_OK;
}

struct cache_state cache_state(const cr_context *ctx) {
    struct cache *c = cache_of(ctx);
    if (!c) return (struct cache_state){0};
    lock(c);
    struct cache_state s = {c->n, c->bytes, atomic_load(&c->found), c->kept_ever};
    unlock(c);
    return s;
}
