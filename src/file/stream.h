/* Bytes one after the other: of a file, of what gzip or zip unpacks to, or of memory. Nothing as large as the whole is held. */
#ifndef FILE_STREAM_H
#define FILE_STREAM_H

#include "file/read.h"

/* Up to n further bytes; *got is 0 at the end alone. */
typedef cr_status stream_fn(void *user, char *to, size_t n, size_t *got);

struct stream {
    struct mem mem;
    const char *path; /* for sentences */
    cr_text *why;
    stream_fn *next; /* NULL: all is in the block */
    void *user;
    char *block; /* read, but not taken: from `at` to n */
    size_t at, n, room;
    bool ended;
    uint64_t most; /* what is not taken yet has at most so many bytes ... */
    bool exact;    /* ... or as many */
    int fd;        /* of a file; -1 */
    struct bytes whole;
};

/* A file; a pipe, whose size nobody knows, is read as a whole first, as far as look says. */
cr_status stream_open(struct stream *s, const char *path, file_look_fn *look, const struct mem *mem,
                      cr_text *why);
struct stream stream_of(const char *bytes, size_t n, const char *path, const struct mem *mem, cr_text *why);
struct stream stream_from(stream_fn *next, void *user, uint64_t most, const char *path, const struct mem *mem,
                          cr_text *why);
void stream_close(struct stream *s);
/* What so many packed bytes may unpack to: deflate makes at most 1032 bytes of one (zlib.net, "Technical Details"). */
static inline uint64_t stream_unpacked(uint64_t packed) {
    return packed < FILE_MOST ? packed * 1032 : FILE_MOST;
}

/* At least n bytes, at most FILE_HEAD, are in the block, unless it ends before. */
cr_status stream_peek(struct stream *s, size_t n);
static inline const char *stream_head(const struct stream *s) { return s->block + s->at; }
static inline size_t stream_ready(const struct stream *s) { return s->n - s->at; }
/* Takes what is in the block. */
void stream_skip(struct stream *s, size_t n);
/* *got is less than n only where it ends. */
cr_status stream_take(struct stream *s, void *to, size_t n, size_t *got);
/* How many bytes are left, which are passed over. */
cr_status stream_count(struct stream *s, uint64_t *left);

/* The numbers of `size` bytes, one by one or, where take is NULL, as they are, to data. *got: those that there were. */
typedef cr_status stream_number_fn(void *user, int64_t i, const unsigned char *s);
cr_status stream_numbers(struct stream *s, int64_t count, int size, stream_number_fn *take, void *user,
                         void *data, int64_t *got);

#endif
