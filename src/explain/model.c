/* The explanation: which nodes, what they are called, what they are worth, and how each gradient came about.
 */
#include "explain/model.h"

#include <string.h>

#include "formula/print.h"
#include "tensor/dtype.h"

const struct row *explanation_row(const struct explanation *x, cr_node node) {
    return node.id && node.id < x->ids && x->of[node.id] ? &x->row[x->of[node.id] - 1] : NULL;
}

const char *explanation_label(const struct explanation *x, cr_node node) {
    const struct row *r = explanation_row(x, node);
    return r ? r->label : NULL;
}

/* ---- Nodes ---- */

/* A number written out, repeated or cast, is no step of the calculation. */
static bool is_constant(cr_node x) {
    while (strcmp(cr_op_of(x), "expand") == 0 || strcmp(cr_op_of(x), "cast") == 0 ||
           strcmp(cr_op_of(x), "reshape") == 0)
        x = cr_operand(x, 0);
    return strcmp(cr_op_of(x), "const") == 0;
}

static bool find_rows(struct explanation *x) {
    x->ids = x->result.id + 1;
    for (int i = 0; i < x->n; i++)
        if (x->wrt[i].id >= x->ids) x->ids = x->wrt[i].id + 1;
    x->of = mem_zero(&x->mem, mem_mul(x->ids, sizeof *x->of));
    if (!x->of) return false;
    x->of[x->result.id] = 1;
    for (int i = 0; i < x->n; i++) x->of[x->wrt[i].id] = 1;
    for (uint32_t id = x->ids; id-- > 1;) {
        const struct node *n = graph_at(x->g, id);
        for (uint32_t k = 0; x->of[id] && k < n->n; k++) x->of[graph_args(x->g, n)[k]] = 1;
    }
    for (uint32_t id = 1; id < x->ids; id++) x->rows += x->of[id];
    x->row = mem_zero(&x->mem, mem_mul(x->rows, sizeof *x->row));
    return x->row != NULL;
}

static char *copy_text(struct explanation *x, const struct cr_text *t) {
    char *s = t->failed ? NULL : mem_alloc(&x->mem, t->n + 1);
    if (s) memcpy(s, cr_text_str(t), t->n + 1);
    else x->status = CR_ENOMEM;
    return s;
}

static void free_text(struct explanation *x, char *s) {
    if (s) mem_free(&x->mem, s, strlen(s) + 1);
}

static const char *row_label(void *user, cr_node node) {
    const struct explanation *x = user;
    const struct row *r = explanation_row(x, node);
    return r && !r->constant ? r->label : NULL;
}

static char *formula_of(struct explanation *x, cr_node node, const struct print_labels *labels, bool root) {
    struct cr_text t = text_make(&x->mem);
    print_formula(&t, node, labels, root);
    char *s = copy_text(x, &t);
    text_drop(&t);
    return s;
}

static void name_rows(struct explanation *x) {
    struct print_labels labels = {row_label, x};
    uint32_t r = 0;
    int number = 0;
    for (uint32_t id = 1; id < x->ids && !x->status; id++) {
        struct cr_text t = text_make(&x->mem);
        cr_node node = graph_handle(x->g, id);
        if (!x->of[id]) continue;
        struct row *row = &x->row[r];
        *row = (struct row){.x = node,
                            .cotangent = graph_error_node(x->g),
                            .constant = is_constant(node) && id != x->result.id};
        row->leaf = cr_operand_count(node) == 0;
        x->of[id] = ++r;
        if (row->constant) print_formula(&t, node, NULL, true);
        else if (cr_name(node)) text_str(&t, cr_name(node));
        else text_add(&t, "n%d", ++number);
        row->label = copy_text(x, &t);
        text_drop(&t);
        if (!x->status) row->formula = formula_of(x, node, &labels, true);
    }
}

/* ---- Edges ---- */

/* A rule is written in the labels and g, its cotangent: a stand-in of the node's shape. */
struct rule_labels {
    struct explanation *x;
    cr_node g;
};

static const char *rule_label(void *user, cr_node node) {
    struct rule_labels *l = user;
    return cr_same(node, l->g) ? "g" : row_label(l->x, node);
}

static void write_rule(struct explanation *x, struct edge *e, cr_node y) {
    struct rule_labels own = {x, cr_variable(y)};
    struct print_labels labels = {rule_label, &own};
    struct rule_in in = {.y = y, .k = e->k, .g = own.g};
    cr_node vjp = strcmp(cr_op_of(y), "part") == 0 ? own.g : rule_vjp(&in);
    if (!cr_ok(vjp)) x->status = cr_graph_status(x->g) ? cr_graph_status(x->g) : CR_EINVAL;
    else e->formula = formula_of(x, vjp, &labels, false);
}

