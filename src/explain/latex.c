/* The three steps as a LaTeX document. */
#include "base/text.h"
#include "explain/model.h"
#include "formula/print.h"

struct labels {
    const struct explanation *x;
    cr_node g;
};

static const char *label(void *user, cr_node node) {
    const struct labels *l = user;
    const struct row *r = explanation_row(l->x, node);
    return r && !r->constant ? r->label : NULL;
}

static void name(struct cr_text *out, const struct explanation *x, cr_node node) {
    struct labels own = {x, graph_error_node(x->g)};
    struct print_labels labels = {label, &own};
    print_latex(out, node, &labels, false);
}

static void quotient(struct cr_text *out, const struct explanation *x, cr_node y, cr_node a) {
    text_str(out, "\\frac{\\partial ");
    name(out, x, y);
    text_str(out, "}{\\partial ");
    name(out, x, a);
    text_char(out, '}');
}

static void value(struct cr_text *out, const struct explanation *x, cr_node node) {
    if (cr_rank(node) > 0) text_str(out, "\\text{");
    explanation_value(out, x, node);
    if (cr_rank(node) > 0) text_char(out, '}');
}

static void forward(struct cr_text *out, const struct explanation *x) {
    struct labels own = {x, graph_error_node(x->g)};
    struct print_labels labels = {label, &own};
    text_str(out, "\\section*{Forward pass}\n\\begin{align*}\n");
    for (uint32_t r = 0, first = 1; r < x->rows; r++) {
        const struct row *row = &x->row[r];
        if (row->constant || ops_part_count(graph_get(row->x)->op) > 1) continue;
        text_str(out, first ? "  " : " \\\\\n  ");
        first = 0;
        name(out, x, row->x);
        text_str(out, " &= ");
        if (!row->leaf) print_latex(out, row->x, &labels, true), text_str(out, " = ");
        value(out, x, row->x);
    }
    text_str(out, "\n\\end{align*}\n");
}

static void locals(struct cr_text *out, const struct explanation *x) {
    struct labels own = {x, graph_error_node(x->g)};
    struct print_labels labels = {label, &own};
    bool first = true;
    text_str(out, "\\section*{Local gradients}\n\\begin{align*}\n");
    for (uint32_t r = x->rows; r-- > 0;)
        for (uint32_t i = 0; i < x->row[r].edges; i++) {
            const struct edge *e = &x->edge[x->row[r].first + i];
            if (!e->part.id || !e->local) continue;
            text_str(out, first ? "  " : " \\\\\n  ");
            first = false;
            quotient(out, x, x->row[r].x, x->row[e->to].x);
            text_str(out, " &= ");
            print_latex(out, e->gradient, &labels, false);
            text_str(out, " = ");
            value(out, x, e->gradient);
        }
    text_str(out, first ? "  & \\text{none}\n\\end{align*}\n" : "\n\\end{align*}\n");
}

static void backward(struct cr_text *out, const struct explanation *x) {
    bool first = true;
    text_str(out, "\\section*{Backward pass}\n\\begin{align*}\n");
    for (uint32_t r = x->rows; r-- > 0;) {
        const struct row *row = &x->row[r];
        if (!row->cotangent.id) continue;
        text_str(out, first ? "  " : " \\\\\n  ");
        first = false;
        quotient(out, x, x->result, row->x);
        text_str(out, " &= ");
        int terms = 0;
        for (size_t i = x->edges; i-- > 0;) {
            const struct edge *e = &x->edge[i];
            if (e->to != r || !e->part.id || !e->local || x->row[e->from].x.id == x->result.id) continue;
            if (terms++) text_str(out, " + ");
            quotient(out, x, x->result, x->row[e->from].x);
            text_str(out, " ");
            quotient(out, x, x->row[e->from].x, row->x);
        }
        if (terms) text_str(out, " = ");
        value(out, x, row->cotangent);
    }
    text_str(out, "\n\\end{align*}\n");
}

void explain_latex(struct cr_text *out, const struct explanation *x) {
    text_str(out, "\\documentclass{article}\n\\usepackage{amsmath}\n\\begin{document}\n");
    forward(out, x);
    if (x->n) {
        locals(out, x);
        backward(out, x);
    }
    text_str(out, "\\end{document}\n");
}
