/* Memory that can be told to fail, and that knows what the library does with it: live blocks and bytes, the peak, and whether
 * each block comes back with the size it was given out with. A resized block always moves and fresh bytes are never zero, so that
 * a stale pointer or a byte never written shows, under a sanitizer too. */
#ifndef ALLOC_H
#define ALLOC_H

#include "chainrule.h"

struct failing {
    long count;     /* allocations and growths asked for */
    long fail_at;   /* the one that fails; 0: none */
    bool all_after; /* and all that come after it */
    long live;      /* blocks not freed */
    size_t bytes, peak;
    const char *wrong; /* the first thing that must not be: a size that differs, a block freed that is none */
};

/* A cr_realloc_fn; user is a struct failing. */
void *failing_realloc(void *user, void *ptr, size_t old_size, size_t size);

/* Runs scenario(ctx, arg) with the n-th allocation failing, alone and then with all after it, for n = 1 to the last. The scenario
 * gives CR_OK or CR_ENOMEM, CR_ENOMEM at least once, and nothing may leak. */
typedef cr_status alloc_scenario(cr_context *ctx, void *arg);
void alloc_fail_each(alloc_scenario *scenario, void *arg);
/* The same where every allocation is needed: CR_ENOMEM each time, so that nothing is left out in silence. */
void alloc_fail_each_told(alloc_scenario *scenario, void *arg);

#endif
