/* A folder of PNG images: FOLDER/LABEL/NAME.png, or FOLDER/NAME.png, with labels.csv (columns file and label) or without labels. All have
 * one size. */
#define _POSIX_C_SOURCE 200809L
#include "file/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/context.h"
#include "file/png.h"
#include "file/table.h"
#include "tensor/array.h"

bool folder_is(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- Lists of names ---- */

struct names {
    struct mem mem;
    char **s;
    size_t n, cap;
};

static bool names_add(struct names *l, const char *s) {
    size_t bytes = strlen(s) + 1;
    if (!mem_grow(&l->mem, &l->s, &l->cap, l->n, sizeof *l->s)) return false;
    char *copy = mem_alloc(&l->mem, bytes);
    if (copy) l->s[l->n++] = memcpy(copy, s, bytes);
    return copy != NULL;
}

static void names_drop(struct names *l) {
    for (size_t i = 0; i < l->n; i++) mem_free(&l->mem, l->s[i], strlen(l->s[i]) + 1);
    mem_free(&l->mem, l->s, l->cap * sizeof *l->s);
    *l = (struct names){.mem = l->mem};
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool is_png(const char *name) {
    size_t n = strlen(name);
    return n > 4 && (strcmp(name + n - 4, ".png") == 0 || strcmp(name + n - 4, ".PNG") == 0);
}

struct reading {
    struct mem mem;
    cr_context *ctx;
    const char *path; /* of the folder */
    cr_text *why;
    struct names file;   /* beneath the folder */
    struct names folder; /* sorted: whose names are labels */
    size_t rows;
    cr_table *labels; /* one column of categories, while the files are listed */
};

static cr_status no_memory(const struct reading *r) {
    return file_fail(r->why, CR_ENOMEM, r->path, "out of memory");
}

/* "folder/name". */
static cr_status beneath(struct cr_text *out, const struct reading *r, const char *name) {
    cr_text_clear(out);
    text_add(out, "%s/%s", r->path, name);
    return out->failed ? no_memory(r) : CR_OK;
}

/* The folders in it, or the images: sorted, since a system lists them in any order. Hidden ones are passed over. */
static cr_status list(const struct reading *r, const char *path, bool folders, struct names *to) {
    struct cr_text at = text_make(&r->mem);
    DIR *d = opendir(path);
    if (!d) return file_fail_errno(r->why, path, "cannot be opened", errno);
    cr_status status = CR_OK;
    for (struct dirent *e; !status && (e = readdir(d));) {
        cr_text_clear(&at);
        text_add(&at, "%s/%s", path, e->d_name);
        bool wanted =
            e->d_name[0] != '.' && (folders ? !at.failed && folder_is(cr_text_str(&at)) : is_png(e->d_name));
        if (at.failed || (wanted && !names_add(to, e->d_name))) status = no_memory(r);
    }
    closedir(d);
    text_drop(&at);
    if (!status && to->n) qsort(to->s, to->n, sizeof *to->s, by_bytes);
    return status;
}

/* ---- Labels by folder ---- */

static cr_status label_file(struct reading *r, const char *label, const char *name, struct cr_text *at) {
    cr_text_clear(at);
    text_add(at, "%s/%s", label, name);
    return at->failed || !names_add(&r->file, cr_text_str(at)) ? no_memory(r) : CR_OK;
}

static cr_status list_folder(struct reading *r, const char *label) {
    struct names in = {.mem = r->mem};
    struct cr_text at = text_make(&r->mem);
    cr_status status = beneath(&at, r, label);
    if (!status) status = list(r, cr_text_str(&at), false, &in);
    for (size_t i = 0; i < in.n && !status; i++) status = label_file(r, label, in.s[i], &at);
    names_drop(&in);
    text_drop(&at);
    return status;
}

static cr_status open_labels(struct reading *r, const cr_categories *wish) {
    cr_categories all = {"labels", wish ? wish->count : 0, wish ? wish->names : NULL};
    r->labels = table_new(&r->mem);
    if (!r->labels || table_add(r->labels, "labels", 6) || !table_reserve(r->labels, r->file.n))
        return no_memory(r);
    cr_status status = table_categories(r->labels, &all);
    if (status == CR_ENOMEM) return no_memory(r);
    return status ? file_fail(r->why, status, r->path, "categories of 'labels' are given twice, or empty")
                  : CR_OK;
}

/* The label of each file is the folder it lies in. */
static cr_status label_by_folder(struct reading *r, const cr_categories *wish) {
    for (size_t i = 0; i < r->folder.n; i++) {
        cr_status status = list_folder(r, r->folder.s[i]);
        if (status) return status;
    }
    cr_status status = open_labels(r, wish);
    for (size_t i = 0; i < r->file.n && !status; i++) {
        const char *file = r->file.s[i];
        size_t n = strcspn(file, "/");
        double x = table_category(r->labels, 0, file, n);
        if (x == -2) status = no_memory(r);
        else if (x == -1)
            status = file_fail(r->why, CR_EFORMAT, r->path, "the folder '%s' is none of the categories given",
                               file_show(file, n).s);
        else r->labels->cell[r->labels->rows++] = x;
    }
    return status || table_number_categories(r->labels) ? status : no_memory(r);
}

/* ---- Labels by labels.csv ---- */

static bool all_there(const cr_table *t, int *file, int *label) {
    *file = cr_table_find(t, "file"), *label = cr_table_find(t, "label");
    return *file >= 0 && *label >= 0 && cr_table_columns(t) == 2;
}

/* Numbers stay numbers; else the labels are categories. */
static cr_status load_labels(struct reading *r, const char *path, const cr_categories *wish) {
    cr_categories both[2] = {{"file", 0, NULL}, {"label", wish ? wish->count : 0, wish ? wish->names : NULL}};
    cr_status status = wish ? CR_EFORMAT : cr_csv_load_categories(&r->labels, path, 1, both, r->ctx, NULL);
    return status == CR_EFORMAT ? cr_csv_load_categories(&r->labels, path, 2, both, r->ctx, r->why) : status;
}

static cr_status label_by_table(struct reading *r, const char *path, const cr_categories *wish) {
    int file, label;
    cr_status status = load_labels(r, path, wish);
    if (status == CR_ENAME || (!status && !all_there(r->labels, &file, &label))) {
        if (r->why) cr_text_clear(r->why);
        return file_fail(r->why, CR_EFORMAT, path, "expected two columns called file and label");
    }
    if (status) return status;
    for (int64_t i = 0; i < cr_table_rows(r->labels); i++) {
        double k = cr_table_column(r->labels, file)[i];
        if (!names_add(&r->file, cr_table_category(r->labels, file, (int64_t)k))) return no_memory(r);
    }
    return CR_OK;
}

/* ---- Images ---- */

static cr_status read_one(struct reading *r, const char *name, const struct image *like, struct image *x) {
    struct cr_text path = text_make(&r->mem);
    struct bytes b = {.mem = r->mem};
    cr_status status = beneath(&path, r, name);
    if (!status) status = file_read(&b, cr_text_str(&path), (uint64_t)1 << 30, &r->mem, r->why);
    if (!status) status = png_read(x, &b, like, cr_text_str(&path), r->why);
    file_drop(&b);
    text_drop(&path);
    return status;
}

static cr_status make_images(struct folder *out, struct reading *r, const struct image *first) {
    int64_t dim[4] = {(int64_t)r->file.n, 3, first->height, first->width};
    if (!first->colour) dim[1] = dim[2], dim[2] = dim[3];
    cr_status status = array_new(&out->images, &r->mem, CR_I32, first->colour ? 4 : 3, dim);
    return status ? file_fail(r->why, status, r->path, "%s for %zu images", cr_status_text(status), r->file.n)
                  : CR_OK;
}

static cr_status read_images(struct folder *out, struct reading *r) {
    struct image first = {0};
    cr_status status = CR_OK;
    for (size_t i = 0; i < r->file.n && !status; i++) {
        struct image x = {0};
        status = read_one(r, r->file.s[i], i ? &first : NULL, &x);
        if (!status && i == 0) first = x, status = make_images(out, r, &first);
        if (!status) memcpy((char *)cr_array_data(out->images) + i * x.bytes, x.sample, x.bytes);
        mem_free(&r->mem, x.sample, x.bytes);
    }
    return status;
}

static cr_status take_labels(struct folder *out, struct reading *r) {
    if (!r->labels) return CR_OK;
    int column = cr_table_columns(r->labels) == 1 ? 0 : cr_table_find(r->labels, "label");
    int64_t n = cr_table_rows(r->labels);
    if (array_new(&out->labels, &r->mem, CR_F64, 1, &n)) return no_memory(r);
    memcpy(cr_array_data(out->labels), cr_table_column(r->labels, column), (size_t)n * sizeof(double));
    return CR_OK;
}

static cr_status open_all(struct folder *out, struct reading *r, const cr_categories *wish) {
    struct cr_text table = text_make(&r->mem);
    struct stat st;
    cr_status status = beneath(&table, r, "labels.csv");
    bool has_table = !status && stat(cr_text_str(&table), &st) == 0;
    if (!status && has_table) status = label_by_table(r, cr_text_str(&table), wish);
    text_drop(&table);
    if (!status && !has_table) status = list(r, r->path, true, &r->folder);
    if (!status && r->folder.n) status = label_by_folder(r, wish);
    else if (!status && !has_table) status = list(r, r->path, false, &r->file);
    if (!status && r->file.n == 0)
        status = file_fail(r->why, CR_EFORMAT, r->path,
                           "holds no PNG images, neither itself nor in folders called as their labels: "
                           "convert others to PNG");
    if (!status) status = read_images(out, r);
    return status ? status : take_labels(out, r);
}

cr_status folder_open(struct folder *out, const char *path, const cr_categories *wish, cr_context *ctx,
                      cr_text *why) {
    struct mem m = context_mem(ctx);
    struct reading r = {
        .mem = m, .ctx = ctx, .path = path, .why = why, .file = {.mem = m}, .folder = {.mem = m}};
    *out = (struct folder){0};
    cr_status status = open_all(out, &r, wish);
    names_drop(&r.file);
    names_drop(&r.folder);
    if (!status) out->names = r.labels;
    else cr_table_free(r.labels), folder_close(out);
    return status;
}

void folder_close(struct folder *f) {
    cr_array_free(f->images);
    cr_array_free(f->labels);
    cr_table_free(f->names);
    *f = (struct folder){0};
}
