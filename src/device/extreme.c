/* argmax and argmin: the first of equals; a nan wins, as in NumPy. Lines go many at once, as lanes of vectors: those that stand
 * side by side, or short ones turned over; of a long one its numbers are dealt out to as many lines. */
#include <string.h>

#include "device/device.h"
#include "device/kernels.h"
#include "tensor/dtype.h"

enum { short_line = 128, most_line = INT32_MAX }; /* of numbers */

struct lines {
    const struct kernel_call *c;
    extreme_fn *across;
    struct axes line; /* where each begins */
    int64_t size;     /* of an element */
    int64_t n, step;
};

static const char *line_at(const struct lines *all, int64_t i) {
    return (const char *)all->c->in->data + axes_offset(&all->line, i) * all->size;
}

#define WITH_TYPE(MACRO, dtype)                 \
    switch (dtype) {                            \
    case CR_F64: EITHER(MACRO, double); break;  \
    case CR_F32: EITHER(MACRO, float); break;   \
    case CR_I64: EITHER(MACRO, int64_t); break; \
    default: EITHER(MACRO, int32_t); break;     \
    }
#define EITHER(MACRO, T)                  \
    do {                                  \
        if (op == OP_argmax) MACRO(T, >); \
        else MACRO(T, <);                 \
    } while (0)

/* ---- One line ---- */

#define FIRST(T, better)                                   \
    do {                                                   \
        const T *x = data;                                 \
        T best = x[0];                                     \
        for (int64_t k = 1; k < n && best == best; k++) {  \
            T v = x[k * step];                             \
            if (v better best || v != v) best = v, at = k; \
        }                                                  \
    } while (0)

static int64_t first_of(int op, cr_dtype dtype, const void *data, int64_t step, int64_t n) {
    int64_t at = 0;
    WITH_TYPE(FIRST, dtype)
    return at;
}

#define FIRST_AMONG(T, better)                                                             \
    do {                                                                                   \
        const T *x = data;                                                                 \
        for (int i = 1; i < n; i++) {                                                      \
            T v = x[place[i]], best = x[at];                                               \
            bool as_good = v == best || (v != v && best != best);                          \
            if (as_good ? place[i] < at : best == best && !(best better v)) at = place[i]; \
        }                                                                                  \
    } while (0)

/* Of numbers in any order the extreme that stands first. */
static int64_t first_among(int op, cr_dtype dtype, const void *data, const int64_t place[], int n) {
    int64_t at = place[0];
    WITH_TYPE(FIRST_AMONG, dtype)
    return at;
}

/* A long line, dealt out. */
static int64_t first_of_long(const struct lines *all, const char *line) {
    int64_t place[2 * extreme_lines], whole = all->n / extreme_lines;
    int n = extreme_lines;
    all->across(line, extreme_lines, whole, place);
    for (int l = 0; l < extreme_lines; l++) place[l] = place[l] * extreme_lines + l;
    for (int64_t k = whole * extreme_lines; k < all->n; k++) place[n++] = k;
    return first_among(all->c->op, all->c->in->dtype, line, place, n);
}

static int64_t of_line(const struct lines *all, int64_t i) {
    const char *line = line_at(all, i);
    bool dealt = all->step == 1 && all->n > short_line && all->n / extreme_lines <= most_line;
    return dealt ? first_of_long(all, line)
                 : first_of(all->c->op, all->c->in->dtype, line, all->step, all->n);
}

/* ---- Many ---- */

/* Lines turned over, into room. */
static void turn(const struct lines *all, char *room, int64_t i) {
    for (int l = 0; l < extreme_lines; l++)
        kernel_copy_row(room + l * all->size, extreme_lines, line_at(all, i + l), all->step,
                        (size_t)all->size, all->n);
}

/* Those that side_by_side gives from line i on stand side by side; `before` of them stand before it, not before `first`. */
static int64_t side_by_side(const struct lines *all, int64_t first, int64_t i, int64_t end, int64_t *before) {
    const struct tensor *x = all->c->in;
    *before = 0;
    if (x->rank < 2 || x->stride[x->rank - 2] != 1 || all->n > most_line) return 0;
    int64_t dim = x->dim[x->rank - 2], left = dim - i % dim;
    *before = i % dim < i - first ? i % dim : i - first;
    return left < end - i ? left : end - i;
}

static void extreme_part(void *arg, int64_t first, int64_t end, size_t task) {
    const struct lines *all = arg;
    double room[short_line * extreme_lines];
    int64_t *at = (int64_t *)all->c->out.data, before;
    (void)task;
    for (int64_t i = first, n; i < end; i += n) {
        int64_t beside = side_by_side(all, first, i, end, &before);
        int64_t again = beside < extreme_lines ? extreme_lines - beside : 0; /* of those before */
        n = extreme_lines - again;
        if (beside > 0 && again <= before) {
            all->across(line_at(all, i - again), all->step, all->n, at + i - again);
        } else if (all->n <= short_line && end - i >= extreme_lines) {
            n = extreme_lines;
            turn(all, (char *)room, i);
            all->across(room, extreme_lines, all->n, at + i);
        } else {
            n = 1;
            at[i] = of_line(all, i);
        }
    }
}

cr_status kernel_extreme(struct kernel_call *c) {
    const struct tensor *x = c->in;
    int axis = x->rank - 1;
    struct lines all = {c,
                        cpu_extreme(c->op, x->dtype),
                        axes_of(x, axis),
                        (int64_t)cr_dtype_size(x->dtype),
                        x->dim[axis],
                        x->stride[axis]};
    team_share(c->team, shape_count(axis, x->dim), shape_count(x->rank, x->dim), extreme_part, &all);
    return CR_OK;
}
