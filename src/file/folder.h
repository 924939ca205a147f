/* A folder of PNG images, as data. */
#ifndef FILE_FOLDER_H
#define FILE_FOLDER_H

#include "base/text.h"

struct folder {
    cr_array *images; /* i32 [n, height, width], or [n, 3, height, width] in colour */
    cr_array *labels; /* f64 [n]; NULL: there are none */
    cr_table *names;  /* of one column, whose categories the labels are; NULL: numbers */
};

bool folder_is(const char *path);
/* wish: the labels in their order; NULL: as they are found. */
cr_status folder_open(struct folder *out, const char *path, const cr_categories *wish, cr_context *ctx,
                      cr_text *why);
void folder_close(struct folder *f);

#endif
