/* Layers that every model knows: their parameters, and what they compute. */
#include "support/test.h"

struct place {
    cr_model *m;
    cr_graph *g;
    cr_store *s;
    cr_eval *e;
};

static struct place place_of(const char *text, bool training) {
    struct place p = {0};
    cr_text *why;
    cr_node result;
    cr_text_new(&why, NULL);
    p.g = cr_graph_new(NULL);
    if (cr_model_new(&p.m, text, strlen(text), "layers.cr", NULL, why)) fail_msg("%s", cr_text_str(why));
    cr_model_training(p.m, training);
    if (cr_model_build(&result, p.m, p.g, why)) fail_msg("%s", cr_text_str(why));
    cr_store_new(&p.s, NULL);
    if (cr_store_init(p.s, p.g, 1)) fail_msg("%s", cr_store_error(p.s));
    cr_eval_new(&p.e, p.g, p.s);
    cr_text_free(why);
    return p;
}

static void leave(struct place *p) {
    cr_eval_free(p->e);
    cr_store_free(p->s);
    cr_graph_free(p->g);
    cr_model_free(p->m);
}

/* The greatest distance between two nodes of the text, over the values the layer computes and its own formula. */
static double distance(const char *text, bool training) {
    struct place p = place_of(text, training);
    cr_node a = cr_find(p.g, "a"), b = cr_find(p.g, "b");
    assert_true(cr_ok(a) && cr_ok(b));
    double d = cr_eval_number(p.e, cr_max(cr_abs(cr_sub(a, b)), 0, NULL, false));
    leave(&p);
    return d;
}

#define X "x = sin(reshape(cast(iota(24), f64), [2, 3, 4]))\n"

TEST(a_layer_is_its_op_with_parameters) {
    (void)state;
    static const char *const same[] = {
        X "a = dense(x, 2)\nb = x @ a.W + a.b\n",
        X "a = layer_norm_layer(x)\nb = layer_norm(x, a.gain, a.bias)\n",
        X "a = rms_norm_layer(x, eps=0.1)\nb = rms_norm(x, a.gain, eps=0.1)\n",
        X "a = conv_layer(x[:, :, :, None], 2)\n"
          "b = conv(x[:, :, :, None], a.W, before=1, after=1) + a.b[:, None, None]\n",
        X
        "a = conv_layer(x[:, :, :, None], 2, width=1, stride=2, pad=0)\nb = conv(x[:, :, ::2, None], a.W)\n",
        "i = [2, 0]\na = embedding_layer(i, 3, 4, dtype=f64)\nb = a.table[[2, 0], :]\n",
        X "a = attention_layer(x)\nb = attention(x @ a.Wq, x @ a.Wk, x @ a.Wv) @ a.Wo\n",
        X "a = attention_layer(x, heads=2, causal=true)\n" /* heads side by side, one after the other */
          "q = x @ a.Wq; k = x @ a.Wk; v = x @ a.Wv\n"
          "b = concat(attention(q[..., :2], k[..., :2], v[..., :2], causal=true),"
          " attention(q[..., 2:], k[..., 2:], v[..., 2:], causal=true), axis=-1) @ a.Wo\n",
        X "a = attention_layer(x, heads=2, groups=1)\n" /* both heads have the same keys */
          "q = x @ a.Wq; k = x @ a.Wk; v = x @ a.Wv\n"
          "b = concat(attention(q[..., :2], k, v), attention(q[..., 2:], k, v), axis=-1) @ a.Wo\n",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!(distance(same[i], false) < 1e-14)) fail_msg("%s: %g", same[i], distance(same[i], false));
}

TEST(batch_norm_layer_has_the_batch_in_training_and_what_ran_in_prediction) {
    (void)state;
    assert_true(distance(X "a = batch_norm_layer(x)\nb = batch_norm(x, a.gain, a.bias)\n", true) < 1e-14);
    assert_true(distance(X "a = batch_norm_layer(x)\nb = batch_norm_by(x, a.mean, a.var, a.gain, a.bias)\n",
                         false) < 1e-14);
    assert_true(distance(X "a = batch_norm_layer(x)\nb = batch_norm(x, a.gain, a.bias)\n", false) > 0.01);
}

