/* Many slices at once: every row of the op table against a loop over slices, values and gradients, whichever operands have them. */
#include "support/rows.h"
#include "support/test.h"

#include "ops/build.h"

enum { slices = 3, most = 64, most_inputs = 3 };

/* A case, what its inputs are in each slice, and what is computed of it: y, then its gradients. */
struct batch {
    struct row_case c;
    cr_array *data[most_inputs][slices];
    cr_node y[1 + most_inputs];
    int n;
};

/* A little less in each slice; integers and flags in the second one backwards, so that indices stay inside. */
static void vary(cr_array *a, int slice) {
    int64_t n = cr_array_count(a);
    if (cr_array_dtype(a) == CR_F64) {
        double *x = cr_array_data(a);
        for (int64_t i = 0; i < n; i++) x[i] *= 1 - 0.01 * slice;
    } else if (slice == 1) {
        size_t size = cr_dtype_size(cr_array_dtype(a));
        char *x = cr_array_data(a), one[8];
        for (int64_t i = 0; i < n / 2; i++) {
            memcpy(one, x + (size_t)i * size, size);
            memcpy(x + (size_t)i * size, x + (size_t)(n - 1 - i) * size, size);
            memcpy(x + (size_t)(n - 1 - i) * size, one, size);
        }
    }
}

static cr_node as_f64(cr_node x) { return cr_dtype_of(x) == CR_F64 ? x : cr_cast(x, CR_F64); }

static void set_slice(struct batch *b, int slice, unsigned which) {
    for (int k = 0; k < b->c.n; k++) {
        cr_array *a = b->data[k][which >> k & 1 ? slice : 0];
        cr_eval_set(b->c.e, b->c.x[k], cr_array_dtype(a), cr_array_data(a), cr_array_bytes(a));
    }
}

/* Of a singular matrix there is a determinant, but no gradient. */
static bool has_value(struct batch *b, cr_node x) {
    double room[most];
    bool ok = true;
    for (int s = 0; s < slices; s++) {
        set_slice(b, s, ~0u);
        ok = ok && !cr_eval_value(b->c.e, x, CR_F64, room, (size_t)cr_count(x) * sizeof *room);
    }
    return ok;
}

static void open_batch(struct batch *b) {
    for (int k = 0; k < b->c.n; k++)
        for (int s = 0; s < slices; s++) {
            assert_int_equal(cr_eval_array(&b->data[k][s], b->c.e, b->c.x[k]), CR_OK);
            vary(b->data[k][s], s);
        }
    double weight[most];
    for (int i = 0; i < most; i++) weight[i] = 2 * row_spread(7 * i + 3) - 1;
    b->y[b->n++] = as_f64(b->c.y);
    assert_true(cr_count(b->c.y) <= most);
    if (cr_dtype_of(b->c.y) != CR_F64 || b->c.n_wrt == 0) return;
    cr_node w = cr_const(b->c.g, CR_F64, cr_rank(b->c.y), cr_dims(b->c.y), weight);
    if (cr_vjp(&b->y[1], 1, &b->c.y, &w, b->c.n_wrt, b->c.wrt)) fail_msg("%s", cr_graph_error(b->c.g));
    for (int i = 0; i < b->c.n_wrt; i++) {
        b->y[b->n] = b->y[1 + i];
        b->n += has_value(b, b->y[b->n]);
    }
}

static void close_batch(struct batch *b) {
    for (int k = 0; k < b->c.n; k++)
        for (int s = 0; s < slices; s++) cr_array_free(b->data[k][s]);
    row_case_free(&b->c);
}

/* [slices, ..] with the slices' numbers. */
static cr_node stacked(struct batch *b, int k) {
    int64_t dims[CR_MAX_RANK] = {slices};
    const cr_array *a = b->data[k][0];
    size_t bytes = cr_array_bytes(a);
    char data[slices * most * 8];
    assert_true(bytes <= most * 8);
    for (int i = 0; i < cr_array_rank(a); i++) dims[i + 1] = cr_array_dims(a)[i];
    for (int s = 0; s < slices; s++) memcpy(data + (size_t)s * bytes, cr_array_data(b->data[k][s]), bytes);
    return cr_const(b->c.g, cr_array_dtype(a), cr_array_rank(a) + 1, dims, data);
}

