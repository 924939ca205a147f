/* cr_array: numbers in memory, owned. */
#include "base/context.h"
#include "tensor/array.h"
#include "tensor/dtype.h"
#include "tensor/print.h"
#include "tensor/shape.h"

#include <string.h>

struct cr_array {
    struct mem mem;
    cr_dtype dtype;
    struct shape shape;
    int64_t count;
    void *data;
    size_t adopted; /* bytes of a block that another made; 0: our own, aligned */
};

/* Without numbers yet. */
static cr_status make(cr_array **out, const struct mem *mem, cr_dtype dtype, int rank, const int64_t dims[]) {
    if (!dtype_known((int)dtype) || rank < 0 || (rank && !dims)) return CR_EINVAL;
    if (rank > CR_MAX_RANK) return CR_ELIMIT;
    int64_t count = shape_count(rank, dims);
    if (count < 0) return CR_ELIMIT;
    struct mem m = *mem;
    cr_array *a = mem_zero(&m, sizeof *a);
    if (!a) return CR_ENOMEM;
    *a = (struct cr_array){.mem = m, .dtype = dtype, .shape = shape_of(rank, dims), .count = count};
    *out = a;
    return CR_OK;
}

cr_status array_new(cr_array **out, const struct mem *mem, cr_dtype dtype, int rank, const int64_t dims[]) {
    cr_array *a = NULL;
    cr_status status = make(&a, mem, dtype, rank, dims);
    if (status) return status;
    a->data = mem_alloc_aligned(&a->mem, cr_array_bytes(a));
    if (!a->data) return cr_array_free(a), CR_ENOMEM;
    memset(a->data, 0, cr_array_bytes(a));
    *out = a;
    return CR_OK;
}

cr_status array_adopt(cr_array **out, const struct mem *mem, cr_dtype dtype, int rank, const int64_t dims[],
                      void *block, size_t bytes) {
    cr_status status = make(out, mem, dtype, rank, dims);
    if (status) return status;
    (*out)->data = block;
    (*out)->adopted = bytes;
    return CR_OK;
}

cr_status cr_array_new(cr_array **out, cr_context *ctx, cr_dtype dtype, int rank, const int64_t dims[]) {
    if (!out) return CR_EINVAL;
    *out = NULL;
    struct mem m = context_mem(ctx);
    return array_new(out, &m, dtype, rank, dims);
}

void cr_array_free(cr_array *a) {
    if (!a) return;
    struct mem m = a->mem;
    if (a->adopted) mem_free(&m, a->data, a->adopted);
    else mem_free_aligned(&m, a->data, cr_array_bytes(a));
    mem_free(&m, a, sizeof *a);
}

cr_dtype cr_array_dtype(const cr_array *a) { return a ? a->dtype : CR_F64; }
int cr_array_rank(const cr_array *a) { return a ? a->shape.rank : 0; }
const int64_t *cr_array_dims(const cr_array *a) { return a ? a->shape.dim : NULL; }
int64_t cr_array_count(const cr_array *a) { return a ? a->count : 0; }
void *cr_array_data(cr_array *a) { return a ? a->data : NULL; }
size_t cr_array_bytes(const cr_array *a) { return a ? (size_t)a->count * cr_dtype_size(a->dtype) : 0; }

cr_status cr_array_cast(cr_array **out, const cr_array *a, cr_dtype dtype) {
    if (out) *out = NULL;
    if (!out || !a) return CR_EINVAL;
    cr_status status = array_new(out, &a->mem, dtype, a->shape.rank, a->shape.dim);
    if (!status) dtype_convert(dtype, (*out)->data, 1, a->dtype, a->data, 1, a->count);
    return status;
}

cr_status cr_array_print(cr_text *out, const cr_array *a, bool json) {
    if (!out || !a) return CR_EINVAL;
    tensor_print(out, a->dtype, a->shape.rank, a->shape.dim, a->data, json ? PRINT_JSON : PRINT_EXACT);
    return text_status(out);
}
