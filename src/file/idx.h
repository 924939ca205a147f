/* IDX in memory. */
#ifndef FILE_IDX_H
#define FILE_IDX_H

#include "file/read.h"

/* b may be packed by gzip: it is then unpacked in place. */
cr_status file_idx_parse(cr_array **out, struct bytes *b, const char *path, cr_text *why);

#endif
