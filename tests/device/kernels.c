/* Kernels that look for the extreme of lines, pick numbers by index, add rows by index, and turn planes over, beside a plain loop over
 * the same numbers. */
#include "support/test.h"

enum { most = 6000 };

static uint64_t seed = 3;
static int below(int n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (int)((seed >> 33) % (uint64_t)n);
}

static size_t size_of(cr_dtype dtype) { return dtype == CR_F64 || dtype == CR_I64 ? 8 : 4; }

static void put(cr_dtype dtype, void *to, int64_t i, double v) {
    switch (dtype) {
    case CR_F64: ((double *)to)[i] = v; break;
    case CR_F32: ((float *)to)[i] = (float)v; break;
    case CR_I64: ((int64_t *)to)[i] = (int64_t)v; break;
    default: ((int32_t *)to)[i] = (int32_t)v;
    }
}

/* One step of a graph over x, and over the indices i if there are any; y is freed with the rest. */
static cr_status computed(cr_graph *g, cr_node y, cr_dtype dtype, void *x, size_t bytes, int64_t *i,
                          size_t indices, void *to) {
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_run *r = NULL;
    if (cr_target_output(t, "y", y) || cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(g));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    assert_int_equal(cr_bind(r, "x", dtype, x, bytes), CR_OK);
    if (i) assert_int_equal(cr_bind(r, "i", CR_I64, i, indices * sizeof *i), CR_OK);
    assert_int_equal(cr_bind(r, "y", cr_dtype_of(y), to, (size_t)cr_count(y) * size_of(cr_dtype_of(y))),
                     CR_OK);
    cr_status status = cr_step(r);
    cr_run_free(r);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return status;
}

/* The first of the largest, or of the smallest; of those that are nan if there is one. */
static int64_t expected(const double *x, int64_t n, int64_t step, bool least) {
    int64_t at = 0;
    for (int64_t k = 0; k < n; k++)
        if (isnan(x[k * step])) return k;
    for (int64_t k = 1; k < n; k++)
        if (least ? x[k * step] < x[at * step] : x[k * step] > x[at * step]) at = k;
    return at;
}

static void extremes(cr_dtype dtype, int64_t lines, int64_t n, bool turned, bool least, int nans) {
    static double value[most], room[most];
    int64_t y[most];
    for (int64_t i = 0; i < lines * n; i++) value[i] = below(7) - 3; /* few, so that many are equal */
    for (int i = 0; i < nans; i++) value[below((int)(lines * n))] = NAN;
    for (int64_t i = 0; i < lines * n; i++) put(dtype, room, i, value[i]);
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", dtype, 2, turned ? (int64_t[]){n, lines} : (int64_t[]){lines, n});
    int axis = turned ? 0 : 1;
    cr_node at = least ? cr_argmin(x, axis) : cr_argmax(x, axis);
    assert_int_equal(computed(g, at, dtype, room, (size_t)(lines * n) * size_of(dtype), NULL, 0, y), CR_OK);
    for (int64_t i = 0; i < lines; i++) {
        int64_t found = expected(value + (turned ? i : i * n), n, turned ? lines : 1, least);
        if (y[i] != found)
            fail_msg("%s of %s, %d lines of %d: line %d: %d, expected %d", least ? "argmin" : "argmax",
                     cr_dtype_name(dtype), (int)lines, (int)n, (int)i, (int)y[i], (int)found);
    }
}

TEST(the_first_of_the_extremes_is_found_in_lines_of_every_length) {
    (void)state;
    static const cr_dtype dtypes[] = {CR_F64, CR_F32, CR_I64, CR_I32};
    static const int64_t shapes[][2] = {{1, 1},   {4, 1},  {3, 5},    {9, 10}, {8, 127}, {11, 128}, {7, 129},
                                        {5, 600}, {32, 5}, {33, 129}, {64, 1}, {77, 40}, {40, 128}};
    for (size_t d = 0; d < 4; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int way = 0; way < 4; way++)
                for (int nans = 0; nans <= (d < 2 ? 3 : 0); nans++)
                    extremes(dtypes[d], shapes[s][0], shapes[s][1], way & 1, way & 2, nans);
}

