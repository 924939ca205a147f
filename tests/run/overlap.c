/* Which pieces of memory overlap, against a look at every pair; and how many pairs that took. */
#include "run/overlap.h"

#include <math.h>

#include "support/test.h"

enum { most = 300 };

/* xorshift (Marsaglia 2003): pieces here and there. */
static uint64_t random_state = 88172645463325252u;
static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void among_all(size_t n, uint64_t room, uint64_t longest) {
    struct piece piece[most];
    bool shared[most], expected[most] = {false};
    for (size_t i = 0; i < n; i++) {
        uintptr_t from = (uintptr_t)(next_random() % room);
        piece[i] = (struct piece){from, from + 1 + (uintptr_t)(next_random() % longest), &shared[i]};
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            expected[i] =
                expected[i] || (i != j && piece[i].from < piece[j].to && piece[j].from < piece[i].to);
    overlap_tell(piece, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(shared[i], expected[i]);
}

TEST(the_pieces_told_are_those_that_overlap_another) {
    (void)state;
    for (size_t n = 0; n <= most; n += 1 + n / 4) {
        among_all(n, 10000, 40);  /* some do */
        among_all(n, 100000, 40); /* few do */
        among_all(n, 50, 3);      /* nearly all do */
        among_all(n, 10000, 9000);
    }
}

TEST(pieces_that_touch_do_not_overlap_and_a_piece_need_not_be_told) {
    (void)state;
    bool a, b, d;
    struct piece piece[] = {{30, 40, NULL}, {10, 20, &a}, {20, 30, &b}, {39, 41, &d}};
    overlap_tell(piece, 4);
    assert_true(!a && !b && d);
}

/* As when one input after the other is bound again. */
TEST(whether_a_piece_meets_any_of_many_takes_log_n_comparisons) {
    (void)state;
    enum { n = 30000, width = 8 };
    static struct piece piece[n];
    for (size_t i = 0; i < n; i++)
        piece[i] = (struct piece){3 * width * i + width, 3 * width * i + 2 * width, NULL};
    size_t compared = 0, met = 0, asked = 0;
    for (uintptr_t from = 0; from < 3 * width * (uintptr_t)n; from += 5, asked++) {
        bool expected = from % (3 * width) + 4 > width && from % (3 * width) < 2 * width;
        bool found = overlap_meets(piece, n, from, from + 4, &compared);
        if (found != expected) fail_msg("%zu", (size_t)from);
        met += found;
    }
    assert_true(met > asked / 3 && met < asked);
    assert_true(compared <= asked * 16); /* 2^15 > n */
    assert_false(overlap_meets(piece, n, 9, 9, &compared));
    assert_false(overlap_meets(NULL, 0, 0, 100, &compared));
}

TEST(pairs_compared_are_in_proportion_to_n_log_n) {
    (void)state;
    for (size_t n = 16; n <= 32768; n *= 2)
        for (int order = 0; order < 3; order++) { /* upwards, downwards, all at one place */
            struct piece *piece = malloc(n * sizeof *piece);
            assert_non_null(piece);
            for (size_t i = 0; i < n; i++) {
                uintptr_t from = order == 2 ? 0 : order ? n - i : i;
                piece[i] = (struct piece){from, from + 1, NULL};
            }
            size_t compared = overlap_tell(piece, n);
            assert_true((double)compared <= 2 * (double)n * log2((double)n) + (double)n);
            free(piece);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_pieces_told_are_those_that_overlap_another),
        RUN(pieces_that_touch_do_not_overlap_and_a_piece_need_not_be_told),
        RUN(whether_a_piece_meets_any_of_many_takes_log_n_comparisons),
        RUN(pairs_compared_are_in_proportion_to_n_log_n),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
