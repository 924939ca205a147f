/* Matrix products in blocks: after Goto and van de Geijn (2008), but that an operand is copied only where this pays. k is cut into
 * slices; of a slice, a block of rows of A stays in the second-level cache, a strip of columns of B in the first or second. Threads
 * take whole rows or columns of C, so that none waits for another. */
#include "device/cpu/gemm.h"

#include <string.h>

#include "base/whole.h"

enum {
    depth = plan_slice,    /* a strip of 32 columns of f32 is 64 KiB, a part of the second-level cache */
    block_bytes = 1 << 20, /* of A: from the second-level cache or what is behind it it is read in order */
    conflict = 4096, /* bytes apart, all numbers compete for the few ways of one set of a first-level cache */
    ways = 7,        /* of such a set, less one for what passes through */
    narrow = 256,    /* bytes of a row of C, for which a copy of A is not read often enough: 4 lines */
    few = 4,         /* k so small that what counts is writing C */
    most_tile = 14 * 128 /* elements of C that a kernel may compute at once */
};

/* Divisions take as long as a small product: those by 1 are left out. */
static int64_t parts_of(int64_t n, int64_t r) { return n <= r ? 1 : (n + r - 1) / r; }
static int64_t vectors(int64_t n, const struct gemm_kernel *kernel) {
    return (n + (1 << kernel->shift) - 1) >> kernel->shift;
}

/* ---- Choosing, by shape and strides ---- */

/* On most processors with AVX-512 two halves of a vector take no longer than a whole: what fills no more goes there. */
static const struct gemm_kernel *kernel_for(bool is_f64, int64_t columns) {
#ifdef GEMM_X86
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && columns > (is_f64 ? 4 : 8) && __builtin_cpu_supports("avx512f")) return &gemm_avx512[is_f64];
    if (avx2) return &gemm_avx2[is_f64];
#endif
    (void)columns;
    return &gemm_plain[is_f64];
}

void cpu_turn(void *to, int64_t width, const void *from, int64_t stride, size_t size, int64_t k,
              int64_t columns) {
    kernel_for(size == 8, columns)->weave(to, width, from, stride, k, columns);
}

/* Cycles for all k, in eighths: a multiply-add of vectors each, for one k no fewer than its latency; what is not side by side along
 * the vectors has to be woven, and a C that is not has to be spread. */
static int64_t cost(const struct gemm *p, const struct gemm_kernel *kernel, bool woven, bool spread) {
    int64_t fma = p->m * vectors(p->n, kernel);
    return p->k * (8 * (fma < 4 ? 4 : fma) + (woven ? 3 * p->n : 0)) +
           (spread ? 8 * p->m * p->n * parts_of(p->k, depth) : 0);
}

/* C' = B' A': the same sums, with A along the vectors. */
static struct gemm turn(const struct gemm *p) {
    return (struct gemm){p->n,      p->m,  p->k,   p->csb,  p->rsb,   p->csa,  p->rsa,
                         p->is_f64, p->on, p->rsc, p->part, p->fresh, p->ahead};
}

static void choose_turn(struct gemm_plan *j, const struct gemm *p) {
    struct gemm turned = turn(p);
    const struct gemm_kernel *kernel = kernel_for(p->is_f64, least(p->m, p->n));
    int64_t rsc = p->rsc ? p->rsc : p->n;
    j->vector = (p->m == 1 || (p->n == 1 && rsc == 1)) && !p->on && !p->part;
    if (j->vector) j->turned = p->m > 1;
    else j->turned = cost(&turned, kernel, turned.csb != 1, true) < cost(p, kernel, p->csb != 1, false);
    j->p = j->turned ? turned : *p;
    j->rsc = j->turned ? 1 : rsc;
    j->csc = j->turned && !j->vector ? rsc : 1;
    j->kernel = kernel_for(p->is_f64, j->p.n);
}

static bool conflicts(const struct gemm_plan *j, int64_t stride) {
    return stride * (int64_t)j->size % conflict == 0;
}

static int64_t strips(const struct gemm_plan *j, int64_t n) { return (n + j->columns - 1) >> j->across; }

