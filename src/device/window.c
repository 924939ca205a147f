/* window_add: each element of a window, in row-major order of the window, is added to the result for all places at once. So
 * what collides has one order, that of the elements in their window. */
#include <string.h>

#include "device/kernels.h"

/* out[strided] += in[strided] over some axes. */
struct slab {
    cr_dtype dtype;
    int rank;
    int64_t dim[CR_MAX_RANK], out[CR_MAX_RANK], in[CR_MAX_RANK];
};

#define ADD_ROW(T)                                                              \
    do {                                                                        \
        T *o = (T *)out + at_out;                                               \
        const T *x = (const T *)in + at_in;                                     \
        for (int64_t i = 0; i < n; i++) o[i * so] = (T)(o[i * so] + x[i * sx]); \
    } while (0)

static void add_row(const struct slab *s, void *out, int64_t at_out, const void *in, int64_t at_in) {
    int64_t n = s->rank ? s->dim[s->rank - 1] : 1, so = s->rank ? s->out[s->rank - 1] : 1,
            sx = s->rank ? s->in[s->rank - 1] : 1;
    switch (s->dtype) {
    case CR_F64: ADD_ROW(double); break;
    case CR_F32: ADD_ROW(float); break;
    case CR_I64: ADD_ROW(int64_t); break;
    default: ADD_ROW(int32_t); break;
    }
}

static void add_slab(const struct slab *s, void *out, int64_t at_out, const void *in, int64_t at_in) {
    int64_t rows = shape_count(s->rank ? s->rank - 1 : 0, s->dim);
    for (int64_t i = 0; i < rows; i++) {
        int64_t o = at_out, x = at_in, rest = i;
        for (int k = s->rank - 2; k >= 0; k--) {
            o += rest % s->dim[k] * s->out[k];
            x += rest % s->dim[k] * s->in[k];
            rest /= s->dim[k];
        }
        add_row(s, out, o, in, x);
    }
}

/* Where element k of the window stands: in the operand, and from the start of its place in the result. */
static void element_of(const struct kernel_call *c, int n, int64_t k, int64_t *out, int64_t *in) {
    const struct tensor *x = c->in;
    *out = *in = 0;
    for (int i = n - 1; i >= 0; i--) {
        int axis = c->out.rank + i;
        int64_t at = k % x->dim[axis];
        k /= x->dim[axis];
        *in += at * x->stride[axis];
        *out += at * c->attr[3 * (n - 1 - i) + 2] * c->out.stride[c->out.rank - n + i];
    }
}

cr_status kernel_window_add(struct kernel_call *c) {
    const struct tensor *x = c->in;
    int n = x->rank - c->out.rank;
    struct slab s = {.dtype = x->dtype, .rank = c->out.rank};
    for (int i = 0; i < s.rank; i++) {
        int windowed = i - (s.rank - n);
        s.dim[i] = x->dim[i];
        s.in[i] = x->stride[i];
        s.out[i] = c->out.stride[i] * (windowed < 0 ? 1 : c->attr[3 * (n - 1 - windowed) + 1]);
    }
    memset(c->out.data, 0, (size_t)shape_count(c->out.rank, c->out.dim) * cr_dtype_size(x->dtype));
    int64_t elements = shape_count(n, x->dim + c->out.rank);
    for (int64_t k = 0, out, in; k < elements; k++) {
        element_of(c, n, k, &out, &in);
        add_slab(&s, c->out.data, out, x->data, in);
    }
    return CR_OK;
}
