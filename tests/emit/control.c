/* Functions in a graph as emitted C: values, gradients and second derivatives are the library's, in a program that links nothing of ours
 * and runs under sanitizers. */
#include "support/alloc.h"
#include "support/alone.h"
#include "support/functions.h"

enum { most = 8 };

/* ---- A formula, its gradients, and a Hessian times a vector ---- */

struct formula {
    cr_graph *g;
    cr_node x[most], y[2 * most + 1]; /* inputs; value, gradients, second derivatives */
    int n, ys;
    struct given in[most];
};

static bool is_fraction(cr_node x) { return cr_dtype_of(x) == CR_F64 || cr_dtype_of(x) == CR_F32; }

static void *numbers(cr_node x, int salt) {
    size_t n = (size_t)cr_count(x);
    char *data = calloc(n + 1, 8);
    for (size_t i = 0; i < n; i++) {
        double v = fmod(0.618033988749895 * (double)(i + 1) + 0.37 * salt, 1) * 0.9 + 0.05;
        switch (cr_dtype_of(x)) {
        case CR_F64: ((double *)(void *)data)[i] = v; break;
        case CR_F32: ((float *)(void *)data)[i] = (float)v; break;
        case CR_I64: ((int64_t *)(void *)data)[i] = (int64_t)(i % 3); break;
        default: data[i] = (char)(i % 2);
        }
    }
    return data;
}

static void differentiate(struct formula *f) {
    cr_node w[most], d[most], h[most], value = f->y[0];
    int n = 0;
    for (int i = 0; i < f->n; i++)
        if (is_fraction(f->x[i])) w[n++] = f->x[i];
    if (n == 0 || !is_fraction(value)) return;
    cr_node loss = cr_sum(cr_mul(value, cr_sin(value)), 0, NULL, false), squares = {NULL, 0, 0};
    if (cr_grad(d, loss, n, w)) fail_msg("%s", cr_graph_error(f->g));
    for (int i = 0; i < n; i++) {
        cr_node s = cr_sum(cr_square(d[i]), 0, NULL, false);
        squares = i ? cr_add(squares, s) : s;
        f->y[f->ys++] = d[i];
    }
    if (cr_grad(h, squares, n, w)) fail_msg("%s", cr_graph_error(f->g));
    for (int i = 0; i < n; i++) f->y[f->ys++] = h[i];
}

static void open(struct formula *f, const char *text) {
    cr_model *m = NULL;
    cr_text *why = NULL;
    *f = (struct formula){.g = cr_graph_new(NULL), .ys = 1};
    cr_text_new(&why, NULL);
    if (cr_model_new(&m, text, strlen(text), NULL, NULL, why) || cr_model_build(&f->y[0], m, f->g, why))
        fail_msg("%s", cr_text_str(why));
    for (; cr_ok(cr_leaf(f->g, f->n)); f->n++) {
        cr_node x = f->x[f->n] = cr_leaf(f->g, f->n);
        f->in[f->n] =
            (struct given){cr_name(x), cr_dtype_of(x), cr_rank(x), cr_dims(x), numbers(x, f->n), NULL};
    }
    cr_model_free(m);
    cr_text_free(why);
}

static void close_formula(struct formula *f) {
    for (int i = 0; i < f->n; i++) free(f->in[i].data);
    cr_graph_free(f->g);
}

static void add(struct alone *a, const char *text, double tolerance) {
    struct formula f;
    char label[100];
    open(&f, text);
    differentiate(&f);
    snprintf(label, sizeof label, "model %d", a->set.count);
    alone_nodes(a, label, f.ys, f.y, f.n, f.in, tolerance);
    close_formula(&f);
}

#define CELL                                                                                        \
    "input h: f64[3]; input x: f64[5, 3]; input k: f64[3]; fn f(h, v, k) { z = tanh(h*k + v); [z, " \
    "sum(z*v)] }; "