static void choose_tile(struct gemm_plan *j) {
    const int *rows = j->kernel->rows;
    int64_t m = j->p.m, n = j->p.n, fit = j->p.k <= few ? 1 : least(m, rows[1]);
    int v = 3;
    while (v > 0 && (rows[v] < fit || rows[v] == 0 || n <= (int64_t)1 << (j->kernel->shift + v - 1))) v--;
    j->across = j->kernel->shift + v;
    j->columns = (int64_t)1 << j->across;
    j->strips = strips(j, n);
    j->rows = rows[v];
    if (j->strips == 1 && j->rows > ways && j->p.k > few && conflicts(j, j->p.rsa)) j->rows = ways;
    j->panels = parts_of(m, j->rows);
    if (j->panels > 1) j->rows = parts_of(m, j->panels); /* of like height */
}

static void choose_copies(struct gemm_plan *j) {
    const struct gemm *p = &j->p;
    bool deep = p->k > few;
    j->pack_b = p->csb != 1 || (deep && j->strips > 1 && j->panels > 8 && conflicts(j, p->rsb));
    j->pack_a = deep && j->strips > 2 && p->n * (int64_t)j->size > narrow &&
                conflicts(j, p->rsa == 1 ? p->csa : p->rsa);
    j->early = j->pack_b || conflicts(j, p->rsb) ? 0 : j->kernel->early;
    if (j->vector) j->pack_b = false, j->pack_a = p->rsb == 1 && p->csb != 1 && p->csa != 1;
}

/* So many strips as stay in half of a first-level cache together, row after row of A: a call takes as long as some five k. */
static int64_t reach_of(const struct gemm_plan *j, bool close) {
    const int64_t strip = j->depth * j->columns * (int64_t)j->size,
                  together = strip ? first_level / strip : 1;
    if (!close) return j->columns;
    return j->by_rows ? j->p.n : j->columns * (together > 1 ? together : 1);
}

/* What follows from sizes, the choices made. */
static void fit(struct gemm_plan *j) {
    const struct gemm *p = &j->p;
    const bool close = j->csc == 1 || p->n == 1;
    j->slices = parts_of(p->k, depth);
    j->panels = parts_of(p->m, j->rows);
    j->strips = strips(j, p->n);
    j->block = j->panels * j->rows;
    if (j->block * j->depth * (int64_t)j->size > block_bytes)
        j->block = least(parts_of(block_bytes / (int64_t)j->size / j->depth, j->rows) * j->rows, j->block);
    j->by_rows = !j->pack_b && (j->panels == 1 || (size_t)(j->depth * p->n) * j->size <= first_level);
    j->reach = reach_of(j, close);
    j->width = least(j->reach, vectors(p->n, j->kernel) << j->kernel->shift);
    j->single = !j->vector && close && j->by_rows && j->panels == 1 && j->slices == 1 && !j->pack_a;
}

struct gemm_plan gemm_plan_of(const struct gemm *p) {
    struct gemm_plan j = {.size = p->is_f64 ? 8 : 4};
    choose_turn(&j, p);
    choose_tile(&j);
    choose_copies(&j);
    j.depth = least(p->k, depth);
    fit(&j);
    return j;
}

/* A packed line of A has a gap after it, so that lines do not conflict. */
static int64_t line_of_a(const struct gemm_plan *j) { return j->depth + 16; }

static size_t packed_a_bytes(const struct gemm_plan *j) {
    if (j->vector) return j->pack_a ? whole_lines((size_t)j->p.k * j->size) : 0;
    return j->pack_a ? whole_lines((size_t)(j->block * line_of_a(j)) * j->size) : 0;
}

size_t gemm_scratch(const struct gemm_plan *j) {
    return packed_a_bytes(j) + (j->pack_b ? whole_lines((size_t)(j->width * j->depth) * j->size) : 0);
}

/* ---- Computing ---- */

/* What one thread computes. */
struct part {
    const struct gemm_plan *j;
    const char *a, *b;
    char *c;
    char *packed_a, *packed_b;
    int64_t first_row, rows, first_column, columns; /* of C */
    int64_t first, k;                               /* the slice */
};

static const char *at(const struct part *p, const char *base, int64_t offset) {
    return base + offset * (int64_t)p->j->size;
}

