/* What PyTorch computes for samples of its own tests, without PyTorch: values, VJPs, JVPs and HVPs of tests/data/peers.txt, in every way
 * of computing; and the points where the two differ, as docs/peers.md has them. tests/peers/check.py makes the file. */
#include "ops/call.h"
#include "support/test.h"
#include "support/ways.h"

enum { most_operands = 26, most_results = 16, most_numbers = 1 << 13, most_text = 1 << 13 };

/* Numbers of a line, with their shape where the line has one. */
struct numbers {
    int rank, count;
    int64_t dims[CR_MAX_RANK];
    double *v;
};

struct operand {
    char name[2];
    bool differentiated;
    cr_dtype dtype;
    struct numbers is;
};

/* By kind: one for each result (values, cotangents, JVPs) or operand (tangents, VJPs, HVPs). */
enum kind { VALUE, COTANGENT, JVP, TANGENT, VJP, HVP, KINDS };

struct sample {
    char name[128], formula[most_results][512];
    int n_operands, n_formulas, n[KINDS];
    struct operand operand[most_operands];
    struct numbers list[KINDS][most_operands];
    bool live[most_results]; /* has the result derivatives? */
    double room[most_numbers];
    int used;
};

/* ---- Reading ---- */

static FILE *open_data(void) {
    FILE *f = fopen(TEST_DATA "/peers.txt", "r");
    if (!f) fail_msg("%s/peers.txt is missing", TEST_DATA);
    return f;
}

/* The next line, without its end and without comments; false at the end of the file. */
static bool next_line(FILE *f, char line[most_text]) {
    while (fgets(line, most_text, f)) {
        size_t n = strlen(line);
        assert_true(n > 0 && line[n - 1] == '\n');
        line[n - 1] = 0;
        if (line[0] != '#') return true;
    }
    return false;
}

static void read_numbers(struct sample *s, struct numbers *to, const char *text, bool shaped) {
    char *end;
    if (shaped) {
        to->rank = (int)strtol(text, &end, 10);
        for (int i = 0; i < to->rank; i++) to->dims[i] = strtol(end, &end, 10);
        text = end;
    }
    to->v = s->room + s->used;
    for (to->count = 0; *text; to->count++, text = end) {
        double v = strtod(text, &end);
        if (end == text) fail_msg("%s: no number in '%s'", s->name, text);
        assert_true(s->used < most_numbers);
        s->room[s->used++] = v;
    }
}

static void read_operand(struct sample *s, const char *text, bool differentiated) {
    static const char *const dtypes[] = {"bool", "i32", "i64", "f16", "bf16", "f32", "f64"};
    assert_true(s->n_operands < most_operands);
    struct operand *o = &s->operand[s->n_operands++];
    char dtype[8];
    int past = 0;
    assert_int_equal(sscanf(text, "%1s %7s %n", o->name, dtype, &past), 2);
    o->differentiated = differentiated;
    while (strcmp(dtypes[o->dtype], dtype) != 0) o->dtype = (cr_dtype)(o->dtype + 1);
    read_numbers(s, &o->is, text + past, true);
}

static void read_line(struct sample *s, const char *word, const char *rest) {
    static const char *const kinds[] = {"value", "cotangent", "jvp", "tangent", "vjp", "hvp"};
    if (strcmp(word, "operand") == 0 || strcmp(word, "doperand") == 0) {
        read_operand(s, rest, *word == 'd');
        return;
    }
    if (strcmp(word, "formula") == 0) {
        assert_true(s->n_formulas < most_results && strlen(rest) < sizeof s->formula[0]);
        strcpy(s->formula[s->n_formulas++], rest);
        return;
    }
    bool live = strcmp(word, "dvalue") == 0;
    for (int k = 0; k < KINDS; k++) {
        if (strcmp(word + live, kinds[k]) != 0) continue;
        if (k == VALUE) s->live[s->n[k]] = live;
        assert_true(s->n[k] < most_operands);
        read_numbers(s, &s->list[k][s->n[k]++], rest, k == VALUE);
        return;
    }
    fail_msg("%s: what is '%s'?", s->name, word);
}

/* A line's first word, and the rest. */
static char *split(char *line) {
    char *space = strchr(line, ' ');
    if (!space) return line + strlen(line);
    *space = 0;
    return space + 1;
}

