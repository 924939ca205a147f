/* The formula language, sentence by sentence of its manual: what formulas mean. What is said of mistakes is in
 * mistakes.c and tests/cli/language.test. */
#include "support/test.h"

#include <pthread.h>

#include "formula/model.h"

/* ---- Values ---- */

/* The value of a formula over x = 3, y = 2, v = [1, 2, 3], m = [[0, 1, 2], [3, 4, 5]], i = [2, 0] (i64), k = 7 (i32). */
static void values_of(const char *formula, int64_t count, double out[]) {
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    double x = 3, y = 2, v[] = {1, 2, 3}, m[] = {0, 1, 2, 3, 4, 5};
    int64_t i[] = {2, 0};
    int32_t k = 7;
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    cr_eval_set(e, cr_input(g, "x", CR_F64, 0, NULL), CR_F64, &x, sizeof x);
    cr_eval_set(e, cr_input(g, "y", CR_F64, 0, NULL), CR_F64, &y, sizeof y);
    cr_eval_set(e, cr_input(g, "v", CR_F64, 1, (int64_t[]){3}), CR_F64, v, sizeof v);
    cr_eval_set(e, cr_input(g, "m", CR_F64, 2, (int64_t[]){2, 3}), CR_F64, m, sizeof m);
    cr_eval_set(e, cr_input(g, "i", CR_I64, 1, (int64_t[]){2}), CR_I64, i, sizeof i);
    cr_eval_set(e, cr_input(g, "k", CR_I32, 0, NULL), CR_I32, &k, sizeof k);
    cr_node z = cr_cast(cr_formula(g, formula), CR_F64);
    if (!cr_ok(z)) fail_msg("%s: %s", formula, cr_graph_error(g));
    if (cr_count(z) != count)
        fail_msg("%s has %d elements, expected %d", formula, (int)cr_count(z), (int)count);
    assert_int_equal(cr_eval_value(e, z, CR_F64, out, (size_t)count * sizeof *out), CR_OK);
    cr_eval_free(e);
    cr_graph_free(g);
}

static void is(const char *formula, double expected) {
    double found;
    values_of(formula, 1, &found);
    if (!within_ulps(found, expected, 0)) fail_msg("%s = %.17g, expected %.17g", formula, found, expected);
}

static void are(const char *formula, int64_t n, const double expected[]) {
    double found[24];
    values_of(formula, n, found);
    for (int64_t j = 0; j < n; j++)
        if (found[j] != expected[j])
            fail_msg("%s: element %d is %.17g, expected %.17g", formula, (int)j, found[j], expected[j]);
}
#define ARE(formula, ...) \
    are(formula, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (const double[]){__VA_ARGS__})

/* Python and NumPy give these. */
TEST(operators_bind_as_they_do_on_paper) {
    (void)state;
    is("1 + 2*x", 7);
    is("-x^2", -9);
    is("(-x)^2", 9);
    is("2^-1", 0.5);
    is("2^-x", 0.125);
    is("2^x^y", 512);
    is("-2^-2", -0.25);
    is("x - y - 1", 0);
    is("x/y/2", 0.75);
    is("x/y*2", 3);
    is("2*x^2", 18);
    is("x*-y", -6);
    is("x - -y", 5);
    is("--x", 3);
    is("+x", 3);
    is("-x*y", -6);
    is("-x % y", 1);
    is("1 + x % y*2", 3);
    is("(x - 1)*(y + 1)", 6);
    is("x < y or y < x and not x == y", 1);
    is("not x == y", 1);
    is("not (x < y) and y < x", 1);
    is("true or false and false", 1);
    is("(x + 1 < y*3) == (y < 5)", 1);
}

TEST(division_is_true_and_floors_are_pythons) {
    (void)state;
    is("7/2", 3.5);
    is("k/2", 3.5);
    is("7 // 2", 3);
    is("-7 // 2", -4);
    is("k // -2", -4);
    is("-7 % 3", 2);
    is("7 % -3", -2);
    is("k % -3", -2);
    is("-k % 3", 2);
    is("5.5 // 2", 2);
    is("1 % 0.1", 0.09999999999999995);
    is("x % 0.1 - 3 % 0.1", 0);
    is("1/0", INFINITY);
    is("0/0", NAN);
    is("1 % 0", NAN);
}