/* Lines far apart are not fetched ahead by the processor itself. */
static void copy_lines(char *to, size_t width, const char *from, int64_t stride, int64_t lines, size_t n) {
    for (int64_t i = 0; i < lines; i++, to += width, from += stride) {
        size_t done = 0;
        PREFETCH(from, 8 * stride);
        PREFETCH(from, 8 * stride + 64);
        for (; done + 64 <= n; done += 64) memcpy(to + done, from + done, 64);
        if (done < n) memcpy(to + done, from + done, n - done);
    }
}

static void gather(const struct gemm_plan *j, char *to, int64_t width, const char *from, int64_t rs,
                   int64_t cs, int64_t lines, int64_t n) {
    int64_t size = (int64_t)j->size;
    for (int64_t i = 0; i < lines; i++)
        for (int64_t k = 0; k < n; k++)
            memcpy(to + (i * width + k) * size, from + (i * rs + k * cs) * size, j->size);
}

/* Lines of n elements, of any strides, to lines without gaps, `width` apart. */
static void pack(const struct gemm_plan *j, char *to, int64_t width, const char *from, int64_t rs, int64_t cs,
                 int64_t lines, int64_t n) {
    if (cs == 1)
        copy_lines(to, (size_t)width * j->size, from, rs * (int64_t)j->size, lines, (size_t)n * j->size);
    else if (rs == 1) j->kernel->weave(to, width, from, cs, lines, n);
    else gather(j, to, width, from, rs, cs, lines, n);
}

/* A C whose columns have gaps, by way of a tile without. */
static void run_spread(const struct gemm_plan *j, const struct gemm_tile *t) {
    union {
        float f[most_tile];
        double d[most_tile];
    } tile;
    struct gemm_tile to = *t;
    to.c = &tile;
    to.rsc = j->columns;
    if (t->add || t->on) j->kernel->weave(&tile, j->columns, t->c, j->csc, t->rows, t->columns);
    j->kernel->tile(&to);
    j->kernel->weave(t->c, j->csc, &tile, j->columns, t->columns, t->rows);
}

static void run_tile(const struct gemm_plan *j, const struct gemm_tile *t) {
    if (j->csc == 1 || j->p.n == 1) j->kernel->tile(t);
    else run_spread(j, t);
}

/* The block that begins at row `block`, packed; or A itself. */
static void set_a(const struct part *p, struct gemm_tile *t, int64_t block, int64_t row) {
    const struct gemm_plan *j = p->j;
    t->rsa = j->p.rsa;
    t->csa = j->p.csa;
    t->a = at(p, p->a, row * j->p.rsa + p->first * j->p.csa);
    if (!j->pack_a) return;
    t->rsa = j->p.rsa == 1 ? 1 : line_of_a(j);
    t->csa = j->p.rsa == 1 ? t->rows : 1;
    t->a = at(p, p->packed_a, (row - block) * line_of_a(j));
}

static void pack_block(const struct part *p, int64_t block, int64_t rows) {
    const struct gemm_plan *j = p->j;
    const char *from = at(p, p->a, block * j->p.rsa + p->first * j->p.csa);
    if (j->p.rsa != 1) {
        pack(j, p->packed_a, line_of_a(j), from, j->p.rsa, j->p.csa, rows, p->k);
        return;
    }
    for (int64_t i = 0, n; i < rows; i += n) {
        n = gemm_height(j, rows - i);
        pack(j, p->packed_a + (size_t)(i * line_of_a(j)) * j->size, n, at(p, from, i), j->p.csa, 1, p->k, n);
    }
}

/* The strip of B that begins at this column, packed where it is to be; and C beside it. */
static void set_b(const struct part *p, struct gemm_tile *t, int64_t column) {
    const struct gemm_plan *j = p->j;
    t->columns = least(j->reach, p->first_column + p->columns - column);
    t->b = at(p, p->b, p->first * j->p.rsb + column * j->p.csb);
    t->rsb = j->p.rsb;
    if (!j->pack_b) return;
    pack(j, p->packed_b, j->width, t->b, j->p.rsb, j->p.csb, p->k, t->columns);
    t->b = p->packed_b;
    t->rsb = j->width;
}