/* The next sample; `line` holds the one that starts it, and then the one behind it. False at the end of the samples. */
static bool next_sample(FILE *f, char line[most_text], struct sample *s) {
    char *rest = split(line);
    memset(s, 0, sizeof *s);
    if (strcmp(line, "sample") != 0) return false;
    snprintf(s->name, sizeof s->name, "%s", rest);
    while (next_line(f, line)) {
        if (strncmp(line, "sample ", 7) == 0 || strncmp(line, "point ", 6) == 0) return true;
        rest = split(line);
        read_line(s, line, rest);
    }
    *line = 0;
    return true;
}

/* ---- Computing ---- */

struct place {
    const struct sample *s;
    cr_graph *g;
    struct given in[3 * most_operands];
    int n_in;
    cr_node y[most_results], wrt[most_operands];
    char names[2 * most_operands][8];
    int64_t integers[most_numbers]; /* bytes of operands that are not f64 */
    size_t used;
};

static cr_node bind(struct place *p, const char *name, cr_dtype dtype, const struct numbers *n) {
    void *data = n->v;
    if (dtype != CR_F64) {
        data = p->integers + p->used;
        for (int i = 0; i < n->count; i++)
            if (dtype == CR_I64) ((int64_t *)data)[i] = (int64_t)n->v[i];
            else if (dtype == CR_I32) ((int32_t *)data)[i] = (int32_t)n->v[i];
            else ((bool *)data)[i] = n->v[i] != 0;
        p->used += (size_t)n->count;
        assert_true(p->used <= most_numbers);
    }
    p->in[p->n_in++] = (struct given){name, dtype, n->rank, n->dims, data, NULL};
    return cr_input(p->g, name, dtype, n->rank, n->dims);
}

/* A formula; or "einsum INDICES OPERANDS", since formulas have no text in quotes. */
static cr_node build(cr_graph *g, const char *text) {
    char indices[64], name[2];
    cr_node x[most_operands];
    int n = 0, past = 0;
    if (sscanf(text, "einsum %63s%n", indices, &past) != 1) return cr_formula(g, text);
    for (int more; sscanf(text + past, " %1s%n", name, &more) == 1; past += more) x[n++] = cr_find(g, name);
    return cr_einsum(indices, n, x);
}

/* Cotangents and tangents have the shapes of what they belong to. */
static void bind_directions(struct place *p, enum kind kind, int n, const cr_node like[], cr_node out[]) {
    for (int i = 0; i < n; i++) {
        struct numbers d = p->s->list[kind][i];
        char *name = p->names[(kind == TANGENT) * most_operands + i];
        snprintf(name, sizeof p->names[0], "%c_%d", kind == TANGENT ? 'u' : 'v', i);
        d.rank = cr_rank(like[i]);
        memcpy(d.dims, cr_dims(like[i]), (size_t)d.rank * sizeof *d.dims);
        out[i] = bind(p, name, CR_F64, &d);
        p->in[p->n_in - 1].dims = cr_dims(out[i]); /* the graph's: d goes */
    }
}

/* |found - expected| at most bound times the largest number expected of this kind (at least 1e-2, for what is 0 but for rounding). */
static void compare(struct place *p, enum kind kind, int i, cr_node x, double bound) {
    static const char *const kinds[] = {"value", "", "JVP", "", "VJP", "HVP"};
    const struct sample *s = p->s;
    const struct numbers *e = &s->list[kind][i];
    double found[most_numbers], largest = 1e-2;
    for (int k = 0; k < s->n[kind]; k++)
        for (int j = 0; j < s->list[kind][k].count; j++) largest = fmax(largest, fabs(s->list[kind][k].v[j]));
    if (!cr_ok(x)) fail_msg("%s: %s: %s", s->name, s->formula[0], cr_graph_error(p->g));
    if (cr_count(x) != e->count)
        fail_msg("%s: %s %d has %d numbers, expected %d", s->name, kinds[kind], i, (int)cr_count(x),
                 e->count);
    if (cr_dtype_of(x) != CR_F64) x = cr_cast(x, CR_F64);
    for (enum way way = 0; way < WAYS; way++) {
        compute(way, x, p->n_in, p->in, found, sizeof(double) * (size_t)e->count);
        for (int j = 0; j < e->count; j++)
            if (!(fabs(found[j] - e->v[j]) <= bound * largest))
                fail_msg("%s: %s by %s: %s %d, element %d: %.17g, expected %.17g", s->name, s->formula[0],
                         way_name(way), kinds[kind], i, j, found[j], e->v[j]);
    }
}

