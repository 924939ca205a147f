/* Every builder of the op table with operands and attributes that make no sense: an error node and a sentence in the graph, or a
 * sound node; never a crash, a read past an array, or a silent failure. */
#include "ops/build.h"
#include "support/test.h"

#include <limits.h>

typedef void any_fn(void);

enum form {
#define FORM(name, parameters, values) FORM_##name,
#include "ops/forms.def"
#undef FORM
    FORM_HIDDEN,
};

static const struct {
    const char *name;
    enum form form;
    any_fn *build;
} builders[] = {
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, ...) \
    {#name, FORM_##form, (any_fn *)cr_##name},
#include "ops/ops.def"
#undef ROW
#define COMPOSITE(name, form, arguments, sentence) {#name, FORM_##form, (any_fn *)cr_##name},
#include "ops/composites.def"
#undef COMPOSITE
};

/* What forms.def passes: an attribute in each way that a builder may want it. */
struct value {
    int count, axis;
    int64_t integer;
    double number;
    bool flag;
    cr_dtype dtype;
    const char *text;
    const int *axes;
    const int64_t *sizes;
};

static cr_node call(any_fn *build, enum form form, cr_graph *g, int n, const cr_node x[],
                    const struct value v[]) {
    switch (form) {
#define FORM(name, parameters, values) \
    case FORM_##name:                  \
        return ((cr_node(*) parameters)build)values;
#include "ops/forms.def"
#undef FORM
    case FORM_HIDDEN: break;
    }
    return (cr_node){0};
}

static const int axes_of[][CR_MAX_RANK] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {1, 0}, {-1, -1}, {INT_MIN, INT_MAX}};
static const int64_t sizes_of[][CR_MAX_RANK] = {{2, 3},
                                                {0},
                                                {-1, -1},
                                                {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                                                {INT64_MAX, INT64_MAX},
                                                {INT64_MIN, 1},
                                                {(int64_t)1 << 32, (int64_t)1 << 32}};
static const int small_of[] = {0, 1, 2, -1, CR_MAX_RANK, CR_MAX_RANK + 1, INT_MAX, INT_MIN};
static const int64_t integer_of[] = {0, 1, 3, -1, (int64_t)1 << 40, INT64_MAX, INT64_MIN};
static const double number_of[] = {0.5, 0, -1, 1e308, INFINITY, NAN};
static const char *const text_of[] = {"ij,jk->ik", "ij,jk", "ii",    "i",        "",
                                      "->",        ",",     "ij->k", "i,i,i->i", "iiiiiiiiiiiiiiiiiiiiiiiiii",
                                      "a b",       "\xff",  NULL};
static const int dtype_of[] = {CR_F64, CR_BOOL, CR_I32, CR_F16, -1, 7, INT_MAX};

#define PICK(table) table[pick(&seed, sizeof table / sizeof *table)]
static size_t pick(uint64_t *seed, size_t n) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
    return (size_t)(*seed >> 33) % n;
}

static struct value hostile(uint64_t *state) {
    uint64_t seed = *state;
    struct value v = {.count = PICK(small_of),
                      .axis = PICK(small_of),
                      .integer = PICK(integer_of),
                      .number = PICK(number_of)};
    int dtype = PICK(dtype_of);
    memcpy(&v.dtype, &dtype, sizeof v.dtype); /* no value of the enum: as a binding may pass it */
    v.text = PICK(text_of);
    v.flag = pick(&seed, 2);
    v.axes = pick(&seed, 4) ? PICK(axes_of) : NULL;
    v.sizes = pick(&seed, 6) ? PICK(sizes_of) : NULL;
    *state = seed;
    return v;
}

enum { good = 8, bad = 4, most_attributes = 6, most_operands = 5 };

/* Operands: sound ones of many kinds, then those that are none: an error node, one that was cut, no graph, another graph. */
static void operands(cr_graph *g, cr_graph *other, cr_node x[good + bad]) {
    static const int64_t zero[] = {0, 3}, some[] = {2, 3},
                         ones[CR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2};
    x[0] = cr_input(g, "scalar", CR_F64, 0, NULL);
    x[1] = cr_input(g, "empty", CR_F64, 2, zero);
    x[2] = cr_input(g, "matrix", CR_F64, 2, some);
    x[3] = cr_input(g, "many", CR_F32, CR_MAX_RANK, ones);
    x[4] = cr_input(g, "index", CR_I64, 1, some);
    x[5] = cr_input(g, "mask", CR_BOOL, 2, some);
    x[6] = cr_input(g, "half", CR_F16, 1, some);
    x[7] = cr_number(g, 2);
    size_t mark = cr_graph_mark(g);
    x[good] = cr_find(g, "nobody");
    x[good + 1] = cr_input(g, "gone", CR_F64, 0, NULL);
    x[good + 2] = (cr_node){0};
    x[good + 3] = cr_input(other, "there", CR_F64, 0, NULL);
    cr_graph_cut(g, mark);
}

static int operand_count(enum form form) {
    static const char *const parameters_of[] = {
#define FORM(name, parameters, values) #parameters,
#include "ops/forms.def"
#undef FORM
        ""};
    int n = 0;
    for (const char *p = parameters_of[form]; (p = strstr(p, "cr_node")); p++) n++;
    return n;
}

