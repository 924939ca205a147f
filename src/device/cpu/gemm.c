/* Matrix products in blocks: after Goto and van de Geijn (2008), but that an operand is copied only where this pays. k is cut into
 * slices; of a slice, a block of rows of A stays in the second-level cache, a panel of columns of B in the first. Threads take
 * whole rows or columns of C, so that none waits for another. */
#include "device/cpu/gemm.h"

#include <string.h>

enum {
    depth = 256, /* of a slice: a panel of 32 columns of f32 fills a first-level cache of 32 KiB */
    block_bytes = 256 << 10,  /* of A: half of a second-level cache of 512 KiB */
    most_tile = 14 * 128,     /* elements of C that a kernel may compute at once */
    worth_a_thread = 1 << 17, /* multiply-adds: some 2 microseconds */
    pays_by_rows = 3,         /* a panel is copied if it is used so often */
    pays_by_columns = 4,
    first_level = 16 << 10
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t parts_of(int64_t n, int64_t r) { return (n + r - 1) / r; }
static size_t line(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* How a product is computed, all by shape and strides. */
struct job {
    struct gemm p;
    const struct gemm_kernel *kernel;
    size_t size;           /* of an element */
    int64_t rows, columns; /* of a tile, at most */
    int64_t depth;         /* of a slice, at most */
    int64_t block;         /* rows of A at a time */
    bool pack_a, pack_b, by_rows;
    int64_t width; /* of a packed panel */
    bool cut_rows; /* between threads; else columns */
    size_t parts;
    const struct team *team;
};

/* ---- Choosing ---- */

/* On most processors with AVX-512 two of its halves take no longer than a whole: what fills no more goes there. */
static const struct gemm_kernel *kernel_for(bool is_f64, int64_t columns) {
#ifdef GEMM_X86
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && columns > gemm_avx2[is_f64].lanes && __builtin_cpu_supports("avx512f"))
        return &gemm_avx512[is_f64];
    if (avx2) return &gemm_avx2[is_f64];
#endif
    (void)columns;
    return &gemm_plain[is_f64];
}

/* Cycles for one k, in eighths: a multiply-add of vectors each, no fewer than its latency; what is not contiguous along the
 * vectors has to be woven, and a transposed C to be spread. */
static int64_t cost(int64_t m, int64_t n, int64_t k, int lanes, bool woven, bool spread) {
    int64_t fma = m * parts_of(n, lanes);
    return 8 * (fma < 4 ? 4 : fma) + (woven ? 3 * n : 0) + (spread ? 8 * m * n * parts_of(k, depth) / k : 0);
}

/* C' = B' A': the same sums, with A along the vectors. */
static struct gemm transpose(const struct gemm *p) {
    return (struct gemm){.m = p->n,
                         .n = p->m,
                         .k = p->k,
                         .a = p->b,
                         .b = p->a,
                         .c = p->c,
                         .rsa = p->csb,
                         .csa = p->rsb,
                         .rsb = p->csa,
                         .csb = p->rsa,
                         .rsc = p->csc,
                         .csc = p->rsc,
                         .is_f64 = p->is_f64};
}

static struct gemm oriented(const struct gemm *p, int lanes) {
    int64_t as_is = cost(p->m, p->n, p->k, lanes, p->csb != 1, p->csc != 1 && p->n > 1),
            turned = cost(p->n, p->m, p->k, lanes, p->rsa != 1, p->rsc != 1 && p->m > 1);
    return turned < as_is ? transpose(p) : *p;
}

static void choose_tile(struct job *j) {
    const int *rows = j->kernel->rows;
    int v = 3;
    while (v > 0 &&
           (rows[v] == 0 || rows[v] < least(j->p.m, rows[1]) || (j->kernel->lanes << (v - 1)) >= j->p.n))
        v--;
    j->columns = (int64_t)j->kernel->lanes << v;
    j->rows = parts_of(j->p.m, parts_of(j->p.m, rows[v])); /* of like height */
}

static struct job job_of(const struct gemm *p) {
    const struct gemm_kernel *kernel = kernel_for(p->is_f64, least(p->m, p->n));
    struct job j = {.p = oriented(p, kernel->lanes), .kernel = kernel, .size = p->is_f64 ? 8 : 4};
    j.kernel = kernel_for(p->is_f64, j.p.n);
    choose_tile(&j);
    int64_t panels = parts_of(j.p.m, j.rows), strips = parts_of(j.p.n, j.columns);
    j.depth = least(j.p.k, depth);
    j.pack_b = j.p.csb != 1 || (panels >= pays_by_rows && strips > 1 && j.p.k > 4);
    j.pack_a = strips >= pays_by_columns && j.p.k > 4;
    j.by_rows = !j.pack_b && (size_t)(j.depth * j.p.n) * j.size <= first_level;
    j.block = least(parts_of((int64_t)(block_bytes / j.size) / j.depth, j.rows), panels) * j.rows;
    j.width = least(j.columns, parts_of(j.p.n, j.kernel->lanes) * j.kernel->lanes);
    j.cut_rows = panels > strips;
    return j;
}

static size_t packed_a_bytes(const struct job *j) {
    return j->pack_a ? line((size_t)(j->block * (j->depth + 16)) * j->size) : 0;
}

static size_t scratch_of(const struct job *j) {
    return packed_a_bytes(j) + (j->pack_b ? line((size_t)(j->width * j->depth) * j->size) : 0);
}

size_t gemm_scratch(const struct gemm *p) {
    if (p->m == 0 || p->n == 0 || p->k == 0) return 0;
    struct job j = job_of(p);
    return scratch_of(&j);
}

/* ---- Computing ---- */

/* A slice of k, a block of rows, as the tiles read it. */
struct part {
    const struct job *j;
    int64_t first_row, rows, first_column, columns; /* of C: this part's */
    int64_t first, k;                               /* the slice */
    char *packed_a, *packed_b;
};

static const char *at_a(const struct job *j, int64_t i, int64_t k) {
    return (const char *)j->p.a + (i * j->p.rsa + k * j->p.csa) * (int64_t)j->size;
}
static const char *at_b(const struct job *j, int64_t k, int64_t i) {
    return (const char *)j->p.b + (k * j->p.rsb + i * j->p.csb) * (int64_t)j->size;
}
static char *at_c(const struct job *j, int64_t i, int64_t k) {
    return (char *)j->p.c + (i * j->p.rsc + k * j->p.csc) * (int64_t)j->size;
}

/* `lines` lines of n elements side by side, to lines `width` apart. */
static void copy_lines(char *to, int64_t width, const char *from, int64_t stride, int64_t lines, int64_t n,
                       size_t size) {
    for (int64_t i = 0; i < lines; i++)
        memcpy(to + (size_t)(i * width) * size, from + i * stride * (int64_t)size, (size_t)n * size);
}

#define GATHER(T)                                                                                      \
    static void gather_##T(T *to, int64_t width, const T *from, int64_t rs, int64_t cs, int64_t lines, \
                           int64_t n) {                                                                \
        for (int64_t i = 0; i < lines; i++)                                                            \
            for (int64_t k = 0; k < n; k++) to[i * width + k] = from[i * rs + k * cs];                 \
    }
