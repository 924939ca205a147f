/* All that the page knows, as JSON: rows, edges, values and the program that computes them. In formulas a row is
 * written as its number between the characters 1 and 2, and the cotangent of a rule as g between them, so that
 * the page can put names there, or numbers. */
#include <stdio.h>
#include <string.h>

#include "explain/page/page.h"
#include "tensor/dtype.h"

void page_string(struct cr_text *out, const char *s) { text_json(out, s, "<>&"); }

/* ---- Formulas ---- */

struct marks {
    struct explanation *x;
    const struct edge *rule; /* whose g is written, or NULL */
    bool local;
    char text[24];
};

static const char *mark(void *user, cr_node node) {
    struct marks *m = user;
    if (m->rule && cr_same(node, m->rule->g)) return "\1g\2";
    while (m->local && strcmp(cr_op_of(node), "expand") == 0 && !explanation_row(m->x, node))
        node = cr_operand(node, 0);
    const char *label = explanation_label(m->x, node);
    const struct row *row = explanation_row(m->x, node);
    if (!label || !row || row->constant) return label;
    snprintf(m->text, sizeof m->text, "\1%u\2", (unsigned)(row - m->x->row));
    return m->text;
}

static void marked(struct cr_text *out, const struct page *p, cr_node node, const struct edge *e, bool root) {
    struct marks m = {.x = p->x, .rule = e && !e->local ? e : NULL, .local = e && e->local};
    struct print_labels labels = {mark, &m};
    struct cr_text t = text_make(&p->x->mem);
    print_formula(&t, node, &labels, root);
    page_string(out, cr_text_str(&t));
    out->failed = out->failed || t.failed;
    text_drop(&t);
}

static void marked_vjp(struct cr_text *out, const struct page *p, const struct edge *e) {
    struct cr_text t = text_make(&p->x->mem);
    text_add(&t, "vjp(\1%u\2, \1%u\2, \1g\2)", (unsigned)e->from, (unsigned)e->to);
    page_string(out, cr_text_str(&t));
    out->failed = out->failed || t.failed;
    text_drop(&t);
}

static bool is_number(const char *s) { return strspn(s, "0123456789.+-einfa") == strlen(s); }

/* ---- Rows and edges ---- */

static const char *kind(const struct page *p, const struct row *row) {
    const char *op = cr_op_of(row->x);
    if (row->x.id == p->x->result.id) return "loss";
    if (row->asked) return "parameter";
    if (strcmp(op, "input") == 0 || strcmp(op, "param") == 0) return "input";
    return row->leaf ? "constant" : "op";
}

static void reference(struct cr_text *out, const char *key, const struct steps *s, cr_node x) {
    if (x.id && s->of[x.id]) text_add(out, ",\"%s\":%u", key, (unsigned)s->of[x.id] - 1);
}

static void position(struct cr_text *out, cr_node x) {
    const char *file;
    int at, column;
    cr_position(x, &file, &at, &column);
    if (at <= 0) return;
    struct cr_text t = text_make(&x.graph->mem);
    text_add(&t, "%s%s%d:%d", file ? file : "", file ? ":" : "", at, column);
    text_str(out, ",\"at\":");
    page_string(out, cr_text_str(&t));
    out->failed = out->failed || t.failed;
    text_drop(&t);
}

/* Of a result of several the op that makes them, of max(x, keep=true) the max: what has no row of its own. */
static const char *op_of(const struct page *p, cr_node x) {
    uint16_t op = graph_get(x)->op;
    bool behind = (op == OP_part || op == OP_reshape) && !explanation_row(p->x, cr_operand(x, 0));
    return cr_op_of(behind ? cr_operand(x, 0) : x);
}

