/* CSV from memory. */
#ifndef FILE_CSV_H
#define FILE_CSV_H

#include "file/read.h"

/* CR_EFORMAT with a sentence that has line and column for what is no table of numbers. path is for sentences.
 * Memory: at most 8 bytes for each byte of the file, beside the names. */
cr_status file_csv_parse(cr_table **out, const char *s, size_t n, const char *path, const struct mem *mem,
                         cr_text *why);

#endif
