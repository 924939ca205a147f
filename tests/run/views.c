/* Memory of the caller: DLPack views of every form, and those that are refused. Each result is x itself, times 2. */
#include "support/test.h"

struct doubling {
    cr_graph *g;
    cr_program *p;
    cr_run *r;
};

static struct doubling doubling_of(cr_dtype dtype, int rank, const int64_t dims[]) {
    struct doubling d = {.g = cr_graph_new(NULL)};
    cr_node x = cr_input(d.g, "x", dtype, rank, dims);
    cr_target *t = cr_target_new(d.g);
    assert_int_equal(cr_target_output(t, "y", cr_add(x, x)), CR_OK);
    assert_int_equal(cr_compile(&d.p, t, NULL), CR_OK);
    assert_int_equal(cr_run_new(&d.r, d.p, NULL, NULL, 0), CR_OK);
    cr_target_free(t);
    return d;
}

static void doubling_free(struct doubling *d) {
    cr_run_free(d->r);
    cr_program_free(d->p);
    cr_graph_free(d->g);
}

static cr_tensor view_of(void *data, int rank, int64_t shape[], int64_t strides[]) {
    cr_tensor t = {.data = data,
                   .device = {1, 0},
                   .ndim = rank,
                   .dtype = {2, 64, 1},
                   .shape = shape,
                   .strides = strides};
    return t;
}

static void doubles(struct doubling *d, const cr_tensor *view, int n, const double expected[]) {
    double y[16];
    if (cr_bind_tensor(d->r, "x", view)) fail_msg("%s", cr_run_error(d->r));
    assert_int_equal(cr_bind(d->r, "y", CR_F64, y, (size_t)n * sizeof *y), CR_OK);
    assert_int_equal(cr_step(d->r), CR_OK);
    assert_memory_equal(y, expected, (size_t)n * sizeof *y);
}

TEST(strides_may_be_negative_zero_or_with_gaps) {
    (void)state;
    double in[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    int64_t shape[2] = {2, 3}, backwards[2] = {-3, -1}, gaps[2] = {6, 2}, repeated[2] = {0, 1},
            turned[2] = {1, 2};
    struct doubling d = doubling_of(CR_F64, 2, shape);
    cr_tensor view = view_of(in + 5, 2, shape, backwards);
    doubles(&d, &view, 6, (double[]){10, 8, 6, 4, 2, 0});
    view = view_of(in, 2, shape, gaps);
    doubles(&d, &view, 6, (double[]){0, 4, 8, 12, 16, 20});
    view = view_of(in, 2, shape, repeated);
    doubles(&d, &view, 6, (double[]){0, 2, 4, 0, 2, 4});
    view = view_of(in, 2, shape, turned);
    doubles(&d, &view, 6, (double[]){0, 4, 8, 2, 6, 10});
    view = view_of(in, 2, shape, NULL);
    view.byte_offset = 2 * sizeof(double);
    doubles(&d, &view, 6, (double[]){4, 6, 8, 10, 12, 14});
    view = view_of(in + 8, 2, shape, backwards); /* the offset counts from data, whatever the strides */
    view.byte_offset = 3 * sizeof(double);
    doubles(&d, &view, 6, (double[]){22, 20, 18, 16, 14, 12});
    doubling_free(&d);
}

TEST(a_strided_input_is_read_anew_at_each_step) {
    (void)state;
    double in[4] = {1, 2, 3, 4}, y[2];
    int64_t shape[1] = {2}, stride[1] = {2};
    struct doubling d = doubling_of(CR_F64, 1, shape);
    cr_tensor view = view_of(in, 1, shape, stride);
    doubles(&d, &view, 2, (double[]){2, 6});
    assert_int_equal(cr_bind(d.r, "y", CR_F64, y, sizeof y), CR_OK);
    in[2] = 10;
    assert_int_equal(cr_step(d.r), CR_OK);
    assert_true(y[0] == 2 && y[1] == 20);
    doubling_free(&d);
}

static void refused(struct doubling *d, const char *name, const cr_tensor *view, cr_status expected,
                    const char *fact) {
    assert_int_equal(cr_bind_tensor(d->r, name, view), expected);
    if (!strstr(cr_run_error(d->r), fact)) fail_msg("'%s' is not in: %s", fact, cr_run_error(d->r));
    assert_int_equal(cr_step(d->r), expected); /* sticks until the next that succeeds */
}

TEST(a_view_that_cannot_be_read_is_refused_with_a_sentence) {
    (void)state;
    double in[8] = {0};
    int64_t shape[1] = {3}, other[1] = {4}, none[1] = {-3}, zero[1] = {0};
    struct doubling d = doubling_of(CR_F64, 1, shape);
    cr_tensor good = view_of(in, 1, shape, NULL), t = good;
    t.device.type = 2; /* DLPack: CUDA */
    refused(&d, "x", &t, CR_EINVAL, "expected host memory (DLPack's device type 1), found device type 2");
    t = good, t.dtype.lanes = 4;
    refused(&d, "x", &t, CR_EDTYPE, "4 lanes");
    t = good, t.dtype.lanes = 0;
    refused(&d, "x", &t, CR_EDTYPE, "0 lanes");
    t = good, t.dtype.code = 1; /* unsigned */
    refused(&d, "x", &t, CR_EDTYPE, "type code 1 of 64 bits");
    t = good, t.dtype.bits = 32;
    refused(&d, "x", &t, CR_EDTYPE, "expected f64, found f32");
    t = good, t.shape = other;
    refused(&d, "x", &t, CR_ESHAPE, "expected shape [3], found [4]");
    t = good, t.shape = none;
    refused(&d, "x", &t, CR_ESHAPE, "found [-3]");
    t = good, t.shape = NULL;
    refused(&d, "x", &t, CR_ESHAPE, "expected shape [3]");
    t = good, t.ndim = -1;
    refused(&d, "x", &t, CR_ESHAPE, "found rank -1");
    t = good, t.ndim = INT32_MAX;
    refused(&d, "x", &t, CR_ESHAPE, "found rank 2147483647");
    t = good, t.byte_offset = 3;
    refused(&d, "x", &t, CR_EINVAL, "aligned to 8 bytes");
    t = good, t.data = NULL;
    refused(&d, "x", &t, CR_EUNBOUND, "needs data");
    t = good, t.strides = zero;
    refused(&d, "y", &t, CR_EINVAL, "must not share memory");
    refused(&d, "z", &good, CR_ENAME, "'z'");
    assert_int_equal(cr_bind(d.r, "x", CR_F64, (char *)in + 4, 3 * sizeof *in), CR_EINVAL);
    doubles(&d, &good, 3, (double[]){0, 0, 0});
    doubling_free(&d);
}

TEST(nothing_has_no_address) {
    (void)state;
    int64_t shape[2] = {0, 3};
    struct doubling d = doubling_of(CR_F64, 2, shape);
    cr_tensor view = view_of(NULL, 2, shape, NULL);
    assert_int_equal(cr_bind_tensor(d.r, "x", &view), CR_OK);
    assert_int_equal(cr_step(d.r), CR_OK);
    assert_int_equal(cr_bind(d.r, "x", CR_F64, NULL, 0), CR_OK);
    assert_int_equal(cr_bind_tensor(d.r, "y", &view), CR_OK);
    assert_int_equal(cr_step(d.r), CR_OK);
    assert_int_equal(cr_bind(d.r, "x", CR_F32, NULL, 0), CR_EDTYPE);
    doubling_free(&d);
}

TEST(an_output_called_as_an_input_that_it_needs_is_refused) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), y = cr_input(g, "y", CR_F64, 0, NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    assert_int_equal(cr_target_output(t, "x", cr_exp(y)), CR_OK); /* x itself is not needed */
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_target_output(t, "z", cr_exp(x)), CR_OK);
    cr_program_free(p);
    assert_int_equal(cr_compile(&p, t, NULL), CR_ENAME);
    assert_non_null(strstr(cr_graph_error(g), "'x'"));
    cr_target_free(t);
    cr_graph_free(g);
}

