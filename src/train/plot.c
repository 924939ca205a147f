/* A plot as SVG: points and lines over axes with round numbers. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/text.h"

enum { width = 800, height = 500, left = 80, right = 30, top = 50, bottom = 60, most_series = 8 };

/* Okabe and Ito's colours, told apart by the colour-blind. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#f0e442", "#000000"};

struct series {
    struct cr_text label;
    bool line;
    int64_t n;
    double *x, *y; /* x, then y, in one block */
};

struct cr_plot {
    struct mem mem;
    struct cr_text title, x_label, y_label;
    struct series series[most_series];
    int n;
};

cr_status cr_plot_new(cr_plot **out, cr_context *ctx) {
    if (!out) return CR_EINVAL;
    struct mem m = context_mem(ctx);
    cr_plot *p = *out = mem_zero(&m, sizeof *p);
    if (!p) return CR_ENOMEM;
    p->mem = m;
    p->title = p->x_label = p->y_label = text_make(&m);
    return CR_OK;
}

void cr_plot_free(cr_plot *p) {
    if (!p) return;
    struct mem m = p->mem;
    for (int i = 0; i < p->n; i++) {
        text_drop(&p->series[i].label);
        mem_free(&m, p->series[i].x, (size_t)p->series[i].n * 2 * sizeof(double));
    }
    text_drop(&p->title);
    text_drop(&p->x_label);
    text_drop(&p->y_label);
    mem_free(&m, p, sizeof *p);
}

/* Text of XML: what it may not hold is left out. */
static void add_escaped(struct cr_text *t, const char *s) {
    for (; s && *s; s++) {
        if (*s == '<') text_str(t, "&lt;");
        else if (*s == '>') text_str(t, "&gt;");
        else if (*s == '&') text_str(t, "&amp;");
        else if (*s == '"') text_str(t, "&quot;");
        else if ((unsigned char)*s >= 0x20 || *s == '\t') text_char(t, *s);
    }
}

cr_status cr_plot_labels(cr_plot *p, const char *title, const char *x, const char *y) {
    if (!p) return CR_EINVAL;
    cr_text_clear(&p->title), add_escaped(&p->title, title);
    cr_text_clear(&p->x_label), add_escaped(&p->x_label, x);
    cr_text_clear(&p->y_label), add_escaped(&p->y_label, y);
    return p->title.failed || p->x_label.failed || p->y_label.failed ? CR_ENOMEM : CR_OK;
}

cr_status cr_plot_add(cr_plot *p, const char *label, bool line, int64_t n, const double x[],
                      const double y[]) {
    if (!p || n < 0 || (n && (!x || !y))) return CR_EINVAL;
    if (p->n == most_series) return CR_ELIMIT;
    struct series s = {.label = text_make(&p->mem),
                       .line = line,
                       .n = n,
                       .x = mem_alloc(&p->mem, mem_mul((size_t)n, 2 * sizeof *x))};
    if (!s.x) return CR_ENOMEM;
    s.y = s.x + n;
    if (n) memcpy(s.x, x, (size_t)n * sizeof *x), memcpy(s.y, y, (size_t)n * sizeof *y);
    add_escaped(&s.label, label);
    p->series[p->n++] = s;
    return s.label.failed ? CR_ENOMEM : CR_OK;
}

/* ---- Axes ---- */

struct axis {
    double low, high, step;
};

static bool shown(const struct series *s, int64_t i) {
    return isfinite(s->x[i]) && isfinite(s->y[i]) && fabs(s->x[i]) < 1e300 && fabs(s->y[i]) < 1e300;
}

/* Steps of 1, 2 or 5 times a power of ten, some five to ten of them. */
static struct axis axis_of(const struct cr_plot *p, bool vertical) {
    struct axis a = {INFINITY, -INFINITY, 1};
    for (int k = 0; k < p->n; k++)
        for (int64_t i = 0; i < p->series[k].n; i++) {
            double v = vertical ? p->series[k].y[i] : p->series[k].x[i];
            if (shown(&p->series[k], i)) a.low = fmin(a.low, v), a.high = fmax(a.high, v);
        }
    if (a.low > a.high) a.low = 0, a.high = 1;
    if (a.low == a.high) a.low -= fmax(fabs(a.low), 1) / 2, a.high += fmax(fabs(a.high), 1) / 2;
    double rough = (a.high - a.low) / 6, power = pow(10, floor(log10(rough)));
    a.step = rough / power < 1.5   ? power
             : rough / power < 3.5 ? 2 * power
             : rough / power < 7.5 ? 5 * power
                                   : 10 * power;
    a.low = floor(a.low / a.step) * a.step;
    a.high = ceil(a.high / a.step) * a.step;
    return a;
}

