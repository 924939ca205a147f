/* CSV from memory. */
#ifndef FILE_CSV_H
#define FILE_CSV_H

#include "file/read.h"

/* CR_EFORMAT with a sentence that has line and column for what is no table of numbers.
 * Memory: at most 8 bytes for each byte of the file, beside the names. */
struct csv_text {
    const char *s;
    size_t n;
    const char *path; /* for sentences */
    int wishes;       /* columns of categories */
    const cr_categories *wish;
};
cr_status file_csv_parse(cr_table **out, const struct csv_text *text, const struct mem *mem, cr_text *why);

#endif
