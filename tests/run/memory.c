/* Compiled loops and memory: what is asked for before its turn, goes past the caches, or is made where it is joined has the bits of the built-in way. */
#include <sys/stat.h>

#include "support/two.h"

/* More than a last cache holds goes past it: results of elements, of rows, of rows of several blocks; of starts at any place. */
TEST(what_goes_past_the_caches_has_the_same_bits) {
    (void)state;
    static const int64_t shape[][2] = {{1, 3600001}, {3517, 1023}, {700, 5143}};
    for (int i = 0; i < 3; i++) {
        struct two b;
        start(&b);
        input(&b, CR_F32, 2, shape[i], -3, 3);
        output(&b, formula(&b, i ? "x0 - mean(x0, axis=1, keep=true)" : "x0*2 + 1"));
        output(&b, formula(&b, i ? "(x0 - mean(x0, axis=1, keep=true))*x0" : "x0*x0"));
        compare(&b, "cc");
        drop(&b);
    }
}

/* One operand of a concat stands where it is joined; another that shows the same numbers is copied. */
TEST(what_is_joined_twice_has_the_same_bits) {
    (void)state;
    static const int64_t length = 64;
    struct two b;
    start(&b);
    input(&b, CR_F32, 1, &length, -3, 3);
    output(&b, formula(&b, "y = sin(x0)\nconcat(y, x0, y)"));
    output(&b, formula(&b, "z = exp(x0)\nconcat(x0, z, z[::-1], z[1:])"));
    compare(&b, "cc");
    drop(&b);
}

/* What is no number stays in a maximum whose row goes some numbers at a time. */
TEST(a_maximum_beside_what_goes_past_the_caches_keeps_nan) {
    (void)state;
    static const int64_t shape[] = {1400, 4096};
    struct two b;
    start(&b);
    input(&b, CR_F32, 2, shape, -3, 3);
    for (int64_t i = 0; i < shape[0]; i += 3) ((float *)b.data[0])[i * shape[1] + i] = NAN;
    output(&b, formula(&b, "2*x0"));
    output(&b, formula(&b, "max(2*x0, axis=1)"));
    compare(&b, "cc");
    drop(&b);
}

/* Lines are asked for some time before their turn, or for the next row: of wide and narrow dtypes, of a length that leaves some over,
 * of rows that only the second cache holds. */
TEST(loops_that_ask_for_lines_ahead_have_the_same_bits) {
    (void)state;
    static const int64_t length = 200003, rows[] = {9, 9001};
    struct two b;
    start(&b);
    input(&b, CR_F32, 1, &length, -3, 3);
    input(&b, CR_F64, 1, &length, -3, 3);
    input(&b, CR_I32, 1, &length, -9, 9);
    input(&b, CR_F32, 2, rows, -3, 3);
    input(&b, CR_F32, 1, rows + 1, -3, 3);
    output(&b, formula(&b, "gelu(x0)"));
    output(&b, formula(&b, "exp(x1)*x1"));
    output(&b, formula(&b, "x2*x2 < 5"));
    output(&b, formula(&b, "x1*cast(x2, f64) - cast(x0, f64)"));
    output(&b, formula(&b, "layer_norm(x3, x4, x4)"));
    output(&b, formula(&b, "grad(sum(layer_norm(x3, x4, x4)*x3), x4)"));
    compare(&b, "cc");
    drop(&b);
}

/* Loops write to where the joined value has their numbers, beside a copy of what is no loop's. */
TEST(what_is_made_where_it_is_joined_has_the_same_bits) {
    (void)state;
    static const int64_t length[] = {14, 64, 100, 3000};
    struct two b;
    start(&b);
    for (int i = 0; i < 4; i++) {
        char text[160];
        int x = 2 * i, y = x + 1;
        input(&b, CR_F64, 2, (int64_t[]){4, length[i]}, -3, 3), input(&b, CR_F64, 1, &length[i], -3, 3);
        snprintf(text, sizeof text, "sum(tanh(stack(exp(x%d[1]), x%d, x%d*x%d[0], axis=0)), axis=0)", x, y, y,
                 x);
        output(&b, formula(&b, text));
        snprintf(text, sizeof text, "grad(sum(exp(x%d[0])*x%d[1] + tanh(x%d[3])*x%d), x%d)", x, x, x, y, x);
        output(&b, formula(&b, text));
    }
    compare(&b, "cc");
    drop(&b);
}

