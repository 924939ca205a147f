/* CSV files: the dialects of the world, and what is none. */
#define _XOPEN_SOURCE 700
#include "file/csv.h"
#include "support/why.h"

#include <locale.h>

static cr_table *load_bytes(const char *s, size_t n) {
    cr_table *t = NULL;
    cr_text_clear(why);
    if (cr_csv_load(&t, temp_file("good.csv", s, n), NULL, why)) fail_msg("%s", cr_text_str(why));
    assert_int_equal(cr_text_size(why), 0);
    return t;
}

/* names: "x y"; cells row by row. */
static void assert_table(const char *text, const char *names, int64_t rows, int columns,
                         const double cells[]) {
    cr_table *t = load_bytes(text, strlen(text));
    char all[256] = "";
    assert_int_equal(cr_table_rows(t), rows);
    assert_int_equal(cr_table_columns(t), columns);
    for (int k = 0; k < columns; k++) {
        if (k) strcat(all, " ");
        strcat(all, cr_table_name(t, k));
        for (int64_t i = 0; i < rows; i++) assert_ulps(cr_table_column(t, k)[i], cells[i * columns + k], 0);
    }
    assert_string_equal(all, names);
    cr_table_free(t);
}
#define CELLS(...) \
    (const double[]) { __VA_ARGS__ }

static void refuse_bytes(const char *s, size_t n, int facts, const char *const fact[]) {
    cr_table *t = (cr_table *)why;
    const char *path = temp_file("bad.csv", s, n);
    cr_text_clear(why);
    assert_says(cr_csv_load(&t, path, NULL, why), CR_EFORMAT, why, facts, fact);
    assert_says(CR_OK, CR_OK, why, FACTS("bad.csv: "));
    assert_null(t);
    assert_int_equal(cr_csv_load(&t, path, NULL, NULL), CR_EFORMAT); /* why may be NULL */
}

static void refuse(const char *s, int facts, const char *const fact[]) {
    refuse_bytes(s, strlen(s), facts, fact);
}

/* ---- Dialects ---- */

TEST(a_first_row_that_is_not_all_numbers_is_a_header) {
    (void)state;
    assert_table("x,y\n1,2\n3,4\n", "x y", 2, 2, CELLS(1, 2, 3, 4));
    assert_table("1,y\n3,4\n", "1 y", 1, 2, CELLS(3, 4));
    assert_table("x,y\n", "x y", 0, 2, NULL);
}

TEST(without_a_header_columns_are_c1_c2) {
    (void)state;
    assert_table("1,2\n3,4\n", "c1 c2", 2, 2, CELLS(1, 2, 3, 4));
    assert_table("\"1\",\"2\"\n3,4\n", "c1 c2", 2, 2, CELLS(1, 2, 3, 4));
    assert_table("nan,-inf\n", "c1 c2", 1, 2, CELLS(NAN, -INFINITY));
    assert_table("5", "c1", 1, 1, CELLS(5));
}

TEST(a_header_cell_without_text_is_named_by_its_place) {
    (void)state;
    assert_table(",y\n1,2\n", "c1 y", 1, 2, CELLS(1, 2));
    assert_table("\ty\n1\t2\n", "c1 y", 1, 2, CELLS(1, 2));
}

TEST(commas_semicolons_tabs_and_blanks_separate) {
    (void)state;
    assert_table("x;y\n1;2\n", "x y", 1, 2, CELLS(1, 2));
    assert_table("x\ty\n1\t2\n", "x y", 1, 2, CELLS(1, 2));
    assert_table("  x   y  \n 1     2 \n3 4\n5\t6\n", "x y", 3, 2, CELLS(1, 2, 3, 4, 5, 6));
    assert_table("a, b;y\n1;2\n", "a, b y", 1, 2, CELLS(1, 2));
    assert_table("\"a;b\",y\n1,2\n", "a;b y", 1, 2, CELLS(1, 2));
}

