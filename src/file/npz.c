/* npz (numpy.savez): npy files in a zip archive, stored or deflated, read by libzip. No size that the archive states is believed. */
#define _POSIX_C_SOURCE 200809L
#include "file/npz.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/context.h"
#include "file/npy.h"

#ifdef CR_WITH_LIBZIP
#include "file/zip.h"

struct member {
    char *name;
    size_t name_bytes;
    zip_uint64_t index;
};

struct npz {
    struct mem mem;
    cr_context *ctx;
    struct zip_library lib;
    zip_t *zip;
    char *path;
    uint64_t size; /* of the archive */
    struct member *member;
    size_t members, cap;
};

/* ---- The archive and its list ---- */

static cr_status say(const struct zip_library *lib, cr_text *why, cr_status status, const char *path,
                     const char *what, zip_error_t *error) {
    int code = lib->error_code_zip(error), system = lib->error_code_system(error);
    if (code == ZIP_ER_NOENT) return file_fail_errno(why, path, "cannot be opened", ENOENT);
    if (code == ZIP_ER_OPEN || code == ZIP_ER_READ)
        return file_fail_errno(why, path, "cannot be read", system);
    if (code == ZIP_ER_MEMORY) status = CR_ENOMEM;
    return file_fail(why, status, path, "%s: %s%s", what, lib->error_strerror(error),
                     status == CR_EFORMAT ? ": fetch or save it anew" : "");
}

static zip_t *open_zip(const struct zip_library *lib, const char *path, const struct bytes *b,
                       zip_error_t *error) {
    zip_source_t *source =
        b ? lib->source_buffer_create(b->s, b->n, 0, error) : lib->source_file_create(path, 0, -1, error);
    zip_t *zip = source ? lib->open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, error) : NULL;
    if (!zip && source) lib->source_free(source);
    return zip;
}

static char *copy(const struct mem *m, const char *s, size_t n) {
    char *to = mem_alloc(m, n + 1);
    if (to) memcpy(to, s, n), to[n] = 0;
    return to;
}

static cr_status add_member(struct npz *z, const char *whole, zip_uint64_t index, cr_text *why) {
    size_t n = whole ? strlen(whole) : 0;
    if (n < 4 || strcmp(whole + n - 4, ".npy") != 0) return CR_OK; /* none of the arrays */
    n -= 4;
    for (size_t i = 0; i < z->members; i++)
        if (strlen(z->member[i].name) == n && memcmp(z->member[i].name, whole, n) == 0)
            return file_fail(why, CR_EFORMAT, z->path, "two arrays are called '%s'", file_show(whole, n).s);
    if (!mem_grow(&z->mem, &z->member, &z->cap, z->members, sizeof *z->member)) return CR_ENOMEM;
    struct member *m = &z->member[z->members];
    *m = (struct member){copy(&z->mem, whole, n), n + 1, index};
    if (!m->name) return CR_ENOMEM;
    z->members++;
    return CR_OK;
}

/* Names are compared with each other: beyond this many it is no archive of arrays. */
enum { most_members = 4096 };

static cr_status list(struct npz *z, cr_text *why) {
    zip_int64_t n = z->lib.get_num_entries(z->zip, 0);
    if (n > most_members)
        return file_fail(why, CR_EFORMAT, z->path, "holds %lld files, expected at most %d arrays",
                         (long long)n, most_members);
    for (zip_int64_t i = 0; i < n; i++) {
        cr_status status =
            add_member(z, z->lib.get_name(z->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW), (zip_uint64_t)i, why);
        if (status) return status;
    }
    return z->members ? CR_OK
                      : file_fail(why, CR_EFORMAT, z->path,
                                  "is a zip archive without an array: expected .npy files in it");
}

static cr_status fill(struct npz *z, const char *path, const struct bytes *bytes, cr_text *why) {
    zip_error_t error;
    struct stat st;
    z->path = copy(&z->mem, path, strlen(path));
    if (!z->path) return CR_ENOMEM;
    if (!zip_library_open(&z->lib))
        return file_fail(why, CR_EFORMAT, path,
                         "is a zip archive (npz), and libzip (%s) is not on this machine: unpack it first",
                         CR_LIBZIP_NAME);
    z->size = bytes ? bytes->n : stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    z->lib.error_init(&error);
    z->zip = open_zip(&z->lib, path, bytes, &error);
    cr_status status =
        z->zip ? list(z, why)
               : say(&z->lib, why, CR_EFORMAT, path, "cannot be read as a zip archive (npz)", &error);
    z->lib.error_fini(&error);
    return status;
}

