/* A plot as SVG: points, lines and bands over axes with round numbers, in panels one below the other over one x axis. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/text.h"

enum {
    usual_width = 800,
    left = 80,
    right = 30,
    top = 50,
    bottom = 60,
    usual_height = 390,
    more_height = 130,
    gap = 20
};
enum { most_series = 12, most_panels = 4, colour_count = 8 };

/* Okabe and Ito's colours, told apart by the colour-blind. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#f0e442", "#000000"};

enum kind { POINTS, LINE, BAND };

struct series {
    struct cr_text label;
    enum kind kind;
    int panel;
    int64_t n;
    double *x, *y, *high; /* in one block; high: of bands, above y */
};

struct cr_plot {
    struct mem mem;
    struct cr_text title, x_label, y_label[most_panels];
    struct series series[most_series];
    bool log[most_panels];        /* y */
    int n, panels, width, height; /* height: of the first panel */
};

cr_status cr_plot_new(cr_plot **out, cr_context *ctx) {
    if (!out) return CR_EINVAL;
    struct mem m = context_mem(ctx);
    cr_plot *p = *out = mem_zero(&m, sizeof *p);
    if (!p) return CR_ENOMEM;
    p->mem = m;
    p->title = p->x_label = text_make(&m);
    p->panels = 1;
    p->width = usual_width, p->height = usual_height;
    for (int k = 0; k < most_panels; k++) p->y_label[k] = text_make(&m);
    return CR_OK;
}

void cr_plot_free(cr_plot *p) {
    if (!p) return;
    struct mem m = p->mem;
    for (int i = 0; i < p->n; i++) {
        text_drop(&p->series[i].label);
        mem_free(&m, p->series[i].x, (size_t)p->series[i].n * 3 * sizeof(double));
    }
    text_drop(&p->title);
    text_drop(&p->x_label);
    for (int k = 0; k < most_panels; k++) text_drop(&p->y_label[k]);
    mem_free(&m, p, sizeof *p);
}

static void add_escaped(struct cr_text *t, const char *s) { text_markup(t, s, s ? strlen(s) : 0); }

cr_status cr_plot_labels(cr_plot *p, const char *title, const char *x, const char *y) {
    if (!p) return CR_EINVAL;
    cr_text_clear(&p->title), add_escaped(&p->title, title);
    cr_text_clear(&p->x_label), add_escaped(&p->x_label, x);
    cr_text_clear(&p->y_label[0]), add_escaped(&p->y_label[0], y);
    return p->title.failed || p->x_label.failed || p->y_label[0].failed ? CR_ENOMEM : CR_OK;
}

cr_status cr_plot_panel(cr_plot *p, const char *y) {
    if (!p) return CR_EINVAL;
    if (p->panels == most_panels) return CR_ELIMIT;
    add_escaped(&p->y_label[p->panels++], y);
    return text_status(&p->y_label[p->panels - 1]);
}

cr_status cr_plot_size(cr_plot *p, int width, int height) {
    if (!p || width < 2 * (left + right) || width > 10000 || height < 2 * (top + bottom) || height > 10000)
        return CR_EINVAL;
    p->width = width, p->height = height - top - bottom;
    return CR_OK;
}

cr_status cr_plot_log(cr_plot *p) {
    if (!p) return CR_EINVAL;
    p->log[p->panels - 1] = true;
    return CR_OK;
}

static cr_status add(cr_plot *p, const char *label, enum kind kind, int64_t n, const double x[],
                     const double y[], const double high[]) {
    if (!p || n < 0 || (n && (!x || !y || (kind == BAND && !high)))) return CR_EINVAL;
    if (p->n == most_series) return CR_ELIMIT;
    size_t bytes = (size_t)n * sizeof(double);
    struct series s = {.label = text_make(&p->mem), .kind = kind, .panel = p->panels - 1, .n = n};
    s.x = mem_alloc(&p->mem, mem_mul((size_t)n, 3 * sizeof *x));
    if (!s.x) return CR_ENOMEM;
    s.y = s.x + n, s.high = s.y + n;
    if (n) memcpy(s.x, x, bytes), memcpy(s.y, y, bytes), memcpy(s.high, kind == BAND ? high : y, bytes);
    add_escaped(&s.label, label);
    p->series[p->n++] = s;
    return s.label.failed ? CR_ENOMEM : CR_OK;
}

cr_status cr_plot_add(cr_plot *p, const char *label, bool line, int64_t n, const double x[],
                      const double y[]) {
    return add(p, label, line ? LINE : POINTS, n, x, y, NULL);
}

cr_status cr_plot_band(cr_plot *p, const char *label, int64_t n, const double x[], const double low[],
                       const double high[]) {
    return add(p, label, BAND, n, x, low, high);
}

/* ---- Axes ---- */

struct axis {
    double low, high, step; /* numbers, or their logarithms to base 10 */
    double from, to;        /* where low and high stand in the picture */
    bool log;
};

