/* Convolutions, pools, batch norm, attention and einsum: values by NumPy and SciPy in every way of computing, gradients by differences and
 * by the other mode, second derivatives both ways. */
#include "support/test.h"
#include "support/ways.h"

enum { most = 96 };

struct small {
    int rank;
    int64_t dims[5];
    double v[most];
};
struct composite {
    const char *text;
    bool einsum;
    struct small x, y, result;
};

#define D(...) \
    { __VA_ARGS__ }
#define T(rank, dims, ...)          \
    {                               \
        rank, dims, { __VA_ARGS__ } \
    }
#define CASE(formula, ...)   {formula, false, __VA_ARGS__},
#define EINSUM(indices, ...) {indices, true, __VA_ARGS__},
static const struct composite cases[] = {
#include "../data/composites.inc"
};
enum { count = sizeof cases / sizeof *cases };

static cr_node build(cr_graph *g, const struct composite *c, cr_node x[2]) {
    static const char *const names[] = {"x", "y"};
    for (int k = 0; k < 2; k++) {
        const struct small *s = k ? &c->y : &c->x;
        x[k] = cr_input(g, names[k], CR_F64, s->rank, s->dims);
    }
    if (!c->einsum) return cr_formula(g, c->text);
    cr_attr indices = {"indices", 0, NULL, c->text};
    cr_node y = cr_einsum(c->text, 2, x);
    assert_true(cr_same(y, cr_op(g, "einsum", 2, x, 1, &indices)));
    return y;
}

TEST(values_are_those_of_numpy_and_scipy_in_every_way) {
    (void)state;
    for (int i = 0; i < count; i++) {
        const struct composite *c = &cases[i];
        cr_graph *g = cr_graph_new(NULL);
        cr_node x[2], y = build(g, c, x);
        double data[2][most], found[most];
        if (!cr_ok(y)) fail_msg("%s: %s", c->text, cr_graph_error(g));
        assert_int_equal(cr_rank(y), c->result.rank);
        for (int k = 0; k < cr_rank(y); k++)
            if (cr_dims(y)[k] != c->result.dims[k])
                fail_msg("%s: axis %d is %d", c->text, k, (int)cr_dims(y)[k]);
        memcpy(data[0], c->x.v, sizeof data[0]);
        memcpy(data[1], c->y.v, sizeof data[1]);
        struct given in[] = {{"x", CR_F64, c->x.rank, c->x.dims, data[0], NULL},
                             {"y", CR_F64, c->y.rank, c->y.dims, data[1], NULL}};
        for (enum way way = 0; way < WAYS; way++) {
            compute(way, y, 2, in, found, (size_t)cr_count(y) * sizeof *found);
            for (int64_t j = 0; j < cr_count(y); j++)
                if (!(found[j] == c->result.v[j] || fabs(found[j] - c->result.v[j]) <= 1e-13))
                    fail_msg("%s by %s, element %d: %.17g, expected %.17g", c->text, way_name(way), (int)j,
                             found[j], c->result.v[j]);
        }
        cr_graph_free(g);
    }
}

/* Queries and keys without numbers have scores of 0, not 0 times 1/sqrt(0): every value weighs the same. */
TEST(attention_over_no_numbers_is_a_mean) {
    (void)state;
    double nothing[1] = {0}, v[] = {1, 2, 3, 4, 5, 7};
    for (int way = 0; way < WAYS; way++) {
        cr_graph *g = cr_graph_new(NULL);
        const int64_t q[] = {2, 0}, k[] = {3, 0}, values[] = {3, 2};
        double found[4];
        cr_node y = cr_attention(cr_input(g, "q", CR_F64, 2, q), cr_input(g, "k", CR_F64, 2, k),
                                 cr_input(g, "v", CR_F64, 2, values), false);
        struct given in[] = {{"q", CR_F64, 2, q, nothing, NULL},
                             {"k", CR_F64, 2, k, nothing, NULL},
                             {"v", CR_F64, 2, values, v, NULL}};
        compute((enum way)way, y, 3, in, found, sizeof found);
        for (int i = 0; i < 4; i++)
            if (!(fabs(found[i] - (i % 2 ? 13.0 / 3 : 3)) <= 1e-13))
                fail_msg("%s, element %d: %.17g", way_name((enum way)way), i, found[i]);
        cr_graph_free(g);
    }
}

/* ---- Derivatives ---- */

struct place {
    cr_graph *g;
    cr_eval *e;
    cr_node x[2], y, w, t;
};

static void set(struct place *p, cr_node x, const double *data) {
    assert_int_equal(cr_eval_set(p->e, x, CR_F64, data, (size_t)cr_count(x) * sizeof *data), CR_OK);
}

static double number(struct place *p, cr_node x) {
    double v = cr_eval_number(p->e, x);
    if (isnan(v)) fail_msg("%s", cr_eval_error(p->e) ? cr_eval_error(p->e) : "nan");
    return v;
}

