#include "ways.h"

#include "support/alone.h"

const char *way_name(enum way way) {
    static const char *const names[] = {"cr_eval", "cpu", "cpu without fusion", "reference"};
    return names[way];
}

void given_inputs(cr_graph *g, int n, const struct given in[], cr_node x[]) {
    for (int i = 0; i < n; i++) x[i] = cr_input(g, in[i].name, in[i].dtype, in[i].rank, in[i].dims);
}

static int64_t count_of(const struct given *in) {
    int64_t count = 1;
    for (int i = 0; i < in->rank; i++) count *= in->dims[i];
    return count;
}

static cr_tensor view_of(const struct given *in) {
    static const uint8_t code[] = {6, 0, 0, 2, 4, 2, 2};
    cr_tensor t = {.data = in->data, .device = {1, 0}, .ndim = in->rank, .strides = in->strides};
    t.dtype.code = code[in->dtype];
    t.dtype.bits = (uint8_t)(cr_dtype_size(in->dtype) * 8);
    t.dtype.lanes = 1;
    t.shape = (int64_t *)(uintptr_t)in->dims; /* DLPack has no const */
    return t;
}

static void set(cr_eval *e, cr_graph *g, const struct given *in) {
    size_t size = cr_dtype_size(in->dtype), count = (size_t)count_of(in);
    char *flat = malloc(count * size + 1);
    for (size_t i = 0; i < count; i++) {
        int64_t at = 0, rest = (int64_t)i;
        for (int k = in->rank - 1; in->strides && k >= 0; k--) {
            at += rest % in->dims[k] * in->strides[k];
            rest /= in->dims[k];
        }
        memcpy(flat + i * size, (char *)in->data + (in->strides ? at : (int64_t)i) * (int64_t)size, size);
    }
    if (cr_eval_set(e, cr_find(g, in->name), in->dtype, flat, count * size)) fail_msg("%s", cr_eval_error(e));
    free(flat);
}

static void evaluate(cr_node y, int n, const struct given in[], void *out, size_t bytes) {
    cr_eval *e;
    assert_int_equal(cr_eval_new(&e, y.graph, NULL), CR_OK);
    for (int i = 0; i < n; i++) set(e, y.graph, &in[i]);
    if (cr_eval_value(e, y, cr_dtype_of(y), out, bytes)) fail_msg("cr_eval: %s", cr_eval_error(e));
    cr_eval_free(e);
}

static void step(enum way way, cr_node y, int n, const struct given in[], void *out, size_t bytes) {
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_options *o = cr_options_new(NULL);
    cr_target *t = cr_target_new(y.graph);
    cr_target_output(t, "result of the test", y);
    if (way == WAY_REFERENCE) cr_options_set(o, "device", "reference");
    if (way == WAY_NOT_FUSED) cr_options_set(o, "fuse", "0");
    if (cr_compile(&p, t, o)) fail_msg("compiling: %s", cr_graph_error(y.graph));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < n; i++) {
        cr_tensor view = view_of(&in[i]);
        cr_status bound = cr_bind_tensor(r, in[i].name, &view);
        if (bound && bound != CR_ENAME) fail_msg("%s", cr_run_error(r)); /* what y does not need is no name */
    }
    cr_status s = cr_bind(r, "result of the test", cr_dtype_of(y), out, bytes);
    if (!s) s = cr_run_ready(r);
    if (!s) s = cr_step(r);
    if (s) fail_msg("%s: %s", way_name(way), cr_run_error(r) ? cr_run_error(r) : cr_status_text(s));
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_options_free(o);
}

/* One more way, slow, with CHECK_EMIT in the environment: as programs of C, some at a time, the last when the test ends. */
static struct alone batch;

static void run_batch(void) {
    if (batch.set.count) alone_run(&batch, "-fno-sanitize=all -w");
    batch.set.count = 0;
}

static bool says(const cr_text *t, const char *word) { return strstr(cr_text_str(t), word) != NULL; }

/* Functions, and none that this test would have to write. */
static bool runs_functions(cr_node y) {
    cr_program *p = NULL;
    cr_target *t = cr_target_new(y.graph);
    cr_text *plan = NULL, *source = NULL, *header = NULL;
    cr_target_output(t, "result of the test", y);
    cr_text_new(&plan, NULL), cr_text_new(&source, NULL), cr_text_new(&header, NULL);
    if (cr_compile(&p, t, NULL) || cr_program_print(plan, p) || cr_program_emit(source, header, p, "p", NULL))
        fail_msg("cannot be emitted: %s", cr_op_of(y));
    bool any =
        (says(plan, "scan") || says(plan, "cond") || says(plan, "call")) && !says(header, "Yours to write");
    cr_text_free(plan), cr_text_free(source), cr_text_free(header);
    cr_program_free(p);
    cr_target_free(t);
    return any;
}

static void emit(cr_node y, int n, const struct given in[]) {
    enum { most = 30 };
    static bool noted;
    for (int i = 0; i < n; i++)
        if (in[i].strides) return;
    if (!runs_functions(y)) return;
    if (!noted) atexit(run_batch), noted = true;
    if (batch.set.count == 0) alone_start(&batch);
    alone_nodes(&batch, cr_op_of(y), 1, &y, n, in, cr_dtype_of(y) == CR_F64 ? 1e-11 : 1e-4);
    if (batch.set.count == most) run_batch();
}

void compute(enum way way, cr_node y, int n, const struct given in[], void *out, size_t bytes) {
    if (!cr_ok(y)) fail_msg("building: %s", cr_graph_error(y.graph));
    if (way == WAY_EVAL) evaluate(y, n, in, out, bytes);
    else step(way, y, n, in, out, bytes);
    if (way == WAY_NOT_FUSED && getenv("CHECK_EMIT")) emit(y, n, in);
}
