/* The pictures of a report. Each stands in a figure whose words say what is in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/report.h"

enum { plot_width = 460, plot_height = 300 };

/* One curve to draw, bin by bin or epoch by epoch. */
struct curve {
    double x[report_bins], y[report_bins], high[report_bins], mean[report_bins];
    int64_t n;
};

static cr_plot *open_plot(const struct cr_report *r, const char *title, const char *x, const char *y) {
    cr_plot *plot = NULL;
    cr_status status = cr_plot_new(&plot, r->ctx);
    if (!status) status = cr_plot_size(plot, plot_width, plot_height);
    if (!status) status = cr_plot_labels(plot, title, x, y);
    if (!status) return plot;
    cr_plot_free(plot);
    return NULL;
}

/* The words of a figure: from where to where. */
static void figure(struct cr_text *out, const char *what, const char *by, const double y[], int64_t n) {
    text_str(out, "<figure role=\"img\" aria-label=\"");
    text_markup(out, what, strlen(what));
    text_add(out, " by %s", by);
    if (n) {
        text_str(out, ": from ");
        text_rounded(out, y[0], 4);
        text_str(out, " to ");
        text_rounded(out, y[n - 1], 4);
    }
    text_str(out, "\">\n");
}

static cr_status close_plot(struct cr_text *out, cr_plot *plot, cr_status status) {
    if (!status) status = cr_plot_svg(out, plot);
    text_str(out, "</figure>\n");
    cr_plot_free(plot);
    return status;
}

/* A curve that spans more than a decade and a half is read on a logarithmic axis. */
static bool wants_log(const double low[], const double high[], int64_t n) {
    double least = INFINITY, most = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!(low[i] > 0)) return false;
        least = fmin(least, low[i]), most = fmax(most, high[i]);
    }
    return n > 1 && most > 30 * least;
}

static void curve_of_bins(struct curve *c, const struct cr_report *r, int kind) {
    c->n = 0;
    for (int i = 0; i < report_bins_used(r); i++) {
        const struct cell *cell = report_cell(r, i, kind);
        int64_t first = i * r->width, last = first + r->width < r->steps ? first + r->width : r->steps;
        if (!cell->n) continue;
        c->x[c->n] = (double)r->before + (double)(first + 1 + last) / 2;
        c->y[c->n] = cell->low, c->high[c->n] = cell->high;
        c->mean[c->n++] = report_mean(cell);
    }
}

static cr_status plot_bins(struct cr_text *out, const struct cr_report *r, int kind, const char *title,
                           const char *y) {
    struct curve c;
    curve_of_bins(&c, r, kind);
    if (!c.n) return CR_OK;
    cr_plot *plot = open_plot(r, title, "step", y);
    if (!plot) return CR_ENOMEM;
    bool log =
        kind != KIND_RATE && wants_log(c.y, c.high, c.n); /* schedules are drawn as one thinks of them */
    cr_status status = log ? cr_plot_log(plot) : CR_OK;
    bool spread = r->width > 1;
    if (!status && spread) status = cr_plot_band(plot, "least to greatest", c.n, c.x, c.y, c.high);
    if (!status) status = cr_plot_add(plot, spread ? "mean" : "", true, c.n, c.x, c.mean);
    figure(out, title, "step", c.mean, c.n);
    return close_plot(out, plot, status);
}

static cr_status plot_epochs(struct cr_text *out, const struct cr_report *r, const cr_train *t, int metric) {
    struct curve c = {.n = r->epochs};
    const char *name = t->metric[metric].name;
    char title[train_name + 16];
    for (int i = 0; i < r->epochs; i++) {
        c.x[i] = (double)r->epoch[i].epoch;
        c.mean[i] = r->epoch[i].value[metric];
        c.y[i] = t->validated ? fmin(c.mean[i], r->epoch[i].validation[metric]) : c.mean[i];
        c.high[i] = r->epoch[i].validation[metric];
    }
    snprintf(title, sizeof title, "%s by epoch", name);
    cr_plot *plot = open_plot(r, title, "epoch", name);
    if (!plot) return CR_ENOMEM;
    cr_status status = wants_log(c.y, t->validated ? c.high : c.mean, c.n) ? cr_plot_log(plot) : CR_OK;
    if (!status) status = cr_plot_add(plot, "training", true, c.n, c.x, c.mean);
    if (!status && t->validated) status = cr_plot_add(plot, "validation", true, c.n, c.x, c.high);
    figure(out, name, "epoch", t->validated ? c.high : c.mean, c.n);
    return close_plot(out, plot, status);
}

