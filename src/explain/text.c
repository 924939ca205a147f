/* The four steps as text. */
#include <string.h>

#include "base/text.h"
#include "explain/model.h"
#include "tensor/dtype.h"

static void forward(struct cr_text *out, const struct explanation *x) {
    text_str(out, "1. Forward pass: the value of every node.\n");
    for (uint32_t r = 0; r < x->rows; r++) {
        const struct row *row = &x->row[r];
        if (row->constant || ops_part_count(graph_get(row->x)->op) > 1) continue;
        text_add(out, "   %s = ", row->label);
        if (!row->leaf) text_add(out, "%s = ", row->formula);
        explanation_value(out, x, row->x);
        if (row->leaf) text_add(out, "   (%s)", cr_op_of(row->x));
        text_char(out, '\n');
    }
}

static void same_unless_number(struct cr_text *out, const struct explanation *x, const struct edge *e) {
    struct cr_text value = text_make(&x->mem);
    explanation_value(&value, x, e->gradient);
    if (strcmp(cr_text_str(&value), e->formula) != 0) text_add(out, " = %s", cr_text_str(&value));
    if (value.failed) out->failed = true;
    text_drop(&value);
}

static void locals(struct cr_text *out, const struct explanation *x) {
    text_str(out, "\n2. Local gradients: how each node changes with each of its operands.\n");
    for (uint32_t r = x->rows; r-- > 0;)
        for (uint32_t i = 0; i < x->row[r].edges; i++) {
            const struct edge *e = &x->edge[x->row[r].first + i];
            if (!e->part.id) continue; /* leads to nothing that is asked for */
            const char *y = x->row[r].label, *a = x->row[e->to].label;
            if (e->local) text_add(out, "   d%s/d%s = %s", y, a, e->formula);
            else text_add(out, "   d%s/d%s: a cotangent g of %s becomes %s", y, a, y, e->formula);
            if (e->local) same_unless_number(out, x, e);
            text_char(out, '\n');
        }
}

/* What the consumers of a row hand to it. */
static void products(struct cr_text *out, const struct explanation *x, uint32_t r) {
    const char *loss = explanation_label(x, x->result), *a = x->row[r].label;
    int terms = 0;
    struct cr_text numbers = text_make(&x->mem);
    for (size_t i = x->edges; i-- > 0;) {
        const struct edge *e = &x->edge[i];
        if (e->to != r || !e->part.id) continue;
        const char *y = x->row[e->from].label;
        text_str(out, terms ? " + " : " = ");
        text_str(&numbers, terms ? " + " : " = ");
        if (!e->local) {
            text_add(out, "(%s with g = d%s/d%s)", e->formula, loss, y);
            explanation_value(&numbers, x, e->part);
        } else if (x->row[e->from].x.id == x->result.id) {
            text_add(out, "d%s/d%s", loss, a);
            explanation_value(&numbers, x, e->gradient);
        } else {
            text_add(out, "d%s/d%s * d%s/d%s", loss, y, y, a);
            explanation_value(&numbers, x, x->row[e->from].cotangent);
            text_str(&numbers, " * ");
            explanation_value(&numbers, x, e->gradient);
        }
        terms++;
    }
    /* straight from the loss, the product is the local gradient itself */
    bool direct = terms == 1 && strstr(cr_text_str(&numbers), " * ") == NULL;
    if (!direct || !strchr(cr_text_str(&numbers), '=')) text_str(out, cr_text_str(&numbers));
    text_drop(&numbers);
}

static void backward(struct cr_text *out, const struct explanation *x) {
    const char *loss = explanation_label(x, x->result);
    text_add(out, "\n3. Backward pass: from %s back, by the chain rule.\n", loss);
    for (uint32_t r = x->rows; r-- > 0;) {
        const struct row *row = &x->row[r];
        if (!row->cotangent.id) continue;
        text_add(out, "   d%s/d%s", loss, row->label);
        if (row->x.id != x->result.id) {
            struct cr_text product = text_make(&x->mem), same = text_make(&x->mem);
            products(&product, x, r);
            text_add(&same, " = d%s/d%s", loss, row->label);
            if (strcmp(cr_text_str(&product), cr_text_str(&same)) != 0) text_str(out, cr_text_str(&product));
            text_drop(&product);
            text_drop(&same);
        }
        text_str(out, " = ");
        explanation_value(out, x, row->cotangent);
        text_char(out, '\n');
    }
}

static void update(struct cr_text *out, const struct explanation *x) {
    text_str(out, "\n4. One step of descent, at rate ");
    text_rounded(out, x->rate, 6);
    text_str(out, ".\n");
    for (int i = 0; i < x->n; i++) {
        const struct row *row = explanation_row(x, x->wrt[i]);
        text_add(out, "   %s: ", row->label);
        explanation_value(out, x, row->x);
        if (cr_count(row->x) == 1 && row->cotangent.id && eval_data(x->e, row->x)) {
            double v = dtype_get(cr_dtype_of(row->x), eval_data(x->e, row->x), 0),
                   d = dtype_get(cr_dtype_of(row->x), eval_data(x->e, row->cotangent), 0);
            text_str(out, " -> ");
            text_rounded(out, v - x->rate * d, 6);
        } else if (!row->cotangent.id) {
            text_str(out, "   (nothing depends on it)");
        } else {
            text_add(out, " - rate * d%s/d%s", explanation_label(x, x->result), row->label);
        }
        text_char(out, '\n');
    }
}

void explain_text(struct cr_text *out, const struct explanation *x) {
    forward(out, x);
    if (!x->n) return;
    locals(out, x);
    backward(out, x);
    update(out, x);
}
