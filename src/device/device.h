/* What runs on a device: tiles of loops, reductions, kernels. */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <stdatomic.h>

#include "loop/loop.h"

/* Numbers that a kernel reads or writes. */
struct tensor {
    void *data;
    cr_dtype dtype;
    int rank;
    const int64_t *dim, *stride; /* in elements */
};

/* How a kernel may spread its work: body(arg, i) for i in 0 .. count-1, count at most `tasks`, each with a
 * scratch of its own. What a task does must not change with their number. */
struct team {
    cr_context *ctx;
    size_t tasks;
    char *scratch;
    size_t scratch_bytes;          /* of each task, at multiples of 64 */
    bool flush;                    /* denormals, on whatever thread a task runs */
    const struct product *product; /* whose matrix products; NULL: our own */
    char *shared;                  /* by all tasks, aligned to 64 bytes: as much as the step said it needs */
};
void team_run(const struct team *t, size_t count, void (*body)(void *arg, size_t i), void *arg);
static inline void *team_scratch(const struct team *t, size_t task) {
    return t->scratch + task * t->scratch_bytes;
}
/* body(arg, first, end, task) for ranges that make up 0 .. count-1: several if `work`, in elements touched, is worth
 * it. What a range does must not depend on where others end. */
typedef void share_fn(void *arg, int64_t first, int64_t end, size_t task);
void team_share(const struct team *t, int64_t count, int64_t work, share_fn *body, void *arg);
/* Part i of n things cut into `parts`: from *first up to, not including, *end. */
void team_part(int64_t n, size_t parts, size_t i, int64_t *first, int64_t *end);

struct kernel_call {
    int op;
    const int64_t *attr;
    int64_t seed, step; /* unused but by sources */
    uint32_t n;
    const struct tensor *in;
    struct tensor out; /* row-major */
    void *out_part[2]; /* of an op with several results: where each stands */
    const struct team *team;
    int64_t bad, limit;  /* of CR_EINDEX: the index found, and the size it must be below */
    atomic_bool outside; /* a task has met an index out of range */
};
typedef cr_status kernel_fn(struct kernel_call *call);

/* The kernel of an opaque op; and how much scratch a task of it needs. NULL: none. */
kernel_fn *kernel_find(int op);
size_t kernel_scratch(const struct kernel_call *call);

/* out[..] = in[..], gathered from any strides; of elements of 1, 2, 4 or 8 bytes. */
void copy_strided(void *out, const void *in, size_t size, int rank, const int64_t dim[],
                  const int64_t stride[]);
/* The elements first .. first+n-1, in row-major order, of such a view. */
void copy_range(void *out, const void *in, size_t size, int rank, const int64_t dim[], const int64_t stride[],
                int64_t first, int64_t n);
/* out = in, gathered, by a team. */
void copy_shared(const struct team *team, void *out, const struct tensor *in);
/* out[strided] = in[strided]. */
void copy_both(void *out, const int64_t out_stride[], const void *in, const int64_t in_stride[], size_t size,
               int rank, const int64_t dim[]);

/* How one reduction combines numbers of one dtype. Numbers side by side go to the lanes in turn, which finish
 * combines in a tree; a long line is cut into blocks, whose results are combined one after the other. Rows are
 * added one after the other. So the error of a sum of n is of the order of (n/4096 + 256) u instead of n u. */
struct fold {
    void (*start)(void *x, int64_t n); /* n numbers that change nothing */
    void (*lanes)(void *lane, const void *x,
                  int64_t n);              /* fold_lanes numbers, and n more; a multiple but at the end */
    void (*finish)(void *lane, void *out); /* the lanes to one number */
    void (*lines)(const void *x, int64_t lines, int64_t n, void *out); /* each line of n to one number */
    void (*rows)(void *acc, const void *x, int64_t rows, int64_t n);   /* n numbers, and each of the rows */
};
const struct fold *cpu_fold(int op, cr_dtype dtype);

/* Of so many lines side by side, number k of each `step` elements behind number k - 1, where OP_argmax or OP_argmin stands. n: at
 * most what an int32_t holds. */
enum { extreme_lines = 32 };
typedef void extreme_fn(const void *x, int64_t step, int64_t n, int64_t *at);
extreme_fn *cpu_extreme(int op, cr_dtype dtype);

