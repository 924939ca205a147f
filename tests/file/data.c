/* Data of any format: npz, PNG, folders of images, categories. */
#include "support/files.h"

#include <sys/stat.h>

#include "file/csv.h"
#include "file/npz.h"

static cr_text *why;
static int set_up(void **state) { return (void)state, (int)cr_text_new(&why, NULL); }
static int tear_down(void **state) { return cr_text_free(why), temp_remove(state); }

static bool without(const char *path, const char *library) {
    cr_data *d = NULL;
    cr_text_clear(why);
    bool missing = cr_data_open(&d, path, 0, NULL, NULL, why) && strstr(cr_text_str(why), library);
    cr_data_free(d);
    return missing;
}

static cr_data *open_file(const char *path, int n, const cr_categories *c) {
    cr_data *d = NULL;
    cr_text_clear(why);
    if (cr_data_open(&d, path, n, c, NULL, why)) fail_msg("%s", cr_text_str(why));
    return d;
}

/* Array i has this dtype, shape and sum. */
static void holds(cr_data *d, const char *name, cr_dtype dtype, int rank, const int64_t dims[], double sum) {
    cr_array *a = NULL, *wide = NULL;
    int i = cr_data_find(d, name);
    assert_true(i >= 0);
    if (cr_data_array(&a, d, i, why)) fail_msg("%s", cr_text_str(why));
    assert_int_equal(cr_array_dtype(a), dtype);
    assert_int_equal(cr_array_rank(a), rank);
    for (int k = 0; k < rank; k++) assert_int_equal(cr_array_dims(a)[k], dims[k]);
    assert_int_equal(cr_array_cast(&wide, a, CR_F64), CR_OK);
    for (int64_t k = 0; k < cr_array_count(a); k++) sum -= ((double *)cr_array_data(wide))[k];
    assert_near(sum, 0, 1e-12);
    cr_array_free(a);
    cr_array_free(wide);
}

/* How often the process's memory names a library; -1: this system does not say. */
static int loaded(const char *library) {
    char line[1024];
    int n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    if (!f) return -1;
    while (fgets(line, sizeof line, f)) n += strstr(line, library) != NULL;
    fclose(f);
    return n;
}

TEST(libzip_and_what_it_stands_on_are_loaded_with_the_first_archive) {
    (void)state;
    if (loaded("libzip") < 0) skip();
    assert_int_equal(loaded("libzip"), 0);
    assert_int_equal(loaded("libcrypto"), 0);
    if (without(TEST_DATA "/files/stored.npz", "libzip")) skip();
    assert_true(loaded("libzip") > 0);
}

/* Written by NumPy 2.4's savez and savez_compressed, by tests/data/files/make.py: x 0 .. 9 as f64 [2, 5], y 1 2 3 as i64, and a scalar
 * of f32, 2.5. */
TEST(arrays_of_numpys_archives_are_found_by_name) {
    (void)state;
    static const char *const files[] = {"stored.npz", "deflated.npz"};
    if (without(TEST_DATA "/files/stored.npz", "libzip")) skip();
    for (int i = 0; i < 2; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/files/%s", TEST_DATA, files[i]);
        cr_data *d = open_file(path, 0, NULL);
        assert_string_equal(cr_data_name(d, 0), "x");
        assert_null(cr_data_name(d, 3));
        assert_int_equal(cr_data_find(d, "no"), -1);
        holds(d, "x", CR_F64, 2, (int64_t[]){2, 5}, 45);
        holds(d, "y", CR_I64, 1, (int64_t[]){3}, 6);
        holds(d, "scalar", CR_F32, 0, NULL, 2.5);
        holds(d, "x", CR_F64, 2, (int64_t[]){2, 5}, 45); /* again */
        cr_array *whole = NULL;
        cr_text_clear(why);
        assert_says(cr_data_whole(&whole, d, why), CR_EINVAL, why, FACTS("several arrays", "x, y, scalar"));
        cr_data_free(d);
    }
}

