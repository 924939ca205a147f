/* Emitted C in blocks of rows: the bits of steps that run whole, the numbers of the library, and no more room than the plan has. */
#include "support/compiled.h"
#include "support/emitted.h"

#include <string.h>

enum { most_ports = 16 };

#define QKV(type, q, k, v) "input q: " type "[" q "]\ninput k: " type "[" k "]\ninput v: " type "[" v "]\n"
#define DENSE(type, x, w, b, u)                                                                              \
    "input x: " type "[" x "]\ninput w: " type "[" w "]\ninput b: " type "[" b "]\ninput u: " type "[" u "]" \
    "\n"
#define CAUSAL "attention(q, k, v, causal=true)"
#define LOWER  "where(iota(190)[None, :] <= iota(190)[:, None], q @ k, 0)"

/* Inputs of f32 or f64, and y of them. */
static const struct {
    const char *text;
    bool exact; /* sums of integers: the bits of the library, whatever the order */
    bool whole; /* there are no rows to go by */
} cases[] = {
    /* a last block of 58 and of 1 row; two axes of batches; keys that heads share; rows beyond the last key */
    {QKV("f64", "2, 250, 8", "2, 250, 8", "2, 250, 7") "y = " CAUSAL, false, false},
    {QKV("f32", "2, 3, 193, 4", "2, 3, 130, 4", "2, 3, 130, 5") "y = attention(q, k, v)", false, false},
    {QKV("f32", "2, 2, 193, 4", "1, 2, 193, 4", "2, 1, 193, 4") "y = " CAUSAL, false, false},
    {QKV("f64", "2, 256, 4", "2, 200, 4", "2, 200, 4") "y = " CAUSAL, false, false},
    /* loops that stop at the diagonal, or at the last key before */
    {QKV("f32", "2, 520, 3", "2, 520, 3", "2, 520, 3") "y = " CAUSAL, false, false},
    {QKV("f32", "2, 560, 3", "2, 520, 3", "2, 520, 3") "y = " CAUSAL, false, false},
    /* terms that are rows; and zeros beyond the diagonal on either side */
    {QKV("f64", "2, 190, 8", "2, 8, 190", "2, 190, 5") "y = t(q @ k) @ v", true, false},
    {QKV("f64", "2, 190, 8", "2, 8, 190", "2, 190, 5") "y = t(" LOWER ") @ v + " LOWER " @ v", true, false},
    /* dense layers, whose rows may be of two axes, and the sums over rows on the way back */
    {DENSE("f64", "700, 20", "20, 200", "200", "200, 20") "y = relu(x @ w + b) @ u + x", true, false},
    {DENSE("f32", "900, 20", "300, 20", "300", "300, 20") "y = tanh(x @ t(w) + b) @ u + x", false, false},
    {DENSE("f32", "9, 100, 20", "20, 300", "100, 300", "300, 20") "y = gelu(x @ w + b) @ u + x", false,
     false},
    /* what stands moved in another's memory, with zeros or numbers of its own beside it */
    {"input x: f64[500]\nz = x*x\ny = concat([2.0], z[:-1])*concat(z[1:], [3.0]) + x", true, true},
    {"input x: f64[90, 7]\nz = x + 1\ny = (z[2:] - 2*z[1:-1] + z[:-2])*z[1:-1] + pad(z[3:], [1, 0], [0, 0])",
     true, true},
    /* a function, whose way back computes it again */
    {"fn f(q, k, v) = " CAUSAL
     "\n" QKV("f32", "2, 260, 3", "2, 260, 3", "2, 260, 3") "y = checkpoint(f, q, k, v)",
     false, false},
};
enum { case_count = sizeof cases / sizeof *cases };

static struct emitted_set set;

static size_t size_of(const char *text) { return strstr(text, "f64") ? sizeof(double) : sizeof(float); }