static bool good(double x) { return isfinite(x) && fabs(x) < 1e300; }
/* On a logarithmic axis what is positive. */
static bool shown(const struct series *s, int64_t i, bool log) {
    return good(s->x[i]) && good(s->y[i]) && good(s->high[i]) && (!log || s->y[i] > 0);
}

static double scaled(const struct axis *a, double v) { return a->log ? log10(v) : v; }

static void widen(struct axis *a, double v) {
    a->low = fmin(a->low, scaled(a, v)), a->high = fmax(a->high, scaled(a, v));
}

/* Steps of 1, 2 or 5 times a power of ten, about so many of them. */
static void round_axis(struct axis *a, double steps) {
    if (a->low > a->high) a->low = 0, a->high = 1;
    if (a->high - a->low <= 1e-9 * fabs(a->high)) { /* the same, but for rounding */
        double half = a->log || a->low == 0 ? 0.5 : fabs(a->low) / 2;
        a->low -= half, a->high += half;
    }
    double rough = (a->high - a->low) / steps, power = pow(10, floor(log10(rough))), times = rough / power;
    a->step = power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
    a->low = floor(a->low / a->step) * a->step;
    a->high = ceil(a->high / a->step) * a->step;
}

static struct axis x_axis(const struct cr_plot *p) {
    struct axis a = {INFINITY, -INFINITY, 1, left, p->width - right, false};
    for (int k = 0; k < p->n; k++)
        for (int64_t i = 0; i < p->series[k].n; i++)
            if (shown(&p->series[k], i, p->log[p->series[k].panel])) widen(&a, p->series[k].x[i]);
    round_axis(&a, p->width * 6 / usual_width);
    return a;
}

/* The panel's lower and upper end in the picture. */
static double panel_top(const struct cr_plot *p, int panel) {
    return panel ? top + p->height + gap + (panel - 1) * (more_height + gap) : top;
}
static double panel_bottom(const struct cr_plot *p, int panel) {
    return panel_top(p, panel) + (panel ? more_height : p->height);
}

static struct axis y_axis(const struct cr_plot *p, int panel) {
    struct axis a = {INFINITY, -INFINITY, 1, panel_bottom(p, panel), panel_top(p, panel), p->log[panel]};
    for (int k = 0; k < p->n; k++)
        for (int64_t i = 0; p->series[k].panel == panel && i < p->series[k].n; i++)
            if (shown(&p->series[k], i, a.log)) widen(&a, p->series[k].y[i]), widen(&a, p->series[k].high[i]);
    round_axis(&a, panel ? 3 : p->height < 200 ? 4 : 6);
    return a;
}

