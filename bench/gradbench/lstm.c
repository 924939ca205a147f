/* lstm: the mean loss of predicting the next character's bits by layers of LSTM cells with diagonal weights. Time is a scan whose step is
 * elementwise: states and parameters are vectors of their own. What is before the first layer and behind the last is done for all characters
 * at once. */
#include "adapter.h"

#include <stdarg.h>
#include <stdio.h>

/* Weights and biases of forget, input and output gate, and change. */
static const char before[] = "input main_params: f64[2*layers, 4*size]\n"
                             "input extra_params: f64[3, size]\n"
                             "input state: f64[2*layers, size]\n"
                             "input sequence: f64[chars, size]\n"
                             "params = reshape(main_params, [layers, 8, size])\n"
                             "fn cell(x, h, c, wf, wi, wo, wc, bf, bi, bo, bc) {\n"
                             "    next = c*sigmoid(x*wf + bf) + sigmoid(h*wi + bi)*tanh(h*wc + bc)\n"
                             "    [sigmoid(x*wo + bo)*tanh(next), next]\n"
                             "}\n";
static const char behind[] = "y = hidden*extra_params[1] + extra_params[2]\n"
                             "loss = -mean(sequence[1:]*(y - log(2 + sum(exp(y), axis=1, keep=true))))\n";

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
print(cr_text *text, const char *format, ...) {
    char line[128];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    cr_text_append(text, line);
}

/* "p0_0, p0_1 .. p0_7": the vectors of layer i. */
static void write_params(cr_text *text, int i) {
    for (int k = 0; k < 8; k++) print(text, ", p%d_%d", i, k);
}

/* A step through all layers, each of which takes what the one before gives; and the scan of it. */
static void write_model(cr_text *text, int layers) {
    cr_text_append(text, before);
    print(text, "fn step(");
    for (int i = 0; i < layers; i++) print(text, "h%d, c%d, ", i, i);
    print(text, "x");
    for (int i = 0; i < layers; i++) write_params(text, i);
    print(text, ") {\n");
    for (int i = 0; i < layers; i++) {
        if (i) print(text, "r%d = cell(r%d[0], h%d, c%d", i, i - 1, i, i);
        else print(text, "r0 = cell(x, h0, c0");
        write_params(text, i);
        print(text, ")\n");
    }
    print(text, "[");
    for (int i = 0; i < layers; i++) print(text, "r%d[0], r%d[1], ", i, i);
    print(text, "r%d[0]]\n}\nsteps = scan(step, [", layers - 1);
    for (int i = 0; i < 2 * layers; i++) print(text, "%sstate[%d]", i ? ", " : "", i);
    print(text, "], sequence[:-1]*extra_params[0]");
    for (int i = 0; i < 8 * layers; i++) print(text, ", p%d_%d=params[%d, %d]", i / 8, i % 8, i / 8, i % 8);
    print(text, ")\nhidden = steps[%d]\n", 2 * layers);
    cr_text_append(text, behind);
}

static bool build(struct problem *p, const json_t *input, int function) {
    int layers = (int)json_array_size(json_object_get(input, "main_params")) / 2;
    cr_text *text = NULL;
    if (layers < 1 || cr_text_new(&text, NULL)) return problem_fail(p, "expected layers");
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
