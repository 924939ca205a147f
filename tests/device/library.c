/* Matrix products by libraries of this build, and our own beside them: right, with equal bits for any alignment and number of
 * threads, and with the host's settings left alone. */
#define _POSIX_C_SOURCE 200809L
#include "support/test.h"

#include <dirent.h>

#include "base/context.h"
#include "device/cpu/product.h"
#include "device/kernels.h"
#include "support/fpenv.h"
#include "support/operand.h"

/* Contexts for each product, the builtin's first, with 1, 2 and 3 threads. */
enum { most_products = 8, most_threads = 3 };
struct product_contexts {
    int count;
    cr_context *ctx[most_products][most_threads];
};

static struct product_contexts products_of_build(void) {
    struct product_contexts all = {0};
    for (const char *name; (name = cr_context_product_name(all.count)); all.count++)
        for (int i = 0; i < most_threads; i++) {
            all.ctx[all.count][i] = context_of(i + 1);
            assert_int_equal(cr_context_product(all.ctx[all.count][i], name), CR_OK);
        }
    return all;
}

static void products_free(struct product_contexts *all) {
    for (int i = 0; i < all->count * most_threads; i++)
        cr_context_free(all->ctx[i / most_threads][i % most_threads]);
}

TEST(a_product_is_chosen_by_a_name_of_the_list) {
    (void)state;
    cr_context *ctx = context_of(1);
    assert_string_equal(cr_context_product_name(0), "builtin");
    assert_null(cr_context_product_name(-1));
    assert_null(cr_context_product_name(most_products));
    for (int i = 0; cr_context_product_name(i); i++) {
        assert_int_equal(cr_context_product(ctx, cr_context_product_name(i)), CR_OK);
        assert_true((context_product(ctx) == NULL) == (i == 0));
    }
    const struct product *before = context_product(ctx);
    assert_int_equal(cr_context_product(ctx, "mkl"), CR_ENAME);
    assert_ptr_equal(context_product(ctx), before);
    cr_context_free(ctx);
}

/* In double, by three loops, of the operands' own numbers. */
static void assert_oracle(const char *name, const struct operand *a, const struct operand *b,
                          const struct operand *c) {
    int64_t k = a->dim[2], n = b->dim[2];
    double bound = bound_of(k, a->x.dtype);
    for (int64_t batch = 0; batch < c->dim[0]; batch++)
        for (int64_t i = 0; i < c->dim[1]; i += 1 + k / 64) /* all where this is quick */
            for (int64_t j = i % 3; j < n; j += 1 + k / 64) {
                double sum = 0;
                for (int64_t l = 0; l < k; l++) sum += get(a, batch, i, l) * get(b, batch, l, j);
                if (!(fabs(get(c, batch, i, j) - sum) <= bound))
                    fail_msg("%s: %d x %d x %d: [%d, %d] is %.9g, expected %.9g", name, (int)c->dim[1],
                             (int)k, (int)n, (int)i, (int)j, get(c, batch, i, j), sum);
            }
}

/* The product in one layout by 1, 2 and 3 threads, and from another address. */
static void assert_same_bits(const char *name, cr_context *const ctx[], const struct size *s, cr_dtype t,
                             int layout) {
    struct operand *expected = NULL;
    for (size_t shift = 0; shift <= cr_dtype_size(t); shift += cr_dtype_size(t)) {
        struct operand *a = operand_at(shift, t, (enum layout)(layout % layouts), s->batch, s->m, s->k),
                       *b = operand_at(shift, t, (enum layout)(layout / layouts), s->batch, s->k, s->n);
        fill(a, fraction, 1), fill(b, fraction, 5);
        for (int threads = 1; threads <= most_threads; threads++) {
            struct operand *c = multiply(a, b, ctx[threads - 1]);
            if (!expected) assert_oracle(name, a, b, c);
            if (!expected) expected = c;
            if (memcmp(c->data, expected->data, c->bytes) != 0)
                fail_msg("%s: %d x %d x %d, layout %d, %d threads: other bits", name, (int)s->m, (int)s->k,
                         (int)s->n, layout, threads);
            if (c != expected) operand_free(c);
        }
        operand_free(a), operand_free(b);
    }
    operand_free(expected);
}

static uint64_t pick(uint64_t *seed, uint64_t n) { /* Knuth's MMIX generator */
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % n;
}

TEST(every_product_agrees_with_the_oracle_in_equal_bits_for_any_threads_and_alignment) {
    (void)state;
    struct product_contexts all = products_of_build();
    for (int i = 0; i < all.count; i++) {
        const char *name = cr_context_product_name(i);
        uint64_t seed = 1;
        EACH_SIZE_AND_DTYPE(s, t)
        for (int layout = 0; layout < layouts * layouts; layout += 5 - layout / 5)
            assert_same_bits(name, all.ctx[i], s, t, layout);
        for (int k = 0; k < rounds(300); k++) {
            struct size s = {(int64_t)pick(&seed, 4), (int64_t)pick(&seed, 300), (int64_t)pick(&seed, 100),
                             (int64_t)pick(&seed, 300)};
            assert_same_bits(name, all.ctx[i], &s, k % 2 ? CR_F32 : CR_F64,
                             (int)pick(&seed, layouts * layouts));
        }
    }
    products_free(&all);
}

/* A product that only counts: each element of C once. */
static _Atomic int tiles_made;
static void count_tile(const struct gemm_tile *t) {
    float *c = t->c;
    tiles_made++;
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->columns; j++) c[i * t->rsc + j] += 1;
}
static const struct product counter = {"counter", {count_tile, NULL}};

