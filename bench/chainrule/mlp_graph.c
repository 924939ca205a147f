/* The graph of the MLP's training step: see mlp_graph.h. */
#include "chainrule/mlp_graph.h"

const struct mlp_tensor mlp_tensor[MLP_TENSORS] = {
    {"W1", "m.W1", "v.W1", 2, {MLP_IN, MLP_H1}, MLP_W1},  {"b1", "m.b1", "v.b1", 1, {MLP_H1}, MLP_B1},
    {"W2", "m.W2", "v.W2", 2, {MLP_H1, MLP_H2}, MLP_W2},  {"b2", "m.b2", "v.b2", 1, {MLP_H2}, MLP_B2},
    {"W3", "m.W3", "v.W3", 2, {MLP_H2, MLP_OUT}, MLP_W3}, {"b3", "m.b3", "v.b3", 1, {MLP_OUT}, MLP_B3},
};

static cr_node parameter_like(cr_graph *g, const char *name, const struct mlp_tensor *t) {
    return cr_param(g, name, CR_F32, t->rank, t->dim);
}

static cr_node layer(cr_node x, const cr_node p[2]) { return cr_add(cr_matmul(x, p[0]), p[1]); }

cr_node mlp_loss(cr_graph *g, int64_t batch, cr_node p[MLP_TENSORS], cr_node gradient[MLP_TENSORS]) {
    cr_node x = cr_input(g, "x", CR_F32, 2, (int64_t[]){batch, MLP_IN}),
            y = cr_input(g, "y", CR_I32, 1, &batch);
    for (int i = 0; i < MLP_TENSORS; i++) p[i] = parameter_like(g, mlp_tensor[i].name, &mlp_tensor[i]);
    cr_node h1 = cr_relu(layer(x, p)), h2 = cr_relu(layer(h1, p + 2));
    cr_node loss = cr_mean(cr_cross_entropy(layer(h2, p + 4), y), 0, NULL, false);
    cr_grad(gradient, loss, MLP_TENSORS, p);
    return loss;
}

/* Adam (Kingma, Ba 2015, algorithm 1), the bias corrections folded into two scalars:
 * p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps). These are found in f64: 1 - b2^t cancels. */
static void adam(cr_target *t, cr_graph *g, const struct mlp_tensor *of, cr_node p, cr_node dp) {
    cr_node m = parameter_like(g, of->m, of), v = parameter_like(g, of->v, of);
    cr_node one = cr_number(g, 1), step = cr_cast(cr_add(cr_step_number(g), one), CR_F64);
    cr_node m2 = cr_add(cr_mul(cr_number(g, 0.9), m), cr_mul(cr_number(g, 0.1), dp)),
            v2 = cr_add(cr_mul(cr_number(g, 0.999), v), cr_mul(cr_number(g, 0.001), cr_square(dp)));
    cr_node rate = cr_div(cr_number(g, 1e-3), cr_sub(one, cr_pow(cr_number(g, 0.9), step))),
            root = cr_rsqrt(cr_sub(one, cr_pow(cr_number(g, 0.999), step)));
    rate = cr_cast(rate, CR_F32);
    root = cr_cast(root, CR_F32);
    cr_node change = cr_div(cr_mul(rate, m2), cr_add(cr_mul(root, cr_sqrt(v2)), cr_number(g, 1e-8)));
    cr_target_update(t, m, m2);
    cr_target_update(t, v, v2);
    cr_target_update(t, p, cr_sub(p, change));
}

cr_target *mlp_target(cr_graph *g, int64_t batch) {
    cr_node p[MLP_TENSORS], gradient[MLP_TENSORS], loss = mlp_loss(g, batch, p, gradient);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", loss);
    for (int i = 0; i < MLP_TENSORS; i++) adam(t, g, &mlp_tensor[i], p[i], gradient[i]);
    return t;
}