static const char *const loops[] = {
    CELL "r = scan(f, h, x, k=k); sum(r[0]^2) + sum(sin(r[1]))",
    CELL "r = scan(f, h, x, k=k, reverse=true); sum(r[0]^2) + sum(sin(r[1]))",
    CELL "scan(f, h, x, k=k)[1]",                     /* the carry is not wanted */
    CELL "scan(f, h, t(reshape(x, [3, 5])), k=k)[1]", /* rows that are no rows */
    CELL "scan(f, h, x[::-2, ::-1], k=reshape(x, [3, 5])[:, 1])[0]",
    CELL "scan(f, h, x[1:1], k=k)[0]",       /* no step */
    CELL "scan(f, h, x, k=k, memory=50)[0]", /* pieces */
};

static const char *const models[] = {
    "input a: f64; input x: f64[6]; fn f(p, q, v) = [q, p*v + q, p]; r = scan(f, [a, 1], x); "
    "r[0] + sum(sin(r[2]))",
    "input a: f64; input x: f64[6]; fn f(p, q, v) = [p, p, p*v]; r = scan(f, [a, 1], x); "
    "r[1]*sum(r[2])",
    "input a: f64; input x: f64[4]; fn f(p, v) = p*v + sum([1, 2, 3, 4]^p)/30; scan(f, a, x)",
    "input a: f64[4, 4]; fn f(v, k) = v @ k; map(f, a, k=a)",
    "input a: f64[4]; fn f(v, i, k) = v*k[i] + sin(i*v); map(f, a, iota(4), k=a)",
    "input a: f64[3]; fn more(h, k) = sum(h) < 5; fn f(h, k) = h*k + 1; while(more, f, a, "
    "most=8, k=a)",
    "input a: f64; fn more(h) = h < 5; fn f(h) = h*h + 1; while(more, f, a, most=9)*a",
    "input a: f64; fn never(h) = h < 0; fn f(h) = log(h - 5); while(never, f, a, most=3)*a",
    "input a: f64[2]; input b: f64[2]; fn f(a, b) = a*b; fn g(a, b) = sin(a) + b*b; cond(sum(a) "
    "> 0, f, g, a, b)",
    "input a: f64[2]; input b: f64[2]; fn f(a, b) = a*b; fn g(a, b) = sin(a) + b*b; cond(sum(a) "
    "< 0, f, g, a, b)",
    "input a: f64[2]; fn f(a) = solve(a[:, None]*a[None, :]*0, a); fn g(a) = a^2; cond(sum(a) < "
    "0, f, g, a)",
    "input a: f64[3]; input x: f64[4, 2, 3]; fn in(h, v) = tanh(h + v); fn out(h, m) = scan(in, "
    "h, m)*2; scan(out, a, x)",
    "input a: f64[3]; input x: f64[4, 3]; fn yes(v) = v^2; fn no(v) = exp(v); fn f(v) = "
    "cond(v[0] > 0.5, yes, no, v); "
    "map(f, x)",
    "input a: f64[3]; input b: f64[3]; fn f(a, b) = [a*sin(b), a + b, a]; r = checkpoint(f, a, "
    "b); r[0]*r[1]",
    "input a: f64[3]; fn f(h) = cast(cast(h*1.5, f16), f64); scan(f, a, steps=3)",
    "input a: f64[3]; fn f(h) = h*h; x = a[0] + 1; h = scan(f, a/2, steps=2); grad(sum(h), a)*x",
    "input a: f64[5]; fn f(h) = sort(h*h) + topk(h, 5)[::-1]/9; scan(f, a, steps=3)",
    "input a: f64[3, 3]; fn f(h, k) = solve(h + k, h*k); scan(f, a + [[3, 0, 0], [0, 3, 0], [0, "
    "0, 3]], steps=3, "
    "k=[[9, 0, 0], [0, 9, 0], [0, 0, 9]])",
    "input a: f64[3, 4]; input i: i64[5]; fn f(h, j) = h + h[j][None, :]/3; scan(f, a, i)",
    "input a: f64[2]; input i: i64[3]; fn f(h, j) = h*uniform(fold_in(seed() + step_number(), "
    "j), shape=[2]); scan(f, a, i)",
    "input x: f64; fn f(v, k) = v*v*v + v - k; implicit(f, 0.6, k=x + 0.2)*x",
    "input x: f64[4]; fn more(h, k) = h < 5*k; fn f(h, k) = h*h + k; fn one(v, k) = while(more, "
    "f, v, most=9, k=k); "
    "sum(map(one, x, k=0.9))",
    "input a: f64[0, 3]; input h: f64[3]; fn f(h, v) = h*sum(v); scan(f, h, a)",
    "input a: f64[4, 0]; input h: f64[3]; fn f(h, v) = h*sum(v) + h; scan(f, h, a)",
    "input a: f64[2]; fn f(h, w) = h*w + 1; r = scan(f, a, steps=3, w=a); scan(f, r, steps=3, "
    "w=a)", /* a body twice */
};

