/* Byte strings kept once: a chained hash table over chunks that are freed together. */
#include "base/intern.h"

#include <string.h>

struct intern_chunk {
    struct intern_chunk *next;
    size_t size, used; /* of the bytes behind this head */
    int64_t bytes[];
};

enum { chunk_bytes = 1 << 14 };

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
    size_t need = mem_add(size, 8) & ~(size_t)7; /* with the NUL, in whole words */
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

static bool rehash(struct intern *in, size_t buckets) {
    uint32_t *b = mem_alloc(&in->mem, mem_mul(buckets, sizeof *b));
    if (!b) return false;
    memset(b, 0xff, buckets * sizeof *b);
    for (size_t i = 0; i < in->n; i++) {
        uint32_t *head = &b[in->entry[i].hash & (buckets - 1)];
        in->entry[i].next = *head;
        *head = (uint32_t)i;
    }
    mem_free(&in->mem, in->bucket, in->buckets * sizeof *b);
    in->bucket = b;
    in->buckets = buckets;
    return true;
}

bool intern_init(struct intern *in, const struct mem *m) {
    *in = (struct intern){.mem = *m};
    if (rehash(in, 64) && intern_put(in, "", 0) == 0) return true;
    intern_drop(in);
    return false;
}

void intern_drop(struct intern *in) {
    for (struct intern_chunk *c = in->chunk, *next; c; c = next) {
        next = c->next;
        mem_free(&in->mem, c, sizeof *c + c->size);
    }
    mem_free(&in->mem, in->entry, in->cap * sizeof *in->entry);
    mem_free(&in->mem, in->bucket, in->buckets * sizeof *in->bucket);
    *in = (struct intern){.mem = in->mem};
}

static uint32_t find_hashed(const struct intern *in, const void *bytes, size_t size, uint32_t hash) {
    uint32_t i = in->buckets ? in->bucket[hash & (in->buckets - 1)] : intern_none;
    for (; i != intern_none; i = in->entry[i].next) {
        const struct intern_entry *e = &in->entry[i];
        if (e->hash == hash && e->size == size && (!size || memcmp(e->bytes, bytes, size) == 0)) return i;
    }
    return intern_none;
}

uint32_t intern_find(const struct intern *in, const void *bytes, size_t size) {
    return find_hashed(in, bytes, size, intern_hash(bytes, size));
}

uint32_t intern_put(struct intern *in, const void *bytes, size_t size) {
    uint32_t hash = intern_hash(bytes, size);
    uint32_t found = find_hashed(in, bytes, size, hash);
    if (found != intern_none) return found;
    if (in->n >= intern_none - 1) return intern_none;
    if (!mem_grow(&in->mem, &in->entry, &in->cap, in->n, sizeof *in->entry)) return intern_none;
    if (in->n >= in->buckets && !rehash(in, in->buckets * 2)) return intern_none;
    char *copy = chunk_take(in, size);
    if (!copy) return intern_none;
    if (size) memcpy(copy, bytes, size);
    copy[size] = 0;
    uint32_t *head = &in->bucket[hash & (in->buckets - 1)];
    in->entry[in->n] = (struct intern_entry){copy, size, hash, *head};
    *head = (uint32_t)in->n;
    return (uint32_t)in->n++;
}
