/* npy files: those of NumPy (tests/data/npy), and those of nobody's good will. */
#define _XOPEN_SOURCE 700
#include "base/context.h"
#include "file/npy.h"
#include "support/why.h"

static const char *data_path(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/npy/%s.npy", TEST_DATA, name);
    return path;
}

static cr_array *load(const char *path) {
    cr_array *a = NULL;
    cr_text_clear(why);
    if (cr_npy_load(&a, path, NULL, why)) fail_msg("%s", cr_text_str(why));
    assert_int_equal(cr_text_size(why), 0);
    return a;
}

static double number(cr_array *a, int64_t i) {
    cr_array *wide = NULL;
    assert_int_equal(cr_array_cast(&wide, a, CR_F64), CR_OK);
    double x = ((double *)cr_array_data(wide))[i];
    cr_array_free(wide);
    return x;
}

static void assert_counts(const char *name, cr_dtype dtype, int rank, const int64_t dims[]) {
    cr_array *a = load(data_path(name));
    assert_int_equal(cr_array_dtype(a), dtype);
    assert_int_equal(cr_array_rank(a), rank);
    for (int k = 0; k < rank; k++) assert_int_equal(cr_array_dims(a)[k], dims[k]);
    for (int64_t i = 0; i < cr_array_count(a); i++) assert_true(number(a, i) == (double)i);
    cr_array_free(a);
}

/* A file of version 1.0 with this header and n bytes of numbers, all 0. */
static size_t make(char out[4096], const char *header, size_t n) {
    size_t length = strlen(header);
    memset(out, 0, 4096);
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (char)(length & 0xff);
    out[9] = (char)(length >> 8);
    memcpy(out + 10, header, length);
    return 10 + length + n;
}

static void refuse_bytes(const char *s, size_t n, int facts, const char *const fact[]) {
    cr_array *a = (cr_array *)why;
    const char *path = temp_file("bad.npy", s, n);
    cr_text_clear(why);
    assert_says(cr_npy_load(&a, path, NULL, why), CR_EFORMAT, why, facts, fact);
    assert_says(CR_OK, CR_OK, why, FACTS("bad.npy: "));
    assert_null(a);
    assert_int_equal(cr_npy_load(&a, path, NULL, NULL), CR_EFORMAT); /* why may be NULL */
}

static void refuse_header(const char *header, int facts, const char *const fact[]) {
    char s[4096];
    refuse_bytes(s, make(s, header, 48), facts, fact);
}

static void refuse_data(const char *name, const char *fact) {
    cr_array *a = NULL;
    cr_text_clear(why);
    assert_says(cr_npy_load(&a, data_path(name), NULL, why), CR_EFORMAT, why, FACTS(fact, name));
}

/* ---- What NumPy writes ---- */

TEST(every_dtype_is_read_in_both_byte_orders) {
    (void)state;
    static const struct {
        const char *name;
        cr_dtype dtype;
    } known[] = {{"i1", CR_I32}, {"i2", CR_I32}, {"i4", CR_I32}, {"i8", CR_I64},
                 {"u1", CR_I32}, {"u2", CR_I32}, {"u4", CR_I64}, {"u8", CR_I64},
                 {"f2", CR_F16}, {"f4", CR_F32}, {"f8", CR_F64}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        for (int big = 0; big < 2; big++) {
            char name[32];
            snprintf(name, sizeof name, "%s_%s", big ? "big" : "little", known[i].name);
            assert_counts(name, known[i].dtype, 2, (int64_t[]){2, 3});
        }
}

TEST(bools_are_read) {
    (void)state;
    cr_array *a = load(data_path("bool"));
    assert_int_equal(cr_array_dtype(a), CR_BOOL);
    assert_memory_equal(cr_array_data(a), "\0\1\0\1\0\1", 6);
    cr_array_free(a);
}

TEST(fortran_order_becomes_row_major) {
    (void)state;
    assert_counts("fortran", CR_F64, 3, (int64_t[]){2, 3, 4});
    assert_counts("fortran_big_i2", CR_I32, 3, (int64_t[]){2, 3, 4});
}

TEST(versions_2_and_3_are_read) {
    (void)state;
    assert_counts("version2", CR_F64, 2, (int64_t[]){2, 3});
    assert_counts("version3", CR_F64, 2, (int64_t[]){2, 3});
}

TEST(a_scalar_has_rank_0_and_an_empty_array_no_numbers) {
    (void)state;
    cr_array *a = load(data_path("scalar"));
    assert_int_equal(cr_array_rank(a), 0);
    assert_true(number(a, 0) == 2.5);
    cr_array_free(a);
    assert_counts("empty", CR_F32, 2, (int64_t[]){0, 3});
}

TEST(rank_16_is_read_and_17_refused) {
    (void)state;
    assert_counts("rank16", CR_F64, 16, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2});
    refuse_data("rank17", "more than 16 axes");
}

