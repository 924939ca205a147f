/* Functions of a graph as functions of the formula language, and the nodes that run them as calls of scan, map, while ... */
#include "formula/write.h"

#include <stdio.h>
#include <string.h>

#include "ops/control.h"

/* ---- Names ---- */

/* 0: it has none yet. */
static size_t number_of(const struct writer *w, const cr_function *f) {
    for (size_t i = 0; i < w->functions->n; i++)
        if (w->functions->function[i].f == f) return w->functions->function[i].number;
    return 0;
}

static void put_name(struct writer *w, const cr_function *f) { text_add(w->out, "f%zu", number_of(w, f)); }

/* Takes the text over. */
static void name_function(struct writer *w, const cr_function *f, struct cr_text text) {
    struct written *l = w->functions;
    size_t same = 0;
    while (same < l->n && strcmp(cr_text_str(&l->function[same].text), cr_text_str(&text)) != 0) same++;
    if (text.failed || !mem_grow(&w->top->mem, &l->function, &l->cap, l->n, sizeof *l->function)) {
        w->status = CR_ENOMEM;
        text_drop(&text);
        return;
    }
    bool again = same < l->n;
    size_t number = again ? l->function[same].number : ++l->names;
    l->function[l->n++] = (struct written_function){f, number, text};
    if (!again) text_add(w->model, "fn f%zu%s", number, cr_text_str(&text));
}

void written_drop(struct written *l, const struct mem *mem) {
    for (size_t i = 0; i < l->n; i++) text_drop(&l->function[i].text);
    mem_free(mem, l->function, l->cap * sizeof *l->function);
}

/* ---- Results ---- */

int write_results_of(const struct writer *w, uint32_t part) {
    const struct node *n = graph_at(w->g, part), *control = graph_at(w->g, n->arg[0]);
    if (n->op != OP_part || op_kind(control->op) != KIND_CONTROL) return 0;
    if (control->op == OP_implicit) return 1;
    if (w->kept[n->arg[0]]) return ops_part_count(w->g, control);
    return (int)control_function(w->g, control, 0)->n_out;
}

/* ---- Functions ---- */

static void write_parameters(struct writer *body, const cr_function *f) {
    for (uint32_t i = 0; i < f->n_in && !body->status; i++) {
        char name[24];
        int n = snprintf(name, sizeof name, "x%u", (unsigned)i);
        text_add(body->out, "%s%s", i ? ", " : "", name);
        body->label[f->in[i]] = write_keep(body, name, (size_t)n);
    }
}

static void write_results(struct writer *body, const cr_function *f) {
    text_str(body->out, f->n_out > 1 ? "  [" : "  ");
    for (uint32_t i = 0; i < f->n_out; i++) {
        if (i) text_str(body->out, ", ");
        write_value(body, graph_handle(f->g, f->out[i]));
    }
    text_str(body->out, f->n_out > 1 ? "]\n}\n" : "\n}\n");
}

static void write_body(struct writer *w, const cr_function *f) {
    struct writer body;
    struct cr_text text = text_make(&w->top->mem);
    bool ok = writer_open(&body, f->g, &text);
    body.top = w->top, body.model = w->model, body.functions = w->functions, body.inside = true;
    for (uint32_t i = 0; ok && i < f->n_out; i++) body.uses[f->out[i]]++;
    if (ok) {
        write_mark(&body);
        write_functions(&body);
        text_char(&text, '(');
        write_parameters(&body, f);
        text_str(&text, ") {\n");
        write_statements(&body);
        write_results(&body, f);
    }
    w->status = ok ? body.status : CR_ENOMEM;
    writer_close(&body);
    if (w->status) text_drop(&text);
    else name_function(w, f, text);
}

