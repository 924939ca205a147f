/* Texts that grow, and sentences in them. */
#include "support/files.h"

#include <string.h>

static cr_text *text;
static int set_up(void **state) { return (void)state, (int)cr_text_new(&text, NULL); }
static int tear_down(void **state) { return cr_text_free(text), temp_remove(state); }

/* 2^12 times three letters: the block moves many times. */
TEST(a_text_is_appended_to_itself) {
    (void)state;
    cr_text_clear(text);
    cr_text_append(text, "abc");
    for (int i = 0; i < 12; i++) assert_int_equal(cr_text_append(text, cr_text_str(text)), CR_OK);
    assert_int_equal(cr_text_size(text), 3 << 12);
    for (size_t i = 0; i < cr_text_size(text); i++) assert_int_equal(cr_text_str(text)[i], "abc"[i % 3]);
    cr_text_append(text, cr_text_str(text) + cr_text_size(text) - 2);
    assert_string_equal(cr_text_str(text) + (3 << 12), "bc");
}

TEST(a_text_becomes_json_of_itself) {
    (void)state;
    cr_text_clear(text);
    cr_text_append(text, "a\"b");
    assert_int_equal(cr_text_json(text, cr_text_str(text)), CR_OK);
    assert_string_equal(cr_text_str(text), "a\"b\"a\\\"b\"");
}

/* Two failures in a row leave the second one's sentence alone. */
TEST(a_sentence_takes_the_place_of_the_one_before) {
    (void)state;
    cr_array *a = NULL;
    cr_model *m = NULL;
    cr_text_clear(text);
    assert_int_equal(cr_npy_load(&a, "no/first.npy", NULL, text), CR_EFILE);
    assert_int_equal(cr_idx_load(&a, "no/second.idx", NULL, text), CR_EFILE);
    assert_null(strstr(cr_text_str(text), "first"));
    assert_non_null(strstr(cr_text_str(text), "second.idx: cannot be opened"));
    assert_int_equal(cr_model_new(&m, "x +", 3, "third.cr", NULL, text), CR_ESYNTAX);
    assert_null(strstr(cr_text_str(text), "second"));
    assert_non_null(strstr(cr_text_str(text), "third.cr:1:4: expected"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_text_is_appended_to_itself),
        RUN(a_text_becomes_json_of_itself),
        RUN(a_sentence_takes_the_place_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
