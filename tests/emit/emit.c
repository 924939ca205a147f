/* Emitted C, compiled by the system's compiler and loaded: it computes what the library computes. */
#include "support/emitted.h"

enum { most_ports = 32 };

static struct emitted_set set;

static struct emitted load(const cr_program *p, const char *flags) {
    emitted_free(&set);
    emitted_start(&set);
    emitted_add(&set, p);
    emitted_build(&set, flags);
    return emitted_at(&set, 0);
}

/* ---- One model both ways ---- */

struct both {
    cr_graph *g;
    cr_model *m;
    cr_target *t;
    cr_program *p;
    cr_store *store;
    cr_run *run;
    void *data[most_ports], *expected[most_ports];
};

static size_t bytes_of(const struct port *p, bool wide) {
    size_t n = strcmp(p->type, "int64_t") == 0 || strcmp(p->type, "double") == 0 ? 8
               : strcmp(p->type, "uint8_t") == 0                                 ? 1
                                                                                 : 4;
    if (strcmp(p->type, "p0_real") == 0) n = wide ? 8 : 4;
    for (int i = 0; i < p->rank; i++) n *= (size_t)p->dims[i];
    return n;
}

static cr_node node_of(const struct both *b, const char *name) {
    for (int i = 0; cr_ok(cr_leaf(b->g, i)); i++)
        if (strcmp(cr_name(cr_leaf(b->g, i)), name) == 0) return cr_leaf(b->g, i);
    return cr_find(b->g, name);
}

/* Numbers with all their digits in the domain of most functions; integers 0, 1, 2. */
static void fill(void *x, const char *type, size_t bytes, bool wide, int salt) {
    bool real = strcmp(type, "p0_real") == 0, f64 = strcmp(type, "double") == 0 || (real && wide),
         i32 = strcmp(type, "int32_t") == 0;
    size_t n = bytes / (f64 || strcmp(type, "int64_t") == 0 ? 8 : strcmp(type, "uint8_t") == 0 ? 1 : 4);
    for (size_t i = 0; i < n; i++) {
        double v = fmod(0.618033988749895 * (double)(i + 1) + 0.37 * salt, 1) * 0.9 + 0.05;
        if (f64) ((double *)x)[i] = v;
        else if (real || strcmp(type, "float") == 0) ((float *)x)[i] = (float)v;
        else if (i32) ((int32_t *)x)[i] = (int32_t)(i % 3);
        else if (strcmp(type, "uint8_t") == 0) ((uint8_t *)x)[i] = (uint8_t)(i % 2);
        else ((int64_t *)x)[i] = (int64_t)(i % 3);
    }
}

static void assert_close(const char *what, const void *a, const void *b, size_t bytes, const char *type,
                         bool wide, double tolerance) {
    bool f64 = strcmp(type, "double") == 0 || (strcmp(type, "p0_real") == 0 && wide);
    bool f32 = !f64 && (strcmp(type, "float") == 0 || strcmp(type, "p0_real") == 0);
    size_t n = bytes / (f64 ? 8 : 4);
    double size = 0;
    if (!f64 && !f32) {
        if (memcmp(a, b, bytes) != 0) fail_msg("%s differs", what);
        return;
    }
    for (size_t i = 0; i < n; i++)
        size = fmax(size, fabs(f64 ? ((const double *)b)[i] : (double)((const float *)b)[i]));
    for (size_t i = 0; i < n; i++) {
        double x = f64 ? ((const double *)a)[i] : (double)((const float *)a)[i],
               y = f64 ? ((const double *)b)[i] : (double)((const float *)b)[i];
        if (!(fabs(x - y) <= tolerance * size) && !(x != x && y != y) && x != y)
            fail_msg("%s[%zu] = %.17g, expected %.17g\n%s", what, i, x, y, cr_text_str(set.source));
    }
}