static cr_node dot(cr_node a, cr_node b) { return cr_sum(cr_mul(a, b), 0, NULL, false); }

/* <w, y(x + h t) - y(x - h t)> / 2h, Richardson's first step: the ops are of degree 2 at most, or smooth. */
static double difference(struct place *p, const struct small *s, int k, const double t[]) {
    double d[2], moved[most], h = 1e-3;
    cr_node y = dot(p->w, p->y);
    for (int i = 0; i < 2; i++, h /= 2) {
        double side[2];
        for (int sign = 0; sign < 2; sign++) {
            for (int j = 0; j < most; j++) moved[j] = s->v[j] + (sign ? -h : h) * t[j];
            set(p, p->x[k], moved);
            side[sign] = number(p, y);
        }
        d[i] = (side[0] - side[1]) / (2 * h);
    }
    set(p, p->x[k], s->v);
    return (4 * d[1] - d[0]) / 3;
}

static void check_operand(const struct composite *c, int k) {
    struct place p = {.g = cr_graph_new(NULL)};
    double weights[most], t[most];
    p.y = build(p.g, c, p.x);
    const struct small *s = k ? &c->y : &c->x;
    p.w = cr_input(p.g, "w", CR_F64, cr_rank(p.y), cr_dims(p.y));
    p.t = cr_input(p.g, "t", CR_F64, s->rank, s->dims);
    for (int i = 0; i < most; i++) weights[i] = cos(7 * i + 1), t[i] = cos(5 * i + 3);
    cr_eval_new(&p.e, p.g, NULL);
    set(&p, p.x[0], c->x.v), set(&p, p.x[1], c->y.v), set(&p, p.w, weights), set(&p, p.t, t);
    cr_node d, forward, along_d, again, square = cr_mul(p.y, p.y), ones = cr_mul(p.w, p.w);
    assert_int_equal(cr_vjp(&d, 1, &p.y, &p.w, 1, &p.x[k]), CR_OK);
    assert_int_equal(cr_jvp(&forward, 1, &p.y, 1, &p.x[k], &p.t), CR_OK);
    double by_forward = number(&p, dot(p.w, forward)), by_reverse = number(&p, dot(d, p.t)),
           by_difference = difference(&p, s, k, t), size = fmax(1, fabs(by_difference));
    if (!(fabs(by_forward - by_difference) <= 1e-8 * size) ||
        !(fabs(by_reverse - by_forward) <= 1e-12 * size))
        fail_msg("%s by operand %d: forward %.17g, reverse %.17g, difference %.17g", c->text, k, by_forward,
                 by_reverse, by_difference);
    assert_int_equal(cr_vjp(&d, 1, &square, &ones, 1, &p.x[k]), CR_OK);
    assert_int_equal(cr_jvp(&along_d, 1, &d, 1, &p.x[k], &p.t), CR_OK);
    assert_int_equal(cr_vjp(&again, 1, &d, &p.t, 1, &p.x[k]), CR_OK);
    cr_node apart = cr_max(cr_abs(cr_sub(along_d, again)), 0, NULL, false),
            scale = cr_max(cr_abs(again), 0, NULL, false);
    if (cr_count(d) && !(number(&p, apart) <= 1e-12 * fmax(1, number(&p, scale))))
        fail_msg("%s by operand %d: second derivatives differ by %g", c->text, k, number(&p, apart));
    cr_eval_free(p.e);
    cr_graph_free(p.g);
}

TEST(derivatives_agree_with_differences_and_each_other) {
    (void)state;
    for (int i = 0; i < count; i++) {
        check_operand(&cases[i], 0);
        check_operand(&cases[i], 1);
    }
}

/* [1, 1] and [2, 1, 2]: the first of the greatest takes all, at orders one and two. */
TEST(the_first_maximum_of_a_pool_takes_the_derivative) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e;
    static const double at[] = {1, 1, 2, 1, 2, 2};
    double found[6];
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){6}), d, dd;
    cr_node loss = cr_formula(g, "sum(max_pool(x, 3)^3)");
    cr_eval_new(&e, g, NULL);
    cr_eval_set(e, x, CR_F64, at, sizeof at);
    assert_int_equal(cr_grad(&d, loss, 1, &x), CR_OK);
    assert_int_equal(cr_grad(&dd, cr_sum(d, 0, NULL, false), 1, &x), CR_OK);
    cr_eval_value(e, d, CR_F64, found, sizeof found);
    assert_memory_equal(found, ((double[]){0, 0, 12, 0, 12, 0}), sizeof found);
    cr_eval_value(e, dd, CR_F64, found, sizeof found);
    assert_memory_equal(found, ((double[]){0, 0, 12, 0, 12, 0}), sizeof found);
    cr_eval_free(e);
    cr_graph_free(g);
}

