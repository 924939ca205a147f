/* A tensor in few words: range, histogram, and a picture of at most 32 by 32 means of blocks. */
#include <math.h>
#include <string.h>

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

/* Means of h by w blocks of a matrix; gives the greatest absolute value. */
static double block_means(double mean[], cr_dtype dtype, const void *data, int64_t first, int64_t rows,
                          int64_t cols, int h, int w) {
    double most = 0;
    for (int k = 0; k < h * w; k++) {
        int64_t i0 = k / w * rows / h, i1 = (k / w + 1) * rows / h, j0 = k % w * cols / w,
                j1 = (k % w + 1) * cols / w;
        double sum = 0;
        for (int64_t i = i0; i < i1; i++)
            for (int64_t j = j0; j < j1; j++) sum += dtype_get(dtype, data, first + i * cols + j);
        mean[k] = sum / (double)((i1 - i0) * (j1 - j0));
        if (isfinite(mean[k])) most = fmax(most, fabs(mean[k]));
    }
    return most;
}

/* Two hexadecimal digits each: 80 is 0, ff the greatest of them and 01 its negative, 00 no number. */
static void shades(struct cr_text *out, const double mean[], int n, double most) {
    for (int k = 0; k < n; k++) {
        bool good = isfinite(mean[k]);
        text_add(out, "%02x", good ? 128 + (unsigned)(int)(most > 0 ? rint(mean[k] / most * 127) : 0) : 0u);
    }
}

static int smaller(int64_t n, int most) { return n < most ? (int)n : most; }

static void small_picture(struct cr_text *out, cr_node x, const void *data, int side) {
    int64_t cols = cr_rank(x) ? cr_dims(x)[cr_rank(x) - 1] : 1, rows = cols ? cr_count(x) / cols : 0;
    int h = smaller(rows, side), w = smaller(cols, side);
    double mean[page_most_side * page_most_side];
    double most = block_means(mean, cr_dtype_of(x), data, 0, rows, cols, h, w);
    text_add(out, ",\"m\":[%d,%d,", h, w);
    text_number(out, most);
    text_str(out, ",\"");
    shades(out, mean, h * w, most);
    text_str(out, "\"]");
}

/* An input whose last two axes, or last axis as a square, are at least 8 by 8 is shown as images: the first ones. */
static void images(struct cr_text *out, cr_node x, const void *data) {
    enum { most_images = 12, least_side = 8 };
    int rank = cr_rank(x);
    if (strcmp(cr_op_of(x), "input") != 0 || rank < 2) return;
    int64_t cols = cr_dims(x)[rank - 1],
            rows = rank > 2 ? cr_dims(x)[rank - 2] : (int64_t)rint(sqrt((double)cols));
    if (rank == 2 && rows * rows != cols) return;
    if (rank == 2) cols = rows;
    if (rows < least_side || cols < least_side) return;
    int n = smaller(cr_count(x) / (rows * cols), most_images), h = smaller(rows, page_most_side),
        w = smaller(cols, page_most_side);
    double mean[page_most_side * page_most_side];
    text_add(out, ",\"i\":[%d,%d,[", h, w);
    for (int k = 0; k < n; k++) {
        double most = block_means(mean, cr_dtype_of(x), data, k * rows * cols, rows, cols, h, w);
        text_str(out, k ? ",\"" : "\"");
        shades(out, mean, h * w, most);
        text_char(out, '"');
    }
    text_str(out, "]]");
}

static void dead_units(struct cr_text *out, cr_node x, const void *data) {
    int64_t units, dead = explanation_dead_units(x, data, &units);
    if (units) text_add(out, ",\"dead\":[%lld,%lld]", (long long)dead, (long long)units);
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
    if (cr_count(x) && side)
        small_picture(out, x, data, side), images(out, x, data), dead_units(out, x, data);
    text_char(out, '}');
}
