/* The header of NumPy's npy format, versions 1.0 to 3.0 (numpy/lib/format.py): magic, version, length, and a
 * Python dictionary of three keys, of which exactly what NumPy writes is read. */
#include "file/npy_header.h"

#include <string.h>

struct header {
    struct npy *npy;
    const char *s, *end; /* what is left */
    const char *path;
    cr_text *why;
    bool has_descr, has_order, has_shape;
};

/* ---- Words of the dictionary ---- */

static void blanks(struct header *h) {
    while (h->s < h->end && (*h->s == ' ' || *h->s == '\n' || *h->s == '\t' || *h->s == '\r')) h->s++;
}

static bool at(struct header *h, char c) {
    blanks(h);
    return h->s < h->end && *h->s == c;
}

static bool take(struct header *h, char c) {
    if (!at(h, c)) return false;
    h->s++;
    return true;
}

static bool take_word(struct header *h, const char *word) {
    size_t n = strlen(word);
    blanks(h);
    if ((size_t)(h->end - h->s) < n || memcmp(h->s, word, n) != 0) return false;
    h->s += n;
    return true;
}

static cr_status expected(struct header *h, const char *what) {
    blanks(h);
    if (h->s == h->end)
        return file_fail(h->why, CR_EFORMAT, h->path, "npy header: expected %s, found its end", what);
    struct shown found = file_show(h->s, (size_t)(h->end - h->s));
    return file_fail(h->why, CR_EFORMAT, h->path, "npy header: expected %s, found '%s'", what, found.s);
}

struct word {
    const char *s;
    size_t n;
};

static bool take_string(struct header *h, struct word *w) {
    if (!at(h, '\'') && !at(h, '"')) return false;
    char quote = *h->s;
    const char *s = h->s + 1;
    while (s < h->end && *s != quote && *s != '\\' && *s != '\n') s++;
    if (s == h->end || *s != quote) return false;
    *w = (struct word){h->s + 1, (size_t)(s - h->s - 1)};
    h->s = s + 1;
    return true;
}

static bool is(struct word w, const char *text) { return w.n == strlen(text) && memcmp(w.s, text, w.n) == 0; }

/* Decimal digits up to limit, no sign; Python 2 wrote 10L. */
static bool take_size(struct header *h, int64_t limit, int64_t *size) {
    const char *digits = (blanks(h), h->s);
    for (*size = 0; h->s < h->end && *h->s >= '0' && *h->s <= '9'; h->s++)
        if (*size <= limit) *size = *size * 10 + (*h->s - '0');
    if (h->s == digits || *size > limit) return h->s = digits, false;
    if (h->s < h->end && *h->s == 'L') h->s++;
    return true;
}

/* ---- Its three entries ---- */

static cr_status refuse_dtype(struct header *h, struct word w) {
    static const struct {
        const char *kinds, *what;
    } known[] = {{"O", "objects of Python"}, {"USa", "text"},
                 {"c", "complex numbers"},   {"Mm", "dates or times"},
                 {"V", "unnamed bytes"},     {"biuf", "numbers of a size or byte order unknown here"}};
    const char *what = "something unknown";
    size_t k = w.n && memchr("<>|=", w.s[0], 4);
    for (size_t i = 0; k < w.n && w.s[k] && i < sizeof known / sizeof *known; i++)
        if (strchr(known[i].kinds, w.s[k])) what = known[i].what;
    return file_fail(h->why, CR_EFORMAT, h->path,
                     "npy header: dtype '%s', %s; expected bool (b1), integers (i1 i2 i4 i8 u1 u2 u4 u8) or "
                     "floats (f2 f4 f8): save it as one of these",
                     file_show(w.s, w.n).s, what);
}

static bool known_dtype(char kind, char digit) {
    static const char sizes[][5] = {
        ['b' - 'b'] = "1", ['f' - 'b'] = "248", ['i' - 'b'] = "1248", ['u' - 'b'] = "1248"};
    return kind >= 'b' && kind <= 'u' && digit && strchr(sizes[kind - 'b'], digit);
}

static cr_status read_descr(struct header *h) {
    struct word w;
    h->has_descr = true;
    if (at(h, '[') || at(h, '(') || at(h, '{'))
        return expected(
            h, "one dtype for all numbers, not a structured one with named fields (save each by itself)");
    if (!take_string(h, &w)) return expected(h, "a dtype in quotes");
    if (w.n != 3 || !memchr("<>|", w.s[0], 3) || !known_dtype(w.s[1], w.s[2])) return refuse_dtype(h, w);
    if (w.s[0] == '|' && w.s[2] != '1') return refuse_dtype(h, w); /* no byte order */
    h->npy->order = w.s[0];
    h->npy->kind = w.s[1];
    h->npy->size = w.s[2] - '0';
    return CR_OK;
}

