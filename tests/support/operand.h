/* Operands of matrix products in every layout, and the products that are tried. */
#ifndef OPERAND_H
#define OPERAND_H

#include "device/device.h"

/* C[batch, m, n] = A[batch, m, k] B[batch, k, n]. */
struct size {
    int64_t batch, m, k, n;
};
extern const struct size product_sizes[];
extern const size_t product_size_count;
#define EACH_SIZE_AND_DTYPE(s, t)                                                           \
    for (const struct size *s = product_sizes; s < product_sizes + product_size_count; s++) \
        for (cr_dtype t = CR_F32; t <= CR_F64; t++)

/* How an operand lies: by rows, by columns, and these with gaps; all begin one element after an aligned address but the first. */
enum layout { by_rows, by_columns, rows_with_gaps, scattered, layouts };

struct operand {
    void *data; /* of x */
    size_t bytes;
    struct tensor x;
    int64_t dim[3], stride[3];
};

/* All nan; from `shift` bytes after an aligned address on. operand_of: one element, but by_rows. */
struct operand *operand_at(size_t shift, cr_dtype t, enum layout layout, int64_t batch, int64_t rows,
                           int64_t columns);
struct operand *operand_of(cr_dtype t, enum layout layout, int64_t batch, int64_t rows, int64_t columns);
void operand_free(struct operand *o);
void set(const struct operand *o, int64_t b, int64_t i, int64_t k, double v);
double get(const struct operand *o, int64_t b, int64_t i, int64_t k);

/* Element i of some operand: integers from -3 to 3, whose sums are exact; or anything up to 1/3. */
double whole(int64_t i);
double fraction(int64_t i);
void fill(const struct operand *o, double (*value)(int64_t), int64_t seed);

/* A new C, by the context's threads and product; of scratch there is not a byte more than asked for. */
struct operand *multiply(const struct operand *a, const struct operand *b, cr_context *ctx);
cr_context *context_of(int threads);

/* |difference| <= 2 k u sum |a| |b|, the bound of any order of summation (Higham 2002, 3.5), and |a|, |b| <= 1/3. */
double bound_of(int64_t k, cr_dtype t);

/* A function of a library that is found at run time. */
bool load(const char *soname, const char *name, void *fn);

#endif
