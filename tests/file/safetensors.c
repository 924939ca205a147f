/* safetensors: files of their own library, and every rule of the specification broken once. */
#include "support/why.h"

static cr_store *store;

static int fresh(void **state) {
    (void)state;
    cr_text_clear(why);
    return cr_store_new(&store, NULL) != CR_OK;
}

static int done(void **state) {
    (void)state;
    cr_store_free(store);
    return 0;
}

static const char *sample(void) { return TEST_DATA "/files/all.safetensors"; }

TEST(a_file_of_its_own_library_is_read) {
    (void)state;
    if (!with_safetensors()) skip();
    cr_array *a;
    float weight[6];
    double scalar;
    int32_t bytes[6], shorts[2];
    int64_t longs[2];
    bool yes[2];
    if (cr_store_load(store, sample(), NULL, why)) fail_msg("%s", cr_text_str(why));
    assert_int_equal(cr_store_get(store, "a.weight", CR_F32, weight, sizeof weight), CR_OK);
    for (int i = 0; i < 6; i++) assert_true(weight[i] == (float)i);
    assert_int_equal(cr_store_get(store, "scalar", CR_F64, &scalar, sizeof scalar), CR_OK);
    assert_true(scalar == 2.5);
    assert_int_equal(cr_store_get(store, "bytes", CR_I32, bytes, sizeof bytes), CR_OK);
    assert_int_equal(bytes[5], 255);
    assert_int_equal(cr_store_get(store, "short", CR_I32, shorts, sizeof shorts), CR_OK);
    assert_int_equal(shorts[0], -3);
    assert_int_equal(cr_store_get(store, "long", CR_I64, longs, sizeof longs), CR_OK);
    assert_true(longs[0] == (int64_t)1 << 40 && longs[1] == -1);
    assert_int_equal(cr_store_get(store, "yes", CR_BOOL, yes, sizeof yes), CR_OK);
    assert_true(yes[0] && !yes[1]);
    assert_int_equal(cr_store_array(&a, store, "none"), CR_OK);
    assert_int_equal(cr_array_dtype(a), CR_F16);
    assert_int_equal(cr_array_rank(a), 2);
    assert_int_equal(cr_array_count(a), 0);
    cr_array_free(a);
    assert_int_equal(cr_store_array(&a, store, "a.weight"), CR_OK);
    assert_memory_equal(cr_array_dims(a), ((int64_t[]){2, 3}), 2 * sizeof(int64_t));
    cr_array_free(a);
}

static const char *leave_out_long(void *user, const char *name) {
    (void)user;
    return strcmp(name, "long") == 0 ? NULL : strcmp(name, "yes") == 0 ? "no \"\\\xc3\xa9" : name;
}

TEST(what_is_saved_is_read_back_chosen_and_renamed) {
    (void)state;
    if (!with_safetensors()) skip();
    cr_store *again;
    const char *path = temp_path("again.safetensors");
    assert_int_equal(cr_store_load(store, sample(), NULL, why), CR_OK);
    if (cr_store_save(path, store, leave_out_long, NULL, NULL, why)) fail_msg("%s", cr_text_str(why));
    assert_int_equal(cr_store_new(&again, NULL), CR_OK);
    if (cr_store_load(again, path, NULL, why)) fail_msg("%s", cr_text_str(why));
    for (int i = 0; cr_store_name(store, i); i++) {
        const char *as = leave_out_long(NULL, cr_store_name(store, i));
        cr_array *a, *b;
        if (!as) continue;
        assert_int_equal(cr_store_array(&a, store, cr_store_name(store, i)), CR_OK);
        assert_int_equal(cr_store_array(&b, again, as), CR_OK);
        assert_int_equal(cr_array_dtype(a), cr_array_dtype(b));
        assert_int_equal(cr_array_rank(a), cr_array_rank(b));
        assert_int_equal(cr_array_bytes(a), cr_array_bytes(b));
        if (cr_array_bytes(a)) assert_memory_equal(cr_array_data(a), cr_array_data(b), cr_array_bytes(a));
        cr_array_free(a);
        cr_array_free(b);
    }
    assert_null(cr_store_data(again, "long", NULL, NULL));
    cr_store_free(again);
}

TEST(numbers_stand_aligned_behind_a_padded_header) {
    (void)state;
    if (!with_safetensors()) skip();
    unsigned char bytes[4096];
    const char *path = temp_path("aligned.safetensors");
    assert_int_equal(cr_store_load(store, sample(), NULL, why), CR_OK);
    assert_int_equal(cr_store_save(path, store, NULL, NULL, NULL, why), CR_OK);
    FILE *f = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    size_t header = (size_t)bytes[0] | (size_t)bytes[1] << 8;
    assert_int_equal(header % 8, 0);
    assert_int_equal(bytes[8], '{');
    assert_true(n > header + 8);
    const char *offset =
        strstr((const char *)bytes + 8, "\"long\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[");
    assert_non_null(offset);
    assert_int_equal(strtol(strstr(offset, "offsets\":[") + 10, NULL, 10) % 8, 0);
}

/* A file with this header, and n bytes of numbers. */
static const char *made(const char *header, size_t n) {
    char bytes[2048] = {0};
    size_t length = strlen(header);
    bytes[0] = (char)(length & 0xff);
    bytes[1] = (char)(length >> 8);
    memcpy(bytes + 8, header, length);
    return temp_file("made.safetensors", bytes, 8 + length + n);
}

