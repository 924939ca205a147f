/* The hash table: what was put is found, whatever shares its hash, and after any removals. */
#include "base/hash.h"

#include "support/test.h"

static const struct mem plain = {0};

static bool finds(const struct hash_table *t, uint32_t hash, uint32_t id) {
    size_t at = hash_start(t, hash);
    for (uint32_t i; (i = hash_next(t, hash, &at));)
        if (i == id) return true;
    return false;
}

/* Some hashes are alike, and many begin alike, so that their slots run on into each other and over the end. */
static uint32_t hash_of(uint32_t id) { return id % 3 ? id * 0x9E3779B9u : UINT32_MAX - id % 7; }

static void put_all(struct hash_table *t, uint32_t n) {
    for (uint32_t id = 1; id <= n; id++) {
        assert_true(hash_reserve(t, &plain));
        hash_put(t, hash_of(id), id);
    }
}

TEST(all_that_was_put_is_found_again_as_the_table_grows) {
    (void)state;
    struct hash_table t;
    assert_true(hash_init(&t, &plain));
    put_all(&t, 1000);
    for (uint32_t id = 1; id <= 1000; id++) assert_true(finds(&t, hash_of(id), id));
    assert_false(finds(&t, hash_of(1001), 1001));
    assert_true(t.used == 1000 && t.used <= t.slots / 4 * 3);
    hash_drop(&t, &plain);
}

TEST(what_is_removed_is_gone_and_all_else_is_still_found) {
    (void)state;
    struct hash_table t;
    assert_true(hash_init(&t, &plain));
    put_all(&t, 500);
    for (uint32_t k = 1; k <= 500; k++) { /* in an order unlike the one they came in: 211 is a prime */
        uint32_t gone = k * 211 % 501;
        if (gone) hash_remove(&t, hash_of(gone), gone);
        for (uint32_t j = k + 1; j <= 500; j++) {
            uint32_t left = j * 211 % 501;
            if (left) assert_true(finds(&t, hash_of(left), left));
        }
        assert_false(gone && finds(&t, hash_of(gone), gone));
    }
    assert_int_equal(t.used, 0);
    for (size_t i = 0; i < t.slots; i++) assert_int_equal(t.slot[i].id, 0);
    hash_drop(&t, &plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(all_that_was_put_is_found_again_as_the_table_grows),
        RUN(what_is_removed_is_gone_and_all_else_is_still_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
