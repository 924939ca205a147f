/* What Graphviz says (dot -Tplain) as numbers in points, y downwards. It comes from another program: every word is
 * read as what it must be, and nothing else of it reaches the page. */
#include <math.h>
#include <string.h>

#include "explain/page/page.h"

struct reader {
    const char *s;
    double height; /* of the picture, in inches */
    bool good;
};

static void blanks(struct reader *r) {
    while (*r->s == ' ') r->s++;
}

static bool word(struct reader *r, const char *w) {
    size_t n = strlen(w);
    blanks(r);
    if (strncmp(r->s, w, n) != 0 || !strchr(" \n", r->s[n])) return false;
    r->s += n;
    return true;
}

static double number(struct reader *r) {
    double v = 0;
    blanks(r);
    bool minus = *r->s == '-';
    r->s += minus;
    size_t n = text_parse_number(r->s, strlen(r->s) < 40 ? strlen(r->s) : 40, &v);
    r->s += n;
    if (n == 0 || !isfinite(v) || fabs(v) > 1e6 || !strchr(" \n", *r->s)) r->good = false;
    return minus ? -v : v;
}

/* r5, b2, p7, q3, e11. */
static void name(struct reader *r, struct cr_text *out) {
    blanks(r);
    size_t n = 1 + strspn(r->s + (*r->s != 0), "0123456789");
    if (!*r->s || !strchr("rbpqe", *r->s) || n < 2 || n > 10 || !strchr(" \n", r->s[n])) {
        r->good = false;
        return;
    }
    text_char(out, '"');
    text_bytes(out, r->s, n);
    text_char(out, '"');
    r->s += n;
}

static void rest_of_line(struct reader *r) {
    r->s += strcspn(r->s, "\n");
    r->s += *r->s == '\n';
}

/* Half points are fine enough. */
static void put(struct cr_text *out, double inches) {
    text_char(out, ',');
    text_number(out, rint(inches * 144) / 2);
}

static void place(struct reader *r, struct cr_text *out) {
    double x = number(r), y = number(r);
    put(out, x);
    put(out, r->height - y);
}

static void node(struct reader *r, struct cr_text *out) {
    text_str(out, "[");
    name(r, out);
    place(r, out);
    put(out, number(r));
    put(out, number(r));
    text_str(out, "]");
}

static void edge(struct reader *r, struct cr_text *out) {
    text_str(out, "[");
    name(r, out);
    text_str(out, ",");
    name(r, out);
    double n = number(r);
    if (!(n >= 2 && n < 10000)) r->good = false;
    for (int i = 0; i < (int)n && r->good; i++) place(r, out);
    text_str(out, "]");
}

static void items(struct reader *r, struct cr_text *out, const char *kind,
                  void (*item)(struct reader *, struct cr_text *)) {
    bool first = true;
    text_str(out, ",[");
    while (r->good && word(r, kind)) {
        if (!first) text_char(out, ',');
        first = false;
        item(r, out);
        rest_of_line(r);
    }
    text_str(out, "]");
}

static void picture(struct reader *r, struct cr_text *out) {
    if (!word(r, "graph")) r->good = false;
    number(r); /* scale: 1 */
    double width = number(r);
    r->height = number(r);
    rest_of_line(r);
    text_str(out, "[0");
    put(out, width);
    put(out, r->height);
    items(r, out, "node", node);
    items(r, out, "edge", edge);
    text_str(out, "]");
    if (!word(r, "stop")) r->good = false;
    rest_of_line(r);
}

cr_status page_layout(struct cr_text *out, const struct page *p, const char *plain) {
    struct reader r = {plain, 0, true};
    text_char(out, '[');
    for (uint32_t g = 0; g < p->groups && r.good; g++) {
        bool there = !g || p->kept[p->group[g].row];
        text_str(out, g ? ",\n" : "\n");
        if (!there) text_str(out, "null");
        else {
            text_char(out, '[');
            picture(&r, out);
            text_char(out, ',');
            picture(&r, out);
            text_char(out, ']');
        }
    }
    text_char(out, ']');
    return r.good && !*r.s ? text_status(out) : CR_EFORMAT;
}
