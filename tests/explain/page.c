/* The page: what it says, what it refuses, and each allocation failing. What it does is tested in a browser
 * (tests/page). */
#define _POSIX_C_SOURCE 200809L /* strdup */
#include "support/test.h"

/* As `dot -Tplain` would say it, with every box at the same place: one picture after the other. */
static void lay_out(cr_text *out, const char *source) {
    char line[256], a[32], b[32];
    for (const char *s = source; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        size_t n = strcspn(s, "\n");
        if (n >= sizeof line) n = sizeof line - 1;
        memcpy(line, s, n);
        line[n] = 0;
        if (strncmp(line, "strict", 6) == 0) cr_text_append(out, "graph 1 2.5 1\n");
        else if (sscanf(line, "%31s [width=%31s", a, b) == 2)
            snprintf(line, sizeof line, "node %s 1 0.5 1.25 0.5 \"\" solid box black lightgrey\n", a),
                cr_text_append(out, line);
    }
}

static cr_text *new_text(void) {
    cr_text *t = NULL;
    assert_int_equal(cr_text_new(&t, NULL), CR_OK);
    return t;
}

static const char *page_of(struct fixture *f, cr_text *out, const char *title, const char *by) {
    cr_text *source = new_text(), *plain = new_text();
    cr_node wrt = cr_find(f->g, by);
    assert_int_equal(cr_explain(source, "layout", f->e, f->y, 1, &wrt, 0.1, false), CR_OK);
    char *s = strdup(cr_text_str(source)), *at = s;
    for (char *end; (end = strstr(at, "}\n")); at = end + 2) { /* a picture */
        *end = 0;
        lay_out(plain, at);
        cr_text_append(plain, "stop\n");
    }
    free(s);
    assert_int_equal(cr_explain_page(out, title, cr_text_str(plain), f->e, f->y, 1, &wrt, 0.1), CR_OK);
    cr_text_free(source);
    cr_text_free(plain);
    return cr_text_str(out);
}

