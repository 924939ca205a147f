/* NumPy's npy format (numpy/lib/format.py): one array of numbers. */
#include "file/npy.h"

#include <string.h>

#include "base/context.h"
#include "file/npy_header.h"
#include "file/write.h"
#include "tensor/array.h"

static bool little_endian(void) { return *(const unsigned char *)&(const uint16_t){1} == 1; }

/* ---- Reading ---- */

/* Integers that have no dtype here take the narrowest that holds them all. */
static cr_dtype dtype_of(const struct npy *h) {
    if (h->kind == 'b') return CR_BOOL;
    if (h->kind == 'f') return h->size == 2 ? CR_F16 : h->size == 4 ? CR_F32 : CR_F64;
    return h->size < 4 || (h->size == 4 && h->kind == 'i') ? CR_I32 : CR_I64;
}

static uint64_t bits_at(const struct npy *h, const unsigned char *s) {
    uint64_t bits = 0;
    for (int i = 0; i < h->size; i++) bits |= (uint64_t)s[h->order == '>' ? h->size - 1 - i : i] << (8 * i);
    return bits;
}

/* False: a number beyond i64. */
static bool put(const struct npy *h, void *data, cr_dtype dtype, int64_t i, uint64_t bits) {
    uint64_t sign = h->kind == 'i' ? UINT64_C(1) << (8 * h->size - 1) : 0;
    int64_t whole = (int64_t)((bits ^ sign) - sign); /* the sign bit spread upwards */
    switch (dtype) {
    case CR_BOOL: ((uint8_t *)data)[i] = bits != 0; break;
    case CR_F16: ((uint16_t *)data)[i] = (uint16_t)bits; break;
    case CR_F32: memcpy((uint32_t *)data + i, &(uint32_t){(uint32_t)bits}, 4); break;
    case CR_F64: memcpy((uint64_t *)data + i, &bits, 8); break;
    case CR_I32: ((int32_t *)data)[i] = (int32_t)whole; break;
    default: ((int64_t *)data)[i] = whole;
    }
    return h->kind != 'u' || bits <= INT64_MAX;
}

/* Where the next number of the file goes: in Fortran order the first axis runs fastest. */
struct place {
    const struct npy *h;
    int64_t at, index[CR_MAX_RANK], stride[CR_MAX_RANK];
};

static void step(struct place *p) {
    if (!p->h->fortran) {
        p->at++;
        return;
    }
    for (int k = 0; k < p->h->shape.rank; k++) {
        p->at += p->stride[k];
        if (++p->index[k] < p->h->shape.dim[k]) return;
        p->at -= p->stride[k] * p->h->shape.dim[k];
        p->index[k] = 0;
    }
}

static bool plain(const struct npy *h) {
    bool one_axis = h->shape.rank < 2;
    bool same = h->kind == 'f' || (h->kind == 'i' && h->size >= 4);
    return same && (!h->fortran || one_axis) && h->order == (little_endian() ? '<' : '>');
}

struct numbers {
    struct place place;
    cr_dtype dtype;
    void *data;
    const struct stream *in;
};

static cr_status put_next(void *user, int64_t i, const unsigned char *s) {
    struct numbers *n = user;
    uint64_t bits = bits_at(n->place.h, s);
    bool fits = put(n->place.h, n->data, n->dtype, n->place.at, bits);
    step(&n->place);
    if (fits) return CR_OK;
    return file_fail(
        n->in->why, CR_EFORMAT, n->in->path,
        "number %lld is %llu (dtype u8), expected at most %lld, which i64 holds: save it as i8 or f8",
        (long long)i, (unsigned long long)bits, (long long)INT64_MAX);
}

static cr_status too_few(const struct npy *h, const struct stream *in, uint64_t n) {
    return file_fail(in->why, CR_EFORMAT, in->path,
                     "cut off: the header announces %lld numbers of %d bytes, %llu bytes, and %llu "
                     "follow it: fetch or copy it again",
                     (long long)h->count, h->size, (unsigned long long)h->count * (unsigned long long)h->size,
                     (unsigned long long)n);
}

static cr_status too_many(const struct npy *h, const struct stream *in) {
    return file_fail(in->why, CR_EFORMAT, in->path,
                     "more than one array: the header announces %lld numbers of %d bytes, %llu bytes, and "
                     "more follow it",
                     (long long)h->count, h->size,
                     (unsigned long long)h->count * (unsigned long long)h->size);
}

/* Before memory is taken for them: can there be as many? */
static cr_status check_size(const struct npy *h, struct stream *in) {
    uint64_t n, need = (uint64_t)h->count * (uint64_t)h->size;
    if (need < in->most && in->exact) return too_many(h, in);
    if (need <= in->most) return CR_OK;
    cr_status status = stream_count(in, &n);
    return status ? status : too_few(h, in, n);
}

