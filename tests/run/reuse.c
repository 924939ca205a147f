/* Graphs of equal structure share a compiled program; whatever tells two graphs apart keeps them apart. */
#include <pthread.h>

#include "base/context.h"
#include "run/cache.h"
#include "run/program.h"
#include "support/test.h"

static cr_program *compiled(cr_context *ctx, cr_graph *g, int n, const char *const name[], const cr_node y[],
                            const char *option, const char *value) {
    cr_target *t = cr_target_new(g);
    cr_options *o = option ? cr_options_new(ctx) : NULL;
    cr_program *p;
    if (option) assert_int_equal(cr_options_set(o, option, value), CR_OK);
    for (int i = 0; i < n; i++) assert_int_equal(cr_target_output(t, name[i], y[i]), CR_OK);
    if (cr_compile(&p, t, o)) fail_msg("%s", cr_graph_error(g));
    cr_options_free(o);
    cr_target_free(t);
    return p;
}

/* ---- Graphs that differ in one thing each ---- */

enum { size = 3 };

struct variant {
    const char *formula; /* of x, a vector */
    const char *x, *y;   /* names of the input and of the output; those given are "x" and "y" */
    const char *inner;   /* the name of the node that is the operand of the output; or none */
    const char *file;    /* of positions; or none */
    const char *option, *value;
    cr_dtype dtype;
    int line, threads;     /* 0: one */
    double constant[size]; /* added, if the first is not 0 */
    bool more;             /* a second output, which is x */
    bool last;             /* and it is the first */
};

static cr_program *made(cr_context *ctx, const struct variant *v) {
    int64_t n = size;
    cr_graph *g = cr_graph_new(ctx);
    cr_node x = cr_input(g, v->x ? v->x : "x", v->dtype, 1, &n);
    cr_graph_at(g, v->file, v->line, 1);
    cr_node y = cr_formula(g, v->formula);
    if (v->constant[0] != 0) y = cr_add(y, cr_const(g, CR_F64, 1, &n, v->constant));
    if (v->inner) y = cr_neg(cr_named(y, v->inner));
    const char *const name[] = {v->y ? v->y : "y", "same"}, *const turned[] = {"same", name[0]};
    cr_program *p = v->last ? compiled(ctx, g, 2, turned, (cr_node[]){x, y}, v->option, v->value)
                            : compiled(ctx, g, 1 + v->more, name, (cr_node[]){y, x}, v->option, v->value);
    cr_graph_free(g);
    return p;
}

static const struct variant variants[] = {
    {"x*2 + sum(x)", .dtype = CR_F64},
    {"x*2 + sum(x)", .dtype = CR_F32},
    {"x*2 - sum(x)", .dtype = CR_F64},
    {"sum(x) - x*2", .dtype = CR_F64},
    {"x*2.0000000000000004 + sum(x)", .dtype = CR_F64},
    {"x*2 + max(x)", .dtype = CR_F64},
    {"x*2 + x", .dtype = CR_F64},
    {"x*2 + sum(x, keep=true)", .dtype = CR_F64},
    {"x[::-1]", .dtype = CR_F64},
    {"x[[0, 1, 2]]", .dtype = CR_F64},
    {"x[[0, 1, 1]]", .dtype = CR_F64},
    {"x[0:2]", .dtype = CR_F64},
    {"x[1:3]", .dtype = CR_F64},
    {"x + 0", .dtype = CR_F64},
    {"x + (-0)", .dtype = CR_F64},
    {"x*0 + cast(1, f64)", .dtype = CR_F64},
    {"variable(x)*x", .dtype = CR_F64},
    {"x*2 + sum(x)", .dtype = CR_F64, .x = "x", .y = "z"},
    {"u*2 + sum(u)", .dtype = CR_F64, .x = "u"},
    {"x*2 + sum(x)", .dtype = CR_F64, .inner = "inner"},
    {"x*2 + sum(x)", .dtype = CR_F64, .inner = "other"},
    {"x*2 + sum(x)", .dtype = CR_F64, .inner = "inner", .line = 1},
    {"x*2 + sum(x)", .dtype = CR_F64, .inner = "inner", .line = 2},
    {"x*2 + sum(x)", .dtype = CR_F64, .inner = "inner", .line = 2, .file = "a.cr"},
    {"x*2 + sum(x)", .dtype = CR_F64, .inner = "inner", .line = 2, .file = "b.cr"},
    {"x*2 + sum(x)", .dtype = CR_F64, .more = true},
    {"x*2 + sum(x)", .dtype = CR_F64, .last = true},
    {"x*2 + sum(x)", .dtype = CR_F64, .option = "device", .value = "reference"},
    {"x*2 + sum(x)", .dtype = CR_F64, .option = "trap_nan", .value = "1"},
    {"x*2 + sum(x)", .dtype = CR_F64, .option = "finite", .value = "1"},
    {"x*2 + sum(x)", .dtype = CR_F64, .option = "flush_denormals", .value = "1"},
    {"x*2 + sum(x)", .dtype = CR_F64, .option = "fuse", .value = "0"},
    {"x*2 + sum(x)", .dtype = CR_F64, .option = "rewrite", .value = "all"},
    {"x*2 + sum(x)", .dtype = CR_F64, .option = "rewrite", .value = "none"},
    {"x", .dtype = CR_F64, .constant = {1, 2, 3}},
    {"x", .dtype = CR_F64, .constant = {1, 2, 4}},
    {"x*2 + sum(x)", .dtype = CR_F64, .threads = 2},
};

