/* Rows that are not elementwise: gradients against differences and the other mode, over shapes. */
#include "support/test.h"

#include "ops/build.h"

struct shaped {
    const char *formula;
    int rank;
    int64_t dims[3];
};

/* x is the tensor; the result is summed with weights by the formula itself. */
static const struct shaped cases[] = {
    {"sum(x)^2", 2, {3, 4}},
    {"sum(sum(x, axis=0)^3)", 2, {3, 4}},
    {"sum(sum(x, axis=[0, -1], keep=true)^2)", 3, {2, 3, 4}},
    {"prod(x)", 1, {5}},
    {"sum(prod(x, axis=1)^2)", 2, {3, 4}},
    {"sum(max(x, axis=0)^2)", 2, {3, 4}},
    {"sum(min(x, axis=-1)^2)", 2, {3, 4}},
    {"sum(cumsum(x, axis=0)^2)", 2, {3, 4}},
    {"sum(cumsum(x, axis=-1, reverse=true)^3)", 2, {3, 4}},
    {"sum(cumprod(x)^2)", 1, {6}},
    {"sum(cumprod(x, axis=0, reverse=true)^2)", 2, {3, 4}},
    {"sum(recur(x, x^2)^2)", 1, {6}},
    {"sum(recur(sin(x), cos(x), axis=0, reverse=true)^2)", 2, {4, 3}},
    {"sum(reshape(x, [4, -1])^2 @ reshape(x, [3, 4]))", 2, {3, 4}},
    {"sum(t(x) @ x)", 2, {3, 4}},
    {"sum((x @ t(x))^2)", 3, {2, 3, 4}},
    {"sum((x @ x[0, 0])^2)", 3, {2, 4, 4}},
    {"sum((x[0] @ x)^2)", 3, {2, 4, 4}},
    {"dot(x, sin(x))", 1, {7}},
    {"sum(outer(x, x^2)^2)", 1, {4}},
    {"sum(permute(x, [2, 0, 1])[1:, ::-1]^3)", 3, {2, 3, 4}},
    {"sum(expand(x, [5, 3, 4])^2)", 2, {3, 4}},
    {"sum(x[::2, 1:3]^2) + sum(x[-1]^3)", 2, {3, 4}},
    {"sum(pad(x, [1, 0], [0, 2])^2 * 3)", 2, {3, 4}},
    {"sum(unslice(x, [4, 1], [-2, 3], [6, 12])^3)", 2, {3, 4}},
    {"sum(concat(x, x^2, sin(x), x, axis=-1)^2)", 2, {3, 2}},
    {"sum(stack(x, x^2, axis=1)^3)", 2, {3, 2}},
    {"sum(take(x, [2, 0, 2], axis=0)^2)", 2, {3, 4}},
    {"sum(x[:, [0, 3, 0]]^3)", 2, {3, 4}},
    {"sum(gather(x, [1, 0, 2], batch=1)^2)", 2, {3, 4}},
    {"sum(scatter_add(x, [2, 0, 2], 4)^3)", 2, {3, 4}},
    {"sum(take_along(x, argsort(x))[:, 1:]^2)", 2, {3, 4}},
    {"sum(sort(x, axis=0, descending=true)[0]^2)", 2, {3, 4}},
    {"sum(topk(x, 2)^3)", 2, {3, 4}},
    {"sum(softmax(x, axis=0)^2)", 2, {3, 4}},
    {"sum(log_softmax(x)*x)", 2, {3, 4}},
    {"sum(logsumexp(x, axis=1)^2)", 2, {3, 4}},
    {"mean(x^3) + var(x) + std(x)", 2, {3, 4}},
    {"sum(norm(x, axis=1)) + norm1(x)", 2, {3, 4}},
    {"mean(cross_entropy(x, [1, 3, 0]))", 2, {3, 4}},
    {"mean(cross_entropy(x, softmax(x^2)))", 2, {3, 4}},
    {"sum(layer_norm(x, x[0], x[1])^2)", 2, {3, 4}},
    {"sum(rms_norm(x, x[0])^2)", 2, {3, 4}},
    {"sum((x - mean(x, axis=0, keep=true))*var(x, axis=0, keep=true)*x[0])", 2, {3, 4}},
    {"sum((x - mean(x))^3 - (x - mean(x, axis=1, keep=true))^2*2)", 3, {2, 3, 4}},
    {"sum((x - mean(x, axis=1, keep=true) - mean(x^2, axis=1, keep=true))^2)", 2, {3, 3}},
    {"sum((x - t(mean(x, axis=1, keep=true)))^2)", 2, {3, 3}},
    {"sum(sin((x - mean(x, axis=[0, 2], keep=true))*exp(sum(x, axis=[0, 2], keep=true)))^2)", 3, {2, 1, 4}},
    {"sum(tril(x) @ t(triu(x)))", 2, {3, 3}},
    {"sum(diag(x)^2 @ diag(x))", 1, {4}},
    {"sum(diagonal(x)^3)", 2, {3, 4}},
    {"sum(flip(x, axis=[0])*x)", 2, {3, 4}},
    {"sum(gelu(x) + silu(x) + mish(x) + elu(x) + softsign(x) + gelu_tanh(x) + selu(x))", 2, {3, 4}},
    {"sum(huber(x, x^2) + bce_with_logits(x, sigmoid(x)) + bce(sigmoid(x), 0.3))", 2, {3, 4}},
    {"mse(x, x^2) + mae(x, 2*x^2)", 2, {3, 4}},
    {"sum(embedding(x, [[0, 1], [2, 2]])^2)", 2, {3, 4}},
    {"sum(clip(x, 0.5, 1) * x)", 2, {3, 4}},
    {"sum(where(x > 0.7, x^2, sin(x)))", 2, {3, 4}},
    {"sum(x - mean(x, axis=1, keep=true))^2 + sum(x^2)", 2, {3, 4}},
    {"sum(squeeze(x[:, 1:2])^2)", 2, {3, 4}},
    {"sum(x)", 1, {0}},
    {"sum(x @ t(x)) + prod(x)", 2, {0, 3}},
    {"sum(softmax(x)^2)", 2, {3, 0}},
    {"sum(cumprod(x)) + sum(sort(x))", 1, {0}},
};
enum { count = sizeof cases / sizeof *cases };

