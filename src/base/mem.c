/* Memory through the allocator of the object's context. */
#define _DEFAULT_SOURCE /* madvise */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

static void *resize_default(void *ptr, size_t size) {
    if (size == 0) return free(ptr), NULL;
    return realloc(ptr, size);
}

void *mem_alloc_large(const struct mem *m, size_t size) {
#ifdef MADV_HUGEPAGE
    enum { huge = 1 << 21 };
    if (!m->fn && size >= 2 * huge) {
        void *p = NULL;
        if (posix_memalign(&p, huge, size)) return NULL;
        (void)madvise(p, size, MADV_HUGEPAGE); /* advice: memory of small pages serves too */
        return p;
    }
#endif
    return mem_alloc(m, size);
}

void *mem_resize(const struct mem *m, void *ptr, size_t old_size, size_t size) {
    if (size > PTRDIFF_MAX) return NULL;
    if (!m->fn) return resize_default(ptr, size);
    return m->fn(m->user, ptr, old_size, size);
}

void *mem_alloc(const struct mem *m, size_t size) { return mem_resize(m, NULL, 0, size ? size : 1); }

void *mem_zero(const struct mem *m, size_t size) {
    void *p = mem_alloc(m, size);
    if (p) memset(p, 0, size);
    return p;
}

void mem_free(const struct mem *m, void *ptr, size_t size) {
    if (ptr) mem_resize(m, ptr, size ? size : 1, 0);
}

/* The distance to the block's true start stands in the byte before the aligned one. */
void *mem_alloc_aligned(const struct mem *m, size_t size) {
    unsigned char *p = mem_alloc(m, mem_add(size, 64));
    if (!p) return NULL;
    size_t shift = 64 - (uintptr_t)p % 64;
    p += shift;
    p[-1] = (unsigned char)shift;
    return p;
}

void mem_free_aligned(const struct mem *m, void *ptr, size_t size) {
    unsigned char *p = ptr;
    if (p) mem_free(m, p - p[-1], size + 64);
}

size_t mem_mul(size_t a, size_t b) { return b && a > SIZE_MAX / b ? SIZE_MAX : a * b; }

size_t mem_add(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

bool mem_grow(const struct mem *m, void *array_ptr, size_t *cap, size_t count, size_t element) {
    if (count < *cap) return true;
    void *old;
    memcpy(&old, array_ptr, sizeof old);
    size_t more = *cap ? mem_mul(*cap, 2) : 8;
    void *p = mem_resize(m, old, *cap * element, mem_mul(more, element));
    if (!p) return false;
    memcpy(array_ptr, &p, sizeof p);
    *cap = more;
    return true;
}