static double at(const struct axis *a, double v) {
    return a->from + (scaled(a, v) - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* ---- Elements ---- */

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

static void point(struct cr_text *out, const struct axis *x, const struct axis *y, double u, double v) {
    place(out, at(x, u)), text_char(out, ','), place(out, at(y, v)), text_char(out, ' ');
}

/* Lines of the grid, with numbers at the left; along x the numbers stand only below the last panel. */
static void ticks(struct cr_text *out, const struct axis *a, const struct axis *across, bool vertical,
                  bool numbers) {
    int n = (int)round((a->high - a->low) / a->step);
    for (int i = 0; i <= n; i++) {
        double v = a->low + i * a->step, where = a->from + i * (a->to - a->from) / n;
        struct cr_text number = text_make(&out->mem);
        v = fabs(v) < a->step * 1e-9 ? 0 : v;
        text_rounded(&number, a->log ? pow(10, v) : v, a->log ? 3 : 6);
        if (vertical) rule(out, across->from, where, across->to, where, "#dddddd");
        else rule(out, where, across->from, where, across->to, "#dddddd");
        if (vertical) words(out, left - 8, where + 4, "text-anchor=\"end\"", cr_text_str(&number));
        else if (numbers)
            words(out, where, across->from + 18, "text-anchor=\"middle\"", cr_text_str(&number));
        text_end(&number, out);
    }
}

/* ---- Series ---- */

static void draw_points(struct cr_text *out, const struct series *s, const char *colour, const struct axis *x,
                        const struct axis *y) {
    for (int64_t i = 0; i < s->n; i++) {
        if (!shown(s, i, y->log)) continue;
        text_str(out, "<circle");
        attribute(out, "cx", at(x, s->x[i])), attribute(out, "cy", at(y, s->y[i]));
        text_add(out, " r=\"3.5\" fill=\"%s\" fill-opacity=\"0.7\"/>\n", colour);
    }
}

static void draw_line(struct cr_text *out, const struct series *s, const char *colour, const struct axis *x,
                      const struct axis *y) {
    text_add(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (int64_t i = 0; i < s->n; i++)
        if (shown(s, i, y->log)) point(out, x, y, s->x[i], s->y[i]);
    text_str(out, "\"/>\n");
}

static void draw_band(struct cr_text *out, const struct series *s, const char *colour, const struct axis *x,
                      const struct axis *y) {
    text_add(out, "<polygon fill=\"%s\" fill-opacity=\"0.2\" points=\"", colour);
    for (int64_t i = 0; i < s->n; i++)
        if (shown(s, i, y->log)) point(out, x, y, s->x[i], s->high[i]);
    for (int64_t i = s->n; i-- > 0;)
        if (shown(s, i, y->log)) point(out, x, y, s->x[i], s->y[i]);
    text_str(out, "\"/>\n");
}

/* Each panel begins anew; a band has the colour of the series behind it, which it is of. */
static const char *colour_of(const struct cr_plot *p, int series) {
    int n = 0;
    for (int k = 0; k < series; k++)
        n += p->series[k].panel == p->series[series].panel && p->series[k].kind != BAND;
    return colours[n % colour_count];
}

static void draw(struct cr_text *out, const struct cr_plot *p, int panel, const struct axis *x,
                 const struct axis *y) {
    for (int k = 0; k < p->n; k++) {
        const struct series *s = &p->series[k];
        if (s->panel != panel) continue;
        if (s->kind == POINTS) draw_points(out, s, colour_of(p, k), x, y);
        if (s->kind == LINE) draw_line(out, s, colour_of(p, k), x, y);
        if (s->kind == BAND) draw_band(out, s, colour_of(p, k), x, y);
    }
}

/* A sign and a word for a series. */
static void legend_entry(struct cr_text *out, const struct cr_plot *p, int k, double x, double y) {
    const struct series *s = &p->series[k];
    if (s->kind == POINTS) {
        text_str(out, "<circle");
        attribute(out, "cx", x + 12), attribute(out, "cy", y - 4);
        text_add(out, " r=\"3.5\" fill=\"%s\"/>\n", colour_of(p, k));
    } else {
        text_str(out, "<line");
        attribute(out, "x1", x), attribute(out, "x2", x + 24);
        attribute(out, "y1", y - 4), attribute(out, "y2", y - 4);
        text_add(out, " stroke=\"%s\" stroke-width=\"%d\" stroke-opacity=\"%s\"/>\n", colour_of(p, k),
                 s->kind == BAND ? 12 : 2, s->kind == BAND ? "0.2" : "1");
    }
    words(out, x + 32, y, "", cr_text_str(&s->label));
}

static bool labelled(const struct cr_plot *p, int k, int panel) {
    return p->series[k].panel == panel && cr_text_size(&p->series[k].label) > 0;
}

/* About as wide as a label is drawn, with its sign. */
static double legend_width(const struct cr_plot *p, int k) {
    enum { letter = 7, sign = 56 };
    return sign + letter * (double)cr_text_size(&p->series[k].label);
}

/* In one row above the first panel where there is room, so that no data are covered; else within the panel. */
static void legend(struct cr_text *out, const struct cr_plot *p, int panel) {
    double wide = 0, x = left, y = panel_top(p, panel) + 18;
    for (int k = 0; k < p->n; k++) wide += labelled(p, k, panel) ? legend_width(p, k) : 0;
    bool row = panel == 0 && wide <= p->width - left - right;
    for (int k = 0; k < p->n; k++) {
        if (!labelled(p, k, panel)) continue;
        legend_entry(out, p, k, row ? x : left + 12, row ? top - 8 : y);
        x += legend_width(p, k), y += 20;
    }
}

static void draw_panel(struct cr_text *out, const struct cr_plot *p, int panel, const struct axis *x) {
    struct axis y = y_axis(p, panel);
    bool last = panel == p->panels - 1;
    ticks(out, x, &y, false, last);
    ticks(out, &y, x, true, true);
    rule(out, left, y.from, p->width - right, y.from, "#222222");
    rule(out, left, y.to, left, y.from, "#222222");
    draw(out, p, panel, x, &y);
    legend(out, p, panel);
    text_add(out, "<text transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
             (int)(y.from + y.to) / 2, cr_text_str(&p->y_label[panel]));
}

cr_status cr_plot_svg(cr_text *out, const cr_plot *p) {
    if (!out || !p) return CR_EINVAL;
    int width = p->width, height = (int)panel_bottom(p, p->panels - 1) + bottom;
    struct axis x = x_axis(p);
    text_add(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
             "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"#222222\">\n"
             "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
             width, height, width, height, width, height);
    for (int k = 0; k < p->panels; k++) draw_panel(out, p, k, &x);
    words(out, width / 2.0, 22, "text-anchor=\"middle\" font-size=\"17\"", cr_text_str(&p->title));
    words(out, (left + width - right) / 2.0, height - 14, "text-anchor=\"middle\"", cr_text_str(&p->x_label));
    text_str(out, "</svg>\n");
    return text_status(out);
}
