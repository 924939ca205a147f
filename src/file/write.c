/* A file written whole or not at all. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/context.h"
#include "file/read.h"

static bool write_bytes(int fd, const char *s, size_t n) {
    while (n) {
        ssize_t done = write(fd, s, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        s += done;
        n -= (size_t)done;
    }
    return fsync(fd) == 0 || errno == EINVAL ||
           errno == EROFS; /* what cannot be synchronised is written all the same */
}

/* The directory, so that the new name outlives a power cut. */
static void sync_directory(const char *path, char *room) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    if (n) memcpy(room, path, n);
    memcpy(room + n, ".", 2);
    int fd = open(room, O_RDONLY);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

static cr_status write_neighbour(const char *path, char *temporary, const void *data, size_t size,
                                 cr_text *why) {
    struct stat st;
    int fd = mkstemp(temporary);
    if (fd < 0) return file_fail(why, CR_EFILE, path, "cannot be written: %s", strerror(errno));
    bool ok = write_bytes(fd, data, size);
    int error = errno;
    if (ok)
        ok = fchmod(fd, stat(path, &st) == 0 ? st.st_mode & 0777 : 0644) == 0 ||
             true; /* mkstemp's mode is the owner's alone */
    if (close(fd) != 0 && ok) ok = false, error = errno;
    if (ok && rename(temporary, path) != 0) ok = false, error = errno;
    if (ok) return CR_OK;
    unlink(temporary);
    return file_fail(why, CR_EFILE, path, "cannot be written: %s; what was there stays", strerror(error));
}

/* What is no regular file (a pipe, /dev/stdout) has no neighbour: it is written straight. */
static cr_status write_straight(const char *path, const void *data, size_t size, cr_text *why) {
    int fd = open(path, O_WRONLY);
    bool ok = fd >= 0 && write_bytes(fd, data, size);
    int error = errno;
    if (fd >= 0) close(fd);
    return ok ? CR_OK : file_fail(why, CR_EFILE, path, "cannot be written: %s", strerror(error));
}

cr_status cr_file_write(const char *path, const void *data, size_t size, cr_context *ctx, cr_text *why) {
    struct stat st;
    struct mem mem = context_mem(ctx);
    if (!path || !*path || (size && !data)) return CR_EINVAL;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return file_fail(why, CR_EFILE, path, "is a directory");
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return write_straight(path, data, size, why);
    size_t n = strlen(path), room = n + 16;
    char *temporary = mem_alloc(&mem, room);
    if (!temporary) return file_fail(why, CR_ENOMEM, path, "out of memory");
    memcpy(temporary, path, n);
    memcpy(temporary + n, ".XXXXXX", 8);
    cr_status status = write_neighbour(path, temporary, data, size, why);
    if (!status) sync_directory(path, temporary);
    mem_free(&mem, temporary, room);
    return status;
}
