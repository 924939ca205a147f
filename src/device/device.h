/* What runs on a device: tiles of loops, reductions, kernels. */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

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
    size_t scratch_bytes; /* of each task, at multiples of 64 */
    bool flush;           /* denormals, on whatever thread a task runs */
};
void team_run(const struct team *t, size_t count, void (*body)(void *arg, size_t i), void *arg);
static inline void *team_scratch(const struct team *t, size_t task) {
    return t->scratch + task * t->scratch_bytes;
}
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
    int64_t bad, limit; /* of CR_EINDEX: the index found, and the size it must be below */
};
typedef cr_status kernel_fn(struct kernel_call *call);

/* The kernel of an opaque op or of unslice; and how much scratch a task of it needs. NULL: none. */
kernel_fn *kernel_find(int op);
size_t kernel_scratch(const struct kernel_call *call);

/* out[..] = in[..], gathered from any strides; of elements of 1, 2, 4 or 8 bytes. */
void copy_strided(void *out, const void *in, size_t size, int rank, const int64_t dim[],
                  const int64_t stride[]);
/* The elements first .. first+n-1, in row-major order, of such a view. */
void copy_range(void *out, const void *in, size_t size, int rank, const int64_t dim[], const int64_t stride[],
                int64_t first, int64_t n);
/* out[strided] = in[strided]. */
void copy_both(void *out, const int64_t out_stride[], const void *in, const int64_t in_stride[], size_t size,
               int rank, const int64_t dim[]);

/* One reduction over the marked axes: op is OP_sum, OP_prod, OP_max or OP_min. */
struct reduce_call {
    int op;
    struct tensor in;
    bool reduced[CR_MAX_RANK];
    void *out; /* row-major over the axes kept */
    const struct team *team;
};
void cpu_reduce(const struct reduce_call *r);
size_t cpu_reduce_scratch(const struct reduce_call *r);

/* One instruction of a loop on count elements. */
typedef void element_fn(int64_t count, void *y, const void *a, const void *b, const void *c, int64_t n);
element_fn *cpu_element(int op, cr_dtype from, cr_dtype to);

/* All of a loop. fn: the function of each instruction; slot: where each slot stands. */
void cpu_loop(const struct loop *l, element_fn *const fn[], char *const slot[], const struct team *team);
size_t cpu_loop_scratch(const struct loop *l);

#endif