cr_status report_plots(struct cr_text *out, const struct cr_report *r, const cr_train *t) {
    enum { most = 6 }; /* metrics */
    cr_status status = plot_bins(out, r, KIND_METRIC, "loss by step", "loss");
    for (int i = 0; i < t->metrics && i < most && r->epochs > 1 && !status; i++)
        status = plot_epochs(out, r, t, i);
    if (!status) status = plot_bins(out, r, KIND_NORM, "norm of the gradient by step", "norm");
    if (!status) status = plot_bins(out, r, KIND_RATE, "learning rate by step", "rate");
    return status;
}

cr_status report_times(struct cr_text *out, const struct cr_report *r) {
    return plot_bins(out, r, KIND_TIME, "seconds per step", "seconds");
}

/* ---- The map: parameters downwards, steps to the right, the norm of each gradient as a shade ---- */

enum { map_rows = 40, map_columns = 40, label_width = 150, cell_height = 18, cell_width = 7, letters = 20 };

/* Of the bins that fall into a column; nan of none. */
static double map_norm(const struct cr_report *r, int gradient, int column, int columns) {
    int bins = report_bins_used(r);
    struct cell all = {0};
    for (int i = column * bins / columns; i < (column + 1) * bins / columns; i++) {
        const struct cell *c = report_cell(r, i, KIND_METRIC + r->metrics + gradient);
        all.sum += c->sum, all.n += c->n;
    }
    return report_mean(&all);
}

/* At least two decades for all shades, so that norms that hardly differ look alike. */
static void map_range(const struct cr_report *r, int rows, int columns, double *low, double *high) {
    *low = INFINITY, *high = -INFINITY;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            double v = log10(map_norm(r, i, j, columns));
            if (isfinite(v)) *low = fmin(*low, v), *high = fmax(*high, v);
        }
    *low = floor(fmin(*low, *high - 2)), *high = ceil(*high);
}

static void map_label(struct cr_text *out, const char *name, int y) {
    size_t n = strlen(name), most = n > letters ? letters - 1 : n;
    while (most < n && most && ((unsigned char)name[most] & 0xc0) == 0x80) most--;
    text_add(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", label_width - 8, y + 13);
    text_markup(out, name, most);
    text_str(out, most < n ? "…</text>\n" : "</text>\n");
}

void report_norm_map(struct cr_text *out, const struct cr_report *r, const cr_train *t) {
    int rows = r->gradients < map_rows ? r->gradients : map_rows, bins = report_bins_used(r);
    int columns = bins < map_columns ? bins : map_columns;
    double low, high, width = (double)(map_columns * cell_width) / columns;
    map_range(r, rows, columns, &low, &high);
    if (!isfinite(low)) return;
    text_add(out,
             "<figure role=\"img\" aria-label=\"norms of the gradients by parameter and step; the table has "
             "their numbers\">\n<svg viewBox=\"0 0 %d %d\">\n",
             label_width + map_columns * cell_width + 2, rows * cell_height + 20);
    for (int i = 0; i < rows; i++) {
        const char *name = cr_train_gradient(t, i, NULL);
        map_label(out, name, i * cell_height);
        for (int j = 0; j < columns; j++) {
            double v = log10(map_norm(r, i, j, columns));
            int level = isfinite(v) ? (int)fmin(11, floor((v - low) / (high - low) * 12)) : 0;
            text_add(out, "<rect class=\"level%d\" x=\"", level);
            text_rounded(out, label_width + j * width, 6);
            text_add(out, "\" y=\"%d\" width=\"", i * cell_height);
            text_rounded(out, width + 0.2, 6);
            text_add(out, "\" height=\"%d\"/>\n", cell_height - 1);
        }
    }
    text_add(out, "<text x=\"%d\" y=\"%d\">step %lld</text>", label_width, rows * cell_height + 15,
             (long long)r->before + 1);
    text_add(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%lld</text>\n</svg>\n",
             label_width + map_columns * cell_width, rows * cell_height + 15,
             (long long)(r->before + r->steps));
    text_add(out, "<figcaption>dark: 1e%d and below, light: 1e%d", (int)low, (int)high);
    if (rows < t->gradients) text_add(out, "; the first %d of %d parameters", rows, t->gradients);
    text_str(out, "</figcaption>\n</figure>\n");
}
