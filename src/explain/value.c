/* Values in words: numbers, lists, summaries. */
#include <math.h>

#include "base/text.h"
#include "explain/model.h"
#include "tensor/dtype.h"

enum {
    digits = 6,
    short_list = 6
}; /* significant digits shown; elements a list has before it is summed up */

static void number(struct cr_text *out, cr_dtype dtype, double v, bool exact) {
    if (dtype == CR_BOOL) text_str(out, v != 0 ? "true" : "false");
    else if (!exact) text_rounded(out, v == 0 ? 0 : v, digits); /* -0 shows as 0 */
    else if (dtype == CR_F32) text_number_f32(out, (float)v);
    else text_number(out, v);
}

static void json_number(struct cr_text *out, cr_dtype dtype, double v) {
    bool word = isnan(v) || isinf(v);
    if (word) text_char(out, '"');
    number(out, dtype, v, true);
    if (word) text_char(out, '"');
}

/* Nested lists, opened and closed where an axis starts and ends. */
static void lists(struct cr_text *out, cr_node node, const void *data, bool json) {
    int rank = cr_rank(node);
    const int64_t *dim = cr_dims(node);
    int64_t count = cr_count(node);
    cr_dtype dtype = cr_dtype_of(node);
    if (count == 0) {
        text_str(out, "[]");
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, closed = 0;
        int k = rank - 1;
        for (; k >= 0 && rest % dim[k] == 0; k--) rest /= dim[k], closed++;
        if (i) text_str(out, ", ");
        for (int64_t j = 0; j < (i ? closed : rank); j++) text_char(out, '[');
        if (json) json_number(out, dtype, dtype_get(dtype, data, i));
        else number(out, dtype, dtype_get(dtype, data, i), false);
        rest = i + 1;
        for (k = rank - 1; k >= 0 && rest % dim[k] == 0; k--) rest /= dim[k], text_char(out, ']');
    }
}

static void summary(struct cr_text *out, cr_node node, const void *data) {
    cr_dtype dtype = cr_dtype_of(node);
    int64_t count = cr_count(node), nans = 0;
    double low = INFINITY, high = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double v = dtype_get(dtype, data, i);
        if (isnan(v)) nans++;
        else low = fmin(low, v), high = fmax(high, v), sum += v;
    }
    text_str(out, cr_dtype_name(dtype));
    text_dims(out, cr_rank(node), cr_dims(node));
    if (count > nans) {
        text_str(out, " mean ");
        text_rounded(out, sum / (double)(count - nans), digits);
        text_str(out, ", from ");
        text_rounded(out, low, digits);
        text_str(out, " to ");
        text_rounded(out, high, digits);
    }
    if (nans) text_add(out, ", %lld nan", (long long)nans);
}

void explanation_value(struct cr_text *out, const struct explanation *x, cr_node node) {
    const void *data = eval_data(x->e, node);
    if (!data) text_str(out, "?");
    else if (cr_rank(node) == 0)
        number(out, cr_dtype_of(node), dtype_get(cr_dtype_of(node), data, 0), x->full);
    else if (x->full || cr_count(node) <= short_list) lists(out, node, data, x->full);
    else summary(out, node, data);
}

void explanation_json_value(struct cr_text *out, const struct explanation *x, cr_node node) {
    const void *data = node.id ? eval_data(x->e, node) : NULL;
    if (!data) text_str(out, "null");
    else if (cr_rank(node) == 0) json_number(out, cr_dtype_of(node), dtype_get(cr_dtype_of(node), data, 0));
    else lists(out, node, data, true);
}