static void add_edge(struct explanation *x, const struct sweep *s, uint32_t r, int k) {
    struct print_labels labels = {row_label, x};
    cr_node y = x->row[r].x, a = cr_operand(y, k);
    struct edge e = {.from = r, .to = x->of[a.id] - 1, .k = k, .gradient = graph_error_node(x->g)};
    struct rule_in in = {.y = y, .k = k};
    int op = graph_get(y)->op;
    enum rule_kind kind = op == OP_part ? RULE_LINEAR : rule_kind(op, k);
    if (kind == RULE_NONE || kind == RULE_ZERO || !dtype_is_float(cr_dtype_of(y)) ||
        !dtype_is_float(cr_dtype_of(a)) || x->row[e.to].constant)
        return;
    e.local = kind == RULE_LOCAL || kind == RULE_PASS;
    e.part = sweep_contribution(s, y, k);
    if (kind == RULE_LOCAL) e.gradient = rule_local(&in);
    if (kind == RULE_PASS) e.gradient = cr_where(rule_local(&in), cr_number(x->g, 1), cr_number(x->g, 0));
    if (e.local) e.formula = formula_of(x, e.gradient, &labels, false);
    else write_rule(x, &e, y);
    if (x->status || !mem_grow(&x->mem, &x->edge, &x->edge_cap, x->edges, sizeof e)) {
        free_text(x, e.formula);
        x->status = x->status ? x->status : CR_ENOMEM;
        return;
    }
    x->edge[x->edges++] = e;
    x->row[r].edges++;
}

static void find_edges(struct explanation *x) {
    struct sweep s;
    cr_node one = ops_to_dtype(cr_number(x->g, 1), cr_dtype_of(x->result));
    struct shape shape = ops_shape(x->result);
    one = ops_expand(one, &shape);
    x->status = x->n ? sweep_backward(&s, 1, &x->result, &one, x->n, x->wrt) : CR_OK;
    if (!x->n) return;
    for (uint32_t r = 0; r < x->rows && !x->status; r++) {
        struct row *row = &x->row[r];
        row->first = (uint32_t)x->edges;
        row->cotangent = sweep_cotangent(&s, row->x);
        for (int k = 0; k < cr_operand_count(row->x) && !x->status; k++) add_edge(x, &s, r, k);
    }
    sweep_free(&s);
    if (!x->status) x->status = cr_graph_status(x->g);
}

/* ---- Values ---- */

static cr_status compute(struct explanation *x) {
    size_t n = 0, room = mem_mul(mem_add(mem_mul(x->rows, 2), mem_mul(x->edges, 2)), sizeof(cr_node));
    cr_node *all = mem_alloc(&x->mem, room);
    if (!all) return CR_ENOMEM;
    for (uint32_t r = 0; r < x->rows; r++) {
        if (ops_part_count(graph_get(x->row[r].x)->op) == 1) all[n++] = x->row[r].x;
        if (x->row[r].cotangent.id) all[n++] = x->row[r].cotangent;
    }
    for (size_t i = 0; i < x->edges; i++) {
        if (x->edge[i].gradient.id) all[n++] = x->edge[i].gradient;
        if (x->edge[i].part.id) all[n++] = x->edge[i].part;
    }
    cr_status status = eval_compute(x->e, n, all);
    mem_free(&x->mem, all, room);
    return status;
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
    if (n && !sweep_wrt_good("explain", n, wrt)) return x->status = cr_graph_status(g);
    if (!find_rows(x)) return x->status = CR_ENOMEM;
    name_rows(x);
    if (!x->status) find_edges(x);
    if (!x->status && x->e) x->status = compute(x);
    return x->status;
}

void explanation_free(struct explanation *x) {
    for (uint32_t r = 0; x->row && r < x->rows; r++)
        free_text(x, x->row[r].label), free_text(x, x->row[r].formula);
    for (size_t i = 0; i < x->edges; i++) free_text(x, x->edge[i].formula);
    mem_free(&x->mem, x->row, x->rows * sizeof *x->row);
    mem_free(&x->mem, x->of, x->ids * sizeof *x->of);
    mem_free(&x->mem, x->edge, x->edge_cap * sizeof *x->edge);
    cr_graph_cut(x->g, x->mark); /* what was built to explain goes */
}

/* ---- The public interface ---- */

cr_status cr_explain(cr_text *out, const char *format, cr_eval *e, cr_node result, int n, const cr_node wrt[],
                     double rate, bool full) {
    static const struct {
        const char *name;
        void (*write)(struct cr_text *, const struct explanation *);
    } formats[] = {
        {"text", explain_text}, {"json", explain_json}, {"dot", explain_dot}, {"latex", explain_latex}};
    struct explanation x;
    if (!out || !format || (n && !e) || n < 0 || (n && !wrt) || !graph_get(result)) return CR_EINVAL;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, format) != 0) continue;
        cr_status status = explanation_make(&x, e, result, n, wrt, rate, full);
        if (!status) formats[i].write(out, &x);
        explanation_free(&x);
        return status ? status : text_status(out);
    }
    return CR_EINVAL;
}
