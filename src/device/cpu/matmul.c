/* The matrix product op: batches of products; of integers the plain one. */
#include "device/cpu/product.h"
#include "device/kernels.h"
#include "tensor/dtype.h"

/* Multiply-adds: some 20 microseconds; to wake a thread takes 5 to 50. A vector times a matrix reads a number for each, and so takes
 * as long for 16 times fewer. */
enum { worth_a_thread = 1 << 20, vector_worth_a_thread = 1 << 16 };

static struct gemm_plan plan_of(const struct kernel_call *c) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = a->rank - 2;
    struct gemm p = {.m = a->dim[r],
                     .n = b->dim[r + 1],
                     .k = a->dim[r + 1],
                     .rsa = a->stride[r],
                     .csa = a->stride[r + 1],
                     .rsb = b->stride[r],
                     .csb = b->stride[r + 1],
                     .is_f64 = c->out.dtype == CR_F64};
    return gemm_plan_of(&p);
}

size_t kernel_matmul_scratch(const struct kernel_call *c) {
    if (!dtype_is_float(c->out.dtype)) return 0;
    struct gemm_plan p = plan_of(c);
    return gemm_scratch(&p);
}

/* Products side by side. */
struct batch {
    const struct kernel_call *c;
    const struct gemm_plan *plan;
    int64_t count;
    size_t parts;
};

int64_t matmul_offset(const struct tensor *x, int64_t i) {
    int64_t offset = 0;
    for (int d = x->rank - 3; d >= 0; d--) {
        offset += i % x->dim[d] * x->stride[d];
        i /= x->dim[d];
    }
    return offset;
}

static void at(const struct batch *all, int64_t i, const char **a, const char **b, char **c) {
    const struct kernel_call *call = all->c;
    int64_t size = (int64_t)all->plan->size;
    int r = call->out.rank - 2;
    *a = (const char *)call->in[0].data + matmul_offset(&call->in[0], i) * size;
    *b = (const char *)call->in[1].data + matmul_offset(&call->in[1], i) * size;
    *c = (char *)call->out.data + i * call->out.dim[r] * call->out.dim[r + 1] * size;
}

/* Along the last axis of the batch, operands stand at equal distances. */
static void run_range(const struct batch *all, int64_t first, int64_t end, void *scratch) {
    const struct kernel_call *c = all->c;
    int last = c->out.rank - 3;
    int64_t run = last < 0 ? 1 : c->out.dim[last], size = (int64_t)all->plan->size;
    int64_t step_a = last < 0 ? 0 : c->in[0].stride[last] * size,
            step_b = last < 0 ? 0 : c->in[1].stride[last] * size,
            step_c = c->out.dim[last + 1] * c->out.dim[last + 2] * size;
    while (first < end) {
        const char *a, *b;
        char *y;
        int64_t n = run - first % run;
        at(all, first, &a, &b, &y);
        for (n = n < end - first ? n : end - first; n > 0;
             n--, first++, a += step_a, b += step_b, y += step_c)
            gemm_run(all->plan, a, b, y, scratch);
    }
}

static void run_part(void *arg, size_t i) {
    const struct batch *all = arg;
    int64_t first, end;
    team_part(all->count, all->parts, i, &first, &end);
    run_range(all, first, end, team_scratch(all->c->team, i));
}

/* Large products one after the other, each in parts. */
static void run_large(const struct batch *all) {
    for (int64_t i = 0; i < all->count; i++) {
        const char *a, *b;
        char *y;
        at(all, i, &a, &b, &y);
        gemm_run_parts(all->plan, a, b, y, all->parts, all->c->team);
    }
}

size_t matmul_parts(const struct kernel_call *c) {
    int r = c->out.rank;
    bool vector = c->out.dim[r - 2] == 1 || c->out.dim[r - 1] == 1;
    double worth = (double)shape_count(r, c->out.dim) * (double)c->in[0].dim[r - 1] /
                   (vector ? vector_worth_a_thread : worth_a_thread);
    if (worth < 1) return 1;
    return worth < (double)c->team->tasks ? (size_t)worth : c->team->tasks;
}

cr_status kernel_matmul(struct kernel_call *c) {
    if (!dtype_is_float(c->out.dtype)) return kernel_matmul_plain(c);
    if (c->team->product && product_matmul(c)) return CR_OK;
    struct gemm_plan plan = plan_of(c);
    struct batch all = {c, &plan, shape_count(c->out.rank - 2, c->out.dim), matmul_parts(c)};
    if (all.parts < 2) run_range(&all, 0, all.count, c->team->scratch);
    else if (all.count >= (int64_t)all.parts) team_run(c->team, all.parts, run_part, &all);
    else run_large(&all);
    return CR_OK;
}
