/* lstm: the mean loss of predicting the next character's bits by layers of LSTM cells with diagonal weights. Time is a scan; what is
 * before the first layer and behind the last is done for all characters at once. */
#include "adapter.h"

#include <stdio.h>

/* w and b are [4, size]: of forget, input and output gate, and change. */
static const char before[] = "input main_params: f64[2*layers, 4*size]\n"
                             "input extra_params: f64[3, size]\n"
                             "input state: f64[2*layers, size]\n"
                             "input sequence: f64[chars, size]\n"
                             "fn cell(x, h, c, w, b) {\n"
                             "    kept = c*sigmoid(x*w[0] + b[0])\n"
                             "    next = kept + sigmoid(h*w[1] + b[1])*tanh(h*w[3] + b[3])\n"
                             "    [sigmoid(x*w[2] + b[2])*tanh(next), next]\n"
                             "}\n"
                             "fn step(s, h0, params) {\n";
static const char behind[] = "params = reshape(main_params, [layers, 2, 4, size])\n"
                             "steps = scan(step, state, sequence[:-1]*extra_params[0], params=params)\n"
                             "y = steps[1]*extra_params[1] + extra_params[2]\n"
                             "loss = -mean(sequence[1:]*(y - log(2 + sum(exp(y), axis=1, keep=true))))\n";

/* A step through all layers, as text: each takes what the one before gives. */
static void write_model(cr_text *text, int layers) {
    char line[192];
    cr_text_append(text, before);
    for (int i = 0; i < layers; i++) {
        snprintf(line, sizeof line,
                 "    r%d = cell(h%d, s[%d], s[%d], params[%d, 0], params[%d, 1])\n    h%d = r%d[0]\n", i, i,
                 2 * i, 2 * i + 1, i, i, i + 1, i);
        cr_text_append(text, line);
    }
    cr_text_append(text, "    [stack(");
    for (int i = 0; i < layers; i++) {
        snprintf(line, sizeof line, "r%d[0], r%d[1], ", i, i);
        cr_text_append(text, line);
    }
    snprintf(line, sizeof line, "axis=0), h%d]\n}\n", layers);
    cr_text_append(text, line);
    cr_text_append(text, behind);
}

static bool build(struct problem *p, const json_t *input, int function) {
    int layers = (int)json_array_size(json_object_get(input, "main_params")) / 2;
    cr_text *text = NULL;
    cr_text_new(&text, NULL);
    write_model(text, layers);
    problem_size(p, "layers", layers);
    cr_node y = problem_model(p, cr_text_str(text), input);
    cr_text_free(text);
    if (function == 0) return problem_output(p, "output", y);
    cr_node x[2] = {problem_node(p, "main_params"), problem_node(p, "extra_params")}, dx[2];
    cr_grad(dx, y, 2, x);
    for (int i = 0; i < 2; i++) dx[i] = cr_reshape(dx[i], 1, (int64_t[]){-1});
    return problem_output(p, "output", cr_concat(2, dx, 0));
}

const struct eval eval_lstm = {"lstm", {"objective", "jacobian"}, build, NULL};
