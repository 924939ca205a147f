/* NumPy's npy format, versions 1.0 to 3.0 (numpy/lib/format.py): one array of numbers. */
#include "file/npy.h"

#include <string.h>

#include "base/context.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

struct npy {
    const char *s, *end; /* what is left of the header */
    const char *path;
    cr_text *why;
    char order, kind; /* '<' '>' '|' '=', then 'b' 'i' 'u' 'f' */
    int size;
    bool fortran, has_descr, has_order, has_shape;
    struct shape shape;
};

static cr_status bad(const struct npy *h, const char *what) {
    return file_fail(h->why, CR_EFORMAT, h->path, "npy header: %s", what);
}

/* ---- The header: a Python dictionary with three keys ---- */

static void blanks(struct npy *h) {
    while (h->s < h->end && (*h->s == ' ' || *h->s == '\n' || *h->s == '\t' || *h->s == '\r')) h->s++;
}

static bool take(struct npy *h, char c) {
    blanks(h);
    if (h->s >= h->end || *h->s != c) return false;
    h->s++;
    return true;
}

static bool read_string(struct npy *h, const char **s, size_t *n) {
    blanks(h);
    if (h->s >= h->end || (*h->s != '\'' && *h->s != '"')) return false;
    char quote = *h->s++;
    *s = h->s;
    while (h->s < h->end && *h->s != quote && *h->s != '\\') h->s++;
    *n = (size_t)(h->s - *s);
    return take(h, quote);
}

static cr_status read_descr(struct npy *h) {
    const char *s;
    size_t n;
    if (!read_string(h, &s, &n))
        return bad(h, "a dtype that is no plain number: structured arrays are not read");
    h->has_descr = true;
    if (n == 3 && strchr("<>|=", s[0]) && strchr("biuf", s[1]) && strchr("1248", s[2])) {
        h->order = s[0];
        h->kind = s[1];
        h->size = s[2] - '0';
        bool known = s[1] == 'b' ? h->size == 1 : s[1] == 'f' ? h->size >= 2 : true;
        if (known) return CR_OK;
    }
    if (n && strchr("|O", s[0]) && memchr(s, 'O', n))
        return bad(h, "an array of Python objects: save numbers");
    return file_fail(
        h->why, CR_EDTYPE, h->path,
        "dtype '%.*s' is not read: expected bool, integers of 1 to 8 bytes, or floats of 2, 4 or 8",
        n > 30 ? 30 : (int)n, s);
}

static cr_status read_order(struct npy *h) {
    blanks(h);
    size_t left = (size_t)(h->end - h->s);
    h->has_order = true;
    if (left >= 4 && memcmp(h->s, "True", 4) == 0) return h->fortran = true, h->s += 4, CR_OK;
    if (left >= 5 && memcmp(h->s, "False", 5) == 0) return h->s += 5, CR_OK;
    return bad(h, "fortran_order: expected True or False");
}

static cr_status read_shape(struct npy *h) {
    h->has_shape = true;
    if (!take(h, '(')) return bad(h, "shape: expected a tuple");
    while (!take(h, ')')) {
        double size;
        blanks(h);
        size_t n = text_parse_number(h->s, (size_t)(h->end - h->s), &size);
        if (!n || size != (double)(int64_t)(size < 0x1p56 ? size : 0) || memchr(h->s, '.', n))
            return bad(h, "shape: expected sizes below 2^56");
        if (h->shape.rank == CR_MAX_RANK) return bad(h, "shape: more axes than are supported");
        h->shape.dim[h->shape.rank++] = (int64_t)size;
        h->s += n;
        if (h->s < h->end && *h->s == 'L') h->s++; /* Python 2 */
        if (!take(h, ',') && (blanks(h), h->s >= h->end || *h->s != ')'))
            return bad(h, "shape: expected ',' or ')'");
    }
    return CR_OK;
}

static cr_status read_pair(struct npy *h) {
    const char *s;
    size_t n;
    if (!read_string(h, &s, &n) || !take(h, ':')) return bad(h, "expected a key and ':'");
    if (n == 5 && memcmp(s, "descr", 5) == 0 && !h->has_descr) return read_descr(h);
    if (n == 13 && memcmp(s, "fortran_order", 13) == 0 && !h->has_order) return read_order(h);
    if (n == 5 && memcmp(s, "shape", 5) == 0 && !h->has_shape) return read_shape(h);
    return bad(h, "a key other than descr, fortran_order and shape, or one given twice");
}