static void write_row(struct cr_text *out, const struct steps *s, uint32_t r) {
    const struct page *p = s->p;
    const struct row *row = &p->x->row[r];
    text_add(out, "{\"id\":%u,\"name\":", (unsigned)r);
    page_string(out, row->label);
    text_add(out, ",\"op\":\"%s\",\"kind\":\"%s\",\"group\":%u,\"say\":", op_of(p, row->x), kind(p, row),
             (unsigned)p->group_of[r]);
    if (row->leaf) page_string(out, "");
    else marked(out, p, row->x, NULL, true);
    reference(out, "value", s, row->x);
    reference(out, "slope", s, row->cotangent);
    position(out, row->x);
    text_char(out, '}');
}

static void write_edge(struct cr_text *out, const struct steps *s, uint32_t i) {
    const struct edge *e = &s->p->x->edge[i];
    text_add(out, "{\"id\":%u,\"from\":%u,\"to\":%u", (unsigned)i, (unsigned)e->from, (unsigned)e->to);
    if (e->formula && e->part.id) {
        text_add(out, ",\"local\":%s,\"say\":", e->local ? "true" : "false");
        if (e->local && is_number(e->formula)) page_string(out, e->formula);
        else if (e->whole) marked_vjp(out, s->p, e);
        else marked(out, s->p, e->local ? e->said : e->rule, e, false);
        reference(out, "gradient", s, e->gradient);
        reference(out, "part", s, e->part);
    }
    text_char(out, '}');
}

static void write_groups(struct cr_text *out, const struct page *p) {
    text_str(out, ",\n\"groups\":[");
    for (uint32_t g = 0; g < p->groups; g++) {
        const struct group *own = &p->group[g];
        text_str(out, g ? "," : "");
        if (g && !p->kept[own->row]) text_char(out, '0');
        else
            text_add(out, "{\"row\":%u,\"parent\":%u,\"items\":%u,\"leftOut\":%u}", (unsigned)own->row,
                     (unsigned)own->parent, (unsigned)own->items, (unsigned)own->left_out);
    }
    text_char(out, ']');
}

static void write_rows(struct cr_text *out, const struct steps *s) {
    const struct page *p = s->p;
    bool first = true;
    text_str(out, ",\n\"rows\":[");
    for (uint32_t r = 0; r < p->x->rows; r++) {
        if (!p->kept[r]) continue;
        text_str(out, first ? "\n" : ",\n");
        write_row(out, s, r), first = false;
    }
    text_str(out, "],\n\"edges\":[");
    first = true;
    for (uint32_t i = 0; i < p->x->edges; i++) {
        const struct edge *e = &p->x->edge[i];
        if (!p->kept[e->from] || !p->kept[e->to]) continue;
        text_str(out, first ? "\n" : ",\n");
        write_edge(out, s, i), first = false;
    }
    text_char(out, ']');
}

static void write_whole(struct cr_text *out, const struct steps *s) {
    const struct explanation *x = s->p->x;
    uint32_t shown = 0;
    for (uint32_t r = 0; r < x->rows; r++) shown += !x->row[r].constant;
    text_add(out, ",\n\"result\":%u,\"nodes\":%u,\"elements\":%lld,\"live\":%s,\"why\":",
             (unsigned)(explanation_row(x, x->result) - x->row), (unsigned)shown, (long long)s->elements,
             s->live ? "true" : "false");
    page_string(out, s->why ? s->why : "");
    text_str(out, ",\"wrt\":[");
    for (int i = 0; i < x->n; i++)
        text_add(out, i ? ",%u" : "%u", (unsigned)(explanation_row(x, x->wrt[i]) - x->row));
    text_str(out, "],\"rate\":");
    text_number(out, x->rate);
}

void page_data(struct cr_text *out, const struct page *p, const char *title, const char *layout) {
    struct steps s;
    if (page_steps_open(&s, p)) out->failed = true;
    else {
        text_str(out, "{\"title\":");
        page_string(out, title);
        write_whole(out, &s);
        write_groups(out, p);
        write_rows(out, &s);
        text_str(out, ",\n\"program\":");
        page_steps_write(out, &s);
        text_add(out, ",\n\"layout\":%s}", layout);
    }
    page_steps_close(&s);
}
