/* Shapes: rank and sizes, row-major. */
#ifndef TENSOR_SHAPE_H
#define TENSOR_SHAPE_H

#include "chainrule.h"

struct shape {
    int rank;
    int64_t dim[CR_MAX_RANK];
};

/* Elements, or -1 when the product overflows or passes 2^56 (so that sizes in bytes never wrap). Sizes must
 * be >= 0. */
int64_t shape_count(int rank, const int64_t dims[]);
struct shape shape_of(int rank, const int64_t dims[]);
bool shape_equal(const struct shape *a, const struct shape *b);
/* Row-major strides in elements. */
void shape_strides(const struct shape *s, int64_t stride[]);

#endif