static void set_c(const struct part *p, struct gemm_tile *t, int64_t row, int64_t column) {
    t->c = p->c + (row * p->j->rsc + column * p->j->csc) * (int64_t)p->j->size;
}

/* From the next range on that is not asked for; at its end, a little behind it. For so many tiles. */
static const char *ask_range(struct ahead *a, int64_t k, int64_t tiles) {
    while (a && a->i < a->n && a->done >= a->range[a->i].bytes) a->i++, a->done = 0;
    if (!a || a->i == a->n) return NULL;
    const char *from = a->range[a->i].at + a->done;
    a->done += (size_t)(k * tiles) * half_line;
    return from;
}

/* What the tiles of a call ask for: that; or else rows of B, the first tile of a strip those of the next strip, the others of their own. */
static void set_ahead(const struct gemm_plan *j, struct gemm_tile *t, bool first) {
    t->ahead = ask_range(j->p.ahead, t->k, strips(j, t->columns));
    t->ahead_step = half_line;
    t->ahead_vector = t->k * half_line >> (j->across - j->kernel->shift);
    if (t->ahead || !j->early) return;
    int64_t from = first ? j->columns : j->early * t->rsb;
    t->ahead = (const char *)t->b + from * (int64_t)j->size;
    t->ahead_step = t->rsb * (int64_t)j->size;
    t->ahead_vector = (int64_t)j->size << j->kernel->shift;
}

static void multiply_tile(const struct part *p, struct gemm_tile *t, int64_t block, int64_t end, int64_t row,
                          int64_t column) {
    t->rows = gemm_height(p->j, end - row);
    set_ahead(p->j, t, row == block);
    set_a(p, t, block, row);
    set_c(p, t, row, column);
    run_tile(p->j, t);
}

static bool goes_on(const struct gemm_plan *j) { return j->p.on && !j->p.fresh; }

static struct gemm_tile tile_of(const struct part *p) {
    return (struct gemm_tile){.k = p->k,
                              .rsc = p->j->rsc,
                              .csb = p->j->p.csb,
                              .add = p->first > 0,
                              .on = goes_on(p->j) && p->first == 0};
}

static void multiply_block(const struct part *p, int64_t block, int64_t end) {
    const struct gemm_plan *j = p->j;
    struct gemm_tile t = tile_of(p);
    int64_t last = p->first_column + p->columns;
    if (j->pack_a) pack_block(p, block, end - block);
    if (j->by_rows)
        for (int64_t row = block; row < end; row += t.rows)
            for (int64_t column = p->first_column; column < last; column += j->reach) {
                set_b(p, &t, column);
                multiply_tile(p, &t, block, end, row, column);
            }
    else
        for (int64_t column = p->first_column; column < last; column += j->reach) {
            set_b(p, &t, column);
            for (int64_t row = block; row < end; row += t.rows) multiply_tile(p, &t, block, end, row, column);
        }
}

static void multiply_vector(const struct part *p) {
    const struct gemm_plan *j = p->j;
    struct gemm_tile t = {.k = j->p.k,
                          .a = p->a,
                          .csa = j->p.csa,
                          .rsb = j->p.rsb,
                          .csb = j->p.csb,
                          .rows = 1,
                          .columns = p->columns};
    t.b = at(p, p->b, p->first_column * j->p.csb);
    set_c(p, &t, 0, p->first_column);
    if (j->pack_a) {
        gather(j, p->packed_a, 1, p->a, j->p.csa, 1, j->p.k, 1);
        t.a = p->packed_a;
        t.csa = 1;
    }
    j->kernel->vector(&t);
}

static void run_part(struct part *p) {
    const struct gemm_plan *j = p->j;
    if (j->vector) {
        multiply_vector(p);
        return;
    }
    for (int64_t s = 0; s < j->slices; s++) {
        p->first = s * depth;
        p->k = least(depth, j->p.k - p->first);
        for (int64_t i = 0; i < p->rows; i += j->block)
            multiply_block(p, p->first_row + i, p->first_row + least(i + j->block, p->rows));
    }
}

