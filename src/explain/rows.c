/* The rows of an explanation: which nodes it shows, and what they are called. */
#include <string.h>

#include "explain/model.h"
#include "tensor/print.h"

enum { inline_numbers = 6 }; /* a constant of more is a node of its own, not a word of a formula */

/* A number written out, repeated or cast, is no step of the calculation. */
cr_node explanation_literal(cr_node x) {
    for (int i = 0; i < 4; i++) { /* a literal is reshaped, cast and repeated at most */
        const char *op = cr_op_of(x);
        if (strcmp(op, "expand") != 0 && strcmp(op, "cast") != 0 && strcmp(op, "reshape") != 0) break;
        x = cr_operand(x, 0);
    }
    bool is = strcmp(cr_op_of(x), "const") == 0 && cr_count(x) <= inline_numbers;
    return is ? x : graph_error_node(x.graph);
}

/* ---- Which nodes ---- */

enum { USED = 1, BY_RESHAPE = 2, BY_MATMUL = 4, BY_OTHERS = 8, ASKED_FOR = 16 };

static void mark_used(struct explanation *x) {
    uint32_t *use = x->of;
    use[x->result.id] = USED | ASKED_FOR;
    for (int i = 0; i < x->n; i++) use[x->wrt[i].id] |= USED | ASKED_FOR;
    for (uint32_t id = x->ids; id-- > 1;) {
        const struct node *n = graph_at(x->g, id);
        uint32_t by = n->op == OP_reshape ? BY_RESHAPE : n->op == OP_matmul ? BY_MATMUL : BY_OTHERS;
        for (uint32_t k = 0; use[id] && k < n->n; k++) use[graph_args(x->g, n)[k]] |= USED | by;
    }
}

/* Nodes that the formula of what uses them has no word for, or one of its own: broadcasts; the reduction in
 * sum(x, keep=true); the slice in x[1]; a vector made a row for @; the op whose results are parts. */
static bool goes_without_saying(const struct explanation *x, uint32_t id) {
    const struct node *n = graph_at(x->g, id);
    uint32_t by = x->of[id] & (BY_RESHAPE | BY_MATMUL | BY_OTHERS);
    if (x->of[id] & ASKED_FOR || cr_name(graph_handle(x->g, id))) return false;
    if (n->op == OP_expand || ops_has_parts(n->op)) return true;
    if (n->op == OP_reshape)
        return by == BY_MATMUL && graph_at(x->g, graph_args(x->g, n)[0])->op != OP_matmul;
    return by == BY_RESHAPE && (op_kind(n->op) == KIND_REDUCE || n->op == OP_slice || n->op == OP_matmul);
}

static bool keep_rows(struct explanation *x) {
    for (uint32_t id = 1; id < x->ids; id++) {
        cr_node lit =
            x->of[id] & ASKED_FOR ? graph_error_node(x->g) : explanation_literal(graph_handle(x->g, id));
        bool shown = x->of[id] && (lit.id ? lit.id == id : !goes_without_saying(x, id));
        x->of[id] = shown;
        x->rows += shown;
    }
    x->row = mem_zero(&x->mem, mem_mul(x->rows, sizeof *x->row));
    if (!x->row) return false;
    for (uint32_t id = 1, r = 0; id < x->ids; id++) {
        if (!x->of[id]) continue;
        cr_node node = graph_handle(x->g, id);
        x->row[r] = (struct row){.x = node, .cotangent = graph_error_node(x->g)};
        x->row[r].leaf = cr_operand_count(node) == 0;
        x->of[id] = ++r;
    }
    return true;
}

/* ---- What they are called ---- */

static char *copy_text(struct explanation *x, const struct cr_text *t) {
    char *s = t->failed ? NULL : mem_alloc(&x->mem, t->n + 1);
    if (s) memcpy(s, cr_text_str(t), t->n + 1);
    else x->status = CR_ENOMEM;
    return s;
}

char *explanation_formula(struct explanation *x, cr_node node, const struct print_labels *labels, bool root) {
    struct cr_text t = text_make(&x->mem);
    print_formula(&t, node, labels, root);
    char *s = copy_text(x, &t);
    text_drop(&t);
    return s;
}

/* n1, n2 ..., leaving out what is taken. */
static void number_row(struct explanation *x, struct row *row, int *number) {
    struct cr_text t = text_make(&x->mem);
    do {
        cr_text_clear(&t);
        text_add(&t, "n%d", ++*number);
    } while (cr_ok(cr_find(x->g, cr_text_str(&t))));
    row->label = copy_text(x, &t);
    text_drop(&t);
}

static void name_row(struct explanation *x, struct row *row, int *number) {
    struct cr_text t = text_make(&x->mem);
    row->constant = explanation_literal(row->x).id == row->x.id && row->x.id != x->result.id;
    if (row->constant)
        tensor_print(&t, cr_dtype_of(row->x), cr_rank(row->x), cr_dims(row->x),
                     graph_attr(x->g, graph_get(row->x)), PRINT_EXACT);
    else if (cr_name(row->x)) text_str(&t, cr_name(row->x));
    else number_row(x, row, number);
    if (!row->label) row->label = copy_text(x, &t);
    text_drop(&t);
}

/* ---- Scopes: h.W, h.b and what is made of them up to h ---- */

static uint32_t scope_of_name(const struct explanation *x, const char *name) {
    const char *dot = strrchr(name, '.');
    char scope[256];
    if (!dot || (size_t)(dot - name) >= sizeof scope) return 0;
    memcpy(scope, name, (size_t)(dot - name));
    scope[dot - name] = 0;
    const struct row *row = explanation_row(x, cr_find(x->g, scope));
    return row && !row->constant ? (uint32_t)(row - x->row) + 1 : 0;
}

static void find_scopes(struct explanation *x) {
    for (uint32_t r = 0; r < x->rows; r++) {
        struct row *row = &x->row[r];
        if (row->constant) continue;
        if (cr_name(row->x)) row->scope = scope_of_name(x, row->label);
        for (int k = 0; !cr_name(row->x) && k < cr_operand_count(row->x); k++) {
            cr_node a = cr_operand(row->x, k);
            while (!explanation_row(x, a) && cr_operand_count(a)) a = cr_operand(a, 0);
            const struct row *of = explanation_row(x, a);
            if (of && of->scope && of->scope - 1 > r) row->scope = of->scope;
        }
        if (row->scope) x->row[row->scope - 1].is_scope = true;
    }
}

enum { many_rows = 48 }; /* about a screen: beyond, scopes are folded */

void explanation_find_rows(struct explanation *x) {
    int number = 0;
    x->ids = x->result.id + 1;
    for (int i = 0; i < x->n; i++)
        if (x->wrt[i].id >= x->ids) x->ids = x->wrt[i].id + 1;
    x->of = mem_zero(&x->mem, mem_mul(x->ids, sizeof *x->of));
    if (x->of) mark_used(x);
    if (!x->of || !keep_rows(x)) {
        x->status = CR_ENOMEM;
        return;
    }
    for (int i = 0; i < x->n; i++) x->row[x->of[x->wrt[i].id] - 1].asked = true;
    for (uint32_t r = 0; r < x->rows && !x->status; r++) name_row(x, &x->row[r], &number);
    struct print_labels labels = {explanation_label, x};
    for (uint32_t r = 0; r < x->rows && !x->status; r++)
        x->row[r].formula = explanation_formula(x, x->row[r].x, &labels, true);
    if (!x->status) find_scopes(x);
    x->folded = !x->full && x->rows > many_rows;
}