/* Along the middle axis: of each of the planes, lines that stand side by side. */
TEST(the_extremes_of_planes_are_found) {
    (void)state;
    static double value[3 * 7 * 37];
    int64_t y[3 * 37];
    for (int i = 0; i < 3 * 7 * 37; i++) value[i] = below(5);
    value[100] = value[400] = value[437] = NAN;
    for (int least = 0; least < 2; least++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_node x = cr_input(g, "x", CR_F64, 3, (int64_t[]){3, 7, 37});
        cr_node at = least ? cr_argmin(x, 1) : cr_argmax(x, 1);
        assert_int_equal(computed(g, at, CR_F64, value, sizeof value, NULL, 0, y), CR_OK);
        for (int i = 0; i < 3 * 37; i++)
            assert_int_equal(y[i], expected(value + i / 37 * 7 * 37 + i % 37, 7, 37, least));
    }
}

/* Numbers of a vector, or of a column, by indices that stand one behind the other or two apart, negative ones among them. */
static void picks(cr_dtype dtype, int64_t limit, int64_t count, bool apart, bool column, int64_t bad) {
    double room[most], got[most];
    int64_t index[most], wide = column ? 3 : 1;
    for (int64_t i = 0; i < limit * wide; i++) put(dtype, room, i, (double)(i - 7));
    for (int64_t i = 0; i < 2 * count; i++) index[i] = below((int)(2 * limit)) - limit;
    if (bad >= 0) index[bad] = limit + 3, index[2 * count - 2] = -limit - 1;
    cr_graph *g = cr_graph_new(NULL);
    cr_input(g, "x", dtype, column ? 2 : 1, (int64_t[]){limit, wide});
    cr_input(g, "i", CR_I64, 1, (int64_t[]){2 * count});
    const char *const text[] = {"x[i]", "x[i[::2]]", "x[:, 1][i]", "x[:, 1][i[::2]]"};
    cr_node y = cr_formula(g, text[apart + 2 * column]);
    int64_t n = apart ? count : 2 * count;
    memset(got, 0, sizeof got);
    cr_status status =
        computed(g, y, dtype, room, (size_t)(limit * wide) * size_of(dtype), index, (size_t)(2 * count), got);
    assert_int_equal(status, bad >= 0 ? CR_EINDEX : CR_OK);
    for (int64_t k = 0; k < n && !status; k++) {
        int64_t at = index[apart ? 2 * k : k];
        double want[1];
        if (at < 0) at += limit;
        put(dtype, want, 0, (double)(at * wide + column - 7));
        assert_memory_equal(want, (char *)got + (size_t)k * size_of(dtype), size_of(dtype));
    }
}

TEST(single_numbers_are_picked_by_indices_that_are_checked) {
    (void)state;
    static const cr_dtype dtypes[] = {CR_F64, CR_F32, CR_I64, CR_I32};
    for (size_t d = 0; d < 4; d++)
        for (int way = 0; way < 4; way++) {
            picks(dtypes[d], 1, 1, way & 1, way & 2, -1);
            picks(dtypes[d], 9, 40, way & 1, way & 2, -1);
            picks(dtypes[d], 9, 40, way & 1, way & 2, 6);
        }
}

/* Of each row the same numbers: an index that repeats, and one whose rows do not run on. */
static void picks_of_rows(cr_dtype dtype, const char *text, bool outside) {
    enum { rows = 3, limit = 11, n = 21 };
    double room[rows * limit], got[rows * n];
    int64_t index[2 * n];
    for (int64_t i = 0; i < rows * limit; i++) put(dtype, room, i, (double)i);
    for (int64_t i = 0; i < 2 * n; i++) index[i] = below(2 * limit) - limit;
    if (outside) index[8] = limit;
    cr_graph *g = cr_graph_new(NULL);
    cr_input(g, "x", dtype, 2, (int64_t[]){rows, limit});
    cr_input(g, "i", CR_I64, 1, (int64_t[]){2 * n});
    cr_status status =
        computed(g, cr_formula(g, text), dtype, room, rows * limit * size_of(dtype), index, 2 * n, got);
    assert_int_equal(status, outside ? CR_EINDEX : CR_OK);
    for (int64_t k = 0; k < rows * n && !status; k++) {
        int64_t at = index[k % n * 2];
        double want[1];
        put(dtype, want, 0, (double)(k / n * limit + (at < 0 ? at + limit : at)));
        assert_memory_equal(want, (char *)got + (size_t)k * size_of(dtype), size_of(dtype));
    }
}