/* y, and the derivative of sum(c y) by each input. */
static cr_program *program(const char *text, const char *option, const char *value) {
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_model *m = NULL;
    cr_node y = {NULL, 0, 0}, x[most_ports], d[most_ports];
    int n = 0;
    if (cr_model_new(&m, text, strlen(text), NULL, NULL, set.why) || cr_model_build(&y, m, g, set.why))
        fail_msg("%s", cr_text_str(set.why));
    for (; cr_ok(cr_leaf(g, n)); n++) x[n] = cr_leaf(g, n);
    int64_t dim[16];
    memcpy(dim, cr_dims(y), (size_t)cr_rank(y) * sizeof *dim);
    cr_node c = cr_input(g, "c", cr_dtype_of(y), cr_rank(y), dim);
    assert_int_equal(cr_grad(d, cr_sum(cr_mul(y, c), 0, NULL, false), n, x), CR_OK);
    cr_target_output(t, "y_out", y);
    for (int i = 0; i < n; i++) {
        char name[40];
        snprintf(name, sizeof name, "d%s", cr_name(x[i]));
        cr_target_output(t, name, d[i]);
    }
    cr_model_free(m);
    return compiled_with(NULL, g, t, option, value);
}

/* The number that stands before these words in the plan; 0: they are not there. */
static size_t planned(const cr_program *p, const char *words) {
    cr_text *text = NULL;
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(cr_program_print(text, p), CR_OK);
    const char *start = cr_text_str(text), *at = strstr(start, words);
    while (at && at > start && at[-1] >= '0' && at[-1] <= '9') at--;
    size_t n = at ? (size_t)strtoull(at, NULL, 10) : 0;
    cr_text_free(text);
    return n;
}

/* ---- Numbers ---- */

static size_t count(const struct port *p) {
    size_t n = 1;
    for (int i = 0; i < p->rank; i++) n *= (size_t)p->dims[i];
    return n;
}

static double at(const void *x, size_t size, size_t i) {
    return size == sizeof(double) ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

static void *filled(const struct port *p, size_t size, bool integers, int salt) {
    size_t n = count(p);
    void *x = malloc(n * size);
    for (size_t i = 0; i < n; i++) {
        double v = integers ? (double)((i * i + (size_t)salt) % 5) - 2 : sin((double)(i * i % 9973) + salt);
        if (size == sizeof(double)) ((double *)x)[i] = v;
        else ((float *)x)[i] = (float)v;
    }
    return x;
}

/* What results are before: large, so that what no block writes would show. */
static void *blank(const struct port *p, size_t size) {
    void *x = malloc(count(p) * size);
    memset(x, 0x7f, count(p) * size);
    return x;
}

/* Its ports, those that are inputs filled. */
static void fill(void *data[], const struct emitted *e, size_t size, bool integers) {
    for (int i = 0; i < e->ports; i++)
        data[i] =
            e->port[i].kind == port_out ? blank(&e->port[i], size) : filled(&e->port[i], size, integers, i);
}

static void call(const struct emitted *e, void *data[]) {
    void *work = malloc(e->work);
    memset(work, 0xff, e->work); /* nan */
    assert_int_equal(e->call(data, 0, 0, work), 0);
    free(work);
}

static void run(cr_program *p, const struct emitted *e, void *data[], size_t size) {
    cr_run *r = NULL;
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < e->ports; i++)
        assert_int_equal(cr_bind(r, e->port[i].name, size == sizeof(double) ? CR_F64 : CR_F32, data[i],
                                 count(&e->port[i]) * size),
                         CR_OK);
    if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
}

/* Sums of at most some thousand terms, in another order: some sqrt(1000) u of the largest. */
static void assert_close(const char *text, const struct port *p, const void *a, const void *b, size_t size) {
    double bound = size == sizeof(double) ? 1e-13 : 2e-5, error = 0, most = 0;
    for (size_t i = 0; i < count(p); i++) {
        double e = fabs(at(a, size, i) - at(b, size, i));
        if (!(e <= error)) error = e;
        most = fmax(most, fabs(at(b, size, i)));
    }
    if (!(error <= bound * most)) fail_msg("%s\n%s errs by %g of %g", text, p->name, error, most);
}

