/* A hash table of numbers: see hash.h. */
#include "base/hash.h"

static bool resize(struct hash_table *t, const struct mem *m, size_t slots, unsigned shift) {
    struct hash_table old = *t;
    struct hash_slot *slot = mem_zero(m, mem_mul(slots, sizeof *slot));
    if (!slot) return false;
    *t = (struct hash_table){slot, slots, 0, shift};
    for (size_t i = 0; i < old.slots; i++)
        if (old.slot[i].id) hash_put(t, old.slot[i].hash, old.slot[i].id);
    hash_drop(&old, m);
    return true;
}

bool hash_init(struct hash_table *t, const struct mem *m) {
    *t = (struct hash_table){0};
    return resize(t, m, 32, 64 - 5);
}

void hash_drop(struct hash_table *t, const struct mem *m) {
    mem_free(m, t->slot, t->slots * sizeof *t->slot);
    *t = (struct hash_table){0};
}

/* At most three quarters full: a search that fails then looks at 8.5 slots, which is one cache line (Knuth, vol.
 * 3, 6.4, eq. 65), and at half of that or less most of the time. */
bool hash_reserve(struct hash_table *t, const struct mem *m) {
    if (t->used < t->slots / 4 * 3) return true;
    return resize(t, m, mem_mul(t->slots, 2), t->shift - 1);
}

void hash_put(struct hash_table *t, uint32_t hash, uint32_t id) {
    size_t at = hash_start(t, hash);
    while (t->slot[at].id) at = (at + 1) & (t->slots - 1);
    t->slot[at] = (struct hash_slot){hash, id};
    t->used++;
}

/* What stands behind the hole, up to the next free slot, moves into it where it still will be found (Knuth, vol.
 * 3, 6.4, algorithm R). */
void hash_remove(struct hash_table *t, uint32_t hash, uint32_t id) {
    size_t mask = t->slots - 1, hole = hash_start(t, hash);
    while (t->slot[hole].id != id) hole = (hole + 1) & mask;
    for (size_t i = (hole + 1) & mask; t->slot[i].id; i = (i + 1) & mask) {
        size_t start = hash_start(t, t->slot[i].hash);
        if (((i - start) & mask) < ((i - hole) & mask)) continue; /* it belongs between the hole and here */
        t->slot[hole] = t->slot[i];
        hole = i;
    }
    t->slot[hole] = (struct hash_slot){0};
    t->used--;
}
