/* Shapes. */
#include "tensor/shape.h"

#include <string.h>

int64_t shape_count(int rank, const int64_t dims[]) {
    const int64_t limit = INT64_C(1) << 56;
    int64_t n = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0) return -1;
        if (dims[i] == 0) empty = true;
        else if (dims[i] > limit / n) return -1;
        else n *= dims[i];
    }
    return empty ? 0 : n;
}

struct shape shape_of(int rank, const int64_t dims[]) {
    struct shape s; /* the sizes beyond the rank mean nothing */
    s.rank = rank;
    for (int i = 0; i < rank; i++) s.dim[i] = dims[i];
    return s;
}

bool shape_equal(const struct shape *a, const struct shape *b) {
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

void shape_strides(const struct shape *s, int64_t stride[]) {
    int64_t n = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= s->dim[i] ? s->dim[i] : 1;
    }
}
