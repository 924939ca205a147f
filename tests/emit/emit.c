/* Emitted C, compiled by the system's compiler and loaded: it computes what the library computes. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <unistd.h>

#include "support/files.h"

static cr_text *source, *header, *why;

static int setup(void **state) {
    (void)state;
    return cr_text_new(&source, NULL) || cr_text_new(&header, NULL) || cr_text_new(&why, NULL);
}

static int teardown(void **state) {
    cr_text_free(source);
    cr_text_free(header);
    cr_text_free(why);
    return temp_remove(state);
}

/* struct step_port of step.h, with a prefix of its own for each program. */
struct port {
    const char *name, *type;
    int kind, rank;
    long dims[16];
};
enum { most_ports = 32 };

struct emitted {
    void *library;
    const struct port *port;
    int ports;
    size_t work;
    int (*call)(void *const port[], int64_t seed, int64_t step, void *work);
};

static bool has_parameter(const char *name) {
    char text[40];
    snprintf(text, sizeof text, "int64_t %s,", name);
    return strstr(cr_text_str(header), text) != NULL;
}

/* A function that takes all pointers in an array, behind the emitted one. */
static void write_caller(const char *prefix, int ports) {
    cr_text_append(source, "\nint call(void *const port[], int64_t seed, int64_t number, void *work);\n"
                           "extern const size_t work_size;\nextern const int port_count;\n");
    char line[200];
    snprintf(line, sizeof line, "const size_t work_size = %s_WORK;\nconst int port_count = %s_PORTS;\n",
             "STEP", "STEP");
    cr_text_append(source, line);
    cr_text_append(source, "int call(void *const port[], int64_t seed, int64_t number, void *work) {\n    "
                           "(void)seed, (void)number;\n    return ");
    cr_text_append(source, prefix);
    cr_text_append(source, "(");
    for (int i = 0; i < ports; i++) {
        snprintf(line, sizeof line, "port[%d], ", i);
        cr_text_append(source, line);
    }
    cr_text_append(source, has_parameter("run_seed") ? "seed, " : "");
    cr_text_append(source, has_parameter("run_step") ? "number, " : "");
    cr_text_append(source, "work);\n}\n");
}

static int count_ports(void) {
    const char *s = strstr(cr_text_str(header), "STEP_PORTS ");
    return s ? atoi(s + 11) : -1;
}

static struct emitted load(const cr_program *p, const char *flags) {
    static int number;
    char command[2048], library[512], c[512];
    struct emitted e = {0};
    cr_text_clear(source);
    cr_text_clear(header);
    cr_text_clear(why);
    if (cr_program_emit(source, header, p, "step", why)) fail_msg("%s", cr_text_str(why));
    temp_file("step.h", cr_text_str(header), cr_text_size(header));
    write_caller("step", count_ports());
    snprintf(c, sizeof c, "%s", temp_file("step.c", cr_text_str(source), cr_text_size(source)));
    snprintf(command, sizeof command, "step%d.so", number++);
    snprintf(library, sizeof library, "%s", temp_path(command));
    const char *cc = getenv("CC");
    snprintf(command, sizeof command,
             "%s -std=c99 -O1 -ffp-contract=off -Wall -Wextra -Wpedantic -Wconversion -Werror %s -shared "
             "-fPIC -Wl,-Bsymbolic -o %s %s -lm",
             cc ? cc : "cc", flags, library, c);
    if (system(command) != 0) fail_msg("does not compile:\n%s", cr_text_str(source));
    e.library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!e.library) fail_msg("%s", dlerror());
    e.port = dlsym(e.library, "step_ports");
    e.ports = *(const int *)dlsym(e.library, "port_count");
    e.work = *(const size_t *)dlsym(e.library, "work_size");
    *(void **)&e.call = dlsym(e.library, "call");
    return e;
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
    if (strcmp(p->type, "step_real") == 0) n = wide ? 8 : 4;
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
    bool real = strcmp(type, "step_real") == 0, f64 = strcmp(type, "double") == 0 || (real && wide),
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
    bool f64 = strcmp(type, "double") == 0 || (strcmp(type, "step_real") == 0 && wide);
    bool f32 = !f64 && (strcmp(type, "float") == 0 || strcmp(type, "step_real") == 0);
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
            fail_msg("%s[%zu] = %.17g, expected %.17g\n%s", what, i, x, y, cr_text_str(source));
    }
}

/* The program of a model: its last expression (or loss), its gradients, and updates by an optimiser if one is named. */
static void build(struct both *b, const char *text, const char *method) {
    cr_node y = {NULL, 0, 0}, w[8], d[8];
    int n = 0;
    *b = (struct both){.g = cr_graph_new(NULL)};
    cr_text_clear(why);
    if (cr_model_new(&b->m, text, strlen(text), NULL, NULL, why) || cr_model_build(&y, b->m, b->g, why))
        fail_msg("%s", cr_text_str(why));
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
        (void)method;
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

static void drop(struct both *b, struct emitted *e) {
    for (int i = 0; i < e->ports; i++) free(b->data[i]), free(b->expected[i]);
    dlclose(e->library);
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
    struct emitted e = load(b.p, "-DSTEP_REAL=double");
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

TEST(what_has_no_c_and_prefixes_that_are_none_are_refused) {
    (void)state;
    struct both b;
    build(&b, "param a: f64[3]; sort(a)", NULL);
    cr_text_clear(why);
    assert_int_equal(cr_program_emit(source, header, b.p, "step", why), CR_EINVAL);
    assert_non_null(strstr(cr_text_str(why), "there is no C for sort yet"));
    static const char *const prefixes[] = {"", "1st", "a-b", "a b", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        cr_text_clear(why);
        assert_int_equal(cr_program_emit(source, header, b.p, prefixes[i], why), CR_EINVAL);
        assert_non_null(strstr(cr_text_str(why), "is no identifier of C"));
    }
    cr_store_free(b.store);
    cr_program_free(b.p);
    cr_target_free(b.t);
    cr_model_free(b.m);
    cr_graph_free(b.g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_worked_example),
        RUN(models_of_many_kinds_agree),
        RUN(models_of_f32_agree),
        RUN(a_program_of_f32_runs_in_doubles_by_a_macro),
        RUN(an_index_out_of_range_is_told),
        RUN(what_has_no_c_and_prefixes_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