/* ---- Views within a program ---- */

/* y = of x[4, 6, 2], the numbers 0 .. 47; how many steps of the plan are copies. */
static int copies(const char *text, const char *device, double y[], size_t bytes) {
    double x[48];
    int n = 0;
    for (int i = 0; i < 48; i++) x[i] = i;
    cr_graph *g = cr_graph_new(NULL);
    cr_input(g, "x", CR_F64, 3, (int64_t[]){4, 6, 2});
    cr_target *t = cr_target_new(g);
    cr_options *o = cr_options_new(NULL);
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_text *plan = NULL;
    cr_options_set(o, "device", device);
    cr_target_output(t, "y", cr_formula(g, text));
    if (cr_compile(&p, t, o)) fail_msg("%s: %s", text, cr_graph_error(g));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F64, x, sizeof x);
    assert_int_equal(cr_bind(r, "y", CR_F64, y, bytes), CR_OK);
    assert_int_equal(cr_step(r), CR_OK);
    cr_text_new(&plan, NULL);
    cr_program_print(plan, p);
    for (const char *at = cr_text_str(plan); (at = strstr(at, ": copy,")) != NULL; at++) n++;
    cr_text_free(plan);
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return n;
}

TEST(a_reshape_copies_only_what_does_not_run_on) {
    (void)state;
    static const struct {
        const char *text;
        int numbers, copies;
    } cases[] = {
        {"1 + reshape(x, [8, 6])", 48, 0},
        {"1 + reshape(x[:, :, 1], [24])", 24, 0},
        {"1 + reshape(x[:, 2:3, 0], [4])", 4, 0},
        {"1 + reshape(x[:, 2:3, 0], [2, 1, 2])", 4, 0},
        {"1 + reshape(x[:, ::2], [4, 1, 3, 2, 1])", 24, 0},
        {"1 + reshape(x[:, ::2], [2, 2, 6])", 24, 1},
        {"1 + reshape(x[:, :3], [12, 2])", 24, 1},
        {"1 + reshape(permute(x, axes=[2, 0, 1]), [2, 24])", 48, 0},
        {"1 + reshape(permute(x, axes=[2, 0, 1]), [2, 3, 8])", 48, 0},
        {"1 + reshape(permute(x, axes=[2, 0, 1]), [48])", 48, 1},
        {"1 + reshape(permute(x, axes=[1, 0, 2]), [6, 8])", 48, 1},
        {"1 + reshape(x[::-1, ::-1], [24, 2])", 48, 0},
        {"1 + reshape(x[::-1, :, 1], [2, 12])", 24, 1},
        {"1 + reshape(expand(x[1, 1:2, :1], [4, 6]), [3, 8])", 24, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double y[48], right[48];
        size_t bytes = (size_t)cases[i].numbers * sizeof *y;
        int n = copies(cases[i].text, "cpu", y, bytes);
        if (n != cases[i].copies) fail_msg("%s: %d copies, expected %d", cases[i].text, n, cases[i].copies);
        copies(cases[i].text, "reference", right, bytes);
        assert_memory_equal(y, right, bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(strides_may_be_negative_zero_or_with_gaps),
        RUN(a_strided_input_is_read_anew_at_each_step),
        RUN(a_view_that_cannot_be_read_is_refused_with_a_sentence),
        RUN(nothing_has_no_address),
        RUN(an_output_called_as_an_input_that_it_needs_is_refused),
        RUN(a_reshape_copies_only_what_does_not_run_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
