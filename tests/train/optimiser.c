/* Optimisers: PyTorch's steps, closed forms, and what is refused. */
#include "support/test.h"

static const char loss_text[] = "param p: f64[3] = [1, -2, 0.5]\n"
                                "loss = sum([1, 10, 0.1]*(p - [0, 1, 2])^2) + prod(p)\n";

struct bench {
    cr_graph *g;
    cr_store *store;
    cr_program *program;
    cr_run *run;
};

/* The graph of a model, its loss minimised by all its parameters. */
static cr_status start(struct bench *b, const char *text, const char *method, cr_context *ctx) {
    cr_model *m = NULL;
    cr_node loss, p[4];
    int n = 0;
    *b = (struct bench){.g = cr_graph_new(ctx)};
    cr_target *t = cr_target_new(b->g);
    cr_status status = t ? cr_model_new(&m, text, strlen(text), NULL, ctx, NULL) : CR_ENOMEM;
    if (!status) status = cr_model_build(&loss, m, b->g, NULL);
    for (int i = 0; !status && cr_ok(cr_leaf(b->g, i)); i++)
        if (strcmp(cr_op_of(cr_leaf(b->g, i)), "param") == 0) p[n++] = cr_leaf(b->g, i);
    if (!status) status = cr_minimise(t, method, loss, n, p);
    if (!status) status = cr_target_output(t, "loss", loss);
    if (!status) status = cr_compile(&b->program, t, NULL);
    if (!status) status = cr_store_new(&b->store, ctx);
    if (!status) status = cr_store_init(b->store, b->g, 0);
    if (!status) status = cr_run_new(&b->run, b->program, b->store, NULL, 0);
    cr_model_free(m);
    cr_target_free(t);
    return status;
}

static void stop(struct bench *b) {
    cr_run_free(b->run);
    cr_program_free(b->program);
    cr_store_free(b->store);
    cr_graph_free(b->g);
}

static void steps(struct bench *b, int n) {
    for (int i = 0; i < n; i++)
        if (cr_step(b->run)) fail_msg("%s", cr_run_error(b->run));
}

static void follow(const char *method, double x, double y, double z) {
    struct bench b;
    double p[3], expected[3] = {x, y, z};
    if (start(&b, loss_text, method, NULL)) fail_msg("%s: %s", method, cr_graph_error(b.g));
    steps(&b, 10);
    assert_int_equal(cr_store_get(b.store, "p", CR_F64, p, sizeof p), CR_OK);
    for (int i = 0; i < 3; i++)
        if (!(fabs(p[i] - expected[i]) <= 1e-13 * (1 + fabs(expected[i]))))
            fail_msg("%s: p[%d] = %.17g, expected %.17g", method, i, p[i], expected[i]);
    stop(&b);
}

TEST(ten_steps_of_every_optimiser_are_those_of_pytorch_or_the_paper) {
    (void)state;
#define STEPS(method, x, y, z) follow(method, x, y, z);
#include "data/optimisers.inc"
#undef STEPS
}

TEST(every_optimiser_has_a_reference) {
    (void)state;
    for (int i = 0; cr_optimiser_name(i); i++) {
        bool found = false;
#define STEPS(method, x, y, z)                                                                    \
    found = found || (strncmp(method, cr_optimiser_name(i), strlen(cr_optimiser_name(i))) == 0 && \
                      !strchr("abcdefghijklmnopqrstuvwxyz", (method "(")[strlen(cr_optimiser_name(i))]));
#include "data/optimisers.inc"
#undef STEPS
        if (!found) fail_msg("%s has no reference", cr_optimiser_name(i));
        assert_non_null(cr_optimiser_help(i));
        assert_non_null(cr_optimiser_signature(i));
    }
}

TEST(accumulation_over_batches_is_a_step_on_their_mean) {
    (void)state;
    struct bench b;
    double w;
    const char *text =
        "param w: f64 = 1; loss = cast(step_number() % 3, f64)*w"; /* gradients 0, 1, 2, 0, 1, 2 ... */
    assert_int_equal(start(&b, text, "sgd(rate=0.5, accumulate=3)", NULL), CR_OK);
    const double expected[] = {1, 1, 0.5, 0.5, 0.5, 0};
    for (int i = 0; i < 6; i++) {
        steps(&b, 1);
        cr_store_get(b.store, "w", CR_F64, &w, sizeof w);
        assert_true(w == expected[i]);
    }
    stop(&b);
}

TEST(accumulated_adam_counts_its_own_steps) {
    (void)state;
    struct bench once, thrice;
    double a, b;
    const char *text = "param w: f64 = 1; loss = w^3";
    assert_int_equal(start(&once, text, "adam(rate=0.1)", NULL), CR_OK);
    assert_int_equal(start(&thrice, text, "adam(rate=0.1, accumulate=3)", NULL), CR_OK);
    steps(&once, 2);
    steps(&thrice, 6);
    cr_store_get(once.store, "w", CR_F64, &a, sizeof a);
    cr_store_get(thrice.store, "w", CR_F64, &b, sizeof b);
    assert_near(a, b, 1e-15);
    stop(&once);
    stop(&thrice);
}

