/* Observations that are windows of a sequence or a text, and texts that go on. */
#include "support/test.h"

struct course {
    cr_model *m;
    cr_store *s;
    cr_train *t;
};

static struct course course_of(const char *text) {
    struct course c;
    cr_text *why;
    cr_text_new(&why, NULL);
    if (cr_model_new(&c.m, text, strlen(text), NULL, NULL, why)) fail_msg("%s", cr_text_str(why));
    cr_text_free(why);
    assert_int_equal(cr_store_new(&c.s, NULL), CR_OK);
    assert_int_equal(cr_train_new(&c.t, c.m, c.s, NULL), CR_OK);
    return c;
}

static void leave(struct course *c) {
    cr_train_free(c->t);
    cr_store_free(c->s);
    cr_model_free(c->m);
}

static cr_array *count_up(int rank, const int64_t dims[]) {
    cr_array *a = NULL;
    assert_int_equal(cr_array_new(&a, NULL, CR_F64, rank, dims), CR_OK);
    for (int64_t i = 0; i < cr_array_count(a); i++) ((double *)cr_array_data(a))[i] = (double)i;
    return a;
}

/* What the model calls y, for all observations, in batches of two. */
static void predicts(struct course *c, int64_t rows, int64_t count, const double expected[]) {
    cr_array *y = NULL, *wide = NULL;
    cr_train_set(c->t, "batch", "2");
    if (cr_train_predict(&y, c->t, "y")) fail_msg("%s", cr_train_error(c->t));
    assert_int_equal(cr_array_dims(y)[0], rows);
    assert_int_equal(cr_array_count(y), count);
    assert_int_equal(cr_array_cast(&wide, y, CR_F64), CR_OK);
    assert_memory_equal(cr_array_data(wide), expected, (size_t)count * sizeof *expected);
    cr_array_free(wide);
    cr_array_free(y);
}

TEST(windows_of_a_sequence_are_observations) {
    (void)state;
    struct course c = course_of("input s: f64[batch, n]\ny = s + 1\nloss = mean(y)\n");
    cr_array *s = count_up(1, (int64_t[]){11});
    assert_int_equal(cr_train_windows(c.t, "s", s, 4, 3), CR_OK); /* from 0, 3 and 6; 10 is left over */
    predicts(&c, 3, 12, (const double[]){1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10});
    leave(&c);
    cr_array_free(s);
}

/* f64 [3, 2] for an f32 input: windows overlap in the cast copy as in the data. */
TEST(rows_of_a_sequence_may_be_tensors) {
    (void)state;
    struct course c = course_of("input s: f32[batch, 2, 2]\ny = s*1\nloss = mean(y)\n");
    cr_array *s = count_up(2, (int64_t[]){3, 2});
    assert_int_equal(cr_train_windows(c.t, "s", s, 2, 1), CR_OK);
    predicts(&c, 2, 8, (const double[]){0, 1, 2, 3, 2, 3, 4, 5});
    leave(&c);
    cr_array_free(s);
}

TEST(a_text_is_the_numbers_of_its_bytes) {
    (void)state;
    static const char *const dtypes[] = {"i32", "i64"};
    for (int i = 0; i < 2; i++) {
        char text[96];
        snprintf(text, sizeof text, "input s: %s[batch, n]\ny = s + 0\nloss = mean(y/1)\n", dtypes[i]);
        struct course c = course_of(text);
        assert_int_equal(cr_train_text(c.t, "s", "ab\xff\0c", 5, 3, 2), CR_OK);
        predicts(&c, 2, 6, (const double[]){'a', 'b', 255, 255, 0, 'c'});
        leave(&c);
    }
}

TEST(sequences_that_do_not_fit_are_refused) {
    (void)state;
    static const char text[] =
        "input s: f64[batch, n]\ninput z: i32[batch, n]\nparam a: f64 = 0\nloss = mean(a*s) + mean(z/1)\n";
    struct course c = course_of(text);
    assert_int_equal(cr_train_text(c.t, "z", "ab", 2, 3, 1), CR_ESHAPE);
    assert_string_equal(cr_train_error(c.t), "'z' is shorter than a window of 3");
    leave(&c);
    c = course_of(text);
    assert_int_equal(cr_train_text(c.t, "z", "ab", 2, 0, 1), CR_EINVAL);
    leave(&c);
    c = course_of(text);
    assert_int_equal(cr_train_text(c.t, "z", "abc", 3, 2, 1), CR_OK);
    assert_int_equal(cr_train_text(c.t, "s", "abcd", 4, 2, 1), CR_ESHAPE);
    assert_string_equal(cr_train_error(c.t),
                        "'s' has 3 observations, 'z' has 2: expected as many: give both for the "
                        "same observations");
    leave(&c);
    c = course_of(text);
    assert_int_equal(cr_train_text(c.t, "z", "abc", 3, 2, 1), CR_OK);
    assert_int_equal(cr_train_text(c.t, "s", "abc", 3, 2, 1), CR_OK);
    assert_int_equal(cr_train_run(c.t), CR_EDTYPE);
    assert_string_equal(cr_train_error(c.t), "'s' is f64: text is numbers of bytes, expected i32 or i64");
    leave(&c);
}

