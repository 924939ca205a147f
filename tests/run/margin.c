/* Values that stand moved within another's memory, with zeros or numbers of their own beside it: the bits of a copy, in every way of
 * running, and the numbers of the reference. */
#include "support/two.h"

#include "run/cost.h"

/* y is x0's, of one axis, or x1's, of two, and g is a number. */
static const char *const moved[] = {
    "y$ = sin(x0); concat([1.0], y$[:-1])*y$",
    "y$ = sin(x0); concat(y$[1:], [3.0]) + y$",
    "y$ = sin(x0); concat([1.0], y$[:-1])*concat([2.0], y$[:-1]) + concat(y$[1:], [3.0])*concat(y$[2:], "
    "y$[:2])",
    "y$ = sin(x0); pad(y$[1:], [0], [1])*concat(y$[1:], [5.0]) + pad(y$[2:], [0], [2])",
    "y$ = sin(x0); pad(y$[1:-1], [1], [1])*y$",
    "y$ = exp(x0); pad(y$, [2], [0])*pad(y$, [1], [1])*pad(y$, [0], [2])",
    "y$ = exp(x0); cumsum(pad(pad(y$, [1], [1]), [2], [0]))",
    "y$ = exp(x0); pad(y$, [9], [300]) + 1",
    "y$ = exp(x0); pad(y$[:3], [0], [9]) + 1",
    "y$ = exp(x0); concat([1.0], y$[::-1][1:])*y$",
    "y$ = exp(x0); concat([1.0], y$[:-1])*concat(cast(y$[:1] > 2, f64), y$[1:])",
    "y$ = exp(x0); sum(concat(y$[:1], y$[:-1])*concat(y$[1:], y$[-1:]))",
    "y$ = exp(x0); concat(y$[3:], y$[:3])*concat(y$[:0], y$, [2.0])[1:]",
    "y$ = exp(x0); concat(y$[1:], [x0[0]*x0[1]])*y$",
    "y$ = tanh(x0); concat(y$, exp(x0[:0]))",
    "y$ = tanh(x1); grad(sum((y$[1:] - y$[:-1])^2), x1)",
    "y$ = tanh(x1); grad(sum((y$[:, 1:] - y$[:, :-1])^2), x1)",
    "y$ = tanh(x1); grad(sum((y$[2:, 1:] - 2*y$[1:-1, 1:] + y$[:-2, 1:])^2), x1)",
    "y$ = tanh(x1 @ t(x1)); concat(y$[1:], y$[:1], axis=0) + pad(y$[:-1], [1, 0], [0, 0])",
    "y$ = tanh(x1)[None]; pad(y$[:, 1:], [0, 1, 0], [0, 0, 0])*y$",
    "y$ = tanh(x1); z$ = sum(y$, axis=1); concat([0.0], z$[:-1]) - z$",
    "y$ = tanh(x1); grad(sum(y$[1:, ::-1]*y$[:-1]) + sum(y$[2:][::-1]^3), x1)",
    "y$ = exp(x0); grad(sum((y$[2:] - 2*y$[1:-1] + y$[:-2])^2), x0)",
    "fn slope(x, y) = x*concat([1.0], y[:-1])\n"
    "fn step(y, x, h) { k1 = slope(x, y); k2 = slope(x, y + h/2*k1); k3 = slope(x, y + h/2*k2); k4 = "
    "slope(x, y + h*k3)\n"
    " y + h/6*(k1 + 2*k2 + 2*k3 + k4) }\n"
    "grad(sum(step(cos(x0), x0, 0.1)*x0), x0)",
};
enum { formulas_moved = sizeof moved / sizeof *moved };

/* $ is the formula's number: names are taken once. */
static cr_node numbered(struct two *b, const char *text, int number) {
    char with[600];
    size_t n = 0;
    for (; *text && n < sizeof with - 12; text++)
        if (*text == '$') n += (size_t)snprintf(with + n, 12, "%d", number);
        else with[n++] = *text;
    with[n] = 0;
    return formula(b, with);
}

