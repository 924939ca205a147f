/* A file written whole or not at all: a new neighbour, flushed to the disk, takes the name. */
#define _XOPEN_SOURCE 700
#include "file/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/context.h"
#include "file/read.h"

enum {
    link_most = 4096 /* PATH_MAX of Linux; longer paths no system opens */,
    name_room = 64,
    write_most = 1 << 30
};

struct writing {
    const char *path; /* as given, for sentences */
    char *place;      /* behind links: what is written; room for link_most bytes */
    char *neighbour;  /* in the same directory */
    const struct piece *pieces;
    int n;
    cr_text *why;
};

static const char *remedy(int error) {
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ": make room, or write elsewhere";
    case EACCES:
    case EPERM:
    case EROFS: return ": write elsewhere, or allow it";
    case ENOENT: return ": make its folder first";
    default: return "";
    }
}

static cr_status refuse_as(const struct writing *w, const char *what, int error) {
    cr_status status = file_fail_errno(w->why, w->path, what, error);
    if (w->why) text_str(w->why, remedy(error));
    return status;
}

static cr_status refuse(const struct writing *w, int error) {
    return refuse_as(w, "cannot be written", error);
}

static bool write_piece(int fd, const char *s, size_t n) {
    while (n) {
        ssize_t done = write(fd, s, n < write_most ? n : write_most);
        if (done < 0 && errno == EINTR) continue;
        if (done == 0) errno = ENOSPC;
        if (done <= 0) return false;
        s += done;
        n -= (size_t)done;
    }
    return true;
}

/* Gives 0 or the error. */
static int write_all(const struct writing *w, int fd) {
    for (int i = 0; i < w->n; i++)
        if (!write_piece(fd, w->pieces[i].data, w->pieces[i].size)) return errno;
    if (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP)
        return 0; /* a pipe, or a file system that cannot */
    return errno;
}

static size_t directory_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* A name of process and time that nobody else has: the next one if somebody does. The kernel applies the
 * umask. */
static int open_neighbour(const struct writing *w) {
    struct timespec now = {0};
    size_t head = directory_length(w->place);
    int fd = -1;
    clock_gettime(CLOCK_REALTIME, &now);
    memcpy(w->neighbour, w->place, head);
    for (long i = 0; i < 100 && fd < 0; i++) {
        snprintf(w->neighbour + head, name_room, ".chainrule-%ld-%lx.tmp", (long)getpid(),
                 (unsigned long)(now.tv_nsec + i));
        fd = open(w->neighbour, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    return fd;
}

/* The directory, so that the new name outlives a power cut; some systems cannot, and then nothing is lost. */
static void sync_directory(const struct writing *w) {
    size_t n = directory_length(w->place);
    memcpy(w->neighbour, w->place, n);
    memcpy(w->neighbour + n, ".", 2);
    int fd = open(w->neighbour, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

/* old: what stands there, or NULL. Its permissions are kept where there are any. */
static cr_status write_neighbour(const struct writing *w, const struct stat *old) {
    int fd = open_neighbour(w);
    bool forbidden = fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS);
    if (forbidden) return refuse_as(w, "cannot be written, its folder takes no new file", errno);
    if (fd < 0) return refuse(w, errno);
    int error = write_all(w, fd);
    if (!error && old && fchmod(fd, old->st_mode & 0777)) error = 0; /* a file system without permissions */
    if (close(fd) && !error) error = errno;
    if (!error && rename(w->neighbour, w->place)) error = errno;
    if (error) {
        unlink(w->neighbour);
        return refuse_as(w, old ? "cannot be written, what was there is kept" : "cannot be written", error);
    }
    sync_directory(w);
    return CR_OK;
}

/* What is no file (a pipe, /dev/stdout) can't be replaced. */
static cr_status write_straight(const struct writing *w) {
    int fd = open(w->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return refuse(w, errno);
    int error = write_all(w, fd);
    if (close(fd) && !error) error = errno;
    return error ? refuse(w, error) : CR_OK;
}

static cr_status write_place(struct writing *w) {
    struct stat st;
    bool there = stat(w->path, &st) == 0;
    if (!*w->path) return file_fail(w->why, CR_EFILE, w->path, "the path is empty");
    if (there && S_ISDIR(st.st_mode))
        return file_fail(w->why, CR_EFILE, w->path, "is a directory, expected a file");
    if (there && !S_ISREG(st.st_mode)) return write_straight(w);
    if (strlen(w->path) >= link_most) return refuse(w, ENAMETOOLONG);
    if (!there) strcpy(w->place, w->path);
    else if (!realpath(w->path, w->place))
        return refuse(w, errno); /* a link stays one: its target is written */
    return write_neighbour(w, there ? &st : NULL);
}

cr_status file_write(const char *path, int n, const struct piece pieces[], const struct mem *mem,
                     cr_text *why) {
    size_t room = 2 * link_most + name_room;
    char *s = mem_alloc(mem, room);
    if (!s) return file_fail(why, CR_ENOMEM, path, "out of memory");
    struct writing w = {path, s, s + link_most, pieces, n, why};
    cr_status status = write_place(&w);
    mem_free(mem, s, room);
    return status;
}

cr_status cr_file_write(const char *path, const void *data, size_t size, cr_context *ctx, cr_text *why) {
    struct mem mem = context_mem(ctx);
    if (!path || (size && !data)) return CR_EINVAL;
    return file_write(path, 1, &(struct piece){data, size}, &mem, why);
}
