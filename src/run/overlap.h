/* Pieces of memory: which of them overlap? */
#ifndef RUN_OVERLAP_H
#define RUN_OVERLAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
    uintptr_t from, to; /* not empty */
    bool *shared;       /* where to tell; or NULL */
};

/* Tells each piece whether another shares bytes with it, and sorts them by their place. Allocates nothing. Gives how many pairs
 * were compared, at most 2 n log2(n) + n. */
size_t overlap_tell(struct piece piece[], size_t n);

/* Does any of n pieces, sorted and none of them sharing with another, share bytes with [from, to)? *compared counts on. */
bool overlap_meets(const struct piece piece[], size_t n, uintptr_t from, uintptr_t to, size_t *compared);

#endif
