/* Text for pages and pictures. */
#include "base/text.h"

#include "support/test.h"

static void gives(void (*write)(struct cr_text *, const char *, size_t), const char *s, size_t n,
                  const char *expected) {
    const struct mem plain = {0};
    struct cr_text t = text_make(&plain);
    write(&t, s, n);
    assert_string_equal(cr_text_str(&t), expected);
    text_drop(&t);
}

TEST(markup_writes_signs_out_and_keeps_lines_and_tabs) {
    (void)state;
    static const char s[] = "a<b>&\"c\"\x01\n\td\0e";
    gives(text_markup, s, sizeof s - 1, "a&lt;b&gt;&amp;&quot;c&quot; \n\td e");
    gives(text_markup, "\xe2\x88\x82x", 4, "\xe2\x88\x82x");
}

TEST(markup_on_one_line_has_blanks_for_them) {
    (void)state;
    gives(text_markup_line, "a<b\n\tc\x1f", 7, "a&lt;b  c ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(markup_writes_signs_out_and_keeps_lines_and_tabs),
        RUN(markup_on_one_line_has_blanks_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