static void check_values(struct place *p) {
    const struct sample *s = p->s;
    assert_int_equal(s->n_formulas, s->n[VALUE]);
    for (int i = 0; i < s->n_formulas; i++) {
        const struct numbers *e = &s->list[VALUE][i];
        p->y[i] = build(p->g, s->formula[i]);
        if (!cr_ok(p->y[i])) fail_msg("%s: %s: %s", s->name, s->formula[i], cr_graph_error(p->g));
        assert_int_equal(cr_rank(p->y[i]), e->rank);
        for (int k = 0; k < e->rank; k++) assert_int_equal(cr_dims(p->y[i])[k], e->dims[k]);
        compare(p, VALUE, i, p->y[i], 1e-12);
    }
}

static void check_derivatives(struct place *p, int n) {
    const struct sample *s = p->s;
    cr_node live[most_results], v[most_results], u[most_operands], out[most_operands], again[most_operands];
    int n_live = 0;
    for (int i = 0; i < s->n_formulas; i++)
        if (s->live[i]) live[n_live++] = p->y[i];
    assert_int_equal(s->n[COTANGENT], n_live);
    assert_int_equal(s->n[TANGENT], n);
    bind_directions(p, COTANGENT, n_live, live, v);
    bind_directions(p, TANGENT, n, p->wrt, u);
    cr_vjp(out, n_live, live, v, n, p->wrt);
    for (int i = 0; i < n; i++) compare(p, VJP, i, out[i], 1e-10);
    cr_vjp(again, n, out, u, n, p->wrt);
    for (int i = 0; i < s->n[HVP]; i++) compare(p, HVP, i, again[i], 1e-8);
    cr_jvp(out, n_live, live, n, p->wrt, u);
    for (int i = 0; i < n_live; i++) compare(p, JVP, i, out[i], 1e-10);
}

static void check_sample(const struct sample *s) {
    struct place *p = calloc(1, sizeof *p);
    int n = 0;
    p->s = s;
    p->g = cr_graph_new(NULL);
    for (int i = 0; i < s->n_operands; i++) {
        cr_node x = bind(p, s->operand[i].name, s->operand[i].dtype, &s->operand[i].is);
        if (s->operand[i].differentiated) p->wrt[n++] = x;
    }
    check_values(p);
    if (s->n[VJP]) check_derivatives(p, n);
    cr_graph_free(p->g);
    free(p);
}

TEST(samples_agree_with_pytorch_in_every_way) {
    (void)state;
    FILE *f = open_data();
    struct sample *s = malloc(sizeof *s);
    char line[most_text];
    int count = 0;
    assert_true(next_line(f, line));
    while (*line && next_sample(f, line, s)) {
        check_sample(s);
        count++;
    }
    free(s);
    fclose(f);
    assert_true(count >= 300);
}

/* ---- Points ---- */

/* x as a vector named x; the formula. */
static cr_node with_vector(struct place *p, struct sample *s, const char *formula, char line[most_text]) {
    char *rest = split(line);
    struct numbers x;
    assert_string_equal(line, "x");
    s->used = 0;
    read_numbers(s, &x, rest, false);
    x.rank = 1;
    x.dims[0] = x.count;
    p->g = cr_graph_new(NULL);
    p->n_in = 0;
    p->wrt[0] = bind(p, "x", CR_F64, &x);
    p->in[0].dims = cr_dims(p->wrt[0]);
    return cr_formula(p->g, formula);
}

/* The derivative of the sum, so often. */
static cr_node derived(cr_node y, cr_node x, int order) {
    for (int k = 0; k < order; k++) cr_grad(&y, cr_sum(y, 0, NULL, false), 1, &x);
    return y;
}