TEST(matrix_products_stand_with_products) {
    (void)state;
    ARE("m/2 @ v", 4, 13);
    ARE("m @ v", 8, 26);
    ARE("v @ t(m)", 8, 26);
    ARE("-m @ v", -8, -26);
    is("v @ v", 14);
    ARE("m @ [1, 1, 1]", 3, 12);
    ARE("m @ [0.5, 0, 1]", 2, 6.5);
}

TEST(indexing_is_numpys) {
    (void)state;
    ARE("m[1]", 3, 4, 5);
    ARE("m[-1, -1]", 5);
    ARE("m[0, 1]", 1);
    ARE("m[:, 1]", 1, 4);
    ARE("m[::-1, ::2]", 3, 5, 0, 2);
    ARE("m[..., 0]", 0, 3);
    ARE("m[None, 1, None, 2]", 5);
    ARE("v[1:]", 2, 3);
    ARE("v[:-1]", 1, 2);
    ARE("v[-2:]", 2, 3);
    ARE("v[::-1]", 3, 2, 1);
    ARE("v[5:0:-2]", 3);
    ARE("v[0:99]", 1, 2, 3);
    ARE("v[i]", 3, 1);
    ARE("m[:, i]", 2, 0, 5, 3);
    ARE("m[0, i]", 2, 0);
    ARE("v[[0, 0]]", 1, 1);
    ARE("m[1][0:2][1]", 4);
    ARE("(m + 1)[0]", 1, 2, 3);
    ARE("v[:, None] + [10, 20][None]", 11, 21, 12, 22, 13, 23);
    are("m[1:1]", 0, NULL);
    is("[x, y, 7][-1]", 7);
    is("sum([[1, 2], [3, 4]][1])", 7);
}

TEST(lists_are_tensors) {
    (void)state;
    ARE("[1, 2.5]", 1, 2.5);
    ARE("[[x, y], [y, x]]", 3, 2, 2, 3);
    ARE("[true, false]", 1, 0);
    ARE("[v, v]", 1, 2, 3, 1, 2, 3);
    ARE("concat([v, v])", 1, 2, 3, 1, 2, 3);
    ARE("[\n1,\n 2,\n]", 1, 2);
}

TEST(attributes_go_by_name) {
    (void)state;
    ARE("sum(m, axis=-1)", 3, 12);
    ARE("sum(m, axis=[0])", 3, 5, 7);
    ARE("sum(m, axis=-1, keep=true) + m*0", 3, 3, 3, 12, 12, 12);
    is("sum(m, axis=all)", 15);
    is("cast(2.7, i32)", 2);
    ARE("clip(v, 1.5, 2.5)", 1.5, 2, 2.5);
}

TEST(names_and_functions_live_apart) {
    (void)state;
    is("sum = x; sum(v)*sum", 18);
    is("sin = 2; fn cos(a) = a + 1; cos(sin)", 3);
    is("e = 1; beta = 2; gamma = 3; E = 4; I = 5; lambda = 6; e + beta + gamma + E + I + lambda", 21);
    is("fn relu(a) = a*10; relu(x)", 30);
}

TEST(a_newline_ends_a_statement_except_inside_brackets) {
    (void)state;
    is("a = x\nb = y\na + b", 5);
    is("a = (x\n  + y)\na", 5);
    is("a = sum([1,\n2,\n\n3])  # with a comment\n\n a", 6);
    is("a = x; b = a; ; a + b;", 6);
    is("a = x\r\nb = y\ra*b\r\n", 6);
    is("\xEF\xBB\xBF"
       "x",
       3);
    is("\tx\t+ 1 # + 2", 4);
}