/* The program of a model: its last expression (or loss), its gradients, and updates by an optimiser if one is named. */
static void build(struct both *b, const char *text, const char *method) {
    cr_node y = {NULL, 0, 0}, w[8], d[8];
    int n = 0;
    *b = (struct both){.g = cr_graph_new(NULL)};
    cr_text_clear(set.why);
    if (cr_model_new(&b->m, text, strlen(text), NULL, NULL, set.why) ||
        cr_model_build(&y, b->m, b->g, set.why))
        fail_msg("%s", cr_text_str(set.why));
    b->t = cr_target_new(b->g);
    cr_target_output(b->t, "value", y);
    for (int i = 0; cr_ok(cr_leaf(b->g, i)); i++)
        if (strcmp(cr_op_of(cr_leaf(b->g, i)), "param") == 0) w[n++] = cr_leaf(b->g, i);
    cr_dtype dtype = cr_dtype_of(y);
    if (n && (dtype == CR_F32 || dtype == CR_F64)) {
        cr_node loss = cr_count(y) == 1 ? y : cr_sum(cr_mul(y, cr_sin(y)), 0, NULL, false);
        cr_grad(d, loss, n, w);
        for (int i = 0; i < n; i++) {
            char name[80];
            snprintf(name, sizeof name, "d%s", cr_name(w[i]));
            cr_target_output(b->t, name, d[i]);
        }
        if (method && cr_minimise(b->t, method, loss, n, w)) fail_msg("%s", cr_graph_error(b->g));
    }
    if (cr_compile(&b->p, b->t, NULL)) fail_msg("%s: %s", text, cr_graph_error(b->g));
    assert_int_equal(cr_store_new(&b->store, NULL), CR_OK);
}

static void run_ours(struct both *b, const struct emitted *e, bool wide) {
    for (int i = 0; i < e->ports; i++) {
        const struct port *p = &e->port[i];
        cr_node x = p->kind == 2 ? (cr_node){NULL, 0, 0} : node_of(b, p->name);
        size_t bytes = bytes_of(p, wide);
        b->data[i] = calloc(1, bytes + 1);
        b->expected[i] = calloc(1, bytes + 1);
        if (p->kind == 2) continue;
        fill(b->data[i], p->type, bytes, wide, i);
        if (strcmp(cr_op_of(x), "param") == 0)
            cr_store_set(b->store, p->name, cr_dtype_of(x), b->data[i], bytes);
    }
    assert_int_equal(cr_run_new(&b->run, b->p, b->store, NULL, 0), CR_OK);
    cr_run_seed(b->run, 5);
    for (int i = 0; i < e->ports; i++) {
        const struct port *p = &e->port[i];
        cr_node x = node_of(b, p->name);
        if (p->kind == 2) {
            cr_dtype dtype = wide ? CR_F64 : CR_F32;
            if (strcmp(p->type, "int64_t") == 0) dtype = CR_I64;
            if (strcmp(p->type, "int32_t") == 0) dtype = CR_I32;
            if (strcmp(p->type, "uint8_t") == 0) dtype = CR_BOOL;
            if (strcmp(p->type, "double") == 0) dtype = CR_F64;
            if (strcmp(p->type, "float") == 0) dtype = CR_F32;
            if (cr_bind(b->run, p->name, dtype, b->expected[i], bytes_of(p, wide)))
                fail_msg("%s", cr_run_error(b->run));
        } else if (strcmp(cr_op_of(x), "input") == 0) {
            if (cr_bind(b->run, p->name, cr_dtype_of(x), b->data[i], bytes_of(p, wide)))
                fail_msg("%s", cr_run_error(b->run));
        }
    }
    if (cr_step(b->run)) fail_msg("%s", cr_run_error(b->run));
}

static void drop(struct both *b, const struct emitted *e) {
    for (int i = 0; i < e->ports; i++) free(b->data[i]), free(b->expected[i]);
    cr_run_free(b->run);
    cr_store_free(b->store);
    cr_program_free(b->p);
    cr_target_free(b->t);
    cr_model_free(b->m);
    cr_graph_free(b->g);
}

static void agree(const char *text, bool wide) {
    struct both b;
    build(&b, text, NULL);
    struct emitted e = load(b.p, "");
    run_ours(&b, &e, wide);
    void *work = malloc(e.work);
    memset(work, 0x5a, e.work);
    assert_int_equal(e.call(b.data, 5, 0, work), 0);
    for (int i = 0; i < e.ports; i++)
        if (e.port[i].kind == 2)
            assert_close(e.port[i].name, b.data[i], b.expected[i], bytes_of(&e.port[i], wide), e.port[i].type,
                         wide, wide ? 1e-13 : 1e-5);
    free(work);
    drop(&b, &e);
}