static void check_order(struct place *p, struct sample *s, cr_node y, const char *text) {
    char *end;
    long order = strtol(text, &end, 10);
    double found[64];
    struct numbers e;
    read_numbers(s, &e, end, false);
    cr_node d = derived(y, p->wrt[0], (int)order);
    if (!cr_ok(d)) fail_msg("%s: %s", s->name, cr_graph_error(p->g));
    assert_int_equal(cr_count(d), e.count);
    for (enum way way = 0; way < WAYS; way++) {
        compute(way, d, 1, p->in, found, sizeof(double) * (size_t)e.count);
        for (int j = 0; j < e.count; j++)
            if (!(found[j] == e.v[j] || (isnan(found[j]) && isnan(e.v[j])) ||
                  fabs(found[j] - e.v[j]) <= 1e-11 * fabs(e.v[j])))
                fail_msg("%s by %s: order %ld: %.17g, expected %.17g", s->name, way_name(way), order,
                         found[j], e.v[j]);
    }
}

/* Its sentence comes when it is built, or when it is computed. */
static void check_refused(struct place *p, cr_node y, const char *sentence) {
    cr_eval *e = NULL;
    const char *found = cr_graph_error(p->g);
    assert_int_equal(cr_eval_new(&e, p->g, NULL), CR_OK);
    if (!found) {
        double room[64];
        cr_eval_set(e, p->wrt[0], CR_F64, p->in[0].data, sizeof(double) * (size_t)cr_count(p->wrt[0]));
        cr_eval_value(e, y, CR_F64, room, sizeof(double) * (size_t)cr_count(y));
        found = cr_eval_error(e);
    }
    if (!found || !strstr(found, sentence))
        fail_msg("expected '%s', found '%s'", sentence, found ? found : "");
    cr_eval_free(e);
}

TEST(where_conventions_differ_the_documented_one_holds) {
    (void)state;
    FILE *f = open_data();
    struct sample *s = malloc(sizeof *s);
    struct place *p = calloc(1, sizeof *p);
    cr_node y = {0};
    char line[most_text];
    int points = 0, refused = 0, orders = 0;
    while (next_line(f, line)) {
        char *rest = split(line);
        bool point = strcmp(line, "point") == 0, refusal = strcmp(line, "refused") == 0;
        if (point || refusal) {
            snprintf(s->name, sizeof s->name, "%s", rest);
            cr_graph_free(p->g);
            assert_true(next_line(f, line));
            y = with_vector(p, s, s->name, line);
            points += point, refused += refusal;
        } else if (strcmp(line, "order") == 0) check_order(p, s, y, rest), orders++;
        else if (strcmp(line, "sentence") == 0) check_refused(p, y, rest);
    }
    assert_true(points >= 40 && refused >= 7 && orders >= points);
    cr_graph_free(p->g);
    free(p);
    free(s);
    fclose(f);
}

/* Random draws, which PyTorch makes otherwise: tests/run/random.c. */
static const char *const elsewhere[] = {"dropout", "normal", "he_normal", "he_uniform", "glorot_normal",
                                        "glorot_uniform", "permutation", "orthogonal",
                                        /* tests/ops/composites.c, beside NumPy */
                                        "batch_mean", "batch_var", "batch_norm_by", "attention", "rope"};

TEST(every_composite_is_in_a_sample_or_tested_elsewhere) {
    (void)state;
    static const char *const names[] = {
#define COMPOSITE(name, form, arguments, sentence) #name,
#include "ops/composites.def"
#undef COMPOSITE
    };
    bool missing = false;
    FILE *f = open_data();
    char line[most_text];
    bool seen[sizeof names / sizeof *names] = {false};
    while (next_line(f, line))
        for (size_t i = 0; strncmp(line, "formula ", 8) == 0 && i < sizeof names / sizeof *names; i++) {
            size_t n = strlen(names[i]);
            for (const char *at = line; !seen[i] && (at = strstr(at, names[i])); at += n)
                seen[i] = (at[n] == '(' || at[n] == ' ') &&
                          !strchr("abcdefghijklmnopqrstuvwxyz_0123456789", at[-1]);
        }
    fclose(f);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool known = seen[i];
        for (size_t k = 0; k < sizeof elsewhere / sizeof *elsewhere; k++)
            known = known || strcmp(names[i], elsewhere[k]) == 0;
        if (!known)
            print_error("%s is not in tests/data/peers.txt (tests/peers/own.py), nor in the list of what is "
                        "tested elsewhere\n",
                        names[i]),
                missing = true;
    }
    assert_false(missing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(samples_agree_with_pytorch_in_every_way),
        RUN(where_conventions_differ_the_documented_one_holds),
        RUN(every_composite_is_in_a_sample_or_tested_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
