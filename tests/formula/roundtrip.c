/* What is printed reads back as the same node: every row of the op table, every construct, random graphs and their
 * derivatives. Equal nodes are one node, so that reading into the same graph must give the same handle. */
#include "support/test.h"

#include "formula/print.h"
#include "ops/build.h"

/* Inputs of many dtypes and shapes. */
static cr_graph *world(void) {
    static const struct {
        const char *name;
        cr_dtype dtype;
        int rank;
        int64_t dims[3];
    } inputs[] = {
        {"x", CR_F64, 0, {0}},         {"y", CR_F64, 0, {0}},      {"z", CR_F64, 0, {0}},
        {"v", CR_F64, 1, {3}},         {"m", CR_F64, 2, {2, 3}},   {"q", CR_F64, 3, {4, 2, 3}},
        {"s", CR_F64, 2, {3, 3}},      {"one", CR_F64, 2, {1, 3}}, {"flag", CR_BOOL, 0, {0}},
        {"flags", CR_BOOL, 2, {2, 3}}, {"i", CR_I64, 0, {0}},      {"j", CR_I64, 1, {3}},
        {"jj", CR_I64, 2, {2, 3}},     {"k", CR_I32, 2, {2, 3}},   {"f", CR_F32, 0, {0}},
        {"F", CR_F32, 2, {2, 3}},      {"h", CR_F16, 1, {3}},      {"none", CR_F64, 2, {0, 3}},
    };
    cr_graph *g = cr_graph_new(NULL);
    for (size_t n = 0; n < sizeof inputs / sizeof *inputs; n++)
        assert_true(cr_ok(cr_input(g, inputs[n].name, inputs[n].dtype, inputs[n].rank, inputs[n].dims)));
    return g;
}

static const char *no_label(void *user, cr_node x) {
    (void)user, (void)x;
    return NULL;
}

static void round_trip(cr_node x, cr_text *text, const char *what) {
    const struct print_labels exact = {no_label, NULL};
    if (!cr_ok(x)) fail_msg("%s: %s", what, cr_graph_error(x.graph));
    cr_text_clear(text);
    print_exact(text, x, &exact);
    cr_node again = cr_formula(x.graph, cr_text_str(text));
    if (!cr_ok(again)) fail_msg("%s: printed as %s: %s", what, cr_text_str(text), cr_graph_error(x.graph));
    if (!cr_same(x, again))
        fail_msg("%s: printed as %s, which is another node (%s, rank %d, for %s, rank %d)", what,
                 cr_text_str(text), cr_dtype_name(cr_dtype_of(again)), cr_rank(again),
                 cr_dtype_name(cr_dtype_of(x)), cr_rank(x));
}

/* The sum of all that is a number, and its derivatives by v, m and q. */
static void round_trip_derivatives(cr_node x, cr_text *text, const char *what) {
    cr_graph *g = x.graph;
    cr_node wrt[] = {cr_find(g, "x"), cr_find(g, "v"), cr_find(g, "m"), cr_find(g, "q")}, d[4];
    if (cr_dtype_of(x) != CR_F64) return;
    if (cr_grad(d, cr_sum(x, 0, NULL, false), 4, wrt)) fail_msg("%s: %s", what, cr_graph_error(g));
    for (int n = 0; n < 4; n++) round_trip(d[n], text, what);
}

static bool seen[OP_COUNT];

static void see(cr_node x) {
    seen[op_find(cr_op_of(x), strlen(cr_op_of(x)))] = true;
    for (int n = 0; n < cr_operand_count(x); n++) see(cr_operand(x, n));
}

static void check(const char *formula) {
    cr_graph *g = world();
    cr_text *text = NULL;
    cr_text_new(&text, NULL);
    cr_node x = cr_formula(g, formula);
    round_trip(x, text, formula);
    see(x);
    round_trip_derivatives(x, text, formula);
    cr_text_free(text);
    cr_graph_free(g);
}

/* ---- The op table ---- */

static const char *operand_of(int op, int n) {
    enum dtype_rule rule = ops_row(op)->dtype;
    if (rule == DTYPE_LOGIC || (rule == DTYPE_SELECT && n == 0)) return n ? "flag" : "flags";
    if (rule == DTYPE_INTEGER) return n ? "i" : "jj";
    return n == 0 ? "m" : n == 1 ? "v" : "x";
}

