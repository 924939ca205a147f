/* How fast are matrix products, beside every packaged library that is found? One thread each, taking turns within one run,
 * after a check that the numbers agree.
 *   bench_product [f32|f64 [part of a shape's use]]
 * Libraries are found at run time by their sonames (LD_LIBRARY_PATH): OpenBLAS, BLIS, oneDNN. A line is a shape: GFLOP/s of the
 * fastest of 15 turns, ours and theirs, then ours over the fastest of theirs. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device/kernels.h"

enum { turns = 15, sides = 4 };

/* C[m, n] = A[m, k] B[k, n], `batch` times side by side; ta: A lies as [k, m]; tb: B lies as [n, k]. */
struct what {
    const char *use;
    int64_t m, k, n;
    bool ta, tb;
    int64_t batch;
};
static const struct what shapes[] = {
    {"MLP layer 1", 128, 784, 512, 0, 0, 1},
    {"MLP layer 2", 128, 512, 256, 0, 0, 1},
    {"MLP layer 3", 128, 256, 10, 0, 0, 1},
    {"its dW1", 784, 128, 512, 1, 0, 1},
    {"its dW2", 512, 128, 256, 1, 0, 1},
    {"its dW3", 256, 128, 10, 1, 0, 1},
    {"its dh2", 128, 10, 256, 0, 1, 1},
    {"its dh1", 128, 256, 512, 0, 1, 1},
    {"a batch of 64", 64, 784, 512, 0, 0, 1},
    {"few columns", 64, 512, 10, 0, 0, 1},
    {"LSTM step", 32, 256, 1024, 0, 0, 1},
    {"its gradient", 32, 1024, 256, 0, 1, 1},
    {"few rows", 4, 784, 512, 0, 0, 1},
    {"its gradient", 4, 512, 784, 0, 1, 1},
    {"a row", 1, 784, 512, 0, 0, 1},
    {"its gradient", 1, 512, 784, 0, 1, 1},
    {"outer product", 784, 1, 512, 0, 0, 1},
    {"a column", 784, 512, 1, 0, 0, 1},
    {"its transpose", 512, 784, 1, 1, 0, 1},
    {"regression", 1000, 8, 1, 0, 0, 1},
    {"normal equations", 8, 1000, 8, 1, 0, 1},
    {"cube", 16, 16, 16, 0, 0, 1},
    {"cube", 64, 64, 64, 0, 0, 1},
    {"cube, A transposed", 64, 64, 64, 1, 0, 1},
    {"cube, B transposed", 64, 64, 64, 0, 1, 1},
    {"cube, odd", 127, 127, 127, 0, 0, 1},
    {"cube", 256, 256, 256, 0, 0, 1},
    {"cube, both transposed", 256, 256, 256, 1, 1, 1},
    {"cube", 1024, 1024, 1024, 0, 0, 1},
    {"batched", 4, 4, 4, 0, 0, 256},
    {"batched", 8, 8, 8, 0, 0, 256},
    {"batched, B transposed", 8, 8, 8, 0, 1, 256},
    {"batched", 16, 16, 16, 0, 0, 64},
    {"attention scores", 128, 64, 128, 0, 1, 8},
    {"attention values", 128, 128, 64, 0, 0, 8},
    {"transformer layer", 1024, 256, 256, 0, 0, 1},
    {"long inner size", 16, 65536, 16, 1, 0, 1},
};

struct product {
    const struct what *s;
    bool is_f64;
    char *a, *b, *c;
    struct team team;
};

static size_t size_of(const struct product *p) { return p->is_f64 ? 8 : 4; }

/* ---- The sides: each computes p->c ---- */

