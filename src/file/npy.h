/* npy from a stream. */
#ifndef FILE_NPY_H
#define FILE_NPY_H

#include "file/stream.h"

/* CR_EFORMAT with a sentence for anything that is not exactly one array of numbers. */
cr_status file_npy_parse(cr_array **out, struct stream *in);

#endif