TEST(loops_and_branches_with_their_derivatives_agree) {
    (void)state;
    struct alone a;
    alone_start(&a);
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) add(&a, loops[i], 1e-12);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) add(&a, models[i], 1e-12);
    alone_run(&a, "");
}

/* ---- Random functions, each running those before it ---- */

static unsigned draw(uint64_t *state, unsigned n) {
    *state = *state * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
    return (unsigned)(*state >> 33) % n;
}

/* Of h and v, numbers between -1 and 1 throughout. */
static void random_body(char *to, size_t size, uint64_t *state, unsigned i) {
    static const char *const plain[] = {"tanh(h*v + 0.3)",  "sin(h - v)/2", "where(h > v, h*v, v - h/2)/2",
                                        "h[[1, 0]]*cos(v)", "sort(h)*v",    "(h + sum(v))/4"};
    unsigned f = i ? draw(state, i) : 0, g = i ? draw(state, i) : 0, n = draw(state, 4);
    switch (i ? draw(state, 7) : 6) {
    case 0: snprintf(to, size, "scan(f%u, h, steps=%u, v=v)", f, n); break;
    case 1:
        snprintf(to, size, "scan(f%u, h, [[.1, .2], [.3, .4], [.5, .6]]*v[:, None][:1]%s)", f,
                 n ? "" : ", reverse=true");
        break;
    case 2: snprintf(to, size, "cond(sum(h) > 0.%u, f%u, f%u, h, v)", n, f, g); break;
    case 3: snprintf(to, size, "checkpoint(f%u, h, v)*v", f); break;
    case 4: snprintf(to, size, "sum(map(f%u, t([[.1, .9], [.8, .2]])*h, v=v), axis=0)/2", f); break;
    case 5: snprintf(to, size, "while(m%u, w%u, [h, %u + 0*h[0]], most=5, v=v)[0]", f, f, n); break;
    default: snprintf(to, size, "%s", plain[draw(state, 6)]);
    }
}

static void random_model(char *to, size_t size, uint64_t seed) {
    enum { functions = 5 };
    uint64_t state = seed * 977 + 1;
    size_t n = (size_t)snprintf(to, size, "input h: f64[2]; input v: f64[2]; ");
    for (unsigned i = 0; i < functions; i++) {
        char body[200];
        random_body(body, sizeof body, &state, i);
        n += (size_t)snprintf(
            to + n, size - n,
            "fn f%u(h, v) = %s; fn m%u(h, i, v) = i < 3; fn w%u(h, i, v) = [f%u(h, v), i + 1]; ", i, body, i,
            i, i);
    }
    snprintf(to + n, size - n, "scan(f%d, h, steps=2, v=v) + checkpoint(f%d, v, h)", functions - 1,
             functions - 2);
}

TEST(random_functions_in_functions_agree) {
    (void)state;
    struct alone a;
    char text[3000];
    alone_start(&a);
    for (uint64_t seed = 0; seed < (uint64_t)rounds(24); seed++) {
        random_model(text, sizeof text, seed);
        add(&a, text, 1e-11);
    }
    alone_run(&a, "");
}

/* A function that is handed to the user of a program: emitted, with its sentence. */
static cr_program *program_of(struct formula *f, const char *text) {
    cr_program *p = NULL;
    open(f, text);
    cr_target *t = cr_target_new(f->g);
    cr_target_output(t, "value", f->y[0]);
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(f->g));
    cr_target_free(t);
    return p;
}