/* Every byte of an archive changed in turn, every cut: an array, or a sentence. */
TEST(a_damaged_archive_is_told) {
    (void)state;
    char s[4096];
    if (without(TEST_DATA "/files/deflated.npz", "libzip")) skip();
    FILE *f = fopen(TEST_DATA "/files/deflated.npz", "rb");
    size_t n = fread(s, 1, sizeof s, f);
    fclose(f);
    assert_true(n > 200 && n < sizeof s);
    for (size_t i = 0; i < 2 * n; i++) {
        char copy[sizeof s];
        size_t size = i < n ? n : i - n;
        memcpy(copy, s, n);
        if (i < n) copy[i] = (char)(copy[i] ^ 0x55);
        struct bytes b = {.s = copy, .n = size};
        struct npz *z = NULL;
        cr_text_clear(why);
        cr_status status = npz_open(&z, "cut.npz", &b, NULL, why);
        for (int k = 0; npz_name(z, k); k++) {
            cr_array *a = NULL;
            status = npz_array(&a, z, k, why);
            cr_array_free(a);
        }
        assert_true(status == CR_OK || cr_text_size(why) > 0);
        if (i >= n) assert_int_not_equal(status, CR_OK); /* a cut is always seen */
        npz_close(z);
    }
}

/* Written with zlib alone, by tests/data/files/make.py; the sums are those of the samples that it says there. */
TEST(images_are_read_as_samples) {
    (void)state;
    if (without(TEST_DATA "/files/grey.png", "libpng")) skip();
    static const struct {
        const char *file;
        int rank;
        int64_t dims[3];
        double sum;
    } rows[] = {{"grey.png", 2, {2, 3}, 0 + 50 + 100 + 150 + 200 + 250},
                {"colour.png", 3, {3, 1, 2}, 10 + 20 + 30 + 40 + 50 + 60},
                {"bits.png", 2, {1, 4}, 2 * 255},           /* 1 bit a sample: 1 0 0 1 */
                {"palette.png", 3, {3, 1, 2}, 3 * 255 + 7}, /* white, (7, 0, 0) */
                {"alpha.png", 2, {1, 2}, 200}}; /* grey 200 opaque, 99 transparent: before black */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/files/%s", TEST_DATA, rows[i].file);
        cr_data *d = open_file(path, 0, NULL);
        holds(d, "", CR_I32, rows[i].rank, rows[i].dims, rows[i].sum);
        cr_array *again = NULL;
        assert_int_equal(cr_data_array(&again, d, 0, NULL), CR_EINVAL); /* given away */
        cr_data_free(d);
    }
}

/* In files/folder: cat/b.png, cat/a.png, dog/1.png, all of 1 x 2 grey samples: 1 2, 3 4, 5 6 (in this order). */
TEST(folders_are_labels_and_names_order_the_images) {
    (void)state;
    if (without(TEST_DATA "/files/grey.png", "libpng")) skip();
    cr_data *d = open_file(TEST_DATA "/files/folder", 0, NULL);
    cr_array *x = NULL, *y = NULL;
    assert_int_equal(cr_data_array(&x, d, 0, why), CR_OK);
    assert_int_equal(cr_data_array(&y, d, 1, why), CR_OK);
    static const int32_t samples[] = {3, 4, 1, 2, 5, 6};
    assert_int_equal(cr_array_rank(x), 3);
    assert_memory_equal(cr_array_data(x), samples, sizeof samples);
    static const double labels[] = {0, 0, 1};
    assert_memory_equal(cr_array_data(y), labels, sizeof labels);
    assert_string_equal(cr_data_category(d, 1, 1), "dog");
    assert_null(cr_data_category(d, 1, 2));
    assert_null(cr_data_category(d, 0, 0));
    cr_array_free(x), cr_array_free(y);
    cr_data_free(d);
    d = open_file(TEST_DATA "/files/folder", 1,
                  &(cr_categories){"labels", 3, (const char *const[]){"dog", "bird", "cat"}});
    holds(d, "labels", CR_F64, 1, (int64_t[]){3}, 2 + 2 + 0);
    cr_data_free(d);
}

