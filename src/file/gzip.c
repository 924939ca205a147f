/* gzip (RFC 1952), by zlib, unpacked as it is read. */
#include "file/gzip.h"

#ifdef CR_WITH_ZLIB
#include <zlib.h>
#endif

bool gzip_is(const char *s, size_t n) { return n > 2 && s[0] == '\x1f' && s[1] == '\x8b'; }

#ifdef CR_WITH_ZLIB

struct unpacking {
    struct stream *in;
    struct mem mem;
    z_stream z;
    bool whole; /* the last member has ended */
};

static void *zlib_alloc(void *user, unsigned n, unsigned size) {
    /* zlib frees without a size: it is kept before the block. */
    const struct mem *m = user;
    size_t bytes = mem_add(mem_mul(n, size), 16);
    size_t *block = mem_alloc(m, bytes);
    if (!block) return NULL;
    *block = bytes;
    return (char *)block + 16;
}

static void zlib_free(void *user, void *p) {
    size_t *block = (size_t *)(void *)((char *)p - 16);
    mem_free(user, block, *block);
}

enum { piece_most = 1 << 30 }; /* zlib counts in unsigned int */

static unsigned piece(size_t n) { return n < piece_most ? (unsigned)n : piece_most; }

static cr_status broken(const struct unpacking *u) {
    return file_fail(u->in->why, CR_EFORMAT, u->in->path,
                     "the gzip data is broken or cut short: %s: fetch or copy it again",
                     u->z.msg ? u->z.msg : "it ends too early");
}

/* Behind a member: the next one, or what does not count. */
static cr_status next_member(struct unpacking *u) {
    cr_status status = stream_peek(u->in, 3);
    u->whole = status || !gzip_is(stream_head(u->in), stream_ready(u->in)) || inflateReset(&u->z) != Z_OK;
    return status;
}

/* One call of inflate on what is in the block. */
static cr_status inflate_some(struct unpacking *u, char *to, size_t n, size_t *got) {
    unsigned given = piece(stream_ready(u->in)), room = piece(n);
    u->z.next_in = (Bytef *)(uintptr_t)stream_head(u->in); /* only read */
    u->z.avail_in = given;
    u->z.next_out = (Bytef *)to;
    u->z.avail_out = room;
    int code = inflate(&u->z, Z_NO_FLUSH);
    stream_skip(u->in, given - u->z.avail_in);
    *got = room - u->z.avail_out;
    if (code == Z_STREAM_END) return next_member(u);
    if (code == Z_MEM_ERROR) return file_fail(u->in->why, CR_ENOMEM, u->in->path, "out of memory");
    bool stuck = *got == 0 && u->z.avail_in == given;
    return (code == Z_OK || code == Z_BUF_ERROR) && !stuck ? CR_OK : broken(u);
}

static cr_status next(void *user, char *to, size_t n, size_t *got) {
    struct unpacking *u = user;
    cr_status status = CR_OK;
    for (*got = 0; !status && *got == 0 && !u->whole;) {
        status = stream_peek(u->in, 1);
        if (!status) status = inflate_some(u, to, n, got);
    }
    return status;
}

cr_status gzip_open(struct stream *out, struct stream *in) {
    struct unpacking *u = mem_zero(&in->mem, sizeof *u);
    *out = stream_from(next, u, stream_unpacked(in->most), in->path, &in->mem, in->why);
    if (u) *u = (struct unpacking){.in = in, .mem = in->mem};
    if (u) u->z.zalloc = zlib_alloc, u->z.zfree = zlib_free, u->z.opaque = &u->mem;
    if (u && inflateInit2(&u->z, 16 + MAX_WBITS) == Z_OK) return CR_OK;
    mem_free(&in->mem, u, sizeof *u);
    out->user = NULL;
    return file_fail(in->why, CR_ENOMEM, in->path, "out of memory");
}

void gzip_close(struct stream *s) {
    struct unpacking *u = s->user;
    struct mem m = s->mem;
    stream_close(s);
    if (u) inflateEnd(&u->z), mem_free(&m, u, sizeof *u);
}

#else

cr_status gzip_open(struct stream *out, struct stream *in) {
    *out = stream_of(NULL, 0, in->path, &in->mem, in->why);
    return file_fail(in->why, CR_EFORMAT, in->path,
                     "is gzip, and this library was built without zlib: unpack it first");
}
void gzip_close(struct stream *s) { stream_close(s); }

#endif

static cr_status unpack_all(struct bytes *out, struct stream *in) {
    size_t got = 0, room = FILE_HEAD;
    for (;;) {
        char *s = mem_resize(&out->mem, out->s, out->room, room);
        if (!s) return file_fail(in->why, CR_ENOMEM, in->path, "out of memory for what it unpacks to");
        out->s = s, out->room = room;
        cr_status status = stream_take(in, out->s + out->n, out->room - out->n, &got);
        out->n += got;
        if (status || out->n < out->room) return status;
        if (out->n > FILE_MOST)
            return file_fail(in->why, CR_EFILE, in->path, "unpacks to more than %llu bytes",
                             (unsigned long long)FILE_MOST);
        room = mem_mul(out->room, 2);
    }
}

cr_status gzip_unpack(struct bytes *b, const char *path, cr_text *why) {
    struct stream unpacked, in = stream_of(b->s, b->n, path, &b->mem, why);
    struct bytes out = {.mem = b->mem};
    cr_status status = gzip_open(&unpacked, &in);
    if (!status) status = unpack_all(&out, &unpacked);
    gzip_close(&unpacked);
    if (status) return file_drop(&out), status;
    file_drop(b);
    *b = out;
    return CR_OK;
}