static char *source_of(const cr_program *p, const char *prefix) {
    cr_text *source = NULL, *header = NULL, *why = NULL;
    cr_text_new(&source, NULL), cr_text_new(&header, NULL), cr_text_new(&why, NULL);
    if (cr_program_emit(source, header, p, prefix, why)) fail_msg("%s", cr_text_str(why));
    char *copy = malloc(cr_text_size(source) + 1);
    memcpy(copy, cr_text_str(source), cr_text_size(source) + 1);
    cr_text_free(source), cr_text_free(header), cr_text_free(why);
    return copy;
}

static int count_of(const char *s, const char *what) {
    int n = 0;
    for (; (s = strstr(s, what)) != NULL; s++) n++;
    return n;
}

TEST(a_long_scan_is_one_for_with_its_body_once) {
    (void)state;
    struct formula f;
    cr_program *p = program_of(
        &f, "input x: f64; fn cell(h, k) = sin(h) + k; h = scan(cell, x, steps=10000, k=x); grad(h, x)");
    char *c = source_of(p, "step");
    assert_true(strlen(c) < 6000);
    assert_int_equal(count_of(c, "trip < 10000; trip++"), 1);
    assert_int_equal(count_of(c, "long trip = 10000; trip-- > 0;"), 1);
    assert_int_equal(count_of(c, "static void step_cell(const step_real *h"), 1);
    assert_int_equal(count_of(c, "static void step_cell_vjp(const step_real *dh"), 1);
    assert_int_equal(count_of(c, " sin("), 0);
    assert_int_equal(count_of(c, "(sin("), 1);
    free(c);
    cr_program_free(p);
    close_formula(&f);
}

TEST(bodies_that_are_alike_are_one_function) {
    (void)state;
    struct formula f;
    cr_program *p =
        program_of(&f, "input a: f64[2]; input x: f64[4, 2]; fn f(h, v) = tanh(h + v); fn g(h, v) = h - v; "
                       "scan(f, a, x) + scan(f, a*2, x[1:]) + scan(g, a, x)");
    char *c = source_of(p, "step");
    assert_int_equal(count_of(c, "static void step_f"), 1);
    assert_int_equal(count_of(c, "        step_f("), 2);
    assert_int_equal(count_of(c, "static void step_g"), 1);
    free(c);
    cr_program_free(p);
    close_formula(&f);
}

/* What a step gives when it fails, and that its outputs stay as they were. */
static void fails(struct alone *a, const char *text, int code) {
    struct formula f;
    cr_program *p = program_of(&f, text);
    struct alone_value value[most + 1];
    for (int i = 0; i < f.n; i++)
        value[i] = (struct alone_value){f.in[i].name, f.in[i].dtype, cr_count(f.x[i]), f.in[i].data, NULL};
    double before[64];
    memset(before, 0x5a, sizeof before);
    value[f.n] = (struct alone_value){"value", CR_F64, cr_count(f.y[0]), before, before};
    alone_add(a, text, p, f.n + 1, value, 1, code, 0);
    cr_program_free(p);
    close_formula(&f);
}

TEST(what_fails_inside_a_function_fails_the_step_as_it_does_outside) {
    (void)state;
    struct alone a;
    alone_start(&a);
    fails(&a, "input a: f64[2]; input i: i64[3]; fn f(h, j) = h + h[j]; scan(f, a, i)", 1);
    fails(&a,
          "input a: f64[2]; input i: i64[3]; fn f(h, j) = h + h[j]; fn g(h, i) = scan(f, h, i); "
          "checkpoint(g, a, i)",
          1);
    fails(&a, "input a: f64[2, 2]; fn f(h) = solve(h*0, h); scan(f, a, steps=2)", 2);
    fails(&a, "input a: f64; fn more(h) = h < 9; fn f(h) = h + 1; while(more, f, a, most=8)", 4);
    fails(&a, "input a: f64; fn more(h) = h < 9; fn f(h) = h + 1; while(more, f, a, most=0)", 4);
    fails(&a,
          "input a: f64; input n: i64; fn f(h) = 2*h; fn few(n) = n; fn many(n) = n + 9; "
          "scan(f, a, steps=cond(a > 0, many, few, n), most=4)",
          1);
    fails(&a,
          "input a: f64; fn more(h) = h < 4; fn f(h) = h + 1; "
          "scan(f, a, steps=while(more, f, a, most=8, kept=true)[2], most=2)",
          1);
    alone_run(&a, "");
}

