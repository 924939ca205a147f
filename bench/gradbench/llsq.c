/* llsq: half the sum of squares of sign(t) - (x_0 + x_1 t + x_2 t^2 + ..) at n places t between -1 and 1. The polynomial is evaluated
 * in blocks of 16 terms (Paterson and Stockmeyer 1973): the powers below t^16 at all places make one matrix, with which all blocks
 * are one product; then the blocks are the coefficients of a polynomial in t^16. */
#include "adapter.h"

#include <stdarg.h>
#include <stdio.h>

static const char before[] = "input x: f64[m]\n"
                             "t1 = -1 + 2*iota(n)/(n - 1)\n";

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
print(cr_text *text, const char *format, ...) {
    char line[80];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    cr_text_append(text, line);
}

/* By Horner's rule, from the last block on. */
static void write_model(cr_text *text, int blocks) {
    cr_text_append(text, before);
    for (int i = 2; i <= 16; i++) print(text, "t%d = t%d*t%d\n", i, i / 2, i - i / 2);
    cr_text_append(text, "low = stack(t1^0");
    for (int i = 1; i < 16; i++) print(text, ", t%d", i);
    print(text, ", axis=0)\nb = reshape(pad(x, [0], [%d*16 - m]), [%d, 16]) @ low\np%d = b[%d]\n", blocks,
          blocks, blocks - 1, blocks - 1);
    for (int i = blocks - 1; i-- > 0;) print(text, "p%d = p%d*t16 + b[%d]\n", i, i + 1, i);
    cr_text_append(text, "sum((sign(t1) - p0)^2)/2\n");
}

static bool build(struct problem *p, const json_t *input, int function) {
    int64_t m = (int64_t)json_array_size(json_object_get(input, "x"));
    cr_text *text = NULL;
    if (m < 1 || cr_text_new(&text, NULL)) return problem_fail(p, "expected coefficients");
    write_model(text, (int)((m + 15) / 16));
    problem_size(p, "n", json_integer_value(json_object_get(input, "n")));
    cr_node y = problem_model(p, cr_text_str(text), input);
    cr_text_free(text);
    if (function == 0) return problem_output(p, "output", y);
    return problem_gradient(p, "output", y, problem_node(p, "x"));
}

const struct eval eval_llsq = {"llsq", {"primal", "gradient"}, build, NULL};