/* So do products, small ones that are compiled and others, of one matrix and of a batch; and a loop reads one of them behind. */
TEST(products_made_where_they_are_joined_have_the_same_bits) {
    (void)state;
    static const int64_t side[] = {3, 24, 90};
    struct two b;
    start(&b);
    for (int i = 0; i < 3; i++) {
        char text[200];
        int x = 2 * i, y = x + 1;
        input(&b, CR_F64, 2, (int64_t[]){side[i], side[i]}, -3, 3);
        input(&b, CR_F64, 3, (int64_t[]){2, side[i], side[i]}, -3, 3);
        snprintf(text, sizeof text, "concat(tanh(x%d)[None], (x%d @ x%d)[None], x%d @ x%d, axis=0)", x, x, x,
                 y, y);
        output(&b, formula(&b, text));
        snprintf(text, sizeof text,
                 "p%d = x%d @ t(x%d)\nsum(concat((x%d @ x%d)[None], p%d[None], x%d, axis=0)*(p%d[None] + 1))",
                 i, x, x, x, x, i, y, i);
        output(&b, formula(&b, text));
    }
    compare(&b, "cc");
    drop(&b);
}

/* What is joined need not be copied: two products, a loop and their sum are four steps. */
TEST(what_makes_a_joined_value_is_all_that_runs) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_input(g, "x", CR_F64, 2, (int64_t[]){30, 40}), cr_input(g, "w", CR_F64, 2, (int64_t[]){40, 40});
    cr_target_output(t, "y", cr_formula(g, "max(concat(x @ w, x @ t(w), exp(x), axis=0), axis=0)"));
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(g));
    assert_int_equal(cr_program_steps(p), 4);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

/* Rows that ask for the next beside an exponential, short and long, and whose last pass goes past the caches; what no other step reads does
 * so from half of a last cache on. */
TEST(rows_of_functions_have_the_same_bits) {
    (void)state;
    static const int64_t shape[][2] = {{300, 1024}, {5, 1000}, {50, 50257}};
    for (int i = 0; i < 3; i++) {
        struct two b;
        start(&b);
        input(&b, CR_F32, 2, shape[i], -3, 3), input(&b, CR_I32, 1, shape[i], 0, (double)shape[i][1]);
        output(&b, formula(&b, "sum(cross_entropy(x0, x1))"));
        output(&b, formula(&b, "grad(sum(cross_entropy(x0, x1)), x0)"));
        compare(&b, "cc");
        drop(&b);
    }
}

/* The text that a compiler is given: a script keeps it. */
static const char *text_of(struct two *b, char text[], size_t most) {
    char script[600], cc[400], kept[400];
    snprintf(cc, sizeof cc, "%s", temp_path("keeps"));
    snprintf(kept, sizeof kept, "%s", temp_path("kept"));
    snprintf(script, sizeof script,
             "#!/bin/sh\nfor a; do case $a in *.c) cp $a %s;; esac; done\nexec cc \"$@\"\n", kept);
    temp_file("keeps", script, strlen(script));
    assert_int_equal(chmod(cc, 0700), 0);
    compare(b, cc);
    FILE *f = fopen(kept, "r");
    assert_non_null(f);
    text[fread(text, 1, most - 1, f)] = 0;
    fclose(f);
    return strstr(text, " loop_0(");
}