TEST(the_extremes_of_integers_keep_their_value) {
    (void)state;
    cr_array *a = load(data_path("extremes_i1")), *b = load(data_path("extremes_i8")),
             *c = load(data_path("extremes_u4"));
    assert_int_equal(((int32_t *)cr_array_data(a))[0], -128);
    assert_int_equal(((int32_t *)cr_array_data(a))[1], 127);
    assert_true(((int64_t *)cr_array_data(b))[0] == INT64_MIN);
    assert_true(((int64_t *)cr_array_data(b))[1] == INT64_MAX);
    assert_true(((int64_t *)cr_array_data(c))[1] == UINT32_MAX);
    cr_array_free(a);
    cr_array_free(b);
    cr_array_free(c);
}

TEST(an_unsigned_number_beyond_i64_is_refused_with_its_value) {
    (void)state;
    refuse_data("beyond_i64", "number 2 is 9223372036854775808");
}

TEST(nan_infinities_and_denormals_keep_their_bits) {
    (void)state;
    double expected[] = {NAN, INFINITY, -INFINITY, -0.0, 5e-324};
    cr_array *a = load(data_path("special"));
    assert_true(isnan(number(a, 0)));
    assert_memory_equal((double *)cr_array_data(a) + 1, expected + 1, 4 * sizeof(double));
    cr_array_free(a);
}

TEST(what_is_no_array_of_numbers_is_named) {
    (void)state;
    refuse_data("objects", "objects of Python");
    refuse_data("structured", "not a structured one with named fields");
    refuse_data("complex", "complex numbers");
    refuse_data("text", "text");
    refuse_data("dates", "dates or times");
}

/* ---- What is not npy ---- */

