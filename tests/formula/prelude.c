/* The functions that every model knows are read when they are called: here each is read as a definition. */
#include "formula/model.h"
#include "support/test.h"

/* As a user would define it. */
static void define(struct reader *r, const char *text) {
    r->text = r->place.lexer = lexer_make(text, strlen(text));
    r->place.source = &r->text;
    reader_advance(r);
    read_statements(r, NULL);
}

TEST(each_row_is_a_function_of_those_before_it_and_says_whether_it_is_a_layer) {
    (void)state;
    struct mem m = {0};
    struct reader defined, known;
    cr_text *why;
    cr_text_new(&why, NULL);
    assert_true(reader_open(&defined, NULL, NULL, &m, why) && reader_open(&known, NULL, NULL, &m, why));
    defined.words = known.words = most_words;
    know_prelude(&known);
    assert_int_equal(known.function_n, prelude_functions);
    for (size_t i = 0; i < prelude_functions; i++) {
        define(&defined, formula_prelude[i].text);
        if (defined.status) fail_msg("%s", cr_text_str(why));
        assert_int_equal(defined.function_n, i + 1);
        const struct function *a = &known.function[i], *b = &defined.function[i];
        assert_true(token_equal(&a->name, &b->name));
        assert_ptr_equal(a->body.s, b->body.s);
        assert_int_equal(a->layer, b->layer);
        assert_int_equal(a->place, b->place);
    }
    reader_free(&defined);
    reader_free(&known);
    cr_text_free(why);
}

TEST(a_mistake_in_a_call_shows_the_line_of_the_prelude) {
    (void)state;
    static const char text[] = "y = dense([1, 2], [3])\n";
    cr_model *m;
    cr_node y;
    cr_text *why;
    cr_text_new(&why, NULL);
    cr_graph *g = cr_graph_new(NULL);
    assert_int_equal(cr_model_new(&m, text, strlen(text), "m.cr", NULL, why), CR_OK);
    assert_int_not_equal(cr_model_build(&y, m, g, why), CR_OK);
    if (!strstr(cr_text_str(why), "\n      param W: dtype(x)[size(x, axis=-1), n] = he_normal()\n"))
        fail_msg("%s", cr_text_str(why));
    assert_non_null(strstr(cr_text_str(why), "in dense, called in line 1"));
    cr_model_free(m);
    cr_graph_free(g);
    cr_text_free(why);
}

TEST(an_expression_may_call_the_functions_of_a_model) {
    (void)state;
    static const char text[] =
        "input x: f64[2]\nfn f(a) = a*3\nk = 2*x; fn g(a,\n    b) = (f(a)\n  + b)\ny = sum(f(x))";
    cr_model *m;
    cr_node y;
    cr_graph *g = cr_graph_new(NULL);
    assert_int_equal(cr_model_new(&m, text, strlen(text), "m.cr", NULL, NULL), CR_OK);
    assert_int_equal(cr_model_build(&y, m, g, NULL), CR_OK);
    assert_int_equal(cr_formula(g, "f(x) + 1").id,
                     cr_model_formula(NULL, g, "f(x)").id); /* no such function */
    assert_int_not_equal(cr_graph_status(g), CR_OK);
    cr_graph_free(g);
    g = cr_graph_new(NULL);
    cr_model_build(&y, m, g, NULL);
    assert_int_equal(cr_model_formula(m, g, "g(k, 1)").id, cr_formula(g, "k*3 + 1").id);
    assert_false(cr_ok(cr_model_formula(m, g, "g(x)")));
    assert_non_null(strstr(cr_graph_error(g), "g(x)"));
    assert_false(cr_ok(cr_model_formula(m, NULL, "x")));
    cr_graph_free(g);
    cr_model_free(m);
}

/* A comment or a blank line first. */
TEST(a_function_may_be_the_first_line_after_others) {
    (void)state;
    static const char *const texts[] = {"# a model\nfn f(a) = a*3\ninput x: f64[2]\nf(x)",
                                        "\n\nfn f(a) = a*3\n\n# more\ninput x: f64[2]\nf(x)"};
    for (int i = 0; i < 2; i++) {
        cr_model *m;
        cr_node y;
        cr_graph *g = cr_graph_new(NULL);
        assert_int_equal(cr_model_new(&m, texts[i], strlen(texts[i]), NULL, NULL, NULL), CR_OK);
        assert_int_equal(cr_model_build(&y, m, g, NULL), CR_OK);
        assert_int_equal(cr_model_formula(m, g, "f(x)").id, y.id);
        assert_int_equal(cr_graph_status(g), CR_OK);
        cr_graph_free(g);
        cr_model_free(m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(each_row_is_a_function_of_those_before_it_and_says_whether_it_is_a_layer),
        RUN(a_mistake_in_a_call_shows_the_line_of_the_prelude),
        RUN(an_expression_may_call_the_functions_of_a_model),
        RUN(a_function_may_be_the_first_line_after_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
