/* safetensors (github.com/huggingface/safetensors, "Format"): the length of a JSON header as little-endian u64, the header,
 * the numbers. A store is written and read as one. The JSON is jansson's, where the library was built with it. */
#include "file/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "file/write.h"
#include "run/store.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

#ifdef CR_WITH_JANSSON
#include <jansson.h>

/* The header may have at most so many bytes: the specification's limit. */
#define HEADER_MOST 100000000u

/* Integers that have no dtype here take the narrowest that holds them all. */
struct kind {
    const char *name;
    int size;
    char sort; /* i, u, f, b (bfloat), t (truth) */
    cr_dtype dtype;
};

static const struct kind kinds[] = {
    {"BOOL", 1, 't', CR_BOOL}, {"I32", 4, 'i', CR_I32}, {"I64", 8, 'i', CR_I64}, {"F16", 2, 'f', CR_F16},
    {"BF16", 2, 'b', CR_BF16}, {"F32", 4, 'f', CR_F32}, {"F64", 8, 'f', CR_F64}, {"U8", 1, 'u', CR_I32},
    {"I8", 1, 'i', CR_I32},    {"I16", 2, 'i', CR_I32}, {"U16", 2, 'u', CR_I32}, {"U32", 4, 'u', CR_I64},
    {"U64", 8, 'u', CR_I64},
};

static const struct kind *find_kind(const char *name) {
    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

/* Its own dtype's row. */
static const struct kind *kind_of(cr_dtype dtype) {
    size_t i = 0;
    while (kinds[i].dtype != dtype) i++;
    return &kinds[i];
}

static uint64_t little_endian(const char *s, int n) {
    uint64_t x = 0;
    for (int i = n; i-- > 0;) x = x << 8 | (unsigned char)s[i];
    return x;
}

/* ---- Reading ---- */

struct entry {
    const char *name; /* in the JSON */
    const struct kind *kind;
    struct shape shape;
    uint64_t begin, end; /* in the numbers */
};

struct loading {
    const char *path;
    cr_text *why;
    struct mem mem;
    const struct bytes *file;
    json_t *header;
    const char *numbers;
    uint64_t size; /* of the numbers */
    struct entry *entry;
    size_t n, room;
};

static cr_status bad(const struct loading *l, const char *name, const char *what) {
    return file_fail(l->why, CR_EFORMAT, l->path, "safetensors: '%s': %s%s", file_show(name, strlen(name)).s,
                     what, strstr(what, "fetch") ? "" : ": fetch or save it anew");
}

/* What the first bytes tell, before memory is taken for the rest. */
static cr_status check_start(const char *s, size_t n, const char *path, cr_text *why) {
    const char *other = file_guess(s, n);
    if (other) return file_fail(why, CR_EFORMAT, path, "expected safetensors, found %s", other);
    if (n < 8)
        return file_fail(why, CR_EFORMAT, path,
                         "expected safetensors, found %zu bytes: fetch or copy it again", n);
    uint64_t length = little_endian(s, 8);
    if (length > HEADER_MOST)
        return file_fail(
            why, CR_EFORMAT, path,
            "expected safetensors: its header would have %llu bytes, more than %u: fetch or save it "
            "anew",
            (unsigned long long)length, HEADER_MOST);
    if (length >= 2 && (n < 9 || s[8] == '{')) return CR_OK;
    return file_fail(why, CR_EFORMAT, path, "expected safetensors: its header does not begin with '{'");
}

static cr_status look(const char *s, size_t n, const char *path, uint64_t *enough, cr_text *why) {
    return (void)enough, check_start(s, n, path, why);
}

static cr_status read_header(struct loading *l) {
    const struct bytes *b = l->file;
    json_error_t error;
    cr_status status = check_start(b->s, b->n, l->path, l->why);
    if (status) return status;
    uint64_t n = little_endian(b->s, 8);
    if (n > b->n - 8)
        return file_fail(l->why, CR_EFORMAT, l->path,
                         "is cut short: its header has %llu bytes: fetch or copy it again",
                         (unsigned long long)n);
    l->header = json_loadb(b->s + 8, (size_t)n, JSON_REJECT_DUPLICATES, &error);
    if (!l->header)
        return file_fail(l->why, CR_EFORMAT, l->path,
                         "the JSON of its header: %s, line %d, column %d: fetch or save it anew", error.text,
                         error.line, error.column);
    if (!json_is_object(l->header))
        return file_fail(l->why, CR_EFORMAT, l->path, "its header is no JSON object");
    l->numbers = b->s + 8 + n;
    l->size = b->n - 8 - n;
    return CR_OK;
}

static cr_status read_metadata(const struct loading *l, const json_t *map) {
    const char *key;
    const json_t *text;
    if (!json_is_object(map)) return bad(l, "__metadata__", "expected an object of texts");
    for (void *i = json_object_iter((json_t *)(uintptr_t)map); i;
         i = json_object_iter_next((json_t *)(uintptr_t)map, i)) {
        key = json_object_iter_key(i);
        text = json_object_iter_value(i);
        if (!json_is_string(text)) return bad(l, key, "metadata must be text: expected a string in quotes");
    }
    return CR_OK;
}

static bool natural(const json_t *x) { return json_is_integer(x) && json_integer_value(x) >= 0; }

static cr_status read_shape(const struct loading *l, struct entry *e, const json_t *shape) {
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape)) return bad(l, e->name, "expected a shape");
    if (rank > CR_MAX_RANK) return bad(l, e->name, "its rank is above 16");
    e->shape.rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!natural(size)) return bad(l, e->name, "a size is an integer that is not negative");
        e->shape.dim[i] = json_integer_value(size);
    }
    return CR_OK;
}