static cr_table *table(const char *text, int n, const cr_categories *c, cr_status expected) {
    cr_table *t = NULL;
    cr_text_clear(why);
    cr_status status = cr_csv_load_categories(&t, temp_file("t.csv", text, strlen(text)), n, c, NULL, why);
    if (status != expected) fail_msg("%s", cr_text_str(why));
    return t;
}

TEST(words_become_numbers_in_the_order_of_their_bytes) {
    (void)state;
    cr_categories c[] = {{"s", 0, NULL}, {"t", 0, NULL}};
    cr_table *t = table("x,s,t\n1,b,10\n2,\"a \"\"x\",9\n3,b,10\n4,B,2b\n", 2, c, CR_OK);
    static const double s[] = {2, 1, 2, 0}, other[] = {1, 0, 1, 2}; /* B < a "x < b; 9 < 10 < 2b */
    assert_memory_equal(cr_table_column(t, 1), s, sizeof s);
    assert_memory_equal(cr_table_column(t, 2), other, sizeof other);
    assert_string_equal(cr_table_category(t, 1, 1), "a \"x");
    assert_string_equal(cr_table_category(t, 2, 2), "2b");
    assert_null(cr_table_category(t, 0, 0));
    assert_null(cr_table_category(t, 1, 3));
    assert_null(cr_table_category(t, 1, -1));
    cr_table_free(t);
}

/* The order of rows does not matter, that of the categories given does. */
TEST(given_categories_keep_their_order_and_admit_no_other) {
    (void)state;
    cr_categories c = {"s", 3, (const char *const[]){"z", "y", "x"}};
    cr_table *t = table("s\nx\nz\n", 1, &c, CR_OK);
    static const double s[] = {2, 0};
    assert_memory_equal(cr_table_column(t, 0), s, sizeof s);
    cr_table_free(t);
    assert_null(table("s\nx\nw\n", 1, &c, CR_EFORMAT));
    assert_non_null(
        strstr(cr_text_str(why), "line 3, column 's': expected one of the categories given, found 'w'"));
    assert_null(table("s\nx\n\"\"\n", 1, &(cr_categories){"s", 0, NULL}, CR_EFORMAT));
    assert_null(table("s\nx\n", 1, &(cr_categories){"t", 0, NULL}, CR_ENAME));
    cr_categories twice = {"s", 2, (const char *const[]){"x", "x"}};
    assert_null(table("s\nx\n", 1, &twice, CR_EINVAL));
}

/* Many words: sorted all the same. The numbers of 000 .. 999 in their order are 0 .. 999. */
TEST(a_thousand_categories_are_sorted) {
    (void)state;
    static char text[8000] = "s\n";
    size_t n = 2;
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "w%03d\n", i * 617 % 1000);
    cr_table *t = table(text, 1, &(cr_categories){"s", 0, NULL}, CR_OK);
    for (int i = 0; i < 1000; i++) assert_true(cr_table_column(t, 0)[i] == i * 617 % 1000);
    cr_table_free(t);
}

static cr_status load(cr_context *ctx, void *user) {
    cr_data *d = NULL;
    cr_array *a = NULL;
    cr_status status = cr_data_open(&d, user, 0, NULL, ctx, NULL);
    for (int i = 0; !status && cr_data_name(d, i); i++) {
        status = cr_data_array(&a, d, i, NULL);
        cr_array_free(a);
        a = NULL;
    }
    cr_data_free(d);
    return status;
}

TEST(every_failing_allocation_is_told) {
    (void)state;
    static char *const paths[] = {TEST_DATA "/files/deflated.npz", TEST_DATA "/files/folder",
                                  TEST_DATA "/files/colour.png"};
    for (int i = 0; i < 3; i++)
        if (!without(paths[i], "built without")) alloc_fail_each(load, paths[i]);
}

/* ---- Memory ---- */

enum { large = 3 << 18 }; /* numbers: 6 MiB of f64, 3 of i32 */

