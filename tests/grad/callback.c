/* Functions of the host's, with derivatives of their author's, beside the same written out. */
#include "support/written_out.h"

/* y = x^3 / k, counted; fails where k is 0. */
static cr_status cubes(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    assert_int_equal(n_in, 2);
    assert_int_equal(n_out, 1);
    const double *x = in[0].data, *k = in[1].data;
    double *y = out[0].data;
    ++*(int *)user;
    if (*k == 0) return CR_EFAIL;
    for (int64_t i = 0; i < in[0].shape[0]; i++) y[i] = x[i] * x[i] * x[i] / *k;
    return CR_OK;
}

static cr_status cubes_vjp(void *user, cr_node grads[], int n_in, const cr_node x[], int n_out,
                           const cr_node y[], const cr_node g[]) {
    (void)user, (void)n_in, (void)n_out;
    grads[0] = cr_mul(g[0], cr_div(cr_mul(cr_number(x[0].graph, 3), cr_square(x[0])), x[1]));
    grads[1] = cr_neg(total(cr_mul(g[0], cr_div(y[0], x[1]))));
    return CR_OK;
}

static cr_status cubes_jvp(void *user, cr_node out[], int n_in, const cr_node x[], int n_out,
                           const cr_node y[], const cr_node t[]) {
    (void)user, (void)n_in, (void)n_out;
    cr_node by_x = cr_div(cr_mul(cr_number(x[0].graph, 3), cr_square(x[0])), x[1]),
            by_k = cr_neg(cr_div(y[0], x[1]));
    out[0] = cr_number(x[0].graph, 0);
    if (cr_ok(t[0])) out[0] = cr_add(out[0], cr_mul(by_x, t[0]));
    if (cr_ok(t[1])) out[0] = cr_add(out[0], cr_mul(by_k, t[1]));
    return CR_OK;
}

static cr_status bad_vjp(void *user, cr_node grads[], int n_in, const cr_node x[], int n_out,
                         const cr_node y[], const cr_node g[]) {
    (void)user, (void)n_in, (void)n_out, (void)y, (void)g;
    grads[0] = total(x[0]);
    return CR_OK;
}

static cr_status stray_vjp(void *other, cr_node grads[], int n_in, const cr_node x[], int n_out,
                           const cr_node y[], const cr_node g[]) {
    (void)n_in, (void)x, (void)n_out, (void)y, (void)g;
    grads[0] = cr_input(other, "stray", CR_F64, 1, cr_dims(x[0]));
    return CR_OK;
}

static cr_status narrow_vjp(void *user, cr_node grads[], int n_in, const cr_node x[], int n_out,
                            const cr_node y[], const cr_node g[]) {
    (void)user, (void)n_in, (void)n_out, (void)y, (void)g;
    grads[0] = cr_cast(x[0], CR_F32);
    return CR_OK;
}

TEST(a_callback_is_an_op_of_the_users_own) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = 3;
    int calls = 0;
    cr_node x = cr_input(g, "x", CR_F64, 1, &n), k = cr_input(g, "k", CR_F64, 0, NULL), y, in_loop;
    cr_function *f = NULL;
    assert_int_equal(
        cr_function_callback(&f, "cubes", 2, (cr_node[]){x, k}, 1, &x, cubes, cubes_vjp, cubes_jvp, &calls),
        CR_OK);
    assert_int_equal(cr_call(&y, f, 2, (cr_node[]){x, k}), CR_OK);
    double xv[3] = {0.5, -1, 0.8}, kv = 1.5;
    struct given in[] = {{"x", CR_F64, 1, &n, xv, NULL}, {"k", CR_F64, 0, NULL, &kv, NULL}};
    cr_node written = cr_div(cr_powi(x, 3), k);
    equal_everywhere(y, written, 2, in, 1e-14);
    assert_true(calls > 0);
    same_derivatives(total(cr_sin(y)), total(cr_sin(written)), 2, (cr_node[]){x, k}, 2, in, 1e-9);
    assert_int_equal(cr_scan(&in_loop, f, 2, false, 1, &x, 0, NULL, 1, &k), CR_OK); /* (x^3/k)^3/k */
    same_derivatives(total(in_loop), total(cr_div(cr_powi(written, 3), k)), 2, (cr_node[]){x, k}, 2, in,
                     1e-8);
    cr_graph_free(g);
    cr_function_free(f);
}

