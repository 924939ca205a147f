/* The store: named tensors. */
#include "run/store.h"

#include <string.h>

#include "base/context.h"
#include "base/intern.h"
#include "base/text.h"
#include "tensor/array.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

struct entry {
    uint32_t name;
    cr_dtype dtype;
    struct shape shape;
    size_t bytes;
    void *data;
};

struct cr_store {
    struct mem mem;
    struct intern names; /* owner: the place of the entry, as long as that has this name */
    struct entry *entry;
    size_t n, cap;
    struct cr_text error;
};

cr_status cr_store_new(cr_store **out, cr_context *ctx) {
    if (!out) return CR_EINVAL;
    struct mem m = context_mem(ctx);
    cr_store *s = *out = mem_zero(&m, sizeof *s);
    if (!s) return CR_ENOMEM;
    s->mem = m;
    s->error = text_make(&m);
    if (intern_init(&s->names, &m)) return CR_OK;
    cr_store_free(s);
    *out = NULL;
    return CR_ENOMEM;
}

void cr_store_free(cr_store *s) {
    if (!s) return;
    struct mem m = s->mem;
    for (size_t i = 0; i < s->n; i++) mem_free_aligned(&m, s->entry[i].data, s->entry[i].bytes);
    mem_free(&m, s->entry, s->cap * sizeof *s->entry);
    intern_drop(&s->names);
    text_drop(&s->error);
    mem_free(&m, s, sizeof *s);
}

static struct entry *find(const cr_store *s, const char *name) {
    if (!s || !name) return NULL;
    uint32_t id = intern_find(&s->names, name, strlen(name));
    size_t i = id == intern_none ? s->n : s->names.entry[id].owner;
    return i < s->n && s->entry[i].name == id ? &s->entry[i] : NULL;
}

static cr_status fail(cr_store *s, cr_status status, const char *name, const char *what) {
    cr_text_clear(&s->error);
    text_add(&s->error, "'%s': %s", name, what);
    return status;
}

static cr_status differs(cr_store *s, const struct entry *e, const char *name, cr_dtype dtype, size_t bytes) {
    cr_text_clear(&s->error);
    text_add(&s->error, "'%s': the store has %s of %zu bytes, found %s of %zu bytes", name,
             cr_dtype_name(e->dtype), e->bytes, cr_dtype_name(dtype), bytes);
    return e->dtype == dtype ? CR_ESHAPE : CR_EDTYPE;
}

static struct entry *add(cr_store *s, const char *name, cr_dtype dtype, const struct shape *shape,
                         size_t bytes) {
    uint32_t id = intern_put(&s->names, name, strlen(name));
    if (id == intern_none || !mem_grow(&s->mem, &s->entry, &s->cap, s->n, sizeof *s->entry)) return NULL;
    void *data = mem_alloc_aligned(&s->mem, bytes);
    if (!data) return NULL;
    memset(data, 0, bytes);
    s->entry[s->n] = (struct entry){id, dtype, *shape, bytes, data};
    s->names.entry[id].owner = (uint32_t)s->n;
    return &s->entry[s->n++];
}

static cr_status set(cr_store *s, const char *name, cr_dtype dtype, const struct shape *shape,
                     const void *data, size_t bytes) {
    struct entry *e = find(s, name);
    if (e && (e->dtype != dtype || e->bytes != bytes)) return differs(s, e, name, dtype, bytes);
    if (!e) e = add(s, name, dtype, shape, bytes);
    if (!e) return fail(s, CR_ENOMEM, name, "out of memory");
    if (bytes && data) memmove(e->data, data, bytes); /* it may be the tensor itself */
    return CR_OK;
}

cr_status cr_store_set(cr_store *s, const char *name, cr_dtype dtype, const void *data, size_t bytes) {
    if (!s || !name || !*name || (bytes && !data) || !dtype_known((int)dtype)) return CR_EINVAL;
    if (bytes % cr_dtype_size(dtype))
        return fail(s, CR_EINVAL, name, "bytes that are no whole numbers of its dtype");
    int64_t count = (int64_t)(bytes / cr_dtype_size(dtype));
    struct shape vector = shape_of(count == 1 ? 0 : 1, &count);
    return set(s, name, dtype, &vector, data, bytes);
}

cr_status cr_store_set_tensor(cr_store *s, const char *name, cr_dtype dtype, int rank, const int64_t dims[],
                              const void *data) {
    if (!s || !name || !*name || !dtype_known((int)dtype) || rank < 0 || rank > CR_MAX_RANK ||
        (rank && !dims))
        return CR_EINVAL;
    int64_t count = shape_count(rank, dims);
    if (count < 0) return fail(s, CR_ELIMIT, name, "too many numbers");
    struct shape shape = shape_of(rank, dims);
    cr_status status = set(s, name, dtype, &shape, data, (size_t)count * cr_dtype_size(dtype));
    if (!status) find(s, name)->shape = shape;
    return status;
}

cr_status cr_store_array(cr_array **out, const cr_store *s, const char *name) {
    if (out) *out = NULL;
    const struct entry *e = find(s, name);
    if (!out || !e) return out ? CR_ENAME : CR_EINVAL;
    cr_status status = array_new(out, &s->mem, e->dtype, e->shape.rank, e->shape.dim);
    if (!status && e->bytes) memcpy(cr_array_data(*out), e->data, e->bytes);
    return status;
}

cr_status cr_store_get(const cr_store *s, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    const struct entry *e = find(s, name);
    if (!e) return CR_ENAME;
    if (e->dtype != dtype) return CR_EDTYPE;
    if (e->bytes != bytes || (bytes && !data)) return CR_ESHAPE;
    if (bytes) memcpy(data, e->data, bytes);
    return CR_OK;
}

void *cr_store_data(cr_store *s, const char *name, cr_dtype *dtype, size_t *bytes) {
    const struct entry *e = find(s, name);
    if (!e) return NULL;
    if (dtype) *dtype = e->dtype;
    if (bytes) *bytes = e->bytes;
    return e->data;
}

const char *cr_store_name(const cr_store *s, int i) {
    return s && i >= 0 && (size_t)i < s->n ? intern_bytes(&s->names, s->entry[i].name) : NULL;
}

const char *cr_store_error(const cr_store *s) { return s && s->error.n ? cr_text_str(&s->error) : NULL; }

cr_status store_fail(cr_store *s, cr_status status, const char *sentence) {
    cr_text_clear(&s->error);
    text_str(&s->error, sentence);
    return status;
}

size_t store_count(const cr_store *s) { return s->n; }

void store_cut(cr_store *s, size_t n) {
    while (s->n > n) {
        const struct entry *e = &s->entry[--s->n];
        mem_free_aligned(&s->mem, e->data, e->bytes);
    }
}