static void assert_bits(const char *text, const struct port *p, const void *a, const void *b, size_t size) {
    for (size_t i = 0; i < count(p); i++)
        if (memcmp((const char *)a + i * size, (const char *)b + i * size, size) != 0)
            fail_msg("%s\n%s[%zu] = %.17g, expected %.17g", text, p->name, i, at(a, size, i), at(b, size, i));
}

/* ---- Programs ---- */

static void check(int i, cr_program *p) {
    const struct emitted blocks = emitted_at(&set, 2 * i), whole = emitted_at(&set, 2 * i + 1);
    const char *text = cases[i].text;
    const size_t size = size_of(text);
    void *a[most_ports], *b[most_ports], *c[most_ports];
    assert_int_equal(blocks.ports, whole.ports);
    fill(a, &blocks, size, cases[i].exact);
    fill(b, &whole, size, cases[i].exact);
    fill(c, &blocks, size, cases[i].exact);
    call(&blocks, a);
    call(&whole, b);
    run(p, &blocks, c, size);
    for (int k = 0; k < blocks.ports; k++) {
        const struct port *port = &blocks.port[k];
        assert_string_equal(port->name, whole.port[k].name);
        assert_bits(text, port, a[k], b[k], size);
        if (cases[i].exact) assert_bits(text, port, a[k], c[k], size);
        else assert_close(text, port, a[k], c[k], size);
        free(a[k]), free(b[k]), free(c[k]);
    }
}

TEST(blocks_leave_the_bits_of_whole_steps_and_the_numbers_of_the_library) {
    (void)state;
    cr_program *p[case_count];
    emitted_free(&set);
    emitted_start(&set);
    for (int i = 0; i < case_count; i++) {
        p[i] = program(cases[i].text, NULL, NULL);
        cr_program *whole = program(cases[i].text, "fuse", "0");
        emitted_add(&set, p[i]);
        if (!cases[i].whole && !strstr(cr_text_str(set.source), "/* In blocks of "))
            fail_msg("%s\nhas no blocks", cases[i].text);
        emitted_add(&set, whole);
        assert_null(strstr(cr_text_str(set.source), "/* In blocks of "));
        cr_program_free(whole);
    }
    emitted_build(&set, "-O0"); /* the compiler takes longest */
    for (int i = 0; i < case_count; i++) {
        check(i, p[i]);
        cr_program_free(p[i]);
    }
}

/* ---- Updates ---- */

/* Parameters w of 256 x 1024 and v of as many, x of 256 x 8: what one of these does to them. */
enum updates { IN_BLOCKS, READ_BY_ITS_PRODUCT, READ_BY_ANOTHER, update_kinds };

static cr_program *updating(enum updates kind) {
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_node w = cr_param(g, "w", CR_F32, 2, (int64_t[]){256, 1024}),
            v = cr_param(g, "v", CR_F32, 2, (int64_t[]){256, 1024}),
            x = cr_input(g, "x", CR_F32, 2, (int64_t[]){256, 8}),
            y = cr_input(g, "y", CR_F32, 2, (int64_t[]){8, 1024}),
            top = cr_slice(w, 2, (int64_t[]){0, 0}, (int64_t[]){1, 1}, (int64_t[]){8, 1024});
    cr_node d = cr_matmul(x, kind == READ_BY_ITS_PRODUCT ? top : y), m = cr_add(v, d);
    if (kind == READ_BY_ANOTHER) {
        cr_target_update(t, w, cr_sub(w, v));
        cr_target_update(t, v,
                         cr_add(v, cr_reshape(cr_permute(w, 2, (int[]){1, 0}), 2, (int64_t[]){256, 1024})));
    } else {
        cr_target_update(t, v, m);
        cr_target_update(t, w, cr_sub(w, m));
    }
    cr_target_output(t, "sum", cr_sum(cr_add(total(x), total(y)), 0, NULL, false));
    return compiled_with(NULL, g, t, NULL, NULL);
}

