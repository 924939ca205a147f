/* IDX, packed by gzip or not: files that others wrote, and those of nobody's good will. */
#include "support/why.h"

static const char *data_path(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/files/%s", TEST_DATA, name);
    return path;
}

static void assert_images(const char *name) {
    cr_array *a = NULL;
    cr_text_clear(why);
    if (cr_idx_load(&a, data_path(name), NULL, why)) fail_msg("%s", cr_text_str(why));
    assert_int_equal(cr_array_dtype(a), CR_I32);
    assert_int_equal(cr_array_rank(a), 3);
    assert_memory_equal(cr_array_dims(a), ((int64_t[]){2, 2, 3}), 3 * sizeof(int64_t));
    for (int i = 0; i < 12; i++) assert_int_equal(((int32_t *)cr_array_data(a))[i], i);
    cr_array_free(a);
}

static bool with_zlib(void) {
    cr_array *a = NULL;
    cr_text_clear(why);
    bool there = cr_idx_load(&a, data_path("images.idx.gz"), NULL, why) == CR_OK ||
                 !strstr(cr_text_str(why), "without zlib");
    cr_array_free(a);
    return there;
}

TEST(bytes_are_read_packed_or_not) {
    (void)state;
    assert_images("images.idx");
    if (!with_zlib()) skip();
    assert_images("images.idx.gz");
    assert_images("two.gz"); /* two members, one behind the other */
}

TEST(shorts_and_doubles_are_read) {
    (void)state;
    cr_array *a = NULL;
    assert_int_equal(cr_idx_load(&a, data_path("shorts.idx"), NULL, why), CR_OK);
    assert_int_equal(((int32_t *)cr_array_data(a))[0], -2);
    assert_int_equal(((int32_t *)cr_array_data(a))[1], 300);
    cr_array_free(a);
    assert_int_equal(cr_idx_load(&a, data_path("doubles.idx"), NULL, why), CR_OK);
    assert_true(((double *)cr_array_data(a))[0] == 0.1);
    assert_true(((double *)cr_array_data(a))[1] == -1e300);
    cr_array_free(a);
}

static void refuse(const char *bytes, size_t n, const char *fact) {
    cr_array *a = NULL;
    cr_text_clear(why);
    cr_status status = cr_idx_load(&a, temp_file("bad.idx", bytes, n), NULL, why);
    assert_null(a);
    assert_says(status, CR_EFORMAT, why, FACTS("bad.idx: ", fact));
}

TEST(what_is_no_idx_is_refused) {
    (void)state;
    refuse("", 0, "expected IDX");
    refuse("\0\0\10", 3, "expected IDX");
    refuse("\1\0\10\1", 4, "expected IDX");
    refuse("\0\0\12\1\0\0\0\0", 8, "expected IDX");
    refuse("<!DOCTYPE html>", 15, "an HTML or XML page");
    refuse("version https://git-lfs.github.com/spec/v1\n", 43, "git-lfs pointer");
    refuse("\0\0\10\3\0\0\0\2", 8, "its header is cut short");
    refuse("\0\0\10\21", 4, "rank 17 is above 16");
    refuse("\0\0\10\1\0\0\0\5abcd", 12, "announces 5 numbers, there are 4");
    refuse("\0\0\10\1\0\0\0\3abcd", 12, "bytes behind the 3 numbers");
    refuse("\0\0\16\4\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377", 20, "there are 0");
}

TEST(broken_gzip_is_refused) {
    (void)state;
    if (!with_zlib()) skip();
    char bytes[256];
    FILE *f = fopen(data_path("images.idx.gz"), "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t cut = 3; cut < n; cut++) refuse(bytes, cut, "");
    for (size_t i = 10; i < n; i++) { /* the checksum sees every flipped bit of the data */
        bytes[i] ^= 4;
        cr_array *a = NULL;
        cr_text_clear(why);
        cr_status status = cr_idx_load(&a, temp_file("bad.idx", bytes, n), NULL, why);
        assert_int_equal(status, CR_EFORMAT);
        bytes[i] ^= 4;
    }
}

static cr_status load(cr_context *ctx, void *arg) {
    cr_array *a = NULL;
    cr_status status = cr_idx_load(&a, data_path(arg), ctx, NULL);
    cr_array_free(a);
    return status;
}

TEST(every_allocation_may_fail) {
    (void)state;
    char plain[] = "images.idx", packed[] = "images.idx.gz";
    alloc_fail_each(load, plain);
    if (with_zlib()) alloc_fail_each(load, packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(bytes_are_read_packed_or_not), RUN(shorts_and_doubles_are_read), RUN(what_is_no_idx_is_refused),
        RUN(broken_gzip_is_refused),       RUN(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, why_setup, why_teardown);
}