/* The last one differs where there are threads. */
static int variant_count(void) {
    cr_context *ctx;
    int all = sizeof variants / sizeof *variants;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    assert_int_equal(cr_context_threads(ctx, 2), CR_OK);
    if (cr_context_thread_count(ctx) != 2) all--;
    cr_context_free(ctx);
    return all;
}

TEST(each_structure_finds_its_own_program_and_no_other) {
    (void)state;
    cr_context *ctx;
    int count = variant_count();
    cr_program *first[sizeof variants / sizeof *variants];
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    for (int i = 0; i < count; i++) {
        assert_int_equal(cr_context_threads(ctx, variants[i].threads ? variants[i].threads : 1), CR_OK);
        first[i] = made(ctx, &variants[i]);
        for (int k = 0; k < i; k++)
            if (first[i] == first[k]) fail_msg("%d is taken for %d: %s", i, k, variants[i].formula);
    }
    assert_int_equal(cache_state(ctx).found, 0);
    assert_int_equal(cache_state(ctx).kept, count);
    for (int i = count; i-- > 0;) {
        assert_int_equal(cr_context_threads(ctx, variants[i].threads ? variants[i].threads : 1), CR_OK);
        cr_program *again = made(ctx, &variants[i]);
        if (again != first[i]) fail_msg("%d is not found again: %s", i, variants[i].formula);
        cr_program_free(again);
    }
    assert_int_equal(cache_state(ctx).found, count);
    assert_int_equal(cache_state(ctx).programs, count);
    for (int i = 0; i < count; i++) cr_program_free(first[i]);
    cr_context_free(ctx);
}

/* x as the entries of a matrix: so many in its first row, the others in the second. */
static cr_program *sparse(cr_context *ctx, int64_t rows, int64_t first) {
    cr_pattern *p;
    int64_t n = 6000, *start = calloc((size_t)rows + 1, sizeof *start),
            *column = calloc((size_t)n, sizeof *column);
    for (int64_t i = 1; i <= rows; i++) start[i] = i == 1 ? first : n;
    for (int64_t e = 0; e < n; e++) column[e] = e < first ? e : e - first;
    assert_int_equal(cr_pattern_new(&p, ctx, rows, n, start, column), CR_OK);
    cr_graph *g = cr_graph_new(ctx);
    cr_node y = cr_sparse_values(p, cr_input(g, "x", CR_F64, 1, &n));
    cr_program *out = compiled(ctx, g, 1, (const char *const[]){"y"}, &y, NULL, NULL);
    cr_graph_free(g);
    cr_pattern_free(p);
    free(start);
    free(column);
    return out;
}

