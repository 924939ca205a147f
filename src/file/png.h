/* PNG in memory. */
#ifndef FILE_PNG_H
#define FILE_PNG_H

#include "file/read.h"

struct image {
    int64_t height, width;
    bool colour;     /* red, green and blue, one plane after the other; else grey */
    int32_t *sample; /* 0 .. 255: [3, height, width] or [height, width]; mem_free it */
    size_t bytes;
};

bool png_is(const char *s, size_t n);
/* 8 bits a sample or fewer, in sRGB; what is transparent stands before black. `like` may be NULL: else what size and colour it must have. */
cr_status png_read(struct image *out, const struct bytes *b, const struct image *like, const char *path,
                   cr_text *why);

#endif
