/* Derivatives of high order along a direction: how few nodes they take, of every smooth row and of functions in a graph; and their
 * values, beside the same written out in elementwise ops (whose orders tests/grad/orders.c compares with mpmath). */
#include "support/functions.h"
#include "support/rows.h"

#include "graph/function.h"
#include "ops/build.h"

/* ---- Nodes ---- */

/* How many nodes of g these are computed from, themselves included; those of functions too, as often as nodes run them. */
static int64_t nodes_of(const cr_graph *g, uint32_t n, const uint32_t root[]) {
    uint8_t *met = calloc(g->count, 1);
    uint32_t *waiting = malloc(g->count * sizeof *waiting), count = 0;
    int64_t inside = 0;
    assert_non_null(met), assert_non_null(waiting);
    for (uint32_t i = 0; i < n; i++)
        if (!met[root[i]]) waiting[count++] = root[i], met[root[i]] = 1;
    for (uint32_t next = 0; next < count; next++) {
        const struct node *x = graph_at(g, waiting[next]);
        for (uint32_t k = 0; k < x->n; k++) {
            uint32_t a = graph_args(g, x)[k];
            if (!met[a]) waiting[count++] = a, met[a] = 1;
        }
        for (uint32_t k = 0; op_kind(x->op) == KIND_CONTROL && k < control_functions(g, x); k++) {
            const cr_function *f = control_function(g, x, k);
            if (f) inside += nodes_of(f->g, f->n_out, f->out) + f->n_in + f->n_out;
        }
    }
    free(met), free(waiting);
    return count + inside;
}

/* A product's derivatives of order k are some k terms each of products of lower ones: with equal nodes held once, O(k^2) new nodes
 * an order. The constants leave pow (50 nodes at order 2) and hypot (2300 at order 10) in. What doubles from order to order is caught
 * by its growth at the end: a polynomial of degree d grows there by (10/9)^d, which is below 1.6 up to degree 4. */
static int64_t bound_of_order(int64_t k, int64_t scale) { return scale * (3 * k * k * k + 40); }
static const double most_growth = 1.6;

enum { several = 2 }; /* functions in a node of control flow: the bound on nodes is of one */

static void few_nodes(const char *label, cr_node y, int64_t scale, int n_wrt, const cr_node wrt[],
                      const cr_node t[]) {
    int64_t count = 0, before = 0;
    for (int k = 1; k <= 10; k++, before = count) {
        if (cr_jvp(&y, 1, &y, n_wrt, wrt, t)) fail_msg("%s: %s", label, cr_graph_error(y.graph));
        count = nodes_of(y.graph, 1, &y.id);
        if (count > bound_of_order(k, scale))
            fail_msg("%s: %d nodes at order %d, at most %d expected", label, (int)count, k,
                     (int)bound_of_order(k, scale));
        if (k == 10 && (double)count > most_growth * (double)before)
            fail_msg("%s: %d nodes at order 9, %d at order 10", label, (int)before, (int)count);
    }
}

TEST(order_ten_of_every_smooth_row_takes_a_polynomial_number_of_nodes) {
    (void)state;
    static const char *const names[] = {"t0", "t1", "t2"};
    int elementwise = 0, others = 0;
    for (int op = 1; op < OP_COUNT; op++) {
        struct row_case c;
        if (ops_row(op)->class != CLASS_SMOOTH) continue;
        for (int i = 0; row_case_make(&c, op, i, CR_F64); i++) {
            cr_node t[3];
            for (int k = 0; k < c.n_wrt; k++)
                t[k] = cr_input(c.g, names[k], CR_F64, cr_rank(c.wrt[k]), cr_dims(c.wrt[k]));
            if (c.n_wrt && cr_dtype_of(c.y) == CR_F64) {
                few_nodes(c.label, c.y, op_kind(op) == KIND_CONTROL ? several : 1, c.n_wrt, c.wrt, t);
                ++*(op_kind(op) == KIND_ELEM ? &elementwise : &others);
            }
            row_case_free(&c);
        }
    }
    assert_true(elementwise > 40);
    assert_true(others > 60);
}