static void check_elementwise(int op) {
    static const char *const shapes[] = {"%s", "-%s", "%s^2", "(%s)[0]", "%s*2.5", "1 - %s"};
    const struct op_row *row = ops_row(op);
    int n = strncmp(row->arguments, "condition", 9) == 0 ? 3
            : strncmp(row->arguments, "x, y", 4) == 0    ? 2
                                                         : 1;
    char call[200], formula[300];
    snprintf(call, sizeof call, "%s(%s%s%s%s%s%s)", row->name, operand_of(op, 0), n > 1 ? ", " : "",
             n > 1 ? operand_of(op, 1) : "", n > 2 ? ", " : "", n > 2 ? operand_of(op, 2) : "",
             strstr(row->arguments, ", n") ? ", n=3" : "");
    bool number = row->dtype != DTYPE_LOGIC && row->dtype != DTYPE_COMPARE;
    for (size_t k = 0; k < (number ? sizeof shapes / sizeof *shapes : 1); k++) {
        snprintf(formula, sizeof formula, shapes[k], call);
        check(formula);
    }
}

static const char *const structural[] = {
    "sum(q)",
    "sum(q, axis=1)",
    "sum(q, axis=[0, 2], keep=true)",
    "prod(m, axis=0)",
    "max(m)",
    "min(q, axis=[1], keep=true)",
    "sum(k)",
    "sum(flags, axis=0)",
    "sum(x)",
    "sum(none, axis=0)",
    "sum(sum(q, axis=2), axis=0)",
    "argmax(m)",
    "argmin(m, axis=0)",
    "cumsum(m)",
    "cumsum(m, axis=0, reverse=true)",
    "cumsum(k)",
    "recur(m, m)",
    "recur(m, 2*m, axis=0, reverse=true)",
    "reshape(q, [2, 12])",
    "reshape(q, [-1])",
    "reshape(x, [1, 1])",
    "reshape(v, shape=[3, 1])",
    "v[:, None]",
    "v[None]",
    "permute(q, [2, 0, 1])",
    "t(m)",
    "t(q)",
    "t(t(q))",
    "expand(x, [2, 3])",
    "expand(v, [2, 3])",
    "expand(one, [4, 2, 3])",
    "slice(q, [0, 0, 0], [1, 1, 2], [2, 2, 2])",
    "unslice(v, [1], [2], [7])",
    "pad(m, [1, 0], [0, 2])",
    "unslice(v[::2], [0], [2], [3])",
    "concat(m, m)",
    "concat(m, 2*m, axis=1)",
    "concat(v, v, v, v, v)",
    "stack(v, v)",
    "stack(x, y, axis=0)",
    "[x, y, 2]",
    "[[x, y], [y, x]]",
    "gather(m, j)",
    "gather(m, [[0, 1], [1, 0]])",
    "gather(m, jj, batch=1)",
    "scatter_add(v, j, size=5)",
    "scatter_add(m, jj, 4, batch=1)",
    "sort(m)",
    "sort(m, axis=0, descending=true)",
    "argsort(m, axis=0)",
    "argsort(v)",
    "topk(v, 2)",
    "take_along(m, argsort(m))",
    "m @ v",
    "v @ t(m)",
    "v @ v",
    "q @ t(m)",
    "q @ t(q)",
    "m @ s",
    "t(m) @ m",
    "(m @ s) @ v",
    "m @ (s @ v)",
    "q @ v",
    "2*m @ (s + 1)",
    "-m @ s",
    "(m @ s)^2",
    "uniform(7, shape=[2, 3])",
    "uniform(i, shape=[4], dtype=f32)",
    "normal(i, shape=[3])",
    "uniform(seed(), shape=[])",
    "fold_in(seed(), step_number())",
    "dropout(m, i, rate=0.3)",
    "permutation(i, 5)",
    "iota(4)",
    "iota(n=4) + 1",
    "iota(4)*0.5",
    "stop_gradient(m)*m",
    "cast(k, f64)",
    "cast(m, f32)",
    "cast(cast(m, f32), f64)",
    "cast(h, f32)",
    "h*2",
    "cast(flags, f64)",
    "m[1]",
    "m[1, 2]",
    "m[:, 2]",
    "m[-1, ::-1]",
    "q[1:3, 0, ::2]",
    "q[..., 1]",
    "q[0, ..., None]",
    "m[:, j]",
    "m[1:1]",
    "v[5:]",
    "q[0][1][2]",
    "m[1:2]",
    "m[:1, :1]",
    "v[2:0:-1]",
    "(m + 1)[0]",
    "m[0]^2",
    "(-m)[0]",
    "sin(m)[0, 1:]",
    "one[0]",
    "one[:1]",
    "m[:, 1:2]",
    "F + 2",
    "F*f",
    "2.5/F",
    "k/2",
    "k // 2",
    "k + 0.5",
    "k*x",
    "k % 2 == 0",
    "jj + k",
    "F^0.5",
    "where(flags, k, 2)",
    "where(flag, 1, 2)*x",
    "where(m > 0, m, -m)",
    "where(flags, flags, flag)",
    "flag and not flag or flags",
    "not (flag and flags)",
    "not x < y",
    "(x < y) == flag",
    "xor(flag, flags)",
    "maximum(m, v)",
    "minimum(v, 0)",
    "m - mean(m, axis=1, keep=true)",
    "m/norm(m)",
    "softmax(m)",
    "log_softmax(q, axis=1)",
    "cross_entropy(m, [0, 2])",
    "mean(cross_entropy(m, softmax(m)))",
    "layer_norm(m, v, v)",
    "var(m, axis=0)",
    "gelu(m)",
    "huber(v, m[0], delta=2)",
    "one_hot([0, 2], 3)",
    "embedding(m, [[0, 1], [1, 1]])",
    "tril(s)",
    "triu(s, n=1)",
    "diag(v)",
    "diagonal(s)",
    "outer(v, v)",
    "dot(m, m)",
    "flip(q, axis=[1])",
    "window(m, 2)",
    "window(m, 2, stride=2, dilation=1)",
    "window(m, [1, 2], stride=[1, 1])",
    "window_add(q, 4)",
    "window_add(window(m, 2), 3)",
    "conv(q, q[:, :, :2])",
    "max_pool(q, 2)",
    "avg_pool(q, 2)",
    "cholesky(s)",
    "triangular_solve(s, s)",
    "triangular_solve(s, v[:, None], upper=true)",
    "solve(s, s)",
    "logabsdet(s)",
    "detsign(s)",
    "det(s)",
    "inv(s)",
    "eigh(s)",
    "eigh_vectors(s)",
    "cumprod(v)",
    "logsumexp(m, axis=0)",
    "std(v)",
    "any(flags)",
    "all(flags, axis=0)",
    "clip(m, -1, 1)",
    "elu(m)",
    "squeeze(one)",
    "flatten(q)",
};

