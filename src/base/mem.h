/* Memory of an object: the allocator it was made with. Objects copy the struct; NULL context means malloc. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "chainrule.h"

struct mem {
    cr_realloc_fn *fn; /* NULL: the C library's */
    void *user;
    bool map_files; /* large ones: the host said that it may */
};

void *mem_alloc(const struct mem *m, size_t size);                              /* NULL: out of memory */
void *mem_zero(const struct mem *m, size_t size);                               /* zeroed */
void *mem_resize(const struct mem *m, void *ptr, size_t old_size, size_t size); /* NULL: ptr still stands */
void mem_free(const struct mem *m, void *ptr, size_t size);
/* For what is written from one end to the other and may be large: by huge pages where the system has them. A first touch of a
 * small page costs as much as building five nodes. */
void *mem_alloc_large(const struct mem *m, size_t size);

/* Aligned to 64 bytes (a cache line and the widest vector). */
void *mem_alloc_aligned(const struct mem *m, size_t size);
void mem_free_aligned(const struct mem *m, void *ptr, size_t size);

/* a * b and a + b, or SIZE_MAX, which no allocation grants, when that overflows. */
size_t mem_mul(size_t a, size_t b);
size_t mem_add(size_t a, size_t b);

/* Makes room for one more element of a growing array: doubles *cap. False: out of memory, all as before. */
bool mem_grow(const struct mem *m, void *array_ptr, size_t *cap, size_t count, size_t element);

#endif
