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

struct idx {
    const struct kind *kind;
    struct shape shape;
    int64_t count;
    void *data;
};

/* What a header says. */
static cr_status read_header(struct idx *x, const struct stream *in) {
    const unsigned char *s = (const unsigned char *)stream_head(in);
    size_t n = stream_ready(in);
    const char *other = file_guess(stream_head(in), n);
    if (other) return file_fail(in->why, CR_EFORMAT, in->path, "expected IDX, found %s", other);
    if (n < 4 || s[0] || s[1] || !(x->kind = find_kind(s[2])))
        return file_fail(in->why, CR_EFORMAT, in->path,
                         "expected IDX (0, 0, a type 8 to 14, the rank), found '%s'",
                         file_show(stream_head(in), n < 4 ? n : 4).s);
    int rank = x->shape.rank = s[3];
    if (rank > CR_MAX_RANK || n < 4 + 4 * (size_t)rank)
        return file_fail(in->why, CR_EFORMAT, in->path,
                         rank > CR_MAX_RANK ? "rank %d is above %d"
                                            : "its header is cut short: fetch or copy it again",
                         rank, CR_MAX_RANK);
    for (int i = 0; i < rank; i++) x->shape.dim[i] = (int64_t)big_endian(s + 4 + 4 * i, 4);
    x->count = shape_count(rank, x->shape.dim);
    return CR_OK;
}

static cr_status too_few(const struct idx *x, const struct stream *in, uint64_t bytes) {
    return file_fail(in->why, CR_EFORMAT, in->path,
                     "its header announces %lld numbers, there are %llu: fetch or copy it again",
                     (long long)x->count, (unsigned long long)(bytes / (uint64_t)x->kind->size));
}

/* Before memory is taken for them: can there be as many? */
static cr_status check_size(const struct idx *x, struct stream *in) {
    uint64_t bytes = 0;
    if (x->count >= 0 && (uint64_t)x->count <= in->most / (uint64_t)x->kind->size) return CR_OK;
    cr_status status = stream_count(in, &bytes);
    return status ? status : too_few(x, in, bytes);
}

static cr_status put(void *user, int64_t i, const unsigned char *s) {
    const struct idx *x = user;
    const struct kind *k = x->kind;
    uint64_t bits = big_endian(s, k->size),
             sign = k->is_signed && !k->is_float ? UINT64_C(1) << (8 * k->size - 1) : 0;
    uint32_t low = (uint32_t)bits;
    if (k->is_float && k->size == 8) memcpy((double *)x->data + i, &bits, 8);
    else if (k->is_float) memcpy((float *)x->data + i, &low, 4);
    else ((int32_t *)x->data)[i] = (int32_t)(int64_t)((bits ^ sign) - sign);
    return CR_OK;
}

static cr_status read_numbers(struct idx *x, struct stream *in) {
    int64_t got = 0;
    cr_status status = stream_numbers(in, x->count, x->kind->size, put, x, NULL, &got);
    if (!status && got < x->count) status = too_few(x, in, (uint64_t)got * (uint64_t)x->kind->size);
    if (!status) status = stream_peek(in, 1);
    if (status || stream_ready(in) == 0) return status;
    return file_fail(in->why, CR_EFORMAT, in->path,
                     "there are bytes behind the %lld numbers that its header announces: save it anew",
                     (long long)x->count);
}

static cr_status parse(cr_array **out, struct stream *in) {
    struct idx x = {0};
    cr_status status = stream_peek(in, 4 + 4 * 255);
    if (!status) status = read_header(&x, in);
    if (!status) stream_skip(in, 4 + 4 * (size_t)x.shape.rank), status = check_size(&x, in);
    if (status) return status;
    status = array_new(out, &in->mem, x.kind->dtype, x.shape.rank, x.shape.dim);
    if (status) return file_fail(in->why, status, in->path, "%s", cr_status_text(status));
    x.data = cr_array_data(*out);
    status = read_numbers(&x, in);
    if (status) cr_array_free(*out), *out = NULL;
    return status;
}

cr_status file_idx_parse(cr_array **out, struct stream *in) {
    struct stream unpacked;
    *out = NULL;
    cr_status status = stream_peek(in, 3);
    if (status || !gzip_is(stream_head(in), stream_ready(in))) return status ? status : parse(out, in);
    status = gzip_open(&unpacked, in);
    if (!status) status = parse(out, &unpacked);
    gzip_close(&unpacked);
    return status;
}

cr_status cr_idx_load(cr_array **out, const char *path, cr_context *ctx, cr_text *why) {
    struct stream in;
    struct mem mem = context_mem(ctx);
    if (out) *out = NULL;
    if (!out || !path) return CR_EINVAL;
    cr_status status = stream_open(&in, path, NULL, &mem, why);
    if (!status) status = file_idx_parse(out, &in);
    stream_close(&in);
    return status;
}