static void ours(struct product *p) {
    const struct what *s = p->s;
    const int64_t dims[3][3] = {{s->batch, s->m, s->k}, {s->batch, s->k, s->n}, {s->batch, s->m, s->n}};
    const int64_t strides[3][3] = {{s->m * s->k, s->ta ? 1 : s->k, s->ta ? s->m : 1},
                                   {s->k * s->n, s->tb ? 1 : s->n, s->tb ? s->k : 1},
                                   {s->m * s->n, s->n, 1}};
    cr_dtype t = p->is_f64 ? CR_F64 : CR_F32;
    const struct tensor in[2] = {{p->a, t, 3, dims[0], strides[0]}, {p->b, t, 3, dims[1], strides[1]}};
    struct kernel_call call = {
        .op = OP_matmul, .n = 2, .in = in, .out = {p->c, t, 3, dims[2], strides[2]}, .team = &p->team};
    kernel_matmul(&call);
}

static size_t scratch_of(const struct product *p) {
    const struct what *s = p->s;
    const int64_t dims[3][3] = {{s->batch, s->m, s->k}, {s->batch, s->k, s->n}, {s->batch, s->m, s->n}};
    const int64_t strides[3][3] = {{s->m * s->k, s->ta ? 1 : s->k, s->ta ? s->m : 1},
                                   {s->k * s->n, s->tb ? 1 : s->n, s->tb ? s->k : 1},
                                   {s->m * s->n, s->n, 1}};
    cr_dtype t = p->is_f64 ? CR_F64 : CR_F32;
    const struct tensor in[2] = {{NULL, t, 3, dims[0], strides[0]}, {NULL, t, 3, dims[1], strides[1]}};
    struct kernel_call call = {.op = OP_matmul, .n = 2, .in = in, .out = {NULL, t, 3, dims[2], strides[2]}};
    return kernel_matmul_scratch(&call);
}

enum { row_major = 101, plain = 111, transposed = 112 };
static void (*cblas_s)(int, int, int, int, int, int, float, const void *, int, const void *, int, float,
                       void *, int);
static void (*cblas_d)(int, int, int, int, int, int, double, const void *, int, const void *, int, double,
                       void *, int);
static void (*cblas_sv)(int, int, int, int, float, const void *, int, const void *, int, float, void *, int);
static void (*cblas_dv)(int, int, int, int, double, const void *, int, const void *, int, double, void *,
                        int);

/* A vector is given to gemv, as a user of BLAS would: of M[rows, columns] as it lies. */
static void openblas_vector(const struct product *p, const char *matrix, const char *vector, char *c, bool t,
                            int64_t rows, int64_t columns) {
    int trans = t ? transposed : plain, r = (int)rows, k = (int)columns;
    if (p->is_f64) cblas_dv(row_major, trans, r, k, 1, matrix, k, vector, 1, 0, c, 1);
    else cblas_sv(row_major, trans, r, k, 1, matrix, k, vector, 1, 0, c, 1);
}