static void values(struct batch *b, cr_node x, double out[]) {
    if (cr_eval_value(b->c.e, x, CR_F64, out, (size_t)cr_count(x) * sizeof *out))
        fail_msg("%s: %s", b->c.label,
                 cr_eval_error(b->c.e) ? cr_eval_error(b->c.e) : cr_graph_error(b->c.g));
}

/* 1e-12 of the largest: a product of other shape may add in another order. */
static void same(const struct batch *b, int which, int slice, const double found[], const double expected[],
                 int64_t n) {
    double size = 1;
    for (int64_t i = 0; i < n; i++) size = fmax(size, fabs(expected[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(found[i] - expected[i]) <= 1e-12 * size) && !(isnan(found[i]) && isnan(expected[i])) &&
            found[i] != expected[i])
            fail_msg("%s: %s of slice %d, element %d: %.17g, expected %.17g", b->c.label,
                     which ? "gradient" : "value", slice, (int)i, found[i], expected[i]);
}

/* Inputs k with a bit in `which` have slices; the others are as in slice 0. */
static void compare(struct batch *b, unsigned which) {
    cr_node xs[most_inputs], many[most_inputs], out[1 + most_inputs];
    static double found[1 + most_inputs][slices * most], expected[most];
    int n = 0;
    for (int k = 0; k < b->c.n; k++)
        if (which >> k & 1) xs[n] = b->c.x[k], many[n++] = stacked(b, k);
    if (cr_vmap(out, b->n, b->y, n, xs, many)) fail_msg("%s: %s", b->c.label, cr_graph_error(b->c.g));
    set_slice(b, 0, 0);
    for (int j = 0; j < b->n; j++) {
        assert_int_equal(cr_rank(out[j]), cr_rank(b->y[j]) + 1);
        assert_int_equal(cr_dims(out[j])[0], slices);
        assert_int_equal(cr_count(out[j]), slices * cr_count(b->y[j]));
        values(b, out[j], found[j]);
    }
    for (int s = 0; s < slices; s++) {
        set_slice(b, s, which);
        for (int j = 0; j < b->n; j++) {
            int64_t count = cr_count(b->y[j]);
            values(b, b->y[j], expected);
            same(b, j, s, found[j] + s * count, expected, count);
        }
    }
}

TEST(every_row_gives_for_many_slices_what_it_gives_for_each) {
    (void)state;
    for (int op = 1; op < OP_COUNT; op++) {
        int cases = 0;
        struct batch b = {0};
        if (op_kind(op) == KIND_LEAF || op_kind(op) == KIND_CONTROL || op == OP_part) continue;
        while (row_case_make(&b.c, op, cases, CR_F64)) {
            open_batch(&b);
            for (unsigned which = 1; which < 1u << b.c.n; which++) compare(&b, which);
            close_batch(&b);
            memset(&b, 0, sizeof b);
            cases++;
        }
        if (!cases) fail_msg("%s has no case", op_name(op));
    }
}

/* ---- What cases of a row do not reach ---- */

/* Leading axes that both operands have, one column, and many: folded into rows or columns. */
TEST(products_and_solves_share_the_operand_that_has_no_slices) {
    (void)state;
    static const struct {
        const char *formula;
        int rank_x, rank_y;
        int64_t dims_x[3], dims_y[3];
    } cases[] = {
        {"x @ y", 3, 3, {2, 3, 4}, {2, 4, 2}},
        {"x @ y", 2, 2, {3, 4}, {4, 1}},
        {"x @ y", 2, 1, {3, 4}, {4}},
        {"x @ y", 1, 2, {4}, {4, 3}},
        {"x @ y", 1, 1, {4}, {4}},
        {"solve(x - [[3, 0], [0, 3]], y)", 3, 3, {2, 2, 2}, {2, 2, 3}},
        {"solve(x - [[3, 0], [0, 3]], y)", 2, 1, {2, 2}, {2}},
        {"triangular_solve(x + 2, y, upper=true)", 3, 3, {2, 2, 2}, {2, 2, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct batch b = {.c = {.g = cr_graph_new(NULL), .n = 2, .n_wrt = 2}};
        double data[most];
        assert_int_equal(cr_eval_new(&b.c.e, b.c.g, NULL), CR_OK);
        for (int k = 0; k < 2; k++) {
            for (int j = 0; j < most; j++) data[j] = 1 + row_spread(j + 30 * k);
            b.c.x[k] = b.c.wrt[k] =
                cr_input(b.c.g, k ? "y" : "x", CR_F64, k ? cases[i].rank_y : cases[i].rank_x,
                         k ? cases[i].dims_y : cases[i].dims_x);
            cr_eval_set(b.c.e, b.c.x[k], CR_F64, data, (size_t)cr_count(b.c.x[k]) * sizeof *data);
        }
        b.c.y = cr_formula(b.c.g, cases[i].formula);
        snprintf(b.c.label, sizeof b.c.label, "%s", cases[i].formula);
        if (!cr_ok(b.c.y)) fail_msg("%s: %s", b.c.label, cr_graph_error(b.c.g));
        open_batch(&b);
        for (unsigned which = 1; which < 4; which++) compare(&b, which);
        close_batch(&b);
    }
}

static int count_ops(cr_graph *g, const char *op) {
    int n = 0;
    for (uint32_t id = 1; id < g->count; id++) n += strcmp(op_name(graph_at(g, id)->op), op) == 0;
    return n;
}

/* A table of a million rows is not repeated for each slice, nor is a weight. */
TEST(what_all_slices_share_is_not_repeated) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node table = cr_input(g, "table", CR_F64, 2, (int64_t[]){1000000, 4}),
            w = cr_input(g, "w", CR_F64, 2, (int64_t[]){4, 2}),
            i = cr_input(g, "i", CR_I64, 1, (int64_t[]){5}),
            many = cr_input(g, "many", CR_I64, 2, (int64_t[]){7, 5});
    cr_node y = cr_matmul(cr_gather(table, i, 0), w), out;
    assert_int_equal(cr_vmap(&out, 1, &y, 1, &i, &many), CR_OK);
    assert_int_equal(count_ops(g, "expand"), 0);
    assert_int_equal(cr_rank(out), 3);
    cr_graph_free(g);
}

/* uniform(key, [2]) of slice k is that of fold_in(key, k), unless the key itself has slices. */
TEST(random_draws_have_the_index_of_their_slice_in_their_key) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e = NULL;
    assert_int_equal(cr_eval_new(&e, g, NULL), CR_OK);
    cr_node x = cr_input(g, "x", CR_F64, 0, NULL), key = cr_input(g, "key", CR_I64, 0, NULL);
    double many[3] = {1, 2, 3}, found[6], expected[2];
    int64_t keys[3] = {5, 7, 5}, one = 42;
    cr_eval_set(e, key, CR_I64, &one, sizeof one);
    for (int dtype = CR_F32; dtype <= CR_F64; dtype++) {
        cr_node draw = cr_uniform(key, 1, (int64_t[]){2}, (cr_dtype)dtype),
                y = cr_mul(x, cr_cast(draw, CR_F64)), out;
        cr_node xs = cr_const(g, CR_F64, 1, (int64_t[]){3}, many),
                ks = cr_const(g, CR_I64, 1, (int64_t[]){3}, keys);
        assert_int_equal(cr_vmap(&out, 1, &y, 1, &x, &xs), CR_OK);
        assert_int_equal(cr_eval_value(e, out, CR_F64, found, sizeof found), CR_OK);
        for (int k = 0; k < 3; k++) {
            cr_node alone = cr_cast(
                cr_uniform(cr_fold_in(key, cr_number(g, k)), 1, (int64_t[]){2}, (cr_dtype)dtype), CR_F64);
            assert_int_equal(cr_eval_value(e, alone, CR_F64, expected, sizeof expected), CR_OK);
            for (int i = 0; i < 2; i++) assert_true(found[2 * k + i] == many[k] * expected[i]);
        }
        assert_int_equal(cr_vmap(&out, 1, (cr_node[]){cr_cast(draw, CR_F64)}, 1, &key, &ks), CR_OK);
        assert_int_equal(cr_eval_value(e, out, CR_F64, found, sizeof found), CR_OK);
        cr_node alone = cr_cast(cr_uniform(cr_number(g, 7), 1, (int64_t[]){2}, (cr_dtype)dtype), CR_F64);
        assert_int_equal(cr_eval_value(e, alone, CR_F64, expected, sizeof expected), CR_OK);
        assert_true(found[0] == found[4] && found[1] == found[5]);
        assert_true(found[2] == expected[0] && found[3] == expected[1]);
    }
    cr_eval_free(e);
    cr_graph_free(g);
}

TEST(what_does_not_depend_on_the_slices_is_repeated) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){2}), y = cr_input(g, "y", CR_F64, 1, (int64_t[]){3}),
            many = cr_input(g, "many", CR_F64, 2, (int64_t[]){4, 2}), out[2];
    cr_node ys[2] = {cr_square(y), x};
    assert_int_equal(cr_vmap(out, 2, ys, 1, &x, &many), CR_OK);
    assert_int_equal(cr_rank(out[0]), 2);
    assert_int_equal(cr_dims(out[0])[0], 4);
    assert_int_equal(cr_dims(out[0])[1], 3);
    assert_true(cr_same(out[1], many));
    cr_graph_free(g);
}