static void refuse(const char *header, size_t n, const char *fact) {
    cr_text_clear(why);
    cr_status status = cr_store_load(store, made(header, n), NULL, why);
    assert_says(status, CR_EFORMAT, why, FACTS("made.safetensors: ", fact));
    assert_null(cr_store_name(store, 0));
}

TEST(every_rule_that_is_broken_is_told) {
    (void)state;
    if (!with_safetensors()) skip();
    refuse("{}", 1, "1 bytes that belong to no tensor");
    refuse(" {}", 0, "does not begin with '{'");
    refuse("[]", 0, "does not begin with '{'");
    refuse("{", 0, "does not begin with '{'");
    refuse("{\"a\"}", 0, "the JSON of its header");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\","
           "\"shape\":[1],\"data_offsets\":[0,4]}}",
           4, "duplicate");
    refuse("{\"a\":1}", 0, "'a': expected dtype, shape and data_offsets");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "expected dtype, shape and data_offsets");
    refuse("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "'a': dtype 'F8_E4M3', expected BOOL I32");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "not negative");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "a size is an integer");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":3,\"data_offsets\":[0,4]}}", 4, "expected a shape");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
           4, "rank is above 16");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "do not fit");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 8,
           "the first must not be the greater");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 8, "data_offsets are two");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "cut short");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0,
           "beyond 2^56");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
           "begin at byte 4, expected 0, where those before end: there is a hole");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\","
           "\"shape\":[1],\"data_offsets\":[0,4]}}",
           4, "overlap");
    refuse("{\"\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "a name must not be empty");
    refuse("{\"__metadata__\":{\"a\":1}}", 0, "metadata must be text");
    refuse("{\"__metadata__\":[]}", 0, "expected an object of texts");
}

TEST(what_is_no_safetensors_is_refused) {
    (void)state;
    if (!with_safetensors()) skip();
    const struct {
        const char *bytes;
        size_t n;
        const char *fact;
    } cases[] = {{"", 0, "expected safetensors, found 0 bytes"},
                 {"\377\377\377\377\377\377\377\377{}", 10, "more than 100000000"},
                 {"\100\0\0\0\0\0\0\0{}", 10, "is cut short"},
                 {"<html>", 6, "an HTML or XML page"},
                 {"version https://git-lfs.github.com/spec/v1\n", 43, "git-lfs pointer"},
                 {"\x80\2}q", 4, "a Python pickle"},
                 {"PK\3\4", 4, "a zip archive"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_text_clear(why);
        cr_status status =
            cr_store_load(store, temp_file("no.safetensors", cases[i].bytes, cases[i].n), NULL, why);
        assert_says(status, CR_EFORMAT, why, FACTS("no.safetensors: ", cases[i].fact));
    }
}

TEST(a_store_that_does_not_fit_stays_as_it_was) {
    (void)state;
    if (!with_safetensors()) skip();
    double short_of[2] = {7, 7}, scalar = 1, found;
    cr_store_set(store, "scalar", CR_F64, &scalar, sizeof scalar);
    cr_store_set(store, "a.weight", CR_F64, short_of, sizeof short_of);
    cr_status status = cr_store_load(store, sample(), NULL, why);
    assert_says(status, CR_EDTYPE, why, FACTS("'a.weight': expected f64, found f32"));
    cr_store_get(store, "scalar", CR_F64, &found, sizeof found);
    assert_true(found == 1);
    assert_null(cr_store_data(store, "long", NULL, NULL));
}

TEST(a_number_beyond_i64_leaves_the_store_as_it_was) {
    (void)state;
    if (!with_safetensors()) skip();
    static const char header[] = "{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                                 "\"u\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[8,16]}}";
    char bytes[8 + sizeof header - 1 + 16] = {(char)(sizeof header - 1)};
    double a = 1, found;
    memcpy(bytes + 8, header, sizeof header - 1);
    bytes[sizeof bytes - 1] = (char)0xff;
    cr_store_set(store, "a", CR_F64, &a, sizeof a);
    cr_status status = cr_store_load(store, temp_file("u64.safetensors", bytes, sizeof bytes), NULL, why);
    assert_says(status, CR_EFORMAT, why, FACTS("'u': a number beyond i64"));
    assert_int_equal(cr_store_get(store, "a", CR_F64, &found, sizeof found), CR_OK);
    assert_true(found == 1);
    assert_null(cr_store_name(store, 1));
    assert_int_equal(cr_store_set(store, "half", CR_F64, &a, 7), CR_EINVAL);
}

static cr_status go_round(cr_context *ctx, void *arg) {
    cr_store *s = NULL;
    cr_status status = cr_store_new(&s, ctx);
    if (!status && (status = cr_store_load(s, sample(), ctx, NULL))) assert_null(cr_store_name(s, 0));
    if (!status) status = cr_store_save(arg, s, NULL, NULL, ctx, NULL);
    cr_store_free(s);
    return status;
}

TEST(every_allocation_may_fail) {
    (void)state;
    if (!with_safetensors()) skip();
    char path[512];
    snprintf(path, sizeof path, "%s", temp_path("round.safetensors"));
    alloc_fail_each(go_round, path);
}

int main(void) {
#define EACH(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        EACH(a_file_of_its_own_library_is_read),
        EACH(what_is_saved_is_read_back_chosen_and_renamed),
        EACH(numbers_stand_aligned_behind_a_padded_header),
        EACH(every_rule_that_is_broken_is_told),
        EACH(what_is_no_safetensors_is_refused),
        EACH(a_store_that_does_not_fit_stays_as_it_was),
        EACH(a_number_beyond_i64_leaves_the_store_as_it_was),
        EACH(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, why_setup, why_teardown);
}
