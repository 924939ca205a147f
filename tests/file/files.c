/* Readers: what they accept, and the sentences about what they do not. */
#include "support/test.h"

#include "file/csv.h"
#include "file/npy.h"

static cr_text *why;
static const struct mem plain = {NULL, NULL};

static cr_status csv(cr_table **t, const char *s, size_t n) {
    cr_text_clear(why);
    return file_csv_parse(t, s, n, "t.csv", &plain, why);
}

#define CSV(t, text) csv(t, text, sizeof(text) - 1)

TEST(tables_of_every_habit_are_read) {
    (void)state;
    static const char *const texts[] = {
        "x,y\n1,2\n3,4\n",      "\xEF\xBB\xBFx,y\r\n1,2\r\n3,4",   "x;y\r1;2\r3;4\r",
        "x\ty\n1\t2\n\n3\t4\n", "# a comment\nx y\n 1  2 \n3 4\n", "\"x\" , \"y\"\n\"1\",2\n3, 4\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_table *t;
        if (csv(&t, texts[i], strlen(texts[i]))) fail_msg("%d: %s", (int)i, cr_text_str(why));
        assert_int_equal(cr_table_rows(t), 2);
        assert_int_equal(cr_table_columns(t), 2);
        assert_int_equal(cr_table_find(t, "y"), 1);
        assert_true(cr_table_column(t, 1)[1] == 4);
        cr_table_free(t);
    }
}

TEST(without_a_header_columns_are_numbered) {
    (void)state;
    cr_table *t;
    assert_int_equal(CSV(&t, "1,-2.5e3\nnan,\n"), CR_OK);
    assert_string_equal(cr_table_name(t, 1), "c2");
    assert_true(cr_table_column(t, 1)[0] == -2500);
    assert_true(isnan(cr_table_column(t, 0)[1]) && isnan(cr_table_column(t, 1)[1]));
    cr_table_free(t);
}

TEST(bad_tables_are_told_with_line_and_column) {
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "holds no data"},
        {"# only\n\n", "holds no data"},
        {"x,y\n1\n", "line 2 has 1 cells where the first has 2"},
        {"x,y\n1,2,3\n", "line 2 has 3"},
        {"x,y\n1,two\n", "line 2, column 'y': expected a number, found 'two'"},
        {"x;y\n1,5;2\n", "decimal point"},
        {"x,x\n1,2\n", "two columns are called 'x'"},
        {"x,y\n\"1,2\n", "a quote is not closed"},
        {"x,y\n1,\x01\x02\n", "found '\?\?'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_table *t = NULL;
        assert_int_equal(csv(&t, cases[i].text, strlen(cases[i].text)), CR_EFORMAT);
        assert_null(t);
        if (!strstr(cr_text_str(why), cases[i].says))
            fail_msg("%d: '%s' does not say '%s'", (int)i, cr_text_str(why), cases[i].says);
    }
    cr_table *t = NULL;
    assert_int_equal(CSV(&t, "x\0y,z\n1,2\n"), CR_EFORMAT);
}

/* ---- npy ---- */

static size_t npy_bytes(char *out, const char *header, const void *data, size_t n) {
    size_t length = strlen(header);
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (char)(length & 0xff);
    out[9] = (char)(length >> 8);
    memcpy(out + 10, header, length);
    if (n) memcpy(out + 10 + length, data, n);
    return 10 + length + n;
}

static cr_status npy(cr_array **a, const char *header, const void *data, size_t n) {
    static char bytes[4096];
    cr_text_clear(why);
    return file_npy_parse(a, bytes, npy_bytes(bytes, header, data, n), "t.npy", NULL, why);
}