static void save_large_npy(const char *path) {
    cr_array *a = NULL;
    assert_int_equal(cr_array_new(&a, NULL, CR_F64, 1, (int64_t[]){large}), CR_OK);
    for (int i = 0; i < large; i++) ((double *)cr_array_data(a))[i] = i;
    assert_int_equal(cr_npy_save(path, a, NULL), CR_OK);
    cr_array_free(a);
}

static void save_large_tensor(const char *path) {
    cr_store *s = NULL;
    double *x = calloc(large, sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < large; i++) x[i] = i;
    assert_int_equal(cr_store_new(&s, NULL), CR_OK);
    assert_int_equal(cr_store_set(s, "w", CR_F64, x, large * sizeof *x), CR_OK);
    assert_int_equal(cr_store_save(path, s, NULL, NULL, NULL, NULL), CR_OK);
    cr_store_free(s);
    free(x);
}

static const unsigned char idx_head[8] = {
    0, 0, 8, 1, large >> 24, large >> 16 & 255, large >> 8 & 255, large & 255};

static void save_large_idx(const char *path) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(idx_head, 1, sizeof idx_head, f);
    for (int i = 0; i < large; i++) putc(i & 255, f);
    fclose(f);
}

static void put_le(FILE *f, uint64_t x, int n) {
    for (int i = 0; i < n; i++, x >>= 8) putc((int)(x & 255), f);
}

/* The cyclic redundancy check of gzip and zip (RFC 1952, 8). */
static uint32_t crc(const unsigned char *s, size_t n) {
    uint32_t table[256], c = 0xffffffff;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++) table[i] = table[i] & 1 ? 0xedb88320 ^ table[i] >> 1 : table[i] >> 1;
    }
    while (n--) c = table[(c ^ *s++) & 255] ^ c >> 8;
    return ~c;
}

/* gzip (RFC 1952) of blocks that are not packed (RFC 1951, 3.2.4). */
static void save_large_gzip(const char *path) {
    enum { n = large + sizeof idx_head, most = 65535 };
    unsigned char *s = malloc(n);
    FILE *f = fopen(path, "wb");
    assert_true(s && f);
    memcpy(s, idx_head, sizeof idx_head);
    for (int i = 0; i < large; i++) s[8 + i] = (unsigned char)i;
    fwrite("\x1f\x8b\10\0\0\0\0\0\0\xff", 1, 10, f);
    for (size_t at = 0; at < n; at += most) {
        size_t size = n - at < most ? n - at : most;
        putc(at + size == n, f);
        put_le(f, size, 2);
        put_le(f, ~size, 2);
        fwrite(s + at, 1, size, f);
    }
    put_le(f, crc(s, n), 4);
    put_le(f, n, 4);
    fclose(f);
    free(s);
}

/* A zip archive (APPNOTE.TXT, 4.3) of x.npy, stored. */
static void save_large_npz(const char *path) {
    const char *npy = temp_path("x.npy");
    save_large_npy(npy);
    FILE *from = fopen(npy, "rb"), *f = fopen(path, "wb");
    unsigned char *s = malloc((size_t)large * 8 + 4096);
    assert_true(from && f && s);
    size_t n = fread(s, 1, (size_t)large * 8 + 4096, from);
    for (int central = 0; central < 2; central++) {
        fwrite(central ? "PK\1\2\24\0\24" : "PK\3\4\24", 1, central ? 7 : 5, f);
        put_le(f, 0, 9); /* stored, no date */
        put_le(f, crc(s, n), 4);
        put_le(f, n, 4);
        put_le(f, n, 4);
        put_le(f, 5, central ? 18 : 4);
        fwrite("x.npy", 1, 5, f);
        if (!central) fwrite(s, 1, n, f);
    }
    fwrite("PK\5\6\0\0\0\0\1\0\1", 1, 11, f);
    put_le(f, 0, 1);
    put_le(f, 46 + 5, 4);
    put_le(f, 30 + 5 + n, 6);
    fclose(f);
    fclose(from);
    free(s);
}

static void save_table(const char *path, int multiple) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs("x\n", f);
    for (int i = 0; i < large; i++) fprintf(f, "%d\n", i);
    while (ftell(f) % multiple) putc(' ', f);
    fclose(f);
}

