/* Compiled loops are vectors also where the processor has no instruction for a vector of what they do; with the bits of the built-in way. */
#include "device/compiler.h"
#include "support/two.h"

/* Around what f64 and f32 hold exactly, ties and the ends. */
TEST(whole_numbers_of_64_bits_become_the_nearest_of_f64_and_f32) {
    (void)state;
    enum { most = 67 };
    struct two b;
    start(&b);
    input(&b, CR_I64, 1, (int64_t[]){most}, -0x1p62, 0x1p62);
    int64_t *at = b.data[0], n = 0;
    for (int bits = 22; bits < 63; bits += 10)
        for (int64_t k = -3; k < 4; k++, n += 2)
            if (n + 1 < most)
                at[n] = (INT64_C(1) << bits) + k, at[n + 1] = -(INT64_C(3) << (bits - 2)) + k * 64;
    const int64_t ends[] = {0, -1, INT64_MIN, INT64_MAX, (INT64_C(1) << 53) + 1, -(INT64_C(1) << 53) - 1};
    memcpy(at, ends, sizeof ends);
    for (int i = 0; i < 6; i++)
        at[6 + i] = (INT64_C(1) << 54) + (INT64_C(1) << 30) + i - 3; /* a tie of f32 */
    output(&b, formula(&b, "cast(x0 + 0, f64)*1.5"));
    output(&b, formula(&b, "cast(x0 - 0, f32)*1.5"));
    compare(&b, "cc");
    drop(&b);
}

/* In place of those of the processor at hand, for one without AVX-512. */
static void for_avx2(char *command, size_t size, const char *source, const char *to) {
    size_t n = (size_t)snprintf(command, size, "gcc -S -march=x86-64-v3 -DCHAINRULE_KEY='\"\"' -o %s %s", to,
                                source);
    for (size_t i = 0; compiler_flag(i) && n < size; i++)
        if (strncmp(compiler_flag(i), "-march", 6) && strcmp(compiler_flag(i), "-shared"))
            n += (size_t)snprintf(command + n, size - n, " %s", compiler_flag(i));
}

/* AVX2 has no vectors of them for that: one conversion for each number, and all else of the loop is as slow. */
TEST(a_loop_over_whole_numbers_is_vectors_without_avx512) {
    (void)state;
    struct two b;
    cr_program *p = NULL;
    char command[4096];
    if (system("gcc -march=x86-64-v3 -E -x c /dev/null >/dev/null 2>&1") != 0) skip();
    start(&b);
    for (int i = 0; i < 2; i++)
        output(&b, formula(&b, i ? "-1 + cast(3*iota(1000), f32)" : "-1 + 2*iota(900)/7"));
    struct cr_text text = text_make(&b.g->mem);
    if (cr_compile(&p, b.t, NULL)) fail_msg("%s", cr_graph_error(b.g));
    struct kernel_units *units = calloc(p->plan.steps, sizeof *units);
    assert_int_equal(emit_kernels(&text, &p->plan, p->loop, units, &(struct kernel_wish){.products = true}),
                     CR_OK);
    assert_non_null(strstr(text.s, "f64_of_i64(mul"));
    assert_non_null(strstr(text.s, "f32_of_i64(mul"));
    for_avx2(command, sizeof command, temp_file("kernels.c", text.s, text.n), temp_path("kernels.s"));
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "sed -n '/^body:/,/endproc/p' %s | grep -q cvtsi2s",
             temp_path("kernels.s"));
    assert_int_not_equal(system(command), 0);
    text_drop(&text);
    free(units);
    cr_program_free(p);
    drop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(whole_numbers_of_64_bits_become_the_nearest_of_f64_and_f32),
        RUN(a_loop_over_whole_numbers_is_vectors_without_avx512),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
