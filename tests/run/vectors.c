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

/* Is this text in what gcc makes of the outputs' loops, called one after the other in `body`? */
static bool body_has(struct two *b, const char *text) {
    char command[4096];
    cr_program *p = NULL;
    struct cr_text source = text_make(&b->g->mem);
    if (cr_compile(&p, b->t, NULL)) fail_msg("%s", cr_graph_error(b->g));
    struct kernel_units *units = calloc(p->plan.steps, sizeof *units);
    assert_int_equal(emit_kernels(&source, &p->plan, p->loop, units, &(struct kernel_wish){.products = true}),
                     CR_OK);
    for_avx2(command, sizeof command, temp_file("kernels.c", source.s, source.n), temp_path("kernels.s"));
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "sed -n '/^body:/,/endproc/p' %s | grep -q '%s'",
             temp_path("kernels.s"), text);
    text_drop(&source);
    free(units);
    cr_program_free(p);
    return system(command) == 0;
}

static void need_gcc(void) {
    if (system("gcc -march=x86-64-v3 -E -x c /dev/null >/dev/null 2>&1") != 0) skip();
}

/* AVX2 has no vectors of them for that: one conversion for each number, and all else of the loop is as slow. */
TEST(a_loop_over_whole_numbers_is_vectors_without_avx512) {
    (void)state;
    struct two b;
    need_gcc();
    start(&b);
    output(&b, formula(&b, "-1 + cast(3*iota(1000), f32)"));
    output(&b, formula(&b, "-1 + 2*iota(900)/7"));
    assert_false(body_has(&b, "cvtsi2s"));
    drop(&b);
}

/* A function that calls another far from 0 is no loop of vectors by itself. */
TEST(stumpffs_functions_are_vectors_without_avx512) {
    (void)state;
    struct two b;
    need_gcc();
    start(&b);
    input(&b, CR_F64, 1, (int64_t[]){100}, 0, 9);
    output(&b, formula(&b, "1 + stumpff(x0, n=1)*stumpff(x0, n=2)"));
    assert_true(body_has(&b, "_ZGVdN4vv_stumpff_any"));
    drop(&b);
}

/* A function of many operations that stands in two loops, and in `body` as well, is no call there: loops with calls are no vectors. */
TEST(long_functions_are_no_calls) {
    (void)state;
    static const char *const text[] = {"erf(x0)", "erfc(x0)", "erf(x0) - erfc(x0/2)", "gelu(x0)",
                                       "softplus(x0)"};
    need_gcc();
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        struct two b;
        start(&b);
        input(&b, CR_F64, 1, (int64_t[]){100}, -4, 4);
        output(&b, formula(&b, text[i]));
        if (body_has(&b, "call.*_f64")) fail_msg("%s", text[i]);
        drop(&b);
    }
}

/* Near 0 by their series, far from it otherwise, whatever stands beside a number. */
TEST(stumpffs_functions_have_the_same_bits_in_all_company) {
    (void)state;
    enum { n = 24 };
    static const double x[n] = {0, 1, -2, 3,           10, -10,      9.5,  -9.5, 11,    4,   5,  6,
                                1, 2, 3,  (double)NAN, 7,  INFINITY, -0.0, 8,    -10.5, -20, 30, 2.5};
    struct two b;
    void *out[most_outputs];
    start(&b);
    input(&b, CR_F64, 1, (int64_t[]){n}, 0, 1);
    memcpy(b.data[0], x, sizeof x);
    output(&b, formula(&b, "stumpff(x0, n=2)"));
    for (int i = 0; i < n; i++) {
        char text[40];
        snprintf(text, sizeof text, "stumpff(x0[%d], n=2)", i);
        output(&b, formula(&b, text));
    }
    for (int way = 0; way < 2; way++) {
        run(&b, way ? "cc" : NULL, out);
        for (int i = 0; i < n; i++)
            if (!same(CR_F64, (double *)out[0] + i, out[1 + i], 0)) fail_msg("way %d, %g", way, x[i]);
        for (int i = 0; i <= n; i++) free(out[i]);
    }
    drop(&b);
}