TEST(functions_see_their_own_names) {
    (void)state;
    is("fn f(a, b=2) = a*b + 1; f(x)", 7);
    is("fn f(a, b=2) = a*b + 1; f(x, 5)", 16);
    is("fn f(a, b=2) = a*b + 1; f(b=x, a=x)", 10);
    is("fn f(a, b=a + 1) = a*b; f(x)", 12);
    is("fn f(a) { b = a^2; b + 1 }; b = 5; f(x) + b", 15);
    is("fn f(a) {\n  b = a^2\n  b + 1\n}\nf(x)", 10);
    is("fn f(a) = a + 1; fn g(a) = f(f(a)); g(g(x))", 7);
    is("fn pick(a, j) = a[j]; pick(v, 1)", 2);
    is("fn total(a, ax) = sum(a, axis=ax); sum(total(m, 0))", 15);
}

TEST(derivatives_are_expressions) {
    (void)state;
    is("grad(x^3, x)", 27);
    is("grad(grad(x^3, x), x)", 18);
    is("g = grad(x^2*y, [x, y]); g[0] + g[1]", 21);
    is("jvp(x^2, x, 10)", 60);
    is("sum(vjp(v^2, v, [1, 0, 1]))", 8);
    is("v0 = variable(x); grad(v0^2*x, v0)", 18);
    is("size(m) + size(m, axis=0)*10 + size(m, axis=-1)*100", 326);
    is("sum(cast(m, dtype(k)))", 15);
}

/* ---- Dtypes ---- */

static void dtype_is(const char *formula, cr_dtype expected) {
    cr_graph *g = cr_graph_new(NULL);
    cr_input(g, "f", CR_F32, 0, NULL);
    cr_input(g, "F", CR_F32, 2, (int64_t[]){2, 2});
    cr_input(g, "d", CR_F64, 0, NULL);
    cr_input(g, "i", CR_I32, 0, NULL);
    cr_input(g, "j", CR_I64, 0, NULL);
    cr_input(g, "h", CR_F16, 0, NULL);
    cr_node y = cr_formula(g, formula);
    if (!cr_ok(y)) fail_msg("%s: %s", formula, cr_graph_error(g));
    if (cr_dtype_of(y) != expected)
        fail_msg("%s is %s, expected %s", formula, cr_dtype_name(cr_dtype_of(y)), cr_dtype_name(expected));
    cr_graph_free(g);
}

TEST(literals_take_the_dtype_of_what_they_meet) {
    (void)state;
    dtype_is("f*0.1", CR_F32);
    dtype_is("1/f + pi", CR_F32);
    dtype_is("f + 2^0.5*3", CR_F32);
    dtype_is("F*[0.5, 1]", CR_F32);
    dtype_is("F @ [0.5, 1]", CR_F32);
    dtype_is("[f, 0.5, 1]", CR_F32);
    dtype_is("concat(F, [[0.5, 1]])", CR_F32);
    dtype_is("where(f > 0, f, 0.5)", CR_F32);
    dtype_is("d*0.1", CR_F64);
    dtype_is("i*2", CR_I32);
    dtype_is("i*2.5", CR_F64);
    dtype_is("i*f", CR_F32);
    dtype_is("i + j", CR_I64);
    dtype_is("i/2", CR_F64);
    dtype_is("[1, 2]", CR_I64);
    dtype_is("h*2", CR_F32);
    dtype_is("i < 2", CR_BOOL);
}

/* ---- Models ---- */

struct world {
    cr_model *m;
    cr_graph *g;
    cr_node result;
    cr_text *why;
};

static struct world read_model(const char *text) {
    struct world w = {.g = cr_graph_new(NULL)};
    cr_text_new(&w.why, NULL);
    if (cr_model_new(&w.m, text, strlen(text), "m.cr", NULL, w.why)) fail_msg("%s", cr_text_str(w.why));
    return w;
}

static void build(struct world *w) {
    if (cr_model_build(&w->result, w->m, w->g, w->why)) fail_msg("%s", cr_text_str(w->why));
}

static void refuses(struct world *w, const char *sentence) {
    assert_int_not_equal(cr_model_build(&w->result, w->m, w->g, w->why), CR_OK);
    if (!strstr(cr_text_str(w->why), sentence)) fail_msg("%s; expected %s", cr_text_str(w->why), sentence);
}