TEST(arrays_of_every_order_are_read) {
    (void)state;
    const double plain_order[6] = {1, 2, 3, 4, 5, 6}, fortran[6] = {1, 4, 2, 5, 3, 6};
    const unsigned char big[4] = {0x3f, 0x80, 0, 0}, small[2] = {0xff, 0x7f};
    cr_array *a;
    assert_int_equal(npy(&a, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", plain_order,
                         sizeof plain_order),
                     CR_OK);
    assert_memory_equal(cr_array_data(a), plain_order, sizeof plain_order);
    cr_array_free(a);
    assert_int_equal(
        npy(&a, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", fortran, sizeof fortran),
        CR_OK);
    assert_memory_equal(cr_array_data(a), plain_order, sizeof plain_order);
    cr_array_free(a);
    assert_int_equal(npy(&a, "{'shape': (), 'descr': '>f4', 'fortran_order': False}", big, sizeof big),
                     CR_OK);
    assert_true(*(float *)cr_array_data(a) == 1);
    cr_array_free(a);
    assert_int_equal(
        npy(&a, "{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }", small, sizeof small), CR_OK);
    assert_int_equal(((int32_t *)cr_array_data(a))[0], -1);
    assert_int_equal(((int32_t *)cr_array_data(a))[1], 127);
    cr_array_free(a);
    assert_int_equal(npy(&a, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }", NULL, 0), CR_OK);
    assert_int_equal(cr_array_count(a), 0);
    cr_array_free(a);
}

TEST(bad_arrays_are_told_and_allocate_nothing) {
    (void)state;
    static const struct {
        const char *header, *says;
    } cases[] = {
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", "announces 48 bytes"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "Python objects"},
        {"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", "structured"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "not read"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", "overflow"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", "sizes"},
        {"{'descr': '<f8', 'fortran_order': False}", "missing"},
        {"{'descr': '<f8', 'descr': '<f8'}", "twice"},
        {"[1]", "dictionary"},
        {"{'descr': '<f8', 'fortran_order': 1}", "True or False"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }", "announces"},
        {"{", "key"},
        {"", "dictionary"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_array *a = NULL;
        cr_status status = npy(&a, cases[i].header, "12345678", 8);
        assert_true(status == CR_EFORMAT || status == CR_EDTYPE);
        assert_null(a);
        if (!strstr(cr_text_str(why), cases[i].says))
            fail_msg("%d: '%s' does not say '%s'", (int)i, cr_text_str(why), cases[i].says);
    }
}

TEST(what_is_no_npy_is_called_by_its_name) {
    (void)state;
    static const char *const cases[][2] = {
        {"PK\3\4xxxxxxxxxxxx", "zip archive"},  {"version https://git-lfs.github.com/spec/v1", "git-lfs"},
        {"<!DOCTYPE html><html>", "HTML"},      {"", "empty"},
        {"\x93NUMPY\7\0\1\1xxxx", "version 7"}, {"\x93NUMPY\1\0\xff\xffxx", "announced"}};
    for (size_t i = 0; i < 6; i++) {
        cr_array *a = NULL;
        cr_text_clear(why);
        assert_int_equal(file_npy_parse(&a, cases[i][0],
                                        i == 3  ? 0
                                        : i < 3 ? strlen(cases[i][0])
                                                : 12,
                                        "t.npy", NULL, why),
                         CR_EFORMAT);
        if (!strstr(cr_text_str(why), cases[i][1]))
            fail_msg("'%s' does not say '%s'", cr_text_str(why), cases[i][1]);
    }
}

TEST(what_is_saved_is_loaded) {
    (void)state;
    cr_array *a, *b;
    const char *path = "test_saved.npy";
    for (cr_dtype d = CR_BOOL; d <= CR_F64; d++) {
        if (d == CR_BF16) continue; /* becomes f32 */
        cr_array_new(&a, NULL, d, 2, (int64_t[]){2, 3});
        memset(cr_array_data(a), 1, cr_array_bytes(a));
        cr_text_clear(why);
        if (cr_npy_save(path, a, why) || cr_npy_load(&b, path, NULL, why)) fail_msg("%s", cr_text_str(why));
        assert_int_equal(cr_array_dtype(b), d);
        assert_memory_equal(cr_array_data(a), cr_array_data(b), cr_array_bytes(a));
        cr_array_free(a), cr_array_free(b);
    }
    remove(path);
}

TEST(a_file_is_written_whole_or_not_at_all) {
    (void)state;
    cr_text_clear(why);
    assert_int_equal(cr_file_write("test_written.txt", "old", 3, NULL, why), CR_OK);
    assert_int_equal(cr_file_write("no/such/folder/x", "new", 3, NULL, why), CR_EFILE);
    assert_int_equal(cr_file_write("/dev/full", "new", 3, NULL, why), CR_EFILE);
    assert_int_equal(cr_file_write(".", "new", 3, NULL, why), CR_EFILE);
    cr_array *a;
    assert_int_equal(cr_npy_load(&a, ".", NULL, why), CR_EFILE);
    assert_int_equal(cr_npy_load(&a, "no_such.npy", NULL, why), CR_EFILE);
    remove("test_written.txt");
}

static int setup(void **state) { return (void)state, (int)cr_text_new(&why, NULL); }
static int teardown(void **state) { return (void)state, cr_text_free(why), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(tables_of_every_habit_are_read),
        RUN(without_a_header_columns_are_numbered),
        RUN(bad_tables_are_told_with_line_and_column),
        RUN(arrays_of_every_order_are_read),
        RUN(bad_arrays_are_told_and_allocate_nothing),
        RUN(what_is_no_npy_is_called_by_its_name),
        RUN(what_is_saved_is_loaded),
        RUN(a_file_is_written_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