TEST(einsum_says_what_is_wrong_with_its_indices) {
    (void)state;
    static const char *const wrong[][2] = {
        {"ij,jk->ik", "einsum: 'ij,jk->ik': j is 3 in one place and 2 in another"},
        {"ij,ik->iz", "the result has an index that no operand has"},
        {"ij,ik->ii", "the result has an index twice"},
        {"ijk,ij->k", "an operand [2, 3] has another number of indices"},
        {"ij->ij", "expected indices for each operand, with commas between"},
        {"ij,ik,kl->jl", "expected indices for each operand, then ->"},
        {"i1,ij->j", "expected letters, commas and one ->"},
        {"ij,ij-ij", "expected indices for each operand, then ->"},
        {"...i,ij->j", "expected letters, commas and one ->"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_node x = cr_input(g, "x", CR_F64, 2, (int64_t[]){2, 3});
        assert_false(cr_ok(cr_einsum(wrong[i][0], 2, (cr_node[]){x, x})));
        if (!strstr(cr_graph_error(g), wrong[i][1])) fail_msg("%s: %s", wrong[i][0], cr_graph_error(g));
        cr_graph_free(g);
    }
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){2});
    assert_false(cr_ok(cr_op(g, "einsum", 1, &x, 0, NULL)));
    assert_false(cr_ok(cr_einsum("i", 0, NULL)));
    assert_false(cr_ok(cr_einsum(NULL, 1, &x)));
    cr_graph_free(g);
}

/* Three operands, against products two at a time. */
TEST(einsum_of_three_is_two_products) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_eval *e;
    cr_eval_new(&e, g, NULL);
    cr_node x = cr_uniform(cr_number(g, 1), 2, (int64_t[]){3, 4}, CR_F64),
            y = cr_uniform(cr_number(g, 2), 2, (int64_t[]){4, 5}, CR_F64),
            z = cr_uniform(cr_number(g, 3), 2, (int64_t[]){5, 2}, CR_F64);
    cr_node all = cr_einsum("ij,jk,kl->li", 3, (cr_node[]){x, y, z}),
            two = cr_t(cr_matmul(cr_matmul(x, y), z));
    assert_true(cr_eval_number(e, cr_max(cr_abs(cr_sub(all, two)), 0, NULL, false)) < 1e-14);
    cr_eval_free(e);
    cr_graph_free(g);
}

/* conv, pools, einsum, eigh and their gradient, built, compiled and run. */
static cr_status all_of_it(cr_context *ctx, void *arg) {
    (void)arg;
    static double at[16];
    cr_graph *g = cr_graph_new(ctx);
    cr_program *p = NULL;
    cr_run *r = NULL;
    double loss = 0;
    for (int i = 0; i < 16; i++) at[i] = cos(i);
    cr_node x = cr_input(g, "x", CR_F64, 2, (int64_t[]){4, 4}), d = {0},
            image = cr_reshape(x, 4, (int64_t[]){1, 1, 4, 4}),
            kernel =
                cr_slice(image, 4, (int64_t[]){0, 0, 1, 1}, (int64_t[]){1, 1, 1, 1}, (int64_t[]){1, 1, 2, 2});
    cr_node pooled = cr_max_pool(cr_conv(image, kernel, 1, (int64_t[]){1}, NULL, (int64_t[]){1}, NULL, 1), 2,
                                 (int64_t[]){2, 2}, NULL, NULL, NULL, NULL);
    cr_node y = cr_add(cr_sum(pooled, 0, NULL, false), cr_einsum("ij,kj,ii->", 3, (cr_node[]){x, x, x}));
    y = cr_add(y, cr_add(cr_sum(cr_eigh_vectors(x), 0, NULL, false), cr_logabsdet(x)));
    cr_status s = cr_grad(&d, y, 1, &x);
    cr_target *t = cr_target_new(g);
    if (!s) s = cr_target_output(t, "loss", y);
    if (!s) s = cr_target_output(t, "d", d);
    if (!s) s = cr_compile(&p, t, NULL);
    if (!s) s = cr_run_new(&r, p, NULL, NULL, 0);
    if (!s) s = cr_bind(r, "x", CR_F64, at, sizeof at);
    if (!s) s = cr_bind(r, "loss", CR_F64, &loss, sizeof loss);
    if (!s) s = cr_step(r);
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return s == CR_EINVAL ? CR_ENOMEM : s; /* no graph, no target: what their NULL answers */
}

TEST(every_failed_allocation_is_a_status_and_nothing_leaks) {
    (void)state;
    alloc_fail_each(all_of_it, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(values_are_those_of_numpy_and_scipy_in_every_way),
        RUN(attention_over_no_numbers_is_a_mean),
        RUN(derivatives_agree_with_differences_and_each_other),
        RUN(the_first_maximum_of_a_pool_takes_the_derivative),
        RUN(einsum_says_what_is_wrong_with_its_indices),
        RUN(einsum_of_three_is_two_products),
        RUN(every_failed_allocation_is_a_status_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
