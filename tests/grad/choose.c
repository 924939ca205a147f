/* Functions of many slices that go different ways: each is as it is alone, with its derivatives. */
#include "support/functions.h"
#include "support/ways.h"

static cr_node scalar(cr_graph *g, const char *name) { return cr_input(g, name, CR_F64, 0, NULL); }
enum { ways = 4 };

/* all is y, and each of its two derivatives, for these four numbers x. */
static void each_like_one(cr_graph *g, cr_node x, cr_node y, cr_node loss_of_all, cr_node xs, cr_node all,
                          double values[ways], double tolerance) {
    cr_node one[3] = {y}, many[3] = {all}, unit = cr_number(g, 1);
    int64_t n = ways;
    if (cr_grad(one + 1, y, 1, &x) || cr_jvp(one + 2, 1, &y, 1, &x, &unit)) fail_msg("%s", cr_graph_error(g));
    if (cr_grad(many + 1, loss_of_all, 1, &xs) || cr_jvp(many + 2, 1, &all, 1, &xs, &unit))
        fail_msg("%s", cr_graph_error(g));
    struct given in[] = {{"x", CR_F64, 0, NULL, NULL, NULL}, {"xs", CR_F64, 1, &n, values, NULL}};
    for (int i = 0; i < 3; i++) {
        double expected, found[ways];
        for (enum way way = 0; way < WAYS; way++) {
            compute(way, many[i], 1, in + 1, found, sizeof found);
            for (int k = 0; k < ways; k++) {
                in[0].data = &values[k];
                compute(way, one[i], 1, in, &expected, sizeof expected);
                if (!(fabs(found[k] - expected) <= tolerance * fmax(1, fabs(expected))))
                    fail_msg("%s, result %d, slice %d: %.17g, alone %.17g", way_name(way), i, k, found[k],
                             expected);
            }
        }
    }
}

/* log x where x > 0, else x^3: the branch that a slice does not take is nan or inf there, with all its derivatives. */
TEST(a_condition_that_differs_from_slice_to_slice_takes_from_both_branches) {
    (void)state;
    cr_function *yes = function_of(CR_F64, 0, NAMES("x"), 1, NAMES("log(x) + x*sqrt(x)")),
                *no = function_of(CR_F64, 0, NAMES("x"), 1, NAMES("x^3 - x"));
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = ways;
    cr_node x = scalar(g, "x"), xs = cr_input(g, "xs", CR_F64, 1, &n), y, all;
    assert_int_equal(cr_cond(&y, cr_lt(cr_number(g, 0), x), yes, no, 1, &x), CR_OK);
    assert_int_equal(cr_vmap(&all, 1, &y, 1, &x, &xs), CR_OK);
    each_like_one(g, x, y, total(all), xs, all, (double[]){2, -1.5, 0, 0.25}, 1e-14);
    cr_node slopes, slope; /* of a gradient too */
    assert_int_equal(cr_grad(&slope, y, 1, &x), CR_OK);
    assert_int_equal(cr_vmap(&slopes, 1, &slope, 1, &x, &xs), CR_OK);
    each_like_one(g, x, slope, total(slopes), xs, slopes, (double[]){2, -1.5, 0, 0.25}, 1e-14);
    assert_null(cr_graph_error(g));
    cr_graph_free(g);
    cr_function_free(yes), cr_function_free(no);
}

/* Newton's method for sqrt(x) from 1 takes 4 to 8 steps, and none for 1. */
TEST(a_while_of_many_slices_runs_until_all_are_done) {
    (void)state;
    cr_function *more = function_of(CR_F64, 0, NAMES("h", "x"), 1, NAMES("abs(h^2 - x) > 1e-6*x")),
                *step = function_of(CR_F64, 0, NAMES("h", "x"), 1, NAMES("(h + x/h)/2"));
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = ways;
    cr_node x = scalar(g, "x"), xs = cr_input(g, "xs", CR_F64, 1, &n), start = cr_number(g, 1), y, all;
    assert_int_equal(cr_while(&y, more, step, 20, 1, &start, 1, &x), CR_OK);
    assert_int_equal(cr_vmap(&all, 1, &y, 1, &x, &xs), CR_OK);
    double values[ways] = {2, 900, 1, 0.04};
    each_like_one(g, x, y, total(all), xs, all, values, 1e-14);
    cr_node slope, slopes; /* the way back of each slice has a count of its own */
    assert_int_equal(cr_grad(&slope, y, 1, &x), CR_OK);
    assert_int_equal(cr_vmap(&slopes, 1, &slope, 1, &x, &xs), CR_OK);
    each_like_one(g, x, slope, total(slopes), xs, slopes, values, 1e-13);
    cr_node both = cr_stack(2, (cr_node[]){y, cr_mul(y, x)}, 0), jacobian;
    struct given in = {"x", CR_F64, 0, NULL, values, NULL};
    for (int forward = 0; forward < 2; forward++) {
        double found[2], root;
        assert_int_equal(cr_jacobian(&jacobian, both, 1, &x, forward ? CR_FORWARD : CR_REVERSE), CR_OK);
        compute(WAY_CPU, y, 1, &in, &root, sizeof root);
        compute(WAY_CPU, jacobian, 1, &in, found, sizeof found);
        assert_near(found[1], root + values[0] * found[0], 1e-13);
        assert_near(found[0], 0.5 / sqrt(2), 1e-5); /* a step more would square the error */
    }
    assert_null(cr_graph_error(g));
    cr_graph_free(g);
    cr_function_free(more), cr_function_free(step);
}

/* Built, not run: two tangents of a scan in pieces; or a gradient of slices that go different ways. */
static cr_status build_some(cr_context *ctx, void *slices) {
    cr_graph *b = cr_graph_new(ctx), *g = cr_graph_new(ctx);
    cr_node in[2] = {cr_input(b, "h", CR_F64, 0, NULL), cr_input(b, "k", CR_F64, 0, NULL)},
            y = cr_mul(in[0], in[1]), more = cr_lt(in[0], in[1]), h = cr_input(g, "h", CR_F64, 0, NULL),
            hs = cr_input(g, "hs", CR_F64, 1, (int64_t[]){2}), one = cr_number(g, 1), x = h;
    cr_function *step = NULL, *condition = NULL;
    cr_status s = cr_graph_status(b) ? cr_graph_status(b) : cr_graph_status(g);
    if (!s) s = cr_function_new(&step, 2, in, 1, &y);
    if (!s) s = cr_function_new(&condition, 2, in, 1, &more);
    if (!s && !slices) s = cr_scan_within(&x, 16, step, 5, false, 1, &h, 0, NULL, 1, &h);
    for (int i = 0; i < 2 && !s && !slices; i++) s = cr_jvp(&x, 1, &x, 1, &h, &one);
    if (!s && slices) s = cr_while(&x, condition, step, 4, 1, &h, 1, &h);
    if (!s && slices) s = cr_cond(&x, cr_lt(h, one), step, step, 2, (cr_node[]){h, x});
    if (!s && slices) s = cr_vmap(&x, 1, &x, 1, &h, &hs);
    if (!s && slices) s = cr_grad(&x, total(x), 1, &hs);
    cr_function_free(step), cr_function_free(condition);
    cr_graph_free(b), cr_graph_free(g);
    return s;
}

TEST(every_allocation_may_fail) {
    (void)state;
    bool slices = true;
    alloc_fail_each(build_some, NULL);
    alloc_fail_each(build_some, &slices);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_condition_that_differs_from_slice_to_slice_takes_from_both_branches),
        RUN(a_while_of_many_slices_runs_until_all_are_done),
        RUN(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