static double across(const struct axis *a, double x) {
    return left + (x - a->low) / (a->high - a->low) * (width - left - right);
}
static double down(const struct axis *a, double y) {
    return height - bottom - (y - a->low) / (a->high - a->low) * (height - top - bottom);
}

static void place(struct cr_text *out, double x) { text_rounded(out, round(x * 100) / 100, 8); }

static void attribute(struct cr_text *out, const char *name, double x) {
    text_add(out, " %s=\"", name);
    place(out, x);
    text_char(out, '"');
}

static void rule(struct cr_text *out, double x1, double y1, double x2, double y2, const char *colour) {
    text_str(out, "<line");
    attribute(out, "x1", x1), attribute(out, "y1", y1), attribute(out, "x2", x2), attribute(out, "y2", y2);
    text_add(out, " stroke=\"%s\"/>\n", colour);
}

static void words(struct cr_text *out, double x, double y, const char *more, const char *s) {
    text_str(out, "<text");
    attribute(out, "x", x), attribute(out, "y", y);
    text_add(out, " %s>%s</text>\n", more, s);
}

static void ticks(struct cr_text *out, const struct axis *a, bool vertical, const struct mem *mem) {
    int n = (int)round((a->high - a->low) / a->step);
    for (int i = 0; i <= n; i++) {
        double v = a->low + i * a->step;
        struct cr_text number = text_make(mem);
        text_rounded(&number, fabs(v) < a->step * 1e-9 ? 0 : v, 6);
        if (vertical) rule(out, left, down(a, v), width - right, down(a, v), "#dddddd");
        else rule(out, across(a, v), top, across(a, v), height - bottom, "#dddddd");
        if (vertical) words(out, left - 8, down(a, v) + 4, "text-anchor=\"end\"", cr_text_str(&number));
        else words(out, across(a, v), height - bottom + 18, "text-anchor=\"middle\"", cr_text_str(&number));
        text_drop(&number);
    }
}

static void draw(struct cr_text *out, const struct series *s, int k, const struct axis *x,
                 const struct axis *y) {
    bool first = true;
    if (s->line)
        text_add(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colours[k]);
    for (int64_t i = 0; i < s->n; i++) {
        if (!shown(s, i)) continue;
        if (s->line) {
            if (!first) text_char(out, ' ');
            place(out, across(x, s->x[i])), text_char(out, ','), place(out, down(y, s->y[i]));
        } else {
            text_str(out, "<circle");
            attribute(out, "cx", across(x, s->x[i])), attribute(out, "cy", down(y, s->y[i]));
            text_add(out, " r=\"3.5\" fill=\"%s\" fill-opacity=\"0.7\"/>\n", colours[k]);
        }
        first = false;
    }
    if (s->line) text_str(out, "\"/>\n");
}

static void legend(struct cr_text *out, const struct cr_plot *p) {
    for (int k = 0; k < p->n; k++) {
        double y = top + 18 + 20 * k;
        if (p->series[k].line)
            text_add(out,
                     "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"2\"/>\n",
                     left + 12, (int)y - 4, left + 36, (int)y - 4, colours[k]);
        else
            text_add(out, "<circle cx=\"%d\" cy=\"%d\" r=\"3.5\" fill=\"%s\"/>\n", left + 24, (int)y - 4,
                     colours[k]);
        words(out, left + 44, y, "", cr_text_str(&p->series[k].label));
    }
}

cr_status cr_plot_svg(cr_text *out, const cr_plot *p) {
    if (!out || !p) return CR_EINVAL;
    struct axis x = axis_of(p, false), y = axis_of(p, true);
    text_add(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
             "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"#222222\">\n"
             "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
             width, height, width, height, width, height);
    ticks(out, &x, false, &p->mem);
    ticks(out, &y, true, &p->mem);
    rule(out, left, height - bottom, width - right, height - bottom, "#222222");
    rule(out, left, top, left, height - bottom, "#222222");
    for (int k = 0; k < p->n; k++) draw(out, &p->series[k], k, &x, &y);
    legend(out, p);
    words(out, width / 2.0, 28, "text-anchor=\"middle\" font-size=\"17\"", cr_text_str(&p->title));
    words(out, (left + width - right) / 2.0, height - 14, "text-anchor=\"middle\"", cr_text_str(&p->x_label));
    text_add(out,
             "<text transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n</svg>\n",
             (top + height - bottom) / 2, cr_text_str(&p->y_label));
    return text_status(out);
}