TEST(other_formats_are_told_by_name) {
    (void)state;
    static const struct {
        const char *bytes, *fact;
    } known[] = {{"PK\3\4..........", "a zip archive (npz"},
                 {"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a git-lfs pointer"},
                 {"<!DOCTYPE html><html>", "an HTML or XML page"},
                 {"\n  <html>", "an HTML or XML page"},
                 {"\x80\4\x95........", "a Python pickle"},
                 {"\x1f\x8b\10.......", "gzip"},
                 {"\x89HDF\r\n\x1a\n....", "an HDF5 file"},
                 {"1,2\n3,4\n", "starts with '1,2\\x0a3,4\\x0a', expected '\\x93NUMPY'"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        refuse_bytes(known[i].bytes, strlen(known[i].bytes), FACTS("is no npy file", known[i].fact));
    char path[1024];
    cr_array *a = NULL;
    cr_text_clear(why);
    snprintf(path, sizeof path, "%s/npy/archive.npz", TEST_DATA);
    assert_says(cr_npy_load(&a, path, NULL, why), CR_EFORMAT, why,
                FACTS("archive.npz", "a zip archive (npz"));
}

TEST(an_empty_file_is_refused) {
    (void)state;
    refuse_bytes("", 0, FACTS("is empty"));
}

TEST(an_unknown_version_is_refused) {
    (void)state;
    char s[4096];
    size_t n = make(s, "{}", 0);
    s[6] = 4;
    refuse_bytes(s, n, FACTS("version 4.0", "expected 1.0, 2.0 or 3.0"));
    s[6] = 1, s[7] = 1;
    refuse_bytes(s, n, FACTS("version 1.1"));
}

static cr_status parse(cr_array **out, const char *s, size_t n, const char *path) {
    struct mem mem = context_mem(NULL);
    struct stream in = stream_of(s, n, path, &mem, why);
    return file_npy_parse(out, &in);
}

TEST(a_file_cut_anywhere_is_refused) {
    (void)state;
    char s[4096];
    size_t n = make(s, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n", 48);
    for (size_t i = 0; i < n; i++) {
        cr_array *a = NULL;
        cr_text_clear(why);
        assert_int_equal(parse(&a, s, i, "cut"), CR_EFORMAT);
        assert_non_null(strstr(cr_text_str(why), i == 0   ? "is empty"
                                                 : i < 70 ? "bytes long, but the file has only"
                                                          : "cut off"));
    }
    refuse_bytes(s, n - 1, FACTS("cut off", "6 numbers of 8 bytes, 48 bytes, and 47 follow"));
}

TEST(bytes_after_the_numbers_are_refused) {
    (void)state;
    char s[4096];
    size_t n = make(s, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 48);
    cr_array *a = NULL;
    refuse_bytes(s, n + 1, FACTS("more than one array", "48 bytes, and more follow"));
    assert_int_equal(parse(&a, s, n + 1, "memory"), CR_EFORMAT);
}

TEST(a_header_longer_than_the_file_is_refused) {
    (void)state;
    char s[4096];
    size_t n = make(s, "{}", 0);
    s[8] = s[9] = (char)0xff;
    refuse_bytes(s, n, FACTS("65545 bytes long, but the file has only 12"));
    memcpy(s + 6, "\2\0\xff\xff\xff\xff", 6);
    refuse_bytes(s, 12, FACTS("4294967307 bytes long, but the file has only 12"));
}

TEST(a_header_that_lies_is_refused) {
    (void)state;
#define HEAD "{'descr': '<f8', 'fortran_order': False, 'shape': "
    refuse_header(HEAD "(4294967296, 4294967296)}",
                  FACTS("product of the sizes of the shape is beyond 2^56"));
    refuse_header(HEAD "(0, 72057594037927936, 2)}", FACTS("product of the sizes"));
    refuse_header(HEAD "(99999999999999999999999,)}", FACTS("at most 2^56", "9999"));
    refuse_header(HEAD "(-3,)}", FACTS("not negative", "-3"));
    refuse_header(HEAD "(2.0,)}", FACTS("',' in the shape", ".0"));
    refuse_header(HEAD "(1e3,)}", FACTS("',' in the shape"));
    refuse_header(HEAD "(6)}", FACTS("',' in the shape"));
    refuse_header(HEAD "(,)}", FACTS("a size of the shape"));
    refuse_header(HEAD "[6]}", FACTS("a shape: '('", "[6]"));
    refuse_header(HEAD "(6,)", FACTS("expected ',' or '}', found its end"));
    refuse_header(HEAD "(6,)} x", FACTS("blanks after the dictionary", "x"));
    refuse_header(HEAD "(6,), 'shape': (6,)}", FACTS("each once", "'shape': (6,)"));
    refuse_header(HEAD "(6,), 'extra': 1}", FACTS("the keys descr, fortran_order and shape", "extra"));
    refuse_header("{'descr': '<f8', 'fortran_order': False, }", FACTS("'shape' is missing"));
    refuse_header("{'descr': '<f8', 'shape': (6,), }", FACTS("'fortran_order' is missing"));
    refuse_header("{'fortran_order': False, 'shape': (6,), }", FACTS("'descr' is missing"));
    refuse_header("{'descr': '<f8', 'fortran_order': 0, 'shape': (6,), }", FACTS("True or False", "0"));
    refuse_header("{'descr': \"<f8', 'shape': (6,), }", FACTS("a dtype in quotes"));
    refuse_header("{descr: '<f8'}", FACTS("a key in quotes"));
    refuse_header("{'descr' '<f8'}", FACTS("expected ':'"));
    refuse_header("['descr']", FACTS("a dictionary: '{'"));
    refuse_header("", FACTS("a dictionary: '{', found its end"));
    refuse_header("{'descr': '\x1b[2J'}", FACTS("\\x1b[2J", "something unknown"));
    refuse_header("{'descr': '=f8', 'fortran_order': False, 'shape': (6,), }", FACTS("byte order", "=f8"));
    refuse_header("{'descr': '<f16', 'fortran_order': False, 'shape': (3,), }", FACTS("<f16", "of a size"));
    refuse_header("{'descr': '|f8', 'fortran_order': False, 'shape': (6,), }", FACTS("byte order"));
    refuse_header("{'descr': '', 'fortran_order': False, 'shape': (6,), }", FACTS("dtype ''"));
}

TEST(deep_nesting_is_refused_at_the_first_bracket) {
    (void)state;
    char header[4000] = "{'descr': ";
    memset(header + 10, '[', 3000);
    refuse_header(header, FACTS("not a structured one"));
}

/* ---- Memory ---- */

TEST(a_tiny_file_that_asks_for_gigabytes_takes_no_memory) {
    (void)state;
    char s[4096];
    const char *header[] = {HEAD "(1000000000,)}", HEAD "(1000000000000,)}"};
    for (int i = 0; i < 2; i++) {
        struct failing f = {0};
        cr_context *ctx = NULL;
        cr_array *a = NULL;
        assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &f), CR_OK);
        const char *path = temp_file("greedy.npy", s, make(s, header[i], 0));
        assert_int_equal(cr_npy_load(&a, path, ctx, NULL), CR_EFORMAT);
        assert_true(f.peak < 4096);
        cr_context_free(ctx);
        assert_int_equal(f.live, 0);
    }
}

static cr_status load_each(cr_context *ctx, void *arg) {
    (void)arg;
    static const char *const names[] = {"fortran", "little_u2", "little_f8", "objects", "version3"};
    cr_status status = CR_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && status != CR_ENOMEM; i++) {
        cr_array *a = NULL;
        cr_text *text = NULL;
        status = cr_text_new(&text, ctx);
        if (!status) status = cr_npy_load(&a, data_path(names[i]), ctx, text);
        if (status == CR_EFORMAT && strcmp(names[i], "objects") == 0) status = CR_OK;
        cr_array_free(a);
        cr_text_free(text);
    }
    return status;
}

