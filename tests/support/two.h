/* A target compiled in both ways, whose bits are compared. */
#ifndef TWO_H
#define TWO_H

#include "run/program.h"
#include "support/files.h"

enum { most_outputs = 600 };

/* Two programs of one target, and what each gives. */
struct two {
    cr_graph *g;
    cr_target *t;
    int outputs;
    char name[most_outputs][24];
    cr_node y[most_outputs];
    int inputs;
    cr_node x[160];
    void *data[160];
};

static inline void start(struct two *b) {
    *b = (struct two){.g = cr_graph_new(NULL)};
    b->t = cr_target_new(b->g);
}

static inline void fill(void *to, cr_dtype dtype, int64_t n, double low, double high, uint64_t *state) {
    for (int64_t i = 0; i < n; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        double v = low + (high - low) * ((double)(*state >> 11) * 0x1p-53);
        switch (dtype) {
        case CR_BOOL: ((uint8_t *)to)[i] = v > (low + high) / 2; break;
        case CR_I32: ((int32_t *)to)[i] = (int32_t)fmax(-0x1p31, fmin(0x1p31 - 1, floor(v))); break;
        case CR_I64: ((int64_t *)to)[i] = (int64_t)fmax(-0x1p62, fmin(0x1p62, floor(v))); break;
        case CR_F32: ((float *)to)[i] = (float)v; break;
        case CR_F64: ((double *)to)[i] = v; break;
        default: ((uint16_t *)to)[i] = (uint16_t)(0x3000 + *state % 2048); break;
        }
    }
}

static uint64_t state_of_test = 7;

static inline cr_node input(struct two *b, cr_dtype dtype, int rank, const int64_t dims[], double low,
                            double high) {
    char name[24];
    int i = b->inputs++;
    snprintf(name, sizeof name, "x%d", i);
    b->x[i] = cr_input(b->g, name, dtype, rank, dims);
    int64_t n = cr_count(b->x[i]);
    b->data[i] = malloc((size_t)n * cr_dtype_size(dtype) + 1);
    fill(b->data[i], dtype, n, low, high, &state_of_test);
    return b->x[i];
}

static inline cr_node formula(struct two *b, const char *text) {
    cr_node y = cr_formula(b->g, text);
    if (!cr_ok(y)) fail_msg("%s: %s", text, cr_graph_error(b->g));
    return y;
}

static inline void output(struct two *b, cr_node y) {
    if (!cr_ok(y)) fail_msg("%s", cr_graph_error(b->g));
    int i = b->outputs++;
    assert_true(i < most_outputs);
    snprintf(b->name[i], sizeof b->name[i], "y%d", i);
    b->y[i] = y;
    if (cr_target_output(b->t, b->name[i], y)) fail_msg("%s", cr_graph_error(b->g));
}

static inline void formulas(struct two *b, const char *const texts[], size_t n) {
    for (size_t i = 0; i < n; i++) output(b, formula(b, texts[i]));
}

static inline size_t bytes_of(cr_node y) { return (size_t)cr_count(y) * cr_dtype_size(cr_dtype_of(y)); }

/* Computes all outputs; the caller frees them. */
static inline void run(const struct two *b, const char *compiler, void *out[]) {
    cr_options *o = cr_options_new(NULL);
    cr_program *p = NULL;
    cr_run *r = NULL;
    if (compiler) {
        assert_int_equal(cr_options_set(o, "compile", compiler), CR_OK);
        assert_int_equal(cr_options_set(o, "cache", temp_path("cache")), CR_OK);
        assert_int_equal(cr_options_set(o, "compile_seconds", "300"), CR_OK);
    }
    if (cr_compile(&p, b->t, o)) fail_msg("%s", cr_graph_error(b->g));
    if (cr_program_compiled(p) != (compiler != NULL)) fail_msg("%s", cr_program_way(p));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int i = 0; i < b->inputs; i++) {
        cr_status s = cr_bind(r, cr_name(b->x[i]), cr_dtype_of(b->x[i]), b->data[i], bytes_of(b->x[i]));
        if (s && s != CR_ENAME) fail_msg("%s", cr_run_error(r));
    }
    for (int i = 0; i < b->outputs; i++) {
        out[i] = malloc(bytes_of(b->y[i]) + 1);
        memset(out[i], 0x5a, bytes_of(b->y[i]));
        if (cr_bind(r, b->name[i], cr_dtype_of(b->y[i]), out[i], bytes_of(b->y[i])))
            fail_msg("%s", cr_run_error(r));
    }
    if (cr_run_ready(r)) fail_msg("%s", cr_run_error(r)); /* which shows nothing */
    for (int i = 0; i < b->outputs; i++)
        for (size_t k = 0; k < bytes_of(b->y[i]); k++) assert_true(((const char *)out[i])[k] == 0x5a);
    for (int i = 0; i < 2; i++)
        if (cr_step(r)) fail_msg("%s", cr_run_error(r));
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
}

/* Bits, but for those within a nan. */
static inline bool same(cr_dtype dtype, const void *a, const void *b, int64_t i) {
    if (dtype == CR_F64) {
        double u = ((const double *)a)[i], v = ((const double *)b)[i];
        return (u != u && v != v) || memcmp(&u, &v, sizeof u) == 0;
    }
    if (dtype == CR_F32) {
        float u = ((const float *)a)[i], v = ((const float *)b)[i];
        return (u != u && v != v) || memcmp(&u, &v, sizeof u) == 0;
    }
    size_t size = cr_dtype_size(dtype);
    return memcmp((const char *)a + (size_t)i * size, (const char *)b + (size_t)i * size, size) == 0;
}

static inline void compare(struct two *b, const char *compiler) {
    static void *built_in[most_outputs], *compiled[most_outputs];
    cr_text *text = NULL;
    run(b, NULL, built_in);
    run(b, compiler, compiled);
    for (int i = 0; i < b->outputs; i++) {
        cr_dtype dtype = cr_dtype_of(b->y[i]);
        for (int64_t k = 0; k < cr_count(b->y[i]); k++)
            if (!same(dtype, built_in[i], compiled[i], k)) {
                cr_text_new(&text, NULL);
                cr_print(text, b->y[i]);
                fail_msg("output %d, %s of %s, element %d of %d: %.17g built in, %.17g compiled: %.300s", i,
                         cr_op_of(b->y[i]), cr_dtype_name(dtype), (int)k, (int)cr_count(b->y[i]),
                         dtype == CR_F64 ? ((double *)built_in[i])[k] : (double)((float *)built_in[i])[k],
                         dtype == CR_F64 ? ((double *)compiled[i])[k] : (double)((float *)compiled[i])[k],
                         cr_text_str(text));
            }
        free(built_in[i]);
        free(compiled[i]);
    }
}

static inline void drop(struct two *b) {
    for (int i = 0; i < b->inputs; i++) free(b->data[i]);
    cr_target_free(b->t);
    cr_graph_free(b->g);
}

#endif