static cr_status bad_dtype(const struct loading *l, const char *name, const char *found) {
    char what[300];
    size_t n = (size_t)snprintf(what, sizeof what, "dtype '%s', expected", file_show(found, strlen(found)).s);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        n += (size_t)snprintf(what + n, sizeof what - n, " %s", kinds[i].name);
    return bad(l, name, what);
}

static cr_status read_entry(const struct loading *l, struct entry *e, const json_t *o) {
    const json_t *dtype = json_object_get(o, "dtype"), *at = json_object_get(o, "data_offsets");
    if (!json_is_object(o) || json_object_size(o) != 3 || !json_is_string(dtype))
        return bad(l, e->name, "expected dtype, shape and data_offsets");
    e->kind = find_kind(json_string_value(dtype));
    if (!e->kind) return bad_dtype(l, e->name, json_string_value(dtype));
    cr_status status = read_shape(l, e, json_object_get(o, "shape"));
    if (status) return status;
    if (!json_is_array(at) || json_array_size(at) != 2 || !natural(json_array_get(at, 0)) ||
        !natural(json_array_get(at, 1)))
        return bad(l, e->name, "data_offsets are two integers that are not negative");
    e->begin = (uint64_t)json_integer_value(json_array_get(at, 0));
    e->end = (uint64_t)json_integer_value(json_array_get(at, 1));
    int64_t count = shape_count(e->shape.rank, e->shape.dim);
    char found[160];
    if (count < 0) return bad(l, e->name, "the product of the sizes of its shape is beyond 2^56");
    snprintf(found, sizeof found, "data_offsets [%llu, %llu] of %llu bytes of numbers: %s",
             (unsigned long long)e->begin, (unsigned long long)e->end, (unsigned long long)l->size,
             e->begin > e->end ? "the first must not be the greater"
                               : "the file is cut short: fetch or copy it again");
    if (e->begin > e->end || e->end > l->size) return bad(l, e->name, found);
    if ((uint64_t)count > (UINT64_MAX >> 4) || e->end - e->begin != (uint64_t)count * (uint64_t)e->kind->size)
        return bad(l, e->name, "its shape and its data_offsets do not fit");
    return CR_OK;
}

