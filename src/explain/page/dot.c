/* The pictures for Graphviz: boxes of fixed sizes, without words. The page writes the words, in a type whose widths
 * are known, so that what comes out does not depend on the fonts of this machine. */
#include <string.h>

#include "explain/page/page.h"

/* A fixed-width character is 0.6 em wide, or a little more (DejaVu Sans Mono: 0.602). In units of 0.1 point. */
enum {
    name_char = 73,    /* at 12 point, bold */
    value_char = 67,   /* at 11 point */
    small_char = 61,   /* at 10 point: local gradients */
    number_chars = 12, /* -1.23457e-05 */
    most_chars = 34,   /* of a line; more is cut, and "…" says so */
    most_small = 26,
    large_picture = 60, /* boxes */
    many_uses = 6,
};

/* Characters of UTF-8, at most `most`. */
static int chars(const char *s, int most) {
    int n = 0;
    for (; s && *s && n < most; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static int larger(int a, int b) { return a > b ? a : b; }
static int smaller(int a, int b) { return a < b ? a : b; }
static int points(int n, int width) { return (n * width + 9) / 10; }

struct size page_row_size(const struct page *p, uint32_t r) {
    const struct row *row = &p->x->row[r];
    int first = chars(row->label, most_chars), value = number_chars + 2;
    if (!row->leaf) first = smaller(most_chars, first + 3 + chars(row->formula, most_chars));
    if (cr_count(row->x) > 1) value = 26; /* a short list, or dtype and shape */
    int third = chars(explanation_row(p->x, p->x->result)->label, most_chars) + chars(row->label, most_chars);
    third = row->cotangent.id ? smaller(most_chars + 6, third + 6 + number_chars) : 0;
    int width = larger(points(first, name_char), points(larger(value, third), value_char));
    return (struct size){width + 20, row->cotangent.id ? 72 : 56};
}

bool page_edge_labelled(const struct page *p, const struct edge *e) {
    return e->formula && e->part.id && p->kept[e->from];
}

struct size page_edge_size(const struct page *p, const struct edge *e) {
    (void)p;
    int n = chars(e->formula, most_small) + (e->local ? 0 : 4); /* "g → " */
    n = smaller(most_small, larger(n, e->local ? number_chars + 2 : 0));
    return (struct size){points(n, small_char) + 8, e->local ? 32 : 26};
}

static void box(struct cr_text *out, char kind, uint32_t id, struct size s) {
    text_add(out, "%c%u [width=%d.%03d, height=%d.%03d];\n", kind, (unsigned)id, s.width / 72,
             s.width % 72 * 1000 / 72, s.height / 72, s.height % 72 * 1000 / 72);
}

/* What is used all over a large picture stands beside each use as a small box with its name: lines across all of it
 * would be no help to a reader, and hard work for Graphviz. */
static bool stands_beside(const struct page *p, const struct line *l, uint32_t row) {
    const struct group *g = &p->group[l->group];
    return l->tail == 'p' || (g->items - g->left_out > large_picture && p->uses[row] > many_uses);
}

static void small_box(struct cr_text *out, const struct page *p, char kind, uint32_t id, uint32_t row) {
    int width = points(chars(p->x->row[row].label, most_chars), small_char) + 14;
    box(out, kind, id, (struct size){width, 20});
}

/* A line through the box of the local gradient, from the middle of one side to that of the other: words stand above and below it.
 * Or straight on. */
static void line(struct cr_text *out, const struct page *p, struct line l, uint32_t edge, bool down) {
    const struct edge *e = &p->x->edge[edge];
    if (stands_beside(p, &l, e->to)) {
        if (l.tail != 'p') l.tail = 'q', l.tail_id = edge;
        small_box(out, p, l.tail, l.tail_id, e->to);
    }
    if (l.head == 'r' && page_edge_labelled(p, e)) {
        box(out, 'e', edge, page_edge_size(p, e));
        text_add(out, "%c%u -> e%u:%c [dir=none];\n", l.tail, (unsigned)l.tail_id, (unsigned)edge,
                 down ? 'n' : 'w');
        text_add(out, "e%u:%c -> %c%u;\n", (unsigned)edge, down ? 's' : 'e', l.head, (unsigned)l.head_id);
        return;
    }
    text_add(out, "%c%u -> %c%u [minlen=%d];\n", l.tail, (unsigned)l.tail_id, l.head, (unsigned)l.head_id,
             l.head == 'r' && l.tail != 'q' ? 2 : 1);
}

/* Lines into boxes are drawn once (strict). What comes from outside is a small box with its name. */
static void lines(struct cr_text *out, const struct page *p, uint32_t group, bool down) {
    struct line l, inner[16];
    for (uint32_t k = 0; k < p->kept_edges; k++) {
        uint32_t i = p->edge[k];
        const struct edge *e = &p->x->edge[i];
        if (!page_line(p, e, &l)) continue;
        if (l.group == group) line(out, p, l, i, down);
        for (int j = 0, n = page_inner_lines(p, e, inner, 16); j < n; j++)
            if (inner[j].group == group) line(out, p, inner[j], i, down);
    }
}

static void picture(struct cr_text *out, const struct page *p, uint32_t group, const char *direction) {
    text_add(out,
             "strict digraph \"%u%s\" {\nrankdir=%s; nodesep=0.22; ranksep=0.2;\n"
             "node [shape=box, fixedsize=true, label=\"\"];\nedge [arrowsize=0.7];\n",
             (unsigned)group, direction, direction);
    for (uint32_t k = 0; k < p->kept_rows; k++) {
        uint32_t r = p->row[k];
        if (p->group_of[r] == group) box(out, 'r', r, page_row_size(p, r));
        if (p->box[r] && p->group[p->group_of[r]].parent == group)
            box(out, 'b', p->group_of[r], page_row_size(p, r));
    }
    lines(out, p, group, *direction == 'T');
    text_str(out, "}\n");
}

static bool is_on_page(const struct page *p, uint32_t group) {
    return !group || p->kept[p->group[group].row];
}

void page_dot(struct cr_text *out, const struct page *p) {
    for (uint32_t g = 0; g < p->groups; g++) {
        if (!is_on_page(p, g)) continue;
        picture(out, p, g, "LR");
        picture(out, p, g, "TB");
    }
}