static cr_node build(cr_graph *g, cr_eval *e, const struct shaped *c, cr_node *x) {
    double data[32];
    int64_t n = 1;
    for (int i = 0; i < c->rank; i++) n *= c->dims[i];
    for (int64_t i = 0; i < n; i++)
        data[i] = 0.3 + fmod((double)i * 0.61803398874989, 1); /* spread, no two alike */
    *x = cr_input(g, "x", CR_F64, c->rank, c->dims);
    cr_eval_set(e, *x, CR_F64, data, (size_t)n * sizeof *data);
    cr_node y = cr_formula(g, c->formula);
    if (!cr_ok(y)) fail_msg("%s: %s", c->formula, cr_graph_error(g));
    return y;
}

TEST(gradients_agree_with_differences_and_the_other_mode) {
    (void)state;
    for (int i = 0; i < count; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_eval *e;
        cr_text *t;
        cr_node x;
        cr_eval_new(&e, g, NULL);
        cr_text_new(&t, NULL);
        cr_node y = build(g, e, &cases[i], &x);
        if (cr_check(t, e, y, 1, &x, 1e-6, 1e-8))
            fail_msg("%s: %s %s %s", cases[i].formula, cr_text_str(t),
                     cr_graph_error(g) ? cr_graph_error(g) : "", cr_eval_error(e) ? cr_eval_error(e) : "");
        cr_text_free(t);
        cr_eval_free(e);
        cr_graph_free(g);
    }
}

/* d/dt of the gradient along a direction: reverse over reverse against forward over reverse. */
TEST(second_derivatives_agree_both_ways) {
    (void)state;
    for (int i = 0; i < count; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_eval *e;
        cr_node x, d, hvp, again;
        cr_eval_new(&e, g, NULL);
        cr_node y = build(g, e, &cases[i], &x);
        assert_int_equal(cr_grad(&d, y, 1, &x), CR_OK);
        cr_node direction = cr_add(cr_mul(x, x), cr_number(g, 0.5)), fixed = cr_stop_gradient(direction);
        assert_int_equal(cr_jvp(&hvp, 1, &d, 1, &x, &fixed), CR_OK);
        assert_int_equal(cr_grad(&again, cr_sum(cr_mul(d, fixed), 0, NULL, false), 1, &x), CR_OK);
        cr_node difference = cr_max(cr_abs(cr_sub(hvp, again)), 0, NULL, false),
                size = cr_max(cr_abs(hvp), 0, NULL, false);
        double a = cr_eval_number(e, difference), b = cr_eval_number(e, size);
        if (cr_count(x) && !(a <= 1e-10 * fmax(1, b)))
            fail_msg("%s: the two ways differ by %g of %g (%s)", cases[i].formula, a, b,
                     cr_eval_error(e) ? cr_eval_error(e) : "");
        cr_eval_free(e);
        cr_graph_free(g);
    }
}

