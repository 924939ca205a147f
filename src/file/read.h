/* A whole file in memory. */
#ifndef FILE_READ_H
#define FILE_READ_H

#include "base/text.h"

struct bytes {
    struct mem mem;
    char *s; /* a NUL stands behind the last */
    size_t n, room;
};

/* CR_EFILE with a sentence for a file that is missing, unreadable, a directory or larger than `most` bytes.
 */
cr_status file_read(struct bytes *out, const char *path, size_t most, const struct mem *mem, cr_text *why);
void file_drop(struct bytes *b);

/* "path: sentence" into why, which may be NULL. Gives the status. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
cr_status
file_fail(cr_text *why, cr_status status, const char *path, const char *format, ...);

#endif