TEST(what_has_no_numbers_has_c_too) {
    (void)state;
    static const char *const text[] = {
        "input x: f64[4, 0]; input h: f64[0]; fn f(h, v) = [tanh(h + v), h*v]; r = scan(f, h, x); sum(r[0]) "
        "+ "
        "sum(r[1])",
        "input x: f64[3]; input h: f64[0]; fn f(h, v) = [tanh(h + v), sum(h)*v]; r = scan(f, h, x); "
        "sum(r[0]) + sum(r[1]) + sum(x)",
        "input x: f64[0, 3]; input h: f64[3]; fn f(h, v) = [tanh(h + v), h*v]; r = scan(f, h, x); sum(r[0]) "
        "+ "
        "sum(r[1])",
        "input h: f64[0]; fn m(h) = sum(h) > 0; fn f(h) = h*2; sum(while(m, f, h, most=20))",
        "input c: f64; input h: f64[0]; fn f(h) = h*2; fn g(h) = sin(h); sum(cond(c > 0, f, g, h)) + "
        "sum(checkpoint(f, h)) + c",
        "input h: f64[0]; input x: f64[3, 2]; fn f(h, v) = h*v; fn g(h, row) = scan(f, h, row); "
        "sum(scan(g, h, x)) + sum(x)",
        "input h: f64[3, 0]; fn f(h) = sort(h*2); sum(map(f, h))",
        "input h: f64[0]; input x: f64; sum(sort(h)) + sin(x)",
        "input h: f64[2]; fn f(h) = sin(h); sum(scan(f, h, steps=0))"};
    struct alone a;
    alone_start(&a);
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) add(&a, text[i], 1e-14);
    alone_run(&a, "");
}

TEST(names_of_a_persons_may_be_those_of_the_file) {
    (void)state;
    struct alone a;
    alone_start(&a);
    add(&a,
        "input p0_real: f64[2]; input p0_cell: f64[3, 2]; input trip: f64[2]; fn cell(work, inside, status) "
        "= "
        "work*inside + status; fn ports(h, x) = h + x; fn matmul(h, x) = h*x; r = scan(cell, p0_real, "
        "p0_cell, status=trip); "
        "scan(ports, r, p0_cell) + scan(matmul, r, p0_cell)",
        1e-12);
    add(&a,
        "input complex: f64[2]; input size_t: f64; input NULL: f64; input memcpy: f64[2]; input P1_REAL: "
        "f64; "
        "complex*size_t + NULL*memcpy*P1_REAL",
        1e-12);
    add(&a,
        "input h: f64[2]; input swap_h: f64[2]; fn cell(h, swap_h) = [swap_h*2, h + 1]; r = scan(cell, [h, "
        "swap_h], steps=3); r[0]*r[1]",
        1e-12);
    alone_run(&a, "");
}

