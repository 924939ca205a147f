/* Graphs at random, of all elementwise rows and every kind of structure, in f32 and f64, of ranks 0 to 8 and sizes from 0 on: every way
 * of computing agrees on values, tangents, cotangents and second derivatives, and the modes agree with each other. CHECK_SCALE
 * multiplies how many. */
#include "support/test.h"
#include "support/rows.h"
#include "support/ways.h"

#include "ops/build.h"

enum { most_nodes = 16, most_inputs = 3, most_elements = 48, most_size = 4 };

/* One graph in the making. */
struct made {
    cr_graph *g;
    uint64_t seed; /* of the next choice (splitmix64: Steele, Lea, Flood 2014) */
    cr_dtype dtype;
    cr_node pool[most_nodes]; /* all of this dtype */
    int n, inputs;
    bool jumps;   /* something is not continuous: a last digit may decide */
    bool narrows; /* something is rounded to less than its dtype, which the oracle does not do */
    cr_node x[most_inputs], t[most_inputs];
    struct given in[2 * most_inputs + 1];
    int given;
    double data[2 * most_inputs + 1][most_elements];
    char name[2 * most_inputs + 1][4];
    int64_t dims[2 * most_inputs + 1][CR_MAX_RANK];
};

static uint64_t next(struct made *m) {
    uint64_t z = (m->seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int pick(struct made *m, int n) { return (int)(next(m) % (uint64_t)n); }
static double uniform(struct made *m) { return (double)(next(m) >> 11) * 0x1p-53; }
static cr_node any(struct made *m) { return m->pool[pick(m, m->n)]; }
static cr_node number(struct made *m, double v) { return cr_number(m->g, v); }

/* ---- Inputs ---- */

static cr_node add_input(struct made *m, const char *name, int rank, const int64_t dims[]) {
    int i = m->given++;
    snprintf(m->name[i], sizeof *m->name, "%s", name);
    for (int k = 0; k < rank; k++) m->dims[i][k] = dims[k];
    m->in[i] = (struct given){m->name[i], m->dtype, rank, m->dims[i], m->data[i], NULL};
    cr_node x = cr_input(m->g, m->name[i], m->dtype, rank, m->dims[i]);
    for (int64_t j = 0; j < cr_count(x); j++) {
        double v = 2 * uniform(m) - 1;
        if (m->dtype == CR_F32) ((float *)m->data[i])[j] = (float)v;
        else m->data[i][j] = v;
    }
    return x;
}

/* Mostly small ranks; now and then 8, and a size of 0 or 1. */
static int random_shape(struct made *m, int64_t dims[]) {
    int rank = pick(m, 8) ? pick(m, 4) : 8;
    int64_t count = 1;
    for (int k = 0; k < rank; k++) {
        dims[k] = pick(m, 24) ? 1 + pick(m, most_size) : 0;
        if (count * dims[k] > most_elements / 2) dims[k] = 1;
        count *= dims[k];
    }
    return rank;
}

/* ---- Ops ---- */

/* x moved smoothly into the domain: what elementwise rows are sampled in. */
static cr_node into(struct made *m, cr_node x, double low, double high) {
    return cr_add(number(m, low), cr_mul(number(m, high - low), cr_sigmoid(x)));
}

static bool same_shape(cr_node a, cr_node b) {
    bool same = cr_rank(a) == cr_rank(b);
    for (int k = 0; same && k < cr_rank(a); k++) same = cr_dims(a)[k] == cr_dims(b)[k];
    return same;
}

/* Another operand for a: of its shape, or one that is repeated along some of its axes. */
static cr_node partner(struct made *m, cr_node a) {
    cr_node b = any(m);
    int axis = -1;
    if (same_shape(a, b)) return b;
    if (cr_rank(a) && pick(m, 2)) return cr_sum(a, 1, &axis, true);
    return cr_sum(b, 0, NULL, false);
}

/* An elementwise row of the table, whichever there are. */
static cr_node elementwise(struct made *m, cr_node a) {
    int op = 1 + pick(m, OP_COUNT - 1);
    const struct op_row *row = ops_row(op);
    bool fraction = row->dtype == DTYPE_NUMBER || row->dtype == DTYPE_FLOAT;
    if (op_kind(op) != KIND_ELEM || !fraction) return graph_error_node(m->g);
    bool free = row->low < -1 && op != OP_sinh && op != OP_cosh && op != OP_exp && op != OP_exp2 &&
                op != OP_expm1 && op != OP_stumpff; /* does not grow fast, and is defined everywhere */
    cr_node x[2] = {a, row_arity(op) > 1 ? partner(m, a) : a};
    for (int k = 0; k < 2; k++)
        if (!free || pick(m, 2)) x[k] = into(m, x[k], row->low, row->high);
    double n = pick(m, 4);
    cr_attr attr = {"n", 1, &n, NULL};
    m->jumps |= row->class == CLASS_ZERO_DERIVATIVE || op == OP_mod || op == OP_fmod;
    return cr_op(m->g, row->name, row_arity(op), x, row_has_n(op), &attr);
}

static cr_node choose(struct made *m, cr_node a) {
    cr_node b = partner(m, a);
    m->jumps = true;
    return cr_where(cr_lt(a, cr_add(b, number(m, 0.01))), cr_sin(a), b);
}

static cr_node reduce(struct made *m, cr_node a) {
    int axes[2] = {-1, -2}, n = cr_rank(a) < 2 ? cr_rank(a) : pick(m, 3);
    bool keep = pick(m, 2);
    switch (pick(m, 5)) {
    case 0: return cr_sum(a, n, axes, keep);
    case 1: return cr_prod(into(m, a, 0.5, 1.5), n, axes, keep);
    case 2: return cr_count(a) ? cr_max(a, n, axes, keep) : a;
    case 3: return cr_count(a) ? cr_min(a, n, axes, keep) : a;
    default: return cr_count(a) ? cr_logsumexp(a, n, axes, keep) : a;
    }
}

static cr_node view(struct made *m, cr_node a) {
    int64_t dims[CR_MAX_RANK], start[CR_MAX_RANK], step[CR_MAX_RANK], count[CR_MAX_RANK];
    int rank = cr_rank(a), axes[CR_MAX_RANK];
    for (int k = 0; k < rank; k++) {
        int64_t size = cr_dims(a)[k];
        bool back = size && pick(m, 2);
        dims[k + 1] = size;
        axes[k] = (k + 1) % rank;
        step[k] = back ? -1 : 1 + pick(m, 2);
        start[k] = back ? size - 1 : 0;
        count[k] = back ? size : (size + step[k] - 1) / step[k];
    }
    dims[0] = 1 + pick(m, 2);
    switch (pick(m, 5)) {
    case 0: return cr_reshape(a, 1, (int64_t[]){cr_count(a)});
    case 1: return rank ? cr_permute(a, rank, axes) : a;
    case 2: return rank < 8 && dims[0] * cr_count(a) <= most_elements ? cr_expand(a, rank + 1, dims) : a;
    case 3: return cr_slice(a, rank, start, step, count);
    default: /* zeros between and behind */
        for (int k = 0; k < rank; k++) start[k] = k % 2, step[k] = 1, count[k] = cr_dims(a)[k] + 1;
        return cr_unslice(a, rank, start, step, count);
    }
}

static cr_node along(struct made *m, cr_node a) {
    bool flag = pick(m, 2);
    int axis = cr_rank(a) ? -1 - pick(m, cr_rank(a)) : 0;
    cr_node both[2] = {a, cr_cos(a)};
    if (!cr_rank(a)) return a;
    switch (pick(m, 5)) {
    case 0: return cr_cumsum(a, axis, flag);
    case 1: return cr_recur(cr_tanh(a), cr_sin(a), axis, flag);
    case 2: return cr_sort(a, axis, flag);
    case 3: return cr_concat(2, both, axis);
    default: return cr_count(a) ? cr_softmax(a, axis) : a;
    }
}

static cr_node by_index(struct made *m, cr_node a) {
    static const int64_t at[5] = {0, 1, 1, 0, 2};
    int64_t rows = cr_rank(a) ? cr_dims(a)[0] : 0, three = 3, one = 1,
            size = cr_rank(a) ? cr_dims(a)[cr_rank(a) - 1] : 0;
    cr_node index = cr_const(m->g, CR_I64, 1, &three, at + pick(m, 3));
    switch (pick(m, 4)) {
    case 0: return rows >= 3 ? cr_gather(a, index, 0) : a;
    case 1: return rows == 3 ? cr_scatter_add(a, index, 4, 0) : a;
    case 2:
        return size >= 2 ? cr_window_add(cr_window(a, 1, (int64_t[]){2}, &one, &one), 1,
                                         (int64_t[]){size + 1}, &one, &one)
                         : a;
    default: m->jumps |= size > 0; return size ? cr_cast(cr_argmax(a, -1), m->dtype) : a;
    }
}

/* a a' and n on its diagonal: never far from well conditioned. */
static cr_node algebra(struct made *m, cr_node a) {
    cr_node b = cr_rank(a) >= 2 ? cr_tanh(a) : a, square, eye;
    if (cr_rank(a) < 2) return a;
    int64_t n = cr_dims(a)[cr_rank(a) - 2];
    square = cr_matmul(b, cr_t(b));
    cr_node i = cr_iota(m->g, n), column = cr_reshape(i, 2, (int64_t[]){n, 1}),
            row = cr_reshape(i, 2, (int64_t[]){1, n});
    eye = cr_where(cr_eq(row, column), cr_cast(number(m, 3), m->dtype), number(m, 0));
    switch (pick(m, 5)) {
    case 0: return cr_matmul(a, cr_t(b));
    case 1: return cr_cholesky(cr_add(square, eye));
    case 2: return cr_solve(cr_add(square, eye), b);
    case 3: return cr_triangular_solve(cr_add(square, eye), b, pick(m, 2));
    default: return cr_logabsdet(cr_add(square, eye));
    }
}

/* Into less and back: what is lost is the same in every way. */
static cr_node recast(struct made *m, cr_node a) {
    cr_dtype to = pick(m, 2) ? CR_F16 : m->dtype == CR_F64 ? CR_F32 : CR_F64;
    m->narrows |= to != CR_F64;
    return cr_cast(cr_cast(a, to), m->dtype);
}

static cr_node random_op(struct made *m) {
    cr_node a = any(m);
    switch (pick(m, 16)) {
    case 0: return reduce(m, a);
    case 1:
    case 2: return view(m, a);
    case 3: return along(m, a);
    case 4: return by_index(m, a);
    case 5: return algebra(m, a);
    case 6: return choose(m, a);
    case 7: return recast(m, a);
    default: return elementwise(m, a);
    }
}

static void make(struct made *m, uint64_t seed) {
    static const char *const names[] = {"x", "y", "z"}, *const directions[] = {"tx", "ty", "tz"};
    int64_t dims[CR_MAX_RANK];
    *m = (struct made){.g = cr_graph_new(NULL), .seed = seed};
    m->dtype = pick(m, 3) ? CR_F64 : CR_F32;
    m->inputs = 1 + pick(m, most_inputs);
    for (int i = 0; i < m->inputs; i++) {
        int rank = random_shape(m, dims);
        m->pool[m->n++] = m->x[i] = add_input(m, names[i], rank, dims);
        m->t[i] = add_input(m, directions[i], rank, dims);
    }
    int nodes = m->inputs + 3 + pick(m, most_nodes - most_inputs - 3);
    for (int tries = 0; m->n < nodes && tries < 100; tries++) {
        cr_node y = random_op(m);
        if (cr_graph_error(m->g)) fail_msg("seed %llu: %s", (unsigned long long)seed, cr_graph_error(m->g));
        if (cr_ok(y) && cr_dtype_of(y) == m->dtype && cr_count(y) <= most_elements && cr_rank(y) <= 8)
            m->pool[m->n++] = y;
    }
}

/* ---- What must agree ---- */

/* All results in one vector of f64, part by part. */
enum part { VALUE, TANGENT, COTANGENT, HVP, HVP_REVERSE, PARTS };

struct results {
    cr_node all;
    int64_t
        start[PARTS +
              1]; /* of the parts that one product is made of: cotangents by all inputs one after the other */
};

static cr_node flat(cr_node x) {
    cr_node y = cr_reshape(x, 1, (int64_t[]){cr_count(x)});
    return cr_dtype_of(y) == CR_F64 ? y : cr_cast(y, CR_F64);
}

/* sum(w y) of everything in the pool that nothing else uses would be all of it: so of the last few. */
static void differentiate(struct made *m, struct results *r) {
    cr_node part[3 * most_inputs + 2], v[most_inputs], loss = number(m, 0), value, tangent;
    int n = 0;
    for (int i = m->n - 1; i >= 0 && i >= m->n - 4; i--) {
        cr_node bounded = cr_sin(cr_mul(m->pool[i], number(m, 0.5 + 0.25 * i)));
        loss = cr_add(loss, cr_sum(bounded, 0, NULL, false));
    }
    value = cr_cast(loss, m->dtype);
    r->start[VALUE] = 0, part[n++] = flat(value);
    assert_int_equal(cr_jvp(&tangent, 1, &value, m->inputs, m->x, m->t), CR_OK);
    part[n++] = flat(tangent);
    assert_int_equal(cr_grad(v, value, m->inputs, m->x), CR_OK);
    cr_node along = number(m, 0), h[most_inputs], h2[most_inputs];
    for (int i = 0; i < m->inputs; i++) {
        part[n++] = flat(v[i]);
        along = cr_add(along, cr_sum(cr_mul(v[i], m->t[i]), 0, NULL, false));
    }
    along = cr_cast(along, m->dtype);
    assert_int_equal(cr_jvp(h, m->inputs, v, m->inputs, m->x, m->t), CR_OK);
    assert_int_equal(cr_grad(h2, along, m->inputs, m->x), CR_OK);
    for (int i = 0; i < m->inputs; i++) part[n++] = flat(h[i]);
    for (int i = 0; i < m->inputs; i++) part[n++] = flat(h2[i]);
    r->all = cr_concat(n, part, 0);
    int64_t inputs = 0;
    for (int i = 0; i < m->inputs; i++) inputs += cr_count(m->x[i]);
    for (int p = TANGENT; p <= PARTS; p++)
        r->start[p] = p == TANGENT ? 1 : p == COTANGENT ? 2 : 2 + (p - COTANGENT) * inputs;
}

enum { most_results = 2 + 3 * most_inputs * most_elements };

/* |a - b| <= tolerance times the largest element of the part. */
static void compare(const struct made *m, uint64_t seed, const char *what, const double a[], const double b[],
                    int64_t n, double tolerance) {
    double size = 1;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(a[i])) size = fmax(size, fabs(a[i]));
    for (int64_t i = 0; i < n; i++) {
        bool same = (isnan(a[i]) && isnan(b[i])) || a[i] == b[i] || fabs(a[i] - b[i]) <= tolerance * size;
        if (same) continue;
        cr_text *t = NULL;
        cr_text_new(&t, NULL);
        cr_print(t, m->pool[m->n - 1]);
        fail_msg("seed %llu: %s, element %d: %.17g and %.17g\nlast: %s", (unsigned long long)seed, what,
                 (int)i, a[i], b[i], cr_text_str(t));
    }
}

/* Derivatives in the thousands multiply the last of seven digits to more than the tolerance of f32. */
static bool is_steep(const double found[], int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (isfinite(found[i]) && fabs(found[i]) > 1e3) return true;
    return false;
}

static void compare_ways(struct made *m, const struct results *r, uint64_t seed, const double found[]) {
    static const char *const names[] = {"value", "tangent", "cotangent", "second derivative",
                                        "second derivative, reverse"};
    double other[most_results];
    int64_t count = cr_count(r->all);
    for (enum way way = WAY_CPU; way < WAYS; way++) {
        char what[64];
        bool oracle = way == WAY_REFERENCE;
        bool loose = m->narrows || (m->dtype == CR_F32 && (m->jumps || is_steep(found, count)));
        if (oracle && loose) continue; /* it has more digits */
        compute(way, r->all, m->given, m->in, other, (size_t)count * sizeof *other);
        for (int p = 0; p < PARTS; p++) {
            snprintf(what, sizeof what, "%s by cr_eval and %s", names[p], way_name(way));
            double tolerance = !oracle ? 0 : m->dtype == CR_F64 ? 1e-9 : 1e-2;
            compare(m, seed, what, found + r->start[p], other + r->start[p], r->start[p + 1] - r->start[p],
                    tolerance);
        }
    }
}

/* <grad, t> is the tangent; the second derivative has two ways of its own. */
static void compare_modes(struct made *m, const struct results *r, uint64_t seed, const double found[]) {
    double dot = 0, tolerance = m->narrows ? 2e-2 : m->dtype == CR_F64 ? 1e-9 : 2e-3, size = 1;
    const double *gradient = found + r->start[COTANGENT];
    int64_t n = r->start[HVP] - r->start[COTANGENT];
    for (int i = 0, at = 0; i < m->inputs; i++)
        for (int64_t j = 0; j < cr_count(m->x[i]); j++, at++) {
            const double *t = m->data[2 * i + 1];
            double term = gradient[at] * (m->dtype == CR_F32 ? (double)((const float *)t)[j] : t[j]);
            dot += term, size += fabs(term);
        }
    if (isfinite(dot))
        compare(m, seed, "gradient times direction, and tangent", &dot, found + r->start[TANGENT], 1,
                tolerance * size);
    compare(m, seed, "second derivative forward over reverse, and reverse over reverse",
            found + r->start[HVP], found + r->start[HVP_REVERSE], n, tolerance);
}

static bool all_finite(const double x[], int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

TEST(every_way_and_both_modes_agree_on_random_graphs) {
    (void)state;
    int finite = 0, smooth = 0, narrow = 0, empty = 0, scalar = 0, eight = 0;
    for (int i = 0; i < rounds(2000); i++) {
        struct made m;
        struct results r;
        double found[most_results];
        make(&m, (uint64_t)i);
        differentiate(&m, &r);
        if (cr_graph_error(m.g)) fail_msg("seed %d: %s", i, cr_graph_error(m.g));
        int64_t count = cr_count(r.all);
        compute(WAY_EVAL, r.all, m.given, m.in, found, (size_t)count * sizeof *found);
        compare_ways(&m, &r, (uint64_t)i, found);
        bool is_finite = all_finite(found, count);
        if (is_finite) compare_modes(&m, &r, (uint64_t)i, found);
        finite += is_finite, smooth += !m.jumps, narrow += m.dtype == CR_F32;
        for (int k = 0; k < m.n; k++) {
            empty += cr_count(m.pool[k]) == 0, scalar += cr_rank(m.pool[k]) == 0,
                eight += cr_rank(m.pool[k]) == 8;
        }
        cr_graph_free(m.g);
    }
    print_message("%d graphs: %d finite throughout, %d without jumps, %d in f32; nodes of size 0: %d, rank "
                  "0: %d, rank 8: %d\n",
                  rounds(2000), finite, smooth, narrow, empty, scalar, eight);
    assert_true(10 * finite > 9 * rounds(2000));
    assert_true(empty > rounds(2000) / 20 && scalar > rounds(2000) / 20 && eight > rounds(2000) / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_way_and_both_modes_agree_on_random_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
