/* The four steps as a LaTeX document, with packages that every installation has. */
#include <string.h>

#include "explain/model.h"

/* ---- Words ---- */

struct words {
    struct explanation *x;
    cr_node g;
};

static const char *g_label(void *user, cr_node node) {
    struct words *own = user;
    return cr_same(node, own->g) ? "g" : explanation_label(own->x, node);
}

/* The printers only read labels; g (an error node: none) is what a rule is written in. */
static void formula(struct cr_text *out, const struct explanation *x, cr_node node, cr_node g, bool expand) {
    struct words own = {(struct explanation *)(uintptr_t)x, g};
    struct print_labels labels = {g_label, &own};
    print_latex(out, node, &labels, expand);
}

static void name(struct cr_text *out, const struct explanation *x, cr_node node) {
    formula(out, x, node, graph_error_node(x->g), false);
}

/* The rule of an edge, in g. */
static void rule(struct cr_text *out, const struct explanation *x, const struct edge *e) {
    if (!e->whole) {
        formula(out, x, e->rule, e->g, false);
        return;
    }
    text_str(out, "\\operatorname{vjp}\\left(");
    name(out, x, x->row[e->from].x);
    text_str(out, ", ");
    name(out, x, x->row[e->to].x);
    text_str(out, ", g\\right)");
}

static void quotient(struct cr_text *out, const struct explanation *x, const char *d, cr_node y, cr_node a) {
    text_add(out, "\\frac{%s ", d);
    name(out, x, y);
    text_add(out, "}{%s ", d);
    name(out, x, a);
    text_char(out, '}');
}

/* A local gradient; and the derivative of the result along all paths. */
static void partial(struct cr_text *out, const struct explanation *x, const struct edge *e) {
    quotient(out, x, "\\partial", x->row[e->from].x, x->row[e->to].x);
}
static void total(struct cr_text *out, const struct explanation *x, cr_node a) {
    quotient(out, x, "d", x->result, a);
}

/* 1e-05 is 1 \cdot 10^{-5}; inf is \infty. */
static void number(struct cr_text *out, const char *s, size_t n) {
    const char *e = memchr(s, 'e', n), *minus = n && *s == '-' ? "-" : "";
    if (n >= 3 && memcmp(s + n - 3, "inf", 3) == 0) text_add(out, "%s\\infty", minus);
    else if (n >= 3 && memcmp(s + n - 3, "nan", 3) == 0) text_str(out, "\\mathrm{nan}");
    else if (!e) text_bytes(out, s, n);
    else {
        const char *digits = e + 2;
        while (*digits == '0') digits++;
        text_bytes(out, s, (size_t)(e - s));
        text_add(out, " \\cdot 10^{%s", e[1] == '-' ? "-" : "");
        text_bytes(out, digits, n - (size_t)(digits - s));
        text_char(out, '}');
    }
}

static void value(struct cr_text *out, const struct explanation *x, cr_node node) {
    struct cr_text t = text_make(&x->mem);
    explanation_value(&t, x, node);
    const char *s = cr_text_str(&t);
    bool summary = !explanation_is_short(x, node), words = cr_dtype_of(node) == CR_BOOL;
    if (summary || words) text_add(out, "\\text{%s}", s);
    for (size_t n; !summary && !words && *s; s += n) {
        n = strcspn(s, "[], ");
        if (n) number(out, s, n);
        else text_char(out, *s), n = 1;
    }
    out->failed = out->failed || t.failed;
    text_end(&t, out);
}

/* The lines of a section: the one at hand begins at `from`. */
struct lines {
    bool first;
    size_t from;
};

static struct lines open_section(struct cr_text *out, const char *title, const char *sentence) {
    text_add(out, "\\section*{%s}\n%s\n\\begin{align*}", title, sentence);
    return (struct lines){true, out->n};
}

/* What was written since the last line began is broken where it is too long. */
static void end_line(struct cr_text *out, struct lines *l) {
    struct cr_text line = text_make(&out->mem);
    if (out->failed) return;
    text_str(&line, cr_text_str(out) + l->from);
    out->n = l->from;
    if (out->s) out->s[out->n] = 0;
    latex_break_line(out, cr_text_str(&line));
    out->failed = out->failed || line.failed;
    text_drop(&line);
}

static void close_section(struct cr_text *out, struct lines *l) {
    end_line(out, l);
    text_str(out, "\n\\end{align*}\n");
}

static void next_line(struct cr_text *out, struct lines *l) {
    end_line(out, l);
    text_str(out, l->first ? "\n  " : " \\\\\n  ");
    *l = (struct lines){false, out->n};
}

/* ---- Steps ---- */

static void forward_line(struct cr_text *out, const struct explanation *x, const struct row *row,
                         struct lines *l) {
    if (row->leaf && !x->e) return;
    next_line(out, l);
    name(out, x, row->x);
    if (!row->leaf) text_str(out, " &= "), formula(out, x, row->x, graph_error_node(x->g), true);
    if (!explanation_has_value(x, row)) return;
    text_str(out, row->leaf ? " &= " : " = ");
    value(out, x, row->x);
}