cr_status npz_open(struct npz **out, const char *path, const struct bytes *bytes, cr_context *ctx,
                   cr_text *why) {
    struct mem m = context_mem(ctx);
    struct npz *z = *out = mem_zero(&m, sizeof *z);
    cr_status status = CR_ENOMEM;
    if (z) z->mem = m, z->ctx = ctx, status = fill(z, path, bytes, why);
    if (status == CR_ENOMEM) file_fail(why, status, path, "out of memory");
    if (status) npz_close(z), *out = NULL;
    return status;
}

void npz_close(struct npz *z) {
    if (!z) return;
    struct mem m = z->mem;
    if (z->zip) z->lib.discard(z->zip);
    zip_library_close(&z->lib);
    for (size_t i = 0; i < z->members; i++) mem_free(&m, z->member[i].name, z->member[i].name_bytes);
    mem_free(&m, z->member, z->cap * sizeof *z->member);
    mem_free(&m, z->path, z->path ? strlen(z->path) + 1 : 0);
    mem_free(&m, z, sizeof *z);
}

const char *npz_name(const struct npz *z, int i) {
    return z && i >= 0 && (size_t)i < z->members ? z->member[i].name : NULL;
}

/* ---- One array ---- */

struct unpacking {
    const struct zip_library *lib;
    zip_file_t *file;
    const char *path; /* "file.npz: x" */
    cr_text *why;
};

static cr_status next(void *user, char *to, size_t n, size_t *got) {
    struct unpacking *u = user;
    zip_int64_t r = u->lib->fread(u->file, to, n);
    if (r < 0)
        return say(u->lib, u->why, CR_EFORMAT, u->path, "cannot be unpacked",
                   u->lib->file_get_error(u->file));
    *got = (size_t)r;
    return CR_OK;
}

/* The most bytes that a member may have: none has more packed ones than the archive. */
static cr_status most_of(uint64_t *most, struct npz *z, const struct member *m, const char *path,
                         cr_text *why) {
    zip_stat_t st;
    if (z->lib.stat_index(z->zip, m->index, 0, &st))
        return say(&z->lib, why, CR_EFORMAT, path, "cannot be unpacked", z->lib.get_error(z->zip));
    if (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE)
        return file_fail(why, CR_EFORMAT, path,
                         "is packed by method %d of zip, expected stored or deflated, as numpy.savez has it",
                         (int)st.comp_method);
    *most = stream_unpacked(z->size);
    return CR_OK;
}

static cr_status read_member(cr_array **out, struct npz *z, const struct member *m, const char *path,
                             cr_text *why) {
    uint64_t most = 0;
    cr_status status = most_of(&most, z, m, path, why);
    if (status) return status;
    struct unpacking u = {&z->lib, z->lib.fopen_index(z->zip, m->index, 0), path, why};
    if (!u.file) return say(&z->lib, why, CR_EFORMAT, path, "cannot be unpacked", z->lib.get_error(z->zip));
    struct stream in = stream_from(next, &u, most, path, &z->mem, why);
    status = file_npy_parse(out, &in);
    stream_close(&in);
    z->lib.fclose(u.file);
    return status;
}

cr_status npz_array(cr_array **out, struct npz *z, int i, cr_text *why) {
    struct cr_text path = text_make(&z->mem);
    *out = NULL;
    text_add(&path, "%s: %s", z->path, file_show(z->member[i].name, strlen(z->member[i].name)).s);
    size_t said = why ? why->n : 0;
    cr_status status = path.failed ? CR_ENOMEM : read_member(out, z, &z->member[i], cr_text_str(&path), why);
    if (status == CR_ENOMEM && why && why->n == said) file_fail(why, status, z->path, "out of memory");
    text_drop(&path);
    return status;
}

#else

cr_status npz_open(struct npz **out, const char *path, const struct bytes *bytes, cr_context *ctx,
                   cr_text *why) {
    (void)bytes, (void)ctx;
    *out = NULL;
    return file_fail(why, CR_EFORMAT, path,
                     "is a zip archive (npz), and this library was built without libzip: unpack it first");
}
void npz_close(struct npz *z) { (void)z; }
const char *npz_name(const struct npz *z, int i) { return (void)z, (void)i, NULL; }
cr_status npz_array(cr_array **out, struct npz *z, int i, cr_text *why) {
    (void)z, (void)i, (void)why;
    *out = NULL;
    return CR_EFORMAT;
}

#endif
