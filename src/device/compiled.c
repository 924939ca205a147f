/* Files of compiled kernels. Each is a shared library with a trailer: a mark, the key, a sum over all before. It is written under a
 * name of its own, synced, and renamed, so that several processes may do so at once; nothing is loaded that is not ours and whole. */
#define _GNU_SOURCE
#include "device/compiled.h"

#include <stdio.h>
#include <string.h>

#include "device/compiler.h"

#ifdef CR_WITH_COMPILER
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#ifdef __ELF__
#include <link.h>
#endif
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    key_length = 32,
    path_most = compiler_path,
    most_bytes = 1 << 26,
    old_seconds = 3600,
    most_depth = 16
};
static const char mark[] = "\nchainrule kernels\n";
enum { trailer_bytes = sizeof mark - 1 + key_length + 16 };

/* ---- Keys ---- */

/* FNV-1a, 64 bits, and its last mixing (Murmur3's). */
static uint64_t sum_of(uint64_t h, const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 1099511628211u;
    return h;
}
static uint64_t mixed(uint64_t h) {
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

static void make_key(char key[key_length + 1], const struct compiled_wish *w, const char *compiler) {
    char identity[2 * compiler_path];
    uint64_t h[2] = {14695981039346656037u, 0x9E3779B97F4A7C15u};
    compiler_identity(identity, sizeof identity, compiler);
    for (int i = 0; i < 2; i++) {
        h[i] = sum_of(h[i], cr_version(), strlen(cr_version()));
        for (size_t k = 0; compiler_flag(k); k++)
            h[i] = sum_of(h[i], compiler_flag(k), strlen(compiler_flag(k)));
        h[i] = sum_of(h[i], identity, strlen(identity));
        h[i] = mixed(sum_of(h[i], w->source->s, w->source->n));
    }
    snprintf(key, key_length + 1, "%016llx%016llx", (unsigned long long)h[0], (unsigned long long)h[1]);
}

static void make_trailer(char to[trailer_bytes + 1], const char *key, const char *bytes, size_t n) {
    uint64_t h = mixed(sum_of(14695981039346656037u, bytes, n));
    snprintf(to, trailer_bytes + 1, "%s%s%016llx", mark, key, (unsigned long long)h);
}

/* ---- The directory ---- */

static bool is_ours(const struct stat *s) { return s->st_uid == geteuid() && !(s->st_mode & 022); }

static bool usual_directory(char to[path_most]) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (cache && *cache == '/') n = snprintf(to, path_most, "%s", cache);
    else if (home && *home == '/') n = snprintf(to, path_most, "%s/.cache", home);
    if (n < 0 || n + 16 > path_most) return false;
    mkdir(to, 0700);
    strcat(to, "/chainrule");
    return true;
}

static bool open_directory(char to[path_most], const char *wanted, struct cr_text *how) {
    struct stat s;
    if (!wanted && !usual_directory(to)) return text_str(how, "there is no directory for caches"), false;
    if (wanted && snprintf(to, path_most, "%s", wanted) >= path_most)
        return text_str(how, "the path of the cache is too long"), false;
    if (mkdir(to, 0700) && errno != EEXIST)
        return text_add(how, "the cache %s cannot be made: %s", to, strerror(errno)), false;
    if (lstat(to, &s) || !S_ISDIR(s.st_mode)) return text_add(how, "the cache %s is no directory", to), false;
    if (!is_ours(&s)) return text_add(how, "the cache %s is not yours alone to write to", to), false;
    return true;
}

/* A directory and all that is in it: a compiler may have made others there. */
static void remove_directory(const char *path, int depth) {
    char name[path_most + 300];
    struct stat s;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (snprintf(name, sizeof name, "%s/%s", path, e->d_name) >= (int)sizeof name) continue;
        if (depth && lstat(name, &s) == 0 && S_ISDIR(s.st_mode)) remove_directory(name, depth - 1);
        else unlink(name);
    }
    if (d) closedir(d);
    rmdir(path);
}

/* What processes that were killed have left. */
static void sweep(const char *path) {
    char name[path_most + 300];
    struct stat s;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strncmp(e->d_name, "making-", 7) != 0) continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (lstat(name, &s) == 0 && S_ISDIR(s.st_mode) && time(NULL) - s.st_mtime > old_seconds)
            remove_directory(name, most_depth);
    }
    if (d) closedir(d);
}

/* ---- Which files are kept ---- */