static cr_status read_order(struct header *h) {
    h->has_order = true;
    h->npy->fortran = take_word(h, "True");
    return h->npy->fortran || take_word(h, "False") ? CR_OK : expected(h, "True or False for fortran_order");
}

enum { size_log2 = 56 }; /* as shape_count */

static cr_status read_shape(struct header *h) {
    struct shape *s = &h->npy->shape;
    h->has_shape = true;
    if (!take(h, '(')) return expected(h, "a shape: '('");
    while (!take(h, ')')) {
        if (s->rank == CR_MAX_RANK)
            return file_fail(h->why, CR_EFORMAT, h->path, "npy header: a shape of more than %d axes",
                             CR_MAX_RANK);
        if (at(h, '-')) return expected(h, "a size of the shape that is not negative");
        if (!take_size(h, INT64_C(1) << size_log2, &s->dim[s->rank]))
            return expected(h, "a size of the shape, at most 2^56");
        s->rank++;
        if (!take(h, ',') && (s->rank == 1 || !at(h, ')'))) return expected(h, "',' in the shape");
    }
    h->npy->count = shape_count(s->rank, s->dim);
    if (h->npy->count >= 0) return CR_OK;
    return file_fail(h->why, CR_EFORMAT, h->path,
                     "npy header: the product of the sizes of the shape is beyond 2^56");
}

static cr_status read_entry(struct header *h) {
    struct word key;
    const char *before = (blanks(h), h->s);
    if (!take_string(h, &key)) return expected(h, "a key in quotes");
    if (!take(h, ':')) return expected(h, "':'");
    if (is(key, "descr") && !h->has_descr) return read_descr(h);
    if (is(key, "fortran_order") && !h->has_order) return read_order(h);
    if (is(key, "shape") && !h->has_shape) return read_shape(h);
    return h->s = before, expected(h, "the keys descr, fortran_order and shape, each once");
}

static cr_status missing(const struct header *h) {
    const char *key = !h->has_descr   ? "descr"
                      : !h->has_order ? "fortran_order"
                      : !h->has_shape ? "shape"
                                      : NULL;
    if (!key) return CR_OK;
    return file_fail(h->why, CR_EFORMAT, h->path, "npy header: the key '%s' is missing", key);
}

static cr_status read_dictionary(struct header *h) {
    if (!take(h, '{')) return expected(h, "a dictionary: '{'");
    while (!take(h, '}')) {
        cr_status status = read_entry(h);
        if (status) return status;
        if (!take(h, ',') && !at(h, '}')) return expected(h, "',' or '}'");
    }
    blanks(h);
    return h->s < h->end ? expected(h, "blanks after the dictionary") : missing(h);
}

/* ---- Before it: magic, version, length ---- */

static cr_status no_npy(const char *s, size_t n, const char *path, cr_text *why) {
    const char *guess = file_guess(s, n);
    if (n == 0) return file_fail(why, CR_EFORMAT, path, "is empty, expected an npy file");
    if (guess) return file_fail(why, CR_EFORMAT, path, "is no npy file but %s", guess);
    return file_fail(why, CR_EFORMAT, path, "is no npy file: starts with '%s', expected '\\x93NUMPY'",
                     file_show(s, n < 8 ? n : 8).s);
}

static cr_status cut_off(const char *path, uint64_t need, size_t n, cr_text *why) {
    return file_fail(why, CR_EFORMAT, path, "npy header: %llu bytes long, but the file has only %zu",
                     (unsigned long long)need, n);
}

/* A header of numbers has about 100 bytes; NumPy itself refuses more than 10000 unless told otherwise. */
enum { length_most = 65535 };

cr_status npy_header(struct npy *npy, const char *s, size_t n, const char *path, cr_text *why) {
    const unsigned char *u = (const unsigned char *)s;
    if (n == 0 || memcmp(s, "\x93NUMPY", n < 6 ? n : 6) != 0) return no_npy(s, n, path, why);
    if (n < 10) return cut_off(path, 10, n, why);
    if (u[6] < 1 || u[6] > 3 || u[7] != 0)
        return file_fail(why, CR_EFORMAT, path,
                         "npy version %d.%d, expected 1.0, 2.0 or 3.0: save it by numpy.save", u[6], u[7]);
    size_t head = u[6] == 1 ? 10 : 12;
    if (n < head) return cut_off(path, head, n, why);
    uint64_t length = u[8] | (uint64_t)u[9] << 8;
    if (head == 12) length |= (uint64_t)u[10] << 16 | (uint64_t)u[11] << 24;
    if (length > n - head && (length <= length_most || n < FILE_HEAD))
        return cut_off(path, head + length, n, why);
    if (length > length_most)
        return file_fail(why, CR_EFORMAT, path, "npy header: %llu bytes long, expected at most %d",
                         (unsigned long long)length, length_most);
    *npy = (struct npy){.head = head + (size_t)length};
    struct header h = {.npy = npy, .s = s + head, .end = s + npy->head, .path = path, .why = why};
    return read_dictionary(&h);
}