static void check_update(cr_program *p, int i) {
    const struct emitted e = emitted_at(&set, i);
    const size_t size = sizeof(float);
    void *a[most_ports], *b[most_ports];
    cr_store *s = NULL;
    cr_run *r = NULL;
    fill(a, &e, size, true);
    fill(b, &e, size, true);
    call(&e, a);
    assert_int_equal(cr_store_new(&s, NULL), CR_OK);
    for (int k = 0; k < e.ports; k++)
        if (e.port[k].kind == port_state)
            cr_store_set(s, e.port[k].name, CR_F32, b[k], count(&e.port[k]) * size);
    assert_int_equal(cr_run_new(&r, p, s, NULL, 0), CR_OK);
    for (int k = 0; k < e.ports; k++)
        if (e.port[k].kind == port_in) cr_bind(r, e.port[k].name, CR_F32, b[k], count(&e.port[k]) * size);
    assert_int_equal(cr_step(r), CR_OK);
    for (int k = 0; k < e.ports; k++) {
        if (e.port[k].kind == port_state) {
            cr_store_get(s, e.port[k].name, CR_F32, b[k], count(&e.port[k]) * size);
            assert_bits("an update", &e.port[k], a[k], b[k], size);
        }
        free(a[k]), free(b[k]);
    }
    cr_run_free(r);
    cr_store_free(s);
}

/* In blocks, in place or not; and of what others of them read as it was. */
TEST(updates_leave_what_the_library_leaves) {
    (void)state;
    cr_program *p[update_kinds];
    emitted_free(&set);
    emitted_start(&set);
    for (int i = 0; i < update_kinds; i++) {
        p[i] = updating((enum updates)i);
        emitted_add(&set, p[i]);
        assert_true((i != READ_BY_ANOTHER) == (strstr(cr_text_str(set.source), "/* In blocks of ") != NULL));
    }
    emitted_build(&set, "-O0");
    for (int i = 0; i < update_kinds; i++) {
        check_update(p[i], i);
        cr_program_free(p[i]);
    }
}

/* Values, a block's, what is turned over: whole lines each, and a byte. */
TEST(the_workspace_is_that_of_the_plan_and_less_than_a_matrix_of_scores) {
    (void)state;
    cr_program *p = program("input q: f32[2, 640, 16]; input k: f32[2, 640, 16]; input v: f32[2, 640, 16]\n"
                            "y = attention(q, k, v, causal=true)",
                            NULL, NULL);
    cr_text_clear(set.source);
    cr_text_clear(set.header);
    assert_int_equal(cr_program_emit(set.source, set.header, p, "step", NULL), CR_OK);
    size_t all = (planned(p, " bytes of values") + 63) / 64 * 64 + planned(p, " bytes for a block") +
                 planned(p, " for operands turned over");
    char line[80];
    snprintf(line, sizeof line, "#define STEP_WORK ((size_t)%zu * sizeof(step_real) + 1)\n",
             all / sizeof(float));
    if (!strstr(cr_text_str(set.header), line)) fail_msg("not %s%s", line, cr_text_str(set.header));
    assert_int_equal(planned(p, " for slices of sums"),
                     2 * 640 * 16 * sizeof(float)); /* the library's alone */
    assert_in_range(all, 1, 640 * 640 * sizeof(float) - 1);
    assert_true(all <= cr_program_workspace(p));
    cr_program_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(updates_leave_what_the_library_leaves),
        RUN(blocks_leave_the_bits_of_whole_steps_and_the_numbers_of_the_library),
        RUN(the_workspace_is_that_of_the_plan_and_less_than_a_matrix_of_scores),
    };
    emitted_start(&set);
    return emitted_end(&set, cmocka_run_group_tests(tests, NULL, temp_remove));
}
