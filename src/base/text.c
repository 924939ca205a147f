/* Growing text, and numbers to and from it. */
#include "base/text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"

struct cr_text text_make(const struct mem *m) {
    return (struct cr_text){.mem = *m};
}

void text_drop(struct cr_text *t) {
    mem_free(&t->mem, t->s, t->cap);
    *t = text_make(&t->mem);
}

void text_end(struct cr_text *t, struct cr_text *into) {
    into->failed = into->failed || t->failed;
    text_drop(t);
}

/* Room for n more bytes and the NUL. */
static bool reserve(struct cr_text *t, size_t n) {
    if (t->failed) return false;
    size_t need = mem_add(mem_add(t->n, n), 1);
    if (need <= t->cap) return true;
    size_t cap = t->cap < 32 ? 64 : mem_mul(t->cap, 2);
    if (cap < need) cap = need;
    char *s = mem_resize(&t->mem, t->s, t->cap, cap);
    if (!s) return t->failed = true, false;
    t->s = s;
    t->cap = cap;
    return true;
}

static bool is_within(const struct cr_text *t, const char *s) {
    uintptr_t from = (uintptr_t)s, own = (uintptr_t)t->s;
    return t->s && from >= own && from <= own + t->n;
}

/* s may be within the text itself, which moves as it grows. */
void text_bytes(struct cr_text *t, const char *s, size_t n) {
    if (!t) return;
    bool within = is_within(t, s);
    size_t at = within ? (size_t)(s - t->s) : 0;
    if (!reserve(t, n)) return;
    if (n) memmove(t->s + t->n, within ? t->s + at : s, n);
    t->n += n;
    t->s[t->n] = 0;
}

void text_str(struct cr_text *t, const char *s) { text_bytes(t, s, strlen(s)); }

void text_char(struct cr_text *t, char c) { text_bytes(t, &c, 1); }

void text_add(struct cr_text *t, const char *format, ...) {
    if (!t || t->failed) return;
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n >= 0 && reserve(t, (size_t)n)) {
        vsnprintf(t->s + t->n, (size_t)n + 1, format, again);
        t->n += (size_t)n;
    }
    va_end(again);
}

/* Replaces what the host's locale has for a decimal point. */
static void plain_point(char *s) {
    const char *point = localeconv()->decimal_point;
    char *at = point && strcmp(point, ".") != 0 ? strstr(s, point) : NULL;
    if (!at) return;
    size_t n = strlen(point);
    *at = '.';
    memmove(at + 1, at + n, strlen(at + n) + 1);
}

static void markup(struct cr_text *t, const char *s, size_t n, const char *kept) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '&') text_str(t, "&amp;");
        else if (s[i] == '<') text_str(t, "&lt;");
        else if (s[i] == '>') text_str(t, "&gt;");
        else if (s[i] == '"') text_str(t, "&quot;");
        else text_char(t, (unsigned char)s[i] < 0x20 && (!s[i] || !strchr(kept, s[i])) ? ' ' : s[i]);
    }
}

void text_markup(struct cr_text *t, const char *s, size_t n) { markup(t, s, n, "\n\t"); }
void text_markup_line(struct cr_text *t, const char *s, size_t n) { markup(t, s, n, ""); }

void text_rounded(struct cr_text *t, double value, int digits) {
    char s[64];
    if (isnan(value)) snprintf(s, sizeof s, "nan"); /* nan has no sign worth showing */
    else snprintf(s, sizeof s, "%.*g", digits, value);
    plain_point(s);
    text_str(t, s);
}

static double read_back(const char *s) { return strtod(s, NULL); }

void text_number(struct cr_text *t, double value) {
    char s[64];
    int digits = 15; /* a double holds 15 decimal digits for sure, and needs at most 17 */
    if (isnan(value) || isinf(value)) {
        text_rounded(t, value, 1);
        return;
    }
    do snprintf(s, sizeof s, "%.*g", digits, value);
    while (digits++ < 17 && read_back(s) != value);
    plain_point(s);
    text_str(t, s);
}

void text_number_f32(struct cr_text *t, float value) {
    char s[64];
    int digits = 6; /* a float: 6 for sure, at most 9 */
    if (isnan(value) || isinf(value)) {
        text_rounded(t, (double)value, 1);
        return;
    }
    do snprintf(s, sizeof s, "%.*g", digits, (double)value);
    while (digits++ < 9 && (float)read_back(s) != value);
    plain_point(s);
    text_str(t, s);
}

void text_json(struct cr_text *t, const char *s, const char *also) {
    const char *end = s + strlen(s);
    text_char(t, '"');
    while (s < end) {
        size_t n = text_character(s, end);
        unsigned char c = (unsigned char)*s;
        if (n == 0) text_str(t, "\\ufffd"), n = 1;
        else if (c < 0x20 || c == 0x7f || strchr(also, c)) text_add(t, "\\u%04x", c);
        else if (c == '"' || c == '\\') text_add(t, "\\%c", c);
        else text_bytes(t, s, n);
        s += n;
    }
    text_char(t, '"');
}

