/* Our own matrix products: right, and with equal bits for any layout, alignment and number of threads; beside every product library
 * that is found on this machine. */
#define _POSIX_C_SOURCE 200809L
#include "support/test.h"

#include "base/whole.h"
#include "device/cpu/gemm.h"
#include "support/operand.h"

/* The sums of integers are exact in any order: so each element is what integers give. */
TEST(products_of_integers_are_exact_in_every_layout) {
    (void)state;
    EACH_SIZE_AND_DTYPE(s, t) for (int layout = 0; layout < layouts * layouts; layout++) {
        struct operand *a = operand_of(t, (enum layout)(layout % layouts), s->batch, s->m, s->k),
                       *b = operand_of(t, (enum layout)(layout / layouts), s->batch, s->k, s->n);
        fill(a, whole, 1), fill(b, whole, 5);
        struct operand *c = multiply(a, b, NULL);
        for (int64_t i = 0; i < s->batch * s->m; i++)
            for (int64_t j = i % 3; j < s->n; j += 1 + s->k / 8) { /* all where this is quick */
                int64_t sum = 0, batch = i / s->m, row = i % s->m;
                for (int64_t k = 0; k < s->k; k++)
                    sum += (int64_t)get(a, batch, row, k) * (int64_t)get(b, batch, k, j);
                if (get(c, batch, row, j) != (double)sum)
                    fail_msg("%d x %d x %d, layout %d: [%d, %d] is %g, expected %d", (int)s->m, (int)s->k,
                             (int)s->n, layout, (int)row, (int)j, get(c, batch, row, j), (int)sum);
            }
        operand_free(a), operand_free(b), operand_free(c);
    }
}

TEST(bits_are_equal_for_any_layout_and_number_of_threads) {
    (void)state;
    cr_context *ctx[3] = {context_of(1), context_of(2), context_of(3)};
    EACH_SIZE_AND_DTYPE(s, t) {
        struct operand *expected = NULL;
        for (int layout = 0; layout < layouts * layouts; layout++) {
            struct operand *a = operand_of(t, (enum layout)(layout % layouts), s->batch, s->m, s->k),
                           *b = operand_of(t, (enum layout)(layout / layouts), s->batch, s->k, s->n);
            fill(a, fraction, 1), fill(b, fraction, 5);
            for (int threads = layout % 2 ? 3 : 1; threads <= 3; threads++) {
                struct operand *c = multiply(a, b, ctx[threads - 1]);
                if (!expected) expected = c;
                if (memcmp(c->data, expected->data, c->bytes) != 0)
                    fail_msg("%d x %d x %d, layout %d, %d threads: other bits", (int)s->m, (int)s->k,
                             (int)s->n, layout, threads);
                if (c != expected) operand_free(c);
            }
            operand_free(a), operand_free(b);
        }
        operand_free(expected);
    }
    for (int i = 0; i < 3; i++) cr_context_free(ctx[i]);
}

/* What an element does not depend on does not reach it: not a nan beside it, and not by way of 0 * nan. */
TEST(nan_and_infinity_stay_in_their_rows_and_columns) {
    (void)state;
    EACH_SIZE_AND_DTYPE(s, t) for (int layout = 0; layout < 4; layout++) {
        if (!s->batch || !s->m || !s->k || !s->n) continue;
        struct operand *a = operand_of(t, (enum layout)(layout % 2), s->batch, s->m, s->k),
                       *b = operand_of(t, (enum layout)(layout / 2), s->batch, s->k, s->n);
        fill(a, whole, 1), fill(b, whole, 5);
        struct operand *before = multiply(a, b, NULL);
        int64_t row = s->m / 2, column = s->n / 3, k = s->k - 1;
        set(a, 0, row, k, (double)NAN);
        set(b, 0, 0, column, (double)INFINITY);
        struct operand *c = multiply(a, b, NULL);
        for (int64_t i = 0; i < s->m; i++)
            for (int64_t j = 0; j < s->n; j++) {
                double v = get(c, 0, i, j);
                if (i == row) assert_true(v != v);
                else if (j == column)
                    assert_true(!isfinite(v)); /* infinity times what stands there; nan for 0 */
                else assert_true(v == get(before, 0, i, j));
            }
        operand_free(a), operand_free(b), operand_free(c), operand_free(before);
    }
}

