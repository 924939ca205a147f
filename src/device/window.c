/* window_add: each element of a window, in row-major order of the window, is added to the result for all places, of one index of the
 * leading axes after the other. So what collides has one order, that of the elements in their window. */
#include <string.h>

#include "device/kernels.h"

/* out[strided] += in[strided] over the axes of places. */
struct places {
    int rank;
    int64_t dim[CR_MAX_RANK], out[CR_MAX_RANK], in[CR_MAX_RANK];
};

#define ADD_PLACES(name, T)                                                                              \
    static void name(const struct places *p, void *out, int64_t at_out, const void *in, int64_t at_in) { \
        const int last = p->rank - 1;                                                                    \
        const int64_t n = p->dim[last], so = p->out[last], sx = p->in[last];                             \
        int64_t at[CR_MAX_RANK] = {0};                                                                   \
        T *o = (T *)out + at_out;                                                                        \
        const T *x = (const T *)in + at_in;                                                              \
        for (int k = 0; k >= 0;) {                                                                       \
            if (so == 1 && sx == 1)                                                                      \
                for (int64_t i = 0; i < n; i++) o[i] = (T)(o[i] + x[i]);                                 \
            else                                                                                         \
                for (int64_t i = 0; i < n; i++) o[i * so] = (T)(o[i * so] + x[i * sx]);                  \
            for (k = last - 1; k >= 0; k--) {                                                            \
                o += p->out[k], x += p->in[k];                                                           \
                if (++at[k] < p->dim[k]) break;                                                          \
                o -= p->out[k] * p->dim[k], x -= p->in[k] * p->dim[k];                                   \
                at[k] = 0;                                                                               \
            }                                                                                            \
        }                                                                                                \
    }
ADD_PLACES(add_f64, double)
ADD_PLACES(add_f32, float)
ADD_PLACES(add_i64, int64_t)
ADD_PLACES(add_i32, int32_t)

static void add_places(const struct places *p, cr_dtype dtype, void *out, int64_t at_out, const void *in,
                       int64_t at_in) {
    switch (dtype) {
    case CR_F64: add_f64(p, out, at_out, in, at_in); break;
    case CR_F32: add_f32(p, out, at_out, in, at_in); break;
    case CR_I64: add_i64(p, out, at_out, in, at_in); break;
    default: add_i32(p, out, at_out, in, at_in); break;
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

static void window_add_part(void *arg, int64_t first, int64_t end, size_t task) {
    const struct kernel_call *c = arg;
    const struct tensor *x = c->in;
    const int n = x->rank - c->out.rank, lead = c->out.rank - n;
    const size_t size = cr_dtype_size(x->dtype);
    const int64_t all = shape_count(n, c->out.dim + lead), elements = shape_count(n, x->dim + c->out.rank);
    struct places p = {.rank = n};
    (void)task;
    for (int i = 0; i < n; i++) {
        p.dim[i] = x->dim[lead + i];
        p.in[i] = x->stride[lead + i];
        p.out[i] = c->out.stride[lead + i] * c->attr[3 * (n - 1 - i) + 1];
    }
    for (int64_t index = first; index < end; index++) {
        int64_t from = 0, rest = index;
        for (int i = lead - 1; i >= 0; rest /= x->dim[i], i--) from += rest % x->dim[i] * x->stride[i];
        memset((char *)c->out.data + (size_t)(index * all) * size, 0, (size_t)all * size);
        for (int64_t k = 0, out, in; k < elements; k++) {
            element_of(c, n, k, &out, &in);
            add_places(&p, x->dtype, c->out.data, index * all + out, x->data, from + in);
        }
    }
}

cr_status kernel_window_add(struct kernel_call *c) {
    const struct tensor *x = c->in;
    int64_t places = shape_count(x->rank, x->dim), all = shape_count(c->out.rank, c->out.dim);
    if (places == 0) memset(c->out.data, 0, (size_t)all * cr_dtype_size(x->dtype));
    else
        team_share(c->team, shape_count(2 * c->out.rank - x->rank, x->dim), places + all, window_add_part, c);
    return CR_OK;
}