TEST(every_elementwise_row_reads_back) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++)
        if (op_kind(op) == KIND_ELEM) check_elementwise(op);
}

TEST(every_other_row_reads_back) {
    (void)state;
    for (size_t n = 0; n < sizeof structural / sizeof *structural; n++) check(structural[n]);
    for (int op = 1; op < OP_COUNT; op++)
        if (!seen[op] && op_kind(op) != KIND_ELEM && op_kind(op) != KIND_CONTROL && op != OP_param &&
            op != OP_variable)
            fail_msg("%s has no case here", op_name(op));
}

/* ---- Constants ---- */

TEST(constants_read_back) {
    (void)state;
    static const char *const formulas[] = {
        "0.1",
        "-2",
        "-0.0",
        "1e300",
        "inf",
        "-inf",
        "nan",
        "2",
        "1e20",
        "9007199254740994",
        "1.5e-310",
        "pi",
        "cast(0.1, f32)",
        "cast(2, i64)",
        "cast(-3, i32)",
        "cast(1, f64)",
        "cast(0.5, f16)",
        "cast(3, bf16)",
        "true",
        "false",
        "[1, 2]",
        "[1, 2.5]",
        "[1.0, 2]",
        "[[1, 2], [3, 4]]",
        "[true, false]",
        "[0.5]",
        "[[0.5]]",
        "[nan, inf, -inf, -0.0]",
        "cast([1.0, 2], f64)",
        "cast([0.1, 2], f32)",
        "cast([1, 2], i32)",
        "x + [1.5, 2]",
        "v*[1, 2, 3]",
        "v*[1.0, 2, 3]",
        "cast([1, 2, 3], f64)*v",
        "(-2)^x",
        "2^-x",
        "-2^x",
        "2*-x",
        "x - -2",
        "(-2)[None]",
        "[1.5, 2][0]*x",
        "-(-2)*x",
        "2^0.5*x",
        "x^-1",
        "x^-0.5",
        "x^2.0",
        "x^1e20",
        "pow(x, 3)",
        "pow(x, -2)",
        "powi(x, 1)",
        "powi(x, 0)",
        "add(2, 3)",
        "mul(2, 0.5)*x",
        "neg(2)",
        "square(3)",
        "powi(2, 3)",
        "sub(add(1, 2), 3)",
        "pow(2, 0.5)",
        "div(1, 3)*f",
        "f*add(1, 2)",
        "sin(2)",
        "sin(2)*f",
        "exp(add(1, 1))",
        "1 < 2",
        "not true",
        "powi(cast(2, f32), 3)",
        "cast(2, f32) + cast(3, f32)",
        "cast(2, f32)*f",
        "i + cast(2, i32)",
        "k*cast(2, i64)",
        "where(flag, 1.5, 2)",
        "where(flag, 1, 2)",
        "maximum(1, 2)",
        "maximum(f, 0.5)",
    };
    for (size_t n = 0; n < sizeof formulas / sizeof *formulas; n++) check(formulas[n]);
}

