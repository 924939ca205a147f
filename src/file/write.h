/* A file written whole or not at all, from several pieces. */
#ifndef FILE_WRITE_H
#define FILE_WRITE_H

#include "base/mem.h"

struct piece {
    const void *data;
    size_t size;
};

/* CR_EFILE with a sentence when the system refuses; the file that was there then stays, and nothing beside
 * it. */
cr_status file_write(const char *path, int n, const struct piece pieces[], const struct mem *mem,
                     cr_text *why);

#endif