static void save_large_table(const char *path) { save_table(path, 1); }

/* Nothing stands behind its last byte in the last page of memory. */
static void save_whole_pages(const char *path) { save_table(path, 1 << 16); }

/* What stands beside the numbers: blocks of files, zlib's and libzip's state. */
enum { beside = 512 << 10 };

struct large_file {
    const char *name;
    void (*save)(const char *path);
    size_t bytes; /* of the numbers */
    double last;
    bool mapped; /* where the host allows it */
};

static void takes_no_more_than_its_numbers(const struct large_file *file, bool map) {
    struct failing memory = {0};
    cr_context *ctx;
    cr_data *d = NULL;
    cr_array *a = NULL, *wide = NULL;
    const char *path = temp_path(file->name);
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    assert_int_equal(cr_context_map_files(ctx, map), CR_OK);
    cr_text_clear(why);
    cr_status status = cr_data_open(&d, path, 0, NULL, ctx, why);
    if (!status) status = cr_data_array(&a, d, 0, why);
    bool missing = status && strstr(cr_text_str(why), "built without");
    if (status && !missing) fail_msg("%s", cr_text_str(why));
    if (!status && memory.peak > file->bytes + beside)
        fail_msg("%s: %zu bytes for %zu of numbers", file->name, memory.peak, file->bytes);
    if (!status) assert_int_equal(cr_array_cast(&wide, a, CR_F64), CR_OK);
    if (!status) assert_true(((double *)cr_array_data(wide))[large - 1] == file->last);
    cr_array_free(wide);
    cr_array_free(a);
    cr_data_free(d);
    cr_context_free(ctx);
}

/* Beside the numbers that a large file becomes nothing as large stands: the file is mapped, or read in blocks. */
TEST(a_large_file_is_not_held_beside_its_numbers) {
    (void)state;
    static const struct large_file file[] = {
        {"large.npy", save_large_npy, large * 8, large - 1, false},
        {"large.npz", save_large_npz, large * 8, large - 1, false},
        {"large.idx", save_large_idx, large * 4, 255, false},
        {"large.gz", save_large_gzip, large * 4, 255, false},
        {"large.csv", save_large_table, large * 8, large - 1, true},
        {"pages.csv", save_whole_pages, large * 8, large - 1, true},
    };
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        file[i].save(temp_path(file[i].name));
        takes_no_more_than_its_numbers(&file[i], true);
        if (!file[i].mapped) takes_no_more_than_its_numbers(&file[i], false);
    }
}

static cr_array *whole_of(const char *path, struct failing *memory) {
    cr_context *ctx;
    cr_data *d = NULL;
    cr_array *a = NULL, *again = NULL;
    cr_text_clear(why);
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, memory), CR_OK);
    assert_int_equal(cr_context_map_files(ctx, true), CR_OK);
    assert_int_equal(cr_data_open(&d, path, 0, NULL, ctx, why), CR_OK);
    assert_int_equal(cr_data_whole(&a, d, why), CR_OK);
    assert_int_equal(cr_data_whole(&again, d, why), CR_EINVAL); /* given away */
    assert_int_equal(cr_data_array(&again, d, 0, why), CR_EINVAL);
    cr_data_free(d);
    cr_context_free(ctx);
    return a;
}

static cr_status load_whole(cr_context *ctx, void *path) {
    cr_data *d = NULL;
    cr_array *a = NULL;
    cr_status status = cr_data_open(&d, path, 0, NULL, ctx, NULL);
    if (!status) status = cr_data_whole(&a, d, NULL);
    cr_array_free(a);
    cr_data_free(d);
    return status;
}

TEST(a_matrix_without_memory_is_told) {
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s", temp_file("small.csv", "1,2\n3,4\n", 8));
    alloc_fail_each(load_whole, path);
}

