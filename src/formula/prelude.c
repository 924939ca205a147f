/* Functions and layers that every model knows, in the language itself: a row for each, whose text is read when it is
 * called. Each calls those before it alone. tests/formula/prelude.c reads them all. */
#include "formula/model.h"

const struct prelude formula_prelude[prelude_functions] = {
    /* Layers. What makes the parameters of an op itself is called as the op is, with _layer behind. */
    {true, "fn dense(x, n) {\n"
           "    param W: dtype(x)[size(x, axis=-1), n] = he_normal()\n"
           "    param b: dtype(x)[n] = 0\n"
           "    x @ W + b\n"
           "}\n"},
    /* Of images. */
    {true, "fn conv_layer(x, n, width=3, stride=1, pad=width//2) {\n"
           "    channels = size(x, axis=1)\n"
           "    param W: dtype(x)[n, channels, width, width] = he_normal()\n"
           "    param b: dtype(x)[n] = 0\n"
           "    conv(x, W, stride=stride, before=pad, after=pad) + b[:, None, None]\n"
           "}\n"},
    {true, "fn embedding_layer(index, n, width, dtype=f32) {\n"
           "    param table: dtype[n, width] = 0.02*normal()\n"
           "    embedding(table, index)\n"
           "}\n"},
    {true, "fn layer_norm_layer(x, eps=1e-5) {\n"
           "    param gain: dtype(x)[size(x, axis=-1)] = 1\n"
           "    param bias: dtype(x)[size(x, axis=-1)] = 0\n"
           "    layer_norm(x, gain, bias, eps=eps)\n"
           "}\n"},
    {true, "fn rms_norm_layer(x, eps=1e-5) {\n"
           "    param gain: dtype(x)[size(x, axis=-1)] = 1\n"
           "    rms_norm(x, gain, eps=eps)\n"
           "}\n"},
    /* Ioffe and Szegedy 2015. The running variance is of the population: divided by n - 1. */
    {true, "fn batch_norm_layer(x, momentum=0.1, eps=1e-5) {\n"
           "    c = size(x, axis=1)\n"
           "    n = size(x)/c\n"
           "    param gain: dtype(x)[c] = 1\n"
           "    param bias: dtype(x)[c] = 0\n"
           "    param mean: dtype(x)[c] = 0\n"
           "    param var: dtype(x)[c] = 1\n"
           "    m = where(training, batch_mean(x), mean)\n"
           "    v = where(training, batch_var(x), var)\n"
           "    update mean = (1 - momentum)*mean + momentum*m\n"
           "    update var = (1 - momentum)*var + momentum*n/(n - 1)*v\n"
           "    batch_norm_by(x, m, v, gain, bias, eps=eps)\n"
           "}\n"},
    /* Vaswani et al. 2017, of x [batch, n, width]; groups: of heads that share keys and values (Ainslie et al. 2023). */
    {true, "fn attention_layer(x, heads=1, groups=heads, causal=false) {\n"
           "    b = size(x, axis=0)\n"
           "    n = size(x, axis=1)\n"
           "    d = size(x, axis=2)\n"
           "    each = d//heads\n"
           "    param Wq: dtype(x)[d, heads*each] = glorot_normal()\n"
           "    param Wk: dtype(x)[d, groups*each] = glorot_normal()\n"
           "    param Wv: dtype(x)[d, groups*each] = glorot_normal()\n"
           "    param Wo: dtype(x)[heads*each, d] = glorot_normal()\n"
           "    q = permute(reshape(x @ Wq, [b, n, groups, heads//groups, each]), [0, 2, 3, 1, 4])\n"
           "    k = permute(reshape(x @ Wk, [b, n, groups, 1, each]), [0, 2, 3, 1, 4])\n"
           "    v = permute(reshape(x @ Wv, [b, n, groups, 1, each]), [0, 2, 3, 1, 4])\n"
           "    y = attention(q, k, v, causal=causal)\n"
           "    reshape(permute(y, [0, 3, 1, 2, 4]), [b, n, heads*each]) @ Wo\n"
           "}\n"},
    /* With norms before (Xiong et al. 2020). */
    {true, "fn transformer_layer(x, heads=1, groups=heads, causal=false, rate=0) {\n"
           "    d = size(x, axis=2)\n"
           "    before = layer_norm_layer(x)\n"
           "    attended = attention_layer(before, heads=heads, groups=groups, causal=causal)\n"
           "    y = x + dropout(attended, rate=rate)\n"
           "    between = layer_norm_layer(y)\n"
           "    inner = dense(between, 4*d)\n"
           "    outer = dense(gelu(inner), d)\n"
           "    y + dropout(outer, rate=rate)\n"
           "}\n"},
    /* Hochreiter and Schmidhuber 1997, with gates i, f, g, o in this order; gives [h, c]. */
    {false, "fn lstm_cell(x, h, c, W, U, b) {\n"
            "    n = size(h, axis=-1)\n"
            "    z = x @ W + h @ U + b\n"
            "    keep = sigmoid(z[..., n:2*n])*c\n"
            "    next = keep + sigmoid(z[..., :n])*tanh(z[..., 2*n:3*n])\n"
            "    [sigmoid(z[..., 3*n:])*tanh(next), next]\n"
            "}\n"},
    /* Cho et al. 2014, with the gates reset, update, new in this order, and a bias to each product. */
    {false, "fn gru_cell(x, h, W, U, b, c) {\n"
            "    n = size(h, axis=-1)\n"
            "    p = x @ W + b\n"
            "    q = h @ U + c\n"
            "    reset = sigmoid(p[..., :n] + q[..., :n])\n"
            "    stay = sigmoid(p[..., n:2*n] + q[..., n:2*n])\n"
            "    new = tanh(p[..., 2*n:] + reset*q[..., 2*n:])\n"
            "    (1 - stay)*new + stay*h\n"
            "}\n"},
    /* Schedules, factors of a learning rate: of step, over n steps. */
    {false, "fn cosine(step, n) = 0.5*(1 + cos(pi*minimum(step/n, 1)))\n"},
    {false, "fn warmup(step, n) = minimum((step + 1)/n, 1)\n"},
    {false, "fn staircase(step, n, factor=0.5) = factor^(step//n)\n"},
    /* Smith and Topin 2018: up over 3/10 of the steps, then down to nothing, by half cosines. */
    {false, "fn one_cycle(step, n, start=0.04) = where(step < 0.3*n,\n"
            "    start + (1 - start)*0.5*(1 - cos(pi*step/(0.3*n))),\n"
            "    0.5*(1 + cos(pi*minimum((step - 0.3*n)/(0.7*n), 1))))\n"},
};