/* n rows of `run` numbers side by side, each from_apart elements behind the one before, are added to rows `index` of `to`, which has
 * `limit` of them, to_apart elements apart; to those first .. end-1 alone. Negative indices count from the end. False: one is outside. */
struct scatter {
    void *to;
    const void *from;
    const int64_t *index;
    int64_t n, run, from_apart, to_apart, index_apart, limit, first, end;
};
typedef bool scatter_fn(const struct scatter *s);
scatter_fn *cpu_scatter(cr_dtype dtype); /* of 4 or 8 bytes */

/* One reduction over the marked axes, whatever their order: op is OP_sum, OP_prod, OP_max or OP_min. */
struct reduce_call {
    int op;
    struct tensor in;
    bool reduced[CR_MAX_RANK];
    void *out; /* row-major over the axes kept */
    const struct team *team;
};
void cpu_reduce(const struct reduce_call *r);
size_t cpu_reduce_scratch(void);

/* One elementwise instruction of a loop on count elements. */
typedef void element_fn(int64_t count, void *y, const void *a, const void *b, const void *c, int64_t n);
element_fn *cpu_element(int op, cr_dtype from, cr_dtype to);

/* What an instruction calls: the one or the other. */
struct kernel {
    element_fn *element;
    const struct fold *fold;
};

/* All of a loop. kernel: of each instruction; slot: where each slot stands. */
void cpu_loop(const struct loop *l, const struct kernel kernel[], char *const slot[],
              const struct team *team);
size_t cpu_loop_scratch(const struct loop *l);
/* The rows first .. end-1, which its units don't straddle, with a task's scratch; what they leave stands in `shared`, where
 * cpu_loop_end combines it when all are done. */
void cpu_loop_rows(const struct loop *l, const struct kernel kernel[], char *const slot[], char *shared,
                   char *scratch, int64_t first, int64_t end);
void cpu_loop_end(const struct loop *l, const struct kernel kernel[], char *const slot[], char *shared);

/* Memory that is needed later, and is asked for while products compute: range by range, so far as said. */
enum { ahead_most = 16 };
struct ahead {
    size_t n, own;  /* ranges; how many of them the present batch element itself needs */
    size_t i, done; /* the present one, and bytes of it */
    struct {
        const char *at;
        size_t bytes;
    } range[ahead_most];
};

/* A block of a product of a group: of one batch element, so many rows of the result, or so many of the terms of all of it, which
 * are added to what stands there. */
struct matmul_block {
    int64_t batch, first, n;
    bool terms;
    enum group_bound
        bound; /* what lies right of the diagonal is left out: columns (0 then), terms, or rows of the result */
    bool filled;
    const void *woven; /* the right operand, turned over by cpu_matmul_weave; or NULL */
    void *
        partial; /* of terms, more than a slice: room for a batch element's result, where slices behind the first add up; or NULL */
    struct ahead *ahead; /* or NULL */
};
void cpu_matmul_block(const struct kernel_call *c, const struct matmul_block *b, void *scratch);
size_t cpu_matmul_block_scratch(const struct kernel_call *c, const struct matmul_block *b);
/* `columns` columns of k elements of 4 or 8 bytes side by side, `stride` elements apart, to k rows, `width` apart. */
void cpu_turn(void *to, int64_t width, const void *from, int64_t stride, size_t size, int64_t k,
              int64_t columns);
/* Of the right operand of a batch element n columns from the first on: as they lie, to rows with woven_gap numbers between them. */
void cpu_matmul_weave(const struct kernel_call *c, int64_t batch, int64_t first, int64_t n, void *to);
/* Zeros in the rows or columns of a batch element's result which no block of these rows reaches, as the bound says. */
void cpu_matmul_clear(const struct kernel_call *c, int64_t batch, enum group_bound bound, int64_t rows);

/* An elementwise kernel and all that it is called with. */
struct call {
    element_fn *fn;
    int64_t count, n;
    void *y;
    const void *a, *b, *c;
};
static inline void call_make(const struct call *c) { c->fn(c->count, c->y, c->a, c->b, c->c, c->n); }

/* A loop of one tile, all of whose numbers are read where they stand, comes down to a call for each instruction:
 * the same at every step, as long as slots and scratch stay. False: it is more than that. */
bool cpu_loop_calls(const struct loop *l, const struct kernel kernel[], char *const slot[],
                    const struct team *team, struct call out[]);

#endif
