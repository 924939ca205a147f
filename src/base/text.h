/* Growing text, and numbers to and from it, the same in every locale. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/mem.h"

struct cr_text {
    struct mem mem;
    char *s; /* ended by NUL, or NULL while empty */
    size_t n, cap;
    bool failed; /* out of memory once: stays, until cleared */
};

struct cr_text text_make(const struct mem *m);
/* Frees a text that was to go into another, which has failed if this one has. */
void text_end(struct cr_text *t, struct cr_text *into);
void text_drop(struct cr_text *t);
void text_bytes(struct cr_text *t, const char *s, size_t n);
void text_str(struct cr_text *t, const char *s);
void text_char(struct cr_text *t, char c);
/* As printf, for strings and integers (%s %d %zu %lld %*s ...): fractions go through text_number. NULL text:
 * nothing. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void text_add(struct cr_text *t, const char *format, ...);
/* The fewest digits that read back as the same double (f32: as the same float): "0.1", "-2", "1e+300", "nan",
 * "inf". */
void text_number(struct cr_text *t, double value);
void text_number_f32(struct cr_text *t, float value);
/* At most `digits` significant digits. */
void text_rounded(struct cr_text *t, double value, int digits);
/* A string of JSON, in quotes: what is no UTF-8 as U+FFFD, and the bytes in `also` by their numbers too ("<>&": the text may
 * stand within <script>). */
void text_json(struct cr_text *t, const char *s, const char *also);
/* Text of HTML, XML and their attributes: signs that mean something there are written out, control characters are
 * blanks, but for ends of lines and tabs. */
void text_markup(struct cr_text *t, const char *s, size_t n);
/* The same on one line: these are blanks as well. */
void text_markup_line(struct cr_text *t, const char *s, size_t n);
/* "[64, 128]". */
void text_dims(struct cr_text *t, int rank, const int64_t dims[]);
cr_status text_status(const struct cr_text *t); /* CR_ENOMEM if it failed */

/* Reads the longest number at s (decimal, fraction, exponent; no sign, no hex, no words) within n bytes.
 * Gives the count of bytes read, 0 if none. Correctly rounded; the decimal point is '.' in every locale. */
size_t text_parse_number(const char *s, size_t n, double *value);

/* The length of the UTF-8 character at p, before end; 0 if it is none (overlong forms and surrogates are
 * none). */
size_t text_character(const char *p, const char *end);

#endif