/* ---- Texts that go on ---- */

/* The byte behind `x` is x + 1, as surely as 50 to 0. */
static const char next[] =
    "input s: i32[batch, n]\nx = s[:, :-1]\nscores = 50*one_hot((x + 1) % 256, 256)\nflat = sum(scores)\n"
    "loss = mean(scores)\n";

TEST(a_text_goes_on_beyond_its_window) {
    (void)state;
    static const double temperatures[] = {0, 1};
    for (int i = 0; i < 2; i++) {
        struct course c = course_of(next);
        char text[] = "xab.......";
        if (cr_train_continue(c.t, "s", "scores", 4, temperatures[i], text, 3, sizeof text - 1))
            fail_msg("%s", cr_train_error(c.t));
        assert_string_equal(text, "xabcdefghi");
        leave(&c);
    }
}

/* Byte 1 has the score log 3, byte 0 the score 0: at temperature 1 it is 3/4 of all; at 1/2, 9/10. Of 4000, 4 standard
 * deviations (Binomial) are 110 and 76. */
TEST(bytes_are_drawn_by_their_probabilities) {
    (void)state;
    static const struct { double temperature, expected, within; } cases[] = {{1, 3000, 110}, {0.5, 3600, 76}};
    enum { n = 4001 };
    for (int i = 0; i < 2; i++) {
        static unsigned char text[n];
        struct course c =
            course_of("input s: i32[batch, n]\nscores = log(3)*one_hot(0*s + 1, 2)\nloss = mean(scores)\n");
        int64_t ones = 0;
        text[0] = 'a';
        if (cr_train_continue(c.t, "s", "scores", 2, cases[i].temperature, text, 1, n))
            fail_msg("%s", cr_train_error(c.t));
        for (int k = 1; k < n; k++) ones += text[k];
        assert_near((double)ones, cases[i].expected, cases[i].within);
        leave(&c);
    }
}

TEST(a_seed_gives_the_same_text_and_another_another) {
    (void)state;
    static const char *const seeds[] = {"1", "1", "2"};
    unsigned char text[3][64] = {{0}};
    for (int i = 0; i < 3; i++) {
        struct course c =
            course_of("input s: i32[batch, n]\nscores = one_hot(s, 256)\nloss = mean(scores)\n");
        cr_train_set(c.t, "seed", seeds[i]);
        assert_int_equal(cr_train_continue(c.t, "s", "scores", 2, 1, text[i], 1, 64), CR_OK);
        leave(&c);
    }
    assert_memory_equal(text[0], text[1], 64);
    assert_memory_not_equal(text[0], text[2], 64);
}

TEST(what_cannot_go_on_is_told) {
    (void)state;
    struct course c = course_of(next);
    char text[8] = "a";
    assert_int_equal(cr_train_continue(c.t, "s", "nobody", 4, 1, text, 1, 2), CR_ENAME);
    assert_int_equal(cr_train_continue(c.t, "s", "x", 4, 1, text, 1, 2), CR_ESHAPE);
    assert_non_null(strstr(cr_train_error(c.t), "'x': expected scores [1, at most 4, at most 256]"));
    assert_int_equal(cr_train_continue(c.t, "s", "scores", 4, 1, text, 0, 2), CR_EINVAL);
    assert_int_equal(cr_train_continue(c.t, "s", "scores", 4, -1, text, 1, 2), CR_EINVAL);
    assert_int_equal(cr_train_continue(c.t, "s", "scores", 4, 1, text, 3, 2), CR_EINVAL);
    assert_int_equal(cr_train_continue(c.t, "s", "scores", 4, 1, text, 1, 2), CR_OK); /* and then it can */
    assert_string_equal(text, "ab");
    assert_int_equal(cr_train_continue(c.t, "z", "scores", 4, 1, text, 1, 2), CR_ENAME);
    leave(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(windows_of_a_sequence_are_observations),
        RUN(rows_of_a_sequence_may_be_tensors),
        RUN(a_text_is_the_numbers_of_its_bytes),
        RUN(sequences_that_do_not_fit_are_refused),
        RUN(a_text_goes_on_beyond_its_window),
        RUN(bytes_are_drawn_by_their_probabilities),
        RUN(a_seed_gives_the_same_text_and_another_another),
        RUN(what_cannot_go_on_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
