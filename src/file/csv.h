/* CSV from memory. */
#ifndef FILE_CSV_H
#define FILE_CSV_H

#include "file/read.h"

cr_status file_csv_parse(cr_table **out, const char *s, size_t n, const char *path, const struct mem *mem,
                         cr_text *why);

#endif