TEST(single_numbers_of_many_rows_are_picked_by_one_index) {
    (void)state;
    static const cr_dtype dtypes[] = {CR_F64, CR_F32};
    for (int d = 0; d < 2; d++)
        for (int outside = 0; outside < 2; outside++) {
            picks_of_rows(dtypes[d], "take_along(x, expand(i[None, ::2], [3, 21]))", outside);
            picks_of_rows(dtypes[d], "take_along(x, stack(i[::2], i[::2], i[::2], axis=0))", outside);
        }
}

/* Rows of `run` numbers of a matrix of 20 columns, or as they lie, by indices of which one may be outside. */
static void scatters(cr_dtype dtype, int64_t run, bool part, bool outside) {
    enum { limit = 7, count = 50, wide = 20 };
    static double room[count * wide], got[limit * wide], sum[limit * wide];
    int64_t index[count], width = part ? wide : run;
    memset(sum, 0, sizeof sum);
    for (int64_t i = 0; i < count; i++) index[i] = below(2 * limit) - limit;
    if (outside) index[31] = -limit - 1;
    for (int64_t i = 0; i < count * width; i++) {
        int v = below(100), at = (int)(index[i / width] + 2 * limit) % limit;
        put(dtype, room, i, v);
        if (i % width < run) sum[at * run + i % width] += v;
    }
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", dtype, 2, (int64_t[]){count, width});
    cr_node rows = part ? cr_slice(x, 2, (int64_t[]){0, 0}, (int64_t[]){1, 1}, (int64_t[]){count, run}) : x;
    cr_node y = cr_scatter_add(rows, cr_input(g, "i", CR_I64, 1, (int64_t[]){count}), limit, 0);
    cr_status status =
        computed(g, y, dtype, room, (size_t)(count * width) * size_of(dtype), index, count, got);
    assert_int_equal(status, outside ? CR_EINDEX : CR_OK);
    for (int64_t i = 0; i < limit * run && !status; i++) {
        double want[1];
        put(dtype, want, 0, sum[i]);
        assert_memory_equal(want, (char *)got + (size_t)i * size_of(dtype), size_of(dtype));
    }
}

TEST(rows_of_every_width_are_added_by_indices_that_are_checked) {
    (void)state;
    static const cr_dtype dtypes[] = {CR_F64, CR_F32, CR_I64, CR_I32};
    for (size_t d = 0; d < 4; d++)
        for (int64_t run = 1; run <= 20; run++)
            for (int part = 0; part < 2; part++) {
                scatters(dtypes[d], run, part, false);
                scatters(dtypes[d], run, part, true);
            }
}

/* Planes turned over by themselves, and behind numbers that are not. */
static void turns(cr_dtype dtype, int64_t rows, int64_t columns, bool joined) {
    static double room[most], got[most];
    int64_t plane = rows * columns, more = joined ? rows : 0, all = 2 * plane;
    for (int64_t i = 0; i < all; i++) put(dtype, room, i, (double)(i % 4099));
    memset(got, 0, sizeof got);
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", dtype, 3, (int64_t[]){2, rows, columns});
    cr_node first = cr_slice(x, 3, (int64_t[]){0, 0, 0}, (int64_t[]){1, 1, 1}, (int64_t[]){2, rows, 1});
    cr_node part[] = {cr_t(first), cr_t(x)};
    cr_node y = joined ? cr_concat(2, part, 1) : cr_reshape(cr_t(x), 1, &all);
    assert_int_equal(computed(g, y, dtype, room, (size_t)all * size_of(dtype), NULL, 0, got), CR_OK);
    for (int64_t i = 0; i < 2 * (plane + more); i++) {
        int64_t b = i / (plane + more), at = i % (plane + more) - more;
        int64_t from = at < 0 ? (at + more) * columns : at % rows * columns + at / rows;
        double want[1];
        put(dtype, want, 0, (double)((b * plane + from) % 4099));
        assert_memory_equal(want, (char *)got + (size_t)i * size_of(dtype), size_of(dtype));
    }
}

