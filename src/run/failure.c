/* The sentence of a step that failed: where, which node, what happened. */
#include <stdarg.h>
#include <stdio.h>

#include "graph/function.h"
#include "run/program.h"
#include "tensor/dtype.h"

struct line {
    char *to;
    size_t size, n;
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
say(struct line *l, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(l->to + l->n, l->size - l->n, format, ap);
    va_end(ap);
    if (n > 0) l->n += (size_t)n < l->size - l->n ? (size_t)n : l->size - l->n - 1;
}

/* Nodes that a backward pass made have neither name nor position: what they compute tells them apart. */
static void say_operand(struct line *l, const cr_graph *g, uint32_t id) {
    while (op_kind(graph_at(g, id)->op) == KIND_VIEW || graph_at(g, id)->op == OP_cast)
        id = graph_at(g, id)->arg[0]; /* the same numbers */
    const struct node *n = graph_at(g, id);
    const struct note *name = graph_find_note(g, id, NOTE_NAME);
    if (name) say(l, "%s", graph_text(g, name->text));
    else if (n->op == OP_input || n->op == OP_param)
        say(l, "%s", graph_text(g, (uint32_t)graph_attr(g, n)[0]));
    else if (n->op == OP_const && graph_elements(g, n) == 1)
        say(l, "%.6g", dtype_get((cr_dtype)n->dtype, graph_attr(g, n), 0));
    else say(l, "%s(..)", control_name(g, n));
}

static bool is_callback(const cr_graph *g, const struct node *n) {
    return n->op == OP_call && control_function(g, n, 0)->callback;
}

/* A callback goes by the name that its author gave it. */
static const char *name_of(const cr_graph *g, const struct node *n) {
    return is_callback(g, n) ? control_function(g, n, 0)->name : control_name(g, n);
}

static void say_node(struct line *l, const cr_graph *g, uint32_t id) {
    const struct node *n = graph_at(g, id);
    const struct note *name = graph_find_note(g, id, NOTE_NAME), *at = graph_find_note(g, id, NOTE_POSITION);
    if (at)
        say(l, "%s%s%d:%d: ", at->text ? graph_text(g, at->text) : "", at->text ? ":" : "", at->line,
            at->column);
    say(l, "%s", name_of(g, n));
    if (name) say(l, " (%s)", graph_text(g, name->text));
    for (uint32_t k = 0; k < n->n && k < 3; k++) {
        say(l, k ? ", " : " of ");
        say_operand(l, g, graph_args(g, n)[k]);
    }
    say(l, n->n > 3 ? " ...: " : ": ");
}

/* Which matrix of which batch, and where in it. */
static void say_matrix(struct line *l, const cr_graph *g, uint32_t node, const struct failure *f) {
    const struct node *x = graph_at(g, graph_args(g, graph_at(g, node))[0]);
    struct shape s = graph_shape(g, x);
    struct shape_text t;
    say(l, "%s: of %s, matrix %lld, at column %lld", cr_status_text(f->status), ops_show(&t, &s),
        (long long)f->bad, (long long)f->limit);
}

void failure_text(char *to, size_t size, const cr_graph *g, uint32_t node, const struct failure *f) {
    struct line l = {to, size, 0};
    say_node(&l, g, node);
    if (f->inside || f->status == CR_ELIMIT) {
        if (f->trip >= 0) say(&l, "step %lld: ", (long long)f->trip);
        if (f->inside) say_node(&l, g = f->inside, node = f->inside_node);
    }
    if (f->status == CR_EINDEX && graph_at(g, node)->op == OP_scan)
        say(&l, "a count of %lld steps, expected 0 to %lld", (long long)f->bad, (long long)f->limit);
    else if (f->status == CR_EINDEX)
        say(&l, "index %lld is out of range for a size of %lld", (long long)f->bad, (long long)f->limit);
    else if (f->status == CR_ESINGULAR) say_matrix(&l, g, node, f);
    else if (f->status == CR_ELIMIT && f->limit)
        say(&l, "the condition still holds after max_trips (of a formula: most), %lld", (long long)f->limit);
    else if (f->status == CR_ENAN && f->output) say(&l, "an output is not finite");
    else if (f->status == CR_ENAN) say(&l, "made the first %s", f->infinite ? "infinity" : "nan");
    else
        say(&l, "%s%s", is_callback(g, graph_at(g, node)) ? "the callback failed: " : "",
            cr_status_text(f->status));
}
