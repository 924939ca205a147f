/* The explanation as JSON: docs/explain.schema.json says what it holds. */
#include "base/text.h"
#include "explain/model.h"

static void string(struct cr_text *out, const char *s) {
    text_char(out, '"');
    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') text_add(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f) text_add(out, "\\u%04x", c);
        else text_char(out, (char)c);
    }
    text_char(out, '"');
}

static void local(struct cr_text *out, const struct explanation *x, const struct edge *e, bool first) {
    text_add(out, "%s{\"operand\": %u, \"formula\": ", first ? "" : ", ", (unsigned)(e->to + 1));
    string(out, e->formula);
    text_str(out, ", \"value\": ");
    explanation_json_value(out, x, e->local ? e->gradient : graph_error_node(x->g));
    text_char(out, '}');
}

static void node(struct cr_text *out, const struct explanation *x, uint32_t r) {
    const struct row *row = &x->row[r];
    text_add(out, "%s\n  {\"id\": %u, \"name\": ", r ? "," : "", (unsigned)(r + 1));
    string(out, row->label);
    text_add(out, ", \"op\": \"%s\", \"formula\": ", cr_op_of(row->x));
    string(out, row->formula);
    text_str(out, ", \"operands\": [");
    for (int k = 0; k < cr_operand_count(row->x); k++)
        text_add(out, k ? ", %u" : "%u", (unsigned)x->of[cr_operand(row->x, k).id]);
    text_str(out, "], \"value\": ");
    explanation_json_value(out, x,
                           ops_part_count(graph_get(row->x)->op) > 1 ? graph_error_node(x->g) : row->x);
    text_str(out, ", \"local\": [");
    for (uint32_t i = 0; i < row->edges; i++) local(out, x, &x->edge[row->first + i], i == 0);
    text_str(out, "], \"cotangent\": ");
    explanation_json_value(out, x, row->cotangent);
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
        else text_str(out, "0");
    }
    text_str(out, "}}\n");
}
