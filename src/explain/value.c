/* Values in words: numbers, lists, summaries. */
#include <math.h>
#include <string.h>

#include "explain/model.h"
#include "tensor/dtype.h"
#include "tensor/print.h"

enum { short_list = 6 }; /* elements a list has before it is summed up */

static void named_number(struct cr_text *out, const char *name, double value, int digits) {
    text_str(out, name);
    text_rounded(out, value, digits);
}

/* mean 0.1 min -2 max 3. */
static void summary(struct cr_text *out, cr_node node, const void *data, int digits) {
    cr_dtype dtype = cr_dtype_of(node);
    int64_t count = cr_count(node), nans = 0;
    double low = INFINITY, high = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double v = dtype_get(dtype, data, i);
        if (isnan(v)) nans++;
        else low = fmin(low, v), high = fmax(high, v), sum += v;
    }
    if (count > nans && low == high) named_number(out, " all ", low, digits);
    else if (count > nans) {
        named_number(out, " mean ", sum / (double)(count - nans), digits);
        named_number(out, " min ", low, digits);
        named_number(out, " max ", high, digits);
    }
    if (nans) text_add(out, ", %lld nan", (long long)nans);
}

bool explanation_is_short(const struct explanation *x, cr_node node) {
    return x->full || cr_count(node) <= short_list;
}

void explanation_value(struct cr_text *out, const struct explanation *x, cr_node node) {
    const void *data = x->e ? eval_data(x->e, node) : NULL;
    enum print_style style = x->full ? PRINT_EXACT : PRINT_ROUNDED;
    if (!data) text_str(out, "?");
    else if (explanation_is_short(x, node))
        tensor_print(out, cr_dtype_of(node), cr_rank(node), cr_dims(node), data, style);
    else {
        text_str(out, cr_dtype_name(cr_dtype_of(node)));
        text_dims(out, cr_rank(node), cr_dims(node));
        summary(out, node, data, 6);
    }
}

void explanation_brief(struct cr_text *out, const struct explanation *x, cr_node node, bool shape) {
    const void *data = x->e ? eval_data(x->e, node) : NULL;
    if (!data || cr_count(node) <= 3) {
        explanation_value(out, x, node);
        return;
    }
    if (shape) text_str(out, cr_dtype_name(cr_dtype_of(node)));
    if (shape) text_dims(out, cr_rank(node), cr_dims(node));
    summary(out, node, data, 3);
}

int64_t explanation_dead_units(cr_node x, const void *data, int64_t *units) {
    int64_t n = cr_rank(x) > 1 ? cr_dims(x)[cr_rank(x) - 1] : 0, rows = n ? cr_count(x) / n : 0, dead = 0;
    *units = data && rows > 1 ? n : 0; /* of one observation nothing is known */
    for (int64_t j = 0; j < *units; j++) {
        int64_t i = 0;
        while (i < rows && dtype_get(cr_dtype_of(x), data, i * n + j) == 0) i++;
        dead += i == rows;
    }
    return dead;
}

int64_t explanation_dead(const struct explanation *x, const struct row *row, int64_t *units) {
    bool layer = x->e && !row->leaf && row->cotangent.id;
    return explanation_dead_units(row->x, layer ? eval_data(x->e, row->x) : NULL, units);
}

void explanation_after(struct cr_text *out, const struct explanation *x, const struct row *row) {
    cr_dtype dtype = cr_dtype_of(row->x);
    const void *value = eval_data(x->e, row->x), *slope = eval_data(x->e, row->cotangent);
    int64_t count = cr_count(row->x);
    size_t bytes = mem_mul((size_t)count + 1, sizeof(double));
    double *after = value && slope ? mem_alloc(&x->mem, bytes) : NULL;
    if (!after) {
        out->failed = true;
        return;
    }
    for (int64_t i = 0; i < count; i++)
        after[i] = dtype_get(dtype, value, i) - x->rate * dtype_get(cr_dtype_of(row->cotangent), slope, i);
    tensor_print(out, CR_F64, cr_rank(row->x), cr_dims(row->x), after, PRINT_ROUNDED);
    mem_free(&x->mem, after, bytes);
}

void explanation_json_value(struct cr_text *out, const struct explanation *x, cr_node node) {
    const void *data = x->e && node.id ? eval_data(x->e, node) : NULL;
    if (!data) text_str(out, "null");
    else tensor_print(out, cr_dtype_of(node), cr_rank(node), cr_dims(node), data, PRINT_JSON);
}

void explanation_json_zeros(struct cr_text *out, const struct explanation *x, cr_node node) {
    size_t bytes = (size_t)cr_count(node) * cr_dtype_size(cr_dtype_of(node)) + 1;
    void *zeros = mem_zero(&x->mem, bytes);
    if (zeros) tensor_print(out, cr_dtype_of(node), cr_rank(node), cr_dims(node), zeros, PRINT_JSON);
    else out->failed = true;
    mem_free(&x->mem, zeros, bytes);
}
