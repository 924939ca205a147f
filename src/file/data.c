/* Data of any format, found by what a file is: arrays with names. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/context.h"
#include "file/folder.h"
#include "file/npz.h"
#include "file/png.h"
#include "file/table.h"
#include "tensor/array.h"

/* What one array is called in a file that has no name for it. */
static const char unnamed[] = "";

struct cr_data {
    struct mem mem;
    cr_context *ctx;
    char *path;
    cr_table *table;
    cr_store *store;
    struct npz *npz;
    struct folder folder;
    cr_array *one;
    bool has_one, has_labels; /* at first: arrays are given away */
};

struct wish {
    int n;
    const cr_categories *c;
};

/* ---- Formats ---- */

struct head {
    char s[16];
    size_t n;
    bool pipe; /* or any other that is read but once: not looked at */
};

static struct head head_of(const char *path) {
    struct head h = {{0}, 0, false};
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) return h.pipe = true, h;
    FILE *f = fopen(path, "rb");
    if (f) h.n = fread(h.s, 1, sizeof h.s, f), fclose(f);
    return h;
}

static bool ends(const char *path, const char *end) {
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

static bool is_folder(const char *path, const struct head *h) { return (void)h, folder_is(path); }
static bool is_table(const char *path, const struct head *h) {
    static const char *const end[] = {".csv",    ".tsv",    ".txt",    ".dat",
                                      ".csv.gz", ".tsv.gz", ".txt.gz", ".dat.gz"};
    bool any = h->pipe;
    for (size_t i = 0; i < sizeof end / sizeof *end; i++) any = any || ends(path, end[i]);
    return any;
}
static bool is_npy(const char *path, const struct head *h) {
    return ends(path, ".npy") || (h->n >= 6 && memcmp(h->s, "\x93NUMPY", 6) == 0);
}
static bool is_npz(const char *path, const struct head *h) {
    return ends(path, ".npz") || (h->n >= 4 && memcmp(h->s, "PK\3\4", 4) == 0);
}
static bool is_image(const char *path, const struct head *h) {
    return ends(path, ".png") || png_is(h->s, h->n);
}
/* The length of a header below 4 GiB, then '{'. */
static bool is_safetensors(const char *path, const struct head *h) {
    return ends(path, ".safetensors") ||
           (h->n >= 9 && h->s[8] == '{' && memcmp(h->s + 4, "\0\0\0\0", 4) == 0);
}
static bool is_idx(const char *path, const struct head *h) {
    return (h->n >= 2 && (memcmp(h->s, "\0\0", 2) == 0 || memcmp(h->s, "\x1f\x8b", 2) == 0)) ||
           ends(path, ".idx") || ends(path, ".gz") || ends(path, "ubyte");
}
static bool is_any(const char *path, const struct head *h) { return (void)path, (void)h, true; }

static cr_status open_folder(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    for (int i = 0; i < w->n; i++)
        if (strcmp(w->c[i].column, "labels") != 0)
            return file_fail(why, CR_ENAME, path, "a folder has categories of 'labels' alone, not of '%s'",
                             file_show(w->c[i].column, strlen(w->c[i].column)).s);
    return folder_open(&d->folder, path, w->n ? w->c : NULL, d->ctx, why);
}
static cr_status open_table(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    return cr_csv_load_categories(&d->table, path, w->n, w->c, d->ctx, why);
}
static cr_status open_npy(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    return (void)w, cr_npy_load(&d->one, path, d->ctx, why);
}
static cr_status open_npz(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    return (void)w, npz_open(&d->npz, path, NULL, d->ctx, why);
}
static cr_status open_idx(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    return (void)w, cr_idx_load(&d->one, path, d->ctx, why);
}
static cr_status open_store(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    (void)w;
    cr_status status = cr_store_new(&d->store, d->ctx);
    return status ? file_fail(why, status, path, "out of memory")
                  : cr_store_load(d->store, path, d->ctx, why);
}
static cr_status open_image(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    struct bytes b;
    struct image x = {0};
    (void)w;
    cr_status status = file_read(&b, path, (uint64_t)1 << 30, &d->mem, why);
    if (!status) status = png_read(&x, &b, NULL, path, why);
    file_drop(&b);
    if (status) return status;
    int64_t dim[3] = {3, x.height, x.width};
    status = array_new(&d->one, &d->mem, CR_I32, x.colour ? 3 : 2, x.colour ? dim : dim + 1);
    if (status) file_fail(why, status, path, "%s", cr_status_text(status));
    else memcpy(cr_array_data(d->one), x.sample, x.bytes);
    mem_free(&d->mem, x.sample, x.bytes);
    return status;
}

/* A look at the beginning is enough. */
static cr_status look(const char *s, size_t n, const char *path, uint64_t *enough, cr_text *why) {
    static const char known[] =
        "npy, npz, IDX, CSV (.csv, .tsv, .txt, .dat), safetensors, PNG or a folder of PNG images";
    const char *guess = file_guess(s, n);
    (void)enough;
    if (n == 0) return file_fail(why, CR_EFORMAT, path, "is empty, expected %s", known);
    if (guess) return file_fail(why, CR_EFORMAT, path, "expected %s, found %s", known, guess);
    return file_fail(why, CR_EFORMAT, path, "expected %s, found a file that starts with '%s'", known,
                     file_show(s, n < 16 ? n : 16).s);
}
static cr_status open_unknown(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    struct bytes b;
    (void)w;
    return file_read_looking(&b, path, FILE_MOST, look, &d->mem, why);
}

/* The first that knows the file reads it. */
static const struct format {
    bool (*is)(const char *path, const struct head *h);
    cr_status (*open)(cr_data *d, const char *path, const struct wish *w, cr_text *why);
    bool categories;
} formats[] = {
    {is_folder, open_folder, true}, {is_table, open_table, true},  {is_npy, open_npy, false},
    {is_npz, open_npz, false},      {is_image, open_image, false}, {is_safetensors, open_store, false},
    {is_idx, open_idx, false},      {is_any, open_unknown, false},
};

/* ---- Opening ---- */

static cr_status open_any(cr_data *d, const char *path, const struct wish *w, cr_text *why) {
    struct head h = head_of(path);
    const struct format *f = formats;
    while (!f->is(path, &h)) f++;
    if (w->n && !f->categories)
        return file_fail(why, CR_EINVAL, path,
                         "has no categories: a CSV file, or a folder of images, may have some");
    cr_status status = f->open(d, path, w, why);
    d->has_one = d->one != NULL;
    d->has_labels = d->folder.labels != NULL;
    return status;
}

cr_status cr_data_open(cr_data **out, const char *path, int n, const cr_categories c[], cr_context *ctx,
                       cr_text *why) {
    struct mem m = context_mem(ctx);
    if (out) *out = NULL;
    if (!out || !path || n < 0 || (n && !c)) return CR_EINVAL;
    cr_data *d = mem_zero(&m, sizeof *d);
    if (!d) return file_fail(why, CR_ENOMEM, path, "out of memory");
    d->mem = m;
    d->ctx = ctx;
    d->path = mem_alloc(&m, strlen(path) + 1);
    cr_status status = d->path ? CR_OK : file_fail(why, CR_ENOMEM, path, "out of memory");
    if (!status) strcpy(d->path, path), status = open_any(d, path, &(struct wish){n, c}, why);
    if (status) cr_data_free(d);
    else *out = d;
    return status;
}

void cr_data_free(cr_data *d) {
    if (!d) return;
    struct mem m = d->mem;
    cr_table_free(d->table);
    cr_store_free(d->store);
    npz_close(d->npz);
    folder_close(&d->folder);
    cr_array_free(d->one);
    mem_free(&m, d->path, d->path ? strlen(d->path) + 1 : 0);
    mem_free(&m, d, sizeof *d);
}

/* ---- What is in it ---- */

const char *cr_data_name(const cr_data *d, int i) {
    if (!d || i < 0) return NULL;
    if (d->table) return cr_table_name(d->table, i);
    if (d->store) return cr_store_name(d->store, i);
    if (d->npz) return npz_name(d->npz, i);
    if (d->has_one) return i == 0 ? unnamed : NULL;
    return i == 0 ? "images" : i == 1 && d->has_labels ? "labels" : NULL;
}

int cr_data_find(const cr_data *d, const char *name) {
    for (int i = 0; name && cr_data_name(d, i); i++)
        if (strcmp(cr_data_name(d, i), name) == 0) return i;
    return -1;
}

const char *cr_data_category(const cr_data *d, int i, int64_t k) {
    if (!d || (!d->table && i != 1)) return NULL;
    const cr_table *t = d->table ? d->table : d->folder.names;
    return cr_table_category(t, d->table ? i : cr_table_columns(t) == 1 ? 0 : cr_table_find(t, "label"), k);
}

/* Images are large: they are given away, not copied. */
static cr_status give(cr_array **out, cr_array **from) {
    *out = *from;
    *from = NULL;
    return *out ? CR_OK : CR_EINVAL;
}

/* Numbers; of categories whole ones, which may be indices. A column that stands alone is given away. */
static cr_status column(cr_array **out, const cr_data *d, int i) {
    int64_t rows = cr_table_rows(d->table);
    const double *x = cr_table_column(d->table, i);
    bool whole = cr_table_category(d->table, i, 0) != NULL;
    if (d->table->given) return CR_EINVAL;
    if (!whole && cr_table_columns(d->table) == 1) return table_take(out, d->table);
    cr_status status = array_new(out, &d->mem, whole ? CR_I32 : CR_F64, 1, &rows);
    for (int64_t k = 0; !status && whole && k < rows; k++)
        ((int32_t *)cr_array_data(*out))[k] = (int32_t)x[k];
    if (!status && !whole && rows) memcpy(cr_array_data(*out), x, (size_t)rows * sizeof *x);
    return status;
}

cr_status cr_data_array(cr_array **out, cr_data *d, int i, cr_text *why) {
    if (out) *out = NULL;
    if (!out || !cr_data_name(d, i)) return CR_EINVAL;
    if (d->npz) return npz_array(out, d->npz, i, why);
    cr_status status = d->table   ? column(out, d, i)
                       : d->store ? cr_store_array(out, d->store, cr_store_name(d->store, i))
                                  : give(out, d->has_one ? &d->one
                                              : i        ? &d->folder.labels
                                                         : &d->folder.images);
    return status ? file_fail(why, status, d->path, "%s", cr_status_text(status)) : CR_OK;
}

static cr_status which(const cr_data *d, cr_text *why) {
    struct cr_text names = text_make(&d->mem);
    for (int i = 0; cr_data_name(d, i) && names.n < 200; i++)
        text_add(&names, i ? ", %s" : "%s", cr_data_name(d, i));
    cr_status status =
        file_fail(why, CR_EINVAL, d->path, "holds several arrays: say which, as in %s:%s; there are %s%s",
                  file_show(d->path, strlen(d->path)).s, cr_data_name(d, 0), cr_text_str(&names),
                  names.n < 200 ? "" : " ...");
    text_drop(&names);
    return status;
}

cr_status cr_data_whole(cr_array **out, cr_data *d, cr_text *why) {
    if (out) *out = NULL;
    if (!out || !d) return CR_EINVAL;
    cr_status status = d->table ? table_take(out, d->table) : CR_OK;
    if (status) return file_fail(why, status, d->path, "%s", cr_status_text(status));
    if (d->table) return CR_OK;
    return cr_data_name(d, 1) ? which(d, why) : cr_data_array(out, d, 0, why);
}