TEST(order_ten_of_a_composite_takes_the_nodes_of_each_product_once) {
    (void)state;
    struct fixture f = fixture_of("exp(sin(x)*sin(x^2))", "x", 0.5, NULL);
    cr_node x = cr_find(f.g, "x"), one = cr_number(f.g, 1), y = f.y;
    few_nodes("exp(sin(x)*sin(x^2))", f.y, 1, 1, &x, &one);
    for (int k = 0; k < 10; k++) assert_int_equal(cr_jvp(&y, 1, &y, 1, &x, &one), CR_OK);
    assert_int_equal(nodes_of(f.g, 1, &y.id), 655); /* 955 where a*b and b*a are two */
    fixture_free(&f);
}

/* ---- Cases: of a number u ---- */

static cr_node at(cr_node x, int64_t i) {
    int64_t one = 1;
    return cr_reshape(cr_slice(x, 1, &i, &one, &one), 0, NULL);
}

static cr_node vector(cr_graph *g, int n, const char *const element[]) {
    cr_node x[4];
    for (int i = 0; i < n; i++) x[i] = cr_formula(g, element[i]);
    return cr_stack(n, x, 0);
}
#define VECTOR(g, ...)                                                       \
    vector(g, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), \
           (const char *const[]){__VA_ARGS__})

static cr_node matrix(cr_graph *g) {
    return cr_reshape(VECTOR(g, "2 + u", "u", "sin(u)", "3 - u"), 2, (int64_t[]){2, 2});
}
static cr_node symmetric(cr_graph *g) {
    return cr_reshape(VECTOR(g, "2 + u", "u", "u", "3 - u"), 2, (int64_t[]){2, 2});
}
static cr_node make_solve(cr_graph *g) { return at(cr_solve(matrix(g), VECTOR(g, "1", "exp(u)")), 0); }
static cr_node make_lower(cr_graph *g) {
    return at(cr_triangular_solve(matrix(g), VECTOR(g, "1", "exp(u)"), false), 1);
}
static cr_node make_upper(cr_graph *g) {
    return at(cr_triangular_solve(matrix(g), VECTOR(g, "1", "exp(u)"), true), 0);
}
static cr_node make_inv(cr_graph *g) { return at(cr_reshape(cr_inv(matrix(g)), 1, (int64_t[]){4}), 1); }
static cr_node make_cholesky(cr_graph *g) { return total(cr_cholesky(symmetric(g))); }
static cr_node make_logabsdet(cr_graph *g) { return cr_logabsdet(matrix(g)); }
static cr_node make_eigh(cr_graph *g) { return at(cr_eigh(symmetric(g)), 0); }
static cr_node make_eigh_vectors(cr_graph *g) {
    return cr_square(at(cr_reshape(cr_eigh_vectors(symmetric(g)), 1, (int64_t[]){4}), 0));
}
static cr_node make_recur(cr_graph *g) {
    return at(cr_recur(VECTOR(g, "u", "u^2", "cos(u)"), VECTOR(g, "1", "u", "exp(u)"), -1, false), 2);
}
static cr_node make_prod(cr_graph *g) {
    return cr_prod(VECTOR(g, "u", "u^2", "cos(u)", "exp(u)"), 0, NULL, false);
}