static void drop(struct world *w) {
    cr_model_free(w->m);
    cr_graph_free(w->g);
    cr_text_free(w->why);
}

static const char two[] =
    "input x: f64[n, 2]\ninput y: f64[n]\ninput z: f64[2*n, m]\nsum(x) + sum(y) + sum(z) + 1/n + n//2 + m";

TEST(named_sizes_are_bound_by_data_in_any_order) {
    (void)state;
    struct world w = read_model(
        "input z: f64[2*n]\ninput x: f64[n]\nparam p: f64[n + 1, 2] = 0\nfn f(a) = a/n\nsum(z)*f(1)");
    assert_int_equal(cr_model_declare(w.m, "x", false, CR_F64, 1, (int64_t[]){5}), CR_OK);
    build(&w);
    assert_int_equal(cr_dims(cr_find(w.g, "z"))[0], 10);
    assert_int_equal(cr_dims(cr_find(w.g, "p"))[0], 6);
    cr_graph_free(w.g); /* a shorter last batch: the same model, built again */
    w.g = cr_graph_new(NULL);
    assert_int_equal(cr_model_declare(w.m, "x", false, CR_F64, 1, (int64_t[]){2}), CR_OK);
    build(&w);
    assert_int_equal(cr_dims(cr_find(w.g, "z"))[0], 4);
    drop(&w);
}

TEST(sizes_that_disagree_are_told_with_both_sources) {
    (void)state;
    struct world w = read_model(two);
    cr_model_declare(w.m, "x", false, CR_F64, 2, (int64_t[]){3, 2});
    cr_model_declare(w.m, "y", false, CR_F64, 1, (int64_t[]){4});
    cr_model_declare(w.m, "z", false, CR_F64, 2, (int64_t[]){6, 1});
    refuses(&w, "m.cr:2:14: axis 0 of 'y' has size 4, but n is 3 by x\n  input y: f64[n]\n               ^");
    drop(&w);
    w = read_model(two);
    cr_model_size(w.m, "n", 7);
    cr_model_declare(w.m, "x", false, CR_F64, 2, (int64_t[]){3, 2});
    refuses(&w, "axis 0 of 'x' has size 3, but n is given as 7");
    drop(&w);
    w = read_model(two);
    cr_model_declare(w.m, "x", false, CR_F64, 2, (int64_t[]){3, 5});
    refuses(&w, "axis 1 of 'x' has size 5, but 2 is declared");
    drop(&w);
    w = read_model(two);
    cr_model_declare(w.m, "x", false, CR_F64, 3, (int64_t[]){3, 2, 2});
    refuses(&w, "'x' is declared with rank 2, given as [3, 2, 2]");
    drop(&w);
    w = read_model(two);
    refuses(&w, "the size 'n' is not known yet");
    drop(&w);
}

static void model_mistake(const char *text, const char *sentence) {
    cr_model *m = NULL;
    cr_text *why = NULL;
    cr_text_new(&why, NULL);
    if (!cr_model_new(&m, text, strlen(text), NULL, NULL, why)) fail_msg("%s is no mistake", text);
    if (!strstr(cr_text_str(why), sentence))
        fail_msg("%s: %s; expected %s", text, cr_text_str(why), sentence);
    assert_null(m);
    cr_text_free(why);
}

TEST(a_text_with_declarations_declares_every_name) {
    (void)state;
    model_mistake("input x: f64[n]\nparam beta: f64 = 0\nsum(beat*x)",
                  "3:5: unknown name 'beat': did you mean beta?");
    model_mistake("y = w*x\nparam w: f64 = 1",
                  "2:7: 'w' is used in line 1 already: a name is bound before its use");
    model_mistake("input x: f64[n]\nn = 3", "'n' is the name of a size already");
    model_mistake("input n: f64\ninput x: f64[m]\ninput m: f64", "'m' is the name of a size already");
    model_mistake("input x: f64[n] = 3", "an input has no initial value");
    model_mistake("fn f(a) { input q: f64; q }", "an input stands outside of functions");
    model_mistake("fn f(a) { fn g(b) = b; g(a) }", "a function is defined outside of functions");
    model_mistake("w = True\nw", "unknown name 'True': did you mean true?");
    model_mistake("def f(x): x", "'def': a function is fn f(x) = expression");
    struct world w = read_model("w*x + b");
    assert_string_equal(cr_model_free_name(w.m, 0), "w");
    assert_string_equal(cr_model_free_name(w.m, 2), "b");
    assert_null(cr_model_free_name(w.m, 3));
    drop(&w);
}