static void refused(cr_graph *g, cr_status expected, const char *sentence, int n_ys, const cr_node ys[],
                    int n, const cr_node xs[], const cr_node many[]) {
    cr_node out[2] = {0};
    assert_int_equal(cr_vmap(out, n_ys, ys, n, xs, many), expected);
    assert_false(cr_ok(out[0]));
    if (!strstr(cr_graph_error(g), sentence)) fail_msg("%s, expected %s", cr_graph_error(g), sentence);
    cr_graph_clear_error(g);
}

TEST(slices_that_do_not_fit_are_refused_with_a_sentence) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL), *other = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){2}), z = cr_input(g, "z", CR_F64, 0, NULL),
            y = cr_sin(x), many = cr_input(g, "many", CR_F64, 2, (int64_t[]){4, 3}),
            thin = cr_input(g, "thin", CR_F32, 2, (int64_t[]){4, 2}),
            five = cr_input(g, "five", CR_F64, 1, (int64_t[]){5}),
            four = cr_input(g, "four", CR_F64, 2, (int64_t[]){4, 2}),
            strange = cr_input(other, "x", CR_F64, 0, NULL);
    refused(g, CR_ESHAPE, "vmap: [4, 3] takes the place of [2]", 1, &y, 1, &x, &many);
    refused(g, CR_ESHAPE, "vmap: [2] takes the place of [2]", 1, &y, 1, &x, &x);
    refused(g, CR_EDTYPE, "vmap: f32 takes the place of f64", 1, &y, 1, &x, &thin);
    refused(g, CR_ESHAPE, "vmap: [5] takes the place of []", 1, &y, 2, (cr_node[]){x, z},
            (cr_node[]){four, five});
    refused(g, CR_EINVAL, "another graph", 1, &y, 1, &strange, &four);
    refused(g, CR_EINVAL, "nothing has slices", 1, &y, 0, NULL, NULL);
    assert_int_equal(cr_vmap(NULL, 0, NULL, 1, &x, &four), CR_OK);
    int64_t ones[CR_MAX_RANK];
    for (int i = 0; i < CR_MAX_RANK; i++) ones[i] = 1;
    cr_node wide = cr_mul(z, cr_input(g, "wide", CR_F64, CR_MAX_RANK, ones));
    refused(g, CR_ELIMIT, "rank 17 is above the limit of 16", 1, &wide, 1, &z, &five);
    cr_graph_free(g);
    cr_graph_free(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_row_gives_for_many_slices_what_it_gives_for_each),
        RUN(products_and_solves_share_the_operand_that_has_no_slices),
        RUN(what_all_slices_share_is_not_repeated),
        RUN(random_draws_have_the_index_of_their_slice_in_their_key),
        RUN(what_does_not_depend_on_the_slices_is_repeated),
        RUN(slices_that_do_not_fit_are_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