TEST(lines_end_as_they_like) {
    (void)state;
    assert_table("x,y\r\n1,2\r\n3,4\r\n", "x y", 2, 2, CELLS(1, 2, 3, 4));
    assert_table("x,y\r1,2\r3,4\r", "x y", 2, 2, CELLS(1, 2, 3, 4));
    assert_table("x,y\n1,2\n3,4", "x y", 2, 2, CELLS(1, 2, 3, 4));
    assert_table("x,y\r\n1,2\n3,4\r5,6", "x y", 3, 2, CELLS(1, 2, 3, 4, 5, 6));
}

TEST(a_byte_order_mark_is_passed_over) {
    (void)state;
    assert_table("\xEF\xBB\xBFx,y\n1,2\n", "x y", 1, 2, CELLS(1, 2));
}

TEST(empty_lines_and_comments_are_passed_over) {
    (void)state;
    assert_table("# made by hand, 2020\n\n  \nx,y\n# more\n1,2\n\n\n 3,4\n#5,6", "x y", 2, 2,
                 CELLS(1, 2, 3, 4));
}

TEST(quotes_hold_separators_doubled_quotes_and_line_ends) {
    (void)state;
    assert_table("\"a \"\"b\"\"\",\"c\nd\"\n\"1\", \" 2 \" \n3,4\n", "a \"b\" c\nd", 2, 2, CELLS(1, 2, 3, 4));
    refuse("\"a\r\nb\",y\n1,2\n3,z\n", FACTS("line 4, column 'y'"));
}

TEST(blanks_around_cells_do_not_count) {
    (void)state;
    assert_table(" x , y \n 1 ,\t2 \n", "x y", 1, 2, CELLS(1, 2));
}

TEST(no_number_is_nan) {
    (void)state;
    assert_table("x,y,z,u\n,NA,nan,NULL\n-nan, ,Na,\"\"\n", "x y z u", 2, 4,
                 CELLS(NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN));
    assert_table("x\ty\n1\t\n\t\n", "x y", 2, 2, CELLS(1, NAN, NAN, NAN));
}

TEST(numbers_have_signs_exponents_and_infinities) {
    (void)state;
    assert_table(
        "x\n+1\n-1.5e-3\n.5\n5.\n1E5\n-Inf\ninfinity\n1e400\n-0\n0.1\n123456789012345.6\n9007199254740993\n",
        "x", 12, 1,
        CELLS(1, -1.5e-3, .5, 5, 1e5, -INFINITY, INFINITY, INFINITY, -0.0, 0.1, 123456789012345.6,
              9007199254740992));
}

/* strtod is the judge: it rounds correctly. */
TEST(numbers_of_up_to_20_digits_round_as_strtod_does) {
    (void)state;
    enum { count = 5000 };
    static char s[count * 24];
    size_t n = 0;
    uint64_t r = 1;
    for (int i = 0; i < count; i++) {
        int digits = 1 + i % 20, point = i % 23;
        for (int k = 0; k < digits; k++) {
            r = r * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
            if (k == point) s[n++] = '.';
            s[n++] = (char)('0' + (r >> 33) % 10);
        }
        s[n++] = '\n';
    }
    cr_table *t = load_bytes(s, n);
    assert_int_equal(cr_table_rows(t), count);
    char *at = s;
    for (int i = 0; i < count; i++) assert_true(cr_table_column(t, 0)[i] == strtod(at, &at));
    cr_table_free(t);
}

TEST(numbers_read_the_same_in_every_locale) {
    (void)state;
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8")) skip();
    assert_table("x;y\n1.5;1.23456789012345678e5\n", "x y", 1, 2, CELLS(1.5, 1.23456789012345678e5));
    setlocale(LC_ALL, "C");
}

