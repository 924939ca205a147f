/* Where a run reads and writes: memory that overlaps, moves, or is taken away again. */
#include "support/test.h"

enum { n = 5000 }; /* more than a tile */

/* inputs x and y; outputs s = x + y, d = x - y, t = sum(x), r = s seen as [n, 1]. */
static cr_run *made(cr_program **p, int64_t size) {
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, &size), y = cr_input(g, "y", CR_F64, 1, &size);
    cr_target *t = cr_target_new(g);
    cr_node s = cr_add(x, y);
    cr_run *r = NULL;
    cr_target_output(t, "s", s);
    cr_target_output(t, "d", cr_sub(x, y));
    cr_target_output(t, "t", cr_sum(x, 0, NULL, false));
    cr_target_output(t, "r", cr_expand_dims(s, 1));
    assert_int_equal(cr_compile(p, t, NULL), CR_OK);
    assert_int_equal(cr_run_new(&r, *p, NULL, NULL, 0), CR_OK);
    cr_target_free(t);
    cr_graph_free(g);
    return r;
}

static void bind(cr_run *r, const char *name, double *to, int64_t size) {
    assert_int_equal(cr_bind(r, name, CR_F64, to, (size_t)size * sizeof *to), CR_OK);
}

static void fill(double *x, double *y, int64_t size) {
    for (int64_t i = 0; i < size; i++) x[i] = (double)i, y[i] = 3;
}

/* Outputs one over the other's input, and shifted by one: in any order of writing some would be wrong. */
static void over_inputs(int64_t size) {
    cr_program *p;
    cr_run *r = made(&p, size);
    double x[n + 1], y[n], t = 0;
    bind(r, "x", x, size), bind(r, "y", y, size), bind(r, "t", &t, 1);
    bind(r, "s", x + 1, size), bind(r, "d", y, size);
    for (int again = 0; again < 2; again++) {
        fill(x, y, size);
        assert_int_equal(cr_step(r), CR_OK);
        assert_true(x[0] == 0 && t == (double)(size * (size - 1) / 2));
        for (int64_t i = 0; i < size; i++) assert_true(x[i + 1] == (double)i + 3 && y[i] == (double)i - 3);
    }
    cr_run_free(r);
    cr_program_free(p);
}

TEST(outputs_bound_over_inputs_are_written_when_all_is_read) {
    (void)state;
    over_inputs(1);
    over_inputs(2);
    over_inputs(n);
}

/* Nothing computes what they show: x and y themselves, backwards and as they are. */
static void shown(bool reference) {
    enum { few = 7 };
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){few}),
            y = cr_input(g, "y", CR_F64, 1, (int64_t[]){few});
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "next", cr_add(x, cr_number(g, 1)));
    cr_target_output(t, "back", cr_slice(x, 1, (int64_t[]){few - 1}, (int64_t[]){-1}, (int64_t[]){few}));
    cr_target_output(t, "same", x);
    cr_target_output(t, "other", cr_stop_gradient(y));
    cr_program *p = NULL;
    cr_run *r = NULL;
    cr_options *o = cr_options_new(NULL);
    double a[few], b[few], next[few], same[few];
    if (reference) assert_int_equal(cr_options_set(o, "device", "reference"), CR_OK);
    assert_int_equal(cr_compile(&p, t, o), CR_OK);
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    for (int k = 0; k < 3; k++) { /* its own place; another's; both change places */
        bind(r, "x", a, few), bind(r, "y", b, few), bind(r, "next", k == 1 ? a : next, few);
        bind(r, "back", k == 1 ? next : k == 2 ? b : a, few), bind(r, "same", same, few);
        bind(r, "other", k == 2 ? a : b, few);
        fill(a, b, few);
        assert_int_equal(cr_step(r), CR_OK);
        for (int i = 0; i < few; i++) {
            const double *one = k == 1 ? a : next, *back = k == 1 ? next : k == 2 ? b : a;
            assert_true(one[i] == i + 1 && back[i] == few - 1 - i && same[i] == i);
            assert_true((k == 2 ? a : b)[i] == 3);
        }
    }
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
}

TEST(outputs_that_show_an_input_are_read_before_any_is_written) {
    (void)state;
    shown(false);
    shown(true);
}

TEST(an_input_that_moves_over_an_output_is_read_before_that_is_written) {
    (void)state;
    cr_program *p;
    cr_run *r = made(&p, n);
    double x[n], y[n], s[n], d[n], t = 0;
    fill(x, y, n);
    bind(r, "x", x, n), bind(r, "y", y, n), bind(r, "s", s, n), bind(r, "d", d, n), bind(r, "t", &t, 1);
    assert_int_equal(cr_step(r), CR_OK);
    bind(r, "x", s, n); /* now x + y = (i + 3) + 3, and s is read by d after it was made */
    assert_int_equal(cr_step(r), CR_OK);
    for (int64_t i = 0; i < n; i++) assert_true(s[i] == (double)i + 6 && d[i] == (double)i);
    cr_run_free(r);
    cr_program_free(p);
}