TEST(layers_name_their_parameters_by_scope) {
    (void)state;
    struct world w =
        read_model("fn block(x, n) {\n  a = dense(x, n)\n  b = dense(tanh(a), n)\n  a + b\n}\n"
                   "input x: f64[4, 3]\nh = block(x, 3)\nk = block(h, 3, like=h)\np = block(k, 3)\n"
                   "sum(p) + sum(h.a.W^2)");
    build(&w);
    static const char *const names[] = {"h.a.W", "h.a.b", "h.b.W", "h.b.b", "p.a.W", "p.b.b"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) assert_true(cr_ok(cr_find(w.g, names[n])));
    assert_false(cr_ok(cr_find(w.g, "k.a.W")));
    drop(&w);
}

/* ---- Random draws ---- */

static void draw(const char *text, const char *name, int64_t seed, int64_t step, double out[3]) {
    struct world w = read_model(text);
    build(&w);
    cr_target *t = cr_target_new(w.g);
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_store *s = NULL;
    cr_store_new(&s, NULL);
    assert_int_equal(cr_store_init(s, w.g, seed), CR_OK);
    cr_target_output(t, "out", cr_find(w.g, name));
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_run_new(&r, p, s, NULL, 0), CR_OK);
    cr_run_seed(r, seed);
    cr_run_set_step(r, step);
    cr_bind(r, "out", CR_F64, out, 3 * sizeof *out);
    if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_store_free(s);
    drop(&w);
}

static bool same3(const double a[3], const double b[3]) { return memcmp(a, b, 3 * sizeof *a) == 0; }

TEST(draws_depend_on_seed_step_scope_and_place_and_on_nothing_else) {
    (void)state;
    static const char base[] =
        "fn noisy(x) { param w: f64[3] = normal(); u = uniform(shape=[3]); x*w*0 + u }\n"
        "h = noisy(1)\nz = uniform(shape=[3])\n",
                      more[] =
                          "fn noisy(x) { param w: f64[3] = normal(); u = uniform(shape=[3]); x*w*0 + u }\n"
                          "first = noisy(1)\nh = noisy(2)\nz = uniform(shape=[3])\nlast = noisy(3)\n";
    double a[3], b[3];
    draw(base, "z", 1, 0, a);
    draw(more, "z", 1, 0, b);
    assert_true(same3(a, b)); /* a layer added elsewhere changes no draw, */
    draw(base, "h", 1, 0, a);
    draw(more, "h", 1, 0, b);
    assert_true(same3(a, b));
    draw(base, "h.w", 1, 0, a);
    draw(more, "h.w", 1, 0, b);
    assert_true(same3(a, b)); /* and no initial value */
    draw(more, "first", 1, 0, a);
    draw(more, "last", 1, 0, b);
    assert_false(same3(a, b));
    draw(more, "h", 1, 1, b);
    draw(more, "h", 1, 0, a);
    assert_false(same3(a, b));
    draw(more, "h", 2, 0, b);
    assert_false(same3(a, b));
    draw("a = uniform(shape=[3]); b = uniform(shape=[3])", "a", 1, 0, a);
    draw("a = uniform(shape=[3]); b = uniform(shape=[3])", "b", 1, 0, b);
    assert_false(same3(a, b));
    draw("param w: f64[3] = normal() - normal()", "w", 1, 0, a);
    assert_true(a[0] != 0 && a[1] != 0); /* two draws, not one twice */
}

/* ---- Size ---- */

static size_t small_stack(void) {
    return sanitized ? 512 << 10 : 64 << 10;
} /* a sanitizer pads every frame */

