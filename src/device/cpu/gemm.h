/* Matrix products. C = A B for f32 or f64, operands with any strides. The order of summation is a function of k alone: k is
 * cut into slices of 512, each element's sum over a slice is one chain of fused multiply-adds, slices are added in order. So the bits
 * are equal for any strides, alignment, number of threads, and tile: an element does not know what stands beside it. Only
 * where A is a row or B a column there is another order, of several chains (gemm_vector.inc), also by k alone; unless it is a
 * part of a larger product. */
#ifndef DEVICE_CPU_GEMM_H
#define DEVICE_CPU_GEMM_H

#include "device/cpu/gemm_tile.h"
#include "device/device.h"

/* C[m, n] = A[m, k] B[k, n]; strides of rows and columns in elements; elements of a row of C side by side. on: the first chain of
 * each element goes on from what C holds; fresh: of such, the first, which finds no C. */
struct gemm {
    int64_t m, n, k;
    int64_t rsa, csa, rsb, csb;
    bool is_f64, on;
    int64_t rsc; /* 0: no gaps */
    bool part;   /* of a product of several rows and columns */
    bool fresh;
    struct ahead *ahead; /* what its tiles ask memory for; or NULL */
};

/* What an instruction set computes with. Sums stand in registers, in tiles of at most rows[v] rows by 2^v vectors of 2^shift
 * lanes; rows[v] is 0 where there is none so wide. */
struct gemm_kernel {
    int shift, rows[4];
    int early; /* so many rows of B before they are needed, memory is asked for them; 0: the processor does that by itself */
    void (*tile)(const struct gemm_tile *t);
    void (*vector)(const struct gemm_tile *t); /* of one row, with any strides of B */
    /* k elements side by side in each of the columns, which stand `stride` apart, to rows of `columns`, `width` apart. */
    void (*weave)(void *to, int64_t width, const void *from, int64_t stride, int64_t k, int64_t columns);
};

/* How products of one shape and layout are computed, wherever their operands lie. */
struct gemm_plan {
    struct gemm p; /* turned: of B' and A' */
    const struct gemm_kernel *kernel;
    size_t size;            /* of an element */
    int64_t rows, columns;  /* of a tile, at most; */
    int across;             /* columns is 2 to so many */
    int64_t panels, strips; /* tiles down and across */
    int64_t rsc, csc;       /* strides of C */
    int64_t slices, depth;  /* of k: how many, of at most this length */
    int64_t block;          /* rows of A at a time */
    int64_t width;          /* of a packed strip of B */
    int64_t reach;          /* columns that a kernel is called for, some tiles' */
    int64_t early;          /* as of the kernel, where rows of B do not compete */
    bool turned, pack_a, pack_b;
    bool vector;  /* a row times a matrix, in the order of its own */
    bool by_rows; /* a block row by row, since all of B stays in the first-level cache; else strip by strip */
    bool single;  /* one call of a kernel is all */
};
struct gemm_plan gemm_plan_of(const struct gemm *p);
enum { gemm_low = 6 };                          /* rows that tiles four vectors wide have */
size_t gemm_scratch(const struct gemm_plan *p); /* of a task */
/* Rows of the next tile down, of so many that are left. The last two are of like height: sums of few rows wait for each other. */
static inline int64_t gemm_height(const struct gemm_plan *p, int64_t left) {
    return left >= 2 * p->rows ? p->rows : left > p->rows ? left - left / 2 : left;
}
/* On this thread, with a task's scratch. */
void gemm_run(const struct gemm_plan *p, const void *a, const void *b, void *c, void *scratch);
/* Some of the rows, columns and terms, never more than the plan was made for: cheaper than another one, which it becomes. */
void gemm_run_some(struct gemm_plan *p, int64_t m, int64_t n, int64_t k, const void *a, const void *b,
                   void *c, void *scratch);
/* In parts, one on each task of the team. */
void gemm_run_parts(const struct gemm_plan *p, const void *a, const void *b, void *c, size_t parts,
                    const struct team *team);

/* Of a matmul op: where the operands of the i-th product of its batch begin, in elements; and into how many parts it is worth
 * cutting, at least 1. */
int64_t matmul_offset(const struct tensor *x, int64_t i);
size_t matmul_parts(const struct kernel_call *c);

extern const struct gemm_kernel gemm_plain[2]; /* of f32, of f64 */
#if defined(__x86_64__) && defined(__GNUC__)
#define GEMM_X86
void gemm_columns_f32(const struct gemm_tile *t);
void gemm_columns_f64(const struct gemm_tile *t);
void gemm_weave_f32(void *to, int64_t width, const void *from, int64_t stride, int64_t k, int64_t columns);
void gemm_weave_f64(void *to, int64_t width, const void *from, int64_t stride, int64_t k, int64_t columns);
extern const struct gemm_kernel gemm_avx2[2], gemm_avx512[2];
#endif

#endif