TEST(programs_are_told_apart_by_where_their_outputs_stand_in_a_matrix) {
    (void)state;
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    cr_program *a = sparse(ctx, 2, 10), *b = sparse(ctx, 2, 11), *c = sparse(ctx, 3, 10),
               *again = sparse(ctx, 2, 10);
    cr_pattern *found;
    assert_true(a != b && a != c && b != c);
    assert_ptr_equal(a, again);
    assert_int_equal(cr_program_pattern(&found, b, "y"), CR_OK);
    assert_int_equal(cr_pattern_row_starts(found)[1], 11);
    cr_pattern_free(found);
    cr_program_free(a), cr_program_free(b), cr_program_free(c), cr_program_free(again);
    cr_context_free(ctx);
}

/* ---- Updates ---- */

static cr_program *stepping(cr_context *ctx, const char *updated) {
    cr_graph *g = cr_graph_new(ctx);
    cr_param(g, "a", CR_F64, 0, NULL), cr_param(g, "b", CR_F64, 0, NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p;
    assert_int_equal(cr_target_update(t, cr_find(g, updated), cr_formula(g, "a + b")), CR_OK);
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    cr_target_free(t);
    cr_graph_free(g);
    return p;
}

static double stepped(cr_context *ctx, const char *updated, const char *asked) {
    cr_program *p = stepping(ctx, updated);
    cr_store *s;
    cr_run *r;
    double a = 5, b = 7, value = 0;
    cr_store_new(&s, ctx);
    cr_store_set(s, "a", CR_F64, &a, sizeof a), cr_store_set(s, "b", CR_F64, &b, sizeof b);
    assert_int_equal(cr_run_new(&r, p, s, NULL, 0), CR_OK);
    assert_int_equal(cr_step(r), CR_OK);
    memcpy(&value, cr_store_data(s, asked, NULL, NULL), sizeof value);
    cr_run_free(r);
    cr_store_free(s);
    cr_program_free(p);
    return value;
}

TEST(an_update_is_of_its_own_parameter_in_its_own_store) {
    (void)state;
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    for (int i = 0; i < 2; i++) {
        assert_true(stepped(ctx, "a", "a") == 12 && stepped(ctx, "a", "b") == 7);
        assert_true(stepped(ctx, "b", "a") == 5 && stepped(ctx, "b", "b") == 12);
    }
    assert_int_equal(cache_state(ctx).kept, 2);
    assert_int_equal(cache_state(ctx).found, 6);
    cr_context_free(ctx);
}

/* ---- Functions ---- */

static cr_status times(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    (void)n_in, (void)n_out;
    *(double *)out[0].data = *(const double *)in[0].data * *(const double *)user;
    return CR_OK;
}

/* Three times c = host(factor*c + 1) from 1. */
static double looped(cr_context *ctx, double factor, double *user) {
    cr_graph *g = cr_graph_new(ctx), *inner = cr_graph_new(ctx);
    cr_node carry = cr_input(inner, "carry", CR_F64, 0, NULL), y,
            next = cr_add(cr_mul(carry, cr_number(inner, factor)), cr_number(inner, 1));
    cr_function *f, *host = NULL;
    if (user) {
        assert_int_equal(cr_function_callback(&host, "times", 1, &next, 1, &next, times, NULL, NULL, user),
                         CR_OK);
        assert_int_equal(cr_call(&next, host, 1, &next), CR_OK);
    }
    assert_int_equal(cr_function_new(&f, 1, &carry, 1, &next), CR_OK);
    cr_node start = cr_input(g, "start", CR_F64, 0, NULL);
    assert_int_equal(cr_scan(&y, f, 3, false, 1, &start, 0, NULL, 0, NULL), CR_OK);
    cr_function_free(f), cr_function_free(host);
    cr_graph_free(inner);
    cr_program *p = compiled(ctx, g, 1, (const char *const[]){"y"}, &y, NULL, NULL);
    cr_graph_free(g);
    cr_run *r;
    double one = 1, value = 0;
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "start", CR_F64, &one, sizeof one);
    cr_bind(r, "y", CR_F64, &value, sizeof value);
    assert_int_equal(cr_step(r), CR_OK);
    cr_run_free(r);
    cr_program_free(p);
    return value;
}