TEST(planes_of_every_size_are_turned_over) {
    (void)state;
    for (int64_t rows = 1; rows <= 20; rows++)
        for (int64_t columns = 1; columns <= 20; columns++)
            for (int joined = 0; joined < 2; joined++) {
                turns(CR_F64, rows, columns, joined);
                turns(CR_F32, rows, columns, joined);
            }
}

/* [a, b, c, d] as [d, b, c, a]: planes of the outer axes for each of those between. */
static void turns_around(cr_dtype dtype, int64_t a, int64_t b, int64_t c, int64_t d) {
    static double room[most], got[most];
    int64_t all = a * b * c * d;
    for (int64_t i = 0; i < all; i++) put(dtype, room, i, (double)i);
    memset(got, 0, sizeof got);
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", dtype, 4, (int64_t[]){a, b, c, d});
    cr_node y = cr_reshape(cr_permute(x, 4, (int[]){3, 1, 2, 0}), 1, &all);
    assert_int_equal(computed(g, y, dtype, room, (size_t)all * size_of(dtype), NULL, 0, got), CR_OK);
    for (int64_t i = 0; i < all; i++) {
        double want[1];
        put(dtype, want, 0, (double)((i % a * b * c + i / a % (b * c)) * d + i / (a * b * c)));
        assert_memory_equal(want, (char *)got + (size_t)i * size_of(dtype), size_of(dtype));
    }
}

TEST(planes_around_other_axes_are_turned_over) {
    (void)state;
    for (int64_t a = 1; a <= 10; a += 3)
        for (int64_t d = 1; d <= 13; d += 2)
            for (int64_t between = 1; between <= 4; between++) {
                turns_around(CR_F64, a, between, 1, d), turns_around(CR_F32, a, between, 1, d);
                turns_around(CR_F64, a, 2, between, d), turns_around(CR_F32, a, 1, between, d);
            }
}

/* [n, 3, 1] beside [3, n, 5] with its first two axes turned over, so that rows do not run on in it. */
static void joins(cr_dtype dtype, int64_t n) {
    static double room[most], got[most];
    int64_t all = 3 * n * 5;
    for (int64_t i = 0; i < all; i++) put(dtype, room, i, (double)i);
    memset(got, 0, sizeof got);
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", dtype, 3, (int64_t[]){3, n, 5});
    cr_node turned = cr_permute(x, 3, (int[]){1, 0, 2});
    cr_node first = cr_slice(turned, 3, (int64_t[]){0, 0, 0}, (int64_t[]){1, 1, 1}, (int64_t[]){n, 3, 1});
    cr_node y = cr_concat(2, (cr_node[]){first, turned}, 2);
    assert_int_equal(computed(g, y, dtype, room, (size_t)all * size_of(dtype), NULL, 0, got), CR_OK);
    for (int64_t i = 0; i < 18 * n; i++) {
        int64_t column = i % 6 ? i % 6 - 1 : 0;
        double want[1];
        put(dtype, want, 0, (double)((i / 6 % 3 * n + i / 18) * 5 + column));
        assert_memory_equal(want, (char *)got + (size_t)i * size_of(dtype), size_of(dtype));
    }
}

TEST(rows_that_do_not_run_on_are_joined) {
    (void)state;
    for (int64_t n = 1; n <= 330; n += n < 20 ? 1 : 31) {
        joins(CR_F64, n);
        joins(CR_F32, n);
    }
}

/* All windows of rows x columns in [2, h, w], apart and dilated, one after the other; and what adding them back comes to. */
struct windowed {
    int64_t h, w, size[2], stride[2], dilation[2];
};
static int64_t places(const struct windowed *v, int axis) {
    int64_t room = (axis ? v->w : v->h) - (v->size[axis] - 1) * v->dilation[axis] - 1;
    return room / v->stride[axis] + 1;
}