/* Rows of lanes with some left over: functions of what functions gave, what is needed on both sides of one, the ends of the range. */
TEST(functions_of_all_lanes_have_the_bits_of_one) {
    (void)state;
    static const cr_dtype of[] = {CR_F32, CR_F64};
    static const double special[] = {0,     -0.0,    INFINITY, -INFINITY, NAN,   88.72,  88.73,  89,
                                     -87.4, -103.97, -103.98,  -104.1,    709.7, 709.79, -745.1, -745.2};
    for (int i = 0; i < 2; i++) {
        struct two b;
        start(&b);
        input(&b, of[i], 2, (int64_t[]){9, 333}, i ? -750 : -105, i ? 712 : 90);
        for (int k = 0; k < 16; k++)
            i ? (void)(((double *)b.data[0])[40 * k] = special[k])
              : (void)(((float *)b.data[0])[40 * k] = (float)special[k]);
        output(&b, formula(&b, "sum(exp(x0), axis=1)"));
        output(&b, formula(&b, "exp(x0 - max(x0, axis=1, keep=true))"));
        output(&b, formula(&b, "a = x0/8\nb = exp(a)\nsum(a*b*exp(b*a - b) + exp(a)*b, axis=1)"));
        output(&b, formula(&b, "grad(sum(logsumexp(exp(x0/99)*x0, axis=1)), x0)"));
        compare(&b, "cc");
        drop(&b);
    }
}

/* Short lines, which have lanes left out, long ones, some that are all near 0, some with a vector that is masked, loops of other kinds. */
TEST(exp_of_f32_has_the_same_bits_in_lines_of_any_length) {
    (void)state;
    static const char *const text[] = {"exp(x0)*sin(x0)", "exp(t(x0))*2", "exp(x0[:, ::2]) + 1",
                                       "t(exp(x0)*3)"};
    static const int length[] = {1, 5, 7, 8, 11, 16, 17, 29, 47};
    for (int wild = 0; wild < 2; wild++) {
        struct two b;
        start(&b);
        input(&b, CR_F32, 2, (int64_t[]){19, 47}, wild ? -130 : -80, wild ? 95 : 80);
        for (int k = 0; k < 20; k++) ((float *)b.data[0])[47 + k] = wild ? -INFINITY : (float)k / 4;
        for (size_t i = 0; i < sizeof text / sizeof *text; i++) output(&b, formula(&b, text[i]));
        for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
            char line[64];
            snprintf(line, sizeof line, "sum(exp(x0[:, :%d]), axis=1)", length[i]);
            output(&b, formula(&b, line));
            snprintf(line, sizeof line, "exp(x0[1, 47 - %d:])*2", length[i]);
            output(&b, formula(&b, line));
        }
        compare(&b, "cc");
        drop(&b);
    }
}

/* Threads take any parts of a loop over elements, in whose lengths lanes are left over though there are none in all of it. */
TEST(functions_of_all_lanes_reach_the_end_of_each_threads_part) {
    (void)state;
    const int64_t n = 16 * 49153; /* work for three; a third of it is no number of lanes, and nor is half */
    struct two b = {0};
    cr_context *ctx = NULL;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, 3), CR_OK);
    b.g = cr_graph_new(ctx);
    b.t = cr_target_new(b.g);
    input(&b, CR_F32, 1, &n, -3, 3);
    output(&b, formula(&b, "exp(x0)*x0"));
    compare(&b, "cc");
    drop(&b);
    cr_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(whole_numbers_of_64_bits_become_the_nearest_of_f64_and_f32),
        RUN(a_loop_over_whole_numbers_is_vectors_without_avx512),
        RUN(functions_of_all_lanes_have_the_bits_of_one),
        RUN(exp_of_f32_has_the_same_bits_in_lines_of_any_length),
        RUN(functions_of_all_lanes_reach_the_end_of_each_threads_part),
        RUN(stumpffs_functions_are_vectors_without_avx512),
        RUN(long_functions_are_no_calls),
        RUN(stumpffs_functions_have_the_same_bits_in_all_company),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