TEST(names_are_found_and_those_outside_are_not) {
    (void)state;
    cr_table *t = load_bytes("gr\303\266\303\237e,y\n1,2\n", 14);
    assert_int_equal(cr_table_find(t, "gr\303\266\303\237e"), 0);
    assert_int_equal(cr_table_find(t, "y"), 1);
    assert_int_equal(cr_table_find(t, "z"), -1);
    assert_int_equal(cr_table_find(t, NULL), -1);
    assert_null(cr_table_name(t, 2));
    assert_null(cr_table_name(t, -1));
    assert_null(cr_table_column(t, 2));
    cr_table_free(t);
    cr_table_free(NULL);
    assert_int_equal(cr_table_rows(NULL), 0);
    assert_int_equal(cr_table_columns(NULL), 0);
    assert_null(cr_table_name(NULL, 0));
    assert_int_equal(cr_csv_load(NULL, "x", NULL, NULL), CR_EINVAL);
    assert_int_equal(cr_csv_load(&t, NULL, NULL, NULL), CR_EINVAL);
}

/* ---- What is no table of numbers ---- */

TEST(ragged_rows_are_refused_with_line_and_counts) {
    (void)state;
    refuse("x,y\n1,2\n3\n", FACTS("line 3 has 1 cell,", "expected 2 as in line 1"));
    refuse("# note\nx,y\n1,2,3\n", FACTS("line 3 has 3 cells", "expected 2 as in line 2"));
    refuse("x,y\n1,2,\n", FACTS("line 2 has 3 cells"));
}

TEST(a_cell_that_is_no_number_is_shown) {
    (void)state;
    refuse("x,y\n1,2\n3,abc\n", FACTS("line 3, column 'y'", "expected a number", "'abc'"));
    refuse("x\r1\r0x10\r", FACTS("line 3, column 'x'", "'0x10'"));
    refuse("x\n1e\n", FACTS("'1e'"));
    refuse("x,y\n1,+-2\n", FACTS("'+-2'"));
    refuse("x,y\n1,1 2\n", FACTS("'1 2'"));
    refuse("x,y\n1,-\n", FACTS("'-'"));
    refuse("x\n1234567890123456789012345678901234567890a\n",
           FACTS("'1234567890123456789012345678901234567890...'"));
    refuse("x\n\x1b[2J\xff\xc3\xb6\n", FACTS("'\\x1b[2J\\xff\xc3\xb6'"));
}

TEST(a_decimal_comma_is_refused_with_a_hint) {
    (void)state;
    refuse("x;y\n1,5;2\n", FACTS("line 2, column 'x'", "'1,5'", "decimal point as '.'"));
    refuse("x,y\n\"1,234\",2\n", FACTS("'1,234'", "decimal point as '.'"));
}

TEST(quotes_must_close_and_stand_alone) {
    (void)state;
    refuse("x,y\n1,\"2\n3,4\n", FACTS("line 2", "a quote is opened, but not closed"));
    refuse("\"x,y\n1,2\n", FACTS("line 1", "not closed"));
    refuse("x,y\n1,\"2\"3\n", FACTS("line 2", "expected a separator after the closing quote", "'3"));
    refuse("x,y\n1,\"2\" 3\n", FACTS("line 2", "expected a separator"));
}

TEST(bytes_that_are_no_text_are_refused) {
    (void)state;
    refuse_bytes("x,y\n1,\0002\n", 9, FACTS("line 2: a NUL byte"));
    refuse("x,\xff\xfe\n1,2\n", FACTS("line 1: the name of column 2, '\\xff\\xfe', is not UTF-8"));
    refuse("\xff\xfex", FACTS("UTF-16"));
    refuse("PK\3\4xxxx", FACTS("is no CSV file but a zip archive"));
    refuse("<!DOCTYPE html>\n", FACTS("an HTML or XML page"));
    refuse("version https://git-lfs.github.com/spec/v1\n", FACTS("a git-lfs pointer"));
}

TEST(a_file_without_data_is_refused) {
    (void)state;
    refuse("", FACTS("is empty"));
    refuse("\xEF\xBB\xBF", FACTS("holds no data"));
    refuse("# only\n\n   \n", FACTS("holds no data"));
}