/* "0123..f.so", as ours are called. */
static bool is_kept_name(const char *name) {
    return strspn(name, "0123456789abcdef") == key_length && strcmp(name + key_length, ".so") == 0;
}

/* The bytes of all that is kept, and the path of what was used longest ago; what was made just now stays. */
static uint64_t look_over(const char *cache, const char *made, char oldest[path_most + 300]) {
    char name[path_most + 300];
    struct stat s;
    struct timespec then = {0, 0};
    uint64_t bytes = 0;
    DIR *d = opendir(cache);
    *oldest = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!is_kept_name(e->d_name)) continue;
        snprintf(name, sizeof name, "%s/%s", cache, e->d_name);
        if (lstat(name, &s) || !S_ISREG(s.st_mode)) continue;
        bytes += (uint64_t)s.st_size;
        bool older = s.st_mtim.tv_sec < then.tv_sec ||
                     (s.st_mtim.tv_sec == then.tv_sec && s.st_mtim.tv_nsec < then.tv_nsec);
        if (strcmp(name, made) == 0 || (*oldest && !older)) continue;
        then = s.st_mtim;
        strcpy(oldest, name);
    }
    if (d) closedir(d);
    return bytes;
}

/* Another process may do the same: what is gone is gone. One that has a file loaded keeps it. */
static void trim(const char *cache, const char *made, int megabytes) {
    enum { most_removed = 10000 };
    char oldest[path_most + 300];
    for (int i = 0; i < most_removed; i++) {
        if (look_over(cache, made, oldest) <= (uint64_t)megabytes << 20 || !*oldest) return;
        if (unlink(oldest) && errno != ENOENT) return;
    }
}

/* ---- Files ---- */

static bool write_all(int fd, const char *bytes, size_t n) {
    while (n) {
        ssize_t k = write(fd, bytes, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        bytes += k;
        n -= (size_t)k;
    }
    return true;
}

static bool write_file(const char *path, const char *bytes, size_t n, const char *trailer,
                       struct cr_text *how) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, bytes, n) && write_all(fd, trailer, strlen(trailer)) && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && ok) ok = false, error = errno;
    if (!ok) text_add(how, "%s cannot be written: %s", path, strerror(error));
    return ok;
}

/* The bytes of a file that is ours; NULL: it is not there, or not to be trusted. */
static char *read_file(const struct mem *m, const char *path, size_t *n, bool strangers) {
    struct stat s;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    char *bytes = NULL;
    bool good = fd >= 0 && fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && s.st_size > 0 &&
                s.st_size < most_bytes && (strangers || is_ours(&s));
    if (good) bytes = mem_alloc(m, *n = (size_t)s.st_size);
    for (size_t at = 0; bytes && at < *n;) {
        ssize_t k = read(fd, bytes + at, *n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            mem_free(m, bytes, *n);
            bytes = NULL;
        } else at += (size_t)k;
    }
    if (fd >= 0) close(fd);
    return bytes;
}

static bool is_whole(const struct mem *m, const char *path, const char *key) {
    size_t n = 0;
    char trailer[trailer_bytes + 1], *bytes = read_file(m, path, &n, false);
    bool good = bytes && n > trailer_bytes;
    if (good) {
        make_trailer(trailer, key, bytes, n - trailer_bytes);
        good = memcmp(trailer, bytes + n - trailer_bytes, trailer_bytes) == 0;
    }
    if (bytes) mem_free(m, bytes, n);
    return good;
}

/* ---- Loading ---- */

/* Has it all that would be mapped? What lies beyond a file's end ends the process that touches it. */
static bool is_library(const char *bytes, size_t n) {
#ifdef __ELF__
    ElfW(Ehdr) head;
    ElfW(Phdr) part;
    if (n < sizeof head) return false;
    memcpy(&head, bytes, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof part || head.e_phoff > n ||
        (n - head.e_phoff) / sizeof part < head.e_phnum)
        return false;
    for (size_t i = 0; i < head.e_phnum; i++) {
        memcpy(&part, bytes + head.e_phoff + i * sizeof part, sizeof part);
        if (part.p_offset > n || part.p_filesz > n - part.p_offset) return false;
    }
#endif
    return n > 0;
}

