/* npz (numpy.savez): npy files in a zip archive, stored or deflated, read by libzip. No size that the archive states is believed: memory
 * grows with what has been unpacked, as far as the npy header within says. */
#include "file/npz.h"

#include <errno.h>
#include <string.h>

#include "base/context.h"
#include "file/npy.h"

#ifdef CR_WITH_LIBZIP
#include <zip.h>

struct member {
    char *name;
    size_t name_bytes;
    zip_uint64_t index;
};

struct npz {
    struct mem mem;
    cr_context *ctx;
    zip_t *zip;
    char *path;
    struct member *member;
    size_t members, cap;
};

/* ---- The archive and its list ---- */

static cr_status say(cr_text *why, cr_status status, const char *path, const char *what, zip_error_t *error) {
    int code = zip_error_code_zip(error), system = zip_error_code_system(error);
    if (code == ZIP_ER_NOENT) return file_fail_errno(why, path, "cannot be opened", ENOENT);
    if (code == ZIP_ER_OPEN || code == ZIP_ER_READ)
        return file_fail_errno(why, path, "cannot be read", system);
    if (code == ZIP_ER_MEMORY) status = CR_ENOMEM;
    return file_fail(why, status, path, "%s: %s", what, zip_error_strerror(error));
}

static zip_t *open_zip(const char *path, const struct bytes *b, zip_error_t *error) {
    zip_source_t *source =
        b ? zip_source_buffer_create(b->s, b->n, 0, error) : zip_source_file_create(path, 0, -1, error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, error) : NULL;
    if (!zip && source) zip_source_free(source);
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
    zip_int64_t n = zip_get_num_entries(z->zip, 0);
    if (n > most_members)
        return file_fail(why, CR_EFORMAT, z->path, "holds %lld files, expected at most %d arrays",
                         (long long)n, most_members);
    for (zip_int64_t i = 0; i < n; i++) {
        cr_status status =
            add_member(z, zip_get_name(z->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW), (zip_uint64_t)i, why);
        if (status) return status;
    }
    return z->members ? CR_OK
                      : file_fail(why, CR_EFORMAT, z->path,
                                  "is a zip archive without an array: expected .npy files in it");
}

static cr_status fill(struct npz *z, const char *path, const struct bytes *bytes, cr_text *why) {
    zip_error_t error;
    z->path = copy(&z->mem, path, strlen(path));
    if (!z->path) return CR_ENOMEM;
    zip_error_init(&error);
    z->zip = open_zip(path, bytes, &error);
    cr_status status =
        z->zip ? list(z, why) : say(why, CR_EFORMAT, path, "cannot be read as a zip archive (npz)", &error);
    zip_error_fini(&error);
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
    if (z->zip) zip_discard(z->zip);
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
    zip_file_t *file;
    struct bytes out;
    const char *path; /* "file.npz: x" */
    cr_text *why;
    bool whole;
};

static cr_status unpack_to(struct unpacking *u, uint64_t n) {
    if (n >= SIZE_MAX - 1) return CR_ENOMEM;
    if (u->out.room < n + 1) {
        char *s = mem_resize(&u->out.mem, u->out.s, u->out.room, (size_t)n + 1);
        if (!s) return CR_ENOMEM;
        u->out.s = s, u->out.room = (size_t)n + 1;
    }
    while (u->out.n < n && !u->whole) {
        zip_int64_t got = zip_fread(u->file, u->out.s + u->out.n, n - u->out.n);
        if (got < 0)
            return say(u->why, CR_EFORMAT, u->path, "cannot be unpacked", zip_file_get_error(u->file));
        u->whole = got == 0;
        u->out.n += (size_t)got;
    }
    return CR_OK;
}

/* As far as the header says, and a byte more. */
static cr_status unpack(struct unpacking *u) {
    uint64_t enough = UINT64_MAX;
    cr_status status = unpack_to(u, FILE_HEAD);
    if (!status) status = file_npy_look(u->out.s, u->out.n, u->path, &enough, u->why);
    while (!status && !u->whole && u->out.n < enough && u->out.n <= FILE_MOST)
        status = unpack_to(u, 2 * u->out.n < enough ? 2 * u->out.n : enough);
    return status;
}

static cr_status read_member(cr_array **out, struct npz *z, const struct member *m, const char *path,
                             cr_text *why) {
    struct unpacking u = {
        .file = zip_fopen_index(z->zip, m->index, 0), .out = {.mem = z->mem}, .path = path, .why = why};
    if (!u.file) return say(why, CR_EFORMAT, path, "cannot be unpacked", zip_get_error(z->zip));
    cr_status status = unpack(&u);
    if (!status) status = file_npy_parse(out, u.out.s, u.out.n, path, z->ctx, why);
    zip_fclose(u.file);
    file_drop(&u.out);
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
