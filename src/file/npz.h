/* npz: a zip archive of npy files. */
#ifndef FILE_NPZ_H
#define FILE_NPZ_H

#include "file/read.h"

struct npz;

/* The archive at path or, where bytes is not NULL, in memory (borrowed), path being for sentences then. */
cr_status npz_open(struct npz **out, const char *path, const struct bytes *bytes, cr_context *ctx,
                   cr_text *why);
void npz_close(struct npz *z);
/* The i-th array, without ".npy"; NULL past the end. */
const char *npz_name(const struct npz *z, int i);
cr_status npz_array(cr_array **out, struct npz *z, int i, cr_text *why);

#endif
