/* IDX from a stream. */
#ifndef FILE_IDX_H
#define FILE_IDX_H

#include "file/stream.h"

/* It may be packed by gzip. */
cr_status file_idx_parse(cr_array **out, struct stream *in);

#endif
