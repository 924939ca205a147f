/* A whole file in memory, and the sentences of what can go wrong. */
#define _POSIX_C_SOURCE 200809L
#include "file/read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

cr_status file_fail(cr_text *why, cr_status status, const char *path, const char *format, ...) {
    char s[512];
    va_list ap;
    if (!why) return status;
    va_start(ap, format);
    vsnprintf(s, sizeof s, format, ap);
    va_end(ap);
    text_add(why, "%s: %s", path, s);
    return status;
}

void file_drop(struct bytes *b) {
    mem_free(&b->mem, b->s, b->room);
    *b = (struct bytes){.mem = b->mem};
}

static bool reserve(struct bytes *b, size_t room) {
    char *s = mem_resize(&b->mem, b->s, b->room, room);
    if (!s) return false;
    b->s = s;
    b->room = room;
    return true;
}

static cr_status read_all(struct bytes *b, FILE *f, const char *path, size_t most, cr_text *why) {
    for (;;) {
        if (b->room - b->n < 2 && !reserve(b, b->room ? b->room * 2 : 1 << 16))
            return file_fail(why, CR_ENOMEM, path, "out of memory");
        size_t n = fread(b->s + b->n, 1, b->room - b->n - 1, f);
        b->n += n;
        if (b->n > most)
            return file_fail(why, CR_ELIMIT, path, "larger than the %zu bytes expected of such a file", most);
        if (n == 0) break;
    }
    b->s[b->n] = 0;
    return ferror(f) ? file_fail(why, CR_EFILE, path, "cannot be read: %s", strerror(errno)) : CR_OK;
}

cr_status file_read(struct bytes *out, const char *path, size_t most, const struct mem *mem, cr_text *why) {
    struct stat st;
    *out = (struct bytes){.mem = *mem};
    FILE *f = fopen(path, "rb");
    if (!f) return file_fail(why, CR_EFILE, path, "cannot be opened: %s", strerror(errno));
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode))
        return fclose(f), file_fail(why, CR_EFILE, path, "is a directory");
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (uintmax_t)st.st_size > most)
        return fclose(f),
               file_fail(why, CR_ELIMIT, path, "larger than the %zu bytes expected of such a file", most);
    cr_status status = read_all(out, f, path, most, why);
    fclose(f);
    if (status) file_drop(out);
    return status;
}