static bool load(struct compiled *c, const char *path, const char *key, int64_t steps, struct cr_text *how) {
    const struct kernel_table *(*find)(void);
    c->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!c->library) return text_add(how, "%s", dlerror()), false;
    *(void **)&find = dlsym(c->library, "chainrule_kernels");
    c->kernels = find ? find() : NULL;
    if (c->kernels && strcmp(c->kernels->key, key) == 0 && c->kernels->steps == steps) return true;
    text_str(how, "what the compiler made is not what was asked for");
    compiled_drop(c);
    return false;
}

static bool load_kept(struct compiled *c, const char *path, const char *key, int64_t steps) {
    struct cr_text ignored = text_make(&c->mem);
    bool good = is_whole(&c->mem, path, key) && load(c, path, key, steps, &ignored);
    text_drop(&ignored);
    return good;
}

/* ---- Making ---- */

/* A directory of this process and call. */
static bool work_directory(char to[path_most + 64], const char *cache, struct cr_text *how) {
    sweep(cache);
    for (int i = 0; i < 10000; i++) {
        snprintf(to, path_most + 64, "%s/making-%ld-%d", cache, (long)getpid(), i);
        if (mkdir(to, 0700) == 0) return true;
        if (errno != EEXIST) break;
    }
    text_add(how, "%s cannot be written to: %s", cache, strerror(errno));
    return false;
}

/* Everything in a directory of its own, then into its place at once. */
static bool make_in(const char *work, const char *path, const struct mem *m, const struct compiled_wish *w,
                    const char *compiler, const char *key, struct cr_text *how) {
    char source[path_most + 80], library[path_most + 80], whole[path_most + 80], why[compiler_why] = "";
    snprintf(source, sizeof source, "%s/kernels.c", work);
    snprintf(library, sizeof library, "%s/kernels.so", work);
    snprintf(whole, sizeof whole, "%s/whole.so", work);
    if (!write_file(source, w->source->s, w->source->n, "", how)) return false;
    if (!compiler_run(compiler, work, source, library, key, w->seconds, why))
        return text_str(how, why), false;
    size_t n = 0;
    char trailer[trailer_bytes + 1], *bytes = read_file(m, library, &n, true);
    if (!bytes) return text_add(how, "%s made no library", compiler), false;
    bool ok = is_library(bytes, n);
    if (!ok) text_add(how, "%s made no whole library", compiler);
    make_trailer(trailer, key, bytes, n);
    ok = ok && write_file(whole, bytes, n, trailer, how);
    if (ok && rename(whole, path))
        ok = false, text_add(how, "%s cannot be written: %s", path, strerror(errno));
    mem_free(m, bytes, n);
    return ok;
}

static bool make(const char *cache, const char *path, const struct mem *m, const struct compiled_wish *w,
                 const char *compiler, const char *key, struct cr_text *how) {
    char work[path_most + 64];
    if (!work_directory(work, cache, how)) return false;
    bool ok = make_in(work, path, m, w, compiler, key, how);
    remove_directory(work, most_depth);
    return ok;
}

bool compiled_get(struct compiled *out, const struct mem *mem, const struct compiled_wish *w,
                  struct cr_text *how) {
    char compiler[compiler_path], cache[path_most], path[path_most + 64], key[key_length + 1],
        why[compiler_why] = "";
    *out = (struct compiled){.mem = *mem};
    if (w->source->failed) return text_str(how, "out of memory"), false;
    if (!compiler_find(compiler, w->compiler, why)) return text_str(how, why), false;
    if (!open_directory(cache, w->directory, how)) return false;
    make_key(key, w, compiler);
    snprintf(path, sizeof path, "%s/%s.so", cache, key);
    if (load_kept(out, path, key, w->steps)) {
        utimensat(AT_FDCWD, path, NULL,
                  AT_SYMLINK_NOFOLLOW); /* used now; where that fails it only looks older */
        return text_add(how, "%s, kept in %s", compiler, cache), true;
    }
    if (!make(cache, path, mem, w, compiler, key, how) || !load(out, path, key, w->steps, how)) return false;
    trim(cache, path, w->megabytes);
    text_add(how, "%s, just now", compiler);
    return true;
}

void compiled_drop(struct compiled *c) {
    if (c->library) dlclose(c->library);
    c->library = NULL;
    c->kernels = NULL;
}
#else
bool compiled_get(struct compiled *out, const struct mem *mem, const struct compiled_wish *w,
                  struct cr_text *how) {
    (void)w;
    *out = (struct compiled){.mem = *mem};
    text_str(how, "this library was built without it");
    return false;
}
void compiled_drop(struct compiled *c) { (void)c; }
#endif
