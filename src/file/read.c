/* A whole file in memory. */
#define _POSIX_C_SOURCE 200809L
#include "file/read.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void file_drop(struct bytes *b) {
    if (b->mapped) munmap(b->s, b->room);
    else mem_free(&b->mem, b->s, b->room);
    *b = (struct bytes){.mem = b->mem};
}

struct reading {
    int fd;
    const char *path;
    uint64_t size, most, enough; /* size: what the system says, 0 if it does not know */
    bool whole;
    cr_text *why;
};

/* Room for n bytes, n > 0. */
static bool reserve(struct bytes *b, uint64_t n) {
    size_t room = (size_t)n;
    if (room != n) return false;
    if (room <= b->room) return true;
    char *s = mem_resize(&b->mem, b->s, b->room, room);
    if (!s) return false;
    b->s = s;
    b->room = room;
    return true;
}

enum {
    read_most = 1 << 30, /* of one call: systems differ beyond 2^31 */
    map_least = 1 << 20
};

/* Reads on until there are n bytes, or all. */
static cr_status fill(struct bytes *b, struct reading *r, uint64_t n) {
    if (!reserve(b, n))
        return file_fail(r->why, CR_ENOMEM, r->path, "out of memory for %llu bytes", (unsigned long long)n);
    while (b->n < n && !r->whole) {
        uint64_t left = n - b->n;
        ssize_t got = read(r->fd, b->s + b->n, left < read_most ? (size_t)left : read_most);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return file_fail_errno(r->why, r->path, "cannot be read", errno);
        r->whole = got == 0;
        b->n += (size_t)got;
    }
    return CR_OK;
}

static cr_status too_large(const struct reading *r) {
    return file_fail(r->why, CR_EFILE, r->path, "holds more than the %llu bytes expected of it",
                     (unsigned long long)r->most);
}

/* How far to read next: one byte beyond the size known or the most allowed, to see whether there is more. */
static uint64_t next_goal(const struct reading *r, uint64_t n) {
    uint64_t goal = r->size >= n ? r->size + 1 : 2 * n;
    if (goal > r->most) goal = r->most + 1;
    return goal > r->enough ? r->enough : goal;
}

/* A large file is not held beside what is made of it, where the host allows that. */
static bool map(struct bytes *b, const struct reading *r) {
    if (!b->mem.map_files || r->size < map_least || r->size > r->most) return false;
    void *s = mmap(NULL, (size_t)r->size, PROT_READ, MAP_PRIVATE, r->fd, 0);
    if (s == MAP_FAILED) return false;
    b->s = s;
    b->n = b->room = (size_t)r->size;
    b->mapped = true;
    return true;
}

static cr_status look_at_mapped(struct bytes *b, struct reading *r, file_look_fn *look) {
    cr_status status = look ? look(b->s, FILE_HEAD, r->path, &r->enough, r->why) : CR_OK;
    if (b->n > r->enough) b->n = (size_t)r->enough;
    return status;
}

static cr_status read_all(struct bytes *b, struct reading *r, file_look_fn *look) {
    if (map(b, r)) return look_at_mapped(b, r, look);
    bool small = r->size && r->size < FILE_HEAD;
    cr_status status = r->size > r->most ? too_large(r) : fill(b, r, small ? r->size + 1 : FILE_HEAD);
    if (!status && look) status = look(b->s, b->n, r->path, &r->enough, r->why);
    while (!status && !r->whole && b->n <= r->most && b->n < r->enough)
        status = fill(b, r, next_goal(r, b->n));
    if (!status && b->n > r->most) status = too_large(r);
    return status;
}

cr_status file_read_looking(struct bytes *out, const char *path, uint64_t most, file_look_fn *look,
                            const struct mem *mem, cr_text *why) {
    struct stat st;
    *out = (struct bytes){.mem = *mem};
    struct reading r = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY),
                        .path = path,
                        .most = most,
                        .enough = UINT64_MAX,
                        .why = why};
    if (r.fd < 0) return file_fail_errno(why, path, "cannot be opened", errno);
    bool known = fstat(r.fd, &st) == 0;
    if (known && S_ISREG(st.st_mode) && st.st_size > 0) r.size = (uint64_t)st.st_size;
    cr_status status = known && S_ISDIR(st.st_mode)
                           ? file_fail(why, CR_EFILE, path, "is a directory, expected a file")
                           : read_all(out, &r, look);
    close(r.fd);
    if (status) file_drop(out);
    return status;
}

cr_status file_read(struct bytes *out, const char *path, uint64_t most, const struct mem *mem, cr_text *why) {
    return file_read_looking(out, path, most, NULL, mem, why);
}