TEST(schedules_have_their_closed_forms) {
    (void)state;
    const struct {
        const char *text;
        double at[4];
    } cases[] = {{"cosine(step, 3)", {1, 0.75, 0.25, 0}},
                 {"warmup(step, 2)", {0.5, 1, 1, 1}},
                 {"staircase(step, 2)", {1, 1, 0.5, 0.5}},
                 {"staircase(step, 1, factor=0.1)", {1, 0.1, 0.01, 0.001}},
                 {"one_cycle(step, 10, start=0.1)", {0.1, 0.325, 0.775, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 4; k++) {
            char text[80], *hole;
            strcpy(text, cases[i].text);
            hole = strstr(text, "step,");
            memcpy(hole, "  xy", 4);
            struct fixture f = fixture_of(text, "xy", (double)k, NULL);
            assert_near(cr_eval_number(f.e, f.y), cases[i].at[k], 1e-15);
            fixture_free(&f);
        }
}

/* w1 = w - r (2w - 2): loss (w1 - 1)^2 has the derivative -4 (w - 1)^2 (1 - 2r) by r. */
TEST(a_loss_after_a_step_is_differentiated_by_the_rate) {
    (void)state;
    double three = 3, quarter = 0.25;
    cr_graph *g = cr_graph_new(NULL);
    cr_node w = cr_input(g, "w", CR_F64, 0, NULL), r = cr_input(g, "r", CR_F64, 0, NULL), dw, dr, next;
    cr_node one = cr_number(g, 1);
    cr_grad(&dw, cr_square(cr_sub(w, one)), 1, &w);
    assert_int_equal(cr_optimise(&next, "sgd(rate=r)", w, dw, cr_number(g, 0), 0, NULL), CR_OK);
    assert_int_equal(cr_grad(&dr, cr_square(cr_sub(next, one)), 1, &r), CR_OK);
    cr_eval *e;
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    cr_eval_set(e, w, CR_F64, &three, sizeof three);
    cr_eval_set(e, r, CR_F64, &quarter, sizeof quarter);
    assert_true(cr_eval_number(e, dr) == -4. * 4 * 0.5);
    cr_eval_free(e);
    cr_graph_free(g);
}

TEST(sgd_without_momentum_keeps_no_state) {
    (void)state;
    struct bench b;
    assert_int_equal(start(&b, loss_text, "sgd", NULL), CR_OK);
    assert_string_equal(cr_store_name(b.store, 0), "p");
    assert_null(cr_store_name(b.store, 1));
    stop(&b);
}

TEST(an_f32_parameter_stays_f32) {
    (void)state;
    struct bench b;
    float w;
    assert_int_equal(start(&b, "param w: f32 = 1; loss = w^2", "adam(rate=0.1*cosine(step, 10))", NULL),
                     CR_OK);
    steps(&b, 1);
    assert_int_equal(cr_store_get(b.store, "w", CR_F32, &w, sizeof w), CR_OK);
    assert_near(w, 0.9, 1e-6);
    stop(&b);
}

static void refuse(const char *method, cr_status expected, const char *fact) {
    struct bench b;
    cr_status status = start(&b, loss_text, method, NULL);
    if (status != expected) fail_msg("%s: status %d: %s", method, (int)status, cr_graph_error(b.g));
    if (!strstr(cr_graph_error(b.g), fact)) fail_msg("%s: %s", method, cr_graph_error(b.g));
    stop(&b);
}

TEST(methods_that_make_no_sense_are_refused_with_what_was_expected) {
    (void)state;
    refuse("adma", CR_ENAME, "expected one of sgd, rmsprop, adagrad, adam");
    refuse("", CR_ENAME, "there is no optimiser ''");
    refuse("adam(rat=1)", CR_ENAME, "there is no option 'rat': expected rate=0.001");
    refuse("adam(rate=)", CR_EINVAL, "rate: expected option=value");
    refuse("adam(0.1)", CR_ENAME, "there is no option '0.1'");
    refuse("adam(rate=0.1", CR_EINVAL, "expected ')'");
    refuse("adam(rate=spet)", CR_ENAME, "did you mean step?");
    refuse("adam(rate=[1, 2])", CR_EINVAL, "expected one number");
    refuse("adam(rate=1 +)", CR_ESYNTAX, "expected");
    refuse("adam(accumulate=0)", CR_EINVAL, "expected a positive integer");
    refuse("adam(accumulate=step)", CR_EINVAL, "expected a positive integer");
    refuse("adam(clip=-1)", CR_EINVAL, "expected no negative number");
    refuse("sgd(rate=0/0)", CR_EINVAL, "expected no negative number");
}

static cr_status train_a_little(cr_context *ctx, void *arg) {
    struct bench b;
    (void)arg;
    cr_status status =
        start(&b, loss_text, "adam(rate=0.1*cosine(step, 10), clip=1, clip_norm=1, accumulate=2)", ctx);
    if (!status) status = cr_step(b.run);
    if (!b.g) status = CR_ENOMEM;
    stop(&b);
    return status;
}

TEST(every_allocation_may_fail) {
    (void)state;
    alloc_fail_each(train_a_little, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(ten_steps_of_every_optimiser_are_those_of_pytorch_or_the_paper),
        RUN(every_optimiser_has_a_reference),
        RUN(accumulation_over_batches_is_a_step_on_their_mean),
        RUN(accumulated_adam_counts_its_own_steps),
        RUN(schedules_have_their_closed_forms),
        RUN(a_loss_after_a_step_is_differentiated_by_the_rate),
        RUN(sgd_without_momentum_keeps_no_state),
        RUN(an_f32_parameter_stays_f32),
        RUN(methods_that_make_no_sense_are_refused_with_what_was_expected),
        RUN(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