TEST(functions_are_told_apart_by_what_they_compute) {
    (void)state;
    cr_context *ctx;
    double two = 2, three = 3;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    for (int i = 0; i < 2; i++) {
        assert_true(looped(ctx, 2, NULL) == 15);   /* 3, 7, 15 */
        assert_true(looped(ctx, 3, NULL) == 40);   /* 4, 13, 40 */
        assert_true(looped(ctx, 1, &two) == 22);   /* 4, 10, 22 */
        assert_true(looped(ctx, 1, &three) == 66); /* 6, 21, 66 */
    }
    assert_int_equal(cache_state(ctx).kept, 4);
    assert_int_equal(cache_state(ctx).found, 4);
    two = 1; /* what the host's function reads is not looked at: it must give the same for the same */
    assert_true(looped(ctx, 1, &two) == 4);
    cr_context_free(ctx);
}

/* ---- Where nothing is shared ---- */

/* A program of this context that runs a function of another; large: with a constant that keys do not copy. */
static void run_foreign(cr_context *ctx, cr_context *other, int64_t numbers) {
    double *data = calloc((size_t)numbers, sizeof *data);
    cr_graph *g = cr_graph_new(ctx), *inner = cr_graph_new(other);
    cr_node carry = cr_input(inner, "carry", CR_F64, 1, &numbers),
            next = cr_add(cr_sin(carry), cr_const(inner, CR_F64, 1, &numbers, data)),
            start = cr_input(g, "start", CR_F64, 1, &numbers), y;
    cr_function *f;
    assert_int_equal(cr_function_new(&f, 1, &carry, 1, &next), CR_OK);
    assert_int_equal(cr_scan(&y, f, 3, false, 1, &start, 0, NULL, 0, NULL), CR_OK);
    cr_function_free(f);
    cr_graph_free(inner);
    cr_program *p = compiled(ctx, g, 1, (const char *const[]){"y"}, &y, NULL, NULL);
    cr_graph_free(g);
    cr_run *r;
    double *value = calloc((size_t)numbers, sizeof *value);
    data[0] = 1;
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "start", CR_F64, data, (size_t)numbers * sizeof *data);
    cr_bind(r, "y", CR_F64, value, (size_t)numbers * sizeof *value);
    assert_int_equal(cr_step(r), CR_OK);
    assert_ulps(value[0], 0.67843047736074, 4e3); /* sin(sin(sin(1))), of 14 digits */
    cr_run_free(r);
    cr_program_free(p);
    free(data), free(value);
}

TEST(a_program_that_runs_a_function_of_another_context_goes_before_that_context) {
    (void)state;
    struct failing memory = {0};
    cr_context *ctx, *other;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    for (int64_t numbers = 1; numbers <= 1000; numbers += 999) {
        struct failing its = {0};
        assert_int_equal(cr_context_new_with(&other, failing_realloc, &its), CR_OK);
        run_foreign(ctx, other, numbers);
        cr_context_free(other);
        assert_int_equal(its.live, 0);
        assert_null(its.wrong);
    }
    assert_int_equal(cache_state(ctx).kept, 0);
    run_foreign(ctx, ctx, 1); /* of its own context */
    assert_int_equal(cache_state(ctx).kept, 1);
    cr_context_free(ctx);
    assert_int_equal(memory.live, 0);
    assert_null(memory.wrong);
}

