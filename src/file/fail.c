/* Sentences of what is wrong with a file. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "file/read.h"

cr_status file_fail(cr_text *why, cr_status status, const char *path, const char *format, ...) {
    char s[768]; /* the longest sentence shows two texts of `struct shown` */
    va_list ap;
    if (!why) return status;
    va_start(ap, format);
    vsnprintf(s, sizeof s, format, ap);
    va_end(ap);
    cr_text_clear(why); /* of what was said before nothing is left */
    text_add(why, "%s: %s", *path ? path : "''", s);
    return status;
}

cr_status file_fail_errno(cr_text *why, const char *path, const char *what, int error) {
    char reason[256];
    if (strerror_r(error, reason, sizeof reason)) snprintf(reason, sizeof reason, "error %d", error);
    return file_fail(why, CR_EFILE, path, "%s: %s", what, reason);
}

struct shown file_show(const char *s, size_t n) {
    static const char hex[] = "0123456789abcdef";
    struct shown shown;
    const char *end = s + n, *stop = n > 40 ? s + 40 : end;
    char *out = shown.s;
    while (s < stop) {
        size_t wide = text_character(s, end);
        bool plain = wide > 1 || (wide == 1 && (unsigned char)*s >= 0x20 && *s != 0x7f);
        if (plain && wide > (size_t)(stop - s)) break;
        if (plain) memcpy(out, s, wide);
        else memcpy(out, (char[]){'\\', 'x', hex[(unsigned char)*s >> 4], hex[*s & 15]}, 4);
        out += plain ? wide : 4;
        s += plain ? wide : 1;
    }
    memcpy(out, n > 40 ? "..." : "", n > 40 ? 4 : 1);
    return shown;
}

static bool begins(const char *s, size_t n, const char *with, size_t size) {
    return n >= size && memcmp(s, with, size) == 0;
}

const char *file_guess(const char *s, size_t n) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *what;
    } known[] = {
        {"PK\3\4", 4, "a zip archive (npz, xlsx): unpack it, and give the file inside"},
        {"PK\5\6", 4, "an empty zip archive"},
        {"version https://git-lfs", 23, "a git-lfs pointer: fetch the file itself (git lfs pull)"},
        {"\x1f\x8b", 2, "gzip: unpack it"},
        {"\x89HDF", 4, "an HDF5 file"},
        {"\x93NUMPY", 6, "a NumPy npy file"},
        {"\x80\2", 2, "a Python pickle"},
        {"\x80\3", 2, "a Python pickle"},
        {"\x80\4", 2, "a Python pickle"},
        {"\x80\5", 2, "a Python pickle"},
        {"\xff\xfe", 2, "text in UTF-16: save it as UTF-8"},
        {"\xfe\xff", 2, "text in UTF-16: save it as UTF-8"},
        {"%PDF", 4, "a PDF document"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (begins(s, n, known[i].bytes, known[i].size)) return known[i].what;
    while (n && strchr(" \t\r\n", *s) && *s) s++, n--;
    if (begins(s, n, "<!", 2) || begins(s, n, "<html", 5) || begins(s, n, "<HTML", 5) ||
        begins(s, n, "<?xml", 5))
        return "an HTML or XML page: download the file itself";
    return NULL;
}
