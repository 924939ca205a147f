/* Byte strings kept once: short ones in chunks, long ones in blocks that several tables may share. */
#include "base/intern.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

struct intern_chunk {
    struct intern_chunk *next;
    size_t size, used; /* of the bytes behind this head */
    int64_t bytes[];
};

struct intern_block { /* of a long string */
    atomic_size_t users;
    int64_t bytes[];
};

enum { chunk_bytes = 1 << 14, long_bytes = 1 << 12 };

static size_t room_of(size_t size) {
    return mem_add(size, 8) & ~(size_t)7;
} /* with the NUL, in whole words */

uint32_t intern_hash(const void *bytes, size_t size) {
    const unsigned char *p = bytes;
    uint64_t h = 14695981039346656037u; /* FNV-1a's offset basis and prime */
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 1099511628211u;
        h ^= h >> 29;
    }
    for (; size; size--, p++) h = (h ^ *p) * 1099511628211u;
    return (uint32_t)((h * 0x9E3779B97F4A7C15u) >> 32);
}

static void *chunk_take(struct intern *in, size_t size) {
    size_t need = room_of(size);
    struct intern_chunk *c = in->chunk;
    if (!c || c->size - c->used < need) {
        size_t room = need > chunk_bytes ? need : chunk_bytes;
        c = mem_alloc(&in->mem, mem_add(sizeof *c, room));
        if (!c) return NULL;
        *c = (struct intern_chunk){in->chunk, room, 0};
        in->chunk = c;
        in->held += sizeof *c + room;
    }
    void *p = (char *)c->bytes + c->used;
    c->used += need;
    return p;
}

static struct intern_block *block_of(const struct intern_entry *e) {
    return (struct intern_block *)((uintptr_t)e->bytes - offsetof(struct intern_block, bytes));
}

static void *block_take(struct intern *in, size_t size) {
    struct intern_block *b = mem_alloc(&in->mem, mem_add(sizeof *b, room_of(size)));
    if (!b) return NULL;
    atomic_init(&b->users, 1);
    in->held += sizeof *b + room_of(size);
    return b->bytes;
}

static void block_leave(struct intern *in, const struct intern_entry *e) {
    struct intern_block *b = block_of(e);
    in->held -= sizeof *b + room_of(e->size);
    if (atomic_fetch_sub(&b->users, 1) == 1) mem_free(&in->mem, b, sizeof *b + room_of(e->size));
}

static const char *keep(struct intern *in, const void *bytes, size_t size) {
    char *copy = size >= long_bytes ? block_take(in, size) : chunk_take(in, size);
    if (!copy) return NULL;
    if (size) memcpy(copy, bytes, size);
    copy[size] = 0;
    return copy;
}

static bool make_room(struct intern *in) {
    return in->n < intern_none - 1 && mem_grow(&in->mem, &in->entry, &in->cap, in->n, sizeof *in->entry);
}

static uint32_t add(struct intern *in, const void *bytes, size_t size) {
    if (!make_room(in)) return intern_none;
    const char *copy = keep(in, bytes, size);
    if (!copy) return intern_none;
    in->entry[in->n] = (struct intern_entry){copy, size, 0};
    return (uint32_t)in->n++;
}

bool intern_init(struct intern *in, const struct mem *m) {
    *in = (struct intern){.mem = *m};
    if (hash_init(&in->table, m) && add(in, "", 0) == 0) return true;
    intern_drop(in);
    return false;
}

void intern_drop(struct intern *in) {
    for (size_t i = 0; i < in->n; i++)
        if (in->entry[i].size >= long_bytes) block_leave(in, &in->entry[i]);
    for (struct intern_chunk *c = in->chunk, *next; c; c = next) {
        next = c->next;
        mem_free(&in->mem, c, sizeof *c + c->size);
    }
    mem_free(&in->mem, in->entry, in->cap * sizeof *in->entry);
    hash_drop(&in->table, &in->mem);
    *in = (struct intern){.mem = in->mem};
}

/* The empty string is number 0, and not in the table. */
static uint32_t find(const struct intern *in, const void *bytes, size_t size, uint32_t hash) {
    size_t at = hash_start(&in->table, hash);
    for (uint32_t i; (i = hash_next(&in->table, hash, &at));)
        if (in->entry[i].size == size && memcmp(in->entry[i].bytes, bytes, size) == 0) return i;
    return intern_none;
}

uint32_t intern_find(const struct intern *in, const void *bytes, size_t size) {
    return size ? find(in, bytes, size, intern_hash(bytes, size)) : 0;
}

uint32_t intern_put(struct intern *in, const void *bytes, size_t size) {
    if (size == 0) return 0;
    uint32_t hash = intern_hash(bytes, size), id = find(in, bytes, size, hash);
    if (id != intern_none) return id;
    if (!hash_reserve(&in->table, &in->mem)) return intern_none;
    id = add(in, bytes, size);
    if (id != intern_none) hash_put(&in->table, hash, id);
    return id;
}

uint32_t intern_share(struct intern *in, const struct intern *from, uint32_t i) {
    const struct intern_entry *e = &from->entry[i];
    if (e->size < long_bytes) return intern_put(in, e->bytes, e->size);
    uint32_t hash = intern_hash(e->bytes, e->size), id = find(in, e->bytes, e->size, hash);
    if (id != intern_none) return id;
    if (!hash_reserve(&in->table, &in->mem) || !make_room(in)) return intern_none;
    atomic_fetch_add(&block_of(e)->users, 1);
    in->held += sizeof(struct intern_block) + room_of(e->size);
    in->entry[in->n] = (struct intern_entry){e->bytes, e->size, 0};
    hash_put(&in->table, hash, (uint32_t)in->n);
    return (uint32_t)in->n++;
}

/* The newest stands at the end of the newest chunk. */
void intern_pop(struct intern *in) {
    const struct intern_entry *e = &in->entry[--in->n];
    struct intern_chunk *c = in->chunk;
    hash_remove(&in->table, intern_hash(e->bytes, e->size), (uint32_t)in->n);
    if (e->size >= long_bytes) {
        block_leave(in, e);
        return;
    }
    c->used -= room_of(e->size);
    if (c->used || !c->next) return;
    in->chunk = c->next;
    in->held -= sizeof *c + c->size;
    mem_free(&in->mem, c, sizeof *c + c->size);
}