static void moving(int64_t size) {
    cr_program *p;
    cr_run *r = made(&p, size);
    double x[2][n], y[n], s[2][n], rows[n];
    fill(x[0], y, size);
    for (int64_t i = 0; i < size; i++) x[1][i] = 100 + (double)i;
    bind(r, "y", y, size);
    for (int k = 0; k < 4; k++) {
        memset(s, 0, sizeof s), memset(rows, 0, sizeof rows);
        bind(r, "x", x[k & 1], size), bind(r, "s", s[k >> 1], size), bind(r, "r", k == 3 ? NULL : rows, size);
        assert_int_equal(cr_step(r), CR_OK);
        for (int64_t i = 0; i < size; i++) {
            double sum = x[k & 1][i] + 3;
            assert_true(s[k >> 1][i] == sum && s[!(k >> 1)][i] == 0 && rows[i] == (k == 3 ? 0 : sum));
        }
    }
    bind(r, "x", x[0], size); /* and nothing else */
    assert_int_equal(cr_step(r), CR_OK);
    assert_true(s[1][0] == 3 && s[1][size - 1] == x[0][size - 1] + 3);
    bind(r, "s", NULL, size), bind(r, "r", rows, size);
    memset(s, 0, sizeof s);
    assert_int_equal(cr_step(r), CR_OK);
    assert_true(s[1][0] == 0 && rows[size - 1] == x[0][size - 1] + 3);
    cr_run_free(r);
    cr_program_free(p);
}

TEST(a_run_that_is_ready_has_done_nothing_yet) {
    (void)state;
    cr_program *p;
    cr_run *r = made(&p, n);
    double x[n], y[n], s[n];
    fill(x, y, n);
    s[7] = -1;
    bind(r, "x", x, n), bind(r, "s", s, n);
    assert_int_equal(cr_run_ready(r), CR_EUNBOUND);
    assert_string_equal(cr_run_error(r), "input 'y' is not bound");
    bind(r, "y", y, n);
    assert_int_equal(cr_run_ready(r), CR_OK);
    assert_null(cr_run_error(r));
    assert_true(s[7] == -1 && x[7] == 7 && y[7] == 3);
    assert_int_equal(cr_step(r), CR_OK);
    assert_true(s[7] == 10);
    cr_run_free(r);
    cr_program_free(p);
}

TEST(each_step_reads_and_writes_where_inputs_and_outputs_are_bound_then) {
    (void)state;
    moving(1);
    moving(n);
}

TEST(two_outputs_bound_to_one_place_leave_the_later_one_there) {
    (void)state;
    cr_program *p;
    cr_run *r = made(&p, n);
    double x[n], y[n], both[n];
    fill(x, y, n);
    bind(r, "x", x, n), bind(r, "y", y, n), bind(r, "s", both, n), bind(r, "d", both, n);
    assert_int_equal(cr_step(r), CR_OK);
    for (int64_t i = 0; i < n; i++) assert_true(both[i] == (double)i - 3);
    cr_run_free(r);
    cr_program_free(p);
}

/* y_k = x + k for 20,000 k: every name is looked up, every place is compared with all others. */
TEST(twenty_thousand_outputs_and_parameters_are_found_by_their_names) {
    (void)state;
    enum { many = 20000 };
    double *y = calloc(many, sizeof *y), x = 0.5;
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_store *store = NULL;
    cr_program *p = NULL;
    cr_run *r = NULL;
    char name[32];
    assert_non_null(y);
    assert_int_equal(cr_store_new(&store, NULL), CR_OK);
    cr_node in = cr_input(g, "x", CR_F64, 0, NULL);
    for (int k = 0; k < many; k++) {
        double start = k;
        snprintf(name, sizeof name, "w%d", k);
        cr_node w = cr_param(g, name, CR_F64, 0, NULL), sum = cr_add(in, w);
        assert_int_equal(cr_store_set(store, name, CR_F64, &start, sizeof start), CR_OK);
        assert_int_equal(cr_target_update(t, w, sum), CR_OK);
        name[0] = 'y';
        assert_int_equal(cr_target_output(t, name, sum), CR_OK);
    }
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    assert_int_equal(cr_run_new(&r, p, store, NULL, 0), CR_OK);
    bind(r, "x", &x, 1);
    for (int k = 0; k < many; k++) snprintf(name, sizeof name, "y%d", k), bind(r, name, &y[k], 1);
    assert_int_equal(cr_step(r), CR_OK);
    assert_int_equal(cr_step(r), CR_OK);
    for (int k = 0; k < many; k++) assert_true(y[k] == k + 1.0);
    assert_int_equal(cr_bind(r, "y20000", CR_F64, y, sizeof *y), CR_ENAME);
    assert_int_equal(cr_bind(r, "w7", CR_F64, y, sizeof *y), CR_ENAME);
    assert_int_equal(cr_target_output(t, "y19999", in), CR_ENAME);
    cr_run_free(r);
    cr_program_free(p);
    cr_store_free(store);
    cr_target_free(t);
    cr_graph_free(g);
    free(y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(outputs_bound_over_inputs_are_written_when_all_is_read),
        RUN(outputs_that_show_an_input_are_read_before_any_is_written),
        RUN(an_input_that_moves_over_an_output_is_read_before_that_is_written),
        RUN(a_run_that_is_ready_has_done_nothing_yet),
        RUN(each_step_reads_and_writes_where_inputs_and_outputs_are_bound_then),
        RUN(two_outputs_bound_to_one_place_leave_the_later_one_there),
        RUN(twenty_thousand_outputs_and_parameters_are_found_by_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