TEST(names_and_titles_cannot_leave_their_places) {
    (void)state;
    static const char evil[] = "</script><script>alert(1)</script>";
    struct fixture f = fixture_of("k", "k", 2., NULL);
    cr_text *out = new_text();
    double one = 1;
    cr_node x = cr_param(f.g, evil, CR_F64, 0, NULL);
    assert_int_equal(cr_eval_set(f.e, x, CR_F64, &one, sizeof one), CR_OK);
    f.y = cr_mul(x, cr_find(f.g, "k"));
    const char *page = page_of(&f, out, "<script>alert(2)</script>", evil);
    assert_null(strstr(page, "<script>alert"));
    assert_non_null(strstr(page, "\\u003c/script\\u003e\\u003cscript\\u003ealert(1)"));
    assert_non_null(strstr(page, "<title>&lt;script&gt;alert(2)&lt;/script&gt;</title>"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(nothing_may_be_loaded_and_only_what_the_build_made_may_run) {
    (void)state;
    struct fixture f = fixture_of("w^2", "w", 3., NULL);
    cr_text *out = new_text();
    const char *page = page_of(&f, out, "w^2", "w"),
               *policy = strstr(page, "default-src 'none'; script-src 'sha256-");
    assert_non_null(policy);
    assert_non_null(strstr(policy, "style-src 'sha256-"));
    assert_null(strstr(page, "unsafe"));
    assert_null(strstr(page, "src=\""));
    assert_null(strstr(page, "href=\""));
    assert_null(strstr(page, " style=\""));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(the_same_inputs_give_the_same_bytes) {
    (void)state;
    cr_text *one = new_text(), *two = new_text();
    for (int i = 0; i < 2; i++) {
        struct fixture f = fixture_of("sum(sin([w, 2*w, w^2]))", "w", 3., NULL);
        page_of(&f, i ? two : one, "", "w");
        fixture_free(&f);
    }
    assert_string_equal(cr_text_str(one), cr_text_str(two));
    cr_text_free(one);
    cr_text_free(two);
}

/* dw^2/dw = 2w: the functions of the op table are there, and the program calls them at strides. */
TEST(the_program_is_loops_over_functions_of_the_table) {
    (void)state;
    struct fixture f = fixture_of("w^2", "w", 3., NULL);
    cr_text *out = new_text();
    const char *page = page_of(&f, out, "", "w");
    assert_non_null(strstr(page, "{\"f\":\"square\",\"d\":[1],\"o\":[0,1],\"x\":[[0,[0,1]]]}"));
    assert_non_null(strstr(page, "  square: (a, b, c, n) => a * a,\n"));
    assert_non_null(strstr(page, "  relu: (a, b, c, n) => a < 0 ? 0 : a,\n"));
    assert_non_null(strstr(page, "function special_erfinv(x) {"));
    cr_text_free(out);
    fixture_free(&f);
}

TEST(a_layout_of_something_else_is_refused) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "graph 1 1 1\nstop\n",                                       /* one direction is missing */
        "graph 1 1 1\nstop\ngraph 1 1 1\nstop\ngraph 1 1 1\nstop\n", /* one too many */
        "graph 1 1 1\nnode <script> 1 1 1 1\nstop\ngraph 1 1 1\nstop\n",
        "graph 1 1 1\nnode r0 1 nan 1 1\nstop\ngraph 1 1 1\nstop\n",
        "graph 1 1 1\nnode r0 1 1 1 1e9\nstop\ngraph 1 1 1\nstop\n",
        "graph 1 1 1\nedge r0 r1 100000 1 1\nstop\ngraph 1 1 1\nstop\n",
        "graph 1 1 1\nedge r0 r1 2 1 1 1\nstop\ngraph 1 1 1\nstop\n",
        "<html>",
    };
    struct fixture f = fixture_of("w^2", "w", 3., NULL);
    cr_node w = cr_find(f.g, "w");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_text *out = new_text();
        assert_int_equal(cr_explain_page(out, "", wrong[i], f.e, f.y, 1, &w, 0.1), CR_EFORMAT);
        cr_text_free(out);
    }
    cr_text *out = new_text();
    assert_int_equal(cr_explain_page(out, "", "graph 1 1 1\nstop\ngraph 1 1 1\nstop\n", f.e, f.y, 1, &w, 0.1),
                     CR_OK);
    assert_int_equal(cr_explain_page(out, "", NULL, f.e, f.y, 1, &w, 0.1), CR_EINVAL);
    assert_int_equal(cr_explain_page(out, "", "", NULL, f.y, 1, &w, 0.1), CR_EINVAL);
    assert_int_equal(cr_explain_page(out, "", "", f.e, f.y, 1, &w, NAN), CR_EINVAL);
    cr_text_free(out);
    fixture_free(&f);
}

/* 300 nodes in a row: those in the middle are left out, and the page says how many. */
TEST(a_large_picture_keeps_its_start_and_its_end) {
    (void)state;
    struct fixture f = fixture_of("w", "w", 1., NULL);
    cr_text *out = new_text();
    for (int i = 0; i < 300; i++) f.y = cr_sin(f.y);
    const char *page = page_of(&f, out, "", "w");
    assert_non_null(strstr(page, "\"nodes\":301,"));
    assert_non_null(strstr(page, "\"items\":301,\"leftOut\":61}"));
    assert_non_null(strstr(page, "\"name\":\"n79\""));
    assert_non_null(strstr(page, "\"name\":\"n300\""));
    assert_null(strstr(page, "\"name\":\"n80\""));
    cr_text_free(out);
    fixture_free(&f);
}

static cr_status make_page(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_eval *e = NULL;
    cr_text *out = NULL;
    double x[] = {1, 2};
    if (!g) return CR_ENOMEM;
    cr_status status = cr_eval_new(&e, g, NULL);
    if (!status) status = cr_text_new(&out, ctx);
    cr_node a = cr_input(g, "x", CR_F64, 1, (int64_t[]){2}), y = cr_formula(g, "sum(x*x*3) + x[1]");
    if (!status) status = cr_graph_status(g);
    if (!status) status = cr_eval_set(e, a, CR_F64, x, sizeof x);
    if (!status) status = cr_explain(out, "layout", e, y, 1, &a, 0.1, false);
    if (!status)
        status = cr_explain_page(out, "x", "graph 1 1 1\nnode r0 1 1 1 1\nstop\ngraph 1 1 1\nstop\n", e, y, 1,
                                 &a, 0.1);
    cr_text_free(out);
    cr_eval_free(e);
    cr_graph_free(g);
    return status;
}

TEST(each_failed_allocation_is_a_status) {
    (void)state;
    alloc_fail_each(make_page, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(names_and_titles_cannot_leave_their_places),
        RUN(nothing_may_be_loaded_and_only_what_the_build_made_may_run),
        RUN(the_same_inputs_give_the_same_bytes),
        RUN(the_program_is_loops_over_functions_of_the_table),
        RUN(a_layout_of_something_else_is_refused),
        RUN(a_large_picture_keeps_its_start_and_its_end),
        RUN(each_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
