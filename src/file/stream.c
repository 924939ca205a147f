/* Bytes one after the other. */
#define _POSIX_C_SOURCE 200809L
#include "file/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- From where ---- */

struct stream stream_of(const char *bytes, size_t n, const char *path, const struct mem *mem, cr_text *why) {
    return (struct stream){.mem = *mem,
                           .path = path,
                           .why = why,
                           .block = (char *)(uintptr_t)(bytes ? bytes : ""), /* only read */
                           .n = n,
                           .ended = true,
                           .most = n,
                           .exact = true,
                           .fd = -1};
}

struct stream stream_from(stream_fn *next, void *user, uint64_t most, const char *path, const struct mem *mem,
                          cr_text *why) {
    return (struct stream){
        .mem = *mem, .path = path, .why = why, .next = next, .user = user, .most = most, .fd = -1};
}

enum { read_most = 1 << 30 }; /* of one call: systems differ beyond 2^31 */

static cr_status read_file(void *user, char *to, size_t n, size_t *got) {
    struct stream *s = user;
    for (;;) {
        ssize_t r = read(s->fd, to, n < read_most ? n : read_most);
        if (r >= 0) return *got = (size_t)r, CR_OK;
        if (errno != EINTR) return file_fail_errno(s->why, s->path, "cannot be read", errno);
    }
}

cr_status stream_open(struct stream *s, const char *path, file_look_fn *look, const struct mem *mem,
                      cr_text *why) {
    struct stat st;
    struct bytes b;
    bool known = stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    int fd = known ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    *s = stream_from(read_file, s, fd < 0 ? 0 : (uint64_t)st.st_size, path, mem, why);
    s->fd = fd;
    s->exact = true;
    if (fd >= 0) return CR_OK;
    cr_status status = file_read_looking(&b, path, FILE_MOST, look, mem, why);
    *s = stream_of(status ? NULL : b.s, status ? 0 : b.n, path, mem, why);
    if (!status) s->whole = b;
    return status;
}

void stream_close(struct stream *s) {
    if (s->fd >= 0) close(s->fd);
    if (s->next) mem_free(&s->mem, s->block, s->room);
    if (s->whole.s) file_drop(&s->whole);
    *s = (struct stream){.fd = -1, .ended = true};
}

/* ---- What it has ---- */

/* As next, for any number of bytes. */
static cr_status read_on(struct stream *s, char *to, size_t n, size_t *got) {
    cr_status status = CR_OK;
    *got = 0;
    while (*got < n && !s->ended && !status) {
        size_t more = 0;
        status = s->next(s->user, to + *got, n - *got, &more);
        s->ended = !status && more == 0;
        *got += more;
    }
    return status;
}

cr_status stream_peek(struct stream *s, size_t n) {
    size_t got, ready = stream_ready(s);
    if (ready >= n || s->ended) return CR_OK;
    if (!s->block) s->room = s->exact && s->most < FILE_HEAD ? (size_t)s->most + 1 : FILE_HEAD;
    if (!s->block && !(s->block = mem_alloc(&s->mem, s->room)))
        return file_fail(s->why, CR_ENOMEM, s->path, "out of memory");
    if (ready) memmove(s->block, s->block + s->at, ready);
    s->at = 0;
    cr_status status = read_on(s, s->block + ready, s->room - ready, &got);
    s->n = ready + got;
    return status;
}

static void taken(struct stream *s, size_t n) { s->most -= n < s->most ? n : s->most; }

void stream_skip(struct stream *s, size_t n) {
    s->at += n;
    taken(s, n);
}

cr_status stream_take(struct stream *s, void *to, size_t n, size_t *got) {
    size_t ready = stream_ready(s), first = ready < n ? ready : n, rest = 0;
    if (first) memcpy(to, stream_head(s), first);
    stream_skip(s, first);
    cr_status status = first < n ? read_on(s, (char *)to + first, n - first, &rest) : CR_OK;
    taken(s, rest);
    *got = first + rest;
    return status;
}

cr_status stream_count(struct stream *s, uint64_t *left) {
    cr_status status = CR_OK;
    *left = s->exact ? s->most : 0;
    while (!s->exact && !status) {
        size_t ready = stream_ready(s);
        *left += ready;
        stream_skip(s, ready);
        status = stream_peek(s, 1);
        if (stream_ready(s) == 0) break;
    }
    return status;
}

cr_status stream_numbers(struct stream *s, int64_t count, int size, stream_number_fn *take, void *user,
                         void *data, int64_t *got) {
    size_t bytes = 0, wide = (size_t)size;
    cr_status status = take ? CR_OK : stream_take(s, data, (size_t)count * wide, &bytes);
    *got = (int64_t)(bytes / wide);
    while (take && *got < count && !status) {
        status = stream_peek(s, wide);
        size_t n = stream_ready(s) / wide;
        if (n == 0) break;
        if (n > (uint64_t)(count - *got)) n = (size_t)(count - *got);
        const unsigned char *from = (const unsigned char *)stream_head(s);
        for (size_t i = 0; i < n && !status; i++) status = take(user, *got + (int64_t)i, from + i * wide);
        stream_skip(s, n * wide);
        *got += (int64_t)n;
    }
    return status;
}