static void run_single(const struct gemm_plan *j, const void *a, const void *b, void *c) {
    struct gemm_tile t = {.k = j->p.k,
                          .a = a,
                          .b = b,
                          .c = c,
                          .rsa = j->p.rsa,
                          .csa = j->p.csa,
                          .rsb = j->p.rsb,
                          .csb = j->p.csb,
                          .rsc = j->rsc,
                          .rows = j->p.m,
                          .columns = j->p.n,
                          .on = goes_on(j)};
    set_ahead(j, &t, true);
    j->kernel->tile(&t);
}

static struct part part_of(const struct gemm_plan *j, const void *a, const void *b, void *c, void *scratch) {
    struct part p = {j, j->turned ? b : a, j->turned ? a : b, c, scratch, NULL, 0, j->p.m, 0, j->p.n, 0, 0};
    if (j->pack_b) p.packed_b = p.packed_a + packed_a_bytes(j);
    return p;
}

void gemm_run(const struct gemm_plan *j, const void *a, const void *b, void *c, void *scratch) {
    if (j->p.m == 0 || j->p.n == 0) return;
    if (j->single) {
        run_single(j, j->turned ? b : a, j->turned ? a : b, c);
        return;
    }
    struct part p = part_of(j, a, b, c, scratch);
    run_part(&p);
}

/* ---- Some of it ---- */

static void narrow_to(struct gemm_plan *j, int64_t m, int64_t n, int64_t k) {
    j->p.m = j->turned ? n : m;
    j->p.n = j->turned ? m : n;
    j->p.k = k;
    fit(j);
}

/* All is read and written where it stands, and an element is one chain: only tiles are left to do. */
static bool is_plain(const struct gemm_plan *j, int64_t k) {
    return !j->turned && !j->vector && !j->pack_a && !j->pack_b && k <= depth;
}

static void run_plain(const struct gemm_plan *j, int64_t m, int64_t n, int64_t k, const char *a,
                      const char *b, char *c) {
    const struct gemm *p = &j->p;
    const int64_t size = (int64_t)j->size, wide = m <= j->rows ? n : j->columns;
    struct gemm_tile t = {
        .k = k, .rsa = p->rsa, .csa = p->csa, .rsb = p->rsb, .csb = 1, .rsc = j->rsc, .on = goes_on(j)};
    for (int64_t column = 0; column < n; column += wide) {
        t.b = b + column * size;
        t.columns = least(wide, n - column);
        for (int64_t row = 0; row < m; row += t.rows) {
            t.rows = gemm_height(j, m - row);
            t.a = a + row * p->rsa * size;
            t.c = c + (row * j->rsc + column) * size;
            set_ahead(j, &t, row == 0);
            j->kernel->tile(&t);
        }
    }
}

void gemm_run_some(struct gemm_plan *j, int64_t m, int64_t n, int64_t k, const void *a, const void *b,
                   void *c, void *scratch) {
    if (is_plain(j, k)) {
        run_plain(j, m, n, k, a, b, c);
        return;
    }
    narrow_to(j, m, n, k);
    gemm_run(j, a, b, c, scratch);
}

/* ---- In parts ---- */

struct parts {
    const struct gemm_plan *j;
    const void *a, *b;
    void *c;
    size_t n;
    const struct team *team;
};

/* Part i of n things in units of r. */
static void cut(int64_t n, int64_t r, size_t parts, size_t i, int64_t *first, int64_t *count) {
    int64_t end;
    team_part(parts_of(n, r), parts, i, first, &end);
    *first *= r;
    *count = least(end * r, n) - *first;
}

static void run_parts(void *arg, size_t i) {
    const struct parts *all = arg;
    const struct gemm_plan *j = all->j;
    struct part p = part_of(j, all->a, all->b, all->c, team_scratch(all->team, i));
    if (j->panels > j->strips) cut(j->p.m, j->rows, all->n, i, &p.first_row, &p.rows);
    else cut(j->p.n, j->columns, all->n, i, &p.first_column, &p.columns);
    run_part(&p);
}

void gemm_run_parts(const struct gemm_plan *j, const void *a, const void *b, void *c, size_t parts,
                    const struct team *team) {
    int64_t units = j->panels > j->strips ? j->panels : j->strips;
    struct parts all = {j, a, b, c, (int64_t)parts < units ? parts : (size_t)units, team};
    if (all.n < 2) gemm_run(j, a, b, c, team->scratch);
    else team_run(team, all.n, run_parts, &all);
}