TEST(one_matrix_serves_a_whole_batch) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct operand *a = operand_of(CR_F32, by_rows, 6, 20, 30),
                       *b = operand_of(CR_F32, by_columns, 6, 30, 40);
        fill(a, fraction, 1), fill(b, fraction, 5);
        struct operand *shared = which ? b : a;
        for (int64_t i = 1; i < 6; i++)
            memcpy((char *)shared->x.data + i * shared->stride[0] * 4, shared->x.data,
                   (size_t)shared->stride[0] * 4);
        struct operand *expected = multiply(a, b, NULL);
        shared->stride[0] = 0;
        struct operand *c = multiply(a, b, NULL);
        assert_memory_equal(c->data, expected->data, c->bytes);
        operand_free(a), operand_free(b), operand_free(c), operand_free(expected);
    }
}

/* ---- The tiles of each instruction set that this processor has ---- */

enum { most_columns = 150, tile_k = 11 };

static void assert_tile(const struct gemm_kernel *kernel, bool is_f64, int64_t rows, int64_t columns,
                        int held) { /* C: is not looked at, is added to, is where the sum goes on */
    cr_dtype t = is_f64 ? CR_F64 : CR_F32;
    struct operand *a = operand_of(t, rows_with_gaps, 1, rows, tile_k),
                   *b = operand_of(t, rows_with_gaps, 1, tile_k, columns),
                   *c = operand_of(t, rows_with_gaps, 1, rows, columns);
    fill(a, whole, 1), fill(b, whole, 5);
    if (held) fill(c, whole, 3);
    struct gemm_tile tile = {.k = tile_k,
                             .a = a->x.data,
                             .b = b->x.data,
                             .c = c->x.data,
                             .rsa = a->stride[1],
                             .csa = 1,
                             .rsb = b->stride[1],
                             .csb = 1,
                             .rsc = c->stride[1],
                             .rows = rows,
                             .columns = columns,
                             .add = held == 1,
                             .on = held == 2};
    kernel->tile(&tile);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns + 5; j++) {
            double expected = j < columns && held ? whole(3 + i * columns + j) : 0, found = get(c, 0, i, j);
            for (int64_t k = 0; k < tile_k && j < columns; k++) expected += get(a, 0, i, k) * get(b, 0, k, j);
            if (j < columns ? found != expected : found == found) /* the gap stays nan */
                fail_msg("tile %d x %d: [%d, %d] is %g, expected %g", (int)rows, (int)columns, (int)i, (int)j,
                         found, expected);
        }
    operand_free(a), operand_free(b), operand_free(c);
}

static void assert_tiles(const struct gemm_kernel *kernel) {
    int64_t step = sanitized ? 3 : 1;
    for (int f = 0; f < 2; f++)
        for (int64_t rows = 1; rows <= kernel[f].rows[0]; rows++)
            for (int64_t columns = 1; columns < most_columns; columns += (columns < 40 ? 1 : 7) * step)
                assert_tile(&kernel[f], f, rows, columns, (int)(rows % 3)),
                    assert_tile(&kernel[f], f, rows, columns, (int)(columns % 3));
}

/* A row times rows, columns, and what is neither; each kernel, so that those of other processors are tried too. */
static void assert_vectors(const struct gemm_kernel *kernel) {
    for (int f = 0; f < 2; f++)
        for (int layout = 0; layout < layouts; layout++)
            for (int64_t k = 0; k < 30; k += sanitized ? 4 : 1)
                for (int64_t n = 1; n < most_columns; n += n < 20 ? 1 : 13) {
                    cr_dtype t = f ? CR_F64 : CR_F32;
                    struct operand *a = operand_of(t, by_rows, 1, 1, k),
                                   *b = operand_of(t, (enum layout)layout, 1, k, n),
                                   *c = operand_of(t, by_rows, 1, 1, n);
                    fill(a, whole, 1), fill(b, whole, 5);
                    struct gemm_tile tile = {.k = k,
                                             .a = a->x.data,
                                             .b = b->x.data,
                                             .c = c->x.data,
                                             .csa = 1,
                                             .rsb = b->stride[1],
                                             .csb = b->stride[2],
                                             .rows = 1,
                                             .columns = n};
                    kernel[f].vector(&tile);
                    for (int64_t j = 0; j < n; j++) {
                        double expected = 0;
                        for (int64_t i = 0; i < k; i++) expected += get(a, 0, 0, i) * get(b, 0, i, j);
                        assert_true(get(c, 0, 0, j) == expected);
                    }
                    operand_free(a), operand_free(b), operand_free(c);
                }
}