/* "x,y\n1,2\n3,4\n" by gzip 1.12. */
TEST(packed_tables_are_read) {
    (void)state;
    static const unsigned char packed[] = {
        31, 139, 8,  0,   0,  0,   0, 0, 0,   3,  171, 208, 169, 228, 50, 212,
        49, 226, 50, 214, 49, 225, 2, 0, 151, 68, 41,  128, 12,  0,   0,  0,
    };
    const char *path = temp_file("table.csv.gz", packed, sizeof packed);
    if (without(path, "without zlib")) skip();
    cr_data *d = open_file(path, 0, NULL);
    holds(d, "x", CR_F64, 1, (int64_t[]){2}, 4);
    holds(d, "y", CR_F64, 1, (int64_t[]){2}, 6);
    cr_data_free(d);
    for (size_t cut = 3; cut < sizeof packed; cut++) {
        path = temp_file("cut.csv.gz", packed, cut);
        cr_text_clear(why);
        assert_says(cr_data_open(&d, path, 0, NULL, NULL, why), CR_EFORMAT, why,
                    FACTS(path, "broken or cut short"));
    }
    char again[1024];
    snprintf(again, sizeof again, "%s", temp_path("table.csv.gz"));
    alloc_fail_each(load, again);
}

/* Row i has i * columns + k in column k: in a matrix 0, 1, 2 ... Rows fill blocks, miss one by one row, or are fewer than a block. */
TEST(columns_become_a_matrix_in_their_place) {
    (void)state;
    static const struct {
        int rows, columns;
    } size[] = {{1, 2},     {5, 3},     {2048, 8},  {2047, 8}, {16385, 7},
                {30000, 2}, {40, 2000}, {33, 1100}, {20000, 9}};
    for (size_t c = 0; c < sizeof size / sizeof *size; c++) {
        struct failing memory = {0};
        const char *path = temp_path("matrix.csv");
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        int rows = size[c].rows, columns = size[c].columns;
        for (int i = 0; i < rows * columns; i++) fprintf(f, "%d%c", i, (i + 1) % columns ? ',' : '\n');
        fclose(f);
        cr_array *a = whole_of(path, &memory);
        assert_int_equal(cr_array_dims(a)[0], rows);
        assert_int_equal(cr_array_dims(a)[1], columns);
        for (int i = 0; i < rows * columns; i++) assert_true(((double *)cr_array_data(a))[i] == i);
        size_t bytes = (size_t)rows * (size_t)columns * 8;
        if (bytes > 1 << 20 && memory.peak > bytes + beside)
            fail_msg("%d x %d: %zu bytes for %zu of numbers", rows, columns, memory.peak, bytes);
        cr_array_free(a);
        assert_int_equal(memory.live, 0);
    }
}

TEST(large_weights_are_not_held_beside_their_numbers) {
    (void)state;
    struct failing memory = {0};
    cr_context *ctx;
    cr_store *s = NULL;
    const char *path = temp_path("large.safetensors");
    if (!with_safetensors()) skip();
    save_large_tensor(path);
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    assert_int_equal(cr_context_map_files(ctx, true), CR_OK);
    assert_int_equal(cr_store_new(&s, ctx), CR_OK);
    assert_int_equal(cr_store_load(s, path, ctx, why), CR_OK);
    assert_true(memory.peak < large * 8 + beside);
    assert_true(((double *)cr_store_data(s, "w", NULL, NULL))[large - 1] == large - 1);
    cr_store_free(s);
    cr_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(libzip_and_what_it_stands_on_are_loaded_with_the_first_archive),
        RUN(a_large_file_is_not_held_beside_its_numbers),
        RUN(columns_become_a_matrix_in_their_place),
        RUN(a_matrix_without_memory_is_told),
        RUN(packed_tables_are_read),
        RUN(large_weights_are_not_held_beside_their_numbers),
        RUN(arrays_of_numpys_archives_are_found_by_name),
        RUN(a_damaged_archive_is_told),
        RUN(images_are_read_as_samples),
        RUN(folders_are_labels_and_names_order_the_images),
        RUN(words_become_numbers_in_the_order_of_their_bytes),
        RUN(given_categories_keep_their_order_and_admit_no_other),
        RUN(a_thousand_categories_are_sorted),
        RUN(every_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
