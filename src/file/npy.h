/* npy from memory. */
#ifndef FILE_NPY_H
#define FILE_NPY_H

#include "file/read.h"

/* CR_EFORMAT with a sentence for anything that is not exactly one array of numbers. path is for sentences. */
cr_status file_npy_parse(cr_array **out, const char *s, size_t n, const char *path, cr_context *ctx,
                         cr_text *why);

/* From the beginning of a file: how many bytes are enough to read it, or to see that it has too many. */
cr_status file_npy_look(const char *s, size_t n, const char *path, uint64_t *enough, cr_text *why);

#endif