TEST(tiles_and_vectors_of_every_instruction_set_are_exact) {
    (void)state;
    assert_tiles(gemm_plain), assert_vectors(gemm_plain);
#ifdef GEMM_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        assert_tiles(gemm_avx2), assert_vectors(gemm_avx2);
    if (__builtin_cpu_supports("avx512f")) assert_tiles(gemm_avx512), assert_vectors(gemm_avx512);
#endif
}

/* A tile of two rows takes AVX2 as long as one of four. */
TEST(no_tile_is_less_than_half_as_tall_as_the_others) {
    (void)state;
    for (int64_t m = 2; m < 200; m++) {
        const struct gemm p = {.m = m, .n = 512, .k = 128, .rsa = 128, .csa = 1, .rsb = 512, .csb = 1};
        struct gemm_plan j = gemm_plan_of(&p);
        int64_t rows = 0, height;
        for (; rows < j.p.m; rows += height) {
            height = gemm_height(&j, j.p.m - rows);
            assert_true(height <= j.rows && 2 * height >= least(j.rows, j.p.m));
        }
        assert_int_equal(rows, j.p.m);
    }
}

/* Rows far apart are not fetched ahead by the processor; where they compete for one set of a cache, ahead would be in vain. */
TEST(rows_are_asked_for_ahead_unless_they_are_packed_or_compete) {
    (void)state;
    struct gemm p = {.m = 128, .n = 512, .k = 128, .rsa = 128, .csa = 1, .rsb = 512, .csb = 1};
    struct gemm_plan j = gemm_plan_of(&p);
    assert_int_equal(j.early, j.kernel->early);
    p.rsb = 1024, p.m = 12;
    assert_int_equal(gemm_plan_of(&p).early, 0);
    p.rsb = 1, p.csb = 128;
    assert_int_equal(gemm_plan_of(&p).early, 0);
}

/* A call of a kernel takes as long as some five k: of few terms it is of as many strips as stay in half of a first-level cache. */
TEST(strips_of_few_terms_are_computed_several_at_a_time) {
    (void)state;
    for (int packed = 0; packed < 2; packed++)
        for (int64_t k = 2; k <= 1024; k *= 2) {
            struct gemm p = {.m = 40, .n = 5000, .k = k, .rsa = k, .csa = 1, .is_f64 = true};
            p.rsb = packed ? 1 : p.n, p.csb = packed ? k : 1;
            struct gemm_plan j = gemm_plan_of(&p);
            const int64_t strip = j.columns * j.depth * 8, together = first_level / strip;
            const bool spread = j.turned; /* by way of a tile of one strip */
            if (!spread) assert_int_equal(j.pack_b, packed);
            assert_int_equal(j.reach, spread ? j.columns : j.columns * (together > 1 ? together : 1));
            if (k < 32) assert_true(!spread && j.reach > j.columns && (!packed || j.width == j.reach));
        }
}

/* ---- Other libraries, where they are: each computes what we do, up to the order of its sums ---- */

struct foreign {
    const struct size *s;
    bool is_f64, ta, tb;
    const void *a, *b;
    void *c;
};

static void (*cblas_s)(int, int, int, int, int, int, float, const void *, int, const void *, int, float,
                       void *, int);
static void (*cblas_d)(int, int, int, int, int, int, double, const void *, int, const void *, int, double,
                       void *, int);
typedef void blis_fn(int, int, int64_t, int64_t, int64_t, const void *, const void *, int64_t, int64_t,
                     const void *, int64_t, int64_t, const void *, void *, int64_t, int64_t);
static blis_fn *blis_s, *blis_d;
static int (*onednn_s)(char, char, int64_t, int64_t, int64_t, float, const void *, int64_t, const void *,
                       int64_t, float, void *, int64_t);

