/* Numbers in memory as text. */
#ifndef TENSOR_PRINT_H
#define TENSOR_PRINT_H

#include "base/text.h"

enum print_style {
    PRINT_ROUNDED, /* six significant digits: for people */
    PRINT_EXACT,   /* the fewest digits that read back the same */
    PRINT_JSON,    /* the same, with nan and infinities as strings */
};

void number_print(struct cr_text *out, cr_dtype dtype, double value, enum print_style style);
/* Row-major numbers as nested lists; rank 0 as one number. */
void tensor_print(struct cr_text *out, cr_dtype dtype, int rank, const int64_t dim[], const void *data,
                  enum print_style style);

#endif
