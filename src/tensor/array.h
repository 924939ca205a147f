/* cr_array, for the rest of the library: made with an object's own allocator. */
#ifndef TENSOR_ARRAY_H
#define TENSOR_ARRAY_H

#include "base/mem.h"

/* Zeros. CR_EINVAL, CR_ELIMIT or CR_ENOMEM; *out is set on success alone. */
cr_status array_new(cr_array **out, const struct mem *mem, cr_dtype dtype, int rank, const int64_t dims[]);

#endif
