/* A tensor in few words: range, histogram, and a picture of at most 32 by 32 means of blocks. */
#include <math.h>

#include "explain/page/page.h"
#include "tensor/dtype.h"

enum { bins = 24 };

struct counts {
    double low, high, sum, squares;
    int64_t zeros, nans, infs, finite;
};

static struct counts count_up(cr_dtype dtype, const void *data, int64_t n) {
    struct counts c = {.low = INFINITY, .high = -INFINITY};
    for (int64_t i = 0; i < n; i++) {
        double v = dtype_get(dtype, data, i);
        if (isnan(v)) c.nans++;
        else if (isinf(v)) c.infs++;
        else {
            c.finite++, c.zeros += v == 0, c.sum += v, c.squares += v * v;
            c.low = fmin(c.low, v), c.high = fmax(c.high, v);
        }
    }
    return c;
}

static void histogram(struct cr_text *out, cr_dtype dtype, const void *data, int64_t n,
                      const struct counts *c) {
    long long in[bins] = {0};
    double width = (c->high - c->low) / bins;
    for (int64_t i = 0; i < n; i++) {
        double v = dtype_get(dtype, data, i);
        if (!isfinite(v)) continue;
        double place = width > 0 && isfinite(width) ? (v - c->low) / width : 0;
        in[place < bins ? (int)place : bins - 1]++;
    }
    text_str(out, ",\"h\":[");
    for (int i = 0; i < bins; i++) text_add(out, i ? ",%lld" : "%lld", in[i]);
    text_char(out, ']');
}

/* Means of blocks of a matrix, as two hexadecimal digits: 80 is 0, ff the greatest of them and 01 its negative. */
static void small_picture(struct cr_text *out, cr_node x, const void *data, int side) {
    cr_dtype dtype = cr_dtype_of(x);
    int64_t cols = cr_rank(x) ? cr_dims(x)[cr_rank(x) - 1] : 1, rows = cols ? cr_count(x) / cols : 0;
    int h = rows < side ? (int)rows : side, w = cols < side ? (int)cols : side;
    double mean[page_most_side * page_most_side], most = 0;
    for (int k = 0; k < h * w; k++) {
        int64_t i0 = k / w * rows / h, i1 = (k / w + 1) * rows / h, j0 = k % w * cols / w,
                j1 = (k % w + 1) * cols / w;
        double sum = 0;
        for (int64_t i = i0; i < i1; i++)
            for (int64_t j = j0; j < j1; j++) sum += dtype_get(dtype, data, i * cols + j);
        mean[k] = sum / (double)((i1 - i0) * (j1 - j0));
        if (isfinite(mean[k])) most = fmax(most, fabs(mean[k]));
    }
    text_add(out, ",\"m\":[%d,%d,", h, w);
    text_number(out, most);
    text_str(out, ",\"");
    for (int k = 0; k < h * w; k++) {
        bool good = isfinite(mean[k]);
        text_add(out, "%02x", good ? 128 + (unsigned)(int)(most > 0 ? rint(mean[k] / most * 127) : 0) : 0u);
    }
    text_str(out, "\"]");
}

void page_summary(struct cr_text *out, cr_node x, const void *data, int side) {
    struct counts c = count_up(cr_dtype_of(x), data, cr_count(x));
    text_add(out, ",\"s\":{\"zero\":%lld,\"nan\":%lld,\"inf\":%lld", (long long)c.zeros, (long long)c.nans,
             (long long)c.infs);
    if (c.finite && isfinite(c.squares) && isfinite(c.high - c.low)) {
        const char *const name[] = {"min", "max", "mean", "norm"};
        const double value[] = {c.low, c.high, c.sum / (double)c.finite, sqrt(c.squares)};
        for (int i = 0; i < 4; i++) text_add(out, ",\"%s\":", name[i]), text_rounded(out, value[i], 9);
        histogram(out, cr_dtype_of(x), data, cr_count(x), &c);
    }
    if (cr_count(x) && side) small_picture(out, x, data, side);
    text_char(out, '}');
}
