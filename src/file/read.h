/* A whole file in memory, and the sentences of what can go wrong with it. */
#ifndef FILE_READ_H
#define FILE_READ_H

#include "base/text.h"

struct bytes {
    struct mem mem;
    char *s; /* no NUL behind the last */
    size_t n, room;
    bool
        mapped; /* into memory, all of room: pages of the file, which the system takes back when it needs them */
};

/* The most bytes of any file that is read as a whole: 16 GiB. What has no end (/dev/zero, a pipe) stops
 * there. */
#define FILE_MOST ((uint64_t)16 << 30)

/* Looks at the beginning of a file, at most FILE_HEAD bytes, before memory is taken for the rest: may refuse
 * it, or say how many bytes are enough: the rest is not read. */
typedef cr_status file_look_fn(const char *s, size_t n, const char *path, uint64_t *enough, cr_text *why);
#define FILE_HEAD ((size_t)1 << 17)

/* CR_EFILE with a sentence for a file that is missing, unreadable, a directory or larger than `most` bytes. A
 * pipe is waited for, as by any reader. Memory grows with what has been read, or is taken once for a file of
 * known size. */
cr_status file_read(struct bytes *out, const char *path, uint64_t most, const struct mem *mem, cr_text *why);
/* The same; look may be NULL. */
cr_status file_read_looking(struct bytes *out, const char *path, uint64_t most, file_look_fn *look,
                            const struct mem *mem, cr_text *why);
void file_drop(struct bytes *b);

/* "path: sentence" into why, which may be NULL. Gives the status. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
cr_status
file_fail(cr_text *why, cr_status status, const char *path, const char *format, ...);
/* "path: what: the system's reason for error"; gives CR_EFILE. */
cr_status file_fail_errno(cr_text *why, const char *path, const char *what, int error);

/* Found bytes for a sentence: at most 40, control bytes and what is not UTF-8 as \x1b, cut with "...". */
struct shown {
    char s[40 * 4 + 4];
};
struct shown file_show(const char *s, size_t n);

/* What bytes that belong to another format look like ("a zip archive"), or NULL. */
const char *file_guess(const char *s, size_t n);

#endif