/* In prediction nothing of the batch's own statistics is computed. */
TEST(a_choice_that_is_known_is_no_node) {
    (void)state;
    struct place p = place_of("a = where(training, exp(2), log(2))\n", true);
    assert_string_equal(cr_op_of(cr_find(p.g, "a")), "exp");
    leave(&p);
    p = place_of("a = where(training, exp(2), log(2))\n", false);
    assert_string_equal(cr_op_of(cr_find(p.g, "a")), "log");
    leave(&p);
    p = place_of("a = where(training, exp(2), [3, 4])\n", true); /* the shape is of both */
    assert_int_equal(cr_rank(cr_find(p.g, "a")), 1);
    leave(&p);
}

TEST(an_update_is_noted_beside_its_parameter) {
    (void)state;
    struct place p =
        place_of("input x: f64[2]\nparam m: f64 = 1\nupdate m = 0.9*m + 0.1*mean(x)\nm*x\n", true);
    cr_node m = cr_find(p.g, "m");
    assert_true(cr_ok(cr_param_next(m)));
    assert_false(cr_ok(cr_param_next(cr_find(p.g, "x"))));
    assert_int_equal(cr_eval_set(p.e, cr_find(p.g, "x"), CR_F64, (double[]){1, 2}, 16), CR_OK);
    assert_near(cr_eval_number(p.e, cr_param_next(m)), 1.05, 1e-15);
    cr_text *out;
    cr_text_new(&out, NULL); /* and written back */
    assert_int_equal(cr_print_model(out, p.g, (cr_node){0}), CR_OK);
    assert_non_null(strstr(cr_text_str(out), "update m = "));
    cr_model *again;
    assert_int_equal(cr_model_new(&again, cr_text_str(out), cr_text_size(out), NULL, NULL, NULL), CR_OK);
    cr_model_free(again);
    cr_text_free(out);
    leave(&p);
}

/* update is a word only where a name stands behind it. */
TEST(a_model_may_call_something_update) {
    (void)state;
    struct place p = place_of("update = 1 < 2\nupdate and true\n", true);
    leave(&p);
}

TEST(wrong_updates_are_told) {
    (void)state;
    static const char *const wrong[][2] = {
        {"param w: f64 = 0\nupdate v = 1\n", "update: no parameter 'v' is declared here"},
        {"input x: f64\nupdate x = 1\n", "param_update: not a parameter"},
        {"param w: f64[2] = 0\nupdate w = [1, 2, 3]\n", "[3]"},
        {"param w: f64 = 0\nupdate w 1\n", "expected '=' behind the name of the parameter"},
        {"embedding_layer([1], 2, 3, dtype=3)\n", "stands alone"},
        {"h = embedding_layer([1], 2, 3, dtype=3)\n", "expected a dtype"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_model *m = NULL;
        cr_text *why;
        cr_graph *g = cr_graph_new(NULL);
        cr_text_new(&why, NULL);
        if (!cr_model_new(&m, wrong[i][0], strlen(wrong[i][0]), NULL, NULL, why))
            cr_model_build(NULL, m, g, why);
        if (!strstr(cr_text_str(why), wrong[i][1])) fail_msg("%s: %s", wrong[i][0], cr_text_str(why));
        cr_model_free(m);
        cr_graph_free(g);
        cr_text_free(why);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_layer_is_its_op_with_parameters),
        RUN(batch_norm_layer_has_the_batch_in_training_and_what_ran_in_prediction),
        RUN(a_choice_that_is_known_is_no_node),
        RUN(an_update_is_noted_beside_its_parameter),
        RUN(a_model_may_call_something_update),
        RUN(wrong_updates_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
