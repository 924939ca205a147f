/* gzip (RFC 1952), by zlib. */
#include "file/gzip.h"

#ifdef CR_WITH_ZLIB
#include <zlib.h>
#endif

bool gzip_is(const char *s, size_t n) { return n > 2 && s[0] == '\x1f' && s[1] == '\x8b'; }

#ifdef CR_WITH_ZLIB

struct unpacking {
    struct bytes *in, out;
    uint64_t most;
    const char *path;
    cr_text *why;
    z_stream z;
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

static bool more_room(struct unpacking *u) {
    size_t room = u->out.room ? mem_mul(u->out.room, 2) : 1 << 16;
    char *s = mem_resize(&u->out.mem, u->out.s, u->out.room, room);
    if (!s) return false;
    u->out.s = s;
    u->out.room = room;
    return true;
}

enum { piece_most = 1 << 30 }; /* zlib counts in unsigned int */

static unsigned piece(size_t n) { return n < piece_most ? (unsigned)n : piece_most; }

/* One call of inflate with room for the NUL kept. Gives zlib's code. */
static int inflate_some(struct unpacking *u, size_t *at) {
    unsigned given = piece(u->in->n - *at), room = piece(u->out.room - u->out.n - 1);
    u->z.next_in = (Bytef *)u->in->s + *at;
    u->z.avail_in = given;
    u->z.next_out = (Bytef *)u->out.s + u->out.n;
    u->z.avail_out = room;
    int code = inflate(&u->z, Z_NO_FLUSH);
    *at += given - u->z.avail_in;
    u->out.n += room - u->z.avail_out;
    return code;
}

static cr_status broken(const struct unpacking *u) {
    return file_fail(u->why, CR_EFORMAT, u->path, "the gzip data is broken or cut short: %s",
                     u->z.msg ? u->z.msg : "it ends too early");
}

static cr_status unpack(struct unpacking *u) {
    for (size_t at = 0; at < u->in->n;) {
        if (u->out.n + 1 >= u->out.room && !more_room(u))
            return file_fail(u->why, CR_ENOMEM, u->path, "out of memory for what it unpacks to");
        size_t before = at, had = u->out.n;
        int code = inflate_some(u, &at);
        if (u->out.n > u->most)
            return file_fail(u->why, CR_EFILE, u->path, "unpacks to more than the %llu bytes expected of it",
                             (unsigned long long)u->most);
        if (code == Z_STREAM_END && at < u->in->n && inflateReset(&u->z) == Z_OK &&
            gzip_is(u->in->s + at, u->in->n - at))
            continue; /* the next member */
        if (code == Z_STREAM_END) return CR_OK;
        if (code == Z_MEM_ERROR) return file_fail(u->why, CR_ENOMEM, u->path, "out of memory");
        if ((code != Z_OK && code != Z_BUF_ERROR) || (at == before && u->out.n == had)) return broken(u);
        if (at == u->in->n && u->out.n + 1 < u->out.room) return broken(u);
    }
    return broken(u);
}

cr_status gzip_unpack(struct bytes *b, uint64_t most, const char *path, cr_text *why) {
    struct unpacking u = {.in = b, .out = {.mem = b->mem}, .most = most, .path = path, .why = why};
    u.z.zalloc = zlib_alloc;
    u.z.zfree = zlib_free;
    u.z.opaque = &b->mem;
    if (inflateInit2(&u.z, 16 + MAX_WBITS) != Z_OK) return file_fail(why, CR_ENOMEM, path, "out of memory");
    cr_status status = unpack(&u);
    inflateEnd(&u.z);
    if (status) return file_drop(&u.out), status;
    file_drop(b);
    *b = u.out;
    b->s[b->n] = 0;
    return CR_OK;
}

#else

cr_status gzip_unpack(struct bytes *b, uint64_t most, const char *path, cr_text *why) {
    (void)b, (void)most;
    return file_fail(why, CR_EFORMAT, path,
                     "is gzip, and this library was built without zlib: unpack it first");
}

#endif
