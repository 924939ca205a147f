/* Threads that share tasks. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/mem.h"

struct pool;

/* threads: at least 2, of which whoever calls pool_run is one; the others start with the first call, as many as the system has, in the
 * floating-point mode of whoever made the pool, with all signals blocked but those of their own faults. A process forked while no
 * pool_run is under way has threads of its own, from its first or second call on. NULL: no memory. */
struct pool *pool_new(const struct mem *mem, int threads);
void pool_free(struct pool *pool);

/* body(arg, i) for i in 0 .. count-1, count at most pool_most; returns when all are done. Task 0 is the caller's. No task may wait for
 * another, or call pool_run: one thread may run them all. Where several threads call it, one comes after the other. */
enum { pool_most = 1 << 16 };
void pool_run(struct pool *pool, void (*body)(void *arg, size_t i), void *arg, size_t count);

#endif