static int tiles_of(cr_context *ctx, enum layout layout) {
    struct operand *a = operand_of(CR_F32, layout, 3, 300, 70), *b = operand_of(CR_F32, by_rows, 3, 70, 520),
                   *c = operand_of(CR_F32, by_rows, 3, 300, 520);
    struct tensor in[2] = {a->x, b->x};
    struct team team = {.ctx = ctx, .tasks = (size_t)cr_context_thread_count(ctx), .product = &counter};
    struct kernel_call call = {.op = OP_matmul, .n = 2, .in = in, .out = c->x, .team = &team};
    tiles_made = 0;
    fill(c, whole, 0), memset(c->x.data, 0, c->bytes);
    bool taken = product_matmul(&call);
    assert_int_equal(taken, layout != scattered);
    for (int64_t i = 0; i < 3 * 300 * 520; i++) assert_true(((float *)c->x.data)[i] == (float)taken);
    operand_free(a), operand_free(b), operand_free(c);
    return tiles_made;
}

TEST(tiles_cover_a_product_once_and_are_the_same_for_any_threads) {
    (void)state;
    cr_context *ctx[2] = {context_of(1), context_of(3)};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tiles_of(ctx[i], rows_with_gaps),
                         3 * 3 * 3); /* of 128 rows, of 256 columns, a batch of 3 */
        assert_int_equal(tiles_of(ctx[i], by_columns), 3 * 3 * 3);
        assert_int_equal(tiles_of(ctx[i], scattered), 0);
        cr_context_free(ctx[i]);
    }
}

static int threads_of_process(void) {
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    while (tasks && readdir(tasks)) count++;
    if (tasks) closedir(tasks);
    return count;
}

/* What a host has told a library stays so, no thread is left behind, and floating point is as it was. */
TEST(a_library_is_left_as_the_host_has_set_it) {
    (void)state;
    void (*set_threads)(int64_t) = NULL;
    int64_t (*get_threads)(void) = NULL;
    bool blis = load("libblis.so.4", "bli_thread_set_num_threads", &set_threads) &&
                load("libblis.so.4", "bli_thread_get_num_threads", &get_threads);
    if (blis) set_threads(3);
    int64_t told = blis ? get_threads() : 0;
    struct product_contexts all = products_of_build();
    int running = threads_of_process(); /* and each context's own, which start when they are needed */
    for (int i = 0; i < all.count * most_threads; i++)
        running += cr_context_thread_count(all.ctx[i / most_threads][i % most_threads]) - 1;
    struct operand *a = operand_of(CR_F32, by_rows, 1, 128, 784),
                   *b = operand_of(CR_F32, by_rows, 1, 784, 512);
    fill(a, fraction, 1), fill(b, fraction, 5);
    for (int i = 0; i < all.count * 2 * most_threads; i++) {
        if (!fpenv_set(i % 2, i % 2 ? FE_UPWARD : FE_TONEAREST)) continue;
        struct fpenv before = fpenv_now();
        operand_free(multiply(a, b, all.ctx[i / 2 / most_threads][i / 2 % most_threads]));
        fpenv_assert_same(before);
    }
    fpenv_set(false, FE_TONEAREST);
    assert_int_equal(threads_of_process(), running);
    if (blis) assert_int_equal(get_threads(), told);
    if (blis) set_threads(1);
    operand_free(a), operand_free(b);
    products_free(&all);
}

static void run_program(const cr_program *p, const struct operand *a, const struct operand *b, void *y,
                        size_t bytes) {
    cr_run *r;
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "a", CR_F64, a->x.data, a->bytes);
    cr_bind(r, "b", CR_F64, b->x.data, b->bytes);
    cr_bind(r, "y", CR_F64, y, bytes);
    assert_int_equal(cr_step(r), CR_OK);
    cr_run_free(r);
}

static cr_program *program_of(cr_context *ctx) {
    cr_graph *g = cr_graph_new(ctx);
    cr_target *t = cr_target_new(g);
    cr_program *p;
    cr_target_output(t, "y",
                     cr_matmul(cr_input(g, "a", CR_F64, 2, (int64_t[]){128, 784}),
                               cr_input(g, "b", CR_F64, 2, (int64_t[]){784, 512})));
    assert_int_equal(cr_compile(&p, t, NULL), CR_OK);
    cr_target_free(t);
    cr_graph_free(g);
    return p;
}

/* A program keeps the product of its context as it was compiled: its bits are those of that product. */
TEST(a_program_uses_the_product_its_context_had) {
    (void)state;
    struct product_contexts all = products_of_build();
    struct operand *a = operand_of(CR_F64, by_rows, 1, 128, 784),
                   *b = operand_of(CR_F64, by_rows, 1, 784, 512), *first = NULL;
    double *y = malloc(128 * 512 * sizeof *y);
    fill(a, fraction, 1), fill(b, fraction, 5);
    for (int i = 0; i < all.count; i++) {
        struct operand *c = multiply(a, b, all.ctx[i][1]);
        cr_program *p = program_of(all.ctx[i][1]);
        assert_int_equal(cr_context_product(all.ctx[i][1], "builtin"), CR_OK);
        run_program(p, a, b, y, c->bytes);
        assert_memory_equal(y, c->data, c->bytes);
        if (first)
            assert_memory_not_equal(
                y, first->data,
                c->bytes); /* it sums in another order: its slices of f64 are shorter than 512 */
        if (first) operand_free(c);
        else first = c;
        cr_program_free(p);
    }
    operand_free(a), operand_free(b), operand_free(first), free(y);
    products_free(&all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_product_is_chosen_by_a_name_of_the_list),
        RUN(every_product_agrees_with_the_oracle_in_equal_bits_for_any_threads_and_alignment),
        RUN(tiles_cover_a_product_once_and_are_the_same_for_any_threads),
        RUN(a_library_is_left_as_the_host_has_set_it),
        RUN(a_program_uses_the_product_its_context_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
