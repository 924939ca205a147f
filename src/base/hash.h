/* Numbers found by hash: open addressing, linear probing. 32 bits of the hash stand beside each number, so that
 * looking for what is not there touches one cache line of the table and nothing else, and growing touches the
 * table alone. Whoever looks compares what the numbers stand for. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/mem.h"

struct hash_slot {
    uint32_t hash, id; /* id 0: free */
};

struct hash_table {
    struct hash_slot *slot;
    size_t slots, used; /* slots: a power of two */
    unsigned shift;     /* 64 - log2(slots) */
};

bool hash_init(struct hash_table *t, const struct mem *m);
void hash_drop(struct hash_table *t, const struct mem *m);
/* Makes room for one more. False: out of memory, all as before. */
bool hash_reserve(struct hash_table *t, const struct mem *m);
/* id > 0, of a hash whose higher bits are the better ones; there is room. */
void hash_put(struct hash_table *t, uint32_t hash, uint32_t id);
/* Takes out what was put. */
void hash_remove(struct hash_table *t, uint32_t hash, uint32_t id);

/* Of a number: no two have the same (Knuth, vol. 3, 6.4: times 2^32 over the golden ratio). */
static inline uint32_t hash_number(uint32_t n) { return n * 2654435769u; }

/* Where a hash belongs: the highest bits count, so that growing keeps the order. */
static inline size_t hash_start(const struct hash_table *t, uint32_t hash) {
    return (size_t)((uint64_t)hash << 32 >> t->shift);
}

/* Numbers with this hash, one a call, from *at = hash_start(t, hash) on; 0 ends them. */
static inline uint32_t hash_next(const struct hash_table *t, uint32_t hash, size_t *at) {
    for (;;) {
        struct hash_slot s = t->slot[*at];
        *at = (*at + 1) & (t->slots - 1);
        if (!s.id || s.hash == hash) return s.id;
    }
}

#endif