static void openblas(const struct foreign *p) {
    int ta = p->ta ? 112 : 111, tb = p->tb ? 112 : 111, m = (int)p->s->m, n = (int)p->s->n, k = (int)p->s->k;
    if (p->is_f64) cblas_d(101, ta, tb, m, n, k, 1, p->a, p->ta ? m : k, p->b, p->tb ? k : n, 0, p->c, n);
    else cblas_s(101, ta, tb, m, n, k, 1, p->a, p->ta ? m : k, p->b, p->tb ? k : n, 0, p->c, n);
}

static void blis(const struct foreign *p) {
    const struct size *s = p->s;
    float one = 1, zero = 0;
    double one_d = 1, zero_d = 0;
    (p->is_f64 ? blis_d : blis_s)(0, 0, s->m, s->n, s->k, p->is_f64 ? (void *)&one_d : &one, p->a,
                                  p->ta ? 1 : s->k, p->ta ? s->m : 1, p->b, p->tb ? 1 : s->n,
                                  p->tb ? s->k : 1, p->is_f64 ? (void *)&zero_d : &zero, p->c, s->n, 1);
}

static void onednn(const struct foreign *p) {
    const struct size *s = p->s;
    if (p->is_f64) return;
    onednn_s(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', s->m, s->n, s->k, 1, p->a, p->ta ? s->m : s->k, p->b,
             p->tb ? s->k : s->n, 0, p->c, s->n);
}

static void assert_agree(const char *name, const struct foreign *p, const struct operand *ours,
                         const struct operand *theirs) {
    double bound = bound_of(p->s->k, p->is_f64 ? CR_F64 : CR_F32);
    for (int64_t i = 0; i < p->s->m; i++)
        for (int64_t j = 0; j < p->s->n; j++)
            if (!(fabs(get(ours, 0, i, j) - get(theirs, 0, i, j)) <= bound))
                fail_msg("%s, %d x %d x %d: [%d, %d] is %.9g, ours %.9g", name, (int)p->s->m, (int)p->s->k,
                         (int)p->s->n, (int)i, (int)j, get(theirs, 0, i, j), get(ours, 0, i, j));
}

static void compare(const char *name, void (*library)(const struct foreign *)) {
    EACH_SIZE_AND_DTYPE(s, t) for (int layout = 0; layout < 4; layout++) {
        if (s->batch != 1 || !s->m || !s->k || !s->n || (library == onednn && t == CR_F64)) continue;
        struct operand *a = operand_of(t, (enum layout)(layout % 2), 1, s->m, s->k),
                       *b = operand_of(t, (enum layout)(layout / 2), 1, s->k, s->n),
                       *theirs = operand_of(t, by_rows, 1, s->m, s->n);
        fill(a, fraction, 1), fill(b, fraction, 5);
        struct operand *c = multiply(a, b, NULL);
        struct foreign p = {s, t == CR_F64, layout % 2, layout / 2, a->x.data, b->x.data, theirs->x.data};
        library(&p);
        assert_agree(name, &p, c, theirs);
        operand_free(a), operand_free(b), operand_free(c), operand_free(theirs);
    }
}

TEST(every_product_library_found_agrees) {
    (void)state;
    int found = 0;
    if (load("libopenblas.so.0", "cblas_sgemm", &cblas_s) &&
        load("libopenblas.so.0", "cblas_dgemm", &cblas_d))
        compare("OpenBLAS", openblas), found++;
    if (load("libblis.so.4", "bli_sgemm", &blis_s) && load("libblis.so.4", "bli_dgemm", &blis_d))
        compare("BLIS", blis), found++;
    if (load("libdnnl.so.2", "dnnl_sgemm", &onednn_s)) compare("oneDNN", onednn), found++;
    if (!found) skip();
}

int main(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("BLIS_NUM_THREADS", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    const struct CMUnitTest tests[] = {
        RUN(products_of_integers_are_exact_in_every_layout),
        RUN(bits_are_equal_for_any_layout_and_number_of_threads),
        RUN(nan_and_infinity_stay_in_their_rows_and_columns),
        RUN(one_matrix_serves_a_whole_batch),
        RUN(tiles_and_vectors_of_every_instruction_set_are_exact),
        RUN(no_tile_is_less_than_half_as_tall_as_the_others),
        RUN(rows_are_asked_for_ahead_unless_they_are_packed_or_compete),
        RUN(strips_of_few_terms_are_computed_several_at_a_time),
        RUN(every_product_library_found_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