static void openblas_one(const struct product *p, const char *a, const char *b, char *c) {
    const struct what *s = p->s;
    int ta = s->ta ? transposed : plain, tb = s->tb ? transposed : plain, m = (int)s->m, n = (int)s->n,
        k = (int)s->k;
    int lda = s->ta ? m : k, ldb = s->tb ? k : n;
    if (m == 1) openblas_vector(p, b, a, c, !s->tb, s->tb ? n : k, s->tb ? k : n);
    else if (n == 1) openblas_vector(p, a, b, c, s->ta, s->ta ? k : m, s->ta ? m : k);
    else if (p->is_f64) cblas_d(row_major, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
    else cblas_s(row_major, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
}

static void (*blis_s)(int, int, int64_t, int64_t, int64_t, const void *, const void *, int64_t, int64_t,
                      const void *, int64_t, int64_t, const void *, void *, int64_t, int64_t);
static void (*blis_d)(int, int, int64_t, int64_t, int64_t, const void *, const void *, int64_t, int64_t,
                      const void *, int64_t, int64_t, const void *, void *, int64_t, int64_t);

static void blis_one(const struct product *p, const char *a, const char *b, char *c) {
    const struct what *s = p->s;
    static const float one = 1, zero = 0;
    static const double one_d = 1, zero_d = 0;
    int64_t rsa = s->ta ? 1 : s->k, csa = s->ta ? s->m : 1, rsb = s->tb ? 1 : s->n, csb = s->tb ? s->k : 1;
    if (p->is_f64) blis_d(0, 0, s->m, s->n, s->k, &one_d, a, rsa, csa, b, rsb, csb, &zero_d, c, s->n, 1);
    else blis_s(0, 0, s->m, s->n, s->k, &one, a, rsa, csa, b, rsb, csb, &zero, c, s->n, 1);
}

static int (*onednn_s)(char, char, int64_t, int64_t, int64_t, float, const void *, int64_t, const void *,
                       int64_t, float, void *, int64_t);

static void onednn_one(const struct product *p, const char *a, const char *b, char *c) {
    const struct what *s = p->s;
    onednn_s(s->ta ? 'T' : 'N', s->tb ? 'T' : 'N', s->m, s->n, s->k, 1, a, s->ta ? s->m : s->k, b,
             s->tb ? s->k : s->n, 0, c, s->n);
}

static void each(struct product *p, void (*one)(const struct product *, const char *, const char *, char *)) {
    const struct what *s = p->s;
    int64_t size = (int64_t)size_of(p);
    for (int64_t i = 0; i < s->batch; i++)
        one(p, p->a + i * s->m * s->k * size, p->b + i * s->k * s->n * size, p->c + i * s->m * s->n * size);
}
static void openblas(struct product *p) { each(p, openblas_one); }
static void blis(struct product *p) { each(p, blis_one); }
static void onednn(struct product *p) { each(p, onednn_one); }

/* Function pointers by way of their bytes, as POSIX has it. */
static bool load(void *library, const char *name, void *fn, size_t size) {
    void *symbol = library ? dlsym(library, name) : NULL;
    memcpy(fn, &symbol, size);
    return symbol != NULL;
}
#define LOAD(library, name, fn) load(library, name, &(fn), sizeof(fn))

struct side {
    const char *name;
    void (*run)(struct product *);
    bool there, f32_only;
};

static void find_libraries(struct side side[sides]) {
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("BLIS_NUM_THREADS", "1", 1);
    void *o = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL),
         *b = dlopen("libblis.so.4", RTLD_NOW | RTLD_LOCAL),
         *d = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    side[0] = (struct side){"ours", ours, true, false};
    side[1] = (struct side){"OpenBLAS", openblas,
                            LOAD(o, "cblas_sgemm", cblas_s) && LOAD(o, "cblas_dgemm", cblas_d) &&
                                LOAD(o, "cblas_sgemv", cblas_sv) && LOAD(o, "cblas_dgemv", cblas_dv),
                            false};
    side[2] =
        (struct side){"BLIS", blis, LOAD(b, "bli_sgemm", blis_s) && LOAD(b, "bli_dgemm", blis_d), false};
    side[3] = (struct side){"oneDNN", onednn, LOAD(d, "dnnl_sgemm", onednn_s), true};
}

/* ---- Data ---- */

static double at(const struct product *p, const char *x, int64_t i) {
    return p->is_f64 ? ((const double *)(const void *)x)[i] : (double)((const float *)(const void *)x)[i];
}

static void fill(const struct product *p, char *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double v = sin((double)i * 0.7);
        if (p->is_f64) ((double *)(void *)x)[i] = v;
        else ((float *)(void *)x)[i] = (float)v;
    }
}

static void *allocate(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (p) return p;
    fprintf(stderr, "out of memory\n");
    exit(1);
}