static cr_status read_numbers(const struct npy *h, cr_array *a, struct stream *in) {
    struct numbers n = {.place = {.h = h}, .dtype = cr_array_dtype(a), .data = cr_array_data(a), .in = in};
    int64_t got = 0;
    shape_strides(&h->shape, n.place.stride);
    cr_status status = stream_numbers(in, h->count, h->size, plain(h) ? NULL : put_next, &n, n.data, &got);
    if (!status && got < h->count) return too_few(h, in, (uint64_t)got * (uint64_t)h->size);
    if (!status) status = stream_peek(in, 1);
    return status || stream_ready(in) == 0 ? status : too_many(h, in);
}

cr_status file_npy_parse(cr_array **out, struct stream *in) {
    struct npy h;
    *out = NULL;
    cr_status status = stream_peek(in, FILE_HEAD);
    if (!status) status = npy_header(&h, stream_head(in), stream_ready(in), in->path, in->why);
    if (!status) stream_skip(in, h.head), status = check_size(&h, in);
    if (status) return status;
    status = array_new(out, &in->mem, dtype_of(&h), h.shape.rank, h.shape.dim);
    if (status) return file_fail(in->why, status, in->path, "%s", cr_status_text(status));
    status = read_numbers(&h, *out, in);
    if (status) cr_array_free(*out), *out = NULL;
    return status;
}

/* Of a pipe: what the header announces is enough, and a byte more, to see that there is one. */
static cr_status look(const char *s, size_t n, const char *path, uint64_t *enough, cr_text *why) {
    struct npy h;
    cr_status status = npy_header(&h, s, n, path, why);
    if (!status) *enough = h.head + (uint64_t)h.count * (uint64_t)h.size + 1;
    return status;
}

cr_status cr_npy_load(cr_array **out, const char *path, cr_context *ctx, cr_text *why) {
    struct stream in;
    struct mem mem = context_mem(ctx);
    if (out) *out = NULL;
    if (!out || !path) return CR_EINVAL;
    cr_status status = stream_open(&in, path, look, &mem, why);
    if (!status) status = file_npy_parse(out, &in);
    stream_close(&in);
    return status;
}

/* ---- Writing ---- */

/* Version 1.0, row-major; the numbers start at a multiple of 64. Little-endian, but as they are on a machine
 * that is not. */
static void write_header(struct cr_text *t, const cr_array *a) {
    static const char *const descr[] = {[CR_BOOL] = "b1", [CR_I32] = "i4", [CR_I64] = "i8",
                                        [CR_F16] = "f2",  [CR_F32] = "f4", [CR_F64] = "f8"};
    const char *order = cr_array_dtype(a) == CR_BOOL ? "|" : little_endian() ? "<" : ">";
    int rank = cr_array_rank(a);
    text_bytes(t, "\x93NUMPY\1\0..", 10);
    text_add(t, "{'descr': '%s%s', 'fortran_order': False, 'shape': (", order, descr[cr_array_dtype(a)]);
    for (int i = 0; i < rank; i++) text_add(t, i ? ", %lld" : "%lld", (long long)cr_array_dims(a)[i]);
    text_str(t, rank == 1 ? ",), }" : "), }");
    while ((t->n + 1) % 64 && !t->failed) text_char(t, ' ');
    text_char(t, '\n');
    if (!t->failed) t->s[8] = (char)((t->n - 10) & 0xff), t->s[9] = (char)((t->n - 10) >> 8);
}

/* NumPy has no bf16: it is saved as f32, which holds each of its numbers. */
static cr_status save_wide(const char *path, const cr_array *a, cr_text *why) {
    cr_array *wide = NULL;
    cr_status status = cr_array_cast(&wide, a, CR_F32);
    if (!status) status = cr_npy_save(path, wide, why);
    else file_fail(why, status, path, "%s", cr_status_text(status));
    cr_array_free(wide);
    return status;
}

cr_status cr_npy_save(const char *path, const cr_array *a, cr_text *why) {
    struct mem mem = context_mem(NULL);
    if (!path || !a) return CR_EINVAL;
    if (cr_array_dtype(a) == CR_BF16) return save_wide(path, a, why);
    struct cr_text t = text_make(&mem);
    write_header(&t, a);
    const void *data = cr_array_data((cr_array *)a); /* only read */
    cr_status status =
        t.failed ? file_fail(why, CR_ENOMEM, path, "out of memory")
                 : file_write(path, 2, (struct piece[]){{t.s, t.n}, {data, cr_array_bytes(a)}}, &mem, why);
    text_drop(&t);
    return status;
}
