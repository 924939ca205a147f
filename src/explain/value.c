/* Values in words: numbers, lists, summaries. */
#include <math.h>

#include "base/text.h"
#include "explain/model.h"
#include "tensor/dtype.h"
#include "tensor/print.h"

enum { short_list = 6 }; /* elements a list has before it is summed up */

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
        number_print(out, CR_F64, sum / (double)(count - nans), PRINT_ROUNDED);
        text_str(out, ", from ");
        number_print(out, CR_F64, low, PRINT_ROUNDED);
        text_str(out, " to ");
        number_print(out, CR_F64, high, PRINT_ROUNDED);
    }
    if (nans) text_add(out, ", %lld nan", (long long)nans);
}

void explanation_value(struct cr_text *out, const struct explanation *x, cr_node node) {
    const void *data = x->e ? eval_data(x->e, node) : NULL;
    enum print_style style = x->full ? PRINT_EXACT : PRINT_ROUNDED;
    if (!data) text_str(out, "?");
    else if (x->full || cr_count(node) <= short_list)
        tensor_print(out, cr_dtype_of(node), cr_rank(node), cr_dims(node), data, style);
    else summary(out, node, data);
}

void explanation_json_value(struct cr_text *out, const struct explanation *x, cr_node node) {
    const void *data = x->e && node.id ? eval_data(x->e, node) : NULL;
    if (!data) text_str(out, "null");
    else tensor_print(out, cr_dtype_of(node), cr_rank(node), cr_dims(node), data, PRINT_JSON);
}