TEST(nothing_is_shared_without_a_context_or_where_that_is_not_wanted) {
    (void)state;
    struct variant anew = variants[0];
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    anew.option = "reuse", anew.value = "0";
    cr_program *a = made(NULL, &variants[0]), *b = made(NULL, &variants[0]), *c = made(ctx, &variants[0]),
               *d = made(ctx, &anew), *e = made(ctx, &anew), *f = made(ctx, &variants[0]);
    assert_true(a != b && c != d && d != e && c == f);
    assert_int_equal(cache_state(NULL).kept, 0);
    assert_int_equal(cache_state(ctx).kept, 1);
    assert_int_equal(cache_state(ctx).found, 1);
    cr_program_free(a), cr_program_free(b), cr_program_free(c);
    cr_program_free(d), cr_program_free(e), cr_program_free(f);
    cr_context_free(ctx);
}

TEST(what_a_failing_compiler_left_built_in_is_compiled_anew) {
    (void)state;
    struct variant v = variants[0];
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    v.option = "compile", v.value = "no-such-compiler";
    cr_program *a = made(ctx, &v), *b = made(ctx, &v);
    assert_ptr_not_equal(a, b);
    assert_int_equal(cache_state(ctx).kept, 0);
    cr_program_free(a), cr_program_free(b);
    cr_context_free(ctx);
}

TEST(an_equal_hash_alone_finds_nothing) {
    (void)state;
    struct mem m = {0};
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    cr_program *p = made(ctx, &variants[0]);
    struct key k = key_make(&m);
    for (size_t i = 0; i < p->key.n; i++) key_word(&k, p->key.word[i]);
    key_end(&k);
    cr_program *found = cache_find(ctx, &k);
    assert_ptr_equal(found, p);
    cr_program_free(found);
    k.word[k.n / 2] ^= 1; /* the hash stays what it was */
    assert_null(cache_find(ctx, &k));
    key_drop(&k);
    cr_program_free(p);
    cr_context_free(ctx);
}

/* ---- How much is kept ---- */

static cr_program *adding(cr_context *ctx, double c) {
    return made(ctx, &(struct variant){"x", .dtype = CR_F64, .constant = {c}});
}

TEST(the_programs_kept_are_the_last_used_and_so_many_at_most) {
    (void)state;
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    cr_program *first = adding(ctx, 1), *second = adding(ctx, 2);
    for (int i = 3; i <= cache_programs; i++) cr_program_free(adding(ctx, i));
    assert_int_equal(cache_state(ctx).programs, cache_programs);
    cr_program *again = adding(ctx, 1); /* now the second is the one least recently used */
    assert_ptr_equal(again, first);
    cr_program_free(again);
    for (int i = 0; i < 3; i++) cr_program_free(adding(ctx, 1000 + i));
    assert_int_equal(cache_state(ctx).programs, cache_programs);
    again = adding(ctx, 1);
    assert_ptr_equal(again, first);
    cr_program *other = adding(ctx, 2); /* held here, so that its place in memory is not taken */
    assert_ptr_not_equal(other, second);
    cr_program_free(first), cr_program_free(second), cr_program_free(again), cr_program_free(other);
    cr_context_free(ctx);
}

static cr_program *large(cr_context *ctx, size_t megabytes, double first) {
    int64_t n = (int64_t)(megabytes << 17);
    double *data = calloc((size_t)n, sizeof *data);
    cr_graph *g = cr_graph_new(ctx);
    data[0] = first;
    cr_node y = cr_add(cr_const(g, CR_F64, 1, &n, data), cr_input(g, "x", CR_F64, 1, &n));
    free(data);
    cr_program *p = compiled(ctx, g, 1, (const char *const[]){"y"}, &y, NULL, NULL);
    cr_graph_free(g);
    return p;
}

TEST(constants_of_many_numbers_are_compared_and_not_copied) {
    (void)state;
    struct failing memory = {0};
    cr_context *ctx;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    cr_program *a = large(ctx, 1, 1), *b = large(ctx, 1, 2), *again = large(ctx, 1, 1);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a, again);
    cr_program_free(a), cr_program_free(b), cr_program_free(again);
    assert_int_equal(cache_state(ctx).programs, 2);
    assert_true(memory.bytes < (2 << 20) + (1 << 19)); /* one for each program, shared with its key */
    cr_context_free(ctx);
    assert_int_equal(memory.live, 0);
}