static cr_node make_scan(cr_graph *g) {
    cr_function *f =
        function_of(CR_F64, 0, NAMES("h", "p", "x", "k"), 3, NAMES("sin(h)*x + k*p", "p*cos(h)", "h^2*p"));
    cr_node x = VECTOR(g, "u", "u^2"), k = cr_formula(g, "exp(u)"), out[3];
    cr_scan(out, f, 2, false, 2, (cr_node[]){cr_formula(g, "sin(u)"), cr_find(g, "u")}, 1, &x, 1, &k);
    cr_function_free(f);
    return cr_add(out[0], total(out[2]));
}
static cr_node make_map(cr_graph *g) {
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "p", "x"), 1, NAMES("sin(h)*x + p*x^2"));
    cr_node x = VECTOR(g, "u", "u^2"), out;
    cr_map(&out, f, 2, 1, &x, 2, (cr_node[]){cr_find(g, "u"), cr_formula(g, "exp(u)")});
    cr_function_free(f);
    return total(out);
}
static cr_node make_while(cr_graph *g) {
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "p"), 2, NAMES("sin(h) + p", "p*cos(h)")),
                *holds = function_of(CR_F64, 0, NAMES("h", "p"), 1, NAMES("p > 0.28"));
    cr_node out[2];
    cr_while(out, holds, f, 5, 2, (cr_node[]){cr_formula(g, "u^2"), cr_find(g, "u")}, 0, NULL);
    cr_function_free(f), cr_function_free(holds);
    return out[0];
}
static cr_node make_cond(cr_graph *g) {
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "p"), 1, NAMES("sin(h)*exp(h*p)")),
                *other = function_of(CR_F64, 0, NAMES("h", "p"), 1, NAMES("h + p"));
    cr_node u = cr_find(g, "u"), out;
    cr_cond(&out, cr_lt(u, cr_number(g, 1)), f, other, 2, (cr_node[]){u, cr_cos(u)});
    cr_function_free(f), cr_function_free(other);
    return out;
}
static cr_node make_call(cr_graph *g) {
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "p"), 2, NAMES("sin(h)*exp(h*p)", "h + p^2"));
    cr_node u = cr_find(g, "u"), out[2];
    cr_call(out, f, 2, (cr_node[]){u, cr_cos(u)});
    cr_function_free(f);
    return cr_mul(out[0], out[1]);
}
/* h^3 + h = p: the constant is made so that the root is exp(u). */
static cr_node make_implicit(cr_graph *g) {
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "p"), 1, NAMES("h^3 + h - p"));
    cr_node c = cr_formula(g, "exp(u)^3 + exp(u)"),
            y = cr_implicit(f, cr_formula(g, "stop_gradient(exp(u))"), 1, &c);
    cr_function_free(f);
    return y;
}

/* Of five slices that go different ways. */
static cr_node slices_of(cr_node y, cr_node x) {
    cr_graph *g = x.graph;
    int64_t n = 5;
    cr_node many = cr_mul(cr_find(g, "u"), cr_add(cr_cast(cr_iota(g, n), CR_F64), cr_number(g, 0.5))), out;
    if (cr_vmap(&out, 1, &y, 1, &x, &many)) fail_msg("%s", cr_graph_error(g));
    return total(out);
}
static cr_node make_choice(cr_graph *g) {
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "p"), 1, NAMES("sin(h)*exp(h*p)")),
                *other = function_of(CR_F64, 0, NAMES("h", "p"), 1, NAMES("h + p"));
    cr_node x = cr_variable(cr_number(g, 0.5)), out;
    cr_cond(&out, cr_lt(x, cr_number(g, 1)), f, other, 2, (cr_node[]){x, cr_cos(x)});
    cr_function_free(f), cr_function_free(other);
    return slices_of(out, x);
}
static cr_node make_choices(cr_graph *g) {
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "p"), 2, NAMES("sin(h) + p", "p*cos(h)")),
                *holds = function_of(CR_F64, 0, NAMES("h", "p"), 1, NAMES("p > 0.28"));
    cr_node x = cr_variable(cr_number(g, 0.5)), out[2];
    cr_while(out, holds, f, 5, 2, (cr_node[]){cr_square(x), x}, 0, NULL);
    cr_function_free(f), cr_function_free(holds);
    return slices_of(out[0], x);
}
static cr_node make_pieces(cr_graph *g) {
    cr_function *f = function_of(CR_F64, 0, NAMES("h", "k"), 1, NAMES("sin(h)*k"));
    cr_node k = cr_formula(g, "exp(u)"), u = cr_find(g, "u"), out;
    cr_scan_within(&out, 1, f, 200, false, 1, &u, 0, NULL, 1, &k);
    cr_function_free(f);
    return out;
}

