/* Functions of a graph as functions of the formula language, and the nodes that run them as calls of scan, map, while ... */
#include "formula/write.h"

#include <stdio.h>
#include <string.h>

#include "formula/model.h"
#include "ops/control.h"

/* ---- Names ---- */

static const struct written_function *find(const struct writer *w, const cr_function *f) {
    for (size_t i = 0; i < w->functions->n; i++)
        if (w->functions->function[i].f == f) return &w->functions->function[i];
    return NULL;
}

/* "step_1": its own name, without a number that it has from being written before, and a number, by which it is no op's and no other's. */
static void put_name(struct cr_text *out, const struct written_function *f) {
    const char *own = f->named->name ? f->named->name : "";
    size_t n = strlen(own), digits = n;
    while (digits > 0 && own[digits - 1] >= '0' && own[digits - 1] <= '9') digits--;
    if (digits > 1 && digits < n && own[digits - 1] == '_') n = digits - 1;
    if (write_is_name(own)) text_bytes(out, own, n);
    else text_str(out, "f");
    text_add(out, "_%zu", f->number);
}

static void put_call(struct writer *w, const cr_function *f) {
    const struct written_function *written = find(w, f);
    if (written) put_name(w->out, written);
}

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
    struct written_function written = {f, f, l->names + 1, text};
    if (again) written.named = l->function[same].named, written.number = l->function[same].number;
    l->function[l->n++] = written;
    if (again) return;
    l->names++;
    text_str(w->model, "fn "), put_name(w->model, &written), text_str(w->model, cr_text_str(&text));
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

static const char *own_name(const cr_function *f, uint32_t i) {
    return graph_text(f->g, (uint32_t)graph_attr(f->g, function_in(f, i))[0]);
}

/* Its inputs' own names, if the language can say all of them beside the words of loops; else x0, x1 .. */
static bool has_own_names(const cr_function *f) {
    for (uint32_t i = 0; i < f->n_in; i++) {
        if (!write_is_name(own_name(f, i)) || control_attribute(own_name(f, i))) return false;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(own_name(f, i), own_name(f, k)) == 0) return false;
    }
    return true;
}

static void put_parameter(struct cr_text *out, const cr_function *f, uint32_t i) {
    if (has_own_names(f)) text_str(out, own_name(f, i));
    else text_add(out, "x%u", (unsigned)i);
}

static void write_parameters(struct writer *body, const cr_function *f) {
    for (uint32_t i = 0; i < f->n_in && !body->status; i++) {
        struct cr_text name = text_make(&body->top->mem);
        put_parameter(&name, f, i);
        if (name.failed) body->status = CR_ENOMEM;
        else body->label[f->in[i]] = write_keep(body, cr_text_str(&name), name.n);
        text_add(body->out, "%s%s", i ? ", " : "", cr_text_str(&name));
        text_end(&name, body->out);
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

static void meet_function(struct writer *w, const cr_function *f) {
    if (!f || w->status || find(w, f)) return;
    if (has_text(w, f)) write_body(w, f);
}

void write_functions(struct writer *w) {
    for (uint32_t id = 1; id < w->count && !w->status; id++) {
        const struct node *n = graph_at(w->g, id);
        if (!w->uses[id] || op_kind(n->op) != KIND_CONTROL) continue;
        for (uint32_t i = 0; i < control_functions(w->g, n); i++)
            meet_function(w, control_function(w->g, n, i));
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
    if (condition) put_call(w, condition), text_str(w->out, ", ");
    put_call(w, control_function(w->g, n, 0));
    if (!map) write_list(w, n, first, xs);
    write_operands(w, n, xs, consts);
    for (int i = consts; i < (int)n->n; i++) {
        text_str(w->out, ", ");
        put_parameter(w->out, control_function(w->g, n, 0), (uint32_t)(i - first));
        text_str(w->out, "=");
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
    put_call(w, control_function(w->g, n, 0));
    if (n->op == OP_cond) text_str(w->out, ", "), put_call(w, control_function(w->g, n, 1));
    write_operands(w, n, n->op == OP_cond, (int)n->n);
    text_str(w->out, ")");
}