static cr_status read_header(struct npy *h) {
    if (!take(h, '{')) return bad(h, "expected a dictionary");
    while (!take(h, '}')) {
        cr_status status = read_pair(h);
        if (status) return status;
        if (!take(h, ',') && (blanks(h), h->s >= h->end || *h->s != '}'))
            return bad(h, "expected ',' or '}'");
    }
    return h->has_descr && h->has_order && h->has_shape ? CR_OK
                                                        : bad(h, "descr, fortran_order or shape is missing");
}

/* ---- The numbers ---- */

static uint64_t raw_at(const struct npy *h, const unsigned char *s) {
    uint64_t bits = 0;
    for (int i = 0; i < h->size; i++) bits |= (uint64_t)s[h->order == '>' ? h->size - 1 - i : i] << (8 * i);
    return bits;
}

static cr_dtype dtype_of(const struct npy *h) {
    if (h->kind == 'b') return CR_BOOL;
    if (h->kind == 'f') return h->size == 2 ? CR_F16 : h->size == 4 ? CR_F32 : CR_F64;
    return h->size < 4 || (h->size == 4 && h->kind == 'i') ? CR_I32 : CR_I64;
}

static bool put(const struct npy *h, void *data, cr_dtype dtype, int64_t i, uint64_t bits) {
    int shift = 64 - 8 * h->size;
    uint32_t word = (uint32_t)bits;
    uint16_t half = (uint16_t)bits;
    if (dtype == CR_BOOL) ((uint8_t *)data)[i] = bits != 0;
    else if (dtype == CR_F16) memcpy((uint16_t *)data + i, &half, 2);
    else if (dtype == CR_F32) memcpy((uint32_t *)data + i, &word, 4);
    else if (dtype == CR_F64) memcpy((uint64_t *)data + i, &bits, 8);
    else {
        if (h->kind == 'u' && bits > INT64_MAX) return false;
        uint64_t sign = h->kind == 'i' ? UINT64_C(1) << (63 - shift)
                                       : 0; /* sign extension without a shift of a negative */
        int64_t v = (int64_t)((bits ^ sign) - sign);
        if (dtype == CR_I64) ((int64_t *)data)[i] = v;
        else ((int32_t *)data)[i] = (int32_t)v;
    }
    return true;
}

/* In Fortran order the first axis runs fastest. */
static int64_t place(const struct npy *h, int64_t i) {
    int64_t at = 0, stride[CR_MAX_RANK];
    if (!h->fortran) return i;
    shape_strides(&h->shape, stride);
    for (int k = 0; k < h->shape.rank; k++) {
        at += i % h->shape.dim[k] * stride[k];
        i /= h->shape.dim[k];
    }
    return at;
}

static cr_status read_numbers(const struct npy *h, cr_array **out, const char *s, size_t n, cr_context *ctx) {
    int64_t count = shape_count(h->shape.rank, h->shape.dim);
    if (count < 0) return bad(h, "a shape whose size overflows");
    if ((uint64_t)count * (uint64_t)h->size != n)
        return file_fail(h->why, CR_EFORMAT, h->path,
                         "the header announces %lld bytes of numbers, the file has %lld",
                         (long long)(count * h->size), (long long)n);
    cr_status status = cr_array_new(out, ctx, dtype_of(h), h->shape.rank, h->shape.dim);
    if (status) return file_fail(h->why, status, h->path, "%s", cr_status_text(status));
    for (int64_t i = 0; i < count; i++)
        if (!put(h, cr_array_data(*out), dtype_of(h), place(h, i),
                 raw_at(h, (const unsigned char *)s + i * h->size))) {
            cr_array_free(*out);
            *out = NULL;
            return file_fail(h->why, CR_EFORMAT, h->path,
                             "an unsigned number at element %lld does not fit i64", (long long)i);
        }
    return CR_OK;
}

