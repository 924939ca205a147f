/* gzip, through zlib where the library was built with it. */
#ifndef FILE_GZIP_H
#define FILE_GZIP_H

#include "file/stream.h"

/* Is it a gzip member? */
bool gzip_is(const char *s, size_t n);
/* What all members of `in` unpack to, as a stream; in is borrowed. */
cr_status gzip_open(struct stream *out, struct stream *in);
void gzip_close(struct stream *s);
/* b unpacked in place of the packed bytes. */
cr_status gzip_unpack(struct bytes *b, const char *path, cr_text *why);

#endif