static cr_status read_entries(struct loading *l) {
    l->room = json_object_size(l->header);
    l->entry = mem_zero(&l->mem, mem_mul(l->room, sizeof *l->entry));
    if (!l->entry) return file_fail(l->why, CR_ENOMEM, l->path, "out of memory");
    cr_status status = CR_OK;
    for (void *i = json_object_iter(l->header); i && !status; i = json_object_iter_next(l->header, i)) {
        const char *name = json_object_iter_key(i);
        const json_t *value = json_object_iter_value(i);
        if (strcmp(name, "__metadata__") == 0) status = read_metadata(l, value);
        else {
            l->entry[l->n].name = name;
            status = *name ? read_entry(l, &l->entry[l->n], value) : bad(l, name, "a name must not be empty");
            l->n += !status;
        }
    }
    return status;
}

static int by_place(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The numbers of all tensors, one behind the other, are all that there is. */
static cr_status check_places(struct loading *l) {
    uint64_t at = 0;
    if (l->n) qsort(l->entry, l->n, sizeof *l->entry, by_place);
    for (size_t i = 0; i < l->n; i++) {
        char found[120];
        snprintf(found, sizeof found,
                 "its numbers begin at byte %llu, expected %llu, where those before end: %s",
                 (unsigned long long)l->entry[i].begin, (unsigned long long)at,
                 l->entry[i].begin < at ? "they overlap" : "there is a hole");
        if (l->entry[i].begin != at) return bad(l, l->entry[i].name, found);
        at = l->entry[i].end;
    }
    if (at == l->size) return CR_OK;
    return file_fail(l->why, CR_EFORMAT, l->path,
                     "there are %llu bytes that belong to no tensor: fetch or save it anew",
                     (unsigned long long)(l->size - at));
}

/* An integer of any width as i64. */
static int64_t widen(const struct kind *k, uint64_t bits) {
    uint64_t sign = k->sort == 'i' ? UINT64_C(1) << (8 * k->size - 1) : 0;
    return (int64_t)((bits ^ sign) - sign);
}

static void copy_numbers(const struct loading *l, const struct entry *e, void *data) {
    const char *s = l->numbers + e->begin;
    int64_t count = shape_count(e->shape.rank, e->shape.dim);
    for (int64_t i = 0; i < count; i++, s += e->kind->size) {
        uint64_t bits = little_endian(s, e->kind->size);
        if (e->kind->sort == 'u' || e->kind->sort == 'i') {
            if (e->kind->dtype == CR_I32) ((int32_t *)data)[i] = (int32_t)widen(e->kind, bits);
            else ((int64_t *)data)[i] = widen(e->kind, bits);
        } else if (e->kind->size == 1) ((uint8_t *)data)[i] = bits != 0;
        else if (e->kind->size == 2) ((uint16_t *)data)[i] = (uint16_t)bits;
        else if (e->kind->size == 4) ((uint32_t *)data)[i] = (uint32_t)bits;
        else ((uint64_t *)data)[i] = bits;
    }
}

static size_t bytes_of(const struct entry *e) {
    return (size_t)shape_count(e->shape.rank, e->shape.dim) * cr_dtype_size(e->kind->dtype);
}

/* Do all whole numbers fit in i64? Asked before any tensor is changed. */
static cr_status check_numbers(const struct loading *l) {
    for (size_t i = 0; i < l->n; i++) {
        const struct entry *e = &l->entry[i];
        if (e->kind->sort != 'u' || e->kind->size < 8) continue;
        for (const char *s = l->numbers + e->begin; s < l->numbers + e->end; s += e->kind->size)
            if (little_endian(s, e->kind->size) > INT64_MAX) return bad(l, e->name, "a number beyond i64");
    }
    return CR_OK;
}

/* What the store has already keeps dtype and size: asked of all before any is changed. */
static cr_status check_store(const struct loading *l, cr_store *store) {
    for (size_t i = 0; i < l->n; i++) {
        cr_dtype dtype;
        size_t bytes;
        const struct entry *e = &l->entry[i];
        if (!cr_store_data(store, e->name, &dtype, &bytes)) continue;
        if (dtype != e->kind->dtype)
            return file_fail(l->why, CR_EDTYPE, l->path, "'%s': expected %s, found %s", e->name,
                             cr_dtype_name(dtype), cr_dtype_name(e->kind->dtype));
        if (bytes != bytes_of(e))
            return file_fail(l->why, CR_ESHAPE, l->path, "'%s': expected %zu bytes, found %zu", e->name,
                             bytes, bytes_of(e));
    }
    return CR_OK;
}

static cr_status set_entry(const struct entry *e, cr_store *store) {
    return cr_store_set_tensor(store, e->name, e->kind->dtype, e->shape.rank, e->shape.dim, NULL);
}

/* Memory for what is new comes first: nothing else can fail. */
static cr_status fill_store(const struct loading *l, cr_store *store) {
    size_t before = store_count(store);
    cr_status status = CR_OK;
    for (size_t i = 0; i < l->n && !status; i++)
        if (!cr_store_data(store, l->entry[i].name, NULL, NULL)) status = set_entry(&l->entry[i], store);
    if (status) {
        store_cut(store, before);
        return file_fail(l->why, status, l->path, "%s", cr_status_text(status));
    }
    for (size_t i = 0; i < l->n; i++) {
        set_entry(&l->entry[i], store); /* its shape */
        copy_numbers(l, &l->entry[i], cr_store_data(store, l->entry[i].name, NULL, NULL));
    }
    return CR_OK;
}

cr_status file_safetensors_parse(cr_store *store, const struct bytes *b, const char *path, cr_text *why) {
    struct loading l = {.path = path, .why = why, .mem = b->mem, .file = b};
    cr_status status = read_header(&l);
    if (!status) status = read_entries(&l);
    if (!status) status = check_places(&l);
    if (!status) status = check_numbers(&l);
    if (!status) status = check_store(&l, store);
    if (!status) status = fill_store(&l, store);
    mem_free(&l.mem, l.entry, l.room * sizeof *l.entry);
    json_decref(l.header);
    return status;
}

/* ---- Writing ---- */

struct saving {
    const char *path;
    cr_text *why;
    struct mem mem;
    const cr_store *store;
    cr_store_choose_fn *choose;
    void *user;
    json_t *header;
    struct piece *piece; /* the header, then the numbers */
    cr_array **array;    /* copies: what is saved does not change meanwhile */
    size_t n, room;
    uint64_t size;
};

static cr_status no_memory(const struct saving *s) {
    return file_fail(s->why, CR_ENOMEM, s->path, "out of memory");
}

static json_t *describe(const struct saving *s, const cr_array *a) {
    json_t *shape = json_array();
    for (int i = 0; i < cr_array_rank(a); i++)
        json_array_append_new(shape, json_integer(cr_array_dims(a)[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", kind_of(cr_array_dtype(a))->name, "shape", shape,
                     "data_offsets", (json_int_t)s->size, (json_int_t)(s->size + cr_array_bytes(a)));
}

static cr_status add_tensor(struct saving *s, const char *name, const char *as) {
    cr_array *a = NULL;
    if (cr_store_array(&a, s->store, name)) return no_memory(s);
    s->array[s->n] = a;
    s->piece[++s->n] = (struct piece){cr_array_data(a), cr_array_bytes(a)};
    if (json_object_get(s->header, as))
        return file_fail(s->why, CR_ENAME, s->path, "two tensors would be called '%s'", as);
    if (json_object_set_new(s->header, as, describe(s, a)))
        return file_fail(s->why, CR_ENAME, s->path, "a name that is not UTF-8, or no memory: '%s'",
                         file_show(as, strlen(as)).s);
    s->size += cr_array_bytes(a);
    return CR_OK;
}

/* The widest numbers first, so that all are aligned. */
static cr_status add_tensors(struct saving *s) {
    cr_status status = CR_OK;
    for (size_t size = 8; size > 0; size /= 2)
        for (int i = 0; cr_store_name(s->store, i) && !status; i++) {
            const char *name = cr_store_name(s->store, i), *as = s->choose ? s->choose(s->user, name) : name;
            cr_dtype dtype = CR_F64;
            cr_store_data((cr_store *)(uintptr_t)s->store, name, &dtype, NULL); /* only read */
            if (as && cr_dtype_size(dtype) == size) status = add_tensor(s, name, as);
        }
    return status;
}

static cr_status write_header(struct saving *s, struct cr_text *t) {
    char length[8];
    char *json = json_dumps(s->header, JSON_COMPACT | JSON_ENSURE_ASCII);
    size_t n = json ? strlen(json) : 0, padded = (n + 7) & ~(size_t)7;
    for (int i = 0; i < 8; i++) length[i] = (char)(padded >> (8 * i) & 0xff);
    text_bytes(t, length, 8);
    text_str(t, json ? json : "");
    for (size_t i = n; i < padded; i++) text_char(t, ' ');
    bool ok = json && !t->failed;
    free(json);
    return ok ? CR_OK : no_memory(s);
}

cr_status cr_store_save(const char *path, const cr_store *store, cr_store_choose_fn *choose, void *user,
                        cr_context *ctx, cr_text *why) {
    if (!path || !store) return CR_EINVAL;
    struct saving s = {
        .path = path, .why = why, .mem = context_mem(ctx), .store = store, .choose = choose, .user = user};
    while (cr_store_name(store, (int)s.room)) s.room++;
    struct cr_text t = text_make(&s.mem);
    s.header = json_object();
    s.piece = mem_zero(&s.mem, mem_mul(s.room + 1, sizeof *s.piece));
    s.array = mem_zero(&s.mem, mem_mul(s.room, sizeof *s.array));
    cr_status status = s.header && s.piece && s.array ? add_tensors(&s) : no_memory(&s);
    if (!status) status = write_header(&s, &t);
    if (!status) {
        s.piece[0] = (struct piece){t.s, t.n};
        status = file_write(path, (int)s.n + 1, s.piece, &s.mem, why);
    }
    for (size_t i = 0; i < s.n; i++) cr_array_free(s.array[i]);
    mem_free(&s.mem, s.piece, (s.room + 1) * sizeof *s.piece);
    mem_free(&s.mem, s.array, s.room * sizeof *s.array);
    json_decref(s.header);
    text_drop(&t);
    return status;
}

#else

static file_look_fn *const look = NULL;

static cr_status without(const char *path, cr_text *why) {
    return file_fail(why, CR_EFORMAT, path, "this library was built without jansson, which safetensors need");
}

cr_status file_safetensors_parse(cr_store *store, const struct bytes *b, const char *path, cr_text *why) {
    (void)store, (void)b;
    return without(path, why);
}

cr_status cr_store_save(const char *path, const cr_store *store, cr_store_choose_fn *choose, void *user,
                        cr_context *ctx, cr_text *why) {
    (void)choose, (void)user, (void)ctx;
    return store && path ? without(path, why) : CR_EINVAL;
}

#endif

cr_status cr_store_load(cr_store *store, const char *path, cr_context *ctx, cr_text *why) {
    struct bytes b;
    struct mem mem = context_mem(ctx);
    if (!store || !path) return CR_EINVAL;
    cr_status status = file_read_looking(&b, path, FILE_MOST, look, &mem, why);
    if (!status) status = file_safetensors_parse(store, &b, path, why);
    file_drop(&b);
    return status;
}
