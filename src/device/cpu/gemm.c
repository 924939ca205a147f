/* Matrix products: after Goto and van de Geijn (2008) and BLIS. k is cut into slices; of each slice all of A
 * and B is packed into panels, in parallel; then panel times panel, in parallel, each sum of a slice in
 * registers, slices added in order. */
#include "device/cpu/gemm.h"

#include <string.h>

/* A panel of B of 32 columns of f32 and this depth fills half of a 64 KiB, or all of a 32 KiB, first-level
 * cache. */
enum { depth = 256, most_tile = 14 * 32, group = 8 /* panels of A that a task takes at a time */ };
enum { worth_a_thread = 1 << 17 /* multiply-adds: some 2 microseconds */ };

static struct gemm_shape shape_of_machine(bool is_f64) {
#ifdef GEMM_X86
    if (__builtin_cpu_supports("avx512f")) return gemm_shape_avx512(is_f64);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return gemm_shape_avx2(is_f64);
#endif
    return gemm_shape_plain(is_f64);
}

struct job {
    const struct gemm *p;
    struct gemm_shape s;
    size_t size;       /* of an element */
    int64_t first, kc; /* the slice */
    int64_t row_panels, column_panels;
    char *packed_a, *packed_b;
    size_t parts;
};

static int64_t panels(int64_t n, int64_t r) { return (n + r - 1) / r; }

static size_t line(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

size_t gemm_scratch(int64_t m, int64_t n, int64_t k, bool is_f64) {
    struct gemm_shape s = shape_of_machine(is_f64);
    size_t kc = (size_t)(k < depth ? k : depth), size = is_f64 ? 8 : 4;
    return line((size_t)(panels(m, s.mr) * s.mr) * kc * size) +
           line((size_t)(panels(n, s.nr) * s.nr) * kc * size);
}

/* r lines of length kc, line stride ls, element stride es, woven: element k of all r, then k + 1. Missing
 * lines are 0. */
#define PACK(T)                                                                                         \
    static void pack_##T(T *to, const T *from, int64_t lines, int64_t r, int64_t kc, int64_t ls,        \
                         int64_t es) {                                                                  \
        if (ls == 1)                                                                                    \
            for (int64_t k = 0; k < kc; k++, to += r) {                                                 \
                for (int64_t i = 0; i < lines; i++) to[i] = from[k * es + i];                           \
                for (int64_t i = lines; i < r; i++) to[i] = 0;                                          \
            }                                                                                           \
        else                                                                                            \
            for (int64_t i = 0; i < r; i++)                                                             \
                for (int64_t k = 0; k < kc; k++) to[k * r + i] = i < lines ? from[i * ls + k * es] : 0; \
    }
PACK(float)
PACK(double)

static void pack(const struct job *j, char *to, const void *from, int64_t offset, int64_t lines, int64_t r,
                 int64_t ls, int64_t es) {
    if (j->p->is_f64)
        pack_double((double *)(void *)to, (const double *)from + offset, lines, r, j->kc, ls, es);
    else pack_float((float *)(void *)to, (const float *)from + offset, lines, r, j->kc, ls, es);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void pack_part(void *arg, size_t part) {
    const struct job *j = arg;
    const struct gemm *p = j->p;
    int64_t first, end;
    team_part(j->row_panels + j->column_panels, j->parts, part, &first, &end);
    for (int64_t i = first; i < end; i++) {
        if (i < j->row_panels) {
            int64_t row = i * j->s.mr;
            pack(j, j->packed_a + (size_t)(row * j->kc) * j->size, p->a, row * p->rsa + j->first * p->csa,
                 least(j->s.mr, p->m - row), j->s.mr, p->rsa, p->csa);
        } else {
            int64_t column = (i - j->row_panels) * j->s.nr;
            pack(j, j->packed_b + (size_t)(column * j->kc) * j->size, p->b,
                 column * p->csb + j->first * p->rsb, least(j->s.nr, p->n - column), j->s.nr, p->csb, p->rsb);
        }
    }
}

/* The tile's sums go to C: the first slice sets, the others add. */
#define DELIVER(T)                                                                                \
    static void deliver_##T(const struct job *j, const T *tile, int64_t row, int64_t column) {    \
        int64_t rows = least(j->s.mr, j->p->m - row), columns = least(j->s.nr, j->p->n - column); \
        for (int64_t r = 0; r < rows; r++) {                                                      \
            T *c = (T *)j->p->c + (row + r) * j->p->n + column;                                   \
            const T *t = tile + r * j->s.nr;                                                      \
            if (j->first == 0) memcpy(c, t, (size_t)columns * sizeof *c);                         \
            else                                                                                  \
                for (int64_t i = 0; i < columns; i++) c[i] += t[i];                               \
        }                                                                                         \
    }
DELIVER(float)
DELIVER(double)

/* One panel of B with a group of panels of A. */
static void multiply_unit(const struct job *j, int64_t column_panel, int64_t first_row, int64_t end_row) {
    union {
        double d[most_tile];
        float f[most_tile];
    } tile;
    const char *b = j->packed_b + (size_t)(column_panel * j->s.nr * j->kc) * j->size;
    for (int64_t i = first_row; i < end_row; i++) {
        j->s.micro(j->kc, j->packed_a + (size_t)(i * j->s.mr * j->kc) * j->size, b, &tile);
        if (j->p->is_f64) deliver_double(j, tile.d, i * j->s.mr, column_panel * j->s.nr);
        else deliver_float(j, tile.f, i * j->s.mr, column_panel * j->s.nr);
    }
}

static void multiply_part(void *arg, size_t part) {
    const struct job *j = arg;
    int64_t groups = panels(j->row_panels, group), first, end;
    team_part(j->column_panels * groups, j->parts, part, &first, &end);
    for (int64_t u = first; u < end; u++) {
        int64_t row = u % groups * group;
        multiply_unit(j, u / groups, row, least(row + group, j->row_panels));
    }
}

static void run(const struct job *j, const struct team *team, void (*part)(void *, size_t)) {
    union {
        const struct job *from;
        void *to;
    } arg = {j};
    if (j->parts > 1) team_run(team, j->parts, part, arg.to);
    else part(arg.to, 0);
}

void gemm_run(const struct gemm *p, const struct team *team) {
    struct job j = {.p = p, .s = shape_of_machine(p->is_f64), .size = p->is_f64 ? 8 : 4, .parts = 1};
    if (p->m == 0 || p->n == 0) return;
    if (p->k == 0) {
        memset(p->c, 0, (size_t)(p->m * p->n) * j.size);
        return;
    }
    double parts = (double)p->m * (double)p->n * (double)p->k / worth_a_thread;
    if (parts >= 2) j.parts = parts < (double)team->tasks ? (size_t)parts : team->tasks;
    j.row_panels = panels(p->m, j.s.mr);
    j.column_panels = panels(p->n, j.s.nr);
    j.packed_a = team->scratch;
    j.packed_b = team->scratch + line((size_t)(j.row_panels * j.s.mr * least(p->k, depth)) * j.size);
    int64_t slices = panels(p->k, depth);
    for (int64_t i = 0; i < slices; i++) {
        int64_t end;
        team_part(p->k, (size_t)slices, (size_t)i, &j.first, &end);
        j.kc = end - j.first;
        run(&j, team, pack_part);
        run(&j, team, multiply_part);
    }
}
