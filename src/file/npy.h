/* npy from memory. */
#ifndef FILE_NPY_H
#define FILE_NPY_H

#include "file/read.h"

/* CR_EFORMAT with a sentence for anything that is not exactly one array of numbers. path is for sentences. */
cr_status file_npy_parse(cr_array **out, const char *s, size_t n, const char *path, cr_context *ctx,
                         cr_text *why);

#endif