GATHER(float)
GATHER(double)

/* Lines of any strides, to lines without gaps. */
static void pack(const struct job *j, char *to, int64_t width, const char *from, int64_t rs, int64_t cs,
                 int64_t lines, int64_t n) {
    if (cs == 1) copy_lines(to, width, from, rs, lines, n, j->size);
    else if (rs == 1) j->kernel->weave(to, width, from, cs, lines, n);
    else if (j->p.is_f64)
        gather_double((double *)(void *)to, width, (const double *)(const void *)from, rs, cs, lines, n);
    else gather_float((float *)(void *)to, width, (const float *)(const void *)from, rs, cs, lines, n);
}

#define SPREAD_TILE(T)                                                                              \
    static void spread_##T(const struct job *j, T *c, const T *tile, int64_t rows, int64_t columns, \
                           bool add) {                                                              \
        for (int64_t k = 0; k < columns; k++)                                                       \
            for (int64_t i = 0; i < rows; i++) {                                                    \
                T *to = c + i * j->p.rsc + k * j->p.csc;                                            \
                *to = add ? *to + tile[i * j->columns + k] : tile[i * j->columns + k];              \
            }                                                                                       \
    }
SPREAD_TILE(float)
SPREAD_TILE(double)

/* Where C's rows have gaps, by way of a tile without. */
static void run_tile(const struct job *j, struct gemm_tile *t) {
    union {
        float f[most_tile];
        double d[most_tile];
    } tile;
    if (j->p.csc == 1 || t->columns == 1) {
        j->kernel->tile(t);
        return;
    }
    struct gemm_tile to = *t;
    to.c = &tile;
    to.rsc = j->columns;
    to.add = false;
    j->kernel->tile(&to);
    if (j->p.is_f64) spread_double(j, t->c, tile.d, t->rows, t->columns, t->add);
    else spread_float(j, t->c, tile.f, t->rows, t->columns, t->add);
}

struct panel { /* of B */
    const char *b;
    int64_t rsb, first, columns;
};

static struct panel panel_of(const struct part *p, int64_t column) {
    const struct job *j = p->j;
    struct panel x = {at_b(j, p->first, column), j->p.rsb, column,
                      least(j->columns, p->first_column + p->columns - column)};
    if (!j->pack_b) return x;
    pack(j, p->packed_b, j->width, x.b, x.rsb, j->p.csb, p->k, x.columns);
    x.b = p->packed_b;
    x.rsb = j->width;
    return x;
}

