/* The explanation as JSON: docs/explain.schema.json says what it holds. */
#include "explain/model.h"

static void string(struct cr_text *out, const char *s) { text_json(out, s ? s : "", ""); }

static void local(struct cr_text *out, const struct explanation *x, const struct edge *e, bool first) {
    text_add(out, "%s{\"operand\": %u, \"formula\": ", first ? "" : ", ", (unsigned)(e->to + 1));
    string(out, e->formula);
    text_str(out, ", \"value\": ");
    explanation_json_value(out, x, e->gradient);
    text_char(out, '}');
}

static void edges(struct cr_text *out, const struct explanation *x, const struct row *row) {
    text_str(out, ", \"operands\": [");
    for (uint32_t i = 0; i < row->edges; i++)
        text_add(out, i ? ", %u" : "%u", (unsigned)(x->edge[row->first + i].to + 1));
    text_str(out, "], \"value\": ");
    if (explanation_has_value(x, row)) explanation_json_value(out, x, row->x);
    else text_str(out, "null");
    text_str(out, ", \"local\": [");
    bool first = true;
    for (uint32_t i = 0; i < row->edges; i++) {
        const struct edge *e = &x->edge[row->first + i];
        if (e->formula) local(out, x, e, first), first = false;
    }
    text_char(out, ']');
}

static void node(struct cr_text *out, const struct explanation *x, uint32_t r) {
    const struct row *row = &x->row[r];
    text_add(out, "%s\n  {\"id\": %u, \"name\": ", r ? "," : "", (unsigned)(r + 1));
    string(out, row->label);
    text_add(out, ", \"op\": \"%s\", \"formula\": ", cr_op_of(row->x));
    string(out, row->formula);
    edges(out, x, row);
    text_str(out, ", \"cotangent\": ");
    explanation_json_value(out, x, row->cotangent);
    int64_t units, dead = explanation_dead(x, row, &units);
    if (units) text_add(out, ", \"dead_units\": %lld", (long long)dead);
    text_char(out, '}');
}

void explain_json(struct cr_text *out, const struct explanation *x) {
    text_str(out, "{\"nodes\": [");
    for (uint32_t r = 0; r < x->rows; r++) node(out, x, r);
    text_str(out, "\n], \"value\": ");
    explanation_json_value(out, x, x->result);
    text_str(out, ", \"gradients\": {");
    for (int i = 0; i < x->n; i++) {
        const struct row *row = explanation_row(x, x->wrt[i]);
        if (i) text_str(out, ", ");
        string(out, row->label);
        text_str(out, ": ");
        if (row->cotangent.id) explanation_json_value(out, x, row->cotangent);
        else explanation_json_zeros(out, x, row->x);
    }
    text_str(out, "}}\n");
}