static cr_status no_npy(const char *s, size_t n, const char *path, cr_text *why) {
    const char *what = n == 0                                  ? "it is empty"
                       : n >= 4 && memcmp(s, "PK\3\4", 4) == 0 ? "it is a zip archive (npz): unpack it"
                       : n >= 8 && memcmp(s, "version ", 8) == 0
                           ? "it is a git-lfs pointer: fetch the file itself"
                       : n >= 1 && *s == '<' ? "it looks like HTML or XML"
                                             : "it does not start with \\x93NUMPY";
    return file_fail(why, CR_EFORMAT, path, "this is no npy file: %s", what);
}

cr_status file_npy_parse(cr_array **out, const char *s, size_t n, const char *path, cr_context *ctx,
                         cr_text *why) {
    const unsigned char *u = (const unsigned char *)s;
    *out = NULL;
    if (n < 10 || memcmp(s, "\x93NUMPY", 6) != 0) return no_npy(s, n, path, why);
    size_t head = u[6] == 1 ? 10 : 12, length = u[6] == 1 ? (size_t)u[8] | (size_t)u[9] << 8 : 0;
    if (u[6] < 1 || u[6] > 3) return file_fail(why, CR_EFORMAT, path, "npy version %d is not known", u[6]);
    if (u[6] > 1 && n >= 12)
        length = (size_t)u[8] | (size_t)u[9] << 8 | (size_t)u[10] << 16 | (size_t)u[11] << 24;
    if (n < head || length > n - head)
        return file_fail(why, CR_EFORMAT, path, "npy header: %zu bytes announced, %zu there", length,
                         n < head ? 0 : n - head);
    struct npy h = {.s = s + head, .end = s + head + length, .path = path, .why = why};
    cr_status status = read_header(&h);
    return status ? status : read_numbers(&h, out, s + head + length, n - head - length, ctx);
}

cr_status cr_npy_load(cr_array **out, const char *path, cr_context *ctx, cr_text *why) {
    struct bytes b;
    struct mem mem = context_mem(ctx);
    if (out) *out = NULL;
    if (!out || !path) return CR_EINVAL;
    cr_status status = file_read(&b, path, (size_t)16 << 30, &mem, why);
    if (status) return status;
    status = file_npy_parse(out, b.s, b.n, path, ctx, why);
    file_drop(&b);
    return status;
}

/* Version 1.0, row-major, little-endian; bf16, which NumPy lacks, as f32. The data start at a multiple of 64.
 */
cr_status cr_npy_save(const char *path, const cr_array *a, cr_text *why) {
    static const char *const descr[] = {[CR_BOOL] = "|b1", [CR_I32] = "<i4", [CR_I64] = "<i8",
                                        [CR_F16] = "<f2",  [CR_F32] = "<f4", [CR_F64] = "<f8"};
    if (!path || !a) return CR_EINVAL;
    if (cr_array_dtype(a) == CR_BF16) {
        cr_array *wide = NULL;
        cr_status status = cr_array_cast(&wide, a, CR_F32);
        if (!status) status = cr_npy_save(path, wide, why);
        return cr_array_free(wide), status;
    }
    struct mem mem = context_mem(NULL);
    struct cr_text t = text_make(&mem);
    text_bytes(&t, "\x93NUMPY\1\0..", 10);
    text_add(&t, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr[cr_array_dtype(a)]);
    for (int i = 0; i < cr_array_rank(a); i++) text_add(&t, "%lld, ", (long long)cr_array_dims(a)[i]);
    text_str(&t, "), }");
    while ((t.n + 1) % 64 && !t.failed) text_char(&t, ' ');
    text_char(&t, '\n');
    if (!t.failed) t.s[8] = (char)((t.n - 10) & 0xff), t.s[9] = (char)((t.n - 10) >> 8);
    union {
        const cr_array *from;
        cr_array *to;
    } same = {a}; /* only read */
    text_bytes(&t, cr_array_data(same.to), cr_array_bytes(a));
    cr_status status = t.failed ? file_fail(why, CR_ENOMEM, path, "out of memory")
                                : cr_file_write(path, t.s, t.n, NULL, why);
    text_drop(&t);
    return status;
}