/* A constant of more numbers than a person reads is cut where it is shown; a text to be read back has all. */
TEST(long_constants_are_whole) {
    (void)state;
    char formula[4000] = "[0.5";
    for (int n = 1; n < 300; n++)
        snprintf(formula + strlen(formula), sizeof formula - strlen(formula), ", %d", n);
    strcat(formula, "]");
    check(formula);
}

/* ---- Random graphs ---- */

static uint64_t seed;

static uint64_t next(uint64_t n) { /* Marsaglia's xorshift64 */
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (seed >> 8) % n;
}

static cr_node random_number(cr_graph *g) {
    static const double some[] = {0, 1, -1, 2, 3, -4, 0.5, 0.1, -1.5, 1e20, -0.0, 1e-300};
    double v = some[next(sizeof some / sizeof *some)];
    return next(4) ? cr_number(g, v) : ops_scalar(g, next(2) ? CR_F64 : CR_I64, v == 1e20 ? 1 : v);
}

static cr_node random_view(cr_node a) {
    int rank = cr_rank(a), axis = rank ? (int)next((uint64_t)rank) : 0;
    int64_t size = rank ? cr_dims(a)[axis] : 0;
    switch (rank ? next(9) : 0) {
    case 0: return cr_expand_dims(a, 0);
    case 1: return rank > 1 ? cr_t(a) : cr_expand_dims(a, -1);
    case 2: return cr_sum(a, 1, &axis, next(2));
    case 3: return cr_max(a, 0, NULL, next(2));
    case 4: return size ? ops_slice_axis(a, axis - rank, size - 1, -1, (size + 1) / 2) : a;
    case 5: return size ? cr_squeeze(ops_slice_axis(a, axis - rank, 0, 1, 1), 1, &axis, false) : a;
    case 6: return cr_cumsum(a, axis, next(2));
    case 7: return cr_flatten(a);
    default: return cr_concat(2, (cr_node[]){a, a}, axis);
    }
}

static cr_node random_op(cr_graph *g, cr_node a, cr_node b) {
    switch (next(20)) {
    case 0: return cr_add(a, b);
    case 1: return cr_sub(a, b);
    case 2: return cr_mul(a, b);
    case 3: return cr_div(a, b);
    case 4: return cr_pow(a, b);
    case 5: return cr_neg(a);
    case 6: return cr_powi(a, (int64_t)next(6) - 2);
    case 7: return cr_where(cr_lt(a, b), a, b);
    case 8: return cr_where(cr_not(cr_or(cr_eq(a, b), cr_le(b, a))), b, cr_number(g, 1));
    case 9: return cr_matmul(a, b);
    case 10: return cr_mod(cr_floordiv(a, b), b);
    case 11: return cr_maximum(a, b);
    case 12: return cr_sin(a);
    case 13: return cr_cast(a, next(2) ? CR_F64 : CR_I32);
    case 14: return cr_add(random_number(g), random_number(g));
    default: return random_view(next(2) ? a : b);
    }
}

/* A builder that refuses leaves an error, which is forgotten, and an operand in its stead. */
static cr_node random_graph(cr_graph *g, int size) {
    static const char *const leaves[] = {"x", "y", "v", "m", "q", "s", "i", "j", "k", "one"};
    cr_node part[40];
    for (int n = 0; n < size; n++)
        part[n] = next(3) ? cr_find(g, leaves[next(sizeof leaves / sizeof *leaves)]) : random_number(g);
    for (int n = size; n > 1; n--) {
        uint64_t at = next((uint64_t)n - 1);
        cr_node y = random_op(g, part[at], part[at + 1]);
        if (!cr_ok(y) || cr_count(y) > 500) y = part[at], cr_graph_clear_error(g);
        part[at] = y;
        for (int k = (int)at + 1; k < n - 1; k++) part[k] = part[k + 1];
    }
    return part[0];
}

TEST(random_graphs_and_their_derivatives_read_back) {
    (void)state;
    for (uint64_t n = 1; n <= 3000; n++) {
        char what[32];
        cr_graph *g = world();
        cr_text *text = NULL;
        cr_text_new(&text, NULL);
        seed = n * 0x9E3779B97F4A7C15u;
        snprintf(what, sizeof what, "seed %d", (int)n);
        cr_node x = random_graph(g, 3 + (int)(n % 12));
        round_trip(x, text, what);
        if (n % 12 < 6) round_trip_derivatives(x, text, what);
        cr_text_free(text);
        cr_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_elementwise_row_reads_back),
        RUN(every_other_row_reads_back),
        RUN(constants_read_back),
        RUN(long_constants_are_whole),
        RUN(random_graphs_and_their_derivatives_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
