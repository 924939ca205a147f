/* cr_array, for the rest of the library: made with an object's own allocator. */
#ifndef TENSOR_ARRAY_H
#define TENSOR_ARRAY_H

#include "base/mem.h"

/* Zeros. CR_EINVAL, CR_ELIMIT or CR_ENOMEM; *out is set on success alone. */
cr_status array_new(cr_array **out, const struct mem *mem, cr_dtype dtype, int rank, const int64_t dims[]);
/* The numbers stand at the beginning of a block that mem_alloc gave, of so many bytes: the array takes it over, if CR_OK. */
cr_status array_adopt(cr_array **out, const struct mem *mem, cr_dtype dtype, int rank, const int64_t dims[],
                      void *block, size_t bytes);

#endif
