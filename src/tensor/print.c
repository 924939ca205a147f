/* Numbers in memory as text. */
#include "tensor/print.h"

#include <math.h>

#include "tensor/dtype.h"
#include "tensor/shape.h"

enum { digits = 6 }; /* significant ones that a person is shown */

void number_print(struct cr_text *out, cr_dtype dtype, double v, enum print_style style) {
    bool word = style == PRINT_JSON && (isnan(v) || isinf(v));
    if (word) text_char(out, '"');
    if (dtype == CR_BOOL) text_str(out, v != 0 ? "true" : "false");
    else if (style == PRINT_ROUNDED) text_rounded(out, v == 0 ? 0 : v, digits); /* -0 shows as 0 */
    else if (dtype == CR_F32) text_number_f32(out, (float)v);
    else text_number(out, v);
    if (word) text_char(out, '"');
}

/* How many axes end (or start) at element i. */
static int ends(int rank, const int64_t dim[], int64_t i) {
    int n = 0;
    for (int k = rank - 1; k >= 0 && i % dim[k] == 0; k--, n++) i /= dim[k];
    return n;
}

static void open_lists(struct cr_text *out, int rank, const int64_t dim[], int64_t i) {
    if (i) text_str(out, ", ");
    for (int k = i ? ends(rank, dim, i) : rank; k > 0; k--) text_char(out, '[');
}

static void close_lists(struct cr_text *out, int rank, const int64_t dim[], int64_t i) {
    for (int k = ends(rank, dim, i + 1); k > 0; k--) text_char(out, ']');
}

enum { most_empty = 1 << 20 }; /* a shape of a few bytes may ask for any number of empty lists */

/* Of size 0: in JSON the lists above the first axis of size 0 are there, and empty; a person is shown the shape. */
static void print_nothing(struct cr_text *out, int rank, const int64_t dim[], enum print_style style) {
    int above = 0;
    while (above < rank && dim[above]) above++;
    int64_t lists = shape_count(above, dim);
    if (style != PRINT_JSON || lists < 0 || lists > most_empty) lists = 1, above = 0;
    for (int64_t i = 0; i < lists; i++) {
        open_lists(out, above, dim, i);
        text_str(out, "[]");
        close_lists(out, above, dim, i);
    }
    if (style == PRINT_JSON || rank < 2) return;
    text_str(out, " of shape ");
    text_dims(out, rank, dim);
}

void tensor_print(struct cr_text *out, cr_dtype dtype, int rank, const int64_t dim[], const void *data,
                  enum print_style style) {
    int64_t count = shape_count(rank, dim);
    if (count == 0) print_nothing(out, rank, dim, style);
    for (int64_t i = 0; i < count; i++) {
        open_lists(out, rank, dim, i);
        if (dtype == CR_I64) text_add(out, "%lld", (long long)((const int64_t *)data)[i]);
        else number_print(out, dtype, dtype_get(dtype, data, i), style);
        close_lists(out, rank, dim, i);
    }
}