TEST(a_callback_that_fails_or_lies_is_told) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    int64_t n = 3;
    int calls = 0;
    cr_node x = cr_input(g, "x", CR_F64, 1, &n), k = cr_input(g, "k", CR_F64, 0, NULL), y, d;
    cr_function *f = NULL, *liar = NULL;
    cr_function_callback(&f, "cubes", 2, (cr_node[]){x, k}, 1, &x, cubes, NULL, NULL, &calls);
    cr_function_callback(&liar, "liar", 2, (cr_node[]){x, k}, 1, &x, cubes, bad_vjp, NULL, &calls);
    cr_call(&y, f, 2, (cr_node[]){x, k});
    cr_eval *e = NULL;
    double xv[3] = {0.5, -1, 2}, kv = 0, out[3];
    cr_eval_new(&e, g, NULL);
    cr_eval_set(e, x, CR_F64, xv, sizeof xv), cr_eval_set(e, k, CR_F64, &kv, sizeof kv);
    assert_int_equal(cr_eval_value(e, y, CR_F64, out, sizeof out), CR_EFAIL);
    if (!strstr(cr_eval_error(e), "cubes of x0, x1: the callback failed: a method that did not"))
        fail_msg("%s", cr_eval_error(e));
    assert_int_equal(cr_grad(&d, total(y), 1, &x), CR_ENODERIV);
    if (!strstr(cr_graph_error(g), "cubes: the callback has no vjp")) fail_msg("%s", cr_graph_error(g));
    cr_graph_clear_error(g);
    cr_call(&y, liar, 2, (cr_node[]){x, k});
    assert_int_equal(cr_grad(&d, total(y), 1, &x), CR_ESHAPE);
    if (!strstr(cr_graph_error(g), "liar: the callback's vjp 1: expected [3], found []"))
        fail_msg("%s", cr_graph_error(g));
    cr_graph_clear_error(g);
    cr_graph *other = cr_graph_new(NULL);
    cr_function *strays = NULL;
    cr_function_callback(&strays, "strays", 2, (cr_node[]){x, k}, 1, &x, cubes, stray_vjp, NULL, other);
    cr_call(&y, strays, 2, (cr_node[]){x, k});
    assert_int_equal(cr_grad(&d, total(y), 1, &x), CR_EINVAL);
    if (!strstr(cr_graph_error(g), "strays: the callback's vjp 1 is a node of another graph"))
        fail_msg("%s", cr_graph_error(g));
    cr_graph_clear_error(g);
    cr_function *narrow = NULL;
    cr_function_callback(&narrow, "narrow", 2, (cr_node[]){x, k}, 1, &x, cubes, narrow_vjp, NULL, &calls);
    cr_call(&y, narrow, 2, (cr_node[]){x, k});
    assert_int_equal(cr_grad(&d, total(y), 1, &x), CR_EDTYPE);
    if (!strstr(cr_graph_error(g), "narrow: the callback's vjp 1: expected f64, found f32"))
        fail_msg("%s", cr_graph_error(g));
    cr_eval_free(e);
    cr_function_free(narrow);
    cr_function_free(strays);
    cr_graph_free(other);
    cr_graph_free(g);
    cr_function_free(f), cr_function_free(liar);
}

int main(void) {
    const struct CMUnitTest tests[] = {RUN(a_callback_is_an_op_of_the_users_own),
                                       RUN(a_callback_that_fails_or_lies_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