/* Some steps with an optimiser: parameters and its state, too. */
static void agree_training(const char *text, const char *method) {
    struct both b;
    build(&b, text, method);
    struct emitted e = load(b.p, "");
    run_ours(&b, &e, true);
    for (int i = 0; i < 2; i++) assert_int_equal(cr_step(b.run), CR_OK);
    void *work = malloc(e.work);
    for (int i = 0; i < 3; i++) assert_int_equal(e.call(b.data, 5, i, work), 0);
    int updated = 0;
    for (int i = 0; i < e.ports; i++) {
        const struct port *p = &e.port[i];
        const void *expected =
            p->kind == port_out ? b.expected[i] : cr_store_data(b.store, p->name, NULL, NULL);
        if (p->kind == port_in) continue;
        updated += p->kind == port_state;
        assert_close(p->name, b.data[i], expected, bytes_of(p, true), p->type, true, 1e-13);
    }
    assert_true(updated > 0);
    free(work);
    drop(&b, &e);
}

TEST(training_steps_agree_with_each_optimiser) {
    (void)state;
    static const char *const methods[] = {
        "sgd(rate=0.1*0.5^(step//2), momentum=0.9)",
        "adam(rate=0.01, clip_norm=1)",
        "adamw(rate=0.01)",
        "rmsprop(rate=0.01)",
        "lion(rate=0.01)",
        "lamb(rate=0.01)",
        "adagrad(rate=0.01, accumulate=2)",
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        agree_training("input x: f64[5, 3]; input y: f64[5]; param w: f64[3, 4]; param v: f64[4]; "
                       "mean((tanh(x @ w) @ v - y)^2)",
                       methods[i]);
    agree_training(
        "input x: f64[6, 4, 2]; input y: f64[4]; param U: f64[2, 3]; param W: f64[3, 3]; param v: f64[3]; "
        "fn cell(h, x, U, W) = tanh(x @ U + h @ W); "
        "h = scan(cell, (x @ U)[0]*0, x, U=U, W=W); mean((h @ v - y)^2)",
        "adam(rate=0.01, clip_norm=1)");
}

TEST(the_worked_example) {
    (void)state;
    struct both b;
    double x = 1, y = 2, w = 1, value, dw;
    build(&b, "input x: f64; input y: f64; param w: f64 = 1; (w*x - y)^2", NULL);
    struct emitted e = load(b.p, "");
    char work[1024];
    assert_true(e.work <= sizeof work);
    assert_int_equal(e.call((void *[]){&x, &y, &w, &value, &dw}, 0, 0, work), 0);
    assert_true(value == 1);
    assert_true(dw == -2);
    assert_int_equal(e.call((void *[]){&x, &y, &w, NULL, NULL}, 0, 0, work),
                     0); /* what is not wanted is not written */
    drop(&b, &e);
}

TEST(models_of_many_kinds_agree) {
    (void)state;
    static const char *const models[] = {
        "param a: f64[3, 4]; param b: f64[4]; sum(tanh(a*b) + sigmoid(a)/b)",
        "param a: f64[3, 4]; softmax(a)",
        "param a: f64[5, 7]; log_softmax(a, axis=0)",
        "param a: f64[3, 4, 5]; sum(a, axis=1)",
        "param a: f64[3, 4, 5]; max(a, axis=[0, 2]) + min(a)",
        "param a: f64[6]; prod(a)",
        "param a: f64[2, 3, 4]; param b: f64[2, 4, 5]; a @ b",
        "param a: f64[3, 4]; param b: f64[5, 4]; a @ t(b)",
        "param a: f64[4, 3]; param b: f64[4, 5]; t(a) @ b",
        "param a: f64[4]; param b: f64[4]; a @ b",
        "param a: f64[4, 6]; a[1:3, ::-2]",
        "param a: f64[4, 6]; t(a)[1:, 2] * 3",
        "param a: f64[4, 6]; reshape(t(a), [3, 8])",
        "param a: f64[4, 6]; input y: i32[4]; cross_entropy(a, y)",
        "param a: f64[4, 6]; input y: i64[2, 3]; a[y]",
        "param a: f64[3, 2]; param b: f64[4, 2]; concat(a, b)",
        "param a: f64[3, 5]; cumsum(a) + cumprod(a, axis=0)",
        "param a: f64[3, 5]; param g: f64[5]; param b: f64[5]; layer_norm(a, g, b)",
        "param a: f64[3, 5]; gelu(a) + silu(a) + softplus(a) + elu(a)",
        "param a: f64[4]; a^3 + a^2.5 + a^-2 + a^7",
        "param a: f64[4]; erfinv(a) + lgamma(a) + polygamma(a, n=1) + stumpff(a, n=2)",
        "param a: f64[4]; param b: f64[4]; a % b + a // b + atan2(a, b) + hypot(a, b) + maximum(a, b)",
        "param a: f64[4]; where(a > 0.5, log(a), a^2)",
        "param a: f64[7, 9]; argmax(a)",
        "param a: f64[7, 9]; argmin(a, axis=0)",
        "param a: f64[7, 9]; a > 0.5",
        "param a: f64[7, 9]; sum(a > 0.5)",
        "input n: i64[5]; input k: i64[5]; n*3 - k // 2 + n % 3 + k^3",
        "input n: i32[5]; cast(n, f64)/3",
        "param a: f64[5]; cast(a*10, i64)",
        "param a: f64[6, 6]; tril(a) + triu(a, n=1)*2",
        "param a: f64[6]; dropout(a, rate=0.5) + uniform(shape=[6])",
        "param a: f64[3, 5000]; mean(a^2) + max(a)",
        "param a: f64[5000]; norm(a)",
        "param a: f64[100, 3]; var(a, axis=0)",
        "param a: f64[0, 3]; sum(a)",
        "param a: f64; a*pi + inf*0",
        "param a: f64[2, 2]; [[1, 2], [3, 4]] @ a",
        "param a: f64[3, 7]; sort(a) + sort(a, axis=0, descending=true)",
        "param a: f64[3, 7]; argsort(a)",
        "param line: f64[3, 7]; param at: f64[3]; max(topk(line, 2)) + sum(at)",
        "param a: f64[2, 3, 3]; param b: f64[2, 3, 2]; solve(a + [[3, 0, 0], [0, 3, 0], [0, 0, 3]], b)",
        "param a: f64[2, 2]; param b: f64[2, 3]; triangular_solve(a + [[3, 0], [0, 3]], b, upper=true)",
        "param a: f64[3, 3]; cholesky(a @ t(a) + [[3, 0, 0], [0, 3, 0], [0, 0, 3]])",
        "param a: f64[2, 3, 3]; logabsdet(a)",
        "param a: f64[3, 3]; det(a) + sum(inv(a + [[3, 0, 0], [0, 3, 0], [0, 0, 3]]))",
        "param a: f64[4, 4]; eigh(a)",
        "param a: f64[1, 2, 5, 5]; param w: f64[3, 2, 3, 3]; conv(a, w, stride=2, before=1, after=1)",
        "param a: f64[1, 2, 6, 6]; max_pool(a, size=2)",
        "param a: f64[2, 7]; window(a, 3, stride=2, dilation=2)",
        "input k: i64[5]; sort(k % 3)",
        "param w: f64[3]; input v: f64[3]; grad(sum(grad(sum(tanh(w)^3/w), w)*v), w)", /* a Hessian times v */
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) agree(models[i], true);
}

TEST(models_of_f32_agree) {
    (void)state;
    agree("param a: f32[3, 4]; param b: f32[4]; sum(tanh(a*b) + sigmoid(a)/b)", false);
    agree("param a: f32[4, 6]; input y: i32[4]; mean(cross_entropy(a, y))", false);
    agree("param a: f32[3, 4]; param b: f32[4, 5]; relu(a @ b - 0.5)", false);
    agree("param a: f32[3]; param b: f64[3]; cast(a, f64)*b", true); /* both: no macro */
}

TEST(a_program_of_f32_runs_in_doubles_by_a_macro) {
    (void)state;
    struct both b, c;
    const char *wide = "param a: f64[4, 6]; input y: i32[4]; mean(cross_entropy(a/3, y))",
               *narrow = "param a: f32[4, 6]; input y: i32[4]; mean(cross_entropy(a/3, y))";
    build(&b, narrow, NULL);
    build(&c, wide, NULL);
    struct emitted e = load(b.p, "-DP0_REAL=double");
    run_ours(&c, &e, true);
    void *work = malloc(e.work);
    assert_int_equal(e.call(c.data, 0, 0, work), 0);
    for (int i = 0; i < e.ports; i++)
        if (e.port[i].kind == 2)
            assert_close(e.port[i].name, c.data[i], c.expected[i], bytes_of(&e.port[i], true), "double", true,
                         1e-13);
    free(work);
    drop(&c, &e);
    cr_store_free(b.store);
    cr_program_free(b.p);
    cr_target_free(b.t);
    cr_model_free(b.m);
    cr_graph_free(b.g);
}

TEST(halves_are_stored_as_bits_and_computed_with_as_floats) {
    (void)state;
    agree("param a: f32[5]; cast(cast(a*3, f16), f32) + cast(cast(a/7, bf16), f32)", false);
    agree("param a: f32[5]; cast(where(a > 0.5, cast(a, f16), cast(a*2, f16)), f64)", true);
    agree("input k: i64[5]; cast(cast(k*1000 - 5, f16), i32)", true);
    agree("input k: i64[5]; cast(k*3000000000, i32)", true);
}

TEST(a_singular_matrix_is_told) {
    (void)state;
    struct both b;
    double a[4] = {1, 2, 2, 4}, value[4], da[4];
    build(&b, "param a: f64[2, 2]; solve(a, [[1], [1]])", NULL);
    struct emitted e = load(b.p, "");
    void *work = malloc(e.work);
    assert_int_equal(e.call((void *[]){a, value, da}, 0, 0, work), 2);
    a[3] = 5;
    assert_int_equal(e.call((void *[]){a, value, da}, 0, 0, work), 0);
    free(work);
    drop(&b, &e);
}

TEST(pointers_that_cannot_work_are_told) {
    (void)state;
    struct both b;
    double x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, value, dw, work[64];
    build(&b, "input x: f64[2]; param w: f64[2]; sum(w*x)^2", NULL);
    struct emitted e = load(b.p, "");
    assert_true(e.work <= sizeof work);
    char *odd = (char *)x + 1;
    assert_int_equal(e.call((void *[]){x, x + 2, &value, x + 4}, 0, 0, work), 0);
    assert_int_equal(e.call((void *[]){x, x, &value, x + 4}, 0, 0, work), 0); /* both are only read */
    assert_int_equal(e.call((void *[]){odd, x + 2, &value, x + 4}, 0, 0, work), 3);
    assert_int_equal(e.call((void *[]){x, NULL, &value, x + 4}, 0, 0, work), 3);
    assert_int_equal(e.call((void *[]){x, x + 2, &value, x + 1}, 0, 0, work), 3);
    assert_int_equal(e.call((void *[]){x, x + 2, &dw, &dw}, 0, 0, work), 3);
    assert_int_equal(e.call((void *[]){x, x + 2, &value, work}, 0, 0, work), 3);
    assert_int_equal(e.call((void *[]){x, x + 2, &value, x + 4}, 0, 0, (char *)work + 4), 3);
    assert_int_equal(e.call((void *[]){x, x + 2, &value, x + 4}, 0, 0, NULL), 3);
    struct emitted trusting = load(b.p, "-DP0_UNCHECKED");
    assert_int_equal(trusting.call((void *[]){x, x + 2, x, x + 4}, 0, 0, work), 0);
    drop(&b, &trusting);
}

/* Second results are i64 whatever the fractions are. */
TEST(the_macro_changes_fractions_in_either_direction) {
    (void)state;
    static const char *const types[] = {"f32", "f64"};
    for (int wide = 0; wide < 2; wide++) {
        struct both b;
        char text[100];
        float narrow[7] = {3, 1, 2, 7, 5, 6, 4};
        double broad[7] = {3, 1, 2, 7, 5, 6, 4};
        int64_t value[7];
        snprintf(text, sizeof text, "param a: %s[7]; argsort(sort(a)*2 + a)", types[wide]);
        build(&b, text, NULL);
        struct emitted e = load(b.p, wide ? "-DP0_REAL=float" : "-DP0_REAL=double");
        void *work = malloc(e.work);
        assert_int_equal(e.call((void *[]){wide ? (void *)narrow : broad, value}, 0, 0, work), 0);
        static const int64_t expected[] = {0, 1, 2, 3, 4, 5, 6}; /* of 5, 5, 8, 15, 15, 18, 18 */
        assert_memory_equal(value, expected, sizeof expected);
        free(work);
        drop(&b, &e);
    }
}

TEST(an_index_out_of_range_is_told) {
    (void)state;
    struct both b;
    double a[3] = {1, 2, 3}, value[2], da[3];
    int64_t index[2] = {0, 3};
    build(&b, "param a: f64[3]; input i: i64[2]; a[i]", NULL);
    struct emitted e = load(b.p, "");
    void *work = malloc(e.work);
    assert_int_equal(e.call((void *[]){index, a, value, da}, 0, 0, work), 1);
    index[1] = -1;
    assert_int_equal(e.call((void *[]){index, a, value, da}, 0, 0, work), 0);
    assert_true(value[1] == 3);
    free(work);
    drop(&b, &e);
}

TEST(prefixes_that_are_no_names_of_c_are_refused) {
    (void)state;
    struct both b;
    build(&b, "param a: f64[3]; sort(a)", NULL);
    static const struct {
        const char *prefix, *sentence;
    } rows[] = {{"", "is no identifier of C"},
                {"1st", "is no identifier of C"},
                {"a-b", "is no identifier of C"},
                {"a b", "is no identifier of C"},
                {"\xc3\xa9", "is no identifier of C"},
                {"double", "the prefix 'double' is a word of C or its library"},
                {"main", "the prefix 'main' is a word of C or its library"},
                {"memset", "the prefix 'memset' is a word of C or its library"},
                {"class", "the prefix 'class' is a word of C or its library"},
                {"fopen", "the prefix 'fopen' is a word of C or its library"},
                {"read", "the prefix 'read' is a word of C or its library"},
                {"sqrtf", "the prefix 'sqrtf' is a word of C or its library"},
                {"M_PI", "the prefix 'M_PI' is a word of C or its library"},
                {"_step", "the prefix '_step' begins with '_'"},
                {"a23456789_123456789_123456789_123456789_12345678", "has more than 47 characters"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_text_clear(set.why);
        assert_int_equal(cr_program_emit(set.source, set.header, b.p, rows[i].prefix, set.why), CR_EINVAL);
        assert_non_null(strstr(cr_text_str(set.why), rows[i].sentence));
    }
    cr_store_free(b.store);
    cr_program_free(b.p);
    cr_target_free(b.t);
    cr_model_free(b.m);
    cr_graph_free(b.g);
}

/* As an input, in the middle, and as an output: what is written is C all the same, with no warning. */
TEST(names_may_be_any_text) {
    (void)state;
    static const char *const names[] = {"a*/b",  "/*", "line\nend", "\?\?/", "end\\", "\xc3\xa4",
                                        "\"q\"", "x'", "//",        "%s",    "\1",    " "};
    enum { n = sizeof names / sizeof *names };
    char between[n][16], out[n][16];
    double one = 1, y = 0;
    void *given[2 * n];
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_node sum = cr_number(g, 0);
    for (int i = 0; i < n; i++) {
        snprintf(between[i], sizeof *between, "%s!", names[i]),
            snprintf(out[i], sizeof *out, "%s#", names[i]);
        sum = cr_named(cr_add(cr_mul(sum, cr_number(g, 2)), cr_input(g, names[i], CR_F64, 0, NULL)),
                       between[i]);
        assert_int_equal(cr_target_output(t, out[i], cr_neg(sum)), CR_OK);
        given[i] = &one, given[n + i] = i == n - 1 ? &y : NULL;
    }
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(g));
    struct emitted e = load(p, "-Wcomment");
    void *work = malloc(e.work);
    assert_int_equal(e.ports, 2 * n);
    assert_int_equal(e.call(given, 0, 0, work), 0);
    assert_true(y == 1 - (1 << n));
    for (int i = 0; i < n; i++) assert_string_equal(e.port[i].name, names[i]);
    free(work);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_worked_example),
        RUN(training_steps_agree_with_each_optimiser),
        RUN(models_of_many_kinds_agree),
        RUN(models_of_f32_agree),
        RUN(a_program_of_f32_runs_in_doubles_by_a_macro),
        RUN(halves_are_stored_as_bits_and_computed_with_as_floats),
        RUN(a_singular_matrix_is_told),
        RUN(pointers_that_cannot_work_are_told),
        RUN(the_macro_changes_fractions_in_either_direction),
        RUN(an_index_out_of_range_is_told),
        RUN(prefixes_that_are_no_names_of_c_are_refused),
        RUN(names_may_be_any_text),
    };
    emitted_start(&set);
    return emitted_end(&set, cmocka_run_group_tests(tests, NULL, temp_remove));
}