static const struct {
    const char *name;
    cr_node (*make)(cr_graph *g);
    const char *written; /* the same, in elementwise ops */
} cases[] = {
    {"solve", make_solve, "(3 - u - u*exp(u))/((2 + u)*(3 - u) - u*sin(u))"},
    {"lower", make_lower, "(exp(u) - sin(u)/(2 + u))/(3 - u)"},
    {"upper", make_upper, "(1 - u*exp(u)/(3 - u))/(2 + u)"},
    {"inv", make_inv, "-u/((2 + u)*(3 - u) - u*sin(u))"},
    {"cholesky", make_cholesky, "sqrt(2 + u) + u/sqrt(2 + u) + sqrt(3 - u - u^2/(2 + u))"},
    {"logabsdet", make_logabsdet, "log((2 + u)*(3 - u) - u*sin(u))"},
    {"eigh", make_eigh, "2.5 - sqrt((0.5 - u)^2 + u^2)"},
    {"eigh_vectors", make_eigh_vectors, "0.5 + 0.5*(0.5 - u)/sqrt((0.5 - u)^2 + u^2)"},
    {"recur", make_recur, "cos(u)*(u^2*1 + u) + exp(u)"},
    {"prod", make_prod, "u*u^2*cos(u)*exp(u)"},
    {"scan", make_scan,
     "sin(sin(sin(u))*u + exp(u)*u)*u^2 + exp(u)*u*cos(sin(u)) + sin(u)^2*u + "
     "(sin(sin(u))*u + exp(u)*u)^2*u*cos(sin(u))"},
    {"map", make_map, "(sin(u) + sin(u^2))*exp(u) + 2*u*exp(u)^2"},
    {"while", make_while, "sin(sin(u^2) + u) + u*cos(u^2)"},
    {"cond", make_cond, "sin(u)*exp(u*cos(u))"},
    {"call", make_call, "sin(u)*exp(u*cos(u))*(u + cos(u)^2)"},
    {"implicit", make_implicit, "exp(u)"},
    {"choice", make_choice, "q = u*(iota(5) + 0.5); sum(where(q < 1, sin(q)*exp(q*cos(q)), q + cos(q)))"},
    {"choices", make_choices,
     "q = u*(iota(5) + 0.5); h = q^2; h1 = sin(h) + q; p1 = q*cos(h); h2 = sin(h1) + p1; p2 = p1*cos(h1); "
     "h3 = sin(h2) + p2; sum(where(q > 0.28, where(p1 > 0.28, where(p2 > 0.28, h3, h2), h1), h))"},
};
enum { case_count = sizeof cases / sizeof *cases };

TEST(order_ten_through_matrices_and_functions_takes_a_polynomial_number_of_nodes) {
    (void)state;
    for (int i = 0; i < case_count; i++) {
        struct fixture f = fixture_of("u", "u", 0.3, NULL);
        cr_node u = f.y, one = cr_number(f.g, 1), y = cases[i].make(f.g);
        if (!cr_ok(y)) fail_msg("%s: %s", cases[i].name, cr_graph_error(f.g));
        few_nodes(cases[i].name, y, several, 1, &u, &one);
        fixture_free(&f);
    }
}

/* Each of its three levels has pieces of two lengths: so many times a body's nodes count. 17,980,843 where what a piece runs did not know
 * which of its operands are the same. */
TEST(order_ten_of_a_scan_in_pieces_takes_a_polynomial_number_of_nodes) {
    (void)state;
    enum { as_often = 20 };
    struct fixture f = fixture_of("u", "u", 0.3, NULL);
    cr_node one = cr_number(f.g, 1);
    few_nodes("pieces", make_pieces(f.g), as_often, 1, &f.y, &one);
    fixture_free(&f);
}

/* A way back through a loop is a loop that runs the step again: three for one, beside the sums. A cut loop has one in each piece too. */
static const double most_an_order = 4, most_in_pieces = 6;

