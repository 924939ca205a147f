/* The graph for Graphviz: shapes tell what a node is, also without colour; values on nodes, local gradients
 * on edges, cotangents below. */
#include <string.h>

#include "explain/model.h"

enum { few_rows = 10 }; /* more are drawn downwards: a page is narrow */
enum { longest = 48 };  /* of a formula or value; more is cut, and "..." says so */

static const char red[] = "#a93226", brown[] = "#7e5109";

/* For an HTML-like label. Never cut inside a character of UTF-8. */
static void escaped(struct cr_text *out, const char *s) {
    size_t n = strlen(s), end = n > longest ? longest : n;
    while (end < n && ((unsigned char)s[end] & 0xc0) == 0x80) end--;
    text_markup_line(out, s, end);
    if (end < n) text_str(out, "...");
}

static void escaped_value(struct cr_text *out, const struct explanation *x, cr_node node, bool shape) {
    struct cr_text t = text_make(&x->mem);
    explanation_brief(&t, x, node, shape);
    escaped(out, cr_text_str(&t));
    out->failed = out->failed || t.failed;
    text_end(&t, out);
}

static const char *look(const struct explanation *x, const struct row *row) {
    const char *op = cr_op_of(row->x);
    if (row->x.id == x->result.id) return "shape=doubleoctagon, fillcolor=\"#f9ddd8\"";
    if (strcmp(op, "param") == 0) return "shape=box, style=\"filled,bold\", fillcolor=\"#d3e4f7\"";
    if (strcmp(op, "input") == 0) return "shape=box, fillcolor=\"#e8e8e8\"";
    if (row->leaf) return "shape=note, fillcolor=\"#fdf6d8\"";
    return "shape=ellipse, fillcolor=\"#ffffff\"";
}

/* ---- Nodes ---- */

/* A blank at the end of a piece of text is lost in SVG, &#160; is not. */
static void node(struct cr_text *out, const struct explanation *x, uint32_t r) {
    const struct row *row = &x->row[r];
    text_add(out, "  n%u [%s, label=<<B>", (unsigned)r, look(x, row));
    escaped(out, row->label);
    text_str(out, "</B>");
    if (!row->leaf) text_str(out, "&#160;= "), escaped(out, row->formula);
    if (explanation_has_value(x, row)) {
        text_str(out, row->leaf ? "&#160;= " : "<BR/>= ");
        escaped_value(out, x, row->x, true);
    }
    if (row->cotangent.id) {
        text_add(out, "<BR/><FONT COLOR=\"%s\">d", red);
        escaped(out, explanation_row(x, x->result)->label);
        text_str(out, "/d");
        escaped(out, row->label);
        text_str(out, cr_count(row->x) > 3 ? ":" : " = ");
        escaped_value(out, x, row->cotangent, false);
        text_str(out, "</FONT>");
    }
    text_str(out, ">];\n");
}

/* A scope's nodes stand in a box of their own, but those left out when the picture is folded. */
static void scope(struct cr_text *out, const struct explanation *x, uint32_t r) {
    text_add(out,
             "  subgraph cluster_%u { style=\"rounded,dashed\"; fontname=\"Helvetica\"; color=\"#909090\"; "
             "fontcolor=\"#606060\"; label=<",
             (unsigned)r);
    escaped(out, x->row[r].label);
    text_str(out, ">;\n");
    for (uint32_t i = 0; i < r; i++)
        if (x->row[i].scope == r + 1 && explanation_shown(x, i)) node(out, x, i);
    node(out, x, r);
    text_str(out, "  }\n");
}

/* ---- Edges ---- */

/* What stands for a row in the picture. */
static uint32_t stand_in(const struct explanation *x, uint32_t r) {
    return explanation_shown(x, r) ? r : x->row[r].scope - 1;
}

static void edge_label(struct cr_text *out, const struct explanation *x, const struct edge *e) {
    struct cr_text v = text_make(&x->mem);
    text_add(out, " [label=<<FONT COLOR=\"%s\">&#160;", brown);
    escaped(out, e->formula);
    bool number = e->local && cr_count(e->gradient) <= 3;
    if (number) explanation_value(&v, x, e->gradient);
    if (number && strcmp(cr_text_str(&v), e->formula) != 0)
        text_str(out, " = "), escaped(out, cr_text_str(&v));
    text_str(out, "&#160;</FONT>>]");
    out->failed = out->failed || v.failed;
    text_end(&v, out);
}

static void edge(struct cr_text *out, const struct explanation *x, const struct edge *e) {
    uint32_t from = x->row[e->to].constant ? e->from : stand_in(x, e->to), to = stand_in(x, e->from);
    if (from == to || x->row[e->to].constant) return;
    text_add(out, "  n%u -> n%u", (unsigned)from, (unsigned)to);
    if (e->part.id && to == e->from) edge_label(out, x, e);
    text_str(out, ";\n");
}

void explain_dot(struct cr_text *out, const struct explanation *x) {
    text_add(out,
             "%sdigraph chainrule {\n"
             "  rankdir=%s; nodesep=0.3; ranksep=0.4;\n"
             "  node [fontname=\"Helvetica\", fontsize=12, style=filled, margin=\"0.12,0.06\"];\n"
             "  edge [fontname=\"Helvetica\", fontsize=11, color=\"#404040\"];\n",
             x->folded ? "strict " : "",
             x->rows > few_rows ? "TB" : "LR"); /* strict: ways between the same two are drawn once */
    for (uint32_t r = 0; r < x->rows; r++) {
        if (x->row[r].is_scope) scope(out, x, r);
        else if (!x->row[r].scope && explanation_shown(x, r)) node(out, x, r);
    }
    for (size_t i = 0; i < x->edges; i++) edge(out, x, &x->edge[i]);
    text_str(out, "}\n");
}
