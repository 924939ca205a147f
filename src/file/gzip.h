/* gzip, through zlib where the library was built with it. */
#ifndef FILE_GZIP_H
#define FILE_GZIP_H

#include "file/read.h"

/* Is it a gzip member? */
bool gzip_is(const char *s, size_t n);
/* All members of b unpacked in place of the packed bytes. `most`: the bytes that its content may have. */
cr_status gzip_unpack(struct bytes *b, uint64_t most, const char *path, cr_text *why);

#endif