static struct product product_of(const struct what *s, bool is_f64) {
    struct product p = {.s = s, .is_f64 = is_f64};
    size_t a = (size_t)(s->batch * s->m * s->k), b = (size_t)(s->batch * s->k * s->n),
           c = (size_t)(s->batch * s->m * s->n);
    p.a = allocate(a * size_of(&p)), p.b = allocate(b * size_of(&p)), p.c = allocate(c * size_of(&p));
    fill(&p, p.a, (int64_t)a), fill(&p, p.b, (int64_t)b);
    p.team = (struct team){.tasks = 1, .scratch_bytes = scratch_of(&p)};
    p.team.scratch = allocate(p.team.scratch_bytes);
    return p;
}

static void product_free(struct product *p) { free(p->a), free(p->b), free(p->c), free(p->team.scratch); }

/* Sums of k numbers below 1 in another order differ by less than k units in the last place of k. */
static void check(struct product *p, const struct side *side) {
    const struct what *s = p->s;
    int64_t n = s->batch * s->m * s->n;
    double bound = (double)s->k * (double)s->k * (p->is_f64 ? 0x1p-53 : 0x1p-24);
    char *expected = allocate((size_t)n * size_of(p));
    ours(p);
    memcpy(expected, p->c, (size_t)n * size_of(p));
    for (int k = 1; k < sides; k++) {
        if (!side[k].there || (side[k].f32_only && p->is_f64)) continue;
        side[k].run(p);
        for (int64_t i = 0; i < n; i++)
            if (!(fabs(at(p, p->c, i) - at(p, expected, i)) <= bound)) {
                fprintf(stderr, "%s gives %g where ours is %g\n", side[k].name, at(p, p->c, i),
                        at(p, expected, i));
                exit(1);
            }
    }
    free(expected);
}

/* ---- Time ---- */

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static double time_of(struct product *p, const struct side *side, int repeats) {
    double start = now_ns();
    for (int i = 0; i < repeats; i++) side->run(p);
    return (now_ns() - start) / repeats;
}

static void compare(const struct what *s, bool is_f64, const struct side side[sides]) {
    struct product p = product_of(s, is_f64);
    double best[sides], flops = 2. * (double)s->batch * (double)s->m * (double)s->n * (double)s->k,
                        theirs = 0;
    check(&p, side);
    int repeats = 1 + (int)(3e5 / (flops / 50)); /* a turn takes some 0.3 ms */
    if (repeats > 2000) repeats = 2000;
    for (int k = 0; k < sides; k++) best[k] = INFINITY;
    for (int turn = 0; turn < turns; turn++)
        for (int k = 0; k < sides; k++)
            if (side[k].there && !(side[k].f32_only && is_f64))
                best[k] = fmin(best[k], time_of(&p, &side[k], repeats));
    printf("%-22s %4lld x%6lld x%5lld %c%c %4lld %s", s->use, (long long)s->m, (long long)s->k,
           (long long)s->n, s->ta ? 'T' : 'N', s->tb ? 'T' : 'N', (long long)s->batch,
           is_f64 ? "f64" : "f32");
    for (int k = 0; k < sides; k++) {
        if (best[k] < INFINITY) printf(" %8.2f", flops / best[k]);
        else printf(" %8s", "-");
        if (k) theirs = fmax(theirs, flops / best[k]);
    }
    if (theirs > 0) printf("  %5.2f", flops / best[0] / theirs);
    printf("\n");
    fflush(stdout);
    product_free(&p);
}

int main(int argc, char **argv) {
    struct side side[sides];
    find_libraries(side);
    printf("%-22s %4s x%6s x%5s %2s %4s %3s", "", "m", "k", "n", "", "", "");
    for (int k = 0; k < sides; k++) printf(" %8s", side[k].name);
    printf("  ours/best\n");
    for (int is_f64 = 0; is_f64 < 2; is_f64++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            if ((argc < 2 || !strcmp(argv[1], is_f64 ? "f64" : "f32")) &&
                (argc < 3 || strstr(shapes[i].use, argv[2])))
                compare(&shapes[i], is_f64, side);
    return 0;
}
