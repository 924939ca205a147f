/* IDX, the format of MNIST (LeCun, Cortes, Burges): 0 0 type rank, sizes as big-endian u32, then the numbers, big-endian.
 * Bytes and shorts become i32 as long as nobody asks for another dtype. */
#include "file/idx.h"

#include <string.h>

#include "base/context.h"
#include "file/gzip.h"
#include "tensor/array.h"
#include "tensor/shape.h"

struct kind {
    unsigned char code;
    int size;
    bool is_signed, is_float;
    cr_dtype dtype;
};

static const struct kind kinds[] = {{0x08, 1, false, false, CR_I32}, {0x09, 1, true, false, CR_I32},
                                    {0x0b, 2, true, false, CR_I32},  {0x0c, 4, true, false, CR_I32},
                                    {0x0d, 4, true, true, CR_F32},   {0x0e, 8, true, true, CR_F64}};

static const struct kind *find_kind(unsigned char code) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].code == code) return &kinds[i];
    return NULL;
}

static uint64_t big_endian(const unsigned char *s, int n) {
    uint64_t x = 0;
    for (int i = 0; i < n; i++) x = x << 8 | s[i];
    return x;
}

/* Everything a header says, checked against the bytes that are there. */
static cr_status read_header(const struct bytes *b, const char *path, cr_text *why, const struct kind **kind,
                             struct shape *shape) {
    const unsigned char *s = (const unsigned char *)b->s;
    const char *other = file_guess(b->s, b->n);
    if (other) return file_fail(why, CR_EFORMAT, path, "expected IDX, found %s", other);
    if (b->n < 4 || s[0] || s[1] || !(*kind = find_kind(s[2])))
        return file_fail(why, CR_EFORMAT, path, "expected IDX (0, 0, a type 8 to 14, the rank), found '%s'",
                         file_show(b->s, b->n < 4 ? b->n : 4).s);
    int rank = s[3];
    if (rank > CR_MAX_RANK || b->n < 4 + 4 * (size_t)rank)
        return file_fail(why, CR_EFORMAT, path,
                         rank > CR_MAX_RANK ? "rank %d is above %d" : "its header is cut short", rank,
                         CR_MAX_RANK);
    shape->rank = rank;
    for (int i = 0; i < rank; i++) shape->dim[i] = (int64_t)big_endian(s + 4 + 4 * i, 4);
    int64_t count = shape_count(rank, shape->dim);
    uint64_t have = (b->n - 4 - 4 * (size_t)rank) / (uint64_t)(*kind)->size;
    if (count < 0 || (uint64_t)count > have)
        return file_fail(why, CR_EFORMAT, path,
                         "its header announces %lld numbers, there are %llu: fetch or copy it again",
                         (long long)count, (unsigned long long)have);
    if ((uint64_t)count * (uint64_t)(*kind)->size + 4 + 4 * (uint64_t)rank != b->n)
        return file_fail(why, CR_EFORMAT, path,
                         "there are bytes behind the %lld numbers that its header announces",
                         (long long)count);
    return CR_OK;
}

static void put(const struct kind *k, void *data, int64_t i, const unsigned char *s) {
    uint64_t bits = big_endian(s, k->size),
             sign = k->is_signed && !k->is_float ? UINT64_C(1) << (8 * k->size - 1) : 0;
    uint32_t low = (uint32_t)bits;
    if (k->is_float && k->size == 8) memcpy((double *)data + i, &bits, 8);
    else if (k->is_float) memcpy((float *)data + i, &low, 4);
    else ((int32_t *)data)[i] = (int32_t)(int64_t)((bits ^ sign) - sign);
}

static cr_status parse(cr_array **out, const struct bytes *b, const char *path, cr_text *why) {
    const struct kind *k = NULL;
    struct shape shape = {0};
    cr_status status = read_header(b, path, why, &k, &shape);
    if (status) return status;
    status = array_new(out, &b->mem, k->dtype, shape.rank, shape.dim);
    if (status) return file_fail(why, status, path, "%s", cr_status_text(status));
    const unsigned char *s = (const unsigned char *)b->s + 4 + 4 * shape.rank;
    for (int64_t i = 0; i < cr_array_count(*out); i++) put(k, cr_array_data(*out), i, s + i * k->size);
    return CR_OK;
}

cr_status file_idx_parse(cr_array **out, struct bytes *b, const char *path, cr_text *why) {
    cr_status status = gzip_is(b->s, b->n) ? gzip_unpack(b, FILE_MOST, path, why) : CR_OK;
    *out = NULL;
    return status ? status : parse(out, b, path, why);
}

cr_status cr_idx_load(cr_array **out, const char *path, cr_context *ctx, cr_text *why) {
    struct bytes b;
    struct mem mem = context_mem(ctx);
    if (out) *out = NULL;
    if (!out || !path) return CR_EINVAL;
    cr_status status = file_read(&b, path, FILE_MOST, &mem, why);
    if (!status) status = file_idx_parse(out, &b, path, why);
    file_drop(&b);
    return status;
}