TEST(no_failing_allocation_leaks) {
    (void)state;
    alloc_fail_each(load_each, NULL);
}

/* ---- Saving ---- */

TEST(what_is_saved_is_loaded_again) {
    (void)state;
    static const cr_dtype dtypes[] = {CR_BOOL, CR_I32, CR_I64, CR_F16, CR_F32, CR_F64};
    static const int64_t dims[] = {2, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2};
    for (size_t i = 0; i < 6; i++)
        for (int rank = 0; rank <= 16; rank++) {
            cr_array *a = NULL;
            assert_int_equal(cr_array_new(&a, NULL, dtypes[i], rank, dims), CR_OK);
            for (size_t k = 0; k < cr_array_bytes(a); k++)
                ((unsigned char *)cr_array_data(a))[k] = (unsigned char)(dtypes[i] ? k * 7 : k & 1);
            assert_int_equal(cr_npy_save(temp_path("saved.npy"), a, NULL), CR_OK);
            cr_array *b = load(temp_path("saved.npy"));
            assert_int_equal(cr_array_dtype(b), dtypes[i]);
            assert_int_equal(cr_array_rank(b), rank);
            assert_memory_equal(cr_array_dims(b), dims, (size_t)rank * sizeof *dims);
            assert_memory_equal(cr_array_data(a), cr_array_data(b), cr_array_bytes(a));
            cr_array_free(a);
            cr_array_free(b);
        }
}

