/* Byte strings kept once: equal bytes have equal numbers. Names, shapes and attributes are interned, so that
 * nodes compare by comparing numbers. */
#ifndef BASE_INTERN_H
#define BASE_INTERN_H

#include "base/hash.h"

struct intern_entry {
    const void *bytes;
    size_t size;
    uint32_t owner; /* the caller's: what it was added for */
};

struct intern {
    struct mem mem;
    struct intern_entry *entry; /* entry[0] is the empty string */
    size_t n, cap;
    struct hash_table table;
    struct intern_chunk *chunk;
    size_t held; /* bytes of memory, but for entries and table */
};

#define intern_none UINT32_MAX

bool intern_init(struct intern *in, const struct mem *m);
void intern_drop(struct intern *in);
/* The number of these bytes, added if new; intern_none when out of memory. Bytes are kept aligned to 8, and a
 * NUL stands behind them. */
uint32_t intern_put(struct intern *in, const void *bytes, size_t size);
/* The same, but never adds: intern_none when absent. */
uint32_t intern_find(const struct intern *in, const void *bytes, size_t size);
/* Adds string i of another intern with the same allocator. Long ones (a constant of thousands of numbers) are not copied: both
 * keep them until the last is dropped, in any thread. */
uint32_t intern_share(struct intern *in, const struct intern *from, uint32_t i);
/* Takes the newest string away, and gives its memory back. */
void intern_pop(struct intern *in);
static inline const void *intern_bytes(const struct intern *in, uint32_t i) { return in->entry[i].bytes; }
static inline size_t intern_size(const struct intern *in, uint32_t i) { return in->entry[i].size; }

/* FNV-1a over the bytes, folded by a multiply (Knuth, vol. 3, 6.4). */
uint32_t intern_hash(const void *bytes, size_t size);

#endif