/* Rows first .. first+rows-1 of the block at `block`, with a panel. */
static void multiply(const struct part *p, const struct panel *x, int64_t block, int64_t first,
                     int64_t rows) {
    const struct job *j = p->j;
    struct gemm_tile t = {.k = p->k,
                          .a = at_a(j, first, p->first),
                          .b = x->b,
                          .c = at_c(j, first, x->first),
                          .rsa = j->p.rsa,
                          .csa = j->p.csa,
                          .rsb = x->rsb,
                          .rsc = j->p.rsc,
                          .rows = (int)rows,
                          .columns = (int)x->columns,
                          .add = p->first > 0};
    if (j->pack_a) {
        bool lies = j->p.rsa != 1; /* rows without gaps; else columns */
        t.rsa = lies ? j->depth + 16 : 1;
        t.csa = lies ? 1 : j->rows;
        t.a = p->packed_a +
              (size_t)(lies ? (first - block) * t.rsa : (first - block) / j->rows * j->rows * j->depth) *
                  j->size;
    }
    run_tile(j, &t);
}

static void pack_block(const struct part *p, int64_t block, int64_t rows) {
    const struct job *j = p->j;
    if (j->p.rsa != 1) {
        pack(j, p->packed_a, j->depth + 16, at_a(j, block, p->first), j->p.rsa, j->p.csa, rows, p->k);
        return;
    }
    for (int64_t i = 0; i < rows; i += j->rows)
        pack(j, p->packed_a + (size_t)(i * j->depth) * j->size, j->rows, at_a(j, block + i, p->first),
             j->p.csa, 1, p->k, least(j->rows, rows - i));
}

static void multiply_block(const struct part *p, int64_t block, int64_t rows) {
    const struct job *j = p->j;
    int64_t end = p->first_column + p->columns;
    if (j->pack_a) pack_block(p, block, rows);
    if (j->by_rows) {
        for (int64_t i = 0; i < rows; i += j->rows)
            for (int64_t k = p->first_column; k < end; k += j->columns) {
                struct panel x = panel_of(p, k);
                multiply(p, &x, block, block + i, least(j->rows, rows - i));
            }
        return;
    }
    for (int64_t k = p->first_column; k < end; k += j->columns) {
        struct panel x = panel_of(p, k);
        for (int64_t i = 0; i < rows; i += j->rows)
            multiply(p, &x, block, block + i, least(j->rows, rows - i));
    }
}

static void run_rectangle(struct part *p) {
    const struct job *j = p->j;
    int64_t slices = parts_of(j->p.k, depth);
    for (int64_t s = 0; s < slices; s++) {
        int64_t end;
        team_part(j->p.k, (size_t)slices, (size_t)s, &p->first, &end);
        p->k = end - p->first;
        for (int64_t i = 0; i < p->rows; i += j->block)
            multiply_block(p, p->first_row + i, least(j->block, p->rows - i));
    }
}

/* Part i of n things in units of r. */
static void cut(int64_t n, int64_t r, size_t parts, size_t i, int64_t *first, int64_t *count) {
    int64_t end;
    team_part(parts_of(n, r), parts, i, first, &end);
    *first *= r;
    *count = least(end * r, n) - *first;
}

static void run_part(void *arg, size_t i) {
    const struct job *j = arg;
    char *scratch = team_scratch(j->team, i);
    struct part p = {.j = j,
                     .rows = j->p.m,
                     .columns = j->p.n,
                     .packed_a = scratch,
                     .packed_b = scratch + packed_a_bytes(j)};
    if (j->cut_rows) cut(j->p.m, j->rows, j->parts, i, &p.first_row, &p.rows);
    else cut(j->p.n, j->columns, j->parts, i, &p.first_column, &p.columns);
    run_rectangle(&p);
}

static void fill_zero(const struct gemm *p) {
    size_t size = p->is_f64 ? 8 : 4;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t k = 0; k < p->n; k++)
            memset((char *)p->c + (i * p->rsc + k * p->csc) * (int64_t)size, 0, size);
}

void gemm_serial(const struct gemm *p, void *scratch) {
    if (p->m == 0 || p->n == 0) return;
    if (p->k == 0) {
        fill_zero(p);
        return;
    }
    struct job j = job_of(p);
    struct part part = {.j = &j, .rows = j.p.m, .columns = j.p.n, .packed_a = scratch};
    part.packed_b = part.packed_a + packed_a_bytes(&j);
    run_rectangle(&part);
}

void gemm_run(const struct gemm *p, const struct team *team) {
    double parts = (double)p->m * (double)p->n * (double)p->k / worth_a_thread;
    if (parts < 2 || team->tasks == 1) {
        gemm_serial(p, team->scratch);
        return;
    }
    struct job j = job_of(p);
    j.team = team;
    j.parts = parts < (double)team->tasks ? (size_t)parts : team->tasks;
    int64_t units = j.cut_rows ? parts_of(j.p.m, j.rows) : parts_of(j.p.n, j.columns);
    if ((int64_t)j.parts > units) j.parts = (size_t)units;
    team_run(team, j.parts, run_part, &j);
}
