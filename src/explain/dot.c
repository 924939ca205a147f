/* The graph for Graphviz: shapes tell what a node is, also without colour; values on nodes, local gradients
 * on edges, cotangents below. */
#include <string.h>

#include "base/text.h"
#include "explain/model.h"

static void escaped(struct cr_text *out, const char *s) {
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') text_char(out, '\\');
        text_char(out, *s);
    }
}

static const char *look(const struct explanation *x, const struct row *row) {
    if (row->x.id == x->result.id) return "shape=doubleoctagon, style=filled, fillcolor=\"#f7d6d0\"";
    if (strcmp(cr_op_of(row->x), "param") == 0)
        return "shape=box, style=\"filled,bold\", fillcolor=\"#d3e4f7\"";
    if (row->leaf) return "shape=box, style=filled, fillcolor=\"#e8e8e8\"";
    return "shape=ellipse, style=filled, fillcolor=\"#ffffff\"";
}

static void node(struct cr_text *out, const struct explanation *x, uint32_t r) {
    const struct row *row = &x->row[r];
    struct cr_text t = text_make(&x->mem);
    text_add(&t, "%s", row->label);
    if (!row->leaf) text_add(&t, " = %.60s%s", row->formula, strlen(row->formula) > 60 ? "..." : "");
    if (x->e && ops_part_count(graph_get(row->x)->op) == 1) {
        text_str(&t, row->leaf ? " = " : "\n= ");
        explanation_value(&t, x, row->x);
    }
    if (row->cotangent.id) {
        text_add(&t, "\nd%s/d%s = ", explanation_label(x, x->result), row->label);
        explanation_value(&t, x, row->cotangent);
    }
    text_add(out, "  n%u [%s, label=\"", (unsigned)r, look(x, row));
    for (const char *s = cr_text_str(&t); *s; s++) {
        char c[2] = {*s, 0};
        if (*s == '\n') text_str(out, "\\n");
        else escaped(out, c);
    }
    text_str(out, "\"];\n");
    text_drop(&t);
}

static void edges(struct cr_text *out, const struct explanation *x, uint32_t r) {
    const struct row *row = &x->row[r];
    for (int k = 0; k < cr_operand_count(row->x); k++) {
        uint32_t to = x->of[cr_operand(row->x, k).id] - 1;
        if (x->row[to].constant) continue;
        text_add(out, "  n%u -> n%u", (unsigned)to, (unsigned)r);
        for (uint32_t i = 0; i < row->edges; i++) {
            const struct edge *e = &x->edge[row->first + i];
            if (e->k != k || !e->part.id) continue;
            text_str(out, " [label=\" ");
            escaped(out, e->formula);
            if (e->local) {
                struct cr_text v = text_make(&x->mem);
                explanation_value(&v, x, e->gradient);
                if (strcmp(cr_text_str(&v), e->formula) != 0)
                    text_str(out, " = "), escaped(out, cr_text_str(&v));
                text_drop(&v);
            }
            text_str(out, " \"]");
        }
        text_str(out, ";\n");
    }
}

void explain_dot(struct cr_text *out, const struct explanation *x) {
    text_str(out, "digraph chainrule {\n  rankdir=LR; nodesep=0.35; ranksep=0.6;\n"
                  "  node [fontname=\"Helvetica\", fontsize=12]; edge [fontname=\"Helvetica\", fontsize=11, "
                  "fontcolor=\"#8a3b12\"];\n");
    for (uint32_t r = 0; r < x->rows; r++)
        if (!x->row[r].constant) node(out, x, r);
    for (uint32_t r = 0; r < x->rows; r++)
        if (!x->row[r].constant) edges(out, x, r);
    text_str(out, "}\n");
}