/* A vector of a row's last pass reads one number of the row: its class and the two that the comparison chooses from are read before. */
TEST(what_repeats_along_a_row_is_read_before_it) {
    (void)state;
    static char text[1 << 20];
    struct two b;
    start(&b);
    input(&b, CR_F32, 2, (int64_t[]){70, 100}, -3, 3), input(&b, CR_I32, 1, (int64_t[]){70}, 0, 100);
    output(&b, formula(&b, "grad(sum(cross_entropy(x0, x1)), x0)"));
    const char *at = text_of(&b, text, sizeof text);
    assert_non_null(at);
    assert_non_null(at = strstr(at, "VECTOR for (int32_t at"));
    const char *end = strchr(at, '}');
    int reads = 0;
    for (at = strchr(at, '{'); at < end; at++) reads += *at == '[';
    assert_int_equal(reads, 2); /* and writes one */
    drop(&b);
}

/* A row's last pass goes along with the exponentials of the next: rows that begin anywhere in a line, short and in pieces, of both dtypes, with what is
 * no number among them; where the instructions are there, the text says so. */
TEST(rows_woven_into_the_next_have_the_same_bits) {
    (void)state;
    static char text[1 << 20];
    static const int64_t shape[][2] = {{3001, 1037}, {61, 50257}};
    static const char *const outputs[] = {"grad(sum(cross_entropy(x0, x1)), x0)", "softmax(x0)*x2"};
    for (int i = 0; i < 4; i++) {
        const int64_t *dim = shape[i % 2];
        const bool wide = i == 2;
        struct two b;
        start(&b);
        input(&b, wide ? CR_F64 : CR_F32, 2, dim, -3, 3), input(&b, CR_I32, 1, dim, 0, (double)dim[1]);
        input(&b, wide ? CR_F64 : CR_F32, 1, dim + 1, -3, 3);
        for (int64_t k = 0; k < 5 && !wide; k++) /* -inf, nan, inf: of rows in between */
            ((float *)b.data[0])[(2 * k + 1) * dim[1] + k * 100] = k < 2 ? -INFINITY : k < 3 ? NAN : INFINITY;
        output(&b, formula(&b, outputs[i / 2 != 0]));
        output(&b, formula(&b, "sum(cross_entropy(x0, x1))"));
        text_of(&b, text, sizeof text);
#if defined(__x86_64__) && defined(__GNUC__)
        if (__builtin_cpu_supports("avx512dq")) assert_non_null(strstr(text, " woven = "));
#endif
        drop(&b);
    }
}

/* Lanes of bool are fewer bytes than a register has: no whole one is moved from or to them, but those of a fold beside them are. */
TEST(rows_woven_behind_folds_of_bool_have_the_same_bits) {
    (void)state;
    static char text[1 << 20];
    static const char *const outputs[] = {
        "x0*cast(all(exp(x0) > 0.05, axis=1, keep=true), f32) + x1",
        "x0*cast(any(exp(x0) > 19, axis=1, keep=true), f32)*sum(exp(x0), axis=1, keep=true)"};
    for (int i = 0; i < 2; i++) {
        struct two b;
        start(&b);
        input(&b, CR_F32, 2, (int64_t[]){3001, 1037}, -3, 3), input(&b, CR_F32, 1, (int64_t[]){1037}, -3, 3);
        output(&b, formula(&b, outputs[i]));
        const char *at = text_of(&b, text, sizeof text);
        assert_non_null(at);
        int moved = 0;
        while ((at = strstr(at, "lanes_anywhere now_"))) at++, moved++;
        assert_true(moved <= i);
        drop(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(what_goes_past_the_caches_has_the_same_bits),
        RUN(what_is_joined_twice_has_the_same_bits),
        RUN(a_maximum_beside_what_goes_past_the_caches_keeps_nan),
        RUN(loops_that_ask_for_lines_ahead_have_the_same_bits),
        RUN(rows_of_functions_have_the_same_bits),
        RUN(what_repeats_along_a_row_is_read_before_it),
        RUN(rows_woven_into_the_next_have_the_same_bits),
        RUN(rows_woven_behind_folds_of_bool_have_the_same_bits),
        RUN(what_is_made_where_it_is_joined_has_the_same_bits),
        RUN(products_made_where_they_are_joined_have_the_same_bits),
        RUN(what_makes_a_joined_value_is_all_that_runs),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