/* NumPy 2.4.6 wrote tests/data/npy/little_f8.npy from the same numbers. */
TEST(the_file_is_numpys_byte_for_byte) {
    (void)state;
    double x[] = {0, 1, 2, 3, 4, 5};
    char expected[176];
    cr_array *a = NULL;
    FILE *f = fopen(data_path("little_f8"), "rb");
    assert_non_null(f);
    assert_int_equal(fread(expected, 1, sizeof expected, f), sizeof expected);
    fclose(f);
    assert_int_equal(cr_array_new(&a, NULL, CR_F64, 2, (int64_t[]){2, 3}), CR_OK);
    memcpy(cr_array_data(a), x, sizeof x);
    assert_int_equal(cr_npy_save(temp_path("saved.npy"), a, NULL), CR_OK);
    cr_array_free(a);
    /* NumPy pads the dictionary itself, so that it may grow in place: the blanks end at the same 128 bytes.
     */
    assert_true(file_is(temp_path("saved.npy"), expected, sizeof expected));
}

TEST(bf16_is_saved_as_f32) {
    (void)state;
    cr_array *a = NULL;
    assert_int_equal(cr_array_new(&a, NULL, CR_BF16, 1, (int64_t[]){2}), CR_OK);
    memcpy(cr_array_data(a), (uint16_t[]){0x3fc0, 0xc000}, 4); /* 1.5, -2 */
    assert_int_equal(cr_npy_save(temp_path("saved.npy"), a, NULL), CR_OK);
    cr_array_free(a);
    a = load(temp_path("saved.npy"));
    assert_int_equal(cr_array_dtype(a), CR_F32);
    assert_true(number(a, 0) == 1.5 && number(a, 1) == -2);
    cr_array_free(a);
}

TEST(a_place_that_is_not_there_fails_with_the_path) {
    (void)state;
    cr_array *a = NULL;
    assert_int_equal(cr_array_new(&a, NULL, CR_F64, 0, NULL), CR_OK);
    cr_text_clear(why);
    assert_says(cr_npy_save("/no/such/place.npy", a, why), CR_EFILE, why,
                FACTS("/no/such/place.npy", "cannot be written", "No such file"));
    cr_array_free(a);
}

TEST(missing_objects_are_invalid) {
    (void)state;
    cr_array *a = NULL;
    assert_int_equal(cr_npy_load(NULL, "x", NULL, NULL), CR_EINVAL);
    assert_int_equal(cr_npy_load(&a, NULL, NULL, NULL), CR_EINVAL);
    assert_int_equal(cr_npy_save("x", NULL, NULL), CR_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_dtype_is_read_in_both_byte_orders),
        RUN(bools_are_read),
        RUN(fortran_order_becomes_row_major),
        RUN(versions_2_and_3_are_read),
        RUN(a_scalar_has_rank_0_and_an_empty_array_no_numbers),
        RUN(rank_16_is_read_and_17_refused),
        RUN(the_extremes_of_integers_keep_their_value),
        RUN(an_unsigned_number_beyond_i64_is_refused_with_its_value),
        RUN(nan_infinities_and_denormals_keep_their_bits),
        RUN(what_is_no_array_of_numbers_is_named),
        RUN(other_formats_are_told_by_name),
        RUN(an_empty_file_is_refused),
        RUN(an_unknown_version_is_refused),
        RUN(a_file_cut_anywhere_is_refused),
        RUN(bytes_after_the_numbers_are_refused),
        RUN(a_header_longer_than_the_file_is_refused),
        RUN(a_header_that_lies_is_refused),
        RUN(deep_nesting_is_refused_at_the_first_bracket),
        RUN(a_tiny_file_that_asks_for_gigabytes_takes_no_memory),
        RUN(no_failing_allocation_leaks),
        RUN(what_is_saved_is_loaded_again),
        RUN(the_file_is_numpys_byte_for_byte),
        RUN(bf16_is_saved_as_f32),
        RUN(a_place_that_is_not_there_fails_with_the_path),
        RUN(missing_objects_are_invalid),
    };
    return cmocka_run_group_tests(tests, why_setup, why_teardown);
}