TEST(reverse_over_reverse_takes_a_few_times_the_nodes_an_order) {
    (void)state;
    for (int i = 0; i <= case_count; i++) {
        bool pieces = i == case_count;
        struct fixture f = fixture_of("u", "u", 0.3, NULL);
        cr_node y = pieces ? make_pieces(f.g) : cases[i].make(f.g), u = f.y;
        int64_t before = 2 * nodes_of(f.g, 1, &y.id), count = 0; /* the first order brings seeds and zeros */
        for (int k = 1; k <= 4; k++, before = count) {
            if (cr_grad(&y, y, 1, &u)) fail_msg("%s", cr_graph_error(f.g));
            count = nodes_of(f.g, 1, &y.id);
            if ((double)count > (pieces ? most_in_pieces : most_an_order) * (double)before)
                fail_msg("%s: %d nodes at order %d, %d at %d", pieces ? "pieces" : cases[i].name, (int)before,
                         k - 1, (int)count, k);
        }
        fixture_free(&f);
    }
}

/* Two nodes of the same functions that choose are two nodes, and the function is one. */
TEST(what_slices_choose_from_is_made_once) {
    (void)state;
    struct fixture f = fixture_of("u", "u", 0.3, NULL);
    cr_node once = make_choices(f.g), x = cr_variable(cr_number(f.g, 0.5)), y[2], z[2][2];
    cr_function *step = function_of(CR_F64, 0, NAMES("h", "p"), 2, NAMES("sin(h) + p", "p*cos(h)")),
                *holds = function_of(CR_F64, 0, NAMES("h", "p"), 1, NAMES("p > 0.28"));
    assert_true(cr_ok(once));
    for (int i = 0; i < 2; i++) {
        int64_t n = 5;
        cr_node many = cr_mul(f.y, cr_cast(cr_iota(f.g, n), CR_F64));
        assert_int_equal(cr_while(y, holds, step, 5, 2, (cr_node[]){i ? cr_sin(x) : x, x}, 0, NULL), CR_OK);
        assert_int_equal(cr_vmap(z[i], 2, y, 1, &x, &many), CR_OK);
    }
    const struct node *a = graph_get(cr_operand(z[0][0], 0)), *b = graph_get(cr_operand(z[1][0], 0));
    assert_true(a != b && a->op == OP_scan);
    assert_ptr_equal(control_function(f.g, a, 0), control_function(f.g, b, 0));
    assert_ptr_equal(control_function(f.g, a, 1), control_function(f.g, b, 1));
    cr_function_free(step), cr_function_free(holds);
    fixture_free(&f);
}

/* Relative, or to the largest of the orders up to it, as in orders.c; a factorisation costs some digits. */
static const double tolerance = 1e-11;

TEST(orders_to_eight_through_matrices_and_functions_are_those_of_the_same_written_out) {
    (void)state;
    enum { orders = 8 };
    double worst = 0;
    for (int i = 0; i < case_count; i++) {
        struct fixture f = fixture_of(cases[i].written, "u", 0.3, NULL), made = f;
        double size = 0;
        made.y = cases[i].make(f.g);
        for (int k = 0; k <= orders; k++) {
            double expected = derivative_forward(&f, "u", k), found = derivative_forward(&made, "u", k);
            size = fmax(size, fabs(expected));
            double error = fabs(found - expected) / size;
            worst = fmax(worst, error);
            if (!(error <= tolerance))
                fail_msg("%s, order %d: %.17g, written out %.17g", cases[i].name, k, found, expected);
        }
        fixture_free(&f);
    }
    print_message("the worst is off by %.1e\n", worst);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(order_ten_of_a_scan_in_pieces_takes_a_polynomial_number_of_nodes),
        RUN(reverse_over_reverse_takes_a_few_times_the_nodes_an_order),
        RUN(what_slices_choose_from_is_made_once),
        RUN(order_ten_of_every_smooth_row_takes_a_polynomial_number_of_nodes),
        RUN(order_ten_of_a_composite_takes_the_nodes_of_each_product_once),
        RUN(order_ten_through_matrices_and_functions_takes_a_polynomial_number_of_nodes),
        RUN(orders_to_eight_through_matrices_and_functions_are_those_of_the_same_written_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