static void assert_sound(const char *name, cr_graph *g, cr_node y) {
    if (!cr_ok(y)) {
        if (!cr_graph_status(g) || !cr_graph_error(g) || !*cr_graph_error(g))
            fail_msg("%s failed, and the graph says nothing", name);
        cr_graph_clear_error(g);
        return;
    }
    if (cr_graph_status(g)) fail_msg("%s gave a node, and the graph says: %s", name, cr_graph_error(g));
    int64_t count = 1;
    assert_true(y.graph == g && cr_rank(y) >= 0 && cr_rank(y) <= CR_MAX_RANK);
    for (int i = 0; i < cr_rank(y); i++) count *= cr_dims(y)[i];
    assert_int_equal(count, cr_count(y));
}

/* A sound node has a value, unless an index is out of range; what is built of huge sizes is not computed. */
static void evaluate(const char *name, cr_eval *e, cr_node y, size_t mark) {
    int64_t numbers = 0, most = 4096;
    for (size_t id = mark; id < cr_graph_count(y.graph) && numbers <= most; id++)
        numbers += cr_count((cr_node){y.graph, (uint32_t)id, y.epoch});
    cr_array *value = NULL;
    if (numbers > most) return;
    cr_status status = cr_eval_array(&value, e, y);
    if (status && status != CR_EINDEX) fail_msg("%s: %s", name, cr_eval_error(e));
    cr_array_free(value);
}

/* And its derivative, or the graph says why not. */
static void differentiate(const char *name, cr_eval *e, cr_node y, const cr_node x[], size_t mark) {
    cr_node d;
    bool fraction = cr_dtype_of(y) == CR_F32 || cr_dtype_of(y) == CR_F64;
    if (!fraction || cr_grad(&d, cr_sum(y, 0, NULL, false), 1, &x[2])) {
        cr_graph_clear_error(y.graph);
        return;
    }
    assert_sound(name, y.graph, d);
    evaluate(name, e, d, mark);
}

/* Every leaf is all zeros. */
static cr_eval *zeros(cr_graph *g) {
    cr_eval *e;
    char none[256] = {0};
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    for (int i = 0; cr_ok(cr_leaf(g, i)); i++) {
        cr_node x = cr_leaf(g, i);
        size_t bytes = (size_t)cr_count(x) * cr_dtype_size(cr_dtype_of(x));
        assert_true(bytes <= sizeof none);
        assert_int_equal(cr_eval_set(e, x, cr_dtype_of(x), none, bytes), CR_OK);
    }
    return e;
}

/* One call, every second time with one operand that is none. A single operand of another graph would be at home there. */
static void attempt(size_t i, cr_eval *e, const cr_node all[], bool broken, uint64_t *seed) {
    cr_graph *g = all[0].graph;
    size_t mark = cr_graph_mark(g);
    enum form form = builders[i].form;
    int n = form == FORM_MANY_AXIS || form == FORM_EINSUM ? 1 + (int)pick(seed, 3) : operand_count(form);
    cr_node x[most_operands];
    struct value v[most_attributes];
    for (int j = 0; j < most_operands; j++) x[j] = all[pick(seed, good)];
    for (int j = 0; j < most_attributes; j++) v[j] = hostile(seed);
    if (broken && n) x[pick(seed, (size_t)n)] = all[good + pick(seed, n > 1 ? bad : 2)];
    cr_node y = call(builders[i].build, form, g, n, x, v);
    if (broken && n && cr_ok(y)) fail_msg("%s made a node of what is none", builders[i].name);
    assert_sound(builders[i].name, g, y);
    if (cr_ok(y)) {
        evaluate(builders[i].name, e, y, mark);
        differentiate(builders[i].name, e, y, all, mark);
    }
    cr_graph_cut(g, mark);
}

TEST(no_builder_crashes_or_fails_in_silence_whatever_it_is_given) {
    (void)state;
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof builders / sizeof *builders; i++) {
        cr_graph *g = cr_graph_new(NULL), *other = cr_graph_new(NULL);
        cr_node all[good + bad];
        operands(g, other, all);
        cr_eval *e = zeros(g);
        for (int k = 0; k < rounds(500) && builders[i].form != FORM_HIDDEN; k++) {
            attempt(i, e, all, k % 2, &seed);
            cr_graph_clear_error(other);
        }
        cr_eval_free(e);
        cr_graph_free(g);
        cr_graph_free(other);
    }
}

TEST(no_builder_minds_that_there_is_no_graph) {
    (void)state;
    cr_node none[most_operands] = {{0}};
    uint64_t seed = 2;
    for (size_t i = 0; i < sizeof builders / sizeof *builders; i++)
        for (int k = 0; k < 20 && builders[i].form != FORM_HIDDEN; k++) {
            struct value v[most_attributes];
            for (int j = 0; j < most_attributes; j++) v[j] = hostile(&seed);
            assert_false(cr_ok(call(builders[i].build, builders[i].form, NULL, 2, none, v)));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(no_builder_crashes_or_fails_in_silence_whatever_it_is_given),
        RUN(no_builder_minds_that_there_is_no_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
