/* lstm: the mean loss of predicting the next character's bits by layers of LSTM cells with diagonal weights. Time is a scan whose step is
 * elementwise over all layers at once, each a character behind the one below it, whose last output it reads. What is before the first layer
 * and behind the last is done for all characters at once. */
#include "adapter.h"

/* Weights and biases of forget, input and output gate, and change. A layer begins when its first character has come through those below. */
static const char model[] =
    "input main_params: f64[2*layers, 4*size]\n"
    "input extra_params: f64[3, size]\n"
    "input state: f64[2*layers, size]\n"
    "input sequence: f64[chars, size]\n"
    "fn step(h, c, x, now, begin, wf, wi, wo, wc, bf, bi, bo, bc) {\n"
    "    below = concat(x[None], h[:-1], axis=0)\n"
    "    next = c*sigmoid(below*wf + bf) + sigmoid(h*wi + bi)*tanh(h*wc + bc)\n"
    "    out = sigmoid(below*wo + bo)*tanh(next)\n"
    "    [where(begin <= now, out, h), where(begin <= now, next, c), out[-1]]\n"
    "}\n"
    "w = reshape(main_params, [layers, 8, size])\n"
    "start = reshape(state, [layers, 2, size])\n"
    "begin = cast(expand(iota(layers)[:, None], [layers, size]), f64)\n"
    "x = pad(sequence[:-1]*extra_params[0], [0, 0], [layers - 1, 0])\n"
    "steps = scan(step, [start[:, 0], start[:, 1]], x, cast(iota(chars + layers - 2), f64), begin=begin,\n"
    "             wf=w[:, 0], wi=w[:, 1], wo=w[:, 2], wc=w[:, 3], bf=w[:, 4], bi=w[:, 5], bo=w[:, 6], "
    "bc=w[:, 7])\n"
    "y = steps[2][layers - 1:]*extra_params[1] + extra_params[2]\n"
    "loss = -mean(sequence[1:]*(y - log(2 + sum(exp(y), axis=1, keep=true))))\n";

static bool build(struct problem *p, const json_t *input, int function) {
    int layers = (int)json_array_size(json_object_get(input, "main_params")) / 2;
    if (layers < 1) return problem_fail(p, "expected layers");
    problem_size(p, "layers", layers);
    cr_node y = problem_model(p, model, input);
    if (function == 0) return problem_output(p, "output", y);
    cr_node x[2] = {problem_node(p, "main_params"), problem_node(p, "extra_params")}, dx[2];
    cr_grad(dx, y, 2, x);
    for (int i = 0; i < 2; i++) dx[i] = cr_reshape(dx[i], 1, (int64_t[]){-1});
    return problem_output(p, "output", cr_concat(2, dx, 0));
}

const struct eval eval_lstm = {"lstm", {"objective", "jacobian"}, build, NULL};