TEST(functions_of_f32_run_in_doubles_by_a_macro) {
    (void)state;
    static const char *const text = "input a: %s[3]; input x: %s[5, 3]; input i: i64[5]; fn f(h, v, j) { z = "
                                    "sort(tanh(h + v)); [z, z[j]] }; "
                                    "r = scan(f, a, x, i); sum(r[0]) + sum(r[1])";
    struct formula wide, narrow;
    char both[2][400];
    struct alone a;
    struct alone_value value[4];
    double y;
    snprintf(both[0], sizeof both[0], text, "f64", "f64");
    snprintf(both[1], sizeof both[1], text, "f32", "f32");
    cr_program_free(program_of(&wide, both[0]));
    cr_program *p = program_of(&narrow, both[1]);
    compute(WAY_CPU, wide.y[0], wide.n, wide.in, &y, sizeof y);
    for (int i = 0; i < wide.n; i++)
        value[i] = (struct alone_value){wide.in[i].name, wide.in[i].dtype, cr_count(wide.x[i]),
                                        wide.in[i].data, NULL};
    value[wide.n] = (struct alone_value){"value", CR_F64, 1, NULL, &y};
    alone_start(&a);
    alone_add(&a, "f32 as f64", p, wide.n + 1, value, 1, 0, 1e-13);
    alone_run(&a, "-DP0_REAL=double");
    cr_program_free(p);
    close_formula(&wide), close_formula(&narrow);
}

TEST(programs_of_f32_and_of_two_types_agree) {
    (void)state;
    struct alone a;
    alone_start(&a);
    add(&a,
        "input a: f32[3]; input x: f32[5, 3]; fn f(h, v) { z = tanh(h + v); [z, z*v] }; sum(scan(f, a, "
        "x)[1])",
        1e-5);
    add(&a, "input a: f32[3]; fn f(h) = cast(tanh(cast(h, f64)), f32); scan(f, a, steps=3)", 1e-6);
    alone_run(&a, "");
}

/* ---- Callbacks ---- */

static cr_status cubes(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    (void)user, (void)n_in, (void)n_out;
    const double *x = in[0].data, *k = in[1].data;
    double *y = out[0].data, *unwanted = out[1].data;
    if (*k == 0) return CR_EFAIL;
    for (int64_t i = 0; i < in[0].shape[0]; i++) y[i] = x[i] * x[i] * x[i] / *k, unwanted[i] = 1;
    return CR_OK;
}

static const char cubes_text[] =
    "int p0_cubes(const double *x0, const double *x1, double *y0, double *y1);\n"
    "int p0_cubes(const double *x0, const double *x1, double *y0, double *y1) {\n"
    "    for (int i = 0; i < 3; i++) y0[i] = x0[i] * x0[i] * x0[i] / *x1, y1[i] = 1;\n"
    "    return *x1 > 0 ? 0 : 17;\n}\n";

static cr_status cubes_vjp(void *user, cr_node grads[], int n_in, const cr_node x[], int n_out,
                           const cr_node y[], const cr_node g[]) {
    (void)user, (void)n_in, (void)n_out;
    grads[0] = cr_mul(g[0], cr_div(cr_mul(cr_number(x[0].graph, 3), cr_square(x[0])), x[1]));
    grads[1] = cr_neg(cr_sum(cr_mul(g[0], cr_div(y[0], x[1])), 0, NULL, false));
    return CR_OK;
}

/* x -> f(x), twice in a scan, with its gradient. */
static cr_node called(cr_graph *g, const char *name, void *user, cr_node *dx, cr_node *x, cr_node *k) {
    int64_t n = 3;
    cr_function *f = NULL, *body = NULL;
    cr_node y[2], out;
    if (!cr_ok(*x)) *x = cr_input(g, "x", CR_F64, 1, &n), *k = cr_input(g, "k", CR_F64, 0, NULL);
    cr_function_callback(&f, name, 2, (cr_node[]){*x, *k}, 2, (cr_node[]){*x, *x}, cubes, cubes_vjp, NULL,
                         user);
    cr_graph *b = cr_graph_new(NULL);
    cr_node in[2] = {cr_input(b, "x", CR_F64, 1, &n), cr_input(b, "k", CR_F64, 0, NULL)};
    cr_call(y, f, 2, in);
    cr_function_new(&body, 2, in, 1, y);
    cr_scan(&out, body, 2, false, 1, x, 0, NULL, 1, k);
    if (dx) cr_grad(dx, cr_sum(cr_sin(out), 0, NULL, false), 1, x);
    cr_graph_free(b);
    cr_function_free(f), cr_function_free(body);
    return out;
}