static void give(struct two *b, int64_t n, int first, int end) {
    start(b);
    input(b, CR_F64, 1, &n, -2, 2);
    input(b, CR_F64, 2, (int64_t[]){n / 7, 7}, -2, 2);
    for (int i = first; i < end; i++) output(b, numbered(b, moved[i], i));
}

TEST(what_stands_moved_has_the_bits_of_a_copy) {
    (void)state;
    static const struct {
        int64_t n;
        int first, end;
    } of[] = {{14, 0, 8}, {70, 8, 18}, {1000, 18, 22}, {30001, 22, formulas_moved}};
    for (int i = 0; i < 4; i++) {
        struct two b;
        give(&b, of[i].n, of[i].first, of[i].end);
        compare(&b, "cc");
        drop(&b);
    }
}

/* All of a target's outputs, in the library's way or the reference's. */
static void values(const struct two *b, const char *option, const char *value, void *out[]) {
    cr_options *o = cr_options_new(NULL);
    cr_program *p = NULL;
    cr_run *r = NULL;
    assert_int_equal(cr_options_set(o, option, value), CR_OK);
    if (cr_compile(&p, b->t, o)) fail_msg("%s", cr_graph_error(b->g));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < b->inputs; i++)
        cr_bind(r, cr_name(b->x[i]), cr_dtype_of(b->x[i]), b->data[i], bytes_of(b->x[i]));
    for (int i = 0; i < b->outputs; i++) {
        out[i] = malloc(bytes_of(b->y[i]) + 1);
        assert_int_equal(cr_bind(r, b->name[i], cr_dtype_of(b->y[i]), out[i], bytes_of(b->y[i])), CR_OK);
    }
    for (int i = 0; i < 2; i++)
        if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
}

/* Each formula alone: then nothing else has the margins. */
TEST(what_stands_moved_has_the_numbers_of_the_reference) {
    (void)state;
    for (int i = 0; i < formulas_moved; i++) {
        struct two b;
        void *ours, *reference;
        give(&b, 1000, i, i + 1);
        values(&b, "fuse", "1", &ours);
        values(&b, "device", "reference", &reference);
        for (int64_t k = 0; k < cr_count(b.y[0]); k++) {
            double x = ((double *)ours)[k], y = ((double *)reference)[k];
            if (!(fabs(x - y) <= 1e-12 * (1 + fabs(y))))
                fail_msg("%s, number %d: %.17g, reference %.17g", moved[i], (int)k, x, y);
        }
        free(ours);
        free(reference);
        drop(&b);
    }
}

/* A second difference's gradient is three zero-padded copies of one value, of which none is made: bytes that steps other than loops
 * write. */
TEST(differences_along_an_axis_copy_nothing) {
    (void)state;
    enum { n = 1 << 16 };
    static const char *const text[] = {"y = exp(x)\ngrad(sum((y[2:] - 2*y[1:-1] + y[:-2])^2), x)",
                                       "y = exp(x)\nconcat([1.0], y[:-1])*y"};
    for (int i = 0; i < 2; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_target *t = cr_target_new(g);
        cr_program *p = NULL;
        size_t written = 0;
        cr_input(g, "x", CR_F64, 1, (int64_t[]){n});
        cr_target_output(t, "y", cr_formula(g, text[i]));
        if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(g));
        for (size_t s = 0; s < p->plan.steps; s++)
            if (p->plan.step[s].kind != STEP_LOOP) written += cost_written(&p->plan, &p->plan.step[s]);
        assert_true(written <= 8 * sizeof(double));
        cr_program_free(p);
        cr_target_free(t);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(what_stands_moved_has_the_bits_of_a_copy),
        RUN(what_stands_moved_has_the_numbers_of_the_reference),
        RUN(differences_along_an_axis_copy_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
