/* The explanation: which nodes, what they are called, what they are worth, and how each gradient came about.
 */
#include "explain/model.h"

#include <string.h>

#include "tensor/dtype.h"

const struct row *explanation_row(const struct explanation *x, cr_node node) {
    return node.id && node.id < x->ids && x->of[node.id] ? &x->row[x->of[node.id] - 1] : NULL;
}

const char *explanation_label(void *user, cr_node node) {
    const struct row *r = explanation_row(user, node);
    if (r) return r->constant ? NULL : r->label;
    cr_node list = explanation_literal(node); /* cast([1, 2], f64) is shown as [1, 2] */
    r = cr_rank(list) > 0 ? explanation_row(user, list) : NULL;
    return r ? r->label : NULL;
}

bool explanation_has_value(const struct explanation *x, const struct row *row) {
    return x->e && !ops_has_parts(graph_get(row->x)->op);
}

bool explanation_shown(const struct explanation *x, uint32_t r) {
    const struct row *row = &x->row[r];
    if (row->constant) return false;
    return !x->folded || row->leaf || !row->scope || cr_name(row->x);
}

/* ---- Values ---- */

static size_t nodes_of_edges(const struct explanation *x, cr_node all[]) {
    size_t n = 0;
    for (size_t i = 0; i < x->edges; i++) {
        if (x->edge[i].gradient.id) all[n++] = x->edge[i].gradient;
        if (x->edge[i].part.id) all[n++] = x->edge[i].part;
    }
    return n;
}

static cr_status compute(struct explanation *x) {
    size_t n = 0, room = mem_mul(mem_mul(mem_add(x->rows, x->edges), 2), sizeof(cr_node));
    cr_node *all = mem_alloc(&x->mem, room);
    if (!all) return CR_ENOMEM;
    for (uint32_t r = 0; r < x->rows; r++) {
        if (explanation_has_value(x, &x->row[r])) all[n++] = x->row[r].x;
        if (x->row[r].cotangent.id) all[n++] = x->row[r].cotangent;
    }
    n += nodes_of_edges(x, all + n);
    cr_status status = eval_compute(x->e, n, all);
    mem_free(&x->mem, all, room);
    return status;
}

static void free_text(struct explanation *x, char *s) {
    if (s) mem_free(&x->mem, s, strlen(s) + 1);
}

/* A local gradient of constants alone, as 1/16, is the number it comes to. */
static void put_numbers(struct explanation *x) {
    for (size_t i = 0; i < x->edges; i++) {
        struct edge *e = &x->edge[i];
        if (!e->local || cr_operand_count(e->gradient) == 0 || cr_count(e->gradient) != 1) continue;
        bool constant = !explanation_literal(e->gradient).id;
        for (int k = 0; k < cr_operand_count(e->gradient); k++)
            constant = constant && explanation_literal(cr_operand(e->gradient, k)).id;
        if (!constant) continue;
        struct cr_text t = text_make(&x->mem);
        text_rounded(&t, dtype_get(cr_dtype_of(e->gradient), eval_data(x->e, e->gradient), 0), 6);
        char *s = t.failed ? NULL : mem_alloc(&x->mem, t.n + 1);
        if (s) {
            memcpy(s, cr_text_str(&t), t.n + 1);
            free_text(x, e->formula);
            e->formula = s;
        } else x->status = CR_ENOMEM;
        text_drop(&t);
    }
}

cr_status explanation_make(struct explanation *x, cr_eval *e, cr_node result, int n, const cr_node wrt[],
                           double rate, bool full) {
    cr_graph *g = result.graph;
    *x = (struct explanation){.mem = g->mem,
                              .g = g,
                              .e = e,
                              .result = result,
                              .n = n,
                              .wrt = wrt,
                              .rate = rate,
                              .full = full,
                              .mark = g->count};
    if (n && cr_count(result) != 1) {
        struct shape s = ops_shape(result);
        struct shape_text t;
        graph_fail(g, CR_ESHAPE, "explain", "what is explained is one number, found %s: take its sum or mean",
                   ops_show(&t, &s));
        return x->status = CR_ESHAPE;
    }
    if (n && !dtype_is_float(cr_dtype_of(result))) {
        graph_fail(g, CR_ENODERIV, "explain", "a result of dtype %s has no derivative",
                   cr_dtype_name(cr_dtype_of(result)));
        return x->status = CR_ENODERIV;
    }
    if (n && !sweep_wrt_good("explain", result, n, wrt)) return x->status = cr_graph_status(g);
    explanation_find_rows(x);
    if (!x->status && (e || !n)) explanation_find_edges(x);
    if (!x->status && x->e) x->status = compute(x);
    if (!x->status && x->e) put_numbers(x);
    return x->status;
}

void explanation_free(struct explanation *x) {
    for (uint32_t r = 0; x->row && r < x->rows; r++)
        free_text(x, x->row[r].label), free_text(x, x->row[r].formula);
    for (size_t i = 0; i < x->edges; i++) free_text(x, x->edge[i].formula);
    mem_free(&x->mem, x->row, x->rows * sizeof *x->row);
    mem_free(&x->mem, x->of, x->ids * sizeof *x->of);
    mem_free(&x->mem, x->edge, x->edge_cap * sizeof *x->edge);
    mem_free(&x->mem, x->into, (x->edges + 1) * sizeof *x->into);
    mem_free(&x->mem, x->into_first, (x->rows + 2) * sizeof *x->into_first);
    cr_graph_cut(x->g, x->mark); /* what was built to explain goes */
}

/* ---- The public interface ---- */

cr_status cr_explain(cr_text *out, const char *format, cr_eval *e, cr_node result, int n, const cr_node wrt[],
                     double rate, bool full) {
    static const struct {
        const char *name;
        void (*write)(struct cr_text *, const struct explanation *);
    } formats[] = {{"text", explain_text},
                   {"json", explain_json},
                   {"dot", explain_dot},
                   {"latex", explain_latex},
                   {"layout", explain_layout}};
    struct explanation x;
    if (!out || !format || (n && !e) || n < 0 || (n && !wrt) || !eval_fits(e, result)) return CR_EINVAL;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, format) != 0) continue;
        cr_status status = explanation_make(&x, e, result, n, wrt, rate, full);
        if (!status) formats[i].write(out, &x);
        explanation_free(&x);
        return status ? status : text_status(out);
    }
    graph_fail(result.graph, CR_EINVAL, "explain", "expected text, json, dot or latex, found '%s'", format);
    return CR_EINVAL;
}