static void forward(struct cr_text *out, const struct explanation *x) {
    struct lines l =
        open_section(out, "Forward pass", "The value of every node, from what is given to the result.");
    for (int leaves = 1; leaves >= 0; leaves--)
        for (uint32_t r = 0; r < x->rows; r++)
            if (explanation_shown(x, r) && x->row[r].leaf == leaves) forward_line(out, x, &x->row[r], &l);
    close_section(out, &l);
}

static void local_line(struct cr_text *out, const struct explanation *x, const struct edge *e) {
    partial(out, x, e);
    if (!e->local) {
        text_str(out, " &\\colon g \\mapsto ");
        rule(out, x, e);
        return;
    }
    struct cr_text said = text_make(&x->mem), worth = text_make(&x->mem);
    struct print_labels labels = {explanation_local_label, (struct explanation *)(uintptr_t)x};
    print_latex(&said, e->said, &labels, false);
    value(&worth, x, e->gradient);
    text_add(out, " &= %s", cr_text_str(&said));
    if (strcmp(cr_text_str(&said), cr_text_str(&worth)) != 0) text_add(out, " = %s", cr_text_str(&worth));
    out->failed = out->failed || said.failed || worth.failed;
    text_end(&said, out);
    text_end(&worth, out);
}

static void locals(struct cr_text *out, const struct explanation *x) {
    struct lines l = open_section(out, "Local gradients", "How each node changes with each of its operands.");
    for (uint32_t r = x->rows; r-- > 0;)
        for (uint32_t i = 0; i < x->row[r].edges && explanation_shown(x, r); i++) {
            const struct edge *e = &x->edge[x->row[r].first + i];
            if (e->part.id) next_line(out, &l), local_line(out, x, e);
        }
    if (l.first) text_str(out, "\n  & \\text{none}");
    close_section(out, &l);
}

/* What one consumer hands on, and the same in numbers. */
static void term(struct cr_text *out, struct cr_text *numbers, const struct explanation *x,
                 const struct edge *e) {
    cr_node y = x->row[e->from].x;
    if (!e->local) {
        text_str(out, "\\left.");
        rule(out, x, e);
        text_str(out, "\\right|_{g = ");
        total(out, x, y);
        text_char(out, '}');
        value(numbers, x, e->part);
        return;
    }
    if (!explanation_direct(x, e)) {
        total(out, x, y);
        text_char(out, ' ');
        value(numbers, x, x->row[e->from].cotangent);
        text_str(numbers, " \\cdot ");
    }
    partial(out, x, e);
    value(numbers, x, e->gradient);
}

static void backward_line(struct cr_text *out, const struct explanation *x, uint32_t r) {
    struct cr_text numbers = text_make(&x->mem);
    uint32_t first = x->into_first[r], end = x->into_first[r + 1], terms = end - first;
    bool alone = terms == 1 && explanation_direct(x, &x->edge[x->into[first]]), brief = true;
    total(out, x, x->row[r].x);
    text_str(out, " &= ");
    for (uint32_t i = end; i-- > first;) {
        const struct edge *e = &x->edge[x->into[i]];
        if (i + 1 < end) text_str(out, " + "), text_str(&numbers, " + ");
        term(out, &numbers, x, e);
        brief = brief && explanation_is_short(x, e->part) &&
                explanation_is_short(x, x->row[e->from].cotangent) && (terms > 1 || e->local);
    }
    if (terms) text_str(out, " = ");
    if (terms && !alone && brief) text_add(out, "%s = ", cr_text_str(&numbers));
    value(out, x, x->row[r].cotangent);
    out->failed = out->failed || numbers.failed;
    text_end(&numbers, out);
}

static void backward(struct cr_text *out, const struct explanation *x) {
    struct lines l = open_section(
        out, "Backward pass",
        "From the result back, by the chain rule. What several uses of a node hand back is added.");
    for (uint32_t r = x->rows; r-- > 0;)
        if (x->row[r].cotangent.id && explanation_shown(x, r)) next_line(out, &l), backward_line(out, x, r);
    if (l.first) text_str(out, "\n  & \\text{nothing}");
    close_section(out, &l);
}

static void update(struct cr_text *out, const struct explanation *x) {
    struct lines l = open_section(out, "One step of descent", "Against the gradient.");
    for (int i = 0; i < x->n; i++) {
        const struct row *row = explanation_row(x, x->wrt[i]);
        next_line(out, &l);
        name(out, x, row->x);
        text_str(out, " &\\leftarrow ");
        name(out, x, row->x);
        if (!row->cotangent.id) continue;
        text_str(out, " - ");
        text_rounded(out, x->rate, 6);
        text_char(out, ' ');
        total(out, x, row->x);
        if (!explanation_is_short(x, row->x)) continue;
        text_str(out, " = ");
        explanation_after(out, x, row);
    }
    close_section(out, &l);
}

void explain_latex(struct cr_text *out, const struct explanation *x) {
    text_str(out,
             "\\documentclass{article}\n\\usepackage{amsmath}\n\\usepackage[a4paper,margin=2cm]{geometry}\n"
             "\\usepackage{graphicx}\n\\allowdisplaybreaks\n\\begin{document}\n");
    forward(out, x);
    if (x->n) {
        locals(out, x);
        backward(out, x);
        update(out, x);
    }
    text_str(out, "\\end{document}\n");
}