static char *repeated(const char *open, size_t n, const char *middle, const char *close) {
    size_t a = strlen(open), b = strlen(close), m = strlen(middle);
    char *s = malloc(n * (a + b) + m + 1), *p = s;
    for (size_t i = 0; i < n; i++) memcpy(p, open, a), p += a;
    memcpy(p, middle, m), p += m;
    for (size_t i = 0; i < n; i++) memcpy(p, close, b), p += b;
    *p = 0;
    return s;
}

static cr_status formula_status(const char *text) {
    cr_graph *g = cr_graph_new(NULL);
    cr_input(g, "x", CR_F64, 0, NULL);
    cr_formula(g, text);
    cr_status s = cr_graph_status(g);
    cr_graph_free(g);
    return s;
}

static void *deep(void *arg) {
    static const char *const nests[][2] = {{"(", ")"},   {"[", "]"},  {"sin(", ")"}, {"-", ""},
                                           {"not ", ""}, {"x[", "]"}, {"x^", ""},    {"maximum(x, ", ")"}};
    cr_status *out = arg;
    for (int i = 0; i < 8; i++) {
        char *million = repeated(nests[i][0], 1000000, "x", nests[i][1]),
             *some = repeated(nests[i][0], 5000, "x", nests[i][1]);
        out[2 * i] = formula_status(million);
        out[2 * i + 1] = formula_status(some);
        free(million), free(some);
    }
    char text[4000] = "fn g0(a) = a + 1; ";
    for (int i = 1; i < 15; i++)
        snprintf(text + strlen(text), 100, "fn g%d(a) { b = g%d(a); b*2 }; ", i, i - 1);
    strcat(text, "g14(x)");
    out[16] = formula_status(text);
    return NULL;
}

TEST(nesting_takes_no_stack) {
    (void)state;
    pthread_t thread;
    pthread_attr_t attr;
    cr_status s[17];
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, small_stack());
    assert_int_equal(pthread_create(&thread, &attr, deep, s), 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < 8; i++) assert_int_equal(s[2 * i], CR_ELIMIT);
    static const int fine[] = {0, 2, 3, 6, 7};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) assert_int_equal(s[2 * fine[i] + 1], CR_OK);
    assert_int_equal(s[16], CR_OK);
}

/* A function's text is read into a graph of its own: what fails there is told. */
static cr_status read_scan(cr_context *ctx, void *arg) {
    (void)arg;
    cr_graph *g = cr_graph_new(ctx);
    cr_status s = cr_graph_status(g);
    if (!s) s = cr_input(g, "x", CR_F64, 1, (int64_t[]){3}).id ? CR_OK : CR_ENOMEM;
    if (!s) cr_formula(g, "fn f(h, x, k) = h*k + x; scan(f, 0, x, k=x[0], memory=1)");
    if (!s) s = cr_graph_status(g);
    cr_graph_free(g);
    return s;
}

TEST(memory_that_fails_in_a_function_handed_over_is_told) {
    (void)state;
    alloc_fail_each(read_scan, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(operators_bind_as_they_do_on_paper),
        RUN(division_is_true_and_floors_are_pythons),
        RUN(matrix_products_stand_with_products),
        RUN(indexing_is_numpys),
        RUN(lists_are_tensors),
        RUN(attributes_go_by_name),
        RUN(names_and_functions_live_apart),
        RUN(a_newline_ends_a_statement_except_inside_brackets),
        RUN(functions_see_their_own_names),
        RUN(derivatives_are_expressions),
        RUN(literals_take_the_dtype_of_what_they_meet),
        RUN(named_sizes_are_bound_by_data_in_any_order),
        RUN(sizes_that_disagree_are_told_with_both_sources),
        RUN(a_text_with_declarations_declares_every_name),
        RUN(layers_name_their_parameters_by_scope),
        RUN(draws_depend_on_seed_step_scope_and_place_and_on_nothing_else),
        RUN(nesting_takes_no_stack),
        RUN(memory_that_fails_in_a_function_handed_over_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