/* What has no text is told to the model's graph. */
static bool has_text(struct writer *w, const cr_function *f) {
    cr_graph *g = w->top;
    w->status = CR_EINVAL;
    if (f->callback)
        graph_fail(g, CR_EINVAL, "print_model", "'%s' is a function of the host's, which has no text",
                   f->name);
    else if (!f->n_in) graph_fail(g, CR_EINVAL, "print_model", "a function without operands has no text");
    else if (f->g->default_float != g->default_float)
        graph_fail(g, CR_EINVAL, "print_model", "literals of a function are %s, those of the model %s",
                   cr_dtype_name(f->g->default_float), cr_dtype_name(g->default_float));
    else w->status = CR_OK;
    return w->status == CR_OK;
}

static void find_function(struct writer *w, const cr_function *f) {
    if (!f || w->status || number_of(w, f)) return;
    if (has_text(w, f)) write_body(w, f);
}

void write_functions(struct writer *w) {
    for (uint32_t id = 1; id < w->count && !w->status; id++) {
        const struct node *n = graph_at(w->g, id);
        if (!w->uses[id] || op_kind(n->op) != KIND_CONTROL) continue;
        for (uint32_t i = 0; i < control_functions(w->g, n); i++)
            find_function(w, control_function(w->g, n, i));
    }
}

/* ---- Calls ---- */

static cr_node operand(const struct writer *w, const struct node *n, int i) {
    return graph_handle(w->g, graph_args(w->g, n)[i]);
}

/* An array that is written out is a list, and a list is as many values. */
static void write_operand(struct writer *w, cr_node x) {
    bool list = graph_get(x)->op == OP_const && cr_rank(x) && !w->label[x.id];
    text_str(w->out, list ? "[" : "");
    write_value(w, x);
    text_str(w->out, list ? "]" : "");
}

static void write_operands(struct writer *w, const struct node *n, int first, int end) {
    for (int i = first; i < end; i++) text_str(w->out, ", "), write_operand(w, operand(w, n, i));
}

static void write_list(struct writer *w, const struct node *n, int first, int end) {
    text_str(w->out, ", [");
    for (int i = first; i < end; i++) {
        text_str(w->out, i > first ? ", " : "");
        write_value(w, operand(w, n, i));
    }
    text_str(w->out, "]");
}

static void write_loop(struct writer *w, uint32_t id, const struct node *n) {
    struct loop_attr l = loop_attr(w->g, n);
    const cr_function *condition = control_function(w->g, n, 1);
    bool kept = w->kept[id] != 0, map = !l.carry && l.xs && !l.reverse && !l.counted && !kept;
    int first = (int)l.counted, xs = first + (int)l.carry, consts = xs + (int)l.xs;
    text_str(w->out, condition ? "while(" : map ? "map(" : "scan(");
    if (condition) put_name(w, condition), text_str(w->out, ", ");
    put_name(w, control_function(w->g, n, 0));
    if (!map) write_list(w, n, first, xs);
    write_operands(w, n, xs, consts);
    for (int i = consts; i < (int)n->n; i++) {
        text_add(w->out, ", x%d=", i - first);
        write_value(w, operand(w, n, i));
    }
    if (l.counted) text_str(w->out, ", steps="), write_value(w, operand(w, n, 0));
    if (!l.xs && l.n >= 0)
        text_add(w->out, ", %s=%lld", condition || l.counted ? "most" : "steps", (long long)l.n);
    text_str(w->out, l.reverse ? ", reverse=true" : "");
    text_str(w->out, kept ? ", kept=true)" : ")");
}

void write_control(struct writer *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    if (n->op == OP_scan) {
        write_loop(w, id, n);
        return;
    }
    text_str(w->out, n->op == OP_cond ? "cond(" : n->op == OP_call ? "checkpoint(" : "implicit(");
    if (n->op == OP_cond) {
        write_value(w, operand(w, n, 0));
        text_str(w->out, ", ");
    }
    put_name(w, control_function(w->g, n, 0));
    if (n->op == OP_cond) text_str(w->out, ", "), put_name(w, control_function(w->g, n, 1));
    write_operands(w, n, n->op == OP_cond, (int)n->n);
    text_str(w->out, ")");
}