TEST(the_bytes_kept_are_bounded_and_go_with_the_context) {
    (void)state;
    struct failing memory = {0};
    cr_context *ctx;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &memory), CR_OK);
    for (int i = 0; i < 20; i++) {
        cr_program_free(large(ctx, 4, i));
        size_t bytes = cache_state(ctx).bytes;
        assert_true(bytes <= cache_bytes);
        assert_true(memory.bytes < bytes + bytes / 4 + (1 << 20)); /* the count is about right */
        assert_true(memory.bytes > bytes / 2);
    }
    assert_true(cache_state(ctx).kept == 20 && cache_state(ctx).programs < 20);
    size_t before = cache_state(ctx).programs;
    cr_program_free(large(ctx, 17, 1)); /* too large to be kept */
    assert_int_equal(cache_state(ctx).kept, 20);
    assert_int_equal(cache_state(ctx).programs, before);
    cr_context_free(ctx);
    assert_int_equal(memory.live, 0);
    assert_null(memory.wrong);
}

/* ---- Threads, and no memory ---- */

struct job {
    cr_context *ctx;
    int wrong;
};

static void *job(void *arg) {
    struct job *j = arg;
    for (int i = 0; i < 200; i++) {
        double c = 1 + i % 7, x[size] = {i, 0, -i}, y[size] = {0};
        cr_program *p = adding(j->ctx, c);
        cr_run *r;
        if (cr_run_new(&r, p, NULL, NULL, 0)) abort();
        cr_bind(r, "x", CR_F64, x, sizeof x);
        cr_bind(r, "y", CR_F64, y, sizeof y);
        j->wrong += cr_step(r) != CR_OK || y[0] != i + c || y[1] != 0 || y[2] != -i;
        cr_run_free(r);
        cr_program_free(p);
    }
    return NULL;
}

TEST(threads_find_each_others_programs) {
    (void)state;
    enum { threads = 4 };
    pthread_t thread[threads];
    struct job jobs[threads];
    cr_context *ctx;
    assert_int_equal(cr_context_new(&ctx), CR_OK);
    for (int i = 0; i < threads; i++) {
        jobs[i] = (struct job){ctx, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, job, &jobs[i]), 0);
    }
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < threads; i++) assert_int_equal(jobs[i].wrong, 0);
    struct cache_state s = cache_state(ctx);
    assert_int_equal(s.programs, 7);
    assert_true(s.kept <= 7 * threads); /* some may have compiled at once */
    assert_int_equal(s.kept + s.found, threads * 200);
    cr_context_free(ctx);
}

static cr_status both(cr_context *ctx, void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) {
        cr_graph *g = cr_graph_new(ctx);
        cr_target *t = cr_target_new(g);
        cr_program *p = NULL;
        cr_status status =
            t ? cr_target_output(t, "y", cr_square(cr_input(g, "x", CR_F64, 0, NULL))) : CR_ENOMEM;
        if (!status) status = cr_compile(&p, t, NULL);
        cr_program_free(p);
        cr_target_free(t);
        cr_graph_free(g);
        if (status) return status;
    }
    return CR_OK;
}

TEST(no_memory_is_told) {
    (void)state;
    alloc_fail_each_told(both, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(each_structure_finds_its_own_program_and_no_other),
        RUN(programs_are_told_apart_by_where_their_outputs_stand_in_a_matrix),
        RUN(an_update_is_of_its_own_parameter_in_its_own_store),
        RUN(functions_are_told_apart_by_what_they_compute),
        RUN(a_program_that_runs_a_function_of_another_context_goes_before_that_context),
        RUN(nothing_is_shared_without_a_context_or_where_that_is_not_wanted),
        RUN(what_a_failing_compiler_left_built_in_is_compiled_anew),
        RUN(an_equal_hash_alone_finds_nothing),
        RUN(the_programs_kept_are_the_last_used_and_so_many_at_most),
        RUN(constants_of_many_numbers_are_compared_and_not_copied),
        RUN(the_bytes_kept_are_bounded_and_go_with_the_context),
        RUN(threads_find_each_others_programs),
        RUN(no_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
