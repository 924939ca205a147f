/* What a gradient costs: the operations of programs that give the value and all of its gradient, over those of the value alone, on
 * three models that others are measured with. */
#include "support/test.h"

#include "run/cost.h"
#include "run/program.h"

/* Of a program whose outputs these are, after rewriting. */
static double program_operations(int n, const cr_node y[]) {
    cr_target *t = cr_target_new(y[0].graph);
    cr_program *p = NULL;
    char name[24];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "output %d", i);
        assert_int_equal(cr_target_output(t, name, y[i]), CR_OK);
    }
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(y[0].graph));
    double found = cost_graph(p->g);
    cr_program_free(p);
    cr_target_free(t);
    return found;
}

/* ---- Models ---- */

/* bench/gradbench/gmm.c's likelihood and prior. */
static const char gmm[] =
    "input alpha: f64[k]\ninput mu: f64[k, d]\ninput q: f64[k, d]\ninput l: f64[k, below]\n"
    "input x: f64[n, d]\ninput gamma: f64\ninput places: i64[d, d]\n"
    "diagonal = exp(q)\n"
    "Q = concat(diagonal, l, 0*q[:, :1], axis=1)[:, places]\n"
    "sum_q = sum(q, axis=1, keep=true)\n"
    "Qx = reshape(reshape(Q, [k*d, d]) @ t(x), [k, d, n])\n"
    "beta = alpha[:, None] + sum_q - sum((Qx - Q @ mu[:, :, None])^2, axis=1)/2\n"
    "likelihood = sum(logsumexp(beta, axis=0)) - n*logsumexp(alpha)\n"
    "prior = -gamma^2/2*(sum(diagonal^2) + sum(l^2)) + sum(sum_q)\n"
    "likelihood + prior\n";

/* A layer of LSTM with full weights, 20 steps of it. */
static const char lstm[] =
    "input x: f64[steps, inner]\ninput W: f64[4, inner, inner]\ninput U: f64[4, inner, inner]\n"
    "input b: f64[4, inner]\ninput out: f64[inner, inner]\ninput h0: f64[inner]\n"
    "fn cell(h, c, x, wf, wi, wo, wc, uf, ui, uo, uc, bf, bi, bo, bc) {\n"
    "    next = c*sigmoid(x@wf + h@uf + bf) + sigmoid(x@wi + h@ui + bi)*tanh(x@wc + h@uc + bc)\n"
    "    z = sigmoid(x@wo + h@uo + bo)*tanh(next)\n"
    "    [z, next, z]\n"
    "}\n"
    "r = scan(cell, [h0, 0*h0], x, wf=W[0], wi=W[1], wo=W[2], wc=W[3], uf=U[0], ui=U[1], uo=U[2], uc=U[3], "
    "bf=b[0], bi=b[1], bo=b[2], bc=b[3])\n"
    "mean((r[2]@out - x)^2)\n";

/* examples/mlp.cr */
static const char mlp[] =
    "input x: f32[n, inner]\ninput y: i32[n]\ninput W1: f32[inner, d]\ninput b1: f32[d]\n"
    "input W2: f32[d, k]\ninput b2: f32[k]\n"
    "h = relu(x / 255 @ W1 + b1)\n"
    "logits = h @ W2 + b2\n"
    "mean(cross_entropy(logits, y))\n";

struct size {
    const char *name;
    int64_t n;
};

static const struct model {
    const char *name, *text;
    struct size sizes[6];
    const char *wrt[5];
} models[] = {
    {"gmm", gmm, {{"k", 5}, {"d", 10}, {"below", 45}, {"n", 1000}}, {"alpha", "mu", "q", "l"}},
    {"lstm", lstm, {{"steps", 20}, {"inner", 32}}, {"W", "U", "b", "out"}},
    {"mlp", mlp, {{"n", 64}, {"inner", 784}, {"d", 128}, {"k", 10}}, {"W1", "b1", "W2", "b2"}},
};
enum { model_count = sizeof models / sizeof *models };

static cr_node build(cr_graph *g, const struct model *m) {
    cr_model *model = NULL;
    cr_text *why = NULL;
    cr_node y;
    assert_int_equal(cr_text_new(&why, NULL), CR_OK);
    if (cr_model_new(&model, m->text, strlen(m->text), m->name, NULL, why)) fail_msg("%s", cr_text_str(why));
    for (const struct size *s = m->sizes; s->name; s++)
        assert_int_equal(cr_model_size(model, s->name, s->n), CR_OK);
    if (cr_model_build(&y, model, g, why)) fail_msg("%s", cr_text_str(why));
    cr_model_free(model);
    cr_text_free(why);
    return y;
}

/* Each of them; and a gradient along a direction, in forward mode. */
TEST(a_gradient_takes_at_most_four_times_the_operations_of_its_function) {
    (void)state;
    for (int i = 0; i < model_count; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_node y = build(g, &models[i]), x[4], t[4], all[5], along = y;
        for (int k = 0; k < 4; k++) {
            char name[24];
            x[k] = cr_find(g, models[i].wrt[k]);
            snprintf(name, sizeof name, "d_%s", models[i].wrt[k]);
            t[k] = cr_input(g, name, cr_dtype_of(x[k]), cr_rank(x[k]), cr_dims(x[k]));
        }
        all[0] = y;
        if (cr_grad(all + 1, y, 4, x) || cr_jvp(&along, 1, &y, 4, x, t)) fail_msg("%s", cr_graph_error(g));
        double value = program_operations(1, &y), gradient = program_operations(5, all),
               tangent = program_operations(2, (cr_node[]){y, along});
        print_message("%s: %.0f operations, with its gradient %.2f times as many, along a direction %.2f\n",
                      models[i].name, value, gradient / value, tangent / value);
        assert_true(gradient <= 4 * value);
        assert_true(tangent <= 4 * value);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_gradient_takes_at_most_four_times_the_operations_of_its_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