TEST(a_callback_is_a_function_that_the_user_links) {
    (void)state;
    struct alone a;
    cr_graph *g = cr_graph_new(NULL);
    cr_node y[2], x = {NULL, 0, 0}, k;
    double xv[3] = {0.5, -1, 0.8}, kv = 1.5, none = 0;
    int64_t n = 3;
    y[0] = called(g, "cubes", NULL, &y[1], &x, &k);
    struct given in[] = {{"x", CR_F64, 1, &n, xv, NULL}, {"k", CR_F64, 0, NULL, &kv, NULL}};
    alone_start(&a);
    alone_text(&a, cubes_text);
    alone_nodes(&a, "callback", 2, y, 2, in, 1e-13);
    assert_non_null(
        strstr(cr_text_str(a.set.header), "int p0_cubes(const p0_real *x0 /* [3] */, const p0_real *x1"));
    assert_int_equal(count_of(cr_text_str(a.set.header), "int p0_cubes("), 1);
    alone_run(&a, "");
    cr_program *p = NULL;
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "y", y[0]);
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    struct alone_value value[] = {
        {"x", CR_F64, 3, xv, NULL}, {"k", CR_F64, 1, &none, NULL}, {"y", CR_F64, 3, xv, xv}};
    alone_start(&a);
    alone_text(&a, cubes_text);
    alone_add(&a, "failing callback", p, 3, value, 1, 17, 0);
    alone_run(&a, "");
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

TEST(callbacks_that_differ_need_names_of_their_own) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = {NULL, 0, 0}, k, y[2];
    cr_program *p = NULL;
    cr_text *source = NULL, *header = NULL, *why = NULL;
    int other;
    y[0] = called(g, "cubes", NULL, NULL, &x, &k), y[1] = called(g, "cubes", &other, NULL, &x, &k);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "y", y[0]), cr_target_output(t, "z", y[1]);
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    cr_text_new(&source, NULL), cr_text_new(&header, NULL), cr_text_new(&why, NULL);
    assert_int_equal(cr_program_emit(source, header, p, "step", why), CR_EINVAL);
    assert_string_equal(cr_text_str(why),
                        "two callbacks that differ are called 'cubes': C needs a name for each");
    cr_text_free(source), cr_text_free(header), cr_text_free(why);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

/* ---- Memory ---- */

static cr_status emit_program(cr_context *ctx, void *arg) {
    cr_text *source = NULL, *header = NULL;
    cr_status s = cr_text_new(&source, ctx);
    if (!s) s = cr_text_new(&header, ctx);
    cr_graph *g = s ? NULL : cr_graph_new(ctx);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_node y = s ? (cr_node){NULL, 0, 0} : cr_formula(g, arg);
    if (!s) s = t && cr_ok(y) ? CR_OK : CR_ENOMEM;
    if (!s) cr_target_output(t, "y", y);
    if (!s) s = cr_compile(&p, t, NULL);
    if (!s) s = cr_program_emit(source, header, p, "step", NULL);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    cr_text_free(source), cr_text_free(header);
    return s;
}

TEST(memory_that_fails_is_told) {
    (void)state;
    alloc_fail_each(emit_program,
                    "fn f(h, v) = [h*v + 1, v]; fn m(h) = h < 9; fn g(h) = h*2; "
                    "r = scan(f, 0.5, [[1., 2.], [3, 4]][:, 1]); while(m, g, r[0], most=9) + sum(r[1])");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(loops_and_branches_with_their_derivatives_agree),
        RUN(random_functions_in_functions_agree),
        RUN(a_long_scan_is_one_for_with_its_body_once),
        RUN(bodies_that_are_alike_are_one_function),
        RUN(what_fails_inside_a_function_fails_the_step_as_it_does_outside),
        RUN(what_has_no_numbers_has_c_too),
        RUN(names_of_a_persons_may_be_those_of_the_file),
        RUN(functions_of_f32_run_in_doubles_by_a_macro),
        RUN(programs_of_f32_and_of_two_types_agree),
        RUN(a_callback_is_a_function_that_the_user_links),
        RUN(callbacks_that_differ_need_names_of_their_own),
        RUN(memory_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