TEST(two_columns_of_one_name_are_refused) {
    (void)state;
    refuse("x,y,x\n1,2,3\n", FACTS("line 1: two columns are called 'x'"));
    refuse(",c1\n1,2\n", FACTS("two columns are called 'c1'"));
}

TEST(too_many_columns_are_refused) {
    (void)state;
    static char s[200002];
    memset(s, ',', sizeof s);
    s[200001] = 0;
    refuse(s, FACTS("more than 100000 columns"));
}

/* ---- Memory ---- */

static size_t peak(const char *s, size_t n, cr_status expected) {
    struct failing f = {0};
    struct mem m = {.fn = failing_realloc, .user = &f};
    cr_table *t = NULL;
    assert_int_equal(file_csv_parse(&t, &(struct csv_text){s, n, "peak", 0, NULL}, &m, NULL), expected);
    cr_table_free(t);
    assert_int_equal(f.live, 0);
    return f.peak;
}

TEST(memory_is_at_most_8_bytes_for_each_of_the_file) {
    (void)state;
    enum { n = 400000 };
    static char s[n];
    memset(s, '\n', n); /* many columns, then empty lines that might have been rows */
    memset(s, ',', 1000);
    assert_true(peak(s, n, CR_OK) < 8 * n + 200000);
    for (int i = 0; i < n; i++) s[i] = i % 2 ? '\n' : '1';
    assert_true(peak(s, n, CR_OK) <
                8 * n + 20000); /* 8 for "1\n", and as many while the last resize moves them */
}

static cr_status load_each(cr_context *ctx, void *arg) {
    (void)arg;
    static const char *const texts[] = {"x,y\n1,2\n#\n3,4\n", "1 2\n", "\"a\"\"b\",\"c\"\n1,x\n", "x,x\n",
                                        "x,y\n1\n"};
    cr_status status = CR_OK;
    for (size_t i = 0; i < sizeof texts / sizeof *texts && status != CR_ENOMEM; i++) {
        cr_table *t = NULL;
        cr_text *text = NULL;
        status = cr_text_new(&text, ctx);
        if (!status) status = cr_csv_load(&t, temp_file("each.csv", texts[i], strlen(texts[i])), ctx, text);
        if (status == CR_EFORMAT && i >= 2) status = CR_OK;
        cr_table_free(t);
        cr_text_free(text);
    }
    return status;
}

TEST(no_failing_allocation_leaks) {
    (void)state;
    alloc_fail_each(load_each, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_first_row_that_is_not_all_numbers_is_a_header),
        RUN(without_a_header_columns_are_c1_c2),
        RUN(a_header_cell_without_text_is_named_by_its_place),
        RUN(commas_semicolons_tabs_and_blanks_separate),
        RUN(lines_end_as_they_like),
        RUN(a_byte_order_mark_is_passed_over),
        RUN(empty_lines_and_comments_are_passed_over),
        RUN(quotes_hold_separators_doubled_quotes_and_line_ends),
        RUN(blanks_around_cells_do_not_count),
        RUN(no_number_is_nan),
        RUN(numbers_have_signs_exponents_and_infinities),
        RUN(numbers_of_up_to_20_digits_round_as_strtod_does),
        RUN(numbers_read_the_same_in_every_locale),
        RUN(names_are_found_and_those_outside_are_not),
        RUN(ragged_rows_are_refused_with_line_and_counts),
        RUN(a_cell_that_is_no_number_is_shown),
        RUN(a_decimal_comma_is_refused_with_a_hint),
        RUN(quotes_must_close_and_stand_alone),
        RUN(bytes_that_are_no_text_are_refused),
        RUN(a_file_without_data_is_refused),
        RUN(two_columns_of_one_name_are_refused),
        RUN(too_many_columns_are_refused),
        RUN(memory_is_at_most_8_bytes_for_each_of_the_file),
        RUN(no_failing_allocation_leaks),
    };
    return cmocka_run_group_tests(tests, why_setup, why_teardown);
}