cr_status cr_text_json(cr_text *t, const char *s) {
    if (!t || !s) return CR_EINVAL;
    struct cr_text own = text_make(&t->mem); /* of what grows, a copy */
    if (is_within(t, s)) text_str(&own, s);
    text_json(t, own.s ? own.s : s, "");
    text_end(&own, t);
    return text_status(t);
}

void text_dims(struct cr_text *t, int rank, const int64_t dims[]) {
    text_char(t, '[');
    for (int i = 0; i < rank; i++) text_add(t, i ? ", %lld" : "%lld", (long long)dims[i]);
    text_char(t, ']');
}

cr_status text_status(const struct cr_text *t) { return t->failed ? CR_ENOMEM : CR_OK; }

/* The longest text of a number that is worth reading: 17 digits decide but for ties; glibc reads any length.
 */
enum { number_max = 4096 };

/* The length of digits, fraction and exponent at s; 0 if no digit is there. */
static size_t number_length(const char *s, size_t n) {
    size_t i = 0, digits = 0;
    while (i < n && s[i] >= '0' && s[i] <= '9') i++, digits++;
    if (i < n && s[i] == '.')
        for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++) digits++;
    if (!digits) return 0;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        size_t j = i + 1;
        if (j < n && (s[j] == '+' || s[j] == '-')) j++;
        if (j < n && s[j] >= '0' && s[j] <= '9') {
            while (j < n && s[j] >= '0' && s[j] <= '9') j++;
            i = j;
        }
    }
    return i;
}

/* Short numbers without an exponent. With a point, at most 15 digits: a whole number below 2^53 by a power of
 * ten that is a double too, so that one division rounds correctly (Clinger, How to read floating point
 * numbers accurately, 1990). Without one, the conversion of the whole number does. */
static bool short_number(const char *s, size_t n, double *value) {
    static const double power[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int64_t digits = 0;
    const char *point = NULL;
    if (n > 16 || FLT_EVAL_METHOD != 0) return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '.') point = s + i;
        else if (s[i] >= '0' && s[i] <= '9') digits = digits * 10 + (s[i] - '0');
        else return false;
    }
    *value = (double)digits / power[point ? (size_t)(s + n - point - 1) : 0];
    return true;
}

size_t text_parse_number(const char *s, size_t n, double *value) {
    size_t length = number_length(s, n);
    if (length && short_number(s, length, value)) return length;
    const char *point = localeconv()->decimal_point;
    size_t wide = point ? strlen(point) : 1;
    char copy[number_max + 32];
    if (!length || length > number_max || wide > 16) return 0;
    const char *dot = memchr(s, '.', length);
    size_t head = dot ? (size_t)(dot - s) : length;
    memcpy(copy, s, head);
    size_t at = head;
    if (dot) {
        if (point) memcpy(copy + at, point, wide);
        else copy[at] = '.';
        at += wide;
        memcpy(copy + at, dot + 1, length - head - 1);
        at += length - head - 1;
    }
    copy[at] = 0;
    *value = strtod(copy, NULL);
    return length;
}

size_t text_character(const char *p, const char *end) {
    const unsigned char *s = (const unsigned char *)p;
    size_t left = (size_t)(end - p), n = s[0] < 0x80   ? 1
                                         : s[0] < 0xC2 ? 0
                                         : s[0] < 0xE0 ? 2
                                         : s[0] < 0xF0 ? 3
                                         : s[0] < 0xF5 ? 4
                                                       : 0;
    if (n == 0 || n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

cr_status cr_text_new(cr_text **out, cr_context *ctx) {
    if (!out) return CR_EINVAL;
    struct mem m = context_mem(ctx);
    *out = mem_alloc(&m, sizeof **out);
    if (!*out) return CR_ENOMEM;
    **out = text_make(&m);
    return CR_OK;
}

void cr_text_free(cr_text *text) {
    if (!text) return;
    struct mem m = text->mem;
    text_drop(text);
    mem_free(&m, text, sizeof *text);
}

const char *cr_text_str(const cr_text *text) { return text && text->s ? text->s : ""; }

size_t cr_text_size(const cr_text *text) { return text ? text->n : 0; }

void cr_text_clear(cr_text *text) {
    if (!text) return;
    text->n = 0;
    text->failed = false;
    if (text->s) text->s[0] = 0;
}

cr_status cr_text_append(cr_text *text, const char *more) {
    if (!text || !more) return CR_EINVAL;
    text_str(text, more);
    return text_status(text);
}