/* Fused, not fused, and the oracle; f64 throughout, so that only the order of sums may differ. */
TEST(executor_and_oracle_agree) {
    (void)state;
    static const char *const options[][2] = {
        {"device", "cpu"}, {"fuse", "0"}, {"device", "reference"}, {"trap_nan", "1"}};
    for (int i = 0; i < count; i++) {
        double value[4], grad[4][32];
        int64_t n = 0;
        for (int k = 0; k < 4; k++) {
            cr_graph *g = cr_graph_new(NULL);
            cr_eval *e;
            cr_node x, d;
            cr_array *at;
            cr_program *p;
            cr_run *r;
            cr_options *o = cr_options_new(NULL);
            assert_int_equal(cr_options_set(o, options[k][0], options[k][1]), CR_OK);
            cr_eval_new(&e, g, NULL);
            cr_node y = build(g, e, &cases[i], &x);
            cr_target *t = cr_target_new(g);
            assert_int_equal(cr_grad(&d, y, 1, &x), CR_OK);
            cr_target_output(t, "y", y);
            cr_target_output(t, "d", d);
            assert_int_equal(cr_compile(&p, t, o), CR_OK);
            assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
            cr_eval_array(&at, e, x);
            n = cr_array_count(at);
            cr_bind(r, "x", CR_F64, cr_array_data(at), cr_array_bytes(at));
            cr_bind(r, "y", CR_F64, &value[k], sizeof value[k]);
            cr_bind(r, "d", CR_F64, grad[k], cr_array_bytes(at));
            cr_status s = cr_step(r);
            if (s) fail_msg("%s: %s", cases[i].formula, cr_run_error(r));
            cr_run_free(r);
            cr_program_free(p);
            cr_target_free(t);
            cr_options_free(o);
            cr_array_free(at);
            cr_eval_free(e);
            cr_graph_free(g);
            if (!(fabs(value[k] - value[0]) <= 1e-13 * fmax(1, fabs(value[0]))))
                fail_msg("%s: %s=%s gives %.17g, not %.17g", cases[i].formula, options[k][0], options[k][1],
                         value[k], value[0]);
            for (int64_t j = 0; j < n; j++)
                if (!(fabs(grad[k][j] - grad[0][j]) <= 1e-13 * fmax(1, fabs(grad[0][j]))))
                    fail_msg("%s: gradient %d by %s=%s is %.17g, not %.17g", cases[i].formula, (int)j,
                             options[k][0], options[k][1], grad[k][j], grad[0][j]);
            if (k == 1)
                assert_memory_equal(grad[1], grad[0], (size_t)n * sizeof(double)); /* fusion changes no bit */
        }
    }
}

/* What stands about its own mean sums to 0, so the derivative adds it to no other sum: of a normalisation, those of what comes in and of
 * its product with the normal numbers are left. */
TEST(what_stands_about_its_mean_is_not_summed) {
    (void)state;
    static const struct {
        const char *formula;
        int sums; /* that the derivative has beside the formula's */
    } rows[] = {{"sum((x - mean(x, axis=1, keep=true))^2)", 0},
                {"sum((x - mean(y, axis=1, keep=true))^2)", 0},
                {"sum((y - mean(x, axis=1, keep=true))^2)", 1},
                {"sum((x - mean(x, axis=0, keep=true))^3)", 1},
                {"sum(layer_norm(x, y[0], y[1])*y)", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_node x = cr_input(g, "x", CR_F64, 2, (int64_t[]){3, 4}), d;
        cr_input(g, "y", CR_F64, 2, (int64_t[]){3, 4});
        cr_node y = cr_formula(g, rows[i].formula);
        int sums = 0;
        uint32_t before = g->count;
        assert_int_equal(cr_grad(&d, y, 1, &x), CR_OK);
        for (uint32_t id = before; id < g->count; id++) sums += graph_at(g, id)->op == OP_sum;
        if (sums != rows[i].sums) fail_msg("%s: %d sums", rows[i].formula, sums);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(gradients_agree_with_differences_and_the_other_mode), RUN(second_derivatives_agree_both_ways),
        RUN(what_stands_about_its_mean_is_not_summed), RUN(executor_and_oracle_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