static void windows(cr_dtype dtype, const struct windowed *v) {
    static double room[most], got[most], back[most];
    int64_t all = 2 * v->h * v->w, p = places(v, 0), q = places(v, 1), each = v->size[0] * v->size[1],
            n = 2 * p * q * each;
    double sum[2 * 16 * 16] = {0};
    assert_true(n <= most && all <= 2 * 16 * 16);
    for (int64_t i = 0; i < all; i++) put(dtype, room, i, (double)i);
    cr_graph *g = cr_graph_new(NULL), *h = cr_graph_new(NULL);
    cr_node y =
        cr_window(cr_input(g, "x", dtype, 3, (int64_t[]){2, v->h, v->w}), 2, v->size, v->stride, v->dilation);
    cr_node z =
        cr_window(cr_input(h, "x", dtype, 3, (int64_t[]){2, v->h, v->w}), 2, v->size, v->stride, v->dilation);
    y = cr_reshape(y, 1, &n);
    z = cr_window_add(z, 2, (int64_t[]){v->h, v->w}, v->stride, v->dilation);
    assert_int_equal(computed(g, y, dtype, room, (size_t)all * size_of(dtype), NULL, 0, got), CR_OK);
    assert_int_equal(computed(h, z, dtype, room, (size_t)all * size_of(dtype), NULL, 0, back), CR_OK);
    for (int64_t i = 0; i < n; i++) {
        int64_t in = i % each, place = i / each;
        int64_t row = place / q % p * v->stride[0] + in / v->size[1] * v->dilation[0];
        int64_t column = place % q * v->stride[1] + in % v->size[1] * v->dilation[1];
        int64_t from = (place / (p * q) * v->h + row) * v->w + column;
        double want[1];
        put(dtype, want, 0, (double)from);
        assert_memory_equal(want, (char *)got + (size_t)i * size_of(dtype), size_of(dtype));
        sum[from] += (double)from;
    }
    for (int64_t i = 0; i < all; i++) {
        double want[1];
        put(dtype, want, 0, sum[i]);
        assert_memory_equal(want, (char *)back + (size_t)i * size_of(dtype), size_of(dtype));
    }
}

/* What collides is added in the order of the elements in their windows, whether these stand side by side or apart. */
TEST(windows_are_added_in_the_order_of_their_elements) {
    (void)state;
    enum { p = 6, q = 5, h = 15, w = 13 };
    static double room[most], got[most], want[h * w];
    const int64_t size[] = {h, w}, stride[] = {2, 2}, dilation[] = {2, 1};
    for (int turned = 0; turned < 2; turned++) {
        cr_graph *g = cr_graph_new(NULL);
        cr_node x = cr_input(g, "x", CR_F64, 4, turned ? (int64_t[]){3, 4, p, q} : (int64_t[]){p, q, 3, 4});
        if (turned) x = cr_permute(x, 4, (int[]){2, 3, 0, 1});
        for (int i = 0; i < p * q * 12; i++) room[i] = sin(i * 0.7) * (i % 3 ? 1 : 1e9);
        memset(want, 0, sizeof want);
        for (int k = 0; k < 12; k++)
            for (int i = 0; i < p * q; i++)
                want[(i / q * 2 + k / 4 * 2) * w + i % q * 2 + k % 4] +=
                    room[turned ? k * p * q + i : i * 12 + k];
        cr_node y = cr_window_add(x, 2, size, stride, dilation);
        assert_int_equal(computed(g, y, CR_F64, room, p * q * 12 * sizeof *room, NULL, 0, got), CR_OK);
        assert_memory_equal(got, want, sizeof want);
    }
}

TEST(windows_of_every_size_are_copied_and_added_back) {
    (void)state;
    for (int64_t a = 1; a <= 6; a++)
        for (int64_t b = 1; b <= 6; b++)
            for (int64_t stride = 1; stride <= 3; stride++)
                for (int64_t dilation = 1; dilation <= 2; dilation++) {
                    const struct windowed v = {
                        13, 11, {a, b}, {stride, 4 - stride}, {dilation, 3 - dilation}};
                    windows(CR_F64, &v);
                    windows(CR_F32, &v);
                    windows(CR_I64, &v);
                }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(the_first_of_the_extremes_is_found_in_lines_of_every_length),
        RUN(the_extremes_of_planes_are_found),
        RUN(single_numbers_are_picked_by_indices_that_are_checked),
        RUN(single_numbers_of_many_rows_are_picked_by_one_index),
        RUN(rows_of_every_width_are_added_by_indices_that_are_checked),
        RUN(planes_of_every_size_are_turned_over),
        RUN(planes_around_other_axes_are_turned_over),
        RUN(rows_that_do_not_run_on_are_joined),
        RUN(windows_of_every_size_are_copied_and_added_back),
        RUN(windows_are_added_in_the_order_of_their_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
